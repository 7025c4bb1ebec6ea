package alerts

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

const (
	// TrialDays is how far back an alert is tried.
	TrialDays = 90
	// trialPeriods bounds the periods of a trial: finer grains reach less far back.
	trialPeriods = 24 * TrialDays
	trialBands   = 120 // periods of a trial whose bands are learnt
	trialGroups  = 20  // that are shown
)

// Trial is what an alert would have done.
type Trial struct {
	Days   int // that were looked at
	Fired  int // times, of all groups
	Groups int // of all
	Series []TrialSeries
}

// TrialSeries is one group of a trial; those that fired first.
type TrialSeries struct {
	Labels    []string
	At        []time.Time // starts of periods on the wall clock
	Values    []float64   // NaN where there is none
	Low, High []float64   // what it was held against; NaN where there is none
	Fired     []Spell
}

// Spell is a time for which it would have fired: places in At, the last one
// included. Open tells that it had not ended.
type Spell struct {
	From, To int
	Open     bool
}

// Try says what an alert would have done with the data of the past 90 days. It
// goes through the same steps as a live one, at the end of each period.
//
// Errors: access.forbidden, alerts.no_time, alerts.invalid, and those of asking.
func (s *Service) Try(ctx context.Context, actor access.Actor, w Watch, c Condition, m Manner) (Trial, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Trial{}, err
	}
	fields := map[string]string{}
	if c.check(&w, fields); len(fields) > 0 {
		return Trial{}, ErrInvalid.WithFields(fields)
	}
	if w.Time == "" || w.Grain == "" {
		return Trial{}, ErrNoTime
	}
	if c.Kind == Stale {
		return s.tryStale(ctx, actor, w, c)
	}
	shown := periodsIn(w.Grain)
	a, err := s.measureOnce(ctx, actor, &w, shown+c.past())
	if err != nil {
		return Trial{}, err
	}
	if a.more {
		return Trial{}, ErrTooManyGroups
	}
	last := a.current(&w, &c, onWall(s.now(), location(w.Zone)))
	first := max(0, last+1-shown)
	if c.Kind == Anomaly {
		first = max(first, last+1-trialBands)
	}
	t := Trial{Groups: len(a.groups)}
	if last >= first && last >= 0 {
		t.Days = int(math.Round(charts.PeriodAfter(a.at[last], w.Grain, 1).Sub(a.at[first]).Hours() / 24))
	}
	for _, sr := range a.groups {
		one := TrialSeries{Labels: sr.labels}
		g := group{}
		for i := first; i <= last; i++ {
			r := c.judge(sr.values, i, w.Grain)
			end := charts.PeriodAfter(a.at[i], w.Grain, 1)
			change := m.step(&g, r, end, false)
			one.At, one.Values = append(one.At, a.at[i]), append(one.Values, r.Value)
			one.Low, one.High = append(one.Low, r.Low), append(one.High, r.High)
			place := len(one.At) - 1
			switch {
			case change.from != Firing && change.to == Firing:
				one.Fired = append(one.Fired, Spell{From: place, To: place, Open: true})
			case change.to == Firing && len(one.Fired) > 0:
				one.Fired[len(one.Fired)-1].To = place
			case change.from == Firing && len(one.Fired) > 0:
				one.Fired[len(one.Fired)-1].Open = false
			}
		}
		t.Fired += len(one.Fired)
		t.Series = append(t.Series, one)
	}
	slices.SortStableFunc(t.Series, func(a, b TrialSeries) int { return len(b.Fired) - len(a.Fired) })
	t.Series = t.Series[:min(len(t.Series), trialGroups)]
	return t, nil
}

// periodsIn is how many periods of a grain a trial looks at.
func periodsIn(grain string) int {
	end := time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	for t := end; n < trialPeriods && t.After(end.AddDate(0, 0, -TrialDays)); n++ {
		t = charts.PeriodAfter(end, grain, -n-1)
	}
	return max(n, 4)
}

// tryStale looks at the gaps between rows, hour by hour; day by day where the
// column knows no hours.
func (s *Service) tryStale(ctx context.Context, actor access.Actor, w Watch, c Condition) (Trial, error) {
	w.Measure, w.Grain, w.Additive, w.Dimensions = maxOf(w.Time), "hour", false, nil
	period := time.Hour
	a, err := s.measureOnce(ctx, actor, &w, 24*TrialDays)
	if errors.Is(err, warehouse.ErrGrain) {
		w.Grain, period = "day", 24*time.Hour
		a, err = s.measureOnce(ctx, actor, &w, TrialDays)
	}
	if err != nil {
		return Trial{}, err
	}
	t := Trial{Days: TrialDays, Groups: 1}
	if len(a.groups) == 0 || len(a.at) == 0 {
		return t, nil
	}
	one := TrialSeries{}
	newest := math.NaN()
	for i, at := range a.at {
		end := at.Add(period)
		age := math.NaN()
		if !math.IsNaN(newest) {
			age = max(0, end.Sub(time.UnixMicro(int64(newest)).UTC()).Minutes())
		}
		if v := a.groups[0].values[i]; !math.IsNaN(v) {
			newest, age = v, 0
		}
		one.At, one.Values = append(one.At, at), append(one.Values, age)
		one.Low, one.High = append(one.Low, c.Value), append(one.High, c.Value)
		if open := len(one.Fired) > 0 && one.Fired[len(one.Fired)-1].Open; age > c.Value {
			if !open {
				one.Fired = append(one.Fired, Spell{From: i, To: i, Open: true})
			}
			one.Fired[len(one.Fired)-1].To = i
		} else if open {
			one.Fired[len(one.Fired)-1].Open = false
		}
	}
	t.Fired, t.Series = len(one.Fired), []TrialSeries{one}
	return t, nil
}

// measureOnce asks for one watch as one person, and the periods before the newest.
func (s *Service) measureOnce(ctx context.Context, actor access.Actor, w *Watch, past int) (*answer, error) {
	snapshot, err := s.deps.Datasets.Snapshot(ctx, actor, []ids.Dataset{w.Dataset})
	if err != nil {
		return nil, err
	}
	a := &asking{actor: actor, watch: w, past: past}
	s.ask(ctx, []*asking{a}, snapshot, map[string]extent{})
	return a.out, a.err
}

// Course is what an alert measured lately, for its page: its trial, which is
// its history as far as the condition has not changed.
//
// Errors: as Get and Try.
func (s *Service) Course(ctx context.Context, actor access.Actor, a *Alert) (Trial, error) {
	owner, err := s.ownerOf(ctx, actor.TenantID, a.Owner)
	if err != nil {
		return Trial{}, err
	}
	if owner.UserID != actor.UserID && s.sight(ctx, actor, &a.Watch) != s.sight(ctx, owner, &a.Watch) {
		owner = actor // who sees other rows sees the course of these
	}
	return s.Try(ctx, owner, a.Watch, a.Condition, a.Manner)
}

// Begin is the watch and the form that an alert on a subject begins with.
func Begin(measure charts.Format) Condition {
	side := Above
	if measure.Better == "higher" {
		side = Below
	}
	return Condition{Kind: Threshold, Side: side, Back: 1, Band: 95}
}

package dashboards

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/forecast"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// planForecast prepares the question for the history of a line: the widget's
// own, over all the time that there is instead of the days shown, and without
// the comparison.
func (v *View) planForecast(p *Plan, sc *schema, w *Widget) {
	if len(p.main.Dimensions) != 1 {
		return // refused with the config
	}
	h := p.main
	h.Comparison, h.Limit, h.Offset = nil, maxGroups, 0
	h.Measures = slices.Clone(h.Measures)
	own := len(w.Query.Filters)
	column := v.dateColumn(p.dataset, w.Query.Date)
	if column == h.Dimensions[0].Column && v.Days != nil {
		// The first that the page adds is the date range (see filters).
		h.Filters = slices.Delete(slices.Clone(h.Filters), own, own+1)
	}
	h.Order = []warehouse.Order{{By: dimensionName(h.Dimensions[0])}}
	p.history = &h
}

// period is the period of a forecast's axis that the clock is in, for the key:
// the forecast changes when it is over. Zero where the clock plays no part.
func (v *View) period(p *Plan, sc *schema) int64 {
	if p.history == nil || sc.RelativeToNewest {
		return 0
	}
	grain := p.history.Dimensions[0].Grain
	return charts.PeriodOf(v.wallNow(), grain).Unix()
}

// wallNow is the time on the page's clock.
func (v *View) wallNow() time.Time {
	t := v.now.In(v.Zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// reachPeriods is how many periods tell how late in a period data comes.
const reachPeriods = 60

// foresee makes the forecast of a widget out of the periods before its newest
// row, as many as are looked at.
func (s *Service) foresee(ctx context.Context, v *View, p *Plan) (*charts.Outlook, error) {
	sc := v.schemas[p.dataset]
	dim := p.history.Dimensions[0]
	c, ok := sc.find(dim.Column)
	if !ok || c.Type != warehouse.Date && c.Type != warehouse.Timestamp && c.Type != warehouse.TimestampTZ {
		return nil, charts.ErrConfig.With("A forecast continues a line over time; %s is no time.", dim.Column)
	}
	grain := dim.Grain
	if grain == "" && c.Type == warehouse.Date {
		grain = "day"
	}
	oldest, newest, err := s.ends(ctx, v, p, dim.Column)
	if err != nil {
		return nil, err
	}
	if newest.IsZero() {
		return &charts.Outlook{Refused: forecast.ErrTooShort}, nil
	}
	last := charts.PeriodOf(newest, grain)
	since := func(periods int) warehouse.Filter {
		from := charts.PeriodAfter(last, grain, -periods)
		if from.Before(oldest) {
			from = oldest
		}
		return warehouse.Filter{Column: dim.Column, Op: "between", From: quoted(DayOf(from).String()), To: quoted(DayOf(newest).String())}
	}
	spec := *p.history
	spec.Filters = append(slices.Clone(spec.Filters), since(forecast.MaxHistory))
	h := charts.History{Run: s.forecasts.run}
	if h.Values, err = s.ask(ctx, v, p, spec); err != nil {
		return nil, err
	}
	reach := warehouse.Spec{Dataset: spec.Dataset, Timezone: spec.Timezone, Limit: maxGroups,
		Filters: []warehouse.Filter{since(reachPeriods)}, Order: []warehouse.Order{{By: "at"}},
		Dimensions: []warehouse.Dimension{{Column: dim.Column, Grain: dim.Grain, As: "at"}},
		Measures:   []warehouse.Measure{{Fn: "max", Column: dim.Column, As: "newest"}}}
	// Who is shown no single moment gets each period as it stands.
	if h.Reach, err = s.ask(ctx, v, p, reach); err != nil && !errors.Is(err, warehouse.ErrRowsWithheld) {
		return nil, err
	}
	if !sc.RelativeToNewest {
		h.Now = v.wallNow()
	}
	in := p.input
	in.Oldest, in.Newest = oldest, newest
	return charts.Foresee(in, h)
}

// ends are the first and last moment of a column on the wall clock, whatever is
// filtered; zero for no rows.
func (s *Service) ends(ctx context.Context, v *View, p *Plan, column string) (oldest, newest time.Time, err error) {
	r, err := s.datasets.Query(ctx, v.actor, datasets.QueryRequest{Snapshot: v.Snapshot, Exact: true, Now: v.now,
		Spec: warehouse.Spec{Dataset: p.dataset.String(), Timezone: v.Zone.String(),
			Measures: []warehouse.Measure{{Fn: "min", Column: column, As: "first"}, {Fn: "max", Column: column, As: "last"}}}})
	if err != nil || r.Rows == 0 || r.Columns[0].IsNull(0) || r.Columns[1].IsNull(0) {
		return time.Time{}, time.Time{}, v.discreet(err)
	}
	return wall(&r.Columns[0], v.Zone), wall(&r.Columns[1], v.Zone), nil
}

// withMAPE puts the error of the back-test in the place of "{mape}". Where
// there is none it goes together with what separated it.
func (v *View) withMAPE(text string, o *charts.Outlook) string {
	before, after, found := strings.Cut(text, "{mape}")
	if !found {
		return text
	}
	if o != nil && o.Refused == nil && !math.IsNaN(o.MAPE) && v.words.MAPE != nil {
		one := 1
		return before + v.words.MAPE(v.locale.Full(o.MAPE, locale.Format{Style: "percent", Decimals: &one})) + after
	}
	return strings.TrimRight(before, " ·,") + after
}

// forecasts remembers forecasts by the series and the options that they follow
// from, and by nothing else, so that none is ever stale.
type forecasts struct {
	entries *lru.Cache[[sha256.Size]byte, forecastAnswer]
}

type forecastAnswer struct {
	result forecast.Result
	err    error
}

func newForecasts() forecasts {
	// A size above zero is never refused.
	entries, _ := lru.New[[sha256.Size]byte, forecastAnswer](2_000)
	return forecasts{entries}
}

func (f forecasts) run(series []float64, o forecast.Options) (forecast.Result, error) {
	key := make([]byte, 0, 8*(len(series)+len(o.Seasons)+2))
	for _, n := range append([]int{o.Horizon, len(o.Seasons)}, o.Seasons...) {
		key = binary.LittleEndian.AppendUint64(key, uint64(n))
	}
	for _, v := range series {
		key = binary.LittleEndian.AppendUint64(key, math.Float64bits(v))
	}
	sum := sha256.Sum256(key)
	if known, ok := f.entries.Get(sum); ok {
		return known.result, known.err
	}
	result, err := forecast.Run(series, o)
	f.entries.Add(sum, forecastAnswer{result, err})
	return result, err
}

package dashboards

import (
	"context"
	"slices"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Actions are what can be done with a mark.
type Actions struct {
	Marked string // for people
	Mark   string // in links
	// Filter are the choices with the mark selected or, where it is, without.
	Filter   *State
	Selected bool
	// Down are the choices one level further down; nil where there is none.
	// Level is the next level for people: "City", or a grain.
	Down  *State
	Level string
	Grain string
	// Through leads to another dashboard.
	Through *Through
}

// Through is a way to another dashboard that carries the filters along.
type Through struct {
	Dashboard ids.Dashboard
	Name      string
	State     State
}

// Actions says what can be done with one mark of a widget.
//
// Errors: those of Explain.
func (s *Service) Actions(ctx context.Context, v *View, widget, mark string) (*Actions, error) {
	p, marked, _, err := v.explained(widget, mark)
	if err != nil {
		return nil, err
	}
	sc := v.schemas[p.dataset]
	a := &Actions{Marked: marked, Mark: mark}
	var marks []charts.Mark
	var dims []warehouse.Dimension
	if mark != "" {
		marks, _ = marksOf(mark) // was read before
		dims = v.markDimensions(p, len(marks[0]))
		if own := selectDimensions(&p.Widget); len(own) == len(marks[0]) && len(own) > 0 {
			next := v.State.WithoutCrossOf(widget)
			a.Selected = slices.ContainsFunc(v.State.Cross[widget], func(m charts.Mark) bool { return slices.Equal(m, marks[0]) })
			if !a.Selected {
				next.Cross = cloneMap(next.Cross)
				next.cross(widget, marks)
			}
			a.Filter = &next
		}
		if at, level, ok := v.nextLevel(p, sc, &p.Widget); ok && len(marks) == 1 {
			name := dimensionName(p.Widget.Query.Dimensions[at])
			for n, dim := range dims {
				if dimensionName(dim) == name {
					down := v.State.DrillDown(widget, marks[0][n])
					a.Down, a.Grain = &down, level.Grain
					if level.Grain == "" {
						a.Level = charts.Humanise(lastPart(level.Column))
					}
				}
			}
		}
	}
	if to := p.Widget.Through; !to.IsZero() && to != v.Dashboard.ID {
		target, err := s.Get(ctx, v.actor, to)
		if err == nil {
			a.Through = &Through{Dashboard: to, Name: target.Name, State: v.carried(&target, p, dims, marks)}
		} else if !isKind(err, ErrNotFound) {
			return nil, err
		}
	}
	return a, nil
}

// carried are the choices that go along to another dashboard: the date range,
// and the values of filters and marks for columns that it knows. A filter of
// its own over the same column takes them, else one is added.
func (v *View) carried(target *Dashboard, p *Plan, dims []warehouse.Dimension, marks []charts.Mark) State {
	s := State{Range: v.State.Range, Compare: v.State.Compare, From: &Origin{Dashboard: v.Dashboard.ID}}
	if s.Range == nil && v.HasDates {
		own := v.Range
		s.Range = &own
	}
	s.From.Link = State{Range: v.State.Range, Compare: v.State.Compare, Picks: v.State.Picks, Cross: v.State.Cross, Sort: v.State.Sort, Exact: v.State.Exact, Levels: v.State.Levels}.Encode()
	give := func(dataset ids.Dataset, column, kind string, values []string) {
		for _, id := range sortedKeys(target.Config.Filters) {
			f := target.Config.Filters[id]
			own := f.Kind
			if own == "" {
				own = KindValues
			}
			if f.Column == column && target.Config.dataset(f.Dataset) == dataset && (own == kind || own == KindBoolean && kind == KindValues) {
				s.pick(id, values)
				return
			}
		}
		if kind == KindValues && target.Config.Dataset == dataset {
			s.pick(column, values)
		}
	}
	for i := range v.Controls {
		if c := &v.Controls[i]; len(c.picks) > 0 && c.err == nil {
			give(c.dataset, c.Column, c.Kind, c.picks)
		}
	}
	for _, x := range v.Cross {
		for n, dim := range x.columns {
			if isPlain(dim) {
				give(x.dataset, dim.Column, KindValues, distinct(x.marks, n))
			}
		}
	}
	for n, dim := range dims {
		switch {
		case isPlain(dim):
			give(p.dataset, dim.Column, KindValues, distinct(marks, n))
		case dim.Column == v.dateColumn(p.dataset, p.Widget.Query.Date):
			if days, ok := bucketDays(dim.Grain, marks[0][n]); ok {
				s.Range = &Range{Kind: "fixed", From: days.From, To: days.To}
			}
		}
	}
	return s
}

// bucketDays are the days of a bucket of time, named by its first moment.
func bucketDays(grain, value string) (Days, bool) {
	if len(value) < len(time.DateOnly) {
		return Days{}, false
	}
	from, err := parseDay(value[:len(time.DateOnly)])
	if err != nil {
		return Days{}, false
	}
	y, m, d := from.Time().Date()
	end := func(y int, m time.Month, d int) (Days, bool) {
		return Days{from, DayOf(time.Date(y, m, d, 0, 0, 0, 0, time.UTC)) - 1}, true
	}
	switch grain {
	case "year":
		return end(y+1, m, d)
	case "quarter":
		return end(y, m+3, d)
	case "month":
		return end(y, m+1, d)
	case "week":
		return end(y, m, d+7)
	case "day", "hour", "quarter_hour", "minute":
		return end(y, m, d+1)
	}
	return Days{}, false
}

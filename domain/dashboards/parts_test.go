package dashboards_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Weeks × categories that are more groups than one answer has.
const (
	manyWeeks      = 10
	manyCategories = 3_000
)

// many is a board over one row for each week and category, more groups than one
// answer has. The categories k2, k1 and k0 have 200, 150 and 100, all others 1;
// "missing" has no value.
func (r *rig) many(t *testing.T) *dashboards.View {
	t.Helper()
	id, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Many", RelativeToNewest: true, Columns: []datasets.NewColumn{
		{Name: "day", Type: warehouse.Date}, {Name: "cat", Type: warehouse.Text}, {Name: "v", Type: warehouse.Integer}}})
	must(t, err)
	rows := make([][]any, 0, manyWeeks*manyCategories)
	for week := range manyWeeks {
		at := time.Date(2026, 6, 1+7*week+week%7, 0, 0, 0, 0, time.UTC) // the first is a Monday
		for c := range manyCategories {
			v, name := 1, any(fmt.Sprintf("k%d", c))
			switch {
			case c < 3:
				v = 100 + 50*c
			case c == manyCategories-1:
				name = nil
			}
			rows = append(rows, []any{at.Format(time.DateOnly), name, v})
		}
	}
	_, err = r.datasets.AppendRows(t.Context(), r.actor, id, datasets.AppendRequest{Columns: []string{"day", "cat", "v"}, Rows: rows})
	must(t, err)
	c := dashboards.Config{Schema: dashboards.Schema, Dataset: id, Settings: dashboards.Settings{Comparison: "none"}, Widgets: map[string]dashboards.Widget{}}
	sum := warehouse.Measure{Fn: "sum", Column: "v", As: "value"}
	mean := warehouse.Measure{Fn: "avg", Column: "v", As: "value"}
	add := func(id string, typ charts.Type, grain string, m warehouse.Measure, change func(*dashboards.Widget)) {
		size := typ.DefaultSize()
		w := dashboards.Widget{Config: charts.Config{Type: typ}, Title: id, Layout: dashboards.Layout{Y: 20 * len(c.Widgets), W: size.W, H: size.H}}
		w.Query.Measures = []warehouse.Measure{m}
		w.Query.Dimensions = []warehouse.Dimension{{Column: "day", Grain: grain, As: "at"}, {Column: "cat", As: "cat"}}
		if change != nil {
			change(&w)
		}
		c.Widgets[id] = w
	}
	add("stack", charts.StackedBar, "week", sum, nil)
	add("bars", charts.Bar, "week", sum, nil)
	add("stack_mean", charts.StackedBar, "week", mean, nil)
	add("weekdays", charts.StackedBar, "weekday", sum, nil)
	add("weekdays_mean", charts.Bar, "weekday", mean, nil)
	add("radar", charts.Radar, "weekday", sum, nil)
	add("limited", charts.StackedBar, "week", sum, func(w *dashboards.Widget) { w.Query.Limit = 3_000 })
	add("facets", charts.Bar, "week", sum, func(w *dashboards.Widget) { w.Encode.Facet = "cat" })
	add("heat", charts.Heatmap, "week", sum, nil)
	add("pivot", charts.Pivot, "week", sum, nil)
	add("held", charts.StackedBar, "week", sum, func(w *dashboards.Widget) {
		w.Query.Filters = []warehouse.Filter{{Measure: "value", Op: ">", Values: []json.RawMessage{[]byte("0")}}}
	})
	for id, typ := range map[string]charts.Type{"treemap": charts.Treemap, "sankey": charts.Sankey, "sunburst": charts.Sunburst} {
		add(id, typ, "week", sum, nil)
	}
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Many", Config: c})
	must(t, err)
	return r.open(t, d.ID, "", "")
}

// seriesOf are the values of a chart by series; those without one are NaN.
func seriesOf(t *testing.T, d *charts.Drawing) map[string][]float64 {
	t.Helper()
	var chart struct {
		Option struct {
			Series []struct {
				Name string
				Data []json.RawMessage
			}
		}
	}
	must(t, json.Unmarshal(d.Chart, &chart))
	all := map[string][]float64{}
	for _, s := range chart.Option.Series {
		for _, raw := range s.Data {
			var point struct{ Value *float64 }
			if json.Unmarshal(raw, &point) != nil {
				must(t, json.Unmarshal(raw, &point.Value))
			}
			v := math.NaN()
			if point.Value != nil {
				v = *point.Value
			}
			all[s.Name] = append(all[s.Name], v)
		}
	}
	return all
}

func repeated(v float64, n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = v
	}
	return list
}

// A chart of more weeks × categories than one answer has is right in every week:
// the largest parts and the rest of all rows, or the largest and how many are not
// shown. What can't be drawn says so.
func TestPartsAreThoseOfAllRows(t *testing.T) {
	r := newRig(t)
	v := r.many(t)
	for _, id := range []string{"stack", "bars", "stack_mean"} {
		d := r.draw(t, v, id).Drawing
		got := seriesOf(t, d)
		if d.State != charts.Ready || len(got["k0"]) != manyWeeks {
			t.Fatalf("%s is %s with %v", id, d.State, got)
		}
		for name, want := range map[string]float64{"k2": 200, "k1": 150, "k0": 100} {
			if !reflect.DeepEqual(got[name], repeated(want, manyWeeks)) {
				t.Errorf("%s: %s is %v, want %v in each week", id, name, got[name], want)
			}
		}
		shown := 0.0
		for _, values := range got {
			shown += values[manyWeeks-1]
		}
		other, folds := got["Other"]
		if id == "stack_mean" {
			want := charts.Message{Key: "charts.note.cut", Args: []any{"Shown", charts.MaxSeries, "Count", manyCategories - charts.MaxSeries}}
			if folds || len(got) != charts.MaxSeries || !reflect.DeepEqual(d.Note, want) {
				t.Errorf("%s has an Other: %v, %d parts, says %+v", id, folds, len(got), d.Note)
			}
			continue
		}
		if want := 450.0 + manyCategories - 3; shown != want || len(other) != manyWeeks || other[0] != other[manyWeeks-1] {
			t.Errorf("%s: the last week adds up to %v, want %v; Other %v", id, shown, want, other)
		}
	}

	days := []float64{2, 2, 2, 1, 1, 1, 1} // weeks on each day of the week
	for _, id := range []string{"weekdays", "weekdays_mean"} {
		d := r.draw(t, v, id).Drawing
		got := seriesOf(t, d)
		for i, n := range days {
			want, all := 200*n, (450+manyCategories-3)*n
			if id == "weekdays_mean" {
				want, all = 200, 450+float64(charts.MaxSeries)-3
			}
			sum := 0.0
			for _, values := range got {
				sum += values[i]
			}
			if got["k2"][i] != want || sum != all {
				t.Errorf("%s, day %d: %v of %v, want %v of %v", id, i+1, got["k2"][i], sum, want, all)
			}
		}
		if note := d.Note.Key; id == "weekdays_mean" && note != "charts.note.cut" || id == "weekdays" && note != "" {
			t.Errorf("%s says %q", id, note)
		}
	}
	if d := r.draw(t, v, "radar").Drawing; d.State != charts.Ready || d.Note.Key != "charts.note.top" {
		t.Errorf("the radar is %s, says %+v", d.State, d.Note)
	}

	if e, err := r.Explain(t.Context(), v, "stack", ""); err != nil || e.Rows != manyWeeks*(charts.MaxSeries+1) || !strings.Contains(e.Query, `"other": true`) {
		t.Errorf("explained as %d rows of %s, %v", e.Rows, e.Query, err)
	}

	if d := r.draw(t, v, "limited").Drawing; d.Note.Key != "charts.note.limit" {
		t.Errorf("a limit of the author's is not told: %+v", d.Note)
	}
	for _, id := range []string{"facets", "heat", "pivot", "held", "treemap", "sankey", "sunburst"} {
		tile := r.draw(t, v, id)
		if d := tile.Drawing; d.State != charts.TooMuch {
			t.Errorf("%s is %s", id, d.State)
		} else if (id == "heat" || id == "pivot") && d.Count < charts.MaxPoints {
			t.Errorf("%s has at least %d points", id, d.Count)
		}
		if tile.Shorter != "2026-07-09~2026-08-05" { // the last 28 days of the data
			t.Errorf("%s offers %q", id, tile.Shorter)
		}
	}
}

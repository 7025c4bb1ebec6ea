package dashboards_test

import (
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/warehouse"
)

// every is a dashboard of one widget of each type over the sales of the rig:
// 240 rows, amounts 1 to 240, stores of which one in four is empty.
func (r *rig) every(t *testing.T) *dashboards.View {
	t.Helper()
	dataset := r.sales(t, r.actor)
	mean := warehouse.Measure{Fn: "avg", Column: "amount", As: "mean"}
	stores := warehouse.Measure{Fn: "count_distinct", Column: "store", As: "stores"}
	city := warehouse.Dimension{Column: "shop.city", As: "city"}
	day := warehouse.Dimension{Column: "at", Grain: "day", As: "day"}
	amount := warehouse.Dimension{Column: "amount", As: "amount"}
	c := dashboards.Config{Schema: dashboards.Schema, Dataset: dataset, Settings: dashboards.Settings{Comparison: "none"}, Widgets: map[string]dashboards.Widget{}}
	add := func(id string, typ charts.Type, e charts.Encode, measures []warehouse.Measure, dims ...warehouse.Dimension) {
		size := typ.DefaultSize()
		w := dashboards.Widget{Config: charts.Config{Type: typ, Encode: e}, Title: id, Layout: dashboards.Layout{Y: 20 * len(c.Widgets), W: size.W, H: size.H}}
		w.Query.Measures, w.Query.Dimensions = measures, dims
		c.Widgets[id] = w
	}
	one, two := []warehouse.Measure{total}, []warehouse.Measure{total, orders}
	target := 1000.0
	add("step", charts.Step, charts.Encode{Lines: []charts.Reference{{Average: true}}}, one, day)
	add("grouped", charts.Bar, charts.Encode{}, one, channel, city)
	add("percent", charts.StackedBar, charts.Encode{Stack: "percent"}, one, day, channel)
	add("combo", charts.Combo, charts.Encode{}, two, day)
	add("histogram", charts.Histogram, charts.Encode{}, []warehouse.Measure{orders}, amount)
	add("box", charts.Box, charts.Encode{}, []warehouse.Measure{{Fn: "avg", Column: "amount"}}, channel)
	add("scatter", charts.Scatter, charts.Encode{}, two, channel)
	add("bubble", charts.Bubble, charts.Encode{}, []warehouse.Measure{total, orders, mean}, channel)
	add("treemap", charts.Treemap, charts.Encode{}, one, channel, city)
	add("sunburst", charts.Sunburst, charts.Encode{}, one, channel, city)
	add("funnel", charts.Funnel, charts.Encode{}, two)
	add("sankey", charts.Sankey, charts.Encode{}, one, channel, city)
	add("waterfall", charts.Waterfall, charts.Encode{}, one, channel)
	add("calendar", charts.Calendar, charts.Encode{}, one, day)
	add("radar", charts.Radar, charts.Encode{}, one, city, channel)
	add("gauge", charts.Gauge, charts.Encode{Target: &target}, one)
	add("words", charts.WordList, charts.Encode{}, one, city)
	add("small", charts.Line, charts.Encode{Facet: "channel"}, one, day, channel)
	add("pivot", charts.Pivot, charts.Encode{Rows: []string{"channel"}, Across: []string{"city"}}, []warehouse.Measure{mean, stores}, channel, city)
	add("totals", charts.Table, charts.Encode{Totals: true}, []warehouse.Measure{mean, stores}, channel)
	c.Widgets["note"] = dashboards.Widget{Config: charts.Config{Type: charts.Text, Text: "# Hello\n\n<script>x</script>"}, Title: "note", Layout: dashboards.Layout{Y: 500, W: 4, H: 4}}
	c.Widgets["line"] = dashboards.Widget{Config: charts.Config{Type: charts.Divider}, Title: "line", Layout: dashboards.Layout{Y: 510, W: 12, H: 1}}
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Every type", Config: c})
	must(t, err)
	return r.open(t, d.ID, "", "")
}

func TestEveryTypeIsAskedAndDrawn(t *testing.T) {
	r := newRig(t)
	v := r.every(t)
	for _, p := range v.Tiles {
		drawing := r.draw(t, v, p.ID).Drawing
		if drawing.State != charts.Ready {
			t.Errorf("%s is %s", p.ID, drawing.State)
		}
		if p.Widget.Type.Asks() && drawing.Say.Key == "" {
			t.Errorf("%s has no sentence", p.ID)
		}
	}
	if html := r.draw(t, v, "note").Drawing.HTML; !strings.Contains(html, "<h2>Hello</h2>") || strings.Contains(html, "script") {
		t.Errorf("text: %s", html)
	}
	if _, err := r.AsTable(t.Context(), v, "note", 1); err == nil {
		t.Error("a text has a table")
	}
}

// Means and distinct counts of totals are those of all rows, which no sum of
// cells gives: amounts 1 to 240 have the mean 120.5, in three stores.
func TestTotalsAreAnswersOfTheirOwn(t *testing.T) {
	r := newRig(t)
	v := r.every(t)
	table := r.draw(t, v, "totals").Drawing.Table
	if cells := table.Totals.Cells; cells[1].Text != "120.5" || cells[2].Text != "3" {
		t.Errorf("totals of the table: %+v", cells)
	}
	pivot := r.draw(t, v, "pivot").Drawing.Table
	last := len(pivot.Totals.Cells) - 1
	if cells := pivot.Totals.Cells; cells[last-1].Text != "120.5" || cells[last].Text != "3" {
		t.Errorf("totals of the pivot: %+v", cells)
	}
	if pivot.Columns[0].Label != "Channel" || len(pivot.Rows) != 3 {
		t.Errorf("pivot: %+v", pivot)
	}
}

// TestOneBrokenMeasureLeavesTheOthers draws a page with two key figures, one of
// which asks what the data does not have.
func TestOneBrokenMeasureLeavesTheOthers(t *testing.T) {
	r := newRig(t)
	v := r.every(t)
	if v.BreakJoined() == 0 {
		t.Fatal("no widgets are asked together")
	}
	for _, p := range v.Tiles {
		if tile := r.draw(t, v, p.ID); tile.Err != nil {
			t.Errorf("%s: %v", p.ID, tile.Err)
		}
	}
}

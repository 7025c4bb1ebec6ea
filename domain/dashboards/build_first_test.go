package dashboards_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// upload is a dataset of rows as a person would load them.
func (r *rig) upload(t testing.TB, name, times string, columns []datasets.NewColumn, rows int, row func(i int) []any) ids.Dataset {
	t.Helper()
	id, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: name, TimeColumn: times, Columns: columns})
	must(t, err)
	request := datasets.AppendRequest{}
	for _, c := range columns {
		request.Columns = append(request.Columns, c.Name)
	}
	for i := range rows {
		request.Rows = append(request.Rows, row(i))
	}
	_, err = r.datasets.AppendRows(t.Context(), r.actor, id, request)
	must(t, err)
	return id
}

// uploads are datasets as people have them: departures with a time of day and
// many airports, a file of sales, and one without a date.
func (r *rig) uploads(t testing.TB) map[string]ids.Dataset {
	t.Helper()
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	name := func(of string, n int) string { return fmt.Sprintf("%s %d", of, n) }
	return map[string]ids.Dataset{
		"flights": r.upload(t, "flights", "date", []datasets.NewColumn{{Name: "date", Type: warehouse.Timestamp}, {Name: "origin", Type: warehouse.Text},
			{Name: "destination", Type: warehouse.Text}, {Name: "carrier", Type: warehouse.Text}, {Name: "delay", Type: warehouse.Float},
			{Name: "distance", Type: warehouse.Integer}, {Name: "cancelled", Type: warehouse.Boolean}}, 2000, func(i int) []any {
			return []any{day.Add(time.Duration(i) * 131 * time.Minute), name("Origin", i%71), name("Destination", i*7%83), name("Carrier", i%9),
				float64(i*37%95) - 15, 100 + i*53%2400, i%40 == 0}
		}),
		"sales": r.upload(t, "umsatz", "Datum", []datasets.NewColumn{{Name: "Datum", Type: warehouse.Date}, {Name: "Filiale", Type: warehouse.Text},
			{Name: "PLZ", Type: warehouse.Text}, {Name: "Kategorie", Type: warehouse.Text}, {Name: "Umsatz", Type: warehouse.Float},
			{Name: "Menge", Type: warehouse.Integer}}, 397, func(i int) []any {
			return []any{day.AddDate(0, 0, i*301/397).Format(time.DateOnly), name("Filiale", i%5), fmt.Sprintf("0%d", 1000+i*13%332), name("Kategorie", i%3),
				float64(40+i*173%9800) + float64(i%100)/100, 1 + i*11%60}
		}),
		"people": r.upload(t, "members", "", []datasets.NewColumn{{Name: "name", Type: warehouse.Text}, {Name: "city", Type: warehouse.Text},
			{Name: "plan", Type: warehouse.Text}, {Name: "age", Type: warehouse.Integer}, {Name: "spent", Type: warehouse.Float}}, 300, func(i int) []any {
			return []any{name("Member", i), name("City", i%23), name("Plan", i%4), 18 + i*7%60, float64(i * 19 % 4000)}
		}),
	}
}

// TestFirstDropsAreRight drops each type of the palette on an empty canvas, once
// and again, and looks at what a person would see.
func TestFirstDropsAreRight(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	// What can't be drawn without a choice waits for it.
	unset := map[string][]charts.Type{
		"flights": {charts.Map, charts.Candlestick},
		"sales":   {charts.Map, charts.Candlestick},
		"people":  {charts.Map, charts.Candlestick, charts.Calendar},
	}
	// Types that compare things, and those that show a course.
	compare := []charts.Type{charts.Bar, charts.Donut, charts.Treemap, charts.Sunburst, charts.Sankey, charts.Funnel, charts.Waterfall, charts.Pivot,
		charts.WordList, charts.Radar, charts.Box, charts.Table, charts.Scatter, charts.Bubble}
	course := []charts.Type{charts.Line, charts.Step, charts.Area, charts.Combo, charts.StackedBar, charts.Calendar}
	for shape, dataset := range r.uploads(t) {
		config, err := dashboards.ParseConfig(fmt.Appendf(nil, `{"schema": 2, "dataset": %q, "settings": {"date": {"default": "all"}}, "widgets": {}}`, dataset.String()))
		must(t, err)
		board, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: shape, Config: config})
		must(t, err)
		add := func(t *testing.T, kind charts.Type) string {
			t.Helper()
			out, err := r.Act(t.Context(), r.actor, board.ID, 0, uuid.Must(uuid.NewV7()), dashboards.Act{Kind: "add_widget", Type: kind})
			must(t, err)
			return out.Select[0]
		}
		temporal := func(d warehouse.Dimension) bool { return d.Grain != "" }
		for _, kind := range charts.Types() {
			if !kind.Asks() {
				continue
			}
			for _, drop := range []string{"first", "second"} {
				t.Run(shape+"/"+string(kind)+"/"+drop, func(t *testing.T) {
					id := add(t, kind)
					request := request(t, board.ID, "", "")
					request.Draft = true
					v, err := r.Open(t.Context(), r.actor, request)
					must(t, err)
					w := v.Dashboard.Config.Widgets[id]
					if slices.Contains(unset[shape], kind) {
						if w.SetUp() {
							t.Errorf("was not to be set up: %+v", w.Query)
						}
						return
					}
					if !w.SetUp() {
						t.Fatalf("is not set up: %+v", w.Query)
					}
					tile := r.draw(t, v, id)
					if tile.Drawing.State != charts.Ready || tile.Drawing.Count == 0 && kind != charts.Table && kind != charts.Pivot && kind != charts.KPI {
						t.Errorf("drawn as %q with %d marks: %+v", tile.Drawing.State, tile.Drawing.Count, w.Query)
					}
					seen := map[string]bool{}
					for _, m := range w.Query.Measures {
						what := m.Fn + " " + m.Column + m.Measure
						if seen[what] {
							t.Errorf("measures %q twice", what)
						}
						seen[what] = true
					}
					if kind != charts.Histogram && shape == "sales" && kind != charts.Box && drop == "first" && !seen["sum Umsatz"] {
						t.Errorf("does not sum the revenue: %v", seen)
					}
					if seen["sum age"] || seen["sum delay"] {
						t.Errorf("adds up what does not: %v", seen)
					}
					dims := w.Query.Dimensions
					if slices.Contains(compare, kind) && slices.ContainsFunc(dims, temporal) {
						t.Errorf("compares dates: %+v", dims)
					}
					if slices.Contains(course, kind) && shape != "people" && !temporal(dims[0]) {
						t.Errorf("is no course: %+v", dims)
					}
					if kind == charts.Calendar && dims[0].Grain != "day" {
						t.Errorf("a calendar of %s", dims[0].Grain)
					}
					if kind == charts.Histogram && (dims[0].Bin == 0 || w.Query.Measures[0].Fn != "count") {
						t.Errorf("a histogram of %+v by %+v", w.Query.Measures, dims)
					}
					for _, d := range dims {
						if name := strings.ToUpper(d.Column); name == "PLZ" || name == "NAME" {
							t.Errorf("divides by %s, which tells rows apart", d.Column)
						}
					}
					if shape == "sales" && strings.Contains(w.Title, "umsatz") || strings.Contains(w.Title, "filiale") || strings.Contains(w.Title, "kategorie") {
						t.Errorf("called %q: names are written as their owner wrote them", w.Title)
					}
				})
			}
		}
	}
}

// TestSuggestedDashboardSumsTheRevenue: the two ways to a first chart agree on
// what is added up.
func TestSuggestedDashboardSumsTheRevenue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, err := r.PreviewSuggested(t.Context(), r.actor, r.uploads(t)["sales"])
	must(t, err)
	sums := 0
	for _, w := range c.Widgets {
		for _, m := range w.Query.Measures {
			if m.Column == "Umsatz" && m.Fn == "sum" {
				sums++
			}
			if m.Column == "Umsatz" && m.Fn == "avg" {
				t.Errorf("%q takes a mean of the revenue", w.Title)
			}
		}
		for _, d := range w.Query.Dimensions {
			if d.Column == "PLZ" {
				t.Errorf("%q divides by the postcode", w.Title)
			}
		}
	}
	if sums < 5 {
		t.Errorf("%d of %d widgets sum the revenue", sums, len(c.Widgets))
	}
	titles := map[string]bool{}
	for _, w := range c.Widgets {
		titles[w.Title] = true
	}
	if !titles["Umsatz by Filiale"] {
		t.Errorf("no “Umsatz by Filiale” among %v", titles)
	}
}

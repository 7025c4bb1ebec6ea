package dashboards_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
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

// departures are flights as the demo has them: all that tells them apart is
// looked up by the codes of two airports, most of which have few flights.
func (r *rig) departures(t testing.TB) ids.Dataset {
	t.Helper()
	code := func(n int) string { return fmt.Sprintf("A%02d", n) }
	airports := r.upload(t, "airports", "", []datasets.NewColumn{{Name: "iata", Type: warehouse.Text}, {Name: "name", Type: warehouse.Text},
		{Name: "city", Type: warehouse.Text}, {Name: "state", Type: warehouse.Text}, {Name: "country", Type: warehouse.Text},
		{Name: "latitude", Type: warehouse.Float}, {Name: "longitude", Type: warehouse.Float}}, 260, func(i int) []any {
		country := "USA"
		if i > 200 {
			country = fmt.Sprintf("Country %d", i%4)
		}
		return []any{code(i), fmt.Sprintf("Airport %d", i), fmt.Sprintf("City %d", i-i%9/8), fmt.Sprintf("State %d", i*i%53), country, 25 + float64(i%23), -120 + float64(i%50)}
	})
	hub := func(n int) string { return code(int(120 * math.Pow(float64(n%997)/997, 2.2))) }
	day := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	id := r.upload(t, "departures", "date", []datasets.NewColumn{{Name: "date", Type: warehouse.Timestamp}, {Name: "delay", Type: warehouse.Integer},
		{Name: "distance", Type: warehouse.Integer}, {Name: "origin", Type: warehouse.Text}, {Name: "destination", Type: warehouse.Text}}, 6000, func(i int) []any {
		return []any{day.Add(time.Duration(i) * 43 * time.Minute), i*37%95 - 15, 100 + i*i%4700, hub(i * 389), hub(i*613 + i/7)}
	})
	for _, end := range []string{"origin", "destination"} {
		must(t, r.datasets.AddLookup(t.Context(), r.actor, id, datasets.NewLookup{Name: end + "_airport", Column: end, Target: airports.String(), Key: "iata"}))
	}
	return id
}

// uploads are datasets as people have them: flights with a time of day and
// many airports, the same with all of it looked up, a file of sales, one without
// a date, and a log of what sensors measured.
func (r *rig) uploads(t testing.TB) map[string]ids.Dataset {
	t.Helper()
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	name := func(of string, n int) string { return fmt.Sprintf("%s %d", of, n) }
	sites := []string{"Oslo", "Nairobi", "Auckland"}
	return map[string]ids.Dataset{
		"departures": r.departures(t),
		"sensors": r.upload(t, "sensor_log", "ts", []datasets.NewColumn{{Name: "ts", Type: warehouse.Timestamp}, {Name: "sensor_id", Type: warehouse.Text},
			{Name: "site", Type: warehouse.Text}, {Name: "temperature_c", Type: warehouse.Float}, {Name: "humidity_pct", Type: warehouse.Float},
			{Name: "status", Type: warehouse.Text}, {Name: "lat", Type: warehouse.Float}, {Name: "lon", Type: warehouse.Float}}, 1800, func(i int) []any {
			site := i % 3
			return []any{day.Add(time.Duration(i) * 20 * time.Minute), fmt.Sprintf("S-%03d", i%12), sites[site], float64(7*site) + float64(i*29%40)/10, 50 + float64(i*31%200)/10,
				[]string{"ok", "ok", "ok", "warn"}[i/3%4], []float64{59.9, -1.3, -36.8}[site], []float64{10.8, 36.8, 174.8}[site]}
		}),
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

		"departures": {charts.Candlestick},
		"sensors":    {charts.Candlestick},
	}
	// Types that compare things, and those that show a course.
	compare := []charts.Type{charts.Bar, charts.Donut, charts.Treemap, charts.Sunburst, charts.Sankey, charts.Funnel, charts.Waterfall, charts.Pivot,
		charts.WordList, charts.Radar, charts.Box, charts.Table, charts.Scatter, charts.Bubble}
	// Types of a whole, and those with a mark for each of many things.
	wholes := []charts.Type{charts.Donut, charts.Treemap, charts.Sunburst, charts.Sankey, charts.Funnel, charts.Waterfall, charts.StackedBar, charts.Histogram}
	many := []charts.Type{charts.WordList, charts.Scatter, charts.Bubble}
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
					request.Words.Other = "Other"
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
					if note := tile.Drawing.Note.Key; note != "" && note != "charts.note.grey" && !strings.HasPrefix(note, "charts.note.top") {
						t.Errorf("drawn with the note %q: %v", note, tile.Drawing.Note.Args)
					}
					if shape == "sensors" && !seen["avg temperature_c"] && !seen["avg humidity_pct"] && drop == "first" && !slices.Contains(wholes, kind) && kind != charts.Map {
						t.Errorf("shows no mean of what was measured: %v", seen)
					}
					if seen["sum temperature_c"] || seen["sum humidity_pct"] {
						t.Errorf("adds up what does not: %v", seen)
					}
					if shape == "sensors" && kind == charts.Map && tile.Drawing.Count != 3 {
						t.Errorf("%d dots for three places: %+v", tile.Drawing.Count, w.Query.Dimensions)
					}
					dims := w.Query.Dimensions
					said := map[string]bool{}
					for _, dim := range dims {
						column := sameAs(dim.Column)
						if said[column] && dim.Grain == "" {
							t.Errorf("divides by %s twice, in other words: %+v", column, dims)
						}
						said[column] = true
						if strings.HasSuffix(dim.Column, ".country") {
							t.Errorf("divides by what is the same in every row: %+v", dims)
						}
					}
					if shape == "departures" && drop == "first" && slices.Contains(compare, kind) && !slices.Contains(many, kind) && !slices.ContainsFunc(dims, func(d warehouse.Dimension) bool {
						return d.Column == "origin_airport.state" || d.Bin > 0
					}) {
						t.Errorf("does not begin with the state, which has few values: %+v", dims)
					}
					notDwarfed(t, r, v, id, kind)
					if shape == "sales" && kind == charts.Donut && drop == "first" && len(tile.Drawing.Legend) != 5 {
						t.Errorf("%d slices of five branches: %+v", len(tile.Drawing.Legend), tile.Drawing.Legend)
					}
					if slices.Contains(compare, kind) && slices.ContainsFunc(dims, temporal) && (kind != charts.Pivot || shape != "departures") {
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

// sameAs names columns alike that say the same of a departure.
func sameAs(column string) string {
	for _, end := range []string{"origin", "destination"} {
		switch column {
		case end + "_airport.iata", end + "_airport.name":
			return end
		}
	}
	return column
}

// notDwarfed holds a chart to name more than it folds into "Other", and bars to
// have none that is longer than the first.
func notDwarfed(t *testing.T, r *rig, v *dashboards.View, id string, kind charts.Type) {
	t.Helper()
	if kind != charts.Bar && kind != charts.Donut && kind != charts.Waterfall && kind != charts.WordList {
		return
	}
	grid, err := r.AsTable(t.Context(), v, id, 1)
	must(t, err)
	var first, sum, other float64
	for i, row := range grid.Rows {
		digits := strings.Map(func(c rune) rune {
			if c >= '0' && c <= '9' || c == '.' {
				return c
			}
			return -1
		}, row.Cells[len(row.Cells)-1].Text)
		value, err := strconv.ParseFloat(digits, 64)
		must(t, err)
		switch sum += value; {
		case row.Cells[0].Text == "Other":
			other = value
		case i == 0:
			first = value
		}
	}
	if other > first && kind == charts.Bar || other > sum/2 {
		t.Errorf("“Other” is %g of %g, the first %g", other, sum, first)
	}
}

// TestFirstForecastIsDrawn: a forecast begins with periods that it has enough of.
func TestFirstForecastIsDrawn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for shape, dataset := range r.uploads(t) {
		if shape == "people" { // without a date
			continue
		}
		t.Run(shape, func(t *testing.T) {
			config, err := dashboards.ParseConfig(fmt.Appendf(nil, `{"schema": 2, "dataset": %q, "settings": {"date": {"default": "all"}}, "widgets": {}}`, dataset.String()))
			must(t, err)
			board, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: shape, Config: config})
			must(t, err)
			out, err := r.Act(t.Context(), r.actor, board.ID, 0, uuid.Must(uuid.NewV7()), dashboards.Act{Kind: "add_widget", Type: charts.Line, Forecast: true})
			must(t, err)
			request := request(t, board.ID, "", "")
			request.Draft = true
			v, err := r.Open(t.Context(), r.actor, request)
			must(t, err)
			tile := r.draw(t, v, out.Select[0])
			w := v.Dashboard.Config.Widgets[out.Select[0]]
			if w.Forecast == nil || tile.Drawing.State != charts.Ready || tile.Drawing.Note.Key != "" && tile.Drawing.Note.Key != charts.NoteOpenPeriod {
				t.Errorf("%+v of %+v: %q, %+v", w.Forecast, w.Query.Dimensions, tile.Drawing.State, tile.Drawing.Note)
			}
		})
	}
}

// TestScalesKeepTheirOrder: age groups stand from young to old, not by size, and
// two columns that say the same are known from what is in them.
func TestScalesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ages := []string{"45-54", "18-24", "55+", "25-34", "35-44"}
	id := r.upload(t, "survey", "", []datasets.NewColumn{{Name: "age_group", Type: warehouse.Text}, {Name: "shop", Type: warehouse.Text},
		{Name: "shop_no", Type: warehouse.Text}, {Name: "score", Type: warehouse.Integer}}, 400, func(i int) []any {
		return []any{ages[i*i%5], fmt.Sprintf("Shop %d", i%7), fmt.Sprintf("%04d", 900+i%7), i % 11}
	})
	config, err := dashboards.ParseConfig(fmt.Appendf(nil, `{"schema": 2, "dataset": %q, "widgets": {}}`, id.String()))
	must(t, err)
	board, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Survey", Config: config})
	must(t, err)
	act := func(a dashboards.Act) dashboards.Widget {
		t.Helper()
		out, err := r.Act(t.Context(), r.actor, board.ID, 0, uuid.Must(uuid.NewV7()), a)
		must(t, err)
		draft, err := r.GetDraft(t.Context(), r.actor, board.ID)
		must(t, err)
		return draft.Config.Widgets[out.Select[0]]
	}
	bar := act(dashboards.Act{Kind: "add_field", Field: "age_group"})
	if len(bar.Query.Order) != 1 || bar.Query.Order[0] != (warehouse.Order{By: "age_group"}) {
		t.Errorf("ordered by %+v", bar.Query.Order)
	}
	for _, kind := range []charts.Type{charts.Sankey, charts.Pivot, charts.Treemap, charts.Sunburst} {
		var names []string
		for _, dim := range act(dashboards.Act{Kind: "add_widget", Type: kind}).Query.Dimensions {
			names = append(names, dim.Column)
		}
		if slices.Contains(names, "shop") && slices.Contains(names, "shop_no") || len(names) < 2 {
			t.Errorf("%s by %v", kind, names)
		}
	}
	if c, err := r.PreviewSuggested(t.Context(), r.actor, id); err != nil || len(c.Filters) != 2 {
		t.Errorf("filters by %+v, %v", c.Filters, err)
	}
}

// TestAnEmptyTextWaits: a text says nothing on the page until somebody writes one.
func TestAnEmptyTextWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	config, err := dashboards.ParseConfig([]byte(`{"schema": 2, "widgets": {"t": {"type": "text", "title": "Text", "layout": {"w": 4, "h": 4}}}}`))
	must(t, err)
	board, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Texts", Config: config})
	must(t, err)
	v := r.open(t, board.ID, "", "")
	if len(v.Tiles) != 0 {
		t.Errorf("%d tiles on the page, want none", len(v.Tiles))
	}
	request := request(t, board.ID, "", "")
	request.Draft = true
	draft, err := r.Open(t.Context(), r.actor, request)
	must(t, err)
	if p, ok := draft.Plan("t"); !ok {
		t.Error("the editor does not show it")
	} else if tile, err := r.Draw(t.Context(), draft, p); err != nil || !tile.Unset {
		t.Errorf("drawn as %+v, %v", tile, err)
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

// TestAWideFileIsSuggestedFor: what is found out takes more measures than one
// question may have.
func TestAWideFileIsSuggestedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, columns := range map[string]int{"narrow": 3, "wide": 40, "very wide": 300} {
		n := datasets.NewDataset{Name: name, TimeColumn: "at", Columns: []datasets.NewColumn{{Name: "at", Type: warehouse.Timestamp}}}
		request := datasets.AppendRequest{Columns: []string{"at"}}
		for i := range columns {
			column := fmt.Sprintf("reading_%d", i)
			n.Columns, request.Columns = append(n.Columns, datasets.NewColumn{Name: column, Type: warehouse.Float}), append(request.Columns, column)
		}
		for i := range 50 {
			row := []any{time.Date(2026, 5, 1+i%20, i%24, 0, 0, 0, time.UTC)}
			for c := range columns {
				row = append(row, float64(i*c%17)+0.5)
			}
			request.Rows = append(request.Rows, row)
		}
		id, err := r.datasets.Create(t.Context(), r.actor, n)
		must(t, err)
		_, err = r.datasets.AppendRows(t.Context(), r.actor, id, request)
		must(t, err)
		c, err := r.PreviewSuggested(t.Context(), r.actor, id)
		if err != nil || len(c.Widgets) < 4 {
			t.Errorf("%s: %v, %d widgets", name, err, len(c.Widgets))
		}
	}
}

// TestFirstDropsGoByTheRowsThatAreThere: where an earlier version is restored, or
// a file takes the place of another one, all is looked at anew, however many rows
// there are.
func TestFirstDropsGoByTheRowsThatAreThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.upload(t, "amounts", "", []datasets.NewColumn{{Name: "amount", Type: warehouse.Integer}}, 2000, func(i int) []any { return []any{i % 100} })
	few, err := r.datasets.Get(t.Context(), r.actor, id)
	must(t, err)
	append100 := datasets.AppendRequest{Columns: []string{"amount"}}
	for i := range 100 {
		append100.Rows = append(append100.Rows, []any{i * 1_000_000})
	}
	_, err = r.datasets.AppendRows(t.Context(), r.actor, id, append100)
	must(t, err)
	config, err := dashboards.ParseConfig(fmt.Appendf(nil, `{"schema": 2, "dataset": %q, "widgets": {}}`, id.String()))
	must(t, err)
	board, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Amounts", Config: config})
	must(t, err)
	bin := func() float64 {
		out, err := r.Act(t.Context(), r.actor, board.ID, 0, uuid.Must(uuid.NewV7()), dashboards.Act{Kind: "add_widget", Type: charts.Histogram})
		must(t, err)
		request := request(t, board.ID, "", "")
		request.Draft = true
		v, err := r.Open(t.Context(), r.actor, request)
		must(t, err)
		return v.Dashboard.Config.Widgets[out.Select[0]].Query.Dimensions[0].Bin
	}
	large := bin()
	_, err = r.datasets.Restore(t.Context(), r.actor, id, few.Version)
	must(t, err)
	if small := bin(); large < 1000*small {
		t.Errorf("bins of %v for amounts to 100,000,000, of %v for amounts to 100", large, small)
	}
}

// TestNumbersAreGroupedByAnAct: whole numbers of which there are few can be put
// together, which what is in the column tells; other data has other groups.
func TestNumbersAreGroupedByAnAct(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	columns := []datasets.NewColumn{{Name: "code", Type: warehouse.Integer}, {Name: "amount", Type: warehouse.Integer}}
	row := func(i int) []any { return []any{i % 4, i * 7} }
	id, other := r.upload(t, "orders", "", columns, 400, row), r.upload(t, "returns", "", columns, 400, row)
	config, err := dashboards.ParseConfig(fmt.Appendf(nil, `{"schema": 2, "dataset": %q, "widgets": {"bars": {"type": "bar", "title": "Bars", "layout": {"x": 0, "y": 0, "w": 4, "h": 6},
		"query": {"measures": [{"fn": "sum", "column": "amount", "as": "n"}], "dimensions": [{"column": "code", "as": "code"}]}}}}`, id.String()))
	must(t, err)
	board, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Codes", Config: config})
	must(t, err)
	act := func(a dashboards.Act) warehouse.Dimension {
		t.Helper()
		_, err := r.Act(t.Context(), r.actor, board.ID, 0, uuid.Must(uuid.NewV7()), a)
		must(t, err)
		draft, err := r.GetDraft(t.Context(), r.actor, board.ID)
		must(t, err)
		return draft.Config.Widgets["bars"].Query.Dimensions[0]
	}
	dim := act(dashboards.Act{Kind: "set_field", Widget: "bars", Well: "x", Set: dashboards.FieldSetting{Groups: &dashboards.Grouping{Groups: []dashboards.ValueGroup{{Name: "Low", Values: []string{"0", "1"}}}}}})
	if len(dim.Groups["Low"]) != 2 {
		t.Errorf("%+v", dim)
	}
	if dim = act(dashboards.Act{Kind: "set_dataset", Widget: "bars", Dataset: other}); len(dim.Groups) > 0 {
		t.Errorf("groups went along to other data: %+v", dim)
	}
}

// TestAGroupIsNotCalledLikeAnotherValue: the two would be one bar.
func TestAGroupIsNotCalledLikeAnotherValue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	board, _ := r.board(t)
	set := func(groups dashboards.Grouping) error {
		_, err := r.Act(t.Context(), r.actor, board.ID, 0, uuid.Must(uuid.NewV7()), dashboards.Act{Kind: "set_field", Widget: "channels", Well: "x", Set: dashboards.FieldSetting{Groups: &groups}})
		return err
	}
	rest := "Rest"
	for name, c := range map[string]struct {
		groups dashboards.Grouping
		want   error
	}{
		"a value elsewhere":       {dashboards.Grouping{Groups: []dashboards.ValueGroup{{Name: "web", Values: []string{"shop"}}}}, dashboards.ErrAct},
		"a value in it":           {dashboards.Grouping{Groups: []dashboards.ValueGroup{{Name: "web", Values: []string{"shop", "web"}}}}, nil},
		"no value":                {dashboards.Grouping{Groups: []dashboards.ValueGroup{{Name: "On site", Values: []string{"shop"}}}}, nil},
		"all others are together": {dashboards.Grouping{Groups: []dashboards.ValueGroup{{Name: "web", Values: []string{"shop"}}}, Other: &rest}, nil},
	} {
		if err := set(c.groups); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A look through the columns goes on when who asked gives up.
func TestALookGoesOnWithoutWhoAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.sales(t, r.actor)
	gone, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := r.PreviewSuggested(gone, r.actor, id)
		done <- err
	}()
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if c, err := r.PreviewSuggested(t.Context(), r.actor, id); err != nil || len(c.Widgets) == 0 {
		t.Errorf("asked again: %d widgets, %v", len(c.Widgets), err)
	}
}

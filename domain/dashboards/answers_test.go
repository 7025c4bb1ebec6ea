package dashboards_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

// shown is a dashboard of the widgets over the sales of the rig.
func (r *rig) shown(t *testing.T, link string, widgets map[string]dashboards.Widget) *dashboards.View {
	t.Helper()
	c := dashboards.Config{Schema: dashboards.Schema, Dataset: r.sales(t, r.actor), Settings: dashboards.Settings{Comparison: "none"}, Widgets: widgets}
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Answers", Config: c})
	must(t, err)
	return r.open(t, d.ID, link, "")
}

// of is a widget, each in a row of its own.
func of(typ charts.Type, row int, q dashboards.Query) dashboards.Widget {
	w := dashboards.Widget{Config: charts.Config{Type: typ}, Title: string(typ), Query: q, Layout: dashboards.Layout{Y: 20 * row, W: 6, H: 6}}
	return w
}

func (r *rig) csv(t *testing.T, v *dashboards.View, widget string) string {
	t.Helper()
	rows, err := r.OpenRows(t.Context(), v, widget)
	must(t, err)
	var out bytes.Buffer
	_, err = rows.WriteCSV(t.Context(), &out, dashboards.CSVStyle{})
	must(t, err)
	return strings.ReplaceAll(out.String(), "\r\n", "\n")
}

// cellsOf are the texts of a grid.
func cellsOf(g *charts.Grid) [][]string {
	var all [][]string
	for _, row := range g.Rows {
		var line []string
		for _, c := range row.Cells {
			line = append(line, c.Text)
		}
		all = append(all, line)
	}
	return all
}

// An hour of an axis that shows hours is an hour to all others, also to those
// that look at a longer time and would show days.
func TestAMarkOfTimeIsAsLongAsItsOwnAxisSays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	count := []warehouse.Measure{orders}
	whole := of(charts.KPI, 2, dashboards.Query{Measures: count, Date: "-"})
	v := r.shown(t, "d=1d&x.hours=2026-05-12T08:00:00", map[string]dashboards.Widget{
		"hours": of(charts.Bar, 0, dashboards.Query{Measures: count, Dimensions: []warehouse.Dimension{{Column: "at", Grain: "auto", As: "at"}}}),
		"same":  of(charts.KPI, 1, dashboards.Query{Measures: count}),
		"whole": whole,
	})
	for _, widget := range []string{"same", "whole"} {
		if got := r.draw(t, v, widget).Drawing.KPI.Full; got != "2" { // two sales an hour
			t.Errorf("%s has %s sales in the hour", widget, got)
		}
	}
	if text := v.Cross[0].Text; !strings.Contains(text, "08:00") {
		t.Errorf("the chip says %q", text)
	}
}

func TestATableOfRowsEndsWithItsLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := dashboards.Query{Columns: []string{"at", "amount"}, Order: []warehouse.Order{{By: "amount", Desc: true}}}
	some := all
	some.Limit = 5
	widgets := map[string]dashboards.Widget{"all": of(charts.Table, 0, all), "some": of(charts.Table, 1, some)}
	v := r.shown(t, "", widgets)
	if g := r.draw(t, v, "some").Drawing.Table; g.Total != 5 || g.Pages != 2 || g.From != 1 || g.To != 3 || len(g.Rows) != 3 {
		t.Errorf("the first page: %+v", g)
	}
	for _, page := range []string{"2", "9"} {
		g := r.draw(t, r.open(t, v.Dashboard.ID, "p.some="+page, ""), "some").Drawing.Table
		if got := fmt.Sprint(cellsOf(g)[0][1:], cellsOf(g)[1][1:], len(g.Rows), g.Page, g.From, g.To); got != "[237] [236] 2 2 4 5" {
			t.Errorf("page %s: %s", page, got)
		}
	}
	if n := strings.Count(r.csv(t, v, "some"), "\n"); n != 6 {
		t.Errorf("the file has %d lines", n)
	}
	for name, want := range map[string]string{"some": "5 1 1 5", "all": "240 5 51 100"} {
		g, err := r.AsTable(t.Context(), v, name, 2)
		must(t, err)
		if got := fmt.Sprint(g.Total, g.Pages, g.From, g.To); got != want || len(g.Rows) != g.To-g.From+1 {
			t.Errorf("%s as table: %s with %d rows, want %s", name, got, len(g.Rows), want)
		}
	}
}

// What a limit folds is called "Other" wherever it is read, whatever its column
// holds; a moment stays what it is.
func TestTheRestHasItsNameEverywhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	count := []warehouse.Measure{orders}
	query := func(limit int, dims ...warehouse.Dimension) dashboards.Query {
		return dashboards.Query{Measures: count, Dimensions: dims, Limit: limit, Other: true}
	}
	series := query(1, warehouse.Dimension{Column: "at", Grain: "day", As: "day"}, channel)
	series.Order = []warehouse.Order{{By: "day"}, {By: "orders", Desc: true}}
	v := r.shown(t, "", map[string]dashboards.Widget{
		"texts":  of(charts.Donut, 0, query(1, channel)),
		"flags":  of(charts.Donut, 1, query(1, warehouse.Dimension{Column: "paid", As: "paid"})),
		"bins":   of(charts.Donut, 2, query(1, warehouse.Dimension{Column: "amount", Bin: 100, As: "size"})),
		"series": of(charts.Line, 3, series),
	})
	for name, want := range map[string][2]string{
		"texts":  {"Other", "Other,160"},
		"flags":  {"Other", "Other,48"},
		"bins":   {"Other", "Other,"},
		"series": {"1 May 2026 Other", "2026-05-01,Other,14"},
	} {
		g, err := r.AsTable(t.Context(), v, name, 1)
		must(t, err)
		found := false
		for _, row := range cellsOf(g) {
			found = found || strings.Join(row[:len(row)-1], " ") == want[0]
		}
		if !found {
			t.Errorf("%s as table: %v", name, cellsOf(g))
		}
		if file := r.csv(t, v, name); !strings.Contains("\n"+file, "\n"+want[1]) {
			t.Errorf("%s as a file: %s", name, file)
		}
		rows, err := r.OpenRows(t.Context(), v, name)
		must(t, err)
		others := 0
		must(t, rows.Each(t.Context(), func(part *warehouse.Result, n int) error {
			for i := range part.Columns {
				if c := &part.Columns[i]; c.Type == warehouse.Text {
					for row := range n {
						if rows.Text(c, row) == "Other" && rows.Columns[i].Type == warehouse.Text {
							others++
						}
					}
				}
			}
			return nil
		}))
		if others == 0 {
			t.Errorf("%s has no Other in the parts of its rows", name)
		}
	}
}

// The total of a running total is where it ends, amounts 1 to 240 at 28,920.
func TestRunningTotalsHaveTotals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	running := []warehouse.Measure{{Fn: "sum", Column: "amount", Show: "running", As: "so_far"}, {Fn: "sum", Column: "amount", Show: "share", As: "part"}}
	day := warehouse.Dimension{Column: "at", Grain: "day", As: "day"}
	table := of(charts.Table, 0, dashboards.Query{Measures: running, Dimensions: []warehouse.Dimension{day}})
	table.Encode.Totals = true
	pivot := of(charts.Pivot, 1, dashboards.Query{Measures: running[:1], Dimensions: []warehouse.Dimension{channel, day}})
	pivot.Encode.Rows, pivot.Encode.Across = []string{"day"}, []string{"channel"}
	v := r.shown(t, "", map[string]dashboards.Widget{"table": table, "pivot": pivot})
	if cells := r.draw(t, v, "table").Drawing.Table.Totals.Cells; cells[1].Text != "28,920" && cells[1].Text != "28.9k" || cells[2].Text != "100%" && cells[2].Text != "100.0%" {
		t.Errorf("the totals are %+v", cells)
	}
	g := r.draw(t, v, "pivot").Drawing.Table
	last := func(row charts.GridRow) string { return row.Cells[len(row.Cells)-1].Text }
	whole := last(*g.Totals)
	// A day's total runs along with the days.
	if n := len(g.Rows); n != 12 || last(g.Rows[n-1]) != whole || whole != "28,920" && whole != "28.9k" || last(g.Rows[0]) != "210" {
		t.Errorf("the pivot ends with %s, in all %s, and begins with %s", last(g.Rows[n-1]), whole, last(g.Rows[0]))
	}
}

// What an author's limit leaves out is no reason to draw nothing.
func TestALimitOfItsOwnIsDrawn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	pivot := of(charts.Pivot, 0, dashboards.Query{Measures: []warehouse.Measure{orders}, Limit: 5, Dimensions: []warehouse.Dimension{channel, {Column: "shop.city", As: "city"}}})
	points := of(charts.Scatter, 1, dashboards.Query{Columns: []string{"amount", "store"}, Limit: 7})
	points.Encode.X, points.Encode.Y = "amount", "amount"
	groups := of(charts.Scatter, 2, dashboards.Query{Measures: []warehouse.Measure{total, orders}, Limit: 2, Dimensions: []warehouse.Dimension{channel}})
	v := r.shown(t, "", map[string]dashboards.Widget{"pivot": pivot, "points": points, "groups": groups})
	if got := r.draw(t, v, "pivot").Drawing; got.State != charts.Ready {
		t.Errorf("the pivot is %s", got.State)
	}
	for name, want := range map[string]int{"points": 7, "groups": 2} {
		if got := r.draw(t, v, name).Drawing; got.State != charts.Ready || got.Count != want {
			t.Errorf("%s is %s with %d points", name, got.State, got.Count)
		}
	}
}

// A condition on a measure decides whether there is a figure; its course has all
// days.
func TestAFigureUnderAConditionHasItsCourse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	mean := warehouse.Measure{Fn: "avg", Column: "amount", As: "mean"}
	v := r.shown(t, "", map[string]dashboards.Widget{
		"other": of(charts.KPI, 0, dashboards.Query{Measures: []warehouse.Measure{orders, mean}, Filters: []warehouse.Filter{{Measure: "mean", Op: ">", Values: []json.RawMessage{raw(0)}}}}),
		"own":   of(charts.KPI, 1, dashboards.Query{Measures: []warehouse.Measure{orders}, Filters: []warehouse.Filter{{Measure: "orders", Op: ">", Values: []json.RawMessage{raw(100)}}}}),
	})
	for _, name := range []string{"other", "own"} {
		if got := r.draw(t, v, name).Drawing.KPI; got.Full != "240" || got.Spark == "" {
			t.Errorf("%s is %+v", name, got)
		}
	}
}

// A line of more moments than a browser should get is drawn by those that make
// its shape.
func TestALineOfManyMomentsIsThinned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const minutes = 24_000
	dataset, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Minutes", TimeColumn: "at", RelativeToNewest: true,
		Columns: []datasets.NewColumn{{Name: "at", Type: warehouse.Timestamp}, {Name: "n", Type: warehouse.Integer}}})
	must(t, err)
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for from := 0; from < minutes; from += 8000 {
		rows := datasets.AppendRequest{Columns: []string{"at", "n"}}
		for i := from; i < from+8000; i++ {
			rows.Rows = append(rows.Rows, []any{start.Add(time.Duration(i) * time.Minute), i % 97})
		}
		_, err = r.datasets.AppendRows(t.Context(), r.actor, dataset, rows)
		must(t, err)
	}
	line := of(charts.Line, 0, dashboards.Query{Measures: []warehouse.Measure{{Fn: "sum", Column: "n", As: "n"}}, Dimensions: []warehouse.Dimension{{Column: "at", Grain: "minute", As: "at"}}})
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Minutes", Config: dashboards.Config{Schema: dashboards.Schema, Dataset: dataset,
		Settings: dashboards.Settings{Comparison: "none"}, Widgets: map[string]dashboards.Widget{"line": line}}})
	must(t, err)
	if got := r.draw(t, r.open(t, d.ID, "d=all", ""), "line").Drawing; got.State != charts.Ready || got.Count != charts.LinePoints {
		t.Errorf("the line is %s with %d points", got.State, got.Count)
	}
}

// A map of more places than it shows has all of them, put together in the cells of
// a grid, and says so.
func TestAMapOfManyPlacesShowsAll(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const places = 8000
	dataset, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Quakes",
		Columns: []datasets.NewColumn{{Name: "lat", Type: warehouse.Float}, {Name: "lon", Type: warehouse.Float}}})
	must(t, err)
	rows := datasets.AppendRequest{Columns: []string{"lat", "lon"}}
	for i := range places {
		rows.Rows = append(rows.Rows, []any{-60 + 130*float64(i)/places, -170 + 340*float64(i*7919%places)/places})
	}
	_, err = r.datasets.AppendRows(t.Context(), r.actor, dataset, rows)
	must(t, err)
	where := of(charts.Map, 0, dashboards.Query{Measures: []warehouse.Measure{{Fn: "count", As: "n"}}, Limit: charts.MapPlaces,
		Dimensions: []warehouse.Dimension{{Column: "lat", As: "y"}, {Column: "lon", As: "x"}}})
	where.Encode = charts.Encode{Lat: "y", Lon: "x", Size: "n"}
	few := where
	few.Query.Limit = 100
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Quakes", Config: dashboards.Config{Schema: dashboards.Schema, Dataset: dataset,
		Settings: dashboards.Settings{Comparison: "none"}, Widgets: map[string]dashboards.Widget{"map": where, "few": few}}})
	must(t, err)
	v := r.open(t, d.ID, "", "")
	got := r.draw(t, v, "map").Drawing
	if got.State != charts.Ready || got.Count > charts.MapPlaces || got.Count < 500 || got.Note.Key != "charts.note.grid" {
		t.Fatalf("the map is %s with %d points and the note %v", got.State, got.Count, got.Note)
	}
	var m charts.MapData
	must(t, json.Unmarshal(got.Points, &m))
	if low, high := slices.Min(m.Lat), slices.Max(m.Lat); low > -55 || high < 65 || len(m.Mark) > 0 {
		t.Errorf("it reaches from %v to %v, with %d marks", low, high, len(m.Mark))
	}
	if got := r.draw(t, v, "few").Drawing; got.Count != 100 || got.Note.Key == "charts.note.grid" {
		t.Errorf("with a limit of its own: %d points, note %v", got.Count, got.Note)
	}
}

// Who looks from outside has the filters of the dashboard, those that are chosen
// from a list with their values, and no column beside them.
func TestFromOutsideOnlyTheDashboardsFiltersAreThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dataset := r.sales(t, r.actor)
	c := config(dataset)
	control := func(column, kind string) dashboards.Control {
		return dashboards.Control{Label: column, Column: column, ControlOptions: dashboards.ControlOptions{Kind: kind}}
	}
	c.Filters = map[string]dashboards.Control{"channel": control("channel", ""), "store": control("store", dashboards.KindText), "amount": control("amount", dashboards.KindRange), "paid": control("paid", dashboards.KindBoolean)}
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Shown", Config: c})
	must(t, err)
	visitor := access.Actor{Kind: access.Visitor, TenantID: r.actor.TenantID, Role: access.Viewer, Locale: "en-GB", Scope: []uuid.UUID{d.ID.UUID(), dataset.UUID()}}
	open := func(link string) *dashboards.View {
		v, err := r.Service.Open(t.Context(), visitor, request(t, d.ID, link, ""))
		must(t, err)
		return v
	}
	all := open("d=all")
	if list := all.Addable(); list != nil {
		t.Errorf("filters can be added: %+v", list)
	}
	for filter, listed := range map[string]bool{"channel": true, "paid": true, "store": false, "amount": false, "at": false, "gone": false} {
		values, _, err := r.Values(t.Context(), all, filter, "")
		if listed != (err == nil) || listed != (len(values) > 0) {
			t.Errorf("%s lists %d values, %v", filter, len(values), err)
		}
		if err != nil {
			wantError(t, err, dashboards.ErrControlNotFound)
		}
	}
	for link, want := range map[string]string{"f.amount=1~~20": format(210), "f.at=2026-05-01~~2026-05-01": format(240 * 241 / 2), "f.shop.city=Leeds": format(240 * 241 / 2), "t.store=C&f.at=1": "7,260"} {
		v := open("d=all&" + link)
		if got := r.draw(t, v, "sum").Drawing.KPI.Full; got != want {
			t.Errorf("%s: %s, want %s", link, got, want)
		}
		if strings.Contains(v.Link(), "f.at") || strings.Contains(v.Link(), "city") {
			t.Errorf("the page's link keeps %s", v.Link())
		}
	}
	if values, _, err := r.Values(t.Context(), r.open(t, d.ID, "d=all", ""), "at", ""); err != nil || len(values) == 0 {
		t.Errorf("a member lists %d values, %v", len(values), err)
	}
}

// An area of a map in all its spellings is one mark of several values.
func TestAMarkOfSeveralSpellingsIsExplained(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	v := r.open(t, d.ID, "d=all", "")
	e, err := r.Explain(t.Context(), v, "channels", "web,shop")
	must(t, err)
	if want := sumOf(func(i int) bool { return (i-1)%3 != 2 }); !slices.ContainsFunc(e.Values, func(x dashboards.ExplainedValue) bool { return x.Text == want }) {
		t.Errorf("%+v, want %s", e.Values, want)
	}
	grid, err := r.Behind(t.Context(), v, "channels", "web,shop", 1)
	must(t, err)
	if grid.Total != 160 {
		t.Errorf("%d rows behind it", grid.Total)
	}
	a, err := r.Actions(t.Context(), v, "channels", "web,shop")
	must(t, err)
	if a.Filter == nil || len(a.Filter.Cross["channels"]) != 2 {
		t.Errorf("it filters by %+v", a.Filter)
	}
	if _, err := r.Explain(t.Context(), v, "hours", "1*2,3*4"); !errors.Is(err, dashboards.ErrFilters) {
		t.Errorf("pairs: %v", err)
	}
}

// TestAnEstimateDoesNotRank has a dataset that answers from a sample: a table
// in the order of its names says so, one whose pages cut its groups by the
// measure is exact.
func TestAnEstimateDoesNotRank(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, warehouse.Config{SampleAbove: 1000, SampleSlowerThan: time.Nanosecond})
	id, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Many", Columns: []datasets.NewColumn{{Name: "product", Type: warehouse.Integer}, {Name: "amount", Type: warehouse.Integer}}})
	must(t, err)
	// Products of nearly the same sum, in a segment that is large enough for a
	// sample.
	const products = 20
	for range 21 {
		request := datasets.AppendRequest{Columns: []string{"product", "amount"}}
		for i := range 50_000 {
			request.Rows = append(request.Rows, []any{i % products, 1 + i*7919%101})
		}
		_, err = r.datasets.AppendRows(t.Context(), r.actor, id, request)
		must(t, err)
	}
	_, err = r.datasets.Merge(t.Context(), r.actor, id)
	must(t, err)
	sum := warehouse.Measure{Fn: "sum", Column: "amount", As: "total"}
	q := dashboards.Query{Measures: []warehouse.Measure{sum}, Dimensions: []warehouse.Dimension{{Column: "product", As: "product"}}}
	listed, ranked := q, q
	listed.Order, ranked.Order = []warehouse.Order{{By: "product"}}, []warehouse.Order{{By: "total", Desc: true}}
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Many", Config: dashboards.Config{Schema: dashboards.Schema, Dataset: id,
		Widgets: map[string]dashboards.Widget{"listed": of(charts.Table, 0, listed), "ranked": of(charts.Table, 1, ranked)}}})
	must(t, err)
	v := r.open(t, d.ID, "", "")
	if r.draw(t, v, "listed").Sampled == nil {
		t.Error("a list of products is not estimated")
	}
	tile := r.draw(t, v, "ranked")
	if tile.Sampled != nil {
		t.Errorf("the ranked table is estimated, %+v", tile.Sampled)
	}
	rows := cellsOf(tile.Drawing.Table)
	exact := cellsOf(r.draw(t, r.open(t, d.ID, "e=ranked", ""), "ranked").Drawing.Table)
	if len(rows) == 0 || len(rows) >= products || !slices.EqualFunc(rows, exact, slices.Equal) {
		t.Errorf("first page %v, exactly %v", rows, exact)
	}
}

// TestMoreGroupsThanAnAnswerHas: a file has all of them.
func TestMoreGroupsThanAnAnswerHas(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Visitors", Columns: []datasets.NewColumn{{Name: "visitor", Type: warehouse.Integer}, {Name: "pages", Type: warehouse.Integer}}})
	must(t, err)
	const parts, batch = 3, 40_000 // 120,000 visitors, of whom the first part comes twice
	for part := range parts + 1 {
		request := datasets.AppendRequest{Columns: []string{"visitor", "pages"}}
		for i := range batch {
			request.Rows = append(request.Rows, []any{part%parts*batch + i, 1})
		}
		_, err = r.datasets.AppendRows(t.Context(), r.actor, id, request)
		must(t, err)
	}
	q := dashboards.Query{Measures: []warehouse.Measure{{Fn: "sum", Column: "pages", As: "pages"}}, Dimensions: []warehouse.Dimension{{Column: "visitor", As: "visitor"}},
		Order: []warehouse.Order{{By: "visitor"}}}
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Visitors", Config: dashboards.Config{Schema: dashboards.Schema, Dataset: id,
		Widgets: map[string]dashboards.Widget{"bar": of(charts.Bar, 0, q)}}})
	must(t, err)
	lines := strings.Split(strings.TrimSuffix(r.csv(t, r.open(t, d.ID, "", ""), "bar"), "\n"), "\n")
	if len(lines) != parts*batch+1 || lines[1] != "0,2" || lines[batch] != "39999,2" || lines[len(lines)-1] != "119999,1" {
		t.Errorf("%d lines, %q to %q", len(lines), lines[1], lines[len(lines)-1])
	}
	rows, err := r.OpenRows(t.Context(), r.open(t, d.ID, "", ""), "bar")
	must(t, err)
	total := int64(0)
	must(t, rows.Each(t.Context(), func(part *warehouse.Result, n int) error {
		for i := range n {
			total += part.Columns[1].Ints[i]
		}
		return nil
	}))
	if total != (parts+1)*batch {
		t.Errorf("the rows add up to %d", total)
	}
}

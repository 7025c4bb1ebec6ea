package dashboards_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

// TestAPlanIsShownInWhole looks at a plan by month, of which a part lies ahead: a
// comparison changes no number, says how far it goes, and nothing is drawn finer
// than the months that there are.
func TestAPlanIsShownInWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Plan", TimeColumn: "month",
		Columns: []datasets.NewColumn{{Name: "month", Type: warehouse.Date}, {Name: "plan", Type: warehouse.Integer}}})
	must(t, err)
	// Ten of each month from January 2025 to December 2027; today is 28 November 2026.
	rows := datasets.AppendRequest{Columns: []string{"month", "plan"}}
	for i := range 36 {
		rows.Rows = append(rows.Rows, []any{time.Date(2025, time.Month(1+i), 1, 0, 0, 0, 0, time.UTC), 10})
	}
	_, err = r.datasets.AppendRows(t.Context(), r.actor, id, rows)
	must(t, err)
	plan := warehouse.Measure{Fn: "sum", Column: "plan", As: "plan"}
	c := dashboards.Config{Schema: dashboards.Schema, Dataset: id, Settings: dashboards.Settings{Date: dashboards.DateSetting{Default: "cy"}},
		Widgets: map[string]dashboards.Widget{
			"sum":  {Title: "Plan", Layout: dashboards.Layout{W: 3, H: 3}, Query: dashboards.Query{Measures: []warehouse.Measure{plan}}, Config: charts.Config{Type: charts.KPI}},
			"line": {Title: "Course", Layout: dashboards.Layout{X: 3, W: 9, H: 6}, Config: charts.Config{Type: charts.Line}, Query: dashboards.Query{Measures: []warehouse.Measure{plan}, Dimensions: []warehouse.Dimension{{Column: "month", Grain: "auto", As: "at"}}}},
			"bars": {Title: "Course", Layout: dashboards.Layout{Y: 6, W: 12, H: 6}, Config: charts.Config{Type: charts.Bar}, Query: dashboards.Query{Measures: []warehouse.Measure{plan}, Dimensions: []warehouse.Dimension{{Column: "month", Grain: "month", As: "at"}}}},
		}}
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Plan", Config: c})
	must(t, err)
	open := func(link string) *dashboards.View {
		q := request(t, d.ID, link, "")
		q.Now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
		q.Words.PreviousDays = func(int) string { return "before" }
		q.Words.SameDays = func(unit string) string { return "a " + unit + " before" }
		q.Words.ToDate = func(day string) string { return "to " + day }
		v, err := r.Open(t.Context(), r.actor, q)
		must(t, err)
		return v
	}
	for link, want := range map[string]charts.Figure{
		"c=none": {Full: "120"},
		"c=year": {Full: "120", Against: "110", ToDate: "to 28 Nov 2026", Delta: "0.0%"},
		"d=ytd":  {Full: "110", Against: "110", Delta: "0.0%"},
		"d=cm":   {Full: "10", Against: "10", Delta: "0.0%"},
		"d=cy&c=year&x.bars=2026-04-01,2026-12-01": {Full: "20", Against: "10", ToDate: "to 28 Nov 2026", Delta: "0.0%"},
	} {
		v := open(link)
		kpi := *r.draw(t, v, "sum").Drawing.KPI
		if kpi.Full != want.Full || kpi.Against != want.Against || kpi.ToDate != want.ToDate || kpi.Delta != want.Delta {
			t.Errorf("%s: %+v", link, kpi)
		}
		line, err := r.AsTable(t.Context(), v, "line", 1)
		must(t, err)
		if n := len(line.Rows); link == "c=none" && n != 12 {
			t.Errorf("%s: %d points of twelve months", link, n)
		}
	}
	line := r.draw(t, open("c=year"), "line")
	var chart struct {
		Option struct {
			Series []struct {
				Name string
				Data []json.RawMessage
			}
		}
	}
	must(t, json.Unmarshal(line.Drawing.Chart, &chart))
	if n := len(chart.Option.Series[1].Data); n != 12 || chart.Option.Series[0].Name != "a year before" {
		t.Errorf("%d points, beside %q", n, chart.Option.Series[0].Name)
	}
	if before := chart.Option.Series[0].Data; !strings.HasSuffix(string(before[11]), "null]") || strings.HasSuffix(string(before[9]), "null]") {
		t.Errorf("compared with %s", before)
	}
	explained, err := r.Explain(t.Context(), open("c=year"), "sum", "")
	must(t, err)
	if v := explained.Values[0]; v.Text != "120" || v.Before != "110" || v.ToDate != "110" || explained.Previous.To.String() != "2025-11-28" {
		t.Errorf("explained as %+v with %+v", v, explained.Previous)
	}
}

// TestGrainsAreThoseOfTheData: a line is drawn by what its data come in, and a
// stray row decides nothing.
func TestGrainsAreThoseOfTheData(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	every := func(days, months int, from, to time.Time) (list []time.Time) {
		for ; !from.After(to); from = from.AddDate(0, months, days) {
			list = append(list, from)
		}
		return list
	}
	daily := every(1, 0, day(2025, 1, 1), day(2026, 11, 27))
	for name, c := range map[string]struct {
		days   []time.Time
		link   string
		points int
	}{
		"days":                          {daily, "d=2026-10-20~2026-11-28", 40},
		"days and a stray one":          {append(slices.Clone(daily), day(2099, 12, 31)), "d=2026-10-20~2026-11-28", 40},
		"days and a plan":               {append(slices.Clone(daily), every(0, 1, day(2026, 12, 1), day(2027, 12, 1))...), "d=2026-10-20~2026-11-28", 40},
		"days, then seldom":             {append(every(1, 0, day(2025, 1, 1), day(2026, 6, 30)), day(2026, 9, 9), day(2026, 10, 9), day(2026, 11, 9)), "d=2026-05-20~2026-06-28", 40},
		"weeks":                         {every(7, 0, day(2025, 1, 6), day(2026, 11, 23)), "d=2026-10-19~2026-11-22", 5},
		"months":                        {every(0, 1, day(2025, 1, 1), day(2026, 11, 1)), "d=2026-06-01~2026-11-28", 6},
		"months and a correction":       {append(every(0, 1, day(2025, 1, 1), day(2026, 11, 1)), day(2026, 11, 14)), "d=2026-06-01~2026-11-28", 6},
		"quarters":                      {every(0, 3, day(2020, 3, 31), day(2026, 9, 30)), "d=2026-01-01~2026-09-30", 3},
		"years":                         {every(0, 12, day(2010, 1, 1), day(2026, 1, 1)), "d=2024-01-01~2026-11-28", 3},
		"a plan that lies wholly ahead": {every(0, 1, day(2027, 1, 1), day(2027, 12, 1)), "d=2027-01-01~2027-03-31", 3},
	} {
		id, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: name, TimeColumn: "at",
			Columns: []datasets.NewColumn{{Name: "at", Type: warehouse.Date}, {Name: "v", Type: warehouse.Integer}}})
		must(t, err)
		rows := datasets.AppendRequest{Columns: []string{"at", "v"}}
		for _, at := range c.days {
			rows.Rows = append(rows.Rows, []any{at, 1})
		}
		_, err = r.datasets.AppendRows(t.Context(), r.actor, id, rows)
		must(t, err)
		d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: name, Config: dashboards.Config{Schema: dashboards.Schema, Dataset: id,
			Widgets: map[string]dashboards.Widget{"line": {Title: "Course", Layout: dashboards.Layout{W: 9, H: 6}, Config: charts.Config{Type: charts.Line},
				Query: dashboards.Query{Measures: []warehouse.Measure{{Fn: "sum", Column: "v", As: "v"}}, Dimensions: []warehouse.Dimension{{Column: "at", Grain: "auto", As: "at"}}}}}}})
		must(t, err)
		q := request(t, d.ID, c.link, "")
		q.Now = now
		v, err := r.Open(t.Context(), r.actor, q)
		must(t, err)
		grid, err := r.AsTable(t.Context(), v, "line", 1)
		must(t, err)
		if grid.Total != c.points {
			t.Errorf("%s: %d points, not %d", name, grid.Total, c.points)
		}
	}
}

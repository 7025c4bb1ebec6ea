package dashboards_test

import (
	"encoding/json"
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

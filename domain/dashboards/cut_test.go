package dashboards_test

import (
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

// TestARunningSpanSaysWhereItsComparisonIsCut: of a day that goes on, the earlier
// one counts up to the newest row, whatever the clock says by then, and all that
// shows the comparison says so.
func TestARunningSpanSaysWhereItsComparisonIsCut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Orders", TimeColumn: "at",
		Columns: []datasets.NewColumn{{Name: "at", Type: warehouse.Timestamp}, {Name: "v", Type: warehouse.Integer}}})
	must(t, err)
	// One an hour, up to 29 November 2026, 08:30.
	rows := datasets.AppendRequest{Columns: []string{"at", "v"}}
	end := time.Date(2026, 11, 29, 8, 30, 0, 0, time.UTC)
	for at := time.Date(2025, 9, 1, 0, 30, 0, 0, time.UTC); !at.After(end); at = at.Add(time.Hour) {
		rows.Rows = append(rows.Rows, []any{at, 1})
	}
	_, err = r.datasets.AppendRows(t.Context(), r.actor, id, rows)
	must(t, err)
	sum := warehouse.Measure{Fn: "sum", Column: "v", As: "v"}
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Orders", Config: dashboards.Config{Schema: dashboards.Schema, Dataset: id,
		Settings: dashboards.Settings{Date: dashboards.DateSetting{Default: "28d"}},
		Widgets: map[string]dashboards.Widget{
			"sum":  {Title: "Orders", Layout: dashboards.Layout{W: 3, H: 3}, Query: dashboards.Query{Measures: []warehouse.Measure{sum}}, Config: charts.Config{Type: charts.KPI}},
			"line": {Title: "Course", Layout: dashboards.Layout{X: 3, W: 9, H: 6}, Config: charts.Config{Type: charts.Line}, Query: dashboards.Query{Measures: []warehouse.Measure{sum}, Dimensions: []warehouse.Dimension{{Column: "at", Grain: "day", As: "at"}}}},
		}}})
	must(t, err)
	open := func(link string, now time.Time) *dashboards.View {
		q := request(t, d.ID, link, "")
		q.Now = now
		q.Words.PreviousDays = func(int) string { return "the 28 days before" }
		q.Words.SameDays = func(unit string) string { return "a " + unit + " before" }
		q.Words.UpTo = func(moment string) string { return "up to " + moment }
		v, err := r.Open(t.Context(), r.actor, q)
		must(t, err)
		return v
	}
	const moment = "up to 1 Nov 2026, 08:30"
	for _, now := range []time.Time{end.Add(75 * time.Minute), end.Add(13 * time.Hour)} {
		v := open("", now)
		kpi := r.draw(t, v, "sum").Drawing.KPI
		if kpi.Full != "657" || kpi.Against != "657" || kpi.UpTo != moment || kpi.Over != "the 28 days before, "+moment {
			t.Errorf("at %v: %+v", now, kpi)
		}
		e, err := r.Explain(t.Context(), v, "sum", "")
		must(t, err)
		if want := time.Date(2026, 11, 1, 8, 30, 0, 0, time.UTC); !e.UpTo.Equal(want) || e.Previous.To.String() != "2026-11-01" || e.Values[0].Before != "657" {
			t.Errorf("at %v explained up to %v of %v, as %+v", now, e.UpTo, e.Previous, e.Values)
		}
		if csv := r.csv(t, v, "sum"); csv != "V,\"V (the 28 days before, "+moment+")\"\n657,657\n" {
			t.Errorf("a file says %q", csv)
		}
	}
	// What is over is compared with all of what was.
	v := open("d=2026-11-01~2026-11-28", end.Add(time.Hour))
	if kpi := r.draw(t, v, "sum").Drawing.KPI; kpi.UpTo != "" || kpi.Over != "" || kpi.Full != "672" || kpi.Against != "672" {
		t.Errorf("of days that are over: %+v", kpi)
	}
	if e, err := r.Explain(t.Context(), v, "sum", ""); err != nil || !e.UpTo.IsZero() {
		t.Errorf("explained up to %v, %v", e.UpTo, err)
	}
	// A table names the comparison as the drawing does.
	for link, want := range map[string]string{"": "V, the 28 days before", "c=year": "V, a year before"} {
		grid, err := r.AsTable(t.Context(), open(link, end.Add(time.Hour)), "line", 1)
		must(t, err)
		if got := grid.Columns[len(grid.Columns)-1].Label; got != want {
			t.Errorf("%q: the table is headed %q, not %q", link, got, want)
		}
	}
}

package dashboards_test

import (
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Rows "as they were loaded" have the digits of the file.
func TestRowsAsTheyWereLoadedKeepTheirDigits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	prices := []string{"426.32", "174.94", "7.00"}
	id := r.upload(t, "Prices", "", []datasets.NewColumn{{Name: "sku", Type: warehouse.Text}, {Name: "unit_cost", Type: warehouse.Decimal, Precision: 9, Scale: 2}}, len(prices),
		func(i int) []any { return []any{string(rune('a' + i)), prices[i]} })
	c := dashboards.Blank(id)
	c.Widgets["rows"] = dashboards.Widget{Config: charts.Config{Type: charts.Table}, Title: "Rows", Layout: dashboards.Layout{W: 6, H: 8},
		Query: dashboards.Query{Columns: []string{"sku", "unit_cost"}, Order: []warehouse.Order{{By: "sku"}}}}
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Prices", Config: c})
	must(t, err)
	for i, row := range r.draw(t, r.open(t, d.ID, "", ""), "rows").Drawing.Table.Rows {
		if got := row.Cells[1].Text; got != prices[i] {
			t.Errorf("row %d shows %q, the file has %q", i+1, got, prices[i])
		}
	}
}

package reports

import (
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/warehouse"
)

// No format hides what a value has, unless somebody chose the places.
func TestFormatsOfCells(t *testing.T) {
	t.Parallel()
	one := 1
	for want, c := range map[string]dashboards.RowColumn{
		"#,##0":            {Type: warehouse.Integer},
		`#,##0" EUR"`:      {Type: warehouse.Integer, Format: charts.Format{Unit: "EUR"}},
		"#,##0.00":         {Type: warehouse.Decimal, Scale: 2},
		`#,##0.00" EUR"`:   {Type: warehouse.Decimal, Scale: 2, Format: charts.Format{Unit: "EUR"}},
		`#,##0.0" EUR"`:    {Type: warehouse.Decimal, Scale: 2, Format: charts.Format{Unit: "EUR", Decimals: &one}},
		"General":          {Type: warehouse.Float},
		`General" km"`:     {Type: warehouse.Float, Format: charts.Format{Unit: "km"}},
		"#,##0.0":          {Type: warehouse.Float, Format: charts.Format{Decimals: &one}},
		"0.0%":             {Type: warehouse.Float, Format: charts.Format{Style: "percent"}},
		"[$€]#,##0.00":     {Type: warehouse.Float, Format: charts.Format{Style: "currency", Currency: "EUR"}},
		"yyyy-mm-dd":       {Type: warehouse.Date},
		`#,##0.000000" h"`: {Type: warehouse.Decimal, Scale: 6, Format: charts.Format{Unit: `"h"`}},
	} {
		if got := numberFormat(c); got == nil || *got != want {
			t.Errorf("%+v: got %v, want %q", c, got, want)
		}
	}
	if got := numberFormat(dashboards.RowColumn{Type: warehouse.Text}); got != nil {
		t.Errorf("a text has the format %q", *got)
	}
}

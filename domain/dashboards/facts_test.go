package dashboards

import (
	"testing"

	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Of many rows the different values are counted column by column, and a column
// that can't be counted in time is taken for one whose values all differ.
func TestColumnsOfManyRows(t *testing.T) {
	t.Parallel()
	asked := 0
	l := looker{f: &Facts{}, ask: func(_ ids.Dataset, spec warehouse.Spec) (*warehouse.Result, error) {
		asked++
		r := &warehouse.Result{Rows: 1}
		distinct := 0
		for _, m := range spec.Measures {
			value := int64(1000)
			if m.Fn == "count_distinct" {
				if distinct++; m.Column == "id" {
					return nil, warehouse.ErrTimeout
				}
				value = 7
			}
			r.Columns = append(r.Columns, warehouse.ResultColumn{Name: m.As, Type: warehouse.Integer, Ints: []int64{value}, Nulls: []bool{false}})
		}
		if distinct > 1 {
			t.Errorf("%d columns are counted at once", distinct)
		}
		return r, nil
	}}
	columns := []datasets.Column{{Column: warehouse.Column{ID: 1, Name: "id", Type: warehouse.Text}}, {Column: warehouse.Column{ID: 2, Name: "shop", Type: warehouse.Text}}}
	if err := l.columns(columns, true); err != nil {
		t.Fatal(err)
	}
	if asked != 3 || l.f.Rows != 1000 || l.f.Columns[0].Distinct != 1000 || l.f.Columns[1].Distinct != 7 {
		t.Errorf("%d questions, %+v", asked, l.f)
	}
}

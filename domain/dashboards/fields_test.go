package dashboards_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

// TestCalculatedFields uses fields of the config and of the dataset in
// widgets, filters and clicks; a broken one fails only the widgets that use it.
func TestCalculatedFields(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dataset := r.sales(t, r.actor)
	must(t, r.datasets.SaveField(t.Context(), r.actor, dataset, datasets.Field{Name: "half", Expression: "[amount] / 2"}))
	c := config(dataset)
	c.Fields = map[string]dashboards.Formula{
		"size":   {Expression: "if([amount] > 200, 'large', 'small')", Label: "Size of the order"},
		"mean":   {Expression: "sum([half]) / count()", Format: charts.Format{Unit: "GBP"}},
		"broken": {Expression: "[amuont] + 1"},
	}
	c.Filters["size"] = dashboards.Control{Label: "Size", Column: "size"}
	set := func(id string, q dashboards.Query) {
		w := c.Widgets[id]
		w.Query = q
		c.Widgets[id] = w
	}
	set("channels", dashboards.Query{Measures: []warehouse.Measure{total}, Dimensions: []warehouse.Dimension{{Column: "size"}}})
	set("sum", dashboards.Query{Measures: []warehouse.Measure{{Measure: "mean"}}})
	set("mix", dashboards.Query{Measures: []warehouse.Measure{total}, Dimensions: []warehouse.Dimension{{Column: "broken", Bin: 10}}})
	set("hours", dashboards.Query{Measures: []warehouse.Measure{orders}, Dimensions: []warehouse.Dimension{
		{Column: "channel", Groups: map[string][]json.RawMessage{"Near": {json.RawMessage(`"shop"`)}}, Other: "Far", As: "where"}, {Column: "at", Grain: "hour_of_day", As: "hour"}}})
	parsed, err := dashboards.ParseConfig(c.JSON())
	must(t, err)
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Fields", Config: parsed})
	must(t, err)

	v := r.open(t, d.ID, "d=all", "")
	if got := r.kpi(t, v); !strings.HasPrefix(got, "60.25") { // half of the mean of 1 to 240
		t.Errorf("mean of halves: %q", got)
	}
	if tile := r.draw(t, v, "channels"); tile.Drawing.Count != 2 {
		t.Errorf("%d sizes", tile.Drawing.Count)
	}
	r.draw(t, v, "hours")
	p, _ := v.Plan("mix")
	tile, err := r.Draw(t.Context(), v, p)
	must(t, err)
	if tile.Err == nil || !strings.Contains(tile.Err.Error(), `Did you mean "amount"`) {
		t.Errorf("the broken field: %v", tile.Err)
	}
	for name, link := range map[string]string{"a filter": "d=all&f.size=large", "a click": "d=all&x.channels=large"} {
		if got := r.kpi(t, r.open(t, d.ID, link, "")); !strings.HasPrefix(got, "110.25") { // 201 to 240
			t.Errorf("%s: %q", name, got)
		}
	}
	// 80 of 240 orders are of the shop; their amounts are 2, 5, … 239.
	if got := r.kpi(t, r.open(t, d.ID, "d=all&x.hours=Near*8", "")); got == r.kpi(t, v) {
		t.Errorf("a click on a group of values: %q", got)
	}
	values, _, err := r.Values(t.Context(), v, "size", "lar")
	must(t, err)
	if len(values) != 1 || values[0].Text != "large" || values[0].Rows != 40 {
		t.Errorf("values %+v", values)
	}
}

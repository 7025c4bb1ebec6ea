package dashboards

import (
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Whether a config names a column is told from what it asks, not from its text:
// "type" is a key of every widget, and a title may say anything.
func TestAConfigNamesColumns(t *testing.T) {
	t.Parallel()
	with := func(change func(*Config, *Widget)) *Config {
		c := Config{Schema: Schema, Filters: map[string]Control{}, Fields: map[string]Formula{}, Hierarchies: map[string]Hierarchy{}, Widgets: map[string]Widget{}}
		w := Widget{Config: charts.Config{Type: charts.Bar}, Title: "salary by type", Query: Query{Measures: []warehouse.Measure{{Fn: "sum", Column: "amount", As: "salary"}}}}
		change(&c, &w)
		c.Widgets["salary"] = w
		return &c
	}
	measure := func(m warehouse.Measure) func(*Config, *Widget) {
		return func(_ *Config, w *Widget) { w.Query.Measures = []warehouse.Measure{m} }
	}
	for name, tc := range map[string]struct {
		change func(*Config, *Widget)
		column string
		want   bool
	}{
		"nothing of it":          {func(*Config, *Widget) {}, "salary", false},
		"a key":                  {func(*Config, *Widget) {}, "type", false},
		"a function":             {func(*Config, *Widget) {}, "sum", false},
		"a measure":              {func(*Config, *Widget) {}, "amount", true},
		"beyond plane 0":         {measure(warehouse.Measure{Fn: "sum", Column: "💰 salary"}), "💰 salary", true},
		"an apostrophe":          {measure(warehouse.Measure{Fn: "sum", Column: "men's, total"}), "men's, total", true},
		"a part of a ratio":      {measure(warehouse.Measure{Fn: "ratio", Numerator: &warehouse.Measure{Fn: "sum", Column: "paid"}, Denominator: &warehouse.Measure{Fn: "count"}}), "paid", true},
		"a filter of a measure":  {measure(warehouse.Measure{Fn: "count", Filters: []warehouse.Filter{{Column: "paid", Op: "is_empty"}}}), "paid", true},
		"a lookup":               {func(_ *Config, w *Widget) { w.Query.Dimensions = []warehouse.Dimension{{Column: "staff.grade"}} }, "grade", true},
		"a part of a word":       {func(_ *Config, w *Widget) { w.Query.Dimensions = []warehouse.Dimension{{Column: "upgrade"}} }, "grade", false},
		"plain rows":             {func(_ *Config, w *Widget) { w.Query = Query{Columns: []string{"grade"}} }, "grade", true},
		"a filter":               {func(_ *Config, w *Widget) { w.Query.Filters = []warehouse.Filter{{Column: "grade", Op: "in"}} }, "grade", true},
		"the range":              {func(_ *Config, w *Widget) { w.Query.Date = "hired" }, "hired", true},
		"the date of all":        {func(c *Config, _ *Widget) { c.Settings.Date.Column = "hired" }, "hired", true},
		"the bar":                {func(c *Config, _ *Widget) { c.Filters["f"] = Control{Label: "F", Column: "grade"} }, "grade", true},
		"a hierarchy":            {func(c *Config, _ *Widget) { c.Hierarchies["h"] = Hierarchy{Columns: []string{"dep", "grade"}} }, "grade", true},
		"a formula":              {func(c *Config, _ *Widget) { c.Fields["f"] = Formula{Expression: "[a]]b] * 2"} }, "a]b", true},
		"one that can't be read": {func(c *Config, _ *Widget) { c.Fields["f"] = Formula{Expression: "[a]]b] * * 2"} }, "a]b", true},
		"a format left behind":   {func(_ *Config, w *Widget) { w.Format = map[string]charts.Format{"grade": {Label: "G"}} }, "grade", true},
	} {
		got, err := with(tc.change).namesOneOf([]string{"elsewhere", tc.column})
		if err != nil || got != tc.want {
			t.Errorf("%s: %q is named: %v (%v), want %v", name, tc.column, got, err, tc.want)
		}
	}
}

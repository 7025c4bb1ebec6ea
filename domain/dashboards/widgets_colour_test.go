package dashboards

import (
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/warehouse"
)

// A value has one colour on all widgets of a page, whatever shows it.
func TestWhatIsColoured(t *testing.T) {
	t.Parallel()
	measures := []warehouse.Measure{{Fn: "count", As: "a"}, {Fn: "count", As: "b"}, {Fn: "count", As: "c"}}
	one := []warehouse.Dimension{{Column: "channel"}}
	two := []warehouse.Dimension{{Column: "day", Grain: "week"}, {Column: "channel"}}
	for name, tc := range map[string]struct {
		kind     charts.Type
		dims     []warehouse.Dimension
		measures []warehouse.Measure
		want     string
	}{
		"lines":                {charts.Line, two, measures[:1], "channel"},
		"one line":             {charts.Line, two[:1], measures[:1], ""},
		"stacked bars":         {charts.StackedBar, two, measures[:1], "channel"},
		"a donut":              {charts.Donut, one, measures[:1], "channel"},
		"a radar of measures":  {charts.Radar, one, measures, "channel"},
		"a radar of values":    {charts.Radar, two, measures[:1], "channel"},
		"a radar of one thing": {charts.Radar, one, measures[:2], ""},
	} {
		got := coloured(&Widget{Config: charts.Config{Type: tc.kind}, Query: Query{Dimensions: tc.dims, Measures: tc.measures}})
		if got == nil && tc.want != "" || got != nil && got.Column != tc.want {
			t.Errorf("%s: %+v, want %q", name, got, tc.want)
		}
	}
}

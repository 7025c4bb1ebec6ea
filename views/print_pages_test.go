package views

import (
	"slices"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/reports"
)

func paperTile(kind charts.Type, w, h int) *dashboards.Tile {
	return &dashboards.Tile{ID: string(kind), Type: kind, Layout: dashboards.Layout{W: w, H: h}, Drawing: &charts.Drawing{}}
}

func TestChartsFillThePagesOfPaper(t *testing.T) {
	t.Parallel()
	charts262 := func(n int) []printLine {
		lines := make([]printLine, n)
		for i := range lines {
			lines[i] = printLine{kind: lineCharts, height: 262}
		}
		return lines
	}
	heights := func(lines []printLine) (all []int) {
		for _, l := range lines {
			all = append(all, l.height)
		}
		return all
	}
	// Three of 262 and their gaps leave 178 of 1,000: too little for a fourth, so they grow.
	lines := charts262(5)
	fill(lines, 0, 1000)
	if got, want := heights(lines), []int{321, 321, 322, 262, 262}; !slices.Equal(got, want) {
		t.Errorf("heights are %v, want %v", got, want)
	}
	// 276 more leave room for one a little lower.
	lines = charts262(3)
	fill(lines, 220, 1000)
	if got, want := heights(lines), []int{262, 262, 220}; !slices.Equal(got, want) {
		t.Errorf("heights are %v, want %v", got, want)
	}
	// None grows without bounds.
	lines = append(charts262(1), printLine{kind: lineFigures}, printLine{kind: lineFigures})
	fill(lines, 0, 340)
	if lines[0].height > chartMost {
		t.Errorf("a chart is %d high", lines[0].height)
	}
}

func TestAFigureAloneStandsBesideAChart(t *testing.T) {
	t.Parallel()
	p := PrintProps{Sheet: &reports.Sheet{Tiles: []*dashboards.Tile{paperTile(charts.KPI, 3, 3), paperTile(charts.Line, 9, 9), paperTile(charts.KPI, 3, 3)}}}
	lines := p.lines()
	if len(lines) != 2 || len(lines[0].tiles) != 2 || lines[0].tiles[0].span != 4 || lines[0].tiles[1].span != 8 {
		t.Fatalf("lines are %+v", lines)
	}
	if last := lines[1].tiles[0]; last.span != 6 {
		t.Errorf("the last figure spans %d columns", last.span)
	}
}

// Where the highest and the lowest value read alike, the summary names it once.
func TestSummaryOfValuesThatReadAlike(t *testing.T) {
	t.Parallel()
	bars := func(key, high, low string, count int) charts.Message {
		return charts.Message{Key: key, Args: []any{"Measure", "P", "By", "Shop", "Count", count, "HighAt", "North", "High", high, "LowAt", "South", "Low", low}}
	}
	for want, m := range map[string]charts.Message{
		"P by Shop: 1.23M each.":                                       bars("charts.say.bars", "1.23M", "1.23M", 3),
		"P by Shop: of the 3 shown, 1.23M each.":                       bars("charts.say.bars_cut", "1.23M", "1.23M", 3),
		"P by Shop: North with 1.23M, the only one.":                   bars("charts.say.bars", "1.23M", "1.23M", 1),
		"P by Shop: highest North with 1.23M, lowest South with 1.2M.": bars("charts.say.bars", "1.23M", "1.2M", 3),
		"P from 1 Mar to 3 Mar: 5 throughout.": {Key: "charts.say.line", Args: []any{"Measure", "P", "From", "1 Mar", "To", "3 Mar",
			"High", "5", "HighAt", "1 Mar", "Low", "5", "LowAt", "1 Mar"}},
	} {
		if got := chartSentence(t.Context(), m); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

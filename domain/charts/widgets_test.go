package charts

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/warehouse"
)

var flights = Format{Label: "Flights", Better: "higher", Additive: true}

func plainSpaces(text string) string { return strings.ReplaceAll(text, "\u00a0", " ") }

func number64(v float64) *float64 { return &v }

func TestGoldenStep(t *testing.T) {
	golden(t, "step", draw(t, Input{Config: Config{Type: Step, Format: map[string]Format{"delay": delay},
		Encode: Encode{Lines: []Reference{{Value: number64(12), Label: "Limit"}, {Average: true}, {Date: "2026-05-20", Label: "Holiday"}}}},
		Result: span(result(dates("day", "day", "2026-05-18", "2026-05-19", "2026-05-20"), floats("delay", 5, 6, -2)), "2026-05-18", "2026-05-21")}))
}

func TestGoldenGroupedBars(t *testing.T) {
	r := result(texts("state", "CA", "CA", "TX", "TX"), texts("kind", "late", "on time", "late", "on time"), floats("n", 10, 30, -5, 20))
	in := Input{Config: Config{Type: Bar, Encode: Encode{Vertical: true}, Format: map[string]Format{"n": flights}}, Result: r, Selected: []Mark{{"late"}}}
	golden(t, "bar_grouped", draw(t, in))
	in.Config.Encode.Stack, in.Selected = "percent", nil
	in.Result = result(texts("state", "CA", "CA", "TX", "TX"), texts("kind", "late", "on time", "late", "on time"), floats("n", 10, 30, 0, 20))
	golden(t, "bar_percent", draw(t, in))
	in.Result = r
	in.Config.Type, in.Config.Encode = StackedBar, Encode{Horizontal: true}
	golden(t, "stacked_bar_horizontal", draw(t, in))
}

func TestGoldenCombo(t *testing.T) {
	golden(t, "combo", draw(t, Input{Config: Config{Type: Combo, Format: map[string]Format{"n": flights, "delay": delay}},
		Result: result(dates("week", "week", "2026-05-18", "2026-06-01"), ints("n", 10, 12), floats("delay", 5, -1))}))
}

// The line is dashed to the week that the range cuts, whose bar is pale.
func TestGoldenComboOfACutWeek(t *testing.T) {
	r := span(result(dates("week", "week", "2026-05-18", "2026-05-25", "2026-06-01"), ints("n", 10, 12, 3), floats("delay", 5, 2, 1)), "2026-05-18", "2026-06-03")
	d := draw(t, Input{Config: Config{Type: Combo, Format: map[string]Format{"n": flights, "delay": delay}}, Result: r})
	golden(t, "combo_weeks", d)
	// A click on a dot selects by its index, in each series.
	var chart struct {
		DF     struct{ Marks struct{ Values []string } }
		Option struct{ Series []struct{ Data []any } }
	}
	if err := json.Unmarshal(d.Chart, &chart); err != nil {
		t.Fatal(err)
	}
	for i, series := range chart.Option.Series {
		if len(series.Data) != len(chart.DF.Marks.Values) {
			t.Errorf("series %d has %d points for %d weeks", i, len(series.Data), len(chart.DF.Marks.Values))
		}
	}
}

func TestGoldenHistogram(t *testing.T) {
	in := Input{Config: Config{Type: Histogram, Format: map[string]Format{"n": flights, "delay": delay}}, Bins: map[string]float64{"delay": 10},
		Result: result(dimension(ints("delay", -10, 0, 10, 40), ""), ints("n", 5, 50, 20, 1)), Selected: []Mark{{"10"}}}
	golden(t, "histogram", draw(t, in))
	in.Bins, in.Selected = nil, nil
	golden(t, "histogram_auto", draw(t, in))
}

func TestGoldenBox(t *testing.T) {
	golden(t, "box", draw(t, Input{Config: Config{Type: Box, Format: map[string]Format{"box_median": delay}},
		Result: result(texts("state", "CA", "TX"), floats("box_low", -8, -6), floats("box_first", -2, -1), floats("box_median", 3, math.NaN()),
			floats("box_third", 12, 9), floats("box_high", 60, 41))}))
}

func TestGoldenScatter(t *testing.T) {
	r := result(texts("code", "ORD", "ATL", "DEN"), texts("state", "IL", "GA", "CO"), floats("distance", 800, 600, math.NaN()), floats("delay", 12, -3, 5), ints("n", 100, 80, 10))
	formats := map[string]Format{"n": flights, "delay": delay, "distance": {Unit: "mi"}}
	golden(t, "scatter", draw(t, Input{Config: Config{Type: Scatter, Format: formats}, Result: r, Selected: []Mark{{"ATL"}}}))
	golden(t, "bubble", draw(t, Input{Config: Config{Type: Bubble, Format: formats, Encode: Encode{Series: "state", Label: "code"}}, Result: r}))
	rows := result(floats("distance", 800, 600), floats("delay", 12, -3))
	d := draw(t, Input{Config: Config{Type: Scatter}, Result: rows, Rows: 3_000_000})
	if d.Note.Key != "charts.note.sample" || d.Note.Args[3] != "3,000,000" {
		t.Errorf("note %+v", d.Note)
	}
}

func TestGoldenTree(t *testing.T) {
	r := result(texts("state", "CA", "CA", "TX", "TX", "NV"), texts("city", "LA", "SF", "Dallas", "Austin", "Reno"), floats("n", 50, 30, 40, math.NaN(), 0))
	formats := map[string]Format{"n": flights}
	golden(t, "treemap", draw(t, Input{Config: Config{Type: Treemap, Format: formats}, Result: r, Selected: []Mark{{"TX"}}}))
	golden(t, "sunburst", draw(t, Input{Config: Config{Type: Sunburst, Format: formats}, Result: r}))
	one := result(texts("state", "CA", "TX", Null), floats("n", 50, 30, 7))
	one.HasOther = true
	golden(t, "treemap_flat", draw(t, Input{Config: Config{Type: Treemap, Format: formats}, Result: one}))
}

func TestGoldenFunnel(t *testing.T) {
	golden(t, "funnel", draw(t, Input{Config: Config{Type: Funnel, Format: map[string]Format{"all": {Label: "All"}, "late": {Label: "Late"}}},
		Result: result(ints("all", 1000), ints("late", 220), ints("very", 40))}))
	golden(t, "funnel_values", draw(t, Input{Config: Config{Type: Funnel, Format: map[string]Format{"n": flights}},
		Result: result(texts("step", "Seen", "Bought"), ints("n", 900, 90)), Selected: []Mark{{"Seen"}}}))
}

func TestGoldenSankey(t *testing.T) {
	golden(t, "sankey", draw(t, Input{Config: Config{Type: Sankey, Format: map[string]Format{"n": flights}},
		Result: result(texts("from", "CA", "CA", "TX"), texts("to", "CA", "TX", "CA"), ints("n", 30, 20, 10)), Selected: []Mark{{"CA", "TX"}}}))
}

// Nothing known of the time before is no zero that all of the value came from.
func TestWaterfallOfNothingBefore(t *testing.T) {
	r := result(texts("kind", "a", "b"), ints("n", 648, 624), warehouse.ResultColumn{Name: "n.previous", Type: warehouse.Integer, Ints: []int64{0, 0}, Nulls: []bool{true, true}})
	r.Previous = &warehouse.Span{}
	d := draw(t, Input{Config: Config{Type: Waterfall, Format: map[string]Format{"n": flights}}, Result: r})
	if d.Note.Key != "charts.note.nothing_before" || d.Say.Key != "charts.say.waterfall" {
		t.Errorf("it says %+v and notes %+v", d.Say, d.Note)
	}
}

// A time before the first row has no zeros: it is named, and no line stands for it.
func TestComparedWithATimeBeforeTheData(t *testing.T) {
	day := func(text string) time.Time {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	in := Input{Config: Config{Type: KPI, Format: map[string]Format{"n": flights}}, Words: Words{Previous: "Same days last year"}, Oldest: day("2001-01-01"),
		Result: span(result(ints("n", 648), ints("n.previous", 0)), "2001-06-03", "2001-07-01")}
	in.Result.Previous = &warehouse.Span{From: day("2000-06-03"), To: day("2000-07-01")}
	if k := draw(t, in).KPI; k.Unknown != "Same days last year" || k.Against != "" || k.Delta != "" {
		t.Errorf("%+v", k)
	}
	in.Oldest = day("2000-06-30")
	if k := draw(t, in).KPI; k.Unknown != "" || k.Against != "0" || k.Delta != "" {
		t.Errorf("none among data: %+v", k)
	}
	line := in
	line.Config.Type, line.Oldest = Line, day("2001-01-01")
	line.Result = span(result(dates("day", "day", "2001-06-03", "2001-06-04"), ints("n", 5, 9), ints("n.previous", 0, 0)), "2001-06-03", "2001-07-01")
	line.Result.Previous = in.Result.Previous
	if legend := draw(t, line).Legend; len(legend) > 1 {
		t.Errorf("the legend has %+v", legend)
	}
}

func TestGoldenWaterfall(t *testing.T) {
	in := Input{Config: Config{Type: Waterfall, Format: map[string]Format{"n": flights}},
		Result: result(texts("part", "Sales", "Costs", "Tax", "Grant"), floats("n", 100, -120, -10, 45))}
	golden(t, "waterfall", draw(t, in))
	in.Result.Columns = append(in.Result.Columns, floats("n.previous", 80, -100, -10, math.NaN()))
	golden(t, "waterfall_change", draw(t, in))
}

func TestGoldenCalendar(t *testing.T) {
	golden(t, "calendar", draw(t, Input{Config: Config{Type: Calendar, Format: map[string]Format{"n": flights}},
		Result: span(result(dates("day", "day", "2026-05-27", "2026-06-02"), ints("n", 5, 9)), "2026-05-27", "2026-06-04"), Selected: []Mark{{"2026-06-02"}}}))
}

func TestGoldenRadar(t *testing.T) {
	golden(t, "radar", draw(t, Input{Config: Config{Type: Radar, Format: map[string]Format{"n": flights}},
		Result: result(dimension(ints("weekday", 1, 2, 1, 2), "weekday"), texts("state", "CA", "CA", "TX", "TX"), ints("n", 5, 9, 2, 4))}))
	golden(t, "radar_measures", draw(t, Input{Config: Config{Type: Radar, Format: map[string]Format{"n": flights, "delay": delay, "on_time": share}},
		Result: result(texts("state", "CA", "TX"), ints("n", 50, 40), floats("delay", 9, math.NaN()), floats("on_time", 0.8, 0.7)), Selected: []Mark{{"CA"}}}))
}

func TestGoldenGauge(t *testing.T) {
	golden(t, "gauge", draw(t, Input{Config: Config{Type: Gauge, Format: map[string]Format{"on_time": share},
		Encode: Encode{Target: number64(0.8), Thresholds: []Threshold{{Tone: Bad}, {From: 0.7, Tone: Warn, Label: "Nearly"}, {From: 0.8, Tone: Good}}}}, Result: result(floats("on_time", 0.76))}))
}

func TestGoldenCandlestick(t *testing.T) {
	golden(t, "candlestick", draw(t, Input{Config: Config{Type: Candlestick, Format: map[string]Format{"close": money}},
		Result: result(dates("day", "day", "2026-05-18", "2026-05-20"), floats("open", 10, 12), floats("high", 14, 13), floats("low", 9, 10), floats("close", 12, 11))}))
}

func TestGoldenWords(t *testing.T) {
	golden(t, "words", draw(t, Input{Config: Config{Type: WordList, Format: map[string]Format{"n": flights}},
		Result: result(texts("city", "Chicago", "Atlanta", Null), ints("n", 900, 400, 10)), Selected: []Mark{{"Atlanta"}}}))
}

func TestGoldenStatus(t *testing.T) {
	golden(t, "kpi_target", draw(t, Input{Config: Config{Type: KPI, Format: map[string]Format{"sales": money}, Encode: Encode{Target: number64(2_100_000)}},
		Result: result(floats("sales", 2_018_441.27))}))
	// Lower is better, so a value under the target is good.
	d := draw(t, Input{Config: Config{Type: KPI, Format: map[string]Format{"delay": delay}, Encode: Encode{TargetOf: "goal", Value: "delay"}},
		Result: result(floats("delay", 8), floats("goal", 10))})
	if d.KPI.Status == nil || d.KPI.Status.Tone != Good || plainSpaces(d.KPI.Status.Target) != "10 min" {
		t.Errorf("status %+v", d.KPI.Status)
	}
}

func TestGoldenTableOfGroups(t *testing.T) {
	r := result(texts("state", "CA", "CA", "TX"), texts("city", "LA", "SF", "Dallas"), ints("n", 50, 30, 40), floats("delay", 9, -2, 4))
	golden(t, "table_groups", draw(t, Input{Config: Config{Type: Table, Format: map[string]Format{"n": flights, "delay": delay},
		Encode: Encode{Group: "state", Totals: true, Pin: true, Columns: []Cell{{Column: "state"}, {Column: "city"}, {Column: "n", Scale: "seq"},
			{Column: "delay", Scale: "div", Rules: []Threshold{{From: -100, Tone: Good}, {From: 5, Tone: Bad}}}}}},
		Result: r, Further: []*warehouse.Result{result(ints("n", 120), floats("delay", 5.1))}}))
}

// pivotInput is flights by state and weekday; the mean of a row is not the mean
// of its cells, since the cells differ in size.
func pivotInput() Input {
	weekday := func(days ...int64) warehouse.ResultColumn { return dimension(ints("weekday", days...), "weekday") }
	return Input{Config: Config{Type: Pivot, Format: map[string]Format{"n": flights, "delay": delay}},
		Result: result(texts("state", "CA", "CA", "TX"), weekday(1, 2, 2), ints("n", 90, 10, 40), floats("delay", 1, 11, 4)),
		Further: []*warehouse.Result{
			result(texts("state", "CA", "TX"), ints("n", 100, 40), floats("delay", 2, 4)),
			result(weekday(1, 2), ints("n", 90, 50), floats("delay", 1, 5.4)),
			result(ints("n", 140), floats("delay", 2.571)),
		}}
}

// What lies beyond a limit of the author's is left out, and what it is folded
// into is no value that can be selected.
func TestPivotUnderALimitOfItsOwn(t *testing.T) {
	in := pivotInput()
	in.Result.More = true
	if d := draw(t, in); d.State != TooMuch || !d.AtLeast {
		t.Errorf("an answer that is cut is %s", d.State)
	}
	in.Limited = true
	in.Result.OtherRows = []bool{false, false, true}
	in.Result.Columns[0].Nulls, in.Result.Columns[1].Nulls = []bool{false, false, true}, []bool{false, false, true}
	d := draw(t, in)
	if d.State != Ready {
		t.Fatalf("it is %s", d.State)
	}
	last := d.Table.Rows[len(d.Table.Rows)-1]
	if last.Cells[0].Text != "Other" || last.Mark != "" || d.Table.Rows[0].Mark == "" {
		t.Errorf("the rest is %+v", last)
	}
}

func TestGoldenPivot(t *testing.T) { golden(t, "pivot", draw(t, pivotInput())) }

// Totals of a pivot are those of their own grouping: a mean of means, 6, would
// be wrong where the query says 2.
func TestPivotTotalsAreAsked(t *testing.T) {
	d := draw(t, pivotInput())
	ca := d.Table.Rows[0].Cells
	if len(ca) != 7 || ca[0].Text != "CA" || ca[5].Text != "100" || plainSpaces(ca[6].Text) != "2.0 min" {
		t.Errorf("row %+v", ca)
	}
	if last := d.Table.Totals.Cells; plainSpaces(last[2].Text) != "1.0 min" || plainSpaces(last[6].Text) != "2.6 min" {
		t.Errorf("totals %+v", last)
	}
	if tx := d.Table.Rows[1].Cells; tx[1].Text != "—" {
		t.Errorf("a cell without rows is %q", tx[1].Text)
	}
	sets, err := PivotSets(Encode{Rows: []string{"a", "b"}, Across: []string{"c"}}, []string{"a", "b", "c"})
	if want := [][]string{{"a", "b"}, {"a", "c"}, {"a"}, {"c"}, {}}; err != nil || !reflect.DeepEqual(sets, want) {
		t.Errorf("sets %v, %v", sets, err)
	}
	if _, err := PivotSets(Encode{Rows: []string{"a"}}, []string{"a", "b"}); err == nil {
		t.Error("a dimension of the query has no side")
	}
}

func TestPivotSubtotals(t *testing.T) {
	in := Input{Config: Config{Type: Pivot, Encode: Encode{Rows: []string{"state", "city"}}, Format: map[string]Format{"n": flights}},
		Result: result(texts("state", "CA", "CA", "TX"), texts("city", "LA", "SF", "Dallas"), ints("n", 50, 30, 40)),
		Further: []*warehouse.Result{
			result(texts("state", "CA", "TX"), ints("n", 80, 40)),
			result(ints("n", 120)),
		}}
	var got []string
	for _, r := range draw(t, in).Table.Rows {
		line := ""
		for _, c := range r.Cells {
			if c.Span >= 0 {
				line += fmt.Sprintf("%s/%d ", c.Text, c.Span)
			}
		}
		got = append(got, strings.TrimSpace(line))
	}
	want := []string{"CA/3 LA/0 50/0", "SF/0 30/0", "Total/0 80/0", "TX/2 Dallas/0 40/0", "Total/0 40/0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestGoldenFacets(t *testing.T) {
	r := result(dates("day", "day", "2026-05-18", "2026-05-18", "2026-05-19"), texts("state", "CA", "TX", "TX"), ints("n", 5, 20, 40))
	d := draw(t, Input{Config: Config{Type: Line, Encode: Encode{Facet: "state"}, Format: map[string]Format{"n": flights}}, Result: r, Selected: []Mark{{"TX"}}})
	if len(d.Facets) != 2 || d.Facets[0].Name != "TX" || d.Facets[0].Faded || !d.Facets[1].Faded || d.Facets[1].Mark != "CA" {
		t.Fatalf("facets %+v", d.Facets)
	}
	for _, f := range d.Facets {
		var chart struct {
			Option struct{ YAxis struct{ Min, Max float64 } }
		}
		if err := json.Unmarshal(f.Chart, &chart); err != nil || chart.Option.YAxis.Max != 40 {
			t.Errorf("%s: axis %+v, %v", f.Name, chart.Option.YAxis, err)
		}
	}
}

func TestGoldenMapLayers(t *testing.T) {
	states := result(texts("state", "CA", "06", "Georgia", "Narnia", Null), floats("delay", 5, 6, 9, 1, 2))
	golden(t, "map_areas", draw(t, Input{Config: Config{Type: Map, Encode: Encode{Layer: LayerAreas}, Format: map[string]Format{"delay": delay}}, Result: states}))
	places := result(texts("from", "ORD", "ATL"), texts("to", "ATL", "XXX"), dimension(floats("lat", 41.9, 33.6), ""), dimension(floats("lon", -87.9, -84.4), ""),
		dimension(floats("tlat", 33.6, 99), ""), dimension(floats("tlon", -84.4, 0), ""), ints("n", 10, 5))
	golden(t, "map_lines", draw(t, Input{Config: Config{Type: Map, Encode: Encode{Layer: LayerLines, Lat: "lat", Lon: "lon", ToLat: "tlat", ToLon: "tlon"},
		Format: map[string]Format{"n": flights}}, Result: places}))
	golden(t, "map_clusters", draw(t, Input{Config: Config{Type: Map, Encode: Encode{Layer: LayerClusters, Lat: "lat", Lon: "lon", Label: "from"},
		Format: map[string]Format{"n": flights}}, Result: places}))
}

func TestAreasByNameAndCode(t *testing.T) {
	a := shapes()
	for name, want := range map[string]string{"Germany": "276", "de": "276", "DEU": "276", "276": "276", "United States": "840", "USA": "840", "us": "840",
		"united states of america": "840", "Côte d'Ivoire": "384", "Ivory Coast": "384", "Cote d’Ivoire": "384", "Czech Republic": "203", "Czechia": "203",
		"Bosnia & Herzegovina": "070", "Republic of Korea": "410", "South Korea": "410", "Kosovo": "Kosovo", "XK": "Kosovo", "Türkiye": "792", "UK": "826",
		"The Gambia": "270", "Democratic Republic of the Congo": "180", "Viet Nam": "704", "Saint Lucia": "662", "St. Lucia": "662", "Hong Kong": "344"} {
		if got, ok := a.country(name); !ok || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"California": "06", "ca": "06", "6": "06", "06": "06", "US-CA": "06", "Washington, D.C.": "11", "new york": "36"} {
		if got, ok := a.state(name); !ok || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"", "Narnia", "Europe", "ZZ", "001", "Q1"} {
		if id, ok := a.country(name); ok {
			t.Errorf("%q is country %s", name, id)
		}
	}
}

func TestGoldenText(t *testing.T) {
	golden(t, "text", draw(t, Input{Config: Config{Type: Text, Text: "# Notes\n\nA *short* [link](https://example.com/a?b=1&c=2), <b>bold</b>, `code`.\n\n- done\n\n|a|b|\n|-|-|\n|1|2|\n"}}))
	golden(t, "image", draw(t, Input{Config: Config{Type: Image, URL: "/static/mark.svg", Alt: "Our mark"}}))
	golden(t, "divider", draw(t, Input{Config: Config{Type: Divider}}))
	golden(t, "control", draw(t, Input{Config: Config{Type: Control}}))
	golden(t, "section", draw(t, Input{Config: Config{Type: Section}}))
}

func TestHostileMarkdown(t *testing.T) {
	for _, source := range []string{
		"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](java\nscript:alert(1))",
		"[x](data:text/html;base64,PHNjcmlwdD4=)", "![x](javascript:alert(1))", "![x](https://evil.example/p.png)", "[x](//evil.example)",
		"<javascript:alert(1)>", "[x]: vbscript:alert(1)\n\n[x]", "[x](\\\\evil.example)", "[a](<https://ok.example/\" onmouseover=\"alert(1)>)",
		"![x](data:image/svg+xml;base64,PHN2Zz4=)", "<a href=\"https://ok.example\" onclick=\"alert(1)\">x</a>", "&lt;script&gt;", "[x](&#106;avascript:alert(1))", "[x](&amp;#106;avascript:alert(1))", "[x](javascript&colon;alert(1))",
		"<svg/onload=alert(1)>", "```html\n<script>\n```", "[x](/ok \"t\\\"><script>\")",
	} {
		html := draw(t, Input{Config: Config{Type: Text, Text: source}}).HTML
		lower := strings.ToLower(html)
		for _, bad := range []string{"<script", "<img", "<svg", "href=\"javascript", "href=\"data:", "href=\"vbscript", "href=\"//", "\" onmouseover=", " onclick="} {
			if strings.Contains(lower, bad) && !(bad == " onclick=" && !strings.Contains(lower, "<a")) {
				t.Errorf("%q renders %q", source, html)
			}
		}
	}
	html := draw(t, Input{Config: Config{Type: Text, Text: "[a](https://ok.example) [b](/dashboards) [c](mailto:a@b.example) <https://auto.example>"}}).HTML
	if n := strings.Count(html, `rel="noopener noreferrer"`); n != 4 || strings.Count(html, `target="_blank"`) != 2 {
		t.Errorf("links: %s", html)
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{"# a", "[x](javascript:1)", "<script>", "![a](b)", "|a|\n|-|"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		d, err := Draw(Input{Config: Config{Type: Text, Text: source}})
		if err != nil {
			return
		}
		lower := strings.ToLower(d.HTML)
		for _, bad := range []string{"<script", "<iframe", "<style", "<svg", "href=\"javascript:", "src=\"http"} {
			if strings.Contains(lower, bad) {
				t.Errorf("%q renders %q", source, d.HTML)
			}
		}
	})
}

func TestImagesOfThisServerOnly(t *testing.T) {
	for address, want := range map[string]bool{"/assets/a.png": true, "data:image/png;base64,AAAA": true, "https://evil.example/a.png": false, "//evil.example/a.png": false,
		"data:image/svg+xml;base64,AAAA": false, "data:text/html,x": false, "javascript:alert(1)": false, "": false, "a.png": false, `/\evil.example`: false,
		"data:image/png;base64," + strings.Repeat("A", MaxImageBytes): false} {
		if got := SafeImage(address); got != want {
			t.Errorf("%.40q: %v, want %v", address, got, want)
		}
	}
}

// hostile is a name that would be markup or code anywhere but in a text.
const hostile = `</script><img src=x onerror=alert(1)>{b|${x}}"'&`

// Names of the data stay data: inside the JSON of a chart no tag can end the
// element around it, and HTML that is made here has them escaped.
func TestHostileNamesStayText(t *testing.T) {
	two := result(texts("a", hostile, "x"), texts("b", hostile, "y"), floats("n", 5, 3), floats("m", 2, 1), floats("o", 2, 1), floats("p", 4, 1), floats("q", 9, 2))
	one := result(texts("a", hostile, "x"), floats("n", 5, 3), floats("m", 2, 1), floats("o", 2, 1), floats("p", 4, 1), floats("q", 9, 2))
	format := map[string]Format{"n": {Label: hostile, Unit: hostile, Additive: true}, "a": {Label: hostile}}
	for _, typ := range Types() {
		if !typ.Asks() || typ == Pivot || typ == Map || typ == Calendar || typ == Histogram {
			continue
		}
		r := one
		if least, _ := typ.Dimensions(); least == 2 {
			r = two
		} else if least == 0 && typ != Table {
			r = result(floats("n", 5), floats("m", 2))
		}
		d, err := Draw(Input{Config: Config{Type: typ, Format: format}, Result: r, Title: hostile})
		if err != nil {
			t.Errorf("%s: %v", typ, err)
			continue
		}
		for _, out := range []string{string(d.Chart), string(d.Points)} {
			if strings.Contains(out, "</script") || strings.Contains(out, "<img") {
				t.Errorf("%s: markup in its JSON: %s", typ, out)
			}
		}
		if d.Dial != nil && strings.Contains(d.Dial.SVG, "<img") {
			t.Errorf("%s: markup in its SVG", typ)
		}
	}
}

// 5,000 categories: those that add up are folded, others say what would fit.
func TestTooManyCategories(t *testing.T) {
	n := 5_000
	names, kinds, values := make([]string, n), make([]string, n), make([]float64, n)
	for i := range n {
		names[i], kinds[i], values[i] = fmt.Sprint("n", i), "k", float64(n-i)
	}
	r := result(texts("c", names...), texts("k", kinds...), floats("v", values...))
	d := draw(t, Input{Config: Config{Type: StackedBar, Format: map[string]Format{"v": {Additive: true}}}, Result: r})
	data := seriesData(t, d, 0)
	if d.State != Ready || len(data) != topBars+1 {
		t.Fatalf("state %q, %d bars", d.State, len(data))
	}
	if rest := data[topBars].(map[string]any)["value"].(float64); rest != float64(4980*4981/2) {
		t.Errorf("Other is %v", rest)
	}
	for _, typ := range []Type{Bar, StackedBar, Box, Combo, Waterfall, Radar} {
		columns := []warehouse.ResultColumn{texts("c", names...), floats("v", values...), floats("w", values...), floats("x", values...), floats("y", values...), floats("z", values...)}
		if typ == StackedBar {
			columns = slices.Insert(columns, 1, texts("k", kinds...))
		}
		in := Input{Config: Config{Type: typ}, Result: result(columns...)}
		if typ == Waterfall {
			in.Config.Format = map[string]Format{"v": {Additive: true}}
		}
		if typ == Radar {
			in.Result.Columns = in.Result.Columns[:2]
		}
		if d := draw(t, in); d.State != TooMuch || d.Fit.Key != "charts.fit.top" || d.Chart != nil {
			t.Errorf("%s: state %q, fit %+v", typ, d.State, d.Fit)
		}
	}
	var days []string
	var some []float64
	for i := range 2_000 {
		days, some = append(days, "2020-01-01"), append(some, 1)
		_ = i
	}
	c := dates("day", "day", days...)
	for i := range c.Ints {
		c.Ints[i] += int64(i)
	}
	if d := draw(t, Input{Config: Config{Type: Bar}, Result: result(c, floats("v", some...))}); d.State != TooMuch || d.Fit.Args[1] != "week" {
		t.Errorf("2,000 days: state %q, fit %+v", d.State, d.Fit)
	}
}

func TestHistogramFoldsThinEnds(t *testing.T) {
	var at, n []int64
	for i := range 2_000 {
		at, n = append(at, int64(i)), append(n, 1)
		if i < 100 {
			n[i] = 10_000
		}
	}
	d := draw(t, Input{Config: Config{Type: Histogram, Format: map[string]Format{"n": flights}}, Bins: map[string]float64{"v": 10},
		Result: result(dimension(ints("v", at...), ""), ints("n", n...))})
	data := seriesData(t, d, 0)
	sum := 0.0
	for _, v := range data {
		sum += v.(float64)
	}
	if len(data) > histogramBins || sum != 1_000_000+1_900 {
		t.Errorf("%d bins that hold %v", len(data), sum)
	}
}

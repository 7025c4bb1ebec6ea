package charts

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden drawings show the whole of a Drawing, with charts and points as JSON.
func golden(t *testing.T, name string, d *Drawing) {
	t.Helper()
	shown := struct {
		*Drawing
		Chart  json.RawMessage `json:",omitempty"`
		Points json.RawMessage `json:",omitempty"`
	}{Drawing: d, Chart: d.Chart, Points: d.Points}
	var got bytes.Buffer
	e := json.NewEncoder(&got)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(shown); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs (run with -update and look at the change):\n%s", file, got.String())
	}
}

func day(text string) int64 {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return t.Unix() / 86400
}

func dates(name, grain string, days ...string) warehouse.ResultColumn {
	c := warehouse.ResultColumn{Name: name, Type: warehouse.Date, Dimension: true, Grain: grain}
	for _, d := range days {
		c.Ints = append(c.Ints, day(d))
	}
	return c
}

func texts(name string, values ...string) warehouse.ResultColumn {
	c := warehouse.ResultColumn{Name: name, Type: warehouse.Text, Dimension: true, Texts: values}
	for i, v := range values {
		if v == Null {
			if c.Nulls == nil {
				c.Nulls = make([]bool, len(values))
			}
			c.Nulls[i], c.Texts[i] = true, ""
		}
	}
	return c
}

func ints(name string, values ...int64) warehouse.ResultColumn {
	return warehouse.ResultColumn{Name: name, Type: warehouse.Integer, Ints: values}
}

func floats(name string, values ...float64) warehouse.ResultColumn {
	c := warehouse.ResultColumn{Name: name, Type: warehouse.Float, Floats: values}
	for i, v := range values {
		if math.IsNaN(v) {
			if c.Nulls == nil {
				c.Nulls = make([]bool, len(values))
			}
			c.Nulls[i] = true
		}
	}
	return c
}

func dimension(c warehouse.ResultColumn, grain string) warehouse.ResultColumn {
	c.Dimension, c.Grain = true, grain
	return c
}

func result(columns ...warehouse.ResultColumn) *warehouse.Result {
	r := &warehouse.Result{Columns: columns}
	if len(columns) > 0 {
		c := columns[0]
		r.Rows = max(len(c.Ints), len(c.Floats), len(c.Texts))
	}
	return r
}

func span(r *warehouse.Result, from, to string) *warehouse.Result {
	a, b := time.Unix(day(from)*86400, 0).UTC(), time.Unix(day(to)*86400, 0).UTC()
	r.Span = &warehouse.Span{From: a, To: b}
	return r
}

func draw(t *testing.T, in Input) *Drawing {
	t.Helper()
	if in.Title == "" {
		in.Title = "Sales"
	}
	d, err := Draw(in)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var (
	money = Format{Style: "currency", Currency: "GBP", Label: "Net sales", Better: "higher", Additive: true}
	share = Format{Style: "percent", Label: "On time", Better: "higher"}
	delay = Format{Label: "Mean delay", Unit: "min", Better: "lower"}
)

func TestGoldenKPI(t *testing.T) {
	week := []string{"2026-06-08", "2026-06-09", "2026-06-10", "2026-06-12", "2026-06-13", "2026-06-14"}
	spark := span(result(dates("at", "day", week...), floats("sales", 10, 12, 9, 15, 14, 18)), "2026-06-08", "2026-06-15")
	golden(t, "kpi", draw(t, Input{
		Config: Config{Type: KPI, Format: map[string]Format{"sales": money}},
		Result: result(floats("sales", 2_018_441.27), floats("sales.previous", 1_900_500)), Spark: spark}))
	golden(t, "kpi_lower_is_better", draw(t, Input{
		Config: Config{Type: KPI, Format: map[string]Format{"delay": delay}},
		Result: result(floats("delay", 7.9), floats("delay.previous", 9.4))}))
	golden(t, "kpi_points", draw(t, Input{
		Config: Config{Type: KPI, Format: map[string]Format{"on_time": share}},
		Result: result(floats("on_time", 0.946), floats("on_time.previous", 0.938))}))
	golden(t, "kpi_empty", draw(t, Input{
		Config: Config{Type: KPI, Format: map[string]Format{"sales": money}}, Result: result(floats("sales", math.NaN()))}))
	golden(t, "kpi_german", draw(t, Input{
		Config: Config{Type: KPI, Format: map[string]Format{"sales": {Style: "currency", Currency: "EUR"}}}, Locale: locale.For("de-DE"),
		Result: result(floats("sales", 42_318.5), floats("sales.previous", 42_919))}))
}

func TestGoldenLine(t *testing.T) {
	days := []string{"2026-05-18", "2026-05-19", "2026-05-20", "2026-05-23", "2026-05-24"}
	r := span(result(dates("day", "day", days...), floats("sales", 50, 60, 55, 80, 70), floats("sales.previous", 45, 50, math.NaN(), 70, 66)),
		"2026-05-18", "2026-06-15")
	in := Input{Config: Config{Type: Line, Format: map[string]Format{"sales": money}}, Result: r, Words: Words{Previous: "Previous 28 days", Other: "Other"}}
	golden(t, "line", draw(t, in))
	in.Config.Type = Area
	golden(t, "area", draw(t, in))
	golden(t, "line_gaps", draw(t, Input{Config: Config{Type: Line, Format: map[string]Format{"delay": delay}},
		Result: span(result(dates("day", "day", days...), floats("delay", 5, 6, 5.5, 8, 7)), "2026-05-18", "2026-05-26")}))
	golden(t, "line_series", draw(t, Input{Config: Config{Type: Line, Format: map[string]Format{"n": {Additive: true}}},
		Order: []string{"North", "South"},
		Result: result(dates("week", "week", "2026-05-18", "2026-05-18", "2026-05-25", "2026-06-01"),
			texts("region", "South", "North", "South", "North"), ints("n", 10, 20, 12, 30))}))
	golden(t, "line_hours", draw(t, Input{Config: Config{Type: Line, Format: map[string]Format{"n": {Label: "Orders", Additive: true}}},
		Result: result(dimension(ints("hour", 8, 9, 12), "hour_of_day"), ints("n", 5, 8, 20))}))
}

func TestGoldenBar(t *testing.T) {
	r := result(texts("region", "London & SE", "North", Null, ""), floats("sales", 3_410_000, 2_020_000, 480_000, 12_000))
	r.HasOther, r.Columns[0].Nulls = true, []bool{false, false, true, true}
	in := Input{Config: Config{Type: Bar, Format: map[string]Format{"sales": money, "region": {Label: "Region"}}}, Result: r,
		Selected: []Mark{{"North"}}}
	golden(t, "bar", draw(t, in))
	in.Config.Encode.Vertical, in.Selected = true, nil
	golden(t, "bar_vertical", draw(t, in))
	golden(t, "bar_bins", draw(t, Input{Config: Config{Type: Bar, Encode: Encode{Vertical: true, Hue: "c2"}, Format: map[string]Format{"delay": delay, "distance": {Unit: "mi"}}},
		Bins: map[string]float64{"distance": 500}, Result: result(dimension(ints("distance", 0, 500, 1000), ""), floats("delay", 8, 9.5, 7.25))}))
	golden(t, "bar_edges", draw(t, Input{Config: Config{Type: Bar, Encode: Encode{Vertical: true}, Format: map[string]Format{"delay": delay, "distance": {Unit: "mi"}}},
		Edges: map[string][]float64{"distance": {0, 250, 1500}}, Result: result(dimension(ints("distance", 0, 250, 1500), ""), floats("delay", 8, 9.5, 7.25))}))
	golden(t, "bar_weeks", draw(t, Input{Config: Config{Type: Bar, Encode: Encode{Vertical: true}, Format: map[string]Format{"n": {Additive: true}}},
		Result: result(dates("week", "week", "2026-05-18", "2026-06-08"), ints("n", 3, 4))}))
}

func TestGoldenStackedBar(t *testing.T) {
	golden(t, "stacked_bar", draw(t, Input{Config: Config{Type: StackedBar, Format: map[string]Format{"sales": money}},
		Order: []string{"In store", "Delivery"}, Selected: []Mark{{"Delivery"}},
		Result: result(dates("week", "week", "2026-04-20", "2026-04-20", "2026-05-04", "2026-05-04"),
			texts("channel", "In store", "Delivery", "In store", "Collect"), floats("sales", 300_000, 120_000, 290_000, 60_000))}))
}

func TestGoldenDonut(t *testing.T) {
	golden(t, "donut", draw(t, Input{Config: Config{Type: Donut, Format: map[string]Format{"sales": money}},
		Result: result(texts("category", "Outerwear", "Footwear", "Base layers", "Packs", "Hats", "Gloves"),
			floats("sales", 31.4, 24.8, 17.2, 13.9, 9.7, 3))}))
}

func TestGoldenHeatmap(t *testing.T) {
	golden(t, "heatmap", draw(t, Input{Config: Config{Type: Heatmap, Format: map[string]Format{"delay": delay}},
		Selected: []Mark{{"1", "9"}},
		Result: result(dimension(ints("weekday", 1, 1, 7), "weekday"), dimension(ints("hour", 8, 9, 23), "hour_of_day"),
			floats("delay", 3.5, 12.25, 20))}))
}

func TestGoldenTable(t *testing.T) {
	r := result(texts("store", "Manchester Arndale", "Leeds Trinity", "Trafford Centre"), texts("code", "MAN", "LDS", "TRA"),
		floats("sales", 148_200, 126_700, 88_600), floats("sales.previous", 136_716, 122_890, 93_955),
		floats("on_time", 0.971, 0.938, math.NaN()))
	golden(t, "table", draw(t, Input{Config: Config{Type: Table, Format: map[string]Format{"sales": money, "on_time": share},
		Encode: Encode{Columns: []Cell{{Column: "store"}, {Column: "code", Quiet: true}, {Column: "sales", Bar: true, Change: true}, {Column: "on_time"}}}},
		Result: r, Sort: "-sales", PageSize: 2, Selected: []Mark{{"Leeds Trinity"}}}))
}

func TestGoldenMap(t *testing.T) {
	golden(t, "map", draw(t, Input{Config: Config{Type: Map, Encode: Encode{Lat: "lat", Lon: "lon", Label: "code", Size: "n", Colour: "delay", Map: "us"},
		Format: map[string]Format{"n": {Label: "Flights"}, "delay": delay}}, Selected: []Mark{{"ORD"}},
		Result: result(dimension(floats("lat", 41.97960, 33.64044, 91, math.NaN()), ""), dimension(floats("lon", -87.90446, -84.42694, 0, 0), ""),
			texts("code", "ORD", "ATL", "XXX", "YYY"), ints("n", 1000, 800, 5, 6), floats("delay", 12, 8, 1, 1))}))
}

// Every type has a golden file: a new one can't be forgotten.
func TestEveryTypeHasAGoldenFile(t *testing.T) {
	for _, typ := range Types() {
		if _, err := os.Stat(filepath.Join("testdata", string(typ)+".json")); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

func seriesData(t *testing.T, d *Drawing, n int) []any {
	t.Helper()
	var chart struct {
		Option struct {
			Series []struct{ Data []any }
		}
	}
	if err := json.Unmarshal(d.Chart, &chart); err != nil {
		t.Fatal(err)
	}
	return chart.Option.Series[n].Data
}

// A missing period is zero for what adds up and a gap for everything else.
func TestMissingPeriods(t *testing.T) {
	r := span(result(dates("day", "day", "2026-05-18", "2026-05-20"), floats("v", 5, 7)), "2026-05-18", "2026-05-22")
	for name, tc := range map[string]struct {
		additive bool
		want     []any
	}{
		"sum":  {true, []any{5.0, 0.0, 7.0, 0.0}},
		"mean": {false, []any{5.0, nil, 7.0, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			d := draw(t, Input{Config: Config{Type: Line, Format: map[string]Format{"v": {Additive: tc.additive}}}, Result: r})
			var got []any
			dots := 0 // values between gaps, to which no line leads
			for _, p := range seriesData(t, d, 0) {
				if lone, ok := p.(map[string]any); ok && lone["symbol"] == "circle" {
					p = lone["value"]
					dots++
				}
				got = append(got, p.([]any)[1])
			}
			if want := map[bool]int{true: 0, false: 2}[tc.additive]; dots != want {
				t.Errorf("%d dots, not %d", dots, want)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// Days of a zone with a clock change are whole days without a hole or a double.
func TestDaysAcrossClockChange(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	c := warehouse.ResultColumn{Name: "day", Type: warehouse.TimestampTZ, Dimension: true, Grain: "day"}
	values := []float64{}
	from := time.Date(2026, 10, 23, 0, 0, 0, 0, london)
	for i := range 5 {
		c.Ints = append(c.Ints, from.AddDate(0, 0, i).UnixMicro())
		values = append(values, float64(i+1))
	}
	r := result(c, floats("v", values...))
	r.Span = &warehouse.Span{From: from, To: from.AddDate(0, 0, 5)}
	d := draw(t, Input{Config: Config{Type: Line}, Result: r, Zone: london})
	var got []any
	for _, p := range seriesData(t, d, 0) {
		got = append(got, p.([]any)[1])
	}
	if want := []any{1.0, 2.0, 3.0, 4.0, 5.0}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestStackFoldsTheRestIntoOther(t *testing.T) {
	var names []string
	var values []float64
	for i := range 12 {
		names = append(names, fmt.Sprintf("n%02d", i))
		values = append(values, float64(100-i))
	}
	week := dates("week", "week", strings.Fields(strings.Repeat("2026-04-20 ", 12))...)
	in := Input{Config: Config{Type: StackedBar, Format: map[string]Format{"v": {Additive: true}}}, Result: result(week, texts("s", names...), floats("v", values...))}
	d := draw(t, in)
	if len(d.Legend) != MaxSeries+1 || d.Legend[MaxSeries].Name != "Other" || d.Legend[MaxSeries].Colour != "--c-other" || d.Legend[MaxSeries].Mark != "" {
		t.Fatalf("legend: %+v", d.Legend)
	}
	rest := seriesData(t, d, MaxSeries)[0].(map[string]any)["value"].(float64)
	if want := 93.0 + 92 + 91 + 90 + 89; rest != want {
		t.Errorf("Other is %v, want %v", rest, want)
	}
	// Means can't be added up: the rest is left out instead.
	in.Config.Format = nil
	if d := draw(t, in); len(d.Legend) != MaxSeries {
		t.Errorf("means: %d series, want %d", len(d.Legend), MaxSeries)
	}
}

func TestDonutSharesAddUp(t *testing.T) {
	var values []float64
	var names []string
	for i := range 9 {
		names, values = append(names, fmt.Sprint("n", i)), append(values, float64(i+1))
	}
	d := draw(t, Input{Config: Config{Type: Donut, Format: map[string]Format{"v": {Additive: true}}}, Result: result(texts("c", names...), floats("v", values...))})
	if len(d.Legend) != MaxSlices {
		t.Fatalf("%d slices, want %d", len(d.Legend), MaxSlices)
	}
	sum := 0.0
	for _, p := range seriesData(t, d, 0) {
		sum += p.(map[string]any)["value"].(float64)
	}
	if sum != 45 {
		t.Errorf("slices add up to %v, want 45", sum)
	}
}

// A category keeps its colour whatever else is drawn, and two never share one.
func TestColoursAreFixed(t *testing.T) {
	d := &drawing{Input: Input{Order: []string{"A", "B", "C"}}}
	if got, want := d.colours([]string{"C", "A"}), []string{"--c3", "--c1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got := d.colours([]string{"X", "B", "", "Y"})
	if got[1] != "--c2" || got[2] != "--c-other" || got[0] == got[1] || got[3] == got[0] || got[3] == got[1] {
		t.Errorf("colours: %v", got)
	}
}

func TestTooMuch(t *testing.T) {
	n := MaxPoints + 1
	names, values := make([]string, n), make([]float64, n)
	for i := range n {
		names[i] = fmt.Sprint(i)
	}
	d := draw(t, Input{Config: Config{Type: Bar}, Result: result(texts("c", names...), floats("v", values...))})
	if d.State != TooMuch || d.Count != n || d.Chart != nil {
		t.Errorf("state %q, count %d, chart of %d bytes", d.State, d.Count, len(d.Chart))
	}
}

func TestLinesAreThinned(t *testing.T) {
	n := 15_000
	c := warehouse.ResultColumn{Name: "at", Type: warehouse.Timestamp, Dimension: true, Grain: "minute"}
	values := make([]float64, n)
	for i := range n {
		c.Ints = append(c.Ints, int64(i)*60e6)
		values[i] = math.Sin(float64(i) / 300)
	}
	values[7_777] = 50 // a spike must survive
	d := draw(t, Input{Config: Config{Type: Line}, Result: result(c, floats("v", values...))})
	data := seriesData(t, d, 0)
	if len(data) > LinePoints || len(data) < LinePoints/2 {
		t.Errorf("%d points, want at most %d", len(data), LinePoints)
	}
	found := false
	for _, p := range data {
		found = found || p.([]any)[1].(float64) == 50
	}
	if !found {
		t.Error("the spike is gone")
	}
}

// 24,000 minutes are a line; more than the answer has room for are refused, with
// a grouping that would fit all of them.
func TestLinesOfMoreThanTheAnswerHolds(t *testing.T) {
	minutes := func(n int) *warehouse.Result {
		c := warehouse.ResultColumn{Name: "at", Type: warehouse.Timestamp, Dimension: true, Grain: "minute"}
		for i := range n {
			c.Ints = append(c.Ints, int64(i)*60e6)
		}
		return result(c, floats("v", make([]float64, n)...))
	}
	if d := draw(t, Input{Config: Config{Type: Line}, Result: minutes(24_000)}); d.State != Ready || d.Count != LinePoints || d.AtLeast {
		t.Errorf("24,000 moments are %s with %d points", d.State, d.Count)
	}
	cut := minutes(warehouse.MaxLimit)
	cut.More = true
	d := draw(t, Input{Config: Config{Type: Line}, Result: cut, Newest: time.Unix(0, 0).UTC().AddDate(10, 0, 0)})
	if d.State != TooMuch || d.Count != warehouse.MaxLimit || !d.AtLeast || !reflect.DeepEqual(d.Fit.Args, []any{"Grain", "day"}) || d.FitDays != 13 {
		t.Errorf("%s, %d points (more: %v), %v would fit, or %d days", d.State, d.Count, d.AtLeast, d.Fit, d.FitDays)
	}
	series := *cut
	series.Columns = []warehouse.ResultColumn{cut.Columns[0], texts("who", make([]string, cut.Rows)...), cut.Columns[1]}
	series.Columns[0].Ints = make([]int64, cut.Rows)
	if d := draw(t, Input{Config: Config{Type: Line}, Result: &series}); d.State != TooMuch || d.Fit.Key != "charts.fit.top" {
		t.Errorf("many lines are %s, %v would fit", d.State, d.Fit)
	}
	if d := draw(t, Input{Config: Config{Type: Line}, Result: cut, Limited: true}); d.State != Ready {
		t.Errorf("a limit of its own is %s", d.State)
	}
	// Two moments far apart have more buckets between them than a line has room for.
	far := minutes(2)
	far.Columns[0].Ints[1] = int64(warehouse.MaxLimit+5) * 60e6
	if d := draw(t, Input{Config: Config{Type: Line}, Result: far}); d.State != TooMuch || d.Count != warehouse.MaxLimit || !d.AtLeast {
		t.Errorf("moments far apart: %s, %d points (more: %v)", d.State, d.Count, d.AtLeast)
	}
	// Gaps stay, so a line of nothing else is too much.
	gaps := minutes(60_000)
	for i := range gaps.Rows {
		if i%2 == 0 {
			gaps.Columns[1].Floats[i] = math.NaN()
		}
	}
	if d := draw(t, Input{Config: Config{Type: Line}, Result: gaps}); d.State != TooMuch || d.Chart != nil || d.Legend != nil {
		t.Errorf("gaps are %s with %d points", d.State, d.Count)
	}
}

// Nothing is known of a cell without rows, whether or not its measure adds up.
func TestAHeatmapLeavesBlankWhatHasNoRows(t *testing.T) {
	for name, additive := range map[string]bool{"a sum": true, "a mean": false} {
		d := draw(t, Input{Config: Config{Type: Heatmap, Format: map[string]Format{"v": {Additive: additive}}},
			Result: result(dimension(ints("weekday", 1, 1, 7), "weekday"), dimension(ints("month", 1, 2, 10), "month_of_year"), floats("v", 30, 12, 20))})
		if cells := seriesData(t, d, 0); len(cells) != 3 || d.Count != 3 || d.Scale[0] != "12" {
			t.Errorf("%s has the cells %v from %s", name, cells, d.Scale[0])
		}
	}
}

func TestTheRestHasItsName(t *testing.T) {
	rest := func(r *warehouse.Result, rows ...int) *warehouse.Result {
		r.OtherRows = make([]bool, r.Rows)
		for _, row := range rows {
			r.OtherRows[row] = true
		}
		r.HasOther = len(rows) == 1 && rows[0] == r.Rows-1
		return r
	}
	null := func(c warehouse.ResultColumn, rows ...int) warehouse.ResultColumn {
		c.Nulls = make([]bool, max(len(c.Ints), len(c.Texts)))
		for _, row := range rows {
			c.Nulls[row] = true
		}
		return c
	}
	for name, tc := range map[string]struct {
		r    *warehouse.Result
		want [][]string
	}{
		"numbers": {rest(result(null(dimension(ints("size", 100, 0, 0), ""), 1, 2), ints("n", 5, 2, 9)), 2), [][]string{{"100"}, {English.NoValue}, {"Other"}}},
		"months":  {rest(result(null(dates("month", "month", "2026-05-01", "2026-05-01"), 1), ints("n", 5, 9)), 1), [][]string{{"May 2026"}, {"Other"}}},
		"days and texts": {rest(result(null(dates("day", "day", "2026-05-01", "2026-05-01", "2026-05-02", "2026-05-02"), 3), null(texts("c", "a", "", "a", ""), 1, 3), ints("n", 1, 2, 3, 4)), 1, 3),
			[][]string{{"1 May 2026", "a"}, {"1 May 2026", "Other"}, {"2 May 2026", "a"}, {English.NoValue, "Other"}}},
	} {
		for how, draws := range map[string]func(Input) (*Grid, error){"as table": Tabulate, "table": func(in Input) (*Grid, error) {
			d, err := Draw(in)
			return d.Table, err
		}} {
			g, err := draws(Input{Config: Config{Type: Table}, Result: tc.r})
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range tc.want {
				for n, text := range want {
					if got := g.Rows[i].Cells[n].Text; got != text && !(text == English.NoValue && got == locale.Missing) {
						t.Errorf("%s, %s: row %d, column %d reads %q, want %q", name, how, i, n, got, text)
					}
				}
			}
		}
	}
}

func TestThinKeepsEndsAndOrder(t *testing.T) {
	x, y := make([]float64, 500), make([]float64, 500)
	for i := range x {
		x[i], y[i] = float64(i), float64(i*i%97)
	}
	for _, n := range []int{3, 10, 499, 500, 600} {
		kept := thin(x, y, n)
		if kept[0] != 0 || kept[len(kept)-1] != 499 || len(kept) > n && n < 500 {
			t.Errorf("n=%d: %d points from %d to %d", n, len(kept), kept[0], kept[len(kept)-1])
		}
		for i := 1; i < len(kept); i++ {
			if kept[i] <= kept[i-1] {
				t.Fatalf("n=%d: out of order at %d", n, i)
			}
		}
	}
}

func TestTicksAreOnRoundPlacesAndFew(t *testing.T) {
	from := time.Date(2026, 4, 17, 0, 0, 0, 0, time.UTC)
	for _, days := range []int{1, 2, 7, 28, 60, 120, 400, 2000, 9000} {
		var at []time.Time
		for i := range days {
			at = append(at, from.AddDate(0, 0, i))
		}
		for _, most := range []int{2, 4, 12} {
			chosen, by := ticks(at, "day", most)
			if len(chosen) == 0 || len(chosen) > most {
				t.Errorf("%d days: %d ticks, want 1 to %d", days, len(chosen), most)
			}
			for _, tick := range chosen {
				if by.grain == "week" && tick.Weekday() != time.Monday && len(chosen) > 1 || by.grain == "month" && tick.Day() != 1 && len(chosen) > 1 {
					t.Errorf("%d days: tick on %s for steps of %s", days, tick, by.grain)
				}
			}
		}
	}
}

func TestMarksRoundTrip(t *testing.T) {
	for _, m := range []Mark{{"CA"}, {""}, {Null}, {"a,b", "c*d"}, {"~", "~~0", "~0"}, {Null, "", "x"}, {"São Tomé & Príncipe"}} {
		word := m.Word()
		if strings.Contains(word, ",") {
			t.Errorf("%q: a word with a comma: %q", m, word)
		}
		got, err := ParseMark(word)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%q: word %q reads %q, %v", m, word, got, err)
		}
	}
	for _, bad := range []string{"~", "~x", "a~", "a,b", "~0x"} {
		if _, err := ParseMark(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func FuzzMark(f *testing.F) {
	for _, seed := range []string{"CA", "a~cb*~0", "~", "", "***", "~~0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		m, err := ParseMark(word)
		if err != nil {
			return
		}
		if got := m.Word(); got != word {
			t.Errorf("%q reads %q, which is written %q", word, m, got)
		}
	})
}

// What a click sends is what the selection of the next drawing matches.
func TestMarksOfAChartAreUnderstood(t *testing.T) {
	r := result(dimension(ints("weekday", 1, 2), "weekday"), dimension(ints("hour", 8, 9), "hour_of_day"), floats("v", 1, 2))
	d := draw(t, Input{Config: Config{Type: Heatmap}, Result: r})
	var chart struct {
		DF struct{ Marks struct{ Values []string } }
	}
	if err := json.Unmarshal(d.Chart, &chart); err != nil {
		t.Fatal(err)
	}
	m, err := ParseMark(chart.DF.Marks.Values[1])
	if err != nil || !reflect.DeepEqual(m, Mark{"2", "9"}) {
		t.Errorf("mark %q, %v", m, err)
	}
}

func TestConfigErrors(t *testing.T) {
	r := result(texts("c", "a"), floats("v", 1))
	for name, in := range map[string]Input{
		"unknown type":        {Config: Config{Type: "pie"}, Result: r},
		"column not answered": {Config: Config{Type: Bar, Encode: Encode{Value: "gone"}}, Result: r},
		"no measure":          {Config: Config{Type: Bar}, Result: result(texts("c", "a"))},
		"map without places":  {Config: Config{Type: Map}, Result: r},
		"stack of one":        {Config: Config{Type: StackedBar}, Result: r},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Draw(in); err == nil {
				t.Error("drawn")
			}
		})
	}
}

func TestTabulateShowsEveryRow(t *testing.T) {
	r := result(texts("c", "a", "b", "c"), floats("v", 1.5, math.NaN(), 1000), floats("v.previous", 1, 2, 3))
	g, err := Tabulate(Input{Config: Config{Type: Bar}, Result: r, PageSize: 2, Page: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Columns) != 3 || len(g.Rows) != 1 || g.Rows[0].Cells[1].Text != "1,000.0" || g.From != 3 || g.To != 3 || g.Pages != 2 {
		t.Errorf("%+v", g)
	}
	if g.Columns[2].Label != "V, Previous period" {
		t.Errorf("label %q", g.Columns[2].Label)
	}
}

func TestEmptyResultIsEmpty(t *testing.T) {
	for _, typ := range Types() {
		if !typ.Asks() || typ == Pivot {
			continue
		}
		d, err := Draw(Input{Config: Config{Type: typ}, Result: result(texts("c"), floats("v"))})
		if err != nil || d.State != Empty {
			t.Errorf("%s: %v, %v", typ, d, err)
		}
	}
}

func TestSparklineSurvivesAnything(t *testing.T) {
	nan := math.NaN()
	for _, values := range [][]float64{nil, {1}, {nan, nan}, {nan, 1, nan, 2}, {3, 3, 3}, make([]float64, 1000)} {
		svg := Sparkline(values, "--c1")
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%v: %s", values, svg)
		}
	}
	if Sparkline([]float64{1, 2}, `x"><script>`) == "" || strings.Contains(Sparkline([]float64{1, 2}, `x"><script>`), "<script") {
		t.Error("a hue is not escaped")
	}
}

// Rows as they were loaded show the digits that they have, not those of a figure.
func TestPlainRowsKeepTheirDigits(t *testing.T) {
	price := floats("price", 530.95, 7, 1_234_567.5)
	price.Type, price.Scale = warehouse.Decimal, 2
	in := Input{Config: Config{Type: Table}, Plain: true, Result: result(texts("sku", "a", "b", "c"), price, floats("lat", 41.9796, 33.64044, 5), ints("n", 1_234_567, 2, 3))}
	for i := range in.Result.Columns {
		in.Result.Columns[i].Dimension = false
	}
	var got []string
	for _, row := range draw(t, in).Table.Rows {
		for _, cell := range row.Cells[1:] {
			got = append(got, cell.Text)
		}
	}
	want := []string{"530.95", "41.9796", "1,234,567", "7.00", "33.6404", "2", "1,234,567.50", "5.0000", "3"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// A sentence speaks of both measures.
func TestTheSentenceOfTwoMeasures(t *testing.T) {
	d := draw(t, Input{Config: Config{Type: Line, Encode: Encode{Y: "v", Also: "w"}, Format: map[string]Format{"v": {Label: "Sales"}, "w": {Label: "Margin"}}},
		Result: span(result(dates("day", "day", "2026-05-18", "2026-05-20"), floats("v", 5, 7), floats("w", 30, 10)), "2026-05-18", "2026-05-22")})
	args := map[string]any{}
	for i := 0; i+1 < len(d.Say.Args); i += 2 {
		args[d.Say.Args[i].(string)] = d.Say.Args[i+1]
	}
	if d.Say.Key != "charts.say.line_also" || args["Also"] != "Margin" || args["AlsoHighAt"] != "18 May" || args["AlsoLow"] != "10" || args["AlsoLowAt"] != "20 May" {
		t.Errorf("%s %v", d.Say.Key, args)
	}
}

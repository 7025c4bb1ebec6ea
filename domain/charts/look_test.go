package charts

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// drawn is a part of a chart by its path: names of keys, and indices.
func drawn(t *testing.T, d *Drawing, path ...any) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(d.Chart, &v); err != nil {
		t.Fatal(err)
	}
	for _, p := range path {
		switch p := p.(type) {
		case string:
			o, _ := v.(map[string]any)
			v = o[p]
		case int:
			list, _ := v.([]any)
			if p >= len(list) {
				t.Fatalf("%v has %d parts", path, len(list))
			}
			v = list[p]
		}
	}
	return v
}

func TestValuesAreShortenedNotCut(t *testing.T) {
	d := drawing{Input: Input{Locale: locale.Default()}}
	for _, c := range []struct {
		v    float64
		f    Format
		want string
	}{
		{1463, Format{}, "1,463 1.5k"}, {127_812_345, Format{}, "127.8M 130M"}, {2789, money, "£2,789 £2.8k"}, {42, Format{}, "42"}, {0, Format{}, "0"}, {999.4, Format{}, "999.4 1k"},
	} {
		if got := strings.Join(d.valueTexts(c.v, c.f.number(false)), " "); got != c.want {
			t.Errorf("%v: %q, want %q", c.v, got, c.want)
		}
	}
}

func TestFewNamesAllStand(t *testing.T) {
	few := []string{"Köln", "München", "Düsseldorf", "Straßburg", "Graz"}
	many := make([]string, 40)
	for i := range many {
		many[i] = "branch " + string(rune('A'+i%26)) + string(rune('a'+i/26))
	}
	numbers := func(n int) warehouse.ResultColumn {
		c := ints("n")
		for i := range n {
			c.Ints = append(c.Ints, int64(n-i))
		}
		return c
	}
	additive := map[string]Format{"n": {Additive: true}}
	for kind, in := range map[string]Config{
		"bars":      {Type: Bar, Encode: Encode{Vertical: true}, Format: additive},
		"waterfall": {Type: Waterfall, Format: additive},
	} {
		for _, names := range [][]string{few, many} {
			d := draw(t, Input{Config: in, Result: result(texts("branch", names...), numbers(len(names)))})
			label := drawn(t, d, "option", "xAxis", "axisLabel").(map[string]any)
			if all := label["fit"] == true && label["interval"] == 0.0; all != (len(names) == 5) {
				t.Errorf("%s of %d: %v", kind, len(names), label)
			}
		}
	}
	d := draw(t, Input{Config: Config{Type: Heatmap}, Result: result(texts("branch", few...), texts("month", "1", "2", "3", "4", "5"), numbers(5))})
	if drawn(t, d, "option", "xAxis", "axisLabel", "fit") != true || drawn(t, d, "option", "yAxis", "axisLabel", "interval") != 0.0 {
		t.Error("a heatmap leaves names out")
	}
}

func TestMissingIsNotZero(t *testing.T) {
	r := result(texts("country", "US", Null), floats("n", 12, math.NaN()))
	in := Input{Config: Config{Type: Bar, Format: map[string]Format{"n": {Additive: true}}}, Result: r}
	d := draw(t, in)
	if got := drawn(t, d, "option", "series", 0, "data", 1, "label", "formatter"); got != "—" {
		t.Errorf("beside the bar stands %v", got)
	}
	if got := drawn(t, d, "df", "tooltip", "texts", 0, 1); got != "—" {
		t.Errorf("the tip says %v", got)
	}
	in.Config.Encode.Vertical = true
	if got := drawn(t, draw(t, in), "option", "series", 0, "data", 1); got != nil {
		t.Errorf("standing, it is %v", got)
	}
	// A week without a row is one in which nothing was sold.
	in.Result = result(dates("week", "week", "2026-06-01", "2026-06-15"), ints("n", 4, 5))
	if got := drawn(t, draw(t, in), "option", "series", 0, "data", 1); got != 0.0 {
		t.Errorf("between weeks stands %v", got)
	}
}

func TestRangesStandInTheirOrder(t *testing.T) {
	in := Input{Config: Config{Type: Bar, Format: map[string]Format{"n": {Additive: true}}}, Result: result(
		texts("age", "45-54", "18-24", Null, "35-44", "55+", "under 18", "25-34"), ints("n", 9, 8, 7, 6, 5, 4, 3))}
	want := "under 18,18-24,25-34,35-44,45-54,55+,No value"
	names := func(v any) string {
		var list []string
		for _, each := range v.([]any) {
			list = append(list, each.(string))
		}
		return strings.Join(list, ",")
	}
	if got := names(drawn(t, draw(t, in), "option", "yAxis", "data")); got != want {
		t.Errorf("bars: %s", got)
	}
	in.Config.Type = Donut
	in.Result = result(texts("age", "45-54", "18-24", "35-44", "55+", "25-34"), ints("n", 9, 8, 6, 5, 3))
	d := draw(t, in)
	var shown []string
	for _, l := range d.Legend {
		shown = append(shown, l.Name)
	}
	if got := strings.Join(shown, ","); got != "18-24,25-34,35-44,45-54,55+" {
		t.Errorf("five slices: %s", got)
	}
	if d.Say.Args[slicesIndex(d.Say.Args, "Largest")+1] != "45-54" {
		t.Errorf("the largest is %v", d.Say.Args)
	}
	for name, ordered := range map[string]bool{"18-24": true, "1,000–1,999 km": true, "55+": true, "< 10 kg": true, "≥ 5k": true, "65 and over": true, "$10k to 20k": true,
		"Berlin": false, "2024": false, "Route 66": false, "34-25": false, "": false, "B2B": false, "24/7": false, "under": false} {
		if _, _, ok := rangeStart(name); ok != ordered {
			t.Errorf("%q is a range: %t", name, ok)
		}
	}
	for text, want := range map[string]bool{"18-24 25-34 ~0 55+": true, "5-9 10-14 15+": true, "0–9 10–19": true, "North South": false, "10 20 30": false, "55+": false, "": false} {
		if got := Ranges(strings.Fields(strings.ReplaceAll(text, "~0", Null))); got != want {
			t.Errorf("%s are ranges: %t", text, got)
		}
	}
	// Whoever had them sorted by a measure has a ranking.
	in.Config.Type, in.Ranked = Bar, true
	in.Result = result(texts("age", "45-54", "18-24", "35-44"), ints("n", 9, 8, 6))
	if got := names(drawn(t, draw(t, in), "option", "yAxis", "data")); got != "45-54,18-24,35-44" {
		t.Errorf("ranked: %s", got)
	}
	in.Ranked = false
	// Other names keep the order of the query.
	in.Config.Type = Bar
	in.Result = result(texts("flight", "18-24", "LH 400", "3-5"), ints("n", 9, 8, 7))
	if got := names(drawn(t, draw(t, in), "option", "yAxis", "data")); got != "18-24,LH 400,3-5" {
		t.Errorf("others: %s", got)
	}
}

func slicesIndex(args []any, name string) int { return slices.Index(args, any(name)) }

func TestBucketsThatTheRangeCuts(t *testing.T) {
	weeks := dates("week", "week", "2026-06-01", "2026-06-08", "2026-06-15", "2026-06-22")
	n := Format{Label: "Orders", Additive: true}
	cut := span(result(weeks, ints("n", 100, 700, 710, 690)), "2026-06-07", "2026-06-29")

	in := Input{Config: Config{Type: Bar, Encode: Encode{Vertical: true}, Format: map[string]Format{"n": n}}, Result: cut}
	d := draw(t, in)
	if got := drawn(t, d, "option", "series", 0, "data", 0, "itemStyle", "opacity"); got != cutFade {
		t.Errorf("the first bar has an opacity of %v", got)
	}
	if got := drawn(t, d, "option", "series", 0, "data", 3); got != 690.0 {
		t.Errorf("the last bar, which is whole, is %v", got)
	}
	if got := drawn(t, d, "df", "tooltip", "heads", 0); got != "W23 · part of the week" {
		t.Errorf("its tip says %q", got)
	}
	if got := drawn(t, d, "option", "xAxis", "data", 0); got != "W23" {
		t.Errorf("the axis says %q", got)
	}

	two := span(result(dates("week", "week", "2026-06-01", "2026-06-08", "2026-06-01", "2026-06-08"), texts("state", "CA", "CA", "TX", "TX"), ints("n", 5, 70, 4, 60)), "2026-06-07", "2026-06-15")
	d = draw(t, Input{Config: Config{Type: StackedBar, Format: map[string]Format{"n": n}}, Result: two, Selected: []Mark{{"CA"}}})
	first, second := drawn(t, d, "option", "series", 0, "data", 0, "itemStyle", "opacity"), drawn(t, d, "option", "series", 1, "data", 0, "itemStyle", "opacity")
	if first != cutFade || second != pale(true, true) {
		t.Errorf("parts of the first bar have %v and %v", first, second)
	}

	in.Config = Config{Type: Line, Format: map[string]Format{"n": n}}
	d = draw(t, in)
	if got := drawn(t, d, "option", "series", 0, "data", 0, 1); got != nil {
		t.Errorf("the line itself begins with %v", got)
	}
	tail := drawn(t, d, "option", "series", 1).(map[string]any)
	if tail["lineStyle"].(map[string]any)["type"] == nil {
		t.Error("what leads from the cut week is not dashed")
	}
	if got := drawn(t, d, "option", "series", 1, "data", 0, "text"); got != "100 · part of the week" {
		t.Errorf("the tip says %v", got)
	}
	// The neighbour is in the tip of the line already.
	if join := drawn(t, d, "option", "series", 1, "data", 1).([]any); len(join) != 3 || join[1] != 700.0 || join[2] != nil {
		t.Errorf("it leads to %v", join)
	}
	if names := drawn(t, d, "df", "tooltip", "names").([]any); len(names) != 2 || names[0] != names[1] || len(d.Legend) != 0 {
		t.Errorf("names %v, legend %v", names, d.Legend)
	}
	if low := d.Say.Args[slicesIndex(d.Say.Args, "Low")+1]; low != "690" {
		t.Errorf("the lowest whole week has %v", low)
	}

	whole := span(result(weeks, ints("n", 100, 700, 710, 690)), "2026-06-01", "2026-06-29")
	in.Result = whole
	if list := drawn(t, draw(t, in), "option", "series").([]any); len(list) != 1 {
		t.Errorf("whole weeks have %d lines", len(list))
	}
}

// Without a date range the data have ends of their own.
func TestBucketsThatTheDataCut(t *testing.T) {
	weeks := func(values ...int64) *warehouse.Result {
		return result(dates("week", "week", "2026-01-26", "2026-02-02", "2026-02-09", "2026-02-16", "2026-02-23", "2026-03-02"), ints("n", values...))
	}
	draw := func(typ Type, r *warehouse.Result, oldest, newest string) *Drawing {
		return draw(t, Input{Config: Config{Type: typ, Encode: Encode{Vertical: true}, Format: map[string]Format{"n": {Label: "Sales", Additive: true}}}, Result: r,
			Oldest: moment(t, oldest+"T00:00"), Newest: moment(t, newest+"T00:00")})
	}
	pale := func(d *Drawing) (list []int) {
		for i, each := range drawn(t, d, "option", "series", 0, "data").([]any) {
			if _, own := each.(map[string]any); own {
				list = append(list, i)
			}
		}
		return list
	}
	for name, of := range map[string]struct {
		values         []int64
		oldest, newest string
		pale           []int
	}{
		"from Sunday to Tuesday":     {[]int64{50, 270, 290, 280, 300, 80}, "2026-02-01", "2026-03-03", []int{0, 5}},
		"working days to a Friday":   {[]int64{260, 270, 290, 280, 300, 280}, "2026-01-26", "2026-03-06", nil},
		"from Monday to Sunday":      {[]int64{260, 270, 290, 280, 300, 280}, "2026-01-26", "2026-03-08", nil},
		"a row a week, on Wednesday": {[]int64{260, 270, 290, 280, 300, 280}, "2026-01-28", "2026-03-04", nil},
		"and far fewer in the last":  {[]int64{260, 270, 290, 280, 300, 40}, "2026-01-28", "2026-03-04", nil},
	} {
		if got := pale(draw(Bar, weeks(of.values...), of.oldest, of.newest)); !slices.Equal(got, of.pale) {
			t.Errorf("%s: paler are %v", name, got)
		}
	}

	// The axis holds them as well.
	d := draw(Line, weeks(50, 270, 290, 280, 300, 80), "2026-02-01", "2026-03-03")
	if low := drawn(t, d, "option", "yAxis", "min"); low != nil {
		t.Errorf("the axis begins at %v", low)
	}
	if got := drawn(t, d, "option", "series", 1, "data", 0, "value", 1); got != 50.0 {
		t.Errorf("the first week has %v", got)
	}
	// Months of monthly data are whole on whichever day they are dated.
	months := result(dates("month", "month", "2026-01-01", "2026-02-01", "2026-03-01"), ints("n", 5, 6, 5))
	if got := pale(draw(Bar, months, "2026-01-31", "2026-03-31")); got != nil {
		t.Errorf("monthly: paler are %v", got)
	}
	quarters := result(dates("quarter", "quarter", "2026-01-01", "2026-04-01"), ints("n", 15, 10))
	if got := pale(draw(Bar, quarters, "2026-01-01", "2026-05-01")); !slices.Equal(got, []int{1}) {
		t.Errorf("two months of a quarter: paler are %v", got)
	}
	years := result(dates("year", "year", "2025-01-01", "2026-01-01"), ints("n", 15, 10))
	if got := pale(draw(Bar, years, "2025-01-01", "2026-10-01")); got != nil {
		t.Errorf("four quarters of a year: paler are %v", got)
	}
	if got := pale(draw(Bar, months, "2026-01-02", "2026-03-27")); got != nil {
		t.Errorf("weeks of a month: paler are %v", got)
	}
	if got := pale(draw(Bar, quarters, "2026-01-01", "2026-06-01")); got != nil {
		t.Errorf("three months of a quarter: paler are %v", got)
	}
}

func TestSparklinesLeaveCutEndsOut(t *testing.T) {
	values := []float64{1, 7, 8, 7, 3}
	if got := whole(values, []bool{true, false, false, false, true}); !slices.Equal(got, []float64{7, 8, 7}) {
		t.Errorf("drawn are %v", got)
	}
	if got := whole(values, nil); len(got) != 5 {
		t.Errorf("of whole buckets %v are drawn", got)
	}
	if got := whole(values[:2], []bool{true, false}); len(got) != 2 {
		t.Errorf("too few are left: %v", got)
	}
}

// No cell reads zero that is not, and a column keeps its decimals below too.
func TestCellsBesideTotals(t *testing.T) {
	d := drawing{Input: Input{Locale: locale.Default(), Config: Config{}}}
	column := floats("n", 58_748.6, 63_949.9)
	d.Result = result(column)
	c := &d.Result.Columns[0]
	f, _ := d.fitTotals(c, []float64{315_600, 1_237_700})
	for v, want := range map[float64]string{58_748.6: "58.7k", 315_600: "315.6k", 1_237_700: "1,237.7k", 12: "12", 0: "0.0k"} {
		if got := d.cellText(v, f, c); got != want {
			t.Errorf("%v is %q, not %q", v, got, want)
		}
	}
	d.Result = result(ints("n", 20_612, 20_398))
	c = &d.Result.Columns[0]
	f, _ = d.fitTotals(c, []float64{244_123})
	for v, want := range map[float64]string{20_612: "20,612", 244_123: "244,123", 61_244_123: "61.24M"} {
		if got := d.cellText(v, f, c); got != want {
			t.Errorf("%v of whole numbers is %q, not %q", v, got, want)
		}
	}
	d.Result = result(floats("n", 86_200_000, 4_649))
	c = &d.Result.Columns[0]
	f, _ = d.fit(c, true)
	if got := d.cellText(4_649, f, c); got != "4,649" {
		t.Errorf("4,649 among millions is %q", got)
	}
	// Keys of groups can be told apart.
	keys := ints("order_id", 1_000_001, 1_000_002)
	keys.Dimension = true
	d.Result = result(keys)
	c = &d.Result.Columns[0]
	f, _ = d.fit(c, true)
	if got := d.cellText(1_000_002, f, c); got != "1,000,002" {
		t.Errorf("the key 1000002 is %q", got)
	}
	d.Result = result(floats("n", 5.1, 4.8))
	c = &d.Result.Columns[0]
	f, _ = d.fitTotals(c, []float64{5})
	if got := d.cellText(5, f, c); got != "5.0" {
		t.Errorf("the mean of all is %q", got)
	}
}

func TestDaysOnAnAxisOfTimes(t *testing.T) {
	d := drawing{Input: Input{Locale: locale.Default(), Config: Config{Type: Line}, Size: Size{W: 9}}}
	aside := false // whether the first label stands clear of the other axis
	labels := func(from, to string) map[string]string {
		var list []time.Time
		for at, end := moment(t, from), moment(t, to); !at.After(end); at = at.Add(time.Minute) {
			list = append(list, at)
		}
		axis, _ := d.timeAxis(list, "minute")
		found := map[string]string{}
		aside = axis["axisLabel"].(obj)["alignMinLabel"] == "left"
		for ms, text := range axis["axisLabel"].(obj)["formatter"].(obj)["$format"].(obj)["labels"].(obj) {
			found[ms] = text.(string)
		}
		return found
	}
	var texts []string
	for _, text := range labels("2001-01-08T06:00", "2001-01-08T07:10") {
		texts = append(texts, text)
	}
	if !slices.Contains(texts, "06:00\n8 Jan") || slices.Contains(texts, "8 Jan") || !aside {
		t.Errorf("within a day: %q", texts)
	}
	texts = nil
	for _, text := range labels("2001-01-07T22:00", "2001-01-08T02:00") {
		texts = append(texts, text)
	}
	if !slices.Contains(texts, "8 Jan") {
		t.Errorf("over midnight: %q", texts)
	}
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04", text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// The axes of bubbles hold them whole, on the least width that they may have.
func TestAxesHoldBubbles(t *testing.T) {
	r := result(texts("code", "ORD", "ATL", "DEN"), floats("x", 0, 10, 20), floats("y", 100, 110, 120), ints("n", 100, 80, 10))
	d := draw(t, Input{Config: Config{Type: Bubble}, Result: r})
	low, high := drawn(t, d, "option", "xAxis", "min").(float64), 20.0
	if top := drawn(t, d, "option", "xAxis", "max"); top != nil {
		high = top.(float64)
	}
	pixels := float64(Bubble.DefaultSize().pixels())*narrowest - 50
	if room := (0 - low) / (high - low) * pixels; room < 19 {
		t.Errorf("the largest bubble, of 20 pixels, has %.0f to the left", room)
	}
	if drawn(t, d, "option", "xAxis", "axisLabel", "showMinLabel") != false {
		t.Error("the axis is labelled where it happens to begin")
	}
}

// A heatmap has the hours between the first and the last with a value, unless those
// are few.
func TestHeatmapLeavesEmptyHoursOut(t *testing.T) {
	for want, hours := range map[string][]int64{"08,09,10,11,12,13,14": {8, 10, 14}, "00,01,02,03,04,05,06,07,08,09,10,11,12,13,14,15,16,17,18,19,20,21,22,23": {8, 9, 10}} {
		d := draw(t, Input{Config: Config{Type: Heatmap}, Result: result(dimension(ints("weekday", 1, 2, 7), "weekday"), dimension(ints("hour", hours...), "hour_of_day"), floats("n", 3, 4, 5))})
		var got []string
		for _, name := range drawn(t, d, "option", "xAxis", "data").([]any) {
			got = append(got, name.(string))
		}
		if strings.Join(got, ",") != want {
			t.Errorf("hours %v: the axis has %v", hours, got)
		}
		if heads := drawn(t, d, "df", "tooltip", "heads").([]any); heads[0] != "Mon 08" {
			t.Errorf("hours %v: heads %v", hours, heads)
		}
	}
}

package charts

import (
	"math"
	"regexp"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/warehouse"
)

func lined(t *testing.T, in Input, measures ...string) series {
	t.Helper()
	d, err := begin(in)
	if err != nil {
		t.Fatal(err)
	}
	var ys []*warehouse.ResultColumn
	for _, name := range measures {
		y, err := d.column(name)
		if err != nil {
			t.Fatal(err)
		}
		ys = append(ys, y)
	}
	return d.series(d.dims[0], ys)
}

// What is compared with begins in the middle of the span: nothing is known of
// the days before, and a day within the data without a row is a zero.
func TestComparisonBeforeTheDataIsAGap(t *testing.T) {
	t.Parallel()
	r := span(result(dates("day", "day", "2026-06-08", "2026-06-09", "2026-06-10", "2026-06-11"), ints("n", 8, 9, 10, 11),
		warehouse.ResultColumn{Name: "n.previous", Type: warehouse.Integer, Ints: []int64{0, 0, 0, 7}, Nulls: []bool{true, true, true, false}}), "2026-06-08", "2026-06-12")
	r.Previous = &warehouse.Span{From: r.Span.From.AddDate(0, 0, -4), To: r.Span.From}
	in := Input{Config: Config{Type: Line, Format: map[string]Format{"n": {Additive: true}}}, Result: r,
		Oldest: time.Date(2026, 6, 6, 9, 0, 0, 0, time.UTC), Newest: time.Date(2026, 6, 11, 9, 0, 0, 0, time.UTC)}
	got := lined(t, in, "n", "n.previous").values[1]
	for i, want := range []float64{math.NaN(), math.NaN(), 0, 7} {
		if got[i] != want && !(math.IsNaN(got[i]) && math.IsNaN(want)) {
			t.Errorf("day %d of the comparison is %v, want %v", i, got[i], want)
		}
	}
}

func TestHoursThatNoClockShowsAreNotOnTheAxis(t *testing.T) {
	t.Parallel()
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	// Clocks went from 01:00 to 02:00 on 29 March 2026.
	from := time.Date(2026, 3, 29, 0, 0, 0, 0, london)
	hours := warehouse.ResultColumn{Name: "hour", Type: warehouse.TimestampTZ, Dimension: true, Grain: "hour",
		Ints: []int64{from.UnixMicro(), from.Add(time.Hour).UnixMicro(), from.Add(2 * time.Hour).UnixMicro()}}
	in := Input{Config: Config{Type: Line, Format: map[string]Format{"n": {Additive: true}}}, Result: result(hours, ints("n", 1, 2, 3)), Zone: london}
	s := lined(t, in, "n")
	if len(s.at) != 3 || s.at[1].Hour() != 2 || s.values[0][1] != 2 {
		t.Errorf("the hours are %v with %v", s.at, s.values)
	}
}

// What a rule withholds or a filter on the measure leaves out is no zero: there
// are rows.
func TestWhatWasLeftOutIsNoZero(t *testing.T) {
	t.Parallel()
	sums := map[string]Format{"n": {Additive: true}}
	for kind, config := range map[string]Config{
		"line": {Type: Line}, "area": {Type: Area}, "bars": {Type: Bar}, "calendar": {Type: Calendar},
		"stacked": {Type: StackedBar}, "lines": {Type: Line, Encode: Encode{Series: "k"}},
	} {
		config.Format = sums
		zeros := map[bool]int{}
		for _, sparse := range []bool{false, true} {
			columns := []warehouse.ResultColumn{dates("day", "day", "2026-06-08", "2026-06-11"), ints("n", 8, 11)}
			if kind == "stacked" || kind == "lines" {
				columns = []warehouse.ResultColumn{columns[0], texts("k", "a", "b"), columns[1]}
			}
			r := span(result(columns...), "2026-06-08", "2026-06-12")
			r.Sparse = sparse
			text := draw(t, Input{Config: config, Result: r}).Chart
			zeros[sparse] = len(regexp.MustCompile(`,0\]|\[0,|,0,`).FindAll(text, -1))
		}
		if zeros[true] >= zeros[false] {
			t.Errorf("%s: %d zeros where nothing is known, %d where nothing is", kind, zeros[true], zeros[false])
		}
	}
	nothing := result(dates("day", "day"), ints("n"))
	nothing.Sparse = true
	if d := draw(t, Input{Config: Config{Type: Line, Format: sums}, Result: nothing}); d.State != Empty || !d.Sparse {
		t.Errorf("all of it left out: %+v", d)
	}
}

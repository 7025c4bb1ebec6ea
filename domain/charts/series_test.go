package charts

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
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

// A plan runs ahead of what is booked: the months without a booking yet are no
// fall to zero, but one between two bookings is.
func TestWhatIsNotBookedYetIsAGap(t *testing.T) {
	t.Parallel()
	r := result(dates("month", "month", "2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"), ints("plan", 8, 9, 10, 11),
		warehouse.ResultColumn{Name: "booked", Type: warehouse.Integer, Ints: []int64{5, 0, 7, 0}, Nulls: []bool{false, true, false, true}})
	in := Input{Config: Config{Type: Line, Format: map[string]Format{"plan": {Additive: true}, "booked": {Additive: true}}}, Result: r,
		Today: time.Date(2026, 4, 3, 0, 0, 0, 0, time.UTC)}
	got := lined(t, in, "plan", "booked")
	if plan := got.values[0]; plan[3] != 11 {
		t.Errorf("the plan is %v", plan)
	}
	if booked := got.values[1]; booked[1] != 0 || booked[2] != 7 || !math.IsNaN(booked[3]) {
		t.Errorf("booked is %v", booked)
	}
}

// The last week of data that come by the day is there in part until it is over,
// on a Friday too; that of data which ended long ago, on a Friday, is whole.
func TestTheWeekThatGoesOnIsCut(t *testing.T) {
	t.Parallel()
	day := func(text string) time.Time {
		d, err := ParseMoment(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		newest, today string
		cut           bool
	}{
		{"2026-11-27", "2026-11-27", true},
		{"2026-11-27", "2026-11-28", true},
		{"2026-11-27", "2026-11-30", false},
		{"2026-11-26", "2026-11-30", true}, // three days are missing
		{"2026-11-27", "2027-06-01", false},
		{"2026-11-27", "", false},
		{"2026-11-28", "2026-11-29", true}, // a Sunday is a day, too
		{"2026-11-29T08:57", "2026-11-29", true},
		{"2026-11-29", "2026-11-30", false},
		{"2026-12-02", "2026-11-29", false}, // rows that lie ahead
		{"2026-11-29T05:10", "", true},      // a Sunday that has its night alone
		{"2026-11-29T21:40", "", false},
		{"2026-11-29", "", false},
		{"2026-11-28T05:10", "", false}, // nobody works on the next day
	} {
		in := Input{Config: Config{Type: Line, Format: map[string]Format{"n": {Additive: true}}}, Oldest: day("2026-11-02"), Newest: day(c.newest),
			Result: result(dates("week", "week", "2026-11-16", "2026-11-23"), ints("n", 8, 9))}
		if c.today != "" {
			in.Today = day(c.today)
		}
		d, err := begin(in)
		if err != nil {
			t.Fatal(err)
		}
		s := d.series(d.dims[0], nil)
		if got := d.cuts(s.at, s.grain); (got != nil && got[1]) != c.cut {
			t.Errorf("data to %s on %s: cut %v", c.newest, c.today, got)
		}
	}
}

// The day that goes on is a part, whether rows are ahead is known or not; it is whole
// the day after, and for what comes once in a bucket there is nothing to wait for.
func TestTheBucketOfTodayIsCut(t *testing.T) {
	t.Parallel()
	days, weeks, months := dates("at", "day", "2026-11-27", "2026-11-28", "2026-11-29"), dates("at", "week", "2026-11-09", "2026-11-16", "2026-11-23"), dates("at", "month", "2026-09-01", "2026-10-01", "2026-11-01")
	for name, c := range map[string]struct {
		x                     warehouse.ResultColumn
		oldest, newest, today string
		cut                   []bool
	}{
		"today":                {days, "2026-11-02", "2026-11-29T08:57", "2026-11-29", []bool{false, false, true}},
		"ends unknown":         {days, "", "", "2026-11-29", []bool{false, false, true}},
		"the day after":        {days, "2026-11-02", "2026-11-29", "2026-11-30", nil},
		"rows ahead":           {days, "2026-11-02", "2026-12-24", "2026-11-29", nil},
		"no clock":             {days, "2026-11-02", "2026-11-29T18:57", "", nil},
		"compared, data ended": {days, "2026-11-02", "2026-11-28T23:50", "2026-11-28", []bool{false, true, false}},
		"once a week":          {weeks, "2026-10-04", "2026-11-29", "2026-11-29", nil},
		"once a month":         {months, "2026-01-30", "2026-11-29", "2026-11-30", nil},
		"the month's last day": {months, "2026-01-05", "2026-11-29", "2026-11-30", []bool{false, false, true}},
	} {
		in := Input{Config: Config{Type: Line}, Result: result(c.x, ints("n", 8, 9, 1))}
		for to, text := range map[*time.Time]string{&in.Oldest: c.oldest, &in.Newest: c.newest, &in.Today: c.today} {
			if text != "" {
				*to = at(text)
			}
		}
		d, err := begin(in)
		if err != nil {
			t.Fatal(err)
		}
		s := d.series(d.dims[0], nil)
		if got := d.cuts(s.at[:3], s.grain); !slices.Equal(got, c.cut) {
			t.Errorf("%s: cut %v, want %v", name, got, c.cut)
		}
	}
}

// It is dashed or pale, and a note says so, with its number where that is one.
func TestTheRunningBucketIsTold(t *testing.T) {
	t.Parallel()
	days := dates("day", "day", "2026-11-27", "2026-11-28", "2026-11-29")
	twice := dates("day", "day", "2026-11-27", "2026-11-28", "2026-11-29", "2026-11-29")
	parts := result(twice, texts("channel", "a", "a", "a", "b"), floats("sales", 80, 90, 6, 4))
	one, two := result(days, floats("sales", 80, 90, 10)), result(days, floats("sales", 80, 90, 10), floats("orders", 8, 9, 1))
	valued, plain := Message{NoteOpenPeriod, []any{"Period", "29 Nov 2026", "Value", "£10.00"}}, Message{NoteOpen, []any{"Period", "29 Nov 2026"}}
	for name, c := range map[string]struct {
		config Config
		r      *warehouse.Result
		note   Message
		mark   string // of what is drawn as a part
	}{
		"line":    {Config{Type: Line}, one, valued, "part of the day"},
		"area":    {Config{Type: Area}, one, valued, "part of the day"},
		"step":    {Config{Type: Step}, one, valued, "part of the day"},
		"bars":    {Config{Type: Bar, Encode: Encode{Vertical: true}}, one, valued, `"opacity":0.45`},
		"stacked": {Config{Type: StackedBar}, parts, plain, `"opacity":0.45`},
		"combo":   {Config{Type: Combo}, two, plain, `"opacity":0.45`},
		"lines":   {Config{Type: Line}, parts, plain, "part of the day"},
		"two":     {Config{Type: Line, Encode: Encode{Also: "orders"}}, two, plain, "part of the day"},
	} {
		c.config.Format = map[string]Format{"sales": money}
		in := Input{Config: c.config, Result: c.r, Today: at("2026-11-29"), Oldest: at("2026-11-02"), Newest: at("2026-11-29T08:57")}
		if d := draw(t, in); !reflect.DeepEqual(d.Note, c.note) || !strings.Contains(string(d.Chart), c.mark) {
			t.Errorf("%s: note %+v, %s", name, d.Note, d.Chart)
		}
		in.Today, in.Newest = at("2026-11-30"), at("2026-11-29T20:57")
		if d := draw(t, in); d.Note.Key != "" || strings.Contains(string(d.Chart), c.mark) {
			t.Errorf("%s the day after: note %+v, %s", name, d.Note, d.Chart)
		}
	}
}

// One row at midnight is no quarter, where others have their times.
func TestTheFirstMomentOfAQuarterIsCut(t *testing.T) {
	t.Parallel()
	for grain, x := range map[string]warehouse.ResultColumn{"quarter": dates("at", "quarter", "2001-04-01", "2001-07-01"), "week": dates("at", "week", "2001-06-18", "2001-06-25")} {
		d, err := begin(Input{Config: Config{Type: Line}, Result: result(x, ints("n", 9, 1)), Oldest: at("2001-01-01T00:05"), Newest: at("2001-07-01")})
		if err != nil {
			t.Fatal(err)
		}
		s := d.series(d.dims[0], nil)
		if got := d.cuts(s.at, s.grain); !slices.Equal(got, []bool{false, true}) {
			t.Errorf("%s: cut %v", grain, got)
		}
	}
}

// A last day with its first hours only is no day; what comes once a day is, and so
// is a day without times.
func TestALastDayOfItsFirstHoursIsCut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		oldest, newest string
		want           []bool
	}{
		"midnight":       {"2001-01-01T00:05", "2001-07-01", []bool{false, false, true}},
		"morning":        {"2001-01-01T00:05", "2001-07-01T08:30", []bool{false, false, true}},
		"evening":        {"2001-01-01T00:05", "2001-07-01T18:30", nil},
		"dates":          {"2001-01-01", "2001-07-01", nil},
		"once a day":     {"2001-01-01T06:00", "2001-07-01T06:00", nil},
		"data of before": {"2001-01-01T00:05", "2001-06-01T08:30", nil},
	} {
		in := Input{Config: Config{Type: Line, Format: map[string]Format{"n": flights}}, Oldest: at(c.oldest), Newest: at(c.newest),
			Result: result(dates("at", "day", "2001-06-29", "2001-06-30", "2001-07-01"), ints("n", 90, 80, 6))}
		d, err := begin(in)
		if err != nil {
			t.Fatal(err)
		}
		s := d.series(d.dims[0], nil)
		if got := d.cuts(s.at, s.grain); !slices.Equal(got, c.want) {
			t.Errorf("%s: cut %v, want %v", name, got, c.want)
		}
		drawn := draw(t, in)
		if told := strings.Contains(string(drawn.Chart), "part of the day"); told != (c.want != nil) {
			t.Errorf("%s: %s", name, drawn.Chart)
		}
		if c.want != nil && !reflect.DeepEqual(drawn.Say.Args[8:10], []any{"Low", "80"}) {
			t.Errorf("%s: it says %+v", name, drawn.Say)
		}
	}
}

// Of one whole period a second measure has no highest and no lowest.
func TestTwoMeasuresOfOneWholePeriod(t *testing.T) {
	t.Parallel()
	for typ, want := range map[Type]string{Combo: "charts.say.bars_whole_also", Line: "charts.say.line_whole_also"} {
		in := Input{Config: Config{Type: typ, Encode: Encode{Also: "delay"}, Format: map[string]Format{"n": flights, "delay": delay}},
			Result: span(result(dates("month", "month", "2001-03-01", "2001-04-01", "2001-05-01"), ints("n", 10, 30, 12), floats("delay", 5, 2, 1)), "2001-03-05", "2001-05-20")}
		if d := draw(t, in); d.Say.Key != want {
			t.Errorf("%s says %+v", typ, d.Say)
		}
		in.Result = span(in.Result, "2001-03-01", "2001-05-20")
		if d := draw(t, in); strings.Contains(d.Say.Key, "whole") {
			t.Errorf("%s of two says %+v", typ, d.Say)
		}
	}
}

// Small charts say together what each would say alone.
func TestTheRunningBucketOfSmallChartsIsTold(t *testing.T) {
	t.Parallel()
	in := Input{Config: Config{Type: Line, Encode: Encode{Facet: "channel"}, Format: map[string]Format{"sales": money}},
		Today: at("2026-11-29"), Oldest: at("2026-11-02"), Newest: at("2026-11-29T08:57"),
		Result: result(dates("day", "day", "2026-11-28", "2026-11-29", "2026-11-28", "2026-11-29"), texts("channel", "a", "a", "b", "b"), floats("sales", 90, 6, 80, 4))}
	if d := draw(t, in); !reflect.DeepEqual(d.Note, Message{NoteOpen, []any{"Period", "29 Nov 2026"}}) {
		t.Errorf("note %+v", d.Note)
	}
	in.Today = at("2026-11-30")
	if d := draw(t, in); d.Note.Key != "" {
		t.Errorf("the day after: note %+v", d.Note)
	}
}

func TestTheRunningHourIsTold(t *testing.T) {
	t.Parallel()
	in := Input{Config: Config{Type: Line, Format: map[string]Format{"sales": money}}, Today: at("2026-11-29"), Oldest: at("2026-11-02"), Newest: at("2026-11-29T09:05"),
		Result: result(moments("at", "hour", "2026-11-29T07:00", "2026-11-29T08:00", "2026-11-29T09:00"), floats("sales", 21, 19, 2))}
	want := Message{NoteOpenPeriod, []any{"Period", "29 Nov, 09:00", "Value", "£2.00"}}
	if d := draw(t, in); !reflect.DeepEqual(d.Note, want) {
		t.Errorf("note %+v", d.Note)
	}
}

func TestQuartersHaveTicksOfTheirOwn(t *testing.T) {
	t.Parallel()
	quarters := []time.Time{at("2026-04-01"), at("2026-07-01"), at("2026-10-01")}
	chosen, by := ticks(quarters, "quarter", 8)
	if !slices.Equal(chosen, quarters) || by.grain != "month" {
		t.Errorf("ticks at %v by %v", chosen, by)
	}
}

// A sentence does not call the same value highest and lowest.
func TestOneValueIsSaidOnce(t *testing.T) {
	t.Parallel()
	shops := texts("shop", "North", "South")
	weeks := dates("week", "week", "2026-11-09", "2026-11-16", "2026-11-23")
	for name, c := range map[string]struct {
		typ  Type
		r    *warehouse.Result
		want string
	}{
		"two bars":          {Bar, result(shops, floats("sales", 1_231_000, 1_231_400)), "bars_level"},
		"bars that differ":  {Bar, result(shops, floats("sales", 1_231_000, 1_431_400)), "bars"},
		"one bar":           {Bar, result(texts("shop", "North"), floats("sales", 5)), "bars"},
		"one whole bar":     {Bar, result(dates("week", "week", "2026-11-16", "2026-11-23"), floats("sales", 80, 10)), "bars_whole"},
		"two whole weeks":   {Line, result(weeks, floats("sales", 80, 80, 10)), "line_level"},
		"weeks that differ": {Line, result(weeks, floats("sales", 80, 90, 10)), "line"},
		"one whole week":    {Line, result(dates("week", "week", "2026-11-16", "2026-11-23"), floats("sales", 80, 10)), "line_whole"},
		"one week":          {Line, result(dates("week", "week", "2026-11-23"), floats("sales", 10)), "line_one"},
		"cells":             {Heatmap, result(texts("row", "a", "b"), texts("column", "x", "y"), floats("sales", 5, 5)), "heatmap_level"},
	} {
		in := Input{Config: Config{Type: c.typ, Format: map[string]Format{"sales": money}}, Result: c.r, Today: at("2026-11-26"), Oldest: at("2026-11-02"), Newest: at("2026-11-26T08:57")}
		if d := draw(t, in); d.Say.Key != "charts.say."+c.want {
			t.Errorf("%s: %s", name, d.Say.Key)
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

// A week in which the data end is cut although what it is compared with goes on.
func TestTheLastWeekOfTheDataIsCutUnderAComparison(t *testing.T) {
	nan := math.NaN()
	weeks := dates("week", "week", "2026-10-05", "2026-10-12", "2026-10-19", "2026-10-26", "2026-11-02", "2026-11-09")
	in := Input{Config: Config{Type: Line, Format: map[string]Format{"n": {Additive: true}}}, Oldest: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), Newest: time.Date(2026, 10, 28, 0, 0, 0, 0, time.UTC),
		Result: span(result(weeks, floats("n", 14, 15, 14.5, 6, nan, nan), floats("n.previous", 13, 12, 14, 13, 12, 13)), "2026-10-05", "2026-11-30")}
	for name, change := range map[string]func(*Input){
		"compared": func(*Input) {},
		"alone":    func(in *Input) { in.Result.Columns = in.Result.Columns[:2] },
		"a count": func(in *Input) {
			in.Result.Columns = slices.Clone(in.Result.Columns)
			in.Result.Columns[1] = floats("n", 14, 15, 14.5, 6, 0, 0)
		},
	} {
		one := in
		copied := *in.Result
		one.Result = &copied
		change(&one)
		said := map[string]any{}
		d := draw(t, one)
		for i := 0; i+1 < len(d.Say.Args); i += 2 {
			said[d.Say.Args[i].(string)] = d.Say.Args[i+1]
		}
		if said["Low"] != "14.0" && said["Low"] != "14" || said["LowAt"] != "W41" || said["To"] != "W44 2026" {
			t.Errorf("%s: it says %v", name, said)
		}
	}
}

// Nor is it the least of the bars.
func TestACutWeekIsNotTheLeastOfTheBars(t *testing.T) {
	weeks := dates("week", "week", "2026-10-05", "2026-10-12", "2026-10-19", "2026-10-26")
	for _, typ := range []Type{Bar, Combo} {
		in := Input{Config: Config{Type: typ, Encode: Encode{Vertical: true}}, Oldest: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), Newest: time.Date(2026, 10, 28, 0, 0, 0, 0, time.UTC),
			Result: span(result(weeks, floats("n", 14, 15, 14.5, 6), floats("m", 1, 2, 3, 4)), "2026-10-05", "2026-10-28")}
		said := map[string]any{}
		d := draw(t, in)
		for i := 0; i+1 < len(d.Say.Args); i += 2 {
			said[d.Say.Args[i].(string)] = d.Say.Args[i+1]
		}
		if low := fmt.Sprint(said["Low"]); !strings.HasPrefix(low, "14") {
			t.Errorf("%s: it says %v", typ, said)
		}
	}
}

// The day of the week or month that the data began on changes nothing, where the
// newest row has a time of day.
func TestTheRunningBucketOnTheDayThatDataBegan(t *testing.T) {
	weeks := dates("at", "week", "2026-11-09", "2026-11-16", "2026-11-23")
	months := dates("at", "month", "2026-09-01", "2026-10-01", "2026-11-01")
	for _, c := range []struct {
		x                     warehouse.ResultColumn
		oldest, newest, today string
	}{
		{weeks, "2026-11-02T00:05", "2026-11-23T08:57", "2026-11-23"}, // Mondays
		{weeks, "2026-11-03T00:05", "2026-11-23T08:57", "2026-11-23"},
		{months, "2026-09-05", "2026-11-05T08:57", "2026-11-05"},
		{months, "2026-09-01", "2026-11-01T08:57", "2026-11-01"},
	} {
		in := Input{Config: Config{Type: Line}, Result: result(c.x, ints("n", 8, 9, 1))}
		for to, text := range map[*time.Time]string{&in.Oldest: c.oldest, &in.Newest: c.newest, &in.Today: c.today} {
			var err error
			if *to, err = ParseMoment(text); err != nil {
				t.Fatal(err)
			}
		}
		d, err := begin(in)
		if err != nil {
			t.Fatal(err)
		}
		s := d.series(d.dims[0], nil)
		if cut := d.cuts(s.at[:3], s.grain); len(cut) != 3 || !cut[2] {
			t.Errorf("since %s, seen on %s: cut %v", c.oldest, c.newest, cut)
		}
	}
}

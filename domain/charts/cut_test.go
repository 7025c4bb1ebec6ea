package charts

import (
	"reflect"
	"slices"
	"testing"

	"github.com/dataflowhq/dataflow/warehouse"
)

// A sparkline has no end that falls only because the day goes on.
func TestSparklinesLeaveTheOpenDayOut(t *testing.T) {
	days := result(dates("at", "day", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-28", "2026-11-29"), floats("sales", 200, 210, 190, 208, 10))
	hours := result(moments("at", "hour", "2026-11-29T06:00", "2026-11-29T07:00", "2026-11-29T08:00", "2026-11-29T09:00"), floats("sales", 20, 21, 19, 2))

	for name, c := range map[string]struct {
		spark         *warehouse.Result
		today, newest string
		want          []float64
	}{
		"today goes on":         {days, "2026-11-29", "2026-11-29T08:57", []float64{200, 210, 190, 208}},
		"today, ends unknown":   {days, "2026-11-29", "", []float64{200, 210, 190, 208}},
		"all days are over":     {days, "2026-11-30", "2026-11-29T23:10", []float64{200, 210, 190, 208, 10}},
		"rows lie ahead":        {days, "2026-11-27", "2026-11-29T12:00", []float64{200, 210, 190, 208, 10}},
		"ended in the morning":  {days, "2026-11-30", "2026-11-29T08:57", []float64{200, 210, 190, 208}},
		"no clock":              {days, "", "2026-11-29T18:57", []float64{200, 210, 190, 208, 10}},
		"the hour that goes on": {hours, "2026-11-29", "2026-11-29T09:05", []float64{20, 21, 19}},
		"hours of yesterday":    {hours, "2026-11-30", "2026-11-29T09:05", []float64{20, 21, 19, 2}},
	} {
		in := Input{Config: Config{Type: KPI, Format: map[string]Format{"sales": money}}, Result: result(floats("sales", 800)), Spark: c.spark}
		if c.today != "" {
			in.Today = at(c.today)
		}
		if c.newest != "" {
			in.Oldest, in.Newest = at("2026-11-01"), at(c.newest)
		}
		if got := draw(t, in).KPI.Spark; got != Sparkline(c.want, "--c1") {
			t.Errorf("%s: %s, want the course of %v", name, got, c.want)
		}
	}
}

func moments(name, grain string, list ...string) warehouse.ResultColumn {
	c := warehouse.ResultColumn{Name: name, Type: warehouse.Timestamp, Dimension: true, Grain: grain}
	for _, text := range list {
		c.Ints = append(c.Ints, at(text).UnixMicro())
	}
	return c
}

// Parts that are left out are told: of one chart, of small ones, and with a number
// where that is known.
func TestPartsThatAreLeftOutAreTold(t *testing.T) {
	var places, parts, facets []string
	var values []float64
	for i := range 10 {
		for _, facet := range []string{"North", "South"} {
			places, parts, facets = append(places, "2026-11-02"), append(parts, string(rune('a'+i))), append(facets, facet)
			values = append(values, float64(i))
		}
	}
	week, part, facet, mean := dates("week", "week", places...), texts("part", parts...), texts("region", facets...), floats("delay", values...)
	for name, c := range map[string]struct {
		in   Input
		want Message
	}{
		"a line":       {Input{Config: Config{Type: Line}, Result: result(week, part, mean)}, Message{"charts.note.cut", []any{"Shown", 7, "Count", 3}}},
		"small charts": {Input{Config: Config{Type: Line, Encode: Encode{Facet: "region"}}, Result: result(week, part, facet, mean)}, Message{"charts.note.cut_each", []any{"Shown", 7}}},
		"of more that were not asked": {Input{Config: Config{Type: StackedBar}, Result: result(week, part, mean), Parts: 5000},
			Message{"charts.note.cut", []any{"Shown", 7, "Count", 4993}}},
		"of nobody knows how many": {Input{Config: Config{Type: StackedBar}, Result: result(week, part, mean), Parts: -1},
			Message{"charts.note.top", []any{"Shown", "7", "Field", "Part"}}},
	} {
		c.in.Config.Format = map[string]Format{"delay": delay}
		if d := draw(t, c.in); d.State != Ready || !reflect.DeepEqual(d.Note, c.want) {
			t.Errorf("%s is %s, says %+v", name, d.State, d.Note)
		}
	}
	// An answer that was cut lacks whole places: it is not drawn, but for a limit
	// that its author has set, which is told.
	for _, typ := range []Type{StackedBar, Bar, Line, Area} {
		r := result(week, part, mean)
		r.More = true
		in := Input{Config: Config{Type: typ, Format: map[string]Format{"delay": delay}}, Result: r}
		if d := draw(t, in); d.State != TooMuch || d.Fit.Key != "charts.fit.top" {
			t.Errorf("%s is %s, says %+v", typ, d.State, d.Fit)
		}
		in.Limited = true
		if d := draw(t, in); d.State != Ready || d.Note.Key != "charts.note.limit" {
			t.Errorf("%s with a limit is %s, says %+v", typ, d.State, d.Note)
		}
	}
}

// Where the span compared with is cut within a day, figures say so, and the heads
// of a table that has no time; with time it is of the last moment alone.
func TestComparisonsSayWhereTheyAreCut(t *testing.T) {
	words := English
	words.Previous, words.UpTo = "Previous 28 days", "up to 1 Nov 2026, 09:45"
	in := Input{Config: Config{Type: KPI, Format: map[string]Format{"sales": money}}, Result: result(floats("sales", 3_520_000), floats("sales.previous", 3_370_000)), Words: words}
	d := draw(t, in)
	if d.KPI.UpTo != words.UpTo || d.KPI.Over != "Previous 28 days, up to 1 Nov 2026, 09:45" || d.Say.Key != "charts.say.kpi_cut" {
		t.Errorf("%+v, says %+v", d.KPI, d.Say)
	}
	in.Words.UpTo = ""
	if d := draw(t, in); d.KPI.Over != "" || d.Say.Key != "charts.say.kpi_compared" {
		t.Errorf("without a cut: %+v, says %+v", d.KPI, d.Say)
	}
	heads := func(r *warehouse.Result) (list []string) {
		grid, err := Tabulate(Input{Config: Config{Type: Line, Format: map[string]Format{"sales": money}}, Result: r, Words: words})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range grid.Columns {
			list = append(list, c.Label)
		}
		return list
	}
	if got, want := heads(result(texts("region", "North"), floats("sales", 2), floats("sales.previous", 1))), []string{"Region", "Net sales", "Net sales, Previous 28 days, up to 1 Nov 2026, 09:45"}; !slices.Equal(got, want) {
		t.Errorf("heads %q", got)
	}
	if got, want := heads(result(dates("day", "day", "2026-11-29"), floats("sales", 2), floats("sales.previous", 1))), []string{"Day", "Net sales", "Net sales, Previous 28 days"}; !slices.Equal(got, want) {
		t.Errorf("heads %q", got)
	}
}

package charts

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/forecast"
	"github.com/dataflowhq/dataflow/warehouse"
)

// fixed is a forecast whose figures do not depend on how forecasts are made.
func fixed(series []float64, o forecast.Options) (forecast.Result, error) {
	r := forecast.Result{Method: "fixed", Seasons: o.Seasons, MAPE: 0.038, Anomalies: []int{1}}
	for i := range o.Horizon {
		v := float64(100 + i)
		r.Mean = append(r.Mean, v)
		r.Low80, r.High80 = append(r.Low80, v-5), append(r.High80, v+6)
		r.Low95, r.High95 = append(r.Low95, v-9), append(r.High95, v+11)
	}
	return r, nil
}

func at(text string) time.Time {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	panic(text)
}

func outlook(t *testing.T, in Input, h History) *Outlook {
	t.Helper()
	if h.Run == nil {
		h.Run = fixed
	}
	o, err := Foresee(in, h)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func week() *warehouse.Result {
	return result(dates("day", "day", "2026-06-08", "2026-06-09", "2026-06-10", "2026-06-11", "2026-06-12", "2026-06-13", "2026-06-14"),
		floats("sales", 80, 96, 84, 88, 91, 99, 94), floats("sales.previous", 70, 71, 72, 73, 74, 75, 76))
}

func TestGoldenForecast(t *testing.T) {
	in := Input{Config: Config{Type: Line, Format: map[string]Format{"sales": money}, Forecast: &Forecast{Horizon: 4}},
		Result: week(), Today: at("2026-06-14"), Title: "Sales"}
	in.Outlook = outlook(t, in, History{Values: week()})
	golden(t, "forecast", draw(t, in))
	grid, err := Tabulate(in)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "forecast_table", &Drawing{Table: grid})

	both := in
	both.Config.Type, both.Today = Area, at("2026-07-20")
	both.Config.Forecast = &Forecast{Horizon: 1, Unit: "week", Interval: "both", Anomalies: true}
	both.Outlook = outlook(t, both, History{Values: week()})
	golden(t, "forecast_both", draw(t, both))
}

// The rule says "Today" at today: where periods are longer than a day that is
// not where the last of them stands.
func TestForecastTodayStandsAtToday(t *testing.T) {
	for name, tc := range map[string]struct {
		grain       string
		periods     []string
		horizon     int
		today       string
		label, rule string
	}{
		"quarters":                 {"quarter", []string{"2026-01-01", "2026-04-01", "2026-07-01"}, 2, "2026-11-29", "Today", "2026-11-29"},
		"today is beyond the axis": {"quarter", []string{"2026-01-01", "2026-04-01", "2026-07-01"}, 1, "2026-11-29", "Last data", "2026-07-01"},
		"months":                   {"month", []string{"2026-08-01", "2026-09-01", "2026-10-01"}, 3, "2026-11-29", "Today", "2026-11-29"},
		"weeks":                    {"week", []string{"2026-11-02", "2026-11-09", "2026-11-16"}, 3, "2026-11-29", "Today", "2026-11-29"},
		"data that ended long ago": {"month", []string{"2026-04-01", "2026-05-01", "2026-06-01"}, 12, "2026-11-29", "Last data", "2026-06-01"},
		"no clock":                 {"month", []string{"2026-04-01", "2026-05-01", "2026-06-01"}, 2, "", "Last data", "2026-06-01"},
		"days":                     {"day", []string{"2026-11-26", "2026-11-27", "2026-11-28"}, 3, "2026-11-29", "Today", "2026-11-29"},
	} {
		t.Run(name, func(t *testing.T) {
			r := result(dates("at", tc.grain, tc.periods...), floats("sales", 80, 96, 84))
			in := Input{Config: Config{Type: Line, Format: map[string]Format{"sales": money}, Forecast: &Forecast{Horizon: tc.horizon}}, Result: r}
			if tc.today != "" {
				in.Today = at(tc.today)
			}
			in.Outlook = outlook(t, in, History{Values: r})
			chart := string(draw(t, in).Chart)
			for _, want := range []string{fmt.Sprintf(`"data":[{"xAxis":%d}]`, at(tc.rule).UnixMilli()), fmt.Sprintf(`"formatter":%q`, tc.label)} {
				if !strings.Contains(chart, want) {
					t.Errorf("no %s in %s", want, chart)
				}
			}
		})
	}
}

// A refusal and a forecast out of sight leave the line as it is, with a note.
func TestForecastNotes(t *testing.T) {
	in := Input{Config: Config{Type: Line, Format: map[string]Format{"sales": money}, Forecast: &Forecast{Horizon: 4}}, Result: week()}
	plain := draw(t, in)
	in.Outlook = outlook(t, in, History{Values: week(), Run: forecast.Run})
	refused := draw(t, in)
	if refused.Note.Key != "charts.forecast.refused" || !strings.Contains(refused.Note.Args[1].(string), "there are 7") {
		t.Errorf("note %+v", refused.Note)
	}
	in.Outlook = outlook(t, in, History{Values: week()})
	in.Outlook.Last = at("2026-06-20")
	later := draw(t, in)
	if later.Note.Key != "charts.forecast.later" {
		t.Errorf("note %+v", later.Note)
	}
	for _, d := range []*Drawing{refused, later} {
		if string(d.Chart) != string(plain.Chart) || len(d.Legend) != len(plain.Legend) {
			t.Errorf("the line changed:\n%s", d.Chart)
		}
	}
}

// What is still being counted is not learnt from.
func TestForecastLeavesTheOpenPeriodOut(t *testing.T) {
	reach := func(hours ...int) *warehouse.Result {
		begin, newest := dimension(ints("at"), "day"), ints("newest")
		begin.Type, newest.Type = warehouse.Timestamp, warehouse.Timestamp
		for i, h := range hours {
			day := at("2026-06-15").AddDate(0, 0, i-len(hours))
			begin.Ints, newest.Ints = append(begin.Ints, day.UnixMicro()), append(newest.Ints, day.Add(time.Duration(h)*time.Hour).UnixMicro())
		}
		return result(begin, newest)
	}
	in := Input{Config: Config{Type: Line, Format: map[string]Format{"sales": money}, Forecast: &Forecast{Horizon: 2}}, Result: week()}
	for name, tc := range map[string]struct {
		h    History
		last string
	}{
		"over, in shops that close at six": {History{Reach: reach(17, 16, 17, 17, 17, 16, 17)}, "2026-06-14"},
		"at noon":                          {History{Reach: reach(17, 16, 17, 17, 17, 16, 12)}, "2026-06-13"},
		"the clock is in it":               {History{Reach: reach(0, 0, 0, 0, 0, 0, 0), Now: at("2026-06-14T23:00")}, "2026-06-13"},
		"the clock is behind it":           {History{Reach: reach(0, 0, 0, 0, 0, 0, 0), Now: at("2026-06-15")}, "2026-06-14"},
		"nothing is known":                 {History{}, "2026-06-14"},
	} {
		tc.h.Values = week()
		o := outlook(t, in, tc.h)
		if !o.Last.Equal(at(tc.last)) || !o.At[0].Equal(o.Last.AddDate(0, 0, 1)) {
			t.Errorf("%s: from %s on %s", name, o.Last, o.At[0])
		}
		in := in
		in.Outlook = o
		d := draw(t, in)
		drawn := strings.Contains(string(d.Chart), ",94]")
		if drawn != (tc.last == "2026-06-14") {
			t.Errorf("%s: the newest period is drawn: %v", name, drawn)
		}
		// The line and the figures beside it don't disagree without a word.
		if said := d.Note.Key == NoteOpenPeriod; said == drawn || said && d.Note.Args[3] != "£94.00" {
			t.Errorf("%s: %+v", name, d.Note)
		}
	}
}

// Hours follow the wall clock: one is left out where clocks are set forward,
// and what was counted in one that came twice is not learnt from.
func TestForecastOverClockChanges(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	hours := func(until string, n int) *warehouse.Result {
		c, y := dimension(ints("hour"), "hour"), floats("n")
		c.Type = warehouse.TimestampTZ
		end := at(until).In(london)
		for i := range n {
			moment := end.Add(time.Duration(i-n) * time.Hour)
			c.Ints, y.Floats = append(c.Ints, moment.UnixMicro()), append(y.Floats, float64(i))
		}
		return result(c, y)
	}
	in := Input{Config: Config{Type: Line, Forecast: &Forecast{Horizon: 6}, Format: map[string]Format{"n": {Additive: true}}}, Zone: london}
	spring := hours("2026-03-29T00:00", 48) // the last hour is 23:00
	o := outlook(t, in, History{Values: spring})
	var got []string
	for _, t := range o.At {
		got = append(got, t.Format("15:04"))
	}
	if want := "00:00 02:00 03:00 04:00 05:00"; strings.Join(got, " ") != want {
		t.Errorf("hours %v, want %s", got, want)
	}
	if o.Mean[0] != 100 || o.Mean[1] != 102 {
		t.Errorf("values %v do not follow the clock", o.Mean)
	}
	var series []float64
	autumn := hours("2026-10-25T12:00", 48)
	outlook(t, in, History{Values: autumn, Run: func(y []float64, o forecast.Options) (forecast.Result, error) {
		series = y
		return fixed(y, o)
	}})
	gaps := 0
	for _, v := range series {
		if math.IsNaN(v) {
			gaps++
		}
	}
	if gaps != 1 {
		t.Errorf("%d hours are left out, want the one that came twice", gaps)
	}
}

func TestForecastPeriods(t *testing.T) {
	for name, tc := range map[string]struct {
		f     Forecast
		last  string
		grain string
		want  int
	}{
		"the axis's own":    {Forecast{Horizon: 14}, "2026-06-14", "day", 14},
		"two weeks of days": {Forecast{Horizon: 2, Unit: "week"}, "2026-06-14", "day", 14},
		"14 days of weeks":  {Forecast{Horizon: 14, Unit: "day"}, "2026-06-08", "week", 2},
		"10 days of weeks":  {Forecast{Horizon: 10, Unit: "day"}, "2026-06-08", "week", 2},
		"a month of days":   {Forecast{Horizon: 1, Unit: "month"}, "2026-01-31", "day", 28},
		"a day of hours":    {Forecast{Horizon: 1, Unit: "day"}, "2026-06-14T23:00", "hour", 24},
		"a day of years":    {Forecast{Horizon: 1, Unit: "day"}, "2025-01-01", "year", 1},
		"years of minutes":  {Forecast{Horizon: 9, Unit: "year"}, "2025-01-01", "minute", forecast.MaxHorizon},
	} {
		if got := periods(&tc.f, at(tc.last), tc.grain); got != tc.want {
			t.Errorf("%s: %d periods, want %d", name, got, tc.want)
		}
	}
}

func TestForecastConfig(t *testing.T) {
	for name, tc := range map[string]struct {
		f    *Forecast
		t    Type
		dims int
		ok   bool
	}{
		"none":             {nil, Bar, 1, true},
		"plain":            {&Forecast{Horizon: 14}, Line, 1, true},
		"area":             {&Forecast{Horizon: 2, Unit: "week", Interval: "both"}, Area, 1, true},
		"bar":              {&Forecast{Horizon: 14}, Bar, 1, false},
		"split":            {&Forecast{Horizon: 14}, Line, 2, false},
		"no horizon":       {&Forecast{}, Line, 1, false},
		"too far":          {&Forecast{Horizon: MaxHorizon + 1}, Line, 1, false},
		"unknown unit":     {&Forecast{Horizon: 1, Unit: "fortnight"}, Line, 1, false},
		"unknown interval": {&Forecast{Horizon: 1, Interval: "90"}, Line, 1, false},
	} {
		if err := tc.f.Validate(tc.t, tc.dims); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

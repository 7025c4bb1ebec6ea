package locale

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/locales.json")

type cases struct {
	Numbers []struct {
		Place  string  `json:"place"`
		Locale string  `json:"locale"`
		Value  float64 `json:"value"`
		Format Format  `json:"format"`
		Want   string  `json:"want"`
	} `json:"numbers"`
	Buckets []struct {
		Locale string    `json:"locale"`
		At     time.Time `json:"at"`
		Grain  Grain     `json:"grain"`
		Year   bool      `json:"year"`
		Want   string    `json:"want"`
	} `json:"buckets"`
	Seconds []quantity `json:"seconds"`
	Sizes   []quantity `json:"sizes"`
}

type quantity struct {
	Locale string  `json:"locale"`
	Value  float64 `json:"value"`
	Want   string  `json:"want"`
}

func readCases(t *testing.T) cases {
	t.Helper()
	text, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var c cases
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// The browser's formatter is tested against the same file.
func TestSharedCases(t *testing.T) {
	t.Parallel()
	c := readCases(t)
	if len(c.Numbers) < 40 {
		t.Fatalf("only %d numbers", len(c.Numbers))
	}
	for _, n := range c.Numbers {
		l, got := For(n.Locale), ""
		switch n.Place {
		case "kpi":
			got = l.KPI(n.Value, n.Format)
		case "full":
			got = l.Full(n.Value, n.Format)
		case "axis":
			got = l.Axis(n.Value, n.Format)
		case "cell":
			got = l.Cell(n.Value, n.Format)
		default:
			t.Fatalf("place %q", n.Place)
		}
		if got != n.Want {
			t.Errorf("%s %v %+v %s: got %q, want %q", n.Place, n.Value, n.Format, n.Locale, got, n.Want)
		}
	}
	for _, b := range c.Buckets {
		if got := For(b.Locale).Bucket(b.At, b.Grain, b.Year); got != b.Want {
			t.Errorf("%s of %s: got %q, want %q", b.Grain, b.At, got, b.Want)
		}
	}
	for _, s := range c.Seconds {
		if got := For(s.Locale).Seconds(s.Value); got != s.Want {
			t.Errorf("%v seconds: got %q, want %q", s.Value, got, s.Want)
		}
	}
	for _, s := range c.Sizes {
		if got := For(s.Locale).Size(s.Value); got != s.Want {
			t.Errorf("%v bytes: got %q, want %q", s.Value, got, s.Want)
		}
	}
}

// testdata/locales.json is what pages tell the browser, for its tests.
func TestLocalesFile(t *testing.T) {
	t.Parallel()
	want, err := json.MarshalIndent(All(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("testdata/locales.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("testdata/locales.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("testdata/locales.json is not what the code says; run the test with -update")
	}
}

func TestNotFinite(t *testing.T) {
	t.Parallel()
	l := Default()
	for _, f := range []Format{{}, {Style: Currency, Symbol: "£"}, {Style: Percent}, {Style: Duration}, {Style: Bytes}} {
		if got := l.KPI(math.NaN(), f); got != Missing {
			t.Errorf("%s: NaN is %q", f.Style, got)
		}
		if got := l.Axis(math.Inf(-1), f); got != "\u2212∞" {
			t.Errorf("%s: minus infinity is %q", f.Style, got)
		}
	}
}

func TestDelta(t *testing.T) {
	t.Parallel()
	l := Default()
	for name, tc := range map[string]struct {
		now, before float64
		format      Format
		want        Delta
	}{
		"more":                    {2.02, 1.9, Format{}, Delta{"+6.3%", "6.3%", 1, true}},
		"less":                    {42318, 42919, Format{Integer: true}, Delta{"\u22121.4%", "1.4%", -1, true}},
		"points":                  {0.946, 0.938, Format{Style: Percent}, Delta{"+0.8\u00a0pp", "0.8\u00a0pp", 1, true}},
		"nothing":                 {100, 100, Format{}, Delta{"0.0%", "0.0%", 0, true}},
		"less than can be seen":   {100.0001, 100, Format{}, Delta{"0.0%", "0.0%", 0, true}},
		"from below zero":         {-5, -10, Format{}, Delta{"+50.0%", "50.0%", 1, true}},
		"from nothing":            {5, 0, Format{}, Delta{"—", "—", 0, false}},
		"from nothing to nothing": {0, 0, Format{}, Delta{"—", "—", 0, false}},
		"without a value":         {math.NaN(), 4, Format{}, Delta{"—", "—", 0, false}},
		"twentyfold":              {200, 10, Format{}, Delta{"+1,900%", "1,900%", 1, true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := l.Delta(tc.now, tc.before, tc.format); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestFitColumn(t *testing.T) {
	t.Parallel()
	l := Default()
	for name, tc := range map[string]struct {
		values []float64
		format Format
		want   []string
	}{
		"one mark for all":     {[]float64{148231, 9412, 0}, Format{Style: Currency, Symbol: "£", Compact: true}, []string{"£148.2k", "£9.4k", "£0.0k"}},
		"small amounts":        {[]float64{12.5, 3}, Format{Style: Currency, Symbol: "£", Compact: true}, []string{"£12.50", "£3.00"}},
		"whole numbers":        {[]float64{1204, 3377}, Format{}, []string{"1,204", "3,377"}},
		"shares":               {[]float64{0.971, 0.9}, Format{Style: Percent}, []string{"97.1%", "90.0%"}},
		"fractions":            {[]float64{12.25, 3}, Format{}, []string{"12.3", "3.0"}},
		"tiny":                 {[]float64{0.0123, 0.5}, Format{}, []string{"0.01", "0.50"}},
		"with a hole":          {[]float64{math.NaN(), 2}, Format{}, []string{"—", "2"}},
		"large without a mark": {[]float64{1234567}, Format{Integer: true}, []string{"1,234,567"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := FitColumn(tc.values, tc.format)
			for i, v := range tc.values {
				if got := l.Cell(v, f); got != tc.want[i] {
					t.Errorf("%v: got %q, want %q", v, got, tc.want[i])
				}
			}
		})
	}
}

func TestInteger(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", -42318: "\u221242,318", 1000: "1,000", 999: "999", math.MinInt64: "\u22129,223,372,036,854,775,808"} {
		if got := Default().Integer(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

func day(text string) time.Time {
	t, err := time.Parse("2006-01-02", text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestDateRange(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ locale, from, to, want string }{
		{"en-GB", "2026-05-18", "2026-06-14", "18 May – 14 Jun 2026"},
		{"en-GB", "2026-06-03", "2026-06-09", "3 – 9 Jun 2026"},
		{"en-GB", "2026-06-03", "2026-06-03", "3 Jun 2026"},
		{"en-GB", "2025-12-30", "2026-01-05", "30 Dec 2025 – 5 Jan 2026"},
		{"en-US", "2026-06-03", "2026-06-09", "Jun 3 – 9, 2026"},
		{"en-US", "2026-05-18", "2026-06-14", "May 18 – Jun 14, 2026"},
		{"de-DE", "2026-06-03", "2026-06-09", "3. – 9. Juni 2026"},
	} {
		if got := For(tc.locale).DateRange(day(tc.from), day(tc.to)); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.locale, got, tc.want)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	l := Default()
	at := time.Date(2026, 6, 15, 14, 32, 7, 0, time.FixedZone("BST", 3600))
	for got, want := range map[string]string{
		l.TimeZone(at):     "14:32:07 BST",
		l.DateTime(at):     "15 Jun 2026, 14:32",
		l.DateTimeZone(at): "15 Jun 2026, 14:32:07 BST",
		l.TimeZone(at.In(time.FixedZone("+0545", 5*3600+45*60))): "19:17:07 UTC+5:45",
		l.TimeZone(at.In(time.FixedZone("-03", -3*3600))):        "10:32:07 UTC\u22123",
		l.Weekday(1):                  "Mon",
		l.Weekday(8):                  "—",
		l.Duration(112 * time.Second): "1\u00a0min\u00a052\u00a0s",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 15, 14, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		at   time.Time
		want Ago
	}{
		"now":                 {now.Add(-30 * time.Second), Ago{Unit: AgoNow}},
		"of a clock ahead":    {now.Add(time.Minute), Ago{Unit: AgoNow}},
		"minutes":             {now.Add(-38 * time.Minute), Ago{Unit: AgoMinutes, Count: 38}},
		"hours":               {now.Add(-2 * time.Hour), Ago{Unit: AgoHours, Count: 2}},
		"hours over midnight": {now.Add(-20 * time.Hour), Ago{Unit: AgoHours, Count: 20}},
		"yesterday":           {now.Add(-25 * time.Hour), Ago{Unit: AgoYesterday}},
		"this year":           {now.AddDate(0, 0, -3), Ago{Unit: AgoDate, Date: "12 Jun"}},
		"before":              {now.AddDate(-1, 0, 0), Ago{Unit: AgoDate, Date: "15 Jun 2025"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Default().Ago(tc.at, now); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestFor(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{"": "en-GB", "de": "de-DE", "de-AT": "de-DE", "fr-CA": "fr-FR", "en-US": "en-US", "zz-nonsense-!": "en-GB", "ja": "en-GB", "pt": "pt-BR"} {
		if got := For(tag).Name; got != want {
			t.Errorf("%q: got %s, want %s", tag, got, want)
		}
	}
}

func BenchmarkKPI(b *testing.B) {
	l := Default()
	for b.Loop() {
		_ = l.KPI(2018441.27, Format{Style: Currency, Symbol: "£"})
	}
}

package warehouse

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestFilesOlderThanTheColumns reads segments that lack a column, that have it
// with an earlier type, and that have it as it is now.
func TestFilesOlderThanTheColumns(t *testing.T) {
	f := newFixture(t)
	first := f.dataset("first", "n integer, code integer", "SELECT 1 AS n, 7 AS code")
	ds := f.dataset("second", "n integer, code text, at timestamptz", `SELECT 2 AS n, '8' AS code, TIMESTAMPTZ '2024-05-05 12:00:00+00' AS "at"`)
	ds.TimeColumn = 3
	ds.Segments = append([]Segment{first.Segments[0]}, ds.Segments...)
	delete(ds.Segments[0].Stats, 2) // they were of another type
	e := f.engine()
	for spec, want := range map[string]string{
		`{"dataset":"d","measures":[{"fn":"sum","column":"n"}],"dimensions":[{"column":"code"}],"order":[{"by":"code"}]}`:                     `[["7",1],["8",2]]`,
		`{"dataset":"d","timezone":"Europe/London","measures":[{"fn":"sum","column":"n"}],"dimensions":[{"column":"at","grain":"day"}]}`:      `[["2024-05-05",2],[null,1]]`,
		`{"dataset":"d","columns":["n","code","at"],"order":[{"by":"n"}]}`:                                                                    `[[1,"7",null],[2,"8","2024-05-05T12:00:00Z"]]`,
		`{"dataset":"d","measures":[{"fn":"count","column":"at"},{"fn":"count"}],"filters":[{"column":"code","op":"in","values":["7","8"]}]}`: `[[1,2]]`,
	} {
		if got := run(t, e, ds, spec); !strings.Contains(got, `"rows":`+want) {
			t.Errorf("%s\ngot %s\nwant %s", spec, got, want)
		}
	}
	// One old file alone is read by another way than several.
	ds.Segments = ds.Segments[:1]
	ds.Version++
	if got := run(t, e, ds, `{"dataset":"d","columns":["n","code","at"]}`); !strings.Contains(got, `[[1,"7",null]]`) {
		t.Error(got)
	}
	ds.Segments = nil
	ds.Version++
	if got := run(t, e, ds, `{"dataset":"d","timezone":"Europe/London","measures":[{"fn":"count"},{"fn":"max","column":"at"}],"dimensions":[{"column":"at","grain":"day"}]}`); !strings.Contains(got, `"rows":[]`) {
		t.Error(got)
	}
	if got := run(t, e, ds, `{"dataset":"d","measures":[{"fn":"count"},{"fn":"sum","column":"n"}]}`); !strings.Contains(got, `[[0,null]]`) {
		t.Error(got)
	}
}

// TestLookupKeyTwice: a key that is not unique must not double rows.
func TestLookupKeyTwice(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("sales", "k integer, n integer", "SELECT i % 3 AS k, i AS n FROM range(9) t(i)")
	ds.Lookups = map[string]Lookup{"l": {Column: 1, Key: 1, Target: f.dataset("names", "k integer, name text", "SELECT * FROM (VALUES (0,'b'),(0,'a'),(1,'c'),(NULL,'d')) v(k, name)")}}
	e := f.engine()
	for spec, want := range map[string]string{
		`{"dataset":"d","measures":[{"fn":"count"}],"dimensions":[{"column":"l.name"}],"order":[{"by":"l.name"}]}`:                                       `[["a",3],["c",3],[null,3]]`,
		`{"dataset":"d","measures":[{"fn":"count_distinct","column":"n"}],"dimensions":[{"column":"l.name"}],"order":[{"by":"l.name"}]}`:                 `[["a",3],["c",3],[null,3]]`,
		`{"dataset":"d","measures":[{"fn":"count"}],"filters":[{"column":"l.name","op":"!=","values":["a"]}]}`:                                           `[[6]]`,
		`{"dataset":"d","columns":["n","l.name"],"filters":[{"column":"l.name","op":"is_empty"}],"order":[{"by":"n"}],"limit":2}`:                        `[[2,null],[5,null]]`,
		`{"dataset":"d","measures":[{"fn":"count","filters":[{"column":"l.name","op":"is_empty"}]}],"dimensions":[{"column":"k"}],"order":[{"by":"k"}]}`: `[[0,0],[1,0],[2,3]]`,
	} {
		if got := run(t, e, ds, spec); !strings.Contains(got, `"rows":`+want) {
			t.Errorf("%s\ngot %s\nwant %s", spec, got, want)
		}
	}
}

func TestSumBeyond64Bits(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("big", "n integer, k text", "SELECT 9223372036854775807 AS n, ['a','b','b'][i + 1] AS k FROM range(3) t(i)")
	got := run(t, f.engine(), ds, `{"dataset":"d","measures":[{"fn":"sum","column":"n","as":"s"}],"dimensions":[{"column":"k"}],"order":[{"by":"k"}],"filters":[{"measure":"s","op":">","values":[0]}]}`)
	if !strings.Contains(got, `{"name":"s","type":"decimal"}`) || !strings.Contains(got, `[["a",9223372036854775807],["b",18446744073709551614]]`) {
		t.Fatal(got)
	}
}

// TestRules: what a rule hides is in no answer, and a rule that cannot be
// applied hides everything.
func TestRules(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("sales", "region text, n integer", "SELECT ['north','south'][i % 2 + 1] AS region, i AS n FROM range(10) t(i)")
	e := f.engine()
	ask := func(spec string, rules ...Filter) (string, error) {
		r, err := e.Run(t.Context(), Query{Spec: mustSpec(t, spec), Dataset: ruled(ds, rules...)})
		if err != nil {
			return "", err
		}
		return string(r.AppendJSON(nil)), nil
	}
	north := Filter{Column: "region", Op: "=", Values: raws(`"north"`)}
	for spec, want := range map[string]string{
		countSpec: `[[5]]`,
		`{"dataset":"d","columns":["n"],"order":[{"by":"n"}],"limit":2}`:                                                     `[[0],[2]]`,
		`{"dataset":"d","measures":[{"fn":"count","show":"share","as":"s"}],"dimensions":[{"column":"region"}]}`:             `[["north",1]]`,
		`{"dataset":"d","measures":[{"fn":"max","column":"n"}],"filters":[{"column":"region","op":"=","values":["south"]}]}`: `[[null]]`,
	} {
		got, err := ask(spec, north)
		if err != nil || !strings.Contains(got, `"rows":`+want) {
			t.Errorf("%s: %s %v, want %s", spec, got, err, want)
		}
	}
	// The same spec without the rule is another answer.
	if got, err := ask(countSpec); err != nil || !strings.Contains(got, "[[10]]") {
		t.Error(got, err)
	}
	if _, err := ask(countSpec, Filter{Column: "gone", Op: "=", Values: raws(`"x"`)}); err == nil || code(err) != "query.rule_broken" {
		t.Errorf("a rule on a dropped column gave %v", err)
	}
}

// TestZonePeriods compares offsets with those that Go's time package gives.
func TestZonePeriods(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	for _, name := range append([]string{"America/Sao_Paulo", "Africa/Casablanca", "Antarctica/Troll", "America/Nuuk"}, randomZones...) {
		z, err := loadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		for range 3000 {
			at := time.Unix(rnd.Int64N(7_000_000_000)-3_000_000_000, 0)
			_, want := at.In(z.loc).Zone()
			if got := z.offsetAt(at.UnixMicro()); got != int64(want)*secondMicros {
				t.Fatalf("%s at %s: offset %d, Go has %d", name, at.UTC(), got/secondMicros, want)
			}
		}
		// Every instant of a day belongs to its local day, and no other does.
		for range 300 {
			day := floorDiv(rnd.Int64N(4e15)-1e15, dayMicros)
			spans := z.instants(day*dayMicros, (day+1)*dayMicros)
			for at := (day - 1) * dayMicros; at < (day+2)*dayMicros; at += 7 * minuteMicros {
				inside := false
				for _, s := range spans {
					inside = inside || s[0] <= at && at < s[1]
				}
				if want := floorDiv(z.local(at), dayMicros) == day; inside != want {
					t.Fatalf("%s: instant %d in day %d: %v, want %v", name, at, day, inside, want)
				}
			}
		}
	}
}

func TestCalendar(t *testing.T) {
	wall := func(s string) int64 {
		at, err := time.Parse("2006-01-02T15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return at.UnixMicro()
	}
	for _, tc := range []struct{ at, unit, want string }{
		{"1969-12-31T23:59", "day", "1969-12-31T00:00"},
		{"1969-12-31T23:59", "hour", "1969-12-31T23:00"},
		{"1970-01-01T00:00", "week", "1969-12-29T00:00"},
		{"2024-12-30T10:00", "week", "2024-12-30T00:00"},
		{"2024-05-31T10:00", "quarter", "2024-04-01T00:00"},
		{"2024-05-31T10:59", "quarter_hour", "2024-05-31T10:45"},
		{"1900-02-28T10:00", "year", "1900-01-01T00:00"},
	} {
		if got := truncateWall(wall(tc.at), tc.unit); got != wall(tc.want) {
			t.Errorf("%s of %s is %s, want %s", tc.unit, tc.at, time.UnixMicro(got).UTC(), tc.want)
		}
	}
	for _, tc := range []struct {
		at, unit string
		n        int
		want     string
	}{
		{"2024-01-31T10:00", "month", 1, "2024-02-29T10:00"},
		{"2024-02-29T00:00", "year", -1, "2023-02-28T00:00"},
		{"2024-03-31T00:00", "quarter", -1, "2023-12-31T00:00"},
		{"1969-12-31T12:00", "month", -1, "1969-11-30T12:00"},
		{"2024-03-31T00:00", "week", 2, "2024-04-14T00:00"},
	} {
		if got := addWall(wall(tc.at), tc.unit, tc.n); got != wall(tc.want) {
			t.Errorf("%s %+d %s is %s, want %s", tc.at, tc.n, tc.unit, time.UnixMicro(got).UTC(), tc.want)
		}
	}
}

// TestPruning: segments that cannot hold a matching row are not opened.
func TestPruning(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("events", "at timestamptz, kind text, price decimal(10,2), n integer",
		`SELECT TIMESTAMPTZ '2024-01-01 12:00:00+00' AS "at", 'apple' AS kind, 1.50 AS price, NULL AS n`,
		`SELECT TIMESTAMPTZ '2024-02-01 12:00:00+00' AS "at", 'pear' AS kind, 2.50 AS price, 5 AS n`,
		`SELECT TIMESTAMPTZ '2024-03-01 12:00:00+00' AS "at", 'plum' AS kind, 3.50 AS price, 6 AS n`)
	e := f.engine()
	for filters, want := range map[string]int{
		`[]`: 3,
		`[{"column":"at","op":"between","from":"2024-02-01","to":"2024-02-28"}]`: 1,
		`[{"column":"at","op":"<","values":["2024-02-01T12:00:00Z"]}]`:           1,
		`[{"column":"at","op":"<=","values":["2024-02-01T12:00:00Z"]}]`:          2,
		`[{"column":"at","op":"!=","values":["2024-02-01"]}]`:                    3,
		`[{"column":"kind","op":"in","values":["apple","plum"]}]`:                2,
		`[{"column":"kind","op":">","values":["peas"]}]`:                         1,
		`[{"column":"price","op":"=","values":["2.50"]}]`:                        1,
		`[{"column":"price","op":">=","values":[2.5]}]`:                          2,
		`[{"column":"n","op":"is_empty"}]`:                                       1,
		`[{"column":"n","op":"in","values":[null,6]}]`:                           2,
		`[{"column":"n","op":"not_empty"}]`:                                      2,
		`[{"column":"n","op":">","values":[5]}]`:                                 1,
		`[{"column":"n","op":">","values":[4.5]}]`:                               2,
		`[{"column":"kind","op":"=","values":["zebra"]}]`:                        0,
	} {
		spec := mustSpec(t, `{"dataset":"d","measures":[{"fn":"count"}],"filters":`+filters+`}`)
		x, err := e.Explain(t.Context(), Query{Spec: spec, Dataset: ds})
		if err != nil {
			t.Fatal(err)
		}
		if x.Segments != want || x.Pruned != 3-want {
			t.Errorf("%s reads %d segments, want %d", filters, x.Segments, want)
		}
	}
	// What was pruned is truly not needed.
	for _, i := range []int{0, 2} {
		if err := os.Remove(ds.Segments[i].Path); err != nil {
			t.Fatal(err)
		}
	}
	if got := run(t, e, ds, `{"dataset":"d","measures":[{"fn":"count"}],"filters":[{"column":"at","op":"=","values":["2024-02-01"]}]}`); !strings.Contains(got, "[[1]]") {
		t.Error(got)
	}
}

// TestTwoStagesGiveTheSame compares grouping in two stages with direct
// grouping, which a count of distinct rows enforces.
func TestTwoStagesGiveTheSame(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("flights", "at timestamptz, day date, origin text, n integer",
		`SELECT TIMESTAMPTZ '2023-10-20 00:00:00+00' + INTERVAL (i * 13) SECOND AS "at", DATE '2023-10-20' + (i // 6000)::INTEGER AS day, 'a' || i % 9 AS origin, i AS n FROM range(100000) t(i)`)
	ds.Lookups = map[string]Lookup{"airport": {Column: 3, Key: 1, Target: f.dataset("airports", "code text, state text", "SELECT 'a' || i AS code, 's' || i % 3 AS state FROM range(8) t(i)")}}
	e := f.engine()
	for _, dims := range []string{
		`{"column":"at","grain":"day"}`, `{"column":"at","grain":"hour"}`, `{"column":"at","grain":"weekday"},{"column":"at","grain":"hour_of_day","as":"h"}`,
		`{"column":"day","grain":"week"}`, `{"column":"airport.state"}`, `{"column":"at","grain":"month"},{"column":"airport.state"}`,
	} {
		for _, zone := range []string{"UTC", "Europe/London", "America/St_Johns"} {
			head := `{"dataset":"d","timezone":"` + zone + `","dimensions":[` + dims + `],"filters":[{"column":"airport.state","op":"not_in","values":["s2"]}],"measures":[{"fn":"count"},{"fn":"sum","column":"n"},{"fn":"min","column":"n"},{"fn":"avg","column":"n"}`
			staged := Query{Spec: mustSpec(t, head+`]}`), Dataset: ds}
			direct := Query{Spec: mustSpec(t, head+`,{"fn":"count_distinct","column":"n"}]}`), Dataset: ds}
			x, err := e.Explain(t.Context(), staged)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(x.Notes, " "), "two stages") {
				t.Errorf("%s in %s is not grouped in two stages: %s", dims, zone, x.SQL)
			}
			a, err := e.Run(t.Context(), staged)
			if err != nil {
				t.Fatal(err)
			}
			b, err := e.Run(t.Context(), direct)
			if err != nil {
				t.Fatal(err)
			}
			for i := range a.Columns {
				if !reflect.DeepEqual(a.Columns[i], b.Columns[i]) {
					t.Errorf("%s in %s: column %s differs", dims, zone, a.Columns[i].Name)
				}
			}
			if a.Rows == 0 {
				t.Errorf("%s in %s: no rows", dims, zone)
			}
		}
	}
}

func TestJSONOfOddValues(t *testing.T) {
	r := &Result{Rows: 2, Version: 3, Timezone: "America/St_Johns", Columns: []ResultColumn{
		{Name: "a<b>\u2028", Type: Text, Texts: []string{"\x00\x1f\"\\é", "\xff"}},
		{Name: "f", Type: Float, Floats: []float64{1e21, -0.00000012}},
		{Name: "t", Type: TimestampTZ, Ints: []int64{0, -1}, Nulls: []bool{false, false}},
	}}
	want := `{"columns":[{"name":"a\u003cb\u003e\u2028","type":"text"},{"name":"f","type":"float"},{"name":"t","type":"timestamptz"}],"rows":[["\u0000\u001f\"\\é",1e+21,"1969-12-31T20:30:00-03:30"],["\ufffd",-1.2e-07,"1969-12-31T20:29:59.999999-03:30"]],"dataset_version":3,"sampled":false}`
	if got := string(r.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestUnreadableSegment: a damaged or missing file fails the query and nothing else.
func TestUnreadableSegment(t *testing.T) {
	f := newFixture(t)
	ds := numbers(f, 10)
	bad := *ds
	bad.ID = "ds-bad"
	path := filepath.Join(f.dir, "bad.parquet")
	if err := os.WriteFile(path, []byte("PAR1 this is no Parquet file PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad.Segments = []Segment{{Path: path, Rows: 10}}
	e := f.engine()
	if _, err := e.Run(t.Context(), Query{Spec: mustSpec(t, countSpec), Dataset: &bad}); err == nil || code(err) != "internal.error" {
		t.Fatalf("got %v", err)
	}
	if got := run(t, e, ds, countSpec); !strings.Contains(got, "[[10]]") {
		t.Error(got)
	}
}

// TestDigitsOfDecimals tells how wide the values of a decimal column are from
// the segments' bounds, and from its type where a segment has none.
func TestDigitsOfDecimals(t *testing.T) {
	ref := colRef{ID: 4, Type: Decimal, Precision: 18, Scale: 2}
	for name, tc := range map[string]struct {
		stats []map[int32]Range
		want  int
	}{
		"small":               {[]map[int32]Range{{4: {Min: 0.5, Max: 9999.99}}, {4: {Min: -12.0, Max: 3.0}}}, 6},
		"a negative is wider": {[]map[int32]Range{{4: {Min: -123456.0, Max: 1.0}}}, 8},
		"a power of ten":      {[]map[int32]Range{{4: {Min: 1.0, Max: 10000.0}}}, 7},
		"below one":           {[]map[int32]Range{{4: {Min: 0.01, Max: 0.99}}}, 3},
		"only nulls":          {[]map[int32]Range{{4: {Nulls: 7}}, {4: {Min: 1.0, Max: 2.0}}}, 3},
		"as wide as the type": {[]map[int32]Range{{4: {Min: 1.0, Max: 9.9e15}}}, 18},
		"unknown":             {[]map[int32]Range{{4: {Min: 1.0, Max: 2.0}}, {}}, 18},
	} {
		c := &compiler{base: &source{}}
		for _, s := range tc.stats {
			c.base.segs = append(c.base.segs, Segment{Stats: s})
		}
		if got := c.digits(ref); got != tc.want {
			t.Errorf("%s: got %d, want %d", name, got, tc.want)
		}
	}
}

// TestHoursWhereTheirMinuteChanges groups many rows by hours of Kathmandu, whose
// clocks went from five and a half hours ahead to five and three quarters.
func TestHoursWhereTheirMinuteChanges(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("events", "at timestamptz", `SELECT TIMESTAMPTZ '1985-12-31 16:00:00+00' + INTERVAL (i % 300) MINUTE AS "at" FROM range(60000) t(i)`)
	got := run(t, f.engine(), ds, `{"dataset":"events","timezone":"Asia/Kathmandu","measures":[{"fn":"count","as":"n"}],"dimensions":[{"column":"at","grain":"hour","as":"hour"}]}`)
	for _, want := range []string{`"1985-12-31T21:00:00+05:30",6000]`, `"1985-12-31T22:00:00+05:30",12000]`, `"1985-12-31T23:45:00+05:30",9000]`, `"1986-01-01T01:00:00+05:45",12000]`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

// TestHoursOfLastYear compares a span of hours with the same one a year before.
func TestHoursOfLastYear(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("events", "at timestamptz", `SELECT TIMESTAMPTZ '2025-06-10 12:00:00+00' + INTERVAL (i) MINUTE AS "at" FROM range(600) t(i)
		UNION ALL SELECT TIMESTAMPTZ '2026-06-10 12:00:00+00' + INTERVAL (i) MINUTE FROM range(601) t(i)`)
	ds.RelativeToNewest = true
	for _, zone := range []string{"UTC", "America/Chicago"} {
		got := run(t, f.engine(), ds, `{"dataset":"events","timezone":"`+zone+`","measures":[{"fn":"count","as":"n"}],
			"filters":[{"column":"at","op":"last","n":4,"unit":"hour"}],"comparison":{"period":"year"}}`)
		// From 19:00 to 22:00, which has just begun: 19:00 to 22:00:00.
		if !strings.Contains(got, `[[181,180]]`) {
			t.Errorf("last hours in %s: %s", zone, got)
		}
	}
}

// TestComparisonGoesBackByWhatItSays: this month up to now is compared with the
// last one up to the same day, or its last.
func TestComparisonGoesBackByWhatItSays(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("events", "day date", `SELECT DATE '2026-01-01' + (i)::INTEGER AS day FROM range(365) t(i)`)
	for span, want := range map[[2]string]string{
		{"2026-11-01", "2026-11-28"}: `"previous_span":["2026-10-01T00:00:00","2026-10-29T00:00:00"]`,
		{"2026-03-01", "2026-03-30"}: `"previous_span":["2026-02-01T00:00:00","2026-03-01T00:00:00"]`,
		{"2026-03-01", "2026-03-31"}: `"previous_span":["2026-02-01T00:00:00","2026-03-01T00:00:00"]`,
	} {
		got := run(t, f.engine(), ds, fmt.Sprintf(`{"dataset":"events","measures":[{"fn":"count","as":"n"}],"dimensions":[{"column":"day","grain":"day"}],
			"filters":[{"column":"day","op":"between","from":%q,"to":%q}],"comparison":{"period":"previous","n":1,"unit":"month"}}`, span[0], span[1]))
		if !strings.Contains(got, want) || !strings.Contains(got, fmt.Sprintf(`[%q,1,1]`, span[0])) {
			t.Errorf("%v: no %s in %s", span, want, got)
		}
	}
	for _, bad := range []string{`"n":1`, `"unit":"month"`, `"n":1,"unit":"moon"`, `"n":0,"unit":"month"`, `"n":1,"unit":"hour"`, `"n":9000,"unit":"year"`} {
		spec, err := ParseSpec([]byte(`{"dataset":"events","measures":[{"fn":"count"}],"filters":[{"column":"day","op":"last","n":3,"unit":"day"}],"comparison":{"period":"previous",` + bad + `}}`))
		if err == nil {
			_, err = f.engine().Run(t.Context(), Query{Dataset: ds, Spec: spec})
		}
		if !errors.Is(err, ErrComparison) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestComparisonEndsWithTheRowsOfToday: a file of the morning is compared with the
// morning, also in the evening.
func TestComparisonEndsWithTheRowsOfToday(t *testing.T) {
	f := newFixture(t)
	// A row an hour, up to 28 November 2026, 08:00 UTC.
	ds := f.dataset("hours", "at timestamp, ts timestamptz, day date", `SELECT x AS at, x AT TIME ZONE 'UTC' AS ts, x::DATE AS day FROM (SELECT TIMESTAMP '2026-09-01 00:00:00' + INTERVAL (i) HOUR AS x FROM range(88 * 24 + 9) t(i))`)
	ruled := *ds
	ruled.Policy = NewPolicy(Policy{Rows: []RowRule{{Column: ds.Columns[0].ID, Filter: Filter{Op: "not_empty"}}}})
	evening := time.Date(2026, 11, 28, 19, 0, 0, 0, time.UTC)
	morning := `"filters":[{"column":"at","op":"this","unit":"day"}]`
	for name, c := range map[string]struct {
		ds    *Dataset
		now   time.Time
		spec  string
		wants []string
	}{
		"in the evening":    {ds, evening, morning, []string{`[[9,9]]`, `"previous_span":["2026-11-27T00:00:00","2026-11-27T08:00:00.000001"]`}},
		"at noon":           {ds, evening.Add(-7 * time.Hour), morning, []string{`[[9,9]]`}},
		"before the newest": {ds, evening.Add(-14 * time.Hour), morning, []string{`[[9,6,6]]`}},
		"several days":      {ds, evening, `"filters":[{"column":"at","op":"between","from":"2026-11-22","to":"2026-11-28"}]`, []string{`[[153,153]]`}},
		"instants":          {ds, evening, `"timezone":"Europe/Berlin","filters":[{"column":"ts","op":"this","unit":"day"}]`, []string{`[[10,10]]`, `"previous_span":["2026-11-27T00:00:00+01:00","2026-11-27T09:00:00.000001+01:00"]`}},
		"dates":             {ds, evening, `"filters":[{"column":"day","op":"this","unit":"day"}]`, []string{`[[9,24]]`}},
		"a day that has no row yet": {ds, evening.AddDate(0, 0, 1), `"filters":[{"column":"at","op":"between","from":"2026-11-28","to":"2026-11-29"}]`,
			[]string{`[[9,44]]`}},
		"under rules": {&ruled, evening, morning, []string{`[[9,20]]`}},
	} {
		r, err := f.engine().Run(t.Context(), Query{Dataset: c.ds, Now: c.now, Spec: mustSpec(t, `{"dataset":"hours","measures":[{"fn":"count","as":"n"}],"comparison":{"period":"previous"},`+c.spec+`}`)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := string(r.AppendJSON(nil))
		for _, want := range c.wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %s in %s", name, want, got)
			}
		}
	}
}

// TestASpanIsOverForEverybody: where dates count from the newest row, it is that of
// the dataset that ends a comparison, not that of the rows somebody sees.
func TestASpanIsOverForEverybody(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("sales", "day date, region text", `SELECT d::DATE AS day, r AS region FROM range(DATE '2026-09-01', DATE '2026-11-29', INTERVAL 1 DAY) d(d), (VALUES ('North'), ('South')) v(r) WHERE r = 'North' OR d < DATE '2026-11-11'`)
	ds.RelativeToNewest = true
	south := *ds
	south.Policy = NewPolicy(Policy{Rows: []RowRule{{Column: ds.Columns[1].ID, Filter: Filter{Op: "in", Values: []json.RawMessage{json.RawMessage(`"South"`)}}}}})
	const spec = `{"dataset":"sales","measures":[{"fn":"count","as":"n"}],"comparison":{"period":"previous"},"filters":[{"column":"day","op":"between","from":"2026-11-01","to":"2026-11-28"}`
	for name, c := range map[string]struct {
		ds   *Dataset
		more string
	}{"by a filter": {ds, `,{"column":"region","op":"in","values":["South"]}]}`}, "by a rule": {&south, `]}`}} {
		if got := run(t, f.engine(), c.ds, spec+c.more); !strings.Contains(got, `[[10,28]]`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestSumsBeyondSixtyFourBits are right in the first row of an answer too.
func TestSumsBeyondSixtyFourBits(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("big", "n integer, kind text", `SELECT 4000000000000000000 + i AS n, CASE WHEN i < 10 THEN 'a' ELSE 'b' END AS kind FROM range(20) t(i)`)
	for spec, want := range map[string]string{
		`{"dataset":"big","measures":[{"fn":"sum","column":"n","as":"s"}]}`:                                                          `80000000000000000190`,
		`{"dataset":"big","measures":[{"fn":"sum","column":"n","as":"s"}],"dimensions":[{"column":"kind"}],"order":[{"by":"kind"}]}`: `40000000000000000045`,
	} {
		if got := run(t, f.engine(), ds, spec); !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

// TestDaysThatTheEarlierSpanLacks: a quarter of 91 days knows nothing of its last
// day in the 90 before it, where a count of nothing would be a claim.
func TestDaysThatTheEarlierSpanLacks(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("events", "day date, kind text", `SELECT DATE '2001-01-01' + (i // 2)::INTEGER AS day, 'k' || i % 2 AS kind FROM range(600) t(i) WHERE i // 2 <> 20`)
	for name, c := range map[string]struct {
		dims string
		want []string
	}{
		"days":        {`[{"column":"day","grain":"day"}]`, []string{`["2001-04-21",2,0]`, `["2001-06-29",2,2]`, `["2001-06-30",2,null]`}},
		"with series": {`[{"column":"day","grain":"day"},{"column":"kind"}]`, []string{`["2001-06-29","k0",1,1]`, `["2001-06-30","k0",1,null]`, `["2001-06-30","k1",1,null]`}},
		"with Other":  {`[{"column":"day","grain":"day"},{"column":"kind"}],"limit":1,"other":true`, []string{`["2001-06-29","k0",1,1]`, `["2001-06-30","k0",1,null]`, `["2001-06-30","Other",1,null]`}},
		"months":      {`[{"column":"day","grain":"month"}]`, []string{`["2001-06-01",60,62]`}},
	} {
		got := run(t, f.engine(), ds, `{"dataset":"events","measures":[{"fn":"count","as":"n"}],"filters":[{"column":"day","op":"between","from":"2001-04-01","to":"2001-06-30"}],
			"comparison":{"period":"previous"},"dimensions":`+c.dims+`}`)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %s in %s", name, want, got)
			}
		}
	}
}

// TestComparisonWithRowsAhead: what is booked or planned counts, and is compared
// with nothing; what the earlier span lacks is unknown by every shift.
func TestComparisonWithRowsAhead(t *testing.T) {
	f := newFixture(t)
	// Two rows a day, from the first of 2024 to the end of June 2027.
	ds := f.dataset("book", "day date, at timestamp, ts timestamptz, kind text", `SELECT DATE '2024-01-01' + (i // 2)::INTEGER AS day, TIMESTAMP '2024-01-01 10:00:00' + INTERVAL (i // 2) DAY AS at,
		TIMESTAMPTZ '2024-01-01 10:00:00+00' + INTERVAL (i // 2) DAY AS ts, 'k' || i % 2 AS kind FROM range(2 * 1277) t(i)`)
	upTo := f.dataset("sold", "day date", `SELECT DATE '2024-01-01' + (i // 2)::INTEGER AS day FROM range(2 * 1063) t(i)`) // 2026-11-28
	budget := f.dataset("ab", "day date, kind text", `SELECT DATE '2025-01-01' + (i)::INTEGER AS day, 'budget' AS kind FROM range(730) t(i)
		UNION ALL SELECT DATE '2025-01-01' + (i)::INTEGER, 'actual' FROM range(697) t(i)`) // 2026-11-28
	typo := f.dataset("typo", "day date", `SELECT DATE '2024-01-01' + (i)::INTEGER AS day FROM range(1063) t(i) UNION ALL SELECT DATE '2026-12-31'`)
	century := f.dataset("century", "day date", `SELECT DATE '2024-01-01' + (i)::INTEGER AS day FROM range(1063) t(i) UNION ALL SELECT DATE '2099-12-31'`)
	now := time.Date(2026, 11, 28, 13, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		ds         *Dataset
		spec       string
		has, lacks []string
	}{
		"this year":            {ds, `"filters":[{"column":"day","op":"this","unit":"year"}],"comparison":{"period":"year"},"dimensions":[{"column":"kind"}]`, []string{`["k0",365,332,332]`}, nil},
		"this month":           {ds, `"filters":[{"column":"at","op":"this","unit":"month"}],"comparison":{"period":"previous"}`, []string{`[[60,56,56]]`}, nil},
		"of instants":          {ds, `"timezone":"Europe/Berlin","filters":[{"column":"ts","op":"this","unit":"month"}],"comparison":{"period":"previous"}`, []string{`[[60,56,56]]`}, nil},
		"of a field":           {ds, `"fields":{"due":"date_add('day', 1, [day])"},"filters":[{"column":"due","op":"this","unit":"year"}],"comparison":{"period":"year"}`, []string{`[[730,664,664]]`}, nil},
		"without an end":       {ds, `"filters":[{"column":"day","op":">=","values":["2027-01-01"]}],"comparison":{"period":"year"}`, []string{`[[362,null]]`}, nil},
		"actual beside budget": {budget, `"filters":[{"column":"day","op":"this","unit":"year"},{"column":"kind","op":"=","values":["actual"]}],"comparison":{"period":"year"}`, []string{`[[332,332]]`}, nil},
		"budget beside actual": {budget, `"filters":[{"column":"day","op":"this","unit":"month"},{"column":"kind","op":"=","values":["budget"]}],"comparison":{"period":"previous"}`, []string{`[[30,28,28]]`}, nil},
		"a stray row":          {typo, `"filters":[{"column":"day","op":"this","unit":"year"}],"comparison":{"period":"year"}`, []string{`[[333,332,332]]`, `"to_date":"2026-11-29T00:00:00"`}, nil},
		"a stray row of 2099":  {century, `"filters":[{"column":"day","op":">=","values":["2026-01-01"]}],"comparison":{"period":"year"}`, []string{`[[333,332,332]]`, `"span":["2026-01-01T00:00:00",null]`}, nil},
		"all of it ahead":      {ds, `"filters":[{"column":"day","op":"between","from":"2027-01-01","to":"2027-12-31"}],"comparison":{"period":"year"}`, []string{`[[362,null]]`}, nil},
		"what is over by now":  {upTo, `"filters":[{"column":"day","op":"this","unit":"month"}],"comparison":{"period":"previous"}`, []string{`[[56,56]]`}, nil},
		"months of the year":   {ds, `"filters":[{"column":"day","op":"this","unit":"year"}],"comparison":{"period":"year"},"dimensions":[{"column":"day","grain":"month"}]`, []string{`["2026-10-01",62,62,62]`, `["2026-11-01",60,56,56]`, `["2026-12-01",62,null,0]`}, nil},
		"days by year, not over": {upTo, `"filters":[{"column":"day","op":"between","from":"2026-11-25","to":"2026-12-05"}],"comparison":{"period":"year"},"dimensions":[{"column":"day","grain":"day"}]`,
			[]string{`["2026-11-28",2,2]`}, []string{"2026-11-29"}},
		"months that it lacks": {ds, `"filters":[{"column":"day","op":"between","from":"2024-01-01","to":"2024-12-31"}],"comparison":{"period":"previous","n":1,"unit":"month"},"dimensions":[{"column":"day","grain":"month"}]`,
			[]string{`["2024-01-01",62,0]`, `["2024-12-01",62,60]`}, nil},
		"hours of a shorter month": {ds, `"filters":[{"column":"at","op":"between","from":"2026-02-01","to":"2026-02-28"}],"comparison":{"period":"previous"},"dimensions":[{"column":"at","grain":"hour"}]`,
			[]string{`["2026-02-28T10:00:00",2,2]`}, []string{`["2026-03`}},
		"hours of a longer month": {ds, `"filters":[{"column":"at","op":"between","from":"2026-03-01","to":"2026-03-31"}],"comparison":{"period":"previous","n":1,"unit":"month"},"dimensions":[{"column":"at","grain":"hour"}]`,
			[]string{`["2026-03-28T10:00:00",2,2]`, `["2026-03-29T10:00:00",2,null]`}, nil},
		"instants of a longer month": {ds, `"filters":[{"column":"ts","op":"between","from":"2026-03-01","to":"2026-03-31"}],"comparison":{"period":"previous","n":1,"unit":"month"},"dimensions":[{"column":"ts","grain":"hour"}]`,
			[]string{`["2026-03-28T10:00:00Z",2,2]`, `["2026-03-29T10:00:00Z",2,null]`}, nil},
		"moments of a longer month": {ds, `"filters":[{"column":"at","op":"between","from":"2026-03-01","to":"2026-03-31"}],"comparison":{"period":"previous","n":1,"unit":"month"},"dimensions":[{"column":"at"}]`,
			[]string{`["2026-03-28T10:00:00",2,2]`, `["2026-03-29T10:00:00",2,null]`}, nil},
		"year to date by day": {ds, `"filters":[{"column":"day","op":"between","from":"2025-01-01","to":"2025-12-31"}],"comparison":{"period":"previous","n":1,"unit":"year"},"dimensions":[{"column":"day","grain":"day"}]`,
			[]string{`["2025-02-28",2,4]`, `["2025-03-01",2,2]`, `["2025-12-31",2,2]`}, nil},
		"the 29th of February": {ds, `"filters":[{"column":"day","op":"between","from":"2024-02-27","to":"2024-03-02"}],"comparison":{"period":"year"},"dimensions":[{"column":"day","grain":"day"}]`,
			[]string{`["2024-02-28",2,0]`, `["2024-02-29",2,null]`, `["2024-03-01",2,0]`}, nil},
	} {
		r, err := f.engine().Run(t.Context(), Query{Dataset: c.ds, Now: now, Spec: mustSpec(t, `{"dataset":"x","measures":[{"fn":"count","as":"n"}],`+c.spec+`}`)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := string(r.AppendJSON(nil))
		for _, want := range c.has {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %s in %s", name, want, got)
			}
		}
		for _, other := range c.lacks {
			if strings.Contains(got, other) {
				t.Errorf("%s: %s in %s", name, other, got)
			}
		}
	}
	// Where small groups are withheld, the difference would tell of few rows ahead.
	few := *upTo
	few.Policy = NewPolicy(Policy{MinRows: 5})
	earlier := time.Date(2026, 11, 26, 13, 0, 0, 0, time.UTC)
	r, err := f.engine().Run(t.Context(), Query{Dataset: &few, Now: earlier, Spec: mustSpec(t, `{"dataset":"x","measures":[{"fn":"count","as":"n"}],"filters":[{"column":"day","op":"this","unit":"year"}],"comparison":{"period":"year"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(r.AppendJSON(nil)); !strings.Contains(got, `[[664,null]]`) {
		t.Errorf("with few rows ahead: %s", got)
	}
	// A row beyond the span does not lie ahead in it.
	stray := f.dataset("stray", "day date, ts timestamptz", `SELECT day, day + INTERVAL 12 HOUR AS ts FROM (SELECT DATE '2024-01-01' + (i)::INTEGER AS day FROM range(1062) t(i) UNION ALL SELECT DATE '2099-01-01')`)
	stray.Policy = NewPolicy(Policy{MinRows: 5})
	for _, column := range []string{"day", "ts"} {
		r, err = f.engine().Run(t.Context(), Query{Dataset: stray, Now: time.Date(2026, 11, 27, 13, 0, 0, 0, time.UTC), Spec: mustSpec(t,
			`{"dataset":"x","measures":[{"fn":"count","as":"n"}],"filters":[{"column":"`+column+`","op":"this","unit":"year"}],"comparison":{"period":"year"}}`)})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(r.AppendJSON(nil)); !strings.Contains(got, `[[331,331]]`) {
			t.Errorf("with a row in 2099, by %s: %s", column, got)
		}
	}
	// A running total says nothing of days that the earlier span lacks.
	got := run(t, f.engine(), ds, `{"dataset":"book","measures":[{"fn":"count","as":"n","show":"running"}],"dimensions":[{"column":"day","grain":"day"}],
		"filters":[{"column":"day","op":"between","from":"2026-03-01","to":"2026-03-31"}],"comparison":{"period":"previous","n":1,"unit":"month"}}`)
	if !strings.Contains(got, `["2026-03-28",56,56]`) || !strings.Contains(got, `["2026-03-29",58,null]`) {
		t.Errorf("a running total: %s", got)
	}
}

// TestComparisonOfDaysUpToNow: an end goes back by its last day, whatever the
// lengths of the months, and a month without such a day counts in whole.
func TestComparisonOfDaysUpToNow(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("events", "day date, ts timestamptz", `SELECT DATE '2022-01-01' + (i)::INTEGER AS day, TIMESTAMPTZ '2022-01-01 00:00:00+00' + INTERVAL (i) DAY AS ts FROM range(2191) t(i)`)
	for _, c := range []struct {
		now, filter, comparison, want string
	}{
		{"2026-03-28", `"op":"this","unit":"month"`, `"previous"`, "28,28"},
		{"2026-03-29", `"op":"this","unit":"month"`, `"previous"`, "29,28"},
		{"2026-05-30", `"op":"this","unit":"month"`, `"previous"`, "30,30"},
		{"2026-04-30", `"op":"this","unit":"month"`, `"previous"`, "30,30"},
		{"2026-04-30", `"op":"this","unit":"quarter"`, `"previous"`, "30,30"},
		{"2026-05-30", `"op":"this","unit":"quarter"`, `"previous"`, "60,59"},
		{"2026-05-30", `"op":"last","n":3,"unit":"month"`, `"previous"`, "91,90"},
		{"2026-05-30", `"op":"between","from":"2026-05-01","to":"2026-05-31"`, `"previous","n":1,"unit":"month"`, "30,30"},
		{"2024-02-28", `"op":"this","unit":"year"`, `"year"`, "59,59"},
		{"2027-01-01", `"op":"between","from":"2024-02-01","to":"2024-02-28"`, `"year"`, "28,28"},
		{"2027-01-01", `"op":"between","from":"2024-02-28","to":"2024-02-28"`, `"year"`, "1,1"},
		{"2027-01-01", `"op":"between","from":"2024-02-29","to":"2024-02-29"`, `"year"`, "1,1"},
		{"2027-01-01", `"op":"between","from":"2026-02-01","to":"2026-02-28"`, `"previous"`, "28,31"},
	} {
		now, err := time.Parse(time.DateOnly, c.now)
		if err != nil {
			t.Fatal(err)
		}
		for _, column := range []string{"day", "ts"} {
			r, err := f.engine().Run(t.Context(), Query{Dataset: ds, Now: now.Add(13 * time.Hour), Spec: mustSpec(t, fmt.Sprintf(
				`{"dataset":"x","measures":[{"fn":"count","as":"n"}],"filters":[{"column":%q,%s}],"comparison":{"period":%s}}`, column, c.filter, c.comparison))})
			if err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			// The rows go on to the end of 2027: what had happened is compared.
			got := r.Columns[0].Ints[0]
			if len(r.Columns) > 2 {
				got = r.Columns[2].Ints[0]
			}
			if text := fmt.Sprintf("%d,%d", got, r.Columns[1].Ints[0]); text != c.want {
				t.Errorf("%s of %s on %s against %s: %s, not %s", column, c.filter, c.now, c.comparison, text, c.want)
			}
		}
	}
}

// TestComparisonMovesWhatItCan: filters on several spans go along to the earlier
// one, months of spans that are none line up by days, and what cannot be moved is
// unknown.
func TestComparisonMovesWhatItCan(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("events", "day date, ts timestamptz", `SELECT DATE '2022-01-01' + (i)::INTEGER AS day, TIMESTAMPTZ '2022-01-01 00:00:00+00' + INTERVAL (i) DAY AS ts FROM range(2191) t(i)`)
	half := f.dataset("half", "ts timestamptz", `SELECT TIMESTAMPTZ '2026-10-01 00:00:00+00' + INTERVAL (30 * i) MINUTE AS ts FROM range(4000) t(i)`)
	quarters := f.dataset("quarters", "ts timestamptz", `SELECT TIMESTAMPTZ '2026-01-01 00:00:00+00' + INTERVAL (15 * i) MINUTE AS ts FROM range(40000) t(i)`)
	year := `"filters":[{"column":"day","op":"between","from":"2025-01-01","to":"2025-12-31"},`
	for name, c := range map[string]struct {
		ds        *Dataset
		now, spec string
		want      []string
	}{
		"two months of the year": {ds, "2025-12-31T12:00:00Z", year + `{"column":"day","op":"in","grain":"month","values":["2025-04-01","2025-07-01"]}],"comparison":{"period":"year"},"dimensions":[{"column":"day","grain":"month"}]`,
			[]string{`["2025-04-01",30,30]`, `["2025-07-01",31,31]`}},
		"their total":           {ds, "2025-12-31T12:00:00Z", year + `{"column":"day","op":"in","grain":"month","values":["2025-04-01","2025-07-01"]}],"comparison":{"period":"year"}`, []string{`[[61,61]]`}},
		"two that are one span": {ds, "2025-12-31T12:00:00Z", year + `{"column":"day","op":"in","grain":"month","values":["2025-05-01","2025-04-01"]}],"comparison":{"period":"previous"}`, []string{`[[61,59]]`, `"span":["2025-04-01T00:00:00","2025-06-01T00:00:00"]`}},
		"all but two":           {ds, "2025-12-31T12:00:00Z", year + `{"column":"day","op":"not_in","grain":"month","values":["2025-04-01","2025-07-01"]}],"comparison":{"period":"year"}`, []string{`[[304,305]]`}},
		"days by their distance": {ds, "2025-12-31T12:00:00Z", `"filters":[{"column":"day","op":"between","from":"2025-11-01","to":"2025-11-30"},{"column":"day","op":"in","values":["2025-11-03","2025-11-20"]}],"comparison":{"period":"previous"},"dimensions":[{"column":"day","grain":"day"}]`,
			[]string{`["2025-11-03",1,1]`, `["2025-11-20",1,1]`}},
		"a measure's own filter": {ds, "2025-12-31T12:00:00Z", `"measures":[{"fn":"count","as":"m","filters":[{"column":"day","op":"this","unit":"month"}]},{"fn":"count","as":"n"}],"filters":[{"column":"day","op":"this","unit":"year"}],"comparison":{"period":"year"}`,
			[]string{`[[31,null,365,366]]`}},
		"a measure from a day on": {ds, "2025-12-31T12:00:00Z", `"measures":[{"fn":"count","as":"m","filters":[{"column":"day","op":">=","values":["2025-03-01"]}]},{"fn":"count","as":"n"}],"filters":[{"column":"day","op":"this","unit":"year"}],"comparison":{"period":"year"}`,
			[]string{`[[306,null,365,366]]`}},
		"a measure up to a day": {ds, "2025-12-31T12:00:00Z", `"measures":[{"fn":"count","as":"m","filters":[{"column":"day","op":"between","to":"2025-02-28"}]},{"fn":"count","as":"n"}],"filters":[{"column":"day","op":"this","unit":"year"}],"comparison":{"period":"year"}`,
			[]string{`[[59,null,365,366]]`}},
		"two days by hours over a change of clocks": {quarters, "2026-12-31T12:00:00Z", `"timezone":"Europe/London","filters":[{"column":"ts","op":"between","from":"2026-03-30","to":"2026-04-05"},{"column":"ts","op":"in","grain":"day","values":["2026-03-30","2026-04-01"]}],"comparison":{"period":"previous"},"dimensions":[{"column":"ts","grain":"hour"}],"limit":100`,
			[]string{`"rows":[["2026-03-30T00:00:00+01:00",4,4]`, `["2026-03-30T23:00:00+01:00",4,4],["2026-04-01T00:00:00+01:00",4,4]`, `["2026-04-01T23:00:00+01:00",4,4]]`}},
		"up to the hour that comes twice": {quarters, "2026-10-25T00:30:00Z", `"timezone":"Europe/London","filters":[{"column":"ts","op":"this","unit":"day"}],"comparison":{"period":"previous"}`,
			[]string{`[[100,7,7]]`, `"to_date":"2026-10-25T01:30:00.000001+01:00"`}},
		"months of 90 days": {ds, "2025-11-28T12:00:00Z", `"filters":[{"column":"day","op":"last","n":90,"unit":"day"}],"comparison":{"period":"previous"},"dimensions":[{"column":"day","grain":"month"}]`,
			[]string{`["2025-08-01",1,1]`, `["2025-09-01",30,30]`, `["2025-11-01",28,28]`}},
		"hours by day": {half, "2026-11-01T05:45:00Z", `"filters":[{"column":"ts","op":"last","n":6,"unit":"hour"}],"comparison":{"period":"previous"},"dimensions":[{"column":"ts","grain":"day"}]`,
			[]string{`["2026-11-01",12,12]`}},
		"hours over one that comes twice": {half, "2026-10-25T13:07:00Z", `"timezone":"Europe/London","filters":[{"column":"ts","op":"previous","n":6,"unit":"hour"}],"comparison":{"period":"previous"},"dimensions":[{"column":"ts","grain":"hour"}]`,
			[]string{`["2026-10-25T07:00:00Z",2,2]`, `["2026-10-25T12:00:00Z",2,2]`}},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		text := `{"dataset":"x",` + c.spec + `}`
		if !strings.Contains(text, `"measures"`) {
			text = `{"dataset":"x","measures":[{"fn":"count","as":"n"}],` + c.spec + `}`
		}
		r, err := f.engine().Run(t.Context(), Query{Dataset: c.ds, Now: now, Spec: mustSpec(t, text)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range c.want {
			if got := string(r.AppendJSON(nil)); !strings.Contains(got, want) {
				t.Errorf("%s: no %s in %s", name, want, got)
			}
		}
	}
}

// TestRunningTotalsNeedEveryMoment refuses what would leave out the moments that
// "Other" folds.
func TestRunningTotalsNeedEveryMoment(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("events", "day date, kind text", `SELECT DATE '2026-01-01' + (i % 9)::INTEGER AS day, 'k' || i % 3 AS kind FROM range(90) t(i)`)
	spec := func(dimensions string) string {
		return `{"dataset":"events","measures":[{"fn":"count","as":"n","show":"running"}],"dimensions":[` + dimensions + `],"limit":2,"other":true}`
	}
	_, err := f.engine().Run(t.Context(), Query{Spec: mustSpec(t, spec(`{"column":"day","grain":"day"}`)), Dataset: ds})
	if !errors.Is(err, ErrMeasureShow) {
		t.Errorf("of days: %v", err)
	}
	// Series are folded, not moments: each goes on to its own total.
	got := run(t, f.engine(), ds, spec(`{"column":"day","grain":"day"},{"column":"kind"}`))
	for _, want := range []string{`["2026-01-07","k0",30]`, `["2026-01-08","k1",30]`, `["2026-01-09","Other",30]`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

// TestSparseSaysWhatMayBeMissing: groups that a filter on a measure or a rule
// left out are no groups without rows.
func TestSparseSaysWhatMayBeMissing(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("events", "day date, n integer", `SELECT DATE '2026-01-01' + (i % 9)::INTEGER AS day, i AS n FROM range(86) t(i)`)
	few := *ds
	few.Policy = NewPolicy(Policy{MinRows: 10})
	spec := `{"dataset":"events","measures":[{"fn":"count","as":"n"}],"dimensions":[{"column":"day","grain":"day"}]`
	for name, c := range map[string]struct {
		ds   *Dataset
		spec string
		want bool
	}{
		"all":                   {ds, spec + `}`, false},
		"the first":             {ds, spec + `,"limit":2}`, false},
		"a filter on a measure": {ds, spec + `,"filters":[{"measure":"n","op":">","values":[9]}]}`, true},
		"small groups":          {&few, spec + `}`, true},
	} {
		e := f.engine()
		for range 2 { // asked, and kept
			r, err := e.Run(t.Context(), Query{Dataset: c.ds, Spec: mustSpec(t, c.spec)})
			if err != nil || r.Sparse != c.want {
				t.Errorf("%s: %v, %v", name, r.Sparse, err)
			}
		}
	}
}

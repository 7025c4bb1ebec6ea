package warehouse

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/db/dbtest"
)

var (
	randomSpecs = flag.Int("random.specs", 200, "random specs to compare with PostgreSQL")
	randomSeed  = flag.Uint64("random.seed", 1, "seed of the random specs")
)

// randomZones have transitions at odd hours, of half an hour, to offsets that
// are no whole number of quarters, and at one minute past midnight.
var randomZones = []string{"UTC", "Europe/London", "America/Chicago", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "Africa/Monrovia", "Pacific/Apia"}

const (
	randomColumns = "id integer, at timestamptz, wall timestamp, day date, city text, code text, n integer, x float, price decimal(12,3), ok boolean"
	cityColumns   = "code text, country text, size integer, founded date"
)

// world is the same rows in segments and in PostgreSQL.
type world struct {
	fixture *fixture
	engine  *Engine
	pg      *pgx.Conn
	ds      *Dataset
	now     time.Time
}

func newWorld(t *testing.T, rnd *rand.Rand) *world {
	f := newFixture(t)
	var parts, all []string
	id := 0
	for range 3 {
		var rows []string
		for range 700 {
			id++
			rows = append(rows, randomRow(rnd, id))
		}
		names := "id, \"at\", wall, day, city, code, n, x, price, ok"
		parts = append(parts, fmt.Sprintf("SELECT * FROM (VALUES %s) v(%s)", strings.Join(rows, ","), names))
		all = append(all, rows...)
	}
	ds := f.dataset("facts", randomColumns, parts...)
	cities := `('A','North',5,'1900-05-01'),('B','North',NULL,'1969-12-31'),('C',NULL,50,'1970-01-01'),('D','it''s "South"; --',500,NULL),('E','south',1,'2001-09-09')`
	target := f.dataset("cities", cityColumns, "SELECT * FROM (VALUES "+cities+") v(code, country, size, founded)")
	ds.Lookups = map[string]Lookup{"home": {Column: 6, Key: 1, Target: target}}
	ds.Measures = map[string]Measure{"rate": {Fn: "ratio", Numerator: &Measure{Fn: "sum", Column: "n"}, Denominator: &Measure{Fn: "count", Column: "x"}}}

	conn, err := pgx.Connect(t.Context(), dbtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	for _, sql := range []string{
		"SET timezone = 'UTC'",
		`CREATE TABLE facts (id bigint, at timestamptz, wall timestamp, day date, city text COLLATE "C", code text COLLATE "C", n bigint, x float8, price numeric(12,3), ok boolean)`,
		`CREATE TABLE cities (code text COLLATE "C", country text COLLATE "C", size bigint, founded date)`,
		"INSERT INTO facts VALUES " + strings.Join(all, ","),
		"INSERT INTO cities VALUES " + cities,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%v\n%.300s", err, sql)
		}
	}
	return &world{fixture: f, engine: f.engine(), pg: conn, ds: ds, now: time.Date(2021, 4, 4, 2, 45, 0, 0, time.UTC)}
}

// transitions are moments around which clocks change in the zones above.
var transitions = []string{
	"2020-03-29 01:00:00", "2020-10-25 01:00:00", "2021-03-28 01:00:00", // London
	"2020-03-08 08:00:00", "2020-11-01 07:00:00", "2021-03-14 08:00:00", // Chicago
	"2020-04-04 15:00:00", "2020-10-03 15:30:00", "2021-04-03 15:00:00", // Lord Howe
	"1985-12-31 18:30:00",                        // Kathmandu
	"2006-04-02 03:31:00", "2006-10-29 02:31:00", // St John's, at 00:01
	"1972-01-07 00:44:30", // Monrovia
	"2011-12-30 10:00:00", // Apia left out a day
	"1970-01-01 00:00:00", "1968-02-18 02:00:00",
}

func randomRow(rnd *rand.Rand, id int) string {
	null := func(s string) string {
		if rnd.IntN(12) == 0 {
			return "NULL"
		}
		return s
	}
	moment := func() time.Time {
		switch rnd.IntN(4) {
		case 0:
			return time.Unix(rnd.Int64N(2_200_000_000)-700_000_000, rnd.Int64N(1e6)*1000).UTC()
		case 1: // the months before now
			return time.Unix(1_617_504_300-rnd.Int64N(400*86400), 0).UTC()
		}
		base, err := time.Parse(time.DateTime, transitions[rnd.IntN(len(transitions))])
		if err != nil {
			panic(err)
		}
		return base.Add(time.Duration(rnd.Int64N(8*3600)-4*3600) * time.Second)
	}
	at, wall := moment(), moment()
	cities := []string{"Rome", "rome", "Oslo", "", "Æro", "a'b", `c"d`, "100%", "x_y"}
	codes := []string{"A", "B", "C", "D", "E", "F", "Z"}
	return fmt.Sprintf("(%d, %s, %s, %s, %s, %s, %s, %s, %s, %s)", id,
		null("TIMESTAMPTZ '"+at.Format("2006-01-02 15:04:05.999999")+"+00'"),
		null("TIMESTAMP '"+wall.Format("2006-01-02 15:04:05.999999")+"'"),
		null("DATE '"+moment().Format(time.DateOnly)+"'"),
		null(quoteText(cities[rnd.IntN(len(cities))])),
		null(quoteText(codes[rnd.IntN(len(codes))])),
		null(strconv.Itoa(rnd.IntN(200)-60)),
		null(fmt.Sprintf("%g::float8", float64(rnd.IntN(4000)-1000)/16)),
		null(fmt.Sprintf("%.3f", float64(rnd.IntN(400000)-100000)/1000)),
		null([]string{"TRUE", "FALSE"}[rnd.IntN(2)]))
}

// TestRandomSpecs answers random specs and compares with PostgreSQL, whose
// statement is written from the spec by code of its own (reference_test.go).
func TestRandomSpecs(t *testing.T) {
	w := newWorld(t, rand.New(rand.NewPCG(*randomSeed, 0)))
	w.compare(t, *randomSpecs, w.engine.Run)
}

// TestRandomSpecsFromSummaries asks each three times: the third answer comes from
// summaries wherever it can.
func TestRandomSpecsFromSummaries(t *testing.T) {
	w := newWorld(t, rand.New(rand.NewPCG(*randomSeed, 0)))
	e := w.fixture.engine(func(c *Config) { c.CacheBytes = 1 })
	e.kept.minRows, e.kept.slowGroups, e.kept.share = 1, -1, 0
	e.kept.slowPage = time.Hour
	specs := *randomSpecs / 2
	w.compare(t, specs, func(ctx context.Context, q Query) (*Result, error) {
		// The summaries come of the same question, once of all times and once a
		// month before; so some answers are of spans in which there is nothing.
		earlier := q
		earlier.Now = q.Now.AddDate(0, -1, 0)
		ever := q
		ever.Spec.Filters = slices.DeleteFunc(slices.Clone(q.Spec.Filters), func(f Filter) bool {
			return slices.Contains([]string{"last", "this", "previous"}, f.Op) || f.Op == "between" && f.Grain == "" && strings.HasPrefix(string(f.From), `"20`)
		})
		for _, before := range []Query{ever, earlier} {
			if _, err := e.Run(ctx, before); err != nil && !errors.Is(err, ErrComparison) { // which needs a span
				return nil, err
			}
			waitFor(t, e.kept.idle)
		}
		return e.Run(ctx, q)
	})
	if failed := readMetric(e.metrics.keptFailed); failed > 0 {
		t.Errorf("%v summaries could not be made", failed)
	}
	if n := counterOf(e, "summary"); n < float64(specs)/5 {
		t.Errorf("only %v of %d answers came from summaries", n, specs)
	}
}

// compare has random specs answered and compares with PostgreSQL.
func (w *world) compare(t *testing.T, specs int, run func(context.Context, Query) (*Result, error)) {
	kinds := map[string]int{}
	for i := range specs {
		g := &specGenerator{rnd: rand.New(rand.NewPCG(*randomSeed, uint64(i)+1)), kinds: kinds}
		spec := g.spec()
		text, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ParseSpec(text)
		if err != nil {
			t.Fatalf("spec %d: %v\n%s", i, err, text)
		}
		q := Query{Spec: parsed, Dataset: w.ds, Now: w.now}
		got, err := run(t.Context(), q)
		if err != nil {
			x, _ := w.engine.Explain(t.Context(), q)
			t.Fatalf("spec %d: %v\n%s\n%s", i, err, text, x.SQL)
		}
		ref := &reference{spec: &spec, ds: w.ds, now: w.now}
		sql := ref.sql()
		want, err := w.reference(t.Context(), sql)
		if err != nil {
			t.Fatalf("spec %d: %v\n%s\n%s", i, err, text, sql)
		}
		got, diff := w.toDate(t, q, got)
		if diff == "" {
			diff = compareRows(got, want, ref.ordered)
		}
		if diff != "" {
			x, _ := w.engine.Explain(t.Context(), q)
			t.Errorf("spec %d: %s\nspec: %s\nPostgreSQL: %s\nDuckDB: %s", i, diff, text, sql, x.SQL)
			if t.Failed() && i > 0 && testing.Short() {
				return
			}
		}
		if got.Rows > 0 {
			kinds["with rows"]++
		}
	}
	t.Logf("%v", kinds)
	if kinds["with rows"] < specs*7/10 {
		t.Errorf("only %d of %d answers have rows: the generator asks for too little", kinds["with rows"], specs)
	}
}

// toDate takes the columns "<measure>.to_date" off an answer, and compares them
// with the answer to the same question about what had happened by then.
func (w *world) toDate(t *testing.T, q Query, r *Result) (rest *Result, diff string) {
	if r.ToDate.IsZero() {
		return r, ""
	}
	short := *r
	short.Columns = nil
	var named []int // columns to compare
	dims := 0
	for i := range r.Columns {
		switch {
		case strings.HasSuffix(r.Columns[i].Name, ToDateSuffix):
			named = append(named, i)
		default:
			short.Columns = append(short.Columns, r.Columns[i])
			if r.Columns[i].Dimension {
				dims++
			}
		}
	}
	if q.Spec.Limit > 0 || q.Spec.Other || slices.ContainsFunc(q.Spec.Filters, func(f Filter) bool { return f.Measure != "" }) || slices.ContainsFunc(q.Spec.Measures, func(m Measure) bool { return m.Show != "" }) {
		return &short, ""
	}
	happened := q
	column := q.Spec.Comparison.Column
	happened.Spec.Comparison, happened.Spec.Order = nil, nil
	moment := r.ToDate.Add(-time.Microsecond).Format("2006-01-02T15:04:05.999999Z07:00")
	for _, c := range w.ds.Columns {
		switch {
		case c.Name == column && c.Type == Date:
			moment = r.ToDate.Add(-time.Microsecond).Format(time.DateOnly)
		case c.Name == column && c.Type == Timestamp:
			moment = strings.TrimSuffix(moment, "Z")
		}
	}
	happened.Spec.Filters = append(slices.Clone(q.Spec.Filters), Filter{Column: column, Op: "<=", Values: []json.RawMessage{json.RawMessage(strconv.Quote(moment))}})
	want, err := w.engine.Run(t.Context(), happened)
	if err != nil {
		return &short, err.Error()
	}
	line := func(r *Result, row int, columns []int) (key, values string) {
		for i := range dims {
			key += resultText(&r.Columns[i], row) + "|"
		}
		for _, i := range columns {
			values += resultText(&r.Columns[i], row) + "|"
		}
		return key, values
	}
	all := make([]int, len(named))
	nothing := ""
	for i := range all {
		all[i] = dims + i
		if fn := q.Spec.Measures[i].Fn; fn == "count" || fn == "count_distinct" {
			nothing += "0"
		} else {
			nothing += resultText(&ResultColumn{Type: Text, Texts: []string{""}, Nulls: []bool{true}}, 0)
		}
		nothing += "|"
	}
	then := map[string]string{}
	for row := range want.Rows {
		key, values := line(want, row, all)
		then[key] = values
	}
	for row := range r.Rows {
		key, values := line(r, row, named)
		expected, ok := then[key]
		if !ok {
			expected = nothing
		}
		if values != expected {
			return &short, fmt.Sprintf("by %s the group %s had %s, not %s", moment, key, expected, values)
		}
	}
	return &short, ""
}

// reference runs a statement whose columns are all text.
func (w *world) reference(ctx context.Context, sql string) ([][]*string, error) {
	rows, err := w.pg.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]*string
	for rows.Next() {
		row := make([]*string, len(rows.FieldDescriptions()))
		to := make([]any, len(row))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func compareRows(got *Result, want [][]*string, ordered bool) string {
	if got.Rows != len(want) {
		return fmt.Sprintf("%d rows, PostgreSQL has %d", got.Rows, len(want))
	}
	line := func(row int) []string {
		out := make([]string, len(got.Columns))
		for i := range got.Columns {
			out[i] = resultText(&got.Columns[i], row)
		}
		return out
	}
	if !ordered {
		return compareSets(got, want, line)
	}
	for r := range want {
		if !sameRow(got, line(r), want[r]) {
			return fmt.Sprintf("row %d is %v, PostgreSQL has %v", r, line(r), wantText(want[r]))
		}
	}
	return ""
}

func compareSets(got *Result, want [][]*string, line func(int) []string) string {
	used := make([]bool, len(want))
	for r := range got.Rows {
		found := false
		for i, w := range want {
			if !used[i] && sameRow(got, line(r), w) {
				used[i], found = true, true
				break
			}
		}
		if !found {
			return fmt.Sprintf("row %v is not in PostgreSQL's answer", line(r))
		}
	}
	return ""
}

func wantText(row []*string) []string {
	out := make([]string, len(row))
	for i, s := range row {
		if s == nil {
			out[i] = "NULL"
		} else {
			out[i] = *s
		}
	}
	return out
}

func sameRow(got *Result, line []string, want []*string) bool {
	for i := range want {
		if i >= len(line) {
			return false
		}
		w := "NULL"
		if want[i] != nil {
			w = *want[i]
		}
		if line[i] == w {
			continue
		}
		switch got.Columns[i].Type {
		case Float:
			a, errA := strconv.ParseFloat(line[i], 64)
			b, errB := strconv.ParseFloat(w, 64)
			if errA != nil || errB != nil || math.Abs(a-b) > 1e-9*math.Max(1, math.Max(math.Abs(a), math.Abs(b))) {
				return false
			}
		case Integer, Decimal:
			a, okA := new(big.Rat).SetString(line[i])
			b, okB := new(big.Rat).SetString(w)
			if !okA || !okB || a.Cmp(b) != 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// resultText writes a value as PostgreSQL's ::text does in UTC.
func resultText(c *ResultColumn, row int) string {
	if c.IsNull(row) {
		return "NULL"
	}
	switch c.Type {
	case Text:
		return c.Texts[row]
	case Float:
		return strconv.FormatFloat(c.Floats[row], 'g', -1, 64)
	case Decimal:
		return c.Exact[row]
	case Boolean:
		return strconv.FormatBool(c.Ints[row] != 0)
	case Date:
		return time.Unix(c.Ints[row]*86400, 0).UTC().Format(time.DateOnly)
	case Timestamp:
		return time.UnixMicro(c.Ints[row]).UTC().Format("2006-01-02 15:04:05.999999")
	case TimestampTZ:
		return time.UnixMicro(c.Ints[row]).UTC().Format("2006-01-02 15:04:05.999999+00")
	}
	return strconv.FormatInt(c.Ints[row], 10)
}

package warehouse

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/platform/records"
)

const exportColumns = "at timestamptz,day date,wall timestamp,n integer,price decimal(10,2),share float,ok boolean,name text"

// exported are rows with everything that a file could get wrong.
func (f *fixture) exported() *Dataset {
	return f.dataset("exported", exportColumns,
		`SELECT * FROM (VALUES
			(TIMESTAMPTZ '2026-03-29 00:30:00+00', DATE '2026-03-29', TIMESTAMP '2026-03-29 00:30:00.25', 1, 1234.50, 0.5, true, 'plain'),
			(TIMESTAMPTZ '2026-03-29 01:30:00+00', DATE '1969-12-31', TIMESTAMP '1969-12-31 23:59:59', -2, -0.01, 1234567.0, false, '=1+1'),
			(TIMESTAMPTZ '2026-03-29 02:00:00.000001+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL)
		) AS v("at", day, wall, n, price, share, ok, name)`,
		`SELECT * FROM (VALUES
			(TIMESTAMPTZ '2026-03-29 03:00:00+00', DATE '2026-01-01', TIMESTAMP '2026-01-01 00:00:00', 9223372036854775807, 99999999.99, 1e-7, true, ''),
			(TIMESTAMPTZ '2026-03-29 04:00:00+00', DATE '2026-01-01', TIMESTAMP '2026-01-01 00:00:00', 0, 0.00, 1e20, true, 'a;b,"c"' || chr(10) || 'ünï 🚀 שלום'),
			(TIMESTAMPTZ '2026-03-29 05:00:00+00', DATE '2026-01-01', TIMESTAMP '2026-01-01 00:00:00', 0, 0.00, 3.0, true, chr(9) || '@SUM(A1)'),
			(TIMESTAMPTZ '2026-03-29 06:00:00+00', DATE '2026-01-01', TIMESTAMP '2026-01-01 00:00:00', 0, 0.00, 0.0, true, '＝cmd'),
			(TIMESTAMPTZ '2026-03-29 07:00:00+00', DATE '2026-01-01', TIMESTAMP '2026-01-01 00:00:00', 0, 0.00, 0.0, true, '10 downing')
		) AS v("at", day, wall, n, price, share, ok, name)`)
}

func wholeOf(ds *Dataset, zone string) Query {
	q := Query{Dataset: ds, Stored: true, Spec: Spec{Dataset: ds.Name, Timezone: zone}}
	for _, c := range ds.Columns {
		if _, shown := ds.Policy.Seen(c); shown {
			q.Spec.Columns = append(q.Spec.Columns, c.Name)
		}
	}
	return q
}

func TestExportedCSVOpensRight(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.engine()
	var out bytes.Buffer
	n, err := e.Export(t.Context(), wholeOf(f.exported(), "Europe/Berlin"), Export{Format: ExportCSV, BOM: true, Separator: ';', Point: ',',
		Names: []string{"When", "Day", "Wall", "=n", "Price", "Share", "OK", "Name; or so"}}, &out)
	if err != nil || n != 8 {
		t.Fatal(n, err)
	}
	want := strings.Join([]string{
		"\ufeffWhen;Day;Wall;'=n;Price;Share;OK;\"Name; or so\"",
		"2026-03-29T01:30:00+01:00;2026-03-29;2026-03-29 00:30:00.25;1;1234,50;0,5;true;plain",
		"2026-03-29T03:30:00+02:00;1969-12-31;1969-12-31 23:59:59;-2;-0,01;1234567;false;'=1+1",
		"2026-03-29T04:00:00.000001+02:00;;;;;;;",
		"2026-03-29T05:00:00+02:00;2026-01-01;2026-01-01 00:00:00;9223372036854775807;99999999,99;1e-07;true;\"\"",
		"2026-03-29T06:00:00+02:00;2026-01-01;2026-01-01 00:00:00;0;0,00;1e+20;true;\"a;b,\"\"c\"\"\nünï 🚀 שלום\"",
		"2026-03-29T07:00:00+02:00;2026-01-01;2026-01-01 00:00:00;0;0,00;3;true;'\t@SUM(A1)",
		"2026-03-29T08:00:00+02:00;2026-01-01;2026-01-01 00:00:00;0;0,00;0;true;'＝cmd",
		"2026-03-29T09:00:00+02:00;2026-01-01;2026-01-01 00:00:00;0;0,00;0;true;10 downing",
	}, "\r\n") + "\r\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	// And in the same order each time.
	for range 50 {
		var again bytes.Buffer
		if _, err := e.Export(t.Context(), wholeOf(f.exported(), "UTC"), Export{Format: ExportCSV}, &again); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(again.String(), "\n"); !strings.HasPrefix(lines[1], "2026-03-29T00:30") || !strings.HasPrefix(lines[4], "2026-03-29T03:00") {
			t.Fatalf("another order: %q", lines)
		}
	}
	out.Reset()
	if _, err := e.Export(t.Context(), wholeOf(f.exported(), "UTC"), Export{Format: ExportCSV}, &out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 9 || rows[0][0] != "at" || rows[1][0] != "2026-03-29T00:30:00Z" || rows[1][4] != "1234.50" || rows[6][7] != "'\t@SUM(A1)" {
		t.Errorf("%v, %q", err, rows)
	}
}

// A text is made harmless alike in Go and in SQL.
func TestHarmlessAlike(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	texts := []string{"", " ", "a", "A", "=", "=a", "a=", "+1", "-1", "@x", "\t=", "\r\n", "\n=", "'=", "＝1", "＋1", "－1", "＠x", "￿", "Ａ", "ä", "🚀", "\u200b=", "1", "Z-", "~", "!x"}
	for _, text := range texts {
		out := []ResultColumn{{Type: Text}}
		if err := queryInto(t.Context(), f.conn, "SELECT "+harmless("x.name")+" FROM (SELECT "+quoteText(text)+" AS name) x", out); err != nil {
			t.Fatal(err)
		}
		if got, want := out[0].Texts[0], records.Harmless(text); got != want {
			t.Errorf("%q is %q in SQL and %q in Go", text, got, want)
		}
	}
}

// What is streamed is what a query answers.
func TestStreamIsTheAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.engine()
	q := wholeOf(f.exported(), "Europe/Berlin")
	q.Stored, q.Spec.Order = false, []Order{{By: "at", Desc: true}}
	want, err := e.Run(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	parts := 0
	err = e.Stream(t.Context(), q, func(part *Result) error {
		parts++
		if part.Rows != want.Rows {
			t.Fatalf("%d rows, not %d", part.Rows, want.Rows)
		}
		for i, c := range part.Columns {
			w := want.Columns[i]
			if c.Name != w.Name || c.Type != w.Type || !slices.Equal(c.Nulls, w.Nulls) || !slices.Equal(c.Ints, w.Ints) || !slices.Equal(c.Floats, w.Floats) ||
				!slices.Equal(c.Texts, w.Texts) || !slices.Equal(c.Exact, w.Exact) {
				t.Errorf("%s:\ngot  %+v\nwant %+v", c.Name, c, w)
			}
		}
		return nil
	})
	if err != nil || parts != 1 {
		t.Fatal(parts, err)
	}
	// A limit of the spec holds, and so do its filters.
	q.Spec.Limit, q.Spec.Filters = 2, []Filter{{Column: "ok", Op: "in", Values: []json.RawMessage{json.RawMessage("true")}}}
	rows := 0
	if err := e.Stream(t.Context(), q, func(part *Result) error { rows += part.Rows; return nil }); err != nil || rows != 2 {
		t.Errorf("%d rows, %v", rows, err)
	}
	// One column, of which a value is empty and one is none.
	q = Query{Dataset: f.dataset("one", "name text", "SELECT unnest(['', NULL, 'x', 'a\"b', ',']) AS name"), Stored: true, Spec: Spec{Dataset: "one", Columns: []string{"name"}}}
	err = e.Stream(t.Context(), q, func(part *Result) error {
		if c := part.Columns[0]; !slices.Equal(c.Texts, []string{"", "", "x", `a"b`, ","}) || !slices.Equal(c.Nulls, []bool{false, true, false, false, false}) {
			t.Errorf("%+v", c)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestExportedParquetKeepsTypes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.engine()
	read := func(q Query, x Export, sql string) []int64 {
		t.Helper()
		path := filepath.Join(f.dir, t.Name()+strconv.Itoa(f.n)+".parquet")
		f.n++
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		x.Format = ExportParquet
		if _, err := e.Export(t.Context(), q, x, file); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		return f.ints(strings.ReplaceAll(sql, "FILE", quoteText(path)))
	}
	whole := wholeOf(f.exported(), "UTC")
	got := read(whole, Export{Names: []string{"At", "at", "w", "n", "price", "share", "ok", "Name of it"}},
		`SELECT count(*) FROM FILE WHERE typeof("At") = 'TIMESTAMP WITH TIME ZONE' AND typeof("at 2") = 'DATE' AND typeof(price) = 'DECIMAL(10,2)' AND typeof(n) = 'BIGINT' AND typeof(ok) = 'BOOLEAN'`)
	if got[0] != 8 {
		t.Errorf("%d rows have the types", got[0])
	}
	if got := read(whole, Export{}, `SELECT count(*) FROM FILE WHERE name = '=1+1'`); got[0] != 1 {
		t.Error("a text was changed")
	}
	// Groups too: of time, with sums that are wide.
	grouped := Query{Dataset: f.exported(), Spec: Spec{Dataset: "exported", Timezone: "Europe/Berlin", Limit: 3, Dimensions: []Dimension{{Column: "at", Grain: "hour", As: "hour"}, {Column: "day", Grain: "month", As: "month"}},
		Measures: []Measure{{Fn: "count", As: "rows"}, {Fn: "sum", Column: "price", As: "price"}, {Fn: "sum", Column: "share", As: "share"}}}}
	if got := read(grouped, Export{}, `SELECT count(*) FROM FILE WHERE typeof(hour) = 'TIMESTAMP WITH TIME ZONE' AND typeof(month) = 'DATE' AND typeof(rows) = 'BIGINT' AND rows = 1`); got[0] != 3 {
		t.Errorf("%d groups", got[0])
	}
}

// Who may not see something does not find it in a file.
func TestExportKeepsRules(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.engine()
	ds := f.exported()
	limited := withPolicy(ds, Policy{Rows: rowRulesOf(ds, Filter{Column: "n", Op: "<", Values: []json.RawMessage{json.RawMessage("1")}}),
		Columns: map[int32]Mask{8: {Kind: MaskFirst, Keep: 2}, 5: {Kind: MaskHidden}}})
	for _, format := range []ExportFormat{ExportCSV, ExportParquet} {
		var out bytes.Buffer
		n, err := e.Export(t.Context(), wholeOf(limited, "UTC"), Export{Format: format}, &out)
		if err != nil || n != 5 {
			t.Fatal(format, n, err)
		}
		for _, secret := range []string{"plain", "9223372036854775807", "downing", "price", "SUM(A1)"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s has %q", format, secret)
			}
		}
	}
	rows := 0
	if err := e.Stream(t.Context(), wholeOf(limited, "UTC"), func(part *Result) error { rows += part.Rows; return nil }); err != nil || rows != 5 {
		t.Errorf("%d rows, %v", rows, err)
	}
	hidden := wholeOf(limited, "UTC")
	hidden.Spec.Columns = append(hidden.Spec.Columns, "price")
	if _, err := e.Export(t.Context(), hidden, Export{Format: ExportCSV}, io.Discard); !errors.Is(err, ErrUnknownColumn) {
		t.Errorf("a hidden column: %v", err)
	}
	few := withPolicy(ds, Policy{MinRows: 5})
	if _, err := e.Export(t.Context(), wholeOf(few, "UTC"), Export{Format: ExportCSV}, io.Discard); !errors.Is(err, ErrRowsWithheld) {
		t.Errorf("small groups: %v", err)
	}
}

// brokenWriter takes some bytes and then no more.
type brokenWriter struct{ room int }

var errBroken = errors.New("no room")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.room -= len(p); w.room < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestExportEndsEarlyAndGoesOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.engine()
	ds := f.dataset("many", "n integer,name text", "SELECT i AS n, 'row ' || i AS name FROM range(0, 200000) r(i)", "SELECT i AS n, 'row ' || i AS name FROM range(200000, 300001) r(i)")
	q := wholeOf(ds, "UTC")
	if _, err := e.Export(t.Context(), q, Export{Format: ExportCSV}, &brokenWriter{room: 100_000}); !errors.Is(err, errBroken) {
		t.Errorf("a writer without room: %v", err)
	}
	stop := errors.New("enough")
	if err := e.Stream(t.Context(), q, func(*Result) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a reader that has enough: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	err := e.Stream(ctx, q, func(part *Result) error {
		if seen += part.Rows; seen > 10_000 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	// All of them, once, in their order.
	next := int64(0)
	err = e.Stream(t.Context(), q, func(part *Result) error {
		for row := range part.Rows {
			if part.Columns[0].Ints[row] != next || part.Columns[1].Texts[row] != "row "+strconv.FormatInt(next, 10) {
				t.Fatalf("row %d is %d, %q", next, part.Columns[0].Ints[row], part.Columns[1].Texts[row])
			}
			next++
		}
		return nil
	})
	if err != nil || next != 300_001 {
		t.Errorf("%d rows, %v", next, err)
	}
	if left, err := filepath.Glob(filepath.Join(e.work.Path(), "export-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := e.Export(t.Context(), q, Export{Format: ExportCSV}, io.Discard); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

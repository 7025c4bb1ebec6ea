package warehouse

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// fixture writes datasets for tests with DuckDB itself, as segment files with
// field ids and buckets, and computes their statistics from the rows.
type fixture struct {
	t    testing.TB
	dir  string
	db   *database
	conn *connection
	n    int
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	db, err := openDatabase(":memory:", map[string]string{"threads": "2"})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.connect()
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, dir: t.TempDir(), db: db, conn: conn}
	t.Cleanup(func() { conn.close(); db.close() })
	f.exec("SET TimeZone = 'UTC'")
	return f
}

func (f *fixture) exec(sql string) {
	f.t.Helper()
	if err := f.conn.exec(context.Background(), sql); err != nil {
		f.t.Fatalf("%v\n%s", err, sql)
	}
}

func (f *fixture) ints(sql string) []int64 {
	f.t.Helper()
	out := []ResultColumn{{Type: Integer}}
	if err := queryInto(context.Background(), f.conn, sql, out); err != nil {
		f.t.Fatalf("%v\n%s", err, sql)
	}
	return out[0].Ints
}

func (f *fixture) engine(change ...func(*Config)) *Engine {
	cfg := Config{Dir: filepath.Join(f.dir, "engine"), DataDirs: []string{f.dir}, Threads: 2}
	for _, c := range change {
		c(&cfg)
	}
	e := New(cfg)
	f.t.Cleanup(func() { _ = e.Close() })
	return e
}

// columns reads "name type" pairs, with ids from 1: "at timestamptz, n integer,
// price decimal(10,2)".
func columns(list string) []Column {
	var out []Column
	for i, part := range splitTop(list) {
		name, typ, _ := strings.Cut(strings.TrimSpace(part), " ")
		c := Column{ID: int32(i + 1), Name: name, Type: Type(typ)}
		if _, err := fmt.Sscanf(typ, "decimal(%d,%d)", &c.Precision, &c.Scale); err == nil {
			c.Type = Decimal
		}
		out = append(out, c)
	}
	return out
}

func splitTop(list string) []string {
	var parts []string
	depth, from := 0, 0
	for i, r := range list {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, list[from:i])
				from = i + 1
			}
		}
	}
	return append(parts, list[from:])
}

// dataset writes the rows of each SELECT as one segment. The SELECTs give the
// columns by name.
func (f *fixture) dataset(name, list string, selects ...string) *Dataset {
	f.t.Helper()
	ds := &Dataset{ID: "ds-" + name, TenantID: "tenant-1", Name: name, Version: 1, Columns: columns(list)}
	ds.TimeColumn = segments.DefaultTimeColumn(ds.Columns)
	for _, sql := range selects {
		ds.Segments = append(ds.Segments, f.segment(ds, sql))
	}
	return ds
}

func (f *fixture) segment(ds *Dataset, sql string) Segment {
	f.t.Helper()
	f.n++
	path := filepath.Join(f.dir, fmt.Sprintf("segment-%03d.parquet", f.n))
	var list, ids []string
	for _, c := range ds.Columns {
		name := segments.ColumnName(c.ID)
		list = append(list, fmt.Sprintf("CAST(q.%s AS %s) AS %s", quoteName(c.Name), segments.SQLType(c), name))
		ids = append(ids, fmt.Sprintf("%s: %d", name, c.ID))
		if segments.HasBucket(c.Type) {
			b := segments.BucketName(c.ID)
			list = append(list, fmt.Sprintf("CAST(floor(epoch_us(q.%s) / 900e6) AS INTEGER) AS %s", quoteName(c.Name), b))
			ids = append(ids, fmt.Sprintf("%s: %d", b, segments.BucketID(c.ID)))
		}
	}
	order := ""
	if ds.TimeColumn != 0 {
		order = " ORDER BY " + segments.ColumnName(ds.TimeColumn)
	}
	f.exec(fmt.Sprintf("CREATE OR REPLACE TEMP TABLE seg AS SELECT %s FROM (%s) q", strings.Join(list, ", "), sql))
	f.exec(fmt.Sprintf("COPY (FROM seg%s) TO %s (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 122880, FIELD_IDS {%s})", order, quoteText(path), strings.Join(ids, ", ")))
	return f.describe(ds, path, "seg")
}

// describe makes the segment of a file whose rows are also in a table.
func (f *fixture) describe(ds *Dataset, path, table string) Segment {
	info, err := os.Stat(path)
	if err != nil {
		f.t.Fatal(err)
	}
	seg := Segment{ID: filepath.Base(path), Path: path, Bytes: info.Size(), Stats: map[int32]Range{}}
	seg.Rows = f.ints("SELECT count(*) FROM " + table)[0]
	for _, c := range ds.Columns {
		name := segments.ColumnName(c.ID)
		typ := c.Type
		x := name
		switch c.Type {
		case Boolean:
			typ, x = Integer, name+"::INTEGER"
		case Decimal:
			typ, x = Float, name+"::DOUBLE"
		}
		out := []ResultColumn{{Type: typ}, {Type: typ}, {Type: Integer}}
		if err := queryInto(context.Background(), f.conn, fmt.Sprintf("SELECT min(%s), max(%s), count(*) - count(%s) FROM %s", x, x, x, table), out); err != nil {
			f.t.Fatal(err)
		}
		r := Range{Nulls: out[2].Ints[0]}
		if !out[0].IsNull(0) {
			switch typ {
			case Text:
				r.Min, r.Max = out[0].Texts[0], out[1].Texts[0]
			case Float:
				r.Min, r.Max = out[0].Floats[0], out[1].Floats[0]
			default:
				r.Min, r.Max = out[0].Ints[0], out[1].Ints[0]
			}
		}
		seg.Stats[c.ID] = r
	}
	return seg
}

func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func mustSpec(t testing.TB, text string) Spec {
	t.Helper()
	s, err := ParseSpec([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// run answers a spec as JSON.
func run(t testing.TB, e *Engine, ds *Dataset, spec string) string {
	t.Helper()
	r, err := e.Run(context.Background(), Query{Spec: mustSpec(t, spec), Dataset: ds})
	if err != nil {
		x, _ := e.Explain(context.Background(), Query{Spec: mustSpec(t, spec), Dataset: ds})
		t.Fatalf("%v\n%s\n%s", err, spec, x.SQL)
	}
	return string(r.AppendJSON(nil))
}

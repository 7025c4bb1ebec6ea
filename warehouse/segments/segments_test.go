package segments_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

var columns = []segments.Column{
	{ID: 1, Name: "id", Type: segments.Integer},
	{ID: 2, Name: "at", Type: segments.Timestamp},
	{ID: 3, Name: "name", Type: segments.Text},
	{ID: 4, Name: "price", Type: segments.Decimal, Precision: 18, Scale: 2},
	{ID: 5, Name: "ratio", Type: segments.Float},
	{ID: 6, Name: "paid", Type: segments.Boolean},
	{ID: 7, Name: "day", Type: segments.Date},
	{ID: 8, Name: "seen", Type: segments.TimestampTZ},
	{ID: 9, Name: "huge", Type: segments.Decimal, Precision: 38, Scale: 3},
}

var layout = segments.Layout{Columns: columns, TimeColumn: 2}

func open(t *testing.T) *segments.Writer {
	t.Helper()
	w, err := segments.Open(segments.Config{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// query answers a query over files as text.
func query(t *testing.T, text string, args ...any) [][]string {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("SET TimeZone = 'UTC'"); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(fmt.Sprintf(text, args...))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for rows.Next() {
		values := make([]any, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(names))
		for i, v := range values {
			row[i] = fmt.Sprint(v)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func sampleRows() segments.Rows {
	return segments.Rows{
		Columns: columns, Count: 3,
		Vectors: []segments.Vector{
			{Ints: []int64{1, math.MinInt64, 3}},
			{Ints: []int64{5e6, 2e6, 0}, Nulls: []bool{false, false, true}},
			{Texts: []string{"short", "a text of more than twelve bytes", ""}, Nulls: []bool{false, false, true}},
			{Texts: []string{"1.50", "-99.99", "0"}},
			{Floats: []float64{0.5, math.Inf(1), -2}},
			{Ints: []int64{1, 0, 1}},
			{Ints: []int64{-1, 20000, 0}},
			{Ints: []int64{-1, 900e6, 900e6 - 1}},
			{Texts: []string{"-1.5", "12345678901234567890123456789012345.678", "0.001"}},
		},
	}
}

func TestWriteRows(t *testing.T) {
	w := open(t)
	path := filepath.Join(t.TempDir(), "rows.parquet")
	file, err := w.WriteRows(t.Context(), path, layout, sampleRows())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || file.Rows != 3 || file.Bytes != info.Size() {
		t.Fatalf("file %+v, %v", file, err)
	}
	got := query(t, "SELECT c1, c2::VARCHAR, c3, c4::VARCHAR, c5, c6, c7::VARCHAR, c8::VARCHAR, c9::VARCHAR, b2, b8 FROM '%s'", path)
	want := [][]string{
		{"-9223372036854775808", "1970-01-01 00:00:02", "a text of more than twelve bytes", "-99.99", "+Inf", "false", "2024-10-04", "1970-01-01 00:15:00+00", "12345678901234567890123456789012345.678", "0", "1"},
		{"1", "1970-01-01 00:00:05", "short", "1.50", "0.5", "true", "1969-12-31", "1969-12-31 23:59:59.999999+00", "-1.500", "0", "-1"},
		{"3", "<nil>", "<nil>", "0.00", "-2", "true", "1970-01-01", "1970-01-01 00:14:59.999999+00", "0.001", "<nil>", "0"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rows\n%v\nwant\n%v", got, want)
	}
	ids := query(t, "SELECT name, field_id FROM parquet_schema('%s') WHERE field_id IS NOT NULL ORDER BY ALL", path)
	if fmt.Sprint(ids) != "[[b2 1000002] [b8 1000008] [c1 1] [c2 2] [c3 3] [c4 4] [c5 5] [c6 6] [c7 7] [c8 8] [c9 9]]" {
		t.Errorf("field ids %v", ids)
	}
	if codec := query(t, "SELECT DISTINCT compression FROM parquet_metadata('%s')", path); fmt.Sprint(codec) != "[[SNAPPY]]" {
		t.Errorf("compression %v", codec)
	}
	wantStats := map[int32]segments.Range{
		1: {Min: int64(math.MinInt64), Max: int64(3)},
		2: {Min: int64(2e6), Max: int64(5e6), Nulls: 1},
		3: {Min: "a text of more than twelve bytes", Max: "short", Nulls: 1},
		4: {Min: -99.99, Max: 1.5},
		5: {Min: -2.0, Max: math.Inf(1)},
		6: {Min: int64(0), Max: int64(1)},
		7: {Min: int64(-1), Max: int64(20000)},
		8: {Min: int64(-1), Max: int64(900e6)},
		9: {Min: -1.5, Max: 12345678901234567890123456789012345.678},
	}
	for id, want := range wantStats {
		got := file.Stats[id]
		if low, float := want.Min.(float64); float {
			// Outward, by at most one step.
			high := want.Max.(float64)
			gotLow, gotHigh := got.Min.(float64), got.Max.(float64)
			if gotLow > low || gotLow < math.Nextafter(low, math.Inf(-1)) || gotHigh < high || gotHigh > math.Nextafter(high, math.Inf(1)) {
				t.Errorf("column %d: %v to %v, want %v to %v", id, gotLow, gotHigh, low, high)
			}
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("column %d: %#v, want %#v", id, got, want)
		}
	}
	data, err := json.Marshal(file.Stats)
	if err != nil {
		t.Fatal(err)
	}
	var back map[int32]segments.Range
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(back, file.Stats) {
		t.Errorf("ranges through JSON: %v, %v", back, err)
	}
}

func TestWritersShareOneInstance(t *testing.T) {
	w, dir := open(t), t.TempDir()
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 20 {
				path := filepath.Join(dir, fmt.Sprintf("%d-%d.parquet", g, i))
				if file, err := w.WriteRows(t.Context(), path, layout, sampleRows()); err != nil || file.Rows != 3 {
					t.Errorf("%+v, %v", file, err)
				}
			}
		})
	}
	group.Wait()
	if got := query(t, "SELECT count(*) FROM '%s/*.parquet'", dir); fmt.Sprint(got) != "[[480]]" {
		t.Errorf("rows %v", got)
	}
}

// stream gives rows with shuffled times in blocks; c1 numbers them.
func stream(rows, blockRows int, time func(i int) int64) func() (*segments.Block, error) {
	at := 0
	return func() (*segments.Block, error) {
		if at >= rows {
			return nil, io.EOF
		}
		n := min(blockRows, rows-at)
		b := &segments.Block{Rows: n, Columns: make([]segments.Values, 3)}
		for i, c := range columns[:3] {
			b.Columns[i].Reset(c, n)
		}
		for i := range n {
			b.Columns[0].Int64[i] = int64(at + i)
			b.Columns[1].Int64[i] = time(at + i)
			b.Columns[2].Bytes = fmt.Appendf(b.Columns[2].Bytes, "row %d", at+i)
			b.Columns[2].Offsets[i+1] = int32(len(b.Columns[2].Bytes))
			if (at+i)%7 == 0 {
				b.Columns[2].SetNull(i, n)
			}
		}
		at += n
		return b, nil
	}
}

func TestSortedStream(t *testing.T) {
	const rows = 200_000
	rng := rand.New(rand.NewPCG(1, 2))
	times := make([]int64, rows)
	for i := range times {
		times[i] = rng.Int64N(1000) - 500 // many equal ones
	}
	layout := segments.Layout{Columns: columns[:3], TimeColumn: 2}
	for name, budget := range map[string]int{"in memory": 1 << 30, "spilled": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			w, dir := open(t), t.TempDir()
			sorter, err := segments.NewSorter(layout, dir, budget, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer sorter.Close()
			source := stream(rows, 3000, func(i int) int64 { return times[i] })
			for {
				b, err := source()
				if errors.Is(err, io.EOF) {
					break
				}
				if err := sorter.Add(b); err != nil {
					t.Fatal(err)
				}
			}
			merged, err := sorter.Merge(func() *segments.Block { return &segments.Block{Columns: make([]segments.Values, 3)} })
			if err != nil {
				t.Fatal(err)
			}
			files, err := w.WriteStream(t.Context(), segments.Stream{Layout: layout, Source: merged, Dir: dir, Prefix: "s", Sample: true})
			if err != nil {
				t.Fatal(err)
			}
			if len(files) != 1 || files[0].Rows != rows {
				t.Fatalf("files %+v", files)
			}
			// Sorted by time, equal times in the order they came.
			wrong := query(t, `SELECT count(*) FROM (SELECT c1, c2, lag(c1) OVER w AS p1, lag(c2) OVER w AS p2
				FROM read_parquet('%s', file_row_number = true) WINDOW w AS (ORDER BY file_row_number))
				WHERE p2 > c2 OR (p2 = c2 AND p1 > c1)`, files[0].Path)
			whole := query(t, "SELECT count(*), count(DISTINCT c1), sum(c1), count(*) FILTER (c3 = 'row ' || c1), count(*) FILTER (c3 IS NULL AND c1 %% 7 = 0) FROM '%s'", files[0].Path)
			if fmt.Sprint(wrong) != "[[0]]" || fmt.Sprint(whole) != fmt.Sprintf("[[%d %d %d %d %d]]", rows, rows, rows*(rows-1)/2, rows-28572, 28572) {
				t.Errorf("wrong order %v, content %v", wrong, whole)
			}
			// Within five standard deviations of one in ten.
			if s := files[0].SampleRows; math.Abs(float64(s)-rows/10) > 5*math.Sqrt(rows*0.09) {
				t.Errorf("%d rows drawn", s)
			}
			if sampled := query(t, "SELECT count(*) FROM '%s' SEMI JOIN '%s' USING (c1, c2)", files[0].Sample, files[0].Path); fmt.Sprint(sampled) != fmt.Sprintf("[[%d]]", files[0].SampleRows) {
				t.Errorf("sample %v of %d", sampled, files[0].SampleRows)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 2 {
				t.Errorf("left in the directory: %v, %v", entries, err)
			}
		})
	}
}

func TestStreamFailureLeavesNothing(t *testing.T) {
	w, dir := open(t), t.TempDir()
	boom := errors.New("the source broke")
	inner := stream(50_000, 1000, func(i int) int64 { return int64(i) })
	given := 0
	_, err := w.WriteStream(t.Context(), segments.Stream{
		Layout: segments.Layout{Columns: columns[:3]}, Dir: dir, Prefix: "s", Sample: true,
		Source: func() (*segments.Block, error) {
			if given++; given > 20 {
				return nil, boom
			}
			return inner()
		},
	})
	if !errors.Is(err, boom) {
		t.Fatalf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = w.WriteStream(ctx, segments.Stream{
		Layout: segments.Layout{Columns: columns[:3]}, Dir: dir, Prefix: "t",
		Source: stream(50_000, 1000, func(i int) int64 {
			if i == 30_000 {
				cancel()
			}
			return int64(i)
		}),
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left in the directory: %v", entries)
	}
}

// writeSome writes rows with ids and names to one file.
func writeSome(t *testing.T, w *segments.Writer, path string, columns []segments.Column, ids []int64, names []string) {
	t.Helper()
	rows := segments.Rows{Columns: columns, Count: len(ids), Vectors: []segments.Vector{{Ints: ids}, {Texts: names}}}
	if _, err := w.WriteRows(t.Context(), path, segments.Layout{Columns: columns}, rows); err != nil {
		t.Fatal(err)
	}
}

func TestMergeConvertsAndFillsIn(t *testing.T) {
	w, dir := open(t), t.TempDir()
	old := []segments.Column{{ID: 1, Name: "n", Type: segments.Integer}, {ID: 2, Name: "s", Type: segments.Text}}
	a, b := filepath.Join(dir, "a.parquet"), filepath.Join(dir, "b.parquet")
	writeSome(t, w, a, old, []int64{3, 1}, []string{"2024-01-02", "x"})
	now := []segments.Column{
		{ID: 1, Name: "n", Type: segments.Decimal, Precision: 18, Scale: 2},
		{ID: 5, Name: "new", Type: segments.Timestamp}, {ID: 2, Name: "renamed", Type: segments.Text},
	}
	rows := segments.Rows{Columns: now, Count: 1, Vectors: []segments.Vector{{Texts: []string{"2.25"}}, {Ints: []int64{7}}, {Texts: []string{"y"}}}}
	if _, err := w.WriteRows(t.Context(), b, segments.Layout{Columns: now}, rows); err != nil {
		t.Fatal(err)
	}
	merged, err := w.Merge(t.Context(), segments.Merge{Layout: segments.Layout{Columns: now, TimeColumn: 5}, Inputs: []string{a, b}, Path: filepath.Join(dir, "m.parquet"), SampleFrom: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := query(t, "SELECT c1::VARCHAR, c5::VARCHAR, c2, b5 FROM '%s'", merged.Path)
	if fmt.Sprint(got) != "[[2.25 1970-01-01 00:00:00.000007 y 0] [3.00 <nil> 2024-01-02 <nil>] [1.00 <nil> x <nil>]]" {
		t.Errorf("merged %v", got)
	}
	if merged.Rows != 3 || merged.Sample == "" || merged.Stats[5].Nulls != 2 {
		t.Errorf("file %+v", merged)
	}
	// A text that is no date stops the conversion, and leaves nothing.
	now[2].Type = segments.Date
	_, err = w.Merge(t.Context(), segments.Merge{Layout: segments.Layout{Columns: now}, Inputs: []string{a}, Path: filepath.Join(dir, "bad.parquet")})
	if !errors.Is(err, segments.ErrNotConvertible) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "bad.parquet")); !os.IsNotExist(err) {
		t.Errorf("half a file was left: %v", err)
	}
}

func TestRewriteByKey(t *testing.T) {
	w, dir := open(t), t.TempDir()
	cols := []segments.Column{{ID: 1, Name: "k", Type: segments.Integer}, {ID: 2, Name: "v", Type: segments.Text}}
	file := func(name string) string { return filepath.Join(dir, name+".parquet") }
	writeSome(t, w, file("a"), cols, []int64{1, 2, 3}, []string{"a1", "a2", "a3"})
	writeSome(t, w, file("b"), cols, []int64{4, 5}, []string{"b4", "b5"})
	writeSome(t, w, file("c"), cols, []int64{6}, []string{"c6"})
	writeSome(t, w, file("up"), cols, []int64{2, 9}, []string{"new2", "new9"})
	change := segments.Change{
		Layout: segments.Layout{Columns: cols}, Key: []int32{1},
		Inputs: []string{file("a"), file("b"), file("c")}, Upserts: []string{file("up")},
		Deletes: &segments.Rows{Columns: cols[:1], Count: 4, Vectors: []segments.Vector{{Ints: []int64{6, 3, 2, 77}}}},
		Dir:     dir, Prefix: "new",
	}
	changed, err := w.RewriteByKey(t.Context(), change)
	if err != nil {
		t.Fatal(err)
	}
	if changed.Updated != 1 || changed.Inserted != 1 || changed.Deleted != 2 || !slices.Equal(changed.Removed, []string{file("a"), file("c")}) {
		t.Errorf("changed %+v", changed)
	}
	rest := []string{file("b")}
	for _, f := range changed.Added {
		rest = append(rest, f.Path)
	}
	got := query(t, "SELECT c1, c2 FROM %s ORDER BY ALL", segments.From(cols, rest, ""))
	if fmt.Sprint(got) != "[[1 a1] [2 new2] [4 b4] [5 b5] [9 new9]]" {
		t.Errorf("rows %v", got)
	}
	// Rows that share a key all give way to the one that comes, which is one update.
	writeSome(t, w, file("alike"), cols, []int64{7, 7, 7}, []string{"x", "y", "z"})
	writeSome(t, w, file("more"), cols, []int64{7, 10}, []string{"new7", "new10"})
	alike := segments.Change{Layout: change.Layout, Key: change.Key, Inputs: []string{file("alike"), file("b")}, Upserts: []string{file("more")}, Dir: dir, Prefix: "alike"}
	if changed, err := w.RewriteByKey(t.Context(), alike); err != nil || changed.Updated != 1 || changed.Inserted != 1 || len(changed.Removed) != 1 {
		t.Errorf("rows that share a key: %+v, %v", changed, err)
	}
	writeSome(t, w, file("twice"), cols, []int64{8, 8}, []string{"x", "y"})
	change.Upserts, change.Prefix = []string{file("twice")}, "other"
	if _, err := w.RewriteByKey(t.Context(), change); !errors.Is(err, segments.ErrRepeatedKey) {
		t.Errorf("error %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "other*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestProfile(t *testing.T) {
	w, dir := open(t), t.TempDir()
	path := filepath.Join(dir, "p.parquet")
	if _, err := w.WriteRows(t.Context(), path, layout, sampleRows()); err != nil {
		t.Fatal(err)
	}
	profiles, err := w.Profile(t.Context(), columns, []string{path, path})
	if err != nil {
		t.Fatal(err)
	}
	day := profiles[6]
	if day.Rows != 6 || day.Nulls != 0 || day.Distinct != 3 || day.Bounds.Max != int64(20000) || len(day.Histogram) != 20 || day.Histogram[19].Count != 2 || day.Histogram[0].Count != 4 {
		t.Errorf("day %+v", day)
	}
	name := profiles[2]
	if name.Nulls != 2 || name.Distinct != 2 || len(name.Top) != 2 || name.Top[1] != (segments.ValueCount{Value: "short", Count: 2}) || name.Histogram != nil {
		t.Errorf("name %+v", name)
	}
	if price := profiles[3]; price.Mean == nil || math.Abs(*price.Mean-(1.5-99.99)/3) > 1e-9 {
		t.Errorf("price %+v", price)
	}
	if ratio := profiles[4]; *ratio.Mean != -0.75 || ratio.Bounds.Max != math.Inf(1) {
		t.Errorf("ratio %+v, mean %v", ratio, *ratio.Mean)
	}
	if seen := profiles[7]; seen.Top[0].Value != "1969-12-31 23:59:59.999999" {
		t.Errorf("seen %+v", seen.Top)
	}
	if empty, err := w.Profile(t.Context(), columns[:1], nil); err != nil || empty[0].Rows != 0 {
		t.Errorf("no files: %+v, %v", empty, err)
	}
}

func BenchmarkWriteRows(b *testing.B) {
	w, err := segments.Open(segments.Config{TempDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	rows := sampleRows()
	path := filepath.Join(b.TempDir(), "rows.parquet")
	for b.Loop() {
		if _, err := w.WriteRows(b.Context(), path, layout, rows); err != nil {
			b.Fatal(err)
		}
	}
}

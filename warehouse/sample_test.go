package warehouse

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// samplesOf writes draws samples of 1 in rate rows of a segment and gives the
// segment with each of them.
func (f *fixture) samplesOf(seg Segment, rate, draws, seed int) []Segment {
	f.n++
	// A hash of row, draw and seed is a draw that can be repeated.
	return f.split(seg, fmt.Sprintf("SELECT s.* EXCLUDE (file_row_number), draw FROM read_parquet([%s], file_row_number = true) s, range(%d) d(draw) WHERE hash(file_row_number * 1000003 + draw * 7919 + %d) %% %d = 0",
		quoteText(seg.Path), draws, seed, rate), filepath.Join(f.dir, fmt.Sprintf("samples-%03d", f.n)), draws)
}

// drawn gives the segment with as many samples of it as the writer draws of so
// many copies of its rows, one behind the other: in a load, or in a merge.
func (f *fixture) drawn(ds *Dataset, seg Segment, draws int, merged bool) []Segment {
	f.t.Helper()
	f.n++
	dir := filepath.Join(f.dir, fmt.Sprintf("drawn-%03d", f.n))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		f.t.Fatal(err)
	}
	w, err := segments.Open(segments.Config{})
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	draw := Column{ID: 99, Name: "draw", Type: Integer}
	layout := segments.Layout{Columns: append(slices.Clone(ds.Columns), draw)}
	var files []segments.File
	if merged {
		stacked := filepath.Join(dir, "stacked.parquet")
		ids := []string{fmt.Sprintf("%s: %d", segments.ColumnName(draw.ID), draw.ID)}
		for _, c := range ds.Columns {
			ids = append(ids, fmt.Sprintf("%s: %d", segments.ColumnName(c.ID), c.ID))
			if segments.HasBucket(c.Type) {
				ids = append(ids, fmt.Sprintf("%s: %d", segments.BucketName(c.ID), segments.BucketID(c.ID)))
			}
		}
		f.exec(fmt.Sprintf("COPY (SELECT s.*, draw AS %s FROM read_parquet(%s) s, range(%d) d(draw)) TO %s (FORMAT parquet, COMPRESSION snappy, FIELD_IDS {%s})",
			segments.ColumnName(draw.ID), quoteText(seg.Path), draws, quoteText(stacked), strings.Join(ids, ", ")))
		file, err := w.Merge(f.t.Context(), segments.Merge{Layout: layout, Inputs: []string{stacked}, Path: filepath.Join(dir, "merged.parquet"), SampleFrom: 1})
		if err != nil {
			f.t.Fatal(err)
		}
		files = append(files, file)
	} else {
		rows, n := f.block(ds, seg), 0
		files, err = w.WriteStream(f.t.Context(), segments.Stream{Layout: layout, Dir: dir, Prefix: "load", Sample: true, Source: func() (*segments.Block, error) {
			if n == draws {
				return nil, io.EOF
			}
			which := make([]int64, rows.Rows)
			for i := range which {
				which[i] = int64(n)
			}
			n++
			return &segments.Block{Rows: rows.Rows, Columns: append(slices.Clone(rows.Columns), segments.Values{Int64: which})}, nil
		}})
		if err != nil {
			f.t.Fatal(err)
		}
	}
	var samples []string
	for _, file := range files {
		samples = append(samples, quoteText(file.Sample))
	}
	return f.split(seg, "SELECT * RENAME ("+segments.ColumnName(draw.ID)+" AS draw) FROM read_parquet(["+strings.Join(samples, ", ")+"])", filepath.Join(dir, "split"), draws)
}

// block reads the rows of a segment.
func (f *fixture) block(ds *Dataset, seg Segment) *segments.Block {
	f.t.Helper()
	var names []string
	var columns []ResultColumn
	for _, c := range ds.Columns {
		names = append(names, segments.ColumnName(c.ID))
		columns = append(columns, ResultColumn{Type: c.Type})
	}
	if err := queryInto(f.t.Context(), f.conn, "SELECT "+strings.Join(names, ", ")+" FROM read_parquet("+quoteText(seg.Path)+")", columns); err != nil {
		f.t.Fatal(err)
	}
	b := &segments.Block{Rows: int(seg.Rows)}
	for i, c := range ds.Columns {
		var v segments.Values
		switch col := &columns[i]; c.Type {
		case Text:
			v.Offsets = []int32{0}
			for _, text := range col.Texts {
				v.Bytes = append(v.Bytes, text...)
				v.Offsets = append(v.Offsets, int32(len(v.Bytes)))
			}
		case Float:
			v.Float64 = col.Floats
		case Boolean:
			for _, x := range col.Ints {
				v.Bool = append(v.Bool, x != 0)
			}
		default:
			v.Int64 = col.Ints
		}
		for row := range b.Rows {
			if columns[i].IsNull(row) {
				v.SetNull(row, b.Rows)
			}
		}
		b.Columns = append(b.Columns, v)
	}
	return b
}

// split writes the rows of each draw as a sample of the segment.
func (f *fixture) split(seg Segment, rows, dir string, draws int) []Segment {
	f.t.Helper()
	f.exec(fmt.Sprintf("SET partitioned_write_max_open_files = %d", 2*draws)) // one file a draw
	f.exec("SET threads = 1")
	f.exec("COPY (" + rows + ") TO " + quoteText(dir) + " (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (draw))")
	out := make([]Segment, draws)
	counts := []ResultColumn{{Type: Text}, {Type: Integer}}
	if err := queryInto(context.Background(), f.conn, "SELECT filename, count(*) FROM read_parquet("+quoteText(dir+"/*/*.parquet")+", filename = true) GROUP BY 1", counts); err != nil {
		f.t.Fatal(err)
	}
	if len(counts[0].Texts) != draws {
		f.t.Fatalf("%d files for %d draws", len(counts[0].Texts), draws)
	}
	for i, path := range counts[0].Texts {
		var draw int
		if _, err := fmt.Sscanf(filepath.Base(filepath.Dir(path)), "draw=%d", &draw); err != nil {
			f.t.Fatal(err)
		}
		out[draw] = seg
		out[draw].Sample, out[draw].SampleRows = path, counts[1].Ints[i]
	}
	return out
}

func alwaysSample(c *Config) { c.SampleAbove, c.SampleSlowerThan = 1000, time.Nanosecond }

// sampleRows have a skewed amount, a measure with nulls, groups from large to
// fairly small, and a share of refunds.
const sampleRows = `SELECT TIMESTAMP '2024-01-01' + INTERVAL (i) MINUTE AS "at",
	CASE WHEN r0 < 0.5 THEN 'a' WHEN r0 < 0.8 THEN 'b' WHEN r0 < 0.93 THEN 'c' ELSE 'd' END AS kind,
	exp(1 + 0.6 * sqrt(-2 * ln(r1)) * cos(2 * pi() * r2)) AS amount,
	CASE WHEN r3 < 0.7 THEN (r3 * 100)::BIGINT END AS score,
	r3 < 0.2 AS refund,
	CASE WHEN i %% 9973 = 17 THEN 'fax' WHEN r1 < 0.5 THEN 'web' ELSE 'shop' END AS channel
	FROM (SELECT i, (hash(i * 7919 + %[1]d) %% 1000003 + 1) / 1000005.0 r0, (hash(i * 104729 + %[1]d) %% 1000003 + 1) / 1000005.0 r1,
	(hash(i * 1299709 + %[1]d) %% 1000003 + 1) / 1000005.0 r2, (hash(i * 15485863 + %[1]d) %% 1000003 + 1) / 1000005.0 r3 FROM range(%[2]d) t(i))`

func sampleDataset(f *fixture) *Dataset {
	return f.dataset("orders", "at timestamp, kind text, amount float, score integer, refund boolean, channel text",
		fmt.Sprintf(sampleRows, 1, 30_000), fmt.Sprintf(sampleRows, 2, 20_000))
}

// TestEstimateCoverage has the writer draw 500 samples, of one segment as in a
// merge and of the other as in a load, and counts how often the truth lies
// within the stated interval: all numbers of an answer at once, since that is
// what the answer states. A group of a handful of rows, which most samples do
// not have, is in every answer.
func TestEstimateCoverage(t *testing.T) {
	specs := map[string]string{
		"total":        `{"dataset":"orders","measures":[{"fn":"count"},{"fn":"sum","column":"amount"}],"filters":[{"column":"kind","op":"=","values":["c"]}]}`,
		"by kind":      `{"dataset":"orders","measures":[{"fn":"count"},{"fn":"sum","column":"amount"},{"fn":"avg","column":"score"}],"dimensions":[{"column":"kind"}]}`,
		"refund ratio": `{"dataset":"orders","measures":[{"fn":"ratio","numerator":{"fn":"sum","column":"amount","filters":[{"column":"refund","op":"=","values":[true]}]},"denominator":{"fn":"sum","column":"amount"}}],"dimensions":[{"column":"kind"}],"filters":[{"column":"kind","op":"in","values":["a","b"]}]}`,
	}
	f := newFixture(t)
	ds := sampleDataset(f)
	exact := f.engine()
	truth := map[string]*Result{}
	for name, spec := range specs {
		r, err := exact.Run(t.Context(), Query{Spec: mustSpec(t, spec), Dataset: ds, Exact: true})
		if err != nil {
			t.Fatal(err)
		}
		truth[name] = r
	}
	e := f.engine(alwaysSample)
	const draws = 500
	var samples [][]Segment
	for i, seg := range ds.Segments {
		samples = append(samples, f.drawn(ds, seg, draws, i == 0))
	}
	rare := mustSpec(t, `{"dataset":"orders","measures":[{"fn":"sum","column":"amount"}],"dimensions":[{"column":"channel"}]}`)
	held, stated := map[string]int{}, map[string]int{}
	for draw := range draws {
		d := *ds
		d.Version = int64(draw + 1)
		d.Segments = nil
		for _, s := range samples {
			d.Segments = append(d.Segments, s[draw])
		}
		if r, err := e.Run(t.Context(), Query{Spec: rare, Dataset: &d}); err != nil || r.Rows != 3 || r.Sampled != nil {
			t.Fatalf("draw %d: %d of 3 groups, sampled %v, %v", draw, r.Rows, r.Sampled, err)
		}
		for name, spec := range specs {
			r, err := e.Run(t.Context(), Query{Spec: mustSpec(t, spec), Dataset: &d})
			if err != nil {
				t.Fatal(err)
			}
			if r.Sampled == nil {
				continue
			}
			stated[name]++
			if within(r, truth[name]) {
				held[name]++
			}
		}
	}
	for name := range specs {
		t.Logf("%s: held in %d of %d draws", name, held[name], stated[name])
		if stated[name] < draws*9/10 {
			t.Errorf("%s: only %d of %d answers were estimates", name, stated[name], draws)
		}
		if float64(held[name]) < 0.93*float64(stated[name]) {
			t.Errorf("%s: the interval held in %d of %d draws", name, held[name], stated[name])
		}
	}
}

// within tells whether every true number lies within the stated error.
func within(r, truth *Result) bool {
	if r.Rows != truth.Rows {
		return false
	}
	for i := range r.Columns {
		c, want := &r.Columns[i], &truth.Columns[i]
		if c.Dimension {
			continue
		}
		for row := range r.Rows {
			a, b := numberAt(c, row), numberAt(want, rowOf(r, truth, row))
			// Counts are shown as whole numbers, which moves them by half at most.
			if math.Abs(a-b) > r.Sampled.Error*math.Abs(a)+0.5*boolNumber(c.Type == Integer) {
				return false
			}
		}
	}
	return true
}

func boolNumber(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// rowOf finds the group of a row in another answer.
func rowOf(r, other *Result, row int) int {
	for i := range other.Rows {
		if len(r.Columns[0].Texts) == 0 || other.Columns[0].Texts[i] == r.Columns[0].Texts[row] {
			return i
		}
	}
	return 0
}

func numberAt(c *ResultColumn, row int) float64 {
	if c.Ints != nil {
		return float64(c.Ints[row])
	}
	return c.Floats[row]
}

func TestEstimateIsOnlyGivenWhereItIsHonest(t *testing.T) {
	f := newFixture(t)
	ds := sampleDataset(f)
	for i := range ds.Segments {
		ds.Segments[i] = f.samplesOf(ds.Segments[i], 10, 1, i)[0]
	}
	e := f.engine(alwaysSample)
	for name, tc := range map[string]struct {
		spec    string
		exact   bool
		sampled bool
	}{
		"sum and count":      {spec: `{"dataset":"o","measures":[{"fn":"sum","column":"amount"},{"fn":"count"}]}`, sampled: true},
		"asked for exact":    {spec: `{"dataset":"o","measures":[{"fn":"sum","column":"amount"},{"fn":"count"}]}`, exact: true},
		"smallest":           {spec: `{"dataset":"o","measures":[{"fn":"min","column":"amount"}]}`},
		"distinct":           {spec: `{"dataset":"o","measures":[{"fn":"count_distinct","column":"kind"}]}`},
		"median":             {spec: `{"dataset":"o","measures":[{"fn":"median","column":"amount"}]}`},
		"rare groups":        {spec: `{"dataset":"o","measures":[{"fn":"count"}],"dimensions":[{"column":"at","grain":"hour"}],"limit":2000}`},
		"comparison":         {spec: `{"dataset":"o","measures":[{"fn":"count"},{"fn":"avg","column":"amount"}],"filters":[{"column":"at","op":"between","from":"2024-01-08","to":"2024-01-12"}],"comparison":{"period":"previous"}}`, sampled: true},
		"rare group":         {spec: `{"dataset":"o","measures":[{"fn":"sum","column":"amount"}],"dimensions":[{"column":"channel"}]}`},
		"groups":             {spec: `{"dataset":"o","measures":[{"fn":"sum","column":"amount"}],"dimensions":[{"column":"kind"}]}`, sampled: true},
		"groups counted":     {spec: `{"dataset":"o","measures":[{"fn":"count"}],"dimensions":[{"column":"kind"}]}`},
		"largest groups":     {spec: `{"dataset":"o","measures":[{"fn":"sum","column":"amount","as":"x"}],"dimensions":[{"column":"kind"}],"order":[{"by":"x","desc":true}],"limit":2}`},
		"share":              {spec: `{"dataset":"o","measures":[{"fn":"count","show":"share"}],"dimensions":[{"column":"kind"}]}`},
		"filter on measure":  {spec: `{"dataset":"o","measures":[{"fn":"count"}],"dimensions":[{"column":"kind"}],"filters":[{"measure":"count","op":">","values":[10]}]}`},
		"plain rows":         {spec: `{"dataset":"o","columns":["kind"],"limit":3}`},
		"no row in a filter": {spec: `{"dataset":"o","measures":[{"fn":"count"}],"filters":[{"column":"kind","op":"=","values":["none"]}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := e.Run(context.Background(), Query{Spec: mustSpec(t, tc.spec), Dataset: ds, Exact: tc.exact})
			if err != nil {
				t.Fatal(err)
			}
			if (r.Sampled != nil) != tc.sampled {
				t.Fatalf("sampled %v, want %v", r.Sampled, tc.sampled)
			}
			if r.Sampled != nil && (r.Sampled.Rate < 9 || r.Sampled.Rate > 11 || r.Sampled.Error <= 0) {
				t.Errorf("stated %+v for 1 in 10 rows", r.Sampled)
			}
		})
	}
}

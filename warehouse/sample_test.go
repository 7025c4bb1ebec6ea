package warehouse

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"testing"
	"time"
)

// samplesOf writes draws samples of 1 in rate rows of a segment and gives the
// segment with each of them.
func (f *fixture) samplesOf(seg Segment, rate, draws, seed int) []Segment {
	f.n++
	dir := filepath.Join(f.dir, fmt.Sprintf("samples-%03d", f.n))
	f.exec(fmt.Sprintf("SET partitioned_write_max_open_files = %d", 2*draws)) // one file a draw
	f.exec("SET threads = 1")
	// A hash of row, draw and seed is a draw that can be repeated.
	f.exec(fmt.Sprintf("COPY (SELECT s.* EXCLUDE (file_row_number), draw FROM read_parquet([%s], file_row_number = true) s, range(%d) d(draw) WHERE hash(file_row_number * 1000003 + draw * 7919 + %d) %% %d = 0) TO %s (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (draw))",
		quoteText(seg.Path), draws, seed, rate, quoteText(dir)))
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
	r3 < 0.2 AS refund
	FROM (SELECT i, (hash(i * 7919 + %[1]d) %% 1000003 + 1) / 1000005.0 r0, (hash(i * 104729 + %[1]d) %% 1000003 + 1) / 1000005.0 r1,
	(hash(i * 1299709 + %[1]d) %% 1000003 + 1) / 1000005.0 r2, (hash(i * 15485863 + %[1]d) %% 1000003 + 1) / 1000005.0 r3 FROM range(%[2]d) t(i))`

func sampleDataset(f *fixture) *Dataset {
	return f.dataset("orders", "at timestamp, kind text, amount float, score integer, refund boolean",
		fmt.Sprintf(sampleRows, 1, 30_000), fmt.Sprintf(sampleRows, 2, 20_000))
}

// TestEstimateCoverage draws 500 samples and counts how often the truth lies
// within the stated interval: all numbers of an answer at once, since that is
// what the answer states.
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
		samples = append(samples, f.samplesOf(seg, 10, draws, i))
	}
	held, stated := map[string]int{}, map[string]int{}
	for draw := range draws {
		d := *ds
		d.Version = int64(draw + 1)
		d.Segments = nil
		for _, s := range samples {
			d.Segments = append(d.Segments, s[draw])
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

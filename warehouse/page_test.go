package warehouse

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// pageDataset has several segments of several row groups, with overlapping
// spans of time, equal moments and rows without one.
func pageDataset(f *fixture) *Dataset {
	part := func(from, n int) string {
		return fmt.Sprintf(`SELECT CASE WHEN i %% 997 = 0 THEN NULL ELSE TIMESTAMPTZ '2024-01-01 00:00:00+00' + INTERVAL (%d + i // 3) MINUTE END AS "at",
			DATE '2020-01-01' + (hash(i) %% 900)::INTEGER AS day, (hash(i + %d) %% 100000)::BIGINT - 50000 AS n,
			CASE WHEN i %% 50 = 0 THEN NULL ELSE (hash(i * 3) %% 1000000)::DECIMAL(12,2) / 8 END AS price, (hash(i * 7) %% 10000) / 16.0 AS x,
			'k' || (i %% 20) AS kind, i AS id FROM range(%d) t(i)`, from, from, n)
	}
	return f.dataset("events", "at timestamptz, day date, n integer, price decimal(12,2), x float, kind text, id integer",
		part(0, 300_000), part(80_000, 260_000), part(170_000, 1000))
}

// TestPagesFromTheFront compares pages that are read from the front, or from
// hot copies, with the same pages from all rows.
func TestPagesFromTheFront(t *testing.T) {
	f := newFixture(t)
	ds := pageDataset(f)
	full := f.engine(func(c *Config) { c.KeptBytes = -1 })
	full.firstWindow = 1 << 40
	e := f.engine(func(c *Config) { c.CacheBytes = 1 })
	e.firstWindow = 20_000
	e.kept.minRows, e.kept.slowPage = 100_000, 0
	rnd := rand.New(rand.NewPCG(3, 3))
	spec := func() Spec {
		s := Spec{Dataset: "events", Columns: []string{"at", "n", "price", "kind", "id"}}
		s.Order = []Order{{By: []string{"at", "at", "n", "price", "x", "day"}[rnd.IntN(6)], Desc: rnd.IntN(2) == 0}}
		if rnd.IntN(4) == 0 {
			s.Order = nil
		}
		s.Limit, s.Offset = 1+rnd.IntN(60), []int{0, 0, 0, 25, 3000}[rnd.IntN(5)]
		switch rnd.IntN(5) {
		case 0:
			s.Filters = []Filter{{Column: "kind", Op: "=", Values: raws(fmt.Sprintf(`"k%d"`, rnd.IntN(22)))}}
		case 1:
			s.Filters = []Filter{{Column: "id", Op: "<", Values: raws("40")}}
		case 2:
			s.Filters = []Filter{{Column: "at", Op: "between", From: json.RawMessage(`"2024-02-01"`), To: json.RawMessage(`"2024-03-01"`)}, {Column: "price", Op: ">", Values: raws("100000")}}
		}
		return s
	}
	made := func() int {
		e.kept.mu.Lock()
		defer e.kept.mu.Unlock()
		return len(e.kept.byKey)
	}
	compare := func(i int) {
		t.Helper()
		q := Query{Spec: spec(), Dataset: ds, Now: time.Unix(1.8e9, 0)}
		got, err := e.Run(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		want, err := full.Run(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := string(got.AppendJSON(nil)), string(want.AppendJSON(nil)); a != b {
			text, _ := json.Marshal(q.Spec)
			t.Fatalf("page %d of %s\ngot  %.600s\nwant %.600s", i, text, a, b)
		}
	}
	for i := range 60 {
		compare(i)
	}
	// Slow pages by the other columns have asked for copies.
	waitFor(t, func() bool { return made() >= 6 && len(e.kept.queue) == 0 })
	for i := range 60 {
		compare(i)
	}
	if hot := counterOf(e, "hot"); hot < 5 {
		t.Errorf("%v pages from %d hot copies", hot, made())
	}
	// Copies may go at any moment.
	if err := os.RemoveAll(e.work.Join("kept")); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		compare(i)
	}
}

func counterOf(e *Engine, outcome string) float64 {
	return readMetric(e.metrics.queries.WithLabelValues(outcome))
}

func readMetric(c prometheus.Counter) float64 {
	var m dto.Metric
	_ = c.Write(&m)
	return m.GetCounter().GetValue()
}

func TestKeptFilesKeepToTheirBudget(t *testing.T) {
	k := newKeptFiles(100)
	dir := t.TempDir()
	for i := range 5 {
		path := fmt.Sprintf("%s/%d", dir, i)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		k.add(fmt.Sprint(i), keptFile{path: path, bytes: 40})
		k.find([]string{"0"}) // stays in use
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range left {
		names = append(names, l.Name())
	}
	if got := strings.Join(names, " "); got != "0 4" || k.bytes != 80 {
		t.Errorf("left %s, %d bytes", got, k.bytes)
	}
}

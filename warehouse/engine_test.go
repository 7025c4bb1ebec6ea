package warehouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

const countSpec = `{"dataset":"d","measures":[{"fn":"count","as":"n"}]}`

func numbers(f *fixture, rows int) *Dataset {
	return f.dataset("numbers", "n integer, kind text", fmt.Sprintf("SELECT i AS n, 'k' || i %% 7 AS kind FROM range(%d) t(i)", rows))
}

func code(err error) string { return apperr.Describe(err).Code }

func TestAnswersAreCachedByVersion(t *testing.T) {
	f := newFixture(t)
	ds := numbers(f, 100)
	e := f.engine()
	q := Query{Spec: mustSpec(t, countSpec), Dataset: ds}
	first, err := e.Run(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.Run(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if first.FromCache || !again.FromCache || again.Columns[0].Ints[0] != 100 {
		t.Fatalf("first from cache %v, second %v", first.FromCache, again.FromCache)
	}
	// New content has a new version; the old answer is of no use for it.
	newer := *ds
	newer.Version = 2
	newer.Segments = append(newer.Segments, f.segment(ds, "SELECT 1 AS n, 'x' AS kind"))
	q.Dataset = &newer
	r, err := e.Run(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if r.FromCache || r.Columns[0].Ints[0] != 101 || r.Version != 2 || r.Versions["ds-numbers"] != 2 {
		t.Fatalf("newer version answered %+v", r)
	}
}

// TestCacheKey lists what must and what must not lead to another answer.
func TestCacheKey(t *testing.T) {
	e := New(Config{Dir: t.TempDir()})
	base := func() Query {
		return Query{Spec: mustSpec(t, `{"dataset":"d","timezone":"Europe/London","measures":[{"fn":"count"},{"measure":"margin"}],"dimensions":[{"column":"reg.country"}],"filters":[{"column":"at","op":"last","n":3,"unit":"day"}]}`),
			Dataset: testDataset(), Now: time.Date(2024, 5, 5, 12, 0, 0, 0, time.UTC)}
	}
	digest := func(q Query) string {
		d, err := e.Digest(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := digest(base())
	for name, tc := range map[string]struct {
		change func(*Query)
		same   bool
	}{
		"nothing":             {func(*Query) {}, true},
		"later the same day":  {func(q *Query) { q.Now = q.Now.Add(3 * time.Hour) }, true},
		"the next day":        {func(q *Query) { q.Now = q.Now.Add(24 * time.Hour) }, false},
		"version":             {func(q *Query) { q.Dataset.Version++ }, false},
		"version of a lookup": {func(q *Query) { q.Dataset.Lookups["reg"].Target.Version++ }, false},
		"tenant": {func(q *Query) {
			q.Dataset.TenantID = "other"
			q.Dataset.Lookups["reg"].Target.TenantID = "other"
		}, false},
		"zone":            {func(q *Query) { q.Spec.Timezone = "UTC" }, false},
		"rule":            {func(q *Query) { q.Dataset = ruled(q.Dataset, Filter{Column: "ok", Op: "=", Values: raws("true")}) }, false},
		"limit":           {func(q *Query) { q.Spec.Limit = 7 }, false},
		"name of a group": {func(q *Query) { q.Spec.Dimensions[0].As = "land" }, false},
		"saved measure": {func(q *Query) {
			q.Dataset.Measures["margin"] = Measure{Fn: "ratio", Numerator: &Measure{Fn: "sum", Column: "x"}, Denominator: &Measure{Fn: "count"}}
		}, false},
		"segments merged": {func(q *Query) { q.Dataset.Segments = []Segment{{Path: "/elsewhere", Rows: 5}} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			q := base()
			tc.change(&q)
			if got := digest(q); (got == want) != tc.same {
				t.Errorf("same key %v, want %v", got == want, tc.same)
			}
		})
	}
}

// TestMergedSegmentsAreRead: a plan that was kept must not keep the files.
func TestMergedSegmentsAreRead(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("parts", "n integer", "SELECT 1 AS n", "SELECT 2 AS n")
	e := f.engine(func(c *Config) { c.CacheBytes = 1 })
	if got := run(t, e, ds, countSpec); !strings.Contains(got, "[[2]]") {
		t.Fatal(got)
	}
	merged := *ds
	merged.Segments = []Segment{f.segment(ds, "SELECT unnest([1,2]) AS n")}
	for _, s := range ds.Segments {
		if err := os.Remove(s.Path); err != nil {
			t.Fatal(err)
		}
	}
	if got := run(t, e, &merged, countSpec); !strings.Contains(got, "[[2]]") {
		t.Fatal(got)
	}
}

type memoryCache struct {
	mu   sync.Mutex
	data map[string][]byte
	sets chan string
	fail error
}

func newMemoryCache() *memoryCache {
	return &memoryCache{data: map[string][]byte{}, sets: make(chan string, 100)}
}

func (m *memoryCache) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.data[key], m.fail
}

func (m *memoryCache) Set(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	m.data[key] = value
	m.mu.Unlock()
	m.sets <- key
	return m.fail
}

func TestSecondCacheTier(t *testing.T) {
	f := newFixture(t)
	ds := numbers(f, 100)
	shared := newMemoryCache()
	with := func(c *Config) { c.Second = shared }
	spec := `{"dataset":"d","measures":[{"fn":"avg","column":"n"}],"dimensions":[{"column":"kind"}]}`
	want := run(t, f.engine(with), ds, spec)
	key := <-shared.sets

	// Another process finds it, also when the segments are out of its reach.
	gone := *ds
	gone.Segments = []Segment{{Path: filepath.Join(f.dir, "gone.parquet"), Rows: 100}}
	if got := run(t, f.engine(with), &gone, spec); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	// A damaged entry is as good as none.
	for i := range shared.data[key] {
		bad := append([]byte(nil), shared.data[key]...)
		bad[i] ^= 0x10
		if _, err := decodeResult(bad); err == nil {
			t.Fatalf("byte %d changed and not noticed", i)
		}
	}
	shared.mu.Lock()
	shared.data[key][10] ^= 1
	shared.mu.Unlock()
	if got := run(t, f.engine(with), ds, spec); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	<-shared.sets
	shared.fail = errors.New("Redis is gone")
	if got := run(t, f.engine(with), ds, spec); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestCodecKeepsEverything(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("all", "at timestamptz, wall timestamp, day date, city text, n integer, x float, price decimal(30,4), ok boolean",
		`SELECT TIMESTAMPTZ '2024-03-31 00:30:00+00' + INTERVAL (i) HOUR AS "at", TIMESTAMP '1960-01-01 00:00:00.000001' AS wall, NULL AS day, ['a', 'é"<', NULL][i % 3 + 1] AS city, -i AS n, 'inf'::DOUBLE AS x, 12345678901234567890.1234 + i AS price, i % 2 = 0 AS ok FROM range(40) t(i)`)
	e := f.engine()
	for _, spec := range []string{
		`{"dataset":"d","timezone":"Europe/London","columns":["at","wall","day","city","n","x","price","ok"]}`,
		`{"dataset":"d","timezone":"Europe/London","measures":[{"fn":"count"}],"dimensions":[{"column":"at","grain":"day"},{"column":"city"}],"filters":[{"column":"at","op":"between","from":"2024-03-31","to":"2024-04-01"}],"limit":1,"other":true,"comparison":{"period":"previous"}}`,
	} {
		r, err := e.Run(t.Context(), Query{Spec: mustSpec(t, spec), Dataset: ds, Now: time.Unix(1.8e9, 0)})
		if err != nil {
			t.Fatal(err)
		}
		r2 := *r
		r2.Sampled = &Sampled{Rate: 10, Error: 0.006}
		back, err := decodeResult(r2.encode())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(back.AppendJSON(nil)), string(r2.AppendJSON(nil)); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		if back.HasOther != r.HasOther || back.Elapsed != r.Elapsed || len(back.Versions) != len(r.Versions) {
			t.Errorf("got %+v, want %+v", back, r)
		}
	}
}

func FuzzDecodeResult(f *testing.F) {
	f.Add((&Result{Rows: 1, Columns: []ResultColumn{{Name: "n", Type: Integer, Ints: []int64{5}}}}).encode())
	f.Add([]byte{codecVersion, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := decodeResult(data); err == nil && r == nil {
			t.Fatal("neither result nor error")
		}
		// Past the checksum too, as a flaw of the writer would be.
		d := decoder{buf: data}
		for d.err == nil && len(d.buf) > 0 {
			d.column()
		}
	})
}

func TestIdenticalQueriesAreComputedOnce(t *testing.T) {
	fl := newFlights()
	started, finish := make(chan struct{}), make(chan struct{})
	computed := 0
	compute := func(ctx context.Context) (*Result, error) {
		computed++
		close(started)
		select {
		case <-finish:
			return &Result{Rows: 5}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	leader, cancelLeader := context.WithCancel(t.Context())
	leaderDone := make(chan error)
	go func() {
		_, _, err := fl.do(leader, "k", compute)
		leaderDone <- err
	}()
	<-started
	type answer struct {
		r      *Result
		shared bool
		err    error
	}
	followers := make(chan answer)
	const n = 5
	for range n {
		go func() {
			r, shared, err := fl.do(t.Context(), "k", compute)
			followers <- answer{r, shared, err}
		}()
	}
	waitFor(t, func() bool {
		fl.mu.Lock()
		defer fl.mu.Unlock()
		return fl.now["k"].waiting == n+1
	})
	// The leader goes: those who follow must not notice.
	cancelLeader()
	if err := <-leaderDone; !errors.Is(err, context.Canceled) {
		t.Fatalf("leader got %v", err)
	}
	close(finish)
	for range n {
		if a := <-followers; a.err != nil || !a.shared || a.r.Rows != 5 {
			t.Fatalf("follower got %+v", a)
		}
	}
	if computed != 1 {
		t.Fatalf("computed %d times", computed)
	}
}

func TestComputationEndsWhenNobodyWaits(t *testing.T) {
	fl := newFlights()
	ended := make(chan error, 1)
	started := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, _, err := fl.do(ctx, "k", func(run context.Context) (*Result, error) {
			close(started)
			<-run.Done()
			ended <- run.Err()
			return nil, run.Err()
		})
		done <- err
	}()
	<-started
	cancel()
	<-done
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	// Whoever comes now starts anew.
	r, shared, err := fl.do(t.Context(), "k", func(context.Context) (*Result, error) { return &Result{Rows: 1}, nil })
	if err != nil || shared || r.Rows != 1 {
		t.Fatal(r, shared, err)
	}
}

func TestPanicEndsOneQueryOnly(t *testing.T) {
	_, _, err := newFlights().do(t.Context(), "k", func(context.Context) (*Result, error) { panic("slip") })
	if err == nil || !strings.Contains(err.Error(), "slip") {
		t.Fatal(err)
	}
}

// waitFor waits until a condition of another goroutine holds.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatal("waited too long")
		case <-tick.C:
		}
	}
}

// TestLongQueries stops a query that takes far longer than a test may wait.
func TestLongQueries(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("slow", "n integer, t text", "SELECT i AS n, repeat('x', 50) || i AS t FROM range(1000000) t(i)")
	const spec = `{"dataset":"d","measures":[{"fn":"count_distinct","column":"t"},{"fn":"median","column":"n"},{"fn":"count_distinct","column":"n"}],"dimensions":[{"column":"n","bin":3},{"column":"t"}],"limit":5,"other":true}`
	answersStill := func(t *testing.T, e *Engine) {
		t.Helper()
		if got := run(t, e, ds, `{"dataset":"d","measures":[{"fn":"max","column":"n"}]}`); !strings.Contains(got, "[[999999]]") {
			t.Fatal(got)
		}
	}

	t.Run("the caller goes", func(t *testing.T) {
		e := f.engine()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := e.Run(ctx, Query{Spec: mustSpec(t, spec), Dataset: ds})
			done <- err
		}()
		running := func() int {
			e.admission.mu.Lock()
			defer e.admission.mu.Unlock()
			return e.admission.running
		}
		waitFor(t, func() bool { return running() == 1 })
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return running() == 0 }) // DuckDB was interrupted, the slot is free
		answersStill(t, e)
	})

	t.Run("the deadline passes", func(t *testing.T) {
		e := f.engine(func(c *Config) { c.Timeout = 50 * time.Millisecond })
		if _, err := e.Run(t.Context(), Query{Spec: mustSpec(t, spec), Dataset: ds}); code(err) != "query.timeout" {
			t.Fatal(err)
		}
	})

	t.Run("the memory is used up", func(t *testing.T) {
		e := f.engine(func(c *Config) { c.MemoryBytes, c.MaxConcurrent = 40<<20, 2 })
		if _, err := e.Run(t.Context(), Query{Spec: mustSpec(t, spec), Dataset: ds}); code(err) != "query.too_large" {
			t.Fatal(err)
		}
		answersStill(t, e)
	})
}

func TestTooManyRows(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("minutes", "at timestamp, n integer", `SELECT TIMESTAMP '2024-01-01' + INTERVAL (i) MINUTE AS "at", i AS n FROM range(5000) t(i)`)
	e := f.engine(func(c *Config) { c.MaxResultCells = 2000 })
	for name, tc := range map[string]struct{ spec, part string }{
		"groups of time": {`{"dataset":"d","measures":[{"fn":"count"}],"dimensions":[{"column":"at","grain":"minute"}],"limit":5000}`, "5000 groups; at most 1000 fit with its columns. Grouped by quarter hour instead of minute"},
		"other groups":   {`{"dataset":"d","measures":[{"fn":"count"}],"dimensions":[{"column":"n"}],"limit":5000}`, "at most 1000 fit"},
		"plain rows":     {`{"dataset":"d","columns":["at","n"],"limit":5000}`, "at most 1000 rows fit"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.Run(t.Context(), Query{Spec: mustSpec(t, tc.spec), Dataset: ds})
			if p := apperr.Describe(err); p.Code != "query.too_many_rows" || !strings.Contains(p.Sentence, tc.part) {
				t.Fatalf("%s: %s", p.Code, p.Sentence)
			}
		})
	}
	// As many as fit are no error, and the answer tells that it was cut.
	if got := run(t, e, ds, `{"dataset":"d","measures":[{"fn":"count"}],"dimensions":[{"column":"n"}],"limit":900}`); !strings.Contains(got, `"more":true`) {
		t.Fatal(got)
	}
}

func TestInstancesAreClosedLeastRecentlyUsedFirst(t *testing.T) {
	f := newFixture(t)
	ds := numbers(f, 10)
	e := f.engine(func(c *Config) { c.MaxInstances = 2; c.CacheBytes = 1 })
	of := func(tenant string) *Dataset {
		d := *ds
		d.TenantID = tenant
		return &d
	}
	open := func() string {
		e.instances.mu.Lock()
		defer e.instances.mu.Unlock()
		var names []string
		for _, name := range []string{"a", "b", "c"} {
			if e.instances.open[name] != nil {
				names = append(names, name)
			}
		}
		return strings.Join(names, " ")
	}
	for _, step := range []struct{ tenant, open string }{{"a", "a"}, {"b", "a b"}, {"a", "a b"}, {"c", "a c"}} {
		run(t, e, of(step.tenant), countSpec)
		if open() != step.open {
			t.Fatalf("after %s: open %q, want %q", step.tenant, open(), step.open)
		}
	}
	// One that is in use stays, however many others come.
	in, conn, err := e.instances.acquire(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	run(t, e, of("b"), countSpec)
	run(t, e, of("c"), countSpec)
	if err := conn.exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	e.instances.release(in, conn)
}

func TestAdmissionIsFairBetweenTenants(t *testing.T) {
	a := newAdmission(1, 4, 100)
	if err := a.enter(t.Context(), "busy"); err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 20)
	queue := func(tenant string, n int) {
		for range n {
			before := a.waiting()
			go func() {
				if a.enter(context.Background(), tenant) == nil {
					order <- tenant
					a.leave(tenant)
				}
			}()
			waitFor(t, func() bool { return a.waiting() == before+1 })
		}
	}
	queue("busy", 6)
	queue("quiet", 2)
	a.leave("busy")
	var got []string
	for range 8 {
		got = append(got, <-order)
	}
	if want := "busy quiet busy quiet busy busy busy busy"; strings.Join(got, " ") != want {
		t.Errorf("order %v, want %s", got, want)
	}
}

func TestAdmissionWaitersMayLeave(t *testing.T) {
	a := newAdmission(1, 4, 1)
	if err := a.enter(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- a.enter(ctx, "x") }()
	waitFor(t, func() bool { return a.waiting() == 1 })
	if err := a.enter(t.Context(), "x"); code(err) != "query.busy" {
		t.Fatalf("a full queue gave %v", err)
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	a.leave("x")
	if err := a.enter(t.Context(), "y"); err != nil || a.running != 1 || len(a.queues) != 0 || len(a.turns) != 0 {
		t.Fatalf("%v %+v", err, a)
	}
}

func TestAdmissionBoundsTenantsWithMemory(t *testing.T) {
	a := newAdmission(4, 2, 10)
	for _, tenant := range []string{"a", "b", "a"} {
		if err := a.enter(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	entered := make(chan struct{})
	go func() {
		if a.enter(context.Background(), "c") == nil {
			close(entered)
		}
	}()
	waitFor(t, func() bool { return a.waiting() == 1 })
	// One more of a tenant that has its memory already may still run.
	if err := a.enter(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	a.leave("b")
	a.leave("b")
	<-entered
}

// TestEngineReachesSegmentsOnly: the second wall, should SQL ever be smuggled in.
func TestEngineReachesSegmentsOnly(t *testing.T) {
	f := newFixture(t)
	ds := numbers(f, 10)
	e := f.engine(func(c *Config) { c.DataDirs = []string{filepath.Join(f.dir, "elsewhere")} })
	if _, err := e.Run(t.Context(), Query{Spec: mustSpec(t, countSpec), Dataset: ds}); err == nil || !strings.Contains(err.Error(), "Permission") {
		t.Fatalf("read a file outside of its directories: %v", err)
	}
	in, conn, err := e.connect(t.Context(), "tenant-1")
	if err != nil {
		t.Fatal(err)
	}
	defer e.instances.release(in, conn)
	for _, sql := range []string{
		"SELECT * FROM read_text('/etc/passwd')",
		"COPY (SELECT 1) TO '" + filepath.Join(f.dir, "out.csv") + "'",
		"ATTACH '" + filepath.Join(f.dir, "x.db") + "'",
		"INSTALL httpfs",
		"LOAD httpfs",
		"SET memory_limit = '100GB'",
		"SET enable_external_access = true",
		"SELECT 1; SELECT 2",
	} {
		if err := conn.exec(t.Context(), sql); err == nil {
			t.Errorf("%s was allowed", sql)
		}
	}
}

func TestMetrics(t *testing.T) {
	f := newFixture(t)
	reg := prometheus.NewRegistry()
	e := f.engine(func(c *Config) { c.Metrics = reg })
	ds := numbers(f, 10)
	run(t, e, ds, countSpec)
	run(t, e, ds, countSpec)
	families, err := reg.Gather()
	if err != nil || len(families) < 6 {
		t.Fatalf("%d families, %v", len(families), err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if family.GetName() == "dataflow_query_total" {
			for _, m := range family.GetMetric() {
				got[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	if len(got) != 2 || got["exact"] != 1 || got["hit"] != 1 {
		t.Errorf("outcomes %v", got)
	}
}

func TestClosedEngineRefuses(t *testing.T) {
	f := newFixture(t)
	ds := numbers(f, 10)
	e := f.engine()
	run(t, e, ds, countSpec)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Run(t.Context(), Query{Spec: mustSpec(t, countSpec), Dataset: ds}); code(err) != "query.closed" {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(f.dir, "engine", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

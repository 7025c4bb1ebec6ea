package warehouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/duckdb/duckdb-go/v2/mapping"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dataflowhq/dataflow/platform/workdir"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// ByteCache is a second cache tier shared by processes. It may lose any entry
// at any moment; its errors count as misses.
type ByteCache interface {
	// Get returns nil and no error where the key is absent.
	Get(ctx context.Context, key string) ([]byte, error)
	Set(ctx context.Context, key string, value []byte) error
}

// Config sets what an Engine may use. The zero value of a field means the
// default in its comment.
type Config struct {
	// Dir is for temporary and droppable files: spill, hot copies and
	// summaries. Required.
	Dir string
	// DataDirs are the directories that segment files lie in; DuckDB can open
	// nothing else. Required.
	DataDirs []string
	// MemoryBytes is the budget of all DuckDB instances together (default 1 GiB).
	MemoryBytes int64
	// Threads is the number of threads of one query (default: GOMAXPROCS).
	Threads int
	// MaxInstances is how many tenants have a DuckDB instance open (default 32).
	MaxInstances int
	// MaxConcurrent is how many queries run at once (default: GOMAXPROCS, at least 2).
	MaxConcurrent int
	// MaxWaiting is how many queries of one tenant may wait (default 500).
	MaxWaiting int
	// Timeout is the wall time of one query, waiting included (default 30 s).
	Timeout time.Duration
	// MaxResultCells is rows × columns of one answer (default 2,000,000).
	MaxResultCells int
	// CacheBytes is the size of the in-process cache (default 128 MiB).
	CacheBytes int64
	// Second is a cache shared with other processes; nil for none.
	Second ByteCache
	// SampleAbove is the number of scanned rows over which an answer may come
	// from samples (default 10,000,000; negative: never).
	SampleAbove int64
	// SampleSlowerThan is the predicted time of an exact answer over which an
	// answer may come from samples (default 1 s).
	SampleSlowerThan time.Duration
	// KeptBytes is the room for hot copies and summaries in Dir (default 1 GiB;
	// negative: none).
	KeptBytes int64
	// Metrics registers the engine's metrics; nil for none.
	Metrics prometheus.Registerer
}

func (c Config) withDefaults() Config {
	procs := runtime.GOMAXPROCS(0)
	setInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	setInt(&c.Threads, procs)
	setInt(&c.MaxInstances, 32)
	setInt(&c.MaxConcurrent, max(2, procs))
	setInt(&c.MaxWaiting, 500)
	setInt(&c.MaxResultCells, 2_000_000)
	if c.MemoryBytes <= 0 {
		c.MemoryBytes = 1 << 30
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = 128 << 20
	}
	if c.KeptBytes == 0 {
		c.KeptBytes = 1 << 30
	}
	if c.SampleAbove == 0 {
		c.SampleAbove = 10_000_000
	}
	if c.SampleSlowerThan <= 0 {
		c.SampleSlowerThan = time.Second
	}
	return c
}

// maxActiveInstances is into how many parts the memory budget is split: no
// more tenants than that have queries running at the same time.
const maxActiveInstances = 4

// Engine answers queries. It is safe for concurrent use.
type Engine struct {
	cfg       Config
	instances *instances
	admission *admission
	cache     *resultCache
	flights   *flights
	footers   *footers
	plans     *lru.Cache[queryKey, *plan]
	unique    *lru.Cache[uniqueKey, bool]
	speed     *speed
	kept      *keptFiles
	values    *valueIndexes
	exports   chan struct{} // a place for each that may run
	exporters *instances    // what exports of plain rows run on, as they are stored
	sorters   *instances    // and those that are sorted first
	metrics   *metrics

	// firstWindow is how many rows a page reads first when it is not known
	// how many of them pass the filters.
	firstWindow int64

	closing    context.Context
	stop       context.CancelFunc
	opening    sync.Mutex // guards work until it is there
	work       *workdir.Dir
	background sync.WaitGroup
}

type uniqueKey struct {
	dataset string
	version int64
	column  int32
}

// keptPlans is how many bound plans are kept; each takes a few kilobytes.
const keptPlans = 8192

// New makes an engine; nothing is opened before the first query.
func New(cfg Config) *Engine {
	cfg = cfg.withDefaults()
	active := min(maxActiveInstances, cfg.MaxConcurrent)
	plans, err := lru.New[queryKey, *plan](keptPlans)
	if err != nil { // only a size below 1
		panic(err)
	}
	unique, err := lru.New[uniqueKey, bool](keptPlans)
	if err != nil {
		panic(err)
	}
	e := &Engine{
		cfg:       cfg,
		instances: newInstances(cfg, cfg.MemoryBytes/int64(active)),
		admission: newAdmission(cfg.MaxConcurrent, active, cfg.MaxWaiting),
		cache:     newResultCache(cfg.CacheBytes),
		flights:   newFlights(),
		footers:   newFooters(),
		plans:     plans,
		unique:    unique,
		speed:     newSpeed(),

		firstWindow: segments.RowGroupRows,
	}
	e.kept = newKeptFiles(cfg.KeptBytes)
	e.values = newValueIndexes()
	e.exports = make(chan struct{}, max(1, cfg.MaxConcurrent/2))
	exporters := cfg
	exporters.MaxInstances = cap(e.exports)
	e.sorters = newInstances(exporters, sortMemory)
	exporters.Threads = 1
	e.exporters = newInstances(exporters, exportMemory)
	e.closing, e.stop = context.WithCancel(context.Background())
	e.metrics = newMetrics(e, cfg.Metrics)
	return e
}

// Close ends all running queries and closes all instances.
func (e *Engine) Close() error {
	e.stop()
	e.opening.Lock() // who opens it just now ends first; who comes later finds it closed
	work := e.work
	e.opening.Unlock()
	e.values.close()
	e.background.Wait()
	e.instances.close()
	e.exporters.close()
	e.sorters.close()
	if work == nil {
		return nil
	}
	return work.Remove()
}

// Run answers q: from the cache, from an identical query that is running, or
// by computing. The result is shared between callers: never change it.
//
// Errors: ctx.Err() where the caller went away, and the query.* codes.
func (e *Engine) Run(ctx context.Context, q Query) (*Result, error) {
	if err := e.closing.Err(); err != nil {
		return nil, ErrClosed
	}
	p, err := e.plan(ctx, &q)
	if err != nil {
		return nil, err
	}
	if r, ok := e.cache.get(p.digest); ok {
		e.metrics.queries.WithLabelValues("hit").Inc()
		return r, nil
	}
	wait, cancel := context.WithTimeoutCause(ctx, e.cfg.Timeout, ErrTimeout)
	defer cancel()
	ds := q.Dataset
	r, shared, err := e.flights.do(wait, p.digest, func(run context.Context) (*Result, error) {
		return e.compute(run, p.attach(ds))
	})
	if shared && err == nil {
		e.metrics.queries.WithLabelValues("shared").Inc()
	}
	if err != nil {
		return nil, e.explainError(ctx, wait, err)
	}
	return r, nil
}

// explainError tells a deadline from a caller that went away.
func (e *Engine) explainError(ctx, wait context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case e.closing.Err() != nil:
		return ErrClosed.Wrap(err)
	case wait.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		e.metrics.queries.WithLabelValues("error").Inc()
		return ErrTimeout.With("The query took longer than %s and was stopped. Try a shorter span or a coarser grouping.", e.cfg.Timeout).Wrap(err)
	}
	e.metrics.queries.WithLabelValues("error").Inc()
	return err
}

// plan finds or makes the plan of q.
func (e *Engine) plan(ctx context.Context, q *Query) (*plan, error) {
	if q.Dataset == nil || q.Dataset.TenantID == "" || q.Dataset.ID == "" {
		return nil, errors.New("query without a dataset, or a dataset without a tenant")
	}
	key := keyOf(q)
	if p, ok := e.plans.Get(key); ok {
		return p, nil
	}
	exact := q.Exact
	if !exact && (e.cfg.SampleAbove < 0 || rowsOf(q.Dataset) <= e.cfg.SampleAbove) {
		q.Exact = true // so that both ways to ask share one answer
	}
	p, err := bind(q, func(ds *Dataset, column int32, before int64, zone string) (int64, bool, error) {
		return e.newestSeen(ctx, ds, column, before, zone)
	})
	q.Exact = exact
	if err != nil {
		return nil, err
	}
	e.plans.Add(key, p.detach())
	return p, nil
}

func rowsOf(ds *Dataset) int64 {
	var n int64
	for i := range ds.Segments {
		n += ds.Segments[i].Rows
	}
	return n
}

// Check tells whether q could be run, and the columns its answer would have.
//
// Errors: the query.* codes that speak of specs.
func (e *Engine) Check(ctx context.Context, q Query) ([]ResultColumn, error) {
	p, err := e.plan(ctx, &q)
	if err != nil {
		return nil, err
	}
	return p.resultColumns(), nil
}

// Digest is the key under which the answer to q is cached: whoever keeps
// something made from the answer can key it by this, and it is never stale.
//
// Errors: the query.* codes that speak of specs.
func (e *Engine) Digest(ctx context.Context, q Query) (string, error) {
	p, err := e.plan(ctx, &q)
	if err != nil {
		return "", err
	}
	return p.digest, nil
}

// compute answers a plan that is not in the in-process cache.
func (e *Engine) compute(ctx context.Context, p *plan) (*Result, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
	defer cancel()
	defer context.AfterFunc(e.closing, cancel)()
	if r := e.fromSecond(ctx, p.digest); r != nil {
		e.cache.put(p.digest, r)
		r.FromCache = true
		e.metrics.queries.WithLabelValues("second").Inc()
		return r, nil
	}
	start := time.Now()
	if err := e.admission.enter(ctx, p.Tenant); err != nil {
		return nil, err
	}
	defer e.admission.leave(p.Tenant)
	e.metrics.wait.Observe(time.Since(start).Seconds())
	in, conn, err := e.connect(ctx, p.Tenant)
	if err != nil {
		return nil, err
	}
	defer e.instances.release(in, conn)
	start = time.Now()
	r, outcome, err := e.answer(ctx, conn, p)
	if err != nil {
		return nil, queryError(err)
	}
	r.Elapsed = time.Since(start)
	e.metrics.seconds.Observe(r.Elapsed.Seconds())
	e.metrics.queries.WithLabelValues(outcome).Inc()
	e.keep(p.digest, r)
	return r, nil
}

// keep puts an answer into both tiers. The second is written without making
// the caller wait.
func (e *Engine) keep(digest string, r *Result) {
	e.cache.put(digest, r)
	if e.cfg.Second == nil {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(e.closing, 5*time.Second)
		defer cancel()
		// A lost entry is computed again; nothing else depends on it.
		_ = e.cfg.Second.Set(ctx, secondKey(digest), r.encode())
	}()
}

func secondKey(digest string) string { return "query:" + digest }

// secondTimeout bounds the wait for the shared cache: computing is the better
// choice when it does not answer.
const secondTimeout = 100 * time.Millisecond

func (e *Engine) fromSecond(ctx context.Context, digest string) *Result {
	if e.cfg.Second == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, secondTimeout)
	defer cancel()
	data, err := e.cfg.Second.Get(ctx, secondKey(digest))
	if err != nil || data == nil {
		return nil
	}
	r, err := decodeResult(data)
	if err != nil {
		return nil
	}
	return r
}

// connect opens what the engine itself needs, then a connection for the tenant.
func (e *Engine) connect(ctx context.Context, tenant string) (*instance, *connection, error) {
	return e.connectTo(ctx, e.instances, tenant)
}

func (e *Engine) connectTo(ctx context.Context, to *instances, tenant string) (*instance, *connection, error) {
	if err := e.prepare(); err != nil {
		return nil, nil, err
	}
	return to.acquire(ctx, tenant)
}

// prepare makes the engine's directory and starts what works in the background,
// once. Where that fails the next query tries again: a disk may be full for a while.
//
// Errors: query.disk_full.
func (e *Engine) prepare() error {
	e.opening.Lock()
	defer e.opening.Unlock()
	if err := e.closing.Err(); err != nil {
		return ErrClosed
	}
	if e.work != nil {
		return nil
	}
	work, err := e.openWorkDir()
	if err != nil {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			return ErrDiskFull.Wrap(err)
		}
		return fmt.Errorf("prepare engine directory: %w", err)
	}
	e.work, e.instances.work, e.exporters.work, e.sorters.work = work, work, work, work
	e.background.Add(1)
	go func() {
		defer e.background.Done()
		e.makeKept()
	}()
	return nil
}

// openWorkDir makes the engine's directory, with what is always in it.
func (e *Engine) openWorkDir() (*workdir.Dir, error) {
	work, err := workdir.Open(e.cfg.Dir, "engine")
	if err != nil {
		return nil, err
	}
	err = os.WriteFile(work.Join("empty.parquet"), emptyFile, 0o600)
	if err == nil {
		err = os.Mkdir(work.Join("kept"), 0o700)
	}
	if err != nil {
		_ = work.Remove()
		return nil, err
	}
	return work, nil
}

// queryError gives failures of DuckDB that a person can do something about
// their code.
func queryError(err error) error {
	var d *duckError
	if !errors.As(err, &d) {
		return err
	}
	switch d.kind {
	case mapping.ErrorTypeOutOfMemory:
		return ErrTooLarge.Wrap(err)
	case mapping.ErrorTypeOutOfRange:
		return ErrOverflow.Wrap(err)
	}
	return fmt.Errorf("run query: %w", err)
}

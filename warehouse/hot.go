package warehouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// hotCopies are files with the first rows of segments in the order of a
// column: what pages sorted by something else than time are read from. They
// are a cache beside the segments, built when a page took long, dropped when
// they take too much room, and never the truth: an answer from them is exact
// or it is not given.
type hotCopies struct {
	maxBytes int64
	minRows  int64         // smaller segments are read as they are
	slow     time.Duration // a page that took less needs no copy

	mu    sync.Mutex
	byKey map[hotKey]*hotCopy
	asked map[hotKey]int
	bytes int64
	clock int64
	queue chan hotJob
}

// hotKey names a copy: segments never change, so it is never stale.
type hotKey struct {
	segment string // path
	column  int32
	desc    bool
}

type hotCopy struct {
	path  string
	bound value // of the key: every row of the segment up to it is in the copy
	rows  int64
	bytes int64
	used  int64
}

type hotJob struct {
	tenant  string
	segment Segment
	key     colRef
	desc    bool
}

const (
	hotShare = 50 // a copy has 1 in hotShare rows of its segment
	hotAsked = 2  // pages that must have been slow
	hotQueue = 64
)

func newHotCopies(maxBytes int64) *hotCopies {
	return &hotCopies{maxBytes: maxBytes, minRows: 500_000, slow: 8 * time.Millisecond, byKey: map[hotKey]*hotCopy{}, asked: map[hotKey]int{}, queue: make(chan hotJob, hotQueue)}
}

// wanted notes that a page took long; the second time copies are built.
func (h *hotCopies) wanted(c *compiler, key colRef, desc bool, took time.Duration) {
	if took < h.slow || h.maxBytes <= 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.asked) > 10_000 {
		h.asked = map[hotKey]int{} // only a hint is lost
	}
	for _, seg := range c.base.segs {
		k := hotKey{seg.Path, key.ID, desc}
		if seg.Rows < h.minRows || h.byKey[k] != nil {
			continue
		}
		if h.asked[k]++; h.asked[k] != hotAsked {
			continue
		}
		select {
		case h.queue <- hotJob{c.p.Tenant, seg, key, desc}:
		default:
			h.asked[k] = 0 // too much to do: ask again
		}
	}
}

// find gives the copies of the large segments, or ok false where one is missing.
func (h *hotCopies) find(segs []Segment, key colRef, desc bool) (map[string]hotCopy, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]hotCopy{}
	for _, seg := range segs {
		if seg.Rows < h.minRows {
			continue
		}
		hc := h.byKey[hotKey{seg.Path, key.ID, desc}]
		if hc == nil {
			return nil, false
		}
		h.clock++
		hc.used = h.clock
		out[seg.Path] = *hc
	}
	return out, len(out) > 0
}

// fromHot answers a page from copies, or nil where they do not suffice.
func (e *Engine) fromHot(ctx context.Context, conn *connection, c *compiler, key colRef, desc bool) (*Result, error) {
	copies, ok := e.hot.find(c.base.segs, key, desc)
	if !ok {
		return nil, nil
	}
	src := &source{ds: c.base.ds, empty: c.base.empty}
	var bound value
	first := true
	paths := make([]string, len(c.base.segs))
	for i, seg := range c.base.segs {
		hc, isCopy := copies[seg.Path]
		if !isCopy {
			src.segs = append(src.segs, seg)
			paths[i] = seg.Path
			continue
		}
		paths[i] = hc.path
		// Statistics of the segment hold for its copy too: it has no other values.
		seg.Path, seg.Rows = hc.path, hc.rows
		src.segs = append(src.segs, seg)
		if order := hc.bound.rat().Cmp(bound.rat()); first || desc && order > 0 || !desc && order < 0 {
			bound, first = hc.bound, false
		}
	}
	var err error
	if src.foot, err = e.footers.loadPaths(ctx, conn, paths); err != nil {
		return nil, e.hot.lost(copies, err)
	}
	r, found, err := e.within(ctx, conn, c, src, key, bound, desc)
	if err != nil {
		return nil, e.hot.lost(copies, err)
	}
	if found < int64(c.p.Limit+c.p.Offset+1) {
		return nil, nil
	}
	return r, nil
}

// lost forgets copies whose file was removed under a query, which then reads
// the segments; any other error stays.
func (h *hotCopies) lost(copies map[string]hotCopy, err error) error {
	gone := false
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, hc := range h.byKey {
		if _, here := copies[k.segment]; !here {
			continue
		}
		if _, statErr := os.Stat(hc.path); statErr != nil {
			h.forget(k)
			gone = true
		}
	}
	if gone {
		return nil
	}
	return err
}

func (h *hotCopies) forget(k hotKey) {
	if hc := h.byKey[k]; hc != nil {
		h.bytes -= hc.bytes
		delete(h.byKey, k)
		_ = os.Remove(hc.path) // what is left over goes with the engine's directory
	}
}

// build works off the queue until the engine closes.
func (e *Engine) buildHot() {
	for {
		select {
		case <-e.closing.Done():
			return
		case job := <-e.hot.queue:
			if err := e.buildCopy(job); err != nil {
				// A page is slower then, and asks again.
				e.metrics.hotFailed.Inc()
			}
			e.hot.mu.Lock()
			delete(e.hot.asked, hotKey{job.segment.Path, job.key.ID, job.desc})
			e.hot.mu.Unlock()
		}
	}
}

func (e *Engine) buildCopy(job hotJob) error {
	ctx, cancel := context.WithTimeout(e.closing, 5*time.Minute)
	defer cancel()
	if err := e.admission.enter(ctx, job.tenant); err != nil {
		return err
	}
	defer e.admission.leave(job.tenant)
	in, conn, err := e.connect(ctx, job.tenant)
	if err != nil {
		return err
	}
	defer e.instances.release(in, conn)
	hc, err := writeHot(ctx, conn, e.work.join("hot"), job)
	if err != nil {
		return err
	}
	e.hot.add(hotKey{job.segment.Path, job.key.ID, job.desc}, hc)
	return nil
}

// writeHot finds the value that ends the first part of the segment and writes
// all rows up to it, itself included, sorted. Rows without a value never sort
// first.
func writeHot(ctx context.Context, conn *connection, dir string, job hotJob) (*hotCopy, error) {
	name := segments.ColumnName(job.key.ID)
	from := "read_parquet([" + quoteText(job.segment.Path) + "])"
	order, op := " ASC", " <= "
	if job.desc {
		order, op = " DESC", " >= "
	}
	rows := min(max(job.segment.Rows/hotShare, 50_000), 400_000)
	bound := fmt.Sprintf("(SELECT %s FROM %s WHERE %s IS NOT NULL ORDER BY %s%s LIMIT 1 OFFSET %d)", name, from, name, name, order, rows-1)
	sum := sha256.Sum256([]byte(fmt.Sprint(job.segment.Path, job.key.ID, job.desc)))
	path := filepath.Join(dir, hex.EncodeToString(sum[:16])+".parquet")
	sql := fmt.Sprintf("COPY (SELECT * FROM %s AS q WHERE q.%s%s%s ORDER BY q.%s%s) TO %s (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 8192)",
		from, name, op, bound, name, order, quoteText(path))
	if err := conn.exec(ctx, sql); err != nil {
		return nil, fmt.Errorf("write hot copy: %w", err)
	}
	end := "min"
	if !job.desc {
		end = "max"
	}
	out := []ResultColumn{{Type: job.key.Type, Scale: job.key.Scale}, {Type: Integer}}
	if err := queryInto(ctx, conn, fmt.Sprintf("SELECT %s(%s), count(*) FROM read_parquet([%s])", end, name, quoteText(path)), out); err != nil {
		return nil, fmt.Errorf("read hot copy: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read hot copy: %w", err)
	}
	hc := &hotCopy{path: path, rows: out[1].Ints[0], bytes: info.Size()}
	switch {
	case out[0].IsNull(0):
		_ = os.Remove(path)
		return nil, fmt.Errorf("segment has too few values for a hot copy")
	case job.key.Type == Float && !finite(out[0].Floats[0]):
		_ = os.Remove(path)
		return nil, fmt.Errorf("segment has too few numbers for a hot copy")
	case job.key.Type == Float:
		hc.bound = value{K: "f", F: out[0].Floats[0]}
	case job.key.Type == Decimal:
		v, ok := parseNumber(out[0].Exact[0])
		if !ok {
			return nil, fmt.Errorf("bound %q of a hot copy is no number", out[0].Exact[0])
		}
		hc.bound = v
	default:
		hc.bound = value{K: "i", I: out[0].Ints[0]}
	}
	return hc, nil
}

// add keeps a copy and drops the least recently used ones beyond the budget.
// A query that reads a dropped file falls back to the segments.
func (h *hotCopies) add(k hotKey, hc *hotCopy) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	hc.used = h.clock
	h.byKey[k] = hc
	h.bytes += hc.bytes
	if h.bytes <= h.maxBytes {
		return
	}
	keys := make([]hotKey, 0, len(h.byKey))
	for key := range h.byKey {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(i, j int) bool { return h.byKey[keys[i]].used < h.byKey[keys[j]].used })
	for _, key := range keys {
		if h.bytes <= h.maxBytes {
			return
		}
		h.forget(key)
	}
}

package warehouse

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// valueIndexes keeps indexes of values by the digest of the question that they
// answer, so none is ever stale: a new version of a dataset, other filters and
// other rules are other questions. The least recently used go first. Those of
// all rows are kept as files too, for the next process.
type valueIndexes struct {
	max int64

	mu       sync.Mutex
	bytes    int64
	byKey    map[string]*list.Element
	recent   *list.List // of *keptIndex, most recent first
	building map[string]*buildingIndex
	closed   bool // nothing is built any more
}

type keptIndex struct {
	key   string
	ready *buildingIndex
}

// buildingIndex has its index, or why there is none, once done is closed. One
// that only those who wait need is given up with the last of them.
type buildingIndex struct {
	done   chan struct{}
	index  *valueIndex
	err    error
	cancel context.CancelFunc // nil where it is built to its end

	waiting int // guarded by valueIndexes.mu
	gone    bool
}

// Room for indexes in memory and, for all engines of a directory, in files.
const (
	valueMemory = 256 << 20
	valueFiles  = 2 << 30
)

// buildTime bounds the building of an index: longer than a question may take,
// as it serves all that follow.
const buildTime = 5 * time.Minute

func newValueIndexes() *valueIndexes {
	return &valueIndexes{max: valueMemory, byKey: map[string]*list.Element{}, recent: list.New(), building: map[string]*buildingIndex{}}
}

// HasValueIndex tells whether values of a column of this type can be searched.
func HasValueIndex(t Type) bool { return t == Text || t == Integer || t == Boolean }

// SearchValues finds up to limit values of a column with term in them, as
// FoundValues describes. It looks at the rows that q's filters and rules keep;
// the rest of q's spec does not matter. Without filters and rules the values
// come from an index that is kept for each version of a dataset; with them,
// from a query, whose answer is kept in memory.
//
// Errors: ctx.Err() where the caller went away, and the query.* codes.
func (e *Engine) SearchValues(ctx context.Context, q Query, column, term string, limit int) (FoundValues, error) {
	p, keepFile, err := e.valuesPlan(ctx, q, column)
	if err != nil {
		return FoundValues{}, err
	}
	wait, cancel := context.WithTimeoutCause(ctx, e.cfg.Timeout, ErrTimeout)
	defer cancel()
	b := e.valueIndex(p, keepFile)
	select {
	case <-b.done:
	case <-wait.Done():
		e.values.leave(b)
		return FoundValues{}, e.explainError(ctx, wait, wait.Err())
	}
	if b.err != nil {
		return FoundValues{}, e.explainError(ctx, wait, b.err)
	}
	return b.index.search(term, limit), nil
}

// PrepareValues begins to build the index that SearchValues needs, where it is
// not there and everybody needs it, and does not wait for it.
//
// Errors: the query.* codes that speak of specs.
func (e *Engine) PrepareValues(ctx context.Context, q Query, column string) error {
	p, keepFile, err := e.valuesPlan(ctx, q, column)
	if err == nil && keepFile {
		e.valueIndex(p, keepFile)
	}
	return err
}

// valuesPlan is the question for all values of a column and their rows.
// keepFile tells that everybody asks it, as nothing narrows it.
func (e *Engine) valuesPlan(ctx context.Context, q Query, column string) (p *plan, keepFile bool, err error) {
	if err := e.closing.Err(); err != nil {
		return nil, false, ErrClosed
	}
	s := q.Spec
	q.Exact = true
	q.Spec = Spec{Dataset: s.Dataset, Timezone: s.Timezone, Filters: s.Filters, Fields: s.Fields,
		Dimensions: []Dimension{{Column: column, As: "value"}}, Measures: []Measure{{Fn: "count", As: "rows"}},
		Order: []Order{{By: "rows", Desc: true}, {By: "value"}}, Limit: MaxLimit}
	if p, err = e.plan(ctx, &q); err != nil {
		return nil, false, err
	}
	if t := p.resultColumns()[0].Type; !HasValueIndex(t) {
		return nil, false, ErrFilterOp.With("The values of %q can't be searched: it is %s.", clip(column), typeNoun(t))
	}
	return p.attach(q.Dataset), len(s.Filters) == 0 && !q.Dataset.limited(), nil
}

// valueIndex finds the index in memory, or begins to read its file or to build
// it. Who types on gives up the question before; an index of all rows is built
// to its end all the same.
func (e *Engine) valueIndex(p *plan, keepFile bool) *buildingIndex {
	v := e.values
	v.mu.Lock()
	defer v.mu.Unlock()
	if at, ok := v.byKey[p.digest]; ok {
		v.recent.MoveToFront(at)
		return at.Value.(*keptIndex).ready
	}
	b := v.building[p.digest]
	if b != nil && !b.gone {
		b.waiting++
		return b
	}
	b = &buildingIndex{done: make(chan struct{}), waiting: 1}
	if v.closed {
		b.err = ErrClosed
		close(b.done)
		return b
	}
	v.building[p.digest] = b
	ctx, cancel := context.WithTimeout(e.closing, buildTime)
	if !keepFile {
		b.cancel = cancel
	}
	e.background.Add(1)
	go func() {
		defer e.background.Done()
		defer cancel()
		index, err := e.buildGuarded(ctx, p, keepFile)
		v.finish(p.digest, b, index, err)
	}()
	return b
}

// buildGuarded turns a mistake in building into an error of those who wait: it
// must not end the process.
func (e *Engine) buildGuarded(ctx context.Context, p *plan, keepFile bool) (index *valueIndex, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			index, err = nil, fmt.Errorf("build index of values: panic: %v", cause)
		}
	}()
	return e.buildValues(ctx, p, keepFile)
}

// leave is for who waits no longer.
func (v *valueIndexes) leave(b *buildingIndex) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if b.waiting--; b.waiting == 0 && b.cancel != nil {
		b.gone = true
		b.cancel()
	}
}

// finish keeps what was built and lets everybody have it.
func (v *valueIndexes) finish(key string, b *buildingIndex, index *valueIndex, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.building[key] == b {
		delete(v.building, key)
	}
	b.index, b.err = index, err
	close(b.done)
	if err != nil || v.byKey[key] != nil {
		return
	}
	v.byKey[key] = v.recent.PushFront(&keptIndex{key, b})
	v.bytes += index.memory()
	for v.bytes > v.max && v.recent.Len() > 1 {
		last := v.recent.Back()
		old := last.Value.(*keptIndex)
		v.recent.Remove(last)
		delete(v.byKey, old.key)
		v.bytes -= old.ready.index.memory()
	}
}

// close has no further index built.
func (v *valueIndexes) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
}

func (e *Engine) buildValues(ctx context.Context, p *plan, keepFile bool) (*valueIndex, error) {
	path := e.valuesPath(p.digest)
	if keepFile {
		if x := readIndex(path); x != nil {
			return x, nil
		}
	}
	if err := e.admission.enter(ctx, p.Tenant); err != nil {
		return nil, err
	}
	defer e.admission.leave(p.Tenant)
	in, conn, err := e.connect(ctx, p.Tenant)
	if err != nil {
		return nil, err
	}
	defer e.instances.release(in, conn)
	p.Limit = maxIndexed
	c, err := e.compiler(ctx, conn, p)
	if err != nil {
		return nil, queryError(err)
	}
	c.maxRows = maxIndexed
	e.metrics.rows.Add(float64(c.scanned()))
	r, more, err := e.execute(ctx, conn, c, c.compile())
	if err != nil {
		return nil, queryError(err)
	}
	r.More = more
	x := newValueIndex(r)
	if keepFile {
		// Without the file the next process builds the index again.
		_ = writeIndex(path, x)
	}
	return x, nil
}

func (e *Engine) valuesPath(digest string) string {
	sum := sha256.Sum256([]byte(digest))
	return filepath.Join(e.cfg.Dir, "values", hex.EncodeToString(sum[:16])+".values")
}

// readIndex is nil where there is no whole file. Its pages stay those of the
// file: nothing is copied, and the system may drop and read them again.
func readIndex(path string) *valueIndex {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return nil
	}
	// Files are replaced and removed whole, never shortened.
	data, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED|syscall.MAP_POPULATE)
	if err != nil {
		return nil
	}
	x, err := decodeIndex(data)
	if err != nil {
		_ = syscall.Munmap(data)
		return nil
	}
	runtime.AddCleanup(x, func(data []byte) { _ = syscall.Munmap(data) }, data)
	now := time.Now()
	_ = os.Chtimes(path, now, now) // only which file goes first depends on it
	return x
}

// writeIndex publishes a file under its name at once and makes room for it.
func writeIndex(path string, x *valueIndex) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(x.encode())
	if errClose := f.Close(); err == nil {
		err = errClose
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write index of values: %w", err)
	}
	return sweepIndexes(dir, valueFiles)
}

// sweepIndexes removes the files used longest ago beyond a number of bytes.
// Another engine that is just about to read one builds it again.
func sweepIndexes(dir string, most int64) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	files := make([]os.FileInfo, 0, len(entries))
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	total := int64(0)
	for _, info := range files {
		if total += info.Size(); total > most {
			_ = os.Remove(filepath.Join(dir, info.Name()))
		}
	}
	return nil
}

package warehouse

import (
	"container/list"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// resultCache keeps answers by the digest of their plan, the least recently
// used going first. Nothing in it is ever stale: a new version of a dataset
// has other digests.
type resultCache struct {
	max int64

	mu     sync.Mutex
	bytes  int64
	byKey  map[string]*list.Element
	recent *list.List // of *cached, most recent first
}

type cached struct {
	key    string
	result *Result
	bytes  int64
}

func newResultCache(limit int64) *resultCache {
	return &resultCache{max: limit, byKey: map[string]*list.Element{}, recent: list.New()}
}

func (c *resultCache) get(key string) (*Result, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil, false
	}
	c.recent.MoveToFront(e)
	return e.Value.(*cached).result, true
}

// put keeps a result; one that would fill more than an eighth of the cache is
// not kept.
func (c *resultCache) put(key string, r *Result) {
	size := r.memory() + int64(len(key)) + 200
	if size > c.max/8 {
		return
	}
	hit := *r
	hit.FromCache = true
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.recent.MoveToFront(e)
		return
	}
	c.byKey[key] = c.recent.PushFront(&cached{key, &hit, size})
	c.bytes += size
	for c.bytes > c.max {
		last := c.recent.Back()
		entry := last.Value.(*cached)
		c.recent.Remove(last)
		delete(c.byKey, entry.key)
		c.bytes -= entry.bytes
	}
}

func (c *resultCache) size() (entries int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byKey), c.bytes
}

// memory is about how many bytes the result takes.
func (r *Result) memory() int64 {
	n := int64(256)
	for i := range r.Columns {
		c := &r.Columns[i]
		n += 200 + int64(len(c.Name)+len(c.Nulls)+8*len(c.Ints)+8*len(c.Floats)+16*len(c.Texts)+16*len(c.Exact))
		for _, s := range c.Texts {
			n += int64(len(s))
		}
		for _, s := range c.Exact {
			n += int64(len(s))
		}
	}
	return n
}

// flights computes each answer once, however many ask for it at the same
// time. The computation runs on its own and ends early only when all who
// wait for it have gone.
type flights struct {
	mu  sync.Mutex
	now map[string]*flight
}

type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int
	result  *Result
	err     error
}

func newFlights() *flights { return &flights{now: map[string]*flight{}} }

// guarded turns a panic into an error: it must not end the process, and those
// who wait must hear of it.
func guarded(ctx context.Context, compute func(context.Context) (*Result, error)) (r *Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("query panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return compute(ctx)
}

// do runs compute for the key, or waits for the one that runs already.
func (f *flights) do(ctx context.Context, key string, compute func(context.Context) (*Result, error)) (result *Result, shared bool, err error) {
	f.mu.Lock()
	fl, ok := f.now[key]
	if !ok {
		// Values of ctx (tracing) go along, its end does not.
		run, cancel := context.WithCancel(context.WithoutCancel(ctx))
		fl = &flight{done: make(chan struct{}), cancel: cancel}
		f.now[key] = fl
		go func() {
			r, err := guarded(run, compute)
			f.mu.Lock()
			fl.result, fl.err = r, err
			if f.now[key] == fl {
				delete(f.now, key)
			}
			f.mu.Unlock()
			close(fl.done)
			cancel()
		}()
	}
	fl.waiting++
	f.mu.Unlock()
	select {
	case <-fl.done:
		return fl.result, ok, fl.err
	case <-ctx.Done():
	}
	f.mu.Lock()
	if fl.waiting--; fl.waiting == 0 {
		// Whoever comes from now on must not join what is about to end.
		if f.now[key] == fl {
			delete(f.now, key)
		}
		fl.cancel()
	}
	f.mu.Unlock()
	return nil, ok, ctx.Err()
}

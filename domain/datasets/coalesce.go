package datasets

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// coalescer lets callers who ask the same thing at the same moment share one
// answer. An answer is shared only with callers who asked before its work
// began, so nobody gets one that is older than their question: while one round
// runs, everybody who comes waits for the next. Work that nobody waits for any
// more is cancelled.
type coalescer[T any] struct {
	mu      sync.Mutex
	waiting map[string]*round[T]
	running map[string]bool
}

type round[T any] struct {
	done    chan struct{}
	answer  T
	err     error
	waiters int
	cancel  context.CancelFunc // while its work runs
}

const coalescedTimeout = 2 * time.Minute

func (c *coalescer[T]) do(ctx context.Context, key string, work func(context.Context) (T, error)) (T, error) {
	c.mu.Lock()
	r := c.waiting[key]
	if r == nil {
		r = &round[T]{done: make(chan struct{})}
		if c.waiting == nil {
			c.waiting, c.running = map[string]*round[T]{}, map[string]bool{}
		}
		c.waiting[key] = r
		if !c.running[key] {
			c.running[key] = true
			// The work belongs to all who wait for it, not to the first.
			go c.run(context.WithoutCancel(ctx), key, work)
		}
	}
	r.waiters++
	c.mu.Unlock()
	select {
	case <-r.done:
		return r.answer, r.err
	case <-ctx.Done():
		c.leave(key, r)
		var none T
		return none, context.Cause(ctx)
	}
}

// leave takes a waiter out of a round; the last one ends it.
func (c *coalescer[T]) leave(key string, r *round[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.waiters--; r.waiters > 0 {
		return
	}
	if c.waiting[key] == r {
		delete(c.waiting, key)
	}
	if r.cancel != nil {
		r.cancel()
	}
}

func (c *coalescer[T]) run(ctx context.Context, key string, work func(context.Context) (T, error)) {
	for {
		c.mu.Lock()
		r := c.waiting[key]
		if r == nil {
			delete(c.running, key)
			c.mu.Unlock()
			return
		}
		delete(c.waiting, key)
		ctx, cancel := context.WithTimeout(ctx, coalescedTimeout)
		r.cancel = cancel
		c.mu.Unlock()
		func() {
			defer close(r.done)
			defer cancel()
			defer func() {
				if p := recover(); p != nil {
					r.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
				}
			}()
			r.answer, r.err = work(ctx)
		}()
	}
}

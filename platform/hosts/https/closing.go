package https

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
)

var errClosed = errors.New("the storage of certificates is closed")

// closing lets go of a storage: the library's renewals have no end of their
// own, and must not write to what their process has closed.
type closing struct {
	objects Objects
	mu      sync.RWMutex // held for reading during each call
	closed  bool
}

// close waits for calls under way and fails all later ones.
func (c *closing) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

func (c *closing) Publish(ctx context.Context, key string, r io.Reader) (int64, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return 0, errClosed
	}
	return c.objects.Publish(ctx, key, r)
}

func (c *closing) Read(ctx context.Context, key string) (io.ReadCloser, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return nil, errClosed
	}
	return c.objects.Read(ctx, key)
}

func (c *closing) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		c.mu.RLock()
		defer c.mu.RUnlock()
		if c.closed {
			yield("", errClosed)
			return
		}
		c.objects.Keys(ctx, prefix)(yield)
	}
}

func (c *closing) Delete(ctx context.Context, key string) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return errClosed
	}
	return c.objects.Delete(ctx, key)
}

package blob

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// fetchFunc copies an object to path. It calls reserve with the size before
// it writes the first byte.
type fetchFunc func(ctx context.Context, key string, reserve func(bytes int64), path string) error

// cache keeps local copies of remote objects, dropping those unused for
// longest when they take more than limit bytes. A copy in use is never
// dropped, so pinned copies may exceed the limit for a while. Objects never
// change, so a copy never goes stale, not even across restarts.
type cache struct {
	dir   string
	lock  *os.File
	limit int64

	mu      sync.Mutex
	used    int64
	entries map[string]*entry // by file name
	idle    *list.List        // *entry, unused for longest in front
}

type entry struct {
	name    string
	bytes   int64
	pins    int
	idle    *list.Element // set while pins is 0
	ready   chan struct{} // closed when the fetch ended
	err     error
	cancel  context.CancelFunc
	dropped bool // remove as soon as nobody uses it
}

// openCache takes the first cache directory under parent that no other process
// uses, with the copies that an earlier process left there.
func openCache(parent string, limit int64) (*cache, error) {
	for n := range 1000 {
		dir := filepath.Join(parent, strconv.Itoa(n))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make cache directory: %w", err)
		}
		lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open cache lock: %w", err)
		}
		if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = lock.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				continue
			}
			return nil, fmt.Errorf("lock cache directory: %w", err)
		}
		c := &cache{dir: dir, lock: lock, limit: limit, entries: map[string]*entry{}, idle: list.New()}
		if err := c.load(); err != nil {
			return nil, errors.Join(err, c.close())
		}
		return c, nil
	}
	return nil, fmt.Errorf("open cache: every directory under %s is in use", parent)
}

func (c *cache) close() error { return c.lock.Close() }

const partSuffix = ".part"

// load adopts finished copies, oldest first, and removes unfinished ones.
func (c *cache) load() error {
	files, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("list cache: %w", err)
	}
	type found struct {
		name string
		size int64
		used time.Time
	}
	var copies []found
	for _, file := range files {
		info, err := file.Info()
		if errors.Is(err, fs.ErrNotExist) || file.IsDir() || file.Name() == ".lock" {
			continue
		}
		if err != nil {
			return fmt.Errorf("read cache: %w", err)
		}
		if filepath.Ext(file.Name()) == partSuffix {
			if err := os.Remove(filepath.Join(c.dir, file.Name())); err != nil {
				return fmt.Errorf("clean cache: %w", err)
			}
			continue
		}
		copies = append(copies, found{file.Name(), info.Size(), info.ModTime()})
	}
	sort.Slice(copies, func(i, j int) bool { return copies[i].used.Before(copies[j].used) })
	done := make(chan struct{})
	close(done)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range copies {
		e := &entry{name: f.name, bytes: f.size, ready: done, cancel: func() {}}
		e.idle = c.idle.PushBack(e)
		c.entries[f.name] = e
		c.used += f.size
	}
	c.shrink()
	return nil
}

// fileName keeps the extension out: nothing looks at it.
func fileName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// get pins the copy of key, fetching it unless somebody has or is.
func (c *cache) get(ctx context.Context, key string, fetch fetchFunc) (string, func(), error) {
	path, unpin, err := c.pinned(ctx, key, fetch)
	if err != nil {
		return "", nil, err
	}
	if _, err := os.Stat(path); err == nil {
		return path, unpin, nil
	}
	// Somebody cleaned the directory.
	c.forget(key)
	unpin()
	return c.pinned(ctx, key, fetch)
}

func (c *cache) pinned(ctx context.Context, key string, fetch fetchFunc) (string, func(), error) {
	name := fileName(key)
	c.mu.Lock()
	e := c.entries[name]
	if e == nil {
		// The fetch belongs to all who wait for it, not to the first.
		fetchCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		e = &entry{name: name, ready: make(chan struct{}), cancel: cancel}
		c.entries[name] = e
		go c.run(fetchCtx, e, key, fetch)
	}
	c.pin(e)
	c.mu.Unlock()

	select {
	case <-e.ready:
	case <-ctx.Done():
		c.unpin(e)
		return "", nil, fmt.Errorf("fetch %s: %w", key, ctx.Err())
	}
	if e.err != nil {
		c.unpin(e)
		return "", nil, e.err
	}
	return filepath.Join(c.dir, name), func() { c.unpin(e) }, nil
}

func (c *cache) run(ctx context.Context, e *entry, key string, fetch fetchFunc) {
	path := filepath.Join(c.dir, e.name)
	part := path + "-" + strconv.FormatInt(time.Now().UnixNano(), 36) + partSuffix
	err := fetch(ctx, key, func(bytes int64) {
		c.mu.Lock()
		defer c.mu.Unlock()
		e.bytes = bytes
		c.used += bytes
		c.shrink()
	}, part)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && !e.dropped {
		// Under the lock, so that an entry and its file agree at all times.
		err = os.Rename(part, path)
	}
	if err != nil || e.dropped {
		_ = os.Remove(part)
		if err == nil {
			err = ErrNotFound.Wrap(fmt.Errorf("fetch %s: deleted meanwhile", key))
		}
		e.err = err
		c.remove(e, false)
	}
	e.cancel()
	close(e.ready)
}

// pin, shrink and remove are called with mu held.
func (c *cache) pin(e *entry) {
	if e.idle != nil {
		c.idle.Remove(e.idle)
		e.idle = nil
	}
	e.pins++
}

func (c *cache) unpin(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.pins--
	if e.pins > 0 || c.entries[e.name] != e {
		return
	}
	select {
	case <-e.ready:
	default:
		// Nobody waits any more: end the fetch. Whoever comes next starts anew.
		e.dropped = true
		delete(c.entries, e.name)
		e.cancel()
		return
	}
	if e.dropped {
		c.remove(e, true)
		return
	}
	e.idle = c.idle.PushBack(e)
	now := time.Now()
	_ = os.Chtimes(filepath.Join(c.dir, e.name), now, now) // order of use for the next start; losing it costs a fetch
	c.shrink()
}

// forget drops the copy of an object that was deleted.
func (c *cache) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[fileName(key)]
	switch {
	case e == nil:
	case e.pins > 0:
		e.dropped = true
	default:
		c.remove(e, true)
	}
}

func (c *cache) shrink() {
	for c.used > c.limit && c.idle.Len() > 0 {
		c.remove(c.idle.Front().Value.(*entry), true)
	}
}

func (c *cache) remove(e *entry, file bool) {
	if e.idle != nil {
		c.idle.Remove(e.idle)
		e.idle = nil
	}
	if c.entries[e.name] == e {
		delete(c.entries, e.name)
	}
	c.used -= e.bytes
	if file {
		_ = os.Remove(filepath.Join(c.dir, e.name)) // a copy that stays is adopted at the next start
	}
}

package warehouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"sort"
	"sync"
	"time"
)

// keptFiles are files made from segments so that answers take less reading: hot
// copies and summaries. They are a cache beside the segments, built behind the
// back of whoever asked, dropped when they take too much room, and never the
// truth: an answer from them is exact or it is not given.
type keptFiles struct {
	maxBytes int64
	minRows  int64 // smaller segments are read as they are
	// slow pages and groups, which took longer, have files made.
	slowPage, slowGroups time.Duration
	// share is how many rows of a segment a row of its summary must stand for.
	share int64

	mu    sync.Mutex
	byKey map[string]*keptFile
	asked map[string]int
	bytes int64
	clock int64
	queue chan keptJob
	open  int // jobs queued or being done
}

// keptFile is one of them. One without a path says that making it was of no use.
type keptFile struct {
	path  string
	rows  int64
	bytes int64
	bound value // of a hot copy: every row of the segment up to it is there
	used  int64
	at    time.Time // when it was of use the last time
}

// keptJob makes a file. Its key names segment and content: segments never
// change, so no file is ever stale.
type keptJob struct {
	key    string
	tenant string
	write  func(ctx context.Context, conn *connection, path string) (keptFile, error)
}

const (
	keptQueue = 64
	keptMost  = 20_000 // files
	// keptAge is how long a file stays that nobody asks for: so what was made of
	// data that is deleted goes soon after it.
	keptAge = 24 * time.Hour
)

func newKeptFiles(maxBytes int64) *keptFiles {
	return &keptFiles{maxBytes: maxBytes, minRows: 250_000, slowPage: 8 * time.Millisecond, slowGroups: 12 * time.Millisecond, share: 8,
		byKey: map[string]*keptFile{}, asked: map[string]int{}, queue: make(chan keptJob, keptQueue)}
}

func keptKey(parts ...any) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q", parts)))
	return hex.EncodeToString(sum[:16])
}

// want notes that a file would have helped; the times-th time it is made.
func (k *keptFiles) want(job keptJob, times int) {
	if k.maxBytes <= 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.asked) > 10_000 {
		k.asked = map[string]int{} // only a hint is lost
	}
	if k.byKey[job.key] != nil {
		return
	}
	if k.asked[job.key]++; k.asked[job.key] != times {
		return
	}
	select {
	case k.queue <- job:
		k.open++
	default:
		k.asked[job.key] = 0 // too much to do: ask again
	}
}

// find gives the files of all keys, or ok false where one is missing.
func (k *keptFiles) find(keys []string) (files []keptFile, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range keys {
		f := k.byKey[key]
		if f == nil {
			return nil, false
		}
		k.clock++
		f.used, f.at = k.clock, time.Now()
		if f.path == "" {
			return nil, false
		}
		files = append(files, *f)
	}
	return files, true
}

// lost forgets files that were removed under a query, which then reads the
// segments; any other error stays.
func (k *keptFiles) lost(keys []string, err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	gone := false
	for _, key := range keys {
		f := k.byKey[key]
		if f == nil {
			gone = true
			continue
		}
		if _, statErr := os.Stat(f.path); statErr != nil {
			k.forget(key)
			gone = true
		}
	}
	if gone {
		return nil
	}
	return err
}

func (k *keptFiles) forget(key string) {
	f := k.byKey[key]
	if f == nil {
		return
	}
	k.bytes -= f.bytes
	delete(k.byKey, key)
	if f.path != "" {
		_ = os.Remove(f.path) // what is left over goes with the engine's directory
	}
}

// add keeps a file and drops the least recently used ones beyond the budget. A
// query that reads a dropped file falls back to the segments.
func (k *keptFiles) add(key string, f keptFile) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget(key)
	k.clock++
	f.used, f.at = k.clock, time.Now()
	k.byKey[key] = &f
	k.bytes += f.bytes
	if k.bytes <= k.maxBytes && len(k.byKey) <= keptMost {
		return
	}
	keys := make([]string, 0, len(k.byKey))
	for key := range k.byKey {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(i, j int) bool { return k.byKey[keys[i]].used < k.byKey[keys[j]].used })
	for _, key := range keys {
		// A little more goes than must, so that this is not done for each file.
		if k.bytes <= k.maxBytes && len(k.byKey) <= keptMost*9/10 {
			return
		}
		k.forget(key)
	}
}

// expire forgets the files that nobody asked for since a moment.
func (k *keptFiles) expire(since time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, f := range k.byKey {
		if f.at.Before(since) {
			k.forget(key)
		}
	}
}

// makeKept works off the queue until the engine closes.
func (e *Engine) makeKept() {
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	for {
		select {
		case <-e.closing.Done():
			return
		case <-hourly.C:
			e.kept.expire(time.Now().Add(-keptAge))
		case job := <-e.kept.queue:
			if err := e.makeOne(job); err != nil {
				// Whoever asks next waits longer then, and asks again.
				e.metrics.keptFailed.Inc()
			}
			e.kept.mu.Lock()
			delete(e.kept.asked, job.key)
			e.kept.open--
			e.kept.mu.Unlock()
		}
	}
}

func (e *Engine) makeOne(job keptJob) error {
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
	path := e.work.Join("kept/" + job.key + ".parquet")
	f, err := job.write(ctx, conn, path)
	if err != nil {
		_ = os.Remove(path)
		return err
	}
	if f.path != "" {
		info, err := os.Stat(f.path)
		if err != nil {
			return fmt.Errorf("read kept file: %w", err)
		}
		f.bytes = info.Size()
	}
	e.kept.add(job.key, f)
	return nil
}

package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// copies counts the finished copies on disk.
func copies(t *testing.T, c *cache) int {
	t.Helper()
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			n++
		}
	}
	return n
}

func local(t *testing.T, s *Store, key string) (string, func()) {
	t.Helper()
	path, release, err := s.Local(t.Context(), key)
	if err != nil {
		t.Fatalf("local %s: %v", key, err)
	}
	return path, release
}

func TestCopyIsFetchedOnce(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := server.open(t)
	publish(t, s, "t/x", "content")
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			path, release, err := s.Local(t.Context(), "t/x")
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			if text, err := os.ReadFile(path); string(text) != "content" || err != nil {
				t.Errorf("got %q, %v", text, err)
			}
		})
	}
	group.Wait()
	_, release := local(t, s, "t/x")
	release()
	if n := server.readsOf("t/x"); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

func TestCacheDropsWhatIsUnusedForLongest(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := server.openWith(t, 250)
	hundred := strings.Repeat("x", 100)
	for _, key := range []string{"a", "b", "c", "d"} {
		publish(t, s, key, hundred)
	}
	touch := func(key string) string {
		path, release := local(t, s, key)
		release()
		return path
	}
	a := touch("a")
	touch("b")
	touch("a") // now b is unused for longest
	touch("c")
	if n := copies(t, s.cache); n != 2 {
		t.Errorf("%d copies are kept, want 2", n)
	}
	if _, err := os.Stat(a); err != nil {
		t.Errorf("a was used last, and dropped: %v", err)
	}
	touch("b")
	if n := server.readsOf("b"); n != 2 {
		t.Errorf("b was fetched %d times, want 2", n)
	}
	// What is in use stays, even over the limit; its place is given back after.
	path, releaseA := local(t, s, "a")
	_, releaseC := local(t, s, "c")
	_, releaseD := local(t, s, "d")
	if _, err := os.Stat(path); err != nil || copies(t, s.cache) != 3 {
		t.Errorf("a copy in use was dropped: %v", err)
	}
	releaseA()
	releaseC()
	releaseD()
	if n := copies(t, s.cache); n != 2 {
		t.Errorf("%d copies are kept, want 2", n)
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	if s.cache.used != 200 {
		t.Errorf("the cache counts %d bytes, want 200", s.cache.used)
	}
}

func TestCacheSurvivesRestart(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	dir := t.TempDir()
	open := func(limit int64) *Store {
		s, err := Open(t.Context(), Options{
			URL:      "s3://bucket?region=us-east-1&use_path_style=true&response_checksum_validation=when_required&endpoint=" + server.URL,
			CacheDir: dir, CacheBytes: limit,
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open(1000)
	publish(t, s, "t/x", "content")
	_, release := local(t, s, "t/x")
	release()
	beside := open(1000) // another process at the same time has its own copies
	if beside.cache.dir == s.cache.dir {
		t.Error("two processes share a cache directory")
	}
	closeStore(t, beside)
	half := filepath.Join(s.cache.dir, "half"+partSuffix)
	if err := os.WriteFile(half, []byte("ha"), 0o600); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)

	s = open(1000)
	path, release := local(t, s, "t/x")
	if text, err := os.ReadFile(path); string(text) != "content" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	release()
	if n := server.readsOf("t/x"); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a copy is still there: %v", err)
	}
	closeStore(t, s)

	s = open(3) // a smaller limit holds for old copies too
	if n := copies(t, s.cache); n != 0 {
		t.Errorf("%d copies are kept", n)
	}
	closeStore(t, s)
}

func TestCleanedCacheIsFilledAgain(t *testing.T) {
	t.Parallel()
	s := openS3(t)
	publish(t, s, "t/x", "content")
	path, release := local(t, s, "t/x")
	release()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	path, release = local(t, s, "t/x")
	defer release()
	if text, err := os.ReadFile(path); string(text) != "content" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

// TestImpatientFirst has the one who caused a fetch give up: the others still
// get the copy.
func TestImpatientFirst(t *testing.T) {
	t.Parallel()
	c, err := openCache(t.TempDir(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.close() }()
	begun, proceed := make(chan struct{}), make(chan struct{})
	fetch := func(ctx context.Context, _ string, reserve func(int64), path string) error {
		reserve(4)
		close(begun)
		select {
		case <-proceed:
		case <-ctx.Done():
			return ctx.Err()
		}
		return os.WriteFile(path, []byte("text"), 0o600)
	}
	never := func(context.Context, string, func(int64), string) error { return errors.New("fetched a second time") }

	impatient, giveUp := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, _, err := c.get(impatient, "k", fetch)
		first <- err
	}()
	<-begun
	second := make(chan error, 1)
	joined := make(chan struct{})
	go func() {
		c.mu.Lock()
		e := c.entries[fileName("k")]
		c.pin(e) // joined for sure before the first gives up
		c.mu.Unlock()
		close(joined)
		path, release, err := c.get(t.Context(), "k", never)
		if err == nil {
			_, err = os.Stat(path)
			release()
		}
		c.unpin(e)
		second <- err
	}()
	<-joined
	giveUp()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the impatient got %v", err)
	}
	close(proceed)
	if err := <-second; err != nil {
		t.Errorf("the patient got %v", err)
	}
}

func TestAbandonedFetchEnds(t *testing.T) {
	t.Parallel()
	c, err := openCache(t.TempDir(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.close() }()
	begun, ended := make(chan struct{}), make(chan struct{})
	ctx, giveUp := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, _, err := c.get(ctx, "k", func(ctx context.Context, _ string, reserve func(int64), path string) error {
			defer close(ended)
			reserve(4)
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		})
		got <- err
	}()
	<-begun
	giveUp()
	<-ended
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// The next one starts anew.
	path, release, err := c.get(t.Context(), "k", func(_ context.Context, _ string, reserve func(int64), path string) error {
		reserve(3)
		return os.WriteFile(path, []byte("new"), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if text, err := os.ReadFile(path); string(text) != "new" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestDeletedWhileInUse(t *testing.T) {
	t.Parallel()
	s := openS3(t)
	publish(t, s, "t/x", "content")
	path, release := local(t, s, "t/x")
	if err := s.Delete(t.Context(), "t/x"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); string(text) != "content" || err != nil {
		t.Errorf("a copy in use is gone: %q, %v", text, err)
	}
	release()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy of a deleted object stays: %v", err)
	}
}

func TestCacheUnderLoad(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := server.openWith(t, 300)
	for i := range 10 {
		publish(t, s, fmt.Sprintf("t/%d", i), strings.Repeat(fmt.Sprint(i), 100))
	}
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for round := range 40 {
				i := (worker*7 + round*3) % 10
				path, release, err := s.Local(t.Context(), fmt.Sprintf("t/%d", i))
				if err != nil {
					t.Error(err)
					return
				}
				if text, err := os.ReadFile(path); string(text) != strings.Repeat(fmt.Sprint(i), 100) || err != nil {
					t.Errorf("object %d: got %.20q, %v", i, text, err)
				}
				release()
			}
		})
	}
	group.Wait()
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	if s.cache.used > 300 || s.cache.used != int64(100*len(s.cache.entries)) || s.cache.idle.Len() != len(s.cache.entries) {
		t.Errorf("%d bytes in %d copies, %d of them idle", s.cache.used, len(s.cache.entries), s.cache.idle.Len())
	}
}

package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"
)

func openFile(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: "file://" + t.TempDir() + "/storage"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// eachStore runs a test against a directory, an S3 server and the object store
// in memory.
func eachStore(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		test(t, openFile(t))
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		test(t, openS3(t))
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		s, err := openRemote(memblob.OpenBucket(nil), "mem", Options{CacheDir: t.TempDir(), CacheBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeStore(t, s) })
		test(t, s)
	})
}

func publish(t *testing.T, s *Store, key, text string) {
	t.Helper()
	if n, err := s.Publish(t.Context(), key, strings.NewReader(text)); err != nil || n != int64(len(text)) {
		t.Fatalf("publish %s: %d, %v", key, n, err)
	}
}

func content(t *testing.T, s *Store, key string) string {
	t.Helper()
	r, err := s.Read(t.Context(), key)
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	text, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return string(text)
}

func TestStore(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if err := s.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		publish(t, s, "t1/d/1.parquet", "one")
		publish(t, s, "t1/d/2.parquet", "second")
		publish(t, s, "t2/3.parquet", "three")
		if got := content(t, s, "t1/d/2.parquet"); got != "second" {
			t.Errorf("got %q", got)
		}
		r, err := s.ReadRange(ctx, "t1/d/2.parquet", 3, 2)
		if err != nil {
			t.Fatal(err)
		}
		if part, err := io.ReadAll(r); string(part) != "on" || err != nil || r.Close() != nil {
			t.Errorf("range: got %q, %v", part, err)
		}
		about, err := s.Attributes(ctx, "t1/d/2.parquet")
		if err != nil || about.Bytes != 6 || time.Since(about.Modified) > time.Hour {
			t.Errorf("attributes: %+v, %v", about, err)
		}
		list := func(prefix string) []string {
			t.Helper()
			var keys []string
			for o, err := range s.List(ctx, prefix) {
				if err != nil {
					t.Fatal(err)
				}
				keys = append(keys, fmt.Sprintf("%s:%d", o.Key, o.Bytes))
			}
			return keys
		}
		if got := list("t1/"); !slices.Equal(got, []string{"t1/d/1.parquet:3", "t1/d/2.parquet:6"}) {
			t.Errorf("list: %v", got)
		}
		if got := list(""); len(got) != 3 {
			t.Errorf("list of all: %v", got)
		}

		_, err = s.Publish(ctx, "t1/d/1.parquet", strings.NewReader("other"))
		if !errors.Is(err, ErrExists) {
			t.Errorf("second write: %v", err)
		}
		if got := content(t, s, "t1/d/1.parquet"); got != "one" {
			t.Errorf("the first content is gone: %q", got)
		}

		path, release, err := s.Local(ctx, "t1/d/1.parquet")
		if err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(path); string(text) != "one" || err != nil {
			t.Errorf("local file: %q, %v", text, err)
		}
		release()
		release() // a second call does nothing

		for range 2 { // deleting twice is no error
			if err := s.Delete(ctx, "t1/d/1.parquet"); err != nil {
				t.Error(err)
			}
		}
		if _, err := s.Read(ctx, "t1/d/1.parquet"); !errors.Is(err, ErrNotFound) {
			t.Errorf("read of a deleted object: %v", err)
		}
		if _, err := s.Attributes(ctx, "t1/d/1.parquet"); !errors.Is(err, ErrNotFound) {
			t.Errorf("attributes of a deleted object: %v", err)
		}
		if _, _, err := s.Local(ctx, "t1/d/1.parquet"); !errors.Is(err, ErrNotFound) {
			t.Errorf("local file of a deleted object: %v", err)
		}
	})
}

func TestPublishFile(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *Store) {
		stage, err := s.Stage()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = stage.Remove() }()
		for _, dir := range []string{stage.Path(), t.TempDir()} {
			path := filepath.Join(dir, "work.parquet")
			if err := os.WriteFile(path, []byte("made elsewhere"), 0o600); err != nil {
				t.Fatal(err)
			}
			key := "t/" + filepath.Base(dir)
			if err := s.PublishFile(t.Context(), key, path); err != nil {
				t.Fatal(err)
			}
			if got := content(t, s, key); got != "made elsewhere" {
				t.Errorf("got %q", got)
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the finished file is still there: %v", err)
			}
			if err := os.WriteFile(path, []byte("again"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := s.PublishFile(t.Context(), key, path); !errors.Is(err, ErrExists) {
				t.Errorf("second write: %v", err)
			}
		}
		for o, err := range s.List(t.Context(), "") {
			if err != nil || !strings.HasPrefix(o.Key, "t/") {
				t.Errorf("unfinished file is listed: %s, %v", o.Key, err)
			}
		}
	})
}

// failingReader fails after some bytes.
type failingReader struct{ left int }

var errBroken = errors.New("broken")

func (r *failingReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, errBroken
	}
	n := min(len(p), r.left)
	r.left -= n
	return n, nil
}

func TestFailedPublishLeavesNothing(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *Store) {
		if _, err := s.Publish(t.Context(), "t/x", &failingReader{left: 100_000}); !errors.Is(err, errBroken) {
			t.Errorf("got %v", err)
		}
		if _, err := s.Read(t.Context(), "t/x"); !errors.Is(err, ErrNotFound) {
			t.Errorf("half an object is there: %v", err)
		}
		if left, err := os.ReadDir(s.stage); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		publish(t, s, "t/x", "whole") // the key is still free
	})
}

func TestCancelledPublish(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *Store) {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		go func() {
			_, _ = w.Write(bytes.Repeat([]byte("x"), 10_000)) // the reader may be gone already
			cancel()
			_ = w.CloseWithError(context.Canceled)
		}()
		if _, err := s.Publish(ctx, "t/x", r); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, err := s.Read(t.Context(), "t/x"); !errors.Is(err, ErrNotFound) {
			t.Errorf("half an object is there: %v", err)
		}
	})
}

func TestConcurrentPublishOfOneKey(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *Store) {
		var group sync.WaitGroup
		results := make([]error, 8)
		for i := range results {
			group.Go(func() {
				_, results[i] = s.Publish(t.Context(), "a/b/c/once", strings.NewReader(fmt.Sprint(i)))
			})
		}
		group.Wait()
		winner := -1
		for i, err := range results {
			switch {
			case err == nil && winner < 0:
				winner = i
			case err == nil:
				t.Errorf("both %d and %d were published", winner, i)
			case !errors.Is(err, ErrExists):
				t.Errorf("%d: %v", i, err)
			}
		}
		if got := content(t, s, "a/b/c/once"); got != fmt.Sprint(winner) {
			t.Errorf("got %q, want %d", got, winner)
		}
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	outside := filepath.Join(s.dir, "..", "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "/", "/abs", "a//b", "a/", "../secret", "a/../../secret", "./a", ".dataflow-storage", ".stage/x", "a/.b", "a b", "a\x00b", "ä", strings.Repeat("x", 1000)} {
		if _, err := s.Publish(t.Context(), key, strings.NewReader("x")); err == nil {
			t.Errorf("%q was written", key)
		}
		if _, err := s.Read(t.Context(), key); err == nil {
			t.Errorf("%q was read", key)
		}
		if _, _, err := s.Local(t.Context(), key); err == nil {
			t.Errorf("%q was opened", key)
		}
		if err := s.Delete(t.Context(), key); err == nil {
			t.Errorf("%q was deleted", key)
		}
		if _, err := s.SignedURL(t.Context(), key, time.Hour); err == nil {
			t.Errorf("%q was signed", key)
		}
	}
	publish(t, s, "t/0198c2/ds-1/seg_000.parquet", "x")
}

func TestFileModes(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	publish(t, s, "a/b", "x")
	for path, want := range map[string]fs.FileMode{"": 0o700, "a": 0o700, "a/b": 0o600} {
		if info, err := os.Stat(filepath.Join(s.dir, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%q has mode %v, %v", path, info.Mode(), err)
		}
	}
}

// What a killed process was writing goes with the next start; what another
// process writes stays.
func TestStagesOfKilledProcessesAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() *Store {
		t.Helper()
		s, err := Open(t.Context(), Options{URL: "file://" + dir})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeStore(t, s) })
		return s
	}
	alive, err := open().Stage()
	if err != nil {
		t.Fatal(err)
	}
	killed := alive.Path() + "x" // its lock is nobody's
	if err := os.CopyFS(killed, os.DirFS(alive.Path())); err != nil {
		t.Fatal(err)
	}
	open()
	if _, err := os.Stat(killed); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a killed process left is still there: %v", err)
	}
	if _, err := os.Stat(alive.Path()); err != nil {
		t.Errorf("what another process uses is gone: %v", err)
	}
	if err := alive.Remove(); err != nil {
		t.Error(err)
	}
}

func TestSweepStage(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	old, err := s.Stage()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old.Join("half"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	busy, err := s.Stage()
	if err != nil {
		t.Fatal(err)
	}
	growing := busy.Join("growing")
	if err := os.WriteFile(growing, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-48 * time.Hour)
	for _, path := range []string{old.Join("half"), old.Join("lock"), old.Path(), busy.Path(), busy.Join("lock")} {
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SweepStage(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an abandoned directory is still there: %v", err)
	}
	if _, err := os.Stat(growing); err != nil {
		t.Errorf("a directory in use is gone: %v", err)
	}
}

func TestSignedURL(t *testing.T) {
	t.Parallel()
	plain := openFile(t)
	if _, err := plain.SignedURL(t.Context(), "t/x", time.Hour); !errors.Is(err, ErrNoSignedURL) {
		t.Errorf("got %v", err)
	}
	signing, err := Open(t.Context(), Options{URL: "file://" + t.TempDir(), SignFile: func(_ context.Context, key string, expires time.Duration) (string, error) {
		return "/files/" + key + "?" + expires.String(), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, signing) })
	if got, err := signing.SignedURL(t.Context(), "t/x", time.Hour); got != "/files/t/x?1h0m0s" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	remote := openS3(t)
	publish(t, remote, "t/x", "over a link")
	link, err := remote.SignedURL(t.Context(), "t/x", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if text, err := io.ReadAll(response.Body); string(text) != "over a link" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "/srv/data", "file://", "file:///", "file://relative/dir", "ftp://host/x", "s3://", "file:///proc/none/x", "%zz"} {
		if s, err := Open(t.Context(), Options{URL: address, CacheDir: t.TempDir()}); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: got %v, %v", address, s, err)
		}
	}
	if _, err := Open(t.Context(), Options{URL: "s3://bucket?region=eu-west-1"}); !errors.Is(err, ErrAddress) {
		t.Errorf("remote storage without a cache directory: %v", err)
	}
}

func TestMarker(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := openFile(t)
	if err := s.CheckMarker("one"); !errors.Is(err, ErrMarker) {
		t.Errorf("an unmarked directory is taken: %v", err)
	}
	if err := s.EnsureMarker(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	publish(t, s, "t/x", "x")
	for range 2 {
		if err := errors.Join(s.EnsureMarker(ctx, "one"), s.CheckMarker("one")); err != nil {
			t.Errorf("own mark is refused: %v", err)
		}
	}
	for _, err := range []error{s.EnsureMarker(ctx, "two"), s.CheckMarker("two")} {
		if !errors.Is(err, ErrMarker) {
			t.Errorf("another installation's directory is taken: %v", err)
		}
	}
	unmarked := openFile(t)
	publish(t, unmarked, "t/x", "x")
	if err := unmarked.EnsureMarker(ctx, "one"); !errors.Is(err, ErrMarker) {
		t.Errorf("a directory with unknown files is taken: %v", err)
	}
	remote := openS3(t)
	if err := errors.Join(remote.EnsureMarker(ctx, "one"), remote.CheckMarker("two")); err != nil {
		t.Errorf("a bucket needs no mark: %v", err)
	}
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a vanished directory answers: %v", err)
	}
	server := newS3Server(t)
	remote := server.open(t)
	server.down.Store(true)
	if err := remote.Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a server that is down answers: %v", err)
	}
	if _, err := remote.Read(t.Context(), "t/x"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a server that is down has objects: %v", err)
	}
}

// A folder of a customer's own: the same driver and signing, other keys.
func TestAFileIsPutIntoAFolder(t *testing.T) {
	t.Parallel()
	s := newS3Server(t)
	f := Folder{Endpoint: s.URL, Region: "us-east-1", Bucket: "bucket", Prefix: "/reports/daily/", AccessKey: "theirs", SecretKey: "secret", HTTP: s.Client()}
	for _, text := range []string{"first", strings.Repeat("second", 2_000_000)} {
		if err := f.Put(t.Context(), "Sales 2026.csv", "text/csv", strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		got := string(s.objects["reports/daily/Sales 2026.csv"])
		s.mu.Unlock()
		if got != text {
			t.Errorf("%d bytes of %d", len(got), len(text))
		}
	}
	s.down.Store(true)
	if err := f.Put(t.Context(), "x.csv", "text/csv", strings.NewReader("x")); !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrFolder) {
		t.Errorf("%v", err)
	}
}

package https

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

func openStorage(t *testing.T, dir string) *storage {
	t.Helper()
	return newStorage(openObjects(t, dir), newBox(t), slog.New(slog.DiscardHandler))
}

func TestValues(t *testing.T) {
	t.Parallel()
	s, ctx := openStorage(t, t.TempDir()), t.Context()
	if _, err := s.Load(ctx, "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing yet: %v", err)
	}
	if keys, err := s.List(ctx, "", true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing yet: %v, %v", keys, err)
	}
	long := "certificates/" + strings.Repeat("d", 90) + "/" + strings.Repeat(strings.Repeat("h", 59)+".", 4) + "x/" + strings.Repeat(strings.Repeat("h", 59)+".", 4) + "x.json"
	for _, key := range []string{"a/b", "a/b/c", "a/b/d/e", "a/bb", "acme/x@y.z/.hidden", "wildcard_.x", "ü=/=", long} {
		for _, value := range []string{"first", "second", ""} {
			if err := s.Store(ctx, key, []byte(value)); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Load(ctx, key); err != nil || string(got) != value {
				t.Errorf("%s: got %q, %v, want %q", key, got, err, value)
			}
		}
	}
	for prefix, want := range map[string][2][]string{
		"a/b":  {{"a/b/c", "a/b/d"}, {"a/b/c", "a/b/d/e"}},
		"a":    {{"a/b", "a/bb"}, {"a/b", "a/b/c", "a/b/d/e", "a/bb"}},
		"acme": {{"acme/x@y.z"}, {"acme/x@y.z/.hidden"}},
	} {
		for i, recursive := range []bool{false, true} {
			if keys, err := s.List(ctx, prefix, recursive); err != nil || !slices.Equal(keys, want[i]) {
				t.Errorf("list %s (%t): got %v, %v, want %v", prefix, recursive, keys, err, want[i])
			}
		}
	}
	if about, err := s.Stat(ctx, "a/b/c"); err != nil || !about.IsTerminal || about.Size != 0 || time.Since(about.Modified) > time.Hour {
		t.Errorf("%+v, %v", about, err)
	}
	if about, err := s.Stat(ctx, "a/b/d"); err != nil || about.IsTerminal {
		t.Errorf("%+v, %v", about, err)
	}
	if !s.Exists(ctx, "a/b/d") || !s.Exists(ctx, "a/bb") || s.Exists(ctx, "a/bbb") || s.Exists(ctx, "b") {
		t.Error("what exists is not told from what doesn't")
	}
	for range 2 { // deleting twice is no error
		if err := s.Delete(ctx, "a/b"); err != nil {
			t.Error(err)
		}
	}
	if keys, err := s.List(ctx, "a", true); err != nil || !slices.Equal(keys, []string{"a/bb"}) {
		t.Errorf("after deleting: %v, %v", keys, err)
	}
}

func TestWritersAtOnce(t *testing.T) {
	t.Parallel()
	dir, ctx, box := t.TempDir(), t.Context(), newBox(t)
	var processes []*storage
	for range 4 {
		s := openStorage(t, dir)
		s.box = box
		processes = append(processes, s)
	}
	var wait sync.WaitGroup
	for i, s := range processes {
		wait.Go(func() {
			for n := range 20 {
				if err := s.Store(ctx, "k", fmt.Appendf(nil, "%d-%d", i, n)); err != nil {
					t.Error(err)
				}
				if value, err := s.Load(ctx, "k"); err != nil || !bytes.Contains(value, []byte("-")) {
					t.Errorf("%q, %v", value, err)
				}
			}
		})
	}
	wait.Wait()
	if numbers, err := processes[0].values.numbers(ctx, place("k")); err != nil || len(numbers) != 1 {
		t.Errorf("states left over: %v, %v", numbers, err)
	}
}

func TestOnlyOneHoldsALock(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	var wait sync.WaitGroup
	var mu sync.Mutex
	for range 4 {
		s := openStorage(t, dir)
		wait.Go(func() {
			for range 10 {
				if err := s.Lock(ctx, "x"); err != nil {
					t.Error(err)
					return
				}
				if !mu.TryLock() {
					t.Error("two hold the lock")
				} else {
					mu.Unlock()
				}
				if err := s.Unlock(ctx, "x"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	s := openStorage(t, dir)
	if err := s.Unlock(ctx, "x"); err == nil {
		t.Error("a lock of nobody was let go of")
	}
}

func TestALockOutlivesItsLeaseWhileItsHolderLives(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	holder, other := openStorage(t, dir), openStorage(t, dir)
	holder.lease, other.lease = 3*time.Second, 3*time.Second
	if err := holder.Lock(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	patience, cancel := context.WithTimeout(ctx, holder.lease*3/2)
	defer cancel()
	if err := other.Lock(patience, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := holder.Unlock(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	if err := other.Lock(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	if err := other.Unlock(ctx, "x"); err != nil {
		t.Fatal(err)
	}
}

func TestWhoWasAsleepLosesTheLock(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), register{openObjects(t, t.TempDir())}
	for number, holder := range []string{"one", "two", "three"} {
		if won, err := r.write(ctx, "lock", uint64(number), []byte(holder)); !won || err != nil {
			t.Fatal(won, err)
		}
	}
	// The sleeper saw number 1; number 2 was deleted since.
	if won, err := r.write(ctx, "lock", 1, []byte("sleeper")); won || err != nil {
		t.Errorf("won %t, %v", won, err)
	}
	if now, err := r.read(ctx, "lock"); err != nil || string(now.body) != "three" || now.number != 3 {
		t.Errorf("got %+v, %v", now, err)
	}
}

// TestHolder is a process that holds a lock until it is killed. It is started
// by the test below, and nothing by itself.
func TestHolder(t *testing.T) {
	dir := os.Getenv("DATAFLOW__TEST_LOCK_DIR")
	if dir == "" {
		return
	}
	store, err := blob.Open(t.Context(), blob.Options{URL: "file://" + dir})
	if err != nil {
		t.Fatal(err)
	}
	box, err := secrets.NewBox(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	s := newStorage(objects{store}, box, slog.New(slog.DiscardHandler))
	if err := s.Lock(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	fmt.Println("locked")
	select {}
}

func TestALockOfAKilledProcessIsTakenOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder := exec.Command(os.Args[0], "-test.run=^TestHolder$", "-test.count=1")
	holder.Env = append(os.Environ(), "DATAFLOW__TEST_LOCK_DIR="+dir)
	output, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, len("locked"))
	if _, err := output.Read(said); err != nil || string(said) != "locked" {
		t.Fatalf("%q, %v", said, err)
	}
	s := openStorage(t, dir)
	s.lease = time.Second
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Lock(ended, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("while its holder lives: %v", err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // killed
	if err := s.Lock(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if err := s.Unlock(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
}

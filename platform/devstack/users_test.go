package devstack

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestServersLiveAsLongAsTheirUsers(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	if Initialized(dir) {
		t.Error("a new directory counts as initialized")
	}
	first := use(t, dir)
	mustQuery(t, first.AdminURL, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7); GRANT USAGE ON SCHEMA public TO dataflow_app; GRANT SELECT ON kept TO dataflow_app")
	second := use(t, dir)
	if first.DatabaseURL != second.DatabaseURL || first.supervisor.Load() != second.supervisor.Load() {
		t.Errorf("second user got other servers: %s and %s", first.DatabaseURL, second.DatabaseURL)
	}
	before := processes(t, first)
	release(t, first)
	if got := mustQuery(t, second.DatabaseURL, "SELECT n FROM kept"); got != "7" {
		t.Errorf("after the first user left: got %q", got)
	}
	if got := redisSay(second, "PING"); got != "+PONG" {
		t.Errorf("after the first user left: redis says %q", got)
	}
	release(t, second)
	// Release of the last answers when both servers have stopped, by the end of
	// the supervisor, whose process may be there for another moment.
	for name, pid := range map[string]int{"postgres": before.postgres, "redis": before.redis} {
		if pid == 0 || alive(pid) {
			t.Errorf("%s (%d) was not there or is still there", name, pid)
		}
	}
	eventually(t, "the supervisor ends", func() bool { return before.supervisor != 0 && !alive(before.supervisor) })
	if !Initialized(dir) {
		t.Error("the directory does not count as initialized")
	}
	third := use(t, dir)
	if got := mustQuery(t, third.DatabaseURL, "SELECT n FROM kept"); got != "7" {
		t.Errorf("after a restart: got %q", got)
	}
}

func TestManyUsersAtOnce(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	setup := use(t, dir)
	mustQuery(t, setup.AdminURL, "CREATE TABLE visits (who int)")
	release(t, setup)

	// Users come and go with nobody staying, so that starting, joining and
	// stopping happen in every order.
	const users, visits = 6, 4
	var group sync.WaitGroup
	for who := range users {
		group.Go(func() {
			for range visits {
				lease, err := Use(t.Context(), Options{DataDir: dir, Postgres: true})
				if err != nil {
					t.Errorf("user %d: %v", who, err)
					return
				}
				if _, err := query(t, lease.AdminURL, fmt.Sprintf("INSERT INTO visits VALUES (%d)", who)); err != nil {
					t.Errorf("user %d: %v", who, err)
				}
				release(t, lease)
			}
		})
	}
	group.Wait()
	check := use(t, dir)
	if got, want := mustQuery(t, check.AdminURL, "SELECT count(*) FROM visits"), strconv.Itoa(users*visits); got != want {
		t.Errorf("got %s visits, want %s", got, want)
	}
}

// startUser runs a user in a process of its own, as another account if asked,
// and waits until it has its lease.
func startUser(t *testing.T, dir string, as *syscall.Credential) (cmd *exec.Cmd, urls []string, stdin io.Closer) {
	t.Helper()
	// The test's own program lies where others may not go.
	program := filepath.Join(openDir(t), "user.test")
	copyFile(t, "/proc/self/exe", program)
	cmd = exec.Command(program, "user", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	cmd.Dir = "/"
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("user ended: %v", err)
	}
	if err := json.Unmarshal([]byte(line), &urls); err != nil {
		t.Fatalf("user says %s", line)
	}
	return cmd, urls, in
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOrdinaryUser runs as another account when the tests run as root, and as
// ourselves otherwise.
func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	var as *syscall.Credential
	if os.Geteuid() == 0 {
		account, err := serverAccount(dir)
		if err != nil {
			t.Fatal(err)
		}
		as = account.credential()
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, account.uid, account.gid); err != nil {
			t.Fatal(err)
		}
	}
	_, urls, in := startUser(t, dir, as)
	if got := mustQuery(t, urls[1], "SELECT current_user"); got != ownerRole {
		t.Errorf("got %q", got)
	}
	if os.Geteuid() == 0 {
		_, err := Use(t.Context(), Options{DataDir: dir, Postgres: true})
		if !errors.Is(err, ErrDataDir) || !strings.Contains(err.Error(), "belongs to user") {
			t.Errorf("root may use another user's directory: %v", err)
		}
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	waitUntilStopped(t, dir)
}

func TestCancelledUse(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Use(ctx, Options{DataDir: dir, Postgres: true, Progress: func(string) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	waitUntilStopped(t, dir)
	lease := use(t, dir)
	if got := mustQuery(t, lease.AdminURL, "SELECT 1"); got != "1" {
		t.Errorf("got %q", got)
	}
}

// Between the last release and the end somebody may come: then the one that
// left is not kept waiting until that one leaves.
func TestTheLastToLeaveIsNotTheLastAfterAll(t *testing.T) {
	t.Parallel()
	pair := func() (inside, outside *wire) {
		t.Helper()
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		var wires [2]*wire
		for i, fd := range fds {
			conn, err := fileConn(os.NewFile(uintptr(fd), "pair"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			wires[i] = newWire(conn)
		}
		return wires[0], wires[1]
	}
	s := &supervisor{log: slog.New(slog.DiscardHandler), leases: map[*lease]bool{}, changed: make(chan struct{}, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	inside, leaving := pair()
	s.join(ctx, inside)
	if err := leaving.send(request{Release: true}); err != nil {
		t.Fatal(err)
	}
	<-s.changed // nobody is left, and it is not decided yet to stop
	runtime.GC()
	inside, coming := pair()
	s.join(ctx, inside)
	if r, err := receive(ctx, leaving); err != nil || r.State != stateReleased {
		t.Errorf("the one that left hears %+v, %v", r, err)
	}
	if s.end(func() bool { return len(s.leases) == 0 }) {
		t.Error("it ends with a user there")
	}
	if err := coming.send(request{Release: true}); err != nil {
		t.Fatal(err)
	}
	if why := s.untilUnused(nil); why != "the last user left" {
		t.Errorf("it ends since %s", why)
	}
	// Now it is decided: who comes is sent on, who left waits for the end.
	inside, late := pair()
	s.join(ctx, inside)
	if _, err := receive(ctx, late); !errors.Is(err, errGone) {
		t.Errorf("who comes too late hears %v", err)
	}
	runtime.GC()
	runtime.GC()
	short, end := context.WithTimeout(ctx, 100*time.Millisecond)
	defer end()
	if r, err := receive(short, coming); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before everything has stopped, the last one hears %+v, %v", r, err)
	}
	runtime.KeepAlive(s)
}

// A user that gives up while it starts a supervisor leaves one that nobody can
// find yet, so that the next user starts another. Only one of them stays, and
// the other keeps nobody waiting.
func TestOfTwoSupervisorsOneStepsBack(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	first := use(t, dir)
	killed := first.supervisor.Load()
	both := func(when string, want ...string) {
		t.Helper()
		o := Options{DataDir: dir, Logger: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		var states []string
		var wires []*wire
		for range want {
			w, err := spawn(o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.conn.Close() }()
			wires = append(wires, w)
		}
		for _, w := range wires {
			r, err := receive(ctx, w)
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			states = append(states, r.State)
		}
		slices.Sort(states)
		if !slices.Equal(states, want) {
			t.Errorf("%s: the supervisors say %q, want %q", when, states, want)
		}
	}
	both("beside one that runs", stateTaken, stateTaken)
	lock, err := flock(filepath.Join(dir, spawnLockName)) // others start none meanwhile
	if lock == nil {
		t.Fatalf("lock: %v", err)
	}
	if err := syscall.Kill(int(killed), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the killed one is gone", func() bool { return syscall.Kill(int(killed), 0) != nil })
	both("at the same time", stateListening, stateTaken)
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first user has its servers again", func() bool {
		answer, err := query(t, first.AdminURL, "SELECT 1")
		return err == nil && answer == "1" && first.supervisor.Load() != killed
	})
	if pid := use(t, dir).supervisor.Load(); pid != first.supervisor.Load() {
		t.Errorf("another user has supervisor %d, the first %d", pid, first.supervisor.Load())
	}
}

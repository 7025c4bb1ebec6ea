package devstack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestEveryProcessMayBeKilled(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]fs.FileMode{"in an open directory": 0o755, "below a closed directory": 0o700} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			if err := os.Chmod(filepath.Dir(dir), mode); err != nil {
				t.Fatal(err)
			}
			killEach(t, dir)
		})
	}
}

func killEach(t *testing.T, dir string) {
	lease := use(t, dir)
	mustQuery(t, lease.AdminURL, "CREATE TABLE acknowledged (n int PRIMARY KEY)")
	said := 0
	// insert commits one more row, trying again while the servers are away.
	insert := func() {
		t.Helper()
		eventually(t, fmt.Sprintf("row %d is stored", said), func() bool {
			_, err := query(t, lease.AdminURL, fmt.Sprintf("INSERT INTO acknowledged VALUES (%d)", said))
			// The answer may have been lost after the row was stored.
			return err == nil || strings.Contains(err.Error(), "acknowledged_pkey")
		})
		said++
	}
	kill := func(name string, pid int) {
		t.Helper()
		if pid == 0 {
			t.Fatalf("%s does not run", name)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatalf("kill %s: %v", name, err)
		}
		eventually(t, name+" is gone", func() bool { return !alive(pid) })
	}
	backend := func() int {
		pid, err := strconv.Atoi(mustQuery(t, lease.AdminURL, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'"))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	for _, round := range []struct {
		name   string
		victim func() int
	}{
		{"PostgreSQL", func() int { return processes(t, lease).postgres }},
		{"a process of PostgreSQL", backend},
		{"Redis", func() int { return processes(t, lease).redis }},
		{"the supervisor", func() int { return processes(t, lease).supervisor }},
		{"the supervisor again", func() int { return processes(t, lease).supervisor }},
	} {
		insert()
		kill(round.name, round.victim())
		insert()
		eventually(t, "Redis answers after the end of "+round.name, func() bool { return redisSay(lease, "PING") == "+PONG" })
		if got, want := mustQuery(t, lease.AdminURL, "SELECT count(*) FROM acknowledged"), strconv.Itoa(said); got != want {
			t.Errorf("after the end of %s: %s rows, want %s", round.name, got, want)
		}
		eventually(t, "all run again after the end of "+round.name, func() bool {
			p := processes(t, lease)
			return p.postgres != 0 && p.redis != 0 && alive(p.supervisor)
		})
	}

	// All at once, and a pid file that names a process of somebody else.
	p := processes(t, lease)
	for _, pid := range []int{p.supervisor, p.postgres, p.redis} {
		// The servers end with their supervisor, and may be gone already.
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	eventually(t, "a new supervisor runs", func() bool { n := int(lease.supervisor.Load()); return n != p.supervisor && alive(n) })
	insert()
	if got, want := mustQuery(t, lease.AdminURL, "SELECT count(*) FROM acknowledged"), strconv.Itoa(said); got != want {
		t.Errorf("after the end of all: %s rows, want %s", got, want)
	}
}

func TestStalePidFile(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	lease := use(t, dir)
	release(t, lease)
	// The number in a stale file may belong to another process by now.
	pid := filepath.Join(dir, postgresDirName, "postmaster.pid")
	if err := os.WriteFile(pid, fmt.Appendf(nil, "%d\n%s\n0\n5432\n\n\n\nready\n", os.Getpid(), dir), 0o600); err != nil {
		t.Fatal(err)
	}
	if account, err := serverAccount(dir); err != nil {
		t.Fatal(err)
	} else if err := os.Chown(pid, account.uid, account.gid); err != nil {
		t.Fatal(err)
	}
	again := use(t, dir)
	if got := mustQuery(t, again.AdminURL, "SELECT 1"); got != "1" {
		t.Errorf("got %q", got)
	}
}

func TestServersStopWhenTheLastUserIsKilled(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	cmd, urls, _ := startUser(t, dir, nil)
	mustQuery(t, urls[1], "CREATE TABLE kept (n int)")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitUntilStopped(t, dir)
	lease := use(t, dir)
	mustQuery(t, lease.AdminURL, "SELECT n FROM kept")
}

func TestInterruptedCreationStartsOver(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	half := filepath.Join(dir, postgresDirName+".new")
	if err := os.MkdirAll(filepath.Join(half, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lease := use(t, dir)
	if got := mustQuery(t, lease.AdminURL, "SELECT 1"); got != "1" {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the unfinished cluster is still there: %v", err)
	}
}

func TestPostgresFailureSaysWhy(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	release(t, use(t, dir))
	conf := filepath.Join(dir, postgresDirName, "postgresql.conf")
	file, err := os.OpenFile(conf, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("max_connections = 'many'\n"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Use(t.Context(), Options{DataDir: dir, Postgres: true})
	if !errors.Is(err, ErrStart) || !strings.Contains(err.Error(), "contains errors") {
		t.Errorf("got %v", err)
	}
	waitUntilStopped(t, dir)
}

// TestInvisibleServer stands for a server in another container on the same
// directory: its processes can't be seen, its lock can.
func TestInvisibleServer(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	release(t, use(t, dir))
	held, err := flock(filepath.Join(dir, postgresLockName))
	if err != nil || held == nil {
		t.Fatalf("lock: %v", err)
	}
	waiting := make(chan struct{})
	said := sync.OnceFunc(func() { close(waiting) }) // it may say more than that it waits
	started := make(chan error, 1)
	go func() {
		lease, err := Use(t.Context(), Options{DataDir: dir, Postgres: true, Progress: func(string) { said() }})
		if err == nil {
			release(t, lease)
		}
		started <- err
	}()
	select {
	case <-waiting:
	case err := <-started:
		t.Fatalf("started beside another server: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil {
		t.Error(err)
	}
}

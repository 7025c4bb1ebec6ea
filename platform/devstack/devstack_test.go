package devstack

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "devstack":
			os.Exit(Main(os.Args[2:]))
		case "user":
			os.Exit(userMain(os.Args[2]))
		}
	}
	os.Exit(m.Run())
}

// userMain is a process that uses the servers until its input ends. It prints
// the lease as JSON.
func userMain(dataDir string) int {
	ctx := context.Background()
	lease, err := Use(ctx, Options{DataDir: dataDir, Postgres: true, Redis: true})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode([]string{lease.DatabaseURL, lease.AdminURL, lease.RedisURL}); err != nil {
		return 1
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return 1
	}
	if err := lease.Release(ctx); err != nil {
		return 1
	}
	return 0
}

// dataDir is a new directory. Whatever a test leaves behind in it is ended.
func dataDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(openDir(t), "data")
	t.Cleanup(func() {
		waitUntilStopped(t, dir)
		if t.Failed() {
			logs, _ := filepath.Glob(filepath.Join(dir, "logs", "*.log"))
			for _, log := range logs {
				text, _ := os.ReadFile(log)
				t.Logf("%s:\n%s", log, text)
			}
		}
	})
	return dir
}

// openDir is a temporary directory that every user can get to. That of the
// testing package is closed.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "devstack-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func use(t *testing.T, dir string) *Lease {
	t.Helper()
	lease, err := Use(t.Context(), Options{DataDir: dir, Postgres: true, Redis: true})
	if err != nil {
		t.Fatalf("use: %v", err)
	}
	t.Cleanup(func() { release(t, lease) })
	return lease
}

func release(t *testing.T, lease *Lease) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := lease.Release(ctx); err != nil {
		t.Errorf("release: %v", err)
	}
}

// eventually waits for what must become true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// query runs SQL through a client of its own and answers what it prints.
func query(t testing.TB, url, statement string) (string, error) {
	t.Helper()
	have := postgresInstallations(t.Context())
	if len(have) == 0 {
		t.Fatal("PostgreSQL is not installed")
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(have[0].bin, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func mustQuery(t testing.TB, url, statement string) string {
	t.Helper()
	out, err := query(t, url, statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return out
}

// redisSay sends one inline command and answers the first line of the reply.
func redisSay(lease *Lease, command string) string {
	conn, err := net.Dial("unix", strings.TrimPrefix(lease.RedisURL, "unix://"))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return err.Error()
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

// pids are the processes of a data directory: supervisor, postmaster, Redis.
type pids struct{ supervisor, postgres, redis int }

func processes(t *testing.T, lease *Lease) pids {
	t.Helper()
	p := pids{supervisor: int(lease.supervisor.Load())}
	for _, child := range children(p.supervisor) {
		switch name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", child)); strings.TrimSpace(string(name)) {
		case "postgres":
			p.postgres = child
		case "redis-server", "valkey-server":
			p.redis = child
		}
	}
	return p
}

func children(parent int) []int {
	var found []int
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "stat"))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) && fields[0] != "Z" {
			found = append(found, pid)
		}
	}
	return found
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// waitUntilStopped waits until no process holds the directory.
func waitUntilStopped(t *testing.T, dir string) {
	t.Helper()
	eventually(t, "servers of "+dir+" stop", func() bool {
		lock, err := flock(filepath.Join(dir, lockName))
		if err != nil {
			return errors.Is(err, fs.ErrNotExist)
		}
		if lock == nil {
			return false
		}
		_ = lock.Close()
		return true
	})
	remains, err := processesIn(filepath.Join(dir, postgresDirName))
	if err == nil && len(remains) > 0 {
		t.Errorf("processes are left in %s: %v", dir, remains)
	}
}

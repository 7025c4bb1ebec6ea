// Package dbtest gives each test a PostgreSQL database of its own, migrated and
// empty. One private server serves a test binary: on a Unix socket in a
// temporary directory, without fsync, ended with the binary.
package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/db"
)

var (
	start    sync.Once
	server   *cluster
	startErr error
	serial   atomic.Int64
)

type cluster struct{ socketDir string }

const templateName = "dataflow_template"

// New answers a pool, under the run-time role, on a fresh migrated database.
func New(t testing.TB) *db.DB {
	t.Helper()
	pool, err := db.Open(t.Context(), db.Config{URL: URL(t), MaxConns: 8})
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// URL makes a fresh migrated database and answers its URL for the owner, a
// superuser. It is dropped when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	c := running(t)
	name := fmt.Sprintf("test_%d", serial.Add(1))
	c.exec(t, "CREATE DATABASE "+name+" TEMPLATE "+templateName+" STRATEGY FILE_COPY")
	t.Cleanup(func() { c.exec(t, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return c.url(name)
}

// Empty makes a database without any migration and answers its URL for the owner.
func Empty(t testing.TB) string {
	t.Helper()
	c := running(t)
	name := fmt.Sprintf("test_%d", serial.Add(1))
	c.exec(t, "CREATE DATABASE "+name+" TEMPLATE template0")
	t.Cleanup(func() { c.exec(t, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return c.url(name)
}

func running(t testing.TB) *cluster {
	t.Helper()
	start.Do(func() { server, startErr = startCluster() })
	if startErr != nil {
		t.Fatalf("start PostgreSQL for tests: %v", startErr)
	}
	return server
}

func (c *cluster) url(database string) string {
	return fmt.Sprintf("postgres://postgres@/%s?host=%s", database, c.socketDir)
}

func (c *cluster) exec(t testing.TB, statement string) {
	t.Helper()
	if err := c.run(context.WithoutCancel(t.Context()), "postgres", statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func (c *cluster) run(ctx context.Context, database, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.url(database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func startCluster() (*cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	sweep()
	dir, err := os.MkdirTemp("/tmp", "dataflow-pg-")
	if err != nil {
		return nil, err
	}
	credential, err := unprivileged()
	if err != nil {
		return nil, err
	}
	if credential != nil {
		if err := os.Chown(dir, int(credential.Uid), int(credential.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	attributes := func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: credential, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir = attributes(), dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	postgres := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=200",
		"-c", "shared_buffers=64MB", "-c", "autovacuum=off")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	postgres.Stdout, postgres.Stderr, postgres.Dir = log, log, dir
	postgres.SysProcAttr = attributes()
	started := make(chan error, 1)
	go func() {
		// Pdeathsig follows the thread that started the child: keep it.
		runtime.LockOSThread()
		started <- postgres.Start()
		_ = postgres.Wait()
		os.RemoveAll(dir)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	c := &cluster{socketDir: dir}
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := c.run(context.Background(), "postgres", "CREATE DATABASE "+templateName)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("%w; its log: %s", err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if _, err := db.Migrate(context.Background(), c.url(templateName)); err != nil {
		return nil, err
	}
	return c, nil
}

// sweep removes what earlier test binaries left: a process that exits ends its
// server but can't wait to clean up after it.
func sweep() {
	dirs, _ := filepath.Glob("/tmp/dataflow-pg-*")
	for _, dir := range dirs {
		text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
		info, statErr := os.Stat(dir)
		if statErr != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		first, _, _ := strings.Cut(string(text), "\n")
		pid, numberErr := strconv.Atoi(first)
		if err == nil && numberErr == nil && syscall.Kill(pid, 0) == nil {
			continue
		}
		_ = os.RemoveAll(dir)
	}
}

// binaries finds the newest installed PostgreSQL.
func binaries() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		// A link may stand alone, without the programs beside it.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	sort.Slice(found, func(i, j int) bool { return version(found[i]) > version(found[j]) })
	if len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed: run make setup")
	}
	return filepath.Dir(found[0]), nil
}

// unprivileged is who the server runs as: PostgreSQL refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("neither user postgres nor nobody exists")
}

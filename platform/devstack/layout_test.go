package devstack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

func TestOnlyTheOwnerGetsIn(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	lease := use(t, dir)
	record, err := readRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{
		filepath.Join(record.RunDir, socketsName): fs.ModeDir | 0o700,
		filepath.Join(record.RunDir, controlName): fs.ModeSocket | 0o600,
		filepath.Join(dir, postgresDirName):       fs.ModeDir | 0o700,
		filepath.Join(dir, "logs"):                fs.ModeDir | 0o700,
		filepath.Join(dir, recordName):            0o600,
		dir:                                       fs.ModeDir | ownMode(),
		record.RunDir:                             fs.ModeDir | ownMode(),
	} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
	for setting, want := range map[string]string{"listen_addresses": "", "unix_socket_permissions": "0700", "fsync": "on", "synchronous_commit": "on", "data_checksums": "on", "server_encoding": "UTF8"} {
		if got := mustQuery(t, lease.AdminURL, "SHOW "+setting); got != want {
			t.Errorf("PostgreSQL has %s = %q, want %q", setting, got, want)
		}
	}
	p := processes(t, lease)
	for name, pid := range map[string]int{"postgres": p.postgres, "redis": p.redis, "supervisor": p.supervisor} {
		if pid == 0 {
			t.Errorf("%s is not a child of the supervisor", name)
			continue
		}
		for _, address := range listensOn(t, pid) {
			t.Errorf("%s listens on the network: %s", name, address)
		}
		if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err != nil || (name != "supervisor" && strings.Contains(string(status), "Uid:\t0\t")) {
			t.Errorf("%s runs as root, or its status can't be read: %v", name, err)
		}
	}
	if got := mustQuery(t, lease.DatabaseURL, "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user"); got != "dataflow_app|f" {
		t.Errorf("the product would run as %q", got)
	}
	if _, err := query(t, lease.DatabaseURL, "CREATE TABLE public.x (n int)"); err == nil {
		t.Error("the run-time role can make tables")
	}
}

// listensOn finds TCP sockets of a process in state LISTEN.
func listensOn(t *testing.T, pid int) []string {
	t.Helper()
	inodes := map[string]bool{}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name()))
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	var found []string
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" && inodes[f[9]] {
				found = append(found, f[1])
			}
		}
	}
	return found
}

func TestDeepAndClosedPaths(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	if err := os.Chmod(top, 0o700); err != nil { // as "mktemp -d" makes it
		t.Fatal(err)
	}
	dir := filepath.Join(top, strings.Repeat("deep/", 30), "data")
	lease := use(t, dir)
	if got := mustQuery(t, lease.AdminURL, "SELECT 1"); got != "1" {
		t.Errorf("got %q", got)
	}
	if got := redisSay(lease, "PING"); got != "+PONG" {
		t.Errorf("redis says %q", got)
	}
	record, err := readRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(record.RunDir) != "/tmp" {
		t.Fatalf("sockets are in %s", record.RunDir)
	}
	if err := checkDir(filepath.Join(record.RunDir, socketsName), mustAccount(t, dir).uid, 0o700); err != nil {
		t.Error(err)
	}
	// The next supervisor keeps the address, as users know it by now.
	old := int(lease.supervisor.Load())
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the database answers at its old address", func() bool {
		_, err := query(t, lease.AdminURL, "SELECT 1")
		return err == nil && int(lease.supervisor.Load()) != old
	})
	release(t, lease)
	if _, err := os.Lstat(record.RunDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s was left behind: %v", record.RunDir, err)
	}
	waitUntilStopped(t, dir)
}

func mustAccount(t *testing.T, dir string) account {
	t.Helper()
	a, err := serverAccount(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPlantedDirectories(t *testing.T) {
	t.Parallel()
	t.Run("a link in the place of the sockets' directory", func(t *testing.T) {
		t.Parallel()
		dir, elsewhere := dataDir(t), t.TempDir()
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, filepath.Join(dir, "run")); err != nil {
			t.Fatal(err)
		}
		_, err := Use(t.Context(), Options{DataDir: dir, Postgres: true})
		if !errors.Is(err, ErrDataDir) {
			t.Errorf("got %v", err)
		}
		if left, _ := os.ReadDir(elsewhere); len(left) > 0 {
			t.Errorf("the link was followed: %v", left)
		}
	})
	t.Run("a link at the recorded short path", func(t *testing.T) {
		t.Parallel()
		dir, elsewhere := dataDir(t), t.TempDir()
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		planted, err := os.MkdirTemp("/tmp", "dataflow-planted-")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(planted); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, planted); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(planted) })
		if err := writeRecord(dir, record{RunDir: planted}); err != nil {
			t.Fatal(err)
		}
		got, err := shortRunDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(got) })
		if got == planted {
			t.Error("the link was taken")
		}
		if left, _ := os.ReadDir(elsewhere); len(left) > 0 {
			t.Errorf("the link was followed: %v", left)
		}
	})
	t.Run("open to others", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "sockets")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := checkDir(dir, os.Geteuid(), 0o700); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("still %v, %v", info.Mode(), err)
		}
	})
	t.Run("of another user", func(t *testing.T) {
		t.Parallel()
		if err := checkDir("/", os.Geteuid()+1, 0o700); !errors.Is(err, ErrDataDir) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOtherMajorVersion(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	cluster := filepath.Join(dir, postgresDirName)
	if err := os.MkdirAll(cluster, 0o700); err != nil {
		t.Fatal(err)
	}
	version := filepath.Join(cluster, "PG_VERSION")
	if err := os.WriteFile(version, []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		account := mustAccount(t, t.TempDir())
		if err := os.Chown(cluster, account.uid, account.gid); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Use(t.Context(), Options{DataDir: dir, Postgres: true})
	if !errors.Is(err, ErrVersion) {
		t.Fatalf("got %v", err)
	}
	public := apperr.Describe(err)
	for _, part := range []string{cluster, "PostgreSQL 9", "apt install postgresql-9", "pg_dumpall"} {
		if !strings.Contains(public.Sentence, part) {
			t.Errorf("%q does not say %q", public.Sentence, part)
		}
	}
	if text, err := os.ReadFile(version); err != nil || string(text) != "9\n" {
		t.Errorf("the refused directory was changed: %q, %v", text, err)
	}
}

func TestChoosePostgres(t *testing.T) {
	t.Parallel()
	have := []installation{{15, "/a"}, {17, "/b"}, {14, "/c"}}
	for name, tc := range map[string]struct {
		have    []installation
		cluster int
		bin     string
		err     error
	}{
		"a new cluster takes the most wanted":     {have, 0, "/a", nil},
		"a cluster takes its own version":         {have, 17, "/b", nil},
		"an old cluster may stay with an old one": {have, 14, "/c", nil},
		"a cluster of another version is refused": {have, 16, "", ErrVersion},
		"nothing is installed":                    {nil, 0, "", ErrMissing},
		"nothing is installed for a cluster":      {nil, 15, "", ErrMissing},
		"what is installed is too old for a new":  {have[2:], 0, "", ErrMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := choosePostgres(tc.have, tc.cluster, "/data")
			if !errors.Is(err, tc.err) || got.bin != tc.bin {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

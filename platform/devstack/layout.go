package devstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// What lies in the data directory:
//
//	devstack.lock   locked by the supervisor while it lives
//	postgres.lock   locked by PostgreSQL while any process of it lives
//	spawn.lock      locked by a user while it starts a supervisor
//	devstack.json   where the sockets are
//	run/            the supervisor's socket; sockets/ those of the servers (0700)
//	postgres/       the database cluster (0700)
//	logs/           what supervisor and servers wrote
const (
	postgresDirName  = "postgres"
	lockName         = "devstack.lock"
	postgresLockName = "postgres.lock"
	spawnLockName    = "spawn.lock"
	recordName       = "devstack.json"
	controlName      = "control.sock"
	socketsName      = "sockets"
	redisSocketName  = "redis.sock"
	postgresPort     = "5432" // names the socket file, no TCP port is opened
)

// maxSocketPath is the room for a socket's path in the kernel's address, less a margin.
const maxSocketPath = 100

// account is the user that the servers run as.
type account struct {
	uid, gid int
	switched bool // another user than ourselves
}

// credential is nil where the servers run as ourselves.
func (a account) credential() *syscall.Credential {
	if !a.switched {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid), Groups: []uint32{}}
}

// serverAccount chooses the user for the servers. PostgreSQL refuses to run as
// root, so root lends it the user that owns the cluster or, for a new one, a
// user without rights.
func serverAccount(dataDir string) (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	if info, err := os.Lstat(filepath.Join(dataDir, postgresDirName)); err == nil {
		owner := info.Sys().(*syscall.Stat_t)
		if owner.Uid == 0 {
			return account{}, ErrDataDir.With("%s belongs to root, and PostgreSQL refuses to run as root. Give it to the user who owned it: chown -R postgres %[1]s", filepath.Join(dataDir, postgresDirName))
		}
		return account{uid: int(owner.Uid), gid: int(owner.Gid), switched: true}, nil
	}
	for _, name := range []string{"dataflow", "postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return account{uid: uid, gid: gid, switched: true}, nil
		}
	}
	return account{}, ErrStart.With("PostgreSQL refuses to run as root, and this machine has no user postgres or nobody to run it as.")
}

// ownMode is the mode of directories that we own. As root the servers run as
// another user, who must get through to its own directories and no further.
func ownMode() fs.FileMode {
	if os.Geteuid() == 0 {
		return 0o711
	}
	return 0o700
}

// prepareDataDir makes the data directory and answers its real path.
func prepareDataDir(dir string) (string, error) {
	if err := os.MkdirAll(dir, ownMode()); err != nil {
		return "", ErrDataDir.With("The data directory %s can't be made. Choose another with DATAFLOW_DATA_DIR.", dir).Wrap(err)
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", ErrDataDir.Wrap(err)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", ErrDataDir.Wrap(err)
	}
	// The lock file's owner is whoever used the directory first.
	for _, path := range []string{filepath.Join(dir, lockName), dir} {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", ErrDataDir.With("The data directory %s can't be read.", dir).Wrap(err)
		}
		owner := int(info.Sys().(*syscall.Stat_t).Uid)
		if owner == os.Geteuid() {
			break
		}
		if os.Geteuid() == 0 && path == dir {
			break // root may start to use anybody's directory, once
		}
		return "", ErrDataDir.With("The data directory %s belongs to %s. Run as that user, or choose another directory with DATAFLOW_DATA_DIR.", dir, userName(owner))
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return "", ErrDataDir.With("The data directory %s can't be written. Choose another with DATAFLOW_DATA_DIR.", dir).Wrap(err)
	}
	// Files inside have their own modes; this keeps others from looking around.
	if err := os.Chmod(dir, ownMode()); err != nil {
		return "", ErrDataDir.Wrap(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
		return "", ErrDataDir.Wrap(err)
	}
	return dir, nil
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return "user " + u.Username
	}
	return "user " + strconv.Itoa(uid)
}

// record is what users need to find the supervisor.
type record struct {
	RunDir string `json:"run_dir"`
}

func readRecord(dataDir string) (record, error) {
	var r record
	text, err := os.ReadFile(filepath.Join(dataDir, recordName))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", recordName, err)
	}
	return r, nil
}

func writeRecord(dataDir string, r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := filepath.Join(dataDir, recordName)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", recordName, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write %s: %w", recordName, err)
	}
	return nil
}

// prepareRunDir makes the directory of the sockets: in the data directory, or
// a short one under /tmp where the path is too long for a socket or the
// servers' user can't get there. Only the holder of the lock may call it.
func prepareRunDir(dataDir string, server account) (string, error) {
	dir := filepath.Join(dataDir, "run")
	if len(filepath.Join(dir, socketsName, ".s.PGSQL."+postgresPort)) > maxSocketPath ||
		(server.switched && !reachable(dataDir, server)) {
		var err error
		if dir, err = shortRunDir(dataDir); err != nil {
			return "", err
		}
	} else if err := ownDir(dir, os.Geteuid(), ownMode()); err != nil {
		return "", err
	}
	sockets := filepath.Join(dir, socketsName)
	if err := os.Mkdir(sockets, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make socket directory: %w", err)
	}
	if server.switched {
		if err := os.Lchown(sockets, server.uid, server.gid); err != nil {
			return "", fmt.Errorf("give socket directory to %s: %w", userName(server.uid), err)
		}
	}
	if err := checkDir(sockets, server.uid, 0o700); err != nil {
		return "", err
	}
	return dir, writeRecord(dataDir, record{RunDir: dir})
}

// shortRunDir takes the directory of the last run, so that users of a
// supervisor that died find the sockets where they were, or a new one.
func shortRunDir(dataDir string) (string, error) {
	if r, err := readRecord(dataDir); err == nil && filepath.Dir(r.RunDir) == "/tmp" {
		if err := ownDir(r.RunDir, os.Geteuid(), ownMode()); err == nil {
			return r.RunDir, nil
		}
		// Somebody else has the name now: take another.
	}
	dir, err := os.MkdirTemp("/tmp", "dataflow-")
	if err != nil {
		return "", fmt.Errorf("make run directory: %w", err)
	}
	if err := os.Chmod(dir, ownMode()); err != nil {
		return "", fmt.Errorf("make run directory: %w", err)
	}
	return dir, nil
}

// ownDir makes a directory of ours, or checks the one that is there.
func ownDir(dir string, uid int, mode fs.FileMode) error {
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	return checkDir(dir, uid, mode)
}

// checkDir refuses what somebody else may have put in place of our directory,
// a symbolic link included.
func checkDir(dir string, uid int, mode fs.FileMode) error {
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ErrDataDir.With("%s is not a directory of this program. Remove it.", dir).Wrap(err)
	}
	defer func() { _ = unix.Close(fd) }()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return fmt.Errorf("check %s: %w", dir, err)
	}
	if int(stat.Uid) != uid {
		return ErrDataDir.With("%s belongs to %s, not to this program. Remove it.", dir, userName(int(stat.Uid)))
	}
	if fs.FileMode(stat.Mode&0o777) != mode {
		if err := unix.Fchmod(fd, uint32(mode)); err != nil {
			return fmt.Errorf("close %s to others: %w", dir, err)
		}
	}
	return nil
}

// reachable tells whether the servers' user may walk from the root to dir,
// whose own mode is ours to set.
func reachable(dir string, server account) bool {
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return false
		}
		owner, mode := info.Sys().(*syscall.Stat_t), info.Mode().Perm()
		var search fs.FileMode = 0o001
		switch {
		case int(owner.Uid) == server.uid:
			search = 0o100
		case int(owner.Gid) == server.gid:
			search = 0o010
		}
		if mode&search == 0 {
			return false
		}
		if parent == filepath.Dir(parent) {
			return true
		}
	}
}

// flock takes the lock of a file, or answers nil when another process has it.
func flock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return file, nil
	}
	_ = file.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// TryLock takes the lock of a file that is made if missing, or answers nil when
// another process has it. It is held until the file is closed or the process
// ends, however that happens.
func TryLock(path string) (*os.File, error) { return flock(path) }

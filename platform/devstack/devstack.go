// Package devstack runs PostgreSQL and Redis for a single machine that has
// none configured: as children of ours, on Unix sockets in a private
// directory, apart from any server of the machine.
//
// The first user starts a small supervisor process that owns the data
// directory (a lock file) and has both servers as its children. Every user
// keeps one connection to it open, its lease. When the last lease ends, by
// Release or because the user died, the supervisor stops both and exits. When
// a server dies, the supervisor starts it again; when the supervisor dies, the
// kernel ends its children and the users start another.
//
// It needs Linux.
package devstack

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

var (
	// ErrMissing names what to install.
	ErrMissing = apperr.Define(apperr.Unavailable, "devstack.missing",
		"PostgreSQL or Redis is not installed on this machine.")
	// ErrVersion means that the data directory was made by another major version of PostgreSQL.
	ErrVersion = apperr.Define(apperr.Conflict, "devstack.postgres_version",
		"The data directory was made by another version of PostgreSQL.")
	// ErrDataDir covers directories of other users and paths that can't be used.
	ErrDataDir = apperr.Define(apperr.Invalid, "devstack.data_dir", "The data directory can't be used.")
	// ErrStart means that a server could not be started; its log says more.
	ErrStart = apperr.Define(apperr.Unavailable, "devstack.start", "The embedded servers could not be started.")
)

// Options say what a user needs.
type Options struct {
	// DataDir is where everything lies. It is made if missing.
	DataDir string
	// Postgres and Redis choose the servers.
	Postgres, Redis bool
	// RedisMaxMemory bounds Redis, in bytes. The first user's figure counts.
	RedisMaxMemory int64
	// Progress is told what takes longer than a moment. It may be nil.
	Progress func(sentence string)
	// Logger is told when a server had to be started again.
	Logger *slog.Logger
	// Command starts the supervisor; "devstack --data-dir DIR" is appended.
	// Empty: this program, whose main must hand "devstack" to Main.
	Command []string
}

// Main is the supervisor process. Args are what follows "devstack". It answers
// the exit status.
func Main(args []string) int { return superviseMain(args) }

// Initialized tells whether a database was made in the data directory.
func Initialized(dataDir string) bool {
	_, err := os.Stat(filepath.Join(dataDir, postgresDirName, "PG_VERSION"))
	return err == nil
}

// Use starts the servers, or joins those that run, and answers when they are
// ready. The lease must be released.
//
// Errors: devstack.missing, devstack.postgres_version, devstack.data_dir,
// devstack.start.
func Use(ctx context.Context, o Options) (*Lease, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.RedisMaxMemory == 0 {
		o.RedisMaxMemory = 128 << 20
	}
	dir, err := prepareDataDir(o.DataDir)
	if err != nil {
		return nil, err
	}
	o.DataDir = dir
	conn, ready, err := acquire(ctx, o)
	if err != nil {
		return nil, err
	}
	l := &Lease{
		DatabaseURL: ready.DatabaseURL, AdminURL: ready.AdminURL, RedisURL: ready.RedisURL,
		options: o, released: make(chan struct{}), ended: make(chan struct{}),
	}
	l.supervisor.Store(int64(ready.PID))
	go l.keep(conn)
	return l, nil
}

const (
	// stopTimeout is how long a server may take to stop before it is forced.
	stopTimeout = 20 * time.Second
	// startTimeout is how long a server may take until it is ready; recovery
	// after a crash is part of that.
	startTimeout = 120 * time.Second
	// crashGrace is how long the servers outlive a last user that died, so that
	// its restart finds them.
	crashGrace = 300 * time.Millisecond
)

package devstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// Lease keeps the servers running. The addresses stay the same when a server
// or the supervisor has to be started again.
type Lease struct {
	// DatabaseURL connects as the role that the product runs as, AdminURL as
	// the owner of the database. Empty without Options.Postgres.
	DatabaseURL, AdminURL string
	// RedisURL is unix:///…. Empty without Options.Redis.
	RedisURL string

	options    Options
	supervisor atomic.Int64 // its pid
	release    sync.Once
	released   chan struct{} // closed by Release
	ended      chan struct{} // closed when the supervisor has confirmed
}

// Release gives the lease back. When it was the last one it answers after
// both servers have stopped, at the latest when ctx ends.
func (l *Lease) Release(ctx context.Context) error {
	l.release.Do(func() { close(l.released) })
	select {
	case <-l.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("release embedded servers: %w", ctx.Err())
	}
}

// keep holds the connection until Release, and takes a new lease when the
// supervisor dies.
func (l *Lease) keep(w *wire) {
	defer close(l.ended)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-l.released:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		if l.hold(w) {
			return
		}
		l.options.Logger.Warn("supervisor of the embedded servers died, starting another")
		next, err := l.reacquire(ctx)
		if err != nil {
			return // released meanwhile
		}
		w = next
	}
}

// hold answers true when the lease was released, false when the supervisor died.
func (l *Lease) hold(w *wire) bool {
	done := make(chan struct{})
	defer close(done)
	defer func() { _ = w.conn.Close() }()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		select {
		case <-l.released:
			if err := w.send(request{Release: true}); err != nil {
				_ = w.conn.Close() // it is gone: end the reading too
			}
		case <-done:
		}
	}()
	for {
		var r reply
		if err := w.in.Decode(&r); err != nil {
			select {
			case <-l.released:
				return true // stopped and gone
			default:
				return false
			}
		}
		switch r.State {
		case stateNote:
			l.options.Logger.Warn(r.Sentence)
		case stateReleased:
			return true
		}
	}
}

func (l *Lease) reacquire(ctx context.Context) (*wire, error) {
	quiet := l.options
	quiet.Progress = func(string) {}
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
		w, ready, err := acquire(ctx, quiet)
		if err == nil {
			l.supervisor.Store(int64(ready.PID))
			if ready.DatabaseURL != l.DatabaseURL || ready.RedisURL != l.RedisURL {
				l.options.Logger.Error("embedded servers have a new address: restart this process")
			}
			l.options.Logger.Info("embedded servers run again")
			return w, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		l.options.Logger.Error("start embedded servers", "error", err)
		if err := pause(ctx, delay); err != nil {
			return nil, err
		}
	}
}

// acquire joins the running supervisor or starts one, and waits for the servers.
func acquire(ctx context.Context, o Options) (*wire, reply, error) {
	for range 10 {
		w, err := connect(ctx, o)
		if err == nil {
			var ready reply
			if ready, err = await(ctx, w, o); err == nil {
				return w, ready, nil
			}
			_ = w.send(request{Release: true}) // what can't be told is noticed from the closed connection
			_ = w.conn.Close()
		}
		if !errors.Is(err, errGone) {
			return nil, reply{}, err
		}
		// It was just stopping, or was killed, or another one came first: anew.
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, reply{}, err
		}
	}
	return nil, reply{}, ErrStart.With("The embedded servers end as soon as they start. See %s.", filepath.Join(o.DataDir, "logs"))
}

var errGone = errors.New("supervisor is gone")

func await(ctx context.Context, w *wire, o Options) (reply, error) {
	err := w.send(request{Postgres: o.Postgres, Redis: o.Redis, RedisMemory: o.RedisMaxMemory})
	if err != nil {
		return reply{}, errGone
	}
	for {
		r, err := receive(ctx, w)
		if err != nil {
			return reply{}, err
		}
		switch r.State {
		case stateStarting:
			o.Progress(r.Sentence)
		case stateReady:
			return r, nil
		case stateFailed:
			return reply{}, failed(r, o)
		}
	}
}

// connect finds the running supervisor. Among users that find none, one at a
// time starts one.
func connect(ctx context.Context, o Options) (*wire, error) {
	if w := dial(o); w != nil {
		return w, nil
	}
	for {
		lock, err := flock(filepath.Join(o.DataDir, spawnLockName))
		if err != nil {
			return nil, err
		}
		if lock != nil {
			defer func() { _ = lock.Close() }()
			break
		}
		if w := dial(o); w != nil {
			return w, nil
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return nil, err
		}
	}
	if w := dial(o); w != nil {
		return w, nil
	}
	w, err := spawn(o)
	if err != nil {
		return nil, err
	}
	// Others find it as soon as it listens, so the lock is held until then.
	r, err := receive(ctx, w)
	switch {
	case err == nil && r.State == stateListening:
		return w, nil
	case err == nil && r.State == stateTaken:
		err = errGone
	case err == nil:
		err = failed(r, o)
	}
	_ = w.conn.Close()
	return nil, err
}

// receive waits for the next reply.
func receive(ctx context.Context, w *wire) (reply, error) {
	stop := context.AfterFunc(ctx, func() { _ = w.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var r reply
	if err := w.in.Decode(&r); err != nil {
		if ctx.Err() != nil {
			return reply{}, fmt.Errorf("start embedded servers: %w", ctx.Err())
		}
		return reply{}, errGone
	}
	return r, nil
}

func failed(r reply, o Options) error {
	err := apperr.Restore(r.Code, r.Sentence)
	if apperr.Describe(err).Class == apperr.Internal {
		return ErrStart.With("The embedded servers could not be started. See %s.", filepath.Join(o.DataDir, "logs")).Wrap(err)
	}
	return err
}

// dial answers nil where no supervisor listens.
func dial(o Options) *wire {
	conn, err := dialControl(o.DataDir)
	if err != nil {
		return nil
	}
	if err := checkPeer(conn, os.Geteuid()); err != nil {
		o.Logger.Error("embedded servers: the supervisor's socket is somebody else's", "error", err)
		_ = conn.Close()
		return nil
	}
	return newWire(conn)
}

func dialControl(dataDir string) (*net.UnixConn, error) {
	r, err := readRecord(dataDir)
	if err != nil {
		return nil, err
	}
	return net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(r.RunDir, controlName), Net: "unix"})
}

// spawn starts a supervisor whose first lease is ours: it inherits one end of
// a socket pair.
func spawn(o Options) (*wire, error) {
	command := o.Command
	if len(command) == 0 {
		// The running program itself, even where its file was replaced since.
		command = []string{"/proc/self/exe"}
	}
	log, err := openLog(filepath.Join(o.DataDir, "logs", "devstack.log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "lease"), os.NewFile(uintptr(fds[1]), "lease")
	defer func() { _ = theirs.Close() }()
	conn, err := fileConn(ours)
	if err != nil {
		return nil, err
	}
	args := append(command[1:len(command):len(command)], "devstack", "--data-dir", o.DataDir)
	cmd := exec.Command(command[0], args...)
	if command[0] == "/proc/self/exe" {
		cmd.Args[0] = "dataflow" // what a list of processes shows
	}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = supervisorEnv(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // apart from our terminal and its signals
	if err := cmd.Start(); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	go func() { _ = cmd.Wait() }() // its connection tells how it went; this takes the process off the list
	return newWire(conn), nil
}

func fileConn(file *os.File) (*net.UnixConn, error) {
	defer func() { _ = file.Close() }()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("use socket pair: %w", err)
	}
	return conn.(*net.UnixConn), nil
}

// supervisorEnv keeps our secrets from the servers, and the supervisor small.
func supervisorEnv(environ []string) []string {
	env := []string{"LANG=C", "GOMAXPROCS=2", "GOGC=40", "GOTRACEBACK=single"}
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		switch name {
		case "PATH", "LD_LIBRARY_PATH", "GOCOVERDIR":
			env = append(env, pair)
		}
	}
	return env
}

// openLog opens a log for appending, starting afresh beside the last one when
// it has grown.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > 8<<20 {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("rotate log: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return file, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

package devstack

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

func superviseMain(args []string) int {
	flags := flag.NewFlagSet("devstack", flag.ContinueOnError)
	dataDir := flags.String("data-dir", "", "the data directory")
	if err := flags.Parse(args); err != nil || *dataDir == "" || flags.NArg() > 0 {
		return 2
	}
	// Started through /proc/self/exe, lists of processes would name it "exe".
	_ = os.WriteFile("/proc/self/comm", []byte("dataflow"), 0) // a matter of looks
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("pid", os.Getpid())
	// The first lease comes as descriptor 3 from the user that started us.
	conn, err := fileConn(os.NewFile(3, "lease"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "dataflow devstack is started by other commands, not by hand")
		return 2
	}
	first := newWire(conn)
	err = supervise(*dataDir, first, log)
	if errors.Is(err, errTaken) {
		log.Info("another supervisor listens, this one is not needed")
		_ = first.send(reply{State: stateTaken})
		return 0
	}
	if err != nil {
		log.Error("supervise", "error", err)
		_ = first.send(failure(err)) // the user may be gone, too
		return 1
	}
	return 0
}

// server is PostgreSQL or Redis.
type server interface {
	name() string
	start(ctx context.Context, progress func(string)) (*process, error)
	stop(p *process)
}

type supervisor struct {
	log      *slog.Logger
	postgres *part
	redis    *part

	mu     sync.Mutex
	leases map[*lease]bool
	// changed is signalled when a lease has ended.
	changed chan struct{}
	// lastGone tells that the last lease to end was not released: its user died.
	lastGone bool
	// last is the lease that was released last, when none was left. Its
	// connection stays open, to end with this process: so its user knows when
	// everything has stopped.
	last *lease
	// ending is set once it is decided to stop: nobody joins any more.
	ending bool
}

// lease is one user's connection.
type lease struct {
	wire *wire
	mu   sync.Mutex // serialises what is sent
}

func (l *lease) tell(r reply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.wire.send(r) // a user that is gone is noticed by its reader
}

// supervise runs until no user is left, or until it is told to stop.
func supervise(dataDir string, first *wire, log *slog.Logger) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)

	lock, err := waitForLock(dataDir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	account, err := serverAccount(dataDir)
	if err != nil {
		return err
	}
	runDir, err := prepareRunDir(dataDir, account)
	if err != nil {
		return err
	}
	control := filepath.Join(runDir, controlName)
	if err := os.Remove(control); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove stale socket: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: control, Net: "unix"})
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := os.Chmod(control, 0o600); err != nil {
		return fmt.Errorf("close socket to others: %w", err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	nursery, sockets := newNursery(), filepath.Join(runDir, socketsName)
	s := &supervisor{
		log: log, leases: map[*lease]bool{}, changed: make(chan struct{}, 1),
	}
	defer runtime.KeepAlive(s) // an unreachable connection would be closed
	s.postgres = s.newPart(&postgresServer{dataDir: dataDir, sockets: sockets, account: account, nursery: nursery})
	s.redis = s.newPart(&redisServer{dataDir: dataDir, sockets: sockets, account: account, nursery: nursery})

	log.Info("supervisor started", "data_dir", dataDir, "run_dir", runDir)
	s.join(ctx, first)
	_ = first.send(reply{State: stateListening}) // a user that is gone is noticed by its reader
	go s.accept(ctx, listener)

	why := s.untilUnused(told)
	// From here on newcomers find no socket and start the next supervisor,
	// which waits for our lock.
	_ = listener.Close()
	cancel()
	log.Info("stopping", "why", why)
	s.broadcast(reply{State: stateStopping})
	var stopped sync.WaitGroup
	for _, p := range []*part{s.postgres, s.redis} {
		stopped.Go(p.wait)
	}
	stopped.Wait()
	if filepath.Dir(runDir) == "/tmp" {
		// The record stays: the next supervisor takes the same name, which users
		// that try again may still hold.
		if err := os.RemoveAll(runDir); err != nil {
			return fmt.Errorf("remove run directory: %w", err)
		}
	}
	log.Info("supervisor stopped")
	return nil
}

// errTaken tells that another supervisor runs, and takes users.
var errTaken = errors.New("another supervisor listens")

// waitForLock waits for a supervisor that is stopping. One that was still
// starting when we were started goes on: a user that gives up while it starts
// its supervisor leaves one that others can't find yet.
func waitForLock(dataDir string) (*os.File, error) {
	for deadline := time.Now().Add(3 * stopTimeout); ; {
		lock, err := flock(filepath.Join(dataDir, lockName))
		if lock != nil || err != nil {
			return lock, err
		}
		if listens(dataDir) {
			return nil, errTaken
		}
		if time.Now().After(deadline) {
			return nil, ErrStart.With("Another process holds %s. If no DataFlow runs on this machine, another machine may use the same directory.", filepath.Join(dataDir, lockName))
		}
		if err := pause(context.Background(), 5*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// listens tells whether a supervisor takes users. A stopping one does not.
func listens(dataDir string) bool {
	conn, err := dialControl(dataDir)
	if err != nil {
		return false
	}
	_ = conn.Close() // without a release, as of a user that died: it does not end what others use
	return true
}

// untilUnused blocks while somebody has a lease.
func (s *supervisor) untilUnused(told <-chan os.Signal) string {
	var grace <-chan time.Time
	for {
		select {
		case sig := <-told:
			s.end(func() bool { return true })
			return sig.String()
		case <-grace:
			grace = nil
			if s.end(func() bool { return len(s.leases) == 0 }) {
				return "the last user died"
			}
		case <-s.changed:
			died := false
			if s.end(func() bool { died = len(s.leases) == 0 && s.lastGone; return len(s.leases) == 0 && !died }) {
				return "the last user left"
			}
			if died {
				grace = time.After(crashGrace)
			}
		}
	}
}

// end closes the door where the condition holds, so that nobody joins what
// was decided to stop.
func (s *supervisor) end(where func() bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = where()
	return s.ending
}

func (s *supervisor) accept(ctx context.Context, listener *net.UnixListener) {
	for {
		conn, err := listener.AcceptUnix()
		if err != nil {
			return // closed
		}
		if err := checkPeer(conn, os.Geteuid()); err != nil {
			s.log.Warn("refused a connection", "error", err)
			_ = conn.Close()
			continue
		}
		s.join(ctx, newWire(conn))
	}
}

// join gives a lease that lasts as long as the connection. Who comes too late
// sees the connection end, and starts the next supervisor.
func (s *supervisor) join(ctx context.Context, w *wire) {
	l := &lease{wire: w}
	s.mu.Lock()
	ending, stays := s.ending, s.last
	if !ending {
		s.leases[l], s.last = true, nil
	}
	s.mu.Unlock()
	if ending {
		_ = w.conn.Close()
		return
	}
	if stays != nil { // it was not the last after all
		stays.tell(reply{State: stateReleased})
		_ = stays.wire.conn.Close()
	}
	go s.serve(ctx, l)
}

func (s *supervisor) serve(ctx context.Context, l *lease) {
	for {
		var r request
		if err := l.wire.in.Decode(&r); err != nil {
			s.leave(l, false)
			return
		}
		if r.Release {
			s.leave(l, true)
			return
		}
		go s.provide(ctx, l, r)
	}
}

// leave ends a lease.
func (s *supervisor) leave(l *lease, released bool) {
	s.mu.Lock()
	delete(s.leases, l)
	last := released && len(s.leases) == 0
	s.lastGone = !released
	if last {
		s.last = l
	}
	s.mu.Unlock()
	if !last {
		if released {
			l.tell(reply{State: stateReleased})
		}
		_ = l.wire.conn.Close()
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *supervisor) broadcast(r reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.leases {
		go l.tell(r)
	}
}

// provide answers a user when what it needs is ready.
func (s *supervisor) provide(ctx context.Context, l *lease, r request) {
	progress := func(sentence string) { l.tell(reply{State: stateStarting, Sentence: sentence}) }
	answer := reply{State: stateReady, PID: os.Getpid()}
	if r.Redis {
		redis := s.redis.server.(*redisServer)
		s.redis.begin(ctx, func() {
			if r.RedisMemory > 0 {
				redis.maxMemory = r.RedisMemory
			}
		})
		answer.RedisURL = redis.url()
	}
	if r.Postgres {
		postgres := s.postgres.server.(*postgresServer)
		s.postgres.begin(ctx, nil)
		answer.DatabaseURL, answer.AdminURL = postgres.url(appRole), postgres.url(ownerRole)
		if err := s.postgres.await(ctx, progress); err != nil {
			l.tell(failure(err))
			return
		}
	}
	if r.Redis {
		if err := s.redis.await(ctx, progress); err != nil {
			l.tell(failure(err))
			return
		}
	}
	l.tell(answer)
}

// part keeps one server running from its first use on.
type part struct {
	supervisor *supervisor
	server     server
	once       sync.Once
	started    chan struct{} // closed when the first start has ended
	done       chan struct{} // closed when it has stopped for good
	err        error         // why the first start was in vain

	mu       sync.Mutex
	progress []func(string)
}

func (s *supervisor) newPart(of server) *part {
	return &part{supervisor: s, server: of, started: make(chan struct{}), done: make(chan struct{})}
}

func (p *part) begin(ctx context.Context, prepare func()) {
	p.once.Do(func() {
		if prepare != nil {
			prepare()
		}
		go p.keep(ctx)
	})
}

// await waits for the first start.
func (p *part) await(ctx context.Context, progress func(string)) error {
	p.mu.Lock()
	p.progress = append(p.progress, progress)
	p.mu.Unlock()
	select {
	case <-p.started:
		return p.err
	case <-ctx.Done():
		return ErrStart.With("The embedded servers are stopping.")
	}
}

// wait blocks until the server has stopped; at once if it never was used.
func (p *part) wait() {
	p.once.Do(func() { close(p.done) })
	<-p.done
}

func (p *part) say(sentence string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, tell := range p.progress {
		tell(sentence)
	}
}

// keep starts the server, again whenever it dies, until ctx ends.
func (p *part) keep(ctx context.Context) {
	defer close(p.done)
	log := p.supervisor.log.With("server", p.server.name())
	running, err := p.server.start(ctx, p.say)
	p.err = err
	close(p.started)
	if err != nil {
		log.Error("start", "error", err)
		return
	}
	log.Info("ready", "process", running.cmd.Process.Pid)
	const shortest, longest = 50 * time.Millisecond, 5 * time.Second
	delay, since := shortest, time.Now()
	for {
		select {
		case <-ctx.Done():
			p.server.stop(running)
			log.Info("stopped")
			return
		case <-running.done:
		}
		log.Warn("died", "cause", running.err)
		if time.Since(since) > time.Minute {
			delay = shortest
		}
		for {
			if err := pause(ctx, delay); err != nil {
				return
			}
			delay = min(2*delay, longest)
			running, err = p.server.start(ctx, func(string) {})
			if err == nil {
				break
			}
			log.Error("start again", "error", err)
		}
		since = time.Now()
		log.Info("ready again", "process", running.cmd.Process.Pid)
		p.supervisor.broadcast(reply{State: stateNote, Sentence: strings.Join([]string{p.server.name(), "died and was started again"}, " ")})
	}
}

package devstack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	databaseName = "dataflow"
	ownerRole    = "dataflow_owner" // superuser of this private cluster; runs migrations
	appRole      = "dataflow_app"   // what the product runs as
)

// inherited is how the servers' user names the cluster: by a descriptor that
// it was started with. It works where directories above are closed to that
// user, as below /root, without giving it any right to pass.
const inherited = "/proc/self/fd/3"

// tuning is for a small machine that does other things as well. It is written
// into the new cluster's postgresql.conf, where an administrator may change it.
const tuning = `
# DataFlow
max_connections = 60
shared_buffers = 64MB
work_mem = 8MB
maintenance_work_mem = 64MB
effective_cache_size = 1GB
max_wal_size = 512MB
wal_compression = on
checkpoint_timeout = 10min
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_checkpoints = off
idle_in_transaction_session_timeout = 5min
`

type postgresServer struct {
	dataDir string
	sockets string
	account account
	nursery *nursery
}

func (s *postgresServer) name() string { return "PostgreSQL" }

func (s *postgresServer) dir() string { return filepath.Join(s.dataDir, postgresDirName) }

func (s *postgresServer) url(role string) string {
	query := url.Values{"host": {s.sockets}, "port": {postgresPort}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + databaseName, RawQuery: query.Encode()}).String()
}

// start makes the cluster if there is none, clears what a crash left, and
// answers when connections are accepted.
func (s *postgresServer) start(ctx context.Context, progress func(string)) (*process, error) {
	cluster, err := clusterMajor(s.dataDir)
	if err != nil {
		return nil, err
	}
	programs, err := choosePostgres(postgresInstallations(ctx), cluster, s.dataDir)
	if err != nil {
		return nil, err
	}
	log, err := openLog(filepath.Join(s.dataDir, "logs", "postgres.log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	if cluster == 0 {
		progress("Creating the database (first start only)")
		if err := s.create(ctx, programs, log); err != nil {
			return nil, err
		}
	}
	lock, err := s.clearRemains(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }() // the server has it by then
	// Memory of a killed server is let go only when the last of its processes
	// has ended.
	for deadline := time.Now().Add(startTimeout); ; {
		p, err := s.launch(ctx, programs, log, lock, deadline, progress)
		if err == nil || !errors.Is(err, errRemains) || time.Now().After(deadline) {
			return p, err
		}
		if err := s.removeStale(); err != nil {
			return nil, err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

var errRemains = errors.New("a killed server's processes still run")

func (s *postgresServer) launch(ctx context.Context, programs installation, log, lock *os.File, deadline time.Time, progress func(string)) (*process, error) {
	offset, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	// What keeps others out is given here, so that no file can undo it.
	settings := []string{
		"listen_addresses=", "unix_socket_directories=" + s.sockets, "unix_socket_permissions=0700",
		"port=" + postgresPort, "cluster_name=dataflow",
		"logging_collector=off", "log_destination=stderr", "ssl=off",
		"fsync=on", "synchronous_commit=on", "full_page_writes=on",
	}
	args := []string{"-D", inherited}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command(filepath.Join(programs.bin, "postgres"), args...)
	cmd.Dir, cmd.Env = "/", serverEnv()
	cmd.Stdout, cmd.Stderr = log, log
	cluster, err := os.Open(s.dir())
	if err != nil {
		return nil, fmt.Errorf("open cluster: %w", err)
	}
	defer func() { _ = cluster.Close() }()
	cmd.ExtraFiles = []*os.File{cluster, lock}
	// A fast shutdown when the supervisor dies: sessions end, the cluster is
	// left clean.
	p, err := s.nursery.start(cmd, s.account, syscall.SIGINT)
	if err != nil {
		return nil, err
	}
	for began, told := time.Now(), false; !s.ready(p.cmd.Process.Pid); {
		if p.ended() {
			return nil, s.startError(log, offset, p.err)
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			p.stop(5*time.Second, syscall.SIGINT, syscall.SIGQUIT)
			return nil, ErrStart.With("PostgreSQL did not become ready. See %s.", log.Name()).Wrap(ctx.Err())
		}
		if !told && time.Since(began) > 2*time.Second {
			told = true
			progress("PostgreSQL is recovering from a crash")
		}
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			continue
		}
	}
	return p, nil
}

// ready reads the state that the server keeps in its pid file.
func (s *postgresServer) ready(pid int) bool {
	lines, err := pidFile(s.dir())
	if err != nil || len(lines) < 8 {
		return false
	}
	return lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

func pidFile(dir string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	return strings.Split(string(text), "\n"), nil
}

// startError reads from the log why the server ended.
func (s *postgresServer) startError(log *os.File, offset int64, cause error) error {
	said := ""
	lines := bufio.NewScanner(io.NewSectionReader(log, offset, 1<<20))
	for lines.Scan() {
		line := lines.Text()
		if strings.Contains(line, "pre-existing shared memory block") ||
			(strings.Contains(line, "lock file ") && strings.Contains(line, " already exists")) {
			return errRemains
		}
		if _, text, ok := strings.Cut(line, "FATAL:  "); ok {
			said = text
		}
		if _, text, ok := strings.Cut(line, "PANIC:  "); ok {
			said = text
		}
	}
	if said == "" {
		return ErrStart.With("PostgreSQL did not start. See %s.", log.Name()).Wrap(cause)
	}
	return ErrStart.With("PostgreSQL did not start: %s. See %s.", said, log.Name()).Wrap(cause)
}

// stop ends sessions and leaves the cluster clean; where that takes too long
// the next start recovers from the log.
func (s *postgresServer) stop(p *process) {
	p.stop(stopTimeout, syscall.SIGINT, syscall.SIGQUIT)
}

func serverEnv() []string {
	return []string{"LANG=C", "LC_ALL=C", "PATH=" + os.Getenv("PATH"), "TZ=UTC"}
}

// create makes the cluster beside its place and moves it there when it is
// complete: a crash leaves no half of one.
func (s *postgresServer) create(ctx context.Context, programs installation, log io.Writer) error {
	if _, err := user.LookupId(strconv.Itoa(s.account.uid)); err != nil {
		return ErrStart.With("PostgreSQL refuses to run as a user without a name: user id %d is not in /etc/passwd. Add it there, or set DATABASE_URL to a running server.", s.account.uid).Wrap(err)
	}
	building := s.dir() + ".new"
	if err := os.RemoveAll(building); err != nil {
		return fmt.Errorf("remove unfinished cluster: %w", err)
	}
	if err := os.Mkdir(building, 0o700); err != nil {
		return fmt.Errorf("make cluster directory: %w", err)
	}
	if s.account.switched {
		if err := os.Lchown(building, s.account.uid, s.account.gid); err != nil {
			return fmt.Errorf("give cluster to %s: %w", userName(s.account.uid), err)
		}
	}
	handle, err := os.Open(building)
	if err != nil {
		return fmt.Errorf("open new cluster: %w", err)
	}
	defer func() { _ = handle.Close() }()
	args := []string{"-D", inherited, "--username=" + ownerRole, "--auth=trust", "--encoding=UTF8", "--data-checksums", "--no-instructions"}
	if programs.major >= 17 {
		args = append(args, "--locale-provider=builtin", "--locale=C.UTF-8")
	} else {
		args = append(args, "--locale=C.UTF-8")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(programs.bin, "initdb"), args...)
	cmd.Dir, cmd.Env = "/", serverEnv()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{handle}
	if err := s.nursery.run(cmd, s.account); err != nil {
		return ErrStart.With("The database could not be created. See %s.", filepath.Join(s.dataDir, "logs", "postgres.log")).Wrap(err)
	}
	// The socket's directory is closed to others, which is what "trust" rests on.
	if err := s.configure(building); err != nil {
		return err
	}
	for _, step := range [][2]string{
		{"postgres", "CREATE DATABASE " + databaseName + ";\n"},
		{databaseName, "CREATE ROLE " + appRole + " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;\n" +
			"REVOKE ALL ON SCHEMA public FROM PUBLIC;\n"},
	} {
		// A server of one session, without a socket.
		cmd := exec.CommandContext(ctx, filepath.Join(programs.bin, "postgres"), "--single", "-D", inherited, "-c", "exit_on_error=on", "-c", "log_checkpoints=off", step[0])
		cmd.Dir, cmd.Env = "/", serverEnv()
		cmd.ExtraFiles = []*os.File{handle}
		cmd.Stdin = strings.NewReader(step[1])
		cmd.Stdout, cmd.Stderr = log, log
		if err := s.nursery.run(cmd, s.account); err != nil {
			return ErrStart.With("The database could not be set up. See %s.", filepath.Join(s.dataDir, "logs", "postgres.log")).Wrap(err)
		}
	}
	if err := os.Rename(building, s.dir()); err != nil {
		return fmt.Errorf("publish new cluster: %w", err)
	}
	parent, err := os.Open(s.dataDir)
	if err != nil {
		return fmt.Errorf("open data directory: %w", err)
	}
	return errors.Join(parent.Sync(), parent.Close())
}

func (s *postgresServer) configure(dir string) error {
	conf, err := os.OpenFile(filepath.Join(dir, "postgresql.conf"), os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("open settings of the cluster: %w", err)
	}
	_, err = conf.WriteString(tuning)
	if err := errors.Join(err, conf.Sync(), conf.Close()); err != nil {
		return fmt.Errorf("write settings of the cluster: %w", err)
	}
	hba, err := os.OpenFile(filepath.Join(dir, "pg_hba.conf"), os.O_WRONLY|os.O_TRUNC|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("open access rules of the cluster: %w", err)
	}
	_, err = hba.WriteString("# Only the socket, whose directory is closed to other users.\nlocal all all trust\n")
	if err := errors.Join(err, hba.Sync(), hba.Close()); err != nil {
		return fmt.Errorf("write access rules of the cluster: %w", err)
	}
	return nil
}

// clearRemains waits for processes of a server whose supervisor was killed, and
// ends those that stay; none of them belongs to anybody any more. It answers a
// lock that every process of the next server inherits: so it is free only when
// none of the last one is left, whether we can see it or not.
func (s *postgresServer) clearRemains(ctx context.Context, progress func(string)) (*os.File, error) {
	dir, began := s.dir(), time.Now()
	for told := false; ; {
		lock, err := flock(filepath.Join(s.dataDir, postgresLockName))
		if err != nil {
			return nil, err
		}
		remains, err := processesIn(dir)
		if err != nil {
			return nil, err
		}
		if lock != nil && len(remains) == 0 {
			return lock, s.removeStale()
		}
		if lock != nil {
			_ = lock.Close()
		}
		waited := time.Since(began)
		if !told && waited > time.Second {
			told = true
			progress("Waiting for the last PostgreSQL to end")
		}
		if len(remains) == 0 && waited > startTimeout {
			return nil, ErrStart.With("A PostgreSQL that can't be seen from here, as in another container, runs in %s. Stop it first.", dir)
		}
		if err := endRemains(remains, dir, waited); err != nil {
			return nil, err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// endRemains asks a server without supervisor to end, ever less politely.
func endRemains(remains map[int]remain, dir string, waited time.Duration) error {
	postmaster := 0
	if lines, err := pidFile(dir); err == nil {
		postmaster, _ = strconv.Atoi(lines[0]) // an unreadable file names nobody
	}
	lead, found := remains[postmaster]
	switch {
	case found && !lead.ours:
		return ErrStart.With("A PostgreSQL that was started by hand (process %d) runs in %s. Stop it first.", postmaster, dir)
	case found && waited < 10*time.Second:
		// It got SIGINT when its supervisor died; this is for one that missed it.
		_ = syscall.Kill(postmaster, syscall.SIGINT)
	case found && waited < 15*time.Second:
		_ = syscall.Kill(postmaster, syscall.SIGQUIT)
	default:
		// Sessions without their server: nothing of theirs can be committed.
		for pid := range remains {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return nil
}

// removeStale removes files that name the processes of a server that is gone.
// PostgreSQL itself would believe them while a killed process has not been
// taken off the list, or when its number was given to another.
func (s *postgresServer) removeStale() error {
	for _, stale := range []string{
		filepath.Join(s.dir(), "postmaster.pid"),
		filepath.Join(s.sockets, ".s.PGSQL."+postgresPort+".lock"),
		filepath.Join(s.sockets, ".s.PGSQL."+postgresPort),
	} {
		if err := os.Remove(stale); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what a killed server left: %w", err)
		}
	}
	return nil
}

// remain is a living process of the cluster.
type remain struct{ ours bool }

// processesIn finds the PostgreSQL processes that stand in dir.
func processesIn(dir string) (map[int]remain, error) {
	home, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("find cluster: %w", err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	found := map[int]remain{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// A process that ends meanwhile, or is another user's, is none of ours.
		place, err := os.Stat(filepath.Join("/proc", entry.Name(), "cwd"))
		if err != nil || !os.SameFile(home, place) {
			continue
		}
		name, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "comm"))
		if err != nil || !strings.HasPrefix(string(name), "postgres") {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err != nil {
			continue
		}
		found[pid] = remain{ours: strings.Contains(string(line), inherited)}
	}
	return found, nil
}

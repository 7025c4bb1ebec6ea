package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/config"
	"github.com/dataflowhq/dataflow/platform/devstack"
	"github.com/dataflowhq/dataflow/platform/telemetry"
)

var (
	errAddress = apperr.Define(apperr.Conflict, "serve.address", "The address can't be listened on.")
	errRunning = apperr.Define(apperr.Conflict, "serve.running", "DataFlow runs on this data directory already.")
)

// closeTimeout is how long a process may take to let go of its servers.
const closeTimeout = 30 * time.Second

// say tells a person at the terminal what takes longer than a moment.
func (e *env) say(sentence string) { fmt.Fprintln(e.stderr, sentence+" …") }

func runServe(ctx context.Context, e *env) error {
	set := e.flags("serve", "[--demo] [--listen HOST:PORT]",
		"Runs DataFlow on this machine: pages, jobs and, where DATABASE_URL or REDIS_URL is\nnot set, a private PostgreSQL and Redis. Ctrl-C stops everything.")
	demo := set.Bool("demo", false, "set up a workspace with demo data")
	address := set.String("listen", "", "listen on `HOST:PORT` (default: DATAFLOW_LISTEN, or 127.0.0.1:8080)")
	cfg, log, err := e.serverConfig(set, address)
	if err != nil {
		return err
	}
	var lock *os.File
	if cfg.EmbeddedDatabase() {
		if lock, err = lockDataDir(cfg.DataDir); err != nil {
			return err
		}
		defer func() { _ = lock.Close() }()
	}
	listener, err := listen(cfg, *demo, e.say)
	if err != nil {
		return err
	}
	if err := noteAddress(lock, baseURL(cfg, listener)); err != nil {
		return errors.Join(err, listener.Close())
	}
	return serve(ctx, e, cfg, log, service{role: roleAll, listener: listener, web: true, work: true, demo: *demo})
}

func runWeb(ctx context.Context, e *env) error {
	set := e.flags("web", "[--listen HOST:PORT]",
		"Runs the pages alone. Needs DATABASE_URL, REDIS_URL, STORAGE_URL and the master key\nof the installation. Any number may run.")
	address := set.String("listen", "", "listen on `HOST:PORT` (default: DATAFLOW_LISTEN, or 127.0.0.1:8080)")
	cfg, log, err := e.serverConfig(set, address)
	if err != nil {
		return err
	}
	if err := requireServers(cfg); err != nil {
		return err
	}
	listener, err := listen(cfg, false, e.say)
	if err != nil {
		return err
	}
	return serve(ctx, e, cfg, log, service{role: roleWeb, listener: listener, web: true})
}

func runWorker(ctx context.Context, e *env) error {
	set := e.flags("worker", "",
		"Runs the jobs alone. Needs DATABASE_URL, REDIS_URL, STORAGE_URL and the master key\nof the installation. Any number may run.")
	cfg, log, err := e.serverConfig(set, new(string))
	if err != nil {
		return err
	}
	if err := requireServers(cfg); err != nil {
		return err
	}
	return serve(ctx, e, cfg, log, service{role: roleWork, work: true})
}

// serverConfig reads flags and settings of a long-running role.
func (e *env) serverConfig(set *flag.FlagSet, address *string) (*config.Config, *slog.Logger, error) {
	args, err := e.parse(set)
	if err != nil {
		return nil, nil, err
	}
	if len(args) > 0 {
		return nil, nil, errUsage.With("“dataflow %s” takes flags only.", set.Name())
	}
	if *address != "" {
		e.environ = append(e.environ, "DATAFLOW_LISTEN="+*address)
	}
	return e.configWith()
}

// requireServers refuses embedded servers for roles that are to share theirs.
func requireServers(cfg *config.Config) error {
	var missing []string
	for name, unset := range map[string]bool{
		"DATABASE_URL": cfg.EmbeddedDatabase(), "REDIS_URL": cfg.EmbeddedRedis(), "STORAGE_URL": cfg.StorageDefault,
	} {
		if unset {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	sort.Strings(missing)
	return config.ErrInvalid.With("Set %s. Web and worker processes share these servers; “dataflow serve” runs its own.", strings.Join(missing, ", "))
}

// serveLockName is locked while a server runs on the directory, and holds the
// address of the last one.
const serveLockName = "serve.lock"

// noteAddress keeps the server's address for commands beside it.
func noteAddress(lock *os.File, address string) error {
	if lock == nil {
		return nil
	}
	err := lock.Truncate(0)
	if err == nil {
		_, err = lock.WriteAt([]byte(address+"\n"), 0)
	}
	if err != nil {
		return fmt.Errorf("note the server's address: %w", err)
	}
	return nil
}

// shellBaseURL is what a command takes for the server's address: as
// configured, of the server on this directory, or where one would listen.
func shellBaseURL(cfg *config.Config) string {
	if cfg.BaseURL != "" {
		return cfg.BaseURL
	}
	if cfg.EmbeddedDatabase() {
		if noted, err := os.ReadFile(filepath.Join(cfg.DataDir, serveLockName)); err == nil && len(noted) > 0 {
			return strings.TrimSpace(string(noted))
		}
	}
	return "http://" + cfg.Listen
}

// lockDataDir keeps a second server off the directory. Commands may use it
// beside the server.
func lockDataDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, devstack.ErrDataDir.With("The data directory %s can't be made. Choose another with DATAFLOW_DATA_DIR.", dir).Wrap(err)
	}
	lock, err := devstack.TryLock(filepath.Join(dir, serveLockName))
	if err != nil {
		return nil, devstack.ErrDataDir.With("The data directory %s can't be written. Choose another with DATAFLOW_DATA_DIR.", dir).Wrap(err)
	}
	if lock == nil {
		return nil, errRunning.With("DataFlow runs on the data directory %s already. Stop it, or choose another directory with DATAFLOW_DATA_DIR.", dir)
	}
	return lock, nil
}

// listen opens the address. Where nobody chose it and other says so, the next
// free port is taken instead of one in use.
func listen(cfg *config.Config, other bool, say func(string)) (net.Listener, error) {
	listener, err := net.Listen("tcp", cfg.Listen)
	if err == nil {
		return listener, nil
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return nil, errAddress.With("The address %s can't be listened on. Choose another with DATAFLOW_LISTEN.", cfg.Listen).Wrap(err)
	}
	host, port, splitErr := net.SplitHostPort(cfg.Listen)
	first, numberErr := strconv.Atoi(port)
	if cfg.ListenDefault && other && splitErr == nil && numberErr == nil {
		for next := first + 1; next < first+100; next++ {
			address := net.JoinHostPort(host, strconv.Itoa(next))
			if listener, err := net.Listen("tcp", address); err == nil {
				say(fmt.Sprintf("Port %d is in use, taking %d", first, next))
				return listener, nil
			}
		}
	}
	return nil, errAddress.With("Another program listens on %s. Stop it, or choose another address with DATAFLOW_LISTEN.", cfg.Listen).Wrap(err)
}

// baseURL is how people reach the server: as configured, or where it listens.
func baseURL(cfg *config.Config, listener net.Listener) string {
	if cfg.BaseURL != "" || listener == nil {
		return cfg.BaseURL
	}
	address := listener.Addr().(*net.TCPAddr)
	host := address.IP.String()
	if address.IP.IsUnspecified() {
		host = "localhost"
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(address.Port))
}

// service is what one long-running process does.
type service struct {
	role      role
	listener  net.Listener // nil for a worker
	web, work bool
	demo      bool
	sample    net.Listener // of the sample site, in a demo
}

// serve runs until ctx ends or something that can't be recovered happens.
func serve(ctx context.Context, e *env, cfg *config.Config, log *slog.Logger, s service) (err error) {
	began := time.Now()
	log.LogAttrs(ctx, slog.LevelInfo, "starting", slog.String("version", buildVersion()), slog.Any("config", slog.GroupValue(cfg.LogAttrs()...)))
	if s.listener != nil {
		defer func() { _ = s.listener.Close() }() // closed by the server already, unless it never ran
	}
	a, err := openApp(ctx, cfg, log, s.role, e.say)
	defer func() {
		err = errors.Join(err, a.close(closeTimeout))
		log.Info("stopped")
	}()
	if err != nil {
		return err
	}
	a.baseURL, a.demo = baseURL(cfg, s.listener), s.demo
	if s.demo {
		if s.sample, err = listenSample(s.listener); err != nil {
			return err
		}
		defer func() { _ = s.sample.Close() }() // closed by its server already, unless it never ran
		a.sample = sampleAddress(s.sample)
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Streams end at once when the process stops; everything else may finish.
	stopping, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	a.metrics = prometheus.DefaultRegisterer
	parts, err := a.openServices()
	if err != nil {
		return err
	}
	if s.work {
		if err := parts.openPrinting(); err != nil {
			return err
		}
	}
	metrics, err := listenMetrics(cfg.MetricsListen)
	if err != nil {
		return err
	}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return parts.bus.Run(running) })
	if metrics != nil {
		group.Go(func() error { return telemetry.ServeMetrics(running, metrics) })
	}
	if s.web {
		handler, err := a.handler(stopping, parts)
		if err != nil {
			return err
		}
		server := &http.Server{
			Handler:           withMetrics(handler),
			ReadHeaderTimeout: 10 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		}
		secure, err := a.openHTTPS(a.allowHost(parts))
		if err != nil {
			return err
		}
		if secure != nil {
			group.Go(func() error { return secure.serve(running, server) })
		}
		group.Go(func() error {
			if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve pages: %w", err)
			}
			return nil
		})
		group.Go(func() error {
			<-running.Done()
			stop()
			patience, cancel := context.WithTimeout(context.Background(), cfg.ShutdownTimeout)
			defer cancel()
			if err := server.Shutdown(patience); err != nil {
				log.Warn("requests were cut off", "error", err)
				_ = server.Close()
			}
			return nil
		})
	}
	if s.work {
		work := a.workers(parts, s.role == roleAll && cfg.EmbeddedDatabase())
		group.Go(func() error { return work.Run(running) })
	}
	if err := a.welcome(running, e, parts, s, group); err != nil {
		cancel()
		return errors.Join(err, group.Wait())
	}
	log.Info("ready", "after", time.Since(began).Round(time.Millisecond), "url", a.baseURL)
	<-running.Done()
	if ctx.Err() != nil {
		log.Info("stopping")
	}
	err = group.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // asked to stop, and stopped
	}
	return err
}

// welcome says that the process is ready, once the demo is where one was asked for.
func (a *app) welcome(ctx context.Context, e *env, parts *services, s service, group *errgroup.Group) error {
	if !s.demo {
		if !s.web {
			return nil
		}
		return a.announce(ctx, e, parts)
	}
	d, err := a.announceDemo(ctx, e, parts)
	if err != nil {
		return err
	}
	sample, err := d.sample(ctx, s.sample)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "A sample site of somebody else's, with a dashboard embedded: %s\n", sampleAddress(s.sample))
	group.Go(func() error { return sample.serve(ctx) })
	group.Go(func() error { return d.replay(ctx) })
	return nil
}

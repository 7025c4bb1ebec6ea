package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/handlers"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/config"
	"github.com/dataflowhq/dataflow/platform/devstack"
	"github.com/dataflowhq/dataflow/platform/presence"
	"github.com/dataflowhq/dataflow/platform/telemetry"
	"github.com/dataflowhq/dataflow/workers"
)

// app is one process's parts, wired.
type app struct {
	cfg   *config.Config
	keys  config.Keys
	log   *slog.Logger
	db    *db.DB
	redis *redis.Client
	blobs *blob.Store

	databaseURL, adminURL, redisURL string
	baseURL                         string // how people reach the pages
	sample                          string // address of the sample site, in a demo
	demo                            bool   // a demo shows what others must not see: mail with links that open accounts

	// metrics are those of a process that shows them; nil for commands.
	metrics prometheus.Registerer

	closers []func(context.Context) error // last opened, first closed
}

// databaseTimeout is how long embedded servers may take to come back.
const databaseTimeout = 30 * time.Second

// role is which part of the product a process is. They differ in what may be
// embedded and in who sets up the storage.
type role int

const (
	roleAll  role = iota // serve and the commands: embedded servers allowed, schema and storage are brought up to date
	roleWeb              // web alone: all servers given, nothing is set up
	roleWork             // worker alone: likewise
)

// openApp connects to everything, or starts it. Whatever it returns is closed
// by close, also after an error.
func openApp(ctx context.Context, cfg *config.Config, log *slog.Logger, as role, progress func(string)) (*app, error) {
	a := &app{cfg: cfg, log: log}
	err := a.open(ctx, as, progress)
	return a, err
}

func (a *app) open(ctx context.Context, as role, progress func(string)) error {
	cfg := a.cfg
	var err error
	if a.keys, err = cfg.LoadKeys(devstack.Initialized(cfg.DataDir)); err != nil {
		return err
	}
	a.databaseURL, a.adminURL, a.redisURL = cfg.DatabaseURL.Reveal(), cfg.DatabaseAdminURL.Reveal(), cfg.RedisURL.Reveal()
	if err := a.lease(ctx, progress); err != nil {
		return err
	}
	if err := a.trace(ctx); err != nil {
		return err
	}
	if err := a.openDatabase(ctx, as); err != nil {
		return err
	}
	a.onClose(func(context.Context) error { a.db.Close(); return nil })
	if err := a.measure(); err != nil {
		return err
	}
	options, err := redis.ParseURL(a.redisURL)
	if err != nil {
		return config.ErrInvalid.With("REDIS_URL must be an address such as redis://host:6379/0 or unix:///run/redis.sock.").Wrap(err)
	}
	a.redis = redis.NewClient(options)
	a.onClose(func(context.Context) error { return a.redis.Close() })
	if err := a.openStorage(ctx, as); err != nil {
		return err
	}
	return nil
}

// openDatabase brings the schema up to date and connects. Embedded servers may
// just have died and be on their way back: they are waited for.
func (a *app) openDatabase(ctx context.Context, as role) error {
	database := db.Config{URL: a.databaseURL, MaxConns: int32(a.cfg.Limits.DatabaseConns)}
	if a.cfg.OTLPEndpoint != "" {
		database.Tracer = db.Tracer()
	}
	connect := func() error {
		if as == roleAll {
			if _, err := db.Migrate(ctx, a.adminURL); err != nil {
				return err
			}
		}
		var err error
		a.db, err = db.Open(ctx, database)
		return err
	}
	for deadline := time.Now().Add(databaseTimeout); ; {
		err := connect()
		if !errors.Is(err, db.ErrUnavailable) || !a.cfg.EmbeddedDatabase() || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// lease starts or joins the embedded servers, as far as they are wanted.
func (a *app) lease(ctx context.Context, progress func(string)) error {
	cfg := a.cfg
	if !cfg.EmbeddedDatabase() && !cfg.EmbeddedRedis() {
		return nil
	}
	lease, err := devstack.Use(ctx, devstack.Options{
		DataDir: cfg.DataDir, Postgres: cfg.EmbeddedDatabase(), Redis: cfg.EmbeddedRedis(),
		RedisMaxMemory: int64(cfg.Limits.RedisMemory), Progress: progress, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.onClose(lease.Release)
	if cfg.EmbeddedDatabase() {
		a.databaseURL, a.adminURL = lease.DatabaseURL, lease.AdminURL
	}
	if cfg.EmbeddedRedis() {
		a.redisURL = lease.RedisURL
	}
	return nil
}

func (a *app) openStorage(ctx context.Context, as role) error {
	var err error
	a.blobs, err = blob.Open(ctx, blob.Options{
		URL:      a.cfg.StorageURL.Reveal(),
		CacheDir: filepath.Join(a.cfg.DataDir, "cache"), CacheBytes: int64(a.cfg.Limits.BlobCache),
	})
	if err != nil {
		return err
	}
	a.onClose(func(context.Context) error { return a.blobs.Close() })
	// The id follows from the master key: a mount of another installation, or
	// none at all, is noticed before anything is written there.
	installation := hex.EncodeToString([]byte(a.keys.Derive("installation id").Reveal())[:16])
	if as == roleAll {
		return a.blobs.EnsureMarker(ctx, installation)
	}
	return a.blobs.CheckMarker(installation)
}

func (a *app) onClose(f func(context.Context) error) { a.closers = append(a.closers, f) }

// close lets go of everything, the embedded servers last.
func (a *app) close(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i](ctx); err != nil {
			errs = append(errs, err)
		}
	}
	a.closers = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

// handler is all pages. Streams end with stopping, when the process does.
func (a *app) handler(stopping context.Context, s *services) (http.Handler, error) {
	return handlers.New(handlers.Deps{
		Auth: s.auth, Audit: s.audit, Tenants: s.tenants, Delivery: s.delivery,
		Datasets: s.datasets, Dashboards: s.dashboards, Sharing: s.sharing, Comments: s.comments, Notify: s.notify, Reports: s.reports, Portals: s.portals, Alerts: s.alerts,
		Events: s.bus, Presence: presence.New(a.redis), Stopping: stopping.Done(),
		Health: []telemetry.Check{
			{Name: "database", Ask: a.db.Ping},
			{Name: "redis", Ask: func(ctx context.Context) error { return a.redis.Ping(ctx).Err() }},
			{Name: "storage", Ask: a.blobs.Ping},
		},
		SessionKey:     []byte(a.keys.Session.Reveal()),
		BaseURL:        a.cfg.BaseURL,
		TrustedProxies: a.cfg.TrustedProxies,
		ShowOutbox:     a.demo,
		Embed:          s.embed,
		SampleSite:     a.sample,
	})
}

// workers does the jobs. Under the lock of a data directory the process has
// always the same name, and takes up what a killed one had begun.
func (a *app) workers(s *services, locked bool) *workers.Workers {
	deps := workers.Deps{
		Store: a.db, Redis: a.redis, Bus: s.bus, Log: a.log, PingURL: a.cfg.DeadmanURL.Reveal(), BulkConcurrency: a.cfg.Limits.JobConcurrency,
		Auth: s.auth, Audit: s.audit, Tenants: s.tenants, Delivery: s.delivery, Notify: s.notify, Datasets: s.datasets, Dashboards: s.dashboards, Reports: s.reports, Alerts: s.alerts, Portals: s.portals,
	}
	if locked {
		deps.Name, deps.ReleaseOwn = "serve", true
	}
	return workers.New(deps)
}

// announce tells the person at the terminal where to go, and sets up what the
// first start needs.
func (a *app) announce(ctx context.Context, e *env, s *services) error {
	link, err := s.auth.SetupLink(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "DataFlow is ready: %s\n", a.baseURL)
	if link != "" {
		fmt.Fprintf(e.stdout, "Set it up with this link, which works once: %s\n", link)
	}
	return nil
}

// announceDemo loads the demo and tells how to sign in to it.
func (a *app) announceDemo(ctx context.Context, e *env, s *services) (*demo, error) {
	d := &demo{services: s, auth: s.auth, path: filepath.Join(a.cfg.DataDir, "demo.json"), say: e.say}
	if err := d.seed(ctx, a.baseURL); err != nil {
		return nil, err
	}
	fmt.Fprintf(e.stdout, "DataFlow is ready: %s\n  e-mail    %s\n  password  %s\n", a.baseURL, d.state.Email, d.state.Password)
	if len(d.state.Managers) > 0 {
		fmt.Fprintf(e.stdout, "Others who may sign in, each with rows of their own: %s\n", d.path)
	}
	return d, nil
}

package main

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/comments"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/embed"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/domain/sharing"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/config"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/hosts"
	"github.com/dataflowhq/dataflow/platform/mail"
	"github.com/dataflowhq/dataflow/platform/outbound"
	"github.com/dataflowhq/dataflow/platform/rediscache"
	"github.com/dataflowhq/dataflow/platform/secrets"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/sandbox"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// services are the use cases over one installation, for pages, jobs and
// commands alike.
type services struct {
	tenants    *tenants.Service
	auth       *auth.Service
	audit      *audit.Service
	delivery   *delivery.Service
	datasets   *datasets.Service
	dashboards *dashboards.Service
	sharing    *sharing.Service
	comments   *comments.Service
	notify     *notify.Service
	reports    *reports.Service
	portals    *portals.Service
	embed      *embed.Service
	alerts     *alerts.Service
	engine     *warehouse.Engine
	bus        *events.Bus
	// openPrinting makes reports print too: a command that needs it calls it.
	openPrinting func() error
}

// openServices wires what commands need: workspaces, data and dashboards.
func (a *app) openServices() (*services, error) {
	master, err := secrets.NewMaster([]byte(a.keys.Master.Reveal()))
	if err != nil {
		return nil, err
	}
	s := &services{tenants: tenants.NewService(tenants.Deps{DB: a.db, Master: master}), bus: events.NewBus(a.redis, a.log)}
	if err := a.openPeople(s); err != nil {
		return nil, err
	}
	s.audit = audit.New(audit.Deps{DB: a.db, Boxes: s.tenants, Dial: outbound.NewDialer(a.cfg.OutboundNetworks).DialContext, Log: a.log})
	a.onClose(s.audit.Close)
	limits := a.cfg.Limits
	s.engine = warehouse.New(warehouse.Config{
		Dir:         filepath.Join(a.cfg.DataDir, "engine"),
		DataDirs:    a.segmentDirs(),
		MemoryBytes: int64(limits.Memory),
		Threads:     limits.Threads,
		Timeout:     limits.QueryTimeout,
		CacheBytes:  int64(limits.ResultCache),
		Second:      rediscache.New(a.redis, "dataflow:answer:"),
		SampleAbove: limits.SampleRows,
		Metrics:     a.metrics,

		SampleSlowerThan: limits.SampleTime,
	})
	a.onClose(func(context.Context) error { return s.engine.Close() })
	writer, err := segments.Open(segments.Config{WorkDir: filepath.Join(a.cfg.DataDir, "engine")})
	if err != nil {
		return nil, fmt.Errorf("open segment writer: %w", err)
	}
	a.onClose(func(context.Context) error { return writer.Close() })
	s.datasets = datasets.New(datasets.Deps{
		DB: a.db, Blobs: a.blobs, Engine: s.engine, Sandbox: &sandbox.Client{}, Writer: writer,
		Sources: sources.New(sources.Deps{DB: a.db, Boxes: s.tenants}), Notify: s.notify,
		Settings: datasets.Settings{VersionAge: limits.VersionAge, RecoveryWindow: limits.RecoveryWindow,
			MaxUpload: int64(limits.UploadSize)},
		Log: a.log,
	})
	s.embed = embed.NewService(embed.Deps{DB: a.db, Tenants: s.tenants, Datasets: s.datasets, Passwords: s.auth, Notes: s.audit})
	s.sharing = sharing.New(a.db, s.notify)
	s.dashboards = dashboards.New(dashboards.Deps{DB: a.db, Datasets: s.datasets, Sharing: s.sharing, Log: a.log})
	s.comments = comments.New(comments.Deps{DB: a.db, Dashboards: s.dashboards, Notify: s.notify})
	s.alerts = alerts.New(alerts.Deps{DB: a.db, Tenants: s.tenants, Datasets: s.datasets, Dashboards: s.dashboards, Delivery: s.delivery, Notify: s.notify,
		Address: func() string { return a.baseURL }, Title: views.AlertTitle, Say: views.AlertWords, Log: a.log})
	s.openPrinting = func() error { return a.openReports(s, true) }
	return s, a.openReports(s, false)
}

// openPeople wires sign-in and the mail that goes with it.
func (a *app) openPeople(s *services) error {
	address := func() string { return a.baseURL }
	deps := delivery.Deps{DB: a.db, Tenants: s.tenants, Renderer: views.Letters{Address: address}, Blobs: a.blobs, ShowBodies: a.demo,
		Outbound: outbound.New(outbound.Config{Allow: a.cfg.OutboundNetworks}), Resolver: hosts.NewResolver(a.cfg.DNSServer),
		Secret: []byte(a.keys.Derive("return paths").Reveal()), Log: a.log}
	if smtp := a.cfg.SMTP; smtp.Configured() {
		sender, err := mail.New(mail.Config{Host: smtp.Host, Port: smtp.Port, Username: smtp.Username,
			Password: smtp.Password.Reveal(), From: smtp.From, TLS: smtp.TLS})
		if err != nil {
			return err
		}
		deps.Sender = sender
		if err := a.openBounces(&deps, smtp); err != nil {
			return err
		}
	}
	s.delivery = delivery.NewService(deps)
	s.notify = notify.New(notify.Deps{DB: a.db, Mailer: s.delivery, Address: address})
	s.auth = auth.NewService(auth.Deps{DB: a.db, Tenants: s.tenants, Mailer: s.delivery, Notify: s.notify, BaseURL: address,
		Outbound: outbound.New(outbound.Config{Allow: a.cfg.OutboundNetworks}), Resolver: hosts.NewResolver(a.cfg.DNSServer)})
	s.portals = portals.NewService(portals.Deps{DB: a.db, Tenants: s.tenants, Passwords: s.auth, SSO: s.auth, Mailer: s.delivery, Log: a.log,
		Notify: s.notify, Prover: hostProofs{secret: []byte(a.keys.Derive("host challenges").Reveal()), resolver: hosts.NewResolver(a.cfg.DNSServer), own: a.ownHost()}})
	return nil
}

// openBounces says where mail of the installation comes back to.
func (a *app) openBounces(deps *delivery.Deps, smtp config.SMTP) (err error) {
	if deps.BounceAddress = smtp.BounceAddress; deps.BounceAddress != "" {
		if err := mail.CheckReturnAddress(deps.BounceAddress); err != nil {
			return config.ErrInvalid.With("SMTP_BOUNCE_ADDRESS can't be used. %s", apperr.Describe(err).Sentence).Wrap(err)
		}
	}
	if smtp.BounceMailbox != "" {
		deps.Bounces, err = mail.ParseMailbox(smtp.BounceMailbox.Reveal())
	}
	return err
}

// segmentDirs are where local copies of segments lie: in the storage itself
// when that is a directory, else in the cache of copies.
func (a *app) segmentDirs() []string {
	dirs := []string{filepath.Join(a.cfg.DataDir, "cache")}
	if u, err := url.Parse(a.cfg.StorageURL.Reveal()); err == nil && u.Scheme == "file" {
		dirs = append(dirs, u.Path)
	}
	return dirs
}

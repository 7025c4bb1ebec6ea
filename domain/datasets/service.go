// Package datasets owns the catalogue of datasets: their definitions, their
// versions and the segments these are made of. It brings files in, answers
// specs over them, and sweeps what no version needs any more.
//
// A dataset is a list of immutable segments and a version number, both in
// PostgreSQL. Version v is every segment with added_in <= v < removed_in. A
// change of content publishes files first and then, in one transaction, adds
// and removes rows, bumps the version, writes an event and closes the job that
// asked for it: after a crash either all of it happened or nothing.
package datasets

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// Sandbox inspects and loads files in a limited child process.
type Sandbox interface {
	Inspect(ctx context.Context, request ingest.InspectRequest, progress func(ingest.Progress)) (*ingest.Inspection, error)
	Load(ctx context.Context, request ingest.LoadRequest, progress func(ingest.Progress)) (*ingest.Loaded, error)
}

// Settings say how long things are kept and how large they may be. The zero
// value of a field means the default in its comment.
type Settings struct {
	// VersionAge is how long a replaced version can be read and restored
	// (7 days; never under 24 hours).
	VersionAge time.Duration
	// LiveAge is the same for versions made by small live appends, of which
	// there may be one a second (1 hour). One of them an hour is kept for
	// VersionAge.
	LiveAge time.Duration
	// RecoveryWindow is how far back a restore of PostgreSQL may go (7 days).
	RecoveryWindow time.Duration
	// UploadAge is how long an uploaded file is kept after its last use (7 days).
	UploadAge time.Duration
	// RejectsAge is how long files of rejected records are kept (30 days).
	RejectsAge time.Duration
	// OrphanAge is how long a file may lie in the storage without anything
	// that refers to it (24 hours): a load under way publishes before it commits.
	OrphanAge time.Duration
	// MaxUpload is the most bytes of one uploaded file (50 GB).
	MaxUpload int64
	// Definitions is how many versions of datasets are held in memory (1,024).
	Definitions int
}

func (s Settings) withDefaults() Settings {
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&s.VersionAge, 7 * 24 * time.Hour}, {&s.LiveAge, time.Hour}, {&s.RecoveryWindow, 7 * 24 * time.Hour},
		{&s.UploadAge, 7 * 24 * time.Hour}, {&s.RejectsAge, 30 * 24 * time.Hour}, {&s.OrphanAge, 24 * time.Hour},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if s.MaxUpload == 0 {
		s.MaxUpload = 50e9
	}
	if s.Definitions == 0 {
		s.Definitions = 1024
	}
	return s
}

// Deps is what a Service works with.
type Deps struct {
	DB       *db.DB
	Blobs    *blob.Store
	Engine   *warehouse.Engine
	Sandbox  Sandbox
	Writer   *segments.Writer
	Sources  *sources.Service
	Notify   *notify.Service // nil: nobody is told of their loads
	Settings Settings
	Log      *slog.Logger
	Now      func() time.Time // time.Now when nil
}

// Service is the one way to datasets, for pages, the API, jobs and the shell.
type Service struct {
	db       *db.DB
	blobs    *blob.Store
	engine   *warehouse.Engine
	sandbox  Sandbox
	writer   *segments.Writer
	sources  *sources.Service
	notify   *notify.Service
	settings Settings
	log      *slog.Logger
	now      func() time.Time

	snapshots   coalescer[Snapshot]
	profiles    coalescer[Profile]
	definitions *definitions
	prefixes    prefixes

	// published is called between publishing files and committing rows; tests
	// end the process there.
	published func()
	// checked is called between looking through a dataset and holding it; tests
	// change it there.
	checked func()
	// every ticks while a lease is held.
	every func(time.Duration) (ticks <-chan time.Time, stop func())
}

// New makes a Service.
func New(deps Deps) *Service {
	s := &Service{
		db: deps.DB, blobs: deps.Blobs, engine: deps.Engine, sandbox: deps.Sandbox, writer: deps.Writer,
		sources: deps.Sources, notify: deps.Notify, settings: deps.Settings.withDefaults(), log: deps.Log, now: deps.Now,
		published: func() {}, checked: func() {}, every: every,
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.definitions = newDefinitions(s.settings.Definitions)
	return s
}

// inTx runs work in a transaction of the actor's workspace, in which what the
// actor may not see does not exist.
func (s *Service) inTx(ctx context.Context, actor access.Actor, work func(context.Context, *db.Tx) error) error {
	return s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), work)
}

// userOf is the person behind an actor as the database has it, nil for none.
func userOf(actor access.Actor) *uuid.UUID {
	if actor.UserID.IsZero() {
		return nil
	}
	id := actor.UserID.UUID()
	return &id
}

func optional[K ~[16]byte](id K) *uuid.UUID {
	if u := uuid.UUID(id); u != uuid.Nil {
		return &u
	}
	return nil
}

func fromOptional[T ~[16]byte](id *uuid.UUID) T {
	if id == nil {
		return T{}
	}
	return T(*id)
}

// moment is now, as precise as PostgreSQL keeps it.
func (s *Service) moment() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

package workers

import (
	"context"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/mail"
	"github.com/dataflowhq/dataflow/platform/mail/mailtest"
	"github.com/dataflowhq/dataflow/platform/redistest"
	"github.com/dataflowhq/dataflow/platform/secrets"
	"github.com/dataflowhq/dataflow/views"
)

type world struct {
	url     string // of the database's owner
	db      *db.DB
	deps    Deps
	bus     *events.Bus
	mail    *mailtest.Server
	tenants []tenants.Tenant
}

func setup(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	master, err := secrets.NewMaster(key)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{url: dbtest.URL(t), mail: mailtest.Start(t, mailtest.Options{})}
	if w.db, err = db.Open(t.Context(), db.Config{URL: w.url, MaxConns: 8}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.db.Close)
	redis := redistest.New(t)
	w.bus = events.NewBus(redis, slog.New(slog.DiscardHandler))
	directory := tenants.NewService(tenants.Deps{DB: w.db, Master: master})
	for _, name := range []string{"Acme", "Globex"} {
		tenant, err := directory.Create(t.Context(), tenants.New{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		w.tenants = append(w.tenants, tenant)
	}
	sender, err := mail.New(mail.Config{Host: w.mail.Host, Port: w.mail.Port, From: "bi@example.com", RootCAs: w.mail.RootCAs})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	blobs, err := blob.Open(t.Context(), blob.Options{URL: "file://" + filepath.Join(dir, "storage"), CacheDir: filepath.Join(dir, "cache")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = blobs.Close() })
	address := func() string { return "https://bi.example.com" }
	w.deps = Deps{
		Store: w.db, Redis: redis, Bus: w.bus, Log: slog.New(slog.DiscardHandler), Tenants: directory,
		Datasets: datasets.New(datasets.Deps{DB: w.db, Blobs: blobs, Log: slog.New(slog.DiscardHandler)}),
		Auth:     auth.NewService(auth.Deps{DB: w.db, Tenants: directory, BaseURL: address}),
		Delivery: delivery.NewService(delivery.Deps{DB: w.db, Tenants: directory, Sender: sender,
			Renderer: views.Letters{Address: address}}),
	}
	return w
}

// run starts what a process with web and worker role runs.
func (w *world) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { _ = w.bus.Run(ctx) })
	all.Go(func() {
		if err := New(w.deps).Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		all.Wait()
	})
}

// A mail that a page asks for leaves by the mail server, and an open page
// hears that its job is done.
func TestQueuedMailIsSent(t *testing.T) {
	w := setup(t)
	w.run(t)
	tenant := w.tenants[0].ID
	heard := w.bus.Subscribe(t.Context(), tenant.UUID())
	if e := <-heard; e.Kind != events.Resync {
		t.Fatalf("first event is %+v", e)
	}
	err := w.db.InTenantTx(t.Context(), tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		_, err := w.deps.Delivery.Queue(ctx, tx, delivery.Recipient{Address: "ada@example.com", Locale: "en-GB"},
			delivery.PasswordReset{Name: "Ada", Link: "https://bi.example.com/reset?token=t1", Until: time.Now().Add(time.Hour)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.mail.Next(t); got.To != "ada@example.com" || !strings.Contains(got.Data, "Reset your DataFlow password") {
		t.Errorf("got %+v", got)
	}
	if e := <-heard; e.Kind != events.JobProgress {
		t.Errorf("heard %+v", e)
	}
}

func TestSlotIsTakenOnce(t *testing.T) {
	w := setup(t)
	slot := time.Now().UTC().Truncate(24 * time.Hour)
	daily := schedule{every: 24 * time.Hour, args: delivery.PruneArgs{}, queue: jobs.Short, perTenant: true}
	hourly := schedule{every: 24 * time.Hour, args: pruneArgs{}, queue: jobs.Short}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, s := range []schedule{daily, hourly} {
				if err := w.deps.take(t.Context(), s, slot); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	count := func(tenantID uuid.UUID) (n int) {
		err := w.db.InControlTx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			tx.TenantID = tenantID
			open, err := tx.OpenJobs(ctx, 100)
			n = len(open)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, id := range []uuid.UUID{uuid.Nil, w.tenants[0].ID.UUID(), w.tenants[1].ID.UUID()} {
		if n := count(id); n != 1 {
			t.Errorf("%s has %d jobs, want 1", id, n)
		}
	}
	// An older slot is over; a newer one is taken, without a second job beside
	// the one that has not begun.
	if err := w.deps.take(t.Context(), daily, slot.Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if mine, err := w.db.ScheduleJobs(t.Context(), daily.args.Kind(), slot.Add(24*time.Hour), nil); err != nil || !mine {
		t.Errorf("next slot: %t, %v", mine, err)
	}
	if n := count(w.tenants[0].ID.UUID()); n != 1 {
		t.Errorf("%d jobs wait, want 1", n)
	}
}

func TestHousekeepingRuns(t *testing.T) {
	w := setup(t)
	if err := (housekeeping{w.deps}).run(t.Context(), jobs.Job[pruneArgs]{}); err != nil {
		t.Fatal(err)
	}
}

// What was deleted goes for good some day: each package that keeps it has a job.
func TestDeletedThingsArePurgedByTheClock(t *testing.T) {
	scheduled := map[string]bool{}
	for _, s := range schedules() {
		scheduled[s.args.Kind()] = s.perTenant
	}
	for _, kind := range []string{"dashboards:purge", "datasets:sweep"} {
		if !scheduled[kind] {
			t.Errorf("%s never runs", kind)
		}
	}
}

// Every scheduled kind must be one that somebody does.
func TestSchedulesAreBound(t *testing.T) {
	w := setup(t)
	runner := jobs.NewRunner(jobs.Config{Store: w.db})
	register(runner, w.deps)
	bound := map[string]bool{}
	for _, kind := range runner.Kinds() {
		bound[kind] = true
		if !jobs.ValidKind(kind) {
			t.Errorf("kind %q is not <feature>:<verb>", kind)
		}
	}
	for _, s := range schedules() {
		if !bound[s.args.Kind()] {
			t.Errorf("nobody does %s", s.args.Kind())
		}
		if s.every < time.Minute {
			t.Errorf("%s runs every %s", s.args.Kind(), s.every)
		}
	}
}

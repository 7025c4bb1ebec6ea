// Package workers runs what happens without a request: jobs, the relay of
// events, and the clock. A worker decodes, calls one service method, and
// reports; every process with the worker role runs one Workers.
package workers

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/jobs"

	"github.com/google/uuid"
)

// Store is what the database does for workers.
type Store interface {
	jobs.Store
	events.Outbox
	Schedule
	// SilentTenants counts workspaces for which a kind of job has not ended well
	// within a time.
	SilentTenants(ctx context.Context, kind string, within time.Duration) (int64, error)
	// Listen calls the function of a channel for each notification on it.
	Listen(ctx context.Context, channels map[string]func(payload string)) error
}

// Deps are what workers run on, and the services that do the work.
type Deps struct {
	Store Store
	Redis jobs.Redis
	Bus   *events.Bus // told of progress; somebody else runs it
	Log   *slog.Logger

	// Name stands with the leases of this process; random when empty. Under
	// the lock of a data directory it is always the same, and ReleaseOwn then
	// takes up at once what a killed predecessor had begun.
	Name       string
	ReleaseOwn bool
	// PingURL hears regularly that schedules are watched; empty: nobody does.
	PingURL string
	// BulkConcurrency is how many loads and the like run at once; 0 for the default.
	BulkConcurrency int

	Audit      *audit.Service
	Auth       *auth.Service
	Tenants    *tenants.Service
	Datasets   *datasets.Service
	Dashboards *dashboards.Service
	Delivery   *delivery.Service
	Notify     *notify.Service
	Reports    *reports.Service
	Alerts     *alerts.Service
	Portals    *portals.Service
}

// Workers is the worker role of one process.
type Workers struct {
	deps   Deps
	server *jobs.Server
	relay  *events.Relay
}

// New binds every kind of job; nothing happens before Run.
func New(deps Deps) *Workers {
	if deps.Log == nil {
		deps.Log = slog.Default()
	}
	runner := jobs.NewRunner(jobs.Config{
		Store: deps.Store, Worker: deps.Name, Log: deps.Log,
		Enter: func(ctx context.Context, kind string, ref jobs.Ref) context.Context {
			return audit.WithOrigin(ctx, &audit.Origin{RequestID: ref.ID.String(), Agent: "job " + kind})
		},
		Changed: func(ctx context.Context, tenantID, jobID uuid.UUID) {
			// Lost with Redis: the row has it, and pages look there too.
			if err := deps.Bus.Publish(ctx, events.Event{TenantID: tenantID, Kind: events.JobProgress, ID: jobID}); err != nil {
				deps.Log.DebugContext(ctx, "tell of job progress", "error", err)
			}
		},
	})
	register(runner, deps)
	queues := jobs.DefaultQueues()
	if n := deps.BulkConcurrency; n > 0 {
		// One tenant leaves room for another, where there is any.
		queues[jobs.Bulk] = jobs.QueueConfig{Concurrency: n, PerTenant: max(1, n-1)}
	}
	return &Workers{
		deps: deps,
		server: jobs.NewServer(jobs.ServerConfig{
			Redis: deps.Redis, Store: deps.Store, Runner: runner, Log: deps.Log, Queues: queues, ReleaseOwn: deps.ReleaseOwn,
		}),
		relay: events.NewRelay(deps.Store, deps.Bus, deps.told(), deps.Log),
	}
}

// Run works until ctx ends; jobs that run then go back to the queue.
func (w *Workers) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return w.deps.Store.Listen(ctx, map[string]func(string){
			jobs.Channel:   w.server.Notify,
			events.Channel: func(string) { w.relay.Wake() },
		})
	})
	group.Go(func() error { return w.server.Run(ctx) })
	group.Go(func() error { return w.relay.Run(ctx) })
	group.Go(func() error { return runSchedules(ctx, w.deps, schedules()) })
	return group.Wait()
}

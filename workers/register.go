package workers

import (
	"context"
	"fmt"
	"time"

	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// register binds each kind of job to the service method that does it.
func register(r *jobs.Runner, d Deps) {
	jobs.Bind(r, delivery.SendOptions, d.Delivery.RunSend) // from Queue
	jobs.OnFailed(r, d.Delivery.RecordFailure)
	jobs.Bind(r, jobs.Options{}, d.Delivery.RunPrune)                                 // daily, for each workspace
	jobs.Bind(r, delivery.ReadBouncesOptions, d.Delivery.RunReadBounces)              // every five minutes, for each workspace
	jobs.Bind(r, jobs.Options{}, d.Reports.RunBounced)                                // from what is read there, and from a provider's webhook
	jobs.Bind(r, jobs.Options{}, d.Reports.RunTellBounces)                            // from RunBounced
	jobs.Bind(r, delivery.ReadBouncesOptions, housekeeping{d}.readBounces)            // every five minutes
	jobs.Bind(r, jobs.Options{MaxAttempts: 3, Timeout: time.Minute}, deadman{d}.ping) // every five minutes

	jobs.Bind(r, jobs.Options{}, d.Notify.RunPrune) // daily, for each workspace

	jobs.Bind(r, jobs.Options{Timeout: time.Minute, MaxAttempts: 3}, d.Auth.RunRefresh) // every six hours, for each workspace

	jobs.Bind(r, jobs.Options{Timeout: 5 * time.Minute, MaxAttempts: 3}, d.Portals.RunCheckHosts) // hourly, for each workspace

	jobs.Bind(r, datasets.InspectOptions, d.Datasets.RunInspect) // from StartUpload, InspectUpload
	jobs.OnFailed(r, d.Datasets.InspectFailed)
	jobs.Bind(r, datasets.LoadOptions, d.Datasets.RunLoad) // from StartLoad
	jobs.OnFailed(r, d.Datasets.LoadFailed)
	jobs.Bind(r, datasets.MergeOptions, d.Datasets.RunMerge)        // from any change of content
	jobs.Bind(r, datasets.SweepOptions, d.Datasets.RunSweep)        // hourly, for each workspace
	jobs.Bind(r, datasets.SweepOptions, d.Datasets.RunSweepOrphans) // daily, for each workspace

	jobs.Bind(r, jobs.Options{}, d.Dashboards.RunPurge) // daily, for each workspace

	jobs.Bind(r, reports.RenderOptions, d.Reports.RunRender) // from Request
	jobs.OnFailed(r, d.Reports.RenderFailed)
	jobs.Bind(r, jobs.Options{}, d.Reports.RunPrune) // daily, for each workspace

	jobs.Bind(r, reports.StartOptions, d.Reports.RunStart) // each asks for the next one of its schedule
	jobs.Bind(r, reports.RunOptions, d.Reports.RunRun)     // from RunStart, RunWatch, SendNow, RetryDelivery
	jobs.OnFailed(r, d.Reports.RunFailed)
	jobs.Bind(r, reports.DeliverOptions, d.Reports.RunDeliver) // from RunRun, RetryDelivery
	jobs.OnFailed(r, d.Reports.DeliverFailed)
	jobs.Bind(r, reports.WatchOptions, d.Reports.RunWatch) // every five minutes and when data changed, for each workspace

	jobs.Bind(r, audit.ForwardOptions, d.Audit.RunForward)                                   // from sealing
	jobs.Bind(r, jobs.Options{MaxAttempts: 1, Timeout: 10 * time.Minute}, auditLog{d}.seal)  // every minute
	jobs.Bind(r, jobs.Options{MaxAttempts: 3, Timeout: 30 * time.Minute}, auditLog{d}.prune) // daily
	jobs.Bind(r, alerts.EvaluateOptions, d.Alerts.RunEvaluate)                               // when data changed, and by the clock: each asks for the next
	jobs.Bind(r, alerts.DeliverOptions, d.Alerts.RunDeliver)                                 // from RunEvaluate
	jobs.OnFailed(r, d.Alerts.DeliverFailed)
	jobs.Bind(r, jobs.Options{}, d.Alerts.RunPrune) // daily, for each workspace

	jobs.Bind(r, jobs.Options{MaxAttempts: 3}, housekeeping{d}.run) // hourly
}

// pruneArgs asks for everything to be forgotten that nobody asks for any more.
type pruneArgs struct{}

// Kind names the job.
func (pruneArgs) Kind() string { return "platform:prune" }

const (
	keepJobs   = 14 * 24 * time.Hour // after their end
	keepEvents = time.Hour           // after they went out
)

// bouncesArgs asks for the installation's mailbox to be read.
type bouncesArgs struct{}

// Kind names the job.
func (bouncesArgs) Kind() string { return "platform:read_bounces" }

func (h housekeeping) readBounces(ctx context.Context, _ jobs.Job[bouncesArgs]) error {
	return h.Delivery.ReadInstallationBounces(ctx)
}

// housekeeping prunes what belongs to no feature.
type housekeeping struct{ Deps }

func (h housekeeping) run(ctx context.Context, _ jobs.Job[pruneArgs]) error {
	if _, err := h.Store.PruneJobs(ctx, keepJobs); err != nil {
		return fmt.Errorf("prune jobs: %w", err)
	}
	if _, err := h.Store.PruneOutbox(ctx, keepEvents); err != nil {
		return fmt.Errorf("prune events: %w", err)
	}
	return h.Auth.Prune(ctx)
}

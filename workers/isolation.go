package workers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// JobAttempt is one job of a workspace that names objects of another, and how it
// ended.
type JobAttempt struct {
	Kind   string `json:"kind"`
	State  string `json:"state"`
	Answer string `json:"answer,omitempty"`
	Held   bool   `json:"held"`
	Why    string `json:"why,omitempty"`
}

// attackArgs are arguments of every kind, with ids that key gives.
func attackArgs(key func(string) uuid.UUID) []jobs.Args {
	return []jobs.Args{
		delivery.SendArgs{MessageID: ids.Message(key("delivery_messages.message_id"))}, delivery.PruneArgs{}, notify.PruneArgs{},
		datasets.InspectArgs{UploadID: ids.Upload(key("uploads.upload_id"))}, datasets.LoadArgs{LoadID: ids.Load(key("loads.load_id"))},
		datasets.MergeArgs{DatasetID: ids.Dataset(key("datasets.dataset_id"))}, datasets.SweepArgs{}, datasets.OrphansArgs{}, dashboards.PurgeArgs{},
		reports.RenderArgs{ReportID: ids.Report(key("reports.report_id"))}, reports.PruneArgs{}, reports.WatchArgs{},
		reports.StartArgs{Schedule: ids.Schedule(key("report_schedules.schedule_id")), DueAt: time.Now()},
		reports.RunArgs{Run: ids.Run(key("report_runs.run_id"))}, reports.DeliverArgs{Delivery: ids.Delivery(key("report_deliveries.delivery_id"))},
		alerts.EvaluateArgs{Dataset: ids.Dataset(key("datasets.dataset_id"))}, alerts.DeliverArgs{Notice: ids.Notice(key("alert_notices.notice_id"))}, alerts.PruneArgs{},
		audit.ForwardArgs{}, auth.RefreshArgs{}, portals.CheckHostsArgs{},
		delivery.ReadBouncesArgs{}, delivery.BouncedArgs{Bounce: ids.Bounce(key("mail_bounces.bounce_id"))}, reports.BouncesArgs{Run: ids.Run(key("report_runs.run_id"))},
	}
}

// ofInstallation are kinds that take no id and work for no workspace: only the
// clock asks for them.
var ofInstallation = []string{pruneArgs{}.Kind(), sealArgs{}.Kind(), auditPruneArgs{}.Kind(), bouncesArgs{}.Kind(), pingArgs{}.Kind()}

// AttackQueue is what an attack needs of the queue.
type AttackQueue interface {
	// Ask inserts a job of the attacking workspace.
	Ask(ctx context.Context, args jobs.Args) (uuid.UUID, error)
	Status(ctx context.Context, id uuid.UUID) (jobs.Status, error)
	Cancel(ctx context.Context, id uuid.UUID) error
}

// Attack runs a job of every kind for a workspace, with ids of another. A kind
// that it has no arguments for is not covered, and that is a failure. What the
// jobs may have changed is the caller's to compare.
func Attack(ctx context.Context, d Deps, queue AttackQueue, key func(string) uuid.UUID, emit func(JobAttempt)) error {
	runner := jobs.NewRunner(jobs.Config{Store: d.Store, Log: d.Log})
	register(runner, d)
	known := map[string]jobs.Args{}
	for _, args := range attackArgs(key) {
		known[args.Kind()] = args
	}
	kinds := runner.Kinds()
	slices.Sort(kinds)
	for _, kind := range kinds {
		args, covered := known[kind]
		switch {
		case slices.Contains(ofInstallation, kind):
			emit(JobAttempt{Kind: kind, State: "not asked", Held: true, Answer: "It takes no id and works for no workspace."})
			continue
		case !covered:
			emit(JobAttempt{Kind: kind, Why: "not covered: there are no arguments to try"})
			continue
		}
		attempt, err := attackJob(ctx, runner, queue, args)
		if err != nil {
			return fmt.Errorf("try %s: %w", kind, err)
		}
		emit(attempt)
	}
	return nil
}

func attackJob(ctx context.Context, runner *jobs.Runner, queue AttackQueue, args jobs.Args) (JobAttempt, error) {
	a := JobAttempt{Kind: args.Kind()}
	id, err := queue.Ask(ctx, args)
	if err != nil {
		return a, err
	}
	// A server that runs may have taken it already: then its first attempt ends there.
	runner.Do(ctx, id, args.Kind(), 0)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		status, err := queue.Status(ctx, id)
		if err != nil {
			return a, err
		}
		if status.State.Final() || status.State == jobs.Queued && status.Attempt > 0 {
			a.State, a.Answer, a.Held = string(status.State), status.ErrorCode, true
			if !status.State.Final() {
				return a, queue.Cancel(ctx, id)
			}
			return a, nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return a, ctx.Err()
		}
	}
}

package workers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// schedule is a job that is inserted by the clock.
type schedule struct {
	every     time.Duration // slots begin at multiples of it, UTC
	args      jobs.Args
	queue     jobs.Queue
	perTenant bool // one job for each workspace; else one for DataFlow itself
}

// schedules is what runs when.
func schedules() []schedule {
	return []schedule{
		{every: time.Hour, args: pruneArgs{}, queue: jobs.Short},
		{every: time.Minute, args: sealArgs{}, queue: jobs.Short},
		{every: 24 * time.Hour, args: auditPruneArgs{}, queue: jobs.Bulk},
		{every: 24 * time.Hour, args: delivery.PruneArgs{}, queue: jobs.Short, perTenant: true},
		{every: 24 * time.Hour, args: notify.PruneArgs{}, queue: jobs.Short, perTenant: true},
		{every: 6 * time.Hour, args: auth.RefreshArgs{}, queue: jobs.Short, perTenant: true},
		{every: time.Hour, args: portals.CheckHostsArgs{}, queue: jobs.Bulk, perTenant: true},
		{every: time.Hour, args: reports.PruneArgs{}, queue: jobs.Short, perTenant: true},
		{every: 24 * time.Hour, args: alerts.PruneArgs{}, queue: jobs.Short, perTenant: true},
		{every: 5 * time.Minute, args: alerts.EvaluateArgs{}, queue: jobs.Short, perTenant: true}, // finds what is overdue
		{every: 5 * time.Minute, args: reports.WatchArgs{}, queue: jobs.Bulk, perTenant: true},
		{every: 24 * time.Hour, args: dashboards.PurgeArgs{}, queue: jobs.Short, perTenant: true},
		{every: 5 * time.Minute, args: delivery.ReadBouncesArgs{}, queue: jobs.Bulk, perTenant: true},
		{every: 5 * time.Minute, args: bouncesArgs{}, queue: jobs.Bulk},
		{every: pingEvery, args: pingArgs{}, queue: jobs.Bulk},
		{every: time.Hour, args: datasets.SweepArgs{}, queue: jobs.Bulk, perTenant: true},
		{every: 24 * time.Hour, args: datasets.OrphansArgs{}, queue: jobs.Bulk, perTenant: true},
	}
}

// Schedule remembers which slot of a schedule was taken last.
type Schedule interface {
	// ScheduleJobs inserts the rows unless the slot was taken before, by any
	// process, and answers whether it did.
	ScheduleJobs(ctx context.Context, name string, slot time.Time, rows []jobs.Row) (bool, error)
}

// runSchedules inserts due jobs until ctx ends. A slot that was missed because
// nothing ran is made up for once, and then it is over.
func runSchedules(ctx context.Context, d Deps, list []schedule) error {
	for {
		now := time.Now()
		next := now.Add(24 * time.Hour)
		for _, s := range list {
			slot := now.UTC().Truncate(s.every)
			if err := d.take(ctx, s, slot); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				d.Log.WarnContext(ctx, "schedule", "kind", s.args.Kind(), "error", err)
				next = now.Add(time.Minute) // the slot is still free
				continue
			}
			next = earlier(next, slot.Add(s.every))
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (d Deps) take(ctx context.Context, s schedule, slot time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	row := jobs.Row{TenantID: uuid.Nil, Args: s.args, Queue: s.queue, UniqueKey: "schedule"}
	rows := []jobs.Row{row}
	if s.perTenant {
		all, err := d.Tenants.List(ctx)
		if err != nil {
			return fmt.Errorf("list workspaces: %w", err)
		}
		rows = rows[:0]
		for _, tenant := range all {
			row.TenantID = tenant.ID.UUID()
			row.RunAt = slot.Add(rand.N(s.every / 20)) // not all workspaces at once
			rows = append(rows, row)
		}
	}
	if _, err := d.Store.ScheduleJobs(ctx, s.args.Kind(), slot, rows); err != nil {
		return fmt.Errorf("insert jobs: %w", err)
	}
	return nil
}

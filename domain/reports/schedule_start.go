package reports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// StartOptions are for the binding of StartArgs.
var StartOptions = jobs.Options{Timeout: time.Minute, MaxAttempts: 20, Backoff: time.Second, MaxBackoff: time.Minute}

// StartArgs begins the run of a schedule that is due then, and asks for the one
// after it. Idempotent by both.
type StartArgs struct {
	Schedule ids.Schedule `json:"schedule"`
	DueAt    time.Time    `json:"due_at"`
}

// Kind names the job.
func (StartArgs) Kind() string { return "reports:start" }

// ownerOf is who owns a schedule, as they are now: a member, or a visitor who has
// it mailed to themselves; nobody once that one was removed.
//
// Errors: reports.owner_left, reports.portal_off.
func (s *Service) ownerOf(ctx context.Context, tenant ids.Tenant, member, visitor uuid.UUID) (access.Actor, error) {
	if visitor != uuid.Nil {
		visit, err := s.mails(ctx, access.Actor{Kind: access.Visitor, TenantID: tenant, VisitorID: ids.Visitor(visitor)})
		if errors.Is(err, portals.ErrVisitorNotFound) {
			err = errOwnerLeft.Wrap(err)
		}
		return visit.Actor, err
	}
	if member == uuid.Nil {
		return access.Actor{}, errOwnerLeft
	}
	owner, err := s.deps.Tenants.GetActor(ctx, tenant, ids.User(member))
	if errors.Is(err, tenants.ErrMemberNotFound) {
		return owner, errOwnerLeft.Wrap(err)
	}
	if err == nil && access.Can(owner, access.EditContent) != nil {
		err = errOwnerLeft
	}
	return owner, err
}

// errOwnerLeft is an owner who is gone, or may no longer schedule.
var errOwnerLeft = apperr.Define(apperr.Gone, "reports.owner_left",
	"The person who owns this scheduled report left, or may no longer schedule reports.")

// RunStart begins a run exactly once: run, next moment and next job are written
// by one transaction. Others of the workspace that are due at the same moment
// are begun with it, and their jobs have nothing left to do: at eight o'clock
// there are many.
func (s *Service) RunStart(ctx context.Context, job jobs.Job[StartArgs]) error {
	var row db.ScheduleGetRow
	err := s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		row, err = tx.ScheduleGet(ctx, tx.TenantID, job.Args.Schedule.UUID())
		if db.IsNoRows(err) || err == nil && (row.PausedAt != nil || row.NextAt == nil || !row.NextAt.Equal(job.Args.DueAt)) {
			row.ScheduleID = uuid.Nil
			return job.Complete(ctx, tx)
		}
		return err
	})
	if err != nil || row.ScheduleID == uuid.Nil {
		return err
	}
	stops, owner, err := s.stopped(ctx, ids.Tenant(job.TenantID), row)
	if err != nil {
		return err
	}
	var zone *time.Location
	if stops == "" {
		if zone, err = s.zone(ctx, owner, row.Zone); err != nil {
			return err
		}
	}
	beside, err := s.dueBeside(ctx, job)
	if err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		locked, err := tx.ScheduleLock(ctx, tx.TenantID, row.ScheduleID)
		if err != nil && !db.IsNoRows(err) {
			return fmt.Errorf("read schedule: %w", err)
		}
		if err != nil || locked.PausedAt != nil || locked.NextAt == nil || !locked.NextAt.Equal(job.Args.DueAt) {
			return job.Complete(ctx, tx)
		}
		if stops != "" {
			if err := s.pauseAndTell(ctx, tx, row, stops); err != nil {
				return err
			}
			return job.Complete(ctx, tx)
		}
		if _, err := s.insertRun(ctx, tx, db.RunInsertParams{ScheduleID: row.ScheduleID, Slot: slotOf(job.Args.DueAt),
			Cause: "time", DueAt: job.Args.DueAt}); err != nil {
			return err
		}
		// What passed while nothing ran is made up for once.
		after := job.Args.DueAt
		if now := s.deps.Clock(); now.After(after) {
			after = now
		}
		next, err := nextOf(locked, after, zone)
		if err != nil {
			return err
		}
		if err := tx.ScheduleSetNext(ctx, next, tx.TenantID, row.ScheduleID); err != nil {
			return fmt.Errorf("set next run: %w", err)
		}
		if err := startAt(ctx, tx, job.Args.Schedule, next); err != nil {
			return err
		}
		if err := s.startBeside(ctx, tx, job.Args.DueAt, beside); err != nil {
			return err
		}
		return job.Complete(ctx, tx)
	})
}

// mostBeside is how many schedules one job begins besides its own.
const mostBeside = 499

// besides is what is known of schedules that are due at the moment of another
// one: their zones, by schedule.
type besides map[uuid.UUID]*time.Location

// dueBeside reads schedules that are due at the moment of the job's. One with
// which anything is wrong is left to its own job.
func (s *Service) dueBeside(ctx context.Context, job jobs.Job[StartArgs]) (besides, error) {
	var rows []db.ScheduleListDueBesideRow
	err := s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		rows, err = tx.ScheduleListDueBeside(ctx, db.ScheduleListDueBesideParams{TenantID: tx.TenantID, DueAt: job.Args.DueAt,
			ScheduleID: job.Args.Schedule.UUID(), RowLimit: mostBeside})
		return err
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	keys := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		keys[i] = row.ScheduleID
	}
	left, err := s.withRecipients(ctx, ids.Tenant(job.TenantID), keys)
	if err != nil {
		return nil, err
	}
	sent := make(map[uuid.UUID]bool, len(left))
	for _, id := range left {
		sent[id] = true
	}
	type seen struct{ owner, dashboard uuid.UUID }
	type clock struct {
		owner uuid.UUID
		zone  string
	}
	owners, visible, zones, found := map[uuid.UUID]access.Actor{}, map[seen]bool{}, map[clock]*time.Location{}, besides{}
	for _, row := range rows {
		owner, known := owners[row.OwnerID]
		if !known {
			if owner, err = s.ownerOf(ctx, ids.Tenant(job.TenantID), row.OwnerID, uuid.Nil); err != nil {
				owner = access.Actor{}
			}
			owners[row.OwnerID] = owner
		}
		if owner.TenantID.IsZero() {
			continue
		}
		key := seen{row.OwnerID, row.DashboardID}
		there, known := visible[key]
		if !known {
			_, err := s.deps.Dashboards.Get(ctx, owner, ids.Dashboard(row.DashboardID))
			there = err == nil
			visible[key] = there
		}
		at := clock{row.OwnerID, row.Zone}
		zone, known := zones[at]
		if !known {
			if zone, err = s.zone(ctx, owner, row.Zone); err != nil {
				zone = nil
			}
			zones[at] = zone
		}
		if there && zone != nil && sent[row.ScheduleID] {
			found[row.ScheduleID] = zone
		}
	}
	return found, ctx.Err()
}

// startBeside begins the runs of those that are still due and that no other job
// has.
func (s *Service) startBeside(ctx context.Context, tx *db.Tx, due time.Time, beside besides) error {
	if len(beside) == 0 {
		return nil
	}
	locked, err := tx.ScheduleLockDue(ctx, tx.TenantID, slices.Collect(maps.Keys(beside)), due)
	if err != nil {
		return fmt.Errorf("read schedules: %w", err)
	}
	after := due
	if now := s.deps.Clock(); now.After(after) {
		after = now
	}
	runs := db.RunInsertOfParams{TenantID: tx.TenantID, Slot: slotOf(due), DueAt: due}
	var nexts []time.Time
	var starts, jobsOfRuns []jobs.Row
	var done []string
	for _, row := range locked {
		next, err := nextOf(db.ScheduleLockRow(row), after, beside[row.ScheduleID])
		if err != nil || next == nil {
			continue // its own job says what is wrong
		}
		id := ids.Schedule(row.ScheduleID)
		runs.Runs, runs.Schedules = append(runs.Runs, ids.New[ids.Run]().UUID()), append(runs.Schedules, row.ScheduleID)
		nexts = append(nexts, *next)
		starts = append(starts, startJob(tx.TenantID, id, *next))
		done = append(done, startKey(id, due))
	}
	if len(nexts) == 0 {
		return nil
	}
	inserted, err := tx.RunInsertOf(ctx, runs)
	if err != nil {
		return fmt.Errorf("insert runs: %w", err)
	}
	for _, run := range inserted {
		jobsOfRuns = append(jobsOfRuns, runJob(tx.TenantID, run))
	}
	if err := tx.ScheduleSetNextOf(ctx, tx.TenantID, runs.Schedules, nexts); err != nil {
		return fmt.Errorf("set next runs: %w", err)
	}
	if err := tx.CloseJobs(ctx, StartArgs{}.Kind(), done); err != nil {
		return fmt.Errorf("close jobs: %w", err)
	}
	return errors.Join(jobs.InsertAll(ctx, tx, jobsOfRuns), jobs.InsertAll(ctx, tx, starts))
}

// slotOf names the run of a moment.
func slotOf(due time.Time) string { return "time:" + due.UTC().Format(time.RFC3339) }

// stopped tells why a schedule can't go on; "" where it can.
func (s *Service) stopped(ctx context.Context, tenant ids.Tenant, row db.ScheduleGetRow) (delivery.Trouble, access.Actor, error) {
	owner, err := s.ownerOf(ctx, tenant, row.OwnerID, row.OwnerVisitorID)
	if errors.Is(err, errOwnerLeft) {
		return delivery.OwnerLeft, owner, nil
	}
	if errors.Is(err, ErrPortalOff) {
		return delivery.PortalOff, owner, nil
	}
	if err != nil {
		return "", owner, err
	}
	left, err := s.withRecipients(ctx, tenant, []uuid.UUID{row.ScheduleID})
	if err != nil {
		return "", owner, err
	}
	if len(left) == 0 {
		return delivery.NobodyLeft, owner, nil
	}
	var spec Spec
	if err := json.Unmarshal(row.Spec, &spec); err != nil {
		return "", owner, jobs.Permanent(fmt.Errorf("read schedule: %w", err))
	}
	if _, _, err := s.bind(ctx, owner, ids.Dashboard(row.DashboardID), &spec); errors.Is(err, dashboards.ErrNotFound) {
		return delivery.DashboardGone, owner, nil
	}
	return "", owner, nil // what else is wrong with it is the run's to say
}

// withRecipients answers those of some schedules that somebody is left to get.
func (s *Service) withRecipients(ctx context.Context, tenant ids.Tenant, schedules []uuid.UUID) (left []uuid.UUID, err error) {
	err = s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if left, err = tx.RecipientLeft(ctx, tx.TenantID, schedules); err != nil {
			return fmt.Errorf("find recipients: %w", err)
		}
		return nil
	})
	return left, err
}

// startAt asks for the run that is due then. One that is no longer wanted when
// it comes does nothing.
func startAt(ctx context.Context, tx *db.Tx, id ids.Schedule, due *time.Time) error {
	if due == nil {
		return nil
	}
	_, err := jobs.Insert(ctx, tx, startJob(tx.TenantID, id, *due))
	return err
}

// startJob waits for a moment of a schedule.
func startJob(tenant uuid.UUID, id ids.Schedule, due time.Time) jobs.Row {
	return jobs.Row{TenantID: tenant, Args: StartArgs{Schedule: id, DueAt: due.UTC()}, RunAt: due, UniqueKey: startKey(id, due)}
}

// startKey is that of the job for a moment of a schedule.
func startKey(id ids.Schedule, due time.Time) string {
	return id.String() + " " + due.UTC().Format(time.RFC3339)
}

// nextOf is when a schedule is due after a moment; nil for one that waits for
// data.
func nextOf(row db.ScheduleLockRow, after time.Time, zone *time.Location) (*time.Time, error) {
	if row.OnData {
		return nil, nil
	}
	rule, err := ParseRule(row.Rule)
	if err != nil {
		return nil, err
	}
	next := rule.Next(after, zone)
	return &next, nil
}

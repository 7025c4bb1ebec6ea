package reports

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// change runs work on a schedule that the actor may change.
func (s *Service) change(ctx context.Context, actor access.Actor, id ids.Schedule, action string, work func(context.Context, *db.Tx, db.ScheduleLockRow) error) error {
	if _, err := s.schedule(ctx, actor, id); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.ScheduleLock(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return gone(err)
		}
		if err := work(ctx, tx, row); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: action, Target: "schedule", ID: id.String()})
	})
}

// PauseSchedule stops it until somebody resumes it.
//
// Errors: access.forbidden, reports.schedule_not_found.
func (s *Service) PauseSchedule(ctx context.Context, actor access.Actor, id ids.Schedule) error {
	return s.change(ctx, actor, id, "report.schedule_paused", func(ctx context.Context, tx *db.Tx, _ db.ScheduleLockRow) error {
		return pause(ctx, tx, id, &actor.UserID, "person")
	})
}

func pause(ctx context.Context, tx *db.Tx, id ids.Schedule, by *ids.User, why string) error {
	var person *uuid.UUID
	if by != nil && !by.IsZero() {
		key := by.UUID()
		person = &key
	}
	if _, err := tx.SchedulePause(ctx, db.SchedulePauseParams{TenantID: tx.TenantID, ScheduleID: id.UUID(), PausedBy: person, Why: why}); err != nil {
		return fmt.Errorf("pause schedule: %w", err)
	}
	return nil
}

// ResumeSchedule lets it run again; what was missed meanwhile is not made up
// for. Where its owner left, it becomes the actor's. One of a visitor who
// unsubscribed is theirs to resume from then on, and stays paused until they do.
//
// Errors: access.forbidden, reports.schedule_not_found, reports.visitors_own,
// reports.paused_for_them, reports.nobody_left, those of opening the dashboard.
func (s *Service) ResumeSchedule(ctx context.Context, actor access.Actor, id ids.Schedule) error {
	old, err := s.schedule(ctx, actor, id)
	if err != nil {
		return err
	}
	if actor.Kind == access.Visitor && old.PausedByMember {
		return errPausedForThem
	}
	if actor.Kind != access.Visitor && !old.OwnerVisitor.IsZero() && old.PausedWhy == "person" && !old.PausedByMember {
		return ErrVisitorsOwn // they wanted no more of it
	}
	if actor.Kind != access.Visitor && !old.OwnerVisitor.IsZero() && len(old.Recipients) > 0 && old.Recipients[0].Unsubscribed {
		// Nobody starts again what they unsubscribed from: from now on it is theirs to resume.
		return s.change(ctx, actor, id, "report.schedule_resumed", func(ctx context.Context, tx *db.Tx, _ db.ScheduleLockRow) error {
			if err := tx.SchedulePausedByVisitor(ctx, tx.TenantID, id.UUID()); err != nil {
				return fmt.Errorf("leave pause to visitor: %w", err)
			}
			return nil
		})
	}
	if old.OwnerVisitor.IsZero() && !old.anybody() {
		return errNobodyLeft
	}
	owner, err := s.ownerOf(ctx, actor.TenantID, old.Owner.UUID(), old.OwnerVisitor.UUID())
	if err != nil && (!errors.Is(err, errOwnerLeft) || !old.OwnerVisitor.IsZero()) {
		return err
	}
	if errors.Is(err, errOwnerLeft) {
		if actor.UserID.IsZero() {
			return access.ErrForbidden
		}
		owner = actor
	}
	v, _, err := s.bind(ctx, owner, old.Dashboard, &old.Spec)
	if errors.Is(err, dashboards.ErrNotFound) && actor.Kind != access.Visitor {
		return errDashboardGone.Wrap(err)
	}
	if err != nil {
		return err
	}
	zone, err := s.zone(ctx, owner, old.Zone)
	if err != nil {
		return err
	}
	return s.change(ctx, actor, id, "report.schedule_resumed", func(ctx context.Context, tx *db.Tx, row db.ScheduleLockRow) error {
		if row.PausedAt == nil {
			return nil
		}
		next, err := nextOf(row, s.deps.Clock(), zone)
		if err != nil {
			return err
		}
		if _, err := tx.ScheduleResume(ctx, db.ScheduleResumeParams{TenantID: tx.TenantID, ScheduleID: id.UUID(), NextAt: next, Seen: v.Snapshot.String(), OwnerID: owner.UserID.UUID()}); err != nil {
			return fmt.Errorf("resume schedule: %w", err)
		}
		if actor.Kind == access.Visitor {
			if err := tx.RecipientSubscribe(ctx, tx.TenantID, id.UUID()); err != nil {
				return fmt.Errorf("resume mails: %w", err)
			}
		}
		return startAt(ctx, tx, id, next)
	})
}

// DeleteSchedule removes it with its history and files. A visitor does not delete
// what was paused for them: made again, it would run.
//
// Errors: access.forbidden, reports.schedule_not_found, reports.paused_for_them.
func (s *Service) DeleteSchedule(ctx context.Context, actor access.Actor, id ids.Schedule) error {
	var files []db.ContentListOfScheduleRow
	err := s.change(ctx, actor, id, "report.schedule_deleted", func(ctx context.Context, tx *db.Tx, row db.ScheduleLockRow) (err error) {
		if actor.Kind == access.Visitor && row.PausedBy != nil {
			return errPausedForThem
		}
		if files, err = tx.ContentListOfSchedule(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("list files: %w", err)
		}
		if _, err := tx.ScheduleDelete(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("delete schedule: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := s.removeFiles(ctx, f.Key, f.PictureKey); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) removeFiles(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if key == "" {
			continue
		}
		if err := s.deps.Blobs.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// SendNow runs a schedule once more: for all its recipients, or as a test for
// the actor alone, who then gets what they see themselves.
//
// Errors: access.forbidden, reports.schedule_not_found, reports.stopped_owner,
// reports.stopped_dashboard; reports.schedule_paused and reports.nobody_left unless
// it is a test.
func (s *Service) SendNow(ctx context.Context, actor access.Actor, id ids.Schedule, test bool) error {
	if actor.UserID.IsZero() {
		return access.ErrForbidden
	}
	one, err := s.schedule(ctx, actor, id)
	if err == nil && !one.OwnerVisitor.IsZero() {
		err = ErrVisitorsOwn
	}
	if err == nil && !test && one.PausedAt.IsZero() && !one.anybody() {
		err = errNobodyLeft
	}
	if err != nil {
		return err
	}
	if one.PausedAt.IsZero() {
		// What can't go on pauses and is told of, here as when it is due.
		stops, _, err := s.pauseStopped(ctx, actor.TenantID.UUID(), id.UUID())
		if err != nil {
			return err
		}
		if stops == delivery.OwnerLeft {
			return errStoppedOwner
		}
		if stops == delivery.DashboardGone {
			return errStoppedDashboard
		}
	}
	return s.change(ctx, actor, id, "report.sent_now", func(ctx context.Context, tx *db.Tx, row db.ScheduleLockRow) error {
		if row.PausedAt != nil && !test {
			return ErrSchedulePaused
		}
		cause := "person"
		if test {
			cause = "test"
		}
		by := actor.UserID.UUID()
		_, err := s.insertRun(ctx, tx, db.RunInsertParams{ScheduleID: id.UUID(), Slot: cause + ":" + uuid.NewString(), Cause: cause, AskedBy: &by, DueAt: s.deps.Clock()})
		return err
	})
}

// insertRun adds the run of a slot and its job, once; false where it was there.
func (s *Service) insertRun(ctx context.Context, tx *db.Tx, run db.RunInsertParams) (bool, error) {
	id := ids.New[ids.Run]()
	run.TenantID, run.RunID = tx.TenantID, id.UUID()
	n, err := tx.RunInsert(ctx, run)
	if err != nil {
		return false, fmt.Errorf("insert run: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	_, err = jobs.Insert(ctx, tx, runJob(tx.TenantID, id.UUID()))
	return true, err
}

// RetryDelivery sends once more what did not arrive, or may not have, and at
// once what waits for another attempt.
//
// Errors: access.forbidden, reports.schedule_not_found.
func (s *Service) RetryDelivery(ctx context.Context, actor access.Actor, id ids.Schedule, line ids.Delivery) error {
	if err := access.Can(actor, access.EditContent); err != nil {
		return err
	}
	return s.change(ctx, actor, id, "report.retried", func(ctx context.Context, tx *db.Tx, _ db.ScheduleLockRow) error {
		return s.retry(ctx, tx, id, line)
	})
}

// RetryRun is RetryDelivery for all of a run that wait or failed, and says how many
// they are. What a mail server refused, or may have taken, is for somebody to look at
// first.
//
// Errors: access.forbidden, reports.schedule_not_found.
func (s *Service) RetryRun(ctx context.Context, actor access.Actor, id ids.Schedule, run ids.Run) (again int, err error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return 0, err
	}
	err = s.change(ctx, actor, id, "report.retried", func(ctx context.Context, tx *db.Tx, _ db.ScheduleLockRow) error {
		found, err := tx.RunLock(ctx, tx.TenantID, run.UUID())
		if db.IsNoRows(err) || err == nil && found.ScheduleID != id.UUID() {
			return ErrScheduleNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read run: %w", err)
		}
		lines, err := tx.LedgerList(ctx, tx.TenantID, []uuid.UUID{run.UUID()})
		if err != nil {
			return fmt.Errorf("read ledger: %w", err)
		}
		again = 0
		for _, row := range lines {
			if l := (Line{State: LineState(row.State), ErrorText: row.ErrorText}); !l.Again() {
				continue
			}
			if err := s.retry(ctx, tx, id, ids.Delivery(row.DeliveryID)); err != nil {
				return err
			}
			again++
		}
		return nil
	})
	return again, err
}

// retry opens a line of a schedule's again, or hurries it.
func (s *Service) retry(ctx context.Context, tx *db.Tx, id ids.Schedule, line ids.Delivery) error {
	found, err := tx.LedgerGet(ctx, tx.TenantID, line.UUID())
	if err != nil || found.ScheduleID != id.UUID() {
		return ErrScheduleNotFound.Wrap(err)
	}
	if found.State == string(LineDue) {
		return s.reopen(ctx, tx, found.RunID)
	}
	row, err := tx.LedgerRetry(ctx, tx.TenantID, line.UUID())
	if db.IsNoRows(err) { // it is on its way
		_, err := tx.HastenJob(ctx, DeliverArgs{}.Kind(), line.String())
		return err
	}
	if err != nil {
		return fmt.Errorf("retry delivery: %w", err)
	}
	if row.State == string(LineDue) {
		return s.reopen(ctx, tx, row.RunID)
	}
	if _, err := jobs.Insert(ctx, tx, deliverJob(tx.TenantID, line)); err != nil {
		return err
	}
	counts, err := tx.LedgerCount(ctx, tx.TenantID, row.RunID)
	if err != nil {
		return fmt.Errorf("count deliveries: %w", err)
	}
	for _, c := range counts {
		if LineState(c.State) == LineDue {
			return s.reopen(ctx, tx, row.RunID) // others still wait for their files
		}
	}
	if err := tx.RunSetState(ctx, db.RunSetStateParams{TenantID: tx.TenantID, RunID: row.RunID, State: RunSending}); err != nil {
		return fmt.Errorf("open run: %w", err)
	}
	return nil
}

// runJob makes the files of a run. The key finds the job that waits for another
// attempt.
func runJob(tenant, run uuid.UUID) jobs.Row {
	return jobs.Row{TenantID: tenant, Args: RunArgs{Run: ids.Run(run)}, Queue: jobs.Bulk, UniqueKey: run.String()}
}

package reports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

const (
	// missedAfter is how long a run may be overdue before its owner is told,
	// lateAfter how long it may take.
	missedAfter = 10 * time.Minute
	lateAfter   = 2 * time.Hour
	// settleFor gathers changes of data that come one after the other.
	settleFor = 15 * time.Second
	keepRuns  = 90 * 24 * time.Hour
)

// WatchArgs looks after the schedules of the job's tenant: such that can't go on,
// runs that did not happen or did not end, data that is new, and files kept no
// longer.
type WatchArgs struct{}

// Kind names the job.
func (WatchArgs) Kind() string { return "reports:watch" }

// WatchOptions are for the binding of WatchArgs.
var WatchOptions = jobs.Options{Timeout: 10 * time.Minute, MaxAttempts: 3, Backoff: 10 * time.Second}

// RunWatch does it. What it finds was not noticed by anything else: it looks
// for what is absent.
func (s *Service) RunWatch(ctx context.Context, job jobs.Job[WatchArgs]) error {
	if err := s.watchStopped(ctx, job.TenantID); err != nil {
		return err
	}
	if err := s.watchAbsence(ctx, job.TenantID); err != nil {
		return err
	}
	if err := s.watchData(ctx, job.TenantID); err != nil {
		return err
	}
	if err := s.pruneSchedules(ctx, job.TenantID); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error { return job.Complete(ctx, tx) })
}

// WatchSoon has the schedules looked at once somebody left, or may do less, or a
// dashboard was deleted: what can't go on says so at once, not when it is due.
func (s *Service) WatchSoon(ctx context.Context, tenant ids.Tenant) error {
	return s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		_, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: WatchArgs{}, UniqueKey: "stopped"})
		return err
	})
}

// watchStopped pauses the schedules of members whose owner left or may no longer
// schedule, and all whose dashboard was deleted. What else stops one is found when
// it is due.
func (s *Service) watchStopped(ctx context.Context, tenant uuid.UUID) error {
	var rows []db.ScheduleListActiveRow
	err := s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		rows, err = tx.ScheduleListActive(ctx, tx.TenantID)
		return err
	})
	if err != nil {
		return fmt.Errorf("list schedules: %w", err)
	}
	left := map[uuid.UUID]bool{}
	for _, row := range rows {
		if row.OwnerID != uuid.Nil {
			if _, known := left[row.OwnerID]; !known {
				_, err := s.ownerOf(ctx, ids.Tenant(tenant), row.OwnerID, uuid.Nil)
				if err != nil && !errors.Is(err, errOwnerLeft) {
					return err
				}
				left[row.OwnerID] = err != nil
			}
		}
		if !row.DashboardGone && !left[row.OwnerID] {
			continue
		}
		if _, _, err := s.pauseStopped(ctx, tenant, row.ScheduleID); err != nil {
			// What is wrong with one must not stop the others.
			s.deps.Log.WarnContext(ctx, "look after a schedule", "schedule", row.ScheduleID, "error", err)
		}
	}
	return ctx.Err()
}

// pauseStopped pauses a schedule that can't go on, tells of it, and answers why;
// where it can go on, as whom.
func (s *Service) pauseStopped(ctx context.Context, tenant, id uuid.UUID) (stops delivery.Trouble, owner access.Actor, err error) {
	var full db.ScheduleGetRow
	err = s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		full, err = tx.ScheduleGet(ctx, tx.TenantID, id)
		return err
	})
	if err != nil {
		return "", owner, gone(err)
	}
	stops, owner, err = s.stopped(ctx, ids.Tenant(tenant), full)
	if err != nil || stops == "" {
		return stops, owner, err
	}
	return stops, owner, s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		locked, err := tx.ScheduleLock(ctx, tx.TenantID, id)
		if db.IsNoRows(err) || err == nil && locked.PausedAt != nil {
			return nil
		}
		return errors.Join(err, s.pauseAndTell(ctx, tx, full, stops))
	})
}

// watchAbsence tells owners of runs that did not begin, which it asks for
// again, and of such that did not end.
func (s *Service) watchAbsence(ctx context.Context, tenant uuid.UUID) error {
	now := s.deps.Clock()
	return s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		missed, err := tx.ScheduleTakeOverdue(ctx, tx.TenantID, now.Add(-missedAfter))
		if err != nil {
			return fmt.Errorf("find overdue schedules: %w", err)
		}
		for _, row := range missed {
			if err := startAt(ctx, tx, ids.Schedule(row.ScheduleID), &row.DueAt); err != nil {
				return err
			}
			if err := s.tell(ctx, tx, row.OwnerID, row.ScheduleID, delivery.ReportTrouble{Name: row.Name, Trouble: delivery.RunMissed, At: row.DueAt}); err != nil {
				return err
			}
		}
		late, err := tx.RunTakeLate(ctx, tx.TenantID, now.Add(-lateAfter))
		if err != nil {
			return fmt.Errorf("find late runs: %w", err)
		}
		for _, row := range late {
			if err := s.tell(ctx, tx, row.OwnerID, row.ScheduleID, delivery.ReportTrouble{Name: row.Name, Trouble: delivery.RunLate, At: row.DueAt}); err != nil {
				return err
			}
		}
		return nil
	})
}

// DataChanged has the schedules looked at that wait for new data. It is told
// of every change, before the event counts as published.
func (s *Service) DataChanged(ctx context.Context, tenant ids.Tenant) error {
	return s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		waits, err := tx.ScheduleWaitsForData(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("find schedules: %w", err)
		}
		if !waits {
			return nil
		}
		_, err = jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: WatchArgs{}, RunAt: s.deps.Clock().Add(settleFor), UniqueKey: "data"})
		return err
	})
}

// watchData starts those whose data is newer than what they sent last.
func (s *Service) watchData(ctx context.Context, tenant uuid.UUID) error {
	var rows []db.ScheduleListOnDataRow
	err := s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		rows, err = tx.ScheduleListOnData(ctx, tx.TenantID)
		return err
	})
	if err != nil {
		return fmt.Errorf("list schedules: %w", err)
	}
	for _, row := range rows {
		if err := s.watchOne(ctx, tenant, row); err != nil {
			// What is wrong with one must not stop the others.
			s.deps.Log.WarnContext(ctx, "look after a schedule", "schedule", row.ScheduleID, "error", err)
		}
	}
	return ctx.Err()
}

func (s *Service) watchOne(ctx context.Context, tenant uuid.UUID, row db.ScheduleListOnDataRow) error {
	stops, owner, err := s.pauseStopped(ctx, tenant, row.ScheduleID)
	if errors.Is(err, ErrScheduleNotFound) || err == nil && stops != "" {
		return nil
	}
	if err != nil {
		return err
	}
	var spec Spec
	if err := json.Unmarshal(row.Spec, &spec); err != nil {
		return fmt.Errorf("read schedule: %w", err)
	}
	v, _, err := s.bind(ctx, owner, ids.Dashboard(row.DashboardID), &spec)
	if err != nil {
		return err
	}
	moment := v.Snapshot.String()
	return s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		locked, err := tx.ScheduleLock(ctx, tx.TenantID, row.ScheduleID)
		if err != nil {
			return gone(err)
		}
		if locked.PausedAt != nil || !locked.OnData || locked.Seen == moment {
			return nil
		}
		if _, err := s.insertRun(ctx, tx, db.RunInsertParams{ScheduleID: row.ScheduleID, Slot: "data:" + moment, Cause: "data", DueAt: s.deps.Clock()}); err != nil {
			return err
		}
		if err := tx.ScheduleSetSeen(ctx, moment, tx.TenantID, row.ScheduleID); err != nil {
			return fmt.Errorf("note what is sent: %w", err)
		}
		return nil
	})
}

// pruneSchedules deletes files that are kept no longer and old runs.
func (s *Service) pruneSchedules(ctx context.Context, tenant uuid.UUID) error {
	if err := s.deleteOrphans(ctx, tenant); err != nil {
		return err
	}
	now := s.deps.Clock()
	for {
		var rows []db.ContentListExpiredRow
		err := s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
			rows, err = tx.ContentListExpired(ctx, tx.TenantID, now, listed)
			return err
		})
		if err != nil {
			return fmt.Errorf("list expired files: %w", err)
		}
		for _, row := range rows {
			if err := s.removeFiles(ctx, row.Key, row.PictureKey); err != nil {
				return err
			}
		}
		err = s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
			for _, row := range rows {
				if err := tx.ContentSetExpired(ctx, tx.TenantID, row.ContentID); err != nil {
					return fmt.Errorf("forget file: %w", err)
				}
			}
			if len(rows) < listed {
				if _, err := tx.RunPrune(ctx, tx.TenantID, now.Add(-keepRuns)); err != nil {
					return fmt.Errorf("prune runs: %w", err)
				}
			}
			return nil
		})
		if err != nil || len(rows) < listed {
			return err
		}
	}
}

package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

var (
	_ jobs.Inserter     = (*Tx)(nil)
	_ jobs.ManyInserter = (*Tx)(nil)
	_ jobs.Completer    = (*Tx)(nil)
	_ events.Inserter   = (*Tx)(nil)
	_ jobs.Store        = (*DB)(nil)
	_ events.Outbox     = (*DB)(nil)
)

// InsertJob adds a job that begins when this transaction has committed; see
// jobs.Insert.
func (t *Tx) InsertJob(ctx context.Context, j jobs.NewJob) (uuid.UUID, error) {
	id, err := t.JobInsert(ctx, JobInsertParams{
		JobID: j.ID, TenantID: j.TenantID, UserID: idOrNull(j.UserID), Kind: j.Kind, Version: int32(j.Version),
		Payload: j.Payload, Queue: string(j.Queue), RunAt: timeOrNull(j.RunAt), UniqueKey: textOrNull(j.UniqueKey),
	})
	if err != nil {
		return uuid.Nil, err
	}
	return id, t.JobNotify(ctx, "")
}

// InsertJobs adds jobs of one tenant, kind, version and queue; see
// jobs.InsertAll.
func (t *Tx) InsertJobs(ctx context.Context, list []jobs.NewJob) error {
	p := JobInsertOfParams{TenantID: list[0].TenantID, Kind: list[0].Kind, Version: int32(list[0].Version), Queue: string(list[0].Queue)}
	for _, j := range list {
		if j.TenantID != p.TenantID || j.Kind != p.Kind || j.Version != list[0].Version || string(j.Queue) != p.Queue {
			return errors.New("jobs of different tenants, kinds or queues")
		}
		p.JobIds = append(p.JobIds, j.ID)
		p.Payloads = append(p.Payloads, j.Payload)
		p.RunAts = append(p.RunAts, j.RunAt)
		p.UniqueKeys = append(p.UniqueKeys, j.UniqueKey)
	}
	if err := t.JobInsertOf(ctx, p); err != nil {
		return err
	}
	return t.JobNotify(ctx, "")
}

// CloseJobs ends jobs of this tenant that have not begun and whose work is done.
func (t *Tx) CloseJobs(ctx context.Context, kind string, uniqueKeys []string) error {
	return t.JobCloseOf(ctx, t.TenantID, kind, uniqueKeys)
}

// HastenJob has the job of a key run now that waits for its time, or for another
// attempt, and tells whether there was one. One that runs, or is over, is left
// alone.
func (t *Tx) HastenJob(ctx context.Context, kind, uniqueKey string) (bool, error) {
	n, err := t.JobHasten(ctx, t.TenantID, kind, &uniqueKey)
	if err != nil {
		return false, fmt.Errorf("hasten job %s: %w", kind, err)
	}
	if n == 0 {
		return false, nil
	}
	return true, t.JobNotify(ctx, "")
}

// CompleteJob closes a job in the transaction that did its work; see
// jobs.Ref.Complete.
func (t *Tx) CompleteJob(ctx context.Context, id uuid.UUID, attempt int) (bool, error) {
	return t.endJob(ctx, jobs.Held{ID: id, TenantID: t.TenantID, Attempt: attempt}, jobs.Ending{State: jobs.Done})
}

func (t *Tx) endJob(ctx context.Context, h jobs.Held, e jobs.Ending) (bool, error) {
	released := int32(0)
	if e.Released {
		released = 1
	}
	n, err := t.JobEnd(ctx, JobEndParams{
		State: string(e.State), ErrorCode: e.ErrorCode, ErrorText: e.ErrorText, Released: released,
		DelayS: e.Delay.Seconds(), JobID: h.ID, Attempt: int32(h.Attempt),
	})
	if err != nil || n == 0 {
		return false, err
	}
	if e.State == jobs.Queued {
		return true, t.JobNotify(ctx, "")
	}
	return true, t.jobChanged(ctx, h.TenantID, h.ID)
}

func (t *Tx) jobChanged(ctx context.Context, tenantID, id uuid.UUID) error {
	if tenantID == uuid.Nil {
		return nil // nobody watches DataFlow's own jobs
	}
	return t.InsertOutboxEvent(ctx, events.Event{TenantID: tenantID, Kind: events.JobProgress, ID: id})
}

// CancelJob closes a job of this tenant that waits, and asks a running one to
// stop. It answers the state after that: Cancelled, or Running where the
// worker is still to stop, or the state in which the job had ended before.
//
// Errors: jobs.not_found.
func (t *Tx) CancelJob(ctx context.Context, id uuid.UUID) (jobs.State, error) {
	text := jobs.ErrCancelled
	state, err := t.JobCancel(ctx, JobCancelParams{TenantID: t.TenantID, JobID: id, ErrorCode: text.Code(), ErrorText: text.Sentence()})
	if IsNoRows(err) {
		status, err := t.JobStatus(ctx, id)
		return status.State, err
	}
	if err != nil {
		return "", fmt.Errorf("cancel job %s: %w", id, err)
	}
	if jobs.State(state) == jobs.Running {
		return jobs.Running, t.JobNotify(ctx, jobs.CancelPayload(id))
	}
	return jobs.State(state), t.jobChanged(ctx, t.TenantID, id)
}

// JobStatus reads a job of this tenant.
//
// Errors: jobs.not_found.
func (t *Tx) JobStatus(ctx context.Context, id uuid.UUID) (jobs.Status, error) {
	row, err := t.JobGet(ctx, t.TenantID, id)
	if IsNoRows(err) {
		return jobs.Status{}, jobs.ErrNotFound.Wrap(err)
	}
	if err != nil {
		return jobs.Status{}, fmt.Errorf("read job %s: %w", id, err)
	}
	return jobStatus(JobListOpenRow(row))
}

// OpenJobs reads the tenant's oldest jobs that wait or run.
func (t *Tx) OpenJobs(ctx context.Context, limit int) ([]jobs.Status, error) {
	rows, err := t.JobListOpen(ctx, t.TenantID, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("list open jobs: %w", err)
	}
	open := make([]jobs.Status, len(rows))
	for i, row := range rows {
		if open[i], err = jobStatus(row); err != nil {
			return nil, err
		}
	}
	return open, nil
}

func jobStatus(row JobListOpenRow) (jobs.Status, error) {
	s := jobs.Status{
		ID: row.JobID, TenantID: row.TenantID, UserID: nullID(row.UserID), Kind: row.Kind, State: jobs.State(row.State),
		Attempt: int(row.Attempt), CancelRequested: row.CancelRequested, ErrorCode: row.ErrorCode, ErrorText: row.ErrorText,
		CreatedAt: row.CreatedAt, StartedAt: nullTime(row.StartedAt), FinishedAt: nullTime(row.FinishedAt),
	}
	if err := json.Unmarshal(row.Progress, &s.Progress); err != nil {
		return jobs.Status{}, fmt.Errorf("read progress of job %s: %w", row.JobID, err)
	}
	return s, nil
}

// inControl asks one question in a transaction for schema control.
func inControl[T any](ctx context.Context, d *DB, ask func(context.Context, *Tx) (T, error)) (answer T, err error) {
	err = d.InControlTx(ctx, func(ctx context.Context, tx *Tx) (err error) {
		answer, err = ask(ctx, tx)
		return err
	})
	return answer, err
}

// InsertOutboxEvent tells of a change when this transaction has committed.
func (t *Tx) InsertOutboxEvent(ctx context.Context, e events.Event) error {
	err := t.OutboxInsert(ctx, OutboxInsertParams{TenantID: e.TenantID, Kind: string(e.Kind), EntityID: e.ID, Version: e.Version})
	if err != nil {
		return fmt.Errorf("write event %s: %w", e.Kind, err)
	}
	return nil
}

// DispatchJobs is for the relay; see jobs.Store.
func (d *DB) DispatchJobs(ctx context.Context, ask jobs.Dispatch) (chosen []jobs.Dispatched, err error) {
	err = d.InControlTx(ctx, func(ctx context.Context, tx *Tx) error {
		if err := tx.JobRelayLock(ctx); err != nil {
			return err
		}
		rows, err := tx.JobDispatch(ctx, JobDispatchParams{
			HoldS: ask.Hold.Seconds(), Queue: string(ask.Queue), Kinds: ask.Kinds,
			Waiting: int64(ask.Waiting), PerTenant: int64(ask.PerTenant),
		})
		for _, row := range rows {
			chosen = append(chosen, jobs.Dispatched{ID: row.JobID, Kind: row.Kind, Attempt: int(row.Attempt)})
		}
		return err
	})
	return chosen, err
}

// NextJobDue is for the relay; see jobs.Store.
func (d *DB) NextJobDue(ctx context.Context, kinds []string) (time.Duration, bool, error) {
	due, err := inControl(ctx, d, func(ctx context.Context, tx *Tx) ([]int64, error) { return tx.JobNextDue(ctx, kinds) })
	if err != nil || len(due) == 0 {
		return 0, false, err
	}
	return time.Duration(due[0]) * time.Microsecond, true, nil
}

// ClaimJob is for a worker; see jobs.Store.
func (d *DB) ClaimJob(ctx context.Context, c jobs.Claim) (jobs.Claimed, bool, error) {
	row, err := inControl(ctx, d, func(ctx context.Context, tx *Tx) (JobClaimRow, error) {
		return tx.JobClaim(ctx, JobClaimParams{
			JobID: c.ID, Attempt: int32(c.Attempt), MaxAttempts: int32(c.MaxAttempts), Worker: c.Worker, LeaseS: c.Lease.Seconds(),
		})
	})
	if IsNoRows(err) {
		return jobs.Claimed{}, false, nil
	}
	if err != nil {
		return jobs.Claimed{}, false, err
	}
	return jobs.Claimed{
		ID: c.ID, TenantID: row.TenantID, UserID: nullID(row.UserID), Kind: row.Kind, Version: int(row.Version),
		Payload: row.Payload, Attempt: int(row.Attempt), Released: int(row.Released),
		CreatedAt: row.CreatedAt, DueAt: row.RunAt, Cancel: row.CancelRequested,
	}, true, nil
}

// ExtendJobs is for a worker; see jobs.Store.
func (d *DB) ExtendJobs(ctx context.Context, held []jobs.Held, lease time.Duration) ([]jobs.Extended, error) {
	ids, attempts := make([]uuid.UUID, len(held)), make([]int32, len(held))
	for i, h := range held {
		ids[i], attempts[i] = h.ID, int32(h.Attempt)
	}
	rows, err := inControl(ctx, d, func(ctx context.Context, tx *Tx) ([]JobExtendRow, error) {
		return tx.JobExtend(ctx, lease.Seconds(), ids, attempts)
	})
	if err != nil {
		return nil, err
	}
	extended := make([]jobs.Extended, len(rows))
	for i, row := range rows {
		extended[i] = jobs.Extended{ID: row.JobID, Cancel: row.CancelRequested}
	}
	return extended, nil
}

// SetJobProgress is for a worker; see jobs.Store.
func (d *DB) SetJobProgress(ctx context.Context, h jobs.Held, p jobs.Progress) (bool, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return false, err
	}
	n, err := inControl(ctx, d, func(ctx context.Context, tx *Tx) (int64, error) {
		return tx.JobSetProgress(ctx, text, h.ID, int32(h.Attempt))
	})
	return n > 0, err
}

// EndJob is for a worker; see jobs.Store.
func (d *DB) EndJob(ctx context.Context, h jobs.Held, e jobs.Ending) (ended bool, err error) {
	err = d.InControlTx(ctx, func(ctx context.Context, tx *Tx) error {
		ended, err = tx.endJob(ctx, h, e)
		return err
	})
	return ended, err
}

// ReleaseJobs is for the start of a worker; see jobs.Store.
func (d *DB) ReleaseJobs(ctx context.Context, worker string) (int64, error) {
	if worker == "" {
		return 0, errors.New("release jobs of a worker without a name")
	}
	return inControl(ctx, d, func(ctx context.Context, tx *Tx) (int64, error) { return tx.JobRelease(ctx, worker) })
}

// PruneJobs removes jobs that ended longer ago than age.
func (d *DB) PruneJobs(ctx context.Context, age time.Duration) (int64, error) {
	return inControl(ctx, d, func(ctx context.Context, tx *Tx) (int64, error) { return tx.JobPrune(ctx, age.Seconds()) })
}

// CountJobs is for metrics; see jobs.Store.
func (d *DB) CountJobs(ctx context.Context) ([]jobs.Depth, error) {
	rows, err := inControl(ctx, d, func(ctx context.Context, tx *Tx) ([]JobCountRow, error) { return tx.JobCount(ctx) })
	if err != nil {
		return nil, err
	}
	depths := make([]jobs.Depth, len(rows))
	for i, row := range rows {
		depths[i] = jobs.Depth{Queue: jobs.Queue(row.Queue), State: jobs.State(row.State), Count: row.Jobs, OldestS: row.OldestSeconds}
	}
	return depths, nil
}

// SilentTenants counts the workspaces for which a kind of job has not ended well
// within a time. Those that are younger don't count.
func (d *DB) SilentTenants(ctx context.Context, kind string, within time.Duration) (int64, error) {
	return inControl(ctx, d, func(ctx context.Context, tx *Tx) (int64, error) {
		return tx.JobSilentTenants(ctx, within.Seconds(), kind)
	})
}

// ScheduleJobs inserts the jobs of a schedule's slot, unless another process
// has taken the slot before. It answers whether it was this one.
func (d *DB) ScheduleJobs(ctx context.Context, name string, slot time.Time, rows []jobs.Row) (mine bool, err error) {
	err = d.InControlTx(ctx, func(ctx context.Context, tx *Tx) error {
		taken, err := tx.ScheduleTake(ctx, name, slot)
		if err != nil || len(taken) == 0 {
			return err
		}
		mine = true
		for _, row := range rows {
			if _, err := jobs.Insert(ctx, tx, row); err != nil {
				return err
			}
		}
		return nil
	})
	return mine && err == nil, err
}

// PublishOutbox is for the event relay; see events.Outbox.
func (d *DB) PublishOutbox(ctx context.Context, limit int, publish func(context.Context, []events.Stored) error) (n int, err error) {
	err = d.InControlTx(ctx, func(ctx context.Context, tx *Tx) error {
		if err := tx.OutboxRelayLock(ctx); err != nil {
			return err
		}
		rows, err := tx.OutboxTake(ctx, int32(limit))
		if err != nil || len(rows) == 0 {
			return err
		}
		stored, seqs := make([]events.Stored, len(rows)), make([]int64, len(rows))
		for i, row := range rows {
			seqs[i] = row.Seq
			stored[i] = events.Stored{Seq: row.Seq, CreatedAt: row.CreatedAt, Event: events.Event{
				TenantID: row.TenantID, Kind: events.Kind(row.Kind), ID: row.EntityID, Version: row.Version,
			}}
		}
		if err := publish(ctx, stored); err != nil {
			return err
		}
		n = len(rows)
		return tx.OutboxMarkPublished(ctx, seqs)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// TellOutbox is for features of the server; see events.Outbox. The rows stay
// locked meanwhile, so that no other process tells of the same.
func (d *DB) TellOutbox(ctx context.Context, limit int, tell func(context.Context, events.Event) error) (n int, err error) {
	err = d.InControlTx(ctx, func(ctx context.Context, tx *Tx) error {
		rows, err := tx.OutboxTakeUntold(ctx, int32(limit))
		if err != nil || len(rows) == 0 {
			return err
		}
		// Of several changes of one thing the last is told.
		type thing struct{ tenant, id uuid.UUID }
		last, seqs := map[thing]events.Event{}, map[thing][]int64{}
		var order []thing
		for _, row := range rows {
			t := thing{row.TenantID, row.EntityID}
			if seqs[t] == nil {
				order = append(order, t)
			}
			last[t] = events.Event{TenantID: row.TenantID, Kind: events.Kind(row.Kind), ID: row.EntityID, Version: row.Version}
			seqs[t] = append(seqs[t], row.Seq)
		}
		var told, later []int64
		for _, t := range order {
			if err := tell(ctx, last[t]); err != nil {
				later = append(later, seqs[t]...)
				continue
			}
			told = append(told, seqs[t]...)
		}
		n = len(rows)
		if err := tx.OutboxMarkTold(ctx, told); err != nil {
			return err
		}
		return tx.OutboxTellLater(ctx, later)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// PruneOutbox removes events that were told and published longer ago than age.
func (d *DB) PruneOutbox(ctx context.Context, age time.Duration) (int64, error) {
	return inControl(ctx, d, func(ctx context.Context, tx *Tx) (int64, error) { return tx.OutboxPrune(ctx, age.Seconds()) })
}

func idOrNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func nullID(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func nullTime(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

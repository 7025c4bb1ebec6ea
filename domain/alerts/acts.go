package alerts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// change runs work on an alert that the actor may change, and notes it.
func (s *Service) change(ctx context.Context, actor access.Actor, id ids.Alert, action string, work func(context.Context, *db.Tx, time.Time) error) error {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.AlertLock(ctx, tx.TenantID, []uuid.UUID{id.UUID()})
		if err != nil {
			return fmt.Errorf("read alert: %w", err)
		}
		if len(rows) == 0 || rows[0].OwnerID != actor.UserID.UUID() && !seesAll(actor) {
			return ErrNotFound
		}
		if err := work(ctx, tx, s.now()); err != nil {
			return err
		}
		if err := s.arm(ctx, tx); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: action, Target: "alert", ID: id.String()})
	})
}

// note adds what a person did to the history.
func (s *Service) note(ctx context.Context, tx *db.Tx, id ids.Alert, by ids.User, kind, text string, labels []string, now time.Time) error {
	if labels == nil {
		labels = []string{}
	}
	err := tx.AlertEventInsert(ctx, db.AlertEventInsertParams{TenantID: tx.TenantID, EventID: ids.New[uuid.UUID](), AlertID: id.UUID(), GroupKey: keyOf(labels), Labels: labels,
		Kind: kind, Text: text, UserID: optional(by), At: now})
	if err != nil {
		return fmt.Errorf("add to history: %w", err)
	}
	return nil
}

// Pause stops an alert until somebody resumes it.
//
// Errors: access.forbidden, alerts.not_found.
func (s *Service) Pause(ctx context.Context, actor access.Actor, id ids.Alert) error {
	return s.change(ctx, actor, id, "alert.paused", func(ctx context.Context, tx *db.Tx, now time.Time) error {
		n, err := tx.AlertPause(ctx, db.AlertPauseParams{TenantID: tx.TenantID, AlertID: id.UUID(), PausedBy: optional(actor.UserID), Why: "person", Now: now})
		if err != nil {
			return fmt.Errorf("pause alert: %w", err)
		}
		if n == 0 {
			return nil
		}
		return s.note(ctx, tx, id, actor.UserID, "paused", "", nil, now)
	})
}

// Resume lets it run again. Where its owner left, it becomes the actor's.
//
// Errors: access.forbidden, alerts.not_found.
func (s *Service) Resume(ctx context.Context, actor access.Actor, id ids.Alert) error {
	old, err := s.Get(ctx, actor, id)
	if err != nil {
		return err
	}
	owner := old.Owner
	if _, err := s.ownerOf(ctx, actor.TenantID, owner); errors.Is(err, errOwnerLeft) {
		if owner = actor.UserID; owner.IsZero() {
			return access.ErrForbidden
		}
	} else if err != nil {
		return err
	}
	return s.change(ctx, actor, id, "alert.resumed", func(ctx context.Context, tx *db.Tx, now time.Time) error {
		n, err := tx.AlertResume(ctx, db.AlertResumeParams{TenantID: tx.TenantID, AlertID: id.UUID(), OwnerID: owner.UUID(), NextAt: now})
		if err != nil {
			return fmt.Errorf("resume alert: %w", err)
		}
		if n == 0 {
			return nil
		}
		return s.note(ctx, tx, id, actor.UserID, "resumed", "", nil, now)
	})
}

// Snooze keeps an alert silent until a moment; the zero time wakes it. It goes
// on being evaluated, and what is still so at the end is told then.
//
// Errors: access.forbidden, alerts.not_found.
func (s *Service) Snooze(ctx context.Context, actor access.Actor, id ids.Alert, until time.Time) error {
	return s.change(ctx, actor, id, "alert.snoozed", func(ctx context.Context, tx *db.Tx, now time.Time) error {
		var end *time.Time
		kind, text := "woken", ""
		if until.After(now) {
			end, kind, text = new(until.UTC().Truncate(time.Microsecond)), "snoozed", until.UTC().Format(time.RFC3339)
		}
		if err := tx.AlertSnooze(ctx, db.AlertSnoozeParams{TenantID: tx.TenantID, AlertID: id.UUID(), Until: end, Now: now}); err != nil {
			return fmt.Errorf("snooze alert: %w", err)
		}
		return s.note(ctx, tx, id, actor.UserID, kind, text, nil, now)
	})
}

// Acknowledge says that the actor looks after what fires, so that nobody else
// is told: of one group, or of all where key is nil. Besides those who may change
// an alert, those whom it tells may do it.
//
// Errors: access.forbidden, alerts.not_found.
func (s *Service) Acknowledge(ctx context.Context, actor access.Actor, id ids.Alert, key *string) error {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.AlertLock(ctx, tx.TenantID, []uuid.UUID{id.UUID()})
		if err != nil {
			return fmt.Errorf("read alert: %w", err)
		}
		if len(rows) == 0 {
			return ErrNotFound
		}
		if rows[0].OwnerID != actor.UserID.UUID() && !seesAll(actor) {
			told, err := tx.AlertRecipientList(ctx, tx.TenantID, []uuid.UUID{id.UUID()})
			if err != nil {
				return fmt.Errorf("list recipients: %w", err)
			}
			if !slices.ContainsFunc(told, func(r db.AlertRecipientListRow) bool { return r.UserID != nil && *r.UserID == actor.UserID.UUID() }) {
				return ErrNotFound
			}
		}
		now := s.now()
		acked, err := tx.AlertAcknowledge(ctx, db.AlertAcknowledgeParams{TenantID: tx.TenantID, AlertID: id.UUID(), UserID: optional(actor.UserID), GroupKey: key, Now: now})
		if err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
		for _, g := range acked {
			if err := s.note(ctx, tx, id, actor.UserID, "acknowledged", "", g.Labels, now); err != nil {
				return err
			}
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "alert.acknowledged", Target: "alert", ID: id.String()})
	})
}

// Delete removes an alert with its history.
//
// Errors: access.forbidden, alerts.not_found.
func (s *Service) Delete(ctx context.Context, actor access.Actor, id ids.Alert) error {
	return s.change(ctx, actor, id, "alert.deleted", func(ctx context.Context, tx *db.Tx, _ time.Time) error {
		if _, err := tx.AlertDelete(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("delete alert: %w", err)
		}
		return nil
	})
}

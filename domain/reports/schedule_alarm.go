package reports

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
)

// pauseAndTell pauses a schedule and writes to its owner, or where that one is
// gone to who looks after the workspace.
func (s *Service) pauseAndTell(ctx context.Context, tx *db.Tx, row db.ScheduleGetRow, why delivery.Trouble) error {
	paused := string(why)
	if why == delivery.NobodyLeft && row.OwnerVisitorID != uuid.Nil {
		paused = "person" // they unsubscribed, and resume it themselves
	}
	if err := pause(ctx, tx, ids.Schedule(row.ScheduleID), nil, paused); err != nil {
		return err
	}
	trouble := delivery.ReportTrouble{Name: row.Name, Trouble: why, Owner: row.OwnerName}
	if trouble.Owner == "" {
		trouble.Owner = row.OwnerEmail
	}
	return s.tell(ctx, tx, row.OwnerID, row.ScheduleID, trouble)
}

// tell tells the owner of a schedule, or the workspace's owners and admins: by mail, and
// in the app, where it is seen when it is the mail that is broken. Of one that a
// visitor has mailed to themselves only that nothing happened is told.
func (s *Service) tell(ctx context.Context, tx *db.Tx, owner, schedule uuid.UUID, trouble delivery.ReportTrouble) error {
	if owner == uuid.Nil && trouble.Trouble != delivery.RunMissed && trouble.Trouble != delivery.RunLate {
		return nil
	}
	path := "/schedules/" + schedule.String()
	trouble.Link = s.deps.Address() + path
	people := []uuid.UUID{owner}
	if trouble.Trouble == delivery.OwnerLeft || owner == uuid.Nil {
		var err error
		if people, err = tx.AdminList(ctx, tx.TenantID); err != nil {
			return fmt.Errorf("list admins: %w", err)
		}
	}
	settings, err := tx.TenantSettingsGet(ctx, tx.TenantID)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	excerpt := delivery.Gist(trouble.Lines)
	for _, id := range people {
		row, err := tx.UserGet(ctx, tx.TenantID, id)
		if err != nil {
			return fmt.Errorf("read person: %w", err)
		}
		if place, err := time.LoadLocation(orElse(row.Zone, settings.Zone)); err == nil {
			trouble.At = trouble.At.In(place)
		}
		words, err := s.deps.Mail.Write(ctx, orElse(row.Locale, settings.Locale), trouble)
		if err != nil {
			return err
		}
		if err := s.deps.Notify.Tell(ctx, tx, notify.Event{ID: ids.New[uuid.UUID](), Kind: notify.Report, To: []ids.User{ids.User(id)},
			Subject: words.Subject, Excerpt: excerpt, Path: path, Letter: trouble}); err != nil {
			return err
		}
	}
	return nil
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// delayedAfter is how many attempts at a file or a mail fail before the schedule's owner
// hears of it, two and a half minutes after the first: what a mail server puts
// off for a moment is nobody's concern.
const delayedAfter = 6

// delayed tells a schedule's owner, once, that a run waits, and for what.
func (s *Service) delayed(ctx context.Context, tx *db.Tx, run uuid.UUID, what delivery.Trouble) error {
	n, err := tx.RunTakeDelay(ctx, tx.TenantID, run)
	if err != nil {
		return fmt.Errorf("take delay: %w", err)
	}
	if n == 0 {
		return nil
	}
	row, err := tx.RunLock(ctx, tx.TenantID, run)
	if err != nil {
		return fmt.Errorf("read run: %w", err)
	}
	if row.Cause == "test" {
		return nil // whoever asked for it looks at it
	}
	schedule, err := tx.ScheduleGet(ctx, tx.TenantID, row.ScheduleID)
	if err != nil {
		return fmt.Errorf("read schedule: %w", err)
	}
	lines, err := tx.LedgerList(ctx, tx.TenantID, []uuid.UUID{run})
	if err != nil {
		return fmt.Errorf("read ledger: %w", err)
	}
	trouble := delivery.ReportTrouble{Name: schedule.Name, Trouble: what, At: row.DueAt}
	for _, l := range lines {
		if (Line{State: LineState(l.State), ErrorText: l.ErrorText}).Waits() {
			trouble.Lines = append(trouble.Lines, delivery.TroubleLine{Address: l.Address, Text: l.ErrorText})
		}
	}
	return s.tell(ctx, tx, schedule.OwnerID, row.ScheduleID, trouble)
}

// alarm tells a schedule's owner of a run, once.
func (s *Service) alarm(ctx context.Context, tx *db.Tx, row db.RunLockRow, trouble delivery.ReportTrouble) error {
	n, err := tx.RunTakeAlarm(ctx, tx.TenantID, row.RunID)
	if err != nil {
		return fmt.Errorf("take alarm: %w", err)
	}
	if n == 0 || row.Cause == "test" {
		return nil
	}
	schedule, err := tx.ScheduleGet(ctx, tx.TenantID, row.ScheduleID)
	if err != nil {
		return fmt.Errorf("read schedule: %w", err)
	}
	trouble.Name, trouble.At = schedule.Name, row.DueAt
	return s.tell(ctx, tx, schedule.OwnerID, row.ScheduleID, trouble)
}

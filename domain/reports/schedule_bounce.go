package reports

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// errCameBack is a mail that was sent and could not be delivered.
var errCameBack = apperr.Define(apperr.Conflict, "reports.came_back", "The mail came back.")

// gatherBounces is how long what comes back of a run is gathered before its owner
// is told: of many recipients, many come back at once.
const gatherBounces = 2 * time.Minute

// BouncesArgs tells the owner of a run's schedule what came back of it.
// Idempotent by Run: nothing is told twice.
type BouncesArgs struct {
	Run ids.Run `json:"run"`
}

// Kind names the job.
func (BouncesArgs) Kind() string { return "reports:bounces" }

// withhold closes a line at once whose address mail does not reach. A retry sends
// it all the same.
func (s *Service) withhold(ctx context.Context, tx *db.Tx, line uuid.UUID, address string) error {
	cause := s.deps.Mail.Unreachable(ctx, tx, address)
	if cause == nil {
		return nil
	}
	public := apperr.Describe(cause)
	if public.Class == apperr.Internal {
		return cause
	}
	if _, err := tx.LedgerClose(ctx, db.LedgerCloseParams{TenantID: tx.TenantID, DeliveryID: line, State: string(LineBounced),
		ErrorCode: public.Code, ErrorText: public.Sentence}); err != nil {
		return fmt.Errorf("withhold delivery: %w", err)
	}
	return nil
}

// RunBounced notes in the ledger that a mail came back, and at the bounce whose
// it was. Of a mail that nobody knows any more, nothing is kept.
func (s *Service) RunBounced(ctx context.Context, job jobs.Job[delivery.BouncedArgs]) error {
	return s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		b, err := tx.MailBounceGet(ctx, tx.TenantID, job.Args.Bounce.UUID())
		if db.IsNoRows(err) || err == nil && b.MessageID == nil {
			return job.Complete(ctx, tx)
		}
		if err != nil {
			return fmt.Errorf("read bounce: %w", err)
		}
		line, err := tx.LedgerAddress(ctx, tx.TenantID, *b.MessageID)
		if db.IsNoRows(err) {
			if err := tx.MailBounceDelete(ctx, tx.TenantID, b.BounceID); err != nil {
				return fmt.Errorf("forget bounce: %w", err)
			}
			return job.Complete(ctx, tx)
		}
		if err != nil {
			return fmt.Errorf("read delivery: %w", err)
		}
		if err := tx.MailBounceSetAddress(ctx, line.Address, tx.TenantID, b.BounceID); err != nil {
			return fmt.Errorf("note address: %w", err)
		}
		if b.Kind == "bounce" { // a complaint is of a mail that arrived
			if err := s.setBounced(ctx, tx, line.RunID, *b.MessageID, b.Reason); err != nil {
				return err
			}
		}
		return job.Complete(ctx, tx)
	})
}

func (s *Service) setBounced(ctx context.Context, tx *db.Tx, run, line uuid.UUID, reason string) error {
	if _, err := tx.RunLock(ctx, tx.TenantID, run); err != nil {
		return fmt.Errorf("read run: %w", err)
	}
	n, err := tx.LedgerSetBounced(ctx, db.LedgerSetBouncedParams{TenantID: tx.TenantID, DeliveryID: line, ErrorCode: errCameBack.Code(), ErrorText: reason})
	if err != nil {
		return fmt.Errorf("note bounce: %w", err)
	}
	if n == 0 {
		return nil
	}
	if _, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: BouncesArgs{Run: ids.Run(run)}, RunAt: s.deps.Clock().Add(gatherBounces),
		UniqueKey: run.String()}); err != nil {
		return err
	}
	return s.settle(ctx, tx, run)
}

// RunTellBounces writes to the owner.
func (s *Service) RunTellBounces(ctx context.Context, job jobs.Job[BouncesArgs]) error {
	return s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		lines, err := tx.RunTakeBounces(ctx, tx.TenantID, job.Args.Run.UUID())
		if err != nil {
			return fmt.Errorf("read ledger: %w", err)
		}
		row, err := tx.RunLock(ctx, tx.TenantID, job.Args.Run.UUID())
		if db.IsNoRows(err) || err == nil && (len(lines) == 0 || row.Cause == "test") {
			return job.Complete(ctx, tx)
		}
		if err != nil {
			return fmt.Errorf("read run: %w", err)
		}
		schedule, err := tx.ScheduleGet(ctx, tx.TenantID, row.ScheduleID)
		if err != nil {
			return fmt.Errorf("read schedule: %w", err)
		}
		trouble := delivery.ReportTrouble{Name: schedule.Name, Trouble: delivery.CameBack, At: row.DueAt}
		for _, l := range lines {
			trouble.Lines = append(trouble.Lines, delivery.TroubleLine{Address: l.Address, Text: l.ErrorText})
		}
		if err := s.tell(ctx, tx, schedule.OwnerID, row.ScheduleID, trouble); err != nil {
			return err
		}
		return job.Complete(ctx, tx)
	})
}

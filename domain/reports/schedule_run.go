package reports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// RunOptions are for the binding of RunArgs: about six hours of attempts, as for
// mail.
var RunOptions = jobs.Options{Timeout: time.Hour, MaxAttempts: 14, Backoff: 5 * time.Second, MaxBackoff: time.Hour}

// RunArgs renders what the recipients of a run get. Idempotent by Run.
type RunArgs struct {
	Run ids.Run `json:"run"`
}

// Kind names the job.
func (RunArgs) Kind() string { return "reports:run" }

// run is a run under way.
type run struct {
	db.RunLockRow
	schedule db.ScheduleGetRow
	spec     Spec
	owner    access.Actor
	view     *dashboards.View // as the owner sees it, at the moment of the run
	open     []db.LedgerListDueRow
}

// RunRun renders what each recipient sees, once for all who see the same, and
// asks for each mail. Whoever can't be served is noted and does not hold up
// the others. A second attempt goes on where the first was stopped.
func (s *Service) RunRun(ctx context.Context, job jobs.Job[RunArgs]) error {
	err := s.makeRun(ctx, job)
	if err == nil || ctx.Err() != nil || !apperr.Passes(err) {
		return err
	}
	public := apperr.Describe(err)
	var unmade unmadeError
	_ = errors.As(err, &unmade) // else it is that of all lines
	return errors.Join(err, s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		for _, u := range unmade {
			own := apperr.Describe(u.err)
			if err := tx.LedgerSetUnmadeOf(ctx, db.LedgerSetUnmadeOfParams{TenantID: tx.TenantID, Deliveries: u.lines, ErrorCode: own.Code, ErrorText: own.Sentence}); err != nil {
				return fmt.Errorf("note why lines wait: %w", err)
			}
		}
		if err := tx.LedgerSetUnmade(ctx, db.LedgerSetUnmadeParams{TenantID: tx.TenantID, RunID: job.Args.Run.UUID(), OnlyNew: len(unmade) > 0,
			ErrorCode: public.Code, ErrorText: public.Sentence}); err != nil {
			return fmt.Errorf("note why it waits: %w", err)
		}
		if job.Attempt < delayedAfter || job.Last() {
			return nil
		}
		return s.delayed(ctx, tx, job.Args.Run.UUID(), delivery.RunUnmade)
	}))
}

func (s *Service) makeRun(ctx context.Context, job jobs.Job[RunArgs]) error {
	r, err := s.openRun(ctx, job)
	if err != nil || r == nil {
		return err
	}
	err = s.deps.Dashboards.Hold(ctx, r.view, "report", func(ctx context.Context) error { return s.renderAll(ctx, job, r) })
	if err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.RunLock(ctx, tx.TenantID, r.RunID); err != nil {
			return fmt.Errorf("read run: %w", err)
		}
		open, err := tx.LedgerListDue(ctx, tx.TenantID, r.RunID)
		if err != nil {
			return fmt.Errorf("read ledger: %w", err)
		}
		if len(open) > 0 { // opened again meanwhile, with a job of its own
			return job.Complete(ctx, tx)
		}
		if err := tx.RunSetState(ctx, db.RunSetStateParams{TenantID: tx.TenantID, RunID: r.RunID, State: RunSending}); err != nil {
			return fmt.Errorf("end run: %w", err)
		}
		if err := s.settle(ctx, tx, r.RunID); err != nil {
			return err
		}
		return job.Complete(ctx, tx)
	})
}

// unmadeAtMost is how many files an attempt makes in vain: what fails for all is
// not tried for each.
const unmadeAtMost = 5

// unmadeLines are lines whose file an attempt did not make, and why.
type unmadeLines struct {
	lines []uuid.UUID
	err   error
}

// unmadeError is all that an attempt did not make.
type unmadeError []unmadeLines

func (e unmadeError) Error() string { return errors.Join(e.Unwrap()...).Error() }

func (e unmadeError) Unwrap() []error {
	list := make([]error, len(e))
	for i, u := range e {
		list[i] = u.err
	}
	return list
}

// renderAll renders for everybody whose line is open, all at one moment of the
// data. A file that can't be made now does not hold up the others: each attempt
// begins with another one, and fails once it is through.
func (s *Service) renderAll(ctx context.Context, job jobs.Job[RunArgs], r *run) error {
	type group struct {
		view   *dashboards.View
		plans  []*dashboards.Plan
		spec   Spec
		digest string
		lines  []uuid.UUID
	}
	var groups []*group
	var unopened, unmade unmadeError
	for _, line := range r.open {
		v, plans, spec, look, err := s.bindFor(ctx, ids.Tenant(job.TenantID), r, line)
		if err != nil {
			if apperr.Passes(err) {
				if ctx.Err() != nil {
					return err
				}
				unopened = append(unopened, unmadeLines{[]uuid.UUID{line.DeliveryID}, err})
				continue
			}
			if err := s.closeLine(ctx, job.TenantID, line.DeliveryID, closedAs(err), err); err != nil {
				return err
			}
			continue
		}
		digest := sees(v, plans, spec, look)
		i := slices.IndexFunc(groups, func(g *group) bool { return g.digest == digest })
		if i < 0 {
			groups, i = append(groups, &group{view: v, plans: plans, spec: spec, digest: digest}), len(groups)
		}
		groups[i].lines = append(groups[i].lines, line.DeliveryID)
	}
	for i := range groups {
		g := groups[(i+job.Attempt*unmadeAtMost)%len(groups)]
		job.Report(jobs.Progress{Phase: "rendering", Rows: int64(i), RowsTotal: int64(len(groups))})
		if err := s.serve(ctx, job.Ref, r, g.view, g.plans, g.spec, g.digest, g.lines); err != nil {
			if apperr.Passes(err) {
				if unmade = append(unmade, unmadeLines{g.lines, err}); ctx.Err() != nil || len(unmade) == unmadeAtMost {
					break
				}
				continue
			}
			for _, line := range g.lines {
				if err := s.closeLine(ctx, job.TenantID, line, LineFailed, err); err != nil {
					return err
				}
			}
		}
	}
	if all := append(unopened, unmade...); len(all) > 0 {
		return all
	}
	return nil
}

// openRun reads the run and writes its ledger; nil where it is over.
func (s *Service) openRun(ctx context.Context, job jobs.Job[RunArgs]) (*run, error) {
	r := &run{}
	over := false
	err := s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		r.RunLockRow, err = tx.RunLock(ctx, tx.TenantID, job.Args.Run.UUID())
		if err != nil && !db.IsNoRows(err) {
			return fmt.Errorf("read run: %w", err)
		}
		if err != nil || r.State != RunDue {
			over = true
			return job.Complete(ctx, tx)
		}
		if r.schedule, err = tx.ScheduleGet(ctx, tx.TenantID, r.ScheduleID); err != nil {
			return fmt.Errorf("read schedule: %w", err)
		}
		if err := json.Unmarshal(r.schedule.Spec, &r.spec); err != nil {
			return jobs.Permanent(fmt.Errorf("read schedule: %w", err))
		}
		if err := s.openLedger(ctx, tx, r); err != nil {
			return err
		}
		r.open, err = tx.LedgerListDue(ctx, tx.TenantID, r.RunID)
		return err
	})
	if err != nil || over {
		return nil, err
	}
	r.owner, err = s.ownerOf(ctx, ids.Tenant(job.TenantID), r.schedule.OwnerID, r.schedule.OwnerVisitorID)
	if err != nil {
		return nil, err
	}
	return r, s.fixMoment(ctx, job.TenantID, r)
}

// openLedger writes a line for each recipient, once.
func (s *Service) openLedger(ctx context.Context, tx *db.Tx, r *run) error {
	insert := func(line db.LedgerInsertParams) error {
		line.TenantID, line.DeliveryID, line.RunID = tx.TenantID, ids.New[ids.Delivery]().UUID(), r.RunID
		if err := tx.LedgerInsert(ctx, line); err != nil {
			return fmt.Errorf("open ledger: %w", err)
		}
		if line.ChannelID != nil || r.Cause == "test" {
			return nil
		}
		return s.withhold(ctx, tx, line.DeliveryID, line.Address)
	}
	// A retry renders again for those who are in the ledger, and for no others.
	if lines, err := tx.LedgerCount(ctx, tx.TenantID, r.RunID); err != nil || len(lines) > 0 {
		return err
	}
	if r.Cause == "test" {
		row, err := tx.UserGet(ctx, tx.TenantID, *r.AskedBy)
		if err != nil {
			return fmt.Errorf("read person: %w", err)
		}
		return insert(db.LedgerInsertParams{UserID: r.AskedBy, Address: row.Email, OnlyRows: Rows{}.encode()})
	}
	if err := tx.RecipientAddGroup(ctx, tx.TenantID, r.ScheduleID); err != nil {
		return fmt.Errorf("add groups of visitors: %w", err)
	}
	rows, err := tx.RecipientList(ctx, tx.TenantID, []uuid.UUID{r.ScheduleID})
	if err != nil {
		return fmt.Errorf("list recipients: %w", err)
	}
	for _, row := range rows {
		if row.UnsubscribedAt != nil {
			continue
		}
		line := db.LedgerInsertParams{RecipientID: &row.RecipientID, UserID: row.UserID, Address: row.Address, ChannelID: row.ChannelID, OnlyRows: row.OnlyRows,
			Attributes: row.Attributes, Visiting: row.VisitorAddress != "", VisitorID: row.VisitorID}
		switch {
		case row.PortalGroupID != nil && (!line.Visiting || !row.Among || row.Removed):
			continue // the group itself, or who is in it no more
		case row.UserID != nil || line.Visiting:
			line.Address = row.Email
		case row.ChannelID != nil:
			line.Address = row.Name
		}
		if err := insert(line); err != nil {
			return err
		}
	}
	return nil
}

// fixMoment has all recipients see one moment of the data, in each attempt as
// long as it is kept.
func (s *Service) fixMoment(ctx context.Context, tenant uuid.UUID, r *run) error {
	r.spec.Snapshot = r.Snapshot
	v, _, err := s.bind(ctx, r.owner, ids.Dashboard(r.schedule.DashboardID), &r.spec)
	if errors.Is(err, datasets.ErrSnapshotExpired) {
		r.spec.Snapshot = ""
		v, _, err = s.bind(ctx, r.owner, ids.Dashboard(r.schedule.DashboardID), &r.spec)
	}
	if err != nil {
		return err
	}
	r.view, r.spec.Snapshot = v, v.Snapshot.String()
	return s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.RunSetSnapshot(ctx, r.spec.Snapshot, tx.TenantID, r.RunID); err != nil {
			return fmt.Errorf("fix moment: %w", err)
		}
		return nil
	})
}

// bindFor opens what a recipient sees: a person as themselves, a visitor as in
// their portal, an address as the owner sees it and its attributes leave it, and of
// that the rows that the schedule leaves them. look names the portal whose look the
// file has; empty for the workspace's.
func (s *Service) bindFor(ctx context.Context, tenant ids.Tenant, r *run, line db.LedgerListDueRow) (v *dashboards.View, plans []*dashboards.Plan, spec Spec, look string, err error) {
	spec = r.spec
	actor, look, err := s.reader(ctx, tenant, r, line)
	if err != nil {
		return nil, nil, spec, look, err
	}
	var rows Rows
	if err := json.Unmarshal(line.OnlyRows, &rows); err != nil {
		return nil, nil, spec, look, fmt.Errorf("read rows of recipient: %w", err)
	}
	for column := range rows {
		if !r.view.CanLock(column) { // all would be kept back, without a word
			return nil, nil, spec, look, errRowsGone
		}
	}
	actor.Locked = rows
	v, plans, err = s.bind(ctx, actor, ids.Dashboard(r.schedule.DashboardID), &spec)
	if errors.Is(err, dashboards.ErrNotFound) && line.UserID != nil {
		err = errNotSeen.Wrap(err) // the owner sees it
	}
	return v, plans, spec, look, err
}

// reader is whose eyes a line is rendered for.
//
// Errors: those of standing.stays, reports.recipient_left,
// reports.outside_forbidden, those of visitorOf.
func (s *Service) reader(ctx context.Context, tenant ids.Tenant, r *run, line db.LedgerListDueRow) (actor access.Actor, look string, err error) {
	if err := (standing{line.TakenOut, line.Unsubscribed, line.LeftGroup}).stays(); err != nil {
		return actor, "", err
	}
	switch {
	case line.UserID != nil:
		actor, err = s.deps.Tenants.GetActor(ctx, tenant, ids.User(*line.UserID))
		if errors.Is(err, tenants.ErrMemberNotFound) {
			err = errRecipientLeft.Wrap(err)
		}
		return actor, "", err
	case line.ChannelID != nil:
		return r.owner, "", nil
	}
	if line.Visiting {
		p, visit, err := s.visitorOf(ctx, tenant, line.VisitorID, r.schedule.DashboardID)
		if err == nil {
			err = mayLeave(r.owner)
		}
		if err != nil {
			return actor, "", err
		}
		actor = visit.Actor
		if r.owner.Kind == access.Visitor {
			if actor.Zone, err = s.zone(ctx, actor, r.schedule.Zone); err != nil {
				return actor, "", err
			}
		}
		return actor, p.ID.String() + p.UpdatedAt.String(), nil
	}
	if err := mayLeave(r.owner); err != nil {
		return actor, "", err
	}
	actor = r.owner
	if len(line.Attributes) > 0 {
		if err := json.Unmarshal(line.Attributes, &actor.Fixed); err != nil {
			return actor, "", fmt.Errorf("read attributes of recipient: %w", err)
		}
	}
	return actor, "", nil
}

// closeLine ends a line that nothing was sent for.
func (s *Service) closeLine(ctx context.Context, tenant, line uuid.UUID, state LineState, cause error) error {
	public := apperr.Describe(cause)
	return s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.LedgerClose(ctx, db.LedgerCloseParams{TenantID: tx.TenantID, DeliveryID: line, State: string(state), ErrorCode: public.Code, ErrorText: public.Sentence}); err != nil {
			return fmt.Errorf("close delivery: %w", err)
		}
		return nil
	})
}

// RunFailed says in a run, and in its lines that are open still, why nothing was
// sent, and tells the owner.
func (s *Service) RunFailed(ctx context.Context, job jobs.Job[RunArgs], cause error) error {
	public := apperr.Describe(cause)
	var unmade unmadeError
	_ = errors.As(cause, &unmade) // else it is that of all lines
	own := map[uuid.UUID]apperr.Public{}
	for _, u := range unmade {
		for _, line := range u.lines {
			own[line] = apperr.Describe(u.err)
		}
	}
	now := s.deps.Clock()
	return s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.RunLock(ctx, tx.TenantID, job.Args.Run.UUID())
		if db.IsNoRows(err) || err == nil && row.State != RunDue {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read run: %w", err)
		}
		open, err := tx.LedgerListDue(ctx, tx.TenantID, row.RunID)
		if err != nil {
			return fmt.Errorf("read ledger: %w", err)
		}
		for _, line := range open {
			why, known := own[line.DeliveryID]
			if !known {
				why = public
			}
			if _, err := tx.LedgerClose(ctx, db.LedgerCloseParams{TenantID: tx.TenantID, DeliveryID: line.DeliveryID, State: string(LineFailed),
				ErrorCode: why.Code, ErrorText: why.Sentence}); err != nil {
				return fmt.Errorf("close delivery: %w", err)
			}
		}
		counts, err := tx.LedgerCount(ctx, tx.TenantID, row.RunID)
		if err != nil {
			return fmt.Errorf("count deliveries: %w", err)
		}
		served := func(c db.LedgerCountRow) bool { return c.State != string(LineFailed) && c.State != string(LineSkipped) }
		if slices.ContainsFunc(counts, served) { // it ends with the last mail that is on its way
			if err := tx.RunSetState(ctx, db.RunSetStateParams{TenantID: tx.TenantID, RunID: row.RunID, State: RunSending}); err != nil {
				return fmt.Errorf("go on with run: %w", err)
			}
			return s.settle(ctx, tx, row.RunID)
		}
		if err := tx.RunSetState(ctx, db.RunSetStateParams{TenantID: tx.TenantID, RunID: row.RunID, State: RunFailed, ErrorCode: public.Code,
			ErrorText: public.Sentence, FinishedAt: &now}); err != nil {
			return fmt.Errorf("end run: %w", err)
		}
		return s.alarm(ctx, tx, row, delivery.ReportTrouble{Trouble: delivery.RunFailed, Lines: []delivery.TroubleLine{{Text: public.Sentence}}})
	})
}

// settle ends a run whose mails are all over. The caller holds the run's lock.
func (s *Service) settle(ctx context.Context, tx *db.Tx, id uuid.UUID) error {
	row, err := tx.RunLock(ctx, tx.TenantID, id)
	if err != nil {
		return fmt.Errorf("read run: %w", err)
	}
	if row.State != RunSending {
		return nil
	}
	counts, err := tx.LedgerCount(ctx, tx.TenantID, id)
	if err != nil {
		return fmt.Errorf("count deliveries: %w", err)
	}
	bad, trouble := false, delivery.ReportTrouble{Trouble: delivery.RunUnknown}
	for _, c := range counts {
		if c.Again {
			return nil
		}
		switch LineState(c.State) {
		case LineDue, LineRendered:
			return nil
		case LineUnknown:
			bad = true
		case LineBounced, LineFailed:
			bad, trouble.Trouble = true, delivery.RunFailed
		}
	}
	now := s.deps.Clock()
	if err := tx.RunSetState(ctx, db.RunSetStateParams{TenantID: tx.TenantID, RunID: id, State: RunDone, FinishedAt: &now}); err != nil {
		return fmt.Errorf("end run: %w", err)
	}
	if err := tx.ScheduleSetSeen(ctx, row.Snapshot, tx.TenantID, row.ScheduleID); err != nil {
		return fmt.Errorf("note what was sent: %w", err)
	}
	if !bad {
		return nil
	}
	lines, err := tx.LedgerList(ctx, tx.TenantID, []uuid.UUID{id})
	if err != nil {
		return fmt.Errorf("read ledger: %w", err)
	}
	for _, l := range lines {
		if (Line{State: LineState(l.State)}).Bad() {
			trouble.Lines = append(trouble.Lines, delivery.TroubleLine{Address: l.Address, Text: l.ErrorText})
		}
	}
	return s.alarm(ctx, tx, row, trouble)
}

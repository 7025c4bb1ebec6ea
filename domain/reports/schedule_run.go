package reports

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// StartOptions and RunOptions are for the bindings of StartArgs and RunArgs.
var (
	StartOptions = jobs.Options{Timeout: time.Minute, MaxAttempts: 20, Backoff: time.Second, MaxBackoff: time.Minute}
	RunOptions   = jobs.Options{Timeout: time.Hour, MaxAttempts: 5, Backoff: 5 * time.Second}
)

// StartArgs begins the run of a schedule that is due then, and asks for the one
// after it. Idempotent by both.
type StartArgs struct {
	Schedule ids.Schedule `json:"schedule"`
	DueAt    time.Time    `json:"due_at"`
}

// Kind names the job.
func (StartArgs) Kind() string { return "reports:start" }

// RunArgs renders what the recipients of a run get. Idempotent by Run.
type RunArgs struct {
	Run ids.Run `json:"run"`
}

// Kind names the job.
func (RunArgs) Kind() string { return "reports:run" }

// errOwnerLeft is an owner who is gone, or may no longer schedule.
var errOwnerLeft = apperr.Define(apperr.Gone, "reports.owner_left",
	"The person who owns this scheduled report left, or may no longer schedule reports.")

func (s *Service) ownerOf(ctx context.Context, tenant ids.Tenant, id ids.User) (access.Actor, error) {
	owner, err := s.deps.Tenants.GetActor(ctx, tenant, id)
	if errors.Is(err, tenants.ErrMemberNotFound) {
		return owner, errOwnerLeft.Wrap(err)
	}
	if err == nil && access.Can(owner, access.EditContent) != nil {
		err = errOwnerLeft
	}
	return owner, err
}

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
	type seen struct{ owner, dashboard uuid.UUID }
	type clock struct {
		owner uuid.UUID
		zone  string
	}
	owners, visible, zones, found := map[uuid.UUID]access.Actor{}, map[seen]bool{}, map[clock]*time.Location{}, besides{}
	for _, row := range rows {
		owner, known := owners[row.OwnerID]
		if !known {
			if owner, err = s.ownerOf(ctx, ids.Tenant(job.TenantID), ids.User(row.OwnerID)); err != nil {
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
		if there && zone != nil {
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
		jobsOfRuns = append(jobsOfRuns, jobs.Row{TenantID: tx.TenantID, Args: RunArgs{Run: ids.Run(run)}, Queue: jobs.Bulk})
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
	owner, err := s.ownerOf(ctx, tenant, ids.User(row.OwnerID))
	if errors.Is(err, errOwnerLeft) {
		return delivery.OwnerLeft, owner, nil
	}
	if err != nil {
		return "", owner, err
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

// pauseAndTell pauses a schedule and writes to its owner, or where that one is
// gone to the owners of the workspace.
func (s *Service) pauseAndTell(ctx context.Context, tx *db.Tx, row db.ScheduleGetRow, why delivery.Trouble) error {
	if err := pause(ctx, tx, ids.Schedule(row.ScheduleID), nil, string(why)); err != nil {
		return err
	}
	trouble := delivery.ReportTrouble{Name: row.Name, Trouble: why, Owner: row.OwnerName}
	if trouble.Owner == "" {
		trouble.Owner = row.OwnerEmail
	}
	return s.tell(ctx, tx, row.OwnerID, row.ScheduleID, trouble)
}

// tell writes to the owner of a schedule, or to the workspace's owners.
func (s *Service) tell(ctx context.Context, tx *db.Tx, owner, schedule uuid.UUID, trouble delivery.ReportTrouble) error {
	trouble.Link = s.deps.Address() + "/schedules/" + schedule.String()
	people := []uuid.UUID{owner}
	if trouble.Trouble == delivery.OwnerLeft {
		rows, err := tx.UserList(ctx, db.UserListParams{TenantID: tx.TenantID, Role: string(access.Owner), RowLimit: 20})
		if err != nil {
			return fmt.Errorf("list owners: %w", err)
		}
		people = nil
		for _, row := range rows {
			people = append(people, row.UserID)
		}
	}
	settings, err := tx.TenantSettingsGet(ctx, tx.TenantID)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	for _, id := range people {
		row, err := tx.UserGet(ctx, tx.TenantID, id)
		if err != nil {
			return fmt.Errorf("read person: %w", err)
		}
		if row.RemovedAt != nil {
			continue
		}
		locale, zone := row.Locale, row.Zone
		if locale == "" {
			locale = settings.Locale
		}
		if zone == "" {
			zone = settings.Zone
		}
		if place, err := time.LoadLocation(zone); err == nil {
			trouble.At = trouble.At.In(place)
		}
		if _, err := s.deps.Mail.Queue(ctx, tx, delivery.Recipient{Address: row.Email, Name: row.Name, Locale: locale}, trouble); err != nil {
			return err
		}
	}
	return nil
}

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
		if err := tx.RunSetState(ctx, db.RunSetStateParams{TenantID: tx.TenantID, RunID: r.RunID, State: RunSending}); err != nil {
			return fmt.Errorf("end run: %w", err)
		}
		if err := s.settle(ctx, tx, r.RunID); err != nil {
			return err
		}
		return job.Complete(ctx, tx)
	})
}

// renderAll renders for everybody whose line is open, all at one moment of the data.
func (s *Service) renderAll(ctx context.Context, job jobs.Job[RunArgs], r *run) error {
	type group struct {
		view   *dashboards.View
		plans  []*dashboards.Plan
		spec   Spec
		digest string
		lines  []uuid.UUID
	}
	var groups []*group
	for _, line := range r.open {
		v, plans, spec, err := s.bindFor(ctx, ids.Tenant(job.TenantID), r, line)
		if err != nil {
			if !closes(err) {
				return err
			}
			if err := s.closeLine(ctx, job.TenantID, line.DeliveryID, LineFailed, err); err != nil {
				return err
			}
			continue
		}
		digest := sees(v, plans, spec)
		i := slices.IndexFunc(groups, func(g *group) bool { return g.digest == digest })
		if i < 0 {
			groups, i = append(groups, &group{view: v, plans: plans, spec: spec, digest: digest}), len(groups)
		}
		groups[i].lines = append(groups[i].lines, line.DeliveryID)
	}
	for i, g := range groups {
		job.Report(jobs.Progress{Phase: "rendering", Rows: int64(i), RowsTotal: int64(len(groups))})
		if err := s.serve(ctx, job.Ref, r, g.view, g.plans, g.spec, g.digest, g.lines); err != nil {
			if !closes(err) {
				return err
			}
			for _, line := range g.lines {
				if err := s.closeLine(ctx, job.TenantID, line, LineFailed, err); err != nil {
					return err
				}
			}
		}
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
	r.owner, err = s.ownerOf(ctx, ids.Tenant(job.TenantID), ids.User(r.schedule.OwnerID))
	if err != nil {
		return nil, jobs.Permanent(err)
	}
	return r, s.fixMoment(ctx, job.TenantID, r)
}

// openLedger writes a line for each recipient, once.
func (s *Service) openLedger(ctx context.Context, tx *db.Tx, r *run) error {
	insert := func(recipient, user *uuid.UUID, address string, channel *uuid.UUID) error {
		line := ids.New[ids.Delivery]().UUID()
		err := tx.LedgerInsert(ctx, db.LedgerInsertParams{TenantID: tx.TenantID, DeliveryID: line, RunID: r.RunID,
			RecipientID: recipient, UserID: user, Address: address, ChannelID: channel})
		if err != nil {
			return fmt.Errorf("open ledger: %w", err)
		}
		if channel != nil || r.Cause == "test" {
			return nil
		}
		return s.withhold(ctx, tx, line, address)
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
		return insert(nil, r.AskedBy, row.Email, nil)
	}
	rows, err := tx.RecipientList(ctx, tx.TenantID, []uuid.UUID{r.ScheduleID})
	if err != nil {
		return fmt.Errorf("list recipients: %w", err)
	}
	for _, row := range rows {
		if row.UnsubscribedAt != nil {
			continue
		}
		address := row.Address
		if row.UserID != nil {
			address = row.Email
		}
		if row.ChannelID != nil {
			address = row.Name
		}
		if err := insert(&row.RecipientID, row.UserID, address, row.ChannelID); err != nil {
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

// bindFor opens what a recipient sees: a person as themselves, an address as
// the owner sees it.
func (s *Service) bindFor(ctx context.Context, tenant ids.Tenant, r *run, line db.LedgerListDueRow) (*dashboards.View, []*dashboards.Plan, Spec, error) {
	actor, spec := r.owner, r.spec
	if line.UserID != nil {
		var err error
		actor, err = s.deps.Tenants.GetActor(ctx, tenant, ids.User(*line.UserID))
		if errors.Is(err, tenants.ErrMemberNotFound) {
			return nil, nil, spec, errRecipientLeft.Wrap(err)
		}
		if err != nil {
			return nil, nil, spec, err
		}
	}
	v, plans, err := s.bind(ctx, actor, ids.Dashboard(r.schedule.DashboardID), &spec)
	return v, plans, spec, err
}

// closes tells an error that ends a recipient's line from one that another
// attempt at the run may mend.
func closes(err error) bool {
	switch apperr.Describe(err).Class {
	case apperr.Internal, apperr.Timeout, apperr.Unavailable, apperr.RateLimited:
		return false
	}
	return true
}

// sees names all that a report shows: equal names, equal files. The key of a
// widget's plan has what its viewer may see of the data.
func sees(v *dashboards.View, plans []*dashboards.Plan, spec Spec) string {
	list := []any{v.Actor().TenantID, v.Actor().Role, v.Dashboard.ID, v.Dashboard.ShownRev(), spec, v.Locale().Name, v.Zone.String(), v.Days}
	for _, p := range plans {
		list = append(list, p.Key)
	}
	text, _ := json.Marshal(list) // ids, texts and dates always encode
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// serve renders a content, unless an earlier attempt did, and asks for the
// mails of all who get it.
func (s *Service) serve(ctx context.Context, ref jobs.Ref, r *run, v *dashboards.View, plans []*dashboards.Plan, spec Spec, digest string, lines []uuid.UUID) error {
	var content db.ContentFindRow
	err := s.deps.DB.InTenantTx(ctx, ref.TenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		content, err = tx.ContentFind(ctx, tx.TenantID, r.RunID, digest)
		return err
	})
	if db.IsNoRows(err) {
		content, err = s.make(ctx, ref.TenantID, r, v, plans, spec, digest)
	}
	if err != nil {
		return err
	}
	if content.Empty {
		for _, line := range lines {
			if err := s.closeLine(ctx, ref.TenantID, line, LineSkipped, errNoRows); err != nil {
				return err
			}
		}
		return nil
	}
	return s.deps.DB.InTenantTx(ctx, ref.TenantID, func(ctx context.Context, tx *db.Tx) error {
		for _, line := range lines {
			n, err := tx.LedgerSetRendered(ctx, &content.ContentID, tx.TenantID, line)
			if err != nil {
				return fmt.Errorf("note content: %w", err)
			}
			if n == 0 {
				continue // an attempt that was thought dead was here
			}
			if _, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: DeliverArgs{Delivery: ids.Delivery(line)}}); err != nil {
				return err
			}
		}
		return nil
	})
}

// make renders and publishes a content.
func (s *Service) make(ctx context.Context, tenant uuid.UUID, r *run, v *dashboards.View, plans []*dashboards.Plan, spec Spec, digest string) (db.ContentFindRow, error) {
	id := ids.New[uuid.UUID]()
	row := db.ContentInsertParams{TenantID: tenant, ContentID: id, RunID: r.RunID, Digest: digest, ExpiresAt: s.deps.Clock().Add(keepFor), Stated: []byte("{}")}
	if r.schedule.OnlyIfRows {
		empty, err := s.isEmpty(ctx, v, plans)
		if err != nil {
			return db.ContentFindRow{}, err
		}
		row.Empty = empty
	}
	if !row.Empty {
		prefix, err := s.prefix(ctx, ids.Tenant(tenant))
		if err != nil {
			return db.ContentFindRow{}, err
		}
		key := prefix + folder + "scheduled/" + id.String()
		stated, err := s.publish(ctx, key, func(out io.Writer) (Stated, error) {
			return s.write(ctx, v, plans, spec, out, func(string, int, int) {})
		})
		if err != nil {
			return db.ContentFindRow{}, err
		}
		row.Key, row.Name = key, stated.Name
		if row.Stated, err = json.Marshal(stated); err != nil {
			return db.ContentFindRow{}, fmt.Errorf("encode report: %w", err)
		}
		row.PictureKey = s.picture(ctx, key+".png", v, plans, spec)
	}
	var stays db.ContentInsertRow
	err := s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		stays, err = tx.ContentInsert(ctx, row)
		return err
	})
	if err != nil || stays.Key != row.Key {
		// Another attempt's files stay; these are nobody's.
		err = errors.Join(err, s.removeFiles(context.WithoutCancel(ctx), row.Key, row.PictureKey))
	}
	return db.ContentFindRow{ContentID: stays.ContentID, Empty: stays.Empty}, err
}

// publish writes a file through a temporary one into the storage.
func (s *Service) publish(ctx context.Context, key string, write func(io.Writer) (Stated, error)) (Stated, error) {
	file, err := os.CreateTemp("", "dataflow-report-")
	if err != nil {
		return Stated{}, fmt.Errorf("make file: %w", err)
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	stated, err := write(file)
	if err != nil {
		return Stated{}, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return Stated{}, fmt.Errorf("read file: %w", err)
	}
	_, err = s.deps.Blobs.Publish(ctx, key, file)
	return stated, err
}

// picture makes the picture that a mail with a document shows. A mail without
// it says the same, so that what goes wrong with it is only logged.
func (s *Service) picture(ctx context.Context, key string, v *dashboards.View, plans []*dashboards.Plan, spec Spec) string {
	if spec.Format != PDF {
		return ""
	}
	spec.Format = PNG
	var body bytes.Buffer
	_, err := s.write(ctx, v, plans, spec, &body, func(string, int, int) {})
	if err == nil {
		_, err = s.deps.Blobs.Publish(ctx, key, &body)
	}
	if err != nil {
		s.deps.Log.WarnContext(ctx, "no picture for a report's mail", "dashboard", v.Dashboard.ID, "error", err)
		return ""
	}
	return key
}

// isEmpty tells whether no widget has a row. Figures do not count beside
// others: they always have one. A widget that fails is not empty.
func (s *Service) isEmpty(ctx context.Context, v *dashboards.View, plans []*dashboards.Plan) (bool, error) {
	tiles, err := s.draw(ctx, v, plans, func(string, int, int) {})
	if err != nil {
		return false, err
	}
	asked := false
	for _, t := range tiles {
		switch {
		case t.Err != nil:
			if !t.IsForbidden() {
				return false, nil
			}
		case t.Drawing == nil || !t.Type.Asks() || t.Type == charts.KPI:
		case t.Type == charts.Table && t.Drawing.Table != nil:
			asked = true
			if len(t.Drawing.Table.Rows) > 0 {
				return false, nil
			}
		default:
			asked = true
			if t.Drawing.State != charts.Empty {
				return false, nil
			}
		}
	}
	return asked, nil
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

// RunFailed says in the run why nothing was sent, and tells the owner.
func (s *Service) RunFailed(ctx context.Context, job jobs.Job[RunArgs], cause error) error {
	public := apperr.Describe(cause)
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
			if _, err := tx.LedgerClose(ctx, db.LedgerCloseParams{TenantID: tx.TenantID, DeliveryID: line.DeliveryID, State: string(LineFailed),
				ErrorCode: public.Code, ErrorText: public.Sentence}); err != nil {
				return fmt.Errorf("close delivery: %w", err)
			}
		}
		if err := tx.RunSetState(ctx, db.RunSetStateParams{TenantID: tx.TenantID, RunID: row.RunID, State: RunFailed, ErrorCode: public.Code,
			ErrorText: public.Sentence, FinishedAt: &now}); err != nil {
			return fmt.Errorf("end run: %w", err)
		}
		return s.alarm(ctx, tx, row, delivery.ReportTrouble{Trouble: delivery.RunFailed, Lines: []delivery.TroubleLine{{Text: public.Sentence}}})
	})
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
	bad := false
	for _, c := range counts {
		if c.Again {
			return nil
		}
		switch LineState(c.State) {
		case LineDue, LineRendered:
			return nil
		case LineUnknown, LineBounced, LineFailed:
			bad = true
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
	trouble := delivery.ReportTrouble{Trouble: delivery.RunFailed}
	for _, l := range lines {
		if (Line{State: LineState(l.State)}).Bad() {
			trouble.Lines = append(trouble.Lines, delivery.TroubleLine{Address: l.Address, Text: l.ErrorText})
		}
	}
	return s.alarm(ctx, tx, row, trouble)
}

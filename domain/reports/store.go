package reports

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

const (
	// keepFor is how long a file can be downloaded, linkFor one link to it.
	keepFor = 7 * 24 * time.Hour
	linkFor = time.Hour
	listed  = 50
	folder  = "reports/"
)

// RenderOptions are for the binding of RenderArgs.
var RenderOptions = jobs.Options{Timeout: time.Hour, MaxAttempts: 4, Backoff: 2 * time.Second}

// RenderArgs asks for the file of one report. Idempotent by ReportID.
type RenderArgs struct {
	ReportID ids.Report `json:"report"`
}

// Kind names the job.
func (RenderArgs) Kind() string { return "reports:render" }

// PruneArgs asks for the files of the job's tenant that are kept no longer to
// be deleted.
type PruneArgs struct{}

// Kind names the job.
func (PruneArgs) Kind() string { return "reports:prune" }

// Status is how far a report is.
type Status string

// The statuses.
const (
	Pending   Status = "Pending"
	Running   Status = "Running"
	Completed Status = "Completed"
	Failed    Status = "Failed"
	Cancelled Status = "Cancelled"
	// Expired was completed, and its file is kept no longer. The database has
	// no such status: it goes by the clock.
	Expired Status = "Expired"
)

// Over tells whether nothing more will happen.
func (s Status) Over() bool { return s != Pending && s != Running }

// Report is one that was asked for.
type Report struct {
	ID          ids.Report
	Dashboard   ids.Dashboard // zero for the file of a dataset
	Dataset     ids.Dataset   // zero for the file of a dashboard
	Format      Format
	Status      Status
	Name        string // of the file
	Spec        Spec
	Stated      Stated
	Progress    jobs.Progress
	ErrorCode   string
	ErrorText   string
	CreatedAt   time.Time
	CompletedAt time.Time // zero while it is made
	ExpiresAt   time.Time // when the file is deleted
	// Link is the query that lets its owner download the file, for an hour;
	// empty where there is none.
	Link string

	key   string
	jobID uuid.UUID
}

// JobID is the job that makes it, whose progress is told of.
func (r *Report) JobID() uuid.UUID { return r.jobID }

// Request asks for a report of a dashboard; a job makes it. The actor gets what
// they see.
//
// Errors: reports.invalid, dashboards.not_found, dashboards.filters_invalid,
// dashboards.widget_not_found, datasets.snapshot_expired.
func (s *Service) Request(ctx context.Context, actor access.Actor, id ids.Dashboard, spec Spec) (Report, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Report{}, err
	}
	if actor.UserID.IsZero() && (actor.VisitorID.IsZero() || s.deps.Visitors == nil) {
		return Report{}, access.ErrForbidden
	}
	if err := spec.clean(); err != nil {
		return Report{}, err
	}
	if actor.Kind == access.Visitor && spec.Format != PDF {
		return Report{}, ErrSpec.With("Choose PDF.")
	}
	state, err := parseFilters(spec.Filters)
	if err != nil {
		return Report{}, err
	}
	spec.Filters = state.Encode()
	v, err := s.deps.Dashboards.Open(ctx, actor, dashboards.OpenRequest{ID: id, State: state, Snapshot: spec.Snapshot,
		Now: s.deps.Clock().Truncate(time.Minute), Words: s.deps.Words(ctx, actor.Locale)})
	if err != nil {
		return Report{}, err
	}
	if _, err := chosen(v, spec.Widgets); err != nil {
		return Report{}, err
	}
	if err := s.callAsPortal(ctx, actor, v); err != nil {
		return Report{}, err
	}
	return s.insert(ctx, actor, subject{dashboard: id, name: v.Dashboard.Name}, spec)
}

// subject is what a report is of: a dashboard or a dataset.
type subject struct {
	dashboard ids.Dashboard
	dataset   ids.Dataset
	name      string
}

// insert adds a report and the job that makes it.
func (s *Service) insert(ctx context.Context, actor access.Actor, of subject, spec Spec) (Report, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return Report{}, fmt.Errorf("encode report: %w", err)
	}
	detail := map[string]any{"format": spec.Format}
	if of.dataset.IsZero() {
		detail["dashboard"] = of.dashboard.String()
	} else {
		detail["dataset"] = of.dataset.String()
	}
	report := ids.New[ids.Report]()
	err = s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		job, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, UserID: actor.UserID.UUID(), Args: RenderArgs{ReportID: report}, Queue: jobs.Asked})
		if err != nil {
			return err
		}
		if err := tx.ReportInsert(ctx, db.ReportInsertParams{TenantID: tx.TenantID, ReportID: report.UUID(), DashboardID: optional(of.dashboard), DatasetID: optional(of.dataset),
			UserID: optional(actor.UserID), VisitorID: optional(actor.VisitorID), Format: db.ReportFormat(spec.Format), LinkQuery: spec.Filters, Name: of.name, Spec: text, JobID: job, Now: s.deps.Clock()}); err != nil {
			return fmt.Errorf("insert report: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "report.requested", Target: "report", ID: report.String(),
			Detail: detail})
	})
	if err != nil {
		return Report{}, err
	}
	return s.Get(ctx, actor, report)
}

func optional[K ~[16]byte](id K) *uuid.UUID {
	if u := uuid.UUID(id); u != uuid.Nil {
		return &u
	}
	return nil
}

func fromOptional[T ~[16]byte](id *uuid.UUID) T {
	if id == nil {
		return T{}
	}
	return T(*id)
}

// Get reads a report of the actor's own.
//
// Errors: reports.not_found.
func (s *Service) Get(ctx context.Context, actor access.Actor, id ids.Report) (Report, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Report{}, err
	}
	var r Report
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.ReportGet(ctx, tx.TenantID, id.UUID())
		if db.IsNoRows(err) || err == nil && !owns(actor, row) {
			return ErrNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read report: %w", err)
		}
		if r, err = s.reportOf(actor, row); err != nil || r.Status != Running {
			return err
		}
		job, err := tx.JobStatus(ctx, r.jobID)
		if err == nil {
			r.Progress = job.Progress
		}
		if errors.Is(err, jobs.ErrNotFound) {
			return nil // pruned; the row says how it went
		}
		return err
	})
	return r, err
}

// owns tells whether a report is the actor's own.
func owns(actor access.Actor, row db.ReportGetRow) bool {
	if actor.Kind == access.Visitor {
		return row.VisitorID != nil && *row.VisitorID == actor.VisitorID.UUID()
	}
	return row.UserID != nil && *row.UserID == actor.UserID.UUID()
}

// List reads the actor's newest reports.
func (s *Service) List(ctx context.Context, actor access.Actor) ([]Report, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	var list []Report
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.ReportListByUser(ctx, tx.TenantID, actor.UserID.UUID(), listed)
		if err != nil {
			return fmt.Errorf("list reports: %w", err)
		}
		for _, row := range rows {
			r, err := s.reportOf(actor, db.ReportGetRow(row))
			if err != nil {
				return err
			}
			list = append(list, r)
		}
		return nil
	})
	return list, err
}

func (s *Service) reportOf(actor access.Actor, row db.ReportGetRow) (Report, error) {
	r := Report{ID: ids.Report(row.ReportID), Dashboard: fromOptional[ids.Dashboard](row.DashboardID), Dataset: fromOptional[ids.Dataset](row.DatasetID), Format: Format(row.Format), Status: Status(row.Status), Name: row.Name,
		ErrorCode: row.ErrorCode, ErrorText: row.ErrorText, CreatedAt: row.CreatedAt, key: row.DownloadUrl}
	if err := errors.Join(json.Unmarshal(row.Spec, &r.Spec), json.Unmarshal(row.Stated, &r.Stated)); err != nil {
		return Report{}, fmt.Errorf("read report %s: %w", r.ID, err)
	}
	if row.CompletedAt != nil {
		r.CompletedAt = *row.CompletedAt
	}
	if row.ExpiresAt != nil {
		r.ExpiresAt = *row.ExpiresAt
	}
	if row.JobID != nil {
		r.jobID = *row.JobID
	}
	now := s.deps.Clock()
	switch {
	case r.Status != Completed:
	case r.key == "" || now.After(r.ExpiresAt):
		r.Status, r.ErrorCode, r.ErrorText = Expired, ErrExpired.Code(), keptUntil(r.ExpiresAt, actor)+" Make it again."
	default:
		r.Link = s.sign(actor, r.ID, now.Add(linkFor))
	}
	return r, nil
}

// keptUntil says when a file was deleted.
func keptUntil(end time.Time, reader access.Actor) string {
	return fmt.Sprintf("The file was kept for %d days, until %s, and is gone.", int(keepFor.Hours())/24, end.In(reader.Location()).Format("2 January 2006"))
}

// sign makes the query of a link that its owner can use until a moment.
func (s *Service) sign(actor access.Actor, id ids.Report, until time.Time) string {
	expiry := strconv.FormatInt(until.Unix(), 10)
	return "until=" + expiry + "&signature=" + base64.RawURLEncoding.EncodeToString(s.mac(actor, id, expiry))
}

func (s *Service) mac(actor access.Actor, id ids.Report, expiry string) []byte {
	mac := hmac.New(sha256.New, s.deps.Key)
	owner := actor.UserID.String()
	if actor.Kind == access.Visitor {
		owner = "visitor " + actor.VisitorID.String()
	}
	fmt.Fprintf(mac, "report\n%s\n%s\n%s\n%s", actor.TenantID, owner, id, expiry) // never fails
	return mac.Sum(nil)
}

// File is the content of a report.
type File struct {
	Report Report
	open   func(ctx context.Context, offset, length int64) (io.ReadCloser, error)
}

// OpenRange reads a part of the file.
func (f *File) OpenRange(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	return f.open(ctx, offset, length)
}

// Open checks a link and answers the file behind it.
//
// Errors: reports.not_found, reports.link_invalid, reports.expired.
func (s *Service) Open(ctx context.Context, actor access.Actor, id ids.Report, until, signature string) (*File, error) {
	r, err := s.Get(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	given, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !hmac.Equal(given, s.mac(actor, id, until)) {
		return nil, ErrLink.Wrap(err)
	}
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil || s.deps.Clock().After(time.Unix(seconds, 0)) {
		return nil, ErrLink.Wrap(err)
	}
	switch r.Status {
	case Completed:
	case Expired:
		return nil, ErrExpired.With("%s", r.ErrorText)
	default:
		return nil, ErrExpired
	}
	if err := s.stillSeen(ctx, actor, r); err != nil {
		return nil, err
	}
	return &File{Report: r, open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		return s.deps.Blobs.ReadRange(ctx, r.key, offset, length)
	}}, nil
}

// stillSeen tells whether the actor may still see what a file is of: access may
// have ended, or the rows of the dataset be others now, since it was made.
func (s *Service) stillSeen(ctx context.Context, actor access.Actor, r Report) error {
	if !r.Dashboard.IsZero() {
		return s.stillShown(ctx, actor, r.Dashboard, r.Stated.Sees)
	}
	rows, err := s.deps.Dashboards.OpenDataset(ctx, actor, r.Dataset)
	if apperr.Describe(err).Class == apperr.NotFound {
		return ErrNotFound.Wrap(err)
	}
	if err == nil && rows.Sees != r.Stated.Sees {
		return errSeesOther
	}
	return err
}

var errSeesOther = ErrExpired.With("What you may see of this data has changed since. Make the file again.")

// stillShown is stillSeen for files of a dashboard.
func (s *Service) stillShown(ctx context.Context, actor access.Actor, id ids.Dashboard, sees string) error {
	d, err := s.deps.Dashboards.Get(ctx, actor, id)
	if errors.Is(err, dashboards.ErrNotFound) {
		return ErrNotFound.Wrap(err)
	}
	if err != nil {
		return err
	}
	now, err := s.deps.Dashboards.Sees(ctx, actor, &d)
	if err == nil && now != sees {
		return errSeesOther
	}
	return err
}

// stillSent is stillShown for what a schedule sent: of what the person may see,
// it left them the rows that it says.
func (s *Service) stillSent(ctx context.Context, actor access.Actor, id ids.Dashboard, onlyRows []byte, sees string) error {
	var rows Rows
	if err := json.Unmarshal(onlyRows, &rows); err != nil {
		return fmt.Errorf("read rows of recipient: %w", err)
	}
	actor.Locked = rows
	return s.stillShown(ctx, actor, id, sees)
}

// RunRender makes the file of one report. A report that is over is left alone.
func (s *Service) RunRender(ctx context.Context, job jobs.Job[RenderArgs]) error {
	tenant := ids.Tenant(job.TenantID)
	var row db.ReportGetRow
	err := s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.ReportSetRunning(ctx, job.TenantID, job.Args.ReportID.UUID())
		if err != nil {
			return fmt.Errorf("begin report: %w", err)
		}
		if n == 0 {
			return job.Complete(ctx, tx)
		}
		row, err = tx.ReportGet(ctx, job.TenantID, job.Args.ReportID.UUID())
		return err
	})
	if err != nil || row.ReportID == uuid.Nil {
		return err
	}
	actor, err := s.recipient(ctx, tenant, row)
	if err != nil {
		return err
	}
	var spec Spec
	if err := json.Unmarshal(row.Spec, &spec); err != nil {
		return jobs.Permanent(fmt.Errorf("read report: %w", err))
	}
	dir, err := s.deps.Blobs.Stage()
	if err != nil {
		return err
	}
	defer func() { _ = dir.Remove() }() // or by the next process
	path := dir.Join("report")
	stated, err := renderFile(path, func(out io.Writer) (Stated, error) {
		t := &teller{out: out, report: job.Report}
		if row.DatasetID != nil {
			return s.renderDataset(ctx, actor, ids.Dataset(*row.DatasetID), spec, t, t.tell)
		}
		return s.render(ctx, actor, fromOptional[ids.Dashboard](row.DashboardID), spec, t, t.tell)
	})
	if err != nil {
		return err
	}
	return s.store(ctx, job, path, stated)
}

// recipient is who a report is for, as they are now.
func (s *Service) recipient(ctx context.Context, tenant ids.Tenant, row db.ReportGetRow) (access.Actor, error) {
	switch {
	case row.UserID != nil:
		return s.deps.Tenants.GetActor(ctx, tenant, ids.User(*row.UserID))
	case row.VisitorID != nil:
		p, visit, err := s.deps.Visitors.VisitOf(ctx, tenant, ids.Visitor(*row.VisitorID))
		if err == nil && !p.Downloads {
			err = access.ErrForbidden
		}
		return visit.Actor, err
	}
	return access.Actor{}, jobs.Permanent(ErrNotFound)
}

// renderFile writes a file that is made where it will be kept.
func renderFile(path string, write func(io.Writer) (Stated, error)) (stated Stated, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return stated, fmt.Errorf("make file: %w", err)
	}
	stated, err = write(file)
	if err = errors.Join(err, file.Close()); errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return stated, blob.ErrFull.Wrap(err)
	}
	return stated, err
}

// teller reports how far a file is, what it has already included.
type teller struct {
	out    io.Writer
	report func(jobs.Progress)
	mu     sync.Mutex
	now    jobs.Progress
}

func (t *teller) tell(phase string, done, of int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.Phase, t.now.Rows, t.now.RowsTotal = phase, int64(done), int64(of)
	t.report(t.now)
}

// Write passes p on.
func (t *teller) Write(p []byte) (int, error) {
	n, err := t.out.Write(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.Bytes += int64(n)
	t.report(t.now)
	return n, err
}

// store publishes the file before the row names it. A second attempt writes a
// second file; the first is then nobody's and is deleted here.
func (s *Service) store(ctx context.Context, job jobs.Job[RenderArgs], path string, stated Stated) error {
	prefix, err := s.prefix(ctx, ids.Tenant(job.TenantID))
	if err != nil {
		return err
	}
	key := prefix + folder + job.Args.ReportID.String() + "/" + uuid.NewString()
	if err := s.deps.Blobs.PublishFile(ctx, key, path); err != nil {
		return err
	}
	text, err := json.Marshal(stated)
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	now := s.deps.Clock()
	expiry := now.Add(keepFor)
	stored := int64(0)
	err = s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		var err error
		if stored, err = tx.ReportSetCompleted(ctx, db.ReportSetCompletedParams{TenantID: job.TenantID, ReportID: job.Args.ReportID.UUID(),
			DownloadUrl: key, Name: stated.Name, Stated: text, Now: &now, ExpiresAt: &expiry}); err != nil {
			return fmt.Errorf("complete report: %w", err)
		}
		return job.Complete(ctx, tx)
	})
	if errors.Is(err, db.ErrOutcomeUnknown) {
		return err // the row may name the file
	}
	if err != nil || stored == 0 { // it was cancelled meanwhile
		return errors.Join(err, s.deps.Blobs.Delete(context.WithoutCancel(ctx), key))
	}
	return nil
}

// RenderFailed says in the row why there is no file.
func (s *Service) RenderFailed(ctx context.Context, job jobs.Job[RenderArgs], cause error) error {
	public := apperr.Describe(cause)
	status := Failed
	if errors.Is(cause, jobs.ErrCancelled) {
		status = Cancelled
	}
	now := s.deps.Clock()
	return s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.ReportSetFailed(ctx, db.ReportSetFailedParams{TenantID: job.TenantID, ReportID: job.Args.ReportID.UUID(),
			Status: db.ReportStatus(status), ErrorCode: public.Code, ErrorText: public.Sentence, Now: &now}); err != nil {
			return fmt.Errorf("record failure: %w", err)
		}
		return nil
	})
}

// RunPrune deletes files that are kept no longer.
func (s *Service) RunPrune(ctx context.Context, job jobs.Job[PruneArgs]) error {
	for {
		var rows []db.ReportListExpiredRow
		err := s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) (err error) {
			rows, err = tx.ReportListExpired(ctx, job.TenantID, s.deps.Clock(), listed)
			return err
		})
		if err != nil {
			return fmt.Errorf("list expired reports: %w", err)
		}
		for _, row := range rows {
			if err := s.deps.Blobs.Delete(ctx, row.DownloadUrl); err != nil {
				return err
			}
		}
		err = s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
			for _, row := range rows {
				if err := tx.ReportSetExpired(ctx, job.TenantID, row.ReportID); err != nil {
					return fmt.Errorf("forget file: %w", err)
				}
			}
			if len(rows) < listed {
				return job.Complete(ctx, tx)
			}
			return nil
		})
		if err != nil || len(rows) < listed {
			return err
		}
	}
}

// prefix answers where the workspace's files lie, with a slash at its end.
func (s *Service) prefix(ctx context.Context, tenant ids.Tenant) (string, error) {
	var prefix []byte
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		placement, err := tx.PlacementByTenant(ctx, tenant.UUID())
		prefix = []byte(placement.StoragePrefix)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("find placement of %s: %w", tenant, err)
	}
	return string(bytes.TrimRight(prefix, "/")) + "/", nil
}

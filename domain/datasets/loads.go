package datasets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// LoadState is how far a load is.
type LoadState string

// The states of a load.
const (
	LoadQueued    LoadState = "queued"
	LoadRunning   LoadState = "running"
	LoadDone      LoadState = "done"
	LoadFailed    LoadState = "failed"
	LoadCancelled LoadState = "cancelled"
)

// Final tells whether a load in this state will never change again.
func (s LoadState) Final() bool { return s == LoadDone || s == LoadFailed || s == LoadCancelled }

// Load is one attempt to bring a file into a dataset.
type Load struct {
	ID         ids.Load
	Upload     ids.Upload // zero for a load from the shell
	Dataset    ids.Dataset
	Name       string // of the dataset
	Filename   string
	Mode       Mode
	State      LoadState
	Version    int64 // when done
	Loaded     int64
	Rejected   int64
	HasRejects bool
	Report     LoadReport // when done; GetLoad only
	ErrorCode  string     // when failed
	ErrorText  string
	CreatedAt  time.Time
	FinishedAt time.Time
	Job        jobs.Status // progress while it runs; GetLoad only

	jobID      uuid.UUID
	choices    Choices
	seen       *string // digest of the change of columns that was shown; nil where nobody looked
	rejectsKey string
}

// LoadArgs asks to load a file. Idempotent: the job is closed in the
// transaction that changes the dataset.
type LoadArgs struct {
	LoadID ids.Load `json:"load_id"`
}

// Kind names the job.
func (LoadArgs) Kind() string { return "datasets:load" }

// LoadRequest asks to load an upload.
type LoadRequest struct {
	Upload  ids.Upload
	Dataset string // name or id; made when it does not exist
	Mode    Mode   // Replace when empty
	// Choices are those of the upload's last inspection where nil.
	Choices *Choices
	// Seen is the digest of the change of columns that the actor saw, "" for
	// none: no other change is carried out. nil for a load that nobody looks at.
	Seen *string
}

// Started is what became of a LoadRequest: one of its fields is set.
type Started struct {
	Load ids.Load // was asked for
	// Again says that the file is read again first: what the load would do to
	// the dataset is known after that.
	Again bool
	// Change has to be seen first, or has conflicts and can't be carried out.
	Change *SchemaChange
}

// StartLoad asks for a load. One that somebody looks at changes the columns of
// an existing dataset only as they saw it: where the dataset changes after
// that, the load stops.
//
// Errors: datasets.upload_not_found, datasets.upload_state,
// datasets.name_invalid, datasets.options_invalid, datasets.key_invalid,
// ingest.bad_type, access.forbidden.
func (s *Service) StartLoad(ctx context.Context, actor access.Actor, request LoadRequest) (Started, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return Started{}, err
	}
	if request.Mode == "" {
		request.Mode = Replace
	}
	if !request.Mode.Valid() {
		return Started{}, ErrOptionsInvalid
	}
	if err := s.reachesUpload(ctx, actor, request.Upload); err != nil {
		return Started{}, err
	}
	var change *string
	if request.Seen != nil {
		started, planned, err := s.lookBefore(ctx, actor, request)
		if err != nil || started.Again || started.Change != nil {
			return started, err
		}
		digest := planned.Digest()
		change = &digest
	}
	load, err := s.insertLoad(ctx, actor, request, change)
	return Started{Load: load}, err
}

// lookBefore answers what has to happen before a load that somebody looks at,
// and where nothing has to, the change of columns that it is.
func (s *Service) lookBefore(ctx context.Context, actor access.Actor, request LoadRequest) (Started, SchemaChange, error) {
	u, err := s.GetUpload(ctx, actor, request.Upload)
	if err != nil {
		return Started{}, SchemaChange{}, err
	}
	if u.Inspection == nil {
		return Started{}, SchemaChange{}, ErrUploadState
	}
	_, err = s.Resolve(ctx, actor, request.Dataset)
	if errors.Is(err, ErrNotFound) {
		return Started{}, SchemaChange{New: true}, nil
	}
	if err != nil {
		return Started{}, SchemaChange{}, err
	}
	if request.Choices != nil && !request.Choices.SameButKey(u.Choices) {
		return Started{Again: true}, SchemaChange{}, s.InspectUpload(ctx, actor, u.ID, *request.Choices)
	}
	if request.Choices != nil {
		u.Choices = *request.Choices
	}
	seeded, needed, err := s.seedUpload(ctx, actor, u, request.Dataset, request.Mode)
	if err != nil {
		return Started{}, SchemaChange{}, err
	}
	if needed {
		return Started{Again: true}, SchemaChange{}, s.InspectUpload(ctx, actor, u.ID, seeded)
	}
	change, err := s.planUpload(ctx, actor, u, request.Dataset, request.Mode)
	if err != nil {
		return Started{}, SchemaChange{}, err
	}
	if change.needsLook() && (len(change.Conflicts) > 0 || change.Digest() != *request.Seen) {
		return Started{Change: &change}, change, nil
	}
	return Started{}, change, nil
}

// insertLoad asks for the load. change is the digest of the only change of
// columns that it may make; nil for any.
func (s *Service) insertLoad(ctx context.Context, actor access.Actor, request LoadRequest, change *string) (ids.Load, error) {
	load := ids.New[ids.Load]()
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.UploadLock(ctx, tx.TenantID, request.Upload.UUID())
		if err != nil {
			return uploadError(request.Upload, err)
		}
		u, err := uploadOf(db.UploadGetRow(row))
		if err != nil {
			return err
		}
		if u.State == UploadRemoved {
			return ErrUploadNotFound
		}
		choices := u.Choices
		if request.Choices != nil {
			choices = *request.Choices
		}
		if err := choices.check(); err != nil {
			return err
		}
		name, dataset, err := loadTarget(ctx, tx, request.Dataset)
		if err != nil {
			return err
		}
		if err := manages(ctx, tx, actor, dataset); err != nil {
			return err
		}
		if dataset.IsZero() {
			if err := s.nameFree(ctx, actor, name); err != nil {
				return err
			}
		}
		options, err := json.Marshal(choices)
		if err != nil {
			return fmt.Errorf("encode choices: %w", err)
		}
		job, err := jobs.Insert(ctx, tx, jobs.Row{
			TenantID: tx.TenantID, UserID: actor.UserID.UUID(), Args: LoadArgs{LoadID: load}, Queue: jobs.Bulk,
		})
		if err != nil {
			return err
		}
		err = tx.LoadInsert(ctx, db.LoadInsertParams{
			TenantID: tx.TenantID, LoadID: load.UUID(), UploadID: optional(request.Upload), DatasetID: optional(dataset), DatasetName: name,
			JobID: &job, UserID: userOf(actor), Filename: u.Filename, Mode: string(request.Mode), Options: options,
			State: string(LoadQueued), SeenChange: change, Now: s.moment(),
		})
		if err != nil {
			return fmt.Errorf("insert load: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "datasets.load_asked", Target: "dataset", ID: dataset.String(),
			Detail: map[string]any{"name": name, "file": u.Filename, "mode": request.Mode, "load": load.String()}})
	})
	return load, err
}

// nameFree checks that no dataset has a name that the actor finds none of: the
// load is carried out by the system, which finds those too that the actor may
// not see.
func (s *Service) nameFree(ctx context.Context, actor access.Actor, name string) error {
	if actor.Subjects() == nil {
		return nil
	}
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		_, err := resolve(ctx, tx, name)
		return err
	})
	if err == nil {
		return ErrNameTaken
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// loadTarget answers the name of the dataset to load into, and its id where it
// exists.
func loadTarget(ctx context.Context, tx *db.Tx, nameOrID string) (string, ids.Dataset, error) {
	id, err := resolve(ctx, tx, nameOrID)
	if errors.Is(err, ErrNotFound) {
		name, err := validName(nameOrID)
		return name, ids.Dataset{}, err
	}
	if err != nil {
		return "", id, err
	}
	row, err := tx.DatasetShare(ctx, tx.TenantID, id.UUID())
	if err != nil {
		return "", id, lockError(ctx, tx, id, err)
	}
	return row.Name, id, nil
}

// GetLoad reads a load with its progress or report.
//
// Errors: datasets.load_not_found, access.forbidden.
func (s *Service) GetLoad(ctx context.Context, actor access.Actor, id ids.Load) (Load, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return Load{}, err
	}
	var l Load
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.LoadGet(ctx, tx.TenantID, id.UUID())
		if db.IsNoRows(err) {
			return ErrLoadNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read load %s: %w", id, err)
		}
		if l, err = loadOf(row); err != nil {
			return err
		}
		if err := manages(ctx, tx, actor, l.Dataset); err != nil {
			return err
		}
		if l.jobID == uuid.Nil {
			return nil
		}
		l.Job, err = tx.JobStatus(ctx, l.jobID)
		if errors.Is(err, jobs.ErrNotFound) { // pruned long after it ended
			return nil
		}
		return err
	})
	return l, err
}

func loadOf(row db.LoadGetRow) (Load, error) {
	l := Load{
		ID: ids.Load(row.LoadID), Upload: fromOptional[ids.Upload](row.UploadID), Dataset: fromOptional[ids.Dataset](row.DatasetID),
		Name: row.DatasetName, Filename: row.Filename, Mode: Mode(row.Mode), State: LoadState(row.State),
		Loaded: row.RowsLoaded, Rejected: row.RowsRejected, HasRejects: row.RejectsKey != "",
		ErrorCode: row.ErrorCode, ErrorText: row.ErrorText, CreatedAt: row.CreatedAt, rejectsKey: row.RejectsKey, seen: row.SeenChange,
		jobID: fromOptional[uuid.UUID](row.JobID),
	}
	if row.Version != nil {
		l.Version = *row.Version
	}
	if row.FinishedAt != nil {
		l.FinishedAt = *row.FinishedAt
	}
	if err := json.Unmarshal(row.Options, &l.choices); err != nil {
		return Load{}, fmt.Errorf("decode choices: %w", err)
	}
	if len(row.Report) > 0 {
		if err := json.Unmarshal(row.Report, &l.Report); err != nil {
			return Load{}, fmt.Errorf("decode report: %w", err)
		}
		l.Report.Version = l.Version
	}
	return l, nil
}

// ListLoads answers the loads of a dataset, latest first, at most limit.
//
// Errors: access.forbidden.
func (s *Service) ListLoads(ctx context.Context, actor access.Actor, id ids.Dataset, limit int) ([]Load, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return nil, err
	}
	var list []Load
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.DatasetGet(ctx, tx.TenantID, id.UUID()); err != nil {
			return getError(id, err)
		}
		if err := manages(ctx, tx, actor, id); err != nil {
			return err
		}
		rows, err := tx.LoadListByDataset(ctx, tx.TenantID, id.UUID(), int32(limit))
		if err != nil {
			return fmt.Errorf("list loads of %s: %w", id, err)
		}
		for _, r := range rows {
			l, err := loadOf(db.LoadGetRow{
				LoadID: r.LoadID, UploadID: r.UploadID, DatasetID: r.DatasetID, DatasetName: r.DatasetName, JobID: r.JobID, UserID: r.UserID,
				Filename: r.Filename, Mode: r.Mode, State: r.State, Version: r.Version, RowsLoaded: r.RowsLoaded, RowsRejected: r.RowsRejected,
				RejectsKey: r.RejectsKey, ErrorCode: r.ErrorCode, ErrorText: r.ErrorText, CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt,
				Options: json.RawMessage("{}"),
			})
			if err != nil {
				return err
			}
			list = append(list, l)
		}
		return nil
	})
	return list, err
}

// CancelLoad stops a load. One that waits is closed at once; one that runs
// stops within moments, unless it commits first. The dataset stays as it was.
//
// Errors: datasets.load_not_found, access.forbidden.
func (s *Service) CancelLoad(ctx context.Context, actor access.Actor, id ids.Load) error {
	if err := access.Can(actor, access.ManageData); err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.LoadGet(ctx, tx.TenantID, id.UUID())
		if db.IsNoRows(err) {
			return ErrLoadNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read load %s: %w", id, err)
		}
		if LoadState(row.State).Final() || row.JobID == nil {
			return nil
		}
		state, err := tx.CancelJob(ctx, *row.JobID)
		if err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, actor, audit.Entry{Action: "datasets.load_cancelled", Target: "load", ID: id.String()}); err != nil {
			return err
		}
		if state != jobs.Cancelled {
			return nil // the worker closes it
		}
		return s.closeLoad(ctx, tx, id, LoadCancelled, ErrLoadCancelled)
	})
}

func (s *Service) closeLoad(ctx context.Context, tx *db.Tx, id ids.Load, state LoadState, cause error) error {
	public := apperr.Describe(cause)
	_, err := tx.LoadSetFailed(ctx, db.LoadSetFailedParams{
		State: string(state), ErrorCode: public.Code, ErrorText: public.Sentence, Now: s.moment(), TenantID: tx.TenantID, LoadID: id.UUID(),
	})
	if err != nil {
		return fmt.Errorf("close load %s: %w", id, err)
	}
	return nil
}

// RunLoad carries out a LoadArgs job.
func (s *Service) RunLoad(ctx context.Context, job jobs.Job[LoadArgs]) error {
	actor := systemActor(job.Ref)
	l, err := s.GetLoad(ctx, actor, job.Args.LoadID)
	if errors.Is(err, ErrLoadNotFound) || (err == nil && l.State.Final()) {
		return nil
	}
	if err != nil {
		return err
	}
	u, err := s.GetUpload(ctx, actor, l.Upload)
	if err != nil {
		return err
	}
	path, release, err := s.blobs.Local(ctx, u.key)
	if err != nil {
		return err
	}
	defer release()
	err = s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.LoadSetRunning(ctx, tx.TenantID, l.ID.UUID())
		return err
	})
	if err != nil {
		return fmt.Errorf("begin load %s: %w", l.ID, err)
	}
	in := loadInput{
		id: l.ID, path: path, filename: l.Filename, bytes: u.Bytes, dataset: l.Name, mode: l.Mode, choices: l.choices,
		seen: l.seen, progress: job.Report,
		complete: func(ctx context.Context, tx *db.Tx) error {
			if err := s.tell(ctx, tx, job.Ref, l, notify.LoadDone, ""); err != nil {
				return err
			}
			return job.Complete(ctx, tx)
		},
	}
	if !l.Dataset.IsZero() {
		in.dataset = l.Dataset.String()
	}
	if u.Choices.Same(l.choices) {
		in.inspection = u.Inspection
	}
	_, err = s.load(ctx, actor, in)
	if err != nil && errors.Is(context.Cause(ctx), jobs.ErrCancelled) {
		return fmt.Errorf("%w: %w", jobs.ErrCancelled, err)
	}
	return err
}

func sameChoices(a, b Choices) bool {
	first, err1 := json.Marshal(a)
	second, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(first) == string(second)
}

// LoadFailed says in the load why it ended without changing anything.
func (s *Service) LoadFailed(ctx context.Context, job jobs.Job[LoadArgs], cause error) error {
	state := LoadFailed
	if errors.Is(cause, jobs.ErrCancelled) {
		state, cause = LoadCancelled, ErrLoadCancelled
	}
	actor := systemActor(job.Ref)
	l, err := s.GetLoad(ctx, actor, job.Args.LoadID)
	if errors.Is(err, ErrLoadNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if err := s.closeLoad(ctx, tx, job.Args.LoadID, state, cause); err != nil {
			return err
		}
		if state == LoadCancelled {
			return nil // by themselves
		}
		return s.tell(ctx, tx, job.Ref, l, notify.LoadFailed, apperr.Describe(cause).Sentence)
	})
}

// tell tells who began a load how it ended.
func (s *Service) tell(ctx context.Context, tx *db.Tx, ref jobs.Ref, l Load, kind notify.Kind, why string) error {
	if ref.UserID == uuid.Nil {
		return nil
	}
	return s.notify.Tell(ctx, tx, notify.Event{ID: l.ID.UUID(), Kind: kind, To: []ids.User{ids.User(ref.UserID)}, Object: notify.Object{Dataset: l.Dataset},
		Subject: l.Name, Excerpt: why, Path: "/loads/" + l.ID.String()})
}

// OpenRejects opens the file of rejected records of a load, a CSV file. The
// caller closes it.
//
// Errors: datasets.load_not_found when there is none or it is no longer kept,
// access.forbidden.
func (s *Service) OpenRejects(ctx context.Context, actor access.Actor, id ids.Load) (io.ReadCloser, error) {
	l, err := s.GetLoad(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	if l.rejectsKey == "" {
		return nil, ErrLoadNotFound.With("No records were rejected, or the file is no longer kept.")
	}
	return s.blobs.Read(ctx, l.rejectsKey)
}

package datasets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
)

// ErrUploadTooLarge stops an upload that is larger than the setting allows.
var ErrUploadTooLarge = apperr.Define(apperr.TooLarge, "datasets.upload_too_large",
	"The file is larger than this server accepts.")

// UploadState is how far a file is.
type UploadState string

// The states of an upload.
const (
	UploadStored     UploadState = "stored"
	UploadInspecting UploadState = "inspecting"
	UploadInspected  UploadState = "inspected"
	UploadFailed     UploadState = "failed" // it can't be read so; other choices may help
	UploadRemoved    UploadState = "removed"
)

// Upload is a file that came in, and what is known about it.
type Upload struct {
	ID         ids.Upload
	Filename   string
	Bytes      int64
	State      UploadState
	Choices    Choices     // of the last inspection
	Inspection *Inspection // of these choices; nil before it is done
	ErrorCode  string      // when failed
	ErrorText  string
	CreatedAt  time.Time
	// Job is the inspection's: progress while it runs.
	Job jobs.Status

	key   string
	jobID uuid.UUID
}

// InspectArgs asks to find out what a file holds. Idempotent: the answer is
// kept only by the job that the upload waits for.
type InspectArgs struct {
	UploadID ids.Upload `json:"upload_id"`
}

// Kind names the job.
func (InspectArgs) Kind() string { return "datasets:inspect" }

// previewRows is how many records of a file an inspection shows.
const previewRows = 20

// StartUpload stores a file from r and asks for its inspection. It answers
// when the file is safely stored.
//
// Errors: datasets.upload_too_large, storage.full, storage.unavailable,
// access.forbidden.
func (s *Service) StartUpload(ctx context.Context, actor access.Actor, filename string, r io.Reader) (Upload, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return Upload{}, err
	}
	prefix, err := s.prefix(ctx, actor.TenantID)
	if err != nil {
		return Upload{}, err
	}
	filename = shortName(filepath.Base(strings.ReplaceAll(filename, "\\", "/")))
	u := Upload{ID: ids.New[ids.Upload](), Filename: filename, State: UploadInspecting, CreatedAt: s.moment()}
	u.key = uploadKey(prefix, u.ID)
	limited := &limitedReader{r: r, left: s.settings.MaxUpload}
	if u.Bytes, err = s.blobs.Publish(ctx, u.key, limited); err != nil {
		if limited.exceeded {
			return Upload{}, ErrUploadTooLarge.Wrap(err)
		}
		return Upload{}, fmt.Errorf("store upload: %w", err)
	}
	err = s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		err := tx.UploadInsert(ctx, db.UploadInsertParams{
			TenantID: tx.TenantID, UploadID: u.ID.UUID(), UserID: userOf(actor), Filename: filename, Key: u.key, ByteCount: u.Bytes, Now: u.CreatedAt,
		})
		if err != nil {
			return fmt.Errorf("insert upload: %w", err)
		}
		if err := s.requestInspection(ctx, tx, actor, u.ID, Choices{}); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "datasets.uploaded", Target: "upload", ID: u.ID.String(),
			Detail: map[string]any{"filename": filename, "bytes": u.Bytes}})
	})
	return u, err
}

// limitedReader answers an error, not the end of the file, beyond its limit.
type limitedReader struct {
	r        io.Reader
	left     int64
	exceeded bool
}

func (l *limitedReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		l.exceeded = true
		return 0, ErrUploadTooLarge
	}
	return n, err
}

func (s *Service) requestInspection(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Upload, choices Choices) error {
	encoded, err := json.Marshal(choices)
	if err != nil {
		return fmt.Errorf("encode choices: %w", err)
	}
	job, err := jobs.Insert(ctx, tx, jobs.Row{
		TenantID: tx.TenantID, UserID: actor.UserID.UUID(), Args: InspectArgs{UploadID: id}, Queue: jobs.Bulk,
	})
	if err != nil {
		return err
	}
	err = tx.UploadSetInspecting(ctx, db.UploadSetInspectingParams{
		JobID: job, Choices: encoded, Now: s.moment(), TenantID: tx.TenantID, UploadID: id.UUID(),
	})
	if err != nil {
		return fmt.Errorf("ask for inspection: %w", err)
	}
	return nil
}

// InspectUpload asks for another inspection with other choices, instead of one
// that may be under way.
//
// Errors: datasets.upload_not_found, ingest.bad_type,
// datasets.options_invalid, access.forbidden.
func (s *Service) InspectUpload(ctx context.Context, actor access.Actor, id ids.Upload, choices Choices) error {
	if err := access.Can(actor, access.ManageData); err != nil {
		return err
	}
	if err := choices.check(); err != nil {
		return err
	}
	if err := s.reachesUpload(ctx, actor, id); err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.UploadLock(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return uploadError(id, err)
		}
		if UploadState(row.State) == UploadRemoved {
			return ErrUploadNotFound
		}
		if UploadState(row.State) == UploadInspecting && row.JobID != nil {
			if _, err := tx.CancelJob(ctx, *row.JobID); err != nil && !errors.Is(err, jobs.ErrNotFound) {
				return err
			}
		}
		return s.requestInspection(ctx, tx, actor, id, choices)
	})
}

func uploadError(id ids.Upload, err error) error {
	if db.IsNoRows(err) {
		return ErrUploadNotFound.Wrap(err)
	}
	return fmt.Errorf("load upload %s: %w", id, err)
}

// reachesUpload refuses a file whose rows the actor may not see or change all of.
// What a dataset withholds is in the file that it came from, too: every dataset
// that it was loaded into must be theirs. One that was loaded nowhere is for who
// uploaded it, and for who sees everything.
//
// Errors: datasets.upload_not_found, access.view_only.
func (s *Service) reachesUpload(ctx context.Context, actor access.Actor, id ids.Upload) error {
	sees := actor.Subjects()
	var into []uuid.UUID
	// In the view of the workspace: that of the actor lacks what they don't see.
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), nil, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.UploadGet(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return uploadError(id, err)
		}
		if into, err = tx.UploadDatasets(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("list datasets of upload %s: %w", id, err)
		}
		if len(into) == 0 && sees != nil && (row.UserID == nil || *row.UserID != actor.UserID.UUID()) {
			return ErrUploadNotFound
		}
		return nil
	})
	if err != nil || len(into) == 0 {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		seen, err := tx.UploadDatasetsSeen(ctx, tx.TenantID, into)
		if err != nil {
			return fmt.Errorf("find datasets of upload %s: %w", id, err)
		}
		if seen < int64(len(into)) && sees != nil {
			return ErrUploadNotFound
		}
		for _, dataset := range into {
			if err := manages(ctx, tx, actor, ids.Dataset(dataset)); err != nil {
				return err
			}
		}
		return nil
	})
}

// GetUpload reads an upload.
//
// Errors: datasets.upload_not_found, access.forbidden.
func (s *Service) GetUpload(ctx context.Context, actor access.Actor, id ids.Upload) (Upload, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return Upload{}, err
	}
	if err := s.reachesUpload(ctx, actor, id); err != nil {
		return Upload{}, err
	}
	var u Upload
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.UploadGet(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return uploadError(id, err)
		}
		if u, err = uploadOf(row); err != nil {
			return err
		}
		if u.State == UploadRemoved {
			return ErrUploadNotFound
		}
		if u.jobID == uuid.Nil {
			return nil
		}
		u.Job, err = tx.JobStatus(ctx, u.jobID)
		if errors.Is(err, jobs.ErrNotFound) { // pruned long after it ended
			return nil
		}
		return err
	})
	return u, err
}

// ListOpenUploads answers the actor's own files that were not loaded yet,
// latest first, at most limit.
//
// Errors: access.forbidden.
func (s *Service) ListOpenUploads(ctx context.Context, actor access.Actor, limit int) ([]Upload, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return nil, err
	}
	var list []Upload
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.UploadListOpen(ctx, tx.TenantID, actor.UserID.UUID(), int32(limit))
		if err != nil {
			return fmt.Errorf("list uploads: %w", err)
		}
		for _, r := range rows {
			list = append(list, Upload{
				ID: ids.Upload(r.UploadID), Filename: r.Filename, Bytes: r.ByteCount, State: UploadState(r.State), CreatedAt: r.CreatedAt,
			})
		}
		return nil
	})
	return list, err
}

func uploadOf(row db.UploadGetRow) (Upload, error) {
	u := Upload{
		ID: ids.Upload(row.UploadID), Filename: row.Filename, Bytes: row.ByteCount, State: UploadState(row.State),
		ErrorCode: row.ErrorCode, ErrorText: row.ErrorText, CreatedAt: row.CreatedAt, key: row.Key,
	}
	if row.JobID != nil {
		u.jobID = *row.JobID
	}
	if err := json.Unmarshal(row.Choices, &u.Choices); err != nil {
		return Upload{}, fmt.Errorf("decode choices: %w", err)
	}
	if u.State == UploadInspected && len(row.Inspection) > 0 {
		u.Inspection = &Inspection{}
		if err := json.Unmarshal(row.Inspection, u.Inspection); err != nil {
			return Upload{}, fmt.Errorf("decode inspection: %w", err)
		}
	}
	return u, nil
}

// RunInspect carries out an InspectArgs job.
func (s *Service) RunInspect(ctx context.Context, job jobs.Job[InspectArgs]) error {
	actor := systemActor(job.Ref)
	u, err := s.GetUpload(ctx, actor, job.Args.UploadID)
	if errors.Is(err, ErrUploadNotFound) || (err == nil && u.jobID != job.ID) {
		return nil // removed, or asked anew, meanwhile
	}
	if err != nil {
		return err
	}
	path, release, err := s.blobs.Local(ctx, u.key)
	if err != nil {
		return err
	}
	defer release()
	stage, removeStage, err := s.stage(ctx)
	if err != nil {
		return err
	}
	defer removeStage()
	l := &loader{Service: s, actor: actor, stage: stage, in: loadInput{path: path, bytes: u.Bytes, progress: job.Report}}
	inspection, err := l.inspectFile(ctx, ingest.InspectRequest{PreviewRows: previewRows}, u.Choices)
	if err != nil {
		return err
	}
	if err := s.keepRejects(ctx, actor, u.ID, inspection); err != nil {
		return err
	}
	encoded, err := json.Marshal(inspection)
	if err != nil {
		return fmt.Errorf("encode inspection: %w", err)
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.UploadSetInspected(ctx, db.UploadSetInspectedParams{
			Inspection: encoded, Now: s.moment(), TenantID: tx.TenantID, UploadID: u.ID.UUID(), JobID: job.ID,
		})
		if err != nil {
			return fmt.Errorf("keep inspection: %w", err)
		}
		return job.Complete(ctx, tx)
	})
}

// keepRejects publishes the records that an inspection rejected; RejectsFile
// is then their key. Those of an earlier inspection are swept as orphans.
func (s *Service) keepRejects(ctx context.Context, actor access.Actor, id ids.Upload, inspection *Inspection) error {
	if inspection.RejectsFile == "" {
		return nil
	}
	prefix, err := s.prefix(ctx, actor.TenantID)
	if err != nil {
		return err
	}
	key := prefix + rejectFolder + id.String() + "/" + uuid.NewString() + ".csv"
	if err := s.blobs.PublishFile(ctx, key, inspection.RejectsFile); err != nil {
		return fmt.Errorf("publish rejects: %w", err)
	}
	inspection.RejectsFile = key
	return nil
}

// OpenUploadRejects opens the file of the records that the last inspection
// rejected, a CSV file. The caller closes it.
//
// Errors: datasets.upload_not_found, also when none was rejected;
// access.forbidden.
func (s *Service) OpenUploadRejects(ctx context.Context, actor access.Actor, id ids.Upload) (io.ReadCloser, error) {
	u, err := s.GetUpload(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	if u.Inspection == nil || u.Inspection.RejectsFile == "" {
		return nil, ErrUploadNotFound.With("No records of this file are rejected.")
	}
	return s.blobs.Read(ctx, u.Inspection.RejectsFile)
}

// InspectFailed says in the upload why it could not be read.
func (s *Service) InspectFailed(ctx context.Context, job jobs.Job[InspectArgs], cause error) error {
	public := apperr.Describe(cause)
	return s.inTx(ctx, systemActor(job.Ref), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.UploadSetFailed(ctx, db.UploadSetFailedParams{
			ErrorCode: public.Code, ErrorText: public.Sentence, Now: s.moment(),
			TenantID: tx.TenantID, UploadID: job.Args.UploadID.UUID(), JobID: job.ID,
		})
		if err != nil {
			return fmt.Errorf("record failure of inspection: %w", err)
		}
		return nil
	})
}

// RemoveUpload forgets a file. A load of it that is under way goes on.
//
// Errors: datasets.upload_not_found, access.forbidden.
func (s *Service) RemoveUpload(ctx context.Context, actor access.Actor, id ids.Upload) error {
	if err := access.Can(actor, access.ManageData); err != nil {
		return err
	}
	if err := s.reachesUpload(ctx, actor, id); err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.UploadLock(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return uploadError(id, err)
		}
		if UploadState(row.State) == UploadInspecting && row.JobID != nil {
			if _, err := tx.CancelJob(ctx, *row.JobID); err != nil && !errors.Is(err, jobs.ErrNotFound) {
				return err
			}
		}
		u, err := uploadOf(db.UploadGetRow(row))
		if err != nil {
			return err
		}
		rejects := ""
		if u.Inspection != nil {
			rejects = u.Inspection.RejectsFile
		}
		if err := s.removeUpload(ctx, tx, id, row.Key, rejects); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "datasets.upload_removed", Target: "upload", ID: id.String(), Detail: map[string]any{"filename": u.Filename}})
	})
}

// removeUpload leaves the file to the sweeper.
func (s *Service) removeUpload(ctx context.Context, tx *db.Tx, id ids.Upload, key, rejects string) error {
	n, err := tx.UploadSetRemoved(ctx, s.moment(), tx.TenantID, id.UUID())
	if err != nil {
		return fmt.Errorf("remove upload: %w", err)
	}
	if n == 0 {
		return ErrUploadNotFound
	}
	// A load under way may still read it for an hour.
	keys := []string{key}
	if rejects != "" {
		keys = append(keys, rejects)
	}
	if err := tx.GarbageInsert(ctx, tx.TenantID, keys, s.moment().Add(time.Hour)); err != nil {
		return fmt.Errorf("give file to the sweeper: %w", err)
	}
	return nil
}

// planUpload answers what a load would do to a dataset's columns, without
// doing it. The upload is inspected.
//
// Errors: datasets.key_invalid, datasets.options_invalid.
func (s *Service) planUpload(ctx context.Context, actor access.Actor, u Upload, dataset string, mode Mode) (SchemaChange, error) {
	l := &loader{Service: s, actor: actor, in: loadInput{dataset: dataset, mode: mode, choices: u.Choices}}
	d, next, live, err := l.target(ctx)
	if err != nil {
		return SchemaChange{}, err
	}
	p, err := planner{dataset: d, nextColumn: next, inspection: u.Inspection, mode: mode, choices: u.Choices, digits: digitsOf(live)}.plan()
	if err != nil {
		return SchemaChange{}, err
	}
	return p.change, nil
}

// seedUpload answers the choices with which a file should be read to go into a
// dataset beside the rows that are there, where what inspecting found goes
// another way; false where it fits.
func (s *Service) seedUpload(ctx context.Context, actor access.Actor, u Upload, dataset string, mode Mode) (Choices, bool, error) {
	l := &loader{Service: s, actor: actor, in: loadInput{dataset: dataset}}
	d, _, _, err := l.target(ctx)
	if err != nil || d == nil {
		return u.Choices, false, err
	}
	seeded, columns := u.Choices.seeded(d, u.Inspection, mode)
	return seeded, len(columns) > 0, nil
}

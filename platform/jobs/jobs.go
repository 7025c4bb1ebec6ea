// Package jobs runs work that must happen. A job is a row in PostgreSQL,
// inserted by the transaction that wants the work and closed by the
// transaction that does it. asynq only carries the row's id to a worker: when
// Redis is wiped or a worker dies, the relay sends the row again. Delivery is
// at least once, so every job is idempotent.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// Args is the payload of one kind of job: ids, not data. Kind is
// "<feature>:<verb>" and is never renamed once shipped.
type Args interface{ Kind() string }

// Versioned is implemented by Args whose shape has changed since it was first
// shipped. The first shape is version 1.
type Versioned interface{ Version() int }

// State of a job.
type State string

// The states. Queued and Running are open, the others are final.
const (
	Queued    State = "queued"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Final tells whether a job in this state will never run again.
func (s State) Final() bool { return s == Done || s == Failed || s == Cancelled }

// Queue keeps short jobs from waiting behind long ones.
type Queue string

// The queues, each with workers of its own.
const (
	Short Queue = "short" // seconds: mail, pruning
	Asked Queue = "asked" // somebody looks at a page until it is done
	Bulk  Queue = "bulk"  // minutes: loads, merges, reports by the clock
)

// Row is a job to insert.
type Row struct {
	TenantID uuid.UUID // uuid.Nil is DataFlow itself
	UserID   uuid.UUID // who caused it; uuid.Nil is DataFlow itself
	Args     Args
	Queue    Queue     // Short when empty
	RunAt    time.Time // not before; at once when zero
	// UniqueKey, when set, makes Insert answer the open job of the same
	// tenant, kind and key instead of inserting a second one.
	UniqueKey string
}

// NewJob is a Row ready for its table.
type NewJob struct {
	ID        uuid.UUID
	TenantID  uuid.UUID
	UserID    uuid.UUID
	Kind      string
	Version   int
	Payload   json.RawMessage
	Queue     Queue
	RunAt     time.Time // zero is now
	UniqueKey string
}

// Inserter is a transaction that can hold a new job. InsertJob answers the id
// of the row that is now open: j.ID, or the older job with the same UniqueKey.
type Inserter interface {
	InsertJob(ctx context.Context, j NewJob) (uuid.UUID, error)
}

// Insert asks for a job in the caller's transaction: no commit, no job.
func Insert(ctx context.Context, tx Inserter, row Row) (uuid.UUID, error) {
	j, err := newJob(row)
	if err != nil {
		return uuid.Nil, err
	}
	id, err := tx.InsertJob(ctx, j)
	if err != nil {
		return uuid.Nil, fmt.Errorf("insert job %s: %w", j.Kind, err)
	}
	return id, nil
}

func newJob(row Row) (NewJob, error) {
	payload, err := json.Marshal(row.Args)
	if err != nil {
		return NewJob{}, fmt.Errorf("encode job %s: %w", row.Args.Kind(), err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return NewJob{}, fmt.Errorf("make job id: %w", err)
	}
	j := NewJob{
		ID: id, TenantID: row.TenantID, UserID: row.UserID,
		Kind: row.Args.Kind(), Version: 1, Payload: payload,
		Queue: row.Queue, RunAt: row.RunAt, UniqueKey: row.UniqueKey,
	}
	if v, ok := row.Args.(Versioned); ok {
		j.Version = v.Version()
	}
	if j.Queue == "" {
		j.Queue = Short
	}
	return j, nil
}

// ManyInserter is an Inserter that takes many jobs of one tenant, kind, version
// and queue in one statement, and closes many that have not begun.
type ManyInserter interface {
	InsertJobs(ctx context.Context, list []NewJob) error
	CloseJobs(ctx context.Context, kind string, uniqueKeys []string) error
}

// InsertAll asks for jobs of one tenant, kind and queue in the caller's
// transaction, as Insert does for each.
func InsertAll(ctx context.Context, tx ManyInserter, rows []Row) error {
	list := make([]NewJob, len(rows))
	for i, row := range rows {
		var err error
		if list[i], err = newJob(row); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return nil
	}
	if err := tx.InsertJobs(ctx, list); err != nil {
		return fmt.Errorf("insert %d jobs %s: %w", len(list), list[0].Kind, err)
	}
	return nil
}

// Completer is a transaction that can close a job. CompleteJob answers false
// when the attempt lost its lease: another worker may be at it.
type Completer interface {
	CompleteJob(ctx context.Context, id uuid.UUID, attempt int) (bool, error)
}

// Ref says which attempt at which job is running. Domain services take a Ref
// so that they can close the job in their own transaction.
type Ref struct {
	ID          uuid.UUID
	TenantID    uuid.UUID
	UserID      uuid.UUID // uuid.Nil when DataFlow itself asked
	Attempt     int       // from 1; also the fencing token of this lease
	MaxAttempts int
	CreatedAt   time.Time

	progress *reporter
}

// Complete closes the job in the transaction that did its work. After
// ErrLeaseLost the transaction must be rolled back: a later attempt does, or
// did, the same work.
func (r Ref) Complete(ctx context.Context, tx Completer) error {
	held, err := tx.CompleteJob(ctx, r.ID, r.Attempt)
	if err != nil {
		return fmt.Errorf("complete job %s: %w", r.ID, err)
	}
	if !held {
		return ErrLeaseLost
	}
	return nil
}

// Report tells how far the job is. It never blocks: at most four reports a
// second are written, always the newest. A Ref that no runner made ignores it.
func (r Ref) Report(p Progress) {
	if r.progress != nil {
		r.progress.report(p)
	}
}

// Last tells whether a failure of this attempt is final.
func (r Ref) Last() bool { return r.Attempt >= r.MaxAttempts }

// Job is one attempt with its decoded payload.
type Job[A Args] struct {
	Ref
	Args A
}

// Progress is how far a job is. Zero totals mean "not known".
type Progress struct {
	Phase      string `json:"phase,omitempty"` // a word of the job's own, such as "reading"
	Bytes      int64  `json:"bytes,omitempty"`
	BytesTotal int64  `json:"bytes_total,omitempty"`
	Rows       int64  `json:"rows,omitempty"`
	RowsTotal  int64  `json:"rows_total,omitempty"`
	Rejected   int64  `json:"rejected,omitempty"` // rows
}

// Fraction is between 0 and 1, and false where no total is known.
func (p Progress) Fraction() (float64, bool) {
	done, total := p.Bytes, p.BytesTotal
	if total <= 0 {
		done, total = p.Rows, p.RowsTotal
	}
	if total <= 0 {
		return 0, false
	}
	return min(1, max(0, float64(done)/float64(total))), true
}

// Status is what a page shows of a job.
type Status struct {
	ID              uuid.UUID
	TenantID        uuid.UUID
	UserID          uuid.UUID
	Kind            string
	State           State
	Attempt         int
	Progress        Progress
	CancelRequested bool
	ErrorCode       string // an apperr code, empty without an error
	ErrorText       string // the sentence that belongs to it
	CreatedAt       time.Time
	StartedAt       time.Time // of the running attempt; zero before the first
	FinishedAt      time.Time // zero while open
}

// TimeLeft extrapolates from the time since the attempt started; false where
// it can't be known yet.
func (s Status) TimeLeft(now time.Time) (time.Duration, bool) {
	fraction, known := s.Progress.Fraction()
	if !known || s.State != Running || s.StartedAt.IsZero() || fraction < 0.005 {
		return 0, false
	}
	elapsed := now.Sub(s.StartedAt)
	return time.Duration(float64(elapsed) * (1 - fraction) / fraction), true
}

// The causes with which a job's context ends (context.Cause).
var (
	ErrCancelled = apperr.Define(apperr.Conflict, "jobs.cancelled", "This was cancelled before it was finished.")
	ErrTimeout   = apperr.Define(apperr.Timeout, "jobs.timeout", "This took longer than it may and was stopped.")
	ErrLeaseLost = errors.New("job lease lost")
	ErrShutdown  = errors.New("worker is shutting down")
)

var (
	// ErrNotFound also covers a job of another tenant.
	ErrNotFound = apperr.Define(apperr.NotFound, "jobs.not_found", "This job does not exist or was removed.")

	errMalformed  = apperr.Define(apperr.Internal, "jobs.malformed", "This job could not be read and was not run.")
	errWorkerLost = apperr.Define(apperr.Internal, "jobs.worker_lost",
		"The process that worked on this ended several times before it was finished, so it was given up.")
)

type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// Permanent marks an error that another attempt can't mend.
func Permanent(err error) error { return permanentError{err} }

type transientError struct{ error }

func (e transientError) Unwrap() error { return e.error }

// Transient marks an error that another attempt may mend although its class
// says otherwise.
func Transient(err error) error { return transientError{err} }

// retryable: what a person has to put right is not tried again by itself.
func retryable(err error) bool {
	var permanent permanentError
	var transient transientError
	switch {
	case errors.As(err, &permanent):
		return false
	case errors.As(err, &transient):
		return true
	}
	return apperr.Passes(err)
}

package jobs

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Store keeps the rows. Every method is one short transaction of its own.
type Store interface {
	// DispatchJobs chooses up to Waiting rows that are due and marks each as
	// under way for Hold. It is fair between tenants: a tenant has at most
	// PerTenant jobs under way, and tenants take turns. Several relays may
	// call it at once and never get the same row.
	DispatchJobs(ctx context.Context, d Dispatch) ([]Dispatched, error)
	// NextJobDue answers how long it is until a row of these kinds is due,
	// negative for overdue; false when none is open.
	NextJobDue(ctx context.Context, kinds []string) (time.Duration, bool, error)
	// ClaimJob starts the attempt after c.Attempt. It answers false when that
	// attempt was started already, or the job is closed or not due.
	ClaimJob(ctx context.Context, c Claim) (Claimed, bool, error)
	// ExtendJobs prolongs the leases that are still held; an absent one is lost.
	ExtendJobs(ctx context.Context, held []Held, lease time.Duration) ([]Extended, error)
	// SetJobProgress answers false when the lease is lost.
	SetJobProgress(ctx context.Context, h Held, p Progress) (bool, error)
	// EndJob closes an attempt that its own transaction did not close, and
	// tells of a final state by an event. It answers false when the lease is
	// lost or the attempt was closed already.
	EndJob(ctx context.Context, h Held, e Ending) (bool, error)
	// ReleaseJobs makes every job that worker holds due at once and answers
	// how many there were.
	ReleaseJobs(ctx context.Context, worker string) (int64, error)
	// PruneJobs removes final rows that ended longer ago than age.
	PruneJobs(ctx context.Context, age time.Duration) (int64, error)
	// CountJobs says how many rows wait and run, by queue.
	CountJobs(ctx context.Context) ([]Depth, error)
}

// Dispatch says which rows may be sent.
type Dispatch struct {
	Queue     Queue
	Kinds     []string
	Waiting   int // at most so many sent and not yet started, over all tenants
	PerTenant int // at most so many sent or running, for one tenant
	Hold      time.Duration
}

// Dispatched is a row to send: attempt Attempt+1 is due.
type Dispatched struct {
	ID      uuid.UUID
	Kind    string
	Attempt int // attempts started so far
}

// Claim asks for the lease of attempt Attempt+1.
type Claim struct {
	ID          uuid.UUID
	Attempt     int // attempts started so far
	MaxAttempts int // kept for whoever reads the row
	Worker      string
	Lease       time.Duration
}

// Claimed is the row of an attempt that has just begun. Attempt counts it.
type Claimed struct {
	ID        uuid.UUID
	TenantID  uuid.UUID
	UserID    uuid.UUID
	Kind      string
	Version   int
	Payload   json.RawMessage
	Attempt   int
	Released  int // attempts that ended with their worker's orderly stop
	CreatedAt time.Time
	DueAt     time.Time // when it could have started
	Cancel    bool      // cancelling was requested
}

// Held names a lease.
type Held struct {
	ID       uuid.UUID
	TenantID uuid.UUID
	Attempt  int
}

// Extended is a lease that goes on.
type Extended struct {
	ID     uuid.UUID
	Cancel bool // cancelling was requested
}

// Ending says how an attempt ended. State Queued means that there is another
// attempt after Delay; Released says that this one does not count.
type Ending struct {
	State     State
	Delay     time.Duration
	Released  bool
	ErrorCode string
	ErrorText string
}

// Depth is how full a queue is.
type Depth struct {
	Queue   Queue
	State   State
	Count   int64
	OldestS float64 // seconds that the oldest has been due
}

// Package events tells every web process what changed. An event is a row in
// PostgreSQL, written by the transaction that made the change; a relay sends
// it through Redis pub/sub, and each process hands it to its subscribers. An
// event has ids and a version, never data: whoever hears of a change reads it
// through the normal, permission-checked path.
package events

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Kind says what changed.
type Kind string

// The kinds. Resync is not written by anybody: it tells a subscriber that
// events may have been missed, so that it reads current versions.
const (
	DatasetChanged   Kind = "dataset.changed"
	DashboardChanged Kind = "dashboard.changed" // as viewers see it
	DashboardEdited  Kind = "dashboard.edited"  // its draft
	CommentsChanged  Kind = "comments.changed"  // ID is the dashboard
	Notified         Kind = "notified"          // ID is the person
	DashboardDeleted Kind = "dashboard.deleted"
	MemberChanged    Kind = "member.changed" // another role, or none: ID is the person
	PeopleChanged    Kind = "people.changed" // what somebody may see; ID is a person or a group
	JobProgress      Kind = "job.progress"   // also for a job that started or ended
	Resync           Kind = "resync"
)

// Event is one change. Version is the entity's new version or revision, 0
// where it has none.
type Event struct {
	TenantID uuid.UUID `json:"t"`
	Kind     Kind      `json:"k"`
	ID       uuid.UUID `json:"i"`
	Version  int64     `json:"v,omitempty"`
}

// Inserter is a transaction that can hold an event.
type Inserter interface {
	InsertOutboxEvent(ctx context.Context, e Event) error
}

// Stored is an event in the outbox.
type Stored struct {
	Seq       int64
	CreatedAt time.Time
	Event
}

// Outbox is where events wait. PublishOutbox hands up to limit unpublished
// events to publish, oldest first, and marks them when it answers nil. Several
// processes may call it at once; they take turns. TellOutbox hands up to limit
// events that features of the server act on (changed datasets and members, deleted
// dashboards) to tell, each by itself; one that it has an error
// for is told again later, and keeps no other waiting.
type Outbox interface {
	PublishOutbox(ctx context.Context, limit int, publish func(context.Context, []Stored) error) (int, error)
	TellOutbox(ctx context.Context, limit int, tell func(context.Context, Event) error) (int, error)
	PruneOutbox(ctx context.Context, olderThan time.Duration) (int64, error)
}

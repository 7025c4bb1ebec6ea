// Package ids gives every entity an id type of its own, so that a dataset's id
// can't be passed where a tenant's is wanted. All are UUIDv7: ordered by the
// time they were made.
package ids

import (
	"fmt"

	"github.com/google/uuid"
)

// ID is the id of one kind of entity. The zero value means "none".
type ID[K any] uuid.UUID

type (
	tenant    struct{}
	user      struct{}
	group     struct{}
	session   struct{}
	dashboard struct{}
	folder    struct{}
	dataset   struct{}
	segment   struct{}
	source    struct{}
	upload    struct{}
	load      struct{}
	lease     struct{}
	job       struct{}
	report    struct{}
	message   struct{}
	savedView struct{}
	template  struct{}
	schedule  struct{}
	recipient struct{}
	run       struct{}
	delivery  struct{}
	thread    struct{}
	comment   struct{}
	portal    struct{}
	visitor   struct{}
	rule      struct{}
	alert     struct{}
	channel   struct{}
	notice    struct{}
	embedKey  struct{}
	embed     struct{}
	link      struct{}
	bounce    struct{}
	role      struct{}
	apiKey    struct{}
)

// One type an entity.
type (
	Tenant    = ID[tenant]
	User      = ID[user]
	Group     = ID[group]
	Session   = ID[session]
	Dashboard = ID[dashboard]
	Folder    = ID[folder]
	Dataset   = ID[dataset]
	Segment   = ID[segment]
	Source    = ID[source]
	Upload    = ID[upload]
	Load      = ID[load]
	Lease     = ID[lease]
	Job       = ID[job]
	Report    = ID[report]
	Message   = ID[message]
	SavedView = ID[savedView]
	Template  = ID[template]
	Schedule  = ID[schedule]
	Recipient = ID[recipient]
	Run       = ID[run]
	Delivery  = ID[delivery]
	Thread    = ID[thread]
	Comment   = ID[comment]
	Portal    = ID[portal]
	Visitor   = ID[visitor]
	Rule      = ID[rule]
	Alert     = ID[alert]
	Channel   = ID[channel]
	Notice    = ID[notice]
	EmbedKey  = ID[embedKey]
	Embed     = ID[embed] // a token of one
	Link      = ID[link]
	Bounce    = ID[bounce]
	Role      = ID[role]
	APIKey    = ID[apiKey]
)

// New makes an id that sorts after all earlier ones.
func New[T ~[16]byte]() T { return T(uuid.Must(uuid.NewV7())) }

// Parse reads the usual text form of an id.
func Parse[T ~[16]byte](text string) (T, error) {
	u, err := uuid.Parse(text)
	if err != nil {
		return T{}, fmt.Errorf("parse id: %w", err)
	}
	return T(u), nil
}

// UUID is the id as the database knows it.
func (id ID[K]) UUID() uuid.UUID { return uuid.UUID(id) }

// IsZero tells whether the id is unset.
func (id ID[K]) IsZero() bool { return id == ID[K]{} }

// String is the usual text form.
func (id ID[K]) String() string { return uuid.UUID(id).String() }

// MarshalText writes the usual text form.
func (id ID[K]) MarshalText() ([]byte, error) { return uuid.UUID(id).MarshalText() }

// UnmarshalText reads the usual text form.
func (id *ID[K]) UnmarshalText(text []byte) error { return (*uuid.UUID)(id).UnmarshalText(text) }

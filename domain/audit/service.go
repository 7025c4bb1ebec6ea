package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

// What can go wrong.
var (
	ErrNotFound = apperr.Define(apperr.NotFound, "audit.not_found",
		"This entry does not exist, or is older than the workspace keeps entries.")
	ErrInvalid = apperr.Define(apperr.Invalid, "audit.invalid",
		"Some of what you entered can't be used.")
	ErrCollector = apperr.Define(apperr.Unavailable, "audit.collector",
		"The collector of the audit log did not take the entries.")
)

// Boxes hands out a workspace's keys.
type Boxes interface {
	Box(ctx context.Context, tenantID ids.Tenant) (*secrets.Box, error)
}

// Deps are what the service works with.
type Deps struct {
	DB    *db.DB
	Boxes Boxes
	Dial  func(ctx context.Context, network, address string) (net.Conn, error) // to collectors; it refuses what tenants may not reach
	Log   *slog.Logger
}

// Service reads, verifies and forwards the audit log. It is safe for concurrent
// use.
type Service struct {
	db    *db.DB
	boxes Boxes
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	notes *notes
	tls   tlsRoots // tests trust collectors of their own
}

// New makes the service. Close writes what it still holds.
func New(deps Deps) *Service {
	if deps.Log == nil {
		deps.Log = slog.Default()
	}
	return &Service{db: deps.DB, boxes: deps.Boxes, dial: deps.Dial, notes: newNotes(deps.DB, deps.Log)}
}

// Note keeps an entry of what belongs to no transaction, such as a download or
// a refusal. It is written within a second, together with others; where one asks
// for too much that is refused, as a number at the end of the minute.
func (s *Service) Note(ctx context.Context, actor access.Actor, e Entry) { s.notes.add(ctx, actor, e) }

// Flush writes all that Note has kept.
func (s *Service) Flush(ctx context.Context) error { return s.notes.flush(ctx, time.Time{}) }

// Close writes what Note has kept, and takes no more.
func (s *Service) Close(ctx context.Context) error { return s.notes.close(ctx) }

// Line is one entry as it is read.
type Line struct {
	ID        uuid.UUID
	At        time.Time
	Kind      access.Kind
	User      ids.User // zero for nobody in particular
	Who       Who
	Action    string
	Target    string
	TargetID  string
	Denied    bool
	RequestID string
	What      What
	Sealed    bool
}

// Who is the erasable part about who acted. It is empty after an erasure.
type Who struct {
	Name    string `json:"name,omitempty"`
	Email   string `json:"email,omitempty"`
	Address string `json:"address,omitempty"`
	Agent   string `json:"agent,omitempty"`
	Session string `json:"session,omitempty"`
}

// What is the erasable part about what was done.
type What struct {
	Name   string         `json:"name,omitempty"` // of the object, at that time
	Detail map[string]any `json:"detail,omitempty"`
	Before map[string]any `json:"before,omitempty"`
	After  map[string]any `json:"after,omitempty"`
}

func lineOf(r db.AuditListRow) (Line, error) {
	l := Line{ID: r.AuditID, At: r.At, Kind: access.Kind(r.ActorKind), Action: r.Action, Target: r.TargetKind, TargetID: r.TargetID,
		Denied: r.Outcome == Denied, RequestID: r.RequestID, Sealed: r.Batch != nil}
	if r.UserID != nil {
		l.User = ids.User(*r.UserID)
	}
	if len(r.Who) > 0 {
		if err := json.Unmarshal(r.Who, &l.Who); err != nil {
			return l, fmt.Errorf("read entry %s: %w", r.AuditID, err)
		}
	}
	if len(r.What) > 0 {
		if err := json.Unmarshal(r.What, &l.What); err != nil {
			return l, fmt.Errorf("read entry %s: %w", r.AuditID, err)
		}
	}
	if l.What.Detail == nil && len(r.Detail) > 2 { // from before entries had parts
		if err := json.Unmarshal(r.Detail, &l.What.Detail); err != nil {
			return l, fmt.Errorf("read entry %s: %w", r.AuditID, err)
		}
	}
	return l, nil
}

// Query says which entries are wanted, newest first. Zero fields do not count.
type Query struct {
	Since, Until time.Time // Until is exclusive
	User         ids.User
	Actions      []string // whole actions, or features: what stands before the full stop
	TargetID     string
	Outcome      string   // Allowed or Denied
	Text         string   // somewhere in names, values, addresses and ids
	Named        []string // actions whose words have the text
	After        Key      // of the page before
	Limit        int      // 50 when zero, at most 500
}

// Key is where a page ends.
type Key struct {
	At time.Time
	ID uuid.UUID
}

// Page is some of the entries. Next is zero on the last one.
type Page struct {
	Lines []Line
	Next  Key
}

// List answers a page of the log.
//
// Errors: access.forbidden.
func (s *Service) List(ctx context.Context, actor access.Actor, q Query) (Page, error) {
	if err := access.Can(actor, access.ViewAudit); err != nil {
		return Page{}, err
	}
	return s.list(ctx, actor, q)
}

func (s *Service) list(ctx context.Context, actor access.Actor, q Query) (Page, error) {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	q.Limit = min(q.Limit, 500)
	p := db.AuditListParams{TenantID: actor.TenantID.UUID(), Since: q.Since, BeforeAt: q.After.At, BeforeID: q.After.ID,
		Actions: q.Actions, FoundActions: q.Named, Patterns: db.LikePatterns(cut(q.Text, 200)), RowLimit: int32(q.Limit + 1)}
	if p.Actions == nil {
		p.Actions = []string{}
	}
	if p.FoundActions == nil {
		p.FoundActions = []string{}
	}
	if p.BeforeAt.IsZero() {
		p.BeforeAt = q.Until
		if q.Until.IsZero() {
			p.BeforeAt = time.Now().Add(24 * time.Hour)
		}
	}
	if !q.User.IsZero() {
		id := q.User.UUID()
		p.UserID = &id
	}
	if q.TargetID != "" {
		p.TargetID = &q.TargetID
	}
	if q.Outcome == Allowed || q.Outcome == Denied {
		p.Outcome = &q.Outcome
	}
	var page Page
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.AuditList(ctx, p)
		if err != nil {
			return fmt.Errorf("list entries: %w", err)
		}
		for _, row := range rows {
			line, err := lineOf(row)
			if err != nil {
				return err
			}
			page.Lines = append(page.Lines, line)
		}
		return nil
	})
	if len(page.Lines) > q.Limit {
		page.Lines = page.Lines[:q.Limit]
		last := page.Lines[q.Limit-1]
		page.Next = Key{At: last.At, ID: last.ID}
	}
	return page, err
}

// Get answers one entry.
//
// Errors: access.forbidden, audit.not_found.
func (s *Service) Get(ctx context.Context, actor access.Actor, id uuid.UUID) (Line, error) {
	if err := access.Can(actor, access.ViewAudit); err != nil {
		return Line{}, err
	}
	var line Line
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.AuditGet(ctx, actor.TenantID.UUID(), id)
		if db.IsNoRows(err) {
			return ErrNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read entry %s: %w", id, err)
		}
		line, err = lineOf(db.AuditListRow(row))
		return err
	})
	return line, err
}

// Person is somebody who has done something.
type Person struct {
	ID   ids.User
	Name string
}

// ListPeople are the members who have done something since then.
//
// Errors: access.forbidden.
func (s *Service) ListPeople(ctx context.Context, actor access.Actor, since time.Time) ([]Person, error) {
	if err := access.Can(actor, access.ViewAudit); err != nil {
		return nil, err
	}
	var people []Person
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.AuditPeople(ctx, actor.TenantID.UUID(), since, 500)
		for _, row := range rows {
			people = append(people, Person{ids.User(row.UserID), row.Name})
		}
		return err
	})
	return people, err
}

// State is what the page says about the log itself.
type State struct {
	Days    int // entries are kept
	Head    int64
	Waiting int64 // not sealed yet
	Forward *Forward
}

// GetState reads how the workspace's log is kept.
//
// Errors: access.forbidden.
func (s *Service) GetState(ctx context.Context, actor access.Actor) (State, error) {
	if err := access.Can(actor, access.ViewAudit); err != nil {
		return State{}, err
	}
	var state State
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		days, err := tx.AuditDays(ctx, actor.TenantID.UUID())
		if err != nil {
			return fmt.Errorf("read retention: %w", err)
		}
		chain, err := readChain(ctx, tx, actor.TenantID)
		if err != nil {
			return err
		}
		state.Days, state.Head = int(days), chain.Batch
		if state.Waiting, err = tx.AuditCountOpen(ctx, actor.TenantID.UUID()); err != nil {
			return fmt.Errorf("count entries: %w", err)
		}
		state.Forward, err = readForward(ctx, tx, actor.TenantID)
		return err
	})
	return state, err
}

// The bounds of retention, in days.
const (
	MinDays = 30
	MaxDays = 3650
)

// SetDays changes how long entries are kept.
//
// Errors: access.forbidden; audit.invalid with field days.
func (s *Service) SetDays(ctx context.Context, actor access.Actor, days int) error {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return err
	}
	if days < MinDays || days > MaxDays {
		return ErrInvalid.WithFields(map[string]string{"days": fmt.Sprintf("Entries are kept %d to %d days.", MinDays, MaxDays)})
	}
	return s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		before, err := tx.AuditDays(ctx, actor.TenantID.UUID())
		if err != nil {
			return fmt.Errorf("read retention: %w", err)
		}
		if err := tx.AuditSetDays(ctx, int32(days), actor.TenantID.UUID()); err != nil {
			return fmt.Errorf("write retention: %w", err)
		}
		return Record(ctx, tx, actor, Entry{Action: "audit.retention_changed", Target: "workspace", ID: actor.TenantID.String(),
			Before: map[string]any{"days": before}, After: map[string]any{"days": days}})
	})
}

// Prune removes what is older than the workspace keeps entries, and answers how
// many entries that were. The chain is verified from the last removed batch on.
func (s *Service) Prune(ctx context.Context, tenant ids.Tenant) (int64, error) {
	var total int64
	for {
		var removed int64
		err := s.db.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
			if err := tx.AuditLock(ctx); err != nil {
				return fmt.Errorf("lock chain: %w", err)
			}
			if removed, err = tx.AuditPrune(ctx); err != nil || removed == 0 {
				return err
			}
			return Record(ctx, tx, access.Actor{Kind: access.System, TenantID: tenant}, Entry{Action: "audit.pruned", Target: "workspace",
				ID: tenant.String(), Detail: map[string]any{"entries": removed}})
		})
		if err != nil {
			return total, fmt.Errorf("prune entries: %w", err)
		}
		if total += removed; removed == 0 {
			return total, nil
		}
	}
}

// Erase takes a person out of the log: their name and addresses where they
// acted, and all values where they were acted on or where their e-mail address
// or name stands. The entries stay, with their ids and times, and the chain
// holds. It answers how many parts of entries are gone.
//
// Errors: access.forbidden.
func (s *Service) Erase(ctx context.Context, actor access.Actor, person ids.User, words ...string) (int64, error) {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return 0, err
	}
	var parts int64
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		if parts, err = tx.AuditErase(ctx, person.UUID(), append([]string{}, words...)); err != nil {
			return fmt.Errorf("erase person: %w", err)
		}
		erased := Entry{Action: "audit.person_erased", Target: "person", Detail: map[string]any{"parts": parts}}
		if !person.IsZero() {
			erased.ID = person.String()
		}
		return Record(ctx, tx, actor, erased)
	})
	return parts, err
}

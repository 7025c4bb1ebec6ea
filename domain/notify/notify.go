// Package notify tells people what concerns them: in the app, and by mail where
// they want it. A feature that has something to tell calls Tell in the
// transaction in which it happens.
package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// ErrNotFound also covers what was told to somebody else, and what is about
// something that the person may not see any more.
var ErrNotFound = apperr.Define(apperr.NotFound, "notify.not_found",
	"This notification does not exist or was removed.")

// Kind is why somebody is told.
type Kind string

// The kinds.
const (
	Mention    Kind = "mention"
	Reply      Kind = "reply"
	Shared     Kind = "shared"
	LoadDone   Kind = "load_done"
	LoadFailed Kind = "load_failed"
	Alert      Kind = "alert"
	BreakGlass Kind = "break_glass" // an owner signed in without the single sign-on that is required
	Report     Kind = "report"      // a scheduled report did not arrive

	HostFailing Kind = "host_failing" // the proof that a portal's host is the workspace's is missing
	HostLost    Kind = "host_lost"    // and has been for so long that the host leads nowhere
)

// Kinds lists all, in the order of the settings.
var Kinds = []Kind{Mention, Reply, Shared, LoadDone, LoadFailed, Alert, Report, BreakGlass, HostFailing, HostLost}

// Setting is how somebody is told of a kind.
type Setting struct {
	Kind  Kind
	InApp bool
	Mail  bool
}

// preset is what holds for who has chosen nothing.
func (k Kind) preset() Setting { return Setting{Kind: k, InApp: true, Mail: k != LoadDone} }

const (
	listed  = 200
	keepFor = 90 * 24 * time.Hour
	// longest are the characters that are kept of a name and of an excerpt.
	longestSubject, longestExcerpt = 200, 280
)

// Mailer writes a letter in the caller's transaction.
type Mailer interface {
	Queue(ctx context.Context, tx *db.Tx, to delivery.Recipient, letter delivery.Letter) (ids.Message, error)
}

// Deps are what the service works with.
type Deps struct {
	DB      *db.DB
	Mailer  Mailer        // nil: nothing is mailed
	Address func() string // of this installation, "https://bi.example.com"; may be nil without a Mailer
}

// Service is safe for concurrent use. A nil Service tells nobody anything.
type Service struct{ deps Deps }

// New makes the service.
func New(deps Deps) *Service { return &Service{deps} }

// Object is what an event is about; at most one is set. Who may not see it is
// not told.
type Object struct {
	Dashboard ids.Dashboard
	Dataset   ids.Dataset
}

// Event is something that people are told of.
type Event struct {
	// ID is what happened. Nobody is told twice of one, whatever its kind.
	ID   uuid.UUID
	Kind Kind
	By   ids.User   // who did it and is not told; zero for DataFlow itself
	To   []ids.User // others may be in it: those who may not see the object are left out
	Object
	Subject string // the object's name
	Excerpt string // plain text; may be empty
	Path    string // on this site, that leads to it
	// Letter is mailed in place of the usual notice; nil for that.
	Letter delivery.Letter
}

func optional[T ~[16]byte](id T) *uuid.UUID {
	u := uuid.UUID(id)
	if u == uuid.Nil {
		return nil
	}
	return &u
}

// People lists who of the workspace may see an object, by name. Only lists
// those of them that are in only, unless it is nil.
func (s *Service) people(ctx context.Context, tx *db.Tx, o Object, kind Kind, only []uuid.UUID) ([]db.NotifyPeopleRow, error) {
	rows, err := tx.NotifyPeople(ctx, db.NotifyPeopleParams{TenantID: tx.TenantID, DashboardID: optional(o.Dashboard), DatasetID: optional(o.Dataset),
		Kind: string(kind), UserIds: only})
	if err != nil {
		return nil, fmt.Errorf("list who may see it: %w", err)
	}
	return rows, nil
}

// Person is somebody of the workspace.
type Person struct {
	ID    ids.User
	Name  string
	Email string
}

// ListWhoSee lists the people of the workspace who may see an object, by name.
// That the actor may is for the caller to check.
func (s *Service) ListWhoSee(ctx context.Context, tx *db.Tx, o Object) ([]Person, error) {
	rows, err := s.people(ctx, tx, o, "", nil)
	if err != nil {
		return nil, err
	}
	list := make([]Person, len(rows))
	for i, r := range rows {
		list[i] = Person{ID: ids.User(r.UserID), Name: r.Name, Email: r.Email}
	}
	return list, nil
}

// Tell tells people of an event in the caller's transaction, in the ways that
// they chose for its kind: never who did it, nobody twice, and nobody who may
// not see what it is about.
func (s *Service) Tell(ctx context.Context, tx *db.Tx, e Event) error {
	if s == nil || len(e.To) == 0 {
		return nil
	}
	to := []uuid.UUID{}
	for _, u := range e.To {
		if u != e.By && !slices.Contains(to, u.UUID()) {
			to = append(to, u.UUID())
		}
	}
	by := ""
	if !e.By.IsZero() {
		u, err := tx.UserGet(ctx, tx.TenantID, e.By.UUID())
		if err != nil {
			return fmt.Errorf("read who did it: %w", err)
		}
		if by = u.Name; by == "" {
			by = u.Email
		}
	}
	people, err := s.people(ctx, tx, e.Object, e.Kind, to)
	if err != nil {
		return err
	}
	e.Subject, e.Excerpt = shorten(e.Subject, longestSubject), shorten(e.Excerpt, longestExcerpt)
	for _, p := range people {
		how := e.Kind.preset()
		if p.InApp != nil && p.ByMail != nil {
			how.InApp, how.Mail = *p.InApp, *p.ByMail
		}
		if !how.InApp && !how.Mail {
			continue
		}
		n, err := tx.NotificationInsert(ctx, db.NotificationInsertParams{TenantID: tx.TenantID, NotificationID: ids.New[uuid.UUID](), UserID: p.UserID,
			EventID: e.ID, Kind: string(e.Kind), ActorID: optional(e.By), DashboardID: optional(e.Dashboard), DatasetID: optional(e.Dataset),
			Subject: e.Subject, Excerpt: e.Excerpt, Path: e.Path, InApp: how.InApp, Now: time.Now()})
		if err != nil {
			return fmt.Errorf("tell %s: %w", p.UserID, err)
		}
		if n == 0 {
			continue
		}
		if how.InApp {
			if err := s.changed(ctx, tx, p.UserID); err != nil {
				return err
			}
		}
		if how.Mail && s.deps.Mailer != nil {
			letter := e.Letter
			if letter == nil {
				letter = delivery.Notice{Kind: string(e.Kind), Name: p.Name, By: by, Subject: e.Subject, Excerpt: e.Excerpt,
					Link: strings.TrimSuffix(s.deps.Address(), "/") + e.Path}
			}
			if _, err := s.deps.Mailer.Queue(ctx, tx, delivery.Recipient{Address: p.Email, Name: p.Name, Locale: p.Locale}, letter); err != nil {
				return fmt.Errorf("mail %s: %w", p.UserID, err)
			}
		}
	}
	return nil
}

// shorten ends a text that is too long with an ellipsis.
func shorten(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:most-1])) + "…"
}

func (s *Service) changed(ctx context.Context, tx *db.Tx, user uuid.UUID) error {
	if err := tx.InsertOutboxEvent(ctx, events.Event{TenantID: tx.TenantID, Kind: events.Notified, ID: user}); err != nil {
		return fmt.Errorf("tell of a notification: %w", err)
	}
	return nil
}

// Forget takes back what was told of an event that did not last.
func (s *Service) Forget(ctx context.Context, tx *db.Tx, event uuid.UUID) error {
	users, err := tx.NotificationForget(ctx, tx.TenantID, event)
	if err != nil {
		return fmt.Errorf("take notifications back: %w", err)
	}
	for _, u := range users {
		if err := s.changed(ctx, tx, u); err != nil {
			return err
		}
	}
	return nil
}

// Notification is what one person was told.
type Notification struct {
	ID      uuid.UUID
	Kind    Kind
	By      string // name; empty for DataFlow itself
	Subject string
	Excerpt string
	Path    string
	At      time.Time
	Read    bool
}

// ofPerson works on what the actor was told, as far as they may still see what
// it is about.
func (s *Service) ofPerson(ctx context.Context, actor access.Actor, work db.Work) error {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return err
	}
	return s.deps.DB.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), work)
}

// List reads the actor's newest notifications.
func (s *Service) List(ctx context.Context, actor access.Actor, unreadOnly bool) ([]Notification, error) {
	var list []Notification
	err := s.ofPerson(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.NotificationList(ctx, db.NotificationListParams{TenantID: tx.TenantID, UserID: actor.UserID.UUID(), UnreadOnly: unreadOnly, RowLimit: listed})
		if err != nil {
			return fmt.Errorf("list notifications: %w", err)
		}
		for _, r := range rows {
			list = append(list, Notification{ID: r.NotificationID, Kind: Kind(r.Kind), By: r.Actor, Subject: r.Subject, Excerpt: r.Excerpt, Path: r.Path,
				At: r.CreatedAt, Read: r.ReadAt != nil})
		}
		return nil
	})
	return list, err
}

// CountUnread counts what the actor has not read.
func (s *Service) CountUnread(ctx context.Context, actor access.Actor) (int, error) {
	var n int64
	err := s.ofPerson(ctx, actor, func(ctx context.Context, tx *db.Tx) (err error) {
		if n, err = tx.NotificationUnread(ctx, tx.TenantID, actor.UserID.UUID()); err != nil {
			return fmt.Errorf("count notifications: %w", err)
		}
		return nil
	})
	return int(n), err
}

// MarkRead marks one notification as read and answers the path that it leads to.
//
// Errors: notify.not_found.
func (s *Service) MarkRead(ctx context.Context, actor access.Actor, id uuid.UUID) (path string, err error) {
	err = s.ofPerson(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		now := time.Now()
		path, err = tx.NotificationRead(ctx, db.NotificationReadParams{Now: &now, TenantID: tx.TenantID, UserID: actor.UserID.UUID(), NotificationID: id})
		if db.IsNoRows(err) {
			return ErrNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("mark notification read: %w", err)
		}
		return s.changed(ctx, tx, actor.UserID.UUID())
	})
	return path, err
}

// MarkAllRead marks all of the actor's notifications as read.
func (s *Service) MarkAllRead(ctx context.Context, actor access.Actor) error {
	return s.ofPerson(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		now := time.Now()
		if _, err := tx.NotificationReadAll(ctx, &now, tx.TenantID, actor.UserID.UUID()); err != nil {
			return fmt.Errorf("mark notifications read: %w", err)
		}
		return s.changed(ctx, tx, actor.UserID.UUID())
	})
}

// ListSettings reads how the actor is told, all kinds in their order.
func (s *Service) ListSettings(ctx context.Context, actor access.Actor) ([]Setting, error) {
	list := make([]Setting, len(Kinds))
	for i, k := range Kinds {
		list[i] = k.preset()
	}
	err := s.ofPerson(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.NotificationSettings(ctx, tx.TenantID, actor.UserID.UUID())
		if err != nil {
			return fmt.Errorf("read notification settings: %w", err)
		}
		for _, r := range rows {
			if i := slices.Index(Kinds, Kind(r.Kind)); i >= 0 {
				list[i].InApp, list[i].Mail = r.InApp, r.ByMail
			}
		}
		return nil
	})
	return list, err
}

// SaveSettings keeps how the actor is told. Kinds that there are not are left out.
func (s *Service) SaveSettings(ctx context.Context, actor access.Actor, list []Setting) error {
	return s.ofPerson(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		for _, one := range list {
			if !slices.Contains(Kinds, one.Kind) {
				continue
			}
			err := tx.NotificationSettingPut(ctx, db.NotificationSettingPutParams{TenantID: tx.TenantID, UserID: actor.UserID.UUID(),
				Kind: string(one.Kind), InApp: one.InApp, ByMail: one.Mail})
			if err != nil {
				return fmt.Errorf("save notification settings: %w", err)
			}
		}
		return nil
	})
}

// PruneArgs asks for old notifications of the job's tenant to be forgotten.
type PruneArgs struct{}

// Kind names the job.
func (PruneArgs) Kind() string { return "notify:prune" }

// RunPrune forgets old notifications.
func (s *Service) RunPrune(ctx context.Context, job jobs.Job[PruneArgs]) error {
	return s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.NotificationPrune(ctx, job.TenantID, keepFor.Seconds()); err != nil {
			return fmt.Errorf("prune notifications: %w", err)
		}
		return job.Complete(ctx, tx)
	})
}

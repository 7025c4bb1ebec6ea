// Package alerts watches measures and tells people when one is bad: past a line,
// changed too much, outside of what was forecast, or without new data. An alert
// runs as its owner, so that it measures what that person may see. Its state,
// its history and what is told are written by one transaction, so that a change
// is told once whatever dies in between.
package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong with an alert.
var (
	// ErrNotFound also covers alerts of other workspaces, and of other people
	// for who may not manage them.
	ErrNotFound = apperr.Define(apperr.NotFound, "alerts.not_found",
		"This alert does not exist or was removed.")
	ErrInvalid = apperr.Define(apperr.Invalid, "alerts.invalid",
		"Some fields of the alert need another value.")
	ErrTooManyGroups = apperr.Define(apperr.TooLarge, "alerts.too_many_groups",
		"This divides the measure into more than 500 groups. Filter, or divide it by something with fewer values.")
	ErrNoTime = apperr.Define(apperr.Invalid, "alerts.no_time",
		"This dataset has no column of time, so there is no past to try the alert with.")
	errOwnerLeft = apperr.Define(apperr.Gone, "alerts.owner_left",
		"The person who owns this alert left the workspace, or may no longer see the data.")
)

const (
	maxName       = 300 // characters
	maxRecipients = 100
	maxMutes      = 10
	maxMinutes    = 60 * 24 * 60
	historyListed = 200
	noticesListed = 50
	settleFor     = 5 * time.Second // gathers changes of data that come one after the other
	keepHistory   = 400 * 24 * time.Hour
	keepGroups    = 30 * 24 * time.Hour // with which nothing is wrong
)

// Deps are what the service works with.
type Deps struct {
	DB         *db.DB
	Tenants    *tenants.Service
	Datasets   *datasets.Service
	Dashboards *dashboards.Service
	Delivery   *delivery.Service
	Notify     *notify.Service
	Address    func() string // of this installation, "https://bi.example.com"
	// Title says what happened in a few words, Say what is told in a sentence or two,
	// both in words of a locale. Without Title it is the alert's name.
	Title func(ctx context.Context, locale string, n Notice) string
	Say   func(ctx context.Context, locale string, n Notice) string
	Log   *slog.Logger     // slog.Default() when nil
	Clock func() time.Time // time.Now when nil
}

// Service is safe for concurrent use.
type Service struct{ deps Deps }

// New makes the service.
func New(deps Deps) *Service {
	if deps.Log == nil {
		deps.Log = slog.Default()
	}
	if deps.Clock == nil {
		deps.Clock = time.Now
	}
	return &Service{deps}
}

// now is to the microsecond, as the database keeps it.
func (s *Service) now() time.Time { return s.deps.Clock().UTC().Truncate(time.Microsecond) }

// Form is what a person chooses of an alert; what it measures is chosen once.
type Form struct {
	Name      string
	Condition Condition
	Manner    Manner
	Users     []ids.User
	Channels  []ids.Channel
	// LaterUsers and LaterChannels are told when nobody has acknowledged in time.
	LaterUsers    []ids.User
	LaterChannels []ids.Channel
}

// New alerts say also what they measure and where that is shown.
type NewAlert struct {
	Form
	Watch     Watch
	Dashboard ids.Dashboard // zero for none
	Widget    string
}

// Alert is one with its state.
type Alert struct {
	ID ids.Alert
	NewAlert
	DatasetName   string
	DashboardName string // empty where it is gone
	Owner         ids.User
	OwnerName     string
	State         State
	Since         time.Time
	Firing        int // groups
	Groups        int
	ErrorText     string
	EvaluatedAt   time.Time // zero before the first
	NextAt        time.Time // by the clock; zero for only with new data
	SnoozedUntil  time.Time
	PausedAt      time.Time
	PausedWhy     string // "person" or "owner_left"
	PausedBy      string // name
	Recipients    []Recipient
	States        []Group // those that fire first
	History       []Event // newest first
	Notices       []Told  // newest first
	// Hidden tells that the reader sees other rows than the owner: there are no
	// groups, no values and no notices then.
	Hidden bool
}

// Recipient is who is told.
type Recipient struct {
	User    ids.User
	Channel ids.Channel
	Kind    delivery.ChannelKind // of a channel
	Name    string
	Later   bool // only when nobody has acknowledged in time
	Left    bool // the workspace
}

// Group is the state of one group of an alert.
type Group struct {
	Key         string
	Labels      []string
	State       State
	Since       time.Time
	BeyondSince time.Time
	Value       float64 // NaN where there is none
	Low, High   float64
	Period      time.Time // on the wall clock; zero without periods
	AckedAt     time.Time
	AckedBy     string
}

// Waits tells whether the group fires and nobody has acknowledged it.
func (g Group) Waits() bool { return g.State == Firing && g.AckedAt.IsZero() }

// Event is one line of the history.
type Event struct {
	Kind      string // "state", "acknowledged", "escalated", "snoozed", "woken", "paused", "resumed"
	Labels    []string
	From, To  State
	Value     float64
	Low, High float64
	Period    time.Time
	Text      string
	Muted     bool // nobody was told, yet
	Person    string
	At        time.Time
}

// Told is one line of the ledger.
type Told struct {
	Name      string
	Channel   bool
	Notice    Notice
	State     string // "due", "told", "sent" or "failed"
	Answer    string
	ErrorText string
	Attempts  int
	Resent    bool
	CreatedAt time.Time
	SentAt    time.Time
}

func optional[T ~[16]byte](id T) *uuid.UUID {
	u := uuid.UUID(id)
	if u == uuid.Nil {
		return nil
	}
	return &u
}

func orZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func orNil(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// seesAll tells whether the actor manages what others watch, too.
func seesAll(actor access.Actor) bool { return access.Can(actor, access.ManageWorkspace) == nil }

// List reads those that are the actor's or tell them, or all of the workspace
// for who manages it; those that fire first. Groups and history are left out.
//
// Errors: access.forbidden.
func (s *Service) List(ctx context.Context, actor access.Actor) ([]Alert, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	var list []Alert
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		list, err = s.list(ctx, tx, actor, nil)
		return err
	})
	// How many groups there are is told where it is known that all are seen.
	for i := range list {
		if list[i].Owner != actor.UserID {
			list[i].Firing, list[i].Groups = 0, 0
		}
	}
	return list, err
}

func (s *Service) list(ctx context.Context, tx *db.Tx, actor access.Actor, only *uuid.UUID) ([]Alert, error) {
	var person *uuid.UUID
	if !seesAll(actor) {
		person = new(actor.UserID.UUID())
	}
	rows, err := tx.AlertList(ctx, tx.TenantID, person, only)
	if err != nil {
		return nil, fmt.Errorf("list alerts: %w", err)
	}
	list := make([]Alert, len(rows))
	keys := make([]uuid.UUID, len(rows))
	at := map[uuid.UUID]*Alert{}
	for i, row := range rows {
		a := &list[i]
		keys[i], at[row.AlertID] = row.AlertID, a
		*a = Alert{ID: ids.Alert(row.AlertID), DatasetName: row.DatasetName, DashboardName: row.DashboardName, Owner: ids.User(row.OwnerID), OwnerName: row.OwnerName,
			State: State(row.State), Since: row.Since, Firing: int(row.Firing), Groups: int(row.Groups), ErrorText: row.ErrorText, EvaluatedAt: orZero(row.EvaluatedAt),
			NextAt: orZero(row.NextAt), SnoozedUntil: orZero(row.SnoozedUntil), PausedAt: orZero(row.PausedAt), PausedWhy: row.PausedWhy, PausedBy: row.PausedByName}
		a.Name, a.Widget = row.Name, row.WidgetID
		if row.DashboardID != nil {
			a.Dashboard = ids.Dashboard(*row.DashboardID)
		}
		if a.SnoozedUntil.Before(s.now()) {
			a.SnoozedUntil = time.Time{}
		}
		if err := errors.Join(json.Unmarshal(row.Watch, &a.Watch), json.Unmarshal(row.Condition, &a.Condition), json.Unmarshal(row.Manner, &a.Manner)); err != nil {
			return nil, fmt.Errorf("read alert %s: %w", a.ID, err)
		}
	}
	recipients, err := tx.AlertRecipientList(ctx, tx.TenantID, keys)
	if err != nil {
		return nil, fmt.Errorf("list recipients: %w", err)
	}
	for _, row := range recipients {
		a := at[row.AlertID]
		r := Recipient{Name: row.Name, Later: row.Later, Left: row.IsRemoved, Kind: delivery.ChannelKind(row.ChannelKind)}
		switch {
		case row.UserID != nil && row.Later:
			r.User = ids.User(*row.UserID)
			a.LaterUsers = append(a.LaterUsers, r.User)
		case row.UserID != nil:
			r.User = ids.User(*row.UserID)
			a.Users = append(a.Users, r.User)
		case row.ChannelID != nil && row.Later:
			r.Channel = ids.Channel(*row.ChannelID)
			a.LaterChannels = append(a.LaterChannels, r.Channel)
		case row.ChannelID != nil:
			r.Channel = ids.Channel(*row.ChannelID)
			a.Channels = append(a.Channels, r.Channel)
		}
		a.Recipients = append(a.Recipients, r)
	}
	return list, nil
}

// Get reads one with its groups, its history and what was told, as far as the
// actor sees the rows that its owner sees.
//
// Errors: access.forbidden, alerts.not_found.
func (s *Service) Get(ctx context.Context, actor access.Actor, id ids.Alert) (Alert, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Alert{}, err
	}
	var a Alert
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		list, err := s.list(ctx, tx, actor, optional(id))
		if err != nil {
			return err
		}
		if len(list) == 0 || id.IsZero() {
			return ErrNotFound
		}
		a = list[0]
		states, err := tx.AlertStateList(ctx, tx.TenantID, []uuid.UUID{id.UUID()})
		if err != nil {
			return fmt.Errorf("list groups: %w", err)
		}
		for _, row := range states {
			a.States = append(a.States, Group{Key: row.GroupKey, Labels: row.Labels, State: State(row.State), Since: row.Since, BeyondSince: orZero(row.BeyondSince),
				Value: orNaN(row.Value), Low: orNaN(row.Low), High: orNaN(row.High), Period: orZero(row.Period).UTC(), AckedAt: orZero(row.AckedAt), AckedBy: row.AckedByName})
		}
		events, err := tx.AlertEventList(ctx, tx.TenantID, id.UUID(), historyListed)
		if err != nil {
			return fmt.Errorf("list history: %w", err)
		}
		for _, row := range events {
			a.History = append(a.History, Event{Kind: row.Kind, Labels: row.Labels, From: State(row.FromState), To: State(row.ToState), Value: orNaN(row.Value),
				Low: orNaN(row.Low), High: orNaN(row.High), Period: orZero(row.Period).UTC(), Text: row.Text, Muted: row.Muted, Person: row.Person, At: row.At})
		}
		notices, err := tx.AlertNoticeList(ctx, tx.TenantID, id.UUID(), noticesListed)
		if err != nil {
			return fmt.Errorf("list notices: %w", err)
		}
		for _, row := range notices {
			t := Told{Name: row.ToName, Channel: row.UserID == nil, State: row.State, Answer: row.Answer, ErrorText: row.ErrorText, Attempts: int(row.Attempts),
				Resent: row.Resent, CreatedAt: row.CreatedAt, SentAt: orZero(row.SentAt)}
			if err := json.Unmarshal(row.Body, &t.Notice); err != nil {
				return fmt.Errorf("read notice: %w", err)
			}
			a.Notices = append(a.Notices, t)
		}
		return nil
	})
	if err != nil || a.Owner == actor.UserID {
		return a, err
	}
	owner, err := s.ownerOf(ctx, actor.TenantID, a.Owner)
	if err != nil && !errors.Is(err, errOwnerLeft) {
		return Alert{}, err
	}
	if err != nil || s.sight(ctx, actor, &a.Watch) != s.sight(ctx, owner, &a.Watch) {
		a.Hidden, a.States, a.Notices = true, nil, nil
		a.Firing, a.Groups = 0, 0
		a.History = slices.DeleteFunc(a.History, func(e Event) bool { return len(e.Labels) > 0 })
		for i := range a.History {
			e := &a.History[i]
			e.Value, e.Low, e.High = math.NaN(), math.NaN(), math.NaN()
		}
	}
	return a, nil
}

// ownerOf is the actor as whom an alert is evaluated.
func (s *Service) ownerOf(ctx context.Context, tenant ids.Tenant, id ids.User) (access.Actor, error) {
	owner, err := s.deps.Tenants.GetActor(ctx, tenant, id)
	if errors.Is(err, tenants.ErrMemberNotFound) {
		return owner, errOwnerLeft.Wrap(err)
	}
	return owner, err
}

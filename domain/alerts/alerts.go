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
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
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
	// Say puts what is told into words of a locale.
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

// Create makes an alert of the actor's own and has it evaluated. Whoever may
// see the data may watch it.
//
// Errors: access.forbidden, alerts.invalid with fields, and those of asking.
func (s *Service) Create(ctx context.Context, actor access.Actor, n NewAlert) (ids.Alert, error) {
	id := ids.New[ids.Alert]()
	if err := access.Can(actor, access.ViewContent); err != nil {
		return id, err
	}
	if actor.UserID.IsZero() {
		return id, access.ErrForbidden
	}
	if err := s.check(ctx, actor, &n.Watch, &n.Form); err != nil {
		return id, err
	}
	// What can't be asked, or not by this person, is said now.
	if _, err := s.measureOnce(ctx, actor, &n.Watch, n.Condition.past()); err != nil {
		return id, err
	}
	watch, condition, manner, err := encode(&n.Watch, &n.Form)
	if err != nil {
		return id, err
	}
	return id, s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		now := s.now()
		if err := tx.AlertInsert(ctx, db.AlertInsertParams{TenantID: tx.TenantID, AlertID: id.UUID(), OwnerID: actor.UserID.UUID(), DatasetID: n.Watch.Dataset.UUID(),
			DashboardID: optional(n.Dashboard), WidgetID: n.Widget, Name: n.Name, Watch: watch, Condition: condition, Manner: manner, NextAt: now}); err != nil {
			return fmt.Errorf("insert alert: %w", err)
		}
		if err := setRecipients(ctx, tx, id, &n.Form); err != nil {
			return err
		}
		if err := s.arm(ctx, tx); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "alert.created", Target: "alert", ID: id.String(), Detail: map[string]any{"name": n.Name, "dataset": n.Watch.Dataset.String()}})
	})
}

func encode(w *Watch, f *Form) (watch, condition, manner []byte, err error) {
	var errs [3]error
	watch, errs[0] = json.Marshal(w)
	condition, errs[1] = json.Marshal(f.Condition)
	manner, errs[2] = json.Marshal(f.Manner)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, nil, nil, fmt.Errorf("encode alert: %w", err)
	}
	return watch, condition, manner, nil
}

// Update changes all that a form has. What its groups were is forgotten where
// the condition changes.
//
// Errors: alerts.not_found, and those of Create.
func (s *Service) Update(ctx context.Context, actor access.Actor, id ids.Alert, f Form) error {
	old, err := s.Get(ctx, actor, id)
	if err != nil {
		return err
	}
	if err := s.check(ctx, actor, &old.Watch, &f); err != nil {
		return err
	}
	_, condition, manner, err := encode(&old.Watch, &f)
	if err != nil {
		return err
	}
	return s.change(ctx, actor, id, "alert.changed", func(ctx context.Context, tx *db.Tx, now time.Time) error {
		if _, err := tx.AlertUpdate(ctx, db.AlertUpdateParams{TenantID: tx.TenantID, AlertID: id.UUID(), Name: f.Name, Condition: condition, Manner: manner, NextAt: now}); err != nil {
			return fmt.Errorf("update alert: %w", err)
		}
		before, _ := json.Marshal(old.Condition) // it was read from JSON
		if string(before) != string(condition) {
			if err := tx.AlertStateClear(ctx, tx.TenantID, id.UUID()); err != nil {
				return fmt.Errorf("forget groups: %w", err)
			}
		}
		return setRecipients(ctx, tx, id, &f)
	})
}

// check cleans a form and says of each field what is wrong with it.
func (s *Service) check(ctx context.Context, actor access.Actor, w *Watch, f *Form) error {
	fields := map[string]string{}
	if f.Name = strings.TrimSpace(f.Name); f.Name == "" {
		f.Name = w.Label
	}
	if utf8.RuneCountInString(f.Name) > maxName || strings.ContainsFunc(f.Name, unicode.IsControl) {
		fields["name"] = fmt.Sprintf("Take a name of at most %d characters on one line.", maxName)
	}
	f.Condition.check(w, fields)
	m := &f.Manner
	for name, minutes := range map[string]int{"every": m.EveryMinutes, "for": m.ForMinutes, "escalate": m.EscalateMinutes} {
		if minutes < 0 || minutes > maxMinutes {
			fields[name] = "Take a number of minutes up to 60 days."
		}
	}
	if _, err := time.LoadLocation(m.Zone); err != nil || m.Zone == "Local" {
		fields["mute"] = "There is no such time zone."
	}
	for _, mute := range m.Mutes {
		bad := func(minute int) bool { return minute < 0 || minute > 24*60 }
		if bad(mute.From) || bad(mute.To) || len(mute.Days) == 0 || slices.ContainsFunc(mute.Days, func(d int) bool { return d < 1 || d > 7 }) {
			fields["mute"] = "Say on which days and from when to when nobody is to be told."
		}
	}
	if len(m.Mutes) > maxMutes {
		fields["mute"] = fmt.Sprintf("At most %d times can be muted.", maxMutes)
	}
	if n := len(f.Users) + len(f.Channels); n == 0 {
		fields["users"] = "Choose at least one person or channel."
	} else if n+len(f.LaterUsers)+len(f.LaterChannels) > maxRecipients {
		fields["users"] = fmt.Sprintf("An alert tells at most %d people and channels.", maxRecipients)
	}
	if m.EscalateMinutes > 0 && len(f.LaterUsers)+len(f.LaterChannels) == 0 {
		fields["later"] = "Choose who is told when nobody has acknowledged."
	}
	if access.Can(actor, access.EditContent) != nil && (len(f.Channels)+len(f.LaterUsers)+len(f.LaterChannels) > 0 || len(f.Users) != 1 || f.Users[0] != actor.UserID) {
		fields["users"] = "Your role lets you tell yourself alone."
	}
	for _, id := range append(slices.Clone(f.Users), f.LaterUsers...) {
		if _, err := s.deps.Tenants.GetActor(ctx, actor.TenantID, id); err != nil {
			fields["users"] = "One of these people is not in the workspace."
		}
	}
	if len(f.Channels)+len(f.LaterChannels) > 0 {
		known, err := s.deps.Delivery.ListChannels(ctx, actor)
		if err != nil {
			return err
		}
		for _, id := range append(slices.Clone(f.Channels), f.LaterChannels...) {
			if !slices.ContainsFunc(known, func(c delivery.Channel) bool { return c.ID == id && c.Kind.TakesAlerts() }) {
				fields["users"] = "One of these channels is gone, or takes files only."
			}
		}
	}
	if len(fields) > 0 {
		return ErrInvalid.WithFields(fields)
	}
	return nil
}

func (c *Condition) check(w *Watch, fields map[string]string) {
	number := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	side := func(sides ...Side) {
		if !slices.Contains(sides, c.Side) {
			fields["side"] = "Choose where it is bad to be."
		}
	}
	if !number(c.Value) || c.Recover != nil && !number(*c.Recover) {
		fields["value"] = "Write a number."
		return
	}
	periods := w.Time != "" && w.Grain != ""
	switch c.Kind {
	case Threshold:
		side(Above, Below)
		if c.Recover != nil && (c.Side == Above && *c.Recover > c.Value || c.Side == Below && *c.Recover < c.Value) {
			fields["recover"] = "It has to be good on the other side of the line."
		}
	case Change:
		side(Above, Below, Outside)
		if c.Value <= 0 {
			fields["value"] = "Write a share above zero, such as 20."
		}
		if c.Back < 1 || c.Back > maxBack {
			fields["back"] = fmt.Sprintf("Compare with a period 1 to %d before.", maxBack)
		}
		if c.Recover != nil && (*c.Recover > c.Value || *c.Recover < 0) {
			fields["recover"] = "It has to be a smaller change."
		}
	case Anomaly:
		side(Above, Below, Outside)
		if c.Band != 80 && c.Band != 95 {
			fields["band"] = "The band is that of 80 or of 95 in a hundred values."
		}
		c.Value, c.Recover = 0, nil
	case Stale:
		c.Side, c.Recover, c.Running = Above, nil, false
		if c.Value < 1 || c.Value > maxMinutes {
			fields["value"] = "Take a number of minutes up to 60 days."
		}
	default:
		fields["kind"] = "Choose a condition."
	}
	if !periods && (c.Kind == Change || c.Kind == Anomaly) {
		fields["kind"] = "This needs a column of time."
	}
}

func setRecipients(ctx context.Context, tx *db.Tx, id ids.Alert, f *Form) error {
	if err := tx.AlertRecipientClear(ctx, tx.TenantID, id.UUID()); err != nil {
		return fmt.Errorf("remove recipients: %w", err)
	}
	add := func(user, channel *uuid.UUID, later bool) error {
		if err := tx.AlertRecipientInsert(ctx, db.AlertRecipientInsertParams{TenantID: tx.TenantID, RecipientID: ids.New[uuid.UUID](), AlertID: id.UUID(),
			UserID: user, ChannelID: channel, Later: later}); err != nil {
			return fmt.Errorf("insert recipient: %w", err)
		}
		return nil
	}
	for later, list := range map[bool][]ids.User{false: f.Users, true: f.LaterUsers} {
		for _, u := range list {
			if err := add(optional(u), nil, later); err != nil {
				return err
			}
		}
	}
	for later, list := range map[bool][]ids.Channel{false: f.Channels, true: f.LaterChannels} {
		for _, c := range list {
			if err := add(nil, optional(c), later); err != nil {
				return err
			}
		}
	}
	return nil
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
		a.History = slices.DeleteFunc(a.History, func(e Event) bool { return len(e.Labels) > 0 })
		for i := range a.History {
			e := &a.History[i]
			e.Value, e.Low, e.High = math.NaN(), math.NaN(), math.NaN()
		}
	}
	return a, nil
}

// change runs work on an alert that the actor may change, and notes it.
func (s *Service) change(ctx context.Context, actor access.Actor, id ids.Alert, action string, work func(context.Context, *db.Tx, time.Time) error) error {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.AlertLock(ctx, tx.TenantID, []uuid.UUID{id.UUID()})
		if err != nil {
			return fmt.Errorf("read alert: %w", err)
		}
		if len(rows) == 0 || rows[0].OwnerID != actor.UserID.UUID() && !seesAll(actor) {
			return ErrNotFound
		}
		if err := work(ctx, tx, s.now()); err != nil {
			return err
		}
		if err := s.arm(ctx, tx); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: action, Target: "alert", ID: id.String()})
	})
}

// note adds what a person did to the history.
func (s *Service) note(ctx context.Context, tx *db.Tx, id ids.Alert, by ids.User, kind, text string, labels []string, now time.Time) error {
	if labels == nil {
		labels = []string{}
	}
	err := tx.AlertEventInsert(ctx, db.AlertEventInsertParams{TenantID: tx.TenantID, EventID: ids.New[uuid.UUID](), AlertID: id.UUID(), GroupKey: keyOf(labels), Labels: labels,
		Kind: kind, Text: text, UserID: optional(by), At: now})
	if err != nil {
		return fmt.Errorf("add to history: %w", err)
	}
	return nil
}

// Pause stops an alert until somebody resumes it.
//
// Errors: access.forbidden, alerts.not_found.
func (s *Service) Pause(ctx context.Context, actor access.Actor, id ids.Alert) error {
	return s.change(ctx, actor, id, "alert.paused", func(ctx context.Context, tx *db.Tx, now time.Time) error {
		n, err := tx.AlertPause(ctx, db.AlertPauseParams{TenantID: tx.TenantID, AlertID: id.UUID(), PausedBy: optional(actor.UserID), Why: "person", Now: now})
		if err != nil {
			return fmt.Errorf("pause alert: %w", err)
		}
		if n == 0 {
			return nil
		}
		return s.note(ctx, tx, id, actor.UserID, "paused", "", nil, now)
	})
}

// Resume lets it run again. Where its owner left, it becomes the actor's.
//
// Errors: access.forbidden, alerts.not_found.
func (s *Service) Resume(ctx context.Context, actor access.Actor, id ids.Alert) error {
	old, err := s.Get(ctx, actor, id)
	if err != nil {
		return err
	}
	owner := old.Owner
	if _, err := s.ownerOf(ctx, actor.TenantID, owner); errors.Is(err, errOwnerLeft) {
		if owner = actor.UserID; owner.IsZero() {
			return access.ErrForbidden
		}
	} else if err != nil {
		return err
	}
	return s.change(ctx, actor, id, "alert.resumed", func(ctx context.Context, tx *db.Tx, now time.Time) error {
		n, err := tx.AlertResume(ctx, db.AlertResumeParams{TenantID: tx.TenantID, AlertID: id.UUID(), OwnerID: owner.UUID(), NextAt: now})
		if err != nil {
			return fmt.Errorf("resume alert: %w", err)
		}
		if n == 0 {
			return nil
		}
		return s.note(ctx, tx, id, actor.UserID, "resumed", "", nil, now)
	})
}

// Snooze keeps an alert silent until a moment; the zero time wakes it. It goes
// on being evaluated, and what is still so at the end is told then.
//
// Errors: access.forbidden, alerts.not_found.
func (s *Service) Snooze(ctx context.Context, actor access.Actor, id ids.Alert, until time.Time) error {
	return s.change(ctx, actor, id, "alert.snoozed", func(ctx context.Context, tx *db.Tx, now time.Time) error {
		var end *time.Time
		kind, text := "woken", ""
		if until.After(now) {
			end, kind, text = new(until.UTC().Truncate(time.Microsecond)), "snoozed", until.UTC().Format(time.RFC3339)
		}
		if err := tx.AlertSnooze(ctx, db.AlertSnoozeParams{TenantID: tx.TenantID, AlertID: id.UUID(), Until: end, Now: now}); err != nil {
			return fmt.Errorf("snooze alert: %w", err)
		}
		return s.note(ctx, tx, id, actor.UserID, kind, text, nil, now)
	})
}

// Acknowledge says that the actor looks after what fires, so that nobody else
// is told: of one group, or of all where key is nil. Besides those who may change
// an alert, those whom it tells may do it.
//
// Errors: access.forbidden, alerts.not_found.
func (s *Service) Acknowledge(ctx context.Context, actor access.Actor, id ids.Alert, key *string) error {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.AlertLock(ctx, tx.TenantID, []uuid.UUID{id.UUID()})
		if err != nil {
			return fmt.Errorf("read alert: %w", err)
		}
		if len(rows) == 0 {
			return ErrNotFound
		}
		if rows[0].OwnerID != actor.UserID.UUID() && !seesAll(actor) {
			told, err := tx.AlertRecipientList(ctx, tx.TenantID, []uuid.UUID{id.UUID()})
			if err != nil {
				return fmt.Errorf("list recipients: %w", err)
			}
			if !slices.ContainsFunc(told, func(r db.AlertRecipientListRow) bool { return r.UserID != nil && *r.UserID == actor.UserID.UUID() }) {
				return ErrNotFound
			}
		}
		now := s.now()
		acked, err := tx.AlertAcknowledge(ctx, db.AlertAcknowledgeParams{TenantID: tx.TenantID, AlertID: id.UUID(), UserID: optional(actor.UserID), GroupKey: key, Now: now})
		if err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
		for _, g := range acked {
			if err := s.note(ctx, tx, id, actor.UserID, "acknowledged", "", g.Labels, now); err != nil {
				return err
			}
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "alert.acknowledged", Target: "alert", ID: id.String()})
	})
}

// Delete removes an alert with its history.
//
// Errors: access.forbidden, alerts.not_found.
func (s *Service) Delete(ctx context.Context, actor access.Actor, id ids.Alert) error {
	return s.change(ctx, actor, id, "alert.deleted", func(ctx context.Context, tx *db.Tx, _ time.Time) error {
		if _, err := tx.AlertDelete(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("delete alert: %w", err)
		}
		return nil
	})
}

// ownerOf is the actor as whom an alert is evaluated.
func (s *Service) ownerOf(ctx context.Context, tenant ids.Tenant, id ids.User) (access.Actor, error) {
	owner, err := s.deps.Tenants.GetActor(ctx, tenant, id)
	if errors.Is(err, tenants.ErrMemberNotFound) {
		return owner, errOwnerLeft.Wrap(err)
	}
	return owner, err
}

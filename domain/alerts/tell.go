package alerts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/warehouse"
)

// DeliverOptions are for the binding of DeliverArgs: about six hours of attempts.
var DeliverOptions = jobs.Options{Timeout: 2 * time.Minute, MaxAttempts: 14, Backoff: 5 * time.Second, MaxBackoff: time.Hour}

// DeliverArgs brings a notice to a channel. Idempotent by Notice, whose id the
// channel is told, too.
type DeliverArgs struct {
	Notice ids.Notice `json:"notice"`
}

// Kind names the job.
func (DeliverArgs) Kind() string { return "alerts:deliver" }

// Cause is why people are told.
type Cause string

// The causes.
const (
	CauseFiring    Cause = "firing"
	CauseOver      Cause = "over"
	CauseNoData    Cause = "no_data"
	CauseError     Cause = "error"
	CauseEscalated Cause = "escalated" // it fires and nobody has acknowledged
	CauseOwnerLeft Cause = "owner_left"
	CauseTest      Cause = "test"
)

var causes = map[State]Cause{Firing: CauseFiring, NoData: CauseNoData, OK: CauseOver}

// Notice is what is told. It is kept as JSON.
type Notice struct {
	Cause     Cause         `json:"cause"`
	Name      string        `json:"name"` // of the alert
	Label     string        `json:"label,omitempty"`
	Format    charts.Format `json:"format,omitzero"`
	Condition Condition     `json:"condition,omitzero"`
	Grain     string        `json:"grain,omitempty"`
	By        []string      `json:"by,omitempty"`
	Groups    []Spot        `json:"groups,omitempty"` // the first of them
	Count     int           `json:"count,omitempty"`  // of all groups
	Text      string        `json:"text,omitempty"`   // why, of an error
	// Hidden tells that the reader may not see the same as the owner: no values
	// and no groups are told.
	Hidden bool `json:"hidden,omitempty"`
}

// Spot is one group of a notice.
type Spot struct {
	Labels []string  `json:"labels,omitempty"`
	Value  *float64  `json:"value"`
	Low    *float64  `json:"low,omitempty"`
	High   *float64  `json:"high,omitempty"`
	Period time.Time `json:"period,omitzero"`
}

// spotsTold is how many groups a notice names.
const spotsTold = 10

func noticeOf(o *one, cause Cause, list []moved) Notice {
	n := Notice{Cause: cause, Name: o.name, Label: o.watch.Label, Format: o.watch.Format, Condition: o.condition, Grain: o.watch.Grain, By: o.watch.By, Count: len(list)}
	// The farthest off first.
	off := func(m moved) float64 {
		far := max(m.reading.Value-m.reading.High, m.reading.Low-m.reading.Value)
		if math.IsNaN(far) {
			return 0
		}
		return far
	}
	slices.SortStableFunc(list, func(a, b moved) int {
		switch d := off(b) - off(a); {
		case d > 0:
			return 1
		case d < 0:
			return -1
		}
		return 0
	})
	for _, m := range list {
		n.Groups = append(n.Groups, Spot{Labels: m.labels, Value: orNil(m.reading.Value), Low: orNil(m.reading.Low), High: orNil(m.reading.High), Period: m.period})
	}
	return n
}

func maxOf(column string) warehouse.Measure { return warehouse.Measure{Fn: "max", Column: column} }

// path leads to an alert.
func path(id uuid.UUID) string { return "/alerts/" + id.String() }

// tell writes lines of the ledger for those whom the notice concerns: an
// escalation those who are told later, anything else the others, and with later
// both.
func (s *Service) tell(ctx context.Context, tx *db.Tx, o *one, n Notice, later bool, now time.Time) error {
	list, err := tx.AlertRecipientList(ctx, tx.TenantID, []uuid.UUID{o.id})
	if err != nil {
		return fmt.Errorf("list recipients: %w", err)
	}
	for _, r := range list {
		switch {
		case r.IsRemoved, r.Later && !later, !r.Later && n.Cause == CauseEscalated:
		case r.UserID != nil:
			if err := s.tellPerson(ctx, tx, o, *r.UserID, n, now); err != nil {
				return err
			}
		default:
			if err := s.tellChannel(ctx, tx, o, r, n, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// closeIncidents tells what is over to channels that keep it open otherwise,
// for an alert that tells nobody else of it.
func (s *Service) closeIncidents(ctx context.Context, tx *db.Tx, o *one, n Notice, now time.Time) error {
	list, err := tx.AlertRecipientList(ctx, tx.TenantID, []uuid.UUID{o.id})
	if err != nil {
		return fmt.Errorf("list recipients: %w", err)
	}
	for _, r := range list {
		if delivery.ChannelKind(r.ChannelKind) == delivery.PagerDuty {
			if err := s.tellChannel(ctx, tx, o, r, n, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellChannel asks for a notice to be brought to a channel. PagerDuty has an
// incident for each group.
func (s *Service) tellChannel(ctx context.Context, tx *db.Tx, o *one, r db.AlertRecipientListRow, n Notice, now time.Time) error {
	parts := []Notice{n.short()}
	if delivery.ChannelKind(r.ChannelKind) == delivery.PagerDuty && len(n.Groups) > 1 {
		parts = parts[:0]
		for _, g := range n.Groups {
			part := n
			part.Groups, part.Count = []Spot{g}, 1
			parts = append(parts, part)
		}
	}
	for _, part := range parts {
		id, err := s.open(ctx, tx, o, nil, r.ChannelID, r.Name, part, now)
		if err != nil {
			return err
		}
		if _, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: DeliverArgs{Notice: id}}); err != nil {
			return err
		}
	}
	return nil
}

// short names no more groups than somebody reads.
func (n Notice) short() Notice {
	n.Groups = n.Groups[:min(len(n.Groups), spotsTold)]
	return n
}

// open adds a line to the ledger.
func (s *Service) open(ctx context.Context, tx *db.Tx, o *one, user, channel *uuid.UUID, name string, n Notice, now time.Time) (ids.Notice, error) {
	id := ids.New[ids.Notice]()
	body, err := json.Marshal(n)
	if err != nil {
		return id, fmt.Errorf("encode notice: %w", err)
	}
	line := db.AlertNoticeInsertParams{TenantID: tx.TenantID, NoticeID: id.UUID(), AlertID: o.id, UserID: user, ChannelID: channel, ToName: name, Body: body, State: "due", Now: now}
	if user != nil {
		line.State, line.SentAt = "told", &now
	}
	if err := tx.AlertNoticeInsert(ctx, line); err != nil {
		return id, fmt.Errorf("insert notice: %w", err)
	}
	return id, nil
}

// tellPerson tells somebody in the ways that they chose, if they may see what
// the alert asks. Who does not see all that the owner sees is told no values.
func (s *Service) tellPerson(ctx context.Context, tx *db.Tx, o *one, user uuid.UUID, n Notice, now time.Time) error {
	row, err := tx.UserGet(ctx, tx.TenantID, user)
	if err != nil {
		return fmt.Errorf("read person: %w", err)
	}
	if row.RemovedAt != nil {
		return nil
	}
	n = n.short()
	if user != o.owner && !o.sees[user] {
		n.Groups, n.Hidden = nil, true
	}
	name := row.Name
	if name == "" {
		name = row.Email
	}
	id, err := s.open(ctx, tx, o, &user, nil, name, n, now)
	if err != nil {
		return err
	}
	language := row.Locale
	if language == "" {
		settings, err := tx.TenantSettingsGet(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("read settings: %w", err)
		}
		language = settings.Locale
	}
	subject := o.name
	if s.deps.Title != nil {
		subject = s.deps.Title(ctx, language, n)
	}
	return s.deps.Notify.Tell(ctx, tx, notify.Event{ID: id.UUID(), Kind: notify.Alert, To: []ids.User{ids.User(user)}, Object: notify.Object{Dataset: o.dataset},
		Subject: subject, Excerpt: s.deps.Say(ctx, language, n), Path: path(o.id)})
}

// tellOwners tells the owners of the workspace that an alert has nobody.
func (s *Service) tellOwners(ctx context.Context, tx *db.Tx, o *one) error {
	owners, err := tx.UserList(ctx, db.UserListParams{TenantID: tx.TenantID, Role: string(access.Owner), RowLimit: 20})
	if err != nil {
		return fmt.Errorf("list owners: %w", err)
	}
	for _, row := range owners {
		if err := s.tellPerson(ctx, tx, o, row.UserID, Notice{Cause: CauseOwnerLeft, Name: o.name}, s.now()); err != nil {
			return err
		}
	}
	return nil
}

// sight names all that decides which rows of a dataset somebody sees; "" where
// they see nothing of it.
func (s *Service) sight(ctx context.Context, actor access.Actor, w *Watch) string {
	seen, err := s.deps.Datasets.Sees(ctx, actor, []ids.Dataset{w.Dataset})
	if err != nil {
		return ""
	}
	return "sees " + seen
}

// lookAround finds out which recipients see what the owners see.
func (s *Service) lookAround(ctx context.Context, tenant uuid.UUID, list []*one) error {
	at := map[uuid.UUID]*one{}
	keys := make([]uuid.UUID, len(list))
	for i, o := range list {
		keys[i], at[o.id] = o.id, o
		o.sees = map[uuid.UUID]bool{}
	}
	var rows []db.AlertRecipientListRow
	err := s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		rows, err = tx.AlertRecipientList(ctx, tx.TenantID, keys)
		return err
	})
	if err != nil {
		return fmt.Errorf("list recipients: %w", err)
	}
	actors := map[uuid.UUID]access.Actor{}
	sights := map[string]string{}
	look := func(actor access.Actor, w *Watch) string {
		key := actor.UserID.String() + w.Dataset.String()
		if known, ok := sights[key]; ok {
			return known
		}
		sights[key] = s.sight(ctx, actor, w)
		return sights[key]
	}
	for _, r := range rows {
		o := at[r.AlertID]
		if r.UserID == nil || *r.UserID == o.owner || r.IsRemoved {
			continue
		}
		actor, known := actors[*r.UserID]
		if !known {
			if actor, err = s.deps.Tenants.GetActor(ctx, ids.Tenant(tenant), ids.User(*r.UserID)); err != nil {
				continue // told nothing that they might not see
			}
			actors[*r.UserID] = actor
		}
		theirs := look(actor, &o.watch)
		o.sees[*r.UserID] = theirs != "" && theirs == look(o.actor, &o.watch)
	}
	return ctx.Err()
}

// message is what a channel gets of a notice, as JSON; see docs/alerts.md.
func (s *Service) message(ctx context.Context, row db.AlertNoticeGetRow, n Notice) delivery.Signal {
	text := s.deps.Say(ctx, "en-GB", n)
	m := delivery.Signal{ID: row.NoticeID.String(), At: row.CreatedAt, Title: n.Name, Text: text, Link: strings.TrimSuffix(s.deps.Address(), "/") + path(row.AlertID),
		Over: n.Cause == CauseOver, Severe: n.Cause == CauseFiring || n.Cause == CauseEscalated, Key: row.AlertID.String()}
	if len(n.Groups) == 1 && len(n.Groups[0].Labels) > 0 {
		sum := sha256.Sum256([]byte(keyOf(n.Groups[0].Labels)))
		m.Key += ":" + hex.EncodeToString(sum[:8])
	}
	m.Body = map[string]any{"id": m.ID, "at": m.At.UTC().Format(time.RFC3339), "event": "alert." + string(n.Cause), "link": m.Link, "text": text,
		"alert":  map[string]any{"id": row.AlertID.String(), "name": n.Name, "measure": n.Label, "by": n.By, "condition": n.Condition, "grain": n.Grain},
		"groups": n.Groups, "count": n.Count}
	return m
}

// RunDeliver brings a notice to its channel. That it is about to be given away
// is written down first, so that one whose outcome nobody knows is given again
// under the same id, and the ledger says so.
func (s *Service) RunDeliver(ctx context.Context, job jobs.Job[DeliverArgs]) error {
	var row db.AlertNoticeGetRow
	err := s.inTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		row, err = tx.AlertNoticeGet(ctx, tx.TenantID, job.Args.Notice.UUID())
		return err
	})
	if db.IsNoRows(err) {
		return jobs.Permanent(ErrNotFound.Wrap(err)) // the alert was deleted
	}
	if err != nil {
		return fmt.Errorf("read notice: %w", err)
	}
	if row.State != "due" {
		return s.inTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error { return job.Complete(ctx, tx) })
	}
	if row.ChannelID == nil {
		return jobs.Permanent(delivery.ErrChannelNotFound)
	}
	var n Notice
	if err := json.Unmarshal(row.Body, &n); err != nil {
		return jobs.Permanent(fmt.Errorf("read notice: %w", err))
	}
	answer, err := s.deps.Delivery.Signal(ctx, ids.Tenant(job.TenantID), ids.Channel(*row.ChannelID), s.message(ctx, row, n), func() error {
		return s.inTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
			n, err := tx.AlertNoticeHand(ctx, tx.TenantID, row.NoticeID)
			if err != nil {
				return fmt.Errorf("note hand-over: %w", err)
			}
			if n == 0 {
				return jobs.ErrLeaseLost
			}
			return nil
		})
	})
	// What was answered is written down even if our time is up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if errors.Is(err, jobs.ErrLeaseLost) {
		return err
	}
	if err != nil {
		public := apperr.Describe(err)
		if markErr := s.mark(ctx, job.TenantID, row.NoticeID, "due", answer, public); markErr != nil {
			return errors.Join(err, markErr)
		}
		if public.Class == apperr.Invalid || public.Class == apperr.NotFound || public.Class == apperr.Forbidden {
			return jobs.Permanent(err)
		}
		return err
	}
	return s.inTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.AlertNoticeSet(ctx, db.AlertNoticeSetParams{TenantID: tx.TenantID, NoticeID: row.NoticeID, State: "sent", Answer: answer}); err != nil {
			return fmt.Errorf("record delivery: %w", err)
		}
		return job.Complete(ctx, tx)
	})
}

// DeliverFailed gives a notice up and says why.
func (s *Service) DeliverFailed(ctx context.Context, job jobs.Job[DeliverArgs], cause error) error {
	return s.mark(ctx, job.TenantID, job.Args.Notice.UUID(), "failed", "", apperr.Describe(cause))
}

func (s *Service) mark(ctx context.Context, tenant, notice uuid.UUID, state, answer string, public apperr.Public) error {
	return s.inTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.AlertNoticeSet(ctx, db.AlertNoticeSetParams{TenantID: tx.TenantID, NoticeID: notice, State: state, Answer: answer,
			ErrorCode: public.Code, ErrorText: public.Sentence}); err != nil {
			return fmt.Errorf("record attempt: %w", err)
		}
		return nil
	})
}

func (s *Service) inTx(ctx context.Context, tenant uuid.UUID, work func(context.Context, *db.Tx) error) error {
	return s.deps.DB.InTenantTx(ctx, tenant, work)
}

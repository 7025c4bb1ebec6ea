package alerts

import (
	"context"
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
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

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
		f.Name = plaintext.Tame(w.Label, maxName)
	}
	if !plaintext.Line(f.Name, maxName) {
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
		if bad(mute.From) || bad(mute.To) || mute.From == mute.To || len(mute.Days) == 0 || slices.ContainsFunc(mute.Days, func(d int) bool { return d < 1 || d > 7 }) {
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

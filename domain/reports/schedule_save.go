package reports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/mail"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// CreateSchedule makes a schedule of the actor's own. Addresses alone get what
// the actor sees; people what they see themselves.
//
// Errors: access.forbidden, reports.schedule_invalid with fields, those of
// opening the dashboard.
func (s *Service) CreateSchedule(ctx context.Context, actor access.Actor, f ScheduleForm) (ids.Schedule, error) {
	id := ids.New[ids.Schedule]()
	checked, err := s.check(ctx, actor, actor, &f)
	if err != nil {
		return id, err
	}
	return id, s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return s.insertSchedule(ctx, tx, actor, id, f, checked)
	})
}

// insertSchedule adds a schedule of the actor's own, a member or a visitor.
func (s *Service) insertSchedule(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Schedule, f ScheduleForm, checked checked) error {
	if err := tx.ScheduleInsert(ctx, db.ScheduleInsertParams{TenantID: tx.TenantID, ScheduleID: id.UUID(), DashboardID: f.Dashboard.UUID(), OwnerID: optional(actor.UserID),
		OwnerVisitorID: optional(actor.VisitorID), Name: f.Name, Spec: checked.spec, OnData: f.OnData, Rule: f.When, Zone: f.Zone, OnlyIfRows: f.OnlyIfRows,
		ResendUnknown: f.ResendUnknown, LinkAbove: f.LinkAbove, NextAt: checked.next, Seen: checked.snapshot}); err != nil {
		return fmt.Errorf("insert schedule: %w", err)
	}
	if err := s.setRecipients(ctx, tx, id, f); err != nil {
		return err
	}
	if err := startAt(ctx, tx, id, checked.next); err != nil {
		return err
	}
	return audit.Record(ctx, tx, actor, audit.Entry{Action: "report.scheduled", Target: "schedule", ID: id.String(), Detail: f.facts(map[string]any{"dashboard": f.Dashboard.String()})})
}

// facts adds to what an entry of the audit log says when a report goes to whom.
func (f *ScheduleForm) facts(detail map[string]any) map[string]any {
	detail["when"], detail["addresses"], detail["rows"] = f.When, f.Addresses, f.Rows
	if len(f.Visitors)+len(f.Groups) > 0 {
		detail["visitors"], detail["visitor_groups"] = f.Visitors, f.Groups
	}
	if f.Attributes != "" {
		detail["attributes"] = f.Attributes
	}
	return detail
}

// UpdateSchedule changes all that a form has. A paused schedule stays paused.
//
// Errors: reports.schedule_not_found, and those of CreateSchedule.
func (s *Service) UpdateSchedule(ctx context.Context, actor access.Actor, id ids.Schedule, f ScheduleForm) error {
	old, err := s.schedule(ctx, actor, id)
	if err != nil {
		return err
	}
	if !old.OwnerVisitor.IsZero() {
		return ErrVisitorsOwn
	}
	f.Dashboard, f.wasVisitors, f.wasGroups = old.Dashboard, old.Visitors, old.Groups
	owner := actor
	if old.Owner != actor.UserID {
		// What is sent is what the owner sees, whoever changes it.
		if owner, err = s.ownerOf(ctx, actor.TenantID, old.Owner.UUID(), uuid.Nil); errors.Is(err, errOwnerLeft) {
			return errUnowned.Wrap(err)
		} else if err != nil {
			return err
		}
	}
	checked, err := s.check(ctx, actor, owner, &f)
	if errors.Is(err, dashboards.ErrNotFound) {
		return errDashboardGone.Wrap(err)
	}
	if err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.ScheduleLock(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return gone(err)
		}
		next := checked.next
		if row.PausedAt != nil {
			next = nil
		}
		if _, err := tx.ScheduleUpdate(ctx, db.ScheduleUpdateParams{TenantID: tx.TenantID, ScheduleID: id.UUID(), Name: f.Name, Spec: checked.spec, OnData: f.OnData,
			Rule: f.When, Zone: f.Zone, OnlyIfRows: f.OnlyIfRows, ResendUnknown: f.ResendUnknown, LinkAbove: f.LinkAbove, NextAt: next, Seen: checked.snapshot}); err != nil {
			return fmt.Errorf("update schedule: %w", err)
		}
		if err := s.setRecipients(ctx, tx, id, f); err != nil {
			return err
		}
		if err := startAt(ctx, tx, id, next); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "report.schedule_changed", Target: "schedule", ID: id.String(),
			Detail: f.facts(map[string]any{})})
	})
}

type checked struct {
	spec     []byte
	next     *time.Time
	snapshot string
}

// check cleans a form and says of each field what is wrong with it.
func (s *Service) check(ctx context.Context, actor, owner access.Actor, f *ScheduleForm) (c checked, err error) {
	if actor.Kind != access.Visitor { // of whom mails asks
		if err := access.Can(actor, access.EditContent); err != nil {
			return c, err
		}
		if owner.UserID.IsZero() {
			return c, access.ErrForbidden
		}
	}
	fields := map[string]string{}
	f.Spec.Snapshot = ""
	state, err := parseFilters(f.Spec.Filters)
	if err != nil {
		return c, err
	}
	f.Spec.Filters = state.Encode()
	if f.Spec.Format != PDF && f.Spec.Format != CSV && f.Spec.Format != XLSX {
		fields["format"] = "Choose PDF, CSV or Excel."
	}
	v, _, err := s.bind(ctx, owner, f.Dashboard, &f.Spec)
	if err != nil && fields["format"] == "" {
		return c, err
	}
	if v != nil {
		c.snapshot = v.Snapshot.String()
		if f.Name = strings.TrimSpace(f.Name); f.Name == "" {
			f.Name = plaintext.Tame(v.Dashboard.Name, maxName)
		}
	}
	if !plaintext.Line(f.Name, maxName) {
		fields["name"] = fmt.Sprintf("Take a name of at most %d characters on one line.", maxName)
	}
	if f.LinkAbove == 0 {
		f.LinkAbove = DefaultLinkAbove
	}
	if f.LinkAbove < 0 || f.LinkAbove > maxLinkAbove {
		fields["link_above"] = "Mail servers take at most about 25 MB."
	}
	var zone *time.Location
	if zone, err = s.zone(ctx, owner, f.Zone); err != nil {
		fields["zone"] = apperr.Describe(err).Sentence
	}
	if f.OnData {
		f.When = ""
	} else if rule, err := ParseRule(f.When); err != nil {
		fields["when"] = apperr.Describe(err).Sentence
	} else if zone != nil {
		next := rule.Next(s.deps.Clock(), zone)
		c.next = &next
	}
	f.Addresses = cleanAddresses(f.Addresses)
	for _, address := range f.Addresses {
		if err := mail.CheckAddress(address); err != nil {
			fields["addresses"] = apperr.Describe(err).Sentence
		}
	}
	if len(f.Channels) > 0 {
		known, err := s.deps.Mail.ListChannels(ctx, actor)
		if err != nil {
			return c, err
		}
		for _, id := range f.Channels {
			if !slices.ContainsFunc(known, func(c delivery.Channel) bool { return c.ID == id && c.Kind.TakesFiles() }) {
				fields["users"] = "One of these channels is gone, or takes no reports."
			}
		}
	}
	if err := s.checkOutside(ctx, actor, owner, f, fields); err != nil {
		return c, err
	}
	if text := f.checkFixed(); text != "" {
		fields["attributes"] = text
	}
	if n := len(f.Users) + len(f.Addresses) + len(f.Channels) + len(f.Visitors) + len(f.Groups); n == 0 {
		fields["users"] = "Choose at least one person or write an address."
	} else if n > maxRecipients {
		fields["users"] = fmt.Sprintf("A schedule has at most %d recipients.", maxRecipients)
	}
	if text, err := s.checkRows(ctx, actor, v, f); err != nil {
		return c, err
	} else if text != "" {
		fields["rows"] = text
	}
	for _, id := range f.Users {
		if _, err := s.deps.Tenants.GetActor(ctx, actor.TenantID, id); err != nil {
			fields["users"] = "One of these people is not in the workspace."
		}
	}
	if len(fields) > 0 {
		return c, ErrScheduleInvalid.WithFields(fields)
	}
	if c.spec, err = json.Marshal(f.Spec); err != nil {
		return c, fmt.Errorf("encode schedule: %w", err)
	}
	return c, nil
}

// columnsNamed is how many columns are named to who wrote one that is not there.
const columnsNamed = 6

// checkRows says what is wrong with the rows that recipients are sent; "" for
// nothing. v is the dashboard as the owner sees it.
func (s *Service) checkRows(ctx context.Context, actor access.Actor, v *dashboards.View, f *ScheduleForm) (string, error) {
	f.rowsOfUser, f.rowsOfAddress = map[ids.User]Rows{}, map[string]Rows{}
	all, err := parseRows(f.Rows)
	if err != nil {
		return apperr.Describe(err).Sentence, nil
	}
	if len(all) == 0 || v == nil {
		return "", nil
	}
	members, err := s.ListMembers(ctx, actor)
	if err != nil {
		return "", err
	}
	for who, rows := range all {
		i := slices.IndexFunc(members, func(m Member) bool { return strings.EqualFold(m.Email, who) && slices.Contains(f.Users, m.ID) })
		if i >= 0 {
			f.rowsOfUser[members[i].ID] = rows
		} else if slices.ContainsFunc(f.Addresses, func(a string) bool { return strings.EqualFold(a, who) }) {
			f.rowsOfAddress[who] = rows
		} else {
			return fmt.Sprintf("%.80s is not among the recipients.", who), nil
		}
		for column := range rows {
			if !v.CanLock(column) {
				text := fmt.Sprintf("The dashboard's data has no column “%.80s” whose values you see.", column)
				if some := v.Lockable(columnsNamed); len(some) > 0 {
					text += " It has " + strings.Join(some, ", ") + "."
				}
				return text, nil
			}
		}
	}
	return "", nil
}

func cleanAddresses(list []string) []string {
	var clean []string
	for _, text := range list {
		if text = strings.TrimSpace(text); text != "" && !slices.ContainsFunc(clean, func(other string) bool { return strings.EqualFold(other, text) }) {
			clean = append(clean, text)
		}
	}
	return clean
}

// zone is where a schedule's clock hangs.
func (s *Service) zone(ctx context.Context, actor access.Actor, name string) (*time.Location, error) {
	if name == "" {
		settings, err := s.deps.Tenants.GetSettings(ctx, actor)
		if err != nil {
			return nil, err
		}
		name = settings.Zone
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, ErrScheduleInvalid.With("There is no time zone %q.", name).Wrap(err)
	}
	return zone, nil
}

// setRecipients keeps those that stay, with what they chose.
func (s *Service) setRecipients(ctx context.Context, tx *db.Tx, id ids.Schedule, f ScheduleForm) error {
	users, addresses, channels := []uuid.UUID{}, []string{}, []uuid.UUID{}
	for _, channel := range f.Channels {
		channels = append(channels, channel.UUID())
	}
	for _, user := range f.Users {
		users = append(users, user.UUID())
	}
	for _, address := range f.Addresses {
		addresses = append(addresses, strings.ToLower(address))
	}
	visitors, groups := []uuid.UUID{}, []uuid.UUID{}
	for _, visitor := range f.Visitors {
		visitors = append(visitors, visitor.UUID())
	}
	for _, group := range f.Groups {
		groups = append(groups, group.UUID())
	}
	if err := tx.RecipientKeep(ctx, db.RecipientKeepParams{TenantID: tx.TenantID, ScheduleID: id.UUID(), Users: users, Addresses: addresses, Channels: channels,
		Visitors: visitors, Groups: groups}); err != nil {
		return fmt.Errorf("remove recipients: %w", err)
	}
	for _, visitor := range visitors {
		if _, err := tx.RecipientAddVisitor(ctx, db.RecipientAddVisitorParams{TenantID: tx.TenantID, RecipientID: ids.New[ids.Recipient]().UUID(), ScheduleID: id.UUID(),
			VisitorID: visitor}); err != nil {
			return fmt.Errorf("insert visitor: %w", err)
		}
	}
	for i := range groups {
		if err := tx.RecipientInsert(ctx, db.RecipientInsertParams{TenantID: tx.TenantID, RecipientID: ids.New[ids.Recipient]().UUID(), ScheduleID: id.UUID(),
			PortalGroupID: &groups[i]}); err != nil {
			return fmt.Errorf("insert group of visitors: %w", err)
		}
	}
	insert := func(user *uuid.UUID, address string, channel *uuid.UUID, rows, attributes Rows) error {
		if err := tx.RecipientInsert(ctx, db.RecipientInsertParams{TenantID: tx.TenantID, RecipientID: ids.New[ids.Recipient]().UUID(), ScheduleID: id.UUID(),
			UserID: user, Address: address, ChannelID: channel}); err != nil {
			return fmt.Errorf("insert recipient: %w", err)
		}
		if channel != nil {
			return nil
		}
		if err := tx.RecipientSetRows(ctx, db.RecipientSetRowsParams{TenantID: tx.TenantID, ScheduleID: id.UUID(), UserID: user, Address: address, OnlyRows: rows.encode(),
			Attributes: encodeFixed(attributes)}); err != nil {
			return fmt.Errorf("set rows of recipient: %w", err)
		}
		return nil
	}
	for i := range users {
		if err := insert(&users[i], "", nil, f.rowsOfUser[f.Users[i]], nil); err != nil {
			return err
		}
	}
	for i := range channels {
		if err := insert(nil, "", &channels[i], nil, nil); err != nil {
			return err
		}
	}
	for _, address := range f.Addresses {
		if err := insert(nil, address, nil, f.rowsOfAddress[strings.ToLower(address)], f.fixedOfAddress[strings.ToLower(address)]); err != nil {
			return err
		}
	}
	return nil
}

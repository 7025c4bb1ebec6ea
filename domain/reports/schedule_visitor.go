package reports

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong with reports that leave the workspace.
var (
	// ErrVisitorsOwn is somebody of the workspace who wants to change what a visitor
	// has mailed to themselves.
	ErrVisitorsOwn = apperr.Define(apperr.Forbidden, "reports.visitors_own",
		"A visitor has this mailed to themselves, so only they change it. You can pause or delete it.")
	// ErrPortalOff is a portal whose visitors have nothing mailed to themselves.
	ErrPortalOff = apperr.Define(apperr.Forbidden, "reports.portal_off",
		"Reports can't be scheduled here at the moment.")
	errPausedForThem = apperr.Define(apperr.Conflict, "reports.paused_for_them",
		"This was paused for you. Ask whoever runs this site to resume it.")
	errTooManyOwn = apperr.Define(apperr.Conflict, "reports.too_many_own",
		"You have as many scheduled reports as there can be. Delete one that you no longer need.")
	errVisitorLeft = apperr.Define(apperr.Gone, "reports.visitor_left",
		"This visitor was removed from the portal, or is blocked there, so nothing was sent.")
	errNotShown = apperr.Define(apperr.Gone, "reports.not_shown",
		"The portal does not show this dashboard to this visitor any more, so nothing was sent.")
	errNoAddress = apperr.Define(apperr.Conflict, "reports.portal_no_host",
		"No host name leads to the visitor's portal, so links in the mail would lead nowhere and nothing was sent. Give the portal one at Settings, Portals.")
	errOutside = apperr.Define(apperr.Forbidden, "reports.outside_forbidden",
		"The schedule's owner may no longer send reports outside of the workspace, so nothing was sent. Ask an admin for the permission, or somebody who has it to take the schedule over.")
)

const (
	// maxOwn bounds what one visitor has mailed to themselves.
	maxOwn = 20
	// outsidersListed bounds the visitors that a form offers; groups reach more.
	outsidersListed = 500
)

// Often are the days on which visitors can have something mailed, as ParseRule
// reads them.
var Often = []string{"daily", "weekdays", "every monday", "every tuesday", "every wednesday", "every thursday", "every friday",
	"every saturday", "every sunday", "first of the month", "last day of the month"}

// OwnForm is what a visitor chooses who has a dashboard mailed to themselves.
type OwnForm struct {
	Dashboard ids.Dashboard
	Format    Format // PDF or CSV
	Filters   string // see Spec
	Often     string // one of Often
	Hour      int
	Zone      string // IANA name
	Paper     Paper
}

// MailMe has a dashboard of a portal mailed to its visitor, again and again. What
// they get is what they see there at that time.
//
// Errors: reports.portal_off, reports.too_many_own, reports.schedule_invalid with
// fields, those of opening the dashboard.
func (s *Service) MailMe(ctx context.Context, actor access.Actor, own OwnForm) (ids.Schedule, error) {
	id := ids.New[ids.Schedule]()
	visit, err := s.mails(ctx, actor)
	if err != nil {
		return id, err
	}
	f := ScheduleForm{Dashboard: own.Dashboard, Spec: Spec{Format: own.Format, Filters: own.Filters, Paper: own.Paper},
		When: fmt.Sprintf("%s at %d:00", own.Often, own.Hour), Zone: own.Zone, ResendUnknown: true, Visitors: []ids.Visitor{actor.VisitorID}}
	for _, e := range visit.Entries {
		if e.ID == own.Dashboard {
			f.Name = e.Name // as it is called there
		}
	}
	fields := map[string]string{}
	if own.Format != PDF && own.Format != CSV {
		fields["format"] = "Choose PDF or CSV."
	}
	if !slices.Contains(Often, own.Often) {
		fields["often"] = "Choose one of the days."
	}
	if own.Hour < 0 || own.Hour > 23 {
		fields["hour"] = "Choose an hour of the day."
	}
	if own.Zone == "" {
		fields["zone"] = "Choose a time zone."
	}
	if len(fields) > 0 {
		return id, ErrScheduleInvalid.WithFields(fields)
	}
	checked, err := s.check(ctx, actor, actor, &f)
	if err != nil {
		return id, err
	}
	return id, s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.ScheduleCountOfVisitor(ctx, tx.TenantID, actor.VisitorID.UUID())
		if err != nil {
			return fmt.Errorf("count schedules: %w", err)
		}
		if n >= maxOwn {
			return errTooManyOwn
		}
		return s.insertSchedule(ctx, tx, actor, id, f, checked)
	})
}

// mails answers what a visitor sees who may have it mailed.
//
// Errors: reports.portal_off, access.forbidden.
func (s *Service) mails(ctx context.Context, actor access.Actor) (portals.Visit, error) {
	if actor.Kind != access.Visitor || actor.VisitorID.IsZero() || s.deps.Visitors == nil {
		return portals.Visit{}, access.ErrForbidden
	}
	p, visit, err := s.deps.Visitors.VisitOf(ctx, actor.TenantID, actor.VisitorID)
	if err == nil && !p.Mails() {
		err = ErrPortalOff
	}
	return visit, err
}

// seesVisitors tells whether the actor sees what visitors have mailed to themselves.
func seesVisitors(actor access.Actor) bool {
	return seesAll(actor) || access.Can(actor, access.ManagePortals) == nil
}

// mayLook refuses who has nothing to do with schedules: a visitor has with their own.
func mayLook(actor access.Actor) error {
	if actor.Kind == access.Visitor && !actor.VisitorID.IsZero() {
		return nil
	}
	return access.Can(actor, access.EditContent)
}

// reaches tells whether a schedule is the actor's to see and to stop.
func (s *Schedule) reaches(actor access.Actor) bool {
	switch {
	case actor.Kind == access.Visitor:
		return !s.OwnerVisitor.IsZero() && s.OwnerVisitor == actor.VisitorID
	case !s.OwnerVisitor.IsZero():
		return seesVisitors(actor)
	}
	return s.Owner == actor.UserID || seesAll(actor)
}

// Outsider is a visitor of a portal, or a group of them, whom a report can be sent to.
type Outsider struct {
	Visitor ids.Visitor // zero for a group
	Group   ids.Group   // zero for a visitor
	Name    string
	Email   string // of a visitor
	Portal  string
}

// ListOutsiders reads the visitors of portals, and their groups, who see a
// dashboard, or with a zero id any at all; nobody for who may not send outside.
//
// Errors: access.forbidden.
func (s *Service) ListOutsiders(ctx context.Context, actor access.Actor, id ids.Dashboard) ([]Outsider, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return nil, err
	}
	if access.Can(actor, access.SendOutside) != nil {
		return nil, nil
	}
	var list []Outsider
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		groups, err := tx.RecipientListGroups(ctx, tx.TenantID, optional(id), outsidersListed)
		if err != nil {
			return fmt.Errorf("list groups of visitors: %w", err)
		}
		for _, row := range groups {
			list = append(list, Outsider{Group: ids.Group(row.GroupID), Name: row.Name, Portal: row.PortalName})
		}
		visitors, err := tx.RecipientListVisitors(ctx, tx.TenantID, optional(id), outsidersListed)
		if err != nil {
			return fmt.Errorf("list visitors: %w", err)
		}
		for _, row := range visitors {
			o := Outsider{Visitor: ids.Visitor(row.VisitorID), Name: row.Name, Email: row.Email, Portal: row.PortalName}
			if o.Name == "" {
				o.Name = orElse(row.Company, row.Email)
			} else if row.Company != "" {
				o.Name += ", " + row.Company
			}
			list = append(list, o)
		}
		return nil
	})
	return list, err
}

// checkOutside says of each field what is wrong with the recipients outside of
// the workspace.
func (s *Service) checkOutside(ctx context.Context, actor, owner access.Actor, f *ScheduleForm, fields map[string]string) error {
	if len(f.Addresses)+len(f.Visitors)+len(f.Groups) == 0 || actor.Kind == access.Visitor { // who mails themselves
		return nil
	}
	if access.Can(actor, access.SendOutside) != nil || access.Can(owner, access.SendOutside) != nil {
		field := "users"
		if len(f.Addresses) > 0 {
			field = "addresses"
		}
		fields[field] = "Whose role does not allow to send reports outside of the workspace can't have addresses and visitors here. Take them out, or ask an admin."
		return nil
	}
	if len(f.Visitors)+len(f.Groups) == 0 {
		return nil
	}
	known, err := s.ListOutsiders(ctx, actor, f.Dashboard)
	if err != nil {
		return err
	}
	for _, id := range f.Visitors {
		if !slices.ContainsFunc(known, func(o Outsider) bool { return o.Visitor == id }) {
			fields["users"] = "One of these visitors does not see the dashboard in a portal."
		}
	}
	for _, id := range f.Groups {
		if !slices.ContainsFunc(known, func(o Outsider) bool { return o.Group == id }) {
			fields["users"] = "One of these groups does not see the dashboard in a portal."
		}
	}
	return nil
}

// visitorOf is a visitor who gets a report of a dashboard, as they are now.
//
// Errors: reports.visitor_left, reports.not_shown, reports.portal_no_host.
func (s *Service) visitorOf(ctx context.Context, tenant ids.Tenant, id *uuid.UUID, dashboard uuid.UUID) (portals.Portal, portals.Visit, error) {
	if id == nil || s.deps.Visitors == nil {
		return portals.Portal{}, portals.Visit{}, errVisitorLeft
	}
	p, visit, err := s.deps.Visitors.VisitOf(ctx, tenant, ids.Visitor(*id))
	switch {
	case errors.Is(err, portals.ErrVisitorNotFound):
		err = errVisitorLeft.Wrap(err)
	case err == nil && !visit.Shows(ids.Dashboard(dashboard)):
		err = errNotShown
	case err == nil && p.Address(s.deps.Address()) == "":
		err = errNoAddress
	}
	return p, visit, err
}

// mayLeave tells whether the owner of a schedule may still send outside of the
// workspace.
//
// Errors: reports.outside_forbidden.
func mayLeave(owner access.Actor) error {
	if owner.Kind != access.Visitor && access.Can(owner, access.SendOutside) != nil {
		return errOutside
	}
	return nil
}

// stillGets tells whether the mail of a line may be sent now: much may have
// happened since its file was made.
//
// Errors: reports.unsubscribed, reports.recipient_left, reports.owner_left,
// reports.outside_forbidden, those of visitorOf.
func (s *Service) stillGets(ctx context.Context, tenant ids.Tenant, row db.LedgerGetRow) error {
	switch {
	case row.Unsubscribed:
		return errUnsubscribed
	case row.Removed:
		return errRecipientLeft
	case row.UserID != nil || row.ChannelID != nil:
		return nil
	case row.Visiting:
		if _, _, err := s.visitorOf(ctx, tenant, row.VisitorID, row.DashboardID); err != nil {
			return err
		}
	}
	owner, err := s.ownerOf(ctx, tenant, row.OwnerID, row.OwnerVisitorID)
	if err != nil {
		return err
	}
	return mayLeave(owner)
}

// deleteOrphans deletes the schedules of visitors who were removed, with their files.
func (s *Service) deleteOrphans(ctx context.Context, tenant uuid.UUID) error {
	var files []string
	err := s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		list, err := tx.ScheduleListOrphans(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("list schedules: %w", err)
		}
		for _, id := range list {
			rows, err := tx.ContentListOfSchedule(ctx, tx.TenantID, id)
			if err != nil {
				return fmt.Errorf("list files: %w", err)
			}
			for _, f := range rows {
				files = append(files, f.Key, f.PictureKey)
			}
			if _, err := tx.ScheduleDelete(ctx, tx.TenantID, id); err != nil {
				return fmt.Errorf("delete schedule: %w", err)
			}
			if err := audit.Record(ctx, tx, access.Actor{Kind: access.System, TenantID: ids.Tenant(tx.TenantID)},
				audit.Entry{Action: "report.schedule_deleted", Target: "schedule", ID: id.String()}); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, s.removeFiles(ctx, files...))
}

// checkFixed says what is wrong with the attributes of addresses; "" for nothing.
func (f *ScheduleForm) checkFixed() string {
	f.fixedOfAddress = map[string]Rows{}
	all, err := parseRows(f.Attributes)
	if err != nil {
		return apperr.Describe(err).Sentence
	}
	for who, attributes := range all {
		if !slices.ContainsFunc(f.Addresses, func(a string) bool { return strings.EqualFold(a, who) }) {
			return fmt.Sprintf("%.80s is not among the further addresses.", who)
		}
		clean, err := cleanAttributes(attributes)
		if err != nil {
			return apperr.Describe(err).Sentence
		}
		f.fixedOfAddress[who] = clean
	}
	return ""
}

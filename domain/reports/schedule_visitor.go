package reports

import (
	"context"
	"encoding/json"
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
	"github.com/dataflowhq/dataflow/platform/jobs"
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
	errNoFiles = apperr.Define(apperr.Forbidden, "reports.portal_no_files",
		"The portal lets its visitors take no files, so nothing was sent. Allow downloads at Settings, Portals, or take its visitors out of the schedule.")
	errOutside = apperr.Define(apperr.Forbidden, "reports.outside_forbidden",
		"The schedule's owner may no longer send reports outside of the workspace, so nothing was sent. Ask an admin for the permission, or somebody who has it to take the schedule over.")
)

const (
	// maxOwn bounds what one visitor has mailed to themselves.
	maxOwn = 20
	// outsidersListed bounds the visitors that a form offers; the others are named.
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
// Errors: reports.portal_off, reports.too_many_own, reports.paused_for_them where
// the workspace has paused one of the dashboard, reports.schedule_invalid with
// fields, those of opening the dashboard.
func (s *Service) MailMe(ctx context.Context, actor access.Actor, own OwnForm) (ids.Schedule, error) {
	id := ids.New[ids.Schedule]()
	visit, err := s.mails(ctx, actor)
	if err != nil {
		return id, err
	}
	f := ScheduleForm{Dashboard: own.Dashboard, Spec: Spec{Format: own.Format, Filters: own.Filters, Paper: own.Paper},
		When: fmt.Sprintf("%s at %d:00", own.Often, own.Hour), Zone: own.Zone, ResendUnknown: true, Visitors: []ids.Visitor{actor.VisitorID}}
	f.Name = visit.NameOf(own.Dashboard)
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
		n, err := tx.ScheduleCountOfVisitor(ctx, own.Dashboard.UUID(), tx.TenantID, actor.VisitorID.UUID())
		if err != nil {
			return fmt.Errorf("count schedules: %w", err)
		}
		if n.PausedForThem {
			return errPausedForThem
		}
		if n.Schedules >= maxOwn {
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
	Hidden  bool // is a recipient, and not shown the dashboard just now, or may take no files
}

// ListOutsiders answers whom a form offers: those whom a schedule, which may be zero,
// has chosen already, whatever they are shown; and for who manages portals, the
// visitors, and their groups, who see a dashboard in one that lets them take files,
// or with a zero id any dashboard. Who visits portals is nobody else's to list:
// others name visitors exactly (ScheduleForm.Named). named tells that there is
// somebody whom the actor can name.
//
// Errors: access.forbidden, reports.schedule_not_found.
func (s *Service) ListOutsiders(ctx context.Context, actor access.Actor, id ids.Dashboard, schedule ids.Schedule) (list []Outsider, named bool, err error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return nil, false, err
	}
	if !schedule.IsZero() {
		one, err := s.schedule(ctx, actor, schedule)
		if err != nil {
			return nil, false, err
		}
		id = one.Dashboard
	}
	limit := int32(0)
	if access.Can(actor, access.SendOutside) == nil {
		limit = 1 // whether there is any
		if access.Can(actor, access.ManagePortals) == nil {
			limit = outsidersListed
		}
	}
	err = s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if !schedule.IsZero() {
			if list, err = chosenOutsiders(ctx, tx, id, schedule); err != nil {
				return err
			}
		}
		if limit == 0 {
			return nil
		}
		groups, err := tx.RecipientListGroups(ctx, tx.TenantID, optional(id), limit)
		if err != nil {
			return fmt.Errorf("list groups of visitors: %w", err)
		}
		visitors, err := tx.RecipientListVisitors(ctx, tx.TenantID, optional(id), limit)
		if err != nil {
			return fmt.Errorf("list visitors: %w", err)
		}
		if named = len(groups)+len(visitors) > 0; limit == 1 {
			return nil
		}
		for _, row := range groups {
			if !slices.ContainsFunc(list, func(o Outsider) bool { return o.Group == ids.Group(row.GroupID) }) {
				list = append(list, Outsider{Group: ids.Group(row.GroupID), Name: row.Name, Portal: row.PortalName})
			}
		}
		for _, row := range visitors {
			if !slices.ContainsFunc(list, func(o Outsider) bool { return o.Visitor == ids.Visitor(row.VisitorID) }) {
				list = append(list, outsiderOf(db.RecipientNameVisitorsRow(row)))
			}
		}
		return nil
	})
	return list, named, err
}

func outsiderOf(row db.RecipientNameVisitorsRow) Outsider {
	o := Outsider{Visitor: ids.Visitor(row.VisitorID), Name: row.Name, Email: row.Email, Portal: row.PortalName}
	if o.Name == "" {
		o.Name = orElse(row.Company, row.Email)
	} else if row.Company != "" {
		o.Name += ", " + row.Company
	}
	return o
}

// chosenOutsiders are those whom a schedule has chosen.
func chosenOutsiders(ctx context.Context, tx *db.Tx, id ids.Dashboard, schedule ids.Schedule) (list []Outsider, err error) {
	groups, err := tx.RecipientNameGroups(ctx, tx.TenantID, schedule.UUID())
	if err != nil {
		return nil, fmt.Errorf("list groups of schedule: %w", err)
	}
	visitors, err := tx.RecipientNameVisitors(ctx, tx.TenantID, schedule.UUID())
	if err != nil {
		return nil, fmt.Errorf("list visitors of schedule: %w", err)
	}
	f := ScheduleForm{Dashboard: id}
	for _, row := range groups {
		list = append(list, Outsider{Group: ids.Group(row.GroupID), Name: row.Name, Portal: row.PortalName})
		f.Groups = append(f.Groups, ids.Group(row.GroupID))
	}
	for _, row := range visitors {
		list = append(list, outsiderOf(row))
		f.Visitors = append(f.Visitors, ids.Visitor(row.VisitorID))
	}
	shown, err := findOutsiders(ctx, tx, &f)
	if err != nil {
		return nil, err
	}
	for i, o := range list {
		list[i].Hidden = !shown.has(o)
	}
	return list, nil
}

// outsiders are visitors and groups to whom a report of a dashboard can be sent.
type outsiders struct {
	visitors []db.RecipientFindVisitorsRow
	groups   []db.RecipientFindGroupsRow
}

func (f outsiders) has(o Outsider) bool {
	return !o.Visitor.IsZero() && slices.ContainsFunc(f.visitors, func(row db.RecipientFindVisitorsRow) bool { return row.VisitorID == o.Visitor.UUID() }) ||
		!o.Group.IsZero() && slices.ContainsFunc(f.groups, func(row db.RecipientFindGroupsRow) bool { return row.GroupID == o.Group.UUID() })
}

// findOutsiders asks the database who of those that a form has chosen or names sees
// its dashboard.
func findOutsiders(ctx context.Context, tx *db.Tx, f *ScheduleForm) (found outsiders, err error) {
	visitors, groups, names := []uuid.UUID{}, []uuid.UUID{}, []string{}
	for _, id := range f.Visitors {
		visitors = append(visitors, id.UUID())
	}
	for _, id := range f.Groups {
		groups = append(groups, id.UUID())
	}
	for _, text := range f.Named {
		names = append(names, strings.ToLower(text))
	}
	if found.visitors, err = tx.RecipientFindVisitors(ctx, db.RecipientFindVisitorsParams{TenantID: tx.TenantID, DashboardID: f.Dashboard.UUID(),
		Visitors: visitors, Addresses: names}); err != nil {
		return found, fmt.Errorf("find visitors: %w", err)
	}
	if found.groups, err = tx.RecipientFindGroups(ctx, db.RecipientFindGroupsParams{TenantID: tx.TenantID, DashboardID: f.Dashboard.UUID(),
		Groups: groups, Names: names}); err != nil {
		return found, fmt.Errorf("find groups of visitors: %w", err)
	}
	return found, nil
}

// checkOutside says of each field what is wrong with the recipients outside of
// the workspace, and adds those that are named. Who is a recipient already stays one,
// whatever they are shown just now.
func (s *Service) checkOutside(ctx context.Context, actor, owner access.Actor, f *ScheduleForm, fields map[string]string) error {
	f.Named = cleanAddresses(f.Named)
	if len(f.Addresses)+len(f.Visitors)+len(f.Groups)+len(f.Named) == 0 || actor.Kind == access.Visitor { // who mails themselves
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
	if len(f.Visitors)+len(f.Groups)+len(f.Named) == 0 {
		return nil
	}
	if len(f.Named) > maxRecipients {
		fields["named"] = fmt.Sprintf("A schedule has at most %d recipients.", maxRecipients)
		return nil
	}
	var known outsiders
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		known, err = findOutsiders(ctx, tx, f)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range f.Visitors {
		if !slices.Contains(f.wasVisitors, id) && !known.has(Outsider{Visitor: id}) {
			fields["users"] = "One of these visitors does not see the dashboard in a portal, or may take no files there."
		}
	}
	for _, id := range f.Groups {
		if !slices.Contains(f.wasGroups, id) && !known.has(Outsider{Group: id}) {
			fields["users"] = "One of these groups does not see the dashboard in a portal, or may take no files there."
		}
	}
	f.Visitors, f.Groups = slices.Clip(f.Visitors), slices.Clip(f.Groups)
	for _, text := range f.Named {
		there := false
		for _, row := range known.visitors {
			if row.Email == strings.ToLower(text) {
				if there = true; !slices.Contains(f.Visitors, ids.Visitor(row.VisitorID)) {
					f.Visitors = append(f.Visitors, ids.Visitor(row.VisitorID))
				}
			}
		}
		for _, row := range known.groups {
			if row.Name == strings.ToLower(text) {
				if there = true; !slices.Contains(f.Groups, ids.Group(row.GroupID)) {
					f.Groups = append(f.Groups, ids.Group(row.GroupID))
				}
			}
		}
		if !there {
			fields["named"] = fmt.Sprintf("No visitor with this address, and no group of this name, sees the dashboard in a portal that lets them take files: %.80s", text)
		}
	}
	return nil
}

// visitorOf is a visitor who gets a report of a dashboard, as they are now.
//
// Errors: reports.visitor_left, reports.not_shown, reports.portal_no_files,
// reports.portal_no_host.
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
	case err == nil && !p.Downloads:
		err = errNoFiles
	case err == nil && p.Address(s.deps.Address()) == "":
		err = errNoAddress
	}
	return p, visit, err
}

// takesFiles tells whether a visitor may take files at all.
//
// Errors: reports.portal_off, portals.visitor_not_found.
func (s *Service) takesFiles(ctx context.Context, tenant ids.Tenant, visitor ids.Visitor) error {
	p, _, err := s.deps.Visitors.VisitOf(ctx, tenant, visitor)
	if err == nil && !p.Downloads {
		err = ErrPortalOff.With("Files can't be taken here at the moment.")
	}
	return err
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

// standing is what became of a line's recipient.
type standing struct {
	takenOut, unsubscribed, leftGroup bool
}

// stays tells whether they are still one.
//
// Errors: reports.taken_out, reports.unsubscribed, reports.left_group.
func (s standing) stays() error {
	switch {
	case s.takenOut:
		return errTakenOut
	case s.unsubscribed:
		return errUnsubscribed
	case s.leftGroup:
		return errLeftGroup
	}
	return nil
}

// closedAs is the state of a line that nothing is sent for: skipped where its
// recipient is none any more.
func closedAs(cause error) LineState {
	if errors.Is(cause, errTakenOut) || errors.Is(cause, errUnsubscribed) || errors.Is(cause, errLeftGroup) {
		return LineSkipped
	}
	return LineFailed
}

// stillGets tells whether the file of a line may be sent now: much may have
// happened since it was made. errSeesElse asks for another file.
//
// Errors: reports.taken_out, reports.unsubscribed, reports.left_group,
// reports.recipient_left, reports.owner_left, reports.outside_forbidden,
// reports.not_seen, reports.reader_sees_else, those of visitorOf.
func (s *Service) stillGets(ctx context.Context, tenant ids.Tenant, row db.LedgerGetRow) error {
	if row.Removed || row.Cause == "test" && row.UserID == nil {
		return errRecipientLeft
	}
	r := &run{schedule: db.ScheduleGetRow{DashboardID: row.DashboardID, Zone: row.Zone}}
	line := db.LedgerListDueRow{UserID: row.UserID, ChannelID: row.ChannelID, Visiting: row.Visiting, VisitorID: row.VisitorID, Attributes: row.Attributes}
	if err := (standing{row.TakenOut, row.Unsubscribed, row.LeftGroup}).stays(); err != nil {
		return err
	}
	if row.UserID == nil {
		var err error
		if r.owner, err = s.ownerOf(ctx, tenant, row.OwnerID, row.OwnerVisitorID); err != nil {
			return err
		}
	}
	actor, _, err := s.reader(ctx, tenant, r, line)
	if err != nil {
		return err
	}
	if row.OtherRows {
		return errSeesElse
	}
	if row.Key == "" {
		return nil // which is said when it is looked for
	}
	var stated Stated
	if err := json.Unmarshal(row.Stated, &stated); err != nil {
		return jobs.Permanent(fmt.Errorf("read content: %w", err))
	}
	switch err := s.stillSent(ctx, actor, ids.Dashboard(row.DashboardID), row.OnlyRows, stated.Sees); {
	case errors.Is(err, ErrNotFound):
		return errNotSeen.Wrap(err)
	case err != nil && !apperr.Passes(err):
		return errSeesElse.Wrap(err)
	default:
		return err
	}
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
		if len(clean) == 0 {
			return fmt.Sprintf("For %.80s no attribute has a value. Write column = value, or take the line out: then it gets all that the owner sees.", who)
		}
		f.fixedOfAddress[who] = clean
	}
	return ""
}

package reports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong with a schedule.
var (
	// ErrScheduleNotFound also covers schedules of other workspaces, and of
	// other people for who may not manage them.
	ErrScheduleNotFound = apperr.Define(apperr.NotFound, "reports.schedule_not_found",
		"This scheduled report does not exist or was removed.")
	ErrScheduleInvalid = apperr.Define(apperr.Invalid, "reports.schedule_invalid",
		"Some fields of the schedule need another value.")
	ErrSchedulePaused = apperr.Define(apperr.Conflict, "reports.schedule_paused",
		"This scheduled report is paused. Resume it first.")
	errStoppedOwner = apperr.Define(apperr.Conflict, "reports.stopped_owner",
		"Nothing was sent: the person who owns this scheduled report left, or may no longer schedule reports. It is paused; whoever resumes it becomes its owner.")
	errStoppedDashboard = apperr.Define(apperr.Conflict, "reports.stopped_dashboard",
		"Nothing was sent: the dashboard of this scheduled report was deleted, or its owner may no longer see it. It is paused; restore the dashboard, then resume it.")
	errUnowned = apperr.Define(apperr.Conflict, "reports.unowned",
		"The person who owns this scheduled report left, or may no longer schedule reports. Nothing was changed. Resume it first: it is yours then.")
	errDashboardGone = apperr.Define(apperr.Conflict, "reports.dashboard_gone",
		"The dashboard of this scheduled report was deleted, or its owner may no longer see it. Nothing was changed. Restore the dashboard first, or delete the schedule.")
	errNotTheirs = apperr.Define(apperr.Forbidden, "reports.not_theirs",
		"This file was sent to somebody else and opens for them alone. If it was sent to another account of yours, sign in with that one.")
	errSentSignIn = apperr.Define(apperr.Unauthenticated, "reports.sent_sign_in",
		"This file opens for the person that it was sent to. Sign in to open it.")
	errRecipientLeft = apperr.Define(apperr.Gone, "reports.recipient_left",
		"This person is no longer in the workspace, so nothing was sent.")
	errUnsubscribed = apperr.Define(apperr.Conflict, "reports.unsubscribed",
		"This person unsubscribed before the report was sent.")
	errTakenOut = apperr.Define(apperr.Gone, "reports.taken_out",
		"They were taken out of the schedule before the report was sent, so nothing was sent.")
	errLeftGroup = apperr.Define(apperr.Gone, "reports.left_group",
		"They left the group that gets this report before it was sent, so nothing was sent.")
	errNotSeen = apperr.Define(apperr.Gone, "reports.not_seen",
		"They may no longer see the dashboard, so nothing was sent.")
	errSeesElse = apperr.Define(apperr.Gone, "reports.reader_sees_else",
		"What they may see has changed since the file was made, so it was not sent. Send again makes another.")
	errNobodyLeft = apperr.Define(apperr.Conflict, "reports.nobody_left",
		"All recipients are gone or have unsubscribed. Edit the schedule and choose some.")
	errRowsGone = apperr.Define(apperr.Gone, "reports.rows_gone",
		"The rows for this recipient are chosen by a column that is gone, or whose values the owner may no longer see. Edit the schedule.")
	errNoRows = apperr.Define(apperr.Conflict, "reports.no_rows",
		"No row matched, and the report is to be sent only if there is something in it.")
	errFileGone = apperr.Define(apperr.Gone, "reports.sent_file_gone",
		"The file was kept for a week and is gone. Retry makes it again.")
)

const (
	maxRecipients = 500
	maxName       = 300 // characters
	// DefaultLinkAbove is the size above which a file is linked, not attached.
	DefaultLinkAbove = 10 << 20
	maxLinkAbove     = 25 << 20
	runsListed       = 10
	membersListed    = 1000
)

// ScheduleForm is what a person chooses.
type ScheduleForm struct {
	Dashboard     ids.Dashboard
	Name          string // the dashboard's when empty
	Spec          Spec   // PDF, CSV or XLSX
	OnData        bool   // runs when the data is new, not by the clock
	When          string // see ParseRule
	Zone          string // IANA name; empty for the workspace's
	OnlyIfRows    bool   // nothing is sent where nothing has a row
	ResendUnknown bool   // once more, where nobody can know whether a mail arrived
	LinkAbove     int64  // bytes; DefaultLinkAbove when 0
	Users         []ids.User
	Addresses     []string
	Channels      []ids.Channel
	Visitors      []ids.Visitor // of portals that show the dashboard; they get what they see there
	Groups        []ids.Group   // of such visitors: all who are in one when it runs
	// Named are further visitors of such portals by their exact e-mail address, and
	// groups by their name: they are looked up, and added to Visitors and Groups.
	Named []string
	// Attributes are what rules on rows compare with for an address, an address a
	// line: "ada@example.org: region = EMEA". Of what the owner sees it gets what the
	// rules leave somebody with these attributes; an address without gets all of it.
	Attributes string
	// Rows say which rows single recipients are sent of those that they, or for an
	// address the owner, see, a recipient a line: "ada@example.org: region = EMEA,
	// APAC". What has a comma, a semicolon or spaces around it stands in quotes. Who
	// is not named gets all.
	Rows string

	wasVisitors    []ids.Visitor     // recipients already, and kept so
	wasGroups      []ids.Group       // of these
	rowsOfUser     map[ids.User]Rows // once they are checked
	rowsOfAddress  map[string]Rows   // by address in small letters
	fixedOfAddress map[string]Rows   // attributes, as those
}

// Schedule is a report that is sent again and again.
type Schedule struct {
	ID ids.Schedule
	ScheduleForm
	DashboardName string
	Owner         ids.User    // zero where it is a visitor's
	OwnerVisitor  ids.Visitor // who has it mailed to themselves; zero where it is a member's
	Portal        string      // of the visitor
	OwnerName     string
	Next          time.Time // zero while it is paused or waits for data
	PausedAt      time.Time // zero while it runs
	PausedWhy     string    // "person", "owner_left", "dashboard_gone", "portal_off" or "nobody_left"
	PausedBy      string    // name; of "person"
	Recipients    []ScheduleRecipient
	Runs          []ScheduleRun // newest first
	PreviewAt     time.Time     // of the picture that OpenPreview answers; zero for none
	PreviewPages  Pages         // of the document that it is of; zero where nobody counted them
	PreviewSum    string        // SHA-256 of that document, in hex

	PausedByMember    bool   // where PausedWhy is "person"; a visitor does not resume it then
	preview, document string // keys of the picture and of what it shows
	previewRows       []byte // that the schedule left the person
	previewSees       string // Stated.Sees of it
	documentName      string
}

// ScheduleRecipient is who gets it.
type ScheduleRecipient struct {
	User         ids.User    // zero for an address alone
	Channel      ids.Channel // zero for mail
	Outside      bool        // a visitor of Portal, or with Group a group of them
	Group        ids.Group
	Portal       string
	Name         string // the address where there is none
	Address      string
	Rows         Rows // all when empty
	Unsubscribed bool
	Left         bool // the workspace or the portal, or is blocked there
	Gone         bool // removed from there, not only blocked
	Fixed        Rows // attributes of an address
}

// anybody tells whether somebody is left to get it.
func (s *Schedule) anybody() bool {
	return slices.ContainsFunc(s.Recipients, func(r ScheduleRecipient) bool { return !r.Unsubscribed && !r.Gone })
}

// The states of a run.
const (
	RunDue     = "due"     // waits for its files, or makes them
	RunSending = "sending" // the files are there
	RunDone    = "done"
	RunFailed  = "failed" // before anything was sent
)

// ScheduleRun is one time that it ran.
type ScheduleRun struct {
	ID         ids.Run
	Cause      string // "time", "data", "person" or "test"
	State      string
	DueAt      time.Time
	FinishedAt time.Time // zero while it runs
	ErrorText  string
	Lines      []Line
}

// LineState is how far the report is on its way to one recipient.
type LineState string

// The states of a line of the ledger.
const (
	LineDue      LineState = "due"
	LineRendered LineState = "rendered"
	LineSent     LineState = "sent"    // Answer is the mail server's
	LineKept     LineState = "kept"    // no mail server: it stays in the outbox
	LineUnknown  LineState = "unknown" // the line dropped after DATA
	LineBounced  LineState = "bounced" // the mail server refused it
	LineFailed   LineState = "failed"
	LineSkipped  LineState = "skipped" // nothing to send
)

// Line is one line of the ledger: a report and a recipient.
type Line struct {
	ID        ids.Delivery
	Name      string
	Address   string
	Channel   delivery.ChannelKind // empty for mail, "gone" for one that was removed
	State     LineState
	Answer    string
	ErrorCode string
	ErrorText string // a sentence
	Attempts  int
	Resent    bool // given to the mail server a second time, out of LineUnknown
	SentAt    time.Time
	OpenedAt  time.Time // its link was followed
	Stated    Stated
}

// Waits tells whether an attempt failed and another follows.
func (l Line) Waits() bool {
	return (l.State == LineDue || l.State == LineRendered) && l.ErrorText != ""
}

// Again tells whether it can be sent again without a look: it never left.
func (l Line) Again() bool { return l.Waits() || l.State == LineFailed }

// Bad tells whether somebody has to look at it.
func (l Line) Bad() bool {
	return l.State == LineUnknown || l.State == LineBounced || l.State == LineFailed
}

func gone(err error) error {
	if db.IsNoRows(err) {
		return ErrScheduleNotFound.Wrap(err)
	}
	return fmt.Errorf("read schedule: %w", err)
}

// seesAll tells whether the actor manages what others scheduled, too.
func seesAll(actor access.Actor) bool { return access.Can(actor, access.ManageWorkspace) == nil }

// schedule reads one that the actor may see and change.
func (s *Service) schedule(ctx context.Context, actor access.Actor, id ids.Schedule) (Schedule, error) {
	if err := mayLook(actor); err != nil {
		return Schedule{}, err
	}
	var one Schedule
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.ScheduleGet(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return gone(err)
		}
		if one, err = scheduleOf(row); err != nil {
			return err
		}
		if !one.reaches(actor) {
			return ErrScheduleNotFound
		}
		list := []Schedule{one}
		if err := fill(ctx, tx, list, runsListed); err != nil {
			return err
		}
		one = list[0]
		picture, err := tx.LedgerPicture(ctx, tx.TenantID, id.UUID(), actor.UserID.UUID())
		if err != nil && !db.IsNoRows(err) {
			return fmt.Errorf("find picture: %w", err)
		}
		if picture.Key == "" {
			return nil
		}
		var stated Stated
		if err := json.Unmarshal(picture.Stated, &stated); err != nil {
			return fmt.Errorf("read content: %w", err)
		}
		one.PreviewAt, one.preview, one.document, one.documentName = picture.DueAt, picture.PictureKey, picture.Key, picture.Name
		one.PreviewPages, one.PreviewSum = stated.Pages, stated.SHA256
		one.previewRows, one.previewSees = picture.OnlyRows, stated.Sees
		return nil
	})
	return one, err
}

// GetSchedule reads one with its recipients and newest runs.
//
// Errors: access.forbidden, reports.schedule_not_found.
func (s *Service) GetSchedule(ctx context.Context, actor access.Actor, id ids.Schedule) (Schedule, error) {
	one, err := s.schedule(ctx, actor, id)
	if err != nil || one.preview == "" {
		return one, err
	}
	if err = s.stillSent(ctx, actor, one.Dashboard, one.previewRows, one.previewSees); errors.Is(err, ErrExpired) || errors.Is(err, ErrNotFound) {
		one.PreviewAt, err = time.Time{}, nil
	}
	return one, err
}

// OpenPreview reads the picture of the newest document that the actor was sent
// themselves: what others get may not be for their eyes.
//
// Errors: access.forbidden, reports.schedule_not_found, reports.sent_file_gone,
// reports.expired.
func (s *Service) OpenPreview(ctx context.Context, actor access.Actor, id ids.Schedule) (io.ReadCloser, error) {
	one, err := s.previewed(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	return s.deps.Blobs.Read(ctx, one.preview)
}

// OpenDocument reads the document that OpenPreview has the picture of. It is on record
// as a download, or, where the page that shows it asks by itself, as a look.
//
// Errors: those of OpenPreview.
func (s *Service) OpenDocument(ctx context.Context, actor access.Actor, id ids.Schedule, look bool) (SentDocument, error) {
	one, err := s.previewed(ctx, actor, id)
	if err != nil {
		return SentDocument{}, err
	}
	action := "report.downloaded"
	if look {
		action = "report.viewed"
	}
	err = s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return audit.Record(ctx, tx, actor, audit.Entry{Action: action, Target: "schedule", ID: id.String(), Detail: map[string]any{"name": one.documentName}})
	})
	if err != nil {
		return SentDocument{}, err
	}
	there, err := s.deps.Blobs.Attributes(ctx, one.document)
	if err != nil {
		return SentDocument{}, err
	}
	body, err := s.deps.Blobs.Read(ctx, one.document)
	return SentDocument{Body: body, Name: one.documentName, Bytes: there.Bytes}, err
}

// SentDocument is a file that was sent.
type SentDocument struct {
	Body  io.ReadCloser
	Name  string
	Bytes int64
}

// previewed reads a schedule of which there is something to look at, for
// somebody who may still see all of it.
func (s *Service) previewed(ctx context.Context, actor access.Actor, id ids.Schedule) (Schedule, error) {
	one, err := s.schedule(ctx, actor, id)
	if err != nil {
		return one, err
	}
	if one.preview == "" {
		return one, errFileGone
	}
	return one, s.stillSent(ctx, actor, one.Dashboard, one.previewRows, one.previewSees)
}

// ListSchedules reads the actor's own by name, or all of the workspace for who
// manages it, each with its newest run. Who looks after portals sees those of
// visitors, too.
//
// Errors: access.forbidden.
func (s *Service) ListSchedules(ctx context.Context, actor access.Actor) ([]Schedule, error) {
	if err := mayLook(actor); err != nil {
		return nil, err
	}
	var which db.ScheduleListParams
	if own := actor.UserID.UUID(); actor.Kind == access.Visitor {
		which.OnlyVisitor = optional(actor.VisitorID)
	} else if which.OfVisitors = seesVisitors(actor); !seesAll(actor) {
		which.OnlyOwner = &own
	}
	var list []Schedule
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		which.TenantID = tx.TenantID
		rows, err := tx.ScheduleList(ctx, which)
		if err != nil {
			return fmt.Errorf("list schedules: %w", err)
		}
		for _, row := range rows {
			one, err := scheduleOf(db.ScheduleGetRow(row))
			if err != nil {
				return err
			}
			list = append(list, one)
		}
		return fill(ctx, tx, list, 1)
	})
	return list, err
}

func scheduleOf(row db.ScheduleGetRow) (Schedule, error) {
	one := Schedule{ID: ids.Schedule(row.ScheduleID), DashboardName: row.DashboardName, Owner: ids.User(row.OwnerID), OwnerName: row.OwnerName,
		OwnerVisitor: ids.Visitor(row.OwnerVisitorID), Portal: row.PortalName, PausedByMember: row.PausedBy != nil, PausedWhy: row.PausedWhy, PausedBy: row.PausedByName,
		ScheduleForm: ScheduleForm{Dashboard: ids.Dashboard(row.DashboardID), Name: row.Name, OnData: row.OnData, When: row.Rule, Zone: row.Zone,
			OnlyIfRows: row.OnlyIfRows, ResendUnknown: row.ResendUnknown, LinkAbove: row.LinkAbove}}
	if one.OwnerName == "" {
		one.OwnerName = row.OwnerEmail
	}
	if err := json.Unmarshal(row.Spec, &one.Spec); err != nil {
		return one, fmt.Errorf("read schedule %s: %w", one.ID, err)
	}
	one.Next, one.PausedAt = orZero(row.NextAt), orZero(row.PausedAt)
	return one, nil
}

func orZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

// fill adds recipients and runs.
func fill(ctx context.Context, tx *db.Tx, list []Schedule, runs int) error {
	keys := make([]uuid.UUID, len(list))
	at := map[uuid.UUID]*Schedule{}
	for i := range list {
		keys[i] = list[i].ID.UUID()
		at[keys[i]] = &list[i]
	}
	recipients, err := tx.RecipientList(ctx, tx.TenantID, keys)
	if err != nil {
		return fmt.Errorf("list recipients: %w", err)
	}
	for _, row := range recipients {
		r := ScheduleRecipient{Name: row.Name, Address: row.Address, Unsubscribed: row.UnsubscribedAt != nil, Left: row.Removed, Gone: row.Removed && row.VisitorID == nil}
		one := at[row.ScheduleID]
		if row.VisitorAddress != "" && row.PortalGroupID != nil {
			continue // stands for what one of the group has chosen
		}
		if row.VisitorAddress != "" || row.PortalGroupID != nil {
			r.Outside, r.Portal, r.Address = true, row.PortalName, row.Email
			if row.PortalGroupID != nil {
				r.Group = ids.Group(*row.PortalGroupID)
				one.Groups = append(one.Groups, r.Group)
			} else if row.VisitorID != nil {
				one.Visitors = append(one.Visitors, ids.Visitor(*row.VisitorID))
			}
		} else if row.UserID != nil {
			r.User, r.Address = ids.User(*row.UserID), row.Email
			one.Users = append(one.Users, r.User)
		} else if row.ChannelID != nil {
			r.Channel, r.Address = ids.Channel(*row.ChannelID), row.Name
			one.Channels = append(one.Channels, r.Channel)
		} else {
			one.Addresses = append(one.Addresses, row.Address)
		}
		if r.Name == "" {
			r.Name = r.Address
		}
		if err := json.Unmarshal(row.OnlyRows, &r.Rows); err != nil {
			return fmt.Errorf("read recipient %s: %w", row.RecipientID, err)
		}
		if len(row.Attributes) > 0 {
			if err := json.Unmarshal(row.Attributes, &r.Fixed); err != nil {
				return fmt.Errorf("read attributes of recipient %s: %w", row.RecipientID, err)
			}
			one.Attributes += r.Address + ": " + r.Fixed.String() + "\n"
		}
		if len(r.Rows) > 0 {
			one.ScheduleForm.Rows += r.Address + ": " + r.Rows.String() + "\n"
		}
		one.Recipients = append(one.Recipients, r)
	}
	found, err := tx.RunListNewest(ctx, keys, tx.TenantID, int32(runs))
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	var runKeys []uuid.UUID
	for _, row := range found {
		one := at[row.ScheduleID]
		one.Runs = append(one.Runs, ScheduleRun{ID: ids.Run(row.RunID), Cause: row.Cause, State: row.State, DueAt: row.DueAt,
			FinishedAt: orZero(row.FinishedAt), ErrorText: row.ErrorText})
		runKeys = append(runKeys, row.RunID)
	}
	runAt := map[uuid.UUID]*ScheduleRun{}
	for i := range list {
		for k := range list[i].Runs {
			runAt[list[i].Runs[k].ID.UUID()] = &list[i].Runs[k]
		}
	}
	lines, err := tx.LedgerList(ctx, tx.TenantID, runKeys)
	if err != nil {
		return fmt.Errorf("list deliveries: %w", err)
	}
	for _, row := range lines {
		l := Line{ID: ids.Delivery(row.DeliveryID), Name: row.Name, Address: row.Address, Channel: delivery.ChannelKind(row.ChannelKind), State: LineState(row.State), Answer: row.Answer,
			ErrorCode: row.ErrorCode, ErrorText: row.ErrorText, Attempts: int(row.Attempts), Resent: row.Resent, SentAt: orZero(row.SentAt), OpenedAt: orZero(row.OpenedAt)}
		if err := json.Unmarshal(row.Stated, &l.Stated); err != nil {
			return fmt.Errorf("read content: %w", err)
		}
		l.Stated.Name = row.FileName
		if l.Name == "" {
			l.Name = l.Address
		}
		run := runAt[row.RunID]
		run.Lines = append(run.Lines, l)
	}
	return nil
}

// Member is a person whom a report can be sent to.
type Member struct {
	ID    ids.User
	Name  string
	Email string
}

// ListMembers reads the people of the workspace, for the form.
//
// Errors: access.forbidden.
func (s *Service) ListMembers(ctx context.Context, actor access.Actor) ([]Member, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return nil, err
	}
	var list []Member
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.UserList(ctx, db.UserListParams{TenantID: tx.TenantID, RowLimit: membersListed})
		if err != nil {
			return fmt.Errorf("list people: %w", err)
		}
		for _, row := range rows {
			m := Member{ID: ids.User(row.UserID), Name: row.Name, Email: row.Email}
			if m.Name == "" {
				m.Name = row.Email
			}
			list = append(list, m)
		}
		return nil
	})
	return list, err
}

package reports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/mail"
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
	errRecipientLeft = apperr.Define(apperr.Gone, "reports.recipient_left",
		"This person is no longer in the workspace, so nothing was sent.")
	errUnsubscribed = apperr.Define(apperr.Conflict, "reports.unsubscribed",
		"This person unsubscribed before the report was sent.")
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
}

// Schedule is a report that is sent again and again.
type Schedule struct {
	ID ids.Schedule
	ScheduleForm
	DashboardName string
	Owner         ids.User
	OwnerName     string
	Next          time.Time // zero while it is paused or waits for data
	PausedAt      time.Time // zero while it runs
	PausedWhy     string    // "person", "owner_left" or "dashboard_gone"
	PausedBy      string    // name; of "person"
	Recipients    []ScheduleRecipient
	Runs          []ScheduleRun // newest first
}

// ScheduleRecipient is who gets it.
type ScheduleRecipient struct {
	User         ids.User    // zero for an address alone
	Channel      ids.Channel // zero for mail
	Name         string      // the address where there is none
	Address      string
	Unsubscribed bool
	Left         bool // the workspace
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

// Bad tells whether somebody has to look at it.
func (l Line) Bad() bool {
	return l.State == LineUnknown || l.State == LineBounced || l.State == LineFailed
}

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
		if err := tx.ScheduleInsert(ctx, db.ScheduleInsertParams{TenantID: tx.TenantID, ScheduleID: id.UUID(), DashboardID: f.Dashboard.UUID(), OwnerID: actor.UserID.UUID(),
			Name: f.Name, Spec: checked.spec, OnData: f.OnData, Rule: f.When, Zone: f.Zone, OnlyIfRows: f.OnlyIfRows, ResendUnknown: f.ResendUnknown,
			LinkAbove: f.LinkAbove, NextAt: checked.next, Seen: checked.snapshot}); err != nil {
			return fmt.Errorf("insert schedule: %w", err)
		}
		if err := s.setRecipients(ctx, tx, id, f); err != nil {
			return err
		}
		if err := startAt(ctx, tx, id, checked.next); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "report.scheduled", Target: "schedule", ID: id.String(),
			Detail: map[string]any{"dashboard": f.Dashboard.String(), "when": f.When, "addresses": f.Addresses}})
	})
}

// UpdateSchedule changes all that a form has. A paused schedule stays paused.
//
// Errors: reports.schedule_not_found, and those of CreateSchedule.
func (s *Service) UpdateSchedule(ctx context.Context, actor access.Actor, id ids.Schedule, f ScheduleForm) error {
	old, err := s.schedule(ctx, actor, id)
	if err != nil {
		return err
	}
	f.Dashboard = old.Dashboard
	owner := actor
	if old.Owner != actor.UserID {
		// What is sent is what the owner sees, whoever changes it.
		if owner, err = s.deps.Tenants.GetActor(ctx, actor.TenantID, old.Owner); err != nil {
			return err
		}
	}
	checked, err := s.check(ctx, actor, owner, &f)
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
			Detail: map[string]any{"when": f.When, "addresses": f.Addresses}})
	})
}

type checked struct {
	spec     []byte
	next     *time.Time
	snapshot string
}

// check cleans a form and says of each field what is wrong with it.
func (s *Service) check(ctx context.Context, actor, owner access.Actor, f *ScheduleForm) (c checked, err error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return c, err
	}
	if owner.UserID.IsZero() {
		return c, access.ErrForbidden
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
			f.Name = v.Dashboard.Name
		}
	}
	if utf8.RuneCountInString(f.Name) > maxName || strings.ContainsFunc(f.Name, unicode.IsControl) {
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
	if n := len(f.Users) + len(f.Addresses) + len(f.Channels); n == 0 {
		fields["users"] = "Choose at least one person or write an address."
	} else if n > maxRecipients {
		fields["users"] = fmt.Sprintf("A schedule has at most %d recipients.", maxRecipients)
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
	if err := tx.RecipientKeep(ctx, db.RecipientKeepParams{TenantID: tx.TenantID, ScheduleID: id.UUID(), Users: users, Addresses: addresses, Channels: channels}); err != nil {
		return fmt.Errorf("remove recipients: %w", err)
	}
	insert := func(user *uuid.UUID, address string, channel *uuid.UUID) error {
		if err := tx.RecipientInsert(ctx, db.RecipientInsertParams{TenantID: tx.TenantID, RecipientID: ids.New[ids.Recipient]().UUID(), ScheduleID: id.UUID(),
			UserID: user, Address: address, ChannelID: channel}); err != nil {
			return fmt.Errorf("insert recipient: %w", err)
		}
		return nil
	}
	for i := range users {
		if err := insert(&users[i], "", nil); err != nil {
			return err
		}
	}
	for i := range channels {
		if err := insert(nil, "", &channels[i]); err != nil {
			return err
		}
	}
	for _, address := range f.Addresses {
		if err := insert(nil, address, nil); err != nil {
			return err
		}
	}
	return nil
}

// startAt asks for the run that is due then. One that is no longer wanted when
// it comes does nothing.
func startAt(ctx context.Context, tx *db.Tx, id ids.Schedule, due *time.Time) error {
	if due == nil {
		return nil
	}
	_, err := jobs.Insert(ctx, tx, startJob(tx.TenantID, id, *due))
	return err
}

// startJob waits for a moment of a schedule.
func startJob(tenant uuid.UUID, id ids.Schedule, due time.Time) jobs.Row {
	return jobs.Row{TenantID: tenant, Args: StartArgs{Schedule: id, DueAt: due.UTC()}, RunAt: due, UniqueKey: startKey(id, due)}
}

// startKey is that of the job for a moment of a schedule.
func startKey(id ids.Schedule, due time.Time) string {
	return id.String() + " " + due.UTC().Format(time.RFC3339)
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
	if err := access.Can(actor, access.EditContent); err != nil {
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
		if one.Owner != actor.UserID && !seesAll(actor) {
			return ErrScheduleNotFound
		}
		list := []Schedule{one}
		if err := fill(ctx, tx, list, runsListed); err != nil {
			return err
		}
		one = list[0]
		return nil
	})
	return one, err
}

// GetSchedule reads one with its recipients and newest runs.
//
// Errors: access.forbidden, reports.schedule_not_found.
func (s *Service) GetSchedule(ctx context.Context, actor access.Actor, id ids.Schedule) (Schedule, error) {
	return s.schedule(ctx, actor, id)
}

// ListSchedules reads the actor's own by name, or all of the workspace for who
// manages it, each with its newest run.
//
// Errors: access.forbidden.
func (s *Service) ListSchedules(ctx context.Context, actor access.Actor) ([]Schedule, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return nil, err
	}
	var only *uuid.UUID
	if !seesAll(actor) {
		own := actor.UserID.UUID()
		only = &own
	}
	var list []Schedule
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.ScheduleList(ctx, tx.TenantID, only)
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
		PausedWhy: row.PausedWhy, PausedBy: row.PausedByName,
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
		r := ScheduleRecipient{Name: row.Name, Address: row.Address, Unsubscribed: row.UnsubscribedAt != nil, Left: row.Removed}
		one := at[row.ScheduleID]
		if row.UserID != nil {
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
		l := Line{ID: ids.Delivery(row.DeliveryID), Name: row.Name, Address: row.Address, State: LineState(row.State), Answer: row.Answer,
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

// change runs work on a schedule that the actor may change.
func (s *Service) change(ctx context.Context, actor access.Actor, id ids.Schedule, action string, work func(context.Context, *db.Tx, db.ScheduleLockRow) error) error {
	if _, err := s.schedule(ctx, actor, id); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.ScheduleLock(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return gone(err)
		}
		if err := work(ctx, tx, row); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: action, Target: "schedule", ID: id.String()})
	})
}

// PauseSchedule stops it until somebody resumes it.
//
// Errors: access.forbidden, reports.schedule_not_found.
func (s *Service) PauseSchedule(ctx context.Context, actor access.Actor, id ids.Schedule) error {
	return s.change(ctx, actor, id, "report.schedule_paused", func(ctx context.Context, tx *db.Tx, _ db.ScheduleLockRow) error {
		return pause(ctx, tx, id, &actor.UserID, "person")
	})
}

func pause(ctx context.Context, tx *db.Tx, id ids.Schedule, by *ids.User, why string) error {
	var person *uuid.UUID
	if by != nil && !by.IsZero() {
		key := by.UUID()
		person = &key
	}
	if _, err := tx.SchedulePause(ctx, db.SchedulePauseParams{TenantID: tx.TenantID, ScheduleID: id.UUID(), PausedBy: person, Why: why}); err != nil {
		return fmt.Errorf("pause schedule: %w", err)
	}
	return nil
}

// ResumeSchedule lets it run again; what was missed meanwhile is not made up
// for. Where its owner left, it becomes the actor's.
//
// Errors: access.forbidden, reports.schedule_not_found, those of opening the
// dashboard.
func (s *Service) ResumeSchedule(ctx context.Context, actor access.Actor, id ids.Schedule) error {
	old, err := s.schedule(ctx, actor, id)
	if err != nil {
		return err
	}
	owner, err := s.ownerOf(ctx, actor.TenantID, old.Owner)
	if err != nil && !errors.Is(err, errOwnerLeft) {
		return err
	}
	if errors.Is(err, errOwnerLeft) {
		if actor.UserID.IsZero() {
			return access.ErrForbidden
		}
		owner = actor
	}
	v, _, err := s.bind(ctx, owner, old.Dashboard, &old.Spec)
	if err != nil {
		return err
	}
	zone, err := s.zone(ctx, actor, old.Zone)
	if err != nil {
		return err
	}
	return s.change(ctx, actor, id, "report.schedule_resumed", func(ctx context.Context, tx *db.Tx, row db.ScheduleLockRow) error {
		if row.PausedAt == nil {
			return nil
		}
		next, err := nextOf(row, s.deps.Clock(), zone)
		if err != nil {
			return err
		}
		if _, err := tx.ScheduleResume(ctx, db.ScheduleResumeParams{TenantID: tx.TenantID, ScheduleID: id.UUID(), NextAt: next, Seen: v.Snapshot.String(), OwnerID: owner.UserID.UUID()}); err != nil {
			return fmt.Errorf("resume schedule: %w", err)
		}
		return startAt(ctx, tx, id, next)
	})
}

// nextOf is when a schedule is due after a moment; nil for one that waits for
// data.
func nextOf(row db.ScheduleLockRow, after time.Time, zone *time.Location) (*time.Time, error) {
	if row.OnData {
		return nil, nil
	}
	rule, err := ParseRule(row.Rule)
	if err != nil {
		return nil, err
	}
	next := rule.Next(after, zone)
	return &next, nil
}

// DeleteSchedule removes it with its history and files.
//
// Errors: access.forbidden, reports.schedule_not_found.
func (s *Service) DeleteSchedule(ctx context.Context, actor access.Actor, id ids.Schedule) error {
	var files []db.ContentListOfScheduleRow
	err := s.change(ctx, actor, id, "report.schedule_deleted", func(ctx context.Context, tx *db.Tx, _ db.ScheduleLockRow) (err error) {
		if files, err = tx.ContentListOfSchedule(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("list files: %w", err)
		}
		if _, err := tx.ScheduleDelete(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("delete schedule: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := s.removeFiles(ctx, f.Key, f.PictureKey); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) removeFiles(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if key == "" {
			continue
		}
		if err := s.deps.Blobs.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// SendNow runs a schedule once more: for all its recipients, or as a test for
// the actor alone, who then gets what they see themselves.
//
// Errors: access.forbidden, reports.schedule_not_found, reports.schedule_paused
// unless it is a test.
func (s *Service) SendNow(ctx context.Context, actor access.Actor, id ids.Schedule, test bool) error {
	if actor.UserID.IsZero() {
		return access.ErrForbidden
	}
	return s.change(ctx, actor, id, "report.sent_now", func(ctx context.Context, tx *db.Tx, row db.ScheduleLockRow) error {
		if row.PausedAt != nil && !test {
			return ErrSchedulePaused
		}
		cause := "person"
		if test {
			cause = "test"
		}
		by := actor.UserID.UUID()
		_, err := s.insertRun(ctx, tx, db.RunInsertParams{ScheduleID: id.UUID(), Slot: cause + ":" + uuid.NewString(), Cause: cause, AskedBy: &by, DueAt: s.deps.Clock()})
		return err
	})
}

// insertRun adds the run of a slot and its job, once; false where it was there.
func (s *Service) insertRun(ctx context.Context, tx *db.Tx, run db.RunInsertParams) (bool, error) {
	id := ids.New[ids.Run]()
	run.TenantID, run.RunID = tx.TenantID, id.UUID()
	n, err := tx.RunInsert(ctx, run)
	if err != nil {
		return false, fmt.Errorf("insert run: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	_, err = jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: RunArgs{Run: id}, Queue: jobs.Bulk})
	return true, err
}

// RetryDelivery sends once more what did not arrive, or may not have.
//
// Errors: access.forbidden, reports.schedule_not_found.
func (s *Service) RetryDelivery(ctx context.Context, actor access.Actor, id ids.Schedule, line ids.Delivery) error {
	return s.change(ctx, actor, id, "report.retried", func(ctx context.Context, tx *db.Tx, _ db.ScheduleLockRow) error {
		found, err := tx.LedgerGet(ctx, tx.TenantID, line.UUID())
		if err != nil || found.ScheduleID != id.UUID() {
			return ErrScheduleNotFound.Wrap(err)
		}
		row, err := tx.LedgerRetry(ctx, tx.TenantID, line.UUID())
		if db.IsNoRows(err) {
			return nil // it is on its way
		}
		if err != nil {
			return fmt.Errorf("retry delivery: %w", err)
		}
		state, args, queue := RunSending, jobs.Args(DeliverArgs{Delivery: line}), jobs.Short
		if row.State == string(LineDue) {
			state, args, queue = RunDue, RunArgs{Run: ids.Run(row.RunID)}, jobs.Bulk
		}
		if err := tx.RunSetState(ctx, db.RunSetStateParams{TenantID: tx.TenantID, RunID: row.RunID, State: state}); err != nil {
			return fmt.Errorf("open run: %w", err)
		}
		_, err = jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: args, Queue: queue})
		return err
	})
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

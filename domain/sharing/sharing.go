// Package sharing says who within a workspace may see and change a folder, a
// dashboard or a dataset, and keeps the groups of people. What it writes down is
// read by the database: row-level security walls off what is not shared.
package sharing

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/events"
)

// What can go wrong.
var (
	// ErrNotFound also covers what is in another workspace, and what the actor
	// may not see.
	ErrNotFound = apperr.Define(apperr.NotFound, "sharing.not_found",
		"This does not exist or was removed.")
	ErrSubject = apperr.Define(apperr.Invalid, "sharing.nobody",
		"There is no such person, group or role in this workspace.")
	ErrOwnAccess = apperr.Define(apperr.Conflict, "sharing.own_access",
		"This would take your own access away. Ask the owner, or an admin of the workspace, to do it.")
	ErrGroupNotFound = apperr.Define(apperr.NotFound, "sharing.group_not_found",
		"This group does not exist or was removed.")
	ErrGroupName = apperr.Define(apperr.Invalid, "sharing.group_name_invalid",
		"A group's name has 1 to 80 characters.")
	ErrGroupRuled = apperr.Define(apperr.Conflict, "sharing.group_ruled",
		"Rules of datasets are for this group, or except it. Take it out of them first, so that nobody sees more by its removal.")
	ErrGroupTaken = apperr.Define(apperr.Conflict, "sharing.group_name_taken",
		"A group with this name exists already.")
)

// Kind is what is shared.
type Kind string

// The kinds.
const (
	Folder    Kind = "folder"
	Dashboard Kind = "dashboard"
	Dataset   Kind = "dataset"
)

// Object names what is shared.
type Object struct {
	Kind Kind
	ID   uuid.UUID
}

// Subject is whom something is shared with: one of the three.
type Subject struct {
	User  ids.User
	Group ids.Group
	Role  access.Role // Viewer is everybody, Editor all whose role is at least that
}

// ID is the subject in lists of readers and writers.
func (s Subject) ID() uuid.UUID {
	switch {
	case !s.User.IsZero():
		return s.User.UUID()
	case !s.Group.IsZero():
		return s.Group.UUID()
	case s.Role == access.Editor:
		return access.Editors
	case s.Role == access.Viewer:
		return access.Viewers
	}
	return uuid.Nil
}

// Grant is what one subject may do.
type Grant struct {
	Subject Subject
	Name    string // of the person or group
	Email   string
	Members int  // of a group
	Edit    bool // else view
	// Capped tells that the person's role lets them view only.
	Capped bool
}

// Source is where grants come from besides the object itself.
type Source struct {
	Folder     ids.Folder
	Name       string
	Restricted bool
	Owner      string // who made the folder; may be empty
	Grants     []Grant
}

// Sheet is how an object is shared, as its dialog shows it.
type Sheet struct {
	Object     Object
	Name       string
	Owner      string // name; empty where nobody owns it
	Restricted bool   // by itself: what its folder says does not count
	// Everybody tells that the whole workspace sees it, as far as roles go.
	Everybody bool
	People    int // who see it
	Grants    []Grant
	// Inherited are the folders above that count, the nearest first.
	Inherited []Source
	CanShare  bool
}

// Service is safe for concurrent use.
type Service struct {
	db   *db.DB
	tell *notify.Service
}

// New makes the service. With a nil tell nobody hears of what is shared with them.
func New(d *db.DB, tell *notify.Service) *Service { return &Service{db: d, tell: tell} }

// shared is the row of an object.
type shared struct {
	name       string
	folder     *uuid.UUID
	owner      *uuid.UUID
	ownerName  string
	restricted bool
	access     access.Object
}

func (k Kind) permission() access.Permission {
	if k == Dataset {
		return access.ManageData
	}
	return access.EditContent
}

func read(ctx context.Context, tx *db.Tx, o Object) (shared, error) {
	var s shared
	var err error
	switch o.Kind {
	case Folder:
		var r db.SharedFolderRow
		r, err = tx.SharedFolder(ctx, tx.TenantID, o.ID)
		s = shared{r.Name, r.FolderID, r.OwnerID, r.OwnerName, r.Restricted, access.Object{ID: o.ID, Readers: r.Readers, Writers: r.Writers}}
	case Dashboard:
		var r db.SharedDashboardRow
		r, err = tx.SharedDashboard(ctx, tx.TenantID, o.ID)
		s = shared{r.Name, r.FolderID, r.OwnerID, r.OwnerName, r.Restricted, access.Object{ID: o.ID, Readers: r.Readers, Writers: r.Writers}}
	case Dataset:
		var r db.SharedDatasetRow
		r, err = tx.SharedDataset(ctx, tx.TenantID, o.ID)
		s = shared{r.Name, nil, r.OwnerID, r.OwnerName, r.Restricted, access.Object{ID: o.ID, Readers: r.Readers, Writers: r.Writers}}
	default:
		return shared{}, ErrNotFound
	}
	if db.IsNoRows(err) {
		return shared{}, ErrNotFound.Wrap(err)
	}
	if err != nil {
		return shared{}, fmt.Errorf("read how %s %s is shared: %w", o.Kind, o.ID, err)
	}
	return s, nil
}

func grants(ctx context.Context, tx *db.Tx, id uuid.UUID) ([]Grant, error) {
	rows, err := tx.GrantList(ctx, tx.TenantID, id)
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	var list []Grant
	for _, r := range rows {
		g := Grant{Name: r.Name, Email: r.Email, Members: int(r.Members), Edit: r.Edit}
		switch {
		case r.UserID != nil:
			g.Subject.User = ids.User(*r.UserID)
			g.Capped = r.Edit && access.Role(r.UserRole) == access.Viewer
		case r.GroupID != nil:
			g.Subject.Group = ids.Group(*r.GroupID)
		case r.Role != nil:
			g.Subject.Role = access.Role(*r.Role)
			g.Capped = r.Edit && g.Subject.Role == access.Viewer
		}
		list = append(list, g)
	}
	return list, nil
}

// Get reads how an object is shared. Folders above that the actor may not see
// are told of without their names.
//
// Errors: sharing.not_found.
func (s *Service) Get(ctx context.Context, actor access.Actor, o Object) (Sheet, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Sheet{}, err
	}
	var sheet Sheet
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		row, err := read(ctx, tx, o)
		if err != nil {
			return err
		}
		sheet = Sheet{Object: o, Name: row.name, Owner: row.ownerName, Restricted: row.restricted, Everybody: row.access.Readers == nil,
			CanShare: access.Can(actor, o.Kind.permission(), row.access) == nil}
		if sheet.Grants, err = grants(ctx, tx, o.ID); err != nil {
			return err
		}
		people, err := readers(ctx, tx, row.access.Readers)
		if err != nil {
			return err
		}
		sheet.People = len(people)
		if row.restricted || row.access.Readers == nil {
			return nil
		}
		for folder, depth := row.folder, 0; folder != nil && depth < 64; depth++ {
			above, err := tx.SharedFolder(ctx, tx.TenantID, *folder)
			if db.IsNoRows(err) {
				sheet.Inherited = append(sheet.Inherited, Source{Restricted: true})
				return nil
			}
			if err != nil {
				return fmt.Errorf("read folder %s: %w", *folder, err)
			}
			source := Source{Folder: ids.Folder(*folder), Name: above.Name, Restricted: above.Restricted, Owner: above.OwnerName}
			if source.Grants, err = grants(ctx, tx, *folder); err != nil {
				return err
			}
			sheet.Inherited = append(sheet.Inherited, source)
			if above.Restricted {
				return nil
			}
			folder = above.FolderID
		}
		return nil
	})
	return sheet, err
}

// Restrict says whether only the owner and those with a grant see an object,
// or those who see its folder; without one, the whole workspace.
//
// Errors: sharing.not_found, access.forbidden, access.view_only.
func (s *Service) Restrict(ctx context.Context, actor access.Actor, o Object, restricted bool) error {
	action := "sharing.opened"
	if restricted {
		action = "sharing.restricted"
	}
	return s.change(ctx, actor, o, action, nil, func(ctx context.Context, tx *db.Tx, row shared) error {
		// Who restricts something keeps it.
		if restricted && actor.Subjects() != nil && (row.owner == nil || *row.owner != actor.UserID.UUID()) {
			if err := save(ctx, tx, o, Subject{User: actor.UserID}, true); err != nil {
				return err
			}
		}
		if row.restricted == restricted {
			return nil
		}
		if err := restrict(ctx, tx, o, restricted); err != nil {
			return err
		}
		return logDeed(ctx, tx, actor, o.ID, deed{Kind: o.Kind, Restricted: row.restricted}, deed{Kind: o.Kind, Restricted: restricted})
	})
}

func restrict(ctx context.Context, tx *db.Tx, o Object, restricted bool) error {
	var err error
	switch o.Kind {
	case Folder:
		_, err = tx.FolderRestrict(ctx, restricted, tx.TenantID, o.ID)
	case Dashboard:
		_, err = tx.DashboardRestrict(ctx, restricted, tx.TenantID, o.ID)
	case Dataset:
		_, err = tx.DatasetRestrict(ctx, restricted, tx.TenantID, o.ID)
	}
	return err
}

// Share lets a subject view or edit an object.
//
// Errors: sharing.not_found, sharing.nobody, sharing.own_access,
// access.forbidden, access.view_only.
func (s *Service) Share(ctx context.Context, actor access.Actor, o Object, to Subject, edit bool) error {
	detail := map[string]any{"subject": to.ID().String(), "edit": edit}
	return s.change(ctx, actor, o, "sharing.granted", detail, func(ctx context.Context, tx *db.Tx, row shared) error {
		before, err := granted(ctx, tx, o.ID, to)
		if err != nil {
			return err
		}
		if err := save(ctx, tx, o, to, edit); err != nil {
			return err
		}
		if before == nil || *before != edit {
			if err := logDeed(ctx, tx, actor, o.ID, deedOf(o.Kind, to, before), deedOf(o.Kind, to, &edit)); err != nil {
				return err
			}
		}
		return s.announce(ctx, tx, actor, o, to, row.name)
	})
}

// announce tells the people whom something is shared with by name or by their
// group; what is shared with a role is no news to anybody in particular.
func (s *Service) announce(ctx context.Context, tx *db.Tx, actor access.Actor, o Object, to Subject, name string) error {
	// The same grant is news once, however often its level is changed.
	e := notify.Event{ID: uuid.NewSHA1(o.ID, []byte(to.ID().String())), Kind: notify.Shared, By: actor.UserID, Subject: name}
	switch o.Kind {
	case Dashboard:
		e.Dashboard, e.Path = ids.Dashboard(o.ID), "/dashboards/"+o.ID.String()
	case Dataset:
		e.Dataset, e.Path = ids.Dataset(o.ID), "/datasets/"+o.ID.String()
	case Folder:
		e.Path = "/dashboards?folder=" + o.ID.String()
	}
	switch {
	case !to.User.IsZero():
		e.To = []ids.User{to.User}
	case !to.Group.IsZero():
		members, err := tx.GroupMembers(ctx, to.Group.UUID(), tx.TenantID)
		if err != nil {
			return fmt.Errorf("list members: %w", err)
		}
		for _, m := range members {
			if m.Member {
				e.To = append(e.To, ids.User(m.UserID))
			}
		}
	}
	return s.tell.Tell(ctx, tx, e)
}

func save(ctx context.Context, tx *db.Tx, o Object, to Subject, edit bool) error {
	if to.ID() == uuid.Nil {
		return ErrSubject
	}
	p := db.GrantSaveParams{TenantID: tx.TenantID, ObjectID: o.ID, SubjectID: to.ID(), Edit: edit}
	switch o.Kind {
	case Folder:
		p.FolderID = &o.ID
	case Dashboard:
		p.DashboardID = &o.ID
	case Dataset:
		p.DatasetID = &o.ID
	}
	switch {
	case !to.User.IsZero():
		if u, err := tx.UserGet(ctx, tx.TenantID, to.User.UUID()); db.IsNoRows(err) || err == nil && u.RemovedAt != nil {
			return ErrSubject
		} else if err != nil {
			return fmt.Errorf("read user: %w", err)
		}
		p.UserID = &p.SubjectID
	case !to.Group.IsZero():
		p.GroupID = &p.SubjectID
	default:
		role := string(to.Role)
		p.Role = &role
	}
	err := tx.GrantSave(ctx, p)
	if db.IsForeignKeyViolation(err) {
		return ErrSubject.Wrap(err)
	}
	return err
}

// Unshare takes a subject's grant away.
//
// Errors: those of Share.
func (s *Service) Unshare(ctx context.Context, actor access.Actor, o Object, from Subject) error {
	detail := map[string]any{"subject": from.ID().String()}
	return s.change(ctx, actor, o, "sharing.revoked", detail, func(ctx context.Context, tx *db.Tx, _ shared) error {
		before, err := granted(ctx, tx, o.ID, from)
		if err != nil {
			return err
		}
		n, err := tx.GrantDelete(ctx, tx.TenantID, o.ID, from.ID())
		if err != nil {
			return fmt.Errorf("delete grant: %w", err)
		}
		if n == 0 {
			return ErrSubject
		}
		return logDeed(ctx, tx, actor, o.ID, deedOf(o.Kind, from, before), deedOf(o.Kind, from, nil))
	})
}

// change checks that the actor may share the object and still may afterwards.
func (s *Service) change(ctx context.Context, actor access.Actor, o Object, action string, detail map[string]any,
	work func(context.Context, *db.Tx, shared) error) error {
	if err := access.Can(actor, o.Kind.permission()); err != nil {
		return err
	}
	return s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		return s.changeIn(ctx, tx, actor, o, action, detail, work)
	})
}

func (s *Service) changeIn(ctx context.Context, tx *db.Tx, actor access.Actor, o Object, action string, detail map[string]any,
	work func(context.Context, *db.Tx, shared) error) error {
	row, err := read(ctx, tx, o)
	if err != nil {
		return err
	}
	if err := access.Can(actor, o.Kind.permission(), row.access); err != nil {
		return err
	}
	if err := work(ctx, tx, row); err != nil {
		return err
	}
	after, err := read(ctx, tx, o)
	if isKind(err, ErrNotFound) || err == nil && access.Can(actor, o.Kind.permission(), after.access) != nil {
		return ErrOwnAccess
	}
	if err != nil {
		return err
	}
	if o.Kind == Dashboard {
		// Open pages look again whether they may go on.
		if err := tx.InsertOutboxEvent(ctx, events.Event{TenantID: tx.TenantID, Kind: events.DashboardChanged, ID: o.ID}); err != nil {
			return fmt.Errorf("tell of a shared dashboard: %w", err)
		}
	}
	return audit.Record(ctx, tx, actor, audit.Entry{Action: action, Target: string(o.Kind), ID: o.ID.String(), Detail: detail})
}

// Person is somebody of the workspace.
type Person struct {
	ID    ids.User
	Name  string
	Email string
}

// readers lists the people who may see what has these readers; nil readers are
// everybody.
func readers(ctx context.Context, tx *db.Tx, list []uuid.UUID) ([]Person, error) {
	rows, err := tx.ReaderList(ctx, tx.TenantID, list)
	if err != nil {
		return nil, fmt.Errorf("list readers: %w", err)
	}
	var people []Person
	for _, r := range rows {
		people = append(people, Person{ID: ids.User(r.UserID), Name: r.Name, Email: r.Email})
	}
	return people, nil
}

// ListSubjects lists the people and groups of the workspace with which an
// object that the actor may share is not shared yet.
//
// Errors: sharing.not_found, access.forbidden, access.view_only.
func (s *Service) ListSubjects(ctx context.Context, actor access.Actor, o Object) (people []Person, groups []Group, err error) {
	if err := access.Can(actor, o.Kind.permission()); err != nil {
		return nil, nil, err
	}
	err = s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		row, err := read(ctx, tx, o)
		if err != nil {
			return err
		}
		if err := access.Can(actor, o.Kind.permission(), row.access); err != nil {
			return err
		}
		given, err := grants(ctx, tx, o.ID)
		if err != nil {
			return err
		}
		has := func(id uuid.UUID) bool {
			return slices.ContainsFunc(given, func(g Grant) bool { return g.Subject.ID() == id }) || row.owner != nil && *row.owner == id
		}
		all, err := readers(ctx, tx, nil)
		if err != nil {
			return err
		}
		for _, p := range all {
			if !has(p.ID.UUID()) {
				people = append(people, p)
			}
		}
		rows, err := tx.GroupList(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("list groups: %w", err)
		}
		for _, g := range rows {
			if !has(g.GroupID) {
				groups = append(groups, Group{ID: ids.Group(g.GroupID), Name: g.Name, Members: int(g.Members)})
			}
		}
		return nil
	})
	return people, groups, err
}

package dashboards

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// maxFolderDepth is how many folders lie one in another.
const maxFolderDepth = 8

// folderTree orders folders so that each is followed by those in it.
func folderTree(actor access.Actor, rows []db.FolderListRow) []Folder {
	children := map[ids.Folder][]Folder{}
	seen := map[ids.Folder]bool{}
	for _, row := range rows {
		seen[ids.Folder(row.FolderID)] = true
	}
	for _, row := range rows {
		f := Folder{ID: ids.Folder(row.FolderID), Name: row.Name, Parent: idOf[ids.Folder](row.ParentID), Dashboards: int(row.Dashboards),
			Restricted: row.Restricted, Access: access.Object{ID: row.FolderID, Readers: row.Readers, Writers: row.Writers}}
		f.CanEdit = access.Can(actor, access.EditContent, f.Access) == nil
		if !seen[f.Parent] {
			f.Parent = ids.Folder{}
		}
		children[f.Parent] = append(children[f.Parent], f)
	}
	list := make([]Folder, 0, len(rows))
	var add func(parent ids.Folder, depth int)
	add = func(parent ids.Folder, depth int) {
		for _, f := range children[parent] {
			f.Depth = depth
			list = append(list, f)
			add(f.ID, depth+1)
		}
	}
	add(ids.Folder{}, 0)
	return list
}

// CreateFolder adds a folder in another one, or at the top.
//
// Errors: dashboards.folder_name_invalid, dashboards.folder_name_taken,
// dashboards.folder_not_found, dashboards.folder_too_deep, access.view_only.
func (s *Service) CreateFolder(ctx context.Context, actor access.Actor, parent ids.Folder, name string) (Folder, error) {
	name, err := cleanFolder(name)
	if err != nil {
		return Folder{}, err
	}
	folder := Folder{ID: ids.New[ids.Folder](), Name: name, Parent: parent, CanEdit: true}
	err = s.folders(ctx, actor, "folder.create", folder.ID, func(ctx context.Context, tx *db.Tx) (int64, error) {
		if err := s.below(ctx, tx, parent, folder.ID, 1); err != nil {
			return 0, err
		}
		return s.do(ctx, tx, actor, "folder", folder.ID.UUID(), nil, folderValue{Name: name, User: optional(actor.UserID), Parent: optional(parent)})
	})
	return folder, err
}

// RenameFolder changes a folder's name.
//
// Errors: dashboards.folder_not_found, dashboards.folder_name_invalid,
// dashboards.folder_name_taken, access.view_only.
func (s *Service) RenameFolder(ctx context.Context, actor access.Actor, id ids.Folder, name string) error {
	name, err := cleanFolder(name)
	if err != nil {
		return err
	}
	return s.folders(ctx, actor, "folder.rename", id, func(ctx context.Context, tx *db.Tx) (int64, error) {
		before, err := lockFolder(ctx, tx, id)
		if err != nil {
			return 0, err
		}
		return s.do(ctx, tx, actor, "folder.name", id.UUID(), before.Name, name)
	})
}

// MoveFolder puts a folder, with all that lies in it, into another one; the
// zero folder is the top.
//
// Errors: dashboards.folder_not_found, dashboards.folder_inside_itself,
// dashboards.folder_too_deep, dashboards.folder_name_taken, access.view_only.
func (s *Service) MoveFolder(ctx context.Context, actor access.Actor, id, parent ids.Folder) error {
	return s.folders(ctx, actor, "folder.move", id, func(ctx context.Context, tx *db.Tx) (int64, error) {
		before, err := lockFolder(ctx, tx, id)
		if err != nil {
			return 0, err
		}
		if idOf[ids.Folder](before.ParentID) == parent {
			return 1, nil
		}
		height, err := tx.FolderHeight(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return 0, fmt.Errorf("measure folder: %w", err)
		}
		if err := s.below(ctx, tx, parent, id, int(height)); err != nil {
			return 0, err
		}
		return s.do(ctx, tx, actor, "folder.parent", id.UUID(), idValue(idOf[ids.Folder](before.ParentID)), idValue(parent))
	})
}

// DeleteFolder removes a folder; what lies in it then lies where it lay. One
// that is restricted has to be empty.
//
// Errors: dashboards.folder_not_found, dashboards.folder_restricted,
// dashboards.folder_name_taken, access.view_only.
func (s *Service) DeleteFolder(ctx context.Context, actor access.Actor, id ids.Folder) error {
	return s.folders(ctx, actor, "folder.delete", id, func(ctx context.Context, tx *db.Tx) (int64, error) {
		if _, err := lockFolder(ctx, tx, id); err != nil {
			return 0, err
		}
		before, err := tx.FolderContent(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return 0, err
		}
		value := folderValue{Name: before.Name, User: before.UserID, Parent: before.ParentID, Restricted: before.Restricted,
			Dashboards: before.DashboardIds, Folders: before.FolderIds}
		grants, err := tx.GrantList(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return 0, fmt.Errorf("read grants: %w", err)
		}
		for _, g := range grants {
			value.Grants = append(value.Grants, grantValue{Subject: g.SubjectID, User: g.UserID, Group: g.GroupID, Role: g.Role, Edit: g.Edit})
		}
		return s.do(ctx, tx, actor, "folder", id.UUID(), value, nil)
	})
}

// below checks that a folder, which has so many levels, can lie in another one.
// It keeps others from moving folders until the end of the transaction.
func (s *Service) below(ctx context.Context, tx *db.Tx, parent, id ids.Folder, height int) error {
	if parent.IsZero() {
		return nil
	}
	if err := tx.FolderTreeLock(ctx, tx.TenantID.String()); err != nil {
		return fmt.Errorf("lock folders: %w", err)
	}
	if err := intoFolder(ctx, tx, parent); err != nil {
		return err
	}
	above, err := tx.FolderAncestors(ctx, tx.TenantID, parent.UUID())
	if err != nil {
		return fmt.Errorf("read folders: %w", err)
	}
	for _, a := range above {
		if a == id.UUID() {
			return ErrFolderInside
		}
	}
	if len(above)+height > maxFolderDepth {
		return ErrFolderDeep
	}
	return nil
}

// intoFolder checks that the actor of the transaction may put something into a
// folder; the zero folder is the top, where everybody may.
func intoFolder(ctx context.Context, tx *db.Tx, id ids.Folder) error {
	if id.IsZero() {
		return nil
	}
	_, err := lockFolder(ctx, tx, id)
	return err
}

// lockFolder reads a folder that is about to be changed.
//
// Errors: dashboards.folder_not_found, access.view_only.
func lockFolder(ctx context.Context, tx *db.Tx, id ids.Folder) (db.FolderLockRow, error) {
	row, err := tx.FolderLock(ctx, tx.TenantID, id.UUID())
	if !db.IsNoRows(err) {
		return row, err
	}
	if _, err := tx.FolderGet(ctx, tx.TenantID, id.UUID()); db.IsNoRows(err) {
		return row, ErrFolderNotFound.Wrap(err)
	} else if err != nil {
		return row, fmt.Errorf("read folder %s: %w", id, err)
	}
	return row, access.ErrViewOnly
}

// unchangeable says why a change of the actor of the transaction found no
// dashboard: it is not there for them, or they may view it only.
func unchangeable(ctx context.Context, tx *db.Tx, id ids.Dashboard) error {
	shared, err := tx.SharedDashboard(ctx, tx.TenantID, id.UUID())
	switch {
	case db.IsNoRows(err):
		return ErrNotFound.Wrap(err)
	case err != nil:
		return fmt.Errorf("read dashboard %s: %w", id, err)
	case shared.Changeable:
		return ErrNotFound // not as the change wanted it
	}
	return access.ErrViewOnly
}

func (s *Service) folders(ctx context.Context, actor access.Actor, action string, id ids.Folder, work func(context.Context, *db.Tx) (int64, error)) error {
	if err := access.Can(actor, access.EditContent); err != nil {
		return err
	}
	return s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		n, err := work(ctx, tx)
		if index, taken := db.IsUniqueViolation(err); taken && index == "folders_name_idx" {
			return ErrFolderTaken.WithFields(map[string]string{"name": ErrFolderTaken.Sentence()})
		}
		if err != nil {
			return fmt.Errorf("%s: %w", action, err)
		}
		if n == 0 {
			return ErrFolderNotFound
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: action, Target: "folder", ID: id.String()})
	})
}

func cleanFolder(name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	if problem := plaintext.Problem(name, 80, ErrFolderName.Sentence()); problem != "" {
		return "", ErrFolderName.WithFields(map[string]string{"name": problem})
	}
	return name, nil
}

// folderValue is a folder in the log of the workspace, with what lay in it when
// it was deleted.
type folderValue struct {
	Name       string       `json:"name"`
	User       *uuid.UUID   `json:"user,omitempty"`
	Parent     *uuid.UUID   `json:"parent,omitempty"`
	Restricted bool         `json:"restricted,omitempty"`
	Grants     []grantValue `json:"grants,omitempty"`
	Dashboards []uuid.UUID  `json:"dashboards,omitempty"`
	Folders    []uuid.UUID  `json:"folders,omitempty"`
}

type grantValue struct {
	Subject uuid.UUID  `json:"subject"`
	User    *uuid.UUID `json:"user,omitempty"`
	Group   *uuid.UUID `json:"group,omitempty"`
	Role    *string    `json:"role,omitempty"`
	Edit    bool       `json:"edit,omitempty"`
}

// putFolder takes a folder away, or brings it back as it was.
func (s *Service) putFolder(ctx context.Context, tx *db.Tx, id uuid.UUID, f *folderValue) (int64, error) {
	if f == nil {
		current, err := tx.FolderContent(ctx, tx.TenantID, id)
		if db.IsNoRows(err) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		// What lies in it would be everybody's.
		if current.Restricted && len(current.DashboardIds)+len(current.FolderIds) > 0 {
			return 0, ErrFolderRestricted
		}
		if err := tx.FolderEmpty(ctx, current.ParentID, tx.TenantID, &id); err != nil {
			return 0, err
		}
		return tx.FolderDelete(ctx, tx.TenantID, id)
	}
	parent := f.Parent
	if parent != nil {
		if err := intoFolder(ctx, tx, ids.Folder(*parent)); err != nil {
			return 0, err // at the top it might be everybody's
		}
	}
	if err := tx.FolderInsert(ctx, db.FolderInsertParams{TenantID: tx.TenantID, FolderID: id, ParentID: parent, Name: f.Name, UserID: f.User,
		Restricted: f.Restricted, Now: s.clock()}); err != nil {
		return 0, err
	}
	for _, g := range f.Grants {
		if err := tx.GrantSave(ctx, db.GrantSaveParams{TenantID: tx.TenantID, ObjectID: id, SubjectID: g.Subject, FolderID: &id, UserID: g.User, GroupID: g.Group, Role: g.Role, Edit: g.Edit}); err != nil {
			return 0, err
		}
	}
	return 1, tx.FolderRefill(ctx, db.FolderRefillParams{TenantID: tx.TenantID, FolderID: id, ParentID: f.Parent, FolderIds: orEmpty(f.Folders), DashboardIds: orEmpty(f.Dashboards)})
}

func orEmpty(list []uuid.UUID) []uuid.UUID {
	if list == nil {
		return []uuid.UUID{}
	}
	return list
}

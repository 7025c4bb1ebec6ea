package dashboards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/events"
)

// The workspace has a log of its own: what people did to dashboards and
// folders as wholes. Like that of a dashboard it is append-only, and each
// person takes back their own.

// ErrDeedOver tells that something can't be taken back any more.
var ErrDeedOver = apperr.Define(apperr.Conflict, "dashboards.deed_over",
	"This can't be taken back any more: what it was done to is gone, or was changed by somebody else since.")

// deedKind says how one kind of deed is done and taken back.
type deedKind struct {
	// put makes the object what value says; it answers 0 where that is not
	// possible any more.
	put func(ctx context.Context, s *Service, tx *db.Tx, id uuid.UUID, value json.RawMessage) (int64, error)
	// now is the value that put would change; nil where it is there or not, and
	// nothing else.
	now func(ctx context.Context, tx *db.Tx, id uuid.UUID) (any, error)
}

// isAs tells whether the object still is as a deed left it.
func (k deedKind) isAs(ctx context.Context, tx *db.Tx, id uuid.UUID, left json.RawMessage) (bool, error) {
	if k.now == nil {
		return true, nil
	}
	now, err := k.now(ctx, tx, id)
	if db.IsNoRows(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read what was changed: %w", err)
	}
	raw, err := json.Marshal(now)
	if err != nil {
		return false, fmt.Errorf("write what was changed: %w", err)
	}
	a, errA := decodeValue(raw)
	b, errB := decodeValue(left)
	return errA == nil && errB == nil && sameJSON(a, b), nil
}

// deedKinds are the kinds of entries. Before and after of an entry are what
// put takes; no value means that the object is not there.
var deedKinds = map[string]deedKind{
	"dashboard": {put: func(ctx context.Context, s *Service, tx *db.Tx, id uuid.UUID, value json.RawMessage) (int64, error) {
		if len(value) == 0 {
			n, err := tx.DashboardDelete(ctx, ptr(s.clock()), tx.TenantID, id)
			if err != nil || n == 0 {
				return n, err
			}
			return n, tx.InsertOutboxEvent(ctx, events.Event{TenantID: tx.TenantID, Kind: events.DashboardDeleted, ID: id})
		}
		return tx.DashboardUndelete(ctx, tx.TenantID, id)
	}},
	"template": {put: func(ctx context.Context, s *Service, tx *db.Tx, id uuid.UUID, value json.RawMessage) (int64, error) {
		if len(value) == 0 {
			return tx.TemplateDelete(ctx, ptr(s.clock()), tx.TenantID, id)
		}
		return tx.TemplateUndelete(ctx, tx.TenantID, id)
	}},
	"dashboard.folder": {put: func(ctx context.Context, _ *Service, tx *db.Tx, id uuid.UUID, value json.RawMessage) (int64, error) {
		var folder *uuid.UUID
		if err := json.Unmarshal(value, &folder); err != nil {
			return 0, err
		}
		if folder != nil {
			if err := intoFolder(ctx, tx, ids.Folder(*folder)); err != nil {
				return 0, err
			}
		}
		n, err := tx.DashboardSetFolder(ctx, folder, tx.TenantID, id)
		if db.IsForeignKeyViolation(err) {
			return 0, ErrFolderNotFound.Wrap(err)
		}
		return n, err
	}, now: func(ctx context.Context, tx *db.Tx, id uuid.UUID) (any, error) {
		row, err := tx.DashboardPlace(ctx, tx.TenantID, id)
		return row.FolderID, err
	}},
	"dashboard.tags": {put: func(ctx context.Context, _ *Service, tx *db.Tx, id uuid.UUID, value json.RawMessage) (int64, error) {
		var tags []string
		if err := json.Unmarshal(value, &tags); err != nil {
			return 0, err
		}
		return setTags(ctx, tx, id, tags)
	}, now: func(ctx context.Context, tx *db.Tx, id uuid.UUID) (any, error) {
		row, err := tx.DashboardPlace(ctx, tx.TenantID, id)
		return row.Tags, err
	}},
	"folder.name": {put: func(ctx context.Context, _ *Service, tx *db.Tx, id uuid.UUID, value json.RawMessage) (int64, error) {
		var name string
		if err := json.Unmarshal(value, &name); err != nil {
			return 0, err
		}
		return tx.FolderRename(ctx, name, tx.TenantID, id)
	}, now: func(ctx context.Context, tx *db.Tx, id uuid.UUID) (any, error) {
		row, err := tx.FolderGet(ctx, tx.TenantID, id)
		return row.Name, err
	}},
	"folder": {put: func(ctx context.Context, s *Service, tx *db.Tx, id uuid.UUID, value json.RawMessage) (int64, error) {
		if len(value) == 0 {
			return s.putFolder(ctx, tx, id, nil)
		}
		var f folderValue
		if err := json.Unmarshal(value, &f); err != nil {
			return 0, err
		}
		return s.putFolder(ctx, tx, id, &f)
	}},
	"folder.parent": {put: func(ctx context.Context, s *Service, tx *db.Tx, id uuid.UUID, value json.RawMessage) (int64, error) {
		var parent *uuid.UUID
		if err := json.Unmarshal(value, &parent); err != nil {
			return 0, err
		}
		if parent != nil {
			// Undo too must not make a circle, nor reach into what is not theirs.
			if err := s.below(ctx, tx, ids.Folder(*parent), ids.Folder(id), 1); err != nil {
				return 0, err
			}
		}
		return tx.FolderMove(ctx, parent, tx.TenantID, id)
	}, now: func(ctx context.Context, tx *db.Tx, id uuid.UUID) (any, error) {
		row, err := tx.FolderGet(ctx, tx.TenantID, id)
		return row.ParentID, err
	}},
}

// do does a deed and logs it. Before and after are nil where the object is not
// there.
func (s *Service) do(ctx context.Context, tx *db.Tx, actor access.Actor, kind string, id uuid.UUID, before, after any) (int64, error) {
	entry := db.WorkspaceOperationInsertParams{TenantID: tx.TenantID, OpID: uuid.Must(uuid.NewV7()), Kind: kind, ObjectID: id,
		UserID: optional(actor.UserID), Now: s.clock()}
	var err error
	if entry.Before, err = valueOf(before); err != nil {
		return 0, err
	}
	if entry.After, err = valueOf(after); err != nil {
		return 0, err
	}
	n, err := deedKinds[kind].put(ctx, s, tx, id, entry.After)
	if err != nil || n == 0 {
		return n, err
	}
	return n, s.logDeed(ctx, tx, entry)
}

func (s *Service) logDeed(ctx context.Context, tx *db.Tx, entry db.WorkspaceOperationInsertParams) error {
	if err := tx.WorkspaceOperationInsert(ctx, entry); err != nil {
		return fmt.Errorf("log what was done: %w", err)
	}
	return nil
}

func valueOf(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write what was done: %w", err)
	}
	return raw, nil
}

// DeedShare is the kind of what package sharing does.
const DeedShare = "share"

// Done is a deed that was taken back or done again.
type Done struct {
	// Kind is "dashboard", "dashboard.folder", "dashboard.tags", "folder",
	// "folder.name", "folder.parent", "template" or DeedShare; Gone tells that
	// the object is not there now.
	Kind string
	Name string // of the dashboard or folder
	Gone bool
}

// UndoDeed takes back the last thing that the actor did to a dashboard or
// folder as a whole; RedoDeed does it again.
//
// Errors: dashboards.nothing_to_undo, dashboards.deed_over,
// dashboards.folder_name_taken.
func (s *Service) UndoDeed(ctx context.Context, actor access.Actor) (Done, error) {
	return s.takeBackDeed(ctx, actor, false, ErrNothingToUndo)
}

// RedoDeed does again what UndoDeed took back last.
//
// Errors: dashboards.nothing_to_redo and those of UndoDeed.
func (s *Service) RedoDeed(ctx context.Context, actor access.Actor) (Done, error) {
	return s.takeBackDeed(ctx, actor, true, ErrNothingToRedo)
}

func (s *Service) takeBackDeed(ctx context.Context, actor access.Actor, undone bool, nothing *apperr.Kind) (Done, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return Done{}, err
	}
	var done Done
	over := false
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		last, err := deedsOf(tx, actor).top(ctx, undone)
		if err != nil {
			return err
		}
		if last == uuid.Nil {
			return nothing
		}
		row, err := tx.WorkspaceOperationGet(ctx, tx.TenantID, optional(actor.UserID), last)
		if err != nil {
			return fmt.Errorf("read what was done: %w", err)
		}
		done = Done{Kind: row.Kind, Gone: len(row.Before) == 0}
		if done.Name, err = deedName(ctx, tx, row.ObjectID, row.Before, row.After); err != nil {
			return err
		}
		back, err := s.putBack(ctx, tx, actor, row)
		if _, taken := db.IsUniqueViolation(err); taken {
			return ErrFolderTaken.Wrap(err)
		}
		if err != nil {
			return err
		}
		// The log says so even where nothing could be taken back any more, or
		// undo would stay at this deed for ever.
		over = !back
		if !over {
			target, _, _ := strings.Cut(row.Kind, ".")
			if err := audit.Record(ctx, tx, actor, audit.Entry{Action: "folder.undone", Target: target, ID: row.ObjectID.String(),
				Detail: map[string]any{"name": done.Name, "kind": row.Kind}}); err != nil {
				return err
			}
		}
		return s.logDeed(ctx, tx, db.WorkspaceOperationInsertParams{TenantID: tx.TenantID, OpID: uuid.Must(uuid.NewV7()), Kind: row.Kind,
			ObjectID: row.ObjectID, Before: row.After, After: row.Before, UserID: optional(actor.UserID), Undoes: &row.OpID, Now: s.clock()})
	})
	if err == nil && over {
		return Done{}, ErrDeedOver
	}
	return done, err
}

// TakesBack takes back deeds of another package that stand in the workspace's
// log. It answers false where that is not possible any more.
type TakesBack interface {
	TakeBack(ctx context.Context, tx *db.Tx, actor access.Actor, object uuid.UUID, left, then json.RawMessage) (bool, error)
}

// putBack makes what a deed was done to what it was before; false where that is
// not possible any more.
func (s *Service) putBack(ctx context.Context, tx *db.Tx, actor access.Actor, row db.WorkspaceOperationGetRow) (bool, error) {
	kind, own := deedKinds[row.Kind]
	switch {
	case row.Kind == DeedShare && s.sharing != nil:
		return s.sharing.TakeBack(ctx, tx, actor, row.ObjectID, row.After, row.Before)
	case !own:
		return false, nil
	}
	same, err := kind.isAs(ctx, tx, row.ObjectID, row.After)
	if err != nil || !same {
		return false, err
	}
	n, err := kind.put(ctx, s, tx, row.ObjectID, row.Before)
	for _, gone := range []error{ErrFolderNotFound, ErrFolderInside, ErrFolderDeep, ErrFolderRestricted, access.ErrViewOnly} {
		if errors.Is(err, gone) {
			return false, nil
		}
	}
	return n > 0, err
}

// deedsOf is what the actor did in the workspace.
func deedsOf(tx *db.Tx, actor access.Actor) history[uuid.UUID] {
	return history[uuid.UUID]{
		before: func(ctx context.Context, id *uuid.UUID) (logged[uuid.UUID], error) {
			row, err := tx.WorkspaceOperationBefore(ctx, tx.TenantID, optional(actor.UserID), id)
			return logged[uuid.UUID]{row.OpID, row.Undoes, row.OpID}, err
		},
		get: func(ctx context.Context, id uuid.UUID) (logged[uuid.UUID], error) {
			row, err := tx.WorkspaceOperationGet(ctx, tx.TenantID, optional(actor.UserID), id)
			return logged[uuid.UUID]{row.OpID, row.Undoes, row.OpID}, err
		},
	}
}

// deedName is the name of the dashboard or folder that a deed was done to.
func deedName(ctx context.Context, tx *db.Tx, id uuid.UUID, values ...json.RawMessage) (string, error) {
	name, err := tx.ObjectName(ctx, tx.TenantID, id)
	if err != nil && !db.IsNoRows(err) {
		return "", fmt.Errorf("read name: %w", err)
	}
	for _, raw := range values {
		var f folderValue
		if name == "" && json.Unmarshal(raw, &f) == nil {
			name = f.Name
		}
	}
	return name, nil
}

func setTags(ctx context.Context, tx *db.Tx, id uuid.UUID, tags []string) (int64, error) {
	row, err := tx.DashboardLock(ctx, tx.TenantID, id)
	if db.IsNoRows(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("lock dashboard %s: %w", id, err)
	}
	shown, err := ParseConfig(row.PublishedConfig)
	if err != nil {
		return 0, err
	}
	return tx.DashboardSetTags(ctx, db.DashboardSetTagsParams{TenantID: tx.TenantID, DashboardID: id, Tags: tags,
		SearchText: searchText(row.PublishedName, tags, &shown)})
}

// there stands for an object that is there, where nothing more has to be known.
var there = map[string]bool{"there": true}

// idValue is an id as a value of the log; the zero id is null.
func idValue(id ids.Folder) any {
	if id.IsZero() {
		return json.RawMessage("null")
	}
	return id.UUID()
}

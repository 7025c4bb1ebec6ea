package dashboards

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What undo can't do.
var (
	ErrNothingToUndo = apperr.Define(apperr.Conflict, "dashboards.nothing_to_undo",
		"There is nothing of yours to undo here.")
	ErrNothingToRedo = apperr.Define(apperr.Conflict, "dashboards.nothing_to_redo",
		"There is nothing to do again.")
	// ErrUndoConflict comes as a *UndoConflict.
	ErrUndoConflict = apperr.Define(apperr.Conflict, "dashboards.undo_conflict",
		"Somebody else changed the same since. Undo would take their change back too.")
)

// UndoConflict says what somebody else changed since the change that is to be
// taken back.
type UndoConflict struct {
	Conflicts []Conflict
	err       error
}

// Conflict is one value that is another than the author left.
type Conflict struct {
	Path string `json:"path"`
	User string `json:"user"` // name of who changed it
	// Object is the title of the widget, or the name of the filter.
	Object string          `json:"object,omitempty"`
	Now    json.RawMessage `json:"value,omitempty"`
	Mine   json.RawMessage `json:"mine,omitempty"` // what undo puts there
}

func (e *UndoConflict) Error() string { return e.err.Error() }
func (e *UndoConflict) Unwrap() error { return e.err }

// Undo takes back the actor's last change that is not taken back yet, by a new
// change. With force it does so even where somebody else changed the same.
//
// Errors: dashboards.not_found, dashboards.nothing_to_undo,
// dashboards.undo_conflict.
func (s *Service) Undo(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, gesture uuid.UUID, force bool) (Edited, error) {
	return s.takeBack(ctx, actor, id, rev, gesture, force, func(h history) []uuid.UUID { return h.undo }, ErrNothingToUndo)
}

// Redo does again what the actor undid last and did not change since.
//
// Errors: dashboards.not_found, dashboards.nothing_to_redo,
// dashboards.undo_conflict.
func (s *Service) Redo(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, gesture uuid.UUID, force bool) (Edited, error) {
	return s.takeBack(ctx, actor, id, rev, gesture, force, func(h history) []uuid.UUID { return h.redo }, ErrNothingToRedo)
}

func (s *Service) takeBack(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, gesture uuid.UUID, force bool, stack func(history) []uuid.UUID, nothing *apperr.Kind) (Edited, error) {
	return s.edit(ctx, actor, id, rev, gesture, func(ctx context.Context, tx *db.Tx, d *draft, out *Edited) error {
		h, err := readHistory(ctx, tx, actor, id)
		if err != nil {
			return err
		}
		list := stack(h)
		if len(list) == 0 {
			return nothing
		}
		change := list[len(list)-1]
		ops, err := changeOf(ctx, tx, actor, id, change)
		if err != nil {
			return err
		}
		if !force {
			if err := undoable(ctx, tx, actor, d, ops); err != nil {
				return err
			}
		}
		inverse := make([]Operation, len(ops))
		for i, op := range ops {
			inverse[len(ops)-1-i] = op.Inverse()
		}
		rev := d.rev
		if err := s.merge(ctx, tx, actor, d, Edit{Rev: rev, ChangeID: gesture, Operations: inverse}, change, out); err != nil || d.rev > rev {
			return err
		}
		// All of it is gone, or so already. The log says that it was taken back
		// all the same, or undo would stay at this change for ever.
		name := jsonText(d.name)
		return s.store(ctx, tx, actor, d, []Operation{{ID: uuid.Must(uuid.NewV7()), Path: "/name", Before: name, After: name,
			ChangeID: orNew(gesture), Undoes: change}})
	})
}

func orNew(id uuid.UUID) uuid.UUID {
	if id == uuid.Nil {
		return uuid.Must(uuid.NewV7())
	}
	return id
}

// undoable tells whether everything still is as the change left it, or what
// somebody else made of it.
func undoable(ctx context.Context, tx *db.Tx, actor access.Actor, d *draft, ops []Operation) error {
	var since []Operation
	var found []Conflict
	for _, op := range ops {
		keys, err := parsePointer(op.Path)
		if err != nil {
			return err
		}
		now, has := d.doc.at(keys)
		after, err := decodeValue(op.After)
		if err != nil {
			return fmt.Errorf("read operation %s: %w", op.ID, err)
		}
		if has == (len(op.After) > 0) && (!has || sameJSON(now, after)) {
			continue
		}
		if since == nil {
			if since, err = operationsAfter(ctx, tx, d.id, ops[0].Rev); err != nil {
				return err
			}
		}
		other := lastOf(since, op.Path, actor.UserID)
		if other == nil {
			continue // a later operation of the same change
		}
		c := Conflict{Path: op.Path, User: other.UserID.String(), Object: d.doc.title(keys), Mine: op.Before}
		if has {
			if c.Now, err = json.Marshal(now); err != nil {
				return fmt.Errorf("write value at %s: %w", op.Path, err)
			}
		}
		found = append(found, c)
	}
	if len(found) == 0 {
		return nil
	}
	names := make([]Overwritten, len(found))
	for i := range found {
		names[i].User = found[i].User
	}
	if err := nameAll(ctx, tx, names); err != nil {
		return err
	}
	for i := range found {
		found[i].User = names[i].User
	}
	return &UndoConflict{Conflicts: found, err: ErrUndoConflict}
}

// title is the name for people of the widget or filter that keys lead to.
func (d document) title(keys []string) string {
	if len(keys) < 2 {
		return ""
	}
	object, _ := d.at(keys[:2])
	m, _ := object.(map[string]any)
	for _, key := range []string{"title", "label"} {
		if text, ok := m[key].(string); ok {
			return text
		}
	}
	return ""
}

// history is what one person can take back and do again, the last at the end.
type history struct{ undo, redo []uuid.UUID }

func readHistory(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard) (history, error) {
	rows, err := tx.DashboardHistory(ctx, tx.TenantID, id.UUID(), optional(actor.UserID))
	if err != nil {
		return history{}, fmt.Errorf("read history: %w", err)
	}
	var h history
	for _, row := range rows {
		h.add(row.ChangeID, row.Undoes)
	}
	return h, nil
}

// add follows one change. A change that takes back the last of one stack goes
// onto the other; any other one is new, and ends what could be done again.
func (h *history) add(change uuid.UUID, undoes *uuid.UUID) {
	last := func(list []uuid.UUID) bool { return undoes != nil && len(list) > 0 && list[len(list)-1] == *undoes }
	switch {
	case last(h.undo):
		h.undo, h.redo = h.undo[:len(h.undo)-1], append(h.redo, change)
	case last(h.redo):
		h.redo, h.undo = h.redo[:len(h.redo)-1], append(h.undo, change)
	default:
		h.undo, h.redo = append(h.undo, change), nil
	}
}

func changeOf(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard, change uuid.UUID) ([]Operation, error) {
	rows, err := tx.DashboardChangeGet(ctx, db.DashboardChangeGetParams{TenantID: tx.TenantID, DashboardID: id.UUID(), ChangeID: change, UserID: optional(actor.UserID)})
	if err != nil {
		return nil, fmt.Errorf("read change %s: %w", change, err)
	}
	ops := make([]Operation, len(rows))
	for i, row := range rows {
		if ops[i], err = operationOf(db.DashboardOperationListRow(row)); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

// deeds describes what the actor can undo and redo.
func (s *Service) deeds(ctx context.Context, tx *db.Tx, actor access.Actor, d *draft) (undo, redo *Deed, err error) {
	h, err := readHistory(ctx, tx, actor, d.id)
	if err != nil {
		return nil, nil, err
	}
	describe := func(list []uuid.UUID, inverted bool) (*Deed, error) {
		if len(list) == 0 {
			return nil, nil
		}
		ops, err := changeOf(ctx, tx, actor, d.id, list[len(list)-1])
		if err != nil {
			return nil, err
		}
		deed := deedOf(d.doc, ops, inverted)
		return &deed, nil
	}
	if undo, err = describe(h.undo, false); err != nil {
		return nil, nil, err
	}
	redo, err = describe(h.redo, true)
	return undo, redo, err
}

// deedOf says what operations do. The change on the stack of redo is the undo:
// what can be done again is its inverse.
func deedOf(doc document, ops []Operation, inverted bool) Deed {
	var deed Deed
	objects := []string{}
	for _, op := range ops {
		if inverted {
			op.Before, op.After = op.After, op.Before
		}
		keys, err := parsePointer(op.Path)
		if err != nil {
			continue
		}
		verb := "edit"
		switch {
		case len(keys) == 2 && isKeyed(keys, 1) && len(op.Before) == 0:
			verb = "add"
		case len(keys) == 2 && isKeyed(keys, 1) && len(op.After) == 0:
			verb = "remove"
		case keys[len(keys)-1] == "title" || op.Path == "/name":
			verb = "rename"
		case slices.Contains(keys, "layout") || slices.Contains(keys, "layouts"):
			verb = "move"
		}
		if deed.Verb == "" || deed.Verb == "move" {
			deed.Verb = verb
		}
		if len(keys) < 2 || !isKeyed(keys, 1) {
			continue
		}
		if id := strings.Join(keys[:2], "/"); !slices.Contains(objects, id) {
			objects = append(objects, id)
			if deed.Object = doc.title(keys); deed.Object == "" {
				deed.Object = titleIn(op.Before, op.After)
			}
		}
	}
	if len(objects) > 1 {
		deed.Count, deed.Object = len(objects), ""
	}
	return deed
}

// titleIn is the title of a widget that is not there now.
func titleIn(values ...json.RawMessage) string {
	for _, raw := range values {
		var named struct{ Title, Label string }
		if json.Unmarshal(raw, &named) == nil && named.Title+named.Label != "" {
			return named.Title + named.Label
		}
	}
	return ""
}

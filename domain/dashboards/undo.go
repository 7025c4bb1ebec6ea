package dashboards

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
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
	// Program tells that a file or a key changed it.
	Program bool `json:"program,omitempty"`
	// Object is the title of the widget, or the name of the filter, that the author
	// left it with.
	Object string          `json:"object,omitempty"`
	Left   json.RawMessage `json:"left,omitempty"` // what the author left there
	Now    json.RawMessage `json:"value,omitempty"`
	Mine   json.RawMessage `json:"mine,omitempty"` // what undo puts there
	// Gone tells that the widget or filter was removed, and so there is nothing
	// to undo in it.
	Gone bool `json:"gone,omitempty"`
}

// About is what a conflict is about: "widgets", "filters", "tabs", "fields", "name"
// or another part of the dashboard; which of them; and the aspect of it, empty for
// all of it. whole tells that the values are those of the aspect as a whole.
func (c Conflict) About() (part, id, aspect string, whole bool) {
	keys, err := parsePointer(c.Path)
	if err != nil {
		return "", "", "", false
	}
	if !isObject(keys) {
		if len(keys) > 1 && keys[0] == "settings" {
			aspect, whole = aspectOf(keys[1:])
		}
		return keys[0], "", aspect, whole
	}
	aspect, whole = aspectOf(keys[2:])
	return keys[0], keys[1], aspect, whole || len(keys) == 2
}

// isObject tells whether the keys lead to a widget or another named part of the
// dashboard, or into one.
func isObject(keys []string) bool {
	return len(keys) >= 2 && (isKeyed(keys, 1) || keys[0] == "fields" || keys[0] == "hierarchies")
}

// Differences are what somebody else changed of a whole widget or filter.
func (c Conflict) Differences() []Difference {
	var left, now map[string]any
	if json.Unmarshal(c.Left, &left) != nil || json.Unmarshal(c.Now, &now) != nil {
		return nil
	}
	differences, err := differencesOf(left, now)
	if err != nil {
		return nil // what was read as JSON can be written
	}
	return differences
}

func (e *UndoConflict) Error() string { return e.err.Error() }
func (e *UndoConflict) Unwrap() error { return e.err }

// Undo takes back the actor's last change that is not taken back yet, by a new
// change. With force it does so even where somebody else changed the same.
//
// Errors: dashboards.not_found, dashboards.nothing_to_undo,
// dashboards.undo_conflict.
func (s *Service) Undo(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, gesture uuid.UUID, force bool) (Edited, error) {
	return s.takeBack(ctx, actor, id, rev, gesture, force, false, ErrNothingToUndo)
}

// Redo does again what the actor undid last and did not change since.
//
// Errors: dashboards.not_found, dashboards.nothing_to_redo,
// dashboards.undo_conflict.
func (s *Service) Redo(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, gesture uuid.UUID, force bool) (Edited, error) {
	return s.takeBack(ctx, actor, id, rev, gesture, force, true, ErrNothingToRedo)
}

func (s *Service) takeBack(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, gesture uuid.UUID, force, undone bool, nothing *apperr.Kind) (Edited, error) {
	seen := rev
	return s.edit(ctx, actor, id, rev, gesture, func(ctx context.Context, tx *db.Tx, d *draft, out *Edited) error {
		change, ops, err := next(ctx, tx, actor, id, undone)
		if err != nil {
			return err
		}
		if change == uuid.Nil {
			return nothing
		}
		if !force {
			if err := undoable(ctx, tx, actor, d, ops); err != nil {
				return err
			}
		}
		rev := d.rev
		if err := s.merge(ctx, tx, actor, d, Edit{Rev: rev, Seen: seen, ChangeID: gesture, Operations: inverseOf(ops)}, change, out); err != nil || d.rev == rev+int64(len(ops)) {
			return err
		}
		// Some of it is gone, or so already. The log says that it was taken back all
		// the same: undo would stay at this change for ever, or redo not bring all back.
		out.Nothing = d.rev == rev
		return s.storeTaken(ctx, tx, actor, d, gesture, change)
	})
}

// PassOver leaves as it is what Undo, or Redo with undone, asks about. The log has
// the change as taken back from then on, so that the next one goes on with what
// is older, and the other way round it comes again, with its question. Where
// nothing is in its way any more it stays.
//
// Errors: dashboards.not_found.
func (s *Service) PassOver(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, gesture uuid.UUID, undone bool) (Edited, error) {
	return s.edit(ctx, actor, id, rev, gesture, func(ctx context.Context, tx *db.Tx, d *draft, _ *Edited) error {
		change, ops, err := next(ctx, tx, actor, id, undone)
		if err != nil || change == uuid.Nil {
			return err
		}
		if err := undoable(ctx, tx, actor, d, ops); !errors.Is(err, ErrUndoConflict) {
			return err
		}
		return s.storeTaken(ctx, tx, actor, d, gesture, change)
	})
}

// storeTaken logs that a change was taken back, though nothing is another by it.
func (s *Service) storeTaken(ctx context.Context, tx *db.Tx, actor access.Actor, d *draft, gesture, change uuid.UUID) error {
	name := jsonText(d.name)
	return s.store(ctx, tx, actor, d, []Operation{{ID: uuid.Must(uuid.NewV7()), Path: "/name", Before: name, After: name,
		ChangeID: orNew(gesture), Undoes: change}})
}

// next is the change that undo takes back next, or redo with undone, and what it
// did; uuid.Nil for none.
func next(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard, undone bool) (uuid.UUID, []Operation, error) {
	change, err := historyOf(tx, actor, id).top(ctx, undone)
	if err != nil || change == uuid.Nil {
		return uuid.Nil, nil, err
	}
	ops, err := meantBy(ctx, tx, actor, id, change)
	return change, ops, err
}

// inverseOf are the operations that undo others, in their order.
func inverseOf(ops []Operation) []Operation {
	inverse := make([]Operation, len(ops))
	for i, op := range ops {
		inverse[len(ops)-1-i] = op.Inverse()
	}
	return inverse
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
		if mine, err := decodeValue(op.Before); err == nil && has == (len(op.Before) > 0) && (!has || sameJSON(now, mine)) {
			continue // somebody did already what undo would do
		}
		if since == nil {
			first := slices.MinFunc(ops, func(a, b Operation) int { return cmp.Compare(a.Rev, b.Rev) })
			if since, err = operationsAfter(ctx, tx, d.id, first.Rev); err != nil {
				return err
			}
		}
		later := slices.IndexFunc(since, func(o Operation) bool { return o.Rev > op.Rev })
		if later < 0 {
			continue
		}
		other := lastOf(since[later:], op.Path, actor.UserID)
		if other == nil {
			continue // a later operation of the same change
		}
		c := Conflict{Path: op.Path, User: other.UserID.String(), Program: other.UserID.IsZero(), Object: titleBefore(d.doc, keys, since, actor.UserID), Left: op.After, Mine: op.Before,
			Gone: len(keys) > 2 && goneBelow(d.doc, keys)}
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

// titleBefore is the name of the widget or filter that keys lead to as it was
// before others changed or removed it.
func titleBefore(doc document, keys []string, since []Operation, self ids.User) string {
	if len(keys) < 2 {
		return ""
	}
	for _, op := range since {
		other, err := parsePointer(op.Path)
		if err != nil || op.UserID == self || len(other) < 2 || other[0] != keys[0] || other[1] != keys[1] || len(op.Before) == 0 {
			continue
		}
		var title string
		switch {
		case len(other) == 2:
			title = titleIn(op.Before)
		case len(other) == 3 && (other[2] == "title" || other[2] == "label"):
			_ = json.Unmarshal(op.Before, &title) // no text, no title
		}
		if title != "" {
			return title
		}
	}
	return doc.title(keys)
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

// history is a log as one person made it: that of a dashboard, by revision, or
// of the workspace, by id. An entry is undone by another one that names it, and
// that one is undone again to do it once more. So the log holds two stacks, and
// the top of each is found from its end: where the last entry took another one
// back, below it lies what lay there before that one. However long the log is,
// only what was undone last is read.
type history[Place any] struct {
	// before is the last entry before a place, nil for the end of the log; no
	// rows where there is none.
	before func(context.Context, *Place) (logged[Place], error)
	get    func(context.Context, uuid.UUID) (logged[Place], error)
}

type logged[Place any] struct {
	id     uuid.UUID
	undoes *uuid.UUID
	at     Place
}

// top is the last entry that undo can take back or, with undone, redo; uuid.Nil
// for none.
func (h history[Place]) top(ctx context.Context, undone bool) (uuid.UUID, error) {
	var end *Place
	for {
		last, err := h.before(ctx, end)
		if db.IsNoRows(err) {
			return uuid.Nil, nil
		}
		if err != nil {
			return uuid.Nil, fmt.Errorf("read history: %w", err)
		}
		if last.undoes == nil {
			if undone {
				return uuid.Nil, nil // something new ends what could be done again
			}
			return last.id, nil
		}
		taken, err := h.get(ctx, *last.undoes)
		if err != nil {
			return uuid.Nil, fmt.Errorf("read history: %w", err)
		}
		below := taken.at
		end = &below
		// What takes an undo back does it again.
		undo := true
		for ; taken.undoes != nil; undo = !undo {
			if taken, err = h.get(ctx, *taken.undoes); err != nil {
				return uuid.Nil, fmt.Errorf("read history: %w", err)
			}
		}
		if undo == undone {
			return last.id, nil
		}
	}
}

// historyOf is what the actor did to a dashboard, change by change.
func historyOf(tx *db.Tx, actor access.Actor, id ids.Dashboard) history[int64] {
	return history[int64]{
		before: func(ctx context.Context, rev *int64) (logged[int64], error) {
			row, err := tx.DashboardChangeBefore(ctx, db.DashboardChangeBeforeParams{TenantID: tx.TenantID, DashboardID: id.UUID(), UserID: optional(actor.UserID), BeforeRev: rev})
			return logged[int64]{row.ChangeID, row.Undoes, row.Rev}, err
		},
		get: func(ctx context.Context, change uuid.UUID) (logged[int64], error) {
			row, err := tx.DashboardChangeStart(ctx, db.DashboardChangeStartParams{TenantID: tx.TenantID, DashboardID: id.UUID(), UserID: optional(actor.UserID), ChangeID: change})
			return logged[int64]{change, row.Undoes, row.Rev}, err
		},
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

// meantBy is a change with what it could not do: an undo of what somebody else had
// taken back already, or that was passed over, changed nothing, and redo still
// brings all of it. What it did not do has the revision of what it was to take back.
func meantBy(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard, change uuid.UUID) ([]Operation, error) {
	ops, err := changeOf(ctx, tx, actor, id, change)
	// storeTaken adds one that changes nothing.
	idle := func(op Operation) bool { return op.Undoes != uuid.Nil && bytes.Equal(op.Before, op.After) }
	if err != nil || !slices.ContainsFunc(ops, idle) {
		return ops, err
	}
	all, err := meantBy(ctx, tx, actor, id, ops[0].Undoes)
	if err != nil {
		return nil, err
	}
	done := map[string]Operation{}
	for _, op := range ops {
		if !idle(op) {
			done[op.Path] = op
		}
	}
	meant := inverseOf(all)
	for i := range meant {
		meant[i].Rev = all[len(all)-1-i].Rev
		if op, was := done[meant[i].Path]; was {
			meant[i] = op
		}
	}
	return meant, nil
}

// Deeds describes what the actor can undo and redo on a dashboard; nil for nothing.
//
// Errors: dashboards.not_found, access.forbidden.
func (s *Service) Deeds(ctx context.Context, actor access.Actor, id ids.Dashboard) (undo, redo *Deed, err error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return nil, nil, err
	}
	err = s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		current, err := getDraft(ctx, tx, actor, id)
		if err != nil {
			return err
		}
		d := &draft{id: id, name: current.Name, rev: current.Rev}
		if d.doc, err = newDocument(current.Name, current.Config.JSON()); err != nil {
			return err
		}
		undo, redo, err = s.deeds(ctx, tx, actor, d)
		return err
	})
	return undo, redo, err
}

// deeds describes what the actor can undo and redo.
func (s *Service) deeds(ctx context.Context, tx *db.Tx, actor access.Actor, d *draft) (undo, redo *Deed, err error) {
	describe := func(undone bool) (*Deed, error) {
		change, ops, err := next(ctx, tx, actor, d.id, undone)
		if err != nil || change == uuid.Nil {
			return nil, err
		}
		deed := deedOf(d.doc, ops, undone)
		return &deed, nil
	}
	if undo, err = describe(false); err != nil {
		return nil, nil, err
	}
	redo, err = describe(true)
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

package dashboards

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/events"
)

// Edit is one gesture of somebody who edits a draft beside others. The order in
// which the server takes them decides: where somebody else changed the same
// property since Rev, the later one, this, wins and Edited says what was there.
type Edit struct {
	// Rev is the revision that the author saw.
	Rev int64
	// Seen is the revision that the author saw when the gesture began, where that
	// was earlier: what is held meanwhile does not follow the draft. 0 is Rev.
	Seen int64
	// ChangeID names the gesture; a repeated one changes nothing again.
	ChangeID   uuid.UUID
	Operations []Operation
	// Strict refuses the gesture where the draft is not as the author saw it: at
	// another revision, or with something else than Before at a path.
	Strict bool
}

// Edited is what an editor has to know after a gesture.
type Edited struct {
	Rev int64 `json:"rev"`
	// Operations are all after the revision that the author saw, in order: what
	// others did, then what this gesture did. Before is what really was there.
	Operations []Operation   `json:"operations"`
	Overwrote  []Overwritten `json:"overwrote,omitempty"`
	// Skipped are operations on what somebody else removed meanwhile.
	Skipped []uuid.UUID `json:"skipped,omitempty"`
	// Nothing tells that what was to be undone or done again is so already, or has
	// no place any more.
	Nothing bool `json:"nothing,omitempty"`
	// Undo and Redo describe what the author can take back or do again; nil for
	// nothing.
	Undo *Deed `json:"undo,omitempty"`
	Redo *Deed `json:"redo,omitempty"`
	// Select are the widgets to select: those that an act made.
	Select  []string  `json:"select,omitempty"`
	SavedAt time.Time `json:"saved_at"`
}

// Overwritten is a value of somebody else that a gesture replaced.
type Overwritten struct {
	Path string `json:"path"`
	User string `json:"user"` // name
	// Program tells that a file or a key had set it.
	Program bool `json:"program,omitempty"`
	// Object is the title of the widget, or the name of the filter.
	Object string          `json:"object,omitempty"`
	Value  json.RawMessage `json:"value,omitempty"`
	// Text says all of it in words; the service leaves that to who shows it.
	Text string `json:"text,omitempty"`
}

// About is as that of a Conflict.
func (o Overwritten) About() (part, id, aspect string, whole bool) {
	return Conflict{Path: o.Path}.About()
}

// Deed is a change in words: "Move", of one widget by its title or of several.
type Deed struct {
	Verb   string `json:"verb"` // "add", "remove", "move", "rename", "edit"
	Object string `json:"object,omitempty"`
	Count  int    `json:"count,omitempty"` // of widgets, where there are several
}

// draft is a dashboard locked for a change, as a document.
type draft struct {
	id        ids.Dashboard
	name      string
	rev       int64
	before    Config
	published Config
	row       db.DashboardLockRow
	doc       document
}

func (s *Service) lock(ctx context.Context, tx *db.Tx, id ids.Dashboard) (*draft, error) {
	row, err := tx.DashboardLock(ctx, tx.TenantID, id.UUID())
	if db.IsNoRows(err) {
		return nil, unchangeable(ctx, tx, id)
	}
	if err != nil {
		return nil, fmt.Errorf("lock dashboard %s: %w", id, err)
	}
	d := &draft{id: id, name: row.Name, rev: row.Rev, row: row}
	if d.before, err = ParseConfig(row.Config); err != nil {
		return nil, err
	}
	if d.published, err = ParseConfig(row.PublishedConfig); err != nil {
		return nil, err
	}
	d.doc, err = newDocument(row.Name, d.before.JSON())
	return d, err
}

// store checks the document, logs the operations and makes it the draft.
func (s *Service) store(ctx context.Context, tx *db.Tx, actor access.Actor, d *draft, ops []Operation) error {
	now := s.clock()
	for i := range ops {
		ops[i].Rev, ops[i].UserID, ops[i].At = d.rev+int64(i)+1, actor.UserID, now
		if err := s.log1(ctx, tx, actor, d.id, ops[i], now); err != nil {
			return err
		}
	}
	name, raw, err := d.doc.split()
	if err != nil {
		return err
	}
	if name, err = cleanName(name); err != nil {
		return err
	}
	after, err := ParseConfig(raw)
	if err == nil {
		err = after.checkSize()
	}
	if err != nil {
		return err
	}
	shown, called := &d.published, d.row.PublishedName
	if d.row.Unpublished {
		shown, called = &after, name
	}
	if err := deriveSources(ctx, tx, d.id, &d.before, &after, shown); err != nil {
		return err
	}
	d.rev += int64(len(ops))
	err = tx.DashboardSetContent(ctx, db.DashboardSetContentParams{TenantID: tx.TenantID, DashboardID: d.id.UUID(), Name: name,
		Config: after.JSON(), Rev: d.rev, SearchText: searchText(called, d.row.Tags, shown), Now: now})
	if err != nil {
		return fmt.Errorf("store dashboard %s: %w", d.id, err)
	}
	kind := events.DashboardEdited
	if d.row.Unpublished {
		kind = events.DashboardChanged
	}
	return changed(ctx, tx, kind, d.id, d.rev)
}

// Desk is a draft as an editor starts with it.
type Desk struct {
	Rev int64 `json:"rev"`
	// Doc is the config with the name beside its keys.
	Doc      json.RawMessage `json:"doc"`
	Undo     *Deed           `json:"undo,omitempty"`
	Redo     *Deed           `json:"redo,omitempty"`
	SavedAt  time.Time       `json:"saved_at"`
	Versions int             `json:"-"` // that are kept
	// Lately is what was done in the last minutes, in order, where some of it was
	// done by who opens it: they are told of what others make of it.
	Lately []Operation `json:"lately,omitempty"`
	Now    time.Time   `json:"now"` // At of operations is of the same clock
}

// How far back Lately goes.
const (
	latelyFor  = 10 * time.Minute
	latelyMost = 500 // operations
)

// OpenDesk reads what an editor starts with.
//
// Errors: dashboards.not_found, access.forbidden.
func (s *Service) OpenDesk(ctx context.Context, actor access.Actor, id ids.Dashboard) (Desk, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return Desk{}, err
	}
	var desk Desk
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		current, err := getDraft(ctx, tx, actor, id)
		if err != nil {
			return err
		}
		d := &draft{id: id, name: current.Name, rev: current.Rev}
		if d.doc, err = newDocument(current.Name, current.Config.JSON()); err != nil {
			return err
		}
		desk = Desk{Rev: current.Rev, SavedAt: current.UpdatedAt, Now: s.clock()}
		if desk.Doc, err = json.Marshal(d.doc); err != nil {
			return fmt.Errorf("write document: %w", err)
		}
		if desk.Undo, desk.Redo, err = s.deeds(ctx, tx, actor, d); err != nil {
			return err
		}
		since := desk.Now.Add(-latelyFor)
		if desk.Lately, err = operationsSince(ctx, tx, id, max(0, current.Rev-latelyMost), &since); err != nil {
			return err
		}
		if !slices.ContainsFunc(desk.Lately, func(o Operation) bool { return o.UserID == actor.UserID }) {
			desk.Lately = nil
		}
		if err := signAll(ctx, tx, actor, desk.Lately); err != nil {
			return err
		}
		n, err := tx.DashboardVersionCount(ctx, tx.TenantID, id.UUID())
		desk.Versions = int(n)
		return err
	})
	return desk, err
}

// Edit applies a gesture to the draft: all operations or none. One that was
// applied before (by its id) changes nothing again, so a request can be
// repeated safely.
//
// Errors: dashboards.not_found, dashboards.operation_invalid,
// dashboards.config_invalid, dashboards.stale.
func (s *Service) Edit(ctx context.Context, actor access.Actor, id ids.Dashboard, e Edit) (Edited, error) {
	if len(e.Operations) == 0 || len(e.Operations) > maxOperations {
		return Edited{}, ErrOperation.With("A change has 1 to %d operations.", maxOperations)
	}
	return s.edit(ctx, actor, id, e.Rev, e.ChangeID, func(ctx context.Context, tx *db.Tx, d *draft, out *Edited) error {
		return s.merge(ctx, tx, actor, d, e, uuid.Nil, out)
	})
}

// Act applies what an act makes of the draft as one gesture.
//
// Errors: dashboards.not_found, dashboards.act_invalid and those of the
// dataset that it names.
func (s *Service) Act(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, change uuid.UUID, a Act) (Edited, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return Edited{}, err
	}
	current, err := s.GetDraft(ctx, actor, id)
	if err != nil {
		return Edited{}, err
	}
	// What the datasets hold is found out before the dashboard is locked.
	b, err := s.newDrafter(ctx, actor, &current.Config, &a)
	if err != nil {
		return Edited{}, err
	}
	if err := s.namesakes(ctx, actor, b, &current.Config, &a); err != nil {
		return Edited{}, err
	}
	return s.edit(ctx, actor, id, rev, change, func(ctx context.Context, tx *db.Tx, d *draft, out *Edited) error {
		next, selected, err := b.act(d.before, a)
		if err != nil {
			return err
		}
		ops, err := difference(d.doc, d.name, &next)
		if err != nil {
			return err
		}
		out.Select = selected
		if len(ops) == 0 {
			return nil
		}
		return s.merge(ctx, tx, actor, d, Edit{Rev: d.rev, Seen: cmp.Or(a.Seen, rev), ChangeID: change, Operations: ops}, uuid.Nil, out)
	})
}

// newDrafter reads what an act needs to know of datasets.
func (s *Service) newDrafter(ctx context.Context, actor access.Actor, c *Config, a *Act) (*drafter, error) {
	d := &drafter{facts: map[ids.Dataset]Facts{}}
	var err error
	if len(a.Filters) > MaxControls {
		return nil, ErrAct.With("At most %d filters can be pasted.", MaxControls)
	}
	also := append(a.datasets(), c.Dataset)
	for _, f := range a.Filters {
		if !f.Dataset.IsZero() {
			also = append(also, f.Dataset)
		}
	}
	if d.schemas, err = s.loadSchemas(ctx, actor, c, also...); err != nil {
		return nil, err
	}
	for _, id := range a.datasets() {
		if d.schemas[id] == nil {
			return nil, datasets.ErrNotFound
		}
	}
	for id, sc := range d.schemas {
		if sc != nil && a.asksFacts() {
			d.facts[id] = s.knownFacts(ctx, actor, sc)
		}
	}
	return d, nil
}

// asksFacts tells whether what is in the columns decides what the act makes.
func (a *Act) asksFacts() bool {
	switch a.Kind {
	case "add_widget", "add_field", "drop_field", "retype", "set_dataset", "set_forecast":
		return true
	case "set_field":
		return a.Set.Groups != nil
	}
	return false
}

// edit locks the draft, has it changed, and answers what an editor has to
// know. A gesture that the log has already changes nothing again.
func (s *Service) edit(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, gesture uuid.UUID, change func(context.Context, *db.Tx, *draft, *Edited) error) (Edited, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return Edited{}, err
	}
	var out Edited
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		out = Edited{Operations: []Operation{}, SavedAt: s.clock()}
		d, err := s.lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if rev < 0 || rev > d.rev {
			return ErrStale
		}
		if rev == 0 { // whatever is there
			rev = d.rev
		}
		known := false
		if gesture != uuid.Nil {
			if known, err = tx.DashboardChangeExists(ctx, tx.TenantID, id.UUID(), gesture); err != nil {
				return fmt.Errorf("look for change %s: %w", gesture, err)
			}
		}
		if !known {
			if err := change(ctx, tx, d, &out); err != nil {
				return err
			}
		}
		out.Rev = d.rev
		if out.Operations, err = operationsAfter(ctx, tx, id, rev); err != nil {
			return err
		}
		if err := signAll(ctx, tx, actor, out.Operations); err != nil {
			return err
		}
		out.Undo, out.Redo, err = s.deeds(ctx, tx, actor, d)
		return err
	})
	return out, err
}

// merge applies operations over what others did since e.Rev.
func (s *Service) merge(ctx context.Context, tx *db.Tx, actor access.Actor, d *draft, e Edit, undoes uuid.UUID, out *Edited) error {
	ops, err := s.unapplied(ctx, tx, d.id, e.Operations)
	if err != nil || len(ops) == 0 {
		return err
	}
	if e.Strict && (e.Rev != d.rev || len(ops) != len(e.Operations)) {
		return ErrStale
	}
	var theirs []Operation
	if e.Rev < d.rev {
		if theirs, err = operationsAfter(ctx, tx, d.id, e.Rev); err != nil {
			return err
		}
	}
	change := orNew(e.ChangeID)
	var done []Operation
	for _, op := range ops {
		op.ChangeID, op.Undoes, op.Seen = change, undoes, min(cmp.Or(max(e.Seen, 0), e.Rev, d.rev), d.rev)
		if err := op.clean(); err != nil {
			return err
		}
		if e.Strict {
			if err := d.doc.apply(op); err != nil {
				return err
			}
			done = append(done, op)
			continue
		}
		keys, err := parsePointer(op.Path)
		if err != nil {
			return err
		}
		if _, err := d.doc.parent(keys, false); err != nil && (len(op.After) == 0 || goneBelow(d.doc, keys)) {
			out.Skipped = append(out.Skipped, op.ID)
			continue
		}
		now, has := d.doc.at(keys)
		op.Before = nil
		if has {
			if op.Before, err = json.Marshal(now); err != nil {
				return fmt.Errorf("write value at %s: %w", op.Path, err)
			}
		}
		if after, err := decodeValue(op.After); err == nil && (len(op.After) > 0) == has && (!has || sameJSON(now, after)) {
			continue // it is so already
		}
		if other := lastOf(theirs, op.Path, actor.UserID); other != nil && len(op.Before) > 0 {
			out.Overwrote = append(out.Overwrote, Overwritten{Path: op.Path, User: other.UserID.String(), Program: other.UserID.IsZero(), Object: d.doc.title(keys), Value: op.Before})
		}
		if err := d.doc.apply(op); err != nil {
			return err
		}
		done = append(done, op)
	}
	if err := nameAll(ctx, tx, out.Overwrote); err != nil {
		return err
	}
	if len(done) == 0 {
		return nil
	}
	return s.store(ctx, tx, actor, d, done)
}

// goneBelow tells whether the keys lead through a widget or filter that is not
// there (any more).
func goneBelow(doc document, keys []string) bool {
	if len(keys) < 3 || !isKeyed(keys, 1) {
		return false
	}
	_, has := doc.at(keys[:2])
	return !has
}

// lastOf is the last operation of somebody else on a path, above or below it;
// nil for none.
func lastOf(ops []Operation, path string, self ids.User) *Operation {
	for i := len(ops) - 1; i >= 0; i-- {
		if ops[i].UserID != self && overlaps(ops[i].Path, path) {
			return &ops[i]
		}
	}
	return nil
}

func overlaps(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// nameAll puts names in the place of ids.
func nameAll(ctx context.Context, tx *db.Tx, list []Overwritten) error {
	var who []uuid.UUID
	for _, o := range list {
		if id, err := uuid.Parse(o.User); err == nil {
			who = append(who, id)
		}
	}
	names, err := namesOf(ctx, tx, who)
	for i := range list {
		list[i].User = names[list[i].User] // "" for a program, or for somebody who is gone
	}
	return err
}

// signAll names who did what others did.
func signAll(ctx context.Context, tx *db.Tx, actor access.Actor, ops []Operation) error {
	var who []uuid.UUID
	for _, op := range ops {
		if id := op.UserID.UUID(); id != uuid.Nil && op.UserID != actor.UserID && !slices.Contains(who, id) {
			who = append(who, id)
		}
	}
	names, err := namesOf(ctx, tx, who)
	for i, op := range ops {
		ops[i].User = names[op.UserID.String()]
	}
	return err
}

// namesOf are the names of people by their ids.
func namesOf(ctx context.Context, tx *db.Tx, who []uuid.UUID) (map[string]string, error) {
	if len(who) == 0 {
		return nil, nil
	}
	rows, err := tx.PersonNames(ctx, tx.TenantID, who)
	if err != nil {
		return nil, fmt.Errorf("read names: %w", err)
	}
	names := map[string]string{}
	for _, row := range rows {
		names[row.UserID.String()] = row.Name
	}
	return names, nil
}

// operationsAfter reads the log after a revision, whole.
func operationsAfter(ctx context.Context, tx *db.Tx, id ids.Dashboard, rev int64) ([]Operation, error) {
	return operationsSince(ctx, tx, id, rev, nil)
}

// operationsSince leaves out what was done before a time.
func operationsSince(ctx context.Context, tx *db.Tx, id ids.Dashboard, rev int64, since *time.Time) ([]Operation, error) {
	list := []Operation{}
	for {
		rows, err := tx.DashboardOperationList(ctx, db.DashboardOperationListParams{TenantID: tx.TenantID, DashboardID: id.UUID(), AfterRev: rev, Since: since, RowLimit: 1000})
		if err != nil {
			return nil, fmt.Errorf("read operations: %w", err)
		}
		for _, row := range rows {
			op, err := operationOf(row)
			if err != nil {
				return nil, err
			}
			list, rev = append(list, op), row.Rev
		}
		if len(rows) < 1000 {
			return list, nil
		}
	}
}

// operationOf is an entry of the log in today's schema.
func operationOf(row db.DashboardOperationListRow) (Operation, error) {
	op := Operation{ID: row.OpID, Rev: row.Rev, Path: row.Path, Before: row.Before, After: row.After,
		ChangeID: row.ChangeID, UserID: idOf[ids.User](row.UserID), At: row.At}
	if row.SeenRev != nil {
		op.Seen = *row.SeenRev
	}
	if row.Undoes != nil {
		op.Undoes = *row.Undoes
	}
	return upcastOperation(op, int(row.Schema), operationUpcasters)
}

// difference are the operations that lead from a document to a config: whole
// widgets and filters where they came or went, else their properties.
func difference(from document, name string, to *Config) ([]Operation, error) {
	after, err := newDocument(name, to.JSON())
	if err != nil {
		return nil, err
	}
	var ops []Operation
	if err := differ(&ops, nil, map[string]any(from), map[string]any(after)); err != nil {
		return nil, err
	}
	return ops, nil
}

// differ descends to the properties of widgets, filters and settings; below
// that a value changes as a whole.
func differ(ops *[]Operation, path []string, from, to map[string]any) error {
	keys := map[string]bool{}
	for k := range from {
		keys[k] = true
	}
	for k := range to {
		keys[k] = true
	}
	for _, key := range sortedKeys(keys) {
		before, had := from[key]
		after, has := to[key]
		if had == has && sameJSON(before, after) {
			continue
		}
		here := append(path[:len(path):len(path)], key)
		a, aIs := before.(map[string]any)
		b, bIs := after.(map[string]any)
		if deep := len(here) == 1 || isKeyed(here, len(here)-1); deep && (aIs || !had) && (bIs || !has) && (aIs && bIs || len(here) == 1) {
			if err := differ(ops, here, a, b); err != nil {
				return err
			}
			continue
		}
		op := Operation{ID: uuid.Must(uuid.NewV7()), Path: formatPointer(here)}
		var err error
		if had {
			if op.Before, err = json.Marshal(before); err != nil {
				return fmt.Errorf("write operation: %w", err)
			}
		}
		if has {
			if op.After, err = json.Marshal(after); err != nil {
				return fmt.Errorf("write operation: %w", err)
			}
		}
		*ops = append(*ops, op)
	}
	return nil
}

func formatPointer(keys []string) string {
	var b bytes.Buffer
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, k := range keys {
		b.WriteByte('/')
		_, _ = escape.WriteString(&b, k) // a Buffer takes everything
	}
	return b.String()
}

// Fields lists what a dataset has to group, filter and calculate by, for the
// editor of a draft.
//
// Errors: datasets.not_found.
func (s *Service) Fields(ctx context.Context, actor access.Actor, v *View, dataset ids.Dataset) ([]Field, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return nil, err
	}
	if v.schemas[dataset] == nil {
		more, err := s.loadSchemas(ctx, actor, &v.Dashboard.Config, dataset)
		if err != nil {
			return nil, err
		}
		if more[dataset] == nil {
			return nil, datasets.ErrNotFound
		}
		other := *v
		other.schemas = more
		v = &other
	}
	return v.Fields(dataset, s.knownFacts(ctx, actor, v.schemas[dataset])), nil
}

// Inspect looks at one widget of a draft.
//
// Errors: dashboards.widget_not_found.
func (s *Service) Inspect(ctx context.Context, actor access.Actor, v *View, widget string) (WidgetView, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return WidgetView{}, err
	}
	w, has := v.Dashboard.Config.Widgets[widget]
	if !has {
		return WidgetView{}, ErrWidgetNotFound
	}
	return v.WidgetView(widget, s.knownFacts(ctx, actor, v.schemas[v.Dashboard.Config.dataset(w.Query.Dataset)]))
}

// knownFacts are the facts of a dataset, or none: names and types decide then.
func (s *Service) knownFacts(ctx context.Context, actor access.Actor, sc *schema) Facts {
	if sc == nil {
		return Facts{}
	}
	facts, err := s.remembered(ctx, actor, sc)
	if err != nil {
		s.log.WarnContext(ctx, "look at the columns for the editor", "dataset", sc.ID, "error", err)
		return Facts{}
	}
	return facts
}

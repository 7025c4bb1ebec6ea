package dashboards_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// desk is a dashboard with two widgets and two people who edit it.
type desk struct {
	*rig
	id       ids.Dashboard
	ann, bob access.Actor
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	r := newRig(t)
	d := &desk{rig: r, ann: r.actor, bob: r.colleague(t, r.actor.TenantID, access.Editor)}
	sales := r.sales(t, r.actor)
	config, err := dashboards.ParseConfig(fmt.Appendf(nil, `{"schema": 2, "dataset": %q, "widgets": {
		"a": {"type": "kpi", "title": "Sales", "layout": {"x": 0, "y": 0, "w": 3, "h": 3}, "query": {"measures": [{"fn": "sum", "column": "amount"}]}},
		"b": {"type": "bar", "title": "By channel", "layout": {"x": 3, "y": 0, "w": 4, "h": 9},
			"query": {"measures": [{"fn": "sum", "column": "amount"}], "dimensions": [{"column": "channel"}]}}}}`, sales.String()))
	must(t, err)
	made, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Desk", Config: config})
	must(t, err)
	d.id = made.ID
	return d
}

func change(path string, value any) dashboards.Operation {
	op := dashboards.Operation{ID: uuid.Must(uuid.NewV7()), Path: path}
	if value != nil {
		op.After, _ = json.Marshal(value)
	}
	return op
}

func (d *desk) edit(t *testing.T, who access.Actor, rev int64, ops ...dashboards.Operation) dashboards.Edited {
	t.Helper()
	out, err := d.Edit(t.Context(), who, d.id, dashboards.Edit{Rev: rev, ChangeID: uuid.Must(uuid.NewV7()), Operations: ops})
	must(t, err)
	return out
}

func (d *desk) draft(t *testing.T) dashboards.Dashboard {
	t.Helper()
	got, err := d.GetDraft(t.Context(), d.ann, d.id)
	must(t, err)
	return got
}

func (d *desk) title(t *testing.T, widget string) string {
	t.Helper()
	return d.draft(t).Config.Widgets[widget].Title
}

// What somebody held while others went on says which revision they had seen; and
// who opens the editor again is told what they did lately.
func TestTheLogKnowsWhatAuthorsSaw(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.edit(t, d.ann, 1, change("/widgets/a/title", "Net sales"))
	place := func(x int) dashboards.Operation {
		return change("/widgets/a/layout", map[string]int{"x": x, "y": 0, "w": 3, "h": 3})
	}
	d.edit(t, d.ann, 2, place(1))
	_, err := d.Edit(t.Context(), d.bob, d.id, dashboards.Edit{Rev: 3, Seen: 2, ChangeID: uuid.Must(uuid.NewV7()), Operations: []dashboards.Operation{place(2)}})
	must(t, err)
	_, err = d.Edit(t.Context(), d.bob, d.id, dashboards.Edit{Rev: 4, Seen: 99, ChangeID: uuid.Must(uuid.NewV7()), Operations: []dashboards.Operation{place(3)}})
	must(t, err)
	_, err = d.Act(t.Context(), d.bob, d.id, 5, uuid.Must(uuid.NewV7()), dashboards.Act{Kind: "add_widget", Type: charts.KPI, Seen: 1})
	must(t, err)
	list, err := d.ListOperations(t.Context(), d.ann, d.id, 1)
	must(t, err)
	var seen []int64
	for _, op := range list {
		seen = append(seen, op.Seen)
	}
	if want := []int64{1, 2, 2, 4, 1}; !slices.Equal(seen, want) {
		t.Errorf("the authors had seen %v, want %v", seen, want)
	}
	desk, err := d.OpenDesk(t.Context(), d.bob, d.id)
	must(t, err)
	if n := len(desk.Lately); n < 5 || desk.Lately[n-1].UserID != d.bob.UserID || desk.Lately[n-4].User == "" || desk.Now.IsZero() {
		t.Errorf("bob opens it with %+v", desk.Lately)
	}
	other := d.colleague(t, d.ann.TenantID, access.Editor)
	if desk, err = d.OpenDesk(t.Context(), other, d.id); err != nil || desk.Lately != nil {
		t.Errorf("who did nothing opens it with %d operations, %v", len(desk.Lately), err)
	}
}

func TestTwoPeopleEditAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	// Both saw revision 1. Different widgets: both survive.
	d.edit(t, d.ann, 1, change("/widgets/a/title", "Net sales"))
	out := d.edit(t, d.bob, 1, change("/widgets/b/title", "Channels"))
	if d.title(t, "a") != "Net sales" || d.title(t, "b") != "Channels" {
		t.Fatalf("the titles are %q and %q", d.title(t, "a"), d.title(t, "b"))
	}
	if len(out.Operations) != 2 || len(out.Overwrote) != 0 || out.Rev != 3 {
		t.Errorf("bob hears of %d operations, %d replaced, revision %d", len(out.Operations), len(out.Overwrote), out.Rev)
	}
	// The same property: the later one wins and says whose it replaced.
	out = d.edit(t, d.bob, 1, change("/widgets/a/title", "Turnover"))
	if d.title(t, "a") != "Turnover" {
		t.Errorf("the title is %q", d.title(t, "a"))
	}
	if len(out.Overwrote) != 1 || out.Overwrote[0].User == "" || string(out.Overwrote[0].Value) != `"Net sales"` {
		t.Errorf("replaced: %+v", out.Overwrote)
	}
	// A widget that is gone: the change of it is skipped, the rest is taken.
	d.edit(t, d.ann, 4, change("/widgets/b", nil))
	late := change("/widgets/b/title", "Late")
	out = d.edit(t, d.bob, 4, late, change("/widgets/a/subtitle", "All channels"))
	if len(out.Skipped) != 1 || out.Skipped[0] != late.ID || d.draft(t).Config.Widgets["a"].Subtitle != "All channels" {
		t.Errorf("skipped: %v", out.Skipped)
	}
}

func TestARepeatedGestureChangesNothingAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := dashboards.Edit{Rev: 1, ChangeID: uuid.Must(uuid.NewV7()), Operations: []dashboards.Operation{change("/widgets/a/title", "Once")}}
	first, err := d.Edit(t.Context(), d.ann, d.id, e)
	must(t, err)
	again, err := d.Edit(t.Context(), d.ann, d.id, e)
	must(t, err)
	if first.Rev != 2 || again.Rev != 2 || len(again.Operations) != 1 {
		t.Errorf("revisions %d and %d, %d operations", first.Rev, again.Rev, len(again.Operations))
	}
	undo := uuid.Must(uuid.NewV7())
	for range 2 {
		_, err := d.Undo(t.Context(), d.ann, d.id, 2, undo, false)
		must(t, err)
	}
	if got := d.draft(t); got.Rev != 3 || got.Config.Widgets["a"].Title != "Sales" {
		t.Errorf("revision %d, title %q", got.Rev, got.Config.Widgets["a"].Title)
	}
}

func TestUndoAndRedoOverAWholeHistory(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	start := d.draft(t).Config
	steps := [][]dashboards.Operation{
		{change("/widgets/a/title", "One")},
		{change("/widgets/a/layout", dashboards.Layout{X: 0, Y: 3, W: 4, H: 4}), change("/widgets/b/layout", dashboards.Layout{X: 4, Y: 0, W: 5, H: 9})},
		{change("/widgets/b", nil)},
		{change("/settings/live", true)},
		{change("/widgets/a/encode/hue", "c2")},
		{change("/name", "Another desk")},
	}
	rev := int64(1)
	for _, ops := range steps {
		rev = d.edit(t, d.ann, rev, ops...).Rev
	}
	end := d.draft(t)
	for i := range steps {
		out, err := d.Undo(t.Context(), d.ann, d.id, rev, uuid.Nil, false)
		must(t, err)
		rev = out.Rev
		if last := i == len(steps)-1; (out.Undo == nil) != last || out.Redo == nil {
			t.Fatalf("after undo %d: undo %+v, redo %+v", i+1, out.Undo, out.Redo)
		}
	}
	if got := d.draft(t); !reflect.DeepEqual(got.Config, start) || got.Name != "Desk" {
		t.Fatalf("after undoing all:\n%s\nwant\n%s", got.Config.JSON(), start.JSON())
	}
	_, err := d.Undo(t.Context(), d.ann, d.id, rev, uuid.Nil, false)
	wantError(t, err, dashboards.ErrNothingToUndo)
	for range steps {
		out, err := d.Redo(t.Context(), d.ann, d.id, rev, uuid.Nil, false)
		must(t, err)
		rev = out.Rev
	}
	if got := d.draft(t); !reflect.DeepEqual(got.Config, end.Config) || got.Name != end.Name {
		t.Fatalf("after doing all again:\n%s\nwant\n%s", got.Config.JSON(), end.Config.JSON())
	}
	// Undone and done again several times, what lies below is still reached.
	for range 3 {
		for _, way := range []func(context.Context, access.Actor, ids.Dashboard, int64, uuid.UUID, bool) (dashboards.Edited, error){d.Undo, d.Undo, d.Redo, d.Redo} {
			out, err := way(t.Context(), d.ann, d.id, rev, uuid.Nil, false)
			must(t, err)
			rev = out.Rev
		}
	}
	if got := d.draft(t); !reflect.DeepEqual(got.Config, end.Config) || got.Name != end.Name {
		t.Fatalf("after undoing and doing again:\n%s\nwant\n%s", got.Config.JSON(), end.Config.JSON())
	}
	// A new change ends what could be done again.
	_, err = d.Undo(t.Context(), d.ann, d.id, rev, uuid.Nil, false)
	must(t, err)
	out := d.edit(t, d.ann, rev+1, change("/widgets/a/title", "Two"))
	if out.Redo != nil || out.Undo == nil || out.Undo.Verb != "rename" || out.Undo.Object != "Two" {
		t.Errorf("undo %+v, redo %+v", out.Undo, out.Redo)
	}
}

func TestUndoIsPerPersonAndAsksBeforeItReplaces(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.edit(t, d.ann, 1, change("/widgets/a/title", "Ann's"))
	d.edit(t, d.bob, 2, change("/widgets/b/title", "Bob's"))
	// Ann undoes her own change, not the last one.
	out, err := d.Undo(t.Context(), d.ann, d.id, 3, uuid.Nil, false)
	must(t, err)
	if d.title(t, "a") != "Sales" || d.title(t, "b") != "Bob's" {
		t.Errorf("titles %q, %q", d.title(t, "a"), d.title(t, "b"))
	}
	_, err = d.Redo(t.Context(), d.ann, d.id, out.Rev, uuid.Nil, false)
	must(t, err)
	d.edit(t, d.bob, 5, change("/widgets/a/title", "Bob's too"))
	_, err = d.Undo(t.Context(), d.ann, d.id, 6, uuid.Nil, false)
	wantError(t, err, dashboards.ErrUndoConflict)
	var conflict *dashboards.UndoConflict
	if !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || string(conflict.Conflicts[0].Now) != `"Bob's too"` || conflict.Conflicts[0].User == "" {
		t.Fatalf("conflict: %+v", conflict)
	}
	if d.title(t, "a") != "Bob's too" {
		t.Error("a refused undo changed something")
	}
	_, err = d.Undo(t.Context(), d.ann, d.id, 6, uuid.Nil, true)
	must(t, err)
	if d.title(t, "a") != "Sales" {
		t.Errorf("title %q", d.title(t, "a"))
	}
}

// What is left as somebody else made it is passed over: undo goes on with what is
// older, and redo comes back to it with the question, and so on either way.
func TestWhatIsLeftAsItIsIsPassedOver(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.edit(t, d.ann, 1, change("/widgets/a/title", "First"))
	d.edit(t, d.ann, 2, change("/widgets/b/title", "Bar"))
	d.edit(t, d.ann, 3, change("/widgets/a/title", "Second"))
	d.edit(t, d.bob, 4, change("/widgets/a/title", "Third"))
	asks := func(back func(context.Context, access.Actor, ids.Dashboard, int64, uuid.UUID, bool) (dashboards.Edited, error)) {
		t.Helper()
		_, err := back(t.Context(), d.ann, d.id, 0, uuid.Nil, false)
		var conflict *dashboards.UndoConflict
		if !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || string(conflict.Conflicts[0].Now) != `"Third"` || conflict.Conflicts[0].Program {
			t.Fatalf("%v does not ask about what bob did", err)
		}
	}
	titles := func(a, b string) {
		t.Helper()
		if d.title(t, "a") != a || d.title(t, "b") != b {
			t.Fatalf("titles %q, %q; want %q, %q", d.title(t, "a"), d.title(t, "b"), a, b)
		}
	}
	leave := func(undone bool) dashboards.Edited {
		t.Helper()
		out, err := d.PassOver(t.Context(), d.ann, d.id, 0, uuid.Must(uuid.NewV7()), undone)
		must(t, err)
		return out
	}
	asks(d.Undo)
	if out := leave(false); out.Undo == nil || out.Undo.Object != "Bar" || out.Redo == nil || out.Redo.Object != "Third" {
		t.Errorf("left as it is: undo %+v, redo %+v", out.Undo, out.Redo)
	}
	_, err := d.Undo(t.Context(), d.ann, d.id, 0, uuid.Nil, false)
	must(t, err)
	titles("Third", "By channel")
	asks(d.Undo) // about what is older of the same title
	if out := leave(false); out.Undo != nil {
		t.Errorf("more to undo: %+v", out.Undo)
	}
	_, err = d.Undo(t.Context(), d.ann, d.id, 0, uuid.Nil, false)
	wantError(t, err, dashboards.ErrNothingToUndo)

	asks(d.Redo)
	leave(true)
	_, err = d.Redo(t.Context(), d.ann, d.id, 0, uuid.Nil, false)
	must(t, err)
	titles("Third", "Bar")
	asks(d.Redo)
	if out := leave(true); out.Redo != nil || out.Undo == nil {
		t.Errorf("all is done again: undo %+v, redo %+v", out.Undo, out.Redo)
	}
	// The way back asks as before; done all the same, redo brings bob's back.
	asks(d.Undo)
	_, err = d.Undo(t.Context(), d.ann, d.id, 0, uuid.Nil, true)
	must(t, err)
	titles("First", "Bar")
	_, err = d.Redo(t.Context(), d.ann, d.id, 0, uuid.Nil, false)
	must(t, err)
	titles("Third", "Bar")

	// Nothing is in the way any more: nothing is passed over.
	d.edit(t, d.ann, 0, change("/widgets/b/title", "Mine"))
	before := d.draft(t).Rev
	leave(false)
	if rev := d.draft(t).Rev; rev != before {
		t.Errorf("revision %d after %d", rev, before)
	}
}

func TestUndoOfWhatIsGoneGoesOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.edit(t, d.ann, 1, change("/widgets/a/title", "First"))
	d.edit(t, d.ann, 2, change("/widgets/b/title", "Second"))
	d.edit(t, d.bob, 3, change("/widgets/b", nil))
	out, err := d.Undo(t.Context(), d.ann, d.id, 4, uuid.Nil, true)
	must(t, err)
	out, err = d.Undo(t.Context(), d.ann, d.id, out.Rev, uuid.Nil, false)
	must(t, err)
	if d.title(t, "a") != "Sales" || out.Undo != nil {
		t.Errorf("title %q, more to undo: %+v", d.title(t, "a"), out.Undo)
	}
}

// Whatever people do and undo, replaying the log from nothing gives the draft.
func TestTheLogIsTheDraft(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	random := rand.New(rand.NewPCG(7, 1))
	who := []access.Actor{d.ann, d.bob}
	for i := range 120 {
		rev := d.draft(t).Rev
		actor := who[random.IntN(2)]
		seen := max(1, rev-int64(random.IntN(4)))
		var err error
		switch random.IntN(7) {
		case 2:
			_, err = d.PassOver(t.Context(), actor, d.id, seen, uuid.Nil, random.IntN(2) == 0)
		case 0:
			_, err = d.Undo(t.Context(), actor, d.id, seen, uuid.Nil, random.IntN(2) == 0)
		case 1:
			_, err = d.Redo(t.Context(), actor, d.id, seen, uuid.Nil, random.IntN(2) == 0)
		default:
			paths := []string{"/widgets/a/title", "/widgets/b/title", "/widgets/a/subtitle", "/name", "/settings/note"}
			op := change(paths[random.IntN(len(paths))], fmt.Sprint("text ", i))
			if random.IntN(8) == 0 {
				op = change("/widgets/b", nil)
			}
			_, err = d.Edit(t.Context(), actor, d.id, dashboards.Edit{Rev: seen, Operations: []dashboards.Operation{op}})
		}
		for _, expected := range []error{dashboards.ErrNothingToUndo, dashboards.ErrNothingToRedo, dashboards.ErrUndoConflict} {
			if errors.Is(err, expected) {
				err = nil
			}
		}
		must(t, err)
	}
	final := d.draft(t)
	log, err := d.ListOperations(t.Context(), d.ann, d.id, 0)
	must(t, err)
	name, config, err := dashboards.Replay("Desk", log)
	must(t, err)
	if name != final.Name || string(config) != string(final.Config.JSON()) {
		t.Errorf("the log gives\n%s\nand the draft is\n%s", config, final.Config.JSON())
	}
}

func TestViewersSeeWhatWasPublished(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	viewer := d.colleague(t, d.ann.TenantID, access.Viewer)
	seen := func() string {
		t.Helper()
		got, err := d.Get(t.Context(), viewer, d.id)
		must(t, err)
		return got.Config.Widgets["a"].Title
	}
	d.edit(t, d.ann, 1, change("/widgets/a/title", "Draft"))
	if seen() != "Sales" {
		t.Fatalf("a viewer sees %q before it is published", seen())
	}
	_, err := d.GetDraft(t.Context(), viewer, d.id)
	wantError(t, err, access.ErrForbidden)
	_, err = d.ListOperations(t.Context(), viewer, d.id, 0)
	wantError(t, err, access.ErrForbidden)
	_, err = d.Publish(t.Context(), viewer, d.id, 0, "")
	wantError(t, err, access.ErrForbidden)
	if !d.draft(t).Pending {
		t.Error("nothing is pending before it is published")
	}
	// Only what was looked at is published.
	_, err = d.Publish(t.Context(), d.ann, d.id, 1, "Spring")
	wantError(t, err, dashboards.ErrUnreviewed)
	published, err := d.Publish(t.Context(), d.ann, d.id, 2, "Spring")
	must(t, err)
	if seen() != "Draft" || published.Pending || published.PublishedRev != 2 {
		t.Errorf("after publishing a viewer sees %q; %+v", seen(), published)
	}
	// One that was never published is seen by editors only.
	hidden, err := d.Create(t.Context(), d.ann, dashboards.NewDashboard{Name: "Hidden", Config: d.draft(t).Config, Draft: true})
	must(t, err)
	_, err = d.Get(t.Context(), viewer, hidden.ID)
	wantError(t, err, dashboards.ErrNotFound)
	for want, actor := range map[int]access.Actor{1: viewer, 2: d.bob} {
		list, err := d.List(t.Context(), actor, dashboards.ListQuery{})
		must(t, err)
		if len(list.Entries) != want {
			t.Errorf("a %s sees %d dashboards, want %d", actor.Role, len(list.Entries), want)
		}
	}
}

// A new name waits in the draft like everything else; only a renamed dashboard
// outside of the editor is called so at once.
func TestANewNameIsPartOfTheDraft(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	viewer := d.colleague(t, d.ann.TenantID, access.Viewer)
	names := func(want, draft string) {
		t.Helper()
		seen, err := d.Get(t.Context(), viewer, d.id)
		must(t, err)
		list, err := d.List(t.Context(), d.ann, dashboards.ListQuery{Search: want})
		must(t, err)
		if got := d.draft(t); seen.Name != want || len(list.Entries) != 1 || list.Entries[0].Name != want || got.Name != draft || got.Pending != (want != draft) {
			t.Errorf("viewers see %q and lists %+v, want %q; the draft is %q (pending %v), want %q", seen.Name, list.Entries, want, got.Name, got.Pending, draft)
		}
	}
	names("Desk", "Desk")
	first, err := d.NameVersion(t.Context(), d.ann, d.id, "Before")
	must(t, err)
	rev := d.edit(t, d.ann, 1, change("/name", "Trading floor")).Rev
	names("Desk", "Trading floor")
	c, err := d.CompareVersions(t.Context(), d.ann, d.id, first, 0)
	must(t, err)
	if !c.Renamed || c.From.Dashboard != "Desk" || c.To.Dashboard != "Trading floor" {
		t.Errorf("the comparison says %+v", c)
	}
	if _, err := d.Undo(t.Context(), d.ann, d.id, rev, uuid.Nil, false); err != nil {
		t.Fatal(err)
	}
	names("Desk", "Desk")
	d.edit(t, d.ann, 0, change("/name", "Trading floor"))
	_, err = d.Publish(t.Context(), d.ann, d.id, 0, "")
	must(t, err)
	names("Trading floor", "Trading floor")
	_, err = d.RestoreVersion(t.Context(), d.ann, d.id, 0, first)
	must(t, err)
	names("Trading floor", "Desk")
	_, err = d.Rename(t.Context(), d.ann, d.id, "Desk")
	must(t, err)
	names("Desk", "Desk")
	_, err = d.Rename(t.Context(), d.ann, d.id, "Floor")
	must(t, err)
	names("Floor", "Floor")
}

func TestVersionsAreComparedAndRestored(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first, err := d.NameVersion(t.Context(), d.ann, d.id, "Before")
	must(t, err)
	rev := d.edit(t, d.ann, 1, change("/widgets/a/layout", dashboards.Layout{X: 8, Y: 0, W: 3, H: 3}), change("/widgets/b", nil),
		change("/widgets/c", json.RawMessage(`{"type":"kpi","title":"New","layout":{"x":0,"y":0,"w":3,"h":3},"query":{"measures":[{"fn":"count"}]}}`))).Rev
	_, err = d.Publish(t.Context(), d.bob, d.id, 0, "")
	must(t, err)
	list, total, err := d.ListVersions(t.Context(), d.ann, d.id)
	must(t, err)
	if total != 2 || !list[0].Published || list[1].Name != "Before" || list[1].Published {
		t.Fatalf("%d versions: %+v", total, list)
	}
	c, err := d.CompareVersions(t.Context(), d.ann, d.id, first, 0)
	must(t, err)
	var got []string
	for _, w := range c.Widgets {
		got = append(got, fmt.Sprint(w.Title, " ", w.Before != nil, " ", w.After != nil, " ", w.Moved))
	}
	if want := []string{"By channel true false false", "Sales true true true", "New false true false"}; !reflect.DeepEqual(got, want) {
		t.Errorf("compared: %q, want %q", got, want)
	}
	out, err := d.RestoreVersion(t.Context(), d.ann, d.id, rev, first)
	must(t, err)
	if config := d.draft(t).Config; len(config.Widgets) != 2 || config.Widgets["a"].Layout.X != 0 {
		t.Errorf("restored: %s", config.JSON())
	}
	_, err = d.Undo(t.Context(), d.ann, d.id, out.Rev, uuid.Nil, false)
	must(t, err)
	if _, has := d.draft(t).Config.Widgets["c"]; !has {
		t.Error("undo of the restore did not bring the widget back")
	}
	_, err = d.RestoreVersion(t.Context(), d.ann, d.id, out.Rev, 99)
	wantError(t, err, dashboards.ErrVersionNotFound)
}

func TestOthersCannotEdit(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	stranger := d.person(t, "Elsewhere", access.Owner)
	viewer := d.colleague(t, d.ann.TenantID, access.Viewer)
	calls := map[string]func(access.Actor) error{
		"Edit": func(a access.Actor) error {
			_, err := d.Edit(t.Context(), a, d.id, dashboards.Edit{Rev: 1, Operations: []dashboards.Operation{change("/name", "X")}})
			return err
		},
		"Act": func(a access.Actor) error {
			_, err := d.Act(t.Context(), a, d.id, 1, uuid.Nil, dashboards.Act{Kind: "add_widget", Type: "kpi"})
			return err
		},
		"Undo": func(a access.Actor) error { _, err := d.Undo(t.Context(), a, d.id, 1, uuid.Nil, true); return err },
		"Redo": func(a access.Actor) error { _, err := d.Redo(t.Context(), a, d.id, 1, uuid.Nil, true); return err },
		"Publish": func(a access.Actor) error {
			_, err := d.Publish(t.Context(), a, d.id, 0, "")
			return err
		},
		"NameVersion":     func(a access.Actor) error { _, err := d.NameVersion(t.Context(), a, d.id, "V"); return err },
		"ListVersions":    func(a access.Actor) error { _, _, err := d.ListVersions(t.Context(), a, d.id); return err },
		"CompareVersions": func(a access.Actor) error { _, err := d.CompareVersions(t.Context(), a, d.id, 0, 0); return err },
		"RestoreVersion":  func(a access.Actor) error { _, err := d.RestoreVersion(t.Context(), a, d.id, 1, 1); return err },
		"CurrentDraft":    func(a access.Actor) error { _, err := d.CurrentDraft(t.Context(), a, d.id); return err },
	}
	for name, call := range calls {
		if err := call(stranger); !errors.Is(err, dashboards.ErrNotFound) {
			t.Errorf("%s of another workspace: %v", name, err)
		}
		if err := call(viewer); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("%s by a viewer: %v", name, err)
		}
	}
	if got := d.draft(t); got.Rev != 1 {
		t.Errorf("something changed: revision %d", got.Rev)
	}
}

func TestWhatIsDoneToDashboardsAndFoldersIsTakenBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	folder, err := d.CreateFolder(t.Context(), d.ann, ids.Folder{}, "Trading")
	must(t, err)
	must(t, d.Move(t.Context(), d.ann, d.id, folder.ID))
	must(t, d.SetTags(t.Context(), d.ann, d.id, []string{"weekly"}))
	must(t, d.RenameFolder(t.Context(), d.ann, folder.ID, "Sales"))
	must(t, d.DeleteFolder(t.Context(), d.ann, folder.ID))
	must(t, d.Delete(t.Context(), d.ann, d.id))
	// What bob did is his to take back.
	other, err := d.CreateFolder(t.Context(), d.bob, ids.Folder{}, "Bob's")
	must(t, err)
	state := func() string {
		t.Helper()
		got, err := d.GetDraft(t.Context(), d.ann, d.id)
		if errors.Is(err, dashboards.ErrNotFound) {
			return "deleted"
		}
		must(t, err)
		return fmt.Sprintf("%s %v", got.FolderName, got.Tags)
	}
	states := []string{"deleted", " [weekly]", "Sales [weekly]", "Trading [weekly]", "Trading []", " []"}
	for i, want := range states {
		if state() != want {
			t.Fatalf("after %d undos: %q, want %q", i, state(), want)
		}
		_, err := d.UndoDeed(t.Context(), d.ann)
		must(t, err)
	}
	_, err = d.UndoDeed(t.Context(), d.ann)
	wantError(t, err, dashboards.ErrNothingToUndo)
	facets, err := d.ListFacets(t.Context(), d.ann)
	must(t, err)
	if len(facets.Folders) != 1 || facets.Folders[0].ID != other.ID {
		t.Errorf("folders: %+v", facets.Folders)
	}
	for range states {
		_, err := d.RedoDeed(t.Context(), d.ann)
		must(t, err)
	}
	if state() != "deleted" {
		t.Errorf("after doing all again: %q", state())
	}
	_, err = d.UndoDeed(t.Context(), d.person(t, "Elsewhere", access.Owner))
	wantError(t, err, dashboards.ErrNothingToUndo)
}

// What somebody, or a file, has taken back already leaves undo nothing to do. It
// says so, and redo brings all of it back.
func TestUndoOfWhatIsTakenBackAlreadySaysSo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	donut := map[string]any{"type": "donut", "title": "New", "layout": map[string]any{"x": 7, "y": 0, "w": 3, "h": 8}}
	d.edit(t, d.ann, 1, change("/widgets/n", donut), change("/widgets/a/title", "Kept"))
	out := d.edit(t, d.bob, 3, change("/widgets/n", nil), change("/widgets/a/title", "Sales"))
	if name := out.Operations[0].User; name != "" {
		t.Errorf("one's own operation has the name %q", name)
	}
	log, err := d.ListOperations(t.Context(), d.ann, d.id, 3)
	must(t, err)
	if len(log) != 2 || log[0].User == "" {
		t.Errorf("what another did is by %q", log[0].User)
	}
	for range 2 { // and again
		out, err = d.Undo(t.Context(), d.ann, d.id, out.Rev, uuid.Nil, false)
		must(t, err)
		if !out.Nothing || out.Redo == nil || out.Redo.Count != 2 || out.Undo != nil {
			t.Errorf("undone: %+v", out)
		}
		out, err = d.Redo(t.Context(), d.ann, d.id, out.Rev, uuid.Nil, false)
		must(t, err)
		if out.Nothing || d.title(t, "n") != "New" || d.title(t, "a") != "Kept" {
			t.Errorf("done again: %+v, titles %q, %q", out, d.title(t, "n"), d.title(t, "a"))
		}
		out = d.edit(t, d.bob, out.Rev, change("/widgets/n", nil), change("/widgets/a/title", "Sales"))
	}
	// Where only a part was taken back, redo brings that part too.
	d.edit(t, d.bob, out.Rev, change("/widgets/a/title", "Kept"))
	out, err = d.Undo(t.Context(), d.ann, d.id, 0, uuid.Nil, false)
	must(t, err)
	if out.Nothing || d.title(t, "a") != "Sales" {
		t.Errorf("undone in part: %+v", out)
	}
	_, err = d.Redo(t.Context(), d.ann, d.id, 0, uuid.Nil, false)
	must(t, err)
	if d.title(t, "n") != "New" || d.title(t, "a") != "Kept" {
		t.Errorf("done again, the titles are %q, %q", d.title(t, "n"), d.title(t, "a"))
	}
}

package dashboards_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/warehouse"
)

func (d *desk) conflicts(t *testing.T, who access.Actor) []dashboards.Conflict {
	t.Helper()
	_, err := d.Undo(t.Context(), who, d.id, 0, uuid.Nil, false)
	var conflict *dashboards.UndoConflict
	if !errors.As(err, &conflict) {
		t.Fatalf("no conflict: %v", err)
	}
	return conflict.Conflicts
}

// A conflict names the widget as whoever undoes left it, and knows what a
// colleague made of it.
func TestAConflictIsNamedAsItsAuthorKnowsIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.edit(t, d.ann, 0, change("/widgets/a/title", "Orders"))
	d.edit(t, d.bob, 0, change("/widgets/a/title", "Revenue"))
	d.edit(t, d.bob, 0, change("/widgets/a/title", "Turnover"))
	c := d.conflicts(t, d.ann)[0]
	if c.Object != "Orders" || string(c.Left) != `"Orders"` || string(c.Now) != `"Turnover"` || string(c.Mine) != `"Sales"` {
		t.Errorf("%+v", c)
	}
	if part, id, aspect, whole := c.About(); part != "widgets" || id != "a" || aspect != "title" || !whole {
		t.Errorf("about %s %s %s %v", part, id, aspect, whole)
	}

	d.edit(t, d.ann, 0, change("/widgets/n", json.RawMessage(`{"type":"kpi","title":"New","layout":{"x":0,"y":20,"w":3,"h":3},"query":{"measures":[{"fn":"count"}]}}`)))
	d.edit(t, d.bob, 0, change("/widgets/n/title", "Bob's bar"), change("/widgets/n/layout", dashboards.Layout{X: 1, Y: 20, W: 3, H: 3}),
		change("/widgets/n/query/limit", 5))
	c = d.conflicts(t, d.ann)[0]
	var got []string
	for _, difference := range c.Differences() {
		got = append(got, fmt.Sprint(difference.Aspect, " ", string(difference.From), " ", string(difference.To)))
	}
	if want := []string{`title "New" "Bob's bar"`, "limit  5", `place {"h":3,"w":3,"x":0,"y":20} {"h":3,"w":3,"x":1,"y":20}`}; c.Object != "New" || len(c.Mine) != 0 || !slices.Equal(got, want) {
		t.Errorf("%q: %q, want %q", c.Object, got, want)
	}
	// What a colleague took away already is no question: it is gone either way.
	d.edit(t, d.bob, 0, change("/widgets/n", nil))
	if _, err := d.Undo(t.Context(), d.ann, d.id, 0, uuid.Nil, false); err != nil {
		t.Errorf("undo of what is gone already: %v", err)
	}
}

// Of a changed widget, a comparison of versions tells each value on both sides.
func TestVersionsTellWhatChanged(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first, err := d.NameVersion(t.Context(), d.ann, d.id, "First")
	must(t, err)
	d.edit(t, d.ann, 0, change("/widgets/a/title", "Revenue"), change("/widgets/a/locked", true), change("/settings/note", "Hello"),
		change("/filters/f", map[string]any{"label": "Channel", "column": "channel"}))
	second, err := d.NameVersion(t.Context(), d.ann, d.id, "Second")
	must(t, err)
	d.edit(t, d.ann, 0, change("/widgets/a/title", "Later"))
	c, err := d.CompareVersions(t.Context(), d.ann, d.id, first, second)
	must(t, err)
	if len(c.Widgets) != 1 || c.Widgets[0].Moved || len(c.Widgets[0].Changes) != 2 {
		t.Fatalf("%+v", c.Widgets)
	}
	if title := c.Widgets[0].Changes[0]; title.Aspect != "title" || string(title.From) != `"Sales"` || string(title.To) != `"Revenue"` {
		t.Errorf("%+v", title)
	}
	if len(c.Filters) != 1 || !c.Filters[0].Added || c.Filters[0].Label != "Channel" || len(c.Settings) != 1 || c.Settings[0].Aspect != "note" || c.Others || c.Same() {
		t.Errorf("%+v", c)
	}
	same, err := d.CompareVersions(t.Context(), d.ann, d.id, second, second)
	must(t, err)
	if !same.Same() {
		t.Errorf("%+v", same)
	}
}

// The change of one row of a table is explained with what it compares with.
func TestAChangeInATableIsExplained(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	v := r.open(t, d.ID, "d=2026-05-06~2026-05-08&c=previous", "")
	e, err := r.Explain(t.Context(), v, "stores", "York")
	must(t, err)
	now := sumOf(func(i int) bool { return i > 100 && i <= 160 && (i-1)%4 == 1 })
	before := sumOf(func(i int) bool { return i > 40 && i <= 100 && (i-1)%4 == 1 })
	if len(e.Values) != 2 || e.Values[0].Text != now || e.Values[0].Before != before || !strings.HasPrefix(e.Values[0].Change, "+") {
		t.Fatalf("%+v, want %s and before %s", e.Values, now, before)
	}
	if e.Previous == nil || e.Previous.Count() != 3 {
		t.Errorf("compared with %+v", e.Previous)
	}
	row := r.draw(t, v, "stores").Drawing.Table.Rows
	if i := slices.IndexFunc(row, func(x charts.GridRow) bool { return x.Mark == "York" }); i < 0 || row[i].Cells[2].Text != e.Values[0].Change {
		t.Errorf("the table shows %+v, the panel %s", row, e.Values[0].Change)
	}
}

// A measure without a value where rows are is told apart from no rows.
func TestNoValueIsNotNoData(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.boardWith(t, func(c *dashboards.Config) {
		c.Fields = map[string]dashboards.Formula{"nothing": {Expression: "sum(amount) / (count() - count())"}}
		w := c.Widgets["sum"]
		w.Query.Measures = []warehouse.Measure{{Measure: "nothing"}}
		c.Widgets["sum"] = w
		w = c.Widgets["channels"]
		w.Query.Measures = []warehouse.Measure{{Measure: "nothing"}}
		c.Widgets["channels"] = w
	})
	if tile := r.draw(t, r.open(t, d.ID, "d=all", ""), "channels"); tile.State() != charts.Empty || !tile.NoValue {
		t.Errorf("bars: %s, no value %v", tile.State(), tile.NoValue)
	}
	if tile := r.draw(t, r.open(t, d.ID, "d=all", ""), "sum"); !tile.Drawing.KPI.Empty || !tile.NoValue {
		t.Errorf("with rows: %+v, no value %v", tile.Drawing.KPI, tile.NoValue)
	}
	if tile := r.draw(t, r.open(t, d.ID, "d=2020-01-01~2020-01-02", ""), "sum"); !tile.Drawing.KPI.Empty || tile.NoValue {
		t.Errorf("without rows: %+v, no value %v", tile.Drawing.KPI, tile.NoValue)
	}
}

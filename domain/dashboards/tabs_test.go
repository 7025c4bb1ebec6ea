package dashboards_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
)

// tabbed is the dashboard of the rig on two tabs: "first" has a section with
// the chart and the bars in it, closed at first, and one below it; "second" has
// the tables.
func (r *rig) tabbed(t *testing.T) dashboards.Dashboard {
	t.Helper()
	c := config(r.sales(t, r.actor))
	c.Tabs = map[string]dashboards.Tab{"second": {Title: "Tables", Position: 1}, "first": {Title: "Charts"}}
	section := func(title string, y int, closed bool) dashboards.Widget {
		w := dashboards.Widget{Title: title, Layout: dashboards.Layout{Y: y, W: 12, H: 1}, Collapsed: closed}
		w.Type = charts.Section
		return w
	}
	move := func(id string, at dashboards.Layout, tab string) {
		w := c.Widgets[id]
		w.Layout, w.Tab = at, tab
		c.Widgets[id] = w
	}
	move("sum", dashboards.Layout{W: 3, H: 3}, "")
	c.Widgets["detail"] = section("Detail", 3, true)
	move("daily", dashboards.Layout{Y: 4, W: 9, H: 9}, "first")
	move("channels", dashboards.Layout{X: 9, Y: 4, W: 3, H: 6}, "gone")
	c.Widgets["more"] = section("More", 13, false)
	move("mix", dashboards.Layout{Y: 14, W: 3, H: 6}, "first")
	move("hours", dashboards.Layout{W: 3, H: 6}, "second")
	move("stores", dashboards.Layout{X: 3, W: 6, H: 6}, "second")
	move("rows", dashboards.Layout{Y: 6, W: 6, H: 6}, "second")
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Tabbed", Config: c})
	must(t, err)
	return d
}

func TestAPageShowsOneTabWithoutClosedSections(t *testing.T) {
	r := newRig(t)
	d := r.tabbed(t)
	for link, want := range map[string]string{
		"":           "sum@0 detail@3 more@4 mix@5",
		"o=detail":   "sum@0 detail@3 daily@4 channels@4 more@13 mix@14",
		"o=more":     "sum@0 detail@3 more@4",
		"t=second":   "hours@0 stores@0 rows@6",
		"t=nonsense": "sum@0 detail@3 more@4 mix@5",
		"t=*":        "tab-first@0 sum@1 detail@4 daily@5 channels@5 more@14 mix@15 tab-second@21 hours@22 stores@22 rows@28",
	} {
		v := r.open(t, d.ID, link, "")
		var got []string
		for _, p := range v.Tiles {
			got = append(got, p.ID+"@"+itoa(p.Widget.Layout.Y))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%q shows %s, want %s", link, text, want)
		}
		if state := v.State.Encode(); state != link {
			t.Errorf("%q is written as %q", link, state)
		}
	}
	// What is not shown can be asked for all the same: as a file, on paper.
	v := r.open(t, d.ID, "", "")
	if !v.Hides("rows") || !v.Hides("daily") || v.Hides("sum") {
		t.Error("the wrong widgets are hidden")
	}
	if r.draw(t, v, "rows").Drawing.Table == nil {
		t.Error("a widget of another tab can't be drawn")
	}
	// The editor has sections open, and one tab at a time.
	draft, err := r.Open(t.Context(), r.actor, dashboards.OpenRequest{ID: d.ID, Draft: true})
	must(t, err)
	if n := len(draft.Tiles); n != 6 {
		t.Errorf("the editor shows %d widgets, want 6", n)
	}
}

func TestEveryTabHasItsOwnGrid(t *testing.T) {
	r := newRig(t)
	d := r.tabbed(t)
	edited, err := r.Act(t.Context(), r.actor, d.ID, 0, uuid.Nil, dashboards.Act{Kind: "add_widget", Type: charts.KPI, Tab: "second"})
	must(t, err)
	draft, err := r.GetDraft(t.Context(), r.actor, d.ID)
	must(t, err)
	c := draft.Config
	added := c.Widgets[edited.Select[0]]
	if added.Tab != "second" || added.Layout != (dashboards.Layout{X: 9, W: 3, H: 3}) {
		t.Errorf("the widget stands on tab %q at %+v", added.Tab, added.Layout)
	}
	if len(c.Widgets) != 10 {
		t.Errorf("%d widgets are left, want 10", len(c.Widgets))
	}
	// A tab goes with its widgets as one change, and comes back as one.
	var ops []dashboards.Operation
	for id := range c.Widgets {
		if c.TabOf(id) == "second" {
			ops = append(ops, dashboards.Operation{ID: uuid.New(), Path: "/widgets/" + id, Before: raw(c.Widgets[id])})
		}
	}
	ops = append(ops, dashboards.Operation{ID: uuid.New(), Path: "/tabs/second", Before: raw(c.Tabs["second"])})
	_, err = r.Edit(t.Context(), r.actor, d.ID, dashboards.Edit{Rev: draft.Rev, ChangeID: uuid.New(), Operations: ops})
	must(t, err)
	_, err = r.Undo(t.Context(), r.actor, d.ID, 0, uuid.Nil, false)
	must(t, err)
	again, err := r.GetDraft(t.Context(), r.actor, d.ID)
	must(t, err)
	if !reflect.DeepEqual(again.Config.Order(), c.Order()) || !slices.Equal(again.Config.TabOrder(), []string{"first", "second"}) {
		t.Errorf("undone, the order is %v, want %v", again.Config.Order(), c.Order())
	}
	// What somebody else does below a tab that is gone does nothing.
	gone, err := r.Edit(t.Context(), r.actor, d.ID, dashboards.Edit{Operations: []dashboards.Operation{{ID: uuid.New(), Path: "/tabs/nowhere/title", After: raw("X")}}})
	must(t, err)
	if len(gone.Skipped) != 1 {
		t.Errorf("skipped %v", gone.Skipped)
	}
}

// The figures of static/test/editor.layout.test.ts.
func TestNarrowScreensAsSomebodyPutThem(t *testing.T) {
	r := newRig(t)
	c := config(r.sales(t, r.actor))
	for id := range c.Widgets {
		if id != "sum" && id != "daily" && id != "channels" {
			delete(c.Widgets, id)
		}
	}
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "By itself", Config: c})
	must(t, err)
	for _, p := range r.open(t, d.ID, "", "").Tiles {
		if p.Places.Phone != nil || p.Places.Tablet == nil {
			t.Errorf("%s has places: %+v", p.ID, p.Places)
		}
	}
	w := c.Widgets["channels"]
	y := 0
	w.Layouts = dashboards.Layouts{Tablet: &dashboards.Layout{W: 2, H: 4}, Phone: &dashboards.Phone{Y: &y, H: 4}}
	c.Widgets["channels"] = w
	sum := c.Widgets["sum"]
	sum.Layouts.Phone = &dashboards.Phone{Hidden: true}
	c.Widgets["sum"] = sum
	d, err = r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Own", Config: c})
	must(t, err)
	v := r.open(t, d.ID, "", "")
	tablet := map[string]dashboards.Layout{"channels": {W: 2, H: 4}, "sum": {Y: 4, W: 6, H: 3}, "daily": {Y: 7, W: 6, H: 9}}
	phone := map[string]dashboards.PhonePlace{"channels": {Order: 0, H: 4}, "daily": {Order: 1, H: 9}, "sum": {Order: 2, H: 3, Hidden: true}}
	for _, p := range v.Tiles {
		if p.Places.Tablet == nil || *p.Places.Tablet != tablet[p.ID] {
			t.Errorf("on a tablet %s stands at %+v, want %+v", p.ID, p.Places.Tablet, tablet[p.ID])
		}
		if p.Places.Phone == nil || *p.Places.Phone != phone[p.ID] {
			t.Errorf("on a phone %s stands at %+v, want %+v", p.ID, p.Places.Phone, phone[p.ID])
		}
	}
}

// By itself a tablet has no row with a hole.
func TestRowsOfATablet(t *testing.T) {
	t.Parallel()
	figure, chart, wide := dashboards.Layout{W: 3, H: 3}, dashboards.Layout{W: 4, H: 8}, dashboards.Layout{W: 9, H: 9}
	row := func(of dashboards.Layout, n int) []dashboards.Layout {
		return slices.Repeat([]dashboards.Layout{of}, n)
	}
	for name, c := range map[string]struct {
		widgets []dashboards.Layout
		rows    []int // widgets in each
	}{
		"one figure":           {row(figure, 1), []int{1}},
		"two figures":          {row(figure, 2), []int{2}},
		"three figures":        {row(figure, 3), []int{3}},
		"four figures":         {row(figure, 4), []int{2, 2}},
		"five figures":         {row(figure, 5), []int{3, 2}},
		"seven figures":        {row(figure, 7), []int{3, 2, 2}},
		"two charts":           {row(chart, 2), []int{2}},
		"three charts":         {row(chart, 3), []int{2, 1}},
		"wide":                 {row(wide, 2), []int{1, 1}},
		"figures and charts":   {append(row(figure, 3), row(chart, 2)...), []int{3, 2}},
		"a low and a tall one": {[]dashboards.Layout{{W: 4, H: 2}, {W: 4, H: 9}}, []int{1, 1}},
	} {
		config := dashboards.Config{Schema: dashboards.Schema, Widgets: map[string]dashboards.Widget{}}
		for i, at := range c.widgets {
			at.Y = 20 * i
			config.Widgets[fmt.Sprintf("w%02d", i)] = dashboards.Widget{Config: charts.Config{Type: charts.Text}, Layout: at}
		}
		at, y := 0, 0
		for _, n := range c.rows {
			h := 0
			for i := range n {
				h = max(h, c.widgets[at+i].H)
			}
			for i := range n {
				want := dashboards.Layout{X: i * 6 / n, Y: y, W: 6 / n, H: h}
				if got := config.TabletPlaces()[fmt.Sprintf("w%02d", at+i)]; got != want {
					t.Errorf("%s: widget %d stands at %+v, want %+v", name, at+i, got, want)
				}
			}
			at, y = at+n, y+h
		}
	}
}

func TestAConfigWithBadTabsIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no title":         `{"schema":2,"tabs":{"a":{"title":""}},"widgets":{}}`,
		"bad id":           `{"schema":2,"tabs":{"a b":{"title":"A"}},"widgets":{}}`,
		"narrow section":   `{"schema":2,"widgets":{"s":{"type":"section","title":"S","layout":{"x":0,"y":0,"w":6,"h":1}}}}`,
		"closed chart":     `{"schema":2,"widgets":{"s":{"type":"text","title":"S","collapsed":true,"layout":{"x":0,"y":0,"w":6,"h":3}}}}`,
		"hostile tab name": `{"schema":2,"widgets":{"s":{"type":"text","title":"S","tab":"<b>","layout":{"x":0,"y":0,"w":6,"h":3}}}}`,
	} {
		if _, err := dashboards.ParseConfig([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

package dashboards

import (
	"slices"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// Filters that stand on the canvas: widgets of the type charts.Control.

// DateControl stands for the date range where a widget names the filter that it
// shows.
const DateControl = WithinDate

// controls are the ids of the dashboard's own filters as the bar has them, from
// left to right.
func (c *Config) controls() []string {
	order := sortedKeys(c.Filters)
	slices.SortStableFunc(order, func(a, b string) int { return c.Filters[a].Position - c.Filters[b].Position })
	return order
}

// Embedded is the filter that a widget of the canvas shows; the zero value for
// the date range. It is none where the filter is gone, or locked for the viewer.
func (v *View) Embedded(control string) (ControlView, bool) {
	if control == DateControl {
		return ControlView{}, v.HasDates
	}
	for _, c := range v.Controls {
		if c.ID == control && !c.Added {
			return c, true
		}
	}
	return ControlView{}, false
}

// ready tells whether a widget has something to show: viewers don't see one that
// has not.
func (v *View) ready(w *Widget) bool {
	if w.Type != charts.Control {
		return w.SetUp()
	}
	_, has := v.Embedded(w.Control)
	return has
}

// InBar tells whether a filter, or the date range, stands in the filter bar:
// it does unless a widget of the page shows it instead. What phones leave out
// can't stand in for it.
func (v *View) InBar(control string) bool { return !v.moved[control] }

func (v *View) moveControls() {
	v.moved = map[string]bool{}
	stays := map[string]bool{}
	for _, p := range v.Tiles {
		w := &p.Widget
		phone := w.Layouts.Phone
		if w.Type == charts.Control && (phone == nil || !phone.Hidden) && v.ready(w) {
			v.moved[w.Control] = true
			stays[w.Control] = stays[w.Control] || w.InBar
		}
	}
	for control, asked := range stays {
		if asked {
			delete(v.moved, control)
		}
	}
}

// planControl names all that a filter on the canvas shows: its links and its
// form hold the other choices too.
func (v *View) planControl(p *Plan) {
	choices := v.State
	choices.Page = nil
	c, has := v.Embedded(p.Widget.Control)
	p.Key = digest(p.Key, has, choices.Encode(), v.Draft, v.Zone.String())
	if p.Widget.Control == DateControl {
		p.Key = digest(p.Key, v.Range, v.Days, v.Bounds, v.today)
	} else {
		p.Key = digest(p.Key, c)
	}
}

// showControl sets up a new filter of the canvas: the first one of the bar that
// no other widget shows, or else the date range.
func (d *drafter) showControl(c *Config, w *Widget) {
	shown := map[string]bool{}
	for _, other := range c.Widgets {
		shown[other.Control] = true
	}
	free := c.controls()
	if sc := d.schemas[c.Dataset]; sc != nil && c.Settings.Date.Column != "-" && sc.timeColumn() != "" {
		free = append(free, DateControl)
	}
	if i := slices.IndexFunc(free, func(id string) bool { return !shown[id] }); i >= 0 {
		w.Control = free[i]
	}
	w.Title, _ = c.controlTitle(w.Control)
}

// controlTitle is what a filter of the canvas is called until somebody names it;
// not known where the filter is gone.
func (c *Config) controlTitle(control string) (title string, known bool) {
	if control == DateControl {
		return "Date range", true
	}
	if f, has := c.Filters[control]; has {
		return f.Label, true
	}
	return "Filter", control == ""
}

// filterBy has a widget show the filter by a field, which is made where the
// dashboard has none.
func (d *drafter) filterBy(c *Config, a Act) error {
	sc, own, err := d.begin(c, a)
	if err != nil {
		return err
	}
	field, err := d.field(sc, a.Field)
	if err != nil {
		return err
	}
	control := c.controlBy(field.Name, own)
	if column := c.Settings.Date.Column; own.IsZero() && field.Name == sc.timeColumn() && (column == "" || column == field.Name) {
		control = DateControl
	}
	if control == "" {
		if control, err = c.newControl(field, own); err != nil {
			return err
		}
	}
	return d.chooseFilter(c, Act{Widget: a.Widget, Set: FieldSetting{Control: &control}})
}

// pastedFilter is what a pasted filter control shows: the filter that it showed
// where it comes from, which the dashboard has or is given; "" where it can't
// have it.
func (d *drafter) pastedFilter(c *Config, filters map[string]Control, control string) string {
	if control == DateControl {
		return control
	}
	f, told := filters[control]
	if !told {
		return ""
	}
	if f.Dataset == c.Dataset {
		f.Dataset = ids.Dataset{}
	}
	if id := c.controlBy(f.Column, f.Dataset); id != "" {
		return id
	}
	sc := d.schemas[c.dataset(f.Dataset)]
	if sc == nil || f.validate(control) != nil || len(c.Filters) == MaxControls {
		return ""
	}
	if _, has := sc.find(f.Column); !has {
		return ""
	}
	// What it did to the other dashboard stays there.
	f.Label, f.Widgets, f.Within, f.Required, f.Default = clipName(f.Label), nil, nil, false, nil
	return c.putControl(f)
}

// chooseFilter has a widget show another filter. A title that is the filter's
// name follows.
func (d *drafter) chooseFilter(c *Config, a Act) error {
	w, has := c.Widgets[a.Widget]
	switch {
	case !has:
		return ErrWidgetNotFound
	case w.Type != charts.Control || a.Set.Control == nil:
		return ErrAct.With("Only a control shows a filter.")
	}
	title, known := c.controlTitle(*a.Set.Control)
	if !known {
		return ErrControlNotFound
	}
	if before, had := c.controlTitle(w.Control); !had || w.Title == before {
		w.Title = title
	}
	w.Control = *a.Set.Control
	c.Widgets[a.Widget] = w
	return nil
}

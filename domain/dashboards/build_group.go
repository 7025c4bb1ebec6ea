package dashboards

import (
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// duplicate puts copies below the originals, in the same order to each other.
func (d *drafter) duplicate(c *Config, a Act) ([]string, error) {
	list := a.Widgets
	if len(list) == 0 && a.Widget != "" {
		list = []string{a.Widget}
	}
	if err := c.hasRoom(len(list)); err != nil {
		return nil, err
	}
	var copies []Widget
	for _, id := range list {
		w, has := c.Widgets[id]
		if !has {
			return nil, ErrWidgetNotFound
		}
		one, err := w.clone()
		if err != nil {
			return nil, err
		}
		copies = append(copies, one)
	}
	return c.addGroup(copies, nil)
}

// hasRoom tells whether n more widgets are possible.
func (c *Config) hasRoom(n int) error {
	if len(c.Widgets)+n > MaxWidgets {
		return ErrAct.With("A dashboard has at most %d widgets.", MaxWidgets)
	}
	return nil
}

// paste adds widgets of another dashboard, or of another moment of this one.
func (d *drafter) paste(c *Config, a Act) ([]string, error) {
	if err := c.hasRoom(len(a.Pasted)); err != nil {
		return nil, err
	}
	for i := range a.Pasted {
		w := &a.Pasted[i]
		if c.dataset(w.Query.Dataset).IsZero() && len(w.wells()) > 0 {
			return nil, ErrAct.With("What was pasted names no dataset.")
		}
		if w.Query.Dataset == c.Dataset {
			w.Query.Dataset = ids.Dataset{}
		}
		if w.Type == charts.Control {
			w.Control = d.pastedFilter(c, a.Filters, w.Control)
		}
		if w.SetUp() {
			if err := w.validate(); err != nil {
				return nil, ErrAct.With("What was pasted does not fit: %s", sentence(err)).Wrap(err)
			}
		} else if err := w.Layout.validate(w.Type); err != nil || !w.Type.Known() {
			return nil, ErrAct.With("What was pasted is no widget of this dashboard's types.").Wrap(err)
		}
	}
	return c.addGroup(a.Pasted, a.At)
}

// addGroup adds widgets that keep their places to each other: at a place, or
// beside or below where they were when there is room, else at the end of what is
// there.
func (c *Config) addGroup(list []Widget, at *Layout) ([]string, error) {
	if len(list) == 0 {
		return nil, ErrAct.With("There is nothing to add.")
	}
	if len(c.Widgets)+len(list) > MaxWidgets {
		return nil, ErrAct.With("A dashboard has at most %d widgets. Remove one, or begin another dashboard.", MaxWidgets)
	}
	left, top, right, bottom := GridColumns, maxRows, 0, 0
	for _, w := range list {
		left, top = min(left, w.Layout.X), min(top, w.Layout.Y)
		right, bottom = max(right, w.Layout.X+w.Layout.W), max(bottom, w.Layout.Y+w.Layout.H)
	}
	to := Layout{X: left, Y: top, W: right - left, H: bottom - top}
	if at != nil {
		to.X, to.Y = min(max(at.X, 0), GridColumns-to.W), min(max(at.Y, 0), maxRows)
	} else {
		to = c.freePlace(to.W, to.H, min(top, c.bottom()))
	}
	var added []string
	for _, w := range list {
		w.Layouts, w.Locked, w.Tab = Layouts{}, false, ""
		w.Layout.X += to.X - left
		w.Layout.Y += to.Y - top
		id := c.newWidgetID()
		c.Widgets[id] = w
		added = append(added, id)
	}
	for _, id := range added {
		c.makeRoom(id)
	}
	return added, nil
}

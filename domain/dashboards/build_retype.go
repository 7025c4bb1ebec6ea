package dashboards

import (
	"slices"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// retype shows the same fields as another type, as far as it has wells for
// them, and fills those that it needs besides.
func (d *drafter) retype(sc *schema, w *Widget, a Act) error {
	if !a.Type.Known() {
		return ErrAct.With("%q is no type of widget.", clip(string(a.Type)))
	}
	list := wellsOf(a.Type)
	if len(list) == 0 || len(w.wells()) == 0 {
		return ErrAct.With("A %s can't become a %s.", typeName(w.Type), typeName(a.Type))
	}
	if a.Type == w.Type {
		return nil
	}
	if a.Type == charts.Map {
		if _, _, ok := d.coordinates(sc); !ok {
			return ErrAct.With("A map needs a latitude and a longitude. %s has no such columns: set them on its page.", sc.Name)
		}
	}
	f := fillOf(w)
	if w.Type == charts.Table && len(w.Query.Columns) > 0 {
		f = d.regroup(sc, w, false)
	}
	var dims, measured []slot
	for _, one := range w.wells() {
		for _, s := range f[one.name] {
			switch {
			case s.dimension != nil && !IsPlace(one.name):
				dims = append(dims, s)
			case s.measure != nil:
				measured = append(measured, s)
			}
		}
	}
	hadDimension := len(dims) > 0
	// A course begins with its date, a share with what is shared out.
	slices.SortStableFunc(dims, func(x, y slot) int {
		rank := func(s slot) int {
			c, ok := sc.find(s.dimension.Column)
			time := ok && temporal(c.Type) && !cyclic(s.dimension.Grain)
			switch a.Type {
			case charts.Line, charts.Step, charts.Area, charts.StackedBar, charts.Combo:
				time = !time
			case charts.Bar:
				return 0 // as it was: bars stand for periods, too
			case charts.Donut:
			default:
				return 0
			}
			if time {
				return 1
			}
			return 0
		}
		return rank(x) - rank(y)
	})
	w.Type = a.Type
	w.Encode = charts.Encode{Hue: w.Encode.Hue, Axis: w.Encode.Axis, Select: w.Encode.Select, Vertical: w.Encode.Vertical}
	if a.Type == charts.KPI {
		w.Encode.Axis = nil
	}
	next := fill{}
	take := func(from *[]slot, kind takes, needed bool) {
		for _, one := range list {
			if one.takes != kind || one.needed != needed || IsPlace(one.name) {
				continue
			}
			for len(*from) > 0 && one.hasRoom(len(next[one.name])) {
				next[one.name] = append(next[one.name], (*from)[0])
				*from = (*from)[1:]
			}
		}
	}
	for _, needed := range []bool{true, false} {
		take(&dims, takesDimension, needed)
		take(&measured, takesMeasure, needed)
	}
	next.write(w)
	d.addUp(sc, w)
	smallest := a.Type.SmallestSize()
	w.Layout.W, w.Layout.H = max(w.Layout.W, smallest.W), max(w.Layout.H, smallest.H)
	w.Layout.X = min(w.Layout.X, GridColumns-w.Layout.W)
	if a.Type == charts.Table && hadDimension && len(w.Query.Measures) > 0 {
		return nil
	}
	d.complete(sc, w)
	return nil
}

// addUp makes sums or counts of the measures of a type that adds its values up.
func (d *drafter) addUp(sc *schema, w *Widget) {
	if !w.Config.Adds() {
		return
	}
	f := fillOf(w)
	for _, one := range w.wells() {
		for i, s := range f[one.name] {
			if s.measure == nil || sc.adds(*s.measure) {
				continue
			}
			m := *s.measure
			field, err := d.field(sc, s.field())
			switch {
			case err != nil || field.Saved || m.Column == "":
				m = warehouse.Measure{Fn: "count", Filters: m.Filters, As: resultName(f, "rows")}
			case d.adds(sc, field):
				m.Fn, m.Percentile, m.Show = "sum", 0, ""
			default:
				m.Fn, m.Percentile, m.Show = "count", 0, "" // sums of rates and prices say nothing
			}
			f[one.name][i] = slot{measure: &m}
		}
	}
	f.write(w)
}

// setDataset asks another dataset for the same fields; those that it has not
// are dropped, and what is needed then is filled anew.
func (d *drafter) setDataset(c *Config, a Act) error {
	w, has := c.Widgets[a.Widget]
	if !has {
		return ErrWidgetNotFound
	}
	sc, err := d.schemaOf(c.dataset(a.Dataset))
	if err != nil {
		return err
	}
	before, err := w.clone()
	if err != nil {
		return err
	}
	if old := d.schemas[c.dataset(w.Query.Dataset)]; old != nil {
		if w.Title == old.title(&before) {
			w.Title = ""
		}
	}
	f := fillOf(&w)
	for name, list := range f {
		f[name] = slices.DeleteFunc(list, func(s slot) bool { return !d.known(sc, s) })
	}
	f.write(&w)
	if sc.ID != c.dataset(w.Query.Dataset) {
		w.Query.ungroup()
	}
	w.Query.Filters = slices.DeleteFunc(w.Query.Filters, func(filter warehouse.Filter) bool {
		_, ok := sc.find(filter.Column)
		return filter.Column != "" && !ok
	})
	if _, ok := sc.find(w.Query.Date); !ok && w.Query.Date != "-" {
		w.Query.Date = ""
	}
	if w.Query.Dataset = sc.ID; sc.ID == c.Dataset || c.Dataset.IsZero() {
		c.Dataset, w.Query.Dataset = sc.ID, ids.Dataset{}
	}
	if len(w.Query.Measures)+len(w.Query.Dimensions)+len(w.Query.Columns) == 0 {
		d.suggest(c, sc, &w)
	} else {
		d.complete(sc, &w)
	}
	d.finish(sc, &before, &w)
	c.Widgets[a.Widget] = w
	return nil
}

// known tells whether a dataset has all that a slot asks for.
func (d *drafter) known(sc *schema, s slot) bool {
	var answers func(m *warehouse.Measure) bool
	answers = func(m *warehouse.Measure) bool {
		if m == nil {
			return true
		}
		if m.Measure != "" {
			resolved, _ := sc.measure(*m)
			return resolved.Measure == ""
		}
		if m.Column != "" {
			if _, ok := sc.find(m.Column); !ok {
				return false
			}
		}
		for _, f := range m.Filters {
			if _, ok := sc.find(f.Column); !ok {
				return false
			}
		}
		return answers(m.Numerator) && answers(m.Denominator)
	}
	if s.measure != nil {
		return answers(s.measure)
	}
	_, ok := sc.find(s.field())
	return ok
}

package dashboards

import (
	"slices"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// WellView is a well of a widget as the inspector shows it.
type WellView struct {
	Name     string
	Measures bool // takes what is measured
	Columns  bool // takes plain columns
	Most     int
	Needed   bool
	Chips    []Chip
}

// Chip is a field in a well.
type Chip struct {
	Index  int
	Field  Field
	Result string // name of the result column
	Label  string // as the widget calls it
	Fn     string
	Grain  string
	Bin    float64
	Fns    []string
	Grains []string
	Bins   []float64
	// Groupable tells that values can be put together; Groups is how many
	// groups there are.
	Groupable bool
	Groups    int
	Missing   bool        // the dataset has no such field any more
	Formula   bool        // written by hand: a ratio, or with filters of its own
	Sorted    string      // "", "asc" or "desc"
	Cell      charts.Cell // how a table shows it
}

// WidgetView is a widget with its wells.
type WidgetView struct {
	ID      string
	Widget  Widget
	Dataset ids.Dataset
	Wells   []WellView
	SetUp   bool
	// Hue tells that the widget has one colour, which can be chosen.
	Hue bool
	// Retypes are the types that it can become, itself included.
	Retypes []charts.Type
}

// WidgetView looks at a widget of a draft as the inspector does.
//
// Errors: dashboards.widget_not_found.
func (v *View) WidgetView(id string, facts Facts) (WidgetView, error) {
	c := &v.Dashboard.Config
	w, has := c.Widgets[id]
	if !has {
		return WidgetView{}, ErrWidgetNotFound
	}
	out := WidgetView{ID: id, Widget: w, Dataset: c.dataset(w.Query.Dataset), SetUp: w.SetUp()}
	sc := v.schemas[out.Dataset]
	d := drafter{schemas: v.schemas, facts: map[ids.Dataset]Facts{out.Dataset: facts}}
	f := fillOf(&w)
	for _, one := range w.wells() {
		view := WellView{Name: one.name, Measures: one.takes == takesMeasure, Columns: one.takes == takesColumn, Most: one.most, Needed: one.needed}
		for i, s := range f[one.name] {
			view.Chips = append(view.Chips, d.chip(sc, &w, one.name, s, i))
		}
		out.Wells = append(out.Wells, view)
	}
	switch w.Type {
	case charts.KPI, charts.Line, charts.Area:
		out.Hue = len(f["series"]) == 0
	case charts.Bar:
		out.Hue = true
	case charts.Map:
		out.Hue = len(f["colour"]) == 0
	}
	if len(out.Wells) > 0 {
		for _, t := range charts.Types() {
			if len(wellsOf(t)) > 0 {
				out.Retypes = append(out.Retypes, t)
			}
		}
	}
	return out, nil
}

func (d *drafter) chip(sc *schema, w *Widget, well string, s slot, i int) Chip {
	chip := Chip{Index: i, Result: s.name(), Field: Field{Name: s.field()}, Label: w.Format[s.name()].Label}
	for _, o := range w.Query.Order {
		if o.By == s.name() {
			if chip.Sorted = "asc"; o.Desc {
				chip.Sorted = "desc"
			}
		}
	}
	if i := slices.IndexFunc(w.Encode.Columns, func(c charts.Cell) bool { return c.Column == s.name() }); i >= 0 {
		chip.Cell = w.Encode.Columns[i]
	}
	if sc == nil {
		chip.Missing = true
		return chip
	}
	if m := s.measure; m != nil {
		chip.Fn = m.Fn
		chip.Formula = m.Numerator != nil || m.Denominator != nil || m.Fn == "percentile" || m.Show != ""
		if chip.Label == "" {
			chip.Label = sc.measureLabel(*m)
		}
		if chip.Formula {
			chip.Field = Field{Name: chip.Label, Type: warehouse.Float, Measure: true}
			chip.Missing = !d.known(sc, s)
			return chip
		}
	}
	field, err := d.field(sc, s.field())
	if err != nil {
		chip.Missing = true
		return chip
	}
	chip.Field = field
	if s.dimension != nil {
		chip.Grain, chip.Bin, chip.Grains = s.dimension.Grain, s.dimension.Bin, field.Grains()
		chip.Groupable, chip.Groups = d.groupable(sc, w, well, s.dimension), len(s.dimension.Groups)
		if chip.Label == "" {
			chip.Label = dimensionLabel(*s.dimension)
		}
		if field.Numeric() && field.Role == "" {
			c, _ := sc.find(field.Name)
			facts := d.columnFacts(sc, field.Name, c)
			span := facts.Max - facts.Min
			if facts.Distinct == unknownDistinct {
				span = 0
			}
			chip.Bins = Bins(span)
			if !slices.Contains(chip.Bins, chip.Bin) {
				chip.Bins = append(chip.Bins, chip.Bin)
			}
		}
	}
	if s.measure != nil {
		chip.Fns = field.Fns()
	}
	return chip
}

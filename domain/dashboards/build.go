package dashboards

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Act is what a person does in the editor with fields and types, where the
// outcome depends on the dataset: it is worked out here, and the difference
// becomes operations. What needs no dataset (a title, a place) is an operation
// from the start.
type Act struct {
	Kind    string            `json:"kind"`
	Widget  string            `json:"widget,omitempty"`
	Type    charts.Type       `json:"type,omitempty"`
	Dataset ids.Dataset       `json:"dataset,omitzero"`
	Well    string            `json:"well,omitempty"` // "": whichever suits the field
	Field   string            `json:"field,omitempty"`
	Index   *int              `json:"index,omitempty"`  // within the well, or of a filter or rule
	Expect  *string           `json:"expect,omitempty"` // the name of what the author saw at Index
	To      *int              `json:"to,omitempty"`
	From    *Spot             `json:"from,omitempty"` // drop_field of what lies in a well already
	At      *Layout           `json:"at,omitempty"`   // the type's size where w or h is 0
	Set     FieldSetting      `json:"set,omitzero"`
	Filter  *warehouse.Filter `json:"filter,omitempty"`
	ID      string            `json:"id,omitempty"`  // of a filter of the bar or a hierarchy
	Tab     string            `json:"tab,omitempty"` // where new widgets go
	Seen    int64             `json:"-"`             // as that of an Edit
	// Forecast has a new line continue.
	Forecast bool `json:"forecast,omitempty"`
	// Widgets are ids to duplicate. In JSON the same key holds whole widgets
	// for paste: Pasted.
	Widgets []string `json:"-"`
	Pasted  []Widget `json:"-"`
	// Filters are those that pasted filter controls show where they come from.
	Filters map[string]Control `json:"filters,omitempty"`
}

// Spot is a place within a widget.
type Spot struct {
	Well   string  `json:"well"`
	Index  int     `json:"index"`
	Expect *string `json:"expect,omitempty"` // as of an act
}

// FieldSetting changes one field of a widget, a column of a table or a filter;
// nil leaves as it is.
type FieldSetting struct {
	Fn      *string  `json:"fn,omitempty"`
	Grain   *string  `json:"grain,omitempty"`
	Bin     *float64 `json:"bin,omitempty,string"`
	AsLabel *string  `json:"as_label,omitempty"`
	Desc    *bool    `json:"desc,omitempty"`
	Op      *string  `json:"op,omitempty"`
	Values  *string  `json:"values,omitempty"` // separated by commas
	From    *string  `json:"from,omitempty"`
	To      *string  `json:"to,omitempty"`
	N       *int     `json:"n,omitempty,string"`
	Unit    *string  `json:"unit,omitempty"`
	Bar     *bool    `json:"bar,omitempty"`
	Change  *bool    `json:"change,omitempty"`
	Quiet   *bool    `json:"quiet,omitempty"`
	Scale   *string  `json:"scale,omitempty"`
	Tone    *string  `json:"tone,omitempty"` // of a rule
	Fill    *bool    `json:"fill,omitempty"`
	On      *bool    `json:"on,omitempty"`      // a forecast
	Layer   *string  `json:"layer,omitempty"`   // of a map
	Facet   *string  `json:"facet,omitempty"`   // field of small charts
	Control *string  `json:"control,omitempty"` // that a filter of the canvas shows
	// Groups are all groups of values that a field has then.
	Groups *Grouping `json:"groups,omitempty"`
}

// UnmarshalJSON reads an act; a pasted widget is read as strictly as a config.
func (a *Act) UnmarshalJSON(data []byte) error {
	type plain Act
	read := struct {
		*plain
		List []json.RawMessage `json:"widgets"`
	}{plain: (*plain)(a)}
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	for _, raw := range read.List {
		var id string
		if json.Unmarshal(raw, &id) == nil {
			a.Widgets = append(a.Widgets, id)
			continue
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		var w Widget
		if err := d.Decode(&w); err != nil {
			return ErrAct.With("What was pasted is no widget: %s.", jsonProblem(err)).Wrap(err)
		}
		a.Pasted = append(a.Pasted, w)
	}
	return nil
}

// datasets are those that an act needs to know besides the config's.
func (a *Act) datasets() []ids.Dataset {
	if a.Dataset.IsZero() {
		return nil
	}
	return []ids.Dataset{a.Dataset}
}

// ErrAct says why an act of the editor changes nothing.
var ErrAct = apperr.Define(apperr.Invalid, "dashboards.act_invalid",
	"This change does not fit the widget.")

// drafter works acts out. It knows the schemas of all datasets that the config
// and the act name. Facts may lack: names and types decide then.
type drafter struct {
	schemas schemas
	facts   map[ids.Dataset]Facts
}

// act gives a changed copy of the config, and the widgets that shall be
// selected after it.
//
// Errors: dashboards.act_invalid, dashboards.widget_not_found,
// dashboards.filter_not_found.
func (d *drafter) act(c Config, a Act) (next Config, selected []string, err error) {
	if next, err = c.clone(); err != nil {
		return Config{}, nil, err
	}
	join := next.onlyTab(next.tabFor(&a))
	switch a.Kind {
	case "add_widget":
		selected, err = d.addWidget(&next, a)
	case "add_field":
		selected, err = d.addField(&next, a)
	case "duplicate":
		selected, err = d.duplicate(&next, a)
	case "paste":
		selected, err = d.paste(&next, a)
	case "set_dataset":
		selected, err = []string{a.Widget}, d.setDataset(&next, a)
	case "choose_filter":
		selected, err = []string{a.Widget}, d.chooseFilter(&next, a)
	case "drop_field":
		if next.Widgets[a.Widget].Type == charts.Control {
			selected, err = []string{a.Widget}, d.filterBy(&next, a)
		} else {
			selected, err = []string{a.Widget}, d.change(&next, a, (*drafter).dropField)
		}
	case "add_control":
		err = d.addControl(&next, a)
	case "remove_control":
		if _, has := next.Filters[a.ID]; !has {
			return Config{}, nil, ErrControlNotFound
		}
		delete(next.Filters, a.ID)
	case "add_level", "move_level", "remove_level":
		err = d.changeLevels(&next, a)
	default:
		change, known := widgetActs[a.Kind]
		if !known {
			return Config{}, nil, ErrAct.With("The editor does not know the act %q.", clip(a.Kind))
		}
		selected, err = []string{a.Widget}, d.change(&next, a, change)
	}
	if err != nil {
		return Config{}, nil, err
	}
	join()
	if len(next.Widgets) > MaxWidgets {
		return Config{}, nil, ErrAct.With("A dashboard has at most %d widgets. Remove one, or begin another dashboard.", MaxWidgets)
	}
	if len(next.Filters) > MaxControls {
		return Config{}, nil, ErrAct.With("A dashboard has at most %d filters. Remove one first.", MaxControls)
	}
	return next, selected, nil
}

// clone is a copy that shares nothing with c.
func (c *Config) clone() (Config, error) {
	var next Config
	if err := json.Unmarshal(c.JSON(), &next); err != nil {
		return Config{}, ErrConfig.Wrap(err)
	}
	if next.Widgets == nil {
		next.Widgets = map[string]Widget{}
	}
	return next, nil
}

// widgetActs change one widget.
var widgetActs = map[string]func(*drafter, *schema, *Widget, Act) error{
	"remove_field":  (*drafter).removeField,
	"move_field":    (*drafter).moveField,
	"set_field":     (*drafter).setField,
	"set_cell":      (*drafter).setCell,
	"set_axis":      (*drafter).setAxis,
	"set_layer":     (*drafter).setLayer,
	"set_facet":     (*drafter).setFacet,
	"add_line":      (*drafter).addLine,
	"set_line":      (*drafter).setLine,
	"remove_line":   (*drafter).removeLine,
	"retype":        (*drafter).retype,
	"add_filter":    (*drafter).addFilter,
	"set_filter":    (*drafter).setFilter,
	"remove_filter": (*drafter).removeFilter,
	"add_rule":      (*drafter).addRule,
	"set_rule":      (*drafter).setRule,
	"remove_rule":   (*drafter).removeRule,
	"set_forecast":  (*drafter).setForecast,
}

// change does one of widgetActs and lets what is generated follow.
func (d *drafter) change(c *Config, a Act, work func(*drafter, *schema, *Widget, Act) error) error {
	w, has := c.Widgets[a.Widget]
	if !has {
		return ErrWidgetNotFound
	}
	sc, err := d.schemaOf(c.dataset(w.Query.Dataset))
	if err != nil {
		return err
	}
	before, err := w.clone()
	if err != nil {
		return err
	}
	if err := work(d, sc, &w, a); err != nil {
		return err
	}
	d.finish(sc, &before, &w)
	c.Widgets[a.Widget] = w
	if w.Layout != before.Layout {
		c.makeRoom(a.Widget)
	}
	return nil
}

// finish lets labels, title, and limits follow a change.
func (d *drafter) finish(sc *schema, before, w *Widget) {
	d.limit(sc, before, w)
	d.inOrder(sc, before, w)
	sc.label(before, w)
	sc.retitle(before, w)
}

func (w *Widget) clone() (Widget, error) {
	var copied Widget
	data, err := json.Marshal(w)
	if err == nil {
		err = json.Unmarshal(data, &copied)
	}
	if err != nil {
		return Widget{}, ErrConfig.Wrap(err)
	}
	return copied, nil
}

func (d *drafter) schemaOf(id ids.Dataset) (*schema, error) {
	if id.IsZero() {
		return nil, ErrAct.With("The dashboard has no dataset yet. Choose one above the fields.")
	}
	if sc := d.schemas[id]; sc != nil {
		return sc, nil
	}
	return nil, ErrAct.With("The dataset of this widget was removed, or you can't see it. Choose another dataset for it.")
}

// begin makes the dataset of the act the dashboard's own where it has none.
func (d *drafter) begin(c *Config, a Act) (*schema, ids.Dataset, error) {
	id := c.dataset(a.Dataset)
	sc, err := d.schemaOf(id)
	if err != nil {
		return nil, id, err
	}
	if c.Dataset.IsZero() {
		c.Dataset = id
	}
	if id == c.Dataset {
		id = ids.Dataset{}
	}
	return sc, id, nil
}

// add puts a new widget on the canvas.
func (c *Config) add(w Widget, at *Layout) []string {
	w.Layout = c.place(w.Type, at)
	id := c.newWidgetID()
	c.Widgets[id] = w
	if at != nil {
		c.makeRoom(id)
	}
	return []string{id}
}

// addWidget adds one of a type with the fields that say most; where the dataset
// has none that fit, it is left to be set up.
func (d *drafter) addWidget(c *Config, a Act) ([]string, error) {
	if !a.Type.Known() {
		return nil, ErrAct.With("%q is no type of widget.", clip(string(a.Type)))
	}
	w := Widget{}
	w.Type = a.Type
	if a.Forecast {
		w.Forecast = &charts.Forecast{Horizon: firstHorizon}
	}
	if len(wellsOf(a.Type)) == 0 {
		w.Title = charts.Humanise(string(a.Type))
		if a.Type == charts.Control {
			d.showControl(c, &w)
		}
		return c.add(w, a.At), nil
	}
	sc, own, err := d.begin(c, a)
	if err != nil {
		return nil, err
	}
	w.Query.Dataset = own
	if w.Type == charts.Map && len(d.places(sc)) == 0 && d.namesAreas(sc) {
		w.Encode.Layer = charts.LayerAreas
	}
	d.suggest(c, sc, &w)
	if w.Forecast.Validate(w.Type, len(w.Query.Dimensions)) != nil {
		w.Forecast = nil // a dataset without a date
	}
	d.reach(sc, &w)
	d.finish(sc, nil, &w)
	return c.add(w, a.At), nil
}

// addField adds a widget that says something about one field.
func (d *drafter) addField(c *Config, a Act) ([]string, error) {
	sc, own, err := d.begin(c, a)
	if err != nil {
		return nil, err
	}
	field, err := d.field(sc, a.Field)
	if err != nil {
		return nil, err
	}
	w := Widget{}
	w.Query.Dataset = own
	w.Type = d.typeFor(sc, field)
	if lat, lon, ok := d.coordinates(sc); w.Type == charts.Map && ok {
		// One half of a place brings the other.
		if lat.Lookup != field.Lookup {
			lat, lon = d.pairOf(sc, field, lat, lon)
		}
		err = d.put(sc, &w, lat.Name, "lat", nil)
		if err == nil {
			err = d.put(sc, &w, lon.Name, "lon", nil)
		}
	} else {
		err = d.put(sc, &w, field.Name, "", nil)
	}
	if err != nil {
		return nil, err
	}
	d.complete(sc, &w)
	d.finish(sc, nil, &w)
	return c.add(w, a.At), nil
}

// typeFor is the chart that a field alone makes.
func (d *drafter) typeFor(sc *schema, f Field) charts.Type {
	_, _, mapped := d.coordinates(sc)
	place := f.Role
	if lower := strings.ToLower(lastPart(f.Name)); place == "" && f.Numeric() && slices.Contains([]string{"lat", "latitude", "lon", "lng", "long", "longitude"}, lower) {
		place = lower
	}
	switch {
	case place != "" && mapped:
		return charts.Map
	case temporal(f.Type):
		return charts.Line
	case f.Type == warehouse.Boolean:
		return charts.Donut
	case f.Measure, numeric(f.Type) && f.Lookup != "":
		return charts.KPI
	}
	return charts.Bar
}

// pairOf are the coordinates of the lookup that the field is of.
func (d *drafter) pairOf(sc *schema, f, lat, lon Field) (Field, Field) {
	narrowed := *sc
	narrowed.Columns, narrowed.targets = nil, nil
	if target := sc.targets[f.Lookup]; target != nil {
		narrowed.targets = map[string]*datasets.Dataset{f.Lookup: target}
		if a, b, ok := d.coordinates(&narrowed); ok {
			return a, b
		}
	}
	return lat, lon
}

// adds tells whether the parts of a field add up, so that it can be drawn in
// parts without being asked how.
func (d *drafter) adds(sc *schema, f Field) bool {
	return !f.Saved && d.aggregate(sc, f) == "sum"
}

// plainRows lists the first columns, newest rows first.
func (d *drafter) plainRows(sc *schema, w *Widget) {
	for _, c := range sc.Columns[:min(len(sc.Columns), manyFields)] {
		w.Query.Columns = append(w.Query.Columns, c.Name)
	}
	if name := sc.timeColumn(); name != "" {
		w.Query.Order = []warehouse.Order{{By: name, Desc: true}}
		if !slices.Contains(w.Query.Columns, name) {
			w.Query.Columns = append([]string{name}, w.Query.Columns...)
		}
	}
}

// limit keeps to what a type can show: the ten largest categories of a bar, and
// the rest as one where that is no larger than they are, every period of a date.
func (d *drafter) limit(sc *schema, before, w *Widget) {
	q := &w.Query
	if w.Type == charts.Radar && (before == nil || before.Type != w.Type) {
		q.Limit, q.Other = 0, false
		if len(q.Dimensions) == 1 {
			q.Limit = charts.MaxAxes
		}
		return
	}
	if w.Type != charts.Bar && w.Type != charts.StackedBar {
		if w.Type == charts.Radar && len(q.Dimensions) != len(before.Query.Dimensions) && q.Limit == charts.MaxAxes {
			q.Limit = 0 // divided rows are not one an axis
		}
		if before != nil && before.Type != w.Type {
			q.Limit, q.Other = 0, false
		}
		if w.Type == charts.Map && q.Limit == 0 {
			q.Limit = 5000
		}
		return
	}
	if w.Type == charts.StackedBar || len(q.Dimensions) == 0 {
		if before != nil && before.Type != w.Type {
			q.Limit, q.Other = 0, false
		}
		return
	}
	first := q.Dimensions[0]
	// Groups that take in every value are few; others stand among all values.
	plainly := func(dim warehouse.Dimension) bool {
		return dim.Grain == "" && dim.Bin == 0 && (len(dim.Groups) == 0 || dim.Other == "")
	}
	plain := plainly(first)
	var was warehouse.Dimension
	if before != nil && before.Type == w.Type && len(before.Query.Dimensions) > 0 {
		was = before.Query.Dimensions[0]
	}
	switch {
	case was.Column != "" && plain == plainly(was):
		// As the person left it.
	case plain:
		q.Limit, q.Other = d.largest(sc, first.Column)
	default:
		q.Limit, q.Other = 0, false
	}
}

// firstBars is how many categories a new bar chart names.
const firstBars = 10

// largest is how many categories a bar chart names, and whether a bar for the
// rest goes with them: one that is the longest would make slivers of the others.
func (d *drafter) largest(sc *schema, column string) (limit int, other bool) {
	c, _ := sc.find(column)
	facts := d.columnFacts(sc, column, c)
	switch n := int(facts.Distinct); {
	case facts.unknown(), n <= firstBars:
		return firstBars, true
	case n <= barCategories:
		return n, true
	case len(facts.Leading) >= firstBars:
		return firstBars, facts.rest(firstBars) <= facts.Leading[0]
	}
	return firstBars, false
}

// inOrder sorts the steps of a scale as they follow each other, where nobody
// chose another order.
func (d *drafter) inOrder(sc *schema, before, w *Widget) {
	switch w.Type {
	case charts.Bar, charts.StackedBar, charts.Combo, charts.Box:
	default:
		return
	}
	dims := w.Query.Dimensions
	if len(w.Query.Order) > 0 || len(dims) == 0 || !isPlain(dims[0]) ||
		before != nil && before.Type == w.Type && len(before.Query.Dimensions) > 0 && before.Query.Dimensions[0].Column == dims[0].Column {
		return
	}
	c, _ := sc.find(dims[0].Column)
	if facts := d.columnFacts(sc, dims[0].Column, c); facts.Ordered {
		w.Query.Order = []warehouse.Order{{By: dimensionName(dims[0])}}
	}
}

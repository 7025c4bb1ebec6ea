package dashboards

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// wellNames are the wells as sentences call them.
var wellNames = map[string]string{
	"x": "the x axis", "y": "the rows", "series": "the colours", "value": "the values", "also": "the second line", "lat": "the latitude",
	"lon": "the longitude", "size": "the size", "colour": "the colour", "label": "the labels", "rows": "the rows", "columns": "the columns",
}

func wellName(name string) string {
	if text, ok := wellNames[name]; ok {
		return text
	}
	return "“" + strings.ReplaceAll(name, "_", " ") + "”"
}

// put drops a field into a well of w, before the one at index, or where the
// field fits best for the well "".
func (d *drafter) put(sc *schema, w *Widget, name, into string, index *int) error {
	field, err := d.field(sc, name)
	if err != nil {
		return err
	}
	f := fillOf(w)
	one, err := d.target(w, f, field, into)
	if err != nil {
		return err
	}
	if one.takes == takesColumn != (len(w.Query.Columns) > 0) && w.Type == charts.Table {
		f = d.regroup(sc, w, one.takes == takesColumn)
	}
	s, err := d.slot(sc, field, one, w, f)
	if err != nil {
		return err
	}
	if err := f.unique(s, one); err != nil {
		return err
	}
	f.insert(one, s, index)
	f.write(w)
	return nil
}

// target is the well that a field goes into. A bar that is divided becomes a
// stack of bars.
func (d *drafter) target(w *Widget, f fill, field Field, into string) (well, error) {
	list := wellsOf(w.Type)
	if len(list) == 0 {
		return well{}, ErrAct.With("A %s shows no data. Drop the field beside it and it becomes a chart of its own.", typeName(w.Type))
	}
	if into != "" {
		one, ok := wellOf(w.Type, into)
		if !ok {
			return well{}, ErrAct.With("A %s has no place for %s.", typeName(w.Type), wellName(into))
		}
		return one, nil
	}
	want := takesDimension
	switch {
	case w.Type == charts.Table && len(w.Query.Columns) > 0 && !field.Saved && field.Name != CountField:
		want = takesColumn
	case field.Measure:
		want = takesMeasure
	}
	fits := func(one well) bool { return one.is(want) && one.hasRoom(len(f[one.name])) }
	if place := slices.IndexFunc(list, func(one well) bool { return fits(one) && one.needed && one.name != "lat" && one.name != "lon" }); place >= 0 {
		return list[place], nil
	}
	if place := slices.IndexFunc(list, func(one well) bool { return fits(one) && one.name != "lat" && one.name != "lon" }); place >= 0 {
		return list[place], nil
	}
	if w.Type == charts.Bar && want == takesDimension {
		w.Type = charts.StackedBar
		one, _ := wellOf(w.Type, "series")
		return one, nil
	}
	if place := slices.IndexFunc(list, func(one well) bool { return one.is(want) && one.name != "lat" && one.name != "lon" }); place >= 0 {
		return list[place], nil
	}
	if want == takesDimension {
		return well{}, ErrAct.With("A %s is not divided by anything. Choose another type first, a bar for example, to compare by %s.", typeName(w.Type), lower(field.Label()))
	}
	return well{}, ErrAct.With("A %s has no place for %s.", typeName(w.Type), lower(field.Label()))
}

// unique refuses to divide a chart by the same thing twice.
func (f fill) unique(s slot, into well) error {
	for name, list := range f {
		for _, other := range list {
			same := s.dimension != nil && other.dimension != nil && s.dimension.Column == other.dimension.Column &&
				s.dimension.Grain == other.dimension.Grain && s.dimension.Bin == other.dimension.Bin ||
				s.column != "" && s.column == other.column
			if same && (name != into.name || !into.bound()) {
				return ErrAct.With("%s is on %s already.", charts.Humanise(lastPart(s.field())), wellName(name))
			}
		}
	}
	return nil
}

// insert puts s before the one at index; what a well has no room for gives way.
func (f fill) insert(into well, s slot, index *int) {
	list := f[into.name]
	at := len(list)
	if index != nil {
		at = min(max(*index, 0), len(list))
	}
	if !into.hasRoom(len(list)) {
		at = min(at, len(list)-1)
		list[at] = s
	} else {
		list = slices.Insert(list, at, s)
	}
	f[into.name] = list
}

// regroup turns a table of plain rows into one of groups, or back, with the
// same fields as far as both can show them.
func (d *drafter) regroup(sc *schema, w *Widget, plain bool) fill {
	f := fill{}
	q := &w.Query
	if plain {
		for _, dim := range q.Dimensions {
			f["columns"] = append(f["columns"], slot{column: dim.Column})
		}
		for _, m := range q.Measures {
			if m.Column != "" && m.Measure == "" && !slices.ContainsFunc(f["columns"], func(s slot) bool { return s.column == m.Column }) {
				f["columns"] = append(f["columns"], slot{column: m.Column})
			}
		}
	} else {
		rows, _ := wellOf(w.Type, "rows")
		values, _ := wellOf(w.Type, "value")
		for _, name := range q.Columns {
			field, err := d.field(sc, name)
			if err != nil {
				continue // a column that is gone
			}
			into := rows
			if field.Measure {
				into = values
			}
			if s, err := d.slot(sc, field, into, w, f); err == nil && into.hasRoom(len(f[into.name])) {
				f[into.name] = append(f[into.name], s)
			}
		}
		if len(f["value"]) == 0 {
			f["value"] = []slot{{measure: &warehouse.Measure{Fn: "count", As: resultName(f, "rows")}}}
		}
	}
	q.Order, w.Encode.Columns = nil, nil
	return f
}

func (d *drafter) dropField(sc *schema, w *Widget, a Act) error {
	unset := len(w.Query.Measures)+len(w.Query.Columns)+len(w.Query.Dimensions) == 0
	if a.From == nil {
		if err := d.put(sc, w, a.Field, a.Well, a.Index); err != nil {
			return err
		}
	} else if err := d.carry(sc, w, *a.From, a); err != nil {
		return err
	}
	if unset || w.Type.Known() && len(w.Query.Measures) == 0 && len(w.Query.Columns) == 0 {
		// The first field of a widget shows something at once.
		d.countThem(w)
	}
	return nil
}

// countThem lets what has groups and no measure count them.
func (d *drafter) countThem(w *Widget) {
	f := fillOf(w)
	for _, one := range wellsOf(w.Type) {
		if one.takes == takesMeasure && len(f[one.name]) == 0 && len(w.Query.Dimensions) > 0 && len(w.Query.Measures) == 0 {
			f[one.name] = []slot{{measure: &warehouse.Measure{Fn: "count", As: resultName(f, "rows")}}}
			f.write(w)
			return
		}
	}
}

// carry takes what lies in one well to another. It stays as it is set, where
// the other takes the same kind.
func (d *drafter) carry(sc *schema, w *Widget, from Spot, a Act) error {
	f := fillOf(w)
	s, err := f.at(from.Well, from.Index)
	if err != nil {
		return err
	}
	into, ok := wellOf(w.Type, a.Well)
	if !ok {
		return ErrAct.With("A %s has no place for %s.", typeName(w.Type), wellName(a.Well))
	}
	if from.Well == a.Well {
		to := from.Index
		if a.Index != nil {
			to = *a.Index
		}
		return d.moveField(sc, w, Act{Well: a.Well, Index: &from.Index, To: &to})
	}
	f[from.Well] = slices.Delete(slices.Clone(f[from.Well]), from.Index, from.Index+1)
	if s.takes() != into.takes {
		field, err := d.field(sc, s.field())
		if err != nil {
			return err
		}
		if s, err = d.slot(sc, field, into, w, f); err != nil {
			return err
		}
	}
	if !into.hasRoom(len(f[into.name])) && a.Index == nil {
		// Two full wells change places.
		old := f[into.name][len(f[into.name])-1]
		if back, ok := wellOf(w.Type, from.Well); ok && back.takes == old.takes() {
			f[from.Well] = slices.Insert(f[from.Well], min(from.Index, len(f[from.Well])), old)
		}
	}
	f.insert(into, s, a.Index)
	f.write(w)
	return nil
}

// at is what lies in a well.
func (f fill) at(well string, index int) (slot, error) {
	if index < 0 || index >= len(f[well]) {
		return slot{}, ErrAct.With("There is no field at that place any more. Somebody else may have removed it.")
	}
	return f[well][index], nil
}

func (a *Act) index() int {
	if a.Index == nil {
		return 0
	}
	return *a.Index
}

func (d *drafter) removeField(_ *schema, w *Widget, a Act) error {
	f := fillOf(w)
	if _, err := f.at(a.Well, a.index()); err != nil {
		return err
	}
	f[a.Well] = slices.Delete(slices.Clone(f[a.Well]), a.index(), a.index()+1)
	f.write(w)
	return nil
}

func (d *drafter) moveField(_ *schema, w *Widget, a Act) error {
	f := fillOf(w)
	s, err := f.at(a.Well, a.index())
	if err != nil {
		return err
	}
	if a.To == nil {
		return ErrAct.With("The act does not say where the field goes.")
	}
	list := slices.Delete(slices.Clone(f[a.Well]), a.index(), a.index()+1)
	f[a.Well] = slices.Insert(list, min(max(*a.To, 0), len(list)), s)
	f.write(w)
	return nil
}

// setField changes how one field is grouped, measured, named or sorted.
func (d *drafter) setField(sc *schema, w *Widget, a Act) error {
	f := fillOf(w)
	s, err := f.at(a.Well, a.index())
	if err != nil {
		return err
	}
	set := a.Set
	old := s.name()
	switch {
	case s.dimension != nil:
		dim := *s.dimension
		field, err := d.field(sc, dim.Column)
		if err != nil {
			return err
		}
		if set.Grain != nil {
			if *set.Grain != "" && !slices.Contains(field.Grains(), *set.Grain) && *set.Grain != "quarter_hour" {
				return ErrAct.With("%s can't be grouped by %s.", field.Label(), strings.ReplaceAll(clip(*set.Grain), "_", " "))
			}
			dim.Grain = *set.Grain
		}
		if set.Bin != nil {
			if *set.Bin < 0 || *set.Bin > 0 && !field.Numeric() {
				return ErrAct.With("%s can't be grouped in steps: it holds no numbers.", field.Label())
			}
			dim.Bin = *set.Bin
		}
		if dim.As == "" {
			dim.As = old // the name stays, so that order and format hold on to it
		}
		s.dimension = &dim
	case s.measure != nil:
		m := *s.measure
		if set.Fn != nil && *set.Fn != m.Fn {
			field, err := d.field(sc, s.field())
			if err != nil {
				return err
			}
			if !slices.Contains(field.Fns(), *set.Fn) {
				return ErrAct.With("%s can't be measured by %s.", field.Label(), strings.ReplaceAll(clip(*set.Fn), "_", " "))
			}
			m.Fn = *set.Fn
			if m.As == "" {
				m.As = old
			}
		}
		s.measure = &m
	}
	f[a.Well][a.index()] = s
	f.write(w)
	if set.AsLabel != nil {
		label := strings.TrimSpace(*set.AsLabel)
		if len([]rune(label)) > 80 {
			return ErrAct.With("A name has at most 80 characters.")
		}
		if w.Format == nil {
			w.Format = map[string]charts.Format{}
		}
		format := w.Format[s.name()]
		format.Label = label
		w.Format[s.name()] = format
	}
	if set.Desc != nil {
		w.Query.Order = []warehouse.Order{{By: s.name(), Desc: *set.Desc}}
	}
	return nil
}

// setCell changes how a table shows one of its result columns.
func (d *drafter) setCell(_ *schema, w *Widget, a Act) error {
	if w.Type != charts.Table {
		return ErrAct.With("Only a table has columns.")
	}
	if len(w.Encode.Columns) == 0 {
		for _, dim := range w.Query.Dimensions {
			w.Encode.Columns = append(w.Encode.Columns, charts.Cell{Column: dimensionName(dim)})
		}
		for _, m := range w.Query.Measures {
			w.Encode.Columns = append(w.Encode.Columns, charts.Cell{Column: measureName(m)})
		}
		for _, c := range w.Query.Columns {
			w.Encode.Columns = append(w.Encode.Columns, charts.Cell{Column: c})
		}
	}
	i := slices.IndexFunc(w.Encode.Columns, func(c charts.Cell) bool { return c.Column == a.Field })
	if i < 0 {
		return ErrAct.With("The table has no column %q any more.", clip(a.Field))
	}
	cell := &w.Encode.Columns[i]
	if a.Set.Bar != nil {
		cell.Bar = *a.Set.Bar
	}
	if a.Set.Change != nil {
		cell.Change = *a.Set.Change
	}
	if a.Set.Quiet != nil {
		cell.Quiet = *a.Set.Quiet
	}
	if a.Set.Scale != nil {
		cell.Scale = *a.Set.Scale
	}
	return nil
}

// setAxis fixes the ends of the value axis, or lets them follow the data again.
func (d *drafter) setAxis(_ *schema, w *Widget, a Act) error {
	if a.Set.Values == nil || strings.TrimSpace(*a.Set.Values) == "" {
		w.Encode.Axis = nil
		return nil
	}
	var ends []float64
	for _, word := range strings.FieldsFunc(*a.Set.Values, func(r rune) bool { return r == ' ' || r == ';' || r == '–' || r == ',' }) {
		if v, err := strconv.ParseFloat(strings.ReplaceAll(word, "−", "-"), 64); err == nil {
			ends = append(ends, v)
		}
	}
	if len(ends) != 2 || !(ends[0] < ends[1]) {
		return ErrAct.With("The ends of an axis are two numbers, the smaller one first: 0 – 100.")
	}
	w.Encode.Axis = &[2]float64{ends[0], ends[1]}
	return nil
}

// retype shows the same fields as another type, as far as it has wells for
// them, and fills those that it needs besides.
func (d *drafter) retype(sc *schema, w *Widget, a Act) error {
	if !a.Type.Known() {
		return ErrAct.With("%q is no type of widget.", clip(string(a.Type)))
	}
	list := wellsOf(a.Type)
	if len(list) == 0 || len(wellsOf(w.Type)) == 0 {
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
	for _, one := range wellsOf(w.Type) {
		for _, s := range f[one.name] {
			switch {
			case s.dimension != nil && one.name != "lat" && one.name != "lon":
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
			case charts.Line, charts.Area, charts.StackedBar:
				time = !time
			case charts.Donut, charts.Bar:
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
			if one.takes != kind || one.needed != needed || one.name == "lat" || one.name == "lon" {
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
	smallest := a.Type.SmallestSize()
	w.Layout.W, w.Layout.H = max(w.Layout.W, smallest.W), max(w.Layout.H, smallest.H)
	w.Layout.X = min(w.Layout.X, GridColumns-w.Layout.W)
	if a.Type == charts.Table && hadDimension && len(w.Query.Measures) > 0 {
		return nil
	}
	d.complete(sc, w)
	return nil
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
	sc.finish(&before, &w)
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
		if c.dataset(w.Query.Dataset).IsZero() && len(wellsOf(w.Type)) > 0 {
			return nil, ErrAct.With("What was pasted names no dataset.")
		}
		if w.Query.Dataset == c.Dataset {
			w.Query.Dataset = ids.Dataset{}
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
// beside or below where they were when there is room, else at the end.
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
		to = c.freePlace(to.W, to.H, top)
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

// The filters of a widget.

func (d *drafter) addFilter(sc *schema, w *Widget, a Act) error {
	field, err := d.field(sc, a.Field)
	if err != nil {
		return err
	}
	if field.Saved || field.Name == CountField {
		return ErrAct.With("A widget is filtered by columns; %s is a measure.", field.Label())
	}
	if len(w.Query.Filters) >= 20 {
		return ErrAct.With("A widget has at most 20 filters.")
	}
	f := warehouse.Filter{Column: field.Name, Op: "not_empty"}
	if field.Temporal() {
		f = warehouse.Filter{Column: field.Name, Op: "last", N: 28, Unit: "day"}
	}
	if a.Filter != nil {
		f = *a.Filter
		f.Column = field.Name
	}
	w.Query.Filters = append(w.Query.Filters, f)
	return nil
}

func (w *Widget) filterAt(i int) error {
	if i < 0 || i >= len(w.Query.Filters) {
		return ErrAct.With("There is no filter at that place any more. Somebody else may have removed it.")
	}
	return nil
}

func (d *drafter) removeFilter(_ *schema, w *Widget, a Act) error {
	if err := w.filterAt(a.index()); err != nil {
		return err
	}
	if w.Query.Filters = slices.Delete(w.Query.Filters, a.index(), a.index()+1); len(w.Query.Filters) == 0 {
		w.Query.Filters = nil
	}
	return nil
}

// setFilter takes a whole filter, or what a person wrote into its fields.
func (d *drafter) setFilter(sc *schema, w *Widget, a Act) error {
	if err := w.filterAt(a.index()); err != nil {
		return err
	}
	f := w.Query.Filters[a.index()]
	column := f.Column
	if a.Filter != nil {
		f = *a.Filter
		if f.Column == "" && f.Measure == "" {
			f.Column = column
		}
	}
	c, ok := sc.find(f.Column)
	if !ok {
		return ErrAct.With("%s has no column %q.", sc.Name, clip(f.Column))
	}
	values := func(text string) ([]json.RawMessage, error) {
		var list []json.RawMessage
		for one := range strings.SplitSeq(text, ",") {
			if one = strings.TrimSpace(one); one == "" {
				continue
			}
			raw, err := literal(c, f.Grain, f.Bin, one)
			if err != nil {
				return nil, ErrAct.With("%q is no value of %s.", clip(one), charts.Humanise(lastPart(f.Column))).Wrap(err)
			}
			list = append(list, raw)
		}
		if len(list) > maxStateValues {
			return nil, ErrAct.With("A filter takes at most %d values.", maxStateValues)
		}
		return list, nil
	}
	set := a.Set
	var err error
	if set.Values != nil {
		if f.Values, err = values(*set.Values); err != nil {
			return err
		}
	}
	one := func(text *string, to *json.RawMessage) error {
		if text == nil {
			return nil
		}
		list, err := values(*text)
		if err == nil && len(list) == 1 {
			*to = list[0]
		}
		return err
	}
	if err := one(set.From, &f.From); err != nil {
		return err
	}
	if err := one(set.To, &f.To); err != nil {
		return err
	}
	if set.N != nil {
		f.N = *set.N
	}
	if set.Unit != nil {
		f.Unit = *set.Unit
	}
	if set.Op != nil {
		f.Op = *set.Op
	}
	w.Query.Filters[a.index()] = completeFilter(f)
	return nil
}

// completeFilter lets a filter hold what its operator needs and nothing else. A
// filter without values yet keeps every row that has one.
func completeFilter(f warehouse.Filter) warehouse.Filter {
	switch f.Op {
	case "last", "previous":
		f.Values, f.From, f.To = nil, nil, nil
		f.N = max(f.N, 1)
		if f.Unit == "" {
			f.Unit = "day"
		}
	case "this":
		f.Values, f.From, f.To, f.N = nil, nil, nil, 0
		if f.Unit == "" {
			f.Unit = "month"
		}
	case "is_empty", "not_empty":
		f.Values, f.From, f.To, f.N, f.Unit = nil, nil, nil, 0, ""
	case "between":
		if f.From == nil && len(f.Values) > 0 {
			f.From = f.Values[0]
		}
		if f.To == nil {
			f.To = f.From
		}
		f.Values, f.N, f.Unit = nil, 0, ""
		if f.From == nil {
			f.Op = "not_empty"
		}
	default:
		if len(f.Values) == 0 && f.From != nil {
			f.Values = []json.RawMessage{f.From}
		}
		f.From, f.To, f.N, f.Unit = nil, nil, 0, ""
		if f.Op != "in" && f.Op != "not_in" && len(f.Values) > 1 {
			f.Values = f.Values[:1]
		}
	}
	return f
}

// addControl adds a filter to the bar.
func (d *drafter) addControl(c *Config, a Act) error {
	sc, own, err := d.begin(c, a)
	if err != nil {
		return err
	}
	field, err := d.field(sc, a.Field)
	if err != nil {
		return err
	}
	if field.Saved || field.Name == CountField {
		return ErrAct.With("The filter bar filters by columns; %s is a measure.", field.Label())
	}
	last := 0
	for _, control := range c.Filters {
		if control.Column == field.Name && control.Dataset == own {
			return ErrAct.With("The filter bar has a filter by %s already.", lower(field.Label()))
		}
		last = max(last, control.Position)
	}
	if c.Filters == nil {
		c.Filters = map[string]Control{}
	}
	label := field.Label()
	if field.Lookup != "" {
		label = fmt.Sprintf("%s: %s", charts.Humanise(field.Lookup), lower(label))
	}
	control := Control{Label: clipName(label), Column: field.Name, Dataset: own, Position: last + 1}
	if kind := field.FilterKinds()[0]; kind != KindValues {
		control.Kind = kind
	}
	c.Filters[c.newControlID()] = control
	return nil
}

package dashboards

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/warehouse"
)

// wellNames are the wells as sentences call them.
var wellNames = map[string]string{
	"x": "the x axis", "y": "the rows", "series": "the colours", "value": "the values", "also": "the second line", "lat": "the latitude",
	"lon": "the longitude", "size": "the size", "colour": "the colour", "label": "the labels", "rows": "the rows", "columns": "the columns",
	"open": "the opening value", "high": "the highest value", "low": "the lowest value", "close": "the closing value",
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
	if field.Saved && w.Config.Adds() && s.measure != nil && !sc.adds(*s.measure) {
		return ErrAct.With("A %s adds values up, so it needs a sum or a count: %s is neither.", typeName(w.Type), field.within())
	}
	f.insert(one, s, index)
	f.write(w)
	d.addUp(sc, w)
	return nil
}

// target is the well that a field goes into. A bar that is divided becomes a
// stack of bars.
func (d *drafter) target(w *Widget, f fill, field Field, into string) (well, error) {
	list := w.wells()
	if len(list) == 0 {
		return well{}, ErrAct.With("A %s shows no data. Drop the field beside it and it becomes a chart of its own.", typeName(w.Type))
	}
	if into != "" {
		one, ok := w.well(into)
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
	if place := slices.IndexFunc(list, func(one well) bool { return fits(one) && one.needed && !IsPlace(one.name) }); place >= 0 {
		return list[place], nil
	}
	if place := slices.IndexFunc(list, func(one well) bool { return fits(one) && !one.own && !IsPlace(one.name) }); place >= 0 {
		return list[place], nil
	}
	if w.Type == charts.Bar && want == takesDimension {
		w.Type = charts.StackedBar
		one, _ := w.well("series")
		return one, nil
	}
	if place := slices.IndexFunc(list, func(one well) bool { return one.is(want) && !one.own && !IsPlace(one.name) }); place >= 0 {
		return list[place], nil
	}
	if want == takesDimension {
		return well{}, ErrAct.With("A %s is not divided by anything. Choose another type first, a bar for example, to compare by %s.", typeName(w.Type), field.within())
	}
	return well{}, ErrAct.With("A %s has no place for %s.", typeName(w.Type), field.within())
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
		rows, _ := w.well("rows")
		values, _ := w.well("value")
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
	for _, one := range w.wells() {
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
	var err error
	if from.Index, err = f.find(from.Well, from.Index, from.Expect); err != nil {
		return err
	}
	s := f[from.Well][from.Index]
	into, ok := w.well(a.Well)
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
		if back, ok := w.well(from.Well); ok && back.takes == old.takes() {
			f[from.Well] = slices.Insert(f[from.Well], min(from.Index, len(f[from.Well])), old)
		}
	}
	f.insert(into, s, a.Index)
	f.write(w)
	d.addUp(sc, w)
	return nil
}

// locate is where in a list the thing is that an act means. Somebody else may
// have changed the list since its author saw it: what is expected there is then
// looked for by its name, and never mistaken for another.
func locate(names []string, index int, expect *string) (int, bool) {
	if index >= 0 && index < len(names) && (expect == nil || names[index] == *expect) {
		return index, true
	}
	if expect == nil {
		return 0, false
	}
	at := slices.Index(names, *expect)
	return at, at >= 0 && !slices.Contains(names[at+1:], *expect)
}

// find is the place of a field in a well.
func (f fill) find(well string, index int, expect *string) (int, error) {
	names := make([]string, len(f[well]))
	for i := range names {
		names[i] = f[well][i].name()
	}
	at, ok := locate(names, index, expect)
	if !ok {
		return 0, ErrAct.With("There is no such field at that place any more. Somebody else may have removed it.")
	}
	return at, nil
}

func (a *Act) index() int {
	if a.Index == nil {
		return 0
	}
	return *a.Index
}

func (d *drafter) removeField(_ *schema, w *Widget, a Act) error {
	f := fillOf(w)
	at, err := f.find(a.Well, a.index(), a.Expect)
	if err != nil {
		return err
	}
	f[a.Well] = slices.Delete(slices.Clone(f[a.Well]), at, at+1)
	f.write(w)
	return nil
}

func (d *drafter) moveField(_ *schema, w *Widget, a Act) error {
	f := fillOf(w)
	at, err := f.find(a.Well, a.index(), a.Expect)
	if err != nil {
		return err
	}
	if a.To == nil {
		return ErrAct.With("The act does not say where the field goes.")
	}
	s := f[a.Well][at]
	list := slices.Delete(slices.Clone(f[a.Well]), at, at+1)
	f[a.Well] = slices.Insert(list, min(max(*a.To, 0), len(list)), s)
	f.write(w)
	return nil
}

// setField changes how one field is grouped, measured, named or sorted.
func (d *drafter) setField(sc *schema, w *Widget, a Act) error {
	f := fillOf(w)
	at, err := f.find(a.Well, a.index(), a.Expect)
	if err != nil {
		return err
	}
	s := f[a.Well][at]
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
			if dim.Bin = *set.Bin; dim.Bin > 0 {
				dim.Groups, dim.Other = nil, ""
			}
		}
		if set.Groups != nil {
			if !d.groupable(sc, w, a.Well, &dim) {
				return ErrAct.With("Values of %s can't be put into groups here.", field.Label())
			}
			if err := d.group(sc, &dim, *set.Groups); err != nil {
				return err
			}
		}
		if dim.As == "" {
			dim.As = old // the name stays, so that order and format hold on to it
		}
		s.dimension = &dim
	case set.Groups != nil:
		return ErrAct.With("Only what divides a chart has groups of values.")
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
	f[a.Well][at] = s
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

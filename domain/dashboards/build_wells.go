package dashboards

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Wells are the places of a widget that fields are dropped on. They are a view
// onto its query and encode: fillOf reads them out of a widget, write puts them
// back. The inspector shows what the one reads, acts change it and use the other.

// takes is what may lie in a well.
type takes int

const (
	takesDimension takes = iota
	takesMeasure
	takesColumn // of a table of plain rows
)

// well is one place of a type of widget.
type well struct {
	name  string
	takes takes
	most  int
	// named wells hold only what encode names; others take what is left, in the
	// order of the query.
	named bool
	// needed wells have to be filled before there is something to draw.
	needed bool
	// own wells hold what encode names and nothing that has no place elsewhere.
	own bool
}

const manyFields = 8

func dimensionWell(name string) well {
	return well{name: name, takes: takesDimension, most: 1, needed: true}
}
func measureWell(name string) well {
	return well{name: name, takes: takesMeasure, most: 1, needed: true}
}

func (w well) optional() well     { w.needed = false; return w }
func (w well) byName() well       { w.named = true; return w }
func (w well) onlyByName() well   { w.named, w.own = true, true; return w }
func (w well) many(n int) well    { w.most = n; return w }
func (w well) is(t takes) bool    { return w.takes == t }
func (w well) bound() bool        { return w.most == 1 }
func (w well) hasRoom(n int) bool { return n < w.most }

// A type is one line here: its wells in the order of its dimensions, and of its
// measures. A type without a line has the wells that its dimensions ask for.
var wellsByType = map[charts.Type][]well{
	charts.KPI:        {measureWell("value")},
	charts.Gauge:      {measureWell("value")},
	charts.Line:       lineWells,
	charts.Step:       lineWells,
	charts.Area:       lineWells,
	charts.Bar:        {dimensionWell("x"), measureWell("value")},
	charts.StackedBar: {dimensionWell("x"), measureWell("value"), dimensionWell("series")},
	charts.Combo:      {dimensionWell("x"), measureWell("value"), measureWell("also").byName()},
	charts.Scatter:    pointWells,
	charts.Bubble:     pointWells,
	// A calendar has days, a histogram bins of a number.
	charts.Calendar:    {dimensionWell("x"), measureWell("value")},
	charts.Histogram:   {dimensionWell("x"), measureWell("value")},
	charts.Box:         {dimensionWell("x"), measureWell("value")},
	charts.Candlestick: {dimensionWell("x"), measureWell("open").byName(), measureWell("high").byName(), measureWell("low").byName(), measureWell("close").byName()},
	charts.Heatmap:     {dimensionWell("y"), dimensionWell("x"), measureWell("value")},
	charts.Treemap:     {dimensionWell("x"), dimensionWell("series").optional(), measureWell("value")},
	charts.Sunburst:    {dimensionWell("x"), dimensionWell("series"), dimensionWell("label").optional(), measureWell("value")},
	charts.Sankey:      {dimensionWell("x"), dimensionWell("series"), dimensionWell("y").optional(), dimensionWell("label").optional(), measureWell("value")},
	charts.Funnel:      {dimensionWell("x").optional(), measureWell("value").many(manyFields)},
	charts.Radar:       {dimensionWell("x"), dimensionWell("series").optional(), measureWell("value").many(manyFields)},
	charts.Pivot:       {dimensionWell("rows").many(3), dimensionWell("across").optional().many(2), measureWell("value").many(manyFields)},
	charts.Table: {dimensionWell("rows").optional().many(manyFields), measureWell("value").optional().many(manyFields),
		{name: "columns", takes: takesColumn, most: 30}},
	charts.Map: wellsByLayer[charts.LayerPoints],
	// What has no data has no wells.
	charts.Text: {}, charts.Image: {}, charts.Divider: {}, charts.Section: {}, charts.Control: {},
}

// A map has other wells by what it shows.
var wellsByLayer = map[string][]well{
	charts.LayerPoints:   placeWells,
	charts.LayerClusters: placeWells,
	charts.LayerHeat:     placeWells,
	charts.LayerAreas:    {dimensionWell("area").byName(), measureWell("colour").byName()},
	charts.LayerLines: {dimensionWell("lat").byName(), dimensionWell("lon").byName(), dimensionWell("to_lat").byName(), dimensionWell("to_lon").byName(),
		dimensionWell("label").optional().byName(), measureWell("size").byName(), measureWell("colour").optional().byName()},
}

// Small charts are had by a dimension that is put here, and by no other.
var facetWell = dimensionWell("facet").optional().onlyByName()

var (
	placeWells = []well{dimensionWell("lat").byName(), dimensionWell("lon").byName(), dimensionWell("label").optional().byName(),
		measureWell("size").byName(), measureWell("colour").optional().byName()}
	lineWells  = []well{dimensionWell("x"), measureWell("value"), measureWell("also").optional().byName(), dimensionWell("series").optional()}
	pointWells = []well{dimensionWell("label"), measureWell("x").byName(), measureWell("y").byName(), measureWell("size").optional().byName(),
		dimensionWell("series").optional().byName()}
)

// wellsOf are the wells of a type.
func wellsOf(t charts.Type) []well {
	if list, ok := wellsByType[t]; ok {
		return list
	}
	least, most := t.Dimensions()
	var list []well
	for i, name := range []string{"x", "series", "y", "label"} {
		if i < most {
			one := dimensionWell(name)
			one.needed = i < least
			list = append(list, one)
		}
	}
	if most > len(list) {
		list = append(list, dimensionWell("rows").optional().many(most-len(list)))
	}
	return append(list, measureWell("value").many(manyFields))
}

// wells are the wells of the widget as it is set.
func (w *Widget) wells() []well {
	list := wellsOf(w.Type)
	if own, ok := wellsByLayer[w.Encode.Layer]; ok && w.Type == charts.Map {
		list = own
	}
	if w.Type.Facets() && len(w.Query.Columns) == 0 {
		list = append(slices.Clip(list), facetWell)
	}
	return list
}

func (w *Widget) well(name string) (well, bool) {
	list := w.wells()
	if i := slices.IndexFunc(list, func(one well) bool { return one.name == name }); i >= 0 {
		return list[i], true
	}
	return well{}, false
}

// IsPlace tells whether a well holds one half of a place on a map.
func IsPlace(well string) bool {
	return well == "lat" || well == "lon" || well == "to_lat" || well == "to_lon"
}

// SetUp tells whether the widget has what its type needs to be drawn. One that
// has not is a drop target in the editor and left out of the published page.
func (w *Widget) SetUp() bool {
	switch w.Type {
	case charts.Image:
		return w.URL != ""
	case charts.Control:
		return w.Control != ""
	case charts.Text:
		return strings.TrimSpace(w.Text) != ""
	}
	list := w.wells()
	if len(list) == 0 || len(w.Query.Columns) > 0 {
		return true
	}
	if least, _ := w.Type.Dimensions(); len(w.Query.Measures) == 0 || len(w.Query.Dimensions) < least {
		return false
	}
	f := fillOf(w)
	for _, one := range list {
		if one.needed && len(f[one.name]) == 0 {
			return false
		}
	}
	return true
}

// slot is what lies in a well: one of a dimension, a measure, a plain column.
type slot struct {
	dimension *warehouse.Dimension
	measure   *warehouse.Measure
	column    string
}

// name is the result column.
func (s slot) name() string {
	switch {
	case s.dimension != nil:
		return dimensionName(*s.dimension)
	case s.measure != nil:
		return measureName(*s.measure)
	}
	return s.column
}

// field is what the slot was dropped from: a column, a saved measure, or "*"
// for the number of rows; "" for what was written by hand (a ratio).
func (s slot) field() string {
	switch {
	case s.dimension != nil:
		return s.dimension.Column
	case s.measure == nil:
		return s.column
	case s.measure.Measure != "":
		return s.measure.Measure
	case s.measure.Fn == "count" && s.measure.Column == "":
		return CountField
	}
	return s.measure.Column
}

func (s slot) takes() takes {
	switch {
	case s.dimension != nil:
		return takesDimension
	case s.measure != nil:
		return takesMeasure
	}
	return takesColumn
}

// fill is what lies in the wells of a widget, by name.
type fill map[string][]slot

// encodeOf is the key of encode that a well stands for; nil for none.
func encodeOf(e *charts.Encode, well string) *string {
	switch well {
	case "x":
		return &e.X
	case "y":
		return &e.Y
	case "series":
		return &e.Series
	case "value":
		return &e.Value
	case "also":
		return &e.Also
	case "open":
		return &e.Open
	case "high":
		return &e.High
	case "low":
		return &e.Low
	case "close":
		return &e.Close
	case "lat":
		return &e.Lat
	case "lon":
		return &e.Lon
	case "size":
		return &e.Size
	case "colour":
		return &e.Colour
	case "label":
		return &e.Label
	case "area":
		return &e.Area
	case "to_lat":
		return &e.ToLat
	case "to_lon":
		return &e.ToLon
	case "facet":
		return &e.Facet
	}
	return nil
}

// fillOf reads the wells of a widget.
func fillOf(w *Widget) fill {
	f := fill{}
	var slots []slot
	for i := range w.Query.Dimensions {
		slots = append(slots, slot{dimension: ptr(w.Query.Dimensions[i])})
	}
	for i := range w.Query.Measures {
		slots = append(slots, slot{measure: ptr(w.Query.Measures[i])})
	}
	for _, c := range w.Query.Columns {
		slots = append(slots, slot{column: c})
	}
	list := w.wells()
	encode := w.Encode
	if w.Type == charts.Pivot {
		names := make([]string, len(w.Query.Dimensions))
		for i, dim := range w.Query.Dimensions {
			names[i] = dimensionName(dim)
		}
		_, across := charts.PivotSides(encode, names)
		for _, name := range across {
			if i := slices.IndexFunc(slots, func(s slot) bool { return s.dimension != nil && s.name() == name }); i >= 0 {
				f["across"] = append(f["across"], slots[i])
				slots = slices.Delete(slots, i, i+1)
			}
		}
	}
	for _, one := range list {
		if name := encodeOf(&encode, one.name); one.bound() && name != nil && *name != "" {
			if i := slices.IndexFunc(slots, func(s slot) bool { return s.takes() == one.takes && s.name() == *name }); i >= 0 {
				f[one.name] = []slot{slots[i]}
				slots = slices.Delete(slots, i, i+1)
			}
		}
	}
	// What encode does not name goes by order: first where it is needed, then
	// wherever there is room, and never out of sight.
	for pass := range 3 {
		for _, one := range list {
			for i := 0; i < len(slots); {
				fits := slots[i].takes() == one.takes && !one.own
				switch pass {
				case 0:
					fits = fits && one.hasRoom(len(f[one.name])) && (!one.named || one.needed)
				case 1:
					fits = fits && one.hasRoom(len(f[one.name]))
				}
				if !fits {
					i++
					continue
				}
				f[one.name] = append(f[one.name], slots[i])
				slots = slices.Delete(slots, i, i+1)
			}
		}
	}
	return f
}

// write makes the query and encode of w say what lies in its wells. What hung
// on a field that is gone (its format, an order by it) goes too.
func (f fill) write(w *Widget) {
	q := &w.Query
	q.Dimensions, q.Measures, q.Columns = nil, nil, nil
	ordered := map[takes]int{} // how many of a kind the order alone has placed
	for _, one := range w.wells() {
		key := encodeOf(&w.Encode, one.name)
		for i, s := range f[one.name] {
			at := 0
			switch one.takes {
			case takesDimension:
				at = len(q.Dimensions)
				q.Dimensions = append(q.Dimensions, *s.dimension)
			case takesMeasure:
				at = len(q.Measures)
				q.Measures = append(q.Measures, *s.measure)
			case takesColumn:
				q.Columns = append(q.Columns, s.column)
			}
			if i == 0 && one.bound() && key != nil {
				*key = ""
				if one.named || at != ordered[one.takes] {
					*key = s.name()
				}
			}
		}
		if key != nil && len(f[one.name]) == 0 {
			*key = ""
		}
		if !one.named {
			ordered[one.takes]++
		}
	}
	w.Encode.Rows, w.Encode.Across = nil, nil
	if w.Type == charts.Pivot && len(f["across"]) != min(1, len(q.Dimensions)-1) {
		for _, s := range f["rows"] {
			w.Encode.Rows = append(w.Encode.Rows, s.name())
		}
		for _, s := range f["across"] {
			w.Encode.Across = append(w.Encode.Across, s.name())
		}
	}
	clearStrays(w)
	w.tidy()
}

// clearStrays empties the keys of encode that the type has no well for.
func clearStrays(w *Widget) {
	for _, name := range []string{"x", "y", "series", "value", "also", "open", "high", "low", "close", "lat", "lon", "size", "colour", "label", "area", "to_lat", "to_lon", "facet"} {
		if one, ok := w.well(name); !ok || !one.bound() {
			*encodeOf(&w.Encode, name) = ""
		}
	}
}

// tidy drops what names a result column that the query no longer answers.
func (w *Widget) tidy() {
	has := map[string]bool{}
	dims := map[string]bool{}
	for _, d := range w.Query.Dimensions {
		has[dimensionName(d)], dims[dimensionName(d)] = true, true
	}
	var order []string
	for _, d := range w.Query.Dimensions {
		order = append(order, dimensionName(d))
	}
	for _, m := range w.Query.Measures {
		has[measureName(m)] = true
		order = append(order, measureName(m))
	}
	for _, c := range w.Query.Columns {
		has[c] = true
	}
	order = append(order, w.Query.Columns...)
	for name := range w.Format {
		if !has[name] {
			delete(w.Format, name)
		}
	}
	if len(w.Format) == 0 {
		w.Format = nil
	}
	plain := len(w.Query.Columns) > 0
	w.Query.Order = slices.DeleteFunc(w.Query.Order, func(o warehouse.Order) bool { return !has[o.By] && !plain })
	if len(w.Query.Order) == 0 {
		w.Query.Order = nil
	}
	if s := w.Encode.Select; len(s) > 0 && s[0] != "-" {
		if w.Encode.Select = slices.DeleteFunc(s, func(name string) bool { return !dims[name] }); len(w.Encode.Select) == 0 {
			w.Encode.Select = nil
		}
	}
	if w.Type != charts.Table {
		w.Encode.Columns = nil
	}
	if !has[w.Encode.Group] {
		w.Encode.Group = ""
	}
	if cells := w.Encode.Columns; len(cells) > 0 {
		cells = slices.DeleteFunc(cells, func(c charts.Cell) bool { return !has[c.Column] })
		for _, name := range order {
			if !slices.ContainsFunc(cells, func(c charts.Cell) bool { return c.Column == name }) {
				cells = append(cells, charts.Cell{Column: name})
			}
		}
		if w.Encode.Columns = cells; len(cells) == 0 {
			w.Encode.Columns = nil
		}
	}
}

// resultName is a name for a new result column that the query has not yet.
func resultName(f fill, base string) string {
	taken := map[string]bool{}
	for _, list := range f {
		for _, s := range list {
			taken[s.name()] = true
		}
	}
	name := base
	for n := 2; taken[name]; n++ {
		name = base + "_" + strconv.Itoa(n)
	}
	return name
}

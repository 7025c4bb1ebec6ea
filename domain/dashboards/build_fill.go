package dashboards

import (
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/warehouse"
)

// What a new widget begins with. Each type has the fields that it is meant for:
// the date for a course, categories for a comparison, a number for its spread.
// Where the dataset has none of them, the well stays empty, to be filled by hand.

// suggest fills a new widget with what the dataset says most with, and with
// what no widget of the same type shows yet.
func (d *drafter) suggest(c *Config, sc *schema, w *Widget) {
	shown := map[string]bool{}
	for _, one := range c.Widgets {
		if one.Type != w.Type || c.dataset(one.Query.Dataset) != sc.ID {
			continue
		}
		for _, list := range fillOf(&one) {
			for _, s := range list {
				shown[s.field()] = true
			}
		}
	}
	measures := d.mainMeasures(sc)
	switch w.Type {
	case charts.Table:
		by := d.freshCategories(sc, shown)
		if len(by) == 0 {
			d.plainRows(sc, w)
			return
		}
		d.fill(sc, w, "rows", by)
		for _, m := range measures[:min(len(measures), 3)] {
			_ = d.put(sc, w, m.Name, "value", nil) // what does not fit is not shown
		}
	case charts.KPI:
		d.fill(sc, w, "value", fresh(measures, shown))
	}
	for _, one := range w.wells() {
		if !one.needed && !begins(w.Type, one.name) || len(fillOf(w)[one.name]) > 0 || w.Type == charts.Table {
			continue
		}
		d.fill(sc, w, one.name, d.candidates(sc, w, one, shown))
	}
	d.complete(sc, w)
}

// fresh puts what no widget shows yet first.
func fresh(list []Field, shown map[string]bool) []Field {
	return firstWhere(slices.Clone(list), func(f Field) bool { return !shown[f.Name] })
}

// freshCategories are the categories, those that no widget shows yet first. What
// only tells rows apart stays last.
func (d *drafter) freshCategories(sc *schema, shown map[string]bool) []Field {
	return firstWhere(fresh(d.categories(sc), shown), func(f Field) bool { return d.values(sc, f) > 0 })
}

// begins tells whether a new widget of the type fills a well that it could be
// drawn without.
func begins(t charts.Type, well string) bool {
	switch t {
	case charts.Treemap:
		return well == "series"
	case charts.Pivot:
		return well == "across"
	case charts.Bubble:
		return well == "size"
	case charts.Funnel:
		return well == "x"
	}
	return false
}

// parts tells whether the type draws the parts of a whole, so that what it
// measures has to add up.
func parts(t charts.Type) bool {
	switch t {
	case charts.Donut, charts.Treemap, charts.Sunburst, charts.Sankey, charts.Funnel, charts.Waterfall, charts.StackedBar:
		return true
	}
	return false
}

// onlyNumbers tells whether the type measures what it says itself: how often
// bins occur, the spread of one column, the prices of a candle.
func onlyNumbers(t charts.Type) bool {
	return t == charts.Histogram || t == charts.Box || t == charts.Candlestick
}

// namedBy is how many values the type names beside "Other"; 0 where it shows no rest.
func namedBy(t charts.Type) int {
	switch t {
	case charts.Donut:
		return charts.MaxSlices - 1
	case charts.StackedBar:
		return charts.MaxSeries
	case charts.Waterfall:
		return steps
	case charts.Sunburst, charts.Sankey:
		return charts.MaxAxes - 1
	case charts.Treemap:
		return treeAreas - 1
	}
	return 0
}

// dwarfed tells whether what a type would name of a field is less than the rest
// that it would fold into "Other".
func (d *drafter) dwarfed(sc *schema, t charts.Type, f Field) bool {
	n := namedBy(t)
	if n == 0 || f.Boolean() {
		return false
	}
	c, _ := sc.find(f.Name)
	facts := d.columnFacts(sc, f.Name, c)
	return !facts.unknown() && facts.Distinct > int64(n)+1 && facts.rest(n) >= 0.5
}

// complete fills the wells that a type needs and nothing lies in.
func (d *drafter) complete(sc *schema, w *Widget) {
	if w.Type == charts.Table && len(w.Query.Columns)+len(w.Query.Measures)+len(w.Query.Dimensions) == 0 {
		d.plainRows(sc, w)
		return
	}
	for _, one := range w.wells() {
		if one.needed && len(fillOf(w)[one.name]) == 0 {
			d.fill(sc, w, one.name, d.candidates(sc, w, one, nil))
		}
	}
	f := fillOf(w)
	if label, ok := w.well("label"); ok && w.Type == charts.Map && len(f["label"]) == 0 && len(f["lat"]) > 0 {
		lookup := ""
		if name, _, found := strings.Cut(f["lat"][0].field(), "."); found {
			lookup = name
		}
		if place, ok := d.placeName(sc, lookup); ok {
			_ = d.put(sc, w, place.Name, label.name, nil) // a map without names is a map
		}
	}
}

// fill puts the first of the fields into the well that fits and that the widget
// does not show yet, in these words or others.
func (d *drafter) fill(sc *schema, w *Widget, well string, list []Field) {
	taken := map[string]bool{}
	for _, slots := range fillOf(w) {
		for _, s := range slots {
			taken[d.family(sc, s.field())] = true
		}
	}
	for _, f := range list {
		// The same moment can lie in both directions of a heatmap.
		if taken[d.family(sc, f.Name)] && w.Type != charts.Heatmap {
			continue
		}
		if d.put(sc, w, f.Name, well, nil) == nil {
			return
		}
	}
}

// candidates are the fields that a well of the widget is meant for, the best
// first. Those that are shown already come after the others of their kind; shown
// is nil where the widget is not new.
func (d *drafter) candidates(sc *schema, w *Widget, one well, shown map[string]bool) []Field {
	var times []Field
	if at, ok := d.mainTime(sc); ok {
		times = []Field{at}
	}
	switch {
	case one.takes == takesMeasure:
		list := d.measuresFor(sc, w, one.name)
		if shown == nil && !onlyNumbers(w.Type) {
			// What somebody built out of a field counts its rows until they say otherwise.
			list = slices.Insert(list, 0, Field{Name: CountField, Type: warehouse.Integer, Measure: true})
		}
		return list
	case IsPlace(one.name):
		taken := map[string]bool{}
		for _, slots := range fillOf(w) {
			for _, s := range slots {
				taken[s.field()] = true
			}
		}
		if place := d.placeFor(sc, one.name, taken); place != nil {
			return []Field{*place}
		}
		return nil
	case one.name == "area":
		return d.areas(sc)
	}
	categories := d.suited(sc, w, one, d.freshCategories(sc, shown))
	switch w.Type {
	case charts.Calendar, charts.Candlestick:
		return times
	case charts.Histogram:
		return d.numbers(sc)
	case charts.Radar:
		if one.name == "x" {
			categories = slices.DeleteFunc(categories, func(f Field) bool { return d.values(sc, f) < 3 })
		}
	case charts.WordList, charts.Scatter, charts.Bubble:
		if one.name != "series" {
			// Many things to tell apart, but not one a row.
			slices.SortStableFunc(categories, func(a, b Field) int {
				return int(min(d.values(sc, b), mostNames) - min(d.values(sc, a), mostNames))
			})
			if w.Type == charts.Bubble {
				// Bubbles take room.
				categories = firstWhere(categories, func(f Field) bool { return d.values(sc, f) >= fewBubbles && d.values(sc, f) <= maxCategories })
			}
		}
	case charts.Line, charts.Step, charts.Area, charts.Combo, charts.StackedBar:
		if one.name == "x" {
			return append(times, categories...)
		}
	case charts.Heatmap:
		return append(times, categories...)
	}
	if !one.needed {
		most := int64(mostParts)
		if w.Type == charts.Funnel {
			most = mostNames // of which it shows the largest
		}
		categories = slices.DeleteFunc(categories, func(f Field) bool { return d.values(sc, f) == 0 || d.values(sc, f) > most })
		if w.Type == charts.Pivot {
			categories = append(slices.DeleteFunc(categories, func(f Field) bool {
				n := d.values(sc, f)
				return n > maxLeading && n != unknownDistinct
			}), times...)
		}
		return categories
	}
	if one.name == "label" {
		return categories
	}
	whole := slices.IndexFunc(categories, func(f Field) bool { return d.values(sc, f) == 0 || d.dwarfed(sc, w.Type, f) })
	switch {
	case whole < 0:
		return append(categories, times...)
	case w.Type == charts.Donut:
		// The shares of ranges of a number, rather than one grey ring.
		return slices.Insert(categories, whole, slices.DeleteFunc(d.numbers(sc), func(f Field) bool { return !d.wide(sc, f) })...)
	case w.Type == charts.StackedBar && one.name == "series":
		return slices.Insert(categories, whole, times...) // by days of the week
	}
	return append(categories, times...)
}

// suited puts the categories first that the well can show so that something is
// to be seen: those whose rest does not outweigh what is named, and where a
// widget has one already, what goes with it. Rings divide a thing into its
// parts; elsewhere a thing and its part would make a table of empty cells.
func (d *drafter) suited(sc *schema, w *Widget, one well, list []Field) []Field {
	first, has := "", false
	for _, dim := range w.Query.Dimensions {
		if c, ok := sc.find(dim.Column); ok && !temporal(c.Type) {
			first, has = dim.Column, true
		}
	}
	lookup := func(name string) string {
		if f, err := d.field(sc, name); err == nil {
			return f.Lookup
		}
		return ""
	}
	of := lookup(first)
	rank := func(f Field) int {
		n := 0
		within, rings := has && of != "" && f.Lookup == of, w.Type == charts.Sunburst || w.Type == charts.Treemap
		if d.values(sc, f) == 0 {
			n += 8
		}
		if d.dwarfed(sc, w.Type, f) && !(within && rings) {
			n += 4
		}
		switch {
		case !has || one.name == "label" && w.Type != charts.Sunburst:
		case rings:
			if of != "" && (!within || d.values(sc, f) < d.values(sc, Field{Name: first, Lookup: of})) {
				n++
			}
		case within:
			n += 2
		}
		return n
	}
	slices.SortStableFunc(list, func(a, b Field) int { return rank(a) - rank(b) })
	return list
}

// wide tells whether a number has so many values that it is shown in ranges.
func (d *drafter) wide(sc *schema, f Field) bool {
	c, _ := sc.find(f.Name)
	facts := d.columnFacts(sc, f.Name, c)
	return facts.Distinct > unknownDistinct && facts.Max > facts.Min
}

const (
	mostParts = 30   // values of a category that divides what is shown already
	mostNames = 1000 // values that are worth a point or a word each

	fewBubbles = 8 // that there are at least to see how two measures go together
)

// values is how many values a category has, as far as is known. One with a
// value for each row, or with one for all, counts as no category: 0. So does a
// code.
func (d *drafter) values(sc *schema, f Field) int64 {
	if f.Boolean() {
		return 2
	}
	c, _ := sc.find(f.Name)
	facts := d.columnFacts(sc, f.Name, c)
	if hasWord(lastPart(f.Name), wordsOfIDs) || facts.Distinct < 2 || facts.Distinct == facts.Filled || facts.Distinct > mostNames {
		return 0
	}
	return facts.Distinct
}

// measuresFor are what a well for a measure may begin with: amounts, then
// means, and the number of rows where nothing was measured.
func (d *drafter) measuresFor(sc *schema, w *Widget, well string) []Field {
	rows := Field{Name: CountField, Type: warehouse.Integer, Measure: true}
	switch w.Type {
	case charts.Histogram:
		return []Field{rows}
	case charts.Box:
		return d.numbers(sc)
	case charts.Candlestick:
		var list []Field
		for _, f := range d.numbers(sc) {
			if hasWord(lastPart(f.Name), wordsOfCandles[well]) {
				list = append(list, f)
			}
		}
		return list
	}
	list := d.mainMeasures(sc)
	if binned := slices.ContainsFunc(w.Query.Dimensions, func(dim warehouse.Dimension) bool { return dim.Bin > 0 }); binned {
		return []Field{rows} // a range is of the number itself
	}
	sums := func(f Field) bool { return f.Name == CountField || d.adds(sc, f) }
	switch {
	case parts(w.Type):
		list = slices.DeleteFunc(list, func(f Field) bool { return !sums(f) })
	case well == "also" || well == "y":
		// Two amounts mostly go up and down together; an amount and a mean say two things.
		if first := w.Query.Measures; len(first) > 0 && (first[0].Fn == "sum" || first[0].Fn == "count") {
			list = firstWhere(list, func(f Field) bool { return !sums(f) })
		}
	case well == "size":
		list = firstWhere(list, sums)
	}
	if categories := d.categories(sc); len(categories) > 0 {
		list = append(list, categories[0]) // how many of them there are
	}
	return list
}

// firstWhere puts the fields first that are so.
func firstWhere(list []Field, so func(Field) bool) []Field {
	slices.SortStableFunc(list, func(a, b Field) int {
		switch {
		case so(a) == so(b):
			return 0
		case so(a):
			return -1
		}
		return 1
	})
	return list
}

// wordsOfCandles name the columns that a candle is made of.
var wordsOfCandles = map[string]map[string]bool{
	"open": wordSet("open opening first eröffnung"), "high": wordSet("high highest max hoch"),
	"low": wordSet("low lowest min tief"), "close": wordSet("close closing last schluss"),
}

// numbers are the columns with numbers of their own to calculate with, the most
// telling first.
func (d *drafter) numbers(sc *schema) []Field {
	return slices.DeleteFunc(d.mainMeasures(sc), func(f Field) bool { return f.Saved || f.Name == CountField })
}

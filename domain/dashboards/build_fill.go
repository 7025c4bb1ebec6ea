package dashboards

import (
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
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
		list := d.candidates(sc, w, one, shown)
		if one.takes == takesMeasure && len(fillOf(w)[one.name]) == 0 && d.adds(sc, measures[0]) && !onlyNumbers(w.Type) {
			// What adds up can be drawn in parts without being asked how.
			list = append(slices.DeleteFunc(slices.Clone(measures), func(f Field) bool { return !d.adds(sc, f) }), list...)
		}
		d.fill(sc, w, one.name, list)
	}
	d.complete(sc, w)
}

// fresh puts what no widget shows yet first.
func fresh(list []Field, shown map[string]bool) []Field {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Field) int {
		switch {
		case shown[a.Name] == shown[b.Name]:
			return 0
		case shown[b.Name]:
			return -1
		}
		return 1
	})
	return list
}

// freshCategories are the categories, those that no widget shows yet first. What
// only tells rows apart stays last.
func (d *drafter) freshCategories(sc *schema, shown map[string]bool) []Field {
	list := fresh(d.categories(sc), shown)
	slices.SortStableFunc(list, func(a, b Field) int {
		switch none := d.values(sc, a) == 0; {
		case none == (d.values(sc, b) == 0):
			return 0
		case none:
			return 1
		}
		return -1
	})
	return list
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

// onlyNumbers tells whether the type measures what it says itself: how often
// bins occur, the spread of one column, the prices of a candle.
func onlyNumbers(t charts.Type) bool {
	return t == charts.Histogram || t == charts.Box || t == charts.Candlestick
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
// does not show yet.
func (d *drafter) fill(sc *schema, w *Widget, well string, list []Field) {
	taken := map[string]bool{}
	for _, slots := range fillOf(w) {
		for _, s := range slots {
			taken[s.field()] = true
		}
	}
	for _, f := range list {
		// The same moment can lie in both directions of a heatmap, and a number be
		// both what is divided and what is measured.
		if taken[f.Name] && w.Type != charts.Heatmap {
			continue
		}
		if d.put(sc, w, f.Name, well, nil) == nil {
			return
		}
	}
}

// candidates are the fields that a well of the widget is meant for, the best
// first. Those that are shown already come after the others of their kind.
func (d *drafter) candidates(sc *schema, w *Widget, one well, shown map[string]bool) []Field {
	var times []Field
	if at, ok := d.mainTime(sc); ok {
		times = []Field{at}
	}
	switch {
	case one.takes == takesMeasure:
		return d.measuresFor(sc, w.Type, one.name)
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
	categories := d.freshCategories(sc, shown)
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
		}
	case charts.Line, charts.Step, charts.Area, charts.Combo, charts.StackedBar:
		if one.name == "x" {
			return append(times, categories...)
		}
	case charts.Heatmap:
		return append(times, categories...)
	}
	if !one.needed {
		categories = slices.DeleteFunc(categories, func(f Field) bool { return d.values(sc, f) == 0 || d.values(sc, f) > mostParts })
		return categories
	}
	if one.name == "label" {
		return categories
	}
	return append(categories, times...)
}

const (
	mostParts = 30   // values of a category that divides what is shown already
	mostNames = 1000 // values that are worth a point or a word each
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

// measuresFor are what a well for a measure may begin with.
func (d *drafter) measuresFor(sc *schema, t charts.Type, well string) []Field {
	switch t {
	case charts.Histogram:
		return []Field{{Name: CountField}}
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
	list := append([]Field{{Name: CountField}}, d.mainMeasures(sc)...)
	if categories := d.categories(sc); len(categories) > 0 {
		list = append(list, categories[0]) // how many of them there are
	}
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

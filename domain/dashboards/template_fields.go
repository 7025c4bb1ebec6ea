package dashboards

import (
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/expr"
)

// use is what a config does with a field, which says what can stand for it.
type use int

const (
	useAny     use = iota // groups, lists or counts it
	useNumber             // calculates with it
	useTime               // puts it on a time axis, or filters days by it
	useMeasure            // asks a saved measure
)

// fieldMap answers the name that stands for a field of a dataset, "" for none.
type fieldMap func(dataset ids.Dataset, name string, u use) string

// mapFields writes the names that m answers over every field that the config
// names. What needs a field without a name goes: a group, a measure, a filter.
// Result columns keep their names, so that what refers to them stays true. It
// answers by widget the fields that it has to do without, each once.
func (c *Config) mapFields(m fieldMap) map[string][]string {
	c.mapFormulas(m)
	if column := c.Settings.Date.Column; column != "" && column != "-" {
		c.Settings.Date.Column = m(c.Dataset, column, useTime)
	}
	for id, control := range c.Filters {
		if c.mapControl(&control, m) {
			c.Filters[id] = control
		} else {
			delete(c.Filters, id)
		}
	}
	for id, h := range c.Hierarchies {
		var columns []string
		for _, column := range h.Columns {
			if now := c.name(m, h.Dataset, column, useAny); now != "" && !slices.Contains(columns, now) {
				columns = append(columns, now)
			}
		}
		if h.Columns = columns; len(columns) > 1 {
			c.Hierarchies[id] = h
		} else {
			delete(c.Hierarchies, id)
		}
	}
	lacks := map[string][]string{}
	for id, w := range c.Widgets {
		missing := func(_ ids.Dataset, name string, u use) string {
			now := c.name(m, w.Query.Dataset, name, u)
			if now == "" && !slices.Contains(lacks[id], name) {
				lacks[id] = append(lacks[id], name)
			}
			return now
		}
		w.mapFields(missing)
		c.Widgets[id] = w
	}
	return lacks
}

// asks tells whether the config names a field of a dataset. It must not be used
// after.
func (c *Config) asks(dataset ids.Dataset, field string) bool {
	found := false
	c.mapFields(func(of ids.Dataset, name string, _ use) string {
		found = found || of == dataset && name == field
		return name
	})
	return found
}

// namesOneOf tells whether the config names a column of a list, in whatever
// dataset, also as one of a lookup: "salary" is in "[staff.salary] * 2" and not
// in "salaries", nor is "type" in every widget.
func (c *Config) namesOneOf(columns []string) (bool, error) {
	if len(columns) == 0 {
		return false, nil
	}
	copied, err := c.clone()
	if err != nil {
		return false, err
	}
	found := false
	check := func(name string) {
		found = found || slices.ContainsFunc(columns, func(column string) bool {
			return name == column || strings.HasSuffix(name, "."+column)
		})
	}
	for _, f := range copied.Fields {
		if _, err := expr.Parse(f.Expression); err != nil { // what it means is not known: any mention counts
			found = found || slices.ContainsFunc(columns, func(column string) bool {
				return strings.Contains(f.Expression, strings.ReplaceAll(column, "]", "]]")) || strings.Contains(f.Expression, column)
			})
		}
	}
	for _, w := range copied.Widgets { // what hangs on columns that were taken out since
		check(w.Encode.Group)
		for _, one := range w.Encode.Columns {
			check(one.Column)
		}
		for name := range w.Format {
			check(name)
		}
	}
	copied.mapFields(func(_ ids.Dataset, name string, _ use) string {
		check(name)
		return name
	})
	return found, nil
}

// name is what stands for a field; calculated fields of the dashboard stand for
// themselves.
func (c *Config) name(m fieldMap, own ids.Dataset, name string, u use) string {
	dataset := c.dataset(own)
	if f, has := c.Fields[name]; has && c.dataset(f.Dataset) == dataset {
		return name
	}
	return m(dataset, name, u)
}

// mapFormulas drops the calculated fields that need what there is not, and
// those that need these.
func (c *Config) mapFormulas(m fieldMap) {
	for dropped := true; dropped; {
		dropped = false
		for name, f := range c.Fields {
			for _, one := range expr.Names(f.Expression) {
				if c.name(m, f.Dataset, one, useAny) == "" {
					delete(c.Fields, name)
					dropped = true
					break
				}
			}
		}
	}
	for name, f := range c.Fields {
		now := map[string]string{}
		for _, one := range expr.Names(f.Expression) {
			now[one] = c.name(m, f.Dataset, one, useAny)
		}
		f.Expression = expr.Rename(f.Expression, now)
		c.Fields[name] = f
	}
}

// mapControl answers false where the filter has no column left.
func (c *Config) mapControl(control *Control, m fieldMap) bool {
	u := useAny
	switch control.Kind {
	case KindDate:
		u = useTime
	case KindRange:
		u = useNumber
	}
	if control.Column = c.name(m, control.Dataset, control.Column, u); control.Column == "" {
		return false
	}
	// What was chosen at first was a value of the former data.
	if control.Kind != KindDate && control.Kind != KindBoolean {
		control.Default = nil
	}
	for text, column := range control.Columns {
		if column == NoColumn {
			continue
		}
		if id, err := ids.Parse[ids.Dataset](text); err == nil {
			column = c.name(m, id, column, u)
		}
		if control.Columns[text] = column; column == "" {
			control.Columns[text] = NoColumn
		}
	}
	if control.Measure != nil {
		measure, ok := mapMeasure(*control.Measure, func(_ ids.Dataset, name string, u use) string { return c.name(m, control.Dataset, name, u) })
		if control.Measure = &measure; !ok {
			control.Measure = nil
		}
	}
	return true
}

func (w *Widget) mapFields(m fieldMap) {
	q := &w.Query
	var dimensions []warehouse.Dimension
	for _, d := range q.Dimensions {
		u := useAny
		switch {
		case d.Grain != "":
			u = useTime
		case d.Bin > 0 || len(d.Bins) > 0:
			u = useNumber
		}
		now := m(q.Dataset, d.Column, u)
		if now == "" {
			continue
		}
		d.As, d.Column = dimensionName(d), now
		dimensions = append(dimensions, d)
	}
	q.Dimensions = dimensions
	var measures []warehouse.Measure
	for _, measure := range q.Measures {
		if mapped, ok := mapMeasure(measure, m); ok {
			mapped.As = measureName(measure)
			measures = append(measures, mapped)
		}
	}
	q.Measures = measures
	var columns []string
	renamed := map[string]string{}
	for _, column := range q.Columns {
		now := m(q.Dataset, column, useAny)
		if now == "" || slices.Contains(columns, now) {
			continue
		}
		renamed[column] = now
		columns = append(columns, now)
	}
	if len(q.Columns) > 0 {
		w.renameColumns(renamed)
	}
	q.Columns = columns
	q.Filters = mapFilters(q.Filters, m)
	if q.Date != "" && q.Date != "-" {
		q.Date = m(q.Dataset, q.Date, useTime)
	}
	w.tidy()
}

// renameColumns has what hangs on the columns of plain rows follow their new
// names. What hangs on a column that is gone goes.
func (w *Widget) renameColumns(now map[string]string) {
	var order []warehouse.Order
	for _, o := range w.Query.Order {
		if o.By = now[o.By]; o.By != "" {
			order = append(order, o)
		}
	}
	w.Query.Order = order
	for i := range w.Encode.Columns {
		w.Encode.Columns[i].Column = now[w.Encode.Columns[i].Column] // tidied away where empty
	}
	w.Encode.Group = now[w.Encode.Group]
	formats := map[string]charts.Format{}
	for name, f := range w.Format {
		if to := now[name]; to != "" {
			formats[to] = f
		}
	}
	w.Format = formats
}

// mapDatasets writes other datasets in the place of those that the config asks.
func (c *Config) mapDatasets(now map[ids.Dataset]ids.Dataset) {
	c.Dataset = now[c.Dataset]
	for id, control := range c.Filters {
		control.Dataset = now[control.Dataset]
		columns := map[string]string{}
		for text, column := range control.Columns {
			if one, err := ids.Parse[ids.Dataset](text); err == nil && !now[one].IsZero() {
				columns[now[one].String()] = column
			}
		}
		if control.Columns = columns; len(columns) == 0 {
			control.Columns = nil
		}
		c.Filters[id] = control
	}
	for name, f := range c.Fields {
		f.Dataset = now[f.Dataset]
		c.Fields[name] = f
	}
	for id, h := range c.Hierarchies {
		h.Dataset = now[h.Dataset]
		c.Hierarchies[id] = h
	}
	for id, w := range c.Widgets {
		w.Query.Dataset = now[w.Query.Dataset]
		c.Widgets[id] = w
	}
}

// mapMeasure answers false for a measure that needs what there is not: with a
// filter less it would be another number.
func mapMeasure(measure warehouse.Measure, m fieldMap) (warehouse.Measure, bool) {
	var none ids.Dataset
	if measure.Measure != "" {
		if measure.Measure = m(none, measure.Measure, useMeasure); measure.Measure == "" {
			return measure, false
		}
	}
	if measure.Column != "" {
		u := useNumber
		if measure.Fn == "count" || measure.Fn == "count_distinct" {
			u = useAny
		}
		if measure.Column = m(none, measure.Column, u); measure.Column == "" {
			return measure, false
		}
	}
	filters := mapFilters(measure.Filters, m)
	if len(filters) != len(measure.Filters) {
		return measure, false
	}
	measure.Filters = filters
	for _, part := range []**warehouse.Measure{&measure.Numerator, &measure.Denominator} {
		if *part != nil {
			inner, ok := mapMeasure(**part, m)
			if !ok {
				return measure, false
			}
			*part = &inner
		}
	}
	return measure, true
}

// mapFilters leaves out the filters of columns that there are not.
func mapFilters(filters []warehouse.Filter, m fieldMap) []warehouse.Filter {
	var mapped []warehouse.Filter
	for _, f := range filters {
		if f.Column != "" {
			u := useAny
			switch {
			case f.Op == "last" || f.Op == "this" || f.Op == "previous" || f.Grain != "":
				u = useTime
			case f.Bin > 0 || len(f.Bins) > 0:
				u = useNumber
			}
			if f.Column = m(ids.Dataset{}, f.Column, u); f.Column == "" {
				continue
			}
		}
		mapped = append(mapped, f)
	}
	return mapped
}

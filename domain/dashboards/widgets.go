package dashboards

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/warehouse"
)

// measuresOf are the measures that a widget asks for: those of its config, or
// for a box the five that show the spread of its column.
func measuresOf(w *Widget) []warehouse.Measure {
	if w.Type == charts.Box && len(w.Query.Measures) == 1 {
		return charts.BoxMeasures(w.Query.Measures[0], w.Encode.Whiskers)
	}
	return w.Query.Measures
}

// limit bounds what a widget asks for, by what it can show, and settles the
// order in which it shows it.
func limit(s *warehouse.Spec, w *Widget) {
	byValue := func(most int) {
		if len(s.Order) == 0 && len(s.Measures) > 0 {
			by := measureName(s.Measures[0])
			for _, m := range s.Measures {
				if name := measureName(m); name == w.Encode.Value || name == "box_median" {
					by = name
				}
			}
			s.Order = []warehouse.Order{{By: by, Desc: true}}
		}
		if s.Limit == 0 && most > 0 {
			s.Limit = most
		}
	}
	byPlace := func() {
		if len(s.Order) == 0 && len(s.Dimensions) > 0 {
			s.Order = []warehouse.Order{{By: dimensionName(s.Dimensions[0])}}
		}
	}
	ordered := len(s.Dimensions) > 0 && (s.Dimensions[0].Grain != "" || s.Dimensions[0].Bin > 0 || len(s.Dimensions[0].Bins) > 0)
	several := len(s.Dimensions) > 1
	switch w.Type {
	case charts.Bar, charts.Combo, charts.Box:
		if w.Type == charts.Box && len(w.Query.Measures) == 1 {
			for i := range s.Order {
				if s.Order[i].By == measureName(w.Query.Measures[0]) {
					s.Order = slices.Clone(s.Order)
					s.Order[i].By = "box_median"
				}
			}
		}
		switch {
		case ordered:
			byPlace()
		case several:
			byValue(0)
		default:
			byValue(barCategories)
		}
	case charts.StackedBar:
		if !ordered {
			byValue(0)
		}
	case charts.Donut:
		byValue(0)
		// As many as there are slices: the last is folded into "Other" where
		// there are more.
		if s.Limit == 0 || s.Limit > charts.MaxSlices {
			s.Limit = charts.MaxSlices
		}
		s.Other = true
	case charts.Treemap:
		byValue(0)
		if !several && s.Limit == 0 {
			s.Limit, s.Other = treeAreas, true
		}
	case charts.Waterfall:
		if ordered {
			byPlace()
			break
		}
		byValue(0)
		if s.Limit == 0 {
			s.Limit, s.Other = steps, true
		}
	case charts.Map:
		if s.Limit > 0 {
			byValue(0) // what it leaves out is the least
		}
	case charts.Funnel:
		byValue(barCategories)
	case charts.WordList:
		byValue(treeAreas)
	case charts.Radar:
		if several || ordered {
			byPlace()
		} else {
			byValue(barCategories)
		}
	case charts.Sunburst, charts.Sankey:
		byValue(0)
	case charts.Table:
		if len(s.Columns) == 0 {
			byValue(0)
			if s.Limit == 0 || s.Limit > maxTableRows {
				s.Limit = maxTableRows
			}
		}
		if w.Encode.Group != "" {
			s.Order = append([]warehouse.Order{{By: w.Encode.Group}}, s.Order...)
		}
	case charts.Line, charts.Step, charts.Area:
		byPlace()
		if s.Limit == 0 {
			s.Limit = warehouse.MaxLimit // drawn by the points that make their shape
		}
	case charts.Histogram, charts.Calendar, charts.Candlestick:
		byPlace()
	}
	if s.Limit == 0 && w.Type != charts.KPI {
		s.Limit = maxGroups
	}
}

// coloured is the dimension whose values have the same colours everywhere, be
// they categories, groups or bins; nil for none.
func coloured(w *Widget) *warehouse.Dimension {
	dims := w.Query.Dimensions
	named := func(name string, n int) *warehouse.Dimension {
		for i, d := range dims {
			if d.Grain == "" && (dimensionName(d) == name || name == "" && i == n) {
				d.As = "value"
				return &d
			}
		}
		return nil
	}
	switch w.Type {
	case charts.Radar:
		if len(dims) == 1 && len(w.Query.Measures) >= 3 { // a line is a value, an axis a measure
			return named(w.Encode.X, 0)
		}
		return named(w.Encode.Series, 1)
	case charts.StackedBar, charts.Line, charts.Step, charts.Area, charts.Bar:
		return named(w.Encode.Series, 1)
	case charts.Donut, charts.Sunburst, charts.Sankey:
		return named("", 0)
	case charts.Treemap:
		if len(dims) > 1 {
			return named("", 0)
		}
	case charts.Scatter, charts.Bubble:
		if w.Encode.Series != "" {
			return named(w.Encode.Series, 0)
		}
	}
	return nil
}

// isPlain tells whether a dimension groups by the values of its column.
func isPlain(d warehouse.Dimension) bool {
	return d.Grain == "" && d.Bin == 0 && len(d.Bins)+len(d.Groups) == 0
}

// furtherSpecs are the questions behind totals. Each total is the answer to its
// own grouping: averages, distinct counts and ratios can't be made of the
// cells. Totals are of all rows, whatever a limit or a condition on a measure
// leaves out of the widget.
//
// Errors: charts.config.
func furtherSpecs(p *Plan, sc *schema, w *Widget) ([]warehouse.Spec, error) {
	total := func(names []string) warehouse.Spec {
		s := p.main
		s.Dimensions, s.Order, s.Other, s.Offset, s.Limit = nil, nil, false, 0, maxGroups
		for _, name := range names {
			for _, d := range p.main.Dimensions {
				if dimensionName(d) == name {
					s.Dimensions = append(s.Dimensions, d)
				}
			}
		}
		s.Filters = ofRows(s.Filters)
		if !slices.ContainsFunc(s.Dimensions, sc.isOfTime) {
			// Without moments to run along: the whole is where it ends.
			s.Measures = slices.Clone(s.Measures)
			for i := range s.Measures {
				if s.Measures[i].Show == "running" {
					s.Measures[i].Show = ""
				}
			}
		}
		return s
	}
	switch w.Type {
	case charts.Table:
		if w.Encode.Totals && len(w.Query.Columns) == 0 {
			return []warehouse.Spec{total(nil)}, nil
		}
	case charts.Pivot:
		names := make([]string, len(p.main.Dimensions))
		for i, d := range p.main.Dimensions {
			names[i] = dimensionName(d)
		}
		sets, err := charts.PivotSets(w.Encode, names)
		if err != nil {
			return nil, err
		}
		var specs []warehouse.Spec
		for _, set := range sets {
			specs = append(specs, total(set))
		}
		return specs, nil
	}
	return nil, nil
}

// ofRows are the filters that keep rows; those on measures keep groups.
func ofRows(list []warehouse.Filter) []warehouse.Filter {
	return slices.DeleteFunc(slices.Clone(list), func(f warehouse.Filter) bool { return f.Measure != "" })
}

// sampleRows has a scatter of plain rows ask for as many as it can draw, and
// how many there are, where its author has not said how many.
func (p *Plan) sampleRows() {
	if own := p.Widget.Query.Limit; own > 0 && own <= charts.MaxPoints {
		return
	}
	p.main.Limit = charts.MaxPoints
	p.rows = &warehouse.Spec{Dataset: p.main.Dataset, Timezone: p.main.Timezone, Filters: p.main.Filters, Fields: p.main.Fields,
		Measures: []warehouse.Measure{{Fn: "count", As: "rows"}}}
}

// askFurther answers the totals, and for a scatter of more rows than it can
// draw, takes blocks of rows from start to end of the data.
func (s *Service) askFurther(ctx context.Context, v *View, p *Plan, in *charts.Input) error {
	in.Further = make([]*warehouse.Result, len(p.further))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i, spec := range p.further {
		group.Go(func() (err error) {
			in.Further[i], err = s.ask(ctx, v, p, spec)
			return err
		})
	}
	if p.rows == nil || in.Result.Rows < charts.MaxPoints {
		return group.Wait()
	}
	counted, err := s.ask(ctx, v, p, *p.rows)
	if err != nil {
		return err
	}
	if counted.Rows == 0 || len(counted.Columns[0].Ints) == 0 || counted.Columns[0].Ints[0] <= charts.MaxPoints {
		return group.Wait()
	}
	in.Rows = int(counted.Columns[0].Ints[0])
	blocks := make([]*warehouse.Result, sampleBlocks)
	for i := range blocks {
		spec := p.main
		spec.Limit = charts.MaxPoints / sampleBlocks
		spec.Offset = i * (in.Rows - spec.Limit) / (sampleBlocks - 1)
		group.Go(func() (err error) {
			blocks[i], err = s.ask(ctx, v, p, spec)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	in.Result = joined(blocks)
	return nil
}

// askGrid answers a map of more places than it shows anew, by the cells of a grid:
// the largest places alone would be a picture of other data. A limit that its
// author has set below that stays.
func (s *Service) askGrid(ctx context.Context, v *View, p *Plan, in *charts.Input) error {
	lat, lon, ok := charts.Gathers(*in)
	if own := p.Widget.Query.Limit; !ok || own > 0 && own < charts.MapPlaces {
		return nil
	}
	spec := p.main
	spec.Dimensions, spec.Order, spec.Other, spec.Offset, spec.Limit = nil, nil, false, 0, charts.MapPlaces
	var ends []warehouse.Measure
	for _, d := range p.main.Dimensions {
		if name := dimensionName(d); isPlain(d) && (name == lat || name == lon) {
			d.As = name
			spec.Dimensions = append(spec.Dimensions, d)
			ends = append(ends, warehouse.Measure{Fn: "min", Column: d.Column, As: name + " from"}, warehouse.Measure{Fn: "max", Column: d.Column, As: name + " to"})
		}
	}
	if len(spec.Dimensions) != 2 {
		return nil // grouped by its author already
	}
	r, err := s.ask(ctx, v, p, warehouse.Spec{Dataset: spec.Dataset, Timezone: spec.Timezone, Filters: ofRows(spec.Filters), Fields: spec.Fields, Measures: ends})
	if errors.Is(err, warehouse.ErrRowsWithheld) {
		return nil // the largest places then
	}
	if err != nil || r.Rows != 1 {
		return err
	}
	area := 1.0 // of the stretch of the earth, in square degrees
	for i := 0; i < 4; i += 2 {
		from, okFrom := charts.Number(&r.Columns[i], 0)
		to, okTo := charts.Number(&r.Columns[i+1], 0)
		if !okFrom || !okTo {
			return nil
		}
		area *= min(max(to-from, 0.01), 360)
	}
	// Places fill a small part of the cells, so the first try has many.
	for _, share := range []float64{32, 8, 2, 0.5} {
		width := niceWidth(math.Sqrt(area / charts.MapPlaces / share))
		for i := range spec.Dimensions {
			spec.Dimensions[i].Bin = width
		}
		r, err := s.ask(ctx, v, p, spec)
		if err != nil {
			return err
		}
		if !r.More {
			in.Result, in.Grid = r, width
			return nil
		}
	}
	return nil
}

// niceWidth is the next larger number that people say: 1, 2 or 5 and zeros.
func niceWidth(width float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(width)))
	for _, step := range []float64{1, 2, 5} {
		if step*unit >= width {
			return step * unit
		}
	}
	return 10 * unit
}

// askSpellings answers a map of areas anew where several names are one area and
// the measure does not add up: with them in one group.
func (s *Service) askSpellings(ctx context.Context, v *View, p *Plan, in *charts.Input) error {
	dimension, groups := charts.Spellings(*in)
	if len(groups) == 0 {
		return nil
	}
	spec := p.main
	spec.Dimensions = slices.Clone(spec.Dimensions)
	for i := range spec.Dimensions {
		dim := &spec.Dimensions[i]
		if dimensionName(*dim) != dimension {
			continue
		}
		if !isPlain(*dim) {
			return nil // grouped by its author already
		}
		dim.As, dim.Groups = dimension, map[string][]json.RawMessage{}
		for name, values := range groups {
			for _, value := range values {
				dim.Groups[name] = append(dim.Groups[name], quoted(value))
			}
		}
	}
	result, err := s.ask(ctx, v, p, spec)
	if err != nil {
		return err
	}
	in.Further = []*warehouse.Result{result}
	return nil
}

// askGroups is how many values a chart of categories would have without the
// limit of its type, 0 where nothing was cut or the number can't be asked for.
func (s *Service) askGroups(ctx context.Context, v *View, p *Plan, result *warehouse.Result) (int, error) {
	switch p.Widget.Type {
	case charts.Radar:
	case charts.Bar, charts.Combo, charts.Box, charts.Funnel, charts.WordList:
		if p.Widget.Query.Limit > 0 {
			return 0, nil
		}
	default:
		return 0, nil
	}
	dims := p.main.Dimensions
	if !result.More || len(dims) != 1 || !isPlain(dims[0]) || len(ofRows(p.main.Filters)) < len(p.main.Filters) {
		return 0, nil
	}
	return s.countValues(ctx, v, p, dims[0])
}

// countValues is how many values a column has in the rows of a widget, 0 where
// that is not told.
func (s *Service) countValues(ctx context.Context, v *View, p *Plan, dim warehouse.Dimension) (int, error) {
	counted, err := s.ask(ctx, v, p, warehouse.Spec{Dataset: p.main.Dataset, Timezone: p.main.Timezone, Filters: p.main.Filters, Fields: p.main.Fields,
		Measures: []warehouse.Measure{{Fn: "count_distinct", Column: dim.Column, As: "values"}, {Fn: "count", Column: dim.Column, As: "given"}, {Fn: "count", As: "rows"}}})
	if errors.Is(err, warehouse.ErrRowsWithheld) {
		return 0, nil // how many there are is not the viewer's to know
	}
	if err != nil {
		return 0, err
	}
	if counted.Rows != 1 || counted.Sampled != nil || len(counted.Columns) != 3 {
		return 0, nil
	}
	var numbers [3]int64
	for i := range numbers {
		c := &counted.Columns[i]
		if c.IsNull(0) || len(c.Ints) == 0 {
			return 0, nil // withheld
		}
		numbers[i] = c.Ints[0]
	}
	groups := int(numbers[0])
	if numbers[1] < numbers[2] {
		groups++ // no value is one too
	}
	return groups, nil
}

// joined is the rows of several answers of the same columns, one after another.
func joined(list []*warehouse.Result) *warehouse.Result {
	r := *list[0]
	r.More, r.Rows = false, 0
	r.Columns = slices.Clone(r.Columns)
	for i := range r.Columns {
		c := &r.Columns[i]
		nulls := false
		for _, part := range list {
			nulls = nulls || part.Columns[i].Nulls != nil
		}
		c.Nulls, c.Ints, c.Floats, c.Texts, c.Exact = nil, nil, nil, nil, nil
		for _, part := range list {
			from := &part.Columns[i]
			c.Ints, c.Floats = append(c.Ints, from.Ints...), append(c.Floats, from.Floats...)
			c.Texts, c.Exact = append(c.Texts, from.Texts...), append(c.Exact, from.Exact...)
			if nulls {
				own := from.Nulls
				if own == nil {
					own = make([]bool, part.Rows)
				}
				c.Nulls = append(c.Nulls, own...)
			}
		}
	}
	for _, part := range list {
		r.Rows += part.Rows
	}
	return &r
}

package charts

import (
	"math"
	"slices"

	"github.com/dataflowhq/dataflow/warehouse"
)

// facets draws one small chart for each value of a dimension, all on the same
// axes: the ends of the value axis are those of all charts together.
func (d *drawing) facets() error {
	by, err := d.column(d.Config.Encode.Facet)
	if err != nil {
		return err
	}
	if !by.Dimension {
		return ErrConfig.With("Small charts are made of a dimension; %s is none.", d.name(by))
	}
	if !d.Config.Type.Facets() {
		return ErrConfig.With("A %s can't be drawn as small charts.", d.Config.Type)
	}
	rows := map[string][]int{}
	var keys []string
	for row := range d.Result.Rows {
		if d.isOther(row) {
			continue
		}
		key := d.key(by, row)
		if rows[key] == nil {
			keys = append(keys, key)
		}
		rows[key] = append(rows[key], row)
	}
	if d.Result.More {
		d.out.Fit = Message{Key: "charts.fit.top", Args: []any{"Count", MaxFacets, "Field", d.name(by)}}
		return d.tooMuch(d.Result.Rows)
	}
	// The largest come first, as far as parts can be told to be large.
	y := d.measures[min(len(d.measures)-1, d.valueIndex())]
	if d.settings(y).Additive {
		sums := map[string]float64{}
		for key, list := range rows {
			for _, row := range list {
				if v, ok := number(y, row); ok {
					sums[key] += v
				}
			}
		}
		slices.SortStableFunc(keys, func(a, b string) int {
			switch {
			case sums[a] > sums[b]:
				return -1
			case sums[a] < sums[b]:
				return 1
			}
			return 0
		})
	}
	if len(keys) > MaxFacets {
		d.out.Note = Message{Key: "charts.note.cut", Args: []any{"Shown", MaxFacets, "Count", len(keys) - MaxFacets}}
		keys = keys[:MaxFacets]
	}
	in := d.Input
	in.Config.Encode.Facet = ""
	in.Size = Size{max(d.Size.W/facetColumns(len(keys)), 2), max(d.Size.H/2, 4)}
	if d.Config.Type == Scatter || d.Config.Type == Bubble {
		x, up, _, err := d.scatterColumns()
		if err != nil {
			return err
		}
		in.Across = d.sharedAxis(x, rows, keys, by)
		if in.Config.Encode.Axis == nil {
			in.Config.Encode.Axis = d.sharedAxis(up, rows, keys, by)
		}
	} else if in.Config.Encode.Axis == nil {
		in.Config.Encode.Axis = d.sharedAxis(y, rows, keys, by)
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	selectable := len(columns) == 1 && columns[0] == by
	picked := d.picked()
	var open Message // the bucket that is not over, of all of them
	for _, key := range keys {
		small := in
		small.Result = d.pick(rows[key], by)
		if selectable {
			small.Selected, small.Config.Encode.Select = nil, []string{"-"}
		}
		drawn, err := Draw(small)
		if err != nil {
			return err
		}
		if drawn.State == TooMuch || drawn.State == Unfit {
			d.out.State, d.out.Count, d.out.AtLeast, d.out.Fit = drawn.State, drawn.Count, drawn.AtLeast, drawn.Fit
			return nil
		}
		f := Facet{Name: d.text(by, rows[key][0]), Chart: drawn.Chart, Say: drawn.Say}
		if selectable {
			f.Mark = Mark{key}.Word()
			f.Faded = picked != nil && !picked[f.Mark]
		}
		d.out.Facets = append(d.out.Facets, f)
		d.out.Count += drawn.Count
		if drawn.Note.Key == "charts.note.cut" && d.out.Note.Key == "" {
			d.out.Note = Message{Key: "charts.note.cut_each", Args: drawn.Note.Args[:2]}
		}
		if drawn.Note.Key == NoteOpen || drawn.Note.Key == NoteOpenPeriod {
			open = Message{Key: NoteOpen, Args: drawn.Note.Args[:2]}
		}
		if len(drawn.Legend) > len(d.out.Legend) {
			d.out.Legend = drawn.Legend
		}
	}
	if d.out.Count > MaxPoints {
		points := d.out.Count
		d.out.Facets, d.out.Legend = nil, nil
		return d.tooMuch(points)
	}
	if d.out.Note.Key == "" {
		d.out.Note = open
	}
	d.say("facets", "Count", len(d.out.Facets), "Measure", d.name(y), "By", d.name(by), "Largest", d.out.Facets[0].Name)
	return nil
}

// facetColumns is how many small charts stand side by side.
func facetColumns(n int) int {
	switch {
	case n <= 3:
		return max(n, 1)
	case n == 4:
		return 2
	case n <= 6 || n == 9:
		return 3
	}
	return 4
}

// FacetColumns is how many small charts stand side by side on a wide window.
func (d *Drawing) FacetColumns() int { return facetColumns(len(d.Facets)) }

func (d *drawing) valueIndex() int {
	for i, c := range d.measures {
		if c.Name == d.Config.Encode.Value {
			return i
		}
	}
	return 0
}

// pick is the result of some rows, without the column that all of them share.
func (d *drawing) pick(rows []int, without *warehouse.ResultColumn) *warehouse.Result {
	r := *d.Result
	r.Rows, r.HasOther, r.Columns, r.OtherRows = len(rows), false, nil, nil
	if d.Result.OtherRows != nil {
		for _, row := range rows {
			r.OtherRows = append(r.OtherRows, d.Result.OtherRows[row])
		}
	}
	for i := range d.Result.Columns {
		c := d.Result.Columns[i]
		if &d.Result.Columns[i] == without {
			continue
		}
		c.Nulls, c.Ints = choose(c.Nulls, rows), choose(c.Ints, rows)
		c.Floats, c.Texts, c.Exact = choose(c.Floats, rows), choose(c.Texts, rows), choose(c.Exact, rows)
		r.Columns = append(r.Columns, c)
	}
	return &r
}

func choose[T any](list []T, rows []int) []T {
	if list == nil {
		return nil
	}
	out := make([]T, len(rows))
	for i, row := range rows {
		out[i] = list[row]
	}
	return out
}

// sharedAxis are ends of the value axis that hold every small chart. Stacks
// are as high as their parts together.
func (d *drawing) sharedAxis(y *warehouse.ResultColumn, rows map[string][]int, keys []string, by *warehouse.ResultColumn) *[2]float64 {
	if d.Config.Encode.Stack == stackPercent {
		return nil
	}
	low, high := math.Inf(1), math.Inf(-1)
	stacked := d.Config.Type == StackedBar && d.Config.Encode.Stack != stackNone || d.Config.Encode.Stack == stackNormal
	stacked = stacked && d.settings(y).Additive // others stand side by side
	var x *warehouse.ResultColumn
	for _, c := range d.dims {
		if c != by {
			x = c
			break
		}
	}
	for _, key := range keys {
		sums := map[string]float64{}
		for _, row := range rows[key] {
			v, ok := number(y, row)
			if !ok {
				continue
			}
			if stacked && x != nil {
				place := d.key(x, row)
				sums[place] += v
				v = sums[place]
			}
			low, high = min(low, v), max(high, v)
		}
	}
	if math.IsInf(low, 0) {
		return nil
	}
	fromZero := d.Config.Type == Bar || d.Config.Type == StackedBar || d.Config.Type == Area
	if fromZero || low > 0 && low < high/2 {
		low, high = min(low, 0), max(high, 0)
	}
	step := NiceStep((high - low) / 4)
	if high == low {
		high = low + step
	}
	return &[2]float64{math.Floor(low/step+1e-9) * step, math.Ceil(high/step-1e-9) * step}
}

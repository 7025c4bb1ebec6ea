package charts

import (
	"slices"
	"sort"
	"strings"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Limits of a pivot: it is read whole, not page by page.
const (
	pivotColumns = 60
	pivotRows    = 500
	pivotRowDims = 3
	pivotColDims = 2
)

// PivotSides are the dimensions down and across a pivot: those of the config,
// or all but the last down and the last across.
func PivotSides(e Encode, dims []string) (rows, across []string) {
	if len(e.Rows) > 0 || len(e.Across) > 0 {
		return e.Rows, e.Across
	}
	if len(dims) < 2 {
		return dims, nil
	}
	return dims[:len(dims)-1], dims[len(dims)-1:]
}

// PivotSets lists the groupings whose answers a pivot needs beside that by all
// dimensions: each prefix of its rows with each prefix of its columns. A total
// is the answer to its own grouping, since averages, distinct counts and
// ratios can't be made of the cells.
//
// Errors: charts.config.
func PivotSets(e Encode, dims []string) ([][]string, error) {
	rows, across := PivotSides(e, dims)
	if len(rows) > pivotRowDims || len(across) > pivotColDims || len(rows) == 0 {
		return nil, ErrConfig.With("A pivot has 1 to %d dimensions down and at most %d across.", pivotRowDims, pivotColDims)
	}
	all := append(slices.Clone(rows), across...)
	for i, name := range all {
		if !slices.Contains(dims, name) || slices.Contains(all[:i], name) {
			return nil, ErrConfig.With("The pivot needs %q once, and as a dimension of its query.", name)
		}
	}
	if len(all) != len(dims) {
		return nil, ErrConfig.With("Each dimension of a pivot stands down or across.")
	}
	var sets [][]string
	for i := len(rows); i >= 0; i-- {
		for j := len(across); j >= 0; j-- {
			if i+j < len(all) {
				sets = append(sets, append(slices.Clone(rows[:i]), across[:j]...))
			}
		}
	}
	return sets, nil
}

// header is a value on one side of a pivot, with the values below it.
type header struct {
	key, text string
	path      []string
	children  []*header
	total     float64
	row       int // of the main result, for its mark
}

// pivot is the answers by what they are grouped by.
type pivot struct {
	*drawing
	rows, across []string
	answers      map[string]*answer
}

type answer struct {
	*drawing
	rowOf map[string]int
}

func drawPivot(d *drawing) error {
	dims := make([]string, len(d.dims))
	for i, c := range d.dims {
		dims[i] = c.Name
	}
	sets, err := PivotSets(d.Config.Encode, dims)
	if err != nil {
		return err
	}
	if len(d.Further) < len(sets) {
		return ErrConfig.With("The pivot's totals were not asked.")
	}
	p := &pivot{drawing: d, answers: map[string]*answer{}}
	p.rows, p.across = PivotSides(d.Config.Encode, dims)
	if err := p.add(append(slices.Clone(p.rows), p.across...), d.Result); err != nil {
		return err
	}
	for i, set := range sets {
		if err := p.add(set, d.Further[i]); err != nil {
			return err
		}
	}
	down, err := p.side(p.rows, nil)
	if err != nil {
		return err
	}
	over, err := p.side(p.across, p.rows)
	if err != nil {
		return err
	}
	width, height := leaves(over), leaves(down)
	if d.cut() || height > pivotRows || max(width, 1)*len(d.measures) > pivotColumns {
		field := d.name(d.dims[0])
		if c, err := d.column(first(p.across)); err == nil && c != nil && width*len(d.measures) > pivotColumns {
			field = d.name(c)
		}
		d.out.Fit = Message{Key: "charts.fit.top", Args: []any{"Count", topBars, "Field", field}}
		return d.tooMuch(max(height, 1) * max(width, 1))
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	if len(columns) != 1 || columns[0].Name != p.rows[0] {
		columns = nil
	}
	g := &Grid{Pin: true, Pages: 1, Page: 1, Side: len(p.rows)}
	places := p.heads(g, over)
	formats := make([]locale.Format, len(d.measures))
	for i, m := range d.measures {
		formats[i], _ = d.fitTotals(m, p.totals(m.Name))
	}
	picked := d.picked()
	emit := func(heads []GridCell, path []string, total bool, mark string) {
		row := GridRow{Total: total, Mark: mark, Picked: picked != nil && picked[mark] && mark != ""}
		row.Faded = picked != nil && !row.Picked && !total
		row.Cells = heads
		for _, place := range places {
			for i, m := range d.measures {
				cell := GridCell{Text: locale.Missing, Bar: -1}
				if v, ok := p.value(path, place, m.Name); ok {
					cell.Text = d.cellText(v, formats[i], m)
				}
				row.Cells = append(row.Cells, cell)
			}
		}
		g.Rows = append(g.Rows, row)
	}
	var walk func(list []*header, depth int, open []GridCell)
	walk = func(list []*header, depth int, open []GridCell) {
		for n, h := range list {
			heads := slices.Clone(open)
			if n > 0 {
				for i := range heads {
					heads[i].Span = -1
				}
			}
			mark := ""
			if len(columns) > 0 && !Folded(d.Result, columns[0], h.row) {
				mark = Mark{h.path[0]}.Word()
			}
			if depth == len(p.rows)-1 {
				emit(append(heads, GridCell{Text: h.text, Bar: -1}), h.path, false, mark)
				continue
			}
			// A group reaches over its rows and ends with its subtotal.
			own := GridCell{Text: h.text, Bar: -1, Span: rowsOf(h)}
			walk(h.children, depth+1, append(heads, own))
			below := make([]GridCell, 0, len(p.rows))
			for range depth + 1 {
				below = append(below, GridCell{Span: -1, Bar: -1})
			}
			below = append(below, GridCell{Text: d.Words.Total, Bar: -1})
			for len(below) < len(p.rows) {
				below = append(below, GridCell{Bar: -1})
			}
			emit(below, h.path, true, "")
		}
	}
	walk(down, 0, nil)
	whole := []GridCell{{Text: d.Words.Total, Bar: -1}}
	for len(whole) < len(p.rows) {
		whole = append(whole, GridCell{Bar: -1})
	}
	emit(whole, nil, true, "")
	last := g.Rows[len(g.Rows)-1]
	g.Rows, g.Totals = g.Rows[:len(g.Rows)-1], &last
	g.Total, g.From, g.To = height, min(1, height), height
	d.out.Table, d.out.Count = g, len(g.Rows)
	d.say("pivot", "Rows", height, "Columns", max(width, 1), "Measure", d.name(d.measures[0]))
	return nil
}

// rowsOf counts the lines of a group: its leaves and the subtotals of all
// groups within, its own included.
func rowsOf(h *header) int {
	if len(h.children) == 0 {
		return 1
	}
	n := 1
	for _, c := range h.children {
		n += rowsOf(c)
	}
	return n
}

// totals are all that is known of a measure beside the cells.
func (p *pivot) totals(measure string) (list []float64) {
	for _, a := range p.answers {
		if c, err := a.column(measure); err == nil && c != nil {
			for row := range a.Result.Rows {
				if v, ok := number(c, row); ok {
					list = append(list, v)
				}
			}
		}
	}
	return list
}

func leaves(list []*header) int {
	n := 0
	for _, h := range list {
		if len(h.children) == 0 {
			n++
		}
		n += leaves(h.children)
	}
	return n
}

func (p *pivot) add(set []string, r *warehouse.Result) error {
	in := p.Input
	in.Result = r
	inner, err := begin(in)
	if err != nil {
		return err
	}
	a := &answer{drawing: inner, rowOf: map[string]int{}}
	columns := make([]*warehouse.ResultColumn, len(set))
	for i, name := range set {
		if columns[i], err = inner.column(name); err != nil {
			return err
		}
	}
	for row := range r.Rows {
		path := make([]string, len(set))
		for i, c := range columns {
			path[i] = inner.placeKey(c, row)
		}
		a.rowOf[pathKey(path)] = row
	}
	p.answers[strings.Join(set, "\x01")] = a
	return nil
}

func pathKey(path []string) string { return strings.Join(path, "\x01") }

// value is a measure at a place down and a place across; ok is false where no
// row is.
func (p *pivot) value(down, over []string, measure string) (float64, bool) {
	a := p.answers[strings.Join(append(slices.Clone(p.rows[:len(down)]), p.across[:len(over)]...), "\x01")]
	if a == nil {
		return 0, false
	}
	row, ok := a.rowOf[pathKey(append(slices.Clone(down), over...))]
	if !ok {
		return 0, false
	}
	c, err := a.column(measure)
	if err != nil {
		return 0, false
	}
	return number(c, row)
}

// side nests the values of the dimensions of one side: calendar and numbers in
// their order, all others largest first by their own total.
func (p *pivot) side(names, other []string) ([]*header, error) {
	var columns []*warehouse.ResultColumn
	for _, name := range names {
		c, err := p.column(name)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	root := &header{}
	index := map[string]*header{}
	for row := range p.Result.Rows {
		at := root
		for n, c := range columns {
			path := append(slices.Clone(at.path), p.placeKey(c, row))
			key := pathKey(path)
			h := index[key]
			if h == nil {
				h = &header{key: path[n], text: p.label(c, row), path: path, row: row}
				if len(other) == 0 {
					h.total, _ = p.value(path, nil, p.measures[0].Name)
				} else {
					h.total, _ = p.value(nil, path, p.measures[0].Name)
				}
				index[key] = h
				at.children = append(at.children, h)
			}
			at = h
		}
	}
	var settle func(list []*header, depth int)
	settle = func(list []*header, depth int) {
		if len(list) == 0 {
			return
		}
		c := columns[depth]
		ordered := isTime(c) || c.Grain != "" || c.Type == warehouse.Integer || p.binned(c)
		sort.SliceStable(list, func(i, j int) bool {
			if ordered && !c.IsNull(list[i].row) && !c.IsNull(list[j].row) {
				return c.Ints != nil && c.Ints[list[i].row] < c.Ints[list[j].row] || c.Floats != nil && c.Floats[list[i].row] < c.Floats[list[j].row]
			}
			return !ordered && list[i].total > list[j].total
		})
		for _, h := range list {
			settle(h.children, depth+1)
		}
	}
	settle(root.children, 0)
	return root.children, nil
}

// heads writes the heads of the grid and answers the place across of each
// group of columns: the leaves, totals after each group, and the whole.
func (p *pivot) heads(g *Grid, over []*header) (places [][]string) {
	measures := len(p.measures)
	for _, name := range p.rows {
		c, _ := p.column(name) // add has found it
		g.Columns = append(g.Columns, GridColumn{Label: p.name(c), Primary: true})
	}
	lines := make([][]GridHead, len(p.across))
	for i := range lines {
		label := ""
		if c, err := p.column(p.across[i]); err == nil {
			label = p.name(c)
		}
		lines[i] = []GridHead{{Text: label, Span: len(p.rows)}}
	}
	var walk func(list []*header, depth int) int
	walk = func(list []*header, depth int) int {
		width := 0
		for _, h := range list {
			if len(h.children) == 0 {
				places = append(places, h.path)
				lines[depth] = append(lines[depth], GridHead{h.text, measures})
				width += measures
				continue
			}
			at := len(lines[depth])
			lines[depth] = append(lines[depth], GridHead{Text: h.text})
			inner := walk(h.children, depth+1)
			places = append(places, h.path)
			lines[depth+1] = append(lines[depth+1], GridHead{p.Words.Total, measures})
			lines[depth][at].Span = inner + measures
			width += inner + measures
		}
		return width
	}
	walk(over, 0)
	places = append(places, []string{})
	g.Whole = measures == 1 && len(p.across) > 0
	for i := range lines {
		text := ""
		if i == 0 || i == len(lines)-1 && measures == 1 {
			text = p.Words.Total
		}
		lines[i] = append(lines[i], GridHead{text, measures})
	}
	g.Heads = lines
	if len(p.across) == 0 {
		g.Heads = nil
	}
	// With one measure its name would stand on every column: the values across
	// are the heads.
	if last := len(g.Heads) - 1; measures == 1 && last >= 0 {
		for _, h := range g.Heads[last][1:] {
			g.Columns = append(g.Columns, GridColumn{Label: h.Text, Number: true, Primary: len(g.Columns) < 3})
		}
		g.Heads = g.Heads[:last]
		return places
	}
	for range places {
		for _, m := range p.measures {
			g.Columns = append(g.Columns, GridColumn{Label: p.name(m), Number: true, Primary: len(g.Columns) < 3})
		}
	}
	return places
}

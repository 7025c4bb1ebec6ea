package charts

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// PageSize is the number of rows of a table's page where none is given.
const PageSize = 10

// drawTable draws the rows of the result, one page of them.
func drawTable(d *drawing) error {
	if d.Result.Rows == 0 {
		d.out.State = Empty
		return nil
	}
	cells := d.Config.Encode.Columns
	if len(cells) == 0 {
		cells = d.everyColumn()
	}
	grid, err := d.grid(cells, true)
	if err != nil {
		return err
	}
	grid.Pin = d.Config.Encode.Pin
	if d.Config.Encode.Group != "" {
		if err := d.group(grid); err != nil {
			return err
		}
	}
	d.out.Table, d.out.Count = grid, len(grid.Rows)
	d.say("table", "Count", grid.Total)
	return nil
}

// Tabulate is "View as table" for a widget of any type: every row of the
// answer, page by page.
func Tabulate(in Input) (*Grid, error) {
	d, err := begin(in)
	if err != nil {
		return nil, err
	}
	if o := in.Outlook; o != nil && o.Refused == nil {
		if d.Result, err = d.withOutlook(o); err != nil {
			return nil, err
		}
	}
	return d.grid(d.everyColumn(), false)
}

func (d *drawing) everyColumn() []Cell {
	var cells []Cell
	for i := range d.Result.Columns {
		cells = append(cells, Cell{Column: d.Result.Columns[i].Name})
	}
	return cells
}

// part is one column of a grid while it is made.
type part struct {
	cell    Cell
	column  *warehouse.ResultColumn
	against *warehouse.ResultColumn // set for a column of changes
	format  locale.Format           // settled for all cells of the column
	largest float64
	least   float64
}

func (d *drawing) grid(cells []Cell, compact bool) (*Grid, error) {
	from, to, g := d.window()
	var parts []part
	for _, cell := range cells {
		c, err := d.column(cell.Column)
		if err != nil {
			return nil, err
		}
		if c == nil {
			return nil, ErrConfig.With("A column of the table has no name.")
		}
		p := part{cell: cell, column: c}
		if isNumber(c) {
			p.format, p.largest = d.fit(c, compact)
			if total, ok := d.total(c.Name); ok && compact && d.Config.Encode.Totals {
				p.format, p.largest = d.fitTotals(c, []float64{total})
			}
			if low, _ := extremes(c, d.Result.Rows); low >= 0 {
				p.least, _ = number(c, low)
			}
		}
		parts = append(parts, p)
		if cell.Change {
			if before := d.previous(c); before != nil {
				parts = append(parts, part{column: d.toDate(c), against: before})
			}
		}
	}
	sorted, descending := strings.CutPrefix(d.Sort, "-")
	shown := 0
	for _, p := range parts {
		if p.cell.Quiet && len(g.Columns) > 0 {
			continue
		}
		shown++
		head := GridColumn{Key: p.column.Name, Label: d.headName(p.column), Number: isNumber(p.column), Time: isTime(p.column), Bar: p.cell.Bar, Primary: shown <= 3}
		if p.against != nil {
			head = GridColumn{Label: d.Words.Change, Number: true, Primary: shown <= 3}
		} else if p.column.Name == sorted {
			head.Sorted = "asc"
			if descending {
				head.Sorted = "desc"
			}
		}
		g.Columns = append(g.Columns, head)
	}
	var by []*warehouse.ResultColumn
	if compact && len(d.dims) > 0 {
		var err error
		if by, err = d.selects(); err != nil {
			return nil, err
		}
	}
	picked := d.picked()
	for i := from; i < to; i++ {
		row := GridRow{}
		if len(by) > 0 {
			row.Mark = d.mark(i, by...)
			row.Picked = picked != nil && picked[row.Mark]
			row.Faded = picked != nil && !row.Picked
		}
		for n, p := range parts {
			if p.cell.Quiet && n > 0 {
				if !p.column.IsNull(i) {
					row.Cells[len(row.Cells)-1].Sub = d.text(p.column, i)
				}
				continue
			}
			row.Cells = append(row.Cells, d.gridCell(p, i))
		}
		g.Rows = append(g.Rows, row)
	}
	if compact && d.Config.Encode.Totals && len(d.Further) > 0 {
		g.Totals = d.totals(parts)
	}
	return g, nil
}

// totals is the row below a table: what the measures are of all rows together.
// They come from a query of their own, since most measures do not add up.
func (d *drawing) totals(parts []part) *GridRow {
	row := &GridRow{Total: true}
	for n, p := range parts {
		if p.cell.Quiet && n > 0 {
			continue
		}
		cell := GridCell{Bar: -1}
		now, ok := d.total(p.column.Name)
		switch {
		case n == 0:
			cell.Text = d.Words.Total
		case !ok:
		case p.against != nil:
			if before, known := d.total(p.against.Name); known {
				if delta := d.Locale.Delta(now, before, d.format(p.column)); delta.Known {
					cell.Text, cell.Tone = delta.Text, tone(delta.Direction, d.settings(p.column).Better)
				}
			}
		default:
			cell.Text = d.cellText(now, p.format, p.column)
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}

// total is what a column is of all rows together.
func (d *drawing) total(name string) (float64, bool) {
	if len(d.Further) == 0 || d.Further[0].Rows == 0 {
		return 0, false
	}
	all := d.Further[0]
	for i := range all.Columns {
		if all.Columns[i].Name == name {
			return number(&all.Columns[i], 0)
		}
	}
	return 0, false
}

// group takes the column of the groups out of the rows and sets a heading
// where its value changes.
func (d *drawing) group(g *Grid) error {
	c, err := d.column(d.Config.Encode.Group)
	if err != nil {
		return err
	}
	at := -1
	for i, head := range g.Columns {
		if head.Key == c.Name {
			at = i
		}
	}
	from, _, _ := d.window()
	var rows []GridRow
	var columns []GridColumn
	for i, head := range g.Columns {
		if i != at {
			head.Primary = len(columns) < 3
			columns = append(columns, head)
		}
	}
	last := ""
	for i, row := range g.Rows {
		heading := d.label(c, from+i)
		if i == 0 || heading != last {
			rows = append(rows, GridRow{Heading: heading})
			last = heading
		}
		if at >= 0 {
			row.Cells = append(row.Cells[:at:at], row.Cells[at+1:]...)
		}
		rows = append(rows, row)
	}
	if at >= 0 && g.Totals != nil {
		cells := append(g.Totals.Cells[:at:at], g.Totals.Cells[at+1:]...)
		if at == 0 && len(cells) > 0 {
			cells[0].Text = d.Words.Total
		}
		g.Totals.Cells = cells
	}
	g.Columns, g.Rows = columns, rows
	return nil
}

// shadeOf is the strength of 1 to 5 of a cell's colour; negative below the
// middle of a diverging scale.
func shadeOf(scale string, v, least, largest float64) int {
	step := func(share float64) int { return 1 + int(math.Round(4*min(max(share, 0), 1))) }
	switch scale {
	case "seq":
		if largest > least {
			return step((v - least) / (largest - least))
		}
	case "div":
		reach := max(math.Abs(least), math.Abs(largest))
		switch {
		case reach == 0 || v == 0:
		case v > 0:
			return step(v / reach)
		default:
			return -step(-v / reach)
		}
	}
	return 0
}

// headName marks the columns of the comparison as such.
func (d *drawing) headName(c *warehouse.ResultColumn) string {
	now, err := d.column(warehouse.MeasureOf(c.Name))
	switch {
	case err != nil || now == nil || now == c:
		return d.name(c)
	case strings.HasSuffix(c.Name, warehouse.ToDateSuffix):
		return d.name(now) + ", " + d.Words.ToDate
	}
	if slices.ContainsFunc(d.dims, isTime) { // the cut is of the last moment alone
		return d.name(now) + ", " + d.Words.Previous
	}
	return d.name(now) + ", " + d.compared()
}

func (d *drawing) gridCell(p part, i int) GridCell {
	cell := GridCell{Bar: -1}
	if p.against != nil {
		cell.Text = locale.Missing
		now, ok := number(p.column, i)
		before, known := number(p.against, i)
		if ok && known {
			if delta := d.Locale.Delta(now, before, d.format(p.column)); delta.Known {
				cell.Text, cell.Tone = delta.Text, tone(delta.Direction, d.settings(p.column).Better)
			}
		}
		return cell
	}
	if !isNumber(p.column) || Folded(d.Result, p.column, i) {
		cell.Text = d.label(p.column, i)
		return cell
	}
	v, ok := number(p.column, i)
	if !ok {
		cell.Text = locale.Missing
		return cell
	}
	if d.binned(p.column) {
		cell.Text = d.text(p.column, i)
		return cell
	}
	cell.Text = d.cellText(v, p.format, p.column)
	cell.Shade = shadeOf(p.cell.Scale, v, p.least, p.largest)
	for _, rule := range p.cell.Rules {
		if v >= rule.From {
			cell.Tone, cell.Flag, cell.Fill = rule.Tone, rule.Tone != Neutral, rule.Fill && rule.Tone != Neutral
		}
	}
	if p.cell.Bar {
		cell.Bar = 0
		if p.largest > 0 && v > 0 {
			cell.Bar = math.Round(min(v/p.largest, 1)*1000) / 10
		}
	}
	return cell
}

// fit settles one format for all cells of a column, whatever page is shown, so
// that turning pages changes no decimals.
func (d *drawing) fit(c *warehouse.ResultColumn, compact bool) (locale.Format, float64) {
	values := make([]float64, 0, d.Result.Rows)
	largest := 0.0
	for i := range d.Result.Rows {
		if v, ok := number(c, i); ok {
			values = append(values, v)
			largest = max(largest, v)
		}
	}
	f := d.format(c)
	// Rows as they were loaded have their own digits, and keys of groups, which tell
	// them apart.
	own := d.Plain || c.Dimension
	f.Compact = compact && !own
	if largest = limit(d.settings(c), largest); f.Style == "" {
		f.Style = locale.Number
	}
	if own && f.Decimals == nil && f.Style == locale.Number && !f.Integer {
		f.Decimals = ownPlaces(c, values)
	}
	return locale.FitColumn(values, f), largest
}

// ownPlaces are the places that numbers of a column have: those of its type, or
// of floating point as many as are needed, up to four. nil for whole ones.
func ownPlaces(c *warehouse.ResultColumn, values []float64) *int {
	places := 0
	for _, v := range values {
		_, after, _ := strings.Cut(strconv.FormatFloat(math.Abs(v), 'f', -1, 64), ".")
		places = max(places, len(after))
	}
	if places = min(places, 4); c.Type == warehouse.Decimal {
		places = int(c.Scale)
	}
	if places == 0 {
		return nil
	}
	return &places
}

// fitTotals settles the format of a column with totals: one number of decimals
// for all. Where parts of thousands would be written out beside totals that are
// not, all is in thousands; totals of another scale than their cells are left out
// of account.
func (d *drawing) fitTotals(c *warehouse.ResultColumn, totals []float64) (locale.Format, float64) {
	f, largest := d.fit(c, true)
	base := d.format(c)
	base.Compact, base.Style = true, f.Style
	values := slices.Clone(totals)
	for i := range d.Result.Rows {
		if v, ok := number(c, i); ok {
			values = append(values, v)
		}
	}
	all := locale.FitColumn(values, base)
	switch {
	case all.Scale == f.Scale:
		f = all
	case f.Scale == 0 && largest >= 1000 && f.Decimals != nil && *f.Decimals > 0:
		one := 1
		f.Scale, f.Decimals = 1, &one
	}
	return f, largest
}

// cellText writes a value in the format of its column or, where that would make
// another value of it or a row of digits, in one of its own.
func (d *drawing) cellText(v float64, f locale.Format, c *warehouse.ResultColumn) string {
	text := d.Locale.Cell(v, f)
	large := f.Compact && f.Style != locale.Percent && f.Style != locale.Points && math.Abs(v) >= max(1e7, 1e4*math.Pow10(3*f.Scale))
	if large || distorts(v, f) {
		return d.Locale.KPI(v, d.format(c))
	}
	return text
}

// distorts tells whether rounding to the places of a column changes a value by
// more than a twentieth: a zero, or 0.1M of 86,420.
func distorts(v float64, f locale.Format) bool {
	if f.Decimals == nil || f.Style == locale.Duration || f.Style == locale.Bytes {
		return false
	}
	unit := math.Pow10(3*f.Scale - *f.Decimals)
	if f.Style == locale.Percent || f.Style == locale.Points {
		unit = math.Pow10(-2 - *f.Decimals)
	}
	return math.Abs(math.Round(v/unit)*unit-v) > math.Abs(v)/20
}

// limit is what a full bar stands for: the whole for shares, else the largest value.
func limit(f Format, largest float64) float64 {
	if f.Style == "percent" && largest <= 1 && largest > 0.2 {
		return 1
	}
	return largest
}

// window is the part of the result that the page shows.
func (d *drawing) window() (from, to int, g *Grid) {
	size := d.PageSize
	if size <= 0 {
		size = PageSize
	}
	g = &Grid{Total: d.Result.Rows, More: d.Result.More, Page: max(d.Page, 1)}
	if d.Total > 0 {
		// The result is the page itself.
		g.Total, g.More = d.Total, false
		g.Pages = (g.Total + size - 1) / size
		g.From = (g.Page-1)*size + 1
		g.To = g.From + d.Result.Rows - 1
		return 0, d.Result.Rows, g
	}
	g.Pages = max(1, (g.Total+size-1)/size)
	g.Page = min(g.Page, g.Pages)
	from = (g.Page - 1) * size
	to = min(from+size, d.Result.Rows)
	g.From, g.To = from+1, to
	if g.Total == 0 {
		g.From = 0
	}
	return from, to, g
}

package dashboards

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// csvCells and csvRows bound what is fetched at a time, so that a download of
// any length needs the same memory.
const (
	csvCells = 500_000
	csvRows  = warehouse.MaxLimit
)

// Rows are all rows of a widget, exact and in one order, read in parts.
type Rows struct {
	Title   string
	Columns []RowColumn
	svc     *Service
	view    *View
	plan    *Plan
	head    *warehouse.Result // the first rows, already asked
	step    int
}

// RowColumn is one column of Rows.
type RowColumn struct {
	Name   string // for people
	Type   warehouse.Type
	Format charts.Format
}

// OpenRows asks for the first rows, so that what goes wrong is known before
// anything was sent.
//
// Errors: dashboards.widget_not_found and those of the query.
func (s *Service) OpenRows(ctx context.Context, v *View, widget string) (*Rows, error) {
	p, ok := v.Plan(widget)
	if !ok || !p.Widget.Type.Asks() {
		return nil, ErrWidgetNotFound
	}
	return s.openRows(ctx, v, p)
}

func (s *Service) openRows(ctx context.Context, v *View, p *Plan) (*Rows, error) {
	if err := p.problem(); err != nil {
		return nil, err
	}
	copied := *p
	c := &Rows{Title: p.Widget.Title, svc: s, view: v, plan: &copied}
	spec := &copied.main
	copied.exact = true
	if plain := len(spec.Columns); plain > 0 {
		// Pages of rows must not overlap: equal sort keys are told apart by all
		// other columns.
		ordered := map[string]bool{}
		spec.Order = append([]warehouse.Order(nil), spec.Order...)
		for _, o := range spec.Order {
			ordered[o.By] = true
		}
		for _, column := range spec.Columns {
			if !ordered[column] {
				spec.Order = append(spec.Order, warehouse.Order{By: column})
			}
		}
		c.step = min(max(csvCells/plain, 1), csvRows)
		spec.Limit, spec.Offset = c.step, 0
	} else if p.Widget.Query.Limit == 0 && !spec.Other {
		spec.Limit = csvRows
	}
	var err error
	if c.head, err = s.ask(ctx, v, &copied, *spec); err != nil {
		return nil, err
	}
	if c.step == 0 && c.head.More && spec.Limit == csvRows {
		return nil, warehouse.ErrTooManyRows.With("The widget has more than %d groups. Filter it, or group more coarsely.", csvRows)
	}
	for i := range c.head.Columns {
		c.Columns = append(c.Columns, c.column(&c.head.Columns[i]))
	}
	return c, nil
}

// Count is how many rows there are, before they are read.
func (c *Rows) Count(ctx context.Context) (int64, error) {
	if c.step == 0 || c.head.Rows < c.step || c.plan.count == nil {
		return int64(c.head.Rows), nil
	}
	counted, err := c.svc.ask(ctx, c.view, c.plan, *c.plan.count)
	if err != nil {
		return 0, err
	}
	n := counted.Columns[0].Ints[0]
	if limit := int64(c.plan.Widget.Query.Limit); limit > 0 {
		n = min(n, limit)
	}
	return n, nil
}

// Each hands on the rows in parts: the first rows of a shared answer, which
// must not be changed.
func (c *Rows) Each(ctx context.Context, read func(part *warehouse.Result, rows int) error) error {
	if c.step == 0 || c.head.Rows < c.step { // all is here already
		return c.each(ctx, read)
	}
	return c.svc.Hold(ctx, c.view, "download", func(ctx context.Context) error { return c.each(ctx, read) })
}

func (c *Rows) each(ctx context.Context, read func(part *warehouse.Result, rows int) error) error {
	result, offset := c.head, 0
	limit := c.plan.Widget.Query.Limit
	for {
		rows := result.Rows
		if c.step > 0 && limit > 0 {
			rows = min(rows, limit-offset)
		}
		if err := read(result, rows); err != nil {
			return err
		}
		offset += result.Rows
		if c.step == 0 || result.Rows < c.step || limit > 0 && offset >= limit {
			return nil
		}
		spec := c.plan.main
		spec.Offset = offset
		var err error
		if result, err = c.svc.ask(ctx, c.view, c.plan, spec); err != nil {
			return fmt.Errorf("read rows from %d: %w", offset, err)
		}
	}
}

// CSVStyle is how a CSV is written.
type CSVStyle struct {
	// BOM is for programs that would not take the file for UTF-8 otherwise.
	BOM bool
	// Separator stands between fields; a comma when zero.
	Separator byte
	// Point stands before the places of a number; a point when zero.
	Point byte
}

// CSVFor is how spreadsheet programs of a locale expect a CSV.
func CSVFor(l *locale.Locale) CSVStyle {
	if l.Decimal == "," {
		return CSVStyle{BOM: true, Separator: ';', Point: ','}
	}
	return CSVStyle{BOM: true}
}

// WriteCSV writes the rows as RFC 4180 with CRLF and answers how many they
// are. Texts that a spreadsheet would take for a formula begin with an
// apostrophe.
func (c *Rows) WriteCSV(ctx context.Context, out io.Writer, style CSVStyle) (int64, error) {
	w := newCSVWriter(out, style, c.view.Zone)
	for i, column := range c.Columns {
		if i > 0 {
			w.WriteByte(w.Separator)
		}
		w.field(column.Name)
	}
	w.WriteString("\r\n")
	var total int64
	err := c.Each(ctx, func(part *warehouse.Result, rows int) error {
		for row := range rows {
			for i := range part.Columns {
				if i > 0 {
					w.WriteByte(w.Separator)
				}
				w.value(&part.Columns[i], row)
			}
			w.WriteString("\r\n")
		}
		total += int64(rows)
		return w.Flush()
	})
	return total, err
}

func (c *Rows) column(col *warehouse.ResultColumn) RowColumn {
	base, earlier := strings.CutSuffix(col.Name, previousSuffix)
	format := c.plan.input.Config.Format[base]
	name := format.Label
	if name == "" {
		name = c.plan.input.Names[base]
	}
	if name == "" {
		name = charts.Humanise(base)
	}
	if earlier {
		name += " (" + c.plan.input.Words.Previous + ")"
	}
	return RowColumn{Name: name, Type: col.Type, Format: format}
}

// Text is a value as programs read it: ISO 8601 in the page's zone, all digits.
func (c *Rows) Text(col *warehouse.ResultColumn, row int) string {
	return valueText(col, row, c.view.Zone)
}

func valueText(col *warehouse.ResultColumn, row int, zone *time.Location) string {
	if col.IsNull(row) {
		return ""
	}
	switch col.Type {
	case warehouse.Text:
		return col.Texts[row]
	case warehouse.Boolean:
		return strconv.FormatBool(col.Ints[row] != 0)
	case warehouse.Date:
		return time.Unix(col.Ints[row]*86400, 0).UTC().Format(time.DateOnly)
	case warehouse.Timestamp:
		return time.UnixMicro(col.Ints[row]).UTC().Format("2006-01-02 15:04:05.999999")
	case warehouse.TimestampTZ:
		return time.UnixMicro(col.Ints[row]).In(zone).Format("2006-01-02T15:04:05.999999Z07:00")
	}
	switch {
	case col.Exact != nil && col.Exact[row] != "":
		return col.Exact[row]
	case col.Ints != nil:
		return strconv.FormatInt(col.Ints[row], 10)
	}
	return strconv.FormatFloat(col.Floats[row], 'g', -1, 64)
}

// Zone is that of times in the rows.
func (c *Rows) Zone() *time.Location { return c.view.Zone }

// WriteCSVLine writes a line of one field.
func WriteCSVLine(out io.Writer, style CSVStyle, text string) error {
	w := newCSVWriter(out, style, nil)
	w.field(text)
	w.WriteString("\r\n")
	return w.Flush()
}

func newCSVWriter(out io.Writer, style CSVStyle, zone *time.Location) *csvWriter {
	w := &csvWriter{Writer: bufio.NewWriterSize(out, 64<<10), CSVStyle: style, zone: zone}
	if w.Separator == 0 {
		w.Separator = ','
	}
	if style.BOM {
		w.WriteString("\ufeff")
	}
	return w
}

type csvWriter struct {
	*bufio.Writer
	CSVStyle
	zone *time.Location
}

func (w *csvWriter) value(col *warehouse.ResultColumn, row int) {
	if col.IsNull(row) {
		return
	}
	text := valueText(col, row, w.zone)
	switch col.Type {
	case warehouse.Text:
		w.field(text)
	case warehouse.Decimal, warehouse.Float:
		if w.Point != 0 {
			text = strings.Replace(text, ".", string(w.Point), 1)
		}
		w.WriteString(text)
	default:
		w.WriteString(text)
	}
}

func (w *csvWriter) field(text string) {
	if text != "" && strings.IndexByte("=+-@\t\r", text[0]) >= 0 {
		text = "'" + text
	}
	if !strings.ContainsAny(text, "\"\r\n") && strings.IndexByte(text, w.Separator) < 0 && (text == "" || text[0] != ' ') {
		w.WriteString(text)
		return
	}
	w.WriteByte('"')
	w.WriteString(strings.ReplaceAll(text, `"`, `""`))
	w.WriteByte('"')
}

// FileName is a title as the name of a file on any system.
func FileName(title string) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, title)
	name = strings.Trim(name, " .-")
	if name == "" {
		return "widget"
	}
	return name
}

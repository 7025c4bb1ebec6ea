package dashboards

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// headCells is how many values of plain rows are asked for at first: what has
// more is streamed.
const headCells = 100_000

// Rows are all rows of a widget or of a dataset, exact and in one order. Those
// that are many are never in memory together.
type Rows struct {
	Title   string
	Columns []RowColumn
	// Dataset is the version that a dataset's rows are of, Sees what the person
	// sees of it (datasets.Dataset.Sees); zero for the rows of a widget.
	Version int64
	Sees    string

	svc     *Service
	actor   access.Actor
	request datasets.QueryRequest // for all of them
	zone    *time.Location
	other   string            // what a folded value reads
	head    *warehouse.Result // all rows where streamed is false
	known   int64             // how many they are, -1 where it has to be asked
	count   *warehouse.Spec   // for how many they are
	// streamed tells that head has only the first ones, or none.
	streamed bool
}

// RowColumn is one column of Rows.
type RowColumn struct {
	Name   string // for people
	Type   warehouse.Type
	Scale  int // places of a decimal
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
	copied.exact = true
	spec := copied.main
	limit := p.Widget.Query.Limit
	step := 0
	if plain := len(spec.Columns); plain > 0 {
		step = min(max(headCells/plain, 1), warehouse.MaxLimit)
		spec.Limit, spec.Offset = step, 0
		if limit > 0 {
			spec.Limit = min(step, limit)
		}
	} else if limit == 0 && !spec.Other {
		spec.Limit = warehouse.MaxLimit
	}
	head, err := s.ask(ctx, v, &copied, spec)
	if err != nil {
		return nil, err
	}
	many := step == 0 && limit == 0 && !spec.Other && head.More // groups than one answer has
	c := &Rows{Title: p.Widget.Title, svc: s, actor: v.actor, zone: v.Zone, head: head, known: int64(head.Rows),
		other: cmp.Or(v.words.Other, charts.English.Other)}
	if step > 0 {
		// From here on all of them.
		spec.Limit = limit
		if c.streamed = head.Rows == step && limit != step; c.streamed {
			c.known, c.count = -1, copied.count
		}
	}
	if many {
		spec.Limit, c.streamed, c.known = 0, true, -1
	}
	v.nameComparison(&copied.input.Words, head)
	if words := &copied.input.Words; words.UpTo != "" && !slices.ContainsFunc(head.Columns, func(c warehouse.ResultColumn) bool { return c.Dimension && isMoment(c.Type) }) {
		words.Previous += ", " + words.UpTo
	}
	c.request = datasets.QueryRequest{Spec: spec, Snapshot: v.Snapshot, Exact: true, Now: v.now}
	for i := range head.Columns {
		column := copied.rowColumn(&head.Columns[i])
		if c.folds(&head.Columns[i]) {
			column.Type = warehouse.Text
		}
		c.Columns = append(c.Columns, column)
	}
	return c, nil
}

// Withheld tells that there are no rows for a rule on groups of few rows.
func (c *Rows) Withheld() bool { return c.head != nil && c.head.Few && c.head.Rows == 0 && !c.streamed }

// folds tells whether a column has values that read "Other".
func (c *Rows) folds(col *warehouse.ResultColumn) bool {
	for row := range c.head.Rows {
		if charts.Folded(c.head, col, row) {
			return true
		}
	}
	return false
}

// named is the head with a name for what is folded. A column of numbers, days or
// flags that has such a value is one of texts then, so that it has one type.
func (c *Rows) named() *warehouse.Result {
	r := *c.head
	r.Columns = slices.Clone(r.Columns)
	for i := range r.Columns {
		from := &c.head.Columns[i]
		if !c.folds(from) {
			continue
		}
		to := warehouse.ResultColumn{Name: from.Name, Type: warehouse.Text, Dimension: true, Nulls: make([]bool, r.Rows), Texts: make([]string, r.Rows)}
		for row := range r.Rows {
			if to.Texts[row] = c.other; !charts.Folded(c.head, from, row) {
				to.Texts[row], to.Nulls[row] = valueText(from, row, c.zone), from.IsNull(row)
			}
		}
		r.Columns[i] = to
	}
	return &r
}

// OpenDataset are all rows of a dataset that the actor sees, in the order in
// which they are stored. Nothing of them is read yet but their number.
//
// Errors: those of datasets.Whole.
func (s *Service) OpenDataset(ctx context.Context, actor access.Actor, id ids.Dataset) (*Rows, error) {
	whole, err := s.datasets.Whole(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	c := &Rows{Title: whole.Name, Version: whole.Version, Sees: whole.Sees, svc: s, actor: actor, zone: actor.Location(), request: whole.Request,
		known: whole.Rows, streamed: true}
	for _, column := range whole.Columns {
		f := column.Format
		c.Columns = append(c.Columns, RowColumn{Name: column.Name, Type: column.Type, Scale: int(column.Scale),
			Format: charts.Format{Style: f.Style, Currency: f.Currency, Unit: f.Unit, Decimals: f.Decimals}})
	}
	return c, nil
}

// Count is how many rows there are, before they are read; -1 for more groups than
// one answer has.
func (c *Rows) Count(ctx context.Context) (int64, error) {
	if c.known >= 0 || c.count == nil {
		return c.known, nil
	}
	request := c.request
	request.Spec = *c.count
	counted, err := c.svc.datasets.Query(ctx, c.actor, request)
	if err != nil {
		return 0, err
	}
	c.known = counted.Columns[0].Ints[0]
	if limit := int64(c.request.Spec.Limit); limit > 0 {
		c.known = min(c.known, limit)
	}
	return c.known, nil
}

// Each hands on the rows in parts, which are valid until read returns and must
// not be changed.
func (c *Rows) Each(ctx context.Context, read func(part *warehouse.Result, rows int) error) error {
	if !c.streamed {
		return read(c.named(), c.head.Rows)
	}
	return c.svc.datasets.Stream(ctx, c.actor, c.request, func(part *warehouse.Result) error { return read(part, part.Rows) })
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
// apostrophe. Many rows are written by the warehouse, in the same form.
func (c *Rows) WriteCSV(ctx context.Context, out io.Writer, style CSVStyle) (int64, error) {
	if c.streamed {
		return c.export(ctx, out, warehouse.Export{Format: warehouse.ExportCSV, BOM: style.BOM, Separator: style.Separator, Point: style.Point})
	}
	w := newCSVWriter(out, style, c.zone)
	for i, column := range c.Columns {
		if i > 0 {
			w.WriteByte(w.Separator)
		}
		w.field(column.Name)
	}
	w.WriteString("\r\n")
	for row := range c.head.Rows {
		for i := range c.head.Columns {
			if i > 0 {
				w.WriteByte(w.Separator)
			}
			if col := &c.head.Columns[i]; charts.Folded(c.head, col, row) {
				w.field(c.other)
			} else {
				w.value(col, row)
			}
		}
		w.WriteString("\r\n")
	}
	return int64(c.head.Rows), w.Flush()
}

// WriteParquet writes the rows as a Parquet file, moments in UTC, and answers
// how many they are.
func (c *Rows) WriteParquet(ctx context.Context, out io.Writer) (int64, error) {
	return c.export(ctx, out, warehouse.Export{Format: warehouse.ExportParquet})
}

func (c *Rows) export(ctx context.Context, out io.Writer, x warehouse.Export) (int64, error) {
	for _, column := range c.Columns {
		x.Names = append(x.Names, column.Name)
	}
	return c.svc.datasets.Export(ctx, c.actor, c.request, x, out)
}

func (p *Plan) rowColumn(col *warehouse.ResultColumn) RowColumn {
	base := warehouse.MeasureOf(col.Name)
	format := p.input.Config.Format[base]
	name := format.Label
	if name == "" {
		name = p.input.Names[base]
	}
	if name == "" {
		name = charts.Humanise(base)
	}
	switch {
	case strings.HasSuffix(col.Name, warehouse.PreviousSuffix):
		name += " (" + p.input.Words.Previous + ")"
	case strings.HasSuffix(col.Name, warehouse.ToDateSuffix):
		name += " (" + p.input.Words.ToDate + ")"
	}
	return RowColumn{Name: name, Type: col.Type, Scale: int(col.Scale), Format: format}
}

// Text is a value as programs read it: ISO 8601 in the page's zone, all digits.
func (c *Rows) Text(col *warehouse.ResultColumn, row int) string {
	return valueText(col, row, c.zone)
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
	if f := col.Floats[row]; math.IsInf(f, 0) || math.IsNaN(f) {
		return "" // no number, as in answers
	}
	return floatText(col.Floats[row])
}

// floatText writes a number as people do, and only what is very large or very
// small with an exponent.
func floatText(f float64) string {
	form := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		form = 'g'
	}
	return strconv.FormatFloat(f, form, -1, 64)
}

// Zone is that of times in the rows.
func (c *Rows) Zone() *time.Location { return c.zone }

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

func (w *csvWriter) field(text string) { w.WriteString(warehouse.CSVField(text, w.Separator)) }

// longestName is how many bytes of a title become the name of a file: systems
// take 255 with what is added.
const longestName = 200

// FileName is a title as the name of a file on any system.
func FileName(title string) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, title)
	name = strings.Trim(name, " .-")
	if len(name) > longestName {
		cut := longestName
		for !utf8.RuneStart(name[cut]) {
			cut--
		}
		name = strings.TrimRight(name[:cut], " .-")
	}
	if name == "" {
		return "widget"
	}
	return name
}

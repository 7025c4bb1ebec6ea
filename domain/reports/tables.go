package reports

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/platform/workdir"
	"github.com/dataflowhq/dataflow/warehouse"
)

// tabulate writes the rows of the widgets. Nothing is written before all of
// them were asked for and fit, and nothing is ever left out.
func (s *Service) tabulate(ctx context.Context, v *dashboards.View, plans []*dashboards.Plan, spec Spec, out io.Writer, stated *Stated, tell progress) error {
	var list []*dashboards.Rows
	var names []string
	withheld := 0
	for _, p := range plans {
		if !p.Widget.Type.Asks() || !p.Widget.SetUp() {
			continue
		}
		rows, err := s.deps.Dashboards.OpenRows(ctx, v, p.ID)
		if err != nil {
			// A file that names its widget fails with it; one of many goes on
			// without, and counts it.
			if len(spec.Widgets) > 0 || ctx.Err() != nil {
				return err
			}
			public := apperr.Describe(err)
			if !dashboards.IsHidden(err) { // what is hidden is so for a reason, as on paper
				s.deps.Log.WarnContext(ctx, "widget failed in a report", "dashboard", v.Dashboard.ID, "widget", p.ID, "error", err)
				stated.FailedWidgets++
			}
			names = append(names, p.Widget.Title+": "+readable(public.Sentence))
			continue
		}
		list = append(list, rows)
		if rows.Withheld() && len(spec.Widgets) == 0 {
			withheld++
			names = append(names, p.Widget.Title+": "+withheldText)
		}
	}
	if len(list) == 0 {
		return ErrSpec.With("Nothing of this dashboard can be written as rows.")
	}
	stated.Widgets = len(list) + len(names) - withheld
	t := tables{list: list, missing: names, title: v.Dashboard.Name, about: v.Snapshot.String(), locale: v.Locale(), tell: tell, stage: s.deps.Blobs.Stage}
	var err error
	stated.Rows, err = t.write(ctx, spec, out)
	return err
}

const withheldText = "A data rule withholds groups of few rows, and there are no others."

// readable is a sentence without the place in a query that it is about.
func readable(sentence string) string {
	part, rest, whole := dashboards.CutPlace(sentence)
	if part == "" || !whole {
		return sentence
	}
	first, size := utf8.DecodeRuneInString(rest)
	return string(unicode.ToUpper(first)) + rest[size:]
}

// tables are what a file of rows is made of.
type tables struct {
	list         []*dashboards.Rows
	missing      []string // what is said of those that are not there, or empty for a reason
	title, about string   // of a workbook
	locale       *locale.Locale
	tell         progress
	stage        func() (*workdir.Dir, error) // makes room for files that wait
}

// write makes the file and says how many rows it has. A limit of the format is
// an error before anything is written.
func (t *tables) write(ctx context.Context, spec Spec, out io.Writer) (int64, error) {
	if err := t.fits(ctx, spec.Format); err != nil {
		return 0, err
	}
	switch spec.Format {
	case CSV:
		style := dashboards.CSVFor(t.locale)
		if spec.Plain {
			style = dashboards.CSVStyle{}
		}
		return writeCSV(ctx, t.list, t.missing, out, style, t.tell)
	case NDJSON:
		return writeNDJSON(ctx, t.list, out, t.tell)
	case Parquet:
		t.tell("writing", 0, len(t.list))
		return t.list[0].WriteParquet(ctx, out)
	}
	return t.writeXLSX(ctx, out)
}

// fits refuses what the format can't hold.
func (t *tables) fits(ctx context.Context, format Format) error {
	if format != XLSX {
		return nil
	}
	for _, rows := range t.list {
		n, err := rows.Count(ctx)
		if err != nil {
			return err
		}
		if n < 0 {
			return ErrTooLarge.With("“%s” has more than %s groups. Choose CSV, or filter.", rows.Title, t.locale.Integer(warehouse.MaxLimit))
		}
		if n > sheetRows-1 {
			return ErrTooLarge.With("“%s” has %s rows, more than the %s of an Excel sheet. Choose CSV, or filter.", rows.Title, t.locale.Integer(n), t.locale.Integer(sheetRows-1))
		}
		if len(rows.Columns) > sheetColumns {
			return ErrTooLarge.With("“%s” has %s columns, more than the %s of an Excel sheet. Choose CSV.", rows.Title, t.locale.Integer(int64(len(rows.Columns))), t.locale.Integer(sheetColumns))
		}
	}
	return nil
}

// each hands on the rows of a table and tells how far it is.
func each(ctx context.Context, rows *dashboards.Rows, tell progress, read func(part *warehouse.Result, n int) error) error {
	all, err := rows.Count(ctx)
	if err != nil {
		return err
	}
	done := 0
	return rows.Each(ctx, func(part *warehouse.Result, n int) error {
		if err := read(part, n); err != nil {
			return err
		}
		done += n
		tell("rows", done, int(all))
		return nil
	})
}

// writeCSV writes one table; of several each below its title, with an empty
// line between them.
func writeCSV(ctx context.Context, list []*dashboards.Rows, missing []string, out io.Writer, style dashboards.CSVStyle, tell progress) (int64, error) {
	if len(list) == 1 && len(missing) == 0 {
		return list[0].WriteCSV(ctx, out, style)
	}
	var total int64
	for i, rows := range list {
		tell("writing", i, len(list))
		if err := dashboards.WriteCSVLine(out, style, rows.Title); err != nil {
			return total, err
		}
		style.BOM = false // once, at the start
		n, err := rows.WriteCSV(ctx, out, style)
		if err != nil {
			return total, err
		}
		total += n
		if i < len(list)-1 || len(missing) > 0 {
			if _, err := io.WriteString(out, "\r\n"); err != nil {
				return total, err
			}
		}
	}
	for _, text := range missing {
		if err := dashboards.WriteCSVLine(out, style, text); err != nil {
			return total, err
		}
	}
	return total, nil
}

// writeNDJSON writes one object a row; of several widgets each names its own.
func writeNDJSON(ctx context.Context, list []*dashboards.Rows, out io.Writer, tell progress) (int64, error) {
	w := bufio.NewWriterSize(out, 64<<10)
	var total int64
	for i, rows := range list {
		tell("writing", i, len(list))
		var keys [][]byte
		for _, c := range rows.Columns {
			keys = append(keys, append(quote(c.Name), ':'))
		}
		var widget []byte
		if len(list) > 1 {
			widget = append([]byte(`"widget":`), quote(rows.Title)...)
		}
		err := each(ctx, rows, tell, func(part *warehouse.Result, n int) error {
			for row := range n {
				w.WriteByte('{')
				w.Write(widget)
				for c := range part.Columns {
					if c > 0 || len(widget) > 0 {
						w.WriteByte(',')
					}
					w.Write(keys[c])
					w.Write(jsonValue(rows, &part.Columns[c], row))
				}
				w.WriteString("}\n")
			}
			total += int64(n)
			return w.Flush()
		})
		if err != nil {
			return total, err
		}
	}
	return total, w.Flush()
}

func jsonValue(rows *dashboards.Rows, c *warehouse.ResultColumn, row int) []byte {
	if c.IsNull(row) {
		return []byte("null")
	}
	text := rows.Text(c, row)
	switch c.Type {
	case warehouse.Integer, warehouse.Decimal, warehouse.Boolean:
		return []byte(text)
	case warehouse.Float:
		if f := c.Floats[row]; math.IsNaN(f) || math.IsInf(f, 0) {
			return []byte("null") // JSON has no such numbers
		}
		return []byte(text)
	}
	return quote(text)
}

func quote(text string) []byte {
	raw, _ := json.Marshal(text) // a text always encodes
	return raw
}

// Limits of spreadsheets.
const (
	sheetRows    = 1_048_576 // the head included
	sheetColumns = 16_384
	sheetName    = 31 // UTF-16 units
	cellText     = 32_767
	exactDigits  = 15
)

// writeXLSX writes one sheet a widget: typed cells in the formats of the
// dashboard, a head that stays, columns as wide as what stands in them. Sheets
// wait in files beside the storage, and the workbook goes out as it is packed.
func (t *tables) writeXLSX(ctx context.Context, out io.Writer) (total int64, err error) {
	scratch, err := t.stage()
	if err != nil {
		return 0, err
	}
	defer func() { _ = scratch.Remove() }() // or by the next process
	book := excelize.NewFile(excelize.Options{TmpDir: scratch.Path()})
	defer func() { _ = book.Close() }() // what waits in scratch
	book.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zip.NewWriter(out) })
	if err := book.SetDocProps(&excelize.DocProperties{Title: t.title, Creator: "", Description: t.about}); err != nil {
		return 0, fmt.Errorf("describe workbook: %w", err)
	}
	head, err := book.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Border: []excelize.Border{{Type: "bottom", Style: 1, Color: "C6CDD6"}}})
	if err != nil {
		return 0, fmt.Errorf("make style: %w", err)
	}
	names := sheetNames{}
	for i, rows := range t.list {
		t.tell("writing", i, len(t.list))
		name := names.next(rows.Title)
		if i == 0 {
			err = book.SetSheetName("Sheet1", name)
		} else {
			_, err = book.NewSheet(name)
		}
		if err != nil {
			return total, fmt.Errorf("add sheet: %w", err)
		}
		n, err := writeSheet(ctx, book, name, rows, head, t.tell)
		if err != nil {
			return total, err
		}
		total += n
	}
	if len(t.missing) > 0 {
		name := names.next("Not shown")
		if _, err := book.NewSheet(name); err != nil {
			return total, fmt.Errorf("add sheet: %w", err)
		}
		for i, text := range t.missing {
			if err := book.SetCellStr(name, "A"+strconv.Itoa(i+1), text); err != nil {
				return total, fmt.Errorf("write cell: %w", err)
			}
		}
	}
	if err := book.Write(io.Discard); err != nil { // it goes to out
		return total, fmt.Errorf("write workbook: %w", err)
	}
	return total, nil
}

func writeSheet(ctx context.Context, book *excelize.File, name string, rows *dashboards.Rows, head int, tell progress) (total int64, err error) {
	sheet, err := book.NewStreamWriter(name)
	if err != nil {
		return 0, fmt.Errorf("add sheet: %w", err)
	}
	styles := make([]int, len(rows.Columns))
	heads := make([]any, len(rows.Columns))
	for i, c := range rows.Columns {
		heads[i] = excelize.Cell{StyleID: head, Value: c.Name}
		if styles[i], err = book.NewStyle(&excelize.Style{CustomNumFmt: numberFormat(c)}); err != nil {
			return 0, fmt.Errorf("make style: %w", err)
		}
		width := float64(min(max(utf8.RuneCountInString(c.Name)+3, 12), 60))
		if c.Type == warehouse.Text {
			width = max(width, 24)
		}
		if err := sheet.SetColWidth(i+1, i+1, width); err != nil {
			return 0, fmt.Errorf("set width: %w", err)
		}
	}
	if err := sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return 0, fmt.Errorf("freeze head: %w", err)
	}
	if err := sheet.SetRow("A1", heads); err != nil {
		return 0, fmt.Errorf("write head: %w", err)
	}
	cells := make([]any, len(rows.Columns))
	err = each(ctx, rows, tell, func(part *warehouse.Result, n int) error {
		if total+int64(n) > sheetRows-1 {
			return ErrTooLarge
		}
		for row := range n {
			for i := range part.Columns {
				value, err := cellOf(rows, &part.Columns[i], row)
				if err != nil {
					return err
				}
				cells[i] = nil
				if value != nil {
					cells[i] = excelize.Cell{StyleID: styles[i], Value: value}
				}
			}
			total++
			if err := sheet.SetRow("A"+strconv.FormatInt(total+1, 10), cells); err != nil {
				return fmt.Errorf("write row: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return total, err
	}
	if err := sheet.Flush(); err != nil {
		return total, fmt.Errorf("write sheet: %w", err)
	}
	return total, nil
}

// firstDay is the first that spreadsheets count right; earlier ones are texts.
var firstDay = time.Date(1900, 3, 1, 0, 0, 0, 0, time.UTC)

// cellOf is a value as a spreadsheet can hold it without a loss: what it can't
// is a text.
func cellOf(rows *dashboards.Rows, c *warehouse.ResultColumn, row int) (any, error) {
	if c.IsNull(row) {
		return nil, nil
	}
	text := rows.Text(c, row)
	switch c.Type {
	case warehouse.Text:
		if len(utf16.Encode([]rune(text))) > cellText {
			return nil, ErrTooLarge.With("A text is longer than the %d characters that an Excel cell holds. Choose CSV.", cellText)
		}
		return text, nil
	case warehouse.Boolean:
		return c.Ints[row] != 0, nil
	case warehouse.Date:
		if at := time.Unix(c.Ints[row]*86400, 0).UTC(); !at.Before(firstDay) && at.Year() < 10000 {
			return at, nil
		}
		return text, nil
	case warehouse.Timestamp:
		if at := time.UnixMicro(c.Ints[row]).UTC(); !at.Before(firstDay) && at.Year() < 10000 {
			return at, nil
		}
		return text, nil
	case warehouse.TimestampTZ:
		// Spreadsheets know no zones: the wall clock of the page's.
		at := time.UnixMicro(c.Ints[row]).In(rows.Zone())
		y, m, d := at.Date()
		wall := time.Date(y, m, d, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
		if !wall.Before(firstDay) && wall.Year() < 10000 {
			return wall, nil
		}
		return text, nil
	}
	if digits := strings.Trim(strings.Map(keepDigits, text), "0"); c.Type != warehouse.Float && len(digits) > exactDigits {
		return text, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return text, nil
	}
	return f, nil
}

func keepDigits(r rune) rune {
	if '0' <= r && r <= '9' {
		return r
	}
	return -1
}

// numberFormat is how cells of a column are written, in Excel's terms; nil for
// texts.
func numberFormat(c dashboards.RowColumn) *string {
	f := ""
	decimals := func(usual int) string {
		n := usual
		if c.Format.Decimals != nil {
			n = *c.Format.Decimals
		}
		if n <= 0 {
			return ""
		}
		return "." + strings.Repeat("0", min(n, 10))
	}
	switch {
	case c.Type == warehouse.Date:
		f = "yyyy-mm-dd"
	case c.Type == warehouse.Timestamp || c.Type == warehouse.TimestampTZ:
		f = "yyyy-mm-dd hh:mm:ss"
	case c.Type == warehouse.Text || c.Type == warehouse.Boolean:
		return nil
	case c.Format.Style == "percent":
		f = "0" + decimals(1) + "%"
	case c.Format.Style == "currency" && c.Format.Currency != "":
		f = `[$` + charts.CurrencySign(c.Format.Currency) + `]#,##0` + decimals(2)
	default:
		// Unless somebody chose the places none of them is hidden: a decimal has
		// its own, and those of floating point differ from cell to cell.
		f = "#,##0" + decimals(c.Scale)
		if c.Type == warehouse.Float && c.Format.Decimals == nil {
			f = "General"
		}
		if c.Format.Unit != "" {
			f += `" ` + strings.ReplaceAll(c.Format.Unit, `"`, "") + `"`
		}
	}
	return &f
}

// sheetNames makes titles into names of sheets: short, whole and different.
type sheetNames map[string]bool

func (s sheetNames) next(title string) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`[]:*?/\`, r) {
			return ' '
		}
		return r
	}, title)
	name = strings.Trim(strings.Join(strings.Fields(name), " "), "' ")
	if name == "" || strings.EqualFold(name, "history") { // Excel keeps that one
		name = "Widget"
	}
	short := clip(name, sheetName)
	for n := 2; s[strings.ToLower(short)]; n++ {
		tail := " " + strconv.Itoa(n)
		short = clip(name, sheetName-len(tail)) + tail
	}
	s[strings.ToLower(short)] = true
	return short
}

// clip keeps whole characters within a number of UTF-16 units.
func clip(text string, units int) string {
	n := 0
	for i, r := range text {
		if n += utf16.RuneLen(r); n > units {
			return strings.TrimRight(text[:i], " '")
		}
	}
	return text
}

package files

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/platform/records"
)

// xlsxSource reads one sheet of a workbook, row by row.
type xlsxSource struct {
	archive *zip.ReadCloser
	size    int64
	read    atomic.Int64
	limits  records.Limits
	book    workbook
	strings *stringTable
	format  records.Format
	fields  []records.Field
	long    bool // drop what is beyond the last column
	totals  totals

	mu      sync.Mutex
	sheet   *sheetReader
	pending []sheetRow // read ahead, not yet handed out
	ended   error
	seq     int64
	count   int64
}

type workbook struct {
	sheets   []sheetInfo
	date1904 bool
	formats  []cellFormat // by style
}

type sheetInfo struct {
	name   string
	part   string // path within the archive
	hidden bool
}

// sheetRow is one row with a value; cells beyond the last one are left out.
type sheetRow struct {
	number int64
	cells  []string
	reason string // why it cannot be loaded, "" otherwise
}

func openXLSX(ctx context.Context, file string, options records.Options, limits records.Limits) (_ records.Source, err error) {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return nil, ErrBadXLSX.Wrap(err)
	}
	x := &xlsxSource{archive: archive, limits: limits, long: options.LongRows == "cut"}
	defer func() {
		if err != nil {
			x.Close()
		}
	}()
	for _, f := range archive.File {
		x.size += int64(f.CompressedSize64)
	}
	if err := x.readBook(); err != nil {
		return nil, err
	}
	x.format = records.Format{Kind: "xlsx"}
	for _, s := range x.book.sheets {
		x.format.Sheets = append(x.format.Sheets, s.name)
	}
	if x.strings, err = x.readStrings(ctx); err != nil {
		return nil, err
	}
	return x, x.chooseSheet(options)
}

// part opens a part of the workbook under the limits; nil where it is missing.
func (x *xlsxSource) part(name string) (io.ReadCloser, error) {
	for _, f := range x.archive.File {
		if !strings.EqualFold(strings.TrimPrefix(f.Name, "/"), name) {
			continue
		}
		body, err := f.Open()
		if err != nil {
			return nil, ErrBadXLSX.Wrap(err)
		}
		return &partReader{source: x, from: body, packed: int64(f.CompressedSize64)}, nil
	}
	return nil, nil
}

// partReader unpacks a part within the limits and counts it for progress.
type partReader struct {
	source   *xlsxSource
	from     io.ReadCloser
	packed   int64
	expanded int64
}

func (p *partReader) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	p.expanded += int64(n)
	if limit := checkExpansion(p.packed, p.expanded, p.source.limits); limit != nil {
		return 0, limit
	}
	p.source.read.Add(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		err = ErrBadXLSX.Wrap(err)
	}
	return n, err
}

func (p *partReader) Close() error { return p.from.Close() }

// walk calls tag for every tag of a part; a missing part has none.
func (x *xlsxSource) walk(name string, tag func(*xmlScanner) error) error {
	body, err := x.part(name)
	if err != nil || body == nil {
		return err
	}
	defer body.Close()
	scan := newXMLScanner(body, int(x.limits.MaxRecordBytes))
	for {
		switch err := scan.next(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return workbookError(err)
		}
		if err := tag(scan); err != nil {
			return err
		}
	}
}

func workbookError(err error) error {
	if errors.Is(err, errBadXML) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrBadXLSX.Wrap(err)
	}
	return err
}

// readBook reads the list of sheets and the formats of cells.
func (x *xlsxSource) readBook() error {
	targets := map[string]string{}
	err := x.walk("xl/_rels/workbook.xml.rels", func(s *xmlScanner) error {
		if s.open && string(s.name) == "Relationship" {
			target := s.attrText("Target")
			if strings.HasPrefix(target, "/") {
				target = strings.TrimPrefix(target, "/")
			} else {
				target = path.Join("xl", target)
			}
			targets[s.attrText("Id")] = target
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = x.walk("xl/workbook.xml", func(s *xmlScanner) error {
		switch {
		case !s.open:
		case string(s.name) == "workbookPr":
			v := string(s.attr("date1904"))
			x.book.date1904 = v == "1" || v == "true"
		case string(s.name) == "sheet":
			if part := targets[s.attrText("id")]; strings.Contains(part, "worksheets/") {
				x.book.sheets = append(x.book.sheets, sheetInfo{name: s.attrText("name"), part: part, hidden: len(s.attr("state")) > 0 && string(s.attr("state")) != "visible"})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(x.book.sheets) == 0 {
		return ErrBadXLSX.With("The workbook has no sheet of cells.")
	}
	return x.readStyles()
}

// readStyles finds out which styles show dates.
func (x *xlsxSource) readStyles() error {
	custom := map[int]string{}
	inCells := false
	return x.walk("xl/styles.xml", func(s *xmlScanner) error {
		switch string(s.name) {
		case "numFmt":
			if id, err := strconv.Atoi(string(s.attr("numFmtId"))); err == nil && s.open {
				custom[id] = s.attrText("formatCode")
			}
		case "cellXfs":
			inCells = s.open && !s.close
		case "xf":
			if s.open && inCells {
				id, err := strconv.Atoi(string(s.attr("numFmtId")))
				if err != nil {
					id = 0
				}
				x.book.formats = append(x.book.formats, formatOf(id, custom[id]))
			}
		}
		return nil
	})
}

// readStrings reads the table of texts that cells point into.
func (x *xlsxSource) readStrings(ctx context.Context) (*stringTable, error) {
	table := &stringTable{dir: x.limits.TempDir}
	var text []byte
	phonetic := false
	err := x.walk("xl/sharedStrings.xml", func(s *xmlScanner) error {
		switch string(s.name) {
		case "si":
			if s.open {
				text = text[:0]
			}
			if s.close {
				if err := ctx.Err(); err != nil {
					return err
				}
				return table.add(text)
			}
		case "rPh": // how a text is pronounced
			phonetic = s.open && !s.close
		case "t":
			if s.close && !s.open && !phonetic {
				text = appendExcelText(text, s.text)
			}
		}
		return nil
	})
	if err != nil {
		table.close()
		return nil, err
	}
	return table, nil
}

// appendExcelText undoes Excel's _x000D_ escapes.
func appendExcelText(dst, text []byte) []byte {
	for {
		i := bytes.Index(text, []byte("_x"))
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		if len(text) >= i+7 && text[i+6] == '_' {
			if r, err := strconv.ParseUint(string(text[i+2:i+6]), 16, 32); err == nil && r != 0 && utf8.ValidRune(rune(r)) {
				dst = utf8.AppendRune(dst, rune(r))
				text = text[i+7:]
				continue
			}
		}
		dst = append(dst, "_x"...)
		text = text[i+2:]
	}
}

// chooseSheet opens the sheet that options name, else the first visible one
// with rows.
func (x *xlsxSource) chooseSheet(options records.Options) error {
	if options.Sheet != "" {
		for _, s := range x.book.sheets {
			if s.name == options.Sheet {
				return x.openSheet(s, options)
			}
		}
		return ErrUnknownSheet.With("The workbook has no sheet %q. It has: %s.", options.Sheet, strings.Join(x.format.Sheets, ", "))
	}
	var err error
	for _, hidden := range []bool{false, true} {
		for _, s := range x.book.sheets {
			if s.hidden != hidden {
				continue
			}
			if err = x.openSheet(s, options); err == nil || !errors.Is(err, ErrEmpty) {
				return err
			}
		}
	}
	return err
}

const (
	sheetHead = 200 // rows that are looked at for the header
	sheetTail = 50  // rows at the end where totals are looked for
)

func (x *xlsxSource) openSheet(s sheetInfo, options records.Options) error {
	body, err := x.part(s.part)
	if err != nil {
		return err
	}
	if body == nil {
		return ErrBadXLSX.With("The sheet %q is missing from the workbook.", s.name)
	}
	if x.sheet != nil {
		x.sheet.body.Close()
	}
	x.sheet = &sheetReader{source: x, body: body, scan: newXMLScanner(body, int(x.limits.MaxRecordBytes))}
	x.format.Sheet = s.name
	x.pending, x.ended = nil, nil
	width := 0
	for len(x.pending) < sheetHead {
		row, err := x.sheet.next()
		if errors.Is(err, io.EOF) {
			x.ended = io.EOF
			break
		}
		if err != nil {
			return err
		}
		width = max(width, len(row.cells))
		x.pending = append(x.pending, row)
	}
	if len(x.pending) == 0 {
		return ErrEmpty.With("The sheet %q is empty.", s.name)
	}
	if width > x.limits.MaxColumns {
		return ErrTooManyColumns.With("The sheet has %d columns; %d is the most.", width, x.limits.MaxColumns)
	}
	x.setHeader(options, width)
	if x.ended != nil {
		x.refuseTotals()
	}
	return nil
}

// setHeader finds the header: the first row that is about as full as any other
// of the head, if it looks like names.
func (x *xlsxSource) setHeader(options records.Options, width int) {
	rows := make([]record, len(x.pending))
	fullest := 0
	for i, r := range x.pending {
		rows[i].cells = append(append([]string{}, r.cells...), make([]string, width-len(r.cells))...)
		fullest = max(fullest, filled(r.cells))
	}
	first := 0
	for first < len(rows)-1 && filled(rows[first].cells)*2 < fullest {
		first++
	}
	if options.Header != nil {
		x.format.Header = *options.Header
	} else {
		x.format.Header = looksLikeHeader(rows[first].cells, rows[first+1:])
	}
	if !x.format.Header {
		x.fields = nameFields(nil, width)
		x.totals = totalsOf(rows, width, width, options)
		return
	}
	x.format.HeaderLine = x.pending[first].number
	if options.Header == nil {
		x.format.HeaderDoubt = doubtful(rows[first].cells)
	}
	x.fields = nameFields(rows[first].cells, width)
	x.totals = totalsOf(rows[first+1:], width, width, options)
	// What stands above the header is handed out to be rejected.
	above := x.pending[:first]
	for i := range above {
		above[i].reason = records.BeforeHeader
	}
	x.pending = append(append([]sheetRow{}, above...), x.pending[first+1:]...)
}

func (x *xlsxSource) Format() records.Format   { return x.format }
func (x *xlsxSource) Fields() []records.Field  { return x.fields }
func (x *xlsxSource) Progress() (int64, int64) { return min(x.read.Load(), x.size), x.size }

func (x *xlsxSource) Close() error {
	if x.sheet != nil {
		x.sheet.body.Close()
	}
	if x.strings != nil {
		x.strings.close()
	}
	return x.archive.Close()
}

const xlsxBatch = 256 << 10

// Next answers the next rows; see records.Source.
func (x *xlsxSource) Next(ctx context.Context) (*records.Batch, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := &records.Batch{Seq: x.seq, FirstRecord: x.count + 1, Fields: len(x.fields)}
	for len(b.Data) < xlsxBatch && b.Records < 8192 {
		row, err := x.row()
		if err != nil {
			if b.Records == 0 {
				return nil, err
			}
			break
		}
		x.add(b, row)
	}
	b.Invalid = !utf8.Valid(b.Data) || bytes.IndexByte(b.Data, 0) >= 0
	x.seq++
	x.count += int64(b.Records)
	return b, nil
}

// row answers the next row. It reads ahead: only the end of the sheet tells
// what is a total.
func (x *xlsxSource) row() (sheetRow, error) {
	for x.ended == nil && len(x.pending) <= sheetTail {
		row, err := x.sheet.next()
		if err != nil {
			x.ended = err
			x.refuseTotals()
			break
		}
		x.pending = append(x.pending, row)
	}
	if len(x.pending) == 0 {
		return sheetRow{}, x.ended
	}
	row := x.pending[0]
	x.pending = x.pending[1:]
	return row, nil
}

// refuseTotals makes the totals among the last rows of the sheet ones that
// cannot be loaded.
func (x *xlsxSource) refuseTotals() {
	tail := x.pending[max(0, len(x.pending)-sheetTail):]
	for _, i := range x.totals.last(len(tail), func(i int) []string {
		if x.refusal(tail[i]) != "" {
			return nil
		}
		return tail[i].cells[:min(len(tail[i].cells), len(x.fields))]
	}) {
		tail[i].reason = records.LooksLikeTotal
	}
}

// refusal is why a row cannot be loaded, "" where it can.
func (x *xlsxSource) refusal(row sheetRow) string {
	if row.reason == "" && len(row.cells) > len(x.fields) && !x.long {
		return records.TooManyFields
	}
	return row.reason
}

func (x *xlsxSource) add(b *records.Batch, row sheetRow) {
	reason := x.refusal(row)
	for f := range x.fields {
		start := len(b.Data)
		if f < len(row.cells) && reason == "" {
			b.Data = append(b.Data, row.cells[f]...)
		}
		b.Spans = append(b.Spans, records.Plain(start, len(b.Data)))
	}
	// There is no text of the row itself; its cells stand for it.
	start := len(b.Data)
	if reason != "" {
		b.Data = append(b.Data, strings.Join(row.cells, ",")...)
		b.Problems = append(b.Problems, records.Problem{Index: b.Records, Field: -1, Reason: reason, Value: excerpt(b.Data[start:])})
	}
	b.Lines = append(b.Lines, row.number)
	b.Records++
}

package files

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// stringTable holds the texts of a workbook: in memory while they are few, in
// a temporary file beyond.
type stringTable struct {
	dir     string
	offsets []int64 // where each text ends
	memory  []byte
	file    *os.File
	out     *bufio.Writer
	scratch []byte
}

const stringMemory = 32 << 20

func (t *stringTable) add(text []byte) error {
	end := int64(len(text))
	if n := len(t.offsets); n > 0 {
		end += t.offsets[n-1]
	}
	t.offsets = append(t.offsets, end)
	if t.file != nil {
		_, err := t.out.Write(text)
		return err
	}
	t.memory = append(t.memory, text...)
	if len(t.memory) < stringMemory {
		return nil
	}
	file, err := os.CreateTemp(t.dir, "strings-")
	if err != nil {
		return fmt.Errorf("spool texts: %w", err)
	}
	os.Remove(file.Name())
	t.file, t.out = file, bufio.NewWriterSize(file, 256<<10)
	_, err = t.out.Write(t.memory)
	t.memory = nil
	return err
}

// text answers a text by its index, "" for one that does not exist.
func (t *stringTable) text(i int) (string, error) {
	if i < 0 || i >= len(t.offsets) {
		return "", ErrBadXLSX.With("A cell of the workbook points to a text that is missing.")
	}
	from := int64(0)
	if i > 0 {
		from = t.offsets[i-1]
	}
	to := t.offsets[i]
	if t.file == nil {
		return string(t.memory[from:to]), nil
	}
	if t.out != nil {
		if err := t.out.Flush(); err != nil {
			return "", fmt.Errorf("spool texts: %w", err)
		}
		t.out = nil
	}
	if int64(cap(t.scratch)) < to-from {
		t.scratch = make([]byte, to-from)
	}
	buffer := t.scratch[:to-from]
	if _, err := t.file.ReadAt(buffer, from); err != nil {
		return "", fmt.Errorf("read spooled texts: %w", err)
	}
	return string(buffer), nil
}

func (t *stringTable) close() {
	if t.file != nil {
		t.file.Close()
	}
}

// sheetReader reads the rows of a sheet that have a value.
type sheetReader struct {
	source *xlsxSource
	body   io.Closer
	scan   *xmlScanner
	last   int64 // number of the row before
}

// mostSheetRows is the limit of the format, and of the programs that write it.
const mostSheetRows = 1 << 20

// next answers the next row; io.EOF after the last.
func (r *sheetReader) next() (sheetRow, error) {
	for {
		if err := r.scan.next(); err != nil {
			return sheetRow{}, workbookError(err)
		}
		if !r.scan.open || string(r.scan.name) != "row" {
			continue
		}
		row := sheetRow{number: r.last + 1}
		if n, err := strconv.ParseInt(string(r.scan.attr("r")), 10, 64); err == nil && n > r.last {
			row.number = n
		}
		if r.last = row.number; r.last > mostSheetRows {
			return sheetRow{}, ErrTooLargeExpanded.With("The sheet has more rows than a workbook can have, which is 1,048,576. It was not read.")
		}
		if r.scan.close {
			continue
		}
		if err := r.cells(&row); err != nil {
			return row, err
		}
		if len(row.cells) > 0 {
			return row, nil
		}
	}
}

// cells reads the cells of a row.
func (r *sheetReader) cells(row *sheetRow) error {
	column := -1
	for {
		if err := r.scan.next(); err != nil {
			if errors.Is(err, io.EOF) {
				err = errBadXML
			}
			return workbookError(err)
		}
		switch {
		case r.scan.close && !r.scan.open && string(r.scan.name) == "row":
			return nil
		case !r.scan.open || string(r.scan.name) != "c":
			continue
		}
		column++
		if at := columnOf(r.scan.attr("r")); at >= 0 {
			column = at
		}
		if column >= maxSheetColumns {
			return ErrBadXLSX.With("A cell of the workbook lies beyond the last column.")
		}
		kind := string(r.scan.attr("t"))
		style, err := strconv.Atoi(string(r.scan.attr("s")))
		if err != nil {
			style = 0
		}
		if r.scan.close {
			continue
		}
		value, err := r.value(kind, style)
		if err != nil {
			return err
		}
		if value == "" {
			continue
		}
		for len(row.cells) <= column {
			row.cells = append(row.cells, "")
		}
		row.cells[column] = value
	}
}

const maxSheetColumns = 16384

// columnOf answers the column of a reference such as "BC12", from 0; -1 for none.
func columnOf(ref []byte) int {
	column := 0
	for _, c := range ref {
		if c < 'A' || c > 'Z' {
			break
		}
		if column = column*26 + int(c-'A') + 1; column > maxSheetColumns {
			break
		}
	}
	return column - 1
}

// value reads up to the end of a cell.
func (r *sheetReader) value(kind string, style int) (string, error) {
	var value, inline []byte
	for {
		if err := r.scan.next(); err != nil {
			if errors.Is(err, io.EOF) {
				err = errBadXML
			}
			return "", workbookError(err)
		}
		if !r.scan.close || r.scan.open {
			continue
		}
		switch string(r.scan.name) {
		case "v":
			value = append(value, r.scan.text...)
		case "t":
			inline = appendExcelText(inline, r.scan.text)
		case "c":
			return r.text(kind, style, value, inline)
		}
	}
}

// text makes a cell's value into text.
func (r *sheetReader) text(kind string, style int, value, inline []byte) (string, error) {
	v := strings.TrimSpace(string(value))
	switch kind {
	case "s":
		i, err := strconv.Atoi(v)
		if err != nil {
			return "", nil
		}
		return r.source.strings.text(i)
	case "inlineStr":
		return string(inline), nil
	case "str":
		return string(appendExcelText(nil, value)), nil
	case "b":
		if v == "1" {
			return "true", nil
		}
		return "false", nil
	case "e", "d":
		return v, nil
	}
	if v == "" {
		return string(inline), nil
	}
	format := cellFormat{}
	if style >= 0 && style < len(r.source.book.formats) {
		format = r.source.book.formats[style]
	}
	return numberText(v, format, r.source.book.date1904), nil
}

// cellFormat is what a number format says of the meaning of a number.
type cellFormat struct {
	date, time bool
	zeros      int // of a format such as "00000": at least so many digits
}

// formatOf understands a number format by its number or its code.
func formatOf(id int, code string) cellFormat {
	switch {
	case id >= 14 && id <= 17, id >= 27 && id <= 31, id >= 34 && id <= 36, id >= 50 && id <= 54, id >= 57 && id <= 58:
		return cellFormat{date: true}
	case id >= 18 && id <= 21, id == 32 || id == 33, id >= 45 && id <= 47, id == 55 || id == 56:
		return cellFormat{time: true}
	case id == 22:
		return cellFormat{date: true, time: true}
	case code == "":
		return cellFormat{}
	}
	if strings.Trim(code, "0") == "" && len(code) > 1 {
		return cellFormat{zeros: len(code)}
	}
	return formatOfCode(code)
}

// formatOfCode looks for the letters of dates outside of quoted texts and
// brackets. An m beside hours or seconds means minutes.
func formatOfCode(code string) cellFormat {
	code, _, _ = strings.Cut(code, ";")
	var letters []byte
	for i := 0; i < len(code); i++ {
		switch c := code[i]; c {
		case '"':
			if end := strings.IndexByte(code[i+1:], '"'); end >= 0 {
				i += end + 1
			}
		case '\\', '_', '*':
			i++
		case '[':
			end := strings.IndexByte(code[i:], ']')
			if end < 0 {
				return cellFormat{}
			}
			if inner := strings.ToLower(code[i+1 : i+end]); inner != "" && strings.Trim(inner, "hms") == "" {
				letters = append(letters, inner[0])
			}
			i += end
		case '0', '#', '?':
			if len(letters) == 0 {
				return cellFormat{} // a number with a unit behind it
			}
		default:
			if c |= 0x20; strings.IndexByte("ymdhs", c) >= 0 && (len(letters) == 0 || letters[len(letters)-1] != c) {
				letters = append(letters, c)
			}
		}
	}
	var f cellFormat
	for i, c := range letters {
		switch c {
		case 'y', 'd':
			f.date = true
		case 'h', 's':
			f.time = true
		case 'm':
			before := i > 0 && letters[i-1] == 'h'
			after := i+1 < len(letters) && letters[i+1] == 's'
			if !before && !after {
				f.date = true
			}
		}
	}
	return f
}

// numberText writes a number as its format means it.
func numberText(v string, f cellFormat, date1904 bool) string {
	number, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return v
	}
	switch {
	case f.date && number >= 0 && number < 2958466: // up to the year 9999
		return dateText(number, f.time, date1904)
	case f.time && !f.date && number >= 0:
		seconds := int64(math.Round(number * 86400))
		return fmt.Sprintf("%02d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	}
	if f.zeros > 0 && number >= 0 && number == math.Trunc(number) && number < 1e15 {
		return fmt.Sprintf("%0*d", f.zeros, int64(number))
	}
	if len(v) <= 15 && !strings.ContainsAny(v, "eE") {
		return v
	}
	// Excel itself shows 15 digits: 41.2 is stored as 41.200000000000003.
	if number == math.Trunc(number) && math.Abs(number) < 1e15 {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(number, 'g', 15, 64), 64)
	if err != nil {
		return v
	}
	if abs := math.Abs(rounded); abs >= 1e21 || abs != 0 && abs < 1e-9 {
		return strconv.FormatFloat(rounded, 'g', -1, 64)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// dateText writes a serial number of days as a date. Excel's day 60 is the
// 29th of February 1900, which never was.
func dateText(serial float64, withTime, date1904 bool) string {
	days := math.Floor(serial)
	millis := math.Round((serial - days) * 86400e3)
	if millis >= 86400e3 {
		days, millis = days+1, 0
	}
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case date1904:
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case days < 60:
		epoch = epoch.AddDate(0, 0, 1)
	}
	moment := epoch.AddDate(0, 0, int(days)).Add(time.Duration(millis) * time.Millisecond)
	if millis == 0 && !withTime {
		return moment.Format(time.DateOnly)
	}
	return moment.Format("2006-01-02 15:04:05.999")
}

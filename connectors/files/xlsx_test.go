package files_test

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/dataflowhq/dataflow/connectors/files"
	"github.com/dataflowhq/dataflow/platform/records"
)

// workbook saves what fill makes.
func workbook(t *testing.T, fill func(f *excelize.File)) string {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	fill(f)
	path := filepath.Join(t.TempDir(), "book")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := f.Write(out); err != nil {
		t.Fatal(err)
	}
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWorkbook(t *testing.T) {
	path := workbook(t, func(f *excelize.File) {
		style := func(s excelize.Style) int {
			id, err := f.NewStyle(&s)
			must(t, err)
			return id
		}
		custom := func(code string) int { return style(excelize.Style{CustomNumFmt: &code}) }
		cells := map[string]any{
			"A1": "Price list", "A3": "name", "B3": "price", "C3": "from", "D3": "seen", "E3": "ok", "F3": "zip", "G3": "took", "H3": "note",
			"A4": "Jacket & co", "B4": 41.2, "C4": 45444, "D4": 45444.5, "E4": true, "F4": 1234, "G4": 0.75, "H4": "two\nlines",
			"A5": "<tag>", "B5": 1e-7, "C5": 1, "D5": 61, "E5": false, "F5": 99999, "G5": 1.5,
			"A7": "after a gap", "B7": 123456789012345.0, "C7": 60.0,
			"A8": "ünïcode 😀", "B8": 0.1 + 0.2, "H8": "#N/A",
		}
		for at, v := range cells {
			must(t, f.SetCellValue("Sheet1", at, v))
		}
		must(t, f.SetCellFormula("Sheet1", "B9", "B4*2"))
		for column, id := range map[string]int{
			"C": style(excelize.Style{NumFmt: 14}), "D": custom("yyyy-mm-dd hh:mm:ss"), "F": custom("00000"), "G": custom("[h]:mm:ss"),
		} {
			must(t, f.SetCellStyle("Sheet1", column+"4", column+"8", id))
		}
		_, err := f.NewSheet("Other")
		must(t, err)
		must(t, f.SetCellValue("Other", "A1", "only"))
		must(t, f.SetCellValue("Other", "A2", 1))
	})
	c, err := readFile(t, path, records.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.names, "|"); got != "name|price|from|seen|ok|zip|took|note" {
		t.Errorf("names %s", got)
	}
	want := []string{
		"1! before_header",
		"4: Jacket & co|41.2|2024-06-01|2024-06-01 12:00:00|true|01234|18:00:00|two\nlines",
		"5: <tag>|0.0000001|1900-01-01|1900-03-01 00:00:00|false|99999|36:00:00|",
		"7: after a gap|123456789012345|1900-02-28|||||",
		"8: ünïcode 😀|0.3||||||#N/A",
	}
	// The formula was never calculated, so row 9 has no value.
	got := c.lines()
	if len(got) != len(want) {
		t.Fatalf("rows %q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("row %q, want %q", got[i], want[i])
		}
	}
	if !reflect.DeepEqual(c.format.Sheets, []string{"Sheet1", "Other"}) || c.format.HeaderLine != 3 {
		t.Errorf("format %+v", c.format)
	}
	other, err := readFile(t, path, records.Options{Sheet: "Other"})
	if err != nil || other.names[0] != "only" || other.lines()[0] != "2: 1" {
		t.Errorf("other sheet: %+v, %v", other, err)
	}
	if _, err := readFile(t, path, records.Options{Sheet: "Third"}); !errors.Is(err, files.ErrUnknownSheet) {
		t.Errorf("unknown sheet: %v", err)
	}
}

func TestLargeWorkbook(t *testing.T) {
	const rows = 10_000
	path := workbook(t, func(f *excelize.File) {
		w, err := f.NewStreamWriter("Sheet1")
		must(t, err)
		must(t, w.SetRow("A1", []any{"id", "at", "text"}))
		style, err := f.NewStyle(&excelize.Style{NumFmt: 22})
		must(t, err)
		start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		for i := range rows {
			must(t, w.SetRow(fmt.Sprintf("A%d", i+2), []any{i, excelize.Cell{StyleID: style, Value: start.Add(time.Duration(i) * time.Minute)}, fmt.Sprintf("row %d", i)}))
		}
		must(t, w.Flush())
	})
	c, err := readFile(t, path, records.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.rows) != rows {
		t.Fatalf("%d rows", len(c.rows))
	}
	last := c.rows[rows-1]
	if want := []string{"9999", "2024-01-07 22:39:00", "row 9999"}; !reflect.DeepEqual(last.cells, want) || last.line != rows+1 {
		t.Errorf("last row %+v", last)
	}
}

// archive makes a zip of parts.
func archive(t *testing.T, parts map[string]io.Reader) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "archive")
	out, err := os.Create(path)
	must(t, err)
	defer out.Close()
	w := zip.NewWriter(out)
	for name, body := range parts {
		part, err := w.Create(name)
		must(t, err)
		_, err = io.Copy(part, body)
		must(t, err)
	}
	must(t, w.Close())
	return path
}

func TestBadWorkbooks(t *testing.T) {
	const (
		rels  = `<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>`
		book  = `<workbook><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>`
		sheet = `<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row><row r="2"><c r="A2"><v>1</v></c></row>`
	)
	parts := func(sheet io.Reader) map[string]io.Reader {
		return map[string]io.Reader{
			"xl/workbook.xml": strings.NewReader(book), "xl/_rels/workbook.xml.rels": strings.NewReader(rels), "xl/worksheets/sheet1.xml": sheet,
		}
	}
	cut := parts(strings.NewReader(sheet))
	bomb := parts(io.MultiReader(strings.NewReader(sheet), strings.NewReader(strings.Repeat(`<row><c><v>1</v></c></row>`, 3_000_000))))
	missing := parts(strings.NewReader(""))
	delete(missing, "xl/worksheets/sheet1.xml")
	wrong := parts(strings.NewReader(`<worksheet><sheetData><row><c t="s"><v>7</v></c></row></sheetData></worksheet>`))
	far := parts(strings.NewReader(`<worksheet><sheetData><row><c r="ZZZZZ1"><v>7</v></c></row></sheetData></worksheet>`))
	for name, tc := range map[string]struct {
		parts map[string]io.Reader
		want  error
	}{
		"a bomb":             {bomb, files.ErrTooLargeExpanded},
		"a missing sheet":    {missing, files.ErrBadXLSX},
		"a missing text":     {wrong, files.ErrBadXLSX},
		"a column too far":   {far, files.ErrBadXLSX},
		"some other archive": {map[string]io.Reader{"readme.txt": strings.NewReader("hello")}, files.ErrArchive},
		"OpenDocument":       {map[string]io.Reader{"mimetype": strings.NewReader("x"), "content.xml": strings.NewReader("x")}, files.ErrArchive},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readFile(t, archive(t, tc.parts), records.Options{}); !errors.Is(err, tc.want) {
				t.Fatalf("error %v, want %v", err, tc.want)
			}
		})
	}
	// A sheet that ends early gives its rows: the end tags hold nothing.
	if c, err := readFile(t, archive(t, cut), records.Options{}); err != nil || len(c.rows) != 1 {
		t.Errorf("cut sheet: %d rows, %v", len(c.rows), err)
	}
}

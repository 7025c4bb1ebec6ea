package files_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"

	"github.com/dataflowhq/dataflow/connectors/files"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/records"
)

var yes, no = true, false

func TestDelimited(t *testing.T) {
	for name, tc := range map[string]struct {
		text    string
		options records.Options
		names   string
		// rows has each record as "line: cells", or "line! reason".
		rows []string
	}{
		"comma":                         {"id,name\n1,Ann\n2,Bob\n", records.Options{}, "id|name", []string{"2: 1|Ann", "3: 2|Bob"}},
		"no line end at the end":        {"id,name\n1,Ann\n2,Bob", records.Options{}, "id|name", []string{"2: 1|Ann", "3: 2|Bob"}},
		"tab":                           {"id\tname\n1\tAnn, the first\n", records.Options{}, "id|name", []string{"2: 1|Ann, the first"}},
		"semicolon and decimal commas":  {"a;b\n1,5;2,5\n3,5;4,5\n", records.Options{}, "a|b", []string{"2: 1,5|2,5", "3: 3,5|4,5"}},
		"pipe":                          {"a|b\n1|2\n", records.Options{}, "a|b", []string{"2: 1|2"}},
		"CRLF":                          {"a,b\r\n1,2\r\n3,4\r\n", records.Options{}, "a|b", []string{"2: 1|2", "3: 3|4"}},
		"CR":                            {"a,b\r1,2\r3,4", records.Options{}, "a|b", []string{"2: 1|2", "3: 3|4"}},
		"CR CR LF":                      {"a,b\r\r\n1,2\r\r\n3,4\r\r\n", records.Options{}, "a|b", []string{"3: 1|2", "5: 3|4"}},
		"blank lines":                   {"\n\na,b\n\n1,2\n  \n3,4\n\n", records.Options{}, "a|b", []string{"5: 1|2", "7: 3|4"}},
		"quotes":                        {"a,b\n\"1,5\",\"say \"\"hi\"\"\"\n", records.Options{}, "a|b", []string{"2: 1,5|say \"hi\""}},
		"line end in quotes":            {"a,b\n\"x\ny\",1\nz,2\n", records.Options{}, "a|b", []string{"2: x\ny|1", "4: z|2"}},
		"spaces before and after quote": {"a, b\n1, \"x, y\" \n", records.Options{}, "a|b", []string{"2: 1|x, y"}},
		"quote inside a field":          {"size,n\n5\" pipe,1\n7\" pipe,2\n", records.Options{}, "size|n", []string{"2: 5\" pipe|1", "3: 7\" pipe|2"}},
		"single quotes":                 {"a,b\n'x, y',1\n'z',2\n", records.Options{}, "a|b", []string{"2: x, y|1", "3: z|2"}},
		"backslash escapes":             {"a,b\n\"x \\\"y\\\", z\",1\n\"\\\\\",2\n", records.Options{}, "a|b", []string{"2: x \"y\", z|1", "3: \\|2"}},
		"text after a quote":            {"a,b\n\"x\"y,1\nz,2\n", records.Options{}, "a|b", []string{"2! stray_quote", "3: z|2"}},
		"quote never closed":            {"a,b\nx,1\n\"y,2\nz,3\n", records.Options{}, "a|b", []string{"2: x|1", "3! unterminated_quote", "4: z|3"}},
		"too few and too many":          {"a,b,c\n1,2,3\n4,5\n6,7,8,9\n1,1,1\n2,2,2\n3,3,3\n", records.Options{}, "a|b|c", []string{"2: 1|2|3", "3! too_few_fields", "4! too_many_fields", "5: 1|1|1", "6: 2|2|2", "7: 3|3|3"}},
		"fill and cut":                  {"a,b,c\n1,2,3\n4,5\n6,7,8,9\n", records.Options{ShortRows: "fill", LongRows: "cut", Header: &yes}, "a|b|c", []string{"2: 1|2|3", "3: 4|5|", "4: 6|7|8"}},
		"delimiter at the end":          {"a,b,\n1,2,\n3,4,\n", records.Options{}, "a|b|column_3", []string{"2: 1|2|", "3: 3|4|"}},
		"delimiter only in the header":  {"a,b,\n1,2\n3,4\n", records.Options{Delimiter: ","}, "a|b|column_3", []string{"2: 1|2|", "3: 3|4|"}},
		"delimiter only in the rows":    {"a,b\n1,2,\n3,4,\n", records.Options{}, "a|b", []string{"2: 1|2", "3: 3|4"}},
		"one column":                    {"name\nAnn\nBob\n", records.Options{}, "name", []string{"2: Ann", "3: Bob"}},
		"one quoted empty cell":         {"name\nAnn\n\"\"\nBob\n", records.Options{}, "name", []string{"2: Ann", "3: ", "4: Bob"}},
		"header only":                   {"a,b,c\n", records.Options{}, "a|b|c", nil},
		"no header":                     {"1,2024-01-01\n2,2024-01-02\n", records.Options{}, "column_1|column_2", []string{"1: 1|2024-01-01", "2: 2|2024-01-02"}},
		"header refused":                {"a,b\nc,d\n", records.Options{Header: &no}, "column_1|column_2", []string{"1: a|b", "2: c|d"}},
		"repeated and empty names":      {"a,A,,a_2\n1,2,3,4\n", records.Options{}, "a|A_3|column_3|a_2", []string{"2: 1|2|3|4"}},
		"years across the top":          {"country,2019,2020\nFR,1,2\nDE,3,4\n", records.Options{}, "country|2019|2020", []string{"2: FR|1|2", "3: DE|3|4"}},
		"days at the top":               {"store,2024-01-01,2024-01-02\nA,5,6\nB,7,8\n", records.Options{}, "store|2024-01-01|2024-01-02", []string{"2: A|5|6", "3: B|7|8"}},
		"months of numbers at the top":  {"store,01/2024,02/2024\nA,5,6\nB,7,8\n", records.Options{}, "store|01/2024|02/2024", []string{"2: A|5|6", "3: B|7|8"}},
		"German days at the top":        {"store;01.01.2024;02.01.2024\nA;5;6\nB;7;8\n", records.Options{}, "store|01.01.2024|02.01.2024", []string{"2: A|5|6", "3: B|7|8"}},
		"hours at the top":              {"sensor,00:00,01:00\nA,5.1,6.2\nB,5.3,6.1\n", records.Options{}, "sensor|00:00|01:00", []string{"2: A|5.1|6.2", "3: B|5.3|6.1"}},
		"ranges at the top":             {"sex,0-9,10-19,20+\nm,6,7,8\nf,9,1,2\n", records.Options{}, "sex|0-9|10-19|20+", []string{"2: m|6|7|8", "3: f|9|1|2"}},
		"equal names over text":         {"key,key\nx,y\nz,w\n", records.Options{}, "key|key_2", []string{"2: x|y", "3: z|w"}},
		"years above nothing":           {"city,2010,2020\nRome,n/a,n/a\nOslo,n/a,n/a\n", records.Options{}, "city|2010|2020", []string{"2: Rome|n/a|n/a", "3: Oslo|n/a|n/a"}},
		"a number like a year":          {"AAPL,100,2012\nMSFT,300,512\nGOOG,200,777\n", records.Options{}, "column_1|column_2|column_3", []string{"1: AAPL|100|2012", "2: MSFT|300|512", "3: GOOG|200|777"}},
		"years in every record":         {"Widget A,2024,1995\nWidget B,2024,2005\nWidget C,2023,7\n", records.Options{}, "column_1|column_2|column_3", []string{"1: Widget A|2024|1995", "2: Widget B|2024|2005", "3: Widget C|2023|7"}},
		"bands and a number":            {"region,0,1-4,5-9\nN,5,6,7\nS,8,9,1\n", records.Options{}, "region|0|1-4|5-9", []string{"2: N|5|6|7", "3: S|8|9|1"}},
		"a phone number":                {"ann,555-1234,10\nbob,5551235,20\n", records.Options{}, "column_1|column_2|column_3", []string{"1: ann|555-1234|10", "2: bob|5551235|20"}},
		"a long ZIP":                    {"12345-6789,5\n12346,6\n12347,7\n", records.Options{}, "column_1|column_2", []string{"1: 12345-6789|5", "2: 12346|6", "3: 12347|7"}},
		"a time among minutes":          {"0:30,5\n45,6\n", records.Options{}, "column_1|column_2", []string{"1: 0:30|5", "2: 45|6"}},
		"dates written two ways":        {"x,2024-01-01,5\ny,20240102,6\n", records.Options{}, "column_1|column_2|column_3", []string{"1: x|2024-01-01|5", "2: y|20240102|6"}},
		"dates and no names":            {"2024-01-01,5\n2024-01-02,6\n", records.Options{}, "column_1|column_2", []string{"1: 2024-01-01|5", "2: 2024-01-02|6"}},
		"one year at the top":           {"country,2024\nFR,10\nDE,20\nIT,30\n", records.Options{}, "country|2024", []string{"2: FR|10", "3: DE|20", "4: IT|30"}},
		"years are values":              {"FR,2019,2020\nDE,2018,2021\n", records.Options{}, "column_1|column_2|column_3", []string{"1: FR|2019|2020", "2: DE|2018|2021"}},
		"a number at the top":           {"city,12,total\nRome,1,4\nOslo,2,3\n", records.Options{}, "city|12|total", []string{"2: Rome|1|4", "3: Oslo|2|3"}},
		"months at the top":             {"country,jan 2024,2024-02\nFR,1,2\nDE,3,4\n", records.Options{}, "country|jan 2024|2024-02", []string{"2: FR|1|2", "3: DE|3|4"}},
		"two equal names":               {"day,amount,amount\n2024-01-01,1,2\n2024-01-02,3,4\n", records.Options{}, "day|amount|amount_2", []string{"2: 2024-01-01|1|2", "3: 2024-01-02|3|4"}},
		"two equal names, only words":   {"Name,name,City\nAnn,Bo,Rome\nCy,Di,Oslo\n", records.Options{}, "Name|name_2|City", []string{"2: Ann|Bo|Rome", "3: Cy|Di|Oslo"}},
		"nothing known, then numbers":   {"Rome,n/a,2024-01-01\nOslo,2,2024-01-02\nBonn,3,2024-01-03\n", records.Options{}, "column_1|column_2|column_3", []string{"1: Rome|n/a|2024-01-01", "2: Oslo|2|2024-01-02", "3: Bonn|3|2024-01-03"}},
		"title above":                   {"Sales report\n\nid,amount\n1,2\n3,4\n", records.Options{}, "id|amount", []string{"1! before_header", "4: 1|2", "5: 3|4"}},
		"padded title":                  {"Report of sales,,\n,,\nregion,q1,q2\nNorth,1,2\nSouth,3,4\n", records.Options{}, "region|q1|q2", []string{"1! before_header", "2! before_header", "4: North|1|2", "5: South|3|4"}},
		"padded title and dates":        {"Report,,,\nfrom 2024-01-01,,,\nregion,day,q1,q2\nN,2024-01-01,1,2\nS,2024-01-02,3,4\n", records.Options{}, "region|day|q1|q2", []string{"1! before_header", "2! before_header", "4: N|2024-01-01|1|2", "5: S|2024-01-02|3|4"}},
		"padded title and a plain one":  {"Report\n\nof sales;;\nregion;q1;q2\nN;1;2\nS;3;4\n", records.Options{}, "region|q1|q2", []string{"1! before_header", "3! before_header", "5: N|1|2", "6: S|3|4"}},
		"padded title over words":       {"Staff,,\nname,city,team\nAnn,Rome,red\nBob,Oslo,blue\n", records.Options{}, "name|city|team", []string{"1! before_header", "3: Ann|Rome|red", "4: Bob|Oslo|blue"}},
		"padded title, header given":    {"Report,,\nregion,q1,q2\nN,1,2\n", records.Options{Header: &yes}, "region|q1|q2", []string{"1! before_header", "3: N|1|2"}},
		"padded title, header refused":  {"Report,,\nregion,q1,q2\nN,1,2\n", records.Options{Header: &no}, "column_1|column_2|column_3", []string{"1: Report||", "2: region|q1|q2", "3: N|1|2"}},
		"no name of two":                {"name,\nAnn,1\nBob,2\n", records.Options{}, "column_1|column_2", []string{"1: name|", "2: Ann|1", "3: Bob|2"}},
		"one name of two over words":    {"name,\nAnn,x\nBob,y\n", records.Options{}, "name|column_2", []string{"2: Ann|x", "3: Bob|y"}},
		"no names of three":             {"name,,\nAnn,1,2\nBob,3,4\n", records.Options{}, "column_1|column_2|column_3", []string{"1: name||", "2: Ann|1|2", "3: Bob|3|4"}},
		"sparse numbers":                {"5,,\n,3,\n1,2,\n,,4\n", records.Options{}, "column_1|column_2|column_3", []string{"1: 5||", "2: |3|", "3: 1|2|", "4: ||4"}},
		"sparse numbers below names":    {"a,b,c\n5,,\n,3,\n,,4\n", records.Options{}, "a|b|c", []string{"2: 5||", "3: |3|", "4: ||4"}},
		"Excel's separator":             {"sep=;\r\na;b\r\n1,5;2\r\n3,5;4\r\n", records.Options{}, "a|b", []string{"1! before_header", "3: 1,5|2", "4: 3,5|4"}},
		"Excel's separator, two ways":   {"sep=;\na;b,c\n1;2,3\n4;5,6\n", records.Options{}, "a|b,c", []string{"1! before_header", "3: 1|2,3", "4: 4|5,6"}},
		"Excel's separator in quotes":   {"\"SEP=|\"\na|b\n1|2\n", records.Options{}, "a|b", []string{"1! before_header", "3: 1|2"}},
		"Excel's separator, a tab":      {"sep=\t\na\tb\n1\t2\n", records.Options{}, "a|b", []string{"1! before_header", "3: 1|2"}},
		"Excel's separator and a title": {"sep=,\nReport,,\na,b,c\n1,2,3\n", records.Options{}, "a|b|c", []string{"1! before_header", "2! before_header", "4: 1|2|3"}},
		"Excel's separator, no header":  {"sep=;\n1;2024-01-01\n2;2024-01-02\n", records.Options{}, "column_1|column_2", []string{"1! before_header", "2: 1|2024-01-01", "3: 2|2024-01-02"}},
		"Excel's separator overruled":   {"sep=;\na,b;c\n1,2\n3,4\n", records.Options{Delimiter: ","}, "a|b;c", []string{"1! before_header", "3: 1|2", "4: 3|4"}},
		"a line like Excel's separator": {"a,b\nsep=;,1\nx,2\n", records.Options{}, "a|b", []string{"2: sep=;|1", "3: x|2"}},
		"row of delimiters":             {"a,b\n1,2\n,\n", records.Options{}, "a|b", []string{"2: 1|2", "3: |"}},
		"mark":                          {"\ufeffa,b\n1,2\n", records.Options{}, "a|b", []string{"2: 1|2"}},
		"NUL bytes left out":            {"a,b\n1\x00,2\n", records.Options{NUL: "strip"}, "a|b", []string{"2: 1|2"}},
		"no quoting":                    {"a,b\n\"x,1\n", records.Options{Quote: "none"}, "a|b", []string{"2: \"x|1"}},
		"more fields than names":        {"a,b\n1,2,3\n4,5,6\n", records.Options{}, "a|b|column_3", []string{"2: 1|2|3", "3: 4|5|6"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := readFile(t, write(t, tc.text), tc.options)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(c.names, "|"); got != tc.names {
				t.Errorf("names %s, want %s", got, tc.names)
			}
			if got := c.lines(); !reflect.DeepEqual(got, tc.rows) {
				t.Errorf("rows %q, want %q", got, tc.rows)
			}
		})
	}
}

// lines writes rows as TestDelimited has them.
func (c *content) lines() []string {
	var lines []string
	for i, r := range c.rows {
		if r.number != int64(i+1) {
			return []string{fmt.Sprintf("record %d has number %d", i+1, r.number)}
		}
		if r.reason != "" {
			lines = append(lines, fmt.Sprintf("%d! %s", r.line, r.reason))
		} else {
			lines = append(lines, fmt.Sprintf("%d: %s", r.line, strings.Join(r.cells, "|")))
		}
	}
	return lines
}

func TestEncodingsAndCompression(t *testing.T) {
	const text = "name,city\nJosé,Zürich\nAnn,“Köln” €\n"
	utf16Text := func(little bool, mark bool) string {
		var b bytes.Buffer
		units := utf16.Encode([]rune(text))
		if mark {
			units = append([]uint16{0xfeff}, units...)
		}
		for _, u := range units {
			if little {
				b.Write([]byte{byte(u), byte(u >> 8)})
			} else {
				b.Write([]byte{byte(u >> 8), byte(u)})
			}
		}
		return b.String()
	}
	cp1252 := strings.NewReplacer("é", "\xe9", "ü", "\xfc", "ö", "\xf6", "“", "\x93", "”", "\x94", "€", "\x80").Replace(text)
	latin1 := strings.NewReplacer("é", "\xe9", "ü", "\xfc", "ö", "\xf6", "“", "\"", "”", "\"", "€", "").Replace("name,city\nJosé,Zürich\nAnn,Köln\n")
	gzipped := func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		fmt.Fprint(w, s)
		w.Close()
		return b.String()
	}
	zstded := func(s string) string {
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(w.EncodeAll([]byte(s), nil))
	}
	want := []string{"2: José|Zürich", "3: Ann|“Köln” €"}
	for name, tc := range map[string]struct {
		data, encoding, compression string
		want                        []string
	}{
		"UTF-8":                    {text, "utf-8", "", want},
		"UTF-8 with mark":          {"\ufeff" + text, "utf-8", "", want},
		"UTF-16 LE with mark":      {utf16Text(true, true), "utf-16le", "", want},
		"UTF-16 BE with mark":      {utf16Text(false, true), "utf-16be", "", want},
		"UTF-16 LE":                {utf16Text(true, false), "utf-16le", "", want},
		"UTF-16 BE":                {utf16Text(false, false), "utf-16be", "", want},
		"Windows-1252":             {cp1252, "windows-1252", "", want},
		"Windows-1252 in pairs":    {"name,v\nCAF\xc9\x92S,1\nM\xfcller,2\n", "windows-1252", "", []string{"2: CAFÉ’S|1", "3: Müller|2"}},
		"Latin-1":                  {latin1, "latin-1", "", []string{"2: José|Zürich", "3: Ann|Köln"}},
		"gzip":                     {gzipped(text), "utf-8", "gzip", want},
		"two gzip members":         {gzipped(text[:20]) + gzipped(text[20:]), "utf-8", "gzip", want},
		"zstd":                     {zstded(text), "utf-8", "zstd", want},
		"UTF-16 in gzip":           {gzipped(utf16Text(true, true)), "utf-16le", "gzip", want},
		"one broken byte in UTF-8": {"name,city\nJosé,Zürich\nAnn\xff,“Köln” €\n", "utf-8", "", []string{"2: José|Zürich", "3: Ann\xff|“Köln” €"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := readFile(t, write(t, tc.data), records.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if c.format.Encoding != tc.encoding || c.format.Compression != tc.compression {
				t.Errorf("read as %s, %q", c.format.Encoding, c.format.Compression)
			}
			if got := c.lines(); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("rows %q, want %q", got, tc.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 5<<20)
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	for range 100 {
		fmt.Fprint(w, strings.Repeat("1,2\n", 1<<18))
	}
	w.Close()
	for name, tc := range map[string]struct {
		data    string
		options records.Options
		want    *apperr.Kind
	}{
		"empty":                 {"", records.Options{}, files.ErrEmpty},
		"blank":                 {"\n  \n\r\n", records.Options{}, files.ErrEmpty},
		"a picture":             {"\x89PNG\r\n\x1a\n" + strings.Repeat("\x00\x01", 100), records.Options{}, files.ErrNotText},
		"a program":             {"\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 100), records.Options{}, files.ErrNotText},
		"noise":                 {noise(100_000), records.Options{}, files.ErrNotText},
		"a long first line":     {long, records.Options{}, files.ErrLineTooLong},
		"a long line":           {"a,b\n" + strings.Repeat("1,2\n", 100_000) + long + ",2\n3,4\n", records.Options{}, files.ErrLineTooLong},
		"a bomb":                {bomb.String(), records.Options{}, files.ErrTooLargeExpanded},
		"half a gzip":           {bomb.String()[:1000], records.Options{}, files.ErrBadArchive},
		"an archive":            {"PK\x03\x04rest", records.Options{}, files.ErrBadXLSX},
		"an old workbook":       {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", records.Options{}, files.ErrOldSpreadsheet},
		"too many columns":      {strings.Repeat("a,", 3000) + "b\n" + strings.Repeat("1,", 3000) + "2\n", records.Options{}, files.ErrTooManyColumns},
		"a long delimiter":      {"a,b\n", records.Options{Delimiter: ",,"}, files.ErrBadOption},
		"an unknown encoding":   {"a,b\n", records.Options{Encoding: "ebcdic"}, files.ErrBadOption},
		"delimiter equal quote": {"a,b\n", records.Options{Delimiter: ",", Quote: ","}, files.ErrBadOption},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readFile(t, write(t, tc.data), tc.options)
			if !errors.Is(err, tc.want) {
				t.Fatalf("error %v, want %s", err, tc.want.Code())
			}
		})
	}
}

func noise(n int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return string(b)
}

// A quoted field may be long, and may cross any number of chunks.
func TestLongQuotedField(t *testing.T) {
	inner := strings.Repeat("line, with \"\"quotes\"\"\n", 60_000)
	text := "a,b\n1,\"" + inner + "\"\n2,x\n"
	c, err := readChunks(t, write(t, text), records.Options{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.rows) != 2 || c.rows[0].cells[1] != strings.ReplaceAll(inner, `""`, `"`) || c.rows[1].line != 60_003 {
		t.Fatalf("%d rows, the second on line %d", len(c.rows), c.rows[len(c.rows)-1].line)
	}
}

// An opening quote that is never closed costs one record, not the rest of the file.
func TestOpenQuoteInALargeFile(t *testing.T) {
	text := "a,b\n1,\"oops\n" + strings.Repeat("2,fine\n", 3_000_000)
	c, err := readFile(t, write(t, text), records.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.rows) != 3_000_001 || c.rows[0].reason != records.UnterminatedQuote || c.rows[3_000_000].cells[1] != "fine" {
		t.Fatalf("%d rows, the first %+v", len(c.rows), c.rows[0])
	}
}

// messy makes text in which everything that matters to records comes up often.
func messy(rng *rand.Rand, length int) string {
	pieces := []string{",", ",", ",", "\n", "\n", "\r\n", "\r", "\"", "\"\"", "\",\"", "a", "bc", " ", "\t", "7", "x\ny", "é", "\"q\"", "\"q,\nr\"", ";", "Total", "Sum:"}
	var b strings.Builder
	for b.Len() < length {
		b.WriteString(pieces[rng.IntN(len(pieces))])
	}
	return b.String()
}

// TestCountMatchesTheRules compares the reader, in pieces of every size, with
// the independent counter.
func TestCountMatchesTheRules(t *testing.T) {
	rng := rand.New(rand.NewPCG(42, 7))
	path := filepath.Join(t.TempDir(), "file")
	for round := range 2000 {
		text := "h1,h2\n" + messy(rng, rng.IntN(400))
		options := records.Options{Delimiter: ",", Quote: "\"", Escape: "double", Header: &yes, Kind: "csv", Encoding: "utf-8"}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		want := countRecords(text, ',', '"', false) - 1
		var first content
		for i, chunk := range []int{1 << 20, 1, 7, 40} {
			c, err := readChunks(t, path, options, chunk)
			if err != nil {
				t.Fatalf("round %d: %v\n%q", round, err, text)
			}
			if len(c.rows) != want {
				t.Fatalf("round %d, pieces of %d: %d records, want %d\n%q\n%q", round, chunk, len(c.rows), want, text, c.lines())
			}
			if i == 0 {
				first = c
			} else if !reflect.DeepEqual(c.rows, first.rows) {
				t.Fatalf("round %d, pieces of %d: %q, want %q\n%q", round, chunk, c.lines(), first.lines(), text)
			}
		}
	}
}

// TestGeneratedFile reads files whose content is known.
func TestGeneratedFile(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	words := []string{"plain", "with, comma", "with \"quote\"", "two\nlines", "", "  spaced ", "ünïcode", "'single'", "semi;colon", "tab\tbed"}
	for name, d := range map[string]struct{ delimiter, end string }{
		"comma": {",", "\n"}, "semicolon": {";", "\r\n"}, "tab": {"\t", "\n"}, "pipe": {"|", "\r"},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			text.WriteString("id" + d.delimiter + "first" + d.delimiter + "second" + d.end)
			var want []string
			for i := range 20_000 {
				a, b := words[rng.IntN(len(words))], words[rng.IntN(len(words))]
				want = append(want, fmt.Sprintf("%d|%s|%s", i, a, b))
				quoted := func(s string) string {
					if strings.ContainsAny(s, "\"\n\r"+d.delimiter) || rng.IntN(4) == 0 {
						return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
					}
					return s
				}
				fmt.Fprintf(&text, "%d%s%s%s%s%s", i, d.delimiter, quoted(a), d.delimiter, quoted(b), d.end)
			}
			c, err := readChunks(t, write(t, text.String()), records.Options{}, 3000)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.rows) != len(want) {
				t.Fatalf("%d records, want %d", len(c.rows), len(want))
			}
			for i, r := range c.rows {
				if got := strings.Join(r.cells, "|"); got != want[i] || r.reason != "" {
					t.Fatalf("record %d is %q %s, want %q", i, got, r.reason, want[i])
				}
			}
		})
	}
}

// TestSmallFiles reads the files under testdata, each with what it has to give
// beside it.
func TestSmallFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.want")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c, err := readFile(t, strings.TrimSuffix(path, ".want"), records.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(c.names, "|") + "\n" + strings.Join(c.lines(), "\n") + "\n"
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// FuzzReader reads anything with any settings: it must neither crash nor lose
// or invent a record.
func FuzzReader(f *testing.F) {
	f.Add("a,b\n1,2\n", ",", "\"", "double", "utf-8", uint16(8))
	f.Add("a;b\r\n\"1;\r\n\";2", ";", "", "", "", uint16(1))
	f.Add("{\"a\":1}\n{\"a\":[1,{\"b\":2}]}\n", "", "", "", "", uint16(3))
	f.Add("[{\"a\":\"\\ud83d\\ude00\"},{\"b\":null}]", "", "", "", "", uint16(3))
	f.Add("\xff\xfea\x00,\x00b\x00\n\x00", "", "", "", "", uint16(3))
	f.Add("a|b\n'x|1\n", "|", "'", "backslash", "latin-1", uint16(2))
	f.Add("a,b,c\n1,2,3\n4,5,6\n\"Total:\",,9\n,,\n", "", "", "", "", uint16(2))
	f.Add("sep=;\nReport;;\n;;\na;b;c\n1;2;3\n", "", "", "", "", uint16(5))
	f.Fuzz(func(t *testing.T, data, delimiter, quote, escape, encoding string, chunk uint16) {
		options := records.Options{Delimiter: delimiter, Quote: quote, Escape: escape, Encoding: encoding}
		c, err := readChunks(t, write(t, data), options, int(chunk)+1)
		if err != nil {
			if public := apperr.Describe(err); public.Class == apperr.Internal {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		again, err := readChunks(t, write(t, data), options, 1<<20)
		if err != nil || !reflect.DeepEqual(c.rows, again.rows) {
			t.Fatalf("in other pieces: %q, %v; want %q", again.lines(), err, c.lines())
		}
		if c.format.Kind != "csv" || c.format.Encoding != "utf-8" || c.format.Compression != "" {
			return
		}
		text := strings.TrimPrefix(data, "\ufeff")
		if !c.format.BOM {
			text = data
		}
		want := countRecords(text, mark(c.format.Delimiter), mark(c.format.Quote), c.format.Escape == "backslash")
		if c.format.Header {
			want--
		}
		if len(c.rows) != want {
			t.Fatalf("%d records, want %d: %q", len(c.rows), want, c.lines())
		}
	})
}

// mark is a delimiter or quote as the counter takes it.
func mark(name string) rune {
	if name == "none" {
		return 0
	}
	return []rune(name)[0]
}

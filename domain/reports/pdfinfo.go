package reports

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/dataflowhq/dataflow/domain/dashboards"
)

// info is what a PDF says about itself.
type info struct {
	Title, Author, Subject string
	Maker                  string // the program, as far as it is said
	Created                time.Time
}

// subject names the data that is shown.
func (s *Stated) subject(v *dashboards.View) string {
	var parts []string
	for id, name := range v.Datasets {
		if version, ok := v.Snapshot.Version(id); ok {
			parts = append(parts, fmt.Sprintf("%s version %d", name, version))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

var (
	pdfStart = regexp.MustCompile(`startxref\s+(\d+)\s+%%EOF\s*$`)
	pdfSize  = regexp.MustCompile(`/Size (\d+)`)
	pdfRoot  = regexp.MustCompile(`/Root (\d+ \d+ R)`)
	pdfPages = regexp.MustCompile(`/Pages (\d+ \d+ R)`)
	pdfCount = regexp.MustCompile(`/Count (\d+)`)
)

// countPages reads how many pages a PDF has, in the form in which the browser
// writes it: from its trailer to the root, and from there to the pages. 0 for a
// file in another form.
func countPages(body []byte) int {
	at := bytes.LastIndex(body, []byte("trailer"))
	if at < 0 {
		return 0
	}
	object := body[at:]
	for _, next := range []*regexp.Regexp{pdfRoot, pdfPages} {
		found := next.FindSubmatch(object)
		if found == nil {
			return 0
		}
		start := append(append([]byte("\n"), bytes.TrimSuffix(found[1], []byte("R"))...), "obj\n"...)
		if at = bytes.LastIndex(body, start); at < 0 {
			return 0
		}
		object, _, _ = bytes.Cut(body[at:], []byte("endobj"))
	}
	found := pdfCount.FindSubmatch(object)
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		return 0
	}
	return n
}

// withInfo appends an update to a PDF that replaces what it says about itself:
// the browser knows a title only. A file in another form than the browser
// writes is left as it is.
func withInfo(body []byte, i info) []byte {
	start := pdfStart.FindSubmatch(body)
	at := bytes.LastIndex(body, []byte("trailer"))
	if start == nil || at < 0 {
		return body
	}
	size, root := pdfSize.FindSubmatch(body[at:]), pdfRoot.FindSubmatch(body[at:])
	if size == nil || root == nil {
		return body
	}
	number, err := strconv.Atoi(string(size[1]))
	if err != nil {
		return body
	}
	out := bytes.NewBuffer(bytes.TrimRight(body, "\r\n"))
	out.WriteByte('\n')
	object := out.Len()
	date := i.Created.UTC().Format("D:20060102150405Z")
	fmt.Fprintf(out, "%d 0 obj\n<< /Title %s /Author %s /Subject %s /Creator %s /Producer %s /CreationDate (%s) /ModDate (%s) >>\nendobj\n",
		number, pdfText(i.Title), pdfText(i.Author), pdfText(i.Subject), pdfText(i.Maker), pdfText(i.Maker), date, date)
	table := out.Len()
	fmt.Fprintf(out, "xref\n%d 1\n%010d 00000 n \ntrailer\n<< /Size %d /Root %s /Info %d 0 R /Prev %s >>\nstartxref\n%d\n%%%%EOF\n",
		number, object, number+1, root[1], number, start[1], table)
	return out.Bytes()
}

// pdfText is a text in UTF-16, as PDF wants what is not Latin.
func pdfText(text string) string {
	var b strings.Builder
	b.WriteString("<FEFF")
	for _, unit := range utf16.Encode([]rune(text)) {
		fmt.Fprintf(&b, "%04X", unit)
	}
	b.WriteByte('>')
	return b.String()
}

package files

import (
	"strings"

	"github.com/dataflowhq/dataflow/platform/records"
)

// layout is what was found out about a text with delimiters from its head.
type layout struct {
	dialect
	header bool
	names  []string // of the header, as written
	fields int
	// optional is how many of the last fields records may lack.
	optional int
	// above are the records before the header, below is where the first record
	// after it begins.
	above      []record
	headerLine int64  // 0 without a header
	doubt      string // as records.Format.HeaderDoubt
	totals     totals
	below      int
	belowLine  int64 // from 0
}

// record is one record of the head, for looking at.
type record struct {
	cells []string
	raw   string
	line  int64 // from 0
	end   int   // where the next begins
	bad   bool
}

const sniffRecords = 2000

// headRecords splits the head of a file without knowing how many fields there
// are. A record that the end of the sample cuts is left out, unless whole.
func headRecords(d dialect, head []byte, whole bool, most int) []record {
	s := scanner{dialect: d, maxRecord: len(head) + 1}
	var found []record
	pos, line := 0, int64(0)
	for pos < len(head) && len(found) < most {
		start, startLine := pos, line
		r := record{line: startLine}
		var last field
		for {
			last = s.field(head, pos, whole)
			if last.state == fieldBad || last.state == fieldCut {
				r.bad = true
				break
			}
			cell := head[last.span.Start : last.span.End&^(1<<31)]
			if last.span.IsEscaped() {
				cell = d.unquote(nil, cell)
			}
			r.cells = append(r.cells, string(cell))
			line += last.newlines
			pos = last.next
			if last.state != fieldEnds {
				break
			}
		}
		stop := last.stop
		if r.bad {
			stop, pos, _ = lineEnd(head, start)
			line = startLine
			r.cells = append(r.cells, strings.Split(string(head[start:stop]), string(rune(d.delimiter)))[min(len(r.cells), 1):]...)
		}
		if pos >= len(head) && stop >= len(head) && !whole {
			break
		}
		line++
		r.end = pos
		r.raw = string(head[start:stop])
		if len(r.cells) == 1 && isBlankText(head[start:stop]) {
			continue
		}
		found = append(found, r)
	}
	return found
}

// sniff finds the dialect of a text from its head; options decide what they
// name. Head is UTF-8 without a mark.
func sniff(head []byte, whole bool, options records.Options) layout {
	var best layout
	var rows []record
	bestScore := -1.0
	for _, d := range dialects(head, options) {
		found := headRecords(d, head, whole, sniffRecords)
		score := consistency(found, d)
		if score > bestScore {
			bestScore, best, rows = score, layout{dialect: d}, found
		}
	}
	best.setHeader(rows, options)
	return best
}

// dialects are the candidates, the most usual last among equals' betters: an
// earlier one wins a tie.
func dialects(head []byte, options records.Options) []dialect {
	delimiters := []byte{'\t', ';', '|', ',', 0}
	switch {
	case options.Delimiter == "none":
		delimiters = []byte{0}
	case options.Delimiter != "":
		delimiters = []byte{options.Delimiter[0]}
	default:
		first, _, _ := lineEnd(head, 0)
		if named := separatorOf(string(head[:first])); named != 0 {
			delimiters = []byte{named}
		}
	}
	quotes := []byte{'"', '\''}
	switch {
	case options.Quote == "none":
		quotes = []byte{0}
	case options.Quote != "":
		quotes = []byte{options.Quote[0]}
	}
	escapes := []bool{false, true}
	switch options.Escape {
	case "double":
		escapes = []bool{false}
	case "backslash":
		escapes = []bool{true}
	}
	text := string(head)
	var all []dialect
	for _, delimiter := range delimiters {
		if delimiter != 0 && options.Delimiter == "" && strings.IndexByte(text, delimiter) < 0 {
			continue
		}
		for _, quote := range quotes {
			if quote == '\'' && options.Quote == "" && !quotesCells(text, delimiter, quote) {
				continue
			}
			for _, backslash := range escapes {
				if backslash && len(escapes) > 1 && (quote == 0 || !strings.Contains(text, `\`+string(rune(quote)))) {
					continue
				}
				all = append(all, dialect{delimiter: delimiter, quote: quote, backslash: backslash})
			}
		}
	}
	return all
}

// quotesCells tells whether a character opens cells at least twice and closes
// as many: an apostrophe inside words does not.
func quotesCells(text string, delimiter, quote byte) bool {
	opens, closes := 0, 0
	for i := 0; i < len(text); i++ {
		if text[i] != quote {
			continue
		}
		if i == 0 || text[i-1] == '\n' || text[i-1] == '\r' || delimiter != 0 && text[i-1] == delimiter {
			opens++
		}
		if i+1 == len(text) || text[i+1] == '\n' || text[i+1] == '\r' || delimiter != 0 && text[i+1] == delimiter {
			closes++
		}
	}
	return opens >= 2 && closes >= 2 && opens <= 2*closes && closes <= 2*opens
}

// consistency scores how well a dialect explains the records: the share of
// records with the usual number of fields, more for a first line that has it
// too, less for records with broken quotes.
func consistency(rows []record, d dialect) float64 {
	if len(rows) == 0 {
		return 0
	}
	usual, share := usualFields(rows)
	bad := 0
	for _, r := range rows {
		if r.bad {
			bad++
		}
	}
	score := share - float64(bad)/float64(len(rows))
	if usual <= 1 {
		// Anything is consistent as one field; it wins only where no
		// delimiter gives a sensible table.
		score = 0.55
		if bad > 0 {
			score -= 0.3 * float64(bad) / float64(len(rows))
		}
		if d.delimiter != 0 {
			score -= 0.05
		}
		return score
	}
	if len(rows[0].cells) == usual {
		score += 0.2
	}
	if d.quote == '\'' {
		score += 0.01 // only offered where it quotes cells
	}
	return score
}

// usualFields is the most frequent number of fields and its share; of equally
// frequent numbers the larger.
func usualFields(rows []record) (usual int, share float64) {
	counts := map[int]int{}
	for _, r := range rows {
		counts[len(r.cells)]++
	}
	best := 0
	for fields, count := range counts {
		if count > best || count == best && fields > usual {
			usual, best = fields, count
		}
	}
	return usual, float64(best) / float64(len(rows))
}

// setHeader finds the header, what stands above it and the number of fields.
func (l *layout) setHeader(rows []record, options records.Options) {
	if len(rows) == 0 {
		return
	}
	marked := 0
	if len(rows) > 1 && separatorOf(rows[0].raw) != 0 {
		marked = 1 // no record of data, with a header or without
	}
	usual, _ := usualFields(rows[marked:])
	first := marked + titles(rows[marked:], usual)
	if options.Header != nil {
		l.header = *options.Header
	} else {
		l.header = looksLikeHeader(rows[first].cells, rows[first+1:])
	}
	if !l.header {
		l.fields = max(usual, 1)
		if marked > 0 {
			l.above, l.below, l.belowLine = rows[:marked], rows[0].end, rows[0].line+1
		}
		l.totals = totalsOf(rows[marked:], l.fields, l.fields, options)
		return
	}
	l.above = rows[:first]
	header := rows[first]
	l.names = header.cells
	if options.Header == nil {
		l.doubt = doubtful(header.cells)
	}
	l.headerLine = header.line + 1
	l.below = header.end
	l.belowLine = header.line + 1 + countLines([]byte(header.raw))
	l.fields = len(header.cells)
	below := rows[first+1:]
	if len(below) > 0 {
		usual, share := usualFields(below)
		if usual > l.fields && share >= 0.5 && extrasFilled(below, l.fields) {
			l.fields = usual
		}
	}
	for l.optional < len(header.cells)-1 && strings.TrimSpace(header.cells[len(header.cells)-1-l.optional]) == "" {
		l.optional++
	}
	if l.fields > len(header.cells) {
		l.optional = 0
	}
	l.totals = totalsOf(below, l.fields, l.fields-l.optional, options)
}

// titles is how many records above a table of usual fields are titles. One
// fills a single field: the only one of its line, or of at least three where a
// program has padded the line. Padded lines may be data as well, so they are
// titles only above names and a table.
func titles(rows []record, usual int) int {
	if usual <= 1 {
		return 0
	}
	above := func(padded bool) int {
		n := 0
		for n < len(rows)-1 && n < 20 && filled(rows[n].cells) <= 1 && (len(rows[n].cells) < usual || padded && len(rows[n].cells) >= 3) {
			n++
		}
		if n > 0 && len(rows[n].cells) != usual {
			return 0
		}
		return n
	}
	plain, padded := above(false), above(true)
	if padded == plain || !looksLikeHeader(rows[padded].cells, rows[padded+1:]) {
		return plain
	}
	below := rows[padded+1:]
	full := 0
	for _, r := range below {
		if filled(r.cells) > 1 {
			full++
		}
	}
	if full*2 <= len(below) {
		return plain
	}
	return padded
}

// separatorOf is the delimiter that a line such as "sep=;" names, which Excel
// writes and reads above a table; 0 where the line is none.
func separatorOf(line string) byte {
	name, delimiter, found := strings.Cut(strings.Trim(line, "\" "), "=")
	if !found || len(delimiter) != 1 || !strings.EqualFold(name, "sep") {
		return 0
	}
	if c := delimiter[0]; c == '\t' || c > ' ' && c < 0x7f && !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') {
		return c
	}
	return 0
}

func filled(cells []string) int {
	n := 0
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			n++
		}
	}
	return n
}

// extrasFilled tells whether fields beyond the header's hold anything.
func extrasFilled(rows []record, fields int) bool {
	for _, r := range rows {
		if len(r.cells) > fields && filled(r.cells[fields:]) > 0 {
			return true
		}
	}
	return false
}

// looksLikeHeader decides whether the first record names the columns. What
// stands above numbers, dates, true and false tells most: a word is a name
// there, a value of their kind is one more of them. A date, a month or a range
// above plain numbers, and a year above numbers that are no years, could be
// either: they are names where less, or nothing, speaks for a value. Where
// nothing is typed, names are mostly there and no column below repeats its own.
func looksLikeHeader(first []string, below []record) bool {
	rows := below[:min(len(below), 200)]
	names, years, compounds, values, words, empty := 0, 0, 0, 0, 0, 0
	typedBelow := false
	for c, cell := range first[:min(len(first), 200)] {
		cell = strings.TrimSpace(cell)
		typed := looksTyped(cell)
		switch {
		case cell == "":
			empty++
		case !typed:
			words++
		}
		kinds := kindsOf(rows, c)
		if len(rows) > 0 && kinds.typed*2 <= kinds.filled {
			continue // of text, or of nothing
		}
		typedBelow = typedBelow || kinds.filled > 0
		switch {
		case cell == "" || missing[strings.ToLower(cell)]:
		case !typed:
			names++
		case kinds.filled > 0 && kinds.compound == 0 && isCompound(cell):
			compounds++
		case kinds.filled > 0 && isYear(cell) && kinds.years*2 <= kinds.filled:
			years++
		default:
			values++
		}
	}
	if values == 0 {
		names += years
	}
	if compounds > values { // "0, 1-4, 5-9, 10-14"
		names += compounds
	}
	switch {
	case empty == len(first):
		return false
	case len(below) == 0:
		return values == 0
	case typedBelow || values > 0:
		return names > 0 && names >= values
	}
	for c, name := range first[:min(len(first), 200)] {
		name = strings.TrimSpace(name)
		if looksTyped(name) && !isYear(name) {
			return false
		}
		for _, r := range rows {
			if c < len(r.cells) && name != "" && strings.TrimSpace(r.cells[c]) == name {
				return false
			}
		}
	}
	return words > 0
}

// doubtful is the first name of a header that could be a value.
func doubtful(header []string) string {
	for _, cell := range header {
		if cell = strings.TrimSpace(cell); looksTyped(cell) {
			return cell
		}
	}
	return ""
}

// missing are words for no value, which stand in columns of numbers too.
var missing = map[string]bool{"-": true, "na": true, "n/a": true, "#n/a": true, "none": true, "null": true, "nil": true, "nan": true, "?": true, `\n`: true}

// columnKinds are the values of a column: filled ones, of them numbers, dates
// and the like; of these years, and what is not one plain number.
type columnKinds struct{ filled, typed, years, compound int }

func kindsOf(rows []record, column int) (k columnKinds) {
	for _, r := range rows {
		if column >= len(r.cells) {
			continue
		}
		cell := strings.TrimSpace(r.cells[column])
		if cell == "" || missing[strings.ToLower(cell)] {
			continue
		}
		k.filled++
		if looksTyped(cell) {
			k.typed++
			if isCompound(cell) {
				k.compound++
			}
		}
		if isYear(cell) {
			k.years++
		}
	}
	return k
}

// isCompound tells whether a typed cell is a date, a month, a time or a range,
// and not one number.
func isCompound(cell string) bool {
	if i := strings.IndexAny(cell, "-/:+−"); i > 0 && !strings.ContainsAny(cell[i-1:i], "eE(") {
		return true
	}
	parts := strings.Split(cell, ".") // 01.02.2024, and not 1.234.567
	return len(parts) == 3 && len(parts[0]) <= 2 && len(parts[1]) <= 2
}

func isYear(cell string) bool {
	return len(cell) == 4 && (cell[:2] == "19" || cell[:2] == "20") && isDigit(cell[2]) && isDigit(cell[3])
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// looksTyped tells whether a cell is a number, a date or time, or true or
// false: no name of a column looks so.
func looksTyped(cell string) bool {
	switch strings.ToLower(cell) {
	case "true", "false", "null", "nan", `\n`:
		return true
	}
	digits, letters, others := 0, 0, 0
	for _, r := range cell {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case strings.ContainsRune(" .,:+-/%()$£€¥'’−", r):
		case r == 'T' || r == 'Z' || r == 'e' || r == 'E':
			others++
		default:
			letters++
		}
	}
	return digits > 0 && letters == 0 && others <= 2
}

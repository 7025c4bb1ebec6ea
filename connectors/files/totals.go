package files

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/platform/records"
)

// totals tells a record that sums up those before it from one more of them. A
// word alone does not make it one: it also lacks what the others have. The zero
// value finds none.
type totals struct {
	usual []bool    // by field: (nearly) all records have a value
	typed []bool    // by field: usual, and mostly numbers, dates and the like
	most  []float64 // by field: the largest number; +Inf where numbers do not add up to a larger one
}

const (
	// usualShare of the records have a value in a usual field.
	usualShare = 0.95
	// totalsFrom is how many records it takes to say what is usual.
	totalsFrom = 2
)

// totalsOf learns from the records of the head that have the fields they need
// and that no word for a total leads. Where such a word leads a record that is
// like the others, it is a value there ("Total" among "Female" and "Male") and
// says nothing.
func totalsOf(rows []record, fields, needed int, options records.Options) totals {
	if options.Totals == "load" {
		return totals{}
	}
	if options.ShortRows == "fill" {
		needed = 0
	}
	t := totals{usual: make([]bool, fields), typed: make([]bool, fields), most: make([]float64, fields)}
	var others, named []record
	for _, r := range rows {
		switch label := firstFilled(r.cells); {
		case label < 0 || r.bad || len(r.cells) < needed:
		case totalWord(r.cells[label]):
			named = append(named, r)
		default:
			others = append(others, r)
		}
	}
	if len(others) < totalsFrom {
		return totals{}
	}
	for f := range fields {
		filled, typed := 0, 0
		for _, r := range others {
			if cell := cellOf(r.cells, f); cell != "" {
				filled++
				if looksTyped(cell) {
					typed++
				}
			}
		}
		t.usual[f] = float64(filled) >= usualShare*float64(len(others))
		t.typed[f] = t.usual[f] && typed*2 > filled
		t.most[f] = most(others, f)
	}
	for _, r := range named {
		if !t.match(r.cells) {
			return totals{}
		}
	}
	return t
}

// most is the largest number of a field that all have one in, if at least two are
// above zero and none is below; else +Inf, or -Inf where numbers may be negative.
func most(rows []record, field int) float64 {
	largest, positive := math.Inf(-1), 0
	for _, r := range rows {
		cell := cellOf(r.cells, field)
		if cell == "" {
			continue
		}
		v, ok := amount(cell)
		switch {
		case !ok:
			return math.Inf(1)
		case v < 0:
			return math.Inf(-1)
		case v > 0:
			positive++
		}
		largest = max(largest, v)
	}
	if positive < totalsFrom {
		return math.Inf(1)
	}
	return largest
}

// amount reads a number as people write it. A single mark before three digits
// parts thousands.
func amount(cell string) (float64, bool) {
	cell = strings.Trim(cell, " $£€¥%")
	mark := strings.LastIndexAny(cell, ".,")
	if mark >= 0 && strings.Count(cell, cell[mark:mark+1]) > 1 || mark == len(cell)-4 && !strings.ContainsAny(cell[:max(mark, 0)], ".,") {
		mark = -1
	}
	var b strings.Builder
	for i, r := range cell {
		switch {
		case i == mark:
			b.WriteByte('.')
		case r >= '0' && r <= '9' || r == '-' && i == 0:
			b.WriteRune(r)
		case !strings.ContainsRune(".,'’ \u00a0\u202f", r):
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(b.String(), 64)
	return v, err == nil
}

// match tells whether a record sums up others: a word for a total leads it, and
// it has no value in any other usual field of text, in half of the usual fields,
// or in one with types beside another that has. Where no text tells, a number that
// is no larger than that of a record is no sum.
func (t totals) match(cells []string) bool {
	label := firstFilled(cells)
	if label < 0 || !totalWord(cells[label]) {
		return false
	}
	usual, blank, texts, blankTexts, typed, blankTyped := 0, 0, 0, 0, 0, 0
	larger := false
	for f, is := range t.usual {
		if !is {
			continue
		}
		empty := cellOf(cells, f) == ""
		usual++
		if empty {
			blank++
		}
		if f != label && !t.typed[f] {
			texts++
			if empty {
				blankTexts++
			}
		}
		if t.typed[f] {
			typed++
			if empty {
				blankTyped++
			} else if v, ok := amount(cellOf(cells, f)); ok && v > t.most[f] {
				larger = true
			}
		}
	}
	return blank > 0 && (larger || blankTexts > 0) && (blankTexts == texts || blank*2 >= usual || blankTyped > 0 && blankTyped < typed)
}

// last answers the totals among n records that end a file, by index: the last
// one, and those directly before it. Records without values, and those refused
// already, are passed over. cells is nil for a refused record.
func (t totals) last(n int, cells func(i int) []string) []int {
	var found []int
	if t.usual == nil {
		return nil
	}
	for i := n - 1; i >= 0; i-- {
		record := cells(i)
		label := firstFilled(record)
		if label < 0 {
			continue
		}
		if !t.match(record) {
			if totalWord(record[label]) {
				return nil // a value, as in totalsOf
			}
			break
		}
		found = append(found, i)
	}
	slices.Reverse(found)
	return found
}

// firstFilled is the first field with a value, -1 where there is none.
func firstFilled(cells []string) int {
	return slices.IndexFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) != "" })
}

func cellOf(cells []string, field int) string {
	if field >= len(cells) {
		return ""
	}
	return strings.TrimSpace(cells[field])
}

// totalWord tells whether a cell says nothing but "total".
func totalWord(cell string) bool {
	const longest = 40 // bytes
	cell = strings.Trim(cell, " \t\u00a0\u3000:：*=")
	return len(cell) <= longest && totalWords[strings.Join(strings.Fields(strings.ToLower(cell)), " ")]
}

var totalWords = func() map[string]bool {
	words := map[string]bool{}
	for _, word := range []string{
		"sum", "sums", "total", "totals", "grand total", "grand-total", "grand totals", "overall total", "total sum", "sum total",
		"subtotal", "sub-total", "sub total", "subtotals", "σ", "∑", // English
		"summe", "summen", "gesamt", "gesamtsumme", "gesamtbetrag", "gesamtergebnis", "endsumme", "insgesamt",
		"summe gesamt", "zwischensumme", "teilsumme", "teilergebnis", "total gesamt", // German
		"somme", "totaux", "total général", "total general", "sous-total", "sous total", // French
		"suma", "suma total", "sumas", "totales", "total geral", "soma", "soma total", // Spanish, Portuguese
		"somma", "totale", "totali", "totale generale", "totale complessivo", "subtotale", "sub-totale", // Italian
		"totaal", "eindtotaal", "totalen", "subtotaal", // Dutch
		"summa", "totalsumma", "totalt", "delsumma", "sum totalt", "i alt", "ialt", "sum i alt", "delsum", // Swedish, Norwegian, Danish
		"yhteensä", "kokku", "kopā", "iš viso", // Finnish, Estonian, Latvian, Lithuanian
		"razem", "ogółem", "suma końcowa", "celkem", "celkom", "spolu", "součet", "súčet", // Polish, Czech, Slovak
		"összesen", "végösszeg", "ukupno", "skupaj", // Hungarian, Croatian, Slovenian
		"toplam", "genel toplam", "ara toplam", "σύνολο", "γενικό σύνολο", // Turkish, Greek
		"итого", "всего", "сумма", "итог", "общий итог", "подытог", "всього", "разом", "усього", "общо", "сума", // Russian, Ukrainian, Bulgarian
		"合計", "総計", "小計", "計", "总计", "合计", "小计", "總計", "总和", "총계", "합계", "소계", // Japanese, Chinese, Korean
		"tổng", "tổng cộng", "jumlah", "รวม", "รวมทั้งหมด", "कुल", "कुल योग", // Vietnamese, Indonesian, Thai, Hindi
		"المجموع", "الإجمالي", "الاجمالي", "סה\"כ", "סה״כ", // Arabic, Hebrew
	} {
		words[word] = true
	}
	return words
}()

package charts

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse"
)

// ranged are names of ranges, which have an order of their own: "18-24",
// "25 to 34", "1,000–1,999 km", and at the ends "55+", "under 18", "< 10 kg".
var ranged = regexp.MustCompile(`(?i)^(?:(<|≤|under|below|up to|less than|unter|bis)|(>|≥|over|above|from|more than|über|ab))?\s*[$€£]?(\d[\d,. ]*?)\s*(k|m)?\s*(?:(\+|and (?:over|more|older)|or (?:over|more|older)|und (?:älter|mehr))|(?:-|–|—|to|bis)\s*[$€£]?(\d[\d,. ]*?)\s*(k|m)?)?(?:\s*\p{L}[\p{L}.]*|\s*[%€$£])?$`)

// rangeStart is where a range begins, the open one below all others first;
// ok is false for what is no range. both tells that it names two ends.
func rangeStart(name string) (start float64, both, ok bool) {
	m := ranged.FindStringSubmatch(strings.TrimSpace(name))
	if m == nil {
		return 0, false, false
	}
	number := func(digits, scale string) (float64, bool) {
		v, err := strconv.ParseFloat(strings.NewReplacer(",", "", " ", "").Replace(digits), 64)
		switch strings.ToLower(scale) {
		case "k":
			v *= 1e3
		case "m":
			v *= 1e6
		}
		return v, err == nil
	}
	start, ok = number(m[3], m[4])
	if m[6] != "" {
		end, fits := number(m[6], m[7])
		return start, true, ok && fits && end > start && m[1] == "" && m[2] == ""
	}
	// A number alone is no range, and may be anything.
	if m[1] != "" {
		start -= 1e-9 // before the one that begins where it ends
	}
	return start, false, ok && (m[1] != "" || m[2] != "" || m[5] != "")
}

// leastRanges is how many names with two ends make the values of a column
// ranges.
const leastRanges = 2

// Ranges tells whether texts are ranges, "18-24", "25-34", "55+", which follow
// each other whatever is measured. Null is none of them.
func Ranges(texts []string) bool {
	whole := 0
	for _, text := range texts {
		if text == Null {
			continue
		}
		_, both, ok := rangeStart(text)
		if !ok {
			return false
		}
		if both {
			whole++
		}
	}
	return whole >= leastRanges
}

// ordered puts what stands for rows in the order of the ranges that a column of
// texts names, where all of its values are such: no value and what is folded
// together stand last. It leaves others as they are, and answers whether it did
// anything.
func ordered[T any](d *drawing, x *warehouse.ResultColumn, list []T, rowOf func(T) int) bool {
	if x.Type != warehouse.Text || len(list) > MaxBars {
		return false
	}
	starts, whole := make(map[int]float64, len(list)), 0
	for _, each := range list {
		row := rowOf(each)
		if row < 0 || x.IsNull(row) || d.isOther(row) {
			continue
		}
		start, both, ok := rangeStart(x.Texts[row])
		if !ok {
			return false
		}
		if starts[row] = start; both {
			whole++
		}
	}
	if whole < leastRanges {
		return false
	}
	slices.SortStableFunc(list, func(a, b T) int {
		first, known := starts[rowOf(a)]
		second, has := starts[rowOf(b)]
		switch {
		case known && !has:
			return -1
		case has && !known:
			return 1
		}
		return cmp.Compare(first, second)
	})
	return true
}

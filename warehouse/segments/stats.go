package segments

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxTextBound is how much of a text is kept as a bound.
const maxTextBound = 64

// statsOf turns what COPY answers for each column into ranges. A column whose
// bounds cannot be told for certain gets no entry.
func statsOf(columns []Column, byName map[string]map[string]string, rows int64) map[int32]Range {
	stats := map[int32]Range{}
	for _, c := range columns {
		answer, known := byName[ColumnName(c.ID)]
		if !known || answer["has_nan"] == "true" {
			continue
		}
		nulls, err := strconv.ParseInt(answer["null_count"], 10, 64)
		if err != nil {
			continue
		}
		low, hasLow := answer["min"]
		high, hasHigh := answer["max"]
		if nulls == rows {
			stats[c.ID] = Range{Nulls: nulls}
			continue
		}
		if !hasLow || !hasHigh {
			continue
		}
		if r, ok := rangeOf(c, low, high); ok {
			r.Nulls = nulls
			stats[c.ID] = r
		}
	}
	return stats
}

func rangeOf(c Column, low, high string) (r Range, ok bool) {
	switch c.Type {
	case Text:
		return Range{Min: cutDown(low), Max: cutUp(high)}, true
	case Float:
		return floatRange(low, high)
	case Decimal:
		return decimalRange(low, high)
	}
	from, ok1 := integerBound(c.Type, low)
	to, ok2 := integerBound(c.Type, high)
	return Range{Min: from, Max: to}, ok1 && ok2
}

func integerBound(t Type, text string) (int64, bool) {
	switch t {
	case Integer:
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	case Boolean:
		switch text {
		case "0", "false":
			return 0, true
		case "1", "true":
			return 1, true
		}
		return 0, false
	case Date:
		d, err := time.Parse(time.DateOnly, text)
		return int64(math.Floor(float64(d.Unix()) / 86400)), err == nil
	}
	text = strings.TrimSuffix(text, "+00")
	moment, err := time.Parse("2006-01-02 15:04:05.999999", text)
	return moment.UnixMicro(), err == nil
}

func floatRange(low, high string) (Range, bool) {
	from, err1 := strconv.ParseFloat(low, 64)
	to, err2 := strconv.ParseFloat(high, 64)
	if err1 != nil || err2 != nil || math.IsNaN(from) || math.IsNaN(to) {
		return Range{}, false
	}
	return Range{Min: from, Max: to}, true
}

// decimalRange rounds outward where float64 cannot hold a bound.
func decimalRange(low, high string) (Range, bool) {
	from, ok1 := roundedOutward(low, math.Inf(-1))
	to, ok2 := roundedOutward(high, math.Inf(1))
	return Range{Min: from, Max: to}, ok1 && ok2
}

func roundedOutward(text string, towards float64) (float64, bool) {
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, false
	}
	f, same := exact.Float64()
	if !same {
		f = math.Nextafter(f, towards)
	}
	return f, true
}

func cutDown(text string) string {
	if len(text) <= maxTextBound {
		return text
	}
	cut := maxTextBound
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

// cutUp shortens an upper bound and raises the last character that can be, so
// that it stays above every text with that beginning.
func cutUp(text string) string {
	if len(text) <= maxTextBound {
		return text
	}
	runes := []rune(cutDown(text))
	for i := len(runes) - 1; i >= 0; i-- {
		if runes[i] < utf8.MaxRune {
			runes[i]++
			if runes[i] >= 0xD800 && runes[i] <= 0xDFFF {
				runes[i] = 0xE000
			}
			return string(runes[:i+1])
		}
	}
	return text
}

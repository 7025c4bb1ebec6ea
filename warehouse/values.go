package warehouse

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// readNumber reads a JSON number exactly: as an integer where it is one, else
// as decimal digits.
func readNumber(raw json.RawMessage) (value, bool) {
	text := string(raw)
	if text == "" || text[0] == '"' || text == "true" || text == "false" || text == "null" {
		return value{}, false
	}
	return parseNumber(text)
}

func parseNumber(text string) (value, bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(text, "xXpP_") {
		return value{}, false
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return value{K: "i", I: i}, true
	}
	if f != 0 && (math.Abs(f) < 1e-30 || math.Abs(f) > 1e37) {
		return value{K: "f", F: f}, true
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return value{}, false
	}
	return ratValue(r, f), true
}

// ratValue keeps at most 38 digits; a number with more is a float.
func ratValue(r *big.Rat, f float64) value {
	if r.IsInt() {
		if n := r.Num(); n.IsInt64() {
			return value{K: "i", I: n.Int64()}
		}
	}
	digits := r.FloatString(37)
	if strings.Contains(digits, ".") {
		digits = strings.TrimRight(strings.TrimRight(digits, "0"), ".")
	}
	if back, ok := new(big.Rat).SetString(digits); !ok || back.Cmp(r) != 0 {
		return value{K: "f", F: f}
	}
	if len(strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(digits), "0")) > 38 || digitsAfterPoint(digits) > 37 {
		return value{K: "f", F: f}
	}
	return value{K: "d", S: digits}
}

func digitsAfterPoint(digits string) int {
	if i := strings.IndexByte(digits, '.'); i >= 0 {
		return len(digits) - i - 1
	}
	return 0
}

// float is the value as a float64, for pruning and for float columns.
func (v value) float() float64 {
	switch v.K {
	case "i":
		return float64(v.I)
	case "f":
		return v.F
	}
	f, _ := strconv.ParseFloat(v.S, 64)
	return f
}

func (v value) rat() *big.Rat {
	switch v.K {
	case "i":
		return new(big.Rat).SetInt64(v.I)
	case "f":
		r := new(big.Rat)
		if r.SetFloat64(v.F) == nil {
			return new(big.Rat)
		}
		return r
	}
	r, ok := new(big.Rat).SetString(v.S)
	if !ok {
		return new(big.Rat)
	}
	return r
}

// moment is what a text says about time: a point of microsecond width or a
// whole day, on the wall clock; or an instant, where it has an offset.
type moment struct {
	from, to int64 // wall clock, half-open
	instant  bool  // from is an instant instead
	day      bool
}

var wallLayouts = []string{"2006-01-02T15:04:05.999999", "2006-01-02 15:04:05.999999", "2006-01-02T15:04", "2006-01-02 15:04"}

var instantLayouts = []string{"2006-01-02T15:04:05.999999Z07:00", "2006-01-02 15:04:05.999999Z07:00", "2006-01-02T15:04Z07:00"}

func parseMoment(text string) (moment, bool) {
	if len(text) < 10 || len(text) > 40 {
		return moment{}, false
	}
	if t, err := time.Parse("2006-01-02", text); err == nil {
		return wallMoment(t, dayMicros, true)
	}
	for _, layout := range wallLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return wallMoment(t, 1, false)
		}
	}
	for _, layout := range instantLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			m, ok := wallMoment(t.UTC(), 1, false)
			m.instant = true
			return m, ok
		}
	}
	return moment{}, false
}

func wallMoment(t time.Time, width int64, day bool) (moment, bool) {
	if t.Year() < 1 || t.Year() > 9999 {
		return moment{}, false
	}
	from := t.UnixMicro()
	return moment{from: from, to: from + width, day: day}, true
}

func stringOf(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

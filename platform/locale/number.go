package locale

import (
	"math"
	"strconv"
	"strings"
)

// Style is the kind of quantity that a number is.
type Style string

// The styles. The zero value is Number.
const (
	Number   Style = "number"
	Currency Style = "currency"
	Percent  Style = "percent"  // a fraction: 0.946 is 94.6%
	Points   Style = "pp"       // a difference of fractions: 0.008 is 0.8 pp
	Duration Style = "duration" // seconds
	Bytes    Style = "bytes"    // powers of ten
)

// Format says what a number means and how exactly to write it. It travels to
// the browser as JSON, where the same rules apply.
type Format struct {
	Style  Style  `json:"fmt,omitempty"`
	Symbol string `json:"symbol,omitempty"` // of a currency: "£"
	Unit   string `json:"unit,omitempty"`   // of a number, behind it: "min"
	// Decimals fixes the number of decimals; nil leaves it to the place where
	// the number stands.
	Decimals *int `json:"decimals,omitempty"`
	// Scale fixes the compact mark: 0 none, 1 thousands, 2 millions, 3
	// billions, 4 trillions. FitColumn sets it, so that all cells agree.
	Scale int `json:"scale,omitempty"`
	// Compact allows a compact mark where the number is large.
	Compact bool `json:"compact,omitempty"`
	// Integer says that the values are whole: counts.
	Integer bool `json:"integer,omitempty"`
}

const (
	minus     = "\u2212"
	missing   = "—"
	forbidden = "•••"
	infinity  = "∞"
)

// Missing stands where there is no value.
const Missing = missing

// Forbidden stands where there is one that the person may not see.
const Forbidden = forbidden

// compactFrom is where whole numbers stop being written out in headlines.
const compactFrom = 100_000

// KPI writes a headline: short, at most four significant digits unless it is a
// whole number under 100,000: £2.02M, 42,318, 94.6%.
func (l *Locale) KPI(v float64, f Format) string {
	switch f.Style {
	case Duration, Bytes:
		return l.Full(v, f)
	case Percent, Points:
		if f.Decimals == nil {
			f.Decimals = ptr(percentDecimals(v * 100))
		}
		return l.write(v, f)
	}
	f.Scale = 0
	abs := math.Abs(v)
	if abs >= compactFrom || roundsTo(abs, compactFrom) {
		f.Scale, abs = scaleOf(abs)
		f.Decimals = ptr(headlineDecimals(abs))
		return l.write(v, f)
	}
	if f.Decimals != nil {
		return l.write(v, f)
	}
	switch {
	case f.Integer || v == math.Trunc(v) && f.Style != Currency:
		f.Decimals = ptr(0)
	case f.Style == Currency:
		f.Decimals = ptr(choose(abs < 99.995 && v != 0, 2, 0))
	default:
		f.Decimals = ptr(headlineDecimals(abs))
	}
	return l.write(v, f)
}

// headlineDecimals keeps four significant digits and at most two decimals.
func headlineDecimals(abs float64) int {
	switch {
	case abs == 0:
		return 0
	case abs < 0.01:
		return 4
	case abs < 0.1:
		return 3
	case abs < 99.995:
		return 2
	case abs < 999.95:
		return 1
	}
	return 0
}

func percentDecimals(percent float64) int {
	abs := math.Abs(percent)
	switch {
	case abs == 0, abs >= 999.95:
		return 0
	case abs < 0.1:
		return 2
	}
	return 1
}

// roundsTo tells whether a value just under a limit would be written as it.
func roundsTo(abs, limit float64) bool { return abs < limit && math.Round(abs) >= limit }

// scaleOf splits a large value into a compact mark and what stands before it.
// 999,960 is 1.00M rather than 1000.0k.
func scaleOf(abs float64) (scale int, mantissa float64) {
	mantissa = abs
	for scale < 4 && mantissa >= 999.95 {
		mantissa /= 1000
		scale++
	}
	return scale, mantissa
}

// Full writes a value out, for tooltips and copying: £2,018,441.27.
func (l *Locale) Full(v float64, f Format) string {
	f.Scale = 0
	switch f.Style {
	case Duration:
		return l.Seconds(v)
	case Bytes:
		return l.Size(v)
	case Percent, Points:
		if f.Decimals == nil {
			f.Decimals = ptr(choose(v*100 == math.Trunc(v*100), 0, 2))
		}
		return l.write(v, f)
	}
	if f.Decimals != nil {
		return l.write(v, f)
	}
	switch {
	case f.Integer, v == math.Trunc(v):
		f.Decimals = ptr(0)
	case f.Style == Currency:
		f.Decimals = ptr(2)
	default:
		return l.trimmed(v, f, fullDecimals(v))
	}
	return l.write(v, f)
}

// fullDecimals keeps six significant digits of a small value, and two decimals
// at least.
func fullDecimals(v float64) int {
	abs := math.Abs(v)
	if abs == 0 {
		return 0
	}
	return max(2, min(12, 5-int(math.Floor(math.Log10(abs)))))
}

// Integer writes a whole number: 42,318.
func (l *Locale) Integer(n int64) string {
	text := strconv.FormatInt(n, 10)
	if digits, negative := strings.CutPrefix(text, "-"); negative {
		return minus + l.grouped(digits)
	}
	return l.grouped(text)
}

// FitColumn settles how the cells of one table column are written: one number
// of decimals and one compact mark for all of them. Values that are not finite
// are left out of account.
func FitColumn(values []float64, f Format) Format {
	largest, whole := 0.0, true
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		largest = max(largest, math.Abs(v))
		whole = whole && v == math.Trunc(v)
	}
	switch f.Style {
	case Duration, Bytes:
		return f
	case Percent, Points:
		if f.Decimals == nil {
			f.Decimals = ptr(1)
		}
		return f
	}
	if f.Compact && largest >= compactFrom {
		f.Scale, largest = scaleOf(largest)
		f.Decimals = ptr(1)
		if largest < 10 { // 2.02M beside 0.34M
			f.Decimals = ptr(2)
		}
		return f
	}
	if f.Decimals == nil {
		switch {
		case f.Integer || whole:
			f.Decimals = ptr(0)
		case f.Style == Currency:
			f.Decimals = ptr(2)
		case largest < 1:
			f.Decimals = ptr(headlineDecimals(largest))
		default:
			f.Decimals = ptr(1)
		}
	}
	return f
}

// Cell writes a value of a table column whose format FitColumn settled.
func (l *Locale) Cell(v float64, f Format) string {
	if f.Style == Duration || f.Style == Bytes || f.Decimals == nil {
		return l.Full(v, f)
	}
	return l.write(v, f)
}

// Axis writes a tick as short as it can be without losing anything: £80k, £0.
func (l *Locale) Axis(v float64, f Format) string {
	switch f.Style {
	case Duration, Bytes:
		return l.Full(v, f)
	case Percent, Points:
		return l.trimmed(v, f, 4)
	}
	f.Scale = 0
	if abs := math.Abs(v); abs >= 1000 {
		f.Scale, _ = scaleOf(abs)
	}
	return l.trimmed(v, f, 6)
}

// Delta is a change, with what it is compared to.
type Delta struct {
	Text      string // with its sign: "+6.2%", "−2.3%", "+0.8 pp"
	Magnitude string // without: "6.2%", beside an arrow
	Direction int    // -1, 0 or 1; 0 also when it rounds to nothing
	Known     bool   // false when there is nothing to compare with
}

// Delta compares a value with an earlier one: relative, or in percentage
// points where the values are fractions.
func (l *Locale) Delta(now, before float64, f Format) Delta {
	change, style := (now-before)/math.Abs(before), Percent
	if f.Style == Percent {
		change, style = now-before, Points
	}
	if math.IsNaN(change) || math.IsInf(change, 0) {
		return Delta{Text: missing, Magnitude: missing}
	}
	d := Delta{Known: true, Direction: sign(change)}
	decimals := 1
	if style == Percent && math.Abs(change)*100 >= 999.95 {
		decimals = 0
	}
	// What is written as nothing has no direction.
	if math.Round(math.Abs(change)*1000) == 0 {
		d.Direction, change = 0, 0
	}
	d.Magnitude = l.write(math.Abs(change), Format{Style: style, Decimals: &decimals})
	switch d.Direction {
	case 1:
		d.Text = "+" + d.Magnitude
	case -1:
		d.Text = minus + d.Magnitude
	default:
		d.Text = d.Magnitude
	}
	return d
}

// write puts the parts together: sign, symbol, digits, mark, unit.
func (l *Locale) write(v float64, f Format) string {
	if math.IsNaN(v) {
		return missing
	}
	if math.IsInf(v, 0) {
		return signText(v) + infinity
	}
	if f.Style == Percent || f.Style == Points {
		v *= 100
	}
	abs := math.Abs(v) / math.Pow10(3*f.Scale)
	decimals := 0
	if f.Decimals != nil {
		decimals = min(max(*f.Decimals, 0), 12)
	}
	digits := strconv.FormatFloat(roundHalfAway(abs, decimals), 'f', decimals, 64)
	return l.dress(v, digits, f)
}

// roundHalfAway rounds the shortest decimal form of v, as a person would on
// paper: 1.005 to two decimals is 1.01. The browser does the same.
func roundHalfAway(v float64, decimals int) float64 {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) <= decimals {
		return v
	}
	kept, _ := strconv.ParseFloat(whole+"."+fraction[:decimals]+"0", 64)
	if fraction[decimals] < '5' {
		return kept
	}
	return kept + math.Pow10(-decimals)
}

// trimmed writes up to that many decimals, without zeros at the end.
func (l *Locale) trimmed(v float64, f Format, decimals int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return l.write(v, f)
	}
	shown := v
	if f.Style == Percent || f.Style == Points {
		shown *= 100
	}
	abs := math.Abs(shown) / math.Pow10(3*f.Scale)
	digits := strconv.FormatFloat(roundHalfAway(abs, decimals), 'f', decimals, 64)
	if strings.Contains(digits, ".") {
		digits = strings.TrimSuffix(strings.TrimRight(digits, "0"), ".")
	}
	return l.dress(shown, digits, f)
}

func (l *Locale) dress(v float64, digits string, f Format) string {
	whole, fraction, _ := strings.Cut(digits, ".")
	text := l.grouped(whole)
	if fraction != "" {
		text += l.Decimal + fraction
	}
	if f.Scale > 0 && f.Scale <= len(l.Compact) {
		text += l.Compact[f.Scale-1]
	}
	switch f.Style {
	case Currency:
		if l.CurrencyAfter {
			text += nbsp + f.Symbol
		} else {
			text = f.Symbol + symbolGap(f.Symbol) + text
		}
	case Percent:
		text += l.PercentGap + "%"
	case Points:
		text += nbsp + "pp"
	default:
		if f.Unit != "" {
			text += nbsp + f.Unit
		}
	}
	// Nothing is written as minus nothing.
	if strings.Trim(digits, "0.") == "" {
		return text
	}
	return signText(v) + text
}

// symbolGap separates a symbol of letters from its number: CHF 20, £20.
func symbolGap(symbol string) string {
	if symbol == "" {
		return ""
	}
	if last := symbol[len(symbol)-1]; last >= 'A' && last <= 'Z' || last >= 'a' && last <= 'z' {
		return nbsp
	}
	return ""
}

func (l *Locale) grouped(digits string) string {
	if len(digits) < l.GroupMin || len(digits) <= 3 || l.Group == "" {
		return digits
	}
	var b strings.Builder
	head := len(digits) % 3
	b.WriteString(digits[:head])
	for i := head; i < len(digits); i += 3 {
		if i > 0 {
			b.WriteString(l.Group)
		}
		b.WriteString(digits[i : i+3])
	}
	return b.String()
}

func sign(v float64) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

func signText(v float64) string {
	if v < 0 {
		return minus
	}
	return ""
}

func ptr[T any](v T) *T { return &v }

func choose[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// Plain writes a number to be changed by people: all its digits, and no groups.
func (l *Locale) Plain(v float64) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', -1, 64), ".", l.Decimal, 1)
}

// ParseNumber reads a number as people of the locale write it, with or without
// groups: "1,250.5" in English, "1.250,5" in German, "1’250.5" in Switzerland, and
// with blanks everywhere. A point is taken for the decimal sign wherever it can't
// be that of a group.
func (l *Locale) ParseNumber(text string) (v float64, ok bool) {
	plain := strings.NewReplacer(nbsp, " ", "\u202f", " ", minus, "-", "'", "’")
	text, group := strings.TrimSpace(plain.Replace(text)), plain.Replace(l.Group)
	whole, rest, fraction := strings.Cut(text, l.Decimal)
	for _, sign := range []string{group, " "} {
		if parts := strings.Split(whole, sign); sign != "" && grouped(parts) {
			whole = strings.Join(parts, "")
			break
		}
	}
	if fraction {
		whole += "." + rest
	}
	v, err := strconv.ParseFloat(whole, 64)
	return v, err == nil && !strings.ContainsAny(text, "xXpPiInN_")
}

// grouped tells whether parts are those of a number in groups of three digits.
func grouped(parts []string) bool {
	for i, part := range parts {
		digits := strings.TrimLeft(part, "+-")
		if i == 0 && (len(digits) < 1 || len(digits) > 3 || digits[0] == '0') || i > 0 && len(part) != 3 || strings.Trim(digits, "0123456789") != "" {
			return false
		}
	}
	return len(parts) > 1
}

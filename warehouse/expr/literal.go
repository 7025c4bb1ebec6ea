package expr

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// number reads a number exactly: an integer where it fits, else a decimal of
// up to 38 digits; with an exponent, a float.
func (c *checker) number(n *Node) (*Tree, error) {
	if strings.ContainsAny(n.Text, "eE") {
		f, err := strconv.ParseFloat(n.Text, 64)
		if err != nil || math.IsInf(f, 0) {
			return nil, c.fail(ErrLiteral, n, "%s is beyond what a number can be.", c.source(n))
		}
		return Literal(segments.Float, 0, 0, Value{F: f}), nil
	}
	if i, err := strconv.ParseInt(n.Text, 10, 64); err == nil {
		return Literal(segments.Integer, 0, 0, Value{I: i}), nil
	}
	sign, digits := "", n.Text
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	whole, places, _ := strings.Cut(digits, ".")
	whole = strings.TrimLeft(whole, "0")
	if len(whole)+len(places) > maxPrecision {
		return nil, c.fail(ErrLiteral, n, "A number has at most %d digits.", maxPrecision)
	}
	text := sign + whole
	if whole == "" {
		text = sign + "0"
	}
	if places != "" {
		text += "." + places
	}
	return Literal(segments.Decimal, uint8(max(len(whole)+len(places), 1)), uint8(len(places)), Value{S: text}), nil
}

const (
	wallLayout    = "2006-01-02 15:04:05.999999"
	instantLayout = "2006-01-02 15:04:05.999999Z07:00"
)

// date reads what stands between # signs.
func (c *checker) date(n *Node, text string) (*Tree, error) {
	at, err := time.Parse(time.DateOnly, text)
	t := segments.Date
	if err != nil {
		spaced := strings.Replace(text, "T", " ", 1)
		for _, l := range []struct {
			layout string
			t      Type
		}{{wallLayout, segments.Timestamp}, {"2006-01-02 15:04", segments.Timestamp},
			{instantLayout, segments.TimestampTZ}, {"2006-01-02 15:04Z07:00", segments.TimestampTZ}} {
			if at, err = time.Parse(l.layout, spaced); err == nil {
				t = l.t
				break
			}
		}
	}
	if err != nil || at.UTC().Year() < 1 || at.UTC().Year() > 9999 {
		return nil, c.fail(ErrLiteral, n, "%q is no date. Write #2026-06-14#, or with a time #2026-06-14 13:30:00#.", clip(text))
	}
	v := Value{I: at.UnixMicro()}
	if t == segments.Date {
		v.I = at.Unix() / 86400
	}
	return Literal(t, 0, 0, v), nil
}

func floatOf(digits string) float64 {
	f, _ := strconv.ParseFloat(digits, 64) // digits come from number
	return f
}

package warehouse

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends the result as one JSON object:
//
//	{"columns":[{"name","type"}],"rows":[[…]],"dataset_version","sampled"}
//
// and, where they apply, "more", "other_rows" (indices of the rows that are
// "Other"), "span" and "previous_span". Decimals are numbers with all of their
// digits, dates "2001-12-31", timestamps "2001-12-31T23:59:59.5", those with
// time zone with the offset of the result's zone. A float that is no number
// is null. sampled is false, or {"rate","error"}.
func (r *Result) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"columns":[`...)
	for i := range r.Columns {
		c := &r.Columns[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"name":`...)
		dst = appendQuoted(dst, c.Name)
		dst = append(dst, `,"type":"`...)
		dst = append(dst, c.Type...)
		dst = append(dst, '"')
		if c.Grain != "" {
			dst = append(dst, `,"grain":"`...)
			dst = append(dst, c.Grain...)
			dst = append(dst, '"')
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `],"rows":[`...)
	z, err := loadZone(r.Timezone)
	if err != nil { // a zone that was known when the result was made
		z, _ = loadZone("UTC")
	}
	for row := range r.Rows {
		if row > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		for i := range r.Columns {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = r.appendValue(dst, &r.Columns[i], row, z)
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `],"dataset_version":`...)
	dst = strconv.AppendInt(dst, r.Version, 10)
	if r.More {
		dst = append(dst, `,"more":true`...)
	}
	if r.OtherRows != nil {
		dst = append(dst, `,"other_rows":[`...)
		first := true
		for i, other := range r.OtherRows {
			if other {
				if !first {
					dst = append(dst, ',')
				}
				first = false
				dst = strconv.AppendInt(dst, int64(i), 10)
			}
		}
		dst = append(dst, ']')
	}
	dst = appendSpan(dst, "span", r.Span)
	dst = appendSpan(dst, "previous_span", r.Previous)
	if !r.ToDate.IsZero() {
		dst = appendTime(append(dst, `,"to_date":`...), r.ToDate)
	}
	if r.Few {
		dst = append(dst, `,"small_groups_withheld":true`...)
	}
	dst = append(dst, `,"sampled":`...)
	if r.Sampled == nil {
		return append(dst, "false}"...)
	}
	dst = append(dst, `{"rate":`...)
	dst = strconv.AppendInt(dst, int64(r.Sampled.Rate), 10)
	dst = append(dst, `,"error":`...)
	dst = appendFloat(dst, r.Sampled.Error)
	return append(dst, "}}"...)
}

func appendSpan(dst []byte, name string, s *Span) []byte {
	if s == nil {
		return dst
	}
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":[`...)
	for i, t := range []time.Time{s.From, s.To} {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendTime(dst, t)
	}
	return append(dst, ']')
}

func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, "null"...)
	}
	layout := "2006-01-02T15:04:05.999999Z07:00"
	if t.Location() == time.UTC {
		layout = "2006-01-02T15:04:05.999999"
	}
	return append(t.AppendFormat(append(dst, '"'), layout), '"')
}

func (r *Result) appendValue(dst []byte, c *ResultColumn, row int, z *zone) []byte {
	if c.IsNull(row) {
		if c.Dimension && c.Type == Text && r.OtherRows != nil && r.OtherRows[row] {
			return append(dst, `"Other"`...)
		}
		return append(dst, "null"...)
	}
	switch c.Type {
	case Text:
		return appendQuoted(dst, c.Texts[row])
	case Float:
		return appendFloat(dst, c.Floats[row])
	case Decimal:
		return append(dst, c.Exact[row]...)
	case Boolean:
		return strconv.AppendBool(dst, c.Ints[row] != 0)
	case Date:
		dst = append(dst, '"')
		dst = appendDay(dst, c.Ints[row])
		return append(dst, '"')
	case Timestamp:
		dst = append(dst, '"')
		dst = appendMoment(dst, c.Ints[row])
		return append(dst, '"')
	case TimestampTZ:
		dst = append(dst, '"')
		offset := z.offsetAt(c.Ints[row])
		dst = appendMoment(dst, c.Ints[row]+offset)
		dst = appendOffset(dst, offset)
		return append(dst, '"')
	}
	return strconv.AppendInt(dst, c.Ints[row], 10)
}

// appendDay writes "2006-01-02".
func appendDay(dst []byte, day int64) []byte {
	y, m, d := time.Unix(day*86400, 0).UTC().Date()
	if y < 0 || y > 9999 {
		return time.Unix(day*86400, 0).UTC().AppendFormat(dst, time.DateOnly)
	}
	dst = append(dst, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10), '-')
	dst = append(dst, byte('0'+m/10), byte('0'+m%10), '-')
	return append(dst, byte('0'+d/10), byte('0'+d%10))
}

// appendMoment writes wall-clock microseconds as "2006-01-02T15:04:05.999999",
// without the zeros at the end of the fraction.
func appendMoment(dst []byte, wall int64) []byte {
	day := floorDiv(wall, dayMicros)
	rest := wall - day*dayMicros
	dst = appendDay(dst, day)
	seconds, micros := rest/secondMicros, rest%secondMicros
	two := func(n int64, before byte) { dst = append(dst, before, byte('0'+n/10), byte('0'+n%10)) }
	two(seconds/3600, 'T')
	two(seconds/60%60, ':')
	two(seconds%60, ':')
	if micros == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(100_000); micros > 0; unit /= 10 {
		dst = append(dst, byte('0'+micros/unit))
		micros %= unit
	}
	return dst
}

// appendOffset writes "Z" or "+05:45". Seconds of old offsets are cut, as
// RFC 3339 has no place for them.
func appendOffset(dst []byte, offset int64) []byte {
	if offset == 0 {
		return append(dst, 'Z')
	}
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	minutes := offset / minuteMicros
	return append(dst, sign, byte('0'+minutes/600), byte('0'+minutes/60%10), ':', byte('0'+minutes%60/10), byte('0'+minutes%10))
}

// appendFloat writes the shortest digits that read back as f.
func appendFloat(dst []byte, f float64) []byte {
	if !finite(f) {
		return append(dst, "null"...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64)
}

const hexDigits = "0123456789abcdef"

// appendQuoted writes a JSON string that is also safe inside HTML.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b >= 0x20 && b < utf8.RuneSelf && b != '"' && b != '\\' && b != '<' && b != '>' && b != '&' {
			i++
			continue
		}
		if b < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			switch b {
			case '"', '\\':
				dst = append(dst, '\\', b)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
			}
			i++
			start = i
			continue
		}
		c, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\\ufffd"...)
			start = i + size
		case c == '\u2028' || c == '\u2029':
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\\u202"...)
			dst = append(dst, hexDigits[c&15])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

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
		switch {
		case t.IsZero():
			dst = append(dst, "null"...)
		case t.Location() == time.UTC:
			dst = append(dst, '"')
			dst = t.AppendFormat(dst, "2006-01-02T15:04:05.999999")
			dst = append(dst, '"')
		default:
			dst = append(dst, '"')
			dst = t.AppendFormat(dst, "2006-01-02T15:04:05.999999Z07:00")
			dst = append(dst, '"')
		}
	}
	return append(dst, ']')
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
		return appendTime(dst, time.Unix(c.Ints[row]*86400, 0).UTC(), "2006-01-02")
	case Timestamp:
		return appendTime(dst, time.UnixMicro(c.Ints[row]).UTC(), "2006-01-02T15:04:05.999999")
	case TimestampTZ:
		return appendTime(dst, time.UnixMicro(c.Ints[row]).In(z.loc), "2006-01-02T15:04:05.999999Z07:00")
	}
	return strconv.AppendInt(dst, c.Ints[row], 10)
}

func appendTime(dst []byte, t time.Time, layout string) []byte {
	dst = append(dst, '"')
	dst = t.AppendFormat(dst, layout)
	return append(dst, '"')
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

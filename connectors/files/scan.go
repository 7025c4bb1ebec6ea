package files

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/dataflowhq/dataflow/platform/records"
)

// dialect is how fields and records are told apart in delimited text.
type dialect struct {
	delimiter byte // 0 for none: every line is one field
	quote     byte // 0 for none
	backslash bool // a backslash escapes the quote, instead of the quote twice
}

// scanner splits text into records by the rules of docs/files.md. It keeps no
// state between calls.
type scanner struct {
	dialect
	fields    int
	fillShort bool // accept records with too few fields
	cutLong   bool // accept records with too many fields
	// optional is how many of the last fields a record may lack, because the
	// header has no name for them.
	optional  int
	maxRecord int // bytes
}

// scanned is the outcome of one scan.
type scanned struct {
	spans    []records.Span
	raw      []records.Span
	lines    []int64 // line of each record, from 0 for the first of the data
	problems []records.Problem
	consumed int   // where the first unfinished record begins
	newlines int64 // line ends before consumed
	tooLong  bool  // the record at consumed is longer than maxRecord
}

func (o *scanned) reset() {
	*o = scanned{spans: o.spans[:0], raw: o.raw[:0], lines: o.lines[:0], problems: o.problems[:0]}
}

func (o *scanned) add(raw records.Span, line int64) {
	o.raw = append(o.raw, raw)
	o.lines = append(o.lines, line)
}

// scan splits data, which begins where a record may begin, into its complete
// records. When final is set data ends the file, and what is left at its end is
// a record too.
func (s *scanner) scan(data []byte, final bool, out *scanned) {
	out.reset()
	quoted := s.quote != 0 && bytes.IndexByte(data, s.quote) >= 0
	loneCR := hasLoneCR(data)
	for out.consumed < len(data) {
		if !loneCR {
			s.plain(data, quoted, out)
			if out.consumed >= len(data) {
				return
			}
		}
		if !s.careful(data, final, out) {
			out.tooLong = out.tooLong || !final && len(data)-out.consumed > s.maxRecord
			return
		}
	}
}

// plain takes records as long as they have the right number of fields, end in
// LF or CRLF and their quotes are in order. It is the fast path: nearly all
// records of nearly all files.
func (s *scanner) plain(data []byte, quoted bool, out *scanned) {
	delimiter, quote := s.delimiter, s.quote
	if delimiter == 0 {
		delimiter = '\n'
	}
	quoted = quoted && !s.backslash
	if s.backslash && bytes.IndexByte(data, quote) >= 0 {
		return
	}
	delimiters := uint64(delimiter) * lowBits
	spans, n := out.spans, len(data)
	pos, line := out.consumed, out.newlines
	for pos < n {
		start, first, count, startLine := pos, len(spans), 0, line
		switch c := data[pos]; {
		case c == '\n':
			pos++
			line++
			continue
		case c == ' ' || c == '\t' || c == '\r':
			if quoted || isBlank(data[pos:], delimiter) {
				goto stop
			}
		}
		for {
			from := pos
			var span records.Span
			if quoted && pos < n && (data[pos] == quote || data[pos] == ' ' || data[pos] == '\t') {
				if data[pos] != quote {
					goto stop
				}
				pos++
				escapes := false
				for {
					for pos+8 <= n {
						word := binary.LittleEndian.Uint64(data[pos:])
						if hit := zeroBytes(word ^ uint64(quote)*lowBits); hit != 0 {
							pos += bits.TrailingZeros64(hit) >> 3
							break
						}
						pos += 8
					}
					for pos < n && data[pos] != quote {
						pos++
					}
					if pos+1 < n && data[pos+1] == quote {
						escapes = true
						pos += 2
						continue
					}
					break
				}
				if pos+2 >= n {
					goto stop
				}
				line += int64(bytes.Count(data[from:pos], newline))
				if escapes {
					span = records.Escaped(from+1, pos)
				} else {
					span = records.Plain(from+1, pos)
				}
				pos++
				if data[pos] == '\r' && data[pos+1] == '\n' {
					pos++
				} else if data[pos] != delimiter && data[pos] != '\n' {
					goto stop
				}
			} else {
				for pos+8 <= n {
					word := binary.LittleEndian.Uint64(data[pos:])
					hit := zeroBytes(word^delimiters) | zeroBytes(word^('\n'*lowBits))
					if hit != 0 {
						pos += bits.TrailingZeros64(hit) >> 3
						break
					}
					pos += 8
				}
				for pos < n && data[pos] != delimiter && data[pos] != '\n' {
					pos++
				}
				if pos >= n {
					goto stop
				}
				end := pos
				if data[pos] == '\n' && end > from && data[end-1] == '\r' {
					end--
				}
				span = records.Plain(from, end)
			}
			count++
			if count <= s.fields {
				spans = append(spans, span)
			}
			if data[pos] == '\n' {
				if count != s.fields || pos-start > s.maxRecord {
					goto stop
				}
				end := pos
				if data[end-1] == '\r' && end > start {
					end--
				}
				out.add(records.Plain(start, end), startLine)
				pos++
				line++
				break
			}
			pos++
		}
		continue
	stop:
		spans, pos, line = spans[:first], start, startLine
		break
	}
	out.spans, out.consumed, out.newlines = spans, pos, line
}

var newline = []byte{'\n'}

const lowBits, highBits = 0x0101010101010101, 0x8080808080808080

// zeroBytes sets the top bit of every byte of x that is zero. Bits above the
// lowest one set may be wrong, so only that may be used.
func zeroBytes(x uint64) uint64 { return (x - lowBits) &^ x & highBits }

// careful takes one record or one blank line at out.consumed, whatever it looks
// like. It answers false where the record's end is not in data yet.
func (s *scanner) careful(data []byte, final bool, out *scanned) bool {
	start, first := out.consumed, len(out.spans)
	pos, lines, count, extra := start, int64(0), 0, false
	for {
		f := s.field(data, pos, final)
		switch f.state {
		case fieldCut:
			out.spans = out.spans[:first]
			if !final && len(data)-start <= s.maxRecord {
				return false
			}
			f.reason = records.UnterminatedQuote
			return s.invalid(data, first, final, min(count, s.fields-1), f, out)
		case fieldBad:
			return s.invalid(data, first, final, min(count, s.fields-1), f, out)
		}
		if count < s.fields {
			out.spans = append(out.spans, f.span)
		} else if from, to := f.span.Bounds(); to > from {
			extra = true
		}
		count++
		lines += f.newlines
		pos = f.next
		if f.state == fieldEnds {
			continue
		}
		end := f.stop
		if f.state == recordUnsure && !final {
			out.spans = out.spans[:first]
			return false
		}
		if end >= len(data) && !final {
			out.spans = out.spans[:first]
			return false
		}
		if end-start > s.maxRecord {
			out.spans = out.spans[:first]
			out.tooLong = true
			return false
		}
		blank := count == 1 && isBlankText(data[start:end])
		if blank {
			out.spans = out.spans[:first]
		} else {
			if count != s.fields {
				s.ragged(first, count, extra, data[start:end], out)
			}
			out.add(records.Plain(start, end), out.newlines)
		}
		out.consumed = pos
		out.newlines += lines
		if pos > end {
			out.newlines++
		}
		return true
	}
}

// invalid takes the record that begins at out.consumed as one physical line,
// and reports it.
func (s *scanner) invalid(data []byte, first int, final bool, at int, f field, out *scanned) bool {
	out.spans = out.spans[:first]
	start := out.consumed
	stop, next, sure := lineEnd(data, start)
	if !final && (stop >= len(data) || !sure) {
		return false
	}
	if stop-start > s.maxRecord {
		out.tooLong = true
		return false
	}
	out.problems = append(out.problems, records.Problem{
		Index: len(out.raw), Field: at, Reason: f.reason, Value: excerpt(data[min(f.open, stop):stop]),
	})
	for range s.fields {
		out.spans = append(out.spans, records.Span{})
	}
	out.add(records.Plain(start, stop), out.newlines)
	out.consumed = next
	if next > stop {
		out.newlines++
	}
	return true
}

// ragged deals with a record of count fields instead of s.fields.
func (s *scanner) ragged(first, count int, extra bool, raw []byte, out *scanned) {
	reason := ""
	switch {
	case count > s.fields && extra && !s.cutLong:
		reason = records.TooManyFields
	case count < s.fields-s.optional && !s.fillShort:
		reason = records.TooFewFields
	}
	if reason != "" {
		out.problems = append(out.problems, records.Problem{
			Index: len(out.raw), Field: -1, Reason: reason, Value: excerpt(raw),
		})
		out.spans = out.spans[:first]
		count = 0
	}
	for ; count < s.fields; count++ {
		out.spans = append(out.spans, records.Span{})
	}
}

// What ended a field.
type fieldState int

const (
	fieldEnds    fieldState = iota // a delimiter: another field follows
	recordEnds                     // a line end, or the end of the data
	recordUnsure                   // a CR that ends the data: an LF may follow
	fieldBad                       // text after the closing quote
	fieldCut                       // a quote that is still open at the end of the data
)

type field struct {
	state    fieldState
	span     records.Span
	open     int // of the opening quote
	stop     int // end of the field, its quotes included
	next     int // where the next field or record begins
	newlines int64
	reason   string
}

// field takes the field that begins at pos.
func (s *scanner) field(data []byte, pos int, final bool) field {
	if s.quote != 0 {
		open := pos
		for open < len(data) && (data[open] == ' ' || data[open] == '\t') && data[open] != s.delimiter {
			open++
		}
		if open < len(data) && data[open] == s.quote {
			return s.quotedField(data, open, final)
		}
	}
	stop := pos
	for stop < len(data) && data[stop] != '\n' && data[stop] != '\r' && (data[stop] != s.delimiter || s.delimiter == 0) {
		stop++
	}
	f := field{span: records.Plain(pos, stop), stop: stop}
	f.end(data, s.delimiter)
	return f
}

// end says what stands at f.stop.
func (f *field) end(data []byte, delimiter byte) {
	f.next = f.stop
	f.state = recordEnds
	switch {
	case f.stop >= len(data):
	case data[f.stop] == '\n':
		f.next++
	case data[f.stop] == '\r':
		f.next++
		if f.next < len(data) && data[f.next] == '\n' {
			f.next++
		} else if f.next >= len(data) {
			f.state = recordUnsure
		}
	case data[f.stop] == delimiter:
		f.next++
		f.state = fieldEnds
	}
}

// quotedField takes the field whose opening quote is at open.
func (s *scanner) quotedField(data []byte, open int, final bool) field {
	f := field{open: open, stop: len(data)}
	escapes := false
	i := open + 1
	for {
		j := bytes.IndexByte(data[i:], s.quote)
		if j < 0 {
			f.state = fieldCut
			return f
		}
		i += j
		if s.backslash {
			slashes := 0
			for k := i - 1; k > open && data[k] == '\\'; k-- {
				slashes++
			}
			if slashes > 0 {
				escapes = true
			}
			if slashes%2 == 1 {
				i++
				continue
			}
		}
		if i+1 < len(data) && data[i+1] == s.quote {
			escapes = true
			i += 2
			continue
		}
		break
	}
	if !escapes && s.backslash && bytes.IndexByte(data[open+1:i], '\\') >= 0 {
		escapes = true
	}
	if i+1 >= len(data) && !final {
		f.state = fieldCut // the quote may be the first of two
		return f
	}
	f.span = records.Plain(open+1, i)
	if escapes {
		f.span = records.Escaped(open+1, i)
	}
	f.newlines = countLines(data[open+1 : i])
	f.stop = i + 1
	for f.stop < len(data) && (data[f.stop] == ' ' || data[f.stop] == '\t') && data[f.stop] != s.delimiter {
		f.stop++
	}
	if f.stop >= len(data) && !final {
		f.state = fieldCut
		return f
	}
	if f.stop < len(data) {
		if c := data[f.stop]; c != '\n' && c != '\r' && (c != s.delimiter || s.delimiter == 0) {
			f.state, f.reason = fieldBad, records.StrayQuote
			return f
		}
	}
	f.end(data, s.delimiter)
	return f
}

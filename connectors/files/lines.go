package files

import (
	"bytes"
	"unicode/utf8"
)

// unquote undoes the escapes of a quoted cell.
func (d dialect) unquote(dst, cell []byte) []byte {
	for len(cell) > 0 {
		mark := d.quote
		i := bytes.IndexByte(cell, mark)
		if d.backslash {
			if j := bytes.IndexByte(cell, '\\'); j >= 0 && (i < 0 || j < i) {
				i = j
			}
		}
		if i < 0 || i+1 >= len(cell) {
			break
		}
		dst = append(dst, cell[:i]...)
		if cell[i] == mark {
			dst = append(dst, mark)
			cell = cell[i+2:]
			continue
		}
		switch c := cell[i+1]; c {
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case mark, '\\', '\'', '"':
			dst = append(dst, c)
		default:
			dst = append(dst, '\\', c)
		}
		cell = cell[i+2:]
	}
	return append(dst, cell...)
}

// lineEnd finds the end of the physical line at from and where the next begins.
// It is not sure where data ends in a CR, which an LF may follow.
func lineEnd(data []byte, from int) (stop, next int, sure bool) {
	stop = from
	for stop < len(data) && data[stop] != '\n' && data[stop] != '\r' {
		stop++
	}
	switch {
	case stop >= len(data):
		return stop, stop, true
	case data[stop] == '\r' && stop+1 < len(data) && data[stop+1] == '\n':
		return stop, stop + 2, true
	}
	return stop, stop + 1, data[stop] == '\n' || stop+1 < len(data)
}

// countLines counts the line ends in text: LF, CRLF and lone CR.
func countLines(text []byte) int64 {
	count := bytes.Count(text, []byte{'\n'})
	for i := bytes.IndexByte(text, '\r'); i >= 0; {
		if i+1 >= len(text) || text[i+1] != '\n' {
			count++
		}
		j := bytes.IndexByte(text[i+1:], '\r')
		if j < 0 {
			break
		}
		i += 1 + j
	}
	return int64(count)
}

func hasLoneCR(data []byte) bool {
	for i := bytes.IndexByte(data, '\r'); i >= 0; {
		if i+1 >= len(data) || data[i+1] != '\n' {
			return true
		}
		j := bytes.IndexByte(data[i+1:], '\r')
		if j < 0 {
			return false
		}
		i += 1 + j
	}
	return false
}

// isBlank tells whether the line at the start of data holds nothing but spaces
// and tabs that are not the delimiter.
func isBlank(data []byte, delimiter byte) bool {
	for _, c := range data {
		switch {
		case c == '\n' || c == '\r':
			return true
		case c == delimiter || c != ' ' && c != '\t':
			return false
		}
	}
	return true
}

func isBlankText(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return true
}

// excerpt is the beginning of text, for people.
func excerpt(text []byte) string {
	const most = 200
	if len(text) <= most {
		return string(text)
	}
	cut := most
	for cut > most-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return string(text[:cut]) + "…"
}

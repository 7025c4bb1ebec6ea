package files_test

import "strings"

// countRecords counts the records of a text by the rules of docs/files.md,
// written from them alone: it shares nothing with the reader, looks at one
// character after the other and keeps the whole text in memory.
func countRecords(text string, delimiter, quote rune, backslash bool) int {
	runes := []rune(text)
	count := 0
	for at := 0; at < len(runes); {
		end, valid := recordEnd(runes, at, delimiter, quote, backslash)
		if !valid {
			end = lineEnd(runes, at)
		}
		if strings.Trim(string(runes[at:end]), " \t") != "" || delimiter == '\t' && strings.ContainsRune(string(runes[at:end]), '\t') {
			count++
		}
		at = afterLineEnd(runes, end)
	}
	return count
}

func lineEnd(text []rune, at int) int {
	for at < len(text) && text[at] != '\n' && text[at] != '\r' {
		at++
	}
	return at
}

func afterLineEnd(text []rune, at int) int {
	if at+1 < len(text) && text[at] == '\r' && text[at+1] == '\n' {
		return at + 2
	}
	return at + 1
}

// recordEnd walks over one record; valid is false where a quote is not closed
// as the rules want it.
func recordEnd(text []rune, at int, delimiter, quote rune, backslash bool) (end int, valid bool) {
	const (
		fieldStart = iota
		plain
		quoted
		closed
	)
	state := fieldStart
	for ; at < len(text); at++ {
		c := text[at]
		space := (c == ' ' || c == '\t') && c != delimiter
		ends := c == '\n' || c == '\r'
		switch state {
		case fieldStart:
			switch {
			case quote != 0 && c == quote:
				state = quoted
			case ends:
				return at, true
			case c != delimiter && !space:
				state = plain
			}
		case plain:
			if ends {
				return at, true
			}
			if c == delimiter {
				state = fieldStart
			}
		case quoted:
			switch {
			case backslash && c == '\\':
				at++
			case c == quote && at+1 < len(text) && text[at+1] == quote:
				at++
			case c == quote:
				state = closed
			}
		case closed:
			switch {
			case ends:
				return at, true
			case c == delimiter:
				state = fieldStart
			case !space:
				return 0, false
			}
		}
	}
	return len(text), state != quoted
}

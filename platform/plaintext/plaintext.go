// Package plaintext says what a line of text may consist of that people give a
// thing as its name.
package plaintext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line tells whether text is one line of 1 to most characters: valid UTF-8 without
// control characters, line ends, and marks that turn the direction of what stands
// after them, with which one name can look like another.
func Line(text string, most int) bool {
	n := utf8.RuneCountInString(text)
	return n >= 1 && n <= most && utf8.ValidString(text) && !strings.ContainsFunc(text, Hidden)
}

// Tame makes a line of at most so many characters of a name that was given when less
// was refused.
func Tame(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if Hidden(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	runes := []rune(strings.Join(strings.Fields(text), " "))
	return strings.TrimSpace(string(runes[:min(len(runes), most)]))
}

// Hidden tells whether a character has no place in a line of text. The marks that
// only say which way a neutral character belongs are no such: names in Arabic and
// Hebrew have them.
func Hidden(r rune) bool {
	return unicode.IsControl(r) || r >= '\u2028' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// Package plaintext says what a line of text may consist of that people give a
// thing as its name.
package plaintext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line tells whether text is one line of 1 to most characters that holds nothing
// hidden.
func Line(text string, most int) bool { return Problem(text, most, "no") == "" }

// Problem says why text can't be a line of 1 to most characters, or nothing where
// it can. Of a wrong length the sentence is the caller's.
func Problem(text string, most int, length string) string {
	switch n := utf8.RuneCountInString(text); {
	case Hides(text):
		return "This holds invisible or direction-changing characters. Type it again instead of pasting it."
	case n < 1 || n > most:
		return length
	}
	return ""
}

// Tame makes a line of at most so many characters of a name that was given when less
// was refused.
func Tame(text string, most int) string {
	var shown strings.Builder
	before := rune(-1)
	for _, r := range strings.ToValidUTF8(text, "") {
		if hidden(before, r) {
			r = ' '
		}
		shown.WriteRune(r)
		before = r
	}
	runes := []rune(strings.Join(strings.Fields(shown.String()), " "))
	return strings.TrimSpace(string(runes[:min(len(runes), most)]))
}

// Hides tells whether text holds what has no place in a line: bytes that are no
// UTF-8, control characters, line ends, marks that turn the direction of what
// stands after them, and characters that nobody sees. With those, one name can
// look like another.
func Hides(text string) bool {
	before := rune(-1)
	for _, r := range text {
		if hidden(before, r) {
			return true
		}
		before = r
	}
	return !utf8.ValidString(text)
}

// unseen are characters without a form of their own. The marks that only say
// which way a neutral character belongs are none of them: names in Arabic and
// Hebrew have them.
var unseen = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00ad, Hi: 0x00ad, Stride: 1}, // soft hyphen
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, // grapheme joiner
		{Lo: 0x115f, Hi: 0x1160, Stride: 1}, // Hangul fillers
		{Lo: 0x17b4, Hi: 0x17b5, Stride: 1}, // Khmer inherent vowels
		{Lo: 0x200b, Hi: 0x200b, Stride: 1}, // space of no width
		{Lo: 0x2028, Hi: 0x202e, Stride: 1}, // line ends, embeddings and overrides
		{Lo: 0x2060, Hi: 0x206f, Stride: 1}, // word joiner, invisible signs, isolates
		{Lo: 0x3164, Hi: 0x3164, Stride: 1}, // Hangul filler
		{Lo: 0xfeff, Hi: 0xfeff, Stride: 1}, // byte order mark
		{Lo: 0xffa0, Hi: 0xffa0, Stride: 1}, // Hangul filler
		{Lo: 0xfff9, Hi: 0xfffb, Stride: 1}, // annotations
	},
	R32: []unicode.Range32{
		{Lo: 0x1bca0, Hi: 0x1bca3, Stride: 1}, // shorthand format controls
		{Lo: 0x1d173, Hi: 0x1d17a, Stride: 1}, // musical format controls
	},
}

const (
	nonJoiner, joiner = '\u200c', '\u200d'
	blackFlag         = '\U0001f3f4'
)

// hidden tells whether a character has no place in a line after the one before,
// which is -1 at its beginning. What joins, parts or varies characters has one
// where it changes how they look: in emoji and in scripts whose letters join.
func hidden(before, r rune) bool {
	switch {
	case r == nonJoiner, r == joiner, unicode.Is(unicode.Variation_Selector, r):
		return before < 0 || unicode.IsSpace(before) || unicode.In(before, unicode.Latin, unicode.Greek, unicode.Cyrillic) ||
			unicode.IsDigit(before) && r <= joiner || before == nonJoiner || before == joiner
	case r >= 0xe0000 && r <= 0xe007f: // tags: flags of regions consist of them
		return before != blackFlag && (before < 0xe0000 || before > 0xe007f)
	}
	return unicode.IsControl(r) || unicode.Is(unseen, r)
}

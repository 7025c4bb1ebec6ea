// Package plaintext says what a line of text may consist of that people give a
// thing as its name.
package plaintext

import (
	"slices"
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
	runes := []rune(strings.ToValidUTF8(text, ""))
	for {
		shown := make([]rune, len(runes))
		for i, r := range runes {
			if shown[i] = r; hidden(runes, i) {
				shown[i] = ' '
			}
		}
		runes = []rune(strings.Join(strings.Fields(string(shown)), " "))
		line := strings.TrimSpace(string(runes[:min(len(runes), most)]))
		if !Hides(line) { // what was taken away can leave something else without a neighbour
			return line
		}
		runes = []rune(line)
	}
}

// Hides tells whether text holds what has no place in a line: bytes that are no
// UTF-8, control characters, line ends, marks that turn the direction of what
// stands after them, and characters that nobody sees. With those, one name can
// look like another.
func Hides(text string) bool {
	runes := []rune(text)
	for i := range runes {
		if hidden(runes, i) {
			return true
		}
	}
	return !utf8.ValidString(text)
}

// unseen are characters without a form of their own, wherever they stand.
var unseen = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00ad, Hi: 0x00ad, Stride: 1}, // soft hyphen
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, // grapheme joiner
		{Lo: 0x115f, Hi: 0x1160, Stride: 1}, // Hangul fillers
		{Lo: 0x17b4, Hi: 0x17b5, Stride: 1}, // Khmer inherent vowels
		{Lo: 0x180e, Hi: 0x180e, Stride: 1}, // Mongolian vowel separator
		{Lo: 0x200b, Hi: 0x200b, Stride: 1}, // space of no width
		{Lo: 0x2028, Hi: 0x202e, Stride: 1}, // line ends, embeddings and overrides
		{Lo: 0x2060, Hi: 0x206f, Stride: 1}, // word joiner, invisible signs, isolates
		{Lo: 0x2800, Hi: 0x2800, Stride: 1}, // Braille without dots
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
	nonJoiner, joiner    = '\u200c', '\u200d'
	textForm, emojiForm  = '\ufe0e', '\ufe0f'
	keycap               = '\u20e3'
	blackFlag, cancelTag = '\U0001f3f4', '\U000e007f'
)

// hidden tells whether the character at i has no place in a line. What joins,
// parts, varies or turns others has one where it changes how they look, and
// nowhere else.
func hidden(text []rune, i int) bool {
	r, before, after := text[i], at(text, i-1), at(text, i+1)
	switch {
	case r == joiner, r == nonJoiner:
		return !joins(r, before, after)
	case r == '\u200e', r == '\u200f', r == '\u061c': // which way a neutral character belongs
		return isMark(before) || !neutral(before) && !neutral(after) || !slices.ContainsFunc(text, rightToLeft)
	case r == emojiForm && after == keycap:
		return before != '#' && before != '*' && (before < '0' || before > '9')
	case r == emojiForm, r == textForm:
		return !pictograph(before)
	case r >= 0xe0100 && r <= 0xe01ef: // forms of one character, as names have them
		return !unicode.Is(unicode.Han, before)
	case unicode.Is(unicode.Variation_Selector, r):
		return !unicode.Is(unicode.Mongolian, before) || !unicode.IsLetter(before)
	case r >= 0xe0000 && r <= 0xe007f:
		return !inFlag(text, i)
	}
	return unicode.IsControl(r) || unicode.Is(unseen, r)
}

// at is the character there, or -1 beyond the ends.
func at(text []rune, i int) rune {
	if i < 0 || i >= len(text) {
		return -1
	}
	return text[i]
}

// joins tells whether a joiner or its opposite changes how its neighbours look: two
// emoji become one; after a virama letters are joined or not; letters of Arabic and
// its like take another form, where they would join what follows.
func joins(r, before, after rune) bool {
	switch {
	case after < 0:
		return false
	case r == joiner && (pictograph(before) || before == emojiForm):
		return pictograph(after)
	case unicode.Is(viramas, before):
		return unicode.IsLetter(after)
	case unicode.Is(viramas, after):
		return r == joiner && unicode.IsLetter(before) && !unicode.In(before, unicode.Latin, unicode.Greek, unicode.Cyrillic)
	case r == nonJoiner:
		return joinsNext(before) && unicode.IsLetter(after) && unicode.In(after, cursive...)
	}
	return joinsNext(before) && !unicode.In(after, cursive...)
}

// cursive are the scripts whose letters join.
var cursive = []*unicode.RangeTable{unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mandaic, unicode.Mongolian, unicode.Phags_Pa, unicode.Manichaean,
	unicode.Psalter_Pahlavi, unicode.Hanifi_Rohingya, unicode.Sogdian, unicode.Adlam}

// joinsNext tells whether a letter, or a mark on one, joins the letter after it.
func joinsNext(r rune) bool {
	return r >= 0 && unicode.In(r, cursive...) && (unicode.IsLetter(r) || unicode.IsMark(r)) && !unicode.Is(ends, r)
}

// ends are the Arabic letters that don't join the one after them.
var ends = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x0621, Hi: 0x0625, Stride: 1}, {Lo: 0x0627, Hi: 0x0629, Stride: 2}, {Lo: 0x062f, Hi: 0x0632, Stride: 1}, {Lo: 0x0648, Hi: 0x0648, Stride: 1},
	{Lo: 0x0671, Hi: 0x0677, Stride: 1}, {Lo: 0x0688, Hi: 0x0699, Stride: 1}, {Lo: 0x06c0, Hi: 0x06c0, Stride: 1}, {Lo: 0x06c3, Hi: 0x06cb, Stride: 1},
	{Lo: 0x06cd, Hi: 0x06cf, Stride: 2}, {Lo: 0x06d2, Hi: 0x06d3, Stride: 1}, {Lo: 0x06d5, Hi: 0x06d5, Stride: 1}, {Lo: 0x06ee, Hi: 0x06ef, Stride: 1},
	{Lo: 0x0759, Hi: 0x075b, Stride: 1}, {Lo: 0x076b, Hi: 0x076c, Stride: 1}, {Lo: 0x0771, Hi: 0x0771, Stride: 1}, {Lo: 0x0773, Hi: 0x0774, Stride: 1},
	{Lo: 0x0778, Hi: 0x0779, Stride: 1},
}}

// viramas take the vowel of a letter, so that it joins the next.
var viramas = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x094d, Hi: 0x0d4d, Stride: 0x80}, // Devanagari to Malayalam
	{Lo: 0x0dca, Hi: 0x0dca, Stride: 1},    // Sinhala
	{Lo: 0x0f84, Hi: 0x0f84, Stride: 1},    // Tibetan
	{Lo: 0x1039, Hi: 0x103a, Stride: 1},    // Myanmar
	{Lo: 0x17d2, Hi: 0x17d2, Stride: 1},    // Khmer
	{Lo: 0x1b44, Hi: 0x1b44, Stride: 1},    // Balinese
	{Lo: 0xa9c0, Hi: 0xa9c0, Stride: 1},    // Javanese
}}

// pictograph tells whether a character is, or can be shown as, an emoji.
func pictograph(r rune) bool {
	switch {
	case r >= 0x1f000 && r <= 0x1faff, r >= 0x2194 && r <= 0x2199, r >= 0x25aa && r <= 0x25fe:
		return true
	case r >= 0x2300 && r <= 0x2bff:
		return r < 0x2800 || r > 0x28ff
	}
	return strings.ContainsRune("©®‼⁉™ℹ↩↪〰〽㊗㊙", r)
}

func isMark(r rune) bool { return r == '\u200e' || r == '\u200f' || r == '\u061c' }

// neutral tells whether a character has no direction of its own.
func neutral(r rune) bool {
	return r >= 0 && !isMark(r) && !unicode.IsLetter(r) && !unicode.IsMark(r)
}

func rightToLeft(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Adlam, unicode.Mandaic, unicode.Samaritan,
		unicode.Hanifi_Rohingya) && unicode.IsLetter(r)
}

// inFlag tells whether the tag at i is of one of the flags that consist of tags:
// any other shows the black flag alone.
func inFlag(text []rune, i int) bool {
	from := i
	for isTag(at(text, from-1)) {
		from--
	}
	var name []rune
	for n := from; n < len(text) && isTag(text[n]); n++ {
		if text[n] == cancelTag {
			return at(text, from-1) == blackFlag && n >= i && slices.Contains([]string{"gbeng", "gbsct", "gbwls"}, string(name))
		}
		name = append(name, text[n]-0xe0000)
	}
	return false
}

func isTag(r rune) bool { return r >= 0xe0000 && r <= cancelTag }

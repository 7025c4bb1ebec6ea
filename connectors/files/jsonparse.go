package files

import (
	"unicode/utf16"
	"unicode/utf8"
)

// jsonParser checks and flattens objects. Members of nested objects get the
// names of all levels, joined by points; below maxNesting levels, and for
// arrays, the value is the JSON text itself.
type jsonParser struct {
	text []byte
	at   int
	path []byte
}

const maxNesting = 4

// A jsonVisit gets one member: its path, its value, and whether the value is
// the text as it stands; otherwise it is a string with escapes. Null members
// are not visited beyond their path, with an empty value.
type jsonVisit func(path, value []byte, plain bool)

// object calls visit for every member of the object that text is; false when
// text is no valid object, possibly after some calls.
func (p *jsonParser) object(text, prefix []byte, visit jsonVisit) bool {
	p.text, p.at = text, 0
	p.path = append(p.path[:0], prefix...)
	p.space()
	if p.peek() != '{' || !p.members(visit, 1) {
		return false
	}
	p.space()
	return p.at == len(p.text)
}

// value tells whether text is one valid value.
func (p *jsonParser) value(text []byte) bool {
	p.text, p.at = text, 0
	p.space()
	if !p.skip(0) {
		return false
	}
	p.space()
	return p.at == len(p.text)
}

func (p *jsonParser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *jsonParser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// members reads an object; visit may be nil to only check it.
func (p *jsonParser) members(visit jsonVisit, depth int) bool {
	p.at++ // {
	p.space()
	if p.peek() == '}' {
		p.at++
		return true
	}
	for {
		p.space()
		if p.peek() != '"' {
			return false
		}
		key, plain, ok := p.quoted()
		if !ok {
			return false
		}
		outer := len(p.path)
		if visit != nil {
			if outer > 0 {
				p.path = append(p.path, '.')
			}
			if plain {
				p.path = append(p.path, key...)
			} else {
				p.path = appendUnescaped(p.path, key)
			}
		}
		p.space()
		if p.peek() != ':' {
			return false
		}
		p.at++
		p.space()
		if !p.member(visit, depth) {
			return false
		}
		p.path = p.path[:outer]
		p.space()
		switch p.peek() {
		case ',':
			p.at++
		case '}':
			p.at++
			return true
		default:
			return false
		}
	}
}

// member reads the value of one member.
func (p *jsonParser) member(visit jsonVisit, depth int) bool {
	start := p.at
	switch c := p.peek(); {
	case c == '{' && visit != nil && depth < maxNesting:
		return p.members(visit, depth+1)
	case c == '"':
		value, plain, ok := p.quoted()
		if ok && visit != nil {
			visit(p.path, value, plain)
		}
		return ok
	}
	if !p.skip(depth) {
		return false
	}
	if visit != nil {
		value := p.text[start:p.at]
		if string(value) == "null" {
			value = nil
		}
		visit(p.path, value, true)
	}
	return true
}

// deepest is how deep values may nest.
const deepest = 500

// skip checks a value and passes over it.
func (p *jsonParser) skip(depth int) bool {
	if depth > deepest {
		return false
	}
	switch c := p.peek(); {
	case c == '{':
		return p.skipMembers(depth)
	case c == '[':
		p.at++
		p.space()
		if p.peek() == ']' {
			p.at++
			return true
		}
		for {
			p.space()
			if !p.skip(depth + 1) {
				return false
			}
			p.space()
			switch p.peek() {
			case ',':
				p.at++
			case ']':
				p.at++
				return true
			default:
				return false
			}
		}
	case c == '"':
		_, _, ok := p.quoted()
		return ok
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if len(p.text)-p.at >= len(word) && string(p.text[p.at:p.at+len(word)]) == word {
			p.at += len(word)
			return true
		}
	}
	return false
}

func (p *jsonParser) skipMembers(depth int) bool {
	p.at++
	p.space()
	if p.peek() == '}' {
		p.at++
		return true
	}
	for {
		p.space()
		if p.peek() != '"' {
			return false
		}
		if _, _, ok := p.quoted(); !ok {
			return false
		}
		p.space()
		if p.peek() != ':' {
			return false
		}
		p.at++
		p.space()
		if !p.skip(depth + 1) {
			return false
		}
		p.space()
		switch p.peek() {
		case ',':
			p.at++
		case '}':
			p.at++
			return true
		default:
			return false
		}
	}
}

func (p *jsonParser) number() bool {
	if p.peek() == '-' {
		p.at++
	}
	digits := func() int {
		n := 0
		for isDigit(p.peek()) {
			p.at++
			n++
		}
		return n
	}
	zero := p.peek() == '0'
	n := digits()
	if n == 0 || zero && n > 1 {
		return false
	}
	if p.peek() == '.' {
		p.at++
		if digits() == 0 {
			return false
		}
	}
	if p.peek()|0x20 == 'e' {
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		return digits() > 0
	}
	return true
}

// quoted reads a string and answers what is between the quotes, and whether it
// is free of escapes.
func (p *jsonParser) quoted() (value []byte, plain, ok bool) {
	p.at++
	start := p.at
	plain = true
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case '"':
			p.at++
			return p.text[start : p.at-1], plain, true
		case '\\':
			plain = false
			p.at++
			if !p.escape() {
				return nil, false, false
			}
		case '\n', '\r':
			return nil, false, false
		default:
			p.at++
		}
	}
	return nil, false, false
}

func (p *jsonParser) escape() bool {
	switch p.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.at++
		return true
	case 'u':
		for i := 1; i <= 4; i++ {
			if p.at+i >= len(p.text) || hexDigit(p.text[p.at+i]) < 0 {
				return false
			}
		}
		p.at += 5
		return true
	}
	return false
}

func hexDigit(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}

// appendUnescaped appends a checked string without its escapes. Halves of
// UTF-16 pairs come out as bytes that are not UTF-8, so that the cell is
// rejected instead of being changed.
func appendUnescaped(dst, value []byte) []byte {
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c != '\\' || i+1 >= len(value) {
			dst = append(dst, c)
			continue
		}
		i++
		switch value[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := unicodeEscape(value[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				if i+6 < len(value) && value[i+1] == '\\' && value[i+2] == 'u' {
					if pair := utf16.DecodeRune(r, unicodeEscape(value[i+3:])); pair != utf8.RuneError {
						dst = utf8.AppendRune(dst, pair)
						i += 6
						continue
					}
				}
				dst = append(dst, 0xed, 0x80|byte(r>>6&0x3f), 0x80|byte(r&0x3f))
				continue
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, value[i])
		}
	}
	return dst
}

func unicodeEscape(digits []byte) rune {
	r := rune(0)
	for _, d := range digits[:min(4, len(digits))] {
		r = r<<4 | max(hexDigit(d), 0)
	}
	return r
}

package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenColumn // [name]
	tokenNumber
	tokenText
	tokenDate // #2026-06-14#
	tokenSign // operator or punctuation
)

type token struct {
	kind       tokenKind
	text       string // without quotes; signs and names as written
	start, end int
}

// is tells whether the token is a keyword, in any case.
func (t token) is(word string) bool { return t.kind == tokenName && strings.EqualFold(t.text, word) }

func (t token) sign(s string) bool { return t.kind == tokenSign && t.text == s }

// lex splits a text into tokens; the last is the end.
func lex(text string) ([]token, error) {
	if len(text) > MaxBytes {
		return nil, problem(ErrTooLong, text, 0, 0, "The expression has %d bytes; the limit is %d.", len(text), MaxBytes)
	}
	if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		return nil, problem(ErrSyntax, text, 0, 0, "The expression is not valid UTF-8.")
	}
	var tokens []token
	for at := 0; ; {
		for at < len(text) && strings.IndexByte(" \t\r\n", text[at]) >= 0 {
			at++
		}
		if at == len(text) {
			return append(tokens, token{kind: tokenEnd, start: at, end: at}), nil
		}
		t, err := next(text, at)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		at = t.end
	}
}

func next(text string, at int) (token, error) {
	rest := text[at:]
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case r == '\'':
		return quoted(text, at, '\'', tokenText, "The text that begins here has no closing '.")
	case r == '[':
		t, err := quoted(text, at, ']', tokenColumn, "The column's name that begins here has no closing ].")
		if err == nil && strings.TrimSpace(t.text) == "" {
			return t, problem(ErrSyntax, text, t.start, t.end, "A column's name is missing between the brackets.")
		}
		return t, err
	case r == '#':
		end := strings.IndexByte(rest[1:], '#')
		if end < 0 || end > 40 {
			return token{}, problem(ErrLiteral, text, at, at+1, "A date is written as #2026-06-14#.")
		}
		return token{tokenDate, rest[1 : 1+end], at, at + end + 2}, nil
	case r >= '0' && r <= '9' || r == '.' && len(rest) > 1 && isDigit(rest[1]):
		return number(text, at)
	case isLetter(r):
		return name(text, at), nil
	}
	for _, s := range []string{"<=", ">=", "<>", "!=", "||"} {
		if strings.HasPrefix(rest, s) {
			if s == "||" {
				return token{}, problem(ErrSyntax, text, at, at+2, "Texts are joined with concat(a, b).")
			}
			return token{tokenSign, s, at, at + 2}, nil
		}
	}
	if strings.ContainsRune("+-*/%=<>(),", r) {
		return token{tokenSign, rest[:1], at, at + 1}, nil
	}
	if r == '"' {
		return token{}, problem(ErrSyntax, text, at, at+1, "Write a text as 'text' and a column as [column].")
	}
	return token{}, problem(ErrSyntax, text, at, at+utf8.RuneLen(r), "%q has no meaning here.", string(r))
}

// quoted reads up to a closing sign, which is doubled to mean itself.
func quoted(text string, at int, closing byte, kind tokenKind, unclosed string) (token, error) {
	var b strings.Builder
	for i := at + 1; i < len(text); i++ {
		if text[i] != closing {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == closing {
			b.WriteByte(closing)
			i++
			continue
		}
		return token{kind, b.String(), at, i + 1}, nil
	}
	return token{}, problem(ErrSyntax, text, at, len(text), "%s", unclosed)
}

func number(text string, at int) (token, error) {
	i := at
	digits := func() {
		for i < len(text) && isDigit(text[i]) {
			i++
		}
	}
	digits()
	if i < len(text) && text[i] == '.' {
		i++
		digits()
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		mark := i
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if i == len(text) || !isDigit(text[i]) {
			return token{}, problem(ErrLiteral, text, at, mark+1, "The number has no exponent after %q.", text[mark:mark+1])
		}
		digits()
	}
	if i < len(text) {
		if r, n := utf8.DecodeRuneInString(text[i:]); isLetter(r) || r == '.' {
			return token{}, problem(ErrLiteral, text, at, i+n, "%q is no number. A column whose name begins with a digit is written in brackets.", text[at:i+n])
		}
	}
	return token{tokenNumber, text[at:i], at, i}, nil
}

// name reads a word, with dots for columns of lookups.
func name(text string, at int) token {
	i := at
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == '.' {
			after, _ := utf8.DecodeRuneInString(text[i+1:])
			if !isLetter(after) {
				break
			}
		} else if !isLetter(r) && !unicode.IsDigit(r) {
			break
		}
		i += n
	}
	return token{tokenName, text[at:i], at, i}
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isLetter(r rune) bool { return r == '_' || r != utf8.RuneError && unicode.IsLetter(r) }

package files

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"
)

// xmlScanner reads the XML of a workbook's parts: tags, attributes and text,
// with the five named and the numeric entities. Declarations are passed over,
// and entities of a file's own are not expanded. Names come without their
// prefix.
type xmlScanner struct {
	in   *bufio.Reader
	most int // bytes of one text or tag

	name  []byte // of the tag
	attrs []byte
	open  bool // a start tag
	close bool // an end tag, or a tag that is both
	text  []byte
	raw   []byte
	tag   []byte
}

func newXMLScanner(from io.Reader, most int) *xmlScanner {
	return &xmlScanner{in: bufio.NewReaderSize(from, 128<<10), most: most}
}

var errBadXML = errors.New("malformed XML")

// endsInside is for an end of the text where a tag or comment goes on.
func endsInside(err error) error {
	if errors.Is(err, io.EOF) {
		return errBadXML
	}
	return err
}

// next reads up to and including the next tag. text is what stood before it.
func (x *xmlScanner) next() error {
	x.text = x.text[:0]
	for {
		raw, err := x.until('<', x.raw[:0])
		x.raw = raw
		if err != nil {
			return err
		}
		x.text = appendXMLText(x.text, raw)
		special, err := x.special()
		if err != nil {
			return err
		}
		if !special {
			break
		}
	}
	tag, err := x.until('>', x.tag[:0])
	for err == nil && oddQuotes(tag) {
		tag, err = x.until('>', append(tag, '>'))
	}
	x.tag = tag
	if err != nil {
		return endsInside(err)
	}
	if len(tag) == 0 {
		return errBadXML
	}
	x.open, x.close = tag[0] != '/', tag[0] == '/'
	if x.close {
		tag = tag[1:]
	} else if tag[len(tag)-1] == '/' {
		x.close = true
		tag = tag[:len(tag)-1]
	}
	end := bytes.IndexAny(tag, " \t\r\n")
	if end < 0 {
		end = len(tag)
	}
	x.name, x.attrs = tag[:end], tag[end:]
	if colon := bytes.IndexByte(x.name, ':'); colon >= 0 {
		x.name = x.name[colon+1:]
	}
	return nil
}

// special passes over comments, declarations and instructions, and takes CDATA
// as text.
func (x *xmlScanner) special() (bool, error) {
	ahead, err := x.in.Peek(1)
	if err != nil {
		return false, endsInside(err)
	}
	switch ahead[0] {
	case '?':
		_, err := x.untilText("?>")
		return true, err
	case '!':
		ahead, _ := x.in.Peek(8)
		switch {
		case bytes.HasPrefix(ahead, []byte("!--")):
			_, err := x.untilText("-->")
			return true, err
		case bytes.HasPrefix(ahead, []byte("![CDATA[")):
			data, err := x.untilText("]]>")
			if len(data) >= 11 {
				x.text = append(x.text, data[8:len(data)-3]...)
			}
			return true, err
		}
		_, err := x.untilText(">")
		return true, err
	}
	return false, nil
}

// until reads up to a delimiter, which is taken but not answered.
func (x *xmlScanner) until(delimiter byte, into []byte) ([]byte, error) {
	for {
		part, err := x.in.ReadSlice(delimiter)
		into = append(into, part...)
		switch {
		case err == nil:
			return into[:len(into)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return into, err
		case len(into) > x.most:
			return into, ErrLineTooLong.With("A cell of the workbook is longer than %s.", sizeText(int64(x.most)))
		}
	}
}

func (x *xmlScanner) untilText(end string) ([]byte, error) {
	var read []byte
	for {
		part, err := x.until(end[len(end)-1], nil)
		read = append(append(read, part...), end[len(end)-1])
		if err != nil {
			return nil, endsInside(err)
		}
		if bytes.HasSuffix(read, []byte(end)) {
			return read, nil
		}
		if len(read) > x.most {
			return nil, errBadXML
		}
	}
}

// oddQuotes tells whether a tag ends within an attribute.
func oddQuotes(tag []byte) bool {
	quote := byte(0)
	for _, c := range tag {
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		}
	}
	return quote != 0
}

// attr answers an attribute of the tag, "" without it. A prefix is ignored.
func (x *xmlScanner) attr(name string) []byte {
	rest := x.attrs
	for {
		equals := bytes.IndexByte(rest, '=')
		if equals < 0 {
			return nil
		}
		key := bytes.TrimSpace(rest[:equals])
		if colon := bytes.IndexByte(key, ':'); colon >= 0 {
			key = key[colon+1:]
		}
		rest = bytes.TrimLeft(rest[equals+1:], " \t\r\n")
		if len(rest) < 2 {
			return nil
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return nil
		}
		value := rest[1 : 1+end]
		rest = rest[2+end:]
		if string(key) == name {
			return value
		}
	}
}

// attrText is attr with entities resolved.
func (x *xmlScanner) attrText(name string) string {
	return string(appendXMLText(nil, x.attr(name)))
}

// appendXMLText appends text with its entities resolved.
func appendXMLText(dst, text []byte) []byte {
	for {
		at := bytes.IndexByte(text, '&')
		if at < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:at]...)
		text = text[at:]
		end := bytes.IndexByte(text[:min(len(text), 12)], ';')
		if end < 0 {
			dst = append(dst, '&')
			text = text[1:]
			continue
		}
		switch entity := string(text[1:end]); entity {
		case "amp":
			dst = append(dst, '&')
		case "lt":
			dst = append(dst, '<')
		case "gt":
			dst = append(dst, '>')
		case "quot":
			dst = append(dst, '"')
		case "apos":
			dst = append(dst, '\'')
		default:
			if r, ok := numericEntity(entity); ok {
				dst = utf8.AppendRune(dst, r)
			} else {
				dst = append(dst, text[:end+1]...)
			}
		}
		text = text[end+1:]
	}
}

func numericEntity(entity string) (rune, bool) {
	if len(entity) < 2 || entity[0] != '#' {
		return 0, false
	}
	digits, base := entity[1:], 10
	if digits[0] == 'x' || digits[0] == 'X' {
		digits, base = digits[1:], 16
	}
	r, err := strconv.ParseUint(digits, base, 21)
	return rune(r), err == nil && utf8.ValidRune(rune(r))
}

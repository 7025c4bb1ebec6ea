package files

import (
	"bytes"
	"encoding/binary"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// The encodings of text files.
const (
	utf8Name    = "utf-8"
	utf16LEName = "utf-16le"
	utf16BEName = "utf-16be"
	latin1Name  = "latin-1"
	cp1252Name  = "windows-1252"
)

func knownEncoding(name string) bool {
	switch name {
	case utf8Name, utf16LEName, utf16BEName, latin1Name, cp1252Name:
		return true
	}
	return false
}

// guess is what the first bytes of a file say of its encoding.
type guess struct {
	encoding string
	bom      int // bytes to skip
	// sure is false where nothing but ASCII was seen, or where Latin-1 was
	// concluded from bytes that are not UTF-8.
	sure bool
}

// guessEncoding looks at the head of a file; whole tells that head is all.
func guessEncoding(head []byte, whole bool) guess {
	switch {
	case bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}):
		return guess{utf8Name, 3, true}
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return guess{utf16LEName, 2, true}
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return guess{utf16BEName, 2, true}
	}
	if name := guessUTF16(head); name != "" {
		return guess{name, 0, true}
	}
	valid, invalid, highControls := surveyUTF8(head, whole)
	switch {
	case invalid == 0:
		return guess{utf8Name, 0, valid > 0}
	case valid > invalid:
		// Mostly UTF-8: the few broken cells are rejected with their place.
		return guess{utf8Name, 0, true}
	case highControls:
		return guess{cp1252Name, 0, false}
	}
	return guess{latin1Name, 0, false}
}

// guessUTF16 recognises UTF-16 without a mark by the zero bytes that most
// characters of western text have in one half.
func guessUTF16(head []byte) string {
	sample := head[:min(len(head), 4096)]
	if len(sample) < 4 {
		return ""
	}
	var zeros [2]int
	for i, b := range sample {
		if b == 0 {
			zeros[i&1]++
		}
	}
	half := len(sample) / 2
	switch {
	case zeros[1]*10 >= half*6 && zeros[0]*20 < half:
		return utf16LEName
	case zeros[0]*10 >= half*6 && zeros[1]*20 < half:
		return utf16BEName
	}
	return ""
}

// surveyUTF8 counts characters beyond ASCII that are valid and bytes that are
// not, and tells whether any byte is one of 0x80 to 0x9f, which only Windows-1252
// prints: also such that happen to follow a letter as UTF-8 has it.
func surveyUTF8(text []byte, whole bool) (valid, invalid int, highControls bool) {
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			if !whole && len(text)-i < utf8.UTFMax && !utf8.FullRune(text[i:]) {
				break // cut by the end of the sample
			}
			invalid++
		} else {
			valid++
		}
		for _, b := range text[i : i+size] {
			highControls = highControls || b >= 0x80 && b < 0xa0
		}
		i += size
	}
	return valid, invalid, highControls
}

// decode wraps a reader so that it gives UTF-8. Halves of UTF-16 pairs and odd
// bytes at the end come out as bytes that are not valid UTF-8, so that the cell
// they stand in is rejected instead of being changed.
func decode(from io.Reader, encoding string) io.Reader {
	switch encoding {
	case utf16LEName:
		return &utf16Reader{from: from, order: binary.LittleEndian}
	case utf16BEName:
		return &utf16Reader{from: from, order: binary.BigEndian}
	case latin1Name:
		return newByteReader(from, charmap.ISO8859_1)
	case cp1252Name:
		return newByteReader(from, charmap.Windows1252)
	}
	return from
}

// byteReader decodes encodings of one byte a character.
type byteReader struct {
	from  io.Reader
	table [256][]byte
	in    []byte
	next  []byte // decoded, not yet handed out
	out   []byte
	err   error
}

func newByteReader(from io.Reader, encoding *charmap.Charmap) *byteReader {
	b := &byteReader{from: from, in: make([]byte, 64<<10)}
	for i := range b.table {
		r := encoding.DecodeByte(byte(i))
		if r == utf8.RuneError {
			r = rune(i) // the five holes of Windows-1252 stand for themselves
		}
		b.table[i] = utf8.AppendRune(nil, r)
	}
	return b
}

func (b *byteReader) Read(p []byte) (int, error) {
	for len(b.next) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		n, err := b.from.Read(b.in)
		b.err = err
		b.out = b.out[:0]
		for _, c := range b.in[:n] {
			if c < utf8.RuneSelf {
				b.out = append(b.out, c)
			} else {
				b.out = append(b.out, b.table[c]...)
			}
		}
		b.next = b.out
	}
	n := copy(p, b.next)
	b.next = b.next[n:]
	return n, nil
}

// utf16Reader decodes UTF-16.
type utf16Reader struct {
	from  io.Reader
	order binary.ByteOrder
	in    []byte
	kept  int // bytes at the start of in that wait for the rest of their character
	next  []byte
	out   []byte
	err   error
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	if u.in == nil {
		u.in = make([]byte, 64<<10)
	}
	for len(u.next) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		n, err := u.from.Read(u.in[u.kept:])
		u.err = err
		u.out = u.decode(u.out[:0], u.in[:u.kept+n], err != nil)
		u.next = u.out
	}
	n := copy(p, u.next)
	u.next = u.next[n:]
	return n, nil
}

func (u *utf16Reader) decode(out, in []byte, last bool) []byte {
	i := 0
	for ; i+1 < len(in); i += 2 {
		c := rune(u.order.Uint16(in[i:]))
		switch {
		case c < utf8.RuneSelf:
			out = append(out, byte(c))
		case !utf16.IsSurrogate(c):
			out = utf8.AppendRune(out, c)
		default:
			if i+3 >= len(in) && !last {
				u.kept = copy(u.in, in[i:])
				return out
			}
			if i+3 < len(in) {
				if r := utf16.DecodeRune(c, rune(u.order.Uint16(in[i+2:]))); r != utf8.RuneError {
					out = utf8.AppendRune(out, r)
					i += 2
					continue
				}
			}
			out = append(out, 0xed, 0x80|byte(c>>6&0x3f), 0x80|byte(c&0x3f))
		}
	}
	u.kept = 0
	if i < len(in) {
		if last {
			return append(out, 0xff)
		}
		u.kept = copy(u.in, in[i:])
	}
	return out
}

package files

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// jsonCutter cuts JSON text into values by its brackets and quotes, without
// understanding them. It holds one value in memory at a time.
type jsonCutter struct {
	from io.Reader
	buf  []byte
	at   int   // next byte to look at
	line int64 // of that byte, from 1
	most int   // bytes of a value
	err  error
}

const jsonWindow = 128 << 10

// fill reads more; what is before keep is dropped. It answers false at the end.
func (c *jsonCutter) fill(keep int) (dropped int, more bool) {
	if c.err != nil {
		return 0, false
	}
	if keep > 0 {
		n := copy(c.buf, c.buf[keep:])
		c.buf = c.buf[:n]
		c.at -= keep
	}
	if cap(c.buf)-len(c.buf) < jsonWindow {
		grown := make([]byte, len(c.buf), 2*cap(c.buf)+jsonWindow)
		copy(grown, c.buf)
		c.buf = grown
	}
	for {
		n, err := c.from.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		if err != nil {
			c.err = err
		}
		if n > 0 || err != nil {
			return keep, n > 0
		}
	}
}

// peek skips white space and answers the next byte without taking it.
func (c *jsonCutter) peek() (byte, error) {
	for {
		for ; c.at < len(c.buf); c.at++ {
			switch c.buf[c.at] {
			case '\n':
				c.line++
			case ' ', '\t', '\r':
			default:
				return c.buf[c.at], nil
			}
		}
		if _, more := c.fill(c.at); !more {
			return 0, c.err
		}
	}
}

func (c *jsonCutter) endsEarly(err error) error {
	if errors.Is(err, io.EOF) {
		return ErrBadJSON.With("The file ends in the middle, on line %d.", c.line)
	}
	return err
}

func (c *jsonCutter) expect(want byte) error {
	got, err := c.peek()
	if err != nil {
		return c.endsEarly(err)
	}
	if got != want {
		return ErrBadJSON.With("Line %d: %q was expected.", c.line, want)
	}
	c.at++
	return nil
}

// value takes the next value and answers its text, which is valid until the
// next call, and its line.
func (c *jsonCutter) value() (text []byte, line int64, err error) {
	if _, err := c.peek(); err != nil {
		return nil, 0, c.endsEarly(err)
	}
	line = c.line
	start := c.at
	w := jsonWalk{}
	for {
		n, done := w.step(c.buf[c.at:])
		c.at += n
		if done && c.at-start <= c.most {
			text = c.buf[start:c.at]
			c.line += int64(bytes.Count(text, []byte{'\n'}))
			return text, line, nil
		}
		if c.at-start > c.most {
			return nil, 0, ErrLineTooLong.With("The record on line %d is longer than %s.", line, sizeText(int64(c.most)))
		}
		dropped, more := c.fill(start)
		start -= dropped
		if !more {
			if w.scalar && errors.Is(c.err, io.EOF) {
				text = c.buf[start:c.at]
				return text, line, nil
			}
			return nil, 0, c.endsEarly(c.err)
		}
	}
}

// skip passes over the next value, however long.
func (c *jsonCutter) skip(ctx context.Context) error {
	if _, err := c.peek(); err != nil {
		return c.endsEarly(err)
	}
	w := jsonWalk{}
	for {
		n, done := w.step(c.buf[c.at:])
		c.line += int64(bytes.Count(c.buf[c.at:c.at+n], []byte{'\n'}))
		c.at += n
		if done {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, more := c.fill(c.at); !more {
			return c.endsEarly(c.err)
		}
	}
}

// jsonWalk finds the end of one value.
type jsonWalk struct {
	depth   int
	started bool
	scalar  bool
	quoted  bool
	escaped bool
}

// step walks on over text and answers how much of it belongs to the value and
// whether the value ends there.
func (w *jsonWalk) step(text []byte) (n int, done bool) {
	for n < len(text) {
		if w.quoted {
			if w.escaped {
				w.escaped = false
				n++
				continue
			}
			rest := text[n:]
			i := bytes.IndexByte(rest, '"')
			if i >= 0 {
				rest = rest[:i]
			}
			j := bytes.IndexByte(rest, '\\')
			switch {
			case j >= 0:
				n += j + 1
				w.escaped = true
			case i >= 0:
				n += i + 1
				w.quoted = false
				if w.depth == 0 {
					return n, true
				}
			default:
				return len(text), false
			}
			continue
		}
		c := text[n]
		switch {
		case c == '"':
			if w.scalar {
				return n, true
			}
			w.quoted, w.started = true, true
		case c == '{' || c == '[':
			if w.scalar {
				return n, true
			}
			w.depth++
			w.started = true
		case c == '}' || c == ']':
			if w.depth == 0 {
				return n, true // of a scalar, by what follows it
			}
			if w.depth--; w.depth == 0 {
				return n + 1, true
			}
		case w.depth == 0:
			if c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == ':' {
				if !w.started {
					return n + 1, true // no value at all: let the parser complain
				}
				return n, true
			}
			w.started, w.scalar = true, true
		}
		n++
	}
	return n, false
}

// walkObject passes over the object that comes next and answers the keys whose
// values are arrays of objects.
func (c *jsonCutter) walkObject(ctx context.Context) (sheets []string, err error) {
	err = c.keys(func(key string) (bool, error) {
		next, err := c.peek()
		if err != nil {
			return false, c.endsEarly(err)
		}
		if next == '[' {
			c.at++
			if next, err = c.peek(); err != nil {
				return false, c.endsEarly(err)
			}
			if next == '{' {
				sheets = append(sheets, key)
			}
			return false, c.skipArray(ctx)
		}
		return false, c.skip(ctx)
	})
	return sheets, err
}

// skipArray passes over the rest of an array whose bracket was taken.
func (c *jsonCutter) skipArray(ctx context.Context) error {
	w := jsonWalk{depth: 1, started: true}
	for {
		n, done := w.step(c.buf[c.at:])
		c.line += int64(bytes.Count(c.buf[c.at:c.at+n], []byte{'\n'}))
		c.at += n
		if done {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, more := c.fill(c.at); !more {
			return c.endsEarly(c.err)
		}
	}
}

// enterKey goes to the value of a key of the object that comes next.
func (c *jsonCutter) enterKey(want string) error {
	found := false
	err := c.keys(func(key string) (bool, error) {
		if found = key == want; found {
			return true, nil
		}
		return false, c.skip(context.Background())
	})
	if err == nil && !found {
		err = ErrUnknownSheet
	}
	return err
}

// keys calls value for every key of the object that comes next, with the
// cutter before its value; true from it stops there.
func (c *jsonCutter) keys(value func(key string) (stop bool, err error)) error {
	if err := c.expect('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		next, err := c.peek()
		if err != nil {
			return c.endsEarly(err)
		}
		if next == '}' {
			c.at++
			return nil
		}
		if !first {
			if err := c.expect(','); err != nil {
				return err
			}
		}
		if next, err = c.peek(); err != nil {
			return c.endsEarly(err)
		}
		if next != '"' {
			return ErrBadJSON.With("Line %d: a name in quotes was expected.", c.line)
		}
		raw, _, err := c.value()
		if err != nil {
			return err
		}
		key := string(appendUnescaped(nil, raw[1:len(raw)-1]))
		if err := c.expect(':'); err != nil {
			return err
		}
		if stop, err := value(key); stop || err != nil {
			return err
		}
	}
}

// textLine takes the next line that is not blank, without its end.
func (c *jsonCutter) textLine() (text []byte, line int64, err error) {
	start := c.at
	searched := start
	for {
		if i := bytes.IndexByte(c.buf[searched:], '\n'); i >= 0 {
			text, line = c.buf[start:searched+i], c.line
			c.at = searched + i + 1
			c.line++
			if len(bytes.TrimSpace(text)) > 0 {
				if len(text) > c.most {
					break
				}
				return text, line, nil
			}
			start, searched = c.at, c.at
			continue
		}
		if len(c.buf)-start > c.most {
			break
		}
		searched = len(c.buf)
		c.at = start
		dropped, more := c.fill(start)
		start -= dropped
		searched -= dropped
		if !more {
			if !errors.Is(c.err, io.EOF) {
				return nil, 0, c.err
			}
			text, line = c.buf[start:], c.line
			c.at = len(c.buf)
			if len(bytes.TrimSpace(text)) > 0 {
				return text, line, nil
			}
			return nil, 0, io.EOF
		}
	}
	return nil, 0, ErrLineTooLong.With("The record on line %d is longer than %s.", c.line, sizeText(int64(c.most)))
}

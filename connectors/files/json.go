package files

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/platform/records"
)

// How records stand in a JSON file.
type jsonShape int

const (
	jsonLines    jsonShape = iota // one object a line
	jsonSequence                  // objects one after the other
	jsonArray                     // an array, at the top or under one key
)

// jsonSource reads objects from JSON. Cutting the text into objects is serial;
// taking them apart is done by whoever calls Next, in parallel.
type jsonSource struct {
	stream *stream
	shape  jsonShape
	format records.Format
	fields []records.Field
	index  map[string]int
	limits records.Limits
	last   bool // of a key's several values in one object, take the last

	mu     sync.Mutex
	cutter *jsonCutter
	first  bool // no element of the array was cut yet
	failed error
	seq    int64
	count  int64
}

// looksLikeJSON tells whether text can be JSON at all.
func looksLikeJSON(head []byte) bool {
	text := bytes.TrimLeft(head, " \t\r\n")
	if len(text) == 0 {
		return false
	}
	rest := bytes.TrimLeft(text[1:], " \t\r\n")
	switch text[0] {
	case '{':
		return len(rest) > 0 && (rest[0] == '"' || rest[0] == '}')
	case '[':
		return len(rest) > 0 && (rest[0] == '{' || rest[0] == ']')
	}
	return false
}

// openJSON opens a stream whose text is JSON. The stream is read once to find
// out its shape and its fields, unless options name the fields, and then again.
func openJSON(ctx context.Context, path string, encoding guess, options records.Options, limits records.Limits) (records.Source, error) {
	j := &jsonSource{limits: limits, last: options.RepeatedKeys == "last"}
	j.format = records.Format{Kind: "json", Encoding: encoding.encoding, BOM: encoding.bom > 0, Header: true}
	if err := j.reopen(path); err != nil {
		return nil, err
	}
	if err := j.findShape(ctx, options); err != nil {
		j.Close()
		return nil, err
	}
	names := options.Fields
	if len(names) == 0 {
		var err error
		if names, err = j.findFields(ctx, path); err != nil {
			j.Close()
			return nil, err
		}
	}
	if len(names) == 0 {
		j.Close()
		return nil, ErrNoRecords
	}
	j.fields = nameFields(names, len(names))
	j.index = map[string]int{}
	for i, n := range names {
		j.fields[i].Name = strings.ReplaceAll(j.fields[i].Name, ".", "_")
		j.index[n] = i
	}
	uniqueNames(j.fields)
	if err := j.restart(path); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

func (j *jsonSource) reopen(path string) error {
	if j.stream != nil {
		j.stream.Close()
	}
	s, err := openStream(path, j.limits)
	if err != nil {
		return err
	}
	j.stream = s
	j.format.Compression = s.compression
	text := s.body
	if j.format.BOM {
		skip := int64(2)
		if j.format.Encoding == utf8Name {
			skip = 3
		}
		if _, err := io.CopyN(io.Discard, text, skip); err != nil {
			return err
		}
	}
	j.cutter = &jsonCutter{from: decode(text, j.format.Encoding), most: int(j.limits.MaxRecordBytes), line: 1}
	return nil
}

// findShape walks over the first value of the file.
func (j *jsonSource) findShape(ctx context.Context, options records.Options) error {
	c := j.cutter
	start, err := c.peek()
	if err != nil {
		return noRecords(err)
	}
	switch start {
	case '[':
		j.shape = jsonArray
		if options.Kind == "ndjson" {
			j.shape = jsonLines
		}
		return nil
	case '{':
	default:
		return ErrBadJSON.With("The file does not begin with an object or an array.")
	}
	line := c.line
	sheets, err := c.walkObject(ctx)
	oneLine := c.line == line
	if err != nil {
		if options.Kind == "ndjson" || oneLine && options.Kind == "" {
			j.shape = jsonLines // the bad line is rejected
			j.format.Kind = "ndjson"
			return nil
		}
		return err
	}
	_, err = c.peek()
	more := err == nil
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case options.Kind == "ndjson", more && oneLine, !more && oneLine && len(sheets) == 0:
		j.shape = jsonLines
		j.format.Kind = "ndjson"
	case more || len(sheets) == 0:
		j.shape = jsonSequence
	default:
		j.shape = jsonArray
		j.format.Sheets = sheets
		j.format.Sheet = sheets[0]
		if options.Sheet != "" {
			if !slices.Contains(sheets, options.Sheet) {
				return ErrUnknownSheet.With("The file has no list of records under %q. It has: %s.", options.Sheet, strings.Join(sheets, ", "))
			}
			j.format.Sheet = options.Sheet
		}
	}
	return nil
}

func noRecords(err error) error {
	if errors.Is(err, io.EOF) {
		return ErrEmpty
	}
	return err
}

// restart goes to where the records begin.
func (j *jsonSource) restart(path string) error {
	if err := j.reopen(path); err != nil {
		return err
	}
	j.seq, j.count, j.failed, j.first = 0, 0, nil, true
	if j.shape != jsonArray {
		return nil
	}
	if j.format.Sheet != "" {
		if err := j.cutter.enterKey(j.format.Sheet); err != nil {
			return err
		}
	}
	return j.cutter.expect('[')
}

// findFields reads all records for the names of their fields, in the order in
// which they first appear.
func (j *jsonSource) findFields(ctx context.Context, path string) ([]string, error) {
	if err := j.restart(path); err != nil {
		return nil, err
	}
	var names []string
	filled := map[string]bool{} // known names; true once one had a value
	p := jsonParser{}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		raw, _, err := j.cut()
		if errors.Is(err, io.EOF) {
			return withoutNullParents(names, filled), nil
		}
		if err != nil {
			return nil, err
		}
		if !p.object(raw, nil, func(path []byte, value []byte, _ bool) {
			had, known := filled[string(path)]
			if !known {
				names = append(names, string(path))
			}
			if !had && (!known || value != nil) {
				filled[string(path)] = value != nil
			}
		}) {
			continue
		}
		if len(names) > j.limits.MaxColumns {
			return nil, ErrTooManyColumns.With("The records have more than %d fields.", j.limits.MaxColumns)
		}
	}
}

// withoutNullParents drops names that were only ever null where other records
// have an object instead.
func withoutNullParents(names []string, filled map[string]bool) []string {
	parents := map[string]bool{}
	for _, n := range names {
		for i := range len(n) {
			if n[i] == '.' {
				parents[n[:i]] = true
			}
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return !filled[n] && parents[n] })
}

// cut answers the text of the next record and its line; io.EOF after the last.
func (j *jsonSource) cut() (raw []byte, line int64, err error) {
	c := j.cutter
	switch j.shape {
	case jsonLines:
		return c.textLine()
	case jsonSequence:
		if _, err := c.peek(); err != nil {
			return nil, 0, err
		}
		return c.value()
	}
	next, err := c.peek()
	if err != nil {
		return nil, 0, c.endsEarly(err)
	}
	if next == ']' {
		return nil, 0, j.end()
	}
	if !j.first {
		if next != ',' {
			return nil, 0, ErrBadJSON.With("Line %d: a comma was expected between two records.", c.line)
		}
		c.at++
		if next, err = c.peek(); err != nil {
			return nil, 0, c.endsEarly(err)
		}
		if next == ']' {
			return nil, 0, j.end()
		}
	}
	j.first = false
	return c.value()
}

// end makes sure that nothing but the rest of the wrapper follows the array.
func (j *jsonSource) end() error {
	if j.format.Sheet != "" {
		return io.EOF
	}
	c := j.cutter
	c.at++
	if _, err := c.peek(); err == nil {
		return ErrBadJSON.With("Line %d: there is text after the end of the list.", c.line)
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return io.EOF
}

func (j *jsonSource) Format() records.Format  { return j.format }
func (j *jsonSource) Fields() []records.Field { return j.fields }
func (j *jsonSource) Progress() (int64, int64) {
	return j.stream.counter.read.Load(), j.stream.size
}
func (j *jsonSource) Close() error {
	if j.stream != nil {
		j.stream.Close()
	}
	return nil
}

const jsonBatch = 256 << 10

// Next answers the next records; see records.Source.
func (j *jsonSource) Next(ctx context.Context) (*records.Batch, error) {
	b, err := j.take(ctx)
	if err != nil {
		return nil, err
	}
	p := jsonParser{}
	cells := make([]records.Span, len(j.fields))
	seen := make([]int, len(j.fields)) // the record that last had the field, from 1
	for r, raw := range b.Raw {
		clear(cells)
		repeated := -1
		from, to := raw.Bounds()
		text := b.Data[from:to]
		ok := p.object(text, nil, func(path []byte, value []byte, plain bool) {
			field, known := j.index[string(path)]
			if !known {
				return
			}
			if seen[field] == r+1 && repeated < 0 {
				repeated = field
			}
			seen[field] = r + 1
			start := len(b.Data)
			if plain {
				b.Data = append(b.Data, value...)
			} else {
				b.Data = appendUnescaped(b.Data, value)
			}
			cells[field] = records.Plain(start, len(b.Data))
		})
		switch {
		case !ok:
			reason := records.BadJSON
			if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] != '{' && p.value(trimmed) {
				reason = records.NotAnObject
			}
			b.Problems = append(b.Problems, records.Problem{Index: r, Field: -1, Reason: reason, Value: excerpt(text)})
			clear(cells)
		case repeated >= 0 && !j.last: // only one of the values could be loaded
			b.Problems = append(b.Problems, records.Problem{Index: r, Field: repeated, Reason: records.RepeatedKey, Value: excerpt(text)})
			clear(cells)
		}
		b.Spans = append(b.Spans, cells...)
	}
	b.Invalid = !utf8.Valid(b.Data) || bytes.IndexByte(b.Data, 0) >= 0
	return b, nil
}

// take cuts records off the text until they make a batch.
func (j *jsonSource) take(ctx context.Context) (*records.Batch, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := &records.Batch{Seq: j.seq, FirstRecord: j.count + 1, Fields: len(j.fields)}
	for len(b.Data) < jsonBatch && j.failed == nil {
		raw, line, err := j.cut()
		if err != nil {
			j.failed = err
			break
		}
		start := len(b.Data)
		b.Data = append(b.Data, raw...)
		b.Raw = append(b.Raw, records.Plain(start, len(b.Data)))
		b.Lines = append(b.Lines, line)
	}
	b.Records = len(b.Raw)
	if b.Records == 0 {
		return nil, j.failed
	}
	j.seq++
	j.count += int64(b.Records)
	return b, nil
}

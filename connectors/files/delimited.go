package files

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sort"
	"sync"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/platform/records"
)

const (
	headBytes  = 256 << 10 // what the sniffer looks at
	chunkBytes = 512 << 10
	tailBytes  = 16 << 10 // where totals are looked for
)

// delimited reads text with delimiters. Cutting the text into chunks is serial
// and cheap; the chunks are scanned by whoever calls Next, in parallel.
//
// A chunk is scanned as if it began with a record. That is known to be right
// only when the chunk before it ended with one, so each scan then waits for the
// verdict of its predecessor, and is done again, with the unfinished record put
// in front, in the rare case that the guess was wrong.
type delimited struct {
	stream  *stream
	text    io.Reader // UTF-8
	format  records.Format
	fields  []records.Field
	scanner scanner
	limits  records.Limits
	strip   bool // NUL bytes
	chunk   int  // about how many bytes a batch holds
	tail    int  // how many bytes at the end stay in one chunk
	totals  totals
	above   *records.Batch

	mu      sync.Mutex
	pending []byte // read but not yet handed out
	ended   bool   // text is at its end
	done    bool   // the final chunk was handed out
	failed  error
	seq     int64
	last    chan carry // what the newest chunk will leave over

	buffers sync.Pool
}

// carry is what one chunk leaves for the next.
type carry struct {
	tail    []byte // the record it could not finish
	records int64  // before the tail
	lines   int64
	err     error
}

// openDelimited reads text with delimiters, whose first bytes were read already.
func openDelimited(s *stream, head []byte, g guess, options records.Options, limits records.Limits) (records.Source, error) {
	bom := g.bom
	var err error
	d := &delimited{stream: s, limits: limits, strip: options.NUL == "strip", chunk: chunkBytes, tail: tailBytes}
	d.text = decode(io.MultiReader(bytes.NewReader(head[bom:]), s.body), g.encoding)
	d.buffers.New = func() any { return &chunk{} }

	var l layout
	for size := headBytes; ; size *= 4 {
		if d.pending, err = d.fill(d.pending, size); err != nil {
			return nil, err
		}
		if size == headBytes {
			if err := d.checkText(); err != nil {
				return nil, err
			}
		}
		lines := bytes.ContainsAny(d.pending, "\n\r")
		if int64(len(d.pending)) <= limits.MaxRecordBytes && d.ended || lines {
			l = sniff(d.pending, d.ended, options)
		}
		if l.fields > 0 || d.ended && (lines || int64(len(d.pending)) <= limits.MaxRecordBytes) {
			break
		}
		if int64(len(d.pending)) > limits.MaxRecordBytes {
			return nil, ErrLineTooLong.With("The first line is longer than %s.", sizeText(limits.MaxRecordBytes))
		}
	}
	if l.fields > limits.MaxColumns {
		return nil, ErrTooManyColumns.With("The file has %d columns; %d is the most.", l.fields, limits.MaxColumns)
	}
	if l.fields == 0 {
		return nil, ErrEmpty
	}
	if int64(l.below) > limits.MaxRecordBytes {
		return nil, ErrLineTooLong.With("The header is longer than %s.", sizeText(limits.MaxRecordBytes))
	}
	d.scanner = scanner{
		dialect: l.dialect, fields: l.fields, optional: l.optional, maxRecord: int(limits.MaxRecordBytes),
		fillShort: options.ShortRows == "fill", cutLong: options.LongRows == "cut",
	}
	d.fields = nameFields(l.names, l.fields)
	d.totals = l.totals
	d.format = records.Format{
		Kind: "csv", Compression: s.compression, Encoding: g.encoding, BOM: bom > 0,
		Delimiter: delimiterName(l.delimiter), Quote: quoteName(l.quote), Escape: "double",
		Header: l.header, HeaderLine: l.headerLine, HeaderDoubt: l.doubt,
	}
	if l.backslash {
		d.format.Escape = "backslash"
	}
	first := carry{records: int64(len(l.above)), lines: l.belowLine}
	if len(l.above) > 0 {
		d.above = textAbove(l)
		d.seq = 1
	}
	d.pending = d.pending[l.below:]
	d.last = make(chan carry, 1)
	d.last <- first
	return d, nil
}

// textAbove is the batch of the records above the header: none can be loaded.
func textAbove(l layout) *records.Batch {
	b := &records.Batch{FirstRecord: 1, Records: len(l.above), Fields: l.fields}
	for i, r := range l.above {
		start := len(b.Data)
		b.Data = append(b.Data, r.raw...)
		b.Raw = append(b.Raw, records.Plain(start, len(b.Data)))
		b.Lines = append(b.Lines, r.line+1)
		b.Problems = append(b.Problems, records.Problem{Index: i, Field: -1, Reason: records.BeforeHeader, Value: excerpt([]byte(r.raw))})
		for range l.fields {
			b.Spans = append(b.Spans, records.Span{})
		}
	}
	return b
}

// readHead reads up to n bytes and tells whether that was all.
func readHead(from io.Reader, n int) (head []byte, whole bool, err error) {
	for size := 16 << 10; ; size *= 4 {
		size = min(size, n)
		grown := make([]byte, size)
		kept := copy(grown, head)
		read, err := io.ReadFull(from, grown[kept:])
		head = grown[:kept+read]
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return head, true, nil
		case err != nil:
			return nil, false, err
		case size == n:
			return head, false, nil
		}
	}
}

// checkText refuses what is not text: anything with more than a few control
// characters.
func (d *delimited) checkText() error {
	text := d.pending
	if len(bytes.TrimSpace(text)) == 0 && d.ended {
		return ErrEmpty.With("The file holds nothing but blank lines.")
	}
	controls, zeros := 0, 0
	sample := text[:min(len(text), 64<<10)]
	for _, c := range sample {
		switch {
		case c == 0:
			zeros++
		case c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1a:
			controls++
		}
	}
	if controls*20 > len(sample) || zeros*4 > len(sample) && !d.strip {
		return ErrNotText
	}
	return nil
}

// binaryName recognises formats that get renamed to .csv.
func binaryName(head []byte) string {
	for _, f := range []struct{ magic, name string }{
		{"PAR1", "a Parquet file"}, {"\x89PNG", "a PNG picture"}, {"\xff\xd8\xff", "a JPEG picture"},
		{"GIF8", "a GIF picture"}, {"%PDF-", "a PDF document"}, {"\x7fELF", "a program"}, {"MZ\x90", "a program"},
		{"SQLite format 3\x00", "an SQLite database"}, {"BZh", "a bzip2 archive"}, {"\xfd7zXZ\x00", "an xz archive"},
		{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"}, {"Rar!\x1a\x07", "a RAR archive"}, {"ORC", "an ORC file"},
		{"Obj\x01", "an Avro file"}, {"ARROW1\x00\x00", "an Arrow file"}, {"\xd0\xcf\x11\xe0", "an old Office document"},
		{"FEA1", "a Feather file"}, {"\x00asm", "a program"}, {"ID3", "a sound file"}, {"OggS", "a sound file"},
	} {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			if f.magic == "ORC" && len(head) > 3 && head[3] >= ' ' {
				continue
			}
			return f.name
		}
	}
	if len(head) > 262 && string(head[257:262]) == "ustar" {
		return "a tar archive"
	}
	return ""
}

func delimiterName(d byte) string {
	if d == 0 {
		return "none"
	}
	return string(rune(d))
}

func quoteName(q byte) string {
	if q == 0 {
		return "none"
	}
	return string(rune(q))
}

func (d *delimited) Format() records.Format  { return d.format }
func (d *delimited) Fields() []records.Field { return d.fields }
func (d *delimited) Progress() (int64, int64) {
	return d.stream.counter.read.Load(), d.stream.size
}
func (d *delimited) Close() error {
	d.stream.Close()
	return nil
}

// chunk is a piece of the text with its place in the chain.
type chunk struct {
	data   []byte
	final  bool
	seq    int64
	before chan carry
	after  chan carry
	out    scanned
	batch  records.Batch
}

// Next answers the next batch; see records.Source.
func (d *delimited) Next(ctx context.Context) (*records.Batch, error) {
	c, err := d.take(ctx)
	if err != nil {
		return nil, err
	}
	if c == nil {
		above := d.above
		return above, nil
	}
	d.scanner.scan(c.data, c.final, &c.out)
	var before carry
	select {
	case before = <-c.before:
	case <-ctx.Done():
		c.after <- carry{err: ctx.Err()}
		return nil, ctx.Err()
	}
	if before.err != nil {
		c.after <- carry{err: before.err}
		return nil, before.err
	}
	if len(before.tail) > 0 {
		c.data = append(before.tail, c.data...)
		d.scanner.scan(c.data, c.final, &c.out)
	}
	after := carry{records: before.records + int64(len(c.out.raw)), lines: before.lines + c.out.newlines}
	if c.out.tooLong {
		after.err = ErrLineTooLong.With("The record on line %d is longer than %s.", after.lines+1, sizeText(d.limits.MaxRecordBytes))
		c.after <- after
		return nil, after.err
	}
	if c.out.consumed < len(c.data) {
		after.tail = bytes.Clone(c.data[c.out.consumed:])
	}
	c.after <- after
	if c.final {
		d.refuseTotals(c)
	}
	return d.batch(c, before), nil
}

// refuseTotals makes the totals at the end of the text problems. They are
// looked for in the tail alone, so that the size of chunks makes no difference.
func (d *delimited) refuseTotals(c *chunk) {
	out, fields := &c.out, d.scanner.fields
	first := sort.Search(len(out.raw), func(i int) bool { return int(out.raw[i].Start) >= len(c.data)-d.tail })
	refused := map[int]bool{}
	for _, p := range out.problems {
		refused[p.Index] = true
	}
	for _, i := range d.totals.last(len(out.raw)-first, func(i int) []string {
		if refused[first+i] {
			return nil
		}
		cells := make([]string, fields)
		for f, span := range out.spans[(first+i)*fields : (first+i+1)*fields] {
			from, to := span.Bounds()
			if cells[f] = string(c.data[from:to]); span.IsEscaped() {
				cells[f] = string(d.scanner.unquote(nil, c.data[from:to]))
			}
		}
		return cells
	}) {
		i += first
		clear(out.spans[i*fields : (i+1)*fields])
		from, to := out.raw[i].Bounds()
		out.problems = append(out.problems, records.Problem{
			Index: i, Field: -1, Reason: records.LooksLikeTotal, Value: excerpt(c.data[from:to]),
		})
	}
}

func (d *delimited) batch(c *chunk, before carry) *records.Batch {
	lines := c.out.lines
	for i := range lines {
		lines[i] += before.lines + 1
	}
	c.batch = records.Batch{
		Seq: c.seq, FirstRecord: before.records + 1, Records: len(c.out.raw), Fields: d.scanner.fields,
		Data: c.data, Spans: c.out.spans, Lines: lines, Raw: c.out.raw, Problems: c.out.problems,
		Unquote: d.scanner.unquote,
		Invalid: !utf8.Valid(c.data) || bytes.IndexByte(c.data, 0) >= 0,
		Free:    func(*records.Batch) { d.buffers.Put(c) },
	}
	return &c.batch
}

// take cuts the next chunk off the text; nil stands for the text above the
// header. It ends behind the last line end that is not within quotes, as far
// as counting quotes can tell. The final chunk holds the whole tail of the text.
func (d *delimited) take(ctx context.Context) (*chunk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.failed != nil {
		return nil, d.failed
	}
	if d.above != nil && d.seq == 1 {
		d.seq++
		return nil, nil
	}
	if d.done {
		return nil, io.EOF
	}
	c := d.buffers.Get().(*chunk)
	data := append(c.data[:0], d.pending...)
	cut := 0
	for goal := d.chunk; ; goal *= 2 {
		var err error
		if data, err = d.fill(data, goal+d.tail); err != nil {
			d.failed = err
			return nil, err
		}
		if d.ended && len(data) <= goal+d.tail {
			cut = len(data)
			break
		}
		if cut = d.scanner.cut(data[:min(len(data), goal)]); cut > 0 {
			break
		}
		if int64(goal) > d.limits.MaxRecordBytes {
			// Let the scan find out where, and say so.
			cut = len(data)
			break
		}
	}
	final := d.ended && cut == len(data)
	d.pending = append(d.pending[:0], data[cut:]...)
	*c = chunk{data: data[:cut], final: final, seq: d.seq, before: d.last, after: make(chan carry, 1), out: c.out}
	if d.above != nil {
		c.seq--
	}
	d.seq++
	d.last = c.after
	d.done = final
	return c, nil
}

// fill reads until data has size bytes or the text ends.
func (d *delimited) fill(data []byte, size int) ([]byte, error) {
	for len(data) < size && !d.ended {
		if len(data) == cap(data) {
			data = slices.Grow(data, min(size, max(32<<10, 3*cap(data)))-len(data)+64)
		}
		room := data[len(data):min(cap(data), size)]
		n, err := d.text.Read(room)
		if d.strip {
			n = copy(room, bytes.ReplaceAll(room[:n], []byte{0}, nil))
		}
		data = data[:len(data)+n]
		if err == io.EOF {
			d.ended = true
		} else if err != nil {
			return nil, err
		}
	}
	return data, nil
}

// cut answers where to end a chunk: behind the last line end with an even
// number of quotes before it. A CR at the very end may belong to an LF, so it
// does not count.
func (s *scanner) cut(data []byte) int {
	lineEnds := func(b []byte) int {
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return i
		}
		if len(b) > 0 && b[len(b)-1] == '\r' {
			b = b[:len(b)-1]
		}
		return bytes.LastIndexByte(b, '\r')
	}
	last := lineEnds(data)
	if last < 0 {
		return 0
	}
	if s.quote == 0 {
		return last + 1
	}
	quotes := bytes.Count(data[:last], []byte{s.quote})
	for at := last; quotes%2 == 1 && at > 0; {
		// Within quotes, it seems: go back to before the last one.
		open := bytes.LastIndexByte(data[:at], s.quote)
		if open < 0 {
			break
		}
		quotes--
		before := lineEnds(data[:open])
		if before < 0 {
			break
		}
		quotes -= bytes.Count(data[before:open], []byte{s.quote})
		at = before
		if quotes%2 == 0 {
			return at + 1
		}
	}
	return last + 1
}

// SurveyEncoding reads the whole file again to find out whether bytes that are
// not UTF-8, met behind the head, mean that all of it is in another encoding.
// It answers "" where UTF-8 is right.
func (d *delimited) SurveyEncoding(ctx context.Context) (string, error) {
	if d.format.Encoding != utf8Name || d.format.BOM {
		return "", nil
	}
	s, err := openStream(d.stream.file.Name(), d.limits)
	if err != nil {
		return "", err
	}
	defer s.Close()
	var valid, invalid int
	var high bool
	buffer := make([]byte, 1<<20)
	kept := 0
	for ended := false; !ended; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := io.ReadFull(s.body, buffer[kept:])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			ended = true
		} else if err != nil {
			return "", err
		}
		text := buffer[:kept+n]
		whole := len(text)
		if !ended {
			for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
				if tail := text[len(text)-i:]; utf8.RuneStart(tail[0]) {
					if !utf8.FullRune(tail) {
						whole = len(text) - i
					}
					break
				}
			}
		}
		v, i, h := surveyUTF8(text[:whole], true)
		valid, invalid, high = valid+v, invalid+i, high || h
		kept = copy(buffer, text[whole:])
	}
	switch {
	case valid >= invalid:
		return "", nil
	case high:
		return cp1252Name, nil
	}
	return latin1Name, nil
}

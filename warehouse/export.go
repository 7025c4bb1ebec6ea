package warehouse

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dataflowhq/dataflow/platform/records"
)

// ExportFormat is a form in which DuckDB itself writes rows.
type ExportFormat string

// The formats.
const (
	ExportCSV     ExportFormat = "csv"
	ExportParquet ExportFormat = "parquet"
)

// Export says how all rows of an answer are written.
type Export struct {
	Format ExportFormat
	// Names are the heads of the columns; those of the answer when nil.
	Names []string
	// BOM begins a CSV with the mark by which programs know UTF-8. Separator
	// stands between its fields (a comma when zero), Point before the places of
	// its numbers (a point when zero).
	BOM              bool
	Separator, Point byte
}

// errExportShort means that DuckDB writes rows in another form than is read.
var errExportShort = errors.New("export: a row ended early")

const (
	// exportMemory is what DuckDB may use for an export of plain rows, which one
	// thread writes as it reads: several keep their order by whole row groups that
	// wait for each other, and with little memory that costs twice the processor
	// time. Very wide rows, of which less than a row group would fit, and groups
	// have the memory and the threads of queries.
	exportMemory = 64 << 20
	sortMemory   = 128 << 20 // where rows are sorted first, by several threads
	wideRow      = 40        // columns
)

// pipeBytes is how much of an export waits for its reader.
const pipeBytes = 1 << 20

// Export writes all rows of the answer to q and says how many they were. Rows
// go to out as they are read, so that any number of them needs the same memory.
// An answer has no limit where the spec has none, and plain rows come in
// the order in which they are stored where q.Stored is set and the spec has no
// order. A CSV is RFC 4180 with CRLF and a head; a text that a spreadsheet
// would take for a formula begins with an apostrophe. There is no wall time but
// that of ctx.
//
// Errors: ctx.Err(), those of out, and the query.* codes.
func (e *Engine) Export(ctx context.Context, q Query, x Export, out io.Writer) (int64, error) {
	return e.copyOut(ctx, q, func(w *exportSQL) (columns []string, options string) {
		names := x.Names
		if names == nil {
			for _, c := range w.columns {
				names = append(names, c.Name)
			}
		}
		if x.Format == ExportParquet {
			names = uniqueNames(names)
			for i := range w.columns {
				columns = append(columns, w.typed(i)+" AS "+quoteIdent(names[i]))
			}
			return columns, "FORMAT parquet, COMPRESSION zstd"
		}
		separator := ","
		if x.Separator != 0 {
			separator = string(x.Separator)
		}
		for i := range w.columns {
			columns = append(columns, w.text(i, x.Point)+" AS "+quoteIdent(names[i]))
		}
		return columns, "FORMAT csv, HEADER false, QUOTE '\"', ESCAPE '\"', NULLSTR '', NEW_LINE E'\\r\\n', DELIMITER " + quoteText(separator)
	}, func(w *exportSQL, from io.Reader) error {
		if x.Format == ExportCSV {
			if _, err := io.WriteString(out, csvHead(x, w.columns)); err != nil {
				return err
			}
		}
		_, err := io.CopyBuffer(onlyWriter{out}, from, make([]byte, 256<<10))
		return err
	})
}

// onlyWriter hides what else a writer can do, so that the buffer is used.
type onlyWriter struct{ io.Writer }

// Stream hands on all rows of the answer to q, as Export would write them, in
// parts of some thousand. A part is valid until read returns. Its columns have
// the types of the answer.
//
// Errors: as Export, and those of read.
func (e *Engine) Stream(ctx context.Context, q Query, read func(part *Result) error) error {
	_, err := e.copyOut(ctx, q, func(w *exportSQL) (columns []string, options string) {
		for i := range w.columns {
			columns = append(columns, w.plain(i))
		}
		return columns, "FORMAT csv, HEADER false, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULLSTR ''"
	}, func(w *exportSQL, from io.Reader) error {
		return parseRows(from, w.columns, read)
	})
	return err
}

// copyOut has DuckDB write an answer into a pipe that sink reads.
func (e *Engine) copyOut(ctx context.Context, q Query, write func(*exportSQL) (columns []string, options string), sink func(*exportSQL, io.Reader) error) (int64, error) {
	if err := e.closing.Err(); err != nil {
		return 0, ErrClosed
	}
	q.Exact = true
	p, err := e.plan(ctx, &q)
	if err != nil {
		return 0, err
	}
	p = p.attach(q.Dataset)
	if !p.Other {
		p.Limit = q.Spec.Limit
	}
	if len(p.Rows) > 0 {
		if q.Stored && len(q.Spec.Order) == 0 {
			p.Order = nil
			p.Rows = slices.DeleteFunc(slices.Clone(p.Rows), func(c planColumn) bool { return c.Hidden })
		}
	}
	asked := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.closing, cancel)()
	// An export takes minutes: it has a place of its own, beside the queries.
	select {
	case e.exports <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-e.exports }()
	pool := e.instances
	if n := len(p.Rows); n > 0 && n <= wideRow {
		if pool = e.exporters; len(p.Order) > 0 {
			pool = e.sorters
		}
	}
	in, conn, err := e.connectTo(ctx, pool, p.Tenant)
	if err != nil {
		return 0, err
	}
	defer pool.release(in, conn)
	c, err := e.compiler(ctx, conn, p)
	if err != nil {
		return 0, queryError(err)
	}
	c.whole = true
	w, err := c.export(ctx, conn)
	if err != nil {
		return 0, queryError(err)
	}
	columns, options := write(w)
	e.metrics.rows.Add(float64(c.scanned()))
	var failed error
	rows, err := e.throughPipe(ctx, cancel, conn, func(path string) string {
		return "COPY (SELECT " + strings.Join(columns, ", ") + " FROM (" + w.inner + ") AS x) TO " + quoteText(path) + " (" + options + ")"
	}, func(from io.Reader) error {
		failed = sink(w, from)
		return failed
	})
	switch {
	case asked.Err() != nil:
		return rows, asked.Err()
	case failed != nil && !(err != nil && errors.Is(failed, errExportShort)):
		return rows, failed
	case err != nil && e.closing.Err() != nil:
		return rows, ErrClosed.Wrap(err)
	case err != nil:
		return rows, queryError(err)
	}
	return rows, nil
}

// throughPipe runs a COPY into a pipe and has sink read it. A sink that fails
// ends the statement.
func (e *Engine) throughPipe(ctx context.Context, cancel context.CancelFunc, conn *connection, statement func(path string) string, sink func(io.Reader) error) (int64, error) {
	dir, err := os.MkdirTemp(e.work.Path(), "export-")
	if err != nil {
		return 0, fmt.Errorf("open pipe: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return 0, fmt.Errorf("open pipe: %w", err)
	}
	from, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return 0, fmt.Errorf("open pipe: %w", err)
	}
	defer func() { _ = from.Close() }()
	// The reader finds the end once nobody has the pipe open to write: not before
	// DuckDB has opened it, and also where it never does.
	open, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return 0, fmt.Errorf("open pipe: %w", err)
	}
	widen(from)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if sink(from) != nil {
			cancel()
		}
		_, _ = io.Copy(io.Discard, from) // whoever writes must not hang, nor find nobody there
	}()
	counted := []ResultColumn{{Type: Integer}}
	err = queryInto(ctx, conn, statement(path), counted)
	_ = open.Close() // nothing was written to it
	<-done
	if err != nil || len(counted[0].Ints) == 0 {
		return 0, err
	}
	return counted[0].Ints[0], nil
}

// widen gives a pipe more room, where the system allows it.
func widen(pipe *os.File) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeBytes) })
}

// exportSQL writes the columns of an answer, which inner gives under names.
type exportSQL struct {
	c       *compiler
	inner   string
	names   []string
	columns []ResultColumn
	types   []string // of DuckDB
	refs    []colRef // of plain columns; nil for groups
}

// export compiles the whole answer.
func (c *compiler) export(ctx context.Context, conn *connection) (*exportSQL, error) {
	w := &exportSQL{c: c, inner: c.compile(), columns: c.p.resultColumns()}
	for i, r := range c.p.Rows {
		if !r.Hidden {
			w.names = append(w.names, fmt.Sprintf("x.d%d", i))
			w.refs = append(w.refs, r.Ref)
		}
	}
	if len(c.p.Rows) == 0 {
		w.names = qualified("x", (&groupQuery{c: c}).output())
	}
	described := []ResultColumn{{Type: Text}, {Type: Text}}
	if err := queryInto(ctx, conn, "DESCRIBE "+w.inner, described); err != nil {
		return nil, err
	}
	w.types = described[1].Texts
	if len(w.types) < len(w.columns) {
		return nil, fmt.Errorf("the answer has %d columns, not %d", len(w.types), len(w.columns))
	}
	return w, nil
}

// typed is a column in the type that the answer says it has: groups of time are
// numbers within a statement.
func (w *exportSQL) typed(i int) string {
	x, is := w.names[i], w.types[i]
	switch w.columns[i].Type {
	case Date:
		if is != "DATE" {
			return "(DATE '1970-01-01' + CAST(" + x + " AS INTEGER))"
		}
	case Timestamp:
		if !strings.HasPrefix(is, "TIMESTAMP") {
			return "make_timestamp(CAST(" + x + " AS BIGINT))"
		}
	case TimestampTZ:
		if !strings.HasPrefix(is, "TIMESTAMP") {
			return "make_timestamptz(CAST(" + x + " AS BIGINT))"
		}
	case Integer:
		if is == "DOUBLE" {
			return "CAST(round(" + x + ") AS BIGINT)"
		}
		if is != "BIGINT" {
			return "CAST(" + x + " AS BIGINT)"
		}
	case Boolean:
		if is != "BOOLEAN" {
			return "CAST(" + x + " AS BOOLEAN)"
		}
	case Float:
		if is != "DOUBLE" {
			return "CAST(" + x + " AS DOUBLE)"
		}
	}
	return x
}

// text is a column as a CSV has it, what is no text as DuckDB writes it.
func (w *exportSQL) text(i int, point byte) string {
	x := w.typed(i)
	switch w.columns[i].Type {
	case Text:
		return harmless(x)
	case TimestampTZ:
		return w.local(i, x)
	case Float:
		// Whole numbers without a point, as people write them.
		return pointedSQL(fmt.Sprintf("CASE WHEN %[1]s = trunc(%[1]s) AND abs(%[1]s) < 1e16 THEN CAST(CAST(%[1]s AS BIGINT) AS VARCHAR) ELSE CAST(%[1]s AS VARCHAR) END", x), point)
	case Decimal:
		return pointedSQL(x, point)
	}
	return x
}

// pointedSQL puts another decimal mark into a number.
func pointedSQL(x string, point byte) string {
	if point == 0 || point == '.' {
		return x
	}
	return "replace(CAST(" + x + " AS VARCHAR), '.', " + quoteText(string(point)) + ")"
}

// plain is a column as parseRows reads it.
func (w *exportSQL) plain(i int) string {
	x := w.typed(i)
	switch w.columns[i].Type {
	case Date:
		return "(" + x + " - DATE '1970-01-01')"
	case Timestamp, TimestampTZ:
		return "epoch_us(" + x + ")"
	case Boolean:
		return "CAST(" + x + " AS TINYINT)"
	}
	return x
}

// local writes a moment as the wall clock of the query's zone, with the offset
// that it has there: 2026-06-14T09:30:00+02:00.
func (w *exportSQL) local(i int, x string) string {
	lo, hi := firstMicro, lastMicro
	if w.refs != nil && w.refs[i].Rel == 0 {
		lo, hi, _ = w.c.base.bounds(w.refs[i])
	}
	zone := w.c.p.zone
	moment := "epoch_us(" + x + ")"
	periods := zone.periods(lo, hi)
	offset := offsetSQL(moment, periods, 1)
	if len(offset) > maxOffsetText {
		offset = "(epoch_us(timezone(" + quoteText(zone.name) + ", " + x + ")) - " + moment + ")"
	}
	wall := x
	if offset != "0" || len(periods) > 1 {
		wall = "make_timestamp(" + moment + " + " + offset + ")"
	} else {
		wall = "make_timestamp(" + moment + ")"
	}
	return "replace(CAST(" + wall + " AS VARCHAR), ' ', 'T') || " + offsetText(offset, periods)
}

// offsetText writes an offset, which is one of those of the periods.
func offsetText(offset string, periods []period) string {
	var known []int64
	for _, p := range periods {
		if !slices.Contains(known, p.offset) {
			known = append(known, p.offset)
		}
	}
	if len(known) == 1 {
		return quoteText(clockOffset(known[0]))
	}
	var b strings.Builder
	b.WriteString("CASE " + offset)
	for _, o := range known {
		fmt.Fprintf(&b, " WHEN %d THEN %s", o, quoteText(clockOffset(o)))
	}
	b.WriteString(" END")
	return b.String()
}

func clockOffset(micros int64) string {
	if micros == 0 {
		return "Z"
	}
	sign := '+'
	if micros < 0 {
		sign, micros = '-', -micros
	}
	return fmt.Sprintf("%c%02d:%02d", sign, micros/hourMicros, micros%hourMicros/minuteMicros)
}

// harmless is records.Harmless in SQL. Comparing the beginning of a text is much less
// than cutting it off, and most texts begin with a letter. A list of values to
// look in would become a join, which keeps no order.
func harmless(x string) string {
	marked := "contains(" + quoteText(strings.Join(records.FormulaMarks, "")) + ", left(" + x + ", 1))"
	return fmt.Sprintf("CASE WHEN (%[1]s > '' AND %[1]s < 'A' OR %[1]s >= '＋') AND %[2]s THEN '''' || %[1]s ELSE %[1]s END", x, marked)
}

// csvHead is the first line of a CSV.
func csvHead(x Export, columns []ResultColumn) string {
	var b strings.Builder
	if x.BOM {
		b.WriteString("\ufeff")
	}
	separator := byte(',')
	if x.Separator != 0 {
		separator = x.Separator
	}
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(separator)
		}
		name := c.Name
		if x.Names != nil {
			name = x.Names[i]
		}
		b.WriteString(CSVField(name, separator))
	}
	b.WriteString("\r\n")
	return b.String()
}

// CSVField is a text as one field of a CSV: harmless, and quoted where it must.
func CSVField(text string, separator byte) string {
	text = records.Harmless(text)
	if !strings.ContainsAny(text, "\"\r\n") && strings.IndexByte(text, separator) < 0 && (text == "" || text[0] != ' ') {
		return text
	}
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}

func quoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// uniqueNames gives every column a name of its own, as files by columns need;
// upper and lower case are no difference.
func uniqueNames(names []string) []string {
	unique := make([]string, len(names))
	taken := map[string]bool{}
	for i, name := range names {
		if name == "" {
			name = "column"
		}
		unique[i] = name
		for n := 2; taken[strings.ToLower(unique[i])]; n++ {
			unique[i] = name + " " + strconv.Itoa(n)
		}
		taken[strings.ToLower(unique[i])] = true
	}
	return unique
}

// streamRows is how many rows Stream hands on at a time.
const streamRows = 4096

// parseRows reads rows as exportSQL.plain writes them: a field without quotes
// and without a byte is no value.
func parseRows(from io.Reader, columns []ResultColumn, read func(part *Result) error) error {
	lines := bufio.NewReaderSize(from, 256<<10)
	part := &Result{Columns: columns}
	begin := func() {
		part.Rows = 0
		for i := range part.Columns {
			c := &part.Columns[i]
			c.Nulls, c.Ints, c.Floats, c.Texts, c.Exact = nil, c.Ints[:0], c.Floats[:0], c.Texts[:0], c.Exact[:0]
		}
	}
	var field []byte
	for {
		if _, err := lines.Peek(1); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("read export: %w", err)
		}
		for i := range part.Columns {
			var quoted bool
			var err error
			if field, quoted, err = readField(lines, field[:0], i == len(part.Columns)-1); err != nil {
				return fmt.Errorf("read export: %w", err)
			}
			if err := part.Columns[i].parse(field, quoted, part.Rows); err != nil {
				return fmt.Errorf("read export: column %s: %w", part.Columns[i].Name, err)
			}
		}
		if part.Rows++; part.Rows == streamRows {
			if err := read(part); err != nil {
				return err
			}
			begin()
		}
	}
	if part.Rows == 0 {
		return nil
	}
	return read(part)
}

// readField reads up to the comma, or the end of the line for the last field.
func readField(lines *bufio.Reader, field []byte, last bool) (text []byte, quoted bool, err error) {
	end := byte(',')
	if last {
		end = '\n'
	}
	first, err := lines.ReadByte()
	if err != nil {
		return nil, false, errExportShort
	}
	if first != '"' {
		if first == end {
			return field, false, nil
		}
		field = append(field, first)
		for {
			piece, err := lines.ReadSlice(end)
			field = append(field, piece...)
			if err == nil {
				return field[:len(field)-1], false, nil
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return nil, false, errExportShort
			}
		}
	}
	for {
		piece, err := lines.ReadSlice('"')
		field = append(field, piece...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return nil, false, errExportShort
		}
		next, err := lines.ReadByte()
		if err != nil {
			return nil, false, errExportShort
		}
		switch next {
		case '"': // two stand for one
		case end:
			return field[:len(field)-1], true, nil
		default:
			return nil, false, errExportShort
		}
	}
}

// parse appends the value of a row to a column.
func (c *ResultColumn) parse(field []byte, quoted bool, row int) error {
	null := len(field) == 0 && !quoted
	if null && c.Nulls == nil {
		c.Nulls = make([]bool, row, streamRows)
	}
	if c.Nulls != nil {
		c.Nulls = append(c.Nulls, null)
	}
	switch c.Type {
	case Text:
		c.Texts = append(c.Texts, string(field))
	case Float, Decimal:
		f := 0.0
		var err error
		if !null {
			// What is too large for a float is infinite beside its digits.
			if f, err = strconv.ParseFloat(string(bytes.TrimSpace(field)), 64); err != nil && !(c.Type == Decimal && math.IsInf(f, 0)) {
				return err
			}
		}
		c.Floats = append(c.Floats, f)
		if c.Type == Decimal {
			c.Exact = append(c.Exact, string(field))
		}
	default:
		n := int64(0)
		var err error
		if !null {
			if n, err = strconv.ParseInt(string(field), 10, 64); err != nil {
				return err
			}
		}
		c.Ints = append(c.Ints, n)
	}
	return nil
}

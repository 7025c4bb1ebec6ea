package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

var (
	errUnreadable = apperr.Define(apperr.Unavailable, "ingest.unreadable",
		"The stored file could not be read. Try again.")
	// ErrBadParquet also covers a footer that does not tell the truth.
	ErrBadParquet = apperr.Define(apperr.Invalid, "files.bad_parquet",
		"The Parquet file is damaged: what it says of itself and what it holds do not agree.")
)

// A slice is what is read of a Parquet file at a time: so many rows, or fewer
// where they are wide.
const (
	sliceRows  = 16_384
	sliceBytes = 8 << 20 // as the file says it unpacks to
)

// parquetSource reads a Parquet file with DuckDB and hands out its values as
// text in their canonical form, so that they pass the same checks as any other
// file's. Types are those the file declares, brought to ours: unsigned 64-bit
// and 128-bit numbers become decimals, nanoseconds are cut to microseconds,
// and what has no type here (times of day, lists, structs, bytes) is text.
type parquetSource struct {
	writer  *segments.Writer
	path    string
	selects string // SQL for the columns
	fields  []records.Field
	size    int64
	total   int64 // rows, as the file says
	slice   int64 // rows
	done    atomic.Int64
	batches sync.Pool

	mu   sync.Mutex
	next int64 // number of the next slice
}

func openParquet(ctx context.Context, writer *segments.Writer, path string, limits Limits) (_ records.Source, err error) {
	if writer == nil {
		return nil, errors.New("no DuckDB to read Parquet with")
	}
	p := &parquetSource{writer: writer, path: "'" + strings.ReplaceAll(path, "'", "''") + "'"}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errUnreadable.Wrap(err)
	}
	p.size = info.Size()
	if err := p.describe(ctx, limits); err != nil {
		return nil, err
	}
	unpacked := int64(0)
	if err := p.one(ctx, "SELECT count(*) FROM read_parquet("+p.path+")", &p.total); err != nil {
		return nil, err
	}
	err = p.one(ctx, "SELECT coalesce(sum(total_uncompressed_size), 0)::BIGINT FROM parquet_metadata("+p.path+")", &unpacked)
	if err != nil {
		return nil, err
	}
	// DuckDB counts the rows of the row groups; the file as a whole says, too,
	// how many there are.
	claimed := int64(0)
	if err := p.one(ctx, "SELECT num_rows FROM parquet_file_metadata("+p.path+")", &claimed); err != nil {
		return nil, err
	}
	if claimed != p.total {
		return nil, ErrBadParquet.With("The Parquet file says it has %s rows, and its parts have %s.", count(claimed), count(p.total))
	}
	p.slice = sliceRows
	if p.total > 0 && unpacked > p.total {
		p.slice = max(64, min(sliceRows, sliceBytes/(unpacked/p.total)))
	}
	return p, nil
}

// one reads a single number.
func (p *parquetSource) one(ctx context.Context, query string, into *int64) error {
	rows, err := p.writer.Query(ctx, query)
	if err != nil {
		return parquetError(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(into); err != nil {
			return parquetError(err)
		}
	}
	if err := rows.Err(); err != nil {
		return parquetError(err)
	}
	return nil
}

// parquetError tells damage from a lack of memory and from cancellation.
func parquetError(err error) error {
	var told *duckdb.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), !errors.As(err, &told):
		return err
	case told.Type == duckdb.ErrorTypeOutOfMemory:
		return segments.ErrOutOfMemory.Wrap(err)
	case told.Type == duckdb.ErrorTypeInterrupt:
		return err
	}
	return ErrBadParquet.Wrap(err)
}

// describe finds the columns.
func (p *parquetSource) describe(ctx context.Context, limits Limits) error {
	rows, err := p.writer.Query(ctx, "DESCRIBE SELECT * FROM read_parquet("+p.path+")")
	if err != nil {
		return parquetError(err)
	}
	defer rows.Close()
	var selects []string
	used := map[string]bool{}
	for rows.Next() {
		var name, kind string
		var rest [4]any
		if err := rows.Scan(&name, &kind, &rest[0], &rest[1], &rest[2], &rest[3]); err != nil {
			return fmt.Errorf("describe Parquet: %w", err)
		}
		f := records.Field{Source: name, Name: cleanName(name, len(selects), used)}
		column := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		selects = append(selects, declared(&f, kind, column))
		p.fields = append(p.fields, f)
	}
	if err := rows.Err(); err != nil {
		return parquetError(err)
	}
	if len(p.fields) > limits.MaxColumns {
		return errTooManyColumns(len(p.fields), limits.MaxColumns)
	}
	p.selects = strings.Join(selects, ", ")
	return nil
}

func errTooManyColumns(columns, most int) error {
	return ErrBadParquet.With("The file has %d columns; %d is the most.", columns, most)
}

// cleanName makes a usable, unique name.
func cleanName(source string, at int, used map[string]bool) string {
	name := strings.Join(strings.Fields(strings.ToValidUTF8(source, "\uFFFD")), " ")
	if name == "" {
		name = fmt.Sprintf("column_%d", at+1)
	}
	unique := name
	for n := 2; used[strings.ToLower(unique)]; n++ {
		unique = fmt.Sprintf("%s_%d", name, n)
	}
	used[strings.ToLower(unique)] = true
	return unique
}

// declared sets a field's type from the type DuckDB names and answers SQL for
// its values as text.
func declared(f *records.Field, kind, column string) string {
	text := column + "::VARCHAR"
	set := func(t segments.Type) { f.Type = string(t) }
	switch {
	case kind == "TINYINT", kind == "SMALLINT", kind == "INTEGER", kind == "BIGINT",
		kind == "UTINYINT", kind == "USMALLINT", kind == "UINTEGER":
		set(segments.Integer)
	case kind == "UBIGINT", kind == "HUGEINT", kind == "UHUGEINT":
		set(segments.Decimal)
		f.Precision = 38
	case strings.HasPrefix(kind, "DECIMAL("):
		set(segments.Decimal)
		if _, err := fmt.Sscanf(kind, "DECIMAL(%d,%d)", &f.Precision, &f.Scale); err == nil && f.Precision <= 18 {
			f.Precision = 18
		}
	case kind == "FLOAT", kind == "DOUBLE":
		set(segments.Float)
	case kind == "BOOLEAN":
		set(segments.Boolean)
	case kind == "DATE":
		set(segments.Date)
	case kind == "TIMESTAMP WITH TIME ZONE":
		set(segments.TimestampTZ)
	case strings.HasPrefix(kind, "TIMESTAMP"):
		set(segments.Timestamp)
		if kind != "TIMESTAMP" {
			text = column + "::TIMESTAMP::VARCHAR"
		}
	case strings.HasSuffix(kind, "[]"), strings.HasPrefix(kind, "STRUCT"), strings.HasPrefix(kind, "MAP"), strings.HasPrefix(kind, "UNION"):
		set(segments.Text)
		text = "to_json(" + column + ")::VARCHAR"
	default:
		set(segments.Text)
	}
	return text
}

func (p *parquetSource) Format() records.Format {
	return records.Format{Kind: "parquet", Header: true}
}
func (p *parquetSource) Fields() []records.Field { return p.fields }

// Progress estimates the bytes from the rows.
func (p *parquetSource) Progress() (read, total int64) {
	if p.total == 0 {
		return p.size, p.size
	}
	return int64(float64(p.size) * float64(p.done.Load()) / float64(p.total)), p.size
}

// Close has nothing to do: every slice is a query of its own.
func (p *parquetSource) Close() error { return nil }

// Next reads a slice; see records.Source.
func (p *parquetSource) Next(ctx context.Context) (*records.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	seq := p.next
	p.next++
	p.mu.Unlock()
	first := seq * p.slice
	if first >= p.total {
		return nil, io.EOF
	}
	rows := min(p.slice, p.total-first)
	reader, err := p.writer.ReadText(ctx, fmt.Sprintf(
		"SELECT %s FROM read_parquet(%s, file_row_number = true) WHERE file_row_number >= %d AND file_row_number < %d",
		p.selects, p.path, first, first+rows))
	if err != nil {
		return nil, parquetError(err)
	}
	defer reader.Close()
	// Cells are checked for being text: a file may hold anything.
	b, _ := p.batches.Get().(*records.Batch)
	if b == nil {
		b = &records.Batch{}
	}
	*b = records.Batch{
		Seq: seq, FirstRecord: first + 1, Fields: len(p.fields), Invalid: true,
		Data: b.Data[:0], Spans: b.Spans[:0], Lines: b.Lines[:0],
		Free: func(b *records.Batch) { p.batches.Put(b) },
	}
	for more := true; more; {
		more, err = reader.Next(func(rows int, cell func(row, column int) string) {
			for r := range rows {
				for c := range p.fields {
					start := len(b.Data)
					b.Data = append(b.Data, cell(r, c)...)
					b.Spans = append(b.Spans, records.Plain(start, len(b.Data)))
				}
				b.Lines = append(b.Lines, b.FirstRecord+int64(b.Records))
				b.Records++
			}
		})
		if err != nil {
			return nil, parquetError(err)
		}
	}
	if int64(b.Records) != rows {
		return nil, ErrBadParquet.With("The Parquet file says it has %s rows; some of them are missing.", count(p.total))
	}
	p.done.Add(rows)
	return b, nil
}

//go:build duckdb_arrow

package segments

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/duckdb/duckdb-go/v2"
)

// blockReader hands blocks to DuckDB as Arrow record batches, without copying.
type blockReader struct {
	columns []Column
	schema  *arrow.Schema
	source  func() (*Block, error) // io.EOF ends
	free    func(*Block)           // takes a block back, from any thread
	current arrow.RecordBatch
	rows    int64
	err     error
}

var _ array.RecordReader = (*blockReader)(nil)

func newBlockReader(columns []Column, source func() (*Block, error), free func(*Block)) *blockReader {
	var fields []arrow.Field
	for _, c := range columns {
		fields = append(fields, arrow.Field{Name: ColumnName(c.ID), Type: arrowType(c), Nullable: true})
		if HasBucket(c.Type) {
			fields = append(fields, arrow.Field{Name: BucketName(c.ID), Type: arrow.PrimitiveTypes.Int32, Nullable: true})
		}
	}
	return &blockReader{columns: columns, schema: arrow.NewSchema(fields, nil), source: source, free: free}
}

func arrowType(c Column) arrow.DataType {
	switch c.Type {
	case Decimal:
		if physicalOf(c) == int128Values {
			return &arrow.Decimal128Type{Precision: int32(c.Precision), Scale: int32(c.Scale)}
		}
		return &arrow.Decimal64Type{Precision: int32(c.Precision), Scale: int32(c.Scale)}
	case Float:
		return arrow.PrimitiveTypes.Float64
	case Boolean:
		return arrow.FixedWidthTypes.Boolean
	case Date:
		return arrow.FixedWidthTypes.Date32
	case Timestamp:
		return &arrow.TimestampType{Unit: arrow.Microsecond}
	case TimestampTZ:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case Text:
		return arrow.BinaryTypes.String
	}
	return arrow.PrimitiveTypes.Int64
}

func (r *blockReader) Retain()                        {}
func (r *blockReader) Schema() *arrow.Schema          { return r.schema }
func (r *blockReader) RecordBatch() arrow.RecordBatch { return r.current }
func (r *blockReader) Record() arrow.RecordBatch      { return r.current }
func (r *blockReader) Err() error                     { return r.err }

func (r *blockReader) Release() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

func (r *blockReader) Next() bool {
	r.Release()
	if r.err != nil {
		return false
	}
	for {
		block, err := r.source()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.err = err
			}
			return false
		}
		if block.Rows == 0 {
			if r.free != nil {
				r.free(block)
			}
			continue
		}
		r.rows += int64(block.Rows)
		r.current = r.batch(block)
		return true
	}
}

// lease counts the buffers of a block that DuckDB still holds.
type lease struct {
	live  atomic.Int32
	block *Block
	free  func(*Block)
}

func (l *lease) Allocate(int) []byte           { panic("segments: a lease allocates nothing") }
func (l *lease) Reallocate(int, []byte) []byte { panic("segments: a lease allocates nothing") }
func (l *lease) Free([]byte)                   { l.drop() }

func (l *lease) drop() {
	if l.live.Add(-1) == 0 && l.free != nil {
		l.free(l.block)
	}
}

func (l *lease) buffer(data []byte) *memory.Buffer {
	l.live.Add(1)
	return memory.NewBufferWithAllocator(data, l)
}

func (r *blockReader) batch(block *Block) arrow.RecordBatch {
	l := &lease{block: block, free: r.free}
	l.live.Add(1)
	defer l.drop()
	var arrays []arrow.Array
	for i, c := range r.columns {
		v := &block.Columns[i]
		valid, nulls := validity(v.Nulls, block.Rows)
		var buffers []*memory.Buffer
		switch physicalOf(c) {
		case int64Values:
			buffers = []*memory.Buffer{valid, l.buffer(arrow.Int64Traits.CastToBytes(v.Int64))}
		case int32Values:
			buffers = []*memory.Buffer{valid, l.buffer(arrow.Int32Traits.CastToBytes(v.Int32))}
		case int128Values:
			buffers = []*memory.Buffer{valid, l.buffer(wideBytes(v.Int128))}
		case floatValues:
			buffers = []*memory.Buffer{valid, l.buffer(arrow.Float64Traits.CastToBytes(v.Float64))}
		case boolValues:
			buffers = []*memory.Buffer{valid, memory.NewBufferBytes(bitmap(v.Bool, false))}
		default:
			buffers = []*memory.Buffer{valid, l.buffer(arrow.Int32Traits.CastToBytes(v.Offsets)), l.buffer(v.Bytes)}
		}
		arrays = append(arrays, makeArray(arrowType(c), block.Rows, buffers, nulls))
		if HasBucket(c.Type) {
			valid, _ := validity(v.Nulls, block.Rows)
			b := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(buckets(v.Int64)))
			arrays = append(arrays, makeArray(arrow.PrimitiveTypes.Int32, block.Rows, []*memory.Buffer{valid, b}, nulls))
		}
	}
	batch := array.NewRecordBatch(r.schema, arrays, int64(block.Rows))
	for _, a := range arrays {
		a.Release()
	}
	return batch
}

func makeArray(t arrow.DataType, rows int, buffers []*memory.Buffer, nulls int) arrow.Array {
	data := array.NewData(t, rows, buffers, nil, nulls, 0)
	defer data.Release()
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	return array.MakeFromData(data)
}

func validity(nulls []bool, rows int) (*memory.Buffer, int) {
	if nulls == nil {
		return nil, 0
	}
	count := 0
	for _, n := range nulls[:rows] {
		if n {
			count++
		}
	}
	if count == 0 {
		return nil, 0
	}
	return memory.NewBufferBytes(bitmap(nulls[:rows], true)), count
}

// bitmap packs flags, eight a byte, lowest bit first.
func bitmap(flags []bool, invert bool) []byte {
	bits := make([]byte, (len(flags)+7)/8)
	for i, f := range flags {
		if f != invert {
			bits[i>>3] |= 1 << (i & 7)
		}
	}
	return bits
}

// buckets floors moments to quarters of an hour.
func buckets(micros []int64) []int32 {
	const width = int64(BucketMicros)
	out := make([]int32, len(micros))
	for i, m := range micros {
		q := m / width
		if m%width < 0 {
			q--
		}
		out[i] = int32(q)
	}
	return out
}

var views atomic.Int64

// copyBlocks writes what a reader gives as one segment file.
func (w *Writer) copyBlocks(ctx context.Context, r *blockReader, path string, groupRows int) (File, error) {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return File{}, fmt.Errorf("connect to DuckDB: %w", err)
	}
	defer conn.Close()
	view := "blocks_" + strconv.FormatInt(views.Add(1), 10)
	var release func()
	err = conn.Raw(func(raw any) error {
		c, ok := raw.(*duckdb.Conn)
		if !ok {
			return fmt.Errorf("connection is a %T", raw)
		}
		a, err := duckdb.NewArrowFromConn(c)
		if err != nil {
			return err
		}
		release, err = a.RegisterView(r, view)
		return err
	})
	if err != nil {
		return File{}, fmt.Errorf("hand rows to DuckDB: %w", err)
	}
	defer release()
	file, err := copyQuery(ctx, conn, "SELECT * FROM "+view, path, r.columns, groupRows)
	if _, dropErr := conn.ExecContext(context.WithoutCancel(ctx), "DROP VIEW "+view); err == nil && dropErr != nil {
		err = fmt.Errorf("drop view: %w", dropErr)
	}
	if r.err != nil {
		// What the source said is what went wrong; DuckDB only passed it on.
		return File{}, r.err
	}
	return file, err
}

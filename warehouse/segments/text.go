//go:build duckdb_arrow

package segments

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2"
)

// TextReader reads the answer of a query whose columns are all VARCHAR.
type TextReader struct {
	conn   *sql.Conn
	reader array.RecordReader
}

// ReadText runs a query whose columns are all VARCHAR.
func (w *Writer) ReadText(ctx context.Context, query string) (*TextReader, error) {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to DuckDB: %w", err)
	}
	t := &TextReader{conn: conn}
	err = conn.Raw(func(raw any) error {
		c, ok := raw.(*duckdb.Conn)
		if !ok {
			return fmt.Errorf("connection is a %T", raw)
		}
		a, err := duckdb.NewArrowFromConn(c)
		if err != nil {
			return err
		}
		t.reader, err = a.QueryContext(ctx, query)
		return err
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return t, nil
}

// Next calls batch with the next rows and tells whether there were any. Cells
// are valid during the call; a null is empty.
func (t *TextReader) Next(batch func(rows int, cell func(row, column int) string)) (bool, error) {
	if !t.reader.Next() {
		return false, t.reader.Err()
	}
	record := t.reader.RecordBatch()
	columns := make([]*array.String, record.NumCols())
	for i := range columns {
		column, ok := record.Column(i).(*array.String)
		if !ok {
			return false, fmt.Errorf("column %d is %s, not text", i, record.Column(i).DataType())
		}
		columns[i] = column
	}
	batch(int(record.NumRows()), func(row, column int) string {
		if c := columns[column]; !c.IsNull(row) {
			return c.Value(row)
		}
		return ""
	})
	return true, nil
}

// Close ends the query.
func (t *TextReader) Close() error {
	t.reader.Release()
	return t.conn.Close()
}

//go:build !duckdb_arrow

package segments

import (
	"context"
	"errors"
)

// Rows reach DuckDB through its Arrow interface, which the driver only has
// under the build tag that the Makefile sets.
var errNoArrow = errors.New("built without -tags duckdb_arrow: use make, or GOFLAGS=-tags=duckdb_arrow")

type blockReader struct{ rows int64 }

func newBlockReader([]Column, func() (*Block, error), func(*Block)) *blockReader {
	return &blockReader{}
}

func (w *Writer) copyBlocks(context.Context, *blockReader, string, int) (File, error) {
	return File{}, errNoArrow
}

// TextReader reads the answer of a query whose columns are all VARCHAR.
type TextReader struct{}

// ReadText runs a query whose columns are all VARCHAR.
func (w *Writer) ReadText(context.Context, string) (*TextReader, error) { return nil, errNoArrow }

// Next calls batch with the next rows and tells whether there were any.
func (t *TextReader) Next(func(rows int, cell func(row, column int) string)) (bool, error) {
	return false, errNoArrow
}

// Close ends the query.
func (t *TextReader) Close() error { return nil }

package segments

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2"
)

// querier is a connection or a pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// copyQuery writes the rows of a query, which has the columns of a segment
// file, to path. Nothing stays there after an error.
func copyQuery(ctx context.Context, q querier, query, path string, columns []Column, groupRows int) (file File, err error) {
	defer func() {
		if err != nil {
			os.Remove(path)
			err = fmt.Errorf("write segment: %w", classify(err))
		}
	}()
	rows, err := q.QueryContext(ctx, copyTo(query, path, columns, groupRows))
	if err != nil {
		return file, err
	}
	defer rows.Close()
	file.Path = path
	byName := map[string]map[string]string{}
	for rows.Next() {
		var name string
		var footer any
		var statistics duckdb.OrderedMap
		var partitions any
		if err := rows.Scan(&name, &file.Rows, &file.Bytes, &footer, &statistics, &partitions); err != nil {
			return file, fmt.Errorf("statistics: %w", err)
		}
		for _, key := range statistics.Keys() {
			value, _ := statistics.Get(key)
			byName[strings.Trim(fmt.Sprint(key), `"`)] = textMap(value)
		}
	}
	if err := rows.Err(); err != nil {
		return file, err
	}
	file.Stats = statsOf(columns, byName, file.Rows)
	return file, nil
}

func textMap(value any) map[string]string {
	m := map[string]string{}
	if ordered, ok := value.(duckdb.OrderedMap); ok {
		for _, key := range ordered.Keys() {
			v, _ := ordered.Get(key)
			m[fmt.Sprint(key)] = fmt.Sprint(v)
		}
	}
	return m
}

// wideBytes is the memory of 128-bit integers: low word first, as Arrow and
// every processor this runs on have it.
func wideBytes(values [][2]uint64) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*16)
}

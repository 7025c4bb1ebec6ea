package segments

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/dataflowhq/dataflow/platform/workdir"
)

// Config bounds a Writer.
type Config struct {
	MemoryLimit int64 // bytes that DuckDB may use, default 192 MiB; more is spilled
	// WorkDir is where it makes a directory of its own for spilling, which Close
	// removes, or the next process where this one is killed; os.TempDir() when
	// empty. TempDir is used as it is instead, and stays.
	WorkDir, TempDir string
}

// Writer writes and rewrites segment files with a DuckDB of its own, one thread
// a call. It is safe for concurrent use; one a process is enough.
type Writer struct {
	connector *duckdb.Connector
	db        *sql.DB
	work      *workdir.Dir // nil with a TempDir
	tempDir   string
}

// Open starts a writer.
func Open(cfg Config) (*Writer, error) {
	if cfg.MemoryLimit <= 0 {
		cfg.MemoryLimit = 192 << 20
	}
	w := &Writer{tempDir: cfg.TempDir}
	if w.tempDir == "" {
		work, err := workdir.Open(cmp.Or(cfg.WorkDir, os.TempDir()), "dataflow-segments")
		if err != nil {
			return nil, classify(fmt.Errorf("temporary directory: %w", err))
		}
		w.work, w.tempDir = work, work.Path()
	} else if err := os.MkdirAll(w.tempDir, 0o700); err != nil {
		return nil, classify(fmt.Errorf("temporary directory: %w", err))
	}
	// One thread keeps the rows of a file in order and one row group in
	// memory; callers that want more cores make several calls. The limits
	// are given at the start: DuckDB would look for them in files that a
	// sandbox does not let it see. So is what holds for all connections: once
	// something was spilled, the directory can't be named again.
	start := "?" + url.Values{
		"threads": {"1"}, "memory_limit": {fmt.Sprintf("%dB", cfg.MemoryLimit)}, "temp_directory": {filepath.Join(w.tempDir, "duckdb")},
		"preserve_insertion_order": {"true"}, "autoinstall_known_extensions": {"false"}, "autoload_known_extensions": {"false"},
		"allow_community_extensions": {"false"},
	}.Encode()
	connector, err := duckdb.NewConnector(start, func(c driver.ExecerContext) error {
		if _, err := c.ExecContext(context.Background(), "SET TimeZone = 'UTC'", nil); err != nil {
			return fmt.Errorf("set time zone: %w", err)
		}
		return nil
	})
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("start DuckDB: %w", err)
	}
	w.connector, w.db = connector, sql.OpenDB(connector)
	if err := w.db.Ping(); err != nil {
		w.Close()
		return nil, fmt.Errorf("start DuckDB: %w", err)
	}
	return w, nil
}

// Close ends the writer and removes its temporary files.
func (w *Writer) Close() error {
	var err error
	if w.db != nil {
		err = w.db.Close()
	}
	if w.work != nil {
		if removed := w.work.Remove(); err == nil {
			err = removed
		}
	}
	return err
}

// Query runs SQL of the caller's own on the writer's DuckDB.
func (w *Writer) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return w.db.QueryContext(ctx, query, args...)
}

// literal quotes a text for SQL.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// From is SQL for a relation with the columns, by ColumnName, of segment files,
// read by field id: NULL where a file is older than a column, converted where
// it has another type. extra is appended to the arguments of read_parquet.
func From(columns []Column, files []string, extra string) string {
	var b strings.Builder
	b.WriteString("read_parquet([")
	for i, f := range files {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(literal(f))
	}
	b.WriteString("], schema = MAP {")
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d: {name: '%s', type: '%s', default_value: NULL}", c.ID, ColumnName(c.ID), SQLType(c))
	}
	b.WriteString("}")
	b.WriteString(extra)
	b.WriteString(")")
	return b.String()
}

// selected is SQL for what a segment file holds, from a relation that has the
// columns by ColumnName: the columns and the buckets of its timestamps.
func selected(columns []Column) string {
	var parts []string
	for _, c := range columns {
		name := ColumnName(c.ID)
		parts = append(parts, name)
		if HasBucket(c.Type) {
			parts = append(parts, fmt.Sprintf("CAST(floor(epoch_us(%s) / 900000000.0) AS INTEGER) AS %s", name, BucketName(c.ID)))
		}
	}
	return strings.Join(parts, ", ")
}

// fieldIDs is the FIELD_IDS argument of COPY for a segment file.
func fieldIDs(columns []Column) string {
	var parts []string
	for _, c := range columns {
		parts = append(parts, fmt.Sprintf("%s: %d", ColumnName(c.ID), c.ID))
		if HasBucket(c.Type) {
			parts = append(parts, fmt.Sprintf("%s: %d", BucketName(c.ID), BucketID(c.ID)))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// copyTo is the COPY statement that writes a segment file. A dictionary takes
// its memory for every column at once, so wide tables get smaller ones.
func copyTo(query, path string, columns []Column, groupRows int) string {
	dictionary := max(16<<10, min(1<<20, (32<<20)/len(columns)))
	return fmt.Sprintf(`COPY (%s) TO %s (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE %d, FIELD_IDS %s,
		STRING_DICTIONARY_PAGE_SIZE_LIMIT %d, RETURN_STATS)`, query, literal(path), groupRows, fieldIDs(columns), dictionary)
}

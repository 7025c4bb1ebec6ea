package segments

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// Config bounds a Writer.
type Config struct {
	MemoryLimit int64  // bytes that DuckDB may use, default 192 MiB; more is spilled to TempDir
	TempDir     string // for spilling; default: a new directory, removed by Close
}

// Writer writes and rewrites segment files with a DuckDB of its own, one thread
// a call. It is safe for concurrent use; one a process is enough.
type Writer struct {
	connector *duckdb.Connector
	db        *sql.DB
	tempDir   string
	ownTemp   bool
}

// Open starts a writer.
func Open(cfg Config) (*Writer, error) {
	if cfg.MemoryLimit <= 0 {
		cfg.MemoryLimit = 192 << 20
	}
	w := &Writer{tempDir: cfg.TempDir}
	if w.tempDir == "" {
		dir, err := os.MkdirTemp("", "dataflow-segments-")
		if err != nil {
			return nil, fmt.Errorf("temporary directory: %w", err)
		}
		w.tempDir, w.ownTemp = dir, true
	} else if err := os.MkdirAll(w.tempDir, 0o700); err != nil {
		return nil, classify(fmt.Errorf("temporary directory: %w", err))
	}
	// One thread keeps the rows of a file in order and one row group in
	// memory; callers that want more cores make several calls. Both limits
	// are given at the start: DuckDB would look for them in files that a
	// sandbox does not let it see.
	start := fmt.Sprintf("?threads=1&memory_limit=%dB", cfg.MemoryLimit)
	settings := []string{
		"SET temp_directory = " + literal(filepath.Join(w.tempDir, "duckdb")),
		"SET preserve_insertion_order = true",
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET allow_community_extensions = false",
		"SET TimeZone = 'UTC'",
	}
	connector, err := duckdb.NewConnector(start, func(c driver.ExecerContext) error {
		for _, s := range settings {
			if _, err := c.ExecContext(context.Background(), s, nil); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
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
	if w.ownTemp {
		if removed := os.RemoveAll(w.tempDir); err == nil {
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

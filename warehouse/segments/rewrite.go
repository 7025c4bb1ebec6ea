package segments

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Merge asks to write the rows of several segments as one.
type Merge struct {
	Layout Layout
	// Inputs give a column by its id: NULL where a file is older than the
	// column, converted where it has another type.
	Inputs []string
	// Path is the new file; its sample stands beside it.
	Path string
	// SampleFrom is the number of rows from which a sample is written, default
	// 1,000,000; negative for never.
	SampleFrom int64
}

// Merge writes one segment with exactly the rows of others, sorted by the
// layout's time column. With a layout of other types it converts them.
//
// Errors: segments.not_convertible when a value does not fit its column's new
// type, ingest.disk_full.
func (w *Writer) Merge(ctx context.Context, m Merge) (File, error) {
	if m.SampleFrom == 0 {
		m.SampleFrom = 1_000_000
	}
	group, err := w.groupRowsOf(ctx, m.Inputs, len(m.Layout.Columns))
	if err != nil {
		return File{}, err
	}
	query := "SELECT " + selected(m.Layout.Columns) + " FROM " + From(m.Layout.Columns, m.Inputs, "") + orderBy(m.Layout)
	file, err := copyQuery(ctx, w.db, query, m.Path, m.Layout.Columns, group)
	if err != nil || m.SampleFrom < 0 || file.Rows < m.SampleFrom {
		return file, err
	}
	return w.addSample(ctx, m.Layout, file)
}

// groupRowsOf is the size of row groups for rows as wide as those of files.
func (w *Writer) groupRowsOf(ctx context.Context, files []string, columns int) (int, error) {
	var list []string
	for _, f := range files {
		list = append(list, literal(f))
	}
	paths := "([" + strings.Join(list, ", ") + "])"
	var bytes, rows int64
	err := w.db.QueryRowContext(ctx, "SELECT coalesce(sum(total_uncompressed_size), 0)::BIGINT FROM parquet_metadata"+paths).Scan(&bytes)
	if err == nil {
		err = w.db.QueryRowContext(ctx, "SELECT coalesce(sum(num_rows), 0)::BIGINT FROM parquet_file_metadata"+paths).Scan(&rows)
	}
	if err != nil {
		return 0, fmt.Errorf("read footers: %w", classify(err))
	}
	if rows == 0 {
		return RowGroupRows, nil
	}
	return groupRows(int(bytes/rows) + 8*columns), nil
}

// addSample writes the sample of a segment that has none.
func (w *Writer) addSample(ctx context.Context, layout Layout, file File) (File, error) {
	path := strings.TrimSuffix(file.Path, ".parquet") + ".sample.parquet"
	query := fmt.Sprintf("SELECT %s FROM %s WHERE hash(file_row_number, 24301) %% %d = 0",
		selected(layout.Columns), From(layout.Columns, []string{file.Path}, ", file_row_number = true"), SampleRate)
	group, err := w.groupRowsOf(ctx, []string{file.Path}, len(layout.Columns))
	if err != nil {
		return File{}, err
	}
	sample, err := copyQuery(ctx, w.db, query, path, layout.Columns, group)
	if err != nil {
		os.Remove(file.Path)
		return File{}, err
	}
	file.Sample, file.SampleRows, file.SampleBytes = sample.Path, sample.Rows, sample.Bytes
	return file, nil
}

func orderBy(layout Layout) string {
	if layout.TimeColumn == 0 {
		return ""
	}
	return " ORDER BY " + ColumnName(layout.TimeColumn) + " NULLS LAST"
}

// Change is a change of rows by key.
type Change struct {
	Layout Layout
	Key    []int32  // ids of the columns that together name a row
	Inputs []string // the current segments
	// Upserts are segment files with the same layout: their rows replace those
	// with the same key, and the others are added.
	Upserts []string
	// Deletes are keys to be removed; it has the key columns.
	Deletes *Rows
	Dir     string // new files are written here
	Prefix  string // and named Prefix-0001.parquet and so on
	// SampleFrom is as in Merge, for each file.
	SampleFrom int64
}

// Changed is the outcome of a Change. Inputs that hold none of the keys stay
// as they are.
type Changed struct {
	Removed  []string `json:"removed"` // inputs to be taken out of the dataset
	Added    []File   `json:"added"`   // files to be put in
	Inserted int64    `json:"inserted"`
	Updated  int64    `json:"updated"` // upserts whose key was there, however many rows had it
	Deleted  int64    `json:"deleted"`
}

// RewriteByKey applies a change by key. An input that holds a key is written
// again without those rows; upserted rows come in files of their own.
//
// Errors: segments.repeated_key, ingest.disk_full.
func (w *Writer) RewriteByKey(ctx context.Context, change Change) (changed Changed, err error) {
	defer func() {
		if err != nil {
			for _, f := range changed.Added {
				os.Remove(f.Path)
				if f.Sample != "" {
					os.Remove(f.Sample)
				}
			}
			changed = Changed{}
		}
	}()
	keys, err := change.keyColumns()
	if err != nil {
		return changed, err
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return changed, fmt.Errorf("connect to DuckDB: %w", err)
	}
	defer conn.Close()
	cleanUp, err := w.loadKeys(ctx, conn, change, keys)
	defer cleanUp()
	if err != nil {
		return changed, err
	}
	if err := change.checkKeys(ctx, conn, keys); err != nil {
		return changed, err
	}
	for n, input := range change.Inputs {
		updated, deleted, err := change.hits(ctx, conn, keys, input)
		if err != nil {
			return changed, err
		}
		if updated+deleted == 0 {
			continue
		}
		changed.Updated += updated
		changed.Deleted += deleted
		changed.Removed = append(changed.Removed, input)
		query := fmt.Sprintf("SELECT %s FROM %s AS old WHERE NOT EXISTS (FROM changed_keys AS k WHERE %s)%s",
			selected(change.Layout.Columns), From(change.Layout.Columns, []string{input}, ""), matches(keys), orderBy(change.Layout))
		group, err := w.groupRowsOf(ctx, []string{input}, len(change.Layout.Columns))
		if err != nil {
			return changed, err
		}
		file, err := copyQuery(ctx, conn, query, change.path(n), change.Layout.Columns, group)
		if err != nil {
			return changed, err
		}
		if changed.Added, err = w.keepFile(ctx, change, changed.Added, file); err != nil {
			return changed, err
		}
	}
	if len(change.Upserts) == 0 {
		return changed, nil
	}
	if changed.Updated > 0 {
		// Rows that were there may share a key: all of them give way to one.
		err := conn.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM changed_keys AS k WHERE k.upsert AND EXISTS (FROM %s AS old WHERE %s)",
			From(keys, changed.Removed, ""), matches(keys))).Scan(&changed.Updated)
		if err != nil {
			return changed, fmt.Errorf("keys: %w", classify(err))
		}
	}
	file, err := w.Merge(ctx, Merge{Layout: change.Layout, Inputs: change.Upserts, Path: change.path(len(change.Inputs)), SampleFrom: -1})
	if err != nil {
		return changed, err
	}
	changed.Inserted = file.Rows - changed.Updated
	changed.Added, err = w.keepFile(ctx, change, changed.Added, file)
	return changed, err
}

// CountByKey counts the rows that a change by key would update and delete.
func (w *Writer) CountByKey(ctx context.Context, change Change) (rows int64, err error) {
	keys, err := change.keyColumns()
	if err != nil {
		return 0, err
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return 0, fmt.Errorf("connect to DuckDB: %w", err)
	}
	defer conn.Close()
	cleanUp, err := w.loadKeys(ctx, conn, change, keys)
	defer cleanUp()
	if err != nil {
		return 0, err
	}
	for _, input := range change.Inputs {
		updated, deleted, err := change.hits(ctx, conn, keys, input)
		if err != nil {
			return 0, err
		}
		rows += updated + deleted
	}
	return rows, nil
}

// keepFile takes up a new file; one without rows is removed.
func (w *Writer) keepFile(ctx context.Context, change Change, files []File, file File) ([]File, error) {
	if file.Rows == 0 {
		if err := os.Remove(file.Path); err != nil {
			return files, fmt.Errorf("remove empty segment: %w", err)
		}
		return files, nil
	}
	from := change.SampleFrom
	if from == 0 {
		from = 1_000_000
	}
	if from > 0 && file.Rows >= from {
		sampled, err := w.addSample(ctx, change.Layout, file)
		if err != nil {
			return files, err
		}
		file = sampled
	}
	return append(files, file), nil
}

func (c *Change) path(n int) string {
	return filepath.Join(c.Dir, fmt.Sprintf("%s-%04d.parquet", c.Prefix, n+1))
}

func (c *Change) keyColumns() ([]Column, error) {
	var keys []Column
	for _, id := range c.Key {
		for _, column := range c.Layout.Columns {
			if column.ID == id {
				keys = append(keys, column)
			}
		}
	}
	if len(keys) == 0 || len(keys) != len(c.Key) {
		return nil, fmt.Errorf("key %v is not among the columns", c.Key)
	}
	return keys, nil
}

// loadKeys fills the temporary table changed_keys: the key and whether its row
// comes back with an upsert. Keys that are deleted and upserted are upserted.
func (w *Writer) loadKeys(ctx context.Context, conn *sql.Conn, change Change, keys []Column) (cleanUp func(), err error) {
	cleanUp = func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "DROP TABLE IF EXISTS changed_keys")
	}
	var definitions, names []string
	for _, k := range keys {
		definitions = append(definitions, ColumnName(k.ID)+" "+SQLType(k))
		names = append(names, ColumnName(k.ID))
	}
	list := strings.Join(names, ", ")
	if _, err := conn.ExecContext(ctx, "CREATE OR REPLACE TEMP TABLE changed_keys ("+strings.Join(definitions, ", ")+", upsert BOOLEAN)"); err != nil {
		return cleanUp, fmt.Errorf("keys: %w", classify(err))
	}
	if len(change.Upserts) > 0 {
		if _, err := conn.ExecContext(ctx, "INSERT INTO changed_keys SELECT "+list+", true FROM "+From(keys, change.Upserts, "")); err != nil {
			return cleanUp, fmt.Errorf("keys: %w", classify(err))
		}
	}
	if change.Deletes == nil || change.Deletes.Count == 0 {
		return cleanUp, nil
	}
	// The keys go through a file, as any rows do.
	dir, err := os.MkdirTemp(w.tempDir, "keys-")
	if err != nil {
		return cleanUp, fmt.Errorf("keys: %w", classify(err))
	}
	defer os.RemoveAll(dir)
	file, err := w.WriteRows(ctx, filepath.Join(dir, "keys.parquet"), Layout{Columns: keys}, *change.Deletes)
	if err != nil {
		return cleanUp, err
	}
	_, err = conn.ExecContext(ctx, fmt.Sprintf(
		"INSERT INTO changed_keys SELECT DISTINCT %s, false FROM %s AS old WHERE NOT EXISTS (FROM changed_keys AS k WHERE %s)",
		list, From(keys, []string{file.Path}, ""), matches(keys)))
	if err != nil {
		return cleanUp, fmt.Errorf("keys: %w", classify(err))
	}
	return cleanUp, nil
}

// matches is SQL that compares the keys of "old" and "k"; nulls never match.
func matches(keys []Column) string {
	var parts []string
	for _, k := range keys {
		parts = append(parts, fmt.Sprintf("k.%[1]s = old.%[1]s", ColumnName(k.ID)))
	}
	return strings.Join(parts, " AND ")
}

func (c *Change) checkKeys(ctx context.Context, conn *sql.Conn, keys []Column) error {
	var names []string
	for _, k := range keys {
		names = append(names, ColumnName(k.ID))
	}
	var repeated int64
	err := conn.QueryRowContext(ctx, "SELECT count(*) FROM (FROM changed_keys SELECT 1 GROUP BY "+strings.Join(names, ", ")+" HAVING count(*) > 1)").Scan(&repeated)
	if err != nil {
		return fmt.Errorf("keys: %w", classify(err))
	}
	if repeated > 0 {
		return ErrRepeatedKey
	}
	return nil
}

// hits counts the rows of an input that the change touches.
func (c *Change) hits(ctx context.Context, conn *sql.Conn, keys []Column, input string) (updated, deleted int64, err error) {
	err = conn.QueryRowContext(ctx, fmt.Sprintf(
		"SELECT count(*) FILTER (k.upsert), count(*) FILTER (NOT k.upsert) FROM %s AS old JOIN changed_keys AS k ON %s",
		From(keys, []string{input}, ""), matches(keys))).Scan(&updated, &deleted)
	if err != nil {
		return 0, 0, fmt.Errorf("keys: %w", classify(err))
	}
	return updated, deleted, nil
}

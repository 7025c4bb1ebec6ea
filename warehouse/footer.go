package warehouse

import (
	"context"
	_ "embed"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
)

// footer is what the engine knows of a segment file. Files never change, so a
// footer is read once.
type footer struct {
	types    map[string]string // DuckDB type by column name in the file
	distinct map[string]int64  // values of the row group that has most, by column name

	mu     sync.Mutex
	groups map[string][]groupBounds // row groups by column name, once asked for
}

// groupBounds are the smallest and largest value of a column in one row group.
// known is false where the file does not say.
type groupBounds struct {
	rows     int64
	min, max string
	nulls    int64
	known    bool
}

// footers caches footers by path. It is shared by all tenants: paths are
// unique and a caller only gets to paths of its own segments.
type footers struct {
	byPath *lru.Cache[string, *footer]
}

// emptyFile is a Parquet file without rows, see source.relation.
//
//go:embed empty.parquet
var emptyFile []byte

// keptFooters is about 50 MB of footers at 30 columns.
const keptFooters = 10_000

func newFooters() *footers {
	cache, err := lru.New[string, *footer](keptFooters)
	if err != nil { // only a size below 1
		panic(err)
	}
	return &footers{byPath: cache}
}

// load gives the footers of the segments in their order.
func (f *footers) load(ctx context.Context, conn *connection, segs []Segment) ([]*footer, error) {
	paths := make([]string, len(segs))
	for i, s := range segs {
		paths[i] = s.Path
	}
	return f.loadPaths(ctx, conn, paths)
}

func (f *footers) loadPaths(ctx context.Context, conn *connection, paths []string) ([]*footer, error) {
	out := make([]*footer, len(paths))
	var missing []string
	for i, p := range paths {
		if foot, ok := f.byPath.Get(p); ok {
			out[i] = foot
		} else {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	read := map[string]*footer{}
	sql := "SELECT file_name, name, duckdb_type FROM parquet_schema(" + pathList(missing) + ") WHERE duckdb_type IS NOT NULL"
	rows := []ResultColumn{{Type: Text}, {Type: Text}, {Type: Text}}
	if err := queryInto(ctx, conn, sql, rows); err != nil {
		return nil, fmt.Errorf("read segment schema: %w", err)
	}
	for i, path := range rows[0].Texts {
		foot := read[path]
		if foot == nil {
			foot = &footer{types: map[string]string{}, distinct: map[string]int64{}}
			read[path] = foot
		}
		foot.types[rows[1].Texts[i]] = rows[2].Texts[i]
	}
	sql = "SELECT file_name, path_in_schema, max(stats_distinct_count) FROM parquet_metadata(" + pathList(missing) + ") GROUP BY ALL HAVING bool_and(stats_distinct_count IS NOT NULL)"
	rows = []ResultColumn{{Type: Text}, {Type: Text}, {Type: Integer}}
	if err := queryInto(ctx, conn, sql, rows); err != nil {
		return nil, fmt.Errorf("read segment statistics: %w", err)
	}
	for i, path := range rows[0].Texts {
		if foot := read[path]; foot != nil {
			foot.distinct[rows[1].Texts[i]] = rows[2].Ints[i]
		}
	}
	for i, p := range paths {
		if out[i] != nil {
			continue
		}
		foot := read[p]
		if foot == nil {
			return nil, fmt.Errorf("segment %s has no columns", p)
		}
		out[i] = foot
		f.byPath.Add(p, foot)
	}
	return out, nil
}

// groupsOf gives the row groups of a file with the bounds of one column.
func (f *footers) groupsOf(ctx context.Context, conn *connection, path string, foot *footer, column string) ([]groupBounds, error) {
	foot.mu.Lock()
	groups, ok := foot.groups[column]
	foot.mu.Unlock()
	if ok {
		return groups, nil
	}
	sql := "SELECT row_group_num_rows, stats_min_value, stats_max_value, coalesce(stats_null_count, -1) FROM parquet_metadata([" + quoteText(path) + "]) WHERE path_in_schema = " + quoteText(column) + " ORDER BY row_group_id"
	rows := []ResultColumn{{Type: Integer}, {Type: Text}, {Type: Text}, {Type: Integer}}
	if err := queryInto(ctx, conn, sql, rows); err != nil {
		return nil, fmt.Errorf("read row groups: %w", err)
	}
	for i, n := range rows[0].Ints {
		known := !rows[1].IsNull(i) && !rows[2].IsNull(i) && rows[3].Ints[i] >= 0
		groups = append(groups, groupBounds{rows: n, min: rows[1].Texts[i], max: rows[2].Texts[i], nulls: rows[3].Ints[i], known: known})
	}
	foot.mu.Lock()
	if foot.groups == nil {
		foot.groups = map[string][]groupBounds{}
	}
	foot.groups[column] = groups
	foot.mu.Unlock()
	return groups, nil
}

// queryInto runs a statement of the engine's own and takes all its rows.
func queryInto(ctx context.Context, conn *connection, sql string, into []ResultColumn) error {
	rows, err := conn.query(ctx, sql)
	if err != nil {
		return err
	}
	defer rows.close()
	_, _, err = fetch(rows, into, 1<<30)
	return err
}

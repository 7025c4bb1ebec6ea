package warehouse

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// A hot copy is a file with the first rows of a segment in the order of a
// column: what pages sorted by something else than time are read from.

const (
	hotShare = 50 // a copy has 1 in hotShare rows of its segment
	hotAsked = 2  // pages that must have been slow
)

func hotKey(segment string, key colRef, desc bool) string {
	return keptKey("hot", segment, key.ID, desc)
}

// wantHot notes that a page took long; the second time copies are built.
func (e *Engine) wantHot(c *compiler, key colRef, desc bool, took time.Duration) {
	if took < e.kept.slowPage {
		return
	}
	for _, seg := range c.base.segs {
		if seg.Rows < e.kept.minRows {
			continue
		}
		e.kept.want(keptJob{hotKey(seg.Path, key, desc), c.p.Tenant, func(ctx context.Context, conn *connection, path string) (keptFile, error) {
			return writeHot(ctx, conn, path, seg, key, desc)
		}}, hotAsked)
	}
}

// fromHot answers a page from copies, or nil where they do not suffice.
func (e *Engine) fromHot(ctx context.Context, conn *connection, c *compiler, key colRef, desc bool) (*Result, error) {
	var keys []string
	for _, seg := range c.base.segs {
		if seg.Rows >= e.kept.minRows {
			keys = append(keys, hotKey(seg.Path, key, desc))
		}
	}
	copies, ok := e.kept.find(keys)
	if !ok || len(copies) == 0 {
		return nil, nil
	}
	src := &source{ds: c.base.ds, empty: c.base.empty}
	var bound value
	paths := make([]string, len(c.base.segs))
	n := 0
	for i, seg := range c.base.segs {
		paths[i] = seg.Path
		if seg.Rows >= e.kept.minRows {
			hc := copies[n]
			paths[i] = hc.path
			// Statistics of the segment hold for its copy too: it has no other values.
			seg.Path, seg.Rows = hc.path, hc.rows
			if n == 0 {
				bound = hc.bound
			}
			if order := hc.bound.rat().Cmp(bound.rat()); desc && order > 0 || !desc && order < 0 {
				bound = hc.bound
			}
			n++
		}
		src.segs = append(src.segs, seg)
	}
	var err error
	if src.foot, err = e.footers.loadPaths(ctx, conn, paths); err != nil {
		return nil, e.kept.lost(keys, err)
	}
	r, found, err := e.within(ctx, conn, c, src, key, bound, desc)
	if err != nil {
		return nil, e.kept.lost(keys, err)
	}
	if found < int64(c.p.Limit+c.p.Offset+1) {
		return nil, nil
	}
	return r, nil
}

// writeHot finds the value that ends the first part of the segment and writes
// all rows up to it, itself included, sorted. Rows without a value never sort
// first.
func writeHot(ctx context.Context, conn *connection, path string, segment Segment, key colRef, desc bool) (keptFile, error) {
	name := segments.ColumnName(key.ID)
	from := "read_parquet([" + quoteText(segment.Path) + "])"
	order, op, end := " ASC", " <= ", "max"
	if desc {
		order, op, end = " DESC", " >= ", "min"
	}
	rows := min(max(segment.Rows/hotShare, 50_000), 400_000)
	bound := fmt.Sprintf("(SELECT %s FROM %s WHERE %s IS NOT NULL ORDER BY %s%s LIMIT 1 OFFSET %d)", name, from, name, name, order, rows-1)
	sql := fmt.Sprintf("COPY (SELECT * FROM %s AS q WHERE q.%s%s%s ORDER BY q.%s%s) TO %s (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 8192)",
		from, name, op, bound, name, order, quoteText(path))
	if err := conn.exec(ctx, sql); err != nil {
		return keptFile{}, fmt.Errorf("write hot copy: %w", err)
	}
	out := []ResultColumn{{Type: key.Type, Scale: key.Scale}, {Type: Integer}}
	if err := queryInto(ctx, conn, fmt.Sprintf("SELECT %s(%s), count(*) FROM read_parquet([%s])", end, name, quoteText(path)), out); err != nil {
		return keptFile{}, fmt.Errorf("read hot copy: %w", err)
	}
	hc := keptFile{path: path, rows: out[1].Ints[0]}
	switch {
	case out[0].IsNull(0), key.Type == Float && !finite(out[0].Floats[0]):
		// Too few values for a copy.
		return keptFile{}, os.Remove(path)
	case key.Type == Float:
		hc.bound = value{K: "f", F: out[0].Floats[0]}
	case key.Type == Decimal:
		v, ok := parseNumber(out[0].Exact[0])
		if !ok {
			return keptFile{}, fmt.Errorf("bound %q of a hot copy is no number", out[0].Exact[0])
		}
		hc.bound = v
	default:
		hc.bound = value{K: "i", I: out[0].Ints[0]}
	}
	return hc, nil
}

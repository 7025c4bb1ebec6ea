package warehouse

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// source is a dataset as one query reads it: the segments left after pruning
// and what their files hold.
type source struct {
	ds    *Dataset
	segs  []Segment
	foot  []*footer // of segs
	empty string    // path of a Parquet file without rows
	// unique tells of a lookup that no key comes twice.
	unique bool
}

func (s *source) rows() int64 {
	var n int64
	for _, seg := range s.segs {
		n += seg.Rows
	}
	return n
}

// bounds are the smallest and largest value of a time column over the
// segments, in its own unit.
func (s *source) bounds(ref colRef) (lo, hi int64, ok bool) {
	unit := int64(1)
	if ref.Type == Date {
		unit = dayMicros
	}
	lo, hi = math.MaxInt64, math.MinInt64
	for _, seg := range s.segs {
		r, known := seg.Stats[ref.ID]
		if !known {
			return firstMicro / unit, lastMicro / unit, false
		}
		if r.Min == nil || r.Max == nil {
			continue // only nulls
		}
		a, okA := wholeStat(r.Min)
		b, okB := wholeStat(r.Max)
		if !okA || !okB {
			return firstMicro / unit, lastMicro / unit, false
		}
		lo, hi = min(lo, a), max(hi, b)
	}
	if lo > hi {
		return 0, 0, true
	}
	return lo, hi, true
}

// wholeStat reads a bound that may have passed through JSON as a float.
func wholeStat(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case int32:
		return int64(n), true
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n), true
		}
	}
	return 0, false
}

// mayBeNull tells whether a column may have rows without a value.
func (s *source) mayBeNull(id int32) bool {
	for _, seg := range s.segs {
		if r, ok := seg.Stats[id]; !ok || r.Nulls > 0 || r.Min == nil && seg.Rows > 0 {
			return true
		}
	}
	return false
}

// hasBucket tells whether every file that has the column has its bucket too.
func (s *source) hasBucket(ref colRef) bool {
	if !segments.HasBucket(ref.Type) {
		return false
	}
	for _, f := range s.foot {
		if typ, has := f.types[segments.ColumnName(ref.ID)]; has {
			if typ != columnSQLType(ref) || f.types[segments.BucketName(ref.ID)] != "INTEGER" {
				return false
			}
		}
	}
	return len(s.foot) > 0
}

// distinct guesses how many values a column has, from what the files say of
// their row groups; ok is false where they say nothing.
func (s *source) distinct(id int32) (n int64, ok bool) {
	name := segments.ColumnName(id)
	for _, f := range s.foot {
		d, has := f.distinct[name]
		if !has {
			if _, column := f.types[name]; column {
				return 0, false
			}
			continue
		}
		n = max(n, d)
	}
	// Row groups of other files may hold other values.
	return 2 * n, n > 0
}

func columnSQLType(ref colRef) string {
	t := segments.SQLType(ref.column())
	if t == "TIMESTAMPTZ" {
		return "TIMESTAMP WITH TIME ZONE"
	}
	return t
}

// relation writes the FROM item that gives the columns of refs (all of this
// source) under their names in the files, c12 and b12.
//
// Where every file has every column with its type, files are read by name:
// names hold the ids, so this is the same as reading by id, and DuckDB can
// then plan with the file's statistics. Elsewhere a schema by id fills in and
// converts. DuckDB reads a single file with a schema on one thread only, so it
// is given an empty second one.
func (s *source) relation(refs []colRef, alias string) string {
	paths := make([]string, len(s.segs))
	for i, seg := range s.segs {
		paths[i] = seg.Path
	}
	return s.relationOf(paths, s.foot, refs, alias)
}

func (s *source) relationOf(paths []string, foot []*footer, refs []colRef, alias string) string {
	type field struct {
		id        int32
		name, typ string
		bucket    bool
	}
	fields := map[int32]field{}
	for _, r := range refs {
		fields[r.ID] = field{r.ID, segments.ColumnName(r.ID), columnSQLType(r), false}
		if segments.HasBucket(r.Type) {
			id := segments.BucketID(r.ID)
			fields[id] = field{id, segments.BucketName(r.ID), "INTEGER", true}
		}
	}
	ids := make([]int32, 0, len(fields))
	for id := range fields {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	if len(paths) == 0 {
		if len(ids) == 0 {
			return "(SELECT 1 AS nothing WHERE FALSE) AS " + alias
		}
		columns := make([]string, len(ids))
		for i, id := range ids {
			columns[i] = fmt.Sprintf("NULL::%s AS %s", fields[id].typ, fields[id].name)
		}
		return "(SELECT " + strings.Join(columns, ", ") + " WHERE FALSE) AS " + alias
	}
	plain := true
	for _, f := range foot {
		for _, id := range ids {
			// A bucket that is not there is not read.
			plain = plain && (f.types[fields[id].name] == fields[id].typ || fields[id].bucket)
		}
	}
	if plain {
		return "read_parquet(" + pathList(paths) + ") AS " + alias
	}
	entries := make([]string, len(ids))
	for i, id := range ids {
		f := fields[id]
		entries[i] = fmt.Sprintf("%d: {name: '%s', type: '%s', default_value: NULL}", id, f.name, f.typ)
	}
	if len(paths) == 1 {
		paths = []string{paths[0], s.empty}
	}
	return "read_parquet(" + pathList(paths) + ", schema = MAP {" + strings.Join(entries, ", ") + "}) AS " + alias
}

func pathList(paths []string) string {
	quoted := make([]string, len(paths))
	for i, p := range paths {
		quoted[i] = quoteText(p)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// prune keeps the segments that may hold a row that passes all predicates on
// the dataset's own columns.
func prune(segs []Segment, where []predicate) []Segment {
	kept := make([]Segment, 0, len(segs))
	for _, seg := range segs {
		if seg.Rows > 0 && mayPass(seg, where) {
			kept = append(kept, seg)
		}
	}
	return kept
}

func mayPass(seg Segment, where []predicate) bool {
	for i := range where {
		p := &where[i]
		if p.Ref.Rel != 0 || p.Kind != kindSet {
			continue
		}
		r, known := seg.Stats[p.Ref.ID]
		if !known {
			continue
		}
		if p.Nulls && r.Nulls > 0 {
			continue
		}
		if r.Min == nil || r.Max == nil {
			return false // only nulls, and nulls do not pass
		}
		if p.Negate {
			continue
		}
		touched := false
		for _, in := range p.Set {
			if touches(in, r, p.Ref.Type) {
				touched = true
				break
			}
		}
		if !touched {
			return false
		}
	}
	return true
}

// touches tells whether an interval may hold a value between the bounds. In
// doubt it does.
func touches(in interval, r Range, t Type) bool {
	switch t {
	case Text:
		low, okL := r.Min.(string)
		high, okH := r.Max.(string)
		if !okL || !okH {
			return true
		}
		return (in.Lo == nil || in.Lo.S <= high) && (in.Hi == nil || in.Hi.S >= low)
	case Integer, Date, Timestamp, TimestampTZ, Boolean:
		low, okL := wholeStat(r.Min)
		high, okH := wholeStat(r.Max)
		if !okL || !okH {
			return true
		}
		if in.Lo != nil && in.Lo.K == "i" && (in.Lo.I > high || in.LoOpen && in.Lo.I == high) {
			return false
		}
		if in.Hi != nil && in.Hi.K == "i" && (in.Hi.I < low || in.HiOpen && in.Hi.I == low) {
			return false
		}
		return true
	case Float, Decimal:
		low, okL := floatStat(r.Min)
		high, okH := floatStat(r.Max)
		if !okL || !okH {
			return true
		}
		// Decimals are compared as floats, so allow for rounding.
		slack := func(f float64) float64 { return math.Abs(f) * 1e-12 }
		if in.Lo != nil && in.Lo.float() > high+slack(high)+slack(in.Lo.float()) {
			return false
		}
		if in.Hi != nil && in.Hi.float() < low-slack(low)-slack(in.Hi.float()) {
			return false
		}
	}
	return true
}

func floatStat(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, !math.IsNaN(n)
	case int64:
		return float64(n), true
	case int:
		return float64(n), true
	}
	return 0, false
}

package warehouse

import (
	"fmt"
	"math"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse/expr"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// compiler writes a plan in the SQL of DuckDB over given files.
type compiler struct {
	p       *plan
	base    *source
	before  *source   // the base for the earlier span of a comparison
	lookups []*source // of p.Lookups
	maxRows int       // one row more than an answer may have is asked for
	whole   bool      // all rows are asked for, whatever an answer may have
	// withheld tells that groups are joined with those that are shown.
	withheld bool
	also     []string // statements that are run before
	// summaries stand for the base, or (true) for the base of the earlier span.
	summaries map[bool]*summary
	notes     []string
}

// source is the relation rel as this scope reads it.
func (s *scope) source(rel int) *source {
	switch {
	case rel != 0:
		return s.c.lookups[rel-1]
	case s.prev != nil:
		return s.c.before
	}
	return s.c.base
}

// scope is one SELECT over the rows of the base: the current span or the
// previous one.
type scope struct {
	c     *compiler
	where []predicate
	prev  *planPrevious // nil for the current span
	// columns maps what an inner query gives to its SQL here; other columns
	// come from the relations t, l1, l2 …
	columns map[colRef]string
	times   map[timeKey]*timeColumn
	fields  map[int32]string // SQL of plan.Fields
	joined  map[int]bool     // lookups whose columns are at hand
	// tried makes calculated values that can't be computed nulls: rows are looked at
	// that filters leave out.
	tried bool
}

type timeKey struct {
	ref   colRef
	moved bool
}

func (c *compiler) scope(where []predicate, prev *planPrevious) *scope {
	return &scope{c: c, where: where, prev: prev, columns: map[colRef]string{}, times: map[timeKey]*timeColumn{}, fields: map[int32]string{}, joined: map[int]bool{}}
}

func alias(rel int) string {
	if rel == 0 {
		return "t"
	}
	return fmt.Sprintf("l%d", rel)
}

func (s *scope) col(ref colRef) string {
	if ref.Rel == fieldRel {
		return s.field(ref.ID)
	}
	if x, ok := s.columns[ref]; ok {
		return x
	}
	return alias(ref.Rel) + "." + segments.ColumnName(ref.ID)
}

// shiftOf is how a dimension on ref is moved in this scope.
func (s *scope) shiftOf(ref colRef) shift {
	if s.prev != nil && s.prev.Ref == ref {
		return s.prev.Shift
	}
	return shift{}
}

// time gives the time column of ref, moved for dimensions that line up with
// another span, unmoved for everything else.
func (s *scope) time(ref colRef, moved bool) *timeColumn {
	key := timeKey{ref, moved}
	if t, ok := s.times[key]; ok {
		return t
	}
	t := &timeColumn{typ: ref.Type, col: s.col(ref), zone: s.c.p.zone}
	if moved {
		t.move = s.shiftOf(ref).Micros
	}
	if ref.Rel == fieldRel {
		t.lo, t.hi = s.fieldBounds(ref)
	} else {
		src := s.source(ref.Rel)
		if src.hasBucket(ref) {
			t.bucket = alias(ref.Rel) + "." + segments.BucketName(ref.ID)
		}
		t.lo, t.hi, _ = src.bounds(ref)
	}
	if ref.Rel <= 0 {
		t.lo, t.hi = narrow(t.lo, t.hi, s.where, ref)
	}
	s.times[key] = t
	return t
}

// fieldBounds are bounds of a calculated time: those of the columns that it
// comes from, where it only chooses among them or truncates.
func (s *scope) fieldBounds(ref colRef) (lo, hi int64) {
	unit := int64(1)
	if ref.Type == Date {
		unit = dayMicros
	}
	lo, hi = math.MaxInt64, math.MinInt64
	known := true
	var visit func(t *expr.Tree)
	visit = func(t *expr.Tree) {
		switch t.Op {
		case "column":
			c := s.time(columnRef(t), false)
			a, b := c.lo, c.hi
			if t.Type == Date {
				a, b = a*dayMicros, b*dayMicros
			}
			// On the clock, and truncated to years, it may be a little earlier or later.
			lo, hi = min(lo, a-400*dayMicros), max(hi, b+2*dayMicros)
		case "date_trunc", "coalesce", "least", "greatest", "nullif":
			for _, a := range t.Args {
				visit(a)
			}
		case "case":
			for i, a := range t.Args {
				if i%2 == 1 || i == len(t.Args)-1 {
					visit(a)
				}
			}
		default:
			known = false
		}
	}
	visit(s.c.p.Fields[ref.ID].Expr)
	lo, hi = max(lo, firstMicro), min(hi, lastMicro)
	if !known || lo > hi {
		lo, hi = firstMicro, lastMicro
	}
	return floorDiv(lo, unit), floorDiv(hi, unit)
}

// narrow cuts a range to what the filters on the column let through.
func narrow(lo, hi int64, where []predicate, ref colRef) (int64, int64) {
	for _, p := range where {
		if p.Ref != ref || p.Kind != kindSet || p.Negate || len(p.Set) == 0 {
			continue
		}
		least, most := int64(math.MaxInt64), int64(math.MinInt64)
		for _, in := range p.Set {
			if in.Lo == nil {
				least = math.MinInt64
			} else {
				least = min(least, in.Lo.I)
			}
			if in.Hi == nil {
				most = math.MaxInt64
			} else {
				most = max(most, in.Hi.I)
			}
		}
		if a, b := max(lo, least), min(hi, most); a <= b {
			lo, hi = a, b
		}
	}
	return lo, hi
}

// dimension is the SQL of a dimension's value.
func (s *scope) dimension(d *planDim) string {
	by := s.shiftOf(d.Ref)
	switch {
	case d.Bin != "" || d.BinF != 0:
		return binSQL(d, s.col(d.Ref))
	case cyclic(d.Grain):
		return s.time(d.Ref, false).grainSQL(d.Grain, shift{})
	case d.Grain != "":
		return s.time(d.Ref, true).grainSQL(d.Grain, by)
	case by == shift{}:
		return s.col(d.Ref)
	}
	x := s.col(d.Ref)
	switch {
	case d.Ref.Type == Date && by.Years != 0:
		return fmt.Sprintf("CAST(%s + INTERVAL %d YEAR AS DATE)", x, by.Years)
	case d.Ref.Type == Date:
		return fmt.Sprintf("CAST(%s + (%d)::INTEGER AS DATE)", x, by.Days+by.Micros/dayMicros)
	case d.Ref.Type == TimestampTZ:
		return fmt.Sprintf("make_timestamptz(epoch_us(%s) + (%d)::BIGINT)", x, by.Micros)
	}
	return fmt.Sprintf("make_timestamp(epoch_us(%s) + (%d)::BIGINT)", x, by.Micros)
}

// aggregate is the SQL of an atom over the rows of this scope.
func (s *scope) aggregate(a *atom) string {
	x := ""
	if a.Ref != nil {
		x = s.col(*a.Ref)
	}
	if a.Fn == "count" && a.Ref.Rel == 0 && !s.source(0).mayBeNull(a.Ref.ID) {
		x = ""
	}
	return s.c.aggregateSQL(a, x) + s.filterClause(a)
}

// aggregateSQL applies the atom's function to x; an empty x counts rows.
func (c *compiler) aggregateSQL(a *atom, x string) string {
	switch a.Fn {
	case "rows":
		return "count(*)"
	case "count":
		if x == "" {
			return "count(*)"
		}
		return "count(" + x + ")"
	case "count_distinct":
		return "count(DISTINCT " + x + ")"
	case "percentile":
		return c.percentileSQL(x, *a.Ref, a.P)
	}
	return a.Fn + "(" + x + ")"
}

// percentileSQL interpolates between neighbours. Of decimals, DuckDB cuts the
// result to their scale, so they get more places first; as 64-bit decimals
// they are compared twice as fast as floats.
func (c *compiler) percentileSQL(x string, ref colRef, p float64) string {
	if ref.Type == Decimal {
		if scale, ok := c.percentileScale(ref); ok {
			x = fmt.Sprintf("CAST(%s AS DECIMAL(18,%d))", x, scale)
		} else {
			x = "CAST(" + x + " AS DOUBLE)"
		}
	}
	return fmt.Sprintf("quantile_cont(%s, %s)", x, doubleSQL(p))
}

// percentileScale is how many places percentiles of decimals are computed with;
// ok is false where there is no room for enough of them.
func (c *compiler) percentileScale(ref colRef) (scale int, ok bool) {
	places := min(12, 18-c.digits(ref))
	return int(ref.Scale) + places, ref.Type == Decimal && places >= 8
}

// finished is an atom as it is shown.
func (c *compiler) finished(a *atom, x string) string {
	if a.Fn != "percentile" {
		return x
	}
	if scale, ok := c.percentileScale(*a.Ref); ok {
		// The last place was cut: half of a tenth is 0.05, not 0.0499999.
		x = fmt.Sprintf("round(%s, %d)", x, scale-1)
	}
	return "CAST(" + x + " AS DOUBLE)"
}

// digits is how many digits the values of a decimal column have at most: often
// fewer than its type allows.
func (c *compiler) digits(ref colRef) int {
	sources := []*source{c.base, c.before}
	if ref.Rel < 0 {
		return int(ref.Precision) // calculated: there are no statistics of it
	}
	if ref.Rel != 0 {
		sources = []*source{c.lookups[ref.Rel-1]}
	}
	largest := 1.0
	for _, src := range sources {
		if src == nil {
			continue
		}
		for _, seg := range src.segs {
			r, known := seg.Stats[ref.ID]
			if known && r.Min == nil && r.Max == nil {
				continue // only nulls
			}
			low, okL := floatStat(r.Min)
			high, okH := floatStat(r.Max)
			if !known || !okL || !okH {
				return int(ref.Precision)
			}
			largest = max(largest, math.Abs(low), math.Abs(high))
		}
	}
	// Bounds are floats: at a power of ten one digit more is allowed for.
	return min(int(ref.Precision), int(math.Floor(math.Log10(largest*(1+1e-9))))+1+int(ref.Scale))
}

func (s *scope) filterClause(a *atom) string {
	cond := s.filterSQL(a)
	if cond == "" {
		return ""
	}
	return " FILTER (WHERE " + cond + ")"
}

func (s *scope) filterSQL(a *atom) string {
	parts := make([]string, len(a.Filters))
	for i := range a.Filters {
		parts[i] = s.predicate(&a.Filters[i])
	}
	return strings.Join(parts, " AND ")
}

// predicate is the SQL of a predicate on a column at hand.
func (s *scope) predicate(p *predicate) string {
	x := s.col(p.Ref)
	switch p.Kind {
	case kindContains:
		return "contains(lower(" + x + "), lower(" + quoteText(p.Text) + "))"
	case kindPrefix:
		return "starts_with(lower(" + x + "), lower(" + quoteText(p.Text) + "))"
	case kindCyclic:
		return condition(p.Set, p.Negate, p.Nulls, s.time(p.Ref, false).grainSQL(p.Grain, shift{}), colRef{Type: Integer})
	case kindBin:
		return condition(p.Set, p.Negate, p.Nulls, fmt.Sprintf("floor(CAST(%s AS DOUBLE) / %s)", x, doubleSQL(p.Bin)), colRef{Type: Float})
	}
	if t := s.time; p.Ref.temporal() && bucketAligned(p) && s.columns[p.Ref] == "" && !s.needsColumn(p.Ref) {
		if b := t(p.Ref, false).bucket; b != "" {
			return condition(bucketSet(p.Set), p.Negate, p.Nulls, b, colRef{Type: bucketType})
		}
	}
	return condition(p.Set, p.Negate, p.Nulls, x, p.Ref)
}

// bucketAligned tells whether buckets can decide a filter on a timestamp.
func bucketAligned(p *predicate) bool {
	if p.Kind != kindSet || !segments.HasBucket(p.Ref.Type) {
		return false
	}
	for _, in := range p.Set {
		if in.Lo != nil && (in.Lo.I%quarterMicros != 0 || in.LoOpen) {
			return false
		}
		if in.Hi != nil && (in.Hi.I%quarterMicros != 0 || !in.HiOpen) {
			return false
		}
	}
	return true
}

func bucketSet(set []interval) []interval {
	out := make([]interval, len(set))
	scaled := func(v *value) *value {
		if v == nil {
			return nil
		}
		return &value{K: "i", I: min(max(v.I, firstMicro), lastMicro) / quarterMicros}
	}
	for i, in := range set {
		out[i] = interval{Lo: scaled(in.Lo), Hi: scaled(in.Hi), LoOpen: in.LoOpen, HiOpen: in.HiOpen}
	}
	return out
}

// needsColumn tells whether the timestamps themselves must be read, so that
// reading buckets beside them would only cost more.
func (s *scope) needsColumn(ref colRef) bool {
	p := s.c.p
	for i := range p.Fields {
		used := ref.Rel == fieldRel
		p.Fields[i].Expr.Columns(func(t *expr.Tree) { used = used || columnRef(t) == ref })
		if used {
			return true
		}
	}
	for i := range p.Dims {
		d := &p.Dims[i]
		if d.Ref == ref && !s.time(ref, !cyclic(d.Grain)).byBucket(d.Grain) {
			return true
		}
	}
	for _, r := range p.Rows {
		if r.Ref == ref {
			return true
		}
	}
	for i := range p.Atoms {
		if a := &p.Atoms[i]; a.Ref != nil && *a.Ref == ref && ref.Rel != fieldRel && (a.Fn != "count" || s.source(ref.Rel).mayBeNull(ref.ID)) {
			return true
		}
		for j := range p.Atoms[i].Filters {
			if f := &p.Atoms[i].Filters[j]; f.Ref == ref && !s.bucketable(f) {
				return true
			}
		}
	}
	for i := range s.where {
		if w := &s.where[i]; w.Ref == ref && !s.bucketable(w) && !s.always(w) {
			return true
		}
	}
	return false
}

func (s *scope) bucketable(p *predicate) bool {
	if p.Kind == kindCyclic {
		return s.time(p.Ref, false).bucketExact()
	}
	return bucketAligned(p)
}

// always tells whether every row of the segments passes a predicate.
func (s *scope) always(p *predicate) bool {
	if p.Kind != kindSet || p.Negate || p.Ref.Rel != 0 || len(p.Set) != 1 || !p.Ref.temporal() && p.Ref.Type != Integer {
		return false
	}
	lo, hi, ok := s.source(0).bounds(p.Ref)
	return ok && p.Set[0].covers(lo, hi) && (p.Nulls || !s.source(0).mayBeNull(p.Ref.ID))
}

// conditions are the SQL of the scope's filters. Filters on lookups that are
// not joined become filters on the column that joins them.
func (s *scope) conditions() []string {
	var parts []string
	byLookup := map[int][]predicate{}
	for i := range s.where {
		w := &s.where[i]
		switch {
		case w.Ref.Rel > 0 && !s.joined[w.Ref.Rel]:
			byLookup[w.Ref.Rel] = append(byLookup[w.Ref.Rel], *w)
		case !s.always(w):
			parts = append(parts, s.predicate(w))
		}
	}
	for rel := 1; rel <= len(s.c.p.Lookups); rel++ {
		if preds := byLookup[rel]; len(preds) > 0 {
			parts = append(parts, s.keyCondition(rel, preds))
		}
	}
	return parts
}

// keyCondition filters by columns of a lookup without joining it: the keys
// whose row passes are looked up first. Rows that match no key have NULL in
// every column of the lookup.
func (s *scope) keyCondition(rel int, preds []predicate) string {
	inner := s.c.scope(nil, nil)
	inner.joined[rel] = true
	parts := make([]string, len(preds))
	unmatched := true
	refs := []colRef{s.c.p.Lookups[rel-1].Key}
	for i := range preds {
		parts[i] = "(" + inner.predicate(&preds[i]) + ")"
		unmatched = unmatched && preds[i].Nulls
		refs = append(refs, preds[i].Ref)
	}
	key := inner.col(s.c.p.Lookups[rel-1].Key)
	from := s.c.lookupRelation(rel, refs)
	own := s.col(s.c.p.Lookups[rel-1].Column)
	cond := strings.Join(parts, " AND ")
	if unmatched {
		return fmt.Sprintf("(%s IS NULL OR %s NOT IN (SELECT %s FROM %s WHERE %s IS NOT NULL AND (%s) IS NOT TRUE))", own, own, key, from, key, cond)
	}
	return fmt.Sprintf("%s IN (SELECT %s FROM %s WHERE %s IS NOT NULL AND %s)", own, key, from, key, cond)
}

// lookupRelation is the FROM item of a lookup with one row a key.
func (c *compiler) lookupRelation(rel int, refs []colRef) string {
	src := c.lookups[rel-1]
	l := &c.p.Lookups[rel-1]
	own := make([]colRef, 0, len(refs))
	for _, r := range refs {
		if r.Rel == rel {
			own = append(own, r)
		}
	}
	where := ""
	if len(l.Where) > 0 {
		// Before the join: a row that is not allowed is no row at all.
		inner := c.scope(nil, nil)
		parts := make([]string, len(l.Where))
		for i := range l.Where {
			own = append(own, l.Where[i].Ref)
			parts[i] = "(" + inner.predicate(&l.Where[i]) + ")"
		}
		where = whereSQL(parts)
	}
	if src.unique && where == "" {
		return src.relation(own, alias(rel))
	}
	from := src.relation(own, alias(rel)) + where
	if src.unique {
		return fmt.Sprintf("(SELECT * FROM %s) AS %s", from, alias(rel))
	}
	// Keys should be unique; where they are not, the row that sorts first
	// counts, so that no row of the dataset is ever doubled.
	key := segments.ColumnName(l.Key.ID)
	return fmt.Sprintf("(SELECT DISTINCT ON (%s) * FROM %s ORDER BY ALL) AS %s", key, from, alias(rel))
}

// from is the FROM clause with the joins that the scope needs, and WHERE.
func (s *scope) from() string {
	var refs []colRef
	s.c.p.refs(func(r colRef) { refs = append(refs, r) })
	base := make([]colRef, 0, len(refs))
	for _, r := range refs {
		if r.Rel == 0 {
			base = append(base, r)
		}
	}
	sql := " FROM " + s.source(0).relation(base, "t") + s.joins(refs)
	return sql + whereSQL(s.conditions())
}

func (s *scope) joins(refs []colRef) string {
	var sql strings.Builder
	for rel := 1; rel <= len(s.c.p.Lookups); rel++ {
		if s.joined[rel] {
			l := s.c.p.Lookups[rel-1]
			fmt.Fprintf(&sql, " LEFT JOIN %s ON %s = %s", s.c.lookupRelation(rel, refs), s.col(l.Column), s.col(l.Key))
		}
	}
	return sql.String()
}

func whereSQL(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(parts, " AND ")
}

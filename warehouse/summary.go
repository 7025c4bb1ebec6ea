package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// A summary is a segment grouped by what a query groups by and, where that has
// a span of time, by its days (or quarters of an hour): whatever the span that is
// asked for next, the answer follows from the summary without the rows.
// Everything else that the query says of rows is part of what a summary is:
// other filters, the rules of whoever asked, the time zone. Versions are not: an
// append leaves the summaries of all segments before it as they are.
//
// It needs aggregates that can be merged, and a span of whole days. Filters on
// lookups are decided on the groups.

// summary is how the groups of a scope follow from summaries of its segments.
type summary struct {
	keys   []stageKey
	fixed  []predicate // passed by all rows of the summary
	later  []predicate // on lookups: decided on the groups
	span   predicate   // the span of time
	within interval    // the same on the key of time, where that is no date
	time   int         // the key of time; -1 where there is no span
	shape  string      // all that decides what is in a file, but the segment

	keptKeys []string // of the segments that have one
	files    []keptFile
	rest     *source // segments too small for one
}

// summary tells whether the scope's groups could come from summaries, of which
// each row stands for at least share rows of a segment.
func (s *scope) summary(share int64) *summary {
	p := s.c.p
	if len(p.Rows) > 0 || p.MinRows > 1 || !p.allMergeable() || !s.atomsOfBase() {
		return nil
	}
	sum := &summary{time: -1}
	for _, w := range s.where {
		switch {
		case w.Ref.Rel > 0:
			sum.later = append(sum.later, w)
		case sum.time < 0 && w.Ref.Rel == 0 && w.Ref.temporal() && w.Kind == kindSet && !w.Negate && !w.Nulls && len(w.Set) == 1:
			sum.span, sum.time = w, 0
		default:
			sum.fixed = append(sum.fixed, w)
		}
	}
	sources, _, _ := s.keySources()
	if sources == nil && len(p.Dims) > 0 {
		return nil
	}
	need := func(ref colRef) {
		if !slices.Contains(sources, ref) {
			sources = append(sources, ref)
		}
	}
	if sum.time >= 0 {
		need(sum.span.Ref)
	}
	for _, w := range sum.later {
		need(p.Lookups[w.Ref.Rel-1].Column)
	}
	groups := 1.0
	for i, ref := range sources {
		key, ok := s.stageKey(ref, false)
		if !ok {
			return nil
		}
		if sum.time >= 0 && ref == sum.span.Ref {
			sum.time = i
			if sum.within, ok = s.spanOf(key, sum.span.Set[0]); !ok {
				return nil
			}
		}
		groups *= key.groups
		sum.keys = append(sum.keys, key)
	}
	// What is known of how many values columns have is an upper bound.
	if groups*float64(share) > 4*float64(s.source(0).rows()) {
		return nil
	}
	sum.shape = sum.describe(p)
	return sum
}

// spanOf takes a span of time to a key; ok is false where a bound of the span
// is not one between two values of the key.
func (s *scope) spanOf(key stageKey, span interval) (within interval, ok bool) {
	if !key.day && !key.bucket {
		return interval{}, true
	}
	if span.Lo != nil && span.LoOpen || span.Hi != nil && !span.HiOpen {
		return interval{}, false
	}
	if key.bucket {
		set := []interval{span}
		return bucketSet(set)[0], bucketAligned(&predicate{Ref: key.ref, Kind: kindSet, Set: set})
	}
	offset := func(int64) int64 { return 0 }
	if key.ref.Type == TimestampTZ {
		lo, hi, _ := s.source(0).bounds(key.ref)
		periods := s.c.p.zone.periods(lo, hi)
		for i := 1; i < len(periods); i++ {
			// Where clocks were set back over midnight, a day comes twice.
			change := periods[i].from
			if floorDiv(change-1+periods[i-1].offset, dayMicros) > floorDiv(change+periods[i].offset, dayMicros) {
				return interval{}, false
			}
		}
		offset = s.c.p.zone.offsetAt
	}
	day := func(at int64) int64 { return floorDiv(at+offset(at), dayMicros) }
	bound := func(v *value) *value {
		if v == nil {
			return nil
		}
		ok = ok && day(v.I-1) < day(v.I)
		return &value{K: "i", I: day(v.I)}
	}
	ok = true
	within = interval{Lo: bound(span.Lo), Hi: bound(span.Hi), HiOpen: true}
	return within, ok
}

// describe names what is in the summary of a segment.
func (sum *summary) describe(p *plan) string {
	type key struct {
		Ref         colRef
		Bucket, Day bool
	}
	shape := struct {
		Compiler int
		Zone     string
		Time     int
		Keys     []key
		Fields   []planField
		Atoms    []atom
		Where    []predicate
	}{compilerVersion, p.Zone, sum.time, nil, p.Fields, p.Atoms, sum.fixed}
	for _, k := range sum.keys {
		shape.Keys = append(shape.Keys, key{k.ref, k.bucket, k.day})
	}
	text, err := json.Marshal(shape)
	if err != nil { // plans with the same parts were sealed
		panic(err)
	}
	return string(text)
}

func (sum *summary) keptKey(seg Segment) string { return keptKey("summary", seg.Path, sum.shape) }

// of groups the rows of a source by the keys.
func (sum *summary) of(c *compiler, src *source, where []predicate) string {
	one := compiler{p: c.p, base: src, lookups: c.lookups}
	s := one.scope(where, nil)
	columns := make([]string, 0, len(sum.keys)+len(c.p.Atoms))
	for i, k := range sum.keys {
		x := s.keySQL(k)
		if k.day || k.bucket {
			x = "CAST(" + x + " AS INTEGER)"
		}
		columns = append(columns, fmt.Sprintf("%s AS k%d", x, i))
	}
	for i := range c.p.Atoms {
		a := &c.p.Atoms[i]
		x := s.aggregate(a)
		if a.wide() {
			x = "CAST(" + x + " AS DECIMAL(38,0))"
		}
		columns = append(columns, fmt.Sprintf("%s AS a%d", x, i))
	}
	return "SELECT " + strings.Join(columns, ", ") + s.from() + groupBy(len(sum.keys))
}

// wide tells of the sums that DuckDB gives as HUGEINT, which a file would keep
// as a float.
func (a *atom) wide() bool { return a.Fn == "sum" && a.Ref != nil && a.Ref.Type == Integer }

// summed groups what the summaries have.
func (s *scope) summed(sum *summary) *groupedSelect {
	paths := make([]string, len(sum.files))
	for i, f := range sum.files {
		paths[i] = f.path
	}
	first := "SELECT * FROM read_parquet(" + pathList(paths) + ")"
	if len(sum.rest.segs) > 0 {
		where := sum.fixed
		if sum.time >= 0 {
			where = append(slices.Clone(where), sum.span)
		}
		first += " UNION ALL " + sum.of(s.c, sum.rest, where)
	}
	outer := s.over(sum.keys)
	outer.where = sum.later
	var conditions []string
	if sum.time >= 0 {
		key := fmt.Sprintf("s.k%d", sum.time)
		span := condition(sum.span.Set, false, false, key, sum.span.Ref)
		if k := sum.keys[sum.time]; k.day || k.bucket {
			span = condition([]interval{sum.within}, false, false, key, colRef{Type: bucketType})
		}
		conditions = []string{span}
	}
	g := outer.merged(first, conditions)
	for i := range s.c.p.Atoms {
		if s.c.p.Atoms[i].wide() {
			g.atoms[i] = "CAST(" + g.atoms[i] + " AS HUGEINT)"
		}
	}
	return g
}

// summarized gives the summaries of both spans of the plan, as far as there are
// rows in them, or nil: also where no segment is large enough for one.
func (e *Engine) summarized(c *compiler) map[bool]*summary {
	large := func(s Segment) bool { return s.Rows >= e.kept.minRows }
	if e.kept.maxBytes <= 0 || !slices.ContainsFunc(c.base.segs, large) && (c.before == nil || !slices.ContainsFunc(c.before.segs, large)) {
		return nil
	}
	scopes := map[bool]*scope{false: c.scope(c.p.Where, nil)}
	if prev := c.p.Previous; prev != nil {
		scopes[true] = c.scope(prev.Where, prev)
	}
	out := map[bool]*summary{}
	for before, s := range scopes {
		if len(s.source(0).segs) == 0 {
			continue
		}
		if out[before] = s.summary(e.kept.share); out[before] == nil {
			return nil
		}
	}
	return out
}

// fromSummaries answers from summaries, or nil where a large segment has none.
func (e *Engine) fromSummaries(ctx context.Context, conn *connection, c *compiler) (*Result, error) {
	sums := e.summarized(c)
	var keys []string
	for before, sum := range sums {
		src := c.base
		if before {
			src = c.before
		}
		rest := *src
		rest.segs, rest.foot = nil, nil
		for i, seg := range src.segs {
			if seg.Rows >= e.kept.minRows {
				sum.keptKeys = append(sum.keptKeys, sum.keptKey(seg))
			} else {
				rest.segs, rest.foot = append(rest.segs, seg), append(rest.foot, src.foot[i])
			}
		}
		var ok bool
		sum.rest = &rest
		if sum.files, ok = e.kept.find(sum.keptKeys); !ok {
			return nil, nil
		}
		keys = append(keys, sum.keptKeys...)
		if len(sum.files) == 0 {
			delete(sums, before) // only small segments
		}
		for _, f := range sum.files {
			e.metrics.rows.Add(float64(f.rows))
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	c.summaries = sums
	r, err := e.groups(ctx, conn, c)
	c.summaries = nil
	if err != nil {
		return nil, e.kept.lost(keys, err)
	}
	return r, nil
}

// wantSummaries has summaries made for the next span of time that is asked for.
// Without one only the next version will be of another answer, so they are made
// where a second version is asked for.
func (e *Engine) wantSummaries(c *compiler, took time.Duration) {
	if took < e.kept.slowGroups {
		return
	}
	for before, sum := range e.summarized(c) {
		src := c.base
		if before {
			src = c.before
		}
		times := 1
		if sum.time < 0 {
			times = 2
		}
		for i, seg := range src.segs {
			if seg.Rows < e.kept.minRows {
				continue
			}
			one := &source{ds: src.ds, segs: src.segs[i : i+1], foot: src.foot[i : i+1], empty: src.empty}
			e.kept.want(keptJob{sum.keptKey(seg), c.p.Tenant, func(ctx context.Context, conn *connection, path string) (keptFile, error) {
				return sum.write(ctx, conn, c, one, path, e.kept.share)
			}}, times)
		}
	}
}

// write makes the summary of the one segment of src.
func (sum *summary) write(ctx context.Context, conn *connection, c *compiler, src *source, path string, share int64) (keptFile, error) {
	rows := sum.of(c, src, sum.fixed)
	if sum.time >= 0 {
		rows += fmt.Sprintf(" ORDER BY k%d", sum.time)
	}
	sql := "COPY (" + rows + ") TO " + quoteText(path) + " (FORMAT parquet, COMPRESSION snappy)"
	if err := conn.exec(ctx, sql); err != nil {
		return keptFile{}, fmt.Errorf("write summary: %w", err)
	}
	count := []ResultColumn{{Type: Integer}}
	if err := queryInto(ctx, conn, "SELECT count(*) FROM read_parquet(["+quoteText(path)+"])", count); err != nil {
		return keptFile{}, fmt.Errorf("read summary: %w", err)
	}
	f := keptFile{path: path, rows: count[0].Ints[0]}
	if f.rows*share > src.rows() {
		return keptFile{}, os.Remove(path)
	}
	return f, nil
}

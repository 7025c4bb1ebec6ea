package warehouse

import (
	"context"
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// page answers a query for plain rows. Where the first key of the order is a
// number or a time of the dataset itself, it reads from the front: only rows
// beyond a bound of that key, which statistics of row groups tell, and more of
// them only while the page is not full. Rows within the bound sort before all
// others, so a full page is exact.
func (e *Engine) page(ctx context.Context, conn *connection, c *compiler) (*Result, string, error) {
	p := c.p
	if p.Limit > c.maxRows {
		r, more, err := e.execute(ctx, conn, c, c.plainRows(nil))
		if err == nil && more {
			err = ErrTooManyRows.With("The answer has %d columns, so at most %d rows fit. Lower the limit or ask for fewer columns.", len(r.Columns), c.maxRows)
		}
		return r, "exact", err
	}
	key, desc, ok := frontKey(p)
	if ok {
		if r, err := e.fromHot(ctx, conn, c, key, desc); err != nil || r != nil {
			return r, "hot", err
		}
		r, err := e.fromFront(ctx, conn, c, key, desc)
		if err != nil || r != nil {
			return r, "exact", err
		}
	}
	start := time.Now()
	e.metrics.rows.Add(float64(c.scanned()))
	r, _, err := e.execute(ctx, conn, c, c.plainRows(nil))
	if err == nil && ok {
		e.wantHot(c, key, desc, time.Since(start))
	}
	return r, "exact", err
}

// frontKey is the first key of the order, if pages can be read from the front.
func frontKey(p *plan) (key colRef, desc, ok bool) {
	if len(p.Order) == 0 {
		return colRef{}, false, false
	}
	o := p.Order[0]
	key = p.Rows[o.Dim].Ref
	switch key.Type {
	case Integer, Decimal, Float, Date, Timestamp, TimestampTZ:
		return key, o.Desc, key.Rel == 0
	}
	return key, o.Desc, false
}

// front is the span that a group of rows has of the key. Floats suffice to
// choose a bound; the bound itself is exact.
type front struct {
	rows     int64
	min, max value
	lo, hi   float64
}

// fromFront reads windows of growing size. It answers nil where the whole
// dataset has to be read: the bounds tell nothing, or most rows would be read.
func (e *Engine) fromFront(ctx context.Context, conn *connection, c *compiler, key colRef, desc bool) (*Result, error) {
	p := c.p
	total := c.base.rows()
	need := int64(p.Limit + p.Offset + 1)
	target := need
	if len(p.Where) > 0 {
		target = max(int64(float64(e.firstWindow)*c.firstShare(key, need)), 4*need)
	}
	if total < 2*target {
		return nil, nil
	}
	fronts, ok, err := e.fronts(ctx, conn, c.base, p.Where, key)
	if err != nil || !ok {
		return nil, err
	}
	for range 4 {
		bound, ok := boundFor(fronts, target, total, desc)
		if !ok {
			return nil, nil
		}
		r, found, err := e.within(ctx, conn, c, c.base, key, bound, desc)
		if err != nil {
			return nil, err
		}
		if found >= need {
			return r, nil
		}
		// Assume that the rest is like what was seen.
		target = min(4*target, 1<<40)
		if found > 0 {
			target = max(target, int64(float64(target)/4*float64(need)/float64(found)*1.5))
		} else {
			target *= 4
		}
	}
	return nil, nil
}

// firstShare guesses which share of a row group has to be read until need rows
// have passed the filters, from how many values the filtered columns have: the
// less is read first, the less is sorted and thrown away.
func (c *compiler) firstShare(key colRef, need int64) float64 {
	pass := 1.0
	for i := range c.p.Where {
		w := &c.p.Where[i]
		if w.Ref == key {
			continue // only what it lets through is counted
		}
		n, ok := c.base.distinct(w.Ref.ID)
		if w.Ref.Rel != 0 || w.Kind != kindSet || !ok || !singleValues(w.Set) {
			return 1
		}
		if !w.Negate {
			pass *= min(1, float64(len(w.Set))/float64(n))
		}
	}
	const least = 1.0 / 16
	return min(1, max(least, float64(need)/max(pass, 1e-9)/segments.RowGroupRows))
}

func singleValues(set []interval) bool {
	for _, in := range set {
		if in.Lo == nil || in.Hi == nil || *in.Lo != *in.Hi {
			return false
		}
	}
	return true
}

// boundFor chooses the bound beyond which about target rows lie. It fails
// where that would be most rows anyway.
func boundFor(fronts []front, target, total int64, desc bool) (value, bool) {
	sort.Slice(fronts, func(i, j int) bool {
		if desc {
			return fronts[i].lo > fronts[j].lo
		}
		return fronts[i].hi < fronts[j].hi
	})
	var rows int64
	for i, f := range fronts {
		rows += f.rows
		if rows < target {
			continue
		}
		// What else lies beyond the bound at least in part is read as well.
		read := rows
		for _, g := range fronts[i+1:] {
			if desc && g.hi >= f.lo || !desc && g.lo <= f.hi {
				read += g.rows
			}
		}
		if read > total/2 {
			return value{}, false
		}
		return f.bound(float64(target-(rows-f.rows))/float64(f.rows), desc), true
	}
	return value{}, false
}

// bound is a value of the key beyond which about a share of the rows lie, as
// if they were spread evenly.
func (f *front) bound(share float64, desc bool) value {
	share = min(share, 1)
	whole := f.min.K == "i" && f.max.K == "i"
	switch {
	case whole && desc:
		return value{K: "i", I: max(f.min.I, f.max.I-int64(share*(f.hi-f.lo)))}
	case whole:
		return value{K: "i", I: min(f.max.I, f.min.I+int64(share*(f.hi-f.lo)))}
	case desc:
		return f.min
	}
	return f.max
}

// within asks for the rows of src up to a bound of the key. found counts the
// rows up to the end of the page and the one behind it.
func (e *Engine) within(ctx context.Context, conn *connection, c *compiler, src *source, key colRef, bound value, desc bool) (r *Result, found int64, err error) {
	extra := predicate{Ref: key, Kind: kindSet}
	if desc {
		extra.Set = []interval{{Lo: &bound}}
	} else {
		extra.Set = []interval{{Hi: &bound}}
	}
	where := []predicate{extra}
	part := *src
	part.segs, part.foot = nil, nil
	for i, seg := range src.segs {
		if mayPass(seg, where) {
			part.segs, part.foot = append(part.segs, seg), append(part.foot, src.foot[i])
		}
	}
	narrow := *c
	narrow.base = &part
	e.metrics.rows.Add(float64(part.rows()))
	r, more, err := e.execute(ctx, conn, &narrow, narrow.plainRows(where))
	if err != nil {
		return nil, 0, err
	}
	if r.Rows == 0 && !more {
		return r, 0, nil // none, or fewer than the offset
	}
	found = int64(c.p.Offset + r.Rows)
	if more {
		found++
	}
	return r, found, nil
}

// fronts are the bounds of the key in all row groups that the filters on the
// key leave; ok is false where a row group does not say.
func (e *Engine) fronts(ctx context.Context, conn *connection, src *source, where []predicate, key colRef) ([]front, bool, error) {
	name := segments.ColumnName(key.ID)
	var out []front
	for i, seg := range src.segs {
		if src.foot[i].types[name] != columnSQLType(key) {
			return nil, false, nil
		}
		groups, err := e.footers.groupsOf(ctx, conn, seg.Path, src.foot[i], name)
		if err != nil {
			return nil, false, err
		}
		for _, g := range groups {
			if g.nulls == g.rows {
				continue // only nulls, which come last
			}
			low, okL := parseStat(g.min, key.Type)
			high, okH := parseStat(g.max, key.Type)
			if !g.known || !okL || !okH {
				return nil, false, nil
			}
			if !leaves(where, key, low, high) {
				continue
			}
			out = append(out, front{rows: g.rows - g.nulls, min: low, max: high, lo: low.float(), hi: high.float()})
		}
	}
	return out, len(out) > 1, nil
}

// leaves tells whether the filters on the key let values between two bounds through.
func leaves(where []predicate, key colRef, low, high value) bool {
	r := Range{Min: low.float(), Max: high.float()}
	if low.K == "i" && high.K == "i" {
		r = Range{Min: low.I, Max: high.I}
	}
	for i := range where {
		w := &where[i]
		if w.Ref != key || w.Kind != kindSet || w.Negate {
			continue
		}
		touched := false
		for _, in := range w.Set {
			touched = touched || touches(in, r, key.Type)
		}
		if !touched {
			return false
		}
	}
	return true
}

// parseStat reads a bound as DuckDB writes it.
func parseStat(text string, t Type) (value, bool) {
	switch t {
	case Date:
		d, err := time.Parse(time.DateOnly, text)
		return value{K: "i", I: d.Unix() / 86400}, err == nil
	case Timestamp, TimestampTZ:
		for _, layout := range []string{"2006-01-02 15:04:05.999999", "2006-01-02 15:04:05.999999Z07"} {
			if at, err := time.Parse(layout, text); err == nil {
				return value{K: "i", I: at.UnixMicro()}, true
			}
		}
		return value{}, false
	}
	v, ok := parseNumber(text)
	if ok && t == Float {
		v = value{K: "f", F: v.float()}
	}
	return v, ok && !math.IsNaN(v.float())
}

// describePage says for Explain how a page is read.
func (c *compiler) describePage() {
	if len(c.p.Rows) == 0 {
		return
	}
	if key, _, ok := frontKey(c.p); ok {
		c.notes = append(c.notes, fmt.Sprintf("reads from the front of column %d while the page is not full", key.ID))
	}
}

package warehouse

import (
	"fmt"
	"math"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// groupedSelect is one SELECT that groups by the plan's dimensions, in parts.
type groupedSelect struct {
	dims, atoms []string // their SQL
	from        string   // with filters
}

// String gives the columns d0… for the dimensions and a0… for the atoms.
func (g *groupedSelect) String() string {
	columns := make([]string, 0, len(g.dims)+len(g.atoms))
	for i, x := range g.dims {
		columns = append(columns, fmt.Sprintf("%s AS d%d", x, i))
	}
	for i, x := range g.atoms {
		columns = append(columns, fmt.Sprintf("%s AS a%d", x, i))
	}
	return "SELECT " + strings.Join(columns, ", ") + g.from + groupBy(len(g.dims))
}

// grouped groups the rows that pass where.
func (c *compiler) grouped(where []predicate, prev *planPrevious) *groupedSelect {
	s := c.scope(where, prev)
	if sum := c.summaries[prev != nil]; sum != nil {
		return s.summed(sum)
	}
	if keys, ok := s.stageKeys(); ok {
		return s.staged(keys)
	}
	return s.direct()
}

// direct groups rows by the dimensions themselves.
func (s *scope) direct() *groupedSelect {
	s.joinNeeded()
	p := s.c.p
	g := &groupedSelect{}
	for i := range p.Dims {
		g.dims = append(g.dims, s.dimension(&p.Dims[i]))
	}
	for i := range p.Atoms {
		g.atoms = append(g.atoms, s.aggregate(&p.Atoms[i]))
	}
	g.from = s.from()
	return g
}

func groupBy(n int) string {
	if n == 0 {
		return ""
	}
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprint(i + 1)
	}
	return " GROUP BY " + strings.Join(parts, ", ")
}

// joinNeeded joins the lookups whose columns are more than filtered by.
func (s *scope) joinNeeded() {
	p := s.c.p
	need := func(r colRef) {
		p.columnsOf(r, func(r colRef) {
			if r.Rel != 0 {
				s.joined[r.Rel] = true
			}
		})
	}
	for _, w := range s.where {
		if w.Ref.Rel == fieldRel {
			need(w.Ref)
		}
	}
	for _, d := range p.Dims {
		need(d.Ref)
	}
	for _, r := range p.Rows {
		need(r.Ref)
	}
	for i := range p.Atoms {
		if p.Atoms[i].Ref != nil {
			need(*p.Atoms[i].Ref)
		}
		for _, f := range p.Atoms[i].Filters {
			need(f.Ref)
		}
	}
}

// stageKey is a column that rows are grouped by first.
type stageKey struct {
	ref    colRef // of the base
	bucket bool   // by its quarter-hour bucket
	day    bool   // by its local day
	groups float64
}

// stageKeys decides whether grouping in two stages is cheaper: first by stored
// columns, whose dictionaries DuckDB groups by without looking at each row,
// then by what the dimensions make of the few groups (days in a time zone, the
// state of an airport). It needs aggregates that can be merged.
func (s *scope) stageKeys() ([]stageKey, bool) {
	p := s.c.p
	if len(p.Dims) == 0 || !p.allMergeable() || !s.atomsOfBase() {
		return nil, false
	}
	sources, derived, lookups := s.keySources()
	if !derived || len(sources) == 0 {
		return nil, false
	}
	rows := float64(s.source(0).rows())
	groups := 1.0
	keys := make([]stageKey, 0, len(sources))
	for _, ref := range sources {
		key, ok := s.stageKey(ref, len(sources) == 1)
		if !ok {
			return nil, false
		}
		groups *= key.groups
		keys = append(keys, key)
	}
	// With one key its dictionary is grouped by, nearly for free. With more,
	// the gain is only the join with lookups over fewer rows.
	if len(keys) == 1 && groups <= rows/4 || lookups && groups <= rows/6 {
		return keys, true
	}
	return nil, false
}

// atomsOfBase tells whether the atoms and their filters, and filters on
// calculated values, need no lookup.
func (s *scope) atomsOfBase() bool {
	base := true
	need := func(r colRef) {
		s.c.p.columnsOf(r, func(r colRef) { base = base && r.Rel == 0 })
	}
	for i := range s.c.p.Atoms {
		a := &s.c.p.Atoms[i]
		if a.Ref != nil {
			need(*a.Ref)
		}
		for _, f := range a.Filters {
			need(f.Ref)
		}
	}
	for _, w := range s.where {
		if w.Ref.Rel == fieldRel {
			need(w.Ref)
		}
	}
	return base
}

// keySources are the stored columns that the dimensions derive from.
func (s *scope) keySources() (sources []colRef, derived, lookups bool) {
	seen := map[colRef]bool{}
	for i := range s.c.p.Dims {
		d := &s.c.p.Dims[i]
		derived = derived || d.Ref.Rel != 0 || d.Grain != "" || d.Bin != "" || d.BinF != 0
		calculable := true
		s.c.p.columnsOf(d.Ref, func(ref colRef) {
			if ref.Rel != 0 {
				ref = s.c.p.Lookups[ref.Rel-1].Column
				lookups = true
			}
			// Of a timestamp only its bucket is grouped by.
			calculable = calculable && (d.Ref.Rel != fieldRel || !segments.HasBucket(ref.Type))
			if !seen[ref] {
				seen[ref] = true
				sources = append(sources, ref)
			}
		})
		if !calculable {
			return nil, false, false
		}
	}
	return sources, derived, lookups
}

func (s *scope) stageKey(ref colRef, alone bool) (stageKey, bool) {
	key := stageKey{ref: ref}
	if segments.HasBucket(ref.Type) {
		days, raw := true, false
		for i := range s.c.p.Dims {
			d := &s.c.p.Dims[i]
			if d.Ref != ref {
				continue
			}
			raw = raw || !s.time(ref, !cyclic(d.Grain)).byBucket(d.Grain)
			days = days && !subDay(d.Grain) && d.Grain != "hour_of_day" && d.Grain != ""
		}
		t := s.time(ref, false)
		width := quarterMicros
		switch {
		case !alone && days:
			key.day, width = true, dayMicros
		case raw:
			return key, false
		default:
			key.bucket = true
		}
		key.groups = float64(t.hi-t.lo)/float64(width) + 1
		return key, true
	}
	n, ok := s.source(0).distinct(ref.ID)
	key.groups = float64(n)
	if !ok {
		key.groups = math.Inf(1)
	}
	if ref.Type == Date {
		lo, hi, _ := s.source(0).bounds(ref)
		key.groups = min(key.groups, float64(hi-lo)+2)
	}
	for i, l := range s.c.p.Lookups {
		if l.Column == ref {
			key.groups = min(key.groups, float64(s.c.lookups[i].rows()+2))
		}
	}
	return key, true
}

// staged groups in two stages, first by the values of also, too: s.x0 and so on of
// what is left.
func (s *scope) staged(keys []stageKey, also ...string) *groupedSelect {
	outer := s.over(keys)
	var own []predicate
	for _, w := range s.where {
		if w.Ref.Rel > 0 && outer.joined[w.Ref.Rel] {
			outer.where = append(outer.where, w)
		} else {
			own = append(own, w)
		}
	}
	s.where = own
	inner := make([]string, 0, len(keys)+len(s.c.p.Atoms))
	for i, k := range keys {
		inner = append(inner, fmt.Sprintf("%s AS k%d", s.keySQL(k), i))
	}
	for i, x := range also {
		inner = append(inner, fmt.Sprintf("%s AS x%d", x, i))
	}
	for i := range s.c.p.Atoms {
		inner = append(inner, fmt.Sprintf("%s AS a%d", s.aggregate(&s.c.p.Atoms[i]), i))
	}
	s.c.notes = append(s.c.notes, "grouped in two stages")
	return outer.merged("SELECT "+strings.Join(inner, ", ")+s.from()+groupBy(len(keys)+len(also)), nil)
}

func (s *scope) keySQL(k stageKey) string {
	switch {
	case k.bucket:
		return s.time(k.ref, false).bucket
	case k.day:
		return s.time(k.ref, false).day()
	}
	return s.col(k.ref)
}

// over is the scope of a SELECT over groups by keys, which are its columns
// s.k0 and so on, with the lookups joined that dimensions need.
func (s *scope) over(keys []stageKey) *scope {
	p := s.c.p
	outer := s.c.scope(nil, s.prev)
	outer.tried = s.tried
	for i, k := range keys {
		name := fmt.Sprintf("s.k%d", i)
		if !segments.HasBucket(k.ref.Type) {
			outer.columns[k.ref] = name
			continue
		}
		for _, moved := range []bool{false, true} {
			t := *s.time(k.ref, moved)
			t.col = ""
			if k.day {
				t.known = name
			} else {
				t.bucket = name
			}
			outer.times[timeKey{k.ref, moved}] = &t
		}
	}
	for i := range p.Dims {
		p.columnsOf(p.Dims[i].Ref, func(r colRef) {
			if r.Rel != 0 {
				outer.joined[r.Rel] = true
			}
		})
	}
	return outer
}

// merged groups what first gives, under more conditions, by the dimensions.
func (s *scope) merged(first string, conditions []string) *groupedSelect {
	p := s.c.p
	g := &groupedSelect{}
	for i := range p.Dims {
		g.dims = append(g.dims, s.dimension(&p.Dims[i]))
	}
	for i := range p.Atoms {
		g.atoms = append(g.atoms, mergeSQL(&p.Atoms[i], fmt.Sprintf("s.a%d", i)))
	}
	var refs []colRef
	p.refs(func(r colRef) { refs = append(refs, r) })
	g.from = " FROM (" + first + ") AS s" + s.joins(refs) + whereSQL(append(s.conditions(), conditions...))
	return g
}

// mergeSQL makes the atom of a whole from those of its parts, of which there may
// be none.
func mergeSQL(a *atom, x string) string {
	switch a.Fn {
	case "min", "max":
		return a.Fn + "(" + x + ")"
	case "rows", "count":
		return "coalesce(sum(" + x + "), 0)"
	}
	return "sum(" + x + ")"
}

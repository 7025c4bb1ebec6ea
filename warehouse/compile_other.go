package warehouse

import (
	"fmt"
	"strings"
)

// withOther folds the groups beyond the limit into "Other". Its measures are
// computed from the rows behind it: from atoms where those can be merged, by
// reading the rows once more where not.
//
// Without a dimension of time (or with nothing else), the limit counts groups
// and there is one Other. With time and other dimensions, the limit counts
// series (combinations of the other dimensions, ranked over the whole span)
// and each moment has its own Other.
func (q *groupQuery) withOther() string {
	p := q.c.p
	dims := numbered("d", len(p.Dims))
	times, series := q.splitDims()
	perTime := len(times) > 0 && len(series) > 0
	if !perTime {
		times, series = nil, dims
	}
	if p.allMergeable() {
		q.with("g", q.groups())
	} else {
		// Both passes read the rows as x and y.
		q.ctes = append(q.ctes, "x AS NOT MATERIALIZED ("+q.projected(p.Where, nil)+")")
		if p.Previous != nil {
			q.ctes = append(q.ctes, "y AS NOT MATERIALIZED ("+q.projected(p.Previous.Where, p.Previous)+")")
		}
		q.with("g", q.regrouped(dims, ""))
	}
	q.with("ranked", q.ranking(series, perTime))

	// key is the rank of a series, or one more than the limit for the rest.
	key := fmt.Sprintf("least(k.rank, %d)", p.Limit+1)
	var sql string
	if p.allMergeable() {
		sql = q.fold(times, series, key)
	} else {
		sql = q.regrouped(append(append([]string(nil), times...), series...), key)
	}
	folded := q.with("folded", sql)
	columns := append(append([]string(nil), dims...), "rank")
	keys := dims
	if perTime {
		keys = append(append([]string(nil), times...), "rank")
	}
	columns = append(columns, q.measures(folded, keys)...)
	inner := "SELECT " + strings.Join(columns, ", ") + " FROM " + folded
	output := append(q.output(), fmt.Sprintf("rank > %d AS other", p.Limit))
	sql = q.prefix() + "SELECT " + strings.Join(output, ", ") + " FROM (" + inner + ") AS r"
	if !perTime {
		sql += orderSQL(append([]string{fmt.Sprintf("rank > %d", p.Limit)}, q.orderKeys()...))
		return sql + fmt.Sprintf(" LIMIT %d", q.c.maxRows+1)
	}
	keys = nil
	used := map[string]bool{}
	for _, o := range p.Order {
		if name := orderName(o); o.Dim >= 0 && contains(times, name) {
			used[name] = true
			keys = append(keys, q.orderKeys()[len(keys)])
		} else {
			break // ranks order the series
		}
	}
	for _, t := range times {
		if !used[t] {
			keys = append(keys, t+" NULLS LAST")
		}
	}
	return sql + orderSQL(append(keys, "rank")) + fmt.Sprintf(" LIMIT %d", q.c.maxRows+1)
}

// splitDims names the dimensions of time and the others.
func (q *groupQuery) splitDims() (times, series []string) {
	for i, d := range q.c.p.Dims {
		if d.Ref.temporal() && !cyclic(d.Grain) {
			times = append(times, fmt.Sprintf("d%d", i))
		} else {
			series = append(series, fmt.Sprintf("d%d", i))
		}
	}
	return times, series
}

// ranking orders the series: by the query's order, where that is by a measure
// or a dimension of the series, else by the first measure.
func (q *groupQuery) ranking(series []string, perTime bool) string {
	p := q.c.p
	table, from := "g", "g"
	if perTime {
		table, from = "t", "("+q.seriesTotals(series)+") AS t"
	}
	columns := append([]string(nil), series...)
	for i := range p.Measures {
		m := p.Measures[i]
		if m.Show == "running" {
			m.Show = "" // ranked by the whole, which is where a running total ends
		}
		columns = append(columns, fmt.Sprintf("%s AS m%d", q.measure(&m, table, "a", series), i))
		if p.compares(&m) {
			columns = append(columns, fmt.Sprintf("%s AS n%d", q.measure(&m, table, "p", series), i))
		}
	}
	inner := "SELECT " + strings.Join(columns, ", ") + " FROM " + from
	var keys []string
	for i, o := range p.Order {
		if name := orderName(o); o.Dim < 0 || contains(series, name) {
			keys = append(keys, q.orderKeys()[i])
		}
	}
	if len(keys) == 0 && len(p.Measures) > 0 {
		keys = append(keys, "m0 DESC NULLS LAST")
	}
	for _, s := range series {
		keys = append(keys, s+" NULLS LAST")
	}
	return "SELECT " + strings.Join(series, ", ") + ", row_number() OVER (ORDER BY " + strings.Join(keys, ", ") + ") AS rank FROM (" + inner + ") AS r" + whereSQL(q.havings())
}

// seriesTotals are the atoms of whole series.
func (q *groupQuery) seriesTotals(series []string) string {
	if !q.c.p.allMergeable() {
		return q.regrouped(series, "")
	}
	columns := append([]string(nil), series...)
	for i := range q.c.p.Atoms {
		a := &q.c.p.Atoms[i]
		columns = append(columns, fmt.Sprintf("%s AS a%d", mergeSQL(a, fmt.Sprintf("a%d", i)), i))
		if q.c.p.Previous != nil {
			columns = append(columns, fmt.Sprintf("%s AS p%d", mergeSQL(a, fmt.Sprintf("p%d", i)), i))
		}
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM g" + groupBy(len(series))
}

// fold merges the groups beyond the limit.
func (q *groupQuery) fold(times, series []string, key string) string {
	p := q.c.p
	columns := qualified("g", times)
	for _, s := range series {
		columns = append(columns, fmt.Sprintf("CASE WHEN k.rank <= %d THEN g.%s END AS %s", p.Limit, s, s))
	}
	columns = append(columns, key+" AS rank")
	n := len(columns)
	for i := range p.Atoms {
		a := &p.Atoms[i]
		columns = append(columns, fmt.Sprintf("%s AS a%d", mergeSQL(a, fmt.Sprintf("g.a%d", i)), i))
		if p.Previous != nil {
			columns = append(columns, fmt.Sprintf("%s AS p%d", mergeSQL(a, fmt.Sprintf("g.p%d", i)), i))
		}
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM g JOIN ranked AS k ON " + sameGroup("g", "k", series) + groupBy(n)
}

// projected are the rows themselves: d0…, and v and f with the argument and
// the filter of each atom.
func (q *groupQuery) projected(where []predicate, prev *planPrevious) string {
	p := q.c.p
	s := q.c.scope(where, prev)
	s.joinNeeded()
	columns := make([]string, 0, len(p.Dims)+2*len(p.Atoms))
	for i := range p.Dims {
		columns = append(columns, fmt.Sprintf("%s AS d%d", s.dimension(&p.Dims[i]), i))
	}
	for i := range p.Atoms {
		a := &p.Atoms[i]
		if a.Ref != nil {
			columns = append(columns, fmt.Sprintf("%s AS v%d", s.col(*a.Ref), i))
		}
		if cond := s.filterSQL(a); cond != "" {
			columns = append(columns, fmt.Sprintf("(%s) AS f%d", cond, i))
		}
	}
	return "SELECT " + strings.Join(columns, ", ") + s.from()
}

// regrouped groups the rows of x (and y) by some of the dimensions. With a
// key, rows are joined to their rank and those beyond the limit are one group.
func (q *groupQuery) regrouped(dims []string, key string) string {
	current := q.regroup("x", dims, key)
	if q.c.p.Previous == nil {
		return current
	}
	keys := dims
	if key != "" {
		keys = append(append([]string(nil), dims...), "rank")
	}
	return q.compare(current, q.regroup("y", dims, key), keys)
}

func (q *groupQuery) regroup(table string, dims []string, key string) string {
	p := q.c.p
	var columns []string
	from := table
	_, series := q.splitDims()
	if len(series) == 0 || len(series) == len(p.Dims) {
		series = numbered("d", len(p.Dims))
	}
	for _, d := range dims {
		if key != "" && contains(series, d) {
			columns = append(columns, fmt.Sprintf("CASE WHEN k.rank <= %d THEN %s.%s END AS %s", p.Limit, table, d, d))
		} else {
			columns = append(columns, table+"."+d)
		}
	}
	if key != "" {
		columns = append(columns, key+" AS rank")
		from += " JOIN ranked AS k ON " + sameGroup(table, "k", series)
	}
	n := len(columns)
	for i := range p.Atoms {
		a := &p.Atoms[i]
		x := q.c.aggregateSQL(a, fmt.Sprintf("%s.v%d", table, i))
		if len(a.Filters) > 0 {
			x += fmt.Sprintf(" FILTER (WHERE %s.f%d)", table, i)
		}
		columns = append(columns, fmt.Sprintf("%s AS a%d", x, i))
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM " + from + groupBy(n)
}

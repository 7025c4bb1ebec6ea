package warehouse

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// compile writes the whole statement. Its result columns are those of
// plan.resultColumns, then, where plan.Other, a boolean "other".
func (c *compiler) compile() string {
	p := c.p
	if len(p.Rows) > 0 {
		return c.plainRows(nil)
	}
	q := &groupQuery{c: c}
	if p.Other {
		return q.withOther()
	}
	return q.plain()
}

// groupQuery builds the statement for groups around the SELECTs of grouped.
type groupQuery struct {
	c    *compiler
	ctes []string
}

func (q *groupQuery) with(name, sql string) string {
	q.ctes = append(q.ctes, name+" AS MATERIALIZED ("+sql+")")
	return name
}

func (q *groupQuery) prefix() string {
	if len(q.ctes) == 0 {
		return ""
	}
	return "WITH " + strings.Join(q.ctes, ", ") + " "
}

func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return names
}

func qualified(table string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = table + "." + n
	}
	return out
}

// sameGroup joins two tables on all given columns, nulls equal to nulls.
func sameGroup(a, b string, names []string) string {
	if len(names) == 0 {
		return "TRUE"
	}
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = fmt.Sprintf("%s.%s IS NOT DISTINCT FROM %s.%s", a, n, b, n)
	}
	return strings.Join(parts, " AND ")
}

// groups is the SELECT of all groups: d0…, a0… and, with a comparison, p0… for
// the atoms of the earlier span. Groups of either span are there.
func (q *groupQuery) groups() string {
	all := q.allGroups()
	if !q.c.withheld {
		return all
	}
	return "SELECT u.* FROM (" + all + ") AS u JOIN " + shownTable + " AS h ON " + sameGroup("u", "h", numbered("d", len(q.c.p.Dims)))
}

func (q *groupQuery) allGroups() string {
	p := q.c.p
	current := q.c.grouped(p.Where, nil).String()
	if p.Previous == nil {
		return current
	}
	return q.compare(current, q.c.grouped(p.Previous.Where, p.Previous).String(), numbered("d", len(p.Dims)))
}

func (q *groupQuery) compare(current, previous string, keys []string) string {
	p := q.c.p
	columns := make([]string, 0, len(keys)+2*len(p.Atoms))
	for _, k := range keys {
		columns = append(columns, fmt.Sprintf("coalesce(x.%s, y.%s) AS %s", k, k, k))
	}
	for i := range p.Atoms {
		columns = append(columns, fmt.Sprintf("x.a%d AS a%d", i, i), fmt.Sprintf("y.a%d AS p%d", i, i))
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM (" + current + ") AS x FULL JOIN (" + previous + ") AS y ON " + sameGroup("x", "y", keys)
}

// needsAll tells whether the answer looks at all groups at once.
func (q *groupQuery) needsAll() bool {
	for _, m := range q.c.p.Measures {
		if m.Show == "share" {
			return true
		}
	}
	return false
}

// flat tells whether measures can be computed where rows are grouped. Planning
// one SELECT takes DuckDB a millisecond less than planning three nested ones.
func (q *groupQuery) flat() bool {
	p := q.c.p
	if p.Previous != nil || len(p.Having) > 0 || q.c.withheld {
		return false
	}
	for _, m := range p.Measures {
		if m.Show != "" {
			return false
		}
	}
	return true
}

// plain is a query without Other.
func (q *groupQuery) plain() string {
	p := q.c.p
	if q.flat() {
		g := q.c.grouped(p.Where, nil)
		columns := make([]string, 0, len(g.dims)+len(p.Measures))
		for i, x := range g.dims {
			columns = append(columns, fmt.Sprintf("%s AS d%d", x, i))
		}
		for i := range p.Measures {
			x := q.formula(&p.Measures[i].Node, func(atom int) string { return q.c.finished(&p.Atoms[atom], g.atoms[atom]) })
			columns = append(columns, fmt.Sprintf("%s AS m%d", x, i))
		}
		return "SELECT " + strings.Join(columns, ", ") + g.from + groupBy(len(g.dims)) + orderSQL(q.orderKeys()) + q.c.limitSQL()
	}
	groups := q.groups()
	from := "(" + groups + ") AS g"
	if q.needsAll() {
		from = q.with("g", groups)
	}
	columns := numbered("d", len(p.Dims))
	columns = append(columns, q.measures("g", numbered("d", len(p.Dims)))...)
	inner := "SELECT " + strings.Join(columns, ", ") + " FROM " + from
	sql := q.prefix() + "SELECT " + strings.Join(q.output(), ", ") + " FROM (" + inner + ") AS r" + whereSQL(q.havings())
	sql += orderSQL(q.orderKeys())
	return sql + q.c.limitSQL()
}

// output lists the result columns by their inner names.
func (q *groupQuery) output() []string {
	p := q.c.p
	names := numbered("d", len(p.Dims))
	for i := range p.Measures {
		names = append(names, fmt.Sprintf("m%d", i))
		if p.compares(&p.Measures[i]) {
			names = append(names, fmt.Sprintf("n%d", i))
		}
	}
	return names
}

// measures are the SQL of all measures over the atoms of table, as m0… and
// n0… for the earlier span. keys are the columns that tell groups apart.
func (q *groupQuery) measures(table string, keys []string) []string {
	p := q.c.p
	var columns []string
	for i := range p.Measures {
		columns = append(columns, fmt.Sprintf("%s AS m%d", q.measure(&p.Measures[i], table, "a", keys), i))
		if p.compares(&p.Measures[i]) {
			columns = append(columns, fmt.Sprintf("%s AS n%d", q.measure(&p.Measures[i], table, "p", keys), i))
		}
	}
	return columns
}

func (q *groupQuery) measure(m *planMeasure, table, letter string, keys []string) string {
	x := q.shown(m, table, letter, keys)
	if letter == "p" && m.Unmoved {
		return "CASE WHEN FALSE THEN " + x + " END"
	}
	return x
}

// shown is a measure as it is shown: itself, as a share or as a running total.
func (q *groupQuery) shown(m *planMeasure, table, letter string, keys []string) string {
	within := "" // what the earlier span reaches
	if letter == "p" {
		within = q.compared(table, keys)
	}
	x := q.formula(&m.Node, func(atom int) string {
		a := &q.c.p.Atoms[atom]
		x := fmt.Sprintf("%s.%s%d", table, letter, atom)
		switch a.Fn {
		case "rows", "count", "count_distinct":
			// Counting nothing gives 0; every other aggregate of nothing is null.
			x = "coalesce(" + x + ", 0)"
			if within != "" {
				x = "CASE WHEN " + within + " THEN " + x + " END"
			}
			return x
		}
		return q.c.finished(a, x)
	})
	switch m.Show {
	case "share":
		total := q.formula(&m.Node, func(atom int) string {
			return fmt.Sprintf("(SELECT %s FROM g)", mergeSQL(&q.c.p.Atoms[atom], fmt.Sprintf("%s%d", letter, atom)))
		})
		return fmt.Sprintf("(CAST(%s AS DOUBLE) / nullif(CAST(%s AS DOUBLE), 0))", x, total)
	case "running":
		by := fmt.Sprintf("d%d", m.Running)
		var partition []string
		for _, k := range keys {
			if k != by {
				partition = append(partition, table+"."+k)
			}
		}
		over := "ORDER BY " + table + "." + by + " NULLS LAST ROWS UNBOUNDED PRECEDING"
		if len(partition) > 0 {
			over = "PARTITION BY " + strings.Join(partition, ", ") + " " + over
		}
		x = "sum(" + x + ") OVER (" + over + ")"
		if within != "" {
			x = "CASE WHEN " + within + " THEN " + x + " END"
		}
		return x
	}
	return x
}

// compared tells the moments of table that the earlier span reaches: a quarter
// of 91 days has one that the 90 before it know nothing of. Empty where it
// reaches all, or keys, which tell groups apart, have no moments.
func (q *groupQuery) compared(table string, keys []string) string {
	p := q.c.p
	if p.Previous.Span.From >= p.Previous.Span.To {
		return "FALSE"
	}
	var parts []string
	for i, d := range p.Dims {
		key := fmt.Sprintf("d%d", i)
		if d.Ref != p.Previous.Ref || cyclic(d.Grain) || !slices.Contains(keys, key) {
			continue
		}
		at, end := table+"."+key, p.Previous.Reach
		switch {
		case d.Grain == "" && d.Type != Date:
			at = "epoch_us(" + at + ")"
		case d.Grain == "":
			at = "(" + at + " - DATE '1970-01-01')"
		}
		if !subDay(d.Grain) && (d.Grain != "" || d.Type == Date) {
			end = (end + dayMicros - 1) / dayMicros
		}
		if end != 0 {
			parts = append(parts, fmt.Sprintf("%s < %d", at, end))
		}
		if days := p.Previous.Lacks; len(days) > 0 && (d.Grain == "day" || d.Grain == "") {
			listed := make([]string, len(days))
			for j, day := range days {
				listed[j] = strconv.FormatInt(day, 10)
			}
			parts = append(parts, fmt.Sprintf("%s NOT IN (%s)", at, strings.Join(listed, ", ")))
		}
	}
	return strings.Join(parts, " AND ")
}

// formula computes a measure from atoms, whose SQL at gives. A division by
// nothing or zero gives null.
func (q *groupQuery) formula(n *node, at func(atom int) string) string {
	if n.Num != nil {
		return fmt.Sprintf("(CAST(%s AS DOUBLE) / nullif(CAST(%s AS DOUBLE), 0))", q.formula(n.Num, at), q.formula(n.Den, at))
	}
	if n.Expr != nil {
		w := &exprSQL{zone: q.c.p.zone, wide: n.Wide, part: func(i int32) string { return q.formula(&n.Parts[i], at) }}
		if n.Wide {
			return "CAST(" + w.sql(n.Expr) + " AS HUGEINT)"
		}
		return w.whole(n.Expr)
	}
	return at(n.Atom)
}

// havings are the filters on measures.
func (q *groupQuery) havings() []string {
	var parts []string
	for _, h := range q.c.p.Having {
		m := q.c.p.Measures[h.Measure]
		name := fmt.Sprintf("m%d", h.Measure)
		if h.Previous {
			name = fmt.Sprintf("n%d", h.Measure)
		}
		ref := colRef{Type: m.Type, Scale: m.Scale, Precision: 38}
		if m.Type == Integer {
			ref.Type = Decimal // sums may be wider than 64 bits
		}
		parts = append(parts, condition(h.Pred.Set, h.Pred.Negate, h.Pred.Nulls, "r."+name, ref))
	}
	return parts
}

// orderKeys are the keys of the plan, then all dimensions, so that the order
// is the same every time. Rows without a value come last either way.
func (q *groupQuery) orderKeys() []string {
	p := q.c.p
	var keys []string
	used := map[string]bool{}
	for _, o := range p.Order {
		name := orderName(o)
		used[name] = true
		dir := ""
		if o.Desc {
			dir = " DESC"
		}
		keys = append(keys, name+dir+" NULLS LAST")
	}
	for _, d := range numbered("d", len(p.Dims)) {
		if !used[d] {
			keys = append(keys, d+" NULLS LAST")
		}
	}
	return keys
}

func orderName(o planOrder) string {
	switch {
	case o.Dim >= 0:
		return fmt.Sprintf("d%d", o.Dim)
	case o.Previous:
		return fmt.Sprintf("n%d", o.Measure)
	}
	return fmt.Sprintf("m%d", o.Measure)
}

func orderSQL(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return " ORDER BY " + strings.Join(keys, ", ")
}

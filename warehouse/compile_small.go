package warehouse

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse/expr"
)

// Groups of few rows are withheld, and with them as many others as it takes for
// nobody to find them by subtraction (complementary suppression). What remains
// is all that shares, running totals and "Other" are made of.
//
// A group is small where it, or what one of its measures counts, or what that
// leaves, is at least one row and fewer than the plan's MinRows. Within each line
// of groups that a coarser question would add up, those withheld are either none,
// or at least two with as many rows together as a group needs. A filter whose
// removal would add fewer rows than that withholds everything.
//
// What this does not stop is somebody who combines the answers to several
// filters of ranges, each of which has enough rows.

// smallCounts adds to the plan the numbers of rows that decide which groups are
// small: those of the group, and those behind each of its aggregates.
func (b *binder) smallCounts() error {
	p := b.plan
	if p.MinRows <= 1 || len(p.Rows) > 0 {
		return nil
	}
	p.Counts = []int{b.atom(atom{Fn: "rows"}).Atom}
	for _, a := range slices.Clone(p.Atoms) {
		behind := atom{Fn: "rows", Filters: a.Filters}
		if a.Ref != nil {
			behind = atom{Fn: "count", Ref: a.Ref, Filters: a.Filters}
		}
		if n := b.atom(behind).Atom; !slices.Contains(p.Counts, n) {
			p.Counts = append(p.Counts, n)
		}
		if a.Fn != "sum" {
			continue
		}
		// Rows of which the value is 0 are not behind a sum.
		x := b.treeOf(*a.Ref)
		ref, err := b.ref(expr.Make("nullif", x.Type, x.Precision, x.Scale, x, expr.Literal(Integer, 0, 0, expr.Value{})))
		if err != nil {
			return err
		}
		n := b.atom(atom{Fn: "count", Ref: &ref, Filters: a.Filters}).Atom
		switch {
		case slices.Contains(p.Counts, n) || slices.Contains(p.Behind, n):
		case isProduct(x):
			// What it leaves out of the sum of one factor is found by subtraction.
			p.Counts = append(p.Counts, n)
		default:
			p.Behind = append(p.Behind, n)
		}
	}
	for i := range p.Measures {
		if err := b.conditions(&p.Measures[i]); err != nil {
			return err
		}
	}
	// The rest could be read off rows that were folded before anything was withheld.
	p.Other = p.Other && p.allMergeable()
	return nil
}

// isProduct tells whether a value is one column times another, or divided by it.
func isProduct(t *expr.Tree) bool {
	if t.Op == "case" {
		t = t.Args[1]
	}
	return (t.Op == "*" || t.Op == "/") && !t.Stands
}

// withoutSmall keeps the groups of a SELECT that are not withheld.
func (q *groupQuery) withoutSmall(groups string) string {
	p := q.c.p
	n := len(p.Dims)
	dims := numbered("d", n)
	counts := q.countsOf()
	ctes := []string{"u0 AS MATERIALIZED (" + groups + ")"}
	with := func(name, sql string) {
		ctes = append(ctes, name+" AS MATERIALIZED ("+sql+")")
	}
	columns := make([]string, len(counts))
	small := make([]string, len(counts))
	for i, x := range counts {
		columns[i] = fmt.Sprintf("%s AS k%d", x, i)
		small[i] = q.tooFew(fmt.Sprintf("k%d", i))
	}
	with("u1", "SELECT *, "+strings.Join(columns, ", ")+" FROM u0")
	few := "(" + strings.Join(small, " OR ") + ")"
	withheld := few
	if n > 1 {
		// Who asks for one of the dimensions alone finds some of its values
		// withheld: the groups of these would add up to them.
		for i, d := range dims {
			sums := make([]string, len(counts))
			for j := range counts {
				sums[j] = fmt.Sprintf("sum(k%d) AS k%d", j, j)
			}
			with(fmt.Sprintf("e%d", i), "SELECT "+d+", "+strings.Join(sums, ", ")+" FROM u1 GROUP BY "+d)
			with(fmt.Sprintf("w%d", i), q.line(fmt.Sprintf("e%d", i), few, nil, []string{d}))
			withheld += fmt.Sprintf(" OR (SELECT bool_or(w.withheld) FROM w%d AS w WHERE w.%s IS NOT DISTINCT FROM u1.%s)", i, d, d)
		}
		withheld = "(" + withheld + ")"
	}
	with("v0", "SELECT *, "+withheld+" AS held FROM u1")
	last := "v0"
	rounds := n
	if n > 1 {
		rounds = 3 * n
	}
	for i := range rounds {
		var others []string
		for j, d := range dims {
			if j != i%n {
				others = append(others, d)
			}
		}
		name := fmt.Sprintf("v%d", i+1)
		with(name, "SELECT * EXCLUDE (held, withheld), withheld AS held FROM ("+q.line(last, "held", others, dims)+")")
		last = name
	}
	out := slices.Concat(dims, numbered("a", len(p.Atoms)))
	if p.Previous != nil {
		out = append(out, numbered("p", len(p.Atoms))...)
	}
	conditions := []string{"NOT held"}
	if n > 1 {
		for i := range dims {
			conditions = append(conditions, "NOT ("+q.broken(last, dims, i)+")")
		}
	}
	for i, sql := range q.trackers() {
		with(fmt.Sprintf("t%d", i), sql)
		conditions = append(conditions, fmt.Sprintf("NOT (SELECT small FROM t%d)", i))
	}
	return "WITH " + strings.Join(ctes, ", ") + " SELECT " + strings.Join(out, ", ") + " FROM " + last + " WHERE " + strings.Join(conditions, " AND ")
}

// countsOf are the numbers of rows of a group that must not be small.
func (q *groupQuery) countsOf() []string {
	p := q.c.p
	letters := []string{"a"}
	if p.Previous != nil {
		letters = append(letters, "p")
	}
	var list []string
	for _, letter := range letters {
		all := fmt.Sprintf("coalesce(%s%d, 0)", letter, p.Counts[0])
		list = append(list, all)
		for _, c := range p.Counts[1:] {
			behind := fmt.Sprintf("coalesce(%s%d, 0)", letter, c)
			list = append(list, behind, "("+all+" - "+behind+")")
		}
		for _, cell := range p.Cells {
			parts := make([]string, len(cell))
			for i, s := range cell {
				parts[i] = fmt.Sprintf("%d * coalesce(%s%d, 0)", s.Times, letter, s.Atom)
			}
			list = append(list, "("+strings.Join(parts, " + ")+")")
		}
		for _, c := range p.Behind {
			list = append(list, fmt.Sprintf("coalesce(%s%d, 0)", letter, c))
		}
	}
	return list
}

func (q *groupQuery) tooFew(count string) string {
	return fmt.Sprintf("(%s BETWEEN 1 AND %d)", count, q.c.p.MinRows-1)
}

// line adds to groups whether they are withheld, where those that are small
// already are. Within each combination of the dimensions by, the smallest go
// along until two are withheld that are enough together.
func (q *groupQuery) line(from, small string, by, tie []string) string {
	counts := len(q.countsOf())
	over := "ORDER BY small DESC, k0, " + strings.Join(tie, ", ")
	partition := ""
	if len(by) > 0 {
		partition = "PARTITION BY " + strings.Join(by, ", ") + " "
	}
	whole := strings.TrimSpace(partition)
	enough := []string{"row_number() OVER (" + partition + over + ") >= greatest(2, sum(CAST(small AS INTEGER)) OVER (" + whole + "))"}
	for i := range counts {
		enough = append(enough, fmt.Sprintf("NOT (sum(k%d) OVER (%s%s ROWS UNBOUNDED PRECEDING) BETWEEN 1 AND %d)", i, partition, over, q.c.p.MinRows-1))
	}
	ranked := "SELECT *, " + small + " AS small FROM " + from
	summed := "SELECT *, (" + strings.Join(enough, " AND ") + ") AS enough, bool_or(small) OVER (" + whole + ") AS any_small FROM (" + ranked + ")"
	return "SELECT * EXCLUDE (small, enough, any_small), (small OR any_small AND NOT coalesce(bool_or(enough) OVER (" + partition + over +
		" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), FALSE)) AS withheld FROM (" + summed + ")"
}

// broken tells whether a line along a dimension gives something away all the
// same: everything is withheld then.
func (q *groupQuery) broken(from string, dims []string, along int) string {
	others := slices.Delete(slices.Clone(dims), along, along+1)
	bad := []string{"count(*) FILTER (WHERE held) = 1"}
	for i := range q.countsOf() {
		bad = append(bad, q.tooFew(fmt.Sprintf("coalesce(sum(k%d) FILTER (WHERE held), 0)", i)))
	}
	line := "SELECT (" + strings.Join(bad, " OR ") + ") AND count(*) FILTER (WHERE NOT held) > 0 AS bad FROM " + from
	if len(others) > 0 {
		line += " GROUP BY " + strings.Join(others, ", ")
	}
	return "SELECT coalesce(bool_or(bad), FALSE) FROM (" + line + ")"
}

// trackers tell for each span whether one of the filters leaves out so few rows
// that the answers with and without it give them away.
func (q *groupQuery) trackers() []string {
	p := q.c.p
	var list []string
	add := func(where []predicate, prev *planPrevious) {
		if len(where) <= p.Ruled {
			return
		}
		s := q.c.scope(where[:p.Ruled:p.Ruled], prev)
		s.joinNeeded()
		for i := range where {
			p.columnsOf(where[i].Ref, func(r colRef) {
				if r.Rel > 0 {
					s.joined[r.Rel] = true
				}
			})
		}
		filters := make([]string, 0, len(where)-p.Ruled)
		for i := p.Ruled; i < len(where); i++ {
			filters = append(filters, "(("+s.predicate(&where[i])+") IS TRUE)")
		}
		var counts, small []string
		for i := range filters {
			parts := slices.Clone(filters)
			parts[i] = "NOT " + parts[i]
			counts = append(counts, fmt.Sprintf("count(*) FILTER (WHERE %s) AS n%d", strings.Join(parts, " AND "), i))
			small = append(small, q.tooFew(fmt.Sprintf("n%d", i)))
		}
		list = append(list, "SELECT "+strings.Join(small, " OR ")+" AS small FROM (SELECT "+strings.Join(counts, ", ")+s.from()+")")
	}
	add(p.Where, nil)
	if p.Previous != nil {
		add(p.Previous.Where, p.Previous)
	}
	return list
}

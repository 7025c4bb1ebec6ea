package warehouse

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse/expr"
)

// Groups of few rows are withheld, and with them as many others as it takes for
// nobody to find them by subtraction (complementary suppression). What remains
// is all that shares, running totals and "Other" are made of.
//
// What is counted are the plan's Few: the rows of a group, those behind each of its
// measures, those that these leave out. And each of them again for each choice of
// filters that may be taken off, by how many rows more there would be: the answers
// with and without these filters tell about them. A group is small where one of
// these numbers is at least 1 and less than the plan's MinRows. Within each line of
// groups that a coarser question would add up, those withheld are either none, or
// at least two of which no number together is small. A group of which filters leave
// nothing is one of these, too, but does not hide another: who asks may know of it.
//
// What this does not stop is somebody who combines the answers to two filters of
// ranges or values, each of which has enough rows.

const (
	// maxFewFilters is how many different filters a question has for somebody from
	// whom small groups are withheld: with each, the choices of filters double.
	maxFewFilters = 6
	// maxFewNumbers bounds the numbers of rows of a group that are looked at.
	maxFewNumbers = 4096
)

// smallCounts adds to the plan the numbers of rows that decide which groups are
// small.
//
// Errors: query.rows_withheld.
func (b *binder) smallCounts() error {
	p := b.plan
	if p.MinRows <= 1 || len(p.Rows) > 0 {
		return nil
	}
	all := b.atom(atom{Fn: "rows"}).Atom
	seen := map[string]bool{}
	few := func(number ...share) {
		if key := fmt.Sprint(number); !seen[key] {
			seen[key] = true
			p.Few = append(p.Few, number)
		}
	}
	few(share{all, 1})
	for _, a := range slices.Clone(p.Atoms) {
		if len(a.Filters) > maxFewFilters {
			return b.tooManyFilters()
		}
		n := b.behind(a.Ref, a.Filters)
		few(share{n, 1})
		if n != all {
			few(share{all, 1}, share{n, -1})
		}
		// Its conditions can be taken off one by one, as filters can.
		for on := 1; on < 1<<len(a.Filters)-1; on++ {
			var some []predicate
			for i, f := range a.Filters {
				if on&(1<<i) != 0 {
					some = append(some, f)
				}
			}
			m := b.behind(a.Ref, some)
			few(share{m, 1})
			few(share{m, 1}, share{n, -1})
		}
		if a.Fn == "sum" {
			if err := b.constants(&a, all, few); err != nil {
				return err
			}
		}
	}
	for i := range p.Measures {
		cells, err := b.conditions(&p.Measures[i])
		if err != nil {
			return err
		}
		for _, cell := range cells {
			few(cell...)
		}
	}
	filters := len(distinctFilters(p.Where[p.Ruled:]))
	if p.Previous != nil {
		filters = max(filters, len(distinctFilters(p.Previous.Where[p.Ruled:])))
	}
	if filters > maxFewFilters || len(p.Few)<<filters > maxFewNumbers {
		return b.tooManyFilters()
	}
	// The rest could be read off rows that were folded before anything was withheld.
	p.Other = p.Other && p.allMergeable()
	return nil
}

func (b *binder) tooManyFilters() error {
	return ErrRowsWithheld.With("This can't be shown to you with so many filters or measures at once: groups of fewer than %d rows of %q are withheld, and each filter is looked at with and without each other. Leave some out; %d filters are the most.",
		b.plan.MinRows, b.ds.Name, maxFewFilters)
}

// behind is the atom that counts the rows with a value.
func (b *binder) behind(ref *colRef, filters []predicate) int {
	if ref == nil {
		return b.atom(atom{Fn: "rows", Filters: filters}).Atom
	}
	return b.atom(atom{Fn: "count", Ref: ref, Filters: filters}).Atom
}

// constants counts the rows whose value in a sum is not 0, and those whose value is
// not 1: where nearly all are 0 or 1, the sum tells how many and which are not.
func (b *binder) constants(a *atom, all int, few func(...share)) error {
	other := func(ref colRef, than int64) share {
		v := value{K: "i", I: than}
		if ref.Type == Float {
			v = value{K: "f", F: float64(than)}
		}
		filters := append(slices.Clone(a.Filters), predicate{Ref: ref, Kind: kindSet, Set: []interval{point(v)}, Negate: true})
		return share{b.behind(nil, filters), 1}
	}
	n := other(*a.Ref, 0)
	few(n)
	x := b.treeOf(*a.Ref)
	if !isProduct(x) {
		few(other(*a.Ref, 1))
		return nil
	}
	// What it leaves out of the sum of one factor is found by subtraction.
	few(share{all, 1}, share{n.Atom, -1})
	for _, f := range factorsOf(x) {
		ref, err := b.ref(f)
		if err != nil {
			return err
		}
		few(other(ref, 1))
	}
	return nil
}

// isProduct tells whether a value is one column times another, or divided by it.
func isProduct(t *expr.Tree) bool {
	if t.Op == "case" {
		t = t.Args[1]
	}
	return (t.Op == "*" || t.Op == "/") && !t.Stands
}

// factorsOf are the columns of a product, where it has a value.
func factorsOf(t *expr.Tree) []*expr.Tree {
	if t.Op != "case" {
		return t.Args
	}
	var list []*expr.Tree
	for _, f := range t.Args[1].Args {
		list = append(list, expr.Make("case", f.Type, f.Precision, f.Scale, t.Args[0], f))
	}
	return list
}

// distinctFilters are filters without those that are equal to another.
func distinctFilters(where []predicate) []predicate {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(where), func(p predicate) bool {
		text, err := json.Marshal(p)
		if err != nil { // plain fields only
			panic(err)
		}
		again := seen[string(text)]
		seen[string(text)] = true
		return again
	})
}

// smallQuery writes the SELECTs that decide what is withheld. Numbers of rows have a
// line each: d0…, which number it is as i, and n. Groups have k, their rows in both
// spans, and held.
type smallQuery struct {
	*groupQuery
	dims []string
	ctes []string
	some string // whether some groups are small, and others are not
}

func (q *smallQuery) with(sql string) string {
	name := fmt.Sprintf("s%d", len(q.ctes))
	q.ctes = append(q.ctes, name+" AS MATERIALIZED ("+sql+")")
	return name
}

// listed lists columns after some dimensions.
func listed(dims []string, more ...string) string {
	return strings.Join(slices.Concat(dims, more), ", ")
}

func by(dims []string) string {
	if len(dims) == 0 {
		return ""
	}
	return " GROUP BY " + strings.Join(dims, ", ")
}

// withoutSmall keeps the groups of a SELECT that are not withheld.
func (g *groupQuery) withoutSmall(groups string) string {
	p := g.c.p
	q := &smallQuery{groupQuery: g, dims: numbered("d", len(p.Dims))}
	dims, n := q.dims, len(q.dims)
	rows := q.with(groups)
	tables := q.tables(rows)
	each := make([]string, len(tables))
	for i, t := range tables {
		k := "0"
		if t.from == rows {
			k = q.number(0, t.letter)
		}
		parts := make([]string, len(p.Few))
		for j := range p.Few {
			parts[j] = fmt.Sprintf("%s BETWEEN 1 AND %d", q.number(j, t.letter), p.MinRows-1)
		}
		each[i] = "SELECT " + listed(dims, k+" AS k", strings.Join(parts, " OR ")+" AS held") + " FROM " + t.from
	}
	small := q.with("SELECT " + listed(dims, "sum(k) AS k", "bool_or(held) AS held") + " FROM (" + strings.Join(each, " UNION ALL ") + ")" + by(dims))
	// Where none is small, or all are, there is no more to find.
	q.some = "(SELECT bool_or(held) AND bool_or(k > 0 AND NOT held) FROM " + small + ")"
	for i, t := range tables {
		all := make([]string, len(p.Few))
		for j := range p.Few {
			all[j] = q.number(j, t.letter)
		}
		each[i] = "SELECT " + listed(dims, "f + j AS i", "n") + " FROM (SELECT " + listed(dims, t.first+" AS f", fmt.Sprintf("unnest(range(%d)) AS j", len(all)), "unnest(["+strings.Join(all, ", ")+"]) AS n") +
			" FROM " + t.from + " WHERE " + q.some + ")"
	}
	numbers := q.with(strings.Join(each, " UNION ALL "))
	initially := small
	if n > 1 {
		// Who asks for one of the dimensions alone finds some of its values
		// withheld: the groups of these would add up to them.
		held, joins := "s.held", ""
		for i, d := range dims {
			sums := q.with("SELECT " + d + ", i, sum(n) AS n FROM " + numbers + " GROUP BY " + d + ", i")
			whole := q.with(fmt.Sprintf("SELECT s.%s, s.k, coalesce(n.held, FALSE) AS held FROM (SELECT %s, sum(k) AS k FROM %s GROUP BY %s) AS s LEFT JOIN (SELECT %s, bool_or(n BETWEEN 1 AND %d) AS held FROM %s GROUP BY %s) AS n ON s.%s IS NOT DISTINCT FROM n.%s",
				d, d, small, d, d, p.MinRows-1, sums, d, d, d))
			line := q.line(q.dense(whole, sums, []string{d}), []string{d}, nil, []string{d})
			held += fmt.Sprintf(" OR coalesce(w%d.held, FALSE)", i)
			joins += fmt.Sprintf(" LEFT JOIN (SELECT DISTINCT %s, held FROM %s WHERE held) AS w%d ON w%d.%s IS NOT DISTINCT FROM s.%s", d, line, i, i, d, d)
		}
		initially = q.with("SELECT " + listed(qualified("s", dims), "s.k", "("+held+") AS held") + " FROM " + small + " AS s" + joins)
	}
	last := q.dense(initially, numbers, dims)
	rounds := n
	if n > 1 {
		rounds = 3 * n
	}
	for i := range rounds {
		last = q.line(last, dims, slices.Delete(slices.Clone(dims), i%n, i%n+1), dims)
	}
	conditions := []string{"h.held IS NULL"}
	for i := range dims {
		if n > 1 {
			conditions = append(conditions, "NOT ("+q.broken(last, slices.Delete(slices.Clone(dims), i, i+1))+")")
		}
	}
	out := slices.Concat(dims, numbered("a", len(p.Atoms)))
	if p.Previous != nil {
		out = append(out, numbered("p", len(p.Atoms))...)
	}
	held := "SELECT " + listed(dims, "held") + " FROM " + small + " WHERE held UNION SELECT " + listed(dims, "held") + " FROM " + last + " WHERE held"
	return "WITH " + strings.Join(q.ctes, ", ") + " SELECT " + strings.Join(qualified("u", out), ", ") + " FROM " + rows + " AS u LEFT JOIN (" + held +
		") AS h ON " + sameGroup("u", "h", dims) + " WHERE " + strings.Join(conditions, " AND ")
}

// smallTable has the atoms of the plan's Few, named by a letter. Its numbers of rows
// are counted from first on.
type smallTable struct{ from, letter, first string }

// tables are the groups themselves, and for each choice of filters that are left the
// rows that only the others leave out.
func (q *smallQuery) tables(rows string) []smallTable {
	p := q.c.p
	var list []smallTable
	next := 0
	add := func(letter string, where []predicate, prev *planPrevious) {
		list = append(list, smallTable{rows, letter, fmt.Sprint(next)})
		next += len(p.Few)
		filters := distinctFilters(where[p.Ruled:])
		if len(filters) == 0 {
			return
		}
		cells := q.with(q.cells(where[:p.Ruled:p.Ruled], filters, prev))
		var sums []string
		for _, a := range q.fewAtoms() {
			sums = append(sums, fmt.Sprintf("sum(a%d) AS a%d", a, a))
		}
		all := 1<<len(filters) - 1
		more := q.with(fmt.Sprintf("SELECT %s FROM %s, (SELECT unnest(range(%d)) AS t) WHERE passed <> %d AND passed & t = t%s",
			listed(q.dims, "t", strings.Join(sums, ", ")), cells, all, all, by(append(slices.Clone(q.dims), "t"))))
		list = append(list, smallTable{more, "a", fmt.Sprintf("%d + %d * t", next, len(p.Few))})
		next += all * len(p.Few)
	}
	add("a", p.Where, nil)
	if p.Previous != nil {
		add("p", p.Previous.Where, p.Previous)
	}
	return list
}

// number is the SQL of a number of rows.
func (q *smallQuery) number(i int, letter string) string {
	var parts []string
	for _, s := range q.c.p.Few[i] {
		parts = append(parts, fmt.Sprintf("%d * coalesce(%s%d, 0)", s.Times, letter, s.Atom))
	}
	return strings.Join(parts, " + ")
}

// fewAtoms are the atoms that Few is made of.
func (q *smallQuery) fewAtoms() []int {
	var atoms []int
	for _, number := range q.c.p.Few {
		for _, s := range number {
			if !slices.Contains(atoms, s.Atom) {
				atoms = append(atoms, s.Atom)
			}
		}
	}
	return atoms
}

// cells counts the rows of each group by the filters that they pass, as bits.
func (q *smallQuery) cells(rules, filters []predicate, prev *planPrevious) string {
	atoms := q.fewAtoms()
	p, c := *q.c.p, *q.c
	p.Atoms = nil
	for _, a := range atoms {
		p.Atoms = append(p.Atoms, q.c.p.Atoms[a])
	}
	c.p = &p
	s := c.scope(rules, prev)
	passed := func() string {
		bits := make([]string, len(filters))
		for i := range filters {
			bits[i] = fmt.Sprintf("CASE WHEN %s THEN %d ELSE 0 END", s.predicate(&filters[i]), 1<<i)
		}
		return strings.Join(bits, " + ")
	}
	ofBase := true
	for i := range filters {
		p.columnsOf(filters[i].Ref, func(r colRef) { ofBase = ofBase && r.Rel == 0 })
	}
	var g *groupedSelect
	bits := "s.x0"
	if keys, ok := s.stageKeys(); ok && ofBase {
		g = s.staged(keys, passed())
	} else {
		for i := range filters {
			p.columnsOf(filters[i].Ref, func(r colRef) {
				if r.Rel > 0 {
					s.joined[r.Rel] = true
				}
			})
		}
		g = s.direct()
		bits = passed()
	}
	var list []string
	for i, x := range g.dims {
		list = append(list, fmt.Sprintf("%s AS d%d", x, i))
	}
	list = append(list, bits+" AS passed")
	for i, x := range g.atoms {
		list = append(list, fmt.Sprintf("%s AS a%d", x, atoms[i]))
	}
	return "SELECT " + strings.Join(list, ", ") + g.from + groupBy(len(g.dims)+1)
}

// dense has a line for each group and each number that is small in any: sums of
// others are never small. It has none where there are no more groups to find.
func (q *smallQuery) dense(groups, numbers string, dims []string) string {
	return q.with("SELECT " + listed(qualified("g", dims), "g.k", "g.held", "x.i", "coalesce(n.n, 0) AS n") + " FROM " + groups + " AS g CROSS JOIN (SELECT DISTINCT i FROM " + numbers +
		fmt.Sprintf(" WHERE i = 0 OR n BETWEEN 1 AND %d) AS x LEFT JOIN ", q.c.p.MinRows-1) + numbers + " AS n ON " + sameGroup("g", "n", dims) + " AND x.i = n.i WHERE " + q.some)
}

// line adds to groups whether they are withheld, where those that are small
// already are. Within each combination of the dimensions along, the smallest go
// along until two are withheld of which no number is small.
func (q *smallQuery) line(from string, dims, along, tie []string) string {
	whole := "PARTITION BY " + listed(along, "i")
	over := whole + " ORDER BY held DESC, k, " + strings.Join(tie, ", ")
	so := " OVER (" + over + " ROWS UNBOUNDED PRECEDING)"
	few := fmt.Sprintf(" BETWEEN 1 AND %d", q.c.p.MinRows-1)
	summed := "SELECT *, bool_or(held) OVER (" + whole + ") AS any_held, row_number() OVER (" + over + ") >= greatest(2, sum(CAST(held AS INTEGER)) OVER (" + whole + ")) AND sum(CAST(k > 0 AS INTEGER))" + so +
		" <> 1 AND NOT (sum(n)" + so + few + ") AND NOT (coalesce(sum(n) FILTER (WHERE k > 0)" + so + ", 0)" + few + ") AS fine FROM " + from
	enough := "SELECT *, bool_and(fine) OVER (PARTITION BY " + strings.Join(dims, ", ") + ") AS enough FROM (" + summed + ")"
	return q.with("SELECT " + listed(dims, "k", "i", "n") + ", (held OR any_held AND NOT coalesce(bool_or(enough) OVER (" + over +
		" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), FALSE)) AS held FROM (" + enough + ")")
}

// broken tells whether a line of the dimensions along gives something away all the
// same: everything is withheld then.
func (q *smallQuery) broken(from string, along []string) string {
	few := fmt.Sprintf(" BETWEEN 1 AND %d", q.c.p.MinRows-1)
	return "SELECT coalesce(bool_or(bad), FALSE) FROM (SELECT (count(*) FILTER (WHERE held) = 1 OR count(*) FILTER (WHERE held AND k > 0) = 1 OR coalesce(sum(n) FILTER (WHERE held), 0)" + few +
		" OR coalesce(sum(n) FILTER (WHERE held AND k > 0), 0)" + few + ") AND count(*) FILTER (WHERE NOT held AND k > 0) > 0 AS bad FROM " + from + " GROUP BY " + listed(along, "i") + ")"
}

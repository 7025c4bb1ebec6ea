package warehouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxCells bounds what is looked at to find the groups that are withheld: cells, and
// groups of all questions by some of the dimensions.
const maxCells = 500_000

// Tables of a connection while it answers a question under a rule on groups.
const (
	cellsTable = "cells" // rows by group and by the conditions that they meet
	shownTable = "shown" // the groups, at last without those that are withheld
)

// withhold finds the groups that are not shown. Where there are any, the compiler
// joins the groups with those in shownTable.
//
// Errors: query.rows_withheld.
func (e *Engine) withhold(ctx context.Context, conn *connection, c *compiler) error {
	hidden := []*planDim{nil}
	if n := len(c.p.Small.Hidden); n > 0 {
		hidden = hidden[:0]
		for i := range n {
			hidden = append(hidden, &c.p.Small.Hidden[i])
		}
	}
	out := map[int32]bool{} // by the number of the group in shownTable
	for _, h := range hidden {
		if err := e.withholdBeside(ctx, conn, c, h, out); err != nil {
			return err
		}
	}
	if len(out) == 0 {
		return nil
	}
	c.withheld = true
	gone := make([]byte, slices.Max(slices.Collect(maps.Keys(out)))+1)
	for i := range gone {
		gone[i] = '0'
		if out[int32(i)] {
			gone[i] = '1'
		}
	}
	return conn.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE g < %d AND get_bit('%s'::BIT, CAST(least(g, %d) AS INTEGER)) = 1", shownTable, len(gone), gone, len(gone)-1))
}

// withholdBeside looks at the groups beside a hidden dimension, or none.
func (e *Engine) withholdBeside(ctx context.Context, conn *connection, c *compiler, hidden *planDim, out map[int32]bool) error {
	p := c.p
	dims, few := numbered("d", len(p.Dims)), numbered("f", len(p.Small.Few))
	current, marks := c.cells(0, nil, hidden)
	statement, digits := current, [][]digit{marks}
	if p.Previous != nil {
		previous, marks := c.cells(1, p.Previous, hidden)
		statement, digits = statement+" UNION ALL "+previous, append(digits, marks)
	}
	c.also = append(c.also, "CREATE OR REPLACE TEMP TABLE "+cellsTable+" AS "+statement)
	if err := conn.keep(ctx, cellsTable, statement); err != nil {
		return err
	}
	small := make([]string, len(few))
	for i, f := range few {
		small[i] = fmt.Sprintf("%s BETWEEN 1 AND %d", f, p.MinRows-1)
	}
	some := []ResultColumn{{Type: Integer}, {Type: Boolean}}
	if err := queryInto(ctx, conn, "SELECT count(*), coalesce(bool_or("+strings.Join(small, " OR ")+"), FALSE) FROM "+cellsTable, some); err != nil {
		return err
	}
	switch cells := some[0].Ints[0]; {
	case some[1].Ints[0] == 0:
		return nil
	case cells > maxCells:
		return tooManyCells(p, cells)
	}
	if !slices.Contains(conn.kept, shownTable) {
		columns := slices.Clone(dims)
		for i, d := range dims {
			columns = append(columns, fmt.Sprintf("dense_rank() OVER (ORDER BY %s) AS l%d", d, i))
		}
		groups := "(SELECT DISTINCT " + strings.Join(dims, ", ") + " FROM " + cellsTable + ")"
		if len(dims) == 0 {
			groups = "(SELECT 0)"
		}
		if err := conn.keep(ctx, shownTable, "SELECT "+listed(columns, "row_number() OVER () - 1 AS g")+" FROM "+groups); err != nil {
			return err
		}
	}
	w := newWithholding(int64(p.MinRows), len(p.Dims), 0, -1, digits)
	names := append([]string{"h.g", "c.span", "c.code"}, qualified("h", numbered("l", len(p.Dims)))...)
	if hidden != nil {
		w.hidden = 1
		w.within = slices.IndexFunc(p.Dims, func(d planDim) bool { return d.Ref == hidden.Ref && hidden.Grain != "" && !cyclic(hidden.Grain) })
		names = append(names, fmt.Sprintf("dense_rank() OVER (ORDER BY c.d%d)", len(p.Dims)))
	}
	at := len(names)
	names = append(names, qualified("c", few)...)
	columns := make([]ResultColumn, len(names))
	for i := range columns {
		columns[i].Type = Integer
	}
	if err := queryInto(ctx, conn, "SELECT "+strings.Join(names, ", ")+" FROM "+cellsTable+" AS c JOIN "+shownTable+" AS h ON "+sameGroup("c", "h", dims), columns); err != nil {
		return err
	}
	numbers := make([]int64, len(few))
	for row := range columns[0].Ints {
		place := make([]int32, 0, at-3)
		for i := 3; i < at; i++ {
			place = append(place, int32(columns[i].Ints[row]))
		}
		for i := range numbers {
			numbers[i] = columns[at+i].Ints[row]
		}
		w.add(int32(columns[0].Ints[row]), place, cellKey{columns[1].Ints[row], columns[2].Ints[row]}, numbers)
	}
	if !w.decide(ctx, out) {
		return tooManyCells(p, some[0].Ints[0])
	}
	return ctx.Err()
}

func tooManyCells(p *plan, groups int64) error {
	return ErrRowsWithheld.With("This can't be shown to you with so many groups: groups of fewer than %d rows of %q are withheld, and %d groups, with what filters leave out of them, would have to be looked at. Group more coarsely, or leave a filter or measure out.",
		p.MinRows, p.dataset.Name, groups)
}

// listed lists columns after some dimensions.
func listed(dims []string, more ...string) string {
	return strings.Join(append(append([]string(nil), dims...), more...), ", ")
}

// cells is the SELECT of the rows of a span by group and by the conditions that they meet:
// span, d0… of the plan's dimensions and the hidden one, code, which holds a digit for each
// condition, and the plan's Few as f0….
func (c *compiler) cells(span int, prev *planPrevious, hidden *planDim) (sql string, digits []digit) {
	p, own := *c.p, *c
	p.Atoms = p.Small.Counts
	if hidden != nil {
		p.Dims = append(slices.Clone(p.Dims), *hidden)
	}
	own.p = &p
	s := own.scope(p.Where[:p.Ruled:p.Ruled], prev)
	s.tried = true
	where := p.Where[p.Ruled:]
	if prev != nil {
		where = prev.Where[p.Ruled:]
	}
	if p.Previous != nil && !slices.ContainsFunc(c.p.Dims, func(d planDim) bool { return d.Ref == p.Previous.Ref }) {
		// Another question may leave out what is in neither span.
		where = slices.Concat(p.Where[p.Ruled:], p.Previous.Where[p.Ruled:])
	}
	var marks []mark
	for _, f := range distinctFilters(where) {
		marks = append(marks, mark{Pred: &f, Of: valuesOf(&f)})
	}
	marks = append(marks, p.Small.Marks...)
	weight := int64(1)
	for i := range marks {
		m := &marks[i]
		d := digit{weight: weight, states: 3, groups: m.Groups, values: hidden != nil && m.Of != nil && m.Of.same(hidden)}
		digits = append(digits, d)
		weight *= d.states
	}
	code := func() string {
		parts := []string{"0"}
		for i := range marks {
			holds, none := "", ""
			if m := &marks[i]; m.Pred != nil {
				holds, none = s.predicate(m.Pred), s.col(m.Pred.Ref)+" IS NULL"
			} else {
				x := s.col(*m.Ref)
				holds, none = x, x+" IS NULL"
			}
			w := digits[i].weight
			parts = append(parts, fmt.Sprintf("CASE WHEN %s THEN %d WHEN %s THEN 0 ELSE %d END", none, 2*w, "NOT coalesce("+holds+", FALSE)", w))
		}
		return "CAST(" + strings.Join(parts, " + ") + " AS BIGINT)"
	}
	used := func(visit func(colRef)) {
		for i := range marks {
			if m := &marks[i]; m.Pred != nil {
				p.columnsOf(m.Pred.Ref, visit)
			} else {
				p.columnsOf(*m.Ref, visit)
			}
		}
	}
	ofBase := true
	used(func(r colRef) { ofBase = ofBase && r.Rel == 0 })
	var g *groupedSelect
	coded := "s.x0"
	if keys, ok := s.stageKeys(); ok && ofBase {
		g = s.staged(keys, code())
	} else {
		used(func(r colRef) {
			if r.Rel > 0 {
				s.joined[r.Rel] = true
			}
		})
		g = s.direct()
		coded = code()
	}
	columns := []string{fmt.Sprintf("%d AS span", span)}
	for i, x := range g.dims {
		columns = append(columns, fmt.Sprintf("%s AS d%d", x, i))
	}
	columns = append(columns, coded+" AS code")
	for i, number := range p.Small.Few {
		parts := make([]string, len(number))
		for j, n := range number {
			parts[j] = fmt.Sprintf("%d * (%s)", n.Times, g.atoms[n.Atom])
		}
		columns = append(columns, fmt.Sprintf("CAST(%s AS BIGINT) AS f%d", strings.Join(parts, " + "), i))
	}
	by := make([]string, len(g.dims)+1)
	for i := range by {
		by[i] = fmt.Sprint(i + 2)
	}
	return "SELECT " + strings.Join(columns, ", ") + g.from + " GROUP BY " + strings.Join(by, ", "), digits
}

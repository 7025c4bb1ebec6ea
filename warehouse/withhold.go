package warehouse

import (
	"context"
	"fmt"
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
	p := c.p
	n := len(p.Dims) + len(p.Small.Hidden)
	dims, few := numbered("d", n), numbered("f", len(p.Small.Few))
	current, marks := c.cells(0, p.Where, nil)
	statement, digits := current, [][]digit{marks}
	if p.Previous != nil {
		previous, marks := c.cells(1, p.Previous.Where, p.Previous)
		statement, digits = statement+" UNION ALL "+previous, append(digits, marks)
	}
	c.also = append(c.also, "CREATE TEMP TABLE "+cellsTable+" AS "+statement)
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
	if some[1].Ints[0] == 0 {
		return nil
	}
	if cells := some[0].Ints[0]; cells > maxCells || cells<<n > 8*maxCells {
		return ErrRowsWithheld.With("This can't be shown to you with so many groups: groups of fewer than %d rows of %q are withheld, and %d groups, with what filters leave out of them, would have to be looked at. Group more coarsely, or leave a filter or measure out.",
			p.MinRows, p.dataset.Name, cells)
	}
	c.withheld = true
	if n == 0 {
		return conn.keep(ctx, shownTable, "SELECT 0 AS g WHERE FALSE")
	}
	lines := make([]string, n)
	for i, d := range dims {
		lines[i] = fmt.Sprintf("dense_rank() OVER (ORDER BY %s) AS l%d", d, i)
	}
	if err := conn.keep(ctx, shownTable, "SELECT "+listed(dims, append(lines, "row_number() OVER () - 1 AS g")...)+" FROM (SELECT DISTINCT "+strings.Join(dims, ", ")+" FROM "+cellsTable+")"); err != nil {
		return err
	}
	columns := make([]ResultColumn, 3+n+len(few))
	for i := range columns {
		columns[i].Type = Integer
	}
	named := append([]string{"h.g", "c.span", "c.code"}, qualified("h", numbered("l", n))...)
	if err := queryInto(ctx, conn, "SELECT "+strings.Join(append(named, qualified("c", few)...), ", ")+" FROM "+cellsTable+" AS c JOIN "+shownTable+" AS h ON "+sameGroup("c", "h", dims), columns); err != nil {
		return err
	}
	w := newWithholding(int64(p.MinRows), len(p.Dims), len(p.Small.Hidden), digits)
	for row := range columns[0].Ints {
		at := make([]int32, n)
		for i := range at {
			at[i] = int32(columns[3+i].Ints[row])
		}
		numbers := make([]int64, len(few))
		for i := range numbers {
			numbers[i] = columns[3+n+i].Ints[row]
		}
		w.add(int(columns[0].Ints[row]), at, cellKey{columns[1].Ints[row], columns[2].Ints[row]}, numbers)
	}
	var gone strings.Builder
	for _, held := range w.decide() {
		if held {
			gone.WriteByte('1')
		} else {
			gone.WriteByte('0')
		}
	}
	return conn.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE get_bit('%s'::BIT, CAST(g AS INTEGER)) = 1", shownTable, gone.String()))
}

// listed lists columns after some dimensions.
func listed(dims []string, more ...string) string {
	return strings.Join(append(append([]string(nil), dims...), more...), ", ")
}

// cells is the SELECT of the rows by group and by the conditions that they meet: span,
// d0… of the plan's dimensions and hidden ones, code, which holds a digit for each
// condition, and the plan's Few as f0….
func (c *compiler) cells(span int, where []predicate, prev *planPrevious) (sql string, digits []digit) {
	p, own := *c.p, *c
	p.Atoms = p.Small.Counts
	p.Dims = slices.Concat(p.Dims, p.Small.Hidden)
	own.p = &p
	s := own.scope(where[:p.Ruled:p.Ruled], prev)
	s.tried = true
	var marks []mark
	for _, f := range distinctFilters(where[p.Ruled:]) {
		marks = append(marks, mark{Pred: &f})
	}
	marks = append(marks, p.Small.Marks...)
	weight := int64(1)
	for i := range marks {
		d := digit{weight: weight, states: 2, values: p.Small.hides(marks[i].Pred)}
		if marks[i].Pred == nil {
			d.states = 3
		}
		digits = append(digits, d)
		weight *= d.states
	}
	code := func() string {
		parts := []string{"0"}
		for i := range marks {
			if m := &marks[i]; m.Pred != nil {
				parts = append(parts, fmt.Sprintf("CASE WHEN %s THEN %d ELSE 0 END", s.predicate(m.Pred), digits[i].weight))
				continue
			}
			x := s.col(*marks[i].Ref)
			parts = append(parts, fmt.Sprintf("CASE WHEN %s THEN %d WHEN NOT %s THEN 0 ELSE %d END", x, digits[i].weight, x, 2*digits[i].weight))
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

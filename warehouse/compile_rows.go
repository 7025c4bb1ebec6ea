package warehouse

import (
	"fmt"
	"strings"
)

// plainRows is the statement for plain rows. extra are further filters, with
// which a walk over segments narrows what is read.
//
// Ties are broken by all shown columns, so that pages do not depend on how
// segments are laid out: rows that still tie look the same.
func (c *compiler) plainRows(extra []predicate) string {
	p := c.p
	where := append(append([]predicate(nil), p.Where...), extra...)
	s := c.scope(where, nil)
	s.joinNeeded()
	var output, columns, keys []string
	for i, r := range p.Rows {
		columns = append(columns, fmt.Sprintf("%s AS d%d", s.col(r.Ref), i))
		if !r.Hidden {
			output = append(output, fmt.Sprintf("d%d", i))
		}
	}
	used := map[int]bool{}
	for _, o := range p.Order {
		dir := ""
		if o.Desc {
			dir = " DESC"
		}
		used[o.Dim] = true
		keys = append(keys, fmt.Sprintf("d%d%s NULLS LAST", o.Dim, dir))
	}
	if len(p.Order) > 0 {
		for i, r := range p.Rows {
			if !used[i] && !r.Hidden {
				keys = append(keys, fmt.Sprintf("d%d NULLS LAST", i))
			}
		}
	}
	sql := "SELECT " + strings.Join(output, ", ") + " FROM (SELECT " + strings.Join(columns, ", ") + s.from() + ") AS r" + orderSQL(keys)
	sql += fmt.Sprintf(" LIMIT %d", min(p.Limit, c.maxRows)+1)
	if p.Offset > 0 {
		sql += fmt.Sprintf(" OFFSET %d", p.Offset)
	}
	return sql
}

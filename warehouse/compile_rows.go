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
	var output, keys []string
	names := make([]string, len(p.Rows)) // to order by
	for i, r := range p.Rows {
		names[i] = s.col(r.Ref)
		if !r.Hidden {
			output = append(output, fmt.Sprintf("%s AS d%d", names[i], i))
			names[i] = fmt.Sprintf("d%d", i)
		}
	}
	used := map[int]bool{}
	for _, o := range p.Order {
		dir := ""
		if o.Desc {
			dir = " DESC"
		}
		used[o.Dim] = true
		keys = append(keys, names[o.Dim]+dir+" NULLS LAST")
	}
	if len(p.Order) > 0 {
		for i, r := range p.Rows {
			if !used[i] && !r.Hidden {
				keys = append(keys, names[i]+" NULLS LAST")
			}
		}
	}
	sql := "SELECT " + strings.Join(output, ", ") + s.from() + orderSQL(keys)
	return sql + c.limitSQL()
}

// limitSQL asks for one row more than the answer shows, to know whether it was
// cut. A whole answer has what the plan says, and no limit where it says none.
func (c *compiler) limitSQL() string {
	sql := ""
	switch {
	case !c.whole:
		sql = fmt.Sprintf(" LIMIT %d", min(c.p.Limit, c.maxRows)+1)
	case c.p.Limit > 0:
		sql = fmt.Sprintf(" LIMIT %d", c.p.Limit)
	}
	if c.p.Offset > 0 {
		sql += fmt.Sprintf(" OFFSET %d", c.p.Offset)
	}
	return sql
}

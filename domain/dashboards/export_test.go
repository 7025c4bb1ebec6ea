package dashboards

import "context"

// InParts asks anew, for so few rows at a time.
func (c *Rows) InParts(ctx context.Context, rows int) (err error) {
	c.step, c.plan.main.Limit = rows, rows
	c.head, err = c.svc.ask(ctx, c.view, c.plan, c.plan.main)
	return err
}

// BreakJoined makes every question that widgets ask together a wrong one, and
// answers how many widgets' questions those are.
func (v *View) BreakJoined() (asked int) {
	for _, j := range v.together {
		asked += j.asked
		j.spec.Measures[0].Column = "gone"
	}
	return asked
}

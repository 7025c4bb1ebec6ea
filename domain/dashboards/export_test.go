package dashboards

// Stream has few rows read as many are.
func (c *Rows) Stream() { c.streamed = true }

// BreakJoined makes every question that widgets ask together a wrong one, and
// answers how many widgets' questions those are.
func (v *View) BreakJoined() (asked int) {
	for _, j := range v.together {
		asked += j.asked
		j.spec.Measures[0].Column = "gone"
	}
	return asked
}

// TabletPlaces are the places of all widgets on a tablet.
func (c *Config) TabletPlaces() map[string]Layout { return c.tabletPlaces(c.places("")) }

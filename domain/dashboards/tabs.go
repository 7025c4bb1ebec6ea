package dashboards

import (
	"math"
	"slices"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/domain/charts"
)

// Tab is one page of a dashboard that has several.
type Tab struct {
	Title    string `json:"title"`
	Position int    `json:"position,omitempty"` // from left to right; equal ones by id
}

// MaxTabs is how many tabs a dashboard can have.
const MaxTabs = 20

// AllTabs in a link shows all tabs, one below the other, and all sections
// open: for paper.
const AllTabs = "*"

func (c *Config) validateTabs() error {
	if len(c.Tabs) > MaxTabs {
		return ErrConfig.With("A dashboard has at most %d tabs, this one has %d.", MaxTabs, len(c.Tabs))
	}
	for _, id := range sortedKeys(c.Tabs) {
		if !idPattern.MatchString(id) {
			return ErrConfig.With("%q can't be the id of a tab.", id)
		}
		if title := c.Tabs[id].Title; !shortText(title, 60) || !utf8.ValidString(title) {
			return ErrConfig.With("The title of tab %q has to have 1 to 60 characters.", id)
		}
	}
	return nil
}

// TabOrder is the ids of the tabs from left to right.
func (c *Config) TabOrder() []string {
	order := sortedKeys(c.Tabs)
	slices.SortStableFunc(order, func(a, b string) int { return c.Tabs[a].Position - c.Tabs[b].Position })
	return order
}

// tabsOrNone is TabOrder, or one tab without a name where there is none.
func (c *Config) tabsOrNone() []string {
	if order := c.TabOrder(); len(order) > 0 {
		return order
	}
	return []string{""}
}

// TabOf is the tab that a widget stands on; "" where there are no tabs.
func (c *Config) TabOf(widget string) string {
	tab := c.Widgets[widget].Tab
	if _, has := c.Tabs[tab]; has {
		return tab
	}
	return c.tabsOrNone()[0]
}

// tab is the tab of a link, or the first one.
func (c *Config) tab(wanted string) string {
	if _, has := c.Tabs[wanted]; has {
		return wanted
	}
	return c.tabsOrNone()[0]
}

// places are the places of the widgets of one tab.
func (c *Config) places(tab string) map[string]Layout {
	places := map[string]Layout{}
	first := c.tabsOrNone()[0]
	for id, w := range c.Widgets {
		on := first
		if _, has := c.Tabs[w.Tab]; has {
			on = w.Tab
		}
		if on == tab {
			places[id] = w.Layout
		}
	}
	return places
}

// Front is the config with the widgets of its first tab only: what a picture of
// the dashboard shows.
func (c *Config) Front() Config { return c.On(c.tabsOrNone()[0]) }

// On is the config with the widgets of one tab only.
func (c *Config) On(tab string) Config {
	one := *c
	one.Widgets = map[string]Widget{}
	for id := range c.places(tab) {
		one.Widgets[id] = c.Widgets[id]
	}
	return one
}

// tabFor is the tab that an act is about.
func (c *Config) tabFor(a *Act) string {
	switch {
	case a.Widget != "":
		return c.TabOf(a.Widget)
	case len(a.Widgets) > 0:
		return c.TabOf(a.Widgets[0])
	}
	return c.tab(a.Tab)
}

// onlyTab leaves the widgets of one tab in the config, so that whatever looks
// for room looks there. The function it gives brings the others back, and puts
// what was added onto the tab.
func (c *Config) onlyTab(tab string) (join func()) {
	if len(c.Tabs) == 0 {
		return func() {}
	}
	all, here := c.Widgets, c.places(tab)
	c.Widgets = map[string]Widget{}
	for id := range here {
		c.Widgets[id] = all[id]
	}
	return func() {
		for id, w := range c.Widgets {
			if _, had := here[id]; !had {
				w.Tab = tab
				c.Widgets[id] = w
			}
		}
		for id, w := range all {
			if _, was := here[id]; !was {
				c.Widgets[id] = w
			}
		}
	}
}

// TabView is one tab as a viewer sees it.
type TabView struct {
	ID      string
	Title   string
	Current bool
	State   State // of the page on that tab
}

// SectionView is a section on a page.
type SectionView struct {
	Closed bool
	State  State // of the page with the section the other way round
}

// WithTab opens a tab.
func (s State) WithTab(tab string) State {
	c := s.clone()
	c.Tab = tab
	return c
}

// WithSection opens a section that is closed, and the other way round.
func (s State) WithSection(id string) State {
	c := s.clone()
	if at := slices.Index(c.Toggled, id); at >= 0 {
		c.Toggled = slices.Delete(c.Toggled, at, at+1)
	} else {
		c.Toggled = append(c.Toggled, id)
		slices.Sort(c.Toggled)
	}
	return c
}

// Place is the part of the choices that says what of the dashboard is shown,
// and filters nothing.
func (s State) Place() State { return State{Tab: s.Tab, Toggled: s.Toggled} }

// lay decides which widgets the page shows and where: those of the open tab
// without what lies in closed sections. What is below a closed section moves
// up. It changes the config of the view.
func (v *View) lay() {
	c := &v.Dashboard.Config
	all, open := v.State.Tab == AllTabs && !v.Draft, c.tab(v.State.Tab)
	for _, id := range c.TabOrder() {
		v.Tabs = append(v.Tabs, TabView{ID: id, Title: c.Tabs[id].Title, Current: id == open && !all, State: v.State.WithTab(id)})
	}
	v.all = all
	if all {
		c.flatten()
	}
	shown := c.places(c.tab(open))
	tablet, phone := c.tabletPlaces(shown), c.phonePlaces(shown)
	v.hidden, v.places = map[string]bool{}, map[string]Places{}
	for id := range c.Widgets {
		if _, on := shown[id]; !on {
			v.hidden[id] = true
		}
	}
	for _, id := range c.fold(shown, v.closed) {
		v.hidden[id] = true
	}
	c.fold(tablet, v.closed)
	for id, place := range shown {
		w := c.Widgets[id]
		w.Layout = place
		c.Widgets[id] = w
		v.places[id] = Places{Tablet: placeOf(tablet, id), Phone: placeOf(phone, id)}
	}
}

// closed tells whether a section is shown without what lies in it. In the
// editor all of them are open.
func (v *View) closed(section string) bool {
	return !v.Draft && !v.all && v.Dashboard.Config.Widgets[section].Collapsed != slices.Contains(v.State.Toggled, section)
}

// flatten puts all tabs below each other, each under its title.
func (c *Config) flatten() {
	base := 0
	for _, tab := range c.TabOrder() {
		places := c.places(tab)
		bottom := base + 1
		for id := range places {
			w := c.Widgets[id]
			w.Layout.Y += base + 1
			bottom = max(bottom, w.Layout.Y+w.Layout.H)
			c.Widgets[id] = w
		}
		heading := Widget{Title: c.Tabs[tab].Title, Layout: Layout{Y: base, W: GridColumns, H: 1}, Tab: tab}
		heading.Type = charts.Section
		id := "tab-" + tab
		if _, taken := c.Widgets[id]; taken || !idPattern.MatchString(id) {
			id = c.newWidgetID()
		}
		c.Widgets[id] = heading
		base = bottom
	}
	c.Tabs = nil
}

// fold takes what lies in closed sections out of places and moves up what is
// below. A section reaches down to the next one.
func (c *Config) fold(places map[string]Layout, closed func(string) bool) (gone []string) {
	var sections []string
	for id := range places {
		if c.Widgets[id].Type == charts.Section {
			sections = append(sections, id)
		}
	}
	slices.SortFunc(sections, func(a, b string) int { return places[a].Y - places[b].Y })
	order := readingOrder(places)
	up := 0
	moves := map[string]int{}
	for i, section := range sections {
		top, bottom := places[section].Y+places[section].H, math.MaxInt
		if i+1 < len(sections) {
			bottom = places[sections[i+1]].Y
		}
		shut := closed(section)
		moves[section] = up
		for _, id := range order {
			if y := places[id].Y; y < top || y >= bottom || id == section {
				continue
			}
			if shut {
				gone = append(gone, id)
			} else {
				moves[id] = up
			}
		}
		if shut && bottom != math.MaxInt {
			up += bottom - top
		}
	}
	for _, id := range gone {
		delete(places, id)
	}
	for id, by := range moves {
		place := places[id]
		place.Y -= by
		places[id] = place
	}
	return gone
}

// placeOf is a value of a map; nil where there is none.
func placeOf[V any](m map[string]V, id string) *V {
	if v, has := m[id]; has {
		return &v
	}
	return nil
}

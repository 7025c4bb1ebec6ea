package dashboards

import (
	"crypto/rand"
	"encoding/base32"
	"sort"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
)

// newID is an id for a widget or filter: short, since links name widgets by it.
func newID(taken func(string) bool) string {
	for {
		var raw [5]byte
		_, _ = rand.Read(raw[:]) // never fails
		if id := strings.ToLower(base32.StdEncoding.EncodeToString(raw[:])); !taken(id) {
			return id
		}
	}
}

func (c *Config) newWidgetID() string {
	return newID(func(id string) bool { _, has := c.Widgets[id]; return has })
}

func (c *Config) newControlID() string {
	return newID(func(id string) bool { _, has := c.Filters[id]; return has })
}

func (l Layout) overlaps(o Layout) bool {
	return l.X < o.X+o.W && o.X < l.X+l.W && l.Y < o.Y+o.H && o.Y < l.Y+l.H
}

// freePlace is the first place from the top that a widget of the size fits
// into, from row top on; below everything when there is no gap.
func (c *Config) freePlace(w, h, top int) Layout {
	w = min(max(w, 1), GridColumns)
	bottom := c.bottom()
	for y := top; y < bottom; y++ {
		for x := 0; x+w <= GridColumns; x++ {
			place := Layout{X: x, Y: y, W: w, H: h}
			free := true
			for _, one := range c.Widgets {
				if one.Layout.overlaps(place) {
					free = false
					break
				}
			}
			if free {
				return place
			}
		}
	}
	return Layout{Y: max(bottom, top), W: w, H: h}
}

// bottom is the row below the lowest widget.
func (c *Config) bottom() int {
	bottom := 0
	for _, one := range c.Widgets {
		bottom = max(bottom, one.Layout.Y+one.Layout.H)
	}
	return bottom
}

// place puts a widget of a type where it was dropped, or at the first free
// place without a drop.
func (c *Config) place(t charts.Type, at *Layout) Layout {
	size, smallest := t.DefaultSize(), t.SmallestSize()
	if size.W == 0 {
		size = charts.Size{W: 4, H: 6}
	}
	if at == nil {
		return c.freePlace(size.W, size.H, 0)
	}
	l := *at
	if l.W <= 0 {
		l.W = size.W
	}
	if l.H <= 0 {
		l.H = size.H
	}
	l.W, l.H = min(max(l.W, smallest.W), GridColumns), min(max(l.H, smallest.H), 200)
	l.X = min(max(l.X, 0), GridColumns-l.W)
	l.Y = min(max(l.Y, 0), maxRows)
	return l
}

// makeRoom moves down what a widget lies on, and what that lies on then; what is
// locked only when it has to.
func (c *Config) makeRoom(fixed string) {
	order := sortedKeys(c.Widgets)
	sort.SliceStable(order, func(i, j int) bool {
		if (order[i] == fixed) != (order[j] == fixed) {
			return order[i] == fixed
		}
		a, b := c.Widgets[order[i]], c.Widgets[order[j]]
		if a.Locked != b.Locked {
			return a.Locked
		}
		return a.Layout.Y < b.Layout.Y
	})
	for i, id := range order {
		w := c.Widgets[id]
		for moved := i > 0; moved; {
			moved = false
			for _, above := range order[:i] {
				if o := c.Widgets[above].Layout; o.overlaps(w.Layout) {
					w.Layout.Y, moved = o.Y+o.H, true
				}
			}
		}
		c.Widgets[id] = w
	}
}

// settle moves down what lies on a widget that is read before it.
func (c *Config) settle() {
	for _, tab := range c.tabsOrNone() {
		for id, place := range settle(c.places(tab)) {
			if w := c.Widgets[id]; w.Layout != place {
				w.Layout = place
				c.Widgets[id] = w
			}
		}
	}
}

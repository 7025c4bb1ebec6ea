package dashboards

import (
	"math"
	"slices"
	"sort"

	"github.com/dataflowhq/dataflow/domain/charts"
)

// Places are where a widget stands on narrower screens; on a phone nil where it
// finds its place by itself. static/src/editor/layout.ts computes the same.
type Places struct {
	Tablet *Layout
	Phone  *PhonePlace
}

// PhonePlace is a place in the one column of a phone.
type PhonePlace struct {
	Order  int
	H      int // in rows
	Hidden bool
	Half   bool // shares the width with another figure
}

// readingOrder is Config.Order of places.
func readingOrder(places map[string]Layout) []string {
	order := sortedKeys(places)
	sort.SliceStable(order, func(i, j int) bool { return places[order[i]].Y < places[order[j]].Y })
	for start := 0; start < len(order); {
		end, bottom := start, places[order[start]].Y+places[order[start]].H
		for end < len(order) && places[order[end]].Y < bottom {
			bottom = max(bottom, places[order[end]].Y+places[order[end]].H)
			end++
		}
		band := order[start:end]
		sort.SliceStable(band, func(i, j int) bool {
			a, b := places[band[i]], places[band[j]]
			if a.X != b.X {
				return a.X < b.X
			}
			return a.Y < b.Y
		})
		start = end
	}
	return order
}

// settle moves down what lies on something that is read before it.
func settle(places map[string]Layout) map[string]Layout {
	placed := make(map[string]Layout, len(places))
	for _, id := range readingOrder(places) {
		place := places[id]
		for moved := true; moved; {
			moved = false
			for _, other := range placed {
				if other.overlaps(place) {
					place.Y, moved = other.Y+other.H, true
				}
			}
		}
		placed[id] = place
	}
	return placed
}

// tabletPlaces are places on the 6 columns of a tablet: where somebody put a
// widget, and below that the others in reading order. Small figures share a row
// by twos and threes, what takes up to a third of a desktop's width stands two
// to a row with something as tall, the rest takes all of it; so no row has a
// hole.
func (c *Config) tabletPlaces(desktop map[string]Layout) map[string]Layout {
	own := map[string]Layout{}
	var rest []string
	for _, id := range readingOrder(desktop) {
		if place := c.Widgets[id].Layouts.Tablet; place != nil {
			own[id] = *place
		} else {
			rest = append(rest, id)
		}
	}
	placed := settle(own)
	y := 0
	for _, place := range placed {
		y = max(y, place.Y+place.H)
	}
	for len(rest) > 0 {
		row := rest[:tabletRow(rest, desktop)]
		rest = rest[len(row):]
		w, h := TabletColumns/len(row), 0
		for _, id := range row {
			h = max(h, desktop[id].H)
		}
		for i, id := range row {
			placed[id] = Layout{X: i * w, Y: y, W: w, H: h}
		}
		y += h
	}
	return placed
}

// tabletRow is how many of the widgets share the first row of a tablet.
func tabletRow(order []string, desktop map[string]Layout) int {
	figures := 0
	for figures < len(order) && desktop[order[figures]].W <= 3 && desktop[order[figures]].H <= 4 {
		figures++
	}
	switch {
	case figures == 2 || figures == 4:
		return 2
	case figures > 0:
		return min(figures, 3)
	case len(order) == 1:
		return 1
	}
	a, b := desktop[order[0]], desktop[order[1]]
	if a.W <= 4 && b.W <= 4 && 2*min(a.H, b.H) > max(a.H, b.H) {
		return 2
	}
	return 1
}

// phonePlaces are places on a phone; nil where nobody chose any.
func (c *Config) phonePlaces(desktop map[string]Layout) map[string]PhonePlace {
	chosen := false
	order := readingOrder(desktop)
	last := func(id string) (hidden bool, y int) {
		p := c.Widgets[id].Layouts.Phone
		switch {
		case p == nil || p.Y == nil:
			return p != nil && p.Hidden, math.MaxInt
		default:
			return p.Hidden, *p.Y
		}
	}
	for _, id := range order {
		chosen = chosen || c.Widgets[id].Layouts.Phone != nil
	}
	if !chosen {
		return nil
	}
	slices.SortStableFunc(order, func(a, b string) int {
		hiddenA, yA := last(a)
		hiddenB, yB := last(b)
		switch {
		case hiddenA != hiddenB && hiddenB:
			return -1
		case hiddenA != hiddenB:
			return 1
		case yA < yB:
			return -1
		case yA > yB:
			return 1
		}
		return 0
	})
	places := map[string]PhonePlace{}
	figures := 0
	for i, id := range order {
		w := c.Widgets[id]
		place := PhonePlace{Order: i, H: desktop[id].H}
		if p := w.Layouts.Phone; p != nil {
			place.Hidden = p.Hidden
			if p.H > 0 {
				place.H = p.H
			}
		}
		if w.Type == charts.KPI && !place.Hidden {
			figures++
			place.Half = figures > 1
		}
		places[id] = place
	}
	return places
}

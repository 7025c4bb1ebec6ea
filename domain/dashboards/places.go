package dashboards

import (
	"math"
	"slices"
	"sort"

	"github.com/dataflowhq/dataflow/domain/charts"
)

// Places are where a widget stands on narrower screens; nil where it finds its
// place by itself. static/src/editor/layout.ts computes the same.
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

// tabletPlaces are places on the 6 columns of a tablet; nil where nobody put
// any widget there: then all follow one another, twice as wide.
func (c *Config) tabletPlaces(desktop map[string]Layout) map[string]Layout {
	own := map[string]Layout{}
	for id := range desktop {
		if place := c.Widgets[id].Layouts.Tablet; place != nil {
			own[id] = *place
		}
	}
	if len(own) == 0 {
		return nil
	}
	placed := settle(own)
	var x, y int
	for _, place := range placed {
		y = max(y, place.Y+place.H)
	}
	free := func(place Layout) bool {
		for _, other := range placed {
			if other.overlaps(place) {
				return false
			}
		}
		return true
	}
	for _, id := range readingOrder(desktop) {
		if _, has := placed[id]; has {
			continue
		}
		place := Layout{X: x, Y: y, W: min(2*desktop[id].W, TabletColumns), H: desktop[id].H}
		for place.X+place.W > TabletColumns || !free(place) {
			if place.X+place.W >= TabletColumns {
				place.X, place.Y = 0, place.Y+1
			} else {
				place.X++
			}
		}
		placed[id] = place
		x, y = place.X+place.W, place.Y
	}
	return placed
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

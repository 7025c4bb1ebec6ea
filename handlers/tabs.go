package handlers

import (
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/views"
)

// stubsOf are the places of widgets that the page does not show: those before
// each of its tiles, and at the end those after the last one.
func stubsOf(v *dashboards.View) [][]*fragment {
	stubs := make([][]*fragment, len(v.Tiles)+1)
	n := 0
	for _, id := range v.Dashboard.Config.Order() {
		switch {
		case n < len(v.Tiles) && v.Tiles[n].ID == id:
			n++
		case v.Hides(id):
			stubs[n] = append(stubs[n], newStored(views.TileStub(id)))
		}
	}
	return stubs
}

// closing takes the widgets off the page that it shows and shall no longer
// show. The editor takes them off its canvas itself.
func closing(v *dashboards.View, have map[string]string) []*fragment {
	var list []*fragment
	for id, key := range have {
		if v.Hides(id) && key != views.StubKey && !v.Draft {
			list = append(list, newStored(views.TileOpen(id)+views.TileStub(id)+views.TileClose))
		}
	}
	return list
}

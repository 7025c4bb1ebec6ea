package views

import (
	"fmt"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/views/ui"
)

// Ids of what answers replace.
const (
	DashboardTabsID  = "dash-tabs"
	dashboardEmptyID = "dash-empty"
)

// TileStub holds the place of a widget that the page does not show: of another
// tab, or in a closed section. When it is shown, its tile takes the place.
func TileStub(widget string) string {
	return `<i id="` + DashboardTileID(widget) + `" hidden data-widget="` + widget + `" data-key="` + StubKey + `"></i>`
}

// StubKey is the key of all stubs.
const StubKey = "-"

// tallKPI is how many rows a figure stands in the middle of.
const tallKPI = 5

func tileClass(t *dashboards.Tile) string {
	class := "w"
	switch t.Type {
	case charts.KPI:
		class = "w w-kpi"
		if t.Layout.H >= tallKPI {
			class += " w-tall"
		}
	case charts.Text, charts.Image:
		class = "w w-plain"
	case charts.Divider:
		class = "w w-bare"
	case charts.Section:
		class = "w w-bare w-section"
	case charts.Control:
		class = "w w-control"
	}
	if p := t.Places.Phone; p != nil {
		class += " w-phone"
		if p.Hidden {
			class += " w-phone-off"
		}
		if p.Half {
			class += " w-phone-half"
		}
	}
	return class
}

// tileStyle is layoutStyle with the places on narrower screens that somebody
// chose.
func tileStyle(t *dashboards.Tile) string {
	style := layoutStyle(t.Layout)
	if l := t.Places.Tablet; l != nil {
		style += fmt.Sprintf(";--tx:%d;--ty:%d;--tw:%d;--th:%d", l.X+1, l.Y+1, l.W, l.H)
	}
	if p := t.Places.Phone; p != nil {
		style += fmt.Sprintf(";--py:%d;--ph:%d", p.Order, p.H)
	}
	return style
}

func (p TileProps) sectionHref() string {
	return withQuery(PathView(p.Tile.Dashboard.String(), p.Tile.Draft), p.Tile.Section.State.Encode())
}

func tabItemID(tab string) string { return "tab-" + tab }

// tabOptions are the tabs that a widget can stand on; the value is what the
// config has.
func (p InspectorProps) tabOptions() []ui.Option {
	c := &p.Dashboard.View.Dashboard.Config
	var list []ui.Option
	for _, id := range c.TabOrder() {
		list = append(list, ui.Option{Value: id, Label: c.Tabs[id].Title, Selected: c.TabOf(p.Widget.ID) == id})
	}
	return list
}

func (p InspectorProps) offPhone() bool {
	phone := p.Widget.Widget.Layouts.Phone
	return phone != nil && phone.Hidden
}

// tabWords are texts of the tabs' script.
var tabWords = []string{"tab_open", "tab_new", "tab_most", "tab_removed", "tab_removed_with", "tab_removed_with_one", "tab_name", "tab_place", "tab_carried", "tab_carried_one"}

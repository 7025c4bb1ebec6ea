package views

import (
	"net/url"
	"strconv"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/ui"
)

// WidgetTableProps is "View as table".
type WidgetTableProps struct {
	Title  string
	Grid   *charts.Grid
	Path   string
	Query  string // without the page
	Locale *locale.Locale
}

// pageHref is the page before or after; empty where there is none.
func (p WidgetTableProps) pageHref(by int) string {
	page := p.Grid.Page + by
	if page < 1 || page > p.Grid.Pages {
		return ""
	}
	values, err := url.ParseQuery(p.Query)
	if err != nil {
		values = url.Values{}
	}
	values.Set("page", strconv.Itoa(page))
	return p.Path + "?" + values.Encode()
}

// pageHref is the page before or after of a table widget.
func (p TileProps) pageHref(by int) string {
	g := p.Tile.Drawing.Table
	page := g.Page + by
	if page < 1 || page > g.Pages {
		return ""
	}
	return p.set("p."+p.Tile.ID, strconv.Itoa(page))
}

// lastGoodHref is the widget as of the last answer that it had.
func (p TileProps) lastGoodHref(g *dashboards.LastGood) string {
	values, err := url.ParseQuery(p.Tile.Link)
	if err != nil {
		values = url.Values{}
	}
	values.Set("at", g.At)
	values.Set("stale", strconv.FormatInt(g.Time.Unix(), 10))
	return p.widgetPath("") + "?" + values.Encode()
}

func directionKey(arrow int) string {
	switch {
	case arrow > 0:
		return "widget.up"
	case arrow < 0:
		return "widget.down"
	}
	return "widget.unchanged"
}

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }

func escapePath(text string) string { return url.PathEscape(text) }

// withOpen has the page open the filter as soon as it stands in it.
func withOpen(p ui.FilterSelectProps) ui.FilterSelectProps {
	p.Attrs = templ.Attributes{"data-open": "1"}
	return p
}

// TileOpen and TileClose stand around a tile in an answer to a change.
func TileOpen(widget string) string {
	return `<hx-partial hx-target="#` + DashboardTileID(widget) + `" hx-swap="outerMorph">`
}

// TileClose ends TileOpen.
const TileClose = `</hx-partial>`

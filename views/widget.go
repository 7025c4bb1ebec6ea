package views

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// tileIcons are on nearly every widget; a page has their shapes once.
var tileIcons = []string{"ellipsis", "table", "download", "file-spreadsheet", "maximize", "arrow-up-right", "arrow-down-right"}

// OnDashboard is the context to draw widgets with that go into a dashboard's
// page.
func OnDashboard(ctx context.Context) context.Context { return ui.OnSheet(ctx, tileIcons) }

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

// kpiAgainst is what a change is from, and how far that goes.
func kpiAgainst(ctx context.Context, k *charts.Figure) string {
	text := messages.T(ctx, "widget.versus", "Value", k.Against)
	if k.ToDate == "" {
		return text
	}
	return k.SoFar + " " + k.ToDate + " " + text
}

// kpiName reads a KPI out: what is shown, and the whole number where that is
// shorter.
func kpiName(k *charts.Figure) string {
	if k.Text == k.Full {
		return k.Full
	}
	return k.Text + " (" + k.Full + ")"
}

// statusText is the word beside the icon: the threshold's own, what there is of
// the target, or the target.
func statusText(ctx context.Context, s *charts.Status) string {
	switch {
	case s.Label != "":
		return s.Label
	case s.Share != "":
		return messages.T(ctx, "widget.of_target", "Share", s.Share)
	case s.Target != "":
		return messages.T(ctx, "widget.target", "Target", s.Target)
	case s.Tone == charts.Good:
		return messages.T(ctx, "widget.tone_pos")
	case s.Tone == charts.Warn:
		return messages.T(ctx, "widget.tone_warn")
	case s.Tone == charts.Bad:
		return messages.T(ctx, "widget.tone_neg")
	}
	return messages.T(ctx, "widget.tone_none")
}

// statusParts are what of a status can stand alone, the most telling first: how much
// of the target it is, or all of it.
func statusParts(ctx context.Context, s *charts.Status) []string {
	text := statusText(ctx, s)
	if s.Label == "" && s.Share != "" {
		if more, begins := strings.CutPrefix(text, s.Share+" "); begins {
			return []string{s.Share, " " + more}
		}
	}
	return []string{text}
}

// statusInFull is the whole of a status with its target.
func statusInFull(ctx context.Context, s *charts.Status) string {
	text, target := statusText(ctx, s), statusTitle(ctx, s)
	if target == "" || target == text {
		return text
	}
	return text + " · " + target
}

// toneTag is the class of a tag in that tone.
func toneTag(t charts.Tone) string {
	if tone := statusTone(t); tone != ui.Neutral {
		return "tag-" + string(tone)
	}
	return ""
}

func statusTitle(ctx context.Context, s *charts.Status) string {
	if s.Target == "" {
		return ""
	}
	return messages.T(ctx, "widget.target", "Target", s.Target)
}

// targetBeside is the target where the word of a threshold stands in the place of it.
func targetBeside(ctx context.Context, s *charts.Status) string {
	if s == nil || s.Label == "" {
		return ""
	}
	return statusTitle(ctx, s)
}

func statusIcon(t charts.Tone) string {
	switch t {
	case charts.Good:
		return "circle-check"
	case charts.Warn:
		return "triangle-alert"
	case charts.Bad:
		return "circle-alert"
	}
	return "info"
}

func statusTone(t charts.Tone) ui.Tone {
	switch t {
	case charts.Good:
		return ui.Positive
	case charts.Warn:
		return ui.Warning
	case charts.Bad:
		return ui.Negative
	}
	return ui.Neutral
}

// tooMuchTitle says how many points there would be.
func tooMuchTitle(ctx context.Context, p TileProps) string {
	key, d := "widget.too_much_title", p.Tile.Drawing
	if d.AtLeast {
		key = "widget.too_much_more"
	}
	return messages.T(ctx, key, "Count", d.Count, "Shown", p.Locale.Integer(int64(d.Count)))
}

// tooMuchText says which grouping or how many values would fit.
func tooMuchText(ctx context.Context, d *charts.Drawing) string {
	if d.Fit.Key == "" {
		return messages.T(ctx, "widget.too_much_text")
	}
	args := d.Fit.Args
	if d.Fit.Key == "charts.fit.grain" {
		args = []any{"Grain", messages.T(ctx, "charts.by."+args[1].(string))}
	}
	return messages.T(ctx, d.Fit.Key, args...)
}

func headClass(column int) string {
	if column == 0 {
		return "head-side"
	}
	return "head-span"
}

func spanAttrs(cell charts.GridCell) templ.Attributes {
	if cell.Span > 1 {
		return templ.Attributes{"rowspan": strconv.Itoa(cell.Span)}
	}
	return nil
}

// shadeStyle tints a cell so that its text keeps its contrast.
func shadeStyle(shade int) string {
	switch {
	case shade > 0:
		return "--tint:var(--c1);--strength:" + strconv.Itoa(shade*8) + "%"
	case shade < 0:
		return "--tint:var(--c2);--strength:" + strconv.Itoa(-shade*8) + "%"
	}
	return ""
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

// renderer has charts drawn for paper: as SVG, and they say when they are done.
func (p TileProps) renderer(ctx context.Context) templ.Attributes {
	if !p.Print {
		return nil
	}
	return templ.Attributes{"renderer": "svg", "text-failed": messages.T(ctx, "print.chart_failed")}
}

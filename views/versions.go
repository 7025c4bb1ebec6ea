package views

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
)

// DashboardVersionsProps is the page of a dashboard's versions.
type DashboardVersionsProps struct {
	Dashboard dashboards.Dashboard
	Versions  []dashboards.Version // newest first
	Total     int                  // that are kept, where Versions is a part
	// Comparison is what lies between two of them; nil when there is none.
	Comparison *dashboards.Comparison
	Locale     *locale.Locale
	Zone       *time.Location // of the moments shown; UTC when nil
}

func (p DashboardVersionsProps) id() string { return p.Dashboard.ID.String() }

// DashboardVersionsPageProps is the frame around DashboardVersions.
func DashboardVersionsPageProps(ctx context.Context, p DashboardVersionsProps) PageProps {
	return PageProps{
		Title: messages.T(ctx, "history.title"), Active: NavDashboards, Header: versionsActions(p), Styles: []string{"editor.css"},
		Crumbs: []Crumb{{Label: messages.T(ctx, "home.dashboards"), Href: PathDashboards}, {Label: p.Dashboard.Name, Href: PathEditor(p.id())}},
	}
}

func (p DashboardVersionsProps) compareHref(from, to int) string {
	return withQuery(PathDashboardVersions(p.id()), "from="+strconv.Itoa(from)+"&to="+strconv.Itoa(to))
}

func pathRestore(id string, number int) string { // POST
	return PathDashboardVersions(id) + "/" + strconv.Itoa(number) + "/restore"
}

// versionName is a version as people call it; number 0 is the draft.
func versionName(ctx context.Context, v dashboards.Version) string {
	switch {
	case v.Number == 0:
		return messages.T(ctx, "history.draft")
	case v.Name != "":
		return v.Name
	}
	return messages.T(ctx, "history.number", "N", v.Number)
}

func (p DashboardVersionsProps) detail(ctx context.Context, v dashboards.Version) string {
	zone := p.Zone
	if zone == nil {
		zone = time.UTC
	}
	at := p.Locale.DateTime(v.At.In(zone))
	if v.By == "" {
		return at
	}
	return at + " · " + messages.T(ctx, "history.by", "Name", v.By)
}

func (p DashboardVersionsProps) compared(v dashboards.Version) bool {
	return p.Comparison != nil && p.Comparison.From.Number == v.Number
}

// changeText is one changed widget in words.
func changeText(ctx context.Context, w dashboards.WidgetChange) string {
	switch {
	case w.Before == nil:
		return messages.T(ctx, "history.added", "Title", w.Title)
	case w.After == nil:
		return messages.T(ctx, "history.removed", "Title", w.Title)
	case len(w.Parts) == 0:
		return messages.T(ctx, "history.moved", "Title", w.Title)
	}
	parts := make([]string, len(w.Parts))
	for i, part := range w.Parts {
		parts[i] = messages.T(ctx, "history.part_"+part)
	}
	list := messages.T(ctx, "history.parts", "List", strings.Join(parts, ", "))
	if w.Moved {
		return messages.T(ctx, "history.changed_moved", "Title", w.Title, "Parts", list)
	}
	return messages.T(ctx, "history.changed", "Title", w.Title, "Parts", list)
}

// versionTab is what a tab is called; empty where there are none.
func versionTab(c *dashboards.Comparison, tab string) string {
	if t, has := c.To.Config.Tabs[tab]; has {
		return t.Title
	}
	return c.From.Config.Tabs[tab].Title
}

// versionPicture is the layout of one tab on one side of a comparison, with the
// widgets that differ outlined: what the other side has not in the colour of removal on
// the left and of addition on the right.
// Both sides are whole and of one scale.
func versionPicture(ctx context.Context, c *dashboards.Comparison, tab string, after bool) templ.Component {
	v, changes := c.From, c.Widgets
	if after {
		v = c.To
	}
	marks := map[string]string{}
	for _, w := range changes {
		switch {
		case w.Before == nil:
			if after {
				marks[w.ID] = "var(--df-pos)"
			}
		case w.After == nil:
			if !after {
				marks[w.ID] = "var(--df-neg)"
			}
		default:
			marks[w.ID] = "var(--df-link)"
		}
	}
	from, to := c.From.Config.On(tab), c.To.Config.On(tab)
	here := from
	if after {
		here = to
	}
	rows := max(gridRows(from), gridRows(to))
	height := max(float64(rows)*thumbH/thumbRows, thumbH/2)
	picture := thumbnail(here, rows, height)
	var b strings.Builder
	label := messages.T(ctx, "history.picture", "Name", versionName(ctx, v))
	b.WriteString(strings.Replace(strings.TrimSuffix(picture, `</svg>`), `aria-hidden="true"`, `role="img" aria-label="`+templ.EscapeString(label)+`"`, 1))
	unit, row := thumbW/dashboards.GridColumns, height/float64(rows)
	for id, colour := range marks {
		w, has := here.Widgets[id]
		if !has {
			continue
		}
		l := w.Layout
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2.5" fill="%s" fill-opacity=".1" stroke="%s" stroke-width="2"/>`,
			float64(l.X)*unit+2, float64(l.Y)*row+2, float64(l.W)*unit-4, float64(l.H)*row-4, colour, colour)
	}
	b.WriteString(`</svg>`)
	return templ.Raw(b.String())
}

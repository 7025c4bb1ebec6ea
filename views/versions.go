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
	if v.Number == 0 {
		return messages.T(ctx, "history.draft_detail", "Time", at)
	}
	if v.By == "" {
		return at
	}
	return at + " · " + messages.T(ctx, "history.by", "Name", v.By)
}

// current is the number of the version that viewers see; 0 when they see none.
func (p DashboardVersionsProps) current() int {
	if p.Dashboard.Unpublished {
		return 0
	}
	for _, v := range p.Versions {
		if v.Published {
			return v.Number
		}
	}
	return 0
}

func (p DashboardVersionsProps) compared(v dashboards.Version) bool {
	return p.picked(v, false) || p.picked(v, true)
}

// picked tells whether a version is the earlier or, with after, the later side of
// the comparison.
func (p DashboardVersionsProps) picked(v dashboards.Version, after bool) bool {
	switch {
	case p.Comparison == nil:
		return after && v.Number == 0
	case after:
		return p.Comparison.To.Number == v.Number
	}
	return p.Comparison.From.Number == v.Number
}

// sides are what can be compared: the draft, then what was kept, newest first.
func (p DashboardVersionsProps) sides() []dashboards.Version {
	draft := dashboards.Version{Rev: p.Dashboard.Rev, At: p.Dashboard.UpdatedAt}
	return append([]dashboards.Version{draft}, p.Versions...)
}

// changed is something that differs, in words, and what of it.
type changed struct {
	Text    string
	Details []string
}

// changesOf are all that lie between two versions.
func changesOf(ctx context.Context, c *dashboards.Comparison) []changed {
	var list []changed
	if c.Renamed {
		list = append(list, changed{Text: messages.T(ctx, "history.renamed", "Before", c.From.Dashboard, "After", c.To.Dashboard)})
	}
	for _, w := range c.Widgets {
		list = append(list, changed{changeText(ctx, w), detailsOf(ctx, w.Changes)})
	}
	for _, f := range c.Filters {
		list = append(list, changed{objectChangeText(ctx, "history.filter_", f), detailsOf(ctx, f.Changes)})
	}
	for _, f := range c.Fields {
		list = append(list, changed{objectChangeText(ctx, "history.field_", f), detailsOf(ctx, f.Changes)})
	}
	if len(c.Settings) > 0 {
		list = append(list, changed{messages.T(ctx, "history.settings"), detailsOf(ctx, c.Settings)})
	}
	if c.Others {
		list = append(list, changed{Text: messages.T(ctx, "history.others")})
	}
	return list
}

func detailsOf(ctx context.Context, differences []dashboards.Difference) []string {
	texts := make([]string, len(differences))
	for i, d := range differences {
		texts[i] = differenceText(ctx, d)
	}
	return texts
}

// changeText is one changed widget in words.
func changeText(ctx context.Context, w dashboards.WidgetChange) string {
	title := w.Title
	if title == "" {
		title = messages.T(ctx, "word.untitled")
	}
	switch {
	case w.Before == nil:
		return messages.T(ctx, "history.added", "Title", title)
	case w.After == nil:
		return messages.T(ctx, "history.removed", "Title", title)
	case len(w.Changes) == 0:
		return messages.T(ctx, "history.moved", "Title", title)
	case w.Moved:
		return messages.T(ctx, "history.changed_moved", "Title", title)
	}
	return messages.T(ctx, "history.changed", "Title", title)
}

func objectChangeText(ctx context.Context, key string, c dashboards.ObjectChange) string {
	switch {
	case c.Added:
		key += "added"
	case c.Removed:
		key += "removed"
	default:
		key += "changed"
	}
	return messages.T(ctx, key, "Label", c.Label)
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

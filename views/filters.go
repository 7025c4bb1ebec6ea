package views

import (
	"cmp"
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// ExplainID is where the panel that explains a number is put.
const ExplainID = "explain"

// tops are the choices of a top-N filter.
var tops = []int{5, 10, 20, 50}

// shownSummary is what a filter's button says is chosen.
func shownSummary(ctx context.Context, c dashboards.ControlView) string {
	switch {
	case c.Missing:
		return messages.T(ctx, "filters.choose")
	case c.Kind == dashboards.KindTop && c.N > 0:
		return messages.T(ctx, "filters.top", "Count", c.N)
	case c.Kind == dashboards.KindDate && c.Summary == "":
		return messages.T(ctx, "filters.any_date")
	case c.Summary == "":
		return messages.T(ctx, "dashboard.all")
	}
	return c.Summary
}

// picking is the page with another choice of one filter; none takes it off.
func (p DashboardProps) picking(c dashboards.ControlView, value string) string {
	switch {
	case value != "":
		return p.href(p.View.State.WithPick(c.ID, []string{value}))
	case c.Default:
		return p.href(p.View.State.WithNone(c.ID))
	}
	return p.href(p.View.State.WithPick(c.ID, nil))
}

// keeps are the fields that hold the choice of a filter which is no field of
// the form by itself, and the empty one that takes a default off.
func (p DashboardProps) keeps(c dashboards.ControlView) []hiddenField {
	name := "f." + c.ID
	if picks, said := p.View.State.Picks[c.ID]; c.Gone && said {
		return fieldsOf(dashboards.State{}.WithPick(c.ID, picks))
	} else if c.Gone {
		return nil
	}
	switch c.Kind {
	case dashboards.KindBoolean, dashboards.KindTop:
	case dashboards.KindDate:
		if c.Range != nil && c.Range.Kind == "fixed" {
			return nil // its two days are fields
		}
	default:
		if c.Default {
			return []hiddenField{{name, ""}}
		}
		return nil
	}
	picks, said := p.View.State.Picks[c.ID]
	switch {
	case !said:
		return nil
	case len(picks) == 0:
		return []hiddenField{{name, ""}}
	}
	return []hiddenField{{name, charts.EscapeValue(picks[0])}}
}

// filterPlace is where a filter stands: the id of what it opens, and the form
// that its fields are of where they are not inside of it.
type filterPlace struct{ id, form string }

func inBar(c dashboards.ControlView) filterPlace {
	return filterPlace{"f-" + strings.NewReplacer(".", "-", " ", "-").Replace(c.ID), DashboardBarID}
}

func onTile(widget string) filterPlace { return filterPlace{id: "fc-" + widget} }

func (at filterPlace) formAttr() templ.Attributes {
	if at.form == "" {
		return nil
	}
	return templ.Attributes{"form": at.form}
}

// OwnForm is the parameter with which the values of a filter are asked for by one
// whose fields are inside of their form.
const OwnForm = "own"

// optionsQuery is what the values of a filter depend on.
func (p DashboardProps) optionsQuery(at filterPlace) string {
	query := p.View.Link()
	if at.form == "" {
		query = strings.TrimPrefix(query+"&"+OwnForm+"=1", "&")
	}
	return query
}

// besides are all choices but that of one filter, for the form of that one.
func (p DashboardProps) besides(control string) []hiddenField {
	rest := p.View.State
	rest.Page = nil
	if control != dashboards.DateControl {
		return fieldsOf(rest.WithPick(control, nil))
	}
	rest.Range = nil
	return append(p.daysBefore(), fieldsOf(rest)...)
}

func filterClass(c dashboards.ControlView) string {
	if c.Missing {
		return "btn filter-button filter-missing"
	}
	return "btn filter-button"
}

// needsText names the filters that a widget waits for.
func needsText(t *dashboards.Tile) string { return strings.Join(t.Needs, ", ") }

// levelHref is the page with the widget at the level of a crumb.
func (p TileProps) levelHref(words string) string {
	values, err := url.ParseQuery(p.Tile.Link)
	if err != nil {
		values = url.Values{}
	}
	values.Del("l." + p.Tile.ID)
	if words != "" {
		values.Set("l."+p.Tile.ID, words)
	}
	return withQuery(PathView(p.Tile.Dashboard.String(), p.Tile.Draft), values.Encode())
}

// ExplainProps is the panel that says where a number comes from.
type ExplainProps struct {
	Explained *dashboards.Explained
	Rows      *charts.Grid
	// Path is that of the widget, Query the choices and the moment.
	Path   string
	Query  string
	Locale *locale.Locale
}

func (p ExplainProps) title() string {
	if p.Explained.Marked == "" {
		return p.Explained.Title
	}
	return p.Explained.Title + ", " + p.Explained.Marked
}

// PathExplain is the panel for a widget or one mark of it.
func PathExplain(widget, query, mark string) string {
	return withMark(widget+"/explain", query, mark)
}

func withMark(path, query, mark string) string {
	if mark != "" {
		if query != "" {
			query += "&"
		}
		query += "mark=" + url.QueryEscape(mark)
	}
	return withQuery(path, query)
}

func (p ExplainProps) rowsProps() WidgetTableProps {
	query := p.Query
	if p.Explained.Mark != "" {
		if query != "" {
			query += "&"
		}
		query += "mark=" + url.QueryEscape(p.Explained.Mark)
	}
	return WidgetTableProps{Grid: p.Rows, Path: p.Path + "/rows", Query: query, Locale: p.Locale}
}

// ruleName is the rule, and the dataset that it is of where that is another.
func (p ExplainProps) ruleName(r datasets.HeldRule) string {
	name := r.Name
	if name == "" {
		name = r.Column
	}
	if r.Dataset == p.Explained.DatasetName || name == "" {
		return cmp.Or(name, r.Dataset)
	}
	return r.Dataset + ", " + name
}

func (p ExplainProps) ruleText(ctx context.Context, r datasets.HeldRule) string {
	switch r.Kind {
	case datasets.RuleRows:
		return r.Predicate
	case datasets.RuleColumn:
		return messages.T(ctx, "rules.mask_"+string(r.Mask))
	}
	return messages.T(ctx, "rules.groups_text", "Rows", p.Locale.Integer(int64(r.MinRows)))
}

func (p ExplainProps) csvHref() string {
	return withMark(p.Path+"/rows.csv", p.Query, p.Explained.Mark)
}

func (p ExplainProps) loaded(ctx context.Context) string {
	v := p.Explained.Version
	if v.CreatedAt.IsZero() {
		return ""
	}
	at := p.Locale.DateTimeZone(v.CreatedAt.In(p.Explained.Zone))
	if v.ByName == "" {
		return at
	}
	return messages.T(ctx, "filters.loaded_by", "Time", at, "Name", v.ByName)
}

func (p ExplainProps) days(ctx context.Context) string {
	e := p.Explained
	zone := e.Zone.String()
	if e.From.IsZero() {
		return messages.T(ctx, "filters.zone_all", "Zone", zone)
	}
	if e.Shifted {
		return messages.T(ctx, "filters.zone_shifted", "From", bound(p.Locale, e.From), "To", bound(p.Locale, e.To), "Zone", zone)
	}
	return messages.T(ctx, "filters.zone_plain", "From", p.Locale.DateTime(e.From), "To", p.Locale.DateTime(e.To))
}

// compared says which span the "vs" figures are of, and what they are.
func (p ExplainProps) compared(ctx context.Context) string {
	e := p.Explained
	text := messages.T(ctx, "filters.compared_with", "Days", p.Locale.DateRange(e.Previous.From.Time(), e.Previous.To.Time()), "Count", e.Previous.Count())
	if !e.UpTo.IsZero() {
		text += ", " + messages.T(ctx, "charts.up_to", "Moment", p.Locale.DateTime(e.UpTo))
	}
	for _, v := range e.Values {
		if v.Before != "" {
			text += " · " + v.Name + " " + v.Before
		}
	}
	if e.ToDate.IsZero() {
		return text
	}
	text += ". " + messages.T(ctx, "filters.compared_to_date", "Day", p.Locale.Date(e.ToDate))
	for _, v := range e.Values {
		if v.ToDate != "" {
			text += " · " + v.Name + " " + v.ToDate
		}
	}
	return text
}

// bound is a boundary in its zone, and which moment that is in UTC.
func bound(l *locale.Locale, t time.Time) string {
	return l.DateTimeZone(t) + " (" + t.UTC().Format("2006-01-02T15:04Z") + ")"
}

func (p ExplainProps) took(ctx context.Context) string {
	text := p.Locale.Duration(p.Explained.Took)
	if p.Explained.Cached {
		return messages.T(ctx, "filters.took_cached", "Time", text)
	}
	return text
}

func (p ExplainProps) scanned(ctx context.Context) string {
	e := p.Explained
	text := messages.T(ctx, "filters.scanned_of", "Rows", p.Locale.Integer(e.Scanned), "Read", p.Locale.Integer(int64(e.Read)), "All", p.Locale.Integer(int64(e.All)))
	if e.Before > 0 {
		text += messages.T(ctx, "filters.scanned_again", "Rows", p.Locale.Integer(e.Before))
	}
	if s := e.Sampled; s != nil {
		return messages.T(ctx, "filters.scanned_sample", "Rate", p.Locale.Integer(int64(s.Rate)), "Scanned", text)
	}
	return text
}

// ActionsProps is the menu of one mark.
type ActionsProps struct {
	Page    DashboardProps
	Actions *dashboards.Actions
	Path    string // of the widget
	Query   string
}

func (p ActionsProps) mark(ctx context.Context) string {
	if p.Actions.Marked == "" {
		return messages.T(ctx, "filters.whole")
	}
	return p.Actions.Marked
}

func (p ActionsProps) level(ctx context.Context) string {
	if p.Actions.Level != "" {
		return p.Actions.Level
	}
	return messages.T(ctx, "grain."+p.Actions.Grain)
}

// intoExplain opens what a link answers in the panel at the side.
func intoExplain(href string) templ.Attributes {
	return templ.Attributes{"hx-get": href, "hx-target": "#" + ExplainID, "hx-swap": "innerHTML", "data-opens": ExplainID}
}

// topOptions are the choices of a top-N filter, the chosen one among them.
func topOptions(c dashboards.ControlView) []int {
	list := tops
	for _, n := range tops {
		if n == c.N {
			return list
		}
	}
	if c.N > 0 {
		list = append([]int{c.N}, tops...)
	}
	return list
}

func dateOptions(ctx context.Context) []ui.Option {
	list := []ui.Option{}
	for _, days := range []int{7, 28, 90} {
		list = append(list, ui.Option{Value: strconv.Itoa(days) + "d", Label: messages.T(ctx, "dashboard.range_last", "Count", days)})
	}
	named := namedRanges(ctx, false)
	return append(list, named[:len(named)-1]...) // all dates are no filter
}

func filterLabel(ctx context.Context, p ActionsProps) string {
	key := "filters.filter_by"
	if p.Actions.Selected {
		key = "filters.unfilter"
	}
	return messages.T(ctx, key, "Mark", p.mark(ctx))
}

func defaultLabel(ctx context.Context, v dashboards.SavedView) string {
	key := "views.set_default"
	if v.Default {
		key = "views.unset_default"
	}
	return messages.T(ctx, key, "Name", v.Name)
}

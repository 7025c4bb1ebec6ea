package views

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// DashboardProps is what the page of a dashboard shows around its tiles.
type DashboardProps struct {
	View    *dashboards.View
	CanEdit bool
	Locale  *locale.Locale
	Now     time.Time
	// Waiting are the widgets whose answers are on their way: skeletons stand
	// in for them.
	Waiting []*dashboards.Plan
	// Title is how the portal calls the dashboard; its own name when empty.
	Title string
	// Visitor is a customer in a portal, without ways to what only members have.
	Visitor bool
	// Prints offers the dashboard as a PDF at once, on Paper.
	Prints bool
	// Mails offers to have it mailed again and again.
	Mails bool
	Paper string
}

func (p DashboardProps) id() string   { return p.View.Dashboard.ID.String() }
func (p DashboardProps) path() string { return PathView(p.id(), p.View.Draft) }

// PathView is where the widgets and filters of a dashboard are asked for, as
// published or as a draft.
func PathView(dashboard string, draft bool) string {
	if draft {
		return PathEditor(dashboard)
	}
	return PathDashboard(dashboard)
}

// PathEditor is where a dashboard's draft is edited.
func PathEditor(dashboard string) string { return PathDashboard(dashboard) + "/edit" }

// revAttr tells which revision the page shows: when it is another, the page
// loads anew. An editor follows the revisions by itself.
func (p DashboardProps) revAttr() templ.Attributes {
	if p.View.Draft {
		return nil
	}
	return templ.Attributes{"data-rev": itoa64(p.View.Dashboard.ShownRev()), "data-sees": p.View.Sees()}
}

// href is the page under other choices.
func (p DashboardProps) href(s dashboards.State) string { return withQuery(p.path(), s.Encode()) }

func withQuery(path, query string) string {
	if query == "" {
		return path
	}
	return path + "?" + query
}

// DashboardTileID is the id of a widget's element.
func DashboardTileID(widget string) string { return "w-" + widget }

// PathNewDashboard asks for the dataset of a new dashboard.
const PathNewDashboard = PathDashboards + "/new"

func pathTags(id string) string { return PathDashboard(id) + "/tags" } // GET: a dialog for #modal; POST tags

// Ids of what answers replace.
const (
	DashboardID       = "dash"
	DashboardMetaID   = "dash-meta"
	DashboardBarID    = "filters"
	dashboardPDF      = "dash-pdf" // the form of a visitor's PDF, whose fields are in the bar
	DashboardStatusID = "dash-status"
	DashboardTableID  = "dash-table"
)

// swapping makes a link or form of the page change it in place: the answer
// holds all widgets that changed.
func swapping(href string) templ.Attributes {
	return templ.Attributes{"hx-get": href, "hx-target": "#" + DashboardID, "hx-swap": "none", "hx-sync": "#dashboard:replace"}
}

// rangeText says what the date range comes to.
func (p DashboardProps) rangeText(ctx context.Context) (summary, detail string) {
	v := p.View
	if v.Days == nil {
		if v.Bounds == nil {
			return messages.T(ctx, "dashboard.all_time"), ""
		}
		return p.daysText(v.Bounds), messages.T(ctx, "dashboard.all_time")
	}
	return p.daysText(v.Days), messages.T(ctx, "dashboard.days", "Count", v.Days.Count())
}

func (p DashboardProps) daysText(d *dashboards.Days) string {
	return p.Locale.DateRange(d.From.Time(), d.To.Time())
}

// presets are the ranges offered, with what each comes to.
func (p DashboardProps) presets(ctx context.Context) []ui.DatePreset {
	current := p.View.Range.String()
	var list []ui.DatePreset
	seen := false
	add := func(text, label string) {
		r, err := dashboards.ParseRange(text)
		if err != nil {
			return
		}
		preset := ui.DatePreset{Label: label, Value: text, Selected: text == current}
		if days := p.View.Resolve(r); days != nil {
			preset.Detail = p.daysText(days)
		}
		seen = seen || preset.Selected
		list = append(list, preset)
	}
	for _, days := range []int{7, 28, 90} {
		add(strconv.Itoa(days)+"d", messages.T(ctx, "dashboard.range_last", "Count", days))
	}
	for _, o := range namedRanges(ctx, p.View.Ahead() || strings.HasPrefix(current, "c")) {
		add(o.Value, o.Label)
	}
	if !seen && p.View.Range.Kind == "last" {
		add(current, messages.T(ctx, "dashboard.range_last", "Count", p.View.Range.N))
	}
	return list
}

// namedRanges are the ranges that are a word; those to the end of a period where
// something may lie ahead.
func namedRanges(ctx context.Context, ahead bool) []ui.Option {
	list := []ui.Option{{Value: "mtd", Label: messages.T(ctx, "dashboard.range_month")}, {Value: "pm", Label: messages.T(ctx, "dashboard.range_last_month")},
		{Value: "qtd", Label: messages.T(ctx, "dashboard.range_quarter")}, {Value: "ytd", Label: messages.T(ctx, "dashboard.range_year")}}
	if ahead {
		list = append(list, ui.Option{Value: "cm", Label: messages.T(ctx, "dashboard.range_whole_month")},
			ui.Option{Value: "cq", Label: messages.T(ctx, "dashboard.range_whole_quarter")}, ui.Option{Value: "cy", Label: messages.T(ctx, "dashboard.range_whole_year")})
	}
	return append(list, ui.Option{Value: "all", Label: messages.T(ctx, "dashboard.range_all")})
}

// chosen is how many choices besides the date are in effect.
func (p DashboardProps) chosen() int {
	n := len(p.View.Cross)
	for _, c := range p.View.Controls {
		if p.View.InBar(c.ID) && c.Summary != "" {
			n++
		}
	}
	return n
}

// firstChoice is the first of them that can be taken away.
func (p DashboardProps) firstChoice(ctx context.Context) (ui.ChipProps, bool) {
	chip := func(field, value, href string) (ui.ChipProps, bool) {
		return ui.ChipProps{Field: field, Value: value, Remove: messages.T(ctx, "dashboard.remove_filter", "Field", field), Href: href, Attrs: swapping(href)}, true
	}
	for _, c := range p.View.Controls {
		if p.View.InBar(c.ID) && c.Summary != "" && !c.Required {
			return chip(c.Label, shownSummary(ctx, c), p.picking(c, ""))
		}
	}
	if len(p.View.Cross) > 0 {
		x := p.View.Cross[0]
		return chip(x.Field, x.Text, p.href(p.View.State.WithoutCrossOf(x.Widget)))
	}
	return ui.ChipProps{}, false
}

func (p DashboardProps) dateRange(ctx context.Context, at filterPlace) ui.DateRangeProps {
	summary, detail := p.rangeText(ctx)
	props := ui.DateRangeProps{
		ID: at.id, Name: "d", Label: messages.T(ctx, "dashboard.dates"), Summary: summary, Detail: detail, Presets: p.presets(ctx),
		FromName: "d.from", ToName: "d.to", FromLabel: messages.T(ctx, "dashboard.from"), ToLabel: messages.T(ctx, "dashboard.to"),
		Custom: messages.T(ctx, "dashboard.range_custom"), Apply: messages.T(ctx, "dashboard.apply"), Form: at.form,
	}
	if shown := p.View.Shown(); shown != nil {
		props.From, props.To = shown.From.String(), shown.To.String()
	}
	return props
}

// hidden are the choices that the form of the filter bar has no field for.
func (p DashboardProps) hidden() []hiddenField {
	s := p.View.State
	rest := dashboards.State{Compare: s.Compare, Cross: s.Cross, Sort: s.Sort, Exact: s.Exact, Tab: s.Tab, Toggled: s.Toggled, Levels: s.Levels, From: s.From}
	// What stands on the canvas has no field here.
	for id, picks := range s.Picks {
		if !p.View.InBar(id) {
			if rest.Picks == nil {
				rest.Picks = map[string][]string{}
			}
			rest.Picks[id] = picks
		}
	}
	if !p.View.InBar(dashboards.DateControl) {
		rest.Range = s.Range
		return fieldsOf(rest)
	}
	return append(p.daysBefore(), fieldsOf(rest)...)
}

// daysBefore tells a form's two days from those that the range came to before.
func (p DashboardProps) daysBefore() []hiddenField {
	shown := p.View.Shown()
	if shown == nil {
		return nil
	}
	is := ""
	if s := p.View.State; s.Range != nil {
		is = s.Range.String()
	}
	return []hiddenField{{"d.days", shown.From.String() + "~" + shown.To.String()}, {"d.is", is}}
}

func fieldsOf(s dashboards.State) []hiddenField {
	values, err := url.ParseQuery(s.Encode())
	if err != nil {
		return nil
	}
	var fields []hiddenField
	for _, name := range sortedNames(values) {
		fields = append(fields, hiddenField{name, values.Get(name)})
	}
	return fields
}

type hiddenField struct{ Name, Value string }

func sortedNames(values url.Values) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	// A handful: insertion keeps it plain.
	for i := 1; i < len(names); i++ {
		for j := i; j > 0 && names[j] < names[j-1]; j-- {
			names[j], names[j-1] = names[j-1], names[j]
		}
	}
	return names
}

// control is a filter of the bar; its values come when it is opened, the
// chosen ones at once.
func (p DashboardProps) control(ctx context.Context, c dashboards.ControlView, at filterPlace) ui.FilterSelectProps {
	props := ui.FilterSelectProps{
		ID: at.id, Name: "f." + c.ID, Label: c.Label, Summary: shownSummary(ctx, c),
		Search: messages.T(ctx, "dashboard.search_values"), Apply: messages.T(ctx, "dashboard.apply"), Clear: messages.T(ctx, "dashboard.clear"),
		NoMatch: messages.T(ctx, "dashboard.no_match"), Form: at.form,
		OptionsURL: withQuery(p.path()+"/filters/"+url.PathEscape(c.ID)+"/values", p.optionsQuery(at)),
	}
	for _, v := range c.Values {
		props.Options = append(props.Options, ui.Option{Value: v.Word, Label: v.Text, Selected: true})
	}
	if n := len(c.Values); n > 1 {
		props.Summary = messages.T(ctx, "dashboard.values", "Count", n)
	}
	if c.Missing {
		props.Attrs = templ.Attributes{"data-missing": "1"}
	}
	return props
}

// FilterValues are the choices of one filter, as ui.FilterOptions draws them;
// own tells that they go into a form of their own, not into the bar's.
func FilterValues(dashboard dashboards.ControlView, values []dashboards.Value, own bool, l *locale.Locale) ui.FilterSelectProps {
	props := ui.FilterSelectProps{Name: "f." + dashboard.ID, Form: DashboardBarID}
	if own {
		props.Form = ""
	}
	for _, v := range values {
		o := ui.Option{Value: v.Word, Label: v.Text, Selected: v.Taken}
		if v.Rows >= 0 {
			o.Count = l.Integer(v.Rows)
		}
		props.Options = append(props.Options, o)
	}
	return props
}

func compareKey(compare string) string {
	switch compare {
	case dashboards.CompareYear:
		return "dashboard.compare_year"
	case dashboards.CompareNone:
		return "dashboard.compare_none"
	}
	return "dashboard.compare_previous"
}

var comparisons = []string{dashboards.ComparePrevious, dashboards.CompareYear, dashboards.CompareNone}

// chipIcon says where a cross-filter was made.
func chipIcon(t charts.Type) string {
	switch t {
	case charts.Map:
		return "map-pin"
	case charts.Table, charts.Pivot, charts.WordList:
		return "table"
	case charts.Donut, charts.Sunburst:
		return "chart-pie"
	case charts.Heatmap, charts.Treemap, charts.Calendar:
		return "grid-3x3"
	case charts.Line, charts.Step, charts.Area, charts.Scatter, charts.Bubble:
		return "chart-line"
	case charts.StackedBar:
		return "chart-column-stacked"
	}
	return "chart-bar"
}

// say is a sentence of a drawing in the reader's language.
func say(ctx context.Context, m charts.Message) string {
	if m.Key == "" {
		return ""
	}
	return messages.T(ctx, m.Key, m.Args...)
}

// layoutStyle places a widget; the style sheet turns it into rows and columns
// for the width of the window.
func layoutStyle(l dashboards.Layout) string {
	return fmt.Sprintf("--x:%d;--y:%d;--w:%d;--h:%d", l.X+1, l.Y+1, l.W, l.H)
}

func skeletonOf(t charts.Type) ui.SkeletonShape {
	switch t.Skeleton() {
	case "kpi":
		return ui.SkeletonKPI
	case "line":
		return ui.SkeletonLine
	case "bars":
		return ui.SkeletonBars
	case "ring":
		return ui.SkeletonDonut
	case "rows":
		return ui.SkeletonTable
	case "cells":
		return ui.SkeletonGrid
	case "text":
		return ui.SkeletonText
	}
	return ui.SkeletonGrid
}

// tileError is what a failed widget says.
type tileError struct {
	Title, Text, Code string
	Again             bool // asking again may help
}

// whole is all of it, for where the text is cut.
func (e tileError) whole() string { return e.Title + ": " + e.Text + " " + e.Code }

func errorOf(ctx context.Context, t *dashboards.Tile) tileError {
	public := apperr.Describe(t.Err)
	key, again := "widget.error_title", true
	switch public.Class {
	case apperr.Timeout:
		key = "widget.error_timeout"
	case apperr.Unavailable, apperr.RateLimited:
		key = "widget.error_unavailable"
	case apperr.Invalid, apperr.Conflict:
		key, again = "widget.error_setup", false
	case apperr.NotFound, apperr.Gone:
		key, again = "widget.error_gone", false
	}
	return tileError{
		Title: messages.T(ctx, key, "Dataset", t.Dataset),
		Text:  sentenceOf(ctx, t, public.Sentence),
		Code:  messages.T(ctx, "widget.error_code", "Code", public.Code),
		Again: again,
	}
}

// sentenceOf is a sentence without its place in the query. Whoever edits the
// widget reads which field it is about.
func sentenceOf(ctx context.Context, t *dashboards.Tile, sentence string) string {
	part, rest, whole := dashboards.CutPlace(sentence)
	if part == "" {
		return sentence
	}
	named := t.Draft && t.Field != ""
	switch {
	case named && whole:
		return messages.T(ctx, "widget.error_field", "Field", t.Field, "Text", rest)
	case named:
		return messages.T(ctx, "widget.error_named", "Field", t.Field, "Text", rest)
	case whole:
		return capitalised(rest)
	}
	return messages.T(ctx, "widget.error_part_"+part) + " " + rest
}

// noValueText is the note of a figure without a value.
func noValueText(ctx context.Context, t *dashboards.Tile) string {
	switch {
	case t.NoValue:
		return messages.T(ctx, "widget.undefined")
	case t.Drawing.Few:
		return messages.T(ctx, "widget.forbidden")
	}
	return messages.T(ctx, "widget.no_value")
}

// noValueTitle is the same in full.
func noValueTitle(ctx context.Context, t *dashboards.Tile) string {
	switch {
	case t.NoValue:
		return messages.T(ctx, "widget.undefined_title") + ". " + messages.T(ctx, "widget.undefined_text")
	case t.Drawing.Few:
		return messages.T(ctx, "widget.few_text", "Dataset", t.Dataset)
	}
	return messages.T(ctx, "widget.no_value")
}

// forbiddenText says why something can't be seen, and who to ask.
func forbiddenText(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, dashboards.ErrDataHidden):
		return dashboards.ErrDataHidden.Sentence()
	case errors.Is(err, dashboards.ErrRowsWithheld):
		return messages.T(ctx, "widget.few_refused")
	case errors.Is(err, dashboards.ErrUnseen):
		return apperr.Describe(err).Sentence + " " + messages.T(ctx, "widget.unseen_ask")
	}
	return messages.T(ctx, "widget.forbidden_text")
}

// forbiddenTitle says that a rule hides something, or that it is not there for who
// looks.
func forbiddenTitle(ctx context.Context, err error) string {
	if errors.Is(err, dashboards.ErrRowsWithheld) {
		return messages.T(ctx, "widget.forbidden")
	}
	return messages.T(ctx, "widget.forbidden_title")
}

func forbiddenShort(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, dashboards.ErrDataHidden):
		return messages.T(ctx, "widget.data_hidden")
	case errors.Is(err, dashboards.ErrUnseen):
		return messages.T(ctx, "widget.unseen")
	}
	return messages.T(ctx, "widget.forbidden")
}

func emptyTitle(ctx context.Context, t *dashboards.Tile) string {
	switch {
	case t.NoValue:
		return messages.T(ctx, "widget.undefined_title")
	case t.Drawing.Few, t.Drawing.Sparse:
		return messages.T(ctx, "widget.empty_sparse")
	case t.Limited && t.Link == "":
		return messages.T(ctx, "widget.empty_limited")
	case len(t.Filters) == 0:
		return messages.T(ctx, "widget.empty_plain")
	}
	return messages.T(ctx, "widget.empty_title")
}

// emptyText says what left nothing: the filters, the rules, or nothing was there.
func emptyText(ctx context.Context, t *dashboards.Tile) string {
	switch {
	case t.NoValue:
		return messages.T(ctx, "widget.undefined_text")
	case t.Drawing.Few:
		return messages.T(ctx, "widget.few_text", "Dataset", t.Dataset)
	case t.Drawing.Sparse:
		return messages.T(ctx, "widget.empty_sparse_text", "Dataset", t.Dataset)
	case len(t.Filters) == 0 && t.Limited:
		return messages.T(ctx, "widget.empty_limited_text", "Dataset", t.Dataset)
	case len(t.Filters) == 0:
		return messages.T(ctx, "widget.empty_plain_text", "Dataset", t.Dataset)
	}
	var parts []string
	for _, f := range t.Filters {
		parts = append(parts, messages.T(ctx, "widget.filter_is", "Field", f.Field, "Text", f.Text))
	}
	return strings.Join(parts, messages.T(ctx, "widget.and")) + "."
}

func hasCross(t *dashboards.Tile) bool {
	for _, f := range t.Filters {
		if f.Cross {
			return true
		}
	}
	return false
}

// tileQuery is the query of a link of a widget that must show what the widget
// shows: its choices and its moment.
func tileQuery(t *dashboards.Tile, more ...string) string {
	q := t.Link
	add := func(name, value string) {
		if value == "" {
			return
		}
		if q != "" {
			q += "&"
		}
		q += name + "=" + url.QueryEscape(value)
	}
	add("at", t.At)
	for i := 0; i+1 < len(more); i += 2 {
		add(more[i], more[i+1])
	}
	return q
}

func (p TileProps) widgetPath(rest string) string {
	return PathView(p.Tile.Dashboard.String(), p.Tile.Draft) + "/widgets/" + p.Tile.ID + rest
}

// set is the page's URL with one parameter changed, for browsers without
// scripts; with them, only data-set counts.
func (p TileProps) set(name, value string) string {
	values, err := url.ParseQuery(p.Tile.Link)
	if err != nil {
		values = url.Values{}
	}
	values.Set(name, value)
	return withQuery(PathView(p.Tile.Dashboard.String(), p.Tile.Draft), values.Encode())
}

func setAttrs(name, value string) templ.Attributes {
	return templ.Attributes{"data-set": name, "data-value": value}
}

// sortTarget is what a click on a head asks for: numbers largest first, texts
// from A, and the other way round on the second click.
func sortTarget(c charts.GridColumn) string {
	switch {
	case c.Sorted == "desc":
		return c.Key
	case c.Sorted == "asc" || c.Number:
		return "-" + c.Key
	}
	return c.Key
}

func alignment(c charts.GridColumn) string {
	if c.Number {
		return "n"
	}
	return ""
}

// growing is the column that takes the room that is left: the first of names,
// which can be cut where there is little; -1 where there are none.
func growing(g *charts.Grid) int {
	return slices.IndexFunc(g.Columns, func(c charts.GridColumn) bool { return !c.Number && !c.Time })
}

// gridLengths tells the style of a table how long, in characters, the longest
// name of the growing column and the longest number beside a bar are: tracks of
// bars begin at one place, though a cell knows nothing of the others.
func gridLengths(g *charts.Grid) string {
	names, beside := 0, 0
	grows := growing(g)
	for _, r := range g.Rows {
		for i, cell := range r.Cells {
			switch {
			case cell.Bar >= 0:
				beside = max(beside, utf8.RuneCountInString(cell.Text))
			case i == grows:
				names = max(names, utf8.RuneCountInString(cell.Text)+utf8.RuneCountInString(cell.Sub))
			}
		}
	}
	return "--names:" + strconv.Itoa(names) + ";--chars:" + strconv.Itoa(beside)
}

// headLabel keeps the words of a short head together: a second line would spare
// no room.
func headLabel(label string) string {
	if utf8.RuneCountInString(label) > 10 {
		return label
	}
	return strings.ReplaceAll(label, " ", "\u00a0")
}

// charsStyle tells a style how many characters a text has.
func charsStyle(text string) string { return "--chars:" + strconv.Itoa(utf8.RuneCountInString(text)) }

func cellClass(c charts.GridColumn, cell charts.GridCell) string {
	class := alignment(c)
	if cell.Shade != 0 {
		class = strings.TrimSpace(class + " tint")
	}
	if cell.Tone != charts.Neutral {
		class = strings.TrimSpace(class + " " + string(cell.Tone))
	}
	if cell.Fill {
		class += " fill"
	}
	return class
}

func barStyle(share float64) string {
	return "--share:" + strconv.FormatFloat(share, 'f', -1, 64) + "%"
}

func rowClass(r charts.GridRow) string {
	switch {
	case r.Total:
		return "row-total"
	case r.Faded:
		return "faded"
	}
	return ""
}

func legendClass(l charts.LegendItem) string {
	if l.Faded {
		return "legend-item faded"
	}
	return "legend-item"
}

func markStyle(colour string) string { return "--mark:var(" + colour + ")" }

func rowsText(ctx context.Context, l *locale.Locale, g *charts.Grid) string {
	key := "widget.rows"
	if g.More {
		key = "widget.rows_more"
	}
	return messages.T(ctx, key, "From", l.Integer(int64(g.From)), "To", l.Integer(int64(g.To)), "Total", l.Integer(int64(g.Total)))
}

func pageText(ctx context.Context, l *locale.Locale, g *charts.Grid) string {
	if g.Pages < 2 {
		return ""
	}
	return messages.T(ctx, "widget.page", "Page", l.Integer(int64(g.Page)), "Pages", l.Integer(int64(g.Pages)))
}

// asOf is the moment of the data in the viewer's zone.
func (p DashboardProps) asOf() time.Time { return p.View.AsOf.In(p.View.Zone) }

func (p DashboardProps) crumbs(ctx context.Context) []Crumb {
	list := []Crumb{{Label: messages.T(ctx, "home.dashboards"), Href: PathDashboards}}
	if d := p.View.Dashboard; d.FolderName != "" {
		list = append(list, Crumb{Label: d.FolderName, Href: withQuery(PathDashboards, "folder="+d.Folder.String())})
	}
	if from := p.View.Origin; from != nil {
		list = append(list, Crumb{Label: messages.T(ctx, "filters.back_to", "Name", from.Name), Href: withQuery(PathDashboard(from.Dashboard.String()), from.Link)})
	}
	return list
}

package views

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// EditorProps is what the editor shows around its tiles.
type EditorProps struct {
	Dashboard DashboardProps // the view is one of the draft
	// Doc is the JSON of #editor-doc: rev, doc, undo, redo, saved_at.
	Doc      json.RawMessage
	UserID   string
	Datasets []EditorDataset // that widgets can ask, by name
	Fields   EditorFieldsProps
	// Inspector shows the settings, or the widget of ?widget=.
	Inspector InspectorProps
	Undo      *dashboards.Deed // what can be taken back; nil for nothing
	Redo      *dashboards.Deed
	SavedAt   time.Time // of the last change, in the person's zone
	Versions  int       // that are kept
	// PreviewHref shows the draft as viewers will see it; "" leaves the button out.
	PreviewHref string
	SignInHref  string // for somebody whose session ends while editing
}

// EditorDataset is one dataset to choose.
type EditorDataset struct {
	ID   ids.Dataset
	Name string
	Rows int64
}

// EditorFieldsProps is the list of fields of one dataset.
type EditorFieldsProps struct {
	Dataset ids.Dataset // zero: none chosen yet
	Fields  []dashboards.Field
	Search  string // what was typed above; only fields with it are shown
}

// InspectorProps is the panel at the right: of one widget, or of the dashboard.
type InspectorProps struct {
	Dashboard DashboardProps
	Datasets  []EditorDataset
	// Widget is what is selected; nil for the dashboard's settings.
	Widget *dashboards.WidgetView
	// Tile is the selected widget as it was drawn last; nil when it was not.
	Tile *dashboards.Tile
	Tab  string // "data", "encode", "format", "interact"; the first when empty
	// Fields are those of the widget's dataset, or of the dashboard's.
	Fields []dashboards.Field
	// Took is how long the widget's query ran and Rows how many rows it
	// answered; zero when unknown.
	Took time.Duration
	Rows int
	// SQLHref answers the query as text; "" leaves the link out.
	SQLHref string
	// Boards are the dashboards that a mark can lead to.
	Boards []ui.Option
}

func (p EditorProps) path() string { return PathDashboard(p.Dashboard.id()) }

func (p EditorProps) crumbs(ctx context.Context) []Crumb {
	return append(p.Dashboard.crumbs(ctx), Crumb{Label: messages.T(ctx, "editor.editing")})
}

func (p EditorProps) page(ctx context.Context) PageProps {
	return PageProps{
		Title:   p.Dashboard.View.Dashboard.Name,
		Crumbs:  p.crumbs(ctx),
		Active:  NavDashboards,
		Rail:    true,
		Bare:    true,
		Heading: editorHeading(p),
		Status:  editorStatus(p),
		Header:  editorActions(p),
		Scripts: []string{"charts.js", "editor.js"},
		Styles:  []string{"editor.css"},
	}
}

// EditorItemOpen and EditorItemClose stand around a tile on the canvas.
func EditorItemOpen(p *dashboards.Plan) string {
	w := &p.Widget
	l, smallest := w.Layout, w.Type.SmallestSize()
	locked := ""
	if w.Locked {
		locked = " gs-locked"
	}
	return fmt.Sprintf(`<div class="grid-stack-item" gs-id="%s" gs-x="%d" gs-y="%d" gs-w="%d" gs-h="%d" gs-min-w="%d" gs-min-h="%d"%s data-type="%s" style="--x:%d;--y:%d;--w:%d;--h:%d"><div class="grid-stack-item-content">`,
		templ.EscapeString(p.ID), l.X, l.Y, l.W, l.H, smallest.W, smallest.H, locked, templ.EscapeString(string(w.Type)), l.X, l.Y, l.W, l.H)
}

// EditorItemClose ends EditorItemOpen.
const EditorItemClose = `</div></div>`

// paletteType is a type of widget as the editor shows it.
type paletteType struct {
	Type charts.Type
	Icon string
}

// paletteTypes are the types in the order of the palette. What is not listed
// comes after them.
var paletteTypes = []paletteType{
	{charts.KPI, "gauge"}, {charts.Line, "chart-line"}, {charts.Bar, "chart-column"},
	{charts.StackedBar, "chart-column-stacked"}, {charts.Donut, "chart-pie"}, {charts.Heatmap, "grid-3x3"},
	{charts.Table, "table"}, {charts.Map, "map"}, {charts.Scatter, "chart-scatter"},
	{charts.Text, "text-align-start"}, {charts.Image, "image"}, {charts.Pivot, "table-2"}, {charts.Area, "chart-area"},
	{charts.Step, "chart-no-axes-column"}, {charts.Combo, "chart-no-axes-combined"}, {charts.Histogram, "chart-column-increasing"},
	{charts.Box, "box"}, {charts.Bubble, "chart-scatter"}, {charts.Treemap, "layout-grid"},
	{charts.Sunburst, "sun"}, {charts.Funnel, "funnel"}, {charts.Sankey, "git-fork"},
	{charts.Waterfall, "waves"}, {charts.Calendar, "calendar-days"}, {charts.Radar, "radar"},
	{charts.Gauge, "gauge"}, {charts.Candlestick, "chart-candlestick"}, {charts.WordList, "type"},
	{charts.Divider, "separator-horizontal"},
	{charts.Section, "rows-3"},
}

// paletteFirst is how many types are shown at once, the forecast at its place
// among them; the others unfold.
const (
	paletteFirst = 12
	forecastAt   = 9
)

// palette lists the types that exist.
func palette() []paletteType {
	var list []paletteType
	listed := map[charts.Type]bool{}
	for _, one := range paletteTypes {
		if one.Type.Known() {
			list = append(list, one)
		}
		listed[one.Type] = true
	}
	for _, t := range charts.Types() {
		if !listed[t] {
			list = append(list, paletteType{t, "chart-spline"})
		}
	}
	return list
}

func typeIcon(t charts.Type) string {
	for _, one := range paletteTypes {
		if one.Type == t {
			return one.Icon
		}
	}
	return "chart-spline"
}

// typeNames are the types whose name is not simply written with spaces.
var typeNames = map[charts.Type]string{
	charts.KPI: "editor.type_kpi", charts.StackedBar: "editor.type_stacked", charts.Box: "editor.type_box", charts.WordList: "editor.type_words",
	charts.Calendar: "editor.type_calendar",
}

func typeName(ctx context.Context, t charts.Type) string {
	if key, ok := typeNames[t]; ok {
		return messages.T(ctx, key)
	}
	return charts.Humanise(string(t))
}

// typeTag is the type in the head of the inspector, where there is room.
func typeTag(ctx context.Context, t charts.Type) string {
	if t == charts.StackedBar {
		return messages.T(ctx, "editor.type_stacked_bar")
	}
	return typeName(ctx, t)
}

var placeWords = []string{"region", "country", "state", "city", "county", "place", "district", "airport"}

// fieldIcon says what a field is.
func fieldIcon(f dashboards.Field) string {
	name := strings.ToLower(f.Name)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(name, w) {
				return true
			}
		}
		return false
	}
	switch {
	case f.Measure && f.Format.Style == "percent":
		return "percent"
	case f.Measure:
		return "sigma"
	case f.Temporal():
		return "calendar"
	case f.Role != "" || has(placeWords...):
		return "map-pin"
	case f.Boolean():
		return "toggle-left"
	case f.Numeric():
		return "hash"
	case has("store", "shop", "branch"):
		return "store"
	case has("channel", "carrier", "delivery", "supplier"):
		return "truck"
	case has("customer", "person", "user", "name"):
		return "users"
	}
	return "tag"
}

// fieldNote is the word or sign at the right of a field.
func fieldNote(ctx context.Context, f dashboards.Field) string {
	switch f.Format.Style {
	case "percent":
		return "%"
	case "currency":
		return currencySign(f.Format)
	}
	switch {
	case f.Format.Unit != "":
		return f.Format.Unit
	case f.Measure:
		return "#"
	case f.Day():
		return messages.T(ctx, "editor.note_date")
	case f.Temporal():
		return messages.T(ctx, "editor.note_time")
	case f.Role != "":
		return messages.T(ctx, "editor.note_place")
	case f.Boolean():
		return messages.T(ctx, "editor.note_boolean")
	case f.Numeric():
		return messages.T(ctx, "editor.note_number")
	}
	return messages.T(ctx, "editor.note_text")
}

func currencySign(f datasets.Format) string {
	switch f.Currency {
	case "GBP":
		return "£"
	case "EUR":
		return "€"
	case "USD":
		return "$"
	case "JPY", "CNY":
		return "¥"
	}
	return f.Currency
}

// fieldLabel is a field by its own name, as the dataset writes it.
func fieldLabel(f dashboards.Field) string {
	if f.Name == dashboards.CountField {
		return f.Label()
	}
	return f.Name
}

// fieldShort leaves out the lookup that the list's part is headed with.
func fieldShort(f dashboards.Field) string {
	return strings.TrimPrefix(fieldLabel(f), f.Lookup+".")
}

// fieldGroup is one part of the list of fields.
type fieldGroup struct {
	Title  string
	Fields []dashboards.Field
}

// groups are the parts of the list with something to show: the dataset's own
// fields, then those of what it looks up.
func (p EditorFieldsProps) groups(ctx context.Context) []fieldGroup {
	var lookups []string
	for _, f := range p.Fields {
		if f.Lookup != "" && (len(lookups) == 0 || lookups[len(lookups)-1] != f.Lookup) {
			lookups = append(lookups, f.Lookup)
		}
	}
	own := func(measures bool) func(dashboards.Field) bool {
		return func(f dashboards.Field) bool { return f.Lookup == "" && f.Measure == measures }
	}
	all := []fieldGroup{
		{messages.T(ctx, "editor.dimensions"), p.shown(own(false))},
		{messages.T(ctx, "editor.measures"), p.shown(own(true))},
	}
	for _, lookup := range lookups {
		all = append(all, fieldGroup{charts.Humanise(lookup), p.shown(func(f dashboards.Field) bool { return f.Lookup == lookup })})
	}
	return slices.DeleteFunc(all, func(g fieldGroup) bool { return len(g.Fields) == 0 })
}

// shown are the fields of one part of the list that match the search.
func (p EditorFieldsProps) shown(belongs func(dashboards.Field) bool) []dashboards.Field {
	var list []dashboards.Field
	words := strings.Fields(strings.ToLower(p.Search))
	for _, f := range p.Fields {
		text := strings.ToLower(f.Name + " " + f.Label())
		matches := belongs(f)
		for _, w := range words {
			matches = matches && strings.Contains(text, w)
		}
		if matches {
			list = append(list, f)
		}
	}
	return list
}

func datasetName(list []EditorDataset, id ids.Dataset) string {
	for _, d := range list {
		if d.ID == id {
			return d.Name
		}
	}
	return ""
}

// rowsOf is the size of a dataset: "18.4M rows".
func rowsOf(ctx context.Context, l *locale.Locale, list []EditorDataset, id ids.Dataset) string {
	for _, d := range list {
		if d.ID == id {
			return messages.T(ctx, "editor.rows", "Count", int(d.Rows), "Rows", shortCount(l, d.Rows))
		}
	}
	return ""
}

// shortCount is a count of rows where three digits say enough: "18.4M".
func shortCount(l *locale.Locale, n int64) string {
	step := int64(1)
	for n/step >= 1000 {
		step *= 10
	}
	if n >= 10_000 {
		n = (n + step/2) / step * step
	}
	return l.Axis(float64(n), locale.Format{Integer: true, Compact: n >= 10_000})
}

// act is the value of data-act; pairs of key and value.
func act(kind string, pairs ...any) string {
	fields := map[string]any{"kind": kind}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		fields[name] = pairs[i+1]
	}
	text, _ := json.Marshal(fields) // texts and numbers always encode
	return string(text)
}

func actAttr(kind string, pairs ...any) templ.Attributes {
	return templ.Attributes{"data-act": act(kind, pairs...)}
}

// pointer is a JSON pointer of the keys.
func pointer(keys ...string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, k := range keys {
		b.WriteString("/" + escape.Replace(k))
	}
	return b.String()
}

// pathAttr ties a control to a place of the selected widget, docAttr to one of
// the document.
func pathAttr(path, kind string, more ...string) templ.Attributes {
	return withMore(templ.Attributes{"data-path": path, "data-type": kind}, more)
}

func docAttr(path, kind string, more ...string) templ.Attributes {
	return withMore(templ.Attributes{"data-doc-path": path, "data-type": kind}, more)
}

func withMore(a templ.Attributes, more []string) templ.Attributes {
	for i := 0; i+1 < len(more); i += 2 {
		a[more[i]] = more[i+1]
	}
	return a
}

var editorTabs = []string{"data", "encode", "format", "interact"}

func (p InspectorProps) tab() string {
	for _, t := range editorTabs {
		if t == p.Tab {
			return t
		}
	}
	return editorTabs[0]
}

// wellLabel is what a well is called on a type.
func wellLabel(ctx context.Context, t charts.Type, well string) string {
	switch {
	case well == "x" && t == charts.Donut:
		return messages.T(ctx, "editor.well_slices")
	case well == "x" && t == charts.Heatmap:
		return messages.T(ctx, "editor.well_across")
	case well == "y" && t == charts.Heatmap:
		return messages.T(ctx, "editor.well_down")
	case well == "value" && (t == charts.KPI || t == charts.Donut || t == charts.Heatmap || t == charts.Table):
		return messages.T(ctx, "editor.well_measure")
	case well == "rows" && t == charts.Table:
		return messages.T(ctx, "editor.well_group")
	}
	if key, ok := wellKeys[well]; ok {
		return messages.T(ctx, key)
	}
	return charts.Humanise(well)
}

var wellKeys = map[string]string{
	"x": "editor.well_x", "y": "editor.well_rows", "value": "editor.well_y", "also": "editor.well_also", "series": "editor.well_colour",
	"lat": "editor.well_lat", "lon": "editor.well_lon", "size": "editor.well_size", "colour": "editor.well_colour", "label": "editor.well_label",
	"rows": "editor.well_rows", "columns": "editor.well_columns", "target": "editor.well_target",
}

// shownWells are those with something in them or in need of it; the rest is
// behind the zone at their end.
func (p InspectorProps) shownWells() []dashboards.WellView {
	var list []dashboards.WellView
	plain := len(p.Widget.Widget.Query.Columns) > 0
	for _, w := range p.Widget.Wells {
		if w.Columns && !plain || p.Widget.Widget.Type == charts.Table && !w.Columns && plain {
			continue
		}
		if len(w.Chips) > 0 || w.Needed || p.Widget.Widget.Type == charts.Table {
			list = append(list, w)
		}
	}
	return list
}

// spare are the empty wells that the zone stands for.
func (p InspectorProps) spare() []dashboards.WellView {
	var list []dashboards.WellView
	for _, w := range p.Widget.Wells {
		if len(w.Chips) == 0 && !w.Needed && !w.Columns && p.Widget.Widget.Type != charts.Table {
			list = append(list, w)
		}
	}
	return list
}

// zone is what the zone at the end of the wells takes: "Drop a field to split,
// size or label".
func (p InspectorProps) zone(ctx context.Context) string {
	switch p.Widget.Widget.Type {
	case charts.KPI, charts.Donut, charts.Heatmap:
		return ""
	case charts.Bar:
		return messages.T(ctx, "editor.zone_split")
	case charts.Map:
		return messages.T(ctx, "editor.zone_map")
	case charts.Table:
		return ""
	}
	if len(p.spare()) == 0 {
		return ""
	}
	return messages.T(ctx, "editor.zone")
}

// grainText is a grain as a choice: "Week".
func grainText(ctx context.Context, grain string) string {
	if grain == "" {
		return messages.T(ctx, "editor.grain_none")
	}
	return messages.T(ctx, "editor.grain_"+grain)
}

func fnText(ctx context.Context, fn string) string { return messages.T(ctx, "editor.fn_"+fn) }

func binText(ctx context.Context, l *locale.Locale, width float64) string {
	if width == 0 {
		return messages.T(ctx, "editor.bin_none")
	}
	return messages.T(ctx, "editor.bin", "Width", l.Axis(width, locale.Format{}))
}

// chipHint is what a chip without a choice says at its end.
func chipHint(ctx context.Context, c dashboards.Chip) string {
	switch {
	case c.Missing:
		return messages.T(ctx, "editor.missing")
	case c.Formula:
		return messages.T(ctx, "editor.formula")
	case c.Field.Saved:
		return messages.T(ctx, "editor.saved_measure")
	}
	return fieldNote(ctx, c.Field)
}

// filterText is a widget's filter in words: "is North".
func filterText(ctx context.Context, l *locale.Locale, f dashboards.Filter) string {
	value := func(raw json.RawMessage) string {
		var v any
		if json.Unmarshal(raw, &v) != nil {
			return string(raw)
		}
		switch v := v.(type) {
		case nil:
			return messages.T(ctx, "charts.no_value")
		case bool:
			return messages.T(ctx, map[bool]string{true: "charts.true", false: "charts.false"}[v])
		case float64:
			return l.Full(v, locale.Format{})
		}
		return fmt.Sprint(v)
	}
	values := make([]string, len(f.Values))
	for i, raw := range f.Values {
		values[i] = value(raw)
	}
	list := strings.Join(values, ", ")
	if len(values) > 3 {
		list = strings.Join(values[:2], ", ") + " + " + strconv.Itoa(len(values)-2)
	}
	switch f.Op {
	case "between":
		return messages.T(ctx, "editor.filter_between", "From", value(f.From), "To", value(f.To))
	case "last", "previous", "this":
		unit := messages.T(ctx, "editor.unit_"+f.Unit)
		return messages.T(ctx, "editor.filter_"+f.Op, "Count", max(f.N, 1), "Unit", unit)
	case "is_empty", "not_empty":
		return messages.T(ctx, "editor.filter_"+f.Op)
	}
	return opText(ctx, f.Op) + " " + list
}

var opKeys = map[string]string{
	"in": "editor.op_in", "not_in": "editor.op_not_in", "=": "editor.op_in", "!=": "editor.op_not_in", "<": "editor.op_below", "<=": "editor.op_most",
	">": "editor.op_above", ">=": "editor.op_least", "between": "editor.op_between", "contains": "editor.op_contains", "starts_with": "editor.op_starts",
	"is_empty": "editor.op_empty", "not_empty": "editor.op_filled", "last": "editor.op_last", "this": "editor.op_this", "previous": "editor.op_previous",
}

func opText(ctx context.Context, op string) string {
	if key, ok := opKeys[op]; ok {
		return messages.T(ctx, key)
	}
	return op
}

// opsOf are the operators that suit a field.
func opsOf(ctx context.Context, p InspectorProps, f dashboards.Filter) []ui.Option {
	ops := []string{"in", "not_in", "contains", "starts_with", "not_empty", "is_empty"}
	if field, ok := p.field(f.Column); ok {
		switch {
		case field.Temporal():
			ops = []string{"last", "this", "previous", "between", ">=", "<=", "not_empty", "is_empty"}
		case field.Boolean():
			ops = []string{"in", "not_empty", "is_empty"}
		case field.Numeric():
			ops = []string{"in", "not_in", ">=", ">", "<=", "<", "between", "not_empty", "is_empty"}
		}
	}
	var list []ui.Option
	known := false
	for _, op := range ops {
		known = known || op == f.Op
		list = append(list, ui.Option{Value: op, Label: opText(ctx, op), Selected: op == f.Op})
	}
	if !known {
		list = append(list, ui.Option{Value: f.Op, Label: opText(ctx, f.Op), Selected: true})
	}
	return list
}

func (p InspectorProps) field(name string) (dashboards.Field, bool) {
	for _, f := range p.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return dashboards.Field{}, false
}

// filterValues are the values of a filter as a person writes them.
func filterValues(list []json.RawMessage) string {
	words := make([]string, len(list))
	for i, raw := range list {
		words[i] = filterValue(raw)
	}
	return strings.Join(words, ", ")
}

func filterValue(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func filterPop(i int) string { return "widget-filter-" + strconv.Itoa(i) }

func takesValues(op string) bool {
	switch op {
	case "last", "this", "previous", "between", "is_empty", "not_empty":
		return false
	}
	return true
}

// columnFields are the fields that can be filtered by.
func (p InspectorProps) columnFields() []dashboards.Field {
	var list []dashboards.Field
	for _, f := range p.Fields {
		if !f.Saved && f.Name != dashboards.CountField {
			list = append(list, f)
		}
	}
	return list
}

// dateFields are the columns that the date range can filter.
func (p InspectorProps) dateFields() []dashboards.Field {
	var list []dashboards.Field
	for _, f := range p.Fields {
		if f.Temporal() {
			list = append(list, f)
		}
	}
	return list
}

// hues are the colours of the series in their order.
var hues = []string{"c1", "c2", "c3", "c4", "c5", "c6", "c7"}

func hueStyle(hue string) string { return "--mark:var(--" + hue + ")" }

// measures are the chips that numbers are written for.
func (p InspectorProps) measures() []dashboards.Chip {
	var list []dashboards.Chip
	for _, w := range p.Widget.Wells {
		if w.Measures {
			list = append(list, w.Chips...)
		}
	}
	return list
}

// groups are the chips of dimensions that have a name to show.
func (p InspectorProps) groups() []dashboards.Chip {
	var list []dashboards.Chip
	for _, w := range p.Widget.Wells {
		if !w.Measures && !w.Columns && w.Name != "lat" && w.Name != "lon" {
			list = append(list, w.Chips...)
		}
	}
	return list
}

// cells are the columns of a table in their order.
func (p InspectorProps) cells() []dashboards.Chip {
	var list []dashboards.Chip
	for _, w := range p.shownWells() {
		list = append(list, w.Chips...)
	}
	return list
}

func decimalsText(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func axisText(axis *[2]float64) string {
	if axis == nil {
		return ""
	}
	return strconv.FormatFloat(axis[0], 'f', -1, 64) + " – " + strconv.FormatFloat(axis[1], 'f', -1, 64)
}

func limitText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func chosenFrom(current string, options ...ui.Option) []ui.Option {
	for i := range options {
		options[i].Selected = options[i].Value == current
	}
	return options
}

// hasAxis tells whether a type draws on a value axis.
func hasAxis(t charts.Type) bool {
	switch t {
	case charts.KPI, charts.Donut, charts.Table, charts.Map, charts.Heatmap:
		return false
	}
	return true
}

// isBar tells whether a type's bars can lie or stand.
func isBar(t charts.Type) bool { return t == charts.Bar || t == charts.StackedBar }

// crossFilters tells whether a click on the widget filters the others.
func (p InspectorProps) crossFilters() bool {
	s := p.Widget.Widget.Encode.Select
	return len(s) == 0 || s[0] != "-"
}

// tookText is how the widget's query went.
func (p InspectorProps) tookText(ctx context.Context) string {
	if p.Took <= 0 {
		return ""
	}
	return messages.T(ctx, "editor.query", "Time", p.Dashboard.Locale.Duration(p.Took), "Count", p.Rows, "Rows", p.Dashboard.Locale.Integer(int64(p.Rows)))
}

// ranges are the spans that a dashboard can start with.
func (p InspectorProps) ranges(ctx context.Context) []ui.Option {
	current := p.Dashboard.View.Dashboard.Config.Settings.Date.Default
	if current == "" {
		current = "all"
	}
	list := []ui.Option{}
	for _, days := range []int{7, 28, 90, 365} {
		list = append(list, ui.Option{Value: strconv.Itoa(days) + "d", Label: messages.T(ctx, "dashboard.range_last", "Count", days)})
	}
	list = append(list, ui.Option{Value: "mtd", Label: messages.T(ctx, "dashboard.range_month")}, ui.Option{Value: "pm", Label: messages.T(ctx, "dashboard.range_last_month")},
		ui.Option{Value: "ytd", Label: messages.T(ctx, "dashboard.range_year")}, ui.Option{Value: "all", Label: messages.T(ctx, "dashboard.range_all")})
	for _, o := range list {
		if o.Value == current {
			return chosenFrom(current, list...)
		}
	}
	label := current
	if r, err := dashboards.ParseRange(current); err == nil && r.Kind == "last" {
		label = messages.T(ctx, "dashboard.range_last", "Count", r.N)
	}
	return chosenFrom(current, append(list, ui.Option{Value: current, Label: label})...)
}

// controlLine is a filter of the bar in the settings.
type controlLine struct {
	ID string
	dashboards.Control
}

func (p InspectorProps) controls() []controlLine {
	c := p.Dashboard.View.Dashboard.Config
	var list []controlLine
	for _, v := range p.Dashboard.View.Controls {
		if control, ok := c.Filters[v.ID]; ok && !v.Added {
			list = append(list, controlLine{v.ID, control})
		}
	}
	return list
}

// editorWords are the texts of the editor's script, by their keys in messages.
var editorWords = []string{
	"saving", "saved", "retrying", "offline", "offline_one", "offline_none", "signed_out", "signed_out_one", "unsaved_ended",
	"refused", "gone", "overwrote", "somebody", "nothing",
	"place", "picked", "dropped", "put_back", "blocked", "locked",
	"selected", "selected_one", "added", "removed", "removed_many", "undo", "undone", "redone", "undo_failed", "taken_back",
	"copied", "copied_one", "paste_invalid", "paste_many", "clipboard_denied",
	"conflict", "untitled", "new_widget", "size", "choose_field", "no_fields", "rename", "lock", "unlock", "working_on", "editing",
	"version_saved", "published", "publish_waits", "not_json",
	"deed_add", "deed_remove", "deed_move", "deed_rename", "deed_edit",
	"deed_add_many", "deed_remove_many", "deed_move_many", "deed_rename_many", "deed_edit_many",
}

func wordsJSON(ctx context.Context) string {
	words := make(map[string]string, len(editorWords)+len(tabWords))
	for _, key := range slices.Concat(editorWords, tabWords) {
		words[key] = messages.T(ctx, "word."+key)
	}
	text, _ := json.Marshal(words) // texts always encode
	return string(text)
}

// deedText is the tooltip of a button: "Undo moving Sales by channel".
func deedText(ctx context.Context, key string, d *dashboards.Deed) string {
	if d == nil {
		return messages.T(ctx, key)
	}
	verb := d.Verb
	if d.Count > 1 {
		verb += "_many"
	}
	word := messages.T(ctx, "word.deed_"+verb)
	return messages.T(ctx, key) + ": " + strings.NewReplacer("{object}", d.Object, "{count}", strconv.Itoa(d.Count)).Replace(word)
}

// PathDashboardVersions lists the versions of a dashboard.
func PathDashboardVersions(id string) string { return PathDashboard(id) + "/versions" }

func pathPublish(id string) string { return PathDashboard(id) + "/publish" } // POST

func boolText(on bool) string { return strconv.FormatBool(on) }

func tabIndex(on bool) string {
	if on {
		return "0"
	}
	return "-1"
}

func savedText(ctx context.Context, p EditorProps) string {
	if p.SavedAt.IsZero() {
		return messages.T(ctx, "editor.saved")
	}
	return strings.ReplaceAll(messages.T(ctx, "word.saved"), "{time}", p.SavedAt.Format(time.TimeOnly))
}

// newFieldHref is the page of the dataset, where measures and fields are made.
func (p EditorFieldsProps) newFieldHref() string {
	if p.Dataset.IsZero() {
		return ""
	}
	return PathDatasetTab(p.Dataset.String(), TabFields)
}

func fieldKind(f dashboards.Field) string {
	if f.Measure {
		return "measure"
	}
	return "dimension"
}

func withTool(name string, more templ.Attributes) templ.Attributes {
	attrs := templ.Attributes{"data-tool": name}
	for k, v := range more {
		attrs[k] = v
	}
	return attrs
}

func chipClass(c dashboards.Chip) string {
	if c.Missing {
		return "field-chip chip-missing"
	}
	return "field-chip"
}

func wellPrompt(ctx context.Context, w dashboards.WellView) string {
	switch {
	case w.Columns:
		return messages.T(ctx, "editor.drop_column")
	case w.Measures:
		return messages.T(ctx, "editor.drop_measure")
	}
	return messages.T(ctx, "editor.drop_dimension")
}

// withCurrent lists the choices, with the current one where it is none of them.
func withCurrent(list []string, current string) []string {
	for _, one := range list {
		if one == current {
			return list
		}
	}
	return append([]string{current}, list...)
}

func binValue(width float64) string { return strconv.FormatFloat(width, 'f', -1, 64) }

func unitOptions(ctx context.Context, current string) []ui.Option {
	var list []ui.Option
	for _, unit := range []string{"hour", "day", "week", "month", "quarter", "year"} {
		list = append(list, ui.Option{Value: unit, Label: messages.T(ctx, "editor.unit_"+unit)})
	}
	return chosenFrom(current, list...)
}

func mapOptions(ctx context.Context, current string) []ui.Option {
	if current == "data" {
		current = ""
	}
	return chosenFrom(current, ui.Option{Label: messages.T(ctx, "editor.map_data"), Value: ""}, ui.Option{Label: messages.T(ctx, "editor.map_world"), Value: "world"},
		ui.Option{Label: messages.T(ctx, "editor.map_us"), Value: "us"}, ui.Option{Label: messages.T(ctx, "editor.map_europe"), Value: "europe"})
}

func styleOptions(ctx context.Context, current string) []ui.Option {
	list := []ui.Option{{Label: messages.T(ctx, "editor.style_dataset")}}
	for _, style := range []string{"number", "percent", "currency", "bytes", "duration"} {
		list = append(list, ui.Option{Value: style, Label: messages.T(ctx, "editor.style_"+style)})
	}
	return chosenFrom(current, list...)
}

func betterOptions(ctx context.Context, current string) []ui.Option {
	return chosenFrom(current, ui.Option{Label: messages.T(ctx, "editor.better_none")}, ui.Option{Value: "higher", Label: messages.T(ctx, "editor.better_higher")},
		ui.Option{Value: "lower", Label: messages.T(ctx, "editor.better_lower")})
}

func formatID(c dashboards.Chip, part string) string { return "format-" + c.Result + "-" + part }

// format is how the widget itself says that a result column is written.
func (p InspectorProps) format(c dashboards.Chip) charts.Format {
	return p.Widget.Widget.Format[c.Result]
}

func (p InspectorProps) dateOptions(ctx context.Context, current string) []ui.Option {
	list := []ui.Option{{Label: messages.T(ctx, "editor.date_default")}}
	for _, f := range p.dateFields() {
		list = append(list, ui.Option{Value: f.Name, Label: fieldLabel(f)})
	}
	return chosenFrom(current, append(list, ui.Option{Value: "-", Label: messages.T(ctx, "editor.date_none")})...)
}

// selectOptions are what a click on the widget can filter the others by.
func (p InspectorProps) selectOptions(ctx context.Context) []ui.Option {
	current := ""
	if s := p.Widget.Widget.Encode.Select; len(s) > 0 {
		text, _ := json.Marshal(s) // texts always encode
		current = string(text)
	}
	list := []ui.Option{{Label: messages.T(ctx, "editor.click_default")}}
	for _, c := range p.groups() {
		value, _ := json.Marshal([]string{c.Result}) // a text always encodes
		list = append(list, ui.Option{Value: string(value), Label: orElse(c.Label, c.Result)})
	}
	return chosenFrom(current, append(list, ui.Option{Value: `["-"]`, Label: messages.T(ctx, "editor.click_none")})...)
}

func (p InspectorProps) comparisonOptions(ctx context.Context) []ui.Option {
	current := p.Dashboard.View.Dashboard.Config.Settings.Comparison
	if current == "" {
		current = dashboards.ComparePrevious
	}
	var list []ui.Option
	for _, c := range comparisons {
		list = append(list, ui.Option{Value: c, Label: messages.T(ctx, compareKey(c))})
	}
	return chosenFrom(current, list...)
}

func (p InspectorProps) zoneOptions(ctx context.Context) []ui.Option {
	current := p.Dashboard.View.Dashboard.Config.Settings.Zone
	list := []ui.Option{{Label: messages.T(ctx, "editor.zone_viewer")}}
	for _, z := range locale.Zones() {
		list = append(list, ui.Option{Value: z})
	}
	return chosenFrom(current, list...)
}

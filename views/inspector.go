package views

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

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
	if key, ok := wellKeysOf[t][well]; ok {
		return messages.T(ctx, key)
	}
	if key, ok := wellKeys[well]; ok {
		return messages.T(ctx, key)
	}
	return charts.Humanise(well)
}

// wellKeysOf are the names that wells have on types without axes, or with a
// meaning of their own.
var wellKeysOf = map[charts.Type]map[string]string{
	charts.KPI:      {"value": "editor.well_measure"},
	charts.Gauge:    {"value": "editor.well_measure"},
	charts.Donut:    {"x": "editor.well_slices", "value": "editor.well_measure"},
	charts.Heatmap:  {"x": "editor.well_across", "y": "editor.well_down", "value": "editor.well_measure"},
	charts.Scatter:  {"y": "editor.well_y"},
	charts.Bubble:   {"y": "editor.well_y"},
	charts.Table:    {"value": "editor.well_measure", "rows": "editor.well_group"},
	charts.Pivot:    {"value": "editor.well_measure"},
	charts.Treemap:  {"x": "editor.well_outer", "series": "editor.well_inner", "value": "editor.well_measure"},
	charts.Sunburst: {"x": "editor.well_ring_inner", "series": "editor.well_ring_next", "label": "editor.well_ring_outer", "value": "editor.well_measure"},
	charts.Sankey:   {"x": "editor.well_from", "series": "editor.well_to", "y": "editor.well_then", "label": "editor.well_then", "value": "editor.well_measure"},
	charts.Funnel:   {"x": "editor.well_steps", "value": "editor.well_measure"},
	charts.Radar:    {"x": "editor.well_spokes", "value": "editor.well_measure"},
	charts.Calendar: {"x": "editor.well_days", "value": "editor.well_measure"},
	charts.WordList: {"x": "editor.well_words", "value": "editor.well_measure"},
}

var wellKeys = map[string]string{
	"x": "editor.well_x", "y": "editor.well_rows", "value": "editor.well_y", "also": "editor.well_also", "series": "editor.well_colour",
	"lat": "editor.well_lat", "lon": "editor.well_lon", "size": "editor.well_size", "colour": "editor.well_colour", "label": "editor.well_label",
	"rows": "editor.well_rows", "columns": "editor.well_columns", "target": "editor.well_target",
	"across": "editor.well_across", "area": "editor.well_area", "to_lat": "editor.well_to_lat", "to_lon": "editor.well_to_lon", "facet": "editor.well_facet",
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
		if len(w.Chips) == 0 && !w.Needed && !w.Columns && w.Name != "facet" && p.Widget.Widget.Type != charts.Table {
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

// sums tells whether a type makes one value of many: a box plot draws how they
// lie.
func sums(t charts.Type) bool { return t != charts.Box }

// chipTitle is a field in full: what the widget calls it, and its own name.
func chipTitle(c dashboards.Chip) string {
	name := fieldLabel(c.Field)
	if c.Label == "" || c.Label == name {
		return name
	}
	return c.Label + " (" + name + ")"
}

// groupsOf is what the button of groups says: what it does, and how many there
// are.
func groupsOf(ctx context.Context, c dashboards.Chip) string {
	text := messages.T(ctx, "editor.groups_of", "Field", c.Label)
	if c.Groups > 0 {
		text += ": " + messages.T(ctx, "editor.groups_count", "Count", c.Groups)
	}
	return text
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

func (p InspectorProps) field(name string) (dashboards.Field, bool) {
	for _, f := range p.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return dashboards.Field{}, false
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
		if !w.Measures && !w.Columns && !dashboards.IsPlace(w.Name) {
			list = append(list, w.Chips...)
		}
	}
	return list
}

// groupName is what a field that groups is called beside its name for people:
// where it does so twice, by hour and by day of the week, with what tells them
// apart.
func (p InspectorProps) groupName(c dashboards.Chip) string {
	name := fieldLabel(c.Field)
	for _, other := range p.groups() {
		if other.Result != c.Result && other.Field.Name == c.Field.Name {
			return name + " (" + c.Label + ")"
		}
	}
	return name
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
	case charts.Line, charts.Step, charts.Area, charts.Bar, charts.StackedBar, charts.Combo, charts.Histogram, charts.Box, charts.Scatter, charts.Bubble,
		charts.Waterfall, charts.Gauge, charts.Candlestick:
		return true
	}
	return false
}

// isBar tells whether a type draws bars by category.
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

// currencies are those that are traded most, in that order (BIS, 2025), and
// those of larger economies.
var currencies = strings.Fields("USD EUR JPY GBP CNY CHF AUD CAD HKD SGD INR KRW SEK MXN NZD NOK TWD BRL ZAR PLN DKK IDR TRY THB ILS HUF CZK CLP PHP COP MYR AED SAR RON PEN EGP VND NGN KES UAH PKR MAD ARS")

func currencyOptions(ctx context.Context, current string) []ui.Option {
	list := []ui.Option{{Label: messages.T(ctx, "editor.choose_currency")}}
	for _, code := range currencies {
		list = append(list, ui.Option{Value: code, Label: code})
	}
	if current != "" && !slices.Contains(currencies, current) {
		list = append(list, ui.Option{Value: current, Label: current})
	}
	return chosenFrom(current, list...)
}

// subtitleHint says what a subtitle can have filled in.
func (p InspectorProps) subtitleHint(ctx context.Context) string {
	for _, d := range p.Widget.Widget.Query.Dimensions {
		if d.Grain != "" {
			return messages.T(ctx, "editor.subtitle_hint")
		}
	}
	return ""
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

package views

import (
	"context"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
)

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
	Gone    bool   // the dashboard's dataset, or the right to see it
}

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
	{charts.Step, "corner-right-up"}, {charts.Combo, "chart-no-axes-combined"}, {charts.Histogram, "chart-column-increasing"},
	{charts.Box, "align-horizontal-distribute-center"}, {charts.Bubble, "circle-dot"}, {charts.Treemap, "layout-panel-left"},
	{charts.Sunburst, "loader-pinwheel"}, {charts.Funnel, "funnel"}, {charts.Sankey, "split"},
	{charts.Waterfall, "chart-gantt"}, {charts.Calendar, "calendar-days"}, {charts.Radar, "radar"},
	{charts.Gauge, "circle-gauge"}, {charts.Candlestick, "chart-candlestick"}, {charts.WordList, "type"},
	{charts.Divider, "separator-horizontal"},
	{charts.Section, "rows-3"},
	{charts.Control, "filter"},
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
	charts.Calendar: "editor.type_calendar", charts.Candlestick: "editor.type_candles", charts.Control: "editor.type_control",
}

func typeName(ctx context.Context, t charts.Type) string {
	if key, ok := typeNames[t]; ok {
		return messages.T(ctx, key)
	}
	return charts.Humanise(string(t))
}

// typeTag is the type in the head of the inspector, where there is room.
func typeTag(ctx context.Context, t charts.Type) string {
	switch t {
	case charts.StackedBar:
		return messages.T(ctx, "editor.type_stacked_bar")
	case charts.Candlestick:
		return charts.Humanise(string(t))
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
			if d.Rows == datasets.Withheld {
				return ""
			}
			return messages.T(ctx, "editor.rows", "Count", int(d.Rows), "Rows", shortCount(l, d.Rows))
		}
	}
	return ""
}

// shortCount is a count of rows where three digits say enough: "18.4M".
func shortCount(l *locale.Locale, n int64) string {
	if n < 10_000 {
		return l.Integer(n)
	}
	step := int64(1)
	for n/step >= 1000 {
		step *= 10
	}
	return l.Axis(float64((n+step/2)/step*step), locale.Format{Integer: true, Compact: true})
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

package charts

import (
	"sort"
	"time"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Type is what a widget draws.
type Type string

// The types.
const (
	KPI         Type = "kpi"
	Line        Type = "line"
	Step        Type = "step"
	Area        Type = "area"
	Bar         Type = "bar"
	StackedBar  Type = "stacked_bar"
	Combo       Type = "combo"
	Histogram   Type = "histogram"
	Box         Type = "box"
	Scatter     Type = "scatter"
	Bubble      Type = "bubble"
	Donut       Type = "donut"
	Treemap     Type = "treemap"
	Sunburst    Type = "sunburst"
	Funnel      Type = "funnel"
	Sankey      Type = "sankey"
	Waterfall   Type = "waterfall"
	Heatmap     Type = "heatmap"
	Calendar    Type = "calendar"
	Radar       Type = "radar"
	Gauge       Type = "gauge"
	Candlestick Type = "candlestick"
	WordList    Type = "words"
	Table       Type = "table"
	Pivot       Type = "pivot"
	Map         Type = "map"
	Text        Type = "text"
	Image       Type = "image"
	Divider     Type = "divider"
	Section     Type = "section"
	Control     Type = "control"
)

// Size is a widget's size in grid units.
type Size struct{ W, H int }

// kind is what the package knows of a type.
type kind struct {
	draw     func(*drawing) error
	size     Size // default
	smallest Size
	// dimensions is how many dimensions the query may have: from, to.
	dimensions [2]int
	// compares tells that the type can show an earlier span.
	compares bool
	skeleton string // shape while loading: "kpi", "line", "bars", "ring", "cells", "rows", "map", "text"
}

// A chart type is one file and one line here.
var kinds = map[Type]kind{
	KPI:         {drawKPI, Size{3, 3}, Size{2, 3}, [2]int{0, 0}, true, "kpi"},
	Line:        {drawLine, Size{9, 9}, Size{3, 5}, [2]int{1, 2}, true, "line"},
	Step:        {drawLine, Size{9, 9}, Size{3, 5}, [2]int{1, 2}, true, "line"},
	Area:        {drawLine, Size{9, 9}, Size{3, 5}, [2]int{1, 2}, true, "line"},
	Bar:         {drawBar, Size{3, 9}, Size{3, 5}, [2]int{1, 2}, false, "bars"},
	StackedBar:  {drawStackedBar, Size{4, 8}, Size{3, 5}, [2]int{2, 2}, false, "bars"},
	Combo:       {drawCombo, Size{6, 9}, Size{4, 5}, [2]int{1, 1}, false, "bars"},
	Histogram:   {drawHistogram, Size{4, 8}, Size{3, 5}, [2]int{1, 1}, false, "bars"},
	Box:         {drawBox, Size{4, 8}, Size{3, 5}, [2]int{1, 1}, false, "bars"},
	Scatter:     {drawScatter, Size{5, 9}, Size{3, 5}, [2]int{1, 3}, false, "line"},
	Bubble:      {drawScatter, Size{5, 9}, Size{3, 5}, [2]int{1, 3}, false, "line"},
	Donut:       {drawDonut, Size{3, 8}, Size{3, 5}, [2]int{1, 1}, false, "ring"},
	Treemap:     {drawTreemap, Size{5, 8}, Size{3, 5}, [2]int{1, 2}, false, "cells"},
	Sunburst:    {drawSunburst, Size{4, 9}, Size{3, 6}, [2]int{2, 3}, false, "ring"},
	Funnel:      {drawFunnel, Size{4, 8}, Size{3, 5}, [2]int{0, 1}, false, "bars"},
	Sankey:      {drawSankey, Size{6, 9}, Size{4, 6}, [2]int{2, 4}, false, "line"},
	Waterfall:   {drawWaterfall, Size{5, 8}, Size{4, 5}, [2]int{1, 1}, true, "bars"},
	Heatmap:     {drawHeatmap, Size{3, 9}, Size{3, 5}, [2]int{2, 2}, false, "cells"},
	Calendar:    {drawCalendar, Size{8, 6}, Size{4, 5}, [2]int{1, 1}, false, "cells"},
	Radar:       {drawRadar, Size{4, 9}, Size{3, 6}, [2]int{1, 2}, false, "ring"},
	Gauge:       {drawGauge, Size{3, 6}, Size{2, 4}, [2]int{0, 0}, false, "ring"},
	Candlestick: {drawCandlestick, Size{6, 9}, Size{4, 5}, [2]int{1, 1}, false, "line"},
	WordList:    {drawWords, Size{3, 8}, Size{2, 4}, [2]int{1, 1}, false, "rows"},
	Table:       {drawTable, Size{6, 9}, Size{4, 6}, [2]int{0, 8}, true, "rows"},
	Pivot:       {drawPivot, Size{8, 9}, Size{4, 6}, [2]int{1, 5}, false, "rows"},
	Map:         {drawMap, Size{5, 8}, Size{3, 5}, [2]int{1, 6}, false, "map"},
	Text:        {drawText, Size{4, 4}, Size{2, 2}, [2]int{0, 0}, false, "text"},
	Image:       {drawImage, Size{3, 5}, Size{1, 2}, [2]int{0, 0}, false, "cells"},
	Divider:     {drawNothing, Size{12, 1}, Size{2, 1}, [2]int{0, 0}, false, "text"},
	Section:     {drawNothing, Size{12, 1}, Size{12, 1}, [2]int{0, 0}, false, "text"},
	Control:     {drawNothing, Size{4, 2}, Size{2, 2}, [2]int{0, 0}, false, "text"},
}

// Types lists the types by name.
func Types() []Type {
	types := make([]Type, 0, len(kinds))
	for t := range kinds {
		types = append(types, t)
	}
	sort.Slice(types, func(i, j int) bool { return types[i] < types[j] })
	return types
}

// Known tells whether the type exists.
func (t Type) Known() bool { _, ok := kinds[t]; return ok }

// DefaultSize is the size of a new widget of the type.
func (t Type) DefaultSize() Size { return kinds[t].size }

// SmallestSize is the least size at which the type is readable.
func (t Type) SmallestSize() Size { return kinds[t].smallest }

// Dimensions is how many dimensions a query for the type may have.
func (t Type) Dimensions() (least, most int) { return kinds[t].dimensions[0], kinds[t].dimensions[1] }

// Compares tells whether the type can show an earlier span beside the current.
func (t Type) Compares() bool { return kinds[t].compares }

// Asks tells whether the type shows the answer of a query. Text, images,
// dividers and filters do not.
func (t Type) Asks() bool {
	return t != Text && t != Image && t != Divider && t != Section && t != Control
}

// HasRules tells whether thresholds give the values of the type a meaning.
func (t Type) HasRules() bool { return t == KPI || t == Gauge || t == Bar }

// Facets tells whether the type can be drawn as one small chart a value.
func (t Type) Facets() bool {
	switch t {
	case Line, Step, Area, Bar, StackedBar, Scatter, Bubble:
		return true
	}
	return false
}

// IsLine tells whether the type draws lines over time.
func (t Type) IsLine() bool { return t == Line || t == Step || t == Area }

// Rows tells whether the type can draw plain rows beside groups.
func (t Type) Rows() bool { return t == Table || t == Scatter || t == Bubble }

// Skeleton names the shape that stands in while the widget loads.
func (t Type) Skeleton() string { return kinds[t].skeleton }

// Limits on what is sent to a browser.
const (
	MaxPoints  = 20_000 // of one widget; more is TooMuch
	LinePoints = 2_000  // of one line; more is thinned by LTTB
	MaxSeries  = 7      // beside "Other"
	MaxSlices  = 5      // of a donut, "Other" included
	MaxBars    = 60     // categories without an order of their own on one axis
	MaxPlaces  = 1_000  // buckets or bins on one axis of bars
	MaxFacets  = 12     // small charts of one widget
	MaxAxes    = 12     // of a radar
)

// ErrConfig says that a widget's config and its query do not fit together.
var ErrConfig = apperr.Define(apperr.Invalid, "charts.config", "This widget is not set up correctly.")

// Config is the drawn part of a widget.
type Config struct {
	Type   Type              `json:"type"`
	Encode Encode            `json:"encode,omitzero"`
	Format map[string]Format `json:"format,omitempty"` // by result column
	// Forecast continues a line or an area; nil for none.
	Forecast *Forecast `json:"forecast,omitempty"`
	// Text is the Markdown of a text.
	Text string `json:"text,omitempty"`
	// URL and Alt are those of an image.
	URL string `json:"url,omitempty"`
	Alt string `json:"alt,omitempty"`
}

// Encode says which result column plays which part. What is left empty is
// taken from the query: dimensions and measures in their order.
type Encode struct {
	X       string `json:"x,omitempty"`      // category or time; columns of a heatmap
	Y       string `json:"y,omitempty"`      // rows of a heatmap
	Series  string `json:"series,omitempty"` // one line, or one part of a stack, by value
	Value   string `json:"value,omitempty"`  // the measure that is drawn
	Also    string `json:"also,omitempty"`   // a second measure, drawn as a second line
	Lat     string `json:"lat,omitempty"`
	Lon     string `json:"lon,omitempty"`
	Size    string `json:"size,omitempty"`   // measure by which points grow
	Colour  string `json:"colour,omitempty"` // measure by which points are coloured
	Label   string `json:"label,omitempty"`  // dimension that names a point
	Columns []Cell `json:"columns,omitempty"`
	// Hue is the colour of what has one colour only: "c1" (the default) to "c7".
	Hue string `json:"hue,omitempty"`
	// Vertical stands bars on the x axis; they lie by default. Horizontal lays
	// the bars of types that stand by default.
	Vertical   bool `json:"vertical,omitempty"`
	Horizontal bool `json:"horizontal,omitempty"`
	// Stack is how the parts of bars stand: "normal" on one another, "percent"
	// as shares of the whole, "none" side by side. Default: normal for
	// stacked_bar, none for bar.
	Stack string `json:"stack,omitempty"`
	// Open, High, Low and Close are the measures of a candle.
	Open  string `json:"open,omitempty"`
	High  string `json:"high,omitempty"`
	Low   string `json:"low,omitempty"`
	Close string `json:"close,omitempty"`
	// Whiskers of a box reach from the 5th to the 95th percentile, or to the
	// ends with "range".
	Whiskers string `json:"whiskers,omitempty"`
	// Target is what a KPI, a gauge or bars should reach; TargetOf is a measure
	// that says so instead.
	Target   *float64 `json:"target,omitempty"`
	TargetOf string   `json:"target_of,omitempty"`
	// Thresholds give values from a number on a meaning.
	Thresholds []Threshold `json:"thresholds,omitempty"`
	// Lines are reference lines and notes on the axes of a chart.
	Lines []Reference `json:"lines,omitempty"`
	// Facet is the dimension with one small chart a value.
	Facet string `json:"facet,omitempty"`
	// Rows and Across are the dimensions down and across a pivot.
	Rows   []string `json:"rows,omitempty"`
	Across []string `json:"across,omitempty"`
	// Totals adds a row of totals to a table, Group sets a heading before each
	// run of rows with the same value, Pin keeps the first column in view.
	Totals bool   `json:"totals,omitempty"`
	Group  string `json:"group,omitempty"`
	Pin    bool   `json:"pin,omitempty"`
	// Layer is how a map shows its rows: "points" (the default), "clusters",
	// "heat", "areas" or "lines".
	Layer string `json:"layer,omitempty"`
	// Area is the dimension that names the areas of a map; ToLat and ToLon are
	// the far ends of its lines.
	Area  string `json:"area,omitempty"`
	ToLat string `json:"to_lat,omitempty"`
	ToLon string `json:"to_lon,omitempty"`
	// Axis fixes the ends of the value axis; lines may start above zero, bars may not.
	Axis *[2]float64 `json:"axis,omitempty"`
	// Map is the part of the world that a map starts with: "world", "us",
	// "europe" or "data" (the default).
	Map string `json:"map,omitempty"`
	// Select names the dimensions that a click filters other widgets by;
	// default: x of a bar, series of a stack, both of a heatmap, the first
	// column of a table, label of a map. ["-"] turns it off.
	Select []string `json:"select,omitempty"`
}

// Cell is one column of a table.
type Cell struct {
	Column string `json:"column"`
	Bar    bool   `json:"bar,omitempty"`    // a bar beside the number
	Change bool   `json:"change,omitempty"` // a further column with the change against the comparison
	Quiet  bool   `json:"quiet,omitempty"`  // in secondary ink, joined to the column before it
	// Scale shades the cells by their value: "seq" from the least to the
	// largest, "div" around zero.
	Scale string `json:"scale,omitempty"`
	// Rules give the numbers a meaning, as thresholds do.
	Rules []Threshold `json:"rules,omitempty"`
}

// Threshold gives values from From on a meaning, up to the next threshold.
type Threshold struct {
	From  float64 `json:"from"`
	Tone  Tone    `json:"tone,omitempty"` // "pos", "warn", "neg" or neutral
	Label string  `json:"label,omitempty"`
	// Fill colours the ground of a cell too.
	Fill bool `json:"fill,omitempty"`
}

// Reference is a line across a chart: at a value, at the average of what is
// drawn, or at a date.
type Reference struct {
	Value   *float64 `json:"value,omitempty"`
	Average bool     `json:"average,omitempty"`
	Date    string   `json:"date,omitempty"` // 2006-01-02, or with T15:04
	Label   string   `json:"label,omitempty"`
}

// Format says how the numbers of a result column are written, and what they mean.
type Format struct {
	// Style is "", "number", "percent" (0.946 is 94.6%), "currency", "bytes"
	// or "duration" (seconds).
	Style    string `json:"style,omitempty"`
	Currency string `json:"currency,omitempty"` // ISO 4217
	Decimals *int   `json:"decimals,omitempty"`
	Unit     string `json:"unit,omitempty"`  // after the number: "min"
	Label    string `json:"label,omitempty"` // name of the column for people
	// Better is "higher", "lower" or empty where neither is: whether a change
	// is good follows the meaning of the measure.
	Better string `json:"better,omitempty"`
	// Date is how days are written: "" as the reader's language does, "weekday"
	// with the day of the week, "iso" as 2026-06-14.
	Date string `json:"date,omitempty"`
	// Additive tells that parts add up to the whole (sums and counts), so that
	// a missing period is zero and the rest folds into "Other". It follows
	// from the measure and is not part of a config.
	Additive bool `json:"-"`
}

// Input is one widget to draw.
type Input struct {
	Config Config
	Result *warehouse.Result
	// Spark is the value of a KPI over time; nil for no sparkline.
	Spark *warehouse.Result
	// Further are the answers to what Further asks for: totals of a table or
	// pivot, which can't be made of its cells.
	Further []*warehouse.Result
	// Limited tells that the query has a limit of its author's, so that what lies
	// beyond it is meant to be left out.
	Limited bool
	// Ranked tells that the author had it sorted by a measure, which goes before
	// the order that names of ranges have.
	Ranked bool
	// Largest tells that the query asks for the largest values first. Groups is
	// how many there are without a limit, 0 where that is not known.
	Largest bool
	Groups  int
	// Parts is how many values there are to split by where Result has the largest
	// of them alone, the others being in its rows of "Other", which the measure does
	// not fill: -1 where their number is not known, 0 where all are drawn.
	Parts int
	// Rows is how many rows a scatter of plain rows was drawn from; 0 when
	// Result holds all.
	Rows int
	// Across fixes the ends of the x axis of a scatter, as Encode.Axis does
	// those of the value axis.
	Across *[2]float64
	// Title is the widget's, for the sentence that describes it.
	Title string
	// Names are the names for people of result columns without a label in Format.
	Names map[string]string
	// Bins are the widths of binned dimensions.
	Bins map[string]float64
	// Edges are the rising lower edges of dimensions in bins of unlike widths;
	// the last one has no end.
	Edges map[string][]float64
	// Order fixes the series colours of values, so that a category keeps its
	// colour on every widget: the first is c1. Values that are not in it get
	// the colours that are free.
	Order []string
	// Plain tells that the rows are those of the dataset, not groups of them.
	Plain bool
	// Brush tells that a stretch of the time axis can be chosen as the date
	// range.
	Brush bool
	// Selected are the marks that a person clicked.
	Selected []Mark
	// Sort is the column that a table is sorted by, "-" before it for
	// descending. Page counts from 1.
	Sort     string
	Page     int
	PageSize int
	// Total is the number of rows of a table whose Result is one page only;
	// 0 when Result holds all rows.
	Total int
	Size  Size
	// Grid is the width in degrees of the cells that a map's places are put
	// together in, named by their south-western corner; 0 for the places themselves.
	Grid float64
	// Oldest and Newest are the ends of the data on the wall clock, whatever is
	// filtered; zero when unknown. A line begins and ends there: what lies
	// outside was not counted, so it is not zero.
	Oldest, Newest time.Time
	// Outlook is what a config with a forecast shows after the line; nil without.
	Outlook *Outlook
	// Today is the day that it is; zero where the data does not go by the clock.
	Today  time.Time
	Locale *locale.Locale
	Zone   *time.Location
	Words  Words
}

// Words are the texts that become part of a drawing, in the viewer's language.
type Words struct {
	Other    string // what is folded together: "Other"
	Previous string // the comparison: "Previous 28 days"
	ToDate   string // how far it goes, where rows lie ahead: "to 28 Nov 2026"
	UpTo     string // where in a day the span compared with is cut: "up to 1 Nov 2026, 09:45"; else empty
	NoValue  string // an empty dimension: "No value"
	True     string
	False    string
	Change   string // head of a table's column of changes: "vs prev."
	// Of a forecast: its line, its bands and their ends, the rule before it (the
	// second where the data does not reach today), marks of unusual values.
	Forecast, Interval80, Interval95, LowerEnd, UpperEnd, Today, LastData, Anomaly string
	Total                                                                          string
	Average                                                                        string
	Target                                                                         string
	// Parts say of a bucket that the date range cuts it: "part of the week".
	Parts ByGrain
}

// ByGrain are texts by grain.
type ByGrain struct {
	Minute, QuarterHour, Hour, Day, Week, Month, Quarter, Year string
}

func (b ByGrain) of(grain string) string {
	switch grain {
	case "minute":
		return b.Minute
	case "quarter_hour":
		return b.QuarterHour
	case "hour":
		return b.Hour
	case "day":
		return b.Day
	case "week":
		return b.Week
	case "month":
		return b.Month
	case "quarter":
		return b.Quarter
	}
	return b.Year
}

// English are the words in the source language.
var English = Words{Other: "Other", Previous: "Previous period", ToDate: "to date", NoValue: "No value", True: "Yes", False: "No", Change: "vs prev.",
	Forecast: "Forecast", Interval80: "80% interval", Interval95: "95% interval", LowerEnd: "lower end", UpperEnd: "upper end", Today: "Today", LastData: "Last data", Anomaly: "Unusual value",
	Total: "Total", Average: "Average", Target: "Target",
	Parts: ByGrain{"part of the minute", "part of the quarter of an hour", "part of the hour", "part of the day", "part of the week", "part of the month", "part of the quarter", "part of the year"}}

// Mark names one or more dimension values that a click selects: text for text,
// the number for numbers, ISO 8601 for dates. No value is Null.
type Mark []string

// Null is an empty dimension in a Mark. PostgreSQL and DuckDB texts can't hold it.
const Null = "\x00"

// State is what a widget can be, beside an error.
type State string

// The states.
const (
	Ready   State = "ready"
	Empty   State = "empty"    // no row matched
	TooMuch State = "too_much" // more points than a browser should get
	Unfit   State = "unfit"    // values that the type can't show: a share of what is below zero
)

// Message is a sentence of the message catalogue with its arguments, in pairs
// of name and value.
type Message struct {
	Key  string
	Args []any
}

// Drawing is a widget ready to be rendered.
type Drawing struct {
	Type  Type
	State State
	// Say is one sentence about what, range and change.
	Say Message
	// Chart is the JSON of a df-chart, Points that of a df-map.
	Chart  []byte
	Points []byte
	Legend []LegendItem
	KPI    *Figure
	Table  *Grid
	Ring   *Ring
	// Scale are the texts at the ends of a colour scale.
	Scale *[2]string
	// Count is the number of points drawn, or that would have been; AtLeast
	// tells that there are more.
	Count   int
	AtLeast bool `json:",omitzero"`
	// Sparse is, beside Empty, that what there is may have been left out.
	Sparse bool `json:",omitzero"`
	// Few is, beside Empty, that groups of few rows are withheld from who looks.
	Few bool `json:",omitzero"`
	// Fit is, beside TooMuch, what would fit, and beside Unfit why the values
	// do not.
	Fit Message `json:",omitzero"`
	// FitDays is, beside a Fit that is a grain, how many days would fit by the grain
	// that there is.
	FitDays int `json:",omitzero"`
	// Note is a quiet remark below: what the drawing leaves out (a sample,
	// series, names), or why there is no forecast.
	Note   Message `json:",omitzero"`
	Dial   *Dial   `json:",omitzero"`
	Words  []Word  `json:",omitzero"`
	Facets []Facet `json:",omitzero"`
	// HTML is a text, sanitised.
	HTML  string   `json:",omitzero"`
	Image *Picture `json:",omitzero"`
	// Missed are the names that a map of areas did not find.
	Missed []string `json:",omitzero"`
}

// Facet is one small chart of many.
type Facet struct {
	Name  string
	Mark  string // what a click on its name selects; empty: nothing
	Faded bool
	Chart []byte
	Say   Message
}

// Word is one entry of a word list.
type Word struct {
	Text  string
	Value string
	Size  int // 1 to 5, the largest
	Mark  string
	Faded bool
}

// Picture is an image out of the config.
type Picture struct{ URL, Alt string }

// Dial is a gauge: an SVG and the figures beside it.
type Dial struct {
	SVG       string
	Text      string
	Full      string
	Low, High string  // ends of the scale
	Status    *Status `json:",omitzero"`
}

// Status is what a value means, against a target or thresholds.
type Status struct {
	Tone   Tone
	Label  string // of the threshold, empty without one
	Target string // "£2.1M", empty without one
	Share  string // of the target: "96%"
}

// LegendItem is one line of a legend.
type LegendItem struct {
	Name   string
	Colour string // CSS variable: "--c1"
	Shape  Shape
	Text   string // value, where the legend has values
	Mark   string // what a click selects; empty: nothing
	Faded  bool   // not selected while others are
}

// Shape is the mark of a legend item; it repeats the dash of a line.
type Shape string

// The shapes.
const (
	Square Shape = "square"
	Solid  Shape = "line"
	Dashed Shape = "dash"
	Dotted Shape = "dot"
	Round  Shape = "round"
	// Band is a surface behind a line, WideBand a paler one around it.
	Band     Shape = "band"
	WideBand Shape = "band-wide"
	Hollow   Shape = "ring"
)

// Figure is a KPI.
type Figure struct {
	Text    string // "£2.02M", "—"
	Full    string // all digits, for the tooltip
	Empty   bool
	Delta   string // "6.2%", without its sign; empty without a comparison
	Arrow   int    // 1 up, -1 down, 0 unchanged
	Tone    Tone
	Against string // what it is compared with: "£1.90M"
	// Unknown names the time that it would be compared with where the data begin
	// only after it.
	Unknown string `json:",omitzero"`
	// SoFar is what compares with it, and ToDate how far that goes, where some of
	// the value lies ahead.
	SoFar, ToDate string `json:",omitzero"`
	// UpTo is where in a day the span compared with is cut, Over that span with it.
	UpTo, Over string  `json:",omitzero"`
	Spark      string  // SVG; empty without one
	Status     *Status `json:",omitzero"`
}

// Tone is whether something is good.
type Tone string

// The tones.
const (
	Neutral Tone = ""
	Good    Tone = "pos"
	Warn    Tone = "warn"
	Bad     Tone = "neg"
)

// Ring is the centre of a donut.
type Ring struct {
	Total string
	Of    string // what the total is of: "Net sales"
}

// Grid is a table: that of a table widget, or "View as table" of any other.
type Grid struct {
	Columns []GridColumn
	Rows    []GridRow
	// From and To are the first and last row shown, of Total; Pages from 1.
	From, To, Total int
	Page, Pages     int
	More            bool // Total is a lower bound
	// Heads are further rows of heads above the columns, of a pivot.
	Heads [][]GridHead `json:",omitzero"`
	// Totals is the row of totals; nil for none.
	Totals *GridRow `json:",omitzero"`
	Pin    bool     `json:",omitzero"`
	// Side is how many columns of a pivot head its rows.
	Side int `json:",omitzero"`
	// Whole tells that the last column has the totals of the rows.
	Whole bool `json:",omitzero"`
}

// GridHead is a head over several columns.
type GridHead struct {
	Text string
	Span int
}

// GridColumn is the head of a column.
type GridColumn struct {
	Key     string // what Sort takes; empty when it can't be sorted by
	Label   string
	Number  bool   // right aligned
	Time    bool   `json:",omitzero"` // dates and times
	Sorted  string // "", "asc" or "desc"
	Bar     bool
	Primary bool // among the first three, which narrow screens keep
}

// GridRow is one row.
type GridRow struct {
	Cells  []GridCell
	Mark   string // what a click selects; empty: nothing
	Picked bool
	Faded  bool
	// Heading is set for a row that only names the group below it.
	Heading string `json:",omitzero"`
	// Total marks a row of totals or subtotals.
	Total bool `json:",omitzero"`
}

// GridCell is one value.
type GridCell struct {
	Text string
	Sub  string  // quiet text after it
	Bar  float64 // 0 to 100 per cent; negative for none
	Tone Tone
	// Flag tells that Tone came from a rule: an icon repeats it.
	Flag bool `json:",omitzero"`
	Fill bool `json:",omitzero"` // the ground has the tone too
	// Shade is 1 to 5 by the size of the value, negative for one below the
	// middle of a diverging scale; 0 for none.
	Shade int `json:",omitzero"`
	// Span is over how many rows the cell reaches; 0 is one, -1 is covered by
	// the one above.
	Span int `json:",omitzero"`
}

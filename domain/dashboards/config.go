package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Schema is the version of the config that this program writes. It reads all
// earlier ones (see upcast.go). docs/dashboard-config.md describes it.
const Schema = 2

// Config is all that a dashboard shows. Widgets and filters are keyed by an id
// that never changes, so that an edit names what it edits whatever else
// happens around it.
type Config struct {
	Schema int `json:"schema"`
	// Dataset is what widgets and filters without one of their own ask.
	Dataset  ids.Dataset        `json:"dataset,omitzero"`
	Settings Settings           `json:"settings,omitzero"`
	Filters  map[string]Control `json:"filters,omitempty"`
	// Fields are calculated fields of this dashboard by name, used like columns
	// or, where they contain aggregates, like saved measures.
	Fields map[string]Formula `json:"fields,omitempty"`
	// Tabs divide the widgets; without any, all stand on one page.
	Tabs map[string]Tab `json:"tabs,omitempty"`
	// Hierarchies are columns that a viewer can drill down along.
	Hierarchies map[string]Hierarchy `json:"hierarchies,omitempty"`
	Widgets     map[string]Widget    `json:"widgets"`
}

// Settings are what all widgets of a dashboard share.
type Settings struct {
	// Zone is the IANA name of the zone that days and hours are counted in;
	// the viewer's when empty.
	Zone string `json:"zone,omitempty"`
	// Date is the date filter of the filter bar.
	Date DateSetting `json:"date,omitzero"`
	// Comparison is what values are compared with until a viewer chooses:
	// "previous" (the default), "year" or "none".
	Comparison string `json:"comparison,omitempty"`
	// Live makes open pages follow changes of the data.
	Live bool `json:"live,omitempty"`
	// Note stands beside the time of the data: "Replay of 2001".
	Note string `json:"note,omitempty"`
}

// DateSetting says which column the date range filters and what it starts with.
type DateSetting struct {
	// Column of the default dataset; its time column when empty, "-" for no
	// date filter at all.
	Column string `json:"column,omitempty"`
	// Default is a range in the form of the URL: "28d", "mtd", "all" (the
	// default), "2001-01-01~2001-03-31".
	Default string `json:"default,omitempty"`
}

// Control is one filter of the filter bar, beside the date range.
type Control struct {
	Label    string      `json:"label"`
	Column   string      `json:"column"`
	Dataset  ids.Dataset `json:"dataset,omitzero"`
	Position int         `json:"position,omitempty"` // from left to right; equal ones by id
	// Widgets are the ids of those that it filters; all that have the column
	// when absent.
	Widgets []string `json:"widgets,omitempty"`
	ControlOptions
}

// Formula is a calculated field over a dataset: an expression as
// docs/expressions.md describes it. Whether it fits the dataset is seen by the
// widgets that use it.
type Formula struct {
	Dataset    ids.Dataset   `json:"dataset,omitzero"` // the dashboard's when absent
	Expression string        `json:"expression"`
	Label      string        `json:"label,omitempty"` // the name for people
	Format     charts.Format `json:"format,omitzero"`
}

// Widget is one tile.
type Widget struct {
	charts.Config
	Title string `json:"title"`
	// Subtitle says grain, unit and scope. "{grain}" stands for the grain in
	// words: "Daily", "{mape}" for how far off the forecast was in its
	// back-test: "MAPE 3.8%".
	Subtitle string `json:"subtitle,omitempty"`
	Layout   Layout `json:"layout"`
	// Layouts are places of its own on narrower screens; without them the
	// widget finds its place by itself.
	Layouts Layouts `json:"layouts,omitzero"`
	// Locked widgets stay where they are in the editor.
	Locked bool `json:"locked,omitempty"`
	// Tab is the tab that the widget stands on; the first when empty or gone.
	Tab string `json:"tab,omitempty"`
	// Collapsed sections are closed until a viewer opens them.
	Collapsed bool  `json:"collapsed,omitempty"`
	Query     Query `json:"query,omitzero"`
	// Control is the filter that a widget of that type shows: its id, or
	// DateControl. InBar has the filter bar show it too.
	Control string `json:"control,omitempty"`
	InBar   bool   `json:"in_bar,omitempty"`
	// Through is the dashboard that a mark leads to, with its filters.
	Through ids.Dashboard `json:"through,omitzero"`
}

// Layouts are the places of a widget on narrower screens.
type Layouts struct {
	Tablet *Layout `json:"tablet,omitempty"` // on 6 columns
	Phone  *Phone  `json:"phone,omitempty"`
}

// Phone is a widget in the one column of a phone.
type Phone struct {
	// Y orders the widgets; equal ones stay in reading order, and those without
	// one come last.
	Y *int `json:"y,omitempty"`
	// H is the height in rows of the grid; 0 for that of the type.
	H      int  `json:"h,omitempty"`
	Hidden bool `json:"hidden,omitempty"`
}

// Layout is a place on the grid of 12 columns, from 0.
type Layout struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// Query is what a widget asks: a warehouse.Spec without what the dashboard adds
// to it (zone, date range, filters, comparison).
type Query struct {
	Dataset    ids.Dataset           `json:"dataset,omitzero"` // the dashboard's when absent
	Measures   []warehouse.Measure   `json:"measures,omitempty"`
	Dimensions []warehouse.Dimension `json:"dimensions,omitempty"` // grain "auto" fits the span
	Columns    []string              `json:"columns,omitempty"`
	Filters    []warehouse.Filter    `json:"filters,omitempty"`
	Order      []warehouse.Order     `json:"order,omitempty"`
	Limit      int                   `json:"limit,omitempty"`
	Other      bool                  `json:"other,omitempty"`
	// Date is the column that the date range filters; the time column of the
	// dataset when empty, "-" to leave the range out.
	Date string `json:"date,omitempty"`
	// Spark is the grain of a KPI's sparkline: "auto" (the default), a grain, or "-".
	Spark string `json:"spark,omitempty"`
	// Compare "-" leaves the comparison out of this widget.
	Compare string `json:"compare,omitempty"`
}

// GridColumns is the width of the grid, TabletColumns that of narrower screens.
const (
	GridColumns   = 12
	TabletColumns = 6
)

// Limits of a config.
const (
	MaxConfigBytes = 1 << 20
	// maxStoredBytes bounds what is read: the database writes the same config
	// with more blanks and longer numbers.
	maxStoredBytes = 4 * MaxConfigBytes
	MaxWidgets     = 60
	MaxControls    = 20
	MaxFields      = 100
	maxRows        = 1000
)

// AutoGrain is the grain that is chosen by the span of the date range.
const AutoGrain = "auto"

// Blank is the config of a dashboard without any widget yet, over a dataset.
func Blank(dataset ids.Dataset) Config {
	return Config{Schema: Schema, Dataset: dataset, Settings: Settings{Live: true}, Widgets: map[string]Widget{}}
}

// ParseConfig reads a config of any schema up to the current, strictly:
// an unknown key is an error.
//
// Errors: dashboards.config_invalid, dashboards.config_too_new.
func ParseConfig(data []byte) (Config, error) {
	if len(data) > maxStoredBytes {
		return Config{}, tooLarge(len(data), maxStoredBytes)
	}
	data, err := upcast(data, upcasters)
	if err != nil {
		return Config{}, err
	}
	var c Config
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, ErrConfig.With("The dashboard's config can't be read: %s.", jsonProblem(err)).Wrap(err)
	}
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// checkSize bounds what is written.
func (c *Config) checkSize() error {
	if n := len(c.JSON()); n > MaxConfigBytes {
		return tooLarge(n, MaxConfigBytes)
	}
	return nil
}

func tooLarge(bytes, most int) error {
	return ErrConfig.With("This dashboard is too large: its config has %d bytes, at most %d are possible.", bytes, most)
}

// jsonProblem is the part of a decoding error that a person can act on.
func jsonProblem(err error) string {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case asError(err, &syntax):
		return fmt.Sprintf("not JSON at byte %d", syntax.Offset)
	case asError(err, &typ):
		return fmt.Sprintf("%s must not be a %s", typ.Field, typ.Value)
	}
	// The decoder has no type for this one.
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return name + " is not a property that it can have"
	}
	return err.Error()
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

// Validate says whether the config fits together in itself. Whether columns
// exist is known only when a widget is drawn: a missing one fails that widget
// alone.
//
// Errors: dashboards.config_invalid.
func (c *Config) Validate() error {
	if c.Schema != Schema {
		return ErrConfig.With("The config has schema %d, expected %d.", c.Schema, Schema)
	}
	if c.Widgets == nil {
		return ErrConfig.With("The config has no widgets; an empty dashboard has \"widgets\": {}.")
	}
	if len(c.Widgets) > MaxWidgets {
		return ErrConfig.With("A dashboard has at most %d widgets, this one has %d.", MaxWidgets, len(c.Widgets))
	}
	if len(c.Filters) > MaxControls {
		return ErrConfig.With("A dashboard has at most %d filters, this one has %d.", MaxControls, len(c.Filters))
	}
	if err := c.Settings.validate(); err != nil {
		return err
	}
	for _, id := range sortedKeys(c.Filters) {
		f := c.Filters[id]
		switch {
		case !idPattern.MatchString(id):
			return ErrConfig.With("%q can't be the id of a filter.", id)
		case f.Column == "":
			return ErrConfig.With("Filter %q has no column.", id)
		case !shortText(f.Label, 80):
			return ErrConfig.With("The label of filter %q has to have 1 to 80 characters.", id)
		case f.Dataset.IsZero() && c.Dataset.IsZero():
			return ErrConfig.With("Filter %q has no dataset.", id)
		}
		if err := f.validate(id); err != nil {
			return err
		}
	}
	if err := c.validateHierarchies(); err != nil {
		return err
	}
	if len(c.Fields) > MaxFields {
		return ErrConfig.With("A dashboard has at most %d calculated fields, this one has %d.", MaxFields, len(c.Fields))
	}
	for _, name := range sortedKeys(c.Fields) {
		f := c.Fields[name]
		switch {
		case !shortText(name, 120):
			return ErrConfig.With("The name of a calculated field has 1 to 120 characters.")
		case f.Expression == "" || len(f.Expression) > 4000:
			return ErrConfig.With("The expression of the field %q has to have 1 to 4,000 bytes.", name)
		case utf8.RuneCountInString(f.Label) > 80:
			return ErrConfig.With("The label of the field %q has at most 80 characters.", name)
		case f.Dataset.IsZero() && c.Dataset.IsZero():
			return ErrConfig.With("The field %q has no dataset.", name)
		}
	}
	if err := c.validateTabs(); err != nil {
		return err
	}
	for _, id := range sortedKeys(c.Widgets) {
		if !idPattern.MatchString(id) {
			return ErrConfig.With("%q can't be the id of a widget.", id)
		}
		w := c.Widgets[id]
		if err := w.validate(); err != nil {
			return ErrConfig.With("Widget %q: %s", id, sentence(err)).Wrap(err)
		}
		if w.Type.Asks() && w.SetUp() && w.Query.Dataset.IsZero() && c.Dataset.IsZero() {
			return ErrConfig.With("Widget %q has no dataset.", id)
		}
	}
	return nil
}

func (s *Settings) validate() error {
	if s.Zone != "" {
		if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" {
			return ErrConfig.With("%q is no time zone.", s.Zone)
		}
	}
	switch s.Comparison {
	case "", ComparePrevious, CompareYear, CompareNone:
	default:
		return ErrConfig.With("%q is no comparison; it is previous, year or none.", s.Comparison)
	}
	if s.Date.Default != "" {
		if _, err := ParseRange(s.Date.Default); err != nil {
			return ErrConfig.With("%q is no date range.", s.Date.Default)
		}
	}
	if utf8.RuneCountInString(s.Note) > 120 {
		return ErrConfig.With("The note has at most 120 characters.")
	}
	return nil
}

func (w *Widget) validate() error {
	if !w.Type.Known() {
		return ErrConfig.With("%q is no type of widget.", w.Type)
	}
	if !shortText(w.Title, 120) {
		return ErrConfig.With("A title has 1 to 120 characters.")
	}
	if utf8.RuneCountInString(w.Subtitle) > 200 {
		return ErrConfig.With("A subtitle has at most 200 characters.")
	}
	if err := w.Layout.validate(w.Type); err != nil {
		return err
	}
	if err := w.Layouts.validate(); err != nil {
		return err
	}
	if w.Tab != "" && !idPattern.MatchString(w.Tab) {
		return ErrConfig.With("%q can't be the id of a tab.", w.Tab)
	}
	if w.Collapsed && w.Type != charts.Section {
		return ErrConfig.With("Only a section can be closed.")
	}
	if w.Type != charts.Control && (w.Control != "" || w.InBar) {
		return ErrConfig.With("Only a control shows a filter.")
	}
	if w.Control != "" && !idPattern.MatchString(w.Control) {
		return ErrConfig.With("%q can't be the id of a filter.", w.Control)
	}
	if err := validateEncode(w); err != nil {
		return err
	}
	q := &w.Query
	if !w.Type.Asks() {
		return w.validateContent()
	}
	if w.Text != "" || w.URL != "" || w.Alt != "" {
		return ErrConfig.With("Only texts and images have a text, a url or an alt.")
	}
	if len(q.Columns) > 0 {
		if !w.Type.Rows() {
			return ErrConfig.With("Only a table or a scatter shows plain columns.")
		}
		if len(q.Measures) > 0 || len(q.Dimensions) > 0 {
			return ErrConfig.With("A query has either columns or measures and dimensions.")
		}
	}
	least, most := w.Type.Dimensions()
	if w.Encode.Facet != "" {
		least, most = least+1, most+1
	}
	// Fewer than the type needs are possible: the widget is not set up then.
	if len(q.Columns) == 0 && len(q.Dimensions) > most {
		if least == most {
			return ErrConfig.With("A %s has %d dimensions, the query has %d.", w.Type, least, len(q.Dimensions))
		}
		return ErrConfig.With("A %s has %d to %d dimensions, the query has %d.", w.Type, least, most, len(q.Dimensions))
	}
	if q.Limit < 0 {
		return ErrConfig.With("A limit is not negative.")
	}
	return w.Forecast.Validate(w.Type, len(q.Dimensions))
}

// validateContent checks a widget without a query.
func (w *Widget) validateContent() error {
	if !reflect.ValueOf(w.Query).IsZero() {
		return ErrConfig.With("A %s has no query.", w.Type)
	}
	switch {
	case w.Type == charts.Text && (len(w.Text) > charts.MaxTextBytes || !utf8.ValidString(w.Text)):
		return ErrConfig.With("A text has at most %d bytes of UTF-8.", charts.MaxTextBytes)
	case w.Type != charts.Text && w.Text != "":
		return ErrConfig.With("A %s has no text.", w.Type)
	case w.Type == charts.Image && w.URL != "" && !charts.SafeImage(w.URL):
		return ErrConfig.With("An image is a path on this server (\"/…\") or a data: URL of PNG, JPEG, GIF or WebP of at most %d kB.", charts.MaxImageBytes>>10)
	case w.Type != charts.Image && (w.URL != "" || w.Alt != ""):
		return ErrConfig.With("Only an image has a url and an alt.")
	case utf8.RuneCountInString(w.Alt) > 500:
		return ErrConfig.With("The description of an image has at most 500 characters.")
	}
	return nil
}

// validateEncode checks the parts of an encoding that have a closed set of
// values. Names of columns are checked when the widget is drawn.
func validateEncode(w *Widget) error {
	e := &w.Encode
	for _, set := range []struct {
		key, value string
		known      []string
	}{
		{"stack", e.Stack, []string{"normal", "percent", "none"}},
		{"whiskers", e.Whiskers, []string{"range"}},
		{"layer", e.Layer, []string{charts.LayerPoints, charts.LayerClusters, charts.LayerHeat, charts.LayerAreas, charts.LayerLines}},
	} {
		if set.value != "" && !slices.Contains(set.known, set.value) {
			return ErrConfig.With("%q is no %s; it is one of %s.", set.value, set.key, strings.Join(set.known, ", "))
		}
	}
	if len(e.Lines) > maxLines {
		return ErrConfig.With("A widget has at most %d lines, this one has %d.", maxLines, len(e.Lines))
	}
	for _, line := range e.Lines {
		kinds := 0
		for _, is := range []bool{line.Value != nil, line.Average, line.Date != ""} {
			if is {
				kinds++
			}
		}
		if kinds != 1 || utf8.RuneCountInString(line.Label) > 80 {
			return ErrConfig.With("A line stands at a value, at the average or at a date, and its label has at most 80 characters.")
		}
	}
	if err := validateThresholds(e.Thresholds); err != nil {
		return err
	}
	for _, cell := range e.Columns {
		if cell.Scale != "" && cell.Scale != "seq" && cell.Scale != "div" {
			return ErrConfig.With("%q is no scale of a column; it is seq or div.", cell.Scale)
		}
		if err := validateThresholds(cell.Rules); err != nil {
			return err
		}
	}
	return nil
}

func validateThresholds(list []charts.Threshold) error {
	if len(list) > 10 {
		return ErrConfig.With("There are at most 10 thresholds.")
	}
	for i, t := range list {
		switch t.Tone {
		case charts.Neutral, charts.Good, charts.Warn, charts.Bad:
		default:
			return ErrConfig.With("%q is no tone; it is pos, warn or neg.", t.Tone)
		}
		if i > 0 && t.From <= list[i-1].From {
			return ErrConfig.With("Thresholds stand in order, each above the one before.")
		}
		if utf8.RuneCountInString(t.Label) > 40 {
			return ErrConfig.With("The label of a threshold has at most 40 characters.")
		}
	}
	return nil
}

func (l *Layouts) validate() error {
	if t := l.Tablet; t != nil && (t.X < 0 || t.Y < 0 || t.Y > maxRows || t.W < 1 || t.H < 1 || t.W > TabletColumns || t.X > TabletColumns-t.W || t.H > 200) {
		return ErrConfig.With("The place lies outside the grid of %d columns.", TabletColumns)
	}
	if p := l.Phone; p != nil && (p.Y != nil && (*p.Y < 0 || *p.Y > maxRows) || p.H < 0 || p.H > 200) {
		return ErrConfig.With("The place on a phone lies outside the grid.")
	}
	return nil
}

func (l Layout) validate(t charts.Type) error {
	smallest := t.SmallestSize()
	switch {
	case l.X < 0 || l.Y < 0 || l.Y > maxRows:
		return ErrConfig.With("The place lies outside the grid.")
	case l.W < smallest.W || l.H < smallest.H:
		return ErrConfig.With("A %s is at least %d by %d.", t, smallest.W, smallest.H)
	case l.W > GridColumns || l.X > GridColumns-l.W || l.H > 200:
		return ErrConfig.With("The place lies outside the grid of %d columns.", GridColumns)
	}
	return nil
}

// Order is the ids of the widgets in reading order: tab by tab, and within each
// band by band from the top, where a band ends at a line that no widget
// crosses, and within a band column by column. So figures stacked beside a
// chart are read before it.
func (c *Config) Order() []string {
	if len(c.Tabs) == 0 {
		return readingOrder(c.places(""))
	}
	var order []string
	for _, tab := range c.TabOrder() {
		order = append(order, readingOrder(c.places(tab))...)
	}
	return order
}

// Datasets lists the datasets that the config asks, the default first.
func (c *Config) Datasets() []ids.Dataset {
	var list []ids.Dataset
	seen := map[ids.Dataset]bool{{}: true}
	add := func(id ids.Dataset) {
		if !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	used := false
	for _, w := range c.Widgets {
		used = used || (w.Type.Asks() || w.Type == charts.Control) && w.Query.Dataset.IsZero()
	}
	if used || len(c.Filters) > 0 || len(c.Widgets) == 0 {
		add(c.Dataset)
	}
	for _, id := range c.Order() {
		if w := c.Widgets[id]; w.Type.Asks() {
			add(w.Query.Dataset)
		}
	}
	for _, id := range sortedKeys(c.Filters) {
		add(c.Filters[id].Dataset)
	}
	return list
}

// dataset is the dataset that a widget or filter with this setting asks.
func (c *Config) dataset(own ids.Dataset) ids.Dataset {
	if own.IsZero() {
		return c.Dataset
	}
	return own
}

// fields are the expressions of the calculated fields over a dataset, by name.
func (c *Config) fields(dataset ids.Dataset) map[string]string {
	var fields map[string]string
	for name, f := range c.Fields {
		if c.dataset(f.Dataset) != dataset {
			continue
		}
		if fields == nil {
			fields = map[string]string{}
		}
		fields[name] = f.Expression
	}
	return fields
}

// JSON is the config as it is stored.
func (c *Config) JSON() []byte {
	data, err := json.Marshal(c)
	if err != nil {
		panic("dashboards: config can't be written: " + err.Error()) // RawMessages were parsed before
	}
	return data
}

func shortText(text string, most int) bool {
	n := utf8.RuneCountInString(text)
	return n > 0 && n <= most && utf8.ValidString(text)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

package charts

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Draw makes the drawing of one widget.
//
// Errors: charts.config when the config names a column that the result lacks.
func Draw(in Input) (*Drawing, error) {
	if !in.Config.Type.Known() {
		return nil, ErrConfig.With("%q is no type of widget.", in.Config.Type)
	}
	if in.Size == (Size{}) {
		in.Size = in.Config.Type.DefaultSize()
	}
	if !in.Config.Type.Asks() {
		in.Result = &warehouse.Result{}
	}
	d, err := begin(in)
	if err != nil {
		return nil, err
	}
	if !in.Config.Type.Asks() {
		return d.out, kinds[in.Config.Type].draw(d)
	}
	if in.Config.Encode.Facet != "" && in.Result.Rows > 0 {
		return d.out, d.facets()
	}
	d.out.Few = in.Result.Rows == 0 && in.Result.Few
	if in.Config.Type != KPI && in.Config.Type != Table && in.Result.Rows == 0 {
		d.out.State, d.out.Sparse = Empty, in.Result.Sparse
		return d.out, nil
	}
	if err := kinds[in.Config.Type].draw(d); err != nil {
		return nil, err
	}
	d.noteAhead()
	d.noteOpen()
	return d.out, nil
}

// NoteAhead is the note of a drawing whose comparison does not go as far as it.
const (
	NoteAhead = "charts.note.ahead"
	noteSoFar = "charts.note.so_far" // of one that goes as far as the comparison
)

// noteAhead says how far a comparison goes where there are later rows. A KPI says
// it beside the value that it is compared with.
func (d *drawing) noteAhead() {
	if at := d.Result.ToDate; !at.IsZero() && d.out.KPI == nil && d.out.Note.Key == "" {
		d.out.Note = Message{Key: NoteAhead, Args: []any{"Day", d.Locale.Date(asWall(at).Add(-time.Microsecond))}}
		if d.Config.Type == Waterfall { // changes are of what has happened
			d.out.Note.Key = noteSoFar
		}
	}
}

// noteOpen says which bucket is not over, and what it has so far where that is one
// number.
func (d *drawing) noteOpen() {
	if d.open.IsZero() || d.out.State != Ready || d.out.Note.Key != "" {
		return
	}
	x, err := d.dimension(d.Config.Encode.X, 0)
	if err != nil || !isTime(x) {
		return
	}
	found, rows := -1, 0
	for i := range d.Result.Rows {
		if !x.IsNull(i) && floor(d.wall(x, i), d.openGrain).Equal(d.open) {
			found, rows = i, rows+1
		}
	}
	if rows == 0 {
		return
	}
	args := []any{"Period", d.Locale.Bucket(d.open, bucketGrain(d.openGrain), true)}
	d.out.Note = Message{Key: NoteOpen, Args: args}
	y, err := d.value()
	if err != nil || rows > 1 || len(d.dims) > 1 || d.Config.Type == Combo || d.Config.Encode.Also != "" {
		return
	}
	if span := d.Result.Span; span != nil && !span.From.IsZero() {
		if from, _ := d.spanWall(span); from.After(d.open) {
			return // the range has not all of what there is so far
		}
	}
	if v, ok := number(y, found); ok {
		d.out.Note = Message{Key: NoteOpenPeriod, Args: append(args, "Value", d.Locale.KPI(v, d.format(y)))}
	}
}

// obj is a JSON object; json.Marshal writes its keys in order.
type obj = map[string]any

// drawing is a drawing in the making.
type drawing struct {
	Input
	dims     []*warehouse.ResultColumn
	measures []*warehouse.ResultColumn // without the columns that a comparison adds
	otherRow int                       // that folds what lies beyond the query's limit; -1 for none
	// open is the start of the bucket on the axis that is not over, and openGrain how
	// long that is; zero for none.
	open      time.Time
	openGrain string
	out       *Drawing
}

func begin(in Input) (*drawing, error) {
	if in.Result == nil {
		return nil, fmt.Errorf("draw %s: no result", in.Config.Type)
	}
	if in.Locale == nil {
		in.Locale = locale.Default()
	}
	if in.Zone == nil {
		in.Zone = time.UTC
	}
	if in.Words == (Words{}) {
		in.Words = English
	}
	d := &drawing{Input: in, otherRow: otherRow(in.Result), out: &Drawing{Type: in.Config.Type, State: Ready}}
	for i := range in.Result.Columns {
		c := &in.Result.Columns[i]
		switch {
		case c.Dimension:
			d.dims = append(d.dims, c)
		case warehouse.MeasureOf(c.Name) == c.Name:
			d.measures = append(d.measures, c)
		}
	}
	return d, nil
}

// column finds a result column by name; nil for an empty name.
func (d *drawing) column(name string) (*warehouse.ResultColumn, error) {
	if name == "" {
		return nil, nil
	}
	for i := range d.Result.Columns {
		if d.Result.Columns[i].Name == name {
			return &d.Result.Columns[i], nil
		}
	}
	return nil, ErrConfig.With("The widget draws %q, which its query does not answer.", name)
}

// dimension is the dimension of that name, or the nth where no name is given.
func (d *drawing) dimension(name string, n int) (*warehouse.ResultColumn, error) {
	if c, err := d.column(name); c != nil || err != nil {
		return c, err
	}
	if n < len(d.dims) {
		return d.dims[n], nil
	}
	return nil, ErrConfig.With("A %s needs %d dimensions.", d.Config.Type, n+1)
}

// value is the measure that is drawn.
func (d *drawing) value() (*warehouse.ResultColumn, error) {
	if c, err := d.column(d.Config.Encode.Value); c != nil || err != nil {
		return c, err
	}
	if len(d.measures) > 0 {
		return d.measures[0], nil
	}
	return nil, ErrConfig.With("A %s needs a measure.", d.Config.Type)
}

// previous is the comparison of a measure; nil without one, and where nothing is
// known of the time before.
func (d *drawing) previous(c *warehouse.ResultColumn) *warehouse.ResultColumn {
	p, err := d.column(c.Name + warehouse.PreviousSuffix)
	if err != nil || d.beforeData() {
		return nil
	}
	for row := range d.Result.Rows {
		if !p.IsNull(row) {
			return p
		}
	}
	return nil // nothing is known of it, which is no zero
}

// beforeData tells whether all that values are compared with lies before the first
// row of the data.
func (d *drawing) beforeData() bool {
	then := d.Result.Previous
	if then == nil || d.Oldest.IsZero() {
		return false
	}
	_, to := d.spanWall(then)
	return !to.After(d.Oldest)
}

// compared names the span that values are compared with, and where it is cut.
func (d *drawing) compared() string {
	if d.Words.UpTo == "" {
		return d.Words.Previous
	}
	return d.Words.Previous + ", " + d.Words.UpTo
}

// toDate is what compares with previous: the measure itself, or what it was by now
// where some of it lies ahead.
func (d *drawing) toDate(c *warehouse.ResultColumn) *warehouse.ResultColumn {
	if p, err := d.column(c.Name + warehouse.ToDateSuffix); err == nil {
		return p
	}
	return c
}

// Number is row i of a column as a number; ok is false where there is none.
func Number(c *warehouse.ResultColumn, i int) (v float64, ok bool) { return number(c, i) }

// number is row i as a number; ok is false where there is none.
func number(c *warehouse.ResultColumn, i int) (v float64, ok bool) {
	if c.IsNull(i) {
		return 0, false
	}
	switch {
	case c.Floats != nil:
		v = c.Floats[i]
	case c.Ints != nil:
		v = float64(c.Ints[i])
	default:
		return 0, false
	}
	return v, !math.IsNaN(v) && !math.IsInf(v, 0)
}

// isNumber tells whether the column is written as numbers.
func isNumber(c *warehouse.ResultColumn) bool {
	switch c.Type {
	case warehouse.Integer, warehouse.Float, warehouse.Decimal:
		return c.Grain == ""
	}
	return false
}

// isTime tells whether the column is a place on the calendar.
func isTime(c *warehouse.ResultColumn) bool {
	switch c.Type {
	case warehouse.Date, warehouse.Timestamp, warehouse.TimestampTZ:
		return true
	}
	return false
}

// wall is row i on the clock of the chart's zone, written as UTC so that
// calendar arithmetic is free of clock changes.
func (d *drawing) wall(c *warehouse.ResultColumn, i int) time.Time {
	switch c.Type {
	case warehouse.Date:
		return time.Unix(c.Ints[i]*86400, 0).UTC()
	case warehouse.TimestampTZ:
		return asWall(time.UnixMicro(c.Ints[i]).In(d.Zone))
	}
	return time.UnixMicro(c.Ints[i]).UTC()
}

func asWall(t time.Time) time.Time {
	y, m, day := t.Date()
	return time.Date(y, m, day, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// name is what people call a result column.
func (d *drawing) name(c *warehouse.ResultColumn) string {
	if f, ok := d.Config.Format[c.Name]; ok && f.Label != "" {
		return f.Label
	}
	if name := d.Names[c.Name]; name != "" {
		return name
	}
	return Humanise(c.Name)
}

// Humanise makes a name for people of one for machines: "mean_delay" is "Mean delay".
func Humanise(name string) string {
	name = Spaced(name)
	if name == "" {
		return ""
	}
	r := []rune(name)
	return strings.ToUpper(string(r[:1])) + string(r[1:])
}

// Spaced is a name for machines as it stands within a sentence: its words apart,
// and each as it was written.
func Spaced(name string) string {
	return strings.TrimSpace(strings.NewReplacer("_", " ", ".", " ").Replace(name))
}

// text is row i as people read it.
func (d *drawing) text(c *warehouse.ResultColumn, i int) string {
	if c.IsNull(i) {
		return d.Words.NoValue
	}
	switch c.Type {
	case warehouse.Text:
		return c.Texts[i]
	case warehouse.Boolean:
		if c.Ints[i] != 0 {
			return d.Words.True
		}
		return d.Words.False
	case warehouse.Date, warehouse.Timestamp, warehouse.TimestampTZ:
		return d.moment(c, i)
	}
	switch c.Grain {
	case "weekday":
		return d.Locale.Weekday(int(c.Ints[i]))
	case "hour_of_day":
		return fmt.Sprintf("%02d", c.Ints[i])
	case "month_of_year":
		if m := c.Ints[i]; m >= 1 && m <= 12 {
			return d.Locale.Months[m-1]
		}
	}
	v, ok := number(c, i)
	if !ok {
		return locale.Missing
	}
	if d.binned(c) {
		return binText(d.Locale, d.format(c), v, d.Bins[c.Name], d.Edges[c.Name])
	}
	return d.Locale.Full(v, d.format(c))
}

// binned tells whether a dimension is bins of numbers, which have an order.
func (in *Input) binned(c *warehouse.ResultColumn) bool {
	return in.Bins[c.Name] > 0 || len(in.Edges[c.Name]) > 0
}

// binText is a bin by both its ends, as far as it has them.
func binText(l *locale.Locale, f locale.Format, low, width float64, edges []float64) string {
	high := low + width
	if len(edges) > 0 {
		next := sort.SearchFloat64s(edges, low) + 1
		if next >= len(edges) {
			return "≥ " + l.Axis(low, f)
		}
		high = edges[next]
	}
	lower := f
	lower.Unit = "" // said once
	return l.Axis(low, lower) + " – " + l.Axis(high, f)
}

func (d *drawing) moment(c *warehouse.ResultColumn, i int) string {
	t := d.wall(c, i)
	switch {
	case c.Grain == "day" || c.Type == warehouse.Date && c.Grain == "":
		return d.day(c, t)
	case c.Grain != "" && !finer(c.Grain, "day"):
		return d.Locale.Bucket(t, bucketGrain(c.Grain), true)
	case c.Type == warehouse.Date:
		return d.day(c, t)
	}
	return d.day(c, t) + ", " + d.Locale.Time(t)
}

// day is a date as the format of its column has it.
func (d *drawing) day(c *warehouse.ResultColumn, t time.Time) string {
	switch d.settings(c).Date {
	case "iso":
		return t.Format(time.DateOnly)
	case "weekday":
		return d.Locale.Weekday((int(t.Weekday())+6)%7+1) + " " + d.Locale.Date(t)
	}
	if c.Grain == "day" {
		return d.Locale.Bucket(t, bucketGrain(c.Grain), true)
	}
	return d.Locale.Date(t)
}

// key is row i as a mark names it.
func (d *drawing) key(c *warehouse.ResultColumn, i int) string {
	if c.IsNull(i) {
		return Null
	}
	switch c.Type {
	case warehouse.Text:
		return c.Texts[i]
	case warehouse.Boolean:
		if c.Ints[i] != 0 {
			return "true"
		}
		return "false"
	case warehouse.Date:
		return d.wall(c, i).Format(time.DateOnly)
	case warehouse.Timestamp, warehouse.TimestampTZ:
		t := d.wall(c, i)
		if c.Grain != "" && !finer(c.Grain, "day") {
			return t.Format(time.DateOnly)
		}
		return t.Format("2006-01-02T15:04:05.999999")
	}
	if c.Ints != nil {
		return strconv.FormatInt(c.Ints[i], 10)
	}
	if c.Exact != nil && c.Exact[i] != "" {
		return c.Exact[i]
	}
	return strconv.FormatFloat(c.Floats[i], 'f', -1, 64)
}

// mark is the word that a click on row i selects; empty where it selects nothing.
func (d *drawing) mark(i int, columns ...*warehouse.ResultColumn) string {
	if len(columns) == 0 || d.isOther(i) {
		return ""
	}
	m := make(Mark, len(columns))
	for n, c := range columns {
		m[n] = d.key(c, i)
	}
	return m.Word()
}

// selects are the columns that a click selects by.
func (d *drawing) selects() ([]*warehouse.ResultColumn, error) {
	names := make([]string, len(d.dims))
	for i, c := range d.dims {
		names[i] = c.Name
	}
	var columns []*warehouse.ResultColumn
	for _, name := range SelectColumns(d.Config, names) {
		c, err := d.column(name)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// picked tells by word what is selected; nil when nothing is.
func (d *drawing) picked() map[string]bool {
	if len(d.Selected) == 0 {
		return nil
	}
	words := make(map[string]bool, len(d.Selected))
	for _, m := range d.Selected {
		words[m.Word()] = true
	}
	return words
}

// fade is how what is not selected looks while something else is.
const fade = 0.38

// format is the number format of a result column.
func (d *drawing) format(c *warehouse.ResultColumn) locale.Format {
	return d.Config.Format[warehouse.MeasureOf(c.Name)].number(c.Type == warehouse.Integer)
}

// number turns the format of a config into that of package locale.
// Number is how values of the format are written.
func (f Format) Number(integer bool) locale.Format { return f.number(integer) }

func (f Format) number(integer bool) locale.Format {
	out := locale.Format{Style: locale.Style(f.Style), Unit: f.Unit, Decimals: f.Decimals, Integer: integer && f.Style != "percent"}
	if out.Style == "" {
		out.Style = locale.Number
	}
	if out.Style == locale.Currency {
		out.Symbol = currencySymbol(f.Currency)
	}
	return out
}

// settings is the part of the config's format beyond how numbers are written.
func (d *drawing) settings(c *warehouse.ResultColumn) Format {
	return d.Config.Format[warehouse.MeasureOf(c.Name)]
}

// tone says whether a change in that direction is good for the measure.
func tone(direction int, better string) Tone {
	switch {
	case direction == 0 || better == "":
		return Neutral
	case direction > 0 == (better == "higher"):
		return Good
	}
	return Bad
}

// hue is the colour of what has one colour only.
func (d *drawing) hue() string {
	switch h := d.Config.Encode.Hue; h {
	case "c1", "c2", "c3", "c4", "c5", "c6", "c7":
		return "--" + h
	}
	return "--c1"
}

func cssVar(name string) string { return "var(" + name + ")" }

// formatter stands for a function that writes values in the browser.
func formatter(place string, f locale.Format) obj {
	return obj{"$format": placed(place, f)}
}

func placed(place string, f locale.Format) obj {
	o := obj{"place": place, "fmt": string(f.Style)}
	if f.Symbol != "" {
		o["symbol"] = f.Symbol
	}
	if f.Unit != "" {
		o["unit"] = f.Unit
	}
	if f.Decimals != nil {
		o["decimals"] = *f.Decimals
	}
	if f.Integer {
		o["integer"] = true
	}
	return o
}

// chart stores the JSON for df-chart.
func (d *drawing) chart(option, df obj) error {
	data, err := json.Marshal(obj{"option": option, "df": df})
	if err != nil {
		return fmt.Errorf("write chart: %w", err)
	}
	d.out.Chart = data
	return nil
}

// short keeps ten significant digits of what is sent to be drawn.
func short(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 10, 64), 64)
	if err != nil {
		return v
	}
	return r
}

// tooMuch leaves a drawing that says how much there would have been, at least
// where the answer is not whole.
func (d *drawing) tooMuch(points int) error {
	d.out.State, d.out.Count, d.out.AtLeast = TooMuch, points, d.out.AtLeast || d.Result.More
	if d.Result.More && d.Result.Rows > MaxPoints { // each of the groups is a point
		d.out.Count = max(points, MaxPoints)
	}
	return nil
}

// cut tells whether groups are missing that the query's author did not leave out.
func (d *drawing) cut() bool { return d.Result.More && !d.Limited }

// say sets the sentence that describes the drawing.
func (d *drawing) say(key string, args ...any) {
	d.out.Say = Message{Key: "charts.say." + key, Args: append([]any{"Title", d.Title}, args...)}
}

// extremes are the rows with the least and the largest value; -1 without one.
func extremes(c *warehouse.ResultColumn, rows int) (least, most int) {
	return extremesBut(c, rows, func(int) bool { return false })
}

// extremesBut are the extremes of the rows that are not left out.
func extremesBut(c *warehouse.ResultColumn, rows int, leftOut func(row int) bool) (least, most int) {
	least, most = -1, -1
	var low, high float64
	for i := range rows {
		v, ok := number(c, i)
		if !ok || leftOut(i) {
			continue
		}
		if least < 0 || v < low {
			least, low = i, v
		}
		if most < 0 || v > high {
			most, high = i, v
		}
	}
	return least, most
}

// ValueOf is one value of a dimension as a mark names it.
type ValueOf struct {
	Type  warehouse.Type
	Grain string
	Bin   float64
	Edges []float64 // as of Input
	Value string
}

// ValueText is a value of a mark as people read it.
func ValueText(v ValueOf, l *locale.Locale, words Words) string {
	if v.Value == Null {
		return words.NoValue
	}
	if v.Value == "" {
		return words.NoValue
	}
	switch v.Grain {
	case "weekday":
		if n, err := strconv.Atoi(v.Value); err == nil {
			return l.Weekday(n)
		}
	case "hour_of_day":
		if n, err := strconv.Atoi(v.Value); err == nil {
			return fmt.Sprintf("%02d", n)
		}
	case "month_of_year":
		if n, err := strconv.Atoi(v.Value); err == nil && n >= 1 && n <= 12 {
			return l.Months[n-1]
		}
	}
	switch v.Type {
	case warehouse.Boolean:
		if v.Value == "true" {
			return words.True
		}
		return words.False
	case warehouse.Date, warehouse.Timestamp, warehouse.TimestampTZ:
		for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05.999999"} {
			if t, err := time.Parse(layout, v.Value); err == nil {
				if v.Grain != "" {
					return l.Bucket(t, bucketGrain(v.Grain), true)
				}
				if layout == time.DateOnly {
					return l.Date(t)
				}
				return l.DateTime(t)
			}
		}
	case warehouse.Integer, warehouse.Float, warehouse.Decimal:
		if n, err := strconv.ParseFloat(v.Value, 64); err == nil {
			if v.Bin > 0 || len(v.Edges) > 0 {
				return binText(l, locale.Format{}, n, v.Bin, v.Edges)
			}
			return l.Full(n, locale.Format{Style: locale.Number})
		}
	}
	return v.Value
}

// Values lists a dimension of a result as marks name its values.
func Values(r *warehouse.Result, column int) []string {
	d := drawing{Input: Input{Result: r, Zone: time.UTC}}
	values := make([]string, 0, r.Rows)
	for i := range r.Rows {
		values = append(values, d.key(&r.Columns[column], i))
	}
	return values
}

package dashboards

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Filter is one filter of a widget's own.
type Filter = warehouse.Filter

// CountField is the field that stands for the number of rows.
const CountField = "*"

// Field is what can be dropped on a widget: a column of the dataset or of what
// it looks up in, a saved measure, or the number of rows.
type Field struct {
	Name    string // "channel", "store.region", the name of a saved measure, or CountField
	Type    warehouse.Type
	Role    string // of the column: "latitude", "longitude" or ""
	Format  datasets.Format
	Measure bool   // for calculating; else for grouping
	Saved   bool   // a measure with a definition of its own
	Lookup  string // that the column comes from; "" for the dataset's own
	About   string // what its owner wrote about it
}

// Label is the field as people say it.
func (f Field) Label() string {
	if f.Name == CountField {
		return "Rows"
	}
	return charts.Humanise(lastPart(f.Name))
}

// within is the label within a sentence.
func (f Field) within() string {
	if f.Name == CountField {
		return "rows"
	}
	return charts.Spaced(lastPart(f.Name))
}

// Temporal tells whether the field is a date or a moment.
func (f Field) Temporal() bool { return temporal(f.Type) }

// Day tells whether the field holds days without a time.
func (f Field) Day() bool { return f.Type == warehouse.Date }

// Boolean tells whether the field holds yes or no.
func (f Field) Boolean() bool { return f.Type == warehouse.Boolean }

// FilterKinds are the kinds of filters that go with the field, the most usual
// first.
func (f Field) FilterKinds() []string {
	switch {
	case f.Boolean():
		return []string{KindBoolean}
	case f.Temporal():
		return []string{KindDate}
	case f.Type == warehouse.Float || f.Type == warehouse.Decimal:
		return []string{KindRange}
	case f.Numeric():
		return []string{KindValues, KindRange, KindTop}
	}
	return []string{KindValues, KindText, KindTop}
}

// Numeric tells whether the field holds numbers.
func (f Field) Numeric() bool { return numeric(f.Type) }

// field finds what a name stands for. Columns go before measures.
func (d *drafter) field(sc *schema, name string) (Field, error) {
	if name == CountField {
		return Field{Name: name, Type: warehouse.Integer, Measure: true}, nil
	}
	if c, ok := sc.find(name); ok {
		return d.columnField(sc, name, c), nil
	}
	for _, m := range sc.Measures {
		if m.Name == name {
			return Field{Name: name, Type: warehouse.Float, Format: m.Format, Measure: true, Saved: true, About: m.Description}, nil
		}
	}
	for _, calculated := range []map[string]field{sc.own, sc.calculated} {
		if f, ok := calculated[name]; ok {
			return Field{Name: name, Type: f.column.Type, Format: f.column.Format, Measure: true, Saved: true, About: f.label}, nil
		}
	}
	return Field{}, ErrAct.With("%s has no field %q. Reload the page to see its fields as they are.", sc.Name, clip(name))
}

func (d *drafter) columnField(sc *schema, name string, c datasets.Column) Field {
	f := Field{Name: name, Type: c.Type, Role: c.Role, Format: c.Format, About: c.Description}
	if lookup, _, ok := strings.Cut(name, "."); ok {
		if _, own := sc.ColumnByName(name); !own {
			f.Lookup = lookup
		}
	}
	facts := d.factsOf(sc)
	f.Measure = f.Lookup == "" && facts.isMeasure(d.columnFacts(sc, name, c))
	return f
}

// fields lists what a dataset offers, its own columns first, then measures,
// then what it looks up.
func (d *drafter) fields(sc *schema) []Field {
	list := make([]Field, 0, len(sc.Columns)+len(sc.Measures)+1)
	for _, c := range sc.Columns {
		list = append(list, d.columnField(sc, c.Name, c))
	}
	for _, m := range sc.Measures {
		list = append(list, Field{Name: m.Name, Type: warehouse.Float, Format: m.Format, Measure: true, Saved: true, About: m.Description})
	}
	for _, calculated := range []map[string]field{sc.own, sc.calculated} {
		for _, name := range sortedKeys(calculated) {
			f := calculated[name]
			if f.measure {
				list = append(list, Field{Name: name, Type: f.column.Type, Format: f.column.Format, Measure: true, Saved: true, About: f.label})
			} else {
				list = append(list, d.columnField(sc, name, f.column))
			}
		}
	}
	list = append(list, Field{Name: CountField, Type: warehouse.Integer, Measure: true})
	for _, lookup := range sc.lookups() {
		for _, c := range sc.targets[lookup].Columns {
			list = append(list, d.columnField(sc, lookup+"."+c.Name, c))
		}
	}
	return list
}

// lookups are the names of what the dataset looks up, in the order of the
// columns that hold the keys: an origin before a destination.
func (sc *schema) lookups() []string {
	place := func(name string) int {
		at := slices.IndexFunc(sc.Lookups, func(l datasets.Lookup) bool { return l.Name == name })
		if at < 0 {
			return len(sc.Columns)
		}
		return slices.IndexFunc(sc.Columns, func(c datasets.Column) bool { return c.ID == sc.Lookups[at].Column })
	}
	names := sortedKeys(sc.targets)
	slices.SortStableFunc(names, func(a, b string) int { return place(a) - place(b) })
	return names
}

// Fields lists what can be dropped from a dataset of the view; nil when it is
// gone. Facts may be zero: then names and types alone tell what a column is.
func (v *View) Fields(dataset ids.Dataset, facts Facts) []Field {
	sc := v.schemas[dataset]
	if sc == nil {
		return nil
	}
	d := drafter{schemas: v.schemas, facts: map[ids.Dataset]Facts{dataset: facts}}
	return d.fields(sc)
}

// factsOf are the facts of a dataset: those that were asked for, else what its
// columns alone tell.
func (d *drafter) factsOf(sc *schema) *Facts {
	if f, ok := d.facts[sc.ID]; ok && len(f.Columns) > 0 {
		return &f
	}
	f := Facts{Dataset: sc.ID, Name: sc.Name, Rows: sc.Rows, TimeColumn: sc.timeColumn(), Relative: sc.RelativeToNewest}
	if f.TimeColumn == "" {
		for _, c := range sc.Columns {
			if temporal(c.Type) {
				f.TimeColumn = c.Name
				break
			}
		}
	}
	return &f
}

// columnFacts are the facts of one column. Where nobody looked into it, they
// are such that only its name and type decide.
func (d *drafter) columnFacts(sc *schema, name string, c datasets.Column) ColumnFacts {
	if f, ok := d.facts[sc.ID]; ok {
		if one, ok := f.column(name); ok {
			return one
		}
	}
	return ColumnFacts{Name: lastPart(name), Type: c.Type, Role: c.Role, Format: c.Format, Distinct: unknownDistinct, Filled: 10 * unknownDistinct, Max: 1}
}

// family tells apart columns that say different things: columns of one family
// have a value for each of the other's, such as a key and the name that is
// looked up by it.
func (d *drafter) family(sc *schema, name string) string {
	if f, ok := d.facts[sc.ID]; ok {
		if c, ok := f.column(name); ok {
			return c.family()
		}
	}
	for _, l := range sc.Lookups {
		if from, ok := sc.ColumnByID(l.Column); ok && name == l.Name+"."+l.KeyName {
			return from.Name
		}
	}
	return name
}

// unknownDistinct stands for the number of values of a column that nobody
// looked into: too many for a donut, few enough to be a category.
const unknownDistinct = 29

// aggregate is the function that a field is measured by until somebody chooses:
// what can be added up is, a rate or a place is averaged, what names is counted.
func (d *drafter) aggregate(sc *schema, f Field) string {
	if f.Name == CountField {
		return "count"
	}
	switch {
	case !numeric(f.Type):
		return "count_distinct"
	case f.Role == "latitude" || f.Role == "longitude" || f.Format.Style == "percent":
		return "avg"
	case hasWord(f.Name, wordsOfMeans) && !hasWord(f.Name, wordSet("id key code")):
		return "avg"
	case hasWord(f.Name, wordsOfIDs):
		return "count_distinct"
	case hasWord(f.Name, wordsOfTime) && !hasWord(f.Name, wordsOfSums):
		return "count_distinct"
	}
	c, ok := sc.find(f.Name)
	if !ok {
		return "sum"
	}
	return d.factsOf(sc).aggregate(d.columnFacts(sc, f.Name, c))
}

// Fns are the functions that a field can be measured by, the usual one first.
func (f Field) Fns() []string {
	switch {
	case f.Name == CountField || f.Saved:
		return nil
	case numeric(f.Type):
		return []string{"sum", "avg", "median", "min", "max", "count_distinct", "count"}
	}
	return []string{"count_distinct", "count"}
}

// Grains are those that a date or moment can be grouped by; nil for others.
func (f Field) Grains() []string {
	switch {
	case f.Type == warehouse.Date:
		return []string{AutoGrain, "day", "week", "month", "quarter", "year", "weekday", "month_of_year"}
	case temporal(f.Type):
		return []string{AutoGrain, "minute", "hour", "day", "week", "month", "quarter", "year", "hour_of_day", "weekday", "month_of_year"}
	}
	return nil
}

// Bins are the widths that a number can be grouped by: none, and three round
// ones that give about 10, 20 and 50 groups. span is the distance of its ends.
func Bins(span float64) []float64 {
	if span <= 0 || math.IsInf(span, 0) || math.IsNaN(span) {
		return []float64{0, 1, 10, 100, 1000}
	}
	list := []float64{0}
	for _, groups := range []float64{50, 20, 10} {
		if width := roundWidth(span / groups); !slices.Contains(list, width) {
			list = append(list, width)
		}
	}
	return list
}

// roundWidth is the nearest of 1, 2, 5 and their tenfolds at or above width.
func roundWidth(width float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(width)))
	for _, step := range []float64{1, 2, 5, 10} {
		if step*power >= width*(1-1e-9) {
			return step * power
		}
	}
	return 10 * power
}

// slot makes what lies in a well out of a field.
func (d *drafter) slot(sc *schema, field Field, into well, w *Widget, f fill) (slot, error) {
	base := lastPart(field.Name)
	switch into.takes {
	case takesColumn:
		if field.Saved || field.Name == CountField {
			return slot{}, ErrAct.With("%s is a measure: plain rows have none. Drop it on Measures and the table groups its rows.", field.Label())
		}
		return slot{column: field.Name}, nil
	case takesMeasure:
		m := warehouse.Measure{}
		switch {
		case field.Saved:
			m.Measure = field.Name
		case field.Name == CountField:
			m.Fn, base = "count", "rows"
		default:
			m.Fn, m.Column = d.aggregate(sc, field), field.Name
		}
		m.As = resultName(f, base)
		return slot{measure: &m}, nil
	}
	if field.Saved || field.Name == CountField {
		return slot{}, ErrAct.With("%s is a measure: it can't divide a chart into parts. Drop it where values go.", field.Label())
	}
	dim := warehouse.Dimension{Column: field.Name}
	switch place := into.name; {
	case place == "lat" || place == "lon":
		if !numeric(field.Type) {
			return slot{}, ErrAct.With("A map takes its places from two columns of numbers; %s holds none.", field.Label())
		}
	case temporal(field.Type):
		dim.Grain = AutoGrain
		switch {
		case w.Type == charts.Calendar, w.Type == charts.Candlestick:
			dim.Grain = "day"
		case w.Type == charts.Pivot && place == "across":
			dim.Grain = d.factsOf(sc).fewPeriods(field.Name)
		case place == "y", place == "series", place == "x" && w.Type == charts.Radar:
			dim.Grain = "weekday"
		case place == "x" && w.Type == charts.Heatmap:
			if dim.Grain = "hour_of_day"; field.Type == warehouse.Date || !d.factsOf(sc).hours(field.Name) {
				dim.Grain = "month_of_year"
			}
		}
		if cyclic(dim.Grain) {
			base += "_" + dim.Grain
		}
	case numeric(field.Type) && field.Measure:
		if c, ok := sc.find(field.Name); ok {
			facts := d.columnFacts(sc, field.Name, c)
			groups := 20.0
			if w.Type == charts.Donut {
				groups = charts.MaxSlices
			}
			if span := facts.Max - facts.Min; facts.Distinct > unknownDistinct && span > 0 {
				dim.Bin = roundWidth(span / groups)
			}
		}
	}
	dim.As = resultName(f, base)
	return slot{dimension: &dim}, nil
}

// hours tells whether a column tells hours apart, as far as is known.
func (f *Facts) hours(column string) bool {
	return len(f.Columns) == 0 || column != f.TimeColumn || f.Hours
}

// fewPeriods is a grain by which a date heads the columns of a table: a dozen
// at most, as far as is known how long it is.
func (f *Facts) fewPeriods(column string) string {
	if column != f.TimeColumn || f.Days == 0 {
		return "month"
	}
	for _, grain := range []string{"day", "week", "month", "quarter"} {
		if f.Days/daysOf[grain] <= 12 {
			return grain
		}
	}
	return "year"
}

// daysOf is about how many days a grain has.
var daysOf = map[string]int{"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}

// The choices that a new widget begins with.

// mainMeasures lists fields to measure, the most telling first; the number of
// rows comes last.
func (d *drafter) mainMeasures(sc *schema) []Field {
	var list []Field
	facts := d.factsOf(sc)
	for _, f := range d.fields(sc) {
		if f.Measure && f.Name != CountField && f.Lookup == "" {
			list = append(list, f)
		}
	}
	rank := func(f Field) int {
		if f.Saved {
			return 3 // people defined it, and it may be of anything
		}
		c, _ := sc.find(f.Name)
		return facts.telling(d.columnFacts(sc, f.Name, c))
	}
	slices.SortStableFunc(list, func(a, b Field) int { return cmp.Compare(rank(b), rank(a)) })
	return append(list, Field{Name: CountField, Type: warehouse.Integer, Measure: true})
}

// mainTime is the date that a course is drawn over.
func (d *drafter) mainTime(sc *schema) (Field, bool) {
	if name := d.factsOf(sc).TimeColumn; name != "" {
		if c, ok := sc.find(name); ok {
			return d.columnField(sc, name, c), true
		}
	}
	return Field{}, false
}

// categories lists fields to compare by, those with a handful of values first.
func (d *drafter) categories(sc *schema) []Field {
	var list []Field
	distinct := map[string]int64{}
	for _, f := range d.fields(sc) {
		c, _ := sc.find(f.Name)
		facts := d.columnFacts(sc, f.Name, c)
		if f.Measure || !facts.names() || hasWord(lastPart(f.Name), wordsOfIDs) && f.Lookup != "" {
			continue
		}
		n := facts.Distinct
		switch {
		case f.Type == warehouse.Boolean:
			n = 2
		case n < 2:
			n = math.MaxInt64 - 1 // the same in every row
		case n == facts.Filled && n > 1:
			n = math.MaxInt64 - 2 // different in every row
		}
		if hasWord(lastPart(f.Name), wordsOfIDs) {
			n = max(n, 1000)
		}
		distinct[f.Name] = n
		list = append(list, f)
	}
	rank := func(f Field) int {
		switch n := distinct[f.Name]; {
		case n > 2 && n <= 12:
			return 0
		case n <= mostParts:
			return 1
		case n <= maxCategories:
			return 2
		case n <= mostNames:
			return 3
		}
		return 4
	}
	slices.SortStableFunc(list, func(a, b Field) int { return cmp.Compare(rank(a), rank(b)) })
	return list
}

// coordinates are two columns that place rows on a map, of the dataset or of
// one thing that it looks up.
func (d *drafter) coordinates(sc *schema) (lat, lon Field, ok bool) {
	if all := d.places(sc); len(all) > 0 {
		return all[0][0], all[0][1], true
	}
	return Field{}, Field{}, false
}

// places are all pairs of a latitude and a longitude: in the order of the
// columns, the dataset's own before those of each lookup.
func (d *drafter) places(sc *schema) (pairs [][2]Field) {
	type half struct{ lookup, role string }
	found := map[half][]Field{}
	var order []string
	for _, f := range d.fields(sc) {
		role := coordinate(f.Name, f.Role, f.Type)
		if role == "" {
			continue
		}
		key := half{f.Lookup, role}
		found[key] = append(found[key], f)
		if !slices.Contains(order, f.Lookup) {
			order = append(order, f.Lookup)
		}
	}
	for _, lookup := range order {
		lats, lons := found[half{lookup, "latitude"}], found[half{lookup, "longitude"}]
		for i := range min(len(lats), len(lons)) {
			pairs = append(pairs, [2]Field{lats[i], lons[i]})
		}
	}
	return pairs
}

// placeFor is the field for one half of a place; nil where there is none. The
// far end of a line is another place than the near one.
func (d *drafter) placeFor(sc *schema, well string, taken map[string]bool) *Field {
	for _, pair := range d.places(sc) {
		half := pair[0]
		if well == "lon" || well == "to_lon" {
			half = pair[1]
		}
		if !taken[half.Name] {
			return &half
		}
	}
	return nil
}

// areas are the fields that may name countries or states, the likeliest first.
func (d *drafter) areas(sc *schema) []Field {
	var list []Field
	for _, f := range d.fields(sc) {
		if !f.Measure && f.Type == warehouse.Text {
			list = append(list, f)
		}
	}
	return firstWhere(list, namesArea)
}

// namesAreas tells whether a field says by its name that it names areas.
func (d *drafter) namesAreas(sc *schema) bool { return slices.ContainsFunc(d.areas(sc), namesArea) }

var areaWords = wordSet("country countries nation state states province fips iso")

func namesArea(f Field) bool { return hasWord(lastPart(f.Name), areaWords) }

// placeName is the text that names the rows beside a pair of coordinates.
func (d *drafter) placeName(sc *schema, lookup string) (Field, bool) {
	facts := d.factsOf(sc)
	var fields []Field
	var columns []ColumnFacts
	for _, f := range d.fields(sc) {
		if f.Lookup != lookup || f.Type != warehouse.Text {
			continue
		}
		c, _ := sc.find(f.Name)
		fields, columns = append(fields, f), append(columns, d.columnFacts(sc, f.Name, c))
	}
	places := int64(math.MaxInt64)
	if lookup == "" {
		places = facts.places()
	}
	at := placeNamed(columns, places)
	if at < 0 {
		return Field{}, false
	}
	return fields[at], true
}

var wordsOfPlaces = wordSet("name city place town station airport store site location branch plant village stadt ort standort filiale")

// placeNamed is which of the columns names each of so many places best, -1 for
// none: one that tells apart what stands at the same place names no place.
func placeNamed(columns []ColumnFacts, places int64) int {
	best, most := -1, int64(-1)
	for i, c := range columns {
		n := c.Distinct
		if c.Type != warehouse.Text || !c.unknown() && n > places+places/20 {
			continue
		}
		if hasWord(lastPart(c.Name), wordsOfPlaces) {
			n += math.MaxInt32
		}
		if n > most {
			best, most = i, n
		}
	}
	return best
}

// places is about how many places the coordinates of the dataset name; as many
// as can be where they are more than can be told apart.
func (f *Facts) places() int64 {
	most := int64(0)
	for _, c := range f.Columns {
		if coordinate(c.Name, c.Role, c.Type) != "" {
			most = max(most, c.Distinct)
		}
	}
	if most == 0 || most > maxPlaces {
		return math.MaxInt64
	}
	return most
}

// maxPlaces is how many places on a map have a name of their own each.
const maxPlaces = 500

// coordinate is which half of a place a column holds, by its role or its name:
// "latitude", "longitude" or "".
func coordinate(name, role string, t warehouse.Type) string {
	name = lastPart(name)
	switch {
	case role == "latitude" || role == "longitude":
		return role
	case role != "" || !numeric(t):
	case hasWord(name, wordSet("lat latitude")):
		return "latitude"
	case hasWord(name, wordSet("lon lng longitude")) || strings.EqualFold(name, "long"):
		return "longitude"
	}
	return ""
}

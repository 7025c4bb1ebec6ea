package dashboards

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Facts are what a suggestion goes by: the columns of a dataset with what is
// in them.
type Facts struct {
	Dataset    ids.Dataset
	Name       string
	Rows       int64
	TimeColumn string // "" for none
	Days       int    // that the time column spans
	Hours      bool   // the time column tells hours apart
	Relative   bool   // relative dates count from the newest row
	Columns    []ColumnFacts
	// Joined are the texts of what the dataset looks up, by "lookup.column": of
	// each the values that rows of the dataset have.
	Joined []ColumnFacts
}

// ColumnFacts is one column.
type ColumnFacts struct {
	Name     string
	Type     warehouse.Type
	Role     string
	Format   datasets.Format
	Distinct int64
	Filled   int64 // rows with a value
	Min, Max float64
	// Same is the column that this one says in other words, a value for each of
	// its: the key of the lookup that a name comes from. "" for none.
	Same string
	// Leading are the shares of the rows that the most frequent values have,
	// the largest first; nil where nobody counted them.
	Leading []float64
	// Ordered tells that the values are ranges: "18-24", "25-34", "55+".
	Ordered bool
}

// Limits of what is found out about values.
const (
	maxLeading = 12   // frequent values that are counted
	maxTwins   = 8    // pairs of columns that are compared
	maxKeys    = 1000 // values of a key that are looked up

	// manyRows are so many that the different values of all columns are too much
	// for one question.
	manyRows = 5_000_000
)

// facts asks the dataset about its columns, then what their values are where
// they are few.
func (s *Service) facts(ctx context.Context, actor access.Actor, d *schema) (Facts, error) {
	id := d.ID
	lookups := slices.Clone(d.Lookups)
	slices.SortStableFunc(lookups, func(a, b datasets.Lookup) int {
		return slices.IndexFunc(d.Columns, func(c datasets.Column) bool { return c.ID == a.Column }) -
			slices.IndexFunc(d.Columns, func(c datasets.Column) bool { return c.ID == b.Column })
	})
	list := []ids.Dataset{id}
	for _, target := range d.targets {
		if !slices.Contains(list, target.ID) {
			list = append(list, target.ID)
		}
	}
	snapshot, err := s.datasets.Snapshot(ctx, actor, list)
	if err != nil {
		return Facts{}, err
	}
	f := Facts{Dataset: id, Name: d.Name, TimeColumn: d.timeColumn(), Relative: d.RelativeToNewest}
	look := looker{f: &f, ask: func(of ids.Dataset, spec warehouse.Spec) (*warehouse.Result, error) {
		spec.Dataset, spec.Timezone = of.String(), actor.Location().String()
		r, err := s.datasets.Query(ctx, actor, datasets.QueryRequest{Spec: spec, Snapshot: snapshot, Exact: true, Now: s.clock()})
		if err != nil {
			return nil, fmt.Errorf("look at the columns of %s: %w", d.Name, err)
		}
		return r, nil
	}}
	if err := look.columns(d.Columns[:min(len(d.Columns), 60)], d.Rows > manyRows); err != nil {
		return Facts{}, err
	}
	if err := look.times(); err != nil {
		return Facts{}, err
	}
	for _, l := range lookups {
		if target := d.targets[l.Name]; target != nil { // else theirs to look up, not to see
			// What somebody may not ask of another dataset leaves the names of its
			// columns to go by.
			if err := look.lookup(&d.Dataset, l, target); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "look at what is looked up", "dataset", id, "lookup", l.Name, "error", err)
			}
		}
	}
	if err := look.values(); err != nil {
		return Facts{}, err
	}
	return f, look.twins()
}

// looker finds out facts.
type looker struct {
	f   *Facts
	ask func(ids.Dataset, warehouse.Spec) (*warehouse.Result, error)
}

// counts are count and count_distinct of columns as measures, named by place.
func counts(names []string) []warehouse.Measure {
	list := []warehouse.Measure{{Fn: "count", As: "rows"}}
	for i, name := range names {
		n := strconv.Itoa(i)
		list = append(list, warehouse.Measure{Fn: "count", Column: name, As: "n" + n}, warehouse.Measure{Fn: "count_distinct", Column: name, As: "d" + n})
	}
	return list
}

// figures asks for measures without dimensions, as many at a time as a question
// may have, and answers them by name; one without a value is not there.
func (l looker) figures(of ids.Dataset, spec warehouse.Spec) (map[string]float64, error) {
	found := map[string]float64{}
	for part := range slices.Chunk(spec.Measures, warehouse.MaxMeasures) {
		spec.Measures = part
		r, err := l.ask(of, spec)
		if err != nil {
			return nil, err
		}
		for i := range r.Columns {
			c := &r.Columns[i]
			switch {
			case r.Rows == 0 || c.IsNull(0):
			case c.Floats != nil:
				found[c.Name] = c.Floats[0]
			case c.Ints != nil:
				found[c.Name] = float64(c.Ints[0])
			}
		}
	}
	return found, nil
}

// columns finds out about the columns. Of many rows the different values are
// counted column by column; what can't be counted in time nearly all differs.
func (l looker) columns(columns []datasets.Column, many bool) error {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	spec := warehouse.Spec{Measures: counts(names)}
	if many {
		spec.Measures = slices.DeleteFunc(spec.Measures, func(m warehouse.Measure) bool { return m.Fn == "count_distinct" })
	}
	plain := slices.Clone(spec.Measures)
	for i, c := range columns {
		if numeric(c.Type) || temporal(c.Type) {
			n := strconv.Itoa(i)
			spec.Measures = append(spec.Measures, warehouse.Measure{Fn: "min", Column: c.Name, As: "a" + n}, warehouse.Measure{Fn: "max", Column: c.Name, As: "z" + n})
		}
	}
	found, err := l.figures(l.f.Dataset, spec)
	if errors.Is(err, warehouse.ErrRowsWithheld) {
		spec.Measures = plain
		found, err = l.figures(l.f.Dataset, spec)
	}
	if err != nil {
		return err
	}
	for i, name := range names {
		if !many {
			break
		}
		d := "d" + strconv.Itoa(i)
		one, err := l.figures(l.f.Dataset, warehouse.Spec{Measures: []warehouse.Measure{{Fn: "count_distinct", Column: name, As: d}}})
		switch {
		case errors.Is(err, warehouse.ErrTimeout) || errors.Is(err, warehouse.ErrTooLarge):
			found[d] = found["n"+strconv.Itoa(i)]
		case err != nil:
			return err
		default:
			found[d] = one[d]
		}
	}
	l.f.Rows = int64(found["rows"])
	for i, c := range columns {
		n := strconv.Itoa(i)
		one := ColumnFacts{Name: c.Name, Type: c.Type, Role: c.Role, Format: c.Format,
			Filled: int64(found["n"+n]), Distinct: int64(found["d"+n]), Min: found["a"+n], Max: found["z"+n]}
		l.f.Columns = append(l.f.Columns, one)
		if l.f.TimeColumn == "" && temporal(c.Type) && one.Distinct > 1 {
			l.f.TimeColumn = c.Name
		}
	}
	return nil
}

// times finds out how long the time column is and whether it tells hours.
func (l looker) times() error {
	for _, c := range l.f.Columns {
		if c.Name != l.f.TimeColumn {
			continue
		}
		l.f.Days = int((c.Max-c.Min)/86_400e6) + 1
		if c.Type == warehouse.Date {
			l.f.Days = int(c.Max-c.Min) + 1
			return nil
		}
		hours, err := l.ask(l.f.Dataset, warehouse.Spec{Dimensions: []warehouse.Dimension{{Column: c.Name, Grain: "hour_of_day", As: "h"}},
			Measures: []warehouse.Measure{{Fn: "count", As: "n"}}})
		if err != nil {
			return err
		}
		l.f.Hours = hours.Rows > 3
	}
	return nil
}

// lookup counts the texts of what the dataset looks up: those of the rows that
// it has keys of, where the keys are few, else at most as many as there are keys.
func (l looker) lookup(d *datasets.Dataset, of datasets.Lookup, target *datasets.Dataset) error {
	from, ok := d.ColumnByID(of.Column)
	key, has := target.ColumnByID(of.Key)
	own, known := l.f.column(from.Name)
	if !ok || !has || !known || own.Distinct == 0 {
		return nil
	}
	var columns []datasets.Column
	var names []string
	for _, c := range target.Columns[:min(len(target.Columns), 60)] {
		if c.Type == warehouse.Text || c.Type == warehouse.Boolean {
			columns, names = append(columns, c), append(names, c.Name)
		}
	}
	spec := warehouse.Spec{Measures: counts(names)}
	if own.Distinct <= maxKeys {
		keys, err := l.ask(l.f.Dataset, warehouse.Spec{Dimensions: []warehouse.Dimension{{Column: from.Name, As: "key"}},
			Measures: []warehouse.Measure{{Fn: "count", As: "n"}}, Limit: maxKeys + 1})
		if err != nil {
			return err
		}
		in := warehouse.Filter{Column: key.Name, Op: "in"}
		for _, value := range charts.Values(keys, 0) {
			if raw, err := literal(key, "", 0, value); err == nil && value != charts.Null {
				in.Values = append(in.Values, json.RawMessage(raw))
			}
		}
		spec.Filters = []warehouse.Filter{in}
	}
	found, err := l.figures(target.ID, spec)
	if err != nil {
		return err
	}
	rows := found["rows"]
	for i, c := range columns {
		n := strconv.Itoa(i)
		filled, distinct := found["n"+n], found["d"+n]
		one := ColumnFacts{Name: of.Name + "." + c.Name, Type: c.Type, Role: c.Role, Format: c.Format, Filled: own.Filled,
			Distinct: min(int64(distinct), own.Distinct)}
		if c.ID == of.Key || filled > 2 && distinct >= nearlyAll*filled && filled >= rows/2 {
			one.Same = own.family()
		}
		l.f.Joined = append(l.f.Joined, one)
	}
	return nil
}

// nearlyAll is the share of different values from which on a column names each
// row of a lookup, or each value of another column, as a key does.
const nearlyAll = 0.9

// values counts the frequent values of the texts that have few.
func (l looker) values() error {
	for _, c := range l.f.texts() {
		if c.Type == warehouse.Boolean || c.Distinct < 2 || c.Distinct > maxCategories {
			continue
		}
		r, err := l.ask(l.f.Dataset, warehouse.Spec{Dimensions: []warehouse.Dimension{{Column: c.Name, As: "value"}},
			Measures: []warehouse.Measure{{Fn: "count", As: "n"}}, Order: []warehouse.Order{{By: "n", Desc: true}, {By: "value"}}, Limit: maxLeading + 1})
		if err != nil {
			return err
		}
		texts := charts.Values(r, 0)
		for i, text := range texts {
			if text != charts.Null && len(c.Leading) < maxLeading && l.f.Rows > 0 {
				c.Leading = append(c.Leading, float64(r.Columns[1].Ints[i])/float64(l.f.Rows))
			}
		}
		c.Ordered = c.Distinct <= maxLeading && charts.Ranges(texts)
	}
	return nil
}

// twins finds columns of texts that say the same: as many values, and as many
// pairs of them.
func (l looker) twins() error {
	compared := 0
	list := l.f.texts()
	for i, b := range list {
		for _, a := range list[:i] {
			most, least := max(a.Distinct, b.Distinct), min(a.Distinct, b.Distinct)
			if a.family() == b.family() || b.Same != "" || a.Type == warehouse.Boolean || b.Type == warehouse.Boolean ||
				least < 3 || most > mostNames || float64(least) < nearlyAll*float64(most) || !alike(a.Leading, b.Leading) {
				continue
			}
			if compared++; compared > maxTwins {
				return nil
			}
			pairs := int(math.Ceil(float64(most) / nearlyAll))
			r, err := l.ask(l.f.Dataset, warehouse.Spec{Dimensions: []warehouse.Dimension{{Column: a.Name, As: "a"}, {Column: b.Name, As: "b"}},
				Measures: []warehouse.Measure{{Fn: "count", As: "n"}}, Limit: pairs + 1})
			if err != nil {
				return err
			}
			if r.Rows <= pairs && !r.More {
				b.Same = a.family()
			}
		}
	}
	return nil
}

// alike tells whether the frequent values of two columns may be the same rows.
func alike(a, b []float64) bool {
	for i := range min(len(a), len(b)) {
		if math.Abs(a[i]-b[i]) > 0.02 {
			return false
		}
	}
	return true
}

// texts are the columns that rows can be told apart by, also of lookups.
func (f *Facts) texts() []*ColumnFacts {
	var list []*ColumnFacts
	for _, columns := range [][]ColumnFacts{f.Columns, f.Joined} {
		for i := range columns {
			if c := &columns[i]; c.Type == warehouse.Text || c.Type == warehouse.Boolean {
				list = append(list, c)
			}
		}
	}
	return list
}

// column are the facts of a column, also of "lookup.column".
func (f *Facts) column(name string) (ColumnFacts, bool) {
	for _, columns := range [][]ColumnFacts{f.Columns, f.Joined} {
		for _, c := range columns {
			if c.Name == name {
				return c, true
			}
		}
	}
	return ColumnFacts{}, false
}

// family is the column that this one says the same as, or itself.
func (c *ColumnFacts) family() string { return cmp.Or(c.Same, c.Name) }

// rest is the share of rows beside the n most frequent values, as far as is
// known: all values count the same where nobody looked.
func (c *ColumnFacts) rest(n int) float64 {
	if len(c.Leading) == 0 || len(c.Leading) < n && int64(len(c.Leading)) < c.Distinct {
		return max(0, 1-float64(n)/float64(max(c.Distinct, 1)))
	}
	rest := 1.0
	for _, share := range c.Leading[:min(n, len(c.Leading))] {
		rest -= share
	}
	return max(0, rest)
}

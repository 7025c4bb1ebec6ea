package dashboards

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// The filters of a widget, and those of the bar.

func (d *drafter) addFilter(sc *schema, w *Widget, a Act) error {
	field, err := d.field(sc, a.Field)
	if err != nil {
		return err
	}
	if field.Saved || field.Name == CountField {
		return ErrAct.With("A widget is filtered by columns; %s is a measure.", field.Label())
	}
	if len(w.Query.Filters) >= 20 {
		return ErrAct.With("A widget has at most 20 filters.")
	}
	f := warehouse.Filter{Column: field.Name, Op: "not_empty"}
	if field.Temporal() {
		f = warehouse.Filter{Column: field.Name, Op: "last", N: 28, Unit: "day"}
	}
	if a.Filter != nil {
		f = *a.Filter
		f.Column = field.Name
	}
	w.Query.Filters = append(w.Query.Filters, f)
	return nil
}

// FilterNames are what acts call the filters of a query: by column, and where
// one has several, by all that they say.
func (q *Query) FilterNames() []string {
	names := make([]string, len(q.Filters))
	of := map[string]int{}
	for i, f := range q.Filters {
		names[i] = f.Column + f.Measure
		of[names[i]]++
	}
	for i, f := range q.Filters {
		if of[names[i]] > 1 {
			text, _ := json.Marshal(f) // plain values
			names[i] = string(text)
		}
	}
	return names
}

func (w *Widget) findFilter(a Act) (int, error) {
	at, ok := locate(w.Query.FilterNames(), a.index(), a.Expect)
	if !ok {
		return 0, ErrAct.With("There is no such filter at that place any more. Somebody else may have changed or removed it.")
	}
	return at, nil
}

func (d *drafter) removeFilter(_ *schema, w *Widget, a Act) error {
	at, err := w.findFilter(a)
	if err != nil {
		return err
	}
	if w.Query.Filters = slices.Delete(w.Query.Filters, at, at+1); len(w.Query.Filters) == 0 {
		w.Query.Filters = nil
	}
	return nil
}

// setFilter takes a whole filter, or what a person wrote into its fields.
func (d *drafter) setFilter(sc *schema, w *Widget, a Act) error {
	at, err := w.findFilter(a)
	if err != nil {
		return err
	}
	f := w.Query.Filters[at]
	column := f.Column
	if a.Filter != nil {
		f = *a.Filter
		if f.Column == "" && f.Measure == "" {
			f.Column = column
		}
	}
	c, ok := sc.find(f.Column)
	if !ok {
		return ErrAct.With("%s has no column %q.", sc.Name, clip(f.Column))
	}
	values := func(text string) ([]json.RawMessage, error) {
		var list []json.RawMessage
		for one := range strings.SplitSeq(text, ",") {
			if one = strings.TrimSpace(one); one == "" {
				continue
			}
			raw, err := literal(c, f.Grain, f.Bin, one)
			if err != nil {
				return nil, ErrAct.With("%q is no value of %s.", clip(one), charts.Humanise(lastPart(f.Column))).Wrap(err)
			}
			list = append(list, raw)
		}
		if len(list) > maxStateValues {
			return nil, ErrAct.With("A filter takes at most %d values.", maxStateValues)
		}
		return list, nil
	}
	set := a.Set
	if set.Values != nil {
		if f.Values, err = values(*set.Values); err != nil {
			return err
		}
	}
	one := func(text *string, to *json.RawMessage) error {
		if text == nil {
			return nil
		}
		list, err := values(*text)
		if err == nil && len(list) == 1 {
			*to = list[0]
		}
		return err
	}
	if err := one(set.From, &f.From); err != nil {
		return err
	}
	if err := one(set.To, &f.To); err != nil {
		return err
	}
	if set.N != nil {
		f.N = *set.N
	}
	if set.Unit != nil {
		f.Unit = *set.Unit
	}
	if set.Op != nil {
		f.Op = *set.Op
	}
	w.Query.Filters[at] = completeFilter(f)
	return nil
}

// completeFilter lets a filter hold what its operator needs and nothing else. A
// filter without values yet keeps every row that has one.
func completeFilter(f warehouse.Filter) warehouse.Filter {
	switch f.Op {
	case "last", "previous":
		f.Values, f.From, f.To = nil, nil, nil
		f.N = max(f.N, 1)
		if f.Unit == "" {
			f.Unit = "day"
		}
	case "this":
		f.Values, f.From, f.To, f.N = nil, nil, nil, 0
		if f.Unit == "" {
			f.Unit = "month"
		}
	case "is_empty", "not_empty":
		f.Values, f.From, f.To, f.N, f.Unit = nil, nil, nil, 0, ""
	case "between":
		if f.From == nil && len(f.Values) > 0 {
			f.From = f.Values[0]
		}
		if f.To == nil {
			f.To = f.From
		}
		f.Values, f.N, f.Unit = nil, 0, ""
		if f.From == nil {
			f.Op = "not_empty"
		}
	default:
		if len(f.Values) == 0 && f.From != nil {
			f.Values = []json.RawMessage{f.From}
		}
		f.From, f.To, f.N, f.Unit = nil, nil, 0, ""
		if f.Op != "in" && f.Op != "not_in" && len(f.Values) > 1 {
			f.Values = f.Values[:1]
		}
	}
	return f
}

// addControl adds a filter to the bar.
func (d *drafter) addControl(c *Config, a Act) error {
	sc, own, err := d.begin(c, a)
	if err != nil {
		return err
	}
	field, err := d.field(sc, a.Field)
	if err != nil {
		return err
	}
	if c.controlBy(field.Name, own) != "" {
		return ErrAct.With("The filter bar has a filter by %s already.", field.within())
	}
	_, err = c.newControl(field, own)
	return err
}

// controlBy is the first filter of the bar by a column of a dataset; "" for none.
func (c *Config) controlBy(column string, own ids.Dataset) string {
	for _, id := range c.controls() {
		if f := c.Filters[id]; f.Column == column && f.Dataset == own {
			return id
		}
	}
	return ""
}

// putControl adds a filter at the end of the bar.
func (c *Config) putControl(control Control) (id string) {
	control.Position = 1
	for _, other := range c.Filters {
		control.Position = max(control.Position, other.Position+1)
	}
	if c.Filters == nil {
		c.Filters = map[string]Control{}
	}
	id = c.newControlID()
	c.Filters[id] = control
	return id
}

// newControl adds a filter by a field.
func (c *Config) newControl(field Field, own ids.Dataset) (id string, err error) {
	if field.Saved || field.Name == CountField {
		return "", ErrAct.With("The filter bar filters by columns; %s is a measure.", field.Label())
	}
	label := field.Label()
	if field.Lookup != "" {
		label = fmt.Sprintf("%s: %s", charts.Humanise(field.Lookup), lower(label))
	}
	control := Control{Label: clipName(label), Column: field.Name, Dataset: own}
	if kind := field.FilterKinds()[0]; kind != KindValues {
		control.Kind = kind
	}
	return c.putControl(control), nil
}

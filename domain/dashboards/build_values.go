package dashboards

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Grouping puts values of a field together under names of their own. Without
// groups each value is by itself again.
type Grouping struct {
	Groups []ValueGroup `json:"groups"`
	// Other is what all other values together are called. nil leaves each of
	// them by itself where the field holds texts, else without a value.
	Other *string `json:"other,omitempty"`
}

// ValueGroup is a group and its values, as words of a link
// (charts.EscapeValue).
type ValueGroup struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// What a query takes, and what a legend has room for.
const (
	mostValueGroups   = 200
	mostGroupedValues = 3_000 // of one field; a query takes 8,000 parts of all
	longestGroupName  = 80
)

// groupable tells whether the values of a dimension can be put together in
// groups: names, yes and no, and numbers of which there are few enough to be a
// list.
func (d *drafter) groupable(sc *schema, w *Widget, well string, dim *warehouse.Dimension) bool {
	c, ok := sc.find(dim.Column)
	if !ok || IsPlace(well) || well == "area" || w.Type == charts.Histogram {
		return false
	}
	switch {
	case len(dim.Groups) > 0, c.Type == warehouse.Text, c.Type == warehouse.Boolean:
		return true
	case c.Type == warehouse.Integer:
		facts := d.columnFacts(sc, dim.Column, c)
		return !facts.unknown() && facts.Distinct <= maxValues
	}
	return false
}

// ungroup takes the groups off: other data has other values.
func (q *Query) ungroup() {
	q.Dimensions = slices.Clone(q.Dimensions)
	for i := range q.Dimensions {
		q.Dimensions[i].Groups, q.Dimensions[i].Other = nil, ""
	}
}

// group sets the groups of a dimension.
func (d *drafter) group(sc *schema, dim *warehouse.Dimension, to Grouping) error {
	c, ok := sc.find(dim.Column)
	if !ok || c.Type == warehouse.Float || temporal(c.Type) && c.Type != warehouse.Date {
		return ErrAct.With("Values of %s can't be put into groups.", charts.Humanise(lastPart(dim.Column)))
	}
	if len(to.Groups) == 0 {
		dim.Groups, dim.Other = nil, ""
		return nil
	}
	if len(to.Groups) > mostValueGroups {
		return ErrAct.With("A field has at most %d groups.", mostValueGroups)
	}
	name := func(text string) (string, error) {
		text = strings.TrimSpace(text)
		if len([]rune(text)) > longestGroupName {
			return "", ErrAct.With("The name of a group has at most %d characters: “%s”.", longestGroupName, clip(text))
		}
		return text, nil
	}
	groups := make(map[string][]json.RawMessage, len(to.Groups))
	names := map[string]bool{}    // in small letters
	placed := map[string]string{} // the group of each value, by its word
	for _, one := range to.Groups {
		title, err := name(one.Name)
		switch {
		case err != nil:
			return err
		case title == "":
			return ErrAct.With("Each group needs a name.")
		case names[strings.ToLower(title)]:
			return ErrAct.With("There are two groups called “%s”. Give one of them another name.", clip(title))
		case len(one.Values) == 0:
			return ErrAct.With("The group “%s” has no values. Add some, or delete it.", clip(title))
		}
		names[strings.ToLower(title)] = true
		for _, word := range one.Values {
			value, err := charts.UnescapeValue(word)
			if err != nil {
				return ErrAct.With("%q in the group “%s” is no value.", clip(word), clip(title)).Wrap(err)
			}
			if before, twice := placed[value]; twice {
				return ErrAct.With("%s is in “%s” and in “%s”. A value is in one group only.", spokenValue(value), clip(before), clip(title))
			}
			raw, err := literal(c, "", 0, value)
			if err != nil {
				return ErrAct.With("%s in the group “%s” is no value of %s.", spokenValue(value), clip(title), charts.Humanise(lastPart(dim.Column))).Wrap(err)
			}
			placed[value] = title
			groups[title] = append(groups[title], raw)
		}
	}
	if len(placed) > mostGroupedValues {
		return ErrAct.With("The groups of a field have at most %d values together.", mostGroupedValues)
	}
	other := ""
	if to.Other != nil {
		var err error
		switch other, err = name(*to.Other); {
		case err != nil:
			return err
		case other == "":
			return ErrAct.With("Say what all other values together are called.")
		case names[strings.ToLower(other)]:
			return ErrAct.With("“%s” is a group already. Call all other values something else.", clip(other))
		}
	}
	dim.Grain, dim.Bin, dim.Bins = "", 0, nil
	dim.Groups, dim.Other = groups, other
	return nil
}

// spokenValue is a value within a sentence.
func spokenValue(value string) string {
	switch value {
	case charts.Null:
		return "No value"
	case "":
		return "The empty text"
	}
	return "“" + clip(value) + "”"
}

// GroupingView is a field of a widget whose values are put together.
type GroupingView struct {
	Widget string
	At     Spot
	Label  string
	Groups []GroupView // by name
	Other  string
	// Stays tells that a value of no group can be by itself.
	Stays bool
	// Values are those of the field that the person sees, the most frequent
	// first, or what a search found; More that there are others.
	Values []Value
	More   bool
}

// GroupView is one group of a GroupingView.
type GroupView struct {
	Name   string
	Values []Value
}

// Grouping is what lies at a spot of a widget of a draft, its groups, and the
// values of its field with the search in them.
//
// Errors: dashboards.widget_not_found, dashboards.act_invalid and those of the
// query.
func (s *Service) Grouping(ctx context.Context, v *View, widget string, at Spot, search string) (GroupingView, error) {
	if err := access.Can(v.actor, access.EditContent); err != nil {
		return GroupingView{}, err
	}
	w, has := v.Dashboard.Config.Widgets[widget]
	if !has {
		return GroupingView{}, ErrWidgetNotFound
	}
	dataset := v.Dashboard.Config.dataset(w.Query.Dataset)
	d := drafter{schemas: v.schemas, facts: map[ids.Dataset]Facts{dataset: s.knownFacts(ctx, v.actor, v.schemas[dataset])}}
	sc, err := d.schemaOf(dataset)
	if err != nil {
		return GroupingView{}, err
	}
	f := fillOf(&w)
	if at.Index, err = f.find(at.Well, at.Index, at.Expect); err != nil {
		return GroupingView{}, err
	}
	in := f[at.Well][at.Index]
	if in.dimension == nil || !d.groupable(sc, &w, at.Well, in.dimension) {
		return GroupingView{}, ErrAct.With("Values of %s can't be put into groups.", charts.Humanise(lastPart(in.field())))
	}
	dim := *in.dimension
	column, _ := sc.find(dim.Column)
	out := GroupingView{Widget: widget, At: at, Label: w.Format[in.name()].Label, Other: dim.Other, Stays: column.Type == warehouse.Text}
	if out.Label == "" {
		out.Label = dimensionLabel(dim)
	}
	choice := func(value string, rows int64) Value {
		return Value{Word: charts.EscapeValue(value), Rows: rows, Text: v.valueText(dataset, warehouse.Dimension{Column: dim.Column}, value)}
	}
	for _, name := range sortedKeys(dim.Groups) {
		group := GroupView{Name: name}
		for _, raw := range dim.Groups[name] {
			group.Values = append(group.Values, choice(plainValue(raw), -1))
		}
		out.Groups = append(out.Groups, group)
	}
	c := v.control("", out.Label, dim.Column, dataset, true)
	search = strings.TrimSpace(search)
	found, err := s.searchValues(ctx, v, &c, column.Type, nil, search)
	if err != nil {
		return GroupingView{}, err
	}
	out.Values, out.More = listed(found, search, choice), found.More
	return out, nil
}

// namesakes refuses a group that is called like a value which it does not hold,
// where values without a group stay by themselves: the two would be one. What
// else is wrong with the act is for the drafter to say.
func (s *Service) namesakes(ctx context.Context, actor access.Actor, d *drafter, c *Config, a *Act) error {
	to := a.Set.Groups
	w, has := c.Widgets[a.Widget]
	if a.Kind != "set_field" || to == nil || to.Other != nil || len(to.Groups) == 0 || !has {
		return nil
	}
	dataset := c.dataset(w.Query.Dataset)
	f := fillOf(&w)
	at, err := f.find(a.Well, a.index(), a.Expect)
	if err != nil || f[a.Well][at].dimension == nil || d.schemas[dataset] == nil {
		return nil
	}
	column := f[a.Well][at].dimension.Column
	if found, ok := d.schemas[dataset].find(column); !ok || found.Type != warehouse.Text {
		return nil
	}
	names := warehouse.Filter{Column: column, Op: "in"}
	holds := map[string]bool{} // a group with the value that it is called like
	for _, group := range to.Groups {
		name := strings.TrimSpace(group.Name)
		raw, err := json.Marshal(name)
		if err != nil {
			return err
		}
		names.Values = append(names.Values, raw)
		holds[name] = slices.Contains(group.Values, charts.EscapeValue(name))
	}
	r, err := s.datasets.Query(ctx, actor, datasets.QueryRequest{Exact: true, Now: s.clock(), Spec: warehouse.Spec{Dataset: dataset.String(),
		Dimensions: []warehouse.Dimension{{Column: column, As: "value"}}, Filters: []warehouse.Filter{names}, Limit: len(names.Values)}})
	if err != nil {
		return err
	}
	for _, value := range charts.Values(r, 0) {
		if !holds[value] {
			return ErrAct.With("“%s” is a value, too, which is in no group of that name. Add it to the group, or call the group something else.", clip(value))
		}
	}
	return nil
}

// plainValue is a value of a config as results name it.
func plainValue(raw json.RawMessage) string {
	var text *string
	switch err := json.Unmarshal(raw, &text); {
	case err != nil:
		return string(raw) // a number, true or false
	case text == nil:
		return charts.Null
	}
	return *text
}

// listed are values that were found, the most frequent first, and the rows
// without a value among them unless something was searched for.
func listed(found warehouse.FoundValues, search string, choice func(value string, rows int64) Value) []Value {
	var values []Value
	for _, one := range found.Values {
		values = append(values, choice(one.Value, one.Rows))
	}
	if search == "" && found.Nulls > 0 {
		at := slices.IndexFunc(values, func(o Value) bool { return o.Rows < found.Nulls })
		if at < 0 {
			at = len(values)
		}
		values = slices.Insert(values, at, choice(charts.Null, found.Nulls))
	}
	return values
}

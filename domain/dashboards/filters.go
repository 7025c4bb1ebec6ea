package dashboards

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Kinds of filters of the bar.
const (
	KindValues  = "values" // some of the column's values
	KindRange   = "range"  // numbers from, to
	KindText    = "text"   // texts that contain one
	KindBoolean = "boolean"
	KindDate    = "date" // a range of days of a column of its own
	KindTop     = "top"  // the values with the largest measure
)

// Kinds are all kinds of filters of the bar.
var Kinds = []string{KindValues, KindRange, KindText, KindBoolean, KindDate, KindTop}

// WithinDate stands for the date range, and WithinAll for everything that is
// chosen, among the filters that limit another one's values.
const (
	WithinDate = "date"
	WithinAll  = "*"
)

// NoColumn in Columns keeps a filter from a dataset.
const NoColumn = "-"

// ControlOptions are how a filter of the bar is chosen from.
type ControlOptions struct {
	// Kind is one of Kinds, KindValues when absent.
	Kind string `json:"kind,omitempty"`
	// Required filters have the widgets that they reach wait for a choice.
	Required bool `json:"required,omitempty"`
	// Default is in effect until a viewer chooses, in the form of the kind:
	// values; "10~200", "~200"; a text; "true"; "28d"; "10".
	Default []string `json:"default,omitempty"`
	// Within are the ids of filters that limit this one's values, WithinDate
	// or WithinAll. Without them all values of the dataset can be chosen.
	Within []string `json:"within,omitempty"`
	// Columns is what the filter's column is called in other datasets, by
	// their id; NoColumn leaves a dataset alone. A column of the same name
	// needs no entry.
	Columns map[string]string `json:"columns,omitempty"`
	// Measure ranks the values of KindTop; the number of rows when absent.
	Measure *warehouse.Measure `json:"measure,omitempty"`
}

// maxTop bounds a top-N filter.
const maxTop = 1000

// ErrFilterRequired tells which choice a widget waits for.
var ErrFilterRequired = apperr.Define(apperr.Invalid, "dashboards.filter_required",
	"This widget waits for a choice in the filter bar.")

// ErrFilterGone tells which filter can't be held to: without it the widget would
// answer more than is asked for.
var ErrFilterGone = apperr.Define(apperr.Invalid, "dashboards.filter_gone",
	"This widget is filtered by a column that is not there any more.")

func (o *ControlOptions) validate(id string) error {
	if o.Kind != "" && !slices.Contains(Kinds, o.Kind) {
		return ErrConfig.With("%q is no kind of filter; it is one of %s.", o.Kind, strings.Join(Kinds, ", "))
	}
	if len(o.Default) > maxStateValues {
		return ErrConfig.With("The default of filter %q has at most %d values.", id, maxStateValues)
	}
	for _, value := range o.Default {
		if len(value) > 1000 || !utf8.ValidString(value) {
			return ErrConfig.With("A value of the default of filter %q is too long.", id)
		}
	}
	if len(o.Within) > MaxControls+1 || len(o.Columns) > 100 {
		return ErrConfig.With("Filter %q depends on too many filters or datasets.", id)
	}
	for dataset := range o.Columns {
		if _, err := ids.Parse[ids.Dataset](dataset); err != nil {
			return ErrConfig.With("%q, that filter %q is mapped to, is no dataset.", clip(dataset), id)
		}
	}
	return nil
}

// ControlChoice is what a filter of the bar offers and what is chosen.
type ControlChoice struct {
	Kind     string
	Required bool
	Missing  bool // it is required and nothing is chosen
	Default  bool // it has a choice of its own, so that none has to be said
	Summary  string
	Low      string // of ranges and fixed days, as fields write them
	High     string
	Text     string
	Range    *Range // of KindDate
	N        int    // of KindTop
}

// chosen settles what is in effect of a filter: what the link says, or its own
// default. A choice that can't be read fails the widgets that it reaches.
func (v *View) chosen(c *ControlView, o ControlOptions) {
	c.options, c.Required = o, o.Required
	c.Kind = o.Kind
	if c.Kind == "" {
		c.Kind = KindValues
	}
	c.Default = len(o.Default) > 0
	said := false
	if c.picks, said = v.State.Picks[c.ID]; !said {
		c.picks = o.Default
	} else if len(c.picks) == 0 && !c.Default {
		v.State = v.State.WithPick(c.ID, nil)
	}
	c.Missing = c.Required && len(c.picks) == 0
	if len(c.picks) == 0 {
		return
	}
	first := c.picks[0]
	text := func(value string) string { return v.valueText(c.dataset, warehouse.Dimension{Column: c.Column}, value) }
	wrong := ErrFilters.With("The filter %s can't be %q. Reset the filters.", c.Label, clip(first))
	switch c.Kind {
	case KindRange:
		low, high, ok := strings.Cut(first, "~")
		for _, end := range []string{low, high} {
			if _, err := strconv.ParseFloat(end, 64); end != "" && (err != nil || !json.Valid([]byte(end))) {
				ok = false
			}
		}
		if !ok || low == "" && high == "" {
			c.err = wrong
			return
		}
		if from, _ := strconv.ParseFloat(low, 64); low != "" && high != "" {
			if to, _ := strconv.ParseFloat(high, 64); from > to {
				low, high = high, low
			}
		}
		c.Low, c.High = low, high
		switch {
		case high == "":
			c.Summary = "≥ " + text(low)
		case low == "":
			c.Summary = "≤ " + text(high)
		default:
			c.Summary = text(low) + " – " + text(high)
		}
	case KindText:
		c.Text, c.Summary = first, "“"+clip(first)+"”"
	case KindDate:
		r, err := ParseRange(first)
		if err != nil {
			c.err = wrong.Wrap(err)
			return
		}
		c.Range = &r
		if days, ok := r.Resolve(v.dayOf()); ok {
			c.Summary = v.locale.DateRange(days.From.Time(), days.To.Time())
		}
		if r.Kind == "fixed" {
			c.Low, c.High = r.From.String(), r.To.String()
		}
	case KindTop:
		n, err := strconv.Atoi(first)
		if err != nil || n < 1 || n > maxTop {
			c.err = wrong
			return
		}
		c.N, c.Summary = n, strconv.Itoa(n)
	default:
		for _, value := range c.picks {
			c.Values = append(c.Values, PickView{Word: pickWords([]string{value}), Text: text(value)})
		}
		c.Summary = pickText(c.Values)
	}
}

// dayOf is the day that relative dates count from.
func (v *View) dayOf() Day {
	if v.HasDates {
		return v.today
	}
	return DayOf(v.now.In(v.Zone))
}

// columnIn is the filter's column in a dataset; "" where it has none. meant tells
// that the filter was made for that column, which is then not there by chance.
func (c *ControlView) columnIn(dataset ids.Dataset) (column string, meant bool) {
	if own, ok := c.options.Columns[dataset.String()]; ok && dataset != c.dataset {
		if own == NoColumn {
			return "", false
		}
		return own, true
	}
	return c.Column, dataset == c.dataset
}

// controlFilter is what a filter of the bar adds to a widget. A required one
// without a choice is noted as what the widget waits for.
func (v *View) controlFilter(p *Plan, sc *schema, c *ControlView) (f warehouse.Filter, note FilterNote, ok bool) {
	if len(c.reaches) > 0 && !slices.Contains(c.reaches, p.ID) {
		return f, note, false
	}
	f, ok = v.filterOf(p, sc, c)
	return f, FilterNote{Field: c.Label, Text: c.noteText()}, ok
}

func (c *ControlView) noteText() string {
	if c.Kind == KindTop {
		return "Top " + c.Summary
	}
	return c.Summary
}

// filterOf is the condition of a filter, whatever widgets it reaches.
func (v *View) filterOf(p *Plan, sc *schema, c *ControlView) (f warehouse.Filter, ok bool) {
	name, meant := c.columnIn(p.dataset)
	column, has := sc.find(name)
	if !has {
		if meant && (len(c.picks) > 0 || c.Required) {
			what := "Clear the filter to see all."
			switch {
			case c.Required && v.Dashboard.CanEdit:
				what = "Take the filter out of the dashboard, or give it another column."
			case c.Required:
				what = "Ask who edits the dashboard to take the filter out."
			}
			p.err = ErrFilterGone.With("The column of the filter %s is gone, or hidden from you. %s", c.Label, what)
		}
		return f, false
	}
	if len(c.picks) == 0 {
		if c.Required {
			p.needs = append(p.needs, c.Label)
		}
		return f, false
	}
	if c.err != nil {
		p.err = c.err
		return f, false
	}
	switch c.Kind {
	case KindRange:
		f = warehouse.Filter{Column: name, Op: "between"}
		for _, end := range []struct {
			text string
			to   *json.RawMessage
		}{{c.Low, &f.From}, {c.High, &f.To}} {
			if end.text == "" {
				continue
			}
			raw, err := literal(column, "", 0, end.text)
			if err != nil {
				p.err = err
				return f, false
			}
			*end.to = raw
		}
		return f, true
	case KindText:
		return warehouse.Filter{Column: name, Op: "contains", Values: []json.RawMessage{quoted(c.Text)}}, true
	case KindDate:
		days, bounded := c.Range.Resolve(v.dayOf())
		return warehouse.Filter{Column: name, Op: "between", From: quoted(days.From.String()), To: quoted(days.To.String())}, bounded
	case KindTop:
		if len(c.top) == 0 { // nothing is on top, so no row is
			return warehouse.Filter{Column: name, Op: "in", Values: []json.RawMessage{}}, true
		}
		return v.in(p, sc, warehouse.Dimension{Column: name}, c.top)
	}
	return v.in(p, sc, warehouse.Dimension{Column: name}, c.picks)
}

// resolveTops asks which values top-N filters come to, under the date range
// and all other filters.
//
// Errors: that of ctx. What else goes wrong fails the widgets that the filter
// reaches.
func (s *Service) resolveTops(ctx context.Context, v *View) error {
	for i := range v.Controls {
		c := &v.Controls[i]
		sc := v.schemas[c.dataset]
		if c.Kind != KindTop || c.N == 0 || sc == nil {
			continue
		}
		others := *v
		others.Controls = slices.DeleteFunc(slices.Clone(v.Controls), func(o ControlView) bool { return o.Kind == KindTop })
		p := &Plan{dataset: c.dataset}
		measure := warehouse.Measure{Fn: "count"}
		if c.options.Measure != nil {
			measure = *c.options.Measure
		}
		measure.As = "rank"
		result, err := s.datasets.Query(ctx, v.actor, datasets.QueryRequest{Snapshot: v.Snapshot, Now: v.now, Exact: true,
			Spec: warehouse.Spec{Dataset: c.dataset.String(), Timezone: v.Zone.String(), Fields: v.Dashboard.Config.fields(c.dataset),
				Dimensions: []warehouse.Dimension{{Column: c.Column, As: "value"}}, Measures: []warehouse.Measure{measure},
				Filters: append(others.filters(p, sc, &Query{}), warehouse.Filter{Column: c.Column, Op: "not_empty"}),
				Order:   []warehouse.Order{{By: "rank", Desc: true}, {By: "value"}}, Limit: c.N}})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.err = v.discreet(err)
			continue
		}
		c.top = charts.Values(result, 0)
	}
	return nil
}

// within are the conditions that limit the values of a filter.
func (v *View) within(c *ControlView, sc *schema) ([]warehouse.Filter, error) {
	var list []warehouse.Filter
	p := &Plan{dataset: c.dataset}
	all := slices.Contains(c.options.Within, WithinAll)
	others := *v
	others.Controls = nil
	if all {
		list = others.filters(p, sc, &Query{})
	} else if slices.Contains(c.options.Within, WithinDate) {
		others.Cross = nil
		list = others.filters(p, sc, &Query{})
	}
	for i := range v.Controls {
		o := &v.Controls[i]
		// A filter must not hide its own other values, and one of its top
		// values stands for no column's value.
		if o.ID == c.ID || !all && !slices.Contains(c.options.Within, o.ID) {
			continue
		}
		if f, ok := v.filterOf(p, sc, o); ok {
			list = append(list, f)
		}
	}
	return list, p.err
}

// parseTyped reads the fields that a person types into: they are not words of
// a link. Empty ones choose nothing.
func (s *State) parseTyped(query url.Values) error {
	for name := range query {
		id, ok := strings.CutPrefix(name, "t.")
		if ok && id != "" {
			if text := strings.TrimSpace(query.Get(name)); text != "" {
				s.pick(id, []string{text})
			}
		}
		id, low := strings.CutPrefix(name, "lo.")
		if !low {
			if id, ok = strings.CutPrefix(name, "hi."); !ok {
				continue
			}
		}
		from, to := strings.TrimSpace(query.Get("lo."+id)), strings.TrimSpace(query.Get("hi."+id))
		if id == "" || from == "" && to == "" {
			continue
		}
		s.pick(id, []string{from + "~" + to})
	}
	for _, picks := range s.Picks {
		for _, value := range picks {
			if len(value) > 1000 && value != charts.Null {
				return ErrFilters.With("A value of a filter has at most 1,000 bytes.")
			}
		}
	}
	return nil
}

// WithNone takes off what a filter has chosen, its own default too.
func (s State) WithNone(id string) State {
	c := s.WithPick(id, nil)
	c.pick(id, nil)
	return c
}

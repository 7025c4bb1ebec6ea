package dashboards

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Explained is where a number comes from: of a whole widget, or of one mark.
type Explained struct {
	Widget string
	Title  string
	Mark   string // in links; "" for the whole widget
	Marked string // the mark for people: "web · May 2026"
	Values []ExplainedValue
	// Filters are all that narrow the rows: those of the page, then those of
	// the widget itself.
	Filters []FilterNote

	Dataset     ids.Dataset
	DatasetName string
	Version     datasets.Version // Version.Version alone where it is no longer listed

	// Query is the question as JSON, SQL what it becomes, with the dataset in
	// the place of its files.
	Query string
	SQL   string
	// Took is how long the answer took when it was computed.
	Took    time.Duration
	Cached  bool
	Rows    int   // of the answer
	Scanned int64 // rows in the segments that were read
	Before  int64 // rows in the segments read for the span compared with
	Read    int   // segments read, of All
	All     int
	Sampled *Sampled
	// Limited tells that rules hold for who asks: Scanned, Read and All are
	// not told then. Rules are those on rows and groups.
	Limited bool
	Rules   []datasets.HeldRule

	// Zone is what days are cut by. From and To are the ends of the date
	// range, To excluded; zero where it has none. Shifted tells that the
	// column is in UTC and its days are those of Zone.
	Zone     *time.Location
	From, To time.Time
	// Previous is the span that values are compared with; nil where they are not.
	Previous *Days
	// UpTo is the last moment of that span where it is cut within a day; else zero.
	UpTo time.Time
	// ToDate is when the comparison ends, where rows lie ahead of it; else zero.
	ToDate  time.Time
	Shifted bool
}

// ExplainedValue is one number and how it is made.
type ExplainedValue struct {
	Name       string
	Text       string // "" where the widget has more than one
	Before     string // of the span compared with; "" without one
	Change     string // from then to now: "+3.2%"; "" where it has none
	ToDate     string // what that compares with, where rows lie ahead; else ""
	Definition string
}

// Explain says where the numbers of a widget come from; with a mark, where
// that one comes from.
//
// Errors: dashboards.widget_not_found, dashboards.filters_invalid for a mark
// that is none of the widget, and those of the query.
func (s *Service) Explain(ctx context.Context, v *View, widget, mark string) (*Explained, error) {
	p, marked, filters, err := v.explained(widget, mark)
	if err != nil {
		return nil, err
	}
	sc := v.schemas[p.dataset]
	e := &Explained{Widget: widget, Title: p.Widget.Title, Mark: mark, Marked: marked, Dataset: p.dataset, DatasetName: p.name, Zone: v.Zone,
		Filters: slices.Clone(p.filters)}
	for _, f := range p.Widget.Query.Filters[:v.ownFilters(p)] {
		e.Filters = append(e.Filters, sc.describe(f))
	}
	spec := p.main
	single := mark != "" || len(spec.Dimensions) == 0 && len(spec.Columns) == 0
	if mark != "" {
		spec.Dimensions, spec.Order, spec.Other, spec.Offset, spec.Limit = nil, nil, false, 0, 0
		// A moment has nothing in the span before to compare with.
		if c := spec.Comparison; c != nil && slices.ContainsFunc(filters, func(f warehouse.Filter) bool { return f.Column == c.Column }) {
			spec.Comparison = nil
		}
		spec.Filters = slices.DeleteFunc(append(slices.Clone(spec.Filters), filters...), func(f warehouse.Filter) bool { return f.Measure != "" })
		spec.Measures = slices.Clone(spec.Measures)
		for i := range spec.Measures {
			spec.Measures[i].Show = ""
		}
	}
	result, exact, err := s.askMain(ctx, v, p, spec)
	if err != nil {
		return nil, err
	}
	if mark == "" {
		asked, answer, err := s.parts(ctx, v, p, result)
		if err != nil {
			return nil, err
		}
		if answer != nil { // it is that which is drawn
			spec, result = asked, answer
		}
	}
	e.Took, e.Cached, e.Rows, e.Sampled = result.Elapsed, result.FromCache, result.Rows, sampledOf(result)
	how, err := s.datasets.Explain(ctx, v.actor, datasets.QueryRequest{Spec: spec, Snapshot: v.Snapshot, Exact: exact, Now: v.now})
	if err != nil {
		return nil, err
	}
	e.SQL, e.Scanned, e.Before, e.Read, e.All = withoutFiles(how.SQL, p.name), how.Rows, how.Before, how.Segments, how.Segments+how.Pruned
	e.Query = specText(spec)
	if days, ok := spanDays(result.Previous); ok {
		e.Previous = &days
		if at, cut := cutAt(result.Previous); cut {
			e.UpTo = at
		}
	}
	if !result.ToDate.IsZero() {
		e.ToDate = lastMoment(result.ToDate)
	}
	held, err := s.datasets.HeldRules(ctx, v.actor, p.dataset)
	if err != nil {
		return nil, err
	}
	e.Limited = len(held) > 0
	for _, r := range held {
		if r.Kind != datasets.RuleColumn || r.Mask != warehouse.MaskHidden { // which columns are hidden is not told
			e.Rules = append(e.Rules, r)
		}
	}
	if err := v.explainValues(e, p, result, single); err != nil {
		return nil, err
	}
	if err := s.explainVersion(ctx, v, e); err != nil {
		return nil, err
	}
	if column := v.dateColumn(p.dataset, p.Widget.Query.Date); column != "" && v.Days != nil {
		c, _ := sc.find(column)
		e.Shifted = c.Type == warehouse.TimestampTZ
		zone := time.UTC
		if e.Shifted {
			zone = v.Zone
		}
		at := func(d Day) time.Time { y, m, day := d.Time().Date(); return time.Date(y, m, day, 0, 0, 0, 0, zone) }
		e.From, e.To = at(v.Days.From), at(v.Days.To+1)
	}
	return e, nil
}

// ownFilters is how many filters of a widget its author wrote: what drilling
// down added is among the notes already.
func (v *View) ownFilters(p *Plan) int { return len(v.Dashboard.Config.Widgets[p.ID].Query.Filters) }

// marksOf reads a mark of one value, or of a value in all its spellings, which
// stand beside each other: "CA,California".
//
// Errors: dashboards.filters_invalid.
func marksOf(text string) (marks []charts.Mark, err error) {
	for word := range strings.SplitSeq(text, ",") {
		mark, err := charts.ParseMark(word)
		if err != nil {
			return nil, ErrFilters.Wrap(err)
		}
		if len(marks) > 0 && (len(mark) != 1 || len(marks[0]) != 1) {
			return nil, ErrFilters.With("The widget has no such mark.")
		}
		marks = append(marks, mark)
	}
	return marks, nil
}

// explained finds the widget and what a mark of it keeps. A mark is one of a
// chart, or a value of the widget's time axis.
func (v *View) explained(widget, mark string) (p *Plan, text string, filters []warehouse.Filter, err error) {
	p, ok := v.Plan(widget)
	if !ok || !p.Widget.Type.Asks() || !p.Widget.SetUp() {
		return nil, "", nil, ErrWidgetNotFound
	}
	if err := p.problem(); err != nil {
		return nil, "", nil, err
	}
	if mark == "" {
		return p, "", nil, nil
	}
	marks, err := marksOf(mark)
	if err != nil {
		return nil, "", nil, err
	}
	parsed := marks[0]
	dims := v.markDimensions(p, len(parsed))
	if len(dims) != len(parsed) {
		return nil, "", nil, ErrFilters.With("The widget has no such mark.")
	}
	copied := *p
	var words []string
	for n, dim := range dims {
		f, ok := v.in(&copied, v.schemas[p.dataset], dim, distinct(marks, n))
		if !ok {
			if copied.err == nil {
				copied.err = ErrFilters
			}
			return nil, "", nil, copied.err
		}
		filters = append(filters, f)
		words = append(words, v.valueText(p.dataset, dim, parsed[n]))
	}
	return p, strings.Join(words, " · "), filters, nil
}

// markDimensions are the dimensions that a mark of so many values is of: those
// that a click filters by, or the first ones.
func (v *View) markDimensions(p *Plan, n int) []warehouse.Dimension {
	dims := selectDimensions(&p.Widget)
	if len(dims) != n {
		dims = p.Widget.Query.Dimensions[:min(n, len(p.Widget.Query.Dimensions))]
	}
	dims = slices.Clone(dims)
	for i := range dims {
		dims[i] = v.settled(p, v.schemas[p.dataset], dims[i])
	}
	return dims
}

func (v *View) explainValues(e *Explained, p *Plan, result *warehouse.Result, single bool) error {
	sc := v.schemas[p.dataset]
	var texts, changes map[string]string
	if single && result.Rows == 1 {
		in := p.input
		in.Result, in.Page, in.PageSize, in.Total, in.Sort = result, 1, 1, 0, ""
		in.Config.Type = charts.Table
		grid, err := charts.Tabulate(in)
		if err != nil {
			return err
		}
		texts, changes = map[string]string{}, map[string]string{}
		for i, c := range result.Columns {
			if i < len(grid.Columns) && len(grid.Rows) == 1 {
				texts[c.Name] = grid.Rows[0].Cells[i].Text
			}
		}
		for _, m := range p.main.Measures {
			name := measureName(m)
			if changes[name], err = changeIn(in, name); err != nil {
				return err
			}
		}
	}
	for _, m := range p.main.Measures {
		name := p.Widget.Format[measureName(m)].Label
		if name == "" {
			name = sc.measureLabel(m)
		}
		as := measureName(m)
		value := ExplainedValue{Name: name, Text: texts[as], Before: texts[as+warehouse.PreviousSuffix], Change: changes[as], ToDate: texts[as+warehouse.ToDateSuffix], Definition: sc.definition(v.Dashboard.Config.fields(p.dataset), m)}
		if e.Mark != "" && m.Show != "" {
			value.Text, value.Before, value.Change, value.ToDate = "", "", "", "" // one mark alone has no share and no running total
		}
		e.Values = append(e.Values, value)
	}
	return nil
}

// changeIn is the change of a measure against the span compared with, as a table
// writes it; empty where there is none.
func changeIn(in charts.Input, measure string) (string, error) {
	in.Config.Encode = charts.Encode{Columns: []charts.Cell{{Column: measure, Change: true}}}
	drawing, err := charts.Draw(in)
	if err != nil || drawing.Table == nil || len(drawing.Table.Rows) != 1 {
		return "", err
	}
	cells := drawing.Table.Rows[0].Cells
	if len(cells) != 2 || cells[1].Text == locale.Missing {
		return "", nil
	}
	return cells[1].Text, nil
}

// explainVersion finds out which load made the data.
func (s *Service) explainVersion(ctx context.Context, v *View, e *Explained) error {
	e.Version.Version, _ = v.Snapshot.Version(e.Dataset)
	list, err := s.datasets.ListVersions(ctx, v.actor, e.Dataset, 200)
	if err != nil {
		return fmt.Errorf("list versions of %s: %w", e.Dataset, err)
	}
	for _, one := range list {
		if one.Version == e.Version.Version {
			e.Version = one
		}
	}
	return nil
}

// Asked is how long the query of a widget took and how many rows it answered;
// false where it can't be asked.
func (s *Service) Asked(ctx context.Context, v *View, widget string) (took time.Duration, rows int, ok bool) {
	p, has := v.Plan(widget)
	if !has || !p.Widget.Type.Asks() || !p.Widget.SetUp() || p.problem() != nil {
		return 0, 0, false
	}
	result, err := s.ask(ctx, v, p, p.main)
	if err != nil {
		return 0, 0, false // its tile says what is wrong
	}
	if _, answer, err := s.parts(ctx, v, p, result); err == nil && answer != nil {
		result = answer
	}
	return result.Elapsed, result.Rows, true
}

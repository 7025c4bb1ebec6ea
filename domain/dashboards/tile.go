package dashboards

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Tile is one widget, asked and drawn.
type Tile struct {
	Dashboard ids.Dashboard
	ID        string
	Key       string
	Type      charts.Type
	Title     string
	Subtitle  string
	Layout    Layout
	Places    Places
	Section   *SectionView // of a section
	Control   string       // the filter that one of the canvas shows
	Dataset   string       // its name, for people
	Drawing   *charts.Drawing
	// Err is why there is no drawing; nil otherwise. It carries what a person
	// may see and was not logged yet.
	Err error
	// Draft tiles are those of the editor. Unset tells that the widget has
	// nothing to ask yet: it is a drop target there.
	Draft bool
	Unset bool
	// Measured tells that the widget has a measure, which can be watched.
	Measured bool
	// LastGood is the last answer that this widget had; nil for none.
	LastGood *LastGood
	Sampled  *Sampled
	// NoValue tells, of an empty drawing, that there are rows all the same: what
	// is calculated of them has no value.
	NoValue bool
	// Field is the measure, dimension or filter that Err is about, as people call
	// it; empty where it is about none, or says so itself.
	Field string
	// Filters are in effect on this widget: one of them may have emptied it.
	Filters []FilterNote
	// Limited tells that rules leave the viewer a part of the dataset.
	Limited bool
	// Needs are the filters that the widget waits for a choice in; it was not
	// asked then.
	Needs []string
	// Levels is the way that was drilled down, from the top; nil without one.
	Levels []Crumb
	// Selected is the tag of a widget that filters others: "North".
	Selected string
	// Link is the part of the URL's query that this widget depends on.
	Link string
	// Shorter is a range (as in the URL) with less to draw, where there is too much;
	// empty where the page has a short one.
	Shorter string
	// ShorterDays is how long that is.
	ShorterDays int
	// At is the moment of the data, for links that must show the same.
	At string
	// Stale is when the shown data is of, where it is not the page's.
	Stale time.Time
	// Sort is how a table is sorted; Page which page it shows.
	Sort string
	Page int
}

// Sampled says how an approximate answer was made.
type Sampled struct {
	Rate  int     // 1 in Rate rows
	Error float64 // half the widest 95 % interval, relative: 0.006 is ±0.6%
}

// LastGood is an answer of an earlier moment.
type LastGood struct {
	At   string    // snapshot
	Time time.Time // when it was the newest
}

// Draw asks and draws one widget of the view. It always answers a tile: what
// went wrong with one widget stays within it. The error is that of ctx.
func (s *Service) Draw(ctx context.Context, v *View, p *Plan) (*Tile, error) {
	w := &p.Widget
	t := &Tile{Dashboard: v.Dashboard.ID, ID: p.ID, Key: p.Key, Type: w.Type, Title: w.Title, Layout: w.Layout, Places: p.Places, Section: p.Section, Control: w.Control,
		Subtitle: v.subtitle(p, nil), Dataset: p.name, Filters: p.filters, Link: p.link, At: v.Snapshot.String(),
		Sort: p.input.Sort, Page: max(p.input.Page, 1), Draft: v.Draft, Unset: !v.ready(w) && p.err == nil, Measured: len(w.Query.Measures) > 0}
	t.Needs, t.Levels = p.needs, p.levels
	if sc := v.schemas[p.dataset]; sc != nil {
		t.Limited = sc.Dataset.Sees != ""
	}
	if t.Unset || len(t.Needs) > 0 {
		return t, ctx.Err()
	}
	if p.selected != nil {
		t.Selected = p.selected.Text
	}
	drawing, outlook, sampled, err := s.draw(ctx, v, p)
	if ctxErr := ctx.Err(); ctxErr != nil {
		return nil, ctxErr
	}
	memory := digest(v.actor.TenantID, v.Dashboard.ID, p.ID, p.main, v.locale.Name)
	if err == nil && drawing.State == charts.Empty && !drawing.Sparse && !drawing.Few && len(w.Query.Measures) > 0 {
		t.NoValue, err = s.hasRows(ctx, v, p)
	}
	if err != nil {
		t.Err, t.Field = err, v.fieldOf(p, err)
		if !errors.Is(err, ErrUnseen) { // there was none
			t.LastGood = s.lastGood.get(memory)
		}
		return t, nil
	}
	if key := drawing.Note.Key; key != "" && key != charts.NoteOpenPeriod && key != charts.NoteOpen && key != charts.NoteAhead {
		outlook = nil // not drawn, so nothing is said of it
	}
	t.Drawing, t.Sampled, t.Subtitle = drawing, sampled, v.subtitle(p, outlook)
	if drawing.State == charts.TooMuch {
		t.Shorter, t.ShorterDays = v.shorter(drawing.FitDays)
	}
	s.lastGood.put(memory, LastGood{At: v.Snapshot.String(), Time: v.AsOf})
	return t, nil
}

// shorter are the last days of the page's range, or of the data before its end; at
// most so many, where that is known.
func (v *View) shorter(most int) (text string, days int) {
	for _, n := range []int{28, 7, 1} {
		if (most == 0 || n <= most) && (v.Days == nil || v.Days.Count() > n) {
			days = n
			break
		}
	}
	if !v.HasDates || days == 0 {
		return "", 0
	}
	last := v.today
	if v.Bounds != nil {
		last = v.Bounds.To
	}
	if v.Days != nil {
		last = min(last, v.Days.To)
	}
	return Range{Kind: "fixed", From: last - Day(days) + 1, To: last}.String(), days
}

func (s *Service) draw(ctx context.Context, v *View, p *Plan) (drawing *charts.Drawing, outlook *charts.Outlook, sampled *Sampled, err error) {
	// A mistake in drawing one widget must not end the process, and with it the
	// pages of everybody.
	defer func() {
		if cause := recover(); cause != nil {
			s.log.ErrorContext(ctx, "panic while drawing a widget", "dashboard", v.Dashboard.ID, "widget", p.ID, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			drawing, outlook, sampled, err = nil, nil, nil, fmt.Errorf("draw widget %s: %v", p.ID, cause)
		}
	}()
	if p.err != nil {
		return nil, nil, nil, p.err
	}
	in := p.input
	if !in.Config.Type.Asks() {
		drawing, err = charts.Draw(in)
		return drawing, nil, nil, err
	}
	if in.Result, _, err = s.askMain(ctx, v, p, p.main); err != nil {
		return nil, nil, nil, err
	}
	v.nameComparison(&in.Words, in.Result)
	if p.spark != nil {
		if in.Spark, err = s.ask(ctx, v, p, *p.spark); err != nil {
			return nil, nil, nil, err
		}
	}
	if p.count != nil {
		if err = s.countRows(ctx, v, p, &in); err != nil {
			return nil, nil, nil, err
		}
	}
	if p.history != nil {
		if in.Outlook, err = s.foresee(ctx, v, p); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := s.askParts(ctx, v, p, &in); err != nil {
		return nil, nil, nil, err
	}
	if err := s.askGrid(ctx, v, p, &in); err != nil {
		return nil, nil, nil, err
	}
	if err := s.askFurther(ctx, v, p, &in); err != nil {
		return nil, nil, nil, err
	}
	if err := s.askSpellings(ctx, v, p, &in); err != nil {
		return nil, nil, nil, err
	}
	if in.Groups, err = s.askGroups(ctx, v, p, in.Result); err != nil {
		return nil, nil, nil, err
	}
	if p.colours != nil {
		if in.Order, err = s.palette(ctx, v, p); err != nil {
			return nil, nil, nil, err
		}
	}
	if drawing, err = charts.Draw(in); err != nil {
		return nil, nil, nil, err
	}
	if drawing.State == charts.Ready && valueless(p, in.Result) {
		drawing.State = charts.Empty // axes around nothing say nothing
	}
	return drawing, in.Outlook, sampledOf(in.Result), nil
}

// askMain asks what a widget shows, exactly where which groups are on the page of a
// table would rest on an estimate.
func (s *Service) askMain(ctx context.Context, v *View, p *Plan, spec warehouse.Spec) (result *warehouse.Result, exact bool, err error) {
	result, err = s.ask(ctx, v, p, spec)
	if err != nil || result.Sampled == nil || !p.ranked() || result.Rows <= p.input.PageSize {
		return result, p.exact, err
	}
	asked := *p
	asked.exact = true
	result, err = s.ask(ctx, v, &asked, spec)
	return result, true, err
}

// valueless tells that a chart would draw none of its rows, since no measure has a
// value in any. Tables show their rows all the same.
func valueless(p *Plan, r *warehouse.Result) bool {
	if len(p.main.Measures) == 0 || len(p.main.Dimensions) == 0 || p.Widget.Type == charts.Table || p.Widget.Type == charts.Pivot {
		return false
	}
	for _, m := range p.main.Measures {
		for i := range r.Columns {
			if r.Columns[i].Name != measureName(m) {
				continue
			}
			for row := range r.Rows {
				if !r.Columns[i].IsNull(row) {
					return false
				}
			}
		}
	}
	return r.Rows > 0
}

// hasRows tells whether any row is left to calculate with.
func (s *Service) hasRows(ctx context.Context, v *View, p *Plan) (bool, error) {
	spec := p.main
	spec.Measures = []warehouse.Measure{{Fn: "count", As: "rows"}}
	spec.Dimensions, spec.Columns, spec.Order, spec.Other, spec.Offset, spec.Limit, spec.Comparison = nil, nil, nil, false, 0, 0, nil
	spec.Filters = ofRows(spec.Filters)
	counted, err := s.ask(ctx, v, p, spec)
	if err != nil || counted.Rows == 0 || len(counted.Columns) == 0 || len(counted.Columns[0].Ints) == 0 {
		return false, err
	}
	return counted.Columns[0].Ints[0] > 0, nil
}

// place is how an error of a query begins that is about one part of it.
var place = regexp.MustCompile(`^(measures|dimensions|filters)\[(\d+)\]`)

// fieldOf is what people call the part of the widget's query that an error names
// by its place; empty where the sentence has the name.
func (v *View) fieldOf(p *Plan, err error) string {
	sentence := apperr.Describe(err).Sentence
	m := place.FindStringSubmatch(sentence)
	if m == nil {
		return ""
	}
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return ""
	}
	name, label := "", ""
	switch {
	case m[1] == "measures" && n < len(p.main.Measures):
		measure := p.main.Measures[n]
		name = cmp.Or(measure.Measure, measure.Column)
		label = p.Widget.Format[measureName(measure)].Label
		if sc := v.schemas[p.dataset]; label == "" && sc != nil {
			label = sc.measureLabel(measure)
		}
	case m[1] == "dimensions" && n < len(p.main.Dimensions):
		name = p.main.Dimensions[n].Column
	case m[1] == "filters" && n < len(p.main.Filters):
		name = cmp.Or(p.main.Filters[n].Column, p.main.Filters[n].Measure)
	}
	if name != "" && strings.Contains(sentence, strconv.Quote(name)) {
		return ""
	}
	return cmp.Or(label, charts.Humanise(lastPart(name)))
}

func sampledOf(r *warehouse.Result) *Sampled {
	if r.Sampled == nil {
		return nil
	}
	return &Sampled{Rate: r.Sampled.Rate, Error: r.Sampled.Error}
}

// maxColoured is how many values of a dimension have a colour of their own
// choice; the rarest share seven of them as they come.
const maxColoured = 50

// palette is the order of colours of a dimension: its most frequent values over
// all the data, whatever is filtered, so that a category keeps its colour on
// every widget and under every filter.
func (s *Service) palette(ctx context.Context, v *View, p *Plan) ([]string, error) {
	result, err := s.datasets.Query(ctx, v.actor, datasets.QueryRequest{Snapshot: v.Snapshot, Now: v.now, Exact: true,
		Spec: warehouse.Spec{Dataset: p.dataset.String(), Timezone: v.Zone.String(), Fields: v.Dashboard.Config.fields(p.dataset),
			Dimensions: []warehouse.Dimension{*p.colours},
			Measures:   []warehouse.Measure{{Fn: "count", As: "rows"}},
			Order:      []warehouse.Order{{By: "rows", Desc: true}, {By: "value"}}, Limit: maxColoured}})
	if err = v.discreet(err); err != nil {
		return nil, fmt.Errorf("read the values of %s: %w", p.colours.Column, err)
	}
	return charts.Values(result, 0), nil
}

// problem is why a widget can't be asked; nil where it can.
func (p *Plan) problem() error {
	if p.err == nil && len(p.needs) > 0 {
		return ErrFilterRequired.With("This widget waits for a choice of %s.", strings.Join(p.needs, ", "))
	}
	return p.err
}

// subtitle fills in the grain, and how good the forecast is.
func (v *View) subtitle(p *Plan, o *charts.Outlook) string {
	text := v.withMAPE(p.Widget.Subtitle, o)
	if !strings.Contains(text, "{grain}") {
		return text
	}
	grain := v.grain(p, v.dateColumn(p.dataset, p.Widget.Query.Date))
	for _, d := range p.main.Dimensions {
		if d.Grain != "" {
			grain = d.Grain
			break
		}
	}
	name := grain
	if v.words.Grain != nil {
		name = v.words.Grain(grain)
	}
	return strings.ReplaceAll(text, "{grain}", name)
}

// AsTable is "View as table" of one widget, a page at a time.
//
// Errors: dashboards.widget_not_found and those of the query.
func (s *Service) AsTable(ctx context.Context, v *View, widget string, page int) (*charts.Grid, error) {
	p, ok := v.Plan(widget)
	if !ok {
		return nil, ErrWidgetNotFound
	}
	if err := p.problem(); err != nil {
		return nil, err
	}
	if !p.Widget.Type.Asks() {
		return nil, ErrWidgetNotFound
	}
	in := p.input
	in.Page, in.PageSize = page, tablePage
	spec := p.main
	if p.count != nil {
		spec, in.Page = p.page(page, tablePage)
	}
	var err error
	if in.Result, err = s.ask(ctx, v, p, spec); err != nil {
		return nil, err
	}
	v.nameComparison(&in.Words, in.Result)
	if p.history != nil {
		if in.Outlook, err = s.foresee(ctx, v, p); err != nil {
			return nil, err
		}
	}
	if p.count != nil {
		if err = s.countRows(ctx, v, p, &in); err != nil {
			return nil, err
		}
	}
	return charts.Tabulate(in)
}

// tablePage is how many rows "View as table" shows at a time.
const tablePage = 50

// Value is one choice of a filter.
type Value struct {
	Word  string // in links
	Text  string
	Rows  int64
	Taken bool
}

// maxValues is how many choices a filter lists.
const maxValues = 100

// Values lists the choices of a filter: those whose text has the search in it,
// those that begin with it first, then the most frequent. Their rows are those
// of the whole dataset, or what the filters leave that limit this one; they are
// not told where the page shows fewer.
//
// Errors: dashboards.filter_not_found and those of the query.
func (s *Service) Values(ctx context.Context, v *View, control, search string) (values []Value, more bool, err error) {
	c, ok := v.Control(control)
	if !ok || !v.addsFilters() && c.Kind != KindValues && c.Kind != KindBoolean { // those are not chosen from a list
		return nil, false, ErrControlNotFound
	}
	sc := v.schemas[c.dataset]
	if sc == nil {
		return nil, false, datasets.ErrNotFound
	}
	column, ok := sc.find(c.Column)
	if !ok {
		return nil, false, ErrControlNotFound
	}
	filters, err := v.within(&c, sc)
	if err != nil {
		return nil, false, err
	}
	found, err := s.searchValues(ctx, v, &c, column.Type, filters, strings.TrimSpace(search))
	if err != nil {
		return nil, false, err
	}
	picked := map[string]bool{}
	for _, value := range c.picks {
		picked[value] = true
	}
	narrowed := v.narrowed(&c)
	word := func(value string, rows int64) Value {
		if narrowed {
			rows = -1
		}
		taken := picked[value]
		delete(picked, value)
		return Value{Word: pickWords([]string{value}), Taken: taken, Rows: rows, Text: v.valueText(c.dataset, warehouse.Dimension{Column: c.Column}, value)}
	}
	values = listed(found, search, word)
	// What is picked stays in the list, so that it can be taken off.
	if search == "" {
		for _, value := range c.picks {
			if picked[value] {
				values = append(values, word(value, -1))
			}
		}
	}
	return values, found.More, nil
}

// narrowed tells whether the page leaves rows out besides those that a filter
// itself does, or that limit its values.
func (v *View) narrowed(c *ControlView) bool {
	if v.Days != nil && v.dateColumn(c.dataset, "") != "" || len(v.Cross) > 0 {
		return true
	}
	return slices.ContainsFunc(v.Controls, func(o ControlView) bool {
		return o.ID != c.ID && o.dataset == c.dataset && len(o.picks) > 0 && !slices.Contains(c.options.Within, o.ID)
	})
}

// searchValues asks the index of values or, for types that have none, for the
// most frequent values.
func (s *Service) searchValues(ctx context.Context, v *View, c *ControlView, typ warehouse.Type, filters []warehouse.Filter, search string) (warehouse.FoundValues, error) {
	request := v.valuesRequest(c, filters)
	request.Search = search
	if warehouse.HasValueIndex(typ) {
		found, err := s.datasets.SearchValues(ctx, v.actor, request)
		return found, v.discreet(err)
	}
	spec := &request.Spec
	spec.Dimensions = []warehouse.Dimension{{Column: c.Column, As: "value"}}
	spec.Measures = []warehouse.Measure{{Fn: "count", As: "rows"}}
	spec.Order, spec.Limit = []warehouse.Order{{By: "rows", Desc: true}, {By: "value"}}, maxValues
	result, err := s.datasets.Query(ctx, v.actor, request.QueryRequest)
	if err != nil {
		return warehouse.FoundValues{}, v.discreet(err)
	}
	found := warehouse.FoundValues{More: result.More}
	for i, value := range charts.Values(result, 0) {
		rows := int64(-1)
		if len(result.Columns) > 1 && result.Columns[1].Ints != nil {
			rows = result.Columns[1].Ints[i]
		}
		if value == charts.Null {
			found.Nulls = rows
			continue
		}
		found.Values = append(found.Values, warehouse.ValueCount{Value: value, Rows: rows})
	}
	return found, nil
}

func (v *View) valuesRequest(c *ControlView, filters []warehouse.Filter) datasets.ValuesRequest {
	return datasets.ValuesRequest{Column: c.Column, Limit: maxValues, QueryRequest: datasets.QueryRequest{Snapshot: v.Snapshot, Now: v.now, Exact: true,
		Spec: warehouse.Spec{Dataset: c.dataset.String(), Timezone: v.Zone.String(), Fields: v.Dashboard.Config.fields(c.dataset), Filters: filters}}}
}

// settled is how long a dataset has not changed before its values are indexed
// for a filter that nobody has opened yet.
const settled = 2 * time.Minute

// PrepareFilters has the indexes built that the bar's filters will search, so
// that they are there when one is opened.
func (s *Service) PrepareFilters(ctx context.Context, v *View) {
	for i := range v.Controls {
		c := &v.Controls[i]
		sc := v.schemas[c.dataset]
		// Rows that come in all the time make a version each: nobody may ask
		// for the values of this one.
		if sc == nil || c.Kind != KindValues || len(c.options.Within) > 0 || v.now.Sub(sc.UpdatedAt) < settled {
			continue
		}
		column, ok := sc.find(c.Column)
		if !ok || !warehouse.HasValueIndex(column.Type) {
			continue
		}
		if err := s.datasets.PrepareValues(ctx, v.actor, v.valuesRequest(c, nil)); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "prepare the values of a filter", "dashboard", v.Dashboard.ID, "filter", c.ID, "error", err)
		}
	}
}

// Control finds a filter of the view, or makes one of a column where the viewer
// may add it.
func (v *View) Control(id string) (ControlView, bool) {
	for _, c := range v.Controls {
		if c.ID == id {
			return c, true
		}
	}
	home := v.Dashboard.Config.Dataset
	if sc := v.schemas[home]; sc != nil && v.addsFilters() {
		if _, ok := sc.find(id); ok {
			control := v.control(id, charts.Humanise(lastPart(id)), id, home, true)
			control.Kind = v.kindOf(home, id)
			return control, true
		}
	}
	return ControlView{}, false
}

// kindOf is how a filter that a viewer adds is chosen from.
func (v *View) kindOf(dataset ids.Dataset, column string) string {
	c, _ := v.schemas[dataset].find(column)
	if c.Type == warehouse.Boolean {
		return KindValues // it has its counts there
	}
	return Field{Name: column, Type: c.Type}.FilterKinds()[0]
}

// Addable lists the columns that a viewer can add a filter on: those of the
// default dataset and of what it looks up in; none for those from outside.
func (v *View) Addable() []ControlView {
	home := v.Dashboard.Config.Dataset
	sc := v.schemas[home]
	if sc == nil || !v.addsFilters() {
		return nil
	}
	taken := map[string]bool{}
	for _, c := range v.Controls {
		taken[c.Column] = true
	}
	var list []ControlView
	add := func(prefix, label string, columns []datasets.Column) {
		for _, c := range columns {
			if taken[prefix+c.Name] || prefix+c.Name == v.homeColumn || v.locks(prefix+c.Name) {
				continue
			}
			list = append(list, ControlView{ID: prefix + c.Name, Column: prefix + c.Name, Label: label + charts.Humanise(c.Name), Added: true, dataset: home})
		}
	}
	add("", "", sc.Columns)
	for _, name := range sortedKeys(sc.targets) {
		add(name+".", charts.Humanise(name)+": ", sc.targets[name].Columns)
	}
	return list
}

// LockLabel is what a column that rows are locked by is called: as in the dashboard's
// filter of it, where it has one.
func (v *View) LockLabel(column string) string {
	c := &v.Dashboard.Config
	for _, id := range c.controls() {
		if f := c.Filters[id]; f.Column == column && f.Label != "" {
			return f.Label
		}
	}
	return charts.Humanise(lastPart(column))
}

// Lockable names some of the columns that CanLock allows, those of the dashboard's
// filters first.
func (v *View) Lockable(atMost int) []string {
	var list []string
	add := func(column string) {
		if len(list) < atMost && !slices.Contains(list, column) && v.CanLock(column) {
			list = append(list, column)
		}
	}
	c := &v.Dashboard.Config
	for _, id := range c.controls() {
		add(c.Filters[id].Column)
	}
	if sc := v.schemas[c.Dataset]; sc != nil {
		for _, column := range sc.Columns {
			add(column.Name)
		}
	}
	return list
}

// IsForbidden tells whether a tile is hidden by the viewer's rights.
func (t *Tile) IsForbidden() bool {
	return t.Err != nil && IsHidden(t.Err)
}

// State is what the tile shows.
func (t *Tile) State() charts.State {
	if t.Drawing == nil {
		return ""
	}
	return t.Drawing.State
}

// ErrorPercent is the error of a sampled answer in per cent, at least 0.1.
func (s *Sampled) ErrorPercent() float64 { return math.Max(0.1, math.Round(s.Error*1000)/10) }

package dashboards

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Limits of what a widget asks for, unless its query sets a lower one.
const (
	maxTableRows  = 10_000
	maxGroups     = charts.MaxPoints + 1
	barCategories = 12
	treeAreas     = 40
	steps         = 10
	sampleBlocks  = 10 // of plain rows, from start to end of the data
)

// plan makes the queries of one widget out of its config and the view's
// choices. What is wrong with it is kept for its tile: it must not touch the
// other widgets.
func (v *View) plan(id string) *Plan {
	c := &v.Dashboard.Config
	w := c.Widgets[id]
	p := &Plan{ID: id, Widget: w, Places: v.places[id], dataset: c.dataset(w.Query.Dataset)}
	if w.Type == charts.Section && !v.all {
		p.Section = &SectionView{Closed: v.closed(id), State: v.State.WithSection(id)}
	}
	if !w.Type.Asks() {
		p.input = charts.Input{Config: w.Config, Title: w.Title, Size: charts.Size{W: w.Layout.W, H: w.Layout.H}, Locale: v.locale, Words: v.words.Words}
		p.Key = digest(v.actor.TenantID, v.Dashboard.ID, id, w, p.Places, p.Section, v.words.Words, v.locale.Name)
		if w.Type == charts.Control {
			v.planControl(p)
		}
		return p
	}
	sc := v.schemas[p.dataset]
	if sc == nil {
		p.err = datasets.ErrNotFound
		// It may only not be theirs to see, unless they see everything.
		limited := v.actor.Subjects() != nil
		if limited {
			p.err = ErrDataHidden
		}
		p.Key = digest(v.Dashboard.ID, id, w, p.Places, "gone", limited)
		return p
	}
	p.name = sc.Name
	if !w.SetUp() {
		p.Key = digest(v.Dashboard.ID, id, w, p.Places, "not set up", v.locale.Name)
		return p
	}
	p.exact = slices.Contains(v.State.Exact, id)
	v.drill(p, &w)
	p.main = v.spec(p, sc, &w)
	p.input = charts.Input{
		Config: w.Config, Title: w.Title, Names: sc.names(&w.Query), Bins: bins(&w.Query), Edges: edges(&w.Query),
		Size: charts.Size{W: w.Layout.W, H: w.Layout.H}, Locale: v.locale, Zone: v.Zone,
		Words: v.words.Words, Page: v.State.Page[id], PageSize: rowsPerPage(&w), Limited: w.Query.Limit > 0, Plain: len(w.Query.Columns) > 0,
	}
	byMeasure := func(order []warehouse.Order) bool {
		return len(order) > 0 && slices.ContainsFunc(p.main.Measures, func(m warehouse.Measure) bool { return measureName(m) == order[0].By })
	}
	p.input.Ranked = byMeasure(w.Query.Order)
	p.input.Largest = byMeasure(p.main.Order) && p.main.Order[0].Desc
	if v.tableRows > 0 {
		p.input.Page, p.input.PageSize = 1, v.tableRows
	}
	p.input.Config.Format = sc.formats(&w)
	if p.dataset == v.home && v.dateColumn(p.dataset, w.Query.Date) == v.homeColumn {
		p.input.Oldest, p.input.Newest = v.oldest, v.newest
	}
	p.input.Brush = len(w.Query.Dimensions) > 0 && v.HasDates && v.dateColumn(p.dataset, w.Query.Date) == w.Query.Dimensions[0].Column
	for i := range v.Cross {
		if v.Cross[i].Widget == id {
			p.selected = &v.Cross[i]
			p.input.Selected = v.Cross[i].marks
		}
	}
	switch w.Type {
	case charts.KPI:
		p.spark = v.sparkSpec(p, sc, &w)
	case charts.Table:
		v.sortTable(p, &w)
	case charts.Scatter, charts.Bubble:
		if len(w.Query.Columns) > 0 {
			p.sampleRows()
		}
	case charts.Line, charts.Step, charts.Area:
		if w.Forecast != nil {
			v.planForecast(p, sc, &w)
		}
	}
	if !sc.RelativeToNewest && (p.spark != nil || p.history != nil || slices.ContainsFunc(w.Query.Dimensions, func(d warehouse.Dimension) bool { return d.Grain != "" })) {
		p.input.Today = v.wallNow().Truncate(24 * time.Hour)
	}
	p.colours = coloured(&w)
	if p.err == nil {
		p.further, p.err = furtherSpecs(p, sc, &w)
	}
	p.link = v.widgetState(p).Encode()
	p.Key = digest(v.actor.TenantID, v.Dashboard.ID, id, w, p.Places, p.main, p.spark, p.count, p.colours, v.versionsOf(sc),
		p.history, p.input.Today, v.period(p, sc), p.exact, p.input.Selected, p.input.Page, p.input.PageSize, p.input.Sort, p.input.Words, p.link,
		v.locale.Name, v.Zone.String(), p.filters, p.needs, p.levels, p.input.Config, v.clock(sc, &w.Query), v.comparesUpTo(p, sc), v.Draft)
	return p
}

// clock is the minute, where a filter of the widget's own counts from now.
func (v *View) clock(sc *schema, q *Query) int64 {
	if sc.RelativeToNewest {
		return 0
	}
	relative := func(list []warehouse.Filter) bool {
		return slices.ContainsFunc(list, func(f warehouse.Filter) bool { return f.Op == "last" || f.Op == "this" || f.Op == "previous" })
	}
	var within func(m *warehouse.Measure) bool
	within = func(m *warehouse.Measure) bool {
		if m == nil {
			return false
		}
		resolved, _ := sc.measure(*m)
		return relative(m.Filters) || relative(resolved.Filters) || within(resolved.Numerator) || within(resolved.Denominator)
	}
	found := relative(q.Filters)
	for i := range q.Measures {
		found = found || within(&q.Measures[i])
	}
	if !found {
		return 0
	}
	return v.now.Unix()
}

// comparesUpTo is the moment that a comparison of a span that is not over goes up
// to, as far as it changes the answer: 0 where the answer stays as it is.
func (v *View) comparesUpTo(p *Plan, sc *schema) int64 {
	c := p.main.Comparison
	if c == nil || sc.RelativeToNewest || v.Days == nil || v.Days.To < v.today {
		return 0
	}
	if i := slices.IndexFunc(sc.Columns, func(own datasets.Column) bool { return own.Name == c.Column }); i >= 0 && sc.Columns[i].Type == warehouse.Date {
		return int64(v.today)
	}
	return v.now.Unix()
}

// nameComparison names the span that an answer compares with, and how far it goes.
func (v *View) nameComparison(words *charts.Words, r *warehouse.Result) {
	if r.Previous == nil || v.words.PreviousDays == nil { // nobody reads them
		return
	}
	by := v.Range.step()
	switch {
	case v.Compare == CompareYear:
		words.Previous = v.words.SameDays("year")
	case by.n > 0:
		words.Previous = v.words.SameDays(by.unit)
	default:
		if days, ok := spanDays(r.Previous); ok {
			words.Previous = v.words.PreviousDays(days.Count())
			if now, ok := spanDays(r.Span); ok && days.To+1 != now.From {
				words.Previous = v.locale.DateRange(days.From.Time(), days.To.Time())
			}
		}
	}
	if at, cut := cutAt(r.Previous); cut && v.words.UpTo != nil {
		words.UpTo = v.words.UpTo(v.locale.DateTime(at))
	}
	if !r.ToDate.IsZero() {
		last := lastMoment(r.ToDate)
		text := v.locale.Date(last)
		if days, ok := spanDays(r.Span); ok && days.Count() <= 2 && DayOf(r.ToDate) == DayOf(last) {
			text = v.locale.DateTime(last) // of a day that is not over
		}
		words.ToDate = v.words.ToDate(text)
	}
}

// spanDays are the days that a span of an answer touches; ok is false for none.
func spanDays(s *warehouse.Span) (days Days, ok bool) {
	if s == nil || !s.From.Before(s.To) {
		return Days{}, false
	}
	return Days{DayOf(s.From), DayOf(lastMoment(s.To))}, true
}

// cutAt is the last moment of a span that ends within a day; cut is false for one
// that ends with a day, and for none.
func cutAt(s *warehouse.Span) (at time.Time, cut bool) {
	if s == nil || !s.From.Before(s.To) {
		return time.Time{}, false
	}
	y, m, d := s.To.Date()
	return lastMoment(s.To), !s.To.Equal(time.Date(y, m, d, 0, 0, 0, 0, s.To.Location()))
}

// lastMoment is the moment before the end of a span.
func lastMoment(end time.Time) time.Time { return end.Add(-time.Microsecond) }

// versionsOf are content and definition of all that the dataset's answers
// depend on.
func (v *View) versionsOf(sc *schema) []string {
	var list []string
	add := func(d *datasets.Dataset) {
		version, _ := v.Snapshot.Version(d.ID)
		// With their ids: not everybody sees the same lookups.
		// With what the viewer sees of them: not everybody sees the same rows.
		list = append(list, fmt.Sprintf("%s:%d:%d:%s", d.ID, version, d.Revision, d.Sees))
	}
	add(&sc.Dataset)
	for _, name := range sortedKeys(sc.targets) {
		add(sc.targets[name])
	}
	return list
}

// spec is the widget's query with all that the page adds to it.
func (v *View) spec(p *Plan, sc *schema, w *Widget) warehouse.Spec {
	q := &w.Query
	s := warehouse.Spec{
		Dataset: p.dataset.String(), Timezone: v.Zone.String(),
		Measures: measuresOf(w), Dimensions: slices.Clone(q.Dimensions), Columns: q.Columns,
		Order: q.Order, Limit: q.Limit, Other: q.Other, Fields: v.Dashboard.Config.fields(p.dataset),
	}
	for i := range s.Dimensions {
		s.Dimensions[i] = v.settled(p, sc, s.Dimensions[i])
	}
	limit(&s, w)
	s.Filters = append(slices.Clone(q.Filters), v.filters(p, sc, q)...)
	if column := v.dateColumn(p.dataset, q.Date); v.compares(w) && column != "" && v.Days != nil {
		s.Comparison = v.comparison(column)
	}
	return s
}

// comparison is what the range is compared with; nil for nothing.
func (v *View) comparison(column string) *warehouse.Comparison {
	switch v.Compare {
	case CompareNone:
		return nil
	case ComparePrevious:
		by := v.Range.step()
		return &warehouse.Comparison{Period: v.Compare, Column: column, N: by.n, Unit: by.unit}
	}
	return &warehouse.Comparison{Period: v.Compare, Column: column}
}

// compares tells whether the widget shows the earlier span.
func (v *View) compares(w *Widget) bool {
	if v.Compare == CompareNone || w.Query.Compare == "-" || !w.Type.Compares() || len(w.Query.Columns) > 0 {
		return false
	}
	switch w.Type {
	case charts.Line, charts.Step, charts.Area:
		return len(w.Query.Dimensions) == 1
	case charts.Table:
		return slices.ContainsFunc(w.Encode.Columns, func(c charts.Cell) bool { return c.Change })
	}
	return true
}

// filters are what the filter bar and marks of other widgets add to a widget.
func (v *View) filters(p *Plan, sc *schema, q *Query) []warehouse.Filter {
	var list []warehouse.Filter
	if column := v.dateColumn(p.dataset, q.Date); column != "" && v.Days != nil {
		list = append(list, warehouse.Filter{Column: column, Op: "between",
			From: quoted(v.Days.From.String()), To: quoted(v.Days.To.String())})
		p.filters = append(p.filters, FilterNote{Field: charts.Humanise(column), Text: v.locale.DateRange(v.Days.From.Time(), v.Days.To.Time())})
	}
	for i := range v.Controls {
		if f, note, ok := v.controlFilter(p, sc, &v.Controls[i]); ok {
			list, p.filters = append(list, f), append(p.filters, note)
		}
	}
	for _, cross := range v.Cross {
		if cross.Widget == p.ID {
			continue
		}
		reached := false
		for n, dim := range cross.columns {
			if f, ok := v.in(p, sc, dim, distinct(cross.marks, n)); ok {
				list, reached = append(list, f), true
			}
		}
		if reached {
			p.filters = append(p.filters, FilterNote{Field: cross.Field, Text: cross.Text, Cross: true})
		}
	}
	return list
}

// in keeps the rows with one of the values; ok is false where the dataset has
// no such column. A value that can't be of the column's type fails the widget.
func (v *View) in(p *Plan, sc *schema, dim warehouse.Dimension, values []string) (warehouse.Filter, bool) {
	c, ok := sc.find(dim.Column)
	if !ok || len(values) == 0 {
		return warehouse.Filter{}, false
	}
	f := warehouse.Filter{Column: dim.Column, Op: "in", Grain: dim.Grain, Bin: dim.Bin, Bins: dim.Bins, Groups: dim.Groups, Other: dim.Other}
	if len(dim.Groups) > 0 {
		c.Type = warehouse.Text
	}
	for _, value := range values {
		raw, err := literal(c, dim.Grain, dim.Bin, value)
		if err != nil {
			p.err = err
			return warehouse.Filter{}, false
		}
		f.Values = append(f.Values, raw)
	}
	return f, true
}

// grain is the grain of "auto" for a column of a widget: by the span that is
// shown, and never finer than the data.
func (v *View) grain(p *Plan, column string) string {
	days := v.Days
	if days == nil || v.dateColumn(p.dataset, p.Widget.Query.Date) == "" {
		days = v.Bounds
	}
	if days == nil {
		return "day"
	}
	grain := autoGrain(days.Count())
	switch p.Widget.Type {
	case charts.StackedBar, charts.Bar, charts.Combo, charts.Box, charts.Waterfall:
		grain = barGrain(days.Count())
	}
	if p.dataset == v.home && column == v.homeColumn {
		grain = coarser(grain, v.rhythm)
	}
	return grain
}

// settled is a dimension of a widget with the grain that "auto" comes to there.
// Others that are filtered by a mark of it have to take it from here: theirs
// may be another.
func (v *View) settled(p *Plan, sc *schema, dim warehouse.Dimension) warehouse.Dimension {
	if dim.Grain != AutoGrain {
		return dim
	}
	dim.Grain = v.grain(p, dim.Column)
	if c, ok := sc.find(dim.Column); ok && c.Type == warehouse.Date && dim.Grain == "hour" {
		dim.Grain = "day"
	}
	return dim
}

// sparkSpec is the course of a KPI; nil when it shows none.
func (v *View) sparkSpec(p *Plan, sc *schema, w *Widget) *warehouse.Spec {
	grain := w.Query.Spark
	column := v.dateColumn(p.dataset, w.Query.Date)
	if grain == "-" || column == "" {
		return nil
	}
	if grain == "" {
		grain = AutoGrain
	}
	s := p.main
	s.Comparison, s.Limit, s.Filters = nil, maxGroups, ofRows(s.Filters)
	s.Dimensions = []warehouse.Dimension{v.settled(p, sc, warehouse.Dimension{Column: column, Grain: grain, As: "at"})}
	s.Order = []warehouse.Order{{By: "at"}}
	if value := w.Encode.Value; value != "" {
		for _, m := range w.Query.Measures {
			if measureName(m) == value {
				s.Measures = []warehouse.Measure{m}
			}
		}
	} else {
		s.Measures = s.Measures[:1]
	}
	return &s
}

// sortTable sorts as the viewer chose. Groups are fetched together and paged
// here, so turning a page asks nothing; plain rows are fetched page by page.
func (v *View) sortTable(p *Plan, w *Widget) {
	sort := v.State.Sort[p.ID]
	by, descending := strings.CutPrefix(sort, "-")
	if by != "" && slices.Contains(p.columns(), by) {
		p.main.Order = []warehouse.Order{{By: by, Desc: descending}}
		p.input.Sort = sort
	} else if len(p.main.Order) > 0 {
		p.input.Sort = p.main.Order[0].By
		if p.main.Order[0].Desc {
			p.input.Sort = "-" + p.input.Sort
		}
	}
	if len(w.Query.Columns) == 0 {
		return
	}
	count := warehouse.Spec{Dataset: p.main.Dataset, Timezone: p.main.Timezone, Filters: p.main.Filters, Fields: p.main.Fields,
		Measures: []warehouse.Measure{{Fn: "count", As: "rows"}}}
	p.count = &count
	p.main, p.input.Page = p.page(p.input.Page, p.input.PageSize)
}

// ranked tells of a table whose groups stand in the order of a measure.
func (p *Plan) ranked() bool {
	return p.Widget.Type == charts.Table && len(p.main.Order) > 0 &&
		!slices.ContainsFunc(p.main.Dimensions, func(d warehouse.Dimension) bool { return dimensionName(d) == p.main.Order[0].By })
}

// page asks for one page of a table of plain rows, of those that its own limit
// leaves; one beyond the limit is the last within it.
func (p *Plan) page(page, size int) (warehouse.Spec, int) {
	s, own := p.main, p.Widget.Query.Limit
	page = min(max(page, 1), warehouse.MaxOffset/size+1)
	if own > 0 {
		page = min(page, (own+size-1)/size)
	}
	s.Limit, s.Offset = size, (page-1)*size
	if own > 0 {
		s.Limit = min(size, own-s.Offset)
	}
	return s, page
}

// countRows finds out how many rows a table of plain rows has. A page beyond the
// last, of a link from when there were more, is the last one.
func (s *Service) countRows(ctx context.Context, v *View, p *Plan, in *charts.Input) (err error) {
	if in.Total, err = s.rowCount(ctx, v, p); err != nil || in.Result.Rows > 0 || in.Total == 0 || in.PageSize <= 0 {
		return err
	}
	spec, page := p.page((in.Total+in.PageSize-1)/in.PageSize, in.PageSize)
	in.Page = page
	in.Result, err = s.ask(ctx, v, p, spec)
	return err
}

// rowCount is how many rows a table of plain rows has, within its own limit.
func (s *Service) rowCount(ctx context.Context, v *View, p *Plan) (int, error) {
	counted, err := s.ask(ctx, v, p, *p.count)
	if err != nil || counted.Rows == 0 || len(counted.Columns) == 0 || len(counted.Columns[0].Ints) == 0 {
		return 0, err
	}
	n := int(counted.Columns[0].Ints[0])
	if own := p.Widget.Query.Limit; own > 0 {
		n = min(n, own)
	}
	return n, nil
}

// columns are the result columns that a table can be sorted by.
func (p *Plan) columns() []string {
	list := slices.Clone(p.main.Columns)
	for _, d := range p.main.Dimensions {
		list = append(list, dimensionName(d))
	}
	for _, m := range p.main.Measures {
		list = append(list, measureName(m))
	}
	return list
}

// widgetState is the part of the choices that this widget depends on.
func (v *View) widgetState(p *Plan) State {
	s := v.State.Place()
	s.Range, s.Compare, s.Picks, s.Cross = v.State.Range, v.State.Compare, v.State.Picks, cloneMap(v.State.Cross)
	s = s.withLevels(p.ID, v.State.Levels[p.ID])
	if sort := v.State.Sort[p.ID]; sort != "" {
		s.Sort = map[string]string{p.ID: sort}
	}
	if page := v.State.Page[p.ID]; page > 1 {
		s.Page = map[string]int{p.ID: page}
	}
	if p.exact {
		s.Exact = []string{p.ID}
	}
	return s
}

// pageSize is how many rows of 36 px a table of that height shows.
func pageSize(height int) int { return max(3, (40*height-12-128)/36) }

// rowsPerPage leaves room for headings and totals.
func rowsPerPage(w *Widget) int {
	height := w.Layout.H
	if w.Encode.Totals {
		height--
	}
	if w.Encode.Group != "" {
		height -= 2
	}
	return pageSize(height)
}

func bins(q *Query) map[string]float64 {
	var widths map[string]float64
	for _, d := range q.Dimensions {
		if d.Bin > 0 {
			if widths == nil {
				widths = map[string]float64{}
			}
			widths[dimensionName(d)] = d.Bin
		}
	}
	return widths
}

func edges(q *Query) map[string][]float64 {
	var all map[string][]float64
	for _, d := range q.Dimensions {
		if len(d.Bins) > 0 {
			if all == nil {
				all = map[string][]float64{}
			}
			all[dimensionName(d)] = edgesOf(d)
		}
	}
	return all
}

// edgesOf are the edges of the bins of a dimension, as numbers; none where its
// bins are of one width.
func edgesOf(d warehouse.Dimension) []float64 {
	var list []float64
	for _, edge := range d.Bins {
		v, _ := edge.Float64() // the warehouse checks them
		list = append(list, v)
	}
	return list
}

func pickText(values []PickView) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.Text
	}
	return summary(words)
}

func quoted(text string) json.RawMessage {
	raw, _ := json.Marshal(text) // a text always encodes
	return raw
}

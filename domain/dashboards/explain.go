package dashboards

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
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
	Read    int   // segments read, of All
	All     int
	Sampled *Sampled

	// Zone is what days are cut by. From and To are the ends of the date
	// range, To excluded; zero where it has none. Shifted tells that the
	// column is in UTC and its days are those of Zone.
	Zone     *time.Location
	From, To time.Time
	Shifted  bool
}

// ExplainedValue is one number and how it is made.
type ExplainedValue struct {
	Name       string
	Text       string // "" where the widget has more than one
	Definition string
}

// RowsPerPage is how many rows behind a number are shown at a time.
const RowsPerPage = 100

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
		spec.Dimensions, spec.Order, spec.Other, spec.Offset, spec.Limit, spec.Comparison = nil, nil, false, 0, 0, nil
		spec.Filters = slices.DeleteFunc(append(slices.Clone(spec.Filters), filters...), func(f warehouse.Filter) bool { return f.Measure != "" })
		spec.Measures = slices.Clone(spec.Measures)
		for i := range spec.Measures {
			spec.Measures[i].Show = ""
		}
	}
	result, err := s.ask(ctx, v, p, spec)
	if err != nil {
		return nil, err
	}
	e.Took, e.Cached, e.Rows, e.Sampled = result.Elapsed, result.FromCache, result.Rows, sampledOf(result)
	how, err := s.datasets.Explain(ctx, v.actor, datasets.QueryRequest{Spec: spec, Snapshot: v.Snapshot, Exact: p.exact, Now: v.now})
	if err != nil {
		return nil, err
	}
	e.SQL, e.Scanned, e.Read, e.All = withoutFiles(how.SQL, p.name), how.Rows, how.Segments, how.Segments+how.Pruned
	e.Query = specText(spec)
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
	parsed, err := charts.ParseMark(mark)
	if err != nil {
		return nil, "", nil, ErrFilters.Wrap(err)
	}
	dims := v.markDimensions(p, len(parsed))
	if len(dims) != len(parsed) {
		return nil, "", nil, ErrFilters.With("The widget has no such mark.")
	}
	copied := *p
	var words []string
	for n, dim := range dims {
		f, ok := v.in(&copied, v.schemas[p.dataset], dim, []string{parsed[n]})
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
		if dims[i].Grain == AutoGrain {
			dims[i].Grain = v.grain(p)
		}
	}
	return dims
}

func (v *View) explainValues(e *Explained, p *Plan, result *warehouse.Result, single bool) error {
	sc := v.schemas[p.dataset]
	var texts map[string]string
	if single && result.Rows == 1 {
		in := p.input
		in.Result, in.Page, in.PageSize, in.Total, in.Sort = result, 1, 1, 0, ""
		in.Config.Type = charts.Table
		grid, err := charts.Tabulate(in)
		if err != nil {
			return err
		}
		texts = map[string]string{}
		for i, c := range result.Columns {
			if i < len(grid.Columns) && len(grid.Rows) == 1 {
				texts[c.Name] = grid.Rows[0].Cells[i].Text
			}
		}
	}
	for _, m := range p.main.Measures {
		name := p.Widget.Format[measureName(m)].Label
		if name == "" {
			name = sc.measureLabel(m)
		}
		text := texts[measureName(m)]
		if e.Mark != "" && m.Show != "" {
			text = "" // one mark alone has no share and no running total
		}
		e.Values = append(e.Values, ExplainedValue{Name: name, Text: text, Definition: sc.definition(v.Dashboard.Config.fields(p.dataset), m)})
	}
	return nil
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

// rowsPlan asks for the rows behind a number: all columns, under the filters of
// the widget, of the mark and of the measure, where it is only one.
func (v *View) rowsPlan(widget, mark string, page int) (*Plan, error) {
	p, text, filters, err := v.explained(widget, mark)
	if err != nil {
		return nil, err
	}
	sc := v.schemas[p.dataset]
	filters = slices.DeleteFunc(append(slices.Clone(p.main.Filters), filters...), func(f warehouse.Filter) bool { return f.Measure != "" })
	if len(p.main.Measures) == 1 {
		resolved, _ := sc.measure(p.main.Measures[0])
		filters = append(filters, resolved.Filters...)
		if m := p.main.Measures[0]; m.Measure != "" {
			filters = append(filters, m.Filters...)
		}
		if resolved.Fn == "count" && resolved.Column != "" {
			filters = append(filters, warehouse.Filter{Column: resolved.Column, Op: "not_in", Values: []json.RawMessage{json.RawMessage("null")}})
		}
	}
	title := p.Widget.Title
	if text != "" {
		title += ", " + text
	}
	w := Widget{Title: title, Layout: Layout{W: GridColumns, H: 9}, Query: Query{Dataset: p.dataset}}
	w.Type = charts.Table
	rows := &Plan{ID: p.ID, Widget: w, dataset: p.dataset, name: p.name, filters: p.filters, exact: true}
	for _, c := range sc.Columns {
		rows.Widget.Query.Columns = append(rows.Widget.Query.Columns, c.Name)
	}
	spec := warehouse.Spec{Dataset: p.main.Dataset, Timezone: p.main.Timezone, Filters: filters, Fields: p.main.Fields}
	count := spec
	count.Measures = []warehouse.Measure{{Fn: "count", As: "rows"}}
	rows.count = &count
	spec.Columns, spec.Limit, spec.Offset = rows.Widget.Query.Columns, RowsPerPage, (page-1)*RowsPerPage
	if at := sc.timeColumn(); at != "" {
		spec.Order = []warehouse.Order{{By: at, Desc: true}}
	}
	rows.main = spec
	rows.input = charts.Input{Config: w.Config, Title: title, Names: sc.names(&rows.Widget.Query), Size: charts.Size{W: GridColumns, H: 9}, Locale: v.locale,
		Zone: v.Zone, Words: v.words.Words, Page: page, PageSize: RowsPerPage}
	rows.input.Config.Format = sc.formats(&rows.Widget)
	return rows, nil
}

// Behind answers a page of the rows behind a number, the newest first.
//
// Errors: those of Explain.
func (s *Service) Behind(ctx context.Context, v *View, widget, mark string, page int) (*charts.Grid, error) {
	p, err := v.rowsPlan(widget, mark, max(page, 1))
	if err != nil {
		return nil, err
	}
	in := p.input
	if in.Result, err = s.ask(ctx, v, p, p.main); err != nil {
		return nil, err
	}
	counted, err := s.ask(ctx, v, p, *p.count)
	if err != nil {
		return nil, err
	}
	if counted.Rows > 0 && len(counted.Columns[0].Ints) > 0 {
		in.Total = int(counted.Columns[0].Ints[0])
	}
	return charts.Tabulate(in)
}

// OpenBehind are all rows behind a number.
//
// Errors: those of Explain.
func (s *Service) OpenBehind(ctx context.Context, v *View, widget, mark string) (*Rows, error) {
	p, err := v.rowsPlan(widget, mark, 1)
	if err != nil {
		return nil, err
	}
	return s.openRows(ctx, v, p)
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
	return result.Elapsed, result.Rows, true
}

// files are what a statement reads: where they lie is nobody's business. What a
// lookup reads has an alias of its own.
var files = regexp.MustCompile(`read_parquet\(\[[^\]]*\][^)]*\)( AS l(\d+)\b)?`)

func withoutFiles(sql, dataset string) string {
	return files.ReplaceAllStringFunc(sql, func(read string) string {
		if m := files.FindStringSubmatch(read); m[1] != "" {
			return "lookup_" + m[2] + m[1]
		}
		return `"` + strings.ReplaceAll(dataset, `"`, `""`) + `"`
	})
}

func specText(spec warehouse.Spec) string {
	raw, err := json.Marshal(spec)
	if err != nil {
		return "" // a spec that was asked always encodes
	}
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}

// definition is how a measure is made, in words.
func (s *schema) definition(fields map[string]string, m warehouse.Measure) string {
	text := ""
	if m.Measure != "" {
		if expression, own := fields[m.Measure]; own {
			text = m.Measure + " = " + expression
		} else if resolved, _ := s.measure(m); resolved.Measure != m.Measure {
			text = m.Measure + " = " + s.definition(fields, resolved)
		} else {
			text = m.Measure
			for _, f := range s.Fields {
				if f.Name == m.Measure {
					text = m.Measure + " = " + f.Expression
				}
			}
		}
	} else {
		switch m.Fn {
		case "count":
			text = "number of rows"
			if m.Column != "" {
				text += " with a value in " + m.Column
			}
		case "count_distinct":
			text = "number of different values of " + m.Column
		case "percentile":
			text = fmt.Sprintf("%g%% percentile of %s", m.Percentile, m.Column)
		case "ratio":
			if m.Numerator != nil && m.Denominator != nil {
				text = s.definition(fields, *m.Numerator) + " ÷ " + s.definition(fields, *m.Denominator)
			}
		default:
			text = m.Fn + " of " + m.Column
		}
	}
	for _, f := range m.Filters {
		note := s.describe(f)
		text += ", where " + note.Field + " " + note.Text
	}
	switch m.Show {
	case "share":
		text += ", as a share of all"
	case "running":
		text += ", running total"
	}
	return text
}

// describe is a condition for people.
func (s *schema) describe(f warehouse.Filter) FilterNote {
	name := f.Column
	if name == "" {
		name = f.Measure
	}
	note := FilterNote{Field: charts.Humanise(lastPart(name))}
	plain := func(raw json.RawMessage) string {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return text
		}
		return string(raw)
	}
	words := make([]string, len(f.Values))
	for i, value := range f.Values {
		words[i] = plain(value)
	}
	op := strings.ReplaceAll(f.Op, "_", " ")
	switch f.Op {
	case "between":
		note.Text = "between " + plain(f.From) + " and " + plain(f.To)
	case "last", "previous", "this":
		note.Text = op
		if f.N > 0 {
			note.Text += fmt.Sprintf(" %d", f.N)
		}
		note.Text += " " + f.Unit
	default:
		note.Text = strings.TrimSpace(op + " " + summary(words))
	}
	if f.Grain != "" {
		note.Text += " (" + strings.ReplaceAll(f.Grain, "_", " ") + ")"
	}
	return note
}

// Actions are what can be done with a mark.
type Actions struct {
	Marked string // for people
	Mark   string // in links
	// Filter are the choices with the mark selected or, where it is, without.
	Filter   *State
	Selected bool
	// Down are the choices one level further down; nil where there is none.
	// Level is the next level for people: "City", or a grain.
	Down  *State
	Level string
	Grain string
	// Through leads to another dashboard.
	Through *Through
}

// Through is a way to another dashboard that carries the filters along.
type Through struct {
	Dashboard ids.Dashboard
	Name      string
	State     State
}

// Actions says what can be done with one mark of a widget.
//
// Errors: those of Explain.
func (s *Service) Actions(ctx context.Context, v *View, widget, mark string) (*Actions, error) {
	p, marked, _, err := v.explained(widget, mark)
	if err != nil {
		return nil, err
	}
	sc := v.schemas[p.dataset]
	a := &Actions{Marked: marked, Mark: mark}
	var parsed charts.Mark
	var dims []warehouse.Dimension
	if mark != "" {
		parsed, _ = charts.ParseMark(mark) // was read before
		dims = v.markDimensions(p, len(parsed))
		if own := selectDimensions(&p.Widget); len(own) == len(parsed) && len(own) > 0 {
			next := v.State.WithoutCrossOf(widget)
			a.Selected = slices.ContainsFunc(v.State.Cross[widget], func(m charts.Mark) bool { return slices.Equal(m, parsed) })
			if !a.Selected {
				next.Cross = cloneMap(next.Cross)
				next.cross(widget, []charts.Mark{parsed})
			}
			a.Filter = &next
		}
		if at, level, ok := v.nextLevel(p, sc, &p.Widget); ok {
			name := dimensionName(p.Widget.Query.Dimensions[at])
			for n, dim := range dims {
				if dimensionName(dim) == name {
					down := v.State.DrillDown(widget, parsed[n])
					a.Down, a.Grain = &down, level.Grain
					if level.Grain == "" {
						a.Level = charts.Humanise(lastPart(level.Column))
					}
				}
			}
		}
	}
	if to := p.Widget.Through; !to.IsZero() && to != v.Dashboard.ID {
		target, err := s.Get(ctx, v.actor, to)
		if err == nil {
			a.Through = &Through{Dashboard: to, Name: target.Name, State: v.carried(&target, p, dims, parsed)}
		} else if !isKind(err, ErrNotFound) {
			return nil, err
		}
	}
	return a, nil
}

// carried are the choices that go along to another dashboard: the date range,
// and the values of filters and marks for columns that it knows. A filter of
// its own over the same column takes them, else one is added.
func (v *View) carried(target *Dashboard, p *Plan, dims []warehouse.Dimension, mark charts.Mark) State {
	s := State{Range: v.State.Range, Compare: v.State.Compare, From: &Origin{Dashboard: v.Dashboard.ID}}
	if s.Range == nil && v.HasDates {
		own := v.Range
		s.Range = &own
	}
	s.From.Link = State{Range: v.State.Range, Compare: v.State.Compare, Picks: v.State.Picks, Cross: v.State.Cross, Sort: v.State.Sort, Exact: v.State.Exact, Levels: v.State.Levels}.Encode()
	give := func(dataset ids.Dataset, column, kind string, values []string) {
		for _, id := range sortedKeys(target.Config.Filters) {
			f := target.Config.Filters[id]
			own := f.Kind
			if own == "" {
				own = KindValues
			}
			if f.Column == column && target.Config.dataset(f.Dataset) == dataset && (own == kind || own == KindBoolean && kind == KindValues) {
				s.pick(id, values)
				return
			}
		}
		if kind == KindValues && target.Config.Dataset == dataset {
			s.pick(column, values)
		}
	}
	for i := range v.Controls {
		if c := &v.Controls[i]; len(c.picks) > 0 && c.err == nil {
			give(c.dataset, c.Column, c.Kind, c.picks)
		}
	}
	for _, x := range v.Cross {
		for n, dim := range x.columns {
			if isPlain(dim) {
				give(x.dataset, dim.Column, KindValues, distinct(x.marks, n))
			}
		}
	}
	for n, dim := range dims {
		switch {
		case isPlain(dim):
			give(p.dataset, dim.Column, KindValues, []string{mark[n]})
		case dim.Column == v.dateColumn(p.dataset, p.Widget.Query.Date):
			if days, ok := bucketDays(dim.Grain, mark[n]); ok {
				s.Range = &Range{Kind: "fixed", From: days.From, To: days.To}
			}
		}
	}
	return s
}

// bucketDays are the days of a bucket of time, named by its first moment.
func bucketDays(grain, value string) (Days, bool) {
	if len(value) < len(time.DateOnly) {
		return Days{}, false
	}
	from, err := parseDay(value[:len(time.DateOnly)])
	if err != nil {
		return Days{}, false
	}
	y, m, d := from.Time().Date()
	end := func(y int, m time.Month, d int) (Days, bool) {
		return Days{from, DayOf(time.Date(y, m, d, 0, 0, 0, 0, time.UTC)) - 1}, true
	}
	switch grain {
	case "year":
		return end(y+1, m, d)
	case "quarter":
		return end(y, m+3, d)
	case "month":
		return end(y, m+1, d)
	case "week":
		return end(y, m, d+7)
	case "day", "hour", "quarter_hour", "minute":
		return end(y, m, d+1)
	}
	return Days{}, false
}

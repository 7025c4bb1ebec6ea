package dashboards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
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
	Dataset   string       // its name, for people
	Drawing   *charts.Drawing
	// Err is why there is no drawing; nil otherwise. It carries what a person
	// may see and was not logged yet.
	Err error
	// Draft tiles are those of the editor. Unset tells that the widget has
	// nothing to ask yet: it is a drop target there.
	Draft bool
	Unset bool
	// LastGood is the last answer that this widget had; nil for none.
	LastGood *LastGood
	Sampled  *Sampled
	// Filters are in effect on this widget: one of them may have emptied it.
	Filters []FilterNote
	// Selected is the tag of a widget that filters others: "North".
	Selected string
	// Link is the part of the URL's query that this widget depends on.
	Link string
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
	t := &Tile{Dashboard: v.Dashboard.ID, ID: p.ID, Key: p.Key, Type: w.Type, Title: w.Title, Layout: w.Layout, Places: p.Places, Section: p.Section,
		Subtitle: v.subtitle(p, nil), Dataset: p.name, Filters: p.filters, Link: p.link, At: v.Snapshot.String(),
		Sort: p.input.Sort, Page: max(p.input.Page, 1), Draft: v.Draft, Unset: !w.SetUp() && p.err == nil}
	if t.Unset {
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
	if err != nil {
		t.Err = err
		t.LastGood = s.lastGood.get(memory)
		return t, nil
	}
	if drawing.Note.Key != "" {
		outlook = nil // not drawn, so nothing is said of it
	}
	t.Drawing, t.Sampled, t.Subtitle = drawing, sampled, v.subtitle(p, outlook)
	s.lastGood.put(memory, LastGood{At: v.Snapshot.String(), Time: v.AsOf})
	return t, nil
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
	if in.Result, err = s.ask(ctx, v, p, p.main); err != nil {
		return nil, nil, nil, err
	}
	if p.spark != nil {
		if in.Spark, err = s.ask(ctx, v, p, *p.spark); err != nil {
			return nil, nil, nil, err
		}
	}
	if p.count != nil {
		counted, err := s.ask(ctx, v, p, *p.count)
		if err != nil {
			return nil, nil, nil, err
		}
		if counted.Rows > 0 && len(counted.Columns) > 0 && len(counted.Columns[0].Ints) > 0 {
			in.Total = int(counted.Columns[0].Ints[0])
		}
	}
	if p.history != nil {
		if in.Outlook, err = s.foresee(ctx, v, p); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := s.askFurther(ctx, v, p, &in); err != nil {
		return nil, nil, nil, err
	}
	if p.colours != "" {
		if in.Order, err = s.palette(ctx, v, p); err != nil {
			return nil, nil, nil, err
		}
	}
	if drawing, err = charts.Draw(in); err != nil {
		return nil, nil, nil, err
	}
	return drawing, in.Outlook, sampledOf(in.Result), nil
}

func sampledOf(r *warehouse.Result) *Sampled {
	if r.Sampled == nil {
		return nil
	}
	return &Sampled{Rate: r.Sampled.Rate, Error: r.Sampled.Error}
}

// palette is the order of colours of a column: its most frequent values over
// all the data, whatever is filtered, so that a category keeps its colour on
// every widget and under every filter.
func (s *Service) palette(ctx context.Context, v *View, p *Plan) ([]string, error) {
	result, err := s.datasets.Query(ctx, v.actor, datasets.QueryRequest{Snapshot: v.Snapshot, Now: v.now, Exact: true,
		Spec: warehouse.Spec{Dataset: p.dataset.String(), Timezone: v.Zone.String(), Fields: v.Dashboard.Config.fields(p.dataset),
			Dimensions: []warehouse.Dimension{{Column: p.colours, As: "value"}},
			Measures:   []warehouse.Measure{{Fn: "count", As: "rows"}},
			Order:      []warehouse.Order{{By: "rows", Desc: true}, {By: "value"}}, Limit: charts.MaxSeries}})
	if err != nil {
		return nil, fmt.Errorf("read the values of %s: %w", p.colours, err)
	}
	return charts.Values(result, 0), nil
}

// subtitle fills in the grain, and how good the forecast is.
func (v *View) subtitle(p *Plan, o *charts.Outlook) string {
	text := v.withMAPE(p.Widget.Subtitle, o)
	if !strings.Contains(text, "{grain}") {
		return text
	}
	grain := v.grain(p)
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
	if p.err != nil {
		return nil, p.err
	}
	if !p.Widget.Type.Asks() {
		return nil, ErrWidgetNotFound
	}
	result, err := s.ask(ctx, v, p, p.main)
	if err != nil {
		return nil, err
	}
	in := p.input
	in.Result, in.Page, in.PageSize = result, page, 50
	if p.history != nil {
		if in.Outlook, err = s.foresee(ctx, v, p); err != nil {
			return nil, err
		}
	}
	if p.count != nil {
		in.PageSize = p.input.PageSize
	}
	return charts.Tabulate(in)
}

// Value is one choice of a filter.
type Value struct {
	Word  string // in links
	Text  string
	Rows  int64
	Taken bool
}

// maxValues is how many choices a filter lists.
const maxValues = 100

// Values lists the choices of a filter, most frequent first: those whose text
// has the search in it, under the date range and the other filters.
//
// Errors: dashboards.filter_not_found and those of the query.
func (s *Service) Values(ctx context.Context, v *View, control, search string) (values []Value, more bool, err error) {
	c, ok := v.Control(control)
	if !ok {
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
	// The filter itself must not hide its other values.
	others := *v
	others.Controls = nil
	for _, o := range v.Controls {
		if o.ID != c.ID {
			others.Controls = append(others.Controls, o)
		}
	}
	p := &Plan{dataset: c.dataset}
	spec := warehouse.Spec{Dataset: c.dataset.String(), Timezone: v.Zone.String(), Fields: v.Dashboard.Config.fields(c.dataset),
		Dimensions: []warehouse.Dimension{{Column: c.Column, As: "value"}},
		Measures:   []warehouse.Measure{{Fn: "count", As: "rows"}},
		Filters:    others.filters(p, sc, &Query{}),
		Order:      []warehouse.Order{{By: "rows", Desc: true}, {By: "value"}}, Limit: maxValues}
	if p.err != nil {
		return nil, false, p.err
	}
	if search = strings.TrimSpace(search); search != "" && column.Type == warehouse.Text {
		spec.Filters = append(spec.Filters, warehouse.Filter{Column: c.Column, Op: "contains", Values: []json.RawMessage{quoted(search)}})
	}
	result, err := s.datasets.Query(ctx, v.actor, datasets.QueryRequest{Spec: spec, Snapshot: v.Snapshot, Exact: true, Now: v.now})
	if err != nil {
		return nil, false, err
	}
	picked := map[string]bool{}
	for _, value := range v.State.Picks[c.ID] {
		picked[value] = true
	}
	for i, value := range charts.Values(result, 0) {
		one := Value{Word: pickWords([]string{value}), Taken: picked[value],
			Text: v.valueText(c.dataset, warehouse.Dimension{Column: c.Column}, value)}
		if len(result.Columns) > 1 && result.Columns[1].Ints != nil {
			one.Rows = result.Columns[1].Ints[i]
		}
		delete(picked, value)
		values = append(values, one)
	}
	// What is picked stays in the list, so that it can be taken off.
	if search == "" {
		for _, value := range v.State.Picks[c.ID] {
			if picked[value] {
				values = append(values, Value{Word: pickWords([]string{value}), Taken: true, Rows: -1,
					Text: v.valueText(c.dataset, warehouse.Dimension{Column: c.Column}, value)})
			}
		}
	}
	return values, result.More, nil
}

// Control finds a filter of the view, or makes one of a column.
func (v *View) Control(id string) (ControlView, bool) {
	for _, c := range v.Controls {
		if c.ID == id {
			return c, true
		}
	}
	home := v.Dashboard.Config.Dataset
	if sc := v.schemas[home]; sc != nil {
		if _, ok := sc.find(id); ok {
			return v.control(id, charts.Humanise(lastPart(id)), id, home, true), true
		}
	}
	return ControlView{}, false
}

// Addable lists the columns that a viewer can add a filter on: those of the
// default dataset and of what it looks up in.
func (v *View) Addable() []ControlView {
	home := v.Dashboard.Config.Dataset
	sc := v.schemas[home]
	if sc == nil {
		return nil
	}
	taken := map[string]bool{}
	for _, c := range v.Controls {
		taken[c.Column] = true
	}
	var list []ControlView
	add := func(prefix, label string, columns []datasets.Column) {
		for _, c := range columns {
			if c.Type != warehouse.Text && c.Type != warehouse.Boolean && c.Type != warehouse.Integer || taken[prefix+c.Name] {
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

// IsForbidden tells whether a tile is hidden by the viewer's rights.
func (t *Tile) IsForbidden() bool {
	return errors.Is(t.Err, access.ErrForbidden) || t.Err != nil && apperr.Describe(t.Err).Class == apperr.Forbidden
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

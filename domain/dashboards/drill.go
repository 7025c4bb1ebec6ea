package dashboards

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Hierarchy is a list of columns from coarse to fine: country, state, city. A
// widget by one of them can be drilled down to the next.
type Hierarchy struct {
	Label   string      `json:"label"`
	Dataset ids.Dataset `json:"dataset,omitzero"` // the dashboard's when absent
	Columns []string    `json:"columns"`
}

// Limits of hierarchies.
const (
	MaxHierarchies = 20
	maxLevels      = 10
)

func (c *Config) validateHierarchies() error {
	if len(c.Hierarchies) > MaxHierarchies {
		return ErrConfig.With("A dashboard has at most %d hierarchies, this one has %d.", MaxHierarchies, len(c.Hierarchies))
	}
	for _, id := range sortedKeys(c.Hierarchies) {
		h := c.Hierarchies[id]
		seen := map[string]bool{}
		for _, name := range h.Columns {
			if name == "" || seen[name] {
				return ErrConfig.With("The columns of hierarchy %q have names, and each comes once.", id)
			}
			seen[name] = true
		}
		switch {
		case !idPattern.MatchString(id):
			return ErrConfig.With("%q can't be the id of a hierarchy.", clip(id))
		case !shortText(h.Label, 80):
			return ErrConfig.With("The label of hierarchy %q has to have 1 to 80 characters.", id)
		case len(h.Columns) > maxLevels:
			return ErrConfig.With("A hierarchy has at most %d columns.", maxLevels)
		}
	}
	return nil
}

// timeLevels are the grains that a time is drilled down along.
var timeLevels = []string{"year", "quarter", "month", "week", "day", "hour"}

// Crumb is one step of a way down.
type Crumb struct {
	Text string
	// Words is the way to here, as "l.WIDGET" of a link has it; "" at the top.
	Words string
}

// drilled is a widget after the way down that a link describes.
type drilled struct {
	widget Widget
	notes  []FilterNote
	crumbs []Crumb
	err    error
}

// resolveLevels walks the ways down. Where one leads no further, as after an
// edit of the widget, the rest of it is dropped.
func (v *View) resolveLevels() {
	for _, id := range sortedKeys(v.State.Levels) {
		w, ok := v.Dashboard.Config.Widgets[id]
		values := v.State.Levels[id]
		var d drilled
		if ok {
			d = v.walk(id, w, values)
		}
		v.State = v.State.withLevels(id, values[:max(len(d.crumbs)-1, 0)])
		if len(d.crumbs) < 2 {
			continue
		}
		if v.drilled == nil {
			v.drilled = map[string]drilled{}
		}
		v.drilled[id] = d
	}
}

func (v *View) walk(id string, w Widget, values []string) drilled {
	d := drilled{widget: w, crumbs: []Crumb{{}}}
	dataset := v.Dashboard.Config.dataset(w.Query.Dataset)
	sc := v.schemas[dataset]
	if sc == nil {
		return d
	}
	p := &Plan{ID: id, Widget: w, dataset: dataset}
	for n, value := range values {
		at, next, ok := v.nextLevel(p, sc, &d.widget)
		if !ok {
			return d
		}
		dim := v.settled(p, sc, d.widget.Query.Dimensions[at])
		f, ok := v.in(p, sc, dim, []string{value})
		if !ok {
			d.err = p.err
			return d
		}
		text := v.valueText(dataset, dim, value)
		next.As = dimensionName(dim)
		q := &d.widget.Query
		d.notes = append(d.notes, FilterNote{Field: sc.names(q)[next.As], Text: text})
		q.Dimensions, q.Filters = slices.Clone(q.Dimensions), append(slices.Clone(q.Filters), f)
		q.Dimensions[at] = next
		if format, has := d.widget.Format[next.As]; has {
			// The label was that of the level above.
			format.Label = ""
			d.widget.Format = cloneMap(d.widget.Format)
			d.widget.Format[next.As] = format
		}
		d.crumbs = append(d.crumbs, Crumb{Text: text, Words: pickWords(values[:n+1])})
	}
	return d
}

// nextLevel finds the dimension of a widget that can be drilled down, and what
// takes its place.
func (v *View) nextLevel(p *Plan, sc *schema, w *Widget) (at int, next warehouse.Dimension, ok bool) {
	if len(w.Query.Columns) > 0 {
		return 0, next, false
	}
	for i, dim := range w.Query.Dimensions {
		if dim.Bin > 0 || len(dim.Bins)+len(dim.Groups) > 0 {
			continue
		}
		grain := v.settled(p, sc, dim).Grain
		if n := slices.Index(timeLevels, grain); n >= 0 && n+1 < len(timeLevels) {
			column, _ := sc.find(dim.Column)
			if timeLevels[n+1] != "hour" || column.Type != warehouse.Date {
				return i, warehouse.Dimension{Column: dim.Column, Grain: timeLevels[n+1]}, true
			}
		}
		if grain != "" {
			continue
		}
		for _, id := range sortedKeys(v.Dashboard.Config.Hierarchies) {
			h := v.Dashboard.Config.Hierarchies[id]
			n := slices.Index(h.Columns, dim.Column)
			if n < 0 || n+1 == len(h.Columns) || v.Dashboard.Config.dataset(h.Dataset) != p.dataset {
				continue
			}
			if _, has := sc.find(h.Columns[n+1]); has {
				return i, warehouse.Dimension{Column: h.Columns[n+1]}, true
			}
		}
	}
	return 0, next, false
}

// drill has the plan ask for the level that was drilled down to.
func (v *View) drill(p *Plan, w *Widget) {
	d, ok := v.drilled[p.ID]
	if !ok {
		return
	}
	*w, p.Widget = d.widget, d.widget
	p.levels, p.filters = d.crumbs, append(p.filters, d.notes...)
	p.err = d.err
}

// shownWidget is a widget as its tile shows it, drilled down or not.
func (v *View) shownWidget(id string) Widget {
	if d, ok := v.drilled[id]; ok {
		return d.widget
	}
	return v.Dashboard.Config.Widgets[id]
}

func (s *State) parseLevels(id string, values []string) error {
	if !idPattern.MatchString(id) || values[0] == "" {
		return nil
	}
	var list []string
	for word := range strings.SplitSeq(values[0], ",") {
		value, err := charts.UnescapeValue(word)
		if err != nil {
			return ErrFilters.Wrap(err)
		}
		list = append(list, value)
	}
	if len(list) > maxLevels {
		return ErrFilters.With("A widget is drilled down at most %d levels.", maxLevels)
	}
	if s.Levels == nil {
		s.Levels = map[string][]string{}
	}
	s.Levels[id] = list
	return nil
}

// withLevels drills one widget down. What was selected in it was of another
// level.
func (s State) withLevels(id string, values []string) State {
	c := s.clone()
	delete(c.Levels, id)
	if len(values) > 0 {
		if c.Levels == nil {
			c.Levels = map[string][]string{}
		}
		c.Levels[id] = values
	}
	return c
}

// DrillDown is s one level further down in one widget.
func (s State) DrillDown(id, value string) State {
	c := s.WithoutCrossOf(id)
	return c.withLevels(id, append(slices.Clone(s.Levels[id]), value))
}

// paramFromBoard is where a viewer came from.
const paramFromBoard = "from"

// Origin is the dashboard that a viewer drilled through from, and what was
// chosen there.
type Origin struct {
	Dashboard ids.Dashboard
	Link      string // the query of its URL
}

func (o *Origin) String() string {
	if o.Link == "" {
		return o.Dashboard.String()
	}
	return o.Dashboard.String() + "~" + o.Link
}

// parseOrigin is nil for what is none: a way back is no reason to refuse a page.
func parseOrigin(text string) *Origin {
	id, link, _ := strings.Cut(text, "~")
	dashboard, err := ids.Parse[ids.Dashboard](id)
	if err != nil {
		return nil
	}
	query, err := url.ParseQuery(link)
	if err != nil {
		return nil
	}
	// Only choices travel back, and no way back from there.
	query.Del(paramFromBoard)
	state, err := ParseState(query)
	if err != nil {
		return nil
	}
	return &Origin{Dashboard: dashboard, Link: state.Encode()}
}

// OriginView is Origin with the dashboard's name.
type OriginView struct {
	Origin
	Name string
}

// resolveOrigin finds the dashboard that the way back leads to.
func (s *Service) resolveOrigin(ctx context.Context, v *View) error {
	from := v.State.From
	if from == nil {
		return nil
	}
	d, err := s.Get(ctx, v.actor, from.Dashboard)
	if isKind(err, ErrNotFound) {
		v.State.From = nil
		return nil
	}
	if err != nil {
		return err
	}
	v.Origin = &OriginView{*from, d.Name}
	return nil
}

package views

import (
	"context"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// segment is one of a few choices that are all in view.
type segment struct {
	value, label string
	on           bool
}

// directions are how the bars of a type can run, and the key of the encoding
// that says so: bars lie unless they are stood up, other types stand unless
// they are laid down.
func (p InspectorProps) directions(ctx context.Context) (path string, list []segment) {
	e := p.Widget.Widget.Encode
	lying, standing := messages.T(ctx, "editor.lying"), messages.T(ctx, "editor.standing")
	switch p.Widget.Widget.Type {
	case charts.Bar:
		return "/encode/vertical", []segment{{"", lying, !e.Vertical}, {"true", standing, e.Vertical}}
	case charts.StackedBar, charts.Box:
		return "/encode/horizontal", []segment{{"true", lying, e.Horizontal}, {"", standing, !e.Horizontal}}
	}
	return "", nil
}

// stacks are how the parts of bars stand.
func (p InspectorProps) stacks(ctx context.Context) []segment {
	if p.Widget.Widget.Type != charts.StackedBar {
		return nil
	}
	now := p.Widget.Widget.Encode.Stack
	return []segment{
		{"", messages.T(ctx, "editor.stack_normal"), now == "" || now == "normal"},
		{"percent", messages.T(ctx, "editor.stack_percent"), now == "percent"},
		{"none", messages.T(ctx, "editor.stack_none"), now == "none"},
	}
}

// layerOptions are what a map can show.
func layerOptions(ctx context.Context, current string) []ui.Option {
	if current == "" {
		current = charts.LayerPoints
	}
	var list []ui.Option
	for _, layer := range []string{charts.LayerPoints, charts.LayerClusters, charts.LayerHeat, charts.LayerAreas, charts.LayerLines} {
		list = append(list, ui.Option{Value: layer, Label: messages.T(ctx, "editor.layer_"+layer)})
	}
	return chosenFrom(current, list...)
}

func whiskerOptions(ctx context.Context, current string) []ui.Option {
	return chosenFrom(current, ui.Option{Label: messages.T(ctx, "editor.whiskers_usual")}, ui.Option{Value: "range", Label: messages.T(ctx, "editor.whiskers_range")})
}

// headingOptions are the groups of a table that can be its headings.
func (p InspectorProps) headingOptions(ctx context.Context) []ui.Option {
	list := []ui.Option{{Label: messages.T(ctx, "editor.no_headings")}}
	for _, c := range p.groups() {
		list = append(list, ui.Option{Value: c.Result, Label: orElse(c.Label, c.Result)})
	}
	return chosenFrom(p.Widget.Widget.Encode.Group, list...)
}

// facetOptions are the fields that small charts can be made by.
func (p InspectorProps) facetOptions(ctx context.Context) []ui.Option {
	current := ""
	for _, w := range p.Widget.Wells {
		if w.Name == "facet" && len(w.Chips) > 0 {
			current = w.Chips[0].Field.Name
		}
	}
	list := []ui.Option{{Label: messages.T(ctx, "editor.no_facet")}}
	for _, f := range p.columnFields() {
		if !f.Measure && !f.Numeric() {
			list = append(list, ui.Option{Value: f.Name, Label: fieldLabel(f)})
		}
	}
	return chosenFrom(current, list...)
}

// hasLines tells whether reference lines can be drawn across a type.
func hasLines(t charts.Type) bool {
	switch t {
	case charts.Line, charts.Step, charts.Area, charts.Bar, charts.StackedBar, charts.Combo, charts.Box, charts.Candlestick, charts.Scatter, charts.Bubble:
		return true
	}
	return false
}

// lineAct is data-act of one reference line, with what its control sets.
func lineAct(kind string, i int, lines []charts.Reference) string {
	return act(kind, "index", i, "expect", dashboards.LineName(lines[i]))
}

func lineKinds(ctx context.Context, r charts.Reference) []ui.Option {
	var list []ui.Option
	for _, kind := range []string{"average", "value", "date"} {
		list = append(list, ui.Option{Value: kind, Label: messages.T(ctx, "editor.line_"+kind)})
	}
	return chosenFrom(dashboards.LineKind(r), list...)
}

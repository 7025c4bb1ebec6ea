package dashboards

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/warehouse"
)

// askParts answers a chart of parts anew where its answer was cut: groups come
// by place then, and those of later places are missing. The largest parts over all
// places are kept, and the engine folds the others of each place into "Other". The
// answer stays as it is where that can't be asked; the drawing says then that it
// is too much.
func (s *Service) askParts(ctx context.Context, v *View, p *Plan, in *charts.Input) error {
	_, r, err := s.parts(ctx, v, p, in.Result)
	if err != nil || r == nil {
		return err
	}
	x, by, value, _ := p.partsOf(in.Result)
	in.Result, in.Parts = r, -1
	switch {
	case p.input.Config.Format[value].Additive:
		in.Parts = 0 // all are drawn
	case isPlain(by) && x.Column != by.Column:
		n, err := s.countValues(ctx, v, p, by)
		if err != nil {
			return err
		}
		if n > 0 {
			in.Parts = n
		}
	}
	return nil
}

// parts is the question of askParts and its answer; nil where the answer that was
// cut stays.
func (s *Service) parts(ctx context.Context, v *View, p *Plan, cut *warehouse.Result) (spec warehouse.Spec, r *warehouse.Result, err error) {
	x, by, value, ok := p.partsOf(cut)
	if !ok {
		return spec, nil, nil
	}
	sc := v.schemas[p.dataset]
	spec = p.main
	spec.Other, spec.Limit = true, charts.MaxSeries
	spec.Order = []warehouse.Order{{By: dimensionName(x)}, {By: value, Desc: true}}
	if !sc.isOfTime(x) || cyclicGrain(x.Grain) {
		if spec, ok, err = s.grouped(ctx, v, p, by, value); err != nil || !ok {
			return spec, nil, withoutParts(err)
		}
	} else if sc.isOfTime(by) && !cyclicGrain(by.Grain) {
		return spec, nil, nil // both are moments: no series
	}
	r, err = s.ask(ctx, v, p, spec)
	if err != nil || r.More {
		return spec, nil, withoutParts(err)
	}
	return spec, r, nil
}

// partsOf are the places, the parts and the measure of a chart of parts whose
// answer was cut without its author having asked for that.
func (p *Plan) partsOf(cut *warehouse.Result) (x, by warehouse.Dimension, value string, ok bool) {
	w := &p.Widget
	switch w.Type {
	case charts.StackedBar, charts.Bar, charts.Line, charts.Step, charts.Area, charts.Radar:
	default:
		return x, by, "", false
	}
	dims := p.main.Dimensions
	if !cut.More || w.Query.Limit > 0 || w.Encode.Facet != "" || len(dims) != 2 || len(ofRows(p.main.Filters)) < len(p.main.Filters) {
		return x, by, "", false
	}
	x, by = dims[0], dims[1]
	if w.Encode.X == dimensionName(by) {
		x, by = by, x
	}
	if w.Encode.Series != "" && w.Encode.Series != dimensionName(by) || len(p.main.Measures) == 0 {
		return x, by, "", false
	}
	if value = w.Encode.Value; value == "" {
		value = measureName(p.main.Measures[0])
	}
	return x, by, value, true
}

// grouped is the question of a chart with its largest parts and one group of all
// others. ok is false where the parts can't be grouped that way.
func (s *Service) grouped(ctx context.Context, v *View, p *Plan, by warehouse.Dimension, value string) (spec warehouse.Spec, ok bool, err error) {
	sc := v.schemas[p.dataset]
	if c, found := sc.find(by.Column); !found || c.Type != warehouse.Text || !isPlain(by) {
		return spec, false, nil
	}
	if slices.ContainsFunc(p.main.Measures, func(m warehouse.Measure) bool { return m.Show == "running" }) {
		return spec, false, nil
	}
	top := p.main
	top.Dimensions, top.Limit, top.Other = []warehouse.Dimension{by}, charts.MaxSeries, false
	top.Order = []warehouse.Order{{By: value, Desc: true}}
	largest, err := s.ask(ctx, v, p, top)
	if err != nil {
		return spec, false, err
	}
	groups := map[string][]json.RawMessage{}
	for _, name := range charts.Values(largest, 0) {
		if name != charts.Null { // stays a group of its own
			groups[name] = []json.RawMessage{quoted(name)}
		}
	}
	if len(groups) == 0 {
		return spec, false, nil
	}
	spec = p.main
	spec.Dimensions = slices.Clone(spec.Dimensions)
	for i := range spec.Dimensions {
		if d := &spec.Dimensions[i]; dimensionName(*d) == dimensionName(by) {
			d.As, d.Groups, d.Other = dimensionName(by), groups, charts.Rest
		}
	}
	return spec, true, nil
}

// withoutParts is an error of askParts, nil for those that only tell that the
// question does not fit: too many places, or what would show few rows.
func withoutParts(err error) error {
	if errors.Is(err, warehouse.ErrTooManyRows) || errors.Is(err, warehouse.ErrRowsWithheld) {
		return nil
	}
	return err
}

func cyclicGrain(grain string) bool {
	return grain == "weekday" || grain == "hour_of_day" || grain == "month_of_year"
}

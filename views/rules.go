package views

import (
	"context"
	"strconv"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// rulesProps are the rules of a widget, or of one column of a table.
type rulesProps struct {
	Field string // result column; "" for the widget
	Label string
	Rules []charts.Threshold
	Fill  bool // the ground can have the colour too
}

func (p rulesProps) id(i int, part string) string {
	return "rule-" + p.Field + "-" + strconv.Itoa(i) + "-" + part
}

// act is data-act of one rule, with the place that its control sets.
func (p rulesProps) act(kind string, i int, set string) templ.Attributes {
	pairs := []any{"index", i}
	if i < len(p.Rules) {
		pairs = append(pairs, "expect", dashboards.RuleName(p.Rules[i]))
	}
	if p.Field != "" {
		pairs = append(pairs, "field", p.Field)
	}
	attrs := templ.Attributes{"data-act": act(kind, pairs...)}
	if set != "" {
		attrs["data-act-set"] = set
	}
	return attrs
}

func numberText(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func targetText(v *float64) string {
	if v == nil {
		return ""
	}
	return numberText(*v)
}

func toneOptions(ctx context.Context, current charts.Tone) []ui.Option {
	return chosenFrom(string(current),
		ui.Option{Value: string(charts.Good), Label: messages.T(ctx, "rules.pos")},
		ui.Option{Value: string(charts.Warn), Label: messages.T(ctx, "rules.warn")},
		ui.Option{Value: string(charts.Bad), Label: messages.T(ctx, "rules.neg")},
		ui.Option{Value: string(charts.Neutral), Label: messages.T(ctx, "rules.none")})
}

func scaleOptions(ctx context.Context, current string) []ui.Option {
	return chosenFrom(current,
		ui.Option{Value: "", Label: messages.T(ctx, "rules.scale_none")},
		ui.Option{Value: "seq", Label: messages.T(ctx, "rules.scale_seq")},
		ui.Option{Value: "div", Label: messages.T(ctx, "rules.scale_div")})
}

// hasTarget tells whether the type shows how far a number is from another.
func hasTarget(t charts.Type) bool { return t == charts.KPI || t == charts.Gauge }

// canForecast tells whether the selected widget is one line over time.
func (p InspectorProps) canForecast() bool {
	w := &p.Widget.Widget
	if w.Type != charts.Line && w.Type != charts.Area || len(w.Query.Dimensions) != 1 {
		return false
	}
	for _, c := range p.groups() {
		if c.Field.Temporal() {
			return true
		}
	}
	return false
}

// targetOptions are the measures that can say what to reach.
func (p InspectorProps) targetOptions(ctx context.Context) []ui.Option {
	list := []ui.Option{{Value: "", Label: messages.T(ctx, "rules.target_fixed")}}
	for i, c := range p.measures() {
		if i > 0 {
			list = append(list, ui.Option{Value: c.Result, Label: orElse(c.Label, c.Result)})
		}
	}
	return chosenFrom(p.Widget.Widget.Encode.TargetOf, list...)
}

func (p InspectorProps) forecast() charts.Forecast {
	if f := p.Widget.Widget.Forecast; f != nil {
		return *f
	}
	return charts.Forecast{}
}

func intervalOptions(ctx context.Context, current string) []ui.Option {
	return chosenFrom(current,
		ui.Option{Value: "", Label: messages.T(ctx, "rules.band", "Share", 80)},
		ui.Option{Value: "95", Label: messages.T(ctx, "rules.band", "Share", 95)},
		ui.Option{Value: "both", Label: messages.T(ctx, "rules.band_both")})
}

func horizonUnits(ctx context.Context, current string) []ui.Option {
	list := []ui.Option{{Value: "", Label: messages.T(ctx, "rules.unit_axis")}}
	for _, grain := range []string{"hour", "day", "week", "month", "quarter", "year"} {
		list = append(list, ui.Option{Value: grain, Label: grainText(ctx, grain)})
	}
	return chosenFrom(current, list...)
}

func dateOptionsOf(ctx context.Context, current string) []ui.Option {
	return chosenFrom(current,
		ui.Option{Value: "", Label: messages.T(ctx, "rules.date_language")},
		ui.Option{Value: "weekday", Label: messages.T(ctx, "rules.date_weekday")},
		ui.Option{Value: "iso", Label: messages.T(ctx, "rules.date_iso")})
}

// dates are the fields of the widget that show days.
func (p InspectorProps) dates() []dashboards.Chip {
	var list []dashboards.Chip
	for _, w := range p.Widget.Wells {
		for _, c := range w.Chips {
			if c.Fn == "" && c.Field.Temporal() && (c.Grain == "" || c.Grain == "day" || c.Grain == dashboards.AutoGrain) {
				list = append(list, c)
			}
		}
	}
	return list
}

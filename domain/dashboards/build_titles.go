package dashboards

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/warehouse"
)

// A title follows what a widget shows until a person writes one: it is
// generated as long as it is what generating gives.

// title is what the widget is called when nobody says otherwise: "Net sales by
// channel", "Orders over time".
func (sc *schema) title(w *Widget) string {
	if len(w.wells()) == 0 {
		return charts.Humanise(string(w.Type))
	}
	if len(w.Query.Columns) > 0 {
		return clipName(sc.Name)
	}
	if !w.SetUp() {
		return "New " + typeName(w.Type)
	}
	f := fillOf(w)
	var measured []string
	most := 2
	if w.Type == charts.Candlestick {
		most = 4
	}
	for _, one := range w.wells() {
		for _, s := range f[one.name] {
			unseen := w.Type == charts.Map && one.name == "colour" && w.Encode.Layer != charts.LayerAreas ||
				one.name == "also" && len(f["series"]) > 0 // see lines of package charts
			if s.measure != nil && len(measured) < most && !unseen {
				if len(measured) == 0 {
					measured = append(measured, sc.spoken(w, *s.measure))
				} else {
					measured = append(measured, sc.spokenWithin(w, *s.measure))
				}
			}
		}
	}
	what := "Rows"
	if n := len(measured) - 1; n == 0 {
		what = measured[0]
	} else if n > 0 {
		what = strings.Join(measured[:n], ", ") + " and " + measured[n]
	}
	var by []string
	time := false
	alike := map[string]int{}
	for _, dim := range w.Query.Dimensions {
		alike[lastPart(dim.Column)]++
	}
	for _, one := range w.wells() {
		for _, s := range f[one.name] {
			if s.dimension == nil || one.name == "lat" || one.name == "lon" {
				continue
			}
			if c, ok := sc.find(s.dimension.Column); ok && temporal(c.Type) && !cyclic(s.dimension.Grain) {
				time = true
				continue
			}
			word := sc.dimensionWithin(*s.dimension)
			if !cyclic(s.dimension.Grain) && alike[lastPart(s.dimension.Column)] > 1 {
				word = charts.Spaced(s.dimension.Column) // which of the two states
			}
			if !slices.Contains(by, word) {
				by = append(by, word)
			}
		}
	}
	if w.Type == charts.Map && len(by) == 0 {
		by = []string{"place"}
	}
	switch {
	case w.Type == charts.Heatmap:
		slices.Reverse(by)
	case len(by) > 2:
		by = by[:2]
	}
	if len(by) > 0 {
		what += " by " + strings.Join(by, " and ")
	}
	if time {
		if len(by) == 0 {
			what += " over time"
		} else if w.Type == charts.Heatmap || w.Type == charts.Table {
			what += " and date"
		}
	}
	return clipName(what)
}

// subtitle is what stands under a generated title.
func (sc *schema) subtitle(w *Widget) string {
	if !w.SetUp() {
		return ""
	}
	if w.Type == charts.Donut {
		return "Share of the total"
	}
	if q := &w.Query; w.Type == charts.Bar && q.Limit > 0 && !q.Other && len(q.Order) == 0 && len(q.Dimensions) == 1 && isPlain(q.Dimensions[0]) {
		return fmt.Sprintf("The %d largest", q.Limit)
	}
	for _, d := range w.Query.Dimensions {
		if c, ok := sc.find(d.Column); ok && temporal(c.Type) && !cyclic(d.Grain) && d.Grain != "" {
			if w.Forecast != nil {
				return "{grain} · {mape}"
			}
			return "{grain}"
		}
	}
	return ""
}

// retitle lets title and subtitle follow a change from before to w, where a
// person has not written them.
func (sc *schema) retitle(before, w *Widget) {
	if w.Title == "" || before != nil && before.Title == sc.title(before) {
		w.Title = sc.title(w)
	}
	if before == nil || before.Subtitle == sc.subtitle(before) {
		w.Subtitle = sc.subtitle(w)
	}
}

func cyclic(grain string) bool {
	return grain == "weekday" || grain == "hour_of_day" || grain == "month_of_year"
}

func typeName(t charts.Type) string {
	switch t {
	case charts.KPI:
		return "KPI"
	case charts.Control:
		return "filter"
	case charts.Table, charts.Map, charts.Donut, charts.Heatmap:
		return string(t)
	}
	return strings.ReplaceAll(string(t), "_", " ") + " chart"
}

func dimensionLabel(d warehouse.Dimension) string {
	switch d.Grain {
	case "weekday":
		return "Day of the week"
	case "hour_of_day":
		return "Hour"
	case "month_of_year":
		return "Month"
	}
	if namedAsGrain(d) {
		return charts.Humanise(d.Grain)
	}
	return charts.Humanise(lastPart(d.Column))
}

// namedAsGrain tells of a column that is named as another grain than it is
// grouped by: weeks of "day" are not to be called "Day".
func namedAsGrain(d warehouse.Dimension) bool {
	calendar := []string{"minute", "hour", "day", "date", "week", "month", "quarter", "year"}
	return slices.Contains(calendar, d.Grain) && slices.Contains(calendar, strings.ToLower(lastPart(d.Column))) &&
		d.Grain != "day" && !strings.EqualFold(d.Grain, lastPart(d.Column))
}

// dimensionWithin is dimensionLabel within a sentence.
func (sc *schema) dimensionWithin(d warehouse.Dimension) string {
	if cyclic(d.Grain) || namedAsGrain(d) {
		return lower(dimensionLabel(d))
	}
	return charts.Spaced(lastPart(d.Column))
}

// measureLabel is a measure as people say it: "Net sales", "Mean delay".
func (sc *schema) measureLabel(m warehouse.Measure) string {
	if m.Measure != "" {
		return charts.Humanise(m.Measure)
	}
	within := charts.Spaced(lastPart(m.Column))
	name := charts.Humanise(within)
	switch m.Fn {
	case "sum":
		return name
	case "avg":
		if hasWord(m.Column, wordSet("average avg mean")) {
			return name
		}
		return "Mean " + within
	case "median":
		return "Median " + within
	case "min":
		return "Least " + within
	case "max":
		return "Largest " + within
	case "count_distinct":
		return "Distinct " + within
	case "count":
		if m.Column == "" {
			return "Rows"
		}
		return name + " given"
	}
	return charts.Humanise(measureName(m))
}

// spoken is the measure as the widget calls it.
func (sc *schema) spoken(w *Widget, m warehouse.Measure) string {
	if label := w.Format[measureName(m)].Label; label != "" {
		return label
	}
	return sc.measureLabel(m)
}

// spokenWithin is spoken within a sentence. Names keep the case that people gave
// them.
func (sc *schema) spokenWithin(w *Widget, m warehouse.Measure) string {
	generated := sc.measureLabel(m)
	if label := w.Format[measureName(m)].Label; label != "" && label != generated {
		return label
	}
	own := m.Measure
	if own == "" {
		own = lastPart(m.Column)
	}
	if rest, ok := strings.CutPrefix(generated, charts.Humanise(own)); ok && own != "" {
		return charts.Spaced(own) + rest
	}
	return lower(generated)
}

// label writes the generated labels of measures into the widget's formats, and
// takes along those that a change of the function made untrue.
func (sc *schema) label(before, w *Widget) {
	old := map[string]string{}
	if before != nil {
		for _, m := range before.Query.Measures {
			old[measureName(m)] = sc.measureLabel(m)
		}
	}
	for _, m := range w.Query.Measures {
		name := measureName(m)
		f := w.Format[name]
		if generated, had := old[name]; had && f.Label != generated {
			continue // a person's, or none on purpose
		}
		if f.Label == "" && f.Better == "" {
			f.Better = better(m.Column)
		}
		f.Label = sc.measureLabel(m)
		if w.Format == nil {
			w.Format = map[string]charts.Format{}
		}
		w.Format[name] = f
	}
}

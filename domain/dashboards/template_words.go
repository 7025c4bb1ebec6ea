package dashboards

import (
	"regexp"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/warehouse"
)

// said are the words for fields of a template by the words for what stands for
// them now: "Store region" and "store region".
type said map[string]string

func (s said) put(before, now string) {
	if before != "" && now != "" {
		s[before] = now
		s[lower(before)] = lower(now)
	}
}

func (s said) putField(before, now string) {
	s.put(charts.Humanise(lastPart(before)), charts.Humanise(lastPart(now)))
	s[charts.Spaced(lastPart(before))] = charts.Spaced(lastPart(now))
}

// saidOf are the words of a widget's fields.
func saidOf(before, now *Widget) said {
	s := said{}
	for _, d := range before.Query.Dimensions {
		if i := slices.IndexFunc(now.Query.Dimensions, func(o warehouse.Dimension) bool { return dimensionName(o) == dimensionName(d) }); i >= 0 {
			s.putField(d.Column, now.Query.Dimensions[i].Column)
			if cyclic(d.Grain) || namedAsGrain(d) {
				s.put(dimensionLabel(d), dimensionLabel(now.Query.Dimensions[i]))
			}
			if grain := now.Query.Dimensions[i].Grain; grain != d.Grain {
				s.put(cycles[d.Grain], cycles[grain])
			}
		}
	}
	var sc *schema // the words of a measure are in the measure
	for _, m := range before.Query.Measures {
		if i := slices.IndexFunc(now.Query.Measures, func(o warehouse.Measure) bool { return measureName(o) == measureName(m) }); i >= 0 {
			s.put(sc.measureLabel(m), sc.measureLabel(now.Query.Measures[i]))
		}
	}
	return s
}

// cycles are what the grains are in subtitles of suggestions.
var cycles = map[string]string{"hour_of_day": "Hour of the day", "weekday": "Day of the week", "month_of_year": "Month of the year"}

// between are the words between the fields of a title: "Net sales by store region
// over time".
var between = regexp.MustCompile(`, | (?:and|by|for|over|per|·) `)

// in is a title or label with other fields where it says some: as a whole, or one
// after the other. What else people wrote stays.
func (s said) in(text string) string {
	var b strings.Builder
	from := 0
	write := func(part string) {
		if now, has := s[part]; has {
			part = now
		}
		b.WriteString(part)
	}
	for _, at := range between.FindAllStringIndex(text, -1) {
		write(text[from:at[0]])
		b.WriteString(text[at[0]:at[1]])
		from = at[1]
	}
	write(text[from:])
	return b.String()
}

// rename writes the words for other fields into a widget that was made for those
// of before.
func (w *Widget) rename(before *Widget, columns map[string]string) {
	words := saidOf(before, w)
	for _, column := range before.Query.Columns {
		if now := columns[column]; now != "" {
			words.putField(column, now)
		}
	}
	w.Title, w.Subtitle = clipName(words.in(w.Title)), words.in(w.Subtitle)
	for name, f := range w.Format {
		f.Label = words.in(f.Label)
		w.Format[name] = f
	}
}

// Regrained is a grain that a field has not, with the one that stands for it: a
// date has no hours.
type Regrained struct{ Field, From, To string }

// regrain groups dates by what they have: by days instead of hours, and by the
// weekday, or else the month, instead of the hour of the day.
func (w *Widget) regrain(sc *schema) []Regrained {
	var list []Regrained
	for i, d := range w.Query.Dimensions {
		c, ok := sc.find(d.Column)
		if !ok || c.Type != warehouse.Date {
			continue
		}
		to := ""
		switch d.Grain {
		case "minute", "quarter_hour", "hour":
			to = "day"
		case "hour_of_day":
			to = "weekday"
			if slices.ContainsFunc(w.Query.Dimensions, func(o warehouse.Dimension) bool { return o.Grain == to }) {
				to = "month_of_year"
			}
		default:
			continue
		}
		list = append(list, Regrained{Field: d.Column, From: d.Grain, To: to})
		w.Query.Dimensions[i].Grain = to
	}
	return list
}

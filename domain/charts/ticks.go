package charts

import (
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/platform/locale"
)

// step is a distance between two ticks of a time axis.
type step struct {
	grain string
	n     int
}

var steps = []step{
	{"minute", 1}, {"minute", 5}, {"minute", 15}, {"minute", 30},
	{"hour", 1}, {"hour", 2}, {"hour", 3}, {"hour", 6}, {"hour", 12},
	{"day", 1}, {"day", 2}, {"week", 1}, {"week", 2}, {"month", 1}, {"month", 2}, {"month", 3}, {"month", 6},
	{"year", 1}, {"year", 2}, {"year", 5}, {"year", 10}, {"year", 25}, {"year", 100},
}

// pixels is about how wide a widget's drawing is at the usual width of a page.
func (s Size) pixels() int { return max(s.W*98-60, 120) }

// ticks chooses readable ticks of a time axis: on starts of weeks, months or
// years, as many as fit.
func ticks(at []time.Time, grain string, most int) (chosen []time.Time, by step) {
	if len(at) == 0 {
		return nil, step{"day", 1}
	}
	from, to := at[0], at[len(at)-1]
	for _, s := range steps {
		if grain != "" && finer(s.grain, grain) && (grain != "quarter" || s.grain != "month" || s.n%3 != 0) {
			continue
		}
		by = s
		chosen = chosen[:0]
		t := floor(from, s.grain)
		if t.Before(from) {
			t = next(t, s.grain, 1)
		}
		for !aligned(t, s) {
			t = next(t, s.grain, 1)
		}
		for !t.After(to) && len(chosen) <= most {
			chosen = append(chosen, t)
			t = next(t, s.grain, s.n)
		}
		if len(chosen) <= most {
			break
		}
	}
	if len(chosen) == 0 {
		chosen = append(chosen, from)
	}
	return chosen, by
}

// aligned keeps ticks on round places: 00, 06, 12, 18 for six hours, January
// for years of months, years that divide.
func aligned(t time.Time, s step) bool {
	switch s.grain {
	case "minute":
		return t.Minute()%s.n == 0
	case "hour":
		return t.Hour()%s.n == 0
	case "month":
		return (int(t.Month())-1)%s.n == 0
	case "year":
		return t.Year()%s.n == 0
	}
	return true
}

// timeAxis is the x axis for moments on the wall clock.
func (d *drawing) timeAxis(at []time.Time, grain string) (axis, narrow obj) {
	wide, by := ticks(at, grain, max(d.Size.pixels()/74, 2))
	small, bySmall := ticks(at, grain, 4)
	make := func(chosen []time.Time, by step) obj {
		labels, values, lines := obj{}, []int64{}, false
		for i, t := range chosen {
			ms := t.UnixMilli()
			values = append(values, ms)
			text := d.tick(t, by, grain, i == 0)
			labels[strconv.FormatInt(ms, 10)] = text
			lines = lines || strings.Contains(text, "\n")
		}
		label := obj{"customValues": values, "formatter": obj{"$format": obj{"labels": labels}}}
		if lines {
			// Time and day below the corner of both axes: clear of the values.
			label["lineHeight"], label["alignMinLabel"] = 14, "left"
		}
		return label
	}
	axis = obj{"type": "time", "axisLabel": make(wide, by), "axisTick": obj{"show": false}}
	if len(at) > 1 {
		axis["min"], axis["max"] = at[0].UnixMilli(), at[len(at)-1].UnixMilli()
	}
	return axis, obj{"axisLabel": make(small, bySmall)}
}

func (d *drawing) tick(t time.Time, by step, grain string, first bool) string {
	switch by.grain {
	case "minute", "hour":
		// A day stands alone at its beginning only.
		if t.Hour() == 0 && t.Minute() == 0 {
			return d.Locale.ShortDate(t)
		}
		if first {
			return d.Locale.Time(t) + "\n" + d.Locale.ShortDate(t)
		}
		return d.Locale.Time(t)
	case "week", "day":
		if grain == "week" {
			return d.Locale.Bucket(t, locale.Week, false)
		}
		return d.Locale.ShortDate(t)
	case "month":
		if grain == "quarter" {
			return d.Locale.Bucket(t, locale.Quarter, true)
		}
		if first || t.Month() == time.January {
			return d.Locale.Bucket(t, locale.Month, true)
		}
		return d.Locale.Months[t.Month()-1]
	}
	return d.Locale.Bucket(t, locale.Year, true)
}

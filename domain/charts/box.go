package charts

import (
	"github.com/dataflowhq/dataflow/warehouse"
)

// The measures of a box, in their order in the result.
const (
	boxLow = iota
	boxFirst
	boxMedian
	boxThird
	boxHigh
	boxParts
)

// drawBox draws the spread of a number by category: the middle half as a box
// around the median, whiskers from the 5th to the 95th percentile (or from end
// to end). The five figures are the first five measures of the result; see
// BoxMeasures.
func drawBox(d *drawing) error {
	x, err := d.dimension(d.Config.Encode.X, 0)
	if err != nil {
		return err
	}
	if len(d.measures) < boxParts {
		return ErrConfig.With("A box plot needs a number whose spread it shows.")
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	labels, rows := d.categories(x)
	if len(rows) > MaxBars && !isTime(x) && x.Grain == "" || len(rows) > MaxPlaces {
		return d.tooManyPlaces(x, len(rows))
	}
	y := d.measures[boxMedian]
	f, picked := d.format(y), d.picked()
	var data []any
	marks := make([]string, len(rows))
	for i, row := range rows {
		five := make([]any, boxParts)
		for n := range boxParts {
			five[n] = "-"
			if row >= 0 {
				if v, ok := number(d.measures[n], row); ok {
					five[n] = short(v)
				}
			}
		}
		point := obj{"value": five}
		if row >= 0 {
			marks[i] = d.mark(row, columns...)
		}
		if picked != nil && !picked[marks[i]] {
			point["itemStyle"] = obj{"opacity": fade}
		}
		data = append(data, point)
	}
	option := d.barAxes(x, labels, d.valueAxis(y, true), !d.Config.Encode.Horizontal)
	option["series"] = []obj{{"type": "boxplot", "name": d.name(y), "data": data, "boxWidth": []any{6, 28},
		"itemStyle": obj{"color": cssVar("--df-brand-soft"), "borderColor": cssVar(d.hue()), "borderWidth": 1.5}}}
	d.out.Count = len(data)
	low, high, shown, all := d.lowHigh(y)
	if low < 0 {
		d.out.State = Empty
		return nil
	}
	lowest, _ := number(y, low)
	highest, _ := number(y, high)
	d.noteTop(x, shown)
	d.say(ofShown("box", all), "Measure", d.name(y), "By", d.name(x), "Count", shown,
		"High", d.Locale.KPI(highest, f), "HighAt", d.text(x, high), "Low", d.Locale.KPI(lowest, f), "LowAt", d.text(x, low))
	var fields []obj
	for n := boxParts - 1; n >= 0; n-- {
		fields = append(fields, obj{"name": d.name(d.measures[n]), "at": n, "format": placed("full", d.format(d.measures[n]))})
	}
	if err := d.annotate(option, y, nil, labels, !d.Config.Encode.Horizontal); err != nil {
		return err
	}
	return d.chart(option, obj{
		"marks":   obj{"by": "data", "values": marks},
		"tooltip": obj{"heads": labels, "names": []string{d.name(y)}, "formats": []obj{placed("full", f)}, "fields": fields},
	})
}

// BoxMeasures are the five measures of a box over the column of m, by result
// column "box_low" to "box_high". An m without a column is left as it is.
func BoxMeasures(m warehouse.Measure, whiskers string) []warehouse.Measure {
	if m.Column == "" {
		return []warehouse.Measure{m}
	}
	one := func(as, fn string, percentile float64) warehouse.Measure {
		return warehouse.Measure{Fn: fn, Column: m.Column, Percentile: percentile, Filters: m.Filters, As: as}
	}
	low, high := one("box_low", "percentile", 5), one("box_high", "percentile", 95)
	if whiskers == "range" {
		low, high = one("box_low", "min", 0), one("box_high", "max", 0)
	}
	return []warehouse.Measure{low, one("box_first", "percentile", 25), one("box_median", "median", 0), one("box_third", "percentile", 75), high}
}

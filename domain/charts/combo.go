package charts

import (
	"github.com/dataflowhq/dataflow/warehouse"
)

// drawCombo draws one measure as bars and a second as a line on an axis of its
// own, at the right.
func drawCombo(d *drawing) error {
	x, err := d.dimension(d.Config.Encode.X, 0)
	if err != nil {
		return err
	}
	y, err := d.value()
	if err != nil {
		return err
	}
	also, err := d.second(y)
	if err != nil {
		return err
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	labels, rows := d.categories(x)
	if len(rows) > MaxPlaces {
		return d.tooManyPlaces(x, len(rows))
	}
	cut, heads := d.cutPlaces(x, labels)
	picked := d.picked()
	bars, points, marks, second := make([]any, len(rows)), make([]any, len(rows)), make([]string, len(rows)), nans(len(rows))
	for i, row := range rows {
		style := obj{}
		if row >= 0 {
			marks[i] = d.mark(row, columns...)
			if v, ok := number(y, row); ok && v < 0 {
				style["borderRadius"] = ends(true, true)
			}
			if v, ok := number(also, row); ok {
				second[i] = v
			}
		}
		if opacity := pale(picked != nil && !picked[marks[i]], cut != nil && cut[i]); opacity < 1 {
			style["opacity"] = opacity
		}
		bars[i], points[i] = d.cell(y, row), d.cell(also, row)
		if len(style) > 0 {
			bars[i] = obj{"value": bars[i], "itemStyle": style}
		}
	}
	colour := "--c2"
	if d.hue() == colour {
		colour = "--c1"
	}
	drawn := line{name: d.name(also), colour: colour, shape: Solid, values: second, format: d.format(also)}
	onLine := func(o obj) obj {
		o["yAxisIndex"] = 1
		if len(points) <= 31 {
			o["showSymbol"], o["symbolSize"] = true, 5
		}
		return o
	}
	l := onLine(drawn.option(Line))
	l["data"] = points
	right := d.valueAxis(also, true)
	right["position"], right["splitLine"], right["alignTicks"] = "right", obj{"show": false}, true
	delete(right, "min")
	delete(right, "max")
	option := d.barAxes(x, labels, d.valueAxis(y, false), true)
	option["grid"].(obj)["right"] = 4
	option["yAxis"] = []any{option["yAxis"], right}
	list, names, formats := []obj{
		{"type": "bar", "name": d.name(y), "data": bars, "barMaxWidth": 28,
			"itemStyle": obj{"color": cssVar(d.hue()), "borderRadius": ends(true, false)}},
		l,
	}, []string{d.name(y), d.name(also)}, []obj{placed("full", d.format(y)), placed("full", d.format(also))}
	if cut != nil {
		places, all := make([]float64, len(rows)), make([]int, len(rows))
		for i := range rows {
			places[i], all[i] = float64(i), i
			if cut[i] {
				points[i] = nil
			}
		}
		_, grain := d.timeline(x)
		for _, tail := range d.tails(drawn, grain, places, all, cut) {
			tail["data"] = atPlaces(tail["data"].([]any), len(rows))
			list, names, formats = append(list, onLine(tail)), append(names, d.name(also)), append(formats, placed("full", d.format(also)))
		}
	}
	option["series"] = list
	d.out.Count = 2 * len(rows)
	d.out.Legend = []LegendItem{
		{Name: d.name(y), Colour: d.hue(), Shape: Square},
		{Name: d.name(also), Colour: colour, Shape: Solid},
	}
	d.sayCategories(x, y, cutRows(cut, rows)...)
	for _, form := range []string{"bars", "bars_cut"} {
		d.sayAlso(form, d.name(also), second, d.format(also), cut, func(i int) string { return labels[i] })
	}
	return d.chart(option, obj{
		"marks":   obj{"by": "data", "values": marks},
		"tooltip": obj{"heads": heads, "names": names, "formats": formats},
	})
}

// atPlaces gives each point of a tail the index of its place, by which its mark
// is found.
func atPlaces(tail []any, places int) []any {
	data := make([]any, places)
	for _, point := range tail {
		at, _ := point.([]any)
		if own, ok := point.(obj); ok {
			at = own["value"].([]any)
		}
		data[at[0].(int64)] = point
	}
	return data
}

// second is the measure beside the first.
func (d *drawing) second(y *warehouse.ResultColumn) (*warehouse.ResultColumn, error) {
	if c, err := d.column(d.Config.Encode.Also); c != nil || err != nil {
		return c, err
	}
	for _, c := range d.measures {
		if c != y {
			return c, nil
		}
	}
	return nil, ErrConfig.With("A %s needs a second measure.", d.Config.Type)
}

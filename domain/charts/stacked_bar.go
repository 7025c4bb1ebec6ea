package charts

import (
	"github.com/dataflowhq/dataflow/warehouse"
)

// drawStackedBar draws standing bars whose parts add up, by time or category;
// parts beyond the seventh are folded into "Other".
func drawStackedBar(d *drawing) error {
	x, err := d.dimension(d.Config.Encode.X, 0)
	if err != nil {
		return err
	}
	by, err := d.dimension(d.Config.Encode.Series, 1)
	if err != nil {
		return err
	}
	y, err := d.value()
	if err != nil {
		return err
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	labels, place := d.places(x)
	parts := d.splitBy(by, y, len(labels), place)
	if points := len(labels) * len(parts.names); points > MaxPoints {
		return d.tooMuch(points)
	}
	// Only the outer end is round: the topmost part of each bar.
	top := make([]int, len(labels))
	for i := range top {
		top[i] = -1
		for n := range parts.cells {
			if v := parts.cells[n][i]; v > 0 {
				top[i] = n
			}
		}
	}
	byPart := len(columns) == 1 && columns[0] == by
	picked, f := d.picked(), d.format(y)
	marks := make([]string, len(parts.names))
	names, formats, list := []string{}, []obj{}, []obj{}
	for n, colour := range d.colours(parts.keys) {
		style := obj{"color": cssVar(colour), "borderColor": cssVar("--color-base-100"), "borderWidth": 0.75, "borderRadius": 0}
		if byPart && parts.keys[n] != "" {
			marks[n] = Mark{parts.keys[n]}.Word()
		}
		faded := picked != nil && !picked[marks[n]]
		if faded {
			style["opacity"] = fade
		}
		data := make([]any, len(labels))
		for i, v := range parts.cells[n] {
			data[i] = orNull(v)
			if top[i] == n {
				data[i] = obj{"value": orNull(v), "itemStyle": obj{"borderRadius": []int{3, 3, 0, 0}}}
			}
		}
		d.out.Count += len(data)
		list = append(list, obj{"type": "bar", "stack": "all", "name": parts.names[n], "data": data, "itemStyle": style, "barMaxWidth": 28})
		names, formats = append(names, parts.names[n]), append(formats, placed("full", f))
		d.out.Legend = append(d.out.Legend, LegendItem{Name: parts.names[n], Colour: colour, Shape: Square, Mark: marks[n], Faded: faded})
	}
	option := obj{
		"grid":   obj{"left": 4, "right": 8, "top": 12, "bottom": 4, "outerBoundsMode": "same", "outerBoundsContain": "axisLabel"},
		"xAxis":  obj{"type": "category", "data": labels, "axisLabel": obj{"hideOverlap": true}},
		"yAxis":  d.valueAxis(y, false),
		"series": list,
	}
	df := obj{"tooltip": obj{"heads": labels, "names": names, "formats": formats}}
	if byPart {
		df["marks"] = obj{"by": "series", "values": marks}
	}
	d.say("stack", "Measure", d.name(y), "By", d.name(x), "Count", len(parts.names), "Largest", first(parts.names))
	return d.chart(option, df)
}

// places are the labels along an axis whose dimension has several rows a
// place, and which place a row has.
func (d *drawing) places(x *warehouse.ResultColumn) (labels []string, place func(row int) int) {
	if isTime(x) {
		at, grain := d.timeline(x)
		index := map[int64]int{}
		for i, t := range at {
			index[t.UnixMicro()] = i
			labels = append(labels, d.Locale.Bucket(t, bucketGrain(grain), false))
		}
		return labels, func(row int) int {
			if x.IsNull(row) {
				return -1
			}
			t := d.wall(x, row)
			if grain != "" {
				t = floor(t, grain)
			}
			if i, ok := index[t.UnixMicro()]; ok {
				return i
			}
			return -1
		}
	}
	if ends, ok := cyclic[x.Grain]; ok {
		for n := ends[0]; n <= ends[1]; n++ {
			labels = append(labels, d.cyclicText(x.Grain, n))
		}
		return labels, func(row int) int {
			if x.IsNull(row) || int(x.Ints[row]) < ends[0] || int(x.Ints[row]) > ends[1] {
				return -1
			}
			return int(x.Ints[row]) - ends[0]
		}
	}
	index := map[string]int{}
	for row := range d.Result.Rows {
		key := d.key(x, row)
		if _, ok := index[key]; !ok {
			index[key] = len(labels)
			labels = append(labels, d.text(x, row))
		}
	}
	return labels, func(row int) int { return index[d.key(x, row)] }
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

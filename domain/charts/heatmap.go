package charts

import "github.com/dataflowhq/dataflow/warehouse"

// drawHeatmap draws one cell for each pair of two dimensions, coloured by a
// measure; hours of the day along x and days of the week down y above all. A
// cell without rows stays blank, also of what adds up: it may lie outside of the
// data, of which nothing is known.
func drawHeatmap(d *drawing) error {
	x, err := d.dimension(d.Config.Encode.X, 1)
	if err != nil {
		return err
	}
	y, err := d.dimension(d.Config.Encode.Y, 0)
	if err != nil {
		return err
	}
	v, err := d.value()
	if err != nil {
		return err
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	across, placeX := d.places(x)
	down, placeY := d.places(y)
	across, placeX = d.openHours(x, v, across, placeX)
	down, placeY = d.openHours(y, v, down, placeY)
	for _, axis := range []struct {
		of     *warehouse.ResultColumn
		places int
	}{{x, len(across)}, {y, len(down)}} {
		if names := axis.of.Type == warehouse.Text; names && axis.places > MaxBars || axis.places > MaxPlaces {
			return d.tooManyPlaces(axis.of, axis.places)
		}
	}
	if cells := len(across) * len(down); cells > MaxPoints {
		return d.tooMuch(cells)
	}
	picked, f := d.picked(), d.format(v)
	low, high := extremes(v, d.Result.Rows)
	if low < 0 {
		d.out.State = Empty
		return nil
	}
	lowest, _ := number(v, low)
	highest, _ := number(v, high)
	var data []any
	var marks, heads []string
	for row := range d.Result.Rows {
		i, j := placeX(row), placeY(row)
		value, ok := number(v, row)
		if i < 0 || j < 0 || !ok {
			continue
		}
		cell, mark := []any{i, j, short(value)}, d.mark(row, columns...)
		data, marks, heads = append(data, cell), append(marks, mark), append(heads, down[j]+" "+across[i])
		if picked != nil && !picked[mark] {
			data[len(data)-1] = obj{"value": cell, "itemStyle": obj{"opacity": fade}}
		}
	}
	d.out.Count = len(data)
	ends := [2]string{d.Locale.KPI(lowest, f), d.Locale.KPI(highest, f)}
	d.out.Scale = &ends
	if least, most, shown, all := d.lowHigh(v); least >= 0 {
		from, _ := number(v, least)
		to, _ := number(v, most)
		form := ofShown("heatmap", all)
		if shown > 1 {
			form += level(d.Locale.KPI(from, f) == d.Locale.KPI(to, f), shown, shown)
		}
		d.say(form, "Measure", d.name(v), "Rows", d.name(y), "Columns", d.name(x), "Count", shown,
			"High", d.Locale.KPI(to, f), "HighAt", down[max(placeY(most), 0)]+" "+across[max(placeX(most), 0)], "Low", d.Locale.KPI(from, f))
	}
	if highest == lowest {
		highest = lowest + 1
	}
	option := obj{
		"grid": obj{"left": 4, "right": 4, "top": 4, "bottom": 4, "outerBoundsMode": "same", "outerBoundsContain": "axisLabel"},
		"xAxis": obj{"type": "category", "data": across, "axisLine": obj{"show": false}, "splitArea": obj{"show": false},
			"axisLabel": d.namesBelow(x, across)},
		"yAxis": obj{"type": "category", "data": down, "inverse": true, "axisLine": obj{"show": false}, "axisLabel": d.namesBeside(down)},
		"visualMap": obj{"show": false, "type": "continuous", "min": short(lowest), "max": short(highest), "dimension": 2,
			"inRange": obj{"color": cssVar("--seq")}},
		"series": []obj{{"type": "heatmap", "name": d.name(v), "data": data,
			"itemStyle": obj{"borderColor": cssVar("--color-base-100"), "borderWidth": 1.5, "borderRadius": 2}}},
	}
	return d.chart(option, obj{
		"marks":   obj{"by": "data", "values": marks},
		"tooltip": obj{"heads": heads, "names": []string{d.name(v)}, "formats": []obj{placed("full", f)}},
	})
}

// fewestHours is how many hours of the day an axis has at least.
const fewestHours = 6

// openHours leaves the hours of the day out before the first and after the last that
// has a value: nobody is there then. Other axes stay as they are.
func (d *drawing) openHours(c, v *warehouse.ResultColumn, labels []string, place func(row int) int) ([]string, func(row int) int) {
	if c.Grain != "hour_of_day" {
		return labels, place
	}
	from, to := len(labels), 0
	for row := range d.Result.Rows {
		if i := place(row); i >= 0 && !v.IsNull(row) {
			from, to = min(from, i), max(to, i+1)
		}
	}
	if to-from < fewestHours {
		return labels, place
	}
	return labels[from:to], func(row int) int {
		if i := place(row); i >= from && i < to {
			return i - from
		}
		return -1
	}
}

package charts

import (
	"sort"
)

// drawDonut draws the parts of a whole: at most five slices, "Other" among
// them, with the total in the middle and the shares in an HTML legend.
func drawDonut(d *drawing) error {
	x, err := d.dimension(d.Config.Encode.X, 0)
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
	if !d.whole(y, d.labels(x)) {
		return nil
	}
	type slice struct {
		name, key, mark string
		value           float64
		row             int
	}
	var slices []slice
	rest, folded, total := 0.0, false, 0.0
	for row := range d.Result.Rows {
		v, ok := number(y, row)
		if !ok {
			continue
		}
		v = max(v, 0)
		total += v
		if d.isOther(row) {
			rest, folded = rest+v, true
			continue
		}
		slices = append(slices, slice{d.text(x, row), d.key(x, row), d.mark(row, columns...), v, row})
	}
	sort.SliceStable(slices, func(i, j int) bool { return slices[i].value > slices[j].value })
	most := MaxSlices
	if folded || len(slices) > most {
		most--
	}
	for _, s := range slices[min(most, len(slices)):] {
		rest, folded = rest+s.value, true
	}
	slices = slices[:min(most, len(slices))]
	var largest slice
	if len(slices) > 0 {
		largest = slices[0]
	}
	if !d.Ranked {
		ordered(d, x, slices, func(s slice) int { return s.row })
	}
	if folded && rest > 0 {
		slices = append(slices, slice{name: d.Words.Other, value: rest})
	}
	if largest.name == "" {
		largest = slices[0]
	}
	keys := make([]string, len(slices))
	for i, s := range slices {
		keys[i] = s.key
	}
	picked, f := d.picked(), d.format(y)
	var data []obj
	var heads, marks []string
	share := localeFormat{Style: "percent"}
	for i, colour := range d.colours(keys) {
		s := slices[i]
		style := obj{"color": cssVar(colour), "borderColor": cssVar("--color-base-100")}
		faded := picked != nil && !picked[s.mark]
		if faded {
			style["opacity"] = fade
		}
		data = append(data, obj{"name": s.name, "value": short(s.value), "itemStyle": style})
		heads, marks = append(heads, s.name), append(marks, s.mark)
		d.out.Legend = append(d.out.Legend, LegendItem{Name: s.name, Colour: colour, Shape: Square,
			Text: d.Locale.KPI(s.value/total, share), Mark: s.mark, Faded: faded})
	}
	d.out.Count = len(data)
	d.out.Ring = &Ring{Total: d.Locale.KPI(total, f), Of: d.name(y)}
	if picked != nil { // what the rest of the page shows
		chosen := 0.0
		for _, s := range slices {
			if picked[s.mark] {
				chosen += s.value
			}
		}
		d.out.Ring.Total = d.Locale.KPI(chosen, f)
	}
	d.say("donut", "Measure", d.name(y), "By", d.name(x), "Total", d.out.Ring.Total,
		"Largest", largest.name, "Share", d.Locale.KPI(largest.value/total, share))
	pie := obj{"type": "pie", "radius": []string{"64%", "92%"}, "center": []string{"50%", "50%"}, "data": data,
		"label": obj{"show": false}, "labelLine": obj{"show": false}, "name": d.name(y), "startAngle": 90}
	return d.chart(obj{"series": []obj{pie}}, obj{
		"marks":   obj{"by": "data", "values": marks},
		"tooltip": obj{"heads": heads, "names": []string{d.name(y)}, "formats": []obj{placed("full", f)}},
	})
}

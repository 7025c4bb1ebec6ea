package charts

import (
	"math"

	"github.com/dataflowhq/dataflow/warehouse"
)

// drawScatter draws a point for each group or row: two numbers along the axes,
// a third as the size of a bubble, one dimension as colour.
func drawScatter(d *drawing) error {
	x, y, size, err := d.scatterColumns()
	if err != nil {
		return err
	}
	by, err := d.column(d.Config.Encode.Series)
	if err != nil {
		return err
	}
	label, err := d.column(d.Config.Encode.Label)
	if err != nil {
		return err
	}
	if label == nil {
		for _, c := range d.dims {
			if c != by {
				label = c
				break
			}
		}
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	if d.Result.Rows > MaxPoints || d.cut() {
		return d.tooMuch(d.Result.Rows)
	}
	largest := 0.0
	for row := range d.Result.Rows {
		if size != nil {
			if v, ok := number(size, row); ok {
				largest = max(largest, math.Abs(v))
			}
		}
	}
	type group struct {
		name, key string
		data      []any
		heads     []string
		marks     []string
	}
	groups := map[string]*group{}
	var list []*group
	picked := d.picked()
	for row := range d.Result.Rows {
		vx, okX := number(x, row)
		vy, okY := number(y, row)
		if !okX || !okY || d.isOther(row) {
			continue
		}
		key, name := "", d.name(y)
		if by != nil {
			key, name = d.key(by, row), d.text(by, row)
		}
		g := groups[key]
		if g == nil {
			g = &group{name: name, key: key}
			groups[key] = g
			list = append(list, g)
		}
		value := []any{short(vx), short(vy)}
		point := obj{}
		if size != nil {
			v, _ := number(size, row)
			value = append(value, short(v))
			point["symbolSize"] = 2 * bubble(v, largest)
		}
		head, mark := "", ""
		if label != nil {
			head = d.text(label, row)
		}
		if len(d.dims) > 0 {
			mark = d.mark(row, columns...)
		}
		if picked != nil && !picked[mark] {
			point["itemStyle"] = obj{"opacity": fade / 2}
		}
		g.heads, g.marks = append(g.heads, head), append(g.marks, mark)
		if len(point) == 0 {
			g.data = append(g.data, value)
		} else {
			point["value"] = value
			g.data = append(g.data, point)
		}
		d.out.Count++
	}
	if d.out.Count == 0 {
		d.out.State = Empty
		return nil
	}
	if len(list) > MaxSeries {
		d.out.Note = Message{Key: "charts.note.grey", Args: []any{"Shown", MaxSeries, "Count", len(list) - MaxSeries}}
	}
	keys := make([]string, len(list))
	for i, g := range list {
		keys[i] = g.key
		if by == nil {
			keys[i] = "\x01"
		}
	}
	colours := d.colours(keys)
	if by == nil {
		colours = []string{d.hue()}
	}
	// Thousands of points lie over each other: each is smaller and paler then.
	symbol, opacity := 8.0, 0.75
	if d.out.Count > 500 {
		symbol, opacity = 5, 0.45
	}
	if d.out.Count > 5000 {
		symbol, opacity = 3.5, 0.3
	}
	var series []obj
	var names []string
	var heads, marks [][]string
	for i, g := range list {
		o := obj{"type": "scatter", "name": g.name, "data": g.data, "symbolSize": symbol,
			"itemStyle": obj{"color": cssVar(colours[i]), "opacity": opacity, "borderColor": cssVar("--color-base-100"), "borderWidth": 0.75}}
		if d.out.Count > 2000 {
			o["itemStyle"].(obj)["borderWidth"] = 0
			o["large"], o["largeThreshold"] = size == nil && picked == nil && d.out.Count > 5000, 5000
		}
		if d.out.Count <= 15 && label != nil && d.Across == nil {
			o["label"] = obj{"show": true, "position": "top", "distance": 4, "fontSize": 11, "color": cssVar("--df-ink-2"), "fit": true,
				"formatter": obj{"$format": obj{"head": true}}}
			// Each point can have a place for its name of its own.
			for n, point := range g.data {
				if _, own := point.(obj); !own {
					g.data[n] = obj{"value": point}
				}
			}
		}
		series, names = append(series, o), append(names, g.name)
		heads, marks = append(heads, g.heads), append(marks, g.marks)
		if len(list) > 1 {
			d.out.Legend = append(d.out.Legend, LegendItem{Name: g.name, Colour: colours[i], Shape: Round})
		}
	}
	if len(d.out.Legend) > MaxSeries {
		d.out.Legend = append(d.out.Legend[:MaxSeries:MaxSeries], LegendItem{Name: d.Words.Other, Colour: "--c-other", Shape: Round})
	}
	if d.Input.Rows > d.Result.Rows {
		d.out.Note = Message{Key: "charts.note.sample", Args: []any{"Shown", d.Locale.Integer(int64(d.Result.Rows)), "Rows", d.Locale.Integer(int64(d.Input.Rows))}}
	}
	across, up := d.valueAxis(x, true), d.valueAxis(y, true)
	delete(across, "min")
	delete(across, "max")
	if d.Across != nil {
		across["min"], across["max"] = d.Across[0], d.Across[1]
	}
	if size != nil {
		wide, high := float64(d.Size.pixels())*narrowest-50, float64(40*d.Size.H)-150
		if d.Across == nil {
			d.hold(across, x, size, largest, wide)
		}
		if d.Config.Encode.Axis == nil {
			d.hold(up, y, size, largest, high)
		}
	}
	across["name"], across["nameLocation"], across["nameGap"] = d.name(x), "middle", 24
	across["nameTextStyle"] = obj{"color": cssVar("--df-ink-3"), "fontSize": 11}
	across["splitLine"] = obj{"show": true}
	across["axisLabel"].(obj)["hideOverlap"] = true
	across["splitNumber"] = max(2, min(6, d.Size.pixels()/90))
	up["name"], up["nameLocation"], up["nameGap"] = d.name(y), "end", 10
	up["nameTextStyle"] = obj{"color": cssVar("--df-ink-3"), "fontSize": 11, "align": "left", "padding": []int{0, 0, 0, 0}}
	option := obj{
		"grid":  obj{"left": 4, "right": 16, "top": 26, "bottom": 20, "outerBoundsMode": "same", "outerBoundsContain": "axisLabel"},
		"xAxis": across, "yAxis": up, "series": series,
	}
	fields := []obj{
		{"name": d.name(x), "at": 0, "format": placed("full", d.format(x))},
		{"name": d.name(y), "at": 1, "format": placed("full", d.format(y))},
	}
	if size != nil {
		fields = append(fields, obj{"name": d.name(size), "at": 2, "format": placed("full", d.format(size))})
	}
	df := obj{"tooltip": obj{"names": names, "formats": []obj{}, "fields": fields, "headsBy": heads, "item": true}}
	if len(d.dims) > 0 && len(columns) > 0 {
		df["marks"] = obj{"by": "cell", "cells": marks, "values": []string{}}
	}
	if err := d.annotate(option, y, nil, nil, true); err != nil {
		return err
	}
	d.say("scatter_"+d.trend(x, y), "Count", d.out.Count, "X", d.name(x), "Y", d.name(y))
	return d.chart(option, df)
}

// narrowest is how much of the usual width of a page an editor leaves a drawing.
const narrowest = 0.7

// hold makes an axis of that many pixels as long as whole bubbles take. Where it
// begins and ends then is no round number, and has no label.
func (d *drawing) hold(axis obj, c, size *warehouse.ResultColumn, largest, pixels float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for row := range d.Result.Rows {
		if v, ok := number(c, row); ok && !d.isOther(row) {
			low, high = min(low, v), max(high, v)
		}
	}
	if !(high > low) {
		return
	}
	below, above := 0.0, 0.0
	for row := range d.Result.Rows {
		v, ok := number(c, row)
		s, _ := number(size, row)
		if !ok || d.isOther(row) {
			continue
		}
		at, share := (v-low)/(high-low), bubble(s, largest)/max(pixels, 100)
		below, above = max(below, share-at), max(above, share-(1-at))
	}
	// What is left for the values themselves is shorter by both.
	whole := (high - low) / max(1-below-above, 0.4)
	step, label := NiceStep((high-low)/4), axis["axisLabel"].(obj)
	if start := low - below*whole; start < math.Floor(low/step)*step {
		axis["min"], label["showMinLabel"] = short(start), false
	}
	if end := high + above*whole; end > math.Ceil(high/step)*step {
		axis["max"], label["showMaxLabel"] = short(end), false
	}
}

// scatterColumns are the numbers of the axes and of the size: those of the
// config, or the first measures, or the first plain columns that are numbers.
func (d *drawing) scatterColumns() (x, y, size *warehouse.ResultColumn, err error) {
	var free []*warehouse.ResultColumn
	for _, c := range d.measures {
		if isNumber(c) {
			free = append(free, c)
		}
	}
	e := d.Config.Encode
	pick := func(name string) *warehouse.ResultColumn {
		c, failed := d.column(name)
		if failed != nil {
			err = failed
		}
		if c != nil {
			return c
		}
		for len(free) > 0 {
			c, free = free[0], free[1:]
			if c.Name != e.X && c.Name != e.Y && c.Name != e.Size {
				return c
			}
		}
		return nil
	}
	x, y = pick(e.X), pick(e.Y)
	if d.Config.Type == Bubble || e.Size != "" {
		size = pick(e.Size)
	}
	switch {
	case err != nil:
	case x == nil || y == nil:
		err = ErrConfig.With("A scatter needs two numbers, one for each axis.")
	case d.Config.Type == Bubble && size == nil:
		err = ErrConfig.With("Bubbles need a third number for their size.")
	}
	return x, y, size, err
}

// bubble is the radius in pixels whose area stands for the value.
func bubble(v, largest float64) float64 {
	if largest <= 0 || v == 0 {
		return 3
	}
	return round(3+17*math.Sqrt(math.Abs(v)/largest), 1)
}

// trend says how the two numbers go together: "up", "down" or "none", by the
// coefficient of correlation.
func (d *drawing) trend(x, y *warehouse.ResultColumn) string {
	var n, sx, sy, sxx, syy, sxy float64
	for row := range d.Result.Rows {
		a, okA := number(x, row)
		b, okB := number(y, row)
		if !okA || !okB {
			continue
		}
		n++
		sx, sy, sxx, syy, sxy = sx+a, sy+b, sxx+a*a, syy+b*b, sxy+a*b
	}
	spread := math.Sqrt((n*sxx - sx*sx) * (n*syy - sy*sy))
	if !(spread > 0) {
		return "none"
	}
	switch r := (n*sxy - sx*sy) / spread; {
	case r > 0.3:
		return "up"
	case r < -0.3:
		return "down"
	}
	return "none"
}

package charts

import (
	"math"
	"sort"
	"strconv"
)

// drawFunnel draws what is left after each step: the values of a dimension in
// the order of the query, or the measures of a query without one. Bars stand
// around a middle line; beside each stands what it is of the first.
func drawFunnel(d *drawing) error {
	type stage struct {
		name, mark string
		value      float64
		format     localeFormat
	}
	var stages []stage
	picked, measure, all := d.picked(), d.Title, true
	if len(d.dims) == 0 {
		for _, c := range d.measures {
			if v, ok := number(c, 0); ok {
				stages = append(stages, stage{d.name(c), "", v, d.format(c)})
			}
		}
	} else {
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
		for row := range d.Result.Rows {
			if v, ok := number(y, row); ok && !d.isOther(row) {
				stages = append(stages, stage{d.text(x, row), d.mark(row, columns...), v, d.format(y)})
			}
		}
		measure = d.name(y)
		_, _, _, all = d.lowHigh(y)
		d.noteTop(x, len(stages))
	}
	largest := 0.0
	for _, s := range stages {
		if s.value < 0 {
			d.unfit("negative", "Measure", measure, "Name", s.name, "Value", d.Locale.Full(s.value, s.format))
			return nil
		}
		largest = max(largest, s.value)
	}
	switch {
	case len(stages) == 0:
		d.out.State = Empty
		return nil
	case largest == 0:
		d.unfit("zero", "Measure", measure)
		return nil
	}
	if len(stages) > topBars {
		d.out.Fit = Message{Key: "charts.fit.top", Args: []any{"Count", topBars, "Field", d.Title}}
		return d.tooMuch(len(stages))
	}
	var space, data, tail []any
	var labels, marks, texts []string
	start := stages[0].value
	widest := 0
	for i, s := range stages {
		gap := short((largest - s.value) / 2)
		space = append(space, obj{"value": gap, "face": s.name})
		face := d.Locale.KPI(s.value, s.format)
		text := d.Locale.Full(s.value, s.format)
		if i > 0 && start > 0 {
			share := d.Locale.KPI(s.value/start, percent)
			face += "  " + share
			text += " · " + share
			if before := stages[i-1].value; before > 0 && i > 1 {
				text += " (" + d.Locale.KPI(s.value/before, percent) + " ← " + stages[i-1].name + ")"
			}
		}
		widest = max(widest, len([]rune(face)))
		tail = append(tail, obj{"value": gap, "face": face})
		point := obj{"value": short(s.value)}
		if picked != nil && !picked[s.mark] {
			point["itemStyle"] = obj{"opacity": fade}
		}
		data = append(data, point)
		labels, marks, texts = append(labels, s.name), append(marks, s.mark), append(texts, text)
	}
	option := d.barAxes(nil, labels, obj{"type": "value", "max": short(largest), "axisLabel": obj{"show": false}, "splitLine": obj{"show": false}}, false)
	grid := option["grid"].(obj)
	bars := obj{"type": "bar", "stack": "all", "name": d.Title, "data": data, "barCategoryGap": "22%", "barMaxWidth": 36,
		"itemStyle": obj{"color": cssVar(d.hue()), "borderRadius": 3}}
	// What only holds others up.
	hollow := func(data []any) obj {
		return obj{"type": "bar", "stack": "all", "name": "", "data": data, "silent": true, "itemStyle": obj{"color": "transparent"}, "emphasis": obj{"disabled": true}}
	}
	before, after := hollow(space), hollow(tail)
	figures := obj{"show": true, "position": "right", "distance": 8, "fontSize": 11, "color": cssVar("--color-base-content"), "formatter": obj{"$format": obj{"field": "face"}}}
	after["label"] = figures
	if (40*d.Size.H-90)/len(stages) >= roomyStage {
		// Name and figures stand above their bar, which has the whole width then.
		grid["left"], grid["right"], grid["top"] = 0, 0, 16
		option["yAxis"].(obj)["axisLabel"] = obj{"show": false}
		bars["barCategoryGap"] = "52%"
		figures["position"], figures["align"], figures["verticalAlign"] = []any{"100%", -4}, "right", "bottom"
		before["label"] = obj{"show": true, "position": []any{0, -4}, "align": "left", "verticalAlign": "bottom", "fontSize": 11, "color": cssVar("--df-ink-2"),
			"width": max(60, d.Size.pixels()*6/10-6*widest), "overflow": "truncate", "formatter": obj{"$format": obj{"field": "face"}}}
	} else {
		grid["right"] = 12 + 6*widest
	}
	option["series"] = []obj{before, bars, after}
	d.out.Count = len(stages)
	last := stages[len(stages)-1]
	of := "0%"
	if start > 0 {
		of = d.Locale.KPI(last.value/start, percent)
	}
	d.say(ofShown("funnel", all), "Count", len(stages), "First", stages[0].name, "Start", d.Locale.KPI(start, stages[0].format),
		"Last", last.name, "End", d.Locale.KPI(last.value, last.format), "Share", of)
	df := obj{"tooltip": obj{"heads": labels, "names": []string{"", d.Title, ""}, "formats": []obj{{}, {}, {}}, "texts": [][]string{nil, texts, nil}}}
	if len(d.dims) > 0 {
		df["marks"] = obj{"by": "data", "values": marks, "series": 1}
	}
	return d.chart(option, df)
}

// roomyStage is how high the stages of a funnel are, in pixels, to have a line of
// text above them.
const roomyStage = 34

const sankeyNodes = 12 // of one side; smaller ones are "Other"

// drawSankey draws how much flows from each value of a dimension to those of
// the next.
func drawSankey(d *drawing) error {
	y, err := d.value()
	if err != nil {
		return err
	}
	if d.Result.More {
		d.out.Fit = Message{Key: "charts.fit.top", Args: []any{"Count", sankeyNodes, "Field", d.name(d.dims[0])}}
		return d.tooMuch(d.Result.Rows)
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	if !d.whole(y, d.labels(d.dims...)) {
		return nil
	}
	// The largest values of each side keep their name.
	total := 0.0
	keep := make([]map[string]bool, len(d.dims))
	for n, c := range d.dims {
		sums := map[string]float64{}
		for row := range d.Result.Rows {
			if v, ok := number(y, row); ok && v > 0 {
				sums[d.key(c, row)] += v
				if n == 0 {
					total += v
				}
			}
		}
		keys := make([]string, 0, len(sums))
		for key := range sums {
			keys = append(keys, key)
		}
		sort.Slice(keys, func(i, j int) bool {
			if sums[keys[i]] != sums[keys[j]] {
				return sums[keys[i]] > sums[keys[j]]
			}
			return keys[i] < keys[j]
		})
		keep[n] = map[string]bool{}
		for _, key := range keys[:min(len(keys), sankeyNodes)] {
			keep[n][key] = true
		}
	}
	type flow struct {
		from, to int
		value    float64
		mark     string
	}
	type place struct {
		name, key, colour string
		depth             int
		value             float64
	}
	var places []*place
	index := map[string]int{}
	at := func(depth, row int) int {
		c := d.dims[depth]
		key := d.key(c, row)
		name := d.text(c, row)
		if !keep[depth][key] || d.isOther(row) {
			key, name = "", d.Words.Other
		}
		id := strconv.Itoa(depth) + ":" + key
		if key == "" && name == d.Words.Other {
			id = strconv.Itoa(depth) + "\x01"
		}
		i, ok := index[id]
		if !ok {
			i = len(places)
			index[id] = i
			places = append(places, &place{name: name, key: key, depth: depth})
		}
		return i
	}
	flows := map[[2]int]*flow{}
	var order []*flow
	for row := range d.Result.Rows {
		v, ok := number(y, row)
		if !ok || v <= 0 {
			continue
		}
		before := -1
		for depth := range d.dims {
			i := at(depth, row)
			if depth == 0 {
				places[i].value += v
			}
			if before >= 0 {
				l := flows[[2]int{before, i}]
				if l == nil {
					l = &flow{from: before, to: i}
					if len(d.dims) == 2 && len(columns) == 2 && places[before].key != "" && places[i].key != "" {
						l.mark = d.mark(row, columns...)
					}
					flows[[2]int{before, i}] = l
					order = append(order, l)
				}
				l.value += v
				places[i].value += v
			}
			before = i
		}
	}
	f, picked := d.format(y), d.picked()
	// A colour by value of the first side; flows take on that of their origin.
	var keys []string
	var firsts []int
	for i, p := range places {
		if p.depth == 0 {
			firsts = append(firsts, i)
		}
	}
	sort.SliceStable(firsts, func(i, j int) bool {
		a, b := places[firsts[i]], places[firsts[j]]
		if (a.key == "") != (b.key == "") {
			return b.key == ""
		}
		return a.value > b.value
	})
	for _, i := range firsts {
		keys = append(keys, places[i].key)
	}
	for n, colour := range d.colours(keys) {
		places[firsts[n]].colour = colour
	}
	var nodes, links []obj
	for i, p := range places {
		colour := p.colour
		if colour == "" {
			colour = "--df-ink-3"
		}
		o := obj{"name": strconv.Itoa(i), "depth": p.depth, "face": p.name, "head": p.name, "text": d.Locale.Full(p.value, f) + " · " + d.Locale.KPI(p.value/total, percent),
			"itemStyle": obj{"color": cssVar(colour), "borderWidth": 0}}
		if p.depth == len(d.dims)-1 {
			o["label"] = obj{"position": "left"}
		}
		nodes = append(nodes, o)
	}
	sort.SliceStable(order, func(i, j int) bool { return order[i].value > order[j].value })
	marks := []string{}
	for _, l := range order {
		colour := places[l.from].colour
		if colour == "" {
			colour = "--df-ink-3"
		}
		opacity := 0.28
		if picked != nil && !picked[l.mark] {
			opacity = 0.08
		} else if picked != nil {
			opacity = 0.6
		}
		links = append(links, obj{"source": strconv.Itoa(l.from), "target": strconv.Itoa(l.to), "value": short(l.value), "mark": l.mark,
			"head": places[l.from].name + " → " + places[l.to].name, "text": d.Locale.Full(l.value, f) + " · " + d.Locale.KPI(l.value/total, percent),
			"lineStyle": obj{"color": cssVar(colour), "opacity": opacity, "curveness": 0.5}})
		if l.mark != "" {
			marks = append(marks, l.mark)
		}
	}
	d.out.Count = len(links)
	series := obj{"type": "sankey", "name": d.name(y), "data": nodes, "links": links, "left": 2, "right": 2, "top": 6, "bottom": 6,
		"nodeWidth": 10, "nodeGap": 8, "layoutIterations": 32, "draggable": false, "emphasis": obj{"focus": "adjacency"},
		"label": obj{"fontSize": 11, "color": cssVar("--color-base-content"), "distance": 6, "overflow": "truncate", "width": min(150, d.Size.pixels()/4),
			"formatter": obj{"$format": obj{"field": "face"}}}}
	largest := order[0]
	d.say("sankey", "Measure", d.name(y), "From", d.name(d.dims[0]), "To", d.name(d.dims[len(d.dims)-1]), "Total", d.Locale.KPI(total, f),
		"Largest", places[largest.from].name+" → "+places[largest.to].name, "Value", d.Locale.KPI(largest.value, f))
	df := obj{"tooltip": obj{"names": []string{d.name(y)}, "formats": []obj{placed("full", f)}, "item": true}}
	if len(marks) > 0 {
		df["marks"] = obj{"by": "item", "values": marks}
	}
	return d.chart(obj{"series": []obj{series}}, df)
}

// drawWaterfall draws how parts lead to a total, or, where there is a
// comparison, how their changes lead from the earlier total to the current.
func drawWaterfall(d *drawing) error {
	x, err := d.dimension(d.Config.Encode.X, 0)
	if err != nil {
		return err
	}
	y, err := d.value()
	if err != nil {
		return err
	}
	if !d.addable(y) {
		return nil
	}
	if d.Result.More && !d.Result.HasOther {
		d.out.Fit = Message{Key: "charts.fit.top", Args: []any{"Count", topBars, "Field", d.name(x)}}
		return d.tooMuch(d.Result.Rows)
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	labels, rows := d.categories(x)
	if len(rows) > MaxBars {
		return d.tooManyPlaces(x, len(rows))
	}
	before := d.previous(y)
	if before == nil && d.Result.Previous != nil {
		d.out.Note = Message{Key: "charts.note.nothing_before"}
	}
	type step struct {
		name, mark string
		from, to   float64
		whole      bool
	}
	var steps, unchanged []step
	// Changes are small beside the totals that they lead between, and bars begin
	// at zero: so the steps of a change begin there, and the sentence says from
	// where to where.
	level, was, now := 0.0, 0.0, 0.0
	for i, row := range rows {
		if row < 0 {
			continue
		}
		v, ok := number(y, row)
		if before != nil {
			v, ok = number(d.toDate(y), row)
		}
		by := v
		if before != nil {
			earlier, had := number(before, row)
			by, ok = v-earlier, ok || had
			was += earlier
		}
		now += v
		if !ok {
			continue
		}
		if by == 0 && before != nil {
			unchanged = append(unchanged, step{labels[i], d.mark(row, columns...), level, level, false})
			continue
		}
		steps = append(steps, step{labels[i], d.mark(row, columns...), level, level + by, false})
		level += by
	}
	if len(steps) == 0 {
		steps = unchanged
	}
	steps = append(steps, step{d.Words.Total, "", 0, level, true})
	f, picked, better := d.format(y), d.picked(), d.settings(y).Better
	var heads, marks []string
	var texts [][]string
	var base, above, below []any
	up, down := "--c1", "--c2"
	if better != "" {
		up, down = "--df-pos", "--df-neg"
		if better == "lower" {
			up, down = down, up
		}
	}
	lines := []string{}
	for _, s := range steps {
		low, high := min(s.from, s.to), max(s.from, s.to)
		style := obj{"color": cssVar(up)}
		switch {
		case s.whole:
			style["color"] = cssVar("--c-previous")
		case s.to < s.from:
			style["color"] = cssVar(down)
		}
		if picked != nil && !picked[s.mark] {
			style["opacity"] = fade
		}
		delta := s.to - s.from
		text := d.Locale.Full(delta, f)
		if (!s.whole || before != nil) && delta > 0 {
			text = "+" + text
		}
		face := d.Locale.KPI(delta, f)
		if (!s.whole || before != nil) && delta > 0 {
			face = "+" + face
		}
		style["borderRadius"] = 2
		start, upper, lower := 0.0, 0.0, 0.0
		switch {
		case low >= 0:
			start, upper = low, high-low
		case high <= 0:
			start, lower = high, low-high
		default:
			upper, lower = high, low
		}
		base = append(base, short(start))
		on := obj{"value": short(upper), "itemStyle": style}
		under := obj{"value": short(lower), "itemStyle": style}
		if lower != 0 && upper == 0 {
			under["face"] = face
			on["value"] = nil
		} else {
			on["face"] = face
			if lower == 0 {
				under["value"] = nil
			}
		}
		above, below = append(above, on), append(below, under)
		heads, marks = append(heads, s.name), append(marks, s.mark)
		lines = append(lines, text)
	}
	texts = [][]string{nil, lines, lines}
	label := func(side string) obj {
		return obj{"show": len(steps) <= max(4, d.Size.pixels()/52), "fit": true, "position": side, "distance": 5, "fontSize": 11, "color": cssVar("--color-base-content"),
			"formatter": obj{"$format": obj{"field": "face"}}}
	}
	value := d.valueAxis(y, false)
	option := d.barAxes(nil, heads, value, true)
	option["grid"].(obj)["top"] = 20
	category := option["xAxis"].(obj)
	category["axisLine"] = obj{"onZero": false}
	option["series"] = []obj{
		{"type": "bar", "stack": "all", "name": "", "data": base, "silent": true, "itemStyle": obj{"color": "transparent"}, "emphasis": obj{"disabled": true}, "barMaxWidth": 40},
		{"type": "bar", "stack": "all", "name": d.name(y), "data": above, "barMaxWidth": 40, "label": label("top")},
		{"type": "bar", "stack": "all", "name": d.name(y), "data": below, "barMaxWidth": 40, "label": label("bottom")},
	}
	d.out.Count = len(steps)
	largest := -1
	for i, s := range steps {
		if !s.whole && (largest < 0 || math.Abs(s.to-s.from) > math.Abs(steps[largest].to-steps[largest].from)) {
			largest = i
		}
	}
	if largest < 0 {
		d.out.State = Empty
		return nil
	}
	if before != nil {
		d.say("waterfall_change", "Measure", d.name(y), "From", d.Locale.KPI(was, f), "To", d.Locale.KPI(now, f), "By", d.name(x),
			"Largest", steps[largest].name, "Value", lines[largest])
	} else {
		d.say("waterfall", "Measure", d.name(y), "To", d.Locale.KPI(level, f), "By", d.name(x), "Largest", steps[largest].name, "Value", lines[largest])
	}
	return d.chart(option, obj{
		"marks":   obj{"by": "data", "values": marks, "series": 1},
		"tooltip": obj{"heads": heads, "names": []string{"", d.name(y), d.name(y)}, "formats": []obj{{}, {}, {}}, "texts": texts},
	})
}

func perCent(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + "%" }

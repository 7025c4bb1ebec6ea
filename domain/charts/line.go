package charts

import (
	"math"
	"slices"
	"time"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// drawLine draws one or more lines over time (or over any other dimension), and
// what they are compared with behind them. An area is a line on zero with its
// surface filled; a step stays on a value until the next.
func drawLine(d *drawing) error {
	x, err := d.dimension(d.Config.Encode.X, 0)
	if err != nil {
		return err
	}
	y, err := d.value()
	if err != nil {
		return err
	}
	if !isTime(x) {
		return d.lineOverCategories(x, y)
	}
	s := d.series(x, []*warehouse.ResultColumn{y})
	if len(s.at) == 0 {
		d.out.State = Empty
		return nil
	}
	lines, err := d.lines(s, x, y)
	if err != nil {
		return err
	}
	if d.cut() || len(s.at) > warehouse.MaxLimit {
		many := x
		for _, c := range d.dims {
			if c != x && len(s.at) <= MaxPlaces {
				many = c // the lines are, not their moments
			}
		}
		return d.tooManyPlaces(many, min(max(d.Result.Rows, len(s.at)), warehouse.MaxLimit))
	}
	ahead := d.foreseen(&s, lines)
	xs := make([]float64, len(s.at))
	for i, t := range s.at {
		xs[i] = float64(t.UnixMilli())
	}
	kept := make([][]int, len(lines))
	for n, l := range lines {
		kept[n] = thinGaps(xs, l.values, LinePoints)
		d.out.Count += len(kept[n])
	}
	if d.out.Count > MaxPoints { // all gaps, which stay
		return d.tooManyPlaces(x, d.out.Count)
	}
	var list, dashed []obj
	var dashedNames []string
	var dashedFormats []obj
	names, formats := []string{}, []obj{}
	cut := d.cuts(s.at, s.grain)
	for n, l := range lines {
		keep := kept[n]
		data := make([][2]any, len(keep))
		for i, k := range keep {
			data[i] = [2]any{int64(xs[k]), orNull(l.values[k])}
			if cut != nil && cut[k] && !l.previous {
				data[i][1] = nil
			}
		}
		o := l.option(d.Config.Type)
		o["data"] = data
		if len(keep) == 1 {
			o["showSymbol"] = true
		}
		dotted(o, data)
		list = append(list, o)
		for _, tail := range d.tails(l, s.grain, xs, keep, cut) {
			dashed, dashedNames, dashedFormats = append(dashed, tail), append(dashedNames, l.name), append(dashedFormats, placed("full", l.format))
		}
		name := l.name
		if l.previous {
			name = d.compared()
		}
		names = append(names, name)
		formats = append(formats, placed("full", l.format))
		if len(lines) > 1 || ahead != nil {
			d.out.Legend = append(d.out.Legend, LegendItem{Name: l.name, Colour: l.colour, Shape: l.shape})
		}
	}
	// The comparison is drawn first, so behind; people read it last.
	if n := len(d.out.Legend); n > 1 && d.out.Legend[0].Shape == Dotted {
		d.out.Legend = append(d.out.Legend[1:n:n], d.out.Legend[0])
	}
	list, names, formats = append(list, dashed...), append(names, dashedNames...), append(formats, dashedFormats...)
	at := s.at
	if ahead != nil {
		goes := 0 // on: the line of the measure
		if lines[0].previous {
			goes = 1
		}
		list[goes]["markLine"] = d.today(ahead, s.grain)
		more, moreNames, moreFormats := d.outlook(ahead, s, lines[goes])
		list, names, formats = append(list, more...), append(names, moreNames...), append(formats, moreFormats...)
		at = append(slices.Clone(at), ahead.At...)
	}
	axis, narrow := d.timeAxis(at, s.grain)
	values := d.valueAxis(y, d.Config.Type != Area)
	option := obj{
		"useUTC": true,
		"grid":   obj{"left": 4, "right": 12, "top": 12, "bottom": 4, "outerBoundsMode": "same", "outerBoundsContain": "axisLabel"},
		"xAxis":  axis,
		"yAxis":  values,
		"series": list,
	}
	df := obj{
		"narrow": obj{"xAxis": narrow},
		"tooltip": obj{"head": obj{"$format": obj{"time": string(bucketGrain(s.grain)), "year": true}},
			"formats": formats, "names": names},
	}
	if d.Brush {
		df["brush"] = obj{"grain": s.grain}
	}
	if err := d.annotate(option, y, s.at, nil, true); err != nil {
		return err
	}
	if by, err := d.splitter(x); err == nil && by != nil {
		d.sayLines(s, y, by, lines, cut)
	} else {
		d.sayLine(s, y, cut)
	}
	if ahead != nil {
		d.sayForecast(ahead, s.grain, d.format(y))
	}
	if also, err := d.column(d.Config.Encode.Also); err == nil && also != nil && len(lines) > 0 {
		second := lines[len(lines)-1]
		d.sayAlso("line", second.name, second.values, second.format, cut, func(i int) string { return d.spotAt(s, i) })
	}
	return d.chart(option, df)
}

// dotted gives values that stand between gaps a dot: no line leads to them.
func dotted(o obj, data [][2]any) {
	known := func(i int) bool { return i >= 0 && i < len(data) && data[i][1] != nil }
	var points []any
	for i := range data {
		if !known(i) || known(i-1) || known(i+1) {
			continue
		}
		if points == nil {
			points = make([]any, len(data))
			for k := range data {
				points[k] = data[k]
			}
			o["data"], o["showSymbol"], o["showAllSymbol"], o["symbol"] = points, true, true, "none"
		}
		points[i] = obj{"value": data[i], "symbol": "circle", "symbolSize": 6}
	}
}

// tails are the parts of a line that lead to and from the buckets that the range
// cuts, dashed. Their neighbours, which the line has itself, are kept out of the
// tooltip by a null after their value.
func (d *drawing) tails(l line, grain string, xs []float64, keep []int, cut []bool) (list []obj) {
	if cut == nil || l.previous {
		return nil
	}
	known := func(i int) bool { return i >= 0 && i < len(keep) && !math.IsNaN(l.values[keep[i]]) }
	for i, k := range keep {
		if !cut[k] || !known(i) {
			continue
		}
		var data []any
		join := func(i int) {
			if known(i) {
				data = append(data, []any{int64(xs[keep[i]]), short(l.values[keep[i]]), nil})
			}
		}
		join(i - 1)
		data = append(data, obj{"value": []any{int64(xs[k]), short(l.values[k])},
			"text": d.Locale.Full(l.values[k], l.format) + " · " + d.Words.Parts.of(grain)})
		join(i + 1)
		o := l.option(d.Config.Type)
		o["data"] = data
		o["lineStyle"].(obj)["type"], o["lineStyle"].(obj)["opacity"] = []int{3, 3}, 0.7
		if area, ok := o["areaStyle"].(obj); ok {
			area["opacity"] = 0.06
		}
		if len(data) == 1 {
			o["showSymbol"] = true
		}
		list = append(list, o)
	}
	return list
}

// line is one line to draw.
type line struct {
	name     string
	colour   string
	shape    Shape
	previous bool
	values   []float64
	format   localeFormat
}

func (l line) option(t Type) obj {
	style := obj{"color": cssVar(l.colour), "width": 2}
	o := obj{"type": "line", "name": l.name, "showSymbol": false, "lineStyle": style,
		"itemStyle": obj{"color": cssVar(l.colour)}, "z": 3, "connectNulls": false}
	if l.previous {
		style["width"], style["type"] = 1.5, []int{2, 3}
		o["z"], o["silent"] = 2, true
	} else if t == Area {
		o["areaStyle"] = obj{"color": cssVar(l.colour), "opacity": 0.12}
	}
	if t == Step {
		o["step"] = "end"
	}
	return o
}

// splitter is what parts a line into several; nil for nothing.
func (d *drawing) splitter(x *warehouse.ResultColumn) (*warehouse.ResultColumn, error) {
	by, err := d.column(d.Config.Encode.Series)
	if err != nil || by != nil || len(d.dims) < 2 {
		return by, err
	}
	if d.dims[1] == x {
		return d.dims[0], nil
	}
	return d.dims[1], nil
}

// lines are what is drawn, from the back to the front.
func (d *drawing) lines(s series, x, y *warehouse.ResultColumn) ([]line, error) {
	by, err := d.splitter(x)
	if err != nil {
		return nil, err
	}
	if by != nil {
		also, err := d.column(d.Config.Encode.Also)
		if err != nil {
			return nil, err
		}
		if also != nil {
			d.out.Note = Message{Key: "charts.note.one_measure", Args: []any{"Measure", d.name(y), "Other", d.name(also)}}
		}
		place := map[int64]int{}
		for i, t := range s.at {
			place[t.UnixMicro()] = i
		}
		parts := d.splitBy(by, y, len(s.at), func(row int) int {
			if x.IsNull(row) {
				return -1
			}
			t := d.wall(x, row)
			if s.grain != "" {
				t = floor(t, s.grain)
			}
			if i, ok := place[t.UnixMicro()]; ok {
				return i
			}
			return -1
		})
		d.noteCut(parts)
		d.noteLimit(x)
		var lines []line
		for i, colour := range d.colours(parts.keys) {
			lines = append(lines, line{name: parts.names[i], colour: colour, shape: Solid, values: parts.cells[i], format: d.format(y)})
		}
		return lines, nil
	}
	var lines []line
	if p := d.previous(y); p != nil {
		before := d.series(x, []*warehouse.ResultColumn{p})
		outside(before.values[0], func(i int) bool {
			row := before.rows[i]
			return row >= 0 && !p.IsNull(row)
		})
		lines = append(lines, line{name: d.Words.Previous, colour: "--c-previous", shape: Dotted, previous: true,
			values: before.values[0], format: d.format(y)})
	}
	lines = append(lines, line{name: d.name(y), colour: d.hue(), shape: Solid, values: s.values[0], format: d.format(y)})
	also, err := d.column(d.Config.Encode.Also)
	if err != nil {
		return nil, err
	}
	if also != nil {
		second := d.series(x, []*warehouse.ResultColumn{also})
		colour := "--c2"
		if d.hue() == colour {
			colour = "--c1"
		}
		lines = append(lines, line{name: d.name(also), colour: colour, shape: Solid, values: second.values[0], format: d.format(also)})
	}
	return lines, nil
}

// outside makes a gap of what lies before the first and after the last known
// value: the data may not reach as far back as a comparison does.
func outside(values []float64, known func(i int) bool) {
	first, last := len(values), -1
	for i := range values {
		if known(i) {
			first, last = min(first, i), i
		}
	}
	for i := range values {
		if i < first || i > last {
			values[i] = math.NaN()
		}
	}
}

// valueAxis is the axis of the values. Only lines may start above zero.
func (d *drawing) valueAxis(y *warehouse.ResultColumn, free bool) obj {
	axis := obj{"type": "value", "scale": free, "splitNumber": 4,
		"axisLabel": obj{"showMinLabel": true, "formatter": formatter("axis", d.format(y))}}
	if d.format(y).Integer {
		axis["minInterval"] = 1
	}
	if ends := d.Config.Encode.Axis; ends != nil {
		axis["min"], axis["max"] = ends[0], ends[1]
		if !free {
			axis["min"] = min(0, ends[0])
		}
	}
	return axis
}

// lineOverCategories draws a line over something other than time: hours of the
// day, bins, months of the year.
func (d *drawing) lineOverCategories(x, y *warehouse.ResultColumn) error {
	labels, rows := d.categories(x)
	if len(labels) > MaxPlaces {
		return d.tooManyPlaces(x, len(labels))
	}
	values := make([]any, len(rows))
	for i, row := range rows {
		values[i] = d.cell(y, row)
	}
	l := line{name: d.name(y), colour: d.hue(), shape: Solid}
	o := l.option(d.Config.Type)
	o["data"] = values
	d.out.Count = len(values)
	option := obj{
		"grid":   obj{"left": 4, "right": 12, "top": 12, "bottom": 4, "outerBoundsMode": "same", "outerBoundsContain": "axisLabel"},
		"xAxis":  obj{"type": "category", "data": labels, "boundaryGap": false, "axisLabel": d.namesBelow(x, labels)},
		"yAxis":  d.valueAxis(y, d.Config.Type != Area),
		"series": []obj{o},
	}
	d.sayCategories(x, y)
	if err := d.annotate(option, y, nil, labels, true); err != nil {
		return err
	}
	return d.chart(option, obj{"tooltip": obj{"heads": labels, "names": []string{l.name}, "formats": []obj{placed("full", d.format(y))}}})
}

// cell is a value to draw in a category; a row of -1 is one without data. Of
// what adds up nothing is zero there, but what is missing is not.
func (d *drawing) cell(y *warehouse.ResultColumn, row int) any {
	if row >= 0 {
		if v, ok := number(y, row); ok {
			return short(v)
		}
		return nil
	}
	if d.fills(y) {
		return 0
	}
	return nil
}

func orNull(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return short(v)
}

// spot is a value of one of several lines.
type spot struct{ line, at int }

// spots are the least and the largest value of lines; ok is false without one. What
// the range cuts is neither, unless it cuts all.
func spots(lines [][]float64, cut []bool) (low, high spot, ok bool) {
	if !slices.Contains(cut, false) {
		cut = nil
	}
	for n, values := range lines {
		for i, v := range values {
			if math.IsNaN(v) || cut != nil && cut[i] {
				continue
			}
			if !ok || v < lines[low.line][low.at] {
				low = spot{n, i}
			}
			if !ok || v > lines[high.line][high.at] {
				high = spot{n, i}
			}
			ok = true
		}
	}
	return low, high, ok
}

// reach is the last place at which one of the lines has a value: what they are
// compared with may reach further.
func reach(lines [][]float64) int {
	last := 0
	for _, values := range lines {
		for i := len(values) - 1; i > last; i-- {
			if !math.IsNaN(values[i]) {
				last = i
			}
		}
	}
	return last
}

// sayLines describes several lines by the least and the largest value of those that
// are drawn.
func (d *drawing) sayLines(s series, y, by *warehouse.ResultColumn, lines []line, cut []bool) {
	values := make([][]float64, len(lines))
	for n := range lines {
		values[n] = lines[n].values
	}
	low, high, ok := spots(values, cut)
	if !ok {
		d.say("line_empty")
		return
	}
	f, grain, form := d.format(y), bucketGrain(s.grain), "lines"
	if d.Locale.KPI(values[low.line][low.at], f) == d.Locale.KPI(values[high.line][high.at], f) && len(lines) > 1 {
		form = "lines_level"
	}
	d.say(form, "Measure", d.name(y), "By", d.name(by), "Count", len(lines),
		"From", d.Locale.Bucket(s.at[0], grain, true), "To", d.Locale.Bucket(s.at[reach(values)], grain, true),
		"Low", d.Locale.KPI(values[low.line][low.at], f), "LowName", lines[low.line].name, "LowAt", d.spotAt(s, low.at),
		"High", d.Locale.KPI(values[high.line][high.at], f), "HighName", lines[high.line].name, "HighAt", d.spotAt(s, high.at))
}

// spotAt is when a value was: hours and minutes of several days with their day.
func (d *drawing) spotAt(s series, i int) string {
	grain := bucketGrain(s.grain)
	within := (grain == locale.Hour || grain == locale.Minute) && s.at[len(s.at)-1].Sub(s.at[0]) >= 24*time.Hour
	return d.Locale.Bucket(s.at[i], grain, within)
}

// sayAlso adds a second measure to the sentence of the first, where it has that
// form. Of one whole period there is no highest and no lowest.
func (d *drawing) sayAlso(form, name string, values []float64, f localeFormat, cut []bool, at func(i int) string) {
	low, high, ok := spots([][]float64{values}, cut)
	if !ok || !d.says(form) {
		return
	}
	if whole := "charts.say." + form + "_whole"; d.out.Say.Key == whole && low.at == high.at {
		form += "_whole"
	}
	d.out.Say.Key = "charts.say." + form + "_also"
	d.out.Say.Args = append(d.out.Say.Args, "Also", name, "AlsoLow", d.Locale.KPI(values[low.at], f), "AlsoLowAt", at(low.at),
		"AlsoHigh", d.Locale.KPI(values[high.at], f), "AlsoHighAt", at(high.at))
}

// sayLine describes a line.
func (d *drawing) sayLine(s series, y *warehouse.ResultColumn, cut []bool) {
	low, high, ok := spots(s.values[:1], cut)
	if !ok {
		d.say("line_empty")
		return
	}
	f, grain, values := d.format(y), bucketGrain(s.grain), s.values[0]
	known, whole := 0, 0
	for i, v := range values {
		if !math.IsNaN(v) {
			known++
			if cut == nil || !cut[i] {
				whole++
			}
		}
	}
	d.say("line"+level(d.Locale.KPI(values[low.at], f) == d.Locale.KPI(values[high.at], f), known, whole), "Measure", d.name(y),
		"From", d.Locale.Bucket(s.at[0], grain, true), "To", d.Locale.Bucket(s.at[reach(s.values[:1])], grain, true),
		"Low", d.Locale.KPI(values[low.at], f), "LowAt", d.spotAt(s, low.at),
		"High", d.Locale.KPI(values[high.at], f), "HighAt", d.spotAt(s, high.at))
}

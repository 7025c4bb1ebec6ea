package charts

import (
	"math"

	"github.com/dataflowhq/dataflow/warehouse"
)

const (
	radarLines = 5
)

// drawRadar compares a few things along several axes. With two dimensions, or
// with one measure, the axes are the values of the first dimension and have
// one scale; with three measures or more each measure is an axis of its own
// scale, and the lines are the values of the dimension.
func drawRadar(d *drawing) error {
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
	type ray struct {
		name, key, mark string
		values          []float64
	}
	var axes []string
	var formats []localeFormat
	var rays []ray
	var parts split
	picked := d.picked()
	if len(d.dims) == 1 && len(d.measures) >= 3 {
		for _, m := range d.measures {
			axes, formats = append(axes, d.name(m)), append(formats, d.format(m))
		}
		for row := range d.Result.Rows {
			if d.isOther(row) {
				continue
			}
			r := ray{name: d.text(x, row), key: d.key(x, row), mark: d.mark(row, columns...)}
			for _, m := range d.measures {
				v, ok := number(m, row)
				if !ok {
					v = math.NaN()
				}
				r.values = append(r.values, v)
			}
			rays = append(rays, r)
		}
	} else {
		labels, place := d.places(x)
		axes = labels
		for range labels {
			formats = append(formats, d.format(y))
		}
		if len(d.dims) > 1 {
			by, err := d.dimension(d.Config.Encode.Series, 1)
			if err != nil {
				return err
			}
			if d.cutParts(x, by, len(labels), radarLines) {
				return nil
			}
			parts = d.splitBy(by, y, len(labels), place)
			for n, name := range parts.names {
				r := ray{name: name, key: parts.keys[n], values: parts.cells[n]}
				if len(columns) == 1 && columns[0] == by && r.key != "" {
					r.mark = Mark{r.key}.Word()
				}
				rays = append(rays, r)
			}
			d.noteCut(parts)
		} else {
			for _, m := range d.measures {
				r := ray{name: d.name(m), key: m.Name, values: nans(len(labels))}
				for row := range d.Result.Rows {
					if v, ok := number(m, row); ok {
						r.values[place(row)] = v
					}
				}
				rays = append(rays, r)
			}
		}
	}
	if len(axes) < 3 {
		return ErrConfig.With("A radar needs three axes or more, this one has %d. Choose bars instead.", len(axes))
	}
	if len(axes) > MaxAxes {
		d.out.Fit = Message{Key: "charts.fit.top", Args: []any{"Count", MaxAxes, "Field", d.name(x)}}
		return d.tooMuch(len(axes))
	}
	if len(rays) > radarLines {
		left := split{names: make([]string, radarLines), column: parts.column, cut: len(rays) - radarLines + parts.cut}
		if parts.folded || parts.cut < 0 {
			left.cut = -1 // "Other" is several
		}
		d.noteCut(left)
		rays = rays[:radarLines]
	}
	if len(rays) == 0 {
		d.out.State = Empty
		return nil
	}
	shared := len(d.dims) > 1 || len(d.measures) < 3
	switch {
	case len(d.dims) > 1:
	case shared:
		d.noteTop(x, len(axes))
	default:
		d.noteTop(x, len(rays))
	}
	largest, least := make([]float64, len(axes)), make([]float64, len(axes))
	for _, r := range rays {
		for i, v := range r.values {
			if !math.IsNaN(v) {
				largest[i], least[i] = max(largest[i], v), min(least[i], v)
			}
		}
	}
	if shared {
		for i := range largest {
			largest[0], least[0] = max(largest[0], largest[i]), min(least[0], least[i])
		}
	}
	var indicators []obj
	for i, name := range axes {
		top, low := largest[i], least[i]
		if shared {
			top, low = largest[0], least[0]
		}
		if top <= low {
			top = low + 1
		}
		step := NiceStep((top - low) / 4)
		indicators = append(indicators, obj{"name": name, "max": short(math.Ceil(top/step) * step), "min": short(math.Floor(low/step) * step)})
	}
	keys := make([]string, len(rays))
	for i, r := range rays {
		keys[i] = r.key
		if r.key == "" {
			keys[i] = "\x01other"
		}
	}
	colours := d.colours(keys)
	if len(rays) == 1 {
		colours = []string{d.hue()}
	}
	var data []obj
	marks := []string{}
	for i, r := range rays {
		faded := picked != nil && !picked[r.mark]
		line, area := obj{"color": cssVar(colours[i]), "width": 2}, obj{"color": cssVar(colours[i]), "opacity": 0.1}
		if faded {
			line["opacity"], area["opacity"] = fade, 0.03
		}
		values := make([]any, len(r.values))
		lines := make([]obj, len(r.values))
		for n, v := range r.values {
			values[n] = orNull(v)
			text := d.Locale.Full(v, formats[n])
			if math.IsNaN(v) {
				text = "—"
			}
			lines[n] = obj{"name": axes[n], "text": text}
		}
		data = append(data, obj{"name": r.name, "value": values, "symbol": "circle", "symbolSize": 5, "lineStyle": line, "areaStyle": area,
			"itemStyle": obj{"color": cssVar(colours[i])}, "head": r.name, "rows": lines, "mark": r.mark})
		if r.mark != "" {
			marks = append(marks, r.mark)
		}
		d.out.Count += len(values)
		if len(rays) > 1 {
			d.out.Legend = append(d.out.Legend, LegendItem{Name: r.name, Colour: colours[i], Shape: Solid, Mark: r.mark, Faded: faded})
		}
	}
	option := obj{
		"radar": obj{"indicator": indicators, "splitNumber": 4, "shape": "polygon",
			"axisName": obj{"color": cssVar("--df-ink-2"), "fontSize": 11, "overflow": "truncate"}, "axisNameGap": 8,
			"splitLine": obj{"lineStyle": obj{"color": cssVar("--df-grid")}}, "splitArea": obj{"show": false},
			"axisLine": obj{"lineStyle": obj{"color": cssVar("--df-grid")}}},
		"series": []obj{{"type": "radar", "name": d.name(y), "data": data}},
	}
	d.say("radar", "Count", len(axes), "Lines", len(rays), "By", d.name(x), "First", rays[0].name)
	df := obj{"tooltip": obj{"names": []string{d.name(y)}, "formats": []obj{}, "item": true}}
	if len(marks) > 0 {
		df["marks"] = obj{"by": "item", "values": marks}
	}
	return d.chart(option, df)
}

// drawCandlestick draws opening, highest, lowest and closing value by time. A
// rise is a hollow candle and a fall a full one, so colour is not all that
// tells them apart.
func drawCandlestick(d *drawing) error {
	x, err := d.dimension(d.Config.Encode.X, 0)
	if err != nil {
		return err
	}
	e := d.Config.Encode
	var four []*warehouse.ResultColumn
	for n, name := range []string{e.Open, e.Close, e.Low, e.High} {
		c, err := d.column(name)
		if err != nil {
			return err
		}
		// Without names the measures are open, high, low, close.
		if order := []int{0, 3, 2, 1}; c == nil && order[n] < len(d.measures) {
			c = d.measures[order[n]]
		}
		if c == nil {
			return ErrConfig.With("Candles need four measures: open, high, low and close.")
		}
		four = append(four, c)
	}
	labels, rows := d.categories(x)
	if len(rows) > MaxPlaces {
		return d.tooManyPlaces(x, len(rows))
	}
	data := make([]any, 0, len(rows))
	var heads, kept []string
	firstRow, lastRow := -1, -1
	for i, row := range rows {
		if row < 0 {
			continue // markets close: a day without trade has no place
		}
		values := make([]any, 0, 4)
		for _, c := range four {
			if v, ok := number(c, row); ok {
				values = append(values, short(v))
			}
		}
		if len(values) < 4 {
			continue
		}
		if firstRow < 0 {
			firstRow = row
		}
		lastRow = row
		data = append(data, values)
		heads, kept = append(heads, d.text(x, row)), append(kept, labels[i])
	}
	if len(data) == 0 {
		d.out.State = Empty
		return nil
	}
	rise, fall := "--c1", "--c2"
	switch d.settings(four[1]).Better {
	case "higher":
		rise, fall = "--df-pos", "--df-neg"
	case "lower":
		rise, fall = "--df-neg", "--df-pos"
	}
	option := d.barAxes(x, kept, d.valueAxis(four[1], true), true)
	option["series"] = []obj{{"type": "candlestick", "name": d.name(four[1]), "data": data, "barMaxWidth": 16,
		"itemStyle": obj{"color": cssVar("--color-base-100"), "color0": cssVar(fall), "borderColor": cssVar(rise), "borderColor0": cssVar(fall), "borderWidth": 1.25}}}
	d.out.Count = len(data)
	var fields []obj
	for _, n := range []int{0, 3, 2, 1} {
		fields = append(fields, obj{"name": d.name(four[n]), "at": n, "format": placed("full", d.format(four[n]))})
	}
	f := d.format(four[1])
	from, _ := number(four[0], firstRow)
	to, _ := number(four[1], lastRow)
	d.say("candlestick", "From", heads[0], "To", heads[len(heads)-1], "Open", d.Locale.KPI(from, f), "Close", d.Locale.KPI(to, f))
	if err := d.annotate(option, four[1], nil, kept, true); err != nil {
		return err
	}
	return d.chart(option, obj{"tooltip": obj{"heads": heads, "names": []string{d.name(four[1])}, "formats": []obj{placed("full", f)}, "fields": fields}})
}

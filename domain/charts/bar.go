package charts

import (
	"slices"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

type localeFormat = locale.Format

// cyclic are the dimensions whose every value has a place, data or not.
var cyclic = map[string][2]int{"weekday": {1, 7}, "hour_of_day": {0, 23}, "month_of_year": {1, 12}}

// categories are the labels along an axis with the row of each, -1 for one
// without data. Buckets of time and days of the week have no holes; all other
// dimensions keep the order of the query.
func (d *drawing) categories(x *warehouse.ResultColumn) (labels []string, rows []int) {
	if isTime(x) {
		s := d.series(x, nil)
		for i, t := range s.at {
			labels = append(labels, d.Locale.Bucket(t, bucketGrain(s.grain), len(s.at) > 60 && s.grain == "day"))
			rows = append(rows, s.rows[i])
		}
		return labels, rows
	}
	if ends, ok := cyclic[x.Grain]; ok {
		found := map[int64]int{}
		for i := range d.Result.Rows {
			if !x.IsNull(i) {
				found[x.Ints[i]] = i
			}
		}
		for n := ends[0]; n <= ends[1]; n++ {
			row, has := found[int64(n)]
			if !has {
				row = -1
			}
			labels = append(labels, d.cyclicText(x.Grain, n))
			rows = append(rows, row)
		}
		return labels, rows
	}
	for i := range d.Result.Rows {
		rows = append(rows, i)
	}
	if !d.Ranked {
		ordered(d, x, rows, func(row int) int { return row })
	}
	for _, i := range rows {
		text := d.text(x, i)
		if d.isOther(i) {
			text = d.Words.Other
		}
		labels = append(labels, text)
	}
	return labels, rows
}

func (d *drawing) cyclicText(grain string, n int) string {
	one := warehouse.ResultColumn{Type: warehouse.Integer, Grain: grain, Ints: []int64{int64(n)}}
	return d.text(&one, 0)
}

// drawBar draws one bar a category, lying by default; the value stands at its
// end. With a second dimension there is one bar for each of its values.
func drawBar(d *drawing) error {
	if len(d.dims) > 1 {
		how := d.Config.Encode.Stack
		if how == "" {
			how = stackNone
		}
		return d.parts(how, d.Config.Encode.Vertical)
	}
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
	labels, rows := d.categories(x)
	if len(rows) > MaxPlaces {
		return d.tooManyPlaces(x, len(rows))
	}
	vertical := d.Config.Encode.Vertical
	cut, heads := d.cutPlaces(x, labels)
	picked, f := d.picked(), d.format(y)
	data, marks := make([]any, len(rows)), make([]string, len(rows))
	widest, below := 0, false
	texts := make([]any, len(rows))
	for i, row := range rows {
		value := d.cell(y, row)
		style := obj{}
		missing := value == nil && !vertical
		if missing {
			value, texts[i] = 0, locale.Missing
		}
		if row >= 0 {
			marks[i] = d.mark(row, columns...)
			if d.isOther(row) {
				style["color"] = cssVar("--c-other")
			}
			if v, ok := number(y, row); ok {
				if colour := toneColour(d.toneOf(v), ""); colour != "" && !d.isOther(row) {
					style["color"] = cssVar(colour)
				}
				widest = max(widest, utf8.RuneCountInString(d.Locale.KPI(v, f)))
				if v < 0 {
					style["borderRadius"] = ends(vertical, true)
					below = true
				}
			}
		}
		if opacity := pale(picked != nil && !picked[marks[i]], cut != nil && cut[i]); opacity < 1 {
			style["opacity"] = opacity
		}
		data[i] = value
		if len(style) > 0 || missing {
			point := obj{"value": value, "itemStyle": style}
			if missing {
				point["label"] = obj{"formatter": locale.Missing}
			}
			data[i] = point
		}
	}
	bar := obj{"type": "bar", "name": d.name(y), "data": data, "barMaxWidth": 28,
		"itemStyle": obj{"color": cssVar(d.hue()), "borderRadius": ends(vertical, false)}}
	grid := obj{"left": 4, "right": 12, "top": 8, "bottom": 4, "outerBoundsMode": "same", "outerBoundsContain": "axisLabel"}
	category := obj{"type": "category", "data": labels}
	value := d.valueAxis(y, false)
	option := obj{"grid": grid, "series": []obj{bar}}
	narrow := obj{}
	if vertical {
		category["axisLabel"] = d.namesBelow(x, labels)
		option["xAxis"], option["yAxis"] = category, value
	} else {
		bar["label"] = obj{"show": true, "position": "right", "distance": 6, "fontSize": 11,
			"color": cssVar("--color-base-content"), "formatter": formatter("kpi", f)}
		bar["barMaxWidth"] = 12
		grid["right"] = 14 + 7*widest
		category["inverse"] = true
		category["axisLine"] = obj{"show": false}
		category["axisLabel"] = d.namesBeside(labels)
		category["axisLabel"].(obj)["interval"] = 0
		value["axisLabel"], value["splitLine"] = obj{"show": false}, obj{"show": false}
		if below {
			// Names stand at the edge; the values of bars that lead to the left stand
			// to the right of zero, where their rows are free.
			category["axisLine"] = obj{"show": false, "onZero": false}
		}
		option["yAxis"], option["xAxis"] = category, value
	}
	d.out.Count = len(data)
	d.sayCategories(x, y, cutRows(cut, rows)...)
	if err := d.annotate(option, y, nil, labels, vertical); err != nil {
		return err
	}
	tip := obj{"heads": heads, "names": []string{d.name(y)}, "formats": []obj{placed("full", f)}}
	if slices.Contains(texts, any(locale.Missing)) {
		tip["texts"] = [][]any{texts}
	}
	df := obj{
		"narrow":  narrow,
		"marks":   obj{"by": "data", "values": marks},
		"tooltip": tip,
	}
	if d.Brush && vertical && isTime(x) && len(columns) == 1 && columns[0] == x {
		df["brush"] = obj{"grain": x.Grain}
	}
	return d.chart(option, df)
}

// pale is the opacity of a mark: whether something else is selected, and whether
// the date range cuts its bucket.
func pale(faded, cut bool) float64 {
	opacity := 1.0
	if faded {
		opacity *= fade
	}
	if cut {
		opacity *= cutFade
	}
	return round(opacity, 3)
}

// cutRows are the rows of buckets that hold less than others do.
func cutRows(cut []bool, rows []int) (list []int) {
	for i, row := range rows {
		if cut != nil && cut[i] && row >= 0 {
			list = append(list, row)
		}
	}
	return list
}

// sayCategories describes a chart of categories: how many, the largest, the least
// of those that are not cut.
func (d *drawing) sayCategories(x, y *warehouse.ResultColumn, cut ...int) {
	low, high, shown, all := d.lowHigh(y, cut...)
	if low < 0 {
		d.say("bars_empty")
		return
	}
	f := d.format(y)
	highest, _ := number(y, high)
	lowest, _ := number(y, low)
	d.noteTop(x, shown)
	form := ofShown("bars", all)
	if shown > 1 {
		form += level(d.Locale.KPI(highest, f) == d.Locale.KPI(lowest, f), shown, shown-len(cut))
	}
	d.say(form, "Measure", d.name(y), "By", d.name(x), "Count", shown,
		"High", d.Locale.KPI(highest, f), "HighAt", d.text(x, high),
		"Low", d.Locale.KPI(lowest, f), "LowAt", d.text(x, low))
}

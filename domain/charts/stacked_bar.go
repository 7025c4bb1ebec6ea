package charts

import (
	"math"
	"sort"
	"time"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Ways that the parts of bars stand.
const (
	stackNormal  = "normal"
	stackPercent = "percent"
	stackNone    = "none"
)

// drawStackedBar draws bars whose parts add up, by time or category; parts
// beyond the seventh are folded into "Other".
func drawStackedBar(d *drawing) error {
	how := d.Config.Encode.Stack
	if how == "" {
		how = stackNormal
	}
	return d.parts(how, !d.Config.Encode.Horizontal)
}

// parts draws a measure cut by a second dimension: on one another, as shares
// of the whole, or side by side.
func (d *drawing) parts(how string, vertical bool) error {
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
	switch {
	case how == stackPercent:
		if !d.whole(y, d.labels(by, x)) {
			return nil
		}
	case how == stackNormal && !d.settings(y).Additive:
		// On one another they would stand for a sum that there is not.
		how = stackNone
		d.out.Note = Message{Key: "charts.note.beside", Args: []any{"Measure", d.name(y)}}
	}
	labels, place := d.places(x)
	if d.fold(x, y, &labels, &place) {
		return nil
	}
	if d.cutParts(x, by, len(labels), MaxSeries) {
		return nil
	}
	cut, heads := d.cutPlaces(x, labels)
	parts := d.splitBy(by, y, len(labels), place)
	if points := len(labels) * len(parts.names); points > MaxPoints || len(labels) > MaxPlaces {
		return d.tooManyPlaces(x, len(labels))
	}
	f := d.format(y)
	var texts [][]string
	if how == stackPercent {
		texts = d.shares(parts, f)
		f = localeFormat{Style: locale.Percent}
	}
	// Only the outer end is round: that of the last part on its side of zero.
	outer := map[[2]int]bool{}
	for i := range labels {
		top, bottom := -1, -1
		for n := range parts.cells {
			switch v := parts.cells[n][i]; {
			case v > 0:
				top = n
			case v < 0:
				bottom = n
			}
		}
		outer[[2]int{top, i}], outer[[2]int{bottom, i}] = true, true
	}
	byPart := len(columns) == 1 && columns[0] == by
	picked := d.picked()
	marks := make([]string, len(parts.names))
	names, formats, list := []string{}, []obj{}, []obj{}
	for n, colour := range d.colours(parts.keys) {
		style := obj{"color": cssVar(colour), "borderRadius": 0}
		if how != stackNone && (d.Size.W == 0 || len(labels) <= barsAColumn*d.Size.W) {
			style["borderColor"], style["borderWidth"] = cssVar("--color-base-100"), 0.75
		}
		if byPart && parts.keys[n] != "" {
			marks[n] = Mark{parts.keys[n]}.Word()
		}
		faded := picked != nil && !picked[marks[n]]
		if faded {
			style["opacity"] = fade
		}
		data := make([]any, len(labels))
		for i, v := range parts.cells[n] {
			own := obj{}
			if how == stackNone || outer[[2]int{n, i}] {
				own["borderRadius"] = ends(vertical, v < 0)
			}
			if cut != nil && cut[i] {
				own["opacity"] = pale(faded, true)
			}
			data[i] = orNull(v)
			if len(own) > 0 {
				data[i] = obj{"value": orNull(v), "itemStyle": own}
			}
		}
		d.out.Count += len(data)
		bar := obj{"type": "bar", "name": parts.names[n], "data": data, "itemStyle": style, "barMaxWidth": 28}
		if how != stackNone {
			bar["stack"] = "all"
		} else {
			bar["barGap"], bar["barMaxWidth"] = "12%", 18
		}
		list = append(list, bar)
		names, formats = append(names, parts.names[n]), append(formats, placed("full", f))
		d.out.Legend = append(d.out.Legend, LegendItem{Name: parts.names[n], Colour: colour, Shape: Square, Mark: marks[n], Faded: faded})
	}
	d.noteCut(parts)
	d.noteLimit(x)
	value := d.valueAxis(y, false)
	if how == stackPercent {
		value["axisLabel"] = obj{"showMinLabel": true, "formatter": formatter("axis", f)}
		value["max"], value["interval"] = 1, 0.25
	}
	option := d.barAxes(x, labels, value, vertical)
	option["series"] = list
	tip := obj{"heads": heads, "names": names, "formats": formats}
	if texts != nil {
		tip["texts"] = texts
	}
	df := obj{"tooltip": tip}
	if byPart {
		df["marks"] = obj{"by": "series", "values": marks}
	}
	if err := d.annotate(option, y, nil, labels, vertical); err != nil {
		return err
	}
	d.say("stack", "Measure", d.name(y), "By", d.name(x), "Count", len(parts.names), "Largest", first(parts.names))
	return d.chart(option, df)
}

// barsAColumn is how many bars a column of the grid has at most for a gap between
// their parts to leave something of them.
const barsAColumn = 12

// mostNames is how many names of categories all stand under an axis, turned or
// on several lines where it takes that; of more, some are left out.
const mostNames = 15

// namesBelow says how the labels of an axis of categories stand. The browser, which
// knows the width, lets those with "fit" stand so that none is left out. Of
// moments some are enough, of hours every second.
func (d *drawing) namesBelow(x *warehouse.ResultColumn, labels []string) obj {
	switch {
	case len(labels) > mostNames, x != nil && isTime(x):
		return obj{"hideOverlap": true}
	case x != nil && x.Grain == "hour_of_day":
		return obj{"hideOverlap": true, "interval": 1}
	}
	return obj{"fit": true, "hideOverlap": false, "interval": 0}
}

// namesBeside is namesBelow for an axis at the left.
func (d *drawing) namesBeside(labels []string) obj {
	label := obj{"width": min(150, max(64, d.Size.pixels()*2/5)), "overflow": "truncate"}
	if len(labels) <= 20 {
		label["interval"] = 0
	}
	return label
}

// barAxes are grid and axes of bars that stand or lie, over the values of x.
func (d *drawing) barAxes(x *warehouse.ResultColumn, labels []string, value obj, vertical bool) obj {
	grid := obj{"left": 4, "right": 8, "top": 12, "bottom": 4, "outerBoundsMode": "same", "outerBoundsContain": "axisLabel"}
	category := obj{"type": "category", "data": labels, "axisLabel": d.namesBelow(x, labels)}
	if vertical {
		return obj{"grid": grid, "xAxis": category, "yAxis": value}
	}
	grid["right"] = 16
	if label, ok := value["axisLabel"].(obj); ok {
		label["hideOverlap"] = true
	}
	category["inverse"] = true
	category["axisLine"] = obj{"show": false}
	category["axisLabel"] = d.namesBeside(labels)
	return obj{"grid": grid, "yAxis": category, "xAxis": value}
}

// ends rounds the outer end of a bar: that away from zero.
func ends(vertical, negative bool) []int {
	switch {
	case vertical && negative:
		return []int{0, 0, 3, 3}
	case vertical:
		return []int{3, 3, 0, 0}
	case negative:
		return []int{3, 0, 0, 3}
	}
	return []int{0, 3, 3, 0}
}

// shares turns the parts of each place into shares of their sum, and answers
// what the tooltip says of each: share and value.
func (d *drawing) shares(parts split, f localeFormat) [][]string {
	texts := make([][]string, len(parts.cells))
	for n := range parts.cells {
		texts[n] = make([]string, len(parts.cells[n]))
	}
	if len(parts.cells) == 0 {
		return texts
	}
	for i := range parts.cells[0] {
		total := 0.0
		for n := range parts.cells {
			if v := parts.cells[n][i]; v > 0 {
				total += v
			}
		}
		for n := range parts.cells {
			v := parts.cells[n][i]
			if math.IsNaN(v) || total == 0 {
				parts.cells[n][i] = math.NaN()
				continue
			}
			v = max(v, 0) // as of noise
			parts.cells[n][i] = v / total
			texts[n][i] = d.Locale.KPI(v/total, localeFormat{Style: locale.Percent}) + " · " + d.Locale.Full(v, f)
		}
	}
	return texts
}

// noteCut says that series were left out because they do not add up to "Other".
func (d *drawing) noteCut(parts split) {
	switch {
	case parts.cut > 0:
		d.out.Note = Message{Key: "charts.note.cut", Args: []any{"Shown", len(parts.names), "Count", parts.cut}}
	case parts.cut < 0:
		d.out.Note = Message{Key: "charts.note.top", Args: []any{"Shown", d.Locale.Integer(int64(len(parts.names))), "Field", d.name(parts.column)}}
	}
}

// cutParts leaves a drawing that says that there are too many parts, where some of
// the answer is missing: it would be those of later places.
func (d *drawing) cutParts(x, by *warehouse.ResultColumn, places, most int) (refused bool) {
	if !d.cut() {
		return false
	}
	if places > MaxPlaces {
		_ = d.tooManyPlaces(x, places)
		return true
	}
	d.out.Fit = Message{Key: "charts.fit.top", Args: []any{"Count", most, "Field", d.name(by)}}
	_ = d.tooMuch(d.Result.Rows)
	return true
}

// noteLimit says that the limit that the author has set leaves parts out: those of
// later places, whatever their size.
func (d *drawing) noteLimit(x *warehouse.ResultColumn) {
	if d.Result.More && d.Limited && isTime(x) {
		d.out.Note = Message{Key: "charts.note.limit", Args: []any{"Shown", d.Locale.Integer(int64(d.Result.Rows)), "Field", d.name(x)}}
	}
}

// fold keeps the largest categories of an axis without an order of its own and
// adds the others up as "Other". Where the measure does not add up the drawing
// is too much, and fold answers true.
func (d *drawing) fold(x, y *warehouse.ResultColumn, labels *[]string, place *func(row int) int) (refused bool) {
	if isTime(x) || x.Grain != "" || d.binned(x) || len(*labels) <= MaxBars && !d.Result.More {
		return false
	}
	if !d.settings(y).Additive || d.Result.More {
		_ = d.tooManyPlaces(x, len(*labels))
		return true
	}
	totals := make([]float64, len(*labels))
	for row := range d.Result.Rows {
		if v, ok := number(y, row); ok {
			totals[(*place)(row)] += math.Abs(v)
		}
	}
	order := make([]int, len(totals))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return totals[order[i]] > totals[order[j]] })
	keep := map[int]bool{}
	for _, i := range order[:topBars] {
		keep[i] = true
	}
	var kept []string
	at := make([]int, len(totals))
	for i, label := range *labels {
		at[i] = topBars
		if keep[i] {
			at[i] = len(kept)
			kept = append(kept, label)
		}
	}
	before := *place
	*labels, *place = append(kept, d.Words.Other), func(row int) int {
		if i := before(row); i >= 0 {
			return at[i]
		}
		return -1
	}
	return false
}

// topBars is how many categories stay where the rest is folded into "Other".
const topBars = 20

// tooManyPlaces leaves a drawing that says what would fit: a coarser grain, or
// the largest categories.
func (d *drawing) tooManyPlaces(x *warehouse.ResultColumn, places int) error {
	if rank := grainRank(x.Grain); isTime(x) && rank >= 0 {
		most := MaxPlaces
		if d.Config.Type.IsLine() {
			most = MaxPoints
		}
		d.out.FitDays = fitDays(x.Grain, most)
		low, high := d.stretch(x)
		if d.Result.More && d.Newest.After(high) {
			high = d.Newest // of what the answer has no more room for
		}
		for _, grain := range grainOrder[rank+1:] {
			if low.IsZero() || buckets(low, high, grain) <= most {
				d.out.Fit = Message{Key: "charts.fit.grain", Args: []any{"Grain", grain}}
				break
			}
		}
	} else if d.binned(x) {
		d.out.Fit = Message{Key: "charts.fit.bin", Args: []any{"Field", d.name(x)}}
	} else {
		d.out.Fit = Message{Key: "charts.fit.top", Args: []any{"Count", topBars, "Field", d.name(x)}}
	}
	return d.tooMuch(places)
}

// fitDays is how many whole days have at most so many buckets of a grain.
func fitDays(grain string, most int) int {
	day := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	if !finer(grain, "day") {
		return most
	}
	return most / buckets(day, next(day, "day", 1).Add(-time.Microsecond), grain)
}

// buckets counts the buckets of a grain, up to one more than MaxPoints.
func buckets(from, to time.Time, grain string) int {
	n := 0
	for t := floor(from, grain); !t.After(to) && n <= MaxPoints; t = next(t, grain, 1) {
		n++
	}
	return n
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
	var firsts []int
	for row := range d.Result.Rows {
		k := d.placeKey(x, row)
		if _, ok := index[k]; !ok {
			index[k] = 0
			firsts = append(firsts, row)
		}
	}
	if !d.Ranked {
		ordered(d, x, firsts, func(row int) int { return row })
	}
	for i, row := range firsts {
		index[d.placeKey(x, row)] = i
		labels = append(labels, d.label(x, row))
	}
	return labels, func(row int) int { return index[d.placeKey(x, row)] }
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

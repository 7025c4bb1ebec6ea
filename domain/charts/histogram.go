package charts

import (
	"math"
	"sort"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

const (
	histogramBins = 40  // beyond this the thin ends are folded together
	autoBins      = 30  // about how many are made of plain values
	foldedShare   = 0.5 // per cent of the whole that an end may hold
)

// drawHistogram draws how often the values of a number fall into bins of equal
// width. Without a width in the query one is chosen. Long thin ends are folded
// into a first and a last bin, which say so.
func drawHistogram(d *drawing) error {
	x, err := d.dimension(d.Config.Encode.X, 0)
	if err != nil {
		return err
	}
	y, err := d.value()
	if err != nil {
		return err
	}
	if isTime(x) || x.Type == warehouse.Text || x.Type == warehouse.Boolean {
		return ErrConfig.With("A histogram needs a number; %s is none. Choose bars instead.", d.name(x))
	}
	if d.Result.More {
		d.out.Fit = Message{Key: "charts.fit.bin", Args: []any{"Field", d.name(x)}}
		return d.tooMuch(d.Result.Rows)
	}
	width := d.Bins[x.Name]
	binned := width > 0
	counts := map[int]float64{}
	var at []float64
	for row := range d.Result.Rows {
		if v, ok := number(x, row); ok {
			at = append(at, v)
		}
	}
	if len(at) == 0 {
		d.out.State = Empty
		return nil
	}
	sort.Float64s(at)
	if !binned {
		if !d.settings(y).Additive {
			return ErrConfig.With("Without a width of its bins a histogram needs a count or a sum.")
		}
		width = NiceStep(d.middle(x, y) / autoBins)
		if x.Type == warehouse.Integer {
			width = math.Max(1, math.Round(width))
		}
	}
	rowOf := map[int]int{}
	for row := range d.Result.Rows {
		v, ok := number(x, row)
		n, counted := number(y, row)
		if !ok || !counted {
			continue
		}
		bin := int(math.Floor(v/width + 1e-9))
		counts[bin] += n
		rowOf[bin] = row
	}
	low, high := int(math.Floor(at[0]/width+1e-9)), int(math.Floor(at[len(at)-1]/width+1e-9))
	from, to := foldEnds(counts, low, high)
	if to-from+1 > MaxPlaces {
		d.out.Fit = Message{Key: "charts.fit.bin", Args: []any{"Field", d.name(x)}}
		return d.tooMuch(to - from + 1)
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	f, picked := d.format(x), d.picked()
	plain := f
	plain.Unit = ""
	edge := func(bin int, with localeFormat) string { return d.Locale.Axis(short(float64(bin)*width), with) }
	var labels, heads, marks []string
	var data []any
	most := from
	for bin := from; bin <= to; bin++ {
		value, mark, label, head := counts[bin], "", edge(bin, plain), edge(bin, plain)+" – "+edge(bin+1, f)
		switch {
		case bin == from && from > low:
			value, label = between(counts, low, from), "< "+edge(bin+1, plain)
			head = "< " + edge(bin+1, f)
		case bin == to && to < high:
			value, label = between(counts, to, high), "≥ "+label
			head = "≥ " + edge(bin, f)
		case binned:
			if row, ok := rowOf[bin]; ok {
				mark = d.mark(row, columns...)
			}
		}
		if value > counts[most] {
			most = bin
		}
		labels, heads, marks = append(labels, label), append(heads, head), append(marks, mark)
		point := any(short(value))
		if _, there := counts[bin]; !there && !d.fills(y) {
			point = nil
		}
		if picked != nil && !picked[mark] {
			point = obj{"value": point, "itemStyle": obj{"opacity": fade}}
		}
		data = append(data, point)
	}
	option := d.barAxes(x, labels, d.valueAxis(y, false), true)
	option["series"] = []obj{{"type": "bar", "name": d.name(y), "data": data, "barMaxWidth": nil, "barCategoryGap": 1,
		"itemStyle": obj{"color": cssVar(d.hue()), "borderRadius": []int{2, 2, 0, 0}}}}
	d.out.Count = len(data)
	d.say("histogram", "Measure", d.name(y), "Field", d.name(x), "From", edge(low, f), "To", edge(high+1, f),
		"Most", heads[most-from])
	tip := obj{"heads": heads, "names": []string{d.name(y)}, "formats": []obj{placed("full", d.format(y))}}
	df := obj{"tooltip": tip}
	if binned {
		df["marks"] = obj{"by": "data", "values": marks}
	}
	return d.chart(option, df)
}

// middle is how far apart the ends of the middle 98 per cent lie.
func (d *drawing) middle(x, y *warehouse.ResultColumn) float64 {
	type value struct{ at, n float64 }
	var list []value
	total := 0.0
	for row := range d.Result.Rows {
		at, ok := number(x, row)
		n, counted := number(y, row)
		if ok && counted && n > 0 {
			list, total = append(list, value{at, n}), total+n
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].at < list[j].at })
	sum, low, high := 0.0, math.NaN(), 0.0
	for _, v := range list {
		sum += v.n
		if math.IsNaN(low) && sum >= total*0.01 {
			low = v.at
		}
		if high = v.at; sum >= total*0.99 {
			break
		}
	}
	return high - low
}

func between(counts map[int]float64, from, to int) float64 {
	sum := 0.0
	for bin := from; bin <= to; bin++ {
		sum += counts[bin]
	}
	return sum
}

// foldEnds narrows the bins to those that hold all but a thin end on either
// side, where there are many.
func foldEnds(counts map[int]float64, low, high int) (from, to int) {
	if high-low < histogramBins {
		return low, high
	}
	total := between(counts, low, high)
	end := func(step, start, stop int) int {
		sum := 0.0
		for bin := start; bin != stop; bin += step {
			sum += counts[bin]
			if sum > total*foldedShare/100 {
				return bin
			}
		}
		return stop
	}
	from, to = end(1, low, high), end(-1, high, low)
	if from > to {
		return low, high
	}
	return from, to
}

// NiceStep is the step of 1, 2, 2.5 or 5 times a power of ten above v.
func NiceStep(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 2.5, 5} {
		if n*power >= v*0.999 {
			return n * power
		}
	}
	return 10 * power
}

var percent = localeFormat{Style: locale.Percent}

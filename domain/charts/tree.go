package charts

import (
	"math"
	"sort"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/warehouse"
)

// node is one value of a dimension within the values of those before it.
type node struct {
	name, key string
	mark      string
	colour    string
	value     float64
	depth     int // from 0
	other     bool
	children  []*node
}

const (
	treeLeaves   = 40 // of one parent; smaller ones are "Other"
	sunburstTurn = 12 // slices of one parent in a ring
)

// tree nests the rows of the result by its dimensions, largest first. What lies
// beyond most children of a parent is folded into "Other".
func (d *drawing) tree(y *warehouse.ResultColumn, most int) (roots []*node, total float64) {
	columns, err := d.selects()
	if err != nil {
		columns = nil
	}
	whole := &node{depth: -1}
	index := map[*node]map[string]*node{}
	for row := range d.Result.Rows {
		v, ok := number(y, row)
		if !ok || v <= 0 {
			continue
		}
		total += v
		at := whole
		for depth, c := range d.dims {
			key := d.key(c, row)
			other := d.isOther(row) && c.IsNull(row)
			if other {
				key = ""
			}
			if index[at] == nil {
				index[at] = map[string]*node{}
			}
			child := index[at][key]
			if child == nil {
				// A click within a value selects the value.
				child = &node{name: d.text(c, row), key: key, depth: depth, other: other, mark: at.mark}
				if other {
					child.name = d.Words.Other
				}
				if len(columns) == 1 && columns[0] == c && !other {
					child.mark = Mark{key}.Word()
				}
				index[at][key] = child
				at.children = append(at.children, child)
			}
			child.value += v
			at = child
		}
	}
	var settle func(n *node)
	settle = func(n *node) {
		sort.SliceStable(n.children, func(i, j int) bool {
			a, b := n.children[i], n.children[j]
			if a.other != b.other {
				return b.other
			}
			return a.value > b.value
		})
		if len(n.children) > most {
			rest := &node{name: d.Words.Other, depth: n.depth + 1, other: true, mark: n.mark}
			for _, c := range n.children[most-1:] {
				rest.value += c.value
			}
			n.children = append(n.children[:most-1:most-1], rest)
		}
		for _, c := range n.children {
			settle(c)
		}
	}
	settle(whole)
	keys := make([]string, len(whole.children))
	for i, c := range whole.children {
		keys[i] = c.key
		if c.other {
			keys[i] = ""
		}
	}
	for i, colour := range d.colours(keys) {
		paint(whole.children[i], colour)
	}
	return whole.children, total
}

func paint(n *node, colour string) {
	n.colour = colour
	for _, c := range n.children {
		paint(c, colour)
	}
}

// wholeTree is the tree of all rows with the column of its sizes. Where there
// is nothing that can be drawn the total is 0 and the drawing says so.
func (d *drawing) wholeTree(most int) (y *warehouse.ResultColumn, roots []*node, total float64, err error) {
	if y, err = d.value(); err != nil {
		return nil, nil, 0, err
	}
	if d.Result.More {
		d.out.Fit = Message{Key: "charts.fit.top", Args: []any{"Count", topBars, "Field", d.name(d.dims[0])}}
		return y, nil, 0, d.tooMuch(d.Result.Rows)
	}
	if !d.whole(y, d.labels(d.dims...)) {
		return y, nil, 0, nil
	}
	roots, total = d.tree(y, most)
	return y, roots, total, nil
}

// drawTreemap draws parts of a whole as areas, by one dimension or nested in two.
func drawTreemap(d *drawing) error {
	y, roots, total, err := d.wholeTree(treeLeaves)
	if err != nil || total == 0 {
		return err
	}
	f, picked := d.format(y), d.picked()
	nested := len(d.dims) > 1
	var build func(list []*node, above string) []obj
	build = func(list []*node, above string) []obj {
		var out []obj
		for _, n := range list {
			o, fill := d.treeNode(n, total, above, f, picked)
			o["values"] = d.valueTexts(n.value, f)
			if !nested {
				// One level needs no colours: the area says it all.
				fill["color"] = cssVar(d.hue())
				if n.other {
					fill["color"] = cssVar("--c-other")
				}
			}
			if len(n.children) > 0 {
				o["children"] = build(n.children, n.name+" › ")
			}
			d.out.Count++
			out = append(out, o)
		}
		return out
	}
	data := build(roots, "")
	if nested {
		for _, n := range roots {
			d.out.Legend = append(d.out.Legend, LegendItem{Name: n.name, Colour: n.colour, Shape: Square, Mark: n.mark,
				Faded: picked != nil && !picked[n.mark]})
		}
		d.shortLegend()
	}
	// What stands on a tile is chosen by its size, which only the browser knows.
	label := obj{"show": true, "color": cssVar("--color-base-100"), "fontSize": 11.5, "fontWeight": 550, "lineHeight": 15,
		"padding": []int{3, 5, 3, 5}, "overflow": "none", "position": "insideTopLeft", "formatter": obj{"$format": obj{"field": "face"}}}
	series := obj{"type": "treemap", "name": d.name(y), "data": data, "roam": false, "nodeClick": false, "breadcrumb": obj{"show": false},
		"left": 0, "right": 0, "top": 0, "bottom": 0, "sort": false, "visibleMin": 60, "childrenVisibleMin": 60, "label": label,
		"itemStyle":  obj{"borderColor": cssVar("--color-base-100"), "borderWidth": 0, "gapWidth": 2, "borderRadius": 2},
		"upperLabel": obj{"show": false},
		"levels":     []obj{{"itemStyle": obj{"gapWidth": 3, "borderWidth": 0, "borderColor": cssVar("--color-base-100")}}, {"itemStyle": obj{"gapWidth": 1, "borderColor": cssVar("--color-base-100")}}}}
	d.sayTree(y, roots, total)
	return d.chart(obj{"series": []obj{series}}, d.treeExtras(y, roots))
}

// drawSunburst draws parts of a whole in rings, the outer within the inner.
func drawSunburst(d *drawing) error {
	y, roots, total, err := d.wholeTree(sunburstTurn)
	if err != nil || total == 0 {
		return err
	}
	f, picked := d.format(y), d.picked()
	var build func(list []*node, above string) []obj
	build = func(list []*node, above string) []obj {
		var out []obj
		for _, n := range list {
			o, fill := d.treeNode(n, total, above, f, picked)
			if n.depth > 0 && fill["opacity"] == nil {
				fill["opacity"] = math.Max(0.2, 0.45-0.17*float64(n.depth-1))
			}
			if len(n.children) > 0 {
				o["children"] = build(n.children, n.name+" › ")
			}
			d.out.Count++
			out = append(out, o)
		}
		return out
	}
	data := build(roots, "")
	for _, n := range roots {
		d.out.Legend = append(d.out.Legend, LegendItem{Name: n.name, Colour: n.colour, Shape: Square, Text: d.Locale.KPI(n.value/total, percent),
			Mark: n.mark, Faded: picked != nil && !picked[n.mark]})
	}
	d.shortLegend()
	d.out.Ring = &Ring{Total: d.Locale.KPI(total, f), Of: d.name(y)}
	levels := []obj{{}}
	inner, outer := 34.0, 96.0
	step := (outer - inner) / float64(len(d.dims))
	for n := range d.dims {
		from := inner + step*float64(n)
		level := obj{"r0": perCent(from), "r": perCent(from + step), "label": obj{"rotate": "tangential", "color": cssVar("--color-base-100"), "fontWeight": 550}}
		if n > 0 {
			level["label"] = obj{"rotate": "radial", "align": "center", "color": cssVar("--color-base-content")}
		}
		levels = append(levels, level)
	}
	series := obj{"type": "sunburst", "name": d.name(y), "data": data, "nodeClick": false, "sort": nil, "startAngle": 90, "levels": levels,
		"itemStyle": obj{"borderColor": cssVar("--color-base-100"), "borderWidth": 1.5, "borderRadius": 2},
		"label":     obj{"show": true, "fontSize": 10.5, "color": cssVar("--color-base-content"), "formatter": obj{"$format": obj{"field": "face"}}},
		"emphasis":  obj{"focus": "ancestor"}}
	d.sayTree(y, roots, total)
	return d.chart(obj{"series": []obj{series}}, d.treeExtras(y, roots))
}

// treeNode is a node as ECharts takes it; fill is its style, to be changed.
func (d *drawing) treeNode(n *node, total float64, above string, f localeFormat, picked map[string]bool) (o, fill obj) {
	fill = obj{"color": cssVar(n.colour)}
	if picked != nil && n.mark != "" && !picked[n.mark] {
		fill["opacity"] = fade
	}
	text := d.Locale.Full(n.value, f) + " · " + d.Locale.KPI(n.value/total, percent)
	return obj{"name": n.name, "value": short(n.value), "itemStyle": fill, "mark": n.mark, "head": above + n.name, "text": text}, fill
}

// valueTexts are the ways to write a value on little room, the longest first.
func (d *drawing) valueTexts(v float64, f localeFormat) []string {
	texts := []string{d.Locale.KPI(v, f)}
	if v != 0 {
		step := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-1)
		rough := d.Locale.Axis(short(math.Round(v/step)*step), f)
		if utf8.RuneCountInString(rough) < utf8.RuneCountInString(texts[0]) {
			texts = append(texts, rough)
		}
	}
	return texts
}

// shortLegend keeps the items that have a colour of their own.
func (d *drawing) shortLegend() {
	var kept []LegendItem
	grey := false
	for _, l := range d.out.Legend {
		if l.Colour != "--c-other" {
			kept = append(kept, l)
			continue
		}
		grey = true
	}
	if grey {
		kept = append(kept, LegendItem{Name: d.Words.Other, Colour: "--c-other", Shape: Square})
	}
	d.out.Legend = kept
}

func (d *drawing) treeExtras(y *warehouse.ResultColumn, roots []*node) obj {
	df := obj{"tooltip": obj{"names": []string{d.name(y)}, "formats": []obj{placed("full", d.format(y))}, "item": true}}
	marks := []string{}
	var walk func(list []*node)
	walk = func(list []*node) {
		for _, n := range list {
			if n.mark != "" {
				marks = append(marks, n.mark)
			}
			walk(n.children)
		}
	}
	walk(roots)
	if len(marks) > 0 {
		df["marks"] = obj{"by": "item", "values": marks}
	}
	return df
}

func (d *drawing) sayTree(y *warehouse.ResultColumn, roots []*node, total float64) {
	d.say("donut", "Measure", d.name(y), "By", d.name(d.dims[0]), "Total", d.Locale.KPI(total, d.format(y)),
		"Largest", roots[0].name, "Share", d.Locale.KPI(roots[0].value/total, percent))
}

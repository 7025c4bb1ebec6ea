package views

import (
	"fmt"
	"strings"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
)

// Thumbnail is a picture of a dashboard out of its layout, 374 by 199: what
// stands where, not what it says. Colours are CSS variables, so it follows
// theme and brand.
func Thumbnail(c dashboards.Config) templ.Component {
	front := c.Front()
	return templ.Raw(thumbnail(front, min(gridRows(front), thumbRows), thumbH))
}

const thumbW, thumbH = 374.0, 199.0

// thumbRows is what a picture shows of a long dashboard: one and a half screens.
const thumbRows = 22

// gridRows is how many rows of the grid the widgets take up.
func gridRows(c dashboards.Config) int {
	rows := 1
	for _, w := range c.Widgets {
		rows = max(rows, w.Layout.Y+w.Layout.H)
	}
	return rows
}

// thumbnail draws the first rows of the widgets into a picture of that height;
// what lies below is left out, as by a window.
func thumbnail(c dashboards.Config, rows int, height float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="thumb" viewBox="0 0 %g %g" aria-hidden="true" focusable="false">`, thumbW, height)
	unit, row := thumbW/dashboards.GridColumns, height/float64(rows)
	for n, id := range c.Order() {
		w := c.Widgets[id]
		if w.Layout.Y >= rows {
			continue
		}
		box := thumbBox{x: float64(w.Layout.X)*unit + 2, y: float64(w.Layout.Y)*row + 2,
			w: float64(w.Layout.W)*unit - 4, h: float64(min(w.Layout.H, rows-w.Layout.Y))*row - 4}
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2.5" fill="var(--color-base-100)" stroke="var(--df-line)"/>`, box.x, box.y, box.w, box.h)
		box.inside(8).draw(&b, w, n)
	}
	b.WriteString(`</svg>`)
	return b.String()
}

type thumbBox struct{ x, y, w, h float64 }

func (t thumbBox) inside(pad float64) thumbBox {
	pad = min(pad, t.w/6, t.h/6)
	return thumbBox{t.x + pad, t.y + pad, max(t.w-2*pad, 1), max(t.h-2*pad, 1)}
}

// shape gives a widget a look that stays the same, without any data.
func shape(seed, i int) float64 {
	h := uint32(seed+1)*2654435761 + uint32(i+1)*40503
	h ^= h >> 13
	h *= 1274126177
	return float64((h>>8)%1000) / 1000
}

func (t thumbBox) draw(b *strings.Builder, w dashboards.Widget, seed int) {
	hue := w.Encode.Hue
	if len(hue) != 2 || hue[0] != 'c' || hue[1] < '1' || hue[1] > '7' {
		hue = "c1"
	}
	colour := "var(--" + hue + ")"
	switch w.Type {
	case charts.KPI:
		t.bar(b, 0, 0, min(t.w*0.4, 28), min(t.h*0.25, 4), "var(--df-line-strong)")
		t.bar(b, 0, t.h*0.5, min(t.w*0.6, 44), min(t.h*0.4, 9), "var(--df-ink-2)")
	case charts.Line, charts.Step, charts.Area, charts.Candlestick, charts.Sankey:
		t.line(b, seed+40, "var(--df-line-strong)", "")
		area := ""
		if w.Type == charts.Area {
			area = colour
		}
		t.line(b, seed, colour, area)
	case charts.Bar:
		if !w.Encode.Vertical {
			n := max(3, int(t.h/11))
			for i := range n {
				length := t.w * (1 - 0.75*float64(i)/float64(n))
				t.bar(b, 0, float64(i)*t.h/float64(n), length, min(t.h/float64(n)*0.5, 5), colour)
			}
			return
		}
		t.columns(b, seed, []string{colour})
	case charts.Combo, charts.Histogram, charts.Box, charts.Waterfall:
		t.columns(b, seed, []string{colour})
	case charts.StackedBar:
		t.columns(b, seed, []string{"var(--c1)", "var(--c2)", "var(--c3)"})
	case charts.Donut, charts.Sunburst, charts.Radar, charts.Gauge:
		t.ring(b)
	case charts.Heatmap, charts.Calendar, charts.Treemap:
		cols, rows := max(4, int(t.w/14)), max(3, int(t.h/14))
		for i := range cols {
			for j := range rows {
				fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1" fill="var(--c1)" opacity="%.2f"/>`,
					t.x+float64(i)*t.w/float64(cols), t.y+float64(j)*t.h/float64(rows), max(t.w/float64(cols)-1.5, 0.5), max(t.h/float64(rows)-1.5, 0.5), 0.15+0.75*shape(seed+j, i))
			}
		}
	case charts.Table, charts.Pivot, charts.WordList, charts.Funnel:
		n := max(3, int(t.h/10))
		for i := range n {
			t.bar(b, 0, float64(i)*t.h/float64(n), t.w*0.4, 3, "var(--df-line-strong)")
			t.bar(b, t.w*0.55, float64(i)*t.h/float64(n), t.w*0.4*(1-0.7*float64(i)/float64(n)), 3, colour)
		}
	case charts.Text:
		for i := range max(1, int(t.h/8)) {
			t.bar(b, 0, float64(i)*8, t.w*(0.6+0.4*shape(seed, i)), 2.5, "var(--df-line-strong)")
		}
	case charts.Control:
		t.bar(b, 0, 0, min(t.w*0.4, 28), min(t.h*0.25, 4), "var(--df-line-strong)")
		t.bar(b, 0, t.h*0.5, t.w, min(t.h*0.4, 9), "var(--color-base-300)")
	case charts.Divider:
		t.bar(b, 0, t.h/2, t.w, 1, "var(--df-line-strong)")
	case charts.Image:
		t.bar(b, 0, 0, t.w, t.h, "var(--color-base-300)")
	case charts.Scatter, charts.Bubble:
		for i := range 18 {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s" opacity=".7"/>`, t.x+t.w*(0.06+0.88*shape(seed, i)), t.y+t.h*(0.1+0.8*shape(seed+7, i)), 1.2+2*shape(seed+3, i), colour)
		}
	case charts.Map:
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2" fill="var(--map-water)"/>`, t.x, t.y, t.w, t.h)
		for i := range 14 {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s" opacity=".8"/>`, t.x+t.w*(0.06+0.88*shape(seed, i)), t.y+t.h*(0.12+0.76*shape(seed+7, i)), 1.2+2.4*shape(seed+3, i), colour)
		}
	}
}

func (t thumbBox) bar(b *strings.Builder, x, y, w, h float64, colour string) {
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f" fill="%s"/>`, t.x+x, t.y+y, max(w, 1), max(h, 1), min(h/2, 2), colour)
}

func (t thumbBox) line(b *strings.Builder, seed int, colour, area string) {
	n := max(6, int(t.w/18))
	var path strings.Builder
	for i := range n {
		command := "L"
		if i == 0 {
			command = "M"
		}
		y := 0.85 - 0.35*float64(i)/float64(n) - 0.4*shape(seed, i)
		fmt.Fprintf(&path, "%s%.1f %.1f", command, t.x+float64(i)*t.w/float64(n-1), t.y+t.h*y)
	}
	if area != "" {
		fmt.Fprintf(b, `<path d="%sL%.1f %.1fL%.1f %.1fZ" fill="%s" opacity=".14"/>`, path.String(), t.x+t.w, t.y+t.h, t.x, t.y+t.h, area)
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.75" stroke-linejoin="round"/>`, path.String(), colour)
}

func (t thumbBox) columns(b *strings.Builder, seed int, colours []string) {
	n := max(4, int(t.w/14))
	for i := range n {
		total := t.h * (0.35 + 0.6*shape(seed, i))
		y := t.h
		for part, colour := range colours {
			height := total / float64(len(colours))
			if len(colours) > 1 && part == 0 {
				height = total * 0.5
			} else if len(colours) > 1 {
				height = total * 0.25
			}
			y -= height
			fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1" fill="%s"/>`, t.x+float64(i)*t.w/float64(n), t.y+y, t.w/float64(n)-2.5, max(height-0.5, 0.5), colour)
		}
	}
}

func (t thumbBox) ring(b *strings.Builder) {
	r := max(min(t.w, t.h)/2-4, 1)
	if r < 3 {
		return
	}
	around := 2 * 3.14159265 * r
	offset := 0.0
	for i, share := range []float64{0.42, 0.24, 0.2, 0.14} {
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="none" stroke="var(--c%d)" stroke-width="%.1f" stroke-dasharray="%.1f %.1f" stroke-dashoffset="%.1f"/>`,
			t.x+t.w/2, t.y+t.h/2, r, i+1, r*0.36, around*share-1, around, -around*offset)
		offset += share
	}
}

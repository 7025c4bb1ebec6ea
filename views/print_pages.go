package views

import (
	"context"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/reports"
)

// Heights on paper in pixels, as print.css draws them; rather too much than too
// little, for a line that does not fit after all leaves a hole.
const (
	paperFoot   = 20 + 12 // millimetres above and below the content
	paperGap    = 12      // between lines
	paperFigure = 104
	paperSpare  = 16
	// Charts may become this low for the rest of a page, and this high to fill one.
	chartLeast = 190
	chartMost  = 400
)

// fill fits the heights of charts to pages: the next line of them becomes lower
// where it nearly fits, else those of the page grow, so that no page ends long
// before its foot. The last page is left as it is.
func fill(lines []printLine, head, page int) {
	used, first := head, 0
	for i := range lines {
		height := lines[i].tall() + paperGap
		switch left := page - used; {
		case height <= left:
			used += height
		case lines[i].kind == lineFlow:
			// Rows go on over the page, which is full then.
			used, first = (used+height)%page, i+1
		case lines[i].kind == lineCharts && left >= chartLeast+paperGap:
			lines[i].height = left - paperGap
			used, first = 0, i+1
		default:
			stretch(lines[first:i], left)
			used, first = height, i
		}
	}
}

// stretch gives the room that is left on a page to its charts.
func stretch(lines []printLine, left int) {
	var of []int
	for i := range lines {
		if lines[i].kind == lineCharts {
			of = append(of, i)
		}
	}
	for n, i := range of {
		more := min(left/(len(of)-n), max(0, chartMost-lines[i].height))
		lines[i].height += more
		left -= more
	}
}

// tall is how high a line is about.
func (l printLine) tall() int {
	switch l.kind {
	case lineFigures:
		return paperFigure
	case lineCharts:
		return l.height
	}
	t := l.tiles[0].tile
	switch {
	case t.Type == charts.Divider:
		return 24
	case t.Type == charts.Section:
		return 36
	case t.Drawing == nil:
		return 120
	case t.Drawing.Table != nil:
		row := 27
		switch density(t.Drawing.Table) {
		case "p-dense":
			row = 22
		case "p-denser":
			row = 16
		}
		return 44 + row*(len(t.Drawing.Table.Heads)+len(t.Drawing.Table.Rows)+1)
	case t.Drawing.Words != nil:
		return 200
	}
	return max(40, 40*t.Layout.H-12)
}

// filled fits lines to the pages of the paper.
func (p PrintProps) filled(ctx context.Context, lines []printLine) []printLine {
	if p.Sheet.Spec.Format == reports.PDF {
		_, height := p.Sheet.Spec.Size()
		fill(lines, p.headHeight(ctx), int((height-paperFoot)*96/25.4)-paperSpare)
	}
	return lines
}

// headHeight is how high what stands above the first line is about.
func (p PrintProps) headHeight(ctx context.Context) int {
	width := p.Sheet.Spec.ContentWidth()
	wrapped := func(text string, letter float64) int { return int(float64(len([]rune(text)))*letter)/width + 1 }
	height := 43 + 20 + 34*wrapped(p.view().Dashboard.Name, 15) + 18
	if scope := p.scope(ctx); scope != "" {
		height += 2 + 18*wrapped(scope, 6.5)
	}
	if p.failed() > 0 {
		height += 28
	}
	length := 0
	for _, sentence := range p.summary(ctx) {
		length += len([]rune(sentence)) + 1
	}
	if length > 0 {
		height += 18 + 22*(int(float64(length)*6.8)/(width-16)+1)
	}
	return height
}

package views

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/static"
	"github.com/dataflowhq/dataflow/views/messages"
)

// PrintProps is a dashboard on paper.
type PrintProps struct {
	Sheet *reports.Sheet
	Brand Brand
}

func (p PrintProps) view() *dashboards.View { return p.Sheet.View }
func (p PrintProps) locale() *locale.Locale { return p.Sheet.View.Locale() }

// picture tells that one widget alone is shown, as an image.
func (p PrintProps) picture() bool {
	return p.Sheet.Spec.Format != reports.PDF && len(p.Sheet.Spec.Widgets) == 1
}

func (p PrintProps) bodyClass() string {
	class := "sheet"
	if p.Sheet.Spec.Format != reports.PDF {
		class += " sheet-image"
	}
	if p.picture() {
		class += " sheet-widget"
	}
	return class
}

// PictureURL is a picture as an address that holds it; empty for none.
func PictureURL(contentType string, data []byte) string {
	if len(data) == 0 {
		return ""
	}
	return "data:" + contentType + ";base64," + base64.StdEncoding.EncodeToString(data)
}

// brand is the look of the portal whose visitor gets the sheet.
func (p PrintProps) brand() string {
	if p.Sheet.Portal == nil {
		return ""
	}
	return "<style>" + string(p.Sheet.Portal.Brand.CSS(static.URL)) + "</style>"
}

// style is what the sheet itself needs: its size, and what stands at the foot
// of every page.
func (p PrintProps) style(ctx context.Context) string {
	width, height := p.Sheet.Spec.Size()
	foot := `font:400 8pt/1.4 "Inter Paper",sans-serif;color:#5F6C7B;border-top:.75pt solid #E2E6EB;vertical-align:top;padding-top:7pt;`
	return fmt.Sprintf(`<style>@page{size:%gmm %gmm;margin:12mm 12mm 20mm;@bottom-left{content:%s;%stext-align:left;width:74%%}@bottom-right{content:%s;%stext-align:right;width:26%%}}.sheet{width:%dpx}</style>`,
		width, height, cssText(p.foot(ctx)), foot, p.pages(ctx), foot, p.Sheet.Spec.ContentWidth())
}

// pages is "Page n of m" in CSS.
func (p PrintProps) pages(ctx context.Context) string {
	text := messages.T(ctx, "print.page", "Page", "\x01", "Pages", "\x02")
	var parts []string
	for text != "" {
		i := strings.IndexAny(text, "\x01\x02")
		if i < 0 {
			parts = append(parts, cssText(text))
			break
		}
		if i > 0 {
			parts = append(parts, cssText(text[:i]))
		}
		parts = append(parts, map[byte]string{1: "counter(page)", 2: "counter(pages)"}[text[i]])
		text = text[i+1:]
	}
	return strings.Join(parts, " ")
}

// cssText is any text as a CSS string that can stand in a style element.
func cssText(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		if r < 0x80 && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(" .,:-", r)) {
			fmt.Fprintf(&b, `\%06x`, r)
			continue
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}

// foot says how fresh the data is and which version of it is shown.
func (p PrintProps) foot(ctx context.Context) string {
	v := p.view()
	var parts []string
	if !v.AsOf.IsZero() {
		parts = append(parts, messages.T(ctx, "print.as_of", "Time", p.locale().DateTimeZone(v.AsOf.In(v.Zone))))
	}
	var versions []string
	for id, name := range v.Datasets {
		if version, ok := v.Snapshot.Version(id); ok {
			versions = append(versions, messages.T(ctx, "print.version", "Dataset", clipText(name, 40), "Version", version))
		}
	}
	slices.Sort(versions)
	if len(versions) > 3 {
		versions = append(versions[:2], messages.T(ctx, "print.more_versions", "Count", len(versions)-2))
	}
	return strings.Join(append(parts, versions...), " · ")
}

func clipText(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// againstDays names the span compared with: by its length where it is the one before.
func againstDays(ctx context.Context, v *dashboards.View, l *locale.Locale) string {
	if v.Previous.To+1 == v.Days.From {
		return messages.T(ctx, "print.against_previous", "Count", v.Previous.Count())
	}
	return messages.T(ctx, "print.against_days", "Days", l.DateRange(v.Previous.From.Time(), v.Previous.To.Time()))
}

// upTo is where the span compared with is cut, as the key figures have it.
func (p PrintProps) upTo() string {
	for _, t := range p.Sheet.Tiles {
		if d := t.Drawing; d != nil && d.KPI != nil && d.KPI.UpTo != "" {
			return d.KPI.UpTo
		}
	}
	return ""
}

// scope says what is shown: dates, comparison, filters.
func (p PrintProps) scope(ctx context.Context) string {
	v := p.view()
	var parts []string
	if v.HasDates {
		text, _ := DashboardProps{View: v, Locale: p.locale()}.rangeText(ctx)
		switch {
		case v.Previous == nil:
		case v.Compare == dashboards.CompareYear:
			text += " " + messages.T(ctx, "print.against_year")
		default:
			text += " " + againstDays(ctx, v, p.locale())
		}
		if upTo := p.upTo(); upTo != "" && v.Previous != nil {
			text += ", " + upTo
		}
		parts = append(parts, text)
	}
	for _, c := range v.Controls {
		if len(c.Values) > 0 {
			parts = append(parts, c.Label+" "+printedValues(ctx, c.Values))
		} else if c.Summary != "" {
			parts = append(parts, c.Label+" "+c.Summary)
		}
	}
	locked := v.Locked()
	for _, column := range slices.Sorted(maps.Keys(locked)) {
		parts = append(parts, v.LockLabel(column)+" "+strings.Join(locked[column], ", "))
	}
	for _, x := range v.Cross {
		parts = append(parts, x.Field+" "+x.Text)
	}
	return strings.Join(parts, " · ")
}

// printedNames is how many values of a filter are named on paper.
const printedNames = 12

func printedValues(ctx context.Context, values []dashboards.PickView) string {
	var words []string
	for _, value := range values[:min(len(values), printedNames)] {
		words = append(words, value.Text)
	}
	text := strings.Join(words, ", ")
	if rest := len(values) - len(words); rest > 0 {
		text += " " + messages.T(ctx, "print.and_more", "Count", rest)
	}
	return text
}

// Limits of the summary.
const (
	summaryKPIs   = 5
	summaryCharts = 2
)

// summary is what the figures say, in sentences.
func (p PrintProps) summary(ctx context.Context) []string {
	var list []string
	kpis, drawings := 0, 0
	for _, t := range p.Sheet.Tiles {
		switch {
		case t.Err != nil || t.Drawing == nil:
		case t.Drawing.KPI != nil && kpis < summaryKPIs:
			if text := kpiSentence(ctx, t); text != "" {
				list = append(list, text)
				kpis++
			}
		case t.Drawing.Chart != nil && t.Drawing.State == charts.Ready && worded(t.Drawing.Say.Key) && drawings < summaryCharts:
			list = append(list, chartSentence(ctx, t.Drawing.Say))
			drawings++
		}
	}
	return list
}

// worded are the descriptions that read well within a text.
func worded(key string) bool {
	return strings.HasPrefix(key, "charts.say.line") && key != "charts.say.line_empty" || strings.HasPrefix(key, "charts.say.bars") && key != "charts.say.bars_empty"
}

// chartSentence is a description for the summary. Where the highest and the lowest
// value read alike, it names the value once.
func chartSentence(ctx context.Context, m charts.Message) string {
	args := map[string]any{}
	for i := 0; i+1 < len(m.Args); i += 2 {
		if name, ok := m.Args[i].(string); ok {
			args[name] = m.Args[i+1]
		}
	}
	key := map[string]string{"charts.say.bars": "print.same_bars", "charts.say.bars_cut": "print.same_bars_cut", "charts.say.line": "print.same_line"}[m.Key]
	if key == "" || args["High"] != args["Low"] || args["Count"] == 1 {
		return say(ctx, m)
	}
	return messages.T(ctx, key, m.Args...)
}

func kpiSentence(ctx context.Context, t *dashboards.Tile) string {
	k := t.Drawing.KPI
	key := "print.kpi_plain"
	switch {
	case k.Empty || t.Title == "":
		return ""
	case k.Delta == "":
	case k.Arrow > 0:
		key = "print.kpi_up"
	case k.Arrow < 0:
		key = "print.kpi_down"
	default:
		key = "print.kpi_same"
	}
	value := k.Text
	if k.ToDate != "" {
		value = k.SoFar + " " + k.ToDate
	}
	before := k.Against
	if k.UpTo != "" {
		before += " (" + k.UpTo + ")"
	}
	return messages.T(ctx, key, "Title", t.Title, "Value", value, "Delta", k.Delta, "Before", before)
}

// failed is how many widgets could not be shown.
func (p PrintProps) failed() int {
	n := 0
	for _, t := range p.Sheet.Tiles {
		if t.Err != nil && !t.IsForbidden() {
			n++
		}
	}
	return n
}

// The kinds of a line on paper.
const (
	lineFigures = "figures" // KPIs
	lineCharts  = "charts"
	lineFlow    = "flow" // as long as it is, over pages
)

// printLine is one row of widgets, 12 columns wide.
type printLine struct {
	kind   string
	height int // pixels; 0 as it comes
	tiles  []printPlace
}

type printPlace struct {
	tile *dashboards.Tile
	span int
}

func (l printLine) style() string {
	if l.height == 0 {
		return ""
	}
	return "height:" + strconv.Itoa(l.height) + "px"
}

func (c printPlace) style() string { return "grid-column:span " + strconv.Itoa(c.span) }

// lines lays the widgets out for the width of the paper, in reading order:
// figures side by side, charts as wide as they have to be, tables over the
// whole width and as many pages as they need.
func (p PrintProps) lines() []printLine {
	var lines []printLine
	tiles := p.Sheet.Tiles
	landscape := p.Sheet.Spec.Landscape
	for i := 0; i < len(tiles); {
		t := tiles[i]
		switch {
		case t.Type == charts.KPI:
			n := i
			for n < len(tiles) && tiles[n].Type == charts.KPI {
				n++
			}
			if n == i+1 && n < len(tiles) && isCanvas(tiles[n]) && tiles[n].Type != charts.Map {
				// A figure alone stands beside the chart that follows it.
				line := printLine{kind: lineCharts, tiles: []printPlace{{t, 4}, {tiles[n], 8}}}
				line.height = printHeight(tiles[n])
				lines = append(lines, line)
				i = n + 1
				continue
			}
			lines = append(lines, figureLines(tiles[i:n], landscape)...)
			i = n
		case t.Type == charts.Divider || t.Type == charts.Section || t.Type == charts.Text || t.Drawing != nil && t.Drawing.Table != nil || t.Drawing != nil && t.Drawing.Words != nil:
			lines = append(lines, printLine{kind: lineFlow, tiles: []printPlace{{t, 12}}})
			i++
		default:
			line := printLine{kind: lineCharts}
			left := 12
			for i < len(tiles) && isCanvas(tiles[i]) && printSpan(tiles[i], landscape) <= left {
				line.tiles = append(line.tiles, printPlace{tiles[i], printSpan(tiles[i], landscape)})
				left -= line.tiles[len(line.tiles)-1].span
				line.height = max(line.height, printHeight(tiles[i]))
				i++
			}
			for n := range line.tiles {
				share := left / (len(line.tiles) - n)
				line.tiles[n].span += share
				left -= share
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// printHeight is how high a chart wants to be on paper, in pixels.
func printHeight(t *dashboards.Tile) int { return min(max(40*t.Layout.H-12, 210), 262) }

func isCanvas(t *dashboards.Tile) bool {
	return t.Type != charts.KPI && t.Type != charts.Divider && t.Type != charts.Section && t.Type != charts.Text &&
		(t.Drawing == nil || t.Drawing.Table == nil && t.Drawing.Words == nil)
}

func figureLines(tiles []*dashboards.Tile, landscape bool) []printLine {
	perLine := 3
	if landscape {
		perLine = 6
	}
	if n := len(tiles); n%4 == 0 {
		perLine = 4
	} else if n < perLine {
		perLine = max(n, 2) // one alone leaves half of the line empty rather than fill it
	}
	var lines []printLine
	for chunk := range slices.Chunk(tiles, perLine) {
		line := printLine{kind: lineFigures}
		for _, t := range chunk {
			line.tiles = append(line.tiles, printPlace{t, 12 / perLine})
		}
		lines = append(lines, line)
	}
	return lines
}

// printSpan is how many of 12 columns a chart takes on paper.
func printSpan(t *dashboards.Tile, landscape bool) int {
	w := t.Layout.W
	switch {
	case w > 8 || t.Type == charts.Map && !landscape:
		return 12
	case landscape && w <= 4:
		return 4
	case w <= 6:
		return 6
	case landscape:
		return 8
	}
	return 12
}

// printable takes off what only a screen can do: marks to click, columns to
// sort by. The tile itself is shared and stays.
func printable(t *dashboards.Tile) *dashboards.Tile {
	if t.Drawing == nil {
		return t
	}
	tile, d := *t, *t.Drawing
	d.Legend = slices.Clone(d.Legend)
	for i := range d.Legend {
		d.Legend[i].Mark = ""
	}
	d.Words = slices.Clone(d.Words)
	for i := range d.Words {
		d.Words[i].Mark = ""
	}
	d.Facets = slices.Clone(d.Facets)
	for i := range d.Facets {
		d.Facets[i].Mark = ""
	}
	if d.Table != nil {
		grid := *d.Table
		grid.Columns = slices.Clone(grid.Columns)
		for i := range grid.Columns {
			grid.Columns[i].Key = ""
		}
		grid.Rows = slices.Clone(grid.Rows)
		for i := range grid.Rows {
			grid.Rows[i].Mark = ""
		}
		d.Table = &grid
	}
	tile.Drawing = &d
	return &tile
}

// density makes room for many columns.
func density(g *charts.Grid) string {
	switch n := len(g.Columns); {
	case n > 12:
		return "p-denser"
	case n > 7:
		return "p-dense"
	}
	return ""
}

func (p PrintProps) tile(t *dashboards.Tile) TileProps {
	return TileProps{Tile: printable(t), Locale: p.locale(), Print: true}
}

func (p PrintProps) printedAt() string {
	at := p.Sheet.At.In(p.view().Zone)
	return p.locale().Weekday(isoWeekday(at)) + " " + p.locale().Date(at)
}

// datetime is for machines.
func (p PrintProps) datetime() string { return p.Sheet.At.UTC().Format(time.RFC3339) }

package dashboards

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/warehouse"
)

// csvCells and csvRows bound what is fetched at a time, so that a download of
// any length needs the same memory.
const (
	csvCells = 500_000
	csvRows  = warehouse.MaxLimit
)

// CSV is a download of all rows of a widget.
type CSV struct {
	Name string // of the file
	svc  *Service
	view *View
	plan *Plan
	head *warehouse.Result // the first rows, already asked
	step int
}

// OpenCSV asks for the first rows, so that what goes wrong is known before
// anything was sent.
//
// Errors: dashboards.widget_not_found and those of the query.
func (s *Service) OpenCSV(ctx context.Context, v *View, widget string) (*CSV, error) {
	p, ok := v.Plan(widget)
	if !ok || !p.Widget.Type.Asks() {
		return nil, ErrWidgetNotFound
	}
	return s.openCSV(ctx, v, p)
}

func (s *Service) openCSV(ctx context.Context, v *View, p *Plan) (*CSV, error) {
	if err := p.problem(); err != nil {
		return nil, err
	}
	copied := *p
	c := &CSV{Name: fileName(p.Widget.Title) + ".csv", svc: s, view: v, plan: &copied}
	spec := &copied.main
	copied.exact = true
	if plain := len(spec.Columns); plain > 0 {
		// Pages of rows must not overlap: equal sort keys are told apart by all
		// other columns.
		ordered := map[string]bool{}
		spec.Order = append([]warehouse.Order(nil), spec.Order...)
		for _, o := range spec.Order {
			ordered[o.By] = true
		}
		for _, column := range spec.Columns {
			if !ordered[column] {
				spec.Order = append(spec.Order, warehouse.Order{By: column})
			}
		}
		c.step = min(max(csvCells/plain, 1), csvRows)
		spec.Limit, spec.Offset = c.step, 0
	} else if p.Widget.Query.Limit == 0 && !spec.Other {
		spec.Limit = csvRows
	}
	var err error
	c.head, err = s.ask(ctx, v, &copied, *spec)
	return c, err
}

// WriteTo writes the rows as RFC 4180 with CRLF. Texts that a spreadsheet would
// take for a formula begin with an apostrophe. bom is for programs that would
// not take the file for UTF-8 otherwise.
func (c *CSV) WriteTo(ctx context.Context, out io.Writer, bom bool) error {
	w := bufio.NewWriterSize(out, 64<<10)
	if bom {
		w.WriteString("\ufeff")
	}
	for i := range c.head.Columns {
		if i > 0 {
			w.WriteByte(',')
		}
		writeField(w, c.columnName(&c.head.Columns[i]))
	}
	w.WriteString("\r\n")
	result, offset := c.head, 0
	limit := c.plan.Widget.Query.Limit
	for {
		rows := result.Rows
		if c.step > 0 && limit > 0 {
			rows = min(rows, limit-offset)
		}
		for row := range rows {
			for i := range result.Columns {
				if i > 0 {
					w.WriteByte(',')
				}
				c.writeValue(w, &result.Columns[i], row)
			}
			w.WriteString("\r\n")
		}
		offset += result.Rows
		if c.step == 0 || result.Rows < c.step || limit > 0 && offset >= limit {
			return w.Flush()
		}
		if err := w.Flush(); err != nil {
			return err
		}
		spec := c.plan.main
		spec.Offset = offset
		var err error
		if result, err = c.svc.ask(ctx, c.view, c.plan, spec); err != nil {
			return fmt.Errorf("read rows from %d: %w", offset, err)
		}
	}
}

func (c *CSV) columnName(col *warehouse.ResultColumn) string {
	base, earlier := strings.CutSuffix(col.Name, ".previous")
	name := c.plan.input.Config.Format[base].Label
	if name == "" {
		name = c.plan.input.Names[base]
	}
	if name == "" {
		name = charts.Humanise(base)
	}
	if earlier {
		name += " (" + c.plan.input.Words.Previous + ")"
	}
	return name
}

func (c *CSV) writeValue(w *bufio.Writer, col *warehouse.ResultColumn, row int) {
	if col.IsNull(row) {
		return
	}
	var buf [40]byte
	switch col.Type {
	case warehouse.Text:
		writeField(w, col.Texts[row])
	case warehouse.Boolean:
		w.WriteString(strconv.FormatBool(col.Ints[row] != 0))
	case warehouse.Date:
		w.WriteString(time.Unix(col.Ints[row]*86400, 0).UTC().Format(time.DateOnly))
	case warehouse.Timestamp:
		w.WriteString(time.UnixMicro(col.Ints[row]).UTC().Format("2006-01-02 15:04:05.999999"))
	case warehouse.TimestampTZ:
		w.WriteString(time.UnixMicro(col.Ints[row]).In(c.view.Zone).Format("2006-01-02T15:04:05.999999Z07:00"))
	default:
		switch {
		case col.Exact != nil && col.Exact[row] != "":
			w.WriteString(col.Exact[row])
		case col.Ints != nil:
			w.Write(strconv.AppendInt(buf[:0], col.Ints[row], 10))
		default:
			w.Write(strconv.AppendFloat(buf[:0], col.Floats[row], 'g', -1, 64))
		}
	}
}

func writeField(w *bufio.Writer, text string) {
	if text != "" && strings.IndexByte("=+-@\t\r", text[0]) >= 0 {
		text = "'" + text
	}
	if !strings.ContainsAny(text, ",\"\r\n") && (text == "" || text[0] != ' ') {
		w.WriteString(text)
		return
	}
	w.WriteByte('"')
	w.WriteString(strings.ReplaceAll(text, `"`, `""`))
	w.WriteByte('"')
}

// fileName is a title as the name of a file on any system.
func fileName(title string) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, title)
	name = strings.Trim(name, " .-")
	if name == "" {
		return "widget"
	}
	return name
}

package handlers

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

// writer writes values of datasets as one person reads them.
type writer struct {
	ctx  context.Context
	l    *locale.Locale
	zone *time.Location
	now  time.Time
}

func writerFor(r *http.Request) writer {
	a := actor(r)
	return writer{ctx: r.Context(), l: locale.For(a.Locale), zone: a.Location(), now: time.Now().In(a.Location())}
}

func (w writer) t(key string, args ...any) string { return messages.T(w.ctx, key, args...) }

func (w writer) when(at time.Time) views.When {
	if at.IsZero() {
		return views.When{Now: w.now, Locale: w.l}
	}
	return views.When{At: at.In(w.zone), Now: w.now, Locale: w.l}
}

func (w writer) day(at time.Time) string { return w.l.Date(at.In(w.zone)) }

func (w writer) share(part, of int64) string {
	if of == 0 {
		return w.l.Full(0, locale.Format{Style: locale.Percent})
	}
	one := 1
	if part == of || part == 0 {
		one = 0
	}
	return w.l.Full(float64(part)/float64(of), locale.Format{Style: locale.Percent, Decimals: &one})
}

// symbols of the currencies that have one of their own.
var symbols = map[string]string{"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "CNY": "CN¥", "INR": "₹", "KRW": "₩", "CHF": "CHF "}

func numberFormat(f datasets.Format) locale.Format {
	out := locale.Format{Style: locale.Number, Unit: f.Unit, Decimals: f.Decimals}
	switch f.Style {
	case "percent":
		out.Style = locale.Percent
	case "currency":
		out.Style, out.Symbol = locale.Currency, symbols[f.Currency]
		if out.Symbol == "" {
			out.Symbol = f.Currency + " "
		}
	case "bytes":
		out.Style = locale.Bytes
	case "duration":
		out.Style = locale.Duration
	}
	return out
}

// number writes a value of a column in full.
func (w writer) number(v float64, c datasets.Column) string {
	f := numberFormat(c.Format)
	if f.Decimals == nil && c.Type == "decimal" && f.Style != locale.Percent {
		decimals := int(c.Scale)
		f.Decimals = &decimals
	}
	if c.Type == "integer" && f.Style == locale.Number {
		f.Integer = true
	}
	return w.l.Full(v, f)
}

// bound writes the smallest or largest value of a column, as package segments
// answers it.
func (w writer) bound(v any, c datasets.Column) string {
	switch value := v.(type) {
	case int64:
		return w.whole(value, c)
	case float64:
		return w.number(value, c)
	case string:
		return shorten(value, 60)
	}
	return ""
}

// whole writes a value that is kept as an integer.
func (w writer) whole(v int64, c datasets.Column) string {
	switch c.Type {
	case "date":
		return w.l.Date(time.Unix(v*86400, 0).UTC())
	case "timestamp":
		return w.l.DateTime(time.UnixMicro(v).UTC())
	case "timestamptz":
		return w.l.DateTime(time.UnixMicro(v).In(w.zone))
	case "boolean":
		if v != 0 {
			return w.t("columns.true")
		}
		return w.t("columns.false")
	}
	if f := numberFormat(c.Format); f.Style != locale.Number {
		return w.l.Full(float64(v), f)
	}
	return w.l.Integer(v)
}

// edge writes the edge of a histogram's bin.
func (w writer) edge(v float64, c datasets.Column) string {
	switch c.Type {
	case "date", "timestamp", "timestamptz":
		return w.whole(int64(v), c)
	}
	return w.l.KPI(v, numberFormat(c.Format))
}

func shorten(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}

// icon is the symbol of a type.
func icon(typeName string) string {
	switch typeName {
	case "integer", "decimal", "float":
		return "hash"
	case "boolean":
		return "toggle-left"
	case "date":
		return "calendar"
	case "timestamp", "timestamptz":
		return "calendar-clock"
	}
	return "type"
}

// preview writes rows of a dataset as a table of texts.
func (w writer) preview(d datasets.Dataset, result *datasets.Result) views.TablePart {
	var table views.TablePart
	for i := range result.Columns {
		c := &result.Columns[i]
		column, known := d.ColumnByName(c.Name)
		head := views.TableHead{Label: c.Name, Detail: string(c.Type)}
		if known {
			head.Detail = datasets.TypeName(column.Column)
		}
		head.Numeric = c.Type == "integer" || c.Type == "decimal" || c.Type == "float"
		table.Heads = append(table.Heads, head)
	}
	for row := range result.Rows {
		cells := make([]views.TableCell, len(result.Columns))
		for i := range result.Columns {
			c := &result.Columns[i]
			column, _ := d.ColumnByName(c.Name)
			cells[i] = views.TableCell{Missing: c.IsNull(row), Numeric: table.Heads[i].Numeric}
			if cells[i].Missing {
				continue
			}
			switch {
			case c.Texts != nil:
				cells[i].Text = shorten(c.Texts[row], 120)
			case c.Floats != nil:
				cells[i].Text = w.number(c.Floats[row], column)
			default:
				column.Type = c.Type
				cells[i].Text = w.whole(c.Ints[row], column)
			}
		}
		table.Rows = append(table.Rows, cells)
	}
	return table
}

// profile writes what the values of a column look like.
func (w writer) profile(p datasets.ColumnProfile) *views.ProfileCell {
	cell := &views.ProfileCell{
		Filled: p.Share(), FilledText: w.share(p.Rows-p.Nulls, p.Rows), Nulls: w.l.Integer(p.Nulls), Distinct: w.l.Integer(p.Distinct),
		Min: w.bound(p.Bounds.Min, p.Column), Max: w.bound(p.Bounds.Max, p.Column),
	}
	if p.Mean != nil {
		cell.Mean = w.l.KPI(*p.Mean, numberFormat(p.Column.Format))
	}
	var most int64
	for _, v := range p.Top {
		most = max(most, v.Count)
	}
	for i, v := range p.Top {
		if i == 3 {
			break
		}
		text := shorten(v.Value, 40)
		if p.Column.Type == "boolean" {
			text = w.t("columns." + v.Value)
		}
		cell.Top = append(cell.Top, views.TopValue{Value: text, Count: w.l.Integer(v.Count), Share: float64(v.Count) / float64(max(most, 1))})
	}
	most = 0
	for _, b := range p.Histogram {
		most = max(most, b.Count)
	}
	if p.Distinct < 2 {
		return cell
	}
	for _, b := range p.Histogram {
		bar := views.HistogramBar{Title: w.t("columns.bar", "From", w.edge(b.From, p.Column), "To", w.edge(b.To, p.Column), "Count", w.l.Integer(b.Count))}
		if b.Count > 0 {
			bar.Height = float64(b.Count) / float64(max(most, 1))
		}
		cell.Bins = append(cell.Bins, bar)
	}
	if len(p.Histogram) > 0 {
		cell.Label = w.t("columns.histogram", "Name", p.Column.Name, "From", cell.Min, "To", cell.Max)
	}
	return cell
}

// formula writes a measure as people write it: "sum(amount) / count()".
func formula(m datasets.MeasureSpec) string {
	switch m.Fn {
	case "ratio":
		if m.Numerator == nil || m.Denominator == nil {
			return ""
		}
		return formula(*m.Numerator) + " / " + formula(*m.Denominator)
	case "percentile":
		return fmt.Sprintf("percentile(%s, %s)", m.Column, strconv.FormatFloat(m.Percentile, 'f', -1, 64))
	}
	return m.Fn + "(" + m.Column + ")"
}

func canManage(a access.Actor, objects ...access.Object) bool {
	return access.Can(a, access.ManageData, objects...) == nil
}

// drop describes where dropped files go; nil for who may not load data.
func drop(r *http.Request, dataset string) *views.DropProps {
	if !canManage(actor(r)) {
		return nil
	}
	t := func(key string) string { return messages.T(r.Context(), key) }
	p := &views.DropProps{
		Action: views.PathUploads, Accept: ".csv,.tsv,.txt,.json,.ndjson,.jsonl,.parquet,.xlsx,.gz,.zst",
		Title: t("uploads.drop_title"), Text: t("uploads.accepted"),
		Texts: views.DropTexts{
			Progress: t("uploads.drop_progress"), Finish: t("uploads.drop_finish"), Cancel: t("uploads.drop_cancel"),
			Failed: t("uploads.drop_failed"), Retry: t("uploads.drop_retry"),
		},
	}
	if dataset != "" {
		p.Action += "?dataset=" + dataset
	}
	return p
}

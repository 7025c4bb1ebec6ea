package dashboards

import (
	"context"
	"encoding/json"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/warehouse"
)

// RowsPerPage is how many rows behind a number are shown at a time.
const RowsPerPage = 100

// rowsPlan asks for the rows behind a number: all columns, under the filters of
// the widget, of the mark and of the measure, where it is only one.
func (v *View) rowsPlan(widget, mark string, page int) (*Plan, error) {
	p, text, filters, err := v.explained(widget, mark)
	if err != nil {
		return nil, err
	}
	sc := v.schemas[p.dataset]
	filters = append(ofRows(p.main.Filters), filters...)
	if len(p.main.Measures) == 1 {
		resolved, _ := sc.measure(p.main.Measures[0])
		filters = append(filters, resolved.Filters...)
		if m := p.main.Measures[0]; m.Measure != "" {
			filters = append(filters, m.Filters...)
		}
		if resolved.Fn == "count" && resolved.Column != "" {
			filters = append(filters, warehouse.Filter{Column: resolved.Column, Op: "not_in", Values: []json.RawMessage{json.RawMessage("null")}})
		}
	}
	title := p.Widget.Title
	if text != "" {
		title += ", " + text
	}
	w := Widget{Title: title, Layout: Layout{W: GridColumns, H: 9}, Query: Query{Dataset: p.dataset}}
	w.Type = charts.Table
	rows := &Plan{ID: p.ID, Widget: w, dataset: p.dataset, name: p.name, filters: p.filters, exact: true}
	for _, c := range sc.Columns {
		rows.Widget.Query.Columns = append(rows.Widget.Query.Columns, c.Name)
	}
	spec := warehouse.Spec{Dataset: p.main.Dataset, Timezone: p.main.Timezone, Filters: filters, Fields: p.main.Fields}
	count := spec
	count.Measures = []warehouse.Measure{{Fn: "count", As: "rows"}}
	rows.count = &count
	spec.Columns, spec.Limit, spec.Offset = rows.Widget.Query.Columns, RowsPerPage, (page-1)*RowsPerPage
	if at := sc.timeColumn(); at != "" {
		spec.Order = []warehouse.Order{{By: at, Desc: true}}
	}
	rows.main = spec
	rows.input = charts.Input{Config: w.Config, Title: title, Names: sc.names(&rows.Widget.Query), Size: charts.Size{W: GridColumns, H: 9}, Locale: v.locale,
		Zone: v.Zone, Words: v.words.Words, Page: page, PageSize: RowsPerPage, Plain: true}
	rows.input.Config.Format = sc.formats(&rows.Widget)
	return rows, nil
}

// Behind answers a page of the rows behind a number, the newest first.
//
// Errors: those of Explain.
func (s *Service) Behind(ctx context.Context, v *View, widget, mark string, page int) (*charts.Grid, error) {
	p, err := v.rowsPlan(widget, mark, max(page, 1))
	if err != nil {
		return nil, err
	}
	in := p.input
	if in.Result, err = s.ask(ctx, v, p, p.main); err != nil {
		return nil, err
	}
	if in.Total, err = s.rowCount(ctx, v, p); err != nil {
		return nil, err
	}
	return charts.Tabulate(in)
}

// OpenBehind are all rows behind a number.
//
// Errors: those of Explain.
func (s *Service) OpenBehind(ctx context.Context, v *View, widget, mark string) (*Rows, error) {
	p, err := v.rowsPlan(widget, mark, 1)
	if err != nil {
		return nil, err
	}
	return s.openRows(ctx, v, p)
}

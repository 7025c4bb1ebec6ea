package dashboards

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Subject is what can be watched of a widget or of a dataset: measures, by what
// they can be divided, and over which periods.
type Subject struct {
	Dashboard   ids.Dashboard // zero for a dataset alone
	Widget      string
	Title       string // of the widget, or the dataset's name
	Dataset     ids.Dataset
	DatasetName string
	Measures    []SubjectMeasure
	Dimensions  []SubjectDimension
	Filters     []warehouse.Filter // without the date range
	Notes       []FilterNote       // the filters that the page added, for people
	Fields      map[string]string
	Time        string // column of dates or times; "" for none
	Days        bool   // Time has no hours
	Grain       string // of the widget's axis; "day" where there is none
	Zone        string
	// RelativeToNewest tells that the dataset's dates count from its newest row.
	RelativeToNewest bool
}

// SubjectMeasure is one number that can be watched.
type SubjectMeasure struct {
	Label   string
	Measure warehouse.Measure
	Format  charts.Format
	// Additive tells that no rows are zero, and not an unknown value.
	Additive bool
}

// Key names the measure within its subject, for forms.
func (m SubjectMeasure) Key() string {
	text, _ := json.Marshal(m.Measure) // plain values always encode
	return string(text)
}

// SubjectDimension is what a number can be divided by.
type SubjectDimension struct {
	Label     string
	Dimension warehouse.Dimension
	Own       bool // of the widget
}

// Key names the dimension within its subject, for forms.
func (d SubjectDimension) Key() string {
	named := d.Dimension
	named.As = ""
	text, _ := json.Marshal(named) // plain values always encode
	return string(text)
}

// Subject reads what a widget of the view measures, under its filters and those
// that the viewer chose.
//
// Errors: dashboards.not_found where there is no such widget or it measures
// nothing.
func (s *Service) Subject(v *View, widget string) (Subject, error) {
	p, ok := v.Plan(widget)
	if !ok || len(p.Widget.Query.Measures) == 0 {
		return Subject{}, ErrNotFound
	}
	w, sc := &p.Widget, v.schemas[p.dataset]
	if sc == nil {
		return Subject{}, datasets.ErrNotFound
	}
	sub := sc.subject(v.Zone.String())
	sub.Dashboard, sub.Widget, sub.Title = v.Dashboard.ID, widget, w.Title
	sub.Fields = v.Dashboard.Config.fields(p.dataset)
	sub.Time = v.dateColumn(p.dataset, w.Query.Date)
	if sub.Time == "" {
		sub.Time = sc.timeColumn()
	}
	bare := &Plan{ID: widget, Widget: *w, dataset: p.dataset}
	added := v.filters(bare, sc, &w.Query)
	sub.Notes = bare.filters
	if v.dateColumn(p.dataset, w.Query.Date) != "" && v.Days != nil {
		added, sub.Notes = added[1:], sub.Notes[1:] // the date range comes first
	}
	if bare.err != nil {
		return Subject{}, bare.err
	}
	sub.Filters = append(slices.Clone(w.Query.Filters), added...)
	formats := sc.formats(w)
	sub.Measures = nil
	for _, m := range w.Query.Measures {
		if m.Show == "running" {
			continue
		}
		name := measureName(m)
		resolved, _ := sc.measure(m)
		label := formats[name].Label
		if label == "" {
			label = sc.measureLabel(m)
		}
		sub.Measures = append(sub.Measures, SubjectMeasure{Label: label, Measure: m, Format: formats[name], Additive: additive(resolved) || resolved.Fn == "count_distinct"})
	}
	if len(sub.Measures) == 0 {
		return Subject{}, ErrNotFound
	}
	var own []SubjectDimension
	for _, d := range w.Query.Dimensions {
		c, ok := sc.find(d.Column)
		if ok && temporal(c.Type) && !cyclic(d.Grain) {
			sub.Time, sub.Days = d.Column, c.Type == warehouse.Date
			if d.Grain != "" && d.Grain != AutoGrain {
				sub.Grain = d.Grain
			}
			continue
		}
		own = append(own, SubjectDimension{Label: dimensionLabel(d), Dimension: d, Own: true})
	}
	for _, d := range sub.Dimensions {
		if !slices.ContainsFunc(own, func(o SubjectDimension) bool { return o.Dimension.Column == d.Dimension.Column }) {
			own = append(own, d)
		}
	}
	sub.Dimensions = own
	return sub, nil
}

// DatasetSubject reads what can be watched of a dataset itself.
//
// Errors: datasets.not_found.
func (s *Service) DatasetSubject(ctx context.Context, actor access.Actor, id ids.Dataset) (Subject, error) {
	all, err := s.loadSchemas(ctx, actor, &Config{Dataset: id})
	if err != nil {
		return Subject{}, err
	}
	sc := all[id]
	if sc == nil {
		return Subject{}, datasets.ErrNotFound
	}
	return sc.subject(actor.Location().String()), nil
}

// subject is what can be watched of the dataset: its rows, its saved measures,
// and sums and means of its numbers.
func (s *schema) subject(zone string) Subject {
	sub := Subject{Title: s.Name, Dataset: s.ID, DatasetName: s.Name, Time: s.timeColumn(), Grain: "day", Zone: zone, RelativeToNewest: s.RelativeToNewest}
	if c, ok := s.find(sub.Time); ok {
		sub.Days = c.Type == warehouse.Date
	}
	add := func(m warehouse.Measure) {
		resolved, format := s.measure(m)
		if format == (datasets.Format{}) && m.Measure == "" {
			format = s.measureFormat(m)
		}
		sub.Measures = append(sub.Measures, SubjectMeasure{Label: s.measureLabel(m), Measure: m, Additive: additive(resolved) || resolved.Fn == "count_distinct",
			Format: charts.Format{Style: format.Style, Currency: format.Currency, Unit: format.Unit, Decimals: format.Decimals}})
	}
	add(warehouse.Measure{Fn: "count"})
	for _, m := range s.Measures {
		add(warehouse.Measure{Measure: m.Name})
	}
	for _, c := range s.Columns {
		switch c.Type {
		case warehouse.Integer, warehouse.Float, warehouse.Decimal:
			if strings.HasSuffix(c.Name, "_id") || c.Name == "id" {
				continue
			}
			add(warehouse.Measure{Fn: "sum", Column: c.Name})
			add(warehouse.Measure{Fn: "avg", Column: c.Name})
		case warehouse.Text, warehouse.Boolean:
			d := warehouse.Dimension{Column: c.Name}
			sub.Dimensions = append(sub.Dimensions, SubjectDimension{Label: dimensionLabel(d), Dimension: d})
		}
	}
	return sub
}

package dashboards

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// schema is a dataset with the datasets that it looks up in: what a name in a
// query can mean.
type schema struct {
	datasets.Dataset
	targets map[string]*datasets.Dataset // by name of the lookup
	// own are the dashboard's calculated fields, calculated those of the
	// dataset. Own ones stand before columns of the same name.
	own, calculated map[string]field
}

// field is a calculated field as a column, or as a measure.
type field struct {
	column  datasets.Column
	measure bool
	adds    bool // of a measure: its parts add up to the whole
	label   string
}

// find resolves "column" or "lookup.column".
func (s *schema) find(name string) (datasets.Column, bool) {
	if f, ok := s.own[name]; ok && !f.measure {
		return f.column, true
	}
	if c, ok := s.ColumnByName(name); ok {
		return c, true
	}
	if f, ok := s.calculated[name]; ok && !f.measure {
		return f.column, true
	}
	if lookup, rest, ok := strings.Cut(name, "."); ok {
		if target := s.targets[lookup]; target != nil {
			return target.ColumnByName(rest)
		}
	}
	return datasets.Column{}, false
}

// isOfTime tells whether a dimension is of days or moments.
func (s *schema) isOfTime(d warehouse.Dimension) bool {
	c, _ := s.find(d.Column)
	return isMoment(c.Type)
}

// isMoment tells whether a type is of days or moments.
func isMoment(t warehouse.Type) bool {
	return t == warehouse.Date || t == warehouse.Timestamp || t == warehouse.TimestampTZ
}

// timeColumn is the name of the column that rows are sorted by; "" for none.
func (s *schema) timeColumn() string {
	if c, ok := s.ColumnByID(s.TimeColumn); ok {
		return c.Name
	}
	return ""
}

// measure finds the definition behind a measure, a saved one included.
func (s *schema) measure(m warehouse.Measure) (warehouse.Measure, datasets.Format) {
	if m.Measure == "" {
		return m, datasets.Format{}
	}
	if f, ok := s.own[m.Measure]; ok && f.measure {
		return m, f.column.Format
	}
	for _, saved := range s.Measures {
		if saved.Name == m.Measure {
			return saved.Measure, saved.Format
		}
	}
	if f, ok := s.calculated[m.Measure]; ok && f.measure {
		return m, f.column.Format
	}
	return m, datasets.Format{}
}

// schemas are the datasets of one page, by id.
type schemas map[ids.Dataset]*schema

// loadSchemas reads the definitions of a config's datasets and of more, and of
// what they look up in. A dataset that is gone has no entry: its widgets fail,
// others do not.
func (s *Service) loadSchemas(ctx context.Context, actor access.Actor, c *Config, more ...ids.Dataset) (schemas, error) {
	loaded := map[ids.Dataset]*datasets.Dataset{}
	get := func(id ids.Dataset) (*datasets.Dataset, error) {
		if d, ok := loaded[id]; ok {
			return d, nil
		}
		d, err := s.datasets.Get(ctx, actor, id)
		if isKind(err, datasets.ErrNotFound) {
			loaded[id] = nil
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read dataset %s: %w", id, err)
		}
		loaded[id] = &d
		return &d, nil
	}
	all := schemas{}
	for _, id := range append(c.Datasets(), more...) {
		if id.IsZero() || all[id] != nil {
			continue
		}
		d, err := get(id)
		if err != nil {
			return nil, err
		}
		if d == nil {
			continue
		}
		one := &schema{Dataset: *d, targets: map[string]*datasets.Dataset{}}
		for _, l := range d.Lookups {
			target, err := get(l.Target)
			if err != nil {
				return nil, err
			}
			if target != nil {
				one.targets[l.Name] = target
			}
		}
		if err := s.loadFields(ctx, actor, c, one); err != nil {
			return nil, err
		}
		all[id] = one
	}
	return all, nil
}

// loadFields finds the types of calculated fields. Those that do not work have
// no entry: the widgets that use them say why.
func (s *Service) loadFields(ctx context.Context, actor access.Actor, c *Config, sc *schema) error {
	extra := c.fields(sc.ID)
	if len(sc.Fields) == 0 && len(extra) == 0 {
		return nil
	}
	list, err := s.datasets.ListFields(ctx, actor, sc.ID, extra)
	if err != nil {
		return fmt.Errorf("read fields of %s: %w", sc.ID, err)
	}
	sc.own, sc.calculated = map[string]field{}, map[string]field{}
	for _, info := range list {
		if info.Problem != nil {
			continue
		}
		f := field{measure: info.Aggregate, adds: info.Additive, column: datasets.Column{Format: info.Format}}
		f.column.Name, f.column.Type, f.column.Scale = info.Name, info.Type, info.Scale
		if _, own := extra[info.Name]; !own {
			sc.calculated[info.Name] = f
			continue
		}
		config := c.Fields[info.Name]
		f.label = config.Label
		f.column.Format = datasets.Format{Style: config.Format.Style, Currency: config.Format.Currency, Decimals: config.Format.Decimals, Unit: config.Format.Unit}
		sc.own[info.Name] = f
	}
	return nil
}

// dimensionName is the result column of a dimension.
func dimensionName(d warehouse.Dimension) string {
	if d.As != "" {
		return d.As
	}
	return d.Column
}

// measureName is the result column of a measure.
func measureName(m warehouse.Measure) string {
	switch {
	case m.As != "":
		return m.As
	case m.Measure != "":
		return m.Measure
	case m.Column == "":
		return m.Fn
	}
	return m.Fn + "_" + m.Column
}

// additive tells whether the parts of a measure add up to the whole.
func additive(m warehouse.Measure) bool {
	return (m.Fn == "sum" || m.Fn == "count") && m.Show != "running"
}

// adds tells whether the parts of a measure add up to the whole, a saved or
// calculated one as its definition says.
func (s *schema) adds(m warehouse.Measure) bool {
	resolved, _ := s.measure(m)
	if resolved.Measure == "" {
		resolved.Show = m.Show
		return additive(resolved)
	}
	f, ok := s.own[m.Measure]
	if !ok || !f.measure {
		f = s.calculated[m.Measure]
	}
	return f.adds && m.Show != "running"
}

// formats are the formats of a widget's result columns: what its config says,
// over what the dataset says of the column or saved measure.
func (s *schema) formats(w *Widget) map[string]charts.Format {
	out := make(map[string]charts.Format, len(w.Format)+len(w.Query.Measures))
	for name, f := range w.Format {
		out[name] = f
	}
	settle := func(name string, own datasets.Format, adds bool) {
		f := out[name]
		if f.Style == "" && f.Currency == "" && f.Unit == "" {
			f.Style, f.Currency, f.Unit = own.Style, own.Currency, own.Unit
			if f.Decimals == nil {
				f.Decimals = own.Decimals
			}
		}
		f.Additive = adds
		out[name] = f
	}
	for _, m := range w.Query.Measures {
		resolved, format := s.measure(m)
		if format == (datasets.Format{}) && m.Measure == "" {
			format = s.measureFormat(resolved)
		}
		if m.Show == "share" {
			format = datasets.Format{Style: "percent"}
		}
		settle(measureName(m), format, s.adds(m))
	}
	if w.Type == charts.Box && len(w.Query.Measures) == 1 {
		own := out[measureName(w.Query.Measures[0])]
		own.Label = ""
		for _, m := range charts.BoxMeasures(w.Query.Measures[0], w.Encode.Whiskers) {
			if _, known := out[measureName(m)]; !known {
				out[measureName(m)] = own
			}
			settle(measureName(m), s.measureFormat(m), false)
		}
	}
	for _, d := range w.Query.Dimensions {
		if c, ok := s.find(d.Column); ok && d.Grain == "" {
			settle(dimensionName(d), c.Format, false)
		}
	}
	for _, name := range w.Query.Columns {
		if c, ok := s.find(name); ok {
			settle(name, c.Format, false)
		}
	}
	return out
}

// measureFormat takes on the format of the measured column where the result is
// of the same kind.
func (s *schema) measureFormat(m warehouse.Measure) datasets.Format {
	switch m.Fn {
	case "sum", "avg", "min", "max", "median", "percentile":
		if c, ok := s.find(m.Column); ok {
			return c.Format
		}
	}
	return datasets.Format{}
}

// names are what people call the result columns of a query without a label.
func (s *schema) names(q *Query) map[string]string {
	names := map[string]string{}
	for _, d := range q.Dimensions {
		name := dimensionLabel(d)
		if f := s.own[d.Column]; f.label != "" && !cyclic(d.Grain) {
			name = f.label
		}
		names[dimensionName(d)] = name
	}
	for name, text := range map[string]string{"box_low": "Lower end", "box_first": "First quartile", "box_median": "Median",
		"box_third": "Third quartile", "box_high": "Upper end"} {
		names[name] = text
	}
	for _, c := range q.Columns {
		names[c] = charts.Humanise(lastPart(c))
		if f := s.own[c]; f.label != "" {
			names[c] = f.label
		}
	}
	for _, m := range q.Measures {
		if f := s.own[m.Measure]; f.label != "" && m.Measure != "" {
			names[measureName(m)] = f.label
		}
	}
	return names
}

// lastPart leaves the lookup out of "origin_airport.state".
func lastPart(column string) string {
	if _, rest, ok := strings.Cut(column, "."); ok {
		return rest
	}
	return column
}

// literal writes a value of a link as the type of the column wants it.
func literal(c datasets.Column, grain string, bin float64, value string) (json.RawMessage, error) {
	if value == charts.Null {
		return json.RawMessage("null"), nil
	}
	numeric := bin > 0
	switch grain {
	case "weekday", "hour_of_day", "month_of_year":
		numeric = true
	}
	wrong := ErrFilters.With("The link filters %s by %q, which is no value of that column. Reset the filters.", c.Name, clip(value))
	switch {
	case numeric, c.Type == warehouse.Integer, c.Type == warehouse.Float, c.Type == warehouse.Decimal:
		n := json.Number(value)
		if _, err := n.Float64(); err != nil || !json.Valid([]byte(value)) {
			return nil, wrong
		}
		return json.RawMessage(value), nil
	case c.Type == warehouse.Boolean:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return nil, wrong.Wrap(err)
		}
		return json.RawMessage(strconv.FormatBool(b)), nil
	case c.Type == warehouse.Date:
		if _, err := time.Parse(time.DateOnly, value); err != nil {
			return nil, wrong.Wrap(err)
		}
	}
	text, err := json.Marshal(value)
	return text, err
}

func clip(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return text
}

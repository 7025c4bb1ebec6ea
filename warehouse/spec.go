package warehouse

import "encoding/json"

// Spec is a question to one dataset, as the API, the shell and a dashboard's
// config write it. ParseSpec reads it from JSON and refuses unknown keys.
// Names of columns are the dataset's column names, or "lookup.column".
type Spec struct {
	Dataset    string      `json:"dataset"`            // name or id
	Timezone   string      `json:"timezone,omitempty"` // IANA name, default UTC
	Measures   []Measure   `json:"measures,omitempty"`
	Dimensions []Dimension `json:"dimensions,omitempty"`
	// Columns asks for plain rows instead of groups: no measures and no
	// dimensions then.
	Columns    []string    `json:"columns,omitempty"`
	Filters    []Filter    `json:"filters,omitempty"`
	Order      []Order     `json:"order,omitempty"`
	Limit      int         `json:"limit,omitempty"`
	Offset     int         `json:"offset,omitempty"`
	Other      bool        `json:"other,omitempty"`      // fold the groups beyond limit into one "Other"
	Comparison *Comparison `json:"comparison,omitempty"` // adds "<measure>.previous" columns
	// Fields are calculated fields by name: expressions (package expr) that
	// the spec uses like columns, or like saved measures where they contain
	// aggregates. They stand before columns of the same name.
	Fields map[string]string `json:"fields,omitempty"`
}

// Measure is one number a group.
type Measure struct {
	// Fn is sum, avg, min, max, count, count_distinct, median, percentile or
	// ratio. Empty with Measure set means a saved measure.
	Fn          string   `json:"fn,omitempty"`
	Column      string   `json:"column,omitempty"`
	Percentile  float64  `json:"percentile,omitempty"` // 0 < p < 100, for percentile
	Numerator   *Measure `json:"numerator,omitempty"`  // for ratio
	Denominator *Measure `json:"denominator,omitempty"`
	Measure     string   `json:"measure,omitempty"` // name of a saved measure
	Filters     []Filter `json:"filters,omitempty"` // count only these rows in this measure
	// Show is empty, "share" (of the total of all groups) or "running" (total
	// in the order of the first time dimension).
	Show string `json:"show,omitempty"`
	As   string `json:"as,omitempty"` // name of the result column; default "fn_column" or "count"
}

// Dimension groups rows.
type Dimension struct {
	Column string `json:"column"`
	// Grain is minute, quarter_hour, hour, day, week (ISO), month, quarter or year for
	// dates and timestamps, and hour_of_day, weekday (1 = Monday), month_of_year.
	Grain string  `json:"grain,omitempty"`
	Bin   float64 `json:"bin,omitempty"` // width of numeric bins
	As    string  `json:"as,omitempty"`  // default: Column
	// Bins are the rising edges of numeric bins; the value is the lower edge.
	Bins []json.Number `json:"bins,omitempty"`
	// Groups are lists of values by the name of their group. All other values
	// are named Other or, where that is empty, stay themselves.
	Groups map[string][]json.RawMessage `json:"groups,omitempty"`
	Other  string                       `json:"other,omitempty"`
}

// grouping is what replaces the values of a column.
type grouping struct {
	Groups map[string][]json.RawMessage
	Other  string
	Bins   []json.Number
}

func (g *grouping) empty() bool { return len(g.Groups) == 0 && len(g.Bins) == 0 }

// Filter keeps rows. Where Measure names a result column it keeps groups.
type Filter struct {
	Column  string `json:"column,omitempty"`
	Measure string `json:"measure,omitempty"`
	// Op is in, not_in, =, !=, <, <=, >, >=, between (both ends included; for
	// dates and timestamps "to" given as a day includes that whole day),
	// contains, starts_with, is_empty, not_empty, last, this, previous (n whole units;
	// "last" ends with the current, possibly partial unit).
	Op     string            `json:"op"`
	Values []json.RawMessage `json:"values,omitempty"` // in, not_in; one value for the comparisons
	From   json.RawMessage   `json:"from,omitempty"`   // between
	To     json.RawMessage   `json:"to,omitempty"`     // between
	N      int               `json:"n,omitempty"`      // last, previous
	Unit   string            `json:"unit,omitempty"`   // minute, hour, day, week, month, quarter, year
	// Grain applies the operator to the grouped value (hour_of_day, weekday,
	// a day of a timestamp …) so that a click on a mark can filter by it.
	Grain string  `json:"grain,omitempty"`
	Bin   float64 `json:"bin,omitempty"`
	// Bins, Groups and Other are those of a dimension.
	Bins   []json.Number                `json:"bins,omitempty"`
	Groups map[string][]json.RawMessage `json:"groups,omitempty"`
	Other  string                       `json:"other,omitempty"`
}

// Order sorts the result by one of its columns.
type Order struct {
	By   string `json:"by"`
	Desc bool   `json:"desc,omitempty"`
}

// Comparison adds the same measures over an earlier span. The span is that of
// the first date filter on Column (default: the dataset's time column).
type Comparison struct {
	Period string `json:"period"` // "previous" or "year"
	Column string `json:"column,omitempty"`
	// N and Unit say how far "previous" goes back; without them it is by the
	// length of the span.
	N    int    `json:"n,omitempty"`
	Unit string `json:"unit,omitempty"` // of a filter
}

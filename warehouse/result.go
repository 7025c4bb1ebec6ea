package warehouse

import "time"

// Result is the answer to a Query, by columns. It is immutable and shared
// between callers once returned.
type Result struct {
	Columns  []ResultColumn
	Rows     int
	Versions map[string]int64 // dataset id -> version, lookups included
	Version  int64            // of the queried dataset
	Sampled  *Sampled         // nil when exact
	// More tells that a limit cut groups or rows off.
	More bool
	// Sparse tells that groups with rows may be missing: a filter on a measure, one
	// that picks moments of a dimension of time, or the smallest group that the
	// policy shows left them out.
	Sparse bool
	// Few tells that the policy withholds groups of few rows.
	Few bool
	// ToDate is the moment up to which a comparison goes where rows of Span may lie
	// ahead of it, else zero. The columns "<measure>.to_date" are what was by then:
	// it is those that compare with "<measure>.previous".
	ToDate time.Time
	// Lacks are days of Span that the earlier one has not, as days since 1970: the
	// 29th of February. Nothing is known of them, which is not zero.
	Lacks []int64
	// HasOther tells that the last row is "Other": what Spec.Other folded from
	// beyond the limit. Its dimensions are null.
	HasOther bool
	// OtherRows marks every row that is "Other"; nil when none is. With a
	// dimension of time beside others each moment has one, with that moment,
	// and HasOther is false.
	OtherRows []bool
	// Timezone is the IANA name of the zone that the answer was made for.
	Timezone string
	// Span is the span of the time filter the answer used, Previous that of
	// the comparison; nil without one. To is exclusive.
	Span, Previous *Span
	Elapsed        time.Duration
	FromCache      bool
}

// Sampled says how an approximate answer was made.
type Sampled struct {
	Rate  int     `json:"rate"`  // 1 in Rate rows
	Error float64 `json:"error"` // half the widest 95 % interval, relative to its value: 0.006 is ±0.6%
}

// Span is a span of time in the query's zone.
type Span struct {
	From, To time.Time
}

// ResultColumn is one column of an answer. Exactly one of the value slices is
// set, by Type: Ints for Integer, Date (days since 1970), Timestamp and
// TimestampTZ (microseconds since 1970) and Boolean (0, 1); Floats for Float
// and Decimal; Texts for Text. Exact carries the exact decimal digits of a
// Decimal, for JSON and exports.
type ResultColumn struct {
	Name      string
	Type      Type
	Scale     uint8
	Dimension bool // false for measures
	Grain     string
	Nulls     []bool // nil when no value is null
	Ints      []int64
	Floats    []float64
	Texts     []string
	Exact     []string
}

// IsNull tells whether row i has no value.
func (c *ResultColumn) IsNull(i int) bool { return c.Nulls != nil && c.Nulls[i] }

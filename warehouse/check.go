package warehouse

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

var (
	measureFns = []string{"sum", "avg", "min", "max", "count", "count_distinct", "median", "percentile", "ratio"}
	grains     = []string{"minute", "quarter_hour", "hour", "day", "week", "month", "quarter", "year",
		"hour_of_day", "weekday", "month_of_year"}
	units     = []string{"minute", "hour", "day", "week", "month", "quarter", "year"}
	filterOps = []string{"in", "not_in", "=", "!=", "<", "<=", ">", ">=", "between", "contains", "starts_with",
		"is_empty", "not_empty", "last", "this", "previous"}
)

// check tells what is wrong with a spec whatever the dataset. It covers specs
// built in Go too, so it repeats the limits of the reader.
func (s *Spec) check() error {
	switch {
	case len(s.Measures) > MaxMeasures:
		return tooMany("measures", len(s.Measures), MaxMeasures)
	case len(s.Dimensions) > maxDimensions:
		return tooMany("dimensions", len(s.Dimensions), maxDimensions)
	case len(s.Columns) > maxColumns:
		return tooMany("columns", len(s.Columns), maxColumns)
	case len(s.Filters) > maxFilters:
		return tooMany("filters", len(s.Filters), maxFilters)
	case len(s.Order) > maxOrder:
		return tooMany("order", len(s.Order), maxOrder)
	}
	rows := len(s.Columns) > 0
	if rows && (len(s.Measures) > 0 || len(s.Dimensions) > 0) {
		return ErrMixedColumns
	}
	if !rows && len(s.Measures) == 0 && len(s.Dimensions) == 0 {
		return ErrEmpty
	}
	if s.Limit < 0 || s.Limit > MaxLimit {
		return ErrLimit.With("limit must be between 1 and %d, not %d.", MaxLimit, s.Limit)
	}
	if s.Offset < 0 || s.Offset > MaxOffset {
		return ErrLimit.With("offset must be between 0 and %d, not %d.", MaxOffset, s.Offset)
	}
	if s.Other && (len(s.Dimensions) == 0 || s.Limit == 0 || s.Offset > 0) {
		return ErrOther
	}
	for i := range s.Measures {
		if err := s.Measures[i].check(fmt.Sprintf("measures[%d]", i), 0); err != nil {
			return err
		}
	}
	for i, d := range s.Dimensions {
		path := fmt.Sprintf("dimensions[%d]", i)
		if d.Column == "" {
			return ErrMissingKey.With("%s needs a column.", path)
		}
		if err := checkBucket(path, d.Grain, d.Bin); err != nil {
			return err
		}
		if err := (&grouping{d.Groups, d.Other, d.Bins}).check(path, d.Grain != "" || d.Bin != 0); err != nil {
			return err
		}
	}
	if len(s.Fields) > maxFields {
		return tooMany("fields", len(s.Fields), maxFields)
	}
	for i := range s.Filters {
		if err := s.Filters[i].check(fmt.Sprintf("filters[%d]", i)); err != nil {
			return err
		}
	}
	for i, o := range s.Order {
		if o.By == "" {
			return ErrMissingKey.With("order[%d] needs \"by\", the name of a result column.", i)
		}
	}
	if c := s.Comparison; c != nil {
		if rows || len(s.Measures) == 0 {
			return ErrComparison.With("A comparison needs measures.")
		}
		if c.Period != "previous" && c.Period != "year" {
			return ErrComparison.With("comparison.period must be \"previous\" or \"year\", not %q.", clip(c.Period))
		}
		if c.Unit != "" || c.N != 0 {
			if c.Period != "previous" || !slices.Contains(units, c.Unit) || c.N < 1 || c.N > maxRelativeN {
				return ErrComparison.With("comparison.n and comparison.unit go together, with the period \"previous\": n is 1 to %d, unit one of %s.", maxRelativeN, strings.Join(units, ", "))
			}
		}
	}
	return nil
}

func tooMany(what string, n, limit int) error {
	return ErrTooComplex.With("The query has %d %s; the limit is %d.", n, what, limit)
}

func checkBucket(path, grain string, bin float64) error {
	if grain != "" && bin != 0 {
		return ErrBin.With("%s has both a grain and a bin.", path)
	}
	if grain != "" && !contains(grains, grain) {
		return ErrGrain.With("%s has an unknown grain %q.%s", path, clip(grain), didYouMean(grain, grains))
	}
	if bin < 0 || math.IsNaN(bin) || math.IsInf(bin, 0) {
		return ErrBin.With("%s needs a bin above 0.", path)
	}
	return nil
}

func (m *Measure) check(path string, depth int) error {
	if depth >= maxNesting {
		return ErrTooComplex.With("%s is nested more than %d deep.", path, maxNesting)
	}
	if len(m.Filters) > maxFilters {
		return tooMany("filters in "+path, len(m.Filters), maxFilters)
	}
	for i := range m.Filters {
		filterPath := fmt.Sprintf("%s.filters[%d]", path, i)
		if m.Filters[i].Measure != "" {
			return ErrFilterShape.With("%s can only filter by a column.", filterPath)
		}
		if err := m.Filters[i].check(filterPath); err != nil {
			return err
		}
	}
	if m.Show != "" && m.Show != "share" && m.Show != "running" {
		return ErrMeasureShow.With("%s.show must be \"share\" or \"running\", not %q.", path, clip(m.Show))
	}
	if m.Show != "" && depth > 0 {
		return ErrMeasureShow.With("%s.show is only possible on a whole measure, not inside a ratio.", path)
	}
	if m.Measure != "" {
		if m.Fn != "" || m.Column != "" || m.Numerator != nil || m.Denominator != nil || m.Percentile != 0 {
			return ErrMeasureShape.With("%s names the saved measure %q, so it can have no function of its own.", path, clip(m.Measure))
		}
		return nil
	}
	if m.Fn == "" {
		return ErrMissingKey.With("%s needs \"fn\" (one of %s) or \"measure\".", path, strings.Join(measureFns, ", "))
	}
	if !contains(measureFns, m.Fn) {
		return ErrMeasureFn.With("%s has an unknown function %q.%s", path, clip(m.Fn), didYouMean(m.Fn, measureFns))
	}
	if m.Fn == "ratio" {
		if m.Numerator == nil || m.Denominator == nil || m.Column != "" {
			return ErrMeasureShape.With("%s is a ratio: it needs a numerator and a denominator and no column.", path)
		}
		if err := m.Numerator.check(path+".numerator", depth+1); err != nil {
			return err
		}
		return m.Denominator.check(path+".denominator", depth+1)
	}
	if m.Numerator != nil || m.Denominator != nil {
		return ErrMeasureShape.With("%s is no ratio, so it can have no numerator or denominator.", path)
	}
	if m.Column == "" && m.Fn != "count" {
		return ErrMeasureShape.With("%s needs a column for %s.", path, m.Fn)
	}
	if m.Fn == "percentile" && !(m.Percentile > 0 && m.Percentile < 100) {
		return ErrMeasureShape.With("%s.percentile must lie between 0 and 100, for example 95.", path)
	}
	if m.Fn != "percentile" && m.Percentile != 0 {
		return ErrMeasureShape.With("%s.percentile only goes with the function percentile.", path)
	}
	return nil
}

func (f *Filter) check(path string) error {
	if f.Column == "" && f.Measure == "" {
		return ErrMissingKey.With("%s needs a column or a measure.", path)
	}
	if f.Column != "" && f.Measure != "" {
		return ErrFilterShape.With("%s has both a column and a measure.", path)
	}
	if len(f.Values) > maxFilterValues {
		return tooMany("values in "+path, len(f.Values), maxFilterValues)
	}
	if f.Op == "" {
		return ErrMissingKey.With("%s needs \"op\", one of %s.", path, strings.Join(filterOps, ", "))
	}
	if !contains(filterOps, f.Op) {
		return ErrFilterOp.With("%s has an unknown operator %q.%s", path, clip(f.Op), didYouMean(f.Op, filterOps))
	}
	if err := checkBucket(path, f.Grain, f.Bin); err != nil {
		return err
	}
	if err := (&grouping{f.Groups, f.Other, f.Bins}).check(path, f.Grain != "" || f.Bin != 0 || f.Measure != ""); err != nil {
		return err
	}
	return f.checkShape(path)
}

// check tells whether groups or edges are whole; other tells that the values
// are grouped in another way already.
func (g *grouping) check(path string, other bool) error {
	values := 0
	for name, list := range g.Groups {
		if name == "" || len(list) == 0 {
			return ErrGroups.With("%s: each group needs a name and at least one value.", path)
		}
		values += len(list)
	}
	switch {
	case len(g.Groups) > maxGroups || len(g.Bins) > maxGroups:
		return tooMany("groups in "+path, max(len(g.Groups), len(g.Bins)), maxGroups)
	case values > maxFilterValues:
		return tooMany("values in the groups of "+path, values, maxFilterValues)
	case g.Groups != nil && len(g.Groups) == 0:
		return ErrGroups.With("%s has no group.", path)
	case g.Bins != nil && len(g.Bins) == 0:
		return ErrBin.With("%s has no edges of bins.", path)
	case g.Other != "" && len(g.Groups) == 0:
		return ErrGroups.With("%s: \"other\" names what no group has, so it goes with \"groups\".", path)
	case len(g.Groups) > 0 && (len(g.Bins) > 0 || other) || len(g.Bins) > 0 && other:
		return ErrGroups.With("%s: of grain, bin, bins and groups only one is possible.", path)
	}
	return nil
}

// checkShape tells whether the operator has the keys that it needs, and no others.
func (f *Filter) checkShape(path string) error {
	one, many, span, relative := false, false, false, false
	switch f.Op {
	case "in", "not_in":
		many = true
	case "=", "!=", "<", "<=", ">", ">=", "contains", "starts_with":
		one = true
	case "between":
		span = true
	case "last", "previous", "this":
		relative = true
	}
	if one && len(f.Values) != 1 {
		return ErrFilterShape.With("%s: the operator %s needs exactly one entry in \"values\", not %d.", path, f.Op, len(f.Values))
	}
	if many && f.Values == nil {
		return ErrFilterShape.With("%s: the operator %s needs \"values\".", path, f.Op)
	}
	if !one && !many && len(f.Values) > 0 {
		return ErrFilterShape.With("%s: the operator %s takes no \"values\".", path, f.Op)
	}
	if span && isNull(f.From) && isNull(f.To) {
		return ErrFilterShape.With("%s: the operator between needs \"from\" or \"to\" or both.", path)
	}
	if !span && (f.From != nil || f.To != nil) {
		return ErrFilterShape.With("%s: only the operator between takes \"from\" and \"to\".", path)
	}
	if !relative {
		if f.N != 0 || f.Unit != "" {
			return ErrFilterShape.With("%s: only the operators last, this and previous take \"n\" and \"unit\".", path)
		}
		return nil
	}
	if f.Measure != "" {
		return ErrFilterOp.With("%s: the operator %s goes with dates and timestamps only.", path, f.Op)
	}
	if f.Grain != "" || f.Bin != 0 {
		return ErrFilterShape.With("%s: the operator %s takes no grain and no bin.", path, f.Op)
	}
	if !contains(units, f.Unit) {
		return ErrFilterShape.With("%s: the operator %s needs a \"unit\", one of %s.", path, f.Op, strings.Join(units, ", "))
	}
	if f.Op == "this" && f.N != 0 && f.N != 1 {
		return ErrFilterShape.With("%s: the operator this takes no \"n\".", path)
	}
	if f.Op != "this" && (f.N < 1 || f.N > maxRelativeN) {
		return ErrFilterShape.With("%s: \"n\" must be between 1 and %d.", path, maxRelativeN)
	}
	return nil
}

// clip keeps a text of the user short enough to be quoted in a sentence.
func clip(s string) string {
	if len(s) <= 80 {
		return s
	}
	return strings.ToValidUTF8(s[:80], "") + "…"
}

package warehouse

import (
	"fmt"
	"sort"
	"strings"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can be wrong with a spec. Every sentence names the place.
var (
	// ErrSpecJSON covers text that is no JSON object at all.
	ErrSpecJSON = apperr.Define(apperr.Invalid, "query.invalid_json",
		"The query is not valid JSON.")
	ErrUnknownKey = apperr.Define(apperr.Invalid, "query.unknown_key",
		"The query has a key that does not exist.")
	ErrDuplicateKey = apperr.Define(apperr.Invalid, "query.duplicate_key",
		"The query has the same key twice.")
	ErrValueType = apperr.Define(apperr.Invalid, "query.value_type",
		"A key of the query has a value of the wrong type.")
	ErrMissingKey = apperr.Define(apperr.Invalid, "query.missing_key",
		"A key that the query needs is missing.")
	ErrTooComplex = apperr.Define(apperr.Invalid, "query.too_complex",
		"The query has too many parts.")
	ErrEmpty = apperr.Define(apperr.Invalid, "query.empty",
		"The query asks for nothing. Give it measures, dimensions or columns.")
	ErrMixedColumns = apperr.Define(apperr.Invalid, "query.mixed_columns",
		"A query asks either for columns (plain rows) or for measures and dimensions (groups), not for both.")

	ErrDiskFull = apperr.Define(apperr.Unavailable, "query.disk_full",
		"There is no room left on the disk to answer. Free some and try again.")

	ErrUnknownColumn = apperr.Define(apperr.Invalid, "query.unknown_column",
		"The dataset has no such column. It may have been renamed or removed.")
	ErrDroppedColumn = apperr.Define(apperr.Invalid, "query.dropped_column",
		"The column was dropped from the dataset.")
	ErrUnknownLookup = apperr.Define(apperr.Invalid, "query.unknown_lookup",
		"The dataset has no such lookup. It may have been renamed or removed.")
	ErrUnknownMeasure = apperr.Define(apperr.Invalid, "query.unknown_measure",
		"The dataset has no such saved measure. It may have been renamed or removed.")
	ErrFieldAggregate = apperr.Define(apperr.Invalid, "query.field_aggregate",
		"A calculated field with aggregates is a measure, not a column.")
	ErrRuleBroken = apperr.Define(apperr.Forbidden, "query.rule_broken",
		"A rule of this dataset can't be applied any more, so nothing of it is shown. An owner or an admin has to change the rule.")
	ErrRowsWithheld = apperr.Define(apperr.Forbidden, "query.rows_withheld",
		"Single rows of this dataset can't be shown to you.")
	ErrGroups = apperr.Define(apperr.Invalid, "query.groups",
		"The groups of values are not possible.")
	ErrUnknownResult = apperr.Define(apperr.Invalid, "query.unknown_result",
		"The query refers to a result column that it does not have.")
	ErrDuplicateName = apperr.Define(apperr.Invalid, "query.duplicate_name",
		"Two result columns have the same name.")
	ErrTimezone = apperr.Define(apperr.Invalid, "query.timezone",
		"The time zone is not known. Use an IANA name such as Europe/London.")
	ErrMeasureFn = apperr.Define(apperr.Invalid, "query.measure_function",
		"The function of a measure is not known.")
	ErrMeasureType = apperr.Define(apperr.Invalid, "query.measure_type",
		"The function of a measure does not fit the type of its column.")
	ErrMeasureShape = apperr.Define(apperr.Invalid, "query.measure",
		"A measure is not complete.")
	ErrMeasureShow = apperr.Define(apperr.Invalid, "query.measure_show",
		"A measure cannot be shown that way.")
	ErrGrain = apperr.Define(apperr.Invalid, "query.grain",
		"The grain does not fit the column.")
	ErrBin = apperr.Define(apperr.Invalid, "query.bin",
		"The width of bins does not fit the column.")
	ErrFilterOp = apperr.Define(apperr.Invalid, "query.filter_operator",
		"The operator of a filter is not known or does not fit the column.")
	ErrFilterType = apperr.Define(apperr.Invalid, "query.filter_type",
		"A value of a filter does not fit the type of its column.")
	ErrFilterShape = apperr.Define(apperr.Invalid, "query.filter",
		"A filter is not complete.")
	ErrLimit = apperr.Define(apperr.Invalid, "query.limit",
		"The limit or offset is out of range.")
	ErrOther = apperr.Define(apperr.Invalid, "query.other",
		"\"Other\" needs a limit, dimensions and no offset.")
	ErrComparison = apperr.Define(apperr.Invalid, "query.comparison",
		"The comparison is not possible.")
)

// What can go wrong with an answer.
var (
	ErrTooManyRows = apperr.Define(apperr.TooLarge, "query.too_many_rows",
		"The answer has more values than allowed. Group more coarsely or lower the limit.")
	ErrTooLarge = apperr.Define(apperr.TooLarge, "query.too_large",
		"The query needs more memory than allowed. Ask for fewer groups, a shorter span or fewer distinct values.")
	ErrTimeout = apperr.Define(apperr.Timeout, "query.timeout",
		"The query took too long and was stopped. Try a shorter span or a coarser grouping.")
	ErrBusy = apperr.Define(apperr.RateLimited, "query.busy",
		"Too many queries are waiting. Please try again in a moment.")
	ErrOverflow = apperr.Define(apperr.Invalid, "query.overflow",
		"A number of the query became too large to compute.")
	ErrClosed = apperr.Define(apperr.Unavailable, "query.closed",
		"The server is shutting down. Please try again in a moment.")
)

// didYouMean lists the up to three candidates nearest to name as a sentence of
// its own, or nothing where none is near.
func didYouMean(name string, candidates []string) string {
	near := nearest(name, candidates, 3)
	if len(near) == 0 {
		return ""
	}
	quoted := make([]string, len(near))
	for i, n := range near {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	if len(quoted) == 1 {
		return " Did you mean " + quoted[0] + "?"
	}
	last := len(quoted) - 1
	return " Did you mean " + strings.Join(quoted[:last], ", ") + " or " + quoted[last] + "?"
}

// nearest gives up to n candidates that look like name, the nearest first.
func nearest(name string, candidates []string, n int) []string {
	type scored struct {
		name     string
		distance int
	}
	wanted := strings.ToLower(name)
	if len(wanted) > 64 {
		wanted = wanted[:64]
	}
	var near []scored
	for _, c := range candidates {
		lower := strings.ToLower(c)
		if len(lower) > 64 {
			lower = lower[:64]
		}
		d := editDistance(wanted, lower)
		allowed := max(1, len(wanted)/3)
		if len(wanted) >= 3 && (strings.Contains(lower, wanted) || strings.Contains(wanted, lower) && len(lower) >= 3) {
			d = min(d, allowed)
		}
		if d <= allowed && d < max(len(wanted), len(lower)) { // they have something in common
			near = append(near, scored{c, d})
		}
	}
	sort.Slice(near, func(i, j int) bool {
		if near[i].distance != near[j].distance {
			return near[i].distance < near[j].distance
		}
		return near[i].name < near[j].name
	})
	if len(near) > n {
		near = near[:n]
	}
	names := make([]string, len(near))
	for i, s := range near {
		names[i] = s.name
	}
	return names
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbouring bytes.
func editDistance(a, b string) int {
	before := make([]int, len(b)+1)
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}

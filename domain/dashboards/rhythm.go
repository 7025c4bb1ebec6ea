package dashboards

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// rhythmDays is how many of the newest days tell how often data come.
const rhythmDays = 100

// rhythm is the grain at which the values of a date column come, where that is
// coarser than a day: figures of a month, whichever day they are dated, make no
// line of weeks. "" for days and finer, and where too few are there to tell.
func (s *Service) rhythm(ctx context.Context, v *View, dataset ids.Dataset, column string, bounds Days) (string, error) {
	if bounds.Count() < 14 {
		return "", nil
	}
	since := json.RawMessage(strconv.Quote((bounds.To - rhythmDays + 1).String()))
	days, err := s.moments(ctx, v, dataset, column, "day", warehouse.Filter{Column: column, Op: ">=", Values: []json.RawMessage{since}})
	if err != nil {
		return "", err
	}
	switch {
	case different(days, "month") && bounds.Count() >= 3*28:
	case different(days, "week") && len(days) > 2:
		return "week", nil
	default:
		return "", nil
	}
	months, err := s.moments(ctx, v, dataset, column, "month")
	switch {
	case err != nil || len(months) < 3:
		return "", err
	case different(months, "year"):
		return "year", nil
	case different(months, "quarter"):
		return "quarter", nil
	}
	return "month", nil
}

// moments are the newest buckets that have rows.
func (s *Service) moments(ctx context.Context, v *View, dataset ids.Dataset, column, grain string, filters ...warehouse.Filter) ([]time.Time, error) {
	r, err := s.ask(ctx, v, &Plan{exact: true}, warehouse.Spec{Dataset: dataset.String(), Timezone: v.Zone.String(), Fields: v.Dashboard.Config.fields(dataset),
		Dimensions: []warehouse.Dimension{{Column: column, Grain: grain, As: "at"}}, Measures: []warehouse.Measure{{Fn: "count", As: "n"}},
		Filters: filters, Order: []warehouse.Order{{By: "at", Desc: true}}, Limit: 2 * rhythmDays})
	if err != nil {
		return nil, err
	}
	var list []time.Time
	for i := range r.Rows {
		if c := &r.Columns[0]; !c.IsNull(i) {
			list = append(list, Day(c.Ints[i]).Time())
		}
	}
	return list, nil
}

// different tells whether each of some days lies in a bucket of its own.
func different(days []time.Time, grain string) bool {
	seen := map[[2]int]bool{}
	for _, t := range days {
		var bucket [2]int
		switch grain {
		case "week":
			bucket[0], bucket[1] = t.ISOWeek()
		case "month":
			bucket = [2]int{t.Year(), int(t.Month())}
		case "quarter":
			bucket = [2]int{t.Year(), (int(t.Month()) - 1) / 3}
		case "year":
			bucket[0] = t.Year()
		}
		if seen[bucket] {
			return false
		}
		seen[bucket] = true
	}
	return len(days) > 0
}

// grainRanks orders the grains of "auto".
var grainRanks = map[string]int{"hour": 1, "day": 2, "week": 3, "month": 4, "quarter": 5, "year": 6}

// coarser is the longer of two grains.
func coarser(a, b string) string {
	if grainRanks[b] > grainRanks[a] {
		return b
	}
	return a
}

package dashboards

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// rhythm is the grain at which the values of a date column come, where that is
// coarser than a day: figures of a month, whichever day they are dated, make no
// line of weeks. "" for days and finer, and where too few are there to tell. What
// lies ahead does not count, unless all does: a stray row would decide.
func (s *Service) rhythm(ctx context.Context, v *View, dataset ids.Dataset, column string, bounds Days) (string, error) {
	const lately, many = 100, 25 // days looked at first, and from how many on data come by the day
	if bounds.Count() < 14 {
		return "", nil
	}
	last := bounds.To
	if v.today >= bounds.From {
		last = min(last, v.today)
	}
	days, err := s.moments(ctx, v, dataset, column, Days{last - lately + 1, last})
	if err == nil && len(days) < many {
		days, err = s.moments(ctx, v, dataset, column, Days{bounds.From, last})
	}
	if err != nil || len(days) < 3 {
		return "", err
	}
	for _, grain := range []string{"year", "quarter", "month", "week"} {
		// Few come twice: a correction is dated as it is made.
		if n := buckets(days, grain); n > 2 && len(days) <= n+n/6 {
			return grain, nil
		}
	}
	return "", nil
}

// moments are the newest days of a span that have rows.
func (s *Service) moments(ctx context.Context, v *View, dataset ids.Dataset, column string, within Days) ([]time.Time, error) {
	day := func(d Day) json.RawMessage { return json.RawMessage(strconv.Quote(d.String())) }
	r, err := s.ask(ctx, v, &Plan{exact: true}, warehouse.Spec{Dataset: dataset.String(), Timezone: v.Zone.String(), Fields: v.Dashboard.Config.fields(dataset),
		Dimensions: []warehouse.Dimension{{Column: column, Grain: "day", As: "at"}}, Measures: []warehouse.Measure{{Fn: "count", As: "n"}},
		Filters: []warehouse.Filter{{Column: column, Op: "between", From: day(within.From), To: day(within.To)}},
		Order:   []warehouse.Order{{By: "at", Desc: true}}, Limit: 400})
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

// buckets counts the buckets that days lie in.
func buckets(days []time.Time, grain string) int {
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
		seen[bucket] = true
	}
	return len(seen)
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

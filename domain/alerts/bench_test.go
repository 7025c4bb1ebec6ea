package alerts_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// BenchmarkThousandAlerts evaluates 1,000 alerts on one dataset after a change
// of it, a quarter of them for each region, all states written. The goal is 2 s.
func BenchmarkThousandAlerts(b *testing.B) {
	r := newRig(b)
	request := datasets.AppendRequest{Columns: []string{"at", "region", "amount"}}
	for i := range 40_000 {
		request.Rows = append(request.Rows, []any{r.clock().AddDate(0, 0, -1-i%90).Add(-time.Duration(i%500) * time.Minute), fmt.Sprintf("region %d", i%8), i % 997})
	}
	if _, err := r.datasets.AppendRows(b.Context(), r.bob, r.sales, request); err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		w := r.total()
		w.Measure.Fn = []string{"sum", "avg", "min", "max", "median", "count_distinct"}[i%6]
		if i%4 == 0 {
			w.Dimensions, w.By = []warehouse.Dimension{{Column: "region"}}, []string{"Region"}
		}
		c := below(float64(i % 50))
		if i%3 == 0 {
			c = alerts.Condition{Kind: alerts.Change, Side: alerts.Outside, Value: 100 + float64(i), Back: 1 + i%7}
		}
		if _, err := r.Create(b.Context(), r.bob, alerts.NewAlert{Watch: w, Form: alerts.Form{Name: fmt.Sprintf("Alert %d", i), Condition: c,
			Manner: alerts.Manner{Zone: "UTC"}, Users: []ids.User{r.bob.UserID}}}); err != nil {
			b.Fatal(err)
		}
	}
	r.pass(2 * time.Second)
	r.work() // the first states
	for b.Loop() {
		b.StopTimer()
		r.pass(time.Minute)
		r.sell(0, map[string]int{"region 1": 5})
		b.StartTimer()
		r.work("alerts:evaluate")
	}
}

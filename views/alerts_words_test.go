package views

import (
	"testing"

	"github.com/dataflowhq/dataflow/domain/alerts"
)

// Of several groups without new data each is named.
func TestGroupsWithoutNewDataAreNamed(t *testing.T) {
	age, usual := 180.0, 60.0
	n := alerts.Notice{Cause: alerts.CauseFiring, Label: "Sales", Count: 2, Condition: alerts.Condition{Kind: alerts.Stale},
		Groups: []alerts.Spot{{Labels: []string{"North"}, Value: &age, High: &usual}, {Labels: []string{"South"}, Value: &age, High: &usual}}}
	const want = "North: no new data for 3\u00a0h; at most 1\u00a0h is usual. South: no new data for 3\u00a0h; at most 1\u00a0h is usual."
	if got := AlertWords(t.Context(), "en", n); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

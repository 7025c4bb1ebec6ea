package views

import (
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/platform/locale"
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

// Of an alert whose owner left nobody is said to see other rows.
func TestWhyThereAreNoValues(t *testing.T) {
	t.Parallel()
	for why, want := range map[string]string{"": "Rosy sees other rows than you", "person": "Rosy sees other rows than you", "owner_left": "Rosy, whose rows it watched, left the workspace"} {
		p := AlertProps{Alert: alerts.Alert{PausedWhy: why, OwnerName: "Rosy", Hidden: true}, Locale: locale.For("en-GB")}
		var page strings.Builder
		if err := alertGroups(p).Render(t.Context(), &page); err != nil || !strings.Contains(page.String(), want) {
			t.Errorf("%s: %s, %v", why, page.String(), err)
		}
	}
}

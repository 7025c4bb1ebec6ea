package views

import (
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
)

// TestWithheldIsSaid: who sees nothing for a rule on groups is not told that there is
// no data, nor that a role lacks something.
func TestWithheldIsSaid(t *testing.T) {
	ctx := t.Context()
	tile := &dashboards.Tile{Dataset: "Cases", Drawing: &charts.Drawing{State: charts.Empty, Sparse: true, Few: true}, Filters: []dashboards.FilterNote{{Field: "Note", Text: "alpha"}}}
	for _, text := range []string{noValueText(ctx, tile), noValueTitle(ctx, tile), emptyText(ctx, tile), forbiddenTitle(ctx, dashboards.ErrRowsWithheld), forbiddenText(ctx, dashboards.ErrRowsWithheld)} {
		if !strings.Contains(text, "rule") {
			t.Errorf("%q says nothing of the rule", text)
		}
	}
}

package views

import (
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
)

func TestTablesTellTheirLengths(t *testing.T) {
	g := &charts.Grid{
		Columns: []charts.GridColumn{{Label: "On", Time: true}, {Label: "Airport"}, {Label: "Flights", Number: true}},
		Rows: []charts.GridRow{
			{Cells: []charts.GridCell{{Text: "1 Jan 2026", Bar: -1}, {Text: "Düsseldorf", Sub: "DUS", Bar: -1}, {Text: "225.8k", Bar: 100}}},
			{Cells: []charts.GridCell{{Text: "2 Jan 2026", Bar: -1}, {Text: "Graz", Sub: "GRZ", Bar: -1}, {Text: "9.3k", Bar: 4}}},
		},
	}
	if got := gridLengths(g); got != "--names:13;--chars:6" {
		t.Errorf("the table says %q", got)
	}
	var page strings.Builder
	if err := tileGrid(TileProps{}, g).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	// What may be cut is the name, and nothing else.
	if n := strings.Count(page.String(), `class="cell-name"`); n != 2 {
		t.Errorf("%d cells may be cut", n)
	}
}

package views

import (
	"bytes"
	"strings"
	"testing"
)

func TestOneLimitOfSeveralDatasetsIsOneChip(t *testing.T) {
	t.Parallel()
	const limit = "state = CA, NV"
	sight := Sight{Rules: []SightRule{{Dataset: "Flights", Text: limit}, {Dataset: "Delays", Text: limit}, {Dataset: "Delays", Text: limit},
		{Dataset: "Airports", Text: "city is hidden"}, {Dataset: "Cases", Text: "Nothing until “state” is set", Nothing: true}}}
	var page bytes.Buffer
	if err := SightCell(sight).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	got := page.String()
	for part, want := range map[string]int{`class="tag`: 3, `title="Flights, Delays: ` + limit: 1, `title="Airports: city is hidden"`: 1,
		`title="Cases: Nothing until “state” is set"`: 1, `caption`: 0} {
		if n := strings.Count(got, part); n != want {
			t.Errorf("%q is there %d times, want %d: %s", part, n, want, got)
		}
	}
	if strings.Index(got, "Cases") > strings.Index(got, "Flights") {
		t.Errorf("what leaves nothing is not the first: %s", got)
	}
}

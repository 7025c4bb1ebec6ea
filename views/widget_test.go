package views

import (
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/locale"
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

// A target stands in the text also where a threshold has a word of its own.
func TestAKPIShowsItsTargetBesideTheWordOfAThreshold(t *testing.T) {
	for name, c := range map[string]struct {
		status *charts.Status
		want   string
	}{
		"both":        {&charts.Status{Tone: charts.Good, Label: "Good", Target: "900k", Share: "96%"}, "Target 900k"},
		"a target":    {&charts.Status{Tone: charts.Good, Target: "900k", Share: "96%"}, ""}, // the tag has it
		"a threshold": {&charts.Status{Tone: charts.Good, Label: "Good"}, ""},
		"neither":     {nil, ""},
	} {
		tile := &dashboards.Tile{Type: charts.KPI, Drawing: &charts.Drawing{KPI: &charts.Figure{Text: "1.2M", Full: "1,200,000", Status: c.status}}}
		var page strings.Builder
		if err := tileKPI(TileProps{Tile: tile}).Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(page.String(), `<span class="kpi-target">Target 900k</span>`); got != (c.want != "") {
			t.Errorf("%s: %s", name, page.String())
		}
	}
}

// Where a tag has no room for all, its number stands alone; the whole stays its text
// and its tooltip.
func TestATagBesideANameHasParts(t *testing.T) {
	for name, c := range map[string]struct {
		status        charts.Status
		shows, titled string
	}{
		"a share":     {charts.Status{Tone: charts.Good, Target: "£4.00M", Share: "136%"}, `<span>136%</span><span> of target</span>`, "136% of target · Target £4.00M"},
		"a word":      {charts.Status{Tone: charts.Warn, Label: "Nearly there", Target: "50%", Share: "96%"}, `<span>Nearly there</span>`, "Nearly there · Target 50%"},
		"a threshold": {charts.Status{Tone: charts.Bad}, `<span>Off target</span>`, "Off target"},
	} {
		var tag strings.Builder
		if err := statusInLine(&c.status).Render(t.Context(), &tag); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(tag.String(), c.shows) || !strings.Contains(tag.String(), `title="`+c.titled+`"`) {
			t.Errorf("%s: %s", name, tag.String())
		}
	}
}

// The panel, the figure and the sentence on paper say where the earlier span is cut.
func TestWhatIsComparedIsCutWhereItSays(t *testing.T) {
	day := func(m time.Month, d int) dashboards.Day {
		return dashboards.DayOf(time.Date(2026, m, d, 0, 0, 0, 0, time.UTC))
	}
	e := &dashboards.Explained{Previous: &dashboards.Days{From: day(10, 5), To: day(11, 1)}, UpTo: time.Date(2026, 11, 1, 9, 45, 0, 0, time.UTC),
		Values: []dashboards.ExplainedValue{{Name: "Net sales", Before: "£3,374,549.21"}}}
	p := ExplainProps{Explained: e, Locale: locale.Default()}
	if got, want := p.compared(t.Context()), "The same over 5 Oct – 1 Nov 2026, 28 days, up to 1 Nov 2026, 09:45 · Net sales £3,374,549.21"; got != want {
		t.Errorf("the panel says %q, not %q", got, want)
	}
	e.UpTo = time.Time{}
	if got, want := p.compared(t.Context()), "The same over 5 Oct – 1 Nov 2026, 28 days · Net sales £3,374,549.21"; got != want {
		t.Errorf("without a cut the panel says %q", got)
	}
	tile := &dashboards.Tile{Type: charts.KPI, Title: "Net sales", Drawing: &charts.Drawing{KPI: &charts.Figure{Text: "£3.52M", Full: "£3.52M", Delta: "4.5%", Arrow: 1,
		Against: "£3.37M", UpTo: "up to 1 Nov 2026, 09:45", Over: "Previous 28 days, up to 1 Nov 2026, 09:45"}}}
	var page strings.Builder
	if err := tileKPI(TileProps{Tile: tile}).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.String(), `title="Previous 28 days, up to 1 Nov 2026, 09:45"`) {
		t.Errorf("no word of the cut in %s", page.String())
	}
	if got, want := kpiSentence(t.Context(), tile), "Net sales rose 4.5% to £3.52M, from £3.37M (up to 1 Nov 2026, 09:45)."; got != want {
		t.Errorf("on paper: %q", got)
	}
}

func TestASampleSaysWhatWasRead(t *testing.T) {
	p := ExplainProps{Explained: &dashboards.Explained{Scanned: 12_000_000, Read: 3, All: 3}, Locale: locale.Default()}
	if got := p.scanned(t.Context()); got != "12,000,000 in 3 of 3 segments" {
		t.Errorf("of all rows: %q", got)
	}
	p.Explained.Sampled = &dashboards.Sampled{Rate: 10, Error: 0.006}
	if got := p.scanned(t.Context()); got != "A sample, 1 in 10 of 12,000,000 in 3 of 3 segments" {
		t.Errorf("of a sample: %q", got)
	}
}

func TestAFailedFigureOffersItsLastAnswer(t *testing.T) {
	for _, typ := range []charts.Type{charts.KPI, charts.Line} {
		tile := &dashboards.Tile{ID: "w", Type: typ, Err: dashboards.ErrNotFound, LastGood: &dashboards.LastGood{At: "1"}}
		var page strings.Builder
		if err := tileFailed(TileProps{Tile: tile, LastGoodAt: "14:31"}).Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(page.String(), "14:31") {
			t.Errorf("%s: %s", typ, page.String())
		}
	}
}

func TestTooMuchOffersAShorterRange(t *testing.T) {
	fit := charts.Message{Key: "charts.fit.grain", Args: []any{"Grain", "hour"}}
	for days, want := range map[int]string{28: "Last 28 days", 1: "Last day", 0: ""} {
		tile := &dashboards.Tile{ID: "w", Type: charts.Line, Drawing: &charts.Drawing{State: charts.TooMuch, Fit: fit, FitDays: days}}
		if days > 0 {
			tile.Shorter, tile.ShorterDays = "2026-11-01~2026-11-28", days
		}
		var page strings.Builder
		if err := tileTooMuch(TileProps{Tile: tile, Locale: locale.Default()}).Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(page.String(), "<button") || strings.Contains(page.String(), "<a "); got != (want != "") || !strings.Contains(page.String(), want) {
			t.Errorf("%d days: %s", days, page.String())
		}
	}
}

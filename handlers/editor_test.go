package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/views"
)

// TestEveryKindStandsThereBeforeItIsSetUp opens a dashboard of widgets that
// nobody has told anything yet, in the editor and as it is published.
func TestEveryKindStandsThereBeforeItIsSetUp(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	for _, dataset := range []ids.Dataset{s.dataset, {}} {
		config := dashboards.Config{Dataset: dataset, Widgets: map[string]dashboards.Widget{}}
		for i, kind := range charts.Types() {
			w := dashboards.Widget{Title: "A " + string(kind), Layout: dashboards.Layout{Y: 10 * i, W: 12, H: 8}}
			w.Type = kind
			config.Widgets[strings.ReplaceAll(string(kind), "_", "-")] = w
		}
		d, err := s.Dashboards.Create(t.Context(), s.editor(), dashboards.NewDashboard{Name: "Empty", Config: config})
		if err != nil {
			t.Fatal(err)
		}
		b := s.as(t, "editor")
		for _, path := range []string{views.PathDashboard(d.ID.String()), views.PathEditor(d.ID.String())} {
			page := b.get(path).want(http.StatusOK)
			for id := range config.Widgets {
				// Viewers are not shown what waits to be set up.
				if path == views.PathEditor(d.ID.String()) && page.page.Find("[data-widget="+id+"]").Length() != 1 {
					t.Errorf("%s: %s is not there", path, id)
				}
			}
			if strings.Contains(page.body, "internal.error") {
				t.Errorf("%s: something went wrong in a widget", path)
			}
		}
	}
}

// TestAMistakeInDrawingStaysInItsWidget has one drawn that says it is a picture
// and has none.
func TestAMistakeInDrawingStaysInItsWidget(t *testing.T) {
	t.Parallel()
	html, err := tileHTML(t.Context(), &dashboards.View{}, &dashboards.Tile{ID: "picture", Type: charts.Image, Title: "Broken"})
	if err != nil || !strings.Contains(string(html), "internal.error") || strings.Contains(string(html), "nil pointer") {
		t.Errorf("%v\n%s", err, html)
	}
}

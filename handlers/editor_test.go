package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse"
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

// TestAnEditorOpensWithoutItsDataset: where to choose another is there.
func TestAnEditorOpensWithoutItsDataset(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	other, err := s.Datasets.Create(t.Context(), s.editor(), datasets.NewDataset{Name: "Other", Columns: []datasets.NewColumn{{Name: "n", Type: warehouse.Integer}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Datasets.Delete(t.Context(), s.editor(), s.dataset); err != nil {
		t.Fatal(err)
	}
	b := s.as(t, "editor")
	page := b.get(s.path("/edit")).want(http.StatusOK).shows("#fields", "Choose another one").shows("[data-field-dataset]", "Other")
	if page.page.Find("[data-widget]").Length() != 6 {
		t.Errorf("%d widgets", page.page.Find("[data-widget]").Length())
	}
	b.get(s.path("/edit/fields")).want(http.StatusOK).shows("p", "is gone")
	b.sendJSON(s.path("/edit/act"), `{"rev":0,"act":{"kind":"add_widget","type":"text"}}`).want(http.StatusOK)
	b.sendJSON(s.path("/edit/act"), `{"rev":0,"act":{"kind":"add_field","dataset":"`+other.String()+`","field":"n"}}`).want(http.StatusOK)
	b.sendJSON(s.path("/operations"), `{"rev":0,"mode":"merge","operations":[{"op_id":"`+uuid.NewString()+`","path":"/dataset","after":"`+other.String()+`"}]}`).want(http.StatusOK)
	b.get(s.path("/edit")).want(http.StatusOK).lacks("#fields .palette-none")
}

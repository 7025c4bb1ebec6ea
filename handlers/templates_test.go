package handlers

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse"
)

// A dashboard becomes a template, and the template a dashboard over other data.
func TestATemplateIsSavedAndUsed(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	other, err := s.Datasets.Create(t.Context(), s.editor(), datasets.NewDataset{Name: "Visits", TimeColumn: "visited_at", Columns: []datasets.NewColumn{
		{Name: "visited_at", Type: warehouse.Timestamp}, {Name: "sales_channel", Type: warehouse.Text}, {Name: "pages", Type: warehouse.Integer}}})
	if err != nil {
		t.Fatal(err)
	}
	b := s.as(t, "editor")
	b.get(s.path("/template")).want(http.StatusOK).shows("#save-template", "Save as template")
	b.post(s.path("/template"), "name", " ").want(http.StatusUnprocessableEntity).shows("#template-name-error", "A name has 1 to 120 characters.")
	b.post(s.path("/template"), "name", "Shops", "about", "Weekly").want(http.StatusSeeOther)
	b.get(views.PathNewDashboard).shows("#new-board a", "Shops")
	b.get(views.PathTemplates).want(http.StatusOK).shows(".version-line", "Shops").shows(".version-line", "Weekly")
	list, err := s.Dashboards.ListTemplates(t.Context(), s.editor())
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	id := list[0].ID
	b.get(views.PathTemplate(id)).want(http.StatusOK).shows("[data-widget=sum]", "Complete")

	// Over the other data, the page proposes what it can find.
	choice := url.Values{"d." + s.dataset.String(): {other.String()}, "name": {"Web"}}
	page := b.get(views.PathTemplate(id)+"?"+choice.Encode()).want(http.StatusOK).shows("[data-stands-for=channel] option[selected]", "sales_channel").
		shows("[data-stands-for=at] option[selected]", "visited_at").shows("#template-fit tr", "Similar name")
	if name, _ := page.page.Find("#template-board").Attr("value"); name != "Web" {
		t.Errorf("the name that was typed is %q", name)
	}
	field, _ := page.page.Find("[data-stands-for=channel]").Attr("name")
	choice.Set("was."+s.dataset.String(), other.String())
	choice.Set(field, "")
	b.get(views.PathTemplate(id)+"?"+choice.Encode()).want(http.StatusOK).shows("#template-fit li", "To be set up, without Channel").
		shows("#template-fit tr", "Your choice")
	// What was chosen of another dataset counts no more.
	choice.Set("was."+s.dataset.String(), s.dataset.String())
	b.get(views.PathTemplate(id) + "?" + choice.Encode()).lacks("#template-fit li:contains('without Channel')")

	made := b.post(views.PathTemplate(id), "name", "Web", "d."+s.dataset.String(), other.String()).want(http.StatusSeeOther)
	path := regexp.MustCompile(`/dashboards/([0-9a-f-]{36})/edit`).FindStringSubmatch(made.header.Get("Location"))
	if path == nil {
		t.Fatalf("went to %q", made.header.Get("Location"))
	}
	board, err := ids.Parse[ids.Dashboard](path[1])
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Dashboards.GetDraft(t.Context(), s.editor(), board)
	if err != nil || d.Name != "Web" || d.Config.Dataset != other || !d.Unpublished {
		t.Errorf("%+v, %v", d, err)
	}
	b.post(views.PathTemplate(id), "name", "Web", "d."+s.dataset.String(), "").want(http.StatusUnprocessableEntity)

	gone := b.post(views.PathTemplate(id) + "/delete").want(http.StatusSeeOther)
	b.get(gone.header.Get("Location")).shows(".notice", "The template “Shops” was deleted.").shows(".empty", "No templates yet")
	b.get(views.PathTemplate(id)).want(http.StatusNotFound)
	back := b.post(views.PathDashboards+"/undo", "back", views.PathTemplates).want(http.StatusSeeOther)
	if got := back.header.Get("Location"); got != views.PathTemplates {
		t.Errorf("went to %q", got)
	}
	b.get(views.PathTemplates).shows(".version-line", "Shops")

	viewer := s.as(t, "viewer")
	for _, path := range []string{views.PathTemplates, views.PathTemplate(id)} {
		if page := viewer.get(path).want(http.StatusForbidden); strings.Contains(page.body, "Shops") {
			t.Errorf("%s tells a viewer of it", path)
		}
	}
}

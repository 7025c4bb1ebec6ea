package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/views"
)

// The search of every page finds what the person may see, and nothing of
// another workspace.
func TestSearchFindsDatasetsAndFields(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	editor := s.as(t, "editor")
	dataset := s.load(t, editor, "shop", shop)
	partial := map[string]string{"HX-Request": "true"}
	find := func(b *browser, words string) answer {
		return b.request(http.MethodGet, views.PathSearch+"?q="+words, partial).want(http.StatusOK)
	}
	found := find(editor, "shop")
	found.shows(`a[href="`+dataset+`"]`, "shop").shows(`[role=group]`, "rows")
	found = find(editor, "amount")
	found.shows(`a[href="`+dataset+`#column-4"]`, "amount").lacks(`a[href="` + dataset + `"]`)
	find(editor, "shop+amount").shows(`a[href="`+dataset+`#column-4"]`, "shop")
	editor.post(dataset+"/fields", "name", "twice", "expression", "[amount] * 2")
	find(editor, "twice").shows(`a[href="`+views.PathDatasetTab(strings.TrimPrefix(dataset, "/datasets/"), views.TabFields)+`"]`, "twice")
	find(s.as(t, "foreign"), "twice").lacks("a")
	find(editor, "%25").lacks("a")
	find(editor, "").lacks("a")
	find(s.as(t, "viewer"), "amount").shows("a", "amount")
	find(s.as(t, "foreign"), "shop").lacks("a")
	find(s.as(t, "foreign"), "amount").lacks("a")
	// Opened directly it is the list of dashboards.
	editor.get(views.PathSearch + "?q=shop").leadsTo(views.PathDashboards + "?q=shop")
	editor.get(dataset).shows("tr#column-4", "amount")
	editor.get("/datasets?q=SHOP").shows("tbody", "shop").shows(".toolbar", "rows")
	editor.get("/datasets?q=nothing").shows(".empty", "No dataset")
}

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

// TestValuesArePutTogether opens the dialog of a field, saves what it makes,
// and reads the groups from the chart, its table and its file.
func TestValuesArePutTogether(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "editor")
	b.get(s.path("/edit/inspector?widget=bars")).want(http.StatusOK).shows(".chip-groups:not(:has(.num))", "")
	groups := s.path("/edit/widgets/bars/groups")
	const spot = "?well=x&index=0&expect=channel"
	dialog := b.get(groups+spot).want(http.StatusOK).shows("#group-values h2", "Groups of Channel").shows(".filter-label", "</script><i>").shows(".filter-count", "40")
	if n := dialog.page.Find("[data-list] input").Length(); n != 3 {
		t.Errorf("%d values", n)
	}
	found := b.get(groups+"/values"+spot+"&q=pho").want(http.StatusOK).shows(".filter-label", "=phone")
	if n := found.page.Find("input").Length(); n != 1 {
		t.Errorf("%d values with that in them", n)
	}
	b.get(groups+"/values"+spot+"&q=nothing").want(http.StatusOK).shows(".filter-none", "No value")
	for path, status := range map[string]int{
		groups + "?well=value&index=0":                                 http.StatusUnprocessableEntity,
		groups + "?well=x&index=0&expect=other":                        http.StatusUnprocessableEntity,
		groups + "?well=x&index=first":                                 http.StatusUnprocessableEntity,
		s.path("/edit/widgets/line/groups?well=x"):                     http.StatusUnprocessableEntity,
		s.path("/edit/widgets/nothing/groups?well=x"):                  http.StatusNotFound,
		s.path("/widgets/bars/groups") + spot:                          http.StatusNotFound,
		s.path("/edit/widgets/bars/groups/values?well=series&index=4"): http.StatusUnprocessableEntity,
	} {
		b.get(path).want(status)
	}
	s.as(t, "viewer").get(groups + spot).want(http.StatusForbidden)

	save := func(set string) answer {
		t.Helper()
		return b.sendJSON(s.path("/edit/act"), `{"rev":0,"act":{"kind":"set_field","widget":"bars","well":"x","index":0,"expect":"channel","set":{"groups":`+set+`}}}`)
	}
	if refused := save(`{"groups":[{"name":"Net","values":["web"]},{"name":"net","values":["=phone"]}]}`).want(http.StatusUnprocessableEntity); !strings.Contains(refused.body, "two groups called") {
		t.Errorf("refused as %s", refused.body)
	}
	save(`{"groups":[{"name":"On the net","values":["web"]}],"other":"Elsewhere"}`).want(http.StatusOK)
	b.get(s.path("/edit/inspector?widget=bars")).shows(".chip-groups .num", "1")
	b.get(groups+spot).shows("[data-word=web]", "web").shows("#group-values [data-other][value=Elsewhere]", "")
	// 40 orders are of the web, their amounts 1, 4, … 118; the others come to the rest of 7,260.
	b.get(s.path("/edit/widgets/bars/table")).want(http.StatusOK).shows("tbody", "On the net").shows("tbody", "2,380").shows("tbody", "Elsewhere").shows("tbody", "4,880")
	if file := b.get(s.path("/edit/widgets/bars/data.csv")).want(http.StatusOK).body; !strings.Contains(file, "Elsewhere,4880") || !strings.Contains(file, "On the net,2380") {
		t.Errorf("the file says\n%s", file)
	}
	// A mark of a group filters by all that is in it.
	b.get(s.path("/edit?x.bars=Elsewhere")).want(http.StatusOK).shows("#w-sum .kpi-value", "4,880")
	// As one change it is taken back.
	b.sendJSON(s.path("/undo"), `{"rev":0,"change_id":"`+uuid.NewString()+`"}`).want(http.StatusOK)
	b.get(s.path("/edit/inspector?widget=bars")).shows(".chip-groups:not(:has(.num))", "")
	b.get(s.path("/edit/widgets/bars/table")).shows("tbody", "=phone")
}

// TestAnUndoThatAsksDoesSoInWords has two people change one title, and compares the
// versions of it with each other.
func TestAnUndoThatAsksDoesSoInWords(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b, other := s.as(t, "editor"), s.as(t, "owner")
	write := func(who *browser, title string) answer {
		t.Helper()
		return who.sendJSON(s.path("/operations"), `{"rev":0,"mode":"merge","change_id":"`+uuid.NewString()+`","operations":[{"op_id":"`+uuid.NewString()+`","path":"/widgets/sum/title","after":"`+title+`"}]}`).want(http.StatusOK)
	}
	was := s.board.Config.Widgets["sum"].Title
	write(b, "First")
	b.post(s.path("/versions"), "name", "With first").want(http.StatusSeeOther)
	write(other, "Second")
	b.post(s.path("/versions"), "name", "With second").want(http.StatusSeeOther)
	asks := b.sendJSON(s.path("/undo"), `{"rev":0,"change_id":"`+uuid.NewString()+`"}`).want(http.StatusConflict)
	for _, want := range []string{"renamed “First” to “Second” since.", "Undo would name it “" + was + "” again."} {
		if !strings.Contains(asks.body, want) {
			t.Errorf("no %q in %s", want, asks.body)
		}
	}
	// Left as it is, the question is passed over, and redo brings it back.
	passed := b.sendJSON(s.path("/undo"), `{"rev":0,"leave":true,"change_id":"`+uuid.NewString()+`"}`).want(http.StatusOK)
	if !strings.Contains(passed.body, `"redo":`) || strings.Contains(passed.body, `"undo":`) {
		t.Errorf("passed over: %s", passed.body)
	}
	b.sendJSON(s.path("/redo"), `{"rev":0,"change_id":"`+uuid.NewString()+`"}`).want(http.StatusConflict)
	// Whoever has not seen it is told what was there.
	if taken := write(b, "Third"); !strings.Contains(taken.body, "had named it “Second” meanwhile. Your change took its place.") {
		t.Errorf("what it replaced: %s", taken.body)
	}
	page := b.get(s.path("/versions?from=1&to=2")).want(http.StatusOK).
		shows(".version-changes", "Second was changed").shows(".version-changes ul li", "Title: from “First” to “Second”").
		shows("form#compare-versions[method=get] button", "Compare")
	picked := page.page.Find("input[type=radio][form=compare-versions][checked]")
	if picked.Length() != 2 || picked.Filter("[name=from][value='1'][aria-label='Before: With first']").Length() != 1 || picked.Filter("[name=to][value='2']").Length() != 1 {
		t.Errorf("%d are picked", picked.Length())
	}
	if n := page.page.Find("input[name=from]").Length(); n != 3 { // the draft too
		t.Errorf("%d to choose from", n)
	}
	b.get(s.path("/versions?from=2&to=1")).want(http.StatusOK).shows(".version-changes ul li", "Title: from “Second” to “First”")
}

// TestAViewerReadsNoPlaceInAQuery has a widget whose column is gone.
func TestAViewerReadsNoPlaceInAQuery(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	for _, path := range []string{s.path(""), s.path("/edit")} {
		text := s.as(t, "editor").get(path).want(http.StatusOK).page.Find("#w-gone .w-body").Text()
		if strings.Contains(text, "measures[") || strings.Contains(text, "dimensions[") || !strings.Contains(text, `The dataset "Sales" has no column`) {
			t.Errorf("%s: %s", path, text)
		}
	}
}

package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
)

// tabbed is a dashboard with the figure on one tab, and on the other a table in
// a closed section.
func (s *boardSite) tabbed(t *testing.T) string {
	t.Helper()
	c := s.board.Config
	c.Tabs = map[string]dashboards.Tab{"a": {Title: "Figures"}, "b": {Title: "Rows <i>", Position: 1}}
	c.Widgets = map[string]dashboards.Widget{"sum": c.Widgets["sum"], "table": c.Widgets["table"]}
	table := c.Widgets["table"]
	table.Tab = "b"
	c.Widgets["table"] = table
	section := dashboards.Widget{Title: "Detail", Layout: dashboards.Layout{W: 12, H: 1}, Tab: "b", Collapsed: true}
	section.Type = charts.Section
	c.Widgets["detail"] = section
	d, err := s.Dashboards.Create(t.Context(), s.editor(), dashboards.NewDashboard{Name: "Tabbed", Config: c})
	if err != nil {
		t.Fatal(err)
	}
	return "/dashboards/" + d.ID.String()
}

func TestAPageHoldsPlacesForWhatItDoesNotShow(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	path := s.tabbed(t)
	editor := s.as(t, "editor")
	page := editor.get(path)
	page.want(http.StatusOK)
	doc := page.page
	if n := doc.Find("#dash > .w").Length(); n != 1 {
		t.Errorf("the page shows %d widgets", n)
	}
	if n := doc.Find("#dash > i[data-widget][hidden]").Length(); n != 2 {
		t.Errorf("the page has %d places", n)
	}
	if text := doc.Find("#dash-tabs a[aria-current=page]").Text(); text != "Figures" {
		t.Errorf("the open tab is %q", text)
	}
	page.shows(`#dash-menu a[href$="t=*"]`, "All tabs")
	// A change answers what comes and what goes, and nothing of the closed section.
	key, _ := doc.Find("#w-sum").Attr("data-key")
	answer := editor.request(http.MethodGet, path+"?t=b", map[string]string{"HX-Request": "true", "HX-Request-Type": "partial", "HX-Current-URL": s.url + path, headerHave: "sum=" + key + ",detail=-,table=-"})
	answer.want(http.StatusOK)
	for _, want := range []string{`id="w-sum" hidden`, `id="w-detail"`, `aria-expanded="false"`, `aria-current="page"`} {
		if !strings.Contains(answer.body, want) {
			t.Errorf("the answer has no %s", want)
		}
	}
	if strings.Contains(answer.body, `id="w-table"`) {
		t.Error("the answer holds a widget of a closed section")
	}
	if got := answer.header.Get("Hx-Push-Url"); got != path+"?t=b" {
		t.Errorf("the address becomes %q", got)
	}
	// Opened, it comes; its rows can be had whatever is shown.
	if open := editor.get(path + "?t=b&o=detail"); open.page.Find("#w-table.w").Length() != 1 {
		t.Error("the open section shows no table")
	}
	editor.get(path + "/widgets/table/data.csv").want(http.StatusOK)
	if all := editor.get(path + "?t=*").page.Find("#dash > .w").Length(); all != 5 {
		t.Errorf("on paper there are %d widgets, want 5", all)
	}
}

func TestADashboardIsDownloadedAndChangedAsText(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	path := s.tabbed(t)
	editor := s.as(t, "editor")
	file := editor.get(path + "/edit/file.yaml")
	file.want(http.StatusOK)
	if !strings.HasPrefix(file.body, "dashboard: Tabbed\n") || !strings.Contains(file.header.Get("Content-Disposition"), "Tabbed.yaml") {
		t.Errorf("the file is %.80q, %s", file.body, file.header.Get("Content-Disposition"))
	}
	text := strings.Replace(file.body, "title: Figures", "title: Totals", 1)
	editor.sendText(path+"/edit/file", text).want(http.StatusOK)
	if again := editor.get(path + "/edit/file.yaml"); again.body != text {
		t.Errorf("changed, it is\n%s", again.body)
	}
	bad := editor.sendText(path+"/edit/file", text+"nonsense: 1\n")
	bad.want(http.StatusUnprocessableEntity)
	if !strings.Contains(bad.body, "dashboards.file_invalid") || !strings.Contains(bad.body, "column 1") {
		t.Errorf("the problem is told as %s", bad.body)
	}
}

func (b *browser) sendText(path, text string) answer {
	b.t.Helper()
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		b.t.Fatal(err)
	}
	return b.sendJSON(path, string(body))
}

func (b *browser) sendJSON(path, body string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.site.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	return b.do(r)
}

package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/portals"
)

// embed puts the filter by channel and the date range on the canvas.
func (s *boardSite) embed(t testing.TB) {
	t.Helper()
	for id, shows := range map[string]string{"by": "channel", "when": dashboards.DateControl} {
		w := dashboards.Widget{Title: "Shows " + shows, Layout: dashboards.Layout{Y: 30, W: 3, H: 2}, Control: shows}
		w.Type = charts.Control
		s.board.Config.Widgets[id] = w
	}
	var err error
	if s.board, err = s.Dashboards.Create(t.Context(), s.editor(), dashboards.NewDashboard{Name: "Embedded", Config: s.board.Config}); err != nil {
		t.Fatal(err)
	}
}

func TestAFilterOnTheCanvas(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	s.embed(t)
	b := s.as(t, "viewer")
	page := b.get(s.path("") + "?c=year").want(http.StatusOK)
	page.shows("#w-by .w-title", "Shows channel").shows("#w-by .filter-value", "All").shows("#w-when .filter-span", "1 – 12 May 2026")
	page.lacks("#filters df-filter").lacks("#filters df-daterange")
	// Without scripts it is a form of its own, which keeps all other choices.
	form := page.page.Find("#w-by form[method=get]")
	if form.AttrOr("action", "") != s.path("") || form.Find("input[name=c]").AttrOr("value", "") != "year" || form.Find("[data-filter-apply][type=submit]").Length() != 1 {
		html, _ := form.Html()
		t.Errorf("the form is %s", html)
	}
	if n := page.page.Find("[form=filters]").Length(); n != 0 {
		t.Errorf("%d fields of the canvas belong to the bar", n)
	}
	// So are the values that it asks for.
	options := page.page.Find("#w-by [data-options-url]").AttrOr("data-options-url", "")
	b.get(options+"&q=").want(http.StatusOK).shows("*", "web").lacks("[form]")
	b.get(s.path("/filters/channel/values?q=")).want(http.StatusOK).shows("[form=filters]", "")

	// A choice changes it and the other widgets in one answer; the bar's form
	// keeps it.
	answer := b.request(http.MethodGet, s.path("")+"?c=year&f.channel=web", asked(s.have(page), "", s.url+s.path("")+"?c=year"))
	answer.want(http.StatusOK).shows("#w-by .filter-value", "web").shows("#w-sum .kpi-value", "2,380")
	for selector, want := range map[string]string{
		"#filters input[type=hidden][name='f.channel']": "web",
		"#w-when input[type=hidden][name='f.channel']":  "web",
		"#w-by .filter-option input[checked]":           "web",
	} {
		if got := answer.page.Find(selector).AttrOr("value", ""); got != want {
			t.Errorf("%s is %q, want %q", selector, got, want)
		}
	}
	answer.lacks("#w-by input[type=hidden][name='f.channel']")
	if got := answer.header.Get("HX-Push-Url"); !strings.HasSuffix(got, "c=year&f.channel=web") {
		t.Errorf("the address becomes %q", got)
	}
	b.get(s.path("")+"?d=2026-05-02~2026-05-03").want(http.StatusOK).shows("#w-when .filter-span", "2 – 3 May 2026").lacks("#filters input[name='d.days']")

	// In the bar too, both have an id of their own.
	both := s.board.Config
	w := both.Widgets["by"]
	w.InBar = true
	both.Widgets["by"] = w
	var err error
	if s.board, err = s.Dashboards.Create(t.Context(), s.editor(), dashboards.NewDashboard{Name: "Both", Config: both}); err != nil {
		t.Fatal(err)
	}
	page = b.get(s.path("")).want(http.StatusOK).shows("#filters #f-channel", "").shows("#w-by #fc-by", "")
	seen := map[string]bool{}
	for _, node := range page.page.Find("[id]").Nodes {
		for _, a := range node.Attr {
			if a.Key == "id" && seen[a.Val] {
				t.Errorf("two elements have the id %s", a.Val)
			} else if a.Key == "id" {
				seen[a.Val] = true
			}
		}
	}
}

// Visitors choose on the canvas as they do in the bar.
func TestVisitorsHaveTheFiltersOfTheCanvas(t *testing.T) {
	t.Parallel()
	v := newVisited(t)
	v.embed(t)
	admin := access.Actor{Kind: access.Person, TenantID: v.one.ID, UserID: v.users["admin"], Role: access.Admin}
	if err := v.Portals.SetDashboards(t.Context(), admin, v.portal, []portals.Shown{{Dashboard: v.board.ID}}); err != nil {
		t.Fatal(err)
	}
	visitor := v.invited(t, "mara@halden.example", "company", "Halden Knitwear", "attributes", "region: North")
	page := visitor.get(v.path("") + "?f.channel=web").want(http.StatusOK)
	page.shows("#w-by .filter-value", "web").shows("#w-sum .kpi-value", "2,380").lacks("#filters df-filter")
	visitor.get(page.page.Find("#w-by [data-options-url]").AttrOr("data-options-url", "")+"&q=").want(http.StatusOK).shows("*", "web")
}

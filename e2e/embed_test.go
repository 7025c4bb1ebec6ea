package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// sampleSite is where the demo's sample site is.
func sampleSite(t *testing.T) string {
	t.Helper()
	encoded, err := os.ReadFile(filepath.Join(demo.dataDir, "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	var state struct {
		Site string `json:"sample_site"`
	}
	if err := json.Unmarshal(encoded, &state); err != nil || state.Site == "" {
		t.Fatalf("the demo has no sample site: %s %v", encoded, err)
	}
	return state.Site
}

// heard counts the events of one name that the sample site has written down.
const heard = `name => [...document.querySelectorAll("#events li b")].filter(each => each.textContent === name).length`

// A page of another origin shows the dashboard to two customers, each of whom
// sees their own state, and hears and steers what happens in it.
func TestAnotherSiteShowsItsCustomersTheirOwnRows(t *testing.T) {
	v := demo.visit(t, desktop)
	site := sampleSite(t)
	if strings.HasPrefix(site, demo.URL) {
		t.Fatalf("%s is no other site", site)
	}
	v.tab.SetDefaultTimeout(60_000) // two maps are drawn without a graphics card, one after the other
	v.signIn()                      // in the same browser: it must not count in the frame
	v.open(site)
	v.until("the dashboard is ready", `() => (`+heard+`)("ready") === 1`, nil)
	board := v.tab.FrameLocator("apron-insights iframe")
	v.must(board.Locator("h1").Filter(playwright.LocatorFilterOptions{HasText: flightsDashboard}).WaitFor())
	v.must(board.Locator("df-chart canvas").First().WaitFor())

	// It is as high as what it shows, and nothing in it names the product.
	v.until("the frame has the height of its content", `() => document.querySelector("apron-insights iframe").offsetHeight > 700`, nil)
	inner, err := board.Locator("html").InnerText()
	v.must(err)
	if strings.Contains(strings.ToLower(inner), "dataflow") {
		t.Error("the frame names the product")
	}
	if n, _ := board.Locator("[data-key-edit], .portal-head, #sidebar").Count(); n > 0 {
		t.Error("the frame has what is for members")
	}
	if address, _ := v.tab.Locator("apron-insights iframe").GetAttribute("src"); address != "" {
		t.Errorf("the frame has an address: %s", address)
	}

	// Rows of one state only: its airports are all there is to choose from.
	origins := func() string {
		t.Helper()
		v.must(board.Locator("df-chart canvas").First().WaitFor())
		// By the keyboard: the frame is still growing, and what is in it moves.
		v.must(board.Locator("df-filter[name='f.origin'] button").First().Press("Enter"))
		v.must(board.Locator("df-filter[name='f.origin'] .filter-option").First().WaitFor())
		text, err := board.Locator("df-filter[name='f.origin']").InnerText()
		v.must(err)
		v.must(v.tab.Keyboard().Press("Escape"))
		return text
	}
	if list := origins(); !strings.Contains(list, "LAX") || strings.Contains(list, "DFW") || strings.Contains(list, "ORD") {
		t.Errorf("California's customer can choose from %q", list)
	}
	if n, _ := board.Locator("df-filter[name='f.state']").Count(); n > 0 {
		t.Error("the locked filter is offered")
	}

	// The site steers it, and hears of it.
	v.must(v.tab.Locator("[data-do=filter]").Click())
	v.until("a filter event", `() => (`+heard+`)("filter") === 1`, nil)
	v.must(board.Locator("#filters", playwright.FrameLocatorLocatorOptions{HasText: "ATL"}).WaitFor())
	v.must(v.tab.Locator("[data-do=clear]").Click())
	v.until("another filter event", `() => (`+heard+`)("filter") === 2`, nil)
	v.must(v.tab.Locator("[data-do=export]").Click())
	v.until("a file", `() => (`+heard+`)("exported") === 1`, nil)

	// A click in it is heard, and a filter that is chosen in it.
	v.must(board.Locator("[data-mark]").First().Click())
	v.until("a click and its filter", `() => (`+heard+`)("click") === 1 && (`+heard+`)("filter") === 3`, nil)

	// The other customer sees another state.
	v.must(v.tab.Locator("input[value=lone]").Check(playwright.LocatorCheckOptions{Force: playwright.Bool(true)}))
	v.until("the dashboard is ready again", `() => (`+heard+`)("ready") === 2`, nil)
	if list := origins(); !strings.Contains(list, "DFW") || strings.Contains(list, "LAX") {
		t.Errorf("Texas' customer can choose from %q", list)
	}
	v.must(v.tab.Locator("#theme").Press("End"))
	if _, err := v.tab.Locator("#theme").SelectOption(playwright.SelectOptionValues{Values: playwright.StringSlice("dark")}); err != nil {
		t.Fatal(err)
	}
	v.must(board.Locator("html[data-theme=dark]").WaitFor())
	v.until("nothing went wrong", `() => (`+heard+`)("error") === 0 && (`+heard+`)("failed") === 0`, nil)
}

// An admin makes a public link with a password; whoever has both sees the
// dashboard, until the link is taken back.
func TestAPublicLinkOpensOneDashboard(t *testing.T) {
	v, guest := demo.visit(t, desktop), demo.visit(t, desktop)
	v.signIn()
	v.open("/settings/embedding")
	v.see("#keys", "Sample site")
	v.accessible()
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Allow public links"}).Click())
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "New link"}).Click())
	v.must(v.tab.Locator("#link-name").Fill("Annual meeting"))
	v.must(v.tab.Locator("#link-password").Fill("a long enough password"))
	_, err := v.tab.Locator("#link-dashboard").SelectOption(playwright.SelectOptionValues{Labels: playwright.StringSlice(flightsDashboard)})
	v.must(err)
	v.answer("Create link")
	v.see("h2", "The new link")
	link, err := v.tab.Locator("#new-link-text").InputValue()
	v.must(err)

	guest.open(link)
	guest.see("h1", "This page has a password")
	guest.accessible()
	guest.must(guest.tab.Locator("#password").Fill("a long enough password"))
	guest.must(guest.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Open"}).Click())
	guest.see("h1", flightsDashboard)
	guest.must(guest.tab.Locator("df-chart canvas").First().WaitFor())
	if body := strings.ToLower(guest.text("html")); strings.Contains(body, "dataflow") {
		t.Error("the page names the product")
	}
	guest.must(guest.tab.Locator("[data-mark]").First().Click())
	guest.until("the choice stands in the address", `() => location.search.includes("x.")`, nil)
	guest.must(guest.tab.Locator("#filters .chip:visible").First().WaitFor())

	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Take back"}).First().Click())
	v.answer("Take back link")
	v.see("#links", "Revoked")
	guest.open(link)
	guest.see("body", "leads nowhere")
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Turn off"}).Click())
	v.see("#links", "no public links")
}

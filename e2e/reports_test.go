package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// The dialog of a download follows the file until it is there, and then asks for
// nothing any more.
func TestADownloadIsFollowedToItsEnd(t *testing.T) {
	v := demo.visit(t, desktop)
	v.signIn()
	v.open("/datasets")
	v.must(v.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: "airports", Exact: playwright.Bool(true)}).First().Click())
	v.must(v.tab.WaitForURL("**/datasets/*"))
	v.must(v.tab.Locator("a[href$='/download']").First().Click())
	v.must(v.tab.Locator("#download form button[type=submit]").Click())
	v.see("#download #report a[download]", "Download file")
	v.until("what followed it is gone", `() => !document.querySelector("#report-live, #report[hx-get], #download df-live")`, nil)
	v.accessible()
	v.until("nothing is wider than the dialog", `() => { const d = document.querySelector("#download .dialog-body"); return d.scrollWidth <= d.clientWidth; }`, nil)
	download, err := v.tab.ExpectDownload(func() error { return v.tab.Locator("#report a[download]").Click() })
	v.must(err)
	path, err := download.Path()
	v.must(err)
	text, err := os.ReadFile(path)
	v.must(err)
	if n := strings.Count(string(text), "\r\n"); n != 3377 || download.SuggestedFilename() != "airports.csv" {
		t.Errorf("%s has %d lines", download.SuggestedFilename(), n)
	}
}

// One schedule brings two people what each may see, and nothing else.
func TestTwoManagersGetTheirOwnRows(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(demo.dataDir, "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	var state struct {
		Managers []struct {
			Email, Password string
			States          []string
		}
	}
	if err := json.Unmarshal(text, &state); err != nil || len(state.Managers) != 2 {
		t.Fatalf("%v: %+v", err, state)
	}
	v := demo.visit(t, desktop)
	v.signIn()
	v.open("/schedules")
	v.must(v.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Regional flights, rows", Exact: playwright.Bool(true)}).Click())
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Send now"}).Click())
	states := regexp.MustCompile(`(?m)^([A-Z]{2}),\d+\r$`)
	for _, m := range state.Managers {
		mail := v.tab.Locator(".card", playwright.PageLocatorOptions{HasText: "To " + m.Email}).Filter(playwright.LocatorFilterOptions{HasText: "Regional flights, rows"}).First()
		v.eventually("the mail to "+m.Email+" is in the outbox", "/outbox", mail)
		href, err := mail.Locator("a[href^='/outbox/']").First().GetAttribute("href")
		v.must(err)
		file, err := v.tab.Request().Get(href)
		v.must(err)
		body, err := file.Text()
		v.must(err)
		var got []string
		for _, found := range states.FindAllStringSubmatch(body, -1) {
			got = append(got, found[1])
		}
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(m.States)); !slices.Equal(got, want) {
			t.Errorf("%s got the flights of %v, not of %v", m.Email, got, want)
		}
		// On the page they see the same.
		page := demo.visit(t, desktop)
		page.enter(m.Email, m.Password)
		page.open("/dashboards")
		page.must(page.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: "US flights, first half of 2001", Exact: playwright.Bool(true)}).First().Click())
		page.must(page.tab.WaitForURL("**/dashboards/*"))
		onPage, err := page.tab.Evaluate(`async () => (await fetch(location.pathname + "/widgets/flights/data.csv")).text()`)
		page.must(err)
		total := regexp.MustCompile(`Flights\r\nFlights,.*\r\n(\d+),`).FindStringSubmatch(body)
		if text, _ := onPage.(string); total == nil || !strings.Contains(text, "\n"+total[1]+",") {
			t.Errorf("%s sees %q on the page, and %v by mail", m.Email, onPage, total)
		}
	}
}

// eventually loads a page again until something is on it.
func (v *visitor) eventually(what, path string, it playwright.Locator) {
	v.t.Helper()
	for range 60 {
		v.open(path)
		if it.WaitFor(playwright.LocatorWaitForOptions{Timeout: playwright.Float(1000)}) == nil {
			return
		}
	}
	v.t.Fatalf("waited in vain until %s", what)
}

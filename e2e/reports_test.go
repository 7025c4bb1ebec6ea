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

// Whoever looks at what they were sent sees its first page and turns its pages in
// place. Where it can't be had the picture stays, and who turns is told why.
func TestThePagesOfASentDocumentTurn(t *testing.T) {
	v := demo.visit(t, desktop)
	v.signIn()
	v.open("/schedules/new")
	_, err := v.tab.Locator("#schedule-dashboard").SelectOption(playwright.SelectOptionValues{Labels: playwright.StringSlice("US flights, first half of 2001")})
	v.must(err)
	v.must(v.tab.Locator("#schedule-name").Fill("Pages to turn"))
	v.must(v.tab.Locator("#schedule-when").Fill("weekdays at 7:30"))
	_, err = v.tab.Locator("#schedule-paper").SelectOption(playwright.SelectOptionValues{Values: playwright.StringSlice("letter landscape")})
	v.must(err)
	v.must(v.tab.Locator("form:has(#schedule-name) button[type=submit]").Click())
	v.see(".schedule-panel h2", "Pages to turn")
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Send now"}).Click())
	v.until("it is sent", `async () => { const a = await fetch(location.pathname); return (await a.text()).includes("<df-pages"); }`, nil)
	page := v.tab.URL()
	v.must(v.tab.Route("**/document*", func(r playwright.Route) { _ = r.Abort("connectionrefused") }))
	v.expect("ERR_CONNECTION_REFUSED")
	v.open(page)
	v.becomesLike("df-pages [role=status]", `^Page 1 of \d+ · Letter, landscape$`)
	total := regexp.MustCompile(`of (\d+)`).FindStringSubmatch(v.text("df-pages [role=status]"))[1]
	previous, next := v.tab.Locator("df-pages button[aria-label='Previous page']"), v.tab.Locator("df-pages button[aria-label='Next page']")
	off, err := previous.IsDisabled()
	v.must(err)
	if text := v.text("df-pages [role=alert]"); !off || text != "" {
		t.Errorf("before anybody turns: back is off %v, %q is said", off, text)
	}

	// What can't be had is said, and the picture stays. The next turn tries again.
	v.must(next.Click())
	v.see("df-pages [role=alert]", "the server can’t be reached")
	v.must(v.tab.Unroute("**/document*"))
	v.must(v.tab.Route("**/document*", func(r playwright.Route) {
		_ = r.Fulfill(playwright.RouteFulfillOptions{Status: playwright.Int(410), ContentType: playwright.String("application/json"),
			Body: []byte(`{"error":{"code":"reports.sent_file_gone","message":"The file was kept for a week and is gone."}}`)})
	}))
	v.must(next.Click())
	v.see("df-pages [role=alert]", "kept for a week and is gone")
	v.becomesLike("df-pages [role=status]", `^Page 1 of `)
	v.must(v.tab.Locator("df-pages img").WaitFor())
	v.must(v.tab.Unroute("**/document*"))

	// By keyboard to the second page and to the first.
	// differs answers how many dots differ from those of the page that was kept;
	// what is hardly darker was drawn a little otherwise the second time.
	differs := func(keep bool) string {
		t.Helper()
		answer, err := v.tab.Evaluate(`(keep) => {
			const c = document.querySelector("df-pages canvas");
			if (c.clientWidth < 200 || Math.abs(c.width - c.clientWidth * devicePixelRatio) > 2) return "not as wide as its sheet";
			const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
			if (keep) window.keptDots = data;
			let different = 0, ink = 0;
			for (let i = 0; i < data.length; i += 4) {
				if (Math.abs(data[i] - window.keptDots[i]) > 32) different++;
				if (data[i] < 160) ink++;
			}
			return ink < 500 ? "empty" : different > 500 ? "another" : different < 20 ? "the same" : String(different);
		}`, keep)
		v.must(err)
		return answer.(string)
	}
	v.must(next.Focus())
	v.must(v.tab.Keyboard().Press("Enter"))
	v.becomesLike("df-pages [role=status]", `^Page 2 of `)
	if got := differs(true); got != "the same" {
		t.Errorf("the second page is %s", got)
	}
	if name, err := v.tab.Locator("df-pages canvas").GetAttribute("aria-label"); err != nil || name != "Page 2 of "+total+" of Pages to turn" {
		t.Errorf("the page is called %q, %v", name, err)
	}
	if text := v.text("df-pages [role=alert]"); text != "" {
		t.Errorf("still said: %s", text)
	}
	v.accessible()
	v.fits()
	v.must(previous.Focus())
	v.must(v.tab.Keyboard().Press("Enter"))
	v.becomesLike("df-pages [role=status]", `^Page 1 of `)
	// At the end the keyboard stands on the way back.
	v.until("the focus is on the other button", `() => document.activeElement?.getAttribute("aria-label") === "Next page"`, nil)
	if got := differs(false); got != "another" {
		t.Errorf("the first page is %s", got)
	}
	v.must(next.Click())
	v.becomesLike("df-pages [role=status]", `^Page 2 of `)
	if got := differs(false); got != "the same" {
		t.Errorf("the second page is %s the second time", got)
	}
	for _, turn := range []struct{ key, page string }{{"ArrowLeft", "1"}, {"End", total}, {"Home", "1"}, {"ArrowRight", "2"}} {
		v.must(v.tab.Keyboard().Press(turn.key))
		v.becomesLike("df-pages [role=status]", "^Page "+turn.page+" of ")
	}

	// While a run is under way the page asks again and again; the page turned to
	// stays until there is a new document.
	_, err = v.tab.Evaluate(`() => { document.querySelector("df-pages").sameElement = true; }`)
	v.must(err)
	kept, err := v.tab.Evaluate(`async () => {
		await htmx.ajax("GET", location.pathname, {target: "#schedules", swap: "outerMorph"});
		const e = document.querySelector("df-pages");
		return e.sameElement === true && Boolean(e.querySelector("canvas")) && e.querySelector("[role=status]").innerText;
	}`)
	v.must(err)
	if text, _ := kept.(string); !strings.HasPrefix(text, "Page 2 of ") {
		t.Errorf("after the page came anew: %v", kept)
	}
	if v.tab.URL() != page {
		t.Errorf("led to %s", v.tab.URL())
	}

	// Who opens the page anew sees the document's own first page, with nothing pressed.
	v.open(page)
	v.must(v.tab.Locator("df-pages canvas").WaitFor())
	if name, err := v.tab.Locator("df-pages canvas").GetAttribute("aria-label"); err != nil || name != "Page 1 of "+total+" of Pages to turn" {
		t.Errorf("the page is called %q, %v", name, err)
	}
}

// becomesLike waits until the text of an element fits a pattern of the browser's.
func (v *visitor) becomesLike(selector, pattern string) {
	v.t.Helper()
	v.until(selector+" is like "+pattern, `([selector, pattern]) => new RegExp(pattern).test(document.querySelector(selector)?.innerText.trim() ?? "")`, []any{selector, pattern})
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

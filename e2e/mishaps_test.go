package e2e

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// suggested makes a dashboard of its own for a test and opens it.
func (v *visitor) suggested(dataset string) {
	v.t.Helper()
	v.open("/dashboards/new")
	_, err := v.tab.Locator("select[name=dataset]").SelectOption(playwright.SelectOptionValues{Labels: playwright.StringSlice(dataset)})
	v.must(err)
	v.must(v.tab.Locator("form:has(select[name=dataset]) button[type=submit]").Click())
	v.must(v.tab.WaitForURL(regexp.MustCompile(`/dashboards/[0-9a-f-]{36}`)))
	v.see("h1", dataset)
}

func TestADeletedDashboardIsBroughtBack(t *testing.T) {
	v := demo.visit(t, desktop)
	v.signIn()
	v.suggested("airports")
	page := v.tab.URL()
	v.open("/dashboards")
	card := v.tab.Locator("li.board", playwright.PageLocatorOptions{Has: v.tab.Locator("a[href='" + strings.TrimPrefix(page, demo.URL) + "']")})
	v.must(card.Locator("button[aria-haspopup=menu]").Click())
	v.must(card.GetByRole("menuitem", playwright.LocatorGetByRoleOptions{Name: "Delete"}).Click())
	v.see(".notice", "airports was deleted.")
	if status, _, err := v.status(page); err != nil || status != 404 {
		t.Errorf("the deleted dashboard answers %d (%v), want 404", status, err)
	}
	v.must(v.button("Undo").Click())
	v.must(card.First().WaitFor())
	v.open(page)
	v.see("h1", "airports")
}

// status answers what the page gets for a path with the person's session.
func (v *visitor) status(path string) (int, string, error) {
	response, err := v.tab.Request().Get(path)
	if err != nil {
		return 0, "", err
	}
	body, err := response.Text()
	return response.Status(), body, err
}

func TestALostConnectionShowsAsPausedAndCatchesUp(t *testing.T) {
	v := demo.visit(t, desktop)
	v.openDashboard("Departures, live replay")
	v.see(".live-status", "Live")
	v.until("the page is live", `() => document.body.dataset.live === "on"`, nil)
	// Scripts that are still on their way would fail as well.
	v.until("the page is drawn, its map too", `() => {
		const drawn = document.querySelectorAll("df-chart canvas, df-chart svg, df-map [data-state=ready]").length;
		return drawn > 0 && drawn >= document.querySelectorAll("df-chart, df-map").length;
	}`, nil)
	// What was on its way fails, and the browser logs that.
	v.expect("Failed to fetch")
	// The stream ends for this tab as it does when a network goes away.
	v.must(v.tab.Context().SetOffline(true))
	_, err := v.tab.Evaluate(`() => { for (const live of document.querySelectorAll("df-live")) { const next = live.nextSibling; const parent = live.parentNode; live.remove(); parent.insertBefore(live, next); } }`)
	v.must(err)
	v.until("the page says that it waits", `() => document.body.dataset.live === "waiting"`, nil)
	v.see(".live-status .tag-warn", "Reconnecting in")
	const count = "section[data-widget=departures] .kpi-value, .w-kpi .kpi-value"
	before := v.text(count)
	if before == "" {
		t.Error("the last values are gone while the connection is lost")
	}
	v.must(v.tab.Context().SetOffline(false))
	v.until("the page is live again", `() => document.body.dataset.live === "on"`, nil)
	v.changes(count, before)
}

func TestAForgottenPasswordIsSetAnewByTheOutbox(t *testing.T) {
	v := demo.visit(t, desktop)
	v.open("/signin")
	v.must(v.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Forgot password?"}).Click())
	v.must(v.tab.Locator("input[name=email]").Fill(demo.Email))
	v.must(v.tab.Locator("main button[type=submit]").First().Click())
	v.see("main", "outbox")
	v.open("/outbox")
	v.accessible()
	v.must(v.tab.Locator("a[href*='/reset?']").First().Click())
	v.must(v.tab.WaitForURL("**/reset*"))
	v.accessible()
	// Too short a one is refused in words, beside its field; also under a name
	// without https, where browsers say least of where a form comes from.
	plain, err := v.tab.Context().NewPage() // Chromium complains on it of the name
	v.must(err)
	_, err = plain.Goto(strings.Replace(v.tab.URL(), "127.0.0.1", plainHost, 1))
	v.must(err)
	for _, tab := range []playwright.Page{plain, v.tab} {
		v.must(tab.Locator("input[name=password]").Fill("short"))
		v.must(tab.Locator("main form button[type=submit]").First().Click())
		text, err := tab.Locator(".field-error").TextContent()
		v.must(err)
		if !strings.Contains(text, "10") {
			t.Errorf("a short password is answered by %q", text)
		}
	}
	v.must(v.tab.Locator("input[name=password]").Fill(demo.Password))
	v.must(v.tab.Locator("main form button[type=submit]").First().Click())
	v.must(v.tab.WaitForURL(demo.URL + "/"))
	v.see("h1", "Home")
}

func TestASessionThatEndsLosesNothingOfAForm(t *testing.T) {
	v := demo.visit(t, desktop)
	v.signIn()
	v.open("/datasets?q=airports")
	v.must(v.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: "airports", Exact: playwright.Bool(true)}).Click())
	v.must(v.tab.WaitForURL(regexp.MustCompile(`/datasets/[0-9a-f-]{36}`)))
	v.open(v.tab.URL() + "/settings")
	const text = "Airports of the United States, kept by hand."
	v.must(v.tab.Locator("textarea[name=description]").Fill(text))
	v.must(v.tab.Context().ClearCookies())
	v.must(v.button("Save changes").Click())
	v.must(v.tab.WaitForURL("**/signin*"))
	v.must(v.tab.Locator("input[name=email]").Fill(demo.Email))
	v.must(v.tab.Locator("input[name=password]").Fill(demo.Password))
	v.must(v.tab.Locator("form:has(input[name=password]) button[type=submit]").Click())
	v.must(v.tab.WaitForURL("**/datasets/*/settings"))
	v.see(".toast", "back in the form")
	if got, err := v.tab.Locator("textarea[name=description]").InputValue(); err != nil || got != text {
		t.Errorf("the form has %q (%v), want what was entered", got, err)
	}
}

func TestWhatIsNotThereOrNotKeptIsSaid(t *testing.T) {
	v := demo.visit(t, desktop)
	v.signIn()
	// An id of nobody, or of another workspace, is not there.
	for _, path := range []string{"/dashboards/", "/datasets/", "/uploads/", "/loads/"} {
		status, body, err := v.status(path + "018f0000-0000-7000-8000-000000000000")
		if err != nil || status != 404 || !strings.Contains(body, "<h1>") {
			t.Errorf("%s: %d, %v", path, status, err)
		}
	}
	// A moment that is no longer kept moves on to the present by itself.
	v.open("/")
	v.must(v.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: flightsDashboard, Exact: playwright.Bool(true)}).First().Click())
	v.see("h1", flightsDashboard)
	v.drawn()
	const flights = "section[data-widget=flights] .kpi-value"
	all := v.text(flights)
	_, err := v.tab.Evaluate(`() => { const meta = document.querySelector("#dash-meta"); meta.dataset.snapshot = "expired"; }`)
	v.must(err)
	v.must(v.tab.Locator("section[data-widget=mix] button[data-mark]").First().Click())
	v.changes(flights, all)
	// Somebody else changed the dashboard meanwhile: said in a sentence.
	address, err := url.Parse(v.tab.URL())
	v.must(err)
	answer, err := v.tab.Request().Post(address.Path+"/operations", playwright.APIRequestContextPostOptions{
		Headers: map[string]string{"Accept": "application/json", "Content-Type": "application/json", "Origin": demo.URL},
		Data:    `{"rev":0,"operations":[{"op_id":"018f0000-0000-7000-8000-000000000001","rev":0,"path":"/name","before":"an older name","after":"x"}]}`,
	})
	v.must(err)
	body, _ := answer.Text()
	if answer.Status() != 409 || !strings.Contains(body, "sentence") && !strings.Contains(body, "message") {
		t.Errorf("a stale edit answers %d: %s", answer.Status(), body)
	}
}

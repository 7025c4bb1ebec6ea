package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/playwright-community/playwright-go"
)

// visitor is one browser of its own: cookies, cache and a tab.
type visitor struct {
	t      *testing.T
	server *server
	tab    playwright.Page

	mu       sync.Mutex
	problems []string
	expected []string // parts of problems that a test causes on purpose
}

type look struct {
	width, height int
	dark          bool
}

var desktop = look{width: 1440, height: 900}

// visit opens a browser that nobody has used. When the test ends, nothing may
// have failed in it: no script error, no violation of the content policy, no
// answer of 500 or above.
func (s *server) visit(t *testing.T, l look) *visitor {
	t.Helper()
	scheme := playwright.ColorSchemeLight
	if l.dark {
		scheme = playwright.ColorSchemeDark
	}
	session, err := browser.NewContext(playwright.BrowserNewContextOptions{
		BaseURL:  playwright.String(s.URL),
		Viewport: &playwright.Size{Width: l.width, Height: l.height}, ColorScheme: scheme, ReducedMotion: playwright.ReducedMotionReduce,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	session.SetDefaultTimeout(20_000)
	tab, err := session.NewPage()
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, server: s, tab: tab}
	tab.OnConsole(func(m playwright.ConsoleMessage) {
		// The browser itself logs an answer of 4xx; journeys cause those on purpose.
		if m.Type() == "error" && !strings.Contains(m.Text(), "Failed to load resource") {
			v.problem("console: " + m.Text())
		}
	})
	tab.OnPageError(func(err error) { v.problem("script: " + err.Error()) })
	tab.OnResponse(func(r playwright.Response) {
		if r.Status() >= 500 {
			v.problem(fmt.Sprintf("%s answered %d", r.URL(), r.Status()))
		}
	})
	t.Cleanup(func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, p := range v.problems {
			t.Error(p)
		}
		if t.Failed() {
			if dir := os.Getenv("E2E_SCREENSHOTS"); dir != "" {
				_, _ = tab.Screenshot(playwright.PageScreenshotOptions{Path: playwright.String(dir + "/" + t.Name() + ".png")})
			}
		}
	})
	return v
}

func (v *visitor) problem(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, part := range v.expected {
		if strings.Contains(text, part) {
			return
		}
	}
	v.problems = append(v.problems, text)
}

// expect lets problems with this text pass from here on.
func (v *visitor) expect(part string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.expected = append(v.expected, part)
}

func (v *visitor) must(err error) {
	v.t.Helper()
	if err != nil {
		if dir := os.Getenv("E2E_SCREENSHOTS"); dir != "" {
			_, _ = v.tab.Screenshot(playwright.PageScreenshotOptions{Path: playwright.String(filepath.Join(dir, "failed-"+strings.ReplaceAll(v.t.Name(), "/", "-")+".png"))})
		}
		v.t.Fatal(err)
	}
}

func (v *visitor) open(path string) {
	v.t.Helper()
	_, err := v.tab.Goto(path)
	v.must(err)
}

// sessions are the cookies of who has signed in, by address, so that only the
// first browser of everybody has to fill in the form.
var sessions sync.Map

func (v *visitor) signIn() {
	v.t.Helper()
	v.as(v.server.Email, v.server.Password)
}

// as has the browser be somebody's. It shows no page of theirs yet.
func (v *visitor) as(email, password string) {
	v.t.Helper()
	session := v.tab.Context()
	if kept, has := sessions.Load(email); has {
		v.must(session.AddCookies(kept.([]playwright.OptionalCookie)))
		home, err := v.tab.Request().Get("/", playwright.APIRequestContextGetOptions{MaxRedirects: playwright.Int(0)})
		v.must(err)
		if home.Status() == 200 {
			return
		}
	}
	v.enter(email, password)
	cookies, err := session.Cookies()
	v.must(err)
	var kept []playwright.OptionalCookie
	for _, c := range cookies {
		kept = append(kept, c.ToOptionalCookie())
	}
	sessions.Store(email, kept)
}

// enter signs in by the form.
func (v *visitor) enter(email, password string) {
	v.t.Helper()
	v.open("/signin")
	v.must(v.tab.Locator("input[name=email]").Fill(email))
	v.must(v.tab.Locator("input[name=password]").Fill(password))
	v.must(v.tab.Locator("form:has(input[name=password]) button[type=submit]").Click())
	v.must(v.tab.WaitForURL(v.server.URL + "/"))
}

// openDashboard signs in and opens a dashboard by its name in the list of all.
func (v *visitor) openDashboard(name string) {
	v.t.Helper()
	v.signIn()
	v.open("/dashboards")
	v.must(v.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: name, Exact: playwright.Bool(true)}).First().Click())
	v.must(v.tab.WaitForURL("**/dashboards/*"))
	v.see("h1", name)
}

// see waits until an element with the text is on the page.
func (v *visitor) see(selector, text string) {
	v.t.Helper()
	v.must(v.tab.Locator(selector, playwright.PageLocatorOptions{HasText: text}).First().WaitFor())
}

func (v *visitor) text(selector string) string {
	v.t.Helper()
	text, err := v.tab.Locator(selector).First().InnerText()
	v.must(err)
	return strings.TrimSpace(text)
}

// until waits until expression, a function of argument, answers true. It is
// asked again and again within the page, which is sooner there than by asking
// from here. The driver's own way to wait needs eval, which the content policy
// of our pages forbids.
func (v *visitor) until(what, expression string, argument any) {
	v.t.Helper()
	ask := `async argument => {
		let problem = "";
		for (const end = performance.now() + 5_000; performance.now() < end; await new Promise(again => setTimeout(again, 10))) {
			try {
				if (await (` + expression + `)(argument) === true) return true;
				problem = "";
			} catch (error) {
				problem = String(error);
			}
		}
		return problem;
	}`
	ctx, cancel := context.WithTimeout(v.t.Context(), 20*time.Second)
	defer cancel()
	for {
		// A navigation under way takes the page away from the question.
		done, err := v.tab.Evaluate(ask, argument)
		if err == nil && done == true {
			return
		}
		if ctx.Err() != nil {
			v.t.Fatalf("waited in vain until %s (%v, %v)", what, done, err)
		}
	}
}

// changes waits until the text of an element is another one than before.
func (v *visitor) changes(selector, before string) string {
	v.t.Helper()
	v.until(fmt.Sprintf("%s is no longer %q", selector, before), `([selector, before]) => {
		const e = document.querySelector(selector);
		return Boolean(e) && e.innerText.trim() !== "" && e.innerText.trim() !== before;
	}`, []any{selector, before})
	return v.text(selector)
}

// becomes waits until the text of an element is the wanted one.
func (v *visitor) becomes(selector, want string) {
	v.t.Helper()
	v.until(fmt.Sprintf("%s is %q", selector, want),
		`([selector, want]) => document.querySelector(selector)?.innerText.trim() === want`, []any{selector, want})
}

// drawn waits until every chart of the page has drawn itself.
func (v *visitor) drawn() {
	v.t.Helper()
	v.until("all charts are drawn", `() => {
		const charts = [...document.querySelectorAll("df-chart, df-map")];
		return charts.length > 0 && charts.every(c => c.querySelector("canvas, svg"));
	}`, nil)
}

// accessible fails on what axe calls serious or critical under WCAG 2.2 AA,
// on the page at rest: what waits for its successor fades out. What moves with
// scrolling alone is at rest.
func (v *visitor) accessible() {
	v.t.Helper()
	v.until("the page is at rest", `() => !document.querySelector("[data-stale]") &&
		document.getAnimations().every(a => a.playState !== "running" || !(a.timeline instanceof DocumentTimeline) || a.effect.getComputedTiming().endTime === Infinity)`, nil)
	script, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	v.must(err)
	// Evaluated by the driver, which the page's content policy does not bind.
	_, err = v.tab.Evaluate(string(script) + "\n;undefined")
	v.must(err)
	found, err := v.tab.Evaluate(`async () => {
		const result = await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], resultTypes: ["violations"]});
		return JSON.stringify(result.violations.filter(v => v.impact === "serious" || v.impact === "critical")
			.map(v => ({rule: v.id, where: v.nodes.slice(0, 5).map(n => n.target.join(" ") + " " + (n.failureSummary || "").split("\n").pop())})));
	}`)
	v.must(err)
	var violations []struct {
		Rule  string
		Where []string
	}
	v.must(json.Unmarshal([]byte(found.(string)), &violations))
	for _, x := range violations {
		v.t.Errorf("%s: %s: %s", v.tab.URL(), x.Rule, strings.Join(x.Where, "; "))
	}
}

// fits fails when the page is wider than its window.
func (v *visitor) fits() {
	v.t.Helper()
	wider, err := v.tab.Evaluate(`() => document.documentElement.scrollWidth - document.documentElement.clientWidth`)
	v.must(err)
	if fmt.Sprint(wider) != "0" {
		v.t.Errorf("%s is %v px wider than its window", v.tab.URL(), wider)
	}
}

package e2e

import (
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

var (
	idInPath   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	partOfPath = regexp.MustCompile(`/(columns|versions|widgets|filters)/[^/]+`)
	address    = regexp.MustCompile(`(?:href|hx-get|data-options-url)="(/[^"]*)"`)
)

// pattern is a path without what differs from one object to the next.
func pattern(path string) string {
	return partOfPath.ReplaceAllString(idInPath.ReplaceAllString(path, "{id}"), "/$1/{part}")
}

// walk follows every address that pages mention, without a browser, and answers
// one path for every kind of page. Parts of pages, files and streams are no pages.
func (v *visitor) walk(from ...string) map[string]string {
	v.t.Helper()
	pages, seen := map[string]string{}, map[string]bool{}
	for len(from) > 0 {
		path := from[0]
		from = from[1:]
		u, err := url.Parse(strings.ReplaceAll(path, "&amp;", "&"))
		v.must(err)
		kind := pattern(u.Path)
		if seen[kind] || strings.HasPrefix(kind, "/static/") {
			continue
		}
		seen[kind] = true
		response, err := v.tab.Request().Get(u.String())
		v.must(err)
		headers := response.Headers()
		if response.Status() != 200 {
			v.t.Errorf("%s, which a page leads to, answers %d", u, response.Status())
			continue
		}
		if !strings.HasPrefix(headers["content-type"], "text/html") {
			continue
		}
		body, err := response.Text()
		v.must(err)
		for _, found := range address.FindAllStringSubmatch(body, -1) {
			from = append(from, found[1])
		}
		if strings.Contains(body, "<html") {
			pages[kind] = u.String()
			v.strict(u.String(), headers["content-security-policy"])
		}
	}
	return pages
}

// strict fails on a content policy by which a foreign or an injected script
// could run.
func (v *visitor) strict(path, policy string) {
	v.t.Helper()
	directives := map[string][]string{}
	for _, directive := range strings.Split(policy, ";") {
		if words := strings.Fields(directive); len(words) > 0 {
			directives[words[0]] = words[1:]
		}
	}
	for name, least := range map[string]string{"default-src": "'self'", "object-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'", "form-action": "'self'"} {
		sources := directives[name]
		if name == "object-src" && len(sources) == 0 {
			sources = directives["default-src"]
		}
		if !slices.Equal(sources, []string{least}) && !slices.Equal(sources, []string{"'none'"}) {
			v.t.Errorf("%s: %s is %q in %q", path, name, sources, policy)
		}
	}
	scripts := strings.Join(directives["script-src"], " ")
	if scripts == "" || strings.Contains(scripts, "unsafe") || strings.Contains(scripts, "*") || strings.Contains(scripts, "http") {
		v.t.Errorf("%s: script-src is %q", path, scripts)
	}
}

func TestEveryPageIsStrictAccessibleAndFitsAPhone(t *testing.T) {
	v := demo.visit(t, look{width: 390, height: 844})
	v.signIn()
	v.open("/")
	// An upload and a load make their pages reachable.
	v.drop("walk.csv", "day,shop,n\n2026-01-05,a,1\n2026-01-06,b,x\n2026-01-07,a,3\n2026-01-08,c,4\n")
	upload := v.tab.URL()
	v.accessible()
	v.fits()
	v.must(v.tab.Locator(".page-foot .btn-primary").Click())
	v.must(v.tab.WaitForURL(regexp.MustCompile(`/loads/[0-9a-f-]{36}`)))
	v.see("h1", "is loaded")
	load, err := url.Parse(v.tab.URL())
	v.must(err)
	again, err := url.Parse(upload)
	v.must(err)
	pages := v.walk("/", "/dashboards", "/datasets", "/datasets/new", "/settings", "/settings/members", "/account", "/outbox", load.Path, again.Path)
	for _, kind := range []string{"/", "/dashboards", "/dashboards/{id}", "/dashboards/new", "/dashboards/{id}/move", "/datasets", "/datasets/{id}", "/datasets/{id}/versions",
		"/datasets/{id}/delete", "/datasets/new", "/loads/{id}", "/settings", "/settings/members", "/account", "/outbox"} {
		if pages[kind] == "" {
			t.Errorf("no page leads to %s", kind)
		}
	}
	kinds := make([]string, 0, len(pages))
	for kind := range pages {
		kinds = append(kinds, kind)
	}
	sort.Strings(kinds)
	// Two tabs look at half of them each.
	for lane := range 2 {
		t.Run(strconv.Itoa(lane), func(t *testing.T) {
			t.Parallel()
			v := demo.visit(t, look{width: 390, height: 844})
			v.signIn()
			for i := lane; i < len(kinds); i += 2 {
				v.open(pages[kinds[i]])
				v.must(v.tab.WaitForLoadState(playwright.PageWaitForLoadStateOptions{State: playwright.LoadStateDomcontentloaded}))
				v.accessible()
				v.fits()
			}
		})
	}
	t.Logf("%d kinds of pages: %s", len(kinds), strings.Join(kinds, " "))
}

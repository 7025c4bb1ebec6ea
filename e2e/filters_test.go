package e2e

import (
	"regexp"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// pointAt is a place within an element, in shares of its size.
func (v *visitor) pointAt(selector string, x, y float64) (float64, float64) {
	v.t.Helper()
	v.must(v.tab.Locator(selector).ScrollIntoViewIfNeeded())
	box, err := v.tab.Locator(selector).BoundingBox()
	v.must(err)
	return box.X + box.Width*x, box.Y + box.Height*y
}

func (v *visitor) rightClick(selector string, x, y float64) {
	v.t.Helper()
	left, top := v.pointAt(selector, x, y)
	v.must(v.tab.Mouse().Click(left, top, playwright.MouseClickOptions{Button: playwright.MouseButtonRight}))
	v.must(v.tab.Locator("#mark-menu .menu-item").First().WaitFor())
}

func (v *visitor) choose(label string) {
	v.t.Helper()
	v.must(v.tab.Locator("#mark-menu .menu-item", playwright.PageLocatorOptions{HasText: label}).Click())
}

func (v *visitor) address(pattern string) {
	v.t.Helper()
	v.must(v.tab.WaitForURL(regexp.MustCompile(pattern)))
}

func (v *visitor) back() {
	v.t.Helper()
	_, err := v.tab.GoBack()
	v.must(err)
}

// Somebody asks a dashboard further and further: finds a value, looks where a
// number comes from, goes down and back up, chooses a stretch of time, and
// keeps what they found under a name.
func TestANumberIsFollowedToItsRows(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.openDashboard(flightsDashboard)
	v.drawn()
	plain := v.tab.URL()
	const flights = "section[data-widget=flights] .kpi-value"
	all := v.text(flights)

	// The search of a filter finds what begins with it first.
	v.must(v.tab.Locator("button[popovertarget=f-origin]").Click())
	v.must(v.tab.Locator("#f-origin [data-filter-search]").Fill("atl"))
	v.becomes("#f-origin .filter-option:first-child .filter-label", "ATL")
	v.must(v.tab.Locator("#f-origin .filter-option input").First().Check())
	v.must(v.tab.Locator("#f-origin [data-filter-apply]").Click())
	v.changes(flights, all)
	v.back()
	v.becomes(flights, all)

	// A figure explains itself, by pointer and by key.
	v.must(v.tab.Locator(flights).Click())
	v.must(v.tab.Locator("#mark-menu .menu-item").First().WaitFor())
	v.choose("Explain this number")
	v.see("#explain", "number of rows")
	v.see("#explain", "3 – 30 Jun 2001")
	title, err := v.tab.Locator(flights).GetAttribute("title")
	v.must(err)
	v.see("#explain .explain-value", title)
	v.must(v.tab.Locator("#explain summary", playwright.PageLocatorOptions{HasText: "View SQL"}).Click())
	v.see("#explain pre", "SELECT")
	v.must(v.tab.Locator("#explain [data-table-page]").Last().Click())
	v.see("#explain-rows", "101")
	v.press("Escape")
	v.must(v.tab.Locator("section[data-widget=states] df-chart").Focus())
	v.press("ArrowRight", "i")
	v.see("#explain .explain-title", "Flights by state, ")
	v.press("Escape")

	// Down a level and back up.
	const states = "section[data-widget=states]"
	v.rightClick(states+" df-chart", 0.4, 0.08)
	v.choose("Drill down to City")
	v.address(`[?&]l\.states=`)
	v.must(v.tab.Locator(states + " .w-way").WaitFor())
	if got := v.text(flights); got != all {
		t.Errorf("drilling down in one widget changed another: %s, was %s", got, all)
	}
	v.rightClick(states+" df-chart", 0.4, 0.08)
	v.choose("Drill down to Origin")
	v.address(`l\.states=[^&]*(,|%2C)`)
	v.must(v.tab.Locator(states + " .w-way a").First().Click())
	v.until("the widget is at the top again", `() => !document.querySelector("section[data-widget=states] .w-way")`, nil)
	v.back()
	v.must(v.tab.Locator(states + " .w-way").WaitFor())
	v.open(strings.TrimPrefix(plain, demo.URL))
	v.drawn()

	// A stretch of a line is the date range, until Back.
	const daily = "section[data-widget=daily] df-chart"
	left, top := v.pointAt(daily, 0.4, 0.5)
	right, _ := v.pointAt(daily, 0.6, 0.5)
	v.must(v.tab.Mouse().Move(left, top))
	v.must(v.tab.Mouse().Down())
	v.must(v.tab.Mouse().Move(right, top, playwright.MouseMoveOptions{Steps: playwright.Int(5)}))
	v.must(v.tab.Mouse().Up())
	v.address(`[?&]d=2001-06-`)
	v.changes(flights, all)
	zoomed := v.text(flights)
	v.back()
	v.becomes(flights, all)
	_, err = v.tab.GoForward()
	v.must(err)
	v.becomes(flights, zoomed)

	// A view keeps it, and the dashboard opens with it.
	v.must(v.tab.Locator("button[popovertarget=views]").Click())
	v.must(v.tab.Locator("#view-name").Fill("Mid June"))
	v.must(v.tab.Locator("#saved-views input[name=default]").Check())
	v.must(v.tab.Locator(".views-new button[type=submit]").Click())
	v.see("#saved-views .views-list", "Mid June")
	v.open(regexp.MustCompile(`/dashboards/[0-9a-f-]{36}`).FindString(plain))
	v.address(`[?&]d=2001-06-`)
	v.becomes(flights, zoomed)
	v.must(v.tab.Locator("button[popovertarget=views]").Click())
	v.must(v.tab.Locator("#saved-views button[aria-label='Delete Mid June']").Click())
	v.see("#saved-views", "No saved views yet")
}

// Filters of all kinds are set up in the editor; a required one is asked for
// before its widgets show anything.
func TestFiltersAreSetUpInTheEditor(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.signIn()
	path := v.editShop("suggested")
	v.must(v.tab.Locator("#filters button[popovertarget=add-control]").Click())
	v.must(v.tab.Locator("#add-control .menu-item", playwright.PageLocatorOptions{HasText: "Net sales"}).Click())
	options := v.tab.Locator("#inspector details:has(> summary:text-is('Options of Net sales'))")
	v.must(options.Locator("summary").Click())
	v.must(options.Locator("input[type=checkbox][role=switch]").Check())
	// It can be kept to some of the widgets.
	_, err := options.Locator("select[id$=-widgets]").SelectOption(playwright.SelectOptionValues{Indexes: playwright.IntSlice(0, 1)})
	v.must(err)
	v.saved()
	v.must(v.tab.Locator("[data-edit=publish]").Click())
	v.must(v.tab.WaitForURL("**" + path + "*"))
	v.see("section[data-widget] .w-body", "Choose Net sales first")
	v.until("two widgets wait for it", `() => [...document.querySelectorAll("section[data-widget] .w-body")].filter(e => e.textContent.includes("Choose Net sales first")).length === 2`, nil)
	v.must(v.tab.Locator(".filter-missing").Click())
	v.must(v.tab.Locator("#filters input[type=number]").First().Fill("110"))
	v.must(v.tab.Locator("df-filter:has(input[type=number]) [data-filter-apply]").Click())
	v.address(`f\.[^=]+=110~~`)
	v.until("no widget waits", `() => !document.body.textContent.includes("Choose Net sales first")`, nil)
	v.see(".filter-button", "≥ 110")
	v.back()
	v.see("section[data-widget] .w-body", "Choose Net sales first")
}

// A filter is put on the canvas: it leaves the bar, and whoever looks chooses
// there, for all widgets, until Back.
func TestAFilterIsPutOnTheCanvas(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.signIn()
	path := v.editShop("blank")
	v.tiles(0)
	v.drag("[data-palette-type=kpi]", 120, 140)
	v.tiles(1)
	for _, field := range []string{"Channel", "Store region"} {
		v.must(v.tab.Locator("#filters button[popovertarget=add-control]").Click())
		v.must(v.tab.Locator("#add-control .menu-item", playwright.PageLocatorOptions{HasText: field}).First().Click())
		v.see("#filters .filter-name", field)
	}
	v.must(v.tab.Locator(".palette-more summary").Click())
	v.drag("[data-palette-type=control]", 700, 140)
	v.tiles(2)
	v.see(".w-control .w-title", "Channel")
	v.until("the filter has left the bar", `() => ![...document.querySelectorAll("#filters .filter-name")].some(e => e.textContent === "Channel")`, nil)
	_, err := v.tab.Locator("#inspector-control").SelectOption(playwright.SelectOptionValues{Labels: playwright.StringSlice("Store region")})
	v.must(err)
	v.see(".w-control .w-title", "Store region")
	v.see("#filters .filter-name", "Channel")
	v.saved()
	v.press("Escape", "Control+z")
	v.see(".w-control .w-title", "Channel")
	v.published(path)

	const figure = "section[data-widget].w-kpi .kpi-value"
	all := v.text(figure)
	v.must(v.tab.Locator(".w-control .filter-button").Click())
	v.must(v.tab.Locator(".w-control .filter-option input").First().Check())
	v.must(v.tab.Locator(".w-control [data-filter-apply]").Click())
	v.address(`[?&]f\.[^=]+=`)
	v.changes(figure, all)
	v.until("the filter says what is chosen", `() => document.querySelector(".w-control .filter-value").textContent !== "All"`, nil)
	v.accessible()
	v.back()
	v.becomes(figure, all)
	v.becomes(".w-control .filter-value", "All")
}

// TestADrawingKeepsNothingOfTheOneBefore: what a chart shows after a change is
// what it shows to whoever comes to it at once.
func TestADrawingKeepsNothingOfTheOneBefore(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.must(v.tab.EmulateMedia(playwright.PageEmulateMediaOptions{ReducedMotion: playwright.ReducedMotionReduce}))
	v.openDashboard(flightsDashboard)
	v.drawn()
	// The picture, and of what it was made.
	drawing := func() map[string]any {
		t.Helper()
		v.drawn()
		got, err := v.tab.Evaluate(`() => Object.fromEntries([...document.querySelectorAll("df-chart")].map(e => [e.dataset.widget,
			JSON.stringify(e.chart.getOption().series.map(s => [s.name, s.type, s.lineStyle?.type, s.stack, s.areaStyle ? 1 : 0])) + e.chart.getDataURL()]))`)
		v.must(err)
		return got.(map[string]any)
	}
	for _, choice := range []string{"No comparison", "Previous period"} {
		v.must(v.tab.Locator("#page-bar button[popovertarget=compare]").Click())
		v.must(v.tab.Locator("[popover]:popover-open >> text=" + choice).First().Click())
		v.address(map[string]string{"No comparison": "c=none", "Previous period": "c=previous"}[choice])
		v.until("the page has what was chosen", `choice => document.querySelector("#page-bar button[popovertarget=compare]").textContent.includes(choice)`, choice)
		changed := drawing()
		_, err := v.tab.Reload()
		v.must(err)
		for widget, want := range drawing() {
			if changed[widget] != want {
				t.Errorf("%s: %s is drawn otherwise than after a reload: %.200s, want %.200s", choice, widget, changed[widget], want)
			}
		}
	}
}

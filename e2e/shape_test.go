package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// published is what viewers see of a dashboard, once all was saved.
func (v *visitor) published(path string) {
	v.t.Helper()
	v.saved()
	v.must(v.tab.Locator("[data-edit=publish]").Click())
	v.must(v.tab.WaitForURL("**" + path))
}

// shown lists the titles of the widgets on a page, in reading order.
func (v *visitor) shown() string {
	v.t.Helper()
	text, err := v.tab.Evaluate(`() => [...document.querySelectorAll("#dash > .w")].map(e => e.getAttribute("aria-label")).join(", ")`)
	v.must(err)
	return text.(string)
}

func TestADashboardIsDividedIntoTabsAndSections(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.signIn()
	path := v.editShop("blank")
	v.tiles(0)
	tabs := func(want string) {
		t.Helper()
		v.until("the tabs are "+want, `want => [...document.querySelectorAll("#canvas-tabs [data-tab]")].map(e => e.textContent).join(", ") === want`, want)
	}
	v.drag("[data-palette-type=kpi]", 120, 140)
	v.tiles(1)

	// The first tab takes what is there; the new one is named at once.
	v.must(v.tab.Locator(".canvas-bar [data-tab-add]").Click())
	v.must(v.tab.Locator(".tab-name").Fill("Stores"))
	v.press("Enter")
	tabs("Tab 1, Stores")
	v.tiles(0)
	v.saved()
	v.drag("[data-palette-type=bar]", 120, 180)
	v.tiles(1)
	v.drag("[data-palette-type=donut]", 700, 180)
	v.tiles(2)
	v.saved()

	// A widget is carried to a tab by its head; Ctrl-Z brings it back.
	carried := v.tab.Locator("df-grid > .grid-stack-item[data-selected]")
	v.must(carried.WaitFor())
	title := v.text("df-grid > .grid-stack-item[data-selected] .w-title")
	to, err := v.tab.Locator("#canvas-tabs [data-tab]").First().BoundingBox()
	v.must(err)
	from, err := carried.Locator(".w-title").BoundingBox()
	v.must(err)
	v.pull(carried.Locator(".w-title"), to.X+to.Width/2-from.X-from.Width/2, to.Y+to.Height/2-from.Y-from.Height/2)
	v.tiles(1)
	v.saved()
	v.press("Control+z")
	v.tiles(2)
	v.press("Control+Shift+z")
	v.tiles(1)

	// By keyboard: the other tab, its name, its place, gone and back.
	v.must(v.tab.Locator("#canvas-tabs [aria-selected=true]").Focus())
	v.press("ArrowLeft")
	v.tiles(2)
	v.see("df-grid .w-title", title)
	v.press("F2", "Control+a")
	v.must(v.tab.Keyboard().Type("Sales"))
	v.press("Enter")
	tabs("Sales, Stores")
	v.press("Control+ArrowRight")
	tabs("Stores, Sales")
	v.press("Control+ArrowLeft")
	tabs("Sales, Stores")
	v.saved()
	v.press("Delete")
	tabs("Stores")
	v.saved()
	v.must(v.tab.Locator("df-grid").Focus())
	v.press("Control+z")
	tabs("Sales, Stores")
	v.saved()

	// A section, closed at first.
	v.must(v.tab.Locator("#canvas-tabs [data-tab]").First().Click())
	v.tiles(2)
	v.must(v.tab.Locator(".palette-more summary").Click())
	v.must(v.tab.Locator("[data-palette-type=section]").Focus())
	v.press("Enter")
	v.tiles(3)
	v.must(v.tab.Locator("[data-inspector-tab=format]").Click())
	v.must(v.tab.Locator("#inspector [data-path='/title']").Fill("Detail"))
	v.must(v.tab.Locator("[data-inspector-tab=interact]").Click())
	// The title is on its way meanwhile: what comes back must leave the choice alone.
	v.must(v.tab.Locator("#inspector [data-path='/collapsed']").Click())
	v.saved()
	v.until("the section is closed at first", `() => document.querySelector("#inspector [data-path='/collapsed']")?.checked`, nil)
	v.must(v.tab.Locator("[data-palette-type=table]").Focus())
	v.press("Enter")
	v.tiles(4)
	v.saved()
	v.press("Escape")
	v.accessible()
	v.published(path)

	// The viewer's page: one tab, the section closed; both are in the address.
	v.until("the page shows the section", `() => document.querySelector("#dash > .w-section") !== null`, nil)
	closed := v.shown()
	if !strings.Contains(closed, "Detail") || strings.Count(closed, ",") != 2 {
		t.Errorf("the first tab shows %s", closed)
	}
	v.must(v.tab.Locator(".section-toggle").Click())
	v.until("the section is open", `() => document.querySelectorAll("#dash > .w").length === 4 && new URL(location).searchParams.has("o")`, nil)
	v.drawn()
	v.must(v.tab.Locator("#dash-tabs a", playwright.PageLocatorOptions{HasText: "Stores"}).Click())
	v.until("the other tab is open", `() => document.querySelectorAll("#dash > .w").length === 1 && new URL(location).searchParams.has("t")`, nil)
	v.drawn()
	v.accessible()
	_, err = v.tab.GoBack()
	v.must(err)
	v.until("Back opens the first tab again", `() => document.querySelectorAll("#dash > .w").length === 4`, nil)
	// All for paper.
	v.open(path + "?t=*")
	v.until("all is shown", `() => document.querySelectorAll("#dash > .w").length === 7`, nil)
}

func TestNarrowScreensShowWhatTheEditorArranged(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.signIn()
	path := v.editShop("blank")
	for n, kind := range []string{"bar", "kpi", "kpi", "donut"} {
		v.must(v.tab.Locator("[data-palette-type=" + kind + "]").Focus())
		v.press("Enter")
		v.tiles(n + 1)
	}
	v.saved()
	last := v.tab.Locator("df-grid > .grid-stack-item[data-selected]")
	id, err := last.GetAttribute("gs-id")
	v.must(err)
	// On a phone the donut comes first, on a tablet it is as wide as the screen.
	v.must(v.tab.Locator("button[data-device=phone]").Click())
	v.must(last.Focus())
	v.press("Enter")
	for range 40 {
		v.press("ArrowUp")
	}
	v.press("Enter")
	v.saved()
	v.must(v.tab.Locator("button[data-device=tablet]").Click())
	v.must(last.Focus())
	v.press("Enter", "Shift+ArrowLeft", "Enter")
	v.saved()
	width, err := last.GetAttribute("gs-w")
	v.must(err)
	// The first figure is left out on phones.
	v.must(v.tab.Locator("df-grid > .grid-stack-item[data-type=kpi], df-grid > .grid-stack-item:has(.w-kpi)").First().Locator(".w-title").Click())
	v.must(v.tab.Locator("[data-inspector-tab=interact]").Click())
	v.must(v.tab.Locator("#inspector [data-path='/layouts/phone/hidden']").Uncheck())
	v.saved()
	v.published(path)

	v.must(v.tab.SetViewportSize(390, 844))
	v.until("the donut comes first on a phone", `id => {
		const boxes = [...document.querySelectorAll("#dash > .w")].filter(e => e.offsetParent !== null).sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
		return boxes.length === 3 && boxes[0].dataset.widget === id;
	}`, id)
	v.fits()
	v.must(v.tab.SetViewportSize(800, 900))
	v.until("the donut has its width on a tablet", `([id, w]) => {
		const box = document.getElementById("w-" + id).getBoundingClientRect();
		const grid = document.getElementById("dash").getBoundingClientRect();
		return Math.abs(box.width / (grid.width - 32) - w / 6) < 0.03;
	}`, []any{id, atoi(width)})
	v.fits()
}

func atoi(text string) int {
	n := 0
	_, _ = fmt.Sscan(text, &n)
	return n
}

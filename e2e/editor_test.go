package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// shop loads a small shop's orders once, for the journeys of the editor.
var shop = sync.OnceValue(func() error {
	var rows strings.Builder
	rows.WriteString("order_date,store_region,category,channel,net_sales,margin\n")
	channels := []string{"In store", "Home delivery", "Click & collect"}
	categories := []string{"Outerwear", "Footwear", "Base layers", "Packs"}
	for i := range 720 {
		fmt.Fprintf(&rows, "2026-%02d-%02d,%s,%s,%s,%d.50,%d.25\n", 1+i/120, 1+i%28,
			[]string{"North", "South"}[i%2], categories[i%4], channels[i%3], 100+i%37, 20+i%11)
	}
	dir, err := os.MkdirTemp("", "dataflow-shop-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "shop.csv")
	if err := os.WriteFile(file, []byte(rows.String()), 0o600); err != nil {
		return err
	}
	if _, stderr, err := demo.run(context.Background(), "", "import", file, "--dataset", "shop"); err != nil {
		return fmt.Errorf("import: %w: %s", err, stderr)
	}
	return nil
})

// editShop makes a dashboard of the shop's orders, "suggested" or "blank", and
// opens its editor. It answers the path of the dashboard.
func (v *visitor) editShop(start string) string {
	v.t.Helper()
	v.must(shop())
	return v.editNew("shop", start)
}

// editNew does so with another dataset.
func (v *visitor) editNew(dataset, start string) string {
	v.t.Helper()
	v.open("/dashboards/new")
	v.must(v.tab.Locator("select[name=dataset]").WaitFor())
	_, err := v.tab.Locator("select[name=dataset]").SelectOption(playwright.SelectOptionValues{Labels: playwright.StringSlice(dataset)})
	v.must(err)
	_, err = v.tab.Locator("select[name=start]").SelectOption(playwright.SelectOptionValues{Values: playwright.StringSlice(start)})
	v.must(err)
	v.must(v.tab.Locator("form:has(select[name=dataset]) button[type=submit]").Click())
	v.must(v.tab.WaitForURL(regexp.MustCompile(`/dashboards/[0-9a-f-]{36}`)))
	path := regexp.MustCompile(`/dashboards/[0-9a-f-]{36}`).FindString(v.tab.URL())
	v.edit(path)
	return path
}

// edit opens the editor of a dashboard.
func (v *visitor) edit(path string) {
	v.t.Helper()
	v.open(path + "/edit")
	v.must(v.tab.Locator("df-grid[ready]").WaitFor())
	v.must(v.tab.Locator("#inspector input").First().WaitFor(playwright.LocatorWaitForOptions{State: playwright.WaitForSelectorStateAttached}))
}

// saved waits until everything has been taken by the server.
func (v *visitor) saved() {
	v.t.Helper()
	v.until("everything is saved", `() => document.getElementById("save-state").dataset.state === "saved"`, nil)
}

// canvas tells what stands where, by title.
func (v *visitor) canvas() string {
	v.t.Helper()
	text, err := v.tab.Evaluate(`() => [...document.querySelectorAll("df-grid > .grid-stack-item")].map(e =>
		[e.getAttribute("gs-id"), e.querySelector(".w-title").textContent.trim(), e.getAttribute("gs-x"), e.getAttribute("gs-y"), e.getAttribute("gs-w"), e.getAttribute("gs-h")].join(" ")).sort().join("\n")`)
	v.must(err)
	return text.(string)
}

// tiles waits for a number of widgets on the canvas, all of them drawn.
func (v *visitor) tiles(n int) {
	v.t.Helper()
	v.until(fmt.Sprintf("the canvas has %d widgets", n), `n => document.querySelectorAll("df-grid > .grid-stack-item").length === n
		&& !document.querySelector("df-grid .w-first")`, n)
}

func (v *visitor) press(keys ...string) {
	v.t.Helper()
	for _, key := range keys {
		v.must(v.tab.Keyboard().Press(key))
	}
}

// drag carries something from the palette to a place on the canvas.
func (v *visitor) drag(what string, x, y float64) {
	v.t.Helper()
	v.must(v.tab.Locator(what).First().DragTo(v.tab.Locator("#canvas"), playwright.LocatorDragToOptions{TargetPosition: &playwright.Position{X: x, Y: y}}))
}

// reverse undoes (or does again) until there is nothing left, and answers how
// many changes that were.
func (v *visitor) reverse(which string) int {
	v.t.Helper()
	button := v.tab.Locator("#page-head [data-edit=" + which + "]")
	for n := 0; ; n++ {
		v.saved()
		enabled, err := button.IsEnabled()
		v.must(err)
		if !enabled {
			return n
		}
		if n > 60 {
			v.t.Fatalf("%s does not come to an end", which)
		}
		before, err := v.tab.Locator("df-editor").GetAttribute("data-rev")
		v.must(err)
		v.must(button.Click())
		v.until("the "+which+" is answered", `before => document.querySelector("df-editor").dataset.rev !== before`, before)
	}
}

func TestADashboardIsBuiltWithTheMouse(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.signIn()
	path := v.editShop("blank")
	v.tiles(0)

	// A type, then a field on it.
	v.drag("[data-palette-type=kpi]", 120, 140)
	v.tiles(1)
	// Keys are for what was dropped.
	v.until("what was dropped has the focus", `() => document.activeElement.matches(".grid-stack-item[data-selected]")`, nil)
	v.press("Delete")
	v.tiles(0)
	v.drag("[data-palette-type=kpi]", 120, 140)
	v.tiles(1)
	v.must(v.tab.Locator("#fields [data-field=net_sales]").DragTo(v.tab.Locator("df-grid > .grid-stack-item").First()))
	v.see("df-grid .kpi-value", "8")
	// A field by itself becomes a chart that suits it.
	v.drag("#fields [data-field=order_date]", 200, 400)
	v.tiles(2)
	// Onto a well of the inspector.
	v.must(v.tab.Locator("#fields [data-field=channel]").DragTo(v.tab.Locator("#inspector [data-well=series], #inspector [data-well='']").First()))
	v.see("#inspector [data-chip]", "channel")
	v.saved()

	// The head of a tile moves it, a handle resizes it.
	chart := v.tab.Locator("df-grid > .grid-stack-item[data-selected]")
	before, err := chart.GetAttribute("gs-w")
	v.must(err)
	v.pull(chart.Locator(".ui-resizable-se"), -160, 40)
	v.until("the chart is narrower", `before => document.querySelector("df-grid > .grid-stack-item[data-selected]").getAttribute("gs-w") < before`, before)
	v.pull(chart.Locator(".w-title"), 200, 0)
	v.until("the chart has moved", `() => document.querySelector("df-grid > .grid-stack-item[data-selected]").getAttribute("gs-x") !== "0"`, nil)
	v.saved()

	// Its title shows while one types.
	v.must(v.tab.Locator("[data-inspector-tab=format]").Click())
	v.must(v.tab.Locator("#inspector [data-path='/title']").Fill("Orders by channel"))
	v.see("df-grid .w-title", "Orders by channel")
	v.saved()

	// A filter for the bar.
	v.must(v.tab.Locator("[popovertarget=add-control]").Click())
	v.must(v.tab.Locator("#add-control .menu-item", playwright.PageLocatorOptions{HasText: "region"}).Click())
	v.see("#canvas .filters", "region")
	v.saved()

	// What is published is what viewers see, until the next time.
	viewer := demo.visit(t, desktop)
	viewer.signIn()
	v.must(v.tab.Locator("[data-edit=publish]").Click())
	v.must(v.tab.WaitForURL(regexp.MustCompile(`/dashboards/[0-9a-f-]{36}($|\?)`)))
	v.edit(path)
	v.tiles(2)
	v.must(v.tab.Locator("df-grid .w-title", playwright.PageLocatorOptions{HasText: "Orders by channel"}).Click())
	v.must(v.tab.Locator("[data-inspector-tab=format]").Click())
	v.must(v.tab.Locator("#inspector [data-path='/title']").Fill("Not for viewers yet"))
	v.see("df-grid .w-title", "Not for viewers yet")
	v.saved()
	viewer.open(path)
	viewer.see(".w-title", "Orders by channel")

	// All of it can be undone and done again, after the page was left too.
	built := v.canvas()
	undone := v.reverse("undo")
	v.tiles(0)
	if redone := v.reverse("redo"); redone != undone {
		t.Errorf("%d changes were undone, %d done again", undone, redone)
	}
	if got := v.canvas(); got != built {
		t.Errorf("all done again, the canvas is\n%s\nwant\n%s", got, built)
	}
}

// The first click on a mark selects its widget, the next one is for the mark.
func TestAClickSelectsBeforeItFilters(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.signIn()
	v.editShop("suggested")
	mark := v.tab.Locator("df-grid button[data-mark]").First()
	v.must(mark.Click())
	v.see("#inspector [data-inspector-tab]", "Data")
	v.until("the widget has the focus", `() => document.activeElement.matches(".grid-stack-item[data-selected]")`, nil)
	if strings.Contains(v.tab.URL(), "x.") {
		t.Errorf("a click that selects filtered the page: %s", v.tab.URL())
	}
	v.must(mark.Click())
	v.must(v.tab.WaitForURL(regexp.MustCompile(`x\.`)))
}

// pull drags something by its middle with the mouse.
func (v *visitor) pull(what playwright.Locator, dx, dy float64) {
	v.t.Helper()
	v.must(what.WaitFor())
	box, err := what.BoundingBox()
	v.must(err)
	mouse := v.tab.Mouse()
	x, y := box.X+box.Width/2, box.Y+box.Height/2
	v.must(mouse.Move(x, y))
	v.must(mouse.Down())
	v.must(mouse.Move(x+dx, y+dy, playwright.MouseMoveOptions{Steps: playwright.Int(5)}))
	v.must(mouse.Up())
}

func TestADashboardIsBuiltWithTheKeyboard(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.signIn()
	v.editShop("blank")
	v.tiles(0)
	said := func(text string) {
		t.Helper()
		v.until("it is said: "+text, `text => document.getElementById("announcer").textContent.includes(text)`, text)
	}

	// A type of widget goes to the first free place.
	v.must(v.tab.Locator("[data-palette-type=bar]").Focus())
	v.press("Enter")
	v.tiles(1)
	said("column 1 row 1")
	v.must(v.tab.Locator("#inspector [data-well-add]").First().Focus())
	v.press("Enter")
	v.see("#field-choices", "channel")
	v.press("c", "h", "a", "n", "Enter")
	v.see("#inspector [data-chip]", "channel")
	// A field by itself.
	v.must(v.tab.Locator("#fields [data-field=net_sales]").Focus())
	v.press("Enter")
	v.tiles(2)
	v.saved()
	before := v.canvas()

	// Picked up, moved, resized, put back; again, and dropped.
	v.must(v.tab.Locator("df-grid > .grid-stack-item[data-selected]").Focus())
	v.press("Enter")
	said("picked up")
	v.press("ArrowDown", "ArrowDown")
	v.press("Shift+ArrowRight")
	v.press("Escape")
	said("back in its place")
	if got := v.canvas(); got != before {
		t.Errorf("after Escape the canvas is\n%s\nwant\n%s", got, before)
	}
	v.press("Enter", "ArrowDown", "Shift+ArrowRight", "Enter")
	said("dropped")
	v.saved()
	moved := v.canvas()
	if moved == before {
		t.Error("the keyboard has moved nothing")
	}
	v.press("Control+d")
	v.tiles(3)
	v.saved()
	v.press("Delete")
	v.tiles(2)
	v.saved()
	v.press("Control+z")
	v.tiles(3)
	v.press("Control+z")
	v.tiles(2)
	v.press("Control+Shift+z")
	v.tiles(3)
	v.press("Control+y")
	v.tiles(2)
	if got := v.canvas(); got != moved {
		t.Errorf("the canvas is\n%s\nwant\n%s", got, moved)
	}
	v.accessible()
	v.reverse("undo")
	v.tiles(0)
}

// robin is made once.
var robin = sync.OnceValues(func() (server, error) {
	s := server{URL: demo.URL, Email: "robin@example.com", Password: "a long enough phrase 42", dataDir: demo.dataDir}
	_, stderr, err := demo.run(context.Background(), s.Password+"\n", "user", "create", s.Email, "--name", "Robin Lee", "--role", "editor", "--password-stdin")
	if err != nil {
		err = fmt.Errorf("make a colleague: %w: %s", err, stderr)
	}
	return s, err
})

// colleague is a second person of the demo's workspace, with a browser.
func (s *server) colleague(t *testing.T) *visitor {
	t.Helper()
	as, err := robin()
	if err != nil {
		t.Fatal(err)
	}
	v := s.visit(t, desktop)
	v.server = &as
	return v
}

func TestTwoPeopleEditAtOnce(t *testing.T) {
	t.Parallel()
	a := demo.visit(t, desktop)
	a.signIn()
	path := a.editShop("suggested")
	b := demo.colleague(t)
	b.signIn()
	b.edit(path)

	// Each sees the other, and what the other works on.
	a.see("#presence .avatar", "RL")
	ids, err := a.tab.Evaluate(`() => [...document.querySelectorAll("df-grid > .grid-stack-item")].map(e => e.getAttribute("gs-id"))`)
	a.must(err)
	list := ids.([]any)
	if len(list) < 2 {
		t.Fatalf("the dashboard has %d widgets", len(list))
	}
	one, two := list[0].(string), list[1].(string)
	item := func(v *visitor, id string) playwright.Locator {
		return v.tab.Locator(`df-grid > .grid-stack-item[gs-id="` + id + `"]`)
	}
	title := func(id string) string { return `df-grid > .grid-stack-item[gs-id="` + id + `"] .w-title` }
	rename := func(v *visitor, id, to string) {
		t.Helper()
		v.must(item(v, id).Locator(".w-title").Click())
		v.must(v.tab.Locator("[data-inspector-tab=format]").Click())
		v.must(v.tab.Locator("#inspector [data-path='/title']").Fill(to))
	}
	b.must(item(b, two).Locator(".w-title").Click())
	a.must(item(a, two).Locator(".grid-person", playwright.LocatorLocatorOptions{HasText: "Robin Lee"}).WaitFor())

	// Different widgets: both changes survive, on both screens.
	rename(a, one, "Renamed by A")
	rename(b, two, "Renamed by B")
	a.becomes(title(two), "Renamed by B")
	b.becomes(title(one), "Renamed by A")

	// The same property: both end the same, and whoever was replaced hears it.
	rename(a, one, "First")
	b.becomes(title(one), "First")
	rename(b, one, "Second")
	a.becomes(title(one), "Second")
	a.saved()
	b.saved()
	a.see("#toasts", "Robin Lee has changed what you had just set in First: it is “Second” now.")
	// Nor does an old name stay with who listens, or in the panel of A, who has it open.
	a.must(item(a, one).Locator("section[data-widget][aria-label='Second']").WaitFor())
	a.must(item(a, one).Locator(".w-menu[aria-label='Menu of Second']").WaitFor())
	a.must(a.tab.Locator("#inspector .inspector-title[title='Second']").WaitFor())

	// Undo does not take somebody else's change away without asking.
	a.must(item(a, one).Focus())
	a.press("Control+z")
	a.see("dialog#undo-conflict[open]", "Robin Lee renamed “First” to “Second” since. Undo would name it “Renamed by A” again.")
	a.press("Escape") // without a choice the question stands
	a.becomes(title(one), "Second")
	a.press("Control+z")
	a.see("dialog#undo-conflict[open]", "Robin Lee")
	a.must(a.tab.Locator("#undo-conflict [data-conflict=undo]").Click())
	a.becomes(title(one), "Renamed by A")
	b.becomes(title(one), "Renamed by A")
	// The other's work on the other widget is still there.
	a.becomes(title(two), "Renamed by B")

	// What the other does while one holds a widget stays, on both screens.
	places := `() => JSON.stringify([...document.querySelectorAll("df-grid > .grid-stack-item")].map(e => [e.getAttribute("gs-id"), ...["x", "y", "w", "h"].map(k => e.gridstackNode[k])]).sort())`
	placed := func(v *visitor) string {
		t.Helper()
		text, err := v.tab.Evaluate(places)
		v.must(err)
		return text.(string)
	}
	height := func(v *visitor, id string) int {
		t.Helper()
		h, err := item(v, id).Evaluate(`e => e.gridstackNode.h`, nil)
		v.must(err)
		return h.(int)
	}
	a.must(item(a, one).Locator(".w-title").Click())
	handle := item(a, one).Locator(".ui-resizable-se")
	a.must(handle.ScrollIntoViewIfNeeded())
	box, err := handle.BoundingBox()
	a.must(err)
	mouse, x, y := a.tab.Mouse(), box.X+box.Width/2, box.Y+box.Height/2
	heights := map[string]int{one: height(a, one), two: height(b, two)}
	a.must(mouse.Move(x, y))
	a.must(mouse.Down())
	a.must(mouse.Move(x, y+45, playwright.MouseMoveOptions{Steps: playwright.Int(5)}))
	b.must(item(b, two).Focus())
	b.press("Enter")
	b.press("Shift+ArrowDown")
	b.press("Shift+ArrowDown")
	b.press("Enter")
	b.saved()
	a.must(mouse.Move(x, y+80, playwright.MouseMoveOptions{Steps: playwright.Int(5)}))
	rev, err := b.tab.Locator("df-editor").GetAttribute("data-rev")
	b.must(err)
	a.until("what the other did has come", `rev => Number(document.querySelector("df-editor").dataset.rev) >= Number(rev)`, rev)
	a.must(mouse.Up())
	a.saved()
	b.until("both screens are the same", `text => (`+places+`)() === text`, placed(a))
	if one, two := height(a, one)-heights[one], height(a, two)-heights[two]; one != 2 || two != 2 {
		t.Errorf("the one that was held is %d rows taller, the other's %d", one, two)
	}

	// Who loses a place is told, and only who does; it can be taken again, which
	// takes nothing else of the other's.
	clear := `() => document.getElementById("toasts").replaceChildren()`
	for _, v := range []*visitor{a, b} {
		_, err := v.tab.Evaluate(clear)
		v.must(err)
	}
	a.must(item(a, one).Focus())
	a.press("Enter", "ArrowDown", "ArrowDown")
	b.must(item(b, one).Focus())
	b.press("Enter", "ArrowDown", "Enter")
	b.saved()
	rev, err = b.tab.Locator("df-editor").GetAttribute("data-rev")
	b.must(err)
	a.until("what the other did has come", `rev => Number(document.querySelector("df-editor").dataset.rev) >= Number(rev)`, rev)
	_, err = a.tab.Evaluate(clear) // of a place that A had set before
	a.must(err)
	a.press("Enter")
	a.saved()
	b.see("#toasts", "has changed the place or size that you had just given Renamed by A.")
	if n, err := a.tab.Locator("#toasts .toast").Count(); err != nil || n > 0 {
		t.Errorf("who won is told: %d, %v", n, err)
	}
	b.must(b.tab.Locator("#toasts button", playwright.PageLocatorOptions{HasText: "Use mine"}).Click())
	b.saved()
	a.until("both screens are the same", `text => (`+places+`)() === text`, placed(b))
	a.see("#toasts", "Robin Lee has changed the place or size that you had just given Renamed by A.")

	// What somebody types as the widget goes is said to be lost, and ends in no
	// other field.
	name := b.text("#page-head h1")
	b.must(item(b, two).Locator(".w-title").Click())
	b.must(b.tab.Locator("[data-inspector-tab=format]").Click())
	b.must(b.tab.Locator("#inspector [data-path='/title']").Click())
	b.must(b.tab.Locator("#inspector [data-path='/title']").PressSequentially("letter", playwright.LocatorPressSequentiallyOptions{Delay: playwright.Float(40)}))
	a.must(item(a, two).Locator(".w-title").Click())
	a.press("Delete")
	for i := range 40 { // wherever the focus is
		v := string(rune('a' + i%26))
		b.must(b.tab.Keyboard().Type(v, playwright.KeyboardTypeOptions{Delay: playwright.Float(50)}))
	}
	b.see("#toasts", "deleted “")
	b.see("#toasts", "Undo brings back what you were typing too.")
	if text := b.text("#toasts"); strings.Contains(text, "could not be kept") {
		t.Errorf("one thing is told twice: %s", text)
	}
	if n, err := b.tab.Locator("[data-edit=preview][aria-pressed=true]").Count(); err != nil || n > 0 {
		t.Errorf("a letter was taken for the key of the preview: %d, %v", n, err)
	}
	b.saved()
	b.must(item(b, two).WaitFor(playwright.LocatorWaitForOptions{State: playwright.WaitForSelectorStateDetached}))
	if now := b.text("#page-head h1"); now != name {
		t.Errorf("the dashboard was named %q, and is %q", name, now)
	}
	if now, err := b.tab.Locator("#inspector [data-doc-path='/name']").InputValue(); err != nil || now != strings.TrimSpace(name) {
		t.Errorf("the field of its name has %q (%v), not %q", now, err, name)
	}

	// B's editor knows that A publishes.
	b.see("[data-edit=publish]", "Publish")
	_, err = a.tab.Evaluate(`path => fetch(path + "/publish", {method: "POST"}).then(answer => answer.status)`, path)
	a.must(err)
	b.see("#toasts", "This dashboard was just published")
	b.see("[data-edit=publish]", "Published")

	// What one does in another tab can be taken back in this one, and done again.
	was := a.text(title(one))
	second := demo.visit(t, desktop)
	second.signIn()
	second.edit(path)
	if n, err := second.tab.Locator("#page-head [data-edit=redo]:enabled").Count(); err != nil || n > 0 {
		t.Errorf("there is something to do again at first: %d, %v", n, err)
	}
	rename(a, one, "From the other tab")
	second.becomes(title(one), "From the other tab")
	a.saved()
	a.must(item(a, one).Focus())
	a.press("Control+z")
	second.must(second.tab.Locator("#page-head [data-edit=redo]:enabled").First().WaitFor())
	second.must(item(second, one).Focus())
	second.press("Control+y")
	second.becomes(title(one), "From the other tab")
	a.becomes(title(one), "From the other tab")
	second.press("Control+z")
	a.becomes(title(one), was)
}

func TestChangesOfflineAreKept(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.enter(demo.Email, demo.Password) // a session of its own, which it ends
	path := v.editShop("suggested")
	first := v.tab.Locator("df-grid > .grid-stack-item").First()
	id, err := first.GetAttribute("gs-id")
	v.must(err)
	title := `df-grid > .grid-stack-item[gs-id="` + id + `"] .w-title`
	v.must(first.Locator(".w-title").Click())
	v.must(v.tab.Locator("[data-inspector-tab=format]").Click())

	session := v.tab.Context()
	v.must(session.SetOffline(true))
	v.must(v.tab.Locator("#inspector [data-path='/title']").Fill("Written offline"))
	v.becomes(title, "Written offline")
	v.see("#save-state", "1 change kept")
	// The page goes away, the change does not.
	v.open("about:blank")
	v.must(session.SetOffline(false))
	v.edit(path)
	v.becomes(title, "Written offline")
	v.saved()
	other := demo.visit(t, desktop)
	other.signIn()
	other.edit(path)
	other.becomes(title, "Written offline")

	// What is added has its place at once.
	v.must(session.SetOffline(true))
	v.press("Escape")
	v.must(v.tab.Locator("[data-palette-type=bar]").Focus())
	v.press("Enter")
	v.see("df-grid > .grid-ghost", "Will be drawn when the connection is back")
	v.must(session.SetOffline(false))
	v.saved()
	v.must(v.tab.Locator("df-grid > .grid-ghost").WaitFor(playwright.LocatorWaitForOptions{State: playwright.WaitForSelectorStateDetached}))

	// Without leaving the page, it is sent when the network is back.
	v.must(v.tab.Locator(title).Click())
	v.must(v.tab.Locator("[data-inspector-tab=format]").Click())
	v.must(session.SetOffline(true))
	v.must(v.tab.Locator("#inspector [data-path='/title']").Fill("Written on a train"))
	v.see("#save-state", "1 change kept")
	// The settings of another widget are not there, and not those of this one.
	second := v.tab.Locator("df-grid > .grid-stack-item").Nth(1)
	name, err := second.Locator(".w-title").InnerText()
	v.must(err)
	v.must(second.Locator(".w-title").Click())
	v.see("#inspector", "when the connection is back")
	if n, err := v.tab.Locator("#inspector [data-path]").Count(); err != nil || n > 0 {
		t.Errorf("%d fields of another widget (%v)", n, err)
	}
	v.must(session.SetOffline(false))
	v.saved()
	other.becomes(title, "Written on a train")
	v.see("#inspector .inspector-title", name)
	v.must(v.tab.Locator(title).Click())
	v.see("#inspector .inspector-title", "Written on a train")

	// Nor is what was still being typed as the page went lost.
	v.must(v.tab.Locator("[data-inspector-tab=format]").Click())
	v.must(v.tab.Locator("#inspector [data-path='/title']").Fill("Written while leaving"))
	v.open("about:blank")
	v.edit(path)
	v.becomes(title, "Written while leaving")
	v.saved()
	v.must(v.tab.Locator(title).Click())
	v.must(v.tab.Locator("[data-inspector-tab=format]").Click())

	// What could not be sent goes with the person who signs out.
	v.must(v.tab.Route("**/operations", func(r playwright.Route) { _ = r.Abort() }))
	v.must(v.tab.Locator("#inspector [data-path='/title']").Fill("Never sent"))
	kept := `() => Object.keys(localStorage).filter(key => key.startsWith("df-edit:")).length`
	v.until("the change is kept", `() => Object.keys(localStorage).some(key => key.startsWith("df-edit:"))`, nil)
	v.tab.OnDialog(func(d playwright.Dialog) { _ = d.Accept() })
	_, err = v.tab.Evaluate(`() => document.querySelector("form[action='/signout']").requestSubmit()`)
	v.must(err)
	v.must(v.tab.WaitForURL("**/signin*"))
	if n, err := v.tab.Evaluate(kept); err != nil || fmt.Sprint(n) != "0" {
		t.Errorf("after signing out, %v queues are kept (%v)", n, err)
	}
}

func TestValuesArePutTogetherInADialog(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.signIn()
	v.editShop("blank")
	v.tiles(0)
	v.drag("[data-palette-type=bar]", 120, 140)
	v.tiles(1)
	v.must(v.tab.Locator("#fields [data-field=category]").DragTo(v.tab.Locator("#inspector [data-well=x]")))
	v.see("#inspector [data-chip]", "category")
	v.saved()
	// rows is what the chart shows, as its table says it.
	rows := func(want string) {
		t.Helper()
		v.until("the chart shows "+want, `async want => {
			const at = document.querySelector("df-editor").getAttribute("path");
			const id = document.querySelector("df-grid > .grid-stack-item").getAttribute("gs-id");
			const page = new DOMParser().parseFromString(await (await fetch(at + "/edit/widgets/" + id + "/table")).text(), "text/html");
			const shown = [...page.querySelectorAll("tbody tr")].map(row => row.cells[0].textContent.trim()).sort().join(", ");
			if (shown !== want) throw new Error("it shows " + shown);
			return true;
		}`, want)
	}
	rows("Base layers, Footwear, Outerwear, Packs")

	open := v.tab.Locator("#inspector .chip-groups")
	dialog := v.tab.Locator("#group-values")
	choose := func(values ...string) {
		t.Helper()
		for _, value := range values {
			v.must(dialog.Locator("[data-list] label", playwright.LocatorLocatorOptions{HasText: value}).Locator("input").Check())
		}
	}
	// Cancelled, nothing has changed.
	v.must(open.Click())
	choose("Packs")
	v.must(dialog.Locator("[data-new]").Click())
	v.must(dialog.Locator(".dialog-foot button").First().Click())
	v.must(dialog.WaitFor(playwright.LocatorWaitForOptions{State: playwright.WaitForSelectorStateHidden}))
	rows("Base layers, Footwear, Outerwear, Packs")

	v.must(open.Click())
	choose("Outerwear", "Base layers")
	v.must(dialog.Locator("[data-new]").Click())
	v.must(dialog.Locator("[data-name]").Fill("Clothes"))
	choose("Footwear")
	v.must(dialog.Locator("[data-new]").Click())
	v.must(dialog.Locator("[data-name]").Last().Fill("clothes"))
	v.must(dialog.Locator("[data-other]").Fill("All else"))
	v.accessible()
	// What the server refuses is said there, and can be put right.
	v.must(dialog.Locator("[data-save]").Click())
	v.see("#group-values [data-error]", "two groups called")
	v.must(dialog.Locator("[data-name]").Last().Fill("Shoes"))
	v.must(dialog.Locator("[data-save]").Click())
	v.must(dialog.WaitFor(playwright.LocatorWaitForOptions{State: playwright.WaitForSelectorStateHidden}))
	v.see("#inspector .chip-groups", "2")
	v.saved()
	rows("All else, Clothes, Shoes")

	v.must(v.tab.Locator("#page-head [data-edit=undo]").Click())
	v.must(v.tab.Locator("#inspector .chip-groups .num").WaitFor(playwright.LocatorWaitForOptions{State: playwright.WaitForSelectorStateHidden}))
	rows("Base layers, Footwear, Outerwear, Packs")
}

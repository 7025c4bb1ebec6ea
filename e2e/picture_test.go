package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/playwright-community/playwright-go"
)

// trading loads made-up sales of a chain of outdoor shops, once. The numbers
// are synthetic, and the name of the dataset says so: the sixteen weeks that end
// today, a line for every few orders of an hour, a channel and a
// category, busier at noon and on Saturdays.
var trading = sync.OnceValue(func() error {
	shops := []struct {
		region, name string
		share        float64
	}{
		{"London & SE", "Oxford Street", 1.7}, {"London & SE", "Bluewater", 1.4}, {"London & SE", "Brighton Lanes", 0.9},
		{"North", "Manchester Arndale", 1.1}, {"North", "Leeds Trinity", 0.9}, {"North", "Newcastle Eldon Sq", 0.6},
		{"Benelux", "Antwerp Meir", 1.0}, {"Benelux", "Utrecht Centrum", 0.7}, {"Midlands", "Birmingham Bullring", 1.2},
		{"Ireland", "Dublin Grafton St", 0.8}, {"Scotland", "Glasgow Buchanan", 0.6}, {"Germany W.", "Cologne Schildergasse", 0.4},
	}
	channels := []struct {
		name  string
		share float64
	}{{"In store", 0.6}, {"Home delivery", 0.25}, {"Click & collect", 0.15}}
	categories := []struct {
		name  string
		share float64
	}{{"Outerwear", 0.31}, {"Footwear", 0.25}, {"Base layers", 0.17}, {"Packs & bags", 0.14}, {"Camping", 0.08}, {"Climbing", 0.05}}
	random := rand.New(rand.NewPCG(18, 5))
	var rows strings.Builder
	rows.WriteString("order_time,store_region,store_name,category,channel,net_sales,orders,on_time_rate,sell_through,margin\n")
	const days = 112
	start := time.Now().UTC().AddDate(0, 0, 1-days)
	for d := range days {
		day := start.AddDate(0, 0, d)
		week := []float64{1.15, 0.8, 0.78, 0.85, 0.95, 1.15, 1.6}[day.Weekday()] * (1 + 0.0014*float64(d)) * (0.94 + 0.12*random.Float64())
		for n := range 90 {
			// Noon and the hours after work draw people.
			hour := 8 + (n*7)%13
			busy := 0.5 + 0.9/(1+float64((hour-13)*(hour-13))/6) + 0.5/(1+float64((hour-18)*(hour-18))/3)
			shop, channel, category := shops[n%len(shops)], channels[n%3], categories[(n/3)%len(categories)]
			sales := 3200 * week * busy * shop.share * channel.share * category.share * (0.92 + 0.16*random.Float64()) * 6
			fmt.Fprintf(&rows, "%s %02d:%02d:00,%s,%s,%s,%s,%.2f,%d,%.4f,%.3f,%.2f\n", day.Format(time.DateOnly), hour, n%60,
				shop.region, shop.name, category.name, channel.name, sales, 1+int(sales/48), min(1, 0.915+0.0004*float64(d)+0.02*random.Float64()),
				0.45+0.12*shop.share+0.05*random.Float64(), sales*(0.34+0.05*random.Float64()))
		}
	}
	dir, err := os.MkdirTemp("", "dataflow-trading-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "trading.csv")
	if err := os.WriteFile(file, []byte(rows.String()), 0o600); err != nil {
		return err
	}
	if _, stderr, err := demo.run(context.Background(), "", "import", file, "--dataset", tradingDataset); err != nil {
		return fmt.Errorf("import: %w: %s", err, stderr)
	}
	return nil
})

const tradingDataset = "Sales (synthetic)"

// author builds dashboards by hand: with the mouse, or by the keys alone.
type author struct {
	*visitor
	keys bool
	path string
	made int // widgets so far
}

// place is where a widget stands: column, row, columns, rows.
type place struct{ x, y, w, h int }

// reach focuses something as a person without a mouse does: by F6 to the part
// of the page, by Tab within it.
func (a *author) reach(selector string) {
	a.t.Helper()
	a.must(a.tab.Locator(selector).First().WaitFor())
	for range 100 {
		where, err := a.tab.Evaluate(`selector => {
			const wanted = document.querySelector(selector), active = document.activeElement;
			if (wanted === active) return "there";
			const part = e => e.closest("#page-head, #palette, .canvas-bar, df-grid, #inspector");
			if (part(wanted) !== part(active)) return "F6";
			return active.compareDocumentPosition(wanted) & Node.DOCUMENT_POSITION_PRECEDING ? "Shift+Tab" : "Tab";
		}`, selector)
		a.must(err)
		if where == "there" {
			return
		}
		a.press(where.(string))
	}
	a.t.Fatalf("Tab does not lead to %s", selector)
}

// push presses a button.
func (a *author) push(selector string) {
	a.t.Helper()
	if a.keys {
		a.reach(selector)
		a.press("Enter")
		return
	}
	a.must(a.tab.Locator(selector).First().Click())
}

// turn opens a tab of the inspector.
func (a *author) turn(name string) {
	a.t.Helper()
	a.must(a.tab.Locator("#inspector [data-inspector-tab]").First().WaitFor())
	if !a.keys {
		a.must(a.tab.Locator("[data-inspector-tab=" + name + "]").Click())
		return
	}
	for range 4 {
		now, err := a.tab.Locator("#inspector [data-inspector-tab][aria-selected=true]").GetAttribute("data-inspector-tab")
		a.must(err)
		if now == name {
			return
		}
		a.reach("#inspector [data-inspector-tab][aria-selected=true]")
		a.press("ArrowRight")
	}
	a.t.Fatalf("the inspector has no tab %s", name)
}

// write fills in a text, which is taken as it is typed.
func (a *author) write(selector, text string) {
	a.t.Helper()
	if !a.keys {
		a.must(a.tab.Locator(selector).First().Click())
	} else {
		a.reach(selector)
	}
	a.press("Control+a")
	a.must(a.tab.Keyboard().Type(text))
	a.press("Tab")
	a.saved()
}

// pick chooses in a drop-down. The browser draws its list outside of the page,
// where the mouse of a test does not reach.
func (a *author) pick(selector, label string) {
	a.t.Helper()
	if !a.keys {
		_, err := a.tab.Locator(selector).First().SelectOption(playwright.SelectOptionValues{Labels: playwright.StringSlice(label)})
		a.must(err)
	} else {
		// A letter finds one that begins so, arrows go on from there.
		a.reach(selector)
		a.press(label[:1])
		for range 20 {
			key, err := a.tab.Evaluate(`([selector, label]) => {
				const list = document.querySelector(selector), wanted = [...list.options].findIndex(option => option.label === label);
				return wanted === list.selectedIndex ? "" : wanted > list.selectedIndex ? "ArrowDown" : "ArrowUp";
			}`, []any{selector, label})
			a.must(err)
			if key == "" {
				break
			}
			a.press(key.(string))
		}
	}
	a.until(selector+" is "+label, `([selector, label]) => document.querySelector(selector)?.selectedOptions[0]?.label === label`, []any{selector, label})
	a.saved()
}

const selectedItem = "df-grid > .grid-stack-item[data-selected]"

// stands tells where the selected widget is.
func (a *author) stands() place {
	a.t.Helper()
	text, err := a.tab.Evaluate(`selector => { const e = document.querySelector(selector); return ["x", "y", "w", "h"].map(k => e.getAttribute("gs-" + k)).join(" "); }`, selectedItem)
	a.must(err)
	var p place
	_, err = fmt.Sscan(text.(string), &p.x, &p.y, &p.w, &p.h)
	a.must(err)
	return p
}

// chosen is the id of the selected widget; "" for none.
func (a *author) chosen() string {
	a.t.Helper()
	id, err := a.tab.Evaluate(`selector => document.querySelector(selector)?.getAttribute("gs-id") ?? ""`, selectedItem)
	a.must(err)
	return id.(string)
}

// add puts a new widget of a type at a place; it is the selected one then.
func (a *author) add(kind string, to place) {
	a.t.Helper()
	a.made++
	before := a.chosen()
	if a.keys {
		a.reach("[data-palette-type=" + kind + "]")
		a.press("Enter")
	} else {
		grid, err := a.tab.Locator("df-grid").BoundingBox()
		a.must(err)
		canvas, err := a.tab.Locator("#canvas").BoundingBox()
		a.must(err)
		a.drag("[data-palette-type="+kind+"]", grid.X-canvas.X+grid.Width/12*(float64(to.x)+0.5), grid.Y-canvas.Y+40*(float64(to.y)+0.5))
	}
	a.until("the new "+kind+" is there", `([selector, before]) => {
		const item = document.querySelector(selector);
		return item !== null && item.getAttribute("gs-id") !== before && !item.querySelector(".w-first");
	}`, []any{selectedItem, before})
	a.saved()
	// The same twice: first where it is, then how large.
	at := a.stands()
	if at == to {
		return
	}
	if a.keys {
		a.reach(selectedItem)
		a.press("Enter")
		steps := func(n int, less, more string) {
			for range max(n, -n) {
				if n < 0 {
					a.press(less)
				} else {
					a.press(more)
				}
			}
		}
		steps(min(0, to.w-at.w), "Shift+ArrowLeft", "")
		steps(min(0, to.h-at.h), "Shift+ArrowUp", "")
		steps(to.y-at.y, "ArrowUp", "ArrowDown")
		steps(to.x-at.x, "ArrowLeft", "ArrowRight")
		steps(max(0, to.w-at.w), "", "Shift+ArrowRight")
		steps(max(0, to.h-at.h), "", "Shift+ArrowDown")
		a.press("Enter")
	} else {
		grid, err := a.tab.Locator("df-grid").BoundingBox()
		a.must(err)
		item := a.tab.Locator(selectedItem)
		if at.w != to.w || at.h != to.h {
			a.pull(item.Locator(".ui-resizable-se"), grid.Width/12*float64(to.w-at.w), 40*float64(to.h-at.h))
		}
		if at.x != to.x || at.y != to.y {
			a.pull(item.Locator(".w-title"), grid.Width/12*float64(to.x-at.x), 40*float64(to.y-at.y))
		}
	}
	a.saved()
	a.until(fmt.Sprintf("the %s stands at %v", kind, to), `([selector, want]) => {
		const e = document.querySelector(selector);
		return ["x", "y", "w", "h"].map(k => e.getAttribute("gs-" + k)).join(" ") === want;
	}`, []any{selectedItem, fmt.Sprint(to.x, to.y, to.w, to.h)})
}

// fill puts a field into a well of the selected widget, in the place of what
// is there where the well holds one.
func (a *author) fill(well, field string) {
	a.t.Helper()
	a.turn("data")
	chip := `#inspector [data-well="` + well + `"] [data-chip]`
	a.must(a.tab.Locator(`#inspector [data-well="` + well + `"]`).WaitFor())
	if n, err := a.tab.Locator(chip + ` .chip-name:text-is("` + field + `")`).Count(); err == nil && n > 0 {
		return
	}
	if a.keys {
		if n, err := a.tab.Locator(`#inspector [data-well="` + well + `"] [data-well-add]`).Count(); err == nil && n == 0 {
			a.reach(chip)
			a.press("Delete")
			a.saved()
		}
		a.reach(`#inspector [data-well="` + well + `"] [data-well-add]`)
		a.press("Enter")
		a.must(a.tab.Locator("#field-choices").WaitFor())
		// Key by key: Type puts the text into fields without pressing any.
		for _, letter := range field {
			a.press(string(letter))
		}
		a.press("Enter")
	} else {
		a.must(a.tab.Locator("#fields [data-field=" + field + "]").DragTo(a.tab.Locator(`#inspector [data-well="` + well + `"]`)))
	}
	a.saved()
	a.must(a.tab.Locator(chip, playwright.PageLocatorOptions{HasText: field}).First().WaitFor())
}

// named gives the selected widget its title, and perhaps a second line.
func (a *author) named(title, subtitle string) {
	a.t.Helper()
	a.turn("format")
	a.write("#inspector-title", title)
	if subtitle != "" {
		a.write("#inspector-subtitle", subtitle)
	}
}

const styleOfFirst = `#inspector [data-path^="/format/"][data-path$="/style"]`

// money writes the first measure of the selected widget in pounds.
func (a *author) money() {
	a.t.Helper()
	a.turn("format")
	a.pick(styleOfFirst, "Currency")
	a.pick(strings.Replace(styleOfFirst, "/style", "/currency", 1), "GBP")
}

// control adds a filter to the bar.
func (a *author) control(field string) {
	a.t.Helper()
	const filters = "#canvas df-filter"
	before, err := a.tab.Locator(filters).Count()
	a.must(err)
	a.push("[popovertarget=add-control]")
	if a.keys {
		focused := a.tab.Locator("#add-control:popover-open .menu-item:focus")
		a.must(focused.WaitFor())
		// A letter finds one that begins so, arrows go on from there.
		a.press(field[:1])
		for range 20 {
			if text, err := focused.TextContent(); err == nil && strings.TrimSpace(text) == field {
				break
			}
			a.press("ArrowDown")
		}
		a.press("Enter")
	} else {
		a.must(a.tab.Locator("#add-control .menu-item", playwright.PageLocatorOptions{HasText: field}).First().Click())
	}
	a.until("the filter by "+field+" is there", `([filters, before]) => document.querySelectorAll(filters).length > before`, []any{filters, before})
	a.saved()
}

// paintTop and paintBottom build the dashboard of the picture on an empty canvas.
func (a *author) paintTop() {
	a.write("#settings-name", "Trading & delivery")
	a.pick("#settings-range", "Last 28 days")
	a.control("Channel")
	a.control("Category")

	a.add("kpi", place{0, 0, 3, 3})
	a.fill("value", "net_sales")
	a.money()
	a.add("kpi", place{0, 3, 3, 3})
	a.fill("value", "orders")
	a.add("kpi", place{0, 6, 3, 3})
	a.fill("value", "on_time_rate")
	a.named("On-time delivery", "")
	a.pick(styleOfFirst, "Percent")

	a.add("forecast", place{3, 0, 9, 9})
	a.fill("x", "order_time")
	a.fill("value", "net_sales")
	a.named("Net sales and 14-day forecast", "Daily, all channels")
	a.money()
}

func (a *author) paintBottom() {
	a.add("stacked_bar", place{0, 9, 7, 8})
	a.fill("x", "order_time")
	a.fill("value", "net_sales")
	a.fill("series", "channel")
	a.pick(`#inspector [data-well=x] .chip-select`, "ISO week")
	a.named("Sales by channel", "Net sales per week")
	a.money()
	a.add("donut", place{7, 9, 5, 8})
	a.fill("x", "category")
	a.fill("value", "net_sales")
	a.named("Category mix", "Share of net sales")
	a.money()

	a.add("table", place{0, 17, 6, 9})
	a.fill("rows", "store_name")
	a.fill("value", "net_sales")
	a.fill("value", "sell_through")
	a.fill("value", "on_time_rate")
	a.named("Store performance", "Net sales, sell-through and on-time delivery")
	a.money()
	a.add("heatmap", place{6, 17, 3, 9})
	a.fill("y", "order_time")
	a.fill("value", "orders")
	a.named("Orders by hour", "")
	a.add("bar", place{9, 17, 3, 9})
	a.fill("x", "store_region")
	a.fill("value", "net_sales")
	a.named("Net sales by region", "Select a bar to cross-filter")
	a.money()
}

// back undoes (or does again) until nothing is left, and tells how many changes
// that were.
func (a *author) back(which string) int {
	a.t.Helper()
	button := "#page-head [data-edit=" + which + "]"
	a.saved()
	if a.keys {
		a.reach("[data-palette-tab][aria-selected=true]")
	}
	// Another change of the same at the same moment is asked about, and that may
	// come after the other's change has.
	const asks = `document.querySelector("dialog#undo-conflict[open]")`
	asked := func() bool {
		question, err := a.tab.Evaluate(`() => ` + asks + `?.innerText ?? null`)
		a.must(err)
		if question != nil {
			a.t.Logf("the %s asks: %v", which, question)
			a.must(a.tab.Locator("#undo-conflict [data-conflict=undo]").Click())
		}
		return question != nil
	}
	for n := range 300 {
		before, err := a.tab.Evaluate(`button => document.querySelector(button).disabled ? null : document.querySelector("df-editor").dataset.rev`, button)
		a.must(err)
		if before == nil {
			return n
		}
		switch {
		case !a.keys:
			// A title or a person that comes or goes gives the head another width.
			err := a.tab.Locator(button).Click(playwright.LocatorClickOptions{Timeout: playwright.Float(5000)})
			if err != nil && asked() {
				continue
			}
			// A change of the other's may have been taken for the answer: then this was
			// the last one.
			if on, _ := a.tab.Locator(button).IsEnabled(); err != nil && !on {
				continue
			}
			a.must(err)
		case which == "undo":
			a.press("Control+z")
		default:
			a.press("Control+Shift+z")
		}
		a.until("the "+which+" is answered", `before => `+asks+` || document.querySelector("df-editor").dataset.rev !== before
			&& document.getElementById("save-state").dataset.state === "saved"`, before)
		asked()
	}
	a.t.Fatalf("%s does not come to an end", which)
	return 0
}

var editorDoc = regexp.MustCompile(`(?s)id="editor-doc">(.*?)</script>`)

// document is the draft as the server keeps it, name, filters, widgets and all.
func (a *author) document() string {
	a.t.Helper()
	response, err := a.tab.Request().Get(a.path + "/edit")
	a.must(err)
	body, err := response.Text()
	a.must(err)
	found := editorDoc.FindStringSubmatch(body)
	if found == nil {
		a.t.Fatal("the editor's page has no document")
	}
	var answer struct{ Doc any }
	a.must(json.Unmarshal([]byte(html.UnescapeString(found[1])), &answer))
	text, err := json.MarshalIndent(answer.Doc, "", " ")
	a.must(err)
	return string(text)
}

// paints builds the picture from nothing, takes all of it back and does it all
// again; the draft has to be the same as before, to the last key.
func paints(t *testing.T, keys bool) *author {
	a := &author{visitor: demo.visit(t, look{width: 1440, height: 1560}), keys: keys}
	a.signIn()
	a.must(trading())
	a.path = a.editNew(tradingDataset, "blank")
	a.tiles(0)
	empty := a.document()
	a.paintTop()
	a.paintBottom()
	built := a.document()
	undone := a.back("undo")
	a.tiles(0)
	if got := a.document(); got != empty {
		t.Errorf("all undone, the dashboard is\n%s\nwant\n%s", got, empty)
	}
	if redone := a.back("redo"); redone != undone {
		t.Errorf("%d changes were undone, %d done again", undone, redone)
	}
	a.tiles(a.made)
	if got := a.document(); got != built {
		t.Errorf("all done again, the dashboard is\n%s\nwant\n%s", got, built)
	}
	a.published(a.path)
	return a
}

// Two people build a half each at the same time, take their own work back, and
// do it again.
func TestThePictureIsBuiltByTwoAtOnce(t *testing.T) {
	t.Parallel()
	ann := &author{visitor: demo.visit(t, look{width: 1440, height: 1560})}
	ann.signIn()
	ann.must(trading())
	ann.path = ann.editNew(tradingDataset, "blank")
	empty := ann.document()
	robin := &author{visitor: demo.colleague(t), path: ann.path}
	robin.must(robin.tab.SetViewportSize(1440, 1560))
	robin.signIn()
	robin.edit(ann.path)
	together := func(name string, half func(*author)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			for who, a := range map[string]*author{"Ann": ann, "Robin": robin} {
				t.Run(who, func(t *testing.T) {
					t.Parallel()
					a.t = t
					half(a)
				})
			}
		})
		ann.t, robin.t = t, t
	}
	// same waits until both see all, and it is the same; it answers the draft.
	same := func() string {
		t.Helper()
		rev, err := ann.tab.Request().Get(ann.path + "/operations?after=0")
		ann.must(err)
		var log struct{ Rev int64 }
		ann.must(rev.JSON(&log))
		for _, a := range []*author{ann, robin} {
			a.until("all changes are there", `rev => document.querySelector("df-editor").dataset.rev === rev`, fmt.Sprint(log.Rev))
		}
		if a, b := ann.canvas(), robin.canvas(); a != b {
			t.Errorf("one sees\n%s\nthe other\n%s", a, b)
		}
		return ann.document()
	}
	together("built", func(a *author) {
		if a == ann {
			a.paintTop()
		} else {
			a.paintBottom()
		}
	})
	ann.tiles(ann.made + robin.made)
	robin.tiles(ann.made + robin.made)
	built := same()
	// Undo takes back what is one's own, and nothing of the other.
	ann.back("undo")
	ann.tiles(robin.made)
	robin.tiles(robin.made)
	robin.back("undo")
	if got := same(); got != empty {
		t.Errorf("all undone, the dashboard is\n%s\nwant\n%s", got, empty)
	}
	together("done again", func(a *author) { a.back("redo") })
	if got := same(); got != built {
		t.Errorf("all done again, the dashboard is\n%s\nwant\n%s", got, built)
	}
}

// shot keeps a picture of the page for people to look at.
func (v *visitor) shot(name string) {
	v.t.Helper()
	dir := os.Getenv("E2E_SCREENSHOTS")
	if dir == "" {
		return
	}
	_, err := v.tab.Screenshot(playwright.PageScreenshotOptions{Path: playwright.String(filepath.Join(dir, name+".png")), FullPage: playwright.Bool(true)})
	v.must(err)
}

func TestThePictureIsBuiltWithTheMouse(t *testing.T) {
	t.Parallel()
	a := paints(t, false)
	for _, dark := range []bool{false, true} {
		theme := map[bool]string{false: "light", true: "dark"}[dark]
		v := demo.visit(t, look{width: 1440, height: 900, dark: dark})
		v.signIn()
		v.edit(a.path)
		v.tiles(a.made)
		v.drawn()
		v.shot("picture-editor-" + theme)
		for _, width := range []int{1440, 768, 390} {
			v.must(v.tab.SetViewportSize(width, 900))
			v.open(a.path)
			v.drawn()
			if n, err := v.tab.Locator("#dash > .w").Count(); err != nil || n != a.made {
				t.Errorf("at %d px the dashboard shows %d widgets (%v), want %d", width, n, err, a.made)
			}
			v.fits()
			v.shot(fmt.Sprintf("picture-view-%s-%d", theme, width))
		}
		v.accessible()
	}
}

func TestThePictureIsBuiltWithTheKeyboard(t *testing.T) {
	t.Parallel()
	paints(t, true).accessible()
}

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// drop lets a file fall onto the page, as a person drags it there.
func (v *visitor) drop(name, content string) {
	v.t.Helper()
	v.until("the page takes files", `() => Boolean(customElements.get("df-dropzone") && document.querySelector("df-dropzone"))`, nil)
	_, err := v.tab.Evaluate(`([name, content]) => {
		const dataTransfer = new DataTransfer();
		dataTransfer.items.add(new File([content], name, {type: "text/csv"}));
		for (const type of ["dragenter", "dragover", "drop"]) {
			document.body.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer}));
		}
	}`, []any{name, content})
	v.must(err)
	v.must(v.tab.WaitForURL(regexp.MustCompile(`/uploads/[0-9a-f-]{36}`)))
	v.see("#upload", "Inferred schema")
}

func (v *visitor) button(name string) playwright.Locator {
	return v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: name, Exact: playwright.Bool(true)}).First()
}

// loaded presses the button that loads and waits for the report.
func (v *visitor) load(name string) {
	v.t.Helper()
	v.must(v.button(name).Click())
	v.must(v.tab.WaitForURL(regexp.MustCompile(`/loads/[0-9a-f-]{36}`)))
	v.see("h1", "is loaded")
}

func TestAFileIsDraggedCorrectedLoadedAndShown(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("sku,store,sold_on,revenue,unit_price\n")
	for i := range 200 {
		revenue, price := fmt.Sprintf("%d.50", 10+i%7), fmt.Sprintf("%d.25", 1+i%5)
		switch {
		case i%40 == 7:
			revenue = fmt.Sprintf(`"%d,50"`, 10+i%7)
		case i%100 == 33:
			revenue = "POA"
		}
		fmt.Fprintf(&file, "%d,%s,2026-%02d-%02d,%s,%s\n", 1000+i, []string{"Leeds", "York", "Hull"}[i%3], 1+i%6, 1+i%28, revenue, price)
	}
	v := demo.visit(t, desktop)
	v.signIn()
	v.open("/")
	v.drop("shop_sales.csv", file.String())
	// Types are inferred from all rows, and one is corrected.
	v.becomes(".stats > :first-child b, .stats > :first-child .stat-value", "193")
	if got, err := v.tab.Locator("select[name=type-2]").InputValue(); err != nil || got != "date" {
		t.Errorf("sold_on is %q (%v), want date", got, err)
	}
	_, err := v.tab.Locator("select[name=type-0]").SelectOption(playwright.SelectOptionValues{Values: playwright.StringSlice("text")})
	v.must(err)
	v.see(".card", "Rejected rows")
	v.see("tbody", "Comma as decimal mark")
	v.accessible()
	// The offered fix brings back five of the seven.
	v.must(v.button("Read comma as decimal").Click())
	v.becomes(".stats > :first-child b, .stats > :first-child .stat-value", "198")
	if got, err := v.tab.Locator("select[name=type-0]").InputValue(); err != nil || got != "text" {
		t.Errorf("after the fix sku is %q (%v), want the corrected type text", got, err)
	}
	// Neither a choice of key columns nor Enter in a field loads what is looked at.
	keys := v.tab.Locator("df-filter[name=key]")
	v.must(keys.Locator(".filter-button").Click())
	v.must(keys.Locator("input[type=checkbox]").First().Check())
	v.must(keys.Locator("[data-filter-apply]").Click())
	v.becomes("df-filter[name=key] .filter-value", "sku")
	v.must(keys.Locator(".filter-button").Click())
	v.must(keys.Locator("[data-filter-clear]").Click())
	v.must(keys.Locator("[data-filter-apply]").Click())
	v.becomes("df-filter[name=key] .filter-value", "None")
	_, err = v.tab.Evaluate(`() => { window.shownBefore = true; }`)
	v.must(err)
	v.must(v.tab.Locator("input[name=name-0]").Press("Enter"))
	v.until("a page comes anew", `() => window.shownBefore === undefined && document.querySelector(".stats") !== null`, nil)
	if !strings.Contains(v.tab.URL(), "/uploads/") {
		t.Fatalf("Enter leads to %s", v.tab.URL())
	}
	v.load("Load 198 rows")
	v.see(".stats", "198")
	v.see("tbody", "POA")
	v.see("#load", "Revenue over time")
	v.see("#load", "Revenue by store")
	v.accessible()
	v.must(v.button("Make this dashboard").Click())
	v.must(v.tab.WaitForURL(regexp.MustCompile(`/dashboards/[0-9a-f-]{36}`)))
	v.see("h1", "shop_sales")
	v.drawn()
	// What adds up is added up, what is a price of one is averaged.
	for title, want := range map[string]string{"Rows": "198", "Revenue": "", "Mean unit price": ""} {
		card := v.tab.Locator("section.w-kpi", playwright.PageLocatorOptions{Has: v.tab.GetByText(title, playwright.PageGetByTextOptions{Exact: playwright.Bool(true)})}).First()
		text, err := card.Locator(".kpi-value").InnerText()
		v.must(err)
		if want != "" && text != want {
			t.Errorf("%s is %q, want %q", title, text, want)
		}
	}
	if n, _ := v.tab.Locator(".w-failed, .w-error").Count(); n > 0 {
		t.Errorf("%d widgets of the suggested dashboard failed", n)
	}
}

func TestAnEarlierVersionIsRestored(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "stock.csv")
	for _, rows := range []string{"item,n\na,1\nb,2\nc,3\n", "item,n\nz,9\n"} {
		if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, stderr, err := demo.run(t.Context(), "", "import", file, "--dataset", "stock levels"); err != nil {
			t.Fatalf("import: %v: %s", err, stderr)
		}
	}
	v := demo.visit(t, desktop)
	v.signIn()
	v.open("/datasets?q=stock+levels")
	v.must(v.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: "stock levels", Exact: playwright.Bool(true)}).Click())
	v.see("h1", "stock levels")
	v.see(".stats", "1")
	v.must(v.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Versions"}).Click())
	v.must(v.tab.Locator("tr", playwright.PageLocatorOptions{HasText: "Current"}).WaitFor())
	v.must(v.tab.Locator("form[action$='/versions/1/restore'] button").Click())
	v.see(".notice", "The version was restored.")
	got := demo.query(t, `{"dataset":"stock levels","measures":[{"fn":"count","as":"n"}]}`)
	if fmt.Sprint(got.Rows[0][0]) != "3" || got.Version != 3 {
		t.Errorf("after the restore %+v, want 3 rows in version 3", got)
	}
}

func TestASearchFindsDashboardsDataAndFieldsFromEveryPage(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.signIn()
	v.open("/account")
	v.must(v.tab.Keyboard().Press("Control+k"))
	v.must(v.tab.Keyboard().Type("delay"))
	v.see("#search [role=group]", "Fields")
	v.see("#search [role=group]", "Delays: where and when")
	v.accessible()
	v.must(v.tab.Keyboard().Press("Enter"))
	v.must(v.tab.WaitForURL(regexp.MustCompile(`/dashboards/[0-9a-f-]{36}`)))
	v.see("h1", "Delays: where and when")
	v.must(v.tab.Keyboard().Press("Control+k"))
	v.must(v.tab.Keyboard().Type("airports"))
	v.see("#search [role=group]", "3,376 rows")
	v.must(v.tab.Keyboard().Press("Escape"))
	if n, _ := v.tab.Locator("dialog#search[open]").Count(); n != 0 {
		t.Error("Escape leaves the search open")
	}
}

// On a phone a corrected type keeps an icon, the one of the new type, and is
// read in full; a name that is typed and exists is told before Load.
func TestTypesAndNamesOnAPhone(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, look{width: 390, height: 844})
	v.signIn()
	v.open("/datasets/new")
	v.drop("phone_types.csv", "seen,shop\n01/02/2026 10:00:00,A\n03/04/2026 11:00:00,B\n")
	_, err := v.tab.Locator("select[name=type-0]").SelectOption(playwright.SelectOptionValues{Values: playwright.StringSlice("timestamptz:mdy")})
	v.must(err)
	v.until("the icon is that of a time", `() => {
		const icon = document.querySelector("#column-0 .type-select > .icon");
		return icon.querySelector("use").getAttribute("href") === "#i-calendar-clock" && getComputedStyle(icon).visibility === "visible";
	}`, nil)
	v.until("the type is read in full", `() => {
		const select = document.querySelector("#column-0 select"), style = getComputedStyle(select);
		const pen = document.createElement("canvas").getContext("2d");
		pen.font = style.font;
		const room = select.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
		return pen.measureText(select.selectedOptions[0].textContent).width <= room;
	}`, nil)
	name, err := v.tab.Locator("#dataset-names option").First().GetAttribute("value")
	v.must(err)
	v.must(v.tab.Locator("#dataset").Fill(name))
	v.see("#upload-target", name+" exists already")
	v.accessible()
}

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

func TestADashboardIsKeptAsAFile(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.signIn()
	path := v.editShop("suggested")
	id := path[strings.LastIndexByte(path, '/')+1:]
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if _, stderr, err := demo.run(t.Context(), "", "dashboards", "export", id, "--out", file); err != nil {
		t.Fatalf("export: %v: %s", err, stderr)
	}
	text, err := os.ReadFile(file)
	v.must(err)
	apply := func(text string, more ...string) string {
		t.Helper()
		stdout, stderr, err := demo.run(t.Context(), text, append([]string{"dashboards", "apply", "-", "--to", id}, more...)...)
		if err != nil {
			t.Fatalf("apply: %v: %s", err, stderr)
		}
		return stdout
	}
	apply(string(text)) // publishes the draft
	if out := apply(string(text)); !strings.Contains(out, "is as the file says") || strings.Contains(out, "\n-") {
		t.Errorf("applied twice, it says\n%s", out)
	}
	title := v.text("df-grid .w-title")
	edited := strings.Replace(string(text), "title: "+title+"\n", "title: Out of the file\n", 1)
	if out := apply(edited, "--dry-run"); !strings.Contains(out, "+    title: Out of the file\n") {
		t.Errorf("trying it out says\n%s", out)
	}
	apply(edited)
	v.see("df-grid .w-title", "Out of the file")
	if _, stderr, err := demo.run(t.Context(), strings.Replace(edited, "version: 1", "version: 1\nnonsense: [", 1), "dashboards", "apply", "-", "--to", id); err == nil || !strings.Contains(stderr, "dashboards.file_invalid") {
		t.Errorf("a broken file: %v, %s", err, stderr)
	}

	// Whoever has set something a moment ago is told that a file takes it back.
	v.must(v.tab.Locator("df-grid .w-title").First().Click())
	v.must(v.tab.Locator("[data-inspector-tab=format]").Click())
	v.must(v.tab.Locator("#inspector [data-path='/title']").Fill("By hand"))
	v.see("df-grid .w-title", "By hand")
	v.saved()
	apply(edited, "--draft")
	v.see("#toasts", "A file or program has changed what you had just set in By hand: it is “Out of the file” now.")
	v.must(v.tab.Locator("#toasts button", playwright.PageLocatorOptions{HasText: "Use mine"}).Click())
	v.see("df-grid .w-title", "By hand")
	v.saved()
	// Undo that finds nothing to do says so, and redo brings it back.
	apply(edited, "--draft")
	v.see("#toasts", "A file or program has changed")
	v.see("df-grid .w-title", "Out of the file")
	undo, redo := v.tab.Locator("#page-head [data-edit=undo]"), v.tab.Locator("#page-head [data-edit=redo]")
	v.must(undo.Click())
	v.see("#toasts", "Nothing changed by it")
	v.must(redo.Click())
	v.see("df-grid .w-title", "By hand")
	v.saved()
	apply(edited, "--draft")
	v.see("df-grid .w-title", "Out of the file")

	// As text in the editor: what is wrong is said with its place.
	v.press("Escape")
	v.must(v.tab.Locator("[data-edit-file]").Click())
	area := v.tab.Locator("#edit-file textarea")
	v.must(area.WaitFor())
	now, err := area.InputValue()
	v.must(err)
	v.expect("status of 422")
	v.must(area.Fill(strings.Replace(now, "version: 1\n", "version: 1\nnonsense: 1\n", 1)))
	v.must(v.tab.Locator("#edit-file button[type=submit]").Click())
	v.see("#edit-file-error", "column 1")
	v.accessible()
	v.must(area.Fill(strings.Replace(now, "title: Out of the file\n", "title: As text\n", 1)))
	v.must(v.tab.Locator("#edit-file button[type=submit]").Click())
	v.see("df-grid .w-title", "As text")
	v.must(v.tab.Locator("df-grid[ready]").WaitFor())
	v.must(v.tab.Locator("#page-head [data-edit=undo]:not([disabled])").Click())
	v.see("df-grid .w-title", "Out of the file")

	// The menu of the page has it too.
	v.open(path)
	v.must(v.tab.Locator("[popovertarget=dash-menu]").Click())
	download, err := v.tab.ExpectDownload(func() error {
		return v.tab.Locator("#dash-menu a[href$='file.yaml']").Click()
	}, playwright.PageExpectDownloadOptions{})
	v.must(err)
	if name := download.SuggestedFilename(); !strings.HasSuffix(name, ".yaml") {
		t.Errorf("the file is named %s", name)
	}
}

package e2e

import (
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// answer clicks a button of the open dialog.
func (v *visitor) answer(name string) {
	v.t.Helper()
	v.must(v.tab.Locator("dialog[open]").GetByRole("button", playwright.LocatorGetByRoleOptions{Name: name, Exact: playwright.Bool(true)}).First().Click())
}

func TestAColleagueSeesWhatIsSharedAndNothingElse(t *testing.T) {
	const email, password = "vera@example.com", "a long enough password"
	if _, stderr, err := demo.run(t.Context(), password, "user", "create", email, "--name", "Vera Viewer", "--role", "viewer", "--password-stdin"); err != nil {
		t.Fatalf("create a user: %v: %s", err, stderr)
	}
	owner, vera := demo.visit(t, desktop), demo.visit(t, desktop)
	owner.openDashboard(flightsDashboard)
	path := strings.TrimPrefix(owner.tab.URL(), demo.URL)
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path = path[:i]
	}
	vera.as(email, password)
	vera.open("/dashboards")
	vera.see(".board-name", flightsDashboard)

	// Restricted, it is nowhere for her.
	owner.must(owner.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Share", Exact: playwright.Bool(true)}).Click())
	owner.see("dialog[open] .share-scope", "Everybody in the workspace")
	owner.accessible()
	owner.answer("Restrict")
	owner.see("dialog[open] .share-scope", "Restricted")
	vera.open("/dashboards")
	if body := vera.text("body"); strings.Contains(body, flightsDashboard) {
		t.Error("a restricted dashboard is listed for somebody without access")
	}
	vera.open(path)
	vera.see("body", "does not exist or was removed")

	// Shared with her, it is there again, and the link leads to it.
	owner.must(owner.tab.Locator("#share-search").Fill("vera"))
	owner.must(owner.tab.Locator("#share-subjects .share-subject", playwright.PageLocatorOptions{HasText: email}).Click())
	owner.answer("Share")
	owner.see("dialog[open] .share-list", "Vera Viewer")
	link, err := owner.tab.Locator("#share-link").InputValue()
	owner.must(err)
	vera.open(link)
	vera.see("h1", flightsDashboard)
	vera.drawn()
	if n, _ := vera.tab.Locator("[data-key-edit]").Count(); n > 0 {
		t.Error("a viewer is offered to edit")
	}

	owner.answer("Lift restriction")
	owner.see("dialog[open] .share-scope", "Everybody in the workspace")
}

func TestFoldersLieInFoldersAndGroupsHoldPeople(t *testing.T) {
	v := demo.visit(t, desktop)
	v.signIn()
	create := func(name string) {
		t.Helper()
		v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "New folder"}).Click())
		v.must(v.tab.Locator("#folder-name").Fill(name))
		v.answer("Create folder")
		v.see(".folder-trail b", name)
	}
	v.open("/dashboards")
	create("Board papers")
	create("Minutes")
	v.see(".folder-trail a", "Board papers")
	v.accessible()
	// Out of its folder, and back by the workspace's undo.
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Menu of folder Minutes"}).Click())
	v.must(v.tab.GetByRole("menuitem", playwright.PageGetByRoleOptions{Name: "Move folder"}).Click())
	_, err := v.tab.Locator("#folder-parent").SelectOption(playwright.SelectOptionValues{Values: playwright.StringSlice("")})
	v.must(err)
	v.answer("Move folder")
	v.until("the folder lies at the top", `() => document.querySelectorAll(".folder-trail a").length === 1`, nil)
	v.must(v.tab.Keyboard().Press("Control+z"))
	v.see("body", "Minutes")
	v.open("/dashboards")
	v.see(".folder", "Board papers")
	if folders := v.text(".folders"); strings.Contains(folders, "Minutes") {
		t.Error("the move was not taken back")
	}
	// The whole card leads into the folder, but for its menu.
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Menu of folder Board papers"}).Click())
	v.must(v.tab.GetByRole("menuitem", playwright.PageGetByRoleOptions{Name: "Rename folder"}).Click())
	v.see("dialog[open]", "Rename folder")
	v.press("Escape")

	v.open("/settings/groups")
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "New group"}).First().Click())
	v.must(v.tab.Locator("#group-name").Fill("Directors"))
	v.answer("Create group")
	v.see("h1", "Directors")
	v.must(v.tab.Locator("input[name=member]").First().Check())
	v.accessible()
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Save group"}).Click())
	v.see("td", "1 person")
}

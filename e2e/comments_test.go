package e2e

import (
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

func TestTwoPeopleTalkAboutANumber(t *testing.T) {
	const email, password = "nora@example.com", "a long enough password"
	if _, stderr, err := demo.run(t.Context(), password, "user", "create", email, "--name", "Nora Notes", "--role", "viewer", "--password-stdin"); err != nil {
		t.Fatalf("create a user: %v: %s", err, stderr)
	}
	owner, nora := demo.visit(t, desktop), demo.visit(t, desktop)
	nora.as(email, password)
	owner.openDashboard(flightsDashboard)
	path, _, _ := strings.Cut(strings.TrimPrefix(owner.tab.URL(), demo.URL), "?")
	owner.open(path + "?c=none")
	owner.drawn()
	press := func(v *visitor, name string) {
		t.Helper()
		v.must(v.tab.Locator("#comments").GetByRole("button", playwright.LocatorGetByRoleOptions{Name: name, Exact: playwright.Bool(true)}).First().Click())
	}

	// From the menu of a widget, naming somebody by the keyboard.
	widget := owner.tab.Locator(".dash > .w:has(.w-menu)").First()
	title, err := widget.Locator(".w-title").TextContent()
	owner.must(err)
	owner.must(widget.Locator(".w-menu").Click())
	owner.must(widget.GetByRole("menuitem", playwright.LocatorGetByRoleOptions{Name: "Comments"}).Click())
	owner.see("#comments h3", "Comments on "+strings.TrimSpace(title))
	field := owner.tab.Locator("#comment-new")
	owner.must(field.PressSequentially("Is this right, @no"))
	owner.see(".mention-list", "Nora Notes")
	owner.must(owner.tab.Keyboard().Press("Enter"))
	owner.must(field.PressSequentially("? <b>see</b> https://example.com/report"))
	owner.must(owner.tab.Keyboard().Press("Control+Enter"))
	owner.see("#comments .comment-text", "Is this right, @Nora Notes ? <b>see</b>")
	owner.see("#announcer", "Comment sent.")
	owner.see("#comments .thread-head", "As it was filtered")
	owner.accessible()
	owner.must(owner.tab.Keyboard().Press("Escape"))
	owner.see(".w-comments", "1")

	// She hears of it, comes by the notification, and answers.
	nora.open("/")
	nora.see(".bell-count b", "1")
	nora.must(nora.tab.Locator(".side-bell").Click())
	nora.see(".notice-row", "mentioned you on "+strings.TrimSpace(title))
	nora.accessible()
	nora.must(nora.tab.Locator(".notice-open").First().Click())
	nora.see("#comments .mention", "@Nora Notes")
	nora.must(nora.tab.Locator("#comments .thread-foot summary").Click())
	nora.must(nora.tab.Locator("#comments textarea[id^=reply]").Fill("It is."))
	// Meanwhile the owner writes on; the answer comes by itself and takes nothing away.
	owner.must(owner.tab.Locator(".w-comments").First().Click())
	owner.see("#comments .comment-text", "Is this right")
	owner.must(field.Fill("half a thought of "))
	owner.must(field.PressSequentially("@no"))
	owner.see(".mention-list", "Nora Notes")
	press(nora, "Send reply")
	owner.see("#comments .thread", "It is.")
	if text, _ := field.InputValue(); text != "half a thought of @no" {
		t.Errorf("what was being written became %q", text)
	}
	owner.see(".mention-list", "Nora Notes")
	owner.must(owner.tab.Keyboard().Press("Enter"))
	owner.until("the name is taken", `() => document.querySelector("#comment-new").value === "half a thought of @Nora Notes "`, nil)

	// Deleted and brought back; edited; resolved and open again.
	press(nora, "Delete")
	nora.see("#comments", "You deleted this comment.")
	press(nora, "Undo")
	nora.see("#comments .thread", "It is.")
	nora.must(nora.tab.Locator("#comments .comment-acts summary").Last().Click())
	nora.must(nora.tab.Locator("#comments textarea[id^=edit]").Last().Fill("It is, since May."))
	// What she does to one comment leaves alone what she writes in another place.
	nora.must(nora.tab.Locator("#comment-new").Fill("one more thing"))
	press(nora, "Save comment")
	owner.see("#comments .thread", "It is, since May.")
	nora.see("#comments .thread", "It is, since May.")
	if text, _ := nora.tab.Locator("#comment-new").InputValue(); text != "one more thing" {
		t.Errorf("what Nora was writing became %q", text)
	}
	press(owner, "Resolve")
	owner.until("the number on the widget is gone", `() => !document.querySelector(".w-comments")`, nil)
	// The panel comes anew meanwhile: the link that is there at the moment is followed.
	owner.until("the resolved threads are asked for", `() => {
		const link = [...document.querySelectorAll("#comments a")].find((each) => each.textContent.trim() === "Resolved");
		link?.click();
		return link !== undefined;
	}`, nil)
	owner.see("#comments .thread", "Resolved by")
	press(owner, "Reopen")
	owner.see(".w-comments", "1")
	nora.accessible()

	// What is being written outlives a look at other threads, and the end of its own.
	const draft = `#comments textarea[id^=reply]`
	nora.must(nora.tab.Locator("#comments .thread-foot summary").Click())
	nora.must(nora.tab.Locator(draft).Fill("but what about"))
	nora.must(nora.tab.Locator("#comments a", playwright.PageLocatorOptions{HasText: "Resolved"}).Click())
	nora.see("#comments", "Nothing was resolved here yet.")
	nora.must(nora.tab.Locator("#comments a", playwright.PageLocatorOptions{HasText: "Open"}).Click())
	nora.until("both drafts are back", `draft => document.querySelector(draft)?.value === "but what about" && document.querySelector("#comment-new")?.value === "one more thing"`, draft)
	nora.must(nora.tab.Locator(draft).Focus())
	owner.must(owner.tab.Locator("#comments a", playwright.PageLocatorOptions{HasText: "Open"}).Click())
	press(owner, "Resolve")
	nora.see("#toasts", "Your text is kept")
	owner.must(owner.tab.Locator("#comments a", playwright.PageLocatorOptions{HasText: "Resolved"}).Click())
	press(owner, "Reopen")
	nora.until("the reply goes on", `draft => document.querySelector(draft)?.value === "but what about"`, draft)

	// Where nothing streams, an open panel looks itself.
	nora.press("Escape")
	nora.must(nora.tab.Locator("[popovertarget=dash-menu]").Click())
	nora.must(nora.tab.Locator("#dash-menu [data-live-pause]").Click())
	nora.must(nora.tab.Locator(".w-comments").First().Click())
	nora.see("#comments .thread", "It is, since May.")
	owner.must(owner.tab.Locator("#comments a", playwright.PageLocatorOptions{HasText: "Open"}).Click())
	owner.must(owner.tab.Locator("#comments .thread-foot summary").Click())
	owner.must(owner.tab.Locator(draft).Fill("Said while she has paused."))
	press(owner, "Send reply")
	nora.see("#comments .thread", "Said while she has paused.")
	nora.until("her reply is kept", `draft => document.querySelector(draft)?.value === "but what about"`, draft)
	nora.must(nora.tab.Locator(draft).SelectText())
	owner.must(owner.tab.Locator("#comments .thread-foot summary").Click())
	owner.must(owner.tab.Locator(draft).Fill("And while something is selected."))
	press(owner, "Send reply")
	nora.see("#comments .thread", "And while something is selected.")
	nora.until("it is selected still", `draft => { const field = document.querySelector(draft); return document.activeElement === field && field.selectionStart === 0 && field.selectionEnd === field.value.length; }`, draft)

	// The editor has them too, of widgets that only the draft has as well.
	owner.edit(path)
	owner.see("df-grid .w-comments", "1")
	owner.must(owner.tab.Locator("df-grid .w-comments").First().Click())
	owner.see("#comments .thread", "It is, since May.")
	owner.accessible()

	// On a phone in the dark.
	phone := demo.visit(t, look{width: 390, height: 844, dark: true})
	phone.as(email, password)
	phone.open(path + "?comments=all")
	phone.see("#comments .thread", "It is, since May.")
	phone.fits()
	phone.accessible()
	phone.open("/notifications")
	phone.fits()
	phone.accessible()
}

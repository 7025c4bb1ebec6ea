package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/views"
)

func TestAccountForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(t, "viewer")
	page := b.get(views.PathAccount).want(http.StatusOK)
	page.shows("title", "Account").shows("select[name=zone] option[value='']", "As the workspace: UTC")

	b.follow(b.post(views.PathAccountProfile, "name", "Mara <b>").leadsTo(views.PathAccount)).shows("[role=status]", "Saved.").shows(".side-user", "Mara <b>")
	b.post(views.PathAccountProfile, "name", strings.Repeat("x", 121)).want(http.StatusUnprocessableEntity).shows(".field-error", "at most 120")

	b.post(views.PathAccountFormats, "zone", "Asia/Tokyo", "locale", "de-DE").leadsTo(views.PathAccount)
	page = b.get(views.PathAccount)
	page.shows("select[name=zone] option[selected]", "Asia/Tokyo").shows("select[name=locale] option[selected]", "Deutsch").shows("b.num", "1.234,5")
	b.post(views.PathAccountFormats, "zone", "Mars/Olympus", "locale", "de-DE").want(http.StatusUnprocessableEntity).shows(".field-error", "not a time zone")

	b.post(views.PathAccountDisplay, "theme", "dark").leadsTo(views.PathAccount)
	page = b.get(views.PathAccount).shows("html[data-theme=dark]", "")
	if _, on := page.page.Find("input[name=shortcuts]").Attr("checked"); on {
		t.Error("the shortcuts are on")
	}
	b.post(views.PathTheme, "theme", "light", "next", "/settings").leadsTo("/settings")
	b.post(views.PathTheme, "theme", "light", "next", "//evil.example").leadsTo(views.PathHome)
	b.get(views.PathAccount).shows("html[data-theme=light]", "")
	nobody := s.browser(t)
	nobody.post(views.PathTheme, "theme", "dark", "next", "/signin").leadsTo("/signin")
	nobody.get(views.PathSignIn).shows("html[data-theme=dark]", "")
	nobody.post(views.PathTheme, "theme", "x").leadsTo(views.PathHome)
	nobody.get(views.PathSignIn).shows("html[data-theme=auto]", "")
	// Elsewhere, without the cookie, the choice is known after sign-in.
	s.as(t, "viewer").get(views.PathAccount).shows("html[data-theme=light]", "")
}

func TestPasswordIsChangedByWhoKnowsIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, elsewhere := s.as(t, "viewer"), s.as(t, "viewer")
	b.post(views.PathAccountPassword, "current", "wrong", "password", "a different long one").want(http.StatusUnprocessableEntity).
		shows(".field-error", "not your present password")
	b.post(views.PathAccountPassword, "current", goodPassword, "password", "password123").want(http.StatusUnprocessableEntity).
		shows(".field-error", "attacker tries")
	b.follow(b.post(views.PathAccountPassword, "current", goodPassword, "password", "a different long one").leadsTo(views.PathAccount)).
		want(http.StatusOK).shows("[role=status]", "Your password was changed.")
	elsewhere.get(views.PathAccount).leadsTo("/signin?next=%2Faccount")
}

func TestSessionsAreListedAndRevoked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, other, third, stranger := s.as(t, "viewer"), s.as(t, "viewer"), s.as(t, "viewer"), s.as(t, "admin")
	page := b.get(views.PathAccount)
	if n := page.page.Find(".session-list li").Length(); n != 3 {
		t.Fatalf("%d sessions are listed, want 3", n)
	}
	page.shows(".session-list", "Chrome on Linux").shows(".session-list", "This session")
	id, _ := page.page.Find(".session-list button[name=id]").First().Attr("value")
	stranger.post(views.PathAccountSessions, "id", id).want(http.StatusNotFound)
	stranger.post(views.PathAccountSessions, "id", "x").want(http.StatusNotFound)
	b.post(views.PathAccountSessions, "id", id).leadsTo(views.PathAccount)
	ended := 0
	for _, one := range []*browser{other, third} {
		if one.get(views.PathAccount).status == http.StatusSeeOther {
			ended++
		}
	}
	if ended != 1 {
		t.Errorf("%d of the other two sessions ended, want 1", ended)
	}
	b.post(views.PathAccountSessions).leadsTo(views.PathAccount)
	for _, one := range []*browser{other, third} {
		one.get(views.PathAccount).leadsTo("/signin?next=%2Faccount")
	}
	b.get(views.PathAccount).want(http.StatusOK)
	stranger.get(views.PathAccount).want(http.StatusOK)
}

func TestDeviceName(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36":                                   "Chrome on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0":           "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15":                   "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1": "Safari on iPhone, phone",
		"Mozilla/5.0 (Android 16; Mobile; rv:146.0) Gecko/146.0 Firefox/146.0":                                                                    "Firefox on Android, phone",
		"curl/8.5.0": "curl",
		"":           "",
	} {
		got, phone := deviceName(agent)
		if phone {
			got += ", phone"
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", agent, got, want)
		}
	}
}

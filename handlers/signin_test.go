package handlers

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/views"
)

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser(t)
	b.get(views.PathSettings).leadsTo("/signin?next=%2Fsettings")
	b.get("/signin?next=%2Fsettings").want(http.StatusOK).shows("h1", "Sign in")
	b.post(views.PathSignIn, "email", "owner@example.com", "password", goodPassword, "next", "/settings").leadsTo("/settings")
	b.get(views.PathSettings).want(http.StatusOK).shows("h1", "General").shows(".crumbs", "Settings").shows("title", "General · Settings")
	b.get(views.PathSignIn).leadsTo(views.PathHome)
	b.follow(b.post(views.PathSignOut).leadsTo(views.PathSignIn)).shows("[role=status]", "You are signed out.")
	b.get(views.PathSignIn).lacks(".notice-pos")
	b.get(views.PathSettings).leadsTo("/signin?next=%2Fsettings")
}

func TestCookieOfTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(d *Deps) { d.BaseURL = "https://bi.example" })
	for name, tc := range map[string]struct {
		remember string
		kept     bool
	}{"until the browser closes": {"", false}, "kept": {"1", true}} {
		got := s.browser(t).post(views.PathSignIn, "email", "owner@example.com", "password", goodPassword, "remember", tc.remember)
		got.leadsTo(views.PathHome)
		cookie := got.header.Get("Set-Cookie")
		for _, part := range []string{"__Host-session=", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"} {
			if !strings.Contains(cookie, part) {
				t.Errorf("%s: %q lacks %q", name, cookie, part)
			}
		}
		if kept := strings.Contains(cookie, "Max-Age=604800"); kept != tc.kept || strings.Contains(cookie, "Domain") {
			t.Errorf("%s: got %q", name, cookie)
		}
	}
}

func TestSignInGivesAnotherToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(t, "owner")
	before := sessionToken(t, b)
	b.post(views.PathSignIn, "email", "owner@example.com", "password", goodPassword).leadsTo(views.PathHome)
	if sessionToken(t, b) == before {
		t.Error("the token stayed")
	}
	old := s.browser(t)
	setSessionToken(t, old, before)
	old.get(views.PathAccount).leadsTo("/signin?next=%2Faccount")
}

func sessionToken(t testing.TB, b *browser) string {
	t.Helper()
	u, err := url.Parse(b.site.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range b.client.Jar.Cookies(u) {
		if cookie.Name == sessionCookie {
			return cookie.Value
		}
	}
	return ""
}

func setSessionToken(t testing.TB, b *browser, token string) {
	t.Helper()
	u, err := url.Parse(b.site.url)
	if err != nil {
		t.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: sessionCookie, Value: token, Path: "/"}})
}

func TestWrongPasswordSaysTheSameForEverybody(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var said []string
	for _, email := range []string{"owner@example.com", "nobody@example.com"} {
		b := s.browser(t)
		got := b.post(views.PathSignIn, "email", email, "password", "wrong wrong wrong", "next", "/settings").want(http.StatusUnauthorized)
		got.shows("[role=alert]", "auth.wrong_password").shows("h1", "Sign in")
		if value, _ := got.page.Find("input[name=email]").Attr("value"); value != email {
			t.Errorf("the address is %q, want %q", value, email)
		}
		if value, _ := got.page.Find("input[name=next]").Attr("value"); value != "/settings" {
			t.Errorf("next is %q", value)
		}
		if strings.Contains(got.body, "wrong wrong wrong") {
			t.Error("the page repeats the password")
		}
		said = append(said, strings.ReplaceAll(got.text(), email, ""))
		if sessionToken(t, b) != "" {
			t.Error("there is a session")
		}
	}
	if said[0] != said[1] {
		t.Errorf("says %q and %q", said[0], said[1])
	}
}

func TestManyWrongPasswordsHaveToWait(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser(t)
	for range 5 {
		b.post(views.PathSignIn, "email", "owner@example.com", "password", "wrong wrong wrong").want(http.StatusUnauthorized)
	}
	got := b.post(views.PathSignIn, "email", "owner@example.com", "password", goodPassword).want(http.StatusTooManyRequests)
	got.shows("[role=alert]", "Try again in").shows("[role=alert]", "auth.throttled")
	if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || seconds < 1 {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
	b.post(views.PathSignIn, "email", "admin@example.com", "password", goodPassword).leadsTo(views.PathHome)
}

func TestEndedSessionsLeadToSignIn(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"idle":            "UPDATE control.sessions SET last_seen_at = now() - interval '13 hours'",
		"over":            "UPDATE control.sessions SET expires_at = now() - interval '1 second'",
		"revoked":         "DELETE FROM control.sessions",
		"member no more":  "UPDATE users SET removed_at = now()",
		"workspace moved": "UPDATE control.sessions SET tenant_id = gen_random_uuid()",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			b := s.as(t, "viewer")
			b.get(views.PathAccount).want(http.StatusOK)
			s.exec(t, change)
			b.get("/account?x=1").leadsTo("/signin?next=%2Faccount%3Fx%3D1")
			b.post(views.PathAccountProfile, "name", "New").leadsTo(views.PathSignIn)
			got := b.request(http.MethodGet, views.PathAccount, map[string]string{"HX-Request": "true", "HX-Request-Type": "partial",
				"HX-Current-URL": s.url + "/dashboards/7?f=1"})
			got.want(http.StatusUnauthorized)
			// The page stays and says in place how to go on.
			if to := got.page.Find(".toast a").AttrOr("href", ""); to != "/signin?next=%2Fdashboards%2F7%3Ff%3D1" || got.header.Get("HX-Retarget") != "#toasts" {
				t.Errorf("a part of a page leads to %q", to)
			}
			got = b.request(http.MethodGet, views.PathAccount+"?x=2", map[string]string{"HX-Request": "true", "HX-Request-Type": "partial",
				"HX-Current-URL": s.url + views.PathAccount + "?x=1"}).want(http.StatusUnauthorized)
			if to := got.page.Find(".toast a").AttrOr("href", ""); to != "/signin?next=%2Faccount%3Fx%3D2" {
				t.Errorf("the page with other choices leads to %q", to)
			}
			b.get("/signin?next=%2Faccount").shows(".auth-lead", "session has ended")
			got = b.request(http.MethodGet, views.PathAccount, map[string]string{"Accept": "application/json"}).want(http.StatusUnauthorized)
			var problem struct{ Error struct{ Code string } }
			if err := json.Unmarshal([]byte(got.body), &problem); err != nil || problem.Error.Code != "signin.required" {
				t.Errorf("got %s, %v", got.body, err)
			}
		})
	}
}

// An open page that asks by itself does not keep a session from ending when
// nobody uses it.
func TestOpenPagesKeepNobodySignedIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(t, "viewer")
	const long = "last_seen_at < now() - interval '11 hours'"
	for name, c := range map[string]struct {
		path    string
		headers map[string]string
		touches bool
	}{
		"a person":           {views.PathAccount, nil, true},
		"a page of itself":   {views.PathAccount, map[string]string{"Df-Unattended": "1"}, false},
		"the unread notices": {views.PathNoticesUnread, nil, false},
	} {
		s.exec(t, "UPDATE control.sessions SET last_seen_at = now() - interval '11 hours 10 minutes'")
		b.request(http.MethodGet, c.path, c.headers).want(http.StatusOK)
		var old int
		s.scan(t, &old, "SELECT count(*) FROM control.sessions WHERE "+long)
		if touched := old == 0; touched != c.touches {
			t.Errorf("%s: the session counts as used: %t", name, touched)
		}
	}
}

func TestNextStaysOnThisSite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, next := range []string{"https://evil.example/", "//evil.example/", `/\evil.example/`, `\\evil.example`, "javascript:alert(1)",
		"/\t/evil.example", "/\n/evil.example", "evil.example", " /x", "/ok\r\nSet-Cookie: a=b"} {
		got := s.browser(t).post(views.PathSignIn, "email", "owner@example.com", "password", goodPassword, "next", next)
		if to := got.leadsTo("").header.Get("Location"); to != views.PathHome {
			t.Errorf("%q leads to %q", next, to)
		}
		form := s.browser(t).get(views.PathSignIn + "?next=" + url.QueryEscape(next))
		if value, _ := form.page.Find("input[name=next]").Attr("value"); value != views.PathHome {
			t.Errorf("%q stands in the form as %q", next, value)
		}
	}
}

func TestForgottenPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser(t)
	b.get(views.PathForgot).want(http.StatusOK).shows("h1", "Reset your password")
	b.post(views.PathForgot, "email", "owner").want(http.StatusUnprocessableEntity).shows(".field-error", "not an e-mail address")
	unknown := b.post(views.PathForgot, "email", "nobody@example.com").want(http.StatusOK)
	known := b.post(views.PathForgot, "email", "viewer@example.com").want(http.StatusOK)
	if a, c := strings.ReplaceAll(unknown.text(), "nobody", ""), strings.ReplaceAll(known.text(), "viewer", ""); a != c {
		t.Errorf("says %q and %q", a, c)
	}
	link := s.lastLink(t)
	page := b.get(link).want(http.StatusOK).shows("body", "viewer@example.com")
	if got := page.header.Get("Referrer-Policy"); got != "same-origin" {
		t.Errorf("Referrer-Policy is %q", got)
	}
	token, _ := page.page.Find("input[name=token]").Attr("value")
	b.post(views.PathReset, "token", token, "password", "short").want(http.StatusUnprocessableEntity).shows(".field-error", "10 characters")
	b.post(views.PathReset, "token", token, "password", "a different long one").leadsTo(views.PathHome)
	b.get(views.PathAccount).want(http.StatusOK).shows(".side-user", "Viewer")
	b.get(link).want(http.StatusGone).shows("body", "auth.link_used")
	b.post(views.PathReset, "token", token, "password", "a third long one").want(http.StatusGone)
	s.browser(t).post(views.PathSignIn, "email", "viewer@example.com", "password", goodPassword).want(http.StatusUnauthorized)
}

func TestOutOfSeveralWorkspacesThePersonChooses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser(t)
	got := b.post(views.PathSignIn, "email", "both@example.com", "password", goodPassword, "next", "/account")
	choice := b.follow(got.leadsTo("/workspaces/switch?next=%2Faccount")).want(http.StatusOK)
	choice.shows("form", "One").shows("form", "Two")
	before := sessionToken(t, b)
	b.post(views.PathSwitch, "workspace", s.two.ID.String(), "next", "/account").leadsTo("/account")
	if sessionToken(t, b) == before {
		t.Error("the token stayed")
	}
	b.get(views.PathSettings).want(http.StatusOK).shows("input[name=name]", "").shows(".workspace", "Two")
	foreign := s.as(t, "viewer")
	for _, id := range []string{s.two.ID.String(), "01890000-0000-7000-8000-000000000000", "x", ""} {
		foreign.post(views.PathSwitch, "workspace", id).want(http.StatusNotFound)
	}
	foreign.get(views.PathSettings).shows(".workspace", "One")
}

func TestFirstSetUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.exec(t, `TRUNCATE control.people, control.tenants, users, tenants, audit_events CASCADE`)
	link, err := s.Auth.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(link, s.url)
	b := s.browser(t)
	b.get("/setup?token=nonsense").want(http.StatusGone)
	page := b.get(path).want(http.StatusOK).shows("h1", "Set up")
	token, _ := page.page.Find("input[name=token]").Attr("value")
	b.post(views.PathSetup, "token", token, "workspace", "", "name", "Ada", "email", "ada", "password", "password12").
		want(http.StatusUnprocessableEntity).shows(".field-error", "1 to 120").shows(".field-error", "not an e-mail").shows(".field-error", "attacker tries")
	b.post(views.PathSetup, "token", token, "workspace", "Acme", "name", "Ada", "email", "ada@example.com", "password", goodPassword).leadsTo(views.PathHome)
	b.get(views.PathSettings).want(http.StatusOK).shows(".workspace", "Acme").shows(".side-user", "Workspace owner")
	b.get(path).want(http.StatusGone)
}

// FuzzSessionCookie sends any cookie: none is a session, and nothing breaks.
func FuzzSessionCookie(f *testing.F) {
	for _, seed := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 5000), "\x00\xff", "a=b; session=c",
		strings.Repeat("A", 43) + "=", "%00", "' OR 1=1 --", "é", strings.Repeat("_", 43)} {
		f.Add(seed, seed)
	}
	s := newSite(f)
	f.Fuzz(func(t *testing.T, session, flash string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, views.PathAccount, nil)
		r.Header["Cookie"] = []string{sessionCookie + "=" + session + "; " + flashCookie + "=" + flash}
		w := httptest.NewRecorder()
		s.routes.ServeHTTP(w, r)
		if w.Code != http.StatusSeeOther {
			t.Errorf("got %d for session %q", w.Code, session)
		}
		r.URL.Path = views.PathSignIn
		w = httptest.NewRecorder()
		s.routes.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("got %d for flash %q", w.Code, flash)
		}
	})
}

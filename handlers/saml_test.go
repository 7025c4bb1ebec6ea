package handlers

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/pquerna/otp/totp"

	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/auth/saml/samltest"
	"github.com/dataflowhq/dataflow/views"
)

// connection is a form of the settings, filled in.
func connection(metadata string, more ...string) []string {
	return append([]string{"source", auth.FromXML, "xml", metadata, "enabled", "on", "jit", "on", "skew", "60", "default_role", "viewer",
		"map_email", "mail", "map_name", "cn", "map_groups", "eduPersonAffiliation", "roles", "bi-editors → editor"}, more...)
}

func (s *site) ownDomain(t *testing.T, slug, domain string) {
	t.Helper()
	s.exec(t, "INSERT INTO control.domains (tenant_id, domain, token, verified_at) SELECT tenant_id, $2, 'x', now() FROM control.tenants WHERE slug = $1", slug, domain)
}

// outside answers a request to another server than the site.
func (b *browser) outside(method, address string, body string, headers ...string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for n := 0; n < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	return b.do(r)
}

const formType = "application/x-www-form-urlencoded"

// fields are the inputs of the only form of a page.
func sentFields(a answer) url.Values {
	values := url.Values{}
	a.page.Find("form input[name]").Each(func(_ int, i *goquery.Selection) {
		values.Set(i.AttrOr("name", ""), i.AttrOr("value", ""))
	})
	return values
}

// TestSignInThroughSamlidp walks a browser through crewjam's samlidp: metadata
// by its address, a signed request, an account by its group, and log-out.
func TestSignInThroughSamlidp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ownDomain(t, "one", "one.example")
	idp := samltest.NewServer(t)
	owner := s.as(t, "owner")
	owner.post(views.PathSaveSAML, connection("", "source", auth.FromURL, "metadata_url", idp.URL+"/metadata")...).leadsTo(views.PathSignInSettings)
	owner.get(views.PathSignInSettings).shows(".sso-facts", idp.URL).shows(".sso-facts", "Refreshed")

	metadata := owner.get("/saml/one/metadata").want(http.StatusOK)
	owner.outside(http.MethodPut, idp.URL+"/services/one", metadata.body).want(http.StatusNoContent)
	owner.outside(http.MethodPut, idp.URL+"/users/mara", `{"name":"mara","password":"hunter2hunter2","groups":["bi-editors"],"email":"mara@one.example","common_name":"Mara Lindqvist"}`).want(http.StatusNoContent)

	b := s.browser(t)
	found := b.post(views.PathSSO, "text", "anybody@one.example", "next", views.PathAccount).want(http.StatusOK)
	start := strings.TrimPrefix(found.header.Get("Refresh"), "0; url=")
	if !strings.HasPrefix(start, "/saml/one/start?next=") {
		t.Fatalf("goes on to %q", start)
	}
	asked := b.get(start).want(http.StatusSeeOther)
	// Its form for the password drops the signature of the request, so Mara is
	// signed in there before.
	b.outside(http.MethodPost, idp.URL+"/login", url.Values{"user": {"mara"}, "password": {"hunter2hunter2"}}.Encode(), "Content-Type", formType).want(http.StatusOK)
	answered := b.outside(http.MethodGet, asked.header.Get("Location"), "").want(http.StatusOK)
	if got := answered.page.Find("form").AttrOr("action", ""); got != s.url+"/saml/one/acs" {
		t.Fatalf("the answer goes to %q", got)
	}
	// The browser posts it here from another site.
	b.outside(http.MethodPost, s.url+"/saml/one/acs", sentFields(answered).Encode(), "Content-Type", formType, "Sec-Fetch-Site", "cross-site", "Origin", idp.URL).
		leadsTo(views.PathAccount)
	b.get(views.PathAccount).want(http.StatusOK).shows(".shell-main", "Sessions").lacks("form[action='" + views.PathAccountPassword + "']")
	owner.get(views.PathMembers).shows("tbody", "Mara Lindqvist").shows("tbody", "mara@one.example").shows("tbody", "Editor").shows("tbody", "SSO")

	out := b.post(views.PathSignOut).want(http.StatusOK)
	leave := strings.TrimPrefix(out.header.Get("Refresh"), "0; url=")
	if !strings.HasPrefix(leave, idp.URL+"/slo?SAMLRequest=") {
		t.Fatalf("signing out leads to %q", leave)
	}
	b.get(views.PathAccount).want(http.StatusSeeOther)
	over := b.outside(http.MethodGet, leave, "")
	if back := over.header.Get("Location"); back != "" {
		b.outside(http.MethodGet, back, "").leadsTo(views.PathSignIn)
	} else {
		t.Fatalf("the provider does not lead back: %d %s", over.status, over.body)
	}
}

var redirectedLogOut = regexp.MustCompile(`<SingleLogoutService [^>]*HTTP-Redirect[^>]*>(</SingleLogoutService>)?`)

// TestLogOutThroughSamlidpByPost signs out of a samlidp that takes messages by
// HTTP-POST alone: our question goes there in a form of a page, and its answer
// comes back in one of its own.
func TestLogOutThroughSamlidpByPost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ownDomain(t, "one", "one.example")
	idp := samltest.NewServer(t)
	owner := s.as(t, "owner")
	metadata := redirectedLogOut.ReplaceAllString(owner.outside(http.MethodGet, idp.URL+"/metadata", "").want(http.StatusOK).body, "")
	owner.post(views.PathSaveSAML, connection(metadata)...).leadsTo(views.PathSignInSettings)
	owner.outside(http.MethodPut, idp.URL+"/services/one", owner.get("/saml/one/metadata").want(http.StatusOK).body).want(http.StatusNoContent)
	owner.outside(http.MethodPut, idp.URL+"/users/mara", `{"name":"mara","password":"hunter2hunter2","email":"mara@one.example"}`).want(http.StatusNoContent)

	b := s.browser(t)
	asked := b.get("/saml/one/start").want(http.StatusSeeOther)
	b.outside(http.MethodPost, idp.URL+"/login", url.Values{"user": {"mara"}, "password": {"hunter2hunter2"}}.Encode(), "Content-Type", formType).want(http.StatusOK)
	answered := b.outside(http.MethodGet, asked.header.Get("Location"), "").want(http.StatusOK)
	b.outside(http.MethodPost, s.url+"/saml/one/acs", sentFields(answered).Encode(), "Content-Type", formType, "Sec-Fetch-Site", "cross-site", "Origin", idp.URL).
		leadsTo(views.PathHome)
	b.get(views.PathAccount).want(http.StatusOK)

	out := b.post(views.PathSignOut).want(http.StatusOK)
	if to := out.page.Find("form#leave").AttrOr("action", ""); to != idp.URL+"/slo" || !strings.Contains(out.header.Get("Content-Security-Policy"), "form-action 'self' "+idp.URL+";") {
		t.Fatalf("signing out leads to %q, under %s", to, out.header.Get("Content-Security-Policy"))
	}
	b.get(views.PathAccount).want(http.StatusSeeOther)
	over := b.outside(http.MethodPost, idp.URL+"/slo", sentFields(out).Encode(), "Content-Type", formType).want(http.StatusOK)
	if to := over.page.Find("form").AttrOr("action", ""); to != s.url+"/saml/one/slo" || sentFields(over).Get("SAMLResponse") == "" {
		t.Fatalf("the provider does not lead back: %q %s", to, over.body)
	}
	b.outside(http.MethodPost, s.url+"/saml/one/slo", sentFields(over).Encode(), "Content-Type", formType, "Sec-Fetch-Site", "cross-site", "Origin", idp.URL).leadsTo(views.PathSignIn)
	// The same once more is none of ours.
	b.outside(http.MethodPost, s.url+"/saml/one/slo", sentFields(over).Encode(), "Content-Type", formType).want(http.StatusForbidden).shows("main", "saml.request")
}

// TestOnlyTheACSTakesWhatOtherSitesSend tries every form of sign-in from
// another site.
func TestOnlyTheACSTakesWhatOtherSitesSend(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(t, "owner")
	foreign := map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
	for _, path := range []string{views.PathSaveSAML, views.PathSaveOIDC, views.PathEnforce, views.PathSecurity, views.PathDomains, views.PathTestSignIn,
		views.PathFactorStart, views.PathLink, views.PathCode, views.PathSSO, views.PathSignUp, "/saml/one/start", "/oidc/one/start", "/saml/one/slo/acs"} {
		if got := owner.request(http.MethodPost, path, foreign); got.status != http.StatusForbidden || !strings.Contains(got.text(), "http.cross_origin") {
			t.Errorf("%s: got %d: %s", path, got.status, got.text())
		}
	}
	provider := samltest.New(t, "https://idp.example")
	owner.post(views.PathSaveSAML, connection(provider.Metadata())...).leadsTo(views.PathSignInSettings)
	owner.request(http.MethodPost, "/saml/one/acs", foreign, "SAMLResponse", "AAAA").want(http.StatusUnprocessableEntity).shows("main", "saml.malformed").
		shows("main", "You were not signed in")
	owner.request(http.MethodPost, "/saml/one/slo", foreign, "SAMLRequest", "AAAA").want(http.StatusUnprocessableEntity).shows("main", "saml.malformed")
	owner.get(views.PathHome).want(http.StatusOK)
}

func TestRelayStateStaysOnThisSiteAndTheSessionIsNew(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ownDomain(t, "one", "one.example")
	provider := samltest.New(t, "https://idp.example")
	s.as(t, "owner").post(views.PathSaveSAML, connection(provider.Metadata(), "unsolicited", "on")...).leadsTo(views.PathSignInSettings)
	says := samltest.Says{NameID: "m", Audience: s.url + "/saml/one/metadata", Recipient: s.url + "/saml/one/acs", Destination: s.url + "/saml/one/acs",
		Attributes: map[string][]string{"mail": {"mara@one.example"}}}
	for relay, want := range map[string]string{"/account": "/account", "https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/", "javascript:alert(1)": "/", "": "/", "/\r\nSet-Cookie: x=y": "/"} {
		b := s.browser(t)
		b.post("/saml/one/acs", "SAMLResponse", provider.Response(t, says), "RelayState", relay).leadsTo(want)
	}
	for next, want := range map[string]string{"/dashboards": "/dashboards", "//evil.example": "/", "https://evil.example": "/"} {
		// Somebody sits at a browser in which another session is open.
		b := s.as(t, "viewer")
		before := b.cookie("session")
		asked := b.get("/saml/one/start?next=" + url.QueryEscape(next)).want(http.StatusSeeOther)
		to := says
		to.InResponseTo = samltest.RequestOf(t, asked.header.Get("Location"))
		b.post("/saml/one/acs", "SAMLResponse", provider.Response(t, to)).leadsTo(want)
		if b.cookie("session") == before {
			t.Error("the session was not given another token")
		}
		old := s.browser(t)
		old.request(http.MethodGet, views.PathAccount, map[string]string{"Cookie": "session=" + before}).want(http.StatusSeeOther)
	}
}

func (b *browser) cookie(name string) string {
	u, _ := url.Parse(b.site.url)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func TestSignInSettingsByRole(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for role, want := range map[string]int{"owner": 200, "admin": 200, "editor": 403, "viewer": 403} {
		if got := s.as(t, role).get(views.PathSignInSettings).status; got != want {
			t.Errorf("%s: got %d, want %d", role, got, want)
		}
	}
	admin := s.as(t, "admin")
	admin.get(views.PathSignInSettings).shows("main", "Only owners").lacks("[form=connection]")
	for _, path := range []string{views.PathSaveSAML, views.PathPrepareSAML, views.PathRollKeys, views.PathEnforce, views.PathSecurity, views.PathDomains,
		views.PathDomainVerify, views.PathDomainRemove, views.PathDomainSignUp, views.PathSaveOIDC} {
		if got := admin.post(path, "only", "on", "owner", s.users["owner"].String(), "domain", "x.example", "idle", "0", "whole", "0", "step", "add"); got.status != http.StatusForbidden {
			t.Errorf("an admin posts to %s: got %d: %s", path, got.status, got.text())
		}
	}
	owner := s.as(t, "owner")
	got := owner.post(views.PathSaveSAML, "source", auth.FromXML, "xml", "<x/>", "enabled", "on", "roles", "nonsense", "default_role", "owner", "skew", "x").want(http.StatusUnprocessableEntity)
	got.shows(".field-error", "metadata of a SAML").shows(".field-error", "an arrow").shows(".field-error", "180 seconds").shows(".field-error", "Choose another role")
	owner.post(views.PathEnforce, "only", "on", "owner", s.users["owner"].String()).want(http.StatusConflict).shows("[role=alert]", "test sign-in")
	owner.get("/saml/two/metadata").want(http.StatusNotFound).shows("main", "auth.no_sso")
	owner.get("/saml/none/metadata").want(http.StatusNotFound).shows("main", "auth.no_sso")
	provider := samltest.New(t, "https://idp.example")
	owner.post(views.PathSaveSAML, connection(provider.Metadata())...).leadsTo(views.PathSignInSettings)
	owner.get(views.PathAudit).shows("tr:contains('Changed single sign-on')", "One")
	owner.post(views.PathDiagnose, "response", provider.Response(t, samltest.Says{NameID: "m", Audience: "urn:other"})).want(http.StatusOK).
		shows("#diagnosis", "would be refused").shows("[data-check=signature][data-state=passed]", "SHA-256").shows("[data-check=audience][data-state=failed]", "urn:other")
}

func TestTwoFactorSignInInTheBrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.as(t, "owner").post(views.PathSecurity, "idle", "0", "whole", "0", "role", "viewer").leadsTo(views.PathSignInSettings)
	b := s.as(t, "viewer")
	for _, path := range []string{views.PathHome, views.PathDashboards, views.PathAccount, "/dashboards/01890000-0000-7000-8000-000000000000"} {
		b.get(path).leadsTo(views.PathFactor)
	}
	b.get(views.PathFactor).shows("[role=status]", "needs two-factor")
	// What that page asks for by itself leads nowhere; the same from another page leads there.
	polls := map[string]string{"HX-Request": "true", "HX-Request-Type": "partial", "HX-Current-URL": s.url + views.PathFactor}
	if got := b.request(http.MethodGet, views.PathNoticesUnread, polls).want(http.StatusNoContent); got.header.Get("HX-Redirect") != "" {
		t.Errorf("the page is led to %q", got.header.Get("HX-Redirect"))
	}
	polls["HX-Current-URL"] = s.url + views.PathHome
	if got := b.request(http.MethodGet, views.PathNoticesUnread, polls); got.header.Get("HX-Redirect") != views.PathFactor {
		t.Errorf("another page is led to %q", got.header.Get("HX-Redirect"))
	}
	b.follow(b.post(views.PathFactorStart).leadsTo(views.PathFactor)).shows("[data-secret]", " ")
	page := b.get(views.PathFactor)
	if src := page.page.Find("img.sso-qr").AttrOr("src", ""); !strings.HasPrefix(src, "data:image/png;base64,") {
		t.Errorf("the picture is %.40q", src)
	}
	secret := strings.ReplaceAll(page.page.Find("[data-secret]").Text(), " ", "")
	b.post(views.PathFactorConfirm, "code", "1").want(http.StatusUnprocessableEntity).shows(".field-error", "not right")
	// That of the next half minute counts already, and for longer.
	code, err := totp.GenerateCode(secret, time.Now().Add(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	codes := b.post(views.PathFactorConfirm, "code", code).want(http.StatusOK)
	recovery := codes.page.Find(".sso-codes li").First().Text()
	if codes.page.Find(".sso-codes li").Length() != 10 || !strings.Contains(recovery, "-") {
		t.Fatalf("got codes %q", codes.page.Find(".sso-codes").Text())
	}
	b.get(views.PathHome).want(http.StatusOK)

	next := s.browser(t)
	next.post(views.PathSignIn, "email", "viewer@example.com", "password", goodPassword, "next", views.PathAccount).leadsTo(views.PathCode + "?next=%2Faccount")
	next.get(views.PathAccount).want(http.StatusSeeOther)
	next.post(views.PathCode, "code", code, "next", views.PathAccount).want(http.StatusUnprocessableEntity).shows(".field-error", "used already")
	next.post(views.PathCode, "code", recovery, "next", views.PathAccount).leadsTo(views.PathAccount)
	next.get(views.PathAccount).want(http.StatusOK).shows("#account", "On")
	s.as(t, "owner").post(views.PathResetFactor, "id", s.users["viewer"].String()).leadsTo(views.PathMembers)
	next.get(views.PathAccount).want(http.StatusSeeOther)
}

package handlers

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/auth/saml/samltest"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/platform/hosts"
	"github.com/dataflowhq/dataflow/views"
)

const portalHost = "insights.example.com"

// proven takes every name for the workspace's own.
type proven struct{}

func (proven) Normalise(host string) (string, error)      { return strings.ToLower(host), nil }
func (proven) Record(ids.Tenant, string) (string, string) { return "_verify." + portalHost, "value" }
func (proven) Verify(ctx context.Context, _ ids.Tenant, _ string) error {
	return ctx.Err()
}

func (proven) Check(ctx context.Context, _ ids.Tenant, _ string, _ hosts.Health, _ time.Time) (hosts.Health, error) {
	return hosts.Health{}, ctx.Err()
}

// visited is a site with a portal that shows one of its dashboards.
type visited struct {
	*boardSite
	portal ids.Portal
	routes chi.Router // of the portal
	server *httptest.Server
}

func newVisited(t testing.TB, change ...func(*boardSite)) *visited {
	t.Helper()
	return newVisitedOf(t, newBoardSite(t, change...))
}

// newVisitedOf adds the portal to a site.
func newVisitedOf(t testing.TB, site *boardSite) *visited {
	t.Helper()
	v := &visited{boardSite: site}
	handler, err := New(v.Deps)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCore(v.Deps)
	if err != nil {
		t.Fatal(err)
	}
	if v.routes, err = c.portalRouter(); err != nil {
		t.Fatal(err)
	}
	v.server = httptest.NewServer(handler)
	t.Cleanup(v.server.Close)
	v.url = v.server.URL
	admin := access.Actor{Kind: access.Person, TenantID: v.one.ID, UserID: v.users["admin"], Role: access.Admin}
	if v.portal, err = v.Portals.Create(t.Context(), admin, "Ashby & Vale"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Portals.ClaimHost(t.Context(), admin, v.portal, portalHost); err != nil {
		t.Fatal(err)
	}
	if err := v.Portals.ProveHost(t.Context(), admin, v.portal, portalHost); err != nil {
		t.Fatal(err)
	}
	if err := v.Portals.SetDashboards(t.Context(), admin, v.portal, []portals.Shown{{Dashboard: v.board.ID}}); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *visited) settings(section string) string {
	return views.PathPortal(v.portal.String(), section)
}

// at is a browser that reaches the portal's host.
func (v *visited) at(t testing.TB) *browser {
	b := v.browser(t)
	b.host = portalHost
	return b
}

var linkInMail = regexp.MustCompile(`http://insights\.example\.com[^ "<]*/reset\?token=[A-Za-z0-9_-]+`)

// invited is a visitor whom an admin invited through the pages, and who chose a
// password by the link in the mail.
func (v *visited) invited(t testing.TB, email string, fields ...string) *browser {
	t.Helper()
	admin := v.as(t, "admin")
	admin.post(v.settings("/visitors"), append([]string{"email", email}, fields...)...).leadsTo(v.settings("/visitors"))
	list, err := v.Delivery.ListOutbox(t.Context(), access.Actor{Kind: access.System, TenantID: v.one.ID})
	if err != nil {
		t.Fatal(err)
	}
	link := ""
	for _, m := range list {
		if m.To == email {
			link = linkInMail.FindString(m.Text)
			if strings.Contains(strings.ToLower(m.Subject+m.Text+m.HTML), "dataflow") {
				t.Errorf("the mail names the product: %s", m.Text)
			}
		}
	}
	if link == "" {
		t.Fatal("no mail has a link to the portal")
	}
	b := v.at(t)
	token := link[strings.Index(link, "token=")+len("token="):]
	b.get(views.PathReset+"?token="+token).want(http.StatusOK).shows("h1", "Choose a password").lacks(".auth-alt")
	b.post(views.PathReset, "token", token, "password", "short").want(http.StatusUnprocessableEntity)
	b.post(views.PathReset, "token", token, "password", goodPassword).leadsTo(views.PathHome)
	return b
}

func TestAPortalIsASiteOfItsOwn(t *testing.T) {
	t.Parallel()
	v := newVisited(t)
	stranger := v.at(t)
	board := views.PathDashboard(v.board.ID.String())
	stranger.get(board).leadsTo(views.PathSignIn + "?next=" + url.QueryEscape(board))
	stranger.get(views.PathSignIn).want(http.StatusOK).shows("title", "Ashby & Vale")
	stranger.post(views.PathSignIn, "email", "admin@example.com", "password", goodPassword).want(http.StatusUnauthorized)

	visitor := v.invited(t, "mara@halden.example", "company", "Halden Knitwear", "attributes", "region: North")
	visitor.get(views.PathHome).leadsTo(board)
	page := visitor.get(board).want(http.StatusOK)
	page.shows("h1", "Trading <b>")
	page.shows(".portal-visitor", "Halden Knitwear")
	page.shows("#w-sum", "Net sales")
	for _, selector := range []string{"[data-key-edit]", "[data-comments]", "a[href*='/explain']", "#sidebar", "[data-search-open]", "a[href*='/share']"} {
		if page.page.Find(selector).Length() > 0 {
			t.Errorf("a visitor's page has %s", selector)
		}
	}
	visitor.get(board + "/widgets/bars/table").want(http.StatusOK)
	visitor.get(board + "/widgets/bars/data.csv").want(http.StatusOK)
	visitor.get(board+"/filters/channel/values?q=").want(http.StatusOK).shows("*", "web")
	page.lacks("#add-filter")
	hasOwnFiltersOnly(t, func(path string) answer { return visitor.get(path) }, board, "channel", "amount", "at")
	v.as(t, "admin").post(v.settings(""), "show", v.board.ID.String()).leadsTo(v.settings("")) // without downloads
	visitor.get(board + "/widgets/bars/data.csv").want(http.StatusNotFound)
	if visitor.get(board).page.Find("a[href*='data.csv']").Length() > 0 {
		t.Error("files are offered that nobody may take")
	}
	// What another site sends in a visitor's name is refused, and on record.
	refused := visitor.request(http.MethodPost, views.PathTheme, map[string]string{"Sec-Fetch-Site": "cross-site"}, "theme", "dark").want(http.StatusForbidden)
	v.flush(t)
	log, err := v.Audit.List(t.Context(), access.Actor{Kind: access.Console, TenantID: v.one.ID}, audit.Query{Text: refused.header.Get("X-Request-Id")})
	if err != nil || len(log.Lines) != 1 || !log.Lines[0].Denied || log.Lines[0].Action != "access.denied" {
		t.Errorf("the audit log has %+v, %v", log.Lines, err)
	}
	// Sessions are of one site only.
	member := v.as(t, "owner")
	member.host = portalHost
	member.get(board).want(http.StatusSeeOther)
	visitor.host = ""
	visitor.get(board).want(http.StatusSeeOther)
	visitor.host = portalHost
	visitor.post(views.PathSignOut).leadsTo(views.PathSignIn)
	visitor.get(board).want(http.StatusSeeOther)
}

// The portal's name of a dashboard is that of its page too.
func TestAPortalNamesItsPages(t *testing.T) {
	t.Parallel()
	v := newVisited(t)
	admin := access.Actor{Kind: access.Person, TenantID: v.one.ID, UserID: v.users["admin"], Role: access.Admin}
	if err := v.Portals.SetDashboards(t.Context(), admin, v.portal, []portals.Shown{{Dashboard: v.board.ID, Label: "Deliveries"}}); err != nil {
		t.Fatal(err)
	}
	visitor := v.invited(t, "mara@halden.example", "company", "Halden Knitwear", "attributes", "region: North")
	page := visitor.get(views.PathDashboard(v.board.ID.String())).want(http.StatusOK)
	page.shows("h1", "Deliveries").shows("title", "Deliveries").shows(".portal-link[aria-current]", "Deliveries")
	page.shows(".filters-more [popovertarget=filters-rest]", "Filters")
	if n := page.page.Find("#filters-rest[popover] .filter-button").Length(); n == 0 {
		t.Error("narrow, no filter lies behind the button")
	}
}

// To whom the rules leave nothing no filter of theirs is to blame, and no reset of
// one would help.
func TestWhoHasNoRowsIsToldSo(t *testing.T) {
	t.Parallel()
	v := newVisited(t)
	v.rule(t, v.dataset, "channel", "channel")
	visitor := v.invited(t, "mara@halden.example", "attributes", "channel: none of them")
	page := visitor.get(views.PathDashboard(v.board.ID.String())).want(http.StatusOK)
	page.shows("#w-bars .empty-title", "There is no data for you here").lacks("#w-bars .empty .btn")
	visitor.get(views.PathDashboard(v.board.ID.String())+"?f.channel=web").want(http.StatusOK).
		shows("#w-bars .empty-title", "Nothing matches").shows("#w-bars .empty .btn", "Reset")
}

// A page of a portal follows its data for as long as its visitor is signed in.
func TestAPortalsPageIsLive(t *testing.T) {
	t.Parallel()
	v := newVisited(t, func(s *boardSite) { s.StreamEvery = 20 * time.Millisecond })
	visitor := v.invited(t, "mara@halden.example")
	stream := readEvents(t, visitor, views.PathDashboard(v.board.ID.String())+"/events")
	for range 4 {
		if e := next(t, stream); e[0] != "versions" {
			t.Fatalf("got %v", e)
		}
	}
	visitor.post(views.PathSignOut).leadsTo(views.PathSignIn)
	for e := next(t, stream); e[0] != "end"; e = next(t, stream) {
		if e[0] != "versions" {
			t.Fatalf("got %v", e)
		}
	}
}

// Of the pages of members a portal has none but the view of a dashboard, and no
// page of it says what runs it.
func TestNothingOfMembersIsInAPortal(t *testing.T) {
	t.Parallel()
	v := newVisited(t)
	visitor := v.invited(t, "mara@halden.example")
	stranger := v.at(t)
	fill := func(route string) string {
		path := strings.NewReplacer("{id}", v.board.ID.String(), "{widget}", "sum", "{filter}", "channel", "{portal}", v.portal.String(),
			"{kind}", "mark", "{sum}", "1", "/*", "/").Replace(route)
		return strings.TrimSuffix(path, "/") + ""
	}
	own := map[string]bool{}
	err := chi.Walk(v.routes, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		own[method+" "+fill(route)] = true
		if method != http.MethodGet || strings.HasPrefix(route, "/static") || strings.HasSuffix(route, "/events") {
			return nil
		}
		for who, b := range map[string]*browser{"visitor": visitor, "stranger": stranger} {
			path := fill(route)
			if path == "" {
				path = "/"
			}
			a := b.get(path)
			if a.status >= http.StatusInternalServerError {
				t.Errorf("%s %s: %d", who, route, a.status)
			}
			if route == "/healthz" || route == "/readyz" || route == "/metrics" {
				continue
			}
			var all strings.Builder
			_ = a.header.Write(&all)
			if strings.Contains(strings.ToLower(all.String()+a.body), "dataflow") {
				t.Errorf("%s %s names the product", who, route)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = chi.Walk(v.boardSite.routes, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		path := fill(route)
		if own[method+" "+path] || strings.Contains(path, "{") && strings.Contains(path, "/static") {
			return nil
		}
		n++
		a := visitor.request(method, regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, v.board.ID.String()), nil)
		if a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s answers %d in a portal", method, route, a.status)
		}
		return nil
	})
	if err != nil || n < 50 {
		t.Errorf("%d routes of members were tried (%v)", n, err)
	}
}

func TestOtherHostsLeadToTheSite(t *testing.T) {
	t.Parallel()
	v := newVisited(t)
	b := v.browser(t)
	for host, want := range map[string]string{"": "DataFlow", "unknown.example.com": "DataFlow", strings.ToUpper(portalHost) + ":8080": "Ashby & Vale"} {
		b.host = host
		b.get(views.PathSignIn).want(http.StatusOK).shows("title", want)
	}
	// Where the site has a name, others that are no portal's show nothing of it.
	v = newVisited(t, func(s *boardSite) { s.BaseURL = "https://bi.example" })
	b = v.browser(t)
	for host, want := range map[string]int{"unknown.example.com": http.StatusMisdirectedRequest, "bi.example": http.StatusOK, "": http.StatusOK, portalHost: http.StatusOK} {
		b.host = host
		if got := b.get(views.PathSignIn).want(want); want != http.StatusOK && strings.Contains(got.body, "DataFlow") {
			t.Errorf("%s shows %s", host, got.body)
		}
	}
	b.host = "unknown.example.com"
	b.get("/healthz").want(http.StatusOK)
}

// A workspace has the visitors of its portal sign in at their company's provider:
// the pages, the addresses and what the provider is told are the portal's.
func TestVisitorsSignInAtTheirProvider(t *testing.T) {
	t.Parallel()
	v := newVisited(t)
	provider := samltest.New(t, "https://idp.example")
	admin := v.as(t, "admin")
	admin.get(v.settings("/sign-in")).want(http.StatusOK).shows("#sign-in", "Give these")
	admin.post(v.settings("/sign-in/enforce"), "only", "on").want(http.StatusConflict).shows("[role=alert]", "portals.no_way")
	admin.post(v.settings("/sign-in/saml"), "source", auth.FromXML, "xml", "nonsense", "enabled", "on").want(http.StatusUnprocessableEntity).shows(".field-error", "metadata")
	admin.post(v.settings("/sign-in/saml"), "source", auth.FromXML, "xml", provider.Metadata(), "enabled", "on", "jit", "on",
		"map_email", "mail", "map_company", "company", "people", "area → region").leadsTo(v.settings("/sign-in"))
	v.as(t, "editor").get(v.settings("/sign-in")).want(http.StatusForbidden)
	admin.get(views.PathAudit).shows("tr:contains('Changed single sign-on')", "Ashby & Vale")

	b := v.at(t)
	page := b.get(views.PathSignIn).want(http.StatusOK)
	start := page.page.Find(".portal-sso a").AttrOr("href", "")
	if !strings.HasSuffix(start, "/saml/start") || !strings.HasPrefix(start, "http://"+portalHost) {
		t.Fatalf("single sign-on begins at %q", start)
	}
	metadata := b.get("/saml/metadata").want(http.StatusOK)
	if strings.Contains(strings.ToLower(metadata.body), "dataflow") || !strings.Contains(metadata.body, portalHost+"/saml/acs") {
		t.Errorf("the provider is told %s", metadata.body)
	}
	_, certificate, _ := strings.Cut(metadata.body, "X509Certificate")
	_, certificate, _ = strings.Cut(certificate, ">")
	certificate, _, _ = strings.Cut(certificate, "<")
	der, err := base64.StdEncoding.DecodeString(certificate)
	if err != nil || !strings.Contains(string(der), "Ashby & Vale") || strings.Contains(strings.ToLower(string(der)), "dataflow") {
		t.Errorf("the certificate is of %q (%v)", der, err)
	}
	base := strings.TrimSuffix(start, "/saml/start")
	asked := b.get("/saml/start?next=//evil.example").want(http.StatusSeeOther)
	answer := samltest.Says{NameID: "m", Audience: base + "/saml/metadata", Recipient: base + "/saml/acs", Destination: base + "/saml/acs",
		InResponseTo: samltest.RequestOf(t, asked.header.Get("Location")), Attributes: map[string][]string{"mail": {"mara@halden.example"}, "company": {"Halden"}, "area": {"North"}}}
	// To the workspace, and from another browser, it is no answer.
	v.browser(t).post("/saml/one/acs", "SAMLResponse", provider.Response(t, answer)).want(http.StatusNotFound)
	v.at(t).post("/saml/acs", "SAMLResponse", provider.Response(t, answer)).want(http.StatusForbidden).shows("main", "saml.request")
	foreign := map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://idp.example"}
	b.request(http.MethodPost, "/saml/acs", foreign, "SAMLResponse", provider.Response(t, answer)).leadsTo(views.PathHome)
	board := views.PathDashboard(v.board.ID.String())
	b.get(views.PathHome).leadsTo(board)
	b.get(board).want(http.StatusOK).shows(".portal-visitor", "Halden")

	// A test begins in the settings, goes to the provider by the portal's host, and
	// its result is back in the settings.
	asked = admin.post(v.settings("/sign-in/test"), "kind", "saml").want(http.StatusOK)
	to, err := url.Parse(strings.TrimPrefix(asked.header.Get("Refresh"), "0; url="))
	if err != nil || to.Hostname() != portalHost || to.Path != "/saml/start" {
		t.Fatalf("the test leads to %q, %v", asked.header.Get("Refresh"), err)
	}
	at := to.RequestURI()
	tester := v.at(t)
	asked = tester.get(at).want(http.StatusSeeOther)
	tester.get(at).want(http.StatusGone)
	answer.ID, answer.InResponseTo = "", samltest.RequestOf(t, asked.header.Get("Location"))
	tested := tester.request(http.MethodPost, "/saml/acs", foreign, "SAMLResponse", provider.Response(t, answer)).want(http.StatusSeeOther)
	if to := tested.header.Get("Location"); to != v.url+v.settings("/sign-in") {
		t.Errorf("the test leads back to %q", to)
	}
	tester.get(board).want(http.StatusSeeOther)
	admin.get(v.settings("/sign-in")).shows("#test", "Test sign-in passed").shows("#test [data-check=account][data-state=passed]", "Would sign in mara@halden.example")
	admin.post(v.settings("/sign-in/diagnose"), "response", provider.Response(t, answer)).want(http.StatusOK).shows("#test [data-check=account]", "Would sign in")

	// The only way in, from now on.
	admin.post(v.settings("/sign-in/enforce"), "only", "on").leadsTo(v.settings("/sign-in"))
	other := v.at(t)
	other.get(views.PathSignIn).want(http.StatusOK).lacks("#password").lacks("a[href='" + views.PathForgot + "']")
	other.post(views.PathSignIn, "email", "mara@halden.example", "password", goodPassword).want(http.StatusForbidden).shows("[role=alert]", "auth.sso_required")
}

// A visitor's PDF is their own: nobody else has it, and not without downloads.
func TestAVisitorsReportIsTheirOwn(t *testing.T) {
	t.Parallel()
	v := newVisited(t)
	visitor, other := v.invited(t, "mara@halden.example"), v.invited(t, "ada@other.example")
	board := views.PathDashboard(v.board.ID.String())
	v.as(t, "admin").post(v.settings(""), "show", v.board.ID.String(), "label-"+v.board.ID.String(), "Deliveries", "downloads", "true").leadsTo(v.settings(""))
	visitor.get(board).want(http.StatusOK).shows("button[form=dash-pdf]", "PDF")
	asked := visitor.post(board+"/reports", "format", "PDF", "paper", "a4").want(http.StatusSeeOther)
	report := asked.header.Get("Location")
	visitor.get(report).want(http.StatusOK).shows("#report", "Deliveries").lacksAll("the page of a report", "Trading")
	visitor.post(board+"/reports", "format", "CSV").want(http.StatusUnprocessableEntity)
	other.get(report).want(http.StatusNotFound)
	v.as(t, "owner").get(report).want(http.StatusNotFound)
	v.as(t, "admin").post(v.settings(""), "show", v.board.ID.String()).leadsTo(v.settings("")) // without downloads
	visitor.get(board).want(http.StatusOK).lacks("button[form=dash-pdf]")
	visitor.get(report).want(http.StatusNotFound)
	visitor.post(board+"/reports", "format", "PDF").want(http.StatusNotFound)
}

// Who visited is taken out of the audit log by the address alone.
func TestAVisitorIsErasedFromTheLog(t *testing.T) {
	t.Parallel()
	v := newVisited(t)
	const email = "mara@halden.example"
	v.invited(t, email)
	tells := func() (n int) {
		t.Helper()
		v.flush(t)
		page, err := v.Audit.List(t.Context(), access.Actor{Kind: access.Console, TenantID: v.one.ID}, audit.Query{})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range page.Lines {
			if text := fmt.Sprintf("%+v %+v", line.Who, line.What); strings.Contains(text, email) {
				n++
			}
		}
		return n
	}
	if tells() == 0 {
		t.Fatal("the log knows nothing of the visitor")
	}
	parts, err := v.Audit.Erase(t.Context(), v.owner(), ids.User{}, strings.ToUpper(email))
	if n := tells(); err != nil || parts == 0 || n > 0 {
		t.Errorf("%d parts are erased, %d entries still tell: %v", parts, n, err)
	}
}

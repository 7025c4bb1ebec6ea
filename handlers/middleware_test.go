package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/static"
	"github.com/dataflowhq/dataflow/views"
)

var (
	routeParameter = regexp.MustCompile(`\{[^}]*\}`)
	nonceInPolicy  = regexp.MustCompile(`'nonce-([A-Za-z0-9+/]{20,})'`)
)

// TestPolicyStandsOnEveryAnswer walks every route, signed in and not.
func TestPolicyStandsOnEveryAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner, nobody := s.as(t, "owner"), s.browser(t)
	nonces := map[string]bool{}
	count := 0
	err := chi.Walk(s.routes, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if strings.Contains(route, "events") || method != http.MethodGet && method != http.MethodPost {
			return nil
		}
		path := routeParameter.ReplaceAllString(strings.TrimSuffix(route, "*"), "01890000-0000-7000-8000-000000000000")
		for _, b := range []*browser{nobody, owner} {
			if route == views.PathSignOut {
				continue
			}
			got := b.request(method, path, nil)
			count++
			if got.status >= 500 {
				t.Errorf("%s %s: got %d: %s", method, path, got.status, got.text())
			}
			policy := got.header.Get("Content-Security-Policy")
			if strings.HasPrefix(path, static.Prefix) { // files run nothing of their own
				if policy != "default-src 'self'" || got.header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%s %s: policy %q", method, path, policy)
				}
				continue
			}
			if path == "/embed.js" { // a file too, for other sites
				if policy != "default-src 'none'" || got.header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%s %s: policy %q", method, path, policy)
				}
				continue
			}
			// A frame that was loaded anew holds nothing, and asks the site around it,
			// which is not known here, for a page.
			frame := path == "/embed" && method == http.MethodGet
			for _, part := range []string{"default-src 'none'", "script-src 'self' 'nonce-", "style-src 'self'", "style-src-attr 'unsafe-inline'",
				"frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'", "form-action 'self'"} {
				if !strings.Contains(policy, part) && !(frame && strings.HasPrefix(part, "frame-")) {
					t.Errorf("%s %s: policy %q lacks %q", method, path, policy, part)
				}
			}
			if strings.Contains(strings.ReplaceAll(policy, "style-src-attr 'unsafe-inline'", ""), "unsafe") {
				t.Errorf("%s %s: policy is loose: %q", method, path, policy)
			}
			nonce := nonceInPolicy.FindStringSubmatch(policy)
			if nonce == nil || nonces[nonce[1]] {
				t.Errorf("%s %s: no nonce of its own in %q", method, path, policy)
				continue
			}
			nonces[nonce[1]] = true
			for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
				if got := got.header.Get(name); got != want && !(frame && name == "X-Frame-Options") {
					t.Errorf("%s %s: %s is %q", method, path, name, got)
				}
			}
			got.page.Find("script").Each(func(_ int, script *goquery.Selection) {
				// Data is not run, and our own files need no nonce.
				kind, _ := script.Attr("type")
				source, file := script.Attr("src")
				if file && !strings.HasPrefix(source, "/static/") {
					t.Errorf("%s %s: a script from %q", method, path, source)
				}
				if value, _ := script.Attr("nonce"); value != nonce[1] && !file && kind != "application/json" {
					t.Errorf("%s %s: a script in the page has nonce %q, the policy %q", method, path, value, nonce[1])
				}
			})
			got.page.Find("*").Each(func(_ int, element *goquery.Selection) {
				for _, a := range element.Nodes[0].Attr {
					if strings.HasPrefix(a.Key, "on") {
						t.Errorf("%s %s: inline handler %s", method, path, a.Key)
					}
				}
			})
			got.lacks("style")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if count < 40 {
		t.Errorf("only %d answers were looked at", count)
	}
}

func TestWhatAnotherSiteSendsIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(t, "owner")
	for _, headers := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"},
		{"Sec-Fetch-Site": "same-site"},
		{"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
	} {
		got := b.request(http.MethodPost, views.PathAccountProfile, headers, "name", "Eve").want(http.StatusForbidden)
		got.shows("body", "http.cross_origin")
		s.flush(t)
		page, err := s.Audit.List(t.Context(), access.Actor{Kind: access.Console, TenantID: s.one.ID}, audit.Query{Text: got.header.Get("X-Request-Id")})
		if err != nil || len(page.Lines) != 1 || !page.Lines[0].Denied || page.Lines[0].Action != "access.denied" {
			t.Errorf("%v: the audit log has %+v, %v", headers, page.Lines, err)
		}
		if name := b.get(views.PathAccount).page.Find(".side-user b").First().Text(); name != "Owner" {
			t.Errorf("%v: the name is %q", headers, name)
		}
	}
	b.request(http.MethodPost, views.PathAccountProfile, map[string]string{"Sec-Fetch-Site": "", "Origin": s.url}, "name", "Me").leadsTo(views.PathAccount)
}

func TestErrorsHaveTheFormThatWasAskedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, b := range map[string]*browser{"signed in": s.as(t, "viewer"), "signed out": s.browser(t)} {
		page := b.get("/nowhere").want(http.StatusNotFound).shows("h1", "Nothing here").shows("body", "http.not_found")
		if shell := page.page.Find(".side-nav").Length() > 0; shell != (name == "signed in") {
			t.Errorf("%s: within the shell is %t", name, shell)
		}
		id := page.header.Get("X-Request-Id")
		if id == "" || !strings.Contains(page.body, id) {
			t.Errorf("%s: the request id %q is not on the page", name, id)
		}
		notice := b.request(http.MethodGet, "/nowhere", map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"}).want(http.StatusNotFound)
		notice.shows("[role=alert]", "http.not_found").lacks("main")
		if notice.header.Get("HX-Retarget") != "#toasts" || !strings.Contains(notice.header.Get("Vary"), "HX-Request") {
			t.Errorf("%s: got headers %v", name, notice.header)
		}
		b.request(http.MethodGet, "/nowhere", map[string]string{"HX-Request": "true", "HX-Request-Type": "full"}).shows("h1", "Nothing here")
		got := b.request(http.MethodGet, "/nowhere", map[string]string{"Accept": "application/json"}).want(http.StatusNotFound)
		var problem struct {
			Error     struct{ Code, Message string }
			RequestID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(got.body), &problem); err != nil || problem.Error.Code != "http.not_found" || problem.Error.Message == "" || problem.RequestID == "" {
			t.Errorf("%s: got %s, %v", name, got.body, err)
		}
	}
	for path, has := range map[string]bool{static.URL("app.css"): false, static.Prefix + "nowhere.css": true} {
		if got := s.browser(t).get(path).header.Get("X-Request-Id"); (got != "") != has {
			t.Errorf("%s has the request id %q", path, got)
		}
	}
	for path, has := range map[string]bool{static.URL("app.css"): false, static.URL("app.js"): false, static.URL("map-worker.js"): true} {
		if got := s.browser(t).get(path).header; got.Get("Content-Security-Policy") != "" != has || got.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s has the policy %q", path, got.Get("Content-Security-Policy"))
		}
	}
	s.as(t, "viewer").get(views.PathMembers).want(http.StatusForbidden).shows("body", "access.forbidden").shows(".side-nav", "Home")
}

func TestLargeFormsAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.browser(t).post(views.PathSignIn, "email", strings.Repeat("a", maxForm)).want(http.StatusRequestEntityTooLarge).shows("body", "http.too_large")
	s.browser(t).request(http.MethodPost, views.PathSignIn, map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=%"}, "email", "%zz")
}

func TestWhatIsNoTextIsRefused(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "editor")
	for _, bad := range []string{"%00", "a%00b", "%ff", "%C3%28"} {
		for _, path := range []string{"/dashboards?tag=" + bad, views.PathMembers + "?q=" + bad, views.PathMembers + "?x=%zz&q=" + bad, "/dashboards/" + bad, s.path("?" + bad + "=1")} {
			if got := b.get(path); got.status != http.StatusUnprocessableEntity {
				t.Errorf("%s: status %d", path, got.status)
			}
		}
	}
	for _, bad := range []string{"a\x00b", "a\xff\xfe"} {
		for _, path := range []string{s.path("/tags"), s.path("/views"), s.path("/versions"), "/settings/embedding/keys"} {
			b.post(path, "tags", bad, "name", bad).want(http.StatusUnprocessableEntity)
			b.parts(path, "tags", bad, "name", bad).want(http.StatusUnprocessableEntity)
		}
	}
	b.get("/dashboards?tag=" + url.QueryEscape("Ærø 100%")).want(http.StatusOK)

	// What was typed is not lost, and the form can be opened anew; another site's page can't.
	for from, way := range map[string]string{s.url + "/settings/embedding?new=1": "/settings/embedding?new=1", "https://evil.example/x": views.PathHome} {
		b.request(http.MethodPost, "/settings/embedding/keys", map[string]string{"Referer": from}, "name", "a\x00b").want(http.StatusUnprocessableEntity).
			shows(".problem p", "when you go back in your browser").shows(".problem a[href='"+way+"']", "Open the form again")
	}

	// Who is signed in is not asked to sign in.
	for path, method := range map[string]string{s.path("?f.region=CA%00"): http.MethodGet, s.path(""): http.MethodPut} {
		b.request(method, path, nil).shows(".problem", "Go to home").lacks(".problem a[href='" + views.PathSignIn + "']")
		s.browser(t).request(method, path, nil).shows(".problem", "Sign in")
	}
}

// TestPanicIsAnAnswer also reads the log: the cause is there, and on the page
// it is not.
func TestPanicIsAnAnswer(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	c := &core{}
	r := chi.NewRouter()
	r.Use(c.begin)
	r.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("the secret cause") })
	r.Get("/error", handle(func(http.ResponseWriter, *http.Request) error { return errors.New("the secret cause") }))
	r.Get("/half", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("the secret cause")
	})
	for _, path := range []string{"/panic", "/error"} {
		log.Reset()
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path+"?token=hush", nil))
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret cause") || !strings.Contains(w.Body.String(), "Something went wrong") {
			t.Errorf("%s: got %d: %s", path, w.Code, w.Body)
		}
		if text := log.String(); !strings.Contains(text, "the secret cause") || strings.Contains(text, "hush") {
			t.Errorf("%s: the log says %s", path, text)
		}
	}
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("half a page: got %v, want the connection broken off", cause)
		}
	}()
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/half", nil))
}

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		peer    string
		address string
		secure  bool
	}{
		"a proxy":                 {"10.0.0.1:1", "203.0.113.9", true},
		"anybody":                 {"198.51.100.7:1", "198.51.100.7", false},
		"a proxy in IPv6 clothes": {"[::ffff:10.0.0.1]:1", "203.0.113.9", true},
	} {
		c := &core{Deps: Deps{TrustedProxies: []string{"10.0.0.0/8"}}}
		var err error
		if c.proxies, err = parsePrefixes(c.TrustedProxies); err != nil {
			t.Fatal(err)
		}
		var address string
		var secure bool
		h := c.trustProxies(c.clientAddress(c.begin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			address, secure = clientAddress(r), scopeOf(r).secure
		}))))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = tc.peer
		r.Header.Set("X-Forwarded-For", "1.2.3.4, 203.0.113.9, 10.9.9.9")
		r.Header.Set("X-Forwarded-Proto", "https")
		h.ServeHTTP(httptest.NewRecorder(), r)
		if address != tc.address || secure != tc.secure {
			t.Errorf("%s: got %s, secure %t; want %s, %t", name, address, secure, tc.address, tc.secure)
		}
	}
}

func TestPagesAreCompressed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	got := s.browser(t).request(http.MethodGet, views.PathSignIn, map[string]string{"Accept-Encoding": "gzip"})
	if got.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("got headers %v", got.header)
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if got := s.browser(t).request(http.MethodHead, views.PathSignIn, nil).want(http.StatusOK); got.body != "" {
		t.Errorf("got a body of %d bytes", len(got.body))
	}
}

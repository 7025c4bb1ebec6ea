package handlers

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/connectors/files"
	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/comments"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/embed"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/domain/sharing"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/outbound"
	"github.com/dataflowhq/dataflow/platform/secrets"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse/sandbox"
)

const goodPassword = "correct horse battery"

func TestMain(m *testing.M) {
	sandbox.ServeIfChild(files.Open)
	// The access log is part of what runs, and of no interest here.
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(m.Run())
}

// site is the whole site over a database of its own, with two workspaces:
// owner, admin, editor and viewer belong to One, foreign to Two, and both to
// both.
type site struct {
	Deps
	url      string
	database string
	routes   chi.Router
	one, two tenants.Tenant
	users    map[string]ids.User
}

// newRouter makes the site without its portals.
func newRouter(deps Deps) (chi.Router, error) {
	c, err := newCore(deps)
	if err != nil {
		return nil, err
	}
	return c.router()
}

func newSite(t testing.TB, change ...func(*Deps)) *site {
	t.Helper()
	s := &site{database: dbtest.URL(t), users: map[string]ids.User{}}
	pool, err := db.Open(t.Context(), db.Config{URL: s.database, MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	master, err := secrets.NewMaster([]byte("0123456789abcdefghijklmnopqrstuv"))
	if err != nil {
		t.Fatal(err)
	}
	s.Tenants = tenants.NewService(tenants.Deps{DB: pool, Master: master})
	address := func() string { return s.url }
	s.Delivery = delivery.NewService(delivery.Deps{DB: pool, Tenants: s.Tenants, Renderer: views.Letters{Address: address}, ShowBodies: true})
	s.Auth = auth.NewService(auth.Deps{DB: pool, Tenants: s.Tenants, Mailer: s.Delivery, BaseURL: address,
		Hashing: auth.Hashing{MemoryKiB: 64, Passes: 1, Lanes: 1}, Outbound: outbound.New(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}})})
	s.Datasets = datasets.New(datasets.Deps{DB: pool, Log: slog.Default()})
	s.Dashboards = dashboards.New(dashboards.Deps{DB: pool, Datasets: s.Datasets, Log: slog.Default()})
	s.Notify = notify.New(notify.Deps{DB: pool, Mailer: s.Delivery, Address: address})
	s.Sharing = sharing.New(pool, s.Notify)
	s.Comments = comments.New(comments.Deps{DB: pool, Dashboards: s.Dashboards, Notify: s.Notify})
	s.Alerts = alerts.New(alerts.Deps{DB: pool, Tenants: s.Tenants, Datasets: s.Datasets, Dashboards: s.Dashboards, Delivery: s.Delivery, Notify: s.Notify,
		Address: address, Title: views.AlertTitle, Say: views.AlertWords})
	s.Portals = portals.NewService(portals.Deps{DB: pool, Tenants: s.Tenants, Passwords: s.Auth, SSO: s.Auth, Mailer: s.Delivery, Prover: proven{}})
	s.Audit = audit.New(audit.Deps{DB: pool, Boxes: s.Tenants})
	s.Embed = embed.NewService(embed.Deps{DB: pool, Tenants: s.Tenants, Datasets: s.Datasets, Passwords: s.Auth, Notes: s.Audit})
	t.Cleanup(func() { _ = s.Audit.Close(context.WithoutCancel(t.Context())) })
	s.SessionKey, s.ShowOutbox = []byte("0123456789abcdef0123456789abcdef"), true
	s.Reports = reports.New(reports.Deps{DB: pool, Tenants: s.Tenants, Dashboards: s.Dashboards, Visitors: s.Portals, Words: ReportWords, Key: s.SessionKey})
	for _, f := range change {
		f(&s.Deps)
	}
	if s.routes, err = newRouter(s.Deps); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.routes)
	t.Cleanup(server.Close)
	s.url = server.URL
	if s.one, err = s.Tenants.Create(t.Context(), tenants.New{Name: "One"}); err != nil {
		t.Fatal(err)
	}
	if s.two, err = s.Tenants.Create(t.Context(), tenants.New{Name: "Two"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"owner", "admin", "editor", "viewer", "both"} {
		s.addUser(t, s.one, name)
	}
	s.addUser(t, s.two, "foreign")
	s.addUser(t, s.two, "both")
	return s
}

func (s *site) addUser(t testing.TB, in tenants.Tenant, name string) {
	t.Helper()
	role := access.Role(name)
	if name == "foreign" || name == "both" {
		role = access.Owner
	}
	id, err := s.Auth.CreateUser(t.Context(), auth.NewUser{TenantID: in.ID, Email: name + "@example.com", Name: strings.ToUpper(name[:1]) + name[1:],
		Role: role, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	s.users[name] = id
}

// exec runs a statement as the owner of the database.
func (s *site) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// scan reads one value as the owner of the database.
func (s *site) scan(t testing.TB, into any, query string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if err := conn.QueryRow(t.Context(), query).Scan(into); err != nil {
		t.Fatal(err)
	}
}

// browser keeps cookies and follows no redirect by itself.
type browser struct {
	t      testing.TB
	site   *site
	client *http.Client
	host   string // that it asks for; the server's own when empty
}

func (s *site) browser(t testing.TB) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, site: s, client: &http.Client{Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// as is a browser in which that user is signed in.
func (s *site) as(t testing.TB, name string) *browser {
	t.Helper()
	b := s.browser(t)
	got := b.post(views.PathSignIn, "email", name+"@example.com", "password", goodPassword)
	if got.status != http.StatusSeeOther {
		t.Fatalf("sign in as %s: got %d: %s", name, got.status, got.text())
	}
	return b
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
	page   *goquery.Document
}

func (b *browser) do(r *http.Request) answer {
	b.t.Helper()
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	page, err := goquery.NewDocumentFromReader(strings.NewReader(string(body)))
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{t: b.t, status: response.StatusCode, header: response.Header, body: string(body), page: page}
}

func (b *browser) request(method, path string, headers map[string]string, fields ...string) answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.site.url+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36")
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	r.Host = b.host
	return b.do(r)
}

func (b *browser) get(path string) answer { b.t.Helper(); return b.request(http.MethodGet, path, nil) }

func (b *browser) post(path string, fields ...string) answer {
	b.t.Helper()
	return b.request(http.MethodPost, path, nil, fields...)
}

// follow goes where the answer leads.
func (b *browser) follow(a answer) answer {
	b.t.Helper()
	a.leadsTo("")
	return b.get(a.header.Get("Location"))
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("got status %d, want %d: %s", a.status, status, a.text())
	}
	return a
}

// leadsTo wants a redirect to the path, any when it is empty.
func (a answer) leadsTo(path string) answer {
	a.t.Helper()
	a.want(http.StatusSeeOther)
	if got := a.header.Get("Location"); path != "" && got != path {
		a.t.Fatalf("leads to %q, want %q", got, path)
	}
	return a
}

// shows wants an element whose text has the part.
func (a answer) shows(selector, part string) answer {
	a.t.Helper()
	found := a.page.Find(selector)
	if found.Length() == 0 {
		a.t.Fatalf("there is no %q in %s", selector, a.text())
	}
	if text := strings.Join(strings.Fields(found.Text()), " "); !strings.Contains(text, part) {
		a.t.Errorf("%q says %q, want %q in it", selector, text, part)
	}
	return a
}

// lacks wants no such element.
func (a answer) lacks(selector string) answer {
	a.t.Helper()
	if n := a.page.Find(selector).Length(); n != 0 {
		a.t.Errorf("there are %d of %q", n, selector)
	}
	return a
}

func (a answer) text() string {
	text := strings.Join(strings.Fields(a.page.Find("body").Text()), " ")
	return text[:min(len(text), 500)]
}

var linkPattern = regexp.MustCompile(`https?://\S+`)

// lastLink is the link in the newest mail, as a path on the site.
func (s *site) lastLink(t testing.TB) string {
	t.Helper()
	list, err := s.Delivery.ListDemoOutbox(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatalf("got %d mails, %v", len(list), err)
	}
	link := linkPattern.FindString(list[0].Text)
	if !strings.HasPrefix(link, s.url+"/") {
		t.Fatalf("got link %q", link)
	}
	return strings.TrimPrefix(link, s.url)
}

package handlers

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/comments"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/embed"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse"
)

// unnotedRoutes are forms whose answer leaves no entry of its own, each with the
// reason.
var unnotedRoutes = map[string]string{
	"/dashboards/{id}/star":                     "a mark in one's own list",
	"/dashboards/{id}/presence":                 "who edits right now; kept nowhere",
	"/datasets/{id}/fields/check":               "looks at an expression",
	"/notifications/read":                       "one's own notifications",
	"/notifications/{id}/open":                  "one's own notifications",
	"/account/notifications":                    "of what one is told oneself",
	"/uploads/{id}/inspect":                     "another look at a file whose upload has an entry",
	"/uploads/{id}/fix":                         "another look at a file whose upload has an entry",
	"/reports/unsubscribe/{tenant}/{recipient}": "needs a link of a mail; the service records it",
	"/schedules/{schedule}/{act}":               "tried with its acts below, except for one that needs a failed delivery",
	"/uploads/{id}/load":                        "needs a worker that has inspected the file; TestEveryChangeLeavesAnEntry of audit looks at StartLoad",
	"/loads/{id}/cancel":                        "as the load; it looks at CancelLoad",
	"/setup":                                    "makes the first workspace; the service records it",
	"/invite":                                   "needs a link of a mail; the service records it",
	"/reset":                                    "needs a link of a mail; the service records it",
}

// notedElsewhere are the forms of a feature, by how their routes begin.
// TestEveryChangeLeavesAnEntry of package audit looks at each of the services'
// methods behind them, and the named tests at what the entries say.
var notedElsewhere = map[string]string{
	"/account/two-factor":            "auth: TestSecondFactor…",
	"/settings/sign-in":              "auth: TestSAML…, TestSettings…",
	"/settings/members/connect":      "needs an identity provider; auth: TestALinkConnectsAMemberWithAnotherProvider",
	"/settings/members/connect-all":  "needs an identity provider; auth: TestALinkConnectsAMemberWithAnotherProvider",
	"/settings/members/reset-factor": "needs somebody with a second factor; auth: TestSecondFactorIsRequiredByRoleAndResetByAdmins",
	"/settings/portals":              "portals",
	"/embed":                         "answers a page; TestEmbedded… looks at its entry",
	"/api/v1/query":                  "TestAProgramSeesWhatItsKeyMay looks at its entry",
	"/api/v1/embed/":                 "embed: a token that was minted or revoked, with a key",
	"/public/":                       "needs a link; TestPublicLinks… looks at the entries",
	"/settings/mail":                 "delivery: Test…Mail…, and TestMailSettingsAsAPersonDoes",
	"/mail/events/":                  "delivery: TestProvidersTellOfBounces",
	"/signin":                        "auth: a sign-in and each refusal",
	"/signup":                        "auth",
	"/saml/":                         "auth: each refusal with its code",
	"/oidc/":                         "auth: each refusal with its code",
	"/alerts":                        "alerts: TestAlertsAreTheOwners",
	"/channels":                      "alerts: channels",
	"/datasets/{id}/rules":           "datasets: rules",
}

func noted(route string) bool {
	for prefix := range notedElsewhere {
		if strings.HasPrefix(route, prefix) {
			return true
		}
	}
	return false
}

// posted are the forms that were answered in the test, by route.
type posted struct {
	*boardSite
	t     *testing.T
	b     *browser
	done  map[string]bool
	owner access.Actor
}

// route is the pattern that a path matches.
func (p *posted) route(path string) string {
	ctx := chi.NewRouteContext()
	plain, _, _ := strings.Cut(path, "?")
	if !p.routes.Match(ctx, http.MethodPost, plain) {
		p.t.Fatalf("no route for %s", path)
	}
	return ctx.RoutePattern()
}

// post sends a form that must be taken and must leave an entry that names the
// request.
func (p *posted) post(path string, fields ...string) answer {
	p.t.Helper()
	return p.noted(path, p.b.post(path, fields...))
}

// json sends a body as the editor does.
func (p *posted) json(path, body string) answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.noted(path, p.b.do(r))
}

func (p *posted) noted(path string, got answer) answer {
	p.t.Helper()
	route := p.route(path)
	if got.status >= 400 {
		p.t.Errorf("%s answers %d: %s", path, got.status, got.text())
		return got
	}
	p.done[route] = true
	p.flush(p.t)
	for _, tenant := range []tenants.Tenant{p.one, p.two} {
		page, err := p.Audit.List(p.t.Context(), access.Actor{Kind: access.Console, TenantID: tenant.ID}, audit.Query{Text: got.header.Get("X-Request-Id")})
		if err != nil {
			p.t.Fatal(err)
		}
		if len(page.Lines) > 0 {
			return got
		}
	}
	p.t.Errorf("%s left no entry in the audit log", route)
	return got
}

// Every form of the site is sent and leaves an entry, or is on the list above.
func TestEveryFormLeavesAnEntry(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	p := &posted{boardSite: s, t: t, b: s.as(t, "owner"), done: map[string]bool{}}
	p.owner = access.Actor{Kind: access.Person, TenantID: s.one.ID, UserID: s.users["owner"], Role: access.Owner}
	p.workspace()
	p.boards()
	p.data()
	p.reportForms()
	p.account()
	missing := 0
	err := chi.Walk(s.routes, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		route = strings.TrimSuffix(route, "/")
		if _, exempt := unnotedRoutes[route]; method == http.MethodPost && !strings.HasPrefix(route, "/static") && !exempt && !noted(route) && !p.done[route] {
			missing++
			t.Errorf("%s was not tried: send it here, or say in unnotedRoutes why it needs no entry", route)
		}
		return nil
	})
	if err != nil || missing > 0 {
		t.Errorf("%d routes are missing, %v", missing, err)
	}
	for route := range unnotedRoutes {
		if p.done[route] && !strings.HasSuffix(route, "{act}") {
			t.Errorf("%s is on the list and was tried", route)
		}
	}
}

func (p *posted) workspace() {
	viewer, editor := p.users["viewer"].String(), p.users["editor"].String()
	p.post(views.PathSettings, "name", "One", "zone", "Europe/London", "locale", "en-GB")
	p.post(views.PathMembersRole, "id", viewer, "role", "editor")
	p.post(views.PathMembersInvite, "email", "new@example.com", "role", "viewer")
	var invited uuid.UUID
	p.read("SELECT user_id FROM users WHERE email = 'new@example.com'", &invited)
	p.post(views.PathMembersResend, "id", invited.String())
	p.post(views.PathMembersRevoke, "id", invited.String())
	p.post(views.PathAttributes(viewer), "attributes", "region: EMEA")
	p.post(views.PathViewAs, "id", viewer)
	p.post(views.PathViewAs + "/stop")
	p.post(views.PathMembersRemove, "id", viewer)
	group := p.post(views.PathGroups, "name", "Buyers").header.Get("Location")
	p.post(group, "name", "Buyers", "member", editor)
	p.post(group+"/attributes", "attributes", "region: EMEA")
	p.post(group + "/delete")
	p.embedding()
	p.post(views.PathAPIKeys, "name", "Nightly", "role", "viewer", "days", "30")
	var key uuid.UUID
	p.read("SELECT key_id FROM api_keys", &key)
	p.post(views.PathAPIKeys+"/revoke", "id", key.String())
	p.post(views.PathAPIKeys+"/with-sso", "allowed", "on")
	p.post(views.PathRoles, "name", "Auditors", "permission", "audit.view")
	var role uuid.UUID
	p.read("SELECT role_id FROM custom_roles", &role)
	p.post(views.PathRole(role.String()), "name", "Readers", "permission", "audit.view")
	p.post(views.PathRole(role.String()) + "/delete")
	p.post(views.PathAuditVerify)
	p.post(views.PathAuditKeeping, "days", "100")
	p.post(views.PathAuditForward, "kind", "")
}

func (p *posted) embedding() {
	p.post(views.PathEmbedding+"/keys", "name", "Our application", "origins", "https://app.example.com", "days", "30")
	var key, link uuid.UUID
	p.read("SELECT key_id FROM embed_keys WHERE name = 'Our application'", &key)
	token, err := p.Embed.Mint(p.t.Context(), p.newKey(), embed.Request{Dashboards: []ids.Dashboard{p.board.ID}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.post(views.PathTokenRules, "token", token.Token)
	p.post(views.PathEmbedding+"/tokens/revoke", "token", token.ID.String())
	p.post(views.PathEmbedding+"/keys/revoke", "id", key.String())
	p.post(views.PathEmbedding+"/links/allow", "allowed", "on")
	p.post(views.PathEmbedding+"/links", "name", "For the board", "dashboard", p.board.ID.String(), "days", "7")
	p.read("SELECT link_id FROM public_links", &link)
	p.post(views.PathEmbedding+"/links/revoke", "id", link.String())
}

// newKey makes a key whose text is known.
func (p *posted) newKey() string {
	p.t.Helper()
	text, err := p.Embed.CreateKey(p.t.Context(), p.owner, embed.Key{Name: "Another"})
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// read reads one value as the owner of the database.
func (p *posted) read(query string, into any, args ...any) {
	p.t.Helper()
	conn, err := pgx.Connect(p.t.Context(), p.database)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(p.t.Context())) }()
	if err := conn.QueryRow(p.t.Context(), query, args...).Scan(into); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
}

func (p *posted) boards() {
	t, ctx, id := p.t, p.t.Context(), p.board.ID.String()
	p.post(p.path("/rename"), "name", "Trading")
	p.post(p.path("/move"), "folder", p.folder.ID.String())
	p.post(p.path("/tags"), "tags", "x")
	p.post(p.path("/duplicate"), "name", "Twin")
	p.post(p.path("/versions"), "name", "Kept")
	rev := func() (rev string) {
		p.read("SELECT rev::text FROM dashboards WHERE dashboard_id = $1", &rev, p.board.ID.UUID())
		return rev
	}
	p.json(p.path("/operations"), `{"rev":`+rev()+`,"operations":[{"op_id":"`+uuid.NewString()+`","path":"/widgets/sum/title","before":"Net sales","after":"Net"}]}`)
	p.post(p.path("/publish"), "note", "as agreed")
	p.json(p.path("/edit/act"), `{"rev":`+rev()+`,"change_id":"`+uuid.NewString()+`","act":{"kind":"add_widget","type":"kpi"}}`)
	p.json(p.path("/undo"), `{"rev":`+rev()+`,"change_id":"`+uuid.NewString()+`"}`)
	p.json(p.path("/redo"), `{"rev":`+rev()+`,"change_id":"`+uuid.NewString()+`"}`)
	p.json(p.path("/versions/1/restore"), `{"rev":`+rev()+`}`)
	file := p.b.get(p.path("/edit/file.yaml")).want(http.StatusOK).body
	p.json(p.path("/edit/file"), `{"text":`+quoted(strings.Replace(file, "By channel", "By way", 1))+`}`)
	p.post(p.path("/delete"))
	p.post("/dashboards/undo")
	p.post("/dashboards/redo")
	p.post(p.path("/restore"))
	p.post("/dashboards", "dataset", p.dataset.String(), "start", "blank")
	folder := "/folders/" + p.folder.ID.String()
	p.post("/folders", "name", "Another")
	p.post(folder+"/rename", "name", "Trading floor")
	p.post(folder+"/move", "folder", "")
	for _, object := range []string{views.PathDashboard(id), folder, views.PathDataset(p.dataset.String())} {
		p.post(object+"/share", "subject", "user:"+p.users["editor"].String(), "level", "edit")
		p.post(object+"/share/remove", "subject", "user:"+p.users["editor"].String())
		p.post(object+"/share/restrict", "restricted", "true")
		p.post(object+"/share/restrict", "restricted", "false")
	}
	p.post(folder + "/delete")
	p.post(p.path("/comments"), "text", "Why?")
	threads, err := p.Comments.List(ctx, p.owner, comments.Place{Dashboard: p.board.ID}, false)
	if err != nil || len(threads) != 1 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	thread, comment := p.path("/threads/"+threads[0].ID.String()), p.path("/comments/"+threads[0].Comments[0].ID.String())
	p.post(thread+"/replies", "text", "Because")
	p.post(thread+"/resolve", "on", "true")
	p.post(comment+"/edit", "text", "Why not?")
	p.post(comment + "/delete")
	p.post(comment + "/restore")
	p.post(p.path("/views"), "name", "Mine", "link", "f.channel=web")
	list, err := p.Dashboards.ListViews(ctx, p.owner, p.board.ID)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d views, %v", len(list), err)
	}
	view := p.path("/views/" + list[0].ID.String())
	p.post(view+"/default", "on", "true")
	p.post(view + "/delete")
	p.post(p.path("/template"), "name", "Template")
	var saved string
	p.read("SELECT template_id::text FROM dashboard_templates", &saved)
	p.post(views.PathTemplates+"/"+saved, "name", "From a template", "dataset", p.dataset.String())
	p.post(views.PathTemplates + "/" + saved + "/delete")
}

func (p *posted) data() {
	dataset := views.PathDataset(p.dataset.String())
	p.add(p.t, 120, 130)
	p.post(dataset + "/versions/1/restore")
	other, err := p.Datasets.Create(p.t.Context(), p.owner, newChannels)
	if err != nil {
		p.t.Fatal(err)
	}
	p.post(dataset+"/lookups", "name", "channels", "column", "channel", "target", other.String(), "key", "code")
	p.post(dataset+"/lookups/remove", "name", "channels")
	p.post(dataset+"/fields", "name", "twice", "expression", "[amount] * 2")
	p.post(dataset+"/fields/remove", "name", "twice")
	p.post(dataset+"/measures", "name", "Turnover", "fn", "sum", "column", "amount")
	p.post(dataset+"/measures/remove", "name", "Turnover")
	keys := []string{"by", "3", "keys", "1"}
	counted := p.b.post(dataset+"/rows/delete", keys...).want(http.StatusOK).shows("dialog", "1 row has")
	p.post(dataset+"/rows/delete", append(keys, "do", "delete", "seen", counted.page.Find("[name=seen]").AttrOr("value", ""))...)
	p.post(dataset+"/settings", "name", "Sales", "description", "All of them")
	p.post(dataset+"/columns/3", "name", "amount", "description", "in pence")
	p.post(dataset + "/columns/3/drop")
	p.post(views.PathDataset(other.String()) + "/delete")
	p.post(views.PathDataset(other.String()) + "/undelete")
	upload := p.noted("/uploads", p.b.send("/uploads", browserAccepts, "file", "shop.csv", "a,b\n1,2\n")).header.Get("Location")
	p.post(upload + "/remove")
}

func (p *posted) reportForms() {
	p.post(p.path("/reports"), "format", "csv")
	p.post("/reports", "dashboard", p.board.ID.String(), "format", "csv")
	p.post(views.PathDataset(p.dataset.String())+"/reports", "format", "parquet")
	fields := []string{"dashboard", p.board.ID.String(), "name", "Weekly", "when", "weekdays at 8:00", "zone", "Europe/London", "format", "CSV",
		"user", p.users["owner"].String(), "link_above", "1000000"}
	schedule := p.post(views.PathSchedules, fields...).header.Get("Location")
	p.post(schedule, fields...)
	for _, act := range []string{"pause", "resume", "delete"} {
		p.post(schedule + "/" + act)
	}
}

func (p *posted) account() {
	p.post(views.PathAccountProfile, "name", "Olive")
	p.post(views.PathAccountFormats, "zone", "Europe/Paris", "locale", "fr-FR")
	p.post(views.PathAccountDisplay, "theme", "dark", "shortcuts", "on")
	p.post(views.PathTheme, "theme", "light", "next", "/")
	p.post(views.PathAccountSessions)
	p.post(views.PathAccountPassword, "current", goodPassword, "password", "another horse battery")
	p.post(views.PathForgot, "email", "admin@example.com")
	p.post(views.PathSignOut)
	p.b = p.browser(p.t)
	p.post(views.PathSignIn, "email", "both@example.com", "password", goodPassword)
	p.post(views.PathSwitch, "workspace", p.two.ID.String(), "next", "/")
}

func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(text) + `"`
}

var newChannels = datasets.NewDataset{Name: "Channels", Columns: []datasets.NewColumn{{Name: "code", Type: warehouse.Text}, {Name: "name", Type: warehouse.Text}}}

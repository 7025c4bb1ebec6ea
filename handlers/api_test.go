package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/embed"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/views"
)

// key makes a key of workspace One.
func (s *boardSite) key(t testing.TB, role access.Role, attributes tenants.Attributes) string {
	t.Helper()
	owner := access.Actor{Kind: access.Person, TenantID: s.one.ID, UserID: s.users["owner"], Role: access.Owner}
	text, err := s.Auth.CreateAPIKey(t.Context(), owner, auth.NewAPIKey{Name: "Nightly export", Role: role, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// program asks with a key, and answers the status and the text.
func (s *boardSite) program(t testing.TB, method, path, key, body string, headers ...string) (int, string) {
	t.Helper()
	b := s.browser(t)
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for n := 0; n < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	got := b.do(r)
	return got.status, got.body
}

// TestAProgramSeesWhatItsKeyMay asks every route under rules on rows: of somebody
// else's region nothing comes, whatever is asked.
func TestAProgramSeesWhatItsKeyMay(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t)
	north := s.key(t, access.Viewer, tenants.Attributes{"region": {"Northmark"}})
	none := s.key(t, access.Editor, nil)
	all := s.key(t, access.Admin, nil)
	count := `{"dataset": "` + s.sales.String() + `", "measures": [{"fn": "count", "as": "n"}], "dimensions": [{"column": "region"}]}`
	for name, tc := range map[string]struct {
		key          string
		north, south bool
	}{"of one region": {north, true, false}, "without an attribute": {none, false, false}, "an admin's": {all, true, true}} {
		status, text := s.program(t, http.MethodPost, "/api/v1/query", tc.key, count)
		if status != http.StatusOK || strings.Contains(text, "Northmark") != tc.north || strings.Contains(text, "Southmark") != tc.south {
			t.Errorf("%s: got %d: %s", name, status, text)
		}
		status, text = s.program(t, http.MethodGet, "/api/v1/dashboards/"+s.id.String()+"/widgets/table", tc.key, "")
		if status != http.StatusOK || strings.Contains(text, "Northmark") != tc.north || strings.Contains(text, "Southmark") != tc.south {
			t.Errorf("%s: the rows of a widget: got %d: %s", name, status, text)
		}
	}
	for path, want := range map[string]string{"/api/v1/datasets": `"name":"` + "", "/api/v1/datasets/" + s.sales.String(): `"name":"region"`,
		"/api/v1/dashboards": s.id.String(), "/api/v1/dashboards/" + s.id.String(): "widgets:"} {
		if status, text := s.program(t, http.MethodGet, path, north, ""); status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: got %d: %s", path, status, text)
		}
	}
	s.flush(t)
	page, err := s.Audit.List(t.Context(), access.Actor{Kind: access.Console, TenantID: s.one.ID}, audit.Query{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, l := range page.Lines {
		if l.Kind == access.Key && l.What.Detail["key"] == "Nightly export" {
			seen[l.Action]++
		}
	}
	for _, action := range []string{"datasets.queried", "dashboard.downloaded", "dashboard.file_downloaded"} {
		if seen[action] == 0 {
			t.Errorf("%s is not in the audit log with the key: %v", action, seen)
		}
	}

	// What no key opens, and what a key does not open.
	owner := s.as(t, "owner")
	for name, tc := range map[string]struct {
		method, path, key, body string
		headers                 []string
		want                    string
		status                  int
	}{
		"nobody":             {http.MethodGet, "/api/v1/datasets", "", "", nil, "auth.key_refused", 401},
		"no key":             {http.MethodGet, "/api/v1/datasets", "api_key_x", "", nil, "auth.key_refused", 401},
		"an embed key":       {http.MethodGet, "/api/v1/datasets", "embed_key_x", "", nil, "auth.key_refused", 401},
		"a page":             {http.MethodGet, views.PathDatasets, north, "", []string{"Accept", "application/json"}, "", 401},
		"a form":             {http.MethodPost, views.PathMembersInvite, all, "email=x@x.example&role=admin", []string{"Content-Type", formType, "Accept", "application/json"}, "", 401},
		"another site":       {http.MethodPost, "/api/v1/query", north, count, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, "http.cross_origin", 403},
		"no spec":            {http.MethodPost, "/api/v1/query", north, "{", nil, "query.", 422},
		"no dataset":         {http.MethodGet, "/api/v1/datasets/" + ids.New[ids.Dataset]().String(), north, "", nil, "datasets.not_found", 404},
		"no address":         {http.MethodGet, "/api/v1/members", all, "", nil, "http.", 404},
		"minting with a key": {http.MethodPost, views.PathEmbedToken, all, "{}", nil, "embed.key_refused", 401},
	} {
		if status, text := s.program(t, tc.method, tc.path, tc.key, tc.body, tc.headers...); status != tc.status || !strings.Contains(text, tc.want) {
			t.Errorf("%s: got %d: %.200s; want %d %s", name, status, text, tc.status, tc.want)
		}
	}
	// A person's cookie is none here, not even an owner's.
	if got := owner.get("/api/v1/datasets"); got.status != http.StatusUnauthorized {
		t.Errorf("a cookie opens the API: %d", got.status)
	}
}

// TestAPIKeysInTheBrowser makes a key as an admin does, and ends it.
func TestAPIKeysInTheBrowser(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	for role, want := range map[string]int{"owner": 200, "admin": 200, "editor": 403, "viewer": 403} {
		if got := s.as(t, role).get(views.PathAPIKeys).status; got != want {
			t.Errorf("%s: got %d, want %d", role, got, want)
		}
	}
	admin := s.as(t, "admin")
	admin.get(views.PathAPIKeys).shows("#keys", "No key yet").lacks("#key-role option[value=owner]")
	admin.post(views.PathAPIKeys, "name", "", "role", "owner", "attributes", "nonsense", "days", "30").want(http.StatusUnprocessableEntity).shows(".field-error", "name")
	made := admin.post(views.PathAPIKeys, "name", "Nightly", "role", "viewer", "attributes", "region: EMEA", "days", "30").want(http.StatusOK)
	key := made.page.Find("#new-key-text").AttrOr("value", "")
	if !strings.HasPrefix(key, auth.APIKeyPrefix) {
		t.Fatalf("the key is %q", key)
	}
	page := admin.get(views.PathAPIKeys).shows("#keys", "Nightly").shows("#keys", "region: EMEA").shows("#keys", "Not yet")
	if strings.Contains(page.body, key) {
		t.Error("the key is shown again")
	}
	if status, text := s.program(t, http.MethodGet, "/api/v1/datasets", key, ""); status != http.StatusOK {
		t.Errorf("got %d: %s", status, text)
	}
	admin.get(views.PathAPIKeys).lacks("#keys .muted:contains('Not yet')")
	id := page.page.Find("input[name=id]").AttrOr("value", "")
	s.as(t, "editor").post(views.PathAPIKeys+"/revoke", "id", id).want(http.StatusForbidden)
	admin.post(views.PathAPIKeys+"/revoke", "id", id).leadsTo(views.PathAPIKeys)
	admin.get(views.PathAPIKeys).shows("#keys", "Revoked")
	if status, _ := s.program(t, http.MethodGet, "/api/v1/datasets", key, ""); status != http.StatusUnauthorized {
		t.Errorf("a revoked key: got %d", status)
	}
}

var (
	documented = regexp.MustCompile(`(?m)^### (GET|POST|PUT|PATCH|DELETE) (/\S+)$`)
	examples   = regexp.MustCompile("(?s)```sh\n(curl .*?)```")
)

// TestEveryRouteOfTheAPIIsDocumented compares docs/api.md with the routes there are,
// and runs its examples as they stand.
func TestEveryRouteOfTheAPIIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newBoardSite(t)
	var routes, told []string
	err = chi.Walk(s.routes, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if strings.HasPrefix(route, "/api/") {
			routes = append(routes, method+" "+strings.TrimSuffix(route, "/"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range documented.FindAllStringSubmatch(string(text), -1) {
		told = append(told, found[1]+" "+found[2])
	}
	slices.Sort(routes)
	slices.Sort(told)
	if !slices.Equal(routes, told) {
		t.Errorf("the routes are\n%s\ndocs/api.md describes\n%s", strings.Join(routes, "\n"), strings.Join(told, "\n"))
	}

	owner := access.Actor{Kind: access.Person, TenantID: s.one.ID, UserID: s.users["owner"], Role: access.Owner}
	minting, err := s.Embed.CreateKey(t.Context(), owner, embed.Key{Name: "Application"})
	if err != nil {
		t.Fatal(err)
	}
	minted, err := s.Embed.Mint(t.Context(), minting, embed.Request{Dashboards: []ids.Dashboard{s.board.ID}})
	if err != nil {
		t.Fatal(err)
	}
	environment := append(os.Environ(), "SITE="+s.url, "API_KEY="+s.key(t, access.Viewer, nil), "EMBED_KEY="+minting, "TOKEN_ID="+minted.ID.String(),
		"DATASET="+s.dataset.String(), "DASHBOARD="+s.board.ID.String(), "WIDGET=sum")
	list := examples.FindAllStringSubmatch(string(text), -1)
	if len(list) != len(routes) {
		t.Errorf("there are %d examples of %d routes", len(list), len(routes))
	}
	for _, one := range list {
		ctx, cancel := context.WithCancel(t.Context())
		command := exec.CommandContext(ctx, "sh", "-ec", strings.Replace(one[1], "curl ", "curl -sS --fail-with-body ", 1))
		command.Env = environment
		out, err := command.CombinedOutput()
		cancel()
		if err != nil {
			t.Errorf("%s\n%v: %s", one[1], err, out)
		}
		if strings.HasPrefix(string(out), "{") && !json.Valid(out) {
			t.Errorf("%s\nanswers no JSON: %s", one[1], out)
		}
	}
}

package handlers

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/embed"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/views"
)

const hostSite = "https://app.example.com"

// embeddedSite is a site with data of two regions, and a key for it.
type embeddedSite struct {
	*ruledSite
	key string
}

func newEmbeddedSite(t testing.TB, change ...func(*boardSite)) *embeddedSite {
	t.Helper()
	s := &embeddedSite{ruledSite: newRuledSite(t, change...)}
	s.key = s.newKey(t, s.as(t, "admin"), "origins", hostSite+"\nhttp://localhost:4000")
	return s
}

// newKey makes a key through the settings.
func (s *embeddedSite) newKey(t testing.TB, b *browser, fields ...string) string {
	t.Helper()
	page := b.post(views.PathEmbedding+"/keys", append([]string{"name", "Our application", "days", "30"}, fields...)...).want(http.StatusOK)
	key := page.page.Find("#new-key-text").AttrOr("value", "")
	if !strings.HasPrefix(key, embed.KeyPrefix) || page.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("the page shows the key %q, and may be kept: %s", key, page.header.Get("Cache-Control"))
	}
	return key
}

// api sends JSON as a program does.
func (s *embeddedSite) api(t testing.TB, path, key string, body any) answer {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return s.browser(t).do(r)
}

type minted struct {
	Token   string    `json:"token"`
	TokenID string    `json:"token_id"`
	Until   time.Time `json:"expires_at"`
}

func (s *embeddedSite) mint(t testing.TB, more map[string]any) minted {
	t.Helper()
	body := map[string]any{"dashboards": []string{s.id.String()}, "attributes": map[string]any{"region": "Southmark"}, "subject": "customer 4711"}
	for name, value := range more {
		body[name] = value
	}
	got := s.api(t, views.PathEmbedToken, s.key, body).want(http.StatusCreated)
	var m minted
	if err := json.Unmarshal([]byte(got.body), &m); err != nil || m.Token == "" {
		t.Fatal(got.body, err)
	}
	return m
}

// frame is the page that a form of another site gets.
func (s *embeddedSite) frame(t testing.TB, token string, fields ...string) answer {
	t.Helper()
	return s.browser(t).request(http.MethodPost, views.PathEmbed, map[string]string{"Origin": hostSite, "Sec-Fetch-Site": "cross-site"}, append([]string{"token", token}, fields...)...)
}

// asked is what the script of the page asks for.
func (s *embeddedSite) asked(t testing.TB, token, path string) answer {
	t.Helper()
	return s.browser(t).request(http.MethodGet, path, map[string]string{"Authorization": "Bearer " + token, "HX-Request": "true", "HX-Request-Type": "partial"})
}

func (s *embeddedSite) board(rest string) string { return views.PathDashboard(s.id.String()) + rest }

func (a answer) lacksAll(what string, texts ...string) {
	a.t.Helper()
	var head strings.Builder
	_ = a.header.Write(&head)
	for _, text := range texts {
		if strings.Contains(strings.ToLower(a.body+head.String()), strings.ToLower(text)) {
			a.t.Errorf("%s has %q", what, text)
		}
	}
}

func (a answer) refuses(code string) answer {
	a.t.Helper()
	if a.status < 400 || a.status >= 500 || !strings.Contains(a.body, code) {
		a.t.Errorf("got %d, want a refusal with %s: %s", a.status, code, a.body[:min(len(a.body), 400)])
	}
	return a
}

func TestKeysMintAndNothingElse(t *testing.T) {
	t.Parallel()
	s := newEmbeddedSite(t)
	admin := s.as(t, "admin")
	page := admin.get(views.PathEmbedding).want(http.StatusOK)
	page.shows("#keys", "Our application")
	page.shows("#keys", hostSite)
	page.lacksAll("the list", s.key)
	for _, who := range []string{"editor", "viewer"} {
		s.as(t, who).get(views.PathEmbedding).want(http.StatusForbidden)
		s.as(t, who).post(views.PathEmbedding+"/keys", "name", "Mine").want(http.StatusForbidden)
	}
	for name, field := range map[string][2]string{"no name": {"name", ""}, "a path": {"origins", "https://app.example.com/path"}, "plain http": {"origins", "http://app.example.com"},
		"a wildcard": {"origins", "https://*.example.com"}, "a policy": {"origins", "https://x.example;script-src *"}} {
		if got := admin.post(views.PathEmbedding+"/keys", append([]string{"name", "Bad"}, field[0], field[1])...); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	// It opens no page, and no data.
	for _, path := range []string{s.board(""), s.board("/widgets/bars/data.csv"), views.PathEmbedding, "/"} {
		s.asked(t, s.key, path).want(http.StatusUnauthorized)
	}
	s.frame(t, s.key).refuses("embed.token_refused")
	s.api(t, views.PathEmbedToken, "", map[string]any{"dashboards": []string{s.id.String()}}).want(http.StatusUnauthorized).refuses("embed.key_refused")
	changed := []byte(s.key)
	changed[len(changed)-3] ^= 1
	s.api(t, views.PathEmbedToken, string(changed), map[string]any{"dashboards": []string{s.id.String()}}).refuses("embed.key_refused")
	for name, body := range map[string]any{"nothing": map[string]any{}, "unknown fields": map[string]any{"dashboards": []string{s.id.String()}, "role": "owner"}, "a list": []string{},
		"no id":         map[string]any{"dashboards": []string{"x"}},
		"for ever":      map[string]any{"dashboards": []string{s.id.String()}, "seconds": 360000},
		"already over":  map[string]any{"dashboards": []string{s.id.String()}, "seconds": -1},
		"no values":     map[string]any{"dashboards": []string{s.id.String()}, "filters": map[string]any{"region": []string{}}},
		"a zone":        map[string]any{"dashboards": []string{s.id.String()}, "zone": "../etc/passwd"},
		"too much text": map[string]any{"dashboards": []string{s.id.String()}, "subject": strings.Repeat("x", 500)},
	} {
		if got := s.api(t, views.PathEmbedToken, s.key, body); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "embed.request") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	s.api(t, views.PathEmbedToken, s.key, map[string]any{"dashboards": []string{s.id.String()}, "filters": map[string]any{"nothing": "x"}}).refuses("embed.filter_unknown")
	s.api(t, views.PathEmbedToken, s.key, map[string]any{"dashboards": []string{ids.New[ids.Dashboard]().String()}}).refuses("embed.dashboard_not_found")

	// A key for some dashboards is for no others, nor for those of others.
	narrow := s.newKey(t, admin, "origins", hostSite, "dashboard", s.boardSite.board.ID.String())
	s.api(t, views.PathEmbedToken, narrow, map[string]any{"dashboards": []string{s.id.String()}}).refuses("embed.dashboard_not_found")
	foreign := s.newKey(t, s.as(t, "foreign"), "origins", hostSite)
	s.api(t, views.PathEmbedToken, foreign, map[string]any{"dashboards": []string{s.id.String()}}).refuses("embed.dashboard_not_found")
	s.as(t, "foreign").post(views.PathEmbedding+"/keys", "name", "Theirs", "days", "30", "dashboard", s.id.String()).want(http.StatusNotFound)

	// Revoked, neither it nor what it minted opens anything.
	m := s.mint(t, nil)
	s.frame(t, m.Token).want(http.StatusOK)
	list, err := s.Embed.ListKeys(t.Context(), s.owner())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range list {
		s.as(t, "foreign").post(views.PathEmbedding+"/keys/revoke", "id", k.ID.String()).want(http.StatusNotFound)
		admin.post(views.PathEmbedding+"/keys/revoke", "id", k.ID.String()).leadsTo(views.PathEmbedding)
		admin.post(views.PathEmbedding+"/keys/revoke", "id", k.ID.String()).want(http.StatusNotFound)
	}
	s.frame(t, m.Token).refuses("embed.token_refused")
	s.asked(t, m.Token, s.board("/widgets/bars")).want(http.StatusUnauthorized)
	s.api(t, views.PathEmbedToken, s.key, map[string]any{"dashboards": []string{s.id.String()}}).refuses("embed.key_refused")
	s.recorded(t, "embed.key_created", "embed.key_revoked", "embed.token_minted", "embed.opened", "embed.key_refused", "embed.refused")
}

// recorded wants entries of the actions in the audit log.
func (s *boardSite) recorded(t testing.TB, actions ...string) {
	t.Helper()
	if err := s.Audit.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := s.Audit.List(t.Context(), access.Actor{Kind: access.Console, TenantID: s.one.ID}, audit.Query{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, l := range page.Lines {
		seen[l.Action] = true
	}
	for _, action := range actions {
		if !seen[action] {
			t.Errorf("the audit log has no entry of %s", action)
		}
	}
}

// The page in a frame shows the rows of its token and has nothing of the product,
// whoever is signed in to it in the same browser.
func TestEmbeddedDashboardShowsItsRows(t *testing.T) {
	t.Parallel()
	s := newEmbeddedSite(t)
	m := s.mint(t, map[string]any{"downloads": true})
	if left := time.Until(m.Until); left < 9*time.Minute || left > 10*time.Minute {
		t.Errorf("it lasts %s", left)
	}
	page := s.frame(t, m.Token, "theme", "dark").want(http.StatusOK)
	page.shows("h1", "Ground board")
	page.shows("#dash", "Southmark")
	page.lacksAll("the page", append([]string{"dataflow", "x-frame-options", "set-cookie"}, northern...)...)
	policy := page.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "frame-ancestors "+hostSite+" http://localhost:4000") || !strings.Contains(policy, "style-src 'self';") || page.header.Get("Cache-Control") != "no-store" {
		t.Errorf("policy %q, kept %q", policy, page.header.Get("Cache-Control"))
	}
	if page.page.Find("html").AttrOr("data-theme", "") != "dark" {
		t.Error("the theme is another")
	}
	for _, selector := range []string{"[data-key-edit]", "[data-comments]", "a[href*='/explain']", "#sidebar", "a[href*='/share']", ".portal-head", "form[action='/signin']"} {
		page.lacks(selector)
	}
	var data struct {
		Token   string
		Origins []string
	}
	if err := json.Unmarshal([]byte(page.page.Find("#df-embed").Text()), &data); err != nil || data.Token != m.Token || len(data.Origins) != 2 {
		t.Errorf("the script is given %+v, %v", data, err)
	}
	if strings.Contains(page.page.Find("a[href*='embed_token_']").Text(), "x") || strings.Contains(page.header.Get("Location"), m.Token) {
		t.Error("the token is in an address")
	}
	for _, part := range []string{"", "/widgets/sum", "/widgets/bars", "/widgets/bars/table", "/widgets/table/table", "/widgets/place/table", "/filters/region/values?q=", "/filters/city/values?q=N",
		"/filters/city", "/widgets/bars/data.csv", "/widgets/table/data.csv", "/widgets/line/data.csv?bom=1", "/widgets/max"} {
		got := s.asked(t, m.Token, s.board(part)).want(http.StatusOK)
		got.lacksAll(part, append([]string{"dataflow", "set-cookie"}, northern...)...)
	}
	for _, part := range []string{"/widgets/bars/explain", "/widgets/bars/rows", "/widgets/bars/actions", "/widgets/bars/query", "/widgets/bars/rows.csv", "/edit", "/share", "/comments", "/file.yaml"} {
		s.asked(t, m.Token, s.board(part)).want(http.StatusNotFound)
	}
	// Choices stay within the frame.
	changed := s.asked(t, m.Token, s.board("?f.region=Southmark"))
	if got := changed.header.Get("HX-Replace-Url"); got != "/embed?f.region=Southmark" || changed.header.Get("HX-Push-Url") != "" {
		t.Errorf("the address becomes %q, %q", got, changed.header.Get("HX-Push-Url"))
	}
	// Without leave, no file is offered or had.
	tight := s.mint(t, nil).Token
	s.asked(t, tight, s.board("/widgets/bars/data.csv")).want(http.StatusNotFound)
	s.frame(t, tight).lacks("a[href*='data.csv']")
	// Cookies of a member change nothing.
	owner := s.as(t, "owner")
	both := map[string]string{"Authorization": "Bearer " + m.Token}
	owner.request(http.MethodGet, s.board("/widgets/bars/table"), both).want(http.StatusOK).lacksAll("a member's request with a token", northern...)
	owner.request(http.MethodGet, s.board("/edit"), both).want(http.StatusNotFound)
	owner.request(http.MethodPost, views.PathEmbed, map[string]string{"Origin": hostSite, "Sec-Fetch-Site": "cross-site"}, "token", m.Token).want(http.StatusOK).lacksAll("a member's frame", northern...)
	// Other dashboards of the workspace are not there.
	s.asked(t, m.Token, views.PathDashboard(s.boardSite.board.ID.String())).want(http.StatusNotFound)
	s.frame(t, m.Token, "dashboard", s.boardSite.board.ID.String()).refuses("embed.dashboard_not_found")
	s.recorded(t, "dashboard.downloaded", "access.not_found")
}

// Who lacks the attribute of a rule sees no row.
func TestEmbeddedWithoutAttributesShowsNoRow(t *testing.T) {
	t.Parallel()
	s := newEmbeddedSite(t)
	m := s.mint(t, map[string]any{"attributes": map[string]any{}})
	s.frame(t, m.Token).want(http.StatusOK).lacksAll("the page", append([]string{"Southmark"}, northern...)...)
	s.asked(t, m.Token, s.board("/widgets/bars/table")).lacksAll("the table", append([]string{"Southmark"}, northern...)...)
}

// A locked filter holds in every path, whatever is asked, and is offered nowhere.
func TestLockedFiltersHold(t *testing.T) {
	t.Parallel()
	s := newEmbeddedSite(t)
	for name, filters := range map[string]map[string]any{"a column": {"region": "Southmark"}, "of a lookup": {"place.city": []string{"Suedheim"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The attributes alone would show both.
			m := s.mint(t, map[string]any{"filters": filters, "downloads": true, "attributes": map[string]any{"region": []string{"Southmark", "Northmark"}}})
			page := s.frame(t, m.Token).want(http.StatusOK)
			page.shows("#dash", "Southmark")
			page.lacksAll("the page", "770001", "770,001", "15,400,", "15.4M")
			id := map[string]string{"a column": "region", "of a lookup": "city"}[name]
			page.lacks("df-filter[name='f." + id + "']")
			attacks := []string{"f.region=Northmark", "f.region=", "f.region=Northmark,Southmark", "f.city=Nordheim", "f.place.city=Nordheim", "f.code=n", "x.bars=Northmark", "x.mix=Northmark",
				"t.region=North", "d=all&f.region=~0", "l.bars=Northmark", "e=bars,mix,table"}
			for _, query := range attacks {
				for _, part := range []string{"", "/widgets/sum", "/widgets/bars", "/widgets/bars/table", "/widgets/table/table", "/widgets/place", "/widgets/table/data.csv", "/widgets/bars/data.csv"} {
					got := s.asked(t, m.Token, s.board(part+"?"+query))
					// What was asked for may be said back, as a choice; rows may not.
					got.lacksAll(part+"?"+query, "770001", "770,001", "15,400,", "15.4M")
					if got.status >= http.StatusInternalServerError {
						t.Errorf("%s?%s: %d", part, query, got.status)
					}
				}
				got := s.frame(t, m.Token, "state", query)
				got.lacksAll("the page under "+query, "770001", "770,001", "15,400,", "15.4M")
			}
			// A row of the south looks up a place of the north, and is one of the south.
			others := map[string][]string{"a column": {"region"}, "of a lookup": {"region", "city", "place.city", "place.area"}}[name]
			for _, filter := range others {
				for _, q := range []string{"", "Nor"} {
					s.asked(t, m.Token, s.board("/filters/"+filter+"/values?q="+q)).lacksAll("values of "+filter, "Northmark", "Nordheim")
				}
			}
			s.frame(t, m.Token, "filters", `{"region": ["Northmark"], "amount": "770001~"}`).lacksAll("the page under other filters", "770,001", "15.4M")
		})
	}
	// A value that is none of the column's leaves no row.
	m := s.mint(t, map[string]any{"filters": map[string]any{"amount": "nothing"}, "attributes": map[string]any{"region": []string{"Southmark", "Northmark"}}})
	s.asked(t, m.Token, s.board("/widgets/bars/table")).lacksAll("no value", "Southmark", "Northmark")
}

func TestEmbeddedFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	s := newEmbeddedSite(t)
	m := s.mint(t, nil)
	got := s.browser(t).request(http.MethodPost, views.PathEmbed, map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, "token", m.Token)
	got.want(http.StatusForbidden).refuses("embed.origin")
	if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || got.header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("it can be framed: %s", policy)
	}
	// Where a browser says nothing of where it comes from, the frame does.
	for _, origin := range []string{"", "null"} {
		s.browser(t).request(http.MethodPost, views.PathEmbed, map[string]string{"Origin": origin, "Sec-Fetch-Site": "cross-site"}, "token", m.Token).want(http.StatusOK)
	}
	// Without sites, nothing can be framed.
	closed := s.newKey(t, s.as(t, "admin"))
	var none minted
	if err := json.Unmarshal([]byte(s.api(t, views.PathEmbedToken, closed, map[string]any{"dashboards": []string{s.id.String()}}).want(http.StatusCreated).body), &none); err != nil {
		t.Fatal(err)
	}
	s.frame(t, none.Token).want(http.StatusForbidden)
	// No other form may come from elsewhere.
	s.browser(t).request(http.MethodPost, views.PathSignIn, map[string]string{"Origin": hostSite, "Sec-Fetch-Site": "cross-site"}).want(http.StatusForbidden)
	s.recorded(t, "access.denied")
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := newEmbeddedSite(t, func(s *boardSite) {
		s.Embed = embed.NewService(embed.Deps{DB: s.pool, Tenants: s.Tenants, Datasets: s.Datasets, Passwords: s.Auth, Notes: s.Audit, Now: func() time.Time { return now }})
	})
	good := s.mint(t, nil)
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(good.Token, embed.TokenPrefix))
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func([]byte) []byte) string {
		return embed.TokenPrefix + base64.RawURLEncoding.EncodeToString(change(append([]byte{}, raw...)))
	}
	claims := fmt.Sprintf(`{"id":"%s","dashboards":["%s"],"until":"2099-01-01T00:00:00Z","attributes":{"region":["Northmark"]}}`, ids.New[ids.Embed](), s.id)
	jwt := func(header, signature string) string {
		enc := base64.RawURLEncoding.EncodeToString
		return enc([]byte(header)) + "." + enc([]byte(claims)) + "." + enc([]byte(signature))
	}
	two, other := s.two.ID.UUID(), ids.New[ids.Tenant]().UUID()
	for name, token := range map[string]string{
		"nothing":               "",
		"no token":              embed.TokenPrefix,
		"plain claims":          embed.TokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(claims)),
		"claims of a workspace": with(func(b []byte) []byte { return append(b[:16], claims...) }),
		"alg none":              jwt(`{"alg":"none","typ":"JWT"}`, ""),
		"alg none, prefixed":    embed.TokenPrefix + jwt(`{"alg":"none","typ":"JWT"}`, ""),
		"another algorithm":     embed.TokenPrefix + jwt(`{"alg":"HS256","typ":"JWT"}`, s.key),
		"a changed byte":        with(func(b []byte) []byte { b[len(b)-20] ^= 1; return b }),
		"a changed tag":         with(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }),
		"cut off":               with(func(b []byte) []byte { return b[:len(b)-8] }),
		"more at the end":       with(func(b []byte) []byte { return append(b, 0) }),
		"another workspace":     with(func(b []byte) []byte { copy(b, two[:]); return b }),
		"an unknown workspace":  with(func(b []byte) []byte { copy(b, other[:]); return b }),
		"other base64":          strings.Replace(good.Token, "_", "/", 2),
		"padding":               good.Token + "=",
		"the key":               s.key,
		"a session":             s.as(t, "owner").token(),
	} {
		s.frame(t, token).want(http.StatusUnauthorized).refuses("embed.token_refused").lacks("#dash")
		if got := s.asked(t, token, s.board("/widgets/bars/table")); got.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	s.recorded(t, "embed.refused")
	// The purpose is part of what is encrypted.
	box, err := s.Tenants.Box(t.Context(), s.one.ID)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := box.Encrypt("something.else", []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	s.frame(t, with(func(b []byte) []byte { return append(b[:16], sealed...) })).refuses("embed.token_refused")

	// Revoked by its id, by the program or by an admin.
	s.frame(t, good.Token).want(http.StatusOK)
	s.api(t, views.PathEmbedRevoke, s.key, map[string]any{"token_id": "x"}).refuses("embed.token_id")
	s.api(t, views.PathEmbedRevoke, "embed_key_x", map[string]any{"token_id": good.TokenID}).refuses("embed.key_refused")
	s.api(t, views.PathEmbedRevoke, s.key, map[string]any{"token_id": good.TokenID}).want(http.StatusNoContent)
	s.frame(t, good.Token).refuses("embed.token_refused")
	second := s.mint(t, nil)
	s.as(t, "foreign").post(views.PathEmbedding+"/tokens/revoke", "token", second.TokenID)
	s.frame(t, second.Token).want(http.StatusOK)
	s.as(t, "admin").post(views.PathEmbedding+"/tokens/revoke", "token", "nonsense").want(http.StatusUnprocessableEntity)
	s.as(t, "admin").post(views.PathEmbedding+"/tokens/revoke", "token", second.TokenID).leadsTo(views.PathEmbedding)
	s.frame(t, second.Token).refuses("embed.token_refused")

	// Expired; the site around it hears of that.
	third := s.mint(t, map[string]any{"seconds": 60})
	now = now.Add(59 * time.Second)
	s.asked(t, third.Token, s.board("/widgets/bars")).want(http.StatusOK)
	now = now.Add(time.Second)
	s.asked(t, third.Token, s.board("/widgets/bars")).want(http.StatusUnauthorized).refuses("embed.token_expired")
	got := s.frame(t, third.Token).want(http.StatusUnauthorized)
	got.shows("[data-embed-code='embed.token_expired']", "")
	if !strings.Contains(got.header.Get("Content-Security-Policy"), hostSite) {
		t.Error("the site around it can't be told")
	}

	// Of a dashboard that was deleted, or unseated from its token's key.
	fourth := s.mint(t, nil)
	if err := s.Dashboards.Delete(t.Context(), s.owner(), s.id); err != nil {
		t.Fatal(err)
	}
	s.frame(t, fourth.Token).want(http.StatusNotFound).refuses("embed.dashboard_not_found")
	s.asked(t, fourth.Token, s.board("/widgets/bars/table")).want(http.StatusNotFound)
	s.recorded(t, "embed.refused", "embed.token_revoked")
}

// Each route of an embedded page, asked with a token for objects that are not its
// own, has nothing of them.
func TestEmbeddedRoutesAreClosedToOtherWorkspaces(t *testing.T) {
	t.Parallel()
	s := newEmbeddedSite(t)
	c, err := newCore(s.Deps)
	if err != nil {
		t.Fatal(err)
	}
	// A dashboard of the other workspace, and a token for it.
	foreign := access.Actor{Kind: access.Person, TenantID: s.two.ID, UserID: s.users["foreign"], Role: access.Owner}
	created, err := s.Dashboards.Create(t.Context(), foreign, dashboards.NewDashboard{Name: "Theirs", Config: dashboards.Config{Widgets: map[string]dashboards.Widget{}}})
	if err != nil {
		t.Fatal(err)
	}
	key := s.newKey(t, s.as(t, "foreign"), "origins", hostSite)
	var theirs minted
	if err := json.Unmarshal([]byte(s.api(t, views.PathEmbedToken, key, map[string]any{"dashboards": []string{created.ID.String()}, "downloads": true,
		"attributes": map[string]any{"region": []string{"Northmark", "Southmark"}}}).want(http.StatusCreated).body), &theirs); err != nil {
		t.Fatal(err)
	}
	s.frame(t, theirs.Token).want(http.StatusOK)
	n := 0
	err = chi.Walk(embedPages{c, boards{c}}.visitorRouter(), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		n++
		path := strings.NewReplacer("{id}", s.id.String(), "{widget}", "bars", "{filter}", "region").Replace(route)
		if strings.Contains(path, "{") || method != http.MethodGet {
			t.Errorf("%s %s is not covered", method, route)
		}
		for name, token := range map[string]string{"theirs": theirs.Token, "nobody's": embed.TokenPrefix + "x"} {
			got := s.asked(t, token, path)
			if got.status != http.StatusNotFound && got.status != http.StatusUnauthorized {
				t.Errorf("%s with %s token: %d", route, name, got.status)
			}
			got.lacksAll(route, append([]string{"Southmark", "Ground board"}, northern...)...)
		}
		return nil
	})
	if err != nil || n < 6 {
		t.Errorf("%d routes were asked (%v)", n, err)
	}
}

// The stream of an embedded page tells of changes, and ends with its token.
func TestEmbeddedPageIsLive(t *testing.T) {
	t.Parallel()
	s := newEmbeddedSite(t, func(s *boardSite) { s.StreamEvery = 20 * time.Millisecond })
	m := s.mint(t, nil)
	b := s.browser(t)
	b.client.Transport = withHeader{"Authorization", "Bearer " + m.Token}
	stream := readEvents(t, b, s.board("/events"))
	if e := next(t, stream); e[0] != "versions" {
		t.Fatalf("got %v", e)
	}
	// It goes on: who looks is asked again each time.
	for range 3 {
		if e := next(t, stream); e[0] != "versions" {
			t.Fatalf("got %v", e)
		}
	}
	s.api(t, views.PathEmbedRevoke, s.key, map[string]any{"token_id": m.TokenID}).want(http.StatusNoContent)
	for e := next(t, stream); e[0] != "end"; e = next(t, stream) {
		if e[0] != "versions" {
			t.Fatalf("got %v", e)
		}
	}
}

type withHeader struct{ name, value string }

func (h withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(h.name, h.value)
	return http.DefaultTransport.RoundTrip(r)
}

func TestComponentIsForOtherSites(t *testing.T) {
	t.Parallel()
	s := newEmbeddedSite(t)
	b := s.browser(t)
	got := b.request(http.MethodGet, views.PathEmbedScript, map[string]string{"Origin": hostSite})
	if got.header.Get("Cross-Origin-Resource-Policy") != "cross-origin" || got.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("got %v", got.header)
	}
	got.lacksAll("the component", "dataflow")
	// A frame that was loaded anew by itself has no token, and says so to whoever has it.
	again := b.get(views.PathEmbed + "?f.region=x").want(http.StatusOK)
	again.shows("[data-embed-again]", "")
	again.lacksAll("the frame", "dataflow")
	if strings.Contains(again.header.Get("Content-Security-Policy"), "frame-ancestors") || again.header.Get("X-Frame-Options") != "" {
		t.Error("it can't be framed")
	}
}

// hasOwnFiltersOnly wants whoever looks from outside to have the filters that the
// author made, and those alone: columns are neither offered, nor listed, nor do
// they narrow a figure.
func hasOwnFiltersOnly(t testing.TB, get func(path string) answer, board, own string, columns ...string) {
	t.Helper()
	get(board + "/filters/" + own).want(http.StatusOK)
	get(board + "/filters/" + own + "/values").want(http.StatusOK)
	cells := func(path string) string { return get(path).want(http.StatusOK).page.Find("tbody").Text() }
	sum, rows := get(board+"/widgets/sum").want(http.StatusOK).body, cells(board+"/widgets/table/table")
	for _, column := range columns {
		for _, part := range []string{"", "/values", "/values?q=1"} {
			get(board + "/filters/" + column + part).want(http.StatusNotFound).refuses("dashboards.filter_not_found")
		}
		for _, choice := range []string{"f." + column + "=1", "t." + column + "=1", "lo." + column + "=1", "hi." + column + "=1"} {
			if got := get(board + "/widgets/sum?" + choice).want(http.StatusOK); got.body != sum {
				t.Errorf("%s changes the figure to %s", choice, got.body)
			}
			if got := cells(board + "/widgets/table/table?" + choice); got != rows || rows == "" {
				t.Errorf("%s changes the rows to %s", choice, got)
			}
		}
	}
}

// Whoever looks by a token or a public link filters by what the author made a
// filter of, members by every column.
func TestVisitorsHaveTheFiltersOfTheDashboardAlone(t *testing.T) {
	t.Parallel()
	s := newEmbeddedSite(t)
	token := s.mint(t, nil).Token
	get := func(path string) answer { return s.asked(t, token, path) }
	hasOwnFiltersOnly(t, get, s.board(""), "region", "amount", "code", "at", "place.area", "place.code")
	// The column of a filter is none of its names.
	get(s.board("/filters/place.city/values")).want(http.StatusNotFound)
	s.frame(t, token).want(http.StatusOK).lacks("#add-filter")
	s.frame(t, token, "filters", `{"code": ["n"]}`).want(http.StatusOK).lacks("[name^='f.code']")
	// Nor is a table sorted by what it does not show.
	if one, other := get(s.board("/widgets/table")), get(s.board("/widgets/table?s.table=-code")); one.page.Find("tbody").Text() != other.page.Find("tbody").Text() {
		t.Error("a table is sorted by a column of its dataset")
	}

	admin, board := s.as(t, "admin"), s.boardSite.board.ID.String()
	admin.post(views.PathEmbedding+"/links/allow", "allowed", "on").leadsTo(views.PathEmbedding)
	made := admin.post(views.PathEmbedding+"/links", "name", "Annual meeting", "dashboard", board, "days", "7").want(http.StatusOK)
	page := s.browser(t).get(publicLink.FindString(made.page.Find("#new-link-text").AttrOr("value", ""))).want(http.StatusOK)
	page.lacks("#add-filter")
	var data struct{ Token string }
	if err := json.Unmarshal([]byte(page.page.Find("#df-embed").Text()), &data); err != nil {
		t.Fatal(err)
	}
	hasOwnFiltersOnly(t, func(path string) answer { return s.asked(t, data.Token, path) }, views.PathDashboard(board), "channel", "amount", "at")

	for _, who := range []string{"owner", "viewer"} {
		b := s.as(t, who)
		b.get(s.board("/filters/code/values")).want(http.StatusOK)
		b.get(s.board("")).shows("#add-filter", "Code")
		if b.get(s.board("/widgets/sum")).body == b.get(s.board("/widgets/sum?f.code=n")).body {
			t.Errorf("a filter that the %s added does nothing", who)
		}
	}
}

var publicLink = regexp.MustCompile(`/public/[A-Za-z0-9_-]+`)

func TestPublicLinks(t *testing.T) {
	t.Parallel()
	s := newEmbeddedSite(t)
	admin := s.as(t, "admin")
	board := s.boardSite.board.ID.String()
	make := func(fields ...string) answer {
		return admin.post(views.PathEmbedding+"/links", append([]string{"name", "Annual meeting", "dashboard", board, "days", "7"}, fields...)...)
	}
	make().want(http.StatusForbidden).refuses("embed.links_off")
	s.as(t, "editor").post(views.PathEmbedding+"/links/allow", "allowed", "on").want(http.StatusForbidden)
	admin.post(views.PathEmbedding+"/links/allow", "allowed", "on").leadsTo(views.PathEmbedding)
	link := publicLink.FindString(make().want(http.StatusOK).page.Find("#new-link-text").AttrOr("value", ""))
	if link == "" {
		t.Fatal("no link is shown")
	}
	admin.get(views.PathEmbedding).shows("#links", "Annual meeting")

	anybody := s.browser(t)
	page := anybody.get(link).want(http.StatusOK)
	page.shows("h1", "Trading <b>")
	page.shows("#w-sum", "Net sales")
	page.lacksAll("the page", "dataflow", "set-cookie")
	page.lacks("a[href*='data.csv']")
	if !strings.Contains(page.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || page.header.Get("Referrer-Policy") != "same-origin" {
		t.Errorf("headers %v", page.header)
	}
	var data struct{ Token, Refresh string }
	if err := json.Unmarshal([]byte(page.page.Find("#df-embed").Text()), &data); err != nil || data.Refresh != link+"/token" {
		t.Fatalf("%+v %v", data, err)
	}
	s.asked(t, data.Token, views.PathDashboard(board)+"/widgets/bars/table").want(http.StatusOK)
	s.asked(t, data.Token, views.PathDashboard(board)+"/widgets/bars/data.csv").want(http.StatusNotFound)
	s.asked(t, data.Token, s.board("")).want(http.StatusNotFound)
	chosen := anybody.request(http.MethodGet, views.PathDashboard(board)+"?f.channel=web", map[string]string{"Authorization": "Bearer " + data.Token,
		"HX-Request": "true", "HX-Request-Type": "partial", "HX-Current-URL": s.url + link})
	if got := chosen.header.Get("HX-Replace-Url"); got != link+"?f.channel=web" {
		t.Errorf("the address becomes %q", got)
	}
	// Its token fills no frame.
	s.frame(t, data.Token).want(http.StatusForbidden)
	anybody.request(http.MethodPost, link+"/token", map[string]string{"Accept": "application/json"}).want(http.StatusOK)
	// Rules on rows hold: who has no attributes sees no row.
	limited := publicLink.FindString(make("dashboard", s.id.String()).page.Find("#new-link-text").AttrOr("value", ""))
	anybody.get(limited).want(http.StatusOK).lacksAll("a link without attributes", append([]string{"Southmark"}, northern...)...)

	// A changed address leads nowhere.
	for _, wrong := range []string{link[:len(link)-2] + "AA", views.PathPublic + "/x", link + "x"} {
		anybody.get(wrong).want(http.StatusNotFound).refuses("embed.link_closed").lacksAll("a wrong link", "dataflow")
	}

	// With a password.
	make("password", "short").want(http.StatusUnprocessableEntity)
	locked := publicLink.FindString(make("password", goodPassword, "downloads", "on").want(http.StatusOK).page.Find("#new-link-text").AttrOr("value", ""))
	gate := anybody.get(locked).want(http.StatusOK)
	gate.shows("h1", "This page has a password")
	gate.lacksAll("the question", "dataflow", "Trading", "Net sales")
	anybody.post(locked + "/token").want(http.StatusUnauthorized)
	anybody.post(locked, "password", "not this one").want(http.StatusUnauthorized).refuses("embed.password")
	anybody.post(locked, "password", goodPassword).leadsTo(locked)
	open := anybody.get(locked).want(http.StatusOK)
	open.shows("#w-sum", "Net sales")
	if open.page.Find("a[href*='data.csv']").Length() == 0 {
		t.Error("files are not offered")
	}
	// What the browser keeps of it opens no other link.
	address, _ := url.Parse(s.url + locked)
	cookies := anybody.client.Jar.Cookies(address)
	other := publicLink.FindString(make("password", goodPassword).page.Find("#new-link-text").AttrOr("value", ""))
	elsewhere, _ := url.Parse(s.url + other)
	if len(cookies) != 1 || len(anybody.client.Jar.Cookies(elsewhere)) != 0 {
		t.Errorf("cookies %v", cookies)
	}
	anybody.request(http.MethodGet, other, map[string]string{"Cookie": passCookie + "=" + cookies[0].Value}).shows("h1", "This page has a password")

	// Taken back, ended, or turned off.
	list, err := s.Embed.ListLinks(t.Context(), s.owner())
	if err != nil || len(list) != 4 {
		t.Fatal(len(list), err)
	}
	first := list[len(list)-1]
	s.as(t, "foreign").post(views.PathEmbedding+"/links/revoke", "id", first.ID.String()).want(http.StatusNotFound)
	admin.post(views.PathEmbedding+"/links/revoke", "id", first.ID.String()).leadsTo(views.PathEmbedding)
	anybody.get(link).want(http.StatusNotFound)
	s.asked(t, data.Token, views.PathDashboard(board)+"/widgets/bars/table").want(http.StatusUnauthorized)
	s.exec(t, `UPDATE public_links SET expires_at = now() - interval '1 second' WHERE password_hash <> ''`)
	anybody.get(locked).want(http.StatusNotFound)
	admin.post(views.PathEmbedding + "/links/allow").leadsTo(views.PathEmbedding)
	anybody.get(limited).want(http.StatusNotFound)
	s.recorded(t, "embed.links_allowed", "embed.link_created", "embed.link_revoked", "embed.password_refused", "embed.opened")
}

// What limits each widget is told of a token and of a person, to those who may
// look, and each look is on record.
func TestRulesPerWidgetAreShown(t *testing.T) {
	t.Parallel()
	s := newEmbeddedSite(t)
	admin := s.as(t, "admin")
	m := s.mint(t, map[string]any{"filters": map[string]any{"code": []string{"s"}}})
	page := admin.post(views.PathTokenRules, "token", m.Token).want(http.StatusOK)
	page.shows("#held-rules", "Southmark").shows("#held-rules td code", "code").shows("#held-rules pre", "code: s").shows("#held-rules details", "SELECT")
	if page.header.Get("Cache-Control") != "no-store" {
		t.Error("the answer may be kept")
	}
	s.flush(t)
	log, err := s.Audit.List(t.Context(), access.Actor{Kind: access.Console, TenantID: s.one.ID}, audit.Query{Text: page.header.Get("X-Request-Id")})
	if err != nil || len(log.Lines) != 1 || log.Lines[0].Action != "embed.token_inspected" {
		t.Errorf("got %v, %v", log.Lines, err)
	}
	admin.post(views.PathTokenRules, "token", "embed_token_nonsense").want(http.StatusUnprocessableEntity).shows("#embedding", "not open to you")
	s.as(t, "foreign").post(views.PathTokenRules, "token", m.Token).want(http.StatusUnprocessableEntity)
	s.as(t, "editor").post(views.PathTokenRules, "token", m.Token).want(http.StatusForbidden)

	path := views.PathMemberRules(s.users["viewer"].String())
	admin.get(path).want(http.StatusOK).shows("#held-rules form", "Dashboard")
	admin.get(path+"?dashboard="+s.id.String()).want(http.StatusOK).shows("#held-rules tbody", "Ground")
	admin.get(path + "?dashboard=nonsense").want(http.StatusNotFound)
	admin.get(views.PathMemberRules(s.users["owner"].String())).want(http.StatusForbidden)
	s.as(t, "viewer").get(path).want(http.StatusForbidden)
}

package handlers

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/comments"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/embed"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/views"
)

// token is the session that a browser's cookie holds.
func (b *browser) token() string {
	address, _ := url.Parse(b.site.url)
	for _, cookie := range b.client.Jar.Cookies(address) {
		if cookie.Name == sessionCookie {
			return cookie.Value
		}
	}
	return ""
}

// furnish gives workspace One something of every kind that has an address.
func (s *boardSite) furnish(t testing.TB) {
	t.Helper()
	ctx, me := t.Context(), s.editor()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Dashboards.SaveTemplate(ctx, me, s.board.ID, "Secret template 4711", "")
	must(err)
	_, err = s.Dashboards.SaveView(ctx, me, s.board.ID, dashboards.NewView{Name: "Secret view 4711"})
	must(err)
	must(s.Comments.Begin(ctx, me, comments.Place{Dashboard: s.board.ID}, "", "Secret comment 4711 @Owner"))
	_, err = s.Reports.Request(ctx, me, s.board.ID, reports.Spec{Format: reports.CSV})
	must(err)
	owner := me
	owner.UserID, owner.Role = s.users["owner"], "owner"
	_, err = s.Sharing.CreateGroup(ctx, owner, "Secret group 4711")
	must(err)
	_, err = s.Tenants.CreateRole(ctx, owner, "Secret role 4711", []access.Permission{access.ViewAudit})
	must(err)
	_, err = s.Embed.CreateKey(ctx, owner, embed.Key{Name: "Secret key 4711"})
	must(err)
	_, err = s.Auth.CreateAPIKey(ctx, owner, auth.NewAPIKey{Name: "Secret API key 4711", Role: access.Admin})
	must(err)
	must(s.Embed.AllowLinks(ctx, owner, true))
	_, err = s.Embed.CreateLink(ctx, owner, embed.Link{Name: "Secret link 4711", Dashboard: s.board.ID}, "")
	must(err)
}

// Every route, asked from outside for objects of a workspace, refuses.
func TestEveryRouteIsClosedToOtherWorkspaces(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	s.furnish(t)
	inventory, err := s.pool.TakeInventory(t.Context(), s.one.ID.UUID())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"dashboards.dashboard_id", "folders.folder_id", "datasets.dataset_id", "user_groups.group_id", "dashboard_templates.template_id",
		"comment_threads.thread_id", "comments.comment_id", "dashboard_saved_views.view_id", "reports.report_id", "users.user_id", "audit_events.audit_id",
		"embed_keys.key_id", "public_links.link_id", "api_keys.key_id"} {
		if len(inventory.Keys[key]) == 0 {
			t.Errorf("there is nothing in %s to attack", key)
		}
	}
	before, err := s.pool.Fingerprint(t.Context(), s.one.ID.UUID())
	if err != nil {
		t.Fatal(err)
	}
	// One person belongs to both workspaces.
	inventory.Texts = slices.DeleteFunc(inventory.Texts, func(text string) bool { return text == "both@example.com" })
	statuses, routes := map[int]int{}, map[string]bool{}
	target := Target{Tenant: s.one.ID.UUID(), Keys: inventory.Keys, Texts: append(inventory.Texts, "Secret view 4711", "Secret comment 4711", "Secret template 4711", "Secret key 4711", "Secret link 4711", "Secret API key 4711")}
	elsewhere := access.Actor{Kind: access.Person, TenantID: s.two.ID, Role: access.Owner}
	key, err := s.Auth.CreateAPIKey(t.Context(), elsewhere, auth.NewAPIKey{Name: "Elsewhere", Role: access.Admin})
	if err != nil {
		t.Fatal(err)
	}
	err = Attack(t.Context(), s.routes, target, []Attacker{{Name: "nobody"}, {Name: "foreign", Token: s.as(t, "foreign").token()}, {Name: "foreign key", Key: key}}, func(a Attempt) {
		routes[a.Method+" "+a.Route] = true
		if a.As == "foreign" {
			statuses[a.Status]++
		}
		if !a.Held {
			t.Errorf("%s: %s %s answers %d: %s", a.As, a.Method, a.Route, a.Status, a.Why)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(routes) < 150 || statuses[404] < 80 || statuses[200] < 10 {
		t.Errorf("%d routes; the owner of another workspace got %v", len(routes), statuses)
	}
	after, err := s.pool.Fingerprint(context.WithoutCancel(t.Context()), s.one.ID.UUID())
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(before, after) {
		for table := range after {
			if before[table] != after[table] {
				t.Errorf("%s was changed from outside", table)
			}
		}
	}
}

// An attack finds what it is for: routes that answer another workspace's
// objects, tell of them, or are unknown to it.
func TestAttackFindsHoles(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	inventory, err := s.pool.TakeInventory(t.Context(), s.one.ID.UUID())
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Tenant: s.one.ID.UUID(), Keys: inventory.Keys, Texts: inventory.Texts}
	// Somebody of the workspace itself is let in everywhere.
	found := map[string]bool{}
	err = Attack(t.Context(), s.routes, target, []Attacker{{Name: "insider", Token: s.as(t, "owner").token()}}, func(a Attempt) {
		if !a.Held {
			found[a.Method+" "+a.Route] = true
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"GET /dashboards/{id}", "GET /dashboards/{id}/events", "GET /dashboards", "GET " + views.PathMembers, "GET /datasets/{id}/preview"} {
		if !found[want] && !found[want+"/"] {
			t.Errorf("%s is not found out", want)
		}
	}
	if path, _, missing := target.fill("/portals/{portal}/pages"); path != "" || missing != "{portal}" {
		t.Errorf("an unknown part: %q, %q", path, missing)
	}
}

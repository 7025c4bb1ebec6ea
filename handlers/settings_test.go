package handlers

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/plans"
	"github.com/dataflowhq/dataflow/views"
)

// TestSettingsByRole walks through every form of the settings as every role.
func TestSettingsByRole(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	type try struct {
		method, path string
		fields       []string
		want         map[string]int
	}
	page := map[string]int{"owner": 200, "admin": 200, "editor": 200, "viewer": 200}
	closed := map[string]int{"owner": 200, "admin": 200, "editor": 403, "viewer": 403}
	done := map[string]int{"owner": 303, "admin": 303, "editor": 403, "viewer": 403}
	owners := map[string]int{"owner": 303, "admin": 403, "editor": 403, "viewer": 403}
	for _, tc := range []try{
		{"GET", views.PathSettings, nil, page},
		{"POST", views.PathSettings, []string{"name", "One", "zone", "UTC", "locale", "en-GB"}, done},
		{"GET", views.PathMembers, nil, closed},
		{"POST", views.PathMembersRole, []string{"id", s.users["viewer"].String(), "role", "viewer"}, done},
		{"POST", views.PathMembersRole, []string{"id", s.users["owner"].String(), "role", "owner"}, owners},
		{"GET", views.PathOutbox, nil, closed},
	} {
		for _, role := range []string{"owner", "admin", "editor", "viewer"} {
			got := s.as(t, role).request(tc.method, tc.path, nil, tc.fields...)
			if got.status != tc.want[role] {
				t.Errorf("%s %s as %s: got %d, want %d: %s", tc.method, tc.path, role, got.status, tc.want[role], got.text())
			}
		}
	}
	s.as(t, "viewer").get(views.PathSettings).shows("body", "Only owners and admins").lacks("#settings button[type=submit]")
	s.as(t, "admin").get(views.PathSettings).shows("#settings button[type=submit]", "Save")
}

func TestSettingsAreSaved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(t, "admin")
	b.post(views.PathSettings, "name", "", "zone", "Nowhere", "locale", "?").want(http.StatusUnprocessableEntity).
		shows(".field-error", "1 to 120").shows(".field-error", "not a time zone").shows(".field-error", "not a locale")
	b.follow(b.post(views.PathSettings, "name", "Umbrella", "zone", "America/New_York", "locale", "en-US").leadsTo(views.PathSettings)).
		shows(".workspace", "Umbrella").shows("select[name=zone] option[selected]", "America/New York").shows("[role=status]", "Saved.")
	s.as(t, "foreign").get(views.PathSettings).shows(".workspace", "Two")
}

// Members of another workspace are not found, whatever is tried with them.
func TestForeignMembersAreNotFound(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(t, "owner")
	for _, id := range []string{s.users["foreign"].String(), "01890000-0000-7000-8000-000000000000", "x", ""} {
		for _, path := range []string{views.PathMembersRole, views.PathMembersRemove, views.PathMembersResend, views.PathMembersRevoke} {
			b.post(path, "id", id, "role", "viewer").want(http.StatusNotFound).shows("body", "tenants.member_not_found")
		}
	}
	s.as(t, "foreign").get(views.PathMembers).want(http.StatusOK).shows("tbody", "foreign@example.com").lacks("#member-" + s.users["viewer"].String())
}

func TestInviteByMail(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as(t, "admin")
	got := admin.post(views.PathMembersInvite, "email", "nobody", "role", "viewer").want(http.StatusUnprocessableEntity)
	got.shows("#invite .field-error", "not an e-mail address").shows("dialog#invite[open]", "")
	admin.post(views.PathMembersInvite, "email", "VIEWER@example.com", "role", "viewer").want(http.StatusConflict).shows("#invite .field-error", "already")
	admin.post(views.PathMembersInvite, "email", "boss@example.com", "role", "owner").want(http.StatusForbidden).shows("#invite .field-error", "owner")
	admin.follow(admin.post(views.PathMembersInvite, "email", "mara@example.com", "role", "editor").leadsTo(views.PathMembers)).
		shows("tbody", "mara@example.com").shows("tbody", "Invited").shows("[role=status]", "on its way")

	link := s.lastLink(t)
	mara := s.browser(t)
	page := mara.get(link).want(http.StatusOK).shows("h1", "Join One").shows("body", "Editor")
	token, _ := page.page.Find("input[name=token]").Attr("value")
	mara.post(pathInvite, "token", token, "name", "", "password", "short").want(http.StatusUnprocessableEntity).shows(".field-error", "10 characters")
	mara.post(pathInvite, "token", token, "name", "Mara", "password", goodPassword).leadsTo(views.PathHome)
	mara.get(views.PathAccount).shows(".side-user", "Mara").shows(".side-user", "Editor")
	mara.get(link).want(http.StatusGone)

	admin.post(views.PathMembersInvite, "email", "foreign@example.com", "role", "viewer").leadsTo(views.PathMembers)
	known := s.browser(t)
	page = known.get(s.lastLink(t)).want(http.StatusOK).lacks("input[name=password]")
	token, _ = page.page.Find("input[name=token]").Attr("value")
	known.follow(known.post(pathInvite, "token", token).leadsTo(views.PathSignIn)).shows("[role=status]", "You have joined")
}

// Without a mail server, who invites hands the link over.
func TestInviteWithoutMail(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(d *Deps) { d.ShowOutbox = false })
	owner := s.as(t, "owner")
	page := owner.follow(owner.post(views.PathMembersInvite, "email", "mara@example.com", "role", "editor").leadsTo(views.PathMembers))
	link := linkPattern.FindString(page.page.Find("[role=status]").First().Text())
	if !strings.HasPrefix(link, s.url+"/invite?token=") {
		t.Fatalf("says %q", page.page.Find("[role=status]").First().Text())
	}
	s.browser(t).get(strings.TrimPrefix(link, s.url)).want(http.StatusOK).shows("h1", "Join One")
	id, _ := page.page.Find("form[action='" + views.PathMembersResend + "'] button[name=id]").First().Attr("value")
	again := owner.follow(owner.post(views.PathMembersResend, "id", id).leadsTo(views.PathMembers))
	if other := linkPattern.FindString(again.page.Find("[role=status]").First().Text()); other == link || other == "" {
		t.Errorf("again: %q", other)
	}
	s.browser(t).get(strings.TrimPrefix(link, s.url)).want(http.StatusGone)
	s.browser(t).get(views.PathSignIn).lacks("a[href='/forgot']")
	s.browser(t).get(views.PathForgot).want(http.StatusServiceUnavailable).shows("body", "signin.no_mail")
	s.browser(t).post(views.PathForgot, "email", "owner@example.com").want(http.StatusServiceUnavailable)
}

func TestMembersListSearchesAndPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for n := range 30 {
		if _, err := s.Auth.CreateUser(t.Context(), auth.NewUser{TenantID: s.one.ID, Email: fmt.Sprintf("p%02d@example.com", n),
			Name: fmt.Sprintf("Person %02d", n), Role: access.Viewer}); err != nil {
			t.Fatal(err)
		}
	}
	b := s.as(t, "owner")
	first := b.get(views.PathMembers).want(http.StatusOK).shows("body", "1–25 of 35").shows("body", "35 of 100 seats used")
	if n := first.page.Find("tbody tr").Length(); n != 25 {
		t.Errorf("%d rows, want 25", n)
	}
	b.get(views.PathMembers+"?page=2").shows("body", "26–35 of 35")
	b.get(views.PathMembers+"?q=person+07").shows("tbody", "p07@example.com").lacks("tbody tr:nth-child(2)")
	b.get(views.PathMembers+"?role=admin").shows("tbody", "admin@example.com").lacks("tbody tr:nth-child(2)")
	b.get(views.PathMembers+"?q=%25").shows("body", "Nobody matches")
	for _, nonsense := range []string{"?page=0", "?page=-1", "?page=x", "?page=99999999999999999999", "?role=root"} {
		b.get(views.PathMembers + nonsense).want(http.StatusOK)
	}
	if err := s.Tenants.SetPlan(t.Context(), access.Actor{Kind: access.Console, TenantID: s.one.ID}, plans.Starter); err != nil {
		t.Fatal(err)
	}
	b.post(views.PathMembersInvite, "email", "more@example.com", "role", "viewer").want(http.StatusConflict).shows("[role=alert]", "tenants.no_seat")
}

func TestOneOwnerStays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(t, "owner")
	b.post(views.PathMembersRemove, "id", s.users["both"].String()).want(http.StatusNotFound) // of Two: the id of the other workspace
	b.get(views.PathMembers).want(http.StatusOK)
	s.exec(t, "UPDATE users SET removed_at = now() WHERE email = 'both@example.com'")
	b.post(views.PathMembersRole, "id", s.users["owner"].String(), "role", "viewer").want(http.StatusConflict).shows("[role=alert]", "tenants.last_owner")
	b.post(views.PathMembersRemove, "id", s.users["owner"].String()).want(http.StatusConflict)
	b.post(views.PathMembersRole, "id", s.users["admin"].String(), "role", "owner").leadsTo(views.PathMembers)
	b.post(views.PathMembersRole, "id", s.users["owner"].String(), "role", "viewer").leadsTo(views.PathMembers)
	b.post(views.PathMembersRole, "id", s.users["admin"].String(), "role", "viewer").want(http.StatusForbidden)
}

// A role of the workspace's own is made, given and used as a person would, and
// opens of the settings what it allows.
func TestRolesOfAWorkspacesOwn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(t, "owner")
	owner.get(views.PathRoles).want(http.StatusOK).shows("#roles", "None yet").shows("#roles", "Manage people")
	owner.post(views.PathRoles, "name", "viewer", "permission", "audit.view").want(http.StatusUnprocessableEntity).shows("dialog", "Every workspace has a role")
	owner.post(views.PathRoles, "name", "Auditors", "permission", "audit.view").want(http.StatusSeeOther)
	page := owner.get(views.PathRoles).want(http.StatusOK).shows("#roles", "Auditors")
	path := page.page.Find("#roles a.link").AttrOr("href", "")
	owner.get(path).want(http.StatusOK).shows("form", "Read audit log")
	id := strings.TrimPrefix(path, views.PathRoles+"/")
	viewer := s.as(t, "viewer")
	viewer.get(views.PathAudit).want(http.StatusForbidden)
	owner.post(views.PathMembersRole, "id", s.users["viewer"].String(), "role", id).want(http.StatusSeeOther)
	owner.get(views.PathMembers+"?role="+id).want(http.StatusOK).shows("#members tbody", "Auditors")
	viewer.get(views.PathAudit).want(http.StatusOK)
	viewer.get(views.PathMembers).want(http.StatusForbidden)
	viewer.get(views.PathRoles).want(http.StatusForbidden)
	viewer.get(views.PathAuditKeeping).want(http.StatusForbidden)
	viewer.post(views.PathAuditKeeping, "days", "100").want(http.StatusForbidden)
	tabs := viewer.get(views.PathAudit).page.Find("a.tab-link").Map(func(_ int, a *goquery.Selection) string { return a.AttrOr("href", "") })
	if !slices.Equal(tabs, []string{views.PathSettings, views.PathAudit}) {
		t.Errorf("sections: %v", tabs)
	}
	owner.post(path+"/delete").want(http.StatusConflict).shows("#roles", "Somebody has this role")
	// Single sign-on names it in words.
	owner.post(views.PathRoles+"/"+id, "name", "Readers of the log", "permission", "audit.view").want(http.StatusSeeOther)
	viewer.get(views.PathHome).want(http.StatusOK)
}

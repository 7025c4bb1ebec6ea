package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/views"
)

// flush writes the entries that wait.
func (s *site) flush(t testing.TB) {
	t.Helper()
	if err := s.Audit.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (s *site) entries(t testing.TB, q audit.Query) []audit.Line {
	t.Helper()
	s.flush(t)
	page, err := s.Audit.List(t.Context(), access.Actor{Kind: access.Console, TenantID: s.one.ID}, q)
	if err != nil {
		t.Fatal(err)
	}
	return page.Lines
}

func TestEntriesOfRequestsSayWhereTheyComeFrom(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(t, "owner")
	got := b.post(views.PathMembersRole, "id", s.users["viewer"].String(), "role", "editor")
	line := s.entries(t, audit.Query{Actions: []string{"members.role_changed"}})[0]
	if line.RequestID != got.header.Get("X-Request-Id") || line.Who.Address != "127.0.0.1" || !strings.Contains(line.Who.Agent, "Chrome/143") || line.Who.Session == "" {
		t.Errorf("%+v of %s", line, got.header.Get("X-Request-Id"))
	}
	if line.Who.Name != "Owner" || line.What.Name != "Viewer" || line.What.Before["role"] != "viewer" || line.What.After["role"] != "editor" {
		t.Errorf("%+v", line.What)
	}
	signedIn := s.entries(t, audit.Query{Actions: []string{"auth.signed_in"}})[0]
	if signedIn.Who.Address != "127.0.0.1" || signedIn.Who.Email != "owner@example.com" {
		t.Errorf("%+v", signedIn)
	}
}

func TestRefusalsAreInTheLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(t, "viewer")
	b.post(views.PathMembersRole, "id", s.users["owner"].String(), "role", "viewer").want(http.StatusForbidden)
	hidden := "/dashboards/" + uuid.NewString()
	b.get(hidden).want(http.StatusNotFound)
	b.get("/no/such/page").want(http.StatusNotFound)
	b.get(views.PathAudit).want(http.StatusForbidden)
	lines := s.entries(t, audit.Query{Outcome: audit.Denied})
	if len(lines) != 3 {
		t.Fatalf("%+v", lines)
	}
	for i, want := range []struct{ action, path string }{{"access.denied", views.PathAudit}, {"access.not_found", hidden}, {"access.denied", views.PathMembersRole}} {
		if l := lines[i]; l.Action != want.action || l.TargetID != want.path || l.Who.Name != "Viewer" || l.RequestID == "" {
			t.Errorf("%d: %+v", i, l)
		}
	}
	nobody := s.browser(t)
	nobody.post(views.PathSignIn, "email", "viewer@example.com", "password", "wrong")
	failed := s.entries(t, audit.Query{Actions: []string{"auth.sign_in_failed"}})
	if len(failed) != 1 || !failed[0].Denied || failed[0].Who.Name != "" || failed[0].What.Name != "Viewer" || failed[0].Who.Address != "127.0.0.1" {
		t.Errorf("%+v", failed)
	}
}

func TestAuditPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(t, "admin")
	b.post(views.PathMembersRole, "id", s.users["viewer"].String(), "role", "editor")
	page := b.get(views.PathAudit).want(http.StatusOK)
	page.shows("tbody tr", "Changed role").shows("tbody tr", "Viewer: viewer → editor").shows("tbody .tag", "Allowed").shows(".toolbar-end", "kept 90 days").shows("[aria-current=page]", "Audit log")
	found := b.get(views.PathAudit + "?q=changed+role").want(http.StatusOK)
	if n := found.page.Find("tbody tr:not(.table-group)").Length(); n != 1 {
		t.Errorf("%d rows: %s", n, found.text())
	}
	b.get(views.PathAudit+"?result=denied").shows(".empty-title", "No entries")
	b.get(views.PathAudit+"?action=auth&person="+s.users["admin"].String()+"&span=today").shows("tbody", "Signed in").shows("df-daterange", "")
	b.get(views.PathAudit+"?from=2020-01-01&to=2020-01-02").shows(".empty-title", "No entries")
	b.get(views.PathAudit+"?after=x&person=y&action=z&from=q&result=r").want(http.StatusOK).shows("tbody", "Changed role")
	href, _ := found.page.Find("tbody a").Attr("href")
	entry := b.get(href).want(http.StatusOK)
	entry.shows(".card-title, h2", "Changed role").shows("tbody tr", "viewer").shows("tbody tr", "editor").shows("dd", "127.0.0.1")
	b.get(views.PathAuditEntries + uuid.NewString()).want(http.StatusNotFound)
	b.get(views.PathAuditEntries + "x").want(http.StatusNotFound)
	s.as(t, "foreign").get(href).want(http.StatusNotFound)
	b.post(views.PathAuditVerify).want(http.StatusOK).shows("[role=alert]", "The chain is intact")
	for _, name := range []string{"editor", "viewer"} {
		someone := s.as(t, name)
		for _, path := range []string{views.PathAudit, href, views.PathAuditKeeping, views.PathAuditExport + "?format=csv"} {
			someone.get(path).want(http.StatusForbidden)
		}
		for _, path := range []string{views.PathAuditVerify, views.PathAuditKeeping, views.PathAuditForward} {
			someone.post(path, "days", "90").want(http.StatusForbidden)
		}
	}
}

func TestAuditPagesByKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range auditOnPage + 10 {
		s.Audit.Note(t.Context(), access.Actor{Kind: access.System, TenantID: s.one.ID}, audit.Entry{Action: "report.sent", ID: uuid.NewString()})
	}
	s.flush(t)
	b := s.as(t, "owner")
	first := b.get(views.PathAudit + "?action=report").want(http.StatusOK)
	older, _ := first.page.Find(".pagination a").Last().Attr("href")
	second := b.get(older).want(http.StatusOK)
	if a, z := first.page.Find("tbody tr:not(.table-group)").Length(), second.page.Find("tbody tr:not(.table-group)").Length(); a != auditOnPage || z != 10 {
		t.Errorf("%d and %d rows", a, z)
	}
	second.shows("tbody", "DataFlow").lacks(".pagination a[href*=after]")
}

func TestAuditExportAndKeeping(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(t, "owner")
	file := b.get(views.PathAuditExport + "?format=ndjson&action=auth").want(http.StatusOK)
	if !strings.HasPrefix(file.header.Get("Content-Disposition"), "attachment; filename=audit-") || file.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%v", file.header)
	}
	for line := range strings.Lines(file.body) {
		var e audit.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil || !strings.HasPrefix(e.Action, "auth.") {
			t.Errorf("%s: %v", line, err)
		}
	}
	if csv := b.get(views.PathAuditExport + "?format=csv").want(http.StatusOK); !strings.HasPrefix(csv.body, "time,who,") || !strings.Contains(csv.body, "audit.exported") {
		t.Errorf("%s", csv.body)
	}
	b.get(views.PathAuditExport + "?format=exe").want(http.StatusUnprocessableEntity)
	b.get(views.PathAuditKeeping).want(http.StatusOK).shows("label", "Days that entries are kept")
	b.post(views.PathAuditKeeping, "days", "5").want(http.StatusUnprocessableEntity).shows(".field-error", "30 to 3650")
	b.post(views.PathAuditKeeping, "days", "365").leadsTo(views.PathAuditKeeping)
	b.post(views.PathAuditForward, "kind", "syslog", "address", "nowhere").want(http.StatusUnprocessableEntity).shows(".field-error", "tls://host:6514")
	b.post(views.PathAuditForward, "kind", "hec", "address", "https://splunk.example.com:8088", "token", "t0ken").leadsTo(views.PathAuditKeeping)
	kept := b.get(views.PathAuditKeeping).want(http.StatusOK)
	kept.shows("form", "Nothing was sent yet.")
	if strings.Contains(kept.body, "t0ken") {
		t.Error("the token is shown")
	}
	lines := s.entries(t, audit.Query{Actions: []string{"audit.forward_changed", "audit.retention_changed"}})
	if len(lines) != 2 || lines[0].What.After["address"] != "https://splunk.example.com:8088" {
		t.Errorf("%+v", lines)
	}
}

// Every action that the code records has words.
func TestActionsHaveWords(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, action := range views.AuditActionsNamed(ctx, "e") {
		feature, _, _ := strings.Cut(action, ".")
		found := false
		for _, known := range views.AuditFeatures {
			found = found || known == feature
		}
		if !found {
			t.Errorf("%s is of no feature that can be filtered by", action)
		}
	}
	if got := views.AuditAction(ctx, "portals.logo_changed"); got != "Portals: logo changed" {
		t.Errorf("an action without words: %q", got)
	}
}

package handlers

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	chromium "github.com/dataflowhq/dataflow/platform/browser"
	"github.com/dataflowhq/dataflow/views"
)

// mailingPortal is a portal whose visitors are sent reports by a real mail server.
type mailingPortal struct {
	*scheduleSite
	at *visited
}

func newMailingPortal(t *testing.T, kept ...bool) *mailingPortal {
	t.Helper()
	s := newScheduleSite(t, kept...)
	m := &mailingPortal{scheduleSite: s, at: newVisitedOf(t, s.boardSite)}
	s.rule(t, s.dataset, "channel", "channel") // everybody but admins has rows by an attribute
	return m
}

// visitor is one whose rule leaves them the rows of a channel.
func (m *mailingPortal) visitor(t *testing.T, email, channel string, groups ...ids.Group) ids.Visitor {
	t.Helper()
	v := portals.Visitor{Email: email, Name: "Mara", Company: "Halden", Groups: groups}
	if channel != "" {
		v.Attributes = map[string][]string{"channel": {channel}}
	}
	id, err := m.Portals.Invite(t.Context(), m.actor("admin"), m.at.portal, "http://"+portalHost, v)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// base is where links in mails to visitors lead.
func (m *mailingPortal) base(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(m.url)
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + portalHost + ":" + u.Port()
}

func (m *mailingPortal) send(t *testing.T, owner access.Actor, id ids.Schedule) map[string]reports.Line {
	t.Helper()
	if err := m.Reports.SendNow(t.Context(), owner, id, false); err != nil {
		t.Fatal(err)
	}
	m.work(t)
	_, lines := m.states(t, id)
	return lines
}

// unbranded complains of a mail that says who made the portal, or leads to it.
func unbranded(t *testing.T, to string, m message, data string) {
	t.Helper()
	// The installation's own sender is its operator's choice; the tests' is at example.com.
	if all := strings.ToLower(data + m.subject + m.text + m.html); strings.Contains(all, "dataflow") {
		t.Errorf("the mail to %s names the product: %s", to, all)
	}
}

// Visitors get what they see in their portal, by a mail of the portal's; who is
// gone, or is not shown the dashboard any more, gets nothing, and the ledger says why.
func TestVisitorsAreSentReports(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	north, south := m.visitor(t, "north@halden.example", "web"), m.visitor(t, "south@halden.example", "=phone")
	same, none := m.visitor(t, "same@halden.example", "web"), m.visitor(t, "none@halden.example", "")
	owner := m.actor("admin") // sees all
	f := m.table("viewer", "a@example.org")
	f.Visitors = []ids.Visitor{north, south, same, none}
	id, err := m.Reports.CreateSchedule(t.Context(), owner, f)
	if err != nil {
		t.Fatal(err)
	}
	lines := m.send(t, owner, id)
	got, _ := m.mails(t)
	for to, want := range map[string][2]int{"north@halden.example": {40, 40}, "same@halden.example": {40, 40}, "south@halden.example": {40, 0}, "none@halden.example": {0, 0},
		"viewer@example.com": {0, 0}, "a@example.org": {120, 40}} {
		if len(got[to]) != 1 {
			t.Fatalf("%s got %d mails: %+v", to, len(got[to]), lines[to])
		}
		body := got[to][0].files["Rows.csv"]
		if lines, web := strings.Count(body, "\n")-1, strings.Count(body, ",web,"); lines != want[0] || web != want[1] {
			t.Errorf("%s got %d rows, %d of web, want %v", to, lines, web, want)
		}
	}
	var contents int
	m.count(t, &contents, `SELECT count(*) FROM report_contents`)
	if contents != 5 { // two visitors see the same; a member without rows is no visitor without rows
		t.Errorf("%d contents", contents)
	}
	for _, r := range m.server.Taken() {
		mail := parseMail(t, r.Data)
		visitor := strings.HasSuffix(r.To, "halden.example")
		if !visitor || mail.header.Get("List-Unsubscribe") == "" {
			continue
		}
		unbranded(t, r.To, mail, r.Data)
		if from := mail.header.Get("From"); !strings.HasPrefix(from, `"Ashby & Vale" <`) {
			t.Errorf("from %s", from)
		}
		link := m.base(t) + reports.PathOpened + lines[r.To].ID.String()
		if !strings.Contains(mail.text, link) || !strings.Contains(mail.html, link) || strings.Contains(mail.text+mail.html, m.url) ||
			!strings.HasPrefix(mail.header.Get("List-Unsubscribe"), "<"+m.base(t)+reports.PathUnsubscribe) {
			t.Errorf("%s: links lead elsewhere: %s", r.To, mail.text)
		}
	}
	page := m.as(t, "admin").get(views.PathSchedule(id.String())).want(http.StatusOK)
	page.shows(".schedule-list", "visitor of Ashby & Vale")
	m.as(t, "admin").get(views.PathSchedule(id.String())+"/edit").want(http.StatusOK).shows("input[name=visitor][checked]", "")

	// One is blocked, one removed, and one unsubscribes.
	if err := m.Portals.ChangeVisitor(t.Context(), owner, m.at.portal, portals.Visitor{ID: north, Blocked: true}); err != nil {
		t.Fatal(err)
	}
	if err := m.Portals.RemoveVisitor(t.Context(), owner, m.at.portal, south); err != nil {
		t.Fatal(err)
	}
	link := strings.Trim(got["same@halden.example"][0].header.Get("List-Unsubscribe"), "<>")
	stranger := m.at.at(t)
	stranger.get(strings.TrimPrefix(link, m.base(t))).want(http.StatusOK).shows("title", "Ashby & Vale").shows("form button", "Unsubscribe").lacks("[href*=dataflow]")
	stranger.post(strings.TrimPrefix(link, m.base(t)), "List-Unsubscribe", "One-Click").want(http.StatusOK).shows("main", "no more mails")
	lines = m.send(t, owner, id)
	for to, code := range map[string]string{"north@halden.example": "reports.visitor_left", "south@halden.example": "reports.visitor_left"} {
		if l := lines[to]; l.State != reports.LineFailed || l.ErrorCode != code || !strings.Contains(l.ErrorText, "nothing was sent") {
			t.Errorf("%s: %+v", to, l)
		}
	}
	if _, there := lines["same@halden.example"]; there || lines["none@halden.example"].State != reports.LineSent {
		t.Errorf("%+v", lines)
	}
	// The dashboard leaves the portal.
	if err := m.Portals.SetDashboards(t.Context(), owner, m.at.portal, nil); err != nil {
		t.Fatal(err)
	}
	if l := m.send(t, owner, id)["none@halden.example"]; l.State != reports.LineFailed || l.ErrorCode != "reports.not_shown" {
		t.Errorf("%+v", l)
	}
	m.as(t, "admin").get(views.PathSchedule(id.String())).want(http.StatusOK).shows(".schedule-why", "does not show this dashboard to this visitor any more")
}

// What changes between the file and its mail counts: nothing is sent to who was
// blocked meanwhile, or by who may not send outside any more.
func TestWhatChangesBeforeTheMailCounts(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	north := m.visitor(t, "north@halden.example", "web")
	f := m.table("a@example.org")
	f.Visitors = []ids.Visitor{north}
	id, err := m.Reports.CreateSchedule(t.Context(), m.actor("editor"), f)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Reports.SendNow(t.Context(), m.actor("editor"), id, false); err != nil {
		t.Fatal(err)
	}
	m.work(t, "reports:run") // files are there
	if err := m.Portals.ChangeVisitor(t.Context(), m.actor("admin"), m.at.portal, portals.Visitor{ID: north, Blocked: true}); err != nil {
		t.Fatal(err)
	}
	role, err := m.Tenants.CreateRole(t.Context(), m.owner(), "Within", []access.Permission{access.EditContent, access.ManageData})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Tenants.SetRole(t.Context(), m.owner(), m.users["editor"], access.Role(role.String())); err != nil {
		t.Fatal(err)
	}
	m.work(t)
	_, lines := m.states(t, id)
	if l := lines["north@halden.example"]; l.State != reports.LineFailed || l.ErrorCode != "reports.visitor_left" {
		t.Errorf("%+v", l)
	}
	if l := lines["a@example.org"]; l.State != reports.LineFailed || l.ErrorCode != "reports.outside_forbidden" {
		t.Errorf("%+v", l)
	}
	if got, _ := m.mails(t); len(got) > 0 {
		t.Errorf("%d mails", len(got))
	}
	// A run from the beginning says the same, and members still get theirs.
	m.as(t, "editor").get(views.PathNewSchedule).want(http.StatusOK).lacks("textarea[name=addresses]").lacks("input[name=visitor]")
	lines = m.send(t, m.actor("admin"), id)
	if l := lines["a@example.org"]; l.ErrorCode != "reports.outside_forbidden" {
		t.Errorf("%+v", l)
	}
	editor, err := m.Tenants.GetActor(t.Context(), m.one.ID, m.users["editor"])
	if err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*reports.ScheduleForm){"addresses": func(f *reports.ScheduleForm) { f.Addresses = []string{"b@example.org"} },
		"users": func(f *reports.ScheduleForm) { f.Visitors = []ids.Visitor{north} }} {
		f := m.table("viewer")
		change(&f)
		_, err := m.Reports.CreateSchedule(t.Context(), editor, f)
		if fields, _ := apperr.Fields(err); !strings.Contains(fields[field], "outside of the workspace") {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := m.Reports.CreateSchedule(t.Context(), editor, m.table("viewer")); err != nil {
		t.Errorf("to a member: %v", err)
	}
	if list, named, err := m.Reports.ListOutsiders(t.Context(), editor, m.board.ID, ids.Schedule{}); err != nil || len(list) > 0 || named {
		t.Errorf("%d visitors are told of (%v)", len(list), err)
	}
}

// A group of visitors is who is in it when the report is sent; who has
// unsubscribed stays so.
func TestGroupsOfVisitorsAreSentReports(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	admin := m.actor("admin")
	group, err := m.Portals.SaveGroup(t.Context(), admin, m.at.portal, portals.Group{Name: "Partners", Attributes: map[string][]string{"channel": {"web"}}})
	if err != nil {
		t.Fatal(err)
	}
	m.visitor(t, "one@halden.example", "", group)
	two := m.visitor(t, "two@halden.example", "", group)
	f := m.table()
	f.Groups = []ids.Group{group}
	id, err := m.Reports.CreateSchedule(t.Context(), admin, f)
	if err != nil {
		t.Fatal(err)
	}
	if lines := m.send(t, admin, id); len(lines) != 2 || lines["one@halden.example"].State != reports.LineSent {
		t.Fatalf("%+v", lines)
	}
	got, _ := m.mails(t)
	if body := got["one@halden.example"][0].files["Rows.csv"]; strings.Count(body, ",web,") != 40 {
		t.Errorf("%.200s", body)
	}
	link := strings.TrimPrefix(strings.Trim(got["one@halden.example"][0].header.Get("List-Unsubscribe"), "<>"), m.base(t))
	m.at.at(t).post(link, "List-Unsubscribe", "One-Click").want(http.StatusOK)
	m.visitor(t, "three@halden.example", "", group)
	if err := m.Portals.ChangeVisitor(t.Context(), admin, m.at.portal, portals.Visitor{ID: two}); err != nil { // leaves
		t.Fatal(err)
	}
	if err := m.Reports.UpdateSchedule(t.Context(), admin, id, f); err != nil {
		t.Fatal(err)
	}
	lines := m.send(t, admin, id)
	if _, there := lines["three@halden.example"]; len(lines) != 1 || !there {
		t.Errorf("%+v", lines)
	}
	if one := m.read(t, id); len(one.Recipients) != 1 || one.Recipients[0].Group != group || one.Recipients[0].Name != "Partners" {
		t.Errorf("%+v", one.Recipients)
	}
}

// An address with attributes gets what rules leave somebody with them, and never
// more than the owner sees.
func TestAddressesHaveAttributes(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	f := m.table("web@example.org", "both@example.org", "all@example.org", "none@example.org")
	f.Attributes = "WEB@example.org: Channel = web\nboth@example.org: channel = web, =phone\nnone@example.org: region = EMEA\n"
	rows := func(owner access.Actor) map[string]int {
		t.Helper()
		id, err := m.Reports.CreateSchedule(t.Context(), owner, f)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := m.read(t, id).Attributes, "web@example.org: channel = web\nboth@example.org: channel = web, =phone\nnone@example.org: region = EMEA\n"; got != want {
			t.Errorf("kept %q, want %q", got, want)
		}
		m.as(t, "admin").get(views.PathSchedule(id.String())).want(http.StatusOK).shows(".schedule-list", "as somebody with channel = web")
		before := len(m.server.Taken())
		m.send(t, m.actor("admin"), id)
		found := map[string]int{}
		for _, r := range m.server.Taken()[before:] {
			found[r.To] = strings.Count(parseMail(t, r.Data).files["Rows.csv"], "\n") - 1
		}
		return found
	}
	want := func(who string, got, want map[string]int) {
		t.Helper()
		for to, n := range want {
			if got[to] != n {
				t.Errorf("%s: %s got %d rows, want %d", who, to, got[to], n)
			}
		}
	}
	want("who sees all", rows(m.actor("admin")), map[string]int{"web@example.org": 40, "both@example.org": 80, "all@example.org": 120, "none@example.org": 0})
	// The rule leaves the editor phone alone: no attribute of an address gives more.
	if err := m.Tenants.SetMemberAttributes(t.Context(), m.owner(), m.users["editor"], tenants.Attributes{"channel": {"=phone"}}); err != nil {
		t.Fatal(err)
	}
	editor, err := m.Tenants.GetActor(t.Context(), m.one.ID, m.users["editor"])
	if err != nil {
		t.Fatal(err)
	}
	want("who sees phone", rows(editor), map[string]int{"web@example.org": 0, "both@example.org": 40, "all@example.org": 40, "none@example.org": 0})
	for text, wrong := range map[string]string{"stranger@example.org: channel = web": "not among the further addresses", "web@example.org: channel": "can't be read",
		"web@example.org: 1! = x": "no name of an attribute"} {
		f := f
		f.Attributes = text
		_, err := m.Reports.CreateSchedule(t.Context(), m.actor("admin"), f)
		if fields, _ := apperr.Fields(err); !strings.Contains(fields["attributes"], wrong) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A visitor has a dashboard mailed to themselves, and nobody else's is theirs.
func TestVisitorsMailThemselves(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	visitor := m.at.invited(t, "mara@halden.example", "company", "Halden Knitwear", "attributes", "channel: web")
	other := m.at.invited(t, "ada@other.example", "attributes", "channel: =phone")
	board := views.PathDashboard(m.board.ID.String())
	page := visitor.get(board + "?f.channel=web").want(http.StatusOK)
	link := page.page.Find(`a[href^="/schedules/new"]`).AttrOr("href", "")
	if !strings.Contains(link, "f.channel=web") {
		t.Fatalf("the link has no filters: %q", link)
	}
	visitor.get(link).want(http.StatusOK).shows("#own-often", "Monday to Friday").shows(".dialog-text", "mara@halden.example").lacks("input[name=addresses]")
	visitor.get(views.PathNewSchedule + "?dashboard=" + ids.New[ids.Dashboard]().String()).want(http.StatusNotFound)
	ask := func(b *browser, fields ...string) answer {
		all := []string{"dashboard", m.board.ID.String(), "often", "weekdays", "hour", "8", "zone", "America/New_York", "format", "CSV"}
		return b.post(views.PathSchedules, append(all, fields...)...)
	}
	visitor.post(views.PathSchedules, "dashboard", m.board.ID.String(), "often", "hourly", "hour", "25", "zone", "Mars/Base", "format", "CSV").want(http.StatusUnprocessableEntity)
	visitor.post(views.PathSchedules, "dashboard", ids.New[ids.Dashboard]().String(), "often", "daily", "hour", "8", "zone", "UTC", "format", "CSV").want(http.StatusNotFound)
	// What the form does not offer is nothing that it takes.
	ask(visitor, "filters", "f.channel=web", "user", m.users["owner"].String(), "addresses", "evil@example.org").leadsTo(views.PathSchedules)
	list := visitor.get(views.PathSchedules).want(http.StatusOK)
	list.shows("#own-schedules", "Monday to Friday at 08:00, America/New York").shows(".portal-visitor", "Halden Knitwear").shows("title", "Ashby & Vale")
	all, err := m.Reports.ListSchedules(t.Context(), m.actor("admin"))
	if err != nil || len(all) != 1 || all[0].OwnerVisitor.IsZero() || len(all[0].Recipients) != 1 || all[0].Recipients[0].Address != "mara@halden.example" {
		t.Fatalf("%v, %+v", err, all)
	}
	one := all[0]
	zone, _ := time.LoadLocation("America/New_York")
	if at := one.Next.In(zone); at.Hour() != 8 || at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
		t.Errorf("next is %s", at)
	}

	// It runs like any other.
	m.due(t)
	m.work(t)
	run, lines := m.states(t, one.ID)
	if run.State != reports.RunDone || lines["mara@halden.example"].State != reports.LineSent || len(lines) != 1 {
		t.Fatalf("%+v", run)
	}
	got, _ := m.mails(t)
	mail := got["mara@halden.example"][0]
	for name, body := range mail.files {
		if !strings.Contains(body, "web") || strings.Contains(body, "phone") {
			t.Errorf("%s holds %s", name, body)
		}
	}
	unbranded(t, "the visitor", mail, "")
	opened := reports.PathOpened + lines["mara@halden.example"].ID.String()
	other.get(opened).want(http.StatusSeeOther)
	if _, lines = m.states(t, one.ID); !lines["mara@halden.example"].OpenedAt.IsZero() {
		t.Error("somebody else counts as the reader")
	}
	visitor.get(opened).leadsTo(board + "?f.channel=web")
	if _, lines = m.states(t, one.ID); lines["mara@halden.example"].OpenedAt.IsZero() {
		t.Error("nobody noted that it was opened")
	}

	// Nobody else's: not another visitor's, not an editor's, not another workspace's.
	path := views.PathSchedule(one.ID.String())
	other.get(views.PathSchedules).want(http.StatusOK).lacks("#own-schedules")
	for _, act := range []string{"pause", "resume", "delete"} {
		other.post(path + "/" + act).want(http.StatusNotFound)
		m.as(t, "editor").post(path + "/" + act).want(http.StatusNotFound)
		m.as(t, "foreign").post(path + "/" + act).want(http.StatusNotFound)
	}
	for _, act := range []string{"send", "test", "retry", "edit"} {
		visitor.post(path + "/" + act).want(http.StatusNotFound)
	}
	m.as(t, "editor").get(views.PathSchedules).want(http.StatusOK).lacks(".schedule-name")
	foreign := access.Actor{Kind: access.Visitor, TenantID: m.two.ID, VisitorID: one.OwnerVisitor, Role: access.Viewer}
	if list, err := m.Reports.ListSchedules(t.Context(), foreign); err != nil || len(list) > 0 {
		t.Errorf("%v, %+v", err, list)
	}
	// The tenant's people see whose it is, stop it, and change nothing.
	admin := m.as(t, "admin")
	admin.get(path).want(http.StatusOK).shows(".schedule-name", "Visitor’s own: ").lacks(".schedule-foot").lacks("a[href='" + path + "/edit']")
	admin.get(path + "/edit").want(http.StatusForbidden)
	admin.post(path + "/send").want(http.StatusForbidden)
	admin.post(path + "/test").want(http.StatusForbidden)
	if err := m.Reports.UpdateSchedule(t.Context(), m.actor("admin"), one.ID, m.table("viewer")); !errors.Is(err, reports.ErrVisitorsOwn) {
		t.Errorf("an admin changes it: %v", err)
	}
	admin.post(path + "/pause").leadsTo(path)
	visitor.get(views.PathSchedules).want(http.StatusOK).shows("#own-schedules", "Paused for you").lacks("form[action$='/resume']")
	visitor.post(path + "/resume").want(http.StatusConflict)
	admin.post(path + "/resume").leadsTo(path)
	if now := m.read(t, one.ID); now.OwnerVisitor != one.OwnerVisitor || now.Next.IsZero() || !now.Owner.IsZero() {
		t.Errorf("%+v", now)
	}
	visitor.post(path + "/pause").leadsTo(views.PathSchedules)
	admin.post(path + "/resume").want(http.StatusForbidden) // they wanted no more of it
	visitor.get(views.PathSchedules).shows("#own-schedules", "Paused by you")
	visitor.post(path + "/resume").leadsTo(views.PathSchedules)

	// One click in the mail stops it, and it can be resumed.
	unsubscribe := strings.TrimPrefix(strings.Trim(mail.header.Get("List-Unsubscribe"), "<>"), m.base(t))
	m.at.at(t).post(unsubscribe, "List-Unsubscribe", "One-Click").want(http.StatusOK)
	visitor.get(views.PathSchedules).shows("#own-schedules", "you unsubscribed")
	visitor.post(path + "/resume").leadsTo(views.PathSchedules)
	if now := m.read(t, one.ID); now.Recipients[0].Unsubscribed || now.PausedWhy != "" {
		t.Errorf("%+v", now)
	}

	// The portal says no: it pauses when it is due, and nothing more is taken.
	off, on := false, true
	if _, err := m.Portals.Change(t.Context(), m.actor("admin"), m.at.portal, portals.Edit{Schedules: &off}); err != nil {
		t.Fatal(err)
	}
	visitor.get(board).want(http.StatusOK).lacks(`a[href^="/schedules"]`)
	visitor.get(link).want(http.StatusForbidden)
	ask(visitor).want(http.StatusForbidden)
	m.due(t)
	m.work(t)
	if now := m.read(t, one.ID); now.PausedWhy != "portal_off" || len(now.Runs) != 1 {
		t.Errorf("%+v", now)
	}
	admin.get(path).want(http.StatusOK).shows(".schedule-panel", "may not schedule mail")
	if _, err := m.Portals.Change(t.Context(), m.actor("admin"), m.at.portal, portals.Edit{Schedules: &on}); err != nil {
		t.Fatal(err)
	}
	visitor.post(path + "/resume").leadsTo(views.PathSchedules)
	for range 19 {
		ask(visitor).leadsTo(views.PathSchedules)
	}
	ask(visitor).want(http.StatusConflict)
	visitor.post(path + "/delete").leadsTo(views.PathSchedules)

	// A visitor who is removed takes their schedules with them, and the files.
	if err := m.Portals.RemoveVisitor(t.Context(), m.actor("admin"), m.at.portal, one.OwnerVisitor); err != nil {
		t.Fatal(err)
	}
	m.due(t)
	m.insert(t, reports.WatchArgs{})
	m.work(t)
	var left int
	m.count(t, &left, `SELECT count(*) FROM report_schedules`)
	if left != 0 {
		t.Errorf("%d schedules are left", left)
	}
	if got, _ := m.mails(t); len(got["mara@halden.example"]) != 1 {
		t.Errorf("%d mails", len(got["mara@halden.example"]))
	}
}

// A large file is a link on the portal's host, for that visitor alone.
func TestVisitorsLinksAreTheirOwn(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	visitor, other := m.at.invited(t, "mara@halden.example", "attributes", "channel: web"), m.at.invited(t, "ada@other.example", "attributes", "channel: web")
	list, _, err := m.Reports.ListOutsiders(t.Context(), m.actor("admin"), m.board.ID, ids.Schedule{})
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %+v", err, list)
	}
	f := m.table()
	f.LinkAbove = 100
	for _, o := range list {
		if o.Email == "mara@halden.example" {
			f.Visitors = append(f.Visitors, o.Visitor)
		}
	}
	id, err := m.Reports.CreateSchedule(t.Context(), m.actor("admin"), f)
	if err != nil {
		t.Fatal(err)
	}
	m.send(t, m.actor("admin"), id)
	got, _ := m.mails(t)
	link := ""
	for _, u := range hrefOf.FindAllString(got["mara@halden.example"][0].text, -1) {
		if strings.HasPrefix(u, m.base(t)+reports.PathSent) {
			link = strings.TrimPrefix(u, m.base(t))
		}
	}
	if a := visitor.get(link).want(http.StatusOK); strings.Count(a.body, ",web,") != 40 {
		t.Errorf("the file holds %s", a.body)
	}
	other.get(link).want(http.StatusForbidden)
	m.at.at(t).get(link).want(http.StatusSeeOther) // to sign in
	m.as(t, "admin").get(link).want(http.StatusForbidden)
	m.browser(t).get(link).want(http.StatusForbidden)
	if err := m.Portals.SetDashboards(t.Context(), m.actor("admin"), m.at.portal, nil); err != nil {
		t.Fatal(err)
	}
	visitor.get(link).want(http.StatusNotFound)
}

// A visitor's document has the look of their portal, in the file and in its picture's mail.
func TestAVisitorsDocumentIsTheirPortals(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	var pages http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pages.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	printing := chromium.New(chromium.Config{Origin: strings.TrimPrefix(server.URL, "http://"), Stage: PrintStage, Timeout: 8 * time.Minute})
	t.Cleanup(func() { _ = printing.Close() })
	m.renderer = testPrinter{printing}
	m.use(t, m.server.Port, time.Minute)
	pages = NewPrint(m.Reports)
	f := m.table("admin")
	f.Spec = reports.Spec{Format: reports.PDF, Widgets: []string{"sum"}}
	f.Visitors = []ids.Visitor{m.visitor(t, "north@halden.example", "web")}
	id, err := m.Reports.CreateSchedule(t.Context(), m.actor("admin"), f)
	if err != nil {
		t.Fatal(err)
	}
	m.send(t, m.actor("admin"), id)
	got, _ := m.mails(t)
	body := ""
	for name, file := range got["north@halden.example"][0].files {
		if strings.HasSuffix(name, ".pdf") {
			body = file
		}
	}
	text := textOf(t, []byte(body))
	if !strings.Contains(text, "Ashby & Vale") || strings.Contains(strings.ToLower(text+body), "dataflow") {
		t.Errorf("the document says %s", text)
	}
	if strings.Contains(text, "7,260") {
		t.Errorf("the visitor sees the total of everybody: %s", text)
	}
}

package handlers

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/mail/mailtest"
	"github.com/dataflowhq/dataflow/views"
)

// rowsIn counts the rows of the newest mail to somebody, and those of web.
func (m *mailingPortal) rowsIn(t *testing.T, to string) (mails, rows, web int) {
	t.Helper()
	got, _ := m.mails(t)
	list := got[to]
	if len(list) == 0 {
		return 0, 0, 0
	}
	body := list[len(list)-1].files["Rows.csv"]
	return len(list), strings.Count(body, "\n") - 1, strings.Count(body, ",web,")
}

// only leaves a visitor the rows of a channel, and no group.
func (m *mailingPortal) only(t *testing.T, id ids.Visitor, channel string) {
	t.Helper()
	v := portals.Visitor{ID: id, Name: "Mara", Attributes: map[string][]string{"channel": {channel}}}
	if err := m.Portals.ChangeVisitor(t.Context(), m.actor("admin"), m.at.portal, v); err != nil {
		t.Fatal(err)
	}
}

func (m *mailingPortal) made(t *testing.T, f reports.ScheduleForm) ids.Schedule {
	t.Helper()
	id, err := m.Reports.CreateSchedule(t.Context(), m.actor("admin"), f)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Between a file and its mail people leave, and what they may see becomes less: who
// is no recipient any more gets nothing, and the others what they see now.
func TestMailHoldsWhatItsReaderSeesNow(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	admin := m.actor("admin")
	group, err := m.Portals.SaveGroup(t.Context(), admin, m.at.portal, portals.Group{Name: "Partners", Attributes: map[string][]string{"channel": {"web"}}})
	if err != nil {
		t.Fatal(err)
	}
	north, same, two := m.visitor(t, "north@halden.example", "web"), m.visitor(t, "same@halden.example", "web"), m.visitor(t, "two@halden.example", "", group)
	m.visitor(t, "stays@halden.example", "", group)
	member := func(channel string) {
		if err := m.Tenants.SetMemberAttributes(t.Context(), m.owner(), m.users["viewer"], tenants.Attributes{"channel": {channel}}); err != nil {
			t.Fatal(err)
		}
	}
	member("web")
	f := m.table("viewer", "gone@example.org", "less@example.org", "all@example.org")
	f.Attributes = "less@example.org: channel = web, =phone"
	f.Visitors, f.Groups = []ids.Visitor{north, same}, []ids.Group{group}
	id := m.made(t, f)
	if err := m.Reports.SendNow(t.Context(), admin, id, false); err != nil {
		t.Fatal(err)
	}
	m.work(t, "reports:run") // the files are there
	m.only(t, north, "=phone")
	m.only(t, two, "web") // leaves the group
	member("=phone")
	f.Addresses, f.Attributes = []string{"less@example.org", "all@example.org"}, "less@example.org: channel = web"
	if err := m.Reports.UpdateSchedule(t.Context(), admin, id, f); err != nil {
		t.Fatal(err)
	}
	m.work(t)
	run, lines := m.states(t, id)
	if run.State != reports.RunDone {
		t.Errorf("the run is %s", run.State)
	}
	for to, want := range map[string]struct {
		state           reports.LineState
		code            string
		mails, rows, of int
	}{
		"gone@example.org":     {reports.LineSkipped, "reports.taken_out", 0, 0, 0},
		"two@halden.example":   {reports.LineSkipped, "reports.left_group", 0, 0, 0},
		"north@halden.example": {reports.LineSent, "", 1, 40, 0},
		"same@halden.example":  {reports.LineSent, "", 1, 40, 40},
		"stays@halden.example": {reports.LineSent, "", 1, 40, 40},
		"viewer@example.com":   {reports.LineSent, "", 1, 40, 0},
		"less@example.org":     {reports.LineSent, "", 1, 40, 40},
		"all@example.org":      {reports.LineSent, "", 1, 120, 40},
	} {
		l := lines[to]
		mails, rows, web := m.rowsIn(t, to)
		if l.State != want.state || l.ErrorCode != want.code || mails != want.mails || rows != want.rows || web != want.of {
			t.Errorf("%s: %s %s, %d mails of %d rows, %d of web; want %+v", to, l.State, l.ErrorCode, mails, rows, web, want)
		}
	}
}

// Send again, too, sends what the reader sees then; and a mail that may have arrived
// is not sent a second time with what they see no more.
func TestSendAgainHoldsWhatItsReaderSeesNow(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	admin := m.actor("admin")
	north := m.visitor(t, "north@halden.example", "web")
	f := m.table("less@example.org", "gone@example.org")
	f.Attributes, f.Visitors = "less@example.org: channel = web, =phone", []ids.Visitor{north}
	id := m.made(t, f)
	m.answers(&m.refuse, func(string) error { return mailtest.Refuse(550, "not today") })
	lines := m.send(t, admin, id)
	m.refuse.Store(nil)
	m.only(t, north, "=phone")
	f.Addresses, f.Attributes = []string{"less@example.org"}, "less@example.org: channel = web"
	if err := m.Reports.UpdateSchedule(t.Context(), admin, id, f); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"north@halden.example", "less@example.org", "gone@example.org"} {
		if lines[to].State != reports.LineBounced {
			t.Fatalf("%s: %+v", to, lines[to])
		}
		if err := m.Reports.RetryDelivery(t.Context(), admin, id, lines[to].ID); err != nil {
			t.Fatal(err)
		}
	}
	m.work(t)
	for to, want := range map[string][3]int{"north@halden.example": {1, 40, 0}, "less@example.org": {1, 40, 40}, "gone@example.org": {0, 0, 0}} {
		if mails, rows, web := m.rowsIn(t, to); [3]int{mails, rows, web} != want {
			t.Errorf("%s: %d mails of %d rows, %d of web, want %v", to, mails, rows, web, want)
		}
	}

	var once sync.Once
	m.answers(&m.taken, func(to string) error {
		if to != "north@halden.example" {
			return nil
		}
		once.Do(func() { m.only(t, north, "web") })
		return mailtest.ErrDrop
	})
	l := m.send(t, admin, id)["north@halden.example"]
	if mails, _, _ := m.rowsIn(t, "north@halden.example"); mails != 2 || l.State != reports.LineUnknown || l.ErrorCode != "reports.reader_sees_else" {
		t.Errorf("%d mails, %+v", mails, l)
	}
	m.taken.Store(nil)
	if err := m.Reports.RetryDelivery(t.Context(), admin, id, l.ID); err != nil {
		t.Fatal(err)
	}
	m.work(t)
	if mails, rows, web := m.rowsIn(t, "north@halden.example"); mails != 3 || rows != 40 || web != 40 {
		t.Errorf("%d mails, the last of %d rows, %d of web", mails, rows, web)
	}
}

// Who unsubscribed is not subscribed again by somebody else, and who was paused does
// not pass by that with a new schedule.
func TestPausesOfVisitorsOwn(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	visitor := m.at.invited(t, "mara@halden.example", "attributes", "channel: web")
	ask := func() answer {
		t.Helper()
		return visitor.post(views.PathSchedules, "dashboard", m.board.ID.String(), "often", "daily", "hour", "8", "zone", "UTC", "format", "CSV")
	}
	ask().leadsTo(views.PathSchedules)
	all, err := m.Reports.ListSchedules(t.Context(), m.actor("admin"))
	if err != nil || len(all) != 1 {
		t.Fatal(err, len(all))
	}
	id, admin := all[0].ID, m.as(t, "admin")
	path := views.PathSchedule(id.String())
	m.due(t)
	m.work(t)
	got, _ := m.mails(t)
	link := strings.TrimPrefix(strings.Trim(got["mara@halden.example"][0].header.Get("List-Unsubscribe"), "<>"), m.base(t))

	admin.post(path + "/pause").leadsTo(path)
	admin.get(views.PathSchedules).shows(".schedule-when", "Paused by ")
	admin.get(path).shows(".schedule-panel", "can neither delete it nor")
	visitor.get(views.PathSchedules).shows("#own-schedules", "Until whoever runs this site resumes it").lacks("form[action$='/delete']").lacks("form[action$='/resume']")
	for _, act := range []string{"/resume", "/delete"} {
		visitor.post(path + act).want(http.StatusConflict)
	}
	ask().want(http.StatusConflict)

	m.at.at(t).post(link, "List-Unsubscribe", "One-Click").want(http.StatusOK)
	visitor.post(path + "/resume").want(http.StatusConflict) // no way round the pause
	admin.post(path + "/resume").leadsTo(path)
	if one := m.read(t, id); one.PausedAt.IsZero() || one.PausedByMember || one.PausedWhy != "person" {
		t.Errorf("%+v", one)
	}
	admin.get(path).shows(".schedule-panel", "unsubscribed, and resumes it themselves").lacks("form[action$='/resume']")
	admin.post(path + "/resume").want(http.StatusForbidden)
	visitor.get(views.PathSchedules).shows("#own-schedules", "you unsubscribed")
	visitor.post(path + "/resume").leadsTo(views.PathSchedules)
	m.due(t)
	m.work(t)
	if got, _ := m.mails(t); len(got["mara@halden.example"]) != 2 {
		t.Errorf("%d mails", len(got["mara@halden.example"]))
	}
	// What runs although they have unsubscribed stops when it is due.
	m.exec(t, `UPDATE report_recipients SET unsubscribed_at = now()`)
	m.due(t)
	m.work(t)
	if one := m.read(t, id); one.PausedWhy != "person" || one.PausedByMember || len(one.Runs) != 2 {
		t.Errorf("%+v", one)
	}
	visitor.post(path + "/delete").leadsTo(views.PathSchedules)
}

// The list that a form offers is cut; who is a recipient stays one, and others are
// found by their address.
func TestMoreVisitorsThanAFormOffers(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	admin := m.actor("admin")
	last, blocked := m.visitor(t, "zz-last@halden.example", "web"), m.visitor(t, "zy-blocked@halden.example", "web")
	f := m.table()
	f.Visitors = []ids.Visitor{last, blocked}
	id := m.made(t, f)
	m.exec(t, `INSERT INTO portal_visitors (tenant_id, visitor_id, portal_id, email, name, company, attributes)
		SELECT v.tenant_id, gen_random_uuid(), v.portal_id, 'a' || n || '@halden.example', '', 'Halden', '{}' FROM portal_visitors v, generate_series(1, 510) n WHERE v.visitor_id = $1`, last.UUID())
	if err := m.Portals.ChangeVisitor(t.Context(), admin, m.at.portal, portals.Visitor{ID: blocked, Blocked: true}); err != nil {
		t.Fatal(err)
	}
	edit := m.as(t, "admin").get(views.PathSchedule(id.String()) + "/edit").want(http.StatusOK)
	if n := edit.page.Find("input[name=visitor][checked]").Length(); n != 2 {
		t.Errorf("%d are checked", n)
	}
	edit.shows("label:has(#to-"+blocked.String()+")", "gets nothing just now")
	one := m.read(t, id)
	one.Named = []string{"A510@halden.example", "zz-last@halden.example"}
	if err := m.Reports.UpdateSchedule(t.Context(), admin, id, one.ScheduleForm); err != nil {
		t.Fatal(err)
	}
	if one := m.read(t, id); len(one.Visitors) != 3 {
		t.Errorf("%+v", one.Recipients)
	}
	// A new one is not to who is blocked, nor to who is nobody.
	f.Named = []string{"nobody@halden.example"}
	_, err := m.Reports.CreateSchedule(t.Context(), admin, f)
	fields, _ := apperr.Fields(err)
	if !strings.Contains(fields["users"], "does not see the dashboard") || !strings.Contains(fields["named"], "nobody@halden.example") {
		t.Errorf("%v", fields)
	}
}

// Who visits portals is for their managers to list; others name whom they know.
func TestVisitorsAreNotListedForEverybody(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	group, err := m.Portals.SaveGroup(t.Context(), m.actor("admin"), m.at.portal, portals.Group{Name: "Partners"})
	if err != nil {
		t.Fatal(err)
	}
	north := m.visitor(t, "north@halden.example", "web", group)
	m.visitor(t, "other@halden.example", "web")
	editor := m.as(t, "editor")
	form := editor.get(views.PathNewSchedule + "?dashboard=" + m.board.ID.String()).want(http.StatusOK)
	form.lacks("input[name=visitor]").lacks("input[name=visitor_group]").shows("#schedule-named", "")
	if strings.Contains(form.body, "halden.example") || strings.Contains(form.body, "Partners") {
		t.Error("the form names visitors")
	}
	post := func(named string) answer {
		return editor.post(views.PathSchedules, "dashboard", m.board.ID.String(), "when", "daily at 7:00", "format", "CSV", "named", named)
	}
	post("orth@halden.example").want(http.StatusUnprocessableEntity).shows(".field-error", "orth@halden.example").shows("#schedule-named", "orth@halden.example")
	if status := post("North@halden.example\r\npartners").status; status != http.StatusSeeOther {
		t.Fatal(status)
	}
	all, err := m.Reports.ListSchedules(t.Context(), m.actor("editor"))
	if err != nil || len(all) != 1 || len(all[0].Visitors) != 1 || all[0].Visitors[0] != north || len(all[0].Groups) != 1 || all[0].Groups[0] != group {
		t.Fatalf("%v, %+v", err, all)
	}
	edit := editor.get(views.PathSchedule(all[0].ID.String()) + "/edit").want(http.StatusOK)
	edit.shows("label:has(#to-"+north.String()+")", "Mara")
	if n := edit.page.Find("input[name=visitor][checked], input[name=visitor_group][checked]").Length(); n != 2 || strings.Contains(edit.body, "other@halden.example") {
		t.Errorf("%d are checked", n)
	}
	// Another workspace's schedule names nobody.
	foreign := access.Actor{Kind: access.Person, TenantID: m.two.ID, UserID: ids.New[ids.User](), Role: access.Owner}
	if list, _, err := m.Reports.ListOutsiders(t.Context(), foreign, m.board.ID, all[0].ID); err == nil || len(list) > 0 {
		t.Errorf("%v, %+v", err, list)
	}
}

// A portal that lets its visitors take no files has none mailed to them by anybody.
func TestPortalsWithoutFiles(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	admin := m.actor("admin")
	visitor := m.at.invited(t, "mara@halden.example", "attributes", "channel: web")
	f := m.table("a@example.org")
	f.Named = []string{"mara@halden.example"}
	f.LinkAbove = 100
	id := m.made(t, f)
	m.send(t, admin, id)
	got, _ := m.mails(t)
	link := ""
	for _, u := range hrefOf.FindAllString(got["mara@halden.example"][0].text, -1) {
		if strings.HasPrefix(u, m.base(t)+reports.PathSent) {
			link = strings.TrimPrefix(u, m.base(t))
		}
	}
	visitor.get(link).want(http.StatusOK)
	off := false
	if _, err := m.Portals.Change(t.Context(), admin, m.at.portal, portals.Edit{Downloads: &off}); err != nil {
		t.Fatal(err)
	}
	visitor.get(link).want(http.StatusForbidden)
	lines := m.send(t, admin, id)
	if l := lines["mara@halden.example"]; l.State != reports.LineFailed || l.ErrorCode != "reports.portal_no_files" || lines["a@example.org"].State != reports.LineSent {
		t.Errorf("%+v", lines)
	}
	m.as(t, "admin").get(views.PathSchedule(id.String())+"/edit").want(http.StatusOK).shows(".schedule-members label", "gets nothing just now")
	m.as(t, "admin").get(views.PathNewSchedule).want(http.StatusOK).lacks("input[name=visitor]").lacks("#schedule-named")
	_, err := m.Reports.CreateSchedule(t.Context(), admin, f)
	if fields, _ := apperr.Fields(err); !strings.Contains(fields["named"], "lets them take files") {
		t.Errorf("%v", err)
	}
}

// The mail and its file call the dashboard what the portal calls it.
func TestVisitorsMailHasThePortalsName(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	if err := m.Portals.SetDashboards(t.Context(), m.actor("admin"), m.at.portal, []portals.Shown{{Dashboard: m.board.ID, Label: "Your own: <numbers>"}}); err != nil {
		t.Fatal(err)
	}
	visitor := m.at.invited(t, "mara@halden.example", "attributes", "channel: web")
	visitor.post(views.PathSchedules, "dashboard", m.board.ID.String(), "often", "daily", "hour", "8", "zone", "UTC", "format", "CSV").leadsTo(views.PathSchedules)
	m.due(t)
	m.work(t)
	got, _ := m.mails(t)
	mail := got["mara@halden.example"][0]
	if !strings.Contains(mail.text, "Your own: <numbers> in Ashby & Vale") || strings.Contains(mail.text+mail.html, m.board.Name) {
		t.Errorf("the mail says %s", mail.text)
	}
	if _, there := mail.files["Your own- -numbers.csv"]; !there {
		t.Errorf("%d files, none of the name: %v", len(mail.files), mail.files)
	}
}

// A schedule of which nobody is left pauses, and says so; so it does not run for ever.
func TestASchedulePausesWhenNobodyIsLeft(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	admin := m.actor("admin")
	group, err := m.Portals.SaveGroup(t.Context(), admin, m.at.portal, portals.Group{Name: "Partners"})
	if err != nil {
		t.Fatal(err)
	}
	f, beside := m.table(), m.table("a@example.org")
	f.Groups, f.Visitors = []ids.Group{group}, []ids.Visitor{m.visitor(t, "north@halden.example", "web")}
	id := m.made(t, f)
	m.made(t, beside) // due at the same moment
	if err := m.Portals.Delete(t.Context(), admin, m.at.portal); err != nil {
		t.Fatal(err)
	}
	m.as(t, "admin").post(views.PathSchedule(id.String()) + "/send").want(http.StatusConflict)
	m.due(t)
	m.work(t)
	one := m.read(t, id)
	if one.PausedWhy != "nobody_left" || len(one.Runs) != 0 {
		t.Errorf("%+v", one)
	}
	_, letters := m.mails(t)
	if told := letters["admin@example.com"]; len(told) != 1 || !strings.Contains(told[0].subject, "nobody is left") {
		t.Errorf("the owner was told %+v", told)
	}
	if got, _ := m.mails(t); len(got["a@example.org"]) != 1 {
		t.Errorf("the other one sent %d mails", len(got["a@example.org"]))
	}
	page := m.as(t, "admin").get(views.PathSchedule(id.String())).want(http.StatusOK)
	page.shows(".schedule-panel", "all recipients are gone")
	m.as(t, "admin").post(views.PathSchedule(id.String()) + "/resume").want(http.StatusConflict)
	if err := m.Reports.UpdateSchedule(t.Context(), admin, id, beside); err != nil {
		t.Fatal(err)
	}
	m.as(t, "admin").post(views.PathSchedule(id.String()) + "/resume").leadsTo(views.PathSchedule(id.String()))
}

// Attributes without a value are refused: what is kept could not be read back.
func TestAttributesOfAddressesHaveValues(t *testing.T) {
	t.Parallel()
	m := newMailingPortal(t)
	for _, text := range []string{`ada@example.org: channel = ""`, `ada@example.org: channel = " "`, `ada@example.org: channel = "", ""; region = ""`} {
		f := m.table("ada@example.org")
		f.Attributes = text
		_, err := m.Reports.CreateSchedule(t.Context(), m.actor("admin"), f)
		if fields, _ := apperr.Fields(err); !strings.Contains(fields["attributes"], "no attribute has a value") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

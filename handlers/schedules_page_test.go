package handlers

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/views"
)

func TestSchedulingAsAPersonDoes(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	b := s.as(t, "editor")
	b.get(s.path("?f.channel=web")).shows("#dash-menu a", "Schedule by mail")
	form := b.get(views.PathNewSchedule + "?dashboard=" + s.board.ID.String() + "&f.channel=web").want(http.StatusOK)
	form.shows("dialog", "Schedule a report").shows("#schedule-filters", "web").lacks("dialog a[href*='/edit?filters=']")
	if form.page.Find(`input[name=filters][value="f.channel=web"]`).Length() != 1 || form.page.Find(`input[name=user][checked]`).Length() != 1 {
		t.Errorf("%.500s", form.body)
	}
	fields := []string{"dashboard", s.board.ID.String(), "filters", "f.channel=web", "name", "", "trigger", "clock", "when", "soon", "zone", "Europe/London", "format", "CSV",
		"paper", "a4 landscape", "addresses", "a@example.org, nobody", "link_above", "10485760", "resend_unknown", "on"}
	wrong := b.post(views.PathSchedules, fields...).want(http.StatusUnprocessableEntity)
	wrong.shows(".field-error", "“soon” can't be read").shows(".field-error", "nobody")
	fields[9], fields[17] = "weekdays at 8:00", "a@example.org\r\nb@example.org"
	made := b.post(views.PathSchedules, fields...).want(http.StatusSeeOther)
	page := b.get(made.header.Get("Location")).want(http.StatusOK)
	page.shows(".schedule-panel h2", "Trading <b>").shows(".schedule-facts", "Weekdays at 8:00").shows(".schedule-facts", "Channel: web").shows("tr.row-chosen", "CSV · Trading <b>").shows(".nav, nav", "Reports")
	id := strings.TrimPrefix(made.header.Get("Location"), views.PathSchedules+"/")
	b.get(views.PathSchedule(id)+"/edit").want(http.StatusOK).shows("textarea[name=addresses]", "b@example.org")
	fields[5] = "Renamed"
	b.post(views.PathSchedule(id), fields...).want(http.StatusSeeOther)
	// Other filters are chosen on the dashboard, and taken off in the form.
	offered := b.get(views.PathNewSchedule+"?dashboard="+s.board.ID.String()+"&f.channel=phone").want(http.StatusOK).shows("dialog a[href*='/edit?filters=']", "Renamed")
	b.get(offered.page.Find("dialog a[href*='/edit?filters=']").AttrOr("href", "")).want(http.StatusOK).shows("dialog", "Edit schedule").shows("#schedule-filters", "phone").
		shows(`#schedule-filters a[href$="f.channel=phone"]`, "choose other filters")
	b.post(views.PathSchedule(id), append(fields, "no_filters", "on")...).want(http.StatusSeeOther)
	b.get(views.PathSchedule(id) + "/edit").lacks("[name=no_filters]").lacks(`input[name=filters][value*="channel"]`)
	b.post(views.PathSchedule(id), fields...).want(http.StatusSeeOther)
	b.post(views.PathSchedule(id) + "/pause").want(http.StatusSeeOther)
	b.get(views.PathSchedules+"?show=paused&q=RENAM").want(http.StatusOK).shows("tbody", "Renamed").shows("tbody", "Paused by Editor")
	b.get(views.PathSchedules+"?show=active").want(http.StatusOK).shows(".empty-title", "No scheduled reports")
	b.post(views.PathSchedule(id)+"/send").want(http.StatusConflict).shows("h1", "This schedule is paused").shows(`.problem a[href="`+views.PathSchedule(id)+`"]`, "resume").lacks(".problem .icon-refresh-cw")
	b.post(views.PathSchedule(id) + "/resume").want(http.StatusSeeOther)
	b.post(views.PathSchedule(id) + "/test").want(http.StatusSeeOther)
	s.work(t)
	if got, _ := s.mails(t); len(got) != 1 || len(got["editor@example.com"]) != 1 {
		t.Errorf("the test went to %v", got)
	}
	b.get(views.PathSchedule(id)).shows(".schedule-run", "Test").shows(".schedule-why", "The mail server took it")
	b.post(views.PathSchedule(id) + "/delete").want(http.StatusSeeOther)
	b.get(views.PathSchedule(id)).want(http.StatusNotFound)
	var files int
	s.count(t, &files, `SELECT count(*) FROM report_contents`)
	if files != 0 {
		t.Errorf("%d contents are left", files)
	}
	// Viewers schedule nothing and are not offered it.
	v := s.as(t, "viewer")
	v.get(s.path("")).lacks(`#dash-menu [href^="/schedules"]`).lacks(`nav [href="/schedules"]`)
	v.get(views.PathSchedules).want(http.StatusForbidden)
	v.get(views.PathNewSchedule).want(http.StatusForbidden)
	v.post(views.PathSchedules, fields...).want(http.StatusForbidden)
}

// Everything that a stranger asks answers that it does not exist, and so does
// a colleague's schedule to who may not manage the workspace. A method that is
// new must be added here.
func TestOtherWorkspacesFindNoSchedules(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	id := s.create(t, s.table("viewer", "a@example.org"))
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	ran, lines := s.states(t, id)
	line := lines["a@example.org"].ID
	var recipient uuid.UUID
	s.scan(t, &recipient, `SELECT recipient_id FROM report_recipients WHERE address <> ''`)
	stranger := access.Actor{Kind: access.Person, TenantID: s.two.ID, UserID: s.users["foreign"], Role: access.Owner}
	thief := stranger
	thief.UserID = s.users["editor"]
	colleague := s.actor("editor")
	colleague.UserID = s.users["viewer"] // an editor who owns nothing
	for name, a := range map[string]access.Actor{"stranger": stranger, "thief": thief} {
		if path, err := s.Reports.OpenDashboard(t.Context(), a, line); !errors.Is(err, reports.ErrScheduleNotFound) || path != "" {
			t.Errorf("%s OpenDashboard: %s, %v", name, path, err)
		}
	}
	for name, a := range map[string]access.Actor{"stranger": stranger, "thief": thief, "colleague": colleague} {
		for method, call := range map[string]func() error{
			"GetSchedule":    func() error { _, err := s.Reports.GetSchedule(t.Context(), a, id); return err },
			"UpdateSchedule": func() error { return s.Reports.UpdateSchedule(t.Context(), a, id, s.table("a@example.org")) },
			"PauseSchedule":  func() error { return s.Reports.PauseSchedule(t.Context(), a, id) },
			"ResumeSchedule": func() error { return s.Reports.ResumeSchedule(t.Context(), a, id) },
			"DeleteSchedule": func() error { return s.Reports.DeleteSchedule(t.Context(), a, id) },
			"SendNow":        func() error { return s.Reports.SendNow(t.Context(), a, id, false) },
			"SendNow test":   func() error { return s.Reports.SendNow(t.Context(), a, id, true) },
			"OpenPreview":    func() error { _, err := s.Reports.OpenPreview(t.Context(), a, id); return err },
			"OpenDocument":   func() error { _, err := s.Reports.OpenDocument(t.Context(), a, id, false); return err },
			"RetryDelivery":  func() error { return s.Reports.RetryDelivery(t.Context(), a, id, line) },
			"RetryRun":       func() error { _, err := s.Reports.RetryRun(t.Context(), a, id, ran.ID); return err },
		} {
			if err := call(); !errors.Is(err, reports.ErrScheduleNotFound) {
				t.Errorf("%s %s: %v", name, method, err)
			}
		}
		if list, err := s.Reports.ListSchedules(t.Context(), a); err != nil || len(list) != 0 {
			t.Errorf("%s lists %v, %v", name, list, err)
		}
	}
	if _, err := s.Reports.CreateSchedule(t.Context(), stranger, s.table("a@example.org")); apperr.Describe(err).Class != apperr.NotFound {
		t.Errorf("CreateSchedule of another workspace's dashboard: %v", err)
	}
	own := s.table("a@example.org")
	own.Users = []ids.User{s.users["foreign"]}
	if _, err := s.Reports.CreateSchedule(t.Context(), s.editor(), own); !errors.Is(err, reports.ErrScheduleInvalid) {
		t.Errorf("CreateSchedule to a stranger: %v", err)
	}
	if list, err := s.Reports.ListMembers(t.Context(), stranger); err != nil || slices.ContainsFunc(list, func(m reports.Member) bool { return m.ID == s.users["editor"] }) {
		t.Errorf("ListMembers: %v, %v", list, err)
	}
	if _, err := s.Reports.Unsubscribe(t.Context(), s.two.ID, ids.Recipient(recipient), "x"); !errors.Is(err, reports.ErrLink) {
		t.Errorf("Unsubscribe: %v", err)
	}
	if _, err := s.Reports.Subscription(t.Context(), s.two.ID, ids.Recipient(recipient), "x"); !errors.Is(err, reports.ErrLink) {
		t.Errorf("Subscription: %v", err)
	}
	if _, err := s.Reports.OpenSent(t.Context(), stranger, s.two.ID, line, "1", "x"); !errors.Is(err, reports.ErrLink) {
		t.Errorf("OpenSent: %v", err)
	}
	// Jobs of another workspace with our ids do nothing to ours.
	before := len(s.read(t, id).Runs)
	run := s.read(t, id).Runs[0].ID
	err := s.pool.InTenantTx(t.Context(), s.two.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		for _, args := range []jobs.Args{reports.StartArgs{Schedule: id, DueAt: s.read(t, id).Next}, reports.RunArgs{Run: run}, reports.DeliverArgs{Delivery: line}, reports.WatchArgs{}} {
			if _, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: args}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sent := len(s.server.Taken())
	s.work(t)
	if n := len(s.read(t, id).Runs); n != before || len(s.server.Taken()) != sent {
		t.Errorf("%d runs and %d mails, want %d and %d", n, len(s.server.Taken()), before, sent)
	}
	b := s.as(t, "foreign")
	for _, path := range []string{"", "/edit"} {
		b.get(views.PathSchedule(id.String()) + path).want(http.StatusNotFound)
	}
	for _, path := range []string{"", "/send", "/test", "/pause", "/resume", "/delete", "/retry"} {
		b.post(views.PathSchedule(id.String())+path, "delivery", line.String(), "format", "CSV").want(http.StatusNotFound)
	}
	if list := b.get(views.PathSchedules).want(http.StatusOK); strings.Contains(list.body, "Trading") {
		t.Error("strangers list it")
	}
}

package handlers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/mail/mailtest"
	"github.com/dataflowhq/dataflow/views"
)

func TestTroubleWithTheMailServer(t *testing.T) {
	t.Parallel()
	type want struct {
		state    reports.LineState
		copies   int
		attempts int
		says     string
	}
	for name, tc := range map[string]struct {
		refuse, taken func(n int32, to string) error
		never         bool // sent again out of unknown
		want          want
		alarm         bool
	}{
		"greylisting": {refuse: func(n int32, _ string) error { return onFirst(n, 2, mailtest.Refuse(451, "greylisted, come back")) },
			want: want{reports.LineSent, 1, 3, ""}},
		"busy after the message": {taken: func(n int32, _ string) error { return onFirst(n, 1, mailtest.Refuse(452, "disk full")) },
			want: want{reports.LineSent, 2, 2, ""}},
		"one of ten refused": {refuse: func(_ int32, to string) error {
			if to == "p3@example.org" {
				return mailtest.Refuse(550, "no such user here")
			}
			return nil
		}, want: want{reports.LineBounced, 0, 1, "550 5.0.0 no such user here"}, alarm: true},
		"drops before the message": {refuse: func(n int32, _ string) error { return onFirst(n, 1, mailtest.ErrDrop) },
			want: want{reports.LineSent, 1, 2, ""}},
		"drops after DATA": {taken: func(n int32, _ string) error { return onFirst(n, 1, mailtest.ErrDrop) },
			want: want{reports.LineSent, 2, 2, ""}},
		"drops after DATA twice": {taken: func(int32, string) error { return mailtest.ErrDrop },
			want: want{reports.LineUnknown, 2, 2, "nobody can know"}, alarm: true},
		"drops after DATA, never again": {taken: func(int32, string) error { return mailtest.ErrDrop }, never: true,
			want: want{reports.LineUnknown, 1, 1, "nobody can know"}, alarm: true},
		"always busy": {refuse: func(int32, string) error { return mailtest.Refuse(451, "busy") },
			want: want{reports.LineFailed, 0, 4, "451 4.0.0 busy"}, alarm: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScheduleSite(t)
			// The letter to the owner arrives whatever becomes of the report.
			var refused, took atomic.Int32
			on := func(n *atomic.Int32, f func(int32, string) error) func(string) error {
				return func(to string) error {
					if f == nil || to != "p3@example.org" {
						return nil
					}
					return f(n.Add(1), to)
				}
			}
			s.answers(&s.refuse, on(&refused, tc.refuse))
			s.answers(&s.taken, on(&took, tc.taken))
			f := s.table()
			for i := range 10 {
				f.Addresses = append(f.Addresses, fmt.Sprintf("p%d@example.org", i))
			}
			f.ResendUnknown = !tc.never
			id := s.create(t, f)
			if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
				t.Fatal(err)
			}
			s.work(t)
			run, lines := s.states(t, id)
			if run.State != reports.RunDone || len(lines) != 10 {
				t.Errorf("%+v", run)
			}
			got, letters := s.mails(t)
			for address, l := range lines {
				if address == "p3@example.org" {
					continue
				}
				if l.State != reports.LineSent || len(got[address]) != 1 {
					t.Errorf("%s: %+v, %d copies", address, l, len(got[address]))
				}
			}
			l, copies := lines["p3@example.org"], got["p3@example.org"]
			if l.State != tc.want.state || len(copies) != tc.want.copies || l.Attempts != tc.want.attempts || !strings.Contains(l.ErrorText, tc.want.says) || (tc.want.says == "") != (l.ErrorText == "") {
				t.Errorf("%d copies, %+v", len(copies), l)
			}
			for _, m := range copies {
				if m.header.Get("Message-Id") != "<"+l.ID.String()+"@example.com>" {
					t.Errorf("another Message-ID: %s", m.header.Get("Message-Id"))
				}
			}
			if told := letters["editor@example.com"]; (len(told) == 1) != tc.alarm || tc.alarm && !strings.Contains(told[0].text, "p3@example.org: ") {
				t.Errorf("the owner was told %d times: %v", len(told), told)
			}
			if !tc.alarm {
				return
			}
			// The page says why, and a retry mends it.
			page := s.as(t, "editor").get(views.PathSchedule(id.String())).want(http.StatusOK)
			page.shows(".schedule-why", tc.want.says)
			s.refuse.Store(nil)
			s.taken.Store(nil)
			s.as(t, "editor").post(views.PathSchedule(id.String())+"/retry", "delivery", l.ID.String()).want(http.StatusSeeOther)
			s.work(t)
			if _, lines = s.states(t, id); lines["p3@example.org"].State != reports.LineSent {
				t.Errorf("after the retry: %+v", lines["p3@example.org"])
			}
			if again, _ := s.mails(t); len(again["p3@example.org"]) != tc.want.copies+1 || len(again["p4@example.org"]) != 1 {
				t.Errorf("after the retry: %d and %d copies", len(again["p3@example.org"]), len(again["p4@example.org"]))
			}
		})
	}
}

// A server that answers the whole message later than anybody waits has it, perhaps:
// it is sent once more, or never, as the schedule says.
func TestMailServerThatAnswersTooLate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		again  bool
		state  reports.LineState
		copies int
	}{
		"once more": {true, reports.LineSent, 2},
		"never":     {false, reports.LineUnknown, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScheduleSite(t)
			late := make(chan struct{})
			t.Cleanup(func() { close(late) })
			var took atomic.Int32
			s.answers(&s.taken, func(string) error {
				if took.Add(1) == 1 {
					<-late
				}
				return nil
			})
			s.use(t, s.server.Port, 500*time.Millisecond)
			f := s.table("a@example.org")
			f.ResendUnknown = tc.again
			id := s.create(t, f)
			if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
				t.Fatal(err)
			}
			s.work(t, "reports:run", "reports:deliver")
			_, lines := s.states(t, id)
			got, _ := s.mails(t)
			l, copies := lines["a@example.org"], got["a@example.org"]
			if l.State != tc.state || len(copies) != tc.copies {
				t.Errorf("%d copies, %+v", len(copies), l)
			}
			for _, m := range copies {
				if m.header.Get("Message-Id") != "<"+l.ID.String()+"@example.com>" {
					t.Errorf("another Message-ID: %s", m.header.Get("Message-Id"))
				}
			}
		})
	}
}

// A run is sent again from the page of its own schedule only.
func TestARunOfAnotherSchedule(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	s.answers(&s.refuse, func(string) error { return mailtest.Refuse(550, "not today") })
	mine, other := s.create(t, s.table("a@example.org")), s.create(t, s.table("b@example.org"))
	if err := s.Reports.SendNow(t.Context(), s.editor(), other, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	run, _ := s.states(t, other)
	editor := s.as(t, "editor")
	editor.post(views.PathSchedule(mine.String())+"/retry-all", "run", run.ID.String()).want(http.StatusNotFound)
	editor.post(views.PathSchedule(other.String())+"/retry-all", "run", run.ID.String()).want(http.StatusSeeOther)
}

func onFirst(n, first int32, err error) error {
	if n <= first {
		return err
	}
	return nil
}

// A server that is down, or takes the connection and says nothing, is tried
// again; when it is back, each mail arrives once.
func TestMailServerDownOrSlow(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	id := s.create(t, s.table("viewer", "a@example.org"))
	for name, port := range map[string]int{"down": closed.Addr().(*net.TCPAddr).Port, "silent": silent.Addr().(*net.TCPAddr).Port} {
		s.use(t, port, 50*time.Millisecond)
		if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
			t.Fatal(err)
		}
		s.work(t, "reports:run", "reports:deliver")
		run, lines := s.states(t, id)
		for _, l := range lines {
			if l.State != reports.LineFailed || l.Attempts != 4 || l.ErrorCode != "mail.unavailable" {
				t.Errorf("%s: %+v", name, l)
			}
		}
		if run.State != reports.RunDone {
			t.Errorf("%s: %+v", name, run)
		}
		s.use(t, s.server.Port, time.Minute)
		for _, l := range lines {
			if err := s.Reports.RetryDelivery(t.Context(), s.editor(), id, l.ID); err != nil {
				t.Fatal(err)
			}
		}
		s.work(t)
		if _, lines = s.states(t, id); lines["a@example.org"].State != reports.LineSent || lines["viewer@example.com"].State != reports.LineSent {
			t.Errorf("%s, when it is back: %+v", name, lines)
		}
	}
	got, letters := s.mails(t)
	if len(got["a@example.org"]) != 2 || len(got["viewer@example.com"]) != 2 || len(letters["editor@example.com"]) != 2 {
		t.Errorf("%d and %d copies of two runs, %d letters", len(got["a@example.org"]), len(got["viewer@example.com"]), len(letters["editor@example.com"]))
	}
}

// While the mail server is down, the page says what waits and why, and the owner
// hears of it in the app before the attempts are used up. Once the server is
// back, “send again” does so at once, and nothing arrives twice.
func TestOwnersHearThatMailWaits(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	s.patient = true
	s.use(t, closed.Addr().(*net.TCPAddr).Port, time.Second)
	id := s.create(t, s.table("viewer", "a@example.org"))
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t, "reports:run")
	heard := func() []notify.Notification {
		list, err := s.Notify.List(t.Context(), s.editor(), true)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	editor := s.as(t, "editor")
	for attempt := range 7 {
		s.work(t, "reports:deliver")
		want := 0
		if attempt >= 5 {
			want = 1
		}
		if got := heard(); len(got) != want || want == 1 && (got[0].Kind != notify.Report || got[0].Path != views.PathSchedule(id.String()) || !strings.Contains(got[0].Subject, "delayed") || !strings.HasSuffix(got[0].Excerpt, ". And 1 other.")) {
			t.Fatalf("after %d attempts: %+v", attempt+1, got)
		}
		s.due(t)
	}
	page := editor.get(views.PathSchedule(id.String())).want(http.StatusOK)
	page.shows(".notice", "waits for the mail server").shows(".schedule-lines", "It is tried again by itself; 7 attempts so far.")
	s.use(t, s.server.Port, time.Minute)
	s.exec(t, `UPDATE control.jobs SET run_at = now() + interval '1 hour' WHERE kind = 'reports:deliver' AND state = 'queued'`)
	s.work(t, "reports:deliver")
	_, lines := s.states(t, id)
	for _, l := range lines {
		if l.State != reports.LineRendered {
			t.Fatalf("it did not wait: %+v", l)
		}
	}
	again := editor.get(views.PathSchedules).want(http.StatusOK).shows(".notice p", "And 1 other.").page.Find(".notice form")
	for range 2 { // whoever is impatient
		editor.post(again.AttrOr("action", ""), "run", again.Find("[name=run]").AttrOr("value", "")).want(http.StatusSeeOther)
	}
	editor.post(again.AttrOr("action", ""), "run", uuid.NewString()).want(http.StatusNotFound)
	s.work(t, "reports:deliver", "delivery:send")
	got, letters := s.mails(t)
	if len(got["a@example.org"]) != 1 || len(got["viewer@example.com"]) != 1 || len(letters["editor@example.com"]) != 1 {
		t.Errorf("%d and %d copies, letters %v", len(got["a@example.org"]), len(got["viewer@example.com"]), letters)
	}
	if run, lines := s.states(t, id); run.State != reports.RunDone || lines["a@example.org"].State != reports.LineSent || lines["viewer@example.com"].State != reports.LineSent {
		t.Errorf("%+v", run)
	}
}

// A worker that dies between rendering and sending loses nothing and renders
// nothing twice; one that dies between sending and recording leaves a line
// that is unknown, of which there is a second copy at most.
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	for name, resends := range map[string]bool{"once more": true, "never": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScheduleSite(t)
			f := s.table("a@example.org", "b@example.org")
			f.ResendUnknown = resends
			id := s.create(t, f)
			if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
				t.Fatal(err)
			}
			run := s.read(t, id).Runs[0]
			// An attempt whose lease is lost can't close its job: what it did
			// before stands, what it would have recorded with it does not.
			dead := jobs.Ref{ID: uuid.New(), TenantID: s.one.ID.UUID(), Attempt: 9, MaxAttempts: 14}
			if err := s.Reports.RunRun(t.Context(), jobs.Job[reports.RunArgs]{Ref: dead, Args: reports.RunArgs{Run: run.ID}}); !errors.Is(err, jobs.ErrLeaseLost) {
				t.Fatal(err)
			}
			_, lines := s.states(t, id)
			line := lines["a@example.org"]
			if line.State != reports.LineRendered {
				t.Fatalf("%+v", line)
			}
			if err := s.Reports.RunDeliver(t.Context(), jobs.Job[reports.DeliverArgs]{Ref: dead, Args: reports.DeliverArgs{Delivery: line.ID}}); !errors.Is(err, jobs.ErrLeaseLost) {
				t.Fatal(err)
			}
			s.work(t)
			_, lines = s.states(t, id)
			got, _ := s.mails(t)
			a, copies := lines["a@example.org"], got["a@example.org"]
			if resends && (a.State != reports.LineSent || !a.Resent || len(copies) != 2 || copies[0].header.Get("Message-Id") != copies[1].header.Get("Message-Id")) {
				t.Errorf("%d copies, %+v", len(copies), a)
			}
			if !resends && (a.State != reports.LineUnknown || len(copies) != 1) {
				t.Errorf("%d copies, %+v", len(copies), a)
			}
			if b := lines["b@example.org"]; b.State != reports.LineSent || b.Resent || len(got["b@example.org"]) != 1 {
				t.Errorf("%+v", b)
			}
			var contents int
			s.count(t, &contents, `SELECT count(*) FROM report_contents`)
			if contents != 1 {
				t.Errorf("%d contents", contents)
			}
		})
	}
}

func TestPeopleAndDashboardsGo(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	f := s.table("viewer", "admin", "a@example.org")
	id := s.create(t, f)
	if err := s.Tenants.RemoveMember(t.Context(), s.actor("owner"), s.users["viewer"]); err != nil {
		t.Fatal(err)
	}
	s.due(t)
	s.work(t)
	_, lines := s.states(t, id)
	if l := lines["viewer@example.com"]; l.State != reports.LineFailed || l.ErrorCode != "reports.recipient_left" {
		t.Errorf("%+v", l)
	}
	if lines["admin@example.com"].State != reports.LineSent || lines["a@example.org"].State != reports.LineSent {
		t.Errorf("%+v", lines)
	}
	// Its dashboard is deleted: it pauses and tells its owner, once.
	if err := s.Dashboards.Delete(t.Context(), s.editor(), s.board.ID); err != nil {
		t.Fatal(err)
	}
	s.due(t)
	s.work(t)
	one := s.read(t, id)
	if one.PausedWhy != "dashboard_gone" || !one.Next.IsZero() || len(one.Runs) != 1 {
		t.Errorf("%+v", one)
	}
	if _, letters := s.mails(t); len(letters["editor@example.com"]) != 2 || !strings.Contains(letters["editor@example.com"][1].subject, "dashboard was deleted") {
		t.Errorf("%v", letters["editor@example.com"])
	}
	if err := s.Reports.ResumeSchedule(t.Context(), s.editor(), id); apperr.Describe(err).Code != "reports.dashboard_gone" {
		t.Errorf("resumed without its dashboard: %v", err)
	}
	if err := s.Dashboards.Undelete(t.Context(), s.editor(), s.board.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Reports.ResumeSchedule(t.Context(), s.editor(), id); err != nil {
		t.Fatal(err)
	}
	// Its owner leaves: it pauses, the owners of the workspace hear of it, and
	// whoever resumes it has it from then on.
	if err := s.Tenants.RemoveMember(t.Context(), s.actor("owner"), s.users["editor"]); err != nil {
		t.Fatal(err)
	}
	s.due(t)
	s.work(t)
	if one = s.read(t, id); one.PausedWhy != "owner_left" || len(one.Runs) != 1 {
		t.Errorf("%+v", one)
	}
	if _, letters := s.mails(t); len(letters["owner@example.com"]) != 1 || len(letters["both@example.com"]) != 1 || len(letters["editor@example.com"]) != 2 {
		t.Errorf("%v", letters)
	}
	s.as(t, "admin").get(views.PathSchedule(id.String())).want(http.StatusOK).shows(".schedule-panel .notice", "who owns it, left")
	s.as(t, "admin").post(views.PathSchedule(id.String()) + "/resume").want(http.StatusSeeOther)
	if one = s.read(t, id); one.Owner != s.users["admin"] || one.Next.IsZero() || !one.PausedAt.IsZero() {
		t.Errorf("%+v", one)
	}
}

// What did not happen is noticed by its absence, said once, and made up for.
func TestAMissedRunRaisesAnAlarm(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	f := s.table("a@example.org")
	f.When = time.Now().UTC().Add(12 * time.Hour).Format("daily at 15:04") // whatever the hour is, not due again below
	id := s.create(t, f)
	s.exec(t, `DELETE FROM control.jobs`)
	s.insert(t, reports.WatchArgs{})
	s.work(t, "reports:watch")
	if n := len(s.read(t, id).Runs); n != 0 || len(s.server.Taken()) != 0 {
		t.Fatalf("%d runs before it was due", n)
	}
	s.offset.Store(int64(25 * time.Hour))
	for range 2 {
		s.insert(t, reports.WatchArgs{})
		s.work(t, "reports:watch", "delivery:send")
	}
	_, letters := s.mails(t)
	if told := letters["editor@example.com"]; len(told) != 1 || !strings.Contains(told[0].subject, "did not run") {
		t.Fatalf("%v", letters)
	}
	s.due(t)
	s.work(t, "reports:start", "reports:run", "reports:deliver")
	run, lines := s.states(t, id)
	if lines["a@example.org"].State != reports.LineSent || run.State != reports.RunDone {
		t.Errorf("%+v", run)
	}
	if next := s.read(t, id).Next; !next.After(time.Now().Add(25 * time.Hour)) {
		t.Errorf("next is %s", next)
	}
	// A run that began and does not end.
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.offset.Store(int64(28 * time.Hour))
	for range 2 {
		s.insert(t, reports.WatchArgs{})
		s.work(t, "reports:watch", "delivery:send")
	}
	if _, letters = s.mails(t); len(letters["editor@example.com"]) != 2 || !strings.Contains(letters["editor@example.com"][1].subject, "not finished") {
		t.Errorf("%v", letters["editor@example.com"])
	}
}

// fullDisk makes no document while it has an error.
type fullDisk struct{ fails *atomic.Bool }

func (d fullDisk) Render(context.Context, reports.Document) ([]byte, string, error) {
	if d.fails.Load() {
		return nil, "", blob.ErrFull
	}
	return []byte("%PDF-1.4\n2 0 obj\n<</Type /Pages\n/Count 1>>\nendobj\n7 0 obj\n<</Type /Catalog\n/Pages 2 0 R>>\nendobj\n" +
		"xref\n0 8\ntrailer\n<</Size 8\n/Root 7 0 R\n/Info 1 0 R>>\nstartxref\n42\n%%EOF\n"), "{}", nil
}

// A run that is late is told, and that it failed in the end as well.
func TestALateRunThatFails(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	full := &atomic.Bool{}
	full.Store(true)
	s.renderer, s.patient = fullDisk{full}, true
	s.use(t, s.server.Port, time.Minute)
	f := s.table("viewer")
	f.Spec = reports.Spec{Format: reports.PDF}
	id := s.create(t, f)
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	for attempt := range reports.RunOptions.MaxAttempts {
		if attempt == 3 {
			s.offset.Store(int64(3 * time.Hour))
			s.insert(t, reports.WatchArgs{})
			s.work(t, "reports:watch")
		}
		s.work(t, "reports:run")
		s.due(t)
	}
	if run, lines := s.states(t, id); run.State != reports.RunFailed || lines["viewer@example.com"].State != reports.LineFailed {
		t.Fatalf("not given up: %+v, %+v", run, lines)
	}
	s.insert(t, reports.WatchArgs{})
	s.work(t, "reports:watch", "delivery:send")
	_, letters := s.mails(t)
	var told []string
	for _, letter := range letters["editor@example.com"] {
		told = append(told, letter.subject)
	}
	for _, want := range []string{"is not finished", "did not reach everybody"} {
		n := 0
		for _, subject := range told {
			if strings.Contains(subject, want) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%q was told %d times: %q", want, n, told)
		}
	}
}

// everyOther makes every second document, and none once it gives up.
type everyOther struct {
	fullDisk
	asked, gaveUp *atomic.Int32
}

func (e everyOther) Render(ctx context.Context, d reports.Document) ([]byte, string, error) {
	e.fails.Store(e.gaveUp.Load() > 0 || d.Format == reports.PDF && e.asked.Add(1)%2 == 1)
	return e.fullDisk.Render(ctx, d)
}

// A file that can't be made holds up no other, and the run is over with the mails
// that can be sent.
func TestOneFileOfTwoCanBeMade(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	other := everyOther{fullDisk{&atomic.Bool{}}, &atomic.Int32{}, &atomic.Int32{}}
	s.renderer, s.patient = other, true
	s.use(t, s.server.Port, time.Minute)
	s.exec(t, `UPDATE users SET zone = 'Asia/Tokyo', locale = 'de-DE' WHERE email = 'viewer@example.com'`)
	f := s.table("editor", "viewer")
	f.Spec = reports.Spec{Format: reports.PDF}
	id := s.create(t, f)
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	byState := func() map[reports.LineState]int {
		n := map[reports.LineState]int{}
		_, lines := s.states(t, id)
		for _, l := range lines {
			n[l.State]++
		}
		return n
	}
	s.work(t, "reports:run", "reports:deliver")
	if n := byState(); n[reports.LineSent] != 1 || n[reports.LineDue] != 1 {
		t.Fatalf("after one attempt: %v", n)
	}
	other.gaveUp.Store(1)
	for range reports.RunOptions.MaxAttempts {
		s.due(t)
		s.work(t, "reports:run", "reports:deliver")
	}
	if run, _ := s.states(t, id); run.State != reports.RunDone || byState()[reports.LineSent] != 1 || byState()[reports.LineFailed] != 1 {
		t.Errorf("given up: %+v, %v", run, byState())
	}
	s.work(t, "delivery:send")
	if _, letters := s.mails(t); !slices.ContainsFunc(letters["editor@example.com"], func(m message) bool { return strings.Contains(m.subject, "did not reach everybody") }) {
		t.Errorf("the owner was told %v", letters["editor@example.com"])
	}
}

// Of two, one mail was given up and the other one's file waits: sending all again
// reaches both.
func TestSendAgainBesideAFileThatWaits(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	s.renderer, s.patient = everyOther{fullDisk{&atomic.Bool{}}, &atomic.Int32{}, &atomic.Int32{}}, true
	s.use(t, s.server.Port, time.Minute)
	s.exec(t, `UPDATE users SET zone = 'Asia/Tokyo', locale = 'de-DE' WHERE email = 'viewer@example.com'`)
	f := s.table("editor", "viewer")
	f.Spec = reports.Spec{Format: reports.PDF}
	id := s.create(t, f)
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t, "reports:run")
	s.exec(t, `UPDATE report_deliveries SET state = 'failed', error_code = 'mail.unreachable', error_text = 'The mail server can not be reached.' WHERE state = 'rendered'`)
	s.exec(t, `UPDATE control.jobs SET state = 'failed' WHERE kind = 'reports:deliver' AND state = 'queued'`)
	run, _ := s.states(t, id)
	s.as(t, "editor").post(views.PathSchedule(id.String())+"/retry-all", "run", run.ID.String()).want(http.StatusSeeOther)
	for range 3 {
		s.work(t, "reports:run", "reports:deliver")
		s.due(t)
	}
	run, lines := s.states(t, id)
	for _, l := range lines {
		if l.State != reports.LineSent {
			t.Errorf("%s is %s", l.Address, l.State)
		}
	}
	if run.State != reports.RunDone || len(lines) != 2 {
		t.Errorf("the run is %s with %d lines", run.State, len(lines))
	}
	if n := len(s.server.Taken()); n != 2 {
		t.Errorf("%d mails were taken", n)
	}
}

// Nor do those for whom the dashboard can't be opened, however many they are.
func TestWhoCantBeServedHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	s.patient = true
	s.use(t, s.server.Port, time.Minute)
	f := s.table()
	for i := range 7 {
		f.Addresses = append(f.Addresses, fmt.Sprintf("p%d@example.org", i))
	}
	id := s.create(t, f)
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.exec(t, `UPDATE report_recipients SET attributes = '{"a": "x"}' WHERE address <> 'p6@example.org'`) // no list: it can't be read
	s.work(t, "reports:run", "reports:deliver")
	var sent, due int
	s.count(t, &sent, `SELECT count(*) FROM report_deliveries WHERE state = 'sent' AND address = 'p6@example.org'`)
	s.count(t, &due, `SELECT count(*) FROM report_deliveries WHERE state = 'due'`)
	if sent != 1 || due != 6 {
		t.Errorf("%d of 1 is served, %d of 6 wait", sent, due)
	}
}

// Each line says why its own file can't be made, and keeps it until it is tried again.
func TestEachLineHasItsOwnReason(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	full := &atomic.Bool{}
	full.Store(true)
	s.renderer, s.patient = fullDisk{full}, true
	s.use(t, s.server.Port, time.Minute)
	f := s.table("odd@example.org", "even@example.org")
	f.Spec = reports.Spec{Format: reports.PDF}
	id := s.create(t, f)
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.exec(t, `UPDATE report_recipients SET attributes = '{"a": "x"}' WHERE address = 'odd@example.org'`) // no list: it can't be read
	for attempt := range reports.RunOptions.MaxAttempts {
		s.work(t, "reports:run")
		state := "due"
		if attempt == reports.RunOptions.MaxAttempts-1 {
			state = "failed"
		}
		var odd, even string
		s.scan(t, &odd, `SELECT error_code FROM report_deliveries WHERE state = '`+state+`' AND address = 'odd@example.org'`)
		s.scan(t, &even, `SELECT error_code FROM report_deliveries WHERE state = '`+state+`' AND address = 'even@example.org'`)
		if odd == "" || odd == even || even != blob.ErrFull.Code() {
			t.Errorf("attempt %d: %q and %q", attempt, odd, even)
		}
		s.due(t)
	}
}

// That the owner of a schedule can't be read for a moment ends no run.
func TestTheOwnerIsReadAgain(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	id := s.create(t, s.table("viewer"))
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	gone, err := db.Open(t.Context(), db.Config{URL: s.database})
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	there := s.Tenants
	s.Tenants, s.patient = tenants.NewService(tenants.Deps{DB: gone}), true
	s.use(t, s.server.Port, time.Minute)
	s.work(t, "reports:run")
	if run, _ := s.states(t, id); run.State != reports.RunDue {
		t.Fatalf("after an attempt without the database: %+v", run)
	}
	s.Tenants = there
	s.use(t, s.server.Port, time.Minute)
	s.due(t)
	s.work(t, "reports:run", "reports:deliver")
	if run, lines := s.states(t, id); run.State != reports.RunDone || lines["viewer@example.com"].State != reports.LineSent {
		t.Errorf("%+v, %+v", run, lines)
	}
}

// A file that can't be made because the storage is full is tried as long as mail
// is, and the page says why it waits.
func TestAFullStorageIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	full := &atomic.Bool{}
	full.Store(true)
	s.renderer, s.patient = fullDisk{full}, true
	s.use(t, s.server.Port, time.Minute)
	f := s.table("viewer")
	f.Spec = reports.Spec{Format: reports.PDF}
	id := s.create(t, f)
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	for range 7 {
		s.work(t, "reports:run")
		s.due(t)
	}
	_, waiting := s.states(t, id)
	if waiting["viewer@example.com"].State != reports.LineDue {
		t.Fatalf("given up: %+v", waiting)
	}
	s.as(t, "editor").get(views.PathSchedule(id.String())).want(http.StatusOK).
		shows(".notice", "can’t be made yet").shows(".schedule-lines", "The storage is full").shows(".schedule-lines", "The file is made later by itself.")
	heard, err := s.Notify.List(t.Context(), s.editor(), true)
	if err != nil || len(heard) != 1 || !strings.Contains(heard[0].Subject, "delayed") || !strings.Contains(heard[0].Excerpt, "The storage is full") {
		t.Errorf("the owner was told %+v, %v", heard, err)
	}
	// Whoever is impatient uses up no attempt of those it has.
	again := func() {
		s.exec(t, `UPDATE control.jobs SET run_at = now() + interval '1 hour' WHERE kind = 'reports:run' AND state = 'queued'`)
		for range 2 {
			s.as(t, "editor").post(views.PathSchedule(id.String())+"/retry", "delivery", waiting["viewer@example.com"].ID.String()).want(http.StatusSeeOther)
		}
		var waits int
		if s.count(t, &waits, `SELECT count(*) FROM control.jobs WHERE kind = 'reports:run' AND state = 'queued'`); waits != 1 {
			t.Fatalf("%d jobs wait for one run", waits)
		}
		s.work(t, "reports:run", "reports:deliver")
	}
	for range 2 * reports.RunOptions.MaxAttempts {
		again()
	}
	full.Store(false)
	again()
	_, lines := s.states(t, id)
	if l := lines["viewer@example.com"]; l.State != reports.LineSent || l.ErrorText != "" {
		t.Errorf("after space came back: %+v", l)
	}
}

package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/reports"
	mailer "github.com/dataflowhq/dataflow/platform/mail"
	"github.com/dataflowhq/dataflow/platform/mail/mailtest"
	"github.com/dataflowhq/dataflow/views"
)

// bouncing is a scheduleSite whose mail comes back to a mailbox.
func bouncing(t *testing.T) (*scheduleSite, *mailtest.IMAP) {
	t.Helper()
	s, box := newScheduleSite(t), mailtest.StartIMAP(t, true)
	s.bounces = &mailer.Mailbox{Host: box.Host, Port: box.Port, TLS: mailer.TLS, Username: box.Username, Password: box.Password, RootCAs: box.RootCAs}
	s.use(t, s.server.Port, time.Minute)
	return s, box
}

// returns are the addresses that reports come back to, by recipient.
func (s *scheduleSite) returns() map[string]string {
	list := map[string]string{}
	for _, m := range s.server.Taken() {
		list[m.To] = m.From
	}
	return list
}

// A report that comes back is marked in the ledger, its owner hears of all at
// once, and the next run spares the address until somebody clears it.
func TestReportsThatComeBack(t *testing.T) {
	t.Parallel()
	s, box := bouncing(t)
	id := s.create(t, s.table("viewer", "gone@example.org", "full@example.org", "fine@example.org"))
	run := func() map[string]reports.Line {
		t.Helper()
		if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
			t.Fatal(err)
		}
		s.work(t)
		_, lines := s.states(t, id)
		return lines
	}
	run()
	back := s.returns()
	box.Deliver(t, "INBOX", mailtest.Bounce(back["gone@example.org"], "gone@example.org", "failed", "5.1.1", "550 5.1.1 no such user"))
	box.Deliver(t, "INBOX", mailtest.Bounce(back["full@example.org"], "full@example.org", "failed", "5.2.2", "552 5.2.2 over quota"))
	for range 2 {
		if err := s.Delivery.ReadInstallationBounces(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.work(t)
	}
	_, lines := s.states(t, id)
	if l := lines["gone@example.org"]; l.State != reports.LineBounced || l.ErrorText != "There is no such mailbox. The mail server said: 550 5.1.1 no such user" {
		t.Errorf("%+v", l)
	}
	if l := lines["full@example.org"]; l.State != reports.LineBounced || !strings.HasPrefix(l.ErrorText, "The mailbox is full.") {
		t.Errorf("%+v", l)
	}
	if l := lines["fine@example.org"]; l.State != reports.LineSent {
		t.Errorf("%+v", l)
	}
	s.exec(t, `UPDATE control.jobs SET run_at = now() WHERE kind = 'reports:bounces'`) // its time has come
	s.work(t)
	_, letters := s.mails(t)
	told := letters["editor@example.com"]
	if len(told) != 1 || !strings.Contains(told[0].subject, "came back") || !strings.Contains(told[0].text, "gone@example.org: There is no such mailbox.") || !strings.Contains(told[0].text, "full@example.org: ") {
		t.Fatalf("the owner was told %d times: %v", len(told), told)
	}
	s.as(t, "editor").get(views.PathSchedule(id.String())).want(http.StatusOK).shows(".schedule-why", "There is no such mailbox")

	lines = run()
	if l := lines["gone@example.org"]; l.State != reports.LineBounced || !strings.Contains(l.ErrorText, "Nothing was sent: mail to this address came back") || l.Attempts != 0 {
		t.Errorf("sent again: %+v", l)
	}
	if l := lines["full@example.org"]; l.State != reports.LineSent {
		t.Errorf("a full mailbox: %+v", l)
	}
	admin := s.as(t, "admin")
	admin.get(views.PathMailSettings).want(http.StatusOK).shows("#mail-addresses .mail-address", "gone@example.org")
	admin.post(views.PathMailClear, "address", "gone@example.org").want(http.StatusSeeOther)
	admin.get(views.PathMailSettings).want(http.StatusOK).lacks("#mail-addresses .mail-address")
	if l := run()["gone@example.org"]; l.State != reports.LineSent {
		t.Errorf("after clearing: %+v", l)
	}
	got, _ := s.mails(t)
	if len(got["gone@example.org"]) != 2 || len(got["fine@example.org"]) != 3 {
		t.Errorf("%d and %d copies", len(got["gone@example.org"]), len(got["fine@example.org"]))
	}
	// Nothing of a complaint came back.
	s.exec(t, `INSERT INTO mail_bounces (tenant_id, bounce_id, address, kind, lasting, status, reason)
		SELECT tenant_id, gen_random_uuid(), 'fine@example.org', 'complaint', true, '', 'The recipient marked a mail as unwanted.' FROM report_schedules LIMIT 1`)
	if l := run()["fine@example.org"]; l.State != reports.LineBounced || !strings.HasPrefix(l.ErrorText, "Nothing was sent: the recipient marked a mail as unwanted on ") {
		t.Errorf("after a complaint: %+v", l)
	}
}

// A mail server that knows no such recipient says at once what a returned mail says
// later: the address is listed, and the next run spares it until somebody clears it.
func TestAnAddressThatTheMailServerDoesNotKnow(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	var asked atomic.Int32
	s.answers(&s.refuse, func(to string) error {
		switch to {
		case "gone@example.org":
			asked.Add(1)
			return mailtest.NoMailbox("no such user here")
		case "strict@example.org":
			return mailtest.Refuse(550, "not from you")
		}
		return nil
	})
	id := s.create(t, s.table("gone@example.org", "strict@example.org", "fine@example.org"))
	run := func() map[string]reports.Line {
		t.Helper()
		if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
			t.Fatal(err)
		}
		s.work(t)
		_, lines := s.states(t, id)
		return lines
	}
	lines := run()
	if l := lines["gone@example.org"]; l.State != reports.LineBounced || l.ErrorText != "There is no such mailbox. The mail server said: 550 5.1.1 no such user here" {
		t.Errorf("%+v", l)
	}
	if l := lines["strict@example.org"]; l.State != reports.LineBounced || !strings.HasPrefix(l.ErrorText, "The mail server refused the message: 550") {
		t.Errorf("%+v", l)
	}
	admin := s.as(t, "admin")
	admin.get(views.PathMailSettings).want(http.StatusOK).shows("#mail-addresses .mail-address", "gone@example.org").shows("#mail-addresses .mail-reason", "There is no such mailbox.")
	lines = run()
	if l := lines["gone@example.org"]; l.State != reports.LineBounced || !strings.Contains(l.ErrorText, "Nothing was sent: mail to this address came back") || asked.Load() != 1 {
		t.Errorf("asked %d times: %+v", asked.Load(), l)
	}
	if l := lines["fine@example.org"]; l.State != reports.LineSent {
		t.Errorf("%+v", l)
	}
	for n := range 2 {
		admin.post(views.PathMailClear, "address", "gone@example.org").want(http.StatusSeeOther)
		admin.get(views.PathMailSettings).want(http.StatusOK).lacks("#mail-addresses .mail-address")
		run()
		admin.get(views.PathMailSettings).want(http.StatusOK).shows("#mail-addresses .mail-address", "gone@example.org")
		if asked.Load() != int32(n+2) {
			t.Errorf("asked %d times", asked.Load())
		}
	}
}

// Whoever retries a line sends it, whatever came back before.
func TestARetryIsSentWhateverCameBack(t *testing.T) {
	t.Parallel()
	s, box := bouncing(t)
	id := s.create(t, s.table("gone@example.org"))
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	box.Deliver(t, "INBOX", mailtest.Bounce(s.returns()["gone@example.org"], "gone@example.org", "failed", "5.1.1", "550 no"))
	if err := s.Delivery.ReadInstallationBounces(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	_, lines := s.states(t, id)
	s.as(t, "editor").post(views.PathSchedule(id.String())+"/retry", "delivery", lines["gone@example.org"].ID.String()).want(http.StatusSeeOther)
	s.work(t)
	if _, lines = s.states(t, id); lines["gone@example.org"].State != reports.LineSent {
		t.Errorf("%+v", lines["gone@example.org"])
	}
	if got, _ := s.mails(t); len(got["gone@example.org"]) != 2 {
		t.Errorf("%d copies", len(got["gone@example.org"]))
	}
}

// That a report was opened is known of its recipient, and of nobody else: not of
// who looks at links in mails, and not of who was sent the mail on.
func TestOpenedReports(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	var took atomic.Int32
	s.answers(&s.taken, func(to string) error {
		if to == "viewer@example.com" {
			return onFirst(took.Add(1), 9, mailtest.ErrDrop)
		}
		return nil
	})
	f := s.table("viewer")
	f.ResendUnknown, f.Spec.Filters = false, "f.channel=web"
	id := s.create(t, f)
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	_, lines := s.states(t, id)
	line := lines["viewer@example.com"]
	if line.State != reports.LineUnknown || !line.OpenedAt.IsZero() {
		t.Fatalf("%+v", line)
	}
	got, _ := s.mails(t)
	link := s.url + reports.PathOpened + line.ID.String()
	if m := got["viewer@example.com"][0]; !strings.Contains(m.text, link) || !strings.Contains(m.html, link) {
		t.Fatalf("%s is not in %q", link, m.text)
	}
	path := reports.PathOpened + line.ID.String()
	answer := s.browser(t).get(path).want(http.StatusSeeOther)
	if next := answer.header.Get("Location"); !strings.HasPrefix(next, views.PathSignIn) || !strings.Contains(next, url.QueryEscape(path)) {
		t.Errorf("nobody is led to %s", next)
	}
	board := s.path("") + "?f.channel=web"
	for _, who := range []string{"editor", "admin"} {
		if next := s.as(t, who).get(path).want(http.StatusSeeOther).header.Get("Location"); next != board {
			t.Errorf("%s is led to %s", who, next)
		}
	}
	if _, lines = s.states(t, id); !lines["viewer@example.com"].OpenedAt.IsZero() {
		t.Error("opened by somebody else")
	}
	if next := s.as(t, "viewer").get(path).want(http.StatusSeeOther).header.Get("Location"); next != board {
		t.Errorf("the recipient is led to %s", next)
	}
	// Whoever reads it has it: now it is known that it arrived.
	_, lines = s.states(t, id)
	if line = lines["viewer@example.com"]; line.OpenedAt.IsZero() || line.State != reports.LineSent || line.ErrorText != "" {
		t.Errorf("%+v", line)
	}
	s.as(t, "editor").get(views.PathSchedule(id.String())).want(http.StatusOK).shows(".schedule-panel", "The link was opened on")
	s.as(t, "foreign").get(path).want(http.StatusNotFound)
}

// The settings as somebody uses them: a server with a wrong password, put right,
// a key, a mailbox and a webhook.
func TestMailSettingsAsAPersonDoes(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t, true) // the installation has no server
	own := mailtest.Start(t, mailtest.Options{Username: "acme", Password: "correct horse"})
	s.server.RootCAs.AddCert(own.Certificate)
	admin := s.as(t, "admin")
	admin.get(views.PathMailSettings).want(http.StatusOK).shows(".mail-note", "This installation sends no mail")
	form := func(pairs ...string) []string {
		values := map[string]string{"host": own.Host, "port": strconv.Itoa(own.Port), "tls": "starttls", "username": "acme", "password": "correct horse",
			"from_name": "Ashby", "from_address": "reports@acme.test", "bounce_address": ""}
		for i := 0; i < len(pairs); i += 2 {
			values[pairs[i]] = pairs[i+1]
		}
		var list []string
		for name, value := range values {
			list = append(list, name, value)
		}
		return list
	}
	page := admin.post(views.PathMailServer, form("from_name", "Ashby\r\nBcc: eve@example.com", "port", "x")...).want(http.StatusUnprocessableEntity)
	page.shows("#mail-server", "on one line")
	page.shows("#mail-server", "between 1 and 65535")
	if strings.Contains(page.body, "correct horse") {
		t.Error("the password came back")
	}
	admin.post(views.PathMailServer, form("password", "battery staple")...).want(http.StatusSeeOther)
	admin.post(views.PathMailTest).want(http.StatusUnprocessableEntity).shows("#mail-server .notice", "refused our sign-in. Check user name and password")
	admin.post(views.PathMailServer, form()...).want(http.StatusSeeOther)
	admin.post(views.PathMailTest).want(http.StatusSeeOther)
	if got := own.Next(t); got.To != "admin@example.com" || !strings.Contains(got.Data, "Ashby") {
		t.Errorf("got %+v", got)
	}
	admin.get(views.PathMailSettings).want(http.StatusOK).shows(".flash, .notice", "It said: 250 ")
	admin.post(views.PathMailKey).want(http.StatusSeeOther)
	admin.get(views.PathMailSettings).want(http.StatusOK).shows("#mail-key", "Not in the DNS yet")
	admin.post(views.PathMailbox, "host", "", "port", "993", "tls", "tls", "username", "", "password", "").want(http.StatusUnprocessableEntity).shows("#mail-bounces", "Write the name of a server")
	made := admin.post(views.PathMailHook).want(http.StatusOK)
	made.shows("#mail-hook", "it is shown once")
	if made.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the key may be kept: %v", made.header)
	}
	// Reports go out by it, too.
	id := s.create(t, s.table("viewer"))
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	if _, lines := s.states(t, id); lines["viewer@example.com"].State != reports.LineSent {
		t.Errorf("%+v", lines)
	}
	if got := own.Next(t); got.To != "viewer@example.com" || got.User != "acme" {
		t.Errorf("got %+v", got)
	}
	for _, who := range []string{"editor", "viewer"} {
		s.as(t, who).get(views.PathMailSettings).want(http.StatusForbidden)
		s.as(t, who).post(views.PathMailTest).want(http.StatusForbidden)
	}
	s.as(t, "foreign").get(views.PathMailSettings).want(http.StatusOK).lacks("#mail-key")
}

// A provider's message comes in without a session, and needs its signature.
func TestProviderTellsOverHTTP(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	body := `{"events": [{"event": "complaint", "recipient": "a@example.org"}]}`
	post := func(path string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	if status := post(views.PathMailEvents + s.one.ID.String()); status != http.StatusForbidden {
		t.Errorf("without a signature: %d", status)
	}
	if status := post(views.PathMailEvents + "nobody"); status != http.StatusNotFound {
		t.Errorf("for nobody: %d", status)
	}
	var m delivery.Mail
	m, err := s.Delivery.GetMail(t.Context(), s.actor("admin"))
	if err != nil || len(m.Bounced) != 0 {
		t.Errorf("%+v, %v", m.Bounced, err)
	}
}

// That the own database has no room is no answer of another server.
func TestMailSettingsOnAFullDisk(t *testing.T) {
	t.Parallel()
	if err := (mailSettings{}).failed(nil, nil, db.ErrDiskFull, "server", nil); !errors.Is(err, db.ErrDiskFull) {
		t.Errorf("it is shown as a field's: %v", err)
	}
}

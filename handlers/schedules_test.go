package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/apperr"
	chromium "github.com/dataflowhq/dataflow/platform/browser"
	"github.com/dataflowhq/dataflow/platform/jobs"
	mailer "github.com/dataflowhq/dataflow/platform/mail"
	"github.com/dataflowhq/dataflow/platform/mail/mailtest"
	"github.com/dataflowhq/dataflow/platform/outbound"
	"github.com/dataflowhq/dataflow/platform/sftp/sftptest"
	"github.com/dataflowhq/dataflow/views"
)

// scheduleSite is a boardSite whose reports go to a real mail server. refuse
// and taken are what that server answers.
type scheduleSite struct {
	*boardSite
	server        *mailtest.Server
	refuse, taken atomic.Pointer[func(to string) error]
	runner        *jobs.Runner
	offset        atomic.Int64 // of the clock
	renderer      reports.Renderer
	bounces       *mailer.Mailbox // where mail comes back to
}

func newScheduleSite(t *testing.T, kept ...bool) *scheduleSite {
	t.Helper()
	s := &scheduleSite{}
	answer := func(p *atomic.Pointer[func(string) error]) func(string) error {
		return func(to string) error {
			if f := p.Load(); f != nil {
				return (*f)(to)
			}
			return nil
		}
	}
	s.server = mailtest.Start(t, mailtest.Options{Answer: answer(&s.refuse), Taken: answer(&s.taken)})
	s.boardSite = newBoardSite(t, func(b *boardSite) {
		s.boardSite = b
		if len(kept) > 0 {
			s.wire(nil)
		} else {
			s.use(t, s.server.Port, time.Minute)
		}
	})
	return s
}

// use sends through a port from now on.
func (s *scheduleSite) use(t *testing.T, port int, timeout time.Duration) {
	t.Helper()
	sender, err := mailer.New(mailer.Config{Host: s.server.Host, Port: port, From: "DataFlow <bi@example.com>", RootCAs: s.server.RootCAs, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	s.wire(sender)
}

func (s *scheduleSite) wire(sender delivery.Sender) {
	address := func() string { return s.url }
	s.Delivery = delivery.NewService(delivery.Deps{DB: s.pool, Tenants: s.Tenants, Sender: sender, Blobs: s.blobs, ShowBodies: true, Renderer: views.Letters{Address: address},
		Outbound: outbound.New(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}), RootCAs: s.server.RootCAs,
		Secret: s.SessionKey, BounceAddress: "bounces@example.com", Bounces: s.bounces})
	s.Reports = reports.New(reports.Deps{DB: s.pool, Blobs: s.blobs, Tenants: s.Tenants, Dashboards: s.Dashboards, Words: ReportWords, Key: s.SessionKey,
		Mail: s.Delivery, Address: address, Renderer: s.renderer, Clock: func() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }})
	s.runner = jobs.NewRunner(jobs.Config{Store: s.pool, Log: slog.New(slog.DiscardHandler)})
	fast := func(o jobs.Options) jobs.Options {
		o.Backoff, o.MaxBackoff, o.MaxAttempts = time.Nanosecond, time.Nanosecond, 4
		return o
	}
	jobs.Bind(s.runner, fast(reports.StartOptions), s.Reports.RunStart)
	jobs.Bind(s.runner, fast(reports.RunOptions), s.Reports.RunRun)
	jobs.OnFailed(s.runner, s.Reports.RunFailed)
	jobs.Bind(s.runner, fast(reports.DeliverOptions), s.Reports.RunDeliver)
	jobs.OnFailed(s.runner, s.Reports.DeliverFailed)
	jobs.Bind(s.runner, fast(reports.WatchOptions), s.Reports.RunWatch)
	jobs.Bind(s.runner, jobs.Options{}, s.Reports.RunBounced)
	jobs.Bind(s.runner, jobs.Options{}, s.Reports.RunTellBounces)
	jobs.Bind(s.runner, fast(delivery.SendOptions), s.Delivery.RunSend)
	jobs.OnFailed(s.runner, s.Delivery.RecordFailure)
}

func (s *scheduleSite) answers(p *atomic.Pointer[func(string) error], f func(to string) error) {
	p.Store(&f)
}

// due makes all jobs due that wait for their time.
func (s *scheduleSite) due(t *testing.T) {
	s.exec(t, `UPDATE control.jobs SET run_at = now() WHERE state = 'queued' AND run_at > now()`)
}

// work runs due jobs of the kinds given, or of all, until none is left.
func (s *scheduleSite) work(t *testing.T, kinds ...string) {
	t.Helper()
	if len(kinds) == 0 {
		kinds = s.runner.Kinds()
	}
	for worked := true; worked; {
		worked = false
		for _, queue := range []jobs.Queue{jobs.Short, jobs.Bulk} {
			rows, err := s.pool.DispatchJobs(t.Context(), jobs.Dispatch{Queue: queue, Kinds: kinds, Waiting: 50, PerTenant: 50, Hold: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				worked = true
				s.runner.Do(t.Context(), row.ID, row.Kind, row.Attempt)
			}
		}
	}
}

func (s *scheduleSite) actor(name string) access.Actor {
	role := access.Role(name)
	if name == "both" {
		role = access.Owner
	}
	return access.Actor{Kind: access.Person, TenantID: s.one.ID, UserID: s.users[name], Role: role}
}

// table is a schedule of the table as CSV.
func (s *scheduleSite) table(to ...string) reports.ScheduleForm {
	f := reports.ScheduleForm{Dashboard: s.board.ID, Name: "Trading daily", When: "daily at 7:00", ResendUnknown: true,
		Spec: reports.Spec{Format: reports.CSV, Widgets: []string{"table"}}}
	for _, name := range to {
		if strings.Contains(name, "@") {
			f.Addresses = append(f.Addresses, name)
		} else {
			f.Users = append(f.Users, s.users[name])
		}
	}
	return f
}

func (s *scheduleSite) create(t *testing.T, f reports.ScheduleForm) ids.Schedule {
	t.Helper()
	id, err := s.Reports.CreateSchedule(t.Context(), s.editor(), f)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (s *scheduleSite) read(t *testing.T, id ids.Schedule) reports.Schedule {
	t.Helper()
	one, err := s.Reports.GetSchedule(t.Context(), s.actor("admin"), id)
	if err != nil {
		t.Fatal(err)
	}
	return one
}

// states are the lines of the newest run, by address.
func (s *scheduleSite) states(t *testing.T, id ids.Schedule) (run reports.ScheduleRun, lines map[string]reports.Line) {
	t.Helper()
	one := s.read(t, id)
	lines = map[string]reports.Line{}
	if len(one.Runs) == 0 {
		t.Fatal("it did not run")
	}
	for _, l := range one.Runs[0].Lines {
		lines[l.Address] = l
	}
	return one.Runs[0], lines
}

// mails are the reports that the server has, by recipient; letters the other
// mails.
func (s *scheduleSite) mails(t *testing.T) (reportsTo map[string][]message, letters map[string][]message) {
	t.Helper()
	reportsTo, letters = map[string][]message{}, map[string][]message{}
	for _, received := range s.server.Taken() {
		m := parseMail(t, received.Data)
		if m.header.Get("List-Unsubscribe") != "" || len(m.files) > 0 || strings.Contains(m.text, "/reports/sent/") {
			reportsTo[received.To] = append(reportsTo[received.To], m)
		} else {
			letters[received.To] = append(letters[received.To], m)
		}
	}
	return reportsTo, letters
}

type message struct {
	header     mail.Header
	subject    string
	text, html string
	files      map[string]string
}

func parseMail(t *testing.T, data string) message {
	t.Helper()
	raw, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	m := message{header: raw.Header, files: map[string]string{}}
	if m.subject, err = new(mime.WordDecoder).DecodeHeader(raw.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	var walk func(kind string, part *multipart.Reader)
	walk = func(kind string, part *multipart.Reader) {
		for {
			p, err := part.NextPart()
			if err != nil {
				return
			}
			media, params, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(media, "multipart/") {
				walk(media, multipart.NewReader(p, params["boundary"]))
				continue
			}
			var b strings.Builder
			buffer := make([]byte, 4096)
			for {
				n, err := p.Read(buffer)
				b.Write(buffer[:n])
				if err != nil {
					break
				}
			}
			body := b.String()
			if p.Header.Get("Content-Transfer-Encoding") == "base64" {
				plain, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\r", "", "\n", "").Replace(body))
				if err != nil {
					t.Fatal(err)
				}
				body = string(plain)
			}
			switch name := p.FileName(); {
			case name != "":
				m.files[name] = body
			case media == "text/plain":
				m.text = body
			case media == "text/html":
				m.html = body
			}
		}
	}
	media, params, err := mime.ParseMediaType(raw.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	walk(media, multipart.NewReader(raw.Body, params["boundary"]))
	return m
}

func TestAScheduleRunsAndAsksForItsNext(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	f := s.table("editor", "viewer", "buyer@example.org")
	f.Spec.Filters = "f.channel=web"
	id := s.create(t, f)
	before := s.read(t, id)
	if before.Next.IsZero() || before.Next.Minute() != 0 || len(before.Recipients) != 3 {
		t.Fatalf("%+v", before)
	}
	s.due(t)
	s.work(t)
	run, lines := s.states(t, id)
	if run.State != reports.RunDone || run.Cause != "time" || !run.DueAt.Equal(before.Next) || len(lines) != 3 {
		t.Fatalf("%+v", run)
	}
	for address, l := range lines {
		if l.State != reports.LineSent || !strings.HasPrefix(l.Answer, "250 ") || l.Attempts != 1 || l.SentAt.IsZero() {
			t.Errorf("%s: %+v", address, l)
		}
	}
	after := s.read(t, id)
	if !after.Next.Equal(before.Next.AddDate(0, 0, 1)) {
		t.Errorf("next is %s after %s", after.Next, before.Next)
	}
	got, letters := s.mails(t)
	if len(letters) > 0 {
		t.Errorf("letters %v", letters)
	}
	for _, to := range []string{"editor@example.com", "viewer@example.com", "buyer@example.org"} {
		if len(got[to]) != 1 {
			t.Fatalf("%s got %d", to, len(got[to]))
		}
		m := got[to][0]
		if !strings.HasPrefix(m.subject, "Trading daily, ") || m.header.Get("Message-Id") != "<"+lines[to].ID.String()+"@example.com>" {
			t.Errorf("%s: %q, %s", to, m.subject, m.header.Get("Message-Id"))
		}
		if m.header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" || !strings.HasPrefix(m.header.Get("List-Unsubscribe"), "<"+s.url+"/reports/unsubscribe/") {
			t.Errorf("%s: %v", to, m.header)
		}
		if body := m.files["Rows.csv"]; strings.Count(body, "\n") != 41 || strings.Contains(body, "=phone") {
			t.Errorf("%s: files %.200q", to, m.files)
		}
		if !strings.Contains(m.text, "Rows.csv") || !strings.Contains(m.html, "Rows.csv") {
			t.Errorf("%s: text %q", to, m.text)
		}
		// An address alone has no account that the dashboard would open for.
		if hasLink := strings.Contains(m.text, s.url+reports.PathOpened+lines[to].ID.String()); hasLink == (to == "buyer@example.org") {
			t.Errorf("%s: link %t", to, hasLink)
		}
	}
	// The same moment once more does nothing.
	s.start(t, id, before.Next)
	s.work(t)
	if n := len(s.read(t, id).Runs); n != 1 {
		t.Errorf("%d runs of one moment", n)
	}
}

// start asks for the run of a moment.
func (s *scheduleSite) start(t *testing.T, id ids.Schedule, at time.Time) {
	t.Helper()
	s.insert(t, reports.StartArgs{Schedule: id, DueAt: at})
}

func (s *scheduleSite) insert(t *testing.T, args jobs.Args) (job uuid.UUID) {
	t.Helper()
	err := s.pool.InTenantTx(t.Context(), s.one.ID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		job, err = jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: args})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// Who sees the same gets the same file, made once; who does not gets another.
func TestEqualContentIsRenderedOnce(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	s.exec(t, `UPDATE users SET zone = 'Asia/Tokyo', locale = 'de-DE' WHERE email = 'viewer@example.com'`)
	id := s.create(t, s.table("editor", "viewer", "a@example.org", "b@example.org"))
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	var contents int
	s.count(t, &contents, `SELECT count(*) FROM report_contents`)
	if contents != 2 {
		t.Errorf("%d contents, want one in German and one for three", contents)
	}
	got, _ := s.mails(t)
	if german := got["viewer@example.com"][0].files["Rows.csv"]; !strings.Contains(german, "At;Channel;Amount") {
		t.Errorf("German: %.80q", german)
	}
	if a, b := got["a@example.org"][0].files["Rows.csv"], got["editor@example.com"][0].files["Rows.csv"]; a != b || a == "" {
		t.Errorf("%.80q and %.80q", a, b)
	}
}

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

func (s *scheduleSite) count(t *testing.T, into *int, query string) {
	t.Helper()
	s.scan(t, into, query)
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
	if err := s.Reports.ResumeSchedule(t.Context(), s.editor(), id); apperr.Describe(err).Class != apperr.NotFound {
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
	id := s.create(t, s.table("a@example.org"))
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

func TestWhenTheDataIsNew(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	f := s.table("a@example.org")
	f.OnData, f.When = true, ""
	id := s.create(t, f)
	look := func() int {
		t.Helper()
		if err := s.Reports.DataChanged(t.Context(), s.one.ID); err != nil {
			t.Fatal(err)
		}
		s.due(t)
		s.work(t)
		return len(s.read(t, id).Runs)
	}
	if n := look(); n != 0 {
		t.Errorf("%d runs before anything changed", n)
	}
	s.add(t, 120, 130)
	s.add(t, 130, 140)
	if n := look(); n != 1 {
		t.Errorf("%d runs of two changes at once", n)
	}
	if n := look(); n != 1 {
		t.Errorf("%d runs without a change", n)
	}
	got, _ := s.mails(t)
	if body := got["a@example.org"][0].files["Rows.csv"]; strings.Count(body, "\n") != 141 {
		t.Errorf("%d lines", strings.Count(body, "\n"))
	}
	if run := s.read(t, id).Runs[0]; run.Cause != "data" {
		t.Errorf("%+v", run)
	}
}

func TestOnlyIfNotEmpty(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	f := s.table("a@example.org", "viewer")
	f.OnlyIfRows = true
	f.Spec.Filters = "f.channel=nothing"
	id := s.create(t, f)
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	run, lines := s.states(t, id)
	if run.State != reports.RunDone || lines["a@example.org"].State != reports.LineSkipped || lines["a@example.org"].ErrorCode != "reports.no_rows" || len(s.server.Taken()) != 0 {
		t.Errorf("%+v", run)
	}
	f.Spec.Filters = "f.channel=web"
	if err := s.Reports.UpdateSchedule(t.Context(), s.editor(), id, f); err != nil {
		t.Fatal(err)
	}
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	if _, lines = s.states(t, id); lines["a@example.org"].State != reports.LineSent {
		t.Errorf("%+v", lines)
	}
}

var hrefOf = regexp.MustCompile(`https?://\S+`)

// A file above the limit is a link: to a person for that person alone.
func TestLargeFilesAreLinked(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	f := s.table("viewer", "a@example.org")
	f.LinkAbove = 100
	id := s.create(t, f)
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	got, _ := s.mails(t)
	link := func(to string) string {
		t.Helper()
		m := got[to][0]
		if len(m.files) > 0 {
			t.Errorf("%s: files %v", to, m.files)
		}
		for _, u := range hrefOf.FindAllString(m.text, -1) {
			if strings.Contains(u, "/reports/sent/") {
				return strings.TrimPrefix(u, s.url)
			}
		}
		t.Fatalf("%s: no link in %q", to, m.text)
		return ""
	}
	open := link("a@example.org")
	if a := s.browser(t).get(open).want(http.StatusOK); strings.Count(a.body, "\n") != 121 {
		t.Errorf("%d lines", strings.Count(a.body, "\n"))
	}
	own := link("viewer@example.com")
	s.as(t, "viewer").get(own).want(http.StatusOK)
	s.as(t, "editor").get(own).want(http.StatusForbidden)
	s.as(t, "foreign").get(own).want(http.StatusForbidden)
	s.browser(t).get(own).want(http.StatusForbidden)
	s.browser(t).get(strings.Replace(open, "until=1", "until=2", 1)).want(http.StatusForbidden)
	s.browser(t).get(strings.Replace(open, s.one.ID.String(), s.two.ID.String(), 1)).want(http.StatusForbidden)
	if _, lines := s.states(t, id); lines["a@example.org"].OpenedAt.IsZero() {
		t.Error("nobody noted that it was opened")
	}
	// The file is deleted after its time, and a retry would make it again.
	s.offset.Store(int64(8 * 24 * time.Hour))
	s.insert(t, reports.WatchArgs{})
	s.work(t, "reports:watch")
	s.browser(t).get(open).want(http.StatusGone)
	var kept int
	s.count(t, &kept, `SELECT count(*) FROM report_contents WHERE key <> ''`)
	if kept != 0 {
		t.Errorf("%d files are kept", kept)
	}
}

func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	id := s.create(t, s.table("a@example.org", "viewer"))
	send := func() {
		t.Helper()
		if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
			t.Fatal(err)
		}
		s.work(t)
	}
	send()
	got, _ := s.mails(t)
	link := strings.TrimPrefix(strings.Trim(got["a@example.org"][0].header.Get("List-Unsubscribe"), "<>"), s.url)
	// What only looks at the link changes nothing.
	s.browser(t).get(link).want(http.StatusOK).shows("form button", "Unsubscribe")
	if s.read(t, id).Recipients[0].Unsubscribed || s.read(t, id).Recipients[1].Unsubscribed {
		t.Error("GET unsubscribed")
	}
	s.browser(t).post(link[:len(link)-3]+"xyz", "List-Unsubscribe", "One-Click").want(http.StatusForbidden)
	s.browser(t).post(strings.Replace(link, s.one.ID.String(), s.two.ID.String(), 1)).want(http.StatusForbidden)
	response, err := http.PostForm(s.url+link, url.Values{"List-Unsubscribe": {"One-Click"}})
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", response, err)
	}
	_ = response.Body.Close()
	send()
	if got, _ = s.mails(t); len(got["a@example.org"]) != 1 || len(got["viewer@example.com"]) != 2 {
		t.Errorf("%d and %d", len(got["a@example.org"]), len(got["viewer@example.com"]))
	}
	// An edit does not bring the address back.
	if err := s.Reports.UpdateSchedule(t.Context(), s.editor(), id, s.table("A@example.org", "viewer")); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(s.read(t, id).Recipients, func(r reports.ScheduleRecipient) bool { return r.Unsubscribed }) {
		t.Error("the edit subscribed it again")
	}
}

func TestNamesOfAllKinds(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	for name, text := range map[string]string{"long": strings.Repeat("ü", 300), "emoji": "📈 Zahlen 👩‍👩‍👧‍👦", "right to left": "דוח מכירות يومي \u202e", "markup": `<b>"Ada" & co`} {
		f := s.table("a@example.org")
		f.Name = text
		id := s.create(t, f)
		if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
			t.Fatal(err)
		}
		s.work(t)
		got, _ := s.mails(t)
		all := got["a@example.org"]
		last := all[len(all)-1]
		if !strings.HasPrefix(last.subject, strings.TrimSpace(text)+", ") || !strings.Contains(last.text, strings.TrimSpace(text)) {
			t.Errorf("%s: %q", name, last.subject)
		}
		s.as(t, "editor").get(views.PathSchedule(id.String())).want(http.StatusOK).shows(".schedule-head h2", strings.TrimSpace(text))
	}
	for name, text := range map[string]string{"too long": strings.Repeat("ü", 301), "line break": "a\r\nBcc: b@example.com"} {
		f := s.table("a@example.org")
		f.Name = text
		if _, err := s.Reports.CreateSchedule(t.Context(), s.editor(), f); !errors.Is(err, reports.ErrScheduleInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Without a mail server, mails with their files are in the outbox of a demo.
func TestKeptReportsCanBeRead(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t, true)
	id := s.create(t, s.table("viewer", "a@example.org"))
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	run, lines := s.states(t, id)
	if run.State != reports.RunDone || lines["viewer@example.com"].State != reports.LineKept || lines["a@example.org"].State != reports.LineKept {
		t.Errorf("%+v", run)
	}
	page := s.as(t, "admin").get(views.PathOutbox).want(http.StatusOK)
	page.shows(".card .mail-text", "Trading daily")
	link := page.page.Find(".data-list a").First()
	if link.Text() != "Rows.csv" {
		t.Fatalf("%.300s", page.body)
	}
	file := s.as(t, "admin").get(link.AttrOr("href", "")).want(http.StatusOK)
	if strings.Count(file.body, "\n") != 121 {
		t.Errorf("%d lines", strings.Count(file.body, "\n"))
	}
	s.as(t, "editor").get(link.AttrOr("href", "")).want(http.StatusForbidden)
	s.as(t, "foreign").get(link.AttrOr("href", "")).want(http.StatusGone)
	s.as(t, "admin").get(strings.TrimSuffix(link.AttrOr("href", ""), "0") + "7").want(http.StatusGone)
}

func TestSchedulingAsAPersonDoes(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	b := s.as(t, "editor")
	b.get(s.path("?f.channel=web")).shows("#dash-menu a", "Schedule by mail")
	form := b.get(views.PathNewSchedule + "?dashboard=" + s.board.ID.String() + "&f.channel=web").want(http.StatusOK)
	form.shows("dialog", "Schedule a report")
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
	page.shows(".schedule-panel h2", "Trading <b>").shows(".schedule-facts", "Weekdays at 8:00").shows("tr.row-chosen", "CSV · Trading <b>").shows(".nav, nav", "Reports")
	id := strings.TrimPrefix(made.header.Get("Location"), views.PathSchedules+"/")
	b.get(views.PathSchedule(id)+"/edit").want(http.StatusOK).shows("textarea[name=addresses]", "b@example.org")
	fields[5] = "Renamed"
	b.post(views.PathSchedule(id), fields...).want(http.StatusSeeOther)
	b.post(views.PathSchedule(id) + "/pause").want(http.StatusSeeOther)
	b.get(views.PathSchedules+"?show=paused&q=RENAM").want(http.StatusOK).shows("tbody", "Renamed").shows("tbody", "Paused by Editor")
	b.get(views.PathSchedules+"?show=active").want(http.StatusOK).shows(".empty-title", "No scheduled reports")
	b.post(views.PathSchedule(id) + "/send").want(http.StatusConflict)
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
	_, lines := s.states(t, id)
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
			"RetryDelivery":  func() error { return s.Reports.RetryDelivery(t.Context(), a, id, line) },
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

// A document goes the whole way: drawn by the browser, handed to a mail server,
// shown as a picture in the mail, and with the numbers of the dashboard.
func TestAScheduledDocumentArrives(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	var pages http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pages.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	printing := chromium.New(chromium.Config{Origin: strings.TrimPrefix(server.URL, "http://"), Timeout: 8 * time.Minute})
	t.Cleanup(func() { _ = printing.Close() })
	s.renderer = testPrinter{printing}
	s.use(t, s.server.Port, time.Minute)
	pages = NewPrint(s.Reports)
	f := s.table("editor", "buyer@example.org")
	f.Name, f.Spec = "Board pack", reports.Spec{Format: reports.PDF, Widgets: []string{"sum", "bars", "table"}}
	id := s.create(t, f)
	s.due(t)
	s.work(t)
	run, lines := s.states(t, id)
	if run.State != reports.RunDone || len(lines) != 2 {
		t.Fatalf("%+v", run)
	}
	got, _ := s.mails(t)
	for to, l := range lines {
		if l.State != reports.LineSent || l.Stated.Bytes == 0 || len(got[to]) != 1 {
			t.Fatalf("%s: %+v, %d mails", to, l, len(got[to]))
		}
		m := got[to][0]
		body := m.files["Trading -b.pdf"]
		sum := sha256.Sum256([]byte(body))
		if int64(len(body)) != l.Stated.Bytes || hex.EncodeToString(sum[:]) != l.Stated.SHA256 {
			t.Errorf("%s: %d bytes arrived of %d; files %v", to, len(body), l.Stated.Bytes, slices.Sorted(maps.Keys(m.files)))
		}
		text := textOf(t, []byte(body))
		for _, want := range []string{"Trading <b>", "One", "7,260", "=phone", "Page 1 of "} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the document lacks %q: %s", to, want, text)
			}
		}
		if !strings.HasPrefix(m.files["dashboard.png"], "\x89PNG") || !strings.Contains(m.html, "cid:dashboard.png") {
			t.Errorf("%s: no picture", to)
		}
	}
}

// Reports go to channels beside mail: the file itself into a folder, a link to
// it by webhook. Attempts that broke off are made again and leave one file.
func TestReportsGoToChannels(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	var bodies []map[string]any
	busy := true
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		if busy = !busy; !busy {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		bodies = append(bodies, body)
		_, _ = w.Write([]byte("thanks"))
	}))
	t.Cleanup(hook.Close)
	files := sftptest.Start(t, nil)
	var channels []ids.Channel
	for kind, target := range map[delivery.ChannelKind]delivery.Target{delivery.Webhook: {URL: hook.URL},
		delivery.SFTP: {Host: files.Address, User: sftptest.User, Password: sftptest.Password, HostKey: files.HostKey}} {
		id, _, err := s.Delivery.CreateChannel(t.Context(), s.actor("admin"), kind, string(kind), target)
		if err != nil {
			t.Fatal(err)
		}
		channels = append(channels, id)
	}
	f := s.table()
	f.Channels = channels
	id := s.create(t, f)
	s.due(t)
	s.work(t)
	run, lines := s.states(t, id)
	if run.State != reports.RunDone || len(lines) != 2 {
		t.Fatalf("%+v", run)
	}
	list, err := os.ReadDir(files.Dir)
	if err != nil || len(list) != 1 || list[0].Name() != "Rows "+run.DueAt.UTC().Format("2006-01-02 1504")+".csv" {
		t.Fatalf("%v, %v", list, err)
	}
	body, err := os.ReadFile(filepath.Join(files.Dir, list[0].Name()))
	if err != nil || strings.Count(string(body), "\n") != 121 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if l := lines["sftp"]; l.State != reports.LineSent || l.Answer != list[0].Name() {
		t.Errorf("%+v", l)
	}
	if l := lines["webhook"]; l.State != reports.LineSent || l.Answer != "200 thanks" || l.Attempts != 2 || len(bodies) != 1 {
		t.Fatalf("%+v, %d posts", l, len(bodies))
	}
	told := bodies[0]["file"].(map[string]any)
	if bodies[0]["event"] != "report.ready" || bodies[0]["id"] != lines["webhook"].ID.String() || told["sha256"] != lines["webhook"].Stated.SHA256 {
		t.Errorf("%v", bodies[0])
	}
	// The link works for whoever was given it, and the ledger knows.
	answer := s.browser(t).get(strings.TrimPrefix(told["url"].(string), s.url)).want(http.StatusOK)
	if answer.body != string(body) {
		t.Errorf("%d bytes by the link, %d in the folder", len(answer.body), len(body))
	}
	if _, lines = s.states(t, id); lines["webhook"].OpenedAt.IsZero() {
		t.Error("nobody knows that the link was followed")
	}
	// A channel that is gone gets nothing, and is said to.
	if err := s.Delivery.DeleteChannel(t.Context(), s.actor("admin"), channels[0]); err != nil {
		t.Fatal(err)
	}
	if one := s.read(t, id); len(one.Recipients) != 1 {
		t.Errorf("%+v", one.Recipients)
	}
}

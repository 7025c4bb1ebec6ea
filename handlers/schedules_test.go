package handlers

import (
	"context"
	"encoding/base64"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/netip"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/jobs"
	mailer "github.com/dataflowhq/dataflow/platform/mail"
	"github.com/dataflowhq/dataflow/platform/mail/mailtest"
	"github.com/dataflowhq/dataflow/platform/outbound"
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
	patient       bool            // attempts are those of an installation, and wait for due
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
	s.Reports = reports.New(reports.Deps{DB: s.pool, Blobs: s.blobs, Tenants: s.Tenants, Dashboards: s.Dashboards, Words: ReportWords, Key: s.SessionKey, Visitors: s.Portals,
		Mail: s.Delivery, Notify: notify.New(notify.Deps{DB: s.pool, Mailer: s.Delivery, Address: address}), Address: address, Renderer: s.renderer, Clock: func() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }})
	s.runner = jobs.NewRunner(jobs.Config{Store: s.pool, Log: slog.New(slog.DiscardHandler)})
	fast := func(o jobs.Options) jobs.Options {
		if s.patient {
			o.Backoff, o.MaxBackoff = time.Hour, time.Hour
			return o
		}
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
		for _, queue := range []jobs.Queue{jobs.Short, jobs.Asked, jobs.Bulk} {
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

func (s *scheduleSite) count(t *testing.T, into *int, query string) {
	t.Helper()
	s.scan(t, into, query)
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

package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	chromium "github.com/dataflowhq/dataflow/platform/browser"
	"github.com/dataflowhq/dataflow/platform/mail/mailtest"
	"github.com/dataflowhq/dataflow/platform/sftp/sftptest"
	"github.com/dataflowhq/dataflow/views"
)

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
	s.browser(t).get(own).leadsTo(views.PathSignIn + "?next=" + url.QueryEscape(own))
	s.as(t, "editor").get(own).shows("main", "sent to somebody else")
	whole := s.browser(t).get(open)
	part := s.browser(t).request(http.MethodGet, open, map[string]string{"Range": "bytes=10-29", "If-Range": whole.header.Get("ETag"), "Accept-Encoding": "gzip"}).want(http.StatusPartialContent)
	if part.body != whole.body[10:30] || part.header.Get("Content-Range") != fmt.Sprintf("bytes 10-29/%d", len(whole.body)) || part.header.Get("Content-Length") != "20" ||
		part.header.Get("Content-Encoding") != "" || part.header.Get("Accept-Ranges") != "bytes" || part.header.Get("Df-Rows") != "120" || part.header.Get("Df-Sha256") == "" {
		t.Errorf("resumed: %q with %v", part.body, part.header)
	}
	s.browser(t).get(strings.Replace(open, "until=1", "until=2", 1)).want(http.StatusForbidden)
	s.browser(t).get(strings.Replace(open, s.one.ID.String(), s.two.ID.String(), 1)).want(http.StatusForbidden)
	if _, lines := s.states(t, id); lines["a@example.org"].OpenedAt.IsZero() {
		t.Error("nobody noted that it was opened")
	}
	// The file is deleted after its time, and a retry would make it again.
	s.offset.Store(int64(8 * 24 * time.Hour))
	s.insert(t, reports.WatchArgs{})
	s.work(t, "reports:watch")
	s.browser(t).get(open).want(http.StatusGone).shows("main", "Ask whoever sends this report")
	var kept int
	s.count(t, &kept, `SELECT count(*) FROM report_contents WHERE key <> ''`)
	if kept != 0 {
		t.Errorf("%d files are kept", kept)
	}
}

// TestALinkedFileOfOwnRowsOpens: what the schedule leaves somebody is no change
// of what they may see, and a rule that came since is.
func TestALinkedFileOfOwnRowsOpens(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	f := s.table("viewer")
	f.LinkAbove, f.Rows = 100, "viewer@example.com: channel = web"
	id := s.create(t, f)
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	got, _ := s.mails(t)
	link := ""
	for _, u := range hrefOf.FindAllString(got["viewer@example.com"][0].text, -1) {
		if strings.Contains(u, "/reports/sent/") {
			link = strings.TrimPrefix(u, s.url)
		}
	}
	opened := func() (lines int) {
		t.Helper()
		s.count(t, &lines, `SELECT count(*) FROM audit_events WHERE action = 'report.downloaded'`)
		return lines
	}
	if a := s.as(t, "viewer").get(link).want(http.StatusOK); strings.Count(a.body, "\n") != 41 || strings.Contains(a.body, "phone") {
		t.Errorf("the file holds %s", a.body)
	}
	before := opened()
	s.rule(t, s.dataset, "channel", "channel")
	s.as(t, "viewer").get(link).want(http.StatusGone)
	if now := opened(); before != 1 || now != before {
		t.Errorf("%d and then %d entries say that it was read", before, now)
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
	for name, text := range map[string]string{"long": strings.Repeat("ü", 300), "emoji": "📈 Zahlen 👩‍👩‍👧‍👦", "right to left": "דוח מכירות يومي \u200f", "markup": `<b>"Ada" & co`} {
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
	for name, text := range map[string]string{"too long": strings.Repeat("ü", 301), "line break": "a\r\nBcc: b@example.com", "turned": "a \u202e b"} {
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

// A document goes the whole way: drawn by the browser, handed to a mail server,
// shown as a picture in the mail, and with the numbers of the dashboard.
func TestAScheduledDocumentArrives(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	var pages http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pages.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	printing := chromium.New(chromium.Config{Origin: strings.TrimPrefix(server.URL, "http://"), Stage: PrintStage, Timeout: 8 * time.Minute})
	t.Cleanup(func() { _ = printing.Close() })
	s.renderer = testPrinter{printing}
	s.use(t, s.server.Port, time.Minute)
	pages = NewPrint(s.Reports)
	f := s.table("editor", "buyer@example.org")
	f.Name, f.Spec = "Board pack", reports.Spec{Format: reports.PDF, Widgets: []string{"sum", "bars", "table"}, Paper: reports.Letter, Landscape: true}
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
	// The page shows it to whom it was sent, and to nobody else.
	page := views.PathSchedule(id.String())
	reader, other := s.as(t, "editor"), s.as(t, "admin")
	shown := reader.get(page).want(http.StatusOK).shows(".schedule-preview img[src^='"+page+"/preview?of=']", "")
	// The pager knows the pages of the document that was sent, and its paper.
	foot := regexp.MustCompile(`Page 1 of (\d+)`).FindStringSubmatch(textOf(t, []byte(got["editor@example.com"][0].files["Trading -b.pdf"])))
	if foot == nil || foot[1] == "1" {
		t.Fatalf("a document of one page: %v", foot)
	}
	shown.shows("df-pages[src='"+page+"/document'][pages='"+foot[1]+"'] [role=status]", "Page 1 of "+foot[1]+" · Letter, landscape")
	if n := shown.page.Find("df-pages button[data-turn][disabled][aria-label$=' page']").Length(); n != 2 {
		t.Errorf("%d buttons turn pages", n)
	}
	// Nobody counted the pages of older documents: they have no pager.
	s.exec(t, `UPDATE report_contents SET stated = stated - 'pages'`)
	reader.get(page).want(http.StatusOK).shows(".schedule-preview img", "").lacks("df-pages [role=status]").lacks("df-pages button")
	if picture := reader.get(page + "/preview").want(http.StatusOK); picture.body != got["editor@example.com"][0].files["dashboard.png"] {
		t.Errorf("another picture: %d bytes", len(picture.body))
	}
	if document := reader.get(page + "/document").want(http.StatusOK); document.body != got["editor@example.com"][0].files["Trading -b.pdf"] ||
		document.header.Get("Content-Length") != strconv.Itoa(len(document.body)) || document.header.Get("Content-Type") != "application/pdf" || !strings.HasPrefix(document.header.Get("Content-Disposition"), "inline") {
		t.Errorf("another document: %d bytes, %v", len(document.body), document.header)
	}
	reader.get(page + "/document?look").want(http.StatusOK)
	for action, want := range map[string]int{"report.downloaded": 1, "report.viewed": 1} {
		var n int
		if s.count(t, &n, `SELECT count(*) FROM audit_events WHERE action = '`+action+`'`); n != want {
			t.Errorf("%d × %s on record, want %d", n, action, want)
		}
	}
	other.get(page + "/document").want(http.StatusGone)
	other.get(page).want(http.StatusOK).shows(".schedule-preview", "Send a test to yourself").lacks(".schedule-preview img")
	other.get(page + "/preview").want(http.StatusGone)
	// What shows more than the reader may see by now is shown no more.
	s.rule(t, s.dataset, "channel", "channel")
	reader.get(page + "/document").want(http.StatusGone)
	reader.get(page + "/preview").want(http.StatusGone)
	reader.get(page).want(http.StatusOK).lacks(".schedule-preview img")
	// What was made on the way is gone.
	scratch, err := s.blobs.Stage()
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Dir(scratch.Path())); err != nil || len(left) != 1 {
		t.Errorf("left over: %v, %v", left, err)
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
	if err != nil || len(list) != 1 || !strings.HasPrefix(list[0].Name(), f.Name+run.DueAt.UTC().Format(" 2006-01-02 1504 ")) || !strings.HasSuffix(list[0].Name(), ".csv") {
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
	panel := s.as(t, "admin").get(views.PathSchedule(id.String())).shows(".schedule-lines", "put into the folder").shows(".schedule-lines", "webhook was told of it")
	if strings.Contains(panel.page.Find(".schedule-lines").Text(), "mail server") {
		t.Errorf("a mail server is named: %s", panel.page.Find(".schedule-lines").Text())
	}
	// A channel that is gone gets nothing, and is said to.
	if err := s.Delivery.DeleteChannel(t.Context(), s.actor("admin"), channels[0]); err != nil {
		t.Fatal(err)
	}
	if one := s.read(t, id); len(one.Recipients) != 1 {
		t.Errorf("%+v", one.Recipients)
	}
}

// A mail that the server finds too large goes out once more with a link.
func TestAMailTooLargeGoesOutWithALink(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	var took atomic.Int32
	s.answers(&s.taken, func(string) error {
		return onFirst(took.Add(1), 1, mailtest.Refuse(552, "5.3.4 Message size exceeds fixed limit"))
	})
	id := s.create(t, s.table("a@example.org"))
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	if _, lines := s.states(t, id); lines["a@example.org"].State != reports.LineSent {
		t.Errorf("%+v", lines["a@example.org"])
	}
	got, _ := s.mails(t)
	copies := got["a@example.org"]
	if len(copies) != 2 || len(copies[0].files) != 1 || len(copies[1].files) != 0 || !strings.Contains(copies[1].text, "/reports/sent/") {
		t.Errorf("%+v", copies)
	}
}

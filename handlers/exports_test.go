package handlers

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	chromium "github.com/dataflowhq/dataflow/platform/browser"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse"
)

// exported is a report as programs see it.
type exported struct {
	ID      string `json:"report_id"`
	Dataset string `json:"dataset_id"`
	Status  string `json:"status"`
	URL     string `json:"download_url"`
	Stated  struct {
		Rows   int64            `json:"rows"`
		Bytes  int64            `json:"bytes"`
		SHA256 string           `json:"sha256"`
		Of     map[string]int64 `json:"dataset_versions"`
	} `json:"stated"`
	Error struct{ Code, Text string } `json:"error"`
}

// export has a file of a dataset made, as a program does.
func (s *boardSite) export(t *testing.T, b *browser, dataset ids.Dataset, format string) exported {
	t.Helper()
	r := s.made(t, b, "/reports", "dataset", dataset.String(), "format", format)
	if r.Dataset != dataset.String() {
		t.Errorf("%+v", r)
	}
	return r
}

// made has a file made by a form.
func (s *boardSite) made(t *testing.T, b *browser, path string, fields ...string) exported {
	t.Helper()
	asks := map[string]string{"Accept": "application/json"}
	made := b.request(http.MethodPost, path, asks, fields...)
	made.want(http.StatusAccepted)
	var r exported
	if err := json.Unmarshal([]byte(made.body), &r); err != nil || r.Status != "Pending" {
		t.Fatalf("%v in %s", err, made.body)
	}
	id, err := ids.Parse[ids.Report](r.ID)
	if err != nil {
		t.Fatal(err)
	}
	var queue string
	if s.scan(t, &queue, `SELECT queue FROM control.jobs WHERE kind = 'reports:render' ORDER BY job_id DESC LIMIT 1`); queue != string(jobs.Asked) {
		t.Errorf("whoever waits for it waits in the queue %s", queue)
	}
	if err := s.run(t, s.Reports, s.one.ID, id); err != nil {
		t.Log(err)
	}
	if err := json.Unmarshal([]byte(b.request(http.MethodGet, views.PathReport(r.ID), asks).body), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestADatasetIsDownloaded(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	editor, viewer, foreign := s.as(t, "editor"), s.as(t, "viewer"), s.as(t, "foreign")
	path := views.PathDataset(s.dataset.String())
	editor.get(path).want(http.StatusOK).shows(".btn[href='"+path+"/download']", "Download")
	form := viewer.get(path + "/download").want(http.StatusOK)
	form.shows("form[action='"+path+"/reports'] option", "CSV").lacks("[name=paper]").lacks("option[value=PDF]")
	foreign.get(path + "/download").want(http.StatusNotFound)
	foreign.post(path+"/reports", "format", "CSV").want(http.StatusNotFound)
	editor.post(path+"/reports", "format", "PDF").want(http.StatusUnprocessableEntity)

	dialog := editor.request(http.MethodPost, path+"/reports", asked("", "", s.url+path), "format", "CSV")
	dialog.want(http.StatusOK).shows("#report[hx-get]", "Sales")
	if dialog.page.Find("df-live[quiet][url$='/events']").Length() != 1 {
		t.Errorf("nothing tells how far it is: %s", dialog.body)
	}
	made := s.export(t, editor, s.dataset, "csv")
	if made.Status != "Completed" || made.Stated.Rows != 120 || made.Stated.Of[s.dataset.String()] != 1 || len(made.Stated.SHA256) != 64 {
		t.Fatalf("%+v", made)
	}
	whole := editor.get(made.URL).want(http.StatusOK)
	if whole.header.Get("Df-Rows") != "120" || whole.header.Get("Df-Sha256") != made.Stated.SHA256 || whole.header.Get("Content-Length") == "" || int64(len(whole.body)) != made.Stated.Bytes {
		t.Errorf("headers %v", whole.header)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(whole.body, "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 121 || strings.Join(rows[0], " ") != "at channel amount" || rows[3][1] != "'=phone" || rows[1][0] != "2026-05-01 09:00:00" {
		t.Errorf("%v: %q", err, rows[:4])
	}
	// A download that broke off goes on; one of another file begins anew.
	part := editor.request(http.MethodGet, made.URL, map[string]string{"Range": "bytes=100-", "If-Range": whole.header.Get("ETag")})
	if part.status != http.StatusPartialContent || part.body != whole.body[100:] {
		t.Errorf("range: %d, %d bytes", part.status, len(part.body))
	}
	if other := editor.request(http.MethodGet, made.URL, map[string]string{"Range": "bytes=100-", "If-Range": `"other"`}); other.status != http.StatusOK || other.body != whole.body {
		t.Errorf("of another file: %d", other.status)
	}
	// The same rows in every form, for a widget too.
	for _, format := range []string{"ndjson", "xlsx", "parquet"} {
		if made := s.export(t, editor, s.dataset, format); made.Status != "Completed" || made.Stated.Rows != 120 {
			t.Errorf("%s: %+v", format, made)
		}
	}
	var widget bytes.Buffer
	if stated, err := s.Reports.Render(t.Context(), s.editor(), s.board.ID, reports.Spec{Format: reports.Parquet, Widgets: []string{"bars"}}, &widget); err != nil || stated.Rows != 3 || !strings.HasPrefix(widget.String(), "PAR1") {
		t.Errorf("%+v, %v", stated, err)
	}
	if _, err := s.Reports.Render(t.Context(), s.editor(), s.board.ID, reports.Spec{Format: reports.Parquet}, io.Discard); !errors.Is(err, reports.ErrSpec) {
		t.Errorf("of several widgets: %v", err)
	}
	viewer.get(made.URL).want(http.StatusNotFound)
	foreign.get(made.URL).want(http.StatusNotFound)
	// The link ends with the access.
	if err := s.Datasets.Delete(t.Context(), s.editor(), s.dataset); err != nil {
		t.Fatal(err)
	}
	editor.get(made.URL).want(http.StatusNotFound)
}

// The page of a report hears that it has got further, and when it is over.
func TestAReportTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t, func(s *boardSite) { s.StreamEvery = 50 * time.Millisecond })
	b := s.as(t, "editor")
	r, err := s.Reports.RequestDataset(t.Context(), s.editor(), s.dataset, reports.Spec{Format: reports.NDJSON})
	if err != nil {
		t.Fatal(err)
	}
	stream := readEvents(t, b, views.PathReport(r.ID.String())+"/events")
	if e := next(t, stream); e[0] != "progress" {
		t.Errorf("the stream begins with %q", e)
	}
	if err := s.run(t, s.Reports, s.one.ID, r.ID); err != nil {
		t.Fatal(err)
	}
	for e := range stream {
		if e[0] != "progress" {
			t.Errorf("%q", e)
		}
	}
	news := b.request(http.MethodGet, views.PathReport(r.ID.String()), asked("", "", s.url)).want(http.StatusOK)
	if news.page.Find("#report[hx-get]").Length() != 0 || news.page.Find("#report-live[hx-swap-oob=delete]").Length() != 1 || news.page.Find("a[href*='/file?']").Length() != 1 {
		t.Errorf("after the end: %s", news.body)
	}
}

// Row rules, hidden columns and small groups hold for what is written out, and
// a file ends with the rules that it was made under.
func TestRulesHoldForExports(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t)
	viewer := s.as(t, "viewer")
	board := s.made(t, viewer, "/dashboards/"+s.id.String()+"/reports", "format", "CSV", "widget", "bars")
	if viewer.get(board.URL).want(http.StatusOK); board.Status != "Completed" {
		t.Fatalf("%+v", board)
	}
	for _, format := range []string{"csv", "ndjson", "xlsx", "parquet"} {
		made := s.export(t, viewer, s.sales, format)
		if made.Status != "Completed" || made.Stated.Rows != 20 {
			t.Fatalf("%s: %+v", format, made)
		}
		body := viewer.get(made.URL).want(http.StatusOK).body
		if format == "xlsx" {
			book, err := excelize.OpenReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			rows, err := book.GetRows("Ground")
			if err != nil || len(rows) != 21 {
				t.Errorf("%d rows, %v", len(rows), err)
			}
			text, err := json.Marshal(rows)
			if err != nil {
				t.Fatal(err)
			}
			body = string(text)
		}
		for _, secret := range northern {
			if strings.Contains(body, secret) {
				t.Errorf("%s has %q", format, secret)
			}
		}
		if format != "parquet" && !strings.Contains(body, "Southmark") {
			t.Errorf("%s has nothing in it", format)
		}
		if format == "parquet" {
			// Other rules: what was made under the old ones is over.
			s.attribute(t, "viewer", "Northmark")
			viewer.get(made.URL).want(http.StatusGone)
			viewer.get(board.URL).want(http.StatusGone)
			s.attribute(t, "viewer", "Southmark")
			viewer.get(made.URL).want(http.StatusOK)
		}
	}
	if _, err := s.Datasets.SaveRule(t.Context(), s.owner(), s.sales, datasets.Rule{Kind: datasets.RuleGroups, Name: "Few", Everybody: true,
		Except: []datasets.RuleSubject{{Role: access.Admin}}, RuleBody: datasets.RuleBody{MinRows: 5}}); err != nil {
		t.Fatal(err)
	}
	refused := viewer.request(http.MethodPost, views.PathDataset(s.sales.String())+"/reports", map[string]string{"Accept": "application/json"}, "format", "csv")
	if refused.status != http.StatusForbidden || !strings.Contains(refused.body, "query.rows_withheld") {
		t.Errorf("small groups: %d %s", refused.status, refused.body)
	}
}

// A limit is an error before it starts, and what has no limit is whole.
func TestMoreRowsThanASheetHolds(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	dataset, err := s.Datasets.Create(t.Context(), s.editor(), datasets.NewDataset{Name: "Many", Columns: []datasets.NewColumn{{Name: "n", Type: warehouse.Integer}}})
	if err != nil {
		t.Fatal(err)
	}
	const all = 1_048_576 // one more than fit below the head
	request := datasets.AppendRequest{Columns: []string{"n"}, Rows: make([][]any, 0, 1<<15)}
	for i := range all {
		request.Rows = append(request.Rows, []any{i})
		if len(request.Rows) < 1<<15 {
			continue
		}
		if _, err := s.Datasets.AppendRows(t.Context(), s.editor(), dataset, request); err != nil {
			t.Fatal(err)
		}
		request.Rows = request.Rows[:0]
	}
	if _, err := s.Reports.RequestDataset(t.Context(), s.editor(), dataset, reports.Spec{Format: reports.XLSX}); !errors.Is(err, reports.ErrTooLarge) || !strings.Contains(err.Error(), "has 1,048,576 rows, more than the 1,048,575 of an Excel sheet") {
		t.Errorf("a sheet too small: %v", err)
	}
	var out bytes.Buffer
	if _, err := s.Reports.RenderDataset(t.Context(), s.editor(), dataset, reports.Spec{Format: reports.XLSX}, &out); !errors.Is(err, reports.ErrTooLarge) || out.Len() > 0 {
		t.Errorf("%d bytes were written, %v", out.Len(), err)
	}
	for _, format := range []reports.Format{reports.CSV, reports.NDJSON} {
		lines := &lineCounter{}
		stated, err := s.Reports.RenderDataset(t.Context(), s.editor(), dataset, reports.Spec{Format: format}, lines)
		want := all
		if format == reports.CSV {
			want++
		}
		if err != nil || stated.Rows != all || lines.n != want {
			t.Errorf("%s: %d lines, %+v, %v", format, lines.n, stated, err)
		}
	}
}

type lineCounter struct{ n int }

func (c *lineCounter) Write(p []byte) (int, error) {
	c.n += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

// A disk that is full while a file is written ends it with that, in every form.
func TestDiskFullInEveryFormat(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	for _, format := range reports.Formats {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Reports.Render(t.Context(), s.editor(), s.board.ID, reports.Spec{Format: format, Widgets: []string{"bars"}}, full)
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s of a widget: %v", format, err)
		}
		if err := full.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, format := range reports.DatasetFormats {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Reports.RenderDataset(t.Context(), s.editor(), s.dataset, reports.Spec{Format: format}, full); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s of a dataset: %v", format, err)
		}
		if err := full.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A report of a dashboard that is deleted before its turn, or of a moment that
// is no longer kept, fails and says so.
func TestWhatIsGoneBeforeItsTurn(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	later, err := s.Reports.Request(t.Context(), s.editor(), s.board.ID, reports.Spec{Format: reports.PDF})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reports.Request(t.Context(), s.editor(), s.board.ID, reports.Spec{Format: reports.PDF, Snapshot: base64.RawURLEncoding.EncodeToString(append(s.dataset[:], 99))}); !errors.Is(err, datasets.ErrSnapshotExpired) {
		t.Errorf("a moment that never was: %v", err)
	}
	if err := s.Dashboards.Delete(t.Context(), s.editor(), s.board.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.run(t, s.Reports, s.one.ID, later.ID); !errors.Is(err, dashboards.ErrNotFound) {
		t.Errorf("run: %v", err)
	}
	r, err := s.Reports.Get(t.Context(), s.editor(), later.ID)
	if err != nil || r.Status != reports.Failed || r.ErrorCode != "dashboards.not_found" || r.Link != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// A browser that is killed while it has the page is replaced, and the next
// attempt makes the report.
func TestAReportOutlivesItsBrowser(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	killed := 0
	s.mu.Lock()
	s.asks = func() {
		if killed == 0 {
			killed = killBrowser(s.origin)
		}
	}
	s.mu.Unlock()
	r, err := s.Reports.Request(t.Context(), s.editor(), s.board.ID, reports.Spec{Format: reports.PDF, Widgets: []string{"sum", "bars"}})
	if err != nil {
		t.Fatal(err)
	}
	attempt := func(n int) error {
		t.Helper()
		claimed, ok, err := s.pool.ClaimJob(t.Context(), jobs.Claim{ID: r.JobID(), Attempt: n - 1, MaxAttempts: 3, Worker: "test", Lease: time.Minute})
		if err != nil || !ok {
			t.Fatalf("claim attempt %d: %t, %v", n, ok, err)
		}
		return s.Reports.RunRender(t.Context(), jobs.Job[reports.RenderArgs]{Args: reports.RenderArgs{ReportID: r.ID},
			Ref: jobs.Ref{ID: r.JobID(), TenantID: s.one.ID.UUID(), Attempt: claimed.Attempt, MaxAttempts: 3}})
	}
	if err := attempt(1); !errors.Is(err, chromium.ErrCrashed) || killed == 0 {
		t.Fatalf("%d browsers were killed: %v", killed, err)
	}
	if _, err := s.pool.EndJob(t.Context(), jobs.Held{ID: r.JobID(), TenantID: s.one.ID.UUID(), Attempt: 1}, jobs.Ending{State: jobs.Queued}); err != nil {
		t.Fatal(err)
	}
	if err := attempt(2); err != nil {
		t.Fatal(err)
	}
	if r, err = s.Reports.Get(t.Context(), s.editor(), r.ID); err != nil || r.Status != reports.Completed || r.Stated.FailedWidgets != 0 || r.Stated.Widgets != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// killBrowser kills the browsers that know a print origin, and says how many.
func killBrowser(origin string) (killed int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, err := os.ReadFile(file)
		pid, errPid := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && errPid == nil && bytes.Contains(line, []byte(origin)) && !bytes.Contains(line, []byte("--type=")) && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}

// Names of every kind stand in the file's name as they are, as far as systems
// take them.
func TestNamesOfFiles(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "editor")
	for _, name := range []string{"🚀 Rocket / Söhne", "شركة النور", strings.Repeat("Überlänge ", 12)[:119]} {
		dataset, err := s.Datasets.Create(t.Context(), s.editor(), datasets.NewDataset{Name: name, Columns: []datasets.NewColumn{{Name: "n", Type: warehouse.Integer}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Datasets.AppendRows(t.Context(), s.editor(), dataset, datasets.AppendRequest{Columns: []string{"n"}, Rows: [][]any{{1}}}); err != nil {
			t.Fatal(err)
		}
		made := s.export(t, b, dataset, "csv")
		got := b.get(made.URL).want(http.StatusOK)
		_, params, err := mime.ParseMediaType(got.header.Get("Content-Disposition"))
		if want := strings.TrimRight(strings.ReplaceAll(name, "/", "-"), " ") + ".csv"; err != nil || params["filename"] != want {
			t.Errorf("%q is named %q, %v", name, params["filename"], err)
		}
	}
	for _, title := range []string{strings.Repeat("🚀", 300), strings.Repeat("ش", 300), strings.Repeat("ab ", 100)} {
		if name := dashboards.FileName(title); len(name) > 200 || len(name) < 190 || !utf8.ValidString(name) || !strings.HasPrefix(title, name) {
			t.Errorf("%d bytes: %q", len(name), name)
		}
	}
}

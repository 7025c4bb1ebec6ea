package handlers

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/domain/tenants"
	chromium "github.com/dataflowhq/dataflow/platform/browser"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/static"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse"
)

// printSite is a boardSite that prints with a real browser. Pages are the
// print pages that the browser was given.
type printSite struct {
	*boardSite
	deps reports.Deps
	// origin is what the browser prints from, asks is called before it is answered.
	origin string
	mu     sync.Mutex
	last   *goquery.Document
	asked  string
	asks   func()
}

func newPrintSite(t *testing.T) *printSite {
	t.Helper()
	if !static.Built() {
		t.Fatal("the print page needs the built assets: make assets")
	}
	s := &printSite{boardSite: newBoardSite(t)}
	s.deps = reports.Deps{DB: s.pool, Blobs: s.blobs, Tenants: s.Tenants, Dashboards: s.Dashboards, Words: ReportWords, Key: s.SessionKey}
	var pages http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, reports.PrintPath) {
			pages.ServeHTTP(w, r)
			return
		}
		s.mu.Lock()
		if s.asks != nil {
			s.asks()
		}
		s.mu.Unlock()
		recorded := httptest.NewRecorder()
		pages.ServeHTTP(recorded, r)
		for name, values := range recorded.Header() {
			w.Header()[name] = values
		}
		page, err := goquery.NewDocumentFromReader(bytes.NewReader(recorded.Body.Bytes()))
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.last, s.asked = page, r.URL.Path
		s.mu.Unlock()
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(recorded.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	s.origin = strings.TrimPrefix(server.URL, "http://")
	printing := chromium.New(chromium.Config{Origin: s.origin, Stage: PrintStage, Timeout: 8 * time.Minute})
	t.Cleanup(func() { _ = printing.Close() })
	s.deps.Renderer = testPrinter{printing}
	s.Reports = reports.New(s.deps)
	pages = NewPrint(s.Reports)
	return s
}

type testPrinter struct{ *chromium.Browser }

func (p testPrinter) Render(ctx context.Context, d reports.Document) ([]byte, string, error) {
	printed, err := p.Print(ctx, chromium.Page{Path: d.Path, Format: chromium.Format(strings.ToLower(string(d.Format))), Width: d.Width, Height: d.Height, Take: d.Take})
	return printed.Body, printed.Said, err
}

func (s *printSite) render(t *testing.T, id ids.Dashboard, spec reports.Spec) ([]byte, reports.Stated) {
	t.Helper()
	var out bytes.Buffer
	actor := s.editor()
	actor.Locale = "en-GB"
	stated, err := s.Reports.Render(t.Context(), actor, id, spec, &out)
	if err != nil {
		t.Fatal(err)
	}
	if stated.Bytes != int64(out.Len()) || len(stated.SHA256) != 64 {
		t.Errorf("stated %+v of %d bytes", stated, out.Len())
	}
	return out.Bytes(), stated
}

// tool runs one of poppler's over a PDF.
func tool(t *testing.T, body []byte, name string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.pdf")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), name, append(append([]string{}, args[:len(args)-min(1, len(args))]...), append([]string{path}, args[len(args)-min(1, len(args)):]...)...)...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

func textOf(t *testing.T, body []byte) string {
	return plainText(tool(t, body, "pdftotext", "-layout", "-"))
}

var spaces = regexp.MustCompile(`[\s\p{Z}]+`)

func plainText(text string) string {
	// Marks of direction that the extractor adds say nothing of the content.
	text = strings.Map(func(r rune) rune {
		if r == '\u202a' || r == '\u202b' || r == '\u202c' || r == '\u200e' || r == '\u200f' {
			return -1
		}
		return r
	}, text)
	return strings.TrimSpace(spaces.ReplaceAllString(text, " "))
}

// Every number of the screen stands in the PDF for the same person, filters and
// version: figures, legends and all rows of tables, and charts are drawn from
// the same data.
func TestPDFShowsWhatTheScreenShows(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	const filters = "d=2026-05-02~2026-05-09&f.channel=web"
	body, stated := s.render(t, s.board.ID, reports.Spec{Format: reports.PDF, Filters: filters})
	text := textOf(t, body)
	page := s.as(t, "editor").get(s.path("?" + filters)).page

	seen := 0
	contains := func(what, value string) {
		t.Helper()
		seen++
		if value = plainText(value); value == "" || !strings.Contains(text, value) {
			t.Errorf("%s %q of the screen is not in the PDF", what, value)
		}
	}
	page.Find(".w").Each(func(_ int, w *goquery.Selection) {
		contains("title", w.Find(".w-title").First().Text())
		w.Find(".kpi-value, .kpi-note .num, .donut-total b, .legend-rows b, .legend-rows span").Each(func(_ int, v *goquery.Selection) { contains("figure", v.Text()) })
		id, _ := w.Attr("data-widget")
		w.Find("df-chart > script").Each(func(_ int, data *goquery.Selection) {
			seen++
			if printed := s.last.Find(`[data-widget="` + id + `"] df-chart > script`).First().Text(); printed != data.Text() || printed == "" {
				t.Errorf("chart %s is drawn from other data: %.80s", id, printed)
			}
		})
	})
	// The screen's table page by page, the paper's in one.
	rows := 0
	for n := 1; ; n++ {
		part := s.as(t, "editor").get(s.path("?" + filters + "&p.table=" + strconv.Itoa(n))).page
		found := part.Find(`[data-widget="table"] tbody tr`)
		found.Each(func(_ int, row *goquery.Selection) {
			var cells []string
			row.Find("td").Each(func(_ int, cell *goquery.Selection) { cells = append(cells, cell.Text()) })
			contains("row", strings.Join(cells, " "))
			rows++
		})
		if part.Find(`[data-widget="table"] a[data-set][rel=next], [data-widget="table"] .pagination-end a`).Length() == 0 || found.Length() == 0 || n > 40 {
			break
		}
		if rows >= s.last.Find(`[data-widget="table"] tbody tr`).Length() {
			break
		}
	}
	if printed := s.last.Find(`[data-widget="table"] tbody tr`).Length(); printed != rows || rows < 20 {
		t.Errorf("%d rows on paper, %d on the screen", printed, rows)
	}
	if t.Failed() {
		t.Logf("the PDF: %s", text)
	}
	if seen < 40 {
		t.Errorf("only %d values were compared", seen)
	}
	for _, want := range []string{"Trading <b>", "One", "2 – 9 May 2026", "Channel web", "Sales version 1", "Data as of", "Page 1 of ", "1 of 6 widgets failed and is shown as failed.", "This widget can't be drawn"} {
		contains("text", want)
	}
	if stated.Widgets != 6 || stated.FailedWidgets != 1 || stated.DatasetVersions[s.dataset.String()] != 1 {
		t.Errorf("stated %+v", stated)
	}
	info := tool(t, body, "pdfinfo")
	for _, want := range []string{"Title: +Trading <b>", "Author: +One", "Subject: +Sales version 1", "Tagged: +yes", `Page size: +59[45]\.\d+ x 84[12]\.\d+ pts \(A4\)`} {
		if !regexp.MustCompile(want).MatchString(info) {
			t.Errorf("no %q in\n%s", want, info)
		}
	}
	// Letters are those of fonts, not drawings.
	fonts := tool(t, body, "pdffonts")
	for _, weight := range []string{"Regular", "SemiBold"} {
		if !regexp.MustCompile(`Inter-` + weight + ` +CID TrueType +Identity-H +yes yes yes`).MatchString(fonts) {
			t.Errorf("Inter %s is not embedded in\n%s", weight, fonts)
		}
	}
	// The token is spent.
	again := httptest.NewRecorder()
	NewPrint(s.Reports).ServeHTTP(again, httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.asked, nil))
	if again.Code != http.StatusNotFound {
		t.Errorf("the token opens the page again: %d", again.Code)
	}
}

// demoBoards are the demo's dashboards, of every type of widget that it has, over
// a few thousand flights.
func (s *printSite) demoBoards(t *testing.T) (boards []dashboards.Dashboard) {
	t.Helper()
	ctx, editor := t.Context(), s.editor()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	text, number := warehouse.Text, warehouse.Float
	airports, err := s.Datasets.Create(ctx, editor, datasets.NewDataset{Name: "Airports", Columns: []datasets.NewColumn{{Name: "iata", Type: text}, {Name: "name", Type: text},
		{Name: "city", Type: text}, {Name: "state", Type: text}, {Name: "country", Type: text}, {Name: "latitude", Type: number}, {Name: "longitude", Type: number}}})
	check(err)
	places := datasets.AppendRequest{Columns: []string{"iata", "name", "city", "state", "country", "latitude", "longitude"}}
	for i := range 30 {
		places.Rows = append(places.Rows, []any{fmt.Sprintf("A%02d", i), fmt.Sprintf("Airport of town %d", i), fmt.Sprintf("Town %d", i), fmt.Sprintf("S%d", i%11), "USA", 30 + float64(i)/3, -120 + float64(i)*1.5})
	}
	_, err = s.Datasets.AppendRows(ctx, editor, airports, places)
	check(err)
	flights, err := s.Datasets.Create(ctx, editor, datasets.NewDataset{Name: "Flights", TimeColumn: "date", RelativeToNewest: true, Columns: []datasets.NewColumn{
		{Name: "date", Type: warehouse.Timestamp}, {Name: "delay", Type: warehouse.Integer}, {Name: "distance", Type: warehouse.Integer}, {Name: "origin", Type: text}, {Name: "destination", Type: text}}})
	check(err)
	rows := datasets.AppendRequest{Columns: []string{"date", "delay", "distance", "origin", "destination"}}
	for i := range 12_000 {
		at := time.Date(2001, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 14 * time.Minute)
		rows.Rows = append(rows.Rows, []any{at, (i*37)%140 - 20, 100 + (i*53)%2600, fmt.Sprintf("A%02d", (i*i)%30), fmt.Sprintf("A%02d", (i*7+1)%30)})
	}
	_, err = s.Datasets.AppendRows(ctx, editor, flights, rows)
	check(err)
	for _, end := range []string{"origin", "destination"} {
		check(s.Datasets.AddLookup(ctx, editor, flights, datasets.NewLookup{Name: end + "_airport", Column: end, Target: airports.String(), Key: "iata"}))
	}
	for _, b := range dashboards.DemoFlights(dashboards.DemoDatasets{Flights: flights, Replay: flights}) {
		d, err := s.Dashboards.Create(ctx, editor, b)
		check(err)
		boards = append(boards, d)
	}
	return boards
}

// Every widget of the demo shows the same on paper: its figures, legends and
// rows stand in the PDF, and its chart or map is drawn from the same data.
func TestDemoDashboardsOnPaper(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	types, values := map[string]bool{}, 0
	for _, board := range s.demoBoards(t) {
		body, stated := s.render(t, board.ID, reports.Spec{Format: reports.PDF, Paper: reports.Letter})
		if stated.FailedWidgets != 0 || stated.Widgets != len(board.Config.Widgets) {
			t.Errorf("%s: %+v", board.Name, stated)
		}
		text := textOf(t, body)
		page := s.as(t, "editor").get(views.PathDashboard(board.ID.String())).want(http.StatusOK).page
		page.Find(".w").Each(func(_ int, w *goquery.Selection) {
			id := w.AttrOr("data-widget", "")
			printed := s.last.Find(`[data-widget="` + id + `"]`)
			kind := string(board.Config.Widgets[id].Type)
			types[kind] = true
			before := values
			w.Find(".w-title, .kpi-value, .kpi-note .num, .donut-total b, .legend-rows b, .legend-rows span").Each(func(_ int, v *goquery.Selection) {
				if want := plainText(v.Text()); want != "" {
					values++
					if !strings.Contains(text, want) {
						t.Errorf("%s, %s: %q of the screen is not in the PDF", board.Name, id, want)
					}
				}
			})
			w.Find("df-chart > script, df-map > script").Each(func(i int, data *goquery.Selection) {
				values++
				if got := printed.Find("df-chart > script, df-map > script").Eq(i).Text(); got == "" || got != data.Text() {
					t.Errorf("%s, %s (%s) is drawn from other data: %.120s instead of %.120s", board.Name, id, kind, got, data.Text())
				}
			})
			// The first page of a table is the beginning of what is on paper.
			onPaper := printed.Find("tbody tr")
			w.Find("tbody tr").Each(func(i int, row *goquery.Selection) {
				values++
				if got, want := plainText(onPaper.Eq(i).Text()), plainText(row.Text()); got != want || want == "" {
					t.Errorf("%s, %s, row %d: %q instead of %q", board.Name, id, i, got, want)
				}
			})
			if values == before {
				t.Errorf("%s, %s (%s): nothing was compared", board.Name, id, kind)
			}
		})
	}
	if len(types) < 9 || values < 90 {
		t.Errorf("%d values of %d types were compared: %v", values, len(types), types)
	}
}

func TestPaperAndPictures(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	body, _ := s.render(t, s.board.ID, reports.Spec{Format: reports.PDF, Paper: reports.Letter, Landscape: true, Widgets: []string{"sum", "line"}})
	if info := tool(t, body, "pdfinfo"); !strings.Contains(info, "792 x 612 pts (letter)") {
		t.Errorf("paper:\n%s", info)
	}
	if text := textOf(t, body); !strings.Contains(text, "Net sales") || strings.Contains(text, "By channel") {
		t.Errorf("chosen widgets: %s", text)
	}
	png, _ := s.render(t, s.board.ID, reports.Spec{Format: reports.PNG, Widgets: []string{"bars"}})
	if !bytes.HasPrefix(png, []byte("\x89PNG")) {
		t.Errorf("png: %.10q", png)
	}
	svg, _ := s.render(t, s.board.ID, reports.Spec{Format: reports.SVG, Widgets: []string{"bars"}})
	if !bytes.HasPrefix(svg, []byte("<svg")) || !bytes.Contains(svg, []byte(`xmlns="http://www.w3.org/2000/svg"`)) || !bytes.Contains(svg, []byte("web")) {
		t.Errorf("svg: %.200s", svg)
	}
	// It stands by itself: it is XML, has the name of the widget, and no font that only this page knows.
	words := &strings.Builder{}
	for read := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := read.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("svg: %v in %.2000s", err, svg)
		}
		if text, is := token.(xml.CharData); is {
			words.Write(text)
			words.WriteByte('\n')
		}
	}
	if !strings.Contains(words.String(), "By channel") || bytes.Contains(svg, []byte("Inter Paper")) {
		t.Errorf("svg says %s", words)
	}
	for name, spec := range map[string]reports.Spec{"a figure": {Format: reports.SVG, Widgets: []string{"sum"}}, "all": {Format: reports.SVG}, "nothing": {Format: "DOC"}} {
		if _, err := s.Reports.Render(t.Context(), s.editor(), s.board.ID, spec, io.Discard); !errors.Is(err, reports.ErrSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Reports.Render(t.Context(), s.editor(), s.board.ID, reports.Spec{Format: reports.CSV, Filters: "f.nothing=1"}, io.Discard); !errors.Is(err, dashboards.ErrControlNotFound) {
		t.Errorf("a filter of nothing: %v", err)
	}
}

// Long names, pictures in names, text from right to left and long tables come
// out whole.
func TestAwkwardContentOnPaper(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	long := string([]rune(strings.Repeat("Überlange Bezeichnung ", 14))[:300])
	names := []string{"🚀 Rocket & Söhne", "شركة النور", "חברה בעמ", long}
	dataset, err := s.Datasets.Create(t.Context(), s.editor(), datasets.NewDataset{Name: "Names",
		Columns: []datasets.NewColumn{{Name: "name", Type: warehouse.Text}, {Name: "n", Type: warehouse.Integer}}})
	if err != nil {
		t.Fatal(err)
	}
	request := datasets.AppendRequest{Columns: []string{"name", "n"}}
	for i := range 10_000 {
		name := "row " + strconv.Itoa(i)
		if i < len(names) {
			name = names[i]
		}
		request.Rows = append(request.Rows, []any{name, i})
	}
	if _, err := s.Datasets.AppendRows(t.Context(), s.editor(), dataset, request); err != nil {
		t.Fatal(err)
	}
	table := dashboards.Widget{Title: "نص 🚀", Layout: dashboards.Layout{W: 6, H: 6}, Query: dashboards.Query{Columns: []string{"name", "n"}, Order: []warehouse.Order{{By: "n"}}}}
	table.Type = charts.Table
	board, err := s.Dashboards.Create(t.Context(), s.editor(), dashboards.NewDashboard{Name: "🚀 لوحة", Config: dashboards.Config{Dataset: dataset,
		Widgets: map[string]dashboards.Widget{"names": table}}})
	if err != nil {
		t.Fatal(err)
	}
	body, stated := s.render(t, board.ID, reports.Spec{Format: reports.PDF})
	if stated.FailedWidgets != 0 {
		t.Errorf("stated %+v", stated)
	}
	text := textOf(t, body)
	for _, want := range []string{"Rocket & Söhne", "row 9999 9,999", "row 5000 5,000", "row 4 4"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if n := strings.Count(text, "row "); n != 9996 {
		t.Errorf("%d rows are in the PDF", n)
	}
	if whole := strings.ReplaceAll(text, " ", ""); strings.Count(whole, "Bezeichnung") < 13 || !strings.Contains(text, "النور") && !strings.Contains(text, "رونلا") {
		t.Error("long or Arabic names are not whole")
	}
	pages := regexp.MustCompile(`Page \d+ of (\d+)`).FindAllStringSubmatch(text, -1)
	if heads := strings.Count(text, "Name N "); len(pages) < 50 || heads < len(pages)-1 || pages[0][1] != strconv.Itoa(len(pages)) {
		t.Errorf("%d pages, heads on %d", len(pages), heads)
	}
	if first, _, _ := strings.Cut(text, "Page 1 of"); !strings.Contains(first, "row 4 4") {
		t.Error("the table does not begin on the first page")
	}
}

// stuckDashboards never finishes one widget.
type stuckDashboards struct{ *dashboards.Service }

func (d stuckDashboards) Draw(ctx context.Context, v *dashboards.View, p *dashboards.Plan) (*dashboards.Tile, error) {
	if p.ID == "bars" {
		select {}
	}
	return d.Service.Draw(ctx, v, p)
}

func TestAWidgetThatNeverFinishesIsShownAsFailed(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	deps := s.deps
	deps.Dashboards, deps.WidgetTimeout = stuckDashboards{s.Dashboards}, 2*time.Second
	held := &heldRenderer{}
	deps.Renderer = held
	service := reports.New(deps)
	held.pages = NewPrint(service)
	var out bytes.Buffer
	stated, err := service.Render(t.Context(), s.editor(), s.board.ID, reports.Spec{Format: reports.PDF, Widgets: []string{"bars", "sum"}}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if stated.Widgets != 2 || stated.FailedWidgets != 1 {
		t.Errorf("stated %+v", stated)
	}
	if html := out.String(); !strings.Contains(html, "reports.widget_timeout") || !strings.Contains(html, "7,260") {
		t.Errorf("the page does not say so, or lost its other widget")
	}
}

// heldRenderer answers the print page itself.
type heldRenderer struct{ pages http.Handler }

func (r *heldRenderer) Render(ctx context.Context, d reports.Document) ([]byte, string, error) {
	w := httptest.NewRecorder()
	r.pages.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, d.Path, nil))
	return w.Body.Bytes(), `{"failed":[]}`, nil
}

// run does the job of a report, as a worker does.
func (s *boardSite) run(t *testing.T, service *reports.Service, tenant ids.Tenant, id ids.Report) error {
	t.Helper()
	var job uuid.UUID
	err := s.pool.InTenantTx(t.Context(), tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.ReportGet(ctx, tenant.UUID(), id.UUID())
		if err == nil && row.JobID != nil {
			job = *row.JobID
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	claimed, ok, err := s.pool.ClaimJob(t.Context(), jobs.Claim{ID: job, MaxAttempts: 3, Worker: "test", Lease: time.Minute})
	if err != nil || !ok {
		t.Fatalf("claim: %t, %v", ok, err)
	}
	one := jobs.Job[reports.RenderArgs]{Ref: jobs.Ref{ID: job, TenantID: tenant.UUID(), Attempt: claimed.Attempt, MaxAttempts: 3}, Args: reports.RenderArgs{ReportID: id}}
	if err := service.RunRender(t.Context(), one); err != nil {
		return errors.Join(err, service.RenderFailed(t.Context(), one, err))
	}
	return nil
}

func TestDownloadIsAJobWithALink(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	editor, viewer, foreign, nobody := s.as(t, "editor"), s.as(t, "viewer"), s.as(t, "foreign"), s.browser(t)
	form := editor.get(s.path("/download?d=all&widget=table"))
	form.want(http.StatusOK)
	if form.page.Find(`input[name=widget][value=table]`).Length() != 1 || form.page.Find(`input[name=filters][value="d=all"]`).Length() != 1 {
		t.Errorf("the form: %.300s", form.body)
	}
	made := editor.request(http.MethodPost, s.path("/reports"), asked("", "", s.url+s.path("")), "format", "XLSX", "paper", "a4", "widget", "table", "filters", "d=all")
	made.want(http.StatusOK)
	var list struct {
		Reports []struct {
			ID     string `json:"report_id"`
			Status string `json:"status"`
			URL    string `json:"download_url"`
		} `json:"reports"`
	}
	read := func() {
		t.Helper()
		list.Reports = nil
		if err := json.Unmarshal([]byte(editor.request(http.MethodGet, "/reports", map[string]string{"Accept": "application/json"}).body), &list); err != nil || len(list.Reports) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
	}
	read()
	if list.Reports[0].Status != "Pending" || list.Reports[0].URL != "" {
		t.Errorf("%+v", list)
	}
	id, err := ids.Parse[ids.Report](list.Reports[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if following := editor.request(http.MethodGet, views.PathReport(id.String()), asked("", "", s.url)); following.page.Find("#report[hx-get]").Length() != 1 {
		t.Errorf("nothing follows the report: %s", following.body)
	}
	if err := s.run(t, s.Reports, s.one.ID, id); err != nil {
		t.Fatal(err)
	}
	read()
	if list.Reports[0].Status != "Completed" || list.Reports[0].URL == "" {
		t.Fatalf("%+v", list)
	}
	link := list.Reports[0].URL
	whole := editor.get(link)
	whole.want(http.StatusOK)
	if whole.header.Get("Df-Rows") != "120" || whole.header.Get("Accept-Ranges") != "bytes" || len(whole.header.Get("Df-Sha256")) != 64 {
		t.Errorf("headers %v", whole.header)
	}
	part := editor.request(http.MethodGet, link, map[string]string{"Range": "bytes=100-199", "If-Range": whole.header.Get("ETag")})
	if part.status != http.StatusPartialContent || part.body != whole.body[100:200] {
		t.Errorf("range: %d, %d bytes", part.status, len(part.body))
	}
	book, err := excelize.OpenReader(strings.NewReader(whole.body))
	if err != nil {
		t.Fatal(err)
	}
	if value, err := book.GetCellValue("Rows", "C2"); err != nil || value == "" {
		t.Errorf("C2 %q, %v", value, err)
	}
	if kind, err := book.GetCellType("Rows", "B4"); err != nil || kind == excelize.CellTypeFormula {
		t.Errorf("B4 is %v, %v", kind, err)
	}
	if panes, err := book.GetPanes("Rows"); err != nil || !panes.Freeze {
		t.Errorf("panes %+v, %v", panes, err)
	}
	// Nobody else, no other link, no link without its signature.
	for name, path := range map[string]string{"page": views.PathReport(id.String()), "file": link} {
		viewer.get(path).want(http.StatusNotFound)
		foreign.get(path).want(http.StatusNotFound)
		if out := nobody.get(path); out.status != http.StatusUnauthorized && !strings.Contains(out.body, "password") && out.status != http.StatusSeeOther {
			t.Errorf("%s without a session: %d", name, out.status)
		}
	}
	editor.get(views.PathReport(id.String()) + "/file").want(http.StatusForbidden)
	editor.get(strings.Replace(link, "until=1", "until=2", 1)).want(http.StatusForbidden)
	if other := foreign.request(http.MethodPost, "/reports", nil, "dashboard", s.board.ID.String(), "format", "PDF"); other.status != http.StatusNotFound {
		t.Errorf("a stranger's report: %d", other.status)
	}
	if all := foreign.request(http.MethodGet, "/reports", map[string]string{"Accept": "application/json"}); strings.Contains(all.body, id.String()) {
		t.Error("strangers list it")
	}
	// A week later the file is gone.
	deps := s.deps
	deps.Clock = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }
	later := reports.New(deps)
	var prune uuid.UUID
	err = s.pool.InTenantTx(t.Context(), s.one.ID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		prune, err = jobs.Insert(ctx, tx, jobs.Row{TenantID: s.one.ID.UUID(), Args: reports.PruneArgs{}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	claimed, _, err := s.pool.ClaimJob(t.Context(), jobs.Claim{ID: prune, MaxAttempts: 3, Worker: "test", Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if err := later.RunPrune(t.Context(), jobs.Job[reports.PruneArgs]{Ref: jobs.Ref{ID: prune, TenantID: s.one.ID.UUID(), Attempt: claimed.Attempt, MaxAttempts: 3}}); err != nil {
		t.Fatal(err)
	}
	again := views.PathDashboard(s.board.ID.String()) + "/download?d=all&format=XLSX&widget=table"
	gone := editor.get(link).want(http.StatusGone)
	gone.shows("main h1", "can't be downloaded any more")
	gone.shows("main", "The file was kept for 7 days, until "+time.Now().UTC().Add(7*24*time.Hour).Format("2 January 2006"))
	if hrefs := gone.page.Find("main .form-actions a").Map(func(_ int, a *goquery.Selection) string { return a.AttrOr("href", "") }); !slices.Equal(hrefs, []string{again, views.PathHome}) {
		t.Errorf("it leads to %v", hrefs)
	}
	if editor.get(again).want(http.StatusOK).page.Find(`option[value=XLSX][selected]`).Length() != 1 {
		t.Error("the form has another format")
	}
	read()
	if list.Reports[0].Status != "Expired" || list.Reports[0].URL != "" {
		t.Errorf("%+v", list)
	}
	if editor.get(views.PathReport(id.String())).page.Find(`#report a[href="`+again+`"]`).Length() != 1 {
		t.Error("its page does not offer to make it again")
	}
}

func TestAFailedReportSaysWhy(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	r, err := s.Reports.Request(t.Context(), s.editor(), s.board.ID, reports.Spec{Format: reports.CSV, Widgets: []string{"gone"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.run(t, s.Reports, s.one.ID, r.ID); err == nil {
		t.Fatal("a widget without a column was written")
	}
	if r, err = s.Reports.Get(t.Context(), s.editor(), r.ID); err != nil || r.Status != reports.Failed || r.ErrorText == "" || r.Link != "" {
		t.Errorf("%+v, %v", r, err)
	}
	page := s.as(t, "editor").get(views.PathReport(r.ID.String()))
	page.want(http.StatusOK)
	if !strings.Contains(page.body, r.ErrorCode) {
		t.Error("the page does not say why")
	}
}

func TestFilesOfRows(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	render := func(locale string, spec reports.Spec) (string, reports.Stated) {
		t.Helper()
		actor := s.editor()
		actor.Locale = locale
		var out bytes.Buffer
		stated, err := s.Reports.Render(t.Context(), actor, s.board.ID, spec, &out)
		if err != nil {
			t.Fatal(err)
		}
		return out.String(), stated
	}
	german, stated := render("de-DE", reports.Spec{Format: reports.CSV, Widgets: []string{"table"}})
	if !strings.HasPrefix(german, "\ufeffAt;Channel;Amount\r\n") || !strings.Contains(german, ";'=phone;") || stated.Rows != 120 {
		t.Errorf("%+v: %.80q", stated, german)
	}
	plain, _ := render("de-DE", reports.Spec{Format: reports.CSV, Widgets: []string{"table"}, Plain: true})
	rows, err := csv.NewReader(strings.NewReader(plain)).ReadAll()
	if err != nil || len(rows) != 121 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	lines, stated := render("en-GB", reports.Spec{Format: reports.NDJSON, Widgets: []string{"table"}})
	n := 0
	for line := range strings.Lines(lines) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil || row["Amount"] == nil {
			t.Fatalf("%q: %v", line, err)
		}
		n++
	}
	if n != 120 || stated.Rows != 120 {
		t.Errorf("%d lines, %+v", n, stated)
	}
	all, stated := render("en-GB", reports.Spec{Format: reports.XLSX})
	book, err := excelize.OpenReader(strings.NewReader(all))
	if err != nil {
		t.Fatal(err)
	}
	// The broken widget is counted and named, in a sheet of its own.
	if sheets := book.GetSheetList(); len(sheets) != 6 || !slices.Contains(sheets, "By channel") || !slices.Contains(sheets, "Not shown") || stated.FailedWidgets != 1 || stated.Widgets != 6 {
		t.Errorf("%v, %+v", sheets, stated)
	}
}

// Everything that somebody of another workspace asks of a report or a dashboard
// answers that it does not exist. A method that is new must be added here.
func TestOtherWorkspacesFindNoReports(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	r, err := s.Reports.Request(t.Context(), s.editor(), s.board.ID, reports.Spec{Format: reports.CSV, Widgets: []string{"table"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.run(t, s.Reports, s.one.ID, r.ID); err != nil {
		t.Fatal(err)
	}
	stranger := access.Actor{Kind: access.Person, TenantID: s.two.ID, UserID: s.users["foreign"], Role: access.Owner}
	thief := stranger
	thief.UserID = s.users["editor"] // an id of the other workspace
	if _, err := s.Tenants.GetActor(t.Context(), s.two.ID, s.users["editor"]); !errors.Is(err, tenants.ErrMemberNotFound) {
		t.Errorf("GetActor: %v", err)
	}
	console := access.Actor{Kind: access.Console, TenantID: s.two.ID}
	if _, err := s.Tenants.GetActorByEmail(t.Context(), console, "editor@example.com"); !errors.Is(err, tenants.ErrMemberNotFound) {
		t.Errorf("GetActorByEmail: %v", err)
	}
	if a, err := s.Tenants.GetActorByEmail(t.Context(), console, "FOREIGN@example.com"); err != nil || a.UserID != s.users["foreign"] || a.Role != access.Owner {
		t.Errorf("GetActorByEmail: %+v, %v", a, err)
	}
	for name, a := range map[string]access.Actor{"stranger": stranger, "thief": thief} {
		for method, call := range map[string]func() error{
			"Get":     func() error { _, err := s.Reports.Get(t.Context(), a, r.ID); return err },
			"Open":    func() error { _, err := s.Reports.Open(t.Context(), a, r.ID, "1", ""); return err },
			"Request": func() error { _, err := s.Reports.Request(t.Context(), a, s.board.ID, r.Spec); return err },
			"Render":  func() error { _, err := s.Reports.Render(t.Context(), a, s.board.ID, r.Spec, io.Discard); return err },
			"RequestDataset": func() error {
				_, err := s.Reports.RequestDataset(t.Context(), a, s.dataset, reports.Spec{Format: reports.CSV})
				return err
			},
			"RenderDataset": func() error {
				_, err := s.Reports.RenderDataset(t.Context(), a, s.dataset, reports.Spec{Format: reports.CSV}, io.Discard)
				return err
			},
		} {
			if err := call(); !errors.Is(err, reports.ErrNotFound) && !errors.Is(err, dashboards.ErrNotFound) && !errors.Is(err, datasets.ErrNotFound) {
				t.Errorf("%s %s: %v", name, method, err)
			}
		}
		if list, err := s.Reports.List(t.Context(), a); err != nil || len(list) > 0 {
			t.Errorf("%s lists %v, %v", name, list, err)
		}
	}
}

// What a rule hides is no failure, in none of the formats, and a file of rows says it
// without the place in a query.
func TestHiddenWidgetsAreCountedAlike(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	if _, err := s.Datasets.SaveRule(t.Context(), s.owner(), s.dataset, datasets.Rule{Kind: datasets.RuleGroups, Name: "Few", Everybody: true,
		Except: []datasets.RuleSubject{{Role: access.Admin}}, RuleBody: datasets.RuleBody{MinRows: 5}}); err != nil {
		t.Fatal(err)
	}
	for _, format := range []reports.Format{reports.PDF, reports.CSV, reports.XLSX} {
		var out bytes.Buffer
		stated, err := s.Reports.Render(t.Context(), s.editor(), s.board.ID, reports.Spec{Format: format}, &out)
		if err != nil {
			t.Fatal(err)
		}
		if stated.FailedWidgets != 1 || stated.Widgets != 6 { // the broken one
			t.Errorf("%s: %+v", format, stated)
		}
		if format == reports.CSV && (!strings.Contains(out.String(), "Rows: ") || strings.Contains(out.String(), "columns: ") || strings.Contains(out.String(), "measures[")) {
			t.Errorf("%s", out.String())
		}
	}
	if text := s.last.Find(`[data-widget="table"]`).Text(); !strings.Contains(text, "withholds groups of few rows") {
		t.Errorf("the page says %q", text)
	}
	// A hidden column is not there for its reader, and no failure either.
	if _, err := s.Datasets.SaveRule(t.Context(), s.owner(), s.dataset, datasets.Rule{Kind: datasets.RuleColumn, Name: "No amounts", Everybody: true,
		Except: []datasets.RuleSubject{{Role: access.Admin}}, RuleBody: datasets.RuleBody{Column: 3, Mask: warehouse.Mask{Kind: warehouse.MaskHidden}}}); err != nil {
		t.Fatal(err)
	}
	for _, format := range []reports.Format{reports.PDF, reports.CSV} {
		stated, err := s.Reports.Render(t.Context(), s.editor(), s.board.ID, reports.Spec{Format: format}, io.Discard)
		if format == reports.CSV && errors.Is(err, reports.ErrSpec) {
			continue // nothing is left
		}
		if err != nil || stated.FailedWidgets > 0 { // which of them is broken is not told either
			t.Errorf("%s without a column: %+v, %v", format, stated, err)
		}
	}
	if text := s.last.Find(`[data-widget="sum"]`).Text(); !strings.Contains(text, "Not there, or hidden") {
		t.Errorf("the page says %q of the sum", text)
	}
}

// What somebody's rows are locked by has on paper the name of the filter.
func TestLockedRowsOnPaper(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	reader := s.editor()
	reader.Locked = map[string][]string{"channel": {"web"}}
	if _, err := s.Reports.Render(t.Context(), reader, s.board.ID, reports.Spec{Format: reports.PDF}, io.Discard); err != nil {
		t.Fatal(err)
	}
	if scope := s.last.Find(".p-scope").Text(); !strings.Contains(scope, "Channel web") || strings.Contains(scope, "channel web") {
		t.Errorf("%q", scope)
	}
}

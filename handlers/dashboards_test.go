package handlers

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/comments"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/embed"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/domain/sharing"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/redistest"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// boardSite is a site whose datasets have rows, with one dashboard.
type boardSite struct {
	*site
	pool    *db.DB
	blobs   *blob.Store
	dataset ids.Dataset
	board   dashboards.Dashboard
	folder  dashboards.Folder
}

func newBoardSite(t testing.TB, change ...func(*boardSite)) *boardSite {
	t.Helper()
	s := &boardSite{site: newSite(t)}
	var err error
	if s.pool, err = db.Open(t.Context(), db.Config{URL: s.database, MaxConns: 8}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.pool.Close)
	storage := t.TempDir()
	blobs, err := blob.Open(t.Context(), blob.Options{URL: "file://" + storage})
	if err != nil {
		t.Fatal(err)
	}
	writer, err := segments.Open(segments.Config{})
	if err != nil {
		t.Fatal(err)
	}
	engine := warehouse.New(warehouse.Config{Dir: filepath.Join(t.TempDir(), "engine"), DataDirs: []string{storage}, MemoryBytes: 256 << 20})
	t.Cleanup(func() {
		_ = engine.Close()
		_ = writer.Close()
		_ = blobs.Close()
	})
	s.Datasets = datasets.New(datasets.Deps{DB: s.pool, Blobs: blobs, Engine: engine, Writer: writer,
		Sources: sources.New(sources.Deps{DB: s.pool, Boxes: s.Tenants}), Log: slog.Default()})
	s.Dashboards = dashboards.New(dashboards.Deps{DB: s.pool, Datasets: s.Datasets, Log: slog.Default()})
	s.Sharing = sharing.New(s.pool, s.Notify)
	s.Comments = comments.New(comments.Deps{DB: s.pool, Dashboards: s.Dashboards, Notify: s.Notify})
	s.Alerts = alerts.New(alerts.Deps{DB: s.pool, Tenants: s.Tenants, Datasets: s.Datasets, Dashboards: s.Dashboards, Delivery: s.Delivery, Notify: s.Notify,
		Address: func() string { return s.url }, Title: views.AlertTitle, Say: views.AlertWords})
	s.Embed = embed.NewService(embed.Deps{DB: s.pool, Tenants: s.Tenants, Datasets: s.Datasets, Passwords: s.Auth, Notes: s.Audit})
	s.blobs = blobs
	s.Reports = reports.New(reports.Deps{DB: s.pool, Blobs: blobs, Tenants: s.Tenants, Dashboards: s.Dashboards, Visitors: s.Portals, Words: ReportWords, Key: s.SessionKey})
	for _, f := range change {
		f(s)
	}
	if s.routes, err = newRouter(s.Deps); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.routes)
	t.Cleanup(server.Close)
	s.url = server.URL
	s.fill(t)
	return s
}

func (s *boardSite) editor() access.Actor {
	return access.Actor{Kind: access.Person, TenantID: s.one.ID, UserID: s.users["editor"], Role: access.Editor}
}

func (s *boardSite) fill(t testing.TB) {
	t.Helper()
	var err error
	s.dataset, err = s.Datasets.Create(t.Context(), s.editor(), datasets.NewDataset{Name: "Sales", TimeColumn: "at", RelativeToNewest: true,
		Columns: []datasets.NewColumn{{Name: "at", Type: warehouse.Timestamp}, {Name: "channel", Type: warehouse.Text}, {Name: "amount", Type: warehouse.Integer}}})
	if err != nil {
		t.Fatal(err)
	}
	s.add(t, 0, 120)
	widget := func(kind charts.Type, title string, at dashboards.Layout, q dashboards.Query) dashboards.Widget {
		w := dashboards.Widget{Title: title, Layout: at, Query: q}
		w.Type = kind
		return w
	}
	total := []warehouse.Measure{{Fn: "sum", Column: "amount", As: "total"}}
	channel := []warehouse.Dimension{{Column: "channel", As: "channel"}}
	s.board, err = s.Dashboards.Create(t.Context(), s.editor(), dashboards.NewDashboard{Name: "Trading <b>", Config: dashboards.Config{
		Dataset: s.dataset, Settings: dashboards.Settings{Live: true, Date: dashboards.DateSetting{Default: "all"}},
		Filters: map[string]dashboards.Control{"channel": {Label: "Channel", Column: "channel"}},
		Widgets: map[string]dashboards.Widget{
			"sum":   widget(charts.KPI, "Net sales", dashboards.Layout{W: 3, H: 3}, dashboards.Query{Measures: total}),
			"bars":  widget(charts.Bar, "By channel", dashboards.Layout{X: 3, W: 3, H: 9}, dashboards.Query{Measures: total, Dimensions: channel}),
			"mix":   widget(charts.Donut, "Mix", dashboards.Layout{X: 6, W: 3, H: 9}, dashboards.Query{Measures: total, Dimensions: channel}),
			"table": widget(charts.Table, "Rows", dashboards.Layout{Y: 9, W: 6, H: 6}, dashboards.Query{Columns: []string{"at", "channel", "amount"}}),
			"line": widget(charts.Line, "Per day", dashboards.Layout{X: 9, W: 3, H: 9}, dashboards.Query{Measures: total,
				Dimensions: []warehouse.Dimension{{Column: "at", Grain: "auto", As: "day"}}}),
			"gone": widget(charts.Bar, "Broken", dashboards.Layout{X: 6, Y: 9, W: 3, H: 6}, dashboards.Query{Measures: total,
				Dimensions: []warehouse.Dimension{{Column: "nothing"}}}),
		}}})
	if err != nil {
		t.Fatal(err)
	}
	if s.folder, err = s.Dashboards.CreateFolder(t.Context(), s.editor(), ids.Folder{}, "Trading"); err != nil {
		t.Fatal(err)
	}
}

func (s *boardSite) add(t testing.TB, from, to int) {
	t.Helper()
	request := datasets.AppendRequest{Columns: []string{"at", "channel", "amount"}}
	for i := from; i < to; i++ {
		request.Rows = append(request.Rows, []any{time.Date(2026, 5, 1+i/10, 9, i%10, 0, 0, time.UTC), []any{"web", "</script><i>", "=phone"}[i%3], i + 1})
	}
	if _, err := s.Datasets.AppendRows(t.Context(), s.editor(), s.dataset, request); err != nil {
		t.Fatal(err)
	}
}

func (s *boardSite) path(rest string) string { return views.PathDashboard(s.board.ID.String()) + rest }

// asked is what the page itself asks.
func asked(have, snapshot, current string) map[string]string {
	return map[string]string{"HX-Request": "true", "HX-Request-Type": "partial", "HX-Current-URL": current, headerHave: have, headerSnapshot: snapshot}
}

func (s *boardSite) have(a answer) string {
	var pairs []string
	a.page.Find("[data-widget][data-key]").Each(func(_ int, w *goquery.Selection) {
		pairs = append(pairs, w.AttrOr("data-widget", "")+"="+w.AttrOr("data-key", ""))
	})
	return strings.Join(pairs, ",")
}

func TestDashboardPage(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "viewer")
	first := b.get(s.path("")).want(http.StatusOK)
	first.shows("h1", "Trading <b>").shows("title", "Trading <b>").shows(".as-of", "Data as of").shows("#w-sum .kpi-value", "7,260").
		shows("#w-gone .empty-title", "can't be drawn").shows("#w-gone", "query.unknown_column").
		shows("#filters .filter-span", "1 – 12 May 2026").shows("#w-table td", "=phone").shows("#w-table .pagination", "of 120")
	if first.page.Find("#w-gone .w-failed .btn").Length() != 0 {
		t.Error("a widget without its column offers to try again")
	}
	var order []string
	first.page.Find("section.w").Each(func(_ int, w *goquery.Selection) { order = append(order, w.AttrOr("data-widget", "")) })
	if got := strings.Join(order, " "); got != "sum bars mix line table gone" {
		t.Errorf("order of reading: %s", got)
	}
	// What is in the data stays data.
	first.lacks("section.w i:not(.legend-mark):not(.live-dot)")
	for _, id := range []string{"bars", "mix", "line"} {
		var drawing struct{ Option, DF map[string]any }
		if err := json.Unmarshal([]byte(first.page.Find("#w-"+id+" df-chart script").Text()), &drawing); err != nil || drawing.Option == nil {
			t.Errorf("widget %s: %v", id, err)
		}
		if label := first.page.Find("#w-"+id+" df-chart").AttrOr("aria-label", ""); len(label) < 20 {
			t.Errorf("widget %s says %q", id, label)
		}
	}
	// A viewer is offered nothing to change.
	first.lacks("[hx-get$='/rename']").lacks("form[action$='/delete']")
	s.as(t, "editor").get(s.path("")).shows("form[action$='/delete'] button", "Delete")
}

// The page is put together from kept pieces the second time: it is the same,
// but for the nonce.
func TestKeptPageIsTheSamePage(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "viewer")
	read := func() (page, nonce string) {
		t.Helper()
		a := b.get(s.path("?x.bars=web")).want(http.StatusOK)
		match := regexp.MustCompile(`'nonce-([^']+)'`).FindStringSubmatch(a.header.Get("Content-Security-Policy"))
		if match == nil || strings.Count(a.body, match[1]) < 2 || strings.Contains(a.body, blank) {
			t.Fatalf("nonce %v is %d times in the page", match, strings.Count(a.body, match[1]))
		}
		return strings.ReplaceAll(a.body, match[1], ""), match[1]
	}
	skeletons := regexp.MustCompile(`(?s)<div class="wait".*?</div></div>`)
	first, nonce1 := read()
	read() // the broken widget is never kept, so skeletons stay
	third, nonce3 := read()
	if nonce1 == nonce3 {
		t.Error("the nonce is the same")
	}
	if a, b := skeletons.ReplaceAllString(first, ""), skeletons.ReplaceAllString(third, ""); a != b {
		t.Errorf("pages differ: %d and %d bytes", len(a), len(b))
	}
	// Without the broken widget nothing is waited for.
	op := dashboards.Operation{ID: uuid.New(), Path: "/widgets/gone", Before: mustJSON(t, s.board.Config.Widgets["gone"])}
	if _, err := s.Dashboards.Edit(t.Context(), s.editor(), s.board.ID, dashboards.Edit{Rev: 1, Operations: []dashboards.Operation{op}, Strict: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Dashboards.Publish(t.Context(), s.editor(), s.board.ID, 0, ""); err != nil {
		t.Fatal(err)
	}
	b.get(s.path("")).shows("#w-sum", "7,260")
	b.get(s.path("")).shows("#w-sum", "7,260").lacks(".wait")
	kept := b.get(s.path("")).shows("#w-sum", "7,260").lacks(".wait").lacks("#w-gone")
	if kept.page.Find("section.w").Length() != 5 {
		t.Errorf("%d widgets", kept.page.Find("section.w").Length())
	}
	// New rows are on the next page at once.
	s.add(t, 120, 121)
	b.get(s.path("")).shows("#w-sum", "7,381")
	// And so is a star, without another revision.
	b.post(s.path("/star"), "starred", "true")
	b.get(s.path("")).shows(".page-title [aria-pressed=true]", "")
}

func mustJSON(t testing.TB, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestPageWithoutGzipIsTheSame(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "viewer")
	plain := b.request(http.MethodGet, s.path("/widgets/sum"), map[string]string{"Accept-Encoding": "identity"})
	if plain.header.Get("Content-Encoding") != "" {
		t.Fatal("compressed")
	}
	packed := b.request(http.MethodGet, s.path("/widgets/sum"), map[string]string{"Accept-Encoding": "gzip"})
	r, err := gzip.NewReader(strings.NewReader(packed.body))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(r); err != nil || string(body) != plain.body || packed.header.Get("Vary") == "" {
		t.Errorf("%d and %d bytes, %v", len(body), len(plain.body), err)
	}
}

// A change of a filter is one answer: the widgets that changed, the filter
// bar, the status, and the address that goes into the history.
func TestFilterChangeIsOneAnswer(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "viewer")
	page := b.get(s.path(""))
	have, snapshot := s.have(page), page.page.Find("#dash-meta").AttrOr("data-snapshot", "")
	parts := func(a answer) []string {
		var targets []string
		a.page.Find("hx-partial").Each(func(_ int, p *goquery.Selection) { targets = append(targets, p.AttrOr("hx-target", "")) })
		return targets
	}
	same := b.request(http.MethodGet, s.path(""), asked(have, snapshot, s.url+s.path(""))).want(http.StatusOK)
	if got := strings.Join(parts(same), " "); got != "#filters #dash-status #dash-tabs #dash-empty #dash-meta" || same.header.Get("HX-Push-Url") != "false" {
		t.Errorf("nothing changed: %s, address %q", got, same.header.Get("HX-Push-Url"))
	}
	clicked := b.request(http.MethodGet, s.path("?x.bars=web"), asked(have, snapshot, s.url+s.path(""))).want(http.StatusOK)
	if got := strings.Join(parts(clicked), " "); got != "#filters #dash-status #dash-tabs #dash-empty #dash-meta #w-sum #w-bars #w-mix #w-line #w-table #w-gone" {
		t.Errorf("a click: %s", got)
	}
	if got := clicked.header.Get("HX-Push-Url"); got != s.path("?x.bars=web") {
		t.Errorf("address %q", got)
	}
	clicked.shows("#w-bars .tag", "web").shows(".chip", "Channel web").shows("#w-sum .kpi-value", "2,380").lacks("html[lang]")
	if meta := clicked.page.Find("#dash-meta"); meta.AttrOr("data-link", "") != "x.bars=web" || meta.AttrOr("data-snapshot", "") != snapshot {
		t.Errorf("meta: %v", meta.Nodes)
	}
	// The form of the filter bar: values escaped as in links, dates unchanged.
	form := "?" + url.Values{"f.channel": {"web", "=phone"}, "d.from": {"2026-05-01"}, "d.to": {"2026-05-12"}, "d.days": {"2026-05-01~2026-05-12"}, "d.is": {""}}.Encode()
	picked := b.request(http.MethodGet, s.path(form), asked(have, snapshot, s.url+s.path(""))).want(http.StatusOK)
	if got := picked.header.Get("HX-Push-Url"); got != s.path("?f.channel=web,%3Dphone") {
		t.Errorf("address %q", got)
	}
	picked.shows("#filters .filter-value", "2 values").shows("#w-sum .kpi-value", "4,840")
	// The same link opened as a page shows the same.
	b.get(s.path("?f.channel=web,%3Dphone")).shows("#w-sum .kpi-value", "4,840").shows(".filters-end", "Reset")
	// An empty selection says which filter did it.
	b.get(s.path("?f.channel=fax")).shows("#w-bars .empty-text", "Channel is fax").shows("#w-bars .btn", "Reset").shows("#w-sum .kpi-value", "—")
}

func TestDashboardFailures(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "editor")
	page := b.get(s.path(""))
	for name, tc := range map[string]struct {
		path   string
		status int
		code   string
	}{
		"a range that is none":     {s.path("?d=soon"), http.StatusUnprocessableEntity, "dashboards.filters_invalid"},
		"a moment that is none":    {s.path("?at=nonsense"), http.StatusGone, "datasets.snapshot_expired"},
		"an id that is none":       {views.PathDashboard("x"), http.StatusNotFound, "dashboards.not_found"},
		"an unknown id":            {views.PathDashboard(uuid.NewString()), http.StatusNotFound, "dashboards.not_found"},
		"an unknown widget":        {s.path("/widgets/nope"), http.StatusNotFound, "dashboards.widget_not_found"},
		"a table of none":          {s.path("/widgets/nope/table"), http.StatusNotFound, "dashboards.widget_not_found"},
		"a file of none":           {s.path("/widgets/nope/data.csv"), http.StatusNotFound, "dashboards.widget_not_found"},
		"a file of a broken one":   {s.path("/widgets/gone/data.csv"), http.StatusUnprocessableEntity, "query.unknown_column"},
		"values of no filter":      {s.path("/filters/nope/values"), http.StatusNotFound, "dashboards.filter_not_found"},
		"a filter of no column":    {s.path("/filters/nope"), http.StatusNotFound, "dashboards.filter_not_found"},
		"a folder that is none":    {views.PathFolders + "/x/rename", http.StatusNotFound, "dashboards.folder_not_found"},
		"rename of what is not":    {views.PathDashboard(uuid.NewString()) + "/rename", http.StatusNotFound, "dashboards.not_found"},
		"a page beyond every page": {s.path("?p.table=x"), http.StatusUnprocessableEntity, "dashboards.filters_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			b.get(tc.path).want(tc.status).shows("body", tc.code)
		})
	}
	for _, link := range []string{"?d=banana", "?c=never", "?p.table=x"} {
		b.get(s.path(link)).shows(".problem a[href='"+s.path("")+"']", "Reset the filters")
		b.get(s.path("/edit"+link)).shows(".problem a[href='"+s.path("/edit")+"']", "Reset the filters")
	}
	// A file that can't be made leads back, and the link to it opens that page.
	b.get(s.path("/widgets/gone/data.csv?f.channel=web")).want(http.StatusUnprocessableEntity).shows(".problem a[href='"+s.path("?f.channel=web")+"']", "Back to the dashboard")
	b.get(s.path("")).lacks("#w-table a[href*='data.csv'][download]")
	// The page itself learns that its moment is gone and moves on.
	gone := b.request(http.MethodGet, s.path(""), asked(s.have(page), "AAAA", s.url+s.path(""))).want(http.StatusGone)
	gone.shows("body", "datasets.snapshot_expired")
	if again := gone.page.Find(".form-actions a").First().AttrOr("href", ""); strings.Contains(again, "at=") {
		t.Errorf("the page of now is at %q", again)
	}
	// A stale edit.
	send := func(rev int64, before, after string) answer {
		body := fmt.Sprintf(`{"rev":%d,"operations":[{"op_id":%q,"path":"/widgets/sum/title","before":%q,"after":%q}]}`, rev, uuid.NewString(), before, after)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+s.path("/operations"), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		return b.do(r)
	}
	if a := send(1, "Net sales", "Sales").want(http.StatusOK); !strings.Contains(a.body, `"rev":2`) {
		t.Errorf("%s", a.body)
	}
	if a := send(1, "Net sales", "Turnover").want(http.StatusConflict); !strings.Contains(a.body, "dashboards.stale") {
		t.Errorf("%s", a.body)
	}
	// Viewers, and the page, see it once it is published.
	b.get(s.path("")).shows("#w-sum .w-title", "Net sales")
	b.post(s.path("/publish"))
	b.get(s.path("")).shows("#w-sum .w-title", "Sales")
}

// Every route with an id answers 404 to another workspace and sends people
// without a session to sign in. The list is the router's own, so that a new
// route is in it.
func TestEveryBoardRouteIsClosedToOthers(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	nobody := s.browser(t)
	template, err := s.Dashboards.SaveTemplate(t.Context(), s.editor(), s.board.ID, "Trading template", "")
	if err != nil {
		t.Fatal(err)
	}
	checked := s.walk(t, s.as(t, "foreign"), map[string]string{"/dashboards/{id}": s.board.ID.String(), "/folders/{id}": s.folder.ID.String(), "/templates/{id}": template.String()},
		func(t *testing.T, method, path string) {
			nobody.t = t
			out := nobody.request(method, path, nil, "name", "Mine")
			if out.status != http.StatusSeeOther && out.status != http.StatusUnauthorized || strings.Contains(out.body, "Trading") {
				t.Errorf("without a session: %d", out.status)
			}
		})
	if checked < 20 {
		t.Errorf("only %d routes were checked", checked)
	}
	if d, err := s.Dashboards.Get(t.Context(), s.editor(), s.board.ID); err != nil || d.Name != "Trading <b>" || d.Starred {
		t.Errorf("%+v, %v", d, err)
	}
}

// walk asks every route below the given beginnings, whose ids are filled in, as
// somebody for whom there is no such thing.
func (s *boardSite) walk(t *testing.T, stranger *browser, objects map[string]string, also func(t *testing.T, method, path string)) (checked int) {
	t.Helper()
	fill := strings.NewReplacer("{filter}", "channel", "{widget}", "sum", "{column}", "1", "{version}", "1", "{name}", "x", "{load}", uuid.NewString(), "{view}", uuid.NewString(),
		"{thread}", uuid.NewString(), "{comment}", uuid.NewString())
	walk := func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		path := ""
		for beginning, id := range objects {
			if strings.HasPrefix(route, beginning) {
				path = strings.ReplaceAll(fill.Replace(route), "{id}", id)
			}
		}
		if path == "" {
			return nil
		}
		checked++
		t.Run(method+" "+route, func(t *testing.T) {
			stranger.t = t
			var got answer
			bodies := map[string]string{
				"/operations": `{"rev":1,"operations":[{"op_id":"` + uuid.NewString() + `","path":"/name","after":"x"}]}`,
				"/act":        `{"rev":1,"act":{"kind":"add_widget","type":"kpi"}}`,
				"/undo":       `{"rev":1}`,
				"/redo":       `{"rev":1}`,
				"/presence":   `{"tab":"t"}`,
				"/file":       `{"text":"dashboard: Mine\nversion: 1\n"}`,
			}
			if body, ok := bodies[route[strings.LastIndexByte(route, '/'):]]; ok {
				r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				got = stranger.do(r)
			} else {
				format := "PDF"
				if strings.HasPrefix(route, "/datasets/") {
					format = "CSV"
				}
				got = stranger.request(method, path, nil, "name", "Mine", "starred", "true", "tags", "x", "subject", "role:viewer", "format", format, "text", "Mine")
			}
			got.want(http.StatusNotFound)
			if strings.Contains(got.body, "Trading") || strings.Contains(got.body, "7,260") {
				t.Error("the answer tells of it")
			}
			if also != nil {
				also(t, method, path)
			}
		})
		return nil
	}
	if err := chi.Walk(s.routes, walk); err != nil {
		t.Fatal(err)
	}
	return checked
}

func TestViewersAreRefusedChanges(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "viewer")
	for _, path := range []string{"/rename", "/move", "/tags", "/duplicate", "/delete", "/restore"} {
		b.post(s.path(path), "name", "Mine").want(http.StatusForbidden)
	}
	b.post(views.PathFolders, "name", "Mine").want(http.StatusForbidden)
	b.post(views.PathDashboards, "dataset", s.dataset.String()).want(http.StatusForbidden)
	b.get(views.PathNewDashboard).want(http.StatusForbidden)
}

func TestWidgetMenuAnswers(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "viewer")
	page := b.get(s.path("?f.channel=web"))
	link := func(selector string) string {
		href, ok := page.page.Find(selector).Attr("href")
		if !ok {
			t.Fatalf("no link %s", selector)
		}
		return href
	}
	file := b.get(link("#w-table a[href*='data.csv']:not([href*=bom])")).want(http.StatusOK)
	if got := file.header.Get("Content-Disposition"); got != "attachment; filename=Rows.csv" || !strings.HasPrefix(file.header.Get("Content-Type"), "text/csv") {
		t.Errorf("%q, %q", got, file.header.Get("Content-Type"))
	}
	if lines := strings.Split(strings.TrimSpace(file.body), "\r\n"); len(lines) != 41 || lines[0] != "At,Channel,Amount" {
		t.Errorf("%d lines, first %q", len(lines), lines[0])
	}
	if excel := b.get(link("#w-table a[href*=bom]")); !strings.HasPrefix(excel.body, "\ufeff") {
		t.Errorf("no mark: %q", excel.body[:10])
	}
	// The link shows the page's moment, whatever came since.
	s.add(t, 120, 150)
	if file := b.get(link("#w-table a[href*='data.csv']:not([href*=bom])")); strings.Count(file.body, "\r\n") != 41 {
		t.Errorf("%d lines", strings.Count(file.body, "\r\n"))
	}
	b.get(link("#w-bars a[href*='/table']")).want(http.StatusOK).shows("h1", "By channel as a table").shows("td", "web")
	part := b.request(http.MethodGet, link("#w-bars a[href*='/table']"), asked("", "", "")).want(http.StatusOK).lacks("html[lang]")
	part.shows("th", "Channel")
	// The choices of a filter, most frequent first, under the other choices.
	values := b.get(s.path("/filters/channel/values?q=pho")).want(http.StatusOK)
	if inputs := values.page.Find("input[type=checkbox]"); inputs.Length() != 1 || inputs.AttrOr("value", "") != "=phone" {
		t.Errorf("%s", values.body)
	}
	b.get(s.path("/filters/amount")).want(http.StatusOK).shows("df-filter[data-open] .filter-name", "Amount")
	// Retry answers the widget alone.
	b.get(s.path("/widgets/gone")).want(http.StatusOK).shows("#w-gone[role], #w-gone [role=alert]", "can't be drawn").lacks("#w-sum")
	// What was good before can be looked at, and says from when it is.
	b.get(s.path("/widgets/sum?stale=1780000000")).want(http.StatusOK).shows("#w-sum .w-late", "Data from")
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "editor")
	b.get("/").want(http.StatusOK).shows("h1", "Home").shows(".board-name", "Trading <b>").shows(".folder", "Trading")
	list := b.get(views.PathDashboards).shows("h1", "Dashboards").shows(".board-meta", "6 widgets")
	if list.page.Find(".board-thumb svg rect").Length() < 6 {
		t.Error("the thumbnail shows nothing")
	}
	b.get(views.PathDashboards+"?q=net+sales").shows(".board-name", "Trading")
	b.get(views.PathDashboards+"?q=zebra").lacks(".board").shows("body", "No dashboard matches")
	b.get(views.PathDashboards + "?folder=" + s.folder.ID.String()).lacks(".board")

	b.get(s.path("/rename")).shows("dialog[open] input[name=name]", "")
	b.post(s.path("/rename"), "name", strings.Repeat("x", 121)).want(http.StatusUnprocessableEntity).shows(".field-error", "1 to 120")
	b.follow(b.post(s.path("/rename"), "name", "Trade")).shows(".board-name", "Trade")
	b.get(s.path("/move")).shows("select option", "Trading")
	b.post(s.path("/move"), "folder", uuid.NewString()).want(http.StatusNotFound)
	b.post(s.path("/move"), "folder", s.folder.ID.String()).want(http.StatusSeeOther)
	b.get(views.PathDashboards+"?folder="+s.folder.ID.String()).shows(".board-name", "Trade").shows(".folder-trail b", "Trading")
	b.post(s.path("/tags"), "tags", strings.Repeat("x", 50)).want(http.StatusUnprocessableEntity).shows(".field-error", "20 tags")
	b.post(s.path("/tags"), "tags", "weekly, board").want(http.StatusSeeOther)
	b.get(views.PathDashboards+"?tag=weekly").shows(".board-name", "Trade")

	star := b.request(http.MethodPost, s.path("/star"), map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"}, "starred", "true").want(http.StatusOK)
	star.shows("form [aria-pressed=true]", "").lacks("html[lang]")
	b.get(views.PathDashboards+"?starred=1").shows(".board-name", "Trade")
	copied := b.post(s.path("/duplicate")).want(http.StatusSeeOther)
	b.get(copied.header.Get("Location")).shows("h1", "Trade (copy)")

	deleted := b.follow(b.post(s.path("/delete")))
	deleted.shows("[role=status]", "Trade was deleted.").shows(".board-name", "Trade (copy)")
	b.get(s.path("")).want(http.StatusNotFound)
	undo, ok := deleted.page.Find("form[action$='/restore']").Attr("action")
	if !ok {
		t.Fatal("nothing to undo with")
	}
	b.follow(b.post(undo)).shows(".boards", "Trade")
	b.get(s.path("")).want(http.StatusOK)

	made := b.post(views.PathFolders, "name", "Supply").want(http.StatusSeeOther)
	b.get(made.header.Get("Location")).shows(".folder-trail b", "Supply")
	b.post(views.PathFolders, "name", "supply").want(http.StatusUnprocessableEntity)
	folder := regexp.MustCompile(`folder=([0-9a-f-]+)`).FindStringSubmatch(made.header.Get("Location"))[1]
	b.get(views.PathFolders+"/"+folder+"/rename").shows("input[name=name]", "")
	b.post(views.PathFolders+"/"+folder+"/rename", "name", "").want(http.StatusUnprocessableEntity)
	b.post(views.PathFolders + "/" + folder + "/delete").leadsTo(views.PathDashboards)

	b.get(views.PathNewDashboard).shows("select option", "Sales")
	suggested := b.post(views.PathDashboards, "dataset", s.dataset.String()).want(http.StatusSeeOther)
	b.get(suggested.header.Get("Location")).want(http.StatusOK).shows("h1", "Sales").shows(".kpi-value", "120").lacks("[role=alert]")
}

// readEvents sends on the events of a stream until it ends.
func readEvents(t testing.TB, b *browser, path string) <-chan [2]string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.site.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = b.host
	client := &http.Client{Jar: b.client.Jar, Transport: b.client.Transport}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("stream: %d, %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	out := make(chan [2]string, 100)
	go func() {
		defer close(out)
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		name := ""
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				name = text
			}
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				out <- [2]string{name, text}
			}
		}
	}()
	return out
}

func next(t testing.TB, stream <-chan [2]string) [2]string {
	t.Helper()
	select {
	case e, open := <-stream:
		if !open {
			t.Fatal("the stream has ended")
		}
		return e
	case <-time.After(30 * time.Second):
		t.Fatal("no event came")
	}
	return [2]string{}
}

// A change of the data is told at once, by what travels through outbox and
// Redis; what Redis loses is found by looking.
func TestStreamTellsOfChanges(t *testing.T) {
	t.Parallel()
	client := redistest.New(t)
	s := newBoardSite(t, func(s *boardSite) {
		bus := events.NewBus(client, slog.Default())
		relay := events.NewRelay(s.pool, bus, nil, slog.Default())
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		done := make(chan error, 2)
		go func() { done <- bus.Run(ctx) }()
		go func() { done <- relay.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			for range 2 {
				if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		})
		s.Events, s.StreamEvery = bus, time.Hour
	})
	b := s.as(t, "viewer")
	stream := readEvents(t, b, s.path("/events"))
	first := next(t, stream)
	page := b.get(s.path(""))
	snapshot := page.page.Find("#dash-meta").AttrOr("data-snapshot", "")
	if want := fmt.Sprintf(`{"at":%q,"rev":1,"sees":""}`, snapshot); first != [2]string{"versions", want} {
		t.Fatalf("got %q, want %q", first, want)
	}
	s.add(t, 120, 121)
	changed := next(t, stream)
	for changed == first { // told again once the subscription began
		changed = next(t, stream)
	}
	var now struct {
		At  string
		Rev int
	}
	if err := json.Unmarshal([]byte(changed[1]), &now); err != nil || now.At == snapshot || now.Rev != 1 {
		t.Fatalf("%q, %v", changed, err)
	}
	if strings.Contains(changed[1], "121") || strings.Contains(changed[1], "web") {
		t.Error("the event holds data")
	}
	// What the page then asks brings the widgets of the new moment.
	fresh := b.request(http.MethodGet, s.path("?f.channel=web"), asked(s.have(page), "", s.url+s.path("?f.channel=web"))).want(http.StatusOK)
	fresh.shows("#w-sum .kpi-value", "2,501")
	if fresh.page.Find("#dash-meta").AttrOr("data-snapshot", "") != now.At {
		t.Error("the page shows another moment than it was told of")
	}
	if _, err := s.Dashboards.Rename(t.Context(), s.editor(), s.board.ID, "Trade"); err != nil {
		t.Fatal(err)
	}
	for e := next(t, stream); !strings.Contains(e[1], `"rev":2`); e = next(t, stream) {
	}
}

// Without Redis a stream finds changes by itself; it ends with the session,
// with the role and with the dashboard.
func TestStreamLooksAgain(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t, func(s *boardSite) { s.StreamEvery = 50 * time.Millisecond })
	b := s.as(t, "viewer")
	stream := readEvents(t, b, s.path("/events"))
	first := next(t, stream)
	s.add(t, 120, 121)
	for e := next(t, stream); e == first; e = next(t, stream) {
	}
	end := func(stream <-chan [2]string) {
		t.Helper()
		for e := next(t, stream); e[0] != "end"; e = next(t, stream) {
		}
		if e, open := <-stream; open {
			t.Errorf("after the end came %q", e)
		}
	}
	b.post(views.PathSignOut)
	end(stream)

	again := s.as(t, "viewer")
	stream = readEvents(t, again, s.path("/events"))
	next(t, stream)
	s.exec(t, "UPDATE users SET role = 'editor' WHERE user_id = $1", s.users["viewer"].UUID())
	end(stream)

	stream = readEvents(t, again, s.path("/events"))
	next(t, stream)
	if err := s.Dashboards.Delete(t.Context(), s.editor(), s.board.ID); err != nil {
		t.Fatal(err)
	}
	end(stream)
}

// Somebody whose session ended, or who belongs elsewhere now, gets no page out
// of what was kept.
func TestKeptPageIsOnlyForWhoMaySeeIt(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "viewer")
	for range 3 {
		b.get(s.path("/widgets/sum")).want(http.StatusOK).shows(".kpi-value", "7,260")
	}
	s.exec(t, "DELETE FROM control.sessions WHERE user_id = $1", s.users["viewer"].UUID())
	if a := b.get(s.path("/widgets/sum")); a.status != http.StatusSeeOther || strings.Contains(a.body, "7,260") {
		t.Errorf("after the session ended: %d", a.status)
	}
	stranger := s.as(t, "foreign")
	stranger.get(s.path("/widgets/sum")).want(http.StatusNotFound)
	if err := s.Dashboards.Delete(t.Context(), s.editor(), s.board.ID); err != nil {
		t.Fatal(err)
	}
	s.as(t, "editor").get(s.path("/widgets/sum")).want(http.StatusNotFound)
}

// BenchmarkKeptPage is the page of known widgets, as a signed-in person gets
// it: session, permission and versions are read from PostgreSQL each time.
func BenchmarkKeptPage(b *testing.B) {
	s := newBoardSite(b)
	op := dashboards.Operation{ID: uuid.New(), Path: "/widgets/gone", Before: mustJSON(b, s.board.Config.Widgets["gone"])}
	if _, err := s.Dashboards.Edit(b.Context(), s.editor(), s.board.ID, dashboards.Edit{Rev: 1, Operations: []dashboards.Operation{op}, Strict: true}); err != nil {
		b.Fatal(err)
	}
	for name, path := range map[string]string{"page": "", "widget": "/widgets/sum"} {
		b.Run(name, func(b *testing.B) {
			client := s.as(b, "viewer")
			cookies := client.client.Jar.Cookies(mustURL(b, s.url))
			serve := func() *httptest.ResponseRecorder {
				r := httptest.NewRequest(http.MethodGet, s.path(path), nil)
				r.Header.Set("Accept-Encoding", "gzip")
				for _, c := range cookies {
					r.AddCookie(c)
				}
				w := &httptest.ResponseRecorder{Body: &bytes.Buffer{}}
				s.routes.ServeHTTP(w, r)
				return w
			}
			for range 3 {
				if w := serve(); w.Code != http.StatusOK {
					b.Fatalf("status %d", w.Code)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				serve()
			}
		})
	}
}

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

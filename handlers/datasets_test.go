package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/sharing"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/sandbox"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// dataSite is a site that loads files and answers queries.
type dataSite struct {
	*site
	pool *db.DB
}

func newDataSite(t testing.TB) *dataSite {
	t.Helper()
	s := &dataSite{site: newSite(t)}
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
	engine := warehouse.New(warehouse.Config{Dir: t.TempDir(), DataDirs: []string{storage}, MemoryBytes: 256 << 20})
	t.Cleanup(func() {
		_ = engine.Close()
		_ = writer.Close()
		_ = blobs.Close()
	})
	s.Datasets = datasets.New(datasets.Deps{DB: s.pool, Blobs: blobs, Engine: engine, Sandbox: &sandbox.Client{}, Writer: writer,
		Sources: sources.New(sources.Deps{DB: s.pool, Boxes: s.Tenants}), Log: slog.Default()})
	s.Dashboards = dashboards.New(dashboards.Deps{DB: s.pool, Datasets: s.Datasets, Log: slog.Default()})
	s.Sharing = sharing.New(s.pool, s.Notify)
	if s.routes, err = newRouter(s.Deps); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.routes)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// work does the jobs that wait, as a worker would.
func (s *dataSite) work(t testing.TB) {
	t.Helper()
	runner := jobs.NewRunner(jobs.Config{Store: s.pool})
	jobs.Bind(runner, datasets.InspectOptions, s.Datasets.RunInspect)
	jobs.OnFailed(runner, s.Datasets.InspectFailed)
	jobs.Bind(runner, datasets.LoadOptions, s.Datasets.RunLoad)
	jobs.OnFailed(runner, s.Datasets.LoadFailed)
	due, err := s.pool.DispatchJobs(t.Context(), jobs.Dispatch{Queue: jobs.Bulk, Kinds: runner.Kinds(), Waiting: 100, PerTenant: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range due {
		runner.Do(t.Context(), job.ID, job.Kind, job.Attempt)
	}
}

// send posts a file as a browser's form does.
func (b *browser) send(path, accept, field, filename, content string) answer {
	b.t.Helper()
	return b.multipart(path, accept, func(form *multipart.Writer) error {
		part, err := form.CreateFormFile(field, filename)
		if err == nil {
			_, err = part.Write([]byte(content))
		}
		return err
	})
}

// parts posts the fields of a form that could have files.
func (b *browser) parts(path string, fields ...string) answer {
	b.t.Helper()
	return b.multipart(path, browserAccepts, func(form *multipart.Writer) error {
		for i := 0; i < len(fields); i += 2 {
			if err := form.WriteField(fields[i], fields[i+1]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *browser) multipart(path, accept string, write func(*multipart.Writer) error) answer {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if err := write(form); err != nil {
		b.t.Fatal(err)
	}
	_ = form.Close()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.site.url+path, &body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept", accept)
	return b.do(r)
}

const browserAccepts = "text/html,application/xhtml+xml,*/*;q=0.8"

// load brings a file into a dataset through the pages, and answers the path of
// the dataset.
func (s *dataSite) load(t testing.TB, b *browser, name, content string) string {
	t.Helper()
	upload := b.send("/uploads", browserAccepts, "file", name+".csv", content).leadsTo("").header.Get("Location")
	s.work(t)
	load := b.post(upload+"/load", reviewed(b.get(upload), "dataset", name, "mode", "replace")...).leadsTo("").header.Get("Location")
	s.work(t)
	report := b.get(load).want(http.StatusOK)
	href, _ := report.page.Find(`.page-foot a[href^="/datasets/"]`).Attr("href")
	if href == "" {
		t.Fatalf("the report leads to no dataset: %s", report.text())
	}
	return href
}

// reviewed are the fields of the review form as the page has them, and changes.
func reviewed(page answer, changes ...string) []string {
	page.t.Helper()
	fields := map[string]string{}
	for _, input := range page.page.Find("#upload-form input, #upload-form select").EachIter() {
		name, _ := input.Attr("name")
		kind, _ := input.Attr("type")
		_, checked := input.Attr("checked")
		value, _ := input.Attr("value")
		if input.Is("select") {
			value, _ = input.Find("option[selected]").Attr("value")
		}
		if name == "" || (kind == "checkbox" && !checked) {
			continue
		}
		fields[name] = value
	}
	for i := 0; i < len(changes); i += 2 {
		fields[changes[i]] = changes[i+1]
	}
	var list []string
	for name, value := range fields {
		list = append(list, name, value)
	}
	return list
}

const shop = "order,region,sold,amount\n1,North,2026-01-05,10.50\n2,South,2026-01-06,20.25\n3,North,2026-01-07,5.00\n"

func TestFileBecomesADataset(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	b.get("/datasets").want(http.StatusOK).shows(".empty-title", "No data yet")
	b.get("/datasets/new").want(http.StatusOK).shows("form[enctype] button", "Choose a file")
	upload := b.send("/uploads", browserAccepts, "file", "shop.csv", shop+"x,North,2026-01-08,1.00\n").leadsTo("").header.Get("Location")
	b.get(upload).want(http.StatusOK).shows("#job-progress b", "Waiting to begin").shows(".step-current", "Review schema").lacks("#upload-form")
	b.request(http.MethodGet, upload+"/progress", map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"}).
		want(http.StatusOK).shows("#job-progress", "Waiting")
	s.work(t)
	// It asks no more, and once for the outcome.
	partial := map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"}
	ended := b.request(http.MethodGet, upload+"/progress", partial).want(http.StatusOK).page.Find("#job-progress[hx-trigger=load]")
	if got := b.request(http.MethodGet, ended.AttrOr("hx-get", ""), partial); got.header.Get("HX-Redirect") != upload {
		t.Errorf("after the job: leads to %q", got.header.Get("HX-Redirect"))
	}
	page := b.get(upload).want(http.StatusOK).shows(".file-words", "4 rows read").shows(".page-foot .btn-primary", "Load 4 rows")
	if got, _ := page.page.Find("#dataset").Attr("value"); got != "shop" {
		t.Errorf("the dataset would be called %q", got)
	}
	// A type is corrected, and the row that does not fit is offered a fix.
	b.post(upload+"/inspect", reviewed(page, "type-0", "integer", "dataset", "Shop")...).leadsTo(upload + "?dataset=Shop")
	s.work(t)
	page = b.get(upload+"?dataset=Shop").want(http.StatusOK).shows(".page-foot .btn-primary", "Load 3 rows").
		shows("table tbody", "1 rejected").shows(".tag-neg", "1 of 4")
	rejects := b.get(upload + "/rejects.csv").want(http.StatusOK)
	if !strings.Contains(rejects.body, "x") || rejects.header.Get("Content-Disposition") == "" {
		t.Errorf("rejects: %q", rejects.body)
	}
	load := b.post(upload+"/load", reviewed(page)...).leadsTo("").header.Get("Location")
	b.get(load).want(http.StatusOK).shows("#job-progress button", "Cancel load").shows("h1", "Loading Shop")
	s.work(t)
	report := b.get(load).want(http.StatusOK).shows("h1", "Shop is loaded").shows(".stats", "3 loaded").shows(".stats", "1 rejected").
		shows("#load", "A first dashboard").shows(".page-foot .btn-primary", "Make this dashboard")
	b.get(load + "/rejects.csv").want(http.StatusOK)
	dataset, _ := report.page.Find(".page-foot a").Attr("href")
	b.get("/datasets").want(http.StatusOK).shows("tbody th", "Shop").lacks(".empty")

	b.get(dataset).want(http.StatusOK).shows("#columns tbody", "decimal(").shows("#columns[hx-get] .caption", "Looking")
	b.get(dataset + "/profile").want(http.StatusOK)
	b.get(dataset).want(http.StatusOK).lacks("#columns[hx-get]")
	// A rename makes the profile due anew.
	b.post(dataset+"/columns/2", "name", "Region").leadsTo(dataset)
	b.get(dataset).want(http.StatusOK).shows("#columns[hx-get] .caption", "Looking")
	b.request(http.MethodGet, dataset+"/profile", map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"}).
		want(http.StatusOK).shows(".top-values", "North 2").lacks("#columns[hx-get]").lacks("h1")
	b.get(dataset).want(http.StatusOK).lacks("#columns[hx-get]")
	b.get(dataset+"/preview").want(http.StatusOK).shows("tbody tr:first-child", "7 Jan 2026")
	b.get(dataset+"/versions").want(http.StatusOK).shows("tbody tr", "Current").lacks("form[action$=restore]")
}

func TestDroppedFileAnswersWhereItsPageIs(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	got := b.send("/uploads?dataset=x", "application/json", "file", "a.csv", "a\n1\n").want(http.StatusCreated)
	if location := got.header.Get("Location"); !strings.HasPrefix(location, "/uploads/") || !strings.HasSuffix(location, "?dataset=x") {
		t.Errorf("location %q", location)
	}
	refused := b.send("/uploads", "application/json", "other", "a.csv", "a\n").want(http.StatusUnprocessableEntity)
	var body struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(refused.body), &body); err != nil || body.Error.Code != "http.no_file" || body.Error.Message == "" {
		t.Errorf("got %s, %v", refused.body, err)
	}
	s.as(t, "viewer").send("/uploads", "application/json", "file", "a.csv", "a\n").want(http.StatusForbidden)
	b.get("/datasets").shows(".data-list", "a.csv")
}

func TestUnreadableFileSaysWhyAndCanBeReadOtherwise(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	upload := b.send("/uploads", browserAccepts, "file", "empty.csv", "").leadsTo("").header.Get("Location")
	s.work(t)
	b.get(upload).want(http.StatusOK).shows(".notice-neg", "The file is empty.").shows(".notice-neg code", "files.empty").
		shows(".page-foot a", "Choose another file").lacks("details.reading")
	upload = b.send("/uploads", browserAccepts, "file", "bad.json", `[{"a": 1`).leadsTo("").header.Get("Location")
	s.work(t)
	b.get(upload).want(http.StatusOK).shows(".notice-neg code", "files.bad_json").shows("details", "Kind")
	b.post(upload + "/remove").leadsTo("/datasets")
	b.get(upload).want(http.StatusNotFound)
}

func TestTotalIsLeftOutAndOffered(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	upload := b.send("/uploads", browserAccepts, "file", "t.csv", "day,shop,n\n2026-01-05,A,1\n2026-01-06,B,2\nTotal,,3\n").leadsTo("").header.Get("Location")
	s.work(t)
	page := b.get(upload).want(http.StatusOK).shows(".page-foot .btn-primary", "Load 2 rows").shows("table tbody", "Looks like a total").
		shows(".tag-neg", "1 of 3").shows(`button[name="fix"]`, "Load it all the same")
	fix, _ := page.page.Find(`button[name="fix"]`).Attr("value")
	b.post(upload+"/fix", reviewed(page, "fix", fix)...).leadsTo("")
	s.work(t)
	page = b.get(upload).want(http.StatusOK).shows(".page-foot .btn-primary", "Load 3 rows").lacks(`button[name="fix"]`)
	if got, _ := page.page.Find(`select[name="option-totals"] option[selected]`).Attr("value"); got != "load" {
		t.Errorf("after the fix totals are %q", got)
	}
	b.post(upload+"/inspect", reviewed(page, "option-totals", "reject")...).leadsTo("")
	s.work(t)
	b.get(upload).want(http.StatusOK).shows(".page-foot .btn-primary", "Load 2 rows")
}

func TestAmbiguousDatesAreAsked(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	upload := b.send("/uploads", browserAccepts, "file", "d.csv", "d,n\n01/02/2026,1\n03/04/2026,2\n").leadsTo("").header.Get("Location")
	s.work(t)
	page := b.get(upload).want(http.StatusOK)
	ask := page.page.Find(`button[name="set"]`)
	if ask.Length() != 2 || !strings.Contains(ask.Text(), "day first") {
		t.Fatalf("asks %q", ask.Text())
	}
	answer, _ := ask.First().Attr("value")
	b.post(upload+"/inspect", reviewed(page, "set", answer)...).leadsTo("")
	s.work(t)
	page = b.get(upload).want(http.StatusOK)
	if got, _ := page.page.Find("#type-0 option[selected]").Attr("value"); got != "date:dmy" {
		t.Errorf("after the answer the type is %q", got)
	}
}

func TestSchemaChangeIsShownBeforeItIsApplied(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	dataset := s.load(t, b, "shop", shop)
	upload := b.send("/uploads?dataset="+strings.TrimPrefix(dataset, "/datasets/"), browserAccepts, "file", "more.csv",
		"order,sold,amount,note\n4,2026-02-01,1.125,hello\n").leadsTo("").header.Get("Location")
	s.work(t)
	page := b.get(upload).want(http.StatusOK)
	if got, _ := page.page.Find("#dataset").Attr("value"); got != "shop" {
		t.Errorf("goes to %q", got)
	}
	upload, _, _ = strings.Cut(upload, "?")
	shown := b.post(upload+"/load", reviewed(page, "mode", "append")...).want(http.StatusUnprocessableEntity).
		shows("#upload-form", "note is new").shows("#upload-form", "region is not in the file").shows("#upload-form", "amount becomes decimal")
	b.get(dataset).shows(".stats", "3 rows")
	load := b.post(upload+"/load", reviewed(shown)...).leadsTo("").header.Get("Location")
	s.work(t)
	b.get(load).want(http.StatusOK).shows("#load", "note is new")
	b.get(dataset).shows(".stats", "4 rows")
	// What can't be done at all is not done.
	upload = b.send("/uploads", browserAccepts, "file", "bad.csv", "order,amount\nfive,many\n").leadsTo("").header.Get("Location")
	s.work(t)
	b.post(upload+"/load", reviewed(b.get(upload), "dataset", "shop", "mode", "append")...).want(http.StatusUnprocessableEntity).
		shows("#upload-form", "order is integer and the file has text")
	// A version can be taken back.
	b.post(dataset + "/versions/1/restore").leadsTo(dataset + "/versions")
	b.get(dataset).shows(".stats", "3 rows")
}

func TestDatasetIsChangedByForms(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	airports := s.load(t, b, "airports", "iata,state\nORD,IL\nSFO,CA\n")
	flights := s.load(t, b, "flights", "origin,delay\nORD,5\nSFO,7\n")
	target := strings.TrimPrefix(airports, "/datasets/")

	b.post(flights+"/settings", "name", "Flights", "description", "All of them", "time_column", "0", "relative_to_newest", "on").leadsTo(flights + "/settings")
	b.get(flights).want(http.StatusOK).shows("h1", "Flights").shows(".file-words", "All of them").shows(".file-words", "newest row")
	b.post(flights+"/settings", "name", "airports").want(http.StatusUnprocessableEntity).shows(".notice-neg", "airports")

	b.get(flights+"/columns/2").want(http.StatusOK).shows("dialog h2", "Edit delay")
	b.post(flights+"/columns/2", "name", "late", "description", "Minutes", "role", "", "style", "", "unit", "min").leadsTo(flights)
	b.get(flights).shows("#columns tbody", "late").shows("#columns tbody", "Minutes")
	b.post(flights+"/columns/2", "name", "origin").want(http.StatusUnprocessableEntity).shows(".notice-neg", "already")

	b.get(flights+"/lookups/keys?target="+target).want(http.StatusOK).shows("option", "iata")
	b.post(flights+"/lookups", "column", "origin", "target", target, "key", "state", "name", "a.b").want(http.StatusUnprocessableEntity).shows(".notice-neg", "name")
	b.post(flights+"/lookups", "column", "origin", "target", target, "key", "iata", "name", "airport").leadsTo(flights + "/lookups")
	b.get(flights+"/lookups").shows("tbody th", "airport")
	b.get(airports+"/lookups").shows(".data-list", "Flights")

	b.post(flights+"/measures", "name", "Mean", "fn", "sum", "column", "late", "of_fn", "count").leadsTo(flights + "/measures")
	b.get(flights+"/measures").shows("tbody code", "sum(late) / count()")
	b.post(flights+"/measures", "name", "Bad", "fn", "sum", "column", "origin").want(http.StatusUnprocessableEntity)
	b.post(flights+"/measures/remove", "name", "Mean").leadsTo(flights + "/measures")

	fields := flights + "/fields"
	b.post(fields, "name", "hours late", "expression", "[late] / 60", "description", "In hours").leadsTo(fields)
	b.get(fields).shows("tbody code", "[late] / 60").shows("tbody td", "float").shows("tbody", "In hours")
	b.get(fields+"?edit=hours+late").shows("#field-expression", "[late] / 60").shows("h2", "hours late")
	b.post(fields+"/check", "name", "x", "expression", "[late] + [origim]").want(http.StatusOK).shows(".field-error", "origin").shows("mark", "[origim]")
	b.post(fields+"/check", "name", "x", "expression", "sum([late])").want(http.StatusOK).shows(".field-check", "measure")
	b.post(fields, "name", "x", "expression", "<b> +").want(http.StatusUnprocessableEntity).shows(".field-error", "not expected").shows("#field-expression", "<b> +")
	b.post(flights+"/columns/2/drop").want(http.StatusUnprocessableEntity).shows(".notice-neg", "hours late")
	b.get(fields+"?remove=hours+late").shows("h2", "Remove the field hours late?").shows("form p", "No dashboard")
	b.post(fields+"/remove", "name", "hours late").leadsTo(fields)

	b.get(airports+"/delete").want(http.StatusOK).shows("dialog", "Flights, lookup airport")
	b.post(airports + "/delete").leadsTo("/datasets?deleted=" + target)
	b.get("/datasets?deleted="+target).shows(".notice-pos", "airports was deleted.")
	b.get(airports).want(http.StatusNotFound)
	b.post(airports + "/undelete").leadsTo(airports)
	b.post(flights+"/lookups/remove", "name", "airport").leadsTo(flights + "/lookups")
	b.post(flights + "/columns/2/drop").leadsTo(flights)
	b.get(flights).shows(".stats", "1 columns")
}

// Another workspace gets 404 for everything that is not its own, and a viewer
// changes nothing.
func TestDatasetsOfOthersAreNotFound(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	dataset := s.load(t, b, "shop", shop)
	upload := b.send("/uploads", browserAccepts, "file", "a.csv", shop).leadsTo("").header.Get("Location")
	s.work(t)
	load := b.post(upload+"/load", reviewed(b.get(upload), "dataset", "again")...).leadsTo("").header.Get("Location")
	foreign, viewer := s.as(t, "foreign"), s.as(t, "viewer")
	for _, path := range []string{dataset, dataset + "/profile", dataset + "/preview", dataset + "/versions", dataset + "/lookups", dataset + "/measures", dataset + "/fields",
		dataset + "/settings", dataset + "/columns/1", dataset + "/rows/delete", dataset + "/delete", upload, upload + "/progress", upload + "/events", upload + "/rejects.csv",
		load, load + "/progress", load + "/events", load + "/rejects.csv", "/datasets/no-id", "/uploads/no-id", "/loads/no-id"} {
		foreign.get(path).want(http.StatusNotFound)
	}
	mutations := []string{dataset + "/versions/1/restore", dataset + "/lookups", dataset + "/lookups/remove", dataset + "/measures", dataset + "/fields", dataset + "/fields/check", dataset + "/fields/remove",
		dataset + "/measures/remove", dataset + "/settings", dataset + "/columns/1", dataset + "/columns/1/drop", dataset + "/rows/delete", dataset + "/delete", dataset + "/undelete",
		upload + "/inspect", upload + "/fix", upload + "/load", upload + "/remove", load + "/cancel"}
	for _, path := range mutations {
		foreign.post(path, "name", "x", "column", "order", "target", strings.TrimPrefix(dataset, "/datasets/"), "key", "order", "fn", "count").want(http.StatusNotFound)
		if got := viewer.post(path, "name", "x", "fn", "count"); got.status != http.StatusForbidden && got.status != http.StatusNotFound {
			t.Errorf("a viewer's %s: got %d", path, got.status)
		}
	}
	viewer.get(dataset).want(http.StatusOK).lacks("[data-dropzone-open]").lacks(".data-act a")
	b.get(dataset).want(http.StatusOK).shows(".stats", "3 rows")
}

func TestRowsAreDeletedByTheKeysThatWereCounted(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	dataset := s.load(t, b, "shop", shop)
	first := b.get(dataset+"/rows/delete").want(http.StatusOK).shows("dialog", "Delete rows of shop").lacks("[value=delete]")
	order := first.page.Find("#delete-rows-by option").First()
	by := order.AttrOr("value", "")
	send := func(keys string, more ...string) answer {
		t.Helper()
		return b.post(dataset+"/rows/delete", append([]string{"by", by, "keys", keys}, more...)...)
	}
	send("").want(http.StatusUnprocessableEntity).shows("dialog", "at least one key")
	send("9999\n").want(http.StatusOK).shows("dialog", "No row has").lacks("[value=delete]")
	key := strings.Split(strings.Split(shop, "\n")[1], ",")[0]
	counted := send(key+"\n9999\n").want(http.StatusOK).shows("dialog", "1 row has").shows("[value=delete]", "Delete rows")
	seen := counted.page.Find("[name=seen]").AttrOr("value", "")
	// Other keys than were counted are counted first.
	send(key+"\n", "do", "delete", "seen", seen).want(http.StatusOK).shows("dialog", "1 row has")
	b.get(dataset).shows(".stats", "3 rows")
	versions := send(key+"\n9999\n", "do", "delete", "seen", seen).leadsTo(dataset + "/versions").header.Get("Location")
	b.get(versions).shows("body", "1 row was deleted")
	b.get(dataset).shows(".stats", "2 rows")
	b.post(dataset + "/versions/1/restore").leadsTo("")
	b.get(dataset).shows(".stats", "3 rows")
}

func TestSuggestedDashboardFollowsTheReport(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	dataset := s.load(t, b, "shop", shop)
	b.post("/dashboards", "dataset", strings.TrimPrefix(dataset, "/datasets/")).leadsTo("")
	actor := access.Actor{Kind: access.Person, TenantID: s.one.ID, UserID: s.users["editor"], Role: access.Editor}
	id, err := ids.Parse[ids.Dataset](strings.TrimPrefix(dataset, "/datasets/"))
	if err != nil {
		t.Fatal(err)
	}
	used, err := s.Datasets.ListDependents(context.WithoutCancel(t.Context()), actor, id)
	if err != nil || len(used.Dashboards) != 1 {
		t.Fatalf("%+v, %v", used, err)
	}
	b.get(dataset+"/delete").shows("dialog", used.Dashboards[0].Name)
	// A file without a column that the dashboard asks says so before it is loaded.
	upload := b.send("/uploads", browserAccepts, "file", "less.csv", "order,amount\n9,1.5\n").leadsTo("").header.Get("Location")
	s.work(t)
	b.post(upload+"/load", reviewed(b.get(upload), "dataset", "shop", "mode", "replace", "exists", id.String())...).want(http.StatusUnprocessableEntity).
		shows("#upload-form", "region is not in the file and goes").shows("#upload-form li a", used.Dashboards[0].Name)
}

// Whoever types the name of a dataset that exists is told so before it is
// replaced, and what they see is what a load may replace.
func TestTypedNameOfAnExistingDataset(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	s.load(t, b, "kept", shop)
	s.load(t, b, "other", shop)
	upload := b.send("/uploads", browserAccepts, "file", "fresh.csv", "order,region,sold,amount\n9,West,2026-01-09,1.50\n").leadsTo("").header.Get("Location")
	s.work(t)
	page := b.get(upload).want(http.StatusOK).lacks("#upload-target p").lacks("#upload-target input")
	b.get(upload+"/target?dataset=KEPT%20").want(http.StatusOK).shows("#upload-target p", "kept exists already, with 3 rows.")
	b.get(upload + "/target?dataset=newer").want(http.StatusOK).lacks("#upload-target p").lacks("#upload-target input")

	typed := reviewed(page, "dataset", "Kept")
	refused := b.post(upload+"/load", typed...).want(http.StatusUnprocessableEntity).shows("#upload-target", "kept exists already, with 3 rows.")
	// What was seen is the one dataset, and another name is asked about again.
	refused = b.post(upload+"/load", reviewed(refused, "dataset", "other")...).want(http.StatusUnprocessableEntity).shows("#upload-target", "other exists already")
	b.get("/datasets").shows("main", "kept")
	load := b.post(upload+"/load", reviewed(refused)...).leadsTo("").header.Get("Location")
	if !strings.HasPrefix(load, "/loads/") {
		t.Fatalf("once it was seen, the load leads to %s", load)
	}
	s.work(t)
	b.get(load).want(http.StatusOK).shows("#load", "into other, version 2")

	// To add rows has to be chosen, so it takes nothing by surprise.
	upload = b.send("/uploads", browserAccepts, "file", "more.csv", "order,region,sold,amount\n8,West,2026-01-09,1.50\n").leadsTo("").header.Get("Location")
	s.work(t)
	load = b.post(upload+"/load", reviewed(b.get(upload), "dataset", "kept", "mode", "append")...).leadsTo("").header.Get("Location")
	if !strings.HasPrefix(load, "/loads/") {
		t.Errorf("adding leads to %s", load)
	}
}

// A key that was chosen a moment ago needs no second reading of the file.
func TestLoadWithAKeyJustChosen(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	s.load(t, b, "orders", shop)
	upload := b.send("/uploads", browserAccepts, "file", "orders.csv", "order,region,sold,amount\n3,North,2026-01-07,6.00\n4,West,2026-01-09,1.50\n").leadsTo("").header.Get("Location")
	s.work(t)
	load := b.post(upload+"/load", reviewed(b.get(upload), "mode", "upsert", "key", "order")...).leadsTo("").header.Get("Location")
	if !strings.HasPrefix(load, "/loads/") {
		t.Fatalf("the load leads to %s", load)
	}
	s.work(t)
	b.get(load).want(http.StatusOK).shows(".stats", "1 added").shows(".stats", "1 updated")

	// Another type is read first, and the page says so.
	upload = b.send("/uploads", browserAccepts, "file", "orders.csv", "order,region,sold,amount\n5,West,2026-01-09,1.50\n").leadsTo("").header.Get("Location")
	s.work(t)
	again := b.post(upload+"/load", reviewed(b.get(upload), "mode", "append", "type-1", "text", "was-1", "other")...).leadsTo("").header.Get("Location")
	s.work(t)
	b.get(again).want(http.StatusOK).shows(".notice", "Nothing is loaded yet.")
}

// The address of a refused form leads back to its page.
func TestAddressOfARefusedLoad(t *testing.T) {
	t.Parallel()
	s := newDataSite(t)
	b := s.as(t, "editor")
	upload := b.send("/uploads", browserAccepts, "file", "a.csv", shop).leadsTo("").header.Get("Location")
	s.work(t)
	b.post(upload+"/load", reviewed(b.get(upload), "dataset", "")...).want(http.StatusUnprocessableEntity)
	for _, action := range []string{"/load", "/inspect", "/fix"} {
		b.get(upload + action).leadsTo(upload)
	}
}

package handlers

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/comments"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse"
)

// ruledSite is a site with a dataset of two regions and one that it looks up in,
// of which everybody but owners and admins sees their own region.
type ruledSite struct {
	*boardSite
	sales, places ids.Dataset
	id            ids.Dashboard
}

// What belongs to the north: its name, a city that only it has, and numbers that
// no sum of the south comes to.
var northern = []string{"Northmark", "Nordheim", "770001", "770,001", "15,400,", "15.4M", "nordic secret"}

// ownWords are what the editor wrote while they saw the north.
const ownWords = "Here in Northmark: nordic secret"

func (s *boardSite) owner() access.Actor {
	return access.Actor{Kind: access.Person, TenantID: s.one.ID, UserID: s.users["owner"], Role: access.Owner, Locale: "en-GB"}
}

func newRuledSite(t testing.TB, change ...func(*boardSite)) *ruledSite {
	t.Helper()
	s := &ruledSite{boardSite: newBoardSite(t, change...)}
	ctx, owner := t.Context(), s.owner()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.places, err = s.Datasets.Create(ctx, owner, datasets.NewDataset{Name: "Places", Columns: []datasets.NewColumn{
		{Name: "code", Type: warehouse.Text}, {Name: "city", Type: warehouse.Text}, {Name: "area", Type: warehouse.Text}}})
	check(err)
	_, err = s.Datasets.AppendRows(ctx, owner, s.places, datasets.AppendRequest{Columns: []string{"code", "city", "area"},
		Rows: [][]any{{"n", "Nordheim", "Northmark"}, {"s", "Suedheim", "Southmark"}}})
	check(err)
	s.sales, err = s.Datasets.Create(ctx, owner, datasets.NewDataset{Name: "Ground", TimeColumn: "at", RelativeToNewest: true, Columns: []datasets.NewColumn{
		{Name: "at", Type: warehouse.Timestamp}, {Name: "region", Type: warehouse.Text}, {Name: "code", Type: warehouse.Text}, {Name: "amount", Type: warehouse.Integer}}})
	check(err)
	rows := datasets.AppendRequest{Columns: []string{"at", "region", "code", "amount"}}
	for i := range 40 {
		at := time.Date(2026, 3, 1+i/4, 9, i, 0, 0, time.UTC)
		if i%2 == 0 {
			rows.Rows = append(rows.Rows, []any{at, "Northmark", "n", 770001})
		} else {
			// One row of the south looks up a place of the north.
			rows.Rows = append(rows.Rows, []any{at, "Southmark", map[bool]string{true: "n", false: "s"}[i == 7], 3})
		}
	}
	_, err = s.Datasets.AppendRows(ctx, owner, s.sales, rows)
	check(err)
	check(s.Datasets.AddLookup(ctx, owner, s.sales, datasets.NewLookup{Name: "place", Column: "code", Target: s.places.String(), Key: "code"}))
	total := []warehouse.Measure{{Fn: "sum", Column: "amount", As: "total"}}
	region := []warehouse.Dimension{{Column: "region", As: "region"}}
	y := 0
	widget := func(kind charts.Type, title string, q dashboards.Query) dashboards.Widget {
		w := dashboards.Widget{Title: title, Layout: dashboards.Layout{Y: y, W: 6, H: 6}, Query: q}
		w.Type = kind
		y += 6
		return w
	}
	d, err := s.Dashboards.Create(ctx, owner, dashboards.NewDashboard{Name: "Ground board", Config: dashboards.Config{Dataset: s.sales,
		Settings: dashboards.Settings{Live: true, Date: dashboards.DateSetting{Default: "all"}},
		Filters:  map[string]dashboards.Control{"region": {Label: "Region", Column: "region"}, "city": {Label: "City", Column: "place.city"}},
		Widgets: map[string]dashboards.Widget{
			"sum":   widget(charts.KPI, "Total", dashboards.Query{Measures: total}),
			"bars":  widget(charts.Bar, "Regions", dashboards.Query{Measures: total, Dimensions: region}),
			"mix":   widget(charts.Donut, "Mix", dashboards.Query{Measures: total, Dimensions: region}),
			"place": widget(charts.Bar, "Cities", dashboards.Query{Measures: total, Dimensions: []warehouse.Dimension{{Column: "place.city", As: "city"}}}),
			"table": widget(charts.Table, "Rows", dashboards.Query{Columns: []string{"at", "region", "place.city", "amount"}}),
			"line":  widget(charts.Line, "Days", dashboards.Query{Measures: total, Dimensions: []warehouse.Dimension{{Column: "at", Grain: "day", As: "day"}, {Column: "region"}}}),
			"max":   widget(charts.KPI, "Largest", dashboards.Query{Measures: []warehouse.Measure{{Fn: "max", Column: "amount", As: "largest"}}}),
		}}})
	check(err)
	s.id = d.ID
	s.rule(t, s.sales, "region", "region")
	s.rule(t, s.places, "area", "region")
	s.attribute(t, "viewer", "Southmark")
	s.attribute(t, "editor", "Northmark")
	return s
}

// rule has everybody but owners and admins see the rows that their attribute
// says.
func (s *boardSite) rule(t testing.TB, dataset ids.Dataset, column, attribute string) {
	t.Helper()
	columns, err := s.Datasets.RuleColumns(t.Context(), s.owner(), dataset)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range columns {
		if c.Name != column {
			continue
		}
		_, err = s.Datasets.SaveRule(t.Context(), s.owner(), dataset, datasets.Rule{Kind: datasets.RuleRows, Name: "Own " + column, Everybody: true,
			Except:   []datasets.RuleSubject{{Role: access.Admin}},
			RuleBody: datasets.RuleBody{Predicates: []datasets.Predicate{{Column: c.ID, Op: "in", Values: []json.RawMessage{datasets.AttributeValue(attribute)}}}}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *ruledSite) attribute(t testing.TB, user string, values ...string) {
	t.Helper()
	attributes := tenants.Attributes{}
	if len(values) > 0 {
		attributes["region"] = values
	}
	if err := s.Tenants.SetMemberAttributes(t.Context(), s.owner(), s.users[user], attributes); err != nil {
		t.Fatal(err)
	}
}

func (s *ruledSite) actorOf(t testing.TB, user string) access.Actor {
	t.Helper()
	a, err := s.Tenants.GetActor(t.Context(), s.one.ID, s.users[user])
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// gets are all addresses that can be read, with their ids filled in, and more
// than one of those whose query says what is asked.
func (s *ruledSite) gets(t testing.TB) []string {
	t.Helper()
	var list []string
	fill := strings.NewReplacer("{filter}", "region", "{widget}", "bars", "{column}", "2", "{version}", "1", "{name}", "x", "{load}", uuid.NewString(),
		"{view}", uuid.NewString(), "{thread}", uuid.NewString(), "{comment}", uuid.NewString(), "{report}", uuid.NewString(), "{schedule}", uuid.NewString())
	err := chi.Walk(s.routes, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if method != http.MethodGet || strings.HasSuffix(route, "/events") || strings.Contains(route, "*") {
			return nil // a stream has no end, and tells ids and versions only: another test reads it
		}
		for beginning, id := range map[string]string{"/dashboards/{id}": s.id.String(), "/datasets/{id}": s.sales.String(), "": uuid.NewString()} {
			if beginning != "" && strings.HasPrefix(route, beginning) || beginning == "" && !strings.HasPrefix(route, "/dashboards/{id}") && !strings.HasPrefix(route, "/datasets/{id}") {
				list = append(list, strings.ReplaceAll(fill.Replace(route), "{id}", id))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	board, data := "/dashboards/"+s.id.String(), "/datasets/"+s.sales.String()
	for _, widget := range []string{"sum", "bars", "mix", "place", "table", "line", "max"} {
		for _, part := range []string{"", "/table", "/data.csv", "/data.csv?bom=1", "/explain", "/rows", "/rows.csv", "/actions", "/query"} {
			list = append(list, board+"/widgets/"+widget+part)
		}
	}
	for _, query := range []string{"f.region=Southmark", "f.region=", "x.bars=Southmark", "f.amount=1", "d=7d", "s.table=-amount", "p.table=2", "t=all"} {
		list = append(list, board+"?"+query)
	}
	for _, filter := range []string{"region", "city", "place.city", "place.area", "amount", "code", "at"} {
		list = append(list, board+"/filters/"+filter, board+"/filters/"+filter+"/values", board+"/filters/"+filter+"/values?q=Nor", board+"/filters/"+filter+"/values?search=n")
	}
	list = append(list, board+"/widgets/bars/explain?mark=Southmark", board+"/widgets/bars/rows?mark=Southmark&page=1", board+"/comments?show=open",
		board+"/edit/widgets/bars/groups?well=x", board+"/edit/widgets/place/groups?well=x", board+"/edit/widgets/bars/groups/values?well=x&q=n",
		board+"/edit?f.region=Southmark", data+"/preview", data+"/profile", "/datasets/"+s.places.String(), "/datasets/"+s.places.String()+"/preview",
		"/datasets/"+s.places.String()+"/profile", "/datasets/new?dataset="+s.sales.String(), "/dashboards/new?dataset="+s.sales.String(), "/search?q=gro", "/search?q=nor")
	return list
}

// TestTwoRegionsOnEveryPath has the caches warmed by who sees all and by who sees
// the other region, and then reads every page as who must not see it.
func TestTwoRegionsOnEveryPath(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t)
	place := comments.Place{Dashboard: s.id, Widget: "bars"}
	if err := s.Comments.Begin(t.Context(), s.owner(), place, "f.region=Northmark", "Northmark is a nordic secret"); err != nil {
		t.Fatal(err)
	}
	if err := s.Comments.Begin(t.Context(), s.actorOf(t, "editor"), place, "", ownWords); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"owner", "editor"} {
		b := s.as(t, name)
		shown := 0
		for _, path := range s.gets(t) {
			if strings.Contains(b.get(path).body, "Northmark") {
				shown++
			}
		}
		if shown < 20 {
			t.Errorf("%s finds the north on %d pages only: the walk tells nothing", name, shown)
		}
	}
	read := func(name string) {
		b := s.as(t, name)
		south, checked := 0, 0
		for _, path := range s.gets(t) {
			got := b.get(path)
			checked++
			// One's own words stay one's own.
			body := got.body
			if name == "editor" {
				body = strings.ReplaceAll(body, ownWords, "")
			}
			for _, secret := range northern {
				if at := strings.Index(body, secret); at >= 0 {
					t.Errorf("%s finds %q on %s (%d): …%s…", name, secret, path, got.status, body[max(at-120, 0):min(at+80, len(body))])
					break
				}
			}
			for header, values := range got.header {
				for _, secret := range northern {
					if strings.Contains(strings.Join(values, " "), secret) {
						t.Errorf("%s finds %q in %s of %s", name, secret, header, path)
					}
				}
			}
			if strings.Contains(body, "Southmark") {
				south++
			}
			if got.status >= http.StatusInternalServerError {
				t.Errorf("%s: %s answers %d: %s", name, path, got.status, got.text())
			}
		}
		if south < 20 || checked < 150 {
			t.Errorf("%s finds the south on %d of %d pages", name, south, checked)
		}
	}
	read("viewer")
	// Who may edit has further pages.
	s.attribute(t, "editor", "Southmark")
	read("editor")

	// Where a number comes from says by which rule, exactly.
	explained := s.as(t, "viewer").get("/dashboards/" + s.id.String() + "/widgets/place/explain").want(http.StatusOK)
	explained.shows("[data-rules]", `region in ("Southmark")`).shows("[data-rules]", `area in ("Southmark")`)
	if whole := s.as(t, "owner").get("/dashboards/" + s.id.String() + "/widgets/place/explain").want(http.StatusOK); whole.page.Find("[data-rules]").Length() != 0 {
		t.Error("the owner is told of rules that do not hold for them")
	}

	for _, format := range []reports.Format{"CSV", "NDJSON"} {
		var out bytes.Buffer
		if _, err := s.Reports.Render(t.Context(), s.actorOf(t, "viewer"), s.id, reports.Spec{Format: format}, &out); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if !strings.Contains(out.String(), "Southmark") {
			t.Errorf("%s has nothing in it: %.300s", format, out.String())
		}
		for _, secret := range northern {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s has %q", format, secret)
			}
		}
	}
	var book bytes.Buffer
	if _, err := s.Reports.Render(t.Context(), s.actorOf(t, "viewer"), s.id, reports.Spec{Format: "XLSX"}, &book); err != nil {
		t.Fatal(err)
	}
	sheets, err := zip.NewReader(bytes.NewReader(book.Bytes()), int64(book.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range sheets.File {
		part, err := sheets.Open(file.Name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range northern {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s of the workbook has %q", file.Name, secret)
			}
		}
	}
	// Without the attribute there is nothing, not everything.
	s.attribute(t, "viewer")
	page := s.as(t, "viewer").get("/dashboards/" + s.id.String()).want(http.StatusOK)
	if strings.Contains(page.body, "Northmark") || strings.Contains(page.body, "Suedheim") {
		t.Error("without an attribute the page shows rows")
	}
}

// TestWhoIsLimitedManagesNothing: a person whom a rule limits neither changes
// the dataset nor reads how it was loaded, and does not see its rules.
func TestWhoIsLimitedManagesNothing(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t)
	b := s.as(t, "editor")
	data := "/datasets/" + s.sales.String()
	b.get(data + "/rules").want(http.StatusForbidden)
	for path, fields := range map[string][]string{
		data + "/measures":           {"name", "m", "fn", "count"},
		data + "/fields":             {"name", "f", "expression", "1"},
		data + "/columns/2":          {"name", "other"},
		data + "/columns/2/drop":     {},
		data + "/lookups/remove":     {"name", "place"},
		data + "/delete":             {"name", "Ground"},
		data + "/rules":              {"kind", "groups", "name", "r", "min_rows", "5", "everybody", "true"},
		data + "/settings":           {"name", "Ground 2"},
		"/members/x/attributes":      {"attributes", "region: Northmark"},
		data + "/versions/1/restore": {},
	} {
		if got := b.post(path, fields...); got.status != http.StatusForbidden && got.status != http.StatusNotFound {
			t.Errorf("%s answers %d: %s", path, got.status, got.text())
		}
	}
	if _, err := s.Datasets.AppendRows(t.Context(), s.actorOf(t, "editor"), s.sales, datasets.AppendRequest{Columns: []string{"region"}, Rows: [][]any{{"x"}}}); err == nil {
		t.Error("rows were added")
	}
}

// TestRemovedAttributeActsOnOpenPage: a page that is open hears that it shows
// what is no longer allowed, and what it then asks for has none of it.
func TestRemovedAttributeActsOnOpenPage(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t, func(s *boardSite) { s.StreamEvery = 50 * time.Millisecond })
	b := s.as(t, "viewer")
	path := "/dashboards/" + s.id.String()
	page := b.get(path).want(http.StatusOK)
	stream := readEvents(t, b, path+"/events")
	first := next(t, stream)
	var told struct{ Sees string }
	seen := page.page.Find("#dash-meta").AttrOr("data-sees", "")
	if err := json.Unmarshal([]byte(first[1]), &told); err != nil || told.Sees != seen || seen == "" {
		t.Fatalf("the page was drawn under %q and is told %q", seen, first)
	}
	s.attribute(t, "viewer")
	// The very next request has nothing of it, whatever the stream says.
	for _, part := range []string{"", "/widgets/bars", "/widgets/table", "/filters/region/values", "/widgets/bars/data.csv", "/widgets/table?at=" + url.QueryEscape(page.page.Find("#dash-meta").AttrOr("data-snapshot", ""))} {
		if got := b.get(path + part); strings.Contains(got.body, "Southmark") || strings.Contains(got.body, "Suedheim") {
			t.Errorf("%s still shows the region", part)
		}
	}
	for e := next(t, stream); e == first; e = next(t, stream) {
	}
	// So with a rule that changes.
	s.attribute(t, "viewer", "Southmark")
	if got := b.get(path + "/widgets/bars"); !strings.Contains(got.body, "Southmark") {
		t.Error("the attribute is back, and its rows are not")
	}
	rules, err := s.Datasets.ListRules(t.Context(), s.owner(), s.sales)
	if err != nil || len(rules) != 1 {
		t.Fatal(rules, err)
	}
	if err := s.Datasets.RemoveRule(t.Context(), s.owner(), s.sales, rules[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := b.get(path + "/widgets/bars"); !strings.Contains(got.body, "Northmark") {
		t.Error("the rule is gone, and still holds")
	}
}

// TestViewAs: an admin sees what the person sees, changes nothing, and both the
// beginning and the end are on record.
func TestViewAs(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t)
	b := s.as(t, "admin")
	path := "/dashboards/" + s.id.String()
	if got := b.get(path).want(http.StatusOK); !strings.Contains(got.body, "Northmark") {
		t.Fatal("the admin does not see all")
	}
	b.post(views.PathViewAs, "id", s.users["owner"].String()).want(http.StatusForbidden)
	b.post(views.PathViewAs, "id", s.users["viewer"].String()).want(http.StatusSeeOther)
	for _, part := range []string{"", "/widgets/bars", "/widgets/bars/data.csv", "/filters/region/values"} {
		got := b.get(path + part)
		for _, secret := range northern {
			if strings.Contains(got.body, secret) {
				t.Errorf("%s shows %q", part, secret)
			}
		}
	}
	b.get(path).want(http.StatusOK).shows(".viewed-as", "Viewer")
	b.get(path + "/edit").want(http.StatusForbidden)
	b.get(views.PathMembers).want(http.StatusForbidden)
	b.post(path+"/star", "starred", "true").want(http.StatusForbidden)
	b.post(views.PathViewAs, "id", s.users["editor"].String()).want(http.StatusForbidden)
	stream := readEvents(t, b, path+"/events")
	if e := next(t, stream); e[0] != "versions" || strings.Contains(e[1], `"sees":""`) {
		t.Errorf("the stream begins with %q", e)
	}
	b.post(views.PathViewAs + "/stop").want(http.StatusSeeOther)
	if got := b.get(path); !strings.Contains(got.body, "Northmark") {
		t.Error("after the end the admin does not see all")
	}
	s.audited(t, "members.view_as", "admin")
	s.audited(t, "members.view_as_ended", "admin")
	// Data that left is on the record of who took it.
	s.recorded(t, "dashboard.downloaded")
	s.audited(t, "dashboard.downloaded", "admin")
	// The cookie is worth nothing to somebody else, or without the role.
	viewer := s.as(t, "viewer")
	viewer.post(views.PathViewAs, "id", s.users["editor"].String()).want(http.StatusForbidden)
}

func (s *ruledSite) audited(t testing.TB, action, by string) {
	t.Helper()
	s.exec(t, fmt.Sprintf(`DO $$ BEGIN
		PERFORM set_config('app.tenant_id', '%s', true);
		IF NOT EXISTS (SELECT 1 FROM audit_events WHERE action = '%s' AND user_id = '%s') THEN RAISE EXCEPTION 'no entry'; END IF;
	END $$`, s.one.ID, action, s.users[by]))
}

// TestRulesAreMadeByForms adds, tries, edits and removes rules on the page.
func TestRulesAreMadeByForms(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t)
	b := s.as(t, "admin")
	path := "/datasets/" + s.sales.String() + "/rules"
	b.get(path).want(http.StatusOK).shows("[data-rule]", "{region}")
	b.get("/datasets/"+s.sales.String()).want(http.StatusOK).shows("nav", "Rules")
	try := b.post(path+"/try", "kind", "rows", "everybody", "true", "column", "4", "op", ">", "values", "5", "attribute", "", "as", s.users["editor"].String())
	try.want(http.StatusOK).shows("#rule-coverage", "20 of 40 rows visible to Editor")
	try = b.post(path+"/try", "kind", "rows", "everybody", "true", "column", "4", "op", "<", "values", "5", "attribute", "", "as", s.users["editor"].String())
	try.want(http.StatusOK).shows("#rule-coverage", "0 of 40 rows")
	b.post(path, "kind", "rows", "name", "Wrong", "everybody", "true", "column", "4", "op", ">", "values", "many", "attribute", "").want(http.StatusUnprocessableEntity).shows(".notice", "amount")
	b.post(path, "kind", "column", "name", "No amounts", "everybody", "false", "for", "role:viewer", "except", "role:admin", "column", "4", "mask", "hidden").want(http.StatusSeeOther)
	b.get(path).shows("[data-rule]", "No amounts")
	if got := s.as(t, "viewer").get("/dashboards/" + s.id.String() + "/widgets/sum"); !strings.Contains(got.body, "not for you to see. Ask the owner") || strings.Contains(got.body, "amount") {
		t.Errorf("a hidden column: %s", got.text())
	}
	b.post(path, "kind", "groups", "name", "Few", "everybody", "true", "except", "role:admin", "min_rows", "5").want(http.StatusSeeOther)
	rules, err := s.Datasets.ListRules(t.Context(), s.owner(), s.sales)
	if err != nil || len(rules) != 3 {
		t.Fatal(rules, err)
	}
	for _, r := range rules {
		b.get(path+"?rule="+r.ID.String()).want(http.StatusOK).shows("#rule-form", "Cancel")
		b.post(path+"/remove", "rule", r.ID.String()).want(http.StatusSeeOther)
	}
	b.get(path).want(http.StatusOK).lacks("[data-rule]")
	b.post(views.PathAttributes(s.users["viewer"].String()), "attributes", "region: A, B\nTEAM: x").want(http.StatusSeeOther)
	b.get(views.PathAttributes(s.users["viewer"].String())).want(http.StatusOK).shows("#attributes", "region: A, B")
	b.post(views.PathAttributes(s.users["viewer"].String()), "attributes", "no value").want(http.StatusUnprocessableEntity)
	if a := s.actorOf(t, "viewer"); strings.Join(a.Attributes["team"], ",") != "x" {
		t.Errorf("%v", a.Attributes)
	}
	// Those of a group count as well, and a group that a rule names stays.
	group, err := s.Sharing.CreateGroup(t.Context(), s.owner(), "Field")
	if err == nil {
		err = s.Sharing.SaveGroup(t.Context(), s.owner(), group.ID, "Field", []ids.User{s.users["viewer"]})
	}
	if err != nil {
		t.Fatal(err)
	}
	ofGroup := views.PathGroup(group.ID.String()) + "/attributes"
	b.post(ofGroup, "attributes", "region: C, A").want(http.StatusSeeOther)
	b.get(ofGroup).want(http.StatusOK).shows("#attributes", "region: C, A")
	if a := s.actorOf(t, "viewer"); strings.Join(a.Attributes["region"], ",") != "A,B,C" {
		t.Errorf("%v", a.Attributes)
	}
	b.post(path, "kind", "groups", "name", "Field", "everybody", "false", "for", "group:"+group.ID.String(), "min_rows", "5").want(http.StatusSeeOther)
	b.get(path).shows("[data-rule]", "Field")
	b.post(views.PathGroup(group.ID.String()) + "/delete").want(http.StatusConflict)
	// Attributes are for who manages people, within the workspace.
	of := views.PathAttributes(s.users["viewer"].String())
	for name, want := range map[string]int{"foreign": http.StatusNotFound, "viewer": http.StatusForbidden, "editor": http.StatusForbidden} {
		other := s.as(t, name)
		other.get(of).want(want)
		other.post(of, "attributes", "region: Z").want(want)
		other.post(ofGroup, "attributes", "region: Z").want(want)
	}
}

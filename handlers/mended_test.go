package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse"
)

// TestTheAPISaysWhatIsWrong asks with what nobody meant: a filter that is not
// there, an offset that is none, a dataset whose rows are withheld, a dashboard
// that names a column which is hidden from the key.
func TestTheAPISaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t)
	key := s.key(t, access.Viewer, tenants.Attributes{"region": {"Northmark"}})
	rows := "/api/v1/dashboards/" + s.id.String() + "/widgets/table"
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		rows + "?f.region=Southmark":                     {200, "Region"},
		rows + "?f.nothere=Southmark":                    {404, "dashboards.filter_not_found"},
		rows + "?region=Southmark":                       {404, "dashboards.filter_not_found"},
		rows + "?x.nothere=Southmark":                    {404, "dashboards.widget_not_found"},
		rows + "?x.%20bad=1":                             {404, "dashboards.widget_not_found"},
		rows + "?p.nothere=2":                            {404, "dashboards.widget_not_found"},
		rows + "?s.nothere=region":                       {404, "dashboards.widget_not_found"},
		rows + "?s.table=nothere":                        {422, "dashboards.filters_invalid"},
		rows + "?s.table=-region":                        {200, "Region"},
		rows + "?lo.nothere=1":                           {404, "dashboards.filter_not_found"},
		rows + "?from=2026-01-01":                        {404, "dashboards.filter_not_found"},
		rows + "?y.table=1":                              {404, "dashboards.filter_not_found"},
		rows + "?d.from=2026-01-01":                      {422, "dashboards.filters_invalid"},
		rows + "?d.to=2026-01-01":                        {422, "dashboards.filters_invalid"},
		rows + "?d.is=2026-01-01~2026-01-02":             {422, "dashboards.filters_invalid"},
		rows + "?d=7d&d.from=2026-01-01&d.to=2026-01-02": {422, "dashboards.filters_invalid"},
		rows + "?d.from=2026-01-01&d.to=2026-01-02":      {200, "Region"},
		rows + "?d=all&t=x&e=table":                      {200, "Region"},
		"/api/v1/dashboards?offset=1000000":              {200, `"total":2`},
		"/api/v1/dashboards?offset=2147483648":           {422, "http.offset"},
		"/api/v1/dashboards?offset=-1":                   {422, "http.offset"},
		"/api/v1/dashboards?offset=x":                    {422, "http.offset"},
		"/api/v1/dashboards/" + s.id.String():            {200, "amount"},
		"/api/v1/datasets/" + s.sales.String():           {200, `"name":"amount"`},
		"/api/v1/dashboards/" + s.id.String() + "x":      {404, "dashboards.not_found"},
	} {
		if status, text := s.program(t, http.MethodGet, path, key, ""); status != want.status || !strings.Contains(text, want.text) {
			t.Errorf("%s: got %d: %.300s; want %d %s", path, status, text, want.status, want.text)
		}
	}
	d, err := s.Datasets.Get(t.Context(), s.owner(), s.sales)
	if err != nil {
		t.Fatal(err)
	}
	amount, _ := d.ColumnByName("amount")
	for _, r := range []datasets.Rule{
		{Kind: datasets.RuleColumn, Name: "No amounts", Everybody: true, Except: []datasets.RuleSubject{{Role: access.Admin}},
			RuleBody: datasets.RuleBody{Column: amount.ID, Mask: warehouse.Mask{Kind: warehouse.MaskHidden}}},
		{Kind: datasets.RuleGroups, Name: "No single rows", Everybody: true, Except: []datasets.RuleSubject{{Role: access.Admin}}, RuleBody: datasets.RuleBody{MinRows: 5}},
	} {
		if _, err := s.Datasets.SaveRule(t.Context(), s.owner(), s.sales, r); err != nil {
			t.Fatal(err)
		}
	}
	status, text := s.program(t, http.MethodGet, "/api/v1/datasets/"+s.sales.String(), key, "")
	if status != 200 || !strings.Contains(text, `"name":"region"`) || strings.Contains(text, "amount") {
		t.Errorf("the columns where rows are withheld: got %d: %s", status, text)
	}
	for path, want := range map[string]string{"/api/v1/dashboards/" + s.id.String(): "dashboards.file_withheld",
		"/api/v1/dashboards/" + s.id.String() + "/widgets/bars": "query.unknown_column"} {
		if status, text := s.program(t, http.MethodGet, path, key, ""); status < 400 || strings.Contains(text, "amount") || !strings.Contains(text, want) {
			t.Errorf("%s names what is hidden: got %d: %s", path, status, text)
		}
	}
	viewer := s.as(t, "viewer")
	viewer.get(views.PathDashboard(s.id.String()) + "/file.yaml").want(http.StatusForbidden)
	if got := viewer.get(views.PathDashboard(s.id.String()) + "/widgets/bars/data.csv"); strings.Contains(got.body, "amount") {
		t.Errorf("the page names what is hidden: %s", got.body)
	}
	if status, text := s.program(t, http.MethodGet, "/api/v1/dashboards/"+s.id.String(), s.key(t, access.Admin, nil), ""); status != 200 || !strings.Contains(text, "amount") {
		t.Errorf("an admin's key: got %d: %s", status, text)
	}
}

// TestListsSayWhatSomebodySees looks at members and keys under rules on rows.
func TestListsSayWhatSomebodySees(t *testing.T) {
	t.Parallel()
	s := newRuledSite(t)
	s.key(t, access.Viewer, tenants.Attributes{"region": {"Northmark"}})
	admin := s.as(t, "admin")
	page := admin.get(views.PathMembers)
	page.shows("#member-"+s.users["viewer"].String()+" .sights", "region = Southmark").shows("#member-"+s.users["editor"].String()+" .sights", "region = Northmark").
		shows("#member-"+s.users["admin"].String(), "All rows")
	if err := s.Tenants.SetMemberAttributes(t.Context(), s.owner(), s.users["viewer"], nil); err != nil {
		t.Fatal(err)
	}
	admin.get(views.PathMembers+"?way=password").shows("#member-"+s.users["viewer"].String()+" .tag-warning, #member-"+s.users["viewer"].String()+" .sights", "Nothing until “region” is set")
	admin.get(views.PathMembers+"?way=sso").shows("#members", "No").lacks("#member-" + s.users["viewer"].String())
	file := admin.get(views.PathMembersExport + "?role=viewer")
	if !strings.HasPrefix(file.header.Get("Content-Type"), "text/csv") || !strings.Contains(file.body, "Nothing until “region” is set") || strings.Contains(file.body, "All rows") {
		t.Errorf("the file is %q %s", file.header.Get("Content-Type"), file.body)
	}
	s.as(t, "editor").get(views.PathMembersExport).want(http.StatusForbidden)

	keys := admin.get(views.PathAPIKeys).shows("#keys .sights", "region = Northmark")
	href := keys.page.Find("#keys a[href$='/rules']").AttrOr("href", "")
	admin.get(href+"?dashboard="+s.id.String()).shows("#held-rules", "region: Northmark").shows("#held-rules", "Ground board")
	s.as(t, "viewer").get(href).want(http.StatusForbidden)
	for _, days := range []string{"-5", "1e3", "36500", "99999999999", ""} {
		admin.post(views.PathAPIKeys, "name", "Odd", "role", "viewer", "days", days).want(http.StatusUnprocessableEntity).shows(".field-error", "from 1 to 3650").lacks("#keys b:contains(Odd)")
		admin.post(views.PathEmbedding+"/keys", "name", "Odd", "days", days).want(http.StatusUnprocessableEntity)
	}
}

package dashboards_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse"
)

func request(t testing.TB, id ids.Dashboard, link, snapshot string) dashboards.OpenRequest {
	t.Helper()
	query, err := url.ParseQuery(link)
	must(t, err)
	state, err := dashboards.ParseState(query)
	must(t, err)
	return dashboards.OpenRequest{ID: id, State: state, Snapshot: snapshot, Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
}

// The rows of a day are 20 amounts in a row, so sums are known: the last seven
// of twelve days are rows 101 to 240.
func TestWidgetsAnswerTheChoices(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	sum := func(from, to int, keep func(i int) bool) string {
		n := 0
		for i := from; i <= to; i++ {
			if keep == nil || keep(i) {
				n += i
			}
		}
		return format(n)
	}
	for name, tc := range map[string]struct{ link, want string }{
		"the dashboard's own range, from the newest row": {"", sum(101, 240, nil)},
		"a fixed range":                     {"d=2026-05-01~2026-05-02", sum(1, 40, nil)},
		"last day":                          {"d=1d", sum(221, 240, nil)},
		"this month":                        {"d=mtd", sum(1, 240, nil)},
		"last month":                        {"d=pm", "—"},
		"everything":                        {"d=all", sum(1, 240, nil)},
		"a filter":                          {"d=all&f.channel=web", sum(1, 240, func(i int) bool { return (i-1)%3 == 0 })},
		"two values":                        {"d=all&f.channel=web,shop", sum(1, 240, func(i int) bool { return (i-1)%3 != 2 })},
		"a column":                          {"d=all&f.shop.city=Hull~c+East", sum(1, 240, func(i int) bool { return (i-1)%4 == 2 })},
		"no value":                          {"d=all&f.shop.city=~0", sum(1, 240, func(i int) bool { return (i-1)%4 == 3 })},
		"a flag":                            {"d=all&f.paid=false", sum(1, 240, func(i int) bool { return (i-1)%5 == 0 })},
		"a clicked bar":                     {"d=all&x.channels=web", sum(1, 240, func(i int) bool { return (i-1)%3 == 0 })},
		"two bars":                          {"d=all&x.channels=web,shop", sum(1, 240, func(i int) bool { return (i-1)%3 != 2 })},
		"bar and filter":                    {"d=all&x.channels=web&f.paid=false", sum(1, 240, func(i int) bool { return (i-1)%3 == 0 && (i-1)%5 == 0 })},
		"a cell of hours":                   {"d=all&x.hours=5*8", sum(1, 240, func(i int) bool { return (i-1)/20%7 == 0 && (i-1)%20/2 == 0 })},
		"a row of a table":                  {"d=all&x.stores=Leeds", sum(1, 240, func(i int) bool { return (i-1)%4 == 0 })},
		"a filter that is gone":             {"d=all&f.gone=1&x.gone=2", sum(1, 240, nil)},
		"the form with unchanged dates":     {"d.from=2026-05-06&d.to=2026-05-12&d.days=2026-05-06~2026-05-12&d.is=", sum(101, 240, nil)},
		"the form with changed dates":       {"d.from=2026-05-01&d.to=2026-05-02&d.days=2026-05-06~2026-05-12&d.is=", sum(1, 40, nil)},
		"the form with a preset":            {"d=1d&d.from=2026-05-01&d.to=2026-05-02&d.days=2026-05-06~2026-05-12", sum(221, 240, nil)},
		"the form with the range as it was": {"d.from=2026-05-01&d.to=2026-05-12&d.days=2026-05-01~2026-05-12&d.is=all", sum(1, 240, nil)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := r.kpi(t, r.open(t, d.ID, tc.link, "")); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func format(n int) string {
	text := ""
	for i, c := range []byte(strings.TrimSpace(itoa(n))) {
		if left := len(itoa(n)) - i; i > 0 && left%3 == 0 {
			text += ","
		}
		text += string(c)
	}
	return text
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func TestDatesCountFromTheNewestRow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	v := r.open(t, d.ID, "", "")
	if v.Days == nil || v.Days.From.String() != "2026-05-06" || v.Days.To.String() != "2026-05-12" || v.Days.Count() != 7 {
		t.Fatalf("days %+v", v.Days)
	}
	if v.Previous == nil || v.Previous.From.String() != "2026-04-29" || v.Previous.To.String() != "2026-05-05" {
		t.Errorf("previous %+v", v.Previous)
	}
	if year := r.open(t, d.ID, "c=year", ""); year.Previous.From.String() != "2025-05-06" {
		t.Errorf("last year %+v", year.Previous)
	}
	if none := r.open(t, d.ID, "c=none", ""); none.Previous != nil || r.draw(t, none, "sum").Drawing.KPI.Against != "" {
		t.Errorf("no comparison: %+v", none.Previous)
	}
	kpi := r.draw(t, v, "sum").Drawing.KPI
	if kpi.Against != "5,050" || kpi.Delta == "" || kpi.Spark == "" { // rows 1 to 100 lie before
		t.Errorf("KPI %+v", kpi)
	}
}

// The span that is named is the one that is compared with.
func TestThePreviousSpanIsTheOneThatIsAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, sales := r.board(t)
	for link, comparison := range map[string]warehouse.Comparison{"d=2026-04-01~2026-04-30": {}, "d=2026-03-01~2026-04-30": {}, "d=2026-04-02~2026-05-01": {},
		"d=2026-05-06~2026-05-06": {}, "d=pm": {}, "d=mtd": {N: 1, Unit: "month"}, "d=qtd": {N: 1, Unit: "quarter"}, "d=ytd": {N: 1, Unit: "year"}} {
		comparison.Period = "previous"
		v := r.open(t, d.ID, link, "")
		answer, err := r.datasets.Query(t.Context(), r.actor, datasets.QueryRequest{Now: time.Date(2026, 5, 20, 0, 0, 0, 0, time.UTC), Spec: warehouse.Spec{
			Dataset: sales.String(), Timezone: v.Zone.String(), Measures: []warehouse.Measure{{Fn: "count"}},
			Filters:    []warehouse.Filter{{Column: "at", Op: "between", From: json.RawMessage(`"` + v.Days.From.String() + `"`), To: json.RawMessage(`"` + v.Days.To.String() + `"`)}},
			Comparison: &comparison}})
		if err != nil {
			t.Fatal(err)
		}
		if from, to := answer.Previous.From.Format(time.DateOnly), answer.Previous.To.Add(-time.Microsecond).Format(time.DateOnly); v.Previous.From.String() != from || v.Previous.To.String() != to {
			t.Errorf("%s: named %s to %s, asked %s to %s", link, v.Previous.From, v.Previous.To, from, to)
		}
		if link == "d=mtd" && (v.Previous.From.String() != "2026-04-01" || v.Previous.To.String() != "2026-04"+v.Days.To.String()[7:]) {
			t.Errorf("this month up to %s is compared with %+v", v.Days.To, v.Previous)
		}
	}
}

// A click filters every other widget, but not the one that was clicked; that
// one shows what is selected.
func TestClickFiltersTheOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	before, after := r.open(t, d.ID, "", ""), r.open(t, d.ID, "x.channels=web", "")
	clicked := r.draw(t, after, "channels")
	if clicked.Drawing.Count != 3 || clicked.Selected != "web" || len(clicked.Filters) != 1 {
		t.Errorf("the clicked widget: %d bars, tag %q, filters %+v", clicked.Drawing.Count, clicked.Selected, clicked.Filters)
	}
	if len(after.Cross) != 1 || after.Cross[0].Field != "Channel" || after.Cross[0].Text != "web" {
		t.Errorf("chips %+v", after.Cross)
	}
	for _, p := range after.Tiles {
		other, _ := before.Plan(p.ID)
		if other.Key == p.Key {
			t.Errorf("widget %s is the same under the click", p.ID)
		}
	}
	// Sorting a table changes that table alone.
	sorted := r.open(t, d.ID, "s.stores=orders", "")
	for _, p := range sorted.Tiles {
		other, _ := before.Plan(p.ID)
		if same := other.Key == p.Key; same != (p.ID != "stores") {
			t.Errorf("widget %s is the same: %v", p.ID, same)
		}
	}
}

func TestTableSortsAndTurnsPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	cells := func(link, widget string) (first string, g *charts.Grid) {
		t.Helper()
		g = r.draw(t, r.open(t, d.ID, link, ""), widget).Drawing.Table
		return g.Rows[0].Cells[0].Text, g
	}
	if first, g := cells("d=all&s.stores=total", "stores"); first != "Leeds" || g.Total != 4 || g.Columns[1].Sorted != "asc" {
		t.Errorf("%q, %+v", first, g)
	}
	if first, g := cells("d=all&s.stores=-city", "stores"); first != "York" && first != "No value" {
		t.Errorf("%q, %+v", first, g)
	}
	first, g := cells("d=all", "rows")
	if g.Total != 240 || g.Page != 1 || len(g.Rows) != 3 || !strings.HasPrefix(first, "12 May 2026") {
		t.Errorf("%q, %+v", first, g)
	}
	if _, g := cells("d=all&p.rows=2", "rows"); g.From != 4 || g.To != 6 || g.Page != 2 || g.Pages != 80 {
		t.Errorf("%+v", g)
	}
	// A link from when there were more rows opens the last page.
	for _, page := range []string{"81", "5000000", "99999999999999999999"} {
		if _, g := cells("d=all&p.rows="+page, "rows"); g.From != 238 || g.To != 240 || g.Page != 80 || g.Pages != 80 {
			t.Errorf("page %s: %+v", page, g)
		}
	}
	if first, _ := cells("d=all&s.rows=amount", "rows"); !strings.HasPrefix(first, "1 May 2026") {
		t.Errorf("%q", first)
	}
}

// A page keeps showing its moment while new rows come; a new page shows them.
func TestPageKeepsItsMoment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, dataset := r.board(t)
	v := r.open(t, d.ID, "d=all", "")
	was := r.kpi(t, v)
	r.add(t, r.actor, dataset, 240, 241)
	if got := r.kpi(t, r.open(t, d.ID, "d=all", v.Snapshot.String())); got != was {
		t.Errorf("the page shows %s, showed %s", got, was)
	}
	fresh := r.open(t, d.ID, "d=all", "")
	if got := r.kpi(t, fresh); got != format(240*241/2+241) {
		t.Errorf("a new page shows %s", got)
	}
	if !fresh.AsOf.After(v.AsOf) {
		t.Errorf("as of %s, before %s", fresh.AsOf, v.AsOf)
	}
	if old := r.open(t, d.ID, "d=all", v.Snapshot.String()); !old.AsOf.Equal(v.AsOf) {
		t.Errorf("the page's moment is of %s, was of %s", old.AsOf, v.AsOf)
	}
	now, err := r.Current(t.Context(), r.actor, d.ID)
	must(t, err)
	if now.Snapshot != fresh.Snapshot.String() || !slices.Contains(now.Datasets, dataset) || len(now.Datasets) != 2 {
		t.Errorf("current %+v", now)
	}
	_, err = r.Service.Open(t.Context(), r.actor, request(t, d.ID, "", "nonsense"))
	wantError(t, err, datasets.ErrSnapshotExpired)
}

// One widget that fails says why; the others answer.
func TestFailureStaysWithItsWidget(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, dataset := r.board(t)
	column, err := r.datasets.Get(t.Context(), r.actor, dataset)
	must(t, err)
	store, ok := column.ColumnByName("channel")
	if !ok {
		t.Fatal("no column")
	}
	must(t, r.datasets.DropColumn(t.Context(), r.actor, dataset, store.ID))
	v := r.open(t, d.ID, "d=all", "")
	failed := 0
	for _, p := range v.Tiles {
		tile, err := r.Draw(t.Context(), v, p)
		must(t, err)
		if wants := slices.Contains([]string{"channels", "mix", "rows"}, p.ID); wants != (tile.Err != nil) {
			t.Errorf("widget %s: %v", p.ID, tile.Err)
		}
		if tile.Err != nil {
			failed++
			if class := apperr.Describe(tile.Err).Class; class != apperr.Invalid {
				t.Errorf("widget %s: class %d of %v", p.ID, class, tile.Err)
			}
		}
	}
	if failed != 3 {
		t.Errorf("%d widgets failed", failed)
	}
}

func TestEmptyWidgetSaysWhichFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	v := r.open(t, d.ID, "d=all&f.channel=fax&x.stores=Leeds", "")
	tile := r.draw(t, v, "channels")
	if tile.State() != charts.Empty || len(tile.Filters) != 2 || tile.Filters[0].Field != "Channel" || tile.Filters[0].Text != "fax" || !tile.Filters[1].Cross {
		t.Errorf("%q, %+v", tile.State(), tile.Filters)
	}
}

func TestFilterOfTheWrongTypeFailsItsWidgets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	v := r.open(t, d.ID, "f.amount=plenty", "")
	p, _ := v.Plan("sum")
	tile, err := r.Draw(t.Context(), v, p)
	must(t, err)
	wantError(t, tile.Err, dashboards.ErrFilters)
}

func TestFilterListsItsValues(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	v := r.open(t, d.ID, "d=all&f.channel=web&f.shop.city=York", "")
	list, more, err := r.Values(t.Context(), v, "channel", "")
	must(t, err)
	if more || len(list) != 3 || list[0].Rows != -1 { // York has fewer
		t.Fatalf("%+v", list)
	}
	for link, rows := range map[string]int64{"d=all&f.channel=web": 80, "d=7d": -1} {
		whole, _, err := r.Values(t.Context(), r.open(t, d.ID, link, ""), "channel", "")
		must(t, err)
		if len(whole) != 3 || whole[0].Rows != rows {
			t.Errorf("%s: %+v", link, whole)
		}
	}
	for _, value := range list {
		if value.Taken != (value.Text == "web") {
			t.Errorf("%+v", value)
		}
	}
	list, _, err = r.Values(t.Context(), v, "shop.city", "hull")
	must(t, err)
	if len(list) != 1 || list[0].Text != "Hull, East" || list[0].Word != "Hull~c East" {
		t.Errorf("%+v", list)
	}
	_, _, err = r.Values(t.Context(), v, "gone", "")
	wantError(t, err, dashboards.ErrControlNotFound)
}

func TestADownloadHoldsWhatItReads(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	file, err := r.OpenRows(t.Context(), r.open(t, d.ID, "d=all", ""), "rows")
	must(t, err)
	file.Stream()
	leases := func() (n int64) {
		counted := errors.New("counted, and left as it was")
		wantError(t, r.db.InTenantTx(t.Context(), r.actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
			if n, err = tx.LeasePrune(ctx, tx.TenantID, time.Now().AddDate(10, 0, 0)); err != nil {
				return err
			}
			return counted
		}), counted)
		return n
	}
	rows := 0
	must(t, file.Each(t.Context(), func(_ *warehouse.Result, n int) error {
		rows += n
		if got := leases(); got != 2 { // sales, and the stores that it looks up in
			t.Errorf("%d leases after %d rows", got, rows)
		}
		return nil
	}))
	if got := leases(); rows != 240 || got != 0 {
		t.Errorf("%d rows, want 240; %d leases are left", rows, got)
	}
}

func TestCSVHasAllRowsAndNoFormulas(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	download := func(widget string, bom bool) [][]string {
		t.Helper()
		v := r.open(t, d.ID, "d=all", "")
		file, err := r.OpenRows(t.Context(), v, widget)
		must(t, err)
		var out bytes.Buffer
		_, err = file.WriteCSV(t.Context(), &out, dashboards.CSVStyle{BOM: bom})
		must(t, err)
		if got := bytes.HasPrefix(out.Bytes(), []byte("\ufeff")); got != bom {
			t.Errorf("BOM %v, want %v", got, bom)
		}
		rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(out.Bytes(), []byte("\ufeff")))).ReadAll()
		must(t, err)
		return rows
	}
	rows := download("rows", true)
	if len(rows) != 241 || strings.Join(rows[0], "|") != "At|Channel|Amount" || rows[1][0] != "2026-05-12 17:00:00" {
		t.Fatalf("%d rows, first %q, %q", len(rows), rows[0], rows[1])
	}
	seen := map[string]bool{}
	for _, row := range rows[1:] {
		seen[row[2]] = true
		if strings.HasPrefix(row[1], "=") {
			t.Fatalf("a formula: %q", row)
		}
	}
	if len(seen) != 240 {
		t.Errorf("%d different amounts", len(seen))
	}
	if rows := download("stores", false); len(rows) != 5 || len(rows[1]) != 3 {
		t.Errorf("%q", rows)
	}
}

func TestViewAsTable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	v := r.open(t, d.ID, "", "")
	for _, p := range v.Tiles {
		g, err := r.AsTable(t.Context(), v, p.ID, 1)
		must(t, err)
		if len(g.Rows) == 0 || len(g.Columns) == 0 {
			t.Errorf("widget %s: %+v", p.ID, g)
		}
	}
	_, err := r.AsTable(t.Context(), v, "gone", 1)
	wantError(t, err, dashboards.ErrWidgetNotFound)
}

// A dashboard whose dataset was deleted still opens. Who does not see everything
// is not told whether it is gone or only not theirs.
func TestDatasetThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, dataset := r.board(t)
	must(t, r.datasets.Delete(t.Context(), r.actor, dataset))
	v := r.open(t, d.ID, "", "")
	for _, p := range v.Tiles {
		tile, err := r.Draw(t.Context(), v, p)
		must(t, err)
		wantError(t, tile.Err, dashboards.ErrDataHidden)
	}
	// It can still be edited.
	_, err := r.apply(t.Context(), r.actor, d.ID, d.Rev, []dashboards.Operation{{ID: uuid.New(), Path: "/widgets/mix", Before: raw(d.Config.Widgets["mix"])}})
	must(t, err)
	if _, err := r.Current(t.Context(), r.actor, d.ID); err != nil {
		t.Error(err)
	}
}

// What a link says, the dashboard shows: state and text are two forms of one thing.
func TestLinkRoundTrip(t *testing.T) {
	for _, link := range []string{
		"", "d=28d", "d=2026-05-18~2026-06-14&c=year", "f.channel=web,shop", "f.shop.city=Hull~c+East&x.hours=5*8,6*9&x.stores=~0",
		"f.x=,", "s.t=-amount&p.t=3&e=a,b", "f.m=50%25+%26+more&x.a=~~~s",
	} {
		query, err := url.ParseQuery(link)
		must(t, err)
		state, err := dashboards.ParseState(query)
		must(t, err)
		if got := state.Encode(); got != link {
			t.Errorf("%q becomes %q", link, got)
		}
	}
	for _, bad := range []string{"d=soon", "c=decade", "f.a=~x", "x.a=~", "p.t=0", "p.t=x", "d=" + strings.Repeat("x", 40_000)} {
		query, err := url.ParseQuery(bad)
		must(t, err)
		_, err = dashboards.ParseState(query)
		wantError(t, err, dashboards.ErrFilters)
	}
}

func FuzzLink(f *testing.F) {
	for _, seed := range []string{"d=28d&c=year&f.a=b,c&x.w=1*2&s.t=-n&p.t=2&e=w", "f.=&x.=&f.a=", "d.from=2026-01-01&d.to=2026-02-01", "f.a=~~&f.a=~0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, link string) {
		query, err := url.ParseQuery(link)
		if err != nil {
			return
		}
		state, err := dashboards.ParseState(query)
		if err != nil {
			return
		}
		canonical := state.Encode()
		query, err = url.ParseQuery(canonical)
		if err != nil {
			t.Fatalf("%q is no query: %v", canonical, err)
		}
		again, err := dashboards.ParseState(query)
		if err != nil {
			t.Fatalf("%q can't be read: %v", canonical, err)
		}
		if got := again.Encode(); got != canonical {
			t.Errorf("%q becomes %q", canonical, got)
		}
	})
}

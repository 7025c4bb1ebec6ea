package dashboards_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// boardWith is the board of newRig with further filters.
func (r *rig) boardWith(t testing.TB, change func(*dashboards.Config)) dashboards.Dashboard {
	t.Helper()
	c := config(r.sales(t, r.actor))
	change(&c)
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Filters", Config: c})
	must(t, err)
	return d
}

func control(column, kind string, change ...func(*dashboards.Control)) dashboards.Control {
	c := dashboards.Control{Label: column, Column: column}
	c.Kind = kind
	for _, f := range change {
		f(&c)
	}
	return c
}

func sumOf(keep func(i int) bool) string {
	n := 0
	for i := 1; i <= 240; i++ {
		if keep(i) {
			n += i
		}
	}
	return format(n)
}

func TestEveryKindOfFilterFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.boardWith(t, func(c *dashboards.Config) {
		c.Filters["amount"] = control("amount", dashboards.KindRange)
		c.Filters["name"] = control("channel", dashboards.KindText)
		c.Filters["paid"] = control("paid", dashboards.KindBoolean)
		c.Filters["when"] = control("at", dashboards.KindDate)
		c.Filters["best"] = control("channel", dashboards.KindTop, func(c *dashboards.Control) {
			c.Measure = &warehouse.Measure{Fn: "sum", Column: "amount"}
		})
	})
	for link, want := range map[string]string{
		"d=all&f.amount=10~~20":                       sumOf(func(i int) bool { return i >= 10 && i <= 20 }),
		"d=all&f.amount=20~~10":                       sumOf(func(i int) bool { return i >= 10 && i <= 20 }),
		"d=all&lo.amount=10&hi.amount=20":             sumOf(func(i int) bool { return i >= 10 && i <= 20 }),
		"d=all&f.amount=~~20":                         sumOf(func(i int) bool { return i <= 20 }),
		"d=all&hi.amount=&lo.amount=230.5":            sumOf(func(i int) bool { return i >= 231 }),
		"d=all&t.name=HO":                             sumOf(func(i int) bool { return (i-1)%3 != 0 }), // shop and =phone
		"d=all&f.paid=true":                           sumOf(func(i int) bool { return (i-1)%5 != 0 }),
		"d=all&f.when=1d":                             sumOf(func(i int) bool { return i > 220 }),
		"d=all&lo.when=2026-05-01&hi.when=2026-05-02": sumOf(func(i int) bool { return i <= 40 }),
		"d=all&f.best=1":                              sumOf(func(i int) bool { return (i-1)%3 == 2 }), // =phone sells most
		"d=all&f.best=2":                              sumOf(func(i int) bool { return (i-1)%3 != 0 }),
		"d=all&f.best=1&f.channel=web":                sumOf(func(i int) bool { return (i-1)%3 == 0 }), // the best among what is left
	} {
		v := r.open(t, d.ID, link, "")
		if got := r.kpi(t, v); got != want {
			t.Errorf("%s: %s, want %s", link, got, want)
		}
		// What was typed is a word of the link from then on.
		if again := r.kpi(t, r.open(t, d.ID, v.Link(), "")); again != want || strings.Contains(v.Link(), "lo.") {
			t.Errorf("%s became %s: %s, want %s", link, v.Link(), again, want)
		}
	}
	for _, link := range []string{"f.amount=x~~y", "f.amount=5", "f.when=soon", "f.best=-1", "f.best=1000000"} {
		v := r.open(t, d.ID, link, "")
		p, _ := v.Plan("sum")
		tile, err := r.Draw(t.Context(), v, p)
		must(t, err)
		wantError(t, tile.Err, dashboards.ErrFilters)
	}
}

func TestDefaultsHoldUntilSomebodyChooses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.boardWith(t, func(c *dashboards.Config) {
		c.Filters["channel"] = control("channel", "", func(c *dashboards.Control) { c.Default = []string{"web"} })
	})
	all, web := sumOf(func(int) bool { return true }), sumOf(func(i int) bool { return (i-1)%3 == 0 })
	for link, want := range map[string]string{
		"d=all":                web,
		"d=all&f.channel=":     all,
		"d=all&f.channel=shop": sumOf(func(i int) bool { return (i-1)%3 == 1 }),
	} {
		v := r.open(t, d.ID, link, "")
		if got := r.kpi(t, v); got != want {
			t.Errorf("%s: %s, want %s", link, got, want)
		}
		if got := r.kpi(t, r.open(t, d.ID, v.Link(), "")); got != want {
			t.Errorf("%s as %s: %s, want %s", link, v.Link(), got, want)
		}
	}
	// Without a default, an empty choice is none.
	if v := r.open(t, d.ID, "f.gone=&f.store=", ""); !v.State.IsZero() {
		t.Errorf("state %q", v.Link())
	}
}

func TestRequiredFiltersAreAskedForFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.boardWith(t, func(c *dashboards.Config) {
		c.Filters["channel"] = control("channel", "", func(c *dashboards.Control) { c.Required, c.Widgets = true, []string{"sum"} })
	})
	v := r.open(t, d.ID, "d=all", "")
	tile := r.draw(t, v, "sum")
	if !slices.Equal(tile.Needs, []string{"channel"}) || tile.Drawing != nil {
		t.Errorf("needs %q, drawing %+v", tile.Needs, tile.Drawing)
	}
	if other := r.draw(t, v, "channels"); len(other.Needs) > 0 || other.Drawing == nil {
		t.Errorf("a widget out of its reach waits for %q", other.Needs)
	}
	for name, err := range map[string]error{
		"table":   func() error { _, err := r.AsTable(t.Context(), v, "sum", 1); return err }(),
		"csv":     func() error { _, err := r.OpenRows(t.Context(), v, "sum"); return err }(),
		"explain": func() error { _, err := r.Explain(t.Context(), v, "sum", ""); return err }(),
	} {
		if !errors.Is(err, dashboards.ErrFilterRequired) {
			t.Errorf("%s: %v", name, err)
		}
	}
	chosen := r.open(t, d.ID, "d=all&f.channel=web", "")
	if got, want := r.kpi(t, chosen), sumOf(func(i int) bool { return (i-1)%3 == 0 }); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A filter by a column that the data lost answers nothing, rather than all.
func TestAFilterWithoutItsColumnFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	sales := r.sales(t, r.actor)
	for name, c := range map[string]struct {
		make func(c *dashboards.Control)
		link string
		want error
	}{
		"chosen by the link":    {nil, "f.lost=web", dashboards.ErrFilterGone},
		"by default":            {func(c *dashboards.Control) { c.Default = []string{"web"} }, "", dashboards.ErrFilterGone},
		"required":              {func(c *dashboards.Control) { c.Required = true }, "", dashboards.ErrFilterGone},
		"nothing chosen":        {nil, "", nil},
		"the default taken off": {func(c *dashboards.Control) { c.Default = []string{"web"} }, "f.lost=", nil},
		"another widget's":      {func(c *dashboards.Control) { c.Widgets = []string{"channels"} }, "f.lost=web", nil},
	} {
		config := config(sales)
		lost := control("lost", "")
		if c.make != nil {
			c.make(&lost)
		}
		config.Filters["lost"] = lost
		d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: name, Config: config})
		must(t, err)
		v := r.open(t, d.ID, strings.TrimSuffix("d=all&"+c.link, "&"), "")
		i := slices.IndexFunc(v.Controls, func(c dashboards.ControlView) bool { return c.ID == "lost" })
		if i < 0 || !v.Controls[i].Gone {
			t.Errorf("%s: the filter is %+v", name, v.Controls)
		}
		p, _ := v.Plan("sum")
		tile, err := r.Draw(t.Context(), v, p)
		must(t, err)
		if !errors.Is(tile.Err, c.want) || c.want == nil && tile.Err != nil || c.want != nil && tile.Drawing != nil {
			t.Errorf("%s: %v, %+v", name, tile.Err, tile.Drawing)
		}
		if _, err := r.OpenRows(t.Context(), v, "sum"); c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: rows: %v", name, err)
		}
	}
}

// A filter on the canvas shows what the link says, is drawn anew when that
// changes, and leaves the bar while the page shows it.
func TestAFilterStandsOnTheCanvas(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	widget := func(control, tab string) dashboards.Widget {
		w := dashboards.Widget{Title: "Filter", Layout: dashboards.Layout{Y: 40, W: 3, H: 2}, Tab: tab, Control: control}
		w.Type = charts.Control
		return w
	}
	d := r.boardWith(t, func(c *dashboards.Config) {
		c.Tabs = map[string]dashboards.Tab{"a": {Title: "A"}, "b": {Title: "B", Position: 1}}
		c.Filters["store"] = control("store", "")
		c.Widgets["canvas"], c.Widgets["dates"], c.Widgets["gone"] = widget("channel", "a"), widget(dashboards.DateControl, "b"), widget("nothing", "a")
		both := widget("store", "a")
		both.InBar = true
		// One that leaves it in the bar is enough.
		c.Widgets["both"], c.Widgets["too"] = both, widget("store", "a")
	})
	v := r.open(t, d.ID, "d=all", "")
	if v.InBar("channel") || !v.InBar("store") || !v.InBar(dashboards.DateControl) {
		t.Errorf("in the bar: channel %t, store %t, dates %t", v.InBar("channel"), v.InBar("store"), v.InBar(dashboards.DateControl))
	}
	if other := r.open(t, d.ID, "t=b", ""); !other.InBar("channel") || other.InBar(dashboards.DateControl) {
		t.Error("on another tab, the bar has not what the page does not show")
	}
	if _, has := v.Plan("gone"); has {
		t.Error("viewers are shown a filter that is gone")
	}
	tile := r.draw(t, v, "canvas")
	if tile.Unset || tile.Control != "channel" {
		t.Errorf("unset %t, shows %q", tile.Unset, tile.Control)
	}
	keys := map[string]string{}
	for _, link := range []string{"d=all", "d=all&f.channel=web", "d=all&f.channel=web&f.store=A", "d=7d"} {
		p, _ := r.open(t, d.ID, link, "").Plan("canvas")
		if before, has := keys[p.Key]; has {
			t.Errorf("%s has the key of %s", link, before)
		}
		keys[p.Key] = link
	}
	if p, _ := r.open(t, d.ID, "d=all&p.rows=2", "").Plan("canvas"); keys[p.Key] != "d=all" {
		t.Error("the page of a table draws filters anew")
	}
	if found, has := r.open(t, d.ID, "f.channel=web", "").Embedded("channel"); !has || found.Summary != "web" {
		t.Errorf("%t: it shows %q", has, found.Summary)
	}
	// What is gone waits in the editor.
	q := request(t, d.ID, "", "")
	q.Draft = true
	draft, err := r.Service.Open(t.Context(), r.actor, q)
	must(t, err)
	if tile := r.draw(t, draft, "gone"); !tile.Unset {
		t.Error("in the editor, a filter that is gone is set up")
	}
}

func valuesOf(t *testing.T, r *rig, v *dashboards.View, control, search string) []string {
	t.Helper()
	list, _, err := r.Values(t.Context(), v, control, search)
	must(t, err)
	var texts []string
	for _, one := range list {
		texts = append(texts, one.Text)
	}
	return texts
}

func TestFiltersLimitEachOthersValues(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.boardWith(t, func(c *dashboards.Config) {
		c.Filters["store"] = control("store", "", func(c *dashboards.Control) { c.Within = []string{"amount"} })
		c.Filters["free"] = control("store", "")
		c.Filters["day"] = control("store", "", func(c *dashboards.Control) { c.Within = []string{dashboards.WithinDate} })
		c.Filters["all"] = control("store", "", func(c *dashboards.Control) { c.Within = []string{dashboards.WithinAll} })
		c.Filters["amount"] = control("amount", dashboards.KindRange)
	})
	v := r.open(t, d.ID, "d=1d&f.amount=1~~2&f.store=B", "")
	for control, want := range map[string][]string{
		"store": {"A", "B"},
		"free":  {"", "A", "B", "C"},
		"day":   {"", "A", "B", "C"},
		"all":   nil,
	} {
		got := valuesOf(t, r, v, control, "")
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", control, got, want)
		}
	}
	if got := valuesOf(t, r, v, "free", "a"); !slices.Equal(got, []string{"A"}) {
		t.Errorf("search: %q", got)
	}
}

// A filter reaches widgets of other datasets by the column that it is mapped to.
func TestAFilterIsMappedAcrossDatasets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	returns, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Returns", Columns: []datasets.NewColumn{
		{Name: "kind", Type: warehouse.Text}, {Name: "amount", Type: warehouse.Integer}}})
	must(t, err)
	_, err = r.datasets.AppendRows(t.Context(), r.actor, returns, datasets.AppendRequest{Columns: []string{"kind", "amount"},
		Rows: [][]any{{"web", 1}, {"shop", 10}, {"web", 100}}})
	must(t, err)
	other := dashboards.Widget{Title: "Returns", Layout: dashboards.Layout{Y: 40, W: 3, H: 3}, Query: dashboards.Query{Dataset: returns, Measures: []warehouse.Measure{total}}}
	other.Type = charts.KPI
	sales := r.sales(t, r.actor)
	for name, tc := range map[string]struct {
		columns map[string]string
		want    string
	}{
		"mapped":   {map[string]string{returns.String(): "kind"}, "101"},
		"unmapped": {nil, "111"},
		"kept off": {map[string]string{returns.String(): dashboards.NoColumn}, "111"},
	} {
		c := config(sales)
		c.Widgets["other"] = other
		c.Filters["channel"] = control("channel", "", func(c *dashboards.Control) { c.Columns = tc.columns })
		d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: name, Config: c})
		must(t, err)
		if got := r.draw(t, r.open(t, d.ID, "f.channel=web", ""), "other").Drawing.KPI.Full; got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestDrillingDownAndBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.boardWith(t, func(c *dashboards.Config) {
		c.Hierarchies = map[string]dashboards.Hierarchy{"place": {Label: "Place", Columns: []string{"channel", "shop.city"}}}
		w := c.Widgets["channels"]
		c.Widgets["channels"] = w
	})
	v := r.open(t, d.ID, "d=all&x.channels=web", "")
	a, err := r.Actions(t.Context(), v, "channels", "web")
	must(t, err)
	if a.Down == nil || a.Level != "City" || a.Marked != "web" || !a.Selected {
		t.Fatalf("actions %+v", a)
	}
	if a.Down.Encode() != "d=all&l.channels=web" {
		t.Errorf("down %q", a.Down.Encode())
	}
	down := r.open(t, d.ID, a.Down.Encode(), "")
	tile := r.draw(t, down, "channels")
	if len(tile.Levels) != 2 || tile.Levels[0].Words != "" || tile.Levels[1] != (dashboards.Crumb{Text: "web", Words: "web"}) {
		t.Errorf("levels %+v", tile.Levels)
	}
	grid, err := r.AsTable(t.Context(), down, "channels", 1)
	must(t, err)
	if grid.Columns[0].Label != "City" || len(grid.Rows) != 4 {
		t.Errorf("drilled down: %s, %d rows", grid.Columns[0].Label, len(grid.Rows))
	}
	// Other widgets stay as they are, and the last level leads no further.
	before := r.open(t, d.ID, "d=all", "")
	for _, p := range down.Tiles {
		if was, _ := before.Plan(p.ID); (was.Key == p.Key) == (p.ID == "channels") {
			t.Errorf("widget %s: key %s, was %s", p.ID, p.Key, was.Key)
		}
	}
	if a, err = r.Actions(t.Context(), down, "channels", "York"); err != nil || a.Down != nil || a.Filter == nil {
		t.Errorf("actions at the end: %+v, %v", a, err)
	}
	// A click on a drilled widget filters by what it shows.
	if got, want := r.kpi(t, r.open(t, d.ID, a.Filter.Encode(), "")), sumOf(func(i int) bool { return (i-1)%4 == 1 }); got != want {
		t.Errorf("York: %s, want %s", got, want)
	}
	// Time goes down by its own levels.
	month := r.open(t, d.ID, "d=all&l.daily=2026-05-04", "")
	if a, err = r.Actions(t.Context(), month, "daily", "2026-05-04T10:00:00"); err != nil || a.Down != nil {
		t.Errorf("hours: %+v, %v", a, err)
	}
	if rest := r.open(t, d.ID, "d=all&l.channels=web,York,x&l.gone=1&l.rows=2", ""); rest.Link() != "d=all&l.channels=web" {
		t.Errorf("what leads nowhere stays: %q", rest.Link())
	}
}

func TestDrillingThroughCarriesTheFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dataset := r.sales(t, r.actor)
	target, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Detail", Config: func() dashboards.Config {
		c := config(dataset)
		c.Filters = map[string]dashboards.Control{"flag": control("paid", dashboards.KindBoolean)}
		return c
	}()})
	must(t, err)
	c := config(dataset)
	w := c.Widgets["channels"]
	w.Through = target.ID
	c.Widgets["channels"] = w
	source, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Source", Config: c})
	must(t, err)
	v := r.open(t, source.ID, "d=3d&f.paid=false&x.stores=York", "")
	a, err := r.Actions(t.Context(), v, "channels", "web")
	must(t, err)
	if a.Through == nil || a.Through.Name != "Detail" || a.Through.Dashboard != target.ID {
		t.Fatalf("through %+v", a.Through)
	}
	there := r.open(t, target.ID, a.Through.State.Encode(), "")
	if got, want := r.kpi(t, there), sumOf(func(i int) bool { return i > 180 && (i-1)%5 == 0 && (i-1)%4 == 1 && (i-1)%3 == 0 }); got != want {
		t.Errorf("%s, want %s (%s)", got, want, there.Link())
	}
	if there.State.From == nil || there.State.From.Dashboard != source.ID || there.State.From.Link != v.Link() {
		t.Errorf("the way back is %+v, want %q", there.State.From, v.Link())
	}
	// A way back that was written by somebody else holds choices only.
	odd := r.open(t, target.ID, "from="+source.ID.String()+"~x%3D%26javascript%3Aalert(1)", "")
	if odd.State.From == nil || odd.State.From.Link != "" {
		t.Errorf("%+v", odd.State.From)
	}
}

func TestANumberIsExplained(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.boardWith(t, func(c *dashboards.Config) {
		w := c.Widgets["channels"]
		w.Query.Filters = []warehouse.Filter{{Column: "amount", Op: ">", Values: []json.RawMessage{raw(100)}}}
		c.Widgets["channels"] = w
	})
	v := r.open(t, d.ID, "d=2026-05-01~2026-05-10&f.paid=true", "")
	e, err := r.Explain(t.Context(), v, "channels", "web")
	must(t, err)
	want := sumOf(func(i int) bool { return i > 100 && i <= 200 && (i-1)%5 != 0 && (i-1)%3 == 0 })
	if len(e.Values) != 1 || e.Values[0].Text != want || e.Values[0].Definition != "sum of amount" || e.Marked != "web" {
		t.Errorf("values %+v, want %s", e.Values, want)
	}
	var filters []string
	for _, f := range e.Filters {
		filters = append(filters, f.Field+" "+f.Text)
	}
	if len(filters) != 3 || filters[2] != "Amount > 100" {
		t.Errorf("filters %q", filters)
	}
	if strings.Contains(e.SQL, "read_parquet") || strings.Contains(e.SQL, "/") && strings.Contains(e.SQL, ".parquet") || !strings.Contains(e.SQL, `"Sales"`) {
		t.Errorf("SQL %s", e.SQL)
	}
	if !strings.Contains(e.Query, `"amount"`) || e.Version.Version == 0 || e.Version.CreatedAt.IsZero() || e.Scanned == 0 {
		t.Errorf("%+v", e)
	}
	if e.Shifted || e.From.Format("2006-01-02 15:04") != "2026-05-01 00:00" || e.To.Format("2006-01-02 15:04") != "2026-05-11 00:00" {
		t.Errorf("ends %s to %s, shifted %v", e.From, e.To, e.Shifted)
	}
	rows, err := r.Behind(t.Context(), v, "channels", "web", 1)
	must(t, err)
	n := 0
	for i := 101; i <= 200; i++ {
		if (i-1)%5 != 0 && (i-1)%3 == 0 {
			n++
		}
	}
	if rows.Total != n || len(rows.Rows) != n || len(rows.Columns) != 5 {
		t.Errorf("%d of %d rows, %d columns; want %d", len(rows.Rows), rows.Total, len(rows.Columns), n)
	}
	file, err := r.OpenBehind(t.Context(), v, "channels", "web")
	must(t, err)
	var out strings.Builder
	_, err = file.WriteCSV(t.Context(), &out, dashboards.CSVStyle{})
	must(t, err)
	if lines := strings.Count(out.String(), "\r\n"); lines != n+1 {
		t.Errorf("CSV has %d lines, want %d", lines, n+1)
	}
	for widget, mark := range map[string]string{"channels": "web*2", "gone": "", "hours": "~"} {
		if _, err := r.Explain(t.Context(), v, widget, mark); err == nil {
			t.Errorf("%s %q is explained", widget, mark)
		}
	}
	// All of a widget, where more rows lie behind it than a page holds.
	all := r.open(t, d.ID, "d=all", "")
	second, err := r.Behind(t.Context(), all, "sum", "", 3)
	must(t, err)
	if second.Total != 240 || len(second.Rows) != 40 || second.Page != 3 || second.Pages != 3 {
		t.Errorf("page %d of %d with %d rows of %d", second.Page, second.Pages, len(second.Rows), second.Total)
	}
}

func TestFiltersThatFitNoDashboardAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*dashboards.Config){
		"kind": func(c *dashboards.Config) { c.Filters["f"] = control("a", "wheel") },
		"dataset": func(c *dashboards.Config) {
			c.Filters["f"] = control("a", "", func(c *dashboards.Control) { c.Columns = map[string]string{"x": "y"} })
		},
		"default": func(c *dashboards.Config) {
			c.Filters["f"] = control("a", "", func(c *dashboards.Control) { c.Default = []string{"\xff"} })
		},
		"label": func(c *dashboards.Config) {
			c.Hierarchies = map[string]dashboards.Hierarchy{"h": {Columns: []string{"a"}}}
		},
		"id": func(c *dashboards.Config) { c.Hierarchies = map[string]dashboards.Hierarchy{"h h": {Label: "H"}} },
		"the same column twice": func(c *dashboards.Config) {
			c.Hierarchies = map[string]dashboards.Hierarchy{"h": {Label: "H", Columns: []string{"a", "a"}}}
		},
	} {
		c := config(ids.New[ids.Dataset]())
		change(&c)
		if err := c.Validate(); !errors.Is(err, dashboards.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

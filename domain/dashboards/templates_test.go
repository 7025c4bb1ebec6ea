package dashboards_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// visits is a dataset that says other things by other names.
func (r *rig) visits(t testing.TB, actor access.Actor) ids.Dataset {
	t.Helper()
	id, err := r.datasets.Create(t.Context(), actor, datasets.NewDataset{Name: "Visits", TimeColumn: "visited_at",
		Columns: []datasets.NewColumn{{Name: "visited_at", Type: warehouse.Timestamp}, {Name: "sales_channel", Type: warehouse.Text},
			{Name: "pages", Type: warehouse.Integer}, {Name: "country", Type: warehouse.Text}}})
	must(t, err)
	return id
}

func (r *rig) template(t testing.TB) (ids.Template, ids.Dataset) {
	t.Helper()
	d, dataset := r.board(t)
	id, err := r.SaveTemplate(t.Context(), r.actor, d.ID, "  Trading ", "For shops")
	must(t, err)
	return id, dataset
}

// fitted tells what stands for the fields of a template's only dataset, and why.
func fitted(t testing.TB, fit dashboards.TemplateFit) map[string]string {
	t.Helper()
	if len(fit.Sources) != 1 {
		t.Fatalf("%d sources, want 1", len(fit.Sources))
	}
	found := map[string]string{}
	for _, f := range fit.Sources[0].Fields {
		found[f.Name] = f.Into + " " + string(f.Why)
	}
	return found
}

func TestATemplateStandsOverItsOwnData(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, dataset := r.template(t)
	fit, err := r.FitTemplate(t.Context(), r.actor, id, nil)
	must(t, err)
	for name, got := range fitted(t, fit) {
		if got != name+" name" {
			t.Errorf("%s is %s", name, got)
		}
	}
	for _, w := range fit.Widgets {
		if len(w.Lacks) > 0 || w.Empty {
			t.Errorf("%s lacks %v", w.ID, w.Lacks)
		}
	}
	made, err := r.CreateFromTemplate(t.Context(), r.actor, id, nil, "")
	must(t, err)
	if made.Name != "Trading" || !made.Unpublished || made.Config.Dataset != dataset || len(made.Config.Widgets) != 7 {
		t.Errorf("made %q, %d widgets over %s", made.Name, len(made.Config.Widgets), made.Config.Dataset)
	}
	view := r.open(t, made.ID, "", "")
	r.draw(t, view, "stores")
	r.draw(t, view, "rows")
}

func TestATemplateIsLaidOverOtherData(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, source := r.template(t)
	target := r.visits(t, r.actor)
	choice := map[ids.Dataset]dashboards.TemplateChoice{source: {Dataset: target}}
	fit, err := r.FitTemplate(t.Context(), r.actor, id, choice)
	must(t, err)
	want := map[string]string{"at": "visited_at similar", "channel": "sales_channel similar", "amount": "pages type", "shop.city": "country type"}
	got := fitted(t, fit)
	for name, w := range want {
		if got[name] != w {
			t.Errorf("for %s stands %q, want %q", name, got[name], w)
		}
	}
	for _, w := range fit.Widgets {
		if len(w.Lacks) > 0 || w.Empty {
			t.Errorf("%s lacks %q, empty %v", w.ID, w.Lacks, w.Empty)
		}
	}

	// What a person chooses counts, nothing included.
	choice[source] = dashboards.TemplateChoice{Dataset: target, Fields: map[string]string{"column shop.city": "sales_channel", "column channel": ""}}
	fit, err = r.FitTemplate(t.Context(), r.actor, id, choice)
	must(t, err)
	if got := fitted(t, fit); got["shop.city"] != "sales_channel chosen" || got["channel"] != " chosen" {
		t.Errorf("%v", got)
	}
	for _, w := range fit.Widgets {
		if (w.ID == "mix" || w.ID == "channels") != w.Empty {
			t.Errorf("%s is empty: %v", w.ID, w.Empty)
		}
	}
	made, err := r.CreateFromTemplate(t.Context(), r.actor, id, choice, "Web")
	must(t, err)
	c := made.Config
	if c.Dataset != target || len(c.Filters) != 0 || made.Name != "Web" {
		t.Errorf("over %s, filters %v", c.Dataset, c.Filters)
	}
	stores := c.Widgets["stores"]
	if d := stores.Query.Dimensions; len(d) != 1 || d[0].Column != "sales_channel" || d[0].As != "city" || !stores.Encode.Columns[1].Bar {
		t.Errorf("stores asks %+v, shows %+v", d, stores.Encode.Columns)
	}
	rows := c.Widgets["rows"].Query
	if strings.Join(rows.Columns, " ") != "visited_at pages" || len(rows.Order) != 1 || rows.Order[0].By != "visited_at" {
		t.Errorf("rows asks %v by %v", rows.Columns, rows.Order)
	}
	if m := c.Widgets["sum"].Query.Measures[0]; m.Column != "pages" || m.As != "total" {
		t.Errorf("sum asks %+v", m)
	}

	// A text does not stand for a number, and a dataset that is none for one.
	for name, bad := range map[string]dashboards.TemplateChoice{
		"text for a number": {Dataset: target, Fields: map[string]string{"column amount": "country"}},
		"no such field":     {Dataset: target, Fields: map[string]string{"column amount": "gone"}},
		"no dataset":        {},
	} {
		if _, err := r.CreateFromTemplate(t.Context(), r.actor, id, map[ids.Dataset]dashboards.TemplateChoice{source: bad}, "x"); err == nil {
			t.Errorf("%s: made", name)
		} else {
			wantError(t, err, dashboards.ErrTemplateFit)
		}
	}
}

// Calculated fields, filters and titles follow; what was generated is generated
// anew, what a person wrote stays.
func TestWhatATemplateSaysFollowsItsFields(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	source := r.sales(t, r.actor)
	c := dashboards.Config{Schema: dashboards.Schema, Dataset: source, Settings: dashboards.Settings{Date: dashboards.DateSetting{Default: "2026-05-01~2026-05-31"}},
		Fields: map[string]dashboards.Formula{
			"double":  {Expression: "[amount] * 2"},
			"settled": {Expression: "[double] + [paid_twice]"},
		},
		Filters: map[string]dashboards.Control{"c": {Label: "Channel", Column: "channel", ControlOptions: dashboards.ControlOptions{Default: []string{"web"}}}},
		Widgets: map[string]dashboards.Widget{
			"a": {Config: charts.Config{Type: charts.Bar}, Title: "Amount by channel", Layout: dashboards.Layout{W: 6, H: 6},
				Query: dashboards.Query{Measures: []warehouse.Measure{{Fn: "sum", Column: "amount"}}, Dimensions: []warehouse.Dimension{{Column: "channel"}}}},
			"b": {Config: charts.Config{Type: charts.KPI}, Title: "Our pride", Layout: dashboards.Layout{X: 6, W: 3, H: 3},
				Query: dashboards.Query{Measures: []warehouse.Measure{{Fn: "sum", Column: "double"}}}},
			"c": {Config: charts.Config{Type: charts.KPI}, Title: "Settled", Layout: dashboards.Layout{X: 9, W: 3, H: 3},
				Query: dashboards.Query{Measures: []warehouse.Measure{{Fn: "sum", Column: "settled"}}}},
		}}
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Made", Config: c})
	must(t, err)
	id, err := r.SaveTemplate(t.Context(), r.actor, d.ID, "Made", "")
	must(t, err)
	target := r.visits(t, r.actor)
	made, err := r.CreateFromTemplate(t.Context(), r.actor, id, map[ids.Dataset]dashboards.TemplateChoice{source: {Dataset: target}}, "x")
	must(t, err)
	now := made.Config
	if got := now.Settings.Date.Default; got != "all" {
		t.Errorf("it opens with the other data's dates: %q", got)
	}
	if got := now.Fields["double"].Expression; got != "[pages] * 2" || len(now.Fields) != 1 {
		t.Errorf("fields %+v", now.Fields)
	}
	if f := now.Filters["c"]; f.Column != "sales_channel" || f.Label != "Sales channel" || f.Default != nil {
		t.Errorf("filter %+v", f)
	}
	if got := now.Widgets["a"].Title; got != "Pages by sales channel" {
		t.Errorf("the generated title is %q", got)
	}
	if got := now.Widgets["b"]; got.Title != "Our pride" || got.Query.Measures[0].Column != "double" {
		t.Errorf("%+v", got)
	}
	gone := now.Widgets["c"]
	if gone.SetUp() || gone.Title != "Settled" {
		t.Errorf("what lacks its only field asks %+v", gone.Query)
	}
	if text, err := json.Marshal(now); err != nil || strings.Contains(string(text), source.String()) {
		t.Errorf("the dashboard names the former dataset: %s (%v)", text, err)
	}
}

// A suggestion says its fields in words of its own. Over other data the words are
// those of the other data, and a date, which has no hours, is grouped by what it has.
func TestASuggestionAsATemplateSaysTheOtherData(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	source, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Orders", TimeColumn: "order_time",
		Columns: []datasets.NewColumn{{Name: "order_time", Type: warehouse.Timestamp}, {Name: "store_region", Type: warehouse.Text}, {Name: "net_sales", Type: warehouse.Integer}}})
	must(t, err)
	target, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Cities", TimeColumn: "day",
		Columns: []datasets.NewColumn{{Name: "day", Type: warehouse.Date}, {Name: "city", Type: warehouse.Text}, {Name: "net", Type: warehouse.Integer}}})
	must(t, err)
	sum := []warehouse.Measure{{Fn: "sum", Column: "net_sales", As: "sum_2"}}
	label := map[string]charts.Format{"sum_2": {Label: "Net sales"}}
	region := []warehouse.Dimension{{Column: "store_region", As: "name"}}
	c := dashboards.Config{Schema: dashboards.Schema, Dataset: source,
		Filters: map[string]dashboards.Control{"f1": {Label: "Store region", Column: "store_region"}, "f2": {Label: "Where", Column: "store_region"}},
		Widgets: map[string]dashboards.Widget{
			"hours": {Config: charts.Config{Type: charts.Heatmap, Format: label}, Title: "Net sales by day and hour", Subtitle: "Day of the week and hour of the day", Layout: dashboards.Layout{W: 6, H: 6},
				Query: dashboards.Query{Measures: sum, Dimensions: []warehouse.Dimension{{Column: "order_time", Grain: "weekday", As: "weekday"}, {Column: "order_time", Grain: "hour_of_day", As: "hour"}}}},
			"table": {Config: charts.Config{Type: charts.Table, Format: map[string]charts.Format{"name": {Label: "Store region"}, "sum_2": {Label: "Net sales"}}}, Title: "Store region", Subtitle: "Net sales, rows", Layout: dashboards.Layout{X: 6, W: 6, H: 6},
				Query: dashboards.Query{Measures: sum, Dimensions: region}},
			"line": {Config: charts.Config{Type: charts.Line, Format: label}, Title: "Net sales by store region over time", Layout: dashboards.Layout{Y: 6, W: 6, H: 6},
				Query: dashboards.Query{Measures: sum, Dimensions: []warehouse.Dimension{{Column: "order_time", Grain: "hour", As: "at"}, {Column: "store_region", As: "by"}}}},
			"own": {Config: charts.Config{Type: charts.Bar, Format: label}, Title: "Our pride by the store region", Layout: dashboards.Layout{Y: 12, W: 6, H: 6},
				Query: dashboards.Query{Measures: sum, Dimensions: region}},
		}}
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Made", Config: c})
	must(t, err)
	id, err := r.SaveTemplate(t.Context(), r.actor, d.ID, "Made", "")
	must(t, err)
	choice := map[ids.Dataset]dashboards.TemplateChoice{source: {Dataset: target, Fields: map[string]string{"column store_region": "city"}}}
	fit, err := r.FitTemplate(t.Context(), r.actor, id, choice)
	must(t, err)
	grains := map[string][]dashboards.Regrained{"hours": {{Field: "day", From: "hour_of_day", To: "month_of_year"}}, "line": {{Field: "day", From: "hour", To: "day"}}}
	for _, w := range fit.Widgets {
		if !slices.Equal(w.Grains, grains[w.ID]) || w.Empty || len(w.Lacks) > 0 {
			t.Errorf("%s: %+v", w.ID, w)
		}
	}
	made, err := r.CreateFromTemplate(t.Context(), r.actor, id, choice, "x")
	must(t, err)
	for name, want := range map[string]string{"hours": "Net by day and month · Day of the week and month of the year", "table": "City · Net, rows",
		"line": "Net by city over time · ", "own": "Our pride by the store region · "} {
		if w := made.Config.Widgets[name]; w.Title+" · "+w.Subtitle != want {
			t.Errorf("%s is %q, %q; want %q", name, w.Title, w.Subtitle, want)
		}
	}
	if f := made.Config.Widgets["table"].Format; f["name"].Label != "City" || f["sum_2"].Label != "Net" {
		t.Errorf("formats %+v", f)
	}
	if f := made.Config.Filters; f["f1"].Label != "City" || f["f2"].Label != "Where" {
		t.Errorf("filters %+v", f)
	}
	view := r.open(t, made.ID, "", "")
	for _, widget := range []string{"hours", "line"} {
		p, _ := view.Plan(widget)
		if tile, err := r.Draw(t.Context(), view, p); err != nil || errors.Is(tile.Err, warehouse.ErrGrain) {
			t.Errorf("%s can't be drawn: %v, %v", widget, err, tile)
		}
	}
}

func TestTemplatesAreOfTheWorkspace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	id, _ := r.template(t)
	colleague := r.colleague(t, r.actor.TenantID, access.Editor)
	list, err := r.ListTemplates(ctx, colleague)
	must(t, err)
	if len(list) != 1 || list[0].ID != id || list[0].Name != "Trading" || list[0].About != "For shops" || list[0].CanDelete || list[0].OwnerName == "" {
		t.Errorf("a colleague sees %+v", list)
	}
	wantError(t, r.DeleteTemplate(ctx, colleague, id), access.ErrForbidden)
	viewer := r.colleague(t, r.actor.TenantID, access.Viewer)
	_, err = r.ListTemplates(ctx, viewer)
	wantError(t, err, access.ErrForbidden)
	_, err = r.FitTemplate(ctx, viewer, id, nil)
	wantError(t, err, access.ErrForbidden)

	stranger := r.person(t, "Other", access.Owner)
	if list, err := r.ListTemplates(ctx, stranger); err != nil || len(list) != 0 {
		t.Errorf("a stranger lists %+v, %v", list, err)
	}
	own, err := r.Create(ctx, r.actor, dashboards.NewDashboard{Name: "Own", Config: dashboards.Blank(r.visits(t, r.actor))})
	must(t, err)
	for name, call := range map[string]func(context.Context) error{
		"GetTemplate":    func(ctx context.Context) error { _, err := r.GetTemplate(ctx, stranger, id); return err },
		"FitTemplate":    func(ctx context.Context) error { _, err := r.FitTemplate(ctx, stranger, id, nil); return err },
		"DeleteTemplate": func(ctx context.Context) error { return r.DeleteTemplate(ctx, stranger, id) },
		"CreateFromTemplate": func(ctx context.Context) error {
			_, err := r.CreateFromTemplate(ctx, stranger, id, nil, "x")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, call(t.Context()), dashboards.ErrTemplateNotFound) })
	}
	_, err = r.SaveTemplate(ctx, stranger, own.ID, "Spy", "")
	wantError(t, err, dashboards.ErrNotFound)

	// A dataset of another workspace can't be laid under a template.
	theirs := r.visits(t, stranger)
	fit, err := r.FitTemplate(ctx, r.actor, id, map[ids.Dataset]dashboards.TemplateChoice{list[0].Sources[0].Dataset: {Dataset: theirs}})
	must(t, err)
	if !fit.Sources[0].Into.IsZero() || len(fit.Sources[0].Fields[0].Options) != 0 {
		t.Errorf("a foreign dataset is offered: %+v", fit.Sources[0])
	}

	_, err = r.SaveTemplate(ctx, r.actor, own.ID, " ", "")
	wantError(t, err, dashboards.ErrName)
	_, err = r.SaveTemplate(ctx, r.actor, own.ID, "x", strings.Repeat("y", 301))
	wantError(t, err, dashboards.ErrTemplateAbout)
}

func TestADeletedTemplateComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, _ := r.template(t)
	must(t, r.DeleteTemplate(t.Context(), r.actor, id))
	_, err := r.GetTemplate(t.Context(), r.actor, id)
	wantError(t, err, dashboards.ErrTemplateNotFound)
	wantError(t, r.DeleteTemplate(t.Context(), r.actor, id), dashboards.ErrTemplateNotFound)
	done, err := r.UndoDeed(t.Context(), r.actor)
	must(t, err)
	if done.Kind != "template" || done.Name != "Trading" || done.Gone {
		t.Errorf("%+v", done)
	}
	if _, err = r.GetTemplate(t.Context(), r.actor, id); err != nil {
		t.Errorf("after undo: %v", err)
	}
	done, err = r.RedoDeed(t.Context(), r.actor)
	must(t, err)
	if !done.Gone {
		t.Errorf("%+v", done)
	}
	_, err = r.GetTemplate(t.Context(), r.actor, id)
	wantError(t, err, dashboards.ErrTemplateNotFound)
}

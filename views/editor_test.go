package views

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/locale"
)

// editorProps is the editor with a stack of bars selected.
func editorProps() EditorProps {
	dataset := ids.New[ids.Dataset]()
	field := func(name string, measure bool) dashboards.Field {
		return dashboards.Field{Name: name, Type: "text", Measure: measure}
	}
	date := dashboards.Field{Name: "order_date", Type: "date"}
	fields := []dashboards.Field{date, field("channel", false), {Name: "store.region", Type: "text", Lookup: "store"}, field("net_sales", true)}
	w := dashboards.Widget{Title: "Sales by channel"}
	w.Type = charts.StackedBar
	w.Query.Filters = []dashboards.Filter{{Column: "channel", Op: "in", Values: []json.RawMessage{json.RawMessage(`"<North>"`)}}, {Column: "order_date", Op: "last", N: 28, Unit: "day"}}
	view := &dashboards.View{Draft: true, Zone: time.UTC, Compare: dashboards.CompareNone}
	view.Dashboard.ID, view.Dashboard.Name = ids.New[ids.Dashboard](), "Trading & delivery"
	p := DashboardProps{View: view, CanEdit: true, Locale: locale.Default()}
	list := []EditorDataset{{ID: dataset, Name: "sales_daily", Rows: 18_400_000}}
	return EditorProps{
		Dashboard: p, Doc: json.RawMessage(`{"rev":7}`), UserID: "u7", Datasets: list, Fields: EditorFieldsProps{Dataset: dataset, Fields: fields}, Versions: 27,
		Undo: &dashboards.Deed{Verb: "move", Object: "Sales by channel"}, SavedAt: galleryNow,
		Inspector: InspectorProps{Dashboard: p, Datasets: list, Fields: fields, Took: 184 * time.Millisecond, Rows: 24,
			Widget: &dashboards.WidgetView{ID: "w1", Widget: w, Dataset: dataset, SetUp: true, Retypes: charts.Types(), Wells: []dashboards.WellView{
				{Name: "x", Most: 1, Needed: true, Chips: []dashboards.Chip{{Field: date, Result: "order_date", Label: "Order date", Grain: "week", Grains: date.Grains()}}},
				{Name: "value", Measures: true, Most: 1, Needed: true, Chips: []dashboards.Chip{{Field: fields[3], Result: "net_sales", Label: "Net sales", Fn: "sum", Fns: []string{"sum", "avg"}}}},
				{Name: "series", Most: 1, Needed: true},
			}}},
	}
}

func TestEditorPage(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*EditorProps){
		"a widget":       func(*EditorProps) {},
		"the settings":   func(p *EditorProps) { p.Inspector.Widget = nil },
		"no dataset yet": func(p *EditorProps) { p.Inspector.Widget, p.Fields, p.Datasets = nil, EditorFieldsProps{}, nil },
		"a field is gone": func(p *EditorProps) {
			p.Inspector.Widget.Wells[0].Chips[0] = dashboards.Chip{Field: dashboards.Field{Name: "gone"}, Missing: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := editorProps()
			change(&p)
			var b strings.Builder
			if err := EditorPage(galleryShell(), p).Render(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			doc, err := goquery.NewDocumentFromReader(strings.NewReader(b.String()))
			if err != nil {
				t.Fatal(err)
			}
			checkIDs(t, doc)
			doc.Find("template").Remove() // filled by the script
			checkNames(t, doc)
			checkPolicy(t, doc)
			if doc.Find("h1").Length() != 1 || doc.Find(".btn-primary[data-edit=publish]").Length() != 1 {
				t.Error("not one heading and one filled button in the header")
			}
			doc.Find("[data-act]").Each(func(_ int, e *goquery.Selection) {
				var act dashboards.Act
				if err := json.Unmarshal([]byte(e.AttrOr("data-act", "")), &act); err != nil || act.Kind == "" {
					t.Errorf("no act: %s", e.AttrOr("data-act", ""))
				}
			})
			doc.Find("body *").Each(func(_ int, e *goquery.Selection) {
				if text := strings.TrimSpace(e.Text()); e.Children().Length() == 0 && messageKey.MatchString(text) && !e.Is("script, .field-name, .chip-name, .menu-text *, option") {
					t.Errorf("shows the key of a message: %s", text)
				}
			})
		})
	}
}

func TestEditorPageShowsWhatLiesInWells(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := EditorInspector(editorProps().Inspector).Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	for selector, want := range map[string]string{
		`[data-well="x"] [data-chip="0"] .chip-name`:               "order_date",
		`[data-well="x"] select[data-act-set="grain"] [selected]`:  "ISO week",
		`[data-well="value"] select[data-act-set="fn"] [selected]`: "Sum",
		`[data-well="series"] [data-well-add="series"]`:            "Add a field to group by",
		`.filter-chip:has([popovertarget="widget-filter-0"]) b`:    "is <North>",
		`.inspector-foot .num`:                                     "Query 184\u00a0ms · 24 rows",
		`.dataset-button .dataset-rows`:                            "18.4M rows",
	} {
		if got := strings.TrimSpace(doc.Find(selector).First().Text()); got != want {
			t.Errorf("%s: %q, want %q", selector, got, want)
		}
	}
}

package dashboards_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

// wholes is a board over 36 rows: 30 names with the values 1 to 30, of Wyoming,
// and six in two states that are written in several ways.
func (r *rig) wholes(t *testing.T) *dashboards.View {
	t.Helper()
	id, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Places", Columns: []datasets.NewColumn{
		{Name: "name", Type: warehouse.Text}, {Name: "st", Type: warehouse.Text}, {Name: "v", Type: warehouse.Float}, {Name: "huge", Type: warehouse.Float}}})
	must(t, err)
	rows := [][]any{{nil, "California", 5, 1}, {nil, "CA", 6, 1}, {nil, "CA", 10, 1}, {nil, "06", 7, 1}, {nil, "Texas", 8, 1e308}, {nil, "TX", 10, 1e308}}
	for i := range 30 {
		rows = append(rows, []any{fmt.Sprintf("n%02d", i), "Nowhere", i + 1, 1})
	}
	_, err = r.datasets.AppendRows(t.Context(), r.actor, id, datasets.AppendRequest{Columns: []string{"name", "st", "v", "huge"}, Rows: rows})
	must(t, err)
	c := dashboards.Config{Schema: dashboards.Schema, Dataset: id, Settings: dashboards.Settings{Comparison: "none"}, Widgets: map[string]dashboards.Widget{},
		Fields: map[string]dashboards.Formula{"twice": {Expression: "sum([v]) * 2 - count()"}, "ratio": {Expression: "sum([v]) / count()"}}}
	add := func(id string, typ charts.Type, e charts.Encode, m warehouse.Measure, dims ...string) {
		size := typ.DefaultSize()
		w := dashboards.Widget{Config: charts.Config{Type: typ, Encode: e}, Title: id, Layout: dashboards.Layout{Y: 20 * len(c.Widgets), W: size.W, H: size.H}}
		w.Query.Measures = []warehouse.Measure{m}
		for _, name := range dims {
			w.Query.Dimensions = append(w.Query.Dimensions, warehouse.Dimension{Column: name, As: name})
		}
		c.Widgets[id] = w
	}
	sum := warehouse.Measure{Fn: "sum", Column: "v", As: "total"}
	mean := warehouse.Measure{Fn: "avg", Column: "v", As: "mean"}
	areas := charts.Encode{Layer: charts.LayerAreas, Map: "us"}
	add("sums", charts.Map, areas, sum, "st")
	add("means", charts.Map, areas, mean, "st")
	add("bars", charts.Bar, charts.Encode{}, sum, "name")
	add("words", charts.WordList, charts.Encode{}, sum, "name")
	add("rows", charts.KPI, charts.Encode{}, warehouse.Measure{Fn: "count", As: "rows"})
	add("saved", charts.Donut, charts.Encode{}, warehouse.Measure{Measure: "twice", As: "twice"}, "name")
	add("mean", charts.Donut, charts.Encode{}, mean, "name")
	add("saved_ratio", charts.Treemap, charts.Encode{}, warehouse.Measure{Measure: "ratio", As: "ratio"}, "st")
	add("huge", charts.Donut, charts.Encode{}, warehouse.Measure{Fn: "sum", Column: "huge", As: "huge"}, "name")
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Wholes", Config: c})
	must(t, err)
	return r.open(t, d.ID, "", "")
}

// The whole way from the rows to what is drawn: areas have all their spellings,
// means are those of all their rows, and what is cut says how much there is.
func TestNumbersOfAWholeAreThoseOfItsRows(t *testing.T) {
	r := newRig(t)
	v := r.wholes(t)
	for id, want := range map[string]map[string]float64{
		"sums":  {"06": 28, "48": 18},
		"means": {"06": 7, "48": 9}, // the mean of the spellings' means would be 6.67
	} {
		var m charts.MapData
		drawing := r.draw(t, v, id).Drawing
		must(t, json.Unmarshal(drawing.Points, &m))
		got := map[string]float64{}
		for i, shape := range m.Shape {
			got[shape] = m.Size[i]
		}
		if !reflect.DeepEqual(got, want) || !slices.Equal(drawing.Missed, []string{"Nowhere"}) {
			t.Errorf("%s: %v, missed %q", id, got, drawing.Missed)
		}
	}
	for id, want := range map[string]charts.Message{
		"bars":  {Key: "charts.note.top_of", Args: []any{"Shown", "12", "Field", "Name", "All", "31"}},
		"words": {},
	} {
		if note := r.draw(t, v, id).Drawing.Note; !reflect.DeepEqual(note, want) {
			t.Errorf("%s: note %+v", id, note)
		}
	}
	for id, want := range map[string]string{"saved": "", "mean": "charts.unfit.adds", "saved_ratio": "charts.unfit.adds", "huge": "charts.unfit.large"} {
		if drawing := r.draw(t, v, id).Drawing; drawing.Fit.Key != want || (drawing.State == charts.Unfit) != (want != "") {
			t.Errorf("%s is %s, says %q", id, drawing.State, drawing.Fit.Key)
		}
	}
	if csv := r.csv(t, v, "huge"); !strings.HasPrefix(csv, "Name,Huge\n,\n") {
		t.Errorf("a sum that is too large for a number in a file: %q", csv)
	}
	if got := r.draw(t, r.open(t, v.Dashboard.ID, "x.sums=06,CA,California", ""), "rows").Drawing.KPI.Text; got != "4" {
		t.Errorf("a click on California leaves %s rows", got)
	}
}

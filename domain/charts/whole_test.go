package charts

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/warehouse"
)

// wholes are the drawings of a whole and its parts.
var wholes = map[string]Config{
	"donut":          {Type: Donut},
	"treemap":        {Type: Treemap},
	"nested":         {Type: Treemap},
	"sunburst":       {Type: Sunburst},
	"sankey":         {Type: Sankey},
	"stacked shares": {Type: StackedBar, Encode: Encode{Stack: "percent"}},
	"bars as shares": {Type: Bar, Encode: Encode{Stack: "percent"}},
}

// What shows shares and totals refuses, all alike, what has none: means, values
// below zero, zeros alone, and sums that are too large for a number. Each value
// by itself was right before, and the total of them wrong.
func TestWholesRefuseWhatIsNoPartOfOne(t *testing.T) {
	sums := map[string]Format{"v": {Label: "Sales", Additive: true}}
	for name, c := range wholes {
		for state, tc := range map[string]struct {
			formats map[string]Format
			values  []float64
			want    string
		}{
			"means":        {map[string]Format{"v": {Label: "Mean sales"}}, []float64{5, 4, 3}, "charts.unfit.adds"},
			"below zero":   {sums, []float64{100, -60, 10}, "charts.unfit.negative"},
			"zeros":        {sums, []float64{0, 0, 0}, "charts.unfit.zero"},
			"no values":    {sums, []float64{math.NaN(), math.NaN(), math.NaN()}, ""},
			"one infinite": {sums, []float64{math.Inf(1), 4, 3}, "charts.unfit.large"},
			"too large":    {sums, []float64{math.MaxFloat64, math.MaxFloat64, 3}, "charts.unfit.large"},
			"noise":        {sums, []float64{100, -1e-14, 10}, "-"},
		} {
			columns := []warehouse.ResultColumn{texts("k", "a", "b", "c"), texts("g", "x", "x", "y"), floats("v", tc.values...)}
			if c.Type == Donut || name == "treemap" {
				columns = slices.Delete(columns, 1, 2)
			}
			in := Input{Config: c, Result: result(columns...)}
			in.Config.Format = tc.formats
			d := draw(t, in)
			switch {
			case tc.want == "-":
				if d.State != Ready || d.Chart == nil {
					t.Errorf("%s of %s is %s: %+v", name, state, d.State, d.Fit)
				}
			case tc.want == "":
				if d.State != Empty {
					t.Errorf("%s of %s is %s", name, state, d.State)
				}
			case d.State != Unfit || d.Fit.Key != tc.want || d.Chart != nil || d.Ring != nil:
				t.Errorf("%s of %s is %s, says %q", name, state, d.State, d.Fit.Key)
			case tc.want == "charts.unfit.negative" && (d.Fit.Args[1] != "Sales" || !strings.Contains(d.Fit.Args[3].(string), "b") || d.Fit.Args[5] != "−60"):
				t.Errorf("%s names %v", name, d.Fit.Args)
			}
			if _, ok := d.Instead(); ok != (tc.want == "charts.unfit.adds" || tc.want == "charts.unfit.negative") {
				t.Errorf("%s of %s: another type is offered: %v", name, state, ok)
			}
		}
	}
	in := Input{Config: Config{Type: Waterfall}, Result: result(texts("part", "a"), floats("v", 1))}
	if d := draw(t, in); d.State != Unfit || d.Fit.Key != "charts.unfit.adds" {
		t.Errorf("a waterfall of means is %s", d.State)
	}
	in.Config.Type, in.Result = Funnel, result(texts("step", "a", "d"), floats("v", 100, -20))
	if d := draw(t, in); d.State != Unfit || d.Fit.Args[3] != "d" {
		t.Errorf("a funnel below zero is %s, %v", d.State, d.Fit.Args)
	}
}

// Means that would be stacked stand side by side, also in small charts.
func TestStackedMeansStandSideBySide(t *testing.T) {
	in := Input{Config: Config{Type: StackedBar, Format: map[string]Format{"v": {Label: "Mean"}}},
		Result: result(texts("k", "a", "a", "b", "b"), texts("g", "x", "y", "x", "y"), floats("v", 5, 4, 3, 6))}
	stacks := func(chart []byte) bool { return strings.Contains(string(chart), `"stack"`) }
	if d := draw(t, in); stacks(d.Chart) || d.Note.Key != "charts.note.beside" || d.State != Ready {
		t.Errorf("means: %s, note %q: %s", d.State, d.Note.Key, d.Chart)
	}
	in.Config.Format = map[string]Format{"v": {Additive: true}}
	if d := draw(t, in); !stacks(d.Chart) || d.Note.Key != "" {
		t.Errorf("sums: note %q", d.Note.Key)
	}
	in.Config.Format, in.Config.Encode.Facet = nil, "f"
	in.Result = result(texts("f", "p", "p", "q", "q"), texts("k", "a", "a", "a", "a"), texts("g", "x", "y", "x", "y"), floats("v", 5, 4, 3, 6))
	d := draw(t, in)
	for _, f := range d.Facets {
		if stacks(f.Chart) {
			t.Errorf("small charts of means are stacked: %s", f.Chart)
		}
		var chart struct {
			Option struct{ YAxis struct{ Max float64 } }
		}
		if err := json.Unmarshal(f.Chart, &chart); err != nil || chart.Option.YAxis.Max != 6 {
			t.Errorf("its axis ends at %v, %v", chart.Option.YAxis.Max, err)
		}
	}
	in.Config.Encode.Stack = "percent"
	if d := draw(t, in); d.State != Unfit || len(d.Facets) > 0 {
		t.Errorf("shares of means in small charts are %s", d.State)
	}
}

// A sentence speaks of all values only where it knows them all, and a chart that
// was cut by the product says so.
func TestWhatIsCutIsSaid(t *testing.T) {
	five := func(more bool) *warehouse.Result {
		r := result(texts("state", "CA", "TX", "MO"), floats("box_low", 3, 2, 1), floats("box_first", 3, 2, 1), floats("box_median", 3, 2, 1),
			floats("box_third", 3, 2, 1), floats("box_high", 3, 2, 1))
		r.More = more
		return r
	}
	one := func(more bool) *warehouse.Result {
		r := result(texts("state", "CA", "TX", "MO"), floats("n", 30, 20, 10))
		r.More = more
		return r
	}
	formats := map[string]Format{"n": flights}
	for typ, of := range map[Type]struct {
		result func(bool) *warehouse.Result
		say    string
	}{
		Bar: {one, "charts.say.bars"}, WordList: {one, "charts.say.bars"}, Funnel: {one, "charts.say.funnel"}, Radar: {one, "charts.say.radar"}, Box: {five, "charts.say.box"},
	} {
		in := Input{Config: Config{Type: typ, Format: formats}, Result: of.result(false), Largest: true, Groups: 383}
		if d := draw(t, in); d.Say.Key != of.say || d.Note.Key != "" {
			t.Errorf("%s of all: %s, note %q", typ, d.Say.Key, d.Note.Key)
		}
		cut := of.say + "_cut"
		if typ == Radar {
			cut = of.say // calls none of them lowest
		}
		in.Result = of.result(true)
		d := draw(t, in)
		if want := []any{"Shown", "3", "Field", "State", "All", "383"}; d.Say.Key != cut || d.Note.Key != "charts.note.top_of" || !reflect.DeepEqual(d.Note.Args, want) {
			t.Errorf("%s that is cut: %s, note %+v", typ, d.Say.Key, d.Note)
		}
		in.Groups = 0
		if d := draw(t, in); d.Note.Key != "charts.note.top" {
			t.Errorf("%s of an unknown number: note %+v", typ, d.Note)
		}
		in.Largest = false
		if d := draw(t, in); d.Note.Key != "charts.note.first" {
			t.Errorf("%s in another order: note %+v", typ, d.Note)
		}
		in.Limited = true
		if d := draw(t, in); (d.Note.Key != "") != (typ == Radar) || d.Say.Key != cut {
			t.Errorf("%s with a limit of its author's: %s, note %+v", typ, d.Say.Key, d.Note)
		}
	}
	// The rest is no value that could be the highest.
	folded := result(texts("state", "CA", "TX", Null), floats("n", 30, 20, 500))
	folded.HasOther = true
	d := draw(t, Input{Config: Config{Type: Bar, Format: formats}, Result: folded, Limited: true})
	if d.Say.Key != "charts.say.bars_cut" || !slices.Contains(d.Say.Args, any("CA")) || !slices.Contains(d.Say.Args, any(2)) {
		t.Errorf("with the rest: %+v", d.Say)
	}
	cells := result(texts("k", "a", "b"), texts("g", "x", "y"), floats("n", 5, 4))
	cells.More = true
	if d := draw(t, Input{Config: Config{Type: Heatmap, Format: formats}, Result: cells, Limited: true}); d.Say.Key != "charts.say.heatmap_cut" {
		t.Errorf("cells: %+v", d.Say)
	}
}

// Several spellings of a place are one area: sums are added, and anything else
// is taken from the query that has them in one group. Only names that are no
// place are listed as such.
func TestSpellingsOfAnAreaAreOne(t *testing.T) {
	area := func(in Input) (MapData, *Drawing) {
		d := draw(t, in)
		var m MapData
		if err := json.Unmarshal(d.Points, &m); err != nil {
			t.Fatal(err)
		}
		return m, d
	}
	in := Input{Config: Config{Type: Map, Encode: Encode{Layer: LayerAreas, Map: "us"}, Format: map[string]Format{"v": {Label: "Sales", Additive: true}}},
		Result: result(texts("st", "06", "CA", "California", "NotAState", "TX", "Texas"), floats("v", 7, 6, 5, 1, 10, 8)), Selected: []Mark{{"CA"}}}
	m, d := area(in)
	if !reflect.DeepEqual(m.Shape, []string{"06", "48"}) || !reflect.DeepEqual(m.Size, []float64{18, 18}) || !reflect.DeepEqual(m.Label, []string{"California", "Texas"}) {
		t.Errorf("sums: %+v", m)
	}
	if !reflect.DeepEqual(m.Mark, []string{"06,CA,California", "TX,Texas"}) || !reflect.DeepEqual(m.Faded, []bool{false, true}) {
		t.Errorf("marks %q, faded %v", m.Mark, m.Faded)
	}
	if !slices.Equal(d.Missed, []string{"NotAState"}) {
		t.Errorf("missed %q", d.Missed)
	}
	if _, groups := Spellings(in); groups != nil {
		t.Errorf("sums need no groups: %v", groups)
	}
	in.Config.Format = map[string]Format{"v": {Label: "Mean"}}
	column, groups := Spellings(in)
	if want := map[string][]string{"California": {"06", "CA", "California"}, "Texas": {"TX", "Texas"}}; column != "st" || !reflect.DeepEqual(groups, want) {
		t.Fatalf("groups of %s: %v", column, groups)
	}
	in.Further = []*warehouse.Result{result(texts("st", "California", "NotAState", "Texas"), floats("v", 5.5, 1, 9.5))}
	if m, d := area(in); !reflect.DeepEqual(m.Size, []float64{5.5, 9.5}) || len(d.Missed) != 1 {
		t.Errorf("means: %+v", m)
	}
	in.Further, in.Result.Columns[0].Texts[3] = nil, "WY"
	if m, d := area(in); !reflect.DeepEqual(m.Size, []float64{7, 1, 10}) || !reflect.DeepEqual(m.Label, []string{"06", "WY", "TX"}) || d.Note.Key != "charts.note.spellings" {
		t.Errorf("means without that query: %+v, note %+v", m, d.Note)
	}
}

// A sum that is too large for a number is a gap or a dash, and said to be no zero.
func TestInfiniteSumsAreGaps(t *testing.T) {
	formats := map[string]Format{"v": {Additive: true}}
	in := Input{Config: Config{Type: Bar, Format: formats}, Result: result(texts("k", "a", "b"), floats("v", math.Inf(1), 5))}
	if data := seriesData(t, draw(t, in), 0); data[0].(map[string]any)["label"].(map[string]any)["formatter"] != "—" || data[1] != 5.0 {
		t.Errorf("bars %v", data)
	}
	in.Config.Type, in.Result = StackedBar, result(texts("k", "a", "b"), texts("g", "x", "x"), floats("v", math.Inf(1), 5))
	if data := seriesData(t, draw(t, in), 0); data[0].(map[string]any)["value"] != nil {
		t.Errorf("stack %v", data)
	}
}

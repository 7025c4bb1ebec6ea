package views

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// A question of undo is in words: who did what, and what undo would do.
func TestConflictsAreInWords(t *testing.T) {
	t.Parallel()
	on := func(path, object, left, now, mine string) dashboards.Conflict {
		return dashboards.Conflict{Path: path, User: "Ines Okafor", Object: object, Left: json.RawMessage(left), Now: json.RawMessage(now), Mine: json.RawMessage(mine)}
	}
	gone := on("/widgets/a/title", "Sales", `"Sales"`, "", `"Orders"`)
	gone.Gone = true
	nameless := on("/widgets/a/locked", "", `true`, "", `false`)
	nameless.User = ""
	file := on("/widgets/a/title", "Sales", `"Sales"`, `"Revenue"`, `"Orders"`)
	file.User, file.Program = "", true
	widget := `{"type":"bar","title":"Sales","layout":{"x":0,"y":0,"w":3,"h":9},"query":{"measures":[{"fn":"count"}]}}`
	for want, conflicts := range map[string][]dashboards.Conflict{
		"Ines Okafor renamed “Sales” to “Revenue” since. Undo would name it “Orders” again.":                              {on("/widgets/a/title", "Sales", `"Sales"`, `"Revenue"`, `"Orders"`)},
		"A file or program renamed “Sales” to “Revenue” since. Undo would name it “Orders” again.":                        {file},
		"Ines Okafor changed the filters of “Sales” since. Undo would bring back what you had there.":                     {on("/widgets/a/query/filters", "Sales", `[{"column":"a"}]`, `[{"column":"b"}]`, `[{"column":"c"}]`)},
		"Ines Okafor changed the filters of “Sales” since. Undo would leave that empty again.":                            {on("/widgets/a/query/filters", "Sales", `[{"column":"a"}]`, `[{"column":"b"}]`, ``)},
		"Ines Okafor changed the place and size of “Sales” since. Undo would bring back what you had there.":              {on("/widgets/a/layout", "Sales", `{"x":1}`, `{"x":2}`, `{"x":3}`)},
		"Ines Okafor changed the limit of “Sales” from 5 to 10 since. Undo would set it back to 20.":                      {on("/widgets/a/query/limit", "Sales", `5`, `10`, `20`)},
		"Ines Okafor changed the format of “Sales” since. Undo would bring back what you had there.":                      {on("/widgets/a/format/n/label", "Sales", `"A"`, `"B"`, `"C"`)},
		"Ines Okafor removed “Sales” since. There is nothing left in it to change back.":                                  {gone},
		"Somebody else changed the lock of a widget without a title from on to off since. Undo would set it back to off.": {nameless},
		"Ines Okafor renamed “Sales” to “Rosa bar” since. Undo would remove it.":                                          {on("/widgets/a", "Sales", widget, strings.Replace(widget, "Sales", "Rosa bar", 1), "")},
		"Ines Okafor renamed “Sales” to “X” and changed its type of widget, measures and 2 more since. Undo would remove it.": {on("/widgets/a", "Sales", widget,
			`{"type":"line","title":"X","layout":{"x":1,"y":0,"w":3,"h":9},"format":{"n":{"label":"Rows"}},"query":{"measures":[]}}`, "")},
		"Ines Okafor renamed the dashboard from “A” to “B” since. Undo would name it “C” again.": {on("/name", "", `"A"`, `"B"`, `"C"`)},
		"Ines Okafor put “Sales” back since. Undo would bring back what you had there.":          {on("/widgets/a", "Sales", "", widget, widget)},
		"Ines Okafor renamed “Sales” to “Revenue” and changed its limit since. Undo would bring back what you had there.": {
			on("/widgets/a/title", "Sales", `"Sales"`, `"Revenue"`, `"Orders"`), on("/widgets/a/query/limit", "Sales", `5`, `10`, `20`)},
		"Ines Okafor renamed the filter “Region” to “Area” since. Undo would name it “Place” again.":          {on("/filters/f/label", "Region", `"Region"`, `"Area"`, `"Place"`)},
		"Ines Okafor changed the note of the dashboard from “A” to “B” since. Undo would set it back to “C”.": {on("/settings/note", "", `"A"`, `"B"`, `"C"`)},
	} {
		got := ConflictTexts(t.Context(), conflicts, true)
		if len(got) != 1 || got[0] != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if text := strings.Join(got, ""); strings.ContainsAny(text, `{}[]"`) {
			t.Errorf("JSON is shown: %s", text)
		}
	}
	again := ConflictTexts(t.Context(), []dashboards.Conflict{on("/widgets/a/title", "A", `"A"`, `"B"`, `"C"`), on("/widgets/b/title", "X", `"X"`, `"Y"`, `"Z"`)}, false)
	if want := []string{"Ines Okafor renamed “A” to “B” since. Redo would name it “C” again.", "Ines Okafor renamed “X” to “Y” since. Redo would name it “Z” again."}; !slices.Equal(again, want) {
		t.Errorf("%q", again)
	}
}

func TestWhatAChangeTookThePlaceOfIsInWords(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]dashboards.Overwritten{
		"Ben had named it “B” meanwhile. Your change took its place.":                   {Path: "/widgets/a/title", User: "Ben", Object: "B", Value: json.RawMessage(`"B"`)},
		"Ben had changed the filters of “Sales” meanwhile. Your change took its place.": {Path: "/widgets/a/query/filters", User: "Ben", Object: "Sales", Value: json.RawMessage(`[{"column":"x"}]`)},
		"Ben had set the limit of “Sales” to 10 meanwhile. Your change took its place.": {Path: "/widgets/a/query/limit", User: "Ben", Object: "Sales", Value: json.RawMessage(`10`)},
		"A file or program had changed “Sales” meanwhile. Your change took its place.":  {Path: "/widgets/a", Program: true, Object: "Sales", Value: json.RawMessage(`{}`)},
		"Somebody else had changed “Sales” meanwhile. Your change took its place.":      {Path: "/widgets/a", Object: "Sales", Value: json.RawMessage(`{}`)},
	} {
		if got := OverwrittenText(t.Context(), o); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// Every property of a widget, a filter and a field has a word.
func TestEveryPropertyHasAWord(t *testing.T) {
	t.Parallel()
	var keys func(reflect.Type)
	keys = func(of reflect.Type) {
		for i := range of.NumField() {
			f := of.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous:
				keys(f.Type)
				continue
			case name == "query":
				keys(f.Type)
				continue
			}
			path := "/widgets/a/" + name
			if of == reflect.TypeFor[dashboards.Query]() {
				path = "/widgets/a/query/" + name
			}
			_, _, aspect, _ := dashboards.Conflict{Path: path}.About()
			if aspectName(t.Context(), aspect) == aspectName(t.Context(), "rest") {
				t.Errorf("%s has no word", path)
			}
		}
	}
	keys(reflect.TypeFor[dashboards.Widget]())
	keys(reflect.TypeFor[dashboards.Control]())
	keys(reflect.TypeFor[dashboards.Formula]())
	keys(reflect.TypeFor[dashboards.Settings]())
}

func TestDifferencesTellBothValues(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]dashboards.Difference{
		"Title: from “Sales” to “Revenue”":                  {Aspect: "title", From: json.RawMessage(`"Sales"`), To: json.RawMessage(`"Revenue"`)},
		"Type of widget: from Bar to Line":                  {Aspect: "type", From: json.RawMessage(`"bar"`), To: json.RawMessage(`"line"`)},
		"Measures: from Sum of Amount to Mean of Net sales": {Aspect: "measures", From: json.RawMessage(`[{"fn":"sum","column":"amount"}]`), To: json.RawMessage(`[{"fn":"avg","column":"net_sales"}]`)},
		"Subtitle added: “Daily”":                           {Aspect: "subtitle", To: json.RawMessage(`"Daily"`)},
		"Limit removed: 10":                                 {Aspect: "limit", From: json.RawMessage(`10`)},
		"Filters changed":                                   {Aspect: "filters", From: json.RawMessage(`[{"column":"a"}]`), To: json.RawMessage(`[]`)},
		"Text changed":                                      {Aspect: "text", From: json.RawMessage(`"` + strings.Repeat("long ", 40) + `"`), To: json.RawMessage(`"short"`)},
		"Lock: from off to on":                              {Aspect: "locked", To: json.RawMessage(`true`)},
		"Settings changed":                                  {Aspect: "unheard_of", To: json.RawMessage(`1`)},
	} {
		if got := differenceText(t.Context(), d); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// Nobody reads a place in a query; whoever edits reads which field it is.
func TestSentencesHaveNoPlaceInAQuery(t *testing.T) {
	t.Parallel()
	kind := apperr.Define(apperr.Invalid, "views.test_place", "No.")
	tile := func(draft bool, field, sentence string) *dashboards.Tile {
		return &dashboards.Tile{Type: charts.Bar, Draft: draft, Field: field, Err: kind.With("%s", sentence)}
	}
	for want, got := range map[string]*dashboards.Tile{
		`The dataset "Sales" has no column "x".`:         tile(false, "Margin", `measures[0].numerator: the dataset "Sales" has no column "x".`),
		`Margin: the dataset "Sales" has no column "x".`: tile(true, "Margin", `measures[0]: the dataset "Sales" has no column "x".`),
		`A filter needs a column.`:                       tile(false, "", `filters[2] needs a column.`),
		`The time zone "X" is not known.`:                tile(true, "", `The time zone "X" is not known.`),
	} {
		if text := errorOf(t.Context(), got).Text; text != want {
			t.Errorf("got  %q\nwant %q", text, want)
		}
	}
}

package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

const schemaFile = "../../docs/dashboard-config.schema.json"

func loadSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid asks both the published schema and the program.
func valid(t *testing.T, s *jsonschema.Schema, config []byte) (bySchema, byProgram error) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config))
	if err != nil {
		return err, second(ParseConfig(config))
	}
	return s.Validate(doc), second(ParseConfig(config))
}

func second[T any](_ T, err error) error { return err }

func demoConfigs() map[string]Config {
	all := map[string]Config{}
	for _, d := range DemoFlights(DemoDatasets{Flights: ids.New[ids.Dataset](), Replay: ids.New[ids.Dataset]()}) {
		all[d.Name] = d.Config
	}
	for name, f := range exampleFacts() {
		all["suggested for "+name] = Suggest(f)
	}
	return all
}

func TestOwnConfigsAreValid(t *testing.T) {
	s := loadSchema(t)
	for name, c := range demoConfigs() {
		bySchema, byProgram := valid(t, s, c.JSON())
		if bySchema != nil || byProgram != nil {
			t.Errorf("%s: schema: %v; program: %v", name, bySchema, byProgram)
		}
		again, err := ParseConfig(c.JSON())
		if err != nil || !bytes.Equal(again.JSON(), c.JSON()) {
			t.Errorf("%s: reading and writing changes it: %v", name, err)
		}
		overlap(t, name, c)
	}
}

// overlap finds widgets that lie on each other.
func overlap(t *testing.T, name string, c Config) {
	t.Helper()
	taken := map[[2]int]string{}
	for id, w := range c.Widgets {
		for x := w.Layout.X; x < w.Layout.X+w.Layout.W; x++ {
			for y := w.Layout.Y; y < w.Layout.Y+w.Layout.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s: %s and %s overlap", name, id, other)
				}
				taken[[2]int{x, y}] = id
			}
		}
	}
}

// What the documentation says is an example is one.
func TestDocumentedConfigIsValid(t *testing.T) {
	text, err := os.ReadFile("../../docs/dashboard-config.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```json\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example")
	}
	if bySchema, byProgram := valid(t, loadSchema(t), []byte(example)); bySchema != nil || byProgram != nil {
		t.Errorf("schema: %v; program: %v", bySchema, byProgram)
	}
}

// A config with one widget of every type is taken by schema and program.
func TestEveryTypeIsDocumented(t *testing.T) {
	s := loadSchema(t)
	text, err := os.ReadFile("../../docs/dashboard-config.md")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Schema: Schema, Dataset: ids.New[ids.Dataset](), Widgets: map[string]Widget{}}
	for i, typ := range charts.Types() {
		size := typ.DefaultSize()
		w := Widget{Config: charts.Config{Type: typ}, Title: string(typ), Layout: Layout{0, 20 * i, size.W, size.H}}
		least, _ := typ.Dimensions()
		for n := range least {
			w.Query.Dimensions = append(w.Query.Dimensions, warehouse.Dimension{Column: fmt.Sprint("d", n)})
		}
		if typ.Asks() {
			w.Query.Measures = []warehouse.Measure{{Fn: "count"}}
		}
		if typ == charts.Image {
			w.URL = "/assets/logo.png"
		}
		c.Widgets[string(typ)] = w
		if !strings.Contains(string(text), "`"+string(typ)+"`") {
			t.Errorf("docs/dashboard-config.md does not name %s", typ)
		}
	}
	if bySchema, byProgram := valid(t, s, c.JSON()); bySchema != nil || byProgram != nil {
		t.Errorf("schema: %v; program: %v", bySchema, byProgram)
	}
}

// Schema and program refuse the same.
func TestBrokenConfigsAreRefused(t *testing.T) {
	s := loadSchema(t)
	whole := Config{Schema: Schema, Dataset: ids.New[ids.Dataset](), Widgets: map[string]Widget{"w": {Config: charts.Config{Type: charts.KPI},
		Title: "Rows", Layout: Layout{W: 3, H: 3}, Query: Query{Measures: []warehouse.Measure{{Fn: "count"}}}}}}
	for name, tc := range map[string]struct {
		path   string // dots between keys
		value  any    // nil removes
		notYet bool   // only the program knows
	}{
		"no schema":              {"schema", nil, false},
		"schema 0":               {"schema", 0, false},
		"later schema":           {"schema", 3, false},
		"no widgets":             {"widgets", nil, false},
		"unknown key":            {"colour", "red", false},
		"unknown key of widget":  {"widgets.w.colour", "red", false},
		"unknown key of query":   {"widgets.w.query.sql", "SELECT", false},
		"unknown type":           {"widgets.w.type", "pie", false},
		"far to the right":       {"widgets.w.layout.x", math.MaxInt64, false},
		"no title":               {"widgets.w.title", "", false},
		"long title":             {"widgets.w.title", strings.Repeat("x", 121), false},
		"bad id":                 {"widgets.a b", map[string]any{}, false},
		"outside":                {"widgets.w.layout.x", 12, false},
		"left of the grid":       {"widgets.w.layout.x", -1, false},
		"too wide":               {"widgets.w.layout.x", 10, true},
		"too small":              {"widgets.w.layout.h", 2, false},
		"fraction":               {"widgets.w.layout.h", 3.5, false},
		"columns for a figure":   {"widgets.w.query", map[string]any{"columns": []string{"a"}}, true},
		"no dataset at all":      {"dataset", nil, true},
		"dataset by name":        {"dataset", "flights", false},
		"unknown comparison":     {"settings", map[string]any{"comparison": "decade"}, false},
		"range that is none":     {"settings", map[string]any{"date": map[string]any{"default": "soon"}}, false},
		"zone that is none":      {"settings", map[string]any{"zone": "Mars/Olympus"}, true},
		"filter without column":  {"filters", map[string]any{"f": map[string]any{"label": "F"}}, false},
		"filter without label":   {"filters", map[string]any{"f": map[string]any{"column": "F"}}, false},
		"a list of widgets":      {"widgets", []any{}, false},
		"a title that is number": {"widgets.w.title", 7, false},
		"unknown stack":          {"widgets.w.encode", map[string]any{"stack": "tall"}, false},
		"unknown layer":          {"widgets.w.encode", map[string]any{"layer": "globe"}, false},
		"unknown tone":           {"widgets.w.encode", map[string]any{"thresholds": []any{map[string]any{"from": 1, "tone": "red"}}}, false},
		"thresholds in disorder": {"widgets.w.encode", map[string]any{"thresholds": []any{map[string]any{"from": 2}, map[string]any{"from": 1}}}, true},
		"a line of two kinds":    {"widgets.w.encode", map[string]any{"lines": []any{map[string]any{"value": 1, "average": true}}}, false},
		"a text on a figure":     {"widgets.w.text", "# no", false},
		"a text with a query":    {"widgets.w.type", "text", false},
		"an image elsewhere":     {"widgets.w", map[string]any{"type": "image", "title": "I", "layout": map[string]any{"x": 0, "y": 0, "w": 3, "h": 5}, "url": "https://evil.example/a.png"}, false},
		"an image with a script": {"widgets.w", map[string]any{"type": "image", "title": "I", "layout": map[string]any{"x": 0, "y": 0, "w": 3, "h": 5}, "url": "data:image/svg+xml;base64,AAAA"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var doc map[string]any
			if err := json.Unmarshal(whole.JSON(), &doc); err != nil {
				t.Fatal(err)
			}
			at := doc
			keys := strings.Split(tc.path, ".")
			for _, key := range keys[:len(keys)-1] {
				at = at[key].(map[string]any)
			}
			if tc.value == nil {
				delete(at, keys[len(keys)-1])
			} else {
				at[keys[len(keys)-1]] = tc.value
			}
			config, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			bySchema, byProgram := valid(t, s, config)
			if byProgram == nil {
				t.Error("the program takes it")
			}
			if (bySchema == nil) != tc.notYet {
				t.Errorf("the schema says %v", bySchema)
			}
		})
	}
}

func TestUpcast(t *testing.T) {
	steps := map[int]func(map[string]any) error{
		1: func(doc map[string]any) error { doc["label"] = doc["title"]; delete(doc, "title"); return nil },
		2: func(doc map[string]any) error { doc["big"] = doc["n"]; return nil },
	}
	got, err := upcast([]byte(`{"schema":1,"title":"x","n":12345678901234567890}`), steps)
	if want := `{"big":12345678901234567890,"label":"x","n":12345678901234567890,"schema":3}`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := upcast([]byte(`{"schema":3, "x":1}`), steps); err != nil || string(got) != `{"schema":3, "x":1}` {
		t.Errorf("%s, %v", got, err)
	}
	for text, want := range map[string]error{`{"schema":4}`: ErrConfigTooNew, `{}`: ErrConfig, `{"schema":0}`: ErrConfig, `[`: ErrConfig, `{"schema":"x"}`: ErrConfig} {
		if _, err := upcast([]byte(text), steps); !isKind(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Widgets are read band by band, and within a band column by column.
func TestReadingOrder(t *testing.T) {
	c := Config{Widgets: map[string]Widget{}}
	for id, at := range map[string]Layout{"a": {0, 0, 3, 3}, "b": {0, 3, 3, 3}, "c": {0, 6, 3, 3}, "d": {3, 0, 9, 9}, "e": {0, 9, 6, 8}, "f": {6, 9, 6, 8}, "g": {0, 20, 12, 5}} {
		c.Widgets[id] = Widget{Layout: at}
	}
	if got := strings.Join(c.Order(), ""); got != "abcdefg" {
		t.Errorf("order %q", got)
	}
}

func TestRanges(t *testing.T) {
	today, err := parseDay("2026-03-15")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"1d": "2026-03-15~2026-03-15", "28d": "2026-02-16~2026-03-15", "mtd": "2026-03-01~2026-03-15", "pm": "2026-02-01~2026-02-28",
		"qtd": "2026-01-01~2026-03-15", "ytd": "2026-01-01~2026-03-15", "2024-02-28~2024-03-01": "2024-02-28~2024-03-01",
		"2026-03-02~2026-03-01": "2026-03-01~2026-03-02",
	} {
		r, err := ParseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		days, ok := r.Resolve(today)
		if got := days.From.String() + "~" + days.To.String(); !ok || got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	if r, err := ParseRange("all"); err != nil || r.String() != "all" {
		t.Errorf("%v, %v", r, err)
	} else if _, ok := r.Resolve(today); ok {
		t.Error("all dates have ends")
	}
	for _, bad := range []string{"", "d", "0d", "-3d", "2026-13-01~2026-14-01", "2026-01-01", "~", "100000d"} {
		if _, err := ParseRange(bad); err == nil {
			t.Errorf("%q is a range", bad)
		}
	}
}

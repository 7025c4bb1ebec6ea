package files_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/connectors/files"
	"github.com/dataflowhq/dataflow/platform/records"
)

func TestJSON(t *testing.T) {
	for name, tc := range map[string]struct {
		text    string
		options records.Options
		kind    string
		names   string
		rows    []string
	}{
		"array":              {`[{"a":1,"b":"x"},{"a":2.50,"c":true}]`, records.Options{}, "json", "a|b|c", []string{"1: 1|x|", "1: 2.50||true"}},
		"array over lines":   {"[\n  {\"a\": 1},\n\n  {\"a\": null}\n]\n", records.Options{}, "json", "a", []string{"2: 1", "4: "}},
		"one key around it":  {`{"meta":{"n":2},"rows":[{"a":1},{"a":2}]}`, records.Options{}, "json", "a", []string{"1: 1", "1: 2"}},
		"a choice of keys":   {`{"x":[{"a":1}],"y":[{"b":2},{"b":3}]}`, records.Options{Sheet: "y"}, "json", "b", []string{"1: 2", "1: 3"}},
		"lines":              {"{\"a\":1}\n{\"a\":2}\n", records.Options{}, "ndjson", "a", []string{"1: 1", "2: 2"}},
		"objects in a row":   {"{\n\"a\":1}\n{\n\"a\":2}", records.Options{}, "json", "a", []string{"1: 1", "3: 2"}},
		"one object":         {"{\"a\":1,\n\"b\":[1, 2]}", records.Options{}, "json", "a|b", []string{"1: 1|[1, 2]"}},
		"nested":             {`[{"a":{"b":{"c":{"d":{"e":1}}}},"x":[{"y":1}]}]`, records.Options{}, "json", "a_b_c_d|x", []string{`1: {"e":1}|[{"y":1}]`}},
		"escapes":            {`[{"a":"\u00e9\n\"\\\/\ud83d\ude00"}]`, records.Options{}, "json", "a", []string{"1: é\n\"\\/😀"}},
		"names that collide": {`[{"a.b":1,"a_b":2,"A_B":3}]`, records.Options{}, "json", "a_b|a_b_3|A_B_2", []string{"1: 1|2|3"}},
		"a bad element":      {`[{"a":1},{"a":tru},7,{"a":2}]`, records.Options{}, "json", "a", []string{"1: 1", "1! bad_json", "1! not_an_object", "1: 2"}},
		"a bad line":         {"{\"a\":1}\n{\"a\":\n{\"a\":3}", records.Options{}, "ndjson", "a", []string{"1: 1", "2! bad_json", "3: 3"}},
		"a key twice":        {"{\"a\":1,\"b\":1}\n{\"a\":2,\"b\":2,\"a\":3}\n{\"a\":4}", records.Options{}, "ndjson", "a|b", []string{"1: 1|1", "2! repeated_key", "3: 4|"}},
		"a key twice, empty": {`[{"a":1,"a":null}]`, records.Options{}, "json", "a", []string{"1! repeated_key"}},
		"a key twice within": {`[{"a":{"b":1,"b":2}},{"a":{"b":1},"a":{"c":2}},{"a.b":1,"a":{"b":2}}]`, records.Options{}, "json", "a_b|a_c", []string{"1! repeated_key", "1: 1|2", "1! repeated_key"}},
		"the last of a key":  {`[{"a":1,"a":2}]`, records.Options{RepeatedKeys: "last"}, "json", "a", []string{"1: 2"}},
		"brackets in text":   {`[{"a":"}],{[\\\""},{"a":"x"}]`, records.Options{}, "json", "a", []string{"1: }],{[\\\"", "1: x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := readFile(t, write(t, tc.text), tc.options)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(c.names, "|"); got != tc.names || c.format.Kind != tc.kind {
				t.Errorf("%s with names %s, want %s with %s", c.format.Kind, got, tc.kind, tc.names)
			}
			if got := c.lines(); !reflect.DeepEqual(got, tc.rows) {
				t.Errorf("rows %q, want %q", got, tc.rows)
			}
		})
	}
	for name, tc := range map[string]struct {
		text    string
		options records.Options
		want    error
	}{
		"cut short":         {`[{"a":1},{"a":`, records.Options{}, files.ErrBadJSON},
		"text behind":       {`[{"a":1}] x`, records.Options{}, files.ErrBadJSON},
		"no comma":          {`[{"a":1} {"a":2}]`, records.Options{}, files.ErrBadJSON},
		"an empty list":     {`[]`, records.Options{}, files.ErrNoRecords},
		"unknown key":       {`{"x":[{"a":1}]}`, records.Options{Sheet: "y"}, files.ErrUnknownSheet},
		"a number":          {`7`, records.Options{Kind: "json"}, files.ErrBadJSON},
		"a too long record": {`[{"a":"` + strings.Repeat("x", 5<<20) + `"}]`, records.Options{}, files.ErrLineTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := readFile(t, write(t, tc.text), tc.options); !errors.Is(err, tc.want) {
				t.Fatalf("error %v, want %v", err, tc.want)
			}
		})
	}
}

// TestManyJSONRecords crosses the borders of windows and batches, and compares
// with the standard library.
func TestManyJSONRecords(t *testing.T) {
	var values []map[string]string
	for i := range 20_000 {
		values = append(values, map[string]string{"id": fmt.Sprint(i), "text": strings.Repeat("é\"\\\n", i%9)})
	}
	array, err := json.MarshalIndent(map[string]any{"list": values}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, v := range values {
		line, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	for name, text := range map[string]string{"array": string(array), "lines": lines.String()} {
		t.Run(name, func(t *testing.T) {
			c, err := readFile(t, write(t, text), records.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(c.rows) != len(values) {
				t.Fatalf("%d records, want %d", len(c.rows), len(values))
			}
			for i, r := range c.rows {
				if r.cells[0] != values[i]["id"] || r.cells[1] != values[i]["text"] || r.reason != "" {
					t.Fatalf("record %d is %q", i, r.cells)
				}
			}
			if name == "lines" && c.rows[10].line != 11 {
				t.Errorf("record 11 on line %d", c.rows[10].line)
			}
		})
	}
}

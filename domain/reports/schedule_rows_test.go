package reports

import (
	"maps"
	"reflect"
	"testing"
)

func TestRowsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]map[string]Rows{
		"": nil,
		" \n Ada@Example.org :  region = EMEA , APAC;origin.city = \"Washington, DC\" \n": {
			"ada@example.org": {"region": {"EMEA", "APAC"}, "origin.city": {"Washington, DC"}}},
		`a@b.c: x = "", "say ""so""", " y ", 1, 1;` + "\nd@e.f: x = a=b": {
			"a@b.c": {"x": {"", `say "so"`, " y ", "1"}}, "d@e.f": {"x": {"a=b"}}},
		"a@b.c: region: South, EMEA; tier = gold": {"a@b.c": {"region": {"South", "EMEA"}, "tier": {"gold"}}},
		"a@b.c: region: a=b; x = c:d":             {"a@b.c": {"region": {"a=b"}, "x": {"c:d"}}},
		`a@b.c: "in: a=b" = 1; "say ""x""": 2`:    {"a@b.c": {"in: a=b": {"1"}, `say "x"`: {"2"}}},
	} {
		got, err := parseRows(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		written := ""
		for who, rows := range got {
			written += who + ": " + rows.String() + "\n"
		}
		if again, err := parseRows(written); err != nil || !maps.EqualFunc(again, got, func(a, b Rows) bool { return reflect.DeepEqual(a, b) }) {
			t.Errorf("%q is read as %v, %v", written, again, err)
		}
	}
}

package warehouse

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func namesOf(found FoundValues) []string {
	var names []string
	for _, v := range found.Values {
		names = append(names, v.Value)
	}
	return names
}

func TestValuesAreFoundAsOneTypes(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("cities", "city text, n integer",
		`SELECT * FROM (VALUES ('Zürich', 1), ('zurich west', 2), ('New York', 3), ('New York', 4), ('York', 5), ('Łódź', 6), (NULL, 7), ('', 8), ('ÅRHUS', 9), ('100%', 10)) AS v(city, n)`,
		`SELECT * FROM (VALUES ('York', 11), ('York', 12), ('Straße', 13)) AS v(city, n)`)
	e := f.engine()
	for term, want := range map[string][]string{
		"york":   {"York", "New York"}, // begins with it first
		"YORK":   {"York", "New York"},
		"zur":    {"Zürich", "zurich west"},
		"zür":    {"Zürich", "zurich west"},
		"lodz":   {"Łódź"},
		"arhus":  {"ÅRHUS"},
		"strass": {"Straße"},
		"0%":     {"100%"},
		"nobody": nil,
		"\xff":   {"York", "New York", "", "100%", "ÅRHUS", "Łódź", "Straße", "Zürich", "zurich west"},
	} {
		found, err := e.SearchValues(t.Context(), Query{Spec: Spec{Dataset: "cities"}, Dataset: ds}, "city", term, 20)
		if err != nil {
			t.Fatal(err)
		}
		got := namesOf(found)
		if term == "\xff" {
			slices.Sort(got[2:])
			want = append(want[:2:2], slices.Sorted(slices.Values(want[2:]))...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", term, got, want)
		}
		if found.Nulls != 1 || found.More {
			t.Errorf("%q: nulls %d, more %v", term, found.Nulls, found.More)
		}
	}
	found, err := e.SearchValues(t.Context(), Query{Spec: Spec{Dataset: "cities"}, Dataset: ds}, "city", "", 1)
	if err != nil || !found.More || found.Values[0] != (ValueCount{"York", 3}) {
		t.Errorf("got %+v, %v; want York with 3 rows and more", found, err)
	}
	found, err = e.SearchValues(t.Context(), Query{Spec: Spec{Dataset: "cities"}, Dataset: ds}, "n", "1", 2)
	if err != nil || !slices.Equal(namesOf(found), []string{"1", "10"}) {
		t.Errorf("numbers: got %q, %v", namesOf(found), err)
	}
}

// What a rule hides must not be found, nor be left over from somebody without it.
func TestValuesFollowRulesAndFilters(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("sales", "region text, city text",
		`SELECT * FROM (VALUES ('North', 'Leeds'), ('North', 'York'), ('South', 'Bath')) AS v(region, city)`)
	e := f.engine()
	north := []Filter{{Column: "region", Op: "=", Values: []json.RawMessage{json.RawMessage(`"North"`)}}}
	for name, tc := range map[string]struct {
		q    Query
		want []string
	}{
		"all":      {Query{Spec: Spec{Dataset: "sales"}, Dataset: ds}, []string{"Bath", "Leeds", "York"}},
		"a rule":   {Query{Spec: Spec{Dataset: "sales"}, Dataset: ruled(ds, north...)}, []string{"Leeds", "York"}},
		"a filter": {Query{Spec: Spec{Dataset: "sales", Filters: north}, Dataset: ds}, []string{"Leeds", "York"}},
	} {
		found, err := e.SearchValues(t.Context(), tc.q, "city", "", 10)
		if err != nil || !slices.Equal(namesOf(found), tc.want) {
			t.Errorf("%s: got %q, %v; want %q", name, namesOf(found), err, tc.want)
		}
	}
	files, err := filepath.Glob(filepath.Join(e.cfg.Dir, "values", "*.values"))
	if err != nil || len(files) != 1 {
		t.Errorf("%d files, %v; only the index of all rows is kept as one", len(files), err)
	}
}

func TestValuesOutliveTheirEngine(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("many", "name text", `SELECT 'Name ' || i AS name FROM range(5000) AS r(i)`)
	e := f.engine()
	if _, err := e.SearchValues(t.Context(), Query{Spec: Spec{Dataset: "many"}, Dataset: ds}, "name", "", 1); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(e.cfg.Dir, "values", "*.values"))
	if len(files) != 1 {
		t.Fatalf("%d files", len(files))
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	x, err := decodeIndex(whole)
	if err != nil {
		t.Fatal(err)
	}
	if got := namesOf(x.search("name 4999", 5)); !slices.Equal(got, []string{"Name 4999"}) {
		t.Errorf("got %q", got)
	}
	// A file that was cut or changed is no file.
	changed := slices.Clone(whole)
	changed[len(changed)/2] ^= 1
	for name, data := range map[string][]byte{"empty": nil, "cut": whole[:len(whole)-9], "changed": changed} {
		if _, err := decodeIndex(data); err == nil {
			t.Errorf("%s: read", name)
		}
		if err := os.WriteFile(files[0], data, 0o600); err != nil {
			t.Fatal(err)
		}
		next := f.engine()
		found, err := next.SearchValues(t.Context(), Query{Spec: Spec{Dataset: "many"}, Dataset: ds}, "name", "4999", 5)
		if err != nil || !slices.Equal(namesOf(found), []string{"Name 4999"}) {
			t.Errorf("%s: got %q, %v", name, namesOf(found), err)
		}
	}
	if err := sweepIndexes(filepath.Dir(files[0]), 10); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(files[0]), "*")); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
}

// Who types on gives up; the index is built all the same.
func TestValuesAreBuiltToTheEnd(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("typed", "name text", `SELECT 'x' AS name`)
	e := f.engine()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.SearchValues(gone, Query{Spec: Spec{Dataset: "typed"}, Dataset: ds}, "name", "", 1); err == nil {
		t.Log("built before the caller was gone")
	}
	found, err := e.SearchValues(t.Context(), Query{Spec: Spec{Dataset: "typed"}, Dataset: ds}, "name", "", 1)
	if err != nil || len(found.Values) != 1 {
		t.Errorf("got %+v, %v", found, err)
	}
}

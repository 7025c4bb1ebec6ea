package datasets_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

func raws(values ...string) []json.RawMessage {
	out := make([]json.RawMessage, len(values))
	for i, v := range values {
		out[i] = json.RawMessage(v)
	}
	return out
}

// ruled is a dataset of six people in three regions that looks the regions up.
func ruled(t *testing.T, r *rig) (people, regions ids.Dataset) {
	t.Helper()
	regions = r.load(t, "regions", datasets.Replace, "code,country\nE,Spain\nF,France\nG,Ghana\n", datasets.Choices{}).Dataset
	people = r.load(t, "people", datasets.Replace, "name,region,age\nana,E,31\nben,E,42\ncai,F,53\ndee,F,64\neva,G,75\nfay,,86\n", datasets.Choices{}).Dataset
	if err := r.AddLookup(t.Context(), r.actor, people, datasets.NewLookup{Name: "where", Column: "region", Target: regions.String(), Key: "code"}); err != nil {
		t.Fatal(err)
	}
	return people, regions
}

func (r *rig) save(t *testing.T, id ids.Dataset, rule datasets.Rule) ids.Rule {
	t.Helper()
	rule.Everybody = len(rule.For) == 0
	if rule.Name == "" {
		rule.Name = "rule"
	}
	saved, err := r.SaveRule(t.Context(), r.admin(), id, rule)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func (r *rig) console() access.Actor {
	return access.Actor{Kind: access.Console, TenantID: r.actor.TenantID}
}

func (r *rig) admin() access.Actor {
	return access.Actor{Kind: access.Person, TenantID: r.actor.TenantID, UserID: ids.New[ids.User](), Role: access.Admin}
}

func (r *rig) reader(attributes map[string][]string, groups ...ids.Group) access.Actor {
	return access.Actor{Kind: access.Person, TenantID: r.actor.TenantID, UserID: ids.New[ids.User](), Role: access.Viewer, Attributes: attributes, Groups: groups}
}

// names are those that somebody sees, in order.
func (r *rig) names(t *testing.T, as access.Actor, id ids.Dataset) string {
	t.Helper()
	result, err := r.Query(t.Context(), as, datasets.QueryRequest{Exact: true, Spec: warehouse.Spec{Dataset: id.String(), Columns: []string{"name"},
		Order: []warehouse.Order{{By: "name"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(result.Columns[0].Texts, " ")
}

// TestWhatRulesLeave asks as people with different attributes, roles and groups.
func TestWhatRulesLeave(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, regions := ruled(t, r)
	all := "ana ben cai dee eva fay"
	own := map[string][]string{"region": {"E"}, "country": {"France"}, "age": {"53"}, "none": {"x"}, "two": {"E", "G"}}
	attribute := func(name string) []json.RawMessage { return []json.RawMessage{datasets.AttributeValue(name)} }
	for name, tc := range map[string]struct {
		p    datasets.Predicate
		want string
	}{
		"in":                         {datasets.Predicate{Column: 2, Op: "in", Values: attribute("region")}, "ana ben"},
		"several values":             {datasets.Predicate{Column: 2, Op: "in", Values: attribute("two")}, "ana ben eva"},
		"a value and an attribute":   {datasets.Predicate{Column: 2, Op: "in", Values: append(raws(`"F"`), attribute("region")...)}, "ana ben cai dee"},
		"not in":                     {datasets.Predicate{Column: 2, Op: "not_in", Values: attribute("region")}, "cai dee eva fay"},
		"not in, without":            {datasets.Predicate{Column: 2, Op: "not_in", Values: attribute("team")}, ""},
		"in, without":                {datasets.Predicate{Column: 2, Op: "in", Values: append(raws(`"F"`), attribute("team")...)}, ""},
		"a number":                   {datasets.Predicate{Column: 3, Op: ">", Values: attribute("age")}, "dee eva fay"},
		"no number":                  {datasets.Predicate{Column: 3, Op: ">", Values: attribute("none")}, ""},
		"not in, no number":          {datasets.Predicate{Column: 3, Op: "not_in", Values: attribute("none")}, ""},
		"one of several is compared": {datasets.Predicate{Column: 2, Op: ">=", Values: attribute("two")}, ""},
		"empty":                      {datasets.Predicate{Column: 2, Op: "is_empty"}, "fay"},
		"through a lookup":           {datasets.Predicate{Column: 2, Lookup: "where", Op: "in", Values: attribute("country")}, "cai dee"},
	} {
		rule := r.save(t, id, datasets.Rule{Kind: datasets.RuleRows, RuleBody: datasets.RuleBody{Predicates: []datasets.Predicate{tc.p}}})
		if got := r.names(t, r.reader(own), id); got != tc.want {
			t.Errorf("%s: %q is seen, want %q", name, got, tc.want)
		}
		if got := r.names(t, r.console(), id); got != all {
			t.Errorf("%s: the console sees %q", name, got)
		}
		if err := r.RemoveRule(t.Context(), r.admin(), id, rule); err != nil {
			t.Fatal(err)
		}
		if got := r.names(t, r.reader(own), id); got != all {
			t.Errorf("%s: without the rule %q is seen", name, got)
		}
	}
	// Whom a rule is for, and whom it excepts.
	adults := datasets.RuleBody{Predicates: []datasets.Predicate{{Column: 3, Op: ">", Values: raws("60")}}}
	rule := r.save(t, id, datasets.Rule{Kind: datasets.RuleRows, RuleBody: adults, For: []datasets.RuleSubject{{Role: access.Editor}}})
	editor := r.reader(own)
	editor.Role = access.Editor
	for who, tc := range map[string]struct {
		as   access.Actor
		want string
	}{"a viewer": {r.reader(own), all}, "an editor": {editor, "dee eva fay"}, "an admin, whom nothing excepts": {r.admin(), "dee eva fay"}} {
		if got := r.names(t, tc.as, id); got != tc.want {
			t.Errorf("%s sees %q, want %q", who, got, tc.want)
		}
	}
	if _, err := r.SaveRule(t.Context(), r.admin(), id, datasets.Rule{ID: rule, Kind: datasets.RuleRows, Name: "rule", Everybody: true, RuleBody: adults,
		Except: []datasets.RuleSubject{{Role: access.Admin}}}); err != nil {
		t.Fatal(err)
	}
	second := r.save(t, id, datasets.Rule{Kind: datasets.RuleRows, Name: "second", RuleBody: datasets.RuleBody{Predicates: []datasets.Predicate{{Column: 2, Op: "in", Values: raws(`"F"`, `"G"`)}}}})
	if a, b := r.names(t, r.admin(), id), r.names(t, r.reader(nil), id); a != "cai dee eva" || b != "dee eva" {
		t.Errorf("an excepted admin sees %q, and two rules leave %q", a, b)
	}
	// What a lookup leads to has rules of its own.
	r.save(t, regions, datasets.Rule{Kind: datasets.RuleRows, RuleBody: datasets.RuleBody{Predicates: []datasets.Predicate{{Column: 2, Op: "in", Values: raws(`"France"`)}}}})
	result, err := r.Query(t.Context(), r.reader(nil), datasets.QueryRequest{Exact: true, Spec: warehouse.Spec{Dataset: id.String(), Columns: []string{"name", "where.country"},
		Order: []warehouse.Order{{By: "name"}}}})
	if err != nil || result.Rows != 2 || !result.Columns[1].IsNull(1) || result.Columns[1].Texts[0] != "France" {
		t.Errorf("through a lookup: %+v, %v", result, err)
	}
	if err := r.RemoveLookup(t.Context(), r.console(), id, "where"); err != nil {
		t.Fatal(err)
	}
	if err := r.RemoveRule(t.Context(), r.admin(), id, second); err != nil {
		t.Fatal(err)
	}
}

// TestRulesOutliveTheirColumns: renaming changes no rule, and where a column is
// gone nothing is shown rather than everything.
func TestRulesOutliveTheirColumns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, _ := ruled(t, r)
	r.save(t, id, datasets.Rule{Kind: datasets.RuleRows, RuleBody: datasets.RuleBody{Predicates: []datasets.Predicate{{Column: 2, Op: "in", Values: raws(`"E"`)}}}})
	r.save(t, id, datasets.Rule{Kind: datasets.RuleColumn, Name: "mask", RuleBody: datasets.RuleBody{Column: 3, Mask: datasets.Mask{Kind: warehouse.MaskRange, Width: 10}}})
	swap := func(column int32, name string) {
		t.Helper()
		if err := r.EditColumn(t.Context(), r.console(), id, column, datasets.ColumnEdit{Name: &name}); err != nil {
			t.Fatal(err)
		}
	}
	swap(2, "old")
	swap(1, "region")
	swap(2, "name") // each has the name of the other now
	result, err := r.Query(t.Context(), r.reader(nil), datasets.QueryRequest{Exact: true, Spec: warehouse.Spec{Dataset: id.String(), Columns: []string{"region", "age"},
		Order: []warehouse.Order{{By: "region"}}}})
	if err != nil || strings.Join(result.Columns[0].Texts, " ") != "ana ben" || result.Columns[1].Ints[0] != 30 || result.Columns[1].Ints[1] != 40 {
		t.Fatalf("%+v, %v", result, err)
	}
	for _, column := range []int32{2, 3} {
		wantError(t, r.DropColumn(t.Context(), r.console(), id, column), datasets.ErrInUse)
	}
	// A load makes other columns of them.
	_, err = r.ImportFile(t.Context(), r.console(), datasets.ImportRequest{Path: write(t, "file.csv", "region,name,age\nana,1,31 years\nben,2,42 years\n"), Dataset: "people", Mode: datasets.Replace})
	if err != nil {
		t.Fatal(err)
	}
	result, err = r.Query(t.Context(), r.reader(nil), datasets.QueryRequest{Exact: true, Spec: warehouse.Spec{Dataset: id.String(), Measures: []warehouse.Measure{{Fn: "count", As: "n"}}}})
	if err == nil && result.Columns[0].Ints[0] != 0 {
		t.Errorf("after a load %d rows are seen", result.Columns[0].Ints[0])
	}
}

// TestLimitedSeeNoFigures: profiles, lists and versions tell nothing of rows that
// are not seen.
func TestLimitedSeeNoFigures(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, _ := ruled(t, r)
	if _, err := r.Profile(t.Context(), r.actor, id); err != nil { // kept from now on
		t.Fatal(err)
	}
	r.save(t, id, datasets.Rule{Kind: datasets.RuleRows, RuleBody: datasets.RuleBody{Predicates: []datasets.Predicate{{Column: 2, Op: "in", Values: raws(`"E"`)}}}})
	r.save(t, id, datasets.Rule{Kind: datasets.RuleColumn, Name: "mask", RuleBody: datasets.RuleBody{Column: 3, Mask: datasets.Mask{Kind: warehouse.MaskHidden}}})
	as := r.reader(nil)
	d, err := r.Get(t.Context(), as, id)
	if err != nil || d.Rows != datasets.Withheld || len(d.Columns) != 2 || d.Sees == "" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, known, err := r.KnownProfile(t.Context(), as, d); err != nil || known {
		t.Errorf("a kept profile: %t, %v", known, err)
	}
	unlimited := d
	unlimited.Sees = ""
	if _, known, err := r.KnownProfile(t.Context(), as, unlimited); err != nil || known {
		t.Errorf("a kept profile, asked with what is not so: %t, %v", known, err)
	}
	p, err := r.Profile(t.Context(), as, id)
	if err != nil || p.Rows != 2 || len(p.Columns) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	text, err := json.Marshal(p)
	if err != nil || strings.Contains(string(text), "cai") || strings.Contains(string(text), `"F"`) || !strings.Contains(string(text), "ana") {
		t.Errorf("%s %v", text, err)
	}
	versions, err := r.ListVersions(t.Context(), as, id, 5)
	if err != nil || len(versions) == 0 || versions[0].Rows != datasets.Withheld || versions[0].Bytes != datasets.Withheld {
		t.Errorf("%+v, %v", versions, err)
	}
	list, err := r.List(t.Context(), as)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range list {
		if one.ID == id && one.Rows != datasets.Withheld {
			t.Errorf("the list tells of %d rows", one.Rows)
		}
	}
	found, err := r.Search(t.Context(), as, "age", 5)
	if err != nil || len(found.Columns) != 0 {
		t.Errorf("a hidden column is found: %+v, %v", found, err)
	}
	preview, err := r.Preview(t.Context(), as, id, 10)
	if err != nil || preview.Rows != 2 || len(preview.Columns) != 2 {
		t.Errorf("%+v, %v", preview, err)
	}
	editor := as
	editor.Role = access.Editor
	wantError(t, r.RemoveLookup(t.Context(), editor, id, "where"), datasets.ErrLimited)
	_, err = r.ListLoads(t.Context(), editor, id, 5)
	wantError(t, err, datasets.ErrLimited)
	covered, err := r.TryRule(t.Context(), r.admin(), id, datasets.Rule{}, as)
	if err != nil || covered != (datasets.Coverage{Seen: 2, All: 6}) {
		t.Errorf("%+v, %v", covered, err)
	}
	held, err := r.HeldRules(t.Context(), as, id)
	if err != nil || len(held) != 2 || held[0].Predicate != `region in ("E")` {
		t.Errorf("%+v, %v", held, err)
	}
}

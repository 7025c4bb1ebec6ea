package warehouse

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// ruled is a dataset under rules on its rows.
func ruled(ds *Dataset, rules ...Filter) *Dataset {
	return withPolicy(ds, Policy{Rows: rowRulesOf(ds, rules...)})
}

func withPolicy(ds *Dataset, p Policy) *Dataset {
	changed := *ds
	changed.Policy = NewPolicy(p)
	return &changed
}

// rowRulesOf are filters as rules, which name columns by id; those of columns
// that are not there get an id that is not either.
func rowRulesOf(ds *Dataset, filters ...Filter) []RowRule {
	var rules []RowRule
	for i, f := range filters {
		rule := RowRule{Name: fmt.Sprintf("rule %d", i), Column: 999, Filter: f}
		columns, name := ds.Columns, f.Column
		if lookup, rest, dotted := strings.Cut(f.Column, "."); dotted {
			rule.Lookup, columns, name = lookup, ds.Lookups[lookup].Target.Columns, rest
		}
		if c := findColumn(columns, name); c != nil {
			rule.Column = c.ID
		}
		rules = append(rules, rule)
	}
	return rules
}

// TestRandomRules answers random specs under random rules and masks, on the
// dataset and on the one that it looks up in, and compares with PostgreSQL,
// whose tables are views that the rules made smaller.
func TestRandomRules(t *testing.T) {
	rnd := rand.New(rand.NewPCG(*randomSeed, 77))
	w := newWorld(t, rnd)
	target := w.ds.Lookups["home"].Target
	exec := func(sql string) {
		t.Helper()
		if _, err := w.pg.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%v\n%s", err, sql)
		}
	}
	exec("CREATE SCHEMA seen")
	kinds := map[string]int{}
	withRows, sets := 0, max(*randomSpecs/10, 1)
	for set := range sets {
		g := &specGenerator{rnd: rand.New(rand.NewPCG(*randomSeed, uint64(set)+10_000)), kinds: kinds}
		rule := func(of func(string) bool) Filter {
			for {
				f := g.filter()
				if of(f.Column) && f.Grain == "" && f.Bin == 0 && !slices.Contains([]string{"last", "this", "previous"}, f.Op) {
					return f
				}
			}
		}
		var own, theirs []Filter
		for range pick(g, 1, 1, 2) {
			own = append(own, rule(func(string) bool { return true }))
		}
		if g.chance(2) {
			theirs = append(theirs, rule(func(c string) bool { return strings.HasPrefix(c, "home.") }))
		}
		base := &reference{spec: &Spec{Timezone: "UTC"}, ds: w.ds, now: w.now}
		masks, columns := map[int32]Mask{}, "t.*"
		ds := *w.ds
		ds.Columns = slices.Clone(w.ds.Columns)
		if g.chance(2) {
			columns, masks = maskedColumns(&ds)
		}
		home := *target
		home.Policy = NewPolicy(Policy{Rows: rowRulesOf(target, unprefixed(theirs)...)})
		bound := *w.ds
		bound.Lookups = map[string]Lookup{"home": {Column: 6, Key: 1, Target: &home}}
		bound.Policy = NewPolicy(Policy{Rows: rowRulesOf(w.ds, own...), Columns: masks})

		exec("SET search_path = public")
		exec("DROP VIEW IF EXISTS seen.facts; DROP VIEW IF EXISTS seen.cities")
		exec("CREATE VIEW seen.facts AS SELECT " + columns + " FROM public.facts t LEFT JOIN public.cities l ON l.code = t.code WHERE " + base.where(own, nil))
		exec("CREATE VIEW seen.cities AS SELECT l.* FROM public.cities l WHERE " + base.where(theirs, nil))
		exec("SET search_path = seen")
		for i := range 10 {
			spec := g.spec()
			text, err := json.Marshal(spec)
			if err != nil {
				t.Fatal(err)
			}
			q := Query{Spec: mustSpec(t, string(text)), Dataset: &bound, Now: w.now}
			got, err := w.engine.Run(t.Context(), q)
			if err != nil {
				t.Fatalf("set %d, spec %d: %v\n%s", set, i, err, text)
			}
			ref := &reference{spec: &spec, ds: &ds, now: w.now}
			sql := ref.sql()
			want, err := w.reference(t.Context(), sql)
			if err != nil {
				t.Fatalf("set %d, spec %d: %v\n%s\n%s", set, i, err, text, sql)
			}
			if diff := compareRows(got, want, ref.ordered); diff != "" {
				x, _ := w.engine.Explain(t.Context(), q)
				rules, _ := json.Marshal([]any{bound.Policy, home.Policy})
				t.Errorf("set %d, spec %d: %s\nrules: %s\nspec: %s\nPostgreSQL: %s\nDuckDB: %s", set, i, diff, rules, text, sql, x.SQL)
			}
			if got.Rows > 0 {
				withRows++
			}
		}
	}
	if withRows < sets*3 {
		t.Errorf("only %d of %d answers have rows: the rules leave too little", withRows, sets*10)
	}
}

func unprefixed(filters []Filter) []Filter {
	out := slices.Clone(filters)
	for i := range out {
		out[i].Column = strings.TrimPrefix(out[i].Column, "home.")
	}
	return out
}

// maskedColumns are the columns of facts as PostgreSQL shows them masked, and
// the masks. The types of ds become those of what is seen.
func maskedColumns(ds *Dataset) (sql string, masks map[int32]Mask) {
	hash := func(x string) string {
		digest := func(x string) string { return "encode(sha256(convert_to('k' || " + x + ", 'UTF8')), 'hex')" }
		return "left(" + digest(digest(x)) + `, 16) COLLATE "C"`
	}
	seen := map[string]string{
		"city": `(CASE WHEN length(t.city) > 2 THEN '•••' || right(t.city, 2) WHEN t.city IS NOT NULL THEN '•••' END) COLLATE "C"`,
		"n":    "(floor(t.n / 10.0) * 10)::bigint", "x": "floor(t.x / 50) * 50", "price": "(floor(t.price / 25) * 25)::float8",
		"day": "date_trunc('year', t.day)::date", "ok": "NULL::boolean",
	}
	masks = map[int32]Mask{5: {Kind: MaskLast, Keep: 2}, 7: {Kind: MaskRange, Width: 10}, 8: {Kind: MaskRange, Width: 50}, 9: {Kind: MaskRange, Width: 25},
		4: {Kind: MaskYear}, 10: {Kind: MaskNull}}
	if ds.Version%2 == 0 {
		seen["city"], masks[5] = hash("t.city"), Mask{Kind: MaskHash, Secret: "k"}
	}
	var columns []string
	policy := NewPolicy(Policy{Columns: masks})
	for i, c := range ds.Columns {
		x, masked := seen[c.Name]
		if !masked {
			x = "t." + c.Name
		}
		columns = append(columns, x+" AS "+c.Name)
		ds.Columns[i], _ = policy.Seen(c)
	}
	return strings.Join(columns, ", "), masks
}

// TestHiddenColumns: a column that is hidden is not there, under any name, nor
// what it joins, and nothing is suggested that is it.
func TestHiddenColumns(t *testing.T) {
	f := newFixture(t)
	ds := goldenDataset(f)
	ds.Fields = map[string]string{"who": "upper([customer])", "cost": "[amount] * 2"}
	target := *ds.Lookups["buyer"].Target
	target.Policy = NewPolicy(Policy{Columns: map[int32]Mask{2: {Kind: MaskHidden}}})
	e := f.engine()
	hidden := withPolicy(ds, Policy{Columns: map[int32]Mask{3: {Kind: MaskHidden}}})
	behind := *ds
	behind.Lookups = map[string]Lookup{"buyer": {Column: 3, Key: 1, Target: &target}}
	for name, tc := range map[string]struct {
		ds   *Dataset
		spec string
	}{
		"dimension":           {hidden, `{"dataset":"d","dimensions":[{"column":"customer"}],"measures":[{"fn":"count"}]}`},
		"measure":             {hidden, `{"dataset":"d","measures":[{"fn":"max","column":"customer"}]}`},
		"filter":              {hidden, `{"dataset":"d","measures":[{"fn":"count"}],"filters":[{"column":"customer","op":"=","values":["ann"]}]}`},
		"filter of a measure": {hidden, `{"dataset":"d","measures":[{"fn":"count","filters":[{"column":"customer","op":"=","values":["ann"]}]}]}`},
		"plain row":           {hidden, `{"dataset":"d","columns":["customer"]}`},
		"order":               {hidden, `{"dataset":"d","columns":["items"],"order":[{"by":"customer"}]}`},
		"field of the spec":   {hidden, `{"dataset":"d","fields":{"f":"lower([customer])"},"columns":["f"]}`},
		"field":               {hidden, `{"dataset":"d","columns":["who"]}`},
		"what it joins":       {hidden, `{"dataset":"d","columns":["buyer.city"]}`},
		"of a lookup":         {&behind, `{"dataset":"d","dimensions":[{"column":"buyer.city"}],"measures":[{"fn":"count"}]}`},
		"a name like it":      {hidden, `{"dataset":"d","columns":["custome"]}`},
	} {
		_, err := e.Run(t.Context(), Query{Spec: mustSpec(t, tc.spec), Dataset: tc.ds})
		if c := code(err); c != "query.unknown_column" && c != "query.unknown_lookup" && !strings.HasPrefix(c, "expression.unknown") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "a name like it" && (err == nil || strings.Contains(err.Error(), "customer")) {
			t.Errorf("%s is suggested: %v", name, err)
		}
	}
	if got := run(t, e, &behind, `{"dataset":"d","columns":["buyer.since"],"order":[{"by":"buyer.since"}],"limit":1}`); !strings.Contains(got, "2020-01-01") {
		t.Errorf("the other columns of a lookup: %s", got)
	}
	if got := run(t, e, hidden, `{"dataset":"d","columns":["cost"],"order":[{"by":"cost"}],"limit":1}`); !strings.Contains(got, "[[2.00]]") {
		t.Errorf("another field: %s", got)
	}
	found, err := e.SearchValues(t.Context(), Query{Spec: Spec{Dataset: "d"}, Dataset: hidden}, "customer", "", 5)
	if code(err) != "query.unknown_column" {
		t.Errorf("values: %v, %v", found, err)
	}
}

// TestHiddenTimeIsNoOrder: rows are not ordered by a time that is hidden, and
// relative dates do not count from a row that is not seen.
func TestHiddenTimeIsNoOrder(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("log", "at timestamp, who text", `SELECT * FROM (VALUES
		(TIMESTAMP '2024-03-01 10:00:00', 'me'), (TIMESTAMP '2024-03-02 10:00:00', 'me'), (TIMESTAMP '2024-06-01 10:00:00', 'you')) v("at", who)`)
	ds.TimeColumn, ds.RelativeToNewest = 1, true
	e := f.engine()
	mine := ruled(ds, Filter{Column: "who", Op: "=", Values: raws(`"me"`)})
	if got := run(t, e, mine, `{"dataset":"d","measures":[{"fn":"count","as":"n"}],"filters":[{"column":"at","op":"last","n":1,"unit":"day"}]}`); !strings.Contains(got, "[[1]]") || strings.Contains(got, "2024-06") {
		t.Errorf("the newest row that is seen: %s", got)
	}
	hidden := withPolicy(ds, Policy{Columns: map[int32]Mask{1: {Kind: MaskHidden}}})
	x, err := e.Explain(t.Context(), Query{Spec: mustSpec(t, `{"dataset":"d","columns":["who"]}`), Dataset: hidden})
	if err != nil || strings.Contains(x.SQL, "c1") {
		t.Errorf("%s %v", x.SQL, err)
	}
}

// TestPseudonyms: equal values look equal, nobody finds them by guessing, and
// what they are made with is not shown.
func TestPseudonyms(t *testing.T) {
	f := newFixture(t)
	ds := goldenDataset(f)
	e := f.engine()
	spec := `{"dataset":"d","dimensions":[{"column":"customer","as":"c"}],"measures":[{"fn":"count","as":"n"}],"order":[{"by":"c"}]}`
	masked := withPolicy(ds, Policy{Columns: map[int32]Mask{3: {Kind: MaskHash, Secret: "very secret"}}})
	other := withPolicy(ds, Policy{Columns: map[int32]Mask{3: {Kind: MaskHash, Secret: "other secret"}}})
	one, two := run(t, e, masked, spec), run(t, e, other, spec)
	if one == two || strings.Contains(one, "ann") || strings.Count(one, "],[") != strings.Count(run(t, e, ds, spec), "],[") {
		t.Errorf("%s\n%s", one, two)
	}
	x, err := e.Explain(t.Context(), Query{Spec: mustSpec(t, spec), Dataset: masked})
	if err != nil || strings.Contains(x.SQL, "very secret") || !strings.Contains(x.SQL, "sha256") {
		t.Errorf("%s %v", x.SQL, err)
	}
	if got := run(t, e, masked, `{"dataset":"d","measures":[{"fn":"count","as":"n"}],"filters":[{"column":"customer","op":"=","values":["ann"]}]}`); !strings.Contains(got, "[[0]]") {
		t.Errorf("a filter compares with what is seen: %s", got)
	}
	if _, err := e.Run(t.Context(), Query{Spec: mustSpec(t, `{"dataset":"d","columns":["buyer.city"]}`), Dataset: masked}); code(err) != "query.unknown_lookup" {
		t.Errorf("a lookup by a pseudonym: %v", err)
	}
}

// TestRulesSeeWhatIsHidden: a rule compares the column itself, and all rows of a
// lookup, whatever is seen of them.
func TestRulesSeeWhatIsHidden(t *testing.T) {
	f := newFixture(t)
	ds := goldenDataset(f)
	e := f.engine()
	target := *ds.Lookups["buyer"].Target
	// Nobody from York is seen among the customers.
	target.Policy = NewPolicy(Policy{Rows: rowRulesOf(&target, Filter{Column: "city", Op: "!=", Values: raws(`"York"`)}), Columns: map[int32]Mask{2: {Kind: MaskNull}}})
	bound := *ds
	bound.Lookups = map[string]Lookup{"buyer": {Column: 3, Key: 1, Target: &target}}
	// Without its row bob's city looks empty, and must still be York to a rule.
	bound.Policy = NewPolicy(Policy{Rows: rowRulesOf(ds, Filter{Column: "buyer.city", Op: "!=", Values: raws(`"York"`)})})
	got := run(t, e, &bound, `{"dataset":"d","dimensions":[{"column":"customer","as":"c"}],"measures":[{"fn":"count","as":"n"}],"order":[{"by":"c"}]}`)
	if strings.Contains(got, "bob") || !strings.Contains(got, "ann") {
		t.Error(got)
	}
	// A lookup that a rule needs and that is not there keeps nothing.
	bound.Lookups = nil
	if got := run(t, e, &bound, countSpec); !strings.Contains(got, "[[0]]") {
		t.Errorf("without the lookup: %s", got)
	}
	// The zone of a question does not move a rule.
	at := ruled(ds, Filter{Column: "at", Op: ">=", Values: raws(`"2024-07-01"`)})
	want := run(t, e, at, `{"dataset":"d","measures":[{"fn":"count","as":"n"}]}`)
	for _, zone := range []string{"Europe/London", "Pacific/Kiritimati", "America/Los_Angeles"} {
		if got := run(t, e, at, `{"dataset":"d","timezone":"`+zone+`","measures":[{"fn":"count","as":"n"}]}`); got != want {
			t.Errorf("%s: %s, want %s", zone, got, want)
		}
	}
}

// TestEveryKeyHasThePolicy: no two policies share an answer, a plan or an index.
func TestEveryKeyHasThePolicy(t *testing.T) {
	f := newFixture(t)
	ds := goldenDataset(f)
	e := f.engine()
	target := *ds.Lookups["buyer"].Target
	target.Policy = NewPolicy(Policy{Rows: rowRulesOf(&target, Filter{Column: "city", Op: "=", Values: raws(`"York"`)})})
	behind := *ds
	behind.Lookups = map[string]Lookup{"buyer": {Column: 3, Key: 1, Target: &target}}
	spec := mustSpec(t, `{"dataset":"d","dimensions":[{"column":"customer"},{"column":"buyer.city"}],"measures":[{"fn":"count"}]}`)
	digests := map[string]string{}
	for name, ds := range map[string]*Dataset{
		"all":        ds,
		"ann":        ruled(ds, Filter{Column: "customer", Op: "=", Values: raws(`"ann"`)}),
		"bob":        ruled(ds, Filter{Column: "customer", Op: "=", Values: raws(`"bob"`)}),
		"a lookup":   &behind,
		"few":        withPolicy(ds, Policy{MinRows: 2}),
		"fewer":      withPolicy(ds, Policy{MinRows: 3}),
		"first":      withPolicy(ds, Policy{Columns: map[int32]Mask{4: {Kind: MaskNull}}, Rows: rowRulesOf(ds, Filter{Column: "items", Op: ">", Values: raws("1")})}),
		"a mask":     withPolicy(&behind, Policy{Rows: rowRulesOf(ds, Filter{Column: "customer", Op: "=", Values: raws(`"ann"`)})}),
		"a lookup's": withPolicy(&behind, Policy{MinRows: 2}),
	} {
		digest, err := e.Digest(t.Context(), Query{Spec: spec, Dataset: ds, Now: time.Unix(0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		for other, seen := range digests {
			if seen == digest {
				t.Errorf("%s and %s have one key", name, other)
			}
		}
		digests[name] = digest
	}
	_, err := e.Run(t.Context(), Query{Spec: mustSpec(t, `{"dataset":"d","columns":["items"]}`), Dataset: withPolicy(ds, Policy{MinRows: 2})})
	if !errors.Is(err, ErrRowsWithheld) {
		t.Errorf("single rows: %v", err)
	}
	// So are values that are those of single rows.
	for spec, withheld := range map[string]bool{
		`{"dataset":"d","measures":[{"fn":"max","column":"items"}]}`:                                                                true,
		`{"dataset":"d","measures":[{"fn":"min","column":"customer"}],"dimensions":[{"column":"customer"}]}`:                        true,
		`{"dataset":"d","measures":[{"fn":"percentile","column":"items","percentile":99}]}`:                                         true,
		`{"dataset":"d","measures":[{"fn":"percentile","column":"items","percentile":1}]}`:                                          true,
		`{"dataset":"d","measures":[{"fn":"ratio","numerator":{"fn":"max","column":"items"},"denominator":{"fn":"count"}}]}`:        true,
		`{"dataset":"d","fields":{"top":"max(items) * 2"},"measures":[{"measure":"top"}]}`:                                          true,
		`{"dataset":"d","measures":[{"fn":"max","column":"at"}],"dimensions":[{"column":"customer"}]}`:                              true,
		`{"dataset":"d","measures":[{"fn":"max","column":"at","filters":[{"column":"customer","op":"=","values":["ann"]}]}]}`:       true,
		`{"dataset":"d","measures":[{"fn":"max","column":"at"},{"fn":"min","column":"at"}]}`:                                        false,
		`{"dataset":"d","measures":[{"fn":"median","column":"items"},{"fn":"avg","column":"items"},{"fn":"sum","column":"items"}]}`: false,
	} {
		_, err := e.Run(t.Context(), Query{Spec: mustSpec(t, spec), Dataset: withPolicy(ds, Policy{MinRows: 2})})
		if errors.Is(err, ErrRowsWithheld) != withheld || !withheld && err != nil {
			t.Errorf("%s: %v", spec, err)
		}
		if _, err := e.Run(t.Context(), Query{Spec: mustSpec(t, spec), Dataset: ds}); err != nil {
			t.Errorf("%s without a rule: %v", spec, err)
		}
	}
}

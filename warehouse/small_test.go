package warehouse

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// sickRows are diagnoses by region, month and sex, some of them rare.
func sickRows(f *fixture) *Dataset {
	rnd := rand.New(rand.NewPCG(11, 12))
	var rows []string
	add := func(region, diagnosis, sex string, month, n int) {
		for range n {
			rows = append(rows, fmt.Sprintf("('%s', '%s', '%s', DATE '2024-%02d-10', %d, %t)", region, diagnosis, sex, month, 1+rnd.IntN(90), rnd.IntN(8) == 0))
		}
	}
	for _, region := range []string{"north", "south", "east", "west"} {
		for _, diagnosis := range []string{"flu", "cold", "asthma"} {
			for month := 1; month <= 3; month++ {
				add(region, diagnosis, "f", month, 3+rnd.IntN(20))
				add(region, diagnosis, "m", month, 3+rnd.IntN(20))
			}
		}
	}
	add("north", "rare", "f", 2, 2)
	add("island", "flu", "m", 1, 3)
	return f.dataset("sick", "region text, diagnosis text, sex text, at date, age integer, died boolean",
		"SELECT * FROM (VALUES "+strings.Join(rows, ",")+`) v(region, diagnosis, sex, "at", age, died)`)
}

// counted are the groups of an answer: their number of rows by the text of
// their dimensions.
func counted(t *testing.T, e *Engine, ds *Dataset, dims []string, filters string, other bool, limit int) map[string]int64 {
	t.Helper()
	var list []string
	for _, d := range dims {
		list = append(list, fmt.Sprintf(`{"column":%q}`, d))
	}
	spec := fmt.Sprintf(`{"dataset":"d","dimensions":[%s],"measures":[{"fn":"count","as":"n"}],"filters":[%s],"other":%t,"limit":%d}`,
		strings.Join(list, ","), filters, other, limit)
	r, err := e.Run(t.Context(), Query{Spec: mustSpec(t, spec), Dataset: ds})
	if err != nil {
		t.Fatalf("%v\n%s", err, spec)
	}
	out := map[string]int64{}
	for i := range r.Rows {
		var key []string
		for c := range dims {
			key = append(key, resultText(&r.Columns[c], i))
		}
		out[strings.Join(key, "|")] = r.Columns[len(dims)].Ints[i]
	}
	return out
}

const fewest = 5

// TestSmallGroupsAreWithheld: no answer has a group under the threshold, by any
// dimensions.
func TestSmallGroupsAreWithheld(t *testing.T) {
	f := newFixture(t)
	ds := sickRows(f)
	e := f.engine()
	seen := withPolicy(ds, Policy{MinRows: fewest})
	for _, dims := range [][]string{{"region"}, {"diagnosis"}, {"region", "diagnosis"}, {"region", "sex"}, {"region", "diagnosis", "at"}, {"age"}} {
		all, some := counted(t, e, ds, dims, "", false, 1000), counted(t, e, seen, dims, "", false, 1000)
		if len(some) >= len(all) || len(some) == 0 && dims[0] != "age" {
			t.Errorf("by %v: %d of %d groups", dims, len(some), len(all))
		}
		for key, n := range some {
			if n < fewest || all[key] != n {
				t.Errorf("by %v: %s has %d rows, and is %d", dims, key, n, all[key])
			}
		}
	}
	// A measure that counts few of a large group withholds it too.
	few := `{"dataset":"d","dimensions":[{"column":"diagnosis"}],"measures":[{"fn":"count","as":"n","filters":[{"column":"sex","op":"=","values":["m"]}]}]}`
	if got := run(t, e, seen, few); strings.Contains(got, "rare") {
		t.Error(got)
	}
	if got := run(t, e, seen, `{"dataset":"d","measures":[{"fn":"count"}],"filters":[{"column":"diagnosis","op":"=","values":["rare"]}]}`); !strings.Contains(got, `"rows":[]`) {
		t.Errorf("a filter to a small group: %s", got)
	}
	found, err := e.SearchValues(t.Context(), Query{Spec: Spec{Dataset: "d"}, Dataset: seen}, "diagnosis", "", 10)
	if err != nil || strings.Contains(fmt.Sprint(found.Values), "rare") {
		t.Errorf("values: %v, %v", found, err)
	}
}

// TestSmallGroupsAreNotFoundBySubtraction tries: totals less what is shown, by
// lines and in all, "Other", shares, running totals and what filters leave out.
func TestSmallGroupsAreNotFoundBySubtraction(t *testing.T) {
	f := newFixture(t)
	ds := sickRows(f)
	e := f.engine()
	seen := withPolicy(ds, Policy{MinRows: fewest})
	sum := func(groups map[string]int64) (n int64) {
		for _, v := range groups {
			n += v
		}
		return n
	}
	rest := func(what string, whole, shown int64, missing int) {
		t.Helper()
		if left := whole - shown; left != 0 && (left < fewest || missing < 2) {
			t.Errorf("%s: %d rows of %d groups are left by subtraction", what, left, missing)
		}
	}
	total := counted(t, e, seen, nil, "", false, 10)[""]
	if total != counted(t, e, ds, nil, "", false, 10)[""] {
		t.Fatalf("the total is %d", total)
	}
	for _, dims := range [][]string{{"region"}, {"diagnosis"}, {"region", "diagnosis"}, {"region", "sex"}, {"diagnosis", "sex"}} {
		all, shown := counted(t, e, ds, dims, "", false, 1000), counted(t, e, seen, dims, "", false, 1000)
		rest(fmt.Sprint("total by ", dims), total, sum(shown), len(all)-len(shown))
		folded := counted(t, e, seen, dims, "", true, 3)
		rest(fmt.Sprint("other by ", dims), total, sum(folded), len(all)-len(shown))
		if len(dims) == 1 {
			continue
		}
		for at, d := range dims {
			whole := counted(t, e, seen, []string{d}, "", false, 1000)
			for value, n := range whole {
				var line int64
				missing := 0
				for key, v := range all {
					if strings.Split(key, "|")[at] != value {
						continue
					}
					if _, is := shown[key]; is {
						line += v
					} else {
						missing++
					}
				}
				if line > 0 {
					rest(fmt.Sprintf("%s = %s of %v", d, value, dims), n, line, missing)
				}
			}
			// What adds up to a withheld value is withheld itself.
			for key := range shown {
				if _, is := whole[strings.Split(key, "|")[at]]; !is {
					t.Errorf("by %v: %s is shown, and %s is withheld alone", dims, key, d)
				}
			}
		}
	}
	for _, filter := range []string{
		`{"column":"diagnosis","op":"!=","values":["rare"]}`, `{"column":"region","op":"not_in","values":["island"]}`,
		`{"column":"diagnosis","op":"in","values":["flu","cold","asthma"]}`,
	} {
		if n := counted(t, e, seen, nil, filter, false, 10); len(n) > 0 {
			rest("all but "+filter, total, n[""], 2)
		}
	}
	// Shares and running totals are made of what is shown.
	got := run(t, e, seen, `{"dataset":"d","dimensions":[{"column":"region"}],"measures":[{"fn":"count","show":"share","as":"s"},{"fn":"count","as":"n"}]}`)
	if strings.Contains(got, "island") {
		t.Error(got)
	}
	r, err := e.Run(t.Context(), Query{Dataset: seen, Spec: mustSpec(t, `{"dataset":"d","dimensions":[{"column":"region"}],"measures":[{"fn":"count","show":"share","as":"s"},{"fn":"count","as":"n"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	var shares float64
	for i := range r.Rows {
		shares += r.Columns[1].Floats[i]
	}
	if shares < 0.999 || shares > 1.001 {
		t.Errorf("shares add up to %v: the rest is what was withheld", shares)
	}
}

// caseRow is a row of TestRandomSmallGroups; a nil amount is none.
type caseRow struct {
	region, kind string
	age, flag    int
	amount       *int
}

// rowSet tells whether a row is in it.
type rowSet func(r *caseRow) bool

// TestRandomSmallGroups holds answers against the rows: whatever filters are left
// out of a question, what is shown and what is not differ by no row or by enough.
func TestRandomSmallGroups(t *testing.T) {
	f := newFixture(t)
	rnd := rand.New(rand.NewPCG(21, 22))
	var rows []caseRow
	var text []string
	for i := range 600 {
		r := caseRow{region: []string{"north", "south", "east", "west"}[rnd.IntN(4)], kind: []string{"flu", "cold", "asthma", "gout"}[min(rnd.IntN(4), rnd.IntN(5))], age: rnd.IntN(60)}
		if i%97 == 0 {
			r.region = "island"
		}
		if i%61 == 0 {
			r.kind = "rare"
		}
		if rnd.IntN(4) > 0 || r.kind == "rare" {
			r.flag = 1
		}
		amount := "NULL"
		if n := rnd.IntN(9); n > 0 {
			n *= 10
			r.amount, amount = &n, fmt.Sprint(n)
		}
		rows = append(rows, r)
		text = append(text, fmt.Sprintf("('%s', '%s', %d, %d, CAST(%s AS INTEGER))", r.region, r.kind, r.age, r.flag, amount))
	}
	ds := f.dataset("cases", "region text, kind text, age integer, flag integer, amount integer",
		"SELECT * FROM (VALUES "+strings.Join(text, ",")+") v(region, kind, age, flag, amount)")
	e := f.engine()
	seen := withPolicy(ds, Policy{MinRows: fewest})
	type filter struct {
		spec string
		ok   rowSet
	}
	in := func(column string, of func(*caseRow) string, not bool, values ...string) filter {
		op := "in"
		if not {
			op = "not_in"
		}
		return filter{fmt.Sprintf(`{"column":%q,"op":%q,"values":["%s"]}`, column, op, strings.Join(values, `","`)),
			func(r *caseRow) bool { return contains(values, of(r)) != not }}
	}
	region, kind := func(r *caseRow) string { return r.region }, func(r *caseRow) string { return r.kind }
	draw := func(rnd *rand.Rand) filter {
		switch rnd.IntN(6) {
		case 0:
			return in("region", region, rnd.IntN(2) == 0, "north", "island")
		case 1:
			return in("region", region, true, []string{"island", "north"}[rnd.IntN(2)])
		case 2:
			return in("kind", kind, rnd.IntN(2) == 0, "rare", "flu")
		case 3:
			return in("kind", kind, true, []string{"rare", "gout", "flu"}[rnd.IntN(3)])
		case 4:
			flag := rnd.IntN(2)
			return filter{fmt.Sprintf(`{"column":"flag","op":"=","values":[%d]}`, flag), func(r *caseRow) bool { return r.flag == flag }}
		}
		most := 20 + rnd.IntN(45)
		return filter{fmt.Sprintf(`{"column":"age","op":"<","values":[%d]}`, most), func(r *caseRow) bool { return r.age < most }}
	}
	// What is counted for a measure; leaves tells that what it leaves out is, too.
	type measure struct {
		spec   string
		behind []rowSet
	}
	given := func(r *caseRow) bool { return r.amount != nil }
	none := func(r *caseRow) bool { return r.amount == nil }
	young := func(r *caseRow) bool { return r.age < 30 }
	measures := []measure{
		{`{"fn":"count"}`, nil},
		{`{"fn":"sum","column":"flag"}`, []rowSet{func(r *caseRow) bool { return r.flag != 0 }, func(r *caseRow) bool { return r.flag != 1 }}},
		{`{"fn":"avg","column":"amount"}`, []rowSet{given, none}},
		{`{"fn":"count","filters":[{"column":"age","op":"<","values":[30]}]}`, []rowSet{young, func(r *caseRow) bool { return !young(r) }}},
		{`{"fn":"median","column":"amount"}`, []rowSet{given, none}},
	}
	shownAll, shownSome, shownNone := 0, 0, 0
	for n := range max(*randomSpecs, 300) {
		rnd := rand.New(rand.NewPCG(*randomSeed+31, uint64(n)))
		m := measures[rnd.IntN(len(measures))]
		var filters []filter
		var specs []string
		for range rnd.IntN(4) {
			next := draw(rnd)
			filters, specs = append(filters, next), append(specs, next.spec)
		}
		dims := [][]string{nil, {"region"}, {"kind"}, {"region", "kind"}, {"kind", "flag"}}[rnd.IntN(5)]
		var dimSpecs []string
		for _, d := range dims {
			dimSpecs = append(dimSpecs, fmt.Sprintf(`{"column":%q}`, d))
		}
		spec := fmt.Sprintf(`{"dataset":"d","dimensions":[%s],"measures":[%s],"filters":[%s],"limit":1000}`, strings.Join(dimSpecs, ","), m.spec, strings.Join(specs, ","))
		r, err := e.Run(t.Context(), Query{Spec: mustSpec(t, spec), Dataset: seen})
		if err != nil {
			t.Fatalf("%v\n%s", err, spec)
		}
		shown := map[string]bool{}
		for i := range r.Rows {
			var key []string
			for c := range dims {
				key = append(key, resultText(&r.Columns[c], i))
			}
			shown[strings.Join(key, "|")] = true
		}
		// numbers[set][choice][group] counts rows.
		all := 1<<len(filters) - 1
		sets := append([]rowSet{func(*caseRow) bool { return true }}, m.behind...)
		numbers := make([][]map[string]int, len(sets))
		groups := map[string]bool{}
		for s, is := range sets {
			numbers[s] = make([]map[string]int, all+1)
			for choice := range numbers[s] {
				count := map[string]int{}
				for i := range rows {
					row := &rows[i]
					passes := is(row)
					for bit := range filters {
						passes = passes && (choice&(1<<bit) == 0 || filters[bit].ok(row))
					}
					if !passes {
						continue
					}
					var key []string
					for _, d := range dims {
						key = append(key, map[string]string{"region": row.region, "kind": row.kind, "flag": fmt.Sprint(row.flag)}[d])
					}
					count[strings.Join(key, "|")]++
					groups[strings.Join(key, "|")] = true
				}
				numbers[s][choice] = count
			}
		}
		inGroup := 0
		for g := range groups {
			if numbers[0][all][g] > 0 {
				inGroup++
			}
		}
		switch {
		case len(shown) == 0:
			shownNone++
		case len(shown) == inGroup:
			shownAll++
		default:
			shownSome++
		}
		// fine tells of some groups together that no number is small.
		fine := func(what string, some []string) {
			for s := range sets {
				for choice := range all + 1 {
					n := 0
					for _, g := range some {
						n += numbers[s][choice][g]
						if choice != all {
							n -= numbers[s][all][g]
						}
					}
					if n > 0 && n < fewest {
						t.Errorf("%s: %d rows of set %d by the filters %b of %b\n%s", what, n, s, choice, all, spec)
					}
				}
			}
		}
		lines := map[string][]string{"": nil}
		for g := range groups {
			if shown[g] {
				fine("group "+g, []string{g})
				continue
			}
			if len(shown) > 0 {
				lines[""] = append(lines[""], g)
			}
			for at, value := range strings.Split(g, "|") {
				for other := range shown {
					if len(dims) == 2 && strings.Split(other, "|")[at] == value {
						line := fmt.Sprint(at, value)
						lines[line] = append(lines[line], g)
						break
					}
				}
			}
		}
		for line, some := range lines {
			fine("what is left of line "+line, some)
			var there []string
			for _, g := range some {
				if numbers[0][all][g] > 0 {
					there = append(there, g)
				}
			}
			fine("what is withheld of line "+line, there)
			if len(there) == 1 {
				t.Errorf("of line %s only %v is withheld\n%s", line, there, spec)
			}
		}
	}
	if t.Logf("%d answered, %d in part, %d withheld", shownAll, shownSome, shownNone); shownAll < 30 || shownSome < 20 || shownNone < 20 {
		t.Error("too few of a kind")
	}
}

// TestFiltersTellOfNoFewRows: no answer with filters differs in few rows from one
// without some of them, in all or in any group.
func TestFiltersTellOfNoFewRows(t *testing.T) {
	f := newFixture(t)
	ds := careRows(f)
	e := f.engine()
	seen := withPolicy(ds, Policy{MinRows: fewest})
	const (
		answered = "answered"
		part     = "in part"
		empty    = "withheld"
		refused  = "refused"
	)
	secret := `{"column":"note","op":"!=","values":["secret"]}`
	sum, count := `{"fn":"sum","column":"amount"}`, `{"fn":"count"}`
	byRegion := `"dimensions":[{"column":"region"}],`
	for _, tc := range []struct{ dims, measures, filters, want string }{
		// One filter that leaves out one row, twice, or beside others that do.
		{"", sum, secret, empty},
		{"", sum, secret + "," + secret, empty},
		{"", sum, secret + `,{"column":"amount","op":"<","values":[400]}`, empty},
		{"", sum, secret + `,{"column":"id","op":"not_in","values":[17]},{"column":"marked","op":"=","values":[0]}`, empty},
		{"", count, `{"column":"hidden","op":"=","values":[0]},{"column":"hidden","op":"<","values":[1]}`, empty},
		{"", `{"fn":"median","column":"amount"}`, secret + "," + secret, empty},
		{"", `{"fn":"count_distinct","column":"region"}`, secret + "," + secret, empty},
		{"", `{"fn":"sum","column":"product"}`, secret + "," + secret, empty},
		{byRegion, sum, secret + "," + secret, empty},
		{byRegion, sum + `,{"fn":"count","as":"n"}`, secret + `,{"column":"amount","op":"<","values":[400]}`, empty},
		// Filters that leave out many rows, and together one.
		{"", sum, secret + `,{"column":"region","op":"=","values":["east"]}`, empty},
		{"", sum, `{"column":"day","op":"<=","values":["2024-01-20"]},` + secret, empty},
		// A filter that leaves out one row of each group.
		{`"dimensions":[{"column":"group"}],`, sum, `{"column":"first","op":"=","values":[0]}`, empty},
		{`"dimensions":[{"column":"group"}],`, sum, "", answered},
		{`"dimensions":[{"column":"group"},{"column":"region"}],`, count, `{"column":"first","op":"=","values":[0]}`, empty},
		// A filter and the condition of a measure.
		{"", `{"fn":"sum","column":"amount","filters":[` + secret + `,{"column":"region","op":"in","values":["south","east"]}]}`, "", empty},
		{"", `{"measure":"most"}`, "", empty},
		{"", `{"fn":"sum","column":"marked"}`, `{"column":"region","op":"in","values":["south","east"]}`, empty},
		// Columns of 0 and 1, whichever is rare.
		{"", `{"fn":"sum","column":"unmarked"}`, "", empty},
		{"", `{"fn":"avg","column":"unmarked"}`, "", empty},
		{"", `{"measure":"zeros"}`, "", empty},
		{"", `{"fn":"sum","column":"opposite"}`, "", empty},
		{byRegion, `{"fn":"avg","column":"unmarked"}`, "", empty},
		{"", `{"fn":"sum","column":"weighted"}`, "", empty},
		// Dates of chosen rows.
		{"", `{"fn":"max","column":"day"}`, `{"column":"amount","op":">","values":[190]}`, refused},
		{"", `{"fn":"min","column":"day"}`, `{"column":"day","op":">","values":["2024-01-05"]}`, refused},
		{byRegion, `{"fn":"max","column":"day"}`, "", refused},
		// More filters than can be looked at.
		{"", count, strings.TrimSuffix(strings.Repeat(`{"column":"id","op":"<","values":[%d]},`, 7), ","), refused},
		// What goes on.
		{"", sum, `{"column":"region","op":"=","values":["north"]}`, answered},
		{"", sum, `{"column":"region","op":"=","values":["north"]},{"column":"region","op":"=","values":["north"]}`, answered},
		{"", sum + "," + count, `{"column":"region","op":"in","values":["north","east"]},{"column":"day","op":">=","values":["2024-01-08"]}`, answered},
		{"", `{"fn":"avg","column":"amount"}`, `{"column":"region","op":"=","values":["north"]},{"column":"day","op":"<","values":["2024-01-15"]},{"column":"quantity","op":">","values":[2]}`, answered},
		{byRegion, sum, `{"column":"day","op":">=","values":["2024-01-08"]},{"column":"quantity","op":"<=","values":[3]}`, answered},
		{`"dimensions":[{"column":"day","grain":"week"}],`, sum, `{"column":"region","op":"in","values":["north","east"]},{"column":"quantity","op":"<","values":[4]}`, answered},
		{`"dimensions":[{"column":"quantity"},{"column":"region"}],`, count, `{"column":"day","op":"<","values":["2024-01-15"]}`, answered},
		{"", `{"fn":"max","column":"day"},{"fn":"min","column":"day"}`, "", answered},
		{"", `{"fn":"sum","column":"quantity"},{"fn":"avg","column":"cost"}`, "", answered},
		{"", sum, `{"column":"amount","op":"<","values":[1000]}`, answered},
		{"", count, strings.TrimSuffix(strings.Repeat(`{"column":"id","op":"<","values":[120]},`, 9), ","), answered},
		{"", count, `{"column":"region","op":"=","values":["nowhere"]}`, answered},
	} {
		filters := tc.filters
		if n := strings.Count(filters, "%d"); n > 0 {
			values := make([]any, n)
			for i := range values {
				values[i] = 100 + 10*i
			}
			filters = fmt.Sprintf(filters, values...)
		}
		text := fmt.Sprintf(`{"dataset":"d","fields":{"hidden":"if([note] = 'secret', 1, 0)","product":"[amount] * [quantity]","group":"[id] %% 12","first":"if([id] < 12, 1, 0)",
			"most":"sum([amount] where [note] != 'secret' and [region] != 'north')","zeros":"count() - sum([unmarked])","opposite":"1 - [unmarked]","weighted":"[amount] * ([unmarked] + 1)"},%s
			"measures":[%s],"filters":[%s]}`, tc.dims, tc.measures, filters)
		want, err := e.Run(t.Context(), Query{Spec: mustSpec(t, text), Dataset: ds, Exact: true})
		if err != nil {
			t.Errorf("%s without a rule: %v", text, err)
			continue
		}
		r, err := e.Run(t.Context(), Query{Spec: mustSpec(t, text), Dataset: seen, Exact: true})
		got := answered
		switch {
		case errors.Is(err, ErrRowsWithheld):
			got = refused
		case err != nil:
			got = err.Error()
		case r.Rows == 0:
			got = empty
		case r.Rows < want.Rows:
			got = part
		default:
			if diff := sameResult(r, want); diff != "" {
				got = diff
			}
		}
		if got != tc.want {
			t.Errorf("%s%s with %s: %s, want %s", tc.dims, tc.measures, filters, got, tc.want)
		}
	}
}

package warehouse

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
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
	if got := run(t, e, seen, `{"dataset":"d","measures":[{"fn":"count"}],"filters":[{"column":"diagnosis","op":"=","values":["rare"]}]}`); !strings.Contains(got, `"rows":[]`) || !strings.Contains(got, `"small_groups_withheld":true`) {
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

// TestRandomSmallGroups holds answers against the rows: by whatever conditions of a
// question its rows are divided, there are none or enough in each part of a group that is
// shown, and of what is withheld of each line.
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
	type measure struct {
		spec   string
		behind []rowSet // what is counted
		where  []rowSet // its conditions
	}
	given := func(r *caseRow) bool { return r.amount != nil }
	none := func(r *caseRow) bool { return r.amount == nil }
	young := func(r *caseRow) bool { return r.age < 30 }
	measures := []measure{
		{`{"fn":"count"}`, nil, nil},
		{`{"fn":"sum","column":"flag"}`, []rowSet{func(r *caseRow) bool { return r.flag != 0 }, func(r *caseRow) bool { return r.flag != 1 }}, nil},
		{`{"fn":"avg","column":"amount"}`, []rowSet{given, none}, nil},
		{`{"fn":"count","filters":[{"column":"age","op":"<","values":[30]}]}`, nil, []rowSet{young}},
		{`{"fn":"count","as":"n"},{"fn":"count","as":"young","filters":[{"column":"age","op":"<","values":[30]}]},{"fn":"count","as":"ill","filters":[{"column":"kind","op":"!=","values":["gout"]}]}`,
			nil, []rowSet{young, func(r *caseRow) bool { return r.kind != "gout" }}},
		{`{"measure":"neither"}`, nil, []rowSet{young, func(r *caseRow) bool { return r.kind == "flu" }}},
		{`{"fn":"median","column":"amount"}`, []rowSet{given, none}, nil},
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
		spec := fmt.Sprintf(`{"dataset":"d","fields":{"neither":"count(where not ([age] < 30 or [kind] = 'flu'))"},"dimensions":[%s],"measures":[%s],"filters":[%s],"limit":1000}`, strings.Join(dimSpecs, ","), m.spec, strings.Join(specs, ","))
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
		// numbers[set][cell][group] counts rows; cells are those of the conditions.
		conditions := slices.Clone(m.where)
		for _, f := range filters {
			conditions = append(conditions, f.ok)
		}
		all := 1<<len(conditions) - 1
		asked := all &^ (1<<len(m.where) - 1)
		sets := append([]rowSet{func(*caseRow) bool { return true }}, m.behind...)
		numbers := make([][]map[string]int, len(sets))
		groups := map[string]bool{}
		inAnswer := map[string]int{}
		for s, is := range sets {
			numbers[s] = make([]map[string]int, all+1)
			for cell := range numbers[s] {
				numbers[s][cell] = map[string]int{}
			}
			for i := range rows {
				row := &rows[i]
				cell := 0
				for bit, c := range conditions {
					if c(row) {
						cell |= 1 << bit
					}
				}
				var key []string
				for _, d := range dims {
					key = append(key, map[string]string{"region": row.region, "kind": row.kind, "flag": fmt.Sprint(row.flag)}[d])
				}
				g := strings.Join(key, "|")
				groups[g] = true
				if s == 0 && cell&asked == asked {
					inAnswer[g]++
				}
				if is(row) {
					numbers[s][cell][g]++
				}
			}
		}
		inGroup := 0
		for g := range groups {
			if inAnswer[g] > 0 {
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
		// fine tells of some groups together that no number is small, where that of all
		// groups of their line is not, either.
		fine := func(what string, some, line []string) {
			for s := range sets {
				for cell := range all + 1 {
					n, whole := 0, 0
					for _, g := range some {
						n += numbers[s][cell][g]
					}
					for _, g := range line {
						whole += numbers[s][cell][g]
					}
					if n > 0 && n < fewest && (whole >= fewest || line == nil) {
						t.Errorf("%s: %d of %d rows of set %d in cell %b of %b\n%s", what, n, whole, s, cell, all, spec)
					}
				}
			}
		}
		withheld, whole := map[string][]string{}, map[string][]string{}
		for g := range groups {
			lines := []string{""}
			if len(dims) == 2 {
				for at, value := range strings.Split(g, "|") {
					lines = append(lines, fmt.Sprint(at, value))
				}
			}
			for _, line := range lines {
				whole[line] = append(whole[line], g)
				if !shown[g] {
					withheld[line] = append(withheld[line], g)
				}
			}
			if shown[g] {
				fine("group "+g, []string{g}, nil)
			}
		}
		for line, some := range withheld {
			fine("what is left of line "+line, some, whole[line])
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
		{byRegion, `{"fn":"avg","column":"unmarked"}`, "", part},
		{"", `{"fn":"sum","column":"weighted"}`, "", empty},
		// Dates of chosen rows.
		{"", `{"fn":"max","column":"day"}`, `{"column":"amount","op":">","values":[190]}`, refused},
		{"", `{"fn":"min","column":"day"}`, `{"column":"day","op":">","values":["2024-01-05"]}`, refused},
		{byRegion, `{"fn":"max","column":"day"}`, "", refused},
		// More filters than can be looked at.
		{"", count, strings.TrimSuffix(strings.Repeat(`{"column":"id","op":"<","values":[%d]},`, 17), ","), refused},
		// Measures beside each other, groups and conditions that take a row in.
		{"", sum + `,{"fn":"sum","column":"amount","as":"b","filters":[` + secret + `]}`, "", empty},
		{"", `{"fn":"sum","column":"amount","as":"a","filters":[{"column":"id","op":"<","values":[18]}]},{"fn":"sum","column":"amount","as":"b","filters":[{"column":"id","op":"<","values":[17]}]}`, "", empty},
		{"", `{"measure":"morgan"},{"measure":"less"}`, "", empty},
		{"", sum, `{"column":"either","op":"=","values":[false]}`, empty},
		{`"dimensions":[{"column":"moved"}],`, `{"fn":"sum","column":"quantity"},{"fn":"count","as":"n"}`, "", empty},
		{`"dimensions":[{"column":"added"}],`, count, "", empty},
		{`"dimensions":[{"column":"replaced"}],`, sum, "", answered}, // that is the total
		{`"dimensions":[{"column":"nulled"}],`, count, "", empty},
		{`"dimensions":[{"column":"larger"}],`, count, "", empty},
		{"", `{"measure":"taken"}`, "", empty},
		// Calculated values that can't be computed of rows that are left out.
		{"", count, `{"column":"id","op":"<","values":[120]},{"column":"wide","op":">","values":[0]}`, answered},
		{`"dimensions":[{"column":"wide"}],`, count, `{"column":"id","op":"<","values":[0]}`, empty},
		// Filters that leave out many rows, and one together.
		{"", sum, `{"column":"id","op":"<","values":[120]},{"column":"id","op":">=","values":[119]}`, empty},
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
			"most":"sum([amount] where [note] != 'secret' and [region] != 'north')","zeros":"count() - sum([unmarked])","opposite":"1 - [unmarked]","either":"[note] = 'secret' or [region] = 'north'","moved":"if([note] = 'secret', 2, [quantity])",
			"morgan":"sum([amount] where not ([note] = 'secret' or [region] = 'north'))","less":"sum([amount] where [region] != 'north')","taken":"sum([quantity] where [note] = 'secret' or [quantity] = 2)",
			"nulled":"nullif([note], 'secret')","added":"[quantity] + [unmarked]","replaced":"replace([note], 'secret', 'common')","larger":"greatest([marked], 0)","wide":"if([id] < 120, 1, 9000000000000000000) * 100","weighted":"[amount] * ([unmarked] + 1)"},%s
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

// TestNothingIsComparedWithASpanThatOverlaps: the rows at the ends may be few.
func TestNothingIsComparedWithASpanThatOverlaps(t *testing.T) {
	f := newFixture(t)
	ds := careRows(f)
	e := f.engine()
	spec := `{"dataset":"d","measures":[{"fn":"sum","column":"amount","as":"s"}],"filters":[{"column":"day","op":">=","values":["2024-01-10"]},{"column":"day","op":"<","values":["2024-01-19"]}],"comparison":{"period":"previous","n":%d,"unit":"day"}}`
	seen := withPolicy(ds, Policy{MinRows: fewest})
	for n, want := range map[int]bool{1: false, 8: false, 9: true} {
		for _, d := range []*Dataset{ds, seen} {
			r, err := e.Run(t.Context(), Query{Dataset: d, Spec: mustSpec(t, fmt.Sprintf(spec, n)), Now: time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Fatal(err)
			}
			if got := !r.Columns[1].IsNull(0); r.Columns[0].IsNull(0) || got != (want || d == ds) {
				t.Errorf("%d days back, a rule %t: compared %t", n, d == seen, got)
			}
		}
	}
}

// TestTooManyGroupsAreRefused: a question that would take minutes says so.
func TestTooManyGroupsAreRefused(t *testing.T) {
	f := newFixture(t)
	ds := withPolicy(f.dataset("many", "id integer, kind integer", "SELECT i AS id, i % 7 AS kind FROM range(600000) r(i)"), Policy{MinRows: fewest})
	_, err := f.engine().Run(t.Context(), Query{Dataset: ds, Spec: mustSpec(t, `{"dataset":"d","dimensions":[{"column":"id"}],"measures":[{"fn":"count"}]}`)})
	if !errors.Is(err, ErrRowsWithheld) || !strings.Contains(err.Error(), "Group more coarsely") {
		t.Error(err)
	}
	if got := run(t, f.engine(), ds, `{"dataset":"d","dimensions":[{"column":"kind"}],"measures":[{"fn":"count"}]}`); strings.Count(got, "],[") != 6 {
		t.Error(got)
	}
}

// TestNoCombinationOfAnswersTellsOfFewRows asks everything that some filters, measures and
// dimensions allow, and solves the equations: whatever is added to and subtracted from
// each other, no number of few rows comes out.
func TestNoCombinationOfAnswersTellsOfFewRows(t *testing.T) {
	f := newFixture(t)
	ds := sickRows(f)
	ds.Fields = map[string]string{"weight": "if([age] % 7 > 1, [age], null)", "height": "if([died], null, [age])"}
	e := f.engine()
	seen := withPolicy(ds, Policy{MinRows: fewest})
	r, err := e.Run(t.Context(), Query{Dataset: ds, Spec: mustSpec(t, `{"dataset":"d","columns":["region","diagnosis","sex","at","age","weight","height"],"limit":10000}`)})
	if err != nil {
		t.Fatal(err)
	}
	text := func(c, row int) string { return resultText(&r.Columns[c], row) }
	age := r.Columns[4].Ints
	filters := []struct {
		spec string
		ok   func(row int) bool
	}{
		{`{"column":"sex","op":"=","values":["m"]}`, func(i int) bool { return text(2, i) == "m" }},
		{`{"column":"age","op":"<","values":[40]}`, func(i int) bool { return age[i] < 40 }},
		{`{"column":"diagnosis","op":"in","values":["flu","cold"]}`, func(i int) bool { return text(1, i) == "flu" || text(1, i) == "cold" }},
		{`{"column":"region","op":"!=","values":["west"]}`, func(i int) bool { return text(0, i) != "west" }},
		{`{"column":"region","op":"=","values":["south"]}`, func(i int) bool { return text(0, i) == "south" }},
		{`{"column":"at","op":"<","values":["2024-02-20"]}`, func(i int) bool { return text(3, i) < "2024-02-20" }},
		{`{"column":"diagnosis","op":"!=","values":["asthma"]}`, func(i int) bool { return text(1, i) != "asthma" }},
	}
	measures := []struct {
		spec string
		ok   func(row int) bool
	}{
		{`{"fn":"count","as":"n"}`, func(int) bool { return true }},
		{`{"fn":"count","column":"weight","as":"w"}`, func(i int) bool { return !r.Columns[5].IsNull(i) }},
		{`{"fn":"count","column":"height","as":"h"}`, func(i int) bool { return !r.Columns[6].IsNull(i) }},
		{`{"fn":"count","as":"old","filters":[{"column":"age","op":">","values":[60]}]}`, func(i int) bool { return age[i] > 60 }},
	}
	dims := []string{"region", "diagnosis", "sex"}
	whole, answers, equations := 0, 0, 0
	for round := range max(10, *randomSpecs/100) {
		rnd := rand.New(rand.NewPCG(*randomSeed+51, uint64(round)))
		filters := slices.Clone(filters)
		rnd.Shuffle(len(filters), func(i, j int) { filters[i], filters[j] = filters[j], filters[i] })
		filters = filters[:1+rnd.IntN(2)]
		measures := slices.Clone(measures)
		rnd.Shuffle(len(measures)-1, func(i, j int) { measures[i+1], measures[j+1] = measures[j+1], measures[i+1] })
		measures = measures[:1+rnd.IntN(3)]
		// The unknowns are the rows by all dimensions, filters and measures.
		unknown := map[string]int{}
		var size []int
		at, passed, counted := make([]int, r.Rows), make([]int, r.Rows), make([]int, r.Rows)
		cell, groups := make([]string, r.Rows), make([][]string, r.Rows)
		for i := range r.Rows {
			for bit, f := range filters {
				if f.ok(i) {
					passed[i] |= 1 << bit
				}
			}
			for bit, m := range measures {
				if m.ok(i) {
					counted[i] |= 1 << bit
				}
			}
			groups[i] = []string{text(0, i), text(1, i), text(2, i)}
			cell[i] = fmt.Sprint(groups[i], passed[i])
			key := fmt.Sprint(cell[i], counted[i])
			if _, is := unknown[key]; !is {
				unknown[key] = len(size)
				size = append(size, 0)
			}
			at[i] = unknown[key]
			size[at[i]]++
		}
		sum := func(in func(row int) bool) []uint64 {
			row := make([]uint64, len(size))
			for i := range r.Rows {
				if in(i) {
					row[at[i]] = 1
				}
			}
			return row
		}
		equal := newSystem(len(size))
		for by := range 1 << len(dims) {
			var names []string
			for d := range dims {
				if by&(1<<d) != 0 {
					names = append(names, fmt.Sprintf(`{"column":%q}`, dims[d]))
				}
			}
			for with := range 1 << len(filters) {
				var where []string
				for bit, f := range filters {
					if with&(1<<bit) != 0 {
						where = append(where, f.spec)
					}
				}
				for of := 1; of < 1<<len(measures); of++ {
					var asked []string
					for bit, m := range measures {
						if of&(1<<bit) != 0 {
							asked = append(asked, m.spec)
						}
					}
					spec := mustSpec(t, fmt.Sprintf(`{"dataset":"d","dimensions":[%s],"measures":[%s],"filters":[%s]}`, strings.Join(names, ","), strings.Join(asked, ","), strings.Join(where, ",")))
					all, err := e.Run(t.Context(), Query{Spec: spec, Dataset: ds})
					some, failed := e.Run(t.Context(), Query{Spec: spec, Dataset: seen})
					if err != nil || failed != nil {
						t.Fatal(err, failed)
					}
					whole += all.Rows
					answers += some.Rows
					for line := range some.Rows {
						for bit, m := range measures {
							if of&(1<<bit) == 0 {
								continue
							}
							if equal.add(sum(func(i int) bool {
								column := 0
								for d := range dims {
									if by&(1<<d) != 0 {
										if resultText(&some.Columns[column], line) != groups[i][d] {
											return false
										}
										column++
									}
								}
								return passed[i]&with == with && m.ok(i)
							})) {
								equations++
							}
						}
					}
				}
			}
		}
		seen := map[string]bool{}
		for i := range r.Rows {
			for bit, m := range measures {
				key := fmt.Sprint(cell[i], bit)
				if seen[key] {
					continue
				}
				seen[key] = true
				for _, with := range []bool{true, false} {
					n, in := 0, func(o int) bool { return cell[o] == cell[i] && m.ok(o) == with }
					for o := range r.Rows {
						if in(o) {
							n++
						}
					}
					if n > 0 && n < fewest && equal.tells(sum(in)) {
						t.Errorf("round %d: %d rows of %s, %s is %t", round, n, cell[i], m.spec, with)
					}
				}
			}
		}
	}
	if t.Logf("%d of %d groups were answered, with %d independent numbers", answers, whole, equations); answers < 500 {
		t.Error("hardly anything was answered")
	}
}

// system are equations over a field of a prime, in echelon form.
type system struct{ rows [][]uint64 }

const systemPrime = 2_147_483_647

func newSystem(unknowns int) *system { return &system{make([][]uint64, unknowns)} }

// reduced is what the equations leave of one.
func (s *system) reduced(row []uint64) (rest []uint64, first int) {
	rest = slices.Clone(row)
	first = -1
	for i, x := range rest {
		if x == 0 {
			continue
		}
		if s.rows[i] == nil {
			if first < 0 {
				first = i
			}
			continue
		}
		for j := i; j < len(rest); j++ {
			rest[j] = (rest[j] + (systemPrime-x)*s.rows[i][j]) % systemPrime
		}
	}
	return rest, first
}

// add tells whether an equation says something new.
func (s *system) add(row []uint64) bool {
	rest, first := s.reduced(row)
	if first < 0 {
		return false
	}
	inverse, base := uint64(1), rest[first]
	for e := uint64(systemPrime - 2); e > 0; e >>= 1 {
		if e&1 == 1 {
			inverse = inverse * base % systemPrime
		}
		base = base * base % systemPrime
	}
	for j := range rest {
		rest[j] = rest[j] * inverse % systemPrime
	}
	s.rows[first] = rest
	return true
}

// tells whether a sum of unknowns follows from the equations.
func (s *system) tells(row []uint64) bool {
	_, first := s.reduced(row)
	return first < 0
}

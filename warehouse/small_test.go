package warehouse

import (
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

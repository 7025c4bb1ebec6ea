package warehouse

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// careRows are 240 cases of which one is to be found: its note is secret, its
// amount is the largest, and it is the only one that is marked.
func careRows(f *fixture) *Dataset {
	var rows []string
	for i := range 240 {
		note, amount, marked, stay := "common", 100+i%97, 0, 1+i%7
		if i == 17 {
			note, amount, marked, stay = "secret", 503, 1, 2
		}
		rows = append(rows, fmt.Sprintf("(%d, '%s', '%s', DATE '2024-01-01' + %d, DATE '2024-01-01' + %d, %d, %d, %d, %d.5, %d)",
			i, []string{"north", "south", "east"}[i%3], note, i%28, i%28+stay, amount, 1+i%5, 1-marked, 40+i%11, marked))
	}
	ds := f.dataset("care", "id integer, region text, note text, day date, left date, amount integer, quantity integer, unmarked integer, cost decimal(10,2), marked integer",
		"SELECT * FROM (VALUES "+strings.Join(rows, ",")+`) v(id, region, note, "day", "left", amount, quantity, unmarked, cost, marked)`)
	ds.TimeColumn = 4
	regions := f.dataset("regions", "name text, rate float, people integer", "SELECT * FROM (VALUES ('north', 1.5, 100), ('south', 2.0, 200), ('east', 0.5, 300)) v(name, rate, people)")
	regions.Fields = map[string]string{"double": "[rate] * 2", "bent": "if([rate] > 1, [rate], 0)"}
	ds.Lookups = map[string]Lookup{"area": {Column: 2, Key: 1, Target: regions}}
	ds.Fields = map[string]string{"severe": "if([amount] > 400, 1, 0)", "margin": "[amount] - [cost]"}
	ds.Measures = map[string]Measure{"severe_cases": {Fn: "sum", Column: "severe"}, "spent": {Fn: "sum", Column: "cost"}}
	return ds
}

func fieldSpec(t testing.TB, field, rest string) Spec {
	t.Helper()
	text, err := json.Marshal(field)
	if err != nil {
		t.Fatal(err)
	}
	return mustSpec(t, fmt.Sprintf(`{"dataset":"d","fields":{"x":%s},%s}`, text, rest))
}

// TestNoMeasureTellsOfFewRows: an expression cannot be aimed at a row of many.
func TestNoMeasureTellsOfFewRows(t *testing.T) {
	f := newFixture(t)
	ds := careRows(f)
	e := f.engine()
	seen := withPolicy(ds, Policy{MinRows: fewest})
	const (
		refused = "refused"
		empty   = "withheld"
	)
	sum, group := `"measures":[{"fn":"sum","column":"x","as":"s"}]`, `"measures":[{"measure":"x","as":"s"}]`
	of := func(fn string) string { return `"measures":[{"fn":"` + fn + `","column":"x","as":"s"}]` }
	for _, tc := range []struct{ field, rest, want string }{
		// Conditions with a value on both sides.
		{"if([note] = 'secret', [amount], 0)", sum, refused},
		{"if([note] = 'secret', 1, 0)", sum, refused},
		{"if([note] = 'secret', 1, 0) + [amount]", sum, refused},
		{"if([note] = 'secret', 2, 1) * [amount]", sum, refused},
		{"case when [note] = 'secret' then [amount] else 0 end", sum, refused},
		{"case when [note] = 'secret' then [amount] when [id] > 10 then [id] end", sum, refused},
		{"case when [note] = 'secret' then [amount] when [id] > 10 then [id] else null end", sum, refused},
		{"if([day] = #2024-01-18#, [amount], 0)", sum, refused},
		{"if(contains([note], 'secr'), [amount], 0)", sum, refused},
		{"if([amount] > 302, [amount], 0)", sum, refused},
		{"coalesce(if([note] = 'secret', [amount], null), 0)", sum, refused},
		{"coalesce(nullif([note] = 'secret', true), false)", of("count_distinct"), refused},
		{"0 - if([note] = 'secret', [amount], 0)", of("avg"), refused},
		{"sum(if([note] = 'secret', [amount], 0)) / count()", group, refused},
		{"avg(if([note] = 'secret', [amount], 0))", group, refused},
		{"sum(if([note] = 'secret', [amount], 0) where [id] > 0)", group, refused},
		{"median(if([note] = 'secret', [amount], [id]))", group, refused},
		{"1", `"measures":[{"fn":"sum","column":"severe"}]`, refused},
		{"1", `"measures":[{"measure":"severe_cases"}]`, refused},
		{"1", `"measures":[{"fn":"ratio","numerator":{"fn":"sum","column":"severe"},"denominator":{"fn":"count"}}]`, refused},
		{"1", `"measures":[{"fn":"sum","column":"area.bent"}]`, refused},
		{"[severe] * [amount]", sum, refused},
		// Steep and broken curves.
		{"ln(sum(exp([amount])))", group, refused},
		{"sum(greatest([amount], 400) - 400)", group, refused},
		{"sum(least([amount], 400))", group, refused},
		{"sum(power([amount], 50))", group, refused},
		{"sum(abs([amount] - 400) + [amount])", group, refused},
		{"sum(round([amount] / 1000))", group, refused},
		{"sum(floor([amount] / 503))", group, refused},
		{"sum(ceil(([amount] - 502) / 1000))", group, refused},
		{"sum([amount] % 503)", group, refused},
		{"sum(sqrt([amount] - 502))", group, refused},
		{"sum(length([note]))", group, refused},
		{"sum(length(replace([note], 'secret', '')))", group, refused},
		{"sum(day([day]))", group, refused},
		{"sum(date_diff('day', #2024-01-18#, [day]))", group, refused},
		{"sum(date_diff('day', date_add('day', 3, [day]), [left]))", group, refused},
		// Products of one column, of three, and quotients by anything but a column.
		{"[amount] * [amount]", sum, refused},
		{"[amount] * ([amount] - 1)", sum, refused},
		{"[amount] * [quantity] * [cost]", sum, refused},
		{"[amount] / ([id] - 16.9999999)", sum, refused},
		{"[amount] / ([quantity] * [cost])", sum, refused},
		{"1 / [amount]", sum, refused},
		{"[amount] / 0", sum, refused},
		{"[amount] * 1e300 * 1e300", sum, refused},
		// Values of a row that are read off a rank or off a number of values.
		{"[amount] + 10000 * [id]", of("median"), refused},
		{"[amount] / [quantity]", of("median"), refused},
		{"median([amount] * [quantity])", group, refused},
		{"if([note] = 'secret', [id], 0)", of("count_distinct"), refused},
		{"coalesce([note], '')", of("count_distinct"), refused},
		{"([amount] + 1e17) - 1e17", of("count_distinct"), refused},
		{"left([note], 1)", of("count_distinct"), refused},
		{"replace([note], 'secret', 'common')", of("count_distinct"), refused},
		{"concat(nullif([note], 'secret'))", of("count_distinct"), refused},
		{"date_trunc('year', date_add('day', 340, [day]))", of("count_distinct"), refused},
		{"if([note] = 'secret', [day], #1999-01-01#)", of("max"), refused},
		{"[amount]", of("max"), refused},
		{"date_add('day', [id], [day])", of("max"), refused},
		// What is counted and found to be little.
		{"if([note] = 'secret', [amount], null)", sum, empty},
		{"case when [note] = 'secret' then [amount] end", sum, empty},
		{"case when [note] = 'secret' then [amount] end + [id]", sum, empty},
		{"case when [note] = 'secret' then 1 end", sum, empty},
		{"case when [note] != 'secret' then 1 end", sum, empty},
		{"case when [note] = 'secret' then [id] end", of("count_distinct"), empty},
		{"case when [note] = 'secret' then [id] end", of("count"), empty},
		{"case when [note] = 'secret' then [id] end", of("median"), empty},
		{"nullif([amount], 503)", sum, empty},
		{"nullif([note], 'secret')", of("count"), empty},
		{"nullif([note], 'secret')", of("count_distinct"), empty},
		{"[amount] + 0 * nullif([amount], 503)", sum, empty},
		{"[amount] / nullif([id], 17)", sum, empty},
		{"sum([amount] where [note] = 'secret')", group, empty},
		{"sum([amount] where [note] != 'secret')", group, empty},
		{"sum([amount]) - sum([amount] where [note] != 'secret')", group, empty},
		{"count(where [note] = 'secret')", group, empty},
		// Conditions that differ in few rows.
		{"sum([amount] where [id] >= 17 and [id] < 100) - sum([amount] where [id] >= 18 and [id] < 100)", group, empty},
		{"sum([amount] where [id] <= 17) + sum([amount] where [id] > 18)", group, empty},
		{"sum(if([id] >= 17, [amount], null)) - sum([amount] where [id] >= 18)", group, empty},
		{"count(if([id] >= 17, 1, null)) - count(if([id] >= 18 or [note] = 'x', 1, null))", group, empty},
		{"sum([amount] where [id] <= 100) - sum([amount] where [id] < 50 and [note] != 'secret') - sum([amount] where [id] between 50 and 100)", group, empty},
		{"sum([amount] where [id] < 20) - sum([amount] where [id] < 40) * sum([amount] where [id] < 60) * sum([amount] where [id] < 80) * sum([amount] where [id] < 81)", group, empty},
		{"1", `"measures":[{"fn":"ratio","numerator":{"fn":"sum","column":"amount","filters":[{"column":"id","op":">=","values":[17]}]},"denominator":{"fn":"sum","column":"amount","filters":[{"column":"id","op":">=","values":[18]}]}}]`, empty},
		// Columns that mark a few rows.
		{"[amount] * [marked]", sum, empty},
		{"[amount] * ([marked] + 1) - [amount]", sum, empty},
		{"[amount] * [unmarked]", sum, empty},
		{"[amount] / [unmarked]", sum, empty},
		{"[marked] / [amount]", sum, empty},
		{"[unmarked] / [amount]", sum, empty},
		{"sum([marked])", group, empty},
		{"[amount] + [marked]", sum, empty},
		{"avg([marked])", group, empty},
	} {
		_, err := e.Run(t.Context(), Query{Spec: fieldSpec(t, tc.field, tc.rest), Dataset: ds})
		if err != nil {
			t.Errorf("%s without a rule: %v", tc.field, err)
		}
		r, err := e.Run(t.Context(), Query{Spec: fieldSpec(t, tc.field, tc.rest), Dataset: seen})
		got := refused
		switch {
		case err == nil && r.Rows == 0:
			got = empty
		case err == nil:
			got = fmt.Sprint(resultText(&r.Columns[0], 0))
		case !errors.Is(err, ErrRowsWithheld):
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s, %s: %s, want %s", tc.field, tc.rest, got, tc.want)
		}
	}
}

// TestHonestMeasuresGoOn: with enough rows behind them, the answers are those of
// somebody whom no rule binds.
func TestHonestMeasuresGoOn(t *testing.T) {
	f := newFixture(t)
	ds := careRows(f)
	e := f.engine()
	seen := withPolicy(ds, Policy{MinRows: fewest})
	lookup := *ds
	target := *ds.Lookups["area"].Target
	target.Policy = NewPolicy(Policy{MinRows: fewest})
	lookup.Lookups = map[string]Lookup{"area": {Column: 2, Key: 1, Target: &target}}
	for _, tc := range []struct{ field, measures string }{
		{"[cost] * [quantity]", `{"fn":"sum","column":"x","as":"s"},{"fn":"avg","column":"x","as":"a"},{"fn":"sum","column":"x","as":"h","show":"share"}`},
		{"([cost] - 2) * ([quantity] + 1)", `{"fn":"sum","column":"x","as":"s"},{"fn":"avg","column":"x","as":"a"}`},
		{"[amount] - [cost]", `{"fn":"sum","column":"x","as":"s"},{"fn":"avg","column":"x","as":"a"},{"fn":"sum","column":"x","as":"h","show":"share"}`},
		{"[amount] / [quantity]", `{"fn":"sum","column":"x","as":"s"},{"fn":"avg","column":"x","as":"a"}`},
		{"([amount] - [cost]) / [amount]", `{"fn":"sum","column":"x","as":"s"},{"fn":"avg","column":"x","as":"a"}`},
		{"[amount] / 1000", `{"fn":"sum","column":"x","as":"s"},{"fn":"median","column":"x","as":"m"},{"fn":"percentile","column":"x","percentile":75,"as":"p"}`},
		{"[amount] / 1", `{"fn":"sum","column":"x","as":"s"}`},
		{"[cost] / 1", `{"fn":"sum","column":"x","as":"s"}`},
		{"[quantity] / [quantity] * [amount]", `{"fn":"sum","column":"x","as":"s"}`},
		{"100 - 2 * [cost]", `{"fn":"sum","column":"x","as":"s"},{"fn":"median","column":"x","as":"m"},{"fn":"percentile","column":"x","percentile":30,"as":"p"}`},
		{"-[cost] * 1.25", `{"fn":"sum","column":"x","as":"s"}`},
		{"date_diff('day', [day], [left])", `{"fn":"avg","column":"x","as":"a"},{"fn":"sum","column":"x","as":"s"}`},
		{"[amount] * [area.rate] + [area.double]", `{"fn":"sum","column":"x","as":"s"}`},
		{"[amount] + [cost] * 2 - [id] * 3 + [quantity] - [area.rate] + [amount] / [quantity] + 5", `{"fn":"sum","column":"x","as":"s"},{"fn":"avg","column":"x","as":"a"}`},
		{"[margin]", `{"fn":"sum","column":"x","as":"s"},{"measure":"spent","as":"p"}`},
		{"sum([amount]) / sum([area.people])", `{"measure":"x","as":"s"}`},
		{"sum([cost] * [quantity]) / sum([quantity])", `{"measure":"x","as":"s"}`},
		{"sum([amount] where [quantity] > 2) / sum([amount])", `{"measure":"x","as":"s"}`},
		{"sum([amount] where [quantity] > 2) / sum([amount] where [region] != 'x' and [cost] > 44)", `{"measure":"x","as":"s"}`},
		{"count(where [quantity] <= 2) + 2 * count(where [quantity] in (3, 4)) + 3 * count(where [quantity] > 4)", `{"measure":"x","as":"s"}`},
		{"if(sum([amount]) > 10, round(sum([amount] - [cost]), 1), 0)", `{"measure":"x","as":"s"}`},
		{"sum([amount] * 3 - [cost] * 2 + 7 where [quantity] > 2) - sum([cost])", `{"measure":"x","as":"s"}`},
		{"if([quantity] > 2, [amount], null)", `{"fn":"sum","column":"x","as":"s"},{"fn":"count","column":"x","as":"c"},{"fn":"median","column":"x","as":"m"}`},
		{"case when [quantity] > 2 then [amount] + [cost] end", `{"fn":"sum","column":"x","as":"s"},{"fn":"avg","column":"x","as":"a"}`},
		{"nullif([quantity], 3) + [cost]", `{"fn":"sum","column":"x","as":"s"},{"fn":"avg","column":"x","as":"a"}`},
		{"count_distinct(date_trunc('week', [day])) + count_distinct(concat([region], '/', lower([note])))", `{"measure":"x","as":"s"}`},
		{"date_trunc('month', [day])", `{"fn":"max","column":"x","as":"l"},{"fn":"min","column":"day","as":"f"}`},
		{"[amount]", `{"fn":"sum","column":"cost","filters":[{"column":"x","op":">","values":[150]}],"as":"s"},{"fn":"count","as":"n"}`},
	} {
		for _, dims := range []string{"", `"dimensions":[{"column":"region"}],`, `"dimensions":[{"column":"area.rate"}],"other":true,"limit":1,`} {
			if strings.Contains(dims, "other") && (strings.Contains(tc.measures, "median") || strings.Contains(tc.field, "distinct")) || dims != "" && strings.Contains(tc.measures, "max") {
				continue // these have no "Other" for whom the rule binds
			}
			rest := dims + `"measures":[` + tc.measures + `]`
			if dims == "" {
				rest = strings.ReplaceAll(rest, `,"show":"share"`, "")
			}
			want, err := e.Run(t.Context(), Query{Spec: fieldSpec(t, tc.field, rest), Dataset: ds, Exact: true})
			if err != nil {
				t.Fatalf("%s, %s: %v", tc.field, rest, err)
			}
			rules := map[string]*Dataset{"a rule": seen}
			if strings.Contains(dims, "area") {
				rules["a rule of the lookup"] = &lookup
			}
			for name, ds := range rules {
				got, err := e.Run(t.Context(), Query{Spec: fieldSpec(t, tc.field, rest), Dataset: ds, Exact: true})
				if err != nil || got.Rows == 0 {
					t.Errorf("%s, %s with %s: %v, %v", tc.field, rest, name, got, err)
					continue
				}
				if diff := sameResult(got, want); diff != "" {
					t.Errorf("%s, %s with %s: %s", tc.field, rest, name, diff)
				}
			}
		}
	}
	// The rule of a lookup binds a measure that stands before what looks it up.
	_, err := e.Run(t.Context(), Query{Dataset: &lookup, Spec: fieldSpec(t, "if([note] = 'secret', [amount], 0)",
		`"measures":[{"fn":"sum","column":"x"},{"fn":"sum","column":"area.people"}]`)})
	if !errors.Is(err, ErrRowsWithheld) || !strings.Contains(err.Error(), `"x" can't be added up for you: it chooses between values, and groups of fewer than 5 rows`) {
		t.Error(err)
	}
	// Sums of nothing, and those of more than 64 bits.
	large := f.dataset("large", "id integer, a integer, b integer", "SELECT i AS id, 4000000000000000000 AS a, 3000000000000000000 AS b FROM range(40) r(i)")
	for _, tc := range []struct{ field, rest, want string }{
		{"7", `"measures":[{"fn":"sum","column":"x","as":"s"}],"filters":[{"column":"id","op":"<","values":[0]}]`, "NULL"},
		{"7", `"measures":[{"fn":"sum","column":"x","as":"s"}]`, "280"},
		{"[a] + [b]", `"measures":[{"fn":"sum","column":"x","as":"s"}]`, "280000000000000000000"},
		{"[a] * 2 - [b]", `"measures":[{"fn":"sum","column":"x","as":"s"}],"dimensions":[{"column":"b"}]`, "200000000000000000000"},
	} {
		r, err := e.Run(t.Context(), Query{Spec: fieldSpec(t, tc.field, tc.rest), Dataset: withPolicy(large, Policy{MinRows: fewest})})
		if err != nil {
			t.Errorf("%s: %v", tc.field, err)
			continue
		}
		text, err := json.Marshal(&r.Columns[len(r.Columns)-1])
		if err != nil || resultText(&r.Columns[len(r.Columns)-1], 0) != tc.want && !strings.Contains(string(text), `"`+tc.want+`"`) {
			t.Errorf("%s is %s, want %s; %v", tc.field, text, tc.want, err)
		}
	}
	// What masks make of columns is added up and counted like columns.
	masked := withPolicy(ds, Policy{MinRows: fewest, Columns: map[int32]Mask{6: {Kind: MaskRange, Width: 10}, 9: {Kind: MaskRange, Width: 5}, 3: {Kind: MaskFirst, Keep: 1}, 4: {Kind: MaskYear}}})
	open := withPolicy(ds, Policy{Columns: masked.Policy.Columns})
	spec := `{"dataset":"d","fields":{"x":"[amount] * [quantity] - [cost] / 2"},"measures":[{"fn":"sum","column":"amount"},{"fn":"avg","column":"cost"},{"fn":"sum","column":"x"},{"fn":"median","column":"cost","as":"m"},{"fn":"count_distinct","column":"note"},{"fn":"max","column":"day"}]}`
	const said = `"small_groups_withheld":true,`
	if got, want := strings.Replace(run(t, e, masked, spec), said, "", 1), run(t, e, open, spec); got != want {
		t.Errorf("masked: %s, want %s", got, want)
	}
	// A calculated dimension is a group that is counted.
	if got := run(t, e, seen, `{"dataset":"d","fields":{"x":"if([note] = 'secret', 'a', 'b')"},"dimensions":[{"column":"x"}],"measures":[{"fn":"count"}]}`); !strings.Contains(got, `"rows":[]`) {
		t.Error(got)
	}
	// Running totals of what is made of two sums.
	spec = `{"dataset":"d","dimensions":[{"column":"day","grain":"month"}],"measures":[{"fn":"sum","column":"margin","show":"running"}]}`
	if got, want := strings.Replace(run(t, e, seen, spec), said, "", 1), run(t, e, ds, spec); got != want {
		t.Errorf("running: %s, want %s", got, want)
	}
}

// sameResult compares two answers, floats to ten digits.
func sameResult(got, want *Result) string {
	if len(got.Columns) != len(want.Columns) || got.Rows != want.Rows {
		return fmt.Sprintf("%d columns and %d rows, want %d and %d", len(got.Columns), got.Rows, len(want.Columns), want.Rows)
	}
	for c := range got.Columns {
		g, w := &got.Columns[c], &want.Columns[c]
		if g.Type != w.Type || g.Scale != w.Scale {
			return fmt.Sprintf("%s is %s(%d), want %s(%d)", g.Name, g.Type, g.Scale, w.Type, w.Scale)
		}
		for i := range got.Rows {
			a, b := resultText(g, i), resultText(w, i)
			if g.Type == Float && a != b {
				if x, y := g.Floats[i], w.Floats[i]; math.Abs(x-y) <= 1e-10*math.Abs(y) {
					continue
				}
			}
			if a != b {
				return fmt.Sprintf("%s in line %d is %s, want %s", g.Name, i, a, b)
			}
		}
	}
	return ""
}

// valueGenerator draws numbers of a row: arithmetic, and what bends it.
type valueGenerator struct{ specGenerator }

func (g *valueGenerator) number(depth int) string {
	if depth <= 0 {
		if g.chance(3) {
			return pick(&g.specGenerator, "2", "-3", "0.5", "10", "1.25")
		}
		return pick(&g.specGenerator, "[i]", "[j]", "[d]", "[x]", "date_diff('day', [from], [to])")
	}
	a, b := g.number(depth-1), g.number(depth-1)
	switch n := g.rnd.IntN(20); {
	case n < 9:
		return "(" + a + pick(&g.specGenerator, " + ", " - ") + b + ")"
	case n < 13:
		return "(" + a + " * " + b + ")"
	case n < 15:
		return "(" + a + " / " + pick(&g.specGenerator, "4", "0.1", "[j]", "[x]", b) + ")"
	case n < 16:
		return "if([i] > 5, " + a + ", null)"
	case n < 17:
		return "nullif(" + a + ", " + b + ")"
	}
	return fmt.Sprintf(pick(&g.specGenerator, "if([i] > 5, %[1]s, %[2]s)", "coalesce(%[1]s, %[2]s)", "greatest(%[1]s, %[2]s)", "abs(%[1]s)", "round(%[1]s)",
		"(%[1]s %% 7)", "power(%[1]s, 2)", "exp(%[1]s)", "case when [j] > 3 then %[1]s when [i] > 3 then %[2]s end"), a, b)
}

// TestRandomSumsAreOfColumns: what is added up for whom a rule binds is a straight
// line in each column, and the sum is that of somebody whom none binds.
func TestRandomSumsAreOfColumns(t *testing.T) {
	f := newFixture(t)
	rnd := rand.New(rand.NewPCG(5, 6))
	numbers := []string{"i", "j", "d", "x"}
	var rows []string
	// Rows come by three: one column takes equal steps, the others stay.
	for n := range 160 {
		at, steps := n%len(numbers), []float64{1, 1, 0.25, 0.5}
		values := []float64{float64(1 + rnd.IntN(20)), float64(1 + rnd.IntN(9)), float64(rnd.IntN(400)) / 4, 0.5 + float64(rnd.IntN(40))/2}
		from, to := rnd.IntN(300), rnd.IntN(300)
		for k := range 3 {
			rows = append(rows, fmt.Sprintf("(%d, %d, %v, %v, %v, %v, DATE '2024-01-01' + %d, DATE '2024-01-01' + %d)", 3*n+k, n%2, values[0], values[1], values[2], values[3], from, to))
			values[at] += steps[at]
		}
	}
	ds := f.dataset("lines", `id integer, side integer, i integer, j integer, d decimal(10,2), x float, from date, to date`,
		"SELECT * FROM (VALUES "+strings.Join(rows, ",")+`) v(id, side, i, j, d, x, "from", "to")`)
	e := f.engine()
	seen := withPolicy(ds, Policy{MinRows: fewest})
	var answered, refused, few int
	for n := range max(*randomSpecs/2, 150) {
		g := &valueGenerator{specGenerator{rnd: rand.New(rand.NewPCG(*randomSeed+9, uint64(n)+1)), kinds: map[string]int{}}}
		field := g.number(1 + n%3)
		fn := pick(&g.specGenerator, "sum", "sum", "avg")
		rest := `"dimensions":[{"column":"side"}],"measures":[{"fn":"` + fn + `","column":"x"}]`
		want, err := e.Run(t.Context(), Query{Spec: fieldSpec(t, field, rest), Dataset: ds, Exact: true})
		if err != nil {
			continue // always null, or too large
		}
		got, err := e.Run(t.Context(), Query{Spec: fieldSpec(t, field, rest), Dataset: seen, Exact: true})
		switch {
		case errors.Is(err, ErrRowsWithheld):
			refused++
			continue
		case err != nil:
			t.Fatalf("%s: %v", field, err)
		case got.Rows < want.Rows:
			few++
		default:
			answered++
			if diff := closeTo(got, want); diff != "" {
				t.Errorf("%s of %s: %s", fn, field, diff)
			}
		}
		r, err := e.Run(t.Context(), Query{Spec: fieldSpec(t, field, `"columns":["x"],"order":[{"by":"id"}],"limit":1000`), Dataset: ds})
		if err != nil {
			t.Fatalf("%s: %v", field, err)
		}
		for i := 0; i < r.Rows; i += 3 {
			of := numbers[i/3%len(numbers)]
			if strings.Contains(field, "/ ["+of) || strings.Contains(field, "/ (") || r.Columns[0].IsNull(i) || r.Columns[0].IsNull(i+1) || r.Columns[0].IsNull(i+2) {
				continue
			}
			a, b, c := parsedAt(&r.Columns[0], i), parsedAt(&r.Columns[0], i+1), parsedAt(&r.Columns[0], i+2)
			if bend := math.Abs(a - 2*b + c); bend > 1e-9*(math.Abs(a)+math.Abs(c)+1) {
				t.Errorf("%s is answered, and bends in %s: %v, %v, %v", field, of, a, b, c)
				break
			}
		}
	}
	if t.Logf("%d answered, %d withheld, %d refused", answered, few, refused); answered < 20 || refused < 20 {
		t.Error("too few of a kind")
	}
}

func parsedAt(c *ResultColumn, i int) float64 {
	x, err := strconv.ParseFloat(resultText(c, i), 64)
	if err != nil {
		return math.NaN()
	}
	return x
}

// closeTo compares numbers that were added up in another order.
func closeTo(got, want *Result) string {
	for c := range got.Columns {
		for i := range got.Rows {
			g, w := &got.Columns[c], &want.Columns[c]
			if a, b := parsedAt(g, i), parsedAt(w, i); g.IsNull(i) != w.IsNull(i) || math.Abs(a-b) > 1e-6*(math.Abs(b)+1) {
				return fmt.Sprintf("%s in line %d is %v, want %v", g.Name, i, a, b)
			}
		}
	}
	return ""
}

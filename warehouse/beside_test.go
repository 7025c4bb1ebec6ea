package warehouse

import (
	"fmt"
	"strings"
	"testing"
)

// made is a dataset of rows: each part is a list of columns, as often as its number says;
// i counts.
func made(f *fixture, columns string, parts ...string) *Dataset {
	var names, rows []string
	for _, c := range strings.Split(columns, ", ") {
		names = append(names, `"`+strings.Fields(c)[0]+`"`)
	}
	for _, p := range parts {
		n, list, _ := strings.Cut(p, ": ")
		rows = append(rows, "SELECT "+list+" FROM range("+n+") r(i)")
	}
	return f.dataset("made", columns, "SELECT * FROM ("+strings.Join(rows, " UNION ALL ")+") v("+strings.Join(names, ", ")+")")
}

// TestAnswersBesideEachOther: what each of some questions shows, so that no difference
// between their answers is that of few rows.
func TestAnswersBesideEachOther(t *testing.T) {
	f := newFixture(t)
	e := f.engine()
	const all = `"measures":[{"fn":"sum","column":"v"},{"fn":"count","as":"n"}]`
	where := func(column, op, values string) string {
		return all + fmt.Sprintf(`,"filters":[{"column":%q,"op":%q,"values":[%s]}]`, column, op, values)
	}
	by := func(dimension, measures string) string {
		return `"dimensions":[{"column":` + dimension + `}],` + measures
	}
	values := made(f, "price decimal(10,2), size float, day date, v integer",
		"100: 5.00, 5.5, DATE '2024-01-01', 2", "100: 6.00, 6.5, DATE '2024-01-02', 2", "3: 9.99, 9.5, DATE '2024-01-03', 500")
	kinds := made(f, "kind text, v integer", "3: 'rare', 500", "60: 'flu', 2", "50: 'cold', 2", "40: 'gout', 2")
	spans := made(f, "at date, v integer", "3: DATE '2024-01-01', 500", "600: DATE '2024-01-02' + CAST(i % 30 AS INTEGER), 2")
	spans.TimeColumn = 1
	days := made(f, "at date, v integer", "3: DATE '2024-01-31', 500", "600: DATE '2024-01-01' + CAST(i % 30 AS INTEGER), 2", "12: DATE '2024-03-05', 2", "600: DATE '2024-03-06' + CAST(i % 20 AS INTEGER), 2")
	nulls := made(f, "state text, age integer, flag boolean, v integer", "50: 'CA', 20, TRUE, 2", "60: 'TX', 40, FALSE, 2", "1: NULL, NULL, NULL, 503")
	measures := made(f, "g text, a integer, b integer, c integer, d integer",
		"40: 'X', CASE WHEN i < 2 THEN 500 END, 7, CASE WHEN i < 2 THEN 5 ELSE 1 END, CASE WHEN i < 20 THEN 5 ELSE 1 END",
		"60: 'Z', 3, CASE WHEN i < 2 THEN 9 END, CASE WHEN i < 30 THEN 5 ELSE 1 END, CASE WHEN i < 2 THEN 5 ELSE 1 END",
		"30: 'Y', 3, 5, CASE WHEN i < 15 THEN 5 ELSE 1 END, CASE WHEN i < 15 THEN 5 ELSE 1 END",
		"90: 'W', 3, 5, CASE WHEN i < 45 THEN 5 ELSE 1 END, CASE WHEN i < 45 THEN 5 ELSE 1 END")
	over := func(column string) string {
		return fmt.Sprintf(`{"fn":"count","as":%q,"filters":[{"column":%q,"op":">","values":[3]}]}`, column, column)
	}
	sums := func(list string) string { return `"measures":[` + list + `]` }
	const sumA, sumB = `{"fn":"sum","column":"a","as":"a"}`, `{"fn":"sum","column":"b","as":"b"}`
	for _, tc := range []struct {
		name string
		ds   *Dataset
		spec string
		rows int
	}{
		// Which groups go along does not depend on the other measures and conditions.
		{"measures", measures, sums(sumA), 1},
		{"measures", measures, by(`"g"`, sums(sumA)), 2},
		{"measures", measures, by(`"g"`, sums(sumB)), 2},
		{"measures", measures, by(`"g"`, sums(sumA+","+sumB)), 1},
		{"conditions", measures, by(`"g"`, sums(over("c"))), 2},
		{"conditions", measures, by(`"g"`, sums(over("c")+","+over("d"))), 1},
		// A condition and its opposite leave out the row without a value.
		{"no value", nulls, all, 1},
		{"no value", nulls, where("age", "<", "30"), 0},
		{"no value", nulls, where("age", ">=", "30"), 0},
		{"no value", nulls, where("flag", "=", "false"), 0},
		{"no value", nulls, where("state", "contains", `"C"`), 0},
		// All, less two spans that are compared.
		{"spans", spans, all, 1},
		{"spans", spans, all + `,"filters":[{"column":"at","op":"between","from":"2024-01-17","to":"2024-01-31"}]`, 1},
		{"spans", spans, all + `,"filters":[{"column":"at","op":"between","from":"2024-01-17","to":"2024-01-31"}],"comparison":{"period":"previous"}`, 0},
		// Filters that name values of any column, and parts of dates.
		{"values", values, where("price", "in", `"5.00"`), 0},
		{"values", values, where("price", "in", `"5.00","9.99"`), 1},
		{"values", values, where("price", "in", `"6.00"`), 1},
		{"values", values, where("size", "in", `5.5`), 0},
		{"values", values, where("day", "in", `"2024-01-01"`), 0},
		{"values", values, all + `,"filters":[{"column":"day","op":"in","grain":"weekday","values":[1]}]`, 0},
		// Groups of values take all that go along with each other.
		{"groups", kinds, by(`"kind"`, all), 2},
		{"groups", kinds, by(`"kind","as":"k","groups":{"A":["flu","rare"]}`, all), 0},
		{"groups", kinds, by(`"kind","as":"k","groups":{"A":["gout","rare"]}`, all), 3},
		{"groups", kinds, where("kind", "in", `"flu","rare"`), 0},
		{"groups", kinds, all + `,"filters":[{"column":"kind","op":"in","values":["A"],"groups":{"A":["flu","rare"]},"other":"rest"}]`, 0},
		{"groups", kinds, all + `,"fields":{"k":"replace([kind], 'rare', 'flu')"},"dimensions":[{"column":"k"}]`, 1},
		// A day goes along with another of its month.
		{"days", days, by(`"at","grain":"month"`, all), 2},
		{"days", days, by(`"at","grain":"day"`, all+`,"filters":[{"column":"at","op":"<","values":["2024-02-01"]}]`), 27},
	} {
		r, err := e.Run(t.Context(), Query{Spec: mustSpec(t, `{"dataset":"d",`+tc.spec+`}`), Dataset: withPolicy(tc.ds, Policy{MinRows: 10}), Exact: true})
		if err != nil {
			t.Errorf("%s, %s: %v", tc.name, tc.spec, err)
		} else if r.Rows != tc.rows {
			t.Errorf("%s, %s: %s, want %d groups", tc.name, tc.spec, r.AppendJSON(nil), tc.rows)
		}
	}
}

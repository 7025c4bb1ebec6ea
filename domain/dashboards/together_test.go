package dashboards

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/dataflowhq/dataflow/warehouse"
)

// questions are three that differ in their measures, one of them with two.
func questions(extra ...warehouse.Measure) []warehouse.Spec {
	base := warehouse.Spec{Dataset: "d", Dimensions: []warehouse.Dimension{{Column: "day", Grain: "day"}}, Order: []warehouse.Order{{By: "day"}},
		Filters: []warehouse.Filter{{Column: "day", Op: "last", N: 7, Unit: "day"}}}
	var list []warehouse.Spec
	for _, measures := range [][]warehouse.Measure{
		{{Fn: "count", As: "n"}},
		{{Fn: "sum", Column: "amount", As: "total"}, {Fn: "count", As: "rows"}},
		append([]warehouse.Measure{{Fn: "sum", Column: "amount"}}, extra...),
	} {
		spec := base
		spec.Measures = measures
		list = append(list, spec)
	}
	return list
}

func TestQuestionsThatDifferInMeasuresAreOne(t *testing.T) {
	all := together{}
	list := questions()
	for i := range list {
		all.add(&list[i], false)
	}
	if len(all) != 1 {
		t.Fatalf("%d questions, want 1", len(all))
	}
	j := all[joinKey(list[0], false)]
	if j == nil || j.asked != 3 || len(j.spec.Measures) != 2 {
		t.Fatalf("got %+v, want 3 questions with 2 measures", j)
	}
	// The answer has both measures and their values before.
	whole := &warehouse.Result{Rows: 1, Columns: []warehouse.ResultColumn{{Name: "day", Dimension: true},
		{Name: "m0", Ints: []int64{10}}, {Name: "m0.previous", Ints: []int64{11}},
		{Name: "m1", Ints: []int64{20}}, {Name: "m1.previous", Ints: []int64{21}}}}
	for i, want := range []string{"day n n.previous 10 11", "day total total.previous rows rows.previous 20 21 10 11", "day sum_amount sum_amount.previous 20 21"} {
		r, ok := j.pick(whole, &list[i])
		if !ok {
			t.Fatalf("question %d is not in the answer", i)
		}
		got := ""
		for _, c := range r.Columns {
			got += c.Name + " "
		}
		for _, c := range r.Columns[1:] {
			got += fmt.Sprint(c.Ints[0]) + " "
		}
		if got != want+" " {
			t.Errorf("question %d: got %q, want %q", i, got, want)
		}
	}
	if whole.Columns[1].Name != "m0" {
		t.Error("the shared answer was changed")
	}
}

func TestQuestionsWhoseGroupsDependOnMeasuresStayAlone(t *testing.T) {
	for name, change := range map[string]func(*warehouse.Spec){
		"a page":             func(s *warehouse.Spec) { s.Offset = 10 },
		"order by a measure": func(s *warehouse.Spec) { s.Order = []warehouse.Order{{By: "n"}} },
		"a filter of groups": func(s *warehouse.Spec) {
			s.Filters = append(s.Filters, warehouse.Filter{Measure: "n", Op: ">", Values: []json.RawMessage{[]byte("1")}})
		},
		"the largest of its measure": func(s *warehouse.Spec) {
			s.Dimensions, s.Order, s.Limit = []warehouse.Dimension{{Column: "kind"}}, nil, 4
		},
		"plain rows":          func(s *warehouse.Spec) { s.Columns = []string{"day"} },
		"the rest as one row": func(s *warehouse.Spec) { s.Other = true },
	} {
		list := questions()
		change(&list[0])
		if canJoin(&list[0]) {
			t.Errorf("%s: is asked together with others", name)
		}
	}
	// Other rows are another question.
	list := questions()
	list[1].Filters = nil
	if joinKey(list[0], false) == joinKey(list[1], false) || joinKey(list[0], false) == joinKey(list[0], true) {
		t.Error("different rows have the same key")
	}
	// What no longer fits is asked alone.
	var many []warehouse.Measure
	for i := range maxTogether {
		many = append(many, warehouse.Measure{Fn: "max", Column: fmt.Sprint(i)})
	}
	list, all := questions(many...), together{}
	for i := range list {
		all.add(&list[i], false)
	}
	j := all[joinKey(list[0], false)]
	if j.asked != 2 {
		t.Errorf("%d questions are asked together, want 2", j.asked)
	}
	if _, ok := j.pick(&warehouse.Result{}, &list[2]); ok {
		t.Error("an answer without the measures was taken")
	}
}

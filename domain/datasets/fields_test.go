package datasets_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/expr"
)

// TestFields saves calculated fields, uses them, renames what they use, and
// shows what they keep from being removed.
func TestFields(t *testing.T) {
	r := newRig(t)
	report, err := r.ImportFile(t.Context(), r.actor, datasets.ImportRequest{Path: write(t, "trips.csv", "origin,delay,seats\nORD,30,100\nSFO,5,50\nORD,10,\n"), Dataset: "trips"})
	if err != nil {
		t.Fatal(err)
	}
	id := report.Dataset
	save := func(name, text string) error {
		return r.SaveField(t.Context(), r.actor, id, datasets.Field{Name: name, Expression: text, Description: "about " + name, Format: datasets.Format{Unit: "min"}})
	}
	for _, f := range [][2]string{{"late", "[delay] > 15"}, {"share late", "count(where [late]) / count()"}, {"hours", "round([delay] / 60, 2)"}} {
		if err := save(f[0], f[1]); err != nil {
			t.Fatalf("%s: %v", f[0], err)
		}
	}
	ask := func(spec warehouse.Spec) *warehouse.Result {
		t.Helper()
		spec.Dataset = id.String()
		result, err := r.Query(t.Context(), r.actor, datasets.QueryRequest{Spec: spec})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	result := ask(warehouse.Spec{Measures: []warehouse.Measure{{Measure: "share late"}, {Fn: "max", Column: "hours"}}})
	if got := result.Columns[0].Floats[0]; got != 1.0/3 {
		t.Errorf("share %v, want a third", got)
	}
	if got := result.Columns[1].Floats[0]; got != 0.5 {
		t.Errorf("hours %v, want 0.5", got)
	}

	list, err := r.ListFields(t.Context(), r.actor, id, nil)
	if err != nil || len(list) != 3 || list[0].Name != "hours" || list[0].Type != warehouse.Float || !list[2].Aggregate || list[1].Description != "about late" || list[1].Format.Unit != "min" {
		t.Errorf("%+v, %v", list, err)
	}

	// A renamed column takes its expressions along.
	name := "minutes late"
	if err := r.EditColumn(t.Context(), r.actor, id, 2, datasets.ColumnEdit{Name: &name}); err != nil {
		t.Fatal(err)
	}
	d, err := r.Get(t.Context(), r.actor, id)
	if err != nil || d.Fields[0].Expression != "round([minutes late] / 60, 2)" {
		t.Errorf("%+v, %v", d.Fields, err)
	}
	result = ask(warehouse.Spec{Fields: map[string]string{"twice": "[delay] * 2"}, Measures: []warehouse.Measure{{Fn: "sum", Column: "twice"}, {Fn: "sum", Column: "hours"}}})
	if got := result.Columns[0].Ints[0]; got != 90 {
		t.Errorf("twice %v, want 90: a spec may use the former name", got)
	}

	for what, tc := range map[string]struct {
		err  error
		want *apperr.Kind
		says string
	}{
		"column taken":      {save("seats", "1"), datasets.ErrFieldInvalid, "column"},
		"no name":           {save(" ", "1"), datasets.ErrFieldInvalid, "1 to 120"},
		"does not parse":    {save("x", "1 +"), expr.ErrSyntax, "Line 1, column 4"},
		"does not fit":      {save("x", "[origin] * 2"), expr.ErrType, "[origin]"},
		"made of itself":    {save("x", "[x]"), expr.ErrCycle, "x"},
		"breaks another":    {save("late", "[origin]"), datasets.ErrInUse, "share late"},
		"used by another":   {r.RemoveField(t.Context(), r.actor, id, "late"), datasets.ErrInUse, "share late"},
		"nothing to remove": {r.RemoveField(t.Context(), r.actor, id, "lost"), datasets.ErrFieldNotFound, ""},
		"column is used":    {r.DropColumn(t.Context(), r.actor, id, 2), datasets.ErrInUse, "the field “hours”, the field “late”"},
		"column name is one": {func() error {
			to := "hours"
			return r.EditColumn(t.Context(), r.actor, id, 3, datasets.ColumnEdit{Name: &to})
		}(), datasets.ErrColumnInvalid, "hours"},
	} {
		if !errors.Is(tc.err, tc.want) || !strings.Contains(apperr.Describe(tc.err).Sentence, tc.says) {
			t.Errorf("%s: got %v", what, tc.err)
		}
	}
	for _, name := range []string{"hours", "share late", "late"} {
		if err := r.RemoveField(t.Context(), r.actor, id, name); err != nil {
			t.Errorf("remove %s: %v", name, err)
		}
	}
	if err := r.DropColumn(t.Context(), r.actor, id, 2); err != nil {
		t.Error(err)
	}

	info, err := r.CheckField(t.Context(), r.actor, id, "x", "[origin] =\n  [seats]")
	if err != nil || info.Problem == nil || info.Problem.Line != 2 || info.Problem.Column != 3 || info.Problem.Length != 7 || info.Problem.Code != "expression.type" {
		t.Errorf("%+v, %v", info.Problem, err)
	}
}

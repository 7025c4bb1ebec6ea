package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse/expr"
)

// TestFieldsOfDatasets uses fields of the definition, of a lookup's target,
// and saved measures over fields.
func TestFieldsOfDatasets(t *testing.T) {
	f := newFixture(t)
	ds := goldenDataset(f)
	target := *ds.Lookups["buyer"].Target
	target.Fields = map[string]string{"label": "concat([city], '!')"}
	ds.Lookups = map[string]Lookup{"buyer": {Column: 3, Key: 1, Target: &target}}
	ds.Fields = map[string]string{
		"net": "[amount] * 0.5", "where": "upper([buyer.label])", "mean net": "sum([net]) / count([net])",
	}
	ds.Measures["net_sum"] = Measure{Fn: "sum", Column: "net"}
	e := f.engine()
	for spec, want := range map[string]string{
		`{"dataset": "orders", "measures": [{"measure": "net_sum"}, {"measure": "mean net"}]}`:                                                                                                                                   `[86.875,8.6875]`,
		`{"dataset": "orders", "measures": [{"fn": "count"}], "dimensions": [{"column": "where"}], "order": [{"by": "where"}]}`:                                                                                                  `["!",2],["LEEDS!",3],["YORK!",2],[null,3]`,
		`{"dataset": "orders", "measures": [{"fn": "count"}], "filters": [{"column": "buyer.label", "op": "=", "values": ["Leeds!"]}]}`:                                                                                          `[3]`,
		`{"dataset": "orders", "fields": {"net": "[amount] * 2"}, "measures": [{"fn": "sum", "column": "net", "as": "own"}, {"measure": "net_sum", "as": "saved"}]}`:                                                             `[347.50,86.875]`,
		`{"dataset": "orders", "fields": {"amount": "[amount] + 1"}, "measures": [{"fn": "max", "column": "amount", "as": "a"}, {"fn": "min", "column": "net", "as": "b"}]}`:                                                     `[101.00,0.500]`,
		`{"dataset": "orders", "fields": {"big": "if([amount] > 10, 'big', 'small')"}, "measures": [{"fn": "sum", "column": "items", "show": "share", "as": "s"}], "dimensions": [{"column": "big"}], "order": [{"by": "big"}]}`: `["big",0.6071428571428571],["small",0.39285714285714285]`,
		`{"dataset": "orders", "fields": {"part": "sum([items])"}, "measures": [{"measure": "part", "show": "share", "filters": [{"column": "gift", "op": "=", "values": [true]}]}]}`:                                            `[1]`,
	} {
		got := run(t, e, ds, spec)
		got = got[strings.Index(got, `"rows":[`)+8:]
		if got = got[:strings.Index(got, `],"dataset_version`)]; got != want {
			t.Errorf("%s\ngot %s, want %s", spec, got, want)
		}
	}
}

// TestFieldErrors names codes and a word of the sentence.
func TestFieldErrors(t *testing.T) {
	f := newFixture(t)
	ds := goldenDataset(f)
	ds.Fields = map[string]string{"total": "sum([amount])", "half": "[amount] / 2", "gone": "[lost] + 1"}
	e := f.engine()
	field := func(text string) string {
		return fmt.Sprintf(`{"dataset": "orders", "fields": {"f": %q}, "columns": ["f"]}`, text)
	}
	loop := `{"dataset": "orders", "fields": {"f": "[g]", "g": "[h] + 1", "h": "[f]"}, "columns": ["f"]}`
	blowUp := `{"dataset": "orders", "columns": ["f30"], "fields": {"f0": "[items]"`
	for i := range 30 {
		blowUp += fmt.Sprintf(`, "f%d": "[f%d] + [f%d]"`, i+1, i, i)
	}
	for spec, want := range map[string][2]string{
		field("[amuont]"):                    {"expression.unknown_column", `Field "f", line 1, column 1: There is no column "amuont". Did you mean "amount"?`},
		field("[amount] +\n [customer]"):     {"expression.type", "line 2, column 2"},
		field("[gone]"):                      {"expression.unknown_column", `Field "gone"`},
		field("[f] + 1"):                     {"expression.cycle", `"f"`},
		field("[buyer.citty]"):               {"expression.unknown_column", `Did you mean "buyer.city"`},
		field("sum([amount])"):               {"query.field_aggregate", `"measure"`},
		field("read_parquet('/etc/passwd')"): {"expression.unknown_function", "read_parquet"},
		loop:                                 {"expression.cycle", `"g"`},
		blowUp + "}}":                        {"expression.too_complex", "parts"},
		`{"dataset": "orders", "columns": ["total"]}`:                                                                            {"query.field_aggregate", "total"},
		`{"dataset": "orders", "measures": [{"measure": "half"}]}`:                                                               {"query.unknown_measure", `"fn"`},
		`{"dataset": "orders", "measures": [{"measure": "totl"}]}`:                                                               {"query.unknown_measure", `"total"`},
		`{"dataset": "orders", "measures": [{"fn": "sum", "column": "hlaf"}]}`:                                                   {"query.unknown_column", `"half"`},
		`{"dataset": "orders", "measures": [{"measure": "half"}], "fields": {"half": "min([items]) * 2"}, "columns": ["items"]}`: {"query.mixed_columns", ""},
		`{"dataset": "orders", "fields": {"f": 3}, "columns": ["f"]}`:                                                            {"query.value_type", "fields.f"},
		`{"dataset": "orders", "columns": ["items"], "fields": {"": "1"}}`:                                                       {"query.value_type", "name"},
		`{"dataset": "orders", "dimensions": [{"column": "customer", "groups": {"A": ["x"], "B": ["x"]}}]}`:                      {"query.groups", `"A" and in "B"`},
		`{"dataset": "orders", "dimensions": [{"column": "customer", "groups": {"A": [1]}}]}`:                                    {"query.filter_type", "1"},
		`{"dataset": "orders", "dimensions": [{"column": "customer", "groups": {"A": []}}]}`:                                     {"query.groups", "at least one"},
		`{"dataset": "orders", "dimensions": [{"column": "weight", "groups": {"A": [1]}}]}`:                                      {"query.groups", "weight"},
		`{"dataset": "orders", "dimensions": [{"column": "customer", "other": "B"}]}`:                                            {"query.groups", "other"},
		`{"dataset": "orders", "dimensions": [{"column": "amount", "bins": [1, 1]}]}`:                                            {"query.bin", "rise"},
		`{"dataset": "orders", "dimensions": [{"column": "amount", "bins": []}]}`:                                                {"query.bin", "edges"},
		`{"dataset": "orders", "dimensions": [{"column": "amount", "bins": [1, "2"]}]}`:                                          {"query.value_type", "bins[1]"},
		`{"dataset": "orders", "dimensions": [{"column": "customer", "bins": [1]}]}`:                                             {"query.bin", "a text"},
		`{"dataset": "orders", "dimensions": [{"column": "amount", "bins": [1], "bin": 2}]}`:                                     {"query.groups", "only one"},
	} {
		parsed, err := ParseSpec([]byte(spec))
		if err == nil {
			_, err = e.Run(context.Background(), Query{Spec: parsed, Dataset: ds})
		}
		said := apperr.Describe(err)
		if said.Code != want[0] || !strings.Contains(said.Sentence, want[1]) {
			t.Errorf("%.200s\n%s: %s, want %s: …%s…", spec, said.Code, said.Sentence, want[0], want[1])
		}
	}
}

// TestFieldsNeverReachRules shows that a spec can't redefine what a row rule
// or a saved measure looks at.
func TestFieldsNeverReachRules(t *testing.T) {
	f := newFixture(t)
	ds := goldenDataset(f)
	e := f.engine()
	ds = ruled(ds, Filter{Column: "customer", Op: "=", Values: raws(`"ann"`)})
	spec := mustSpec(t, `{"dataset": "orders", "fields": {"customer": "'ann'", "amount": "1000000", "items": "1"},
		"measures": [{"fn": "count"}, {"measure": "mean_basket"}]}`)
	r, err := e.Run(t.Context(), Query{Spec: spec, Dataset: ds})
	if err != nil {
		t.Fatal(err)
	}
	if r.Columns[0].Ints[0] != 3 || r.Columns[1].Floats[0] != 19.25/2 {
		t.Errorf("%d rows, basket %v", r.Columns[0].Ints[0], r.Columns[1].Floats[0])
	}
}

// TestFieldDigest shows what keys of the cache see: the resolved expression,
// and nothing that the query does not use.
func TestFieldDigest(t *testing.T) {
	f := newFixture(t)
	ds := goldenDataset(f)
	e := f.engine()
	digest := func(change func(*Dataset), spec string) string {
		d := *ds
		d.Fields = map[string]string{"net": "[amount] * 0.5", "unused": "1"}
		if change != nil {
			change(&d)
		}
		text, err := e.Digest(t.Context(), Query{Spec: mustSpec(t, spec), Dataset: &d, Now: time.Unix(0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	const spec = `{"dataset": "orders", "fields": {"f": "[net] + 1"}, "columns": ["f"]}`
	base := digest(nil, spec)
	for name, same := range map[string]string{
		"spaces":        digest(nil, `{"dataset": "orders", "fields": {"f": "( net )  +  1"}, "columns": ["f"]}`),
		"an unused one": digest(func(d *Dataset) { d.Fields["unused"] = "2" }, spec),
		"written out":   digest(nil, `{"dataset": "orders", "fields": {"f": "[amount] * 0.5 + 1", "g": "true"}, "columns": ["f"]}`),
		"a renamed one": digest(func(d *Dataset) { d.Fields["x"] = "[amount] * 0.5" }, `{"dataset": "orders", "fields": {"f": "[x] + 1"}, "columns": ["f"]}`),
	} {
		if same != base {
			t.Errorf("%s changes the digest", name)
		}
	}
	if other := digest(func(d *Dataset) { d.Fields["net"] = "[amount] * 0.6" }, spec); other == base {
		t.Error("another expression of a field has the same digest")
	}
	if other := digest(nil, `{"dataset": "orders", "fields": {"f": "[net] + 2"}, "columns": ["f"]}`); other == base {
		t.Error("another expression has the same digest")
	}
}

// TestStagedFields compares an answer that is grouped in two stages, by stored
// columns first, with one that is not.
func TestStagedFields(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("long", "city text, day date, n integer", `SELECT CASE i % 50 WHEN 7 THEN NULL ELSE 'City ' || (i % 50) END AS city,
		DATE '2020-01-01' + (i % 700)::INTEGER AS day, i AS n FROM range(200000) r(i)`)
	places := f.dataset("places", "name text, state text", "SELECT 'City ' || i AS name, 'S' || (i % 5) AS state FROM range(40) r(i)")
	ds.Lookups = map[string]Lookup{"place": {Column: 1, Key: 1, Target: places}}
	e := f.engine()
	for _, field := range []string{"upper([city])", "coalesce([place.state], 'none')", "concat(left([city], 6), [place.state])", "date_trunc('quarter', [day])", "weekday([day])"} {
		spec := fmt.Sprintf(`{"dataset": "long", "fields": {"f": %q, "odd": "weekday([day]) != 3"}, "dimensions": [{"column": "f"}], "order": [{"by": "f"}],
			"measures": [{"fn": "sum", "column": "n"}, {"fn": "count"}MORE], "filters": [{"column": "odd", "op": "=", "values": [true]}]}`, field)
		staged := strings.Replace(spec, "MORE", "", 1)
		direct := strings.Replace(spec, "MORE", `, {"fn": "median", "column": "n"}`, 1)
		x, err := e.Explain(t.Context(), Query{Spec: mustSpec(t, staged), Dataset: ds})
		if err != nil || len(x.Notes) == 0 {
			t.Fatalf("%s is not staged: %v\n%s", field, err, x.SQL)
		}
		a, errA := e.Run(t.Context(), Query{Spec: mustSpec(t, staged), Dataset: ds})
		b, errB := e.Run(t.Context(), Query{Spec: mustSpec(t, direct), Dataset: ds})
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		if a.Rows == 0 || a.Rows != b.Rows {
			t.Fatalf("%s: %d rows staged, %d direct", field, a.Rows, b.Rows)
		}
		for row := range a.Rows {
			for c := range 3 {
				if x, y := resultText(&a.Columns[c], row), resultText(&b.Columns[c], row); x != y {
					t.Fatalf("%s, row %d: %s staged, %s direct", field, row, x, y)
				}
			}
		}
	}
}

// TestLongTimeField asks for local hours of an expression that is too long to
// be repeated for every change of clocks.
func TestLongTimeField(t *testing.T) {
	f := newFixture(t)
	ds := goldenDataset(f)
	long := "date_add('hour', 1, date_add('hour', -1, [at]))"
	for range 5 {
		long = "date_add('hour', 1, date_add('hour', -1, " + long + "))"
	}
	e := f.engine()
	short := `{"dataset": "orders", "timezone": "Europe/London", "fields": {"f": %q}, "measures": [{"fn": "count"}],
		"dimensions": [{"column": "f", "grain": "day"}, {"column": "f", "grain": "hour_of_day", "as": "h"}], "order": [{"by": "f"}, {"by": "h"}]}`
	a, b := run(t, e, ds, fmt.Sprintf(short, "[at]")), run(t, e, ds, fmt.Sprintf(short, long))
	if a != b {
		t.Errorf("got %s, want %s", b, a)
	}
	x, err := e.Explain(t.Context(), Query{Spec: mustSpec(t, fmt.Sprintf(short, long)), Dataset: ds})
	if err != nil || len(x.SQL) > 30_000 {
		t.Errorf("%v, %d bytes of SQL", err, len(x.SQL))
	}
}

func TestCheckField(t *testing.T) {
	f := newFixture(t)
	ds := goldenDataset(f)
	ds.Fields = map[string]string{"a": "[b] + 1", "b": "[items]"}
	got, err := CheckField(ds, "c", "sum([a]) / 2", nil)
	if err != nil || got != (FieldType{Type: Float, Aggregate: true, Additive: true}) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err = CheckField(ds, "b", "[a]", nil); !errors.Is(err, expr.ErrCycle) {
		t.Errorf("%v, want a cycle", err)
	}
	_, err = CheckField(ds, "c", "[a] + [customer]", nil)
	if p, ok := expr.ProblemOf(err); !ok || p.Column != 7 || p.Length != 10 || p.Field != "" {
		t.Errorf("%+v", p)
	}
}

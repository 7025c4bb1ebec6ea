package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// badSpecs are specs that are refused, with the code and a part of the
// sentence that names the place or the way out.
var badSpecs = map[string]struct{ spec, code, part string }{
	"not JSON":               {`{"dataset":`, "query.invalid_json", "ends too early"},
	"JSON with a slip":       {"{\"dataset\":\"x\",\n \"limit\": 1,}", "query.invalid_json", "line 2"},
	"a list":                 {`[1]`, "query.value_type", "an object"},
	"two objects":            {`{"dataset":"x"} {}`, "query.invalid_json", "after the end"},
	"unknown key":            {`{"dataset":"sales","mesures":[]}`, "query.unknown_key", `Did you mean "measures"?`},
	"unknown key inside":     {`{"measures":[{"func":"sum"}]}`, "query.unknown_key", `measures[0] has an unknown key "func"`},
	"key twice":              {`{"limit":1,"limit":2}`, "query.duplicate_key", "limit"},
	"text for a number":      {`{"measures":[{"fn":"count"}],"limit":"5"}`, "query.value_type", "limit must be a number, not a text"},
	"fraction for a limit":   {`{"measures":[{"fn":"count"}],"limit":1.5}`, "query.value_type", "whole number"},
	"null for a list":        {`{"measures":null}`, "query.value_type", "a list"},
	"object as a value":      {`{"filters":[{"column":"n","op":"=","values":[{}]}]}`, "query.value_type", "filters[0].values[0]"},
	"nothing asked":          {`{"dataset":"sales"}`, "query.empty", "asks for nothing"},
	"rows and groups":        {`{"columns":["n"],"measures":[{"fn":"count"}]}`, "query.mixed_columns", "either"},
	"limit zero":             {`{"measures":[{"fn":"count"}],"limit":0}`, "query.limit", "at least 1"},
	"limit too high":         {`{"measures":[{"fn":"count"}],"limit":100001}`, "query.limit", "100000"},
	"negative offset":        {`{"measures":[{"fn":"count"}],"offset":-1}`, "query.limit", "offset"},
	"other without limit":    {`{"measures":[{"fn":"count"}],"dimensions":[{"column":"region"}],"other":true}`, "query.other", "limit"},
	"too many measures":      {`{"measures":[` + strings.Repeat(`{"fn":"count"},`, 60) + `{"fn":"count"}]}`, "query.too_complex", "limit is 50"},
	"too deep":               {`{"measures":[` + strings.Repeat(`{"fn":"ratio","denominator":{"fn":"count"},"numerator":`, 9) + `{"fn":"count"}` + strings.Repeat("}", 9) + `]}`, "query.too_complex", "nested"},
	"unknown function":       {`{"measures":[{"fn":"summ","column":"n"}]}`, "query.measure_function", `Did you mean "sum"?`},
	"no function":            {`{"measures":[{"column":"n"}]}`, "query.missing_key", "measures[0]"},
	"sum of nothing":         {`{"measures":[{"fn":"sum"}]}`, "query.measure", "needs a column"},
	"ratio without parts":    {`{"measures":[{"fn":"ratio","numerator":{"fn":"count"}}]}`, "query.measure", "denominator"},
	"percentile of 100":      {`{"measures":[{"fn":"percentile","column":"n","percentile":100}]}`, "query.measure", "between 0 and 100"},
	"sum of a text":          {`{"measures":[{"fn":"sum","column":"region"}]}`, "query.measure_type", `"region" is a text`},
	"share of a mean":        {`{"measures":[{"fn":"avg","column":"n","show":"share"}]}`, "query.measure_show", "only sums and counts"},
	"running without time":   {`{"measures":[{"fn":"count","show":"running"}],"dimensions":[{"column":"region"}]}`, "query.measure_show", "dimension of time"},
	"unknown column":         {`{"measures":[{"fn":"sum","column":"amout"}]}`, "query.unknown_column", `Did you mean "amount"?`},
	"no near column":         {`{"dimensions":[{"column":"gone"}]}`, "query.unknown_column", `no column "gone"`},
	"dropped column":         {`{"dimensions":[{"column":"colour"}]}`, "query.dropped_column", `"colour" was dropped in version 5 of the dataset "sales"`},
	"dropped column in text": {`{"fields":{"f":"[colour]"},"columns":["f"]}`, "expression.unknown_column", `It was dropped in version 5 of the dataset "sales"`},
	"dropped of a lookup":    {`{"dimensions":[{"column":"reg.capital"}]}`, "query.dropped_column", `was dropped in version 2 of the dataset "regions"`},
	"unknown lookup":         {`{"dimensions":[{"column":"rge.country"}]}`, "query.unknown_lookup", `Did you mean "reg"?`},
	"unknown lookup column":  {`{"dimensions":[{"column":"reg.contry"}]}`, "query.unknown_column", `Did you mean "country"?`},
	"unknown saved measure":  {`{"measures":[{"measure":"margn"}]}`, "query.unknown_measure", `Did you mean "margin"?`},
	"measure made of itself": {`{"measures":[{"measure":"circle"}]}`, "query.too_complex", "made of itself"},
	"unknown zone":           {`{"timezone":"Europe/Londn","measures":[{"fn":"count"}]}`, "query.timezone", "IANA"},
	"zone of the machine":    {`{"timezone":"Local","measures":[{"fn":"count"}]}`, "query.timezone", "IANA"},
	"zone with a path":       {`{"timezone":"../../etc/passwd","measures":[{"fn":"count"}]}`, "query.timezone", "IANA"},
	"unknown grain":          {`{"dimensions":[{"column":"at","grain":"dya"}]}`, "query.grain", `Did you mean "day"?`},
	"grain of a text":        {`{"dimensions":[{"column":"region","grain":"day"}]}`, "query.grain", "a text"},
	"hour of a date":         {`{"dimensions":[{"column":"day","grain":"hour"}]}`, "query.grain", "no hour"},
	"bin of a text":          {`{"dimensions":[{"column":"region","bin":5}]}`, "query.bin", "a text"},
	"bin below zero":         {`{"dimensions":[{"column":"n","bin":-5}]}`, "query.bin", "above 0"},
	"bin of nothing":         {`{"dimensions":[{"column":"n","bin":0}]}`, "query.bin", "above 0"},
	"grain and bin":          {`{"dimensions":[{"column":"at","bin":5,"grain":"day"}]}`, "query.bin", "both"},
	"same name twice":        {`{"measures":[{"fn":"count"},{"fn":"count"}]}`, "query.duplicate_name", `named "count"`},
	"order by nothing known": {`{"measures":[{"fn":"count","as":"orders"}],"order":[{"by":"order"}]}`, "query.unknown_result", `Did you mean "orders"?`},
	"unknown operator":       {`{"measures":[{"fn":"count"}],"filters":[{"column":"n","op":"is","values":[1]}]}`, "query.filter_operator", `unknown operator "is"`},
	"filter without column":  {`{"measures":[{"fn":"count"}],"filters":[{"op":"=","values":[1]}]}`, "query.missing_key", "filters[0]"},
	"filter without values":  {`{"measures":[{"fn":"count"}],"filters":[{"column":"n","op":"in"}]}`, "query.filter", `"values"`},
	"two values for one":     {`{"measures":[{"fn":"count"}],"filters":[{"column":"n","op":"=","values":[1,2]}]}`, "query.filter", "exactly one"},
	"text for an integer":    {`{"measures":[{"fn":"count"}],"filters":[{"column":"n","op":"=","values":["abc"]}]}`, "query.filter_type", `"n" is an integer`},
	"number for a text":      {`{"measures":[{"fn":"count"}],"filters":[{"column":"region","op":"=","values":[5]}]}`, "query.filter_type", `"region" is a text`},
	"number for a date":      {`{"measures":[{"fn":"count"}],"filters":[{"column":"day","op":">","values":[5]}]}`, "query.filter_type", "2001-12-31"},
	"30 February":            {`{"measures":[{"fn":"count"}],"filters":[{"column":"day","op":">","values":["2024-02-30"]}]}`, "query.filter_type", "day"},
	"time for a date":        {`{"measures":[{"fn":"count"}],"filters":[{"column":"day","op":">","values":["2024-02-03T10:00:00"]}]}`, "query.filter_type", "no time of day"},
	"offset without zone":    {`{"measures":[{"fn":"count"}],"filters":[{"column":"wall","op":">","values":["2024-02-03T10:00:00Z"]}]}`, "query.filter_type", "no time zone"},
	"NUL in a text":          {`{"measures":[{"fn":"count"}],"filters":[{"column":"region","op":"=","values":["a\u0000b"]}]}`, "query.filter_type", "region"},
	"last of a number":       {`{"measures":[{"fn":"count"}],"filters":[{"column":"n","op":"last","n":1,"unit":"day"}]}`, "query.filter_operator", "dates and timestamps"},
	"last hour of a date":    {`{"measures":[{"fn":"count"}],"filters":[{"column":"day","op":"last","n":1,"unit":"hour"}]}`, "query.filter_operator", "no unit hour"},
	"last without n":         {`{"measures":[{"fn":"count"}],"filters":[{"column":"at","op":"last","unit":"day"}]}`, "query.filter", `"n"`},
	"unknown unit":           {`{"measures":[{"fn":"count"}],"filters":[{"column":"at","op":"last","n":1,"unit":"fortnight"}]}`, "query.filter", `"unit"`},
	"order of booleans":      {`{"measures":[{"fn":"count"}],"filters":[{"column":"ok","op":">","values":[true]}]}`, "query.filter_operator", "true or false"},
	"contains a number":      {`{"measures":[{"fn":"count"}],"filters":[{"column":"n","op":"contains","values":["1"]}]}`, "query.filter_operator", "goes with texts"},
	"filter on no measure":   {`{"measures":[{"fn":"count"}],"filters":[{"measure":"cnt","op":">","values":[1]}]}`, "query.unknown_result", `no measure "cnt"`},
	"text for a measure":     {`{"measures":[{"fn":"count"}],"filters":[{"measure":"count","op":">","values":["x"]}]}`, "query.filter_type", `"count" is an integer`},
	"comparison, no filter":  {`{"measures":[{"fn":"count"}],"comparison":{"period":"previous"}}`, "query.comparison", "where the span of time starts"},
	"comparison, no start":   {`{"measures":[{"fn":"count"}],"filters":[{"column":"at","op":"<","values":["2024-01-01"]}],"comparison":{"period":"previous"}}`, "query.comparison", "starts"},
	"comparison of decades":  {`{"measures":[{"fn":"count"}],"comparison":{"period":"decade"}}`, "query.comparison", `"previous" or "year"`},
	"comparison of a text":   {`{"measures":[{"fn":"count"}],"comparison":{"period":"year","column":"region"}}`, "query.comparison", "a text"},
}

// testDataset has no files: it serves to bind and compile.
func testDataset() *Dataset {
	regions := &Dataset{ID: "ds-regions", TenantID: "tenant-1", Name: "regions", Version: 3, Columns: columns("name text, country text, founded date"),
		Dropped: map[string]int64{"capital": 2}}
	return &Dataset{ID: "ds-sales", TenantID: "tenant-1", Name: "sales", Version: 7, TimeColumn: 1,
		Columns: columns("at timestamptz, wall timestamp, day date, region text, n integer, amount decimal(10,2), x float, ok boolean"),
		Dropped: map[string]int64{"colour": 5, "amount": 2},
		Lookups: map[string]Lookup{"reg": {Column: 4, Key: 1, Target: regions}},
		Measures: map[string]Measure{
			"margin": {Fn: "ratio", Numerator: &Measure{Fn: "sum", Column: "amount"}, Denominator: &Measure{Fn: "sum", Column: "n"}},
			"circle": {Fn: "ratio", Numerator: &Measure{Measure: "circle"}, Denominator: &Measure{Fn: "count"}},
		},
	}
}

// A name is suggested only where it has something in common with what was asked.
func TestNearest(t *testing.T) {
	for asked, want := range map[string][]string{
		"b": {"bb"}, "A": {"a"}, "amout": {"amount"}, "ab": {"a", "bb"}, "zz": nil, "": nil,
	} {
		if got := nearest(asked, []string{"a", "bb", "amount"}, 3); !slices.Equal(got, want) {
			t.Errorf("%q: suggests %q, want %q", asked, got, want)
		}
	}
}

// Whom a rule withholds something learns of no column that there was.
func TestDroppedColumnUnderRules(t *testing.T) {
	ds := testDataset()
	ds.Policy = NewPolicy(Policy{MinRows: 5})
	e := New(Config{Dir: t.TempDir()})
	_, err := e.Check(context.Background(), Query{Spec: mustSpec(t, `{"dimensions":[{"column":"colour"}],"measures":[{"fn":"count"}]}`), Dataset: ds, Now: time.Unix(1.7e9, 0)})
	if public := apperr.Describe(err); public.Code != "query.unknown_column" {
		t.Errorf("told %+v", public)
	}
}

func TestBadSpecs(t *testing.T) {
	e := New(Config{Dir: t.TempDir()})
	for name, tc := range badSpecs {
		t.Run(name, func(t *testing.T) {
			spec, err := ParseSpec([]byte(tc.spec))
			if err == nil {
				_, err = e.Check(context.Background(), Query{Spec: spec, Dataset: testDataset(), Now: time.Unix(1.7e9, 0)})
			}
			if err == nil {
				t.Fatal("was accepted")
			}
			public := apperr.Describe(err)
			if public.Code != tc.code || !strings.Contains(public.Sentence, tc.part) {
				t.Errorf("got %s: %s\nwant %s with %q", public.Code, public.Sentence, tc.code, tc.part)
			}
		})
	}
}

func TestParseSpecKeepsEverything(t *testing.T) {
	text := `{"dataset":"flights","timezone":"America/Chicago",
		"measures":[{"fn":"count","as":"n"},{"fn":"ratio","numerator":{"fn":"sum","column":"a","filters":[{"column":"b","op":"in","values":["x",null]}]},"denominator":{"measure":"m"},"show":"share","as":"r"},{"fn":"percentile","column":"a","percentile":99.5}],
		"dimensions":[{"column":"date","grain":"day","as":"day"},{"column":"a","bin":0.5}],
		"filters":[{"column":"date","op":"last","n":28,"unit":"day"},{"column":"d","op":"between","from":"2001-01-01","to":5,"grain":"day"},{"measure":"n","op":">","values":[1]}],
		"order":[{"by":"day","desc":true}],"limit":100,"offset":5,"comparison":{"period":"year","column":"date"}}`
	spec, err := ParseSpec([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	back, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if json.Unmarshal([]byte(text), &want) != nil || json.Unmarshal(back, &got) != nil {
		t.Fatal("not JSON")
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("got %s", back)
	}
}

// compileDry writes the SQL of a query over files that do not exist.
func compileDry(q Query) (string, error) {
	p, err := bind(&q, func(*Dataset, int32, int64, string) (int64, bool, error) { return 1_700_000_000_000_000, true, nil })
	if err != nil {
		return "", err
	}
	foot := &footer{types: map[string]string{}, distinct: map[string]int64{}}
	for _, ds := range []*Dataset{q.Dataset, q.Dataset.Lookups["reg"].Target} {
		for _, c := range ds.Columns {
			foot.types[fmt.Sprintf("c%d", c.ID)] = columnSQLType(refOf(0, &c))
			foot.types[fmt.Sprintf("b%d", c.ID)] = "INTEGER"
			foot.distinct[fmt.Sprintf("c%d", c.ID)] = 100
		}
	}
	src := func(ds *Dataset) *source {
		return &source{ds: ds, segs: []Segment{{Path: "/data/a.parquet", Rows: 1_000_000}}, foot: []*footer{foot}, empty: "/data/empty.parquet", unique: true}
	}
	c := &compiler{p: p, base: src(q.Dataset), before: src(q.Dataset), maxRows: 1000}
	for _, l := range p.Lookups {
		c.lookups = append(c.lookups, src(l.target))
	}
	return c.compile(), nil
}

var (
	quotedText = regexp.MustCompile(`'(?:[^']|'')*'`)
	bareSQL    = regexp.MustCompile(`^[A-Za-z0-9_ .,()=<>+\-*/%:{}\[\]!]*$`)
)

// checkSQL tells whether nothing of the user's stands outside of quotes.
func checkSQL(sql string) error {
	if strings.IndexByte(sql, 0) >= 0 {
		return fmt.Errorf("NUL in %q", sql)
	}
	bare := quotedText.ReplaceAllString(sql, "")
	if !bareSQL.MatchString(bare) || strings.Contains(bare, "--") || strings.Contains(bare, "/*") {
		return fmt.Errorf("unquoted text in %q", bare)
	}
	return nil
}

// FuzzParseSpec checks that no text makes the reader, the binder or the
// compiler panic, that what was read is read again the same, and that nothing
// of the text stands outside of quotes in the SQL.
func FuzzParseSpec(f *testing.F) {
	for _, tc := range badSpecs {
		f.Add([]byte(tc.spec))
	}
	f.Add([]byte(`{"timezone":"Europe/London","measures":[{"fn":"sum","column":"amount","show":"running","as":"'; DROP TABLE x; --"}],"dimensions":[{"column":"at","grain":"week"},{"column":"reg.country"}],"filters":[{"column":"region","op":"not_in","values":["a'b\\","\"",null]},{"column":"at","op":"last","n":3,"unit":"month"}],"comparison":{"period":"year"}}`))
	f.Add([]byte(`{"measures":[{"fn":"median","column":"n"},{"fn":"count"}],"dimensions":[{"column":"amount","bin":0.5},{"column":"x","bin":3},{"column":"day","grain":"month"}],"limit":5,"other":true,"filters":[{"column":"amount","op":"between","from":-1e3,"to":"99.999"},{"column":"region","op":"contains","values":["%_'"]}]}`))
	f.Add([]byte(`{"columns":["at","reg.country","amount"],"order":[{"by":"n","desc":true}],"filters":[{"column":"wall","op":"<=","values":["2024-01-01T00:00:01.5"],"grain":"hour"},{"column":"at","op":"in","grain":"weekday","values":[1,2]}]}`))
	ds := testDataset()
	ds.RelativeToNewest = true
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := ParseSpec(data)
		if err != nil {
			if apperr.Describe(err).Class == apperr.Internal {
				t.Fatalf("refused without a sentence: %v", err)
			}
			return
		}
		text, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSpec(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		q := Query{Spec: spec, Dataset: ds, Now: time.Unix(1.7e9, 0)}
		q2 := Query{Spec: again, Dataset: ds, Now: time.Unix(1.7e9, 0)}
		sql, err := compileDry(q)
		sql2, err2 := compileDry(q2)
		if sql != sql2 || (err == nil) != (err2 == nil) {
			t.Fatalf("differs when read again:\n%s\n%s", sql, sql2)
		}
		if err != nil {
			if apperr.Describe(err).Class == apperr.Internal {
				t.Fatalf("refused without a sentence: %v", err)
			}
			return
		}
		if err := checkSQL(sql); err != nil {
			t.Fatal(err)
		}
	})
}

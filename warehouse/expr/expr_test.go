package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// testScope knows one column of each type, named after it.
func testScope() Scope {
	types := []Type{segments.Integer, segments.Decimal, segments.Float, segments.Boolean, segments.Date,
		segments.Timestamp, segments.TimestampTZ, segments.Text}
	columns := map[string]*Tree{}
	var names []string
	for i, t := range types {
		c := segments.Column{ID: int32(i + 1), Name: string(t), Type: t}
		if t == segments.Decimal {
			c.Precision, c.Scale = 10, 2
		}
		columns[string(t)] = Column(0, c)
		names = append(names, string(t))
	}
	columns["net sales"] = columns["decimal"]
	columns["home.city"] = columns["text"]
	total, err := Compile("sum([integer])", Scope{Column: func(name string) (*Tree, error) { return columns[name], nil }})
	if err != nil {
		panic(err)
	}
	columns["total"] = total
	return Scope{
		Column: func(name string) (*Tree, error) { return columns[name], nil },
		Names:  func() []string { return names },
		Suggest: func(name string, candidates []string) string {
			for _, c := range candidates {
				if c[0] == name[0] {
					return " Did you mean \"" + c + "\"?"
				}
			}
			return ""
		},
	}
}

func TestTypes(t *testing.T) {
	for text, want := range map[string]string{
		"1":                                 "integer",
		"1.50":                              "decimal(3,2)",
		"-9223372036854775808":              "integer",
		"9223372036854775808":               "decimal(19,0)",
		"1e3":                               "float",
		"'it''s'":                           "text",
		"#2026-06-14#":                      "date",
		"date('2026-06-14')":                "date",
		"#2026-06-14 13:30#":                "timestamp",
		"#2026-06-14T13:30:00+02:00#":       "timestamptz",
		"[integer] + 1":                     "integer",
		"integer / 2":                       "float",
		"[decimal] + [integer]":             "decimal(22,2)",
		"[decimal] * 1.5":                   "decimal(12,3)",
		"[net sales] * [decimal] * integer": "float", // more than 38 digits
		"[decimal] * float":                 "float",
		"round([decimal], 1)":               "decimal(10,1)",
		"floor([decimal])":                  "decimal(9,0)",
		"coalesce(null, [integer], 2.5)":    "decimal(20,1)",
		"if([boolean], 1, 2.5)":             "decimal(2,1)",
		"case when boolean then null else 'a' end": "text",
		"case when boolean then text end":          "text",
		"concat([text], ' ', 1, [date])":           "text",
		"concat([home.city], home.city)":           "text",
		"date_trunc('month', [timestamptz])":       "date",
		"date_trunc('hour', [timestamptz])":        "timestamptz",
		"date_add('day', -1, [timestamp])":         "timestamp",
		"date_diff('week', [date], #2026-01-01#)":  "integer",
		"[timestamptz] >= #2026-06-14 13:30#":      "boolean",
		"not [boolean] and [integer] in (1, 2)":    "boolean",
		"[integer] not in (1, null)":               "boolean",
		"[text] is not null or 1 between 0 and 2":  "boolean",
		"sum([decimal]) / count()":                 "float",
		"sum([decimal])":                           "decimal(38,2)",
		"max([date])":                              "date",
		"count(where [boolean]) % 2":               "integer",
		"percentile([float], 95 where [boolean])":  "float",
		"count_distinct([text]) * 2":               "integer",
		"[total] / 2":                              "float",
		"SUM([integer])":                           "integer",
		"- - [integer]":                            "integer",
	} {
		tree, err := Compile(text, testScope())
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := string(tree.Type)
		if tree.Type == segments.Decimal {
			got = strings.ToLower(segments.SQLType(segments.Column{Type: tree.Type, Precision: tree.Precision, Scale: tree.Scale}))
		}
		if got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

// TestProblems names the code, the place and a word of the sentence.
// What adds up is known by how it is made.
func TestAddsUp(t *testing.T) {
	for text, want := range map[string]bool{
		"sum([integer])": true, "count()": true, "count([integer])": true, "sum([integer]) - count()": true, "-sum([integer]) * 1.2": true,
		"100 * sum([integer]) / 60": true, "sum([integer] * [integer])": true, "avg([integer])": false, "max([integer])": false, "count_distinct([integer])": false,
		"sum([integer]) / count()": false, "sum([integer]) * sum([integer])": false, "sum([integer]) + 1": false, "100 / count()": false, "round(sum([integer]), 0)": false,
	} {
		tree, err := Compile(text, testScope())
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if tree.AddsUp() != want {
			t.Errorf("%s adds up: %v", text, !want)
		}
	}
}

func TestProblems(t *testing.T) {
	deep := strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200)
	for text, want := range map[string]struct {
		kind                 *apperr.Kind
		line, column, length int
		says                 string
	}{
		"":                             {ErrSyntax, 1, 1, 1, "empty"},
		"1 +":                          {ErrSyntax, 1, 4, 1, "ends too early"},
		"1 +\n  * 2":                   {ErrSyntax, 2, 3, 1, "\"*\""},
		"'open":                        {ErrSyntax, 1, 1, 5, "no closing"},
		"[open":                        {ErrSyntax, 1, 1, 5, "no closing"},
		"[ ]":                          {ErrSyntax, 1, 1, 3, "name is missing"},
		"\"a\"":                        {ErrSyntax, 1, 1, 1, "[column]"},
		"'a' || 'b'":                   {ErrSyntax, 1, 5, 2, "concat"},
		"1; drop":                      {ErrSyntax, 1, 2, 1, "no meaning"},
		"(1":                           {ErrSyntax, 1, 3, 1, "“)”"},
		"1 2":                          {ErrSyntax, 1, 3, 1, "operator"},
		"case 1 end":                   {ErrSyntax, 1, 6, 1, "“when”"},
		"[integer] not 3":              {ErrSyntax, 1, 15, 1, "“in” or “between”"},
		"1 < 2 < 3":                    {ErrSyntax, 1, 7, 1, "operator"},
		"é + [texxt]":                  {ErrUnknownColumn, 1, 1, 1, "\"é\""},
		"'é' = [texxt]":                {ErrUnknownColumn, 1, 7, 7, "Did you mean \"timestamp\"?"},
		"3days":                        {ErrLiteral, 1, 1, 2, "brackets"},
		"1e":                           {ErrLiteral, 1, 1, 2, "exponent"},
		"#2026-13-01#":                 {ErrLiteral, 1, 1, 12, "no date"},
		"#2026":                        {ErrLiteral, 1, 1, 1, "#2026-06-14#"},
		"date('June')":                 {ErrLiteral, 1, 6, 6, "no date"},
		"1e999":                        {ErrLiteral, 1, 1, 5, "beyond"},
		"repeat('a', 1000)":            {ErrUnknownFunction, 1, 1, 6, "repeat"},
		"regexp_matches([text], '.*')": {ErrUnknownFunction, 1, 1, 14, "no function"},
		"abs(1, 2)":                    {ErrArguments, 1, 1, 9, "one argument"},
		"round()":                      {ErrArguments, 1, 1, 7, "one or two arguments"},
		"abs(1 where true)":            {ErrArguments, 1, 13, 4, "aggregates"},
		"[text] + 1":                   {ErrType, 1, 1, 6, "concat"},
		"[date] - [date]":              {ErrType, 1, 1, 6, "date_diff"},
		"[boolean] and [integer]":      {ErrType, 1, 15, 9, "an integer"},
		"[text] = 3":                   {ErrType, 1, 10, 1, "cannot be compared"},
		"[timestamp] = #2026-06-14#":   {ErrType, 1, 15, 12, "Take the day first"},
		"[date] = '2026-06-14'":        {ErrType, 1, 10, 12, "#2026-06-14#"},
		"[text] = null":                {ErrType, 1, 10, 4, "is null"},
		"[boolean] < true":             {ErrType, 1, 1, 16, "only equal"},
		"if([integer], 1, 2)":          {ErrType, 1, 4, 9, "condition"},
		"if([boolean], 1, 'a')":        {ErrType, 1, 18, 3, "one case"},
		"null":                         {ErrType, 1, 1, 4, "always null"},
		"hour([date])":                 {ErrType, 1, 6, 6, "no hour"},
		"date_trunc('decade', [date])": {ErrType, 1, 12, 8, "unit"},
		"date_trunc('hour', [date])":   {ErrType, 1, 12, 6, "no time of day"},
		"date_add('day', 1.5, [date])": {ErrType, 1, 17, 3, "whole number"},
		"left([text], [integer])":      {ErrType, 1, 14, 9, "whole number"},
		"replace([text], [text], 'a')": {ErrType, 1, 17, 6, "written down"},
		"replace([text], 'a', '123456789012345678901')": {ErrType, 1, 22, 23, "at most"},
		"sum([text])":                                {ErrType, 1, 5, 6, "a text"},
		"percentile([integer], 100)":                 {ErrType, 1, 23, 3, "between 0 and 100"},
		"sum([integer]) + [integer]":                 {ErrAggregateMixed, 1, 18, 9, "value of each row"},
		"if([boolean], sum([integer]), 0)":           {ErrAggregateMixed, 1, 4, 9, "value of each row"},
		"sum(sum([integer]))":                        {ErrAggregateMixed, 1, 5, 14, "inside another"},
		"max([total])":                               {ErrAggregateMixed, 1, 5, 7, "contains aggregates"},
		deep:                                         {ErrTooDeep, 1, 101, 1, "deep"},
		strings.Repeat("1+", 200) + "1":              {ErrTooDeep, 1, 1, 201, "deep"},
		strings.Repeat(" ", 4001):                    {ErrTooLong, 1, 1, 1, "bytes"},
		"1 in (" + strings.Repeat("1,", 1500) + "1)": {ErrTooComplex, 1, 1, 2007, "values"},
	} {
		_, err := Compile(text, testScope())
		p, ok := ProblemOf(err)
		if !ok {
			t.Errorf("%.60s: %v has no place", text, err)
			continue
		}
		if !errors.Is(err, want.kind) || p.Line != want.line || p.Column != want.column || p.Length != want.length || !strings.Contains(p.Sentence, want.says) {
			t.Errorf("%.60s: %s at %d:%d+%d: %s", text, apperr.Describe(err).Code, p.Line, p.Column, p.Length, p.Sentence)
		}
	}
}

// TestGrowth shows that a field made of fields can't grow without bound.
func TestGrowth(t *testing.T) {
	last := Column(0, segments.Column{ID: 1, Type: segments.Integer})
	scope := Scope{Column: func(string) (*Tree, error) { return last, nil }}
	for i := range 60 {
		next, err := Compile("[a] + [a]", scope)
		if err != nil {
			if !errors.Is(err, ErrTooComplex) || i < 8 {
				t.Fatalf("step %d: %v", i, err)
			}
			return
		}
		last = next
	}
	t.Fatal("no limit")
}

func TestRename(t *testing.T) {
	names := map[string]string{"old": "new name", "l.old": "l.x]y", "sum": "total"}
	for text, want := range map[string]string{
		"[old] + old * 2 -- 1":            "[new name] + [new name] * 2 -- 1",
		"sum([old]) / [sum] + 'old'":      "sum([new name]) / [total] + 'old'",
		"if(l.old = 'a', l.old, [l.old])": "if([l.x]]y] = 'a', [l.x]]y], [l.x]]y])",
		"[not read":                       "[not read",
	} {
		if got := Rename(text, names); got != want {
			t.Errorf("%s\n%s, want\n%s", text, got, want)
		}
	}
}

func FuzzParseExpression(f *testing.F) {
	for _, text := range []string{"[a] + b.c * -2", "case when not a in (1, null) then 'x''y' else null end", "sum([a] where b is not null) / count()",
		"#2026-06-14#", "if(a between 1 and 2, date_trunc('month', b), null)", "((((1))))", "'", "[", "1.e5", "\xff", "a..b", "- - 1"} {
		f.Add(text)
	}
	scope := testScope()
	anything := scope.Column
	scope.Column = func(name string) (*Tree, error) {
		if t, _ := anything(name); t != nil {
			return t, nil
		}
		return nil, nil
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse(text)
		if err != nil {
			if p, ok := ProblemOf(err); !ok || p.Start < 0 || p.End < p.Start || p.End > len(text) || p.Line < 1 || p.Column < 1 {
				t.Fatalf("%q: %v has no place within the text", text, err)
			}
			return
		}
		if n.Start < 0 || n.End > len(text) || n.Start >= n.End {
			t.Fatalf("%q: covers %d to %d", text, n.Start, n.End)
		}
		tree, err := Check(text, n, scope)
		if err == nil && (tree.Type == "" || tree.nodes > MaxNodes || tree.depth > MaxDepth) {
			t.Fatalf("%q: type %q, %d nodes, depth %d", text, tree.Type, tree.nodes, tree.depth)
		}
		if err != nil {
			if p, ok := ProblemOf(err); !ok || p.End > len(text) {
				t.Fatalf("%q: %v has no place", text, err)
			}
		}
		// Nothing is renamed, so nothing changes.
		if got := Rename(text, map[string]string{"no such column": "x"}); got != text {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

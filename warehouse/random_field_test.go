package warehouse

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// formula is an expression in the language and in PostgreSQL's SQL.
type formula struct {
	text, sql string
	typ       Type
}

// formulaGenerator draws expressions over the rows of random_test.go. The SQL
// is written from the words of docs/expressions.md, with PostgreSQL's own
// zones, calendar and numbers.
type formulaGenerator struct {
	specGenerator
	zone   string
	fields map[string]formula // of the spec, that others may use
}

func (g *formulaGenerator) f(t Type, text, sql string, args ...formula) formula {
	var texts, sqls []any
	for _, a := range args {
		texts, sqls = append(texts, a.text), append(sqls, a.sql)
	}
	return formula{fmt.Sprintf(text, texts...), fmt.Sprintf(sql, sqls...), t}
}

// same writes both sides alike.
func (g *formulaGenerator) same(t Type, form string, args ...formula) formula {
	g.kinds[strings.SplitN(form, "(%s", 2)[0]]++
	return g.f(t, form, form, args...)
}

func column(t Type, name string) formula {
	text := "[" + name + "]"
	if !strings.Contains(name, " ") && len(name)%2 == 0 {
		text = name
	}
	return formula{text, col(name), t}
}

func (g *formulaGenerator) value(t Type, depth int) formula {
	if depth > 0 && g.chance(4) {
		return g.choice(t, depth-1)
	}
	for name, f := range g.fields {
		if f.typ == t && g.chance(4) {
			g.kinds["field"]++
			return formula{"[" + name + "]", f.sql, t}
		}
	}
	switch t {
	case Integer:
		return g.integer(depth - 1)
	case Decimal:
		return g.decimal(depth - 1)
	case Float:
		return g.float(depth - 1)
	case Boolean:
		return g.boolean(depth - 1)
	case Text:
		return g.text(depth - 1)
	}
	return g.time(t, depth-1)
}

// choice is what every type has.
func (g *formulaGenerator) choice(t Type, depth int) formula {
	a, b := g.value(t, depth), g.value(t, depth)
	// Null takes any type in the language, and needs none in PostgreSQL here.
	null := formula{"null", "NULL", t}
	collate := ""
	if t == Text {
		collate = ` COLLATE "C"`
	}
	switch g.rnd.IntN(6) {
	case 0:
		g.kinds["if"]++
		return g.f(t, "if(%s, %s, %s)", "CASE WHEN %s THEN %s ELSE %s END", g.boolean(depth), a, b)
	case 1:
		g.kinds["case"]++
		return g.same(t, "case when %s then %s when %s then %s end", g.boolean(depth), a, g.boolean(depth), b)
	case 2:
		return g.same(t, "coalesce(%s, %s)", pick(g2(g), a, b), b)
	case 3:
		if t == Boolean {
			return a
		}
		g.kinds["nullif"]++
		return g.f(t, "nullif(%s, %s)", "nullif((%s)"+collate+", (%s)"+collate+")", a, b)
	case 4:
		if t == Boolean {
			return a
		}
		name := pick(g2(g), "least", "greatest")
		g.kinds[name]++
		return g.f(t, name+"(%s, %s)", name+"((%s)"+collate+", (%s)"+collate+")", a, b)
	}
	return g.f(t, "CASE WHEN %s THEN %s ELSE %s END", "CASE WHEN %s THEN %s ELSE %s END", g.boolean(depth), null, a)
}

func g2(g *formulaGenerator) *specGenerator { return &g.specGenerator }

func (g *formulaGenerator) integer(depth int) formula {
	if depth <= 0 {
		if g.chance(3) {
			n := strconv.Itoa(g.rnd.IntN(40) - 12)
			return formula{n, "(" + n + ")::bigint", Integer}
		}
		return column(Integer, pick(g2(g), "n", "n", "id", "home.size"))
	}
	switch g.rnd.IntN(9) {
	case 0, 1:
		return g.same(Integer, pick(g2(g), "(%s + %s)", "(%s - %s)"), g.value(Integer, depth), g.value(Integer, depth))
	case 2:
		return g.same(Integer, "(%s * %s)", g.integer(0), g.integer(0))
	case 3:
		g.kinds["%"]++
		a, b := g.value(Integer, depth), g.value(Integer, depth)
		return formula{"(" + a.text + " % " + b.text + ")", "(" + a.sql + " % nullif(" + b.sql + ", 0))", Integer}
	case 4:
		return g.same(Integer, pick(g2(g), "abs(%s)", "(- %s)"), g.value(Integer, depth))
	case 5:
		return g.same(Integer, "length(%s)", g.value(Text, depth))
	case 6:
		return g.difference(depth)
	}
	t := pick(g2(g), Date, Timestamp, TimestampTZ)
	x := g.value(t, depth)
	part := pick(g2(g), "year", "quarter", "month", "week", "day", "weekday", "hour", "minute")
	if t == Date && (part == "hour" || part == "minute") {
		part = "weekday"
	}
	g.kinds[part]++
	return formula{part + "(" + x.text + ")", "extract(" + strings.Replace(part, "weekday", "isodow", 1) + " FROM " + g.wall(x) + ")::bigint", Integer}
}

// wall is a time as the clock of the zone shows it.
func (g *formulaGenerator) wall(x formula) string {
	switch x.typ {
	case TimestampTZ:
		return "((" + x.sql + ") AT TIME ZONE " + quoteText(g.zone) + ")"
	case Date:
		return "(" + x.sql + ")::timestamp"
	}
	return "(" + x.sql + ")"
}

func (g *formulaGenerator) difference(depth int) formula {
	t := pick(g2(g), Date, Timestamp, TimestampTZ)
	a, b := g.value(t, depth), g.value(t, depth)
	unit := pick(g2(g), "day", "week", "month", "quarter", "year", "hour", "minute")
	if t == Date && (unit == "hour" || unit == "minute") {
		unit = "day"
	}
	g.kinds["date_diff "+unit]++
	count := func(x formula) string {
		w := g.wall(x)
		switch unit {
		case "month":
			return "(extract(year FROM " + w + ") * 12 + extract(month FROM " + w + "))::bigint"
		case "quarter":
			return "(extract(year FROM " + w + ") * 4 + extract(quarter FROM " + w + "))::bigint"
		case "year":
			return "extract(year FROM " + w + ")::bigint"
		}
		return "(date_trunc('" + unit + "', " + w + ")::date - DATE '1900-01-01')::bigint"
	}
	sql := "(" + count(b) + " - " + count(a) + ")"
	switch unit {
	case "week":
		sql = "(" + sql + " / 7)"
	case "hour":
		sql = "trunc((extract(epoch FROM (" + b.sql + ")) - extract(epoch FROM (" + a.sql + "))) / 3600)::bigint"
	case "minute":
		sql = "trunc((extract(epoch FROM (" + b.sql + ")) - extract(epoch FROM (" + a.sql + "))) / 60)::bigint"
	}
	return formula{"date_diff('" + unit + "', " + a.text + ", " + b.text + ")", sql, Integer}
}

func (g *formulaGenerator) decimal(depth int) formula {
	if depth <= 0 {
		if g.chance(3) {
			n := fmt.Sprintf("%.*f", 1+g.rnd.IntN(3), float64(g.rnd.IntN(40000)-15000)/1000)
			return formula{n, "(" + n + ")::numeric", Decimal}
		}
		return column(Decimal, "price")
	}
	switch g.rnd.IntN(6) {
	case 0:
		return g.same(Decimal, pick(g2(g), "(%s + %s)", "(%s - %s)"), g.value(Decimal, depth), g.value(pick(g2(g), Decimal, Integer), depth))
	case 1:
		return g.same(Decimal, "(%s * %s)", g.decimal(0), g.integer(0))
	case 2:
		a, b := g.decimal(0), g.decimal(0)
		g.kinds["% decimal"]++
		return formula{"(" + a.text + " % " + b.text + ")", "(" + a.sql + " % nullif(" + b.sql + ", 0))", Decimal}
	case 3:
		return g.same(Decimal, pick(g2(g), "abs(%s)", "floor(%s)", "ceil(%s)", "(- %s)"), g.value(Decimal, depth))
	}
	return g.same(Decimal, fmt.Sprintf("round(%%s, %d)", g.rnd.IntN(4)), g.value(Decimal, depth))
}

func (g *formulaGenerator) float(depth int) formula {
	if depth <= 0 {
		return column(Float, "x")
	}
	switch g.rnd.IntN(8) {
	case 0, 1:
		g.kinds["/"]++
		t, u := pick(g2(g), Integer, Decimal, Float), pick(g2(g), Integer, Decimal, Float)
		return g.f(Float, "(%s / %s)", "((%s)::float8 / nullif((%s)::float8, 0))", g.value(t, depth), g.value(u, depth))
	case 2:
		return g.same(Float, pick(g2(g), "(%s + %s)", "(%s - %s)"), g.value(Float, depth), g.float(0))
	case 3:
		return g.same(Float, "(%s * %s)", g.float(0), g.float(0))
	case 4:
		g.kinds["sqrt"]++
		x := g.value(Float, depth)
		return formula{"sqrt(" + x.text + ")", "CASE WHEN " + x.sql + " >= 0 THEN sqrt(" + x.sql + ") END", Float}
	case 5:
		name := pick(g2(g), "ln", "log10")
		g.kinds[name]++
		x := g.value(Float, depth)
		return formula{name + "(" + x.text + ")", "CASE WHEN " + x.sql + " > 0 THEN " + name + "(" + x.sql + ") END", Float}
	case 6:
		g.kinds["exp"]++
		return g.same(Float, pick(g2(g), "exp(%s)", "power(%s, 2)", "abs(%s)"), g.float(0))
	}
	return g.same(Float, pick(g2(g), "floor(%s)", "ceil(%s)", "(- %s)"), g.value(Float, depth))
}

var formulaTexts = []string{"Rome", "ro", "", "a'b", "o", "Æ", "100%", "_", `c"d`}

func textLiteral(s string) formula { return formula{quoteText(s), quoteText(s) + "::text", Text} }

func (g *formulaGenerator) text(depth int) formula {
	if depth <= 0 {
		if g.chance(4) {
			return textLiteral(pick(g2(g), formulaTexts...))
		}
		return column(Text, pick(g2(g), "city", "city", "code", "home.country"))
	}
	x := g.value(Text, depth)
	switch g.rnd.IntN(6) {
	case 0:
		name := pick(g2(g), "lower", "upper")
		g.kinds[name]++
		return g.f(Text, name+"(%s)", "("+name+`((%s) COLLATE "default") COLLATE "C")`, x)
	case 1:
		return g.same(Text, pick(g2(g), "left(%s, 2)", "right(%s, 3)", "substring(%s, 2)", "substring(%s, 2, 2)", "left(%s, 0)"), x)
	case 2:
		return g.same(Text, "trim(%s)", x)
	case 3:
		from := pick(g2(g), "o", "R", "'", "Æ", "om")
		to := pick(g2(g), "", "oo", "🙂", "'")
		return g.same(Text, "replace(%s, "+quoteText(from)+", "+quoteText(to)+")", x)
	}
	y := g.value(pick(g2(g), Text, Text, Integer, Date), depth)
	if g.chance(3) {
		y = column(Decimal, "price")
	}
	return g.same(Text, "concat(%s, ' · ', %s)", x, y)
}

func (g *formulaGenerator) boolean(depth int) formula {
	if depth <= 0 {
		if g.chance(3) {
			return column(Boolean, "ok")
		}
		return g.f(Boolean, "(%s > %s)", "(%s > %s)", g.integer(0), g.integer(0))
	}
	switch g.rnd.IntN(8) {
	case 0:
		return g.same(Boolean, pick(g2(g), "(%s and %s)", "(%s or %s)"), g.value(Boolean, depth), g.value(Boolean, depth))
	case 1:
		return g.same(Boolean, "(not %s)", g.value(Boolean, depth))
	case 2:
		t := pick(g2(g), Integer, Decimal, Text, Date, Timestamp, TimestampTZ, Boolean)
		return g.same(Boolean, pick(g2(g), "(%s is null)", "(%s is not null)"), g.value(t, depth))
	case 3:
		g.kinds["in"]++
		return g.same(Boolean, "(%s in (3, 7, %s))", g.value(Integer, depth), g.integer(0))
	case 4:
		return g.same(Boolean, pick(g2(g), "(%s between %s and %s)", "(%s not between %s and %s)"), g.value(Integer, depth), g.integer(0), g.integer(0))
	case 5:
		x, part := g.value(Text, depth), textLiteral(pick(g2(g), formulaTexts...))
		name := pick(g2(g), "contains", "starts_with", "ends_with")
		g.kinds[name]++
		sql := "strpos((" + x.sql + `) COLLATE "C", ` + part.sql + ") > 0"
		switch name {
		case "starts_with":
			sql = "starts_with(" + x.sql + ", " + part.sql + ")"
		case "ends_with":
			sql = "right(" + x.sql + ", length(" + part.sql + ")) = " + part.sql
			if part.text == "''" {
				sql = x.sql + " IS NOT NULL OR NULL"
			}
		}
		return formula{name + "(" + x.text + ", " + part.text + ")", "(" + sql + ")", Boolean}
	}
	t := pick(g2(g), Integer, Decimal, Text, Date, Timestamp, TimestampTZ)
	op := pick(g2(g), "=", "!=", "<", "<=", ">", ">=")
	g.kinds[op]++
	a, b := g.value(t, depth), g.value(t, depth)
	if t == Text {
		return g.f(Boolean, "(%s "+op+" %s)", `((%s) COLLATE "C" `+op+` (%s) COLLATE "C")`, a, b)
	}
	return g.f(Boolean, "(%s "+op+" %s)", "(%s "+op+" %s)", a, b)
}

func (g *formulaGenerator) time(t Type, depth int) formula {
	if depth <= 0 {
		d := g.date()
		switch {
		case !g.chance(5):
		case t == Date:
			return formula{"#" + d.Format("2006-01-02") + "#", "DATE '" + d.Format("2006-01-02") + "'", t}
		case t == Timestamp:
			return formula{"#" + d.Format("2006-01-02 15:04:05") + "#", "TIMESTAMP '" + d.Format("2006-01-02 15:04:05") + "'", t}
		default:
			return formula{"#" + d.Format("2006-01-02T15:04:05Z") + "#", "TIMESTAMPTZ '" + d.Format("2006-01-02T15:04:05Z") + "'", t}
		}
		return column(t, map[Type]string{Date: "day", Timestamp: "wall", TimestampTZ: "at"}[t])
	}
	if t == Date && g.chance(2) {
		x := g.value(pick(g2(g), Date, Timestamp, TimestampTZ), depth)
		if g.chance(4) {
			g.kinds["date"]++
			return formula{"date(" + x.text + ")", g.wall(x) + "::date", t}
		}
		unit := pick(g2(g), "day", "week", "month", "quarter", "year")
		g.kinds["date_trunc "+unit]++
		return formula{"date_trunc('" + unit + "', " + x.text + ")", "date_trunc('" + unit + "', " + g.wall(x) + ")::date", t}
	}
	if t != Date && g.chance(3) {
		unit := pick(g2(g), "hour", "minute")
		x := g.time(t, 0)
		g.kinds["date_trunc "+unit]++
		sql := "date_trunc('" + unit + "', " + x.sql + ")"
		if t == TimestampTZ {
			x = column(t, "at")
			sql = "(" + x.sql + " - (" + g.wall(x) + " - date_trunc('" + unit + "', " + g.wall(x) + ")))"
		}
		return formula{"date_trunc('" + unit + "', " + x.text + ")", sql, t}
	}
	x, n := g.value(t, depth), g.rnd.IntN(60)-25
	unit := pick(g2(g), "day", "week", "month", "quarter", "year", "hour", "minute")
	if t == Date && (unit == "hour" || unit == "minute") {
		unit = "month"
	}
	g.kinds["date_add "+unit]++
	count := formula{strconv.Itoa(n), strconv.Itoa(n), Integer}
	if g.chance(3) {
		count = column(Integer, "n")
	}
	step := "(" + count.sql + ") * " + span(1, unit)
	sql := "(" + x.sql + " + " + step + ")"
	switch {
	case t == Date:
		sql += "::date"
	case t == TimestampTZ && unit != "hour" && unit != "minute":
		sql = "((" + g.wall(x) + " + " + step + ") AT TIME ZONE " + quoteText(g.zone) + ")"
	}
	return formula{"date_add('" + unit + "', " + count.text + ", " + x.text + ")", sql, t}
}

// total is a number a group.
func (g *formulaGenerator) total(depth int) formula {
	if depth > 0 {
		a, b := g.total(depth-1), g.total(depth-1)
		switch g.rnd.IntN(4) {
		case 0, 1:
			g.kinds["total /"]++
			return g.f(Float, "(%s / %s)", "((%s)::float8 / nullif((%s)::float8, 0))", a, b)
		case 2:
			g.kinds["total if"]++
			return g.f(a.typ, "if(count() > 20, %s, %s)", "CASE WHEN count(*) > 20 THEN (%s)::float8 ELSE (%s)::float8 END", a, b)
		}
		return g.same(Float, pick(g2(g), "(%s + %s)", "(%s - %s)"), g.f(Float, "(%s / 1)", "(%s)::float8", a), g.f(Float, "(%s / 1)", "(%s)::float8", b))
	}
	t := pick(g2(g), Integer, Decimal, Float)
	x := g.value(t, 2)
	where, filter := "", ""
	if g.chance(3) {
		cond := g.value(Boolean, 2)
		where, filter = " where "+cond.text, " FILTER (WHERE "+cond.sql+")"
		g.kinds["where"]++
	}
	name := pick(g2(g), "sum", "avg", "min", "max", "count", "count_distinct", "median", "percentile", "rows")
	g.kinds["total "+name]++
	switch name {
	case "rows":
		return formula{"count(" + strings.TrimPrefix(where, " ") + ")", "count(*)" + filter, Integer}
	case "avg":
		return formula{"avg(" + x.text + where + ")", "(avg(" + x.sql + ")" + filter + ")::float8", Float}
	case "count_distinct":
		x = g.value(pick(g2(g), Integer, Text, Date), 2)
		return formula{"count_distinct(" + x.text + where + ")", "count(DISTINCT " + x.sql + ")" + filter, Integer}
	case "median":
		return formula{"median(" + x.text + where + ")", "percentile_cont(0.5) WITHIN GROUP (ORDER BY (" + x.sql + ")::float8)" + filter, Float}
	case "percentile":
		return formula{"percentile(" + x.text + ", 95" + where + ")", "percentile_cont(0.95) WITHIN GROUP (ORDER BY (" + x.sql + ")::float8)" + filter, Float}
	}
	return formula{name + "(" + x.text + where + ")", name + "(" + x.sql + ")" + filter, t}
}

// TestRandomFields answers specs with random calculated fields, as plain
// columns, dimensions, filters and measures, and compares with PostgreSQL.
func TestRandomFields(t *testing.T) {
	w := newWorld(t, rand.New(rand.NewPCG(*randomSeed, 0)))
	kinds := map[string]int{}
	rows := 0
	for i := range *randomSpecs {
		g := &formulaGenerator{specGenerator: specGenerator{rnd: rand.New(rand.NewPCG(*randomSeed+7, uint64(i)+1)), kinds: kinds}, fields: map[string]formula{}}
		spec := Spec{Dataset: "facts", Timezone: pick(g2(g), randomZones...), Limit: 100_000, Fields: map[string]string{}}
		g.zone = spec.Timezone
		types := []Type{Integer, Decimal, Float, Boolean, Text, Date, Timestamp, TimestampTZ}
		for n := range g.rnd.IntN(2) {
			f := g.value(pick(g2(g), types...), 2)
			name := fmt.Sprintf("inner %d", n)
			g.fields[name], spec.Fields[name] = f, f.text
		}
		f := g.value(pick(g2(g), types...), 4)
		spec.Fields["f"] = f.text
		var sql string
		switch g.rnd.IntN(4) {
		case 0:
			spec.Columns, spec.Order = []string{"id", "f"}, []Order{{By: "id"}}
			sql = "SELECT t.id::text, (" + f.sql + ")::text" + referenceFrom + " ORDER BY t.id"
		case 1:
			cond := g.value(Boolean, 3)
			spec.Fields["keep"] = cond.text
			spec.Columns, spec.Order = []string{"id", "f"}, []Order{{By: "id"}}
			spec.Filters = []Filter{{Column: "keep", Op: "=", Values: raws("true")}}
			sql = "SELECT t.id::text, (" + f.sql + ")::text" + referenceFrom + " WHERE " + cond.sql + " ORDER BY t.id"
		case 2:
			spec.Dimensions = []Dimension{{Column: "f", As: "d"}}
			spec.Measures = []Measure{{Fn: "count", As: "c"}, {Fn: "sum", Column: "n", As: "s"}}
			sql = "SELECT (" + f.sql + ")::text, count(*)::text, sum(t.n)::text" + referenceFrom + " GROUP BY " + f.sql
		default:
			total := g.total(2)
			spec.Fields["total"] = total.text
			spec.Dimensions = []Dimension{{Column: "code"}}
			spec.Measures = []Measure{{Measure: "total"}}
			sql = "SELECT t.code::text, (" + total.sql + ")::text" + referenceFrom + " GROUP BY t.code"
		}
		text, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		q := Query{Spec: mustSpec(t, string(text)), Dataset: w.ds, Now: w.now}
		got, err := w.engine.Run(t.Context(), q)
		if err != nil {
			x, _ := w.engine.Explain(t.Context(), q)
			t.Fatalf("spec %d: %v\n%s\n%s", i, err, text, x.SQL)
		}
		want, err := w.reference(t.Context(), sql)
		if err != nil {
			t.Fatalf("spec %d: %v\n%s\n%s", i, err, text, sql)
		}
		rows += got.Rows
		if diff := compareRows(got, want, len(spec.Columns) > 0); diff != "" {
			x, _ := w.engine.Explain(t.Context(), q)
			t.Errorf("spec %d: %s\nspec: %s\nPostgreSQL: %s\nDuckDB: %s", i, diff, text, sql, x.SQL)
			break
		}
	}
	t.Logf("%d rows, %v", rows, kinds)
}

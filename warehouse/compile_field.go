package warehouse

import (
	"fmt"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse/expr"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// exprSQL writes typed expressions in the SQL of DuckDB. No part of a text is
// repeated in what it writes, so the length grows with the tree only.
type exprSQL struct {
	zone *zone
	// column is the SQL of a stored column, time how its time is told.
	column func(*expr.Tree) string
	time   func(*expr.Tree) *timeColumn
	// part is the SQL of a measure, in expressions over groups.
	part func(i int32) string
	wide bool // integers may have more than 64 bits
}

// field is the SQL of a calculated value in this scope.
func (s *scope) field(id int32) string {
	if x, ok := s.fields[id]; ok {
		return x
	}
	w := &exprSQL{zone: s.c.p.zone,
		column: func(t *expr.Tree) string { return s.col(columnRef(t)) },
		time:   func(t *expr.Tree) *timeColumn { return s.time(columnRef(t), false) }}
	x := w.whole(s.c.p.Fields[id].Expr)
	if s.tried {
		x = "TRY(" + x + ")"
	}
	s.fields[id] = x
	return x
}

// whole is the SQL of a tree, of exactly its type.
func (w *exprSQL) whole(t *expr.Tree) string { return "CAST(" + w.sql(t) + " AS " + typeSQL(t) + ")" }

func typeSQL(t *expr.Tree) string {
	return segments.SQLType(Column{Type: t.Type, Precision: t.Precision, Scale: t.Scale})
}

func (w *exprSQL) list(trees []*expr.Tree) string {
	parts := make([]string, len(trees))
	for i, t := range trees {
		parts[i] = w.sql(t)
	}
	return strings.Join(parts, ", ")
}

func (w *exprSQL) sql(t *expr.Tree) string {
	switch t.Op {
	case "column":
		return w.column(t)
	case "part":
		if w.wide && t.Type == segments.Integer {
			return "CAST(" + w.part(t.ID) + " AS HUGEINT)"
		}
		return "CAST(" + w.part(t.ID) + " AS " + typeSQL(t) + ")"
	case "null":
		return "NULL"
	case "literal":
		return exprLiteral(t)
	case "cast":
		return w.cast(t)
	case "case":
		return w.cases(t)
	case "in":
		return "(" + w.sql(t.Args[0]) + " IN (" + w.list(t.Args[1:]) + "))"
	case "between":
		return "(" + w.sql(t.Args[0]) + " BETWEEN " + w.sql(t.Args[1]) + " AND " + w.sql(t.Args[2]) + ")"
	case "is null", "is not null":
		return "(" + w.sql(t.Args[0]) + " " + strings.ToUpper(t.Op) + ")"
	case "not":
		return "(NOT " + w.sql(t.Args[0]) + ")"
	case "and", "or":
		return "(" + w.sql(t.Args[0]) + " " + strings.ToUpper(t.Op) + " " + w.sql(t.Args[1]) + ")"
	case "=", "<", "<=", ">", ">=", "!=":
		return "(" + w.sql(t.Args[0]) + " " + t.Op + " " + w.sql(t.Args[1]) + ")"
	case "negate":
		return "(- " + w.sql(t.Args[0]) + ")"
	case "/":
		return "(" + w.sql(t.Args[0]) + " / nullif(" + w.sql(t.Args[1]) + ", 0))"
	case "%":
		return w.exact(t, "("+w.sql(t.Args[0])+" % nullif("+w.sql(t.Args[1])+", 0))")
	case "+", "-", "*":
		return w.exact(t, "("+w.sql(t.Args[0])+" "+t.Op+" "+w.sql(t.Args[1])+")")
	case "coalesce", "least", "greatest", "nullif":
		return t.Op + "(" + w.list(t.Args) + ")"
	}
	if x, ok := w.number(t); ok {
		return x
	}
	if x, ok := w.text(t); ok {
		return x
	}
	return w.date(t)
}

// exact keeps decimals at the precision that their type says.
func (w *exprSQL) exact(t *expr.Tree, x string) string {
	if t.Type == Decimal {
		return "CAST(" + x + " AS " + typeSQL(t) + ")"
	}
	return x
}

func (w *exprSQL) cases(t *expr.Tree) string {
	var b strings.Builder
	b.WriteString("CASE")
	for i := 0; i+1 < len(t.Args); i += 2 {
		b.WriteString(" WHEN " + w.sql(t.Args[i]) + " THEN " + w.sql(t.Args[i+1]))
	}
	if len(t.Args)%2 == 1 {
		b.WriteString(" ELSE " + w.sql(t.Args[len(t.Args)-1]))
	}
	b.WriteString(" END")
	return b.String()
}

func exprLiteral(t *expr.Tree) string {
	v := value{K: "i", I: t.Value.I}
	switch t.Type {
	case Text:
		v = value{K: "s", S: t.Value.S}
	case Float:
		v = value{K: "f", F: t.Value.F}
	case Decimal:
		v = value{K: "d", S: t.Value.S}
	}
	return literalSQL(v, columnRef(t))
}

func (w *exprSQL) cast(t *expr.Tree) string {
	x := t.Args[0]
	if t.Type == TimestampTZ && x.Op == "literal" {
		return literalSQL(value{K: "i", I: w.zone.instant(x.Value.I)}, columnRef(t))
	}
	return "CAST(" + w.sql(x) + " AS " + typeSQL(t) + ")"
}

// finiteSQL turns what is no number, or beyond all numbers, into null.
func finiteSQL(x string) string {
	return "nullif(nullif(nullif(" + x + ", 'nan'::DOUBLE), 'inf'::DOUBLE), '-inf'::DOUBLE)"
}

func (w *exprSQL) number(t *expr.Tree) (string, bool) {
	switch t.Op {
	case "abs":
		return "abs(" + w.sql(t.Args[0]) + ")", true
	case "floor", "ceil":
		if t.Type == Integer {
			return w.sql(t.Args[0]), true
		}
		return w.exact(t, t.Op+"("+w.sql(t.Args[0])+")"), true
	case "round":
		if t.Type == Integer {
			return w.sql(t.Args[0]), true
		}
		return w.exact(t, fmt.Sprintf("round(%s, %d)", w.sql(t.Args[0]), t.Digits[0])), true
	case "sqrt": // as a power, because sqrt fails below zero
		return finiteSQL("pow(" + w.sql(t.Args[0]) + ", '0.5'::DOUBLE)"), true
	case "ln", "log10": // both fail at zero and below
		return t.Op + "(nullif(greatest(" + w.sql(t.Args[0]) + ", '0'::DOUBLE), '0'::DOUBLE))", true
	case "exp":
		return finiteSQL("exp(" + w.sql(t.Args[0]) + ")"), true
	case "power":
		return finiteSQL("pow(" + w.list(t.Args) + ")"), true
	}
	return "", false
}

func (w *exprSQL) text(t *expr.Tree) (string, bool) {
	bounded := func(i int) int64 { return min(t.Digits[i], expr.MaxText) }
	switch t.Op {
	case "length":
		return "CAST(length(" + w.sql(t.Args[0]) + ") AS BIGINT)", true
	case "contains", "starts_with", "ends_with":
		return t.Op + "(" + w.list(t.Args) + ")", true
	case "pseudonym":
		secret := w.sql(t.Args[1])
		return "left(sha256(" + secret + " || sha256(" + secret + " || " + w.sql(t.Args[0]) + ")), 16)", true
	case "lower", "upper", "trim":
		return t.Op + "(" + w.short(t.Args[0]) + ")", true
	case "left", "right":
		return fmt.Sprintf("%s(%s, %d)", t.Op, w.sql(t.Args[0]), bounded(0)), true
	case "substring":
		n := int64(expr.MaxText)
		if len(t.Digits) > 1 {
			n = bounded(1)
		}
		return fmt.Sprintf("substring(%s, %d, %d)", w.sql(t.Args[0]), t.Digits[0], n), true
	case "replace":
		return fmt.Sprintf("left(replace(%s, %s), %d)", w.short(t.Args[0]), w.list(t.Args[1:]), expr.MaxText), true
	case "concat":
		parts := make([]string, len(t.Args))
		for i, a := range t.Args {
			parts[i] = w.short(a)
		}
		return fmt.Sprintf("left(concat(%s), %d)", strings.Join(parts, ", "), expr.MaxText), true
	}
	return "", false
}

// short is a text cut to MaxText, where it is not short anyway.
func (w *exprSQL) short(t *expr.Tree) string {
	if t.Type != Text || isShort(t) {
		return w.sql(t)
	}
	return fmt.Sprintf("left(%s, %d)", w.sql(t), expr.MaxText)
}

func isShort(t *expr.Tree) bool {
	switch t.Op {
	case "literal":
		return len(t.Value.S) <= expr.MaxText
	case "lower", "upper", "trim", "left", "right", "substring", "replace", "concat", "null", "cast", "pseudonym":
		return true
	case "case":
		for i, a := range t.Args {
			if (i%2 == 1 || i == len(t.Args)-1) && !isShort(a) {
				return false
			}
		}
		return true
	}
	return false
}

// wall is a date or timestamp as the clock shows it.
func (w *exprSQL) wall(t *expr.Tree) *timeColumn {
	if t.Op == "column" {
		return w.time(t)
	}
	x := w.sql(t)
	if t.Type == Date {
		return &timeColumn{typ: Date, col: x, lo: firstDay, hi: lastDay, zone: w.zone}
	}
	if t.Type == TimestampTZ { // the list of offsets would repeat the text
		x = "timezone(" + quoteText(w.zone.name) + ", " + x + ")"
	}
	return &timeColumn{typ: Timestamp, col: x, lo: firstMicro, hi: lastMicro, zone: w.zone}
}

func dateOfDay(day string) string {
	return "(DATE '1970-01-01' + CAST(" + day + " AS INTEGER))"
}

// day is the local date of a value.
func (w *exprSQL) day(t *expr.Tree) string {
	if t.Type == Date {
		return w.sql(t)
	}
	return dateOfDay(w.wall(t).day())
}

func (w *exprSQL) date(t *expr.Tree) string {
	whole := func(x string) string { return "CAST(" + x + " AS BIGINT)" }
	switch t.Op {
	case "year", "quarter", "month", "day":
		return whole(t.Op + "(" + w.day(t.Args[0]) + ")")
	case "week":
		return whole("weekofyear(" + w.day(t.Args[0]) + ")")
	case "weekday":
		return whole("isodow(" + w.day(t.Args[0]) + ")")
	case "hour":
		return whole(w.wall(t.Args[0]).grainSQL("hour_of_day", shift{}))
	case "minute":
		c := w.wall(t.Args[0])
		return whole(fmt.Sprintf("((%s // %d) %% 60)", plus(c.localMicros(), dayMicros*c.forwardFor(forwardDays)), minuteMicros))
	case "date_trunc":
		return w.truncated(t)
	case "date_add":
		return w.moved(t)
	case "date_diff":
		return w.difference(t)
	}
	panic("warehouse: no SQL for " + t.Op) // the checker knows no other
}

func (w *exprSQL) truncated(t *expr.Tree) string {
	x := t.Args[0]
	if subDay(t.Unit) {
		if x.Type == TimestampTZ && x.Op == "column" {
			return "make_timestamptz(CAST(" + w.time(x).subDaySQL(t.Unit) + " AS BIGINT))"
		}
		local := "make_timestamp(CAST(" + w.wall(x).subDaySQL(t.Unit) + " AS BIGINT))"
		if x.Type == TimestampTZ {
			return "timezone(" + quoteText(w.zone.name) + ", " + local + ")"
		}
		return local
	}
	if t.Unit == "day" {
		return w.day(x)
	}
	return dateOfDay(w.wall(x).grainSQL(t.Unit, shift{}))
}

// unitDigits is how many digits a number of units may have for date_add: as
// many as keep calendars computable. More is null.
var unitDigits = map[string]int{"year": 4, "quarter": 5, "month": 5, "week": 6, "day": 7, "hour": 8, "minute": 10}

// moved adds units. Days and longer are added on the clock, so that noon stays
// noon when clocks change; hours and minutes as they pass.
func (w *exprSQL) moved(t *expr.Tree) string {
	n := fmt.Sprintf("TRY_CAST(%s AS DECIMAL(%d,0))", w.sql(t.Args[0]), unitDigits[t.Unit])
	x := w.sql(t.Args[1])
	step := ""
	switch t.Unit {
	case "minute", "hour":
		return "TRY(" + x + " + to_" + t.Unit + "s(CAST(" + n + " AS BIGINT)))"
	case "day":
		step = "to_days(CAST(" + n + " AS INTEGER))"
	case "week":
		step = "to_days(7 * CAST(" + n + " AS INTEGER))"
	case "quarter":
		step = "to_months(3 * CAST(" + n + " AS INTEGER))"
	default:
		step = "to_" + t.Unit + "s(CAST(" + n + " AS INTEGER))"
	}
	switch t.Type {
	case Date:
		return "TRY(CAST(" + x + " + " + step + " AS DATE))"
	case TimestampTZ:
		zone := quoteText(w.zone.name)
		return "TRY(timezone(" + zone + ", timezone(" + zone + ", " + x + ") + " + step + "))"
	}
	return "TRY(" + x + " + " + step + ")"
}

// difference counts from the first to the second: boundaries of days and
// longer that lie between, whole hours and minutes that passed.
func (w *exprSQL) difference(t *expr.Tree) string {
	a, b := t.Args[0], t.Args[1]
	switch t.Unit {
	case "minute", "hour":
		return fmt.Sprintf("((epoch_us(%s) - epoch_us(%s)) // %d)", w.sql(b), w.sql(a), grainMicros(t.Unit))
	case "day":
		return "CAST(" + w.day(b) + " - " + w.day(a) + " AS BIGINT)"
	case "week":
		return "CAST((" + w.wall(b).grainSQL("week", shift{}) + " - " + w.wall(a).grainSQL("week", shift{}) + ") // 7 AS BIGINT)"
	}
	return "date_diff('" + t.Unit + "', " + w.day(a) + ", " + w.day(b) + ")"
}

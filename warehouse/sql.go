package warehouse

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Time is written to SQL as whole numbers: days, or microseconds, since 1970.
// DuckDB's // and % round toward zero, so numbers are first moved into the
// positive by a multiple of the divisor.
const (
	forwardDays = 10_000_000 // covers 27,000 years before 1970
	// A quarter-hour bucket is an INT32, which a smaller move keeps in range
	// for all dates of the years 1 to 9999.
	forwardQuarterDays = 1_000_000
)

// Years outside of 1 to 9999 are no dates of a dataset; bounds beyond are cut.
const (
	firstDay   = -719_162
	lastDay    = 2_932_897
	firstMicro = firstDay * dayMicros
	lastMicro  = lastDay * dayMicros
)

// bucketType is the type of quarter-hour buckets, which no person sees.
const bucketType Type = "bucket"

// quoteText writes a text as an SQL literal. DuckDB knows no escapes inside
// '…' but the doubled quote; NUL bytes are refused when specs are bound.
func quoteText(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// literalSQL writes v for a comparison with a column of the type of ref, typed
// so that DuckDB need not convert the column.
func literalSQL(v value, ref colRef) string {
	switch ref.Type {
	case bucketType:
		return fmt.Sprintf("(%d)::INTEGER", v.I)
	case Text:
		return quoteText(v.S)
	case Boolean:
		if v.I != 0 {
			return "TRUE"
		}
		return "FALSE"
	case Date:
		day := min(max(v.I, firstDay), lastDay)
		return fmt.Sprintf("(DATE '1970-01-01' + (%d)::INTEGER)", day)
	case Timestamp:
		return fmt.Sprintf("make_timestamp((%d)::BIGINT)", min(max(v.I, firstMicro), lastMicro))
	case TimestampTZ:
		return fmt.Sprintf("make_timestamptz((%d)::BIGINT)", min(max(v.I, firstMicro), lastMicro))
	case Float:
		return "'" + strconv.FormatFloat(v.float(), 'g', -1, 64) + "'::DOUBLE"
	}
	return numberSQL(v, ref)
}

func numberSQL(v value, ref colRef) string {
	if v.K == "f" {
		return "'" + strconv.FormatFloat(v.F, 'g', -1, 64) + "'::DOUBLE"
	}
	digits := v.S
	if v.K == "i" {
		digits = strconv.FormatInt(v.I, 10)
		if ref.Type == Integer {
			return "(" + digits + ")::BIGINT"
		}
	}
	places := digitsAfterPoint(digits)
	whole := len(strings.TrimLeft(strings.TrimPrefix(strings.SplitN(digits, ".", 2)[0], "-"), "0"))
	if ref.Type == Decimal && places <= int(ref.Scale) && whole <= int(ref.Precision)-int(ref.Scale) {
		return fmt.Sprintf("'%s'::DECIMAL(%d,%d)", digits, ref.Precision, ref.Scale)
	}
	return fmt.Sprintf("'%s'::DECIMAL(38,%d)", digits, min(places, 38-whole))
}

// condition writes a predicate over x, the SQL of its value. The literals are
// of the type of ref.
func condition(set []interval, negate, nulls bool, x string, ref colRef) string {
	inside := setSQL(set, x, ref)
	switch {
	case negate && len(set) == 0 && nulls:
		return "TRUE"
	case negate && len(set) == 0:
		return x + " IS NOT NULL"
	case negate && nulls:
		return "(" + x + " IS NULL OR NOT (" + inside + "))"
	case negate:
		return "NOT (" + inside + ")"
	case len(set) == 0 && nulls:
		return x + " IS NULL"
	case len(set) == 0:
		return "FALSE"
	case nulls:
		return "(" + x + " IS NULL OR " + inside + ")"
	}
	return inside
}

func setSQL(set []interval, x string, ref colRef) string {
	var points, parts []string
	for _, in := range set {
		if in.Lo != nil && in.Hi != nil && *in.Lo == *in.Hi && !in.LoOpen && !in.HiOpen {
			points = append(points, literalSQL(*in.Lo, ref))
			continue
		}
		var bounds []string
		if in.Lo != nil {
			op := " >= "
			if in.LoOpen {
				op = " > "
			}
			bounds = append(bounds, x+op+literalSQL(*in.Lo, ref))
		}
		if in.Hi != nil {
			op := " <= "
			if in.HiOpen {
				op = " < "
			}
			bounds = append(bounds, x+op+literalSQL(*in.Hi, ref))
		}
		if len(bounds) == 0 {
			bounds = []string{x + " IS NOT NULL"}
		}
		parts = append(parts, strings.Join(bounds, " AND "))
	}
	if len(points) == 1 {
		parts = append(parts, x+" = "+points[0])
	} else if len(points) > 1 {
		parts = append(parts, x+" IN ("+strings.Join(points, ", ")+")")
	}
	if len(parts) == 1 {
		return parts[0]
	}
	for i := range parts {
		parts[i] = "(" + parts[i] + ")"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// timeColumn is how SQL sees a date or timestamp: the column itself, and its
// quarter-hour bucket where the file has one. Between lo and hi lie all values
// that the query can meet, in the column's own unit.
type timeColumn struct {
	typ    Type
	col    string // SQL of the column
	bucket string // SQL of its bucket, or empty
	lo, hi int64
	zone   *zone
	// move is added to each value before anything else: a comparison that
	// lines up by the microsecond.
	move int64
	// known is the SQL of the local day where an inner query has computed it.
	known string
}

func (t *timeColumn) periods() []period { return t.zone.periods(t.lo+t.move, t.hi+t.move) }

// forwardFor is by how many days values must be moved to be positive: none
// where all of them lie after 1970 anyway.
func (t *timeColumn) forwardFor(days int64) int64 {
	low := t.lo
	if t.typ == Date {
		low *= dayMicros
	}
	low += t.move
	if t.typ == TimestampTZ {
		least := int64(0)
		for _, p := range t.periods() {
			least = min(least, p.offset)
		}
		low += least
	}
	if low >= 0 {
		return 0
	}
	return days
}

// floorTo is the SQL of floor(x / width) * times, for x in a unit of which a
// day has perDay. ahead is added to x first; forward days keep it positive.
func floorTo(x string, perDay, forward, ahead, width, times int64) string {
	moved := forward*perDay + ahead
	sql := plus(x, moved) + fmt.Sprintf(" // %d", width)
	if times != 1 {
		sql += fmt.Sprintf(" * %d", times)
	}
	// A multiple of the width was added; it is taken away again.
	if back := forward * perDay / width * times; back != 0 {
		sql += fmt.Sprintf(" - %d", back)
	}
	return "(" + sql + ")"
}

// bucketExact tells whether buckets tell as much as the column for grains of a
// quarter of an hour and coarser: in UTC always, elsewhere where every offset
// and every change of it lies on a quarter of an hour.
func (t *timeColumn) bucketExact() bool {
	if t.bucket == "" || t.move%quarterMicros != 0 ||
		t.lo < -96*forwardQuarterDays*quarterMicros || t.hi > lastMicro {
		return false
	}
	if t.typ != TimestampTZ {
		return true
	}
	ps := t.periods()
	for i, p := range ps {
		if p.offset%quarterMicros != 0 || i > 0 && p.from%quarterMicros != 0 {
			return false
		}
	}
	return true
}

// byBucket tells whether the bucket is enough for a grain. Where the offset
// within an hour changes, hours begin at other minutes, and rows are looked at.
func (t *timeColumn) byBucket(grain string) bool {
	if grain == "" || grain == "minute" || !t.bucketExact() {
		return false
	}
	if !subDay(grain) || t.typ != TimestampTZ {
		return true
	}
	ps := t.periods()
	for _, p := range ps {
		if floorMod(p.offset-ps[0].offset, grainMicros(grain)) != 0 {
			return false
		}
	}
	return true
}

// micros is the value moved, in microseconds: an instant or the wall clock.
func (t *timeColumn) micros() string {
	if t.typ == Date {
		return plus("("+t.col+" - DATE '1970-01-01') * 86400000000", t.move)
	}
	return plus("epoch_us("+t.col+")", t.move)
}

// localMicros is the wall clock.
func (t *timeColumn) localMicros() string {
	if t.typ != TimestampTZ {
		return t.micros()
	}
	u := t.micros()
	if t.longOffsets() {
		return "epoch_us(timezone(" + quoteText(t.zone.name) + ", make_timestamptz(CAST(" + u + " AS BIGINT))))"
	}
	return addOffset(u, offsetSQL(u, t.periods(), 1))
}

// maxOffsetText is how long the choice of an offset may get, in bytes, before
// DuckDB's own zones are asked: it repeats the column, which may be a long
// expression, once for each change of clocks.
const maxOffsetText = 20_000

func (t *timeColumn) longOffsets() bool { return len(t.periods())*len(t.col) > maxOffsetText }

// localQuarters is the wall clock in quarters of an hour, from the bucket.
func (t *timeColumn) localQuarters() string {
	q := plus(t.bucket, t.move/quarterMicros)
	if t.typ != TimestampTZ {
		return q
	}
	return addOffset(q, offsetSQL(q, t.periods(), quarterMicros))
}

func plus(x string, n int64) string {
	switch {
	case n > 0:
		return fmt.Sprintf("(%s + %d)", x, n)
	case n < 0:
		return fmt.Sprintf("(%s - %d)", x, -n)
	}
	return x
}

func addOffset(x, offset string) string {
	if offset == "0" {
		return x
	}
	return "(" + x + " + " + offset + ")"
}

// offsetSQL chooses the offset by halving the periods, so that a hundred
// transitions cost seven comparisons. unit divides all numbers.
func offsetSQL(x string, ps []period, unit int64) string {
	if len(ps) == 1 {
		if ps[0].offset < 0 {
			return fmt.Sprintf("(%d)", ps[0].offset/unit)
		}
		return strconv.FormatInt(ps[0].offset/unit, 10)
	}
	mid := len(ps) / 2
	return fmt.Sprintf("CASE WHEN %s < %d THEN %s ELSE %s END", x, ps[mid].from/unit,
		offsetSQL(x, ps[:mid], unit), offsetSQL(x, ps[mid:], unit))
}

// day is the local day since 1970.
func (t *timeColumn) day() string {
	switch {
	case t.known != "":
		return t.known
	case t.typ == Date:
		return plus("("+t.col+" - DATE '1970-01-01')", t.move/dayMicros)
	case t.bucketExact():
		return floorTo(t.localQuarters(), 96, t.forwardFor(forwardQuarterDays), 0, 96, 1)
	case t.typ == Timestamp && t.move == 0:
		return "(CAST(" + t.col + " AS DATE) - DATE '1970-01-01')"
	}
	return floorTo(t.localMicros(), dayMicros, t.forwardFor(forwardDays), 0, dayMicros, 1)
}

// grainSQL is the value of the column by grain: days for day and coarser,
// microseconds for finer grains, small numbers for cyclic ones.
func (t *timeColumn) grainSQL(grain string, by shift) string {
	if subDay(grain) {
		return t.subDaySQL(grain)
	}
	if grain == "hour_of_day" {
		if t.bucketExact() {
			return fmt.Sprintf("((%s // 4) %% 24)", plus(t.localQuarters(), 96*t.forwardFor(forwardQuarterDays)))
		}
		return fmt.Sprintf("((%s // %d) %% 24)", plus(t.localMicros(), dayMicros*t.forwardFor(forwardDays)), hourMicros)
	}
	if grain == "week" && t.known == "" && t.typ != Date && by.Years == 0 && t.bucketExact() {
		// One division: 96 quarters a day, 7 days a week, and 1970 began on a Thursday.
		weeks := t.forwardFor(forwardQuarterDays / 7 * 7)
		return "(" + floorTo(t.localQuarters(), 96, weeks, 96*(3+by.Days), 7*96, 7) + " - 3)"
	}
	return dayGrainSQL(t.day(), t.forwardFor(forwardDays/7*7), grain, by)
}

// dayGrainSQL takes the SQL of a local day to a grain of days and coarser.
// forward is a number of whole weeks.
func dayGrainSQL(day string, forward int64, grain string, by shift) string {
	date := func(d string) string { return "(DATE '1970-01-01' + CAST(" + d + " AS INTEGER))" }
	number := func(date string) string { return "(CAST(" + date + " AS DATE) - DATE '1970-01-01')" }
	switch grain {
	case "weekday":
		return fmt.Sprintf("(%s %% 7 + 1)", plus(day, 3+forward))
	case "month_of_year":
		return "month(" + date(day) + ")"
	}
	switch {
	case by.Days != 0:
		day = plus(day, by.Days)
	case by.Years != 0:
		day = number(fmt.Sprintf("(%s + INTERVAL %d YEAR)", date(day), by.Years))
	}
	switch grain {
	case "day", "":
		return day
	case "week":
		if by.Days < 0 || by.Years != 0 {
			forward = forwardDays / 7 * 7
		}
		return "(" + floorTo(day, 1, forward, 3, 7, 7) + " - 3)"
	}
	if by.Months == 0 {
		return number("date_trunc('" + grain + "', " + date(day) + ")")
	}
	start := fmt.Sprintf("least(date_trunc('month', %s) + INTERVAL (%d) MONTH, %s)", date(day), by.Months, date(fmt.Sprintf("(%d)", by.Last)))
	if grain != "month" {
		start = "date_trunc('" + grain + "', " + start + ")"
	}
	return number(start)
}

// subDaySQL is the start of the bucket in microseconds. In a zone, a row keeps
// its own offset, so the hour that comes twice when clocks are set back stays
// two hours.
func (t *timeColumn) subDaySQL(grain string) string {
	width := grainMicros(grain)
	perDay := dayMicros
	forward := t.forwardFor(forwardDays)
	if t.typ == TimestampTZ {
		ps := t.periods()
		rest := floorMod(ps[0].offset, width)
		for _, p := range ps {
			if floorMod(p.offset, width) != rest && t.longOffsets() {
				// The hour that comes twice is one hour then.
				local := floorTo(t.localMicros(), perDay, forward, 0, width, width)
				return "epoch_us(timezone(" + quoteText(t.zone.name) + ", make_timestamp(CAST(" + local + " AS BIGINT))))"
			}
			if floorMod(p.offset, width) != rest {
				u := t.micros()
				offset := offsetSQL(u, ps, 1)
				return "(" + floorTo("("+u+" + "+offset+")", perDay, forward, 0, width, width) + " - (" + offset + "))"
			}
		}
		if width >= quarterMicros && t.bucketExact() {
			q := width / quarterMicros
			x := floorTo(plus(t.bucket, t.move/quarterMicros), 96, t.forwardFor(forwardQuarterDays), rest/quarterMicros, q, q)
			return fmt.Sprintf("(CAST(%s AS BIGINT) * %d)", plus(x, -rest/quarterMicros), quarterMicros)
		}
		return plus(floorTo(t.micros(), perDay, forward, rest, width, width), -rest)
	}
	if width >= quarterMicros && t.bucketExact() {
		q := width / quarterMicros
		return fmt.Sprintf("(CAST(%s AS BIGINT) * %d)", floorTo(t.localQuarters(), 96, t.forwardFor(forwardQuarterDays), 0, q, q), quarterMicros)
	}
	return floorTo(t.micros(), perDay, forward, 0, width, width)
}

// binSQL is the lower edge of the bin that x lies in.
func binSQL(d *planDim, x string) string {
	if d.Bin == "" {
		return fmt.Sprintf("(floor(CAST(%s AS DOUBLE) / %s) * %s)", x, doubleSQL(d.BinF), doubleSQL(d.BinF))
	}
	if d.Ref.Type == Integer {
		// Bins near the ends of the range may start outside of it.
		return fmt.Sprintf("(CAST(%s AS HUGEINT) - (%s %% %s + %s) %% %s)", x, x, d.Bin, d.Bin, d.Bin)
	}
	wide := fmt.Sprintf("CAST(%s AS DECIMAL(38,%d))", x, d.Scale)
	width := fmt.Sprintf("'%s'::DECIMAL(38,%d)", d.Bin, d.Scale)
	return fmt.Sprintf("(%s - (%s %% %s + %s) %% %s)", wide, wide, width, width, width)
}

func doubleSQL(f float64) string {
	return "'" + strconv.FormatFloat(f, 'g', -1, 64) + "'::DOUBLE"
}

// isWhole tells whether an interval of whole numbers covers [lo, hi].
func (in interval) covers(lo, hi int64) bool {
	cmp := func(v *value, n int64) int { return v.rat().Cmp(new(big.Rat).SetInt64(n)) }
	if in.Lo != nil {
		if c := cmp(in.Lo, lo); c > 0 || c == 0 && in.LoOpen {
			return false
		}
	}
	if in.Hi != nil {
		if c := cmp(in.Hi, hi); c < 0 || c == 0 && in.HiOpen {
			return false
		}
	}
	return true
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

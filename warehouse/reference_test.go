package warehouse

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// reference writes a spec as a PostgreSQL statement, from the words of
// docs/query-spec.md: every zone conversion is PostgreSQL's own, lookups are
// always joined, nothing is computed in stages.
type reference struct {
	spec    *Spec
	ds      *Dataset
	now     time.Time
	ordered bool // rows must come in this order

	last string // end of the span whose last month is the last there is; empty for no matter
}

func (r *reference) zone() string { return quoteText(r.spec.Timezone) }

func (r *reference) typeOf(column string) Type {
	if rest, ok := strings.CutPrefix(column, "home."); ok {
		return findColumn(r.ds.Lookups["home"].Target.Columns, rest).Type
	}
	return findColumn(r.ds.Columns, column).Type
}

func col(column string) string {
	if rest, ok := strings.CutPrefix(column, "home."); ok {
		return "l." + rest
	}
	return "t." + column
}

// wall is the wall-clock time of a column as timestamp without zone.
func (r *reference) wall(column string) string {
	switch r.typeOf(column) {
	case TimestampTZ:
		return "(" + col(column) + " AT TIME ZONE " + r.zone() + ")"
	case Date:
		return col(column) + "::timestamp"
	}
	return col(column)
}

// bucket gives a dimension; shift moves it (SQL interval), for a comparison.
func (r *reference) bucket(column, grain string, bin float64, shift string) string {
	x := col(column)
	wall := r.wall(column)
	if shift != "" && !cyclic(grain) {
		wall = "(" + wall + " + " + shift + ")"
	}
	switch {
	case bin != 0:
		if r.typeOf(column) == Float {
			return fmt.Sprintf("floor(%s / %g::float8) * %g::float8", x, bin, bin)
		}
		return fmt.Sprintf("floor(%s / %v::numeric) * %v::numeric", x, bin, bin)
	case grain == "":
		if shift != "" {
			return "(" + wall + ")::date"
		}
		return x
	case grain == "hour_of_day":
		return "extract(hour FROM " + wall + ")::bigint"
	case grain == "weekday":
		return "extract(isodow FROM " + wall + ")::bigint"
	case grain == "month_of_year":
		return "extract(month FROM " + wall + ")::bigint"
	case grain == "quarter_hour":
		return "(" + x + " - (" + wall + " - date_bin('15 minutes', " + wall + ", TIMESTAMP '1900-01-01')))"
	case subDay(grain):
		return "(" + x + " - (" + wall + " - date_trunc('" + grain + "', " + wall + ")))"
	}
	if shift != "" && r.last != "" {
		return "least(date_trunc('" + grain + "', " + wall + "), date_trunc('" + grain + "', " + r.last + " - interval '1 microsecond'))::date"
	}
	return "date_trunc('" + grain + "', " + wall + ")::date"
}

func number(raw json.RawMessage) string { return string(raw) + "::numeric" }

// filter is a condition that is true or not true, never null for "not".
func (r *reference) filter(f *Filter) string {
	x := col(f.Column)
	typ := r.typeOf(f.Column)
	switch f.Op {
	case "is_empty":
		if typ == Text {
			return "(" + x + " IS NULL OR " + x + " = '')"
		}
		return x + " IS NULL"
	case "not_empty":
		if typ == Text {
			return "(" + x + " IS NOT NULL AND " + x + " <> '')"
		}
		return x + " IS NOT NULL"
	case "contains":
		return fmt.Sprintf("position(lower(%s) in lower(%s COLLATE \"default\")) > 0", textValue(f.Values[0]), x)
	case "starts_with":
		return fmt.Sprintf("starts_with(lower(%s COLLATE \"default\"), lower(%s))", x, textValue(f.Values[0]))
	case "last", "this", "previous":
		return r.relative(f)
	}
	value := number
	switch {
	case cyclic(f.Grain):
		x = r.bucket(f.Column, f.Grain, 0, "")
	case isTemporal(typ):
		return r.timeFilter(f, typ)
	case typ == Text:
		value = textValue
	case typ == Boolean:
		value = func(raw json.RawMessage) string { return string(raw) }
	case typ == Float:
		value = func(raw json.RawMessage) string { return string(raw) + "::float8" }
	}
	switch f.Op {
	case "between":
		var parts []string
		if f.From != nil {
			parts = append(parts, x+" >= "+value(f.From))
		}
		if f.To != nil {
			parts = append(parts, x+" <= "+value(f.To))
		}
		return "(" + strings.Join(parts, " AND ") + ")"
	case "in", "not_in", "=", "!=":
		return r.list(f, func(raw json.RawMessage) string {
			if string(raw) == "null" {
				return x + " IS NULL"
			}
			return x + " IS NOT DISTINCT FROM " + value(raw)
		})
	}
	return x + " " + f.Op + " " + value(f.Values[0])
}

func (r *reference) list(f *Filter, equals func(json.RawMessage) string) string {
	var parts []string
	for _, v := range f.Values {
		parts = append(parts, equals(v))
	}
	cond := "(" + strings.Join(parts, " OR ") + ")"
	if f.Op == "not_in" || f.Op == "!=" {
		return "NOT coalesce(" + cond + ", FALSE)"
	}
	return cond
}

func textValue(raw json.RawMessage) string {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		panic(err)
	}
	return quoteText(s)
}

// timeFilter compares the start of the bucket that the column lies in with
// that of the value; without a grain, a day stands for the whole day.
func (r *reference) timeFilter(f *Filter, typ Type) string {
	side := func(raw json.RawMessage) (column, value string) {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			panic(err)
		}
		instant := strings.HasSuffix(s, "Z")
		grain := f.Grain
		if len(s) == 10 && grain == "" {
			grain = "day"
		}
		switch {
		case instant && grain != "":
			return "date_trunc('" + grain + "', " + r.wall(f.Column) + ")",
				fmt.Sprintf("date_trunc('%s', timestamptz '%s' AT TIME ZONE %s)", grain, s, r.zone())
		case instant:
			return col(f.Column), "timestamptz '" + s + "'"
		case grain != "":
			return "date_trunc('" + grain + "', " + r.wall(f.Column) + ")", "date_trunc('" + grain + "', timestamp '" + s + "')"
		}
		return r.wall(f.Column), "timestamp '" + s + "'"
	}
	switch f.Op {
	case "between":
		a, from := side(f.From)
		b, to := side(f.To)
		return "(" + a + " >= " + from + " AND " + b + " <= " + to + ")"
	case "in", "not_in", "=", "!=":
		return r.list(f, func(raw json.RawMessage) string {
			if string(raw) == "null" {
				return col(f.Column) + " IS NULL"
			}
			x, v := side(raw)
			return x + " IS NOT DISTINCT FROM " + v
		})
	}
	x, v := side(f.Values[0])
	return x + " " + f.Op + " " + v
}

func (r *reference) nowSQL() string {
	return "timestamptz '" + r.now.Format(time.RFC3339) + "'"
}

func (r *reference) nowWall() string { return "(" + r.nowSQL() + " AT TIME ZONE " + r.zone() + ")" }

func span(n int, unit string) string {
	if unit == "quarter" {
		n, unit = 3*n, "month"
	}
	return fmt.Sprintf("interval '%d %s'", n, unit)
}

// relativeBounds are wall-clock bounds of a relative filter.
func (r *reference) relativeBounds(f *Filter) (from, to string) {
	n := max(f.N, 1)
	start := "date_trunc('" + f.Unit + "', " + r.nowWall() + ")"
	if f.Op == "previous" {
		return "(" + start + " - " + span(n, f.Unit) + ")", start
	}
	return "(" + start + " - " + span(n-1, f.Unit) + ")", "(" + start + " + " + span(1, f.Unit) + ")"
}

func (r *reference) relative(f *Filter) string {
	if r.typeOf(f.Column) == TimestampTZ && subDay(f.Unit) {
		n := max(f.N, 1)
		start := "(" + r.nowSQL() + " - (" + r.nowWall() + " - date_trunc('" + f.Unit + "', " + r.nowWall() + ")))"
		from, to := start+" - "+span(n-1, f.Unit), start+" + "+span(1, f.Unit)
		if f.Op == "previous" {
			from, to = start+" - "+span(n, f.Unit), start
		}
		return "(t.at >= " + from + " AND t.at < " + to + ")"
	}
	from, to := r.relativeBounds(f)
	x := r.wall(f.Column)
	return "(" + x + " >= " + from + " AND " + x + " < " + to + ")"
}

// where joins conditions; skip is a filter left out.
func (r *reference) where(filters []Filter, skip *Filter, extra ...string) string {
	var parts []string
	for i := range filters {
		if filters[i].Measure == "" && &filters[i] != skip {
			parts = append(parts, "coalesce("+r.filter(&filters[i])+", FALSE)")
		}
	}
	parts = append(parts, extra...)
	if len(parts) == 0 {
		return "TRUE"
	}
	return strings.Join(parts, " AND ")
}

const referenceFrom = " FROM facts t LEFT JOIN cities l ON t.code = l.code"

// measure is an aggregate over rows.
func (r *reference) measure(m *Measure, outer string) string {
	cond := r.where(m.Filters, nil)
	if outer != "" {
		cond = outer + " AND " + cond
	}
	filter := " FILTER (WHERE " + cond + ")"
	if m.Measure != "" {
		saved := r.ds.Measures[m.Measure]
		return r.measure(&saved, cond)
	}
	x := ""
	if m.Column != "" {
		x = col(m.Column)
	}
	switch m.Fn {
	case "ratio":
		return fmt.Sprintf("(%s)::float8 / nullif((%s)::float8, 0)", r.measure(m.Numerator, cond), r.measure(m.Denominator, cond))
	case "count":
		if x == "" {
			x = "*"
		}
		return "count(" + x + ")" + filter
	case "count_distinct":
		return "count(DISTINCT " + x + ")" + filter
	case "avg":
		return "(avg(" + x + ")" + filter + ")::float8"
	case "median":
		return "percentile_cont(0.5) WITHIN GROUP (ORDER BY " + x + "::float8)" + filter
	case "percentile":
		return fmt.Sprintf("percentile_cont(%g) WITHIN GROUP (ORDER BY %s::float8)", m.Percentile/100, x) + filter
	}
	return m.Fn + "(" + x + ")" + filter
}

// groups is a SELECT of d0…, m0… over the rows that pass where.
func (r *reference) groups(where, shift string, folded []string) string {
	var columns []string
	for i, d := range r.spec.Dimensions {
		s := ""
		if r.spec.Comparison != nil && d.Column == r.spec.Comparison.Column {
			s = shift
		}
		x := r.bucket(d.Column, d.Grain, d.Bin, s)
		if folded != nil && folded[i] != "" {
			x = "CASE WHEN " + folded[i] + " THEN " + x + " END"
		}
		columns = append(columns, fmt.Sprintf("%s AS d%d", x, i))
	}
	n := len(columns)
	for i := range r.spec.Measures {
		columns = append(columns, fmt.Sprintf("%s AS m%d", r.measure(&r.spec.Measures[i], ""), i))
	}
	return "SELECT " + strings.Join(columns, ", ") + referenceFrom + " WHERE " + where + groupBy(n)
}

func (r *reference) sql() string {
	s := r.spec
	if len(s.Columns) > 0 {
		return r.plain()
	}
	if s.Comparison != nil {
		return r.compared()
	}
	if s.Other {
		return r.withOther()
	}
	inner := r.groups(r.where(s.Filters, nil), "", nil)
	return r.final(inner, false)
}

// final shows measures, filters groups, orders and cuts.
func (r *reference) final(inner string, previous bool) string {
	s := r.spec
	var columns, output []string
	for i := range s.Dimensions {
		columns = append(columns, fmt.Sprintf("d%d", i))
		output = append(output, fmt.Sprintf("d%d::text", i))
	}
	names := map[string]string{}
	for i, m := range s.Measures {
		x := fmt.Sprintf("m%d", i)
		switch m.Show {
		case "share":
			x = fmt.Sprintf("m%d::float8 / nullif((sum(m%d) OVER ())::float8, 0)", i, i)
		case "running":
			by, partition := r.runningBy()
			x = fmt.Sprintf("sum(m%d) OVER (%sORDER BY %s NULLS LAST ROWS UNBOUNDED PRECEDING)", i, partition, by)
		}
		columns = append(columns, fmt.Sprintf("%s AS v%d", x, i))
		output = append(output, fmt.Sprintf("v%d::text", i))
		names[m.As] = fmt.Sprintf("v%d", i)
		if previous {
			columns = append(columns, fmt.Sprintf("p%d", i))
			output = append(output, fmt.Sprintf("p%d::text", i))
		}
	}
	var having []string
	for _, f := range s.Filters {
		if f.Measure != "" {
			having = append(having, "("+names[f.Measure]+" "+strings.Replace(f.Op, "!=", "<>", 1)+" "+string(f.Values[0])+")")
		}
	}
	sql := "SELECT " + strings.Join(output, ", ") + " FROM (SELECT " + strings.Join(columns, ", ") + " FROM (" + inner + ") g) r" + whereSQL(having)
	var keys []string
	for _, o := range s.Order {
		key := o.By
		if v, ok := names[o.By]; ok {
			key = v
		}
		if o.Desc {
			key += " DESC"
		}
		// Qualified, as a bare name would mean the text of the output.
		keys = append(keys, "r."+key+" NULLS LAST")
		r.ordered = true
	}
	for i := range s.Dimensions {
		keys = append(keys, fmt.Sprintf("r.d%d NULLS LAST", i))
	}
	sql += orderSQL(keys) + fmt.Sprintf(" LIMIT %d OFFSET %d", s.Limit, s.Offset)
	return sql
}

// runningBy is the first dimension of time that does not repeat, else the
// first of time.
func (r *reference) runningBy() (by, partition string) {
	at := -1
	for i, d := range r.spec.Dimensions {
		if timeNames[d.Column] && (at < 0 || cyclic(r.spec.Dimensions[at].Grain) && !cyclic(d.Grain)) {
			at = i
		}
	}
	var others []string
	for i := range r.spec.Dimensions {
		if i != at {
			others = append(others, fmt.Sprintf("d%d", i))
		}
	}
	if len(others) > 0 {
		partition = "PARTITION BY " + strings.Join(others, ", ") + " "
	}
	return fmt.Sprintf("d%d", at), partition
}

func (r *reference) plain() string {
	s := r.spec
	r.ordered = true
	var output, keys []string
	for _, c := range s.Columns {
		output = append(output, col(c)+"::text")
	}
	for _, o := range s.Order {
		key := col(o.By)
		if o.Desc {
			key += " DESC"
		}
		keys = append(keys, key+" NULLS LAST")
	}
	for _, c := range s.Columns {
		keys = append(keys, col(c)+" NULLS LAST")
	}
	return "SELECT " + strings.Join(output, ", ") + referenceFrom + " WHERE " + r.where(s.Filters, nil) + orderSQL(keys) +
		fmt.Sprintf(" LIMIT %d OFFSET %d", s.Limit, s.Offset)
}

// withOther ranks the series by their count and reads all rows once more.
func (r *reference) withOther() string {
	s := r.spec
	var series []int
	times := 0
	for i, d := range s.Dimensions {
		if timeNames[d.Column] && !cyclic(d.Grain) {
			times++
		} else {
			series = append(series, i)
		}
	}
	if times == 0 || len(series) == 0 {
		series = nil
		for i := range s.Dimensions {
			series = append(series, i)
		}
	}
	where := r.where(s.Filters, nil)
	var keys, names, same []string
	for _, i := range series {
		d := s.Dimensions[i]
		x := r.bucket(d.Column, d.Grain, d.Bin, "")
		keys = append(keys, x+" AS k"+fmt.Sprint(i))
		names = append(names, fmt.Sprintf("k%d NULLS LAST", i))
		same = append(same, fmt.Sprintf("top.k%d IS NOT DISTINCT FROM %s", i, x))
	}
	order := "c DESC, " + strings.Join(names, ", ")
	inner := "SELECT " + strings.Join(keys, ", ") + ", count(*) AS c" + referenceFrom + " WHERE " + where + groupBy(len(keys))
	top := "SELECT * FROM (" + inner + ") q ORDER BY " + order + fmt.Sprintf(" LIMIT %d", s.Limit)
	isTop := "EXISTS (SELECT 1 FROM top WHERE " + strings.Join(same, " AND ") + ")"
	folded := make([]string, len(s.Dimensions))
	for _, i := range series {
		folded[i] = isTop
	}
	groups := r.groups(where, "", folded)
	// Whether a row is of "Other" is part of its group, as a null is a value.
	groups = strings.Replace(groups, " FROM facts", ", "+isTop+" AS kept FROM facts", 1)
	parts := make([]string, len(s.Dimensions))
	for i := range parts {
		parts[i] = fmt.Sprint(i + 1)
	}
	at := strings.LastIndex(groups, " GROUP BY ")
	groups = groups[:at] + " GROUP BY " + strings.Join(parts, ", ") + fmt.Sprintf(", %d", len(s.Dimensions)+len(s.Measures)+1)
	var output []string
	for i := range s.Dimensions {
		output = append(output, fmt.Sprintf("d%d::text", i))
	}
	for i := range s.Measures {
		output = append(output, fmt.Sprintf("m%d::text", i))
	}
	return "WITH top AS (" + top + ") SELECT " + strings.Join(output, ", ") + " FROM (" + groups + ") g"
}

// spans tells whether a measure has filters that keep spans of a column.
func (r *reference) spans(m *Measure, column string) bool {
	if m == nil {
		return false
	}
	for _, f := range m.Filters {
		if f.Column != column || cyclic(f.Grain) {
			continue
		}
		switch f.Op {
		case "last", "this", "previous", "in", "=":
			return true
		case "between":
			if !isNull(f.From) && !isNull(f.To) {
				return true
			}
		}
	}
	if saved, ok := r.ds.Measures[m.Measure]; ok && m.Measure != "" && r.spans(&saved, column) {
		return true
	}
	return r.spans(m.Numerator, column) || r.spans(m.Denominator, column)
}

// compared joins the current groups with those of the earlier span.
func (r *reference) compared() string {
	s := r.spec
	c := s.Comparison
	var f *Filter
	for i := range s.Filters {
		if s.Filters[i].Column == c.Column && s.Filters[i].Op != "is_empty" && s.Filters[i].Measure == "" {
			f = &s.Filters[i]
		}
	}
	week, months := false, true
	hasTime := false
	for _, d := range s.Dimensions {
		if d.Column != c.Column || cyclic(d.Grain) {
			continue
		}
		hasTime = true
		week = week || d.Grain == "week"
		if d.Grain == "day" || d.Grain == "week" || d.Grain == "" {
			months = false
		}
	}
	var from, to string
	back := ""
	calendar := c.Period == "year" // days line up by it over whole years
	byMonths := false              // it goes back by months
	if f.Op == "between" {
		var a, b string
		if json.Unmarshal(f.From, &a) != nil || json.Unmarshal(f.To, &b) != nil {
			panic("between")
		}
		start, _ := time.Parse(time.DateOnly, a)
		last, _ := time.Parse(time.DateOnly, b)
		end := last.AddDate(0, 0, 1)
		from, to = "timestamp '"+a+"'", "timestamp '"+end.Format(time.DateOnly)+"'"
		back = fmt.Sprintf("interval '%d day'", int(end.Sub(start).Hours()/24))
		if start.Day() == 1 && end.Day() == 1 {
			n := (end.Year()-start.Year())*12 + int(end.Month()) - int(start.Month())
			back = fmt.Sprintf("interval '%d month'", n)
			calendar, byMonths = calendar || n%12 == 0, true
		}
	} else {
		from, to = r.relativeBounds(f)
		back = span(max(f.N, 1), f.Unit)
		n, known := map[string]int{"month": 1, "quarter": 3, "year": 12}[f.Unit]
		calendar, byMonths = calendar || known && max(f.N, 1)*n%12 == 0, known
	}
	if c.Period == "year" {
		back, byMonths = "interval '1 year'", true
		if week {
			back, byMonths = "interval '364 day'", false
		}
	}
	happened := "(" + r.nowWall() + " + interval '1 microsecond')"
	if r.typeOf(c.Column) == Date {
		happened = "(date_trunc('day', " + r.nowWall() + ") + interval '1 day')"
	}
	// Months line up by the calendar where the spans do; else by the day.
	months = months && byMonths
	// An end goes back by its last day, and by whole months where some are over.
	endBack := func(end string) string {
		last := "date_trunc('day', " + end + " - interval '1 microsecond')"
		earlier := "(" + last + " - " + back + ")"
		byDay := earlier + " + (" + end + " - " + last + ")"
		if !byMonths {
			return byDay
		}
		return fmt.Sprintf("CASE WHEN %[2]s < %[7]s AND %[1]s = date_trunc('month', %[1]s) AND %[2]s = date_trunc('month', %[2]s) THEN %[2]s - %[3]s WHEN extract(day FROM %[4]s) <> extract(day FROM %[5]s) THEN %[4]s + interval '1 day' ELSE %[6]s END",
			from, end, back, earlier, last, byDay, happened)
	}
	x := r.wall(c.Column)
	prevFrom := "(" + from + " - " + back + ")"
	prevTo := fmt.Sprintf("(CASE WHEN %s >= %s THEN %s WHEN %s < %s THEN least(%s, %s) ELSE %s END)",
		from, happened, prevFrom, happened, to, endBack(to), endBack(happened), endBack(to))
	shift := fmt.Sprintf("(%s - %s)", from, prevFrom)
	if calendar && !months && !week {
		shift = back
	} else if months {
		shift = back
		// Rows are moved by whole months of their bucket.
	}
	if hasTime && !months && !(calendar && !week) {
		prevTo = fmt.Sprintf("least(%s, %s - %s)", prevTo, to, shift)
	}
	current := r.groups(r.where(s.Filters, nil), "", nil)
	if months && hasTime {
		shift = fmt.Sprintf("((extract(year FROM %s)*12 + extract(month FROM %s) - extract(year FROM %s)*12 - extract(month FROM %s))::int * interval '1 month')", from, from, prevFrom, prevFrom)
	}
	r.last = ""
	if months && hasTime {
		r.last = to
	}
	previous := r.groups(r.where(s.Filters, f, x+" >= "+prevFrom, x+" < "+prevTo), shift, nil)
	// Moments that the earlier span does not reach have no counts of it.
	reached := prevFrom + " < " + prevTo
	for i, d := range s.Dimensions {
		if d.Column != c.Column || cyclic(d.Grain) {
			continue
		}
		at := fmt.Sprintf("coalesce(a.d%d, b.d%d)::timestamp", i, i)
		switch {
		case months:
			reached += fmt.Sprintf(" AND date_trunc('month', %s) <= date_trunc('month', %s - interval '1 microsecond') + %s", at, prevTo, shift)
		case calendar && !week:
			reached += fmt.Sprintf(" AND %s <= date_trunc('day', %s - interval '1 microsecond') + %s AND (%s - %s) + %s = %s", at, prevTo, shift, at, shift, shift, at)
		default:
			reached += fmt.Sprintf(" AND %s < %s + %s", at, prevTo, shift)
		}
	}
	var columns, same []string
	for i := range s.Dimensions {
		columns = append(columns, fmt.Sprintf("coalesce(a.d%d, b.d%d) AS d%d", i, i, i))
		same = append(same, fmt.Sprintf("coalesce(a.d%d::text, '~') = coalesce(b.d%d::text, '~')", i, i))
	}
	for i, m := range s.Measures {
		a, b := fmt.Sprintf("a.m%d", i), fmt.Sprintf("b.m%d", i)
		if m.Fn == "count" || m.Fn == "count_distinct" {
			a, b = "coalesce("+a+", 0)", "CASE WHEN "+reached+" THEN coalesce("+b+", 0) END"
		}
		if r.spans(&m, c.Column) {
			b = "CASE WHEN FALSE THEN " + b + " END" // stays where it is
		}
		columns = append(columns, fmt.Sprintf("%s AS m%d, %s AS p%d", a, i, b, i))
	}
	if len(same) == 0 {
		same = []string{"1 = 1"}
	}
	inner := "SELECT " + strings.Join(columns, ", ") + " FROM (" + current + ") a FULL JOIN (" + previous + ") b ON " + strings.Join(same, " AND ")
	return r.final(inner, true)
}

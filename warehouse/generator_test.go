package warehouse

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// specGenerator draws specs over the dataset of random_test.go.
type specGenerator struct {
	rnd   *rand.Rand
	kinds map[string]int
}

func (g *specGenerator) chance(oneIn int) bool { return g.rnd.IntN(oneIn) == 0 }

func pick[T any](g *specGenerator, list ...T) T { return list[g.rnd.IntN(len(list))] }

func (g *specGenerator) spec() Spec {
	s := Spec{Dataset: "facts", Timezone: pick(g, randomZones...)}
	if g.chance(6) {
		g.kinds["rows"]++
		g.rows(&s)
		return s
	}
	for range pick(g, 0, 1, 1, 1, 1, 2, 2, 3) {
		s.Dimensions = append(s.Dimensions, g.dimension(len(s.Dimensions)))
	}
	for range pick(g, 1, 1, 2, 3, 4) {
		m := g.measure(2)
		m.As = fmt.Sprintf("m%d", len(s.Measures))
		s.Measures = append(s.Measures, m)
	}
	for range pick(g, 0, 0, 1, 1, 2) {
		s.Filters = append(s.Filters, g.filter())
	}
	hasTime := false
	for _, d := range s.Dimensions {
		hasTime = hasTime || timeNames[d.Column]
	}
	for i := range s.Measures {
		m := &s.Measures[i]
		if m.Fn != "sum" && m.Fn != "count" || m.Measure != "" || !g.chance(4) {
			continue
		}
		if hasTime && g.chance(2) {
			m.Show = "running"
			g.kinds["running"]++
		} else {
			m.Show = "share"
			g.kinds["share"]++
		}
	}
	if g.chance(5) {
		g.comparison(&s)
	} else if len(s.Dimensions) > 0 && g.chance(5) {
		g.kinds["other"]++
		s.Other, s.Limit = true, 1+g.rnd.IntN(4)
		// Ranked by a count, whose ties PostgreSQL can break the same way.
		s.Measures[0] = Measure{Fn: "count", As: "m0"}
		for i := range s.Measures {
			s.Measures[i].Show = ""
		}
		return s
	}
	if g.chance(6) {
		g.kinds["having"]++
		s.Measures = append(s.Measures, Measure{Fn: "count", As: "h"})
		s.Filters = append(s.Filters, Filter{Measure: "h", Op: pick(g, ">", "<=", "!=", ">="), Values: raws(strconv.Itoa(g.rnd.IntN(20)))})
	}
	s.Limit = 100_000
	if len(s.Dimensions) > 0 && g.chance(3) {
		// Only exact columns, so that both sides see the same ties.
		s.Measures = append(s.Measures, Measure{Fn: "sum", Column: "n", As: "o"})
		s.Order = []Order{{By: pick(g, "o", "d0"), Desc: g.chance(2)}}
		s.Limit, s.Offset = 1+g.rnd.IntN(40), pick(g, 0, 0, 3)
		g.kinds["limit"]++
	}
	return s
}

var timeNames = map[string]bool{"at": true, "wall": true, "day": true, "home.founded": true}

func (g *specGenerator) rows(s *Spec) {
	names := []string{"id", "at", "wall", "day", "city", "n", "x", "price", "ok", "home.country", "home.size"}
	g.rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	s.Columns = append(names[:1+g.rnd.IntN(5)], "code")
	for range pick(g, 0, 1, 2) {
		s.Filters = append(s.Filters, g.filter())
	}
	s.Order = []Order{{By: pick(g, "at", "n", "home.size", "city", "x"), Desc: g.chance(2)}}
	s.Limit, s.Offset = 1+g.rnd.IntN(50), pick(g, 0, 0, 7)
}

func (g *specGenerator) dimension(i int) Dimension {
	d := Dimension{As: fmt.Sprintf("d%d", i)}
	d.Column = pick(g, "at", "at", "at", "wall", "day", "city", "ok", "n", "price", "x", "home.country", "home.founded", "home.size", "code")
	switch d.Column {
	case "at", "wall":
		d.Grain = pick(g, "minute", "quarter_hour", "hour", "day", "day", "week", "month", "quarter", "year", "hour_of_day", "weekday", "month_of_year")
	case "day", "home.founded":
		d.Grain = pick(g, "", "day", "week", "month", "quarter", "year", "weekday", "month_of_year")
	case "n":
		d.Bin = pick(g, 0.0, 7, 25)
	case "price":
		d.Bin = pick(g, 0.5, 12.125, 100.0)
	case "x":
		d.Bin = pick(g, 0.25, 3.0, 50)
	}
	g.kinds["dimension "+d.Column]++
	return d
}

func (g *specGenerator) measure(depth int) Measure {
	m := Measure{}
	if g.chance(3) {
		m.Filters = []Filter{g.filter()}
		g.kinds["measure filter"]++
	}
	if depth > 0 && g.chance(6) {
		g.kinds["ratio"]++
		num, den := g.measure(0), g.measure(0)
		num.Fn, den.Fn = pick(g, "sum", "count", "avg"), pick(g, "sum", "count")
		num.Column, den.Column = pick(g, "n", "price", "x"), pick(g, "n", "price", "x")
		num.Percentile, den.Percentile = 0, 0
		m.Fn, m.Numerator, m.Denominator = "ratio", &num, &den
		return m
	}
	if depth > 1 && g.chance(10) {
		g.kinds["saved"]++
		m.Measure = "rate"
		return m
	}
	m.Fn = pick(g, "sum", "avg", "min", "max", "count", "count", "count_distinct", "median", "percentile")
	g.kinds[m.Fn]++
	switch m.Fn {
	case "count":
		m.Column = pick(g, "", "", "x", "city", "home.country")
	case "count_distinct":
		m.Column = pick(g, "city", "n", "day", "home.country", "ok", "price")
	case "min", "max":
		m.Column = pick(g, "n", "price", "x", "at", "wall", "day", "city", "home.size")
	default:
		m.Column = pick(g, "n", "price", "x", "home.size")
	}
	if m.Fn == "percentile" {
		m.Percentile = pick(g, 10.0, 95, 99.9)
	}
	return m
}

func raws(values ...string) []json.RawMessage {
	out := make([]json.RawMessage, len(values))
	for i, v := range values {
		out[i] = json.RawMessage(v)
	}
	return out
}

func (g *specGenerator) filter() Filter {
	f := Filter{Column: pick(g, "at", "at", "wall", "day", "city", "n", "x", "price", "ok", "home.country", "home.size", "code")}
	defer func() { g.kinds["filter "+f.Op]++ }()
	if g.chance(9) {
		f.Op = pick(g, "is_empty", "not_empty")
		return f
	}
	switch f.Column {
	case "at", "wall", "day":
		g.timeFilter(&f)
	case "ok":
		f.Op = pick(g, "=", "!=", "in", "not_in")
		f.Values = raws(pick(g, "true", "false"))
	case "city", "home.country", "code":
		texts := []string{`"Rome"`, `"oslo"`, `""`, `"a'b"`, `"it's \"South\"; --"`, `"A"`, `"B"`, `"D"`, `"North"`, `"100%"`, `"x_y"`}
		f.Op = pick(g, "=", "!=", "in", "not_in", "<", ">=", "contains", "starts_with")
		f.Values = raws(pick(g, texts...))
		switch f.Op {
		case "in", "not_in":
			f.Values = append(f.Values, raws(pick(g, texts...), pick(g, append(texts, "null")...))...)
		case "contains", "starts_with":
			f.Values = raws(pick(g, `"R"`, `"ro"`, `"O"`, `"%"`, `"_"`, `"'"`, `"south"`, `"æ"`))
		}
	default:
		number := func() string {
			return pick(g, strconv.Itoa(g.rnd.IntN(120)-40), fmt.Sprintf("%.1f", float64(g.rnd.IntN(900))/10-20), "12.125")
		}
		f.Op = pick(g, "=", "!=", "in", "not_in", "<", "<=", ">", ">=", "between", "between")
		if f.Op == "between" {
			f.From, f.To = json.RawMessage(number()), json.RawMessage(number())
			if g.chance(3) {
				f.To = nil
			}
			return f
		}
		f.Values = raws(number())
		if f.Op == "in" || f.Op == "not_in" {
			f.Values = append(f.Values, raws(number(), pick(g, number(), "null"))...)
		}
	}
	return f
}

func (g *specGenerator) date() time.Time {
	if g.chance(3) {
		t, err := time.Parse(time.DateTime, pick(g, transitions...))
		if err != nil {
			panic(err)
		}
		return t.AddDate(0, 0, g.rnd.IntN(3)-1)
	}
	return time.Unix(g.rnd.Int64N(2_200_000_000)-700_000_000, 0).UTC()
}

func (g *specGenerator) timeFilter(f *Filter) {
	value := func() string {
		t := g.date()
		if f.Column == "day" || g.chance(2) {
			return t.Format(`"2006-01-02"`)
		}
		t = t.Add(time.Duration(g.rnd.IntN(86400)) * time.Second)
		if f.Column == "at" && g.chance(2) {
			return t.Format(`"2006-01-02T15:04:05Z"`)
		}
		return t.Format(`"2006-01-02T15:04:05"`)
	}
	switch g.rnd.IntN(6) {
	case 0, 1:
		g.relative(f)
		return
	case 2:
		if f.Column != "day" {
			f.Grain = pick(g, "hour_of_day", "weekday", "month_of_year")
		} else {
			f.Grain = pick(g, "weekday", "month_of_year")
		}
		f.Op = pick(g, "in", "not_in", "<", ">=")
		f.Values = raws(strconv.Itoa(1 + g.rnd.IntN(7)))
		if f.Op == "in" {
			f.Values = append(f.Values, raws("3", "null")...)
		}
		return
	case 3:
		f.Grain = pick(g, "day", "week", "month", "quarter", "year")
	}
	f.Op = pick(g, "=", "!=", "in", "not_in", "<", "<=", ">", ">=", "between", "between")
	if f.Op == "between" {
		a, b := value(), value()
		f.From, f.To = json.RawMessage(a), json.RawMessage(b)
		return
	}
	f.Values = raws(value())
	if f.Op == "in" || f.Op == "not_in" {
		f.Values = append(f.Values, raws(value(), pick(g, value(), "null"))...)
	}
}

func (g *specGenerator) relative(f *Filter) {
	f.Op = pick(g, "last", "previous", "this")
	f.N = 1 + g.rnd.IntN(30)
	f.Unit = pick(g, "day", "day", "week", "month", "quarter", "year")
	if f.Column != "day" && g.chance(4) {
		f.Unit = pick(g, "minute", "hour")
		f.N *= 20
	}
	if f.Op == "this" {
		f.N = 0
	}
}

// comparison replaces the filters on one time column by one that has a start,
// and dimensions of hours, which PostgreSQL lines up differently.
func (g *specGenerator) comparison(s *Spec) {
	column := pick(g, "at", "wall", "day")
	kept := s.Filters[:0]
	for _, f := range s.Filters {
		if !timeNames[f.Column] {
			kept = append(kept, f)
		}
	}
	f := Filter{Column: column, Op: pick(g, "last", "previous", "this"), N: 1 + g.rnd.IntN(12), Unit: pick(g, "day", "week", "month", "quarter", "year")}
	if f.Op == "this" {
		f.N = 0
	}
	if g.chance(3) {
		from := time.Date(2020, time.Month(1+g.rnd.IntN(12)), 1+g.rnd.IntN(2), 0, 0, 0, 0, time.UTC)
		to := from.AddDate(0, g.rnd.IntN(5), g.rnd.IntN(3))
		if g.chance(2) { // whole months
			from = time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC)
			to = from.AddDate(0, 1+g.rnd.IntN(4), -1)
		}
		f = Filter{Column: column, Op: "between", From: json.RawMessage(from.Format(`"2006-01-02"`)), To: json.RawMessage(to.Format(`"2006-01-02"`))}
	}
	s.Filters = append(kept, f)
	for i := range s.Dimensions {
		d := &s.Dimensions[i]
		if d.Column == column && (d.Grain == "" || subDay(d.Grain)) {
			d.Grain = pick(g, "day", "week", "month")
		}
	}
	for i := range s.Measures {
		s.Measures[i].Show = ""
	}
	s.Comparison = &Comparison{Period: pick(g, "previous", "year"), Column: column}
	g.kinds["comparison"]++
}

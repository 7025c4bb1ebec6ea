package warehouse

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// speed predicts how long an exact answer takes, from how long earlier ones
// took by row, for each number of columns read.
type speed struct {
	mu     sync.Mutex
	perRow [9]float64 // nanoseconds of wall time, by columns read
}

const (
	speedMinRows = 200_000 // smaller queries are planning more than reading
	speedWeight  = 0.2     // of the latest observation
)

func newSpeed() *speed {
	s := &speed{}
	for i := range s.perRow {
		s.perRow[i] = 3 + 3*float64(i) // until something is measured
	}
	return s
}

func (c *compiler) columnsRead() int {
	seen := map[colRef]bool{}
	c.p.refs(func(r colRef) { seen[r] = true })
	return min(len(seen), 8)
}

func (s *speed) observe(c *compiler, took time.Duration) {
	rows := c.scanned()
	if rows < speedMinRows {
		return
	}
	n := c.columnsRead()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.perRow[n] += speedWeight * (float64(took.Nanoseconds())/float64(rows) - s.perRow[n])
}

func (s *speed) predict(c *compiler) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.perRow[c.columnsRead()] * float64(c.scanned()))
}

// maySample tells whether the answer may come from samples: enough rows, slow
// enough, only sums, counts and quotients of them, and samples to read.
func (e *Engine) maySample(c *compiler) bool {
	p := c.p
	if p.Exact || e.cfg.SampleAbove < 0 || c.scanned() <= e.cfg.SampleAbove || !p.estimable() {
		return false
	}
	if len(p.Dims) > 0 && c.groupsOnly().columnsRead() == c.columnsRead() {
		return false // which groups there are takes as long to find out as the answer
	}
	for _, src := range []*source{c.base, c.before} {
		if src != nil && sampledRows(src)*2 < src.rows() {
			return false // most of it would be read in full
		}
	}
	return e.speed.predict(c) > e.cfg.SampleSlowerThan
}

// sampledRows are the rows of segments that have a sample worth reading.
func sampledRows(src *source) int64 {
	var n int64
	for _, seg := range src.segs {
		if usableSample(seg) {
			n += seg.Rows
		}
	}
	return n
}

func usableSample(seg Segment) bool {
	return seg.Sample != "" && seg.SampleRows >= minGroupSample && seg.SampleRows < seg.Rows
}

// estimable tells whether the plan's answer can be estimated with an honest
// error. Smallest and largest values, distinct counts and percentiles cannot;
// shares, running totals, Other and filters on measures would turn small
// errors into wrong groups.
func (p *plan) estimable() bool {
	if p.MinRows > 1 || len(p.Rows) > 0 || len(p.Measures) == 0 || len(p.Having) > 0 || p.Other {
		return false
	}
	for i := range p.Atoms {
		if !p.Atoms[i].additive() {
			return false
		}
	}
	for _, m := range p.Measures {
		if m.Show != "" {
			return false
		}
		if m.Node.Expr != nil {
			return false
		}
		if n := m.Node; n.Num != nil && (n.Num.Num != nil || n.Den.Num != nil) {
			return false
		}
	}
	return true
}

const (
	// minGroupSample is the number of sampled rows that every shown number
	// must rest on.
	minGroupSample = 30
	// cochran is the factor of Cochran's rule: a normal interval of 95 % is
	// wrong in at most 6 % of cases where n > 25 × skewness².
	cochran = 25
	// worstError is the error over which an estimate is not worth showing.
	worstError = 0.25
)

// stratum is a set of files with one sampling rate. Files with the same rate
// may be taken together: within them every row had the same chance.
type stratum struct {
	segs   []Segment // with the paths of the files to read
	rows   int64     // in the segments
	sample int64     // of them in the files
}

func strata(src *source) []stratum {
	var out []stratum
	byRate := map[int64]int{}
	for _, seg := range src.segs {
		rate, all, rows := int64(0), seg.Rows, seg.Rows
		if usableSample(seg) {
			// What statistics say of the segment holds for its sample too.
			seg.Path, rows = seg.Sample, seg.SampleRows
			rate = int64(math.Round(20 * math.Log(float64(seg.Rows)/float64(seg.SampleRows)))) // steps of 5 %
		}
		i, ok := byRate[rate]
		if !ok {
			i = len(out)
			byRate[rate] = i
			out = append(out, stratum{})
		}
		out[i].segs = append(out[i].segs, seg)
		out[i].rows += all
		out[i].sample += rows
	}
	return out
}

// estimate answers from samples, or nil where the error could not be stated
// or would be too large: the exact answer is then computed.
func (e *Engine) estimate(ctx context.Context, conn *connection, c *compiler) (*Result, error) {
	p := c.p
	sql, err := e.estimateSQL(ctx, conn, c)
	if err != nil {
		return nil, err
	}
	rows, err := conn.query(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer rows.close()
	columns := p.resultColumns()
	shown := len(columns)
	values := shown - len(p.Dims)
	for range values {
		columns = append(columns, ResultColumn{Type: Float}) // relative standard error
	}
	columns = append(columns, ResultColumn{Type: Boolean}) // whether all rests on enough rows
	columns = append(columns, ResultColumn{Type: Integer}) // how many groups the samples have
	n, more, err := fetch(rows, columns, min(p.Limit, c.maxRows))
	if err != nil {
		return nil, fmt.Errorf("read estimate: %w", err)
	}
	if n == 0 || more && p.Limit > c.maxRows {
		return nil, nil
	}
	if more && slices.ContainsFunc(p.Order, func(o planOrder) bool { return o.Dim < 0 }) {
		return nil, nil // which groups come first is as uncertain as their numbers
	}
	worst, stated := 0.0, 0
	enough, groups := columns[len(columns)-2], columns[len(columns)-1].Ints[0]
	for row := range n {
		if enough.IsNull(row) || enough.Ints[row] == 0 {
			return nil, nil
		}
		for i := shown; i < shown+values; i++ {
			if columns[i].IsNull(row) {
				return nil, nil
			}
			worst = max(worst, columns[i].Floats[row])
			stated++
		}
	}
	margin := worst * jointQuantile(stated)
	if !finite(margin) || margin > worstError {
		return nil, nil
	}
	if len(p.Dims) > 0 {
		if all, err := e.countGroups(ctx, conn, c); err != nil || all != groups {
			return nil, err
		}
	}
	r := p.result()
	r.Rows, r.More, r.Columns = n, more, columns[:shown]
	r.TrimAhead()
	var all, read int64
	for _, src := range []*source{c.base, c.before} {
		if src != nil {
			for _, s := range strata(src) {
				all, read = all+s.rows, read+s.sample
			}
		}
	}
	r.Sampled = &Sampled{Rate: int(math.Round(float64(all) / float64(max(read, 1)))), Error: margin}
	return r, nil
}

// groupsOnly is the compiler of a plan that asks which groups there are.
func (c *compiler) groupsOnly() *compiler {
	p := *c.p
	p.Atoms, p.Measures, p.Order = []atom{{Fn: "rows"}}, nil, nil
	bare := *c
	bare.p = &p
	return &bare
}

// countGroups counts the groups of the exact answer, from all rows but from the
// columns of dimensions and filters alone. An estimate with as many is without
// none of them: the groups of samples are among those of all rows.
func (e *Engine) countGroups(ctx context.Context, conn *connection, c *compiler) (int64, error) {
	q := &groupQuery{c: c.groupsOnly()}
	out := []ResultColumn{{Type: Integer}}
	if err := queryInto(ctx, conn, "SELECT count(*) FROM ("+q.groups()+")", out); err != nil {
		return 0, fmt.Errorf("count groups: %w", err)
	}
	return out[0].Ints[0], nil
}

// jointQuantile widens the interval so that with 95 % all n numbers of the
// answer lie within it, not each of them alone.
func jointQuantile(n int) float64 {
	z := math.Sqrt2 * math.Erfinv(1-0.05/float64(max(n, 1)))
	const freedom = minGroupSample - 1
	return z + (z*z*z+z)/(4*freedom) + (5*math.Pow(z, 5)+16*z*z*z+3*z)/(96*freedom*freedom)
}

// estimateSQL writes the statement: dimensions, measures, the relative
// standard error of each, whether every number rests on enough rows, and how
// many groups there are, those beyond the limit included.
func (e *Engine) estimateSQL(ctx context.Context, conn *connection, c *compiler) (string, error) {
	p := c.p
	current, err := e.sampled(ctx, conn, c, c.base, p.Where, nil)
	if err != nil {
		return "", err
	}
	dims := numbered("d", len(p.Dims))
	from := "(" + current + ") AS g"
	if p.Previous != nil {
		before, err := e.sampled(ctx, conn, c, c.before, p.Previous.Where, p.Previous)
		if err != nil {
			return "", err
		}
		var columns []string
		for _, d := range dims {
			columns = append(columns, fmt.Sprintf("coalesce(x.%s, y.%s) AS %s", d, d, d))
		}
		for _, name := range momentNames(p) {
			columns = append(columns, "x."+name, "y."+name+" AS y"+name)
		}
		from = "(SELECT " + strings.Join(columns, ", ") + " FROM (" + current + ") AS x FULL JOIN (" + before + ") AS y ON " + sameGroup("x", "y", dims) + ") AS g"
	}
	columns := append([]string(nil), dims...)
	var errors, enough []string
	for i := range p.Measures {
		for _, side := range []string{"", "y"} {
			if side != "" && !p.compares(&p.Measures[i]) {
				continue
			}
			name := map[string]string{"": "m", "y": "n"}[side]
			value, spread, ok := estimateOf(&p.Measures[i].Node, side)
			columns = append(columns, fmt.Sprintf("%s AS %s%d", value, name, i))
			errors = append(errors, fmt.Sprintf("%s AS e%s%d", spread, side, i))
			enough = append(enough, ok)
		}
	}
	columns = append(columns, errors...)
	columns = append(columns, "("+strings.Join(enough, " AND ")+") AS enough")
	q := &groupQuery{c: c}
	output := q.output()
	for i := range p.Measures {
		output = append(output, fmt.Sprintf("e%d", i))
		if p.compares(&p.Measures[i]) {
			output = append(output, fmt.Sprintf("ey%d", i))
		}
	}
	output = append(output, "enough", "count(*) OVER () AS groups")
	sql := "SELECT " + strings.Join(output, ", ") + " FROM (SELECT " + strings.Join(columns, ", ") + " FROM " + from + ") AS r"
	return sql + orderSQL(q.orderKeys()) + q.c.limitSQL(), nil
}

// estimateOf is the SQL of a measure, of its relative standard error and of
// whether it rests on enough rows. The error of a quotient A/B is that of the
// sum of a − (A/B)·b over rows (the delta method).
func estimateOf(n *node, side string) (value, spread, enough string) {
	at := func(prefix string, atom int) string { return fmt.Sprintf("g.%s%s%d", side, prefix, atom) }
	ok := func(atom int) string {
		return fmt.Sprintf("coalesce(%s >= %d AND %s <= %s / %d, FALSE)", at("c", atom), minGroupSample, at("k", atom), at("t", atom), cochran)
	}
	if n.Num == nil {
		a := at("a", n.Atom)
		return a, fmt.Sprintf("(sqrt(%s) / nullif(abs(%s), 0))", at("v", n.Atom), a), ok(n.Atom)
	}
	i, j := n.Num.Atom, n.Den.Atom
	a, b := at("a", i), at("a", j)
	value = fmt.Sprintf("(%s / nullif(%s, 0))", a, b)
	spread = fmt.Sprintf("(sqrt(greatest(%s - 2 * %s * g.%sw%d_%d + %s * %s * %s, 0)) / nullif(abs(%s), 0))",
		at("v", i), value, side, i, j, value, value, at("v", j), a)
	return value, spread, ok(i) + " AND " + ok(j)
}

// pairs are the atoms that are divided by one another.
func pairs(p *plan) [][2]int {
	var out [][2]int
	seen := map[[2]int]bool{}
	for _, m := range p.Measures {
		if m.Node.Num != nil {
			pair := [2]int{m.Node.Num.Atom, m.Node.Den.Atom}
			if !seen[pair] {
				seen[pair] = true
				out = append(out, pair)
			}
		}
	}
	return out
}

func momentNames(p *plan) []string {
	var names []string
	for _, prefix := range []string{"a", "v", "c", "k", "t"} {
		names = append(names, numbered(prefix, len(p.Atoms))...)
	}
	for _, pair := range pairs(p) {
		names = append(names, fmt.Sprintf("w%d_%d", pair[0], pair[1]))
	}
	return names
}

// sampled is the SELECT of estimates by group. For each atom it gives the
// estimate a, its variance v, the number c of sampled rows it rests on, the
// squared skewness k of its values over all t sampled rows (rows outside of
// the group count as zero, since whether a row falls into the group is chance
// too); for quotients, the covariance w.
//
// Within a stratum of N rows with n sampled, the total is N/n times that of
// the sample, with variance N·(N−n)/n · s², s² being the variance of the
// values over all n sampled rows.
func (e *Engine) sampled(ctx context.Context, conn *connection, c *compiler, src *source, where []predicate, prev *planPrevious) (string, error) {
	p := c.p
	var parts []string
	var total int64
	for _, st := range strata(src) {
		total += st.sample
		foot, err := e.footers.load(ctx, conn, st.segs)
		if err != nil {
			return "", err
		}
		part := *src
		part.segs, part.foot = st.segs, foot
		inner := *c
		inner.base, inner.before = &part, &part
		q := &groupQuery{c: &inner}
		parts = append(parts, q.moments(where, prev, st))
	}
	if len(parts) == 0 {
		empty := *c
		q := &groupQuery{c: &empty}
		parts = append(parts, q.moments(where, prev, stratum{rows: 2, sample: 2}))
		total = 2
	}
	columns := numbered("d", len(p.Dims))
	for i := range p.Atoms {
		mean := fmt.Sprintf("(sum(s%d) / %d)", i, total)
		second := fmt.Sprintf("(sum(q%d) / %d)", i, total)
		third := fmt.Sprintf("(sum(r%d) / %d)", i, total)
		columns = append(columns,
			fmt.Sprintf("sum(whole / taken * s%d) AS a%d", i, i),
			fmt.Sprintf("sum(whole * (whole - taken) / taken * greatest(q%d - s%d * s%d / taken, 0) / (taken - 1)) AS v%d", i, i, i, i),
			fmt.Sprintf("sum(c%d) AS c%d", i, i),
			fmt.Sprintf("coalesce(pow(%s - 3 * %s * %s + 2 * pow(%s, 3), 2) / nullif(pow(greatest(%s - %s * %s, 0), 3), 0), 0) AS k%d",
				third, mean, second, mean, second, mean, mean, i),
			fmt.Sprintf("%d AS t%d", total, i))
	}
	for _, pair := range pairs(p) {
		i, j := pair[0], pair[1]
		columns = append(columns, fmt.Sprintf("sum(whole * (whole - taken) / taken * (x%d_%d - s%d * s%d / taken) / (taken - 1)) AS w%d_%d", i, j, i, j, i, j))
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM (" + strings.Join(parts, " UNION ALL ") + ") AS strata" + groupBy(len(p.Dims)), nil
}

// moments are the sums of powers of the atoms' values in one stratum by group.
func (q *groupQuery) moments(where []predicate, prev *planPrevious, st stratum) string {
	p := q.c.p
	s := q.c.scope(where, prev)
	s.joinNeeded()
	rows := make([]string, 0, len(p.Dims)+len(p.Atoms))
	for i := range p.Dims {
		rows = append(rows, fmt.Sprintf("%s AS d%d", s.dimension(&p.Dims[i]), i))
	}
	for i := range p.Atoms {
		a := &p.Atoms[i]
		z := "1::DOUBLE"
		switch a.Fn {
		case "count":
			z = "CASE WHEN " + s.col(*a.Ref) + " IS NOT NULL THEN 1::DOUBLE END"
		case "sum":
			z = "CAST(" + s.col(*a.Ref) + " AS DOUBLE)"
		}
		if cond := s.filterSQL(a); cond != "" {
			z = "CASE WHEN " + cond + " THEN " + z + " END"
		}
		rows = append(rows, fmt.Sprintf("%s AS z%d", z, i))
	}
	columns := numbered("d", len(p.Dims))
	columns = append(columns, fmt.Sprintf("%d::DOUBLE AS whole, %d::DOUBLE AS taken", st.rows, st.sample))
	for i := range p.Atoms {
		columns = append(columns, fmt.Sprintf("count(z%d) AS c%d, coalesce(sum(z%d), 0) AS s%d, coalesce(sum(z%d * z%d), 0) AS q%d, coalesce(sum(z%d * z%d * z%d), 0) AS r%d",
			i, i, i, i, i, i, i, i, i, i, i))
	}
	for _, pair := range pairs(p) {
		i, j := pair[0], pair[1]
		columns = append(columns, fmt.Sprintf("coalesce(sum(z%d * z%d), 0) AS x%d_%d", i, j, i, j))
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM (SELECT " + strings.Join(rows, ", ") + s.from() + ") AS z" + groupBy(len(p.Dims))
}

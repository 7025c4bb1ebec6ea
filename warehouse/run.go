package warehouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// answer computes a plan on a connection. The outcome is for the metrics.
func (e *Engine) answer(ctx context.Context, conn *connection, p *plan) (r *Result, outcome string, err error) {
	c, err := e.compiler(ctx, conn, p)
	if err != nil {
		return nil, "", err
	}
	if len(p.Rows) > 0 {
		return e.page(ctx, conn, c)
	}
	if r, err = e.fromSummaries(ctx, conn, c); err != nil || r != nil {
		return r, "summary", err
	}
	if e.maySample(c) {
		r, err = e.estimate(ctx, conn, c)
		if err != nil {
			return nil, "", err
		}
		if r != nil {
			return r, "sampled", nil
		}
	}
	e.metrics.rows.Add(float64(c.scanned()))
	start := time.Now()
	if r, err = e.groups(ctx, conn, c); err != nil {
		return nil, "", err
	}
	took := time.Since(start)
	if p.MinRows <= 1 { // what is withheld takes much longer to find than the rows to read
		e.speed.observe(c, took)
	}
	e.wantSummaries(c, took)
	return r, "exact", nil
}

// groups runs a query that groups.
func (e *Engine) groups(ctx context.Context, conn *connection, c *compiler) (*Result, error) {
	r, more, err := e.execute(ctx, conn, c, c.compile())
	if err == nil && more && (c.p.Limit > c.maxRows || c.p.Other) {
		return nil, e.tooManyRows(ctx, conn, c)
	}
	return r, err
}

// compiler gathers what the compiler must know of the files, and decides what is
// withheld.
func (e *Engine) compiler(ctx context.Context, conn *connection, p *plan) (*compiler, error) {
	c := &compiler{p: p, maxRows: min(MaxLimit, max(1, e.cfg.MaxResultCells/max(1, len(p.resultColumns()))))}
	for i := range p.Lookups {
		l := &p.Lookups[i]
		if l.target == nil {
			return nil, fmt.Errorf("lookup %s has no target", l.name)
		}
		src, err := e.source(ctx, conn, l.target, nil)
		if err != nil {
			return nil, err
		}
		if src.unique, err = e.uniqueKey(ctx, conn, l, src); err != nil {
			return nil, err
		}
		c.lookups = append(c.lookups, src)
	}
	if p.Small != nil {
		// It also depends on rows that the filters leave out.
		if err := e.read(ctx, conn, c, p.Ruled); err != nil {
			return nil, err
		}
		if err := e.withhold(ctx, conn, c); err != nil {
			return nil, err
		}
	}
	return c, e.read(ctx, conn, c, len(p.Where))
}

// read finds the segments with rows that the first filters let through: all of them
// where there are as many as the plan has, else the rules.
func (e *Engine) read(ctx context.Context, conn *connection, c *compiler, filters int) (err error) {
	p := c.p
	if c.base, err = e.source(ctx, conn, p.dataset, p.Where[:filters]); err != nil || p.Previous == nil {
		return err
	}
	earlier := p.Previous.Where
	if filters < len(p.Where) {
		earlier = earlier[:filters]
	}
	c.before, err = e.source(ctx, conn, p.dataset, earlier)
	return err
}

func (c *compiler) scanned() int64 {
	n := c.base.rows()
	if c.before != nil {
		n += c.before.rows()
	}
	return n
}

func (e *Engine) source(ctx context.Context, conn *connection, ds *Dataset, where []predicate) (*source, error) {
	s := &source{ds: ds, segs: prune(ds.Segments, where), empty: e.work.Join("empty.parquet")}
	var err error
	s.foot, err = e.footers.load(ctx, conn, s.segs)
	return s, err
}

// uniqueKey tells whether the key of a lookup is unique at this version.
func (e *Engine) uniqueKey(ctx context.Context, conn *connection, l *planLookup, src *source) (bool, error) {
	key := uniqueKey{l.Dataset, l.Version, l.Key.ID}
	if u, ok := e.unique.Get(key); ok {
		return u, nil
	}
	name := segments.ColumnName(l.Key.ID)
	sql := fmt.Sprintf("SELECT count(x.%s) = count(DISTINCT x.%s) FROM %s", name, name, src.relation([]colRef{l.Key}, "x"))
	column := []ResultColumn{{Type: Boolean}}
	if err := queryInto(ctx, conn, sql, column); err != nil {
		return false, fmt.Errorf("check key of lookup %s: %w", l.name, err)
	}
	unique := len(column[0].Ints) == 1 && column[0].Ints[0] == 1
	e.unique.Add(key, unique)
	return unique, nil
}

// newestSeen is newest among the rows that the policy of the dataset shows, of
// those before a moment of the wall clock.
func (e *Engine) newestSeen(ctx context.Context, ds *Dataset, column int32, before int64, zone string) (int64, bool, error) {
	if ds.Policy == nil {
		return e.newest(ctx, ds, column)
	}
	c := columnByID(ds.Columns, column)
	if c == nil {
		return 0, false, fmt.Errorf("column %d is not there", column)
	}
	if _, masked := ds.Policy.mask(column); masked {
		return 0, false, nil
	}
	if ds.Policy.MinRows > 1 { // this is no answer to anybody
		whole, open := *ds, *ds.Policy
		open.MinRows = 0
		whole.Policy = NewPolicy(open)
		ds = &whole
	}
	spec := Spec{Dataset: ds.ID, Timezone: zone, Measures: []Measure{{Fn: "max", Column: c.Name, As: "newest"}}}
	if before < maxMicros {
		layout := "2006-01-02T15:04:05.999999"
		if c.Type == Date {
			layout = time.DateOnly
		}
		text := time.UnixMicro(before).UTC().Format(layout)
		spec.Filters = []Filter{{Column: c.Name, Op: "<", Values: []json.RawMessage{json.RawMessage(strconv.Quote(text))}}}
	}
	r, err := e.Run(ctx, Query{Dataset: ds, Exact: true, Spec: spec})
	if errors.Is(err, ErrRowsWithheld) {
		return 0, false, nil // by the rule of a lookup
	}
	if err != nil {
		return 0, false, fmt.Errorf("find newest row: %w", err)
	}
	if r.Rows == 0 || r.Columns[0].IsNull(0) {
		return 0, false, nil
	}
	return r.Columns[0].Ints[0], true, nil
}

// newest gives the largest value of a time column, from the segments'
// statistics or, where one has none, from the rows.
func (e *Engine) newest(ctx context.Context, ds *Dataset, column int32) (int64, bool, error) {
	var newest int64
	found := false
	for i := range ds.Segments {
		seg := &ds.Segments[i]
		if seg.Rows == 0 {
			continue
		}
		r, known := seg.Stats[column]
		if !known {
			return e.newestOfRows(ctx, ds, column)
		}
		if r.Max == nil {
			continue
		}
		v, ok := wholeStat(r.Max)
		if !ok {
			return e.newestOfRows(ctx, ds, column)
		}
		if !found || v > newest {
			newest, found = v, true
		}
	}
	return newest, found, nil
}

func (e *Engine) newestOfRows(ctx context.Context, ds *Dataset, column int32) (int64, bool, error) {
	in, conn, err := e.connect(ctx, ds.TenantID)
	if err != nil {
		return 0, false, err
	}
	defer e.instances.release(in, conn)
	src, err := e.source(ctx, conn, ds, nil)
	if err != nil {
		return 0, false, err
	}
	c := columnByID(ds.Columns, column)
	if c == nil {
		return 0, false, fmt.Errorf("column %d is not there", column)
	}
	out := []ResultColumn{{Type: c.Type}}
	sql := fmt.Sprintf("SELECT max(x.%s) FROM %s", segments.ColumnName(column), src.relation([]colRef{refOf(0, c)}, "x"))
	if err := queryInto(ctx, conn, sql, out); err != nil {
		return 0, false, fmt.Errorf("find newest row: %w", err)
	}
	if len(out[0].Ints) == 0 || out[0].IsNull(0) {
		return 0, false, nil
	}
	return out[0].Ints[0], true, nil
}

// execute runs the statement of a plan and takes its result.
func (e *Engine) execute(ctx context.Context, conn *connection, c *compiler, sql string) (r *Result, more bool, err error) {
	p := c.p
	rows, err := conn.query(ctx, sql)
	if err != nil {
		return nil, false, err
	}
	defer rows.close()
	columns := p.resultColumns()
	limit := min(p.Limit, c.maxRows)
	if p.Other {
		columns = append(columns, ResultColumn{Name: "other", Type: Boolean})
		limit = c.maxRows
	}
	n, more, err := fetch(rows, columns, limit)
	if err != nil {
		return nil, false, fmt.Errorf("read result: %w", err)
	}
	r = p.result()
	r.Rows, r.More = n, more
	if p.Other {
		r.others(columns[len(columns)-1].Ints)
		columns = columns[:len(columns)-1]
	}
	r.Columns = columns
	r.TrimAhead()
	return r, more, nil
}

// TrimAhead takes the columns "<measure>.to_date" away where all are as their
// measures: nothing that was asked for, or may be seen, lies ahead. It is for who
// has made the result, or a copy of it.
func (r *Result) TrimAhead() {
	if r.ToDate.IsZero() {
		return
	}
	var rest []ResultColumn
	for i := range r.Columns {
		c := &r.Columns[i]
		base, toDate := strings.CutSuffix(c.Name, ToDateSuffix)
		if !toDate || c.Dimension {
			rest = append(rest, *c)
			continue
		}
		at := slices.IndexFunc(r.Columns, func(o ResultColumn) bool { return o.Name == base })
		if at < 0 || !c.sameValues(&r.Columns[at]) {
			return
		}
	}
	r.Columns, r.ToDate = rest, time.Time{}
}

// sameValues tells whether two columns of one answer have the same values.
func (c *ResultColumn) sameValues(o *ResultColumn) bool {
	return slices.Equal(c.Ints, o.Ints) && slices.Equal(c.Floats, o.Floats) && slices.Equal(c.Texts, o.Texts) &&
		slices.Equal(c.Exact, o.Exact) && (slices.Equal(c.Nulls, o.Nulls) || !slices.Contains(c.Nulls, true) && !slices.Contains(o.Nulls, true))
}

// others marks the rows that are "Other".
func (r *Result) others(flags []int64) {
	for i, f := range flags {
		if f == 0 {
			continue
		}
		if r.OtherRows == nil {
			r.OtherRows = make([]bool, len(flags))
		}
		r.OtherRows[i] = true
	}
	if n := len(flags); n > 0 && flags[n-1] != 0 {
		only := true
		for _, o := range r.OtherRows[:n-1] {
			only = only && !o
		}
		r.HasOther = only
	}
}

// result is an answer without rows.
func (p *plan) result() *Result {
	r := &Result{Versions: p.versions(), Version: p.Version, Timezone: p.Zone, Sparse: p.Gaps || len(p.Having) > 0 || p.MinRows > 1, Few: p.MinRows > 1}
	r.Span = p.span(p.Span)
	if p.ToDate != 0 {
		r.ToDate = time.UnixMicro(p.ToDate).UTC()
		if p.SpanTZ {
			r.ToDate = r.ToDate.In(p.zone.loc)
		}
	}
	if p.Previous != nil {
		r.Previous, r.Lacks = p.span(&p.Previous.Span), p.Previous.Lacks
	}
	return r
}

// span turns wall-clock time into times: in the zone for columns with time
// zone, as UTC for others. An open end is the zero time.
func (p *plan) span(w *wallSpan) *Span {
	if w == nil {
		return nil
	}
	at := func(wall int64) time.Time {
		if wall <= minMicros || wall >= maxMicros {
			return time.Time{}
		}
		t := time.UnixMicro(wall).UTC()
		if p.SpanTZ {
			return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), p.zone.loc)
		}
		return t
	}
	return &Span{From: at(w.From), To: at(w.To)}
}

// tooManyRows says what the limit is and which grouping would fit.
func (e *Engine) tooManyRows(ctx context.Context, conn *connection, c *compiler) error {
	p := c.p
	q := &groupQuery{c: c}
	out := []ResultColumn{{Type: Integer}}
	if err := queryInto(ctx, conn, "SELECT count(*) FROM ("+q.groups()+")", out); err != nil {
		return err
	}
	groups := out[0].Ints[0]
	for i, d := range p.Dims {
		if d.Grain == "" || cyclic(d.Grain) || !d.Ref.temporal() {
			continue
		}
		at := -1
		for j, g := range grains[:8] {
			if g == d.Grain {
				at = j
			}
		}
		for _, coarser := range grains[at+1 : 8] {
			fewer := float64(groups) * grainDays(d.Grain) / grainDays(coarser)
			if fewer < float64(c.maxRows)*0.8 {
				return ErrTooManyRows.With("The answer has %d groups; at most %d fit with its columns. Grouped by %s instead of %s in %q it would fit, or lower the limit.",
					groups, c.maxRows, strings.ReplaceAll(coarser, "_", " "), strings.ReplaceAll(d.Grain, "_", " "), clip(p.Dims[i].Name))
			}
		}
	}
	return ErrTooManyRows.With("The answer has %d groups; at most %d fit with its columns. Lower the limit or group more coarsely.", groups, c.maxRows)
}

// grainDays is about how long a bucket is.
func grainDays(grain string) float64 {
	switch grain {
	case "week":
		return 7
	case "month":
		return 30.4
	case "quarter":
		return 91.3
	case "year":
		return 365.2
	}
	return float64(grainMicros(grain)) / float64(dayMicros)
}

// Explanation says how an answer is made.
type Explanation struct {
	SQL      string   `json:"sql"`
	Digest   string   `json:"digest"`   // cache key
	Segments int      `json:"segments"` // read
	Pruned   int      `json:"pruned"`   // left unread by their smallest and largest values
	Rows     int64    `json:"rows"`     // in the segments read
	Before   int64    `json:"before"`   // in those read besides for the span compared with; mostly the same ones
	Sampled  bool     `json:"sampled"`  // would be answered from samples
	Notes    []string `json:"notes,omitempty"`
}

// Explain compiles q and says how it would be answered, without running it.
//
// Errors: the query.* codes.
func (e *Engine) Explain(ctx context.Context, q Query) (Explanation, error) {
	p, err := e.plan(ctx, &q)
	if err != nil {
		return Explanation{}, err
	}
	p = p.attach(q.Dataset)
	in, conn, err := e.connect(ctx, p.Tenant)
	if err != nil {
		return Explanation{}, err
	}
	defer e.instances.release(in, conn)
	c, err := e.compiler(ctx, conn, p)
	if err != nil {
		return Explanation{}, queryError(err)
	}
	x := Explanation{SQL: withoutSecrets(strings.Join(append(c.also, c.compile()), ";\n"), q.Dataset), Digest: p.digest, Segments: len(c.base.segs), Rows: c.base.rows(), Sampled: e.maySample(c)}
	if c.before != nil {
		x.Before = c.before.rows()
	}
	c.describePage()
	x.Pruned = len(q.Dataset.Segments) - x.Segments
	if q.Dataset.limited() {
		// How much there is besides is not for who may not see it.
		x.Segments, x.Pruned, x.Rows, x.Before = 0, 0, 0, 0
	}
	x.Notes = c.notes
	return x, nil
}

package warehouse

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse/expr"
)

// compilerVersion is part of every cache key. Raise it whenever the same plan
// would give another answer than before.
const compilerVersion = 8

// plan is a spec bound to a dataset: names are ids, dates are absolute, saved
// measures are written out. Two queries with equal plans have equal answers,
// so the digest of its JSON is the cache key. The layout of segments is no
// part of it: a merge of segments keeps the cache.
type plan struct {
	Compiler int
	Tenant   string
	Dataset  string
	Version  int64
	Zone     string
	Exact    bool // never from samples
	Lookups  []planLookup
	Fields   []planField  `json:",omitempty"`
	Rows     []planColumn // plain rows; empty for groups
	Dims     []planDim
	Atoms    []atom
	Measures []planMeasure
	Where    []predicate
	Previous *planPrevious
	Gaps     bool  `json:",omitempty"` // filters leave moments of a dimension out
	ToDate   int64 `json:",omitempty"` // microseconds, as the compared column has them; 0 for none
	Having   []having
	Order    []planOrder
	Limit    int
	Offset   int
	Other    bool
	MinRows  int        `json:",omitempty"` // groups of fewer are withheld
	Small    *planSmall `json:",omitempty"` // what is counted for that
	Ruled    int        `json:",omitempty"` // how many of Where are row rules
	Span     *wallSpan  // of the time filter, for the reader of the answer
	SpanTZ   bool       // the span is of a column with time zone

	dataset *Dataset
	zone    *zone
	digest  string
}

// planLookup is a lookup that the plan uses. References count from 1; 0 is the
// dataset itself.
type planLookup struct {
	Column  colRef // of the dataset
	Key     colRef // of the target
	Dataset string
	Version int64
	// Where keeps rows of the target; others are as if they were not there.
	Where []predicate `json:",omitempty"`

	name   string
	target *Dataset
}

// colRef is a column of the dataset (Rel 0), of Lookups[Rel-1], or a
// calculated value (Rel fieldRel, ID counts Fields).
type colRef struct {
	Rel       int
	ID        int32
	Type      Type
	Precision uint8 `json:",omitempty"`
	Scale     uint8 `json:",omitempty"`
}

func (r colRef) column() Column {
	return Column{ID: r.ID, Type: r.Type, Precision: r.Precision, Scale: r.Scale}
}

func (r colRef) temporal() bool { return isTemporal(r.Type) }

func isTemporal(t Type) bool { return t == Date || t == Timestamp || t == TimestampTZ }
func isNumeric(t Type) bool  { return t == Integer || t == Decimal || t == Float }

type planColumn struct {
	Name   string
	Ref    colRef
	Hidden bool `json:",omitempty"` // only ordered by
}

type planDim struct {
	Name  string
	Ref   colRef
	Grain string  `json:",omitempty"`
	Bin   string  `json:",omitempty"` // decimal digits
	BinF  float64 `json:",omitempty"`
	Type  Type    // of the result
	Scale uint8   `json:",omitempty"`
}

// cyclic grains repeat, so their values are numbers and no points in time.
func cyclic(grain string) bool {
	return grain == "hour_of_day" || grain == "weekday" || grain == "month_of_year"
}

// subDay tells whether a grain is finer than a day.
func subDay(grain string) bool {
	return grain == "minute" || grain == "quarter_hour" || grain == "hour"
}

// atom is one aggregate that SQL computes.
type atom struct {
	Fn      string  // rows, count, sum, min, max, count_distinct, percentile
	Ref     *colRef `json:",omitempty"`
	P       float64 `json:",omitempty"` // 0 < P < 1
	Filters []predicate
}

// mergeable tells whether the atom of a whole follows from the atoms of parts.
func (a *atom) mergeable() bool { return a.Fn != "count_distinct" && a.Fn != "percentile" }

// additive tells whether the atom of a whole is the sum of those of its parts.
func (a *atom) additive() bool { return a.Fn == "rows" || a.Fn == "count" || a.Fn == "sum" }

// share is a number in a sum of some.
type share struct{ Atom, Times int }

// node is the formula of a measure over atoms.
type node struct {
	Atom     int   // where neither Num nor Expr is set
	Num, Den *node `json:",omitempty"` // division
	// Expr is an expression over Parts, to which its "part" leaves refer.
	Expr  *expr.Tree `json:",omitempty"`
	Parts []node     `json:",omitempty"`
	Adds  bool       `json:",omitempty"` // Expr of parts of a group add up to that of the group
	Wide  bool       `json:",omitempty"` // Expr may have more than 64 bits, as sums of integers have
}

type planMeasure struct {
	Name    string
	Type    Type
	Scale   uint8 `json:",omitempty"`
	Node    node
	Show    string `json:",omitempty"`
	Running int    `json:",omitempty"` // index of the time dimension, for Show "running"
	ToDate  bool   `json:",omitempty"` // counts up to plan.ToDate, and is not compared itself
	Unmoved bool   `json:",omitempty"` // has filters that an earlier span knows nothing of
}

// planPrevious replaces the span of time for the columns "<measure>.previous".
type planPrevious struct {
	Where []predicate // instead of plan.Where
	Ref   colRef      // the time column
	Shift shift
	Span  wallSpan
	// Reach is the first moment of the current span that lies beyond the earlier
	// one: wall-clock time, an instant where Shift is by microseconds of a
	// TimestampTZ. 0 where all of it is reached.
	Reach int64   `json:",omitempty"`
	Lacks []int64 `json:",omitempty"` // days before that which it has not
}

// shift moves a moment of the previous span to its place in the current one, by
// one of its fields.
type shift struct {
	Micros int64 `json:",omitempty"` // before truncation
	Days   int64 `json:",omitempty"` // of the local day
	Months int64 `json:",omitempty"` // of the local month, at most to the one that starts on day Last
	Last   int64 `json:",omitempty"`
	Years  int64 `json:",omitempty"` // of the calendar, 29 February to the 28th
}

// wallSpan is a half-open span of wall-clock time in microseconds.
type wallSpan struct{ From, To int64 }

type having struct {
	Measure  int
	Previous bool
	Pred     predicate // Ref is meaningless
}

type planOrder struct {
	// One of the three: index of a dimension or of a plain column (Dim ≥ 0),
	// or of a measure.
	Dim      int
	Measure  int
	Previous bool `json:",omitempty"`
	Desc     bool `json:",omitempty"`
}

// value is a literal. K is i (integer, day, microsecond, boolean), d (decimal
// digits in S), f (float) or s (text).
type value struct {
	K string
	I int64   `json:",omitempty"`
	F float64 `json:",omitempty"`
	S string  `json:",omitempty"`
}

// interval is a span of values; a nil bound is none.
type interval struct {
	Lo, Hi         *value
	LoOpen, HiOpen bool
}

// predicate keeps rows by one column. A row with a value passes where the
// value lies in Set (or outside it, where Negate); one without passes where
// Nulls.
type predicate struct {
	Ref    colRef
	Kind   predicateKind
	Grain  string  `json:",omitempty"` // kindCyclic
	Bin    float64 `json:",omitempty"` // kindBin
	Set    []interval
	Text   string `json:",omitempty"` // kindContains, kindPrefix: lower case
	Nulls  bool   `json:",omitempty"`
	Negate bool   `json:",omitempty"`
}

// ranged tells whether it goes by where values lie, and not only by whether there
// is one.
func (p *predicate) ranged() bool {
	return p.Kind == kindSet && slices.ContainsFunc(p.Set, func(in interval) bool { return in.Lo != nil || in.Hi != nil })
}

type predicateKind string

const (
	kindSet      predicateKind = "set"      // the column's own values
	kindCyclic   predicateKind = "cyclic"   // hour of day and so on
	kindBin      predicateKind = "bin"      // floor(value / Bin), for floats
	kindContains predicateKind = "contains" //
	kindPrefix   predicateKind = "prefix"   //
)

// seal computes the digest. The plan must not change afterwards.
func (p *plan) seal() error {
	p.Compiler = compilerVersion
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode plan: %w", err)
	}
	sum := sha256.Sum256(text)
	p.digest = hex.EncodeToString(sum[:])
	return nil
}

// attach gives a plan that may have been kept the datasets of a query: their
// segments may have been merged since.
func (p *plan) attach(ds *Dataset) *plan {
	q := *p
	q.dataset = ds
	q.Lookups = append([]planLookup(nil), p.Lookups...)
	for i := range q.Lookups {
		q.Lookups[i].target = ds.Lookups[q.Lookups[i].name].Target
	}
	return &q
}

// detach drops the datasets, so that a kept plan does not keep them.
func (p *plan) detach() *plan {
	q := *p
	q.dataset = nil
	q.Lookups = append([]planLookup(nil), p.Lookups...)
	for i := range q.Lookups {
		q.Lookups[i].target = nil
	}
	return &q
}

// columnsOf calls visit for the stored columns that a reference comes from.
func (p *plan) columnsOf(ref colRef, visit func(colRef)) {
	if ref.Rel != fieldRel {
		visit(ref)
		return
	}
	p.Fields[ref.ID].Expr.Columns(func(t *expr.Tree) { visit(columnRef(t)) })
}

// refs calls visit for every column that rows must have for the plan.
func (p *plan) refs(visit func(colRef)) {
	see := visit
	visit = func(ref colRef) { p.columnsOf(ref, see) }
	for _, l := range p.Lookups {
		visit(l.Column)
		for _, f := range l.Where {
			visit(f.Ref)
		}
	}
	for _, c := range p.Rows {
		visit(c.Ref)
	}
	for _, d := range p.Dims {
		visit(d.Ref)
	}
	for i := range p.Atoms {
		if p.Atoms[i].Ref != nil {
			visit(*p.Atoms[i].Ref)
		}
		for _, f := range p.Atoms[i].Filters {
			visit(f.Ref)
		}
	}
	for _, f := range p.Where {
		visit(f.Ref)
	}
	if p.Small != nil {
		p.Small.refs(visit)
	}
	if p.Previous != nil {
		for _, f := range p.Previous.Where {
			visit(f.Ref)
		}
	}
}

func (p *plan) allMergeable() bool {
	for i := range p.Atoms {
		if !p.Atoms[i].mergeable() {
			return false
		}
	}
	return true
}

// versions maps every dataset of the plan to its version.
func (p *plan) versions() map[string]int64 {
	v := map[string]int64{p.Dataset: p.Version}
	for _, l := range p.Lookups {
		v[l.Dataset] = l.Version
	}
	return v
}

// resultColumns describes the answer without values.
func (p *plan) resultColumns() []ResultColumn {
	var columns []ResultColumn
	for _, c := range p.Rows {
		if !c.Hidden {
			columns = append(columns, ResultColumn{Name: c.Name, Type: c.Ref.Type, Scale: c.Ref.Scale})
		}
	}
	for _, d := range p.Dims {
		columns = append(columns, ResultColumn{Name: d.Name, Type: d.Type, Scale: d.Scale, Dimension: true, Grain: d.Grain})
	}
	for _, m := range p.Measures {
		columns = append(columns, ResultColumn{Name: m.Name, Type: m.Type, Scale: m.Scale})
		if p.compares(&m) {
			columns = append(columns, ResultColumn{Name: m.Name + PreviousSuffix, Type: m.Type, Scale: m.Scale})
		}
	}
	return columns
}

// compares tells whether a measure has a column of the earlier span.
func (p *plan) compares(m *planMeasure) bool { return p.Previous != nil && !m.ToDate }

// Ends of the names of what a comparison adds to a measure: what it was in the
// earlier span, and, where rows lie ahead, what it was by Result.ToDate.
const (
	PreviousSuffix = ".previous"
	ToDateSuffix   = ".to_date"
)

// MeasureOf is the name of the measure that a result column is of.
func MeasureOf(column string) string {
	return strings.TrimSuffix(strings.TrimSuffix(column, PreviousSuffix), ToDateSuffix)
}

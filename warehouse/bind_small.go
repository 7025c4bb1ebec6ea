package warehouse

import (
	"encoding/json"
	"slices"

	"github.com/dataflowhq/dataflow/warehouse/expr"
)

// Where groups of few rows are withheld, the rows of each group are divided into
// cells, by which of the question's conditions they meet: its filters, those of its
// measures, and what its calculated values choose by. Whoever asks can leave each of
// them out of another question, or turn it round, so that sums and differences of the
// answers come down to cells, and to nothing smaller. A group is shown only where none
// of its cells has few rows, few with a value, or few without one.

// maxMarks is how many different conditions a question has for somebody from whom
// small groups are withheld.
const maxMarks = 16

// maxHidden is how many hidden dimensions there are at most: each is a scan.
const maxHidden = 10

// planSmall is what is counted to find the groups that are withheld.
type planSmall struct {
	Marks []mark // conditions beside the filters
	// Hidden are no dimensions of the question: columns of which conditions name values,
	// those that calculated groups come from, and longer spans than those of its groups.
	// Each is looked at beside the dimensions.
	Hidden []planDim
	Counts []atom // of a cell; none has filters
	// Few are the numbers of rows of a cell that must not be few, as sums of Counts.
	// The first are its rows.
	Few [][]share
}

// mark is a condition by which rows are divided: a filter of a measure, or a
// calculated boolean, which also may have no value.
type mark struct {
	Pred *predicate `json:",omitempty"`
	Ref  *colRef    `json:",omitempty"`
	// Groups tells that a dimension chooses by it.
	Groups bool `json:",omitempty"`
	// Of is the hidden dimension whose values it names.
	Of *planDim `json:",omitempty"`
}

// refs calls visit for the columns that marks and counts need.
func (s *planSmall) refs(visit func(colRef)) {
	for i := range s.Marks {
		if m := &s.Marks[i]; m.Pred != nil {
			visit(m.Pred.Ref)
		} else {
			visit(*m.Ref)
		}
	}
	for _, d := range s.Hidden {
		visit(d.Ref)
	}
	for i := range s.Counts {
		if s.Counts[i].Ref != nil {
			visit(*s.Counts[i].Ref)
		}
		for _, f := range s.Counts[i].Filters {
			visit(f.Ref)
		}
	}
}

// smallGroups adds to the plan what decides which groups are small.
//
// Errors: query.rows_withheld.
func (b *binder) smallGroups() error {
	p := b.plan
	if p.MinRows <= 1 || len(p.Rows) > 0 {
		return nil
	}
	s := &smallBinder{binder: b, small: &planSmall{}, seen: map[string]bool{}}
	b.fieldNodes = 0 // marks are parts of what has been counted
	s.groups = true
	for i := range p.Dims { // first, so that their conditions are known as such
		if err := s.marksOf(&p.Dims[i].Ref); err != nil {
			return err
		}
		s.hideBehind(&p.Dims[i])
	}
	s.groups = false
	filters := 0
	for _, where := range b.filterLists() {
		filters = max(filters, len(distinctFilters(where)))
		for i := range where {
			if err := s.marksOf(&where[i].Ref); err != nil {
				return err
			}
		}
	}
	for _, where := range b.filterLists() {
		for i := range where {
			s.hide(valuesOf(&where[i]))
		}
	}
	all := s.count(nil)
	s.few(share{all, 1})
	for i := range p.Atoms {
		a := &p.Atoms[i]
		if err := s.marksOf(a.Ref); err != nil {
			return err
		}
		for j := range a.Filters {
			values := valuesOf(&a.Filters[j])
			s.mark(mark{Pred: &a.Filters[j], Of: values})
			s.hide(values)
			if err := s.marksOf(&a.Filters[j].Ref); err != nil {
				return err
			}
		}
		if err := s.behind(a, all); err != nil {
			return err
		}
	}
	if filters+len(s.small.Marks) > maxMarks || len(s.small.Hidden) > maxHidden {
		return ErrRowsWithheld.With("This can't be shown to you with so many filters and conditions at once: groups of fewer than %d rows of %q are withheld, and what each filter leaves out is looked at. Leave some out; %d are the most.",
			p.MinRows, b.ds.Name, maxMarks)
	}
	p.Small = s.small
	// The rest could be read off rows that were folded before anything was withheld.
	p.Other = p.Other && p.allMergeable()
	return nil
}

// filterLists are the filters of each span that is asked for, without the rules.
func (b *binder) filterLists() [][]predicate {
	lists := [][]predicate{b.plan.Where[b.plan.Ruled:]}
	if b.plan.Previous != nil {
		lists = append(lists, b.plan.Previous.Where[b.plan.Ruled:])
	}
	return lists
}

type smallBinder struct {
	*binder
	small  *planSmall
	seen   map[string]bool // marks and numbers
	groups bool            // marks are those of dimensions
}

// first tells whether something has not been there before.
func (s *smallBinder) first(x any) bool {
	text, err := json.Marshal(x)
	if err != nil { // plain fields only
		panic(err)
	}
	again := s.seen[string(text)]
	s.seen[string(text)] = true
	return !again
}

func (s *smallBinder) mark(m mark) {
	if s.first(m) {
		m.Groups = s.groups
		s.small.Marks = append(s.small.Marks, m)
	}
}

// valuesOf is the dimension of which a filter lists values, each of which is a group; nil
// where it does not.
func valuesOf(p *predicate) *planDim {
	if len(p.Set) == 0 || slices.ContainsFunc(p.Set, func(in interval) bool {
		return in.Lo == nil || in.Hi == nil || *in.Lo != *in.Hi && (p.Ref.Type != Date || in.LoOpen || !in.HiOpen || in.Hi.I-in.Lo.I != 1)
	}) {
		return nil
	}
	d := &planDim{Ref: p.Ref, Type: p.Ref.Type, Scale: p.Ref.Scale}
	switch p.Kind {
	case kindSet:
		if p.Ref.Rel == fieldRel && p.Ref.Type == Boolean {
			return nil // a condition, of which the parts are looked at
		}
	case kindCyclic:
		d.Grain, d.Type = p.Grain, Integer
	case kindBin:
		d.BinF, d.Type = p.Bin, Float
	default:
		return nil
	}
	return d
}

// valuesIn is the same for a condition within a calculated value.
func valuesIn(t *expr.Tree) *planDim {
	if t.Op == "column" {
		ref := columnRef(t)
		return &planDim{Ref: ref, Type: ref.Type}
	}
	if t.Op != "=" && t.Op != "!=" && t.Op != "in" || uncast(t.Args[0]).Op != "column" || slices.ContainsFunc(t.Args[1:], func(a *expr.Tree) bool { return uncast(a).Op != "literal" }) {
		return nil
	}
	ref := columnRef(uncast(t.Args[0]))
	return &planDim{Ref: ref, Type: ref.Type, Scale: ref.Scale}
}

// hide has the rows looked at by the values of a dimension as well.
func (s *smallBinder) hide(d *planDim) {
	if d == nil || d.sameIn(s.plan.Dims) || d.sameIn(s.small.Hidden) {
		return
	}
	s.small.Hidden = append(s.small.Hidden, *d)
}

// sameIn tells whether one of some dimensions has the same groups.
func (d *planDim) sameIn(list []planDim) bool {
	return slices.ContainsFunc(list, func(o planDim) bool { return d.same(&o) })
}

func (d *planDim) same(o *planDim) bool {
	return d.Ref == o.Ref && d.Grain == o.Grain && d.Bin == o.Bin && d.BinF == o.BinF
}

// longer are the spans of time that are made of shorter ones.
var longer = map[string][]string{"minute": {"hour"}, "quarter_hour": {"hour"}, "hour": {"day"}, "day": {"week", "month"}, "month": {"quarter"}, "quarter": {"year"}}

// hideBehind hides what the groups of a dimension are made of, or what they make.
func (s *smallBinder) hideBehind(d *planDim) {
	for _, grain := range longer[d.Grain] {
		o := *d
		o.Grain = grain
		s.hide(&o)
	}
	if d.Grain == "" && d.Ref.Type == Date && d.Ref.Rel != fieldRel {
		for _, grain := range longer["day"] {
			s.hide(&planDim{Ref: d.Ref, Grain: grain, Type: Date})
		}
	}
	if d.Ref.Rel != fieldRel {
		return
	}
	s.plan.Fields[d.Ref.ID].Expr.Columns(func(t *expr.Tree) {
		if ref := columnRef(t); ref.Type == Text || ref.Type == Integer || ref.Type == Boolean {
			s.hide(&planDim{Ref: ref, Type: ref.Type})
		}
	})
}

// marksOf adds the conditions within a calculated value.
func (s *smallBinder) marksOf(ref *colRef) error {
	if ref == nil || ref.Rel != fieldRel {
		return nil
	}
	var err error
	conditionsIn(s.plan.Fields[ref.ID].Expr, func(t *expr.Tree) {
		of, failed := s.ref(t)
		if failed != nil {
			err = failed
			return
		}
		values := valuesIn(t)
		s.mark(mark{Ref: &of, Of: values})
		s.hide(values)
	})
	return err
}

// conditionsIn calls visit for what a tree chooses by.
func conditionsIn(t *expr.Tree, visit func(*expr.Tree)) {
	if t.Stands {
		return
	}
	for _, a := range t.Args {
		conditionsIn(a, visit)
	}
	switch {
	case t.Op == "coalesce":
		for _, a := range t.Args[:len(t.Args)-1] {
			visit(thereIs(a))
		}
	case t.Op == "nullif":
		visit(expr.Make("=", Boolean, 0, 0, t.Args...))
	case t.Op == "greatest" || t.Op == "least":
		for i, a := range t.Args {
			for _, o := range t.Args[i+1:] {
				visit(expr.Make("<", Boolean, 0, 0, a, o))
			}
		}
	case t.Type != Boolean || t.Op == "and" || t.Op == "or" || t.Op == "not" || t.Op == "literal" || t.Op == "cast":
	default:
		visit(t)
	}
}

// count is the place of a number of rows in Counts: of all, or of those with a value.
func (s *smallBinder) count(ref *colRef) int {
	return s.counted(ref, nil)
}

func (s *smallBinder) counted(ref *colRef, filters []predicate) int {
	a := atom{Fn: "rows", Filters: filters}
	if ref != nil {
		a.Fn, a.Ref = "count", ref
	}
	same := func(o atom) bool { return sameJSON(a, o) }
	if i := slices.IndexFunc(s.small.Counts, same); i >= 0 {
		return i
	}
	s.small.Counts = append(s.small.Counts, a)
	return len(s.small.Counts) - 1
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func (s *smallBinder) few(number ...share) {
	if s.first(number) {
		s.small.Few = append(s.small.Few, number)
	}
}

// behind counts the rows behind an aggregate, and those that it leaves out.
func (s *smallBinder) behind(a *atom, all int) error {
	if a.Ref == nil {
		return nil
	}
	n := s.count(a.Ref)
	s.few(share{n, 1})
	s.few(share{all, 1}, share{n, -1})
	if a.Fn != "sum" {
		return nil
	}
	// Where nearly all are 0 or 1, a sum tells how many and which are not.
	x := s.treeOf(*a.Ref)
	apart := s.other(*a.Ref, 0)
	s.few(share{apart, 1})
	if !isProduct(x) {
		s.few(share{s.other(*a.Ref, 1), 1})
		return nil
	}
	// What a product leaves out of the sum of one factor is found by subtraction.
	s.few(share{all, 1}, share{apart, -1})
	for _, f := range factorsOf(x) {
		ref, err := s.ref(f)
		if err != nil {
			return err
		}
		s.few(share{s.other(ref, 1), 1})
	}
	return nil
}

// other counts the rows with another value than this.
func (s *smallBinder) other(ref colRef, than int64) int {
	v := value{K: "i", I: than}
	if ref.Type == Float {
		v = value{K: "f", F: float64(than)}
	}
	return s.counted(nil, []predicate{{Ref: ref, Kind: kindSet, Set: []interval{point(v)}, Negate: true}})
}

// isProduct tells whether a value is one column times another, or divided by it.
func isProduct(t *expr.Tree) bool {
	if t.Op == "case" {
		t = t.Args[1]
	}
	return (t.Op == "*" || t.Op == "/") && !t.Stands
}

// factorsOf are the columns of a product, where it has a value.
func factorsOf(t *expr.Tree) []*expr.Tree {
	if t.Op != "case" {
		return t.Args
	}
	var list []*expr.Tree
	for _, f := range t.Args[1].Args {
		list = append(list, expr.Make("case", f.Type, f.Precision, f.Scale, t.Args[0], f))
	}
	return list
}

// distinctFilters are filters without those that are equal to another.
func distinctFilters(where []predicate) []predicate {
	var list []predicate
	for _, p := range where {
		if !slices.ContainsFunc(list, func(o predicate) bool { return sameJSON(p, o) }) {
			list = append(list, p)
		}
	}
	return list
}

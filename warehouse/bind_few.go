package warehouse

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/dataflowhq/dataflow/warehouse/expr"
)

// Whoever asks writes the expression that is added up, and one that tells rows
// apart (a condition, a threshold, a steep curve) makes the sum of many rows tell
// about one. So where small groups are withheld, nothing is computed of a row but
// columns, products and quotients of two, and conditions without which a row has
// no value, which are counted. Constants come in where rows are added up already:
// within a row they could round or overflow the values of chosen rows.

// maxTerms bounds what a sum is made of.
const maxTerms = 40

// linear is a number of each row: terms that are added up, and a constant.
type linear struct {
	terms    []term
	constant *big.Rat
	// needs are what has to hold for there to be a number.
	needs []*expr.Tree
}

// term is a column or a product or quotient of two, times a constant.
type term struct {
	by   *big.Rat
	up   []*expr.Tree
	down *expr.Tree
}

// tooClose is why an expression tells rows apart.
type tooClose string

func (e tooClose) Error() string { return string(e) }

// plain tells whether a tree stands for what a column has.
func plain(t *expr.Tree) bool { return t.Op == "column" || t.Stands }

func treeKey(t *expr.Tree) string {
	text, err := json.Marshal(t)
	if err != nil { // a tree has plain fields only
		panic(err)
	}
	return string(text)
}

func (t *term) key() string {
	var keys []string
	for _, u := range t.up {
		keys = append(keys, treeKey(u))
	}
	slices.Sort(keys)
	if t.down != nil {
		keys = append(keys, "/", treeKey(t.down))
	}
	text, _ := json.Marshal(keys)
	return string(text)
}

// linearOf takes an expression apart.
//
// Errors: tooClose.
func linearOf(t *expr.Tree) (linear, error) {
	if plain(t) || timeBetween(t) {
		return linear{terms: []term{{by: big.NewRat(1, 1), up: []*expr.Tree{t}}}, constant: new(big.Rat), needs: []*expr.Tree{thereIs(t)}}, nil
	}
	switch t.Op {
	case "literal":
		v, ok := ratOf(t)
		if !ok {
			return linear{}, tooClose("it has a constant that is no number")
		}
		return linear{constant: v}, nil
	case "cast", "nullif":
		l, err := linearOf(t.Args[0])
		if t.Op == "nullif" && err == nil {
			l.needs = append(l.needs, thereIs(t))
		}
		return l, err
	case "case":
		if len(t.Args) == 3 && uncast(t.Args[2]).Op != "null" || len(t.Args) > 3 {
			return linear{}, tooClose("it chooses between values")
		}
		l, err := linearOf(t.Args[1])
		l.needs = append(l.needs, t.Args[0])
		return l, err
	case "negate":
		l, err := linearOf(t.Args[0])
		return l.times(big.NewRat(-1, 1)), err
	case "+", "-", "*", "/":
	default:
		return linear{}, tooClose(fmt.Sprintf("it uses “%s”", t.Op))
	}
	a, err := linearOf(t.Args[0])
	if err != nil {
		return a, err
	}
	b, err := linearOf(t.Args[1])
	if err != nil {
		return b, err
	}
	switch t.Op {
	case "-":
		b = b.times(big.NewRat(-1, 1))
		fallthrough
	case "+":
		return a.plus(b)
	case "*":
		return a.product(b)
	}
	return a.quotient(b)
}

// timeBetween tells whether a tree is the time between two columns that nobody can move
// by a zone.
func timeBetween(t *expr.Tree) bool {
	if t.Op != "date_diff" {
		return false
	}
	for _, a := range t.Args {
		if !plain(a) || a.Type == TimestampTZ && t.Unit != "hour" && t.Unit != "minute" {
			return false
		}
	}
	return true
}

func thereIs(t *expr.Tree) *expr.Tree { return expr.Make("is not null", Boolean, 0, 0, t) }

// ratOf is a number that is written down.
func ratOf(t *expr.Tree) (*big.Rat, bool) {
	switch t.Type {
	case Integer:
		return new(big.Rat).SetInt64(t.Value.I), true
	case Decimal:
		return new(big.Rat).SetString(t.Value.S)
	case Float:
		r := new(big.Rat).SetFloat64(t.Value.F)
		return r, r != nil
	}
	return nil, false
}

func (l linear) times(by *big.Rat) linear {
	out := linear{constant: new(big.Rat), needs: l.needs}
	if l.constant != nil {
		out.constant.Mul(l.constant, by)
	}
	for _, t := range l.terms {
		t.by = new(big.Rat).Mul(t.by, by)
		out.terms = append(out.terms, t)
	}
	return out
}

func (l linear) plus(o linear) (linear, error) {
	out := linear{constant: new(big.Rat).Add(l.constant, o.constant), needs: slices.Concat(l.needs, o.needs)}
	at := map[string]int{}
	for _, t := range slices.Concat(l.terms, o.terms) {
		key := t.key()
		if i, ok := at[key]; ok {
			out.terms[i].by = new(big.Rat).Add(out.terms[i].by, t.by)
			continue
		}
		at[key] = len(out.terms)
		out.terms = append(out.terms, t)
	}
	out.terms = slices.DeleteFunc(out.terms, func(t term) bool { return t.by.Sign() == 0 })
	if len(out.terms) > maxTerms {
		return out, tooClose(fmt.Sprintf("it has more than %d parts", maxTerms))
	}
	return out, nil
}

func (l linear) product(o linear) (linear, error) {
	out := l.times(o.constant)
	out.needs = slices.Concat(l.needs, o.needs)
	more := o.times(l.constant)
	more.constant, more.needs = new(big.Rat), nil
	out, err := out.plus(more)
	for _, a := range l.terms {
		for _, b := range o.terms {
			if err != nil {
				return out, err
			}
			t := term{by: new(big.Rat).Mul(a.by, b.by), up: slices.Concat(a.up, b.up), down: a.down}
			if b.down != nil {
				if a.down != nil {
					return out, tooManyColumns
				}
				t.down = b.down
			}
			out, err = out.with(t)
		}
	}
	return out, err
}

func (l linear) quotient(o linear) (linear, error) {
	if len(o.terms) == 0 {
		if o.constant.Sign() == 0 {
			return l, tooClose("it divides by zero")
		}
		out := l.times(new(big.Rat).Inv(o.constant))
		out.needs = slices.Concat(l.needs, o.needs)
		return out, nil
	}
	d := o.terms[0]
	if len(o.terms) > 1 || o.constant.Sign() != 0 || len(d.up) != 1 || d.down != nil {
		return l, tooClose("it divides by more than a column")
	}
	zero := expr.Literal(Integer, 0, 0, expr.Value{})
	out := linear{constant: new(big.Rat), needs: slices.Concat(l.needs, o.needs, []*expr.Tree{expr.Make("!=", Boolean, 0, 0, d.up[0], zero)})}
	if l.constant.Sign() != 0 {
		return out, tooClose("it divides a constant by a column")
	}
	var err error
	for _, a := range l.terms {
		if a.down != nil {
			return out, tooManyColumns
		}
		if out, err = out.with(term{by: new(big.Rat).Quo(a.by, d.by), up: a.up, down: d.up[0]}); err != nil {
			return out, err
		}
	}
	return out, nil
}

const tooManyColumns = tooClose("it multiplies or divides more than two different columns")

// with adds a term, reduced where it divides a column by itself.
func (l linear) with(t term) (linear, error) {
	if t.down != nil {
		for i, u := range t.up {
			if treeKey(u) == treeKey(t.down) {
				t.up, t.down = slices.Delete(slices.Clone(t.up), i, i+1), nil
				break
			}
		}
	}
	if len(t.up) == 0 && t.down == nil {
		return l.plus(linear{constant: t.by})
	}
	factors := t.up
	if t.down != nil {
		factors = append(slices.Clone(t.up), t.down)
	}
	if len(factors) > 2 || len(factors) == 2 && overlap(factors[0], factors[1]) {
		return l, tooManyColumns
	}
	return l.plus(linear{terms: []term{t}, constant: new(big.Rat)})
}

// overlap tells whether two trees are of one column.
func overlap(a, b *expr.Tree) bool {
	found := false
	a.Columns(func(x *expr.Tree) {
		b.Columns(func(y *expr.Tree) { found = found || x.Rel == y.Rel && x.ID == y.ID })
	})
	return found
}

// value is a term without its constant, in the rows that have a number.
func (l *linear) value(t *term) *expr.Tree {
	x := t.up[0]
	for _, u := range t.up[1:] {
		x = expr.Arithmetic("*", x, u)
	}
	has := map[string]bool{}
	for _, u := range t.up {
		has[treeKey(thereIs(u))] = true
	}
	if t.down != nil {
		x = expr.Arithmetic("/", x, t.down)
		has[treeKey(thereIs(t.down))] = true
		has[treeKey(expr.Make("!=", Boolean, 0, 0, t.down, expr.Literal(Integer, 0, 0, expr.Value{})))] = true
	}
	if len(l.terms) > 1 {
		has = map[string]bool{} // all terms have one condition, and count once
	}
	return l.needed(x, has)
}

// needed is x in the rows that have a number, where has is known to hold.
func (l *linear) needed(x *expr.Tree, has map[string]bool) *expr.Tree {
	var condition *expr.Tree
	for _, n := range l.needs {
		key := treeKey(n)
		if has[key] {
			continue
		}
		has[key] = true
		if condition == nil {
			condition = n
		} else {
			condition = expr.Make("and", Boolean, 0, 0, condition, n)
		}
	}
	if condition == nil {
		return x
	}
	return expr.Make("case", x.Type, x.Precision, x.Scale, condition, x)
}

// treeOf is the expression of a reference.
func (b *binder) treeOf(ref colRef) *expr.Tree {
	if ref.Rel == fieldRel {
		return b.plan.Fields[ref.ID].Expr
	}
	return expr.Column(ref.Rel, ref.column())
}

// closeUp is an aggregate of a calculated value for somebody from whom small
// groups are withheld; ok is false where it is the same for everybody.
//
// Errors: query.rows_withheld.
func (b *binder) closeUp(m *Measure, ref colRef, filters []predicate, path string) (bound boundNode, ok bool, err error) {
	tree := b.treeOf(ref)
	if b.few <= 1 || plain(tree) {
		return boundNode{}, false, nil
	}
	switch m.Fn {
	case "count_distinct":
		if !distinct(tree) {
			return boundNode{}, false, b.withheld(path, "counted", "it makes values of its own", "Different values are counted of columns, of their dates and parts of dates, in small or capital letters, and joined.")
		}
		return boundNode{}, false, nil
	case "sum", "avg", "median", "percentile":
	default:
		return boundNode{}, false, nil
	}
	if !isNumeric(ref.Type) {
		return boundNode{}, false, nil
	}
	const allowed = "Sums and means are made of columns and constants with + and −, and of two columns multiplied or divided."
	l, err := linearOf(tree)
	if err != nil {
		return boundNode{}, false, b.withheld(path, "added up", err.Error(), allowed)
	}
	switch m.Fn {
	case "sum":
		bound, err = b.sumOf(&l, ref, filters)
	case "avg":
		bound, err = b.meanOf(&l, ref, filters)
	default:
		if len(l.terms) != 1 || len(l.terms[0].up) != 1 || l.terms[0].down != nil {
			return boundNode{}, false, b.withheld(path, "ranked", "it is made of several columns", "Medians and percentiles are those of one column, which constants may scale or move.")
		}
		bound, err = b.rankOf(&l, m, filters)
	}
	if reason, is := err.(tooClose); is {
		err = b.withheld(path, "added up", string(reason), allowed)
	}
	return bound, err == nil, err
}

func (b *binder) withheld(path, what, reason, allowed string) error {
	of := "This value"
	if b.of != "" {
		of = fmt.Sprintf("%q", clip(b.of))
	}
	return ErrRowsWithheld.With("%s: %s can't be %s for you: %s, and groups of fewer than %d rows of %q are withheld. %s A condition goes into “where”: sum([amount] where [state] = 'CA').",
		path, of, what, reason, b.few, b.ds.Name, allowed)
}

// sumOf makes the sum of a linear value of the sums of its terms.
func (b *binder) sumOf(l *linear, ref colRef, filters []predicate) (boundNode, error) {
	n := node{Atom: -1, Adds: true}
	var whole *expr.Tree
	for i := range l.terms {
		t := &l.terms[i]
		of, err := b.ref(l.value(t))
		if err != nil {
			return boundNode{}, err
		}
		part := b.atom(atom{Fn: "sum", Ref: &of, Filters: filters})
		if len(l.terms) == 1 && l.constant.Sign() == 0 && t.by.IsInt() && t.by.Num().IsInt64() && t.by.Num().Int64() == 1 && of.Type == ref.Type && of.Scale == ref.Scale {
			return boundNode{node: part, typ: ref.Type, scale: ref.Scale}, nil
		}
		if whole, err = n.add(whole, part, of, t.by); err != nil {
			return boundNode{}, err
		}
	}
	if l.constant.Sign() != 0 || len(l.terms) == 0 {
		part, err := b.countOf(l, filters)
		if err != nil {
			return boundNode{}, err
		}
		if whole, err = n.add(whole, part, colRef{Type: Integer}, l.constant); err != nil {
			return boundNode{}, err
		}
	}
	if len(l.terms) == 0 { // of no rows there is no sum
		n.Parts = append(n.Parts, n.Parts[0])
		there := &expr.Tree{Op: "part", ID: int32(len(n.Parts) - 1), Type: Integer}
		zero := expr.Literal(Integer, 0, 0, expr.Value{})
		whole = expr.Make("case", whole.Type, whole.Precision, whole.Scale, expr.Make("!=", Boolean, 0, 0, there, zero), whole)
	}
	if n.Expr = whole; ref.Type != Integer || whole.Type != Integer {
		n.Expr = expr.Make("cast", ref.Type, 38, ref.Scale, whole)
	}
	n.Wide = ref.Type == Integer
	return boundNode{node: n, typ: ref.Type, scale: ref.Scale}, nil
}

// meanOf makes the mean of a linear value.
func (b *binder) meanOf(l *linear, ref colRef, filters []predicate) (boundNode, error) {
	sum, err := b.sumOf(l, ref, filters)
	if err != nil {
		return boundNode{}, err
	}
	count, err := b.countOf(l, filters)
	return boundNode{node: node{Num: &sum.node, Den: &count}, typ: Float}, err
}

// rankOf makes a percentile of a linear value of that of its column.
func (b *binder) rankOf(l *linear, m *Measure, filters []predicate) (boundNode, error) {
	t := &l.terms[0]
	of, err := b.ref(l.value(t))
	if err != nil {
		return boundNode{}, err
	}
	p := 0.5
	if m.Fn == "percentile" {
		p = m.Percentile / 100
	}
	if t.by.Sign() < 0 {
		p = 1 - p
	}
	n := node{Atom: -1}
	whole, err := n.add(nil, b.atom(atom{Fn: "percentile", Ref: &of, P: p, Filters: filters}), colRef{Type: Float}, t.by)
	if err == nil && l.constant.Sign() != 0 {
		var c *expr.Tree
		if c, err = constantTree(l.constant, Float); err == nil {
			whole = expr.Arithmetic("+", whole, c)
		}
	}
	if err != nil {
		return boundNode{}, err
	}
	n.Expr = expr.Make("cast", Float, 0, 0, whole)
	return boundNode{node: n, typ: Float}, nil
}

// countOf counts the rows that have a number.
func (b *binder) countOf(l *linear, filters []predicate) (node, error) {
	var x *expr.Tree
	if len(l.terms) > 0 {
		x = l.value(&l.terms[0])
	} else {
		x = l.needed(expr.Literal(Integer, 0, 0, expr.Value{I: 1}), map[string]bool{})
	}
	if x.Op == "literal" {
		return b.atom(atom{Fn: "rows", Filters: filters}), nil
	}
	of, err := b.ref(x)
	return b.atom(atom{Fn: "count", Ref: &of, Filters: filters}), err
}

// add adds a part, times a constant, to an expression over the parts of n.
func (n *node) add(whole *expr.Tree, part node, of colRef, by *big.Rat) (*expr.Tree, error) {
	n.Parts = append(n.Parts, part)
	x := &expr.Tree{Op: "part", ID: int32(len(n.Parts) - 1), Type: of.Type, Scale: of.Scale}
	if of.Type == Decimal {
		x.Precision = 38
	}
	op, size := "+", new(big.Rat).Abs(by)
	if by.Sign() < 0 {
		op = "-"
	}
	one := big.NewRat(1, 1)
	switch {
	case size.Cmp(one) == 0:
	case size.Num().Cmp(one.Num()) == 0: // by a division it loses no digits
		c, err := constantTree(new(big.Rat).SetInt(size.Denom()), of.Type)
		if err != nil {
			return nil, err
		}
		x = expr.Arithmetic("/", x, c)
	default:
		c, err := constantTree(size, of.Type)
		if err != nil {
			return nil, err
		}
		x = expr.Arithmetic("*", x, c)
	}
	switch {
	case whole != nil:
		return expr.Arithmetic(op, whole, x), nil
	case op == "-":
		return expr.Arithmetic("negate", x), nil
	}
	return x, nil
}

// constantTree is a constant beside a number of a type.
//
// Errors: tooClose.
func constantTree(r *big.Rat, t Type) (*expr.Tree, error) {
	if t != Float && r.IsInt() && r.Num().IsInt64() {
		return expr.Literal(Integer, 0, 0, expr.Value{I: r.Num().Int64()}), nil
	}
	f, _ := r.Float64()
	if math.IsInf(f, 0) {
		return nil, tooClose("its constants are too large")
	}
	return expr.Literal(Float, 0, 0, expr.Value{F: f}), nil
}

// isEnd tells whether the ends of an expression are those of a column.
func isEnd(t *expr.Tree) bool {
	for !t.Stands && (t.Op == "cast" || t.Op == "date_trunc") {
		t = t.Args[0]
	}
	return plain(t)
}

// distinct tells whether an expression can be counted by its values: it has one
// wherever a column or its fixed form has one, or none.
func distinct(t *expr.Tree) bool {
	if plain(t) {
		return true
	}
	switch t.Op {
	case "nullif":
		return distinct(t.Args[0])
	case "case":
		return (len(t.Args) == 2 || len(t.Args) == 3 && uncast(t.Args[2]).Op == "null") && distinct(t.Args[1])
	}
	return fixed(t)
}

// fixed tells whether an expression is of columns, by functions that cannot be
// aimed at chosen values.
func fixed(t *expr.Tree) bool {
	if plain(t) {
		return true
	}
	switch t.Op {
	case "cast", "lower", "upper", "trim", "date_trunc", "year", "quarter", "month", "week", "day", "weekday", "hour", "minute":
		return fixed(t.Args[0])
	case "concat":
		return !slices.ContainsFunc(t.Args, func(a *expr.Tree) bool { return a.Op != "literal" && !fixed(a) })
	}
	return false
}

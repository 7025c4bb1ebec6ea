package warehouse

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse/expr"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// fieldRel is the relation of calculated values: ID counts plan.Fields then.
const fieldRel = -1

const (
	// maxFields is how many fields a spec may define.
	maxFields = 100
	// maxFieldNodes bounds all calculated values of a plan together, and
	// maxFieldTests how often the SQL of one may be repeated in a filter.
	maxFieldNodes = 8_000
	maxFieldTests = 50_000
)

// planField is a value that is calculated for each row.
type planField struct{ Expr *expr.Tree }

// namespace is what names mean at one place: in a spec, in the definition of
// the dataset, or in that of a lookup's target. Only within a spec do its own
// fields count, so that they can change neither row rules nor saved measures.
type namespace struct {
	ds   *Dataset
	rel  int
	spec bool
}

type fieldKey struct {
	namespace
	name string
}

// columnRef is the column that a leaf of an expression names.
func columnRef(t *expr.Tree) colRef {
	return colRef{Rel: t.Rel, ID: t.ID, Type: t.Type, Precision: t.Precision, Scale: t.Scale}
}

// columnTree finds what a name means: a field of the spec, a column, a field
// of the dataset, or one of these of a lookup. Nil where there is none.
//
// Errors: the expression.* codes of a field, query.unknown_lookup for a lookup
// that no longer works.
func (b *binder) columnTree(ns namespace, name string) (*expr.Tree, error) {
	if text, ok := b.spec.Fields[name]; ok && ns.spec && !b.within(fieldKey{ns, name}) {
		return b.field(fieldKey{ns, name}, text)
	}
	if c := findColumn(ns.ds.Columns, name); c != nil {
		return b.seen(ns, c), nil
	}
	if text, ok := ns.ds.Fields[name]; ok {
		ns.spec = false
		return b.field(fieldKey{ns, name}, text)
	}
	if text, ok := b.spec.Fields[name]; ok && ns.spec {
		return b.field(fieldKey{ns, name}, text) // made of itself, as it will say
	}
	if ns.rel != 0 {
		return nil, nil
	}
	lookup, rest, ok := splitLookup(ns.ds, name)
	if !ok {
		return nil, nil
	}
	l := ns.ds.Lookups[lookup]
	if l.Target == nil || findColumn(l.Target.Columns, rest) == nil && l.Target.Fields[rest] == "" || !ns.ds.Policy.joins(l) {
		return nil, nil
	}
	rel, err := b.lookup(lookup, l, false)
	if err != nil {
		return nil, err
	}
	t, err := b.columnTree(namespace{ds: l.Target, rel: rel}, rest)
	switch {
	case err != nil || t == nil || t.Op == "column":
		return t, err
	case t.HasAggregates():
		return nil, nil // there are no groups of the target's rows here
	}
	// A row without a match has no value in the fields of the lookup either.
	key := expr.Column(rel, *columnByID(l.Target.Columns, l.Key))
	return expr.Make("case", t.Type, t.Precision, t.Scale, expr.Make("is not null", Boolean, 0, 0, key), t), nil
}

// splitLookup splits "lookup.column". The name of a lookup may hold a dot itself.
func splitLookup(ds *Dataset, name string) (lookup, rest string, dotted bool) {
	lookup, rest, dotted = strings.Cut(name, ".")
	for l := range ds.Lookups {
		if after, ok := strings.CutPrefix(name, l+"."); ok && len(l) > len(lookup) {
			lookup, rest = l, after
		}
	}
	return lookup, rest, dotted
}

// within tells whether a field is the one being written out right now: its own
// name then means the column that it stands before.
func (b *binder) within(key fieldKey) bool {
	return len(b.fieldStack) > 0 && b.fieldStack[len(b.fieldStack)-1] == key
}

// field compiles a field, once for each plan.
func (b *binder) field(key fieldKey, text string) (*expr.Tree, error) {
	if t, ok := b.fieldTrees[key]; ok {
		return t, nil
	}
	for i, above := range b.fieldStack {
		if above == key {
			path := make([]string, 0, len(b.fieldStack))
			for _, k := range b.fieldStack[i:] {
				path = append(path, fmt.Sprintf("%q", clip(k.name)))
			}
			return nil, expr.ErrCycle.With("The field %q is made of itself: %s and %q again.", clip(key.name), strings.Join(path, ", "), clip(key.name))
		}
	}
	if len(b.fieldStack) >= maxFields {
		return nil, expr.ErrTooDeep.With("The field %q uses fields that use fields, more than %d deep.", clip(key.name), maxFields)
	}
	b.fieldStack = append(b.fieldStack, key)
	defer func() { b.fieldStack = b.fieldStack[:len(b.fieldStack)-1] }()
	t, err := b.compileField(key.namespace, text)
	if err != nil {
		return nil, expr.In(clip(key.name), err)
	}
	b.fieldTrees[key] = t
	return t, nil
}

func (b *binder) compileField(ns namespace, text string) (*expr.Tree, error) {
	return expr.Compile(text, expr.Scope{
		Column: func(name string) (*expr.Tree, error) { return b.columnTree(ns, name) },
		Names:  func() []string { return b.namesOf(ns) },
		Suggest: func(name string, names []string) string {
			if version, ok := droppedIn(ns.ds, name); ok {
				return fmt.Sprintf(" It was dropped in version %d of the dataset %q.", version, ns.ds.Name)
			}
			return didYouMean(name, names)
		},
	})
}

// namesOf are all names that mean something, for suggestions.
func (b *binder) namesOf(ns namespace) []string {
	names := seenNames(ns.ds, "")
	names = append(names, sortedNames(ns.ds.Fields)...)
	if ns.spec {
		names = append(names, sortedNames(b.spec.Fields)...)
	}
	if ns.rel != 0 {
		return names
	}
	for _, l := range lookupNames(ns.ds) {
		if target := ns.ds.Lookups[l].Target; target != nil {
			names = append(names, seenNames(target, l+".")...)
			for _, f := range sortedNames(target.Fields) {
				names = append(names, l+"."+f)
			}
		}
	}
	return names
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// ref makes a value of each row something that the plan can refer to.
//
// Errors: query.too_complex.
func (b *binder) ref(t *expr.Tree) (colRef, error) {
	if t.Op == "column" {
		return columnRef(t), nil
	}
	key, err := json.Marshal(t)
	if err != nil { // a tree has plain fields only
		return colRef{}, fmt.Errorf("encode expression: %w", err)
	}
	id, ok := b.fieldIndex[string(key)]
	if !ok {
		if b.fieldNodes += t.Nodes(); b.fieldNodes > maxFieldNodes {
			return colRef{}, ErrTooComplex.With("The calculated fields of the query have more than %d parts together.", maxFieldNodes)
		}
		id = len(b.plan.Fields)
		b.plan.Fields = append(b.plan.Fields, planField{Expr: t})
		b.fieldIndex[string(key)] = id
	}
	return colRef{Rel: fieldRel, ID: int32(id), Type: t.Type, Precision: t.Precision, Scale: t.Scale}, nil
}

// fewTests refuses a filter that would repeat a long expression too often.
func (b *binder) fewTests(p *predicate, path string) error {
	if p.Ref.Rel == fieldRel && len(p.Set)*b.plan.Fields[p.Ref.ID].Expr.Nodes() > maxFieldTests {
		return ErrTooComplex.With("%s: the filter has too many values for a field with so long an expression.", path)
	}
	return nil
}

// groupNode binds an expression over groups. Each of its aggregates becomes an
// atom; a single aggregate and a quotient of two are what the same measures
// written out would be, so that they can be shown as shares and estimated.
func (b *binder) groupNode(t *expr.Tree, filters []predicate, path string) (boundNode, error) {
	if t.IsAggregate() {
		return b.groupAtom(t, filters, path)
	}
	if t.Op == "/" {
		num, den := uncast(t.Args[0]), uncast(t.Args[1])
		if num.HasAggregates() && den.HasAggregates() {
			n, err := b.groupNode(num, filters, path)
			if err != nil {
				return boundNode{}, err
			}
			d, err := b.groupNode(den, filters, path)
			if err != nil {
				return boundNode{}, err
			}
			return boundNode{node: node{Num: &n.node, Den: &d.node}, typ: Float}, nil
		}
	}
	n := node{Atom: -1}
	whole, err := b.parts(t, &n, filters, path)
	if err != nil {
		return boundNode{}, err
	}
	n.Expr = whole
	return boundNode{node: n, typ: t.Type, scale: t.Scale}, nil
}

func uncast(t *expr.Tree) *expr.Tree {
	for t.Op == "cast" {
		t = t.Args[0]
	}
	return t
}

// parts copies a tree, with its aggregates replaced by references to n.Parts.
func (b *binder) parts(t *expr.Tree, n *node, filters []predicate, path string) (*expr.Tree, error) {
	if t.IsAggregate() {
		part, err := b.groupAtom(t, filters, path)
		if err != nil {
			return nil, err
		}
		n.Parts = append(n.Parts, part.node)
		return &expr.Tree{Op: "part", ID: int32(len(n.Parts) - 1), Type: t.Type, Precision: t.Precision, Scale: t.Scale}, nil
	}
	c := *t
	c.Args = make([]*expr.Tree, len(t.Args))
	for i, a := range t.Args {
		var err error
		if c.Args[i], err = b.parts(a, n, filters, path); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

func (b *binder) groupAtom(t *expr.Tree, filters []predicate, path string) (boundNode, error) {
	if t.Where != nil {
		ref, err := b.ref(t.Where)
		if err != nil {
			return boundNode{}, err
		}
		filters = append(append([]predicate(nil), filters...), predicate{Ref: ref, Kind: kindSet, Set: []interval{point(value{K: "i", I: 1})}})
	}
	if t.Op == "rows" {
		return boundNode{node: b.atom(atom{Fn: "rows", Filters: filters}), typ: Integer}, nil
	}
	ref, err := b.ref(t.Args[0])
	if err != nil {
		return boundNode{}, err
	}
	return b.aggregate(&Measure{Fn: t.Op, Percentile: t.P * 100}, ref, filters, path)
}

// FieldType is what a calculated field is.
type FieldType struct {
	Type  Type
	Scale uint8
	// Aggregate tells that it is a number a group, to be used as a measure.
	Aggregate bool
	// Additive tells that the values of parts add up to that of the whole.
	Additive bool
}

// CheckField compiles an expression as the field name of a dataset, or, where
// spec has it too, as a field of a spec with these fields.
//
// Errors: the expression.* codes, with their place where expr.ProblemOf finds
// one; query.unknown_lookup.
func CheckField(ds *Dataset, name, text string, spec map[string]string) (FieldType, error) {
	b := &binder{ds: ds, spec: &Spec{Fields: spec}, plan: &plan{dataset: ds}, lookupRel: map[lookupUse]int{}}
	b.prepareFields()
	b.names.spec = spec != nil
	b.fieldStack = []fieldKey{{b.names, name}}
	t, err := b.compileField(b.names, text)
	if err != nil {
		return FieldType{}, err
	}
	return FieldType{Type: t.Type, Scale: t.Scale, Aggregate: t.HasAggregates(), Additive: t.AddsUp()}, nil
}

func (b *binder) prepareFields() {
	b.names = namespace{ds: b.ds, spec: true}
	b.fieldTrees, b.fieldIndex = map[fieldKey]*expr.Tree{}, map[string]int{}
}

// groupTree is the expression of a dimension with groups of values or bins
// with given edges: the name of the group, or the lower edge.
//
// Errors: query.groups, query.bin, query.filter_type.
func (b *binder) groupTree(of *expr.Tree, g *grouping, path, name string) (*expr.Tree, error) {
	if len(g.Bins) > 0 {
		return b.edgesTree(of, g.Bins, path, name)
	}
	if isTemporal(of.Type) && of.Type != Date || of.Type == Float {
		return nil, ErrGroups.With("%s: values of %q, which is %s, can't be listed in groups.", path, clip(name), typeNoun(of.Type))
	}
	ref := columnRef(of)
	seen := map[value]string{}
	nulls := ""
	var args []*expr.Tree
	for _, group := range sortedNames(g.Groups) {
		list := []*expr.Tree{of}
		for _, raw := range g.Groups[group] {
			if isNull(raw) {
				if nulls != "" {
					return nil, twiceGrouped(path, "null", nulls, group)
				}
				nulls = group
				continue
			}
			v, err := b.groupValue(raw, ref, path, name)
			if err != nil {
				return nil, err
			}
			if before, twice := seen[v]; twice {
				return nil, twiceGrouped(path, quoteRaw(raw), before, group)
			}
			seen[v] = group
			list = append(list, literalTree(v, ref))
		}
		var conditions []*expr.Tree
		if len(list) > 1 {
			conditions = append(conditions, expr.Make("in", Boolean, 0, 0, list...))
		}
		if nulls == group {
			conditions = append(conditions, expr.Make("is null", Boolean, 0, 0, of))
		}
		condition := conditions[0] // groups are not empty
		if len(conditions) == 2 {
			condition = expr.Make("or", Boolean, 0, 0, conditions...)
		}
		args = append(args, condition, textTree(group))
	}
	switch {
	case g.Other != "":
		args = append(args, expr.Make("is not null", Boolean, 0, 0, of), textTree(g.Other))
	case of.Type == Text:
		args = append(args, of)
	}
	return expr.Make("case", Text, 0, 0, args...), nil
}

func twiceGrouped(path, value, a, b string) error {
	return ErrGroups.With("%s: the value %s is in the group %q and in %q.", path, value, clip(a), clip(b))
}

func textTree(s string) *expr.Tree { return expr.Literal(Text, 0, 0, expr.Value{S: s}) }

// groupValue reads a value as the type of the column that is grouped.
func (b *binder) groupValue(raw json.RawMessage, ref colRef, path, name string) (value, error) {
	if ref.Type != Date {
		return b.literal(raw, ref, path, name)
	}
	text, _ := stringOf(raw)
	m, ok := parseMoment(text)
	if !ok || !m.day {
		return value{}, ErrFilterType.With("%s: %q is a date, so it has no value %s. Write a date as \"2001-12-31\".", path, clip(name), quoteRaw(raw))
	}
	return value{K: "i", I: m.from / dayMicros}, nil
}

// literalTree is a literal that is compared with a column.
func literalTree(v value, ref colRef) *expr.Tree {
	switch {
	case v.K == "d":
		places := digitsAfterPoint(v.S)
		digits := len(strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(v.S), "0"))
		return expr.Literal(Decimal, uint8(min(max(digits, places, 1), 38)), uint8(places), expr.Value{S: v.S})
	case v.K == "f":
		return expr.Literal(Float, 0, 0, expr.Value{F: v.F})
	case v.K == "i" && ref.Type == Decimal:
		return expr.Literal(Integer, 0, 0, expr.Value{I: v.I})
	}
	return expr.Literal(ref.Type, 0, 0, expr.Value{I: v.I, S: v.S})
}

// edgesTree answers the lower edge of the bin that a number lies in; null
// below the first edge. The last bin has no end.
func (b *binder) edgesTree(of *expr.Tree, edges []json.Number, path, name string) (*expr.Tree, error) {
	if !isNumeric(of.Type) {
		return nil, ErrBin.With("%s: bins need a number, but %q is %s.", path, clip(name), typeNoun(of.Type))
	}
	// All edges are of one type, in which they are exact.
	values := make([]value, len(edges))
	t, whole, places := Integer, 1, 0
	for i, edge := range edges {
		v, ok := parseNumber(edge.String())
		if !ok {
			return nil, ErrBin.With("%s: %s is no edge of a bin.", path, clip(edge.String()))
		}
		values[i] = v
		switch {
		case v.K == "f" || of.Type == Float:
			t = Float
		case v.K == "d" && t != Float:
			t = Decimal
		}
		digits := v.S
		if v.K == "i" {
			digits = fmt.Sprint(v.I)
		}
		head, _, _ := strings.Cut(strings.TrimPrefix(digits, "-"), ".")
		whole, places = max(whole, len(head)), max(places, digitsAfterPoint(digits))
	}
	if whole+places > 38 {
		t = Float
	}
	precision, scale := uint8(0), uint8(0)
	if t == Decimal {
		precision, scale = uint8(whole+places), uint8(places)
	}
	var args []*expr.Tree
	for i := len(values) - 1; i >= 0; i-- {
		if i > 0 && values[i].rat().Cmp(values[i-1].rat()) <= 0 {
			return nil, ErrBin.With("%s: the edges of bins must rise, but %s comes after %s.", path, edges[i], edges[i-1])
		}
		edge := literalTree(values[i], colRef{Type: t})
		if t == Float {
			edge = expr.Literal(Float, 0, 0, expr.Value{F: values[i].float()})
		}
		args = append(args, expr.Make(">=", Boolean, 0, 0, of, edge), expr.Make("cast", t, precision, scale, edge))
	}
	return expr.Make("case", segments.Type(t), precision, scale, args...), nil
}

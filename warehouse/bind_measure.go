package warehouse

import (
	"encoding/json"
	"fmt"
	"strings"
)

func (b *binder) measures() error {
	for i := range b.spec.Measures {
		m := &b.spec.Measures[i]
		path := fmt.Sprintf("measures[%d]", i)
		pm := planMeasure{Name: m.name(), Show: m.Show, Running: -1}
		bound, err := b.node(m, nil, path)
		if err != nil {
			return err
		}
		pm.Node, pm.Type, pm.Scale = bound.node, bound.typ, bound.scale
		if err := b.show(&pm, path); err != nil {
			return err
		}
		b.plan.Measures = append(b.plan.Measures, pm)
	}
	return nil
}

// name is the name of the measure's result column.
func (m *Measure) name() string {
	switch {
	case m.As != "":
		return m.As
	case m.Measure != "":
		return m.Measure
	case m.Column == "":
		return m.Fn
	}
	return m.Fn + "_" + m.Column
}

type boundNode struct {
	node  node
	typ   Type
	scale uint8
}

// node binds one measure; outer are filters of the measures around it.
func (b *binder) node(m *Measure, outer []predicate, path string) (boundNode, error) {
	filters := append([]predicate(nil), outer...)
	for i := range m.Filters {
		pred, _, err := b.filter(&m.Filters[i], fmt.Sprintf("%s.filters[%d]", path, i))
		if err != nil {
			return boundNode{}, err
		}
		filters = append(filters, pred)
	}
	if m.Measure != "" {
		b.of = m.Measure
		return b.savedMeasure(m, filters, path)
	}
	if m.Fn == "ratio" {
		num, err := b.node(m.Numerator, filters, path+".numerator")
		if err != nil {
			return boundNode{}, err
		}
		den, err := b.node(m.Denominator, filters, path+".denominator")
		if err != nil {
			return boundNode{}, err
		}
		if !isNumeric(num.typ) || !isNumeric(den.typ) {
			return boundNode{}, ErrMeasureType.With("%s: both parts of a ratio must be numbers.", path)
		}
		return boundNode{node: node{Num: &num.node, Den: &den.node}, typ: Float}, nil
	}
	if m.Fn == "count" && m.Column == "" {
		return boundNode{node: b.atom(atom{Fn: "rows", Filters: filters}), typ: Integer}, nil
	}
	ref, err := b.column(m.Column, path)
	if err != nil {
		return boundNode{}, err
	}
	b.of = m.Column
	return b.aggregate(m, ref, filters, path)
}

func (b *binder) savedMeasure(m *Measure, filters []predicate, path string) (boundNode, error) {
	saved, ok := b.ds.Measures[m.Measure]
	if _, own := b.spec.Fields[m.Measure]; !ok || own && b.names.spec {
		t, err := b.columnTree(b.names, m.Measure)
		switch {
		case err != nil:
			return boundNode{}, err
		case t != nil && t.HasAggregates():
			return b.groupNode(t, filters, path)
		case t != nil && !ok:
			return boundNode{}, ErrUnknownMeasure.With("%s: %q is a value of each row. A measure needs a function: {\"fn\": \"sum\", \"column\": %q}.", path, clip(m.Measure), clip(m.Measure))
		}
	}
	if !ok {
		names := append(sortedNames(b.ds.Measures), sortedNames(b.ds.Fields)...)
		names = append(names, sortedNames(b.spec.Fields)...)
		return boundNode{}, ErrUnknownMeasure.With("%s: the dataset %q has no saved measure %q.%s", path, b.ds.Name, clip(m.Measure), didYouMean(m.Measure, names))
	}
	if contains(b.saved, m.Measure) || len(b.saved) >= maxNesting {
		return boundNode{}, ErrTooComplex.With("%s: the saved measure %q is made of itself.", path, clip(m.Measure))
	}
	if err := saved.check("measure "+m.Measure, 0); err != nil {
		return boundNode{}, err
	}
	b.saved = append(b.saved, m.Measure)
	defer func() { b.saved = b.saved[:len(b.saved)-1] }()
	defer b.asDefined()()
	return b.node(&saved, filters, path)
}

func (b *binder) aggregate(m *Measure, ref colRef, filters []predicate, path string) (boundNode, error) {
	misfit := func(want string) error {
		return ErrMeasureType.With("%s: %s needs %s, but %q is %s.", path, m.Fn, want, clip(m.Column), typeNoun(ref.Type))
	}
	if bound, ok, err := b.closeUp(m, ref, filters, path); ok || err != nil {
		return bound, err
	}
	a := atom{Fn: m.Fn, Ref: &ref, Filters: filters}
	switch m.Fn {
	case "count", "count_distinct":
		return boundNode{node: b.atom(a), typ: Integer}, nil
	case "min", "max":
		return boundNode{node: b.atom(a), typ: ref.Type, scale: ref.Scale}, nil
	case "sum":
		if !isNumeric(ref.Type) {
			return boundNode{}, misfit("a number")
		}
		return boundNode{node: b.atom(a), typ: ref.Type, scale: ref.Scale}, nil
	case "avg":
		if !isNumeric(ref.Type) {
			return boundNode{}, misfit("a number")
		}
		sum := b.atom(atom{Fn: "sum", Ref: &ref, Filters: filters})
		count := b.atom(atom{Fn: "count", Ref: &ref, Filters: filters})
		return boundNode{node: node{Num: &sum, Den: &count}, typ: Float}, nil
	case "median", "percentile":
		if !isNumeric(ref.Type) {
			return boundNode{}, misfit("a number")
		}
		a.Fn, a.P = "percentile", 0.5
		if m.Fn == "percentile" {
			a.P = m.Percentile / 100
		}
		return boundNode{node: b.atom(a), typ: Float}, nil
	}
	return boundNode{}, ErrMeasureFn.With("%s has an unknown function %q.", path, clip(m.Fn))
}

// atom finds or adds an aggregate, so that measures share equal ones.
func (b *binder) atom(a atom) node {
	key, err := json.Marshal(a)
	if err != nil { // a has plain fields only
		panic(err)
	}
	if i, ok := b.atomIndex[string(key)]; ok {
		return node{Atom: i}
	}
	i := len(b.plan.Atoms)
	b.plan.Atoms = append(b.plan.Atoms, a)
	b.atomIndex[string(key)] = i
	return node{Atom: i}
}

// show checks that a measure can be shown as a share or a running total: both
// need parts that add up to the whole.
func (b *binder) show(m *planMeasure, path string) error {
	if m.Show == "" {
		return nil
	}
	if m.Node.Num != nil || m.Node.Expr != nil && !m.Node.Adds || m.Node.Expr == nil && !b.plan.Atoms[m.Node.Atom].additive() {
		return ErrMeasureShow.With("%s: only sums and counts can be shown as a %s.", path, map[string]string{
			"share": "share of the total", "running": "running total"}[m.Show])
	}
	if m.Show == "share" {
		m.Type, m.Scale = Float, 0
		return nil
	}
	times := 0
	for _, d := range b.plan.Dims {
		if d.Ref.temporal() && !cyclic(d.Grain) {
			times++
		}
	}
	if b.spec.Other && (times == 0 || times == len(b.plan.Dims)) {
		return ErrMeasureShow.With("%s: a running total needs every moment, and \"Other\" would fold some of them into one.", path)
	}
	for i, d := range b.plan.Dims {
		if d.Ref.temporal() && !cyclic(d.Grain) {
			m.Running = i
			return nil
		}
	}
	for i, d := range b.plan.Dims {
		if d.Ref.temporal() {
			m.Running = i
			return nil
		}
	}
	return ErrMeasureShow.With("%s: a running total needs a dimension of time.", path)
}

// havings binds the filters on measures. They keep groups.
func (b *binder) havings() error {
	for i := range b.spec.Filters {
		f := &b.spec.Filters[i]
		if f.Measure == "" {
			continue
		}
		path := fmt.Sprintf("filters[%d]", i)
		m, previous, ok := b.measureByName(f.Measure)
		if !ok {
			var names []string
			for _, m := range b.plan.Measures {
				names = append(names, m.Name)
			}
			return ErrUnknownResult.With("%s: the query has no measure %q.%s", path, clip(f.Measure), didYouMean(f.Measure, names))
		}
		if f.Grain != "" || f.Bin != 0 || strings.HasPrefix(f.Op, "contains") || f.Op == "starts_with" {
			return ErrFilterOp.With("%s: a filter on a measure compares its value; %s is not possible.", path, f.Op)
		}
		measure := b.plan.Measures[m]
		ref := colRef{Type: measure.Type, Precision: 38, Scale: measure.Scale}
		pred, _, err := b.filterOn(f, ref, path, f.Measure)
		if err != nil {
			return err
		}
		b.plan.Having = append(b.plan.Having, having{Measure: m, Previous: previous, Pred: pred})
	}
	return nil
}

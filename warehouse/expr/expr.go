// Package expr is the language of calculated fields: a lexer, a parser and a
// type checker. It answers a typed tree over columns that its caller resolves;
// it knows no SQL, no files and no datasets. docs/expressions.md teaches the
// language.
package expr

import (
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// Type is the type of a value. The null literal has none until it stands
// beside something that has one.
type Type = segments.Type

const none Type = ""

// Limits of one expression. They keep parsing and planning cheap whatever is
// sent; a tree is measured with the fields that it refers to written out.
const (
	MaxBytes = 4_000
	MaxDepth = 100
	MaxNodes = 2_000
	// MaxTextCalls is how many functions that make texts a tree may have. With
	// MaxText it bounds the memory that texts of one batch of rows can take.
	MaxTextCalls = 100
	// MaxText is how many characters a text that a function makes can have;
	// what is longer is cut.
	MaxText = 1_000
	// MaxReplaces and maxReplacement bound how far replace can lengthen texts.
	MaxReplaces    = 8
	maxReplacement = 20
	maxList        = 1_000
	maxUnits       = 1_000_000 // of date_add
)

// Node is a part of an expression as it is written.
type Node struct {
	Op    string // column, number, text, date, true, false, null, call, or the operator
	Text  string // name of the column or function, or what the literal says
	Args  []*Node
	Where *Node // the filter of an aggregate
	// Start and End are the bytes that the part covers.
	Start, End int
}

// Tree is a typed expression. Its JSON has all that its value depends on
// besides the rows, so it can be part of a cache key.
type Tree struct {
	// Op is column, literal, null, cast, a function's name, or an operator.
	Op        string
	Type      Type
	Precision uint8   `json:",omitempty"`
	Scale     uint8   `json:",omitempty"`
	Args      []*Tree `json:",omitempty"`
	// Rel and ID name a column, as the caller counts them.
	Rel int   `json:",omitempty"`
	ID  int32 `json:",omitempty"`
	// Value is that of a literal.
	Value *Value `json:",omitempty"`
	// Unit is that of date functions.
	Unit string `json:",omitempty"`
	// Digits is the second argument of round, and the lengths of left, right
	// and substring (in order).
	Digits []int64 `json:",omitempty"`
	// P is the share below a percentile, 0 < P < 1.
	P float64 `json:",omitempty"`
	// Where keeps rows of an aggregate.
	Where *Tree `json:",omitempty"`
	// Stands tells that the tree is what somebody sees in the place of a column.
	Stands bool `json:"-"`

	level     level
	depth     int
	nodes     int
	textCalls int
	replaces  int
}

// Value is a literal: I for integers, booleans (0 or 1), days and microseconds
// since 1970; S for texts and the digits of decimals; F for floats.
type Value struct {
	I int64   `json:",omitempty"`
	F float64 `json:",omitempty"`
	S string  `json:",omitempty"`
}

// level says what a value is one of.
type level uint8

const (
	constant  level = iota
	ofRow           // a value a row
	ofGroup         // a value a group: contains aggregates
	ofMixture       // of both, which is an error
)

// HasAggregates tells whether the tree is about groups of rows.
func (t *Tree) HasAggregates() bool { return t.level == ofGroup }

// AddsUp tells whether the values of the parts of a group add up to the value of
// the group, as those of sums and counts do, and of what they are added to,
// taken from and multiplied by that is the same for all.
func (t *Tree) AddsUp() bool {
	switch t.Op {
	case "sum", "count", "rows":
		return true
	case "cast", "negate":
		return t.Args[0].AddsUp()
	case "+", "-":
		return t.Args[0].AddsUp() && t.Args[1].AddsUp()
	case "*":
		return t.Args[0].AddsUp() && t.Args[1].level == constant || t.Args[0].level == constant && t.Args[1].AddsUp()
	case "/":
		return t.Args[0].AddsUp() && t.Args[1].level == constant
	}
	return false
}

// Nodes is the size of the tree.
func (t *Tree) Nodes() int { return t.nodes }

// IsAggregate tells whether the topmost operation is an aggregate.
func (t *Tree) IsAggregate() bool { return aggregates[t.Op] }

// Columns calls visit for every column of the tree.
func (t *Tree) Columns(visit func(*Tree)) {
	if t == nil {
		return
	}
	if t.Op == "column" {
		visit(t)
		return
	}
	for _, a := range t.Args {
		a.Columns(visit)
	}
	t.Where.Columns(visit)
}

// Column makes the tree of a column.
func Column(rel int, c segments.Column) *Tree {
	return &Tree{Op: "column", Type: c.Type, Precision: c.Precision, Scale: c.Scale, Rel: rel, ID: c.ID, level: ofRow, depth: 1, nodes: 1}
}

// Literal makes the tree of a literal of a type.
func Literal(t Type, precision, scale uint8, v Value) *Tree {
	return &Tree{Op: "literal", Type: t, Precision: precision, Scale: scale, Value: &v, depth: 1, nodes: 1}
}

// Make makes the tree of an operation whose types its caller knows to fit.
func Make(op string, t Type, precision, scale uint8, args ...*Tree) *Tree {
	tree := &Tree{Op: op, Type: t, Precision: precision, Scale: scale, Args: args}
	tree.measure()
	return tree
}

// Arithmetic makes the tree of +, -, *, / or negate over numbers.
func Arithmetic(op string, args ...*Tree) *Tree {
	t, err := (&checker{}).arithmetic(&Node{Op: op, Args: make([]*Node, len(args))}, args)
	if err != nil { // args are numbers
		panic(err)
	}
	t.measure()
	return t
}

// measure takes over the sizes and the level of the parts.
func (t *Tree) measure() {
	t.depth, t.nodes, t.level, t.textCalls, t.replaces = 0, 1, constant, 0, 0
	add := func(a *Tree) {
		t.depth = max(t.depth, a.depth)
		t.nodes = min(t.nodes+a.nodes, 1<<30)
		t.textCalls = min(t.textCalls+a.textCalls, 1<<30)
		t.replaces = min(t.replaces+a.replaces, 1<<30)
	}
	for _, a := range t.Args {
		add(a)
		switch {
		case t.level == constant:
			t.level = a.level
		case a.level != constant && a.level != t.level:
			t.level = ofMixture
		}
	}
	if t.Where != nil {
		add(t.Where)
	}
	if aggregates[t.Op] {
		t.level = ofGroup
	}
	if growing[t.Op] {
		t.textCalls++
	}
	if t.Op == "replace" {
		t.replaces++
	}
	t.depth++
}

// aggregates are the operations over the rows of a group.
var aggregates = map[string]bool{"rows": true, "count": true, "count_distinct": true, "sum": true, "avg": true,
	"min": true, "max": true, "median": true, "percentile": true}

// growing are the functions that make texts.
var growing = map[string]bool{"concat": true, "replace": true, "lower": true, "upper": true, "trim": true,
	"left": true, "right": true, "substring": true}

// Position says where in an expression something is. Lines and columns count
// from 1, in characters; Start and End are byte offsets.
type Position struct {
	Line, Column, Length int
	Start, End           int
}

// position finds the place of bytes of a text.
func position(text string, start, end int) Position {
	start = min(max(start, 0), len(text))
	end = min(max(end, start), len(text))
	p := Position{Line: 1, Column: 1, Start: start, End: end}
	for _, r := range text[:start] {
		p.Column++
		if r == '\n' {
			p.Line, p.Column = p.Line+1, 1
		}
	}
	p.Length = max(utf8.RuneCountInString(text[start:end]), 1)
	return p
}

package expr

import (
	"fmt"
	"strings"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// Scope is what names in an expression can mean.
type Scope struct {
	// Column answers the tree of a column or of another field. Nil without an
	// error means that there is none.
	Column func(name string) (*Tree, error)
	// Names are the names that Column knows, for suggestions.
	Names func() []string
	// Suggest makes a sentence such as “ Did you mean "amount"?”, or nothing.
	Suggest func(name string, candidates []string) string
}

// Compile parses and checks an expression.
//
// Errors: the expression.* codes, as *Problem.
func Compile(text string, scope Scope) (*Tree, error) {
	n, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return Check(text, n, scope)
}

// Check finds names and types. text is what n was parsed from.
//
// Errors: the expression.* codes, as *Problem; what scope.Column fails with.
func Check(text string, n *Node, scope Scope) (*Tree, error) {
	c := &checker{text: text, scope: scope}
	t, err := c.tree(n)
	if err != nil {
		return nil, err
	}
	if t.Type == none {
		return nil, c.fail(ErrType, n, "The expression is always null, so it has no type.")
	}
	return t, nil
}

type checker struct {
	text  string
	scope Scope
	// inside is set within an aggregate.
	inside bool
}

func (c *checker) fail(kind *apperr.Kind, n *Node, format string, args ...any) error {
	return problem(kind, c.text, n.Start, n.End, format, args...)
}

// source is what is written of a part.
func (c *checker) source(n *Node) string { return clip(c.text[n.Start:n.End]) }

// tree checks a part and its sizes.
func (c *checker) tree(n *Node) (*Tree, error) {
	t, err := c.typed(n)
	if err != nil {
		return nil, err
	}
	if t.Op == "column" || t.Op == "literal" || t.Op == "null" {
		return t, nil
	}
	t.measure()
	switch {
	case t.depth > MaxDepth:
		return nil, c.fail(ErrTooDeep, n, "The expression, with the fields that it uses, is nested more than %d deep.", MaxDepth)
	case t.nodes > MaxNodes:
		return nil, c.fail(ErrTooComplex, n, "The expression, with the fields that it uses, has more than %d parts.", MaxNodes)
	case t.textCalls > MaxTextCalls:
		return nil, c.fail(ErrTooComplex, n, "The expression makes more than %d texts.", MaxTextCalls)
	case t.replaces > MaxReplaces:
		return nil, c.fail(ErrTooComplex, n, "The expression uses replace more than %d times.", MaxReplaces)
	case t.level == ofMixture:
		return nil, c.mixed(n)
	}
	return t, nil
}

// mixed points at the first part that is a value of each row.
func (c *checker) mixed(n *Node) error {
	at := n
	var find func(n *Node) bool
	find = func(n *Node) bool {
		if n.Op == "call" && aggregates[n.Text] {
			return false
		}
		if n.Op == "column" {
			if t, err := c.scope.Column(n.Text); err != nil || t == nil || t.level != ofRow {
				return false
			}
			at = n
			return true
		}
		for _, a := range n.Args {
			if find(a) {
				return true
			}
		}
		return false
	}
	find(n)
	return c.fail(ErrAggregateMixed, at, "%s is a value of each row, but other parts are about whole groups. Put it into an aggregate, such as max(%s).", c.source(at), c.source(at))
}

func (c *checker) trees(nodes []*Node) ([]*Tree, error) {
	list := make([]*Tree, len(nodes))
	for i, n := range nodes {
		var err error
		if list[i], err = c.tree(n); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (c *checker) typed(n *Node) (*Tree, error) {
	switch n.Op {
	case "column":
		return c.column(n)
	case "null":
		return &Tree{Op: "null", depth: 1, nodes: 1}, nil
	case "true":
		return Literal(segments.Boolean, 0, 0, Value{I: 1}), nil
	case "false":
		return Literal(segments.Boolean, 0, 0, Value{}), nil
	case "text":
		return Literal(segments.Text, 0, 0, Value{S: n.Text}), nil
	case "number":
		return c.number(n)
	case "date":
		return c.date(n, n.Text)
	case "call":
		return c.call(n)
	}
	args, err := c.trees(n.Args)
	if err != nil {
		return nil, err
	}
	switch n.Op {
	case "and", "or", "not":
		for i, a := range args {
			if err := c.want(n.Args[i], a, segments.Boolean, "“"+n.Op+"” joins conditions"); err != nil {
				return nil, err
			}
			args[i] = cast(a, segments.Boolean, 0, 0)
		}
		return &Tree{Op: n.Op, Type: segments.Boolean, Args: args}, nil
	case "is null", "is not null":
		return &Tree{Op: n.Op, Type: segments.Boolean, Args: args}, nil
	case "=", "!=", "<", "<=", ">", ">=", "in", "between":
		return c.compare(n, args)
	case "case":
		return c.cases(n, args)
	}
	return c.arithmetic(n, args)
}

func (c *checker) column(n *Node) (*Tree, error) {
	t, err := c.scope.Column(n.Text)
	if err != nil {
		return nil, err
	}
	if t == nil {
		var names []string
		if c.scope.Names != nil {
			names = c.scope.Names()
		}
		hint := ""
		if c.scope.Suggest != nil {
			hint = c.scope.Suggest(n.Text, names)
		}
		return nil, c.fail(ErrUnknownColumn, n, "There is no column %q.%s", clip(n.Text), hint)
	}
	if c.inside && t.level == ofGroup {
		return nil, c.fail(ErrAggregateMixed, n, "%s contains aggregates, so it can't stand inside another aggregate.", c.source(n))
	}
	return t, nil
}

// noun is a type as a sentence has it.
func noun(t Type) string {
	switch t {
	case segments.Integer:
		return "an integer"
	case segments.Decimal:
		return "a decimal number"
	case segments.Float:
		return "a number"
	case segments.Boolean:
		return "true or false"
	case segments.Date:
		return "a date"
	case segments.Timestamp:
		return "a timestamp"
	case segments.TimestampTZ:
		return "a timestamp with time zone"
	case segments.Text:
		return "a text"
	}
	return "null"
}

func isNumeric(t Type) bool {
	return t == segments.Integer || t == segments.Decimal || t == segments.Float
}

func isTemporal(t Type) bool {
	return t == segments.Date || t == segments.Timestamp || t == segments.TimestampTZ
}

// want checks the type of a part; null has any type.
func (c *checker) want(n *Node, t *Tree, want Type, why string) error {
	if t.Type == want || t.Type == none {
		return nil
	}
	return c.fail(ErrType, n, "%s, but %s is %s.", why, c.source(n), noun(t.Type))
}

func (c *checker) wantNumber(n *Node, t *Tree, what string) error {
	if isNumeric(t.Type) || t.Type == none {
		return nil
	}
	return c.fail(ErrType, n, "%s needs a number, but %s is %s.", what, c.source(n), noun(t.Type))
}

// cast takes a tree to a type that its own fits into.
func cast(t *Tree, to Type, precision, scale uint8) *Tree {
	if t.Type == to && (to != segments.Decimal || t.Precision == precision && t.Scale == scale) {
		return t
	}
	if t.Op == "literal" && to == segments.Float && t.Type == segments.Integer {
		return Literal(to, 0, 0, Value{F: float64(t.Value.I)})
	}
	return Make("cast", to, precision, scale, t)
}

const maxPrecision = 38

// wide is the decimal type that holds a number's whole part and places.
func digitsOf(t *Tree) (whole, places int) {
	switch t.Type {
	case segments.Integer:
		if t.Op == "literal" {
			return max(len(strings.TrimPrefix(fmt.Sprint(t.Value.I), "-")), 1), 0
		}
		return 19, 0
	case segments.Decimal:
		return int(t.Precision) - int(t.Scale), int(t.Scale)
	}
	return 0, 0
}

// unify finds the type that all trees fit into, and casts them. ok is false
// where there is none; all null is no type.
func unify(trees []*Tree) (t Type, precision, scale uint8, ok bool) {
	whole, places := 0, 0
	for _, a := range trees {
		switch {
		case a.Type == none:
			continue
		case t == none || t == a.Type:
			t = a.Type
		case isNumeric(t) && isNumeric(a.Type):
			if t == segments.Float || a.Type == segments.Float {
				t = segments.Float
			} else {
				t = segments.Decimal
			}
		case t == segments.TimestampTZ && isWallLiteral(a):
		case a.Type == segments.TimestampTZ && t == segments.Timestamp && allWallLiterals(trees):
			t = segments.TimestampTZ
		default:
			return none, 0, 0, false
		}
		w, p := digitsOf(a)
		whole, places = max(whole, w), max(places, p)
	}
	if t == segments.Decimal {
		if whole+places > maxPrecision {
			t = segments.Float
		} else {
			precision, scale = uint8(max(whole+places, 1)), uint8(places)
		}
	}
	for i, a := range trees {
		if t != none {
			trees[i] = cast(a, t, precision, scale)
		}
	}
	return t, precision, scale, true
}

// isWallLiteral tells whether a tree is a time without zone that was written
// down: it is then read on the clock of the query's zone.
func isWallLiteral(t *Tree) bool { return t.Op == "literal" && t.Type == segments.Timestamp }

func allWallLiterals(trees []*Tree) bool {
	for _, t := range trees {
		if t.Type == segments.Timestamp && !isWallLiteral(t) {
			return false
		}
	}
	return true
}

// misfit says which two parts do not go together.
func (c *checker) misfit(nodes []*Node, trees []*Tree, verb string) error {
	for i := 1; i < len(trees); i++ {
		pair := []*Tree{trees[0], trees[i]}
		if _, _, _, ok := unify(pair); ok {
			continue
		}
		hint := ""
		switch a, b := trees[0].Type, trees[i].Type; {
		case a != b && isTemporal(a) && isTemporal(b) && (a == segments.Date || b == segments.Date):
			hint = " Take the day first: date(…)."
		case a != b && (a == segments.Text || b == segments.Text) && (isTemporal(a) || isTemporal(b)):
			hint = " Write a date as #2026-06-14#."
		}
		return c.fail(ErrType, nodes[i], "%s is %s and %s is %s: they cannot be %s.%s",
			c.source(nodes[0]), noun(trees[0].Type), c.source(nodes[i]), noun(trees[i].Type), verb, hint)
	}
	return c.fail(ErrType, nodes[0], "The values have types that cannot be %s.", verb)
}

func (c *checker) compare(n *Node, args []*Tree) (*Tree, error) {
	for i, a := range args {
		if a.Op == "null" && (n.Op != "in" || i == 0) {
			return nil, c.fail(ErrType, n.Args[i], "Nothing is equal to null. Write “is null” or “is not null”.")
		}
	}
	t, _, _, ok := unify(args)
	if !ok {
		return nil, c.misfit(n.Args, args, "compared")
	}
	if t == segments.Boolean && n.Op != "=" && n.Op != "!=" && n.Op != "in" {
		return nil, c.fail(ErrType, n, "True and false are only equal or not: %s does not go with them.", n.Op)
	}
	return &Tree{Op: n.Op, Type: segments.Boolean, Args: args}, nil
}

func (c *checker) cases(n *Node, args []*Tree) (*Tree, error) {
	var values []*Tree
	var nodes []*Node
	for i := 0; i+1 < len(args); i += 2 {
		if err := c.want(n.Args[i], args[i], segments.Boolean, "“when” needs a condition"); err != nil {
			return nil, err
		}
		args[i] = cast(args[i], segments.Boolean, 0, 0)
		values, nodes = append(values, args[i+1]), append(nodes, n.Args[i+1])
	}
	if len(args)%2 == 1 {
		values, nodes = append(values, args[len(args)-1]), append(nodes, n.Args[len(args)-1])
	}
	t, p, s, ok := unify(values)
	if !ok {
		return nil, c.misfit(nodes, values, "results of one case")
	}
	if t == none {
		return nil, c.fail(ErrType, n, "All results are null, so they have no type.")
	}
	for i, v := range values {
		if 2*i+1 < len(args) {
			args[2*i+1] = v
		} else {
			args[2*i] = v
		}
	}
	return &Tree{Op: "case", Type: t, Precision: p, Scale: s, Args: args}, nil
}

func (c *checker) arithmetic(n *Node, args []*Tree) (*Tree, error) {
	what := "“" + n.Op + "”"
	if n.Op == "negate" {
		what = "“-”"
	}
	for i, a := range args {
		if isTemporal(a.Type) {
			return nil, c.fail(ErrType, n.Args[i], "%s is %s. Use date_add('day', 3, …) and date_diff('day', …, …) to compute with dates.", c.source(n.Args[i]), noun(a.Type))
		}
		if a.Type == segments.Text && n.Op == "+" {
			return nil, c.fail(ErrType, n.Args[i], "%s is a text. Texts are joined with concat(a, b).", c.source(n.Args[i]))
		}
		if err := c.wantNumber(n.Args[i], a, what); err != nil {
			return nil, err
		}
		if a.Type == none {
			return nil, c.fail(ErrType, n.Args[i], "%s of null is always null.", what)
		}
	}
	if n.Op == "/" {
		for i := range args {
			args[i] = cast(args[i], segments.Float, 0, 0)
		}
		return &Tree{Op: "/", Type: segments.Float, Args: args}, nil
	}
	if n.Op == "negate" {
		return &Tree{Op: "negate", Type: args[0].Type, Precision: args[0].Precision, Scale: args[0].Scale, Args: args}, nil
	}
	if n.Op == "*" && (args[0].Type == segments.Decimal || args[1].Type == segments.Decimal) {
		w1, p1 := digitsOf(args[0])
		w2, p2 := digitsOf(args[1])
		if args[0].Type != segments.Float && args[1].Type != segments.Float && w1+w2+p1+p2 <= maxPrecision {
			for i, d := range [][2]int{{w1, p1}, {w2, p2}} {
				args[i] = cast(args[i], segments.Decimal, uint8(d[0]+d[1]), uint8(d[1]))
			}
			return &Tree{Op: "*", Type: segments.Decimal, Precision: uint8(w1 + w2 + p1 + p2), Scale: uint8(p1 + p2), Args: args}, nil
		}
		for i := range args {
			args[i] = cast(args[i], segments.Float, 0, 0)
		}
	}
	t, p, s, _ := unify(args)
	if t == segments.Decimal && (n.Op == "+" || n.Op == "-") {
		p = min(p+1, maxPrecision)
	}
	return &Tree{Op: n.Op, Type: t, Precision: p, Scale: s, Args: args}, nil
}

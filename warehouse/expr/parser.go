package expr

import (
	"strings"
)

// Parse reads an expression. It checks the grammar only: names and types are
// checked by Check.
//
// Errors: expression.syntax, expression.literal, expression.too_long,
// expression.too_deep.
func Parse(text string) (*Node, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, tokens: tokens}
	if p.peek().kind == tokenEnd {
		return nil, problem(ErrSyntax, text, 0, 0, "The expression is empty.")
	}
	n := p.expression()
	if p.err == nil && p.peek().kind != tokenEnd {
		p.unexpected("an operator or the end")
	}
	return n, p.err
}

// parser descends recursively. The first error stays; later steps answer an
// empty node and read nothing.
type parser struct {
	text   string
	tokens []token
	at     int
	depth  int
	err    error
}

var nothing = &Node{Op: "null"}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

func (p *parser) accept(sign string) bool {
	if p.err == nil && p.peek().sign(sign) {
		p.at++
		return true
	}
	return false
}

func (p *parser) word(word string) bool {
	if p.err == nil && p.peek().is(word) {
		p.at++
		return true
	}
	return false
}

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// unexpected says what was wanted instead of the next token.
func (p *parser) unexpected(wanted string) {
	t := p.peek()
	if t.kind == tokenEnd {
		p.fail(problem(ErrSyntax, p.text, t.start, t.end, "The expression ends too early: %s is missing.", wanted))
		return
	}
	p.fail(problem(ErrSyntax, p.text, t.start, t.end, "%q is not expected here, but %s.", clip(p.text[t.start:t.end]), wanted))
}

func (p *parser) expect(sign string) {
	if !p.accept(sign) {
		p.unexpected("“" + sign + "”")
	}
}

func (p *parser) expectWord(word string) {
	if !p.word(word) {
		p.unexpected("“" + word + "”")
	}
}

// enter guards the recursion.
func (p *parser) enter() bool {
	if p.err != nil {
		return false
	}
	p.depth++
	if p.depth > MaxDepth {
		t := p.peek()
		p.fail(problem(ErrTooDeep, p.text, t.start, t.end, "The expression is nested more than %d deep.", MaxDepth))
		return false
	}
	return true
}

func (p *parser) expression() *Node {
	if !p.enter() {
		return nothing
	}
	defer func() { p.depth-- }()
	n := p.conjunction()
	for p.word("or") {
		n = binary("or", n, p.conjunction())
	}
	return n
}

func (p *parser) conjunction() *Node {
	n := p.negation()
	for p.word("and") {
		n = binary("and", n, p.negation())
	}
	return n
}

func (p *parser) negation() *Node {
	start := p.peek().start
	if !p.word("not") {
		return p.comparison()
	}
	if !p.enter() {
		return nothing
	}
	defer func() { p.depth-- }()
	inner := p.negation()
	return &Node{Op: "not", Args: []*Node{inner}, Start: start, End: inner.End}
}

func binary(op string, a, b *Node) *Node {
	return &Node{Op: op, Args: []*Node{a, b}, Start: a.Start, End: b.End}
}

func (p *parser) comparison() *Node {
	n := p.sum()
	for _, op := range []string{"=", "!=", "<>", "<=", ">=", "<", ">"} {
		if p.accept(op) {
			if op == "<>" {
				op = "!="
			}
			return binary(op, n, p.sum())
		}
	}
	if p.word("is") {
		op := "is null"
		if p.word("not") {
			op = "is not null"
		}
		end := p.peek().end
		p.expectWord("null")
		return &Node{Op: op, Args: []*Node{n}, Start: n.Start, End: end}
	}
	not := p.word("not")
	result := n
	switch {
	case p.word("in"):
		result = p.list(n)
	case p.word("between"):
		low := p.sum()
		p.expectWord("and")
		high := p.sum()
		result = &Node{Op: "between", Args: []*Node{n, low, high}, Start: n.Start, End: high.End}
	case not:
		p.unexpected("“in” or “between”")
	}
	if not {
		result = &Node{Op: "not", Args: []*Node{result}, Start: result.Start, End: result.End}
	}
	return result
}

func (p *parser) list(n *Node) *Node {
	p.expect("(")
	args := []*Node{n}
	for {
		args = append(args, p.expression())
		if len(args) > maxList+1 {
			p.fail(problem(ErrTooComplex, p.text, n.Start, p.peek().start, "The list has more than %d values.", maxList))
		}
		if !p.accept(",") {
			break
		}
	}
	end := p.peek().end
	p.expect(")")
	return &Node{Op: "in", Args: args, Start: n.Start, End: end}
}

func (p *parser) sum() *Node {
	n := p.product()
	for {
		switch {
		case p.accept("+"):
			n = binary("+", n, p.product())
		case p.accept("-"):
			n = binary("-", n, p.product())
		default:
			return n
		}
	}
}

func (p *parser) product() *Node {
	n := p.unary()
	for {
		switch {
		case p.accept("*"):
			n = binary("*", n, p.unary())
		case p.accept("/"):
			n = binary("/", n, p.unary())
		case p.accept("%"):
			n = binary("%", n, p.unary())
		default:
			return n
		}
	}
}

func (p *parser) unary() *Node {
	start := p.peek().start
	if !p.accept("-") {
		return p.primary()
	}
	if t := p.peek(); t.kind == tokenNumber {
		p.at++ // the smallest integer has no positive counterpart
		return &Node{Op: "number", Text: "-" + t.text, Start: start, End: t.end}
	}
	if !p.enter() {
		return nothing
	}
	defer func() { p.depth-- }()
	inner := p.unary()
	return &Node{Op: "negate", Args: []*Node{inner}, Start: start, End: inner.End}
}

func (p *parser) primary() *Node {
	if p.err != nil {
		return nothing
	}
	t := p.peek()
	leaf := func(op string) *Node {
		p.at++
		return &Node{Op: op, Text: t.text, Start: t.start, End: t.end}
	}
	switch t.kind {
	case tokenNumber:
		return leaf("number")
	case tokenText:
		return leaf("text")
	case tokenDate:
		return leaf("date")
	case tokenColumn:
		return leaf("column")
	case tokenSign:
		if p.accept("(") {
			n := p.expression()
			end := p.peek().end
			p.expect(")")
			inner := *n
			inner.Start, inner.End = t.start, end
			return &inner
		}
	case tokenName:
		return p.named(t, leaf)
	}
	p.unexpected("a value")
	return nothing
}

// keywords can't stand for a column without brackets.
var keywords = map[string]bool{"and": true, "or": true, "not": true, "in": true, "is": true, "between": true,
	"when": true, "then": true, "else": true, "end": true, "where": true}

func (p *parser) named(t token, leaf func(string) *Node) *Node {
	word := strings.ToLower(t.text)
	switch {
	case word == "true" || word == "false" || word == "null":
		return leaf(word)
	case word == "case":
		return p.cases()
	case p.tokens[p.at+1].sign("("):
		return p.call()
	case keywords[word]:
		p.unexpected("a value")
		return nothing
	}
	return leaf("column")
}

// call reads name(a, b) and, for aggregates, name(a where condition).
func (p *parser) call() *Node {
	t := p.take()
	n := &Node{Op: "call", Text: strings.ToLower(t.text), Start: t.start}
	p.expect("(")
	if !p.peek().sign(")") {
		if !p.peek().is("where") {
			for {
				n.Args = append(n.Args, p.expression())
				if !p.accept(",") {
					break
				}
			}
		}
		if p.word("where") {
			n.Where = p.expression()
		}
	}
	n.End = p.peek().end
	p.expect(")")
	return n
}

// cases reads case when a then b … else c end: the arguments are pairs of
// condition and value, then the value for all else.
func (p *parser) cases() *Node {
	start := p.take().start
	n := &Node{Op: "case", Start: start}
	if !p.peek().is("when") {
		p.unexpected("“when”")
		return nothing
	}
	for p.word("when") {
		n.Args = append(n.Args, p.expression())
		p.expectWord("then")
		n.Args = append(n.Args, p.expression())
	}
	if p.word("else") {
		n.Args = append(n.Args, p.expression())
	}
	n.End = p.peek().end
	p.expectWord("end")
	return n
}

// clip keeps a text of the user short enough to be quoted in a sentence.
func clip(s string) string {
	if len(s) <= 60 {
		return s
	}
	return strings.ToValidUTF8(s[:60], "") + "…"
}

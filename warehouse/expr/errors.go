package expr

import (
	"errors"
	"fmt"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can be wrong with an expression. Every sentence says where.
var (
	ErrSyntax = apperr.Define(apperr.Invalid, "expression.syntax",
		"The expression can't be read.")
	ErrLiteral = apperr.Define(apperr.Invalid, "expression.literal",
		"A value in the expression can't be read.")
	ErrUnknownColumn = apperr.Define(apperr.Invalid, "expression.unknown_column",
		"The expression names a column that does not exist.")
	ErrUnknownFunction = apperr.Define(apperr.Invalid, "expression.unknown_function",
		"The expression names a function that does not exist.")
	ErrArguments = apperr.Define(apperr.Invalid, "expression.arguments",
		"A function of the expression has too many or too few arguments.")
	ErrType = apperr.Define(apperr.Invalid, "expression.type",
		"The types of the expression do not fit together.")
	ErrAggregateMixed = apperr.Define(apperr.Invalid, "expression.aggregate_mixed",
		"The expression mixes values of rows with values of groups.")
	ErrCycle = apperr.Define(apperr.Invalid, "expression.cycle",
		"The field is made of itself.")
	ErrTooLong = apperr.Define(apperr.Invalid, "expression.too_long",
		"The expression is too long.")
	ErrTooDeep = apperr.Define(apperr.Invalid, "expression.too_deep",
		"The expression is nested too deep.")
	ErrTooComplex = apperr.Define(apperr.Invalid, "expression.too_complex",
		"The expression has too many parts.")
)

// Problem is an error with its place in the text. It wraps the kind, so that
// errors.Is and apperr.Describe see that.
type Problem struct {
	Position
	Sentence string // without the place
	Field    string // whose text has the place; empty for the text at hand
	err      error
}

func (p *Problem) Error() string { return p.err.Error() }

// Unwrap gives the kind and the sentence with the place.
func (p *Problem) Unwrap() error { return p.err }

// ProblemOf finds the place that an error speaks of.
func ProblemOf(err error) (*Problem, bool) {
	var p *Problem
	ok := errors.As(err, &p)
	return p, ok
}

// In names the field that an error of its expression belongs to.
func In(field string, err error) error {
	p, ok := ProblemOf(err)
	if !ok || p.Field != "" {
		return err
	}
	var kind *apperr.Kind
	if !errors.As(p.err, &kind) {
		return err
	}
	q := *p
	q.Field = field
	q.err = kind.With("Field %q, line %d, column %d: %s", field, p.Line, p.Column, p.Sentence)
	return &q
}

// problem makes an error about bytes of the text.
func problem(kind *apperr.Kind, text string, start, end int, format string, args ...any) error {
	p := &Problem{Position: position(text, start, end), Sentence: fmt.Sprintf(format, args...)}
	p.err = kind.With("Line %d, column %d: %s", p.Line, p.Column, p.Sentence)
	return p
}

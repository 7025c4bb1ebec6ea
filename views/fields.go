package views

import (
	"context"

	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// FieldRow is one calculated field.
type FieldRow struct {
	Name, Description, Expression string
	Type                          string // of the result; "" where the field is broken
	Measure                       bool   // contains aggregates
	Problem                       string // why it is broken
	Edit                          string // "" when the person may not
	Remove                        string // asks; "" when the person may not
}

// FieldsProps is the section with the calculated fields, and the form.
type FieldsProps struct {
	Dataset   string
	Rows      []FieldRow
	CanManage bool
	Form      FieldForm
	Removal   *FieldRemoval // nil unless the person is about to remove one
}

// FieldRemoval is the question before a field is removed.
type FieldRemoval struct {
	Name   string
	Boards []FieldBoard // that would break, of those that the person may see
}

// FieldBoard is a dashboard that asks the field.
type FieldBoard struct{ Name, Href string }

// FieldForm is a field to be saved.
type FieldForm struct {
	Name, Expression, Description string
	Style, Currency, Unit         string
	Styles                        []ui.Option
	Editing                       bool // Name is that of a field
	Error                         string
	Check                         FieldCheck
}

// FieldCheck is what an expression is, or what is wrong with it: the text
// before, at and after the place.
type FieldCheck struct {
	Type, Problem, Place string
	Measure              bool
	Before, At, After    string
}

func fieldFormTitle(ctx context.Context, f FieldForm) string {
	if f.Editing {
		return messages.T(ctx, "fields.edit", "Name", f.Name)
	}
	return messages.T(ctx, "fields.add")
}

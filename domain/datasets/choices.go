package datasets

import (
	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// What inspecting a file answers, and what can be decided about it.
type (
	Inspection      = ingest.Inspection
	InspectedColumn = ingest.InspectedColumn
	ColumnChoice    = ingest.ColumnChoice
	RejectGroup     = ingest.RejectGroup
	Note            = ingest.Note
	Fix             = ingest.Fix
)

// Choices are what a person or a script decided about a file. The zero value
// takes every proposal.
type Choices struct {
	Options records.Options `json:"options"`
	Columns []ColumnChoice  `json:"columns,omitempty"`
	Key     []string        `json:"key,omitempty"`
	// Duplicates is "first" or "last": which of several records with the same
	// key is loaded. Upserts take the last, others the first.
	Duplicates string `json:"duplicates,omitempty"`
	TimeColumn string `json:"time_column,omitempty"` // name; empty: proposed
}

// column answers what was chosen for a column of the file.
func (c Choices) column(name, source string) (ColumnChoice, bool) {
	for _, choice := range c.Columns {
		if choice.Column == name || choice.Column == source {
			return choice, true
		}
	}
	return ColumnChoice{}, false
}

// typed tells whether a type was chosen for a column.
func (c Choices) typed(column ingest.InspectedColumn) bool {
	for _, name := range []string{column.Name, column.Source} {
		if choice, ok := c.column(name, name); ok && choice.Type != "" {
			return true
		}
	}
	for _, choice := range c.Columns {
		if choice.Rename == column.Name && choice.Type != "" {
			return true
		}
	}
	return false
}

// WithType answers the choices with another type for one column.
func (c Choices) WithType(column, typeChoice string) Choices {
	return c.change(column, func(choice *ColumnChoice) { choice.Type = typeChoice })
}

// WithFix answers the choices with an offered fix taken.
func (c Choices) WithFix(fix Fix) Choices {
	if fix.Column != nil {
		renamed := *fix.Column // it names the column as it is called now
		for _, choice := range c.Columns {
			if choice.Rename != "" && choice.Rename == renamed.Column {
				renamed.Column = choice.Column
			}
		}
		fix.Column = &renamed
	}
	request := ingest.InspectRequest{
		Options: c.Options, Columns: append([]ColumnChoice(nil), c.Columns...), Duplicates: c.Duplicates,
	}
	fix.Apply(&request)
	c.Options, c.Columns, c.Duplicates = request.Options, request.Columns, request.Duplicates
	return c
}

func (c Choices) change(column string, change func(*ColumnChoice)) Choices {
	c.Columns = append([]ColumnChoice(nil), c.Columns...)
	for i := range c.Columns {
		if c.Columns[i].Column == column {
			change(&c.Columns[i])
			return c
		}
	}
	choice := ColumnChoice{Column: column}
	change(&choice)
	c.Columns = append(c.Columns, choice)
	return c
}

// check refuses choices that no file can be read by.
//
// Errors: ingest.bad_type, datasets.options_invalid.
func (c Choices) check() error {
	for _, choice := range c.Columns {
		if choice.Type == "" {
			continue
		}
		if _, err := ingest.ParseTypeChoice(choice.Type); err != nil {
			return err
		}
	}
	if c.Duplicates != "" && c.Duplicates != "first" && c.Duplicates != "last" {
		return ErrOptionsInvalid.With("Of records with the same key, take the first or the last.")
	}
	return nil
}

// seeded adds what the dataset knows about its columns where an inspection
// without it went another way: what is text stays text, and days and months,
// commas and points mean what they meant before. Columns that the person
// decided about are left alone. A file that replaces everything may have other
// types, so there the dataset only settles what the file leaves open. It answers
// which columns were seeded.
func (c Choices) seeded(d *Dataset, inspection *ingest.Inspection, mode Mode) (Choices, []string) {
	var names []string
	if d == nil {
		return c, nil
	}
	for _, found := range inspection.Columns {
		column, known := (planner{dataset: d}).match(found.Name)
		if !known || !found.Load || c.typed(found) || mode == Replace && !doubtful(found) {
			continue
		}
		seed := seedOf(column)
		isText := segments.Type(column.Type) == segments.Text
		if seed == "" || (isText && (found.Type == segments.Text || found.Rejected == 0)) ||
			(!isText && found.Type != segments.Text && !doubtful(found)) {
			continue
		}
		c = c.WithType(found.Name, seed)
		names = append(names, found.Name)
	}
	return c, names
}

// doubtful tells whether nothing in the file says how a column is to be read.
func doubtful(c ingest.InspectedColumn) bool {
	for _, note := range c.Notes {
		if note.Code == ingest.NoteAmbiguousDates || note.Code == ingest.NoteAmbiguousNumber {
			return true
		}
	}
	return false
}

func seedOf(c Column) string {
	choice := ingest.TypeChoice{Type: segments.Type(c.Type)}
	switch choice.Type {
	case segments.Text:
	case segments.Date, segments.Timestamp, segments.TimestampTZ:
		if c.reading.DateOrder != "dmy" && c.reading.DateOrder != "mdy" {
			return ""
		}
		choice.Reading.DateOrder = c.reading.DateOrder
	case segments.Integer, segments.Decimal, segments.Float:
		if c.reading.Decimal != "comma" && !c.reading.Percent {
			return ""
		}
		choice.Reading.Decimal = c.reading.Decimal
		choice.Reading.Percent = c.reading.Percent && choice.Type != segments.Integer
	default:
		return ""
	}
	return choice.String()
}

// TypeOf is the type and reading of an inspected column as a choice names it:
// "date:dmy".
func TypeOf(c InspectedColumn) string {
	choice := ingest.TypeChoice{Type: c.Type, Reading: c.Reading}
	number := c.Type == segments.Integer || c.Type == segments.Decimal || c.Type == segments.Float
	if !number || choice.Reading.Decimal == "point" {
		choice.Reading.Decimal = ""
	}
	if c.Type != segments.Date && !segments.HasBucket(c.Type) || choice.Reading.DateOrder == "ymd" {
		choice.Reading.DateOrder = ""
	}
	if !number || c.Type == segments.Integer {
		choice.Reading.Percent = false
	}
	return choice.String()
}

// TypeChoices are the types that a person can choose from.
var TypeChoices = []string{
	"text", "integer", "decimal", "decimal:comma", "decimal:either", "decimal:percent", "float", "boolean",
	"date", "date:dmy", "date:mdy", "timestamp", "timestamp:dmy", "timestamp:mdy", "timestamptz", "timestamptz:dmy", "timestamptz:mdy",
}

// Original is the name by which choices know an inspected column: its name
// before a person renamed it.
func (c Choices) Original(column InspectedColumn) string {
	for _, choice := range c.Columns {
		if choice.Rename != "" && choice.Rename == column.Name {
			return choice.Column
		}
	}
	return column.Name
}

// WithColumn answers the choices with another decision about one column, named
// as Original has it. Reasons whose values are loaded as empty stay.
func (c Choices) WithColumn(column string, skip bool, rename, typeChoice string) Choices {
	return c.change(column, func(choice *ColumnChoice) { choice.Skip, choice.Rename, choice.Type = skip, rename, typeChoice })
}

// Chosen answers what was decided about a column, named as Original has it.
func (c Choices) Chosen(column string) ColumnChoice {
	choice, _ := c.column(column, column)
	return choice
}

// Same tells whether a file read by c and by other is read alike.
func (c Choices) Same(other Choices) bool { return sameChoices(c.tidy(), other.tidy()) }

// SameButKey tells whether c and other differ by the key at most: what columns
// there are doesn't depend on it.
func (c Choices) SameButKey(other Choices) bool {
	c.Key = other.Key
	return c.Same(other)
}

// tidy drops choices that choose nothing.
func (c Choices) tidy() Choices {
	kept := c
	kept.Columns = nil
	for _, choice := range c.Columns {
		if choice.Skip || choice.Rename != "" || choice.Type != "" || len(choice.EmptyFor) > 0 {
			kept.Columns = append(kept.Columns, choice)
		}
	}
	if len(kept.Key) == 0 {
		kept.Key = nil
	}
	return kept
}

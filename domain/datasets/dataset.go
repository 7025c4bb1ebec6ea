package datasets

import (
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
)

// Summary is one line of the list of datasets.
type Summary struct {
	ID          ids.Dataset
	Name        string
	Description string
	Version     int64 // of the content; 0 before the first load
	Rows        int64
	Bytes       int64 // of the segments on disk
	Columns     int
	CreatedAt   time.Time
	UpdatedAt   time.Time // of the last change of content
}

// Listed is a dataset as the list of all shows it.
type Listed struct {
	Summary
	Restricted bool
	Live       bool     // its content comes in by itself
	Owner      ids.User // zero where a command made it
	OwnerName  string
	Dashboards int // that ask it
	// Load is the latest load, a cancelled one aside; zero without any. The
	// three below are of it.
	Load     ids.Load
	State    LoadState
	Filename string
	Rejected int64
}

// Dataset is a dataset with its definition: what people see and edit.
type Dataset struct {
	Summary
	// Revision counts changes of the definition (columns, lookups, measures,
	// settings); Version counts changes of the content.
	Revision         int64
	SourceID         ids.Source
	Columns          []Column
	TimeColumn       int32 // id of the column that rows are sorted by, 0 for none
	RelativeToNewest bool
	KeyColumns       []int32 // ids of the columns that upsert goes by
	Lookups          []Lookup
	Measures         []Measure
	Fields           []Field
	DeletedAt        time.Time // zero unless deleted and still restorable
	// Access is how it is shared, Restricted whether not with everybody.
	Access     access.Object
	Restricted bool
	// Sees names what who asked sees of it: empty for all, else equal for
	// equal rows, columns and groups. Rows and Bytes are Withheld then.
	Sees string
	// Hides tells that some column or lookup is not there for who asked.
	Hides bool
}

// Column is one live column of a dataset.
type Column struct {
	warehouse.Column
	Format      Format
	Description string
	// FormerNames are names that specs may still use.
	FormerNames []string
	// Masked tells that who asked sees something else than what is stored.
	Masked bool

	reading ingest.Reading // how the last load read it
	addedIn int64
}

// Format says how values of a column are shown. The zero Format is the default
// of the type.
type Format struct {
	// Style is "", "number", "percent", "currency", "bytes" or "duration".
	Style    string `json:"style,omitempty"`
	Currency string `json:"currency,omitempty"` // ISO 4217, for currency
	Decimals *int   `json:"decimals,omitempty"`
	Unit     string `json:"unit,omitempty"` // shown after the number
}

// Lookup says that Column holds keys of another dataset.
type Lookup struct {
	Name       string
	Column     int32 // id of the column of this dataset
	Target     ids.Dataset
	TargetName string
	Key        int32 // id of the column of Target, unique there
	KeyName    string
}

// Measure is a saved measure.
type Measure struct {
	Name        string
	Description string
	Format      Format
	Measure     warehouse.Measure
}

// ColumnByName finds a live column by its name or a former name. The current
// names win.
func (d *Dataset) ColumnByName(name string) (Column, bool) {
	for _, c := range d.Columns {
		if c.Name == name {
			return c, true
		}
	}
	for _, c := range d.Columns {
		for _, former := range c.FormerNames {
			if former == name {
				return c, true
			}
		}
	}
	return Column{}, false
}

// ColumnByID finds a live column.
func (d *Dataset) ColumnByID(id int32) (Column, bool) {
	for _, c := range d.Columns {
		if c.ID == id {
			return c, true
		}
	}
	return Column{}, false
}

// Version is one entry of a dataset's history.
type Version struct {
	Version   int64
	Kind      ChangeKind
	CreatedAt time.Time
	By        ids.User // zero for the shell and for schedules
	ByName    string
	Rows      int64 // after the change
	Bytes     int64 // after the change
	Written   int64 // rows that the change wrote
	Load      ids.Load
	File      string // that the load read; empty where it was no file
	Note      string
	Current   bool
	// KeptUntil is when it can no longer be restored; zero for the current one.
	KeptUntil time.Time
}

// ChangeKind is what a change of content did.
type ChangeKind string

// The kinds of change.
const (
	ChangeAppend  ChangeKind = "append"
	ChangeReplace ChangeKind = "replace"
	ChangeUpsert  ChangeKind = "upsert"
	ChangeDelete  ChangeKind = "delete"
	ChangeRestore ChangeKind = "restore"
)

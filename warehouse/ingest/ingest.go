// Package ingest finds out the types of a file's columns from all of its rows
// and loads the rows into segments. Every record is either loaded or written
// to the rejects file with its reason.
//
// It works inside the limited child process of package sandbox: requests and
// answers are plain JSON.
package ingest

import (
	"context"

	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// Opener opens a file as records; connectors/files has the one in use.
type Opener func(ctx context.Context, path string, options records.Options, limits Limits) (records.Source, error)

// Limits bound what one file may cost.
type Limits = records.Limits

// Reading is how the text of a column becomes values of its type.
type Reading struct {
	// Decimal mark of numbers: "point" (the default: 1,234.5), "comma"
	// (1.234,5) or "either" (each value on its own; a comma or point before
	// exactly three digits then separates thousands unless it is "comma" resp.
	// "point" that the rest of the value shows).
	Decimal string `json:"decimal,omitempty"`
	// DateOrder of all-numeric dates: "ymd" (also the default), "dmy" or "mdy".
	DateOrder string `json:"date_order,omitempty"`
	// Percent reads "12 %" as 0.12; bare numbers are then rejected.
	Percent bool `json:"percent,omitempty"`
	// Zone "utc" reads moments without a zone as UTC where the type is
	// timestamptz; otherwise they are rejected.
	Zone string `json:"zone,omitempty"`
}

// TypeChoice is a type with its reading, as "--type column=date:dmy" names it:
// integer, decimal, float, boolean, date, timestamp, timestamptz or text; then
// optionally ":dmy", ":mdy" or ":ymd" for dates and timestamps, ":utc" for
// timestamptz, ":comma", ":point", ":either" or ":percent" for numbers, and
// "decimal(18,2)".
type TypeChoice struct {
	Type      segments.Type
	Precision uint8 // decimal only; 0 means as many digits as the rows need
	Scale     uint8
	Fixed     bool // precision and scale were given
	Reading   Reading
}

// ColumnChoice is what a person decided about one column of the file; zero
// fields keep the proposal.
type ColumnChoice struct {
	// Column is the name of the column as the inspection gave it (Name) or as
	// the file has it (Source).
	Column string `json:"column"`
	Skip   bool   `json:"skip,omitempty"` // do not load this column
	Rename string `json:"rename,omitempty"`
	Type   string `json:"type,omitempty"` // see TypeChoice
	// EmptyFor has the reasons whose values are loaded as empty instead of
	// rejecting the record.
	EmptyFor []string `json:"empty_for,omitempty"`
}

// InspectRequest asks what is in a file.
type InspectRequest struct {
	Path    string          `json:"path"`
	Options records.Options `json:"options"`
	Columns []ColumnChoice  `json:"columns,omitempty"`
	// Key names the columns (by final name) that identify a row; a record that
	// repeats a key is rejected.
	Key []string `json:"key,omitempty"`
	// Duplicates is "first" (the default: later records with the same key are
	// rejected) or "last" (earlier ones are).
	Duplicates string `json:"duplicates,omitempty"`
	// Dir is a directory of the request's own, for the rejects file and for
	// spooling.
	Dir string `json:"dir"`
	// Unseen tells that the answer goes straight into a load and nobody reads
	// it: what a load finds out itself is left out, which are the rejects, and
	// the examples of columns whose values decide nothing.
	Unseen bool `json:"unseen,omitempty"`
	// PreviewRows is how many of the first records come back as text.
	PreviewRows int    `json:"preview_rows,omitempty"`
	Limits      Limits `json:"limits"`
}

// Inspection is what a file holds, found from all of its rows.
type Inspection struct {
	Format  records.Format `json:"format"`
	Bytes   int64          `json:"bytes"` // of the file as stored
	Records int64          `json:"records"`
	// WillLoad + WillReject = Records, under the proposal. Where the request was
	// Unseen, WillReject is 0.
	WillLoad   int64             `json:"will_load"`
	WillReject int64             `json:"will_reject"`
	Columns    []InspectedColumn `json:"columns"`
	Rejects    []RejectGroup     `json:"rejects,omitempty"`
	// RejectsFile is the path of the rejects file, "" when nothing is rejected.
	RejectsFile string `json:"rejects_file,omitempty"`
	Notes       []Note `json:"notes,omitempty"` // about the whole file
	// Preview has the first records by the file's columns.
	Preview [][]string `json:"preview,omitempty"`
	// TimeColumn is the name of the column that rows would be sorted by.
	TimeColumn string `json:"time_column,omitempty"`
	// SortedBy names the columns whose values never go down in the file: a load
	// that sorts by one of them need not sort.
	SortedBy []string `json:"sorted_by,omitempty"`
}

// InspectedColumn is one column of the file with the proposed type.
type InspectedColumn struct {
	Position int    `json:"position"` // in the file, from 0
	Source   string `json:"source"`   // name in the file
	Name     string `json:"name"`
	Load     bool   `json:"load"`
	// Type and the rest are as segments.Column has them.
	Type      segments.Type `json:"type"`
	Precision uint8         `json:"precision,omitempty"`
	Scale     uint8         `json:"scale,omitempty"`
	Role      string        `json:"role,omitempty"`
	Format    string        `json:"format,omitempty"`
	Reading   Reading       `json:"reading"`
	EmptyFor  []string      `json:"empty_for,omitempty"`
	Example   string        `json:"example,omitempty"`
	Filled    int64         `json:"filled"` // records with a value
	Empty     int64         `json:"empty"`  // records without one, null words included
	// NullWords counts values such as "NA" that are read as empty.
	NullWords map[string]int64 `json:"null_words,omitempty"`
	Rejected  int64            `json:"rejected,omitempty"` // records rejected for this column
	Notes     []Note           `json:"notes,omitempty"`
	Key       bool             `json:"key,omitempty"` // part of the key that was asked for
}

// Note is a remark about a column or the file. Code is stable, Text is English.
type Note struct {
	Code string `json:"code"`
	Text string `json:"text"`
	// Choices are type choices to pick from where the note is a question
	// ("ambiguous_date_order": "date:dmy", "date:mdy").
	Choices []string `json:"choices,omitempty"`
	// Suggested is one of Choices that other columns of the file speak for.
	Suggested string `json:"suggested,omitempty"`
}

// Codes of notes.
const (
	NoteAmbiguousDates   = "ambiguous_date_order" // kept as text: day and month cannot be told apart
	NoteDateOrder        = "date_order"           // read as day/month or month/day, proved by the rows
	NoteDecimalComma     = "decimal_comma"
	NoteAmbiguousNumber  = "ambiguous_separator" // 1,234 read as 1234; nothing in the column says otherwise
	NoteLeadingZeros     = "leading_zeros"       // codes, kept as text
	NoteLongDigits       = "long_digits"         // card or id numbers, kept as text
	NotePercent          = "percent"
	NoteCurrency         = "currency"
	NoteMixedCurrencies  = "mixed_currencies" // kept as text
	NoteMixedFormats     = "mixed_formats"    // several unambiguous spellings of dates
	NoteZoneDropped      = "zone_dropped"     // dates with and without UTC zone: read as UTC wall clock
	NoteFractionCut      = "fraction_cut"     // finer than a microsecond
	NoteEmptyColumn      = "empty_column"
	NoteRenamed          = "renamed" // duplicate, empty or too long name
	NoteNoHeader         = "no_header"
	NoteHeaderOnly       = "header_only"
	NoteHeaderDoubt      = "header_doubt" // a name could be a value
	NoteEmptyRows        = "empty_rows"   // records with nothing but empty fields were loaded
	NoteEncodingGuessed  = "encoding_guessed"
	NoteTextAboveHeader  = "text_above_header"
	NoteOtherSheets      = "other_sheets"
	NoteTypeFromFile     = "type_from_file" // a type of Parquet that was converted
	NoteTimeOfDayAsText  = "time_of_day"    // there is no such type: text
	NoteTwoDigitYears    = "two_digit_years"
	NoteMostlyOtherTypes = "mostly" // most values fit Choices[0], too many do not: kept as text
)

// RejectGroup is rejected records that failed alike.
type RejectGroup struct {
	Column string `json:"column,omitempty"` // final name, "" for the whole record
	Reason string `json:"reason"`           // stable code
	Text   string `json:"text"`             // "Comma as decimal mark"
	Count  int64  `json:"count"`
	Record int64  `json:"record"` // number of the first such record
	Line   int64  `json:"line"`   // and its line
	Value  string `json:"value"`  // and its value, cut
	Fix    *Fix   `json:"fix,omitempty"`
}

// Fix is one change of the request that would load a group. Exactly one of the
// fields besides Text is set: merge it into the request and inspect again.
type Fix struct {
	Text       string           `json:"text"` // "Read comma as decimal"
	Column     *ColumnChoice    `json:"column,omitempty"`
	Options    *records.Options `json:"options,omitempty"`
	Duplicates string           `json:"duplicates,omitempty"`
}

// LoadColumn says how one column of the file is loaded.
type LoadColumn struct {
	Position int             `json:"position"` // in the file, from 0
	Source   string          `json:"source"`   // its name there; a load refuses a file where it differs
	Column   segments.Column `json:"column"`
	Reading  Reading         `json:"reading"`
	EmptyFor []string        `json:"empty_for,omitempty"`
}

// LoadRequest asks to load a file. Everything is decided: see Inspection.Plan.
type LoadRequest struct {
	Path    string          `json:"path"`
	Format  records.Format  `json:"format"`  // as the inspection answered it
	Options records.Options `json:"options"` // as the inspection got them
	Columns []LoadColumn    `json:"columns"`
	// TimeColumn is the id of the column to sort by, 0 for none.
	TimeColumn int32   `json:"time_column,omitempty"`
	Key        []int32 `json:"key,omitempty"` // ids
	Duplicates string  `json:"duplicates,omitempty"`
	// Sorted tells that the inspection found the file sorted by TimeColumn.
	Sorted bool `json:"sorted,omitempty"`
	// Dir is an empty directory of the load's own. Segments and the rejects
	// file are written there; the caller publishes and removes them.
	Dir string `json:"dir"`
	// Prefix begins the name of every file, default "segment".
	Prefix string `json:"prefix,omitempty"`
	// Records is how many records the inspection counted, 0 when unknown.
	Records int64 `json:"records,omitempty"`
	// SampleFrom is the number of loaded rows from which sample files are
	// written, default 1,000,000; negative for never.
	SampleFrom int64  `json:"sample_from,omitempty"`
	Limits     Limits `json:"limits"`
}

// Loaded is what a load wrote. RowsLoaded + RowsRejected = Records.
type Loaded struct {
	Records      int64           `json:"records"`
	RowsLoaded   int64           `json:"rows_loaded"`
	RowsRejected int64           `json:"rows_rejected"`
	Segments     []segments.File `json:"segments"` // none when no row was loaded
	Rejects      []RejectGroup   `json:"rejects,omitempty"`
	RejectsFile  string          `json:"rejects_file,omitempty"`
	RejectsBytes int64           `json:"rejects_bytes,omitempty"`
}

// Progress is how far a request is. An inspection is "reading", and "checking"
// where something may be rejected. A load is "checking" where it has a key,
// then "loading", and "writing" where the rows had to be sorted: then Written
// goes up to Rows - Rejected.
type Progress struct {
	Phase      string `json:"phase"`
	BytesRead  int64  `json:"bytes_read"`
	BytesTotal int64  `json:"bytes_total"`
	Rows       int64  `json:"rows"`
	Rejected   int64  `json:"rejected,omitempty"`
	Written    int64  `json:"written,omitempty"`
}

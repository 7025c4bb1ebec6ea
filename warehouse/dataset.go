package warehouse

import (
	"time"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// Type is the type of a column, as people and the API name it. Each maps to
// one type of Apache Iceberg.
type Type = segments.Type

// The types.
const (
	Integer     = segments.Integer     // 64 bit
	Decimal     = segments.Decimal     // exact, precision and scale in Column
	Float       = segments.Float       // 64 bit IEEE 754
	Boolean     = segments.Boolean     //
	Date        = segments.Date        // a calendar day, never shifted
	Timestamp   = segments.Timestamp   // microseconds, no zone, never shifted
	TimestampTZ = segments.TimestampTZ // microseconds since 1970 UTC, shown in the viewer's zone
	Text        = segments.Text        // UTF-8
)

// Column is one column of a dataset. IDs are monotonic and never reused, so a
// rename changes no file and a dropped column never comes back as another.
type Column = segments.Column

// Segment is one immutable Parquet file. The engine opens Path, a local file.
type Segment struct {
	ID    string `json:"id"`
	Path  string `json:"path"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
	// Stats has the smallest and largest value by column id; a column without
	// an entry is not pruned by.
	Stats map[int32]Range `json:"stats,omitempty"`
	// Sample is the path of a file with about every SampleRate-th row of this
	// segment, drawn at random at load; empty where there is none.
	Sample     string `json:"sample,omitempty"`
	SampleRows int64  `json:"sample_rows,omitempty"`
}

// Range is the smallest and the largest value of a column within a segment.
type Range = segments.Range

// Dataset is all the engine knows of one dataset at one version. It is built
// by domain/datasets from the catalogue in PostgreSQL.
type Dataset struct {
	ID       string
	TenantID string
	Name     string
	Version  int64
	Columns  []Column
	Segments []Segment
	// Dropped has the names of columns that are there no more, and the version
	// that each is missing since.
	Dropped map[string]int64
	// TimeColumn is the id of the column that rows are sorted by, 0 for none.
	TimeColumn int32
	// RelativeToNewest makes relative dates count from the newest value of
	// the filtered time column instead of from now.
	RelativeToNewest bool
	// Lookups are many-to-one joins by name: {"origin_airport": …} makes
	// "origin_airport.state" a dimension.
	Lookups map[string]Lookup
	// Measures are saved measures by name, usable as {"measure": NAME}.
	Measures map[string]Measure
	// Fields are the expressions of calculated fields by name (package expr).
	Fields map[string]string
	// Policy is what who asks may see; nil for all of it. It is part of the
	// plan and of every key that follows from it.
	Policy *Policy
}

// Lookup joins each row of a dataset to at most one row of another.
type Lookup struct {
	Column int32 // id of the column of this dataset
	Key    int32 // id of the column of Target, unique there
	Target *Dataset
}

// Query is a spec bound to all that an answer depends on.
type Query struct {
	Spec    Spec
	Dataset *Dataset
	// Now is the moment that relative dates count from (unless the dataset
	// counts from its newest row). Callers truncate it to the minute.
	Now time.Time
	// Exact forbids an answer from sample segments.
	Exact bool
	// Stored has Export and Stream give plain rows without an order in the spec
	// as they are stored, instead of the newest first.
	Stored bool
}

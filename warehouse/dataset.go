package warehouse

import "time"

// Type is the type of a column, as people and the API name it. Each maps to
// one type of Apache Iceberg.
type Type string

// The types.
const (
	Integer     Type = "integer"     // 64 bit
	Decimal     Type = "decimal"     // exact, precision and scale in Column
	Float       Type = "float"       // 64 bit IEEE 754
	Boolean     Type = "boolean"     //
	Date        Type = "date"        // a calendar day, never shifted
	Timestamp   Type = "timestamp"   // microseconds, no zone, never shifted
	TimestampTZ Type = "timestamptz" // microseconds since 1970 UTC, shown in the viewer's zone
	Text        Type = "text"        // UTF-8
)

// Column is one column of a dataset. IDs are monotonic and never reused, so a
// rename changes no file and a dropped column never comes back as another.
type Column struct {
	ID        int32  `json:"id"`
	Name      string `json:"name"`
	Type      Type   `json:"type"`
	Precision uint8  `json:"precision,omitempty"` // Decimal only
	Scale     uint8  `json:"scale,omitempty"`     // Decimal only
	Role      string `json:"role,omitempty"`      // "latitude", "longitude" or empty
}

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

// Range is the smallest and the largest value of a column within a segment:
// int64 for Integer, Boolean, Date (days since 1970) and both timestamps
// (microseconds since 1970), float64 for Float and Decimal (rounded outward),
// string for Text (possibly a truncated prefix; Max is then rounded up).
type Range struct {
	Min   any   `json:"min"`
	Max   any   `json:"max"`
	Nulls int64 `json:"nulls"`
}

// Dataset is all the engine knows of one dataset at one version. It is built
// by domain/datasets from the catalogue in PostgreSQL.
type Dataset struct {
	ID       string
	TenantID string
	Name     string
	Version  int64
	Columns  []Column
	Segments []Segment
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
	// Rules are predicates that the actor must never see past; they become
	// part of the plan and of the cache key.
	Rules []Filter
	// Now is the moment that relative dates count from (unless the dataset
	// counts from its newest row). Callers truncate it to the minute.
	Now time.Time
	// Exact forbids an answer from sample segments.
	Exact bool
}

// Package segments writes, rewrites and describes the immutable Parquet files
// that hold a dataset's rows.
//
// A segment is one Parquet file: Snappy, row groups of RowGroupRows, rows
// sorted by the dataset's time column. Column 7 is named "c7" and carries the
// Parquet field id 7; beside a timestamp column 7 stands its UTC quarter-hour
// bucket, "b7" with field id 1,000,007. Files are read by field id, so a file
// written before a column existed gives NULL for it and a rename touches
// nothing.
//
// The package knows nothing of catalogues, tenants or versions: the caller
// names the files and publishes them.
package segments

import (
	"encoding/json"
	"fmt"
	"strconv"
)

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

// Valid tells whether t is one of the types.
func (t Type) Valid() bool {
	switch t {
	case Integer, Decimal, Float, Boolean, Date, Timestamp, TimestampTZ, Text:
		return true
	}
	return false
}

// Column is one column of a dataset. IDs are monotonic and never reused, so a
// rename changes no file and a dropped column never comes back as another.
type Column struct {
	ID        int32  `json:"id"`
	Name      string `json:"name"`
	Type      Type   `json:"type"`
	Precision uint8  `json:"precision,omitempty"` // Decimal only, 1 to 38
	Scale     uint8  `json:"scale,omitempty"`     // Decimal only
	Role      string `json:"role,omitempty"`      // "latitude", "longitude" or empty
	// Format is a hint for display: "percent" (the stored value is a
	// fraction: 0.12 is 12 %), "currency:GBP", or empty.
	Format string `json:"format,omitempty"`
}

// How segments are laid out.
const (
	RowGroupRows = 122_880   // rows of a Parquet row group
	BucketIDs    = 1_000_000 // field id of a bucket = id of its column + BucketIDs
	BucketMicros = 900e6     // width of a bucket: a quarter of an hour
	SampleRate   = 10        // a sample file holds about 1 in SampleRate rows
)

// ColumnName is the name of a column inside a segment file.
func ColumnName(id int32) string { return "c" + strconv.Itoa(int(id)) }

// BucketName is the name of a timestamp column's quarter-hour bucket inside a
// segment file: floor(epoch_us / 900e6) as INT32.
func BucketName(id int32) string { return "b" + strconv.Itoa(int(id)) }

// BucketID is the Parquet field id of a timestamp column's bucket.
func BucketID(id int32) int32 { return id + BucketIDs }

// HasBucket tells whether columns of the type have a bucket beside them.
func HasBucket(t Type) bool { return t == Timestamp || t == TimestampTZ }

// SQLType is DuckDB's name for the type of a column in a segment file.
func SQLType(c Column) string {
	switch c.Type {
	case Integer:
		return "BIGINT"
	case Decimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", c.Precision, c.Scale)
	case Float:
		return "DOUBLE"
	case Boolean:
		return "BOOLEAN"
	case Date:
		return "DATE"
	case Timestamp:
		return "TIMESTAMP"
	case TimestampTZ:
		return "TIMESTAMPTZ"
	}
	return "VARCHAR"
}

// Layout is what all files of one dataset share.
type Layout struct {
	Columns []Column `json:"columns"`
	// TimeColumn is the id of the column that rows are sorted by, 0 for none.
	TimeColumn int32 `json:"time_column,omitempty"`
}

// DefaultTimeColumn is the id of the first timestamp column, else of the first
// date column, else 0.
func DefaultTimeColumn(columns []Column) int32 {
	for _, c := range columns {
		if HasBucket(c.Type) {
			return c.ID
		}
	}
	for _, c := range columns {
		if c.Type == Date {
			return c.ID
		}
	}
	return 0
}

// File is one written segment. The caller publishes Path and Sample.
type File struct {
	Path  string          `json:"path"`
	Rows  int64           `json:"rows"`
	Bytes int64           `json:"bytes"`
	Stats map[int32]Range `json:"stats,omitempty"`
	// Sample is the path of a file with about 1 in SampleRate rows of this
	// segment, drawn at random; empty where the load was small.
	Sample      string `json:"sample,omitempty"`
	SampleRows  int64  `json:"sample_rows,omitempty"`
	SampleBytes int64  `json:"sample_bytes,omitempty"`
}

// Range is the smallest and the largest value of a column within a segment:
// int64 for Integer, Boolean, Date (days since 1970) and both timestamps
// (microseconds since 1970), float64 for Float and Decimal (rounded outward),
// string for Text (possibly a truncated prefix; Max is then rounded up). Both
// are nil when every value is null.
type Range struct {
	Min   any
	Max   any
	Nulls int64
}

type rangeJSON struct {
	Kind  string `json:"kind,omitempty"` // int, float, text; empty when there is no value
	Min   string `json:"min,omitempty"`
	Max   string `json:"max,omitempty"`
	Nulls int64  `json:"nulls,omitempty"`
}

// MarshalJSON keeps the kind of the bounds, so that an int64 beyond 2^53 and
// an infinite float survive a round trip.
func (r Range) MarshalJSON() ([]byte, error) {
	j := rangeJSON{Nulls: r.Nulls}
	switch low := r.Min.(type) {
	case nil:
	case int64:
		high, _ := r.Max.(int64)
		j.Kind, j.Min, j.Max = "int", strconv.FormatInt(low, 10), strconv.FormatInt(high, 10)
	case float64:
		high, _ := r.Max.(float64)
		j.Kind, j.Min, j.Max = "float", strconv.FormatFloat(low, 'g', -1, 64), strconv.FormatFloat(high, 'g', -1, 64)
	case string:
		j.Kind, j.Min = "text", low
		j.Max, _ = r.Max.(string)
	default:
		return nil, fmt.Errorf("range of %T cannot be encoded", r.Min)
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Range) UnmarshalJSON(data []byte) error {
	var j rangeJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*r = Range{Nulls: j.Nulls}
	switch j.Kind {
	case "":
	case "int":
		low, err := strconv.ParseInt(j.Min, 10, 64)
		if err != nil {
			return fmt.Errorf("smallest value: %w", err)
		}
		high, err := strconv.ParseInt(j.Max, 10, 64)
		if err != nil {
			return fmt.Errorf("largest value: %w", err)
		}
		r.Min, r.Max = low, high
	case "float":
		low, err := strconv.ParseFloat(j.Min, 64)
		if err != nil {
			return fmt.Errorf("smallest value: %w", err)
		}
		high, err := strconv.ParseFloat(j.Max, 64)
		if err != nil {
			return fmt.Errorf("largest value: %w", err)
		}
		r.Min, r.Max = low, high
	case "text":
		r.Min, r.Max = j.Min, j.Max
	default:
		return fmt.Errorf("unknown kind of range %q", j.Kind)
	}
	return nil
}

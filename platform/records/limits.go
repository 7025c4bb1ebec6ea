package records

// Limits bound what one file may cost. Zero fields take the defaults.
type Limits struct {
	MaxRecordBytes   int64   `json:"max_record_bytes,omitempty"`   // longest record, 16 MiB
	MaxColumns       int     `json:"max_columns,omitempty"`        // 2,000
	MaxExpandedBytes int64   `json:"max_expanded_bytes,omitempty"` // of unpacked data, 200 GiB
	MaxExpansion     float64 `json:"max_expansion,omitempty"`      // unpacked / packed beyond the first 64 MiB, 400
	// TempDir is where a reader may spool; "" for the system's.
	TempDir string `json:"-"`
}

// ExpansionFrom is how much may be unpacked before MaxExpansion counts: short
// files of repeated text compress very well.
const ExpansionFrom = 64 << 20

// WithDefaults fills in the fields left zero.
func (l Limits) WithDefaults() Limits {
	if l.MaxRecordBytes <= 0 {
		l.MaxRecordBytes = 16 << 20
	}
	if l.MaxColumns <= 0 {
		l.MaxColumns = 2000
	}
	if l.MaxExpandedBytes <= 0 {
		l.MaxExpandedBytes = 200 << 30
	}
	if l.MaxExpansion <= 0 {
		l.MaxExpansion = 400
	}
	return l
}

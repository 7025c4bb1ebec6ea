package files

import "github.com/dataflowhq/dataflow/platform/records"

// SetChunk makes a source of delimited text cut it into pieces of about n
// bytes, so that small tests cross many of their borders.
func SetChunk(s records.Source, n int) {
	if d, ok := s.(*delimited); ok {
		d.chunk = n
	}
}

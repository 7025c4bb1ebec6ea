package files

import "github.com/dataflowhq/dataflow/platform/records"

// SetChunk makes a source of delimited text cut it into pieces of about n
// bytes, and keep few at the end together, so that small tests cross many of
// their borders.
func SetChunk(s records.Source, n int) {
	if d, ok := s.(*delimited); ok {
		d.chunk, d.tail = n, 40
	}
}

// Package records is the shape in which rows come out of a file or a source
// before they have types: batches of text cells, with the place each came from.
package records

import (
	"context"
)

// Options say how a file is to be read. A field left zero is detected.
type Options struct {
	Kind     string `json:"kind,omitempty"`     // csv (any delimiter), json, ndjson, parquet, xlsx
	Encoding string `json:"encoding,omitempty"` // utf-8, utf-16le, utf-16be, latin-1, windows-1252
	// Delimiter is one ASCII character, also "\t".
	Delimiter string `json:"delimiter,omitempty"`
	Quote     string `json:"quote,omitempty"`  // one ASCII character, or "none"
	Escape    string `json:"escape,omitempty"` // "double" (the quote twice) or "backslash"
	Header    *bool  `json:"header,omitempty"`
	// Sheet is the name of a sheet (XLSX) or of the key that holds the records
	// (JSON).
	Sheet string `json:"sheet,omitempty"`
	// ShortRows is "reject" (the default) or "fill": read fields missing at
	// the end of a record as empty.
	ShortRows string `json:"short_rows,omitempty"`
	// LongRows is "reject" (the default) or "cut": drop fields beyond the last
	// column.
	LongRows string `json:"long_rows,omitempty"`
	// Totals is "reject" (the default) or "load": take a record at the end of
	// the file that sums up the others for one more of them.
	Totals string `json:"totals,omitempty"`
	// RepeatedKeys is "reject" (the default) or "last": of the values that one
	// object has under the same key (JSON), take the last.
	RepeatedKeys string `json:"repeated_keys,omitempty"`
	// NUL is "reject" (the default) or "strip".
	NUL string `json:"nul,omitempty"`
	// Fields are the names of the fields (JSON), where an earlier reading
	// found them; others are then ignored and the file is read once.
	Fields []string `json:"fields,omitempty"`
}

// Format is how a file was read: what Options left open, decided.
type Format struct {
	Kind        string `json:"kind"`
	Compression string `json:"compression,omitempty"` // gzip, zstd or empty
	Encoding    string `json:"encoding,omitempty"`
	BOM         bool   `json:"bom,omitempty"`
	Delimiter   string `json:"delimiter,omitempty"`
	Quote       string `json:"quote,omitempty"`
	Escape      string `json:"escape,omitempty"`
	Header      bool   `json:"header"`
	// HeaderLine is the line of the header, 0 without one. Lines with text
	// above it are records, rejected as "before_header".
	HeaderLine int64 `json:"header_line,omitempty"`
	// HeaderDoubt is a name that could be a value; empty without one, and where
	// somebody has said that there is a header.
	HeaderDoubt string   `json:"header_doubt,omitempty"`
	Sheet       string   `json:"sheet,omitempty"`
	Sheets      []string `json:"sheets,omitempty"` // to choose from
}

// Field is one column of a file.
type Field struct {
	// Source is the name in the file, made Legible; "" without one.
	Source string `json:"source"`
	// Name is Source made usable: trimmed, never empty, unique in the file
	// without regard to case.
	Name string `json:"name"`
	// Type is the type the file itself declares (Parquet), in the words of
	// package segments; empty where the file has text only.
	Type      string `json:"type,omitempty"`
	Precision uint8  `json:"precision,omitempty"`
	Scale     uint8  `json:"scale,omitempty"`
}

// Source hands out the records of one file or stream.
type Source interface {
	Format() Format
	Fields() []Field
	// Next answers the next batch, io.EOF after the last. It may be called by
	// several goroutines at once; Batch.Seq then gives the order. The batch is
	// the caller's until its Release.
	Next(ctx context.Context) (*Batch, error)
	// Progress answers how many bytes of the file were read and how many it
	// has.
	Progress() (read, total int64)
	Close() error
}

// Batch is some consecutive records.
type Batch struct {
	Seq         int64 // position among the batches of the source, from 0
	FirstRecord int64 // number of the first record, from 1
	Records     int
	Fields      int
	Data        []byte // what Spans point into
	// Spans has Records*Fields cells, record by record.
	Spans []Span
	// Lines has the line of each record, from 1: the physical line of a text
	// file, the row of a sheet, the record's number elsewhere.
	Lines []int64
	// Raw has the extent of each whole record in Data; nil where the source
	// has no text of its own (a sheet, Parquet).
	Raw []Span
	// Problems lists records that cannot be loaded, by Index. Their cells are
	// empty.
	Problems []Problem
	// Unquote undoes the escapes of a cell that Span.Escaped marks: it appends
	// the cell's value to dst.
	Unquote func(dst, cell []byte) []byte
	// Invalid tells that some cell may hold bytes that are not UTF-8, or NUL.
	Invalid bool
	// Free takes the batch back; nil for none.
	Free func(*Batch)
}

// Problem says why a record cannot be loaded.
type Problem struct {
	Index  int    // of the record within the batch
	Field  int    // of the offending field, -1 for the whole record
	Reason string // one of the Reason constants
	Value  string // excerpt of the offending text
}

// Reasons for which a source itself refuses a record.
const (
	TooFewFields      = "too_few_fields"
	TooManyFields     = "too_many_fields"
	StrayQuote        = "stray_quote"
	UnterminatedQuote = "unterminated_quote"
	BeforeHeader      = "before_header"
	BadJSON           = "bad_json"
	NotAnObject       = "not_an_object"
	RepeatedKey       = "repeated_key"
	LooksLikeTotal    = "looks_like_total"
)

// Span is a cell within Batch.Data.
type Span struct {
	Start uint32
	End   uint32 // the top bit marks a cell with escapes
}

const escaped = 1 << 31

// Plain is a cell without escapes.
func Plain(start, end int) Span { return Span{uint32(start), uint32(end)} }

// Escaped is a cell whose text needs Batch.Unquote.
func Escaped(start, end int) Span { return Span{uint32(start), uint32(end) | escaped} }

// IsEscaped tells whether the cell has escapes.
func (s Span) IsEscaped() bool { return s.End&escaped != 0 }

// Bounds are the offsets of the cell.
func (s Span) Bounds() (start, end uint32) { return s.Start, s.End &^ escaped }

// Cell answers the text of a cell. It is valid until the batch is released; a
// cell with escapes is appended to *scratch.
func (b *Batch) Cell(record, field int, scratch *[]byte) []byte {
	s := b.Spans[record*b.Fields+field]
	if s.End&escaped == 0 {
		return b.Data[s.Start:s.End]
	}
	from := len(*scratch)
	*scratch = b.Unquote(*scratch, b.Data[s.Start:s.End&^escaped])
	return (*scratch)[from:]
}

// RawRecord answers the text of a whole record, nil where there is none.
func (b *Batch) RawRecord(record int) []byte {
	if b.Raw == nil {
		return nil
	}
	from, to := b.Raw[record].Bounds()
	return b.Data[from:to]
}

// Release gives the batch back to its source.
func (b *Batch) Release() {
	if b.Free != nil {
		b.Free(b)
	}
}

package ingest

import (
	"fmt"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// reasonText says in words why a value or record cannot be loaded.
func reasonText(f *failure) string {
	switch f.reason {
	case NotANumber:
		return "Not a number"
	case NotWhole:
		return "Not a whole number"
	case CommaAsDecimal:
		return "Comma as decimal mark"
	case PointAsDecimal:
		return "Point as decimal mark"
	case OutOfRange:
		return "Too large a number for this column"
	case TooManyDecimals:
		return "More decimals than this column keeps"
	case NoPercent:
		return "No per cent sign"
	case HasPercent:
		return "Per cent sign"
	case NotABoolean:
		return "Neither true nor false"
	case NotADate:
		return "Not a date"
	case UnclearDate:
		return "Day and month cannot be told apart"
	case OtherDateOrder:
		return "No such month"
	case HasTime:
		return "Has a time of day"
	case HasZone:
		return "Has a time zone"
	case NoZone:
		return "Has no time zone"
	case InvalidText:
		return "Bytes that are not text in this encoding"
	case NULByte:
		return "Contains a NUL byte"
	case RepeatsKey:
		if f.kept.later {
			return fmt.Sprintf("Comes again in line %s, which was kept", count(f.kept.line))
		}
		return fmt.Sprintf("Repeats the key of line %s, which was kept", count(f.kept.line))
	case EmptyKey:
		return "Empty primary key"
	case records.TooFewFields:
		return "Too few fields"
	case records.TooManyFields:
		return "Too many fields"
	case records.StrayQuote:
		return "Text after a closing quote"
	case records.UnterminatedQuote:
		return "Quote that is never closed"
	case records.BeforeHeader:
		return "Text above the header"
	case records.BadJSON:
		return "Not valid JSON"
	case records.NotAnObject:
		return "Not a JSON object"
	case records.RepeatedKey:
		return "Key more than once in one object"
	case records.LooksLikeTotal:
		return "Looks like a total"
	}
	return f.reason
}

// fixFor is the one change that would load records that failed alike, nil for
// none.
func fixFor(f *failure, encoding string) *Fix {
	if f.column == nil {
		return recordFix(f.reason)
	}
	name := f.column.Column.Name
	retype := func(text string, change func(*TypeChoice)) *Fix {
		choice := f.column.choice()
		change(&choice)
		return &Fix{Text: text, Column: &ColumnChoice{Column: name, Type: choice.String()}}
	}
	switch f.reason {
	case CommaAsDecimal:
		return retype("Read comma as decimal", func(c *TypeChoice) { c.Reading.Decimal = "either" })
	case PointAsDecimal:
		return retype("Read point as decimal", func(c *TypeChoice) { c.Reading.Decimal = "either" })
	case NotWhole:
		return retype("Read as decimal", func(c *TypeChoice) { c.Type = segments.Decimal })
	case OutOfRange:
		if f.column.Column.Type == segments.Float {
			break
		}
		return retype("Read as text", func(c *TypeChoice) { *c = TypeChoice{Type: segments.Text} })
	case TooManyDecimals:
		return retype("Keep all decimals", func(c *TypeChoice) { c.Fixed, c.Precision, c.Scale = false, 0, 0 })
	case UnclearDate:
		return retype("Read as day/month", func(c *TypeChoice) { c.Reading.DateOrder = "dmy" })
	case HasTime:
		return retype("Keep the time of day", func(c *TypeChoice) { c.Type = segments.Timestamp })
	case HasZone:
		return retype("Read as moments in time", func(c *TypeChoice) { c.Type, c.Reading.Zone = segments.TimestampTZ, "utc" })
	case NoZone:
		return retype("Read as UTC", func(c *TypeChoice) { c.Reading.Zone = "utc" })
	case InvalidText:
		if encoding == "utf-8" {
			return &Fix{Text: "Read as Windows-1252", Options: &records.Options{Encoding: "windows-1252"}}
		}
	case NULByte:
		return &Fix{Text: "Leave NUL bytes out", Options: &records.Options{NUL: "strip"}}
	case RepeatsKey:
		if f.kept.later {
			return nil // it is so already
		}
		return &Fix{Text: "Keep last", Duplicates: "last"}
	case EmptyKey:
		return nil
	}
	return &Fix{Text: "Load as empty", Column: &ColumnChoice{Column: name, EmptyFor: []string{f.reason}}}
}

func recordFix(reason string) *Fix {
	switch reason {
	case records.TooFewFields:
		return &Fix{Text: "Load missing fields as empty", Options: &records.Options{ShortRows: "fill"}}
	case records.TooManyFields:
		return &Fix{Text: "Drop the extra fields", Options: &records.Options{LongRows: "cut"}}
	case records.StrayQuote, records.UnterminatedQuote:
		return &Fix{Text: "Read quotes as plain text", Options: &records.Options{Quote: "none"}}
	case records.RepeatedKey:
		return &Fix{Text: "Take the last value", Options: &records.Options{RepeatedKeys: "last"}}
	case records.LooksLikeTotal:
		return &Fix{Text: "Load it all the same", Options: &records.Options{Totals: "load"}}
	}
	return nil
}

// choice is the type choice that a column is loaded with.
func (c *column) choice() TypeChoice {
	choice := TypeChoice{Type: c.Column.Type, Reading: c.Reading}
	if c.fixed {
		choice.Fixed, choice.Precision, choice.Scale = true, c.Column.Precision, c.Column.Scale
	}
	return choice
}

// excerpt is the beginning of a value, for people.
func excerpt(text []byte) string {
	const most = 200
	if len(text) <= most {
		return string(text)
	}
	cut := most
	for cut > most-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return string(text[:cut]) + "…"
}

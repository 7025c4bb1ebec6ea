package ingest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// ErrBadType covers every malformed or unknown type choice.
var ErrBadType = apperr.Define(apperr.Invalid, "ingest.bad_type",
	"This is not a type. Use integer, decimal, float, boolean, date, timestamp, timestamptz or text.")

// ParseTypeChoice reads a type choice such as "date:dmy" or "decimal(12,2):comma".
//
// Errors: ingest.bad_type.
func ParseTypeChoice(text string) (TypeChoice, error) {
	parts := strings.Split(strings.ToLower(strings.TrimSpace(text)), ":")
	var choice TypeChoice
	name := parts[0]
	if base, args, found := strings.Cut(name, "("); found {
		p, s, _ := strings.Cut(strings.TrimSuffix(args, ")"), ",")
		precision, err := strconv.Atoi(strings.TrimSpace(p))
		if err != nil || precision < 1 || precision > 38 || base != "decimal" || !strings.HasSuffix(args, ")") {
			return choice, ErrBadType.With("%q is not a type: a decimal is written decimal(18,2), with at most 38 digits.", text)
		}
		scale := 0
		if s != "" {
			scale, err = strconv.Atoi(strings.TrimSpace(s))
			if err != nil || scale < 0 || scale > precision {
				return choice, ErrBadType.With("%q is not a type: a decimal cannot have more decimals than digits.", text)
			}
		}
		choice.Precision, choice.Scale, choice.Fixed = uint8(precision), uint8(scale), true
		name = base
	}
	choice.Type = segments.Type(name)
	if !choice.Type.Valid() {
		return choice, ErrBadType.With("%q is not a type. Use integer, decimal, float, boolean, date, timestamp, timestamptz or text.", text)
	}
	number := choice.Type == segments.Integer || choice.Type == segments.Decimal || choice.Type == segments.Float
	dated := choice.Type == segments.Date || segments.HasBucket(choice.Type)
	for _, reading := range parts[1:] {
		switch {
		case number && (reading == "point" || reading == "comma" || reading == "either"):
			choice.Reading.Decimal = reading
		case number && choice.Type != segments.Integer && reading == "percent":
			choice.Reading.Percent = true
		case dated && (reading == "dmy" || reading == "mdy" || reading == "ymd"):
			choice.Reading.DateOrder = reading
		case choice.Type == segments.TimestampTZ && reading == "utc":
			choice.Reading.Zone = reading
		default:
			return choice, ErrBadType.With("%q cannot be read as %q. Dates take :dmy, :mdy or :ymd, timestamptz :utc; numbers take :point, :comma, :either or :percent.", choice.Type, reading)
		}
	}
	return choice, nil
}

// String writes the choice as ParseTypeChoice reads it.
func (c TypeChoice) String() string {
	text := string(c.Type)
	if c.Fixed {
		text = fmt.Sprintf("%s(%d,%d)", text, c.Precision, c.Scale)
	}
	for _, reading := range []string{c.Reading.Decimal, c.Reading.DateOrder, c.Reading.Zone} {
		if reading != "" {
			text += ":" + reading
		}
	}
	if c.Reading.Percent {
		text += ":percent"
	}
	return text
}

// Plan turns an inspection into the columns of a new dataset, with ids from
// firstID in the order of the file.
func (i *Inspection) Plan(firstID int32) []LoadColumn {
	var columns []LoadColumn
	for _, c := range i.Columns {
		if !c.Load {
			continue
		}
		columns = append(columns, LoadColumn{
			Position: c.Position, Source: c.Source, Reading: c.Reading, EmptyFor: c.EmptyFor,
			Column: segments.Column{
				ID: firstID + int32(len(columns)), Name: c.Name, Type: c.Type,
				Precision: c.Precision, Scale: c.Scale, Role: c.Role, Format: c.Format,
			},
		})
	}
	return columns
}

// Apply merges the fix into a request.
func (f *Fix) Apply(r *InspectRequest) {
	if f.Options != nil {
		r.Options = merged(r.Options, *f.Options)
	}
	if f.Duplicates != "" {
		r.Duplicates = f.Duplicates
	}
	if f.Column == nil {
		return
	}
	for i := range r.Columns {
		c := &r.Columns[i]
		if c.Column != f.Column.Column {
			continue
		}
		if f.Column.Type != "" {
			c.Type = f.Column.Type
		}
		if f.Column.Skip {
			c.Skip = true
		}
		c.EmptyFor = append(c.EmptyFor, f.Column.EmptyFor...)
		return
	}
	r.Columns = append(r.Columns, *f.Column)
}

func merged(base, change records.Options) records.Options {
	for _, field := range []struct{ to, from *string }{
		{&base.Kind, &change.Kind}, {&base.Encoding, &change.Encoding}, {&base.Delimiter, &change.Delimiter},
		{&base.Quote, &change.Quote}, {&base.Escape, &change.Escape}, {&base.Sheet, &change.Sheet},
		{&base.ShortRows, &change.ShortRows}, {&base.LongRows, &change.LongRows}, {&base.NUL, &change.NUL},
		{&base.Totals, &change.Totals}, {&base.RepeatedKeys, &change.RepeatedKeys},
	} {
		if *field.from != "" {
			*field.to = *field.from
		}
	}
	if change.Header != nil {
		base.Header = change.Header
	}
	return base
}

// Fields are the names of all fields of the file, for LoadRequest.Options.Fields.
func (i *Inspection) Fields() []string {
	names := make([]string, len(i.Columns))
	for at, c := range i.Columns {
		names[at] = c.Source
	}
	return names
}

package files

import (
	"context"

	"github.com/dataflowhq/dataflow/platform/records"
)

// Open opens a stored file for reading; what it holds is found out from its
// content, never from its name, except for what options say. Parquet is not
// read here.
//
// Errors: files.*.
func Open(ctx context.Context, path string, options records.Options, limits records.Limits) (records.Source, error) {
	if err := checkOptions(options); err != nil {
		return nil, err
	}
	limits = limits.WithDefaults()
	s, err := openStream(path, limits)
	if err != nil {
		return nil, err
	}
	source, err := openDelimited(s, options, limits)
	if err != nil {
		s.Close()
		return nil, err
	}
	return source, nil
}

func checkOptions(o records.Options) error {
	oneOf := func(what, value string, allowed ...string) error {
		for _, a := range append(allowed, "") {
			if value == a {
				return nil
			}
		}
		return ErrBadOption.With("%q is not a setting for %s.", value, what)
	}
	for _, err := range []error{
		oneOf("the kind of file", o.Kind, "csv", "json", "ndjson", "parquet", "xlsx"),
		oneOf("the escape", o.Escape, "double", "backslash"),
		oneOf("short rows", o.ShortRows, "reject", "fill"),
		oneOf("long rows", o.LongRows, "reject", "cut"),
		oneOf("NUL bytes", o.NUL, "reject", "strip"),
	} {
		if err != nil {
			return err
		}
	}
	if o.Delimiter != "none" && !oneCharacter(o.Delimiter) {
		return ErrBadOption.With("The delimiter must be one character, or \"none\".")
	}
	if o.Quote != "none" && !oneCharacter(o.Quote) {
		return ErrBadOption.With("The quote must be one character, or \"none\".")
	}
	if o.Delimiter != "" && o.Delimiter == o.Quote && o.Delimiter != "none" {
		return ErrBadOption.With("Delimiter and quote must differ.")
	}
	return nil
}

// oneCharacter tells whether text is empty or one ASCII character that may
// delimit or quote.
func oneCharacter(text string) bool {
	if text == "" {
		return true
	}
	return len(text) == 1 && text[0] < 0x80 && text[0] != '\n' && text[0] != '\r' && text[0] != 0
}

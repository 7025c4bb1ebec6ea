package files

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os"
	"strings"

	"github.com/dataflowhq/dataflow/platform/records"
)

// Open opens a stored file for reading. What it holds is found out from its
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
	source, err := openContent(ctx, s, path, options, limits)
	if err != nil {
		s.Close()
		return nil, err
	}
	return source, nil
}

// openContent decides between the kinds of files by the first bytes. The stream
// becomes the source's own, or is closed.
func openContent(ctx context.Context, s *stream, path string, options records.Options, limits records.Limits) (records.Source, error) {
	head, whole, err := readHead(s.body, headBytes)
	if err != nil {
		return nil, err
	}
	switch {
	case len(head) == 0:
		return nil, ErrEmpty
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		if s.compression != "" {
			return nil, ErrArchive
		}
		s.Close()
		if err := checkArchive(path); err != nil {
			return nil, err
		}
		return openXLSX(ctx, path, options, limits)
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return nil, ErrOldSpreadsheet
	case options.Kind == "xlsx":
		return nil, ErrBadXLSX.With("This is not a workbook.")
	}
	if what := binaryName(head); what != "" {
		return nil, ErrNotText.With("This is %s, not a text file. Upload CSV, JSON, Parquet or XLSX.", what)
	}
	encoding, err := encodingOf(head, whole, options)
	if err != nil {
		return nil, err
	}
	if options.Kind == "json" || options.Kind == "ndjson" || options.Kind == "" && isJSON(head, encoding) {
		s.Close()
		return openJSON(ctx, path, encoding, options, limits)
	}
	return openDelimited(s, head, encoding, options, limits)
}

// encodingOf is the encoding of a text, as chosen or guessed.
func encodingOf(head []byte, whole bool, options records.Options) (guess, error) {
	g := guessEncoding(head, whole)
	switch {
	case options.Encoding == "":
	case !knownEncoding(options.Encoding):
		return g, ErrBadOption.With("The encoding %q is not known. Use utf-8, utf-16le, utf-16be, latin-1 or windows-1252.", options.Encoding)
	case options.Encoding != g.encoding:
		g = guess{encoding: options.Encoding, sure: true}
	}
	return g, nil
}

func isJSON(head []byte, g guess) bool {
	text, _, err := readHead(decode(bytes.NewReader(head[g.bom:]), g.encoding), 4096)
	return err == nil && looksLikeJSON(text)
}

// checkArchive tells a workbook from other archives.
func checkArchive(path string) error {
	archive, err := zip.OpenReader(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return ErrUnreadable.Wrap(err)
		}
		return ErrBadXLSX.Wrap(err)
	}
	defer archive.Close()
	for _, f := range archive.File {
		switch name := strings.ToLower(strings.TrimPrefix(f.Name, "/")); {
		case name == "xl/workbook.xml":
			return nil
		case name == "xl/workbook.bin":
			return ErrBadXLSX.With("This is a binary workbook. Save it as .xlsx.")
		case name == "content.xml", name == "mimetype":
			return ErrArchive.With("This is an OpenDocument file. Save it as .xlsx.")
		}
	}
	return ErrArchive
}

func checkOptions(o records.Options) error {
	for _, one := range []struct {
		what, value string
		allowed     []string
	}{
		{"the kind of file", o.Kind, []string{"csv", "json", "ndjson", "parquet", "xlsx"}},
		{"the escape", o.Escape, []string{"double", "backslash"}},
		{"short rows", o.ShortRows, []string{"reject", "fill"}},
		{"long rows", o.LongRows, []string{"reject", "cut"}},
		{"totals", o.Totals, []string{"reject", "load"}},
		{"repeated keys", o.RepeatedKeys, []string{"reject", "last"}},
		{"NUL bytes", o.NUL, []string{"reject", "strip"}},
	} {
		known := one.value == ""
		for _, a := range one.allowed {
			known = known || one.value == a
		}
		if !known {
			return ErrBadOption.With("%q is not a setting for %s.", one.value, one.what)
		}
	}
	switch {
	case o.Delimiter != "none" && !oneCharacter(o.Delimiter):
		return ErrBadOption.With("The delimiter must be one character, or \"none\".")
	case o.Quote != "none" && !oneCharacter(o.Quote):
		return ErrBadOption.With("The quote must be one character, or \"none\".")
	case o.Delimiter != "" && o.Delimiter == o.Quote && o.Delimiter != "none":
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

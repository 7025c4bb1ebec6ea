package segments

import (
	"errors"
	"strings"
	"syscall"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

var (
	// ErrDiskFull also covers a quota and a limit on the size of files.
	ErrDiskFull = apperr.Define(apperr.Unavailable, "ingest.disk_full",
		"There is no room left to store the data. Nothing was changed. Free some space and try again.")
	// ErrNotConvertible covers a change of type that some value does not survive.
	ErrNotConvertible = apperr.Define(apperr.Conflict, "segments.not_convertible",
		"Some values do not fit the new type of their column.")
	// ErrRepeatedKey covers a change in which a key occurs twice.
	ErrRepeatedKey = apperr.Define(apperr.Invalid, "segments.repeated_key",
		"A key occurs more than once among the changed rows.")
	// ErrOutOfMemory covers work that does not fit even with spilling.
	ErrOutOfMemory = apperr.Define(apperr.Unavailable, "segments.out_of_memory",
		"There was not enough memory to write the data. Nothing was changed.")
)

// classify gives an error of DuckDB or of the system the kind that callers
// act on.
func classify(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG),
		strings.Contains(text, "No space left on device"), strings.Contains(text, "File too large"),
		strings.Contains(text, "Disk quota exceeded"):
		return ErrDiskFull.Wrap(err)
	case strings.HasPrefix(text, "Conversion Error"), strings.Contains(text, "Could not cast"), strings.Contains(text, "Casting value"):
		return ErrNotConvertible.Wrap(err)
	case strings.HasPrefix(text, "Out of Memory Error"):
		return ErrOutOfMemory.Wrap(err)
	}
	return err
}

package ingest

import (
	"errors"
	"syscall"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

var (
	// ErrFileChanged covers a load whose columns are not those of the file.
	ErrFileChanged = apperr.Define(apperr.Conflict, "ingest.file_changed",
		"The columns of the file are not those that were reviewed. Review it again.")
	ErrUnknownColumn = apperr.Define(apperr.Invalid, "ingest.unknown_column",
		"The file has no column of this name.")
	ErrRepeatedName = apperr.Define(apperr.Invalid, "ingest.repeated_name",
		"Two columns have the same name.")
	ErrNoColumns = apperr.Define(apperr.Invalid, "ingest.no_columns",
		"No column is chosen to be loaded.")
)

// diskError gives errors of a full disk their kind.
func diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return segments.ErrDiskFull.Wrap(err)
	}
	return err
}

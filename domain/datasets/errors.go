package datasets

import "github.com/dataflowhq/dataflow/platform/apperr"

// What can go wrong with a dataset, as people and the API see it.
var (
	// ErrNotFound also covers "exists in another workspace": never reveal which.
	ErrNotFound = apperr.Define(apperr.NotFound, "datasets.not_found",
		"This dataset does not exist or was removed.")
	ErrSnapshotExpired = apperr.Define(apperr.Gone, "datasets.snapshot_expired",
		"The version of the data that this page shows is no longer kept. Reload to see the current one.")
	ErrVersionNotFound = apperr.Define(apperr.NotFound, "datasets.version_not_found",
		"This version of the dataset does not exist or is no longer kept.")
	ErrNameTaken = apperr.Define(apperr.Conflict, "datasets.name_taken",
		"A dataset with this name exists already.")
	ErrNameInvalid = apperr.Define(apperr.Invalid, "datasets.name_invalid",
		"A dataset's name has 1 to 120 characters, without control characters and without space at its ends.")
	ErrColumnNotFound = apperr.Define(apperr.Invalid, "datasets.column_not_found",
		"The dataset has no such column.")
	ErrColumnInvalid = apperr.Define(apperr.Invalid, "datasets.column_invalid",
		"This change of the column is not possible.")
	ErrStale = apperr.Define(apperr.Conflict, "datasets.stale",
		"Somebody else changed this dataset in the meantime. Reload and try again.")
	ErrBusy = apperr.Define(apperr.Conflict, "datasets.busy",
		"The dataset changed again and again while this change was being prepared. Try again.")
	ErrSchemaConflict = apperr.Define(apperr.Conflict, "datasets.schema_conflict",
		"The file's columns do not fit the dataset's. Reload it with replace, or give the type.")
	ErrChangeUnseen = apperr.Define(apperr.Conflict, "datasets.change_unseen",
		"The load would change other columns than was shown before, since the dataset changed in the meantime. It was stopped, and the dataset is as it was. Look at the file again.")
	// ErrNothingFits covers a replacement of rows by none.
	ErrNothingFits = apperr.Define(apperr.Invalid, "datasets.nothing_fits",
		"No row of the file can be loaded, so nothing was replaced.")
	ErrKeyInvalid = apperr.Define(apperr.Invalid, "datasets.key_invalid",
		"The key must name columns of the dataset.")
	ErrLookupNotFound = apperr.Define(apperr.NotFound, "datasets.lookup_not_found",
		"The dataset has no lookup of this name.")
	ErrLookupInvalid = apperr.Define(apperr.Invalid, "datasets.lookup_invalid",
		"This lookup is not possible.")
	ErrLookupNotUnique = apperr.Define(apperr.Conflict, "datasets.lookup_not_unique",
		"The key column of a lookup must have each value at most once.")
	ErrInUse = apperr.Define(apperr.Conflict, "datasets.in_use",
		"Other datasets look up values in this one. Remove those lookups first.")
	ErrMeasureNotFound = apperr.Define(apperr.NotFound, "datasets.measure_not_found",
		"The dataset has no saved measure of this name.")
	ErrMeasureInvalid = apperr.Define(apperr.Invalid, "datasets.measure_invalid",
		"This measure cannot be saved.")
	ErrFieldNotFound = apperr.Define(apperr.NotFound, "datasets.field_not_found",
		"The dataset has no calculated field of this name.")
	ErrFieldInvalid = apperr.Define(apperr.Invalid, "datasets.field_invalid",
		"This calculated field cannot be saved.")
	ErrRowsInvalid = apperr.Define(apperr.Invalid, "datasets.rows_invalid",
		"These rows do not fit the dataset's columns.")
	ErrUploadNotFound = apperr.Define(apperr.NotFound, "datasets.upload_not_found",
		"This upload does not exist or was removed.")
	ErrUploadState = apperr.Define(apperr.Conflict, "datasets.upload_state",
		"This upload is not at a point where that is possible.")
	ErrLoadNotFound = apperr.Define(apperr.NotFound, "datasets.load_not_found",
		"This load does not exist or was removed.")
	ErrLoadCancelled = apperr.Define(apperr.Conflict, "datasets.load_cancelled",
		"The load was cancelled. The dataset is as it was before.")
	ErrLoadInterrupted = apperr.Define(apperr.Unavailable, "datasets.load_interrupted",
		"The load was interrupted too often and was given up. The dataset is as it was before.")
	ErrOptionsInvalid = apperr.Define(apperr.Invalid, "datasets.options_invalid",
		"These load options are not possible.")
)

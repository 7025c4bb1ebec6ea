package files

import "github.com/dataflowhq/dataflow/platform/apperr"

// What a file can be refused for.
var (
	ErrEmpty = apperr.Define(apperr.Invalid, "files.empty",
		"The file is empty.")
	ErrNotText = apperr.Define(apperr.Invalid, "files.not_text",
		"This is not a text file. Upload CSV, JSON, Parquet or XLSX.")
	ErrTooLargeExpanded = apperr.Define(apperr.TooLarge, "files.too_large_expanded",
		"The file unpacks to far more than a file of its size should. It was not read.")
	ErrBadArchive = apperr.Define(apperr.Invalid, "files.bad_archive",
		"The compressed file is damaged or cut short. Upload it again.")
	ErrArchive = apperr.Define(apperr.Invalid, "files.archive",
		"This is an archive of files. Unpack it and upload the file you need.")
	ErrLineTooLong = apperr.Define(apperr.Invalid, "files.line_too_long",
		"A line of the file is longer than a record may be.")
	ErrTooManyColumns = apperr.Define(apperr.Invalid, "files.too_many_columns",
		"The file has more columns than a dataset may have.")
	ErrBadOption = apperr.Define(apperr.Invalid, "files.bad_option",
		"The file cannot be read with these settings.")
	ErrBadJSON = apperr.Define(apperr.Invalid, "files.bad_json",
		"The file is not valid JSON.")
	ErrNoRecords = apperr.Define(apperr.Invalid, "files.no_records",
		"The file has no list of records. A JSON file needs an array of objects, or one object a line.")
	ErrBadXLSX = apperr.Define(apperr.Invalid, "files.bad_xlsx",
		"The workbook is damaged. Open it in a spreadsheet program, save it again and upload that.")
	ErrOldSpreadsheet = apperr.Define(apperr.Invalid, "files.old_spreadsheet",
		"This is an old .xls workbook or one with a password. Save it as .xlsx without a password.")
	ErrUnknownSheet = apperr.Define(apperr.Invalid, "files.unknown_sheet",
		"The file has no sheet of this name.")
	ErrUnreadable = apperr.Define(apperr.Unavailable, "files.unreadable",
		"The stored file could not be read. Try again.")
)

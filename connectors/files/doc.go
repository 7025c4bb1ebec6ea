// Package files reads uploaded files as records: text with delimiters, JSON,
// one JSON object a line, and XLSX, plain or compressed, in any of the usual
// encodings. What counts as a record is written down in docs/files.md.
//
// Memory does not grow with the size of the file.
package files

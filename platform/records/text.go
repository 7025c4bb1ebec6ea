package records

import "strings"

// Legible replaces what a text from a file may hold and neither a page nor a
// database takes: bytes that are not UTF-8, and NUL.
func Legible(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "␀")
}

// FormulaMarks are what spreadsheets take for the beginning of a formula: also
// what they drop before one, and the wide forms that some of them read as such.
var FormulaMarks = []string{"\t", "\n", "\r", "+", "-", "=", "@", "＋", "－", "＝", "＠"}

// Harmless is a text as a CSV may have it: one that a spreadsheet would take
// for a formula begins with an apostrophe.
func Harmless(text string) string {
	for _, mark := range FormulaMarks {
		if strings.HasPrefix(text, mark) {
			return "'" + text
		}
	}
	return text
}

package records

import "strings"

// Legible replaces what a text from a file may hold and neither a page nor a
// database takes: bytes that are not UTF-8, and NUL.
func Legible(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "␀")
}

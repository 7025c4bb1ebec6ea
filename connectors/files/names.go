package files

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/dataflowhq/dataflow/platform/records"
)

// maxName is the longest name of a column, in characters.
const maxName = 120

// nameFields makes usable, unique names of what a file calls its fields. A
// field without a name becomes column_N, a repeated one gets _2, _3 and so on.
func nameFields(sources []string, count int) []records.Field {
	fields := make([]records.Field, count)
	for i := range fields {
		if i < len(sources) {
			fields[i].Source = records.Legible(sources[i])
			fields[i].Name = cleanName(sources[i])
		}
		if fields[i].Name == "" {
			fields[i].Name = "column_" + strconv.Itoa(i+1)
		}
	}
	uniqueNames(fields)
	return fields
}

// uniqueNames adds _2, _3 and so on to repeated names. Names that stand in the
// file are kept: an added one gives way to them.
func uniqueNames(fields []records.Field) {
	taken, used := map[string]bool{}, map[string]bool{}
	for _, f := range fields {
		taken[strings.ToLower(f.Name)] = true
	}
	for i := range fields {
		name := fields[i].Name
		for n := 2; used[strings.ToLower(fields[i].Name)] || n > 2 && taken[strings.ToLower(fields[i].Name)]; n++ {
			fields[i].Name = name + "_" + strconv.Itoa(n)
		}
		used[strings.ToLower(fields[i].Name)] = true
	}
}

// cleanName trims a name, turns control characters and runs of spaces into one
// space and cuts what is longer than maxName.
func cleanName(source string) string {
	source = strings.ToValidUTF8(source, "\uFFFD")
	words := strings.FieldsFunc(source, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\uFEFF' })
	name := []rune(strings.Join(words, " "))
	if len(name) > maxName {
		name = name[:maxName]
	}
	return strings.TrimSpace(string(name))
}

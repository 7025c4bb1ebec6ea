package db

import "strings"

// LikePatterns are LIKE patterns for the words of a search in lower-case text,
// at most eight: every one of them has to match. It is never nil, which
// PostgreSQL would read as NULL.
func LikePatterns(search string) []string {
	list := []string{}
	escaper := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, "\x00", "")
	for _, word := range strings.Fields(strings.ToLower(search)) {
		if len(list) == 8 {
			break
		}
		list = append(list, "%"+escaper.Replace(word)+"%")
	}
	return list
}

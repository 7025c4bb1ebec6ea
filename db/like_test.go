package db

import (
	"slices"
	"testing"
)

func TestLikePatterns(t *testing.T) {
	for search, want := range map[string][]string{
		"":                    {},
		"  \t ":               {},
		"Unit  Cost":          {"%unit%", "%cost%"},
		`50%_off\`:            {`%50\%\_off\\%`},
		"a b c d e f g h i j": {"%a%", "%b%", "%c%", "%d%", "%e%", "%f%", "%g%", "%h%"},
		"x\x00y":              {"%xy%"},
	} {
		if got := LikePatterns(search); got == nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", search, got, want)
		}
	}
}

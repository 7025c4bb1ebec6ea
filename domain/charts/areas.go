package charts

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/unicode/norm"
)

//go:embed areas.tsv
var areaTable string

// atlas finds the shapes of areas by their names and codes.
type atlas struct {
	countries, states map[string]string // plain name or code -> id of the shape
	hasCountry        map[string]bool   // ids that have a shape
}

var shapes = sync.OnceValue(func() *atlas {
	a := &atlas{countries: map[string]string{}, states: map[string]string{}, hasCountry: map[string]bool{}}
	for line := range strings.Lines(areaTable) {
		fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(fields) < 3 || strings.HasPrefix(line, "#") {
			continue
		}
		names := a.countries
		if fields[0] == "states" {
			names = a.states
		} else {
			a.hasCountry[fields[1]] = true
		}
		for _, name := range fields[1:] {
			names[plainName(name)] = fields[1]
		}
	}
	english := display.English.Regions()
	for id := range a.hasCountry {
		if region, err := language.ParseRegion(id); err == nil {
			a.countries[plainName(english.Name(region))] = id
		}
	}
	return a
})

// plainName makes names alike that people write in different ways: case,
// accents, "the", "&", points and spaces do not count.
func plainName(name string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(strings.ToLower(norm.NFD.String(strings.ReplaceAll(name, "&", " and "))), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r)
	}) {
		switch word {
		case "the", "and", "of":
			continue
		case "saint":
			word = "st"
		}
		for _, r := range word {
			if !unicode.Is(unicode.Mn, r) {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// country is the id of the shape of a country by name, ISO 3166-1 code of two
// or three letters, or its number.
func (a *atlas) country(name string) (id string, ok bool) {
	if id, ok = a.countries[plainName(name)]; ok {
		return id, true
	}
	code := strings.ToUpper(strings.TrimSpace(name))
	if len(code) > 3 || len(code) < 2 {
		return "", false
	}
	if code == "XK" || code == "XKX" {
		return "Kosovo", true
	}
	region, err := language.ParseRegion(code)
	if err != nil || !region.IsCountry() {
		return "", false
	}
	id = threeDigits(region.M49())
	return id, a.hasCountry[id]
}

func threeDigits(n int) string {
	return string([]byte{byte('0' + n/100%10), byte('0' + n/10%10), byte('0' + n%10)})
}

// state is the id of the shape of a state of the USA by name, postal code or
// FIPS number.
func (a *atlas) state(name string) (id string, ok bool) {
	plain := plainName(strings.TrimPrefix(strings.ToUpper(name), "US-"))
	if len(plain) == 1 && plain[0] >= '0' && plain[0] <= '9' {
		plain = "0" + plain
	}
	id, ok = a.states[plain]
	return id, ok
}

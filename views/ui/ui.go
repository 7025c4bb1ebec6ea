// Package ui is the design system: every colour, radius and space of a page
// comes from these components and the tokens behind their classes
// (static/src/css). Components take one props struct; Attrs of a props struct
// go onto the element that a person acts on (htmx attributes, data, names).
package ui

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/a-h/templ"
)

// Tone is the meaning of a coloured part.
type Tone string

// The tones. The zero value is Neutral.
const (
	Neutral  Tone = ""
	Brand    Tone = "brand"
	Positive Tone = "pos"
	Negative Tone = "neg"
	Warning  Tone = "warn"
)

// Size of a control: 32 px, or 28 or 44.
type Size string

// The sizes. The zero value is Medium.
const (
	Medium Size = ""
	Small  Size = "sm" // 28 px, within cards and tables
	Large  Size = "lg" // 44 px, sign-in and touch
)

func toneClass(base string, tone Tone) string {
	if tone == Neutral {
		return base
	}
	return base + " " + base + "-" + string(tone)
}

func classes(names ...string) string {
	kept := names[:0]
	for _, name := range names {
		if name != "" {
			kept = append(kept, name)
		}
	}
	return strings.Join(kept, " ")
}

func when(condition bool, text string) string {
	if condition {
		return text
	}
	return ""
}

// describedBy lists the ids of a control's hint and error.
func describedBy(id, hint, problem string) string {
	var ids []string
	if hint != "" {
		ids = append(ids, id+"-hint")
	}
	if problem != "" {
		ids = append(ids, id+"-error")
	}
	return strings.Join(ids, " ")
}

// Initials are the two letters that stand for a person: "IO" for Ines Okafor.
func Initials(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '.' || r == '_' || r == '-' || r == '@' })
	if len(words) == 0 {
		return "?"
	}
	first, _ := utf8.DecodeRuneInString(words[0])
	text := string(first)
	if len(words) > 1 {
		last, _ := utf8.DecodeRuneInString(words[len(words)-1])
		text += string(last)
	}
	return strings.ToUpper(text)
}

// Hue picks one of the eight colours of initials, always the same for a key.
func Hue(key string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // a hash never fails
	return strconv.Itoa(int(h.Sum32() % 8))
}

// share is a width in per cent, within 0 and 100.
func share(value, of float64) string {
	if of <= 0 {
		return "0%"
	}
	return strconv.FormatFloat(min(max(value/of*100, 0), 100), 'f', 1, 64) + "%"
}

func widthStyle(value, of float64) string { return "width:" + share(value, of) }

// merge adds attributes to those given, which win. A class is left out: an
// element has one such attribute, and extraClass puts it there.
func merge(given, added templ.Attributes) templ.Attributes {
	all := make(templ.Attributes, len(given)+len(added))
	for name, value := range added {
		all[name] = value
	}
	for name, value := range given {
		all[name] = value
	}
	delete(all, "class")
	return all
}

// extraClass is the class among the attributes of a props struct.
func extraClass(given templ.Attributes) string {
	text, _ := given["class"].(string)
	return text
}

func itoa(n int) string { return fmt.Sprint(n) }

// Data is a block of JSON for a script or custom element, which templ's own
// script element can't hold. The text comes from encoding/json, which escapes
// what would end the block; id may be empty.
func Data(id, text string) templ.Component {
	if id != "" {
		id = ` id="` + templ.EscapeString(id) + `"`
	}
	return templ.Raw(`<script type="application/json"` + id + `>` + text + `</script>`)
}

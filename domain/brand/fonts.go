package brand

import (
	"fmt"
	"slices"
	"strings"
)

type family struct {
	name   string // as the form shows it; the CSS family is name + " Variable"
	file   string // among the built assets
	behind string // families that stand in until it is there
}

// families are all in the assets, with weights 400 to 700 and the characters of
// Western European languages, as static/build.mjs makes them. app.css has the
// first.
var families = []family{
	{"Inter", "inter.woff2", "Inter, system-ui, sans-serif"},
	{"Figtree", "figtree.woff2", "system-ui, sans-serif"},
	{"Public Sans", "public-sans.woff2", "system-ui, sans-serif"},
	{"Fraunces", "fraunces.woff2", "Georgia, serif"},
	{"Source Serif 4", "source-serif-4.woff2", "Georgia, serif"},
}

// Families are the names of the bundled fonts.
func Families() []string {
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.name
	}
	return names
}

func familyOf(name string) family {
	if i := slices.IndexFunc(families, func(f family) bool { return f.name == name }); i >= 0 {
		return families[i]
	}
	return families[0]
}

func (f family) css() string { return fmt.Sprintf("%q, %s", f.name+" Variable", f.behind) }

// fonts are those of text and headings; one where they are the same.
func (b Brand) fonts() []family {
	text := familyOf(b.Font)
	if b.HeadFont == "" || familyOf(b.HeadFont) == text {
		return []family{text}
	}
	return []family{text, familyOf(b.HeadFont)}
}

// Fonts are the font files that a page of the brand should preload, by the
// names that static.URL takes.
func (b Brand) Fonts() []string {
	var files []string
	for _, f := range b.fonts() {
		files = append(files, f.file)
	}
	return files
}

const latin = "U+0000-00FF, U+0131, U+0152-0153, U+02BB-02BC, U+02C6, U+02DA, U+02DC, U+0304, U+0308, U+0329, U+2000-206F, U+20AC, U+2122, U+2191, U+2193, U+2212, U+2215, U+FEFF, U+FFFD"

// face declares a font; app.css has done so for the first.
func (f family) face(out *strings.Builder, url func(string) string) {
	if f == families[0] {
		return
	}
	fmt.Fprintf(out, `@font-face{font-family:%q;font-style:normal;font-weight:400 700;font-display:swap;src:url(%q) format("woff2");unicode-range:%s}`+"\n", f.name+" Variable", url(f.file), latin)
}

package brand

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
)

// Mark is a favicon for a brand without a logo, as SVG: the first letter of the
// name on the colour. A colour that can't be read is the default.
func Mark(name, colour string) []byte {
	fill, ink := fillOf(Brand{Colour: colour}.colour(), tones[Neutral].light, false)
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="%s" viewBox="0 0 64 64"><rect width="64" height="64" rx="14" fill="%s"/>`+
		`<text x="32" y="45" text-anchor="middle" font-family="system-ui, sans-serif" font-size="36" font-weight="600" fill="%s">`, svgSpace, fill.hex(), ink.hex())
	escape(&out, Initial(name))
	out.WriteString("</text></svg>")
	return out.Bytes()
}

// Initial is the first letter or digit of a name, as a capital; "•" where it
// has none.
func Initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return strings.ToUpper(string(r))
		}
	}
	return "•"
}

package brand

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// FromForm reads the fields of the brand's form. It checks nothing, and leaves
// the logos to the caller: they are files.
func FromForm(form url.Values) Brand {
	b := Brand{
		Name: form.Get("name"), Colour: form.Get("colour"), Tone: Tone(form.Get("tone")), Corners: Corners(form.Get("corners")),
		Font: form.Get("font"), HeadFont: form.Get("head_font"), LiveColour: form.Get("live_colour"),
		Tagline: form.Get("tagline"), Subline: form.Get("subline"), Footer: form.Get("footer"),
		SenderName: form.Get("sender_name"), Locale: form.Get("locale"), LogoHasName: form.Get("logo_has_name") != "",
		Charts: Charts{Preset: form.Get("charts"), Colours: strings.FieldsFunc(form.Get("chart_colours"), func(r rune) bool {
			return unicode.IsSpace(r) || r == ',' || r == ';'
		})},
	}
	for i := range MaxLinks {
		l := Link{Label: form.Get(fmt.Sprintf("links.%d.label", i)), URL: form.Get(fmt.Sprintf("links.%d.url", i))}
		if l != (Link{}) {
			b.Links = append(b.Links, l)
		}
	}
	return b
}

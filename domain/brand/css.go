package brand

import (
	"maps"
	"slices"
	"strings"
)

// Tokens are the custom properties by which a page has the brand, in the light
// or the dark theme. Every text colour has 4.5:1 on its surfaces, whatever was
// asked for. A brand that was not checked gives tokens too: what can't be read
// is the default.
func (b Brand) Tokens(dark bool) map[string]string {
	t := maps.Clone(b.surfaces(dark))
	asked := b.colour()
	fill, ink := fillOf(asked, t, dark)
	link := linkOf(asked, fill, t, dark)
	t["--color-primary"], t["--color-primary-content"] = fill.hex(), ink.hex()
	t["--df-link"], t["--df-focus"], t["--color-info"] = link.hex(), link.hex(), link.hex()
	t["--color-info-content"] = t["--color-base-100"]
	t["--df-brand-soft"] = "color-mix(in oklab, var(--color-primary) 9%, var(--color-base-100))"
	if dark {
		t["--df-brand-soft"] = "color-mix(in oklab, var(--df-link) 14%, var(--color-base-100))"
	}
	head, onHead := b.head()
	panel := head
	if onHead.luminance() > head.luminance() {
		panel = mixed(head, colour{}, 0.82)
	}
	t["--df-head"], t["--df-head-content"], t["--df-head-quiet"] = head.hex(), onHead.hex(), quiet(onHead, head).hex()
	t["--df-panel"], t["--df-panel-quiet"] = panel.hex(), quiet(onHead, panel).hex()
	t["--df-live"] = t["--df-pos"]
	if live, ok := parse(b.LiveColour); ok {
		t["--df-live"] = liveOf(live, t, dark).hex()
	}
	series := b.series(dark)
	for i, c := range series {
		t[seriesNames[i]] = c.hex()
	}
	ramp := b.ramp(series[0], dark)
	t["--seq"] = strings.Join(ramp, " ")
	t["--df-ramp"] = "linear-gradient(90deg," + strings.Join(ramp, ",") + ")"
	return t
}

// Mail are the colours of the brand's mails, #RRGGBB: on white and, for programs
// that know of dark, on the dark surface. Programs that show mail know no custom
// properties.
type Mail struct{ Light, Dark MailTheme }

// MailTheme has the ground of a button, the ink on it, and that of links.
type MailTheme struct{ Fill, OnFill, Link string }

// Mail are the brand's colours as a mail has them, as readable as Tokens.
func (b Brand) Mail() Mail {
	of := func(dark bool) MailTheme {
		surfaces := tones[Neutral].light // a mail has the product's own surfaces
		if dark {
			surfaces = tones[Neutral].dark
		}
		fill, ink := fillOf(b.colour(), surfaces, dark)
		if card := colourOf(surfaces["--color-base-100"]); !dark && contrast(fill, card) < leastContrast {
			// A button stands on the card: white on white is none.
			darker, _ := nudged(fill, -1, func(c colour) bool { return contrast(c, card) >= leastContrast })
			fill, ink = fillOf(darker, surfaces, dark)
		}
		return MailTheme{Fill: fill.hex(), OnFill: ink.hex(), Link: linkOf(b.colour(), fill, surfaces, dark).hex()}
	}
	return Mail{Light: of(false), Dark: of(true)}
}

// head is the ground of a portal's header and its ink: the same in both themes.
func (b Brand) head() (ground, ink colour) {
	return fillOf(b.colour(), tones[b.tone()].light, false)
}

// quiet is an ink that steps back, as far as it can still be read.
func quiet(ink, ground colour) colour {
	if c := mixed(ink, ground, 0.8); contrast(c, ground) >= readable {
		return c
	}
	return ink
}

// HeaderLogo is the logo that stands on the brand's colour: that for dark
// surfaces where its ink is light. "" where there is none: one for the other
// surfaces might not be seen, so the initial stands there.
func (b Brand) HeaderLogo() string {
	if ground, ink := b.head(); ink.luminance() > ground.luminance() {
		return b.LogoDark
	}
	return b.Logo
}

// shape are the tokens that both themes share.
func (b Brand) shape() map[string]string {
	t := map[string]string{"--radius-selector": "6px", "--radius-field": "7px", "--radius-box": "10px"}
	switch b.Corners {
	case Sharp:
		t["--radius-selector"], t["--radius-field"], t["--radius-box"] = "2px", "2px", "2px"
	case Round:
		t["--radius-selector"], t["--radius-field"], t["--radius-box"] = "8px", "10px", "16px"
	}
	t["--df-font"] = familyOf(b.Font).css()
	t["--df-font-head"] = b.fonts()[len(b.fonts())-1].css()
	return t
}

// CSS is the style sheet of the brand, to stand after app.css. It has the same
// scopes: light by default and on paper, dark by choice or by the system. url gives the
// address of a built asset by its name (static.URL). The same brand gives the
// same bytes.
func (b Brand) CSS(url func(name string) string) []byte {
	var out strings.Builder
	for _, f := range b.fonts() {
		f.face(&out, url)
	}
	light, dark := declarations(b.Tokens(false)), declarations(b.Tokens(true))
	out.WriteString(":root{" + declarations(b.shape()) + "}\n")
	out.WriteString(":root,[data-theme=light]{" + light + "}\n")
	out.WriteString("@media screen{[data-theme=dark]{" + dark + "}}\n")
	out.WriteString("@media screen and (prefers-color-scheme:dark){[data-theme=auto]{" + dark + "}}\n")
	return []byte(out.String())
}

// Style is the brand as the value of a style attribute, for a part of a page
// that shows another brand than the page's own. The element needs data-theme.
func (b Brand) Style(dark bool) string {
	return declarations(b.shape()) + declarations(b.Tokens(dark))
}

func declarations(tokens map[string]string) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(tokens)) {
		out.WriteString(name + ":" + tokens[name] + ";")
	}
	return out.String()
}

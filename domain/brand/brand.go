// Package brand is the look of a tenant's portal: what its owner chooses, the
// check of it, and the style sheet, fonts and marks that follow from it. It is
// pure: callers keep the brand (as JSON) and its logos.
package brand

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

var (
	// ErrInvalid has the sentences by field: "name", "colour", "links.2.url".
	ErrInvalid = apperr.Define(apperr.Invalid, "brand.invalid", "Some fields of the brand need a change.")
	// ErrLogo says in its sentence what a picture holds that it may not.
	ErrLogo = apperr.Define(apperr.Invalid, "brand.logo", "This picture can't be used as a logo.")
)

// Brand is what a tenant chooses. The zero value is the plain product without a
// name. Colours are as they were asked for, "#RRGGBB"; Tokens makes them
// readable, in both themes, each time anew.
type Brand struct {
	Name       string  `json:"name"`
	Colour     string  `json:"colour,omitempty"`
	Tone       Tone    `json:"tone,omitempty"`
	Corners    Corners `json:"corners,omitempty"`
	Font       string  `json:"font,omitempty"`     // a name of Families
	HeadFont   string  `json:"headFont,omitempty"` // Font when empty
	Charts     Charts  `json:"charts,omitzero"`
	LiveColour string  `json:"liveColour,omitempty"` // of the live mark; the colour of good news when empty
	Tagline    string  `json:"tagline,omitempty"`    // on the sign-in page
	Subline    string  `json:"subline,omitempty"`    // below it
	Footer     string  `json:"footer,omitempty"`
	Links      []Link  `json:"links,omitempty"`
	SenderName string  `json:"senderName,omitempty"` // of mails
	Locale     string  `json:"locale,omitempty"`     // BCP 47
	Logo       string  `json:"logo,omitempty"`       // content hash of a picture that the caller keeps
	LogoDark   string  `json:"logoDark,omitempty"`   // the same on dark surfaces; Logo when empty
	// LogoHasName leaves out the name beside the logo, which shows it already.
	LogoHasName bool `json:"logoHasName,omitempty"`
}

// Link stands in the footer.
type Link struct {
	Label string `json:"label"`
	URL   string `json:"url"` // https
}

// MaxLinks is how many links a footer holds.
const MaxLinks = 8

// Tone is a preset of surfaces, lines and inks.
type Tone string

// The tones; Neutral when empty.
const (
	Neutral Tone = "neutral"
	Warm    Tone = "warm"
	Cool    Tone = "cool"
)

// Tones lists them in the order of the form.
var Tones = []Tone{Neutral, Warm, Cool}

// Corners is a preset of radii.
type Corners string

// The presets; Soft when empty.
const (
	Sharp Corners = "sharp" // 2 px
	Soft  Corners = "soft"  // 7 px, boxes 10
	Round Corners = "round" // 10 px, boxes 16
)

// AllCorners lists them in the order of the form.
var AllCorners = []Corners{Sharp, Soft, Round}

// Charts are the colours of series. Own colours come first, in their order;
// else the brand's is the first. The preset fills up to seven, and leaves out
// those that are nearest to what is there.
type Charts struct {
	Preset  string   `json:"preset,omitempty"` // a name of Presets; the first when empty
	Colours []string `json:"colours,omitempty"`
}

// Note is a remark of the check: Key and Args are a text of the catalogue,
// Field the field that it belongs to.
type Note struct {
	Field string
	Key   string
	Args  []any // pairs of name and value
}

// Checked gives the brand in its stored form, with defaults filled in, and
// remarks about what was corrected or is hard to tell apart. Nothing is
// refused for its colours.
//
// Errors: brand.invalid, with the sentences by field.
func (b Brand) Checked() (Brand, []Note, error) {
	problems := map[string]string{}
	b.Name = plain(problems, "name", b.Name, 80)
	b.Tagline = plain(problems, "tagline", b.Tagline, 120)
	b.Subline = plain(problems, "subline", b.Subline, 200)
	b.Footer = plain(problems, "footer", b.Footer, 300)
	b.SenderName = plain(problems, "sender_name", b.SenderName, 64)
	if b.Name == "" && problems["name"] == "" {
		problems["name"] = "Enter the name that visitors know you by."
	}
	if strings.ContainsAny(b.SenderName, `<>@"\,;:`) {
		problems["sender_name"] = `Leave out < > @ " , ; : and \ from the sender's name.`
	}
	b.Colour = checkedColour(problems, "colour", b.Colour, defaultColour)
	b.LiveColour = checkedColour(problems, "live_colour", b.LiveColour, "")
	b.Tone = chosen(problems, "tone", b.Tone, Tones)
	b.Corners = chosen(problems, "corners", b.Corners, []Corners{Soft, Sharp, Round})
	b.Font = chosen(problems, "font", b.Font, Families())
	if b.HeadFont != "" {
		b.HeadFont = chosen(problems, "head_font", b.HeadFont, Families())
	}
	b.checkCharts(problems)
	b.checkLinks(problems)
	if b.Locale = strings.TrimSpace(b.Locale); b.Locale != "" {
		tag, err := language.Parse(b.Locale)
		if err != nil {
			problems["locale"] = "Choose a language of the list, or enter a tag like en-GB."
		} else {
			b.Locale = tag.String()
		}
	}
	for field, hash := range map[string]string{"logo": b.Logo, "logo_dark": b.LogoDark} {
		if hash != "" && !assetHash.MatchString(hash) {
			problems[field] = "Upload the logo again."
		}
	}
	if len(problems) > 0 {
		return Brand{}, nil, ErrInvalid.WithFields(problems)
	}
	return b, b.notes(), nil
}

var assetHash = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,128}$`)

// plain is a line of text without what could end a header or hide in a page.
func plain(problems map[string]string, field, text string, most int) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return text
	}
	if problem := plaintext.Problem(text, most, fmt.Sprintf("Use at most %d characters.", most)); problem != "" {
		problems[field] = problem
	}
	return text
}

func checkedColour(problems map[string]string, field, text, fallback string) string {
	if strings.TrimSpace(text) == "" {
		return fallback
	}
	c, ok := parse(text)
	if !ok {
		problems[field] = "Enter a colour like #2257C5."
		return text
	}
	return c.hex()
}

// chosen is a value of a list, its first when none was chosen.
func chosen[T ~string](problems map[string]string, field string, value T, list []T) T {
	if value == "" {
		return list[0]
	}
	if !slices.Contains(list, value) {
		problems[field] = "Choose one of the list."
	}
	return value
}

func (b *Brand) checkCharts(problems map[string]string) {
	b.Charts.Preset = chosen(problems, "charts", b.Charts.Preset, Presets())
	var own []string
	for _, text := range b.Charts.Colours {
		if strings.TrimSpace(text) == "" {
			continue
		}
		c, ok := parse(text)
		if !ok {
			problems["charts"] = "Enter chart colours like #2257C5, separated by spaces."
			return
		}
		own = append(own, c.hex())
	}
	if len(own) > seriesCount {
		problems["charts"] = fmt.Sprintf("Give at most %d chart colours.", seriesCount)
	}
	b.Charts.Colours = own
}

func (b *Brand) checkLinks(problems map[string]string) {
	var links []Link
	for i, l := range b.Links {
		label, address := fmt.Sprintf("links.%d.label", i), fmt.Sprintf("links.%d.url", i)
		l.Label, l.URL = plain(problems, label, l.Label, 40), strings.TrimSpace(l.URL)
		if l.Label == "" && l.URL == "" {
			continue
		}
		if l.Label == "" {
			problems[label] = "Name the link."
		}
		u, err := url.Parse(l.URL)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(l.URL) > 500 || plaintext.Hides(l.URL) {
			problems[address] = "Enter an address that begins with https://."
		} else {
			l.URL = u.String()
		}
		links = append(links, l)
	}
	if len(links) > MaxLinks {
		problems["links"] = fmt.Sprintf("A footer holds at most %d links.", MaxLinks)
	}
	b.Links = links
}

// notes says what Tokens changes, and which series are hard to tell apart.
func (b Brand) notes() []Note {
	var notes []Note
	asked := b.colour()
	light := tones[b.tone()].light
	fill, ink := fillOf(asked, light, false)
	if fill != asked {
		way, on := "darker", "white"
		if fill.lightness() > asked.lightness() {
			way = "lighter"
		}
		if ink == colourOf(light["--color-base-content"]) {
			on = "black"
		}
		key := "brand.note.fill_" + way + "_" + on
		notes = append(notes, Note{"colour", key, []any{"Colour", fill.hex()}})
	}
	if link := linkOf(asked, fill, light, false); link != fill {
		notes = append(notes, Note{"colour", "brand.note.link", []any{"Colour", link.hex()}})
	}
	if b.LiveColour != "" {
		asked := colourOf(b.LiveColour)
		if live := liveOf(asked, light, false); live != asked {
			notes = append(notes, Note{"live_colour", "brand.note.live", []any{"Colour", live.hex()}})
		}
	}
	return append(notes, b.chartNotes()...)
}

// Limits of chart colours: the distance of any two by CIEDE2000 as anybody sees
// them, and the contrast with the surface that they are drawn on.
const (
	leastDistance = 8
	leastContrast = 3
)

// chartNotes warns of each colour that is faint and each pair that looks alike,
// once, for the theme in which it is so first.
func (b Brand) chartNotes() []Note {
	var notes []Note
	faint, alike := map[int]bool{}, map[[2]int]bool{}
	for _, theme := range []string{"light", "dark"} {
		series := b.series(theme == "dark")
		surface := colourOf(b.surfaces(theme == "dark")["--color-base-100"])
		for i, c := range series {
			if contrast(c, surface) < leastContrast && !faint[i] {
				faint[i] = true
				notes = append(notes, Note{"charts", "brand.note.faint_" + theme, []any{"Series", i + 1, "Colour", c.hex()}})
			}
			for j := range i {
				if d, sight := nearest(series[j], c); d < leastDistance && !alike[[2]int{j, i}] {
					alike[[2]int{j, i}] = true
					notes = append(notes, Note{"charts", "brand.note.alike_" + theme + "_" + sight, []any{"First", j + 1, "Second", i + 1}})
				}
			}
		}
	}
	return notes
}

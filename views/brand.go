package views

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/brand"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// BrandStyles and BrandScripts are what a page with BrandForm loads besides the
// usual.
var (
	BrandStyles  = []string{"auth.css", "portal.css", "brand.css", "brand-fonts.css"}
	BrandScripts = []string{"brand.js"}
)

// BrandFormProps is the form of a portal's brand. Its field names are those of
// brand.FromForm; the files are "logo" and "logo_dark", and a checked
// "remove_logo" or "remove_logo_dark" takes one away.
type BrandFormProps struct {
	Action   string      // POST, multipart
	Preview  string      // POST, answers BrandPreview with Live
	Brand    brand.Brand // as it was typed, or as it is stored
	Notes    []brand.Note
	Errors   map[string]string // by field
	Error    string            // about the whole
	LogoURL  string            // of the logo that is there
	LogoDark string
	Locales  []ui.Option
	Readonly bool // no button to save
}

// BrandPreviewProps is a brand as a visitor will see it.
type BrandPreviewProps struct {
	Brand    brand.Brand
	Notes    []brand.Note
	Errors   map[string]string
	LogoURL  string // of Brand.Logo
	LogoDark string // of Brand.LogoDark
	// Live also renews the notes beside the form's fields.
	Live bool
}

// BrandPreviewID is the element that the preview's answer takes the place of.
const BrandPreviewID = "brand-preview"

// notedFields are those of the form that have a place for notes.
var notedFields = []string{"colour", "live_colour", "charts"}

func brandNotesID(field string) string { return "brand-notes-" + field }

func (p BrandFormProps) preview() BrandPreviewProps {
	return BrandPreviewProps{Brand: p.Brand, Notes: p.Notes, Errors: p.Errors, LogoURL: p.LogoURL, LogoDark: p.LogoDark}
}

// linkRows are the links with room for two more.
func (p BrandFormProps) linkRows() []brand.Link {
	rows := append([]brand.Link{}, p.Brand.Links...)
	for range 2 {
		if len(rows) < brand.MaxLinks {
			rows = append(rows, brand.Link{})
		}
	}
	return rows
}

// liveAttrs have the form's changes drawn, without its files.
func (p BrandFormProps) liveAttrs() templ.Attributes {
	if p.Preview == "" {
		return nil
	}
	return templ.Attributes{
		"hx-post": p.Preview, "hx-trigger": "input delay:300ms, change delay:300ms", "hx-target": "#" + BrandPreviewID, "hx-swap": "outerHTML",
		"hx-encoding": "application/x-www-form-urlencoded", "hx-sync": "this:replace",
	}
}

func limited(most string) templ.Attributes { return templ.Attributes{"maxlength": most} }

// describedByNotes ties a field to the notes below it.
func describedByNotes(field string) templ.Attributes {
	return templ.Attributes{"aria-describedby": brandNotesID(field)}
}

func brandTones(ctx context.Context, chosen brand.Tone) []ui.Segment {
	var list []ui.Segment
	for _, tone := range brand.Tones {
		list = append(list, ui.Segment{Label: messages.T(ctx, "brand.tone_"+string(tone)), Value: string(tone), Selected: tone == chosen || chosen == "" && tone == brand.Neutral})
	}
	return list
}

func brandCorners(ctx context.Context, chosen brand.Corners) []ui.Segment {
	var list []ui.Segment
	for _, corners := range brand.AllCorners {
		list = append(list, ui.Segment{Label: messages.T(ctx, "brand.corners_"+string(corners)), Value: string(corners), Selected: corners == chosen || chosen == "" && corners == brand.Soft})
	}
	return list
}

func brandFonts(first, chosen string) []ui.Option {
	var list []ui.Option
	if first != "" {
		list = append(list, ui.Option{Label: first, Value: ""})
	}
	for _, name := range brand.Families() {
		list = append(list, ui.Option{Value: name, Selected: name == chosen})
	}
	return list
}

func brandPresets(ctx context.Context, chosen string) []ui.Option {
	var list []ui.Option
	for _, name := range brand.Presets() {
		list = append(list, ui.Option{Value: name, Label: messages.T(ctx, "brand.charts_"+name), Selected: name == chosen})
	}
	return list
}

// noteTexts are the notes of a field.
func (p BrandPreviewProps) noteTexts(ctx context.Context, field string) []string {
	var list []string
	for _, n := range p.Notes {
		if n.Field == field {
			list = append(list, messages.T(ctx, n.Key, n.Args...))
		}
	}
	return list
}

// headerLogo is the address of the logo on the brand's colour.
func (p BrandPreviewProps) headerLogo() PortalLogo {
	look := p.Brand
	look.Logo, look.LogoDark = p.LogoURL, p.LogoDark // the caller's addresses in place of hashes
	return PortalLogo{Name: p.Brand.Name, URL: look.HeaderLogo(), HideName: p.Brand.LogoHasName}
}

type previewBar struct {
	colour string
	height int
	x      int
}

// previewBars are the seven series, each as one bar.
var previewBars = func() []previewBar {
	var bars []previewBar
	for i, height := range []int{64, 52, 45, 38, 33, 25, 18} {
		bars = append(bars, previewBar{fmt.Sprintf("var(--c%d)", i+1), height, i * 40})
	}
	return bars
}()

// previewAttrs give an element the brand's tokens. They are made of checked
// values alone. (As a style expression, templ would escape their quotes twice.)
func previewAttrs(b brand.Brand, dark bool) templ.Attributes {
	theme := "light"
	if dark {
		theme = "dark"
	}
	return templ.Attributes{"data-theme": theme, "style": b.Style(dark) + "font-family:var(--df-font);"}
}

// brandLinks are the footer's, as they lead on every page.
func brandLinks(b brand.Brand) []PortalLink {
	var list []PortalLink
	for _, l := range b.Links {
		if l.Label != "" {
			list = append(list, PortalLink{Label: l.Label, Href: l.URL})
		}
	}
	return list
}

func merged(a, b templ.Attributes) templ.Attributes {
	maps.Copy(a, b)
	return a
}

// colourValue is what a native colour input takes.
func colourValue(text string) string {
	c := "#" + strings.TrimPrefix(strings.TrimSpace(text), "#")
	if len(c) == 7 && strings.Trim(strings.ToLower(c[1:]), "0123456789abcdef") == "" {
		return strings.ToLower(c)
	}
	return "#2257c5"
}

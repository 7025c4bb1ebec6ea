package brand

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

func pngOf(t testing.TB, width, height int) []byte {
	t.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	picture.Set(0, 0, color.NRGBA{R: 109, G: 31, B: 59, A: 128})
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// withText adds a chunk of words, as cameras and editors do.
func withText(data []byte, text string) []byte {
	chunk := append([]byte("tEXt"), text...)
	var out bytes.Buffer
	out.Write(data[:33]) // signature and header
	_ = binary.Write(&out, binary.BigEndian, uint32(len(text)))
	out.Write(chunk)
	_ = binary.Write(&out, binary.BigEndian, crc32.ChecksumIEEE(chunk))
	out.Write(data[33:])
	return out.Bytes()
}

func TestLogoPNG(t *testing.T) {
	t.Parallel()
	kind, clean, err := CheckLogo(append(withText(pngOf(t, 40, 30), "Comment\x00taken at home"), "<script>"...))
	if err != nil || kind != "image/png" {
		t.Fatalf("%s %v", kind, err)
	}
	if bytes.Contains(clean, []byte("home")) || bytes.Contains(clean, []byte("script")) {
		t.Error("more than pixels was kept")
	}
	got, err := png.Decode(bytes.NewReader(clean))
	if err != nil || got.Bounds().Dx() != 40 || got.Bounds().Dy() != 30 || color.NRGBAModel.Convert(got.At(0, 0)) != (color.NRGBA{R: 109, G: 31, B: 59, A: 128}) {
		t.Errorf("other pixels: %v", err)
	}
	// A picture of few bytes may name any size: it is refused by its header.
	large := pngOf(t, 1, 1)
	binary.BigEndian.PutUint32(large[16:], 100_000)
	binary.BigEndian.PutUint32(large[20:], 100_000)
	binary.BigEndian.PutUint32(large[29:], crc32.ChecksumIEEE(large[12:29]))
	for name, data := range map[string][]byte{
		"empty": nil, "a GIF": []byte("GIF89a"), "cut": pngOf(t, 40, 40)[:40], "wide": pngOf(t, 2001, 1), "a bomb": large,
		"large": append(pngOf(t, 1, 1), make([]byte, MaxLogoBytes)...),
	} {
		if _, _, err := CheckLogo(data); !errors.Is(err, ErrLogo) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLogoSVG(t *testing.T) {
	t.Parallel()
	const file = `<?xml version="1.0" encoding="UTF-8"?>
<!-- Generator: a drawing program -->
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:ink="http://www.inkscape.org/" width="34px" height="34" ink:version="1.3" data-name="x">
  <title>Ashby &amp; Vale</title>
  <style>.cls-1, .cls-2 { fill: #fff; stroke-width:2 } .cls-2{fill:none;behaviour:x}</style>
  <metadata><rdf xmlns="urn:rdf">made at home</rdf></metadata>
  <defs><linearGradient id="a"><stop offset="0" style="stop-color:#FFF;stop-opacity:1"/></linearGradient><symbol id="s"><path d="M0 0h1"/></symbol></defs>
  <g class="cls-1" transform="translate(1 2)"><circle cx="17" cy="17" r="15" fill="url(#a)"/><use xlink:href="#s" x="3"/><text x="1">A  B</text></g>
</svg>`
	const want = `<svg xmlns="http://www.w3.org/2000/svg" height="34" viewBox="0 0 34 34" width="34px"><title>Ashby &amp; Vale</title>` +
		`<style>.cls-1,.cls-2{fill:#fff;stroke-width:2}.cls-2{fill:none}</style>` +
		`<defs><linearGradient id="a"><stop offset="0" style="stop-color:#FFF;stop-opacity:1"/></linearGradient><symbol id="s"><path d="M0 0h1"/></symbol></defs>` +
		`<g class="cls-1" transform="translate(1 2)"><circle cx="17" cy="17" fill="url(#a)" r="15"/><use href="#s" x="3"/><text x="1">A B</text></g></svg>`
	kind, clean, err := CheckLogo([]byte(file))
	if err != nil || kind != "image/svg+xml" || string(clean) != want {
		t.Fatalf("%s %v\n%s\n%s", kind, err, clean, want)
	}
}

func TestLogoSVGRefuses(t *testing.T) {
	t.Parallel()
	const open = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 1 1">`
	for name, file := range map[string]string{
		"script":             open + `<script>alert(1)</script></svg>`,
		"script in capitals": open + `<SCRIPT>alert(1)</SCRIPT></svg>`,
		"hidden script":      open + `<metadata><x><script/></x></metadata></svg>`,
		"foreign script":     open + `<h:script xmlns:h="http://www.w3.org/1999/xhtml"/></svg>`,
		"foreignObject":      open + `<foreignObject><p/></foreignObject></svg>`,
		"event":              open + `<g onload="alert(1)"/></svg>`,
		"event on the root":  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1" onload="x()"/>`,
		"event in capitals":  open + `<g OnClick="alert(1)"/></svg>`,
		"image":              open + `<image href="https://example.com/x.png"/></svg>`,
		"link":               open + `<a href="javascript:alert(1)"><path/></a></svg>`,
		"animation":          open + `<set attributeName="href" to="javascript:alert(1)"/></svg>`,
		"use from elsewhere": open + `<use href="https://example.com/x.svg#a"/></svg>`,
		"use by xlink":       open + `<use xlink:href="data:image/svg+xml;base64,AA#a"/></svg>`,
		"fill elsewhere":     open + `<g fill="url(https://example.com/x.svg#a)"/></svg>`,
		"style with url":     open + `<g style="fill:url(#a)"/></svg>`,
		"sheet with url":     open + `<style>.a{fill:url(https://example.com)}</style></svg>`,
		"sheet that imports": open + `<style>@import "https://example.com";</style></svg>`,
		"escaped sheet":      open + `<style>.a{fill:\75rl(x)}</style></svg>`,
		"doctype":            `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">` + open + `</svg>`,
		"entities":           `<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>` + open + `<title>&b;</title></svg>`,
		"external entity":    `<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + open + `<title>&x;</title></svg>`,
		"style sheet":        `<?xml-stylesheet href="https://example.com/x.css"?>` + open + `</svg>`,
		"copies of copies":   open + `<g id="a"><path/></g><g id="b"><use href="#a"/><use href="#a"/></g><use href="#b"/></svg>`,
		"many copies":        open + `<path id="a"/>` + strings.Repeat(`<use href="#a"/>`, 60) + `</svg>`,
		"deep":               open + strings.Repeat("<g>", 60) + strings.Repeat("</g>", 60) + `</svg>`,
		"many parts":         open + strings.Repeat("<g/>", 5000) + `</svg>`,
		"no size":            `<svg xmlns="http://www.w3.org/2000/svg"/>`,
		"not closed":         open + `<g>`,
		"two roots":          open + `</svg>` + open + `</svg>`,
		"a page":             `<html><svg></svg></html>`,
		"other encoding":     `<?xml version="1.0" encoding="utf-7"?>` + open + `</svg>`,
	} {
		if _, clean, err := CheckLogo([]byte(file)); !errors.Is(err, ErrLogo) || apperr.Describe(err).Sentence == "" {
			t.Errorf("%s: %v, %s", name, err, clean)
		}
	}
}

var harmful = regexp.MustCompile(`(?i)<script|<foreign|<image|<!|<\?|\son\w+\s*=|javascript:|data:|@import|url\([^#"'&]|https?://[^w]`)

// Whatever is taken is harmless, and is taken again as it is.
func FuzzCheckLogo(f *testing.F) {
	const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">`
	for _, inside := range []string{`<path d="M0 0" fill="url(#a)"/>`, `<style>.a{fill:red}</style>`, `<script/>`, `<text>a<tspan>b</tspan> c</text>`, `<g style="fill:red;;:x"/>`, `<g xmlns:x="y" x:href="#a" id="&lt;"/>`, `<title>&#x3c;script></title>`} {
		f.Add([]byte(open + inside + `</svg>`))
	}
	f.Add([]byte(`<!DOCTYPE svg>` + open + `</svg>`))
	f.Add(pngOf(f, 3, 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		kind, clean, err := CheckLogo(data)
		if err != nil {
			if !errors.Is(err, ErrLogo) {
				t.Fatalf("an error without a sentence: %v", err)
			}
			return
		}
		again, twice, err := CheckLogo(clean)
		if err != nil || again != kind || !bytes.Equal(twice, clean) {
			t.Fatalf("not the same again: %v\n%s\n%s", err, clean, twice)
		}
		if kind == "image/svg+xml" && harmful.Match(bytes.ReplaceAll(clean, []byte(svgSpace), nil)) {
			t.Fatalf("kept %s", clean)
		}
	})
}

func TestMark(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"ashby & vale": ">A<", "  <b>": ">B<", "élan": ">É<", "": ">•<", "株式会社": ">株<"} {
		mark := Mark(name, "#6D1F3B")
		if !strings.Contains(string(mark), want) || !strings.Contains(string(mark), "#6D1F3B") {
			t.Errorf("%q: %s", name, mark)
		}
		if _, _, err := CheckLogo(mark); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if mark := Mark("A", `"/><script>`); !strings.Contains(string(mark), defaultColour) {
		t.Errorf("a colour that is none: %s", mark)
	}
}

func TestFromForm(t *testing.T) {
	t.Parallel()
	b := FromForm(url.Values{
		"name": {"Ashby & Vale"}, "colour": {"#6D1F3B"}, "tone": {"warm"}, "charts": {"heritage"}, "chart_colours": {"#fff, #000\n#123456"},
		"links.0.label": {"Legal"}, "links.0.url": {"https://example.com"}, "links.3.label": {"Privacy"}, "links.9.label": {"no"},
	})
	if b.Name != "Ashby & Vale" || b.Tone != Warm || !slices.Equal(b.Charts.Colours, []string{"#fff", "#000", "#123456"}) || !slices.Equal(b.Links, []Link{{"Legal", "https://example.com"}, {Label: "Privacy"}}) {
		t.Errorf("%+v", b)
	}
}

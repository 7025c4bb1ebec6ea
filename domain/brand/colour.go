package brand

import (
	"math"
	"regexp"
	"strings"

	"github.com/lucasb-eyer/go-colorful"
)

// colour is one of the 16.7 million that #RRGGBB can say, so that what is
// checked is what is written.
type colour struct{ r, g, b uint8 }

var hexColour = regexp.MustCompile(`^#?([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$`)

// parse reads #RGB and #RRGGBB, with or without the sign.
func parse(text string) (colour, bool) {
	match := hexColour.FindStringSubmatch(strings.TrimSpace(text))
	if match == nil {
		return colour{}, false
	}
	c, err := colorful.Hex("#" + match[1])
	return rounded(c), err == nil
}

// colourOf is for values that were checked or stand in this package.
func colourOf(text string) colour {
	c, _ := parse(text)
	return c
}

func rounded(c colorful.Color) colour {
	r, g, b := c.Clamped().RGB255()
	return colour{r, g, b}
}

func (c colour) exact() colorful.Color {
	return colorful.Color{R: float64(c.r) / 255, G: float64(c.g) / 255, B: float64(c.b) / 255}
}

func (c colour) hex() string { return strings.ToUpper(c.exact().Hex()) }

func (c colour) lightness() float64 {
	l, _, _ := c.exact().OkLch()
	return l
}

// luminance is the relative luminance of WCAG 2.2.
func (c colour) luminance() float64 {
	r, g, b := c.exact().LinearRgb()
	return 0.2126*r + 0.7152*g + 0.0722*b
}

// contrast is the ratio of WCAG 2.2, of 1 to 21.
func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// distance is CIEDE2000.
func distance(a, b colour) float64 { return 100 * a.exact().DistanceCIEDE2000(b.exact()) }

func mixed(a, b colour, part float64) colour { return rounded(b.exact().BlendOkLab(a.exact(), part)) }

// lch is a colour of OKLCH. Chroma gives way where sRGB has no such colour:
// lightness decides what can be read, hue what it is called.
func lch(l, c, h float64) colour {
	h = math.Mod(h+720, 360)
	low, high := 0.0, c
	if found := colorful.OkLch(l, c, h); found.IsValid() {
		return rounded(found)
	}
	for range 16 {
		middle := (low + high) / 2
		if colorful.OkLch(l, middle, h).IsValid() {
			low = middle
		} else {
			high = middle
		}
	}
	return rounded(colorful.OkLch(l, low, h))
}

// at is the colour with another lightness.
func (c colour) at(l float64) colour {
	_, chroma, hue := c.exact().OkLch()
	return lch(l, chroma, hue)
}

const nudgeStep = 0.004

// nudged is the nearest lightness of c, in direction -1, +1 or 0 for either,
// with which fits; ok is false where there is none.
func nudged(c colour, direction int, fits func(colour) bool) (found colour, ok bool) {
	if fits(c) {
		return c, true
	}
	start := c.lightness()
	for step := nudgeStep; step < 1; step += nudgeStep {
		if darker := start - step; direction <= 0 && darker >= 0 {
			if found := c.at(darker); fits(found) {
				return found, true
			}
		}
		if lighter := start + step; direction >= 0 && lighter <= 1 {
			if found := c.at(lighter); fits(found) {
				return found, true
			}
		}
	}
	return c, false
}

// sights are ways to see colours: the matrices of Machado, Oliveira and
// Fernandes (2009) at full severity, on linear RGB.
var sights = []struct {
	name   string
	matrix [9]float64
}{
	{"all", [9]float64{1, 0, 0, 0, 1, 0, 0, 0, 1}},
	{"deuteranopia", [9]float64{0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881}},
	{"protanopia", [9]float64{0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998}},
	{"tritanopia", [9]float64{1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900}},
}

// seen is c by the eyes of a sight.
func seen(c colour, m [9]float64) colour {
	r, g, b := c.exact().LinearRgb()
	in := func(v float64) float64 { return min(max(v, 0), 1) }
	return rounded(colorful.LinearRgb(in(m[0]*r+m[1]*g+m[2]*b), in(m[3]*r+m[4]*g+m[5]*b), in(m[6]*r+m[7]*g+m[8]*b)))
}

// nearest is the smallest distance of two colours in any sight, and which.
func nearest(a, b colour) (float64, string) {
	least, name := math.Inf(1), ""
	for _, s := range sights {
		if d := distance(seen(a, s.matrix), seen(b, s.matrix)); d < least {
			least, name = d, s.name
		}
	}
	return least, name
}

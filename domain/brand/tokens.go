package brand

import (
	"cmp"
	"math"
	"slices"
)

const (
	defaultColour = "#2257C5"
	seriesCount   = 7
)

var seriesNames = [seriesCount]string{"--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7"}

func (b Brand) colour() colour {
	if c, ok := parse(b.Colour); ok {
		return c
	}
	return colourOf(defaultColour)
}

func (b Brand) tone() Tone {
	if _, known := tones[b.Tone]; known {
		return b.Tone
	}
	return Neutral
}

func (b Brand) surfaces(dark bool) map[string]string {
	if dark {
		return tones[b.tone()].dark
	}
	return tones[b.tone()].light
}

const readable = 4.5

// fillOf is the brand's colour as the ground of a button or header, and the
// ink on it. In the dark theme it also stands out from the surface.
func fillOf(asked colour, surfaces map[string]string, dark bool) (fill, ink colour) {
	surface := colourOf(surfaces["--color-base-100"])
	white, black := colourOf(surfaces["--color-primary-content"]), colourOf(surfaces["--color-base-content"])
	if dark {
		black = surface
	}
	with := func(ink colour) func(colour) bool {
		return func(c colour) bool {
			return contrast(c, ink) >= readable && (!dark || contrast(c, surface) >= leastContrast)
		}
	}
	onWhite, whiteFits := nudged(asked, 0, with(white))
	onBlack, blackFits := nudged(asked, 0, with(black))
	if !blackFits || whiteFits && math.Abs(onWhite.lightness()-asked.lightness()) <= math.Abs(onBlack.lightness()-asked.lightness()) {
		return onWhite, white
	}
	return onBlack, black
}

// linkOf is the brand's colour as text on every surface that text lies on, its
// own soft fill among them.
func linkOf(asked, fill colour, surfaces map[string]string, dark bool) colour {
	direction, start := -1, fill
	if dark {
		direction, start = 1, asked
	}
	link, _ := nudged(start, direction, func(c colour) bool {
		soft := mixed(fill, colourOf(surfaces["--color-base-100"]), 0.09)
		if dark {
			soft = mixed(c, colourOf(surfaces["--color-base-100"]), 0.14)
		}
		return contrast(c, soft) >= readable && isText(c, surfaces)
	})
	return link
}

// liveOf is a colour as the text of the live mark, on its own soft fill too.
func liveOf(asked colour, surfaces map[string]string, dark bool) colour {
	direction := -1
	if dark {
		direction = 1
	}
	live, _ := nudged(asked, direction, func(c colour) bool {
		return isText(c, surfaces) && contrast(c, colourOf(surfaces["--df-pos-soft"])) >= readable
	})
	return live
}

func isText(c colour, surfaces map[string]string) bool {
	for _, name := range []string{"--color-base-100", "--color-base-200", "--df-raised"} {
		if contrast(c, colourOf(surfaces[name])) < readable {
			return false
		}
	}
	return true
}

// drawn is a colour moved into the range of lightness in which a mark can be
// seen on the surface.
func drawn(c, surface colour, dark bool) colour {
	low, high, direction := 0.402, 0.66, -1
	if dark {
		low, high, direction = 0.60, 0.86, 1
	}
	if l := c.lightness(); l < low || l > high {
		c = c.at(min(max(l, low), high))
	}
	c, _ = nudged(c, direction, func(c colour) bool { return contrast(c, surface) >= leastContrast })
	return c
}

// series are the seven colours of charts.
func (b Brand) series(dark bool) []colour {
	surface := colourOf(b.surfaces(dark)["--color-base-100"])
	var list []colour
	for _, text := range b.Charts.Colours {
		if c, ok := parse(text); ok && len(list) < seriesCount {
			if dark { // own colours are chosen on a light page
				c, _ = nudged(c, 1, func(c colour) bool { return contrast(c, surface) >= leastContrast })
			}
			list = append(list, c)
		}
	}
	own := len(list)
	if own == 0 {
		list = append(list, drawn(b.colour(), surface, dark))
	}
	for _, i := range b.filling(seriesCount - len(list)) {
		list = append(list, colourOf(presetOf(b.Charts.Preset).colours(dark)[i]))
	}
	if own == 0 {
		list[0] = distinct(list[0], list[1:], surface)
	}
	return list
}

// distinct is the lightness of the brand's colour, not far from its own, with
// which it can be told from the preset's; c itself where there is none.
func distinct(c colour, rest []colour, surface colour) colour {
	found, _ := nudged(c, 0, func(at colour) bool {
		return contrast(at, surface) >= leastContrast && apart(at, rest) >= leastDistance
	})
	if math.Abs(found.lightness()-c.lightness()) > mostLightnessTurn {
		return c
	}
	return found
}

const mostLightnessTurn = 0.15

// filling are the indices of the preset's colours that stand behind the own
// ones. Those nearest to them give way; by the light theme, so that a series
// keeps its hue when the theme changes.
func (b Brand) filling(count int) []int {
	own := []colour{drawn(b.colour(), colourOf(b.surfaces(false)["--color-base-100"]), false)}
	if len(b.Charts.Colours) > 0 {
		own = own[:0]
		for _, text := range b.Charts.Colours {
			own = append(own, colourOf(text))
		}
	}
	preset := presetOf(b.Charts.Preset).light
	rest := make([]int, len(preset))
	for i := range rest {
		rest[i] = i
	}
	for len(rest) > max(count, 0) {
		worst := slices.MinFunc(rest, func(i, j int) int {
			return cmp.Compare(apart(colourOf(preset[i]), own), apart(colourOf(preset[j]), own))
		})
		rest = slices.DeleteFunc(rest, func(i int) bool { return i == worst })
	}
	return rest
}

// apart is the distance of c from the nearest of the list.
func apart(c colour, list []colour) float64 {
	least := math.Inf(1)
	for _, other := range list {
		d, _ := nearest(c, other)
		least = min(least, d)
	}
	return least
}

// The ramp's steps: lightness (in the light theme as parts of the way from the
// lightest to the first series' colour), chroma as a part of that colour's, and
// in the warm tone the part of a turn of the hue towards the paper's.
var (
	rampLight  = [7]float64{0, 0.143, 0.348, 0.586, 0.811, 1, 1.207}
	rampDark   = [7]float64{0.261, 0.348, 0.441, 0.540, 0.652, 0.774, 0.904}
	chromaRamp = [7]float64{0.10, 0.28, 0.54, 0.83, 1.01, 1, 0.77}
	chromaDark = [7]float64{0.2, 0.55, 0.81, 1, 0.97, 0.72, 0.34}
	hueRamp    = [7]float64{1, 0.67, 0.44, 0.27, 0.12, 0, 0}
)

const (
	paperHue    = 80
	mostHueTurn = 55
)

// ramp are the seven steps of ordered data, from little to much.
func (b Brand) ramp(first colour, dark bool) []string {
	lightness, chroma, hue := first.exact().OkLch()
	turn := 0.0
	if away := math.Mod(paperHue-hue+540, 360) - 180; b.tone() == Warm && math.Abs(away) < 120 {
		turn = min(max(away, -mostHueTurn), mostHueTurn)
	}
	steps := make([]string, 7)
	for i := range steps {
		if dark {
			steps[i] = lch(rampDark[i], min(chroma, 0.14)*chromaDark[i], hue).hex()
			continue
		}
		to := min(max(lightness, 0.40), 0.46)
		steps[i] = lch(0.955+(to-0.955)*rampLight[i], min(chroma, 0.13)*chromaRamp[i], hue+turn*hueRamp[i]).hex()
	}
	return steps
}

package charts

import (
	"fmt"
	"math"
	"strings"

	"github.com/dataflowhq/dataflow/platform/locale"
)

// drawGauge draws one value on a half circle, with the target as a tick and
// thresholds as bands. It is an SVG out of the server, as sparklines are.
func drawGauge(d *drawing) error {
	c, err := d.value()
	if err != nil {
		return err
	}
	if d.Result.Rows == 0 {
		d.out.State = Empty
		return nil
	}
	now, ok := number(c, 0)
	if !ok {
		d.out.State = Empty
		return nil
	}
	f := d.format(c)
	status, err := d.status(now, c)
	if err != nil {
		return err
	}
	target, known, err := d.target()
	if err != nil {
		return err
	}
	low, high := 0.0, 0.0
	if ends := d.Config.Encode.Axis; ends != nil {
		low, high = ends[0], ends[1]
	} else {
		low, high = d.dialEnds(now, target, f)
	}
	if !(high > low) {
		return ErrConfig.With("The scale of a gauge ends above its start, not at %g and %g.", low, high)
	}
	tone := Neutral
	if status != nil {
		tone = status.Tone
	}
	dial := &Dial{Text: d.Locale.KPI(now, f), Full: d.Locale.Full(now, f), Low: d.Locale.Axis(low, f), High: d.Locale.Axis(high, f), Status: status}
	at := func(v float64) float64 { return min(max((v-low)/(high-low), 0), 1) }
	var marks *float64
	if known {
		share := at(target)
		marks = &share
	}
	var bands []band
	for i, t := range d.Config.Encode.Thresholds {
		to := high
		if i+1 < len(d.Config.Encode.Thresholds) {
			to = d.Config.Encode.Thresholds[i+1].From
		}
		if t.Tone != Neutral && to > low && t.From < high {
			bands = append(bands, band{at(t.From), at(to), toneColour(t.Tone, "--c1")})
		}
	}
	dial.SVG = arcs(at(now), toneColour(tone, d.hue()), marks, bands)
	d.out.Dial, d.out.Count = dial, 1
	if status != nil && status.Target != "" {
		d.say("gauge_target", "Value", dial.Text, "Low", dial.Low, "High", dial.High, "Target", status.Target)
	} else {
		d.say("gauge", "Value", dial.Text, "Low", dial.Low, "High", dial.High)
	}
	return nil
}

// dialEnds is a scale that holds value, target and thresholds: 0 to 100 % for
// shares, else from zero to a round number.
func (d *drawing) dialEnds(now, target float64, f localeFormat) (low, high float64) {
	low, high = min(0, now, target), max(now, target)
	for _, t := range d.Config.Encode.Thresholds {
		low, high = min(low, t.From), max(high, t.From)
	}
	if f.Style == locale.Percent && low >= 0 && high <= 1 {
		return 0, 1
	}
	step := NiceStep((high - low) / 5)
	high = math.Ceil(high/step+1e-9) * step
	if low < 0 {
		low = math.Floor(low/step) * step
	}
	if high <= low {
		high = low + 1
	}
	return low, high
}

func toneColour(t Tone, otherwise string) string {
	switch t {
	case Good:
		return "--df-pos"
	case Warn:
		return "--df-warn"
	case Bad:
		return "--df-neg"
	}
	return otherwise
}

type band struct {
	from, to float64 // shares of the scale
	colour   string
}

// arcs is the half circle of 200 by 108: track, value, bands outside of it and
// a tick at the target.
func arcs(share float64, colour string, target *float64, bands []band) string {
	const cx, cy, r, width = 100.0, 100.0, 82.0, 16.0
	point := func(at, radius float64) string {
		angle := math.Pi * (1 - at)
		return coordinate(cx+radius*math.Cos(angle)) + " " + coordinate(cy-radius*math.Sin(angle))
	}
	arc := func(from, to, radius float64) string {
		return "M" + point(from, radius) + "A" + coordinate(radius) + " " + coordinate(radius) + " 0 0 1 " + point(to, radius)
	}
	var b strings.Builder
	b.WriteString(`<svg class="df-dial" viewBox="0 0 200 108" aria-hidden="true">`)
	fmt.Fprintf(&b, `<path d="%s" stroke="var(--color-base-300)" stroke-width="%g"/>`, arc(0, 1, r), width)
	if share > 0 {
		fmt.Fprintf(&b, `<path d="%s" stroke="var(%s)" stroke-width="%g"/>`, arc(0, share, r), colour, width)
	}
	for _, x := range bands {
		if x.to-x.from > 0.004 {
			fmt.Fprintf(&b, `<path d="%s" stroke="var(%s)" stroke-width="3"/>`, arc(x.from+0.002, x.to-0.002, r+width/2+4.5), x.colour)
		}
	}
	if target != nil {
		fmt.Fprintf(&b, `<path d="M%sL%s" stroke="var(--color-base-content)" stroke-width="2.5" stroke-linecap="round"/>`,
			point(*target, r-width/2-3), point(*target, r+width/2+3))
	}
	b.WriteString(`</svg>`)
	return b.String()
}

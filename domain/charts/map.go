package charts

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/dataflowhq/dataflow/warehouse"
)

// MapData is the JSON of a df-map. Its lists have one entry a point.
type MapData struct {
	// Area is what the map starts with: "world", "us", "europe", or "data"
	// for the bounds of the points.
	Area  string    `json:"area"`
	Lon   []float64 `json:"lon"`
	Lat   []float64 `json:"lat"`
	Size  []float64 `json:"size"`            // radius in pixels
	Shade []float64 `json:"shade,omitempty"` // 0 to 1 on the sequential scale; absent: one colour
	Label []string  `json:"label"`           // name
	Text  []string  `json:"text"`            // value, for the tooltip
	Mark  []string  `json:"mark,omitempty"`  // what a click selects
	Faded []bool    `json:"faded,omitempty"` // not selected while others are
	// Hue is the CSS variable of points without a shade.
	Hue string `json:"hue"`
}

// drawMap draws one point for each place; its area stands for a measure.
func drawMap(d *drawing) error {
	lat, lon, err := d.coordinates()
	if err != nil {
		return err
	}
	v, err := d.column(d.Config.Encode.Size)
	if err != nil {
		return err
	}
	if v == nil {
		if v, err = d.value(); err != nil {
			return err
		}
	}
	shade, err := d.column(d.Config.Encode.Colour)
	if err != nil {
		return err
	}
	label, err := d.column(d.Config.Encode.Label)
	if err != nil {
		return err
	}
	if label == nil {
		for _, c := range d.dims {
			if c != lat && c != lon {
				label = c
				break
			}
		}
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	if d.Result.Rows > MaxPoints {
		return d.tooMuch(d.Result.Rows)
	}
	m := MapData{Area: d.Config.Encode.Map, Hue: d.hue()}
	if m.Area == "" {
		m.Area = "data"
	}
	_, high := extremes(v, d.Result.Rows)
	largest := 0.0
	if high >= 0 {
		largest, _ = number(v, high)
	}
	low, top := 0.0, 0.0
	if shade != nil {
		var lowText, topText string
		if low, top, lowText, topText = d.shades(shade); topText != "" {
			d.out.Scale = &[2]string{lowText, topText}
		}
	}
	f, picked := d.format(v), d.picked()
	for i := range d.Result.Rows {
		y, okY := number(lat, i)
		x, okX := number(lon, i)
		size, ok := number(v, i)
		if !okY || !okX || !ok || math.Abs(y) > 90 || math.Abs(x) > 180 || d.isOther(i) {
			continue
		}
		m.Lon, m.Lat = append(m.Lon, round(x, 4)), append(m.Lat, round(y, 4))
		m.Size = append(m.Size, radius(size, largest))
		text := d.Locale.Full(size, f)
		if shade != nil {
			s, known := number(shade, i)
			at := 0.0
			if known && top > low {
				at = min(max((s-low)/(top-low), 0), 1)
			}
			m.Shade = append(m.Shade, round(at, 3))
			if known {
				text += " · " + d.name(shade) + " " + d.Locale.KPI(s, d.format(shade))
			}
		}
		name := ""
		if label != nil {
			name = d.text(label, i)
		}
		m.Label, m.Text = append(m.Label, name), append(m.Text, d.name(v)+" "+text)
		if len(columns) > 0 {
			mark := d.mark(i, columns...)
			m.Mark = append(m.Mark, mark)
			if picked != nil {
				m.Faded = append(m.Faded, !picked[mark])
			}
		}
	}
	if len(m.Lon) == 0 {
		d.out.State = Empty
		return nil
	}
	d.out.Count = len(m.Lon)
	if d.out.Points, err = json.Marshal(m); err != nil {
		return fmt.Errorf("write map: %w", err)
	}
	if label != nil && high >= 0 {
		d.say("map", "Count", len(m.Lon), "Measure", d.name(v), "High", d.Locale.KPI(largest, f), "HighAt", d.text(label, high))
	} else {
		d.say("map_plain", "Count", len(m.Lon), "Measure", d.name(v))
	}
	return nil
}

// coordinates are the columns of the config, or the first that fit: latitude
// and longitude are dimensions, so each place is one group.
func (d *drawing) coordinates() (lat, lon *warehouse.ResultColumn, err error) {
	if lat, err = d.column(d.Config.Encode.Lat); err != nil {
		return nil, nil, err
	}
	if lon, err = d.column(d.Config.Encode.Lon); err != nil {
		return nil, nil, err
	}
	if lat == nil || lon == nil {
		return nil, nil, ErrConfig.With("A map needs a latitude and a longitude.")
	}
	return lat, lon, nil
}

// shades are the ends of the colour scale. A few places with a few rows often
// lie far outside of all others, so each end leaves out one in twenty; it says
// so where there are more.
func (d *drawing) shades(c *warehouse.ResultColumn) (low, top float64, lowText, topText string) {
	var values []float64
	for i := range d.Result.Rows {
		if v, ok := number(c, i); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0, 0, "", ""
	}
	slices.Sort(values)
	cut := len(values) / 20
	low, top = values[cut], values[len(values)-1-cut]
	f := d.format(c)
	lowText, topText = d.Locale.KPI(low, f), d.Locale.KPI(top, f)
	if values[0] < low {
		lowText = "≤ " + lowText
	}
	if values[len(values)-1] > top {
		topText = "≥ " + topText
	}
	return low, top, lowText, topText
}

// radius makes the area of a point stand for the value: up to 12 pixels.
func radius(v, largest float64) float64 {
	if largest <= 0 || v <= 0 {
		return 2.5
	}
	return round(2.5+9.5*math.Sqrt(v/largest), 1)
}

func round(v float64, decimals int) float64 {
	p := math.Pow10(decimals)
	return math.Round(v*p) / p
}

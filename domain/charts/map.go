package charts

import (
	"encoding/json"
	"fmt"
	"math"

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
		if a, b := extremes(shade, d.Result.Rows); a >= 0 {
			low, _ = number(shade, a)
			top, _ = number(shade, b)
			f := d.format(shade)
			d.out.Scale = &[2]string{d.Locale.KPI(low, f), d.Locale.KPI(top, f)}
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
				at = (s - low) / (top - low)
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

// radius makes the area of a point stand for the value: 3 to 16 pixels.
func radius(v, largest float64) float64 {
	if largest <= 0 || v <= 0 {
		return 3
	}
	return round(3+13*math.Sqrt(v/largest), 1)
}

func round(v float64, decimals int) float64 {
	p := math.Pow10(decimals)
	return math.Round(v*p) / p
}

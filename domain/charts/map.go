package charts

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse"
)

// The layers of a map.
const (
	LayerPoints   = "points"
	LayerClusters = "clusters"
	LayerHeat     = "heat"
	LayerAreas    = "areas"
	LayerLines    = "lines"
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
	// Layer is how it is drawn; absent for points. Areas have the ids of
	// shapes of Scope ("countries" or "states") in place of coordinates, lines
	// a far end, and clusters and heat the value itself as a weight.
	Layer  string    `json:"layer,omitempty"`
	Scope  string    `json:"scope,omitempty"`
	Shape  []string  `json:"shape,omitempty"`
	ToLon  []float64 `json:"toLon,omitempty"`
	ToLat  []float64 `json:"toLat,omitempty"`
	Weight []float64 `json:"weight,omitempty"`
}

// drawMap draws one point for each place; its area stands for a measure.
func drawMap(d *drawing) error {
	layer := d.Config.Encode.Layer
	switch layer {
	case LayerAreas:
		return d.areas()
	case "", LayerPoints, LayerClusters, LayerHeat, LayerLines:
	default:
		return ErrConfig.With("%q is no layer of a map.", layer)
	}
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
	var toLat, toLon *warehouse.ResultColumn
	if layer == LayerLines {
		if toLat, toLon, err = d.farEnds(); err != nil {
			return err
		}
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	if d.Grid > 0 {
		columns = nil // cells are no values that a click could select
		d.out.Note = Message{Key: "charts.note.grid", Args: []any{"Most", d.Locale.Integer(MapPlaces), "Width", d.Locale.KPI(d.Grid, localeFormat{})}}
	}
	if d.Result.Rows > MaxPoints || layer == LayerLines && d.Result.Rows > maxLines {
		if layer == LayerLines {
			d.out.Fit = Message{Key: "charts.fit.lines", Args: []any{"Count", 500}}
		}
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
		if d.Grid > 0 { // the middle of the cell
			y, x = min(y+d.Grid/2, 90), min(x+d.Grid/2, 180)
		}
		if !okY || !okX || !ok || math.Abs(y) > 90 || math.Abs(x) > 180 || d.isOther(i) {
			continue
		}
		switch layer {
		case LayerLines:
			farY, okY := number(toLat, i)
			farX, okX := number(toLon, i)
			if !okY || !okX || math.Abs(farY) > 90 || math.Abs(farX) > 180 {
				continue
			}
			m.ToLon, m.ToLat = append(m.ToLon, round(farX, 4)), append(m.ToLat, round(farY, 4))
		case LayerClusters, LayerHeat:
			m.Weight = append(m.Weight, short(max(size, 0)))
		}
		m.Lon, m.Lat = append(m.Lon, round(x, 4)), append(m.Lat, round(y, 4))
		if layer == LayerLines {
			m.Size = append(m.Size, thickness(size, largest))
		} else {
			m.Size = append(m.Size, radius(size, largest))
		}
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
		if layer == LayerLines {
			name = d.ends(i, lat, lon, toLat, toLon)
		} else if label != nil {
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
	switch {
	case layer == LayerLines && d.Result.More:
		d.out.Note = Message{Key: "charts.note.top_lines", Args: []any{"Shown", d.Locale.Integer(int64(len(m.Lon)))}}
	case label != nil:
		d.noteTop(label, len(m.Lon))
	}
	if layer != LayerPoints {
		m.Layer = layer
	}
	if layer == LayerHeat {
		d.out.Scale = &[2]string{d.Locale.KPI(0, f), d.Locale.KPI(largest, f)}
	}
	if d.out.Points, err = json.Marshal(m); err != nil {
		return fmt.Errorf("write map: %w", err)
	}
	places := d.Locale.Integer(int64(len(m.Lon)))
	if layer == LayerLines && high >= 0 {
		d.say("map_lines", "Count", len(m.Lon), "Places", places, "Measure", d.name(v), "High", d.Locale.KPI(largest, f), "HighAt", d.ends(high, lat, lon, toLat, toLon))
	} else if label != nil && high >= 0 {
		d.say("map", "Count", len(m.Lon), "Places", places, "Measure", d.name(v), "High", d.Locale.KPI(largest, f), "HighAt", d.text(label, high))
	} else {
		d.say("map_plain", "Count", len(m.Lon), "Places", places, "Measure", d.name(v))
	}
	return nil
}

// Gathers answers the dimensions of latitude and longitude of a map whose places
// are too many to be drawn each, and which are to be put together in the cells of a
// grid; ok is false for every other widget.
func Gathers(in Input) (lat, lon string, ok bool) {
	if in.Config.Type != Map || in.Result == nil || !in.Result.More {
		return "", "", false
	}
	switch in.Config.Encode.Layer {
	case LayerAreas, LayerLines:
		return "", "", false
	}
	d, err := begin(in)
	if err != nil {
		return "", "", false // what is wrong is said by the drawing
	}
	y, x, err := d.coordinates()
	if err != nil || !y.Dimension || !x.Dimension {
		return "", "", false
	}
	return y.Name, x.Name, true
}

// MapPlaces is how many places a map shows each by itself.
const MapPlaces = 5_000

const (
	maxLines  = 2_000
	maxMissed = 50 // names of areas that are listed
)

// areas draws countries or states of the USA, coloured by a measure. Names and
// codes without a shape are listed, never dropped in silence.
func (d *drawing) areas() error {
	area, v, err := d.areaColumns()
	if err != nil {
		return err
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	m := MapData{Area: d.Config.Encode.Map, Layer: LayerAreas, Hue: d.hue()}
	scope, find := d.scope(area)
	m.Scope = scope
	if m.Area == "" {
		m.Area = "data"
	}
	places, missed := d.spelled(area, v, find)
	d.out.Missed = missed[:min(len(missed), maxMissed)]
	alone := 0
	if !d.settings(v).Additive {
		alone = d.regroup(places, area, v)
	}
	d.noteTop(area, d.Result.Rows)
	switch {
	case len(missed) > 0:
		d.out.Note = Message{Key: "charts.note.missed", Args: []any{"Count", len(missed), "Field", d.name(area)}}
	case alone > 0:
		d.out.Note = Message{Key: "charts.note.spellings", Args: []any{"Count", alone}}
	}
	values := make([]float64, 0, len(places))
	for _, p := range places {
		values = append(values, p.value)
	}
	f, picked := d.format(v), d.picked()
	low, top, lowText, topText := d.scale(values, f)
	most := -1
	for i, p := range places {
		share := 0.5
		if top > low {
			share = min(max((p.value-low)/(top-low), 0), 1)
		}
		if most < 0 || p.value > places[most].value {
			most = i
		}
		m.Shape, m.Shade = append(m.Shape, p.shape), append(m.Shade, round(share, 3))
		m.Label, m.Text = append(m.Label, p.name), append(m.Text, d.name(v)+" "+d.Locale.Full(p.value, f))
		m.Lon, m.Lat, m.Size = append(m.Lon, 0), append(m.Lat, 0), append(m.Size, short(p.value))
		if len(columns) > 0 {
			// A click on an area selects all its spellings.
			var marks []string
			faded := picked != nil
			for _, row := range p.rows {
				mark := d.mark(row, columns...)
				marks = append(marks, mark)
				faded = faded && !picked[mark]
			}
			m.Mark = append(m.Mark, strings.Join(marks, ","))
			if picked != nil {
				m.Faded = append(m.Faded, faded)
			}
		}
	}
	if most < 0 {
		missed := len(missed)
		if missed > 0 {
			return ErrConfig.With("None of the %d values of %s is a country or a state of the USA.", missed, d.name(area))
		}
		d.out.State = Empty
		return nil
	}
	d.out.Count = len(m.Shape)
	d.out.Scale = &[2]string{lowText, topText}
	if d.out.Points, err = json.Marshal(m); err != nil {
		return fmt.Errorf("write map: %w", err)
	}
	d.say("map_areas", "Count", len(m.Shape), "Measure", d.name(v), "High", d.Locale.KPI(places[most].value, f), "HighAt", places[most].name)
	return nil
}

// farEnds are the coordinates that the lines of a map lead to.
func (d *drawing) farEnds() (lat, lon *warehouse.ResultColumn, err error) {
	if lat, err = d.column(d.Config.Encode.ToLat); err != nil {
		return nil, nil, err
	}
	if lon, err = d.column(d.Config.Encode.ToLon); err != nil {
		return nil, nil, err
	}
	if lat == nil || lon == nil {
		return nil, nil, ErrConfig.With("Lines on a map need the latitude and longitude of both ends.")
	}
	return lat, lon, nil
}

// ends names a line: its dimensions that are no coordinates.
func (d *drawing) ends(row int, coordinates ...*warehouse.ResultColumn) string {
	text := ""
	for _, c := range d.dims {
		if slices.Contains(coordinates, c) {
			continue
		}
		if text != "" {
			text += " → "
		}
		text += d.text(c, row)
	}
	if text == "" { // only places on the globe
		for i := 0; i+1 < len(coordinates); i += 2 {
			if i > 0 {
				text += " → "
			}
			text += d.text(coordinates[i], row) + ", " + d.text(coordinates[i+1], row)
		}
	}
	return text
}

// thickness makes the width of a line stand for the value: up to 6 pixels.
func thickness(v, largest float64) float64 {
	if largest <= 0 || v <= 0 {
		return 0.75
	}
	return round(0.75+5.25*v/largest, 2)
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

// shades are the ends of the colour scale of a measure.
func (d *drawing) shades(c *warehouse.ResultColumn) (low, top float64, lowText, topText string) {
	var values []float64
	for i := range d.Result.Rows {
		if v, ok := number(c, i); ok {
			values = append(values, v)
		}
	}
	return d.scale(values, d.format(c))
}

// scale are the ends of a colour scale, and sorts the values. A few places with
// a few rows often lie far outside of all others, so each end leaves out one in
// twenty; it says so where there are more.
func (d *drawing) scale(values []float64, f localeFormat) (low, top float64, lowText, topText string) {
	if len(values) == 0 {
		return 0, 0, "", ""
	}
	slices.Sort(values)
	cut := len(values) / 20
	low, top = values[cut], values[len(values)-1-cut]
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

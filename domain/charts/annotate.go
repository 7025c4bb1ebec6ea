package charts

import (
	"math"
	"time"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// annotate draws the reference lines of the config over the first series: a
// value or the average across the value axis, a date across the other. at are
// the moments of a time axis, labels those of an axis of categories.
//
// Errors: charts.config for a date that can't be read.
func (d *drawing) annotate(option obj, y *warehouse.ResultColumn, at []time.Time, labels []string, vertical bool) error {
	e := d.Config.Encode
	lines := e.Lines
	if e.Target != nil {
		lines = append(lines[:len(lines):len(lines)], Reference{Value: e.Target, Label: d.Words.Target})
	}
	var data []obj
	dated := false
	for _, line := range lines {
		one := obj{"label": obj{"formatter": obj{"$format": obj{"field": "text"}}}}
		f := d.format(y)
		switch {
		case line.Date != "":
			t, err := ParseMoment(line.Date)
			if err != nil {
				return ErrConfig.With("%q is no date for a line.", line.Date).Wrap(err)
			}
			if len(at) == 0 {
				x, err := d.dimension(e.X, 0)
				if err != nil || !isTime(x) {
					return ErrConfig.With("A line at a date needs an axis of time.")
				}
				index, ok := d.placeOf(x, t)
				if !ok {
					continue
				}
				one[axisName(!vertical)] = index
			} else {
				if t.Before(at[0]) || t.After(at[len(at)-1]) {
					continue
				}
				one["xAxis"] = t.UnixMilli()
			}
			one["text"] = line.Label
			if line.Label == "" {
				one["text"] = d.Locale.Date(t)
			}
			dated = true
			one["label"] = obj{"formatter": obj{"$format": obj{"field": "text"}}, "position": "end", "rotate": 0, "distance": 4}
			if !vertical {
				one["label"].(obj)["position"] = "insideEndTop"
			}
		case line.Average:
			mean, ok := d.mean(y)
			if !ok {
				continue
			}
			one[axisName(vertical)] = short(mean)
			one["text"] = labelled(line.Label, d.Words.Average, d.Locale.KPI(mean, f))
		case line.Value != nil:
			one[axisName(vertical)] = *line.Value
			one["text"] = labelled(line.Label, "", d.Locale.KPI(*line.Value, f))
			d.reach(option, vertical, *line.Value)
		default:
			return ErrConfig.With("A line stands at a value, at the average or at a date.")
		}
		data = append(data, one)
	}
	list, _ := option["series"].([]obj)
	if len(data) == 0 || len(list) == 0 {
		return nil
	}
	if grid, ok := option["grid"].(obj); ok && dated && vertical {
		grid["top"] = 22 // for what stands above the lines
	}
	// The last series is the one that the lines are about; those before it compare.
	list[len(list)-1]["markLine"] = obj{"silent": true, "symbol": "none", "animation": false, "data": data,
		"lineStyle": obj{"color": cssVar("--df-ink-3"), "width": 1, "type": []int{3, 3}},
		"label": obj{"color": cssVar("--df-ink-2"), "fontSize": 11, "position": "insideEndTop", "distance": 3,
			"textBorderColor": cssVar("--color-base-100"), "textBorderWidth": 3}}
	return nil
}

// axisName is the axis that a value of the chart lies on.
func axisName(vertical bool) string {
	if vertical {
		return "yAxis"
	}
	return "xAxis"
}

func labelled(label, otherwise, value string) string {
	if label == "" {
		label = otherwise
	}
	if label == "" {
		return value
	}
	return label + " " + value
}

// reach widens the value axis as far as a line that lies beyond the data.
func (d *drawing) reach(option obj, vertical bool, v float64) {
	axis, ok := option[axisName(vertical)].(obj)
	if !ok || d.Config.Encode.Axis != nil {
		return
	}
	axis["include"] = append(numbers(axis["include"]), v)
}

func numbers(v any) []float64 {
	list, _ := v.([]float64)
	return list
}

// mean is the average of the drawn values, not of the rows behind them.
func (d *drawing) mean(y *warehouse.ResultColumn) (float64, bool) {
	sum, n := 0.0, 0
	for i := range d.Result.Rows {
		if v, ok := number(y, i); ok && !d.isOther(i) {
			sum += v
			n++
		}
	}
	return sum / math.Max(float64(n), 1), n > 0
}

// placeOf is the place of a moment on an axis of buckets.
func (d *drawing) placeOf(x *warehouse.ResultColumn, t time.Time) (int, bool) {
	at, grain := d.timeline(x)
	if grain != "" {
		t = floor(t, grain)
	}
	for i := range at {
		if at[i].Equal(t) {
			return i, true
		}
	}
	return 0, false
}

// ParseMoment reads a day or a minute on the wall clock.
func ParseMoment(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	return time.Parse("2006-01-02T15:04", text)
}

// status says what a value means by target and thresholds; nil without either.
func (d *drawing) status(now float64, c *warehouse.ResultColumn) (*Status, error) {
	e, f := d.Config.Encode, d.format(c)
	s := &Status{}
	target, known, err := d.target()
	if err != nil {
		return nil, err
	}
	if known {
		s.Target = d.Locale.KPI(target, f)
		lower := d.settings(c).Better == "lower"
		if target > 0 && now >= 0 && f.Style != locale.Percent && !lower {
			share := now / target
			if now < target {
				share = math.Floor(share*100) / 100 // what is not reached is no 100 %
			}
			s.Share = d.Locale.KPI(share, localeFormat{Style: locale.Percent, Decimals: new(int)})
		}
		s.Tone = Bad
		if now >= target && !lower || now <= target && lower {
			s.Tone = Good
		}
	}
	found := false
	for _, t := range e.Thresholds {
		if now >= t.From {
			s.Tone, s.Label, found = t.Tone, t.Label, true
		}
	}
	if !known && !found {
		return nil, nil
	}
	return s, nil
}

// target is the number to reach, out of the config or out of a measure.
func (d *drawing) target() (v float64, known bool, err error) {
	e := d.Config.Encode
	if e.TargetOf != "" {
		c, err := d.column(e.TargetOf)
		if err != nil {
			return 0, false, err
		}
		if d.Result.Rows > 0 {
			v, known = number(c, 0)
		}
		return v, known, nil
	}
	if e.Target != nil {
		return *e.Target, true, nil
	}
	return 0, false, nil
}

// toneOf is what the thresholds of the widget make of a value.
func (d *drawing) toneOf(v float64) Tone {
	found := Neutral
	for _, t := range d.Config.Encode.Thresholds {
		if v >= t.From {
			found = t.Tone
		}
	}
	return found
}

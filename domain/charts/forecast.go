package charts

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/dataflowhq/dataflow/domain/forecast"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Forecast asks a line or an area for a forecast of its measure.
type Forecast struct {
	// Horizon is how many units the forecast reaches beyond the last whole
	// period; Unit is a grain, that of the axis when empty.
	Horizon int    `json:"horizon"`
	Unit    string `json:"unit,omitempty"`
	// Interval is the band that is drawn: "80" (the default), "95" or "both".
	Interval string `json:"interval,omitempty"`
	// Anomalies marks values outside the 95 % band that was forecast for them.
	Anomalies bool `json:"anomalies,omitempty"`
}

// MaxHorizon is the longest horizon of a config.
const MaxHorizon = 500

// Validate says whether the forecast fits a widget of that type with that many
// dimensions.
//
// Errors: charts.config.
func (f *Forecast) Validate(t Type, dimensions int) error {
	switch {
	case f == nil:
	case t != Line && t != Area:
		return ErrConfig.With("A %s has no forecast; a line and an area do.", t)
	case dimensions != 1:
		return ErrConfig.With("A forecast continues one line: the query has one dimension, a time.")
	case f.Horizon < 1 || f.Horizon > MaxHorizon:
		return ErrConfig.With("A forecast reaches 1 to %d units ahead.", MaxHorizon)
	case f.Unit != "" && grainRank(f.Unit) < 0:
		return ErrConfig.With("%q is no unit of a forecast.", f.Unit)
	case !slices.Contains([]string{"", "80", "95", "both"}, f.Interval):
		return ErrConfig.With("%q is no interval of a forecast; it is 80, 95 or both.", f.Interval)
	}
	return nil
}

// Outlook is the forecast of one line, in periods of the axis.
type Outlook struct {
	// Last is the last whole period of the history; At are those ahead. All are
	// starts of periods on the wall clock.
	Last                               time.Time
	At                                 []time.Time
	Mean, Low80, High80, Low95, High95 []float64
	Anomalies                          []time.Time
	Method                             string
	MAPE                               float64 // a share; NaN where unknown
	// Refused is why there is no forecast; nil where there is one.
	Refused error
}

// History is what an outlook is made of.
type History struct {
	// Values has the columns of the widget's result over a longer time.
	Values *warehouse.Result
	// Reach has by period, oldest first, the newest moment of the whole data in
	// it: two columns of the same type, whatever is filtered. It tells whether
	// the newest period is over.
	Reach *warehouse.Result
	// Now is the time on the wall clock, for periods that are still going on;
	// zero where relative dates count from the data.
	Now time.Time
	// Run makes the forecast: forecast.Run, or one that remembers.
	Run func([]float64, forecast.Options) (forecast.Result, error)
}

// NoteOpenPeriod is the note on the period which is going on, with what it has so
// far: it is drawn as a part, or left out before a forecast. NoteOpen is that without
// a number, where there are several.
const (
	NoteOpenPeriod = "charts.forecast.open"
	NoteOpen       = "charts.note.open"
)

// Foresee makes the outlook of a widget with a forecast. A history that allows
// none is told by Outlook.Refused.
//
// Errors: charts.config.
func Foresee(in Input, h History) (*Outlook, error) {
	in.Result = h.Values
	d, err := begin(in)
	if err != nil {
		return nil, err
	}
	x, err := d.dimension(d.Config.Encode.X, 0)
	if err != nil {
		return nil, err
	}
	y, err := d.value()
	if err != nil {
		return nil, err
	}
	if !isTime(x) || x.Grain == "" && x.Type != warehouse.Date {
		return nil, ErrConfig.With("A forecast needs periods: give the time a grain.")
	}
	s := d.series(x, []*warehouse.ResultColumn{y})
	at, values := s.at, s.values[0]
	end := wholeUntil(d, h, s.grain)
	for len(at) > 0 && !end.IsZero() && !at[len(at)-1].Before(end) {
		at, values = at[:len(at)-1], values[:len(values)-1]
	}
	// The first period may have begun before the data did.
	if len(at) > 1 && d.Oldest.After(at[0]) {
		at, values = at[1:], values[1:]
	}
	if len(at) == 0 {
		return &Outlook{Refused: forecast.ErrTooShort}, nil
	}
	if x.Type == warehouse.TimestampTZ {
		for i, t := range at {
			if finer(s.grain, "day") && odd(t, d.Zone) {
				values[i] = math.NaN()
			}
		}
	}
	o := &Outlook{Last: at[len(at)-1]}
	r, err := h.Run(values, forecast.Options{Horizon: periods(d.Config.Forecast, o.Last, s.grain), Seasons: forecast.Seasons(s.grain)})
	if err != nil {
		o.Refused = err
		return o, nil
	}
	o.Method, o.MAPE = r.Method, r.MAPE
	for i := range r.Mean {
		t := next(o.Last, s.grain, i+1)
		if x.Type == warehouse.TimestampTZ && finer(s.grain, "day") && skipped(t, d.Zone) {
			continue // clocks go over it
		}
		o.At = append(o.At, t)
		o.Mean, o.Low80, o.High80 = append(o.Mean, r.Mean[i]), append(o.Low80, r.Low80[i]), append(o.High80, r.High80[i])
		o.Low95, o.High95 = append(o.Low95, r.Low95[i]), append(o.High95, r.High95[i])
	}
	for _, i := range r.Anomalies {
		o.Anomalies = append(o.Anomalies, at[i])
	}
	return o, nil
}

// periods is the horizon in periods of the axis: those that begin before the
// units after the last whole period are over.
func periods(f *Forecast, last time.Time, grain string) int {
	if f.Unit == "" || f.Unit == grain {
		return f.Horizon
	}
	begin := next(last, grain, 1)
	until := next(begin, f.Unit, f.Horizon)
	n := 1
	for next(begin, grain, n).Before(until) && n < forecast.MaxHorizon {
		n++
	}
	return n
}

// skipped tells whether clocks in the zone are set forward over the wall-clock
// time t; odd also whether they show it twice. Nothing, or twice as much, is
// counted then.
func skipped(t time.Time, zone *time.Location) bool { return !asWall(inZone(t, zone)).Equal(t) }

func odd(t time.Time, zone *time.Location) bool {
	moment := inZone(t, zone)
	for _, back := range []time.Duration{-time.Hour, -30 * time.Minute, 30 * time.Minute, time.Hour} {
		if asWall(moment.Add(back)).Equal(t) {
			return true
		}
	}
	return skipped(t, zone)
}

func inZone(t time.Time, zone *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
}

// wholeUntil is the start of the newest period where that is not over: the
// clock says so, or its newest row does not lie as late in it as that of nine
// in ten periods before. Zero where all are over.
func wholeUntil(d *drawing, h History, grain string) time.Time {
	if h.Reach == nil || h.Reach.Rows == 0 || len(h.Reach.Columns) < 2 {
		return time.Time{}
	}
	begins, newest := &h.Reach.Columns[0], &h.Reach.Columns[1]
	var shares []float64
	var begin time.Time
	for i := range h.Reach.Rows {
		if begins.IsNull(i) || newest.IsNull(i) {
			continue
		}
		begin = floor(d.wall(begins, i), grain)
		width := next(begin, grain, 1).Sub(begin)
		shares = append(shares, float64(d.wall(newest, i).Sub(begin))/float64(width))
	}
	if begin.IsZero() {
		return begin
	}
	if !h.Now.IsZero() && h.Now.Before(next(begin, grain, 1)) {
		return begin
	}
	last, before := shares[len(shares)-1], shares[:len(shares)-1]
	if len(before) < 3 {
		return time.Time{}
	}
	slices.Sort(before)
	if last < before[len(before)/10]-0.01 {
		return begin
	}
	return time.Time{}
}

// foreseen is the outlook to draw after the last of the lines, which then end
// with the last whole period; nil for none, with a note where one was asked for.
func (d *drawing) foreseen(s *series, lines []line) *Outlook {
	o := d.Outlook
	switch {
	case o == nil:
		return nil
	case o.Refused != nil:
		d.out.Note = Message{Key: "charts.forecast.refused", Args: []any{"Reason", apperr.Describe(o.Refused).Sentence}}
		return nil
	case s.at[len(s.at)-1].Before(o.Last):
		d.out.Note = Message{Key: "charts.forecast.later", Args: []any{"Last", d.Locale.Bucket(o.Last, bucketGrain(s.grain), true)}}
		return nil
	}
	n := len(s.at)
	for n > 0 && s.at[n-1].After(o.Last) {
		n--
	}
	if n == 0 {
		return nil
	}
	if open := len(s.at) - 1; open >= n {
		// The period that is going on is no part of the line; what it has is said.
		for _, l := range lines {
			if v := l.values[open]; !l.previous && !math.IsNaN(v) && s.rows[open] >= 0 {
				d.out.Note = Message{Key: NoteOpenPeriod, Args: []any{"Period", d.Locale.Bucket(s.at[open], bucketGrain(s.grain), true), "Value", d.Locale.KPI(v, l.format)}}
				break
			}
		}
	}
	s.at, s.rows = s.at[:n], s.rows[:n]
	for i := range s.values {
		s.values[i] = s.values[i][:n]
	}
	for i := range lines {
		lines[i].values = lines[i].values[:n]
	}
	return o
}

// outlook are the parts of a chart that show what is ahead of the line l: from
// the back the bands, the forecast, the marks of what was unusual.
func (d *drawing) outlook(o *Outlook, s series, l line) (list []obj, names []string, formats []obj) {
	f := placed("full", l.format)
	add := func(name string, format, part obj) {
		part["type"], part["name"] = "line", name
		if part["symbol"] == nil {
			part["symbol"] = "none"
		}
		list, names, formats = append(list, part), append(names, name), append(formats, format)
	}
	last := l.values[len(s.at)-1]
	from := s.at[len(s.at)-1].UnixMilli()
	// The forecast begins at the last value. A null after it keeps that point
	// out of the tooltip, which has the value already.
	joined := !math.IsNaN(last)
	band := func(name, opacity string, low, high []float64) {
		var base, height [][]any
		if joined {
			base, height = append(base, []any{from, short(last), nil}), append(height, []any{from, 0, nil, nil})
		}
		for i, t := range o.At {
			ms := t.UnixMilli()
			base = append(base, []any{ms, short(low[i]), nil})
			height = append(height, []any{ms, short(high[i] - low[i]), short(low[i]), short(high[i])})
		}
		// The band is what stands on its lower end, whatever the sign.
		add("", f, obj{"data": base, "stack": opacity, "stackStrategy": "all", "lineStyle": obj{"opacity": 0}, "silent": true, "z": 1})
		between := placed("full", l.format)
		between["range"] = true
		add(name, between, obj{"data": height, "stack": opacity, "stackStrategy": "all", "lineStyle": obj{"opacity": 0}, "silent": true, "z": 1,
			"itemStyle": obj{"color": cssVar(l.colour)}, "areaStyle": obj{"color": cssVar(l.colour), "opacity": cssVar(opacity)}})
	}
	interval := d.Config.Forecast.Interval
	narrow, wide := interval != "95", interval == "95" || interval == "both"
	if narrow {
		band(d.Words.Interval80, "--df-band", o.Low80, o.High80)
	}
	if wide {
		band(d.Words.Interval95, "--df-band-wide", o.Low95, o.High95)
	}
	var data [][]any
	if joined {
		data = append(data, []any{from, short(last), nil})
	}
	for i, t := range o.At {
		data = append(data, []any{t.UnixMilli(), short(o.Mean[i])})
	}
	add(d.Words.Forecast, f, obj{"data": data, "lineStyle": obj{"color": cssVar(l.colour), "width": 2, "type": []int{5, 4}},
		"itemStyle": obj{"color": cssVar(l.colour)}, "z": 3})
	d.out.Legend = append(d.out.Legend, LegendItem{Name: d.Words.Forecast, Colour: l.colour, Shape: Dashed})
	if narrow {
		d.out.Legend = append(d.out.Legend, LegendItem{Name: d.Words.Interval80, Colour: l.colour, Shape: Band})
	}
	if wide {
		d.out.Legend = append(d.out.Legend, LegendItem{Name: d.Words.Interval95, Colour: l.colour, Shape: WideBand})
	}
	if marks := d.anomalies(o, s, l); len(marks) > 0 {
		add(d.Words.Anomaly, f, obj{"data": marks, "lineStyle": obj{"opacity": 0}, "silent": true, "z": 4,
			"symbol": "circle", "symbolSize": 9, "showSymbol": true, "showAllSymbol": true,
			"itemStyle": obj{"color": "transparent", "borderColor": cssVar("--df-warn"), "borderWidth": 2}})
		d.out.Legend = append(d.out.Legend, LegendItem{Name: d.Words.Anomaly, Colour: "--df-warn", Shape: Hollow})
	}
	d.out.Count += len(data)
	return list, names, formats
}

// anomalies are the points of the line that were unusual, where they are asked
// for. The tooltip has their values from the line.
func (d *drawing) anomalies(o *Outlook, s series, l line) [][]any {
	if !d.Config.Forecast.Anomalies {
		return nil
	}
	unusual := make(map[time.Time]bool, len(o.Anomalies))
	for _, t := range o.Anomalies {
		unusual[t] = true
	}
	var data [][]any
	for i, t := range s.at {
		if unusual[t] && !math.IsNaN(l.values[i]) {
			data = append(data, []any{t.UnixMilli(), short(l.values[i]), nil})
		}
	}
	return data
}

// today is the rule between what was and what may come. It is called today only
// where the data reaches today. It stands at today itself as far as the axis goes,
// for hours at the last of them.
func (d *drawing) today(o *Outlook, grain string) obj {
	text, at := d.Words.LastData, o.Last
	if !d.Today.IsZero() && d.Today.Before(next(o.Last, grain, 2)) {
		switch {
		case finer(grain, "day"):
			text = d.Words.Today
		case len(o.At) > 0 && !d.Today.Before(o.Last) && !d.Today.After(o.At[len(o.At)-1]):
			text, at = d.Words.Today, d.Today
		}
	}
	return obj{"silent": true, "symbol": "none", "animation": false,
		"lineStyle": obj{"color": cssVar("--df-ink-3"), "width": 1, "type": []int{3, 3}},
		"label": obj{"formatter": text, "position": "end", "distance": 0, "rotate": 0, "align": "right", "verticalAlign": "top",
			"padding": []int{0, 5, 0, 0}, "color": cssVar("--df-ink-2"), "fontSize": 11},
		"data": []obj{{"xAxis": at.UnixMilli()}}}
}

// sayForecast adds what is ahead to the sentence on the line.
func (d *drawing) sayForecast(o *Outlook, grain string, f localeFormat) {
	i := len(o.At) - 1
	if !d.says("line") || i < 0 {
		return
	}
	low, high, share := o.Low80[i], o.High80[i], 0.8
	if d.Config.Forecast.Interval == "95" {
		low, high, share = o.Low95[i], o.High95[i], 0.95
	}
	d.out.Say.Key = "charts.say.line_forecast"
	d.out.Say.Args = append(d.out.Say.Args, "Until", d.Locale.Bucket(o.At[i], bucketGrain(grain), true), "Ahead", d.Locale.KPI(o.Mean[i], f),
		"Lower", d.Locale.KPI(low, f), "Upper", d.Locale.KPI(high, f), "Share", d.Locale.Axis(share, locale.Format{Style: "percent"}))
}

// withOutlook is the result with the forecast in rows and columns of its own,
// for "View as table".
func (d *drawing) withOutlook(o *Outlook) (*warehouse.Result, error) {
	x, err := d.dimension(d.Config.Encode.X, 0)
	if err != nil {
		return nil, err
	}
	y, err := d.value()
	if err != nil {
		return nil, err
	}
	r := *d.Result
	row := map[time.Time]int{}
	for i := range r.Rows {
		if !x.IsNull(i) {
			row[floor(d.wall(x, i), x.Grain)] = i
		}
	}
	places := make([]int, len(o.At))
	var fresh []time.Time
	for i, t := range o.At {
		at, has := row[t]
		if !has {
			at = r.Rows + len(fresh)
			fresh = append(fresh, t)
		}
		places[i] = at
	}
	r.Columns = slices.Clone(r.Columns)
	for i := range r.Columns {
		c := &r.Columns[i]
		nulls := make([]bool, r.Rows, r.Rows+len(fresh))
		copy(nulls, c.Nulls)
		own := c.Name == x.Name
		for _, t := range fresh {
			nulls = append(nulls, !own)
			switch {
			case c.Floats != nil:
				c.Floats = append(c.Floats[:len(c.Floats):len(c.Floats)], 0)
			case c.Ints != nil:
				c.Ints = append(c.Ints[:len(c.Ints):len(c.Ints)], d.stored(c, own, t))
			case c.Texts != nil:
				c.Texts = append(c.Texts[:len(c.Texts):len(c.Texts)], "")
			}
			if c.Exact != nil {
				c.Exact = append(c.Exact[:len(c.Exact):len(c.Exact)], "")
			}
		}
		c.Nulls = nulls
	}
	r.Rows += len(fresh)
	ahead := func(name string, values []float64) {
		c := warehouse.ResultColumn{Name: name, Type: warehouse.Float, Floats: make([]float64, r.Rows), Nulls: make([]bool, r.Rows)}
		for i := range c.Nulls {
			c.Nulls[i] = true
		}
		for i, at := range places {
			c.Floats[at], c.Nulls[at] = values[i], false
		}
		r.Columns = append(r.Columns, c)
		format := d.settings(y)
		format.Label = name
		d.Config.Format[name] = format
	}
	d.Config.Format = maps.Clone(d.Config.Format)
	if d.Config.Format == nil {
		d.Config.Format = map[string]Format{}
	}
	ahead(d.Words.Forecast, o.Mean)
	if d.Config.Forecast.Interval != "95" {
		ahead(d.Words.Interval80+", "+d.Words.LowerEnd, o.Low80)
		ahead(d.Words.Interval80+", "+d.Words.UpperEnd, o.High80)
	}
	if d.Config.Forecast.Interval == "95" || d.Config.Forecast.Interval == "both" {
		ahead(d.Words.Interval95+", "+d.Words.LowerEnd, o.Low95)
		ahead(d.Words.Interval95+", "+d.Words.UpperEnd, o.High95)
	}
	return &r, nil
}

// stored is the time t as the column holds it; 0 for other columns.
func (d *drawing) stored(c *warehouse.ResultColumn, own bool, t time.Time) int64 {
	switch {
	case !own:
		return 0
	case c.Type == warehouse.Date:
		return t.Unix() / 86400
	case c.Type == warehouse.TimestampTZ:
		return inZone(t, d.Zone).UnixMicro()
	}
	return t.UnixMicro()
}

// PeriodOf is the start of the period of that grain around t, both on the wall
// clock; PeriodAfter that of the period n later.
func PeriodOf(t time.Time, grain string) time.Time { return floor(t, grain) }

// PeriodAfter is the start of the period n after that which starts at t.
func PeriodAfter(t time.Time, grain string, n int) time.Time { return next(t, grain, n) }

package alerts

import (
	"math"
	"slices"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/forecast"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Watch is what an alert measures. It is kept as JSON and does not change.
type Watch struct {
	Dataset    ids.Dataset           `json:"dataset"`
	Measure    warehouse.Measure     `json:"measure"`
	Label      string                `json:"label"` // of the measure
	Format     charts.Format         `json:"format,omitzero"`
	Dimensions []warehouse.Dimension `json:"dimensions,omitempty"` // one state for each group
	By         []string              `json:"by,omitempty"`         // labels of the dimensions
	Filters    []warehouse.Filter    `json:"filters,omitempty"`
	Only       []string              `json:"only,omitempty"` // the filters in words
	Fields     map[string]string     `json:"fields,omitempty"`
	// Time is the column whose periods of one Grain are looked at, in Zone;
	// without it the value is that of all rows.
	Time  string `json:"time,omitempty"`
	Grain string `json:"grain,omitempty"`
	Zone  string `json:"zone"`
	// Additive tells that no rows are zero, and not an unknown value.
	Additive bool `json:"additive,omitempty"`
	// Relative tells that the clock of the data is its newest row.
	Relative bool `json:"relative,omitempty"`
}

// Kind is the kind of a condition.
type Kind string

// The kinds.
const (
	Threshold Kind = "threshold" // the value is above or below a line
	Change    Kind = "change"    // it changed against an earlier period
	Anomaly   Kind = "anomaly"   // it is outside the band that was forecast
	Stale     Kind = "stale"     // no row has come for some time
)

// Side is where it is bad to be.
type Side string

// The sides.
const (
	Above   Side = "above"
	Below   Side = "below"
	Outside Side = "outside" // either
)

// Condition says when a value is bad. It is kept as JSON.
type Condition struct {
	Kind Kind `json:"kind"`
	Side Side `json:"side,omitempty"`
	// Value is the line of a threshold, the share of a change (0.2 is 20 %), or
	// the minutes without a new row.
	Value float64 `json:"value,omitempty"`
	// Recover is where it is good again; Value when nil. Between the two an
	// alert stays as it is.
	Recover *float64 `json:"recover,omitempty"`
	// Back is how many periods before lies the one that a change is against.
	Back int `json:"back,omitempty"`
	// Band is 80 or 95: the share of values expected within it.
	Band int `json:"band,omitempty"`
	// Running looks at the period that is not over, too.
	Running bool `json:"running,omitempty"`
}

// Limits of what is looked at.
const (
	maxBack     = 400
	anomalyPast = 200 // periods that a band is learnt from
	maxGroups   = 500 // of one alert
)

// past is how many periods before the newest a reading needs.
func (c Condition) past() int {
	switch c.Kind {
	case Change:
		return c.Back
	case Anomaly:
		return anomalyPast
	}
	return 0
}

// series is one group over the periods of an answer. NaN is no value.
type series struct {
	key    string
	labels []string
	values []float64
}

// Reading is what a condition says of one moment.
type Reading struct {
	Value float64 // NaN where there is none
	// Low and High are what the value was held against: the line, the earlier
	// value, or the band; NaN where there is none.
	Low, High float64
	Known     bool // there was something to judge
	Beyond    bool // it is bad
	Back      bool // it is good, also by the line of recovery
}

var unknown = Reading{Value: math.NaN(), Low: math.NaN(), High: math.NaN()}

// judge reads place i of a series.
func (c Condition) judge(values []float64, i int, grain string) Reading {
	r := unknown
	if i < 0 || i >= len(values) {
		return r
	}
	r.Value = values[i]
	if math.IsNaN(r.Value) {
		return r
	}
	good := c.Value
	if c.Recover != nil {
		good = *c.Recover
	}
	switch c.Kind {
	case Threshold, Stale:
		r.Known = true
		r.Low, r.High = c.Value, c.Value
		if c.Side == Below {
			r.Beyond, r.Back = r.Value < c.Value, r.Value >= good
		} else {
			r.Beyond, r.Back = r.Value > c.Value, r.Value <= good
		}
	case Change:
		before := i - c.Back
		if before < 0 || math.IsNaN(values[before]) || values[before] == 0 {
			return r
		}
		r.Known = true
		r.Low, r.High = values[before], values[before]
		change := (r.Value - values[before]) / math.Abs(values[before])
		switch c.Side {
		case Below:
			change = -change
		case Outside:
			change = math.Abs(change)
		}
		r.Beyond, r.Back = change > c.Value, change <= good
	case Anomaly:
		low, high, ok := c.band(values[max(0, i-anomalyPast):i], grain)
		if !ok {
			return r
		}
		r.Known, r.Low, r.High = true, low, high
		over, under := r.Value > high, r.Value < low
		switch c.Side {
		case Above:
			under = false
		case Below:
			over = false
		}
		r.Beyond = over || under
		r.Back = !r.Beyond
	}
	return r
}

// band is where the value after a series is expected.
func (c Condition) band(before []float64, grain string) (low, high float64, ok bool) {
	f, err := forecast.Run(before, forecast.Options{Horizon: 1, Seasons: forecast.Seasons(grain)})
	if err != nil || len(f.Mean) == 0 {
		return 0, 0, false
	}
	if c.Band == 80 {
		return f.Low80[0], f.High80[0], true
	}
	return f.Low95[0], f.High95[0], true
}

// answer is what a watch measured, group by group, over periods without holes.
type answer struct {
	at     []time.Time // starts of the periods on the wall clock; one zero time where there are none
	groups []series
	// newest is the newest row on the wall clock, whatever is filtered; zero
	// for none. reach is how many of the periods are to be judged: those that
	// are over, and with Running the one that is not.
	newest time.Time
	more   bool // groups were left out
}

// current is the newest place that a condition looks at; -1 for none.
func (a *answer) current(w *Watch, c *Condition, now time.Time) int {
	if w.Time == "" || w.Grain == "" {
		return len(a.at) - 1
	}
	if a.newest.IsZero() {
		return -1
	}
	last := charts.PeriodOf(a.newest, w.Grain)
	i := slices.IndexFunc(a.at, func(t time.Time) bool { return t.Equal(last) })
	if c.Running || i < 0 {
		return i
	}
	over := now
	if w.Relative {
		over = a.newest
	}
	if charts.PeriodAfter(last, w.Grain, 1).After(over) {
		return i - 1
	}
	return i
}

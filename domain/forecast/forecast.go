// Package forecast continues a regular time series: exponential smoothing
// whose trend, seasons and transformation are chosen by the data, tried on the
// newest part of the history before it is believed. It is pure: the same
// series and options give the same forecast.
//
// # How a forecast is made
//
// Of the usual seasons those that show are kept, and a power by which ups and
// downs are of one size. Candidates are learnt from the older part of the
// history: for every set of seasons the kinds of smoothing that fit best (by
// AICc), for long seasons an autoregression over them, and the naive methods.
// All of them then forecast from up to 48 points of the newer part. The one
// with the least mean absolute error, or the mean of the best few where that
// does better still, learns anew from all of the history.
//
// The bands follow from the same back-test: as wide as 80 and 95 % of its
// errors were, growing with the distance as the model says, and a little wider,
// because what won a trial did so with some luck.
//
// A single value far off (a spike that is gone in the period after) teaches
// nothing and is left out of learning. A level that shifts is followed.
package forecast

import (
	"math"
	"slices"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// Why there is no forecast, in words for the person who asked for it.
var (
	ErrTooShort = apperr.Define(apperr.Invalid, "forecast.too_short",
		"The history is too short for a forecast.")
	ErrConstant = apperr.Define(apperr.Invalid, "forecast.constant",
		"There is nothing to forecast: all values of the history are the same.")
	ErrIrregular = apperr.Define(apperr.Invalid, "forecast.irregular",
		"Too many periods have no value for a forecast.")
	ErrHorizon = apperr.Define(apperr.Invalid, "forecast.horizon",
		"A forecast reaches 1 to 1,000 periods ahead.")
)

// Limits.
const (
	MaxHistory = 2000 // periods that are looked at; older ones are left out
	MaxHorizon = 1000 // periods ahead
	minHistory = 10   // known values
)

// Options say what to forecast.
type Options struct {
	Horizon int // periods ahead
	// Seasons are the season lengths that may be used, in periods, shortest
	// first; see Seasons. Those that the data does not show are left out.
	Seasons []int
}

// Result is a forecast. All slices but Anomalies have one entry a period ahead.
type Result struct {
	Mean          []float64 // the middle: as likely to be exceeded as not
	Low80, High80 []float64 // four in five values are expected between them
	Low95, High95 []float64
	Method        string // "ETS(A,Ad,A), log"
	Seasons       []int  // that are in use
	// MAPE is the mean absolute error of the back-test as a share of the value
	// (0.038 is 3.8 %), NaN where values are zero. MASE is the same error
	// relative to that of the naive method over the history, one season back;
	// below 1 is better than it.
	MAPE, MASE float64
	// Origins is the number of starting points of the back-test.
	Origins int
	// Anomalies are the places in the series of values outside the 95 % band
	// around what was expected of them one period before: at most one value in
	// twenty, fewer where a few are far off.
	Anomalies []int
}

// Run forecasts the series, whose entries are one period apart, oldest first,
// NaN where no value is known.
//
// Errors: forecast.too_short, forecast.constant, forecast.irregular,
// forecast.horizon.
func Run(series []float64, o Options) (Result, error) {
	if o.Horizon < 1 || o.Horizon > MaxHorizon {
		return Result{}, ErrHorizon
	}
	offset := max(0, len(series)-MaxHistory)
	y := series[offset:]
	for len(y) > 0 && !isNumber(y[0]) {
		y, offset = y[1:], offset+1
	}
	h, err := look(y, o)
	if err != nil {
		return Result{}, err
	}
	r := h.run()
	for i := range r.Anomalies {
		r.Anomalies[i] += offset
	}
	return r, nil
}

func isNumber(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// history is a series that can be forecast.
type history struct {
	raw     []float64 // NaN is missing
	y       []float64 // raw without the spikes: what is learnt from
	horizon int
	seasons []int     // that the data shows, shortest first
	lambdas []float64 // powers that are tried, 1 first
	low     float64   // no value lies below: 0 or -Inf
	scale   float64   // values were divided by it
	powers  map[float64]prepared
}

func look(series []float64, o Options) (*history, error) {
	known := 0
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range series {
		if isNumber(v) {
			known++
			low, high = min(low, v), max(high, v)
		}
	}
	switch {
	case known < minHistory:
		return nil, ErrTooShort.With("The history is too short for a forecast: it takes at least %d periods with a value, there are %d.", minHistory, known)
	case low == high:
		return nil, ErrConstant
	case known*2 < len(series):
		return nil, ErrIrregular.With("Too many periods have no value for a forecast: %d of %d.", len(series)-known, len(series))
	case len(series) < 2*o.Horizon:
		return nil, ErrTooShort.With("The history is too short for a forecast of %d periods: it takes at least %d, there are %d.", o.Horizon, 2*o.Horizon, len(series))
	}
	h := &history{horizon: o.Horizon, low: math.Inf(-1), scale: max(math.Abs(low), math.Abs(high)), powers: map[float64]prepared{}}
	if low >= 0 {
		h.low = 0
	}
	h.y = make([]float64, len(series))
	for i, v := range series {
		h.y[i] = math.NaN()
		if isNumber(v) {
			h.y[i] = v / h.scale
		}
	}
	h.raw = slices.Clone(h.y)
	h.findSeasons(o.Seasons)
	h.findPowers()
	return h, nil
}

// findSeasons keeps the seasons that show, at most two.
func (h *history) findSeasons(candidates []int) {
	filled := fill(h.y, 0)
	for _, m := range candidates {
		if m < 2 || len(h.y) < 2*m+max(m/2, 2) {
			continue
		}
		if strength(filled, m) > 0.1 && len(h.seasons) < 2 {
			h.seasons = append(h.seasons, m)
		}
	}
}

// findPowers says how the values may be transformed, so that ups and downs are
// of one size whatever the level: not at all, and where the spread grows with
// the level, by the power that Guerrero (1993) finds.
func (h *history) findPowers() {
	h.lambdas = []float64{1}
	window := 12
	if len(h.seasons) > 0 {
		window = h.seasons[0]
	}
	var levels, spreads []float64
	for start := len(h.y) % window; start+window <= len(h.y); start += window {
		part := slices.DeleteFunc(slices.Clone(h.y[start:start+window]), math.IsNaN)
		if len(part) < max(window/2, 2) {
			continue
		}
		// Medians, so that a value far off counts as one.
		slices.Sort(part)
		if part[0] <= 0 {
			return
		}
		middle := quantile(part, 0.5)
		for i, v := range part {
			part[i] = math.Abs(v - middle)
		}
		slices.Sort(part)
		if spread := quantile(part, 0.5); spread > 0 {
			levels, spreads = append(levels, math.Log(middle)), append(spreads, math.Log(spread))
		}
	}
	for _, v := range h.y {
		if v <= 0 {
			return
		}
	}
	if len(levels) < 3 {
		return
	}
	ml, ms := mean(levels), mean(spreads)
	var xy, xx float64
	for i := range levels {
		xy += (levels[i] - ml) * (spreads[i] - ms)
		xx += (levels[i] - ml) * (levels[i] - ml)
	}
	switch growth := xy / max(xx, 1e-9); {
	case growth > 0.75:
		h.lambdas = []float64{1, 0}
	case growth > 0.25:
		h.lambdas = []float64{1, 0.5}
	}
}

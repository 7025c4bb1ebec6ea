package forecast

import (
	"math"
	"slices"
)

// errors are by how much values were off what was expected of them one period
// before, on the scale on which errors are of one size; NaN where one of them
// is not known, and for the first two seasons, which a model only starts from.
func (h *history) errors(c candidate) []float64 {
	lambda := c.power()
	begin := 10
	for _, m := range c.uses() {
		begin = max(begin, 2*m)
	}
	out := c.steps(h)
	for i, expected := range out {
		if i < begin || lambda != 1 && !(expected > 0) {
			out[i] = math.NaN()
			continue
		}
		out[i] = forward(h.raw[i], lambda) - forward(expected, lambda)
	}
	return out
}

// robust is the standard deviation of errors as their middle half shows it, so
// that the odd ones among them do not count. sizes are their sizes in order.
func robust(errors []float64) (deviation float64, sizes []float64) {
	for _, e := range errors {
		if !math.IsNaN(e) {
			sizes = append(sizes, math.Abs(e))
		}
	}
	slices.Sort(sizes)
	return 1.4826 * quantile(sizes, 0.5), sizes
}

// markAnomalies finds the values outside the 95 % band of one step. The band is
// that of the normal distribution, or wider where errors have longer tails.
func (h *history) markAnomalies(r *Result, c candidate) {
	errors := h.errors(c)
	deviation, sizes := robust(errors)
	wide := max(1.96*deviation, quantile(sizes, 0.95))
	for i, e := range errors {
		if math.Abs(e) > wide*(1+1e-9) && math.Abs(e) > 1e-9 {
			r.Anomalies = append(r.Anomalies, i)
		}
	}
}

// Values are spikes from this many standard deviations on, and left out if
// they are at most this share of all: where there are more they are the nature
// of the series.
const (
	spikeSize  = 6
	spikeShare = 0.02
)

// leaveOutSpikes leaves values out of learning that are far off where the next
// is not: the best smoothing among the candidates decides. It tells whether it
// found any.
func (h *history) leaveOutSpikes(list []candidate) bool {
	var best *fitted
	for _, c := range list {
		if f, ok := c.(*fitted); ok && (best == nil || f.aicc < best.aicc) {
			best = f
		}
	}
	if best == nil {
		return false
	}
	deviation, _ := robust(h.errors(best))
	if deviation == 0 {
		return false
	}
	y := slices.Clone(h.transformed(best.lambda))
	limit := spikeSize * deviation
	far := func(v, expected float64) bool {
		if best.ratio {
			return math.Abs(v/expected-1) > limit
		}
		return math.Abs(v-expected) > limit
	}
	s := best.begin.clone()
	var spikes []int
	expected := make([]float64, 1)
	for i := range y {
		if i+1 < len(y) && !math.IsNaN(y[i]) {
			if now := best.ahead(best.weights, &s, 2); far(y[i], now[0]) && !math.IsNaN(y[i+1]) && !far(y[i+1], now[1]) {
				spikes = append(spikes, i)
				y[i] = math.NaN()
			}
		}
		best.follow(best.weights, &s, y[i:i+1], expected)
	}
	if len(spikes) == 0 || float64(len(spikes)) > max(1, spikeShare*float64(len(y))) {
		return false
	}
	for _, i := range spikes {
		h.y[i] = math.NaN()
	}
	clear(h.powers)
	return true
}

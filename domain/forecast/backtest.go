package forecast

import (
	"math"
	"slices"
	"sort"
)

// trial is a candidate with what it forecast in the back-test.
type trial struct {
	candidate
	paths [][]float64 // by origin
	off   float64     // mean absolute error
}

// origins are the numbers of periods known from which the back-test forecasts:
// they lie in the newest fifth of the history, or in as much of it as two
// horizons need, a third at most.
func (h *history) origins() []int {
	n := len(h.y)
	held := min(n/3, max(2*h.horizon, n/5))
	var list []int
	for o := n - held; o < n; o += max(1, held/48) {
		list = append(list, o)
	}
	return list
}

// run chooses a method and forecasts.
func (h *history) run() Result {
	origins := h.origins()
	list := h.candidates(origins[0])
	if h.leaveOutSpikes(list) {
		list = h.candidates(origins[0])
	}
	trials := make([]trial, len(list))
	for i, c := range list {
		trials[i] = h.try(c, origins)
	}
	sort.SliceStable(trials, func(i, j int) bool { return trials[i].off < trials[j].off })
	return h.finish(h.choose(trials, origins), origins)
}

func (h *history) try(c candidate, origins []int) trial {
	t := trial{candidate: c, paths: c.forecast(h, origins)}
	sum, count := 0.0, 0
	h.each(t.paths, origins, func(_ int, forecast, actual float64) {
		sum += math.Abs(actual - forecast)
		count++
	})
	t.off = sum / float64(count)
	if math.IsNaN(t.off) {
		t.off = math.Inf(1)
	}
	return t
}

// each calls f with every forecast of the back-test whose value is known.
func (h *history) each(paths [][]float64, origins []int, f func(step int, forecast, actual float64)) {
	for k, o := range origins {
		for i, v := range paths[k] {
			if o+i < len(h.raw) && !math.IsNaN(h.raw[o+i]) {
				f(i, v, h.raw[o+i])
			}
		}
	}
}

// choose takes the best, or a mean of up to four of the best where that does
// better still. The naive methods are part of a mean only where seasons are
// long: elsewhere they add noise.
func (h *history) choose(trials []trial, origins []int) trial {
	best := trials[0]
	var parts mixture
	for _, t := range trials {
		if r, ok := t.candidate.(repeat); !ok || r.lag > longSeason {
			parts = append(parts, t.candidate)
		}
	}
	for k := 2; k <= min(len(parts), 4); k++ {
		if t := h.try(parts[:k:k], origins); t.off < best.off {
			best = t
		}
	}
	return best
}

// finish learns from the whole history and forecasts.
func (h *history) finish(t trial, origins []int) Result {
	n := len(h.y)
	c := t.learn(h, n)
	mean := c.forecast(h, []int{n})[0]
	if !h.sane(mean) {
		// What was stable on the older part need not be on all of it.
		mean = t.forecast(h, []int{n})[0]
	}
	r := Result{Method: c.name(), Seasons: c.uses(), Origins: len(origins), Mean: mean}
	h.bands(&r, &t, origins, c.spread(h.horizon))
	h.measure(&r, &t, origins)
	h.markAnomalies(&r, c)
	for _, list := range [][]float64{r.Mean, r.Low80, r.High80, r.Low95, r.High95} {
		for i := range list {
			list[i] *= h.scale
		}
	}
	return r
}

// sane tells whether a forecast stays where numbers are. Values are at most 1.
func (h *history) sane(mean []float64) bool {
	for _, v := range mean {
		if !isNumber(v) || math.Abs(v) > 20 {
			return false
		}
	}
	return true
}

// bands puts the bands around the middle: the shape says how errors grow with
// the distance, the back-test how large they are.
func (h *history) bands(r *Result, t *trial, origins []int, shape []float64) {
	lambda := t.power()
	var errors []float64
	h.each(t.paths, origins, func(step int, forecast, actual float64) {
		if lambda == 1 || forecast > 0 {
			errors = append(errors, math.Abs(forward(actual, lambda)-forward(forecast, lambda))/shape[step])
		}
	})
	slices.Sort(errors)
	// The winner of a trial flatters itself, the more the fewer horizons the
	// trial had room for. Measured over many series.
	luck := 1.08 + 0.35*float64(h.horizon)/float64(len(h.y)-origins[0])
	wide80 := quantile(errors, 0.80) * luck
	wide95 := max(quantile(errors, 0.95)*luck, 1.3*wide80)
	around := func(wide float64) (low, high []float64) {
		for i, v := range r.Mean {
			w := wide * shape[i]
			if lambda != 1 && v > 0 {
				low, high = append(low, back(forward(v, lambda)-w, lambda)), append(high, back(forward(v, lambda)+w, lambda))
			} else {
				low, high = append(low, max(v-w, h.low)), append(high, v+w)
			}
		}
		return low, high
	}
	r.Low80, r.High80 = around(wide80)
	r.Low95, r.High95 = around(wide95)
}

// quantile is that of a sample seen as one of many: of the values in order, the
// one that the share p of further values should not exceed. 0 for no values.
func quantile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := int(math.Ceil(p*float64(len(sorted)+1))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// measure says how far off the back-test was.
func (h *history) measure(r *Result, t *trial, origins []int) {
	share, count, zeros := 0.0, 0, 0
	h.each(t.paths, origins, func(_ int, forecast, actual float64) {
		count++
		if actual == 0 {
			zeros++
			return
		}
		share += math.Abs((actual - forecast) / actual)
	})
	r.MAPE, r.MASE = math.NaN(), math.NaN()
	if zeros == 0 && count > 0 {
		r.MAPE = share / float64(count)
	}
	lag := 1
	if len(h.seasons) > 0 {
		lag = h.seasons[0]
	}
	sum, n := 0.0, 0
	for i := lag; i < origins[0]; i++ {
		if d := math.Abs(h.raw[i] - h.raw[i-lag]); !math.IsNaN(d) {
			sum, n = sum+d, n+1
		}
	}
	if sum > 0 {
		r.MASE = t.off / (sum / float64(n))
	}
}

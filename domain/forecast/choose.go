package forecast

import (
	"math"
	"sort"
	"strings"
)

// candidate is a way to forecast that was learnt from some of the history.
type candidate interface {
	name() string
	uses() []int    // seasons
	power() float64 // Box-Cox power at which its errors are of one size
	// learn learns anew from the first n periods.
	learn(h *history, n int) candidate
	// forecast forecasts from each of the origins, numbers of periods known,
	// in ascending order.
	forecast(h *history, origins []int) [][]float64
	// spread is by how much errors grow with the distance.
	spread(horizon int) []float64
	// steps are the values that were expected one period before; NaN where
	// there was nothing yet to expect them from.
	steps(h *history) []float64
}

func (f *fitted) name() string { return f.String() }
func (f *fitted) uses() []int  { return f.seasons }
func (f *fitted) power() float64 {
	if f.ratio {
		return 0
	}
	return f.lambda
}

func (f *fitted) learn(h *history, n int) candidate {
	y := h.transformed(f.lambda)[:n]
	again := f.model.fit(y, h.filled(f.lambda)[:n], f.point, evalBudget(n, f.size()))
	return &again
}

func (f *fitted) forecast(h *history, origins []int) [][]float64 {
	y := h.transformed(f.lambda)
	s := f.begin.clone()
	at := 0
	var paths [][]float64
	for _, o := range origins {
		f.follow(f.weights, &s, y[at:o], nil)
		at = o
		path := f.ahead(f.weights, &s, h.horizon)
		for i := range path {
			path[i] = max(back(path[i], f.lambda), h.low)
		}
		paths = append(paths, path)
	}
	return paths
}

func (f *fitted) spread(horizon int) []float64 { return f.model.spread(f.weights, horizon) }

func (f *fitted) steps(h *history) []float64 {
	out := make([]float64, len(h.y))
	s := f.begin.clone()
	f.follow(f.weights, &s, h.transformed(f.lambda), out)
	for i := range out {
		out[i] = back(out[i], f.lambda)
	}
	return out
}

// repeat is the naive method: the mean of the same phase of the last seasons,
// or the last value.
type repeat struct{ lag, cycles int }

func (r repeat) name() string {
	if r.lag == 1 {
		return "naive"
	}
	if r.cycles > 1 {
		return "seasonal mean"
	}
	return "seasonal naive"
}

func (r repeat) uses() []int {
	if r.lag == 1 {
		return nil
	}
	return []int{r.lag}
}
func (r repeat) power() float64                { return 1 }
func (r repeat) learn(*history, int) candidate { return r }

func (r repeat) forecast(h *history, origins []int) [][]float64 {
	y := h.filled(1)
	var paths [][]float64
	for _, o := range origins {
		path := make([]float64, h.horizon)
		for i := range path {
			at := o - r.lag + i%r.lag
			n := 0
			for c := 0; c < r.cycles && at-c*r.lag >= 0; c++ {
				path[i] += y[at-c*r.lag]
				n++
			}
			path[i] /= float64(n)
		}
		paths = append(paths, path)
	}
	return paths
}

func (r repeat) spread(horizon int) []float64 {
	out := make([]float64, horizon)
	for i := range out {
		out[i] = math.Sqrt(float64(i/r.lag + 1))
		if r.cycles > 1 {
			out[i] = 1
		}
	}
	return out
}

func (r repeat) steps(h *history) []float64 {
	out := make([]float64, len(h.y))
	for i := range out {
		out[i] = math.NaN()
		if i >= r.lag*r.cycles {
			out[i] = 0
			for c := 1; c <= r.cycles; c++ {
				out[i] += h.filled(1)[i-c*r.lag] / float64(r.cycles)
			}
		}
	}
	return out
}

// mixture is the mean of several.
type mixture []candidate

func (m mixture) name() string {
	names := make([]string, len(m))
	for i, c := range m {
		names[i] = c.name()
	}
	return "mean of " + strings.Join(names, ", ")
}
func (m mixture) uses() []int    { return m[0].uses() }
func (m mixture) power() float64 { return m[0].power() }
func (m mixture) learn(h *history, n int) candidate {
	out := make(mixture, len(m))
	for i, c := range m {
		out[i] = c.learn(h, n)
	}
	return out
}

func (m mixture) forecast(h *history, origins []int) [][]float64 {
	var paths [][]float64
	for i, c := range m {
		for k, path := range c.forecast(h, origins) {
			if i == 0 {
				paths = append(paths, make([]float64, len(path)))
			}
			for j, v := range path {
				paths[k][j] += v / float64(len(m))
			}
		}
	}
	return paths
}
func (m mixture) spread(horizon int) []float64 { return m[0].spread(horizon) }

func (m mixture) steps(h *history) []float64 {
	out := make([]float64, len(h.y))
	for _, c := range m {
		for i, v := range c.steps(h) {
			out[i] += v / float64(len(m))
		}
	}
	return out
}

// models are the kinds of smoothing for a set of seasons.
func (h *history) models(seasons []int) []model {
	var list []model
	long := len(seasons) > 0 && seasons[len(seasons)-1] > longSeason
	lambdas := h.lambdas
	if long {
		lambdas = lambdas[len(lambdas)-1:]
	}
	for _, lambda := range lambdas {
		for _, tr := range []trend{flat, damped, linear} {
			if tr == linear && long {
				continue
			}
			list = append(list, model{lambda: lambda, trend: tr, seasons: seasons, fades: long})
		}
	}
	if len(h.lambdas) > 1 && len(seasons) == 1 && !long {
		list = append(list, model{lambda: 1, ratio: true, trend: damped, seasons: seasons}, model{lambda: 1, ratio: true, trend: linear, seasons: seasons})
	}
	return list
}

// seasonSets are the combinations of seasons that n periods can show.
func (h *history) seasonSets(n int) [][]int {
	sets := [][]int{nil}
	fits := func(m int) bool { return n >= 2*m+2 }
	for _, m := range h.seasons {
		if fits(m) {
			sets = append(sets, []int{m})
		}
	}
	if len(h.seasons) == 2 && fits(h.seasons[1]) {
		sets = [][]int{{h.seasons[0]}, h.seasons}
	}
	return sets
}

// candidates learns all that is tried from the first n periods: of smoothing
// those that fit best for each set of seasons.
func (h *history) candidates(n int) []candidate {
	var all []candidate
	jacobian := 0.0
	for _, v := range h.y[:n] {
		if v > 0 {
			jacobian += math.Log(v)
		}
	}
	for _, set := range h.seasonSets(n) {
		var group []fitted
		for _, m := range h.models(set) {
			f := m.fit(h.transformed(m.lambda)[:n], h.filled(m.lambda)[:n], nil, evalBudget(n, m.size()))
			if m.lambda != 1 {
				f.aicc -= 2 * (m.lambda - 1) * jacobian
			}
			group = append(group, f)
		}
		sort.SliceStable(group, func(i, j int) bool { return group[i].aicc < group[j].aicc })
		for i := range group[:min(len(group), topModels)] {
			all = append(all, &group[i])
		}
		if len(set) > 0 && set[len(set)-1] > longSeason {
			l := newLagged(h.lambdas[len(h.lambdas)-1], set)
			if n > l.longest()+20*len(l.lags) {
				all = append(all, l.learn(h, n))
			}
		}
	}
	for _, lag := range append([]int{1}, h.seasons...) {
		if n > lag {
			all = append(all, repeat{lag, 1})
		}
		if lag > longSeason && n > 3*lag {
			all = append(all, repeat{lag, 3})
		}
	}
	return all
}

// topModels are kept of each set of seasons.
const topModels = 3

// evalBudget is how long a search may take.
func evalBudget(n, size int) int {
	return min(60*size, max(25*size, 200_000/n))
}

// longSeason is the longest season whose phases smoothing learns well one by
// one; beyond it, autoregression and means over seasons join in.
const longSeason = 12

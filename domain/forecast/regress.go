package forecast

import "math"

// lagged is an autoregression: each value is a sum of those some periods and
// some seasons before, with weights by least squares. Where the load of today
// says much of that of tomorrow at the same hour, it does better than seasons
// that change slowly.
type lagged struct {
	lambda  float64
	seasons []int
	lags    []int
	weight  []float64
	middle  float64
}

// newLagged is an autoregression over those seasons, not learnt yet.
func newLagged(lambda float64, seasons []int) *lagged {
	l := &lagged{lambda: lambda, seasons: seasons, lags: []int{1, 2}}
	for _, m := range seasons {
		l.lags = append(l.lags, m, m+1)
	}
	longest := seasons[len(seasons)-1]
	l.lags = append(l.lags, 2*longest, 2*longest+1)
	return l
}

func (l *lagged) longest() int { return l.lags[len(l.lags)-1] }

func (l *lagged) name() string {
	return powerName(l.lambda) + "seasonal autoregression"
}

func (l *lagged) uses() []int    { return l.seasons }
func (l *lagged) power() float64 { return l.lambda }

func (l *lagged) learn(h *history, n int) candidate {
	y := h.filled(l.lambda)[:n]
	out := *l
	out.middle = mean(y)
	k := len(l.lags)
	a, b := make([][]float64, k), make([]float64, k)
	for i := range a {
		a[i] = make([]float64, k)
	}
	x := make([]float64, k)
	for t := l.longest(); t < n; t++ {
		if math.IsNaN(h.y[t]) {
			continue
		}
		for i, lag := range l.lags {
			x[i] = y[t-lag] - out.middle
		}
		v := y[t] - out.middle
		for i := range x {
			for j := 0; j <= i; j++ {
				a[i][j] += x[i] * x[j]
			}
			b[i] += x[i] * v
		}
	}
	out.weight = solve(a, b)
	return &out
}

// solve gives x with ax = b for a symmetric a whose lower half is given, by
// Cholesky's method, with a touch of ridge so that it always exists.
func solve(a [][]float64, b []float64) []float64 {
	n := len(b)
	trace := 0.0
	for i := range a {
		trace += a[i][i] / float64(n)
	}
	for i := range a {
		a[i][i] += 1e-4*trace + 1e-12
	}
	for i := range n {
		for j := 0; j <= i; j++ {
			sum := a[i][j]
			for k := range j {
				sum -= a[i][k] * a[j][k]
			}
			if i == j {
				a[i][i] = math.Sqrt(math.Max(sum, 1e-12))
			} else {
				a[i][j] = sum / a[j][j]
			}
		}
	}
	x := make([]float64, n)
	for i := range n {
		x[i] = b[i]
		for k := range i {
			x[i] -= a[i][k] * x[k]
		}
		x[i] /= a[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			x[i] -= a[k][i] * x[k]
		}
		x[i] /= a[i][i]
	}
	return x
}

func (l *lagged) forecast(h *history, origins []int) [][]float64 {
	y := h.filled(l.lambda)
	paths := make([][]float64, len(origins))
	reach := l.longest()
	for k, o := range origins {
		work := make([]float64, reach, reach+h.horizon)
		copy(work, y[o-reach:o])
		path := make([]float64, h.horizon)
		for i := range path {
			v := l.middle
			for j, lag := range l.lags {
				v += l.weight[j] * (work[len(work)-lag] - l.middle)
			}
			work = append(work, v)
			path[i] = max(back(v, l.lambda), h.low)
		}
		paths[k] = path
	}
	return paths
}

func (l *lagged) steps(h *history) []float64 {
	y := h.filled(l.lambda)
	out := make([]float64, len(y))
	for t := range out {
		if t < l.longest() {
			out[t] = math.NaN()
			continue
		}
		v := l.middle
		for j, lag := range l.lags {
			v += l.weight[j] * (y[t-lag] - l.middle)
		}
		out[t] = back(v, l.lambda)
	}
	return out
}

func (l *lagged) spread(horizon int) []float64 {
	response := make([]float64, horizon)
	out := make([]float64, horizon)
	sum := 0.0
	for i := range response {
		if i == 0 {
			response[i] = 1
		}
		for j, lag := range l.lags {
			if i >= lag {
				response[i] += l.weight[j] * response[i-lag]
			}
		}
		sum += response[i] * response[i]
		out[i] = math.Sqrt(sum)
	}
	return out
}

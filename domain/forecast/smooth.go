package forecast

import (
	"fmt"
	"math"
)

// trend is how the level of a model goes on.
type trend int

const (
	flat trend = iota
	linear
	damped
)

// model is one kind of exponential smoothing in innovations form (Hyndman et
// al. 2008; with two seasons and an autoregressive error, De Livera et al.
// 2011): a level, perhaps with a slope, up to two seasons and perhaps an error
// that fades from period to period instead of at once.
type model struct {
	lambda  float64 // Box-Cox power of the values; 1 leaves them, 0 is the logarithm
	ratio   bool    // season and error multiply instead of adding
	trend   trend
	seasons []int // none, one or two, shortest first
	fades   bool
}

// String is the name in the usual notation: error, trend, season.
func (m model) String() string {
	part, season := "A", "A"
	if m.ratio {
		part, season = "M", "M"
	}
	if len(m.seasons) == 0 {
		season = "N"
	}
	name := fmt.Sprintf("ETS(%s,%s,%s)", part, [...]string{"N", "A", "Ad"}[m.trend], season)
	if len(m.seasons) > 1 {
		name = "double-seasonal " + name
	}
	if m.fades {
		name += " + AR(1)"
	}
	return powerName(m.lambda) + name
}

// weights are the smoothing parameters: how much of an error each part of the
// state takes on.
type weights struct {
	level, slope, fade, keep float64 // fade: of the slope; keep: of the error
	season                   [2]float64
}

// state is what a model knows after a period.
type state struct {
	level, slope, carry float64
	season              [2][]float64 // a ring each
	phase               [2]int       // place in the ring of the period to come
}

func (s state) clone() state {
	for k := range s.season {
		s.season[k] = append([]float64(nil), s.season[k]...)
	}
	return s
}

// size is the number of free weights.
func (m model) size() int {
	n := 1 + len(m.seasons)
	if m.trend != flat {
		n++
	}
	if m.trend == damped {
		n++
	}
	if m.fades {
		n++
	}
	return n
}

func between(low, high, x float64) float64 { return low + (high-low)/(1+math.Exp(-x)) }

// weights maps any point to weights that keep the model stable.
func (m model) weights(x []float64) weights {
	w := weights{fade: 1}
	next := func(low, high float64) float64 {
		v := between(low, high, x[0])
		x = x[1:]
		return v
	}
	w.level = next(1e-4, 0.9999)
	for k := range m.seasons {
		w.season[k] = next(1e-4, 1) * (1 - w.level)
	}
	if m.trend != flat {
		w.slope = next(1e-4, 1) * w.level
	}
	if m.trend == damped {
		w.fade = next(0.8, 0.98)
	}
	if m.fades {
		w.keep = next(0, 0.995)
	}
	return w
}

// start is where the search for weights begins.
func (m model) start() []float64 {
	x := []float64{-1}
	for range m.seasons {
		x = append(x, -2)
	}
	if m.trend != flat {
		x = append(x, -2)
	}
	if m.trend == damped {
		x = append(x, 1)
	}
	if m.fades {
		x = append(x, 1)
	}
	return x
}

// follow goes on through the values y and changes the state. What was expected
// of each is written to steps where it is not nil. The sum is that of the
// squared errors of known values, logs that of the logarithms of what the
// errors are relative to.
func (m model) follow(w weights, s *state, y, steps []float64) (sum, logs float64, known int) {
	var one, two []float64
	a, b := 0, 0
	if len(m.seasons) > 0 {
		one, a = s.season[0], s.phase[0]
	}
	if len(m.seasons) > 1 {
		two, b = s.season[1], s.phase[1]
	}
	level, slope, carry := s.level, s.slope, s.carry
	for t, v := range y {
		base := level + w.fade*slope
		expected := base
		if m.ratio {
			if one != nil {
				expected *= one[a]
			}
			if math.Abs(expected) < 1e-12 {
				expected = math.Copysign(1e-12, expected)
			}
			d := 0.0
			if v == v {
				d = v/expected - 1
				sum, logs, known = sum+d*d, logs+math.Log(math.Abs(expected)), known+1
			}
			level = base * (1 + w.level*d)
			slope = w.fade*slope + w.slope*base*d
			if one != nil {
				one[a] *= 1 + w.season[0]*d
			}
		} else {
			expected += w.keep * carry
			if one != nil {
				expected += one[a]
			}
			if two != nil {
				expected += two[b]
			}
			d := w.keep * carry
			if v == v {
				e := v - expected
				d += e
				sum, known = sum+e*e, known+1
			}
			level = base + w.level*d
			slope = w.fade*slope + w.slope*d
			if one != nil {
				one[a] += w.season[0] * d
			}
			if two != nil {
				two[b] += w.season[1] * d
			}
			carry = d
		}
		if steps != nil {
			steps[t] = expected
		}
		if one != nil {
			if a++; a == len(one) {
				a = 0
			}
		}
		if two != nil {
			if b++; b == len(two) {
				b = 0
			}
		}
	}
	s.level, s.slope, s.carry, s.phase = level, slope, carry, [2]int{a, b}
	return sum, logs, known
}

// ahead is what the state expects of the periods to come.
func (m model) ahead(w weights, s *state, horizon int) []float64 {
	out := make([]float64, horizon)
	level, slope, carry := s.level, s.slope, s.carry
	for h := range out {
		slope *= w.fade
		level += slope
		// What the error leaves behind moves the state as long as it lasts.
		carry *= w.keep
		out[h] = level + carry
		for k := range m.seasons {
			v := s.season[k][(s.phase[k]+h)%m.seasons[k]]
			if m.ratio {
				out[h] *= v
			} else {
				out[h] += v
			}
		}
		level += w.level * carry
		slope += w.slope * carry
	}
	return out
}

// spread is by how much the error grows with the distance, relative to that of
// one step.
func (m model) spread(w weights, horizon int) []float64 {
	// The response to an error of one, step by step, with an empty state.
	s := state{}
	for k, n := range m.seasons {
		s.season[k] = make([]float64, n)
	}
	plain := m
	plain.ratio = false
	plain.follow(w, &s, []float64{1}, nil)
	response := plain.ahead(w, &s, horizon)
	out := make([]float64, horizon)
	sum := 1.0
	for h := range out {
		out[h] = math.Sqrt(sum)
		sum += response[h] * response[h]
	}
	return out
}

// fitted is a model with its weights and the state that it starts from.
type fitted struct {
	model
	weights
	point []float64 // the weights as the search sees them
	begin state
	aicc  float64
}

// fit looks for the weights with the least squared error over y, which are
// transformed values with NaN for missing ones. filled are the same without
// gaps. from is where the search begins; nil for the usual place.
func (m model) fit(y, filled []float64, from []float64, evals int) fitted {
	f := fitted{model: m, begin: m.begin(filled)}
	buffer := f.begin.clone()
	reset := func() *state {
		for k := range f.begin.season {
			copy(buffer.season[k], f.begin.season[k])
		}
		buffer.level, buffer.slope, buffer.carry, buffer.phase = f.begin.level, f.begin.slope, 0, f.begin.phase
		return &buffer
	}
	cost := func(x []float64) float64 {
		sum, logs, known := m.follow(m.weights(x), reset(), y, nil)
		if known == 0 {
			return math.Inf(1)
		}
		return float64(known)*math.Log(sum/float64(known)+1e-300) + 2*logs
	}
	if from == nil {
		from = m.start()
	}
	f.point = minimise(cost, append([]float64(nil), from...), evals)
	f.weights = m.weights(f.point)
	sum, logs, known := m.follow(f.weights, reset(), y, nil)
	n, k := float64(known), float64(m.size()+2)
	if m.trend != flat {
		k++
	}
	for _, season := range m.seasons {
		k += float64(season - 1)
	}
	f.aicc = math.Inf(1)
	if n > k+1 {
		f.aicc = n*math.Log(sum/n+1e-300) + 2*logs + 2*k + 2*k*(k+1)/(n-k-1)
	}
	return f
}

package forecast

import "math"

// forward and back are the Box-Cox transformation with the power lambda.
func forward(v, lambda float64) float64 {
	switch lambda {
	case 0:
		return math.Log(v)
	case 1:
		return v
	}
	return (math.Pow(v, lambda) - 1) / lambda
}

func back(v, lambda float64) float64 {
	switch lambda {
	case 0:
		return math.Exp(v)
	case 1:
		return v
	}
	return math.Pow(max(lambda*v+1, 0), 1/lambda)
}

// prepared are the values at one power.
type prepared struct{ y, filled []float64 }

func (h *history) prepare(lambda float64) prepared {
	if p, ok := h.powers[lambda]; ok {
		return p
	}
	p := prepared{y: make([]float64, len(h.y))}
	for i, v := range h.y {
		p.y[i] = forward(v, lambda)
	}
	season := 0
	if len(h.seasons) > 0 {
		season = h.seasons[len(h.seasons)-1]
	}
	p.filled = fill(p.y, season)
	h.powers[lambda] = p
	return p
}

// transformed are the values at that power; NaN is missing.
func (h *history) transformed(lambda float64) []float64 { return h.prepare(lambda).y }

// filled are the same with something likely in the place of what is missing.
func (h *history) filled(lambda float64) []float64 { return h.prepare(lambda).filled }

func powerName(lambda float64) string {
	switch lambda {
	case 0:
		return "log "
	case 0.5:
		return "square-root "
	}
	return ""
}

package forecast

import (
	"math"
	"sort"
)

// minimise looks for the least of f near start by the simplex of Nelder and
// Mead (1965), for at most evals calls of f. Steps are of size 1 at first. It
// changes and returns start.
func minimise(f func([]float64) float64, start []float64, evals int) []float64 {
	n := len(start)
	if n == 0 {
		return start
	}
	type corner struct {
		x []float64
		f float64
	}
	at := func(x []float64) corner {
		evals--
		v := f(x)
		if math.IsNaN(v) {
			v = math.Inf(1)
		}
		return corner{x, v}
	}
	corners := make([]corner, 0, n+1)
	corners = append(corners, at(append([]float64(nil), start...)))
	for i := range n {
		x := append([]float64(nil), start...)
		x[i]++
		corners = append(corners, at(x))
	}
	middle := make([]float64, n)
	// along is the point that lies as far from the middle as the worst corner,
	// times by.
	along := func(by float64) corner {
		x := make([]float64, n)
		for i := range x {
			x[i] = middle[i] + by*(corners[n].x[i]-middle[i])
		}
		return at(x)
	}
	for {
		sort.SliceStable(corners, func(i, j int) bool { return corners[i].f < corners[j].f })
		best, worst := corners[0].f, corners[n].f
		if evals <= 0 || worst-best <= 1e-5*(math.Abs(best)+1e-9) {
			break
		}
		for i := range middle {
			middle[i] = 0
			for _, c := range corners[:n] {
				middle[i] += c.x[i] / float64(n)
			}
		}
		mirrored := along(-1)
		switch {
		case mirrored.f < best:
			if further := along(-2); further.f < mirrored.f {
				mirrored = further
			}
			corners[n] = mirrored
		case mirrored.f < corners[n-1].f:
			corners[n] = mirrored
		default:
			if mirrored.f < worst {
				corners[n] = mirrored
			}
			nearer := along(0.5)
			if nearer.f < corners[n].f {
				corners[n] = nearer
				continue
			}
			for k := 1; k <= n; k++ {
				x := make([]float64, n)
				for i := range x {
					x[i] = (corners[0].x[i] + corners[k].x[i]) / 2
				}
				corners[k] = at(x)
			}
		}
	}
	return corners[0].x
}

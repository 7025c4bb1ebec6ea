package forecast

import (
	"math"
	"slices"
)

// Seasons are the usual season lengths of periods of that grain, in periods,
// shortest first: a week of days and a year of days for "day".
func Seasons(grain string) []int {
	switch grain {
	case "minute":
		return []int{60, 1440}
	case "quarter_hour":
		return []int{96, 672}
	case "half_hour":
		return []int{48, 336}
	case "hour":
		return []int{24, 168}
	case "day":
		return []int{7, 365}
	case "week":
		return []int{52}
	case "month":
		return []int{12}
	case "quarter":
		return []int{4}
	}
	return nil
}

// fill puts something likely in the place of missing values: what stands one
// season before and after, else a line between the neighbours.
func fill(y []float64, season int) []float64 {
	out := slices.Clone(y)
	known := func(i int) bool { return i >= 0 && i < len(y) && !math.IsNaN(y[i]) }
	for i, v := range y {
		if !math.IsNaN(v) {
			continue
		}
		if season > 1 && known(i-season) && known(i+season) {
			out[i] = (y[i-season] + y[i+season]) / 2
			continue
		}
		before, after := i-1, i+1
		for before >= 0 && !known(before) {
			before--
		}
		for after < len(y) && !known(after) {
			after++
		}
		switch {
		case before < 0 && after == len(y):
			out[i] = 0
		case before < 0:
			out[i] = y[after]
		case after == len(y):
			out[i] = y[before]
		default:
			share := float64(i-before) / float64(after-before)
			out[i] = y[before]*(1-share) + y[after]*share
		}
	}
	return out
}

// course is the mean over one season around each period; NaN near the ends.
func course(y []float64, season int) []float64 {
	out := make([]float64, len(y))
	half := season / 2
	sums := make([]float64, len(y)+1)
	for i, v := range y {
		sums[i+1] = sums[i] + v
	}
	for i := range y {
		out[i] = math.NaN()
		if i-half < 0 || i+half >= len(y) {
			continue
		}
		if season%2 == 1 {
			out[i] = (sums[i+half+1] - sums[i-half]) / float64(season)
		} else {
			out[i] = (sums[i+half] - sums[i-half+1] + (y[i-half]+y[i+half])/2) / float64(season)
		}
	}
	return out
}

// profile is the mean of each phase of a season, around zero, of values with
// gaps.
func profile(y []float64, season int) []float64 {
	sum, count := make([]float64, season), make([]int, season)
	for i, v := range y {
		if !math.IsNaN(v) {
			sum[i%season] += v
			count[i%season]++
		}
	}
	mean := 0.0
	for i := range sum {
		if count[i] > 0 {
			sum[i] /= float64(count[i])
		}
		mean += sum[i] / float64(season)
	}
	for i := range sum {
		sum[i] -= mean
	}
	return sum
}

// begin is the state before the first of the values: level, slope and seasons
// of the first seasons.
func (m model) begin(y []float64) state {
	s := state{}
	if len(m.seasons) == 0 {
		head := y[:min(len(y), 10)]
		s.level, s.slope = line(head)
		if m.trend == flat {
			s.level, s.slope = mean(head), 0
		}
		return s
	}
	longest := m.seasons[len(m.seasons)-1]
	head := y[:min(len(y), longest*cyclesAtFirst)]
	base := course(head, longest)
	rest := make([]float64, len(head))
	for i := range rest {
		if m.ratio {
			rest[i] = head[i]/base[i] - 1
		} else {
			rest[i] = head[i] - base[i]
		}
	}
	for k, season := range m.seasons {
		s.season[k] = profile(rest, season)
		for i := range rest {
			rest[i] -= s.season[k][i%season]
		}
	}
	level := make([]float64, len(head))
	for i := range head {
		level[i] = head[i]
		for k, season := range m.seasons {
			if m.ratio {
				level[i] /= math.Max(1+s.season[k][i%season], 0.01)
			} else {
				level[i] -= s.season[k][i%season]
			}
		}
	}
	if m.ratio {
		for i := range s.season[0] {
			s.season[0][i] = math.Max(1+s.season[0][i], 0.01)
		}
	}
	s.level, s.slope = line(level)
	if m.trend == flat {
		s.level, s.slope = mean(level[:min(len(level), m.seasons[0])]), 0
	}
	return s
}

// line is the straight line through y by least squares: its value one period
// before the first, and its slope.
func line(y []float64) (before, slope float64) {
	n := float64(len(y))
	if len(y) < 2 {
		return mean(y), 0
	}
	middle, total := (n-1)/2, mean(y)
	var xy, xx float64
	for i, v := range y {
		x := float64(i) - middle
		xy += x * v
		xx += x * x
	}
	slope = xy / xx
	return total - slope*(middle+1), slope
}

func mean(y []float64) float64 {
	sum := 0.0
	for _, v := range y {
		sum += v
	}
	return sum / float64(max(len(y), 1))
}

// strength is how much of what varies around the course of y is the season, 0
// to 1 (Wang, Smith and Hyndman 2006), less what chance would give.
func strength(y []float64, season int) float64 {
	base := course(y, season)
	rest := make([]float64, len(y))
	n := 0
	for i := range y {
		rest[i] = y[i] - base[i]
		if !math.IsNaN(rest[i]) {
			n++
		}
	}
	if n < season+2 {
		return 0
	}
	// A few values far off must not hide what all others show.
	deviation, _ := robust(rest)
	if limit := 4 * deviation; limit > 0 {
		for i, v := range rest {
			if math.Abs(v) > limit {
				rest[i] = math.Copysign(limit, v)
			}
		}
	}
	shape := profile(rest, season)
	var all, left float64
	for i, v := range rest {
		if !math.IsNaN(v) {
			all += v * v
			left += (v - shape[i%season]) * (v - shape[i%season])
		}
	}
	if all == 0 {
		return 0
	}
	return 1 - left/float64(n-season)/(all/float64(n-1))
}

// cyclesAtFirst are the seasons that a model starts from.
const cyclesAtFirst = 4

package charts

import "math"

// thin keeps at most n of the points by largest-triangle-three-buckets
// (Steinarsson 2013): the shape of the line stays. Points are indices into y,
// which has no NaN. The first and the last are always kept.
func thin(x, y []float64, n int) []int {
	if n >= len(y) || n < 3 {
		all := make([]int, len(y))
		for i := range all {
			all[i] = i
		}
		return all
	}
	kept := make([]int, 0, n)
	kept = append(kept, 0)
	every := float64(len(y)-2) / float64(n-2)
	last := 0
	for b := range n - 2 {
		from, to := int(float64(b)*every)+1, int(float64(b+1)*every)+1
		// The mean of the next bucket stands for what comes.
		nextFrom, nextTo := to, min(int(float64(b+2)*every)+1, len(y))
		meanX, meanY := 0.0, 0.0
		for i := nextFrom; i < nextTo; i++ {
			meanX += x[i]
			meanY += y[i]
		}
		count := float64(nextTo - nextFrom)
		meanX, meanY = meanX/count, meanY/count
		best, largest := from, -1.0
		for i := from; i < to; i++ {
			area := math.Abs((x[last]-meanX)*(y[i]-y[last]) - (x[last]-x[i])*(meanY-y[last]))
			if area > largest {
				best, largest = i, area
			}
		}
		kept = append(kept, best)
		last = best
	}
	return append(kept, len(y)-1)
}

// thinGaps thins a line with gaps (NaN): every stretch gets its share of the
// points, and a gap stays a gap.
func thinGaps(x, y []float64, n int) []int {
	if len(y) <= n {
		return thin(x, y, len(y))
	}
	var kept []int
	for start := 0; start < len(y); {
		if math.IsNaN(y[start]) {
			if len(kept) > 0 && !math.IsNaN(y[kept[len(kept)-1]]) {
				kept = append(kept, start)
			}
			start++
			continue
		}
		end := start
		for end < len(y) && !math.IsNaN(y[end]) {
			end++
		}
		share := max(3, n*(end-start)/len(y))
		for _, i := range thin(x[start:end], y[start:end], share) {
			kept = append(kept, start+i)
		}
		start = end
	}
	return kept
}

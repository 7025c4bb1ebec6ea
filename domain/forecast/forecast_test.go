package forecast

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// shape makes n values of the function, with normal noise of that size. The
// same seed gives the same series.
func shape(n int, seed uint64, noise float64, f func(t float64) float64) []float64 {
	random := rand.New(rand.NewPCG(seed, 7))
	y := make([]float64, n)
	for i := range y {
		y[i] = f(float64(i)) + noise*random.NormFloat64()
	}
	return y
}

func wave(t, season, size float64) float64 { return size * math.Sin(2*math.Pi*t/season) }

// sales grow with a season of twelve.
func sales(t float64) float64 { return 100 + 0.8*t + wave(t, 12, 20) }

// visits have a day of 24 and a week of 168 hours.
func visits(t float64) float64 {
	v := 200 + wave(t, 24, 60)
	if math.Mod(t, 168) >= 120 {
		v -= 80
	}
	return v
}

func run(t *testing.T, y []float64, horizon int, seasons ...int) Result {
	t.Helper()
	r, err := Run(y, Options{Horizon: horizon, Seasons: seasons})
	if err != nil {
		t.Fatal(err)
	}
	check(t, r, horizon)
	return r
}

// check holds for every forecast: numbers everywhere, bands around the middle,
// the wider around the narrower.
func check(t *testing.T, r Result, horizon int) {
	t.Helper()
	for _, list := range [][]float64{r.Mean, r.Low80, r.High80, r.Low95, r.High95} {
		if len(list) != horizon {
			t.Fatalf("%s: %d values for a horizon of %d", r.Method, len(list), horizon)
		}
	}
	for i := range r.Mean {
		five := []float64{r.Low95[i], r.Low80[i], r.Mean[i], r.High80[i], r.High95[i]}
		if !slices.IsSorted(five) || !isNumber(five[0]) || !isNumber(five[4]) {
			t.Fatalf("%s: step %d is %v", r.Method, i, five)
		}
	}
}

// distance is the mean absolute difference.
func distance(a []float64, b func(i int) float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += math.Abs(v-b(i)) / float64(len(a))
	}
	return sum
}

func TestTheShapeGoesOn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		n       int
		noise   float64
		f       func(float64) float64
		horizon int
		seasons []int
		want    []int   // seasons
		within  float64 // mean absolute distance from the shape
	}{
		"trend":             {80, 1, func(t float64) float64 { return 10 + 2*t }, 8, []int{12}, nil, 2},
		"trend and season":  {96, 3, sales, 12, []int{12}, []int{12}, 4},
		"no trend":          {60, 1, func(float64) float64 { return 50 }, 6, []int{12}, nil, 1},
		"growing season":    {120, 0.5, func(t float64) float64 { return math.Exp(3 + 0.01*t + wave(t, 12, 0.3)) }, 12, []int{12}, []int{12}, 3},
		"day and week":      {1200, 5, visits, 48, []int{24, 168}, []int{24, 168}, 8},
		"negative":          {96, 3, func(t float64) float64 { return sales(t) - 400 }, 12, []int{12}, []int{12}, 4},
		"very large":        {96, 3e12, func(t float64) float64 { return 1e12 * sales(t) }, 12, []int{12}, []int{12}, 4e12},
		"very small":        {96, 3e-12, func(t float64) float64 { return 1e-12 * sales(t) }, 12, []int{12}, []int{12}, 4e-12},
		"without noise":     {96, 0, sales, 12, []int{12}, []int{12}, 1},
		"years of weekdays": {1100, 4, func(t float64) float64 { return 300 + wave(t, 365, 60) + wave(t, 7, 20) }, 28, []int{7, 365}, []int{7, 365}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, shape(tc.n, 3, tc.noise, tc.f), tc.horizon, tc.seasons...)
			got := distance(r.Mean, func(i int) float64 { return tc.f(float64(tc.n + i)) })
			if got > tc.within {
				t.Errorf("%s is off by %g, at most %g is good", r.Method, got, tc.within)
			}
			if len(tc.want) > 0 && !slices.Equal(r.Seasons, tc.want) {
				t.Errorf("%s has the seasons %v, want %v", r.Method, r.Seasons, tc.want)
			}
		})
	}
}

// Of many series together about four in five held-out values lie in the band.
func TestBandsCover(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(seed uint64) []float64{
		"season": func(seed uint64) []float64 { return shape(108, seed, 8, sales) },
		"level":  func(seed uint64) []float64 { return shape(60, seed, 5, func(float64) float64 { return 40 }) },
		"random walk": func(seed uint64) []float64 {
			y := shape(120, seed, 1, func(float64) float64 { return 0 })
			for i := 1; i < len(y); i++ {
				y[i] += y[i-1]
			}
			return y
		},
	} {
		inside80, inside95, all := 0, 0, 0
		for seed := range uint64(60) {
			y := f(seed)
			n := len(y) - 12
			r := run(t, y[:n], 12, 12)
			for i, v := range y[n:] {
				all++
				if v >= r.Low80[i] && v <= r.High80[i] {
					inside80++
				}
				if v >= r.Low95[i] && v <= r.High95[i] {
					inside95++
				}
			}
		}
		if share := float64(inside80) / float64(all); share < 0.7 || share > 0.9 {
			t.Errorf("%s: the 80 %% band holds %.2f", name, share)
		}
		if share := float64(inside95) / float64(all); share < 0.88 {
			t.Errorf("%s: the 95 %% band holds %.2f", name, share)
		}
	}
}

func TestBetterThanSeasonalNaive(t *testing.T) {
	t.Parallel()
	ours, naive := 0.0, 0.0
	for seed := range uint64(20) {
		y := shape(108, seed, 8, sales)
		n := len(y) - 12
		r := run(t, y[:n], 12, 12)
		ours += distance(r.Mean, func(i int) float64 { return y[n+i] })
		naive += distance(y[n-12:n], func(i int) float64 { return y[n+i] })
	}
	if ours > 0.8*naive {
		t.Errorf("off by %.1f, the naive method by %.1f", ours/20, naive/20)
	}
}

func TestSpikeTeachesNothing(t *testing.T) {
	t.Parallel()
	clean := shape(96, 5, 2, sales)
	spiked := slices.Clone(clean)
	spiked[70] += 400
	spiked[93] -= 150
	want, got := run(t, clean, 12, 12), run(t, spiked, 12, 12)
	if off := distance(got.Mean, func(i int) float64 { return want.Mean[i] }); off > 4 {
		t.Errorf("the spikes move the forecast by %g", off)
	}
	for _, at := range []int{70, 93} {
		if !slices.Contains(got.Anomalies, at) {
			t.Errorf("the spike at %d is no anomaly: %v", at, got.Anomalies)
		}
	}
	if most := len(spiked) / 20; len(got.Anomalies) > most {
		t.Errorf("%d of %d values are anomalies", len(got.Anomalies), len(spiked))
	}
}

func TestLevelShiftIsFollowed(t *testing.T) {
	t.Parallel()
	y := shape(120, 9, 2, func(t float64) float64 {
		if t < 80 {
			return 100
		}
		return 300
	})
	r := run(t, y, 10, 12)
	if off := distance(r.Mean, func(int) float64 { return 300 }); off > 8 {
		t.Errorf("%s: after a shift to 300 the forecast is %v", r.Method, r.Mean)
	}
	if !slices.Contains(r.Anomalies, 80) {
		t.Errorf("the shift is no anomaly: %v", r.Anomalies)
	}
}

func TestGaps(t *testing.T) {
	t.Parallel()
	whole := shape(120, 2, 3, sales)
	y := slices.Clone(whole)
	for i := range y {
		if i%9 == 4 || i >= 50 && i < 58 || i == 119 {
			y[i] = math.NaN()
		}
	}
	y[3] = math.Inf(1)
	r := run(t, y, 12, 12)
	if off := distance(r.Mean, func(i int) float64 { return sales(float64(120 + i)) }); off > 6 {
		t.Errorf("%s is off by %g", r.Method, off)
	}
	for _, i := range r.Anomalies {
		if math.IsNaN(y[i]) {
			t.Errorf("the gap at %d is an anomaly", i)
		}
	}
}

// Counts that are mostly zero have no negative forecast.
func TestIntermittent(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	y := make([]float64, 200)
	for i := range y {
		if random.IntN(4) == 0 {
			y[i] = float64(1 + random.IntN(5))
		}
	}
	r := run(t, y, 14, 7)
	for i := range r.Mean {
		if r.Low95[i] < 0 || r.Mean[i] < 0 || r.Mean[i] > 5 {
			t.Errorf("step %d: %g from %g", i, r.Mean[i], r.Low95[i])
		}
	}
	if !math.IsNaN(r.MAPE) {
		t.Errorf("a percentage of zero: %g", r.MAPE)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	constant, holes := make([]float64, 50), make([]float64, 50)
	for i := range holes {
		constant[i] = 7
		holes[i] = math.NaN()
		if i%3 == 0 {
			holes[i] = float64(i)
		}
	}
	for name, tc := range map[string]struct {
		y       []float64
		horizon int
		want    error
	}{
		"nothing":               {nil, 5, ErrTooShort},
		"nine values":           {shape(9, 1, 1, sales), 2, ErrTooShort},
		"only gaps":             {[]float64{math.NaN(), math.NaN()}, 5, ErrTooShort},
		"further than it knows": {shape(30, 1, 1, sales), 20, ErrTooShort},
		"all the same":          {constant, 5, ErrConstant},
		"mostly gaps":           {holes, 5, ErrIrregular},
		"no horizon":            {shape(30, 1, 1, sales), 0, ErrHorizon},
		"too far":               {shape(30, 1, 1, sales), MaxHorizon + 1, ErrHorizon},
	} {
		if _, err := Run(tc.y, Options{Horizon: tc.horizon, Seasons: []int{12}}); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

// Whatever comes, the bands are numbers and lie around each other.
func TestAnySeries(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 99))
		n := 10 + random.IntN(150)
		y := make([]float64, n)
		size := math.Pow(10, float64(random.IntN(20)-10))
		walk := 0.0
		for i := range y {
			walk += random.NormFloat64()
			switch random.IntN(12) {
			case 0:
				y[i] = math.NaN()
			case 1:
				y[i] = 0
			case 2:
				y[i] = size * 1000 * random.ExpFloat64()
			default:
				y[i] = size * (walk + float64(random.IntN(3)))
			}
		}
		seasons := [][]int{nil, {4}, {7, 30}, {12}, {2, 3}, {24, 168}}[random.IntN(6)]
		horizon := 1 + random.IntN(n/2)
		r, err := Run(y, Options{Horizon: horizon, Seasons: seasons})
		if err != nil {
			continue
		}
		check(t, r, horizon)
		again, _ := Run(y, Options{Horizon: horizon, Seasons: seasons})
		if !slices.Equal(r.Mean, again.Mean) || r.Method != again.Method {
			t.Fatalf("seed %d: two runs differ", seed)
		}
	}
}

func TestMinimise(t *testing.T) {
	t.Parallel()
	x := minimise(func(x []float64) float64 { return 1 + math.Pow(x[0]-3, 2) + 10*math.Pow(x[1]+1, 2) }, []float64{0, 0}, 300)
	if math.Abs(x[0]-3) > 0.05 || math.Abs(x[1]+1) > 0.05 {
		t.Errorf("the least is at %v", x)
	}
}

func TestSolve(t *testing.T) {
	t.Parallel()
	// Only the lower half is read.
	x := solve([][]float64{{4, 0}, {2, 3}}, []float64{10, 9})
	if math.Abs(x[0]-1.5) > 0.01 || math.Abs(x[1]-2) > 0.01 {
		t.Errorf("got %v", x)
	}
}

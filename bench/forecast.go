package main

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/forecast"
)

// timeseriesVar names the directory with AirPassengers.csv, vic_elec.parquet
// and us_employment.parquet (from R's datasets, tsibbledata and fpp3).
const timeseriesVar = "BENCH_TIMESERIES"

// seriesSet are series of one kind and how they are judged: against seasonal
// naive with each of the lags, from origins at equal distances, the last one a
// horizon before the end.
type seriesSet struct {
	name    string
	file    string
	query   string // key, value, in order of time; FILE stands for the file
	seasons []int
	horizon int
	history int // periods known at an origin, at most
	first   int // periods known at the first origin
	every   int // periods between origins; 0 for six origins a series, a horizon apart
}

var seriesSets = []seriesSet{
	{"airline passengers, monthly, season 12, horizon 12", "AirPassengers.csv",
		"SELECT '', value FROM FILE ORDER BY time", []int{12}, 12, forecast.MaxHistory, 60, 1},
	{"Victorian demand, half-hourly, seasons 48 and 336, horizon 48", "vic_elec.parquet",
		"SELECT '', Demand FROM FILE ORDER BY Time", []int{48, 336}, 48, 2000, 2000, 919},
	{"Victorian demand, half-hourly, seasons 48 and 336, horizon 336", "vic_elec.parquet",
		"SELECT '', Demand FROM FILE ORDER BY Time", []int{48, 336}, 336, 2000, 2000, 919},
	{"US employment, monthly, season 12, horizon 12", "us_employment.parquet",
		"SELECT Series_ID, Employed FROM FILE WHERE Employed IS NOT NULL ORDER BY Series_ID, strptime(Month, '%Y %b')", []int{12}, 12, forecast.MaxHistory, 0, 0},
}

// benchForecast forecasts held-out ends of known series from rolling origins,
// and measures the time on a generated one.
func benchForecast(ctx context.Context, _ *options, out *report) error {
	dir := os.Getenv(timeseriesVar)
	for _, set := range seriesSets {
		path := filepath.Join(dir, set.file)
		if _, err := os.Stat(path); dir == "" || err != nil {
			out.add("forecast, "+set.name+": left out, "+timeseriesVar+" has no "+set.file, 0, "series")
			continue
		}
		list, err := readSeries(ctx, path, set.query)
		if err != nil {
			return err
		}
		if err := set.judge(list, out); err != nil {
			return err
		}
	}
	return timeForecast(out)
}

// readSeries answers the values by key, in the order of the query.
func readSeries(ctx context.Context, path, query string) ([][]float64, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, strings.ReplaceAll(query, "FILE", "'"+strings.ReplaceAll(path, "'", "''")+"'"))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	defer rows.Close()
	var list [][]float64
	last := ""
	for rows.Next() {
		var key string
		var value float64
		if err := rows.Scan(&key, &value); err != nil {
			return nil, err
		}
		if len(list) == 0 || key != last {
			list, last = append(list, nil), key
		}
		list[len(list)-1] = append(list[len(list)-1], value)
	}
	return list, rows.Err()
}

// judge adds the rows of a set.
func (s *seriesSet) judge(list [][]float64, out *report) error {
	var ours float64
	naive := make([]float64, len(s.seasons))
	var origins, points, inside80, inside95 int
	var costs []cost
	for _, y := range list {
		first, every := s.first, s.every
		if every == 0 {
			every = s.horizon
			first = len(y) - 6*every
		}
		for o := first; o+s.horizon <= len(y); o += every {
			known, held := y[max(0, o-s.history):o], y[o:o+s.horizon]
			scale := naiveError(known, s.seasons[0])
			if len(known) < 2*s.horizon || scale == 0 {
				continue
			}
			var r forecast.Result
			c, err := measure(func() (err error) {
				r, err = forecast.Run(known, forecast.Options{Horizon: s.horizon, Seasons: s.seasons})
				return err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			costs = append(costs, c)
			origins++
			for i, v := range held {
				ours += math.Abs(v-r.Mean[i]) / scale
				for k, lag := range s.seasons {
					naive[k] += math.Abs(v-known[len(known)-lag+i%lag]) / scale
				}
				points++
				if r.Low80[i] <= v && v <= r.High80[i] {
					inside80++
				}
				if r.Low95[i] <= v && v <= r.High95[i] {
					inside95++
				}
			}
		}
	}
	if points == 0 {
		return fmt.Errorf("%s: no origin", s.name)
	}
	n := float64(points)
	best := math.Inf(1)
	for _, sum := range naive {
		best = min(best, sum/n)
	}
	name := fmt.Sprintf("forecast, %s, %d series, %d origins: ", s.name, len(list), origins)
	out.figure(name+"MASE against seasonal naive").judge(round3(ours/n), "", "<", round3(best), ours/n < best)
	coverage := 100 * float64(inside80) / n
	out.figure(name+"held-out points in the 80 % band").judge(coverage, "%", "70 to", 90, coverage >= 70 && coverage <= 90)
	out.add(name+"held-out points in the 95 % band", 100*float64(inside95)/n, "%")
	out.add(name+"CPU of one forecast, median", milliseconds(median(costs).cpu), "ms")
	return nil
}

// naiveError is the mean absolute difference of values one season apart.
func naiveError(y []float64, season int) float64 {
	sum := 0.0
	for i := season; i < len(y); i++ {
		sum += math.Abs(y[i] - y[i-season])
	}
	return sum / float64(max(len(y)-season, 1))
}

// timeForecast forecasts 2,000 half-hourly points with a day and a week.
func timeForecast(out *report) error {
	random := rand.New(rand.NewPCG(20260614, 17))
	y := make([]float64, 2000)
	level := 0.0
	for i := range y {
		level = 0.9*level + random.NormFloat64()
		day, week := float64(i%48)/48, i%336
		y[i] = 500 + 120*math.Sin(2*math.Pi*day) + 10*level
		if week >= 240 {
			y[i] -= 90
		}
	}
	var costs []cost
	for range 21 {
		c, err := measure(func() error {
			_, err := forecast.Run(y, forecast.Options{Horizon: 48, Seasons: []int{48, 336}})
			return err
		})
		if err != nil {
			return err
		}
		costs = append(costs, c)
	}
	// A forecast runs on one core, so its CPU time is what it takes on a machine
	// that has one to spare.
	middle := median(costs)
	out.atMost("forecast, 2,000 points with seasons 48 and 336, horizon 48: CPU, median", milliseconds(middle.cpu), "ms", 100)
	out.add("forecast, 2,000 points with seasons 48 and 336, horizon 48: wall, median", milliseconds(middle.wall), "ms")
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func round3(v float64) float64 { return math.Round(v*1000) / 1000 }

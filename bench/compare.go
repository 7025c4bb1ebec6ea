package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/warehouse"
)

// benchNow is when the benchmark asks; nothing in it depends on the calendar.
var benchNow = time.Date(2026, 6, 14, 12, 0, 0, 0, time.UTC)

// cold asks the engine as if nobody had asked before: a version of its own for
// each question keeps every answer and every plan out. What stays is what
// stays for bare DuckDB too, footers and the system's page cache.
type cold struct {
	engine  *warehouse.Engine
	dataset *warehouse.Dataset
	version int64
}

func (c *cold) run(ctx context.Context, spec warehouse.Spec) (*warehouse.Result, error) {
	c.version++
	fresh := *c.dataset
	fresh.Version = c.version
	r, err := c.engine.Run(ctx, warehouse.Query{Spec: spec, Dataset: &fresh, Now: benchNow, Exact: true})
	if err == nil && r.FromCache {
		err = fmt.Errorf("the answer came from the cache")
	}
	return r, err
}

// pair is what one question cost both ways, one right after the other.
type pair struct{ peer, ours cost }

// pairs runs work twice uncounted, then counted in turns, each first every
// other time, so that a drift of the machine's speed meets both alike.
func pairs(repeat int, peer, ours func() error) ([]pair, error) {
	var out []pair
	for i := range repeat + 2 {
		var p pair
		var err error
		both := []struct {
			work func() error
			cost *cost
		}{{peer, &p.peer}, {ours, &p.ours}}
		if i%2 == 1 {
			slices.Reverse(both)
		}
		for _, b := range both {
			runtime.GC() // so that nobody pays for what the other left
			if *b.cost, err = measure(b.work); err != nil {
				return nil, err
			}
		}
		if i >= 2 {
			out = append(out, p)
		}
	}
	return out, nil
}

func mediansOf(all []pair) (peer, ours cost) {
	var peers, our []cost
	for _, p := range all {
		peers, our = append(peers, p.peer), append(our, p.ours)
	}
	return median(peers), median(our)
}

// medianRatio is the median of what ours cost as a multiple of the peer's,
// pair by pair.
func medianRatio(all []pair) float64 {
	ratios := make([]float64, len(all))
	for i, p := range all {
		ratios[i] = ratio(p.ours.cpu, p.peer.cpu)
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

const mostOverDuckDB = 1.15

// compare asks each query of hand-tuned SQL in DuckDB, of the warehouse, cold
// and warm, and of PostgreSQL. All must answer the same. overPostgres is the
// least ratio of CPU to PostgreSQL; 0 for no target.
func compare(ctx context.Context, o *options, out *report, table string, d *warehouse.Dataset, queries []widgetQuery, pg *postgres, overPostgres float64) error {
	peer, err := openDuck(ctx)
	if err != nil {
		return err
	}
	defer peer.close()
	replace := []string{"{t}", scan(d)}
	if lookup, ok := d.Lookups["origin_airport"]; ok {
		replace = append(replace, "{airports}", scan(lookup.Target))
	}
	engine := newEngine(o, filepath.Join(o.work, "engine"), withoutKept)
	defer engine.Close()
	asked := &cold{engine: engine, dataset: d, version: 1}

	var duckCPU, ourCPU, pgCPU, ourAggregations time.Duration
	var pgWall, ourWall time.Duration
	worst, worstName := 0.0, ""
	for _, q := range queries {
		spec, err := warehouse.ParseSpec([]byte(q.spec))
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		tuned := strings.NewReplacer(replace...).Replace(q.duck)
		if err := sameAnswers(ctx, asked, peer, pg, spec, tuned, q); err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		all, err := pairs(o.repeat, func() error { return peer.run(ctx, tuned) }, func() error {
			_, err := asked.run(ctx, spec)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		var pgs []cost
		for range 3 {
			c, err := pg.measure(ctx, q.postgres)
			if err != nil {
				return fmt.Errorf("%s in PostgreSQL: %w", q.name, err)
			}
			pgs = append(pgs, c)
			if c.wall > 5*time.Second {
				break // nothing to gain from more
			}
		}
		warm, err := warmRuns(ctx, engine, spec, d)
		if err != nil {
			return err
		}
		dm, om := mediansOf(all)
		pm, times := median(pgs), medianRatio(all)
		name := table + ": " + q.name
		out.add(name+", hand-tuned DuckDB, CPU", ms(dm.cpu), "ms")
		out.add(name+", warehouse cold, CPU", ms(om.cpu), "ms")
		out.add(name+", warehouse cold, wall", ms(om.wall), "ms")
		out.add(name+", warehouse warm, wall", float64(warm.Nanoseconds())/1e3, "µs")
		out.add(name+", PostgreSQL, CPU", ms(pm.cpu), "ms")
		stopped := out.figure(name + ", PostgreSQL, wall")
		if pm.wall >= patience {
			stopped = stopped.note("stopped")
		}
		stopped.add(ms(pm.wall), "ms")
		out.figure(name+", warehouse / hand-tuned DuckDB, CPU").detail().atMost(times, "×", mostOverDuckDB)
		if times > worst {
			worst, worstName = times, q.name
		}
		duckCPU, ourCPU = duckCPU+dm.cpu, ourCPU+om.cpu
		if q.aggregation {
			pgCPU, ourAggregations = pgCPU+pm.cpu, ourAggregations+om.cpu
			pgWall, ourWall = pgWall+pm.wall, ourWall+om.wall
		}
	}
	out.figure(table+": warehouse cold / hand-tuned DuckDB, CPU of all ten").atMost(ratio(ourCPU, duckCPU), "×", mostOverDuckDB)
	out.figure(table+": the same, worst of the ten").note(worstName).atMost(worst, "×", mostOverDuckDB)
	aggregations := out.figure(table + ": PostgreSQL / warehouse cold, CPU of the aggregations")
	if overPostgres > 0 {
		aggregations.atLeast(ratio(pgCPU, ourAggregations), "×", overPostgres)
	} else {
		aggregations.add(ratio(pgCPU, ourAggregations), "×")
	}
	out.add(table+": PostgreSQL / warehouse cold, wall of the aggregations", ratio(pgWall, ourWall), "×")
	return nil
}

// sameAnswers fails where one engine does not answer like the others.
func sameAnswers(ctx context.Context, asked *cold, peer *duck, pg *postgres, spec warehouse.Spec, tuned string, q widgetQuery) error {
	r, err := asked.run(ctx, spec)
	if err != nil {
		return err
	}
	ours, err := answerOfResult(r)
	if err != nil {
		return err
	}
	if len(ours) == 0 {
		return fmt.Errorf("the answer is empty")
	}
	inDuck, err := peer.answer(ctx, tuned)
	if err != nil {
		return fmt.Errorf("in DuckDB: %w", err)
	}
	if d := inDuck.differs(ours); d != "" {
		return fmt.Errorf("DuckDB answers otherwise: %s", d)
	}
	inPostgres, stopped, err := pg.answer(ctx, q.postgres)
	if err != nil {
		return fmt.Errorf("in PostgreSQL: %w", err)
	}
	if stopped {
		return nil // DuckDB has answered the same
	}
	if d := inPostgres.differs(ours); d != "" {
		return fmt.Errorf("PostgreSQL answers otherwise: %s", d)
	}
	return nil
}

// warmRuns is the time of an answer that is in the cache.
func warmRuns(ctx context.Context, engine *warehouse.Engine, spec warehouse.Spec, d *warehouse.Dataset) (time.Duration, error) {
	q := warehouse.Query{Spec: spec, Dataset: d, Now: benchNow, Exact: true}
	if _, err := engine.Run(ctx, q); err != nil {
		return 0, err
	}
	const runs = 2000
	start := time.Now()
	for range runs {
		if _, err := engine.Run(ctx, q); err != nil {
			return 0, err
		}
	}
	return time.Since(start) / runs, nil
}

// benchZones groups 3 million timestamps with zone by day, in a zone with
// daylight saving and in UTC.
func benchZones(ctx context.Context, o *options, out *report) error {
	rows := min(3_000_000, o.salesRows)
	sales, err := ingestSales(ctx, o, rows, "zones")
	if err != nil {
		return err
	}
	engine := newEngine(o, filepath.Join(o.work, "engine"), withoutKept)
	defer engine.Close()
	asked := &cold{engine: engine, dataset: sales}
	in := func(zone string) (func() error, error) {
		spec, err := warehouse.ParseSpec([]byte(`{"dataset":"sales","timezone":"` + zone + `","measures":[{"fn":"count","as":"n"}],
			"dimensions":[{"column":"sold_at","grain":"day","as":"day"}]}`))
		return func() error {
			_, err := asked.run(ctx, spec)
			return err
		}, err
	}
	utc, err := in("UTC")
	if err != nil {
		return err
	}
	london, err := in("Europe/London")
	if err != nil {
		return err
	}
	all, err := pairs(2*o.repeat, utc, london)
	if err != nil {
		return err
	}
	_, local := mediansOf(all)
	out.figure("local days in Europe/London, 3 M rows, CPU").atMost(ms(local.cpu), "ms", 20)
	out.figure("local days in Europe/London / in UTC, CPU").atMost(medianRatio(all), "×", 1.3)
	return nil
}

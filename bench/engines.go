package main

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
	"github.com/dataflowhq/dataflow/warehouse/sandbox"
)

// queryTargets are what the ten queries of one table are judged by.
type queryTargets struct {
	overDuckDB   float64 // most CPU of warehouse, as a multiple of hand-tuned DuckDB
	overPostgres float64 // least PostgreSQL CPU, as a multiple of warehouse; 0 for no target
}

// benchFlights asks ten widget queries about 3 million flights.
func benchFlights(ctx context.Context, o *options, out *report) error {
	package_ := filepath.Join(o.root, "static", "node_modules", "vega-datasets", "data")
	flights, err := ingestFile(ctx, o, filepath.Join(package_, "flights-3m.parquet"), "flights")
	if err != nil {
		return err
	}
	airports, err := ingestFile(ctx, o, filepath.Join(package_, "airports.csv"), "airports")
	if err != nil {
		return err
	}
	flights.RelativeToNewest = true
	flights.Lookups = map[string]warehouse.Lookup{"origin_airport": {Column: 4, Key: 1, Target: airports}}
	pg, err := startPostgres(ctx, o)
	if err != nil {
		return err
	}
	defer pg.stop()
	if err := pg.copyDataset(ctx, flights, "flights", "date", "origin"); err != nil {
		return err
	}
	if err := pg.copyDataset(ctx, airports, "airports", "iata"); err != nil {
		return err
	}
	return compare(ctx, o, out, "flights, 3 M rows", flights, flightQueries, pg, queryTargets{1.15, 8})
}

// benchSales asks ten widget queries about 10 million generated sales.
func benchSales(ctx context.Context, o *options, out *report) error {
	file, err := salesCSV(o)
	if err != nil {
		return err
	}
	sales, err := ingestFile(ctx, o, file, "sales")
	if err != nil {
		return err
	}
	if err := os.Remove(file); err != nil {
		return err
	}
	pg, err := startPostgres(ctx, o)
	if err != nil {
		return err
	}
	defer pg.stop()
	if err := pg.copyDataset(ctx, sales, "sales", "sold_at", "store"); err != nil {
		return err
	}
	if err := compare(ctx, o, out, "sales, 10 M rows", sales, salesQueries, pg, queryTargets{1.15, 0}); err != nil {
		return err
	}
	return benchZones(ctx, o, out, sales)
}

// ingestFile loads a file into segments through the limited child process, as
// the product does.
func ingestFile(ctx context.Context, o *options, path, name string) (*warehouse.Dataset, error) {
	client := &sandbox.Client{Executable: o.binary}
	scratch := filepath.Join(o.work, name+"-inspect")
	target := filepath.Join(o.work, name)
	for _, dir := range []string{scratch, target} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	inspection, err := client.Inspect(ctx, ingest.InspectRequest{Path: path, Dir: scratch}, nil)
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", name, err)
	}
	request := ingest.LoadRequest{Path: path, Format: inspection.Format, Columns: inspection.Plan(1), Dir: target}
	for _, c := range request.Columns {
		if c.Column.Name == inspection.TimeColumn {
			request.TimeColumn = c.Column.ID
		}
	}
	for _, name := range inspection.SortedBy {
		request.Sorted = request.Sorted || name == inspection.TimeColumn
	}
	loaded, err := client.Load(ctx, request, nil)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	d := &warehouse.Dataset{ID: name, TenantID: "bench", Name: name, Version: 1, TimeColumn: request.TimeColumn}
	for _, c := range request.Columns {
		d.Columns = append(d.Columns, c.Column)
	}
	for _, s := range loaded.Segments {
		d.Segments = append(d.Segments, warehouse.Segment{ID: filepath.Base(s.Path), Path: s.Path, Rows: s.Rows, Bytes: s.Bytes,
			Stats: s.Stats, Sample: s.Sample, SampleRows: s.SampleRows})
	}
	return d, nil
}

// scan is a DuckDB table expression over the dataset's segments.
func scan(d *warehouse.Dataset) string {
	var paths []string
	for _, s := range d.Segments {
		paths = append(paths, "'"+s.Path+"'")
	}
	return "read_parquet([" + strings.Join(paths, ", ") + "])"
}

func newEngine(o *options, dir string) *warehouse.Engine {
	return warehouse.New(warehouse.Config{Dir: dir, DataDirs: []string{o.work}, SampleAbove: -1})
}

// compare runs each query cold through the hand-tuned SQL, the warehouse and
// PostgreSQL in turn, so that a drift of the machine's speed meets all alike,
// then warm through the warehouse.
func compare(ctx context.Context, o *options, out *report, table string, d *warehouse.Dataset, queries []widgetQuery, pg *postgres, targets queryTargets) error {
	raw, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer raw.Close()
	raw.SetMaxOpenConns(1)
	if _, err := raw.ExecContext(ctx, "SET enable_object_cache = true; SET TimeZone = 'UTC'"); err != nil {
		return err
	}
	replace := []string{"{t}", scan(d)}
	if lookup, ok := d.Lookups["origin_airport"]; ok {
		replace = append(replace, "{airports}", scan(lookup.Target))
	}
	engine := newEngine(o, filepath.Join(o.work, "engine"))
	defer engine.Close()

	var duckCPU, ourCPU, pgCPU, ourAggregations time.Duration
	for _, q := range queries {
		spec, err := warehouse.ParseSpec([]byte(q.spec))
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		duckSQL := strings.NewReplacer(replace...).Replace(q.duck)
		var duck, ours, pgs []cost
		for i := range o.repeat + 1 {
			dc, err := measure(func() error { return drain(ctx, raw, duckSQL) })
			if err != nil {
				return fmt.Errorf("%s in DuckDB: %w", q.name, err)
			}
			// A version of its own for each run, so that nothing comes from the cache.
			fresh := *d
			fresh.Version = int64(i + 1)
			oc, err := measure(func() error {
				_, err := engine.Run(ctx, warehouse.Query{Spec: spec, Dataset: &fresh, Now: benchNow, Exact: true})
				return err
			})
			if err != nil {
				return fmt.Errorf("%s in warehouse: %w", q.name, err)
			}
			if i == 0 {
				continue // warms files and plans
			}
			duck, ours = append(duck, dc), append(ours, oc)
			if i <= 3 {
				pc, err := pg.measure(ctx, q.postgres)
				if err != nil {
					return fmt.Errorf("%s in PostgreSQL: %w", q.name, err)
				}
				pgs = append(pgs, pc)
			}
		}
		dm, om, pm := median(duck), median(ours), median(pgs)
		warm, err := warmRuns(ctx, engine, spec, d)
		if err != nil {
			return err
		}
		name := table + ": " + q.name
		out.add(name+", hand-tuned DuckDB, CPU", ms(dm.cpu), "ms")
		out.add(name+", warehouse cold, CPU", ms(om.cpu), "ms")
		out.add(name+", warehouse warm, wall", float64(warm.Nanoseconds())/1e3, "µs")
		out.add(name+", PostgreSQL, CPU", ms(pm.cpu), "ms")
		duckCPU, ourCPU = duckCPU+dm.cpu, ourCPU+om.cpu
		if q.aggregation {
			pgCPU, ourAggregations = pgCPU+pm.cpu, ourAggregations+om.cpu
		} else {
			out.atMost(name+", warehouse, wall", ms(om.wall), "ms", 10)
		}
	}
	out.atMost(table+": warehouse / hand-tuned DuckDB, CPU of all ten", ratio(ourCPU, duckCPU), "×", targets.overDuckDB)
	if targets.overPostgres > 0 {
		out.atLeast(table+": PostgreSQL / warehouse, CPU of the aggregations", ratio(pgCPU, ourAggregations), "×", targets.overPostgres)
	} else {
		out.add(table+": PostgreSQL / warehouse, CPU of the aggregations", ratio(pgCPU, ourAggregations), "×")
	}
	return nil
}

// benchNow is when the benchmark asks; nothing in it depends on the calendar.
var benchNow = time.Date(2026, 6, 14, 12, 0, 0, 0, time.UTC)

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

// benchZones groups 3 million timestamps with zone by day, in UTC and in a zone
// with daylight saving.
func benchZones(ctx context.Context, o *options, out *report, sales *warehouse.Dataset) error {
	engine := newEngine(o, filepath.Join(o.work, "zones"))
	defer engine.Close()
	medians := map[string]cost{}
	for i := range 2*o.repeat + 2 {
		zone := []string{"UTC", "Europe/London"}[i%2]
		spec, err := warehouse.ParseSpec([]byte(`{"dataset":"sales","timezone":"` + zone + `","measures":[{"fn":"count","as":"n"}],
			"dimensions":[{"column":"sold_at","grain":"day","as":"day"}]}`))
		if err != nil {
			return err
		}
		fresh := *sales
		fresh.Version = int64(i + 1)
		c, err := measure(func() error {
			_, err := engine.Run(ctx, warehouse.Query{Spec: spec, Dataset: &fresh, Now: benchNow, Exact: true})
			return err
		})
		if err != nil {
			return err
		}
		if i < 2 {
			continue
		}
		m := medians[zone]
		if m.cpu == 0 || c.cpu < m.cpu {
			medians[zone] = c // the least disturbed run
		}
	}
	var rows int64
	for _, s := range sales.Segments {
		rows += s.Rows
	}
	per3M := 3e6 / float64(rows)
	out.atMost("local days in Europe/London, CPU for 3 M rows", ms(medians["Europe/London"].cpu)*per3M, "ms", 20)
	out.atMost("local days in Europe/London / in UTC, CPU", ratio(medians["Europe/London"].cpu, medians["UTC"].cpu), "×", 1.3)
	return nil
}

// drain runs a query and reads all of its rows.
func drain(ctx context.Context, db *sql.DB, query string) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	cells := make([]any, len(columns))
	for i := range cells {
		cells[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(cells...); err != nil {
			return err
		}
	}
	return rows.Err()
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return math.Inf(1)
	}
	return float64(a) / float64(b)
}

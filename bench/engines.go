package main

import (
	"context"
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
	return compare(ctx, o, out, "flights, 3 M rows", flights, flightQueries, pg, 8)
}

// benchSales asks ten widget queries about 10 million generated sales.
func benchSales(ctx context.Context, o *options, out *report) error {
	sales, err := ingestSales(ctx, o, o.salesRows, "sales")
	if err != nil {
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
	if err := compare(ctx, o, out, "sales, 10 M rows", sales, salesQueries, pg, 0); err != nil {
		return err
	}
	if err := benchPages(ctx, o, out, sales); err != nil {
		return err
	}
	return benchZones(ctx, o, out)
}

func ingestSales(ctx context.Context, o *options, rows int, name string) (*warehouse.Dataset, error) {
	part := *o
	part.salesRows = rows
	file, err := salesCSV(&part)
	if err != nil {
		return nil, err
	}
	defer os.Remove(file)
	return ingestFile(ctx, o, file, name)
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

func newEngine(o *options, dir string, change ...func(*warehouse.Config)) *warehouse.Engine {
	cfg := warehouse.Config{Dir: dir, DataDirs: []string{o.work}, SampleAbove: -1, Timeout: 10 * time.Minute}
	for _, c := range change {
		c(&cfg)
	}
	return warehouse.New(cfg)
}

// withoutKept has every answer come from the rows themselves.
func withoutKept(cfg *warehouse.Config) { cfg.KeptBytes = -1 }

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return math.Inf(1)
	}
	return float64(a) / float64(b)
}

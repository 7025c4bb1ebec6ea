package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dataflowhq/dataflow/warehouse"
)

const distinctValues = 800_000

// valueTerms are what somebody types into a filter, letter by letter, and
// terms that few values, most values and no value have.
var valueTerms = []string{"", "m", "mü", "mül", "müll", "muller sa 79", "GmbH 4711", "7", "99999", "nobody has this"}

// benchValues searches the values of a column with 800,000 of them in 10
// million rows: cold is the first search of a process, which reads the file of
// the index; warm are all further ones.
func benchValues(ctx context.Context, o *options, out *report) error {
	customers, err := valuesDataset(ctx, o)
	if err != nil {
		return err
	}
	dir := filepath.Join(o.work, "values-engine")
	query := warehouse.Query{Spec: warehouse.Spec{Dataset: "customers"}, Dataset: customers, Now: time.Now().Truncate(time.Minute)}
	search := func(e *warehouse.Engine, term string) (time.Duration, error) {
		start := time.Now()
		found, err := e.SearchValues(ctx, query, "customer", term, 100)
		took := time.Since(start)
		if err == nil && term == valueTerms[5] && len(found.Values) == 0 {
			err = fmt.Errorf("%q finds nothing", term)
		}
		return took, err
	}
	first := newEngine(o, dir)
	built, err := search(first, "")
	_ = first.Close()
	if err != nil {
		return err
	}
	out.figure("values: building the index, once a version").detail().add(ms(built), "ms")

	var cold, warm []time.Duration
	for round := range max(o.repeat, 3) {
		e := newEngine(o, dir)
		took, err := search(e, valueTerms[round%len(valueTerms)])
		if err != nil {
			return err
		}
		cold = append(cold, took)
		for _, term := range valueTerms {
			if took, err = search(e, term); err != nil {
				return err
			}
			warm = append(warm, took)
		}
		if err := e.Close(); err != nil {
			return err
		}
	}
	slices.Sort(cold)
	slices.Sort(warm)
	out.add("values: cold search, median", ms(cold[len(cold)/2]), "ms")
	out.atMost("values: cold search among 800,000 values of 10 M rows, longest", ms(cold[len(cold)-1]), "ms", 100)
	out.add("values: warm search, median", ms(warm[len(warm)/2]), "ms")
	out.atMost("values: warm search among 800,000 values of 10 M rows, longest", ms(warm[len(warm)-1]), "ms", 100)
	return nil
}

// valuesDataset writes a file of customers in random order and loads it.
func valuesDataset(ctx context.Context, o *options) (*warehouse.Dataset, error) {
	duck, err := openDuck(ctx)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(o.work, "customers.parquet")
	defer os.Remove(path)
	err = duck.run(ctx, fmt.Sprintf(`COPY (
		SELECT ['Müller', 'Šimek', 'Okafor', 'Jones', 'García', 'Nguyễn', 'Smith', 'O''Brien'][1 + n %% 8] || ' ' || ['GmbH', 'Ltd', 'SA', 'Inc'][1 + n // 8 %% 4] || ' ' || n AS customer, i %% 1000 AS amount
		FROM (SELECT i, CASE WHEN i < %d THEN i ELSE CAST(hash(i) %% %d AS BIGINT) END AS n FROM range(%d) AS r(i))
	) TO '%s' (FORMAT parquet)`, distinctValues, distinctValues, o.salesRows, path))
	duck.close()
	if err != nil {
		return nil, err
	}
	return ingestFile(ctx, o, path, "customers")
}

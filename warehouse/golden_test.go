package warehouse

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenDataset is small enough that its answers can be checked by hand.
//
// Orders of two summers in London, one without a time, one without a customer,
// two of a customer who is not known.
func goldenDataset(f *fixture) *Dataset {
	ds := f.dataset("orders", `at timestamptz, due date, customer text, amount decimal(10,2), items integer, weight float, gift boolean`,
		`SELECT * FROM (VALUES
			(TIMESTAMPTZ '2023-06-30 23:30:00+00', DATE '2023-07-01', 'ann', 10.00, 1, 0.5, TRUE),
			(TIMESTAMPTZ '2023-07-01 08:00:00+00', DATE '2023-07-02', 'bob', 20.50, 2, NULL, FALSE),
			(TIMESTAMPTZ '2023-07-15 12:00:00+00', DATE '2023-07-15', 'ann', 5.25, 1, 2.25, FALSE),
			(TIMESTAMPTZ '2023-10-29 00:30:00+00', DATE '2023-10-30', 'cyd', 7.00, 3, 1.0, NULL),
			(TIMESTAMPTZ '2023-10-29 01:30:00+00', DATE '2023-10-30', 'cyd', 8.00, 4, 1.5, TRUE)
		) v("at", due, customer, amount, items, weight, gift)`,
		`SELECT * FROM (VALUES
			(TIMESTAMPTZ '2024-06-30 22:59:00+00', DATE '2024-07-01', 'bob', 100.00, 10, 10.0, FALSE),
			(TIMESTAMPTZ '2024-06-30 23:00:00+00', DATE '2024-07-01', 'dan''s', 1.00, 1, 0.0, FALSE),
			(TIMESTAMPTZ '2024-07-04 10:00:00+00', NULL, 'dan''s', 2.00, 1, NULL, TRUE),
			(NULL, DATE '2024-07-05', 'ann', 4.00, NULL, 0.25, FALSE),
			(TIMESTAMPTZ '2024-07-10 15:00:00+00', DATE '2024-07-11', NULL, 16.00, 5, 0.75, FALSE)
		) v("at", due, customer, amount, items, weight, gift)`)
	ds.RelativeToNewest = true
	customers := f.dataset("customers", "name text, city text, since date", "SELECT * FROM (VALUES ('ann','Leeds',DATE '2020-01-01'),('bob','York',DATE '2021-06-01'),('cyd',NULL,NULL)) v(name, city, since)")
	ds.Lookups = map[string]Lookup{"buyer": {Column: 3, Key: 1, Target: customers}}
	ds.Measures = map[string]Measure{"mean_basket": {Fn: "ratio", Numerator: &Measure{Fn: "sum", Column: "amount"}, Denominator: &Measure{Fn: "sum", Column: "items"}}}
	return ds
}

// TestGolden answers every testdata/golden/*.json and compares SQL and rows
// with the file of the same name that ends in .txt.
func TestGolden(t *testing.T) {
	f := newFixture(t)
	ds := goldenDataset(f)
	e := f.engine()
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	path := regexp.MustCompile(`'[^']*/segment-(\d+)\.parquet'`)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			q := Query{Spec: mustSpec(t, string(text)), Dataset: ds, Now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
			x, err := e.Explain(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			got.WriteString(path.ReplaceAllString(x.SQL, "'$1'"))
			got.WriteString("\n\n")
			answer := run(t, e, ds, string(text))
			answer = strings.NewReplacer(`],"rows":[[`, "],\n\"rows\":[\n[", "],[", "],\n[", `]],"dataset`, "]],\n\"dataset").Replace(answer)
			got.WriteString(answer + "\n")
			golden := strings.TrimSuffix(file, ".json") + ".txt"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}

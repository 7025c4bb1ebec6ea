package warehouse

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// benchDataset is like the flights of the demo: a moment, two numbers and two
// codes, sorted by time.
func benchDataset(f *fixture, rows int) *Dataset {
	ds := f.dataset("flights", "date timestamptz, delay integer, distance integer, origin text, destination text",
		fmt.Sprintf(`SELECT TIMESTAMPTZ '2001-01-01 00:00:00+00' + INTERVAL (i * 15552000 // %[1]d // 60) MINUTE AS date,
			(hash(i) %% 400)::BIGINT - 40 AS delay, (hash(i * 3) %% 250 * 10)::BIGINT AS distance,
			'A' || (sqrt(hash(i * 5) %% 52441)::BIGINT) AS origin, 'A' || (sqrt(hash(i * 7) %% 52441)::BIGINT) AS destination FROM range(%[1]d) t(i)`, rows))
	ds.RelativeToNewest = true
	ds.Lookups = map[string]Lookup{"airport": {Column: 4, Key: 1, Target: f.dataset("airports", "code text, state text", "SELECT 'A' || i AS code, 'S' || i % 50 AS state FROM range(3000) t(i)")}}
	return ds
}

// benchPairs are specs with SQL that a person would write by hand for the
// same answer; FLIGHTS and AIRPORTS stand for the files.
var benchPairs = []struct{ name, spec, sql string }{
	{"totals", `{"dataset":"f","measures":[{"fn":"count"},{"fn":"avg","column":"delay"},{"fn":"sum","column":"distance"}]}`,
		"SELECT count(*), avg(c2), sum(c3) FROM FLIGHTS"},
	{"top", `{"dataset":"f","measures":[{"fn":"count"},{"fn":"avg","column":"delay"}],"dimensions":[{"column":"origin"}],"limit":10}`,
		"SELECT c4, count(*) n, avg(c2) FROM FLIGHTS GROUP BY 1 ORDER BY n DESC, c4 LIMIT 10"},
	{"day", `{"dataset":"f","measures":[{"fn":"count"}],"dimensions":[{"column":"date","grain":"day"}]}`,
		"SELECT (epoch_us(c1) // 86400000000)::INTEGER d, count(*) FROM FLIGHTS GROUP BY 1 ORDER BY 1"},
	{"day_london", `{"dataset":"f","timezone":"Europe/London","measures":[{"fn":"count"}],"dimensions":[{"column":"date","grain":"day"}]}`,
		"SELECT ((b1 + CASE WHEN b1 < 1095844 THEN 0 ELSE 4 END) // 96) d, count(*) FROM FLIGHTS GROUP BY 1 ORDER BY 1"},
	{"weekday_hour", `{"dataset":"f","measures":[{"fn":"count"},{"fn":"avg","column":"delay"}],"dimensions":[{"column":"date","grain":"weekday"},{"column":"date","grain":"hour_of_day","as":"h"}]}`,
		"SELECT (b1 // 96 + 3) % 7 + 1 w, b1 // 4 % 24 h, count(*), avg(c2) FROM FLIGHTS GROUP BY 1, 2 ORDER BY 1, 2"},
	{"filter_top", `{"dataset":"f","measures":[{"fn":"count"},{"fn":"avg","column":"delay"}],"dimensions":[{"column":"destination"}],"filters":[{"column":"origin","op":"in","values":["A5","A200"]},{"column":"date","op":"last","n":28,"unit":"day"}],"limit":10}`,
		"SELECT c5, count(*) n, avg(c2) FROM FLIGHTS WHERE c4 IN ('A5', 'A200') AND c1 >= TIMESTAMPTZ '2001-06-02 00:00:00+00' AND c1 < TIMESTAMPTZ '2001-06-30 00:00:00+00' GROUP BY 1 ORDER BY n DESC, c5 LIMIT 10"},
	{"lookup", `{"dataset":"f","measures":[{"fn":"count"}],"dimensions":[{"column":"airport.state"}],"limit":10}`,
		"SELECT a.c2, sum(n) n FROM (SELECT c4, count(*) n FROM FLIGHTS GROUP BY 1) f LEFT JOIN AIRPORTS a ON f.c4 = a.c1 GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10"},
	{"compare", `{"dataset":"f","measures":[{"fn":"count"},{"fn":"avg","column":"delay"}],"filters":[{"column":"date","op":"previous","n":28,"unit":"day"}],"comparison":{"period":"previous"}}`,
		"SELECT count(*), avg(c2), (SELECT count(*) FROM FLIGHTS WHERE c1 >= TIMESTAMPTZ '2001-05-04 00:00:00+00' AND c1 < TIMESTAMPTZ '2001-06-01 00:00:00+00'), (SELECT avg(c2) FROM FLIGHTS WHERE c1 >= TIMESTAMPTZ '2001-05-04 00:00:00+00' AND c1 < TIMESTAMPTZ '2001-06-01 00:00:00+00') FROM FLIGHTS WHERE c1 >= TIMESTAMPTZ '2001-06-01 00:00:00+00' AND c1 < TIMESTAMPTZ '2001-06-29 00:00:00+00'"},
	{"other", `{"dataset":"f","measures":[{"fn":"count"}],"dimensions":[{"column":"date","grain":"month"},{"column":"origin"}],"limit":5,"other":true}`,
		"WITH g AS (SELECT date_trunc('month', (DATE '1970-01-01' + b1 // 96)) d, c4, count(*) n FROM FLIGHTS GROUP BY 1, 2), top AS (SELECT c4 FROM g GROUP BY 1 ORDER BY sum(n) DESC LIMIT 5) SELECT d, top.c4, sum(n) FROM g LEFT JOIN top USING (c4) GROUP BY 1, 2 ORDER BY 1, 2"},
	{"newest_rows", `{"dataset":"f","columns":["date","delay","distance","origin","destination"],"filters":[{"column":"origin","op":"=","values":["A100"]}],"limit":50}`,
		"SELECT c1, c2, c3, c4, c5 FROM FLIGHTS WHERE c4 = 'A100' ORDER BY c1 DESC LIMIT 50"},
	{"worst_rows", `{"dataset":"f","columns":["date","delay","distance","origin","destination"],"filters":[{"column":"origin","op":"=","values":["A100"]}],"order":[{"by":"delay","desc":true}],"limit":50}`,
		"SELECT c1, c2, c3, c4, c5 FROM FLIGHTS WHERE c4 = 'A100' ORDER BY c2 DESC LIMIT 50"},
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// reportCPU adds the processor time of one operation, all threads together.
func reportCPU(b *testing.B, since time.Duration) {
	b.ReportMetric(float64((cpuTime()-since).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

// BenchmarkQueries runs each query by hand-written SQL and through the engine,
// its cache switched off, over the same segment of 3,000,000 rows.
func BenchmarkQueries(b *testing.B) {
	f := newFixture(b)
	ds := benchDataset(f, 3_000_000)
	e := f.engine(func(c *Config) { c.CacheBytes = 1 })
	f.exec("SET GLOBAL parquet_metadata_cache = true")
	files := strings.NewReplacer("FLIGHTS", "read_parquet(["+quoteText(ds.Segments[0].Path)+"])",
		"AIRPORTS", "read_parquet(["+quoteText(ds.Lookups["airport"].Target.Segments[0].Path)+"])")
	for _, pair := range benchPairs {
		b.Run(pair.name+"/sql", func(b *testing.B) {
			sql := files.Replace(pair.sql)
			since := cpuTime()
			for range b.N {
				rows, err := f.conn.query(context.Background(), sql)
				if err != nil {
					b.Fatal(err)
				}
				rows.close()
			}
			reportCPU(b, since)
		})
		b.Run(pair.name+"/engine", func(b *testing.B) {
			q := Query{Spec: mustSpec(b, pair.spec), Dataset: ds}
			for range 3 { // footers, plans and hot copies are kept between queries
				if _, err := e.Run(context.Background(), q); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			since := cpuTime()
			for range b.N {
				if _, err := e.Run(context.Background(), q); err != nil {
					b.Fatal(err)
				}
			}
			reportCPU(b, since)
		})
	}
}

// BenchmarkPage is a dashboard of all queries at once, nothing cached.
func BenchmarkPage(b *testing.B) {
	f := newFixture(b)
	ds := benchDataset(f, 3_000_000)
	e := f.engine(func(c *Config) { c.CacheBytes = 1 })
	page := func() {
		done := make(chan error)
		for _, pair := range benchPairs[:10] {
			go func() {
				_, err := e.Run(context.Background(), Query{Spec: mustSpec(b, pair.spec), Dataset: ds})
				done <- err
			}()
		}
		for range 10 {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
	}
	page()
	b.ResetTimer()
	since := cpuTime()
	for range b.N {
		page()
	}
	reportCPU(b, since)
}

func BenchmarkCacheHit(b *testing.B) {
	f := newFixture(b)
	ds := benchDataset(f, 1000)
	e := f.engine()
	q := Query{Spec: mustSpec(b, benchPairs[5].spec), Dataset: ds, Now: time.Unix(1.7e9, 0)}
	if _, err := e.Run(b.Context(), q); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := e.Run(context.Background(), q); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBind is the planning that a cache hit of the next minute needs.
func BenchmarkBind(b *testing.B) {
	ds := testDataset()
	q := Query{Spec: mustSpec(b, `{"dataset":"d","timezone":"Europe/London","measures":[{"fn":"count"},{"measure":"margin"}],"dimensions":[{"column":"reg.country"},{"column":"at","grain":"day"}],"filters":[{"column":"at","op":"last","n":3,"unit":"day"},{"column":"region","op":"in","values":["a","b"]}]}`),
		Dataset: ds, Now: time.Unix(1.7e9, 0)}
	b.ReportAllocs()
	for range b.N {
		if _, err := bind(&q, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSmallQuery is what a query costs besides reading rows.
func BenchmarkSmallQuery(b *testing.B) {
	f := newFixture(b)
	ds := benchDataset(f, 1000)
	e := f.engine(func(c *Config) { c.CacheBytes = 1 })
	q := Query{Spec: mustSpec(b, benchPairs[1].spec), Dataset: ds, Now: time.Unix(1.7e9, 0)}
	since := cpuTime()
	for range b.N {
		if _, err := e.Run(context.Background(), q); err != nil {
			b.Fatal(err)
		}
	}
	reportCPU(b, since)
}

func BenchmarkAppendJSON(b *testing.B) {
	f := newFixture(b)
	ds := benchDataset(f, 200_000)
	r, err := f.engine().Run(b.Context(), Query{Spec: mustSpec(b, `{"dataset":"d","columns":["date","delay","distance","origin","destination"],"limit":100000}`), Dataset: ds})
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ResetTimer()
	for range b.N {
		buf = r.AppendJSON(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}

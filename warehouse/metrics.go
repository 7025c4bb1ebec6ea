package warehouse

import "github.com/prometheus/client_golang/prometheus"

// metrics are what the engine tells about itself.
type metrics struct {
	queries *prometheus.CounterVec // by outcome
	seconds prometheus.Histogram
	wait    prometheus.Histogram
	rows    prometheus.Counter

	keptFailed prometheus.Counter
}

func newMetrics(e *Engine, reg prometheus.Registerer) *metrics {
	m := &metrics{
		queries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dataflow_query_total",
			Help: "Queries by outcome: hit (in-process cache), second (shared cache), shared (waited for an identical one), exact, sampled, hot (copies), summary, error.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "dataflow_query_seconds",
			Help:    "Time that a query took in DuckDB, waiting excluded.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "dataflow_query_wait_seconds",
			Help:    "Time that a query waited for its turn.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dataflow_query_rows_total",
			Help: "Rows of the segments that queries read.",
		}),
		keptFailed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dataflow_query_kept_failed_total",
			Help: "Hot copies and summaries that could not be made.",
		}),
	}
	if reg == nil {
		return m
	}
	gauge := func(name, help string, read func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read)
	}
	reg.MustRegister(m.queries, m.seconds, m.wait, m.rows, m.keptFailed,
		gauge("dataflow_query_cache_bytes", "Bytes of results kept in process.", func() float64 {
			_, bytes := e.cache.size()
			return float64(bytes)
		}),
		gauge("dataflow_query_cache_entries", "Results kept in process.", func() float64 {
			n, _ := e.cache.size()
			return float64(n)
		}),
		gauge("dataflow_query_kept_bytes", "Bytes of hot copies and summaries.", func() float64 {
			e.kept.mu.Lock()
			defer e.kept.mu.Unlock()
			return float64(e.kept.bytes)
		}),
		gauge("dataflow_query_waiting", "Queries that wait for their turn.", func() float64 { return float64(e.Waiting()) }),
		gauge("dataflow_query_instances", "Open DuckDB instances.", func() float64 { return float64(e.instances.count()) }),
	)
	return m
}

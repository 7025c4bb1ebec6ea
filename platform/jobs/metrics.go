package jobs

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	startLatency = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name: "dataflow_job_start_latency_seconds", Help: "Time from when a job was due until an attempt at it began.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 5, 15, 60, 300, 1800},
	}, []string{"kind"})
	jobDuration = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name: "dataflow_job_duration_seconds", Help: "Time that an attempt took, by how it ended.",
		Buckets: []float64{.01, .05, .25, 1, 5, 30, 120, 600, 3600},
	}, []string{"kind", "outcome"})
	jobsRunning = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Name: "dataflow_jobs_running", Help: "Jobs that run in this process now.",
	}, []string{"kind"})
	deliveriesIgnored = promauto.NewCounter(prometheus.CounterOpts{
		Name: "dataflow_job_deliveries_ignored_total", Help: "Deliveries of an attempt that had begun already or was no longer wanted.",
	})
	dispatched = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "dataflow_jobs_dispatched_total", Help: "Attempts that the relay sent to a queue, second sendings included.",
	}, []string{"queue"})
	relayErrors = promauto.NewCounter(prometheus.CounterOpts{
		Name: "dataflow_job_relay_errors_total", Help: "Rounds of the job relay that ended in an error.",
	})
	progressLost = promauto.NewCounter(prometheus.CounterOpts{
		Name: "dataflow_job_progress_lost_total", Help: "Progress reports that could not be written.",
	})
)

// DepthCollector shows how full the queues are. The database is asked when
// metrics are scraped, and not otherwise.
func DepthCollector(store Store) prometheus.Collector { return depthCollector{store} }

type depthCollector struct{ store Store }

var (
	depthDesc = prometheus.NewDesc("dataflow_jobs_open", "Jobs that wait or run, over all processes.", []string{"queue", "state"}, nil)
	ageDesc   = prometheus.NewDesc("dataflow_jobs_oldest_due_seconds", "How long the oldest of these jobs has been due.", []string{"queue", "state"}, nil)
)

func (c depthCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- depthDesc
	ch <- ageDesc
}

func (c depthCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	depths, err := c.store.CountJobs(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(depthDesc, err)
		return
	}
	for _, d := range depths {
		ch <- prometheus.MustNewConstMetric(depthDesc, prometheus.GaugeValue, float64(d.Count), string(d.Queue), string(d.State))
		ch <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, d.OldestS, string(d.Queue), string(d.State))
	}
}

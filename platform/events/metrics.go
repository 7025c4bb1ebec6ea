package events

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	relayLatency = promauto.NewHistogram(prometheus.HistogramOpts{
		Name: "dataflow_event_relay_latency_seconds", Help: "Time from the change until its event was published.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, 1, 5, 60},
	})
	relayErrors = promauto.NewCounter(prometheus.CounterOpts{
		Name: "dataflow_event_relay_errors_total", Help: "Rounds of the event relay that ended in an error.",
	})
	received = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "dataflow_events_received_total", Help: "Events that this process heard.",
	}, []string{"kind"})
	subscribers = promauto.NewGauge(prometheus.GaugeOpts{
		Name: "dataflow_event_subscribers", Help: "Open event subscriptions in this process.",
	})
	overflowed = promauto.NewCounter(prometheus.CounterOpts{
		Name: "dataflow_event_overflows_total", Help: "Times that a subscriber was too slow and was told to resync.",
	})
)

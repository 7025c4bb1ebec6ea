package handlers

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var requestSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
	Name:    "dataflow_http_request_seconds",
	Help:    "Time to answer a request, by method, route and class of status.",
	Buckets: []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10},
}, []string{"method", "route", "status"})

// statusClass is 2xx and so on.
func statusClass(status int) string { return strconv.Itoa(status/100) + "xx" }

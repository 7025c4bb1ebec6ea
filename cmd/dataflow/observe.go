package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/telemetry"
)

// trace sends spans to a collector, where one is configured.
func (a *app) trace(ctx context.Context) error {
	stop, err := telemetry.StartTracing(ctx, telemetry.TraceConfig{Endpoint: a.cfg.OTLPEndpoint.Reveal(), Version: buildVersion()})
	if err != nil {
		return err
	}
	a.onClose(stop)
	return nil
}

// measure shows what only the database knows, when metrics are asked for.
func (a *app) measure() error {
	for _, c := range []prometheus.Collector{a.db.Collector(), jobs.DepthCollector(a.db)} {
		var already prometheus.AlreadyRegisteredError
		if err := prometheus.Register(c); errors.As(err, &already) {
			continue // a second app in this process, as in tests
		} else if err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
		a.onClose(func(context.Context) error { prometheus.Unregister(c); return nil })
	}
	return nil
}

// withMetrics adds GET /metrics for this machine alone.
func withMetrics(pages http.Handler) http.Handler {
	metrics := telemetry.LocalMetrics()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			metrics.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// listenMetrics opens the address that is for metrics alone, where there is one.
func listenMetrics(address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, errAddress.With("Metrics can't be served on %s. Choose another address with DATAFLOW_METRICS_LISTEN.", address).Wrap(err)
	}
	return listener, nil
}

package db

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Tracer puts each statement into a span that has the statement's name and
// never its arguments. It is for Config.Tracer where traces are wanted.
func Tracer() pgx.QueryTracer { return tracer{otel.Tracer("dataflow/db")} }

type tracer struct{ spans trace.Tracer }

func (t tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	ctx, _ = t.spans.Start(ctx, statementName(data.SQL), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.system.name", "postgresql")))
	return ctx
}

func (t tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	span := trace.SpanFromContext(ctx)
	if data.Err != nil && !IsNoRows(data.Err) {
		span.SetStatus(codes.Error, "")
	}
	span.SetAttributes(attribute.Int64("db.response.rows", data.CommandTag.RowsAffected()))
	span.End()
}

// statementName is what sqlc wrote into the statement's first line, or its
// first word.
func statementName(statement string) string {
	if named, ok := strings.CutPrefix(statement, "-- name: "); ok {
		name, _, _ := strings.Cut(named, " ")
		return name
	}
	word, _, _ := strings.Cut(strings.TrimSpace(statement), " ")
	return word
}

// Collector shows the pool of connections to Prometheus.
func (d *DB) Collector() prometheus.Collector { return poolCollector{d} }

type poolCollector struct{ db *DB }

var (
	poolConnsDesc = prometheus.NewDesc("dataflow_db_connections", "Connections to PostgreSQL, by what they do.", []string{"state"}, nil)
	poolMaxDesc   = prometheus.NewDesc("dataflow_db_connections_max", "Connections that there may be.", nil, nil)
	poolWaitDesc  = prometheus.NewDesc("dataflow_db_acquire_wait_seconds_total", "Time that was spent waiting for a connection.", nil, nil)
	poolEmptyDesc = prometheus.NewDesc("dataflow_db_acquire_waits_total", "Times that no connection was free.", nil, nil)
)

func (c poolCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- poolConnsDesc
	ch <- poolMaxDesc
	ch <- poolWaitDesc
	ch <- poolEmptyDesc
}

func (c poolCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.db.pool.Stat()
	ch <- prometheus.MustNewConstMetric(poolConnsDesc, prometheus.GaugeValue, float64(s.AcquiredConns()), "used")
	ch <- prometheus.MustNewConstMetric(poolConnsDesc, prometheus.GaugeValue, float64(s.IdleConns()), "idle")
	ch <- prometheus.MustNewConstMetric(poolMaxDesc, prometheus.GaugeValue, float64(s.MaxConns()))
	ch <- prometheus.MustNewConstMetric(poolWaitDesc, prometheus.CounterValue, s.EmptyAcquireWaitTime().Seconds())
	ch <- prometheus.MustNewConstMetric(poolEmptyDesc, prometheus.CounterValue, float64(s.EmptyAcquireCount()))
}

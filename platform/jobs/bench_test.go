package jobs_test

import (
	"context"
	"log/slog"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/redistest"
)

// benchWorker runs a worker of the default settings, whose job tells that it
// has begun.
func benchWorker(b *testing.B) (*db.DB, chan time.Time) {
	pool, began := dbtest.New(b), make(chan time.Time, 1)
	runner := jobs.NewRunner(jobs.Config{Store: pool, Log: slog.New(slog.DiscardHandler)})
	jobs.Bind(runner, jobs.Options{}, func(context.Context, jobs.Job[loadArgs]) error { began <- time.Now(); return nil })
	server := jobs.NewServer(jobs.ServerConfig{Redis: redistest.New(b), Store: pool, Runner: runner, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { _ = pool.Listen(ctx, map[string]func(string){jobs.Channel: server.Notify}) })
	all.Go(func() { _ = server.Run(ctx) })
	b.Cleanup(func() { stop(); all.Wait() })
	return pool, began
}

func insertOne(b *testing.B, pool *db.DB, tenant uuid.UUID) {
	err := pool.InTenantTx(b.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
		_, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tenant, Args: loadArgs{}})
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkStart is the time from a commit until the job runs.
func BenchmarkStart(b *testing.B) {
	pool, began := benchWorker(b)
	tenant := uuid.Must(uuid.NewV7())
	insertOne(b, pool, tenant)
	<-began
	var worst time.Duration
	for b.Loop() {
		insertOne(b, pool, tenant)
		committed := time.Now()
		worst = max(worst, (<-began).Sub(committed))
	}
	b.ReportMetric(float64(worst.Milliseconds()), "worst-ms")
}

// BenchmarkIdle is the CPU time that a second of having nothing to do takes.
func BenchmarkIdle(b *testing.B) {
	pool, began := benchWorker(b)
	insertOne(b, pool, uuid.Must(uuid.NewV7()))
	<-began
	cpu := func() time.Duration {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	before, seconds := cpu(), 0
	for b.Loop() {
		<-tick.C
		seconds++
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(seconds)/1000, "cpu-ms/s")
}

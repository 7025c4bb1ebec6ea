package jobs_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/redistest"
)

// The test binary is also the worker that gets killed: it says which job it
// has begun and done, but not committed, and waits.
func TestMain(m *testing.M) {
	if url := os.Getenv("JOBS_TEST_CHILD_DATABASE"); url != "" {
		if err := victim(url, os.Getenv("JOBS_TEST_CHILD_REDIS")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func victim(databaseURL, redisSocket string) error {
	ctx := context.Background()
	pool, err := db.Open(ctx, db.Config{URL: databaseURL})
	if err != nil {
		return err
	}
	runner := jobs.NewRunner(jobs.Config{Store: pool, Worker: "victim", Lease: time.Second})
	jobs.Bind(runner, jobs.Options{}, func(ctx context.Context, job jobs.Job[loadArgs]) error {
		return pool.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
			err := tx.DeliveryInsert(ctx, db.DeliveryInsertParams{TenantID: job.TenantID, MessageID: uuid.New(),
				Kind: "effect", ToAddress: "a@example.com", Subject: job.ID.String(), Body: []byte{}, Attachments: []byte("[]")})
			if err != nil {
				return err
			}
			if err := job.Complete(ctx, tx); err != nil {
				return err
			}
			fmt.Println(job.ID)
			if job.Args.N%2 == 0 {
				select {} // killed before it commits
			}
			return nil
		})
	})
	server := jobs.NewServer(jobs.ServerConfig{Redis: redis.NewClient(&redis.Options{Network: "unix", Addr: redisSocket}),
		Store: pool, Runner: runner, Poll: 20 * time.Millisecond})
	return server.Run(ctx)
}

func TestKilledWorkerLosesAndDoublesNothing(t *testing.T) {
	for name, releaseOwn := range map[string]bool{"its leases lapse": false, "its successor releases them": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t)
			pool, err := db.Open(t.Context(), db.Config{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			w := &world{t: t, db: pool, redis: redistest.Start(t), tenant: uuid.Must(uuid.NewV7())}
			var ids []uuid.UUID
			for n := range 12 {
				ids = append(ids, w.load(n))
			}
			for range 3 {
				killOne(t, url, w.redis.Socket())
			}
			w.work(func(r *jobs.Runner) {
				jobs.Bind(r, jobs.Options{}, func(ctx context.Context, job jobs.Job[loadArgs]) error { return w.effect(ctx, job.Ref) })
			}, func(s *setting) { s.runner.Worker, s.server.ReleaseOwn = "victim", releaseOwn })
			for _, id := range ids {
				w.await(id, jobs.Done)
			}
			w.wantOneEffectEach(ids)
		})
	}
}

// killOne starts a worker and kills it when it is in the midst of two jobs.
func killOne(t *testing.T, databaseURL, redisSocket string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "JOBS_TEST_CHILD_DATABASE="+databaseURL, "JOBS_TEST_CHILD_REDIS="+redisSocket)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(io.LimitReader(out, 1<<20))
	for n := 0; n < 2; n++ {
		if !lines.Scan() {
			t.Fatalf("the worker ended by itself: %s", complaint.String())
		}
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/redistest"
)

// loadArgs and loadAllArgs have kinds of which one is a prefix of the other.
type loadArgs struct {
	N int `json:"n"`
}

func (loadArgs) Kind() string { return "test:load" }

type loadAllArgs struct {
	N int `json:"n"`
}

func (loadAllArgs) Kind() string { return "test:load_all" }

// world is a real database and a real Redis with workers on them.
type world struct {
	t      *testing.T
	db     *db.DB
	redis  *redistest.Server
	tenant uuid.UUID
}

func newWorld(t *testing.T) *world {
	t.Parallel()
	return &world{t: t, db: dbtest.New(t), redis: redistest.Start(t), tenant: uuid.Must(uuid.NewV7())}
}

// setting is what a test changes of a worker.
type setting struct {
	runner jobs.Config
	server jobs.ServerConfig
	client *redis.Client
}

type worker struct {
	stop    context.CancelFunc
	stopped chan error
}

// work starts a worker that the end of the test stops.
func (w *world) work(bind func(*jobs.Runner), change ...func(*setting)) *worker {
	w.t.Helper()
	s := setting{
		client: w.redis.Client(),
		runner: jobs.Config{Store: w.db, Lease: 3 * time.Second, Progress: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)},
		server: jobs.ServerConfig{Store: w.db, Poll: 200 * time.Millisecond, Hold: 300 * time.Millisecond, Log: slog.New(slog.DiscardHandler)},
	}
	for _, c := range change {
		c(&s)
	}
	runner := jobs.NewRunner(s.runner)
	bind(runner)
	s.server.Redis, s.server.Runner = s.client, runner
	server := jobs.NewServer(s.server)
	ctx, cancel := context.WithCancel(context.Background())
	k := &worker{stop: cancel, stopped: make(chan error, 1)}
	var listening sync.WaitGroup
	listening.Go(func() { _ = w.db.Listen(ctx, map[string]func(string){jobs.Channel: server.Notify}) })
	go func() {
		err := server.Run(ctx)
		listening.Wait()
		k.stopped <- err
	}()
	w.t.Cleanup(func() {
		cancel()
		if err := k.wait(w.t); err != nil {
			w.t.Errorf("worker stopped with: %v", err)
		}
	})
	return k
}

func (k *worker) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-k.stopped:
		k.stopped <- err
		return err
	case <-time.After(time.Minute):
		t.Error("worker does not stop")
		return nil
	}
}

func (w *world) insert(row jobs.Row) uuid.UUID {
	w.t.Helper()
	var id uuid.UUID
	err := w.db.InControlTx(w.t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		id, err = jobs.Insert(ctx, tx, row)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) load(n int) uuid.UUID {
	w.t.Helper()
	return w.insert(jobs.Row{TenantID: w.tenant, Args: loadArgs{N: n}})
}

func (w *world) status(id uuid.UUID) jobs.Status {
	w.t.Helper()
	var status jobs.Status
	err := w.db.InTenantTx(w.t.Context(), w.tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		status, err = tx.JobStatus(ctx, id)
		return err
	})
	if err != nil {
		w.t.Fatalf("status of job: %v", err)
	}
	return status
}

// until asks again and again, up to a minute, until ok answers true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("still not: %s", what)
		case <-tick.C:
		}
	}
}

func (w *world) await(id uuid.UUID, state jobs.State) jobs.Status {
	w.t.Helper()
	var status jobs.Status
	until(w.t, fmt.Sprintf("job is %s", state), func() bool {
		status = w.status(id)
		return status.State == state
	})
	return status
}

// effect does the work of a job for all to see: a row with an id of its own
// in a table of the tenant, and the job closed, in one transaction.
func (w *world) effect(ctx context.Context, job jobs.Ref) error {
	return effect(ctx, w.db, job)
}

func effect(ctx context.Context, pool *db.DB, job jobs.Ref) error {
	return pool.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		err := tx.DeliveryInsert(ctx, db.DeliveryInsertParams{TenantID: job.TenantID, MessageID: uuid.New(),
			Kind: "effect", ToAddress: "a@example.com", Subject: job.ID.String(), Body: []byte{}, Attachments: []byte("[]")})
		if err != nil {
			return err
		}
		return job.Complete(ctx, tx)
	})
}

// effects counts the rows that each job has left.
func (w *world) effects() map[uuid.UUID]int {
	w.t.Helper()
	counts := map[uuid.UUID]int{}
	err := w.db.InTenantTx(w.t.Context(), w.tenant, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.DeliveryListNewest(ctx, w.tenant, 100_000)
		for _, row := range rows {
			counts[uuid.MustParse(row.Subject)]++
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return counts
}

func (w *world) wantOneEffectEach(ids []uuid.UUID) {
	w.t.Helper()
	counts := w.effects()
	for _, id := range ids {
		if counts[id] != 1 {
			w.t.Errorf("job %s had %d effects, want 1", id, counts[id])
		}
	}
	if len(counts) != len(ids) {
		w.t.Errorf("%d jobs had effects, want %d", len(counts), len(ids))
	}
}

func TestJobRunsForItsTenantAndUser(t *testing.T) {
	w := newWorld(t)
	user := uuid.Must(uuid.NewV7())
	seen := make(chan jobs.Job[loadArgs], 1)
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(ctx context.Context, job jobs.Job[loadArgs]) error {
			seen <- job
			return w.effect(ctx, job.Ref)
		})
	})
	id := w.insert(jobs.Row{TenantID: w.tenant, UserID: user, Args: loadArgs{N: 7}})
	status := w.await(id, jobs.Done)
	job := <-seen
	if job.ID != id || job.TenantID != w.tenant || job.UserID != user || job.Args.N != 7 || job.Attempt != 1 {
		t.Errorf("job is %+v", job)
	}
	if status.FinishedAt.IsZero() || status.StartedAt.IsZero() || status.Attempt != 1 || status.UserID != user {
		t.Errorf("status is %+v", status)
	}
	w.wantOneEffectEach([]uuid.UUID{id})
}

func TestNoCommitNoJob(t *testing.T) {
	w := newWorld(t)
	rollback := errors.New("roll back")
	var id uuid.UUID
	err := w.db.InTenantTx(t.Context(), w.tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		id, err = jobs.Insert(ctx, tx, jobs.Row{TenantID: w.tenant, Args: loadArgs{}})
		return errors.Join(err, rollback)
	})
	if !errors.Is(err, rollback) {
		t.Fatal(err)
	}
	err = w.db.InTenantTx(t.Context(), w.tenant, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.JobStatus(ctx, id)
		return err
	})
	if !errors.Is(err, jobs.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
}

func TestAnotherTenantSeesNoJob(t *testing.T) {
	w := newWorld(t)
	id := w.load(1)
	other := uuid.Must(uuid.NewV7())
	for name, use := range map[string]func(ctx context.Context, tx *db.Tx) error{
		"status": func(ctx context.Context, tx *db.Tx) error { _, err := tx.JobStatus(ctx, id); return err },
		"cancel": func(ctx context.Context, tx *db.Tx) error { _, err := tx.CancelJob(ctx, id); return err },
	} {
		if err := w.db.InTenantTx(t.Context(), other, use); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	err := w.db.InTenantTx(t.Context(), other, func(ctx context.Context, tx *db.Tx) error {
		_, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: w.tenant, Args: loadArgs{}})
		return err
	})
	if err == nil {
		t.Error("a transaction of one tenant inserted a job for another")
	}
	if state := w.status(id).State; state != jobs.Queued {
		t.Errorf("job is %s, want queued", state)
	}
}

// Redis is wiped again and again while 150 jobs wait and run on two workers.
func TestWipedRedisLosesAndDoublesNothing(t *testing.T) {
	w := newWorld(t)
	bind := func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(ctx context.Context, job jobs.Job[loadArgs]) error { return w.effect(ctx, job.Ref) })
	}
	client := w.redis.Client()
	var ids []uuid.UUID
	w.work(bind)
	w.work(bind)
	for n := range 150 {
		ids = append(ids, w.load(n))
		if n%10 == 0 {
			if err := client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	wipes := 0
	until(t, "every job is done", func() bool {
		if wipes++; wipes <= 20 {
			if err := client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
		return len(w.effects()) == len(ids)
	})
	for _, id := range ids {
		w.await(id, jobs.Done)
	}
	w.wantOneEffectEach(ids)
}

func TestJobsWaitForRedis(t *testing.T) {
	w := newWorld(t)
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(ctx context.Context, job jobs.Job[loadArgs]) error { return w.effect(ctx, job.Ref) })
	})
	first := w.load(1)
	w.await(first, jobs.Done)
	w.redis.Kill()
	second := w.load(2)
	w.redis.Restart()
	w.await(second, jobs.Done)
	w.wantOneEffectEach([]uuid.UUID{first, second})
}

func TestJobOutlivesAnOutageOfRedis(t *testing.T) {
	w := newWorld(t)
	began, goOn := make(chan struct{}), make(chan struct{})
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(ctx context.Context, job jobs.Job[loadArgs]) error {
			close(began)
			select {
			case <-goOn:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			return w.effect(ctx, job.Ref)
		})
	})
	id := w.load(1)
	<-began
	w.redis.Kill()
	close(goOn)
	if status := w.await(id, jobs.Done); status.Attempt != 1 {
		t.Errorf("took %d attempts, want 1", status.Attempt)
	}
	w.redis.Restart()
	w.wantOneEffectEach([]uuid.UUID{id})
}

// deafStore is the real store, but the first attempt's heartbeats get lost, as
// with a worker that was cut off.
type deafStore struct {
	*db.DB
	deaf atomic.Bool
}

func (s *deafStore) ExtendJobs(ctx context.Context, held []jobs.Held, lease time.Duration) ([]jobs.Extended, error) {
	if s.deaf.Load() {
		return nil, errors.New("cut off")
	}
	return s.DB.ExtendJobs(ctx, held, lease)
}

func TestLostLeaseRollsTheWorkBack(t *testing.T) {
	w := newWorld(t)
	cutOff := &deafStore{DB: w.db}
	cutOff.deaf.Store(true)
	firstBegan, secondDone, firstEnded := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var cause atomic.Value
	first := jobs.NewRunner(jobs.Config{Store: cutOff, Lease: 500 * time.Millisecond, Heartbeat: 50 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler)})
	jobs.Bind(first, jobs.Options{}, func(ctx context.Context, job jobs.Job[loadArgs]) error {
		close(firstBegan)
		<-ctx.Done() // told that the lease is lost, and goes on regardless
		cause.Store(context.Cause(ctx))
		<-secondDone
		err := w.effect(context.WithoutCancel(ctx), job.Ref)
		firstEnded <- err
		return err
	})
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() { _ = first.Run(ctx) })
	id := w.load(1)
	all.Go(func() { first.Do(ctx, id, "test:load", 0) })
	<-firstBegan
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(ctx context.Context, job jobs.Job[loadArgs]) error {
			err := w.effect(ctx, job.Ref)
			close(secondDone)
			return err
		})
	})
	if err := <-firstEnded; !errors.Is(err, jobs.ErrLeaseLost) {
		t.Errorf("first attempt ended with %v, want ErrLeaseLost", err)
	}
	if c, _ := cause.Load().(error); !errors.Is(c, jobs.ErrLeaseLost) {
		t.Errorf("first attempt's context ended with %v, want ErrLeaseLost", c)
	}
	if status := w.await(id, jobs.Done); status.Attempt != 2 {
		t.Errorf("took %d attempts, want 2", status.Attempt)
	}
	w.wantOneEffectEach([]uuid.UUID{id})
}

func TestDuplicateDeliveriesRunOnce(t *testing.T) {
	w := newWorld(t)
	var ran atomic.Int32
	runner := jobs.NewRunner(jobs.Config{Store: w.db})
	jobs.Bind(runner, jobs.Options{}, func(ctx context.Context, job jobs.Job[loadArgs]) error {
		ran.Add(1)
		return w.effect(ctx, job.Ref)
	})
	id := w.load(1)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { runner.Do(t.Context(), id, "test:load", 0) })
	}
	all.Wait()
	runner.Do(t.Context(), id, "test:load", 0)
	runner.Do(t.Context(), id, "test:load", 1)
	if ran.Load() != 1 {
		t.Errorf("ran %d times, want 1", ran.Load())
	}
	w.await(id, jobs.Done)
	w.wantOneEffectEach([]uuid.UUID{id})
}

func (w *world) cancel(id uuid.UUID) jobs.State {
	w.t.Helper()
	var state jobs.State
	err := w.db.InTenantTx(w.t.Context(), w.tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		state, err = tx.CancelJob(ctx, id)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return state
}

func TestCancel(t *testing.T) {
	t.Run("a waiting job never runs", func(t *testing.T) {
		w := newWorld(t)
		id := w.load(1)
		if state := w.cancel(id); state != jobs.Cancelled {
			t.Fatalf("state is %s, want cancelled", state)
		}
		var ran []int
		w.work(func(r *jobs.Runner) {
			jobs.Bind(r, jobs.Options{}, func(_ context.Context, job jobs.Job[loadArgs]) error {
				ran = append(ran, job.Args.N)
				return nil
			})
		}, func(s *setting) {
			s.server.Queues = map[jobs.Queue]jobs.QueueConfig{jobs.Short: {Concurrency: 1, PerTenant: 1}}
		})
		w.await(w.load(2), jobs.Done)
		if status := w.status(id); status.State != jobs.Cancelled || status.ErrorCode != "jobs.cancelled" || status.FinishedAt.IsZero() {
			t.Errorf("status is %+v", status)
		}
		if !slices.Equal(ran, []int{2}) {
			t.Errorf("ran %v, want 2 alone", ran)
		}
	})
	// One worker hears of it at once, the other by its next heartbeat.
	for name, heartbeat := range map[string]time.Duration{"at once": time.Hour, "by heartbeat": 50 * time.Millisecond} {
		t.Run("a running job is stopped "+name, func(t *testing.T) {
			w := newWorld(t)
			began := make(chan struct{})
			causes, hooks := make(chan error, 1), make(chan error, 1)
			runner := jobs.NewRunner(jobs.Config{Store: w.db, Lease: time.Minute, Heartbeat: heartbeat, Log: slog.New(slog.DiscardHandler)})
			jobs.Bind(runner, jobs.Options{}, func(ctx context.Context, _ jobs.Job[loadArgs]) error {
				close(began)
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return fmt.Errorf("read file: %w", ctx.Err())
			})
			jobs.OnFailed(runner, func(_ context.Context, _ jobs.Job[loadArgs], cause error) error {
				hooks <- cause
				return nil
			})
			var all sync.WaitGroup
			defer all.Wait()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			all.Go(func() { _ = runner.Run(ctx) })
			if heartbeat == time.Hour {
				server := jobs.NewServer(jobs.ServerConfig{Redis: w.redis.Client(), Store: w.db, Runner: runner})
				listening := make(chan struct{})
				once := sync.OnceFunc(func() { close(listening) })
				all.Go(func() {
					_ = w.db.Listen(ctx, map[string]func(string){jobs.Channel: func(payload string) { once(); server.Notify(payload) }})
				})
				<-listening
			}
			id := w.load(1)
			all.Go(func() { runner.Do(ctx, id, "test:load", 0) })
			<-began
			if state := w.cancel(id); state != jobs.Running {
				t.Fatalf("state is %s, want running", state)
			}
			if cause := <-causes; !errors.Is(cause, jobs.ErrCancelled) {
				t.Errorf("context ended with %v, want ErrCancelled", cause)
			}
			if status := w.await(id, jobs.Cancelled); status.ErrorCode != "jobs.cancelled" {
				t.Errorf("status is %+v", status)
			}
			if hook := <-hooks; hook == nil {
				t.Error("the feature was not told why")
			}
			if state := w.cancel(id); state != jobs.Cancelled {
				t.Errorf("a second cancel answers %s", state)
			}
		})
	}
}

func TestMalformedPayloadIsNotRetried(t *testing.T) {
	w := newWorld(t)
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(context.Context, jobs.Job[loadArgs]) error {
			t.Error("a job without a readable payload ran")
			return nil
		})
	})
	id := uuid.Must(uuid.NewV7())
	err := w.db.InControlTx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.InsertJob(ctx, jobs.NewJob{ID: id, TenantID: w.tenant, Kind: "test:load", Version: 1,
			Payload: json.RawMessage(`{"n": "many"}`), Queue: jobs.Short})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if status := w.await(id, jobs.Failed); status.Attempt != 1 || status.ErrorCode != "jobs.malformed" {
		t.Errorf("status is %+v", status)
	}
}

func TestKindsAreComparedWhole(t *testing.T) {
	w := newWorld(t)
	ran := make(chan string, 2)
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(context.Context, jobs.Job[loadArgs]) error { ran <- "load"; return nil })
	})
	all := w.insert(jobs.Row{TenantID: w.tenant, Args: loadAllArgs{}})
	one := w.load(1)
	w.await(one, jobs.Done)
	if kind := <-ran; kind != "load" {
		t.Errorf("ran %s", kind)
	}
	if status := w.status(all); status.State != jobs.Queued || status.Attempt != 0 {
		t.Errorf("a kind that nobody bound is %+v", status)
	}
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(context.Context, jobs.Job[loadArgs]) error { ran <- "load"; return nil })
		jobs.Bind(r, jobs.Options{}, func(context.Context, jobs.Job[loadAllArgs]) error { ran <- "load_all"; return nil })
	})
	w.await(all, jobs.Done)
	if kind := <-ran; kind != "load_all" {
		t.Errorf("ran %s", kind)
	}
}

func TestNewerPayloadWaitsForANewerWorker(t *testing.T) {
	w := newWorld(t)
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(context.Context, jobs.Job[loadArgs]) error {
			t.Error("an old worker ran a new payload")
			return nil
		})
	})
	id := uuid.Must(uuid.NewV7())
	err := w.db.InControlTx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.InsertJob(ctx, jobs.NewJob{ID: id, TenantID: w.tenant, Kind: "test:load", Version: 2,
			Payload: json.RawMessage(`{}`), Queue: jobs.Short})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the old worker has handed it back", func() bool {
		status := w.status(id)
		return status.Attempt == 1 && status.State == jobs.Queued
	})
}

var errBusy = apperr.Define(apperr.Unavailable, "test.busy", "The server is busy.")
var errWrong = apperr.Define(apperr.Invalid, "test.wrong", "The file is wrong.")

func TestFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		fail     func(attempt int) error
		state    jobs.State
		attempts int
		code     string
	}{
		"an outage passes":           {func(n int) error { return map[bool]error{true: errBusy}[n < 3] }, jobs.Done, 3, ""},
		"an outage lasts":            {func(int) error { return fmt.Errorf("send: %w", errBusy) }, jobs.Failed, 4, "test.busy"},
		"an untyped error":           {func(int) error { return errors.New("boom") }, jobs.Failed, 4, "internal.error"},
		"a panic":                    {func(int) error { panic("boom") }, jobs.Failed, 4, "internal.error"},
		"what a person must mend":    {func(int) error { return errWrong }, jobs.Failed, 1, "test.wrong"},
		"a permanent outage":         {func(int) error { return jobs.Permanent(errBusy) }, jobs.Failed, 1, "test.busy"},
		"a wrong file, for a moment": {func(n int) error { return map[bool]error{true: jobs.Transient(errWrong)}[n < 2] }, jobs.Done, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var told atomic.Int32
			w.work(func(r *jobs.Runner) {
				jobs.Bind(r, jobs.Options{MaxAttempts: 4, Backoff: time.Millisecond}, func(_ context.Context, job jobs.Job[loadArgs]) error {
					return tc.fail(job.Attempt)
				})
				jobs.OnFailed(r, func(_ context.Context, _ jobs.Job[loadArgs], cause error) error {
					told.Add(1)
					return nil
				})
			})
			status := w.await(w.load(1), tc.state)
			if status.Attempt != tc.attempts || status.ErrorCode != tc.code {
				t.Errorf("got %d attempts and code %q, want %d and %q", status.Attempt, status.ErrorCode, tc.attempts, tc.code)
			}
			if want := map[jobs.State]int32{jobs.Failed: 1}[tc.state]; told.Load() != want {
				t.Errorf("the feature was told %d times, want %d", told.Load(), want)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	w := newWorld(t)
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{Timeout: 20 * time.Millisecond, MaxAttempts: 2, Backoff: time.Millisecond},
			func(ctx context.Context, _ jobs.Job[loadArgs]) error {
				<-ctx.Done()
				return ctx.Err()
			})
	})
	if status := w.await(w.load(1), jobs.Failed); status.ErrorCode != "jobs.timeout" || status.Attempt != 2 {
		t.Errorf("status is %+v", status)
	}
}

// A job whose attempts all end with their process is given up, and its feature
// is told.
func TestLostWorkersAreCounted(t *testing.T) {
	w := newWorld(t)
	id := w.load(1)
	for attempt := range 3 {
		until(t, "the lease lapses", func() bool {
			chosen, err := w.db.DispatchJobs(t.Context(), jobs.Dispatch{Queue: jobs.Short, Kinds: []string{"test:load"},
				Waiting: 1, PerTenant: 1, Hold: time.Millisecond})
			return err == nil && len(chosen) == 1
		})
		_, claimed, err := w.db.ClaimJob(t.Context(), jobs.Claim{ID: id, Attempt: attempt, Worker: "dies", Lease: time.Millisecond})
		if err != nil || !claimed {
			t.Fatalf("attempt %d: claimed %t, %v", attempt, claimed, err)
		}
	}
	told := make(chan error, 1)
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{MaxAttempts: 3}, func(context.Context, jobs.Job[loadArgs]) error {
			t.Error("ran again")
			return nil
		})
		jobs.OnFailed(r, func(_ context.Context, _ jobs.Job[loadArgs], cause error) error { told <- cause; return nil })
	})
	if status := w.await(id, jobs.Failed); status.ErrorCode != "jobs.worker_lost" {
		t.Errorf("status is %+v", status)
	}
	if apperr.Describe(<-told).Code != "jobs.worker_lost" {
		t.Error("the feature was told something else")
	}
}

func TestOrderlyStopHandsJobsBack(t *testing.T) {
	w := newWorld(t)
	began := make(chan struct{}, 1)
	causes := make(chan error, 1)
	first := w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{MaxAttempts: 1}, func(ctx context.Context, _ jobs.Job[loadArgs]) error {
			began <- struct{}{}
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return ctx.Err()
		})
	}, func(s *setting) { s.runner.Lease = time.Hour })
	id := w.load(1)
	<-began
	first.stop()
	if err := first.wait(t); err != nil {
		t.Fatal(err)
	}
	if cause := <-causes; !errors.Is(cause, jobs.ErrShutdown) {
		t.Errorf("context ended with %v, want ErrShutdown", cause)
	}
	if status := w.status(id); status.State != jobs.Queued {
		t.Fatalf("status is %+v", status)
	}
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{MaxAttempts: 1}, func(ctx context.Context, job jobs.Job[loadArgs]) error { return w.effect(ctx, job.Ref) })
	})
	w.await(id, jobs.Done)
	w.wantOneEffectEach([]uuid.UUID{id})
}

// What somebody waits for does not wait for the long jobs of their workspace, be
// they as many as may run at once and more.
func TestWhatIsAskedForComesFirst(t *testing.T) {
	w := newWorld(t)
	shown := make(chan struct{})
	var long []uuid.UUID
	for n := range 10 {
		long = append(long, w.insert(jobs.Row{TenantID: w.tenant, Args: loadAllArgs{N: n}, Queue: jobs.Bulk}))
	}
	file := w.insert(jobs.Row{TenantID: w.tenant, Args: loadArgs{}, Queue: jobs.Asked})
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(ctx context.Context, job jobs.Job[loadAllArgs]) error {
			select {
			case <-shown:
			case <-ctx.Done():
				return ctx.Err()
			}
			return w.effect(ctx, job.Ref)
		})
		jobs.Bind(r, jobs.Options{}, func(ctx context.Context, job jobs.Job[loadArgs]) error { return w.effect(ctx, job.Ref) })
	})
	w.await(file, jobs.Done)
	close(shown)
	for _, id := range long {
		w.await(id, jobs.Done)
	}
}

// One tenant's 200 jobs must not keep another's single job waiting.
func TestTenantsTakeTurns(t *testing.T) {
	w := newWorld(t)
	other := uuid.Must(uuid.NewV7())
	for n := range 200 {
		w.load(n)
	}
	single := w.insert(jobs.Row{TenantID: other, Args: loadArgs{N: -1}})
	var mu sync.Mutex
	running, most, before := map[uuid.UUID]int{}, 0, -1
	done := 0
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(ctx context.Context, job jobs.Job[loadArgs]) error {
			mu.Lock()
			running[job.TenantID]++
			most = max(most, running[w.tenant])
			if job.ID == single {
				before = done
			}
			mu.Unlock()
			err := w.effect(ctx, job.Ref)
			mu.Lock()
			running[job.TenantID]--
			done++
			mu.Unlock()
			return err
		})
	}, func(s *setting) {
		s.server.Queues = map[jobs.Queue]jobs.QueueConfig{jobs.Short: {Concurrency: 6, PerTenant: 3}}
		s.server.Hold = time.Minute
	})
	until(t, "all jobs are done", func() bool { mu.Lock(); defer mu.Unlock(); return done == 201 })
	if most > 3 {
		t.Errorf("one tenant had %d jobs at once, want at most 3", most)
	}
	// Without turns it would be the last of 201; how many of the first tenant's end
	// before it is dispatched is a matter of the machine's load.
	if before < 0 || before > 40 {
		t.Errorf("the other tenant's job began after %d jobs", before)
	}
}

func TestUniqueKey(t *testing.T) {
	w := newWorld(t)
	row := jobs.Row{TenantID: w.tenant, Args: loadArgs{}, UniqueKey: "dataset 1"}
	first := w.insert(row)
	if again := w.insert(row); again != first {
		t.Errorf("a second job was inserted")
	}
	otherTenant, otherKey := row, row
	otherTenant.TenantID, otherKey.UniqueKey = uuid.Must(uuid.NewV7()), "dataset 2"
	for _, other := range []jobs.Row{otherTenant, otherKey} {
		if w.insert(other) == first {
			t.Errorf("%+v got the job of another", other)
		}
	}
	began, goOn := make(chan struct{}, 10), make(chan struct{})
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(context.Context, jobs.Job[loadArgs]) error { began <- struct{}{}; <-goOn; return nil })
	})
	until(t, "the first runs", func() bool { return w.status(first).State == jobs.Running })
	// What changed after a job began is not seen by it: another must run.
	second := w.insert(row)
	if second == first {
		t.Error("got the job that runs already")
	}
	close(goOn)
	w.await(second, jobs.Done)
}

func TestRunAt(t *testing.T) {
	w := newWorld(t)
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(context.Context, jobs.Job[loadArgs]) error { return nil })
	}, func(s *setting) { s.server.Poll = time.Hour })
	later := w.insert(jobs.Row{TenantID: w.tenant, Args: loadArgs{}, RunAt: time.Now().Add(time.Hour)})
	at := time.Now().Add(300 * time.Millisecond)
	soon := w.insert(jobs.Row{TenantID: w.tenant, Args: loadArgs{}, RunAt: at})
	if status := w.await(soon, jobs.Done); status.StartedAt.Before(at.Truncate(time.Microsecond)) {
		t.Errorf("began at %v, wanted not before %v", status.StartedAt, at)
	}
	if status := w.status(later); status.State != jobs.Queued {
		t.Errorf("status is %+v", status)
	}
}

func TestProgress(t *testing.T) {
	w := newWorld(t)
	var changes atomic.Int32
	reported, goOn := make(chan struct{}), make(chan struct{})
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(_ context.Context, job jobs.Job[loadArgs]) error {
			for n := range int64(10_000) {
				job.Report(jobs.Progress{Phase: "reading", Bytes: n, BytesTotal: 9_999})
			}
			close(reported)
			<-goOn
			return nil
		})
	}, func(s *setting) {
		s.runner.Changed = func(context.Context, uuid.UUID, uuid.UUID) { changes.Add(1) }
		s.runner.Progress = 100 * time.Millisecond
	})
	id := w.load(1)
	<-reported
	var status jobs.Status
	until(t, "the last report is written", func() bool {
		status = w.status(id)
		return status.Progress.Bytes == 9_999
	})
	if fraction, known := status.Progress.Fraction(); !known || fraction != 1 || status.Progress.Phase != "reading" {
		t.Errorf("progress is %+v", status.Progress)
	}
	if n := changes.Load(); n > 100 {
		t.Errorf("told of progress %d times for 10,000 reports", n)
	}
	close(goOn)
	w.await(id, jobs.Done)
}

func TestPruneSparesOpenJobs(t *testing.T) {
	w := newWorld(t)
	w.work(func(r *jobs.Runner) {
		jobs.Bind(r, jobs.Options{}, func(context.Context, jobs.Job[loadArgs]) error { return nil })
	})
	done := w.load(1)
	w.await(done, jobs.Done)
	open := w.insert(jobs.Row{TenantID: w.tenant, Args: loadAllArgs{}})
	if n, err := w.db.PruneJobs(t.Context(), time.Hour); err != nil || n != 0 {
		t.Errorf("pruned %d young rows, %v", n, err)
	}
	if n, err := w.db.PruneJobs(t.Context(), 0); err != nil || n != 1 {
		t.Errorf("pruned %d rows, %v; want 1", n, err)
	}
	if w.status(open).State != jobs.Queued {
		t.Error("an open job is gone")
	}
}

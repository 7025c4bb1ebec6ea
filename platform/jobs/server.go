package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// Channel is where the database tells of a new or changed job
// (LISTEN/NOTIFY). Its payload is for Server.Notify.
const Channel = "dataflow_jobs"

const cancelPrefix = "cancel:"

// CancelPayload tells every worker that cancelling of a running job was asked for.
func CancelPayload(id uuid.UUID) string { return cancelPrefix + id.String() }

// QueueConfig is how much of a queue is done at once.
type QueueConfig struct {
	Concurrency int // jobs at once in this process
	PerTenant   int // jobs of one tenant at once, over all processes
}

// ServerConfig of a Server.
type ServerConfig struct {
	Redis  redis.UniversalClient
	Store  Store
	Runner *Runner
	Log    *slog.Logger
	// Queues that this process works on; DefaultQueues when nil.
	Queues map[Queue]QueueConfig
	// ReleaseOwn makes jobs that a former process of the same Worker name held
	// due at once. Only safe where no two processes can have that name, as
	// under the lock of a data directory.
	ReleaseOwn bool

	Poll time.Duration // longest time between two looks for due rows; 5 s when zero
	Hold time.Duration // a sent row is sent again after this time without a start; 5 s when zero
}

// DefaultQueues suit a machine of a few cores.
func DefaultQueues() map[Queue]QueueConfig {
	return map[Queue]QueueConfig{
		Short: {Concurrency: 8, PerTenant: 4},
		Asked: {Concurrency: 3, PerTenant: 2},
		Bulk:  {Concurrency: 3, PerTenant: 2},
	}
}

// Redis is the connection that a Server and the tasks share.
type Redis = redis.UniversalClient

// Server brings due rows to a Runner: a relay sends them to Redis, and asynq
// gives them to one of the processes that work on the queue.
type Server struct {
	cfg    ServerConfig
	client *asynq.Client
	wake   chan struct{}
	gate   *gate
}

// NewServer makes a Server; nothing happens before Run.
func NewServer(cfg ServerConfig) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Queues == nil {
		cfg.Queues = DefaultQueues()
	}
	if cfg.Poll == 0 {
		cfg.Poll = 5 * time.Second
	}
	if cfg.Hold == 0 {
		cfg.Hold = 5 * time.Second
	}
	s := &Server{cfg: cfg, client: asynq.NewClientFromRedisClient(cfg.Redis), wake: make(chan struct{}, 1), gate: newGate(cfg.Queues)}
	cfg.Runner.onEnd = s.Wake
	return s
}

// Wake has the relay look for due rows now.
func (s *Server) Wake() {
	s.gate.open() // the relay of another process may be the one that sends
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Notify takes a payload of Channel.
func (s *Server) Notify(payload string) {
	if id, ok := strings.CutPrefix(payload, cancelPrefix); ok {
		if id, err := uuid.Parse(id); err == nil {
			s.cfg.Runner.Cancel(id)
		}
		return
	}
	s.Wake()
}

// Run works until ctx ends. Jobs that run then are cancelled with ErrShutdown
// and go back to the queue.
func (s *Server) Run(ctx context.Context) error {
	if s.cfg.ReleaseOwn {
		n, err := s.cfg.Store.ReleaseJobs(ctx, s.cfg.Runner.Worker())
		if err != nil {
			return fmt.Errorf("release jobs of a former process: %w", err)
		}
		if n > 0 {
			s.cfg.Log.Info("jobs of a former process are taken up again", "jobs", n)
		}
	}
	asking, forget := s.asking()
	defer forget()
	servers := make([]*asynq.Server, 0, len(s.cfg.Queues))
	for queue, q := range s.cfg.Queues {
		server := asynq.NewServerFromRedisClient(asking, asynq.Config{
			Concurrency: q.Concurrency,
			Queues:      map[string]int{string(queue): 1},
			// asynq looks again after half to one and a half of this. The
			// gate keeps it cheap.
			TaskCheckInterval: 10 * time.Millisecond,
			ShutdownTimeout:   time.Second,
			Logger:            &asynqLog{log: s.cfg.Log},
			LogLevel:          asynq.WarnLevel,
			// The rows say what becomes of a job: asynq never retries, and
			// nothing of it is delayed.
			DelayedTaskCheckInterval: time.Minute,
			JanitorInterval:          time.Hour,
		})
		if err := server.Start(asynq.HandlerFunc(s.process)); err != nil {
			return fmt.Errorf("start queue %s: %w", queue, err)
		}
		servers = append(servers, server)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.relay(ctx) })
	group.Go(func() error { return s.cfg.Runner.Run(ctx) })
	err := group.Wait()

	var stopping errgroup.Group
	s.gate.open() // asynq stops between two questions
	for _, server := range servers {
		stopping.Go(func() error { server.Shutdown(); return nil })
	}
	_ = stopping.Wait()
	return err
}

// asking is the connection on which asynq asks for work: one of its own, for
// the gate stands in it.
func (s *Server) asking() (client Redis, forget func()) {
	shared, ok := s.cfg.Redis.(*redis.Client)
	if !ok { // a cluster's client can't be copied
		s.cfg.Redis.AddHook(s.gate)
		return s.cfg.Redis, func() {}
	}
	options := *shared.Options()
	options.PushNotificationProcessor = nil // the other connection's
	own := redis.NewClient(&options)
	own.AddHook(s.gate)
	return own, func() { _ = own.Close() }
}

// delivery is what asynq carries.
type delivery struct {
	Job     uuid.UUID `json:"job"`
	Attempt int       `json:"attempt"` // attempts before this one
}

// process is the only handler: kinds are compared whole, where asynq's mux
// would take a prefix for a match. The answer is always nil, for the row
// knows what comes next.
func (s *Server) process(_ context.Context, task *asynq.Task) error {
	var d delivery
	if err := json.Unmarshal(task.Payload(), &d); err != nil {
		s.cfg.Log.Error("a queue has something that is no job", "kind", task.Type(), "error", err)
		return nil
	}
	// Not asynq's context: it ends with Redis, but the lease is in PostgreSQL.
	s.cfg.Runner.Do(context.Background(), d.Job, task.Type(), d.Attempt)
	return nil
}

// relay sends due rows whenever it is woken, and by the clock for rows that
// become due and for wakes that got lost.
func (s *Server) relay(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-timer.C:
		}
		next, err := s.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			relayErrors.Inc()
			if failing == 0 {
				s.cfg.Log.Warn("job relay", "error", err)
			}
			failing = min(max(2*failing, 100*time.Millisecond), 2*time.Second)
			next = failing
		case failing > 0:
			s.cfg.Log.Info("job relay works again")
			failing = 0
		}
		timer.Reset(next)
	}
}

// round sends what is due and answers when to look again.
func (s *Server) round(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	kinds := s.cfg.Runner.Kinds()
	for queue, q := range s.cfg.Queues {
		rows, err := s.cfg.Store.DispatchJobs(ctx, Dispatch{
			Queue: queue, Kinds: kinds, Waiting: 2 * q.Concurrency, PerTenant: q.PerTenant, Hold: s.cfg.Hold,
		})
		if err != nil {
			return 0, fmt.Errorf("choose due jobs: %w", err)
		}
		for _, row := range rows {
			if err := s.send(ctx, queue, row); err != nil {
				return 0, err
			}
		}
		if len(rows) > 0 {
			s.gate.open()
			dispatched.WithLabelValues(string(queue)).Add(float64(len(rows)))
		}
	}
	due, open, err := s.cfg.Store.NextJobDue(ctx, kinds)
	if err != nil {
		return 0, fmt.Errorf("find next due job: %w", err)
	}
	if !open {
		return s.cfg.Poll, nil
	}
	// Overdue rows wait for room; each end of a job wakes the relay as well.
	return min(max(due, 250*time.Millisecond), s.cfg.Poll), nil
}

// send enqueues one attempt. Its task id is the row's id and the attempt, so
// an attempt that still waits in Redis is not sent twice. One that a dead
// process took out of the queue blocks its id, so it is sent under another;
// whoever comes first claims the row.
func (s *Server) send(ctx context.Context, queue Queue, row Dispatched) error {
	payload, err := json.Marshal(delivery{Job: row.ID, Attempt: row.Attempt})
	if err != nil {
		return fmt.Errorf("encode delivery: %w", err)
	}
	id := row.ID.String() + "." + strconv.Itoa(row.Attempt+1)
	for {
		_, err = s.client.EnqueueContext(ctx, asynq.NewTask(row.Kind, payload), asynq.TaskID(id),
			asynq.Queue(string(queue)), asynq.MaxRetry(0), asynq.Timeout(7*24*time.Hour))
		if !errors.Is(err, asynq.ErrTaskIDConflict) {
			break
		}
		waiting, werr := s.waits(queue, id)
		if werr != nil {
			return werr
		}
		if waiting {
			return nil
		}
		id = row.ID.String() + "." + strconv.Itoa(row.Attempt+1) + "." + strconv.FormatInt(time.Now().UnixMilli(), 36)
	}
	if err != nil {
		return fmt.Errorf("send job %s: %w", row.ID, err)
	}
	return nil
}

func (s *Server) waits(queue Queue, taskID string) (bool, error) {
	info, err := asynq.NewInspectorFromRedisClient(s.cfg.Redis).GetTaskInfo(string(queue), taskID)
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for sent job: %w", err)
	}
	return info.State == asynq.TaskStatePending, nil
}

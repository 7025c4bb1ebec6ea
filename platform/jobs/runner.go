package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/telemetry"
)

// Options are set where a kind is bound.
type Options struct {
	Timeout     time.Duration // of one attempt; 5 minutes when zero
	MaxAttempts int           // 10 when zero
	// Backoff is the wait before the second attempt, doubled for each further
	// one, up to MaxBackoff; 1 s and 10 minutes when zero. Up to half of a
	// wait is random.
	Backoff    time.Duration
	MaxBackoff time.Duration
	// Version is the newest payload version that fn reads; 1 when zero. A
	// newer job waits for a newer worker.
	Version int
}

// binding is a kind with its work, past its type parameter.
type binding struct {
	Options
	kind   string
	run    func(ctx context.Context, ref Ref, payload json.RawMessage) error
	failed func(ctx context.Context, ref Ref, payload json.RawMessage, cause error) error
}

// Config of a Runner.
type Config struct {
	Store  Store
	Worker string // name of this process, kept with its leases; random when empty
	Log    *slog.Logger
	// Changed is told that a job began or made progress, which is lost with
	// Redis; how a job ended goes through the outbox. Optional.
	Changed func(ctx context.Context, tenantID, jobID uuid.UUID)

	// Enter gives the context of a job what its feature wants to know of it there.
	// Optional.
	Enter func(ctx context.Context, kind string, ref Ref) context.Context

	StopTimeout time.Duration // how long Run waits for slow jobs at its end; 20 s when zero
	Lease       time.Duration // 15 s when zero
	Heartbeat   time.Duration // a third of Lease when zero
	Progress    time.Duration // shortest time between two reports; 250 ms when zero
}

// Runner does the work of jobs that a Server brings to it.
type Runner struct {
	cfg   Config
	onEnd func() // set by the Server before anything runs

	mu       sync.Mutex
	bindings map[string]*binding
	running  map[uuid.UUID]*attempt
	stopping bool
	idle     chan struct{} // closed when stopping and nothing runs
}

// attempt is a job that runs in this process now.
type attempt struct {
	held   Held
	cancel context.CancelCauseFunc
	expiry time.Time // by our own clock, a little early
}

// NewRunner makes a Runner without kinds; see Bind.
func NewRunner(cfg Config) *Runner {
	if cfg.Worker == "" {
		cfg.Worker = uuid.NewString()
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Lease == 0 {
		cfg.Lease = 15 * time.Second
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = cfg.Lease / 3
	}
	if cfg.StopTimeout == 0 {
		cfg.StopTimeout = 20 * time.Second
	}
	if cfg.Progress == 0 {
		cfg.Progress = progressEvery
	}
	return &Runner{cfg: cfg, bindings: map[string]*binding{}, running: map[uuid.UUID]*attempt{}, idle: make(chan struct{})}
}

// Bind gives the jobs of kind A to fn, which must be idempotent. fn closes the
// job itself by job.Complete in the transaction of its work; where it doesn't,
// the job is closed after fn answered nil. An error is retried unless it is
// Permanent or of a class that a person must put right. ctx ends with one of
// the causes ErrCancelled, ErrTimeout, ErrLeaseLost, ErrShutdown.
//
// Bind panics on a kind that is malformed or bound already.
func Bind[A Args](r *Runner, o Options, fn func(ctx context.Context, job Job[A]) error) {
	var zero A
	b := &binding{Options: o, kind: zero.Kind(), run: func(ctx context.Context, ref Ref, payload json.RawMessage) error {
		args, err := decode[A](payload)
		if err != nil {
			return err
		}
		return fn(ctx, Job[A]{Ref: ref, Args: args})
	}}
	if !ValidKind(b.kind) {
		panic("jobs: kind is not <feature>:<verb>: " + b.kind)
	}
	if b.Timeout == 0 {
		b.Timeout = 5 * time.Minute
	}
	if b.MaxAttempts == 0 {
		b.MaxAttempts = 10
	}
	if b.Backoff == 0 {
		b.Backoff = time.Second
	}
	if b.MaxBackoff == 0 {
		b.MaxBackoff = 10 * time.Minute
	}
	if b.Version == 0 {
		b.Version = 1
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.bindings[b.kind]; taken {
		panic("jobs: kind bound twice: " + b.kind)
	}
	r.bindings[b.kind] = b
}

// OnFailed has fn called before a job of kind A is closed as failed or
// cancelled, so that a feature can say so in rows of its own. fn may be called
// more than once for a job. cause is what ended it.
func OnFailed[A Args](r *Runner, fn func(ctx context.Context, job Job[A], cause error) error) {
	var zero A
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bindings[zero.Kind()].failed = func(ctx context.Context, ref Ref, payload json.RawMessage, cause error) error {
		args, err := decode[A](payload)
		if err != nil {
			return nil // there is nothing that a feature could do about it
		}
		return fn(ctx, Job[A]{Ref: ref, Args: args}, cause)
	}
}

func decode[A Args](payload json.RawMessage) (A, error) {
	var args A
	if err := json.Unmarshal(payload, &args); err != nil {
		return args, Permanent(errMalformed.Wrap(fmt.Errorf("decode payload of %s: %w", args.Kind(), err)))
	}
	return args, nil
}

// ValidKind tells whether kind is "<feature>:<verb>" in lower case.
func ValidKind(kind string) bool {
	colons := 0
	for i, c := range kind {
		switch {
		case c >= 'a' && c <= 'z', c == '_', c >= '0' && c <= '9':
		case c == ':' && i > 0 && i < len(kind)-1:
			colons++
		default:
			return false
		}
	}
	return colons == 1
}

// Kinds lists the bound kinds in no order.
func (r *Runner) Kinds() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	kinds := make([]string, 0, len(r.bindings))
	for kind := range r.bindings {
		kinds = append(kinds, kind)
	}
	return kinds
}

// Worker is the name under which leases are held.
func (r *Runner) Worker() string { return r.cfg.Worker }

// Run extends leases until ctx ends, then cancels what still runs with
// ErrShutdown, hands it back to the queue and answers when nothing runs.
func (r *Runner) Run(ctx context.Context) error {
	ticker := time.NewTicker(r.cfg.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.heartbeat(ctx)
		case <-ctx.Done():
			return r.stop(ticker)
		}
	}
}

func (r *Runner) stop(ticker *time.Ticker) error {
	r.mu.Lock()
	r.stopping = true
	for _, a := range r.running {
		a.cancel(ErrShutdown)
	}
	if len(r.running) == 0 {
		close(r.idle)
	}
	r.mu.Unlock()
	tooLong := time.NewTimer(r.cfg.StopTimeout)
	defer tooLong.Stop()
	for {
		select {
		case <-r.idle:
			return nil
		case <-tooLong.C: // the leases lapse, and another worker begins anew
			return errors.New("jobs still run after their stop was asked for")
		case <-ticker.C: // somebody is slow to stop: keep the lease until then
			r.heartbeat(context.Background())
		}
	}
}

// heartbeat extends every lease of this process with one statement. Where the
// database can't be reached for a whole lease, another worker may have begun:
// the work is stopped.
func (r *Runner) heartbeat(ctx context.Context) {
	r.mu.Lock()
	held := make([]Held, 0, len(r.running))
	for _, a := range r.running {
		held = append(held, a.held)
	}
	r.mu.Unlock()
	if len(held) == 0 {
		return
	}
	asked := time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Heartbeat)
	defer cancel()
	extended, err := r.cfg.Store.ExtendJobs(ctx, held, r.cfg.Lease)

	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.cfg.Log.Warn("extend job leases", "error", err, "jobs", len(held))
		for _, h := range held {
			if a := r.running[h.ID]; a != nil && time.Now().After(a.expiry) {
				a.cancel(ErrLeaseLost)
			}
		}
		return
	}
	alive := make(map[uuid.UUID]Extended, len(extended))
	for _, e := range extended {
		alive[e.ID] = e
	}
	for _, h := range held {
		a := r.running[h.ID]
		if a == nil || a.held != h {
			continue
		}
		e, ok := alive[h.ID]
		switch {
		case !ok:
			a.cancel(ErrLeaseLost)
		case e.Cancel:
			a.cancel(ErrCancelled)
		default:
			a.expiry = asked.Add(r.cfg.Lease)
		}
	}
}

// Cancel ends the context of a job that runs in this process with
// ErrCancelled. The database knows already; this only makes it immediate.
func (r *Runner) Cancel(id uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.running[id]; a != nil {
		a.cancel(ErrCancelled)
	}
}

// Do runs the attempt after `attempts` at job id, when it is still to be run:
// a second delivery of the same attempt does nothing. A claimed attempt's
// outcome is in its row when Do returns.
func (r *Runner) Do(ctx context.Context, id uuid.UUID, kind string, attempts int) {
	r.mu.Lock()
	b := r.bindings[kind]
	stopping := r.stopping
	r.mu.Unlock()
	if b == nil || stopping { // a newer binary's kind; the relay sends it again
		return
	}
	asked := time.Now()
	row, claimed, err := r.cfg.Store.ClaimJob(ctx, Claim{ID: id, Attempt: attempts, MaxAttempts: b.MaxAttempts,
		Worker: r.cfg.Worker, Lease: r.cfg.Lease})
	if err != nil {
		r.cfg.Log.Warn("claim job", "job_id", id, "kind", kind, "error", err)
		return
	}
	if !claimed {
		deliveriesIgnored.Inc()
		return
	}
	held := Held{ID: id, TenantID: row.TenantID, Attempt: row.Attempt}
	base := context.WithoutCancel(ctx)
	jobCtx, cancel := context.WithCancelCause(base)
	defer cancel(nil)

	r.mu.Lock()
	if r.stopping {
		r.mu.Unlock()
		r.end(base, b, held, Ending{State: Queued, Released: true})
		return
	}
	r.running[id] = &attempt{held: held, cancel: cancel, expiry: asked.Add(r.cfg.Lease)}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.running, id)
		if r.stopping && len(r.running) == 0 {
			close(r.idle)
		}
		r.mu.Unlock()
		if r.onEnd != nil {
			r.onEnd() // a place is free
		}
	}()
	if row.Version > b.Version {
		r.end(base, b, held, Ending{State: Queued, Delay: 30 * time.Second, Released: true})
		return
	}
	if row.Cancel {
		cancel(ErrCancelled)
	}
	r.attempt(jobCtx, b, row, held)
}

// attempt runs one claimed attempt and writes how it ended.
func (r *Runner) attempt(ctx context.Context, b *binding, row Claimed, held Held) {
	base := context.WithoutCancel(ctx)
	attrs := []slog.Attr{slog.String("job_id", row.ID.String()), slog.String("kind", row.Kind), slog.Int("attempt", row.Attempt)}
	if row.TenantID != uuid.Nil {
		attrs = append(attrs, slog.String("tenant_id", row.TenantID.String()))
	}
	ctx, base = telemetry.With(ctx, attrs...), telemetry.With(base, attrs...)
	ctx, span := otel.Tracer("dataflow/jobs").Start(ctx, row.Kind, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.String("job.id", row.ID.String()), attribute.Int("job.attempt", row.Attempt)))
	defer span.End()
	if wait := time.Since(row.DueAt); wait > 0 {
		startLatency.WithLabelValues(row.Kind).Observe(wait.Seconds())
	}
	jobsRunning.WithLabelValues(row.Kind).Inc()
	defer jobsRunning.WithLabelValues(row.Kind).Dec()
	started := time.Now()

	counted := row.Attempt - row.Released
	ref := Ref{ID: row.ID, TenantID: row.TenantID, UserID: row.UserID, Attempt: row.Attempt,
		MaxAttempts: b.MaxAttempts + row.Released, CreatedAt: row.CreatedAt}
	ref.progress = newReporter(r.cfg.Progress, func(ctx context.Context, p Progress) error {
		ok, err := r.cfg.Store.SetJobProgress(ctx, held, p)
		if ok {
			r.changed(ctx, held)
		}
		return err
	})
	r.changed(base, held)

	var err error
	switch {
	case counted > b.MaxAttempts: // every attempt ended with its process
		err = Permanent(errWorkerLost)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	default:
		err = r.guard(ctx, b, ref, row.Payload)
	}
	if p, unwritten := ref.progress.close(); unwritten && err == nil {
		// The row may be closed by now, by its own transaction.
		if _, werr := r.cfg.Store.SetJobProgress(base, held, p); werr != nil {
			progressLost.Inc()
		}
	}
	ending, outcome := judge(ctx, b, counted, err)
	jobDuration.WithLabelValues(row.Kind, outcome).Observe(time.Since(started).Seconds())
	if err != nil {
		span.SetStatus(codes.Error, outcome)
		level := slog.LevelWarn
		if ending.State == Failed {
			level = slog.LevelError
		}
		if ending.State == Cancelled || ending.Released {
			level = slog.LevelInfo
		}
		r.cfg.Log.LogAttrs(base, level, "job "+outcome, slog.Any("error", err),
			slog.Duration("took", time.Since(started)), slog.Duration("next_in", ending.Delay))
	}
	if errors.Is(err, ErrLeaseLost) {
		return // the row belongs to another attempt
	}
	if (ending.State == Failed || ending.State == Cancelled) && b.failed != nil {
		if ferr := r.guardFailed(base, b, ref, row.Payload, err); ferr != nil {
			r.cfg.Log.LogAttrs(base, slog.LevelError, "job failure not recorded by its feature", slog.Any("error", ferr))
			if counted <= 2*b.MaxAttempts { // the lease lapses and it is tried again, but not for ever
				return
			}
		}
	}
	r.end(base, b, held, ending)
}

// guard runs fn within its deadline and turns a panic into an error.
func (r *Runner) guard(ctx context.Context, b *binding, ref Ref, payload json.RawMessage) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Timeout, ErrTimeout)
	defer cancel()
	defer recovered(&err)
	err = b.run(r.enter(ctx, b, ref), ref, payload)
	if err != nil && errors.Is(context.Cause(ctx), ErrTimeout) {
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}

func (r *Runner) guardFailed(ctx context.Context, b *binding, ref Ref, payload json.RawMessage, cause error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Lease)
	defer cancel()
	defer recovered(&err)
	return b.failed(r.enter(ctx, b, ref), ref, payload, cause)
}

func (r *Runner) enter(ctx context.Context, b *binding, ref Ref) context.Context {
	if r.cfg.Enter == nil {
		return ctx
	}
	return r.cfg.Enter(ctx, b.kind, ref)
}

func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// judge decides what becomes of a job after an attempt.
func judge(ctx context.Context, b *binding, counted int, err error) (Ending, string) {
	cause := context.Cause(ctx)
	public := apperr.Describe(err)
	switch {
	case err == nil:
		return Ending{State: Done}, "done"
	case errors.Is(err, ErrLeaseLost) || errors.Is(cause, ErrLeaseLost):
		return Ending{State: Queued}, "lease lost"
	case errors.Is(cause, ErrCancelled):
		described := apperr.Describe(ErrCancelled)
		return Ending{State: Cancelled, ErrorCode: described.Code, ErrorText: described.Sentence}, "cancelled"
	case errors.Is(cause, ErrShutdown):
		return Ending{State: Queued, Released: true}, "released"
	case counted >= b.MaxAttempts || !retryable(err):
		return Ending{State: Failed, ErrorCode: public.Code, ErrorText: public.Sentence}, "failed"
	}
	return Ending{State: Queued, Delay: b.delay(counted), ErrorCode: public.Code, ErrorText: public.Sentence}, "retried"
}

// delay is the wait after the given number of attempts.
func (b *binding) delay(counted int) time.Duration {
	d := b.Backoff
	for range counted - 1 {
		if d *= 2; d >= b.MaxBackoff {
			break
		}
	}
	d = min(d, b.MaxBackoff)
	return d/2 + rand.N(d/2+1)
}

// end writes an ending. A database that is away for a moment must not make a
// finished job run again, so it is tried for one lease.
func (r *Runner) end(ctx context.Context, b *binding, held Held, e Ending) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Lease)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		_, err := r.cfg.Store.EndJob(ctx, held, e)
		if err == nil {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			r.cfg.Log.Warn("end job", "job_id", held.ID, "kind", b.kind, "error", err)
			return
		}
	}
}

func (r *Runner) changed(ctx context.Context, h Held) {
	if r.cfg.Changed != nil && h.TenantID != uuid.Nil {
		r.cfg.Changed(ctx, h.TenantID, h.ID)
	}
}

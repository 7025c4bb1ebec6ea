package events

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
)

// Channel is where the database tells of a new event (LISTEN/NOTIFY).
const Channel = "dataflow_events"

const (
	relayBatch = 500
	tellBatch  = 50 // few, since their rows are locked meanwhile
	// relayPoll finds what no wake told of.
	relayPoll = 5 * time.Second
)

// Publisher sends events to all processes; see Bus.
type Publisher interface {
	Publish(ctx context.Context, events ...Event) error
}

// Relay takes events out of the outbox: it publishes them to all processes, and
// tells features of the server of changed datasets. Both happen at least once,
// and neither waits for the other.
type Relay struct {
	outbox  Outbox
	to      Publisher
	tell    func(context.Context, Event) error
	log     *slog.Logger
	publish chan struct{}
	telling chan struct{}
}

// NewRelay makes a Relay. Several may run, in one process or many. tell may be
// nil; an event that it has an error for comes again.
func NewRelay(outbox Outbox, to Publisher, tell func(context.Context, Event) error, log *slog.Logger) *Relay {
	if log == nil {
		log = slog.Default()
	}
	return &Relay{outbox: outbox, to: to, tell: tell, log: log, publish: make(chan struct{}, 1), telling: make(chan struct{}, 1)}
}

// Wake has the relay look into the outbox now.
func (r *Relay) Wake() {
	for _, wake := range []chan struct{}{r.publish, r.telling} {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// Run works until ctx ends. While Redis or the database is away, events wait
// in their table.
func (r *Relay) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.loop(ctx, "publish events", r.publish, relayBatch, r.publishRound) })
	if r.tell != nil {
		group.Go(func() error { return r.loop(ctx, "tell of changed data", r.telling, tellBatch, r.tellRound) })
	}
	return group.Wait()
}

func (r *Relay) loop(ctx context.Context, what string, wake <-chan struct{}, batch int, round func(context.Context) (int, error)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-timer.C:
		}
		n, err := round(ctx)
		next := relayPoll
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			relayErrors.Inc()
			if failing == 0 {
				r.log.Warn(what, "error", err)
			}
			failing = min(max(2*failing, 100*time.Millisecond), 2*time.Second)
			next = failing
		case n == batch:
			next = 0
		}
		if err == nil && failing > 0 {
			r.log.Info(what + ": it works again")
			failing = 0
		}
		timer.Reset(next)
	}
}

func (r *Relay) publishRound(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return r.outbox.PublishOutbox(ctx, relayBatch, func(ctx context.Context, stored []Stored) error {
		batch := make([]Event, len(stored))
		for i, s := range stored {
			batch[i] = s.Event
		}
		if err := r.to.Publish(ctx, batch...); err != nil {
			return err
		}
		for _, s := range stored {
			relayLatency.Observe(time.Since(s.CreatedAt).Seconds())
		}
		return nil
	})
}

func (r *Relay) tellRound(ctx context.Context) (int, error) {
	return r.outbox.TellOutbox(ctx, tellBatch, func(ctx context.Context, e Event) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := r.tell(ctx, e)
		if err != nil {
			r.log.WarnContext(ctx, "tell of changed data", "tenant", e.TenantID, "dataset", e.ID, "error", err)
		}
		return err
	})
}

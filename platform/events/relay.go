package events

import (
	"context"
	"log/slog"
	"time"
)

// Channel is where the database tells of a new event (LISTEN/NOTIFY).
const Channel = "dataflow_events"

const (
	relayBatch = 500
	// relayPoll finds what no wake told of.
	relayPoll = 5 * time.Second
)

// Publisher sends events to all processes; see Bus.
type Publisher interface {
	Publish(ctx context.Context, events ...Event) error
}

// Relay takes events out of the outbox and publishes them, each at least once.
type Relay struct {
	outbox Outbox
	to     Publisher
	log    *slog.Logger
	wake   chan struct{}
}

// NewRelay makes a Relay. Several may run, in one process or many.
func NewRelay(outbox Outbox, to Publisher, log *slog.Logger) *Relay {
	if log == nil {
		log = slog.Default()
	}
	return &Relay{outbox: outbox, to: to, log: log, wake: make(chan struct{}, 1)}
}

// Wake has the relay look into the outbox now.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. While Redis or the database is away, events wait
// in their table.
func (r *Relay) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-timer.C:
		}
		n, err := r.round(ctx)
		next := relayPoll
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			relayErrors.Inc()
			if failing == 0 {
				r.log.Warn("event relay", "error", err)
			}
			failing = min(max(2*failing, 100*time.Millisecond), 2*time.Second)
			next = failing
		case n == relayBatch:
			next = 0
		}
		if err == nil && failing > 0 {
			r.log.Info("event relay works again")
			failing = 0
		}
		timer.Reset(next)
	}
}

func (r *Relay) round(ctx context.Context) (int, error) {
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

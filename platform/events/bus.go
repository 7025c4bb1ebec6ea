package events

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

const (
	channelPrefix = "dataflow:events:"
	// liveness is subscribed to always, so that the connection has something
	// to be kept open for.
	liveness = channelPrefix + "-"
	// backlog is how many events may wait for a subscriber. One that is
	// slower gets Resync in their place.
	backlog = 64
	// pingEvery keeps a dead connection from going unnoticed.
	pingEvery = 10 * time.Second
)

// Bus brings the events of Redis to the subscribers of this process.
type Bus struct {
	client redis.UniversalClient
	log    *slog.Logger
	kick   chan struct{} // the wanted set of channels changed

	mu    sync.Mutex
	rooms map[uuid.UUID]*room
}

// room is a tenant with subscribers in this process.
type room struct {
	live    bool // Redis has confirmed the subscription
	members map[chan Event]struct{}
}

// NewBus makes a Bus; it hears nothing before Run.
func NewBus(client redis.UniversalClient, log *slog.Logger) *Bus {
	if log == nil {
		log = slog.Default()
	}
	return &Bus{client: client, log: log, kick: make(chan struct{}, 1), rooms: map[uuid.UUID]*room{}}
}

// Subscribe hears the tenant's events until ctx ends; then the channel is
// closed. A Resync comes first, as soon as the subscription is live, and again
// whenever events may have been missed: after an outage of Redis, or when the
// subscriber was too slow. Who reads the current versions after each Resync
// misses nothing.
func (b *Bus) Subscribe(ctx context.Context, tenantID uuid.UUID) <-chan Event {
	ch := make(chan Event, backlog)
	b.mu.Lock()
	r := b.rooms[tenantID]
	if r == nil {
		r = &room{members: map[chan Event]struct{}{}}
		b.rooms[tenantID] = r
		b.changed()
	}
	r.members[ch] = struct{}{}
	if r.live {
		ch <- Event{TenantID: tenantID, Kind: Resync}
	}
	b.mu.Unlock()
	subscribers.Inc()
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(r.members, ch)
		if len(r.members) == 0 && b.rooms[tenantID] == r {
			delete(b.rooms, tenantID)
			b.changed()
		}
		close(ch)
		subscribers.Dec()
	})
	return ch
}

func (b *Bus) changed() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// Publish tells all processes at once and keeps nothing: for what is not worth
// a row in the outbox, such as progress.
func (b *Bus) Publish(ctx context.Context, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	_, err := b.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, e := range events {
			text, err := json.Marshal(e)
			if err != nil {
				return fmt.Errorf("encode event: %w", err)
			}
			p.Publish(ctx, channelPrefix+e.TenantID.String(), text)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("publish events: %w", err)
	}
	return nil
}

// Run listens until ctx ends, through any number of outages of Redis.
func (b *Bus) Run(ctx context.Context) error {
	pubsub := b.client.Subscribe(ctx, liveness)
	incoming := pubsub.ChannelWithSubscriptions(redis.WithChannelSize(1024), redis.WithChannelHealthCheckInterval(pingEvery))

	var reconciling sync.WaitGroup
	reconciling.Go(func() { b.reconcile(ctx, pubsub) })
	defer func() {
		_ = pubsub.Close()
		reconciling.Wait()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, open := <-incoming:
			if !open {
				return nil
			}
			switch m := m.(type) {
			case *redis.Subscription:
				b.confirm(m.Channel, m.Kind == "subscribe")
			case *redis.Message:
				b.deliver(m.Channel, m.Payload)
			}
		}
	}
}

// reconcile subscribes to the channels of tenants who have somebody here. It
// is the only one to do so, for a command may block while Redis is away.
// go-redis remembers a subscription that failed and makes it when it can.
func (b *Bus) reconcile(ctx context.Context, pubsub *redis.PubSub) {
	actual := map[uuid.UUID]bool{}
	for {
		var add, remove []string
		b.mu.Lock()
		for tenant := range b.rooms {
			if !actual[tenant] {
				actual[tenant] = true
				add = append(add, channelPrefix+tenant.String())
			}
		}
		for tenant := range actual {
			if b.rooms[tenant] == nil {
				delete(actual, tenant)
				remove = append(remove, channelPrefix+tenant.String())
			}
		}
		b.mu.Unlock()
		if len(remove) > 0 {
			if err := pubsub.Unsubscribe(ctx, remove...); err != nil && ctx.Err() == nil {
				b.log.Debug("unsubscribe from events", "error", err)
			}
		}
		if len(add) > 0 {
			if err := pubsub.Subscribe(ctx, add...); err != nil && ctx.Err() == nil {
				b.log.Warn("subscribe to events: Redis does not answer", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-b.kick:
		}
	}
}

func tenantOf(channel string) (uuid.UUID, bool) {
	id, err := uuid.Parse(strings.TrimPrefix(channel, channelPrefix))
	return id, err == nil
}

// confirm is told by Redis that a subscription began (again) or ended.
func (b *Bus) confirm(channel string, live bool) {
	tenant, ok := tenantOf(channel)
	if !ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rooms[tenant]
	if r == nil {
		return
	}
	r.live = live
	if live {
		for member := range r.members {
			send(member, Event{TenantID: tenant, Kind: Resync})
		}
	}
}

// deliver believes the channel, not the text, about whose event it is.
func (b *Bus) deliver(channel, text string) {
	tenant, ok := tenantOf(channel)
	if !ok {
		return
	}
	var e Event
	if err := json.Unmarshal([]byte(text), &e); err != nil || e.TenantID != tenant {
		b.log.Warn("an event can't be read or is in a wrong channel", "tenant_id", tenant, "error", err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.rooms[tenant]; r != nil {
		for member := range r.members {
			send(member, e)
		}
	}
	received.WithLabelValues(string(e.Kind)).Inc()
}

// send never blocks. Only the Bus sends, under its lock, so there is room
// after the queue was emptied.
func send(member chan Event, e Event) {
	select {
	case member <- e:
		return
	default:
	}
	overflowed.Inc()
	for {
		select {
		case <-member:
			continue
		default:
		}
		break
	}
	member <- Event{TenantID: e.TenantID, Kind: Resync}
}

package events_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/redistest"
)

// process is what every web process has: a bus, and perhaps a relay.
type process struct {
	bus   *events.Bus
	relay *events.Relay
}

// start runs a process until the test ends.
func start(t *testing.T, pool *db.DB, server *redistest.Server) *process {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	p := &process{bus: events.NewBus(server.Client(), quiet)}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { _ = p.bus.Run(ctx) })
	if pool != nil {
		p.relay = events.NewRelay(pool, p.bus, nil, quiet)
		all.Go(func() { _ = p.relay.Run(ctx) })
		all.Go(func() {
			_ = pool.Listen(ctx, map[string]func(string){events.Channel: func(string) { p.relay.Wake() }})
		})
	}
	t.Cleanup(func() {
		stop()
		all.Wait()
	})
	return p
}

func receive(t *testing.T, ch <-chan events.Event) events.Event {
	t.Helper()
	select {
	case e, open := <-ch:
		if !open {
			t.Fatal("the subscription is closed")
		}
		return e
	case <-time.After(time.Minute):
		t.Fatal("no event came")
		return events.Event{}
	}
}

// live subscribes and waits until nothing can be missed any more.
func live(t *testing.T, p *process, tenant uuid.UUID) <-chan events.Event {
	t.Helper()
	ch := p.bus.Subscribe(t.Context(), tenant)
	if e := receive(t, ch); e.Kind != events.Resync || e.TenantID != tenant {
		t.Fatalf("first event is %+v, want a resync", e)
	}
	return ch
}

func write(t *testing.T, pool *db.DB, list ...events.Event) {
	t.Helper()
	err := pool.InTenantTx(t.Context(), list[0].TenantID, func(ctx context.Context, tx *db.Tx) error {
		for _, e := range list {
			if err := tx.InsertOutboxEvent(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func changed(tenant uuid.UUID, version int64) events.Event {
	return events.Event{TenantID: tenant, Kind: events.DatasetChanged, ID: tenant, Version: version}
}

func TestEveryProcessHearsOfAChange(t *testing.T) {
	t.Parallel()
	pool, server := dbtest.New(t), redistest.Start(t)
	writer := start(t, pool, server)
	others := []*process{writer, start(t, pool, server), start(t, nil, server)}
	tenant := uuid.Must(uuid.NewV7())
	var channels []<-chan events.Event
	for _, p := range others {
		channels = append(channels, live(t, p, tenant), live(t, p, tenant))
	}
	write(t, pool, changed(tenant, 1), changed(tenant, 2))
	write(t, pool, changed(tenant, 3))
	for i, ch := range channels {
		for version := int64(1); version <= 3; version++ {
			if e := receive(t, ch); e != changed(tenant, version) {
				t.Errorf("subscriber %d got %+v, want version %d", i, e, version)
			}
		}
	}
}

func TestTenantsHearOnlyOfTheirOwn(t *testing.T) {
	t.Parallel()
	pool, server := dbtest.New(t), redistest.Start(t)
	p := start(t, pool, server)
	mine, theirs := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	my, their := live(t, p, mine), live(t, p, theirs)
	write(t, pool, changed(theirs, 1))
	write(t, pool, changed(mine, 2))
	// Events of a process come in order, so theirs would have come first.
	if e := receive(t, their); e != changed(theirs, 1) {
		t.Errorf("they got %+v", e)
	}
	if e := receive(t, my); e != changed(mine, 2) {
		t.Errorf("I got %+v", e)
	}
	// An event that lies about its tenant is not believed.
	forged := fmt.Sprintf(`{"t":%q,"k":"dataset.changed","i":%q,"v":9}`, theirs, theirs)
	if err := server.Client().Publish(t.Context(), "dataflow:events:"+mine.String(), forged).Err(); err != nil {
		t.Fatal(err)
	}
	write(t, pool, changed(mine, 3))
	if e := receive(t, my); e != changed(mine, 3) {
		t.Errorf("I got %+v", e)
	}
	if len(their) != 0 {
		t.Errorf("they got %+v", <-their)
	}
	err := pool.InTenantTx(t.Context(), mine, func(ctx context.Context, tx *db.Tx) error {
		return tx.InsertOutboxEvent(ctx, changed(theirs, 4))
	})
	if err == nil {
		t.Error("a transaction of one tenant wrote an event of another")
	}
}

func TestOutageOfRedis(t *testing.T) {
	t.Parallel()
	pool, server := dbtest.New(t), redistest.Start(t)
	p := start(t, pool, server)
	tenant := uuid.Must(uuid.NewV7())
	ch := live(t, p, tenant)
	for round := int64(1); round <= 3; round++ {
		server.Kill()
		write(t, pool, changed(tenant, round)) // waits in its table
		late := p.bus.Subscribe(t.Context(), tenant)
		server.Restart()
		// What waited is published as soon as Redis is back, perhaps before
		// anybody listens again; the resync stands for it.
		for e := receive(t, ch); e.Kind != events.Resync; e = receive(t, ch) {
		}
		write(t, pool, changed(tenant, 100*round))
		for _, c := range []<-chan events.Event{ch, late} {
			for e := receive(t, c); e != changed(tenant, 100*round); e = receive(t, c) {
				if e.Kind != events.Resync && e != changed(tenant, round) {
					t.Fatalf("got %+v", e)
				}
			}
		}
	}
	if n, err := pool.PublishOutbox(t.Context(), 10, func(context.Context, []events.Stored) error { return nil }); err != nil || n != 0 {
		t.Errorf("%d events were not published, %v", n, err)
	}
}

func TestSubscriptionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := start(t, nil, server)
	tenant := uuid.Must(uuid.NewV7())
	ctx, leave := context.WithCancel(t.Context())
	ch := p.bus.Subscribe(ctx, tenant)
	receive(t, ch)
	leave()
	for range ch { // ends when the channel is closed
	}
	client := server.Client()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		counts, err := client.PubSubNumSub(t.Context(), "dataflow:events:"+tenant.String()).Result()
		if err != nil {
			t.Fatal(err)
		}
		if counts["dataflow:events:"+tenant.String()] == 0 {
			break
		}
		select {
		case <-deadline:
			t.Fatal("Redis still sends events that nobody here wants")
		case <-tick.C:
		}
	}
	live(t, p, tenant)
}

func TestSlowSubscriberIsToldToResync(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := start(t, nil, server)
	tenant := uuid.Must(uuid.NewV7())
	slow, quick := live(t, p, tenant), live(t, p, tenant)
	const many = 500
	var publishing sync.WaitGroup
	defer publishing.Wait() // the last was heard before Publish has returned
	publishing.Go(func() {
		for version := int64(1); version <= many; version++ {
			if err := p.bus.Publish(context.Background(), changed(tenant, version)); err != nil {
				t.Error(err)
			}
		}
	})
	for e := receive(t, quick); e.Version != many; e = receive(t, quick) {
	}
	resynced, last := false, int64(0)
	for len(slow) > 0 {
		e := receive(t, slow)
		resynced = resynced || e.Kind == events.Resync
		last = max(last, e.Version)
	}
	if !resynced && last != many {
		t.Errorf("slow subscriber saw version %d and no resync", last)
	}
	if !resynced {
		t.Error("500 events fit where 64 have room")
	}
}

func TestRelaysShareTheWork(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	tenant := uuid.Must(uuid.NewV7())
	var list []events.Event
	for version := int64(1); version <= 300; version++ {
		list = append(list, changed(tenant, version))
	}
	write(t, pool, list...)
	var mu sync.Mutex
	seen := map[int64]int{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				n, err := pool.PublishOutbox(t.Context(), 7, func(_ context.Context, stored []events.Stored) error {
					mu.Lock()
					defer mu.Unlock()
					for _, s := range stored {
						seen[s.Version]++
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				if n == 0 {
					return
				}
			}
		})
	}
	all.Wait()
	for version := int64(1); version <= 300; version++ {
		if seen[version] != 1 {
			t.Errorf("version %d was published %d times", version, seen[version])
		}
	}
}

func TestUnpublishedEventsStay(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	tenant := uuid.Must(uuid.NewV7())
	write(t, pool, changed(tenant, 1))
	away := errors.New("away")
	if _, err := pool.PublishOutbox(t.Context(), 10, func(context.Context, []events.Stored) error { return away }); !errors.Is(err, away) {
		t.Fatalf("got %v", err)
	}
	if n, err := pool.PruneOutbox(t.Context(), 0); err != nil || n != 0 {
		t.Fatalf("pruned %d events that were not published, %v", n, err)
	}
	n, err := pool.PublishOutbox(t.Context(), 10, func(_ context.Context, stored []events.Stored) error {
		if stored[0].Event != changed(tenant, 1) {
			t.Errorf("got %+v", stored[0])
		}
		return nil
	})
	if err != nil || n != 1 {
		t.Fatalf("published %d, %v", n, err)
	}
	if n, err := pool.TellOutbox(t.Context(), 10, func(context.Context, events.Event) error { return nil }); err != nil || n != 1 {
		t.Fatalf("told of %d, %v", n, err)
	}
	if n, err := pool.PruneOutbox(t.Context(), time.Hour); err != nil || n != 0 {
		t.Errorf("pruned %d young events, %v", n, err)
	}
	if n, err := pool.PruneOutbox(t.Context(), 0); err != nil || n != 1 {
		t.Errorf("pruned %d events, %v; want 1", n, err)
	}
}

// What a feature cannot take yet comes again, and keeps neither other events
// nor the publishing waiting.
func TestUntoldEventsWaitAlone(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	bad, good := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	write(t, pool, changed(bad, 1))
	write(t, pool, changed(good, 1), changed(good, 2))
	var told []events.Event
	tell := func(_ context.Context, e events.Event) error {
		if e.TenantID == bad {
			return errors.New("not now")
		}
		told = append(told, e)
		return nil
	}
	if n, err := pool.TellOutbox(t.Context(), 10, tell); err != nil || n != 3 {
		t.Fatalf("took %d, %v", n, err)
	}
	if !slices.Equal(told, []events.Event{changed(good, 2)}) {
		t.Errorf("told of %v", told)
	}
	if n, err := pool.PublishOutbox(t.Context(), 10, func(context.Context, []events.Stored) error { return nil }); err != nil || n != 3 {
		t.Fatalf("published %d, %v", n, err)
	}
	// Only what everybody has heard of goes.
	if n, err := pool.PruneOutbox(t.Context(), 0); err != nil || n != 2 {
		t.Errorf("pruned %d, %v", n, err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		n, err := pool.TellOutbox(t.Context(), 10, func(_ context.Context, e events.Event) error {
			told = append(told, e)
			return nil
		})
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("it did not come again: %v", err)
		}
		if n == 1 {
			break
		}
	}
	if told[1] != changed(bad, 1) {
		t.Errorf("told of %v", told)
	}
}

package db

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// sharedReads sends the session reads of many requests together when they come
// faster than the database answers: what waits while others are out goes in the
// next round trip. Nobody waits for company, and a read never begins before its
// request. Each read begins with control.open_session, which binds what follows
// to its own session and so ends the binding of the one before it.
type sharedReads struct {
	send func(context.Context, *pgx.Batch) error

	mu      sync.Mutex
	out     int // round trips under way
	waiting []*sharedRead
}

type sharedRead struct {
	batch *Batch
	err   error
	done  chan struct{}
}

const (
	// sharedTrips is how many round trips are under way at most before reads
	// wait for the next.
	sharedTrips = 2
	// sharedMost is how many reads go together at most.
	sharedMost = 16
	// sharedTimeout ends a round trip of several reads; a single one ends with
	// its request.
	sharedTimeout = 10 * time.Second
)

// do reads the batch and answers its first error.
func (s *sharedReads) do(ctx context.Context, b *Batch) error {
	s.mu.Lock()
	if s.out < sharedTrips {
		s.out++
		s.mu.Unlock()
		defer s.next()
		return b.first(s.send(ctx, &b.batch))
	}
	r := &sharedRead{batch: b, done: make(chan struct{})}
	s.waiting = append(s.waiting, r)
	s.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err() // what is read for it is not looked at
	}
}

// next ends a round trip and begins one for those who wait.
func (s *sharedReads) next() {
	s.mu.Lock()
	group := s.waiting[:min(len(s.waiting), sharedMost)]
	s.waiting = s.waiting[len(group):]
	if len(s.waiting) == 0 {
		s.waiting = nil // the next group gets a slice of its own
	}
	if len(group) == 0 {
		s.out--
	}
	s.mu.Unlock()
	if len(group) > 0 {
		go s.together(group)
	}
}

func (s *sharedReads) together(group []*sharedRead) {
	defer s.next()
	ctx, cancel := context.WithTimeout(context.Background(), sharedTimeout)
	defer cancel()
	var all pgx.Batch
	for _, r := range group {
		all.QueuedQueries = append(all.QueuedQueries, r.batch.batch.QueuedQueries...)
	}
	err := s.send(ctx, &all)
	for _, r := range group {
		r.err = r.batch.first(err)
		close(r.done)
	}
}

package db

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// SessionCheck is a live session as the database has it now, and the epoch of
// its workspace: what was read under the same epoch before has not changed since.
type SessionCheck = SessionCheckManyRow

// Every request begins with such a read. Those that arrive while one is on its
// way go out together: a round trip costs several times what its rows do.
const (
	checkFlights = 2 // on their way at a time
	checkTimeout = 10 * time.Second
)

// sessionChecks gathers checks that wait.
type sessionChecks struct {
	mu      sync.Mutex
	waiting map[string][]chan<- checkAnswer // by the hash of the token
	flights int
}

type checkAnswer struct {
	row SessionCheck
	err error
}

// CheckSession finds the live session of a token. The error is IsNoRows where
// there is none.
func (d *DB) CheckSession(ctx context.Context, tokenHash []byte) (SessionCheck, error) {
	answer := make(chan checkAnswer, 1)
	c := &d.checks
	c.mu.Lock()
	if c.waiting == nil {
		c.waiting = map[string][]chan<- checkAnswer{}
	}
	c.waiting[string(tokenHash)] = append(c.waiting[string(tokenHash)], answer)
	fly := c.flights < checkFlights
	if fly {
		c.flights++
	}
	c.mu.Unlock()
	if fly {
		go d.checkWaiting()
	}
	select {
	case a := <-answer:
		return a.row, a.err
	case <-ctx.Done():
		return SessionCheck{}, ctx.Err()
	}
}

// checkWaiting asks for all that waits until nothing does.
func (d *DB) checkWaiting() {
	c := &d.checks
	for {
		c.mu.Lock()
		batch := c.waiting
		if len(batch) == 0 {
			c.flights--
			c.mu.Unlock()
			return
		}
		c.waiting = nil
		c.mu.Unlock()
		d.checkAll(batch)
	}
}

func (d *DB) checkAll(batch map[string][]chan<- checkAnswer) {
	// Nobody's request ends the read of the others.
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	hashes := make([][]byte, 0, len(batch))
	for hash := range batch {
		hashes = append(hashes, []byte(hash))
	}
	rows, err := New(d.pool).SessionCheckMany(ctx, hashes)
	missing := pgx.ErrNoRows
	if err != nil {
		missing = reachable(err)
	}
	for _, row := range rows {
		hash := string(hashes[row.N-1])
		for _, answer := range batch[hash] {
			answer <- checkAnswer{row: row}
		}
		delete(batch, hash)
	}
	for _, left := range batch {
		for _, answer := range left {
			answer <- checkAnswer{err: missing}
		}
	}
}

package jobs

import (
	"context"
	"sync"
	"time"
)

// progressEvery is the shortest time between two written reports of a job.
const progressEvery = 250 * time.Millisecond

// reporter writes the newest report of one attempt, now and then. It has a
// goroutine only while there is something to write.
type reporter struct {
	write func(context.Context, Progress) error
	every time.Duration

	mu      sync.Mutex
	latest  Progress
	dirty   bool
	running bool
	closed  bool
}

func newReporter(every time.Duration, write func(context.Context, Progress) error) *reporter {
	return &reporter{write: write, every: every}
}

func (r *reporter) report(p Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.latest, r.dirty = p, true
	if !r.running {
		r.running = true
		go r.loop()
	}
}

// loop writes at once, then waits out the interval, and ends when nothing
// new came meanwhile. A report that can't be written is superseded by the next.
func (r *reporter) loop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.dirty && !r.closed {
		p := r.latest
		r.dirty = false
		r.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		if err := r.write(ctx, p); err != nil {
			progressLost.Inc()
		}
		cancel()
		timer := time.NewTimer(r.every)
		<-timer.C
		r.mu.Lock()
	}
	r.running = false
}

// close stops reporting and answers the last report when it is still unwritten.
func (r *reporter) close() (Progress, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return r.latest, r.dirty
}

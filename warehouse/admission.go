package warehouse

import (
	"context"
	"sync"
)

// admission lets a fixed number of queries run at once, since CPU is what runs
// out. Tenants take turns: each has a queue of its own, and slots go round the
// queues, so a tenant with a hundred waiting queries delays another by at most
// one query a slot. At most tenants instances run at once, since each may use
// its part of the memory.
type admission struct {
	slots    int
	tenants  int
	maxQueue int

	mu      sync.Mutex
	running int
	active  map[string]int       // running queries by tenant
	queues  map[string][]*waiter // by tenant
	turns   []string             // tenants with waiters, the next one first
}

type waiter struct {
	admitted chan struct{}
	gone     bool // left before it was admitted
	in       bool
}

func newAdmission(slots, tenants, maxQueue int) *admission {
	return &admission{slots: slots, tenants: tenants, maxQueue: maxQueue, active: map[string]int{}, queues: map[string][]*waiter{}}
}

// Enter waits for a tenant's turn, for work beside the engine that needs the
// CPUs as much as a query. The caller must leave.
//
// Errors: ctx.Err(), query.busy.
func (e *Engine) Enter(ctx context.Context, tenant string) (leave func(), err error) {
	if err := e.admission.enter(ctx, tenant); err != nil {
		return nil, err
	}
	return func() { e.admission.leave(tenant) }, nil
}

// Waiting is how many wait for their turn.
func (e *Engine) Waiting() int { return e.admission.waiting() }

// enter waits for a slot. The caller must leave.
//
// Errors: ctx.Err(), query.busy when too many queries of the tenant wait.
func (a *admission) enter(ctx context.Context, tenant string) error {
	a.mu.Lock()
	if len(a.queues[tenant]) == 0 && a.fits(tenant) && len(a.turns) == 0 {
		a.admit(tenant)
		a.mu.Unlock()
		return nil
	}
	if len(a.queues[tenant]) >= a.maxQueue {
		a.mu.Unlock()
		return ErrBusy
	}
	w := &waiter{admitted: make(chan struct{})}
	if len(a.queues[tenant]) == 0 {
		a.turns = append(a.turns, tenant)
	}
	a.queues[tenant] = append(a.queues[tenant], w)
	a.next() // others may wait for memory while this one fits
	a.mu.Unlock()
	select {
	case <-w.admitted:
		return nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.in { // admitted just now
		a.free(tenant)
	} else {
		w.gone = true
		a.forget(tenant)
	}
	return ctx.Err()
}

// leave gives the slot to the next in turn.
func (a *admission) leave(tenant string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.free(tenant)
}

func (a *admission) free(tenant string) {
	a.running--
	if a.active[tenant]--; a.active[tenant] == 0 {
		delete(a.active, tenant)
	}
	a.next()
}

func (a *admission) fits(tenant string) bool {
	return a.running < a.slots && (a.active[tenant] > 0 || len(a.active) < a.tenants)
}

func (a *admission) admit(tenant string) {
	a.running++
	a.active[tenant]++
}

// next admits waiters in turn while there are slots.
func (a *admission) next() {
	for skipped := 0; skipped < len(a.turns); {
		tenant := a.turns[0]
		a.turns = a.turns[1:]
		if !a.fits(tenant) {
			a.turns = append(a.turns, tenant)
			skipped++
			continue
		}
		queue := a.queues[tenant]
		w := queue[0]
		if queue = queue[1:]; len(queue) == 0 {
			delete(a.queues, tenant)
		} else {
			a.queues[tenant] = queue
			a.turns = append(a.turns, tenant)
		}
		skipped = 0
		w.in = true
		a.admit(tenant)
		close(w.admitted)
	}
}

// forget takes waiters that have gone out of a tenant's queue.
func (a *admission) forget(tenant string) {
	kept := a.queues[tenant][:0]
	for _, w := range a.queues[tenant] {
		if !w.gone {
			kept = append(kept, w)
		}
	}
	if len(kept) > 0 {
		a.queues[tenant] = kept
		return
	}
	delete(a.queues, tenant)
	for i, t := range a.turns {
		if t == tenant {
			a.turns = append(a.turns[:i], a.turns[i+1:]...)
			return
		}
	}
}

// waiting is how many queries wait.
func (a *admission) waiting() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, q := range a.queues {
		n += len(q)
	}
	return n
}

package audit

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

var (
	notesLost = promauto.NewCounter(prometheus.CounterOpts{
		Name: "dataflow_audit_lost_total",
		Help: "Audit entries that could not be written anywhere but to the log, because the database did not answer.",
	})
	notesWaited = promauto.NewCounter(prometheus.CounterOpts{
		Name: "dataflow_audit_waited_total",
		Help: "Requests that wrote their audit entry themselves, because too many were waiting.",
	})
)

const (
	notesMost  = 4096            // that wait; about 2 MB
	notesEvery = time.Second     // how long one waits at most
	notesLimit = 5 * time.Second // for one transaction of them
	// deniedFree is how many refusals of one person, visitor or key in a minute
	// have an entry each; what is beyond is counted in one, so that nobody fills the log by
	// guessing ids.
	deniedFree = 60
	deniedMany = "access.denied_often"
)

// notes gathers entries that belong to no transaction, and writes those of a
// second together. Equal ones become one with a count; the one that counts
// refusals waits for the end of its minute. Where more wait than there is room
// for, a request writes its entry itself: whoever floods the log waits for it,
// and can't push anything out of it.
type notes struct {
	db  *db.DB
	log *slog.Logger

	mu      sync.Mutex
	waiting map[string]*note // by what makes two equal
	order   []*note
	denied  map[string]int // by whom, in this minute
	minute  time.Time

	writing       sync.Mutex // one writer at a time
	stop, stopped chan struct{}
	once          sync.Once
}

type note struct {
	actor access.Actor
	from  Origin
	entry Entry
	times int
}

func newNotes(pool *db.DB, log *slog.Logger) *notes {
	n := &notes{db: pool, log: log, waiting: map[string]*note{}, denied: map[string]int{},
		stop: make(chan struct{}), stopped: make(chan struct{})}
	go n.run()
	return n
}

func (n *notes) run() {
	defer close(n.stopped)
	ticker := time.NewTicker(notesEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := n.flush(context.Background(), time.Now()); err != nil {
				n.log.Warn("write audit entries", "error", err)
			}
		case <-n.stop:
			return
		}
	}
}

// close writes what waits, for the last time.
func (n *notes) close(ctx context.Context) error {
	n.once.Do(func() { close(n.stop) })
	<-n.stopped
	err := n.flush(ctx, time.Time{})
	n.mu.Lock()
	left := n.order
	n.order = nil
	n.mu.Unlock()
	for _, one := range left {
		n.lost(ctx, one, err)
	}
	return err
}

func (n *notes) lost(ctx context.Context, one *note, err error) {
	notesLost.Inc()
	n.log.ErrorContext(ctx, "audit entry lost", "action", one.entry.Action, "target", one.entry.ID, "outcome", outcome(one.entry.Denied),
		"tenant", one.actor.TenantID.String(), "user", one.actor.UserID.String(), "address", one.from.Address, "times", one.times, "error", err)
}

// add keeps the entry for the next flush. It waits for the database only where
// there is no room.
func (n *notes) add(ctx context.Context, actor access.Actor, e Entry) {
	one := &note{actor: actor, from: OriginOf(ctx), entry: e, times: 1}
	if one.entry.At.IsZero() {
		one.entry.At = time.Now()
	}
	n.mu.Lock()
	if e.Denied {
		n.boundDenied(one)
	}
	key := one.key()
	if before, ok := n.waiting[key]; ok {
		before.times++
		n.mu.Unlock()
		return
	}
	if len(n.order) < notesMost {
		n.waiting[key] = one
		n.order = append(n.order, one)
		n.mu.Unlock()
		return
	}
	n.mu.Unlock()
	notesWaited.Inc()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notesLimit)
	defer cancel()
	if err := n.write(ctx, actor.TenantID, []*note{one}); err != nil {
		n.lost(ctx, one, err)
	}
}

// boundDenied makes an entry one of many where the same was refused often. Who
// has no name is told apart by the address, so that nobody hides another's
// refusals behind their own.
func (n *notes) boundDenied(one *note) {
	if minute := one.entry.At.Truncate(time.Minute); !minute.Equal(n.minute) {
		n.minute = minute
		clear(n.denied)
	}
	who := one.who()
	if one.nameless() {
		who += one.from.Address
	}
	if n.denied[who]++; n.denied[who] > deniedFree {
		one.entry.Action, one.entry.Target, one.entry.ID, one.entry.Detail = deniedMany, "", "", nil
		one.entry.Before, one.entry.After = nil, nil
		one.from.RequestID, one.from.Session = "", ""
		one.entry.At = n.minute.Add(time.Minute - time.Millisecond)
	}
}

// who tells apart all who can act, a key and a visitor from each other too: two
// of them never share an entry.
func (o *note) who() string {
	a := o.actor
	return string(a.Kind) + "\x00" + a.TenantID.String() + a.UserID.String() + a.VisitorID.String() + a.KeyID.String() + o.from.ViewedBy.String()
}

// nameless tells whether only the address says who it was.
func (o *note) nameless() bool {
	return o.actor.UserID.IsZero() && o.actor.VisitorID.IsZero() && o.actor.KeyID.IsZero()
}

// key is what makes two entries equal: all that is written of them but for the
// time, the request and the browser. Numbers of refusals are told apart by their
// minute, too.
func (o *note) key() string {
	said, _ := json.Marshal([]any{o.actor.KeyName, o.entry.Action, o.entry.Target, o.entry.ID, outcome(o.entry.Denied), o.from.Address, o.from.Session,
		o.entry.Detail, o.entry.Before, o.entry.After}) // of strings and numbers
	if o.entry.Action == deniedMany {
		return o.who() + "\x00" + o.entry.At.String() + string(said)
	}
	return o.who() + "\x00" + string(said)
}

// flush writes all that waits, but for refusals that are still counted now; all
// of it where now is zero. What can't be written waits on.
func (n *notes) flush(ctx context.Context, now time.Time) error {
	n.writing.Lock()
	defer n.writing.Unlock()
	byTenant := map[ids.Tenant][]*note{}
	for _, one := range n.take(now) {
		byTenant[one.actor.TenantID] = append(byTenant[one.actor.TenantID], one)
	}
	var failed error
	for tenant, list := range byTenant {
		for len(list) > 0 {
			part := list[:min(len(list), 500)]
			limited, cancel := context.WithTimeout(ctx, notesLimit)
			err := n.write(limited, tenant, part)
			cancel()
			if err != nil {
				failed = err
				n.keep(list)
				break
			}
			list = list[len(part):]
		}
	}
	return failed
}

// take takes what is to be written.
func (n *notes) take(now time.Time) (due []*note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var counting []*note
	clear(n.waiting)
	for _, one := range n.order {
		if one.entry.Action == deniedMany && one.entry.At.After(now) && !now.IsZero() {
			counting = append(counting, one)
			n.waiting[one.key()] = one
		} else {
			due = append(due, one)
		}
	}
	n.order = counting
	return due
}

// keep puts entries back, before those that came meanwhile.
func (n *notes) keep(list []*note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.order = append(list[:len(list):len(list)], n.order...)
}

func (n *notes) write(ctx context.Context, tenant ids.Tenant, list []*note) error {
	return n.db.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		for _, one := range list {
			e := one.entry
			if one.times > 1 {
				e.Detail = maps.Clone(e.Detail)
				if e.Detail == nil {
					e.Detail = map[string]any{}
				}
				e.Detail["times"] = one.times
			}
			if err := record(ctx, tx, one.actor, one.from, e); err != nil {
				return err
			}
		}
		return nil
	})
}

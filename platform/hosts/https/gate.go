package https

import (
	"context"
	"errors"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/dataflowhq/dataflow/platform/hosts"
)

const (
	// allowedFor and refusedFor are for how long an answer about a host is
	// taken to hold: how long a host that was given up is still served, and a
	// new one is not yet.
	allowedFor = time.Minute
	refusedFor = 5 * time.Second
	// askTimeout bounds one question.
	askTimeout = 5 * time.Second
	// maxAsking bounds questions at a time: strangers who make up names must
	// not use up the connections that pages need.
	maxAsking = 4
	// maxRemembered bounds the hosts that are remembered, and with them what
	// made-up names can take of the memory.
	maxRemembered = 10_000
)

// gate answers which hosts are served, and remembers it for a moment.
type gate struct {
	ask    func(ctx context.Context, host string) error
	asking singleflight.Group
	slots  chan struct{}
	known  *lru.Cache[string, verdict]
}

type verdict struct {
	err   error // nil, or hosts.unknown
	until time.Time
}

func newGate(ask func(ctx context.Context, host string) error) *gate {
	known, err := lru.New[string, verdict](maxRemembered)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &gate{ask: ask, slots: make(chan struct{}, maxAsking), known: known}
}

// allow answers nil for a host that is served, hosts.unknown for one that is
// not, and another error where that can't be found out.
func (g *gate) allow(ctx context.Context, host string) error {
	if v, ok := g.known.Get(host); ok && time.Now().Before(v.until) {
		return v.err
	}
	// One question for all who wait for its answer, so it isn't that of any of
	// them alone.
	answer := g.asking.DoChan(host, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		select {
		case g.slots <- struct{}{}:
			defer func() { <-g.slots }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		err := g.ask(ctx, host)
		switch {
		case err == nil:
			g.known.Add(host, verdict{until: time.Now().Add(allowedFor)})
		case errors.Is(err, hosts.ErrUnknown):
			err = hosts.ErrUnknown
			g.known.Add(host, verdict{err: err, until: time.Now().Add(refusedFor)})
		}
		return nil, err
	})
	select {
	case result := <-answer:
		return result.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	// firstPause is how long a host waits after its first failed order, and
	// lastPause after many. Let's Encrypt allows five failures an hour and host.
	firstPause = 5 * time.Minute
	lastPause  = 6 * time.Hour
)

// patience keeps this process from asking the authority again and again for a
// host whose DNS doesn't point here.
type patience struct {
	mu    sync.Mutex
	hosts *lru.Cache[string, pause]
}

type pause struct {
	failures int
	until    time.Time
}

func newPatience() *patience {
	paused, err := lru.New[string, pause](maxRemembered)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &patience{hosts: paused}
}

// left is for how long no certificate is to be ordered for the host.
func (p *patience) left(host string, now time.Time) time.Duration {
	v, _ := p.hosts.Get(host)
	return max(0, v.until.Sub(now))
}

// failed notes that an order failed, and answers how long to wait.
func (p *patience) failed(host string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, _ := p.hosts.Get(host)
	wait := min(lastPause, firstPause<<min(2*v.failures, 16))
	p.hosts.Add(host, pause{failures: v.failures + 1, until: now.Add(wait)})
	return wait
}

func (p *patience) succeeded(host string) { p.hosts.Remove(host) }

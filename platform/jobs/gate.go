package jobs

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// openFor is how long asynq asks Redis again and again after something
	// happened.
	openFor = time.Second
	// askAnyway is how often it asks when nothing did.
	askAnyway = time.Second
)

// gate holds back asynq's question for work while there can't be any. asynq
// asks all the time, since Redis is not told to wait: at an interval that is
// short enough for a quick start, two queues would cost 2 % of a core and as
// much in Redis for doing nothing. Whatever may put work into a queue opens
// the gate: this process sent something, the database told of a job, or a
// question found one.
//
// It knows asynq's question by its keys. A version that asks differently goes
// through and only costs more.
type gate struct {
	pending map[string]bool // keys of the queues

	mu        sync.Mutex
	openUntil time.Time
	opened    chan struct{} // closed when the gate opens
}

func newGate(queues map[Queue]QueueConfig) *gate {
	g := &gate{pending: map[string]bool{}, opened: make(chan struct{})}
	for queue := range queues {
		g.pending["asynq:{"+string(queue)+"}:pending"] = true
	}
	return g
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.openUntil = time.Now().Add(openFor)
	close(g.opened)
	g.opened = make(chan struct{})
}

// wait returns when the gate is open, or has been shut for long enough.
func (g *gate) wait() {
	g.mu.Lock()
	opened, isOpen := g.opened, time.Now().Before(g.openUntil)
	g.mu.Unlock()
	if isOpen {
		return
	}
	timer := time.NewTimer(askAnyway)
	defer timer.Stop()
	select {
	case <-opened:
	case <-timer.C:
	}
}

// isQuestion tells whether cmd asks a queue for work.
func (g *gate) isQuestion(cmd redis.Cmder) bool {
	name, args := cmd.Name(), cmd.Args()
	if (name != "evalsha" && name != "eval") || len(args) < 5 {
		return false
	}
	first, _ := args[3].(string)
	second, _ := args[4].(string)
	return g.pending[first] && strings.HasSuffix(second, ":paused")
}

// DialHook is for redis.Hook.
func (g *gate) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook is for redis.Hook.
func (g *gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook is for redis.Hook.
func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !g.isQuestion(cmd) {
			return next(ctx, cmd)
		}
		g.wait()
		err := next(ctx, cmd)
		if err == nil {
			g.open() // there was work, so there may be more
		}
		return err
	}
}

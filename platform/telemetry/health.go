package telemetry

import (
	"context"
	"sync"
	"time"
)

// Check asks one part that the process can't work without.
type Check struct {
	Name string
	Ask  func(ctx context.Context) error
}

// Answer is what came of a Check.
type Answer struct {
	Name string
	Took time.Duration
	Err  error
}

// checkTimeout is short: whoever asks wants to know whether the process can
// serve somebody now.
const checkTimeout = 2 * time.Second

// RunChecks asks all parts at once.
func RunChecks(ctx context.Context, checks []Check) []Answer {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	answers := make([]Answer, len(checks))
	var all sync.WaitGroup
	for i, check := range checks {
		all.Go(func() {
			began := time.Now()
			answered := make(chan error, 1)
			go func() { answered <- check.Ask(ctx) }()
			var err error
			select {
			case err = <-answered:
			case <-ctx.Done(): // a hung disk does not know of contexts
				err = ctx.Err()
			}
			answers[i] = Answer{Name: check.Name, Took: time.Since(began), Err: err}
		})
	}
	all.Wait()
	return answers
}

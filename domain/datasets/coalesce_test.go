package datasets

import (
	"context"
	"errors"
	"testing"
)

func TestWorkThatNobodyWaitsForIsCancelled(t *testing.T) {
	t.Parallel()
	var c coalescer[int]
	began, ended := make(chan struct{}), make(chan error, 1)
	first, leaveFirst := context.WithCancel(t.Context())
	second, leaveSecond := context.WithCancel(t.Context())
	work := func(ctx context.Context) (int, error) {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
		return 0, ctx.Err()
	}
	left := make(chan error, 2)
	go func() { _, err := c.do(first, "k", work); left <- err }()
	<-began
	// Who comes while it runs waits for the next round, and goes again.
	go func() {
		_, err := c.do(second, "k", func(context.Context) (int, error) { return 0, errors.New("nobody waits for this") })
		left <- err
	}()
	leaveSecond()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the second one left with %v", err)
	}
	select {
	case err := <-ended:
		t.Fatalf("the work ended with %v while somebody waited", err)
	default:
	}
	leaveFirst()
	<-left
	if err := <-ended; !errors.Is(err, context.Canceled) { // not only when its time is up
		t.Errorf("the work ended with %v", err)
	}
	// The key is free again.
	if got, err := c.do(t.Context(), "k", func(context.Context) (int, error) { return 7, nil }); got != 7 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
}

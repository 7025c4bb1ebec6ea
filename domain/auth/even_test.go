package auth

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Who has an account does more work; nobody can tell from outside.
func TestAnswersTakeEvenTime(t *testing.T) {
	for _, c := range []struct{ work, whole time.Duration }{
		{0, answerStep}, {3 * time.Millisecond, answerStep}, {answerStep - 1, answerStep}, {answerStep, 2 * answerStep}, {answerStep + 1, 2 * answerStep},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			time.Sleep(c.work)
			if err := even(t.Context(), began); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != c.whole {
				t.Errorf("work of %s answers after %s, want %s", c.work, took, c.whole)
			}
		})
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := even(gone, time.Now()); err == nil {
		t.Error("waits for somebody who left")
	}
}

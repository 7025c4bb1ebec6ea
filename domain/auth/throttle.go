package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"strings"

	"github.com/dataflowhq/dataflow/db"
)

// limit bounds attempts that share a key: so many at once, then with a wait
// that doubles up to the longest. Nothing is ever blocked for good.
type limit struct {
	key     []byte
	free    int32
	longest int32 // seconds
}

// throttled is ErrThrottled with the time to wait.
type throttled struct {
	error
	seconds int
}

// RetryAfterSeconds is for the header of that name.
func (t *throttled) RetryAfterSeconds() int { return t.seconds }

// Unwrap leads to ErrThrottled.
func (t *throttled) Unwrap() error { return t.error }

// signInLimits count by account and address together, by account alone more
// patiently and with short waits, so that a stranger can't keep somebody out,
// and by address alone patiently, since many people can sit behind one.
func signInLimits(email string, client Client) []limit {
	account := strings.ToLower(email)
	return []limit{
		{key: throttleKey("account and address", account, client.Address), free: 4, longest: 900},
		{key: throttleKey("account", account), free: 40, longest: 60},
		{key: throttleKey("address", client.Address), free: 40, longest: 900},
	}
}

// take counts an attempt before it is made.
//
// Errors: auth.throttled.
func (s *Service) take(ctx context.Context, limits []limit) error {
	keys, free, longest := make([][]byte, len(limits)), make([]int32, len(limits)), make([]int32, len(limits))
	for i, l := range limits {
		keys[i], free[i], longest[i] = l.key, l.free, l.longest
	}
	var wait float64
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		wait, err = tx.ThrottleTake(ctx, keys, free, longest)
		return err
	})
	if err != nil {
		return fmt.Errorf("count attempt: %w", err)
	}
	if wait > 0 {
		seconds := int(math.Ceil(wait))
		return &throttled{ErrThrottled.With("There were too many attempts. Try again in %s.", inWords(seconds)), seconds}
	}
	return nil
}

// forgive takes back what a successful attempt was counted for: the first
// limit starts afresh, the others lose one.
func forgive(ctx context.Context, tx *db.Tx, limits []limit) error {
	for i, l := range limits {
		undo := tx.ThrottleForgive
		if i == 0 {
			undo = tx.ThrottleClear
		}
		if err := undo(ctx, l.key); err != nil {
			return fmt.Errorf("forgive attempt: %w", err)
		}
	}
	return nil
}

func inWords(seconds int) string {
	switch {
	case seconds == 1:
		return "1 second"
	case seconds < 90:
		return fmt.Sprintf("%d seconds", seconds)
	}
	return fmt.Sprintf("%d minutes", (seconds+59)/60)
}

func throttleKey(parts ...string) []byte {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return sum[:]
}

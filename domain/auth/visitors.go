package auth

import (
	"context"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/db"
)

// What visitors of portals sign in with is kept by package portals; how
// passwords are hashed, attempts counted and tokens drawn is the same for all.

// HashPassword answers what is stored of a new password.
//
// Errors: auth.invalid, with a field password.
func (s *Service) HashPassword(ctx context.Context, password, email string) (string, error) {
	if problem := checkPassword(password, email); problem != "" {
		return "", ErrInvalid.WithFields(map[string]string{"password": problem})
	}
	return s.hasher.hash(ctx, password)
}

// VerifyPassword tells whether password is the stored one. It takes as long
// where nothing is stored.
func (s *Service) VerifyPassword(ctx context.Context, password, stored string) (bool, error) {
	match, _, err := s.hasher.verify(ctx, password, stored)
	return match, err
}

// Attempt is one that was counted.
type Attempt struct{ limits []limit }

// CountAttempt counts an attempt at an account of a realm, such as a portal.
//
// Errors: auth.throttled.
func (s *Service) CountAttempt(ctx context.Context, realm, account string, client Client) (Attempt, error) {
	limits := signInLimits(realm+"\x00"+strings.ToLower(account), client)
	return Attempt{limits}, s.take(ctx, limits)
}

// Forgive takes the count back: the attempt succeeded. tx reaches control.
func (a Attempt) Forgive(ctx context.Context, tx *db.Tx) error { return forgive(ctx, tx, a.limits) }

// NewToken draws a token for a cookie or a link; only its hash is stored.
func NewToken() (text string, hash []byte) { return newToken() }

// HashToken answers the hash of a token, and whether the text can be one.
func HashToken(text string) ([]byte, bool) { return parseToken(text) }

// How long visitors' sessions and links last, as those of members.
const (
	VisitorIdle   = idleFor
	VisitorAtMost = sessionFor
	VisitorReset  = resetFor
	VisitorInvite = inviteFor
)

// VisitorTouch is how often an open session is noted.
const VisitorTouch time.Duration = touchEvery

package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// Opened is a session that was just opened, or given another token.
type Opened struct {
	Token   string
	KeepFor time.Duration // zero: the browser forgets it when it is closed
	// Choose says that the person belongs to several workspaces and was in
	// none of them before.
	Choose bool
	// Pending is set in the place of Token where a code of the second factor
	// is still missing: EnterCode takes it. Link likewise where it has to be
	// proved that an account is the person's: ConfirmLink takes it.
	Pending, Link string
}

// SignIn checks e-mail and password and opens a session in the workspace used
// last. Every failure takes the same time; after a few, account and address
// have to wait, each time longer, but no account is ever locked for good.
//
// Workspaces that sign in elsewhere are left out, but for their break-glass owner.
// Where the domain of an address is that of one, a password that opens nothing is
// answered with that, wrong or right: nobody learns who has an account there, who
// is chosen for emergencies, or whether a password is right. Others are told once
// the password is right.
//
// Errors: auth.wrong_password, auth.throttled, auth.no_workspace, auth.sso_required.
func (s *Service) SignIn(ctx context.Context, email, password string, keep bool, client Client) (Opened, error) {
	began := time.Now()
	email = strings.TrimSpace(email)
	limits := signInLimits(email, client)
	if err := s.take(ctx, limits); err != nil {
		return Opened{}, err
	}
	person, places, err := s.findPerson(ctx, email)
	if err != nil {
		return Opened{}, err
	}
	wrong := ErrWrongPassword
	if closed, err := s.domainSignsInElsewhere(ctx, email); err != nil {
		return Opened{}, err
	} else if closed {
		wrong = ErrSSORequired
	}
	match, renew, err := s.hasher.verify(ctx, password, value(person.PasswordHash))
	if err != nil {
		return Opened{}, err
	}
	if !match {
		place, _, _ := choosePlace(places, person.LastTenantID)
		return Opened{}, errors.Join(s.recordRefused(ctx, place, wrong), even(ctx, began))
	}
	place, several, err := openPlace(places, person.LastTenantID)
	if errors.Is(err, ErrSSORequired) {
		at, _, _ := choosePlace(places, person.LastTenantID)
		return Opened{}, errors.Join(s.recordRefused(ctx, at, ErrSSORequired), even(ctx, began))
	}
	if err != nil {
		return Opened{}, err
	}
	renewed := ""
	if renew {
		if renewed, err = s.hasher.hash(ctx, password); err != nil {
			return Opened{}, err
		}
	}
	var opened Opened
	err = s.deps.DB.InIdentityTx(ctx, place.TenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		if err := forgive(ctx, tx, limits); err != nil {
			return err
		}
		if renewed != "" {
			if err := tx.PersonRehash(ctx, &renewed, person.PersonID, *person.PasswordHash); err != nil {
				return fmt.Errorf("renew hash: %w", err)
			}
		}
		opened, err = s.admit(ctx, tx, person.PersonID, place, keep, client)
		return err
	})
	opened.Choose = several
	return opened, err
}

// answerStep is the grain of the time that answers take which must not tell
// whether somebody has an account: what is done for members only, which is a few
// milliseconds, disappears in it.
const answerStep = 250 * time.Millisecond

// even waits until a whole number of steps has passed since a request began. Its
// only error is that of ctx.
func even(ctx context.Context, began time.Time) error {
	wait := time.NewTimer(answerStep - time.Since(began)%answerStep)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// findPerson answers a zero row where nobody has the address.
func (s *Service) findPerson(ctx context.Context, email string) (person db.PersonByEmailRow, places []db.MembershipListByPersonRow, err error) {
	err = s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		person, err = tx.PersonByEmail(ctx, strings.ToValidUTF8(strings.ReplaceAll(email, "\x00", ""), ""))
		if db.IsNoRows(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find person: %w", err)
		}
		if places, err = tx.MembershipListByPerson(ctx, person.PersonID); err != nil {
			return fmt.Errorf("list memberships: %w", err)
		}
		return nil
	})
	return person, places, err
}

// choosePlace answers where somebody was last, else their first workspace;
// several tells that they could choose among more and have not yet.
func choosePlace(places []db.MembershipListByPersonRow, last *uuid.UUID) (place db.MembershipListByPersonRow, several, belongs bool) {
	if len(places) == 0 {
		return place, false, false
	}
	for _, p := range places {
		if last != nil && p.TenantID == *last {
			return p, false, true
		}
	}
	return places[0], len(places) > 1, true
}

// openPlace is choosePlace among the workspaces that a password opens.
//
// Errors: auth.no_workspace; auth.sso_required where there is none but others.
func openPlace(places []db.MembershipListByPersonRow, last *uuid.UUID) (place db.MembershipListByPersonRow, several bool, err error) {
	open := slices.DeleteFunc(slices.Clone(places), func(p db.MembershipListByPersonRow) bool { return p.Closed })
	place, several, belongs := choosePlace(open, last)
	switch {
	case !belongs && len(places) > 0:
		return place, false, ErrSSORequired
	case !belongs:
		return place, false, ErrNoWorkspace
	}
	return place, several, nil
}

// domainSignsInElsewhere tells whether the domain of an address is that of a
// workspace which requires single sign-on.
func (s *Service) domainSignsInElsewhere(ctx context.Context, email string) (closed bool, err error) {
	if !strings.Contains(email, "@") {
		return false, nil
	}
	err = s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		owner, err := tx.DomainOwner(ctx, strings.ToLower(domainOf(strings.ToValidUTF8(strings.ReplaceAll(email, "\x00", ""), ""))))
		if db.IsNoRows(err) {
			return nil
		}
		closed = owner.SsoOnly
		return err
	})
	if err != nil {
		return false, fmt.Errorf("find workspace of domain: %w", err)
	}
	return closed, nil
}

// recordRefused answers why a password was refused. Workspaces see the attempts on
// the accounts of their members.
func (s *Service) recordRefused(ctx context.Context, place db.MembershipListByPersonRow, why *apperr.Kind) error {
	if place.UserID == uuid.Nil {
		return why
	}
	// Whoever it was, it is not known to be the member.
	actor := access.Actor{Kind: access.Person, TenantID: ids.Tenant(place.TenantID)}
	err := s.deps.DB.InTenantTx(ctx, place.TenantID, func(ctx context.Context, tx *db.Tx) error {
		e := audit.Entry{Action: "auth.sign_in_failed", Target: "user", ID: place.UserID.String(), Denied: true}
		if why != ErrWrongPassword {
			e.Detail = map[string]any{"code": why.Code()}
		}
		return audit.Record(ctx, tx, actor, e)
	})
	if err != nil {
		return err
	}
	return why
}

// admit opens a session by password, unless a code is asked for first.
func (s *Service) admit(ctx context.Context, tx *db.Tx, personID uuid.UUID, place db.MembershipListByPersonRow, keep bool, client Client) (Opened, error) {
	asks, err := tx.UserHasFactor(ctx, place.TenantID, place.UserID)
	if err != nil {
		return Opened{}, fmt.Errorf("look for second factor: %w", err)
	}
	if asks {
		return pend(ctx, tx, db.PendingInsertParams{Purpose: forSecondFactor, TenantID: place.TenantID, UserID: place.UserID, PersonID: personID, Remembered: keep})
	}
	return s.enterByPassword(ctx, tx, personID, place, keep, client)
}

// enterByPassword opens a session. That of a break-glass owner is told to all
// who look after the workspace.
func (s *Service) enterByPassword(ctx context.Context, tx *db.Tx, personID uuid.UUID, place db.MembershipListByPersonRow, keep bool, client Client) (Opened, error) {
	if place.BreakGlass {
		if err := s.breakGlass(ctx, tx, place, client); err != nil {
			return Opened{}, err
		}
	}
	return openSession(ctx, tx, personID, place, keep, client)
}

// openSession writes a session in tx, which is bound to the place's tenant and
// to control.
func openSession(ctx context.Context, tx *db.Tx, personID uuid.UUID, place db.MembershipListByPersonRow, keep bool, client Client) (Opened, error) {
	return openSessionBy(ctx, tx, personID, place, keep, client, source{})
}

// source is how a session was opened; zero is by password.
type source struct {
	method     string
	identityID uuid.UUID
	index      string    // the provider's name for its session
	until      time.Time // when it has to end at the latest; zero: it need not
}

func openSessionBy(ctx context.Context, tx *db.Tx, personID uuid.UUID, place db.MembershipListByPersonRow, keep bool, client Client, from source) (Opened, error) {
	idle, whole := idleFor, sessionFor
	opened := Opened{}
	if keep {
		idle, whole = keptIdleFor, keptFor
	}
	limits, err := tx.SecurityGet(ctx, place.TenantID)
	if err != nil {
		return Opened{}, fmt.Errorf("read time limits: %w", err)
	}
	if m := limits.SessionIdleMinutes; m > 0 {
		idle = min(idle, time.Duration(m)*time.Minute)
	}
	if h := limits.SessionMaxHours; h > 0 {
		whole = min(whole, time.Duration(h)*time.Hour)
	}
	if keep {
		opened.KeepFor = whole
	}
	expires := time.Now().Add(whole)
	if !from.until.IsZero() && from.until.Before(expires) {
		expires = from.until
	}
	var identityID *uuid.UUID
	if from.identityID != uuid.Nil {
		identityID = &from.identityID
	}
	var hash []byte
	opened.Token, hash = newToken()
	if err := tx.SessionInsert(ctx, db.SessionInsertParams{
		SessionID: ids.New[uuid.UUID](), TokenHash: hash, PersonID: personID, TenantID: place.TenantID, UserID: place.UserID,
		IdleSeconds: int32(idle.Seconds()), ExpiresAt: expires, Remembered: keep,
		Address: cut(client.Address, 64), UserAgent: cut(client.UserAgent, 300),
		Method: from.method, IdentityID: identityID, SessionIndex: from.index,
	}); err != nil {
		return Opened{}, fmt.Errorf("insert session: %w", err)
	}
	if err := tx.PersonSetLastTenant(ctx, place.TenantID, personID); err != nil {
		return Opened{}, fmt.Errorf("remember workspace: %w", err)
	}
	if err := tx.UserSeen(ctx, place.TenantID, place.UserID); err != nil {
		return Opened{}, fmt.Errorf("note visit: %w", err)
	}
	actor := personActor(ids.Tenant(place.TenantID), ids.User(place.UserID))
	return opened, audit.Record(ctx, tx, actor, audit.Entry{Action: "auth.signed_in", Target: "user", ID: actor.UserID.String(),
		Detail: map[string]any{"method": first(from.method, "password")}})
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
)

// The purposes of links that work once.
const (
	forReset  = "reset"
	forInvite = "invite"
	forSetup  = "setup"
	// forConnect is of links that a member's identity at a provider is taken up by.
	forConnect = "connect"
)

// ChangePassword asks for the old password, ends all other sessions and gives
// this one another token.
//
// Errors: auth.invalid with fields current, password; auth.throttled, auth.confined.
func (s *Service) ChangePassword(ctx context.Context, i Identity, current, password string) (Opened, error) {
	if i.SSO() {
		return Opened{}, ErrConfined.With("You signed in with single sign-on. A password is changed in a session that a password has opened.")
	}
	limits := []limit{{key: throttleKey("password", i.PersonID.String()), free: 5, longest: 900}}
	if err := s.take(ctx, limits); err != nil {
		return Opened{}, err
	}
	var person db.PersonByIDRow
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		person, err = tx.PersonByID(ctx, i.PersonID)
		return err
	})
	if err != nil {
		return Opened{}, fmt.Errorf("read person: %w", err)
	}
	match, _, err := s.hasher.verify(ctx, current, value(person.PasswordHash))
	if err != nil {
		return Opened{}, err
	}
	if !match {
		return Opened{}, ErrInvalid.WithFields(map[string]string{"current": "This is not your present password."})
	}
	if problem := checkPassword(password, i.Email); problem != "" {
		return Opened{}, ErrInvalid.WithFields(map[string]string{"password": problem})
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Opened{}, err
	}
	token, tokenHash := newToken()
	err = s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		if err := setPassword(ctx, tx, i.PersonID, hash); err != nil {
			return err
		}
		if err := forgive(ctx, tx, limits); err != nil {
			return err
		}
		if _, err := tx.SessionRevokeOthers(ctx, i.PersonID, i.SessionID, nil); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		rotated, err := tx.SessionRotate(ctx, tokenHash, i.SessionID)
		if err != nil {
			return fmt.Errorf("rotate session: %w", err)
		}
		if rotated == 0 {
			return ErrNoSession
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.password_changed", Target: "user", ID: i.Actor.UserID.String()})
	})
	if err != nil {
		return Opened{}, err
	}
	return Opened{Token: token, KeepFor: keepFor(i)}, nil
}

// setPassword also makes open links of the person useless, invitations apart.
func setPassword(ctx context.Context, tx *db.Tx, personID uuid.UUID, hash string) error {
	if err := tx.PersonSetPassword(ctx, &hash, personID); err != nil {
		return fmt.Errorf("write password: %w", err)
	}
	if err := tx.LinkRevoke(ctx, &personID, forReset); err != nil {
		return fmt.Errorf("revoke links: %w", err)
	}
	return nil
}

// RequestReset sends a link to set a new password, if somebody has this
// address and a workspace that a password opens. It answers the same either way.
//
// Errors: auth.throttled.
func (s *Service) RequestReset(ctx context.Context, email string, client Client) error {
	began := time.Now()
	email = strings.TrimSpace(email)
	limits := []limit{
		{key: throttleKey("reset", strings.ToLower(email)), free: 3, longest: 900},
		{key: throttleKey("reset address", client.Address), free: 20, longest: 900},
	}
	if err := s.take(ctx, limits); err != nil {
		return err
	}
	_, _, err := s.newReset(ctx, email, true)
	if errors.Is(err, tenants.ErrMemberNotFound) {
		err = nil
	}
	if errors.Is(err, ErrSSORequired) {
		err = s.recordNoReset(ctx, email)
	}
	return errors.Join(err, even(ctx, began))
}

// recordNoReset tells a workspace that somebody has asked for a password that
// would open nothing.
func (s *Service) recordNoReset(ctx context.Context, email string) error {
	person, places, err := s.findPerson(ctx, email)
	if err != nil {
		return err
	}
	place, _, belongs := choosePlace(places, person.LastTenantID)
	if !belongs {
		return nil
	}
	actor := access.Actor{Kind: access.Person, TenantID: ids.Tenant(place.TenantID)}
	return s.deps.DB.InTenantTx(ctx, place.TenantID, func(ctx context.Context, tx *db.Tx) error {
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "auth.reset_requested", Target: "user", ID: place.UserID.String(), Denied: true,
			Detail: map[string]any{"code": ErrSSORequired.Code()}})
	})
}

// ResetLink makes a reset link for the operator's console.
//
// Errors: tenants.member_not_found, auth.sso_required.
func (s *Service) ResetLink(ctx context.Context, email string) (link string, until time.Time, err error) {
	return s.newReset(ctx, strings.TrimSpace(email), false)
}

func (s *Service) newReset(ctx context.Context, email string, send bool) (link string, until time.Time, err error) {
	person, places, err := s.findPerson(ctx, email)
	if err != nil {
		return "", until, err
	}
	place, _, err := openPlace(places, person.LastTenantID)
	if errors.Is(err, ErrNoWorkspace) {
		return "", until, tenants.ErrMemberNotFound.With("Nobody has the e-mail address %s.", email)
	}
	if err != nil {
		return "", until, err
	}
	tenant, user := ids.Tenant(place.TenantID), ids.User(place.UserID)
	actor := access.Actor{Kind: access.Console, TenantID: tenant}
	if send {
		actor = personActor(tenant, user)
		if err := s.warmKeys(ctx, actor.TenantID); err != nil {
			return "", until, err
		}
	}
	token, hash := newToken()
	link, until = s.deps.BaseURL()+"/reset?token="+token, time.Now().Add(resetFor)
	err = s.deps.DB.InIdentityTx(ctx, place.TenantID, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.LinkRevoke(ctx, &person.PersonID, forReset); err != nil {
			return fmt.Errorf("revoke links: %w", err)
		}
		if err := tx.LinkInsert(ctx, db.LinkInsertParams{TokenHash: hash, Purpose: forReset, PersonID: &person.PersonID, ExpiresAt: until}); err != nil {
			return fmt.Errorf("insert link: %w", err)
		}
		if send {
			if err := s.mailReset(ctx, tx, place, person.Email, link, until); err != nil {
				return err
			}
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "auth.reset_requested", Target: "user", ID: user.String()})
	})
	return link, until, err
}

func (s *Service) mailReset(ctx context.Context, tx *db.Tx, place db.MembershipListByPersonRow, email, link string, until time.Time) error {
	user, err := tx.UserGet(ctx, place.TenantID, place.UserID)
	if err != nil {
		return fmt.Errorf("read user: %w", err)
	}
	settings, err := tx.TenantSettingsGet(ctx, place.TenantID)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if zone, err := loadZone(first(user.Zone, settings.Zone)); err == nil {
		until = until.In(zone)
	}
	to := delivery.Recipient{Address: email, Name: user.Name, Locale: first(user.Locale, settings.Locale)}
	if _, err := s.deps.Mailer.Queue(ctx, tx, to, delivery.PasswordReset{Name: user.Name, Link: link, Until: until}); err != nil {
		return fmt.Errorf("send reset: %w", err)
	}
	return nil
}

// warmKeys has the tenant's keys at hand before a transaction is open that
// queues mail: reading them takes a second connection.
func (s *Service) warmKeys(ctx context.Context, tenantID ids.Tenant) error {
	_, err := s.deps.Tenants.Box(ctx, tenantID)
	return err
}

// CheckReset answers whose password a reset link sets.
//
// Errors: auth.link_used.
func (s *Service) CheckReset(ctx context.Context, token string) (email string, first bool, err error) {
	_, person, err := s.peek(ctx, forReset, token)
	return person.Email, person.PasswordHash == nil, err
}

// ResetPassword sets a new password by a link, ends all sessions and opens
// one.
//
// Errors: auth.link_used, auth.no_workspace, auth.sso_required; auth.invalid with
// field password.
func (s *Service) ResetPassword(ctx context.Context, token, password string, client Client) (Opened, error) {
	hash, person, err := s.peek(ctx, forReset, token)
	if err != nil {
		return Opened{}, err
	}
	if problem := checkPassword(password, person.Email); problem != "" {
		return Opened{}, ErrInvalid.WithFields(map[string]string{"password": problem})
	}
	_, places, err := s.findPerson(ctx, person.Email)
	if err != nil {
		return Opened{}, err
	}
	place, several, err := openPlace(places, person.LastTenantID)
	if err != nil {
		return Opened{}, err
	}
	stored, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Opened{}, err
	}
	var opened Opened
	err = s.deps.DB.InIdentityTx(ctx, place.TenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		if _, err := useLink(ctx, tx, hash, forReset); err != nil {
			return err
		}
		if err := setPassword(ctx, tx, person.PersonID, stored); err != nil {
			return err
		}
		if err := forgive(ctx, tx, signInLimits(person.Email, client)); err != nil {
			return err
		}
		if _, err := tx.SessionRevokeOthers(ctx, person.PersonID, uuid.Nil, nil); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		actor := personActor(ids.Tenant(place.TenantID), ids.User(place.UserID))
		if err := audit.Record(ctx, tx, actor, audit.Entry{Action: "auth.password_reset", Target: "user", ID: actor.UserID.String()}); err != nil {
			return err
		}
		opened, err = s.admit(ctx, tx, person.PersonID, place, false, client)
		return err
	})
	opened.Choose = several
	return opened, err
}

// peek reads a link without using it.
func (s *Service) peek(ctx context.Context, purpose, token string) (hash []byte, person db.PersonByIDRow, err error) {
	hash, ok := parseToken(token)
	if !ok {
		return nil, person, ErrLinkUsed
	}
	err = s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		link, err := tx.LinkPeek(ctx, hash, purpose)
		if db.IsNoRows(err) {
			return ErrLinkUsed.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("find link: %w", err)
		}
		if link.PersonID != nil {
			if person, err = tx.PersonByID(ctx, *link.PersonID); err != nil {
				return fmt.Errorf("read person: %w", err)
			}
		}
		return nil
	})
	return hash, person, err
}

func useLink(ctx context.Context, tx *db.Tx, hash []byte, purpose string) (db.LinkUseRow, error) {
	link, err := tx.LinkUse(ctx, hash, purpose)
	if db.IsNoRows(err) {
		return link, ErrLinkUsed.Wrap(err)
	}
	if err != nil {
		return link, fmt.Errorf("use link: %w", err)
	}
	return link, nil
}

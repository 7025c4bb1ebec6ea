// Package auth lets people in: e-mail and password, sessions, resets and the
// first set-up.
package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong.
var (
	// ErrWrongPassword says the same for an unknown address and a wrong password.
	ErrWrongPassword = apperr.Define(apperr.Unauthenticated, "auth.wrong_password",
		"This e-mail address and password do not belong together.")
	ErrThrottled = apperr.Define(apperr.RateLimited, "auth.throttled",
		"There were too many failed attempts. Wait a moment and try again.")
	ErrNoSession = apperr.Define(apperr.Unauthenticated, "auth.session_ended",
		"Your session has ended. Sign in again.")
	ErrLinkUsed = apperr.Define(apperr.Gone, "auth.link_used",
		"This link was used already or has run out. Ask for a new one.")
	ErrInvalid = apperr.Define(apperr.Invalid, "auth.invalid",
		"Some of what you entered can't be used.")
	ErrEmailTaken = apperr.Define(apperr.Conflict, "auth.email_taken",
		"There is a member with this e-mail address already.")
	ErrNotMember = apperr.Define(apperr.NotFound, "auth.not_member",
		"You do not belong to this workspace.")
	ErrSessionNotFound = apperr.Define(apperr.NotFound, "auth.session_not_found",
		"This session has ended already.")
)

// How long things last.
const (
	idleFor      = 12 * time.Hour // without a request, for a plain session
	sessionFor   = 24 * time.Hour
	keptIdleFor  = 3 * 24 * time.Hour // for "keep me signed in"
	keptFor      = 7 * 24 * time.Hour
	resetFor     = time.Hour
	setupFor     = 24 * time.Hour
	touchEvery   = time.Minute
	freeFailures = 4   // before an account or address has to wait
	longestWait  = 900 // seconds
)

// ResetMail is what a person who forgot their password gets.
type ResetMail struct {
	TenantID ids.Tenant
	UserID   ids.User
	To       string
	Name     string
	Link     string // works once
	Until    time.Time
}

// Mailer queues mail in the transaction that wants it sent.
type Mailer interface {
	SendReset(ctx context.Context, tx *db.Tx, m ResetMail) error
}

// Deps are what the service works with.
type Deps struct {
	DB      *db.DB
	Tenants *tenants.Service
	Mailer  Mailer
	BaseURL func() string // of this server, without a slash at its end
}

// Service is safe for concurrent use.
type Service struct {
	deps   Deps
	hasher *hasher
}

// NewService makes the service.
func NewService(deps Deps) *Service { return &Service{deps: deps, hasher: newHasher()} }

// Client is where a request comes from; kept with the session for its owner.
type Client struct {
	Address   string
	UserAgent string
}

// Identity is who a session belongs to.
type Identity struct {
	SessionID  uuid.UUID
	PersonID   uuid.UUID
	Actor      access.Actor
	Email      string
	Name       string
	TenantName string
	TenantSlug string
	Plan       string
	Zone       string // IANA name, the tenant's when the person chose none
	Locale     string
	Theme      string
	Shortcuts  bool
}

// SignIn checks e-mail and password and opens a session in the workspace used
// last. Every failure costs the same time; after a few, account and address
// have to wait, each time longer, but no account is ever locked for good.
//
// Errors: auth.wrong_password, auth.throttled.
func (s *Service) SignIn(ctx context.Context, email, password string, keep bool, client Client) (token string, err error) {
	email = strings.TrimSpace(email)
	keys := [][]byte{throttleKey("account", strings.ToLower(email)), throttleKey("address", client.Address)}
	if err := s.mayTry(ctx, keys); err != nil {
		return "", err
	}
	var person db.PersonByEmailRow
	err = s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		person, err = tx.PersonByEmail(ctx, email)
		if db.IsNoRows(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("find person: %w", err)
	}
	stored := ""
	if person.PasswordHash != nil {
		stored = *person.PasswordHash
	}
	match, renew, err := s.hasher.verify(ctx, password, stored)
	if err != nil {
		return "", err
	}
	if !match {
		return "", s.failed(ctx, keys)
	}
	if renew {
		if err := s.storePassword(ctx, person.PersonID, password); err != nil {
			return "", err
		}
	}
	return s.openSession(ctx, person.PersonID, keep, client, keys[0])
}

func (s *Service) openSession(ctx context.Context, personID uuid.UUID, keep bool, client Client, clear []byte) (string, error) {
	var places []db.MembershipListByPersonRow
	var recent []db.SessionListByPersonRow
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		if places, err = tx.MembershipListByPerson(ctx, personID); err != nil {
			return fmt.Errorf("list memberships: %w", err)
		}
		if recent, err = tx.SessionListByPerson(ctx, personID); err != nil {
			return fmt.Errorf("list sessions: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if len(places) == 0 {
		return "", ErrWrongPassword
	}
	place := places[0]
	if len(recent) > 0 {
		for _, p := range places {
			if p.TenantID == recent[0].TenantID {
				place = p
			}
		}
	}
	idle, whole := idleFor, sessionFor
	if keep {
		idle, whole = keptIdleFor, keptFor
	}
	token, hash := newToken()
	actor := access.Actor{Kind: access.Person, TenantID: ids.Tenant(place.TenantID), UserID: ids.User(place.UserID)}
	err = s.deps.DB.InTenantTx(ctx, place.TenantID, func(ctx context.Context, tx *db.Tx) error {
		if clear != nil {
			if err := tx.ThrottleClear(ctx, clear); err != nil {
				return fmt.Errorf("clear throttle: %w", err)
			}
		}
		if err := tx.SessionInsert(ctx, db.SessionInsertParams{
			SessionID: ids.New[uuid.UUID](), TokenHash: hash, PersonID: personID, TenantID: place.TenantID, UserID: place.UserID,
			IdleSeconds: int32(idle.Seconds()), ExpiresAt: time.Now().Add(whole),
			Address: cut(client.Address, 64), UserAgent: cut(client.UserAgent, 300),
		}); err != nil {
			return fmt.Errorf("insert session: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "auth.signed_in", Target: "user", ID: actor.UserID.String()})
	})
	return token, err
}

// Identify finds who a token belongs to.
//
// Errors: auth.session_ended.
func (s *Service) Identify(ctx context.Context, token string) (Identity, error) {
	hash, ok := parseToken(token)
	if !ok {
		return Identity{}, ErrNoSession
	}
	session, user, err := s.deps.DB.ReadSession(ctx, hash)
	if db.IsNoRows(err) {
		return Identity{}, ErrNoSession.Wrap(err)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("read session: %w", err)
	}
	if time.Since(session.LastSeenAt) > touchEvery {
		err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			return tx.SessionTouch(ctx, session.SessionID)
		})
		if err != nil {
			return Identity{}, fmt.Errorf("touch session: %w", err)
		}
	}
	i := Identity{
		SessionID: session.SessionID, PersonID: session.PersonID,
		Actor: access.Actor{Kind: access.Person, TenantID: ids.Tenant(user.TenantID), UserID: ids.User(user.UserID),
			Role: access.Role(user.Role)},
		Email: user.Email, Name: user.Name, TenantName: session.TenantName, TenantSlug: session.Slug,
		Plan: string(user.PlanType), Theme: user.Theme, Shortcuts: user.Shortcuts,
		Zone: first(user.Zone, user.TenantZone), Locale: first(user.Locale, user.TenantLocale),
	}
	i.Actor.Locale = i.Locale
	if i.Actor.Zone, err = time.LoadLocation(i.Zone); err != nil {
		i.Actor.Zone, i.Zone = time.UTC, "UTC"
	}
	return i, nil
}

// SignOut ends the session of the identity.
func (s *Service) SignOut(ctx context.Context, i Identity) error {
	return s.deps.DB.InTenantTx(ctx, i.Actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.SessionRevoke(ctx, i.SessionID, i.PersonID); err != nil {
			return fmt.Errorf("end session: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.signed_out", Target: "user", ID: i.Actor.UserID.String()})
	})
}

// Workspace is one that a person belongs to.
type Workspace struct {
	ID   ids.Tenant
	Slug string
	Name string
}

// ListWorkspaces lists all workspaces of the identity's person, by name.
func (s *Service) ListWorkspaces(ctx context.Context, i Identity) ([]Workspace, error) {
	var list []Workspace
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.MembershipListByPerson(ctx, i.PersonID)
		if err != nil {
			return fmt.Errorf("list memberships: %w", err)
		}
		for _, row := range rows {
			list = append(list, Workspace{ID: ids.Tenant(row.TenantID), Slug: row.Slug, Name: row.Name})
		}
		return nil
	})
	return list, err
}

// SwitchWorkspace moves the session to another workspace of its person and
// answers the session's new token.
//
// Errors: auth.not_member.
func (s *Service) SwitchWorkspace(ctx context.Context, i Identity, tenantID ids.Tenant) (string, error) {
	token, hash := newToken()
	err := s.deps.DB.InTenantTx(ctx, tenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		place, err := tx.MembershipGet(ctx, i.PersonID, tenantID.UUID())
		if db.IsNoRows(err) {
			return ErrNotMember.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("find membership: %w", err)
		}
		if err := tx.SessionSwitch(ctx, db.SessionSwitchParams{
			SessionID: i.SessionID, TenantID: place.TenantID, UserID: place.UserID, TokenHash: hash,
		}); err != nil {
			return fmt.Errorf("switch session: %w", err)
		}
		actor := access.Actor{Kind: access.Person, TenantID: tenantID, UserID: ids.User(place.UserID)}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "auth.switched_workspace", Target: "user", ID: place.UserID.String()})
	})
	return token, err
}

// Session is one of a person's open sessions.
type Session struct {
	ID         uuid.UUID
	CreatedAt  time.Time
	LastSeenAt time.Time
	Address    string
	UserAgent  string
	Current    bool
}

// ListSessions lists the person's open sessions, the one used last first.
func (s *Service) ListSessions(ctx context.Context, i Identity) ([]Session, error) {
	var list []Session
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.SessionListByPerson(ctx, i.PersonID)
		if err != nil {
			return fmt.Errorf("list sessions: %w", err)
		}
		for _, row := range rows {
			list = append(list, Session{ID: row.SessionID, CreatedAt: row.CreatedAt, LastSeenAt: row.LastSeenAt,
				Address: row.Address, UserAgent: row.UserAgent, Current: row.SessionID == i.SessionID})
		}
		return nil
	})
	return list, err
}

// RevokeSession ends one of the person's own sessions.
//
// Errors: auth.session_not_found, for somebody else's too.
func (s *Service) RevokeSession(ctx context.Context, i Identity, id uuid.UUID) error {
	return s.deps.DB.InTenantTx(ctx, i.Actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		ended, err := tx.SessionRevoke(ctx, id, i.PersonID)
		if err != nil {
			return fmt.Errorf("end session: %w", err)
		}
		if ended == 0 {
			return ErrSessionNotFound
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.session_revoked", Target: "session", ID: id.String()})
	})
}

// RevokeOtherSessions ends all of the person's sessions but the current one.
func (s *Service) RevokeOtherSessions(ctx context.Context, i Identity) error {
	return s.deps.DB.InTenantTx(ctx, i.Actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		ended, err := tx.SessionRevokeOthers(ctx, i.PersonID, i.SessionID)
		if err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.sessions_revoked", Target: "user", ID: i.Actor.UserID.String(),
			Detail: map[string]any{"count": ended}})
	})
}

// Prune removes sessions and failures that are long past. A schedule calls it.
func (s *Service) Prune(ctx context.Context) error {
	return s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.SessionPrune(ctx); err != nil {
			return fmt.Errorf("prune sessions: %w", err)
		}
		if _, err := tx.ThrottlePrune(ctx); err != nil {
			return fmt.Errorf("prune throttles: %w", err)
		}
		return nil
	})
}

func (s *Service) mayTry(ctx context.Context, keys [][]byte) error {
	return s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		for _, key := range keys {
			row, err := tx.ThrottleGet(ctx, key)
			if db.IsNoRows(err) {
				continue
			}
			if err != nil {
				return fmt.Errorf("read throttle: %w", err)
			}
			if wait := time.Until(row.BlockedUntil); wait > 0 {
				return ErrThrottled.With("There were too many failed attempts. Try again in %s.", wait.Round(time.Second).String())
			}
		}
		return nil
	})
}

// failed counts a failure. An address may fail more often than an account:
// many people can sit behind one.
func (s *Service) failed(ctx context.Context, keys [][]byte) error {
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		for i, key := range keys {
			free := int32(freeFailures)
			if i > 0 {
				free *= 10
			}
			if _, err := tx.ThrottleFail(ctx, key, free, longestWait); err != nil {
				return fmt.Errorf("count failure: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return ErrWrongPassword
}

func throttleKey(kind, value string) []byte {
	sum := sha256.Sum256([]byte(kind + "\x00" + value))
	return sum[:]
}

// CheckEmail answers an address in its plain form, or a sentence about what is
// wrong with it.
func CheckEmail(text string) (email, problem string) {
	text = strings.TrimSpace(text)
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text || len(text) > 254 || !strings.Contains(text, "@") {
		return "", "This is not an e-mail address."
	}
	return text, ""
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "")
	for len(text) > most {
		text = text[:most]
		text = strings.ToValidUTF8(text, "")
	}
	return text
}

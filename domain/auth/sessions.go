package auth

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
)

// Identity is who a session belongs to.
type Identity struct {
	SessionID  uuid.UUID
	PersonID   uuid.UUID
	ExpiresAt  time.Time
	Remembered bool
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
	// OwnZone and OwnLocale are what the person chose; empty where the
	// workspace's apply.
	OwnZone, OwnLocale             string
	WorkspaceZone, WorkspaceLocale string
	// Workspaces are all of the person's, by name, where they were asked for.
	Workspaces []Workspace
	// Version tells identities of this process apart: equal versions, equal
	// people and workspaces. The session is not part of it.
	Version string
	// Method is how the session was opened: password, saml or oidc. Whoever
	// signed in at a provider stays in its workspace.
	Method string
	// MustEnrol says that the person has to set up a second factor before
	// anything else.
	MustEnrol bool
	// ViewedBy is who is signed in where Actor is somebody whose view they look
	// at; zero for one's own.
	ViewedBy ids.User
}

// SSO tells whether an identity provider opened the session.
func (i Identity) SSO() bool { return i.Method != "password" }

// Workspace is one that a person belongs to.
type Workspace struct {
	ID   ids.Tenant
	Slug string
	Name string
}

// Aside is one more thing to know of the workspace with an identity: a text that
// Fill reads, bound to the tenant. Name tells such texts apart, and says all that
// the text depends on besides the person and their workspace.
type Aside struct {
	Name string
	Fill func(*db.Batch, *string)
}

type unattendedKey struct{}

// Unattended has Identify leave alone when the session was used last: an open
// page that asks by itself must not keep it from ending when idle.
func Unattended(ctx context.Context) context.Context {
	return context.WithValue(ctx, unattendedKey{}, true)
}

// Identify finds who a token belongs to, in one round trip to the database.
//
// Errors: auth.session_ended.
func (s *Service) Identify(ctx context.Context, token string, workspaces bool) (Identity, error) {
	i, _, err := s.IdentifyAnd(ctx, token, workspaces, Aside{})
	return i, err
}

// IdentifyAnd is Identify with the text of an aside. The session is always read;
// the rest is remembered until something in the workspace changes, which the
// database says along with the session.
//
// Errors: auth.session_ended, also where Fill finds no row.
func (s *Service) IdentifyAnd(ctx context.Context, token string, workspaces bool, aside Aside) (Identity, string, error) {
	hash, ok := parseToken(token)
	if !ok {
		return Identity{}, "", ErrNoSession
	}
	session, err := s.deps.DB.CheckSession(ctx, hash)
	if db.IsNoRows(err) {
		return Identity{}, "", ErrNoSession.Wrap(err)
	}
	if err != nil {
		return Identity{}, "", fmt.Errorf("read session: %w", err)
	}
	key := knownKey{session.TenantID, session.UserID, session.PersonID, session.Epoch, workspaces, aside.Name, session.Method}
	known, ok := s.known.Get(key)
	if !ok {
		if known, err = s.read(ctx, session.TenantID, hash, workspaces, aside); err != nil {
			return Identity{}, "", err
		}
		// It may be newer than the epoch, which does no harm: whoever finds it
		// asked before the change was there.
		if a := known.identity.Actor; a.TenantID.UUID() == session.TenantID && a.UserID.UUID() == session.UserID && len(known.text) <= knownText {
			s.known.Add(key, known)
		}
	}
	if time.Since(session.LastSeenAt) > touchEvery && ctx.Value(unattendedKey{}) == nil {
		if err := s.touch(ctx, session); err != nil {
			return Identity{}, "", err
		}
	}
	i := known.identity
	i.SessionID, i.PersonID, i.ExpiresAt, i.Remembered = session.SessionID, session.PersonID, session.ExpiresAt, session.Remembered
	return i, known.text, nil
}

// knownIdentities is how many people and asides are remembered, knownText how
// long the text of an aside may be.
const (
	knownIdentities = 20_000
	knownText       = 4 << 10
)

type knownKey struct {
	tenant, user, person uuid.UUID
	epoch                int64
	workspaces           bool
	aside, method        string
}

type knownIdentity struct {
	identity Identity
	text     string
}

func (s *Service) read(ctx context.Context, tenant uuid.UUID, hash []byte, workspaces bool, aside Aside) (knownIdentity, error) {
	var text string
	session, err := s.deps.DB.SessionRead(ctx, tenant, hash, workspaces, func(b *db.Batch) {
		if aside.Fill != nil {
			aside.Fill(b, &text)
		}
	})
	if db.IsNoRows(err) {
		return knownIdentity{}, ErrNoSession.Wrap(err)
	}
	if err != nil {
		return knownIdentity{}, fmt.Errorf("read session: %w", err)
	}
	i := identityOf(session)
	i.Version = strconv.FormatUint(s.versions.Add(1), 36)
	return knownIdentity{i, text}, nil
}

func identityOf(session db.OpenSession) Identity {
	u := session.User
	i := Identity{
		SessionID: session.SessionID, PersonID: session.PersonID, ExpiresAt: session.ExpiresAt, Remembered: session.Remembered,
		Actor: access.Actor{Kind: access.Person, TenantID: ids.Tenant(u.TenantID), UserID: ids.User(u.UserID),
			Role: access.Role(u.Role), Custom: tenants.CustomOf(u.CustomRoleID, u.CustomName, u.CustomPermissions)},
		Email: u.Email, Name: u.Name, TenantName: session.TenantName, TenantSlug: session.Slug,
		Plan: string(u.PlanType), Theme: u.Theme, Shortcuts: u.Shortcuts,
		Zone: first(u.Zone, u.TenantZone), Locale: first(u.Locale, u.TenantLocale), OwnZone: u.Zone, OwnLocale: u.Locale,
		WorkspaceZone: u.TenantZone, WorkspaceLocale: u.TenantLocale, Method: session.Method,
	}
	// Who signs in at a provider proves there what it asks for.
	i.MustEnrol = u.MustEnrol && !i.SSO()
	for _, w := range session.Workspaces {
		i.Workspaces = append(i.Workspaces, Workspace{ID: ids.Tenant(w.TenantID), Slug: w.Slug, Name: w.Name})
	}
	for _, group := range u.GroupIds {
		i.Actor.Groups = append(i.Actor.Groups, ids.Group(group))
	}
	i.Actor.Attributes = tenants.AttributesOf(u.Attributes)
	i.Actor.Locale = i.Locale
	var err error
	if i.Actor.Zone, err = loadZone(i.Zone); err != nil {
		// The name was checked when it was stored; this machine knows fewer.
		i.Actor.Zone, i.Zone = time.UTC, "UTC"
	}
	return i
}

func (s *Service) touch(ctx context.Context, session db.SessionCheck) error {
	return s.deps.DB.InIdentityTx(ctx, session.TenantID, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.SessionTouch(ctx, session.SessionID); err != nil {
			return fmt.Errorf("touch session: %w", err)
		}
		if err := tx.UserSeen(ctx, session.TenantID, session.UserID); err != nil {
			return fmt.Errorf("note visit: %w", err)
		}
		return nil
	})
}

// SignOut ends the session of the identity.
func (s *Service) SignOut(ctx context.Context, i Identity) error {
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.SessionRevoke(ctx, i.SessionID, i.PersonID, i.reach()); err != nil {
			return fmt.Errorf("end session: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.signed_out", Target: "user", ID: i.Actor.UserID.String()})
	})
}

// SwitchWorkspace moves the session to another workspace of its person and
// gives it another token.
//
// Where a code is asked for there, Opened is pending and the session stays where
// it is until the code was right.
//
// Errors: auth.not_member, auth.session_ended, auth.confined, auth.sso_required.
func (s *Service) SwitchWorkspace(ctx context.Context, i Identity, tenantID ids.Tenant) (Opened, error) {
	if tenantID.IsZero() {
		return Opened{}, ErrNotMember
	}
	if i.SSO() && tenantID != i.Actor.TenantID {
		return Opened{}, ErrConfined
	}
	opened := Opened{KeepFor: keepFor(i)}
	err := s.deps.DB.InIdentityTx(ctx, tenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		place, err := tx.MembershipGet(ctx, i.PersonID, tenantID.UUID())
		if db.IsNoRows(err) {
			return ErrNotMember.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("find membership: %w", err)
		}
		if place.Closed {
			return ErrSSORequired
		}
		asks, err := tx.UserHasFactor(ctx, place.TenantID, place.UserID)
		if err != nil {
			return fmt.Errorf("look for second factor: %w", err)
		}
		if asks && tenantID != i.Actor.TenantID {
			opened, err = pend(ctx, tx, db.PendingInsertParams{Purpose: forSecondFactor, TenantID: place.TenantID, UserID: place.UserID,
				PersonID: i.PersonID, Remembered: i.Remembered, SessionID: &i.SessionID})
			return err
		}
		opened.Token, err = s.moveSession(ctx, tx, i.SessionID, i.PersonID, db.MembershipListByPersonRow(place))
		return err
	})
	if err != nil {
		return Opened{}, err
	}
	return opened, nil
}

// moveSession takes a session that a password opened to another workspace, and
// gives it another token.
func (s *Service) moveSession(ctx context.Context, tx *db.Tx, sessionID, personID uuid.UUID, place db.MembershipListByPersonRow) (token string, err error) {
	if place.BreakGlass {
		if err := s.breakGlass(ctx, tx, place, Client{}); err != nil {
			return "", err
		}
	}
	limits, err := tx.SecurityGet(ctx, place.TenantID)
	if err != nil {
		return "", fmt.Errorf("read time limits: %w", err)
	}
	token, hash := newToken()
	moved, err := tx.SessionSwitch(ctx, db.SessionSwitchParams{SessionID: sessionID, TenantID: place.TenantID, UserID: place.UserID, TokenHash: hash,
		IdleSeconds: limits.SessionIdleMinutes * 60, MaxSeconds: limits.SessionMaxHours * 3600})
	if err != nil {
		return "", fmt.Errorf("switch session: %w", err)
	}
	if moved == 0 {
		return "", ErrNoSession
	}
	if err := tx.PersonSetLastTenant(ctx, place.TenantID, personID); err != nil {
		return "", fmt.Errorf("remember workspace: %w", err)
	}
	if err := tx.UserSeen(ctx, place.TenantID, place.UserID); err != nil {
		return "", fmt.Errorf("note visit: %w", err)
	}
	actor := personActor(ids.Tenant(place.TenantID), ids.User(place.UserID))
	return token, audit.Record(ctx, tx, actor, audit.Entry{Action: "auth.switched_workspace", Target: "user", ID: place.UserID.String()})
}

// reach is the workspace whose sessions the identity may see and end: all of
// the person's, nil, unless a provider vouches for the person in one alone.
func (i Identity) reach() *uuid.UUID {
	if !i.SSO() {
		return nil
	}
	tenant := i.Actor.TenantID.UUID()
	return &tenant
}

func keepFor(i Identity) time.Duration {
	if !i.Remembered {
		return 0
	}
	return max(time.Until(i.ExpiresAt), time.Second)
}

// Session is one of a person's open sessions.
type Session struct {
	ID         uuid.UUID
	CreatedAt  time.Time
	LastSeenAt time.Time // to the minute
	Address    string
	UserAgent  string
	Current    bool
}

// ListSessions lists the person's open sessions, the one used last first.
func (s *Service) ListSessions(ctx context.Context, i Identity) ([]Session, error) {
	var list []Session
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.SessionListByPerson(ctx, i.PersonID, i.reach())
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
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		ended, err := tx.SessionRevoke(ctx, id, i.PersonID, i.reach())
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
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		ended, err := tx.SessionRevokeOthers(ctx, i.PersonID, i.SessionID, i.reach())
		if err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.sessions_revoked", Target: "user", ID: i.Actor.UserID.String(),
			Detail: map[string]any{"count": ended}})
	})
}

// change runs work on the identity's own account.
func (s *Service) change(ctx context.Context, i Identity, work db.Work) error {
	return s.deps.DB.InIdentityTx(ctx, i.Actor.TenantID.UUID(), work)
}

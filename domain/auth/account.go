package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
)

// NewUser asks for a member of a workspace. Password is set only where the
// person is not known yet.
type NewUser struct {
	TenantID ids.Tenant
	Email    string
	Name     string
	Role     access.Role
	Password string
}

// CreateUser adds a member. It is for set-up and the operator's console. A
// person who already belongs to another workspace keeps their password.
//
// Errors: auth.invalid with fields email, name, role, password; auth.email_taken.
func (s *Service) CreateUser(ctx context.Context, n NewUser) (ids.User, error) {
	email, problem := CheckEmail(n.Email)
	fields := map[string]string{}
	if problem != "" {
		fields["email"] = problem
	}
	n.Name = strings.TrimSpace(n.Name)
	if utf8.RuneCountInString(n.Name) > 120 {
		fields["name"] = "A name has at most 120 characters."
	}
	if !db.UserRole(n.Role).Valid() {
		fields["role"] = "There is no such role."
	}
	var person db.PersonByEmailRow
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		person, err = tx.PersonByEmail(ctx, email)
		if db.IsNoRows(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return ids.User{}, fmt.Errorf("find person: %w", err)
	}
	known := person.PersonID != uuid.Nil
	if !known {
		if problem := checkPassword(n.Password, email); problem != "" {
			fields["password"] = problem
		}
	}
	if len(fields) > 0 {
		return ids.User{}, ErrInvalid.WithFields(fields)
	}
	hash := ""
	if !known {
		if hash, err = s.hasher.hash(ctx, n.Password); err != nil {
			return ids.User{}, err
		}
		person.PersonID = ids.New[uuid.UUID]()
	}
	userID := ids.New[ids.User]()
	err = s.deps.DB.InTenantTx(ctx, n.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if !known {
			if err := tx.PersonInsert(ctx, person.PersonID, email, &hash); err != nil {
				return fmt.Errorf("insert person: %w", err)
			}
		}
		if err := tx.UserInsert(ctx, db.UserInsertParams{
			UserID: userID.UUID(), TenantID: n.TenantID.UUID(), PersonID: person.PersonID,
			Email: email, Name: n.Name, Role: db.UserRole(n.Role),
		}); err != nil {
			return fmt.Errorf("insert user: %w", err)
		}
		if err := tx.MembershipInsert(ctx, person.PersonID, n.TenantID.UUID(), userID.UUID()); err != nil {
			return fmt.Errorf("insert membership: %w", err)
		}
		actor := access.Actor{Kind: access.Console, TenantID: n.TenantID}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "members.added", Target: "user", ID: userID.String(),
			Detail: map[string]any{"role": n.Role}})
	})
	if _, taken := db.IsUniqueViolation(err); taken {
		return ids.User{}, ErrEmailTaken.Wrap(err)
	}
	return userID, err
}

// Profile is what a person chooses for themselves.
type Profile struct {
	Name      string
	Zone      string // empty: the workspace's
	Locale    string // empty: the workspace's
	Shortcuts bool
}

// SetProfile changes the person's own profile in this workspace.
//
// Errors: auth.invalid with fields name, zone, locale.
func (s *Service) SetProfile(ctx context.Context, i Identity, p Profile) error {
	p.Name = strings.TrimSpace(p.Name)
	fields := map[string]string{}
	if utf8.RuneCountInString(p.Name) > 120 {
		fields["name"] = "A name has at most 120 characters."
	}
	if p.Zone != "" && !tenants.ValidZone(p.Zone) {
		fields["zone"] = "This is not a time zone. Use a name such as Europe/London."
	}
	if p.Locale != "" && !tenants.ValidLocale(p.Locale) {
		fields["locale"] = "This is not a locale. Use a name such as en-GB."
	}
	if len(fields) > 0 {
		return ErrInvalid.WithFields(fields)
	}
	return s.deps.DB.InTenantTx(ctx, i.Actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		err := tx.UserSetProfile(ctx, db.UserSetProfileParams{TenantID: i.Actor.TenantID.UUID(), UserID: i.Actor.UserID.UUID(),
			Name: p.Name, Zone: p.Zone, Locale: p.Locale, Shortcuts: p.Shortcuts})
		if err != nil {
			return fmt.Errorf("write profile: %w", err)
		}
		return nil
	})
}

// SetTheme keeps the person's choice of auto, light or dark.
func (s *Service) SetTheme(ctx context.Context, i Identity, theme string) error {
	if theme != "light" && theme != "dark" {
		theme = "auto"
	}
	return s.deps.DB.InTenantTx(ctx, i.Actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return tx.UserSetTheme(ctx, theme, i.Actor.TenantID.UUID(), i.Actor.UserID.UUID())
	})
}

// ChangePassword asks for the old password and ends all other sessions.
//
// Errors: auth.invalid with fields current, password; auth.throttled.
func (s *Service) ChangePassword(ctx context.Context, i Identity, current, password string) error {
	keys := [][]byte{throttleKey("password", i.PersonID.String())}
	if err := s.mayTry(ctx, keys); err != nil {
		return err
	}
	var person db.PersonByIDRow
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		person, err = tx.PersonByID(ctx, i.PersonID)
		return err
	})
	if err != nil {
		return fmt.Errorf("read person: %w", err)
	}
	match, _, err := s.hasher.verify(ctx, current, value(person.PasswordHash))
	if err != nil {
		return err
	}
	if !match {
		if err := s.failed(ctx, keys); !errors.Is(err, ErrWrongPassword) {
			return err
		}
		return ErrInvalid.WithFields(map[string]string{"current": "This is not your present password."})
	}
	if problem := checkPassword(password, i.Email); problem != "" {
		return ErrInvalid.WithFields(map[string]string{"password": problem})
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, i.Actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if err := tx.PersonSetPassword(ctx, &hash, i.PersonID); err != nil {
			return fmt.Errorf("write password: %w", err)
		}
		if err := tx.ThrottleClear(ctx, keys[0]); err != nil {
			return fmt.Errorf("clear throttle: %w", err)
		}
		if _, err := tx.SessionRevokeOthers(ctx, i.PersonID, i.SessionID); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.password_changed", Target: "user", ID: i.Actor.UserID.String()})
	})
}

// RequestReset sends a link to set a new password, if somebody has this
// address. It answers the same either way.
//
// Errors: auth.throttled.
func (s *Service) RequestReset(ctx context.Context, email string, client Client) error {
	email = strings.TrimSpace(email)
	keys := [][]byte{throttleKey("reset", strings.ToLower(email)), throttleKey("reset address", client.Address)}
	if err := s.mayTry(ctx, keys); err != nil {
		return err
	}
	if err := s.failed(ctx, keys); !errors.Is(err, ErrWrongPassword) { // counts the request
		return err
	}
	link, mail, err := s.newResetLink(ctx, email)
	if err != nil || link == "" {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, mail.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return s.deps.Mailer.SendReset(ctx, tx, mail)
	})
}

// ResetLink makes a reset link for the operator's console.
//
// Errors: tenants.member_not_found.
func (s *Service) ResetLink(ctx context.Context, email string) (string, error) {
	link, _, err := s.newResetLink(ctx, strings.TrimSpace(email))
	if err == nil && link == "" {
		err = tenants.ErrMemberNotFound.With("Nobody has the e-mail address %s.", email)
	}
	return link, err
}

func (s *Service) newResetLink(ctx context.Context, email string) (string, ResetMail, error) {
	token, hash := newToken()
	mail := ResetMail{Until: time.Now().Add(resetFor)}
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		person, err := tx.PersonByEmail(ctx, email)
		if db.IsNoRows(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find person: %w", err)
		}
		places, err := tx.MembershipListByPerson(ctx, person.PersonID)
		if err != nil || len(places) == 0 {
			return err
		}
		if err := tx.LinkRevoke(ctx, &person.PersonID, "reset"); err != nil {
			return fmt.Errorf("revoke links: %w", err)
		}
		if err := tx.LinkInsert(ctx, db.LinkInsertParams{TokenHash: hash, Purpose: "reset", PersonID: &person.PersonID, ExpiresAt: mail.Until}); err != nil {
			return fmt.Errorf("insert link: %w", err)
		}
		mail.To = person.Email
		mail.TenantID, mail.UserID = ids.Tenant(places[0].TenantID), ids.User(places[0].UserID)
		mail.Link = s.deps.BaseURL() + "/reset?token=" + token
		return nil
	})
	return mail.Link, mail, err
}

// CheckReset tells whether a reset link still works.
//
// Errors: auth.link_used.
func (s *Service) CheckReset(ctx context.Context, token string) error {
	_, err := s.peek(ctx, "reset", token)
	return err
}

// ResetPassword sets a new password by a link and ends all sessions.
//
// Errors: auth.link_used; auth.invalid with field password.
func (s *Service) ResetPassword(ctx context.Context, token, password string) error {
	hash, _ := parseToken(token)
	person, err := s.peek(ctx, "reset", token)
	if err != nil {
		return err
	}
	if problem := checkPassword(password, person.Email); problem != "" {
		return ErrInvalid.WithFields(map[string]string{"password": problem})
	}
	stored, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	var places []db.MembershipListByPersonRow
	err = s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.LinkUse(ctx, hash, "reset"); db.IsNoRows(err) {
			return ErrLinkUsed.Wrap(err)
		} else if err != nil {
			return fmt.Errorf("use link: %w", err)
		}
		if err := tx.PersonSetPassword(ctx, &stored, person.PersonID); err != nil {
			return fmt.Errorf("write password: %w", err)
		}
		if err := tx.ThrottleClear(ctx, throttleKey("account", strings.ToLower(person.Email))); err != nil {
			return fmt.Errorf("clear throttle: %w", err)
		}
		if _, err := tx.SessionRevokeOthers(ctx, person.PersonID, uuid.Nil); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		places, err = tx.MembershipListByPerson(ctx, person.PersonID)
		return err
	})
	if err != nil {
		return err
	}
	for _, place := range places {
		actor := access.Actor{Kind: access.Person, TenantID: ids.Tenant(place.TenantID), UserID: ids.User(place.UserID)}
		err := s.deps.DB.InTenantTx(ctx, place.TenantID, func(ctx context.Context, tx *db.Tx) error {
			return audit.Record(ctx, tx, actor, audit.Entry{Action: "auth.password_reset", Target: "user", ID: place.UserID.String()})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) peek(ctx context.Context, purpose, token string) (db.PersonByIDRow, error) {
	hash, ok := parseToken(token)
	if !ok {
		return db.PersonByIDRow{}, ErrLinkUsed
	}
	var person db.PersonByIDRow
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
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
	return person, err
}

// SetupLink makes the link of the first set-up. It answers an empty one once
// somebody can sign in.
func (s *Service) SetupLink(ctx context.Context) (string, error) {
	token, hash := newToken()
	link := ""
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		count, err := tx.PersonCount(ctx)
		if err != nil || count > 0 {
			return err
		}
		if err := tx.LinkRevokePurpose(ctx, "setup"); err != nil {
			return fmt.Errorf("revoke links: %w", err)
		}
		if err := tx.LinkInsert(ctx, db.LinkInsertParams{TokenHash: hash, Purpose: "setup", ExpiresAt: time.Now().Add(setupFor)}); err != nil {
			return fmt.Errorf("insert link: %w", err)
		}
		link = s.deps.BaseURL() + "/setup?token=" + token
		return nil
	})
	return link, err
}

// CheckSetup tells whether a set-up link still works.
//
// Errors: auth.link_used.
func (s *Service) CheckSetup(ctx context.Context, token string) error {
	_, err := s.peek(ctx, "setup", token)
	return err
}

// Setup is what the first person says about themselves.
type Setup struct {
	Workspace string
	Name      string
	Email     string
	Password  string
}

// CompleteSetup makes the first workspace and its owner by a set-up link.
//
// Errors: auth.link_used; auth.invalid with fields workspace, name, email, password.
func (s *Service) CompleteSetup(ctx context.Context, token string, n Setup) error {
	if err := s.CheckSetup(ctx, token); err != nil {
		return err
	}
	fields := map[string]string{}
	if name := strings.TrimSpace(n.Workspace); name == "" || utf8.RuneCountInString(name) > 120 {
		fields["workspace"] = "A name has 1 to 120 characters."
	}
	if _, problem := CheckEmail(n.Email); problem != "" {
		fields["email"] = problem
	}
	if problem := checkPassword(n.Password, n.Email); problem != "" {
		fields["password"] = problem
	}
	if len(fields) > 0 {
		return ErrInvalid.WithFields(fields)
	}
	hash, _ := parseToken(token)
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.LinkUse(ctx, hash, "setup"); db.IsNoRows(err) {
			return ErrLinkUsed.Wrap(err)
		} else if err != nil {
			return fmt.Errorf("use link: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	// A workspace that the shell made before gets its first person.
	existing, err := s.deps.Tenants.List(ctx)
	if err != nil {
		return err
	}
	var workspace tenants.Tenant
	if len(existing) > 0 {
		workspace = existing[0]
	} else if workspace, err = s.deps.Tenants.Create(ctx, tenants.New{Name: n.Workspace}); err != nil {
		return err
	}
	_, err = s.CreateUser(ctx, NewUser{TenantID: workspace.ID, Email: n.Email, Name: n.Name, Role: access.Owner, Password: n.Password})
	return err
}

func (s *Service) storePassword(ctx context.Context, personID uuid.UUID, password string) error {
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		return tx.PersonSetPassword(ctx, &hash, personID)
	})
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

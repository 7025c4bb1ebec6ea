package auth

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// SetupLink makes the link of the first set-up, for the console; one that was
// made before stops working. It answers an empty one once somebody can sign in.
func (s *Service) SetupLink(ctx context.Context) (string, error) {
	token, hash := newToken()
	link := ""
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		done, err := tx.PersonAny(ctx)
		if err != nil || done {
			return err
		}
		if err := tx.LinkRevokePurpose(ctx, forSetup); err != nil {
			return fmt.Errorf("revoke links: %w", err)
		}
		if err := tx.LinkInsert(ctx, db.LinkInsertParams{TokenHash: hash, Purpose: forSetup, ExpiresAt: time.Now().Add(setupFor)}); err != nil {
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
	_, _, err := s.peek(ctx, forSetup, token)
	return err
}

// Setup is what the first person says about themselves.
type Setup struct {
	Workspace string
	Name      string
	Email     string
	Password  string
}

// CompleteSetup makes the first workspace and its owner by a set-up link, and
// signs the owner in. A workspace that commands of the shell have made before
// gets the name and the owner instead.
//
// Errors: auth.link_used; auth.invalid with fields workspace, name, email, password.
func (s *Service) CompleteSetup(ctx context.Context, token string, n Setup, client Client) (Opened, error) {
	hash, _, err := s.peek(ctx, forSetup, token)
	if err != nil {
		return Opened{}, err
	}
	user, fields := NewUser{Email: n.Email, Name: n.Name, Role: access.Owner}.check()
	n.Workspace = strings.TrimSpace(n.Workspace)
	if problem := plaintext.Problem(n.Workspace, maxName, fmt.Sprintf("A name has 1 to %d characters.", maxName)); problem != "" {
		fields["workspace"] = problem
	}
	if problem := checkPassword(n.Password, n.Email); problem != "" {
		fields["password"] = problem
	}
	if len(fields) > 0 {
		return Opened{}, ErrInvalid.WithFields(fields)
	}
	stored, err := s.hasher.hash(ctx, n.Password)
	if err != nil {
		return Opened{}, err
	}
	existing, err := s.deps.Tenants.List(ctx)
	if err != nil {
		return Opened{}, err
	}
	user.TenantID = ids.New[ids.Tenant]()
	if len(existing) == 1 {
		user.TenantID = existing[0].ID
	}
	var opened Opened
	err = s.deps.DB.InIdentityTx(ctx, user.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := useLink(ctx, tx, hash, forSetup); err != nil {
			return err
		}
		if done, err := tx.PersonAny(ctx); err != nil || done {
			return ErrLinkUsed.Wrap(err)
		}
		if len(existing) == 1 {
			if err := tx.TenantRename(ctx, n.Workspace, user.TenantID.UUID()); err != nil {
				return fmt.Errorf("rename tenant: %w", err)
			}
		} else if _, err := s.deps.Tenants.Insert(ctx, tx, user.TenantID, tenants.New{Name: n.Workspace}); err != nil {
			return err
		}
		userID, err := insertMember(ctx, tx, user, stored)
		if err != nil {
			return err
		}
		actor := personActor(user.TenantID, userID)
		if err := audit.Record(ctx, tx, actor, audit.Entry{Action: "workspace.set_up", Target: "workspace", ID: user.TenantID.String()}); err != nil {
			return err
		}
		person, err := tx.PersonByEmail(ctx, user.Email)
		if err != nil {
			return fmt.Errorf("find person: %w", err)
		}
		opened, err = openSession(ctx, tx, person.PersonID,
			db.MembershipListByPersonRow{TenantID: user.TenantID.UUID(), UserID: uuid.UUID(userID)}, false, client)
		return err
	})
	return opened, err
}

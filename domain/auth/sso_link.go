package auth

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

// Linking is an account that has to be proved.
type Linking struct {
	Email      string
	Workspace  string
	ByLink     bool // a link that was mailed stands in for the password
	NeedsCode  bool // of the second factor too
	NewAccount bool // the account is one of other workspaces; this one makes one of its own
}

// CheckLink reads what ConfirmLink is about.
//
// Errors: auth.link_used.
func (s *Service) CheckLink(ctx context.Context, token string) (Linking, error) {
	_, row, err := s.pending(ctx, forLink, token)
	if err != nil {
		return Linking{}, err
	}
	p, _, err := s.provenOf(ctx, row)
	if err != nil {
		return Linking{}, err
	}
	found := Linking{NewAccount: row.UserID == uuid.Nil, ByLink: p.ByLink}
	err = s.deps.DB.InIdentityTx(ctx, row.TenantID, func(ctx context.Context, tx *db.Tx) error {
		person, err := tx.PersonByID(ctx, row.PersonID)
		if err != nil {
			return fmt.Errorf("read person: %w", err)
		}
		tenant, err := tx.TenantByID(ctx, row.TenantID)
		if err != nil {
			return fmt.Errorf("read tenant: %w", err)
		}
		found.Email, found.Workspace = person.Email, tenant.Name
		if !found.NewAccount {
			if found.NeedsCode, err = tx.UserHasFactor(ctx, row.TenantID, row.UserID); err != nil {
				return fmt.Errorf("look for second factor: %w", err)
			}
		}
		return nil
	})
	return found, err
}

// provenOf opens what the provider said of a sign-in that is half done.
func (s *Service) provenOf(ctx context.Context, row db.PendingGetRow) (p Proven, box *secrets.Box, err error) {
	if box, err = s.deps.Tenants.Box(ctx, ids.Tenant(row.TenantID)); err != nil {
		return p, nil, err
	}
	payload, err := box.Decrypt(linkPurpose, row.Payload)
	if err != nil {
		return p, nil, err
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return p, nil, fmt.Errorf("read pending sign-in: %w", err)
	}
	return p, box, nil
}

// ConfirmLink connects an account with who the person is at the provider, once
// they have proved it by the account's password, or a link in its mailbox before,
// and its second factor where it has one.
//
// Errors: auth.link_used, auth.throttled, tenants.no_seat; auth.invalid with
// fields password, code.
func (s *Service) ConfirmLink(ctx context.Context, token, password, code string, client Client) (Opened, error) {
	hash, row, err := s.pending(ctx, forLink, token)
	if err != nil {
		return Opened{}, err
	}
	limits := []limit{{key: throttleKey("password", row.PersonID.String()), free: 5, longest: 900}}
	if err := s.take(ctx, limits); err != nil {
		return Opened{}, err
	}
	var person db.PersonByIDRow
	err = s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		person, err = tx.PersonByID(ctx, row.PersonID)
		return err
	})
	if err != nil {
		return Opened{}, fmt.Errorf("read person: %w", err)
	}
	p, box, err := s.provenOf(ctx, row)
	if err != nil {
		return Opened{}, err
	}
	if !p.ByLink {
		match, _, err := s.hasher.verify(ctx, password, value(person.PasswordHash))
		if err != nil {
			return Opened{}, err
		}
		if !match {
			return Opened{}, ErrInvalid.WithFields(map[string]string{"password": "This is not the password of the account."})
		}
	}
	var opened Opened
	err = s.deps.DB.InIdentityTx(ctx, row.TenantID, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.PendingTake(ctx, hash, forLink); db.IsNoRows(err) {
			return ErrLinkUsed.Wrap(err)
		} else if err != nil {
			return fmt.Errorf("take pending sign-in: %w", err)
		}
		userID := row.UserID
		if userID == uuid.Nil {
			owns, err := ownsDomain(ctx, tx, ids.Tenant(row.TenantID), p.Email)
			if err != nil {
				return err
			}
			if !owns {
				return ErrNoAccount
			}
			role, _ := p.Mapping.role(p.Groups())
			made, err := insertMember(ctx, tx, NewUser{TenantID: ids.Tenant(row.TenantID), Email: p.Email, Name: p.Name(), Role: role}, "")
			if err != nil {
				return err
			}
			userID = made.UUID()
		} else if asks, err := tx.UserHasFactor(ctx, row.TenantID, userID); err != nil {
			return fmt.Errorf("look for second factor: %w", err)
		} else if asks {
			if err := s.useCode(ctx, tx, box, userID, code); err != nil {
				return err
			}
		}
		if err := forgive(ctx, tx, limits); err != nil {
			return err
		}
		identityID, err := s.link(ctx, tx, row.TenantID, userID, p)
		if err != nil {
			return err
		}
		opened, err = s.openProven(ctx, tx, p, identityID, row.PersonID, userID, row.SessionID, client)
		return err
	})
	return opened, err
}

package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// BeginLogOut ends the session of the identity and answers where the provider
// ends its own: empty where it has nothing to be told.
func (s *Service) BeginLogOut(ctx context.Context, i Identity, browser string) (leaveTo string, err error) {
	if i.Method != kindSAML {
		return "", s.SignOut(ctx, i)
	}
	var from db.SessionSourceRow
	var who db.IdentityGetRow
	err = s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		if from, err = tx.SessionSource(ctx, i.SessionID); err != nil || from.IdentityID == nil {
			return err
		}
		who, err = tx.IdentityGet(ctx, i.Actor.TenantID.UUID(), *from.IdentityID)
		return err
	})
	if err != nil && !db.IsNoRows(err) {
		return "", fmt.Errorf("read session: %w", err)
	}
	if err := s.SignOut(ctx, i); err != nil || from.IdentityID == nil {
		return "", err
	}
	tenant, c, err := s.opened(ctx, i.TenantSlug)
	if err != nil || c.Provider.Issuer != who.Issuer {
		return "", nil // the connection is gone or another: here, the session has ended
	}
	question, err := c.LogOutAt(who.Subject, who.Format, from.SessionIndex)
	if errors.Is(err, saml.ErrNoLogout) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	row, err := Begin{Browser: browser}.request(tenant.TenantID, kindLogOut, question.ID)
	if err != nil {
		return "", err
	}
	row.ExpiresAt = time.Now().Add(logOutFor)
	return question.URL, s.keepRequest(ctx, row)
}

// LogOut answers what a provider says by way of the browser: to its wish that
// sessions end, with an address to go on to; to its answer to ours, with none.
//
// Errors: auth.no_sso, auth.throttled, those of package saml.
func (s *Service) LogOut(ctx context.Context, slug string, r *http.Request, browser string, client Client) (leaveTo string, err error) {
	limits := []limit{{key: throttleKey("sso address", client.Address), free: ssoAttempts, longest: 60}}
	if err := s.take(ctx, limits); err != nil {
		return "", err
	}
	tenant, c, err := s.opened(ctx, slug)
	if err != nil {
		return "", err
	}
	if c.Provider.Issuer == "" {
		return "", ErrNoSSO
	}
	query := r.URL.Query()
	if query.Get("SAMLResponse") != "" {
		return "", s.loggedOut(ctx, tenant.TenantID, c, r, browser, client)
	}
	asked, err := c.ReadLogOut(r, s.consume(ctx, tenant.TenantID))
	if err != nil {
		return "", s.refuse(ctx, tenant.TenantID, kindLogOut, err, client)
	}
	err = s.deps.DB.InIdentityTx(ctx, tenant.TenantID, func(ctx context.Context, tx *db.Tx) error {
		known, err := tx.IdentityFind(ctx, db.IdentityFindParams{TenantID: tenant.TenantID, ConnectionID: c.row.ConnectionID, Issuer: asked.Issuer, Subject: asked.Subject})
		if db.IsNoRows(err) {
			return nil // nobody here: there is nothing to end
		}
		if err != nil {
			return fmt.Errorf("find identity: %w", err)
		}
		indexes := asked.Sessions
		if indexes == nil {
			indexes = []string{}
		}
		ended, err := tx.SessionRevokeByIdentity(ctx, tenant.TenantID, &known.IdentityID, indexes)
		if err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return audit.Record(ctx, tx, personActor(ids.Tenant(tenant.TenantID), ids.User(known.UserID)), audit.Entry{Action: "auth.logged_out_by_provider",
			Target: "user", ID: known.UserID.String(), Detail: map[string]any{"count": ended}})
	})
	if err != nil {
		return "", err
	}
	return c.AnswerLogOut(asked.ID, query.Get("RelayState"))
}

// loggedOut takes a provider's answer to our request; the session here has
// ended before.
func (s *Service) loggedOut(ctx context.Context, tenantID uuid.UUID, c samlRow, r *http.Request, browser string, client Client) error {
	waiting, err := saml.PeekLogOut(r)
	if err == nil {
		var known bool
		if _, known, err = s.takeRequest(ctx, tenantID, kindLogOut, waiting, browser); err != nil {
			return err
		}
		if !known {
			waiting = ""
		}
		err = c.ReadLogOutAnswer(r, waiting)
	}
	if err != nil {
		return s.refuse(ctx, tenantID, kindLogOut, err, client)
	}
	return nil
}

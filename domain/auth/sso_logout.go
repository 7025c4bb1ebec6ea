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

// BeginLogOut ends the session of the identity and answers what the browser
// carries to the provider, which ends its own: nothing where there is none to tell.
func (s *Service) BeginLogOut(ctx context.Context, i Identity, browser string) (saml.Message, error) {
	if i.Method != kindSAML {
		return saml.Message{}, s.SignOut(ctx, i)
	}
	var from db.SessionSourceRow
	var who db.IdentityGetRow
	err := s.change(ctx, i, func(ctx context.Context, tx *db.Tx) (err error) {
		if from, err = tx.SessionSource(ctx, i.SessionID); err != nil || from.IdentityID == nil {
			return err
		}
		who, err = tx.IdentityGet(ctx, i.Actor.TenantID.UUID(), *from.IdentityID)
		return err
	})
	if err != nil && !db.IsNoRows(err) {
		return saml.Message{}, fmt.Errorf("read session: %w", err)
	}
	if err := s.SignOut(ctx, i); err != nil || from.IdentityID == nil {
		return saml.Message{}, err
	}
	return s.LeaveProvider(ctx, Members(i.TenantSlug), who.Issuer, who.Subject, who.Format, from.SessionIndex, browser)
}

// LeaveProvider answers what the browser carries to a provider, which ends its
// session of somebody whose session here has ended: nothing where there is none to
// tell.
func (s *Service) LeaveProvider(ctx context.Context, r Realm, issuer, subject, format, index, browser string) (saml.Message, error) {
	c, err := s.opened(ctx, r)
	if err != nil || c.Provider.Issuer != issuer {
		return saml.Message{}, nil // the connection is gone or another: here, the session has ended
	}
	question, err := c.LogOutAt(subject, format, index)
	if errors.Is(err, saml.ErrNoLogout) {
		return saml.Message{}, nil
	}
	if err != nil {
		return saml.Message{}, err
	}
	row, err := Begin{Browser: browser}.request(c.realm, kindLogOut, question.ID)
	if err != nil {
		return saml.Message{}, err
	}
	row.ExpiresAt = time.Now().Add(logOutFor)
	return question, s.keepRequest(ctx, row)
}

// Leaver is whose sessions a provider wants to end: all, or those of its names.
type Leaver struct {
	Connection      uuid.UUID
	Issuer, Subject string
	Sessions        []string
}

// LogOut answers what a provider says by way of the browser, in an address or,
// parsed, in a form: to its wish that sessions end, with what the browser carries
// back; to its answer to ours, with nothing.
//
// Errors: auth.no_sso, auth.throttled, those of package saml.
func (s *Service) LogOut(ctx context.Context, r Realm, request *http.Request, browser string, client Client) (saml.Message, error) {
	return s.logOut(ctx, r, request, browser, client, s.endSessions)
}

// VisitorLogOut is LogOut for a portal, whose visitors' sessions end ends.
//
// Errors: as LogOut, those of end.
func (s *Service) VisitorLogOut(ctx context.Context, r Realm, request *http.Request, browser string, client Client,
	end func(context.Context, Leaver) error) (saml.Message, error) {
	return s.logOut(ctx, r, request, browser, client, func(ctx context.Context, _ uuid.UUID, l Leaver) error { return end(ctx, l) })
}

func (s *Service) logOut(ctx context.Context, r Realm, request *http.Request, browser string, client Client,
	end func(context.Context, uuid.UUID, Leaver) error) (saml.Message, error) {
	limits := []limit{{key: throttleKey("sso address", client.Address), free: ssoAttempts, longest: 60}}
	if err := s.take(ctx, limits); err != nil {
		return saml.Message{}, err
	}
	c, err := s.opened(ctx, r)
	if err != nil {
		return saml.Message{}, err
	}
	if c.Provider.Issuer == "" {
		return saml.Message{}, ErrNoSSO
	}
	if saml.IsLogOutAnswer(request) {
		return saml.Message{}, s.loggedOut(ctx, c, request, browser, client)
	}
	asked, err := c.ReadLogOut(request, s.consume(ctx, c.realm.tenant))
	if err != nil {
		return saml.Message{}, s.refuse(ctx, c.realm, kindLogOut, err, client, about{})
	}
	leaver := Leaver{Connection: c.row.ConnectionID, Issuer: asked.Issuer, Subject: asked.Subject, Sessions: asked.Sessions}
	if leaver.Sessions == nil {
		leaver.Sessions = []string{}
	}
	if err := end(ctx, c.realm.tenant, leaver); err != nil {
		return saml.Message{}, err
	}
	return c.AnswerLogOut(asked)
}

// endSessions ends those of a member.
func (s *Service) endSessions(ctx context.Context, tenantID uuid.UUID, l Leaver) error {
	return s.deps.DB.InIdentityTx(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		known, err := tx.IdentityFind(ctx, db.IdentityFindParams{TenantID: tenantID, ConnectionID: l.Connection, Issuer: l.Issuer, Subject: l.Subject})
		if db.IsNoRows(err) {
			return nil // nobody here: there is nothing to end
		}
		if err != nil {
			return fmt.Errorf("find identity: %w", err)
		}
		ended, err := tx.SessionRevokeByIdentity(ctx, tenantID, &known.IdentityID, l.Sessions)
		if err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return audit.Record(ctx, tx, personActor(ids.Tenant(tenantID), ids.User(known.UserID)), audit.Entry{Action: "auth.logged_out_by_provider",
			Target: "user", ID: known.UserID.String(), Detail: map[string]any{"count": ended}})
	})
}

// loggedOut takes a provider's answer to our request; the session here has
// ended before.
func (s *Service) loggedOut(ctx context.Context, c samlRow, r *http.Request, browser string, client Client) error {
	waiting, err := saml.PeekLogOut(r)
	if err == nil {
		var known bool
		if _, known, err = s.takeRequest(ctx, c.realm, kindLogOut, waiting, browser); err != nil {
			return err
		}
		if !known {
			waiting = ""
		}
		err = c.ReadLogOutAnswer(r, waiting)
	}
	if err != nil {
		return s.refuse(ctx, c.realm, kindLogOut, err, client, about{})
	}
	return nil
}

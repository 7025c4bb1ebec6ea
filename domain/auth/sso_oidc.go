package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth/oidc"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// Providers are remembered for a while: their addresses and keys seldom change,
// and a key that is new is asked for by itself.
const (
	knownProviders = 500
	providerFor    = time.Hour
)

// OIDCSettings are what an owner sets up for OpenID Connect.
type OIDCSettings struct {
	Issuer     string  `json:"issuer"`
	ClientID   string  `json:"client_id"`
	Secret     string  `json:"-"` // empty: the one that is stored
	Scopes     string  `json:"scopes"`
	JustInTime bool    `json:"just_in_time"`
	Mapping    Mapping `json:"mapping"`
}

// OIDCConnection is a workspace's OpenID Connect as an admin sees it.
type OIDCConnection struct {
	Set       bool
	Enabled   bool
	Settings  OIDCSettings
	HasSecret bool
	Redirect  string // ours, for the provider
	LastTest  *Test
}

// oidcRow is a stored connection, opened.
type oidcRow struct {
	realm    Realm
	row      db.ConnectionGetRow
	settings OIDCSettings
}

func (s *Service) oidcRedirect(r Realm) string { return s.address(r, kindOIDC) + "/callback" }

func (s *Service) shownOIDC(ctx context.Context, tx *db.Tx, r Realm) (OIDCConnection, error) {
	shown := OIDCConnection{Redirect: s.oidcRedirect(r), Settings: OIDCSettings{Mapping: Mapping{Email: "email", Name: "name", Groups: "groups", DefaultRole: access.Viewer}}}
	row, err := r.connection(ctx, tx, kindOIDC)
	if db.IsNoRows(err) {
		return shown, nil
	}
	if err != nil {
		return shown, fmt.Errorf("read connection: %w", err)
	}
	shown.Set, shown.Enabled, shown.HasSecret, shown.LastTest = true, row.Enabled, len(row.Secret) > 0, readTest(row.LastTest)
	if err := json.Unmarshal(row.Settings, &shown.Settings); err != nil {
		return shown, fmt.Errorf("read connection's settings: %w", err)
	}
	return shown, nil
}

// SaveOIDC takes what an owner has set up, once the provider has answered.
//
// Errors: access.forbidden, auth.enforce; auth.connection with fields issuer,
// client_id, default_role, roles, teams, people.
func (s *Service) SaveOIDC(ctx context.Context, i Identity, r Realm, enabled bool, n OIDCSettings) error {
	r, err := r.managed(i)
	if err != nil {
		return err
	}
	fields := map[string]string{}
	n.Mapping = n.Mapping.check(i.Actor, fields)
	n.Issuer, n.ClientID, n.Scopes = strings.TrimSpace(n.Issuer), strings.TrimSpace(n.ClientID), strings.Join(strings.Fields(n.Scopes), " ")
	if n.ClientID == "" || len(n.ClientID) > 300 {
		fields["client_id"] = "Enter the client id that the provider gave you."
	}
	if _, err := s.deps.Outbound.CheckURL(n.Issuer); err != nil {
		fields["issuer"] = apperr.Describe(err).Sentence
	} else if _, err := oidc.Discover(ctx, s.deps.Outbound.Following(), n.Issuer); err != nil {
		fields["issuer"] = apperr.Describe(err).Sentence
	}
	if len(fields) > 0 {
		return ErrConnection.WithFields(fields)
	}
	box, err := s.deps.Tenants.Box(ctx, i.Actor.TenantID)
	if err != nil {
		return err
	}
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		row, err := r.connection(ctx, tx, kindOIDC)
		var was map[string]any
		if db.IsNoRows(err) {
			row.ConnectionID, row.Secret = ids.New[uuid.UUID](), []byte{}
		} else if err != nil {
			return fmt.Errorf("read connection: %w", err)
		} else {
			var before OIDCSettings
			if err := json.Unmarshal(row.Settings, &before); err != nil {
				return fmt.Errorf("read connection's settings: %w", err)
			}
			was = facts(row.Enabled, before.Issuer, row.Settings)
		}
		if n.Secret != "" {
			if row.Secret, err = box.Encrypt(secretPurpose, []byte(n.Secret)); err != nil {
				return err
			}
		}
		if err := n.Mapping.hold(ctx, tx); err != nil {
			return err
		}
		settings, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("write connection's settings: %w", err)
		}
		if err := r.put(ctx, tx, db.ConnectionPutParams{TenantID: r.tenant, ConnectionID: row.ConnectionID, Kind: kindOIDC, Enabled: enabled,
			Settings: settings, Secret: row.Secret, Unchanged: n.Secret == "" && sameJSON(row.Settings, settings)}); err != nil {
			return err
		}
		return r.recordAs(ctx, tx, i.Actor, audit.Entry{Action: "sso.changed", Target: "connection", ID: row.ConnectionID.String(),
			Detail: map[string]any{"kind": kindOIDC}, Before: was, After: facts(enabled, n.Issuer, settings)})
	})
}

// openedOIDC reads a realm's connection and asks its provider.
//
// Errors: auth.no_sso, oidc.provider.
func (s *Service) openedOIDC(ctx context.Context, r Realm) (c oidcRow, client oidc.Client, provider *oidc.Provider, err error) {
	if r, err = s.find(ctx, r); err != nil {
		return c, client, nil, err
	}
	c.realm = r
	err = s.deps.DB.InTenantTx(ctx, r.tenant, func(ctx context.Context, tx *db.Tx) error {
		c.row, err = r.connection(ctx, tx, kindOIDC)
		return err
	})
	if db.IsNoRows(err) {
		return c, client, nil, ErrNoSSO.Wrap(err)
	}
	if err != nil {
		return c, client, nil, fmt.Errorf("read connection: %w", err)
	}
	if err := json.Unmarshal(c.row.Settings, &c.settings); err != nil {
		return c, client, nil, fmt.Errorf("read connection's settings: %w", err)
	}
	client = oidc.Client{ID: c.settings.ClientID, Redirect: s.oidcRedirect(r), Scopes: strings.Fields(c.settings.Scopes)}
	if len(c.row.Secret) > 0 {
		box, err := s.deps.Tenants.Box(ctx, ids.Tenant(r.tenant))
		if err != nil {
			return c, client, nil, err
		}
		secret, err := box.Decrypt(secretPurpose, c.row.Secret)
		if err != nil {
			return c, client, nil, err
		}
		client.Secret = string(secret)
	}
	if known, ok := s.providers.Get(c.settings.Issuer); ok {
		return c, client, known, nil
	}
	// Its keys are read with the client of this call for as long as it is known.
	if provider, err = oidc.Discover(context.WithoutCancel(ctx), s.deps.Outbound.Following(), c.settings.Issuer); err != nil {
		return c, client, nil, err
	}
	s.providers.Add(c.settings.Issuer, provider)
	return c, client, provider, nil
}

// BeginOIDC answers where the browser asks the provider of a realm.
//
// Errors: auth.throttled, auth.no_sso, auth.link_used, oidc.provider;
// access.forbidden for a test.
func (s *Service) BeginOIDC(ctx context.Context, r Realm, b Begin) (address string, err error) {
	if err := s.beginning(ctx, r, kindOIDC, &b); err != nil {
		return "", err
	}
	c, client, provider, err := s.openedOIDC(ctx, r)
	if err != nil {
		return "", err
	}
	if !c.row.Enabled && !b.isTest() {
		return "", ErrNoSSO
	}
	q := oidc.NewQuestion()
	row, err := b.request(c.realm, kindOIDC, q.State)
	if err != nil {
		return "", err
	}
	row.Nonce, row.Verifier = q.Nonce, q.Verifier
	return provider.SignIn(client, q), s.keepRequest(ctx, row)
}

// OIDCAnswer is what the browser brings from the provider. Refused is the code
// of an error, where it let nobody in.
type OIDCAnswer struct{ State, Code, Refused string }

// FinishOIDC takes the code that the browser brings from the provider.
//
// Errors: auth.no_sso, auth.throttled, saml.request for an answer to nothing
// that this browser has asked, those of package oidc, those of enter.
func (s *Service) FinishOIDC(ctx context.Context, r Realm, a OIDCAnswer, browser string, from Client) (Entered, error) {
	return s.finishOIDC(ctx, r, a, browser, from, s.entrance(from))
}

func (s *Service) finishOIDC(ctx context.Context, r Realm, a OIDCAnswer, browser string, from Client, in Entrance) (Entered, error) {
	limits := []limit{{key: throttleKey("sso address", from.Address), free: ssoAttempts, longest: 60}}
	if err := s.take(ctx, limits); err != nil {
		return Entered{}, err
	}
	began := time.Now()
	c, client, provider, err := s.openedOIDC(ctx, r)
	if err != nil {
		return Entered{}, err
	}
	r = c.realm
	request, known, err := s.takeRequest(ctx, r, kindOIDC, a.State, browser)
	if err != nil {
		return Entered{}, err
	}
	if !known {
		return Entered{}, s.refuse(ctx, r, kindOIDC, saml.ErrRequest, from, about{})
	}
	test := request.TestUserID != nil
	if !c.row.Enabled && !test {
		return Entered{}, ErrNoSSO
	}
	var answer oidc.Answer
	if a.Refused != "" {
		err = oidc.ErrRefused.With("The identity provider did not let you in (%s).", cut(a.Refused, 60))
	} else {
		answer, err = provider.Finish(ctx, s.deps.Outbound.Following(), client, oidc.Question{State: a.State, Nonce: request.Nonce, Verifier: request.Verifier}, cut(a.Code, 4096))
	}
	p := Proven{tenant: r.tenant, Kind: kindOIDC, Connection: c.row.ConnectionID, Issuer: answer.Issuer, Subject: answer.Subject, Attributes: answer.Claims,
		Email: answer.Email, Mapping: c.settings.Mapping, JustInTime: c.settings.JustInTime}
	if test {
		return Entered{Test: true, Next: request.Next}, s.finishOIDCTest(ctx, r, in, p, err, *request.TestUserID, began)
	}
	if err != nil {
		return Entered{}, s.refuse(ctx, r, kindOIDC, err, from, about{p.Subject, p.Email, false})
	}
	opened, err := in.Enter(ctx, p, request)
	if err != nil {
		return Entered{}, s.refuse(ctx, r, kindOIDC, err, from, about{p.Subject, p.Email, true})
	}
	return Entered{Opened: opened, Next: request.Next}, s.forgive(ctx, append(limits, beginLimit(from)))
}

// finishOIDCTest keeps what a test has shown. The checks are those that the
// answer went through, in order; it stops at the first that fails.
func (s *Service) finishOIDCTest(ctx context.Context, r Realm, in Entrance, p Proven, fault error, tester uuid.UUID, began time.Time) error {
	test := Test{At: time.Now(), Passed: fault == nil, Subject: p.Subject, Email: p.Email}
	for _, step := range []struct {
		name, text string
		fails      []error
	}{
		{"received", "The provider has let you in, and its code was taken", []error{oidc.ErrRefused, oidc.ErrProvider}},
		{"signature", "Token is signed by the provider, for this application, and in time", []error{oidc.ErrToken}},
		{"nonce", "Answers the request of this browser", []error{oidc.ErrNonce}},
	} {
		failed := false
		for _, kind := range step.fails {
			failed = failed || errors.Is(fault, kind)
		}
		if failed {
			public := apperr.Describe(fault)
			test.Checks = append(test.Checks, saml.Check{Name: step.name, State: saml.Failed, Text: "It stops here", Detail: public.Sentence, Code: public.Code})
			break
		}
		test.Checks = append(test.Checks, saml.Check{Name: step.name, State: saml.Passed, Text: step.text})
	}
	if fault == nil {
		diagnosePerson(ctx, in, p, &test)
	} else if apperr.Describe(fault).Class == apperr.Internal {
		return fault
	}
	return s.keepTest(ctx, r, kindOIDC, tester, test)
}

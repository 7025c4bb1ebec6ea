// Package oidc asks OpenID Connect providers who somebody is, by the code flow
// with PKCE. It keeps nothing and signs nobody in; package auth does.
package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong.
var (
	ErrProvider = apperr.Define(apperr.Unavailable, "oidc.provider",
		"The identity provider did not answer as one. Check its address.")
	ErrRefused = apperr.Define(apperr.Forbidden, "oidc.refused",
		"The identity provider did not let you in.")
	ErrToken = apperr.Define(apperr.Forbidden, "oidc.token",
		"What the identity provider says of you is not signed by it, not meant for this workspace, or has run out.")
	ErrNonce = apperr.Define(apperr.Forbidden, "oidc.nonce",
		"This answer belongs to another sign-in. Sign in again.")
)

// algorithms are those with a public key of the provider: neither none, nor
// one that our own secret could be used to sign with.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// Provider is one whose addresses are known, and whose keys are read as needed.
type Provider struct{ provider *oidc.Provider }

// Discover reads what a provider says of itself. The client goes on being used
// for its keys.
//
// Errors: oidc.provider.
func Discover(ctx context.Context, client *http.Client, issuer string) (*Provider, error) {
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, client), issuer)
	if err != nil {
		return nil, ErrProvider.Wrap(err)
	}
	return &Provider{p}, nil
}

// Client is our side of what a workspace and its provider have agreed on.
type Client struct {
	ID, Secret string
	Redirect   string
	Scopes     []string // besides openid, profile and email
}

// Question is what has to be kept until the answer is there.
type Question struct{ State, Nonce, Verifier string }

// NewQuestion draws one.
func NewQuestion() Question {
	return Question{oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()}
}

func (p *Provider) config(c Client) *oauth2.Config {
	return &oauth2.Config{ClientID: c.ID, ClientSecret: c.Secret, Endpoint: p.provider.Endpoint(), RedirectURL: c.Redirect,
		Scopes: append([]string{oidc.ScopeOpenID, "profile", "email"}, c.Scopes...)}
}

// SignIn is where the browser goes with a question.
func (p *Provider) SignIn(c Client, q Question) string {
	return p.config(c).AuthCodeURL(q.State, oidc.Nonce(q.Nonce), oauth2.S256ChallengeOption(q.Verifier))
}

// Answer is what a provider says of a person, after all of it was checked.
type Answer struct {
	Issuer, Subject string
	// Email is there only where the provider says that it is verified.
	Email  string
	Claims map[string][]string
}

// Finish exchanges the code for what the provider says of the person.
//
// Errors: oidc.provider, oidc.refused, oidc.token, oidc.nonce.
func (p *Provider) Finish(ctx context.Context, client *http.Client, c Client, q Question, code string) (Answer, error) {
	ctx = oidc.ClientContext(ctx, client)
	token, err := p.config(c).Exchange(ctx, code, oauth2.VerifierOption(q.Verifier))
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) {
			return Answer{}, ErrRefused.With("The identity provider did not take the code (%s).", orUnknown(refused.ErrorCode)).Wrap(err)
		}
		return Answer{}, ErrProvider.Wrap(err)
	}
	raw, _ := token.Extra("id_token").(string)
	verifier := p.provider.Verifier(&oidc.Config{ClientID: c.ID, SupportedSigningAlgs: algorithms})
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return Answer{}, ErrToken.Wrap(err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(q.Nonce)) != 1 || q.Nonce == "" {
		return Answer{}, ErrNonce
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return Answer{}, ErrToken.Wrap(err)
	}
	// Many providers put little into the token and the rest behind an address;
	// that is of the same person or of nobody.
	if info, err := p.provider.UserInfo(ctx, oauth2.StaticTokenSource(token)); err == nil && info.Subject == id.Subject {
		var more map[string]any
		if info.Claims(&more) == nil {
			for name, value := range more {
				if _, there := claims[name]; !there {
					claims[name] = value
				}
			}
		}
	}
	if id.Subject == "" || len(id.Subject) > 1024 {
		return Answer{}, ErrToken.Wrap(errors.New("no subject"))
	}
	a := Answer{Issuer: id.Issuer, Subject: id.Subject, Claims: flatten(claims)}
	if verified, _ := claims["email_verified"].(bool); verified {
		a.Email, _ = claims["email"].(string)
	}
	return a, nil
}

func orUnknown(code string) string {
	if code == "" || len(code) > 60 || strings.ContainsAny(code, "\r\n<>") {
		return "no reason given"
	}
	return code
}

// flatten makes texts of claims; what is no text, number, truth value or list
// of those is left out.
func flatten(claims map[string]any) map[string][]string {
	flat := map[string][]string{}
	for name, value := range claims {
		list, ok := value.([]any)
		if !ok {
			list = []any{value}
		}
		for _, one := range list {
			switch one.(type) {
			case string, bool, float64:
				flat[name] = append(flat[name], fmt.Sprint(one))
			}
		}
	}
	return flat
}

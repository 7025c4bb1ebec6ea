package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/crewjam/saml"
)

const (
	ssoEmail    = "owner@example.com"
	ssoPassword = "correct horse battery"
	ssoRounds   = 200
)

// ssoProvider answers requests in this process: what it takes is not counted.
type ssoProvider struct {
	saml.IdentityProvider
	sp *saml.EntityDescriptor
}

// GetServiceProvider answers the only one that there is.
func (p *ssoProvider) GetServiceProvider(*http.Request, string) (*saml.EntityDescriptor, error) {
	return p.sp, nil
}

func newProvider() (*ssoProvider, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	p := &ssoProvider{}
	p.IdentityProvider = saml.IdentityProvider{Key: key, Certificate: certificate, ServiceProviderProvider: p,
		MetadataURL: url.URL{Scheme: "https", Host: "idp.invalid", Path: "/metadata"}, SSOURL: url.URL{Scheme: "https", Host: "idp.invalid", Path: "/sso"}}
	return p, nil
}

// answer is what the provider has a browser post back.
func (p *ssoProvider) answer(location string) (url.Values, error) {
	r, err := http.NewRequest(http.MethodGet, location, nil)
	if err != nil {
		return nil, err
	}
	request, err := saml.NewIdpAuthnRequest(&p.IdentityProvider, r)
	if err != nil {
		return nil, err
	}
	if err := request.Validate(); err != nil {
		return nil, err
	}
	session := &saml.Session{ID: "1", Index: "1", NameID: "42", NameIDFormat: string(saml.PersistentNameIDFormat), UserEmail: ssoEmail, CreateTime: time.Now(), ExpireTime: time.Now().Add(time.Hour)}
	if err := (saml.DefaultAssertionMaker{}).MakeAssertion(request, session); err != nil {
		return nil, err
	}
	form, err := request.PostBinding()
	if err != nil {
		return nil, err
	}
	return url.Values{"SAMLResponse": {form.SAMLResponse}}, nil
}

// benchSSO measures our side of a sign-in by SAML over HTTP: the signed
// request, and the answer until the session is open.
func benchSSO(ctx context.Context, o *options, out *report) error {
	s, err := startServer(ctx, o, filepath.Join(o.work, "sso"))
	if err != nil {
		return err
	}
	defer s.stop()
	create := exec.CommandContext(ctx, o.binary, "user", "create", ssoEmail, "--role", "owner", "--password-stdin")
	create.Env, create.Stdin = append(os.Environ(), s.env...), strings.NewReader(ssoPassword+"\n")
	if text, err := create.CombinedOutput(); err != nil {
		return fmt.Errorf("create user: %w: %s", err, text)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, path string, form url.Values) (status int, location, body string, err error) {
		r, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(form.Encode()))
		if err != nil {
			return 0, "", "", err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := client.Do(r)
		if err != nil {
			return 0, "", "", err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return answer.StatusCode, answer.Header.Get("Location"), string(text), err
	}
	p, err := newProvider()
	if err != nil {
		return err
	}
	metadata, err := xml.Marshal(p.Metadata())
	if err != nil {
		return err
	}
	for _, step := range []struct {
		path string
		form url.Values
	}{
		{"/signin", url.Values{"email": {ssoEmail}, "password": {ssoPassword}}},
		{"/settings/sign-in/saml", url.Values{"source": {"xml"}, "xml": {string(metadata)}, "enabled": {"on"}, "skew": {"60"}, "default_role": {"viewer"}, "map_email": {"mail"}}},
		{"/signout", nil},
	} {
		if status, _, body, err := ask(http.MethodPost, step.path, step.form); err != nil || status != http.StatusSeeOther {
			return fmt.Errorf("%s answers %d: %w %.300s", step.path, status, err, body)
		}
	}
	_, _, body, err := ask(http.MethodGet, "/saml/default/metadata", nil)
	if err != nil {
		return err
	}
	p.sp = &saml.EntityDescriptor{}
	if err := xml.Unmarshal([]byte(body), p.sp); err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	round := func() (asked, answered time.Duration, leads string, err error) {
		start := time.Now()
		status, location, _, err := ask(http.MethodGet, "/saml/default/start?next=/account", nil)
		asked = time.Since(start)
		if err != nil || status != http.StatusSeeOther {
			return 0, 0, "", fmt.Errorf("start answers %d: %w", status, err)
		}
		form, err := p.answer(location)
		if err != nil {
			return 0, 0, "", err
		}
		start = time.Now()
		status, location, body, err := ask(http.MethodPost, "/saml/default/acs", form)
		answered = time.Since(start)
		if err != nil || status != http.StatusSeeOther {
			return 0, 0, "", fmt.Errorf("acs answers %d: %w %.300s", status, err, body)
		}
		return asked, answered, location, nil
	}
	// The first time, the account has to be proved.
	if _, _, leads, err := round(); err != nil || !strings.HasPrefix(leads, "/signin/link") {
		return fmt.Errorf("the first sign-in leads to %q: %w", leads, err)
	}
	if status, _, body, err := ask(http.MethodPost, "/signin/link", url.Values{"password": {ssoPassword}}); err != nil || status != http.StatusSeeOther {
		return fmt.Errorf("prove account: %d: %w %.300s", status, err, body)
	}
	var asks, answers, whole []time.Duration
	for range ssoRounds {
		asked, answered, leads, err := round()
		if err != nil || leads != "/account" {
			return fmt.Errorf("sign-in leads to %q: %w", leads, err)
		}
		asks, answers, whole = append(asks, asked), append(answers, answered), append(whole, asked+answered)
	}
	middle := func(list []time.Duration, at float64) float64 {
		slices.Sort(list)
		return milliseconds(list[int(float64(len(list)-1)*at)])
	}
	out.atMost("SSO: sign-in by SAML, our side (request and answer), p50", middle(whole, 0.5), "ms", 15)
	out.add("SSO: the same, p95", middle(whole, 0.95), "ms")
	out.add("SSO: signed request, p50", middle(asks, 0.5), "ms")
	out.add("SSO: answer until the session is open, p50", middle(answers, 0.5), "ms")
	return nil
}

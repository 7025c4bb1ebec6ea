package auth_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/auth/oidc/oidctest"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/platform/outbound"
)

// openID is a workspace whose people sign in by OpenID Connect.
func openID(t *testing.T, issuer, clientID, secret string, change ...func(*auth.OIDCSettings)) (*fixture, auth.Identity, string) {
	t.Helper()
	f := setup(t)
	f.Service = auth.NewService(auth.Deps{DB: f.db, Tenants: f.tenants, Mailer: f.mail, BaseURL: func() string { return "https://bi.example" },
		Hashing: auth.Hashing{MemoryKiB: 64, Passes: 1, Lanes: 1}, Outbound: outbound.New(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}})})
	f.user(t, f.one, "owner@one.example", access.Owner)
	_, owner := f.signIn(t, "owner@one.example", password)
	f.verified(t, f.one, "one.example")
	f.verified(t, f.one, "zitadel.ch")
	n := auth.OIDCSettings{Issuer: issuer, ClientID: clientID, Secret: secret, JustInTime: true, Mapping: auth.Mapping{Email: "email", Name: "name", Groups: "groups",
		Roles: []auth.RoleRule{{Group: "bi-editors", Role: access.Editor}}}}
	for _, c := range change {
		c(&n)
	}
	if err := f.SaveOIDC(t.Context(), owner, auth.Members(owner.TenantSlug), true, n); err != nil {
		t.Fatal(err)
	}
	return f, owner, auth.NewBrowser()
}

// TestOIDCAgainstARealProvider walks the code flow with PKCE through the
// provider of zitadel/oidc, over HTTP, as a browser does.
func TestOIDCAgainstARealProvider(t *testing.T) {
	t.Parallel()
	const callback = "https://bi.example/oidc/one/callback"
	server := oidctest.NewServer(t, "bi", "a secret of ours", callback)
	f, owner, browser := openID(t, server.URL, "bi", "a secret of ours")

	walk := func(test *auth.Identity) (state, code string) {
		address, err := f.BeginOIDC(t.Context(), auth.Members("one"), auth.Begin{Browser: browser, Next: "/dashboards", Test: test})
		if err != nil {
			t.Fatal(err)
		}
		return oidctest.Walk(t, server, address, callback)
	}
	state, code := walk(nil)
	if _, err := f.FinishOIDC(t.Context(), auth.Members("one"), auth.OIDCAnswer{State: state, Code: code}, auth.NewBrowser(), client); !errors.Is(err, saml.ErrRequest) {
		t.Errorf("in another browser: got %v", err)
	}
	entered, err := f.FinishOIDC(t.Context(), auth.Members("one"), auth.OIDCAnswer{State: state, Code: code}, browser, client)
	if err != nil || entered.Next != "/dashboards" {
		t.Fatalf("got %+v, %v", entered, err)
	}
	i := f.identify(t, entered.Token)
	if i.Method != "oidc" || i.Email != "test-user@zitadel.ch" || i.Actor.Role != access.Viewer {
		t.Errorf("got %+v", i)
	}
	if _, err := f.FinishOIDC(t.Context(), auth.Members("one"), auth.OIDCAnswer{State: state, Code: code}, browser, client); !errors.Is(err, saml.ErrRequest) {
		t.Errorf("a second time: got %v", err)
	}
	state, code = walk(&owner)
	if entered, err := f.FinishOIDC(t.Context(), auth.Members("one"), auth.OIDCAnswer{State: state, Code: code}, browser, client); err != nil || !entered.Test || entered.Token != "" {
		t.Fatalf("a test: got %+v, %v", entered, err)
	}
	found, err := f.GetSSO(t.Context(), owner.Actor)
	if err != nil || found.OIDC.LastTest == nil || !found.OIDC.LastTest.Passed || states(*found.OIDC.LastTest)["account"] != saml.Passed {
		t.Errorf("the test: got %+v, %v", found.OIDC.LastTest, err)
	}
}

// forger is a provider that says and signs what a test wants.
type forger struct {
	*httptest.Server
	key   *rsa.PrivateKey
	mu    sync.Mutex
	token func(nonce string) string
	nonce string
}

func forge(t *testing.T) *forger {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{key: key}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"jwks_uri":%q,"id_token_signing_alg_values_supported":["RS256","HS256","none"]}`, f.URL, f.URL+"/auth", f.URL+"/token", f.URL+"/keys")
		case "/keys":
			fmt.Fprintf(w, `{"keys":[{"kty":"RSA","alg":"RS256","use":"sig","kid":"k","n":%q,"e":"AQAB"}]}`, base64.RawURLEncoding.EncodeToString(f.key.N.Bytes()))
		case "/token":
			f.mu.Lock()
			defer f.mu.Unlock()
			fmt.Fprintf(w, `{"access_token":"x","token_type":"Bearer","id_token":%q}`, f.token(f.nonce))
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func encoded(v any) string {
	text, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(text)
}

func (f *forger) sign(header, claims map[string]any, with func([]byte) []byte) string {
	text := encoded(header) + "." + encoded(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(with([]byte(text)))
}

func (f *forger) rs256(text []byte) []byte {
	sum := sha256.Sum256(text)
	signature, _ := rsa.SignPKCS1v15(rand.Reader, f.key, crypto.SHA256, sum[:])
	return signature
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	p := forge(t)
	const secret = "the secret that the client shares with the provider"
	f, _, browser := openID(t, p.URL, "bi", secret)
	claims := func(nonce string) map[string]any {
		return map[string]any{"iss": p.URL, "aud": "bi", "sub": "42", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "nonce": nonce,
			"email": "mara@one.example", "email_verified": true, "groups": []string{"bi-editors"}}
	}
	with := func(change func(map[string]any)) func(string) string {
		return func(nonce string) string {
			c := claims(nonce)
			change(c)
			return p.sign(map[string]any{"alg": "RS256", "kid": "k"}, c, p.rs256)
		}
	}
	hs256 := func(key []byte) func([]byte) []byte {
		return func(text []byte) []byte {
			mac := hmac.New(sha256.New, key)
			mac.Write(text)
			return mac.Sum(nil)
		}
	}
	stranger := forge(t)
	for name, tc := range map[string]struct {
		token func(nonce string) string
		want  string
	}{
		"good": {with(func(map[string]any) {}), ""},
		"alg none": {func(n string) string {
			return p.sign(map[string]any{"alg": "none"}, claims(n), func([]byte) []byte { return nil })
		}, "oidc.token"},
		"key confusion: our secret": {func(n string) string {
			return p.sign(map[string]any{"alg": "HS256"}, claims(n), hs256([]byte(secret)))
		}, "oidc.token"},
		"key confusion: the public key": {func(n string) string {
			return p.sign(map[string]any{"alg": "HS256", "kid": "k"}, claims(n), hs256(p.key.N.Bytes()))
		}, "oidc.token"},
		"another key": {func(n string) string {
			return p.sign(map[string]any{"alg": "RS256", "kid": "k"}, claims(n), stranger.rs256)
		}, "oidc.token"},
		"other issuer":                 {with(func(c map[string]any) { c["iss"] = "https://evil.example" }), "oidc.token"},
		"other audience":               {with(func(c map[string]any) { c["aud"] = "another" }), "oidc.token"},
		"expired":                      {with(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }), "oidc.token"},
		"other nonce":                  {with(func(c map[string]any) { c["nonce"] = "x" }), "oidc.nonce"},
		"no nonce":                     {with(func(c map[string]any) { delete(c, "nonce") }), "oidc.nonce"},
		"nothing":                      {func(string) string { return "" }, "oidc.token"},
		"address that is not verified": {with(func(c map[string]any) { c["email_verified"], c["sub"] = false, "43" }), "auth.no_account"},
	} {
		t.Run(name, func(t *testing.T) {
			address, err := f.BeginOIDC(t.Context(), auth.Members("one"), auth.Begin{Browser: browser, Next: "/"})
			if err != nil {
				t.Fatal(err)
			}
			u, _ := url.Parse(address)
			p.mu.Lock()
			p.token, p.nonce = tc.token, u.Query().Get("nonce")
			p.mu.Unlock()
			entered, err := f.FinishOIDC(t.Context(), auth.Members("one"), auth.OIDCAnswer{State: u.Query().Get("state"), Code: "code"}, browser, client)
			if code(err) != tc.want {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			if tc.want == "" {
				if i := f.identify(t, entered.Token); i.Actor.Role != access.Editor {
					t.Errorf("got %+v", i)
				}
			} else if newest := f.audited(t, f.one)[0]; newest != "auth.sso_refused "+tc.want {
				t.Errorf("the newest entry is %q", newest)
			}
		})
	}
}

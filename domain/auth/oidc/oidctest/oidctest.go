// Package oidctest runs the OpenID provider of zitadel/oidc, which shares no code
// with ours, and walks through it as a browser does.
package oidctest

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

// Email is the address of the one person whom the provider knows.
const Email = "test-user@zitadel.ch"

// NewServer starts a provider that knows one program: id, its secret and where it
// is answered.
func NewServer(t testing.TB, id, secret, callback string) *httptest.Server {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	storage.RegisterClients(storage.WebClient(id, secret, callback))
	handler = exampleop.SetupServer(server.URL, storage.NewStorage(storage.NewUserStore(server.URL)), slog.New(slog.NewTextHandler(io.Discard, nil)), false)
	return server
}

var formID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// Walk signs the one person in at address, and answers what the browser brings to
// callback.
func Walk(t testing.TB, server *httptest.Server, address, callback string) (state, code string) {
	t.Helper()
	for _, part := range []string{"code_challenge=", "code_challenge_method=S256", "nonce=", "response_type=code"} {
		if !strings.Contains(address, part) {
			t.Errorf("%q is not in %s", part, address)
		}
	}
	jar, _ := cookiejar.New(nil)
	var back *url.URL
	client := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) {
			back = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(page.Body)
	_ = page.Body.Close()
	id := formID.FindSubmatch(body)
	if id == nil {
		t.Fatalf("no form for the password in %s", body)
	}
	answer, err := client.PostForm(server.URL+"/login/username", url.Values{"id": {string(id[1])},
		"username": {"test-user@" + strings.Split(strings.TrimPrefix(server.URL, "http://"), ":")[0]}, "password": {"verysecure"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if back == nil {
		t.Fatal("the provider did not lead back")
	}
	return back.Query().Get("state"), back.Query().Get("code")
}

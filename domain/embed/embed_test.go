package embed

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
)

func TestParseOrigin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://app.example.com":         "https://app.example.com",
		" https://App.Example.com/ ":      "https://app.example.com",
		"https://app.example.com:443":     "https://app.example.com",
		"https://app.example.com:8443":    "https://app.example.com:8443",
		"http://localhost:4000":           "http://localhost:4000",
		"http://127.0.0.1":                "http://127.0.0.1",
		"http://[::1]:80/":                "http://[::1]",
		"http://app.localhost":            "http://app.localhost",
		"http://app.example.com":          "",
		"https://app.example.com/path":    "",
		"https://app.example.com?q":       "",
		"https://app.example.com#f":       "",
		"https://user@app.example.com":    "",
		"https://*.example.com":           "",
		"https://a.example;script-src":    "",
		"https://a.example 'unsafe-eval'": "",
		"app.example.com":                 "",
		"javascript:alert(1)":             "",
		"https://":                        "",
		"null":                            "",
		"*":                               "",
	} {
		got, ok := ParseOrigin(text)
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %t, want %q", text, got, ok, want)
		}
	}
}

func TestSecretsNameTheirOwnerAndProveIt(t *testing.T) {
	t.Parallel()
	tenant, id := uuid.New(), uuid.New()
	text, hash := newSecret(KeyPrefix, tenant, id)
	parsed, ok := parseSecret(KeyPrefix, text)
	if !ok || parsed.tenant != tenant || parsed.id != id || !parsed.proves(hash) {
		t.Fatalf("got %+v, %t", parsed, ok)
	}
	again, _ := newSecret(KeyPrefix, tenant, id)
	other, ok := parseSecret(KeyPrefix, again)
	if !ok || other.proves(hash) || bytes.Contains([]byte(text), hash) {
		t.Error("another secret proves the same")
	}
	for _, wrong := range []string{"", KeyPrefix, text[:len(text)-1], text + "A", text + "=", text[len(KeyPrefix):], "x" + text} {
		if _, ok := parseSecret(KeyPrefix, wrong); ok {
			t.Errorf("%q is taken for a key", wrong)
		}
	}
}

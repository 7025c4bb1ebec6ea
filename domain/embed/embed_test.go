package embed

import (
	"testing"
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

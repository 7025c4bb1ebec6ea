package hosts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/hosts"
)

func TestNormalise(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63) + "."
	for host, want := range map[string]string{
		"bi.example.com":                 "bi.example.com",
		"  BI.Example.COM. ":             "bi.example.com",
		"example.com":                    "example.com",
		"Bücher.example":                 "xn--bcher-kva.example",
		"xn--bcher-kva.example":          "xn--bcher-kva.example",
		"straße.example":                 "xn--strae-oqa.example",
		"ｂｉ．example．com":                 "bi.example.com",
		"bi。example。com":                 "bi.example.com",
		"portal.localhost":               "portal.localhost",
		"1.example.com":                  "1.example.com",
		"bi.customer.co.uk":              "bi.customer.co.uk",
		"customer.github.io":             "customer.github.io",
		long + long + long + "a.example": long + long + long + "a.example",
	} {
		got, err := hosts.Normalise(host)
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", host, got, err, want)
		}
		if again, err := hosts.Normalise(got); err != nil || again != got {
			t.Errorf("%q is not kept: %q, %v", got, again, err)
		}
	}
}

func TestWhatIsNoHost(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63) + "."
	for host, says := range map[string]string{
		"":                            "Enter a host name",
		" ":                           "Enter a host name",
		".":                           "between its dots",
		"https://bi.example.com":      "without https://",
		"bi.example.com/path":         "without a path",
		"ada@example.com":             "host name alone",
		"bi.example.com:443":          "without a port",
		"192.0.2.1":                   "IP address",
		"[2001:db8::1]":               "IP address",
		"2001:db8::1":                 "IP address",
		"127.1":                       "IP address",
		"0x7f.1":                      "IP address",
		"１２７.0.0.1":                   "IP address",
		"example.0x7f":                "IP address",
		"*.example.com":               "*",
		"localhost":                   "whole host name, such as localhost.example.com",
		"portal":                      "whole host name",
		"com":                         "whole host name",
		"co.uk":                       "belongs to everybody",
		"github.io":                   "belongs to everybody",
		"print.invalid":               ".invalid",
		"1.0.0.127.in-addr.arpa":      ".arpa",
		"a..example.com":              "between its dots",
		".example.com":                "between its dots",
		"bi_1.example.com":            "letters, digits and hyphens",
		"-bi.example.com":             "letters, digits and hyphens",
		"bi example.com":              "letters, digits and hyphens",
		"bi\x00.example.com":          "letters, digits and hyphens",
		"xn--zz--zz.example.com":      "letters, digits and hyphens",
		label + label + label + label: "at most",
		"a" + label + "example.com":   "at most 63",
		strings.Repeat("é", 5000):     "at most",
	} {
		got, err := hosts.Normalise(host)
		if !errors.Is(err, hosts.ErrInvalid) || !strings.Contains(apperr.Describe(err).Sentence, says) {
			t.Errorf("%.40q: got %q, %v, want an error with %q", host, got, err, says)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"bi.example.com", "Bücher.example.", "0x7f.1", "a.co.uk", "xn--a.b", "ß.ß", "a。b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		got, err := hosts.Normalise(host)
		if err != nil {
			if !errors.Is(err, hosts.ErrInvalid) {
				t.Fatalf("%q: %v", host, err)
			}
			return
		}
		if again, err := hosts.Normalise(got); err != nil || again != got {
			t.Fatalf("%q became %q, which became %q, %v", host, got, again, err)
		}
		if strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
			t.Fatalf("%q became %q", host, got)
		}
	})
}

func TestDisplay(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"BI.Example.com": "bi.example.com", "ПРИМЕР.example": "пример.example (xn--e1afmkfd.example)", "xn--e1afmkfd.example": "пример.example (xn--e1afmkfd.example)",
	} {
		name, err := hosts.Normalise(typed)
		if got := hosts.Display(name); err != nil || got != want {
			t.Errorf("%s: %q, %v", typed, got, err)
		}
	}
}

package config

import (
	"fmt"
	"log/slog"
	"net/url"
)

const redacted = "[redacted]"

// Secret is a text that is never printed, logged or marshalled. Reveal is the
// only way to its value.
type Secret string

// Reveal gives the value itself.
func (s Secret) Reveal() string { return string(s) }

// IsZero tells whether the secret is unset.
func (s Secret) IsZero() bool { return s == "" }

// String hides the value; an unset secret shows as empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// Format hides the value from every verb, %x and %q included.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'q' || (verb == 'v' && f.Flag('#')) {
		_, _ = fmt.Fprint(f, s.GoString())
		return
	}
	_, _ = fmt.Fprint(f, s.String())
}

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the value from JSON and other encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// URL is an address that may carry a password. It prints without the password
// and without the query, where drivers accept secrets too.
type URL string

// Reveal gives the address with its password.
func (u URL) Reveal() string { return string(u) }

// IsZero tells whether the address is unset.
func (u URL) IsZero() bool { return u == "" }

// String is the address without password and query.
func (u URL) String() string {
	if u == "" {
		return ""
	}
	parsed, err := url.Parse(string(u))
	if err != nil || parsed.Scheme == "" {
		return redacted // "host=… password=…" and the like
	}
	parsed.RawQuery, parsed.ForceQuery, parsed.Fragment = "", false, ""
	if parsed.User != nil {
		parsed.User = url.User(parsed.User.Username())
	}
	return parsed.String()
}

// GoString hides the password from %#v.
func (u URL) GoString() string { return fmt.Sprintf("%q", u.String()) }

// Format hides the password from every verb.
func (u URL) Format(f fmt.State, verb rune) {
	if verb == 'q' || (verb == 'v' && f.Flag('#')) {
		_, _ = fmt.Fprint(f, u.GoString())
		return
	}
	_, _ = fmt.Fprint(f, u.String())
}

// LogValue hides the password from slog.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText hides the password from JSON and other encoders.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

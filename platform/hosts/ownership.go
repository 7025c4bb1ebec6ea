package hosts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

var (
	// ErrUnproven means that DNS doesn't have what Challenge asks for. The
	// sentence says what it has instead, and is for whoever set up the host.
	ErrUnproven = apperr.Define(apperr.Invalid, "hosts.unproven", "The TXT record that proves that this host name is yours was not found.")
	// ErrNoAnswer means that DNS didn't answer, so nothing is known. Safe to
	// retry.
	ErrNoAnswer = apperr.Define(apperr.Unavailable, "hosts.no_answer", "The name servers of this host name do not answer.")
)

const (
	// challengeLabel stands in a zone that everybody can read: it names no product.
	challengeLabel = "_bi-verify"
	// verifyTimeout bounds a look-up with all its retries.
	verifyTimeout = 10 * time.Second
	// Grace is for how long a verified host may fail before it is lost: long
	// enough to repair a zone over a holiday, shorter than a registrar takes to
	// sell an expired name on.
	Grace = 7 * 24 * time.Hour
)

// Record is an entry of DNS, as people type it into the form of their provider.
type Record struct {
	Name  string // _bi-verify.bi.example.com
	Type  string // TXT
	Value string
}

// Challenge is the record that proves that a tenant may use a host. Host is
// normalised. The value follows from its arguments, so it need not be kept;
// without the secret, it can be neither guessed nor made for another tenant or
// host. The secret is the installation's and has 32 bytes.
func Challenge(secret []byte, tenantID uuid.UUID, host string) Record {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte("host challenge v1\x00")) // never fails
	_, _ = mac.Write(tenantID[:])
	_, _ = mac.Write([]byte(host))
	value := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:20])
	return Record{Name: challengeLabel + "." + host, Type: "TXT", Value: "bi-verify=" + strings.ToLower(value)}
}

// Resolver looks up TXT records; a *net.Resolver does. It follows aliases
// (CNAME), tells with a *net.DNSError whether a name doesn't exist, and puts
// the pieces of a long record together.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// NewResolver asks the server given as host or host:port, which must be a
// recursive one; that of the machine where it is empty.
func NewResolver(server string) *net.Resolver {
	if server == "" {
		return &net.Resolver{PreferGo: true}
	}
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(strings.Trim(server, "[]"), "53")
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}}
}

// Verify looks for a challenge's value in DNS. Other TXT records beside it do
// no harm. It takes at most ten seconds.
//
// Errors: hosts.unproven, hosts.no_answer.
func Verify(ctx context.Context, resolver Resolver, host, value string) error {
	limited, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	name := challengeLabel + "." + host
	found, err := resolver.LookupTXT(limited, name+".") // with its dot: the machine's search list is not for it
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	var failure *net.DNSError
	switch {
	case errors.As(err, &failure) && failure.IsNotFound, err == nil && len(found) == 0:
		return ErrUnproven.With("There is no TXT record %s yet. A new record can take up to an hour until it is seen everywhere.", name).Wrap(err)
	case errors.As(err, &failure) && failure.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		return ErrNoAnswer.With("The name servers of %s did not answer in time. Try again in a few minutes.", host).Wrap(err)
	case err != nil:
		return ErrNoAnswer.With("The name servers of %s report a failure. Try again in a few minutes; if it stays, their operator has to repair the zone.", host).Wrap(err)
	}
	is := func(text string) bool { return strings.Trim(text, ` "`) == value } // some forms keep quotes as typed
	if slices.ContainsFunc(found, is) {
		return nil
	}
	if len(found) == 1 {
		return ErrUnproven.With("The TXT record %s has another value. It must be exactly: %s", name, value)
	}
	return ErrUnproven.With("There are %d TXT records %s, and none has the right value. One of them must be exactly: %s", len(found), name, value)
}

// Health is what a verified host's last check found. The caller keeps it
// beside the host; its zero value is that of a host just verified.
type Health struct {
	// FailingSince is the first of the checks that have failed in a row, and
	// zero for a host in order.
	FailingSince time.Time
	// Reason says what is wrong: hosts.unproven or hosts.no_answer. Nil where
	// nothing is.
	Reason error
}

// Lost tells whether the host has failed for so long that it is given up.
func (h Health) Lost(now time.Time) bool {
	return !h.FailingSince.IsZero() && now.Sub(h.FailingSince) >= Grace
}

// Check verifies a host again and answers its new health. Name servers that
// don't answer prove neither the one nor the other, but a name without any is
// lost in the end as well. An error means that the check was cancelled and
// nothing is to be kept.
func Check(ctx context.Context, resolver Resolver, host, value string, before Health, now time.Time) (Health, error) {
	err := Verify(ctx, resolver, host, value)
	switch {
	case err == nil:
		return Health{}, nil
	case ctx.Err() != nil:
		return before, ctx.Err()
	case before.FailingSince.IsZero():
		return Health{FailingSince: now, Reason: err}, nil
	}
	return Health{FailingSince: before.FailingSince, Reason: err}, nil
}

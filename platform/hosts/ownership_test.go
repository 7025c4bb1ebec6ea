package hosts_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/hosts"
	"github.com/dataflowhq/dataflow/platform/hosts/hoststest"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

func TestChallengesDiffer(t *testing.T) {
	t.Parallel()
	one, two := uuid.New(), uuid.New()
	first := hosts.Challenge(secret, one, "bi.example.test")
	if first.Name != "_bi-verify.bi.example.test" || first.Type != "TXT" || !strings.HasPrefix(first.Value, "bi-verify=") {
		t.Errorf("got %+v", first)
	}
	if strings.Contains(strings.ToLower(fmt.Sprint(first)), "dataflow") {
		t.Errorf("a zone shows the product's name: %+v", first)
	}
	if hosts.Challenge(secret, one, "bi.example.test") != first {
		t.Error("the same challenge has another value")
	}
	for name, other := range map[string]hosts.Record{
		"tenant": hosts.Challenge(secret, two, "bi.example.test"),
		"host":   hosts.Challenge(secret, one, "b.example.test"),
		"secret": hosts.Challenge([]byte(strings.Repeat("x", 32)), one, "bi.example.test"),
	} {
		if other.Value == first.Value {
			t.Errorf("another %s has the same value", name)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	server := hoststest.StartDNS(t)
	resolver := hosts.NewResolver(server.Address)
	tenant := uuid.New()
	value := func(host string) string { return hosts.Challenge(secret, tenant, host).Value }
	long := strings.Repeat("v=spf1 include:example.test ", 8)
	server.Add(t,
		`_bi-verify.right.test. 60 IN TXT "`+value("right.test")+`"`,
		`_bi-verify.quoted.test. 60 IN TXT "\"`+value("quoted.test")+`\""`,
		`_bi-verify.pieces.test. 60 IN TXT "`+value("pieces.test")[:12]+`" "`+value("pieces.test")[12:]+`"`,
		`_bi-verify.aliased.test. 60 IN CNAME proof.elsewhere.test.`,
		`proof.elsewhere.test. 60 IN CNAME deeper.elsewhere.test.`,
		`deeper.elsewhere.test. 60 IN TXT "`+value("aliased.test")+`"`,
		`_bi-verify.dangling.test. 60 IN CNAME gone.example.`,
		`_bi-verify.wrong.test. 60 IN TXT "bi-verify=guess"`,
		`_bi-verify.foreign.test. 60 IN TXT "`+hosts.Challenge(secret, uuid.New(), "foreign.test").Value+`"`,
		`_bi-verify.other.test. 60 IN A 127.0.0.1`,
		`wildcard.test. 60 IN TXT "`+value("wildcard.test")+`"`,
	)
	for i := range 12 { // more than a packet holds
		server.Add(t, fmt.Sprintf(`_bi-verify.many.test. 60 IN TXT "%d %s"`, i, long), fmt.Sprintf(`_bi-verify.crowd.test. 60 IN TXT "%d"`, i))
	}
	server.Add(t, `_bi-verify.many.test. 60 IN TXT "`+value("many.test")+`"`)
	server.Fail("_bi-verify.broken.test", dns.RcodeServerFailure)
	server.Fail("_bi-verify.refused.test", dns.RcodeRefused)

	for host, tc := range map[string]struct {
		kind *apperr.Kind
		says string
	}{
		"right.test":    {},
		"quoted.test":   {},
		"pieces.test":   {},
		"aliased.test":  {},
		"many.test":     {},
		"missing.test":  {hosts.ErrUnproven, "There is no TXT record _bi-verify.missing.test yet"},
		"other.test":    {hosts.ErrUnproven, "There is no TXT record"},
		"dangling.test": {hosts.ErrUnproven, "There is no TXT record"},
		"wildcard.test": {hosts.ErrUnproven, "There is no TXT record"},
		"wrong.test":    {hosts.ErrUnproven, "another value. It must be exactly: " + value("wrong.test")},
		"foreign.test":  {hosts.ErrUnproven, "another value"},
		"crowd.test":    {hosts.ErrUnproven, "12 TXT records"},
		"broken.test":   {hosts.ErrNoAnswer, "report a failure"},
		"refused.test":  {hosts.ErrNoAnswer, "report a failure"},
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			err := hosts.Verify(t.Context(), resolver, host, value(host))
			if tc.kind == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, tc.kind) || !strings.Contains(apperr.Describe(err).Sentence, tc.says) {
				t.Fatalf("got %v, want %s with %q", err, tc.kind.Code(), tc.says)
			}
		})
	}
}

// slow is a name server that never answers in time.
type slow struct{}

func (slow) LookupTXT(ctx context.Context, _ string) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestVerifyIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := hosts.Verify(ctx, slow{}, "bi.example.test", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestVerifyEndsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		err := hosts.Verify(t.Context(), slow{}, "bi.example.test", "x")
		if !errors.Is(err, hosts.ErrNoAnswer) || !strings.Contains(apperr.Describe(err).Sentence, "in time") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAHostThatFailsForLongIsLost(t *testing.T) {
	t.Parallel()
	server := hoststest.StartDNS(t)
	resolver := hosts.NewResolver(server.Address)
	const host, name = "bi.sold.test", "_bi-verify.bi.sold.test"
	challenge := hosts.Challenge(secret, uuid.New(), host)
	now := time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	var health hosts.Health
	check := func(later time.Duration) hosts.Health {
		t.Helper()
		now = now.Add(later)
		next, err := hosts.Check(t.Context(), resolver, host, challenge.Value, health, now)
		if err != nil {
			t.Fatal(err)
		}
		health = next
		return next
	}
	record := name + `. 1 IN TXT "` + challenge.Value + `"`
	server.Add(t, record)
	if h := check(0); h != (hosts.Health{}) {
		t.Fatalf("in order: %+v", h)
	}
	server.Remove(name)
	began := now.Add(24 * time.Hour)
	if h := check(24 * time.Hour); !h.FailingSince.Equal(began) || h.Lost(now) || !errors.Is(h.Reason, hosts.ErrUnproven) {
		t.Fatalf("first failure: %+v", h)
	}
	server.Add(t, record)
	if h := check(24 * time.Hour); h != (hosts.Health{}) {
		t.Fatalf("repaired: %+v", h)
	}
	server.Fail(name, dns.RcodeServerFailure)
	began = now.Add(24 * time.Hour)
	for day := range 7 {
		if h := check(24 * time.Hour); !h.FailingSince.Equal(began) || h.Lost(now) || !errors.Is(h.Reason, hosts.ErrNoAnswer) {
			t.Fatalf("day %d: %+v", day, h)
		}
	}
	if h := check(24 * time.Hour); !h.Lost(now) {
		t.Fatalf("after the grace: %+v", h)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if h, err := hosts.Check(ctx, resolver, host, challenge.Value, health, now); err == nil || h != health {
		t.Errorf("cancelled: %+v, %v", h, err)
	}
}

package auth_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
)

// zone is a name server that answers with the texts it has.
type zone struct {
	mu    sync.Mutex
	texts map[string]string
}

func (z *zone) put(name, text string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.texts[name+"."] = text
}

func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	answer := new(dns.Msg)
	answer.SetReply(q)
	text, there := z.texts[q.Question[0].Name]
	if there && q.Question[0].Qtype == dns.TypeTXT {
		answer.Answer = append(answer.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{text}})
	} else if !there {
		answer.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(answer)
}

// serveZone starts the name server and answers a resolver that asks it.
func serveZone(t *testing.T) (*zone, *net.Resolver) {
	t.Helper()
	listening, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z := &zone{texts: map[string]string{}}
	ready := make(chan struct{})
	server := &dns.Server{PacketConn: listening, Handler: z, NotifyStartedFunc: func() { close(ready) }}
	go func() { _ = server.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = server.Shutdown() })
	return z, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, listening.LocalAddr().String())
	}}
}

func TestADomainIsProvedByItsNameServer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	z, resolver := serveZone(t)
	f.Service = auth.NewService(auth.Deps{DB: f.db, Tenants: f.tenants, Mailer: f.mail, BaseURL: func() string { return "https://bi.example" },
		Hashing: auth.Hashing{MemoryKiB: 64, Passes: 1, Lanes: 1}, Resolver: resolver})
	f.user(t, f.one, "owner@one.example", access.Owner)
	f.user(t, f.two, "owner@two.example", access.Owner)
	_, one := f.signIn(t, "owner@one.example", password)
	_, two := f.signIn(t, "owner@two.example", password)
	for _, text := range []string{"", "localhost", "a b.example", "http://one.example", "-x.example", "*.example"} {
		if err := f.AddDomain(t.Context(), one, text); code(err) != "auth.invalid" {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if err := errors.Join(f.AddDomain(t.Context(), one, " One.Example. "), f.AddDomain(t.Context(), two, "one.example")); err != nil {
		t.Fatal(err)
	}
	record := func(i auth.Identity) auth.Domain {
		found, err := f.GetSSO(t.Context(), i.Actor)
		if err != nil || len(found.Domains) != 1 || found.Domains[0].Name != "one.example" {
			t.Fatalf("got %+v, %v", found.Domains, err)
		}
		return found.Domains[0]
	}
	if record(one).Value == record(two).Value {
		t.Error("two workspaces have the same proof")
	}
	if err := f.VerifyDomain(t.Context(), one, "one.example"); !errors.Is(err, auth.ErrDomainUnproved) {
		t.Errorf("without a record: got %v", err)
	}
	z.put(record(two).Record, record(two).Value)
	if err := f.VerifyDomain(t.Context(), one, "one.example"); !errors.Is(err, auth.ErrDomainUnproved) || !record(one).VerifiedAt.IsZero() {
		t.Errorf("with another's record: got %v", err)
	}
	if err := f.SetSignUp(t.Context(), one, "one.example", access.Viewer); !errors.Is(err, auth.ErrDomainNotFound) {
		t.Errorf("sign-up before it is verified: got %v", err)
	}
	z.put(record(one).Record, record(one).Value)
	if err := f.VerifyDomain(t.Context(), one, "one.example"); err != nil || record(one).VerifiedAt.IsZero() {
		t.Fatalf("got %v", err)
	}
	z.put(record(two).Record, record(two).Value)
	if err := f.VerifyDomain(t.Context(), two, "one.example"); !errors.Is(err, auth.ErrDomainTaken) {
		t.Errorf("a second workspace: got %v", err)
	}

	// Who has an address there can join, by mail, where the workspace wants it.
	letters := func(email string) int {
		before := len(f.mail.letters)
		if err := f.RequestSignUp(t.Context(), email, client); err != nil {
			t.Fatal(err)
		}
		return len(f.mail.letters) - before
	}
	if n := letters("new@one.example"); n != 0 {
		t.Errorf("while it is off: %d letters", n)
	}
	if err := f.SetSignUp(t.Context(), one, "one.example", access.Admin); code(err) != "auth.invalid" {
		t.Errorf("as admins: got %v", err)
	}
	if err := f.SetSignUp(t.Context(), one, "one.example", access.Viewer); err != nil {
		t.Fatal(err)
	}
	for email, want := range map[string]int{"new@one.example": 1, "owner@one.example": 0, "x@two.example": 0, "x@sub.one.example": 0} {
		if n := letters(email); n != want {
			t.Errorf("%s: %d letters, want %d", email, n, want)
		}
	}
}

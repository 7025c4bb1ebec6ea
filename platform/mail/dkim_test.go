package mail_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	mdns "github.com/miekg/dns"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/hosts"
	"github.com/dataflowhq/dataflow/platform/hosts/hoststest"
	"github.com/dataflowhq/dataflow/platform/mail"
	"github.com/dataflowhq/dataflow/platform/mail/mailtest"
)

// txt is a record with a long value in pieces, as providers store it.
func txt(name, value string) string {
	var pieces []string
	for len(value) > 255 {
		pieces, value = append(pieces, value[:255]), value[255:]
	}
	return name + `. 1 IN TXT "` + strings.Join(append(pieces, value), `" "`) + `"`
}

// A message with everything in it is signed so that another library's verifier,
// which asks a name server, takes it; and no longer once it was changed on its way.
func TestMailIsSigned(t *testing.T) {
	t.Parallel()
	dns := hoststest.StartDNS(t)
	made, err := mail.NewKey("acme.test", "df1")
	if err != nil {
		t.Fatal(err)
	}
	text, err := made.PEM()
	if err != nil {
		t.Fatal(err)
	}
	key, err := mail.ParseKey("acme.test", "df1", text)
	if err != nil {
		t.Fatal(err)
	}
	record, err := key.Record()
	if err != nil {
		t.Fatal(err)
	}
	dns.Add(t, txt("df1._domainkey.acme.test", record))
	resolver := hosts.NewResolver(dns.Address)
	if err := mail.CheckRecord(t.Context(), resolver, "df1", "acme.test", record); err != nil {
		t.Fatal(err)
	}

	server := mailtest.Start(t, mailtest.Options{})
	cfg := config(server)
	cfg.From, cfg.Key = "Größe <bi@acme.test>", key
	m := message()
	m.ReturnPath, m.FromName = "bounces+x@acme.test", "Ashby & Väle"
	m.Unsubscribe = "https://bi.example.com/reports/unsubscribe/a/b?signature=" + strings.Repeat("s", 80)
	m.Subject = strings.Repeat("Lange Überschrift 📈 ", 15)
	m.Text = strings.Repeat("Zeile mit Umlaut ä und Punkt\n.\n", 300)
	m.Files = []mail.File{{Name: "Größe.csv", MediaType: "text/csv", Body: []byte("a,b\n1,2\n")}}
	m.Pictures = []mail.File{{Name: "dashboard.png", MediaType: "image/png", Body: []byte(strings.Repeat("\x89PNG\r\n", 5000))}}
	if err := sender(t, cfg).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := server.Next(t)
	if got.From != "bounces+x@acme.test" {
		t.Errorf("it comes back to %s", got.From)
	}
	verify := func(data string) []*dkim.Verification {
		list, err := dkim.VerifyWithOptions(strings.NewReader(data), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) { return resolver.LookupTXT(t.Context(), name) }})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	list := verify(got.Data)
	if len(list) != 1 || list[0].Err != nil || list[0].Domain != "acme.test" {
		for _, v := range list {
			t.Errorf("%+v", v)
		}
		t.FailNow()
	}
	for _, header := range []string{"from", "to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post"} {
		found := false
		for _, signed := range list[0].HeaderKeys {
			found = found || strings.EqualFold(signed, header)
		}
		if !found {
			t.Errorf("%s is not signed: %v", header, list[0].HeaderKeys)
		}
	}
	for name, changed := range map[string]string{
		"text":             strings.Replace(got.Data, "Zeile mit", "Seile mit", 1),
		"recipient":        strings.Replace(got.Data, "ada@example.com", "eve@example.com", 1),
		"a second subject": "Subject: Win a prize\r\n" + got.Data,
	} {
		if list := verify(changed); len(list) != 1 || list[0].Err == nil {
			t.Errorf("changed %s: still good", name)
		}
	}
	// Its record is gone: nobody can check it.
	dns.Remove("df1._domainkey.acme.test")
	if list := verify(got.Data); len(list) != 1 || list[0].Err == nil {
		t.Error("good without a record")
	}
}

func TestRecordsOfKeys(t *testing.T) {
	t.Parallel()
	dns := hoststest.StartDNS(t)
	resolver := hosts.NewResolver(dns.Address)
	const record = "v=DKIM1; k=rsa; p=MIIBIjANBg"
	dns.Add(t, txt("good._domainkey.a.test", "v=DKIM1;k=rsa;p=MIIBIjANBg"), txt("cut._domainkey.a.test", "v=DKIM1; k=rsa; p=MIIBIj"),
		txt("two._domainkey.a.test", record), txt("two._domainkey.a.test", "v=spf1 -all"))
	dns.Fail("broken._domainkey.a.test", mdns.RcodeServerFailure)
	for selector, want := range map[string]string{"good": "", "cut": "mail.key_unproven", "two": "mail.key_unproven", "none": "mail.key_unproven", "broken": "mail.no_answer"} {
		err := mail.CheckRecord(t.Context(), resolver, selector, "a.test", record)
		if got := ""; err != nil {
			got = apperr.Describe(err).Code
			if got != want {
				t.Errorf("%s: %v", selector, err)
			}
		} else if want != "" {
			t.Errorf("%s: found", selector)
		}
	}
}

// A server that a customer has chosen is reached as the operator allows.
func TestDialIsAskedForConnections(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		server mailtest.Options
		tls    string
	}{"STARTTLS": {mailtest.Options{}, mail.StartTLS}, "TLS": {mailtest.Options{ImplicitTLS: true}, mail.TLS}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Start(t, tc.server)
			cfg := config(server)
			cfg.TLS = tc.tls
			asked := ""
			cfg.Dial = dial(&asked)
			if err := sender(t, cfg).Send(t.Context(), message()); err != nil {
				t.Fatal(err)
			}
			if got := server.Next(t); !got.TLS || asked != net.JoinHostPort(server.Host, portOf(server)) {
				t.Errorf("asked for %s, got %+v", asked, got)
			}
		})
	}
}

func dial(asked *string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		*asked = address
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
}

func portOf(s *mailtest.Server) string { return strconv.Itoa(s.Port) }

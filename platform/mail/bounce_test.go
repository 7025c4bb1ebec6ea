package mail_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/mail"
	"github.com/dataflowhq/dataflow/platform/mail/mailtest"
)

var (
	secret  = []byte("0123456789abcdef0123456789abcdef")
	tenant  = uuid.MustParse("01930000-0000-7000-8000-0000000000aa")
	sent    = uuid.MustParse("01930000-0000-7000-8000-0000000000bb")
	another = uuid.MustParse("01930000-0000-7000-8000-0000000000cc")
)

func parse(t *testing.T, to, action, status, said string) (mail.Returned, error) {
	t.Helper()
	return mail.ParseReturned(strings.NewReader(mailtest.Bounce(to, "ada@example.org", action, status, said)))
}

func TestReturnPathIsKnownAgain(t *testing.T) {
	t.Parallel()
	to := mail.ReturnPath("bounces@example.com", secret, tenant, sent)
	if err := mail.CheckAddress(to); err != nil || strings.IndexByte(to, '@') > 64 || !strings.HasPrefix(to, "bounces+") {
		t.Fatalf("%s: %v", to, err)
	}
	for name, written := range map[string]string{"as it is": to, "in capitals": strings.ToUpper(to), "with a name": "Bounces <" + to + ">"} {
		back, err := parse(t, written, "failed", "5.1.1", "550 5.1.1 no such user")
		if err != nil || back.Token.Message != sent || !back.Token.Of(secret, tenant) {
			t.Errorf("%s: %+v, %v", name, back, err)
		}
	}
}

// Who was not given a message can't say that it came back.
func TestReturnPathsCantBeForged(t *testing.T) {
	t.Parallel()
	to := mail.ReturnPath("bounces@example.com", secret, tenant, sent)
	for name, tc := range map[string]struct {
		to     string
		secret []byte
		tenant uuid.UUID
	}{
		"of another workspace":    {to, secret, another},
		"under another secret":    {to, []byte("another secret of thirty-two byt"), tenant},
		"of another message":      {mail.ReturnPath("bounces@example.com", []byte("a guess"), tenant, another), secret, tenant},
		"with a letter exchanged": {strings.Replace(to, to[len("bounces+"):][:1], map[bool]string{true: "b", false: "a"}[to[len("bounces+")] == 'a'], 1), secret, tenant},
	} {
		back, err := parse(t, tc.to, "failed", "5.1.1", "550 no such user")
		if err == nil && back.Token.Of(tc.secret, tc.tenant) {
			t.Errorf("%s: taken for ours", name)
		}
	}
}

func TestWhatComesBackIsRead(t *testing.T) {
	t.Parallel()
	to := mail.ReturnPath("bounces@example.com", secret, tenant, sent)
	for name, tc := range map[string]struct {
		action, status, said string
		lasting              bool
		says                 string
	}{
		"no such mailbox":   {"failed", "5.1.1", "550 5.1.1 <ada@example.org>: Recipient address\r\n    rejected", true, "There is no such mailbox. The mail server said: 550 5.1.1 <ada@example.org>: Recipient address rejected"},
		"no such domain":    {"failed", "5.1.2", "host not found", true, "no mail server for this domain"},
		"switched off":      {"failed", "5.2.1", "550 disabled", true, "switched off"},
		"full":              {"Failed", "5.2.2", "552 over quota", false, "The mailbox is full."},
		"too large":         {"failed", "5.3.4", "552 too big", false, "too large"},
		"spam filter":       {"failed", "5.7.1", "554 rejected", false, "spam filter"},
		"gave up":           {"failed", "4.4.7", "expired", false, "could not be reached for days"},
		"a code of its own": {"failed", "5.9.9", "599 no", false, "The mail came back. The mail server said: 599 no"},
		"no code":           {"failed", "broken", "550 no", false, "The mail came back. The mail server said: 550 no"},
	} {
		back, err := parse(t, to, tc.action, tc.status, tc.said)
		if err != nil || back.Lasting() != tc.lasting || !strings.Contains(back.Sentence(), tc.says) {
			t.Errorf("%s: %+v, %q, %v", name, back, back.Sentence(), err)
		}
	}
}

func TestWhatIsNoBounceIsPassedOver(t *testing.T) {
	t.Parallel()
	to := mail.ReturnPath("bounces@example.com", secret, tenant, sent)
	for name, text := range map[string]string{
		"a delay":          mailtest.Bounce(to, "ada@example.org", "delayed", "4.4.1", "451 later"),
		"a receipt":        mailtest.Bounce(to, "ada@example.org", "delivered", "2.0.0", "250 ok"),
		"to another":       mailtest.Bounce("bounces@example.com", "ada@example.org", "failed", "5.1.1", "550 no"),
		"to a long mark":   mailtest.Bounce("bounces+"+strings.Repeat("a", 60)+"@example.com", "ada@example.org", "failed", "5.1.1", "550 no"),
		"away":             "From: ada@example.org\r\nTo: " + to + "\r\nSubject: I am away\r\nContent-Type: text/plain\r\n\r\nUntil Monday.\r\n",
		"a mail of nobody": "\r\n\r\n",
		"nothing":          "",
		"no end":           "To: " + to + "\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\n",
	} {
		if back, err := mail.ParseReturned(strings.NewReader(text)); !errors.Is(err, mail.ErrNotReturned) {
			t.Errorf("%s: %+v, %v", name, back, err)
		}
	}
}

func FuzzParseReturned(f *testing.F) {
	f.Add(mailtest.Bounce(mail.ReturnPath("bounces@example.com", secret, tenant, sent), "ada@example.org", "failed", "5.1.1", "550 no"))
	f.Fuzz(func(t *testing.T, text string) {
		back, err := mail.ParseReturned(strings.NewReader(text))
		if err == nil && strings.ContainsAny(back.Sentence(), "\r\n\x00") {
			t.Errorf("%q", back.Sentence())
		}
	})
}

func TestReturnAddresses(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{"bounces@example.com": true, "a+b@example.com": false, strings.Repeat("b", 21) + "@example.com": false, "bounces": false, "": false} {
		if err := mail.CheckReturnAddress(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestMailboxIsReadOnce(t *testing.T) {
	t.Parallel()
	for name, implicit := range map[string]bool{"TLS": true, "STARTTLS": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.StartIMAP(t, implicit)
			box := mail.Mailbox{Host: server.Host, Port: server.Port, TLS: mail.StartTLS, Username: server.Username, Password: server.Password, RootCAs: server.RootCAs}
			if implicit {
				box.TLS = mail.TLS
			}
			for _, subject := range []string{"one", "two", "three"} {
				server.Deliver(t, "INBOX", "Subject: "+subject+"\r\n\r\nText\r\n")
			}
			var got []string
			broken := errors.New("the database is away")
			take := func(raw []byte) error {
				if len(got) == 1 && strings.Contains(string(raw), "two") && broken != nil {
					return broken
				}
				got = append(got, string(raw))
				return nil
			}
			if n, err := box.Read(t.Context(), take); !errors.Is(err, broken) || n != 1 {
				t.Fatalf("took %d, %v", n, err)
			}
			broken = nil // what was not taken is there the next time
			if n, err := box.Read(t.Context(), take); err != nil || n != 2 || len(got) != 3 || got[1] != "Subject: two\r\n\r\nText\r\n" {
				t.Fatalf("took %d, %v: %q", n, err, got)
			}
			if n, err := box.Read(t.Context(), take); err != nil || n != 0 {
				t.Errorf("took %d again, %v", n, err)
			}
			server.Deliver(t, "Returned", "Subject: four\r\n\r\n")
			box.Folder = "Returned"
			if n, err := box.Read(t.Context(), take); err != nil || n != 1 {
				t.Errorf("took %d of another folder, %v", n, err)
			}
		})
	}
}

func TestMailboxesThatCantBeRead(t *testing.T) {
	t.Parallel()
	server := mailtest.StartIMAP(t, false)
	good := mail.Mailbox{Host: server.Host, Port: server.Port, TLS: mail.StartTLS, Username: server.Username, Password: server.Password, RootCAs: server.RootCAs}
	for name, tc := range map[string]struct {
		change func(*mail.Mailbox)
		says   string
	}{
		"wrong password":      {func(b *mail.Mailbox) { b.Password = "wrong" }, "refused our sign-in"},
		"no such folder":      {func(b *mail.Mailbox) { b.Folder = "Nothing" }, "has no folder “Nothing”"},
		"unknown certificate": {func(b *mail.Mailbox) { b.RootCAs = nil }, "is not trusted"},
		"nobody there":        {func(b *mail.Mailbox) { b.Port = 1 }, "can't be reached"},
		"in the open":         {func(b *mail.Mailbox) { b.TLS, b.Host = mail.NoTLS, "imap.example.com" }, "on this machine"},
	} {
		box := good
		tc.change(&box)
		_, err := box.Read(t.Context(), func([]byte) error { return nil })
		if sentence := apperr.Describe(err).Sentence; err == nil || !strings.Contains(sentence, tc.says) || strings.Contains(sentence, "wrong") {
			t.Errorf("%s: %q, %v", name, sentence, err)
		}
	}
}

func TestMailboxAddresses(t *testing.T) {
	t.Parallel()
	box, err := mail.ParseMailbox("imaps://bounces%40example.com:p%3Ass@imap.example.com/Returned")
	if err != nil || box.Username != "bounces@example.com" || box.Password != "p:ss" || box.Port != 993 || box.TLS != mail.TLS || box.Folder != "Returned" {
		t.Errorf("%+v, %v", box, err)
	}
	if box, err = mail.ParseMailbox("imap://b:c@imap.example.com:1143"); err != nil || box.Port != 1143 || box.TLS != mail.StartTLS || box.Folder != "" {
		t.Errorf("%+v, %v", box, err)
	}
	for _, text := range []string{"", "https://a:b@c/", "imaps://imap.example.com", "imaps://a:b@/x", "imaps://a:b@c?x=1"} {
		if _, err := mail.ParseMailbox(text); apperr.Describe(err).Code != "mail.mailbox_url" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

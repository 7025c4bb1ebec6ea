package mail_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/mail"
	"github.com/dataflowhq/dataflow/platform/mail/mailtest"
)

func config(s *mailtest.Server) mail.Config {
	return mail.Config{Host: s.Host, Port: s.Port, From: "DataFlow <bi@example.com>", RootCAs: s.RootCAs, Timeout: 10 * time.Second}
}

func message() mail.Message {
	return mail.Message{ID: "0190", To: "ada@example.com", ToName: "Ada Lovelace", Subject: "Größe & Zahl",
		Text: "Hello Ada,\n.\nthis is text: ä.\n", HTML: "<p>Hello <b>Ada</b>: ä.</p>",
		Date: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
}

func sender(t *testing.T, cfg mail.Config) *mail.Sender {
	t.Helper()
	s, err := mail.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSendOverEachKindOfConnection(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		server mailtest.Options
		change func(*mail.Config)
		tls    bool
	}{
		"STARTTLS with sign-in":  {mailtest.Options{Username: "bi", Password: "secret"}, func(c *mail.Config) { c.Username, c.Password = "bi", "secret" }, true},
		"TLS":                    {mailtest.Options{ImplicitTLS: true}, func(c *mail.Config) { c.TLS = mail.TLS }, true},
		"plain, on this machine": {mailtest.Options{NoTLS: true}, func(c *mail.Config) { c.TLS = mail.NoTLS }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Start(t, tc.server)
			cfg := config(server)
			tc.change(&cfg)
			if err := sender(t, cfg).Send(t.Context(), message()); err != nil {
				t.Fatal(err)
			}
			got := server.Next(t)
			if got.From != "bi@example.com" || got.To != "ada@example.com" || got.TLS != tc.tls || got.User != cfg.Username {
				t.Errorf("got %+v", got)
			}
			checkMessage(t, got.Data)
		})
	}
}

func checkMessage(t *testing.T, data string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		"Message-Id": "<0190@example.com>", "From": `"DataFlow" <bi@example.com>`, "To": `"Ada Lovelace" <ada@example.com>`,
		"Auto-Submitted": "auto-generated", "Date": "Mon, 23 Nov 2026 10:00:00 +0000",
	} {
		if got := m.Header.Get(header); got != want {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	if subject != "Größe & Zahl" {
		t.Errorf("subject is %q", subject)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type is %q, %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []struct{ kind, text string }{
		{"text/plain", "Hello Ada,\n.\nthis is text: ä.\n"},
		{"text/html", "<p>Hello <b>Ada</b>: ä.</p>"},
	} {
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(string(text), "\r\n", "\n"); got != want.text || !strings.HasPrefix(part.Header.Get("Content-Type"), want.kind) {
			t.Errorf("part %s is %q, want %q", part.Header.Get("Content-Type"), got, want.text)
		}
	}
}

func TestFailuresSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().(*net.TCPAddr).Port
	_ = closed.Close()
	for name, tc := range map[string]struct {
		server mailtest.Options
		change func(*mail.Config)
		code   string
		says   string
	}{
		"no such mailbox": {mailtest.Options{Answer: func(string) error { return mailtest.Refuse(550, "no such\nuser") }}, nil, "mail.refused", "refused the message: 550"},
		"no such mailbox, by its code": {mailtest.Options{Answer: func(string) error { return mailtest.NoMailbox("nobody here") }}, nil, "mail.refused",
			"There is no such mailbox. The mail server said: 550 5.1.1 nobody here"},
		"greylisted": {mailtest.Options{Answer: func(string) error { return mailtest.Refuse(451, "come back") }}, nil, "mail.unavailable", "later: 451 4.0.0 come back"},
		"breaks off": {mailtest.Options{Answer: func(string) error { return mailtest.ErrDrop }}, nil, "mail.unavailable", "broke off"},
		"wrong password": {mailtest.Options{Username: "bi", Password: "secret"}, func(c *mail.Config) { c.Username, c.Password = "bi", "wrong" },
			"mail.unavailable", "Check user name and password"},
		"no STARTTLS":            {mailtest.Options{NoTLS: true}, nil, "mail.unavailable", "STARTTLS"},
		"an unknown certificate": {mailtest.Options{}, func(c *mail.Config) { c.RootCAs = nil }, "mail.unavailable", "not trusted"},
		"nobody there":           {mailtest.Options{}, func(c *mail.Config) { c.Port = nobody }, "mail.unavailable", "can't be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Start(t, tc.server)
			cfg := config(server)
			if tc.change != nil {
				tc.change(&cfg)
			}
			err := sender(t, cfg).Send(t.Context(), message())
			public := apperr.Describe(err)
			if err == nil || public.Code != tc.code || !strings.Contains(public.Sentence, tc.says) {
				t.Errorf("got %v, want %s with %q", err, tc.code, tc.says)
			}
			if strings.Contains(public.Sentence, "\n") || strings.Contains(public.Sentence, "wrong\"") {
				t.Errorf("sentence is %q", public.Sentence)
			}
			if taken := server.Taken(); len(taken) != 0 {
				t.Errorf("the server took %+v", taken)
			}
		})
	}
}

func TestHeadersCantBeInjected(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{})
	s := sender(t, config(server))
	for name, tc := range map[string]struct {
		change func(*mail.Message)
		code   string
	}{
		"subject":        {func(m *mail.Message) { m.Subject = "Hi\r\nBcc: eve@example.com" }, "mail.header"},
		"name":           {func(m *mail.Message) { m.ToName = "Ada\nBcc: eve@example.com" }, "mail.header"},
		"address":        {func(m *mail.Message) { m.To = "ada@example.com\r\nRCPT TO:<eve@example.com>" }, "mail.address"},
		"two addresses":  {func(m *mail.Message) { m.To = "ada@example.com, eve@example.com" }, "mail.address"},
		"address, named": {func(m *mail.Message) { m.To = "Eve <eve@example.com>" }, "mail.address"},
		"no address":     {func(m *mail.Message) { m.To = "ada" }, "mail.address"},
		"NUL":            {func(m *mail.Message) { m.Subject = "Hi\x00" }, "mail.header"},
	} {
		m := message()
		tc.change(&m)
		if err := s.Send(t.Context(), m); apperr.Describe(err).Code != tc.code {
			t.Errorf("%s: got %v, want %s", name, err, tc.code)
		}
	}
	if taken := server.Taken(); len(taken) != 0 {
		t.Errorf("the server took %+v", taken)
	}
}

func TestEndedContextSendsNothing(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sender(t, config(server)).Send(ctx, message()); apperr.Describe(err).Code != "mail.unavailable" {
		t.Errorf("got %v", err)
	}
	if taken := server.Taken(); len(taken) != 0 {
		t.Errorf("the server took %+v", taken)
	}
}

func TestUnsafeSettingsAreRefused(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]mail.Config{
		"plain to elsewhere": {Host: "mail.example.com", From: "a@example.com", TLS: mail.NoTLS},
		"no sender":          {Host: "mail.example.com"},
		"unknown protection": {Host: "mail.example.com", From: "a@example.com", TLS: "perhaps"},
	} {
		if _, err := mail.New(cfg); apperr.Describe(err).Code != "mail.config" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// An address of another script is written as servers know it, and only what needs
// it asks for SMTPUTF8.
func TestAddressesOfOtherScripts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		to, wire   string
		takes, utf bool
		code       string
	}{
		"ASCII":                      {"ada@example.org", "ada@example.org", true, false, ""},
		"a domain":                   {"ada@exämple.org", "ada@xn--exmple-cua.org", false, false, ""},
		"a name":                     {"ädä@exämple.org", "ädä@xn--exmple-cua.org", true, true, ""},
		"a name, and an old server":  {"ädä@example.org", "", false, false, "mail.refused"},
		"a domain that none can be":  {"ada@-ä-.org", "", true, false, "mail.address"},
		"a domain with an underline": {"ada@a_b.example.org", "ada@a_b.example.org", true, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Start(t, mailtest.Options{UTF8: tc.takes})
			m := message()
			m.To = tc.to
			err := sender(t, config(server)).Send(t.Context(), m)
			if tc.code != "" {
				if public := apperr.Describe(err); public.Code != tc.code || len(server.Taken()) > 0 {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := server.Next(t)
			if got.To != tc.wire || got.UTF8 != tc.utf || !strings.Contains(got.Data, "<"+tc.wire+">") && !tc.utf || !strings.Contains(got.Hello, ".") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// What a server says that it won't take is not sent to it.
func TestATooLargeMessageIsNotSent(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{MaxBytes: 2000})
	s := sender(t, config(server))
	m := message()
	m.Files = []mail.File{{Name: "a.csv", MediaType: "text/csv", Body: []byte(strings.Repeat("1,2,3\n", 500))}}
	handed := false
	_, err := s.Hand(t.Context(), m, func() error { handed = true; return nil })
	if public := apperr.Describe(err); public.Code != "mail.too_large" || !strings.Contains(public.Sentence, "takes 0.0 MB") || handed {
		t.Errorf("handed %v: %v", handed, err)
	}
	m.Files = nil
	if err := s.Send(t.Context(), m); err != nil {
		t.Error(err)
	}
	full := mailtest.Start(t, mailtest.Options{Taken: func(string) error { return mailtest.Refuse(552, "5.3.4 Message size exceeds fixed limit") }})
	if err := sender(t, config(full)).Send(t.Context(), m); apperr.Describe(err).Code != "mail.too_large" {
		t.Errorf("a server that says so at the end: %v", err)
	}
}

// Servers look through a message before they answer. Who gives up by then has it
// sent a second time.
func TestASlowServerIsWaitedFor(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{Taken: func(string) error {
		time.Sleep(time.Second)
		return nil
	}})
	cfg := config(server)
	cfg.Timeout = 400 * time.Millisecond
	if err := sender(t, cfg).Send(t.Context(), message()); err != nil || len(server.Taken()) != 1 {
		t.Errorf("%d messages, %v", len(server.Taken()), err)
	}
}

// Pictures within HTML are found by an id of the form that it has to have.
func TestPicturesHaveIDs(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{})
	m := message()
	m.HTML = `<img src="cid:chart.png">`
	m.Pictures = []mail.File{{Name: "chart.png", MediaType: "image/png", Body: []byte("png")}}
	if err := sender(t, config(server)).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := server.Next(t).Data
	if !strings.Contains(strings.ToLower(got), "content-id: <chart.png@example.com>") || !strings.Contains(strings.ReplaceAll(got, "=\r\n", ""), `cid:chart.png@example.com"`) {
		t.Errorf("got %s", got)
	}
}

// Only what a server says of the recipient is held against the address.
func TestAddressRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		server mailtest.Options
		status string
	}{
		"of the recipient":  {mailtest.Options{Answer: func(string) error { return mailtest.NoMailbox("nobody here") }}, "5.1.1"},
		"without a code":    {mailtest.Options{Answer: func(string) error { return mailtest.Refuse(550, "not from you") }}, ""},
		"after the message": {mailtest.Options{Taken: func(string) error { return mailtest.NoMailbox("nobody here") }}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := sender(t, config(mailtest.Start(t, tc.server))).Send(t.Context(), message())
			if back, ok := mail.AddressRefused(err); back.Status != tc.status || ok != (tc.status != "") || apperr.Describe(err).Code != "mail.refused" {
				t.Errorf("%+v, %t, %v", back, ok, err)
			}
		})
	}
}

// Who does not hear a server's answer to the whole message can't know whether it was taken.
func TestAnAnswerThatComesTooLate(t *testing.T) {
	t.Parallel()
	late := make(chan struct{})
	t.Cleanup(func() { close(late) })
	cfg := config(mailtest.Start(t, mailtest.Options{Taken: func(string) error { <-late; return nil }}))
	cfg.Timeout = 500 * time.Millisecond
	if err := sender(t, cfg).Send(t.Context(), message()); !errors.Is(err, mail.ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

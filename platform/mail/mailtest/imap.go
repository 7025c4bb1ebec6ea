package mailtest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// IMAP is an IMAP server with one mailbox.
type IMAP struct {
	Host               string
	Port               int
	Username, Password string
	RootCAs            *x509.CertPool

	user *imapmemserver.User
}

// StartIMAP runs a server until the test ends. Implicit is TLS from the first
// byte; else it offers STARTTLS.
func StartIMAP(t testing.TB, implicit bool) *IMAP {
	t.Helper()
	s := &IMAP{Username: "bounces", Password: "secret of the mailbox", RootCAs: x509.NewCertPool()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Host, s.Port = "127.0.0.1", listener.Addr().(*net.TCPAddr).Port
	issuer := &Server{Host: s.Host, RootCAs: s.RootCAs}
	cfg := issuer.certificate(t)
	s.user = imapmemserver.NewUser(s.Username, s.Password)
	for _, folder := range []string{"INBOX", "Returned"} {
		if err := s.user.Create(folder, nil); err != nil {
			t.Fatal(err)
		}
	}
	memory := imapmemserver.New()
	memory.AddUser(s.user)
	options := &imapserver.Options{Logger: log.New(io.Discard, "", 0), Caps: imap.CapSet{imap.CapIMAP4rev1: {}},
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return memory.NewSession(), nil, nil
		}}
	if implicit {
		listener = tls.NewListener(listener, cfg)
		options.InsecureAuth = true // the server does not see the TLS around it
	} else {
		options.TLSConfig = cfg
	}
	server := imapserver.New(options)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

// Deliver puts a message into a folder.
func (s *IMAP) Deliver(t testing.TB, folder, message string) {
	t.Helper()
	if _, err := s.user.Append(folder, bytes.NewReader([]byte(message)), &imap.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
}

// Bounce is what a mail server says of a message that it could not deliver
// (RFC 3464): to is the address that it came from.
func Bounce(to, recipient, action, status, said string) string {
	text := "From: Mail Delivery System <MAILER-DAEMON@mx.example.org>\n" +
		"To: " + to + "\n" +
		"Subject: Undelivered Mail Returned to Sender\n" +
		"Auto-Submitted: auto-replied\n" +
		"MIME-Version: 1.0\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=\"=_mark\"\n\n" +
		"--=_mark\nContent-Type: text/plain; charset=us-ascii\n\nThis is the mail system at host mx.example.org.\n\n" +
		"--=_mark\nContent-Type: message/delivery-status\n\n" +
		"Reporting-MTA: dns; mx.example.org\nArrival-Date: Mon, 23 Nov 2026 10:00:00 +0000\n\n" +
		"Final-Recipient: rfc822; " + recipient + "\n" +
		"Action: " + action + "\nStatus: " + status + "\nRemote-MTA: dns; mail.example.org\n" +
		"Diagnostic-Code: smtp; " + said + "\n\n" +
		"--=_mark\nContent-Type: text/rfc822-headers\n\nSubject: Trading daily\nMessage-ID: <x@example.com>\n\n--=_mark--\n"
	return string(bytes.ReplaceAll([]byte(text), []byte("\n"), []byte("\r\n")))
}

// Package mailtest is an SMTP server for tests: it listens on the loopback
// interface, speaks the whole protocol with TLS and sign-in, and keeps what it
// is given.
package mailtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Options of a Server.
type Options struct {
	NoTLS              bool // offers no STARTTLS
	ImplicitTLS        bool // TLS from the first byte
	Username, Password string
	UTF8               bool  // takes addresses in UTF-8
	MaxBytes           int64 // of a message, which the server announces; 0 for any
	// Answer may refuse a recipient, with a *smtp.SMTPError or by ErrDrop.
	Answer func(to string) error
	// Taken may answer a message that the server keeps, likewise: by ErrDrop
	// the connection ends without a word.
	Taken func(to string) error
}

// ErrDrop makes the server end the connection in the midst of a message.
var ErrDrop = errors.New("connection dropped")

// Refuse is an answer of an SMTP server.
func Refuse(code int, text string) error { return &smtp.SMTPError{Code: code, Message: text} }

// NoMailbox is how a server answers that it knows no such recipient.
func NoMailbox(text string) error {
	return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: text}
}

// Received is a message that the server has taken.
type Received struct {
	From, To string
	Data     string
	User     string // who signed in; empty for nobody
	TLS      bool
	UTF8     bool   // SMTPUTF8 was asked for
	Hello    string // how the client called itself
}

// Server is an SMTP server.
type Server struct {
	Host    string
	Port    int
	RootCAs *x509.CertPool
	// Certificate is the server's; nil without TLS.
	Certificate *x509.Certificate

	options Options
	mu      sync.Mutex
	taken   []Received
	arrived chan Received
}

// Start runs a server until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{options: o, arrived: make(chan Received, 1000), RootCAs: x509.NewCertPool()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Host, s.Port = "127.0.0.1", listener.Addr().(*net.TCPAddr).Port
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{server: s, conn: c}, nil }))
	server.Domain, server.EnableSMTPUTF8, server.MaxMessageBytes = "localhost", o.UTF8, o.MaxBytes
	server.ErrorLog = log.New(io.Discard, "", 0)
	heard := &grammar{}
	server.Debug = heard
	t.Cleanup(func() {
		heard.mu.Lock()
		defer heard.mu.Unlock()
		for _, line := range heard.wrong {
			t.Errorf("a strict server refuses %q", line)
		}
	})
	if !o.NoTLS {
		server.TLSConfig = s.certificate(t)
	}
	if o.ImplicitTLS {
		listener = tls.NewListener(listener, server.TLSConfig)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

// grammar keeps the commands that a strict server refuses and this one takes:
// addresses of an envelope stand in angle brackets (RFC 5321, 4.1.1).
type grammar struct {
	mu    sync.Mutex
	rest  []byte
	wrong []string
}

func (g *grammar) Write(heard []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rest = append(g.rest, heard...)
	for {
		line, rest, whole := bytes.Cut(g.rest, []byte("\r\n"))
		if !whole {
			return len(heard), nil
		}
		for _, command := range []string{"MAIL FROM:", "RCPT TO:"} {
			if path, is := strings.CutPrefix(string(line), command); is && !strings.HasPrefix(path, "<") {
				g.wrong = append(g.wrong, string(line))
			}
		}
		g.rest = append([]byte(nil), rest...)
	}
}

// Taken are the messages so far.
func (s *Server) Taken() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Received(nil), s.taken...)
}

// Next waits for a message.
func (s *Server) Next(t testing.TB) Received {
	t.Helper()
	select {
	case m := <-s.arrived:
		return m
	case <-time.After(time.Minute):
		t.Fatal("no message came")
		return Received{}
	}
}

func (s *Server) certificate(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(s.Host)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.RootCAs.AddCert(certificate)
	s.Certificate = certificate
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

type session struct {
	server         *Server
	conn           *smtp.Conn
	user, from, to string
	utf8           bool
}

func (s *session) AuthMechanisms() []string {
	if s.server.options.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != s.server.options.Username || password != s.server.options.Password {
			return &smtp.SMTPError{Code: 535, Message: "wrong user name or password"}
		}
		s.user = username
		return nil
	}), nil
}

func (s *session) Mail(from string, o *smtp.MailOptions) error {
	if s.server.options.Username != "" && s.user == "" {
		return smtp.ErrAuthRequired
	}
	s.from, s.utf8 = from, o != nil && o.UTF8
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	if s.server.options.Answer == nil {
		return nil
	}
	err := s.server.options.Answer(to)
	if errors.Is(err, ErrDrop) {
		_ = s.conn.Conn().Close()
	}
	return err
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	_, encrypted := s.conn.TLSConnectionState()
	m := Received{From: s.from, To: s.to, Data: string(data), User: s.user, TLS: encrypted, UTF8: s.utf8, Hello: s.conn.Hostname()}
	s.server.mu.Lock()
	s.server.taken = append(s.server.taken, m)
	s.server.mu.Unlock()
	s.server.arrived <- m
	if s.server.options.Taken == nil {
		return nil
	}
	err = s.server.options.Taken(s.to)
	if errors.Is(err, ErrDrop) {
		_ = s.conn.Conn().Close()
	}
	return err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

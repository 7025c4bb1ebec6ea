// Package mail hands messages to an SMTP server.
package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
	"golang.org/x/net/idna"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

var (
	// ErrAddress is an address that no message can be sent to.
	ErrAddress = apperr.Define(apperr.Invalid, "mail.address", "This e-mail address can't be used.")
	// ErrHeader is a line break or another control character where a header
	// would be split in two by it.
	ErrHeader = apperr.Define(apperr.Invalid, "mail.header", "The subject or a name has a character that it may not have.")
	// ErrRefused is an answer that another attempt won't change.
	ErrRefused = apperr.Define(apperr.Invalid, "mail.refused", "The mail server refused the message.")
	// ErrUnavailable is worth another attempt.
	ErrUnavailable = apperr.Define(apperr.Unavailable, "mail.unavailable", "The mail server can't take the message now.")
	// ErrTooLarge is a message that the server takes only if it is smaller.
	ErrTooLarge = apperr.Define(apperr.Unavailable, "mail.too_large", "The message is too large for the mail server.")
	// ErrUnknown is a connection that ended after the whole message was given and
	// before the server answered: nobody can know whether it has the message.
	ErrUnknown = apperr.Define(apperr.Unavailable, "mail.unknown",
		"The connection to the mail server broke off after the message was handed over, so nobody can know whether it was taken.")
	errConfig = apperr.Define(apperr.Invalid, "mail.config", "The settings of the mail server can't be used.")
)

// The ways to protect the connection.
const (
	StartTLS = "starttls" // required: no message goes out without it
	TLS      = "tls"      // from the first byte
	NoTLS    = "none"     // to this machine only
)

// Config says which server takes the mail.
type Config struct {
	Host     string
	Port     int
	Username string // no sign-in when empty
	Password string
	From     string // "DataFlow <bi@example.com>" or an address alone
	TLS      string // StartTLS when empty
	RootCAs  *x509.CertPool
	Timeout  time.Duration // for each step, 30 s when zero; slow times that for a message
	// Dial connects in place of the machine's own network: for servers that
	// customers choose.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Key signs what is sent (DKIM); nil: nothing does.
	Key *Key
}

// Message is one message to one person, in plain text and HTML.
type Message struct {
	ID      string // what stands left of the @ in Message-ID; the same for every attempt
	To      string // an address alone
	ToName  string
	Subject string
	Text    string
	HTML    string
	Date    time.Time
	// FromName stands before the sender's address in place of the configured name.
	FromName string
	// ReturnPath is where servers send it back to that can't deliver it; the
	// sender's address when empty.
	ReturnPath string
	// Unsubscribe is the address of a page that takes the recipient off with one
	// POST (RFC 8058); empty for none.
	Unsubscribe string
	Files       []File
	// Pictures are shown in HTML as "cid:NAME".
	Pictures []File
}

// File is what a message carries.
type File struct {
	Name      string
	MediaType string
	Body      []byte
}

// Sender sends messages, each over a connection of its own. It is safe for
// concurrent use.
type Sender struct {
	cfg    Config
	from   *mail.Address
	domain string // of the sender's address, in ASCII
	helo   string // how we call ourselves
}

// New checks the settings; it connects to nothing.
//
// Errors: mail.config.
func New(cfg Config) (*Sender, error) {
	from, err := mail.ParseAddress(cfg.From)
	if err != nil {
		return nil, errConfig.With("SMTP_FROM must be an address such as “DataFlow <bi@example.com>”.").Wrap(err)
	}
	if cfg.TLS == "" {
		cfg.TLS = StartTLS
	}
	if err := CheckProtection(cfg.TLS, cfg.Host); err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if from.Address, err = wireAddress(from.Address); err != nil {
		return nil, errConfig.With("SMTP_FROM must be an address such as “DataFlow <bi@example.com>”.").Wrap(err)
	}
	s := &Sender{cfg: cfg, from: from, domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:]}
	// Servers refuse a greeting by a name without a domain.
	if host, err := os.Hostname(); err == nil && strings.Contains(host, ".") {
		s.helo = host
	} else {
		s.helo = s.domain
	}
	return s, nil
}

// wireAddress is an address as servers know it: letters of other scripts in the
// name of its domain are written in ASCII.
func wireAddress(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if isASCII(address[at+1:]) {
		return address, nil
	}
	domain, err := idna.Lookup.ToASCII(address[at+1:])
	if err != nil {
		return "", ErrAddress.With("“%s” is not an e-mail address.", printable(address)).Wrap(err)
	}
	return address[:at+1] + domain, nil
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c > unicode.MaxASCII })
}

// CheckProtection refuses a way to protect a connection that would let passwords be
// read on their way.
//
// Errors: mail.config.
func CheckProtection(protection, host string) error {
	switch protection {
	case StartTLS, TLS:
		return nil
	case NoTLS:
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return errConfig.With("Without encryption only a mail server on this machine can be used.")
		}
		return nil
	}
	return errConfig.With("The connection is protected by starttls, tls or none.")
}

// CheckAddress refuses what is not one plain address.
//
// Errors: mail.address.
func CheckAddress(address string) error {
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address || parsed.Name != "" || hasControl(address) || len(address) > 254 {
		return ErrAddress.With("“%s” is not an e-mail address.", printable(address)).Wrap(err)
	}
	return nil
}

// CheckHeader refuses text that would not stay within its header.
//
// Errors: mail.header.
func CheckHeader(text string) error {
	if hasControl(text) {
		return ErrHeader
	}
	return nil
}

func hasControl(text string) bool { return strings.ContainsFunc(text, unicode.IsControl) }

// Send is Hand for who needs no answer.
func (s *Sender) Send(ctx context.Context, m Message) error {
	_, err := s.Hand(ctx, m, func() error { return nil })
	return err
}

// Hand hands one message over and answers what the server said to it. Before
// is called when all is agreed and the message itself follows; its error ends
// the attempt with nothing sent. A context that ends stops it only before the
// message is on its way: after that, an orderly answer is worth the wait.
//
// Errors: mail.address, mail.header and mail.refused, which another attempt
// does not mend; mail.unavailable; mail.unknown.
func (s *Sender) Hand(ctx context.Context, m Message, before func() error) (answer string, err error) {
	body, err := s.render(&m)
	if err != nil {
		return "", err
	}
	client, err := s.client()
	if err != nil {
		return "", err
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return "", s.unreachable(err)
	}
	defer conn.Close()
	if err := ctx.Err(); err != nil {
		return "", ErrUnavailable.Wrap(err)
	}
	if answer, err = s.transfer(conn, body, m, before); err != nil {
		return "", err
	}
	_ = conn.Quit() // the message is taken, whatever comes of this
	return answer, nil
}

func (s *Sender) tls() *tls.Config {
	return &tls.Config{ServerName: s.cfg.Host, RootCAs: s.cfg.RootCAs, MinVersion: tls.VersionTLS12}
}

// handshake begins TLS; a connection without it is closed.
func handshake(ctx context.Context, conn net.Conn, cfg *tls.Config) (net.Conn, error) {
	protected := tls.Client(conn, cfg)
	if err := protected.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return protected, nil
}

func (s *Sender) client() (*gomail.Client, error) {
	options := []gomail.Option{
		gomail.WithPort(s.cfg.Port), gomail.WithTimeout(s.cfg.Timeout),
		gomail.WithTLSConfig(s.tls()), gomail.WithHELO(s.helo),
	}
	switch s.cfg.TLS {
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case TLS:
		options = append(options, gomail.WithSSL())
	case NoTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.cfg.Username != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(s.cfg.Username), gomail.WithPassword(s.cfg.Password))
	}
	if s.cfg.Dial != nil {
		options = append(options, gomail.WithDialContextFunc(func(ctx context.Context, _, address string) (net.Conn, error) {
			conn, err := s.cfg.Dial(ctx, address)
			if err != nil || s.cfg.TLS != TLS {
				return conn, err
			}
			return handshake(ctx, conn, s.tls())
		}))
	}
	client, err := gomail.NewClient(s.cfg.Host, options...)
	if err != nil {
		return nil, errConfig.Wrap(err)
	}
	return client, nil
}

// compose builds the message, and writes the addresses of m as servers know them.
func (s *Sender) compose(m *Message) (*gomail.Msg, error) {
	for _, address := range []*string{&m.To, &m.ReturnPath} {
		if address == &m.ReturnPath && *address == "" {
			continue
		}
		if err := CheckAddress(*address); err != nil {
			return nil, err
		}
		wire, err := wireAddress(*address)
		if err != nil {
			return nil, err
		}
		*address = wire
	}
	for _, text := range []string{m.Subject, m.ToName, m.FromName, m.ID} {
		if err := CheckHeader(text); err != nil {
			return nil, err
		}
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	from := *s.from
	if m.FromName != "" {
		from.Name = m.FromName
	}
	msg.FromMailAddress(&from)
	if err := msg.AddToFormat(m.ToName, m.To); err != nil {
		return nil, ErrAddress.Wrap(err)
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(m.ID + "@" + s.domain)
	msg.SetDateWithValue(m.Date)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		html := m.HTML
		for _, f := range m.Pictures {
			html = strings.ReplaceAll(html, `"cid:`+f.Name+`"`, `"cid:`+s.contentID(f)+`"`)
		}
		msg.AddAlternativeString(gomail.TypeTextHTML, html)
	}
	if m.Unsubscribe != "" {
		if err := CheckHeader(m.Unsubscribe); err != nil {
			return nil, err
		}
		msg.SetGenHeaderPreformatted("List-Unsubscribe", "<"+m.Unsubscribe+">") // folding would break the address
		msg.SetGenHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	for _, f := range m.Files {
		if err := msg.AttachReader(f.Name, bytes.NewReader(f.Body), gomail.WithFileContentType(gomail.ContentType(f.MediaType))); err != nil {
			return nil, fmt.Errorf("attach %s: %w", f.Name, err)
		}
	}
	for _, f := range m.Pictures {
		if err := msg.EmbedReader(f.Name, bytes.NewReader(f.Body), gomail.WithFileContentType(gomail.ContentType(f.MediaType)),
			gomail.WithFileContentID("<"+s.contentID(f)+">")); err != nil {
			return nil, fmt.Errorf("embed %s: %w", f.Name, err)
		}
	}
	return msg, nil
}

// contentID names a picture within its message: unique in form (RFC 2392).
func (s *Sender) contentID(f File) string { return f.Name + "@" + s.domain }

// render writes the message as it goes over the line.
func (s *Sender) render(m *Message) ([]byte, error) {
	msg, err := s.compose(m)
	if err != nil {
		return nil, err
	}
	var plain, signed bytes.Buffer
	if _, err := msg.WriteTo(&plain); err != nil {
		return nil, fmt.Errorf("write message: %w", err)
	}
	if s.cfg.Key == nil {
		return plain.Bytes(), nil
	}
	if err := s.cfg.Key.sign(&signed, &plain); err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	return signed.Bytes(), nil
}

// fits refuses what the server says that it won't take, before it is sent.
func fits(conn *smtp.Client, bytes int) error {
	_, limit := conn.Extension("SIZE")
	if n, err := strconv.Atoi(limit); err == nil && n > 0 && bytes > n {
		return ErrTooLarge.With("The message has %.1f MB, and the mail server takes %.1f MB.", float64(bytes)/1e6, float64(n)/1e6)
	}
	return nil
}

// slow is by how much more time than a step the message itself has: servers look
// through it before they answer, and who gives up has it sent a second time.
const slow = 8

// transfer speaks the protocol itself, since only so the server's own words
// are known where it refuses something.
func (s *Sender) transfer(conn *smtp.Client, body []byte, m Message, before func() error) (answer string, err error) {
	within := s.cfg.Timeout
	step := func(do func() error) error {
		if err := conn.UpdateDeadline(within); err != nil {
			return ErrUnavailable.Wrap(err)
		}
		if err := do(); err != nil {
			return answered(err)
		}
		return nil
	}
	back := s.from.Address
	if m.ReturnPath != "" {
		back = m.ReturnPath
	}
	if err := fits(conn, len(body)); err != nil {
		return "", err
	}
	// Who asks for SMTPUTF8 without need is refused by servers further on.
	wide := !isASCII(back) || !isASCII(m.To)
	if conn.SkipSMTPUTF8(!wide); wide {
		if takes, _ := conn.Extension("SMTPUTF8"); !takes {
			return "", ErrRefused.With("The mail server takes no addresses with other letters than those of ASCII before the @.")
		}
	}
	// The client sends a path as it is given: its brackets are ours to write.
	if err := step(func() error { return conn.Mail("<" + back + ">") }); err != nil {
		return "", err
	}
	if err := step(func() error { return conn.Rcpt("<" + m.To + ">") }); err != nil {
		return "", ofAddress(err)
	}
	if err := before(); err != nil {
		return "", err
	}
	var data io.WriteCloser
	if err := step(func() (err error) { data, err = conn.Data(); return err }); err != nil {
		return "", err
	}
	within *= slow
	// Without its last line the server must not take what it was given.
	if err := step(func() error { _, err := data.Write(body); return err }); err != nil {
		return "", err
	}
	err = step(data.Close)
	var reply *textproto.Error
	if err != nil && !errors.As(err, &reply) {
		return "", ErrUnknown.Wrap(err)
	}
	if said, ok := data.(*smtp.DataCloser); ok {
		answer = "250 " + printable(said.ServerResponse())
	}
	return answer, err
}

// addressError is a refusal for which the recipient's address is the reason.
type addressError struct {
	Returned
	cause error
}

func (e *addressError) Error() string { return e.cause.Error() }
func (e *addressError) Unwrap() error { return e.cause }

// ofAddress has a refused recipient, to whom mail won't arrive tomorrow either, told
// in the words of a message that came back.
func ofAddress(err error) error {
	var reply *textproto.Error
	if !errors.As(err, &reply) || !errors.Is(err, ErrRefused) {
		return err
	}
	said := NewReturned(printable(reply.Msg), strconv.Itoa(reply.Code)+" "+reply.Msg, maxSaid)
	if !said.Lasting() || said.Words() == "" {
		return err
	}
	return ErrRefused.With("%s", said.Sentence()).Wrap(&addressError{Returned: said, cause: err})
}

// AddressRefused is what a mail server said of an address that it takes no mail for,
// now or later; false where a message was refused for another reason.
func AddressRefused(err error) (Returned, bool) {
	var refused *addressError
	if !errors.As(err, &refused) {
		return Returned{}, false
	}
	return refused.Returned, true
}

// answered tells a refusal for good from one for now.
func answered(err error) error {
	var reply *textproto.Error
	if !errors.As(err, &reply) {
		return ErrUnavailable.With("The connection to the mail server broke off.").Wrap(err)
	}
	said := strconv.Itoa(reply.Code) + " " + printable(reply.Msg)
	if reply.Code == 552 && strings.Contains(reply.Msg, "5.3.4") {
		return ErrTooLarge.With("The message is too large for the mail server: %s", said).Wrap(err)
	}
	if reply.Code >= 500 {
		return ErrRefused.With("The mail server refused the message: %s", said).Wrap(err)
	}
	return ErrUnavailable.With("The mail server asks to try again later: %s", said).Wrap(err)
}

// unreachable is what goes wrong before the first message: mostly settings,
// which somebody may put right while the message waits.
func (s *Sender) unreachable(err error) error {
	return unreachable(err, "mail server", s.cfg.Host, s.cfg.Port)
}

func unreachable(err error, what, host string, port int) error {
	var reply *textproto.Error
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var certificate *tls.CertificateVerificationError
	var lookup *net.DNSError
	address := net.JoinHostPort(host, strconv.Itoa(port))
	switch {
	case apperr.Describe(err).Class != apperr.Internal: // who connects for us says why
		return ErrUnavailable.With("%s", apperr.Describe(err).Sentence).Wrap(err)
	case errors.As(err, &reply) && (reply.Code == 535 || reply.Code == 534 || reply.Code == 538):
		return ErrUnavailable.With("The %s %s refused our sign-in. Check user name and password.", what, address).Wrap(err)
	case errors.As(err, &reply):
		return ErrUnavailable.With("The %s %s answered: %d %s", what, address, reply.Code, printable(reply.Msg)).Wrap(err)
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &certificate):
		return ErrUnavailable.With("The certificate of the %s %s is not trusted.", what, address).Wrap(err)
	case errors.As(err, &lookup):
		return ErrUnavailable.With("There is no %s named %s.", what, host).Wrap(err)
	case strings.Contains(err.Error(), "STARTTLS"):
		return ErrUnavailable.With("The %s %s does not offer STARTTLS.", what, address).Wrap(err)
	}
	return ErrUnavailable.With("The %s %s can't be reached.", what, address).Wrap(err)
}

// maxSaid is how many characters of what a server said are kept.
const maxSaid = 300

// printable makes what a server or a stranger said fit for a page: one line,
// of bearable length.
func printable(text string) string {
	line := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
	if runes := []rune(line); len(runes) > maxSaid {
		line = string(runes[:maxSaid]) + "…"
	}
	return strings.Join(strings.Fields(line), " ")
}

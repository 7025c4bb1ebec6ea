package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

var (
	// ErrMailbox is a mailbox that can't be read now; the sentence says why.
	ErrMailbox = apperr.Define(apperr.Unavailable, "mail.mailbox", "The mailbox can't be read now.")

	errMailboxURL = apperr.Define(apperr.Invalid, "mail.mailbox_url",
		"The mailbox is written as imaps://user:password@imap.example.com/INBOX.")
)

const (
	// readAtOnce bounds one look into a mailbox: the next one takes what is left.
	readAtOnce  = 500
	readFor     = 3 * time.Minute
	connectFor  = 20 * time.Second
	implicitTLS = 993
	plainIMAP   = 143
)

// Mailbox is one that is read by IMAP.
type Mailbox struct {
	Host     string
	Port     int
	TLS      string // StartTLS or TLS; NoTLS to this machine only
	Username string
	Password string
	Folder   string // INBOX when empty
	RootCAs  *x509.CertPool
	// Dial connects in place of the machine's own network.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// ParseMailbox reads an address such as imaps://user:password@host:993/Folder;
// imap:// means STARTTLS.
//
// Errors: mail.mailbox_url.
func ParseMailbox(text string) (*Mailbox, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User == nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errMailboxURL // the cause has the password in it
	}
	m := &Mailbox{Host: u.Hostname(), Username: u.User.Username(), Folder: strings.TrimPrefix(u.Path, "/")}
	m.Password, _ = u.User.Password()
	switch u.Scheme {
	case "imaps":
		m.TLS, m.Port = TLS, implicitTLS
	case "imap":
		m.TLS, m.Port = StartTLS, plainIMAP
	default:
		return nil, errMailboxURL
	}
	if u.Port() != "" {
		if m.Port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, errMailboxURL
		}
	}
	return m, nil
}

// Check refuses settings that would let a password be read on its way.
//
// Errors: mail.config.
func (m *Mailbox) Check() error { return CheckProtection(m.TLS, m.Host) }

// Read gives each message that nobody has seen to take, and marks it as seen
// once that has answered. It stops at take's first error. It answers how many
// were taken.
//
// Errors: mail.mailbox, mail.unavailable, and take's own.
func (m *Mailbox) Read(ctx context.Context, take func(raw []byte) error) (n int, err error) {
	if err := m.Check(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	client, err := m.connect(ctx)
	if err != nil {
		return 0, unreachable(err, "IMAP server", m.Host, m.Port)
	}
	defer client.Close()
	defer context.AfterFunc(ctx, func() { _ = client.Close() })() // its calls know of no context
	if err := client.Login(m.Username, m.Password).Wait(); err != nil {
		return 0, m.failed(ctx, "refused our sign-in. Check user name and password", err)
	}
	folder := m.Folder
	if folder == "" {
		folder = "INBOX"
	}
	if _, err := client.Select(folder, nil).Wait(); err != nil {
		return 0, m.failed(ctx, "has no folder “"+printable(folder)+"” for us", err)
	}
	found, err := client.UIDSearch(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen, imap.FlagDeleted}}, nil).Wait()
	if err != nil {
		return 0, m.failed(ctx, "does not let us look for new messages", err)
	}
	list := found.AllUIDs()
	for _, uid := range list[:min(len(list), readAtOnce)] {
		raw, err := fetch(client, uid)
		if err != nil {
			return n, m.failed(ctx, "does not give us a message", err)
		}
		if err := take(raw); err != nil {
			return n, err
		}
		seen := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}
		if err := client.Store(imap.UIDSetNum(uid), seen, nil).Close(); err != nil {
			return n, m.failed(ctx, "does not let us mark a message as seen", err)
		}
		n++
	}
	_ = client.Logout().Wait() // all is done, whatever comes of this
	return n, nil
}

// failed says what the server refused, in its own words where it has some.
func (m *Mailbox) failed(ctx context.Context, what string, err error) error {
	if cause := ctx.Err(); cause != nil {
		return ErrMailbox.With("The IMAP server %s did not answer in time.", m.address()).Wrap(err)
	}
	var said *imap.Error
	if errors.As(err, &said) && said.Text != "" {
		return ErrMailbox.With("The IMAP server %s %s: %s", m.address(), what, printable(said.Text)).Wrap(err)
	}
	return ErrMailbox.With("The IMAP server %s %s.", m.address(), what).Wrap(err)
}

func (m *Mailbox) address() string { return net.JoinHostPort(m.Host, strconv.Itoa(m.Port)) }

func (m *Mailbox) connect(ctx context.Context) (*imapclient.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, connectFor)
	defer cancel()
	dial := m.Dial
	if dial == nil {
		dial = func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}
	}
	conn, err := dial(ctx, m.address())
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	cfg := &tls.Config{ServerName: m.Host, RootCAs: m.RootCAs, MinVersion: tls.VersionTLS12}
	var client *imapclient.Client
	switch m.TLS {
	case TLS:
		if conn, err = handshake(ctx, conn, cfg); err != nil {
			return nil, err
		}
		client = imapclient.New(conn, nil)
	case StartTLS:
		if client, err = imapclient.NewStartTLS(conn, &imapclient.Options{TLSConfig: cfg}); err != nil {
			_ = conn.Close()
			return nil, err
		}
	default:
		client = imapclient.New(conn, nil)
	}
	if err := client.WaitGreeting(); err != nil {
		_ = client.Close()
		return nil, err
	}
	return client, nil
}

// fetch reads one message as it is, without marking it.
func fetch(client *imapclient.Client, uid imap.UID) ([]byte, error) {
	section := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: maxReturned}}
	messages, err := client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		if len(m.BodySection) > 0 {
			return m.BodySection[0].Bytes, nil
		}
	}
	return nil, nil // somebody removed it meanwhile
}

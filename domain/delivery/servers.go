package delivery

import (
	"context"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/hosts"
	smtp "github.com/dataflowhq/dataflow/platform/mail"
)

// What can go wrong with the mail of a workspace.
var (
	ErrMailInvalid = apperr.Define(apperr.Invalid, "delivery.mail_invalid",
		"Some fields of the mail settings need another value.")
	errNoServer = apperr.Define(apperr.Unavailable, "delivery.no_server",
		"No mail server is configured, neither here nor for the whole installation.")
	errKeyMissing = apperr.Define(apperr.NotFound, "delivery.key_missing",
		"This domain has no signing key any more.")
)

const (
	// serverPurpose and its sisters bind what is sealed to its column.
	serverPurpose  = "mail_servers.password"
	keyPurpose     = "mail_keys.private"
	mailboxPurpose = "mail_mailboxes.password"
	hookPurpose    = "mail_hooks.key"

	maxFromName = 100 // characters
	// answerWithin bounds each step of a conversation with a workspace's server;
	// see mail.Config.Timeout.
	answerWithin = 20 * time.Second
)

// MailServer is the server that takes the mail of a workspace, and the sender
// that it goes out under. The password is never shown again.
type MailServer struct {
	Host, TLS, Username   string
	Port                  int
	Password              string // only when it is set; empty keeps the old one
	HasPassword           bool
	FromName, FromAddress string
	BounceAddress         string // empty: what comes back goes to FromAddress
	UpdatedAt             time.Time
}

// Address is the server as people write it.
func (m MailServer) Address() string { return net.JoinHostPort(m.Host, strconv.Itoa(m.Port)) }

// from is the sender as it stands in a mail.
func (m MailServer) from() string {
	return (&mail.Address{Name: m.FromName, Address: m.FromAddress}).String()
}

// MailKey is the key that the mail of a domain is signed with.
type MailKey struct {
	Domain       string
	Name, Record string    // what the DNS has to have: a TXT record
	VerifiedAt   time.Time // zero: nothing is signed yet
	CheckedAt    time.Time
	Problem      string // a sentence: what the last look found
}

// Mail is how the mail of a workspace goes out and comes back.
type Mail struct {
	Own       bool // a server of its own
	Server    MailServer
	Installed bool     // the installation has one that is used otherwise
	Key       *MailKey // of the sender's domain; nil without one
	Mailbox   *Mailbox // nil without one
	Hook      *Hook    // nil without one
	Bounced   []BouncedAddress
}

// GetMail reads all of it.
//
// Errors: access.forbidden, unless the actor manages the workspace.
func (s *Service) GetMail(ctx context.Context, actor access.Actor) (Mail, error) {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return Mail{}, err
	}
	m := Mail{Installed: s.deps.Sender != nil, Server: MailServer{Port: 587, TLS: smtp.StartTLS}}
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		if m.Server, m.Own, err = readServer(ctx, tx, m.Server); err != nil {
			return err
		}
		if m.Own {
			if m.Key, err = readKey(ctx, tx, domainOf(m.Server.FromAddress)); err != nil {
				return err
			}
		}
		if m.Mailbox, err = readMailbox(ctx, tx); err != nil {
			return err
		}
		if m.Hook, err = readHook(ctx, tx); err != nil {
			return err
		}
		m.Bounced, err = listBounced(ctx, tx)
		return err
	})
	return m, err
}

// readServer answers otherwise where there is none.
func readServer(ctx context.Context, tx *db.Tx, otherwise MailServer) (MailServer, bool, error) {
	row, err := tx.MailServerGet(ctx, tx.TenantID)
	if db.IsNoRows(err) {
		return otherwise, false, nil
	}
	if err != nil {
		return otherwise, false, fmt.Errorf("read mail server: %w", err)
	}
	return serverOf(row), true, nil
}

func serverOf(row db.MailServerGetRow) MailServer {
	return MailServer{Host: row.Host, Port: int(row.Port), TLS: row.Tls, Username: row.Username, HasPassword: len(row.Password) > 0, FromName: row.FromName,
		FromAddress: row.FromAddress, BounceAddress: row.BounceAddress, UpdatedAt: row.UpdatedAt}
}

// SetMailServer has the workspace's mail go out by a server of its own. Without a
// password the one that is kept stays, as long as it is for the same server and
// user: whoever changes where it goes must know it.
//
// Errors: access.forbidden; delivery.mail_invalid with fields.
func (s *Service) SetMailServer(ctx context.Context, actor access.Actor, m MailServer) error {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return err
	}
	m, fields := checkServer(m)
	sealed, err := s.sealSecret(ctx, actor.TenantID, serverPurpose, m.Password)
	if err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		old, err := tx.MailServerGet(ctx, tx.TenantID)
		if err != nil && !db.IsNoRows(err) {
			return fmt.Errorf("read mail server: %w", err)
		}
		same := err == nil && old.Host == m.Host && int(old.Port) == m.Port && old.Tls == m.TLS && old.Username == m.Username
		switch {
		case m.Username == "":
			sealed = []byte{}
		case m.Password == "" && same && len(old.Password) > 0:
			sealed = old.Password
		case m.Password == "":
			fields["password"] = "Write the password. It is kept only for the same server and user."
		}
		if len(fields) > 0 {
			return ErrMailInvalid.WithFields(fields)
		}
		if err := tx.MailServerSet(ctx, db.MailServerSetParams{TenantID: tx.TenantID, Host: m.Host, Port: int32(m.Port), Tls: m.TLS, Username: m.Username, Password: sealed,
			FromName: m.FromName, FromAddress: m.FromAddress, BounceAddress: m.BounceAddress}); err != nil {
			return fmt.Errorf("write mail server: %w", err)
		}
		entry := audit.Entry{Action: "mail.server_set", Target: "mail", ID: m.Address(), After: shownServer(m)}
		if err == nil {
			entry.Before = shownServer(serverOf(old))
		}
		return audit.Record(ctx, tx, actor, entry)
	})
}

func shownServer(m MailServer) map[string]any {
	return map[string]any{"server": m.Address(), "tls": m.TLS, "user": m.Username, "from": m.from(), "bounces": m.BounceAddress}
}

// checkServer cleans the settings and says what is wrong with them.
func checkServer(m MailServer) (MailServer, map[string]string) {
	fields := map[string]string{}
	m.Host, m.Username = strings.ToLower(strings.TrimSpace(m.Host)), strings.TrimSpace(m.Username)
	m.FromName, m.FromAddress, m.BounceAddress = strings.TrimSpace(m.FromName), strings.TrimSpace(m.FromAddress), strings.TrimSpace(m.BounceAddress)
	checkEndpoint(m.Host, m.Port, m.TLS, fields)
	if smtp.CheckHeader(m.Username) != nil || len(m.Username) > 254 {
		fields["username"] = "Write the user on one line."
	}
	if utf8.RuneCountInString(m.FromName) > maxFromName || smtp.CheckHeader(m.FromName) != nil {
		fields["from_name"] = fmt.Sprintf("Take a name of at most %d characters on one line.", maxFromName)
	}
	if err := smtp.CheckAddress(m.FromAddress); err != nil {
		fields["from_address"] = apperr.Describe(err).Sentence
	} else if domainOf(m.FromAddress) == "" {
		fields["from_address"] = "Take an address at a domain of yours, such as reports@example.com."
	}
	if m.BounceAddress != "" {
		if err := smtp.CheckReturnAddress(m.BounceAddress); err != nil {
			fields["bounce_address"] = apperr.Describe(err).Sentence
		}
	}
	return m, fields
}

func checkEndpoint(host string, port int, protection string, fields map[string]string) {
	if host == "" || len(host) > 253 || strings.ContainsFunc(host, func(c rune) bool { return c <= ' ' || c == '/' || c == '@' || c > '~' }) {
		fields["host"] = "Write the name of a server, such as mail.example.com."
	}
	if port < 1 || port > 65535 {
		fields["port"] = "Write a number between 1 and 65535."
	}
	if err := smtp.CheckProtection(protection, host); err != nil {
		fields["tls"] = apperr.Describe(err).Sentence
	}
}

// domainOf is the domain of an address, as keys know it; empty for none.
func domainOf(address string) string {
	domain, err := hosts.Normalise(address[strings.LastIndexByte(address, '@')+1:])
	if err != nil {
		return ""
	}
	return domain
}

// RemoveMailServer has the mail go out by the installation's server again.
//
// Errors: access.forbidden.
func (s *Service) RemoveMailServer(ctx context.Context, actor access.Actor) error {
	return s.change(ctx, actor, audit.Entry{Action: "mail.server_removed", Target: "mail"}, func(ctx context.Context, tx *db.Tx) (int64, error) {
		return tx.MailServerDelete(ctx, tx.TenantID)
	})
}

// change does something of the mail settings, and leaves an entry where it did.
func (s *Service) change(ctx context.Context, actor access.Actor, entry audit.Entry, work func(context.Context, *db.Tx) (int64, error)) error {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		n, err := work(ctx, tx)
		if err != nil {
			return fmt.Errorf("change mail settings: %w", err)
		}
		if n == 0 {
			return nil
		}
		return audit.Record(ctx, tx, actor, entry)
	})
}

// TestMail sends a mail to the actor by the workspace's server and answers what
// that said.
//
// Errors: access.forbidden, those of mail.Sender.
func (s *Service) TestMail(ctx context.Context, actor access.Actor, to Recipient, letter MailTest) (answer string, err error) {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return "", err
	}
	way, err := s.way(ctx, actor.TenantID)
	if err != nil {
		return "", err
	}
	letter.Server = way.name
	words, err := s.deps.Renderer.RenderLetter(ctx, to.Locale, letter)
	if err != nil {
		return "", fmt.Errorf("write test: %w", err)
	}
	return way.hand(ctx, smtp.Message{ID: uuid.NewString(), To: to.Address, ToName: to.Name, Subject: words.Subject, Text: words.Text, HTML: words.HTML, Date: letter.At},
		func() error { return nil })
}

// way is how the mail of a workspace goes out.
type way struct {
	tenant  uuid.UUID
	name    string // of the server; empty for the installation's
	sender  Sender
	bounces string // where it comes back to; empty for the sender's address
	secret  []byte
}

func (w way) hand(ctx context.Context, m smtp.Message, before func() error) (answer string, err error) {
	if id, err := uuid.Parse(m.ID); err == nil && w.bounces != "" {
		m.ReturnPath = smtp.ReturnPath(w.bounces, w.secret, w.tenant, id)
	}
	return w.sender.Hand(ctx, m, before)
}

func (s *Service) installed(tenant ids.Tenant) way {
	return way{tenant: tenant.UUID(), sender: s.deps.Sender, bounces: s.deps.BounceAddress, secret: s.deps.Secret}
}

// way is the workspace's own server, or the installation's.
//
// Errors: delivery.no_server.
func (s *Service) way(ctx context.Context, tenant ids.Tenant) (way, error) {
	w := s.installed(tenant)
	var row db.MailServerGetRow
	var key db.MailKeyGetRow
	own := false
	err := s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		row, err = tx.MailServerGet(ctx, tx.TenantID)
		if own = err == nil; db.IsNoRows(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if key, err = tx.MailKeyGet(ctx, tx.TenantID, domainOf(row.FromAddress)); db.IsNoRows(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return w, fmt.Errorf("read mail server: %w", err)
	}
	if !own {
		if w.sender == nil {
			return w, errNoServer
		}
		return w, nil
	}
	server := serverOf(row)
	cfg := smtp.Config{Host: server.Host, Port: server.Port, TLS: server.TLS, Username: server.Username, From: server.from(), RootCAs: s.deps.RootCAs,
		Timeout: answerWithin, Dial: s.deps.Outbound.Dial}
	if cfg.Password, err = s.openSecret(ctx, tenant, serverPurpose, row.Password); err != nil {
		return w, err
	}
	if key.VerifiedAt != nil {
		if cfg.Key, err = s.openKey(ctx, tenant, key); err != nil {
			return w, err
		}
	}
	w.name, w.bounces = server.Address(), server.BounceAddress
	w.sender, err = smtp.New(cfg)
	return w, err
}

// sends tells whether mail of the transaction's workspace leaves the
// installation.
func (s *Service) sends(ctx context.Context, tx *db.Tx) (bool, error) {
	if s.deps.Sender != nil {
		return true, nil
	}
	own, err := tx.MailServerExists(ctx, tx.TenantID)
	if err != nil {
		return false, fmt.Errorf("look for mail server: %w", err)
	}
	return own, nil
}

// Sends tells whether the mail of a workspace leaves the installation.
func (s *Service) Sends(ctx context.Context, tenant ids.Tenant) (sends bool, err error) {
	if s.deps.Sender != nil {
		return true, nil
	}
	err = s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		sends, err = s.sends(ctx, tx)
		return err
	})
	return sends, err
}

// sealSecret seals what people typed; nothing of nothing.
func (s *Service) sealSecret(ctx context.Context, tenant ids.Tenant, purpose, plain string) ([]byte, error) {
	if plain == "" {
		return []byte{}, nil
	}
	box, err := s.deps.Tenants.Box(ctx, tenant)
	if err != nil {
		return nil, err
	}
	return box.Encrypt(purpose, []byte(plain))
}

func (s *Service) openSecret(ctx context.Context, tenant ids.Tenant, purpose string, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	box, err := s.deps.Tenants.Box(ctx, tenant)
	if err != nil {
		return "", err
	}
	plain, err := box.Decrypt(purpose, sealed)
	return string(plain), err
}

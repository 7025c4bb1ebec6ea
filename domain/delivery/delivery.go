// Package delivery brings messages to people. A message is a row, written by
// the transaction that wants it sent, and a job that sends it. Where no mail
// server is configured, messages stay in the outbox; a demo shows them there.
package delivery

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/mail"
	"github.com/dataflowhq/dataflow/platform/outbound"
)

const (
	// purpose binds a sealed body to its column.
	purpose = "delivery_messages.body"
	// keepFor is how long the outbox remembers a message.
	keepFor = 90 * 24 * time.Hour
	listed  = 200
)

// Sender hands a message to a mail server.
type Sender interface {
	// Hand answers what the server said; see mail.Sender.
	Hand(ctx context.Context, m mail.Message, before func() error) (answer string, err error)
}

// Deps are what the service works with.
type Deps struct {
	DB       *db.DB
	Tenants  *tenants.Service
	Renderer Renderer
	Sender   Sender // nil: nothing is sent
	// Blobs hold what kept messages carry.
	Blobs *blob.Store
	// ShowBodies lets admins read what messages say: in a demo, where they go
	// nowhere else. They hold links that open accounts.
	ShowBodies bool
	// Outbound reaches channels, and the servers of workspaces; the public internet
	// alone when nil.
	Outbound *outbound.Client
	// RootCAs are those of the servers of workspaces; the system's when nil.
	RootCAs *x509.CertPool
	// Resolver looks for the keys of workspaces in the DNS; the machine's when nil.
	Resolver mail.Resolver
	// Secret marks the addresses that mail comes back to; 32 bytes.
	Secret []byte
	// BounceAddress is where mail by Sender comes back to; empty for its own
	// address. Bounces is the mailbox that it is read from; nil for none.
	BounceAddress string
	Bounces       *mail.Mailbox
	Log           *slog.Logger // nil: the default
}

// Service is safe for concurrent use.
type Service struct{ deps Deps }

// NewService makes the service.
func NewService(deps Deps) *Service {
	if deps.Outbound == nil {
		deps.Outbound = outbound.New(outbound.Config{})
	}
	if deps.Resolver == nil {
		deps.Resolver = &net.Resolver{}
	}
	if deps.Log == nil {
		deps.Log = slog.Default()
	}
	return &Service{deps: deps}
}

// SendOptions are for the binding of SendArgs: as for reports.
var SendOptions = jobs.Options{Timeout: 12 * time.Minute, MaxAttempts: 14, Backoff: 5 * time.Second, MaxBackoff: time.Hour}

// SendArgs asks for one message to be sent. Idempotent by MessageID, which is
// also the Message-ID that mail servers see.
type SendArgs struct {
	MessageID ids.Message `json:"message"`
}

// Kind names the job.
func (SendArgs) Kind() string { return "delivery:send" }

// PruneArgs asks for old messages of the job's tenant to be forgotten.
type PruneArgs struct{}

// Kind names the job.
func (PruneArgs) Kind() string { return "delivery:prune" }

// Recipient is who gets a message.
type Recipient struct {
	Address string
	Name    string // may be empty
	Locale  string // BCP 47
}

// body is the part of a message that is sealed.
type body struct {
	Text string `json:"text"`
	HTML string `json:"html"`
}

// Queue writes a message in the caller's transaction; it is sent once that has
// committed.
//
// Errors: mail.address, mail.header.
func (s *Service) Queue(ctx context.Context, tx *db.Tx, to Recipient, letter Letter) (ids.Message, error) {
	words, err := s.deps.Renderer.RenderLetter(ctx, to.Locale, letter)
	if err != nil {
		return ids.Message{}, fmt.Errorf("write %s: %w", letter.kind(), err)
	}
	if err := errors.Join(mail.CheckAddress(to.Address), mail.CheckHeader(to.Name), mail.CheckHeader(words.Subject)); err != nil {
		return ids.Message{}, err
	}
	sealed, err := s.seal(ctx, ids.Tenant(tx.TenantID), body{Text: words.Text, HTML: words.HTML})
	if err != nil {
		return ids.Message{}, err
	}
	m := db.DeliveryInsertParams{TenantID: tx.TenantID, MessageID: ids.New[ids.Message]().UUID(), Kind: letter.kind(),
		ToAddress: to.Address, ToName: to.Name, Subject: words.Subject, Body: sealed, Attachments: []byte("[]"), FromName: fromName(letter)}
	sends := s.SendsMail()
	if !sends && !opensAccount(m.Kind) {
		if sends, err = s.sends(ctx, tx); err != nil {
			return ids.Message{}, err
		}
	}
	if sends {
		job, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: SendArgs{MessageID: ids.Message(m.MessageID)}})
		if err != nil {
			return ids.Message{}, err
		}
		m.JobID = &job
	}
	if err := tx.DeliveryInsert(ctx, m); err != nil {
		return ids.Message{}, fmt.Errorf("insert message: %w", err)
	}
	return ids.Message(m.MessageID), nil
}

func (s *Service) seal(ctx context.Context, tenantID ids.Tenant, b body) ([]byte, error) {
	box, err := s.deps.Tenants.Box(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return box.Encrypt(purpose, plain)
}

func (s *Service) open(ctx context.Context, tenantID ids.Tenant, sealed []byte) (body, error) {
	box, err := s.deps.Tenants.Box(ctx, tenantID)
	if err != nil {
		return body{}, err
	}
	plain, err := box.Decrypt(purpose, sealed)
	if err != nil {
		return body{}, err
	}
	var b body
	if err := json.Unmarshal(plain, &b); err != nil {
		return body{}, fmt.Errorf("decode message: %w", err)
	}
	return b, nil
}

// RunSend sends one message. A message that was sent already is left alone. A
// process that dies between the mail server's yes and our commit makes it go
// out twice, under one Message-ID.
func (s *Service) RunSend(ctx context.Context, job jobs.Job[SendArgs]) error {
	row, err := s.load(ctx, job)
	if err != nil {
		return err
	}
	if row.State != "pending" {
		return s.inTx(ctx, job.Ref, func(ctx context.Context, tx *db.Tx) error { return job.Complete(ctx, tx) })
	}
	if withheld, err := s.withhold(ctx, job, row); withheld || err != nil {
		return err
	}
	b, err := s.open(ctx, ids.Tenant(job.TenantID), row.Body)
	if err != nil {
		return jobs.Permanent(err)
	}
	hand := s.Hand
	if opensAccount(row.Kind) {
		hand = s.handOurs
	}
	_, err = hand(ctx, ids.Tenant(job.TenantID), mail.Message{ID: job.Args.MessageID.String(), To: row.ToAddress, ToName: row.ToName, FromName: row.FromName,
		Subject: row.Subject, Text: b.Text, HTML: b.HTML, Date: row.CreatedAt}, func() error { return nil })
	// What the mail server said is written down even if our time is up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err != nil {
		return errors.Join(err, s.tried(ctx, job, err, false))
	}
	return s.inTx(ctx, job.Ref, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.DeliveryMarkSent(ctx, job.TenantID, job.Args.MessageID.UUID()); err != nil {
			return fmt.Errorf("mark message sent: %w", err)
		}
		return job.Complete(ctx, tx)
	})
}

func (s *Service) load(ctx context.Context, job jobs.Job[SendArgs]) (row db.DeliveryGetRow, err error) {
	err = s.inTx(ctx, job.Ref, func(ctx context.Context, tx *db.Tx) error {
		row, err = tx.DeliveryGet(ctx, job.TenantID, job.Args.MessageID.UUID())
		return err
	})
	if db.IsNoRows(err) {
		return row, jobs.Permanent(errMessageGone.Wrap(err))
	}
	if err != nil {
		return row, fmt.Errorf("read message %s: %w", job.Args.MessageID, err)
	}
	return row, nil
}

var errMessageGone = apperr.Define(apperr.Gone, "delivery.message_gone", "This message was removed before it was sent.")

// RecordFailure says in the outbox that a message was given up.
func (s *Service) RecordFailure(ctx context.Context, job jobs.Job[SendArgs], cause error) error {
	return errors.Join(s.tried(ctx, job, cause, true), s.inTx(ctx, job.Ref, func(ctx context.Context, tx *db.Tx) error {
		address, err := tx.DeliveryAddress(ctx, tx.TenantID, job.Args.MessageID.UUID())
		if db.IsNoRows(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read message: %w", err)
		}
		return s.TakeRefusal(ctx, tx, address, cause)
	}))
}

func (s *Service) tried(ctx context.Context, job jobs.Job[SendArgs], cause error, final bool) error {
	return s.inTx(ctx, job.Ref, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.DeliveryMarkTried(ctx, db.DeliveryMarkTriedParams{TenantID: job.TenantID, MessageID: job.Args.MessageID.UUID(),
			LastError: apperr.Describe(cause).Sentence, Final: final})
		if err != nil {
			return fmt.Errorf("record attempt: %w", err)
		}
		return nil
	})
}

// RunPrune forgets old messages.
func (s *Service) RunPrune(ctx context.Context, job jobs.Job[PruneArgs]) error {
	return s.inTx(ctx, job.Ref, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.DeliveryPrune(ctx, job.TenantID, keepFor.Seconds()); err != nil {
			return fmt.Errorf("prune messages: %w", err)
		}
		if _, err := tx.MailBouncePrune(ctx, job.TenantID, keepFor.Seconds()); err != nil {
			return fmt.Errorf("prune bounces: %w", err)
		}
		return job.Complete(ctx, tx)
	})
}

func (s *Service) inTx(ctx context.Context, ref jobs.Ref, work func(context.Context, *db.Tx) error) error {
	return s.deps.DB.InTenantTx(ctx, ref.TenantID, work)
}

// State of a message.
type State string

// The states. Kept is a message that nobody will send, since no mail server is
// configured.
const (
	Pending State = "pending"
	Kept    State = "kept"
	Sent    State = "sent"
	Failed  State = "failed"
	// Bounced came back, or was not sent since mail does not reach the address.
	Bounced State = "bounced"
)

// Message is one message of the outbox.
type Message struct {
	ID        ids.Message
	Kind      string
	To        string
	ToName    string
	Subject   string
	State     State
	Attempts  int
	LastError string // a sentence
	CreatedAt time.Time
	SentAt    time.Time // zero unless Sent
	Text      string    // only in a demo
	HTML      string    // only in a demo
	Files     []Attachment
}

// ListOutbox reads the newest messages.
//
// Errors: access.forbidden, unless the actor manages the workspace.
func (s *Service) ListOutbox(ctx context.Context, actor access.Actor) ([]Message, error) {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return nil, err
	}
	var rows []db.DeliveryListNewestRow
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		rows, err = tx.DeliveryListNewest(ctx, actor.TenantID.UUID(), listed)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	messages := make([]Message, len(rows))
	for i, row := range rows {
		m := Message{ID: ids.Message(row.MessageID), Kind: row.Kind, To: row.ToAddress, ToName: row.ToName, Subject: row.Subject,
			State: State(row.State), Attempts: int(row.Attempts), LastError: row.LastError, CreatedAt: row.CreatedAt}
		if row.SentAt != nil {
			m.SentAt = *row.SentAt
		}
		if m.State == Pending && row.Kept {
			m.State = Kept
		}
		if err := json.Unmarshal(row.Attachments, &m.Files); err != nil {
			return nil, fmt.Errorf("read attachments of %s: %w", m.ID, err)
		}
		if s.deps.ShowBodies && len(row.Body) > 0 {
			b, err := s.open(ctx, actor.TenantID, row.Body)
			if err != nil {
				return nil, err
			}
			m.Text, m.HTML = b.Text, b.HTML
		}
		messages[i] = m
	}
	return messages, nil
}

// SendsMail tells whether the installation has a mail server. Workspaces may
// have one of their own.
func (s *Service) SendsMail() bool { return s.deps.Sender != nil }

// demoMails is how many mails somebody sees who is not signed in.
const demoMails = 20

// ListDemoOutbox reads the newest messages of every workspace of a demo. Who
// may see it is for the caller to decide.
//
// Errors: access.forbidden, outside of a demo.
func (s *Service) ListDemoOutbox(ctx context.Context) ([]Message, error) {
	if !s.deps.ShowBodies {
		return nil, access.ErrForbidden
	}
	places, err := s.deps.Tenants.List(ctx)
	if err != nil {
		return nil, err
	}
	var all []Message
	for _, place := range places {
		list, err := s.ListOutbox(ctx, access.Actor{Kind: access.System, TenantID: place.ID})
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b Message) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return all[:min(len(all), demoMails)], nil
}

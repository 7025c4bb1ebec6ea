package delivery

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/mail"
)

// What can go wrong with what comes back.
var (
	errHookSignature = apperr.Define(apperr.Forbidden, "delivery.hook_signature",
		"The signature does not match, or is older than five minutes.")
	errHookBody = apperr.Define(apperr.Invalid, "delivery.hook_body",
		"The message has to be {\"events\": [{\"event\": \"bounce\" or \"complaint\", \"message_id\": …, \"recipient\": …, \"type\": \"hard\" or \"soft\", \"status\": …, \"reason\": …}]}.")
	errWithheld = apperr.Define(apperr.Conflict, "delivery.withheld",
		"Mail does not reach this address.")
)

const (
	// hookSkew is how far the clock of a provider may be off.
	hookSkew     = 5 * time.Minute
	maxEvents    = 1000
	maxReason    = 500 // characters
	hookKeyBytes = 32
)

// ReadBouncesOptions are for the binding of ReadBouncesArgs.
var ReadBouncesOptions = jobs.Options{Timeout: 5 * time.Minute, MaxAttempts: 1}

// ReadBouncesArgs looks into the mailbox of the job's tenant, and for its keys in
// the DNS.
type ReadBouncesArgs struct{}

// Kind names the job.
func (ReadBouncesArgs) Kind() string { return "delivery:read_bounces" }

// BouncedArgs has what came back noted where it was sent from. Idempotent by
// Bounce.
type BouncedArgs struct {
	Bounce ids.Bounce `json:"bounce"`
}

// Kind names the job.
func (BouncedArgs) Kind() string { return "delivery:bounced" }

// Mailbox is where bounces are read from.
type Mailbox struct {
	Host, TLS, Username string
	Port                int
	Password            string // only when it is set; empty keeps the old one
	Folder              string // empty: INBOX
	ReadAt              time.Time
	Problem             string // a sentence: why the last look failed
}

// Hook is how a mail provider tells of bounces.
type Hook struct{ Since, UsedAt time.Time }

// BouncedAddress is one that mail does not reach.
type BouncedAddress struct {
	Address   string
	Complaint bool // the person marked it as unwanted
	Reason    string
	At        time.Time
}

func readMailbox(ctx context.Context, tx *db.Tx) (*Mailbox, error) {
	row, err := tx.MailboxGet(ctx, tx.TenantID)
	if db.IsNoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read mailbox: %w", err)
	}
	m := &Mailbox{Host: row.Host, Port: int(row.Port), TLS: row.Tls, Username: row.Username, Folder: row.Folder, Problem: row.Problem}
	if row.ReadAt != nil {
		m.ReadAt = *row.ReadAt
	}
	return m, nil
}

func readHook(ctx context.Context, tx *db.Tx) (*Hook, error) {
	row, err := tx.MailHookGet(ctx, tx.TenantID)
	if db.IsNoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read webhook: %w", err)
	}
	h := &Hook{Since: row.CreatedAt}
	if row.UsedAt != nil {
		h.UsedAt = *row.UsedAt
	}
	return h, nil
}

func listBounced(ctx context.Context, tx *db.Tx) ([]BouncedAddress, error) {
	rows, err := tx.MailBounceListLasting(ctx, tx.TenantID)
	if err != nil {
		return nil, fmt.Errorf("list bounced addresses: %w", err)
	}
	list := make([]BouncedAddress, len(rows))
	for i, row := range rows {
		list[i] = BouncedAddress{Address: row.Address, Complaint: row.Kind == "complaint", Reason: row.Reason, At: row.At}
	}
	return list, nil
}

// SetMailbox says where bounces are read from. Without a password the one that is
// kept stays, for the same server and user.
//
// Errors: access.forbidden; delivery.mail_invalid with fields.
func (s *Service) SetMailbox(ctx context.Context, actor access.Actor, m Mailbox) error {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return err
	}
	fields := map[string]string{}
	m.Host, m.Username, m.Folder = strings.ToLower(strings.TrimSpace(m.Host)), strings.TrimSpace(m.Username), strings.TrimSpace(m.Folder)
	checkEndpoint(m.Host, m.Port, m.TLS, fields)
	if m.Username == "" || len(m.Username) > 254 || mail.CheckHeader(m.Username) != nil {
		fields["username"] = "Write the user on one line."
	}
	if len(m.Folder) > 200 || mail.CheckHeader(m.Folder) != nil {
		fields["mailbox"] = "Write the name of a folder on one line."
	}
	sealed, err := s.sealSecret(ctx, actor.TenantID, mailboxPurpose, m.Password)
	if err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		old, err := tx.MailboxGet(ctx, tx.TenantID)
		if err != nil && !db.IsNoRows(err) {
			return fmt.Errorf("read mailbox: %w", err)
		}
		if m.Password == "" {
			if err == nil && old.Host == m.Host && int(old.Port) == m.Port && old.Tls == m.TLS && old.Username == m.Username {
				sealed = old.Password
			} else {
				fields["password"] = "Write the password. It is kept only for the same server and user."
			}
		}
		if len(fields) > 0 {
			return ErrMailInvalid.WithFields(fields)
		}
		if err := tx.MailboxSet(ctx, db.MailboxSetParams{TenantID: tx.TenantID, Host: m.Host, Port: int32(m.Port), Tls: m.TLS, Username: m.Username, Password: sealed, Folder: m.Folder}); err != nil {
			return fmt.Errorf("write mailbox: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "mail.mailbox_set", Target: "mail", ID: m.Host, Detail: map[string]any{"user": m.Username}})
	})
}

// RemoveMailbox has bounces no longer read.
//
// Errors: access.forbidden.
func (s *Service) RemoveMailbox(ctx context.Context, actor access.Actor) error {
	return s.change(ctx, actor, audit.Entry{Action: "mail.mailbox_removed", Target: "mail"}, func(ctx context.Context, tx *db.Tx) (int64, error) {
		return tx.MailboxDelete(ctx, tx.TenantID)
	})
}

// CreateHook makes the key that a provider signs with, in the place of any other,
// and answers it; it is never shown again.
//
// Errors: access.forbidden.
func (s *Service) CreateHook(ctx context.Context, actor access.Actor) (key string, err error) {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return "", err
	}
	raw := make([]byte, hookKeyBytes)
	_, _ = rand.Read(raw) // never fails
	key = base64.RawURLEncoding.EncodeToString(raw)
	sealed, err := s.sealSecret(ctx, actor.TenantID, hookPurpose, key)
	if err != nil {
		return "", err
	}
	return key, s.change(ctx, actor, audit.Entry{Action: "mail.hook_created", Target: "mail"}, func(ctx context.Context, tx *db.Tx) (int64, error) {
		return 1, tx.MailHookSet(ctx, tx.TenantID, sealed)
	})
}

// RemoveHook has a provider's messages refused.
//
// Errors: access.forbidden.
func (s *Service) RemoveHook(ctx context.Context, actor access.Actor) error {
	return s.change(ctx, actor, audit.Entry{Action: "mail.hook_removed", Target: "mail"}, func(ctx context.Context, tx *db.Tx) (int64, error) {
		return tx.MailHookDelete(ctx, tx.TenantID)
	})
}

// ClearAddress lets mail go to an address again that came back.
//
// Errors: access.forbidden.
func (s *Service) ClearAddress(ctx context.Context, actor access.Actor, address string) error {
	entry := audit.Entry{Action: "mail.address_cleared", Target: "mail", ID: address}
	return s.change(ctx, actor, entry, func(ctx context.Context, tx *db.Tx) (int64, error) {
		return tx.MailBounceClear(ctx, tx.TenantID, address)
	})
}

// Unreachable tells why mail does not reach an address: nil where it does.
func (s *Service) Unreachable(ctx context.Context, tx *db.Tx, address string) error {
	row, err := tx.MailBounceOf(ctx, tx.TenantID, address)
	if db.IsNoRows(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for bounces: %w", err)
	}
	if row.Kind == "complaint" {
		return errWithheld.With("Nothing was sent: the recipient marked a mail as unwanted on %s.", row.At.UTC().Format("2 January 2006"))
	}
	return errWithheld.With("Nothing was sent: mail to this address came back on %s. %s", row.At.UTC().Format("2 January 2006"), row.Reason)
}

// withhold closes a message that comes by itself, where mail does not reach the
// address. What somebody has asked for is tried all the same: it may reach them
// by now.
func (s *Service) withhold(ctx context.Context, job jobs.Job[SendArgs], row db.DeliveryGetRow) (withheld bool, err error) {
	if row.Kind != (Notice{}).kind() {
		return false, nil
	}
	err = s.inTx(ctx, job.Ref, func(ctx context.Context, tx *db.Tx) error {
		cause := s.Unreachable(ctx, tx, row.ToAddress)
		if cause == nil || !errors.Is(cause, errWithheld) {
			return cause
		}
		withheld = true
		if _, err := tx.DeliveryMarkWithheld(ctx, apperr.Describe(cause).Sentence, job.TenantID, job.Args.MessageID.UUID()); err != nil {
			return fmt.Errorf("withhold message: %w", err)
		}
		return job.Complete(ctx, tx)
	})
	return withheld, err
}

// RunReadBounces does it for the job's tenant.
func (s *Service) RunReadBounces(ctx context.Context, job jobs.Job[ReadBouncesArgs]) error {
	tenant := ids.Tenant(job.TenantID)
	if err := s.checkKeys(ctx, tenant); err != nil {
		return err
	}
	if err := s.readBounces(ctx, tenant); err != nil && apperr.Describe(err).Class == apperr.Internal {
		return err
	}
	return s.inTx(ctx, job.Ref, func(ctx context.Context, tx *db.Tx) error { return job.Complete(ctx, tx) })
}

// ReadBounces looks into the mailbox of the actor's workspace now.
//
// Errors: access.forbidden, those of mail.Mailbox.
func (s *Service) ReadBounces(ctx context.Context, actor access.Actor) error {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return err
	}
	return s.readBounces(ctx, actor.TenantID)
}

// readBounces reads a workspace's mailbox, where it has one, and notes how it went.
func (s *Service) readBounces(ctx context.Context, tenant ids.Tenant) error {
	var row db.MailboxGetRow
	err := s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		row, err = tx.MailboxGet(ctx, tx.TenantID)
		return err
	})
	if db.IsNoRows(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read mailbox: %w", err)
	}
	box := mail.Mailbox{Host: row.Host, Port: int(row.Port), TLS: row.Tls, Username: row.Username, Folder: row.Folder, RootCAs: s.deps.RootCAs, Dial: s.deps.Outbound.Dial}
	if box.Password, err = s.openSecret(ctx, tenant, mailboxPurpose, row.Password); err != nil {
		return err
	}
	_, err = box.Read(ctx, func(raw []byte) error {
		return s.takeBack(ctx, raw, func(t mail.Token) (ids.Tenant, bool, error) { return tenant, t.Of(s.deps.Secret, tenant.UUID()), nil })
	})
	problem := ""
	if err != nil {
		problem = apperr.Describe(err).Sentence
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return tx.MailboxSetRead(ctx, problem, tx.TenantID)
	}))
}

// ReadInstallationBounces reads the mailbox of the installation, where it has one.
//
// Errors: those of mail.Mailbox.
func (s *Service) ReadInstallationBounces(ctx context.Context) error {
	if s.deps.Bounces == nil {
		return nil
	}
	_, err := s.deps.Bounces.Read(ctx, func(raw []byte) error {
		return s.takeBack(ctx, raw, func(t mail.Token) (ids.Tenant, bool, error) {
			all, err := s.deps.Tenants.List(ctx)
			for _, one := range all {
				if t.Of(s.deps.Secret, one.ID.UUID()) {
					return one.ID, true, nil
				}
			}
			return ids.Tenant{}, false, err
		})
	})
	return err
}

// takeBack takes one message of a mailbox. Whose tells which workspace a token is
// of. A message that says nothing that counts is passed over.
func (s *Service) takeBack(ctx context.Context, raw []byte, whose func(mail.Token) (ids.Tenant, bool, error)) error {
	back, err := mail.ParseReturned(bytes.NewReader(raw))
	if errors.Is(err, mail.ErrNotReturned) {
		return nil
	}
	if err != nil {
		return err
	}
	tenant, ours, err := whose(back.Token)
	if err != nil || !ours {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return s.record(ctx, tx, bounce{message: back.Token.Message, kind: "bounce", lasting: back.Lasting(), status: back.Status, reason: back.Sentence()})
	})
}

// bounce is what came back: of a message, or to an address alone.
type bounce struct {
	message        uuid.UUID
	address        string
	kind           string
	lasting        bool
	status, reason string
}

// record keeps it, once, and has it noted where it was sent from. Whose address
// it is follows from the message: what the other side says of that may be wrong.
func (s *Service) record(ctx context.Context, tx *db.Tx, b bounce) error {
	id := ids.New[ids.Bounce]()
	row := db.MailBounceInsertParams{TenantID: tx.TenantID, BounceID: id.UUID(), Kind: b.kind, Lasting: b.lasting, Status: b.status, Reason: b.reason, Address: b.address}
	if b.message != uuid.Nil {
		row.MessageID = &b.message
		address, err := s.mark(ctx, tx, b)
		if err != nil && !db.IsNoRows(err) {
			return fmt.Errorf("note bounce: %w", err)
		}
		row.Address = address // empty: of a report, whose ledger knows
	}
	n, err := tx.MailBounceInsert(ctx, row)
	if err != nil {
		return fmt.Errorf("keep bounce: %w", err)
	}
	if n == 0 {
		return nil
	}
	if row.MessageID != nil && row.Address == "" {
		if _, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: BouncedArgs{Bounce: id}}); err != nil {
			return err
		}
	}
	return audit.Record(ctx, tx, access.Actor{Kind: access.System, TenantID: ids.Tenant(tx.TenantID)}, audit.Entry{Action: "mail.came_back", Target: "mail", ID: id.String(),
		Detail: map[string]any{"address": row.Address, "kind": b.kind, "status": b.status}})
}

// TakeRefusal keeps that a mail server takes no mail for an address, now or later,
// as if a mail had come back from there. Other reasons for which a mail was not
// taken change nothing.
func (s *Service) TakeRefusal(ctx context.Context, tx *db.Tx, address string, cause error) error {
	back, ok := mail.AddressRefused(cause)
	if !ok {
		return nil
	}
	return s.record(ctx, tx, bounce{address: address, kind: "bounce", lasting: true, status: back.Status, reason: back.Sentence()})
}

// mark notes it in the outbox and answers whose message it was; no rows where it
// was none of the outbox.
func (s *Service) mark(ctx context.Context, tx *db.Tx, b bounce) (address string, err error) {
	if b.kind == "complaint" { // it arrived
		return tx.DeliveryAddress(ctx, tx.TenantID, b.message)
	}
	return tx.DeliveryMarkBounced(ctx, b.reason, tx.TenantID, b.message)
}

// hookEvent is one event of a provider.
type hookEvent struct {
	Event     string `json:"event"`
	MessageID string `json:"message_id"` // with or without <…@…>
	Recipient string `json:"recipient"`
	Type      string `json:"type"`
	Status    string `json:"status"`
	Reason    string `json:"reason"`
}

// TakeEvents takes what a mail provider says of bounces, once it is proved by the
// header to be the workspace's. Events that are known already change nothing.
//
// Errors: delivery.hook_signature, delivery.hook_body.
func (s *Service) TakeEvents(ctx context.Context, tenant ids.Tenant, header http.Header, body []byte) error {
	if err := s.checkHook(ctx, tenant, header, body); err != nil {
		return err
	}
	var message struct {
		Events []hookEvent `json:"events"`
	}
	if err := json.Unmarshal(body, &message); err != nil || len(message.Events) == 0 || len(message.Events) > maxEvents {
		return errHookBody.Wrap(err)
	}
	var list []bounce
	for _, e := range message.Events {
		b, ours, err := e.bounce()
		if err != nil {
			return err
		}
		if ours {
			list = append(list, b)
		}
	}
	return s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		for _, b := range list {
			if err := s.record(ctx, tx, b); err != nil {
				return err
			}
		}
		return tx.MailHookUsed(ctx, tx.TenantID)
	})
}

// bounce reads an event. It is none of ours where it is of another program's mail
// that the same account sent.
func (e hookEvent) bounce() (b bounce, ours bool, err error) {
	b = bounce{kind: e.Event, address: strings.TrimSpace(e.Recipient)}
	id, _, _ := strings.Cut(strings.Trim(strings.TrimSpace(e.MessageID), "<>"), "@")
	if id != "" {
		b.message, err = uuid.Parse(id)
		ours = err == nil
	} else if err := mail.CheckAddress(b.address); err != nil {
		return b, false, errHookBody.Wrap(err)
	} else {
		ours = true
	}
	back := mail.NewReturned(e.Status, e.Reason, maxReason)
	b.status, b.reason = back.Status, back.Sentence()
	switch {
	case e.Event == "complaint":
		b.lasting, b.reason = true, "The recipient marked a mail as unwanted."
	case e.Event == "bounce" && (e.Type == "hard" || e.Type == "soft"):
		b.lasting = e.Type == "hard"
	default:
		return b, false, errHookBody
	}
	return b, ours, nil
}

// checkHook proves that who sent a message has the key.
func (s *Service) checkHook(ctx context.Context, tenant ids.Tenant, header http.Header, body []byte) error {
	var sealed []byte
	err := s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.MailHookGet(ctx, tx.TenantID)
		sealed = row.Key
		return err
	})
	if db.IsNoRows(err) {
		return errHookSignature.Wrap(err)
	}
	if err != nil {
		return fmt.Errorf("read webhook: %w", err)
	}
	key, err := s.openSecret(ctx, tenant, hookPurpose, sealed)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(header.Get("Df-Timestamp"), 10, 64)
	at := time.Unix(seconds, 0)
	if err != nil || time.Since(at).Abs() > hookSkew {
		return errHookSignature.Wrap(err)
	}
	want := http.Header{}
	sign(want, key, "", at, body)
	if !hmac.Equal([]byte(header.Get("Df-Signature")), []byte(want.Get("Df-Signature"))) {
		return errHookSignature
	}
	return nil
}

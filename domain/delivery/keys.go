package delivery

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/mail"
)

func readKey(ctx context.Context, tx *db.Tx, domain string) (*MailKey, error) {
	row, err := tx.MailKeyGet(ctx, tx.TenantID, domain)
	if db.IsNoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	k := &MailKey{Domain: row.Domain, Name: mail.RecordName(row.Selector, row.Domain), Record: row.Record, Problem: row.Problem}
	if row.VerifiedAt != nil {
		k.VerifiedAt = *row.VerifiedAt
	}
	if row.CheckedAt != nil {
		k.CheckedAt = *row.CheckedAt
	}
	return k, nil
}

func (s *Service) openKey(ctx context.Context, tenant ids.Tenant, row db.MailKeyGetRow) (*mail.Key, error) {
	text, err := s.openSecret(ctx, tenant, keyPurpose, row.Private)
	if err != nil {
		return nil, err
	}
	return mail.ParseKey(row.Domain, row.Selector, []byte(text))
}

// senderDomain is the domain that the workspace's own mail is from.
//
// Errors: access.forbidden, delivery.key_missing.
func (s *Service) senderDomain(ctx context.Context, actor access.Actor) (domain string, key *MailKey, err error) {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return "", nil, err
	}
	err = s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		server, own, err := readServer(ctx, tx, MailServer{})
		if err != nil {
			return err
		}
		if !own {
			return errKeyMissing.With("Set up a mail server of your own first: only its mail is signed.")
		}
		domain = domainOf(server.FromAddress)
		key, err = readKey(ctx, tx, domain)
		return err
	})
	return domain, key, err
}

// CreateMailKey makes the key of the sender's domain. Nothing is signed with it
// before CheckMailKey has found it in the DNS.
//
// Errors: access.forbidden; delivery.key_missing without a server of its own.
func (s *Service) CreateMailKey(ctx context.Context, actor access.Actor) error {
	domain, old, err := s.senderDomain(ctx, actor)
	if err != nil || old != nil {
		return err
	}
	// A name of its own for each key: an old one may be in caches for days.
	key, err := mail.NewKey(domain, "df"+strings.ToLower(rand.Text()[:8]))
	if err != nil {
		return err
	}
	text, err := key.PEM()
	if err != nil {
		return err
	}
	record, err := key.Record()
	if err != nil {
		return err
	}
	sealed, err := s.sealSecret(ctx, actor.TenantID, keyPurpose, string(text))
	if err != nil {
		return err
	}
	return s.change(ctx, actor, audit.Entry{Action: "mail.key_created", Target: "mail", ID: domain}, func(ctx context.Context, tx *db.Tx) (int64, error) {
		return tx.MailKeyInsert(ctx, db.MailKeyInsertParams{TenantID: tx.TenantID, Domain: domain, Selector: key.Selector, Private: sealed, Record: record})
	})
}

// RemoveMailKey forgets the key of the sender's domain: mail is no longer signed.
//
// Errors: access.forbidden.
func (s *Service) RemoveMailKey(ctx context.Context, actor access.Actor) error {
	domain, _, err := s.senderDomain(ctx, actor)
	if err != nil {
		return err
	}
	return s.change(ctx, actor, audit.Entry{Action: "mail.key_removed", Target: "mail", ID: domain}, func(ctx context.Context, tx *db.Tx) (int64, error) {
		return tx.MailKeyDelete(ctx, tx.TenantID, domain)
	})
}

// CheckMailKey looks for the key of the sender's domain in the DNS. Mail is signed
// from then on, or no longer.
//
// Errors: access.forbidden, delivery.key_missing, mail.key_unproven,
// mail.no_answer.
func (s *Service) CheckMailKey(ctx context.Context, actor access.Actor) error {
	_, key, err := s.senderDomain(ctx, actor)
	if err != nil {
		return err
	}
	if key == nil {
		return errKeyMissing
	}
	found := s.look(ctx, *key)
	if ctx.Err() != nil {
		return found
	}
	entry := audit.Entry{Action: "mail.key_checked", Target: "mail", ID: key.Domain, Detail: map[string]any{"found": found == nil}}
	err = s.change(ctx, actor, entry, func(ctx context.Context, tx *db.Tx) (int64, error) { return keep(ctx, tx, *key, found) })
	return errors.Join(found, err)
}

// look asks the DNS for a key.
func (s *Service) look(ctx context.Context, k MailKey) error {
	selector, _, _ := strings.Cut(k.Name, ".")
	return mail.CheckRecord(ctx, s.deps.Resolver, selector, k.Domain, k.Record)
}

// keep writes down what a look found. A DNS that does not answer proves nothing.
func keep(ctx context.Context, tx *db.Tx, k MailKey, found error) (int64, error) {
	problem := ""
	if found != nil {
		problem = apperr.Describe(found).Sentence
	}
	return tx.MailKeySetChecked(ctx, db.MailKeySetCheckedParams{TenantID: tx.TenantID, Domain: k.Domain, Record: k.Record, Problem: problem,
		Found: found == nil, Gone: errors.Is(found, mail.ErrKeyUnproven)})
}

// checkKeys looks for keys in use once a day: a signature that nobody can check
// is worse than none.
func (s *Service) checkKeys(ctx context.Context, tenant ids.Tenant) error {
	var stale []db.MailKeyListStaleRow
	err := s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		stale, err = tx.MailKeyListStale(ctx, tx.TenantID)
		return err
	})
	if err != nil {
		return fmt.Errorf("list signing keys: %w", err)
	}
	for _, row := range stale {
		k := MailKey{Domain: row.Domain, Name: mail.RecordName(row.Selector, row.Domain), Record: row.Record}
		found := s.look(ctx, k)
		if ctx.Err() != nil {
			return found
		}
		err := s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
			_, err := keep(ctx, tx, k, found)
			return err
		})
		if err != nil {
			return fmt.Errorf("note check of signing key: %w", err)
		}
	}
	return nil
}

package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/mail"
)

// Attachment is a file that a message carries. It lies in the storage and
// belongs to whoever made it.
type Attachment struct {
	Name      string `json:"name"`
	MediaType string `json:"media_type"`
	Key       string `json:"key"`
	Bytes     int64  `json:"bytes"`
}

// Write puts a letter into words, for a message that its caller sends.
func (s *Service) Write(ctx context.Context, locale string, letter Letter) (Words, error) {
	return s.deps.Renderer.RenderLetter(ctx, locale, letter)
}

// Hand gives a message of a workspace to its mail server now and answers what
// that said; see mail.Sender.
func (s *Service) Hand(ctx context.Context, tenant ids.Tenant, m mail.Message, before func() error) (answer string, err error) {
	way, err := s.way(ctx, tenant)
	if err != nil {
		return "", err
	}
	return way.hand(ctx, m, before)
}

// handOurs is Hand by the installation's server, whatever the workspace has.
func (s *Service) handOurs(ctx context.Context, tenant ids.Tenant, m mail.Message, before func() error) (answer string, err error) {
	w := s.installed(tenant)
	if w.sender == nil {
		return "", errNoServer
	}
	return w.hand(ctx, m, before)
}

// Keep puts a message into the outbox of an installation that sends none, for
// its admins to see, under whose name it would have gone out. Idempotent by id.
func (s *Service) Keep(ctx context.Context, tx *db.Tx, id ids.Message, from string, to Recipient, kind string, words Words, files []Attachment) error {
	if err := errors.Join(mail.CheckAddress(to.Address), mail.CheckHeader(to.Name), mail.CheckHeader(words.Subject)); err != nil {
		return err
	}
	sealed, err := s.seal(ctx, ids.Tenant(tx.TenantID), body{Text: words.Text, HTML: words.HTML})
	if err != nil {
		return err
	}
	list, err := json.Marshal(files)
	if err != nil {
		return fmt.Errorf("encode attachments: %w", err)
	}
	err = tx.DeliveryInsert(ctx, db.DeliveryInsertParams{TenantID: tx.TenantID, MessageID: id.UUID(), Kind: kind, ToAddress: to.Address, ToName: to.Name,
		Subject: words.Subject, Body: sealed, Attachments: list, FromName: from})
	if err != nil {
		return fmt.Errorf("insert message: %w", err)
	}
	return nil
}

// OpenAttachment reads a file of a message, in a demo.
//
// Errors: access.forbidden, delivery.message_gone.
func (s *Service) OpenAttachment(ctx context.Context, actor access.Actor, id ids.Message, n int) (Attachment, io.ReadCloser, error) {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return Attachment{}, nil, err
	}
	if !s.deps.ShowBodies {
		return Attachment{}, nil, access.ErrForbidden
	}
	var files []Attachment
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.DeliveryGet(ctx, tx.TenantID, id.UUID())
		if db.IsNoRows(err) {
			return errMessageGone.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read message: %w", err)
		}
		return json.Unmarshal(row.Attachments, &files)
	})
	if err != nil {
		return Attachment{}, nil, err
	}
	if n < 0 || n >= len(files) {
		return Attachment{}, nil, errMessageGone
	}
	file, err := s.deps.Blobs.ReadRange(ctx, files[n].Key, 0, files[n].Bytes)
	if errors.Is(err, blob.ErrNotFound) {
		return Attachment{}, nil, errMessageGone.Wrap(err)
	}
	return files[n], file, err
}

// Package secrets keeps what a tenant must keep secret: passwords of
// connections, keys, tokens. Every tenant has an AES-256-GCM keyset of its own,
// wrapped by the installation's master key; the tenant's id is bound to both,
// so that neither a keyset nor a ciphertext can be moved to another tenant.
package secrets

import (
	"bytes"
	"fmt"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// ErrUndecryptable means a wrong master key, a damaged value or one of another
// tenant.
var ErrUndecryptable = apperr.Define(apperr.Internal, "secrets.undecryptable",
	"A stored secret can't be decrypted with this installation's master key.")

// Master wraps the keysets of all tenants. It is safe for concurrent use.
type Master struct{ key tink.AEAD }

// NewMaster takes the 32 bytes of the master key; package config refuses a
// missing or weak one.
func NewMaster(key []byte) (*Master, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("master key has %d bytes, want 32", len(key))
	}
	wrapping, err := subtle.NewAESGCM(key)
	if err != nil {
		return nil, fmt.Errorf("use master key: %w", err)
	}
	return &Master{key: wrapping}, nil
}

// Box encrypts and decrypts for one tenant. It is safe for concurrent use.
type Box struct {
	tenant []byte
	key    tink.AEAD
}

// NewBox encrypts for the installation itself, with a key of 32 bytes that was
// derived from the master key for this alone.
func NewBox(key []byte) (*Box, error) {
	master, err := NewMaster(key)
	if err != nil {
		return nil, err
	}
	return &Box{tenant: uuid.Nil[:], key: master.key}, nil
}

// NewKeyset makes a tenant's keyset and answers it wrapped, ready to be stored.
func (m *Master) NewKeyset(tenantID uuid.UUID) ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make keyset: %w", err)
	}
	return m.wrap(handle, tenantID)
}

// RotateKeyset adds a key to a wrapped keyset and makes it the one that new
// values are encrypted with. Values of the older keys stay readable.
func (m *Master) RotateKeyset(tenantID uuid.UUID, wrapped []byte) ([]byte, error) {
	handle, err := m.unwrap(wrapped, tenantID)
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManagerFromHandle(handle)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("add key: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, fmt.Errorf("choose key: %w", err)
	}
	if handle, err = manager.Handle(); err != nil {
		return nil, fmt.Errorf("rotate keyset: %w", err)
	}
	return m.wrap(handle, tenantID)
}

// Rewrap moves a wrapped keyset from master m to master next.
func (m *Master) Rewrap(next *Master, tenantID uuid.UUID, wrapped []byte) ([]byte, error) {
	handle, err := m.unwrap(wrapped, tenantID)
	if err != nil {
		return nil, err
	}
	return next.wrap(handle, tenantID)
}

// Open unwraps a tenant's keyset.
//
// Errors: secrets.undecryptable.
func (m *Master) Open(tenantID uuid.UUID, wrapped []byte) (*Box, error) {
	handle, err := m.unwrap(wrapped, tenantID)
	if err != nil {
		return nil, err
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("use keyset: %w", err)
	}
	return &Box{tenant: tenantID[:], key: key}, nil
}

func (m *Master) wrap(handle *keyset.Handle, tenantID uuid.UUID) ([]byte, error) {
	var out bytes.Buffer
	if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&out), m.key, tenantID[:]); err != nil {
		return nil, fmt.Errorf("wrap keyset: %w", err)
	}
	return out.Bytes(), nil
}

func (m *Master) unwrap(wrapped []byte, tenantID uuid.UUID) (*keyset.Handle, error) {
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(wrapped)), m.key, tenantID[:])
	if err != nil {
		return nil, ErrUndecryptable.Wrap(err)
	}
	return handle, nil
}

// Encrypt seals plaintext for one purpose, such as "data_sources.connection".
// The same purpose must be given to Decrypt.
func (b *Box) Encrypt(purpose string, plaintext []byte) ([]byte, error) {
	sealed, err := b.key.Encrypt(plaintext, b.associated(purpose))
	if err != nil {
		return nil, fmt.Errorf("encrypt %s: %w", purpose, err)
	}
	return sealed, nil
}

// Decrypt opens what Encrypt sealed.
//
// Errors: secrets.undecryptable.
func (b *Box) Decrypt(purpose string, sealed []byte) ([]byte, error) {
	plaintext, err := b.key.Decrypt(sealed, b.associated(purpose))
	if err != nil {
		return nil, ErrUndecryptable.Wrap(err)
	}
	return plaintext, nil
}

func (b *Box) associated(purpose string) []byte {
	return append(append([]byte{}, b.tenant...), purpose...)
}

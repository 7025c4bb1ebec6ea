package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/google/uuid"
)

// secretBytes is the random part of a secret.
const secretBytes = 32

// Secret is what a key or the address of a link says: its workspace and itself,
// and the proof of both, of which only the hash is stored.
type Secret struct {
	Tenant, ID uuid.UUID
	hash       []byte
}

// NewSecret draws a secret. Text is shown once; prefix begins it, so that one that
// got out is recognised.
func NewSecret(prefix string, tenant, id uuid.UUID) (text string, hash []byte) {
	raw := make([]byte, 32+secretBytes)
	copy(raw, tenant[:])
	copy(raw[16:], id[:])
	_, _ = rand.Read(raw[32:]) // never fails: it ends the process instead
	sum := sha256.Sum256(raw[32:])
	return prefix + base64.RawURLEncoding.EncodeToString(raw), sum[:]
}

// ParseSecret reads the text of one; nothing of it is proved yet.
func ParseSecret(prefix, text string) (Secret, bool) {
	if len(text) < len(prefix) || text[:len(prefix)] != prefix {
		return Secret{}, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text[len(prefix):])
	if err != nil || len(raw) != 32+secretBytes {
		return Secret{}, false
	}
	sum := sha256.Sum256(raw[32:])
	return Secret{uuid.UUID(raw[:16]), uuid.UUID(raw[16:32]), sum[:]}, true
}

// Proves tells whether the secret is the one whose hash is stored.
func (s Secret) Proves(stored []byte) bool {
	return subtle.ConstantTimeCompare(s.hash, stored) == 1
}

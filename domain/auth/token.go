package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// newToken draws 32 random bytes. Only their hash is stored; the text stands in
// a cookie or a link.
func newToken() (text string, hash []byte) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: it ends the process instead
	return base64.RawURLEncoding.EncodeToString(raw), hashToken(raw)
}

// parseToken answers the hash of a token's text, and whether it can be one.
func parseToken(text string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 32 {
		return nil, false
	}
	return hashToken(raw), true
}

func hashToken(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:]
}

package auth_test

import (
	"bytes"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/auth"
)

func TestSecretsNameTheirOwnerAndProveIt(t *testing.T) {
	t.Parallel()
	tenant, id := uuid.New(), uuid.New()
	text, hash := auth.NewSecret(auth.APIKeyPrefix, tenant, id)
	parsed, ok := auth.ParseSecret(auth.APIKeyPrefix, text)
	if !ok || parsed.Tenant != tenant || parsed.ID != id || !parsed.Proves(hash) {
		t.Fatalf("got %+v, %t", parsed, ok)
	}
	again, _ := auth.NewSecret(auth.APIKeyPrefix, tenant, id)
	other, ok := auth.ParseSecret(auth.APIKeyPrefix, again)
	if !ok || other.Proves(hash) || bytes.Contains([]byte(text), hash) {
		t.Error("another secret proves the same")
	}
	for _, wrong := range []string{"", auth.APIKeyPrefix, text[:len(text)-1], text + "A", text + "=", text[len(auth.APIKeyPrefix):], "x" + text} {
		if _, ok := auth.ParseSecret(auth.APIKeyPrefix, wrong); ok {
			t.Errorf("%q is taken for a key", wrong)
		}
	}
}

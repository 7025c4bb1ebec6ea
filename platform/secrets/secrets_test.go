package secrets_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/platform/secrets"
)

func master(t *testing.T) *secrets.Master {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	m, err := secrets.NewMaster(key)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t *testing.T, m *secrets.Master, tenant uuid.UUID, wrapped []byte) *secrets.Box {
	t.Helper()
	box, err := m.Open(tenant, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestValuesStayWithTheirTenantAndPurpose(t *testing.T) {
	t.Parallel()
	m := master(t)
	one, two := uuid.New(), uuid.New()
	wrapped, err := m.NewKeyset(one)
	if err != nil {
		t.Fatal(err)
	}
	box := open(t, m, one, wrapped)
	sealed, err := box.Encrypt("data_sources.connection", []byte("hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("hunter2")) {
		t.Fatal("the ciphertext holds the plaintext")
	}
	if plain, err := box.Decrypt("data_sources.connection", sealed); err != nil || string(plain) != "hunter2" {
		t.Fatalf("got %q, %v", plain, err)
	}
	if _, err := box.Decrypt("smtp.password", sealed); !errors.Is(err, secrets.ErrUndecryptable) {
		t.Errorf("another purpose: got %v", err)
	}
	if _, err := m.Open(two, wrapped); !errors.Is(err, secrets.ErrUndecryptable) {
		t.Errorf("another tenant's keyset: got %v", err)
	}
	if _, err := master(t).Open(one, wrapped); !errors.Is(err, secrets.ErrUndecryptable) {
		t.Errorf("another master key: got %v", err)
	}
}

func TestRotationKeepsOldValuesReadable(t *testing.T) {
	t.Parallel()
	m, tenant := master(t), uuid.New()
	wrapped, err := m.NewKeyset(tenant)
	if err != nil {
		t.Fatal(err)
	}
	old, err := open(t, m, tenant, wrapped).Encrypt("p", []byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := m.RotateKeyset(tenant, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	next := master(t)
	moved, err := m.Rewrap(next, tenant, rotated)
	if err != nil {
		t.Fatal(err)
	}
	box := open(t, next, tenant, moved)
	if plain, err := box.Decrypt("p", old); err != nil || string(plain) != "before" {
		t.Fatalf("got %q, %v", plain, err)
	}
	fresh, err := box.Encrypt("p", []byte("after"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, m, tenant, wrapped).Decrypt("p", fresh); err == nil {
		t.Error("the keyset before the rotation reads a value of after it")
	}
}

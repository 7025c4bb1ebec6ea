package auth_test

import (
	"context"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
)

func TestHashIsRenewedWithNewParameters(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "ada@example.com", access.Viewer)
	stored := func() string {
		var hash string
		err := f.db.InControlTx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			person, err := tx.PersonByEmail(ctx, "ada@example.com")
			if err == nil {
				hash = *person.PasswordHash
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	before := stored()
	f.signIn(t, "ada@example.com", password)
	if stored() != before {
		t.Error("the hash changed without a reason")
	}
	f.Service = auth.NewService(auth.Deps{DB: f.db, Tenants: f.tenants, Mailer: f.mail,
		Hashing: auth.Hashing{MemoryKiB: 128, Passes: 2, Lanes: 1}})
	f.signIn(t, "ada@example.com", password)
	after := stored()
	if !strings.Contains(after, "m=128,t=2,p=1") {
		t.Errorf("got %s, want the new parameters", after)
	}
	f.signIn(t, "ada@example.com", password)
	if stored() != after {
		t.Error("the hash changed twice")
	}
}

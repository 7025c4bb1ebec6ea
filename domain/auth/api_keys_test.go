package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
)

// newKey makes a key and answers its text and its id.
func (f *fixture) newKey(t *testing.T, by access.Actor, n auth.NewAPIKey) (text string, id ids.APIKey) {
	t.Helper()
	text, err := f.CreateAPIKey(t.Context(), by, n)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := f.ListAPIKeys(t.Context(), by)
	if err != nil {
		t.Fatal(err)
	}
	return text, list[0].ID
}

func TestAKeyActsWithItsRoleUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@one.example", access.Owner)
	_, owner := f.signIn(t, "owner@one.example", password)
	role := f.ownRole(t, owner.Actor, "Auditors", access.ViewAudit)
	text, id := f.newKey(t, owner.Actor, auth.NewAPIKey{Name: " Nightly  export ", Role: role, Attributes: tenants.Attributes{"region": {"EMEA"}}})
	actor, err := f.IdentifyAPIKey(t.Context(), text, client)
	if err != nil {
		t.Fatal(err)
	}
	if actor.Kind != access.Key || actor.TenantID != f.one.ID || actor.KeyID != id || actor.KeyName != "Nightly export" || !actor.UserID.IsZero() ||
		actor.Role != access.Viewer || actor.Custom == nil || actor.Attributes["region"][0] != "EMEA" || access.Can(actor, access.ViewAudit) != nil {
		t.Errorf("got %+v", actor)
	}
	for _, p := range []access.Permission{access.EditContent, access.ManageMembers, access.ManageSignIn} {
		if err := access.Can(actor, p); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("%s: got %v", p, err)
		}
	}
	list, _, err := f.ListAPIKeys(t.Context(), owner.Actor)
	if err != nil || len(list) != 1 || list[0].UsedAt.IsZero() || list[0].Role.Title() != "Auditors" {
		t.Errorf("got %+v, %v", list, err)
	}
	// Nothing of the secret is kept but a hash.
	err = f.db.InTenantTx(t.Context(), f.one.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.ApiKeyGet(ctx, tx.TenantID, id.UUID())
		if err == nil && (len(row.SecretHash) != 32 || strings.Contains(text, string(row.SecretHash))) {
			t.Errorf("what is stored is %x", row.SecretHash)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	roleID, _ := role.AsCustom()
	if err := f.tenants.DeleteRole(t.Context(), owner.Actor, roleID); !errors.Is(err, tenants.ErrRoleOfKey) {
		t.Errorf("a role that a key has: got %v", err)
	}
	if err := f.tenants.SaveRole(t.Context(), owner.Actor, roleID, "Authors", []access.Permission{access.EditContent}); err != nil {
		t.Fatal(err)
	}
	if actor, err = f.IdentifyAPIKey(t.Context(), text, client); err != nil || actor.Role != access.Editor || access.Can(actor, access.ViewAudit) == nil {
		t.Errorf("after a change of its role: got %+v, %v", actor, err)
	}
	if err := f.RevokeAPIKey(t.Context(), owner.Actor, id); err != nil {
		t.Fatal(err)
	}
	if err := f.RevokeAPIKey(t.Context(), owner.Actor, id); !errors.Is(err, auth.ErrAPIKeyNotFound) {
		t.Errorf("revoked twice: got %v", err)
	}
	if _, err := f.IdentifyAPIKey(t.Context(), text, client); !errors.Is(err, auth.ErrAPIKey) {
		t.Errorf("a revoked key: got %v", err)
	}
	if err := f.tenants.DeleteRole(t.Context(), owner.Actor, roleID); err != nil {
		t.Errorf("a role of revoked keys: got %v", err)
	}
	if got := f.audited(t, f.one); got[0] != "roles.deleted" || got[1] != "keys.revoked" || got[3] != "keys.created" {
		t.Errorf("got entries %v", got[:4])
	}
}

func TestKeysAreMadeByWhoMayGiveTheirRole(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for email, role := range map[string]access.Role{"owner@one.example": access.Owner, "admin@one.example": access.Admin, "editor@one.example": access.Editor} {
		f.user(t, f.one, email, role)
	}
	f.user(t, f.two, "owner@two.example", access.Owner)
	_, owner := f.signIn(t, "owner@one.example", password)
	_, admin := f.signIn(t, "admin@one.example", password)
	_, editor := f.signIn(t, "editor@one.example", password)
	_, foreign := f.signIn(t, "owner@two.example", password)
	people := admin.Actor
	people.Role, people.Custom = access.Viewer, &access.CustomRole{Permissions: []access.Permission{access.ViewContent, access.ManageMembers}}
	for name, tc := range map[string]struct {
		by   access.Actor
		n    auth.NewAPIKey
		want string
	}{
		"an editor":           {editor.Actor, auth.NewAPIKey{Name: "x", Role: access.Viewer}, "access.forbidden"},
		"an owner's key":      {owner.Actor, auth.NewAPIKey{Name: "x", Role: access.Owner}, "auth.key_invalid"},
		"no role":             {owner.Actor, auth.NewAPIKey{Name: "x"}, "auth.key_invalid"},
		"no name":             {owner.Actor, auth.NewAPIKey{Name: " ", Role: access.Viewer}, "auth.key_invalid"},
		"over before":         {owner.Actor, auth.NewAPIKey{Name: "x", Role: access.Viewer, ExpiresAt: time.Now().Add(-time.Hour)}, "auth.key_invalid"},
		"beyond one's own":    {people, auth.NewAPIKey{Name: "x", Role: access.Editor}, "tenants.beyond"},
		"of another's role":   {foreign.Actor, auth.NewAPIKey{Name: "x", Role: f.ownRole(t, owner.Actor, "Own")}, "tenants.invalid"},
		"an admin's, as one":  {admin.Actor, auth.NewAPIKey{Name: "x", Role: access.Admin}, ""},
		"a viewer's, as that": {people, auth.NewAPIKey{Name: "x", Role: access.Viewer}, ""},
	} {
		if _, err := f.CreateAPIKey(t.Context(), tc.by, tc.n); code(err) != tc.want {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
	text, id := f.newKey(t, admin.Actor, auth.NewAPIKey{Name: "admin's", Role: access.Admin})
	if err := f.RevokeAPIKey(t.Context(), people, id); code(err) != "tenants.beyond" {
		t.Errorf("revoked by less: got %v", err)
	}
	// Another workspace neither sees nor ends it.
	if list, _, err := f.ListAPIKeys(t.Context(), foreign.Actor); err != nil || len(list) != 0 {
		t.Errorf("another workspace sees %+v, %v", list, err)
	}
	if err := f.RevokeAPIKey(t.Context(), foreign.Actor, id); !errors.Is(err, auth.ErrAPIKeyNotFound) {
		t.Errorf("another workspace: got %v", err)
	}
	// Nor does a key make keys.
	actor, err := f.IdentifyAPIKey(t.Context(), text, client)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.CreateAPIKey(t.Context(), actor, auth.NewAPIKey{Name: "child", Role: access.Viewer}); code(err) != "tenants.beyond" {
		t.Errorf("a key makes a key: got %v", err)
	}
	if err := f.RevokeAPIKey(t.Context(), actor, id); code(err) != "tenants.beyond" {
		t.Errorf("a key ends a key: got %v", err)
	}
}

func TestWhatIsNoKeyIsRefusedAndCounted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@one.example", access.Owner)
	_, owner := f.signIn(t, "owner@one.example", password)
	text, _ := f.newKey(t, owner.Actor, auth.NewAPIKey{Name: "x", Role: access.Viewer, ExpiresAt: time.Now().Add(time.Hour)})
	forged, _ := auth.NewSecret(auth.APIKeyPrefix, f.one.ID.UUID(), ids.New[ids.APIKey]().UUID())
	at := func(n byte) auth.Client { return auth.Client{Address: "192.0.2." + string('0'+n)} }
	for n, bad := range []string{"", "x", auth.APIKeyPrefix, text[:len(text)-1], text + "A", strings.Replace(text, auth.APIKeyPrefix, "embed_key_", 1), forged,
		text[:len(text)-4] + "AAAA"} {
		if _, err := f.IdentifyAPIKey(t.Context(), bad, at(byte(n))); !errors.Is(err, auth.ErrAPIKey) {
			t.Errorf("%.20q: got %v", bad, err)
		}
	}
	tries := 0
	for tries < 100 {
		if _, err := f.IdentifyAPIKey(t.Context(), forged, auth.Client{Address: "192.0.2.99"}); errors.Is(err, auth.ErrThrottled) {
			break
		}
		tries++
	}
	if tries < 10 || tries == 100 {
		t.Errorf("%d guesses before a wait", tries)
	}
	// Who has a key does not wait for who guesses, and not to no end themselves.
	asked := 0
	var err error
	for asked < 200 {
		if _, err = f.IdentifyAPIKey(t.Context(), text, auth.Client{Address: "192.0.2.99"}); err != nil {
			break
		}
		asked++
	}
	var wait interface{ RetryAfterSeconds() int }
	if !errors.Is(err, auth.ErrAPIKeyRate) || asked < 60 || !errors.As(err, &wait) || wait.RetryAfterSeconds() < 1 {
		t.Errorf("%d questions, then %v", asked, err)
	}
}

// Where single sign-on is required, keys need an admin's leave.
func TestKeysUnderRequiredSingleSignOn(t *testing.T) {
	t.Parallel()
	f := federate(t)
	text, _ := f.newKey(t, f.owner.Actor, auth.NewAPIKey{Name: "x", Role: access.Viewer})
	f.test(t)
	if err := f.SetSSOOnly(t.Context(), f.owner, true, f.owner.Actor.UserID); err != nil {
		t.Fatal(err)
	}
	if actor, err := f.IdentifyAPIKey(t.Context(), text, client); !errors.Is(err, auth.ErrAPIKeySSO) || actor.KeyName != "x" {
		t.Errorf("got %+v, %v", actor, err)
	}
	editor := f.owner.Actor
	editor.Role = access.Editor
	if err := f.AllowAPIKeysWithSSO(t.Context(), editor, true); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("an editor allows it: got %v", err)
	}
	foreign := access.Actor{Kind: access.Person, TenantID: f.two.ID, Role: access.Owner}
	if err := f.AllowAPIKeysWithSSO(t.Context(), foreign, true); err != nil {
		t.Fatal(err)
	}
	if _, err := f.IdentifyAPIKey(t.Context(), text, client); !errors.Is(err, auth.ErrAPIKeySSO) {
		t.Errorf("another workspace has allowed it: got %v", err)
	}
	admin := f.owner.Actor
	admin.Role = access.Admin
	if err := f.AllowAPIKeysWithSSO(t.Context(), admin, true); err != nil {
		t.Fatal(err)
	}
	if _, err := f.IdentifyAPIKey(t.Context(), text, client); err != nil {
		t.Errorf("allowed: got %v", err)
	}
	if _, with, err := f.ListAPIKeys(t.Context(), admin); err != nil || !with {
		t.Errorf("got %v, %v", with, err)
	}
	if got := f.audited(t, f.one); got[0] != "keys.with_sso" {
		t.Errorf("got entries %v", got[:2])
	}
}

// TestKeysThatEndedAreListedAndWait makes as many keys as there can be, which are
// all listed; a role of expired ones can go; and who asks with a dead key waits.
func TestKeysThatEndedAreListedAndWait(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@one.example", access.Owner)
	_, owner := f.signIn(t, "owner@one.example", password)
	role := f.ownRole(t, owner.Actor, "Robots")
	soon := time.Now().Add(200 * time.Millisecond)
	dead, first := f.newKey(t, owner.Actor, auth.NewAPIKey{Name: "first", Role: role, ExpiresAt: soon})
	err := f.db.InTenantTx(t.Context(), f.one.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		for range 199 {
			if err := tx.ApiKeyInsert(ctx, db.ApiKeyInsertParams{TenantID: tx.TenantID, KeyID: ids.New[ids.APIKey]().UUID(), Name: "x", SecretHash: make([]byte, 32), Role: db.UserRoleViewer, Attributes: []byte("{}"), CreatedAt: time.Now()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := f.ListAPIKeys(t.Context(), owner.Actor)
	if err != nil || len(list) != 200 || list[199].ID != first {
		t.Fatalf("%d keys are listed, %v", len(list), err)
	}
	if _, err := f.CreateAPIKey(t.Context(), owner.Actor, auth.NewAPIKey{Name: "one more", Role: access.Viewer}); !errors.Is(err, auth.ErrAPIKeyMany) {
		t.Errorf("the 201st key: got %v", err)
	}
	for time.Now().Before(soon) {
		if _, err := f.GetSSO(t.Context(), owner.Actor); err != nil { // something else to do
			t.Fatal(err)
		}
	}
	for n := 0; ; n++ {
		_, err := f.IdentifyAPIKey(t.Context(), dead, client)
		if errors.Is(err, auth.ErrThrottled) {
			break
		}
		if !errors.Is(err, auth.ErrAPIKey) || n > 60 {
			t.Fatalf("request %d with an expired key: got %v", n+1, err)
		}
	}
	roleID, _ := role.AsCustom()
	if err := f.tenants.DeleteRole(t.Context(), owner.Actor, roleID); err != nil {
		t.Errorf("a role of an expired key: got %v", err)
	}
	if _, err := f.CreateAPIKey(t.Context(), owner.Actor, auth.NewAPIKey{Name: "one more", Role: access.Viewer}); err != nil {
		t.Errorf("in the place of one that ended: got %v", err)
	}
}

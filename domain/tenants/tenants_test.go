package tenants_test

import (
	"crypto/rand"
	"errors"
	"sync"
	"testing"

	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/plans"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

func setup(t *testing.T) *tenants.Service {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	master, err := secrets.NewMaster(key)
	if err != nil {
		t.Fatal(err)
	}
	return tenants.NewService(tenants.Deps{DB: dbtest.New(t), Master: master})
}

func TestCreateNamesTheAddress(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, tc := range []struct{ name, slug, want, code string }{
		{"Meridian Outfitters", "", "meridian-outfitters", ""},
		{"  Łódź & Söhne  ", "", "d-s-hne", ""},
		{"東京", "", "default", ""},
		{"Meridian Outfitters", "", "", "tenants.slug_taken"},
		{"A", "Not A Slug", "", "tenants.invalid"},
		{"A", "-a", "", "tenants.invalid"},
		{"", "fine", "", "tenants.invalid"},
	} {
		got, err := s.Create(t.Context(), tenants.New{Name: tc.name, Slug: tc.slug})
		code := ""
		if err != nil {
			code = apperr.Describe(err).Code
		}
		if got.Slug != tc.want || code != tc.code {
			t.Errorf("%q, %q: got %q, %v; want %q, %q", tc.name, tc.slug, got.Slug, err, tc.want, tc.code)
		}
	}
}

func TestConsoleFindsTheWorkspace(t *testing.T) {
	t.Parallel()
	s := setup(t)
	// Several first commands at once agree on one.
	var group sync.WaitGroup
	got := make([]ids.Tenant, 4)
	for n := range got {
		group.Go(func() {
			actor, err := s.ForConsole(t.Context(), "")
			if err != nil {
				t.Error(err)
			}
			got[n] = actor.TenantID
		})
	}
	group.Wait()
	for _, id := range got {
		if id != got[0] || id.IsZero() {
			t.Fatalf("got %v, want one workspace", got)
		}
	}
	acme, err := s.Create(t.Context(), tenants.New{Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	for slug, want := range map[string]ids.Tenant{"": got[0], "default": got[0], "acme": acme.ID} {
		if actor, err := s.ForConsole(t.Context(), slug); err != nil || actor.TenantID != want || actor.Kind != access.Console {
			t.Errorf("%q: got %+v, %v", slug, actor, err)
		}
	}
	if _, err := s.ForConsole(t.Context(), "nowhere"); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("an unknown one: got %v", err)
	}
}

func TestImportMakesTheWorkspaceItNames(t *testing.T) {
	t.Parallel()
	s := setup(t)
	first, err := s.ForImport(t.Context(), "acme", false)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.ForImport(t.Context(), "acme", true); err != nil || again.TenantID != first.TenantID {
		t.Errorf("the same again: got %+v, %v", again, err)
	}
	if _, err := s.ForImport(t.Context(), "acne", false); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("a mistyped one: got %v", err)
	}
	if other, err := s.ForImport(t.Context(), "other", true); err != nil || other.TenantID == first.TenantID || other.Kind != access.Console {
		t.Errorf("another: got %+v, %v", other, err)
	}
	if _, err := s.ForImport(t.Context(), "No such", true); !errors.Is(err, tenants.ErrInvalid) {
		t.Errorf("no address: got %v", err)
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("workspaces %+v, %v", all, err)
	}
}

func TestConsoleAsksWhichOfSeveral(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, name := range []string{"One", "Two"} {
		if _, err := s.Create(t.Context(), tenants.New{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.ForConsole(t.Context(), ""); !errors.Is(err, tenants.ErrAmbiguous) {
		t.Errorf("got %v", err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := setup(t)
	tenant, err := s.Create(t.Context(), tenants.New{Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	as := func(role access.Role) access.Actor {
		return access.Actor{Kind: access.Person, TenantID: tenant.ID, UserID: ids.New[ids.User](), Role: role}
	}
	console := access.Actor{Kind: access.Console, TenantID: tenant.ID}
	want := tenants.Settings{Name: "Acme Ltd", Zone: "Europe/London", Locale: "en-GB"}
	for role, allowed := range map[access.Role]bool{access.Viewer: false, access.Editor: false} {
		if err := s.SetSettings(t.Context(), as(role), want); (err == nil) != allowed {
			t.Errorf("%s: got %v", role, err)
		}
	}
	for field, bad := range map[string]tenants.Settings{
		"name":   {Name: " ", Zone: "UTC", Locale: "en-GB"},
		"zone":   {Name: "A", Zone: "Mars/Olympus", Locale: "en-GB"},
		"locale": {Name: "A", Zone: "UTC", Locale: "<script>"},
	} {
		err := s.SetSettings(t.Context(), console, bad)
		if fields, _ := apperr.Fields(err); fields[field] == "" {
			t.Errorf("%s: got %v", field, err)
		}
	}
	if err := s.SetSettings(t.Context(), console, want); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPlan(t.Context(), console, plans.Enterprise); err != nil {
		t.Fatal(err)
	}
	want.Slug, want.Plan = "acme", plans.Enterprise
	if got, err := s.GetSettings(t.Context(), as(access.Viewer)); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

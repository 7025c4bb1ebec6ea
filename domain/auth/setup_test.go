package auth_test

import (
	"errors"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/tenants"
)

func setupForm() auth.Setup {
	return auth.Setup{Workspace: "Acme", Name: "Ada", Email: "ada@example.com", Password: password}
}

func TestSetupLinkMakesTheFirstOwnerOnce(t *testing.T) {
	t.Parallel()
	f := emptySetup(t)
	stale, err := f.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	link, err := f.SetupLink(t.Context())
	if err != nil || link == "" {
		t.Fatalf("got %q, %v", link, err)
	}
	if _, err := f.CompleteSetup(t.Context(), linkToken(t, stale), setupForm(), client); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("the older link: got %v", err)
	}
	form := setupForm()
	form.Password = "short"
	if _, err := f.CompleteSetup(t.Context(), linkToken(t, link), form, client); code(err) != "auth.invalid" {
		t.Errorf("a short password: got %v", err)
	}
	opened, err := f.CompleteSetup(t.Context(), linkToken(t, link), setupForm(), client)
	if err != nil {
		t.Fatal(err)
	}
	if i := f.identify(t, opened.Token); i.Actor.Role != access.Owner || i.TenantName != "Acme" || i.TenantSlug != "acme" {
		t.Errorf("got %+v", i)
	}
	if _, err := f.CompleteSetup(t.Context(), linkToken(t, link), setupForm(), client); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("used twice: got %v", err)
	}
	if link, err := f.SetupLink(t.Context()); err != nil || link != "" {
		t.Errorf("once somebody can sign in: got %q, %v", link, err)
	}
}

// Commands of the shell may have loaded data before anybody signed in.
func TestSetupTakesOverTheWorkspaceOfTheShell(t *testing.T) {
	t.Parallel()
	f := emptySetup(t)
	shell, err := f.tenants.ForConsole(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	link, err := f.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := f.CompleteSetup(t.Context(), linkToken(t, link), setupForm(), client)
	if err != nil {
		t.Fatal(err)
	}
	i := f.identify(t, opened.Token)
	if i.Actor.TenantID != shell.TenantID || i.TenantName != "Acme" || i.TenantSlug != tenants.DefaultSlug {
		t.Errorf("got workspace %s %q %q", i.Actor.TenantID, i.TenantName, i.TenantSlug)
	}
}

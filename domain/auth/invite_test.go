package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/plans"
	"github.com/dataflowhq/dataflow/domain/tenants"
)

func (f *fixture) lastInvite(t *testing.T) string {
	t.Helper()
	letter, ok := f.mail.letters[len(f.mail.letters)-1].(delivery.Invitation)
	if !ok {
		t.Fatalf("got letter %+v", f.mail.letters)
	}
	return linkToken(t, letter.Link)
}

func TestInvitedPersonChoosesAPasswordAndIsIn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "admin@example.com", access.Admin)
	_, admin := f.signIn(t, "admin@example.com", password)
	made, err := f.Invite(t.Context(), admin, "mara@example.com", access.Editor)
	if err != nil {
		t.Fatal(err)
	}
	id := made.UserID
	if linkToken(t, made.Link) != f.lastInvite(t) {
		t.Errorf("answered %q, mailed another link", made.Link)
	}
	if _, err := f.SignIn(t.Context(), "mara@example.com", "", false, client); !errors.Is(err, auth.ErrWrongPassword) {
		t.Errorf("before joining: got %v", err)
	}
	if err := f.RequestReset(t.Context(), "mara@example.com", client); err != nil || len(f.mail.letters) != 1 {
		t.Errorf("a reset before joining: %v, %d letters", err, len(f.mail.letters))
	}
	page, err := f.tenants.ListMembers(t.Context(), admin.Actor, tenants.MemberQuery{Search: "MARA"})
	if err != nil || page.Found != 1 || page.All != 2 || page.Members[0].InvitedAt.IsZero() || !page.Members[0].SeenAt.IsZero() {
		t.Errorf("in the list: got %+v, %v", page, err)
	}
	stale := f.lastInvite(t)
	if _, err := f.ResendInvite(t.Context(), admin, id); err != nil {
		t.Fatal(err)
	}
	token := f.lastInvite(t)
	if _, err := f.CheckInvite(t.Context(), stale); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("the older link: got %v", err)
	}
	inv, err := f.CheckInvite(t.Context(), token)
	if err != nil || inv.Workspace != "One" || inv.Role.Value() != access.Editor || inv.Email != "mara@example.com" || inv.HasAccount {
		t.Errorf("got %+v, %v", inv, err)
	}
	if _, err := f.AcceptInvite(t.Context(), token, "", "short", client); code(err) != "auth.invalid" {
		t.Errorf("without a name: got %v", err)
	}
	opened, err := f.AcceptInvite(t.Context(), token, "Mara", password, client)
	if err != nil {
		t.Fatal(err)
	}
	if i := f.identify(t, opened.Token); i.Actor.UserID != id || i.Actor.Role != access.Editor || i.Name != "Mara" {
		t.Errorf("got %+v", i)
	}
	if _, err := f.AcceptInvite(t.Context(), token, "Mara", password, client); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("used twice: got %v", err)
	}
	if _, err := f.ResendInvite(t.Context(), admin, id); !errors.Is(err, tenants.ErrMemberNotFound) {
		t.Errorf("an invitation of somebody who has joined: got %v", err)
	}
}

// The link was sent to an address; whoever reads it must not get into the
// person's other workspaces by it.
func TestInvitationLetsNobodyIntoAnExistingAccount(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@example.com", access.Owner)
	f.user(t, f.two, "ada@example.com", access.Owner)
	_, owner := f.signIn(t, "owner@example.com", password)
	if _, err := f.Invite(t.Context(), owner, "Ada@example.com", access.Viewer); err != nil {
		t.Fatal(err)
	}
	token := f.lastInvite(t)
	if _, ada := f.signIn(t, "ada@example.com", password); len(ada.Workspaces) != 1 {
		t.Errorf("a member before joining: %+v", ada.Workspaces)
	}
	opened, err := f.AcceptInvite(t.Context(), token, "Eve", other, client)
	if err != nil || opened.Token != "" {
		t.Errorf("got session %q, %v", opened.Token, err)
	}
	if _, err := f.SignIn(t.Context(), "ada@example.com", other, false, client); !errors.Is(err, auth.ErrWrongPassword) {
		t.Errorf("the link changed the password: %v", err)
	}
	if _, ada := f.signIn(t, "ada@example.com", password); len(ada.Workspaces) != 2 || ada.Name != "Ada" {
		t.Errorf("after joining: %+v", ada)
	}
}

func TestInvitationsKeepToTheRules(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@example.com", access.Owner)
	f.user(t, f.one, "admin@example.com", access.Admin)
	f.user(t, f.one, "editor@example.com", access.Editor)
	_, owner := f.signIn(t, "owner@example.com", password)
	_, admin := f.signIn(t, "admin@example.com", password)
	_, editor := f.signIn(t, "editor@example.com", password)
	for name, tc := range map[string]struct {
		as    auth.Identity
		email string
		role  access.Role
		want  string
	}{
		"editors invite nobody":   {editor, "x@example.com", access.Viewer, "access.forbidden"},
		"admins invite no owners": {admin, "x@example.com", access.Owner, "tenants.owner_only"},
		"a member":                {admin, "EDITOR@example.com", access.Viewer, "auth.email_taken"},
		"no address":              {admin, "editor", access.Viewer, "auth.invalid"},
		"no role":                 {admin, "x@example.com", "root", "auth.invalid"},
		"owners invite owners":    {owner, "x@example.com", access.Owner, ""},
	} {
		if _, err := f.Invite(t.Context(), tc.as, tc.email, tc.role); code(err) != tc.want {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
	console := access.Actor{Kind: access.Console, TenantID: f.one.ID}
	if err := f.tenants.SetPlan(t.Context(), console, plans.Starter); err != nil {
		t.Fatal(err)
	}
	for n := 4; n < plans.Starter.Limits().Seats; n++ {
		if _, err := f.Invite(t.Context(), owner, string(rune('a'+n))+"@example.com", access.Viewer); err != nil {
			t.Fatalf("seat %d: %v", n+1, err)
		}
	}
	if _, err := f.Invite(t.Context(), owner, "full@example.com", access.Viewer); !errors.Is(err, tenants.ErrNoSeat) {
		t.Errorf("one too many: got %v", err)
	}
}

func TestWithdrawnInvitationIsWorthNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@example.com", access.Owner)
	_, owner := f.signIn(t, "owner@example.com", password)
	made, err := f.Invite(t.Context(), owner, "mara@example.com", access.Owner)
	if err != nil {
		t.Fatal(err)
	}
	id := made.UserID
	// An owner who has not joined yet is not the one that has to stay.
	if err := f.tenants.SetRole(t.Context(), owner.Actor, owner.Actor.UserID, access.Viewer); !errors.Is(err, tenants.ErrLastOwner) {
		t.Errorf("stepping down: got %v", err)
	}
	token := f.lastInvite(t)
	if err := f.tenants.RemoveMember(t.Context(), owner.Actor, id); err != nil {
		t.Fatal(err)
	}
	if _, err := f.AcceptInvite(t.Context(), token, "Mara", password, client); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("got %v", err)
	}
	again, err := f.Invite(t.Context(), owner, "mara@example.com", access.Viewer)
	if err != nil || again.UserID != id {
		t.Errorf("invited again: got %v, %v; want the same user %s", again, err, id)
	}
}

func TestWhoIsRemovedIsOutAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@example.com", access.Owner)
	ada := f.user(t, f.one, "ada@example.com", access.Editor)
	f.user(t, f.two, "ada@example.com", access.Editor)
	_, owner := f.signIn(t, "owner@example.com", password)
	inOne, i := f.signIn(t, "ada@example.com", password)
	if i.Actor.TenantID != f.one.ID {
		t.Fatalf("signed in to %s", i.TenantName)
	}
	if err := f.tenants.RemoveMember(t.Context(), owner.Actor, ada); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Identify(t.Context(), inOne, false); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("the session: got %v", err)
	}
	if _, i := f.signIn(t, "ada@example.com", password); i.Actor.TenantID != f.two.ID || len(i.Workspaces) != 1 {
		t.Errorf("afterwards in %+v", i.Workspaces)
	}
}

// TestEveryChangeIsInTheAudit reads the entries of a short story.
func TestEveryChangeIsInTheAudit(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@example.com", access.Owner)
	if _, err := f.SignIn(t.Context(), "owner@example.com", "wrong wrong wrong", false, client); !errors.Is(err, auth.ErrWrongPassword) {
		t.Fatal(err)
	}
	_, owner := f.signIn(t, "owner@example.com", password)
	made, err := f.Invite(t.Context(), owner, "mara@example.com", access.Editor)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.tenants.SetRole(t.Context(), owner.Actor, made.UserID, access.Viewer); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ChangePassword(t.Context(), owner, password, other); err != nil {
		t.Fatal(err)
	}
	if err := f.SignOut(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	var got []string
	err = f.db.InTenantTx(t.Context(), f.one.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.AuditList(ctx, db.AuditListParams{TenantID: f.one.ID.UUID(), BeforeAt: time.Now().Add(time.Hour), Actions: []string{}, FoundActions: []string{}, Patterns: []string{}, RowLimit: 50})
		for _, row := range rows {
			got = append([]string{row.Action}, got...)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"workspace.created", "members.added", "auth.sign_in_failed", "auth.signed_in", "members.invited",
		"members.role_changed", "auth.password_changed", "auth.signed_out"}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for n := range want {
		if got[n] != want[n] {
			t.Errorf("entry %d: got %s, want %s", n+1, got[n], want[n])
		}
	}
}

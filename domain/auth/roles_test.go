package auth_test

import (
	"errors"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// ownRole makes a role of workspace One.
func (f *fixture) ownRole(t *testing.T, by access.Actor, name string, permissions ...access.Permission) access.Role {
	t.Helper()
	id, err := f.tenants.CreateRole(t.Context(), by, name, permissions)
	if err != nil {
		t.Fatal(err)
	}
	return access.CustomRole{ID: id}.Value()
}

// A role of the workspace's own allows what it lists from the next request on,
// and is gone when it is taken away.
func TestOwnRolesCountAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@one.example", access.Owner)
	f.user(t, f.one, "ada@one.example", access.Viewer)
	_, owner := f.signIn(t, "owner@one.example", password)
	token, ada := f.signIn(t, "ada@one.example", password)
	id := ada.Actor.UserID
	role := f.ownRole(t, owner.Actor, "  Audit   team ", access.ViewAudit)
	if err := f.tenants.SetRole(t.Context(), owner.Actor, id, role); err != nil {
		t.Fatal(err)
	}
	ada = f.identify(t, token)
	if ada.Actor.Custom == nil || ada.Actor.Custom.Name != "Audit team" || ada.Actor.Role != access.Viewer {
		t.Fatalf("got %+v", ada.Actor)
	}
	if err := access.Can(ada.Actor, access.ViewAudit); err != nil {
		t.Error(err)
	}
	if err := access.Can(ada.Actor, access.ManageWorkspace); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("got %v", err)
	}
	// Jobs act with it too.
	if acting, err := f.tenants.GetActor(t.Context(), f.one.ID, id); err != nil || acting.Custom == nil || access.Can(acting, access.ViewAudit) != nil {
		t.Errorf("got %+v, %v", acting, err)
	}
	roleID, _ := role.AsCustom()
	if err := f.tenants.SaveRole(t.Context(), owner.Actor, roleID, "Authors", []access.Permission{access.EditContent}); err != nil {
		t.Fatal(err)
	}
	ada = f.identify(t, token)
	if ada.Actor.Role != access.Editor || access.Can(ada.Actor, access.EditContent) != nil || access.Can(ada.Actor, access.ViewAudit) == nil {
		t.Errorf("after a change of the role: %+v", ada.Actor)
	}
	if err := f.tenants.DeleteRole(t.Context(), owner.Actor, roleID); !errors.Is(err, tenants.ErrRoleUsed) {
		t.Errorf("a role that somebody has: got %v", err)
	}
	if err := f.tenants.SetRole(t.Context(), owner.Actor, id, access.Viewer); err != nil {
		t.Fatal(err)
	}
	if ada = f.identify(t, token); ada.Actor.Custom != nil || ada.Actor.Role != access.Viewer {
		t.Errorf("got %+v", ada.Actor)
	}
	if err := f.tenants.DeleteRole(t.Context(), owner.Actor, roleID); err != nil {
		t.Error(err)
	}
	if err := f.tenants.SetRole(t.Context(), owner.Actor, id, role); !errors.Is(err, tenants.ErrInvalid) {
		t.Errorf("a role that was removed is given: %v", err)
	}
}

// Who manages people under a role of the workspace's own hands out, changes and
// takes away nothing that is beyond it.
func TestNobodyGivesMoreThanTheyHave(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@one.example", access.Owner)
	admin := f.user(t, f.one, "admin@one.example", access.Admin)
	viewer := f.user(t, f.one, "viewer@one.example", access.Viewer)
	f.user(t, f.one, "people@one.example", access.Viewer)
	_, owner := f.signIn(t, "owner@one.example", password)
	people := f.ownRole(t, owner.Actor, "People", access.ManageMembers)
	audits := f.ownRole(t, owner.Actor, "Auditors", access.ViewAudit)
	token, me := f.signIn(t, "people@one.example", password)
	if err := f.tenants.SetRole(t.Context(), owner.Actor, me.Actor.UserID, people); err != nil {
		t.Fatal(err)
	}
	me = f.identify(t, token)
	peopleID, _ := people.AsCustom()
	auditsID, _ := audits.AsCustom()
	ctx := t.Context()
	invited := func(email string, role access.Role) ids.User {
		made, err := f.Invite(ctx, owner, email, role)
		if err != nil {
			t.Fatal(err)
		}
		return made.UserID
	}
	invitedOwner, invitedAdmin := invited("next@one.example", access.Owner), invited("more@one.example", access.Admin)
	for name, try := range map[string]func() error{
		"invites an admin again": func() error { _, err := f.ResendInvite(ctx, me, invitedAdmin); return err },
		"makes an editor":        func() error { return f.tenants.SetRole(ctx, me.Actor, viewer, access.Editor) },
		"makes an admin":         func() error { return f.tenants.SetRole(ctx, me.Actor, viewer, access.Admin) },
		"makes an auditor":       func() error { return f.tenants.SetRole(ctx, me.Actor, viewer, audits) },
		"takes from admins":      func() error { return f.tenants.SetRole(ctx, me.Actor, admin, access.Viewer) },
		"becomes an auditor":     func() error { return f.tenants.SetRole(ctx, me.Actor, me.Actor.UserID, audits) },
		"removes an admin":       func() error { return f.tenants.RemoveMember(ctx, me.Actor, admin) },
		"looks as an admin":      func() error { _, err := f.tenants.ViewAs(ctx, me.Actor, admin); return err },
		"invites an admin":       func() error { _, err := f.Invite(ctx, me, "x@one.example", access.Admin); return err },
		"invites an auditor":     func() error { _, err := f.Invite(ctx, me, "x@one.example", audits); return err },
		"resets an admin":        func() error { return f.ResetFactor(ctx, me, admin) },
		"makes a wider role": func() error {
			_, err := f.tenants.CreateRole(ctx, me.Actor, "Wide", []access.Permission{access.ManageData})
			return err
		},
		"widens their own": func() error {
			return f.tenants.SaveRole(ctx, me.Actor, peopleID, "People", []access.Permission{access.ManageMembers, access.EditContent})
		},
		"narrows another": func() error { return f.tenants.SaveRole(ctx, me.Actor, auditsID, "Auditors", nil) },
		"deletes another": func() error { return f.tenants.DeleteRole(ctx, me.Actor, auditsID) },
	} {
		if err := try(); !errors.Is(err, tenants.ErrBeyond) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, try := range map[string]func() error{
		"makes an owner":         func() error { return f.tenants.SetRole(ctx, me.Actor, viewer, access.Owner) },
		"invites an owner again": func() error { _, err := f.ResendInvite(ctx, me, invitedOwner); return err },
		"removes an owner":       func() error { return f.tenants.RemoveMember(ctx, me.Actor, owner.Actor.UserID) },
	} {
		if err := try(); !errors.Is(err, tenants.ErrOwnerOnly) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, try := range map[string]func() error{
		"gives their own": func() error { return f.tenants.SetRole(ctx, me.Actor, viewer, people) },
		"takes it":        func() error { return f.tenants.SetRole(ctx, me.Actor, viewer, access.Viewer) },
		"invites":         func() error { _, err := f.Invite(ctx, me, "y@one.example", people); return err },
		"makes a narrow role": func() error {
			_, err := f.tenants.CreateRole(ctx, me.Actor, "Narrow", nil)
			return err
		},
	} {
		if err := try(); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// An admin is bounded in the same way: what owners alone may is in no role.
	_, other := f.signIn(t, "admin@one.example", password)
	for _, p := range []access.Permission{access.ManageSignIn, access.DeleteWorkspace, "root", ""} {
		for _, actor := range []access.Actor{other.Actor, owner.Actor} {
			if _, err := f.tenants.CreateRole(ctx, actor, "Root", []access.Permission{p}); apperr.Describe(err).Code != "tenants.role_invalid" {
				t.Errorf("a role with %q: got %v", p, err)
			}
		}
	}
	for _, name := range []string{"", " ", "Owner", "viewer", "auditors", string(make([]byte, 3))} {
		if _, err := f.tenants.CreateRole(ctx, owner.Actor, name, nil); !errors.Is(err, tenants.ErrRoleInvalid) {
			t.Errorf("a role called %q: got %v", name, err)
		}
	}
}

// Roles of one workspace do not exist for another.
func TestRolesAreOfOneWorkspace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@one.example", access.Owner)
	theirs := f.user(t, f.two, "owner@two.example", access.Owner)
	other := f.user(t, f.two, "viewer@two.example", access.Viewer)
	_, owner := f.signIn(t, "owner@one.example", password)
	role := f.ownRole(t, owner.Actor, "Auditors", access.ViewAudit)
	id, _ := role.AsCustom()
	foreign := access.Actor{Kind: access.Person, TenantID: f.two.ID, UserID: theirs, Role: access.Owner}
	if list, err := f.tenants.ListRoles(t.Context(), foreign); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v", list, err)
	}
	for name, err := range map[string]error{
		"get":    second(f.tenants.GetRole(t.Context(), foreign, id)),
		"save":   f.tenants.SaveRole(t.Context(), foreign, id, "Mine", nil),
		"delete": f.tenants.DeleteRole(t.Context(), foreign, id),
	} {
		if !errors.Is(err, tenants.ErrRoleNotFound) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := f.tenants.SetRole(t.Context(), foreign, other, role); !errors.Is(err, tenants.ErrInvalid) {
		t.Errorf("a foreign role is given: %v", err)
	}
	if _, err := f.CreateUser(t.Context(), auth.NewUser{TenantID: f.two.ID, Email: "new@two.example", Role: role}); err == nil {
		t.Error("a foreign role is given to a new user")
	}
	for _, actor := range []access.Actor{{Kind: access.Person, TenantID: f.one.ID, UserID: ids.New[ids.User](), Role: access.Editor},
		{Kind: access.Visitor, TenantID: f.one.ID, Role: access.Viewer}} {
		if _, err := f.tenants.ListRoles(t.Context(), actor); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("%s lists roles: %v", actor.Kind, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// A workspace's own role can need a second factor, beside its standing's.
func TestOwnRolesCanNeedASecondFactor(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@one.example", access.Owner)
	ada := f.user(t, f.one, "ada@one.example", access.Viewer)
	_, owner := f.signIn(t, "owner@one.example", password)
	token, _ := f.signIn(t, "ada@one.example", password)
	role := f.ownRole(t, owner.Actor, "Auditors", access.ViewAudit)
	if err := f.SetSecurity(t.Context(), owner, auth.Security{SecondFactor: []access.Role{role}}); err != nil {
		t.Fatal(err)
	}
	if f.identify(t, token).MustEnrol {
		t.Error("a viewer has to enrol")
	}
	if err := f.tenants.SetRole(t.Context(), owner.Actor, ada, role); err != nil {
		t.Fatal(err)
	}
	if i := f.identify(t, token); !i.MustEnrol {
		t.Error("an auditor need not enrol")
	} else if factor, err := f.GetFactor(t.Context(), i); err != nil || !factor.Required {
		t.Errorf("got %+v, %v", factor, err)
	}
}

// A provider's group can be given a role of the workspace's own, which can't be
// removed for as long as a connection names it.
func TestAProvidersGroupBecomesAnOwnRole(t *testing.T) {
	t.Parallel()
	f := federate(t)
	role := f.ownRole(t, f.owner.Actor, "Auditors", access.ViewAudit)
	id, _ := role.AsCustom()
	settings := auth.SAMLSettings{Source: auth.FromXML, XML: f.Metadata(), JustInTime: true, SkewSeconds: 60,
		Mapping: auth.Mapping{Email: "email", Name: "name", Groups: "groups"}}
	settings.Mapping.Roles = []auth.RoleRule{{Group: "bi-audit", Role: role}}
	if err := f.SaveSAML(t.Context(), f.owner, auth.Members(f.owner.TenantSlug), true, settings); err != nil {
		t.Fatal(err)
	}
	mara := f.enter(t, "mara", "bi-audit")
	if a := mara.Actor; a.Custom == nil || a.Custom.ID != id || access.Can(a, access.ViewAudit) != nil || access.Can(a, access.EditContent) == nil {
		t.Errorf("got %+v", a)
	}
	if err := f.tenants.DeleteRole(t.Context(), f.owner.Actor, id); !errors.Is(err, tenants.ErrRoleMapped) {
		t.Errorf("a mapped role: got %v", err)
	}
	if mara = f.enter(t, "mara"); mara.Actor.Custom != nil || mara.Actor.Role != access.Viewer {
		t.Errorf("without the group: got %+v", mara.Actor)
	}
	settings.Mapping.Roles = []auth.RoleRule{{Group: "bi-audit", Role: access.Viewer}}
	if err := f.SaveSAML(t.Context(), f.owner, auth.Members(f.owner.TenantSlug), true, settings); err != nil {
		t.Fatal(err)
	}
	if err := f.tenants.DeleteRole(t.Context(), f.owner.Actor, id); err != nil {
		t.Error(err)
	}
	settings.Mapping.Roles = []auth.RoleRule{{Group: "bi-audit", Role: role}}
	if err := f.SaveSAML(t.Context(), f.owner, auth.Members(f.owner.TenantSlug), true, settings); !errors.Is(err, auth.ErrConnection) {
		t.Errorf("a role that is gone: got %v", err)
	}
}

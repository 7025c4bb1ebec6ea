package access_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// customs are all roles that a workspace can make: every set of permissions.
func customs() []access.CustomRole {
	var list []access.CustomRole
	for set := range 1 << len(access.Grantable) {
		role := access.CustomRole{ID: ids.New[ids.Role]()}
		for n, p := range access.Grantable {
			if set&(1<<n) != 0 {
				role.Permissions = append(role.Permissions, p)
			}
		}
		list = append(list, role)
	}
	return list
}

func withRole(role access.CustomRole, id ids.User) access.Actor {
	return access.Actor{Kind: access.Person, TenantID: ids.New[ids.Tenant](), UserID: id, Role: role.Standing(), Custom: &role}
}

// Every role that a workspace can make allows what it lists and nothing else, to
// objects as far as they are shared with its standing.
func TestCustomRolesMayWhatTheyList(t *testing.T) {
	t.Parallel()
	me := ids.New[ids.User]()
	lists := map[string][]uuid.UUID{"everybody": nil, "nobody": {}, "me": {me.UUID()}, "viewers": {access.Viewers}, "editors": {access.Editors}, "others": {uuid.New()}}
	for _, role := range customs() {
		actor := withRole(role, me)
		edits := slices.Contains(role.Permissions, access.EditContent)
		among := func(list string) bool {
			return list == "everybody" || list == "me" || list == "viewers" || list == "editors" && edits
		}
		for _, p := range access.Permissions {
			var want error
			if !slices.Contains(role.Permissions, p) {
				want = access.ErrForbidden
			}
			if got := access.Can(actor, p); !errors.Is(got, want) {
				t.Errorf("%v: %s answers %v, want %v", role.Permissions, p, got, want)
			}
			for readers, r := range lists {
				for writers, w := range lists {
					want := want
					switch {
					case !among(readers):
						want = access.ErrHidden
					case want == nil && p != access.ViewContent && !among(writers):
						want = access.ErrViewOnly
					}
					if got := access.Can(actor, p, access.Object{Readers: r, Writers: w}); !errors.Is(got, want) {
						t.Fatalf("%v, read by %s, written by %s: %s answers %v, want %v", role.Permissions, readers, writers, p, got, want)
					}
				}
			}
		}
		for _, p := range []access.Permission{access.ManageSignIn, access.DeleteWorkspace} {
			if slices.Contains(access.Grantable, p) || access.Can(actor, p) == nil {
				t.Errorf("%v: %s is not an owner's alone", role.Permissions, p)
			}
		}
	}
}

// Who covers a role could do all that it allows by themselves: the whole matrix
// of roles, each against each.
func TestNobodyCoversMoreThanTheyMay(t *testing.T) {
	t.Parallel()
	type one struct {
		role   access.Role
		custom *access.CustomRole
	}
	var all []one
	for _, role := range []access.Role{access.Owner, access.Admin, access.Editor, access.Viewer} {
		all = append(all, one{role: role})
	}
	for _, role := range customs() {
		all = append(all, one{role.Standing(), &role})
	}
	as := func(o one) access.Actor {
		return access.Actor{Kind: access.Person, TenantID: ids.New[ids.Tenant](), UserID: ids.New[ids.User](), Role: o.role, Custom: o.custom}
	}
	hidden := access.Object{Readers: []uuid.UUID{}, Writers: []uuid.UUID{}}
	forEditors := access.Object{Readers: []uuid.UUID{access.Editors}}
	reach := func(a access.Actor) (may []bool) {
		for _, p := range access.Permissions {
			may = append(may, access.Can(a, p) == nil)
		}
		// What is shared with nobody and with editors alone: that it is there at all.
		for _, o := range []access.Object{hidden, forEditors} {
			may = append(may, !errors.Is(access.Can(a, access.ViewContent, o), access.ErrHidden))
		}
		return may
	}
	for _, giver := range all {
		actor := as(giver)
		own := reach(actor)
		for _, given := range all {
			want := true
			for n, may := range reach(as(given)) {
				want = want && (own[n] || !may)
			}
			if got := actor.Covers(given.role, given.custom); got != want {
				t.Fatalf("%s %v covers %s %v: %t, want %t", giver.role, giver.custom, given.role, given.custom, got, want)
			}
		}
	}
	for _, kind := range []access.Kind{access.Visitor, access.Program} {
		if (access.Actor{Kind: kind, TenantID: ids.New[ids.Tenant](), Role: access.Viewer}).Covers(access.Viewer, nil) {
			t.Errorf("a %s gives roles", kind)
		}
	}
	if !(access.Actor{Kind: access.Console}).Covers(access.Owner, nil) {
		t.Error("the console can't make owners")
	}
}

func TestRolesAreNamedByWordOrID(t *testing.T) {
	t.Parallel()
	role := access.CustomRole{ID: ids.New[ids.Role]()}
	if id, own := role.Value().AsCustom(); !own || id != role.ID {
		t.Errorf("%s: got %v, %t", role.Value(), id, own)
	}
	for _, text := range []access.Role{access.Owner, access.Viewer, "", "root", "{" + role.Value() + "}", "urn:uuid:" + role.Value()} {
		if _, own := text.AsCustom(); own {
			t.Errorf("%q is taken for a role of a workspace's own", text)
		}
	}
}

// A key does what somebody of its role does, but for what is shared by name.
func TestKeysMayWhatTheirRoleMay(t *testing.T) {
	t.Parallel()
	tenant := ids.New[ids.Tenant]()
	check := func(role access.Role, custom *access.CustomRole) {
		t.Helper()
		key := access.Actor{Kind: access.Key, TenantID: tenant, KeyID: ids.New[ids.APIKey](), Role: role, Custom: custom}
		person := access.Actor{Kind: access.Person, TenantID: tenant, UserID: ids.New[ids.User](), Role: role, Custom: custom}
		for _, p := range access.Permissions {
			for name, list := range map[string][]uuid.UUID{"everybody": nil, "nobody": {}, "viewers": {access.Viewers}, "editors": {access.Editors}, "others": {uuid.New()}, "no id": {uuid.Nil}} {
				o := access.Object{Readers: list, Writers: list}
				if got, want := access.Can(key, p, o), access.Can(person, p, o); !errors.Is(got, want) {
					t.Errorf("%q %v, shared with %s: %s answers a key %v, a person %v", role, custom, name, p, got, want)
				}
			}
		}
		if slices.Contains(key.Subjects(), uuid.Nil) || slices.Contains(key.Identities(), uuid.Nil) {
			t.Errorf("%q: a key counts as nobody's id", role)
		}
		if key.Covers(access.Viewer, nil) {
			t.Errorf("%q: a key hands out roles", role)
		}
	}
	for _, role := range roles {
		check(role, nil)
	}
	for _, role := range customs() {
		check(role.Standing(), &role)
	}
}

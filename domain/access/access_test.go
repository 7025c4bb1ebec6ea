package access_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// matrix says who may do what: one column a role, in the order of roles.
var (
	roles  = []access.Role{access.Owner, access.Admin, access.Editor, access.Viewer, "", "root"}
	matrix = map[access.Permission][]bool{
		access.ViewContent:     {true, true, true, true, false, false},
		access.EditContent:     {true, true, true, false, false, false},
		access.SendOutside:     {true, true, true, false, false, false},
		access.ManageData:      {true, true, true, false, false, false},
		access.ManageMembers:   {true, true, false, false, false, false},
		access.ManageWorkspace: {true, true, false, false, false, false},
		access.ManagePortals:   {true, true, false, false, false, false},
		access.ManageEmbedding: {true, true, false, false, false, false},
		access.ViewAudit:       {true, true, false, false, false, false},
		access.ManageSignIn:    {true, false, false, false, false, false},
		access.DeleteWorkspace: {true, false, false, false, false, false},
	}
)

func TestRolesMayWhatTheMatrixSays(t *testing.T) {
	t.Parallel()
	if len(matrix) != len(access.Permissions) {
		t.Errorf("the matrix has %d permissions, there are %d", len(matrix), len(access.Permissions))
	}
	for _, p := range access.Permissions {
		allowed, known := matrix[p]
		if !known {
			t.Errorf("%s is missing in the matrix", p)
			continue
		}
		for n, role := range roles {
			actor := access.Actor{Kind: access.Person, TenantID: ids.New[ids.Tenant](), UserID: ids.New[ids.User](), Role: role}
			err := access.Can(actor, p)
			if allowed[n] && err != nil {
				t.Errorf("%q may not %s: %v", role, p, err)
			}
			if !allowed[n] && !errors.Is(err, access.ErrForbidden) {
				t.Errorf("%q may %s: got %v", role, p, err)
			}
		}
		for _, kind := range []access.Kind{access.Console, access.System} {
			if err := access.Can(access.Actor{Kind: kind, TenantID: ids.New[ids.Tenant]()}, p); err != nil {
				t.Errorf("%s may not %s: %v", kind, p, err)
			}
		}
	}
}

func TestNobodyIsAProgrammingError(t *testing.T) {
	t.Parallel()
	for name, actor := range map[string]access.Actor{
		"zero":      {},
		"no tenant": {Kind: access.Person, Role: access.Owner},
		"no kind":   {TenantID: ids.New[ids.Tenant](), Role: access.Owner},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: want a panic", name)
				}
			}()
			_ = access.Can(actor, access.ViewContent)
		}()
	}
}

// What is shared narrows what the role allows, and never widens it.
func TestObjectsNarrowWhatRolesAllow(t *testing.T) {
	t.Parallel()
	group := ids.New[ids.Group]()
	me := ids.New[ids.User]()
	lists := map[string][]uuid.UUID{"everybody": nil, "nobody": {}, "me": {me.UUID()}, "my group": {uuid.New(), group.UUID()},
		"viewers": {access.Viewers}, "editors": {access.Editors}, "others": {uuid.New()}}
	for _, role := range roles {
		actor := access.Actor{Kind: access.Person, TenantID: ids.New[ids.Tenant](), UserID: me, Role: role, Groups: []ids.Group{group}}
		among := func(list string) bool {
			switch list {
			case "everybody", "me", "my group":
				return true
			case "viewers":
				return role != "" && role != "root"
			case "editors":
				return role == access.Editor || role == access.Owner || role == access.Admin
			}
			return role == access.Owner || role == access.Admin
		}
		for readers, r := range lists {
			for writers, w := range lists {
				for _, p := range access.Permissions {
					want := access.Can(actor, p)
					switch {
					case !among(readers):
						want = access.ErrHidden
					case want == nil && p != access.ViewContent && !among(writers):
						want = access.ErrViewOnly
					}
					if got := access.Can(actor, p, access.Object{Readers: r, Writers: w}); !errors.Is(got, want) {
						t.Errorf("%q, read by %s, written by %s: %s answers %v, want %v", role, readers, writers, p, got, want)
					}
				}
			}
		}
		// Of several objects, each counts.
		if err := access.Can(actor, access.ViewContent, access.Object{}, access.Object{Readers: []uuid.UUID{}}); among("others") != (err == nil) {
			t.Errorf("%q and two objects: %v", role, err)
		}
	}
	for _, kind := range []access.Kind{access.Console, access.System} {
		hidden := access.Object{Readers: []uuid.UUID{}, Writers: []uuid.UUID{}}
		if err := access.Can(access.Actor{Kind: kind, TenantID: ids.New[ids.Tenant]()}, access.EditContent, hidden); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

package access

import (
	"slices"

	"github.com/dataflowhq/dataflow/domain/ids"
)

// CustomRole is a role that a workspace has made for itself. It allows what it
// lists and nothing else, whatever its standing.
type CustomRole struct {
	ID          ids.Role
	Name        string
	Permissions []Permission // of Grantable, ViewContent always among them
}

// Standing is the role that its people count as where something is shared with,
// or ruled for, everybody of a role: editors where they may edit, else viewers.
// Never admins, so a custom role sees of shared things what is shared with its
// people, whatever else it allows.
func (r CustomRole) Standing() Role {
	if slices.Contains(r.Permissions, EditContent) {
		return Editor
	}
	return Viewer
}

// Value names the role in forms and mappings, beside the names of the roles that
// every workspace has.
func (r CustomRole) Value() Role { return Role(r.ID.String()) }

// AsCustom reads the id of a workspace's own role out of such a name.
func (r Role) AsCustom() (ids.Role, bool) {
	if _, fixed := rolePermissions[r]; fixed {
		return ids.Role{}, false
	}
	id, err := ids.Parse[ids.Role](string(r))
	return id, err == nil && string(r) == id.String()
}

// Permissions are all that the actor's role allows, to things that they may reach.
func (a Actor) Permissions() []Permission {
	if a.Custom != nil {
		return a.Custom.Permissions
	}
	return rolePermissions[a.Role]
}

// ranks order the roles by what is shared with their people.
var ranks = map[Role]int{Viewer: 1, Editor: 2, Admin: 3, Owner: 4}

// Covers tells whether a role allows nothing that the actor's own does not, and
// reaches nothing that is shared beyond theirs: what somebody may hand out, take
// away or look at the workspace as. Custom is nil for a role that every
// workspace has.
func (a Actor) Covers(role Role, custom *CustomRole) bool {
	if a.Kind == Console || a.Kind == System {
		return true
	}
	other := Actor{Kind: Person, Role: role, Custom: custom}
	if a.Kind != Person || ranks[role] > ranks[a.Role] {
		return false
	}
	own := a.Permissions()
	return !slices.ContainsFunc(other.Permissions(), func(p Permission) bool { return !slices.Contains(own, p) })
}

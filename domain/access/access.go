// Package access says who acts and what they may do. Can is the one place
// where a permission is decided.
package access

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// Role is what a person is in a workspace.
type Role string

// The roles, each able to do all that the next one can.
const (
	Owner  Role = "owner"
	Admin  Role = "admin"
	Editor Role = "editor"
	Viewer Role = "viewer"
)

// Permission is one thing that can be allowed.
type Permission string

// The permissions.
const (
	ViewContent     Permission = "content.view"         // see dashboards and datasets
	EditContent     Permission = "content.edit"         // change dashboards, folders, tags
	SendOutside     Permission = "reports.send_outside" // send scheduled reports to addresses and visitors outside the workspace
	ManageData      Permission = "data.manage"          // load, change and delete datasets
	ManageMembers   Permission = "members.manage"       // invite, change roles, remove
	ManageWorkspace Permission = "workspace.manage"     // settings, mail, channels, everybody's reports and alerts
	ManagePortals   Permission = "portals.manage"       // portals, their brand, hosts and visitors
	ManageEmbedding Permission = "embedding.manage"     // keys for embedded dashboards, public links
	ViewAudit       Permission = "audit.view"           // read, check and export the audit log
	ManageSignIn    Permission = "signin.manage"        // single sign-on: whoever sets it up can come in as anybody
	DeleteWorkspace Permission = "workspace.delete"
)

// Permissions lists all permissions.
var Permissions = []Permission{ViewContent, EditContent, SendOutside, ManageData, ManageMembers, ManageWorkspace, ManagePortals, ManageEmbedding, ViewAudit,
	ManageSignIn, DeleteWorkspace}

// Grantable are the permissions that a role of a workspace's own can hold. Those
// of owners alone are left out: whoever sets up sign-in can come in as anybody.
var Grantable = []Permission{ViewContent, EditContent, SendOutside, ManageData, ManageMembers, ManageWorkspace, ManagePortals, ManageEmbedding, ViewAudit}

// Kind says what sort of actor acts.
type Kind string

// The kinds of actor.
const (
	Person  Kind = "person"  // a signed-in user
	Visitor Kind = "visitor" // a customer of the tenant, in a portal or an embedded dashboard
	Program Kind = "program" // a program with a key for embedding: it may mint tokens and nothing else
	Key     Kind = "key"     // a program with a key of the API: what its role allows, as somebody whom nothing is shared with by name
	Console Kind = "console" // a command run on the machine by its operator
	System  Kind = "system"  // DataFlow itself: a schedule, a sweeper
)

// Actor is who acts, in which workspace. The zero Actor is a programming error.
type Actor struct {
	Kind     Kind
	TenantID ids.Tenant
	UserID   ids.User // zero unless a Person acts, or something acts for one
	// VisitorID and Scope are a Visitor's: the ids of the dashboards and datasets
	// that they may see, and nothing else.
	VisitorID ids.Visitor
	Scope     []uuid.UUID
	// KeyID and KeyName are a Key's.
	KeyID   ids.APIKey
	KeyName string
	Role    Role
	// Custom is a Person's or Key's role of the workspace's own; Role is its standing then.
	Custom *CustomRole
	Groups []ids.Group // that the person is in
	// Attributes are what rules on rows compare with, such as region: EMEA, by
	// name; a person may have several values of one.
	Attributes map[string][]string
	// Locked are a Visitor's filters that nothing takes off: of every dataset they
	// see the rows that have one of the values in the column of the name, which may
	// be "lookup.column", and no row where there is no such column.
	Locked map[string][]string
	// Fixed are attributes of somebody outside whom the actor, who stands behind
	// them, sends something: they see what the actor sees, and of that what rules
	// leave a visitor with these attributes. Nil where nobody stands before the actor.
	Fixed  map[string][]string
	Zone   *time.Location // for days and hours; UTC when nil
	Locale string         // BCP 47; "en-GB" when empty
}

// Location is the actor's time zone, never nil.
func (a Actor) Location() *time.Location {
	if a.Zone == nil {
		return time.UTC
	}
	return a.Zone
}

// IsOutside tells whether nothing is shared with the actor by being shared with
// everybody.
func (a Actor) IsOutside() bool { return a.Kind == Visitor || a.Kind == Program }

// ErrForbidden is shown to somebody who may know that the thing exists.
var ErrForbidden = apperr.Define(apperr.Forbidden, "access.forbidden",
	"Your role in this workspace does not allow this. Ask an owner or an admin.")

var rolePermissions = map[Role][]Permission{
	Owner:  Permissions,
	Admin:  Grantable,
	Editor: {ViewContent, EditContent, SendOutside, ManageData},
	Viewer: {ViewContent},
}

// Can answers nil when the actor may do p, to all the objects where some are
// given: else ErrHidden where the actor may not know of one of them, ErrForbidden
// where the role does not allow p at all, ErrViewOnly where one of the objects
// is not theirs to change. An object never gives more than the role does. Can
// panics on a zero Actor: a request without an identity must never get this far.
func Can(actor Actor, p Permission, objects ...Object) error {
	if actor.TenantID.IsZero() || actor.Kind == "" {
		panic("access: zero Actor")
	}
	subjects := actor.Subjects()
	for _, o := range objects {
		if actor.IsOutside() {
			if !slices.Contains(actor.Scope, o.ID) {
				return ErrHidden
			}
		} else if !o.admits(o.Readers, subjects) {
			return ErrHidden
		}
	}
	if actor.Kind == Console || actor.Kind == System {
		return nil
	}
	if !slices.Contains(actor.Permissions(), p) || (actor.IsOutside() && p != ViewContent) {
		return ErrForbidden
	}
	if p == ViewContent {
		return nil
	}
	for _, o := range objects {
		if !o.admits(o.Writers, subjects) {
			return ErrViewOnly
		}
	}
	return nil
}

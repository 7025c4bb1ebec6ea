package tenants

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// What can go wrong with roles of a workspace's own.
var (
	// ErrRoleNotFound also covers roles of other workspaces.
	ErrRoleNotFound = apperr.Define(apperr.NotFound, "tenants.role_not_found",
		"This role does not exist or was removed.")
	ErrRoleInvalid = apperr.Define(apperr.Invalid, "tenants.role_invalid",
		"The role can't be saved like this.")
	ErrRoleUsed = apperr.Define(apperr.Conflict, "tenants.role_used",
		"Somebody has this role. Give them another one first.")
	ErrRoleOfKey = apperr.Define(apperr.Conflict, "tenants.role_of_key",
		"A key of the API has this role. Revoke it under API keys first.")
	ErrRoleMapped = apperr.Define(apperr.Conflict, "tenants.role_mapped",
		"Single sign-on gives this role to people. Change that first.")
)

// maxRoles bounds the roles of a workspace's own.
const maxRoles = 100

// Role is what a member is: one of the roles that every workspace has, or with
// Custom one of its own. The zero Role is none.
type Role struct {
	Standing access.Role
	Custom   *access.CustomRole
}

// Value names the role in forms and mappings.
func (r Role) Value() access.Role {
	if r.Custom != nil {
		return r.Custom.Value()
	}
	return r.Standing
}

// Title is what the role is called, "editor" or a name of the workspace's own.
func (r Role) Title() string {
	if r.Custom != nil {
		return r.Custom.Name
	}
	return string(r.Standing)
}

// Same tells whether both are one role.
func (r Role) Same(other Role) bool { return r.Value() == other.Value() }

// Stored is the role as the users' table keeps it, beside CustomID.
func (r Role) Stored() db.UserRole { return db.UserRole(r.Standing) }

// CustomID is nil for a role that every workspace has.
func (r Role) CustomID() *uuid.UUID {
	if r.Custom == nil {
		return nil
	}
	id := r.Custom.ID.UUID()
	return &id
}

// Set gives a user of the transaction's tenant the role.
func (r Role) Set(ctx context.Context, tx *db.Tx, userID uuid.UUID) error {
	if _, err := tx.UserSetRole(ctx, db.UserSetRoleParams{Role: r.Stored(), CustomRoleID: r.CustomID(), TenantID: tx.TenantID, UserID: userID}); err != nil {
		return fmt.Errorf("set role: %w", err)
	}
	return nil
}

// CustomOf is a workspace's own role as queries answer it; nil without an id.
func CustomOf(id *uuid.UUID, name string, permissions []string) *access.CustomRole {
	if id == nil {
		return nil
	}
	r := &access.CustomRole{ID: ids.Role(*id), Name: name}
	for _, p := range permissions {
		r.Permissions = append(r.Permissions, access.Permission(p))
	}
	return r
}

// ValidRole tells whether a text can name a role: whether a workspace has the one
// of its own that it names is for FindRole.
func ValidRole(role access.Role) bool {
	_, custom := role.AsCustom()
	return custom || db.UserRole(role).Valid()
}

// FindRole reads a role by its value, in the transaction's tenant, and keeps it
// from being removed until the transaction ends.
//
// Errors: tenants.invalid with field role.
func FindRole(ctx context.Context, tx *db.Tx, value access.Role) (Role, error) {
	id, custom := value.AsCustom()
	if !custom {
		if !db.UserRole(value).Valid() {
			return Role{}, errNoRole()
		}
		return Role{Standing: value}, nil
	}
	found, err := customRole(ctx, tx, id)
	if errors.Is(err, ErrRoleNotFound) {
		return Role{}, errNoRole().Wrap(err)
	}
	return Role{found.Standing(), &found}, err
}

func errNoRole() *apperr.Error {
	return ErrInvalid.WithFields(map[string]string{"role": "There is no such role."})
}

func customRole(ctx context.Context, tx *db.Tx, id ids.Role) (access.CustomRole, error) {
	row, err := tx.RoleGet(ctx, tx.TenantID, id.UUID())
	if db.IsNoRows(err) {
		return access.CustomRole{}, ErrRoleNotFound.Wrap(err)
	}
	if err != nil {
		return access.CustomRole{}, fmt.Errorf("read role: %w", err)
	}
	return *CustomOf(&row.RoleID, row.Name, row.Permissions), nil
}

// RoleOf is the role of a user.
func RoleOf(ctx context.Context, tx *db.Tx, user db.UserGetRow) (Role, error) {
	if user.CustomRoleID == nil {
		return Role{Standing: access.Role(user.Role)}, nil
	}
	return FindRole(ctx, tx, access.Role(user.CustomRoleID.String()))
}

// CheckGrant answers whether the actor may give somebody the role, or take it: it
// must not be beyond their own. The zero Role is anybody's.
//
// Errors: tenants.owner_only, tenants.beyond.
func CheckGrant(actor access.Actor, role Role) error {
	switch {
	case role == Role{} || actor.Covers(role.Standing, role.Custom):
		return nil
	case role.Standing == access.Owner:
		return ErrOwnerOnly
	}
	return ErrBeyond
}

// OwnRole is a role of the workspace's own in a list.
type OwnRole struct {
	access.CustomRole
	People int // who have it, open invitations included
}

// ListRoles lists the workspace's own roles by name.
//
// Errors: access.forbidden.
func (s *Service) ListRoles(ctx context.Context, actor access.Actor) ([]OwnRole, error) {
	if err := mayListRoles(actor); err != nil {
		return nil, err
	}
	var list []OwnRole
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.RoleList(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("list roles: %w", err)
		}
		for _, row := range rows {
			list = append(list, OwnRole{*CustomOf(&row.RoleID, row.Name, row.Permissions), int(row.People)})
		}
		return nil
	})
	return list, err
}

// mayListRoles is for who manages people, and for who sees how they sign in.
func mayListRoles(actor access.Actor) error {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return access.Can(actor, access.ManageWorkspace)
	}
	return nil
}

// GetRole reads one of the workspace's own roles.
//
// Errors: tenants.role_not_found, access.forbidden.
func (s *Service) GetRole(ctx context.Context, actor access.Actor, id ids.Role) (access.CustomRole, error) {
	var role access.CustomRole
	err := s.manageRoles(ctx, actor, func(ctx context.Context, tx *db.Tx) (err error) {
		role, err = customRole(ctx, tx, id)
		return err
	})
	return role, err
}

func (s *Service) manageRoles(ctx context.Context, actor access.Actor, work db.Work) error {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return err
	}
	return s.inTx(ctx, actor, work)
}

// CreateRole makes a role of the workspace's own. It holds ViewContent whether or
// not it is listed, and nothing that the actor's own role does not.
//
// Errors: tenants.role_invalid with fields name, permissions; tenants.beyond,
// access.forbidden.
func (s *Service) CreateRole(ctx context.Context, actor access.Actor, name string, permissions []access.Permission) (ids.Role, error) {
	role, err := checkRole(name, permissions)
	if err != nil {
		return ids.Role{}, err
	}
	role.ID = ids.New[ids.Role]()
	return role.ID, s.manageRoles(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if err := CheckGrant(actor, Role{role.Standing(), &role}); err != nil {
			return err
		}
		rows, err := tx.RoleList(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("list roles: %w", err)
		}
		if len(rows) >= maxRoles {
			return ErrRoleInvalid.WithFields(map[string]string{"name": fmt.Sprintf("A workspace has at most %d roles of its own.", maxRoles)})
		}
		err = tx.RoleInsert(ctx, db.RoleInsertParams{TenantID: tx.TenantID, RoleID: role.ID.UUID(), Name: role.Name, Permissions: listed(role)})
		if err != nil {
			return roleError(err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "roles.created", Target: "role", ID: role.ID.String(),
			After: map[string]any{"name": role.Name, "permissions": role.Permissions}})
	})
}

// SaveRole changes one of the workspace's own roles; it counts at once for who
// has it. Neither what it was nor what it becomes may be beyond the actor's own.
//
// Errors: tenants.role_not_found, and as CreateRole.
func (s *Service) SaveRole(ctx context.Context, actor access.Actor, id ids.Role, name string, permissions []access.Permission) error {
	role, err := checkRole(name, permissions)
	if err != nil {
		return err
	}
	role.ID = id
	return s.manageRoles(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		before, err := customRole(ctx, tx, id)
		if err != nil {
			return err
		}
		for _, one := range []*access.CustomRole{&before, &role} {
			if err := CheckGrant(actor, Role{one.Standing(), one}); err != nil {
				return err
			}
		}
		err = tx.RoleUpdate(ctx, db.RoleUpdateParams{Name: role.Name, Permissions: listed(role), TenantID: tx.TenantID, RoleID: id.UUID()})
		if err != nil {
			return roleError(err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "roles.changed", Target: "role", ID: id.String(),
			Before: map[string]any{"name": before.Name, "permissions": before.Permissions},
			After:  map[string]any{"name": role.Name, "permissions": role.Permissions}})
	})
}

// DeleteRole removes a role that nobody has, no key that works, and no provider's
// group is given. Keys that ended and had it are revoked.
//
// Errors: tenants.role_not_found, tenants.role_used, tenants.role_of_key,
// tenants.role_mapped, tenants.beyond, access.forbidden.
func (s *Service) DeleteRole(ctx context.Context, actor access.Actor, id ids.Role) error {
	return s.manageRoles(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.RoleLock(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("lock role: %w", err)
		}
		role, err := customRole(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := CheckGrant(actor, Role{role.Standing(), &role}); err != nil {
			return err
		}
		mapped, err := tx.RoleMapped(ctx, tx.TenantID, string(role.Value()))
		if err != nil {
			return fmt.Errorf("look for mappings: %w", err)
		}
		if mapped {
			return ErrRoleMapped
		}
		if err := tx.RoleForget(ctx, string(role.Value()), tx.TenantID); err != nil {
			return fmt.Errorf("take role from sign-in settings: %w", err)
		}
		now, roleID := time.Now(), id.UUID()
		if err := tx.ApiKeyRoleRelease(ctx, now, tx.TenantID, &roleID); err != nil {
			return fmt.Errorf("take role from keys that ended: %w", err)
		}
		ofKey, err := tx.ApiKeyRoleUsed(ctx, tx.TenantID, &roleID, now)
		if err != nil {
			return fmt.Errorf("look for keys with the role: %w", err)
		}
		people, err := tx.RolePeople(ctx, tx.TenantID, &roleID)
		if err != nil {
			return fmt.Errorf("count people with the role: %w", err)
		}
		if people == 0 && ofKey {
			return ErrRoleOfKey
		}
		err = tx.RoleDelete(ctx, tx.TenantID, id.UUID())
		if db.IsForeignKeyViolation(err) {
			return ErrRoleUsed.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("delete role: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "roles.deleted", Target: "role", ID: id.String(),
			Before: map[string]any{"name": role.Name, "permissions": role.Permissions}})
	})
}

// checkRole reads what somebody has asked for, in the order of the documented
// list.
func checkRole(name string, permissions []access.Permission) (access.CustomRole, error) {
	fields := map[string]string{}
	role := access.CustomRole{Name: strings.Join(strings.Fields(name), " ")}
	if problem := plaintext.Problem(role.Name, 60, "Give the role a name of at most 60 characters."); problem != "" {
		fields["name"] = problem
	}
	if ValidRole(access.Role(strings.ToLower(role.Name))) {
		fields["name"] = "Every workspace has a role of this name. Choose another one."
	}
	for _, p := range permissions {
		if !slices.Contains(access.Grantable, p) {
			fields["permissions"] = "One of these permissions does not exist, or is for owners alone."
		}
	}
	for _, p := range access.Grantable {
		if p == access.ViewContent || slices.Contains(permissions, p) {
			role.Permissions = append(role.Permissions, p)
		}
	}
	if len(fields) > 0 {
		return role, ErrRoleInvalid.WithFields(fields)
	}
	return role, nil
}

func listed(role access.CustomRole) []string {
	list := make([]string, len(role.Permissions))
	for i, p := range role.Permissions {
		list[i] = string(p)
	}
	return list
}

func roleError(err error) error {
	if _, taken := db.IsUniqueViolation(err); taken {
		return ErrRoleInvalid.WithFields(map[string]string{"name": "There is a role of this name already."}).Wrap(err)
	}
	return fmt.Errorf("write role: %w", err)
}

package tenants

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/plans"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/events"
)

// What can go wrong with members.
var (
	// ErrMemberNotFound also covers members of other workspaces.
	ErrMemberNotFound = apperr.Define(apperr.NotFound, "tenants.member_not_found",
		"This person is not a member of the workspace.")
	ErrLastOwner = apperr.Define(apperr.Conflict, "tenants.last_owner",
		"A workspace needs at least one owner. Make somebody else an owner first.")
	ErrOwnerOnly = apperr.Define(apperr.Forbidden, "tenants.owner_only",
		"Only an owner can change who is an owner.")
	ErrBeyond = apperr.Define(apperr.Forbidden, "tenants.beyond",
		"This role allows more than your own does, so it is not yours to give or to take away.")
	ErrBreakGlass = apperr.Define(apperr.Conflict, "tenants.break_glass",
		"This owner is the one who can sign in without single sign-on. Choose another one first.")
	ErrNoSeat = apperr.Define(apperr.Conflict, "tenants.no_seat",
		"All seats of the plan are taken. Remove somebody first, or change the plan.")
)

// Member is one person of a workspace, or an open invitation.
type Member struct {
	UserID    ids.User
	Email     string
	Name      string
	Role      access.Role        // the standing where Custom is set
	Custom    *access.CustomRole // nil for a role that every workspace has
	CreatedAt time.Time
	InvitedAt time.Time // zero once the person has joined
	SeenAt    time.Time // to the minute; zero before the first visit
}

// MemberQuery asks for one page of members. Empty filters are off.
type MemberQuery struct {
	Search   string      // in name or e-mail
	Role     access.Role // or the Value of one of the workspace's own
	SignIn   SignInWay
	Page     int // from 1
	PageSize int
}

// SignInWay is how somebody signs in.
type SignInWay string

// The ways, as a list can be filtered by them: Invited is for who has not yet.
const (
	BySSO      SignInWay = "sso"
	ByPassword SignInWay = "password"
	Invited    SignInWay = "invited"
)

// SignInWays lists them.
var SignInWays = []SignInWay{BySSO, ByPassword, Invited}

// MemberPage is one page of members by name.
type MemberPage struct {
	Members []Member
	Found   int // that fit the filters
	All     int // of the workspace, open invitations included
	Seats   int // of the plan; 0 is no limit
}

// ListMembers lists the people of the workspace.
//
// Errors: access.forbidden.
func (s *Service) ListMembers(ctx context.Context, actor access.Actor, q MemberQuery) (MemberPage, error) {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return MemberPage{}, err
	}
	if q.PageSize <= 0 {
		q.PageSize = 25
	}
	q.Page = max(q.Page, 1)
	var page MemberPage
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.UserList(ctx, db.UserListParams{TenantID: actor.TenantID.UUID(), Pattern: pattern(q.Search), Role: string(q.Role), Way: string(q.SignIn),
			RowLimit: int32(q.PageSize), RowOffset: int32((q.Page - 1) * q.PageSize)})
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		for _, row := range rows {
			page.Found = int(row.Total)
			page.Members = append(page.Members, Member{UserID: ids.User(row.UserID), Email: row.Email, Name: row.Name,
				Role:   access.Role(row.Role),
				Custom: CustomOf(row.CustomRoleID, row.CustomName, row.CustomPermissions), CreatedAt: row.CreatedAt, InvitedAt: orZero(row.InvitedAt), SeenAt: orZero(row.SeenAt)})
		}
		page.All, page.Seats, err = seats(ctx, tx, actor.TenantID)
		return err
	})
	return page, err
}

// ListMemberActors are whom members act as, by their id, open invitations
// included: for what can be said of them, not to act.
//
// Errors: access.forbidden.
func (s *Service) ListMemberActors(ctx context.Context, actor access.Actor, users []ids.User) (map[ids.User]access.Actor, error) {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return nil, err
	}
	list := make([]uuid.UUID, len(users))
	for n, id := range users {
		list[n] = id.UUID()
	}
	all := map[ids.User]access.Actor{}
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.UserListActors(ctx, tx.TenantID, list)
		if err != nil {
			return fmt.Errorf("list members: %w", err)
		}
		for _, row := range rows {
			one := access.Actor{Kind: access.Person, TenantID: actor.TenantID, UserID: ids.User(row.UserID), Role: access.Role(row.Role),
				Custom: CustomOf(row.CustomRoleID, row.CustomName, row.CustomPermissions), Attributes: AttributesOf(row.Attributes)}
			for _, group := range row.GroupIds {
				one.Groups = append(one.Groups, ids.Group(group))
			}
			all[one.UserID] = one
		}
		return nil
	})
	return all, err
}

// CheckSeat answers ErrNoSeat when the plan has no room for one more. It is
// for who adds members, in their transaction.
//
// Errors: tenants.no_seat.
func CheckSeat(ctx context.Context, tx *db.Tx, tenantID ids.Tenant) error {
	used, all, err := seats(ctx, tx, tenantID)
	if err != nil {
		return err
	}
	if all > 0 && used >= all {
		return ErrNoSeat.With("All %d seats of the plan are taken. Remove somebody first, or change the plan.", all)
	}
	return nil
}

func seats(ctx context.Context, tx *db.Tx, tenantID ids.Tenant) (used, all int, err error) {
	count, err := tx.UserCount(ctx, tenantID.UUID())
	if err != nil {
		return 0, 0, fmt.Errorf("count users: %w", err)
	}
	settings, err := tx.TenantSettingsGet(ctx, tenantID.UUID())
	if err != nil {
		return 0, 0, fmt.Errorf("read plan: %w", err)
	}
	return int(count), plans.Plan(settings.PlanType).Limits().Seats, nil
}

// pattern finds text anywhere, whatever its case.
func pattern(search string) string {
	search = strings.TrimSpace(search)
	if search == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(search) + "%"
}

// SetRole changes what a member may do, to one of the roles that every workspace
// has or to the Value of one of its own. Only an owner makes or unmakes an owner,
// and one owner always stays; nobody gives or takes a role beyond their own.
//
// Errors: tenants.member_not_found, tenants.last_owner, tenants.owner_only,
// tenants.beyond, tenants.break_glass, tenants.invalid, access.forbidden.
func (s *Service) SetRole(ctx context.Context, actor access.Actor, userID ids.User, role access.Role) error {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		given, err := FindRole(ctx, tx, role)
		if err != nil {
			return err
		}
		before, err := s.changeable(ctx, tx, actor, userID, given)
		if err != nil || before.Same(given) {
			return err
		}
		if err := given.Set(ctx, tx, userID.UUID()); err != nil {
			return err
		}
		if err := memberChanged(ctx, tx, userID); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "members.role_changed", Target: "user", ID: userID.String(),
			Before: map[string]any{"role": before.Title()}, After: map[string]any{"role": given.Title()}})
	})
}

// RemoveMember takes a person out of the workspace, or an invitation back, and
// ends their sessions in it at once. What they made stays. Who belongs to no
// workspace any more loses the password too.
//
// Errors: as SetRole.
func (s *Service) RemoveMember(ctx context.Context, actor access.Actor, userID ids.User) error {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return err
	}
	tenant, user := actor.TenantID.UUID(), userID.UUID()
	return s.deps.DB.InIdentityTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		before, err := s.changeable(ctx, tx, actor, userID, Role{})
		if err != nil {
			return err
		}
		member, err := tx.UserGet(ctx, tenant, user)
		if err != nil {
			return fmt.Errorf("read member: %w", err)
		}
		if _, err := tx.SessionRevokeUser(ctx, tenant, user); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		if err := tx.LinkRevokeUser(ctx, &tenant, &user); err != nil {
			return fmt.Errorf("withdraw invitations: %w", err)
		}
		if err := tx.MembershipDelete(ctx, tenant, user); err != nil {
			return fmt.Errorf("end membership: %w", err)
		}
		if _, err := tx.UserRemove(ctx, tenant, user); err != nil {
			return fmt.Errorf("remove user: %w", err)
		}
		if err := memberChanged(ctx, tx, userID); err != nil {
			return err
		}
		if err := tx.PersonForget(ctx, member.PersonID); err != nil {
			return fmt.Errorf("forget person: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "members.removed", Target: "user", ID: userID.String(),
			Before: map[string]any{"role": before.Title()}})
	})
}

// memberChanged tells what runs by itself in the person's name.
func memberChanged(ctx context.Context, tx *db.Tx, userID ids.User) error {
	if err := tx.InsertOutboxEvent(ctx, events.Event{TenantID: tx.TenantID, Kind: events.MemberChanged, ID: userID.UUID()}); err != nil {
		return fmt.Errorf("tell of member: %w", err)
	}
	return nil
}

// changeable checks that actor may give the member another role, or with the zero
// Role none, and that an owner stays. It answers the role that they have now.
func (s *Service) changeable(ctx context.Context, tx *db.Tx, actor access.Actor, userID ids.User, role Role) (before Role, err error) {
	owners, err := tx.UserLockOwners(ctx, actor.TenantID.UUID())
	if err != nil {
		return before, fmt.Errorf("lock owners: %w", err)
	}
	member, err := tx.UserGet(ctx, actor.TenantID.UUID(), userID.UUID())
	if db.IsNoRows(err) || (err == nil && member.RemovedAt != nil) {
		return before, ErrMemberNotFound
	}
	if err != nil {
		return before, fmt.Errorf("read member: %w", err)
	}
	if before, err = RoleOf(ctx, tx, member); err != nil {
		return before, err
	}
	for _, one := range []Role{before, role} {
		if err := CheckGrant(actor, one); err != nil {
			return before, err
		}
	}
	isOwner := before.Standing == access.Owner
	if isOwner && member.InvitedAt == nil && role.Standing != access.Owner && !otherThan(owners, userID.UUID()) {
		return before, ErrLastOwner
	}
	if role.Standing != access.Owner {
		policy, err := tx.PolicyGet(ctx, actor.TenantID.UUID())
		if err != nil && !db.IsNoRows(err) {
			return before, fmt.Errorf("read sign-in policy: %w", err)
		}
		if policy.SsoOnly && policy.BreakGlassUserID != nil && *policy.BreakGlassUserID == userID.UUID() {
			return before, ErrBreakGlass
		}
	}
	return before, nil
}

func otherThan(owners []uuid.UUID, id uuid.UUID) bool {
	for _, owner := range owners {
		if owner != id {
			return true
		}
	}
	return false
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// GetActor is who a member acts as: for jobs that do what a person asked for.
//
// Errors: tenants.member_not_found, also for one who left.
func (s *Service) GetActor(ctx context.Context, tenantID ids.Tenant, userID ids.User) (access.Actor, error) {
	return s.actor(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (db.UserGetActorRow, error) {
		return tx.UserGetActor(ctx, tenantID.UUID(), userID.UUID())
	})
}

// GetActorByEmail is GetActor for the operator's console, by address.
//
// Errors: tenants.member_not_found, access.forbidden.
func (s *Service) GetActorByEmail(ctx context.Context, console access.Actor, email string) (access.Actor, error) {
	if err := access.Can(console, access.ManageMembers); err != nil {
		return access.Actor{}, err
	}
	return s.actor(ctx, console.TenantID, func(ctx context.Context, tx *db.Tx) (db.UserGetActorRow, error) {
		row, err := tx.UserGetByEmail(ctx, console.TenantID.UUID(), strings.TrimSpace(email))
		return db.UserGetActorRow(row), err
	})
}

func (s *Service) actor(ctx context.Context, tenantID ids.Tenant, read func(context.Context, *db.Tx) (db.UserGetActorRow, error)) (access.Actor, error) {
	actor := access.Actor{Kind: access.Person, TenantID: tenantID}
	err := s.deps.DB.InTenantTx(ctx, tenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := read(ctx, tx)
		if db.IsNoRows(err) {
			return ErrMemberNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read member: %w", err)
		}
		settings, err := tx.TenantSettingsGet(ctx, tenantID.UUID())
		if err != nil {
			return fmt.Errorf("read settings: %w", err)
		}
		actor.UserID, actor.Role, actor.Locale = ids.User(row.UserID), access.Role(row.Role), row.Locale
		actor.Custom = CustomOf(row.CustomRoleID, row.CustomName, row.CustomPermissions)
		for _, group := range row.GroupIds {
			actor.Groups = append(actor.Groups, ids.Group(group))
		}
		actor.Attributes = AttributesOf(row.Attributes)
		if actor.Locale == "" {
			actor.Locale = settings.Locale
		}
		zone := row.Zone
		if zone == "" {
			zone = settings.Zone
		}
		if actor.Zone, err = time.LoadLocation(zone); err != nil {
			// The name was checked when it was stored; this machine knows fewer.
			actor.Zone = time.UTC
		}
		return nil
	})
	return actor, err
}

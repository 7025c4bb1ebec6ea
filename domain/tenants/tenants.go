// Package tenants keeps the directory of workspaces: where each lives, its
// keys, its settings and its members.
package tenants

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/plans"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

// What can go wrong.
var (
	ErrNotFound = apperr.Define(apperr.NotFound, "tenants.not_found",
		"There is no such workspace.")
	ErrAmbiguous = apperr.Define(apperr.Invalid, "tenants.ambiguous",
		"There are several workspaces. Say which one with --tenant.")
	ErrSlugTaken = apperr.Define(apperr.Conflict, "tenants.slug_taken",
		"Another workspace has this address already.")
	ErrInvalid = apperr.Define(apperr.Invalid, "tenants.invalid",
		"These settings can't be saved.")
	ErrMemberNotFound = apperr.Define(apperr.NotFound, "tenants.member_not_found",
		"This person is not a member of the workspace.")
	ErrLastOwner = apperr.Define(apperr.Conflict, "tenants.last_owner",
		"A workspace needs at least one owner. Make somebody else an owner first.")
	ErrOwnerOnly = apperr.Define(apperr.Forbidden, "tenants.owner_only",
		"Only an owner can change who is an owner.")
)

// DefaultSlug is the workspace that is made on first use of the shell.
const DefaultSlug = "default"

// Tenant is one workspace in the directory.
type Tenant struct {
	ID        ids.Tenant
	Slug      string
	Name      string
	CreatedAt time.Time
}

// Settings are what a workspace's admins choose.
type Settings struct {
	Name   string
	Plan   plans.Plan
	Zone   string // IANA name
	Locale string // BCP 47
}

// New asks for a workspace. Slug, Zone and Locale may be empty.
type New struct {
	Name   string
	Slug   string
	Plan   plans.Plan
	Zone   string
	Locale string
}

// Member is one person of a workspace.
type Member struct {
	UserID    ids.User
	Email     string
	Name      string
	Role      access.Role
	CreatedAt time.Time
	Disabled  bool
}

// Deps are what the service works with.
type Deps struct {
	DB     *db.DB
	Master *secrets.Master
}

// Service is safe for concurrent use.
type Service struct {
	deps  Deps
	boxes sync.Map // ids.Tenant -> *secrets.Box
}

// NewService makes the service.
func NewService(deps Deps) *Service { return &Service{deps: deps} }

var (
	slugPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	notSlug     = regexp.MustCompile(`[^a-z0-9]+`)
)

// Create makes a workspace with keys of its own. It is for set-up and for the
// operator's console; who may call it is decided there.
//
// Errors: tenants.slug_taken, tenants.invalid.
func (s *Service) Create(ctx context.Context, n New) (Tenant, error) {
	n.Name = strings.TrimSpace(n.Name)
	if n.Slug == "" {
		n.Slug = strings.Trim(notSlug.ReplaceAllString(strings.ToLower(n.Name), "-"), "-")
		n.Slug = strings.Trim(n.Slug[:min(len(n.Slug), 40)], "-")
	}
	if n.Slug == "" {
		n.Slug = DefaultSlug
	}
	if n.Plan == "" {
		n.Plan = plans.Professional
	}
	if n.Zone == "" {
		n.Zone = "UTC"
	}
	if n.Locale == "" {
		n.Locale = "en-GB"
	}
	if !slugPattern.MatchString(n.Slug) {
		return Tenant{}, ErrInvalid.WithFields(map[string]string{"slug": "Use lower-case letters, digits and hyphens."})
	}
	if err := check(Settings{Name: n.Name, Zone: n.Zone, Locale: n.Locale}); err != nil {
		return Tenant{}, err
	}
	t := Tenant{ID: ids.New[ids.Tenant](), Slug: n.Slug, Name: n.Name, CreatedAt: time.Now()}
	wrapped, err := s.deps.Master.NewKeyset(t.ID.UUID())
	if err != nil {
		return Tenant{}, err
	}
	err = s.deps.DB.InTenantTx(ctx, t.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if err := tx.TenantInsert(ctx, t.ID.UUID(), t.Slug, t.Name); err != nil {
			if _, taken := db.IsUniqueViolation(err); taken {
				return ErrSlugTaken.Wrap(err)
			}
			return fmt.Errorf("insert tenant: %w", err)
		}
		if err := tx.PlacementInsert(ctx, db.PlacementInsertParams{
			TenantID: t.ID.UUID(), Shard: "primary", SchemaName: "public", StoragePrefix: "t/" + t.ID.String(), Keyset: wrapped,
		}); err != nil {
			return fmt.Errorf("insert placement: %w", err)
		}
		if err := tx.TenantSettingsInsert(ctx, db.TenantSettingsInsertParams{
			TenantID: t.ID.UUID(), PlanType: db.PlanType(n.Plan), Zone: n.Zone, Locale: n.Locale,
		}); err != nil {
			return fmt.Errorf("insert settings: %w", err)
		}
		actor := access.Actor{Kind: access.Console, TenantID: t.ID}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "workspace.created", Target: "workspace", ID: t.ID.String()})
	})
	if err != nil {
		return Tenant{}, err
	}
	return t, nil
}

// GetBySlug finds a workspace by the name in its address.
//
// Errors: tenants.not_found.
func (s *Service) GetBySlug(ctx context.Context, slug string) (Tenant, error) {
	var t Tenant
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.TenantBySlug(ctx, slug)
		if db.IsNoRows(err) {
			return ErrNotFound.With("There is no workspace %q.", slug).Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("find tenant: %w", err)
		}
		t = Tenant{ID: ids.Tenant(row.TenantID), Slug: row.Slug, Name: row.Name, CreatedAt: row.CreatedAt}
		return nil
	})
	return t, err
}

// List lists all workspaces, the oldest first. It is for the operator's
// console and for schedules.
func (s *Service) List(ctx context.Context) ([]Tenant, error) {
	var list []Tenant
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.TenantListAll(ctx)
		if err != nil {
			return fmt.Errorf("list tenants: %w", err)
		}
		for _, row := range rows {
			list = append(list, Tenant{ID: ids.Tenant(row.TenantID), Slug: row.Slug, Name: row.Name, CreatedAt: row.CreatedAt})
		}
		return nil
	})
	return list, err
}

// ForConsole finds the workspace that a shell command means: the named one;
// without a name the only one, else the default one, which is made on first use.
//
// Errors: tenants.not_found, tenants.ambiguous.
func (s *Service) ForConsole(ctx context.Context, slug string) (access.Actor, error) {
	t, err := s.forConsole(ctx, slug)
	if err != nil {
		return access.Actor{}, err
	}
	return access.Actor{Kind: access.Console, TenantID: t.ID}, nil
}

func (s *Service) forConsole(ctx context.Context, slug string) (Tenant, error) {
	if slug != "" {
		t, err := s.GetBySlug(ctx, slug)
		if errors.Is(err, ErrNotFound) && slug == DefaultSlug {
			return s.createDefault(ctx)
		}
		return t, err
	}
	all, err := s.List(ctx)
	if err != nil {
		return Tenant{}, err
	}
	if len(all) == 0 {
		return s.createDefault(ctx)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	for _, t := range all {
		if t.Slug == DefaultSlug {
			return t, nil
		}
	}
	var names []string
	for _, t := range all {
		names = append(names, t.Slug)
	}
	return Tenant{}, ErrAmbiguous.With("There are several workspaces. Say which one with --tenant: %s.", strings.Join(names, ", "))
}

func (s *Service) createDefault(ctx context.Context) (Tenant, error) {
	t, err := s.Create(ctx, New{Slug: DefaultSlug, Name: "My workspace"})
	if errors.Is(err, ErrSlugTaken) { // another process was faster
		return s.GetBySlug(ctx, DefaultSlug)
	}
	return t, err
}

// Box encrypts and decrypts with the tenant's own keys.
//
// Errors: tenants.not_found, secrets.undecryptable.
func (s *Service) Box(ctx context.Context, tenantID ids.Tenant) (*secrets.Box, error) {
	if box, ok := s.boxes.Load(tenantID); ok {
		return box.(*secrets.Box), nil
	}
	var wrapped []byte
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.PlacementByTenant(ctx, tenantID.UUID())
		if db.IsNoRows(err) {
			return ErrNotFound.Wrap(err)
		}
		wrapped = row.Keyset
		return err
	})
	if err != nil {
		return nil, err
	}
	box, err := s.deps.Master.Open(tenantID.UUID(), wrapped)
	if err != nil {
		return nil, err
	}
	s.boxes.Store(tenantID, box)
	return box, nil
}

// GetSettings reads the workspace's settings. Every member may see them.
func (s *Service) GetSettings(ctx context.Context, actor access.Actor) (Settings, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Settings{}, err
	}
	var settings Settings
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		t, err := tx.TenantByID(ctx, actor.TenantID.UUID())
		if err != nil {
			return fmt.Errorf("read tenant: %w", err)
		}
		row, err := tx.TenantSettingsGet(ctx, actor.TenantID.UUID())
		if err != nil {
			return fmt.Errorf("read settings: %w", err)
		}
		settings = Settings{Name: t.Name, Plan: plans.Plan(row.PlanType), Zone: row.Zone, Locale: row.Locale}
		return nil
	})
	return settings, err
}

// SetSettings changes name, zone and locale; the plan stays.
//
// Errors: tenants.invalid with fields name, zone, locale; access.forbidden.
func (s *Service) SetSettings(ctx context.Context, actor access.Actor, n Settings) error {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return err
	}
	n.Name = strings.TrimSpace(n.Name)
	if err := check(n); err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.TenantRename(ctx, n.Name, actor.TenantID.UUID()); err != nil {
			return fmt.Errorf("rename tenant: %w", err)
		}
		if err := tx.TenantSettingsSet(ctx, n.Zone, n.Locale, actor.TenantID.UUID()); err != nil {
			return fmt.Errorf("write settings: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "workspace.changed", Target: "workspace", ID: actor.TenantID.String(),
			Detail: map[string]any{"name": n.Name, "zone": n.Zone, "locale": n.Locale}})
	})
}

func check(n Settings) error {
	fields := map[string]string{}
	if length := utf8.RuneCountInString(n.Name); length < 1 || length > 120 {
		fields["name"] = "A name has 1 to 120 characters."
	}
	if !ValidZone(n.Zone) {
		fields["zone"] = "This is not a time zone. Use a name such as Europe/London."
	}
	if !ValidLocale(n.Locale) {
		fields["locale"] = "This is not a locale. Use a name such as en-GB."
	}
	if len(fields) > 0 {
		return ErrInvalid.WithFields(fields)
	}
	return nil
}

var localePattern = regexp.MustCompile(`^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$`)

// ValidLocale tells whether name looks like a BCP 47 language tag.
func ValidLocale(name string) bool { return localePattern.MatchString(name) }

// ValidZone tells whether name is an IANA time zone.
func ValidZone(name string) bool {
	if name == "" || name == "Local" {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// ListMembers lists the people of the workspace by name.
//
// Errors: access.forbidden.
func (s *Service) ListMembers(ctx context.Context, actor access.Actor) ([]Member, error) {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return nil, err
	}
	var members []Member
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.UserList(ctx, actor.TenantID.UUID())
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		for _, row := range rows {
			members = append(members, Member{UserID: ids.User(row.UserID), Email: row.Email, Name: row.Name,
				Role: access.Role(row.Role), CreatedAt: row.CreatedAt, Disabled: row.DisabledAt != nil})
		}
		return nil
	})
	return members, err
}

// SetRole changes what a member may do. Only an owner makes or unmakes an
// owner, and one owner always stays.
//
// Errors: tenants.member_not_found, tenants.last_owner, tenants.owner_only,
// tenants.invalid, access.forbidden.
func (s *Service) SetRole(ctx context.Context, actor access.Actor, userID ids.User, role access.Role) error {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return err
	}
	if !db.UserRole(role).Valid() {
		return ErrInvalid.WithFields(map[string]string{"role": "There is no such role."})
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		member, err := s.changeable(ctx, tx, actor, userID, role == access.Owner, role != access.Owner)
		if err != nil {
			return err
		}
		if _, err := tx.UserSetRole(ctx, db.UserRole(role), actor.TenantID.UUID(), userID.UUID()); err != nil {
			return fmt.Errorf("set role: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "members.role_changed", Target: "user", ID: userID.String(),
			Detail: map[string]any{"before": member.Role, "after": role}})
	})
}

// RemoveMember takes a person out of the workspace and ends their sessions in
// it. Who belongs to no workspace any more is forgotten, password included.
//
// Errors: as SetRole.
func (s *Service) RemoveMember(ctx context.Context, actor access.Actor, userID ids.User) error {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		member, err := s.changeable(ctx, tx, actor, userID, false, true)
		if err != nil {
			return err
		}
		if _, err := tx.SessionRevokeUser(ctx, actor.TenantID.UUID(), userID.UUID()); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		if err := tx.MembershipDelete(ctx, actor.TenantID.UUID(), userID.UUID()); err != nil {
			return fmt.Errorf("end membership: %w", err)
		}
		if _, err := tx.UserDelete(ctx, actor.TenantID.UUID(), userID.UUID()); err != nil {
			return fmt.Errorf("delete user: %w", err)
		}
		if err := tx.PersonDeleteUnattached(ctx, member.PersonID); err != nil {
			return fmt.Errorf("forget person: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "members.removed", Target: "user", ID: userID.String()})
	})
}

// changeable checks that actor may change the member and that an owner stays.
// It answers the member as they are now.
func (s *Service) changeable(ctx context.Context, tx *db.Tx, actor access.Actor, userID ids.User, makesOwner, takesOwner bool) (member db.User, err error) {
	owners, err := tx.UserLockOwners(ctx, actor.TenantID.UUID())
	if err != nil {
		return member, fmt.Errorf("lock owners: %w", err)
	}
	member, err = tx.UserGet(ctx, actor.TenantID.UUID(), userID.UUID())
	if db.IsNoRows(err) {
		return member, ErrMemberNotFound.Wrap(err)
	}
	if err != nil {
		return member, fmt.Errorf("read member: %w", err)
	}
	isOwner := member.Role == db.UserRoleOwner
	if (isOwner || makesOwner) && actor.Kind == access.Person && actor.Role != access.Owner {
		return member, ErrOwnerOnly
	}
	if isOwner && takesOwner && !otherThan(owners, userID.UUID()) {
		return member, ErrLastOwner
	}
	return member, nil
}

func otherThan(owners []uuid.UUID, id uuid.UUID) bool {
	for _, owner := range owners {
		if owner != id {
			return true
		}
	}
	return false
}

func (s *Service) inTx(ctx context.Context, actor access.Actor, work func(context.Context, *db.Tx) error) error {
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), work)
}

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

// New asks for a workspace. Slug, Zone and Locale may be empty.
type New struct {
	Name   string
	Slug   string
	Plan   plans.Plan
	Zone   string
	Locale string
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
	var t Tenant
	id := ids.New[ids.Tenant]()
	err := s.deps.DB.InIdentityTx(ctx, id.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		t, err = s.Insert(ctx, tx, id, n)
		return err
	})
	return t, err
}

// Insert is Create within a transaction that also makes the workspace's first
// owner. tx has to be bound to id and to control.
//
// Errors: as Create.
func (s *Service) Insert(ctx context.Context, tx *db.Tx, id ids.Tenant, n New) (Tenant, error) {
	n = n.withDefaults()
	if !slugPattern.MatchString(n.Slug) {
		return Tenant{}, ErrInvalid.WithFields(map[string]string{"slug": "Use lower-case letters, digits and hyphens."})
	}
	if err := check(Settings{Name: n.Name, Zone: n.Zone, Locale: n.Locale}); err != nil {
		return Tenant{}, err
	}
	t := Tenant{ID: id, Slug: n.Slug, Name: n.Name, CreatedAt: time.Now()}
	wrapped, err := s.deps.Master.NewKeyset(id.UUID())
	if err != nil {
		return Tenant{}, err
	}
	if err := tx.TenantInsert(ctx, id.UUID(), t.Slug, t.Name); err != nil {
		if _, taken := db.IsUniqueViolation(err); taken {
			return Tenant{}, ErrSlugTaken.Wrap(err)
		}
		return Tenant{}, fmt.Errorf("insert tenant: %w", err)
	}
	if err := tx.PlacementInsert(ctx, db.PlacementInsertParams{
		TenantID: id.UUID(), Shard: "primary", SchemaName: "public", StoragePrefix: "t/" + id.String(), Keyset: wrapped,
	}); err != nil {
		return Tenant{}, fmt.Errorf("insert placement: %w", err)
	}
	if err := tx.TenantSettingsInsert(ctx, db.TenantSettingsInsertParams{
		TenantID: id.UUID(), PlanType: db.PlanType(n.Plan), Zone: n.Zone, Locale: n.Locale,
	}); err != nil {
		return Tenant{}, fmt.Errorf("insert settings: %w", err)
	}
	actor := access.Actor{Kind: access.Console, TenantID: id}
	return t, audit.Record(ctx, tx, actor, audit.Entry{Action: "workspace.created", Target: "workspace", ID: id.String(),
		Detail: map[string]any{"name": t.Name, "slug": t.Slug}})
}

func (n New) withDefaults() New {
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
	return n
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

// ForImport is ForConsole for the command that brings data. It makes the named
// workspace where there is none at all, and beside others only where another is
// wanted: a name that none of them has is mistyped more often than new.
//
// Errors: as ForConsole, tenants.invalid.
func (s *Service) ForImport(ctx context.Context, slug string, another bool) (access.Actor, error) {
	actor, err := s.ForConsole(ctx, slug)
	if !errors.Is(err, ErrNotFound) {
		return actor, err
	}
	all, err := s.List(ctx)
	if err != nil {
		return access.Actor{}, err
	}
	if len(all) > 0 && !another {
		return access.Actor{}, ErrNotFound.With("There is no workspace %q. Add --new-tenant to make it.", slug)
	}
	t, err := s.createOnce(ctx, New{Slug: slug, Name: slug})
	if err != nil {
		return access.Actor{}, err
	}
	return access.Actor{Kind: access.Console, TenantID: t.ID}, nil
}

func (s *Service) createDefault(ctx context.Context) (Tenant, error) {
	return s.createOnce(ctx, New{Slug: DefaultSlug, Name: "My workspace"})
}

func (s *Service) createOnce(ctx context.Context, n New) (Tenant, error) {
	t, err := s.Create(ctx, n)
	if errors.Is(err, ErrSlugTaken) { // another process was faster
		return s.GetBySlug(ctx, n.Slug)
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
	err := s.deps.DB.InTenantTx(ctx, tenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
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

func (s *Service) inTx(ctx context.Context, actor access.Actor, work db.Work) error {
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), work)
}

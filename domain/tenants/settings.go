package tenants

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/plans"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// Settings are what a workspace's admins choose.
type Settings struct {
	Name   string
	Slug   string // does not change
	Plan   plans.Plan
	Zone   string // IANA name
	Locale string // BCP 47
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
		settings = Settings{Name: t.Name, Slug: t.Slug, Plan: plans.Plan(row.PlanType), Zone: row.Zone, Locale: row.Locale}
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
	return s.deps.DB.InIdentityTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		before, err := tx.TenantByID(ctx, actor.TenantID.UUID())
		if err != nil {
			return fmt.Errorf("read tenant: %w", err)
		}
		was, err := tx.TenantSettingsGet(ctx, actor.TenantID.UUID())
		if err != nil {
			return fmt.Errorf("read settings: %w", err)
		}
		if err := tx.TenantRename(ctx, n.Name, actor.TenantID.UUID()); err != nil {
			return fmt.Errorf("rename tenant: %w", err)
		}
		if err := tx.TenantSettingsSet(ctx, n.Zone, n.Locale, actor.TenantID.UUID()); err != nil {
			return fmt.Errorf("write settings: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "workspace.changed", Target: "workspace", ID: actor.TenantID.String(),
			Before: map[string]any{"name": before.Name, "zone": was.Zone, "locale": was.Locale},
			After:  map[string]any{"name": n.Name, "zone": n.Zone, "locale": n.Locale}})
	})
}

func check(n Settings) error {
	fields := map[string]string{}
	if problem := plaintext.Problem(n.Name, 120, "A name has 1 to 120 characters."); problem != "" {
		fields["name"] = problem
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

// SetPlan changes the plan of a workspace. It is for the operator's console.
func (s *Service) SetPlan(ctx context.Context, actor access.Actor, plan plans.Plan) error {
	if err := access.Can(actor, access.DeleteWorkspace); err != nil {
		return err
	}
	if !db.PlanType(plan).Valid() {
		return ErrInvalid.WithFields(map[string]string{"plan": "There is no such plan."})
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		was, err := tx.TenantSettingsGet(ctx, actor.TenantID.UUID())
		if err != nil {
			return fmt.Errorf("read settings: %w", err)
		}
		if err := tx.TenantSetPlan(ctx, db.PlanType(plan), actor.TenantID.UUID()); err != nil {
			return fmt.Errorf("set plan: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "workspace.plan_changed", Target: "workspace", ID: actor.TenantID.String(),
			Before: map[string]any{"plan": was.PlanType}, After: map[string]any{"plan": plan}})
	})
}

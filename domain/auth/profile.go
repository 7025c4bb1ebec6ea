package auth

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// SetName changes how the person is called in this workspace.
//
// Errors: auth.invalid with field name.
func (s *Service) SetName(ctx context.Context, i Identity, name string) error {
	name, problem := checkName(name)
	if problem != "" {
		return ErrInvalid.WithFields(map[string]string{"name": problem})
	}
	return s.deps.DB.InTenantTx(ctx, i.Actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if err := tx.UserSetName(ctx, name, i.Actor.TenantID.UUID(), i.Actor.UserID.UUID()); err != nil {
			return fmt.Errorf("write name: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "members.renamed", Target: "user", ID: i.Actor.UserID.String(),
			Before: map[string]any{"name": i.Name}, After: map[string]any{"name": name}})
	})
}

// SetFormats changes time zone and locale; empty ones follow the workspace.
//
// Errors: auth.invalid with fields zone, locale.
func (s *Service) SetFormats(ctx context.Context, i Identity, zone, locale string) error {
	fields := map[string]string{}
	if zone != "" && !tenants.ValidZone(zone) {
		fields["zone"] = "This is not a time zone. Use a name such as Europe/London."
	}
	if locale != "" && !tenants.ValidLocale(locale) {
		fields["locale"] = "This is not a locale. Use a name such as en-GB."
	}
	if len(fields) > 0 {
		return ErrInvalid.WithFields(fields)
	}
	return s.deps.DB.InTenantTx(ctx, i.Actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		err := tx.UserSetFormats(ctx, db.UserSetFormatsParams{Zone: zone, Locale: locale,
			TenantID: i.Actor.TenantID.UUID(), UserID: i.Actor.UserID.UUID()})
		if err != nil {
			return fmt.Errorf("write formats: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.formats_changed", Target: "user", ID: i.Actor.UserID.String(),
			Before: map[string]any{"zone": i.OwnZone, "locale": i.OwnLocale}, After: map[string]any{"zone": zone, "locale": locale}})
	})
}

// SetDisplay keeps the choice of auto, light or dark, and whether single keys
// do something.
func (s *Service) SetDisplay(ctx context.Context, i Identity, theme string, shortcuts bool) error {
	return s.deps.DB.InTenantTx(ctx, i.Actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		err := tx.UserSetDisplay(ctx, db.UserSetDisplayParams{Theme: validTheme(theme), Shortcuts: shortcuts,
			TenantID: i.Actor.TenantID.UUID(), UserID: i.Actor.UserID.UUID()})
		if err != nil {
			return fmt.Errorf("write display: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.display_changed", Target: "user", ID: i.Actor.UserID.String(),
			Before: map[string]any{"theme": i.Theme, "shortcuts": i.Shortcuts}, After: map[string]any{"theme": validTheme(theme), "shortcuts": shortcuts}})
	})
}

// SetTheme keeps the choice of auto, light or dark alone.
func (s *Service) SetTheme(ctx context.Context, i Identity, theme string) error {
	return s.deps.DB.InTenantTx(ctx, i.Actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if err := tx.UserSetTheme(ctx, validTheme(theme), i.Actor.TenantID.UUID(), i.Actor.UserID.UUID()); err != nil {
			return fmt.Errorf("write theme: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.display_changed", Target: "user", ID: i.Actor.UserID.String(),
			Before: map[string]any{"theme": i.Theme}, After: map[string]any{"theme": validTheme(theme)}})
	})
}

func validTheme(theme string) string {
	if theme == "light" || theme == "dark" {
		return theme
	}
	return "auto"
}

func checkName(name string) (clean, problem string) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "", ""
	}
	if problem := plaintext.Problem(name, maxName, fmt.Sprintf("A name has at most %d characters.", maxName)); problem != "" {
		return "", problem
	}
	return name, ""
}

// zones remembers what time.LoadLocation reads from files each time.
var zones sync.Map // string -> *time.Location

func loadZone(name string) (*time.Location, error) {
	if zone, ok := zones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	zones.Store(name, zone)
	return zone, nil
}

package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// ErrEnforce says why single sign-on can't be made the only way in.
var ErrEnforce = apperr.Define(apperr.Conflict, "auth.enforce",
	"Single sign-on can be required once a connection is turned on and a test sign-in has passed.")

// Policy is how the people of a workspace may come in.
type Policy struct {
	SAML, OIDC bool // turned on
	// SSOOnly closes every other way but for BreakGlass.
	SSOOnly    bool
	BreakGlass ids.User
}

func (p Policy) ways() []string {
	var list []string
	if p.SAML {
		list = append(list, kindSAML)
	}
	if p.OIDC {
		list = append(list, kindOIDC)
	}
	return list
}

// policyOf reads a workspace's policy in a transaction bound to it.
func policyOf(ctx context.Context, tx *db.Tx, tenantID uuid.UUID) (Policy, error) {
	row, err := tx.PolicyGet(ctx, tenantID)
	if db.IsNoRows(err) {
		return Policy{}, nil
	}
	if err != nil {
		return Policy{}, fmt.Errorf("read sign-in policy: %w", err)
	}
	p := Policy{SAML: row.Saml, OIDC: row.Oidc, SSOOnly: row.SsoOnly}
	if row.BreakGlassUserID != nil {
		p.BreakGlass = ids.User(*row.BreakGlassUserID)
	}
	return p, nil
}

// setWays says which providers are turned on. The last one can't go while
// there is no other way in.
func setWays(ctx context.Context, tx *db.Tx, tenantID uuid.UUID, kind string, on bool) error {
	p, err := policyOf(ctx, tx, tenantID)
	if err != nil {
		return err
	}
	if kind == kindSAML {
		p.SAML = on
	} else {
		p.OIDC = on
	}
	if p.SSOOnly && !p.SAML && !p.OIDC {
		return ErrEnforce.With("Single sign-on is required now. Stop requiring it before you turn off the last connection.")
	}
	if err := tx.PolicySetWays(ctx, tenantID, p.SAML, p.OIDC); err != nil {
		return fmt.Errorf("write sign-in policy: %w", err)
	}
	return nil
}

// SetSSOOnly makes single sign-on the only way in, but for one owner, or opens
// the others again. Sessions that a password has opened end, but for that
// owner's and the actor's own.
//
// Errors: access.forbidden, auth.enforce, tenants.member_not_found for a
// break-glass user who is no owner.
func (s *Service) SetSSOOnly(ctx context.Context, i Identity, only bool, breakGlass ids.User) error {
	if err := access.Can(i.Actor, access.ManageSignIn); err != nil {
		return err
	}
	tenant := i.Actor.TenantID.UUID()
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		var chosen *uuid.UUID
		if only {
			if err := s.mayEnforce(ctx, tx, tenant); err != nil {
				return err
			}
			owners, err := tx.UserLockOwners(ctx, tenant)
			if err != nil {
				return fmt.Errorf("lock owners: %w", err)
			}
			if !slices.Contains(owners, breakGlass.UUID()) {
				return tenants.ErrMemberNotFound.With("Choose an owner who can still sign in with a password.")
			}
			id := breakGlass.UUID()
			chosen = &id
		}
		before, err := tx.PolicyGet(ctx, tenant)
		if err != nil && !db.IsNoRows(err) {
			return fmt.Errorf("read sign-in policy: %w", err)
		}
		if _, err := tx.PolicySetOnly(ctx, only, chosen, tenant); err != nil {
			return fmt.Errorf("write sign-in policy: %w", err)
		}
		if only {
			if _, err := tx.SessionRevokeMethod(ctx, tenant, "password", []uuid.UUID{*chosen, i.Actor.UserID.UUID()}); err != nil {
				return fmt.Errorf("end sessions: %w", err)
			}
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "sso.enforcement_changed", Target: "workspace", ID: i.Actor.TenantID.String(),
			Detail: map[string]any{"break_glass": breakGlass}, Before: map[string]any{"only": before.SsoOnly}, After: map[string]any{"only": only}})
	})
}

// mayEnforce wants a connection that is on and was seen to work since it was changed.
func (s *Service) mayEnforce(ctx context.Context, tx *db.Tx, tenant uuid.UUID) error {
	for _, kind := range []string{kindSAML, kindOIDC} {
		row, err := tx.ConnectionGet(ctx, tenant, kind)
		if db.IsNoRows(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read connection: %w", err)
		}
		if passed := readTest(row.LastTest).passedAt(); row.Enabled && !passed.IsZero() && !passed.Before(row.UpdatedAt.Truncate(time.Second)) {
			return nil
		}
	}
	return ErrEnforce
}

// breakGlass records that the one owner has come in who may, and tells the
// others who look after the workspace.
func (s *Service) breakGlass(ctx context.Context, tx *db.Tx, place db.MembershipListByPersonRow, client Client) error {
	owner := ids.User(place.UserID)
	user, err := tx.UserGet(ctx, place.TenantID, place.UserID)
	if err != nil {
		return fmt.Errorf("read break-glass owner: %w", err)
	}
	if err := audit.Record(ctx, tx, personActor(ids.Tenant(place.TenantID), owner), audit.Entry{Action: "auth.break_glass_used", Target: "user",
		ID: owner.String(), Detail: map[string]any{"address": client.Address}}); err != nil {
		return err
	}
	admins, err := tx.AdminList(ctx, place.TenantID)
	if err != nil {
		return fmt.Errorf("list admins: %w", err)
	}
	e := notify.Event{ID: ids.New[uuid.UUID](), Kind: notify.BreakGlass, Subject: first(user.Name, user.Email), Path: "/settings/sign-in"}
	for _, id := range admins {
		e.To = append(e.To, ids.User(id))
	}
	return s.deps.Notify.Tell(ctx, tx, e)
}

// Security is how long sessions last, and who needs a second factor.
type Security struct {
	Idle  time.Duration // without a request; zero: as DataFlow has it
	Whole time.Duration // at the most; zero: as DataFlow has it
	// SecondFactor are the roles that need one, where they use a password.
	SecondFactor []access.Role
}

// The choices of Security, in order; zero is DataFlow's own.
var (
	IdleChoices  = []time.Duration{0, 15 * time.Minute, 30 * time.Minute, time.Hour, 4 * time.Hour, 8 * time.Hour}
	WholeChoices = []time.Duration{0, 8 * time.Hour, 12 * time.Hour, 24 * time.Hour, 72 * time.Hour}
)

// GetSecurity reads the workspace's choice.
//
// Errors: access.forbidden.
func (s *Service) GetSecurity(ctx context.Context, actor access.Actor) (Security, error) {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return Security{}, err
	}
	var found Security
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.SecurityGet(ctx, actor.TenantID.UUID())
		if err != nil {
			return fmt.Errorf("read sign-in settings: %w", err)
		}
		found.Idle, found.Whole = time.Duration(row.SessionIdleMinutes)*time.Minute, time.Duration(row.SessionMaxHours)*time.Hour
		for _, role := range row.SecondFactorRoles {
			found.SecondFactor = append(found.SecondFactor, access.Role(role))
		}
		return nil
	})
	return found, err
}

// SetSecurity changes it; sessions that are open end as early as it says now.
//
// Errors: access.forbidden; auth.invalid with fields idle, whole, roles.
func (s *Service) SetSecurity(ctx context.Context, i Identity, n Security) error {
	if err := access.Can(i.Actor, access.ManageSignIn); err != nil {
		return err
	}
	fields := map[string]string{}
	if !slices.Contains(IdleChoices, n.Idle) {
		fields["idle"] = "Choose one of the times."
	}
	if !slices.Contains(WholeChoices, n.Whole) {
		fields["whole"] = "Choose one of the times."
	}
	roles := []string{}
	for _, role := range n.SecondFactor {
		if !tenants.ValidRole(role) {
			fields["roles"] = "There is no such role."
		}
		roles = append(roles, string(role))
	}
	if len(fields) > 0 {
		return ErrInvalid.WithFields(fields)
	}
	tenant := i.Actor.TenantID.UUID()
	idle, whole := int32(n.Idle.Minutes()), int32(n.Whole.Hours())
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		names := make([]string, len(n.SecondFactor))
		for k, value := range n.SecondFactor {
			role, err := tenants.FindRole(ctx, tx, value)
			if errors.Is(err, tenants.ErrInvalid) {
				return ErrInvalid.WithFields(map[string]string{"roles": "There is no such role."}).Wrap(err)
			}
			if err != nil {
				return err
			}
			names[k] = role.Title()
		}
		if err := tx.SecuritySet(ctx, db.SecuritySetParams{SessionIdleMinutes: idle, SessionMaxHours: whole, SecondFactorRoles: roles, TenantID: tenant}); err != nil {
			return fmt.Errorf("write sign-in settings: %w", err)
		}
		if err := tx.SessionLimit(ctx, idle*60, whole*3600, tenant); err != nil {
			return fmt.Errorf("shorten sessions: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "security.changed", Target: "workspace", ID: i.Actor.TenantID.String(),
			Detail: map[string]any{"idle_minutes": idle, "max_hours": whole, "second_factor": names}})
	})
}

// Package portals is what a workspace shows to its own customers: chosen
// dashboards under a name, a look and a host of its own. Visitors sign in there;
// they are no members and see nothing besides.
package portals

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/brand"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/hosts"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// What can go wrong.
var (
	// ErrNotFound also covers portals of other workspaces.
	ErrNotFound = apperr.Define(apperr.NotFound, "portals.not_found",
		"This portal does not exist or was removed.")
	ErrName = apperr.Define(apperr.Invalid, "portals.name",
		"Give the portal a name of at most 80 characters.")
	ErrNameTaken = apperr.Define(apperr.Conflict, "portals.name_taken",
		"There is a portal of this name already.")
	ErrDashboards = apperr.Define(apperr.Invalid, "portals.dashboards",
		"A portal shows at most 40 dashboards, each once, and only such as you can see.")
	ErrZone = apperr.Define(apperr.Invalid, "portals.zone",
		"This is no time zone that we know.")
)

// Mailer queues a letter in the transaction that wants it sent; it is
// delivery.Service.
type Mailer interface {
	Queue(ctx context.Context, tx *db.Tx, to delivery.Recipient, letter delivery.Letter) (ids.Message, error)
}

// Passwords hash and count attempts; it is auth.Service.
type Passwords interface {
	HashPassword(ctx context.Context, password, email string) (string, error)
	VerifyPassword(ctx context.Context, password, stored string) (bool, error)
	CountAttempt(ctx context.Context, realm, account string, client auth.Client) (auth.Attempt, error)
}

// Prover knows which names are names of hosts, and whether one is a tenant's.
type Prover interface {
	Normalise(host string) (string, error)
	// Record is what has to stand in the DNS of a host.
	Record(tenant ids.Tenant, host string) (name, value string)
	Verify(ctx context.Context, tenant ids.Tenant, host string) error
	// Check verifies a host in use again, and answers its new health.
	Check(ctx context.Context, tenant ids.Tenant, host string, before hosts.Health, now time.Time) (hosts.Health, error)
}

// Deps are what the service works with.
type Deps struct {
	DB        *db.DB
	Tenants   *tenants.Service
	Passwords Passwords
	SSO       SSO
	Mailer    Mailer
	Prover    Prover
	Notify    *notify.Service  // nil: nobody is told
	Now       func() time.Time // time.Now when nil
	Log       *slog.Logger     // slog.Default when nil
}

// Service is safe for concurrent use.
type Service struct {
	deps  Deps
	hosts *hostCache
}

// NewService makes the service.
func NewService(deps Deps) *Service {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.Default()
	}
	return &Service{deps: deps, hosts: newHostCache()}
}

// Portal is one portal as its workspace sees it.
type Portal struct {
	ID        ids.Portal
	TenantID  ids.Tenant
	Name      string
	Brand     brand.Brand
	Downloads bool   // visitors may take files of what they see
	Schedules bool   // and have them mailed, where they may take them
	Zone      string // IANA name; the workspace's when empty
	SSOOnly   bool   // no visitor's password counts
	Host      string // its first name, for a portal that was found by one or for a visitor
	UpdatedAt time.Time
}

// Listed is a portal in a list.
type Listed struct {
	Portal
	Dashboards, Visitors int
}

// Shown is one dashboard of a portal. Without a group it is for all visitors.
type Shown struct {
	Dashboard ids.Dashboard
	Name      string // of the dashboard
	Label     string // in the portal's navigation; Name when empty
	Group     ids.Group
	GroupName string
}

// maxShown bounds the dashboards of one portal.
const maxShown = 40

func (s *Service) now() time.Time { return s.deps.Now().UTC().Truncate(time.Microsecond) }

// manage runs work for an actor who may manage the workspace.
func (s *Service) manage(ctx context.Context, actor access.Actor, work db.Work) error {
	if err := access.Can(actor, access.ManagePortals); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), work)
}

// List lists the workspace's portals by name.
func (s *Service) List(ctx context.Context, actor access.Actor) ([]Listed, error) {
	var list []Listed
	err := s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.PortalList(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("list portals: %w", err)
		}
		for _, r := range rows {
			p := Portal{ID: ids.Portal(r.PortalID), TenantID: actor.TenantID, Name: r.Name, UpdatedAt: r.UpdatedAt}
			if err := json.Unmarshal(r.Brand, &p.Brand); err != nil {
				return fmt.Errorf("read brand of portal %s: %w", r.PortalID, err)
			}
			list = append(list, Listed{p, int(r.Dashboards), int(r.Visitors)})
		}
		return nil
	})
	return list, err
}

// Get answers one portal.
//
// Errors: portals.not_found.
func (s *Service) Get(ctx context.Context, actor access.Actor, id ids.Portal) (Portal, error) {
	var p Portal
	err := s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) (err error) {
		p, err = get(ctx, tx, id)
		return err
	})
	return p, err
}

func get(ctx context.Context, tx *db.Tx, id ids.Portal) (Portal, error) {
	r, err := tx.PortalGet(ctx, tx.TenantID, id.UUID())
	if db.IsNoRows(err) {
		return Portal{}, ErrNotFound.Wrap(err)
	}
	if err != nil {
		return Portal{}, fmt.Errorf("read portal: %w", err)
	}
	p := Portal{ID: id, TenantID: ids.Tenant(tx.TenantID), Name: r.Name, Downloads: r.Downloads, Schedules: r.Schedules, Zone: r.Zone, SSOOnly: r.SsoOnly, UpdatedAt: r.UpdatedAt}
	if err := json.Unmarshal(r.Brand, &p.Brand); err != nil {
		return Portal{}, fmt.Errorf("read brand of portal %s: %w", id, err)
	}
	return p, nil
}

// Create makes a portal that shows nothing yet.
//
// Errors: portals.name, portals.name_taken.
func (s *Service) Create(ctx context.Context, actor access.Actor, name string) (ids.Portal, error) {
	name = strings.Join(strings.Fields(name), " ")
	if problem := plaintext.Problem(name, 80, ErrName.Sentence()); problem != "" {
		return ids.Portal{}, ErrName.WithFields(map[string]string{"name": problem})
	}
	id := ids.New[ids.Portal]()
	look, _, err := brand.Brand{Name: name}.Checked()
	if err != nil {
		return ids.Portal{}, err
	}
	encoded, err := json.Marshal(look)
	if err != nil {
		return ids.Portal{}, fmt.Errorf("encode brand: %w", err)
	}
	err = s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		err := tx.PortalInsert(ctx, db.PortalInsertParams{TenantID: tx.TenantID, PortalID: id.UUID(), Name: name, Brand: encoded})
		if _, taken := db.IsUniqueViolation(err); taken {
			return ErrNameTaken.WithFields(map[string]string{"name": ErrNameTaken.Sentence()}).Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("insert portal: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.created", Target: "portal", ID: id.String(), Detail: map[string]any{"name": name}})
	})
	return id, err
}

// Logo is a picture to keep; empty data removes the one that is there.
type Logo struct{ Data []byte }

// Edit changes how a portal is called, looks and behaves; nil leaves as it is.
type Edit struct {
	Name           *string
	Brand          *brand.Brand
	Logo, LogoDark *Logo
	Downloads      *bool
	Schedules      *bool
	Zone           *string
}

// Change changes a portal. What was corrected in the brand so that everybody can
// read it is answered in words.
//
// Errors: portals.not_found, portals.name, portals.name_taken, portals.zone,
// those of brand.Checked and brand.CheckLogo.
func (s *Service) Change(ctx context.Context, actor access.Actor, id ids.Portal, e Edit) ([]brand.Note, error) {
	var notes []brand.Note
	err := s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		p, err := get(ctx, tx, id)
		if err != nil {
			return err
		}
		before := p
		if e.Name != nil {
			p.Name = strings.Join(strings.Fields(*e.Name), " ")
			if problem := plaintext.Problem(p.Name, 80, ErrName.Sentence()); problem != "" {
				return ErrName.WithFields(map[string]string{"name": problem})
			}
		}
		if e.Zone != nil {
			if p.Zone = *e.Zone; p.Zone != "" {
				if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "Local" {
					return ErrZone.WithFields(map[string]string{"zone": ErrZone.Sentence()})
				}
			}
		}
		if e.Downloads != nil {
			p.Downloads = *e.Downloads
		}
		if e.Schedules != nil {
			p.Schedules = *e.Schedules
		}
		if e.Brand != nil {
			logo, dark := p.Brand.Logo, p.Brand.LogoDark
			if p.Brand, notes, err = e.Brand.Checked(); err != nil {
				return err
			}
			p.Brand.Logo, p.Brand.LogoDark = logo, dark
		}
		for _, one := range []struct {
			kind string
			logo *Logo
			sum  *string
		}{{"logo", e.Logo, &p.Brand.Logo}, {"logo_dark", e.LogoDark, &p.Brand.LogoDark}} {
			if one.logo == nil {
				continue
			}
			if *one.sum, err = saveLogo(ctx, tx, id, one.kind, one.logo.Data); err != nil {
				return err
			}
		}
		encoded, err := json.Marshal(p.Brand)
		if err != nil {
			return fmt.Errorf("encode brand: %w", err)
		}
		_, err = tx.PortalUpdate(ctx, db.PortalUpdateParams{TenantID: tx.TenantID, PortalID: id.UUID(), Name: p.Name, Brand: encoded,
			Downloads: p.Downloads, Schedules: p.Schedules, Zone: p.Zone, Now: s.now()})
		if _, taken := db.IsUniqueViolation(err); taken {
			return ErrNameTaken.WithFields(map[string]string{"name": ErrNameTaken.Sentence()}).Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("update portal: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.changed", Target: "portal", ID: id.String(),
			Detail: map[string]any{"name": p.Name, "before": before.facts(), "after": p.facts()}})
	})
	return notes, err
}

// Mails tells whether visitors may have files mailed to themselves.
func (p Portal) Mails() bool { return p.Downloads && p.Schedules }

// Address is where a portal is, with the scheme and the port of the installation's
// own address; empty for a portal that no name leads to.
func (p Portal) Address(installation string) string {
	site, err := url.Parse(installation)
	if err != nil || p.Host == "" {
		return ""
	}
	host := p.Host
	if port := site.Port(); port != "" {
		host = net.JoinHostPort(host, port)
	}
	return site.Scheme + "://" + host
}

// Mark is a plain picture of a portal without a logo.
func (p Portal) Mark() []byte { return brand.Mark(p.Title(), p.Brand.Colour) }

// facts are what an audit entry says of a portal.
func (p Portal) facts() map[string]any {
	return map[string]any{"name": p.Name, "brand": p.Brand, "downloads": p.Downloads, "schedules": p.Schedules, "zone": p.Zone}
}

// saveLogo keeps a logo and answers the sum that names it.
func saveLogo(ctx context.Context, tx *db.Tx, id ids.Portal, kind string, data []byte) (string, error) {
	if len(data) == 0 {
		if err := tx.PortalAssetRemove(ctx, tx.TenantID, id.UUID(), kind); err != nil {
			return "", fmt.Errorf("remove logo: %w", err)
		}
		return "", nil
	}
	contentType, clean, err := brand.CheckLogo(data)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(clean)
	name := hex.EncodeToString(sum[:])
	if err := tx.PortalAssetSave(ctx, db.PortalAssetSaveParams{TenantID: tx.TenantID, PortalID: id.UUID(), Kind: kind, ContentType: contentType,
		Sum: name, Data: clean}); err != nil {
		return "", fmt.Errorf("save logo: %w", err)
	}
	return name, nil
}

// Delete removes a portal with its visitors. Its dashboards stay.
//
// Errors: portals.not_found.
func (s *Service) Delete(ctx context.Context, actor access.Actor, id ids.Portal) error {
	if err := access.Can(actor, access.ManagePortals); err != nil {
		return err
	}
	err := s.deps.DB.InIdentityTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		p, err := get(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := tx.PortalHostsRemove(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("remove hosts: %w", err)
		}
		if _, err := tx.PortalDelete(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("delete portal: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.deleted", Target: "portal", ID: id.String(), Detail: map[string]any{"name": p.Name}})
	})
	if err == nil {
		s.hosts.forget()
	}
	return err
}

// Dashboards lists what a portal shows, in its order.
//
// Errors: portals.not_found.
func (s *Service) Dashboards(ctx context.Context, actor access.Actor, id ids.Portal) ([]Shown, error) {
	var list []Shown
	err := s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		rows, err := tx.PortalDashboardList(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return fmt.Errorf("list dashboards of portal: %w", err)
		}
		for _, r := range rows {
			one := Shown{Dashboard: ids.Dashboard(r.DashboardID), Name: r.Name, Label: r.Label, GroupName: r.GroupName}
			if r.GroupID != nil {
				one.Group = ids.Group(*r.GroupID)
			}
			list = append(list, one)
		}
		return nil
	})
	return list, err
}

// SetDashboards says what a portal shows, in this order.
//
// Errors: portals.not_found, portals.dashboards.
func (s *Service) SetDashboards(ctx context.Context, actor access.Actor, id ids.Portal, list []Shown) error {
	if len(list) > maxShown {
		return ErrDashboards
	}
	return s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		before, err := tx.PortalDashboardList(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return fmt.Errorf("list dashboards of portal: %w", err)
		}
		was := []string{}
		for _, row := range before {
			was = append(was, row.DashboardID.String())
		}
		if err := tx.PortalDashboardsClear(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("clear dashboards of portal: %w", err)
		}
		names := []string{}
		for i, one := range list {
			label := strings.Join(strings.Fields(one.Label), " ")
			if label != "" {
				if problem := plaintext.Problem(label, 60, "A name in the navigation is one line of at most 60 characters."); problem != "" {
					return ErrDashboards.With("%s", problem)
				}
			}
			var group *uuid.UUID
			if !one.Group.IsZero() {
				g := one.Group.UUID()
				group = &g
			}
			err := tx.PortalDashboardAdd(ctx, db.PortalDashboardAddParams{TenantID: tx.TenantID, PortalID: id.UUID(),
				DashboardID: one.Dashboard.UUID(), Label: label, Place: int32(i), GroupID: group})
			if _, twice := db.IsUniqueViolation(err); twice || db.IsForeignKeyViolation(err) {
				return ErrDashboards.Wrap(err)
			}
			if err != nil {
				return fmt.Errorf("add dashboard to portal: %w", err)
			}
			names = append(names, one.Dashboard.String())
		}
		if err := tx.PortalTouch(ctx, s.now(), tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("note change of portal: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.dashboards_set", Target: "portal", ID: id.String(),
			Before: map[string]any{"dashboards": was}, After: map[string]any{"dashboards": names}})
	})
}

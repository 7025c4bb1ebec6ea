package portals

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong with hosts.
var (
	ErrHostTaken = apperr.Define(apperr.Conflict, "portals.host_taken",
		"This host is in use already.")
	ErrHostNotFound = apperr.Define(apperr.NotFound, "portals.host_not_found",
		"The portal has no such host.")
)

// Host is a name that a portal is reached by, once it is proven.
type Host struct {
	Name       string
	ClaimedAt  time.Time
	VerifiedAt time.Time // zero: nobody gets there yet
	FailingAt  time.Time // zero, or since when the proof is missing
}

// hostCache remembers for a few seconds whose a host is, also that it is
// nobody's: a request to a portal costs no query for that.
type hostCache struct {
	mu    sync.Mutex
	known map[string]knownHost
}

type knownHost struct {
	tenant ids.Tenant
	portal ids.Portal
	main   string // the portal's first name
	until  time.Time
}

func newHostCache() *hostCache { return &hostCache{known: map[string]knownHost{}} }

func (c *hostCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.known)
}

// hostKept is how long the owner of a host is remembered; maxKnownHosts bounds what strangers can make it remember.
const (
	hostKept      = 10 * time.Second
	maxKnownHosts = 10_000
)

// ByHost answers the portal of a proven host.
//
// Errors: portals.not_found.
func (s *Service) ByHost(ctx context.Context, host string) (Portal, error) {
	now := s.deps.Now()
	s.hosts.mu.Lock()
	known, ok := s.hosts.known[host]
	s.hosts.mu.Unlock()
	if !ok || now.After(known.until) {
		known = knownHost{until: now.Add(hostKept)}
		err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			row, err := tx.PortalHostFind(ctx, host)
			if db.IsNoRows(err) {
				return nil
			}
			known.tenant, known.portal, known.main = ids.Tenant(row.TenantID), ids.Portal(row.PortalID), row.Main
			return err
		})
		if err != nil {
			return Portal{}, fmt.Errorf("find host: %w", err)
		}
		s.hosts.mu.Lock()
		if len(s.hosts.known) >= maxKnownHosts {
			clear(s.hosts.known)
		}
		s.hosts.known[host] = known
		s.hosts.mu.Unlock()
	}
	if known.portal.IsZero() {
		return Portal{}, ErrNotFound
	}
	var p Portal
	err := s.deps.DB.InTenantTx(ctx, known.tenant.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		p, err = get(ctx, tx, known.portal)
		p.Host = known.main
		return err
	})
	return p, err
}

// Hosts lists the names of a portal.
//
// Errors: portals.not_found.
func (s *Service) Hosts(ctx context.Context, actor access.Actor, id ids.Portal) ([]Host, error) {
	var list []Host
	err := s.manageHosts(ctx, actor, id, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.PortalHostList(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return fmt.Errorf("list hosts: %w", err)
		}
		for _, r := range rows {
			h := Host{Name: r.Host, ClaimedAt: r.ClaimedAt}
			if r.VerifiedAt != nil {
				h.VerifiedAt = *r.VerifiedAt
			}
			if r.FailingAt != nil {
				h.FailingAt = *r.FailingAt
			}
			list = append(list, h)
		}
		return nil
	})
	return list, err
}

func (s *Service) manageHosts(ctx context.Context, actor access.Actor, id ids.Portal, work db.Work) error {
	if err := access.Can(actor, access.ManagePortals); err != nil {
		return err
	}
	return s.deps.DB.InIdentityTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		return work(ctx, tx)
	})
}

// ClaimHost notes a name for a portal; it leads nowhere until it is proven.
// Several workspaces may claim one: who proves it first has it.
//
// Errors: portals.not_found, portals.host_taken, those of the name.
func (s *Service) ClaimHost(ctx context.Context, actor access.Actor, id ids.Portal, host string) (string, error) {
	host, err := s.deps.Prover.Normalise(host)
	if err != nil {
		return "", err
	}
	return host, s.manageHosts(ctx, actor, id, func(ctx context.Context, tx *db.Tx) error {
		taken, err := tx.PortalHostTaken(ctx, host, tx.TenantID)
		if err != nil {
			return fmt.Errorf("look for host: %w", err)
		}
		if taken {
			return ErrHostTaken
		}
		n, err := tx.PortalHostClaim(ctx, db.PortalHostClaimParams{Host: host, TenantID: tx.TenantID, PortalID: id.UUID(), Now: s.now()})
		if err != nil {
			return fmt.Errorf("claim host: %w", err)
		}
		if n == 0 {
			return ErrHostTaken
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.host_claimed", Target: "portal", ID: id.String(), Detail: map[string]any{"host": host}})
	})
}

// Proof is the record that has to stand in the DNS of a host.
func (s *Service) Proof(tenant ids.Tenant, host string) (name, value string) {
	return s.deps.Prover.Record(tenant, host)
}

// ProveHost looks for the proof that a name is the workspace's; from then on it
// leads to the portal.
//
// Errors: portals.host_not_found, portals.host_taken, those of the proof.
func (s *Service) ProveHost(ctx context.Context, actor access.Actor, id ids.Portal, host string) error {
	list, err := s.Hosts(ctx, actor, id)
	if err != nil {
		return err
	}
	claimed := false
	for _, h := range list {
		claimed = claimed || h.Name == host
	}
	if !claimed {
		return ErrHostNotFound
	}
	if err := s.deps.Prover.Verify(ctx, actor.TenantID, host); err != nil {
		return err
	}
	err = s.manageHosts(ctx, actor, id, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.PortalHostProve(ctx, db.PortalHostProveParams{Host: host, TenantID: tx.TenantID, PortalID: id.UUID(), Now: s.now()})
		if _, taken := db.IsUniqueViolation(err); taken {
			return ErrHostTaken.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("prove host: %w", err)
		}
		if n == 0 {
			return ErrHostNotFound
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.host_proven", Target: "portal", ID: id.String(), Detail: map[string]any{"host": host}})
	})
	s.hosts.forget()
	return err
}

// RemoveHost takes a name off a portal.
//
// Errors: portals.host_not_found.
func (s *Service) RemoveHost(ctx context.Context, actor access.Actor, id ids.Portal, host string) error {
	err := s.manageHosts(ctx, actor, id, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.PortalHostRemove(ctx, host, tx.TenantID, id.UUID())
		if err != nil {
			return fmt.Errorf("remove host: %w", err)
		}
		if n == 0 {
			return ErrHostNotFound
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.host_removed", Target: "portal", ID: id.String(), Detail: map[string]any{"host": host}})
	})
	s.hosts.forget()
	return err
}

package auth

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// Realm is whom a connection lets in: the members of a workspace, or the
// visitors of one of its portals. Each has connections, questions and keys of
// its own; the answer to a question of one is none to another's.
type Realm struct {
	tenant uuid.UUID // zero while only the slug is known
	slug   string    // of members' workspace
	name   string    // stands in certificates
	portal uuid.UUID // zero for members
	base   string    // address of the portal's host
}

// Members is the realm of a workspace, by the name in its addresses.
func Members(slug string) Realm { return Realm{slug: slug} }

// VisitorsOf is the realm of a portal that people reach at base, an address
// without a slash at its end.
func VisitorsOf(tenant ids.Tenant, portal ids.Portal, name, base string) Realm {
	return Realm{tenant: tenant.UUID(), portal: portal.UUID(), name: name, base: base}
}

// Base is the address of a portal, which its visitors are at.
func (r Realm) Base() string { return r.base }

func (r Realm) visitors() bool { return r.portal != uuid.Nil }

// address is what the addresses of a protocol begin with.
func (s *Service) address(r Realm, protocol string) string {
	if r.visitors() {
		return r.base + "/" + protocol
	}
	return s.deps.BaseURL() + "/" + protocol + "/" + r.slug
}

// find finds out which workspace a realm is of.
//
// Errors: auth.no_sso.
func (s *Service) find(ctx context.Context, r Realm) (Realm, error) {
	if r.tenant != uuid.Nil {
		return r, nil
	}
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.WaysBySlug(ctx, cut(r.slug, 64))
		r.tenant, r.slug, r.name = row.TenantID, row.Slug, row.Name
		return err
	})
	if db.IsNoRows(err) {
		return r, ErrNoSSO.Wrap(err)
	}
	if err != nil {
		return r, fmt.Errorf("find workspace: %w", err)
	}
	return r, nil
}

// managed is the realm as somebody changes it, who has to be allowed to: whoever
// says which provider counts could come in as anybody of the realm.
//
// Errors: access.forbidden, auth.no_sso for a realm of another workspace.
func (r Realm) managed(i Identity) (Realm, error) {
	if r.visitors() {
		if err := access.Can(i.Actor, access.ManagePortals); err != nil {
			return r, err
		}
		if r.tenant != i.Actor.TenantID.UUID() {
			return r, ErrNoSSO
		}
		return r, nil
	}
	if err := access.Can(i.Actor, access.ManageSignIn); err != nil {
		return r, err
	}
	if r.slug != i.TenantSlug {
		return r, ErrNoSSO
	}
	r.tenant, r.name = i.Actor.TenantID.UUID(), i.TenantName
	return r, nil
}

func (r Realm) portalID() *uuid.UUID {
	if r.visitors() {
		return &r.portal
	}
	return nil
}

// connection reads the realm's connection of a kind; no row where there is none.
func (r Realm) connection(ctx context.Context, tx *db.Tx, kind string) (db.ConnectionGetRow, error) {
	if !r.visitors() {
		return tx.ConnectionGet(ctx, r.tenant, kind)
	}
	row, err := tx.PortalConnectionGet(ctx, r.tenant, r.portal, kind)
	return db.ConnectionGetRow(row), err
}

// put keeps a connection. What a workspace's policy says of its ways in follows.
func (r Realm) put(ctx context.Context, tx *db.Tx, c db.ConnectionPutParams) error {
	if !r.visitors() {
		if err := tx.ConnectionPut(ctx, c); err != nil {
			return fmt.Errorf("write connection: %w", err)
		}
		return setWays(ctx, tx, r.tenant, c.Kind, c.Enabled)
	}
	err := tx.PortalConnectionPut(ctx, db.PortalConnectionPutParams{TenantID: c.TenantID, PortalID: r.portal, ConnectionID: c.ConnectionID, Kind: c.Kind,
		Enabled: c.Enabled, Settings: c.Settings, Secret: c.Secret, Metadata: c.Metadata, RefreshedAt: c.RefreshedAt})
	if db.IsForeignKeyViolation(err) {
		return ErrNoSSO.Wrap(err) // the portal was removed
	}
	if err != nil {
		return fmt.Errorf("write connection: %w", err)
	}
	return r.stayOpen(ctx, tx)
}

// stayOpen keeps the last way into a portal that takes no passwords.
func (r Realm) stayOpen(ctx context.Context, tx *db.Tx) error {
	ways, err := tx.PortalWays(ctx, r.tenant, r.portal)
	if err != nil {
		return fmt.Errorf("list connections of portal: %w", err)
	}
	if len(ways) > 0 {
		return nil
	}
	row, err := tx.PortalGet(ctx, r.tenant, r.portal)
	if err != nil {
		return fmt.Errorf("read portal: %w", err)
	}
	if row.SsoOnly {
		return ErrEnforce.With("Single sign-on is the only way into this portal. Let passwords in first.")
	}
	return nil
}

// record adds an entry about a connection of the realm.
func (r Realm) record(ctx context.Context, tx *db.Tx, actor access.Actor, action, id string, detail map[string]any) error {
	return r.recordAs(ctx, tx, actor, audit.Entry{Action: action, Target: "connection", ID: id, Detail: detail})
}

// refused is record of what was asked for and refused.
func (r Realm) refused(ctx context.Context, tx *db.Tx, actor access.Actor, action, id string, detail map[string]any) error {
	return r.recordAs(ctx, tx, actor, audit.Entry{Action: action, Target: "connection", ID: id, Detail: detail, Denied: true})
}

func (r Realm) recordAs(ctx context.Context, tx *db.Tx, actor access.Actor, e audit.Entry) error {
	if r.visitors() {
		e.Detail["portal"] = r.portal.String()
	}
	if r.name == "" {
		if err := r.named(ctx, tx); err != nil {
			return err
		}
	}
	e.Detail["name"] = r.name // a connection has none of its own
	return audit.Record(ctx, tx, actor, e)
}

// named finds out how the realm is called.
func (r *Realm) named(ctx context.Context, tx *db.Tx) error {
	if r.visitors() {
		row, err := tx.PortalGet(ctx, r.tenant, r.portal)
		if err != nil {
			return fmt.Errorf("read portal: %w", err)
		}
		r.name = row.Name
		return nil
	}
	row, err := tx.TenantByID(ctx, r.tenant)
	if err != nil {
		return fmt.Errorf("read tenant: %w", err)
	}
	r.name = row.Name
	return nil
}

// Entrance is where those come in whom a provider vouches for.
type Entrance struct {
	// Enter signs somebody in: asked is the question that was answered, zero where
	// the sign-in began at the provider.
	Enter func(ctx context.Context, p Proven, asked db.RequestTakeRow) (Opened, error)
	// Look says what would become of somebody, and changes nothing.
	Look func(ctx context.Context, p Proven) []saml.Check
}

// VisitorSAML is FinishSAML for a portal, whose visitors come in by its entrance.
//
// Errors: auth.no_sso, auth.throttled, those of package saml, those of Enter.
func (s *Service) VisitorSAML(ctx context.Context, r Realm, encoded, relayState, browser string, client Client, in Entrance) (Entered, error) {
	return s.finishSAML(ctx, r, encoded, relayState, browser, client, in)
}

// VisitorOIDC is FinishOIDC for a portal, whose visitors come in by its entrance.
//
// Errors: as FinishOIDC, those of Enter.
func (s *Service) VisitorOIDC(ctx context.Context, r Realm, a OIDCAnswer, browser string, client Client, in Entrance) (Entered, error) {
	return s.finishOIDC(ctx, r, a, browser, client, in)
}

// ticketFor is how long a test that was asked for on the site of the workspace can
// be begun on that of the portal.
const ticketFor = time.Minute

// ticketID is where a ticket waits among the questions of a browser. It says
// nothing of the ticket.
func ticketID(ticket string) string {
	hash, _ := parseToken(ticket)
	return "test-" + hex.EncodeToString(hash)
}

// AskVisitorTest lets an admin begin a test sign-in on a portal's site, where its
// provider answers: once, with the ticket. Whoever has it can begin a test and
// nothing else. Next is where the result is.
//
// Errors: access.forbidden, auth.no_sso; oidc.provider.
func (s *Service) AskVisitorTest(ctx context.Context, i Identity, r Realm, kind, next string) (ticket string, err error) {
	if r, err = r.managed(i); err != nil {
		return "", err
	}
	if kind == kindOIDC {
		_, _, _, err = s.openedOIDC(ctx, r)
	} else {
		var c samlRow
		if c, err = s.opened(ctx, r); err == nil && c.Provider.Issuer == "" {
			err = ErrNoSSO
		}
		kind = kindSAML
	}
	if err != nil {
		return "", err
	}
	ticket = NewBrowser()
	row, err := Begin{Browser: ticket, Next: next, Test: &i}.request(r, kind, ticketID(ticket))
	if err != nil {
		return "", err
	}
	row.ExpiresAt = time.Now().Add(ticketFor)
	return ticket, s.keepRequest(ctx, row)
}

// PortalSSO is what is set up for the sign-in of a portal's visitors.
//
// Errors: access.forbidden, auth.no_sso.
func (s *Service) PortalSSO(ctx context.Context, i Identity, r Realm) (SSO, error) {
	r, err := r.managed(i)
	if err != nil {
		return SSO{}, err
	}
	box, err := s.deps.Tenants.Box(ctx, i.Actor.TenantID)
	if err != nil {
		return SSO{}, err
	}
	var found SSO
	err = s.deps.DB.InTenantTx(ctx, r.tenant, func(ctx context.Context, tx *db.Tx) error {
		found, err = s.connections(ctx, tx, box, r)
		return err
	})
	return found, err
}

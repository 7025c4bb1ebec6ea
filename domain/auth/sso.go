package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

// What can go wrong with connections.
var (
	// ErrNoSSO says the same for a workspace that does not exist.
	ErrNoSSO = apperr.Define(apperr.NotFound, "auth.no_sso",
		"There is no single sign-on here. Check the address, or sign in with your password.")
	ErrConnection = apperr.Define(apperr.Invalid, "auth.connection",
		"The connection to the identity provider can't be saved like this.")
)

// The kinds of connections, which are the ways to sign in besides a password.
const (
	kindSAML = "saml"
	kindOIDC = "oidc"
)

const (
	secretPurpose = "sso_connections.secret"
	maxMetadata   = 1 << 20
	maxRules      = 200
)

// Mapping says which of a provider's attributes are what.
type Mapping struct {
	Email  string `json:"email"`
	Name   string `json:"name"`
	Groups string `json:"groups"`
	// Roles give a role for a group; the first that fits counts. Others become
	// DefaultRole.
	Roles       []RoleRule  `json:"roles,omitempty"`
	DefaultRole access.Role `json:"default_role"`
	// Teams put the members of a provider's group into one of the workspace.
	Teams []TeamRule `json:"teams,omitempty"`
	// Company is a visitor's; members have none.
	Company string `json:"company,omitempty"`
	// People become attributes of the person, for rules on rows.
	People []AttributeRule `json:"people,omitempty"`
}

// RoleRule gives the members of a provider's group a role.
type RoleRule struct {
	Group string      `json:"group"`
	Role  access.Role `json:"role"`
}

// TeamRule puts the members of a provider's group into a group of the workspace.
type TeamRule struct {
	Group string `json:"group"`
	Team  string `json:"team"` // by name
}

// AttributeRule keeps an attribute of the provider's under a name of the workspace's.
type AttributeRule struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// role is what somebody with these groups becomes, and whether a rule says so.
func (m Mapping) role(groups []string) (role access.Role, ruled bool) {
	for _, rule := range m.Roles {
		if slices.Contains(groups, rule.Group) {
			return rule.Role, true
		}
	}
	if m.DefaultRole == "" {
		return access.Viewer, false
	}
	return m.DefaultRole, len(m.Roles) > 0
}

func (m Mapping) check(actor access.Actor, fields map[string]string) Mapping {
	m.Email, m.Name, m.Groups, m.Company = strings.TrimSpace(m.Email), strings.TrimSpace(m.Name), strings.TrimSpace(m.Groups), strings.TrimSpace(m.Company)
	if m.DefaultRole == "" {
		m.DefaultRole = access.Viewer
	}
	if !tenants.ValidRole(m.DefaultRole) || m.DefaultRole == access.Owner {
		fields["default_role"] = "Choose another role: nobody becomes an owner without a rule that says so."
	}
	if len(m.Roles) > maxRules || len(m.Teams) > maxRules || len(m.People) > maxRules {
		fields["roles"] = fmt.Sprintf("There are at most %d rules.", maxRules)
	}
	for _, rule := range m.Roles {
		if rule.Group == "" || !tenants.ValidRole(rule.Role) {
			fields["roles"] = "Every line is a group, an arrow and a role of the workspace: bi-owners → owner."
		} else if rule.Role == access.Owner && !actor.Covers(access.Owner, nil) {
			fields["roles"] = "Only an owner can let a group become owners."
		}
	}
	for _, rule := range m.Teams {
		if rule.Group == "" || rule.Team == "" {
			fields["teams"] = "Every line is a group of the provider, an arrow and a group of the workspace."
		}
	}
	for _, rule := range m.People {
		if rule.From == "" || rule.To == "" {
			fields["people"] = "Every line is an attribute of the provider, an arrow and a name."
		}
	}
	return m
}

// hold looks that the workspace has the roles that are mapped to, and keeps them
// from being removed until the transaction ends.
//
// Errors: auth.connection with fields default_role, roles.
func (m Mapping) hold(ctx context.Context, tx *db.Tx) error {
	named := map[access.Role]string{m.DefaultRole: "default_role"}
	for _, rule := range m.Roles {
		named[rule.Role] = "roles"
	}
	for role, field := range named {
		if _, custom := role.AsCustom(); !custom {
			continue
		}
		_, err := tenants.FindRole(ctx, tx, role)
		if errors.Is(err, tenants.ErrInvalid) {
			return ErrConnection.WithFields(map[string]string{field: "This role was removed. Choose another one."}).Wrap(err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// The ways to give a SAML provider's metadata.
const (
	FromURL  = "url"
	FromXML  = "xml"
	FromHand = "hand"
)

// SAMLSettings are what an owner sets up for SAML.
type SAMLSettings struct {
	Source      string `json:"source"`
	MetadataURL string `json:"metadata_url"`
	XML         string `json:"-"` // pasted
	Issuer      string `json:"issuer,omitempty"`
	SignIn      string `json:"sign_in,omitempty"`
	LogOut      string `json:"log_out,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	// JustInTime makes accounts for new people of verified domains.
	JustInTime bool `json:"just_in_time"`
	// Unsolicited also takes sign-ins that begin at the provider.
	Unsolicited bool    `json:"unsolicited"`
	SkewSeconds int     `json:"skew_seconds"`
	Mapping     Mapping `json:"mapping"`
}

// Certificate is one of ours, as it is shown.
type Certificate struct {
	Until  time.Time
	Active bool
	PEM    string
}

// SAMLConnection is a workspace's SAML as an admin sees it.
type SAMLConnection struct {
	Set      bool // something was saved
	Enabled  bool
	Settings SAMLSettings
	// EntityID, Consume and LogOut are ours, for the provider.
	EntityID, Consume, LogOut string
	Certificates              []Certificate
	Provider                  saml.Provider // zero while there is none
	RefreshedAt               time.Time
	RefreshError              string
	LastTest                  *Test
}

// SSO is all that an admin sets up for sign-in.
type SSO struct {
	SAML    SAMLConnection
	OIDC    OIDCConnection
	Policy  Policy
	Domains []Domain
	Owners  []Owner
}

// Owner could be the break-glass one.
type Owner struct {
	ID   ids.User
	Name string
}

// GetSSO reads it.
//
// Errors: access.forbidden.
func (s *Service) GetSSO(ctx context.Context, actor access.Actor) (SSO, error) {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return SSO{}, err
	}
	box, err := s.deps.Tenants.Box(ctx, actor.TenantID)
	if err != nil {
		return SSO{}, err
	}
	var found SSO
	err = s.deps.DB.InIdentityTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		tenant, err := tx.TenantByID(ctx, actor.TenantID.UUID())
		if err != nil {
			return fmt.Errorf("read tenant: %w", err)
		}
		if found, err = s.connections(ctx, tx, box, Realm{tenant: tenant.TenantID, slug: tenant.Slug, name: tenant.Name}); err != nil {
			return err
		}
		if found.Policy, err = policyOf(ctx, tx, tenant.TenantID); err != nil {
			return err
		}
		if found.Domains, err = listDomains(ctx, tx, actor.TenantID); err != nil {
			return err
		}
		owners, err := tx.OwnerList(ctx, tenant.TenantID)
		if err != nil {
			return fmt.Errorf("list owners: %w", err)
		}
		for _, o := range owners {
			found.Owners = append(found.Owners, Owner{ids.User(o.UserID), first(o.Name, o.Email)})
		}
		return nil
	})
	return found, err
}

// connections are those of a realm as an admin sees them.
func (s *Service) connections(ctx context.Context, tx *db.Tx, box *secrets.Box, r Realm) (SSO, error) {
	c, err := s.samlConnection(ctx, tx, box, r)
	if err != nil && !errors.Is(err, ErrNoSSO) {
		return SSO{}, err
	}
	found := SSO{SAML: c.shown()}
	found.OIDC, err = s.shownOIDC(ctx, tx, r)
	return found, err
}

// samlRow is a stored connection, opened.
type samlRow struct {
	saml.Connection
	realm    Realm
	row      db.ConnectionGetRow
	settings SAMLSettings
	known    bool
}

// answersAs tells whether a test that passed with the other would pass with this
// one: all that counts is the same.
func (c samlRow) answersAs(other samlRow) bool {
	own, his := c.Provider, other.Provider
	own.Until, his.Until = time.Time{}, time.Time{}
	settings, err := json.Marshal(c.settings)
	return err == nil && sameJSON(settings, other.row.Settings) && reflect.DeepEqual(c.Keys, other.Keys) && reflect.DeepEqual(own, his)
}

// sameJSON tells whether two texts say the same, whatever their spaces and order.
func sameJSON(a, b []byte) bool {
	var one, other any
	return json.Unmarshal(a, &one) == nil && json.Unmarshal(b, &other) == nil && reflect.DeepEqual(one, other)
}

func (c samlRow) shown() SAMLConnection {
	shown := SAMLConnection{Set: c.known, Enabled: c.row.Enabled, Settings: c.settings, EntityID: c.EntityID, Consume: c.Consume, LogOut: c.LogOut,
		Provider: c.Provider, RefreshError: c.row.RefreshError, LastTest: readTest(c.row.LastTest)}
	if shown.Settings.Source == FromXML {
		shown.Settings.XML = c.row.Metadata
	}
	if c.row.RefreshedAt != nil {
		shown.RefreshedAt = *c.row.RefreshedAt
	}
	for n, pair := range c.Keys.Pairs {
		shown.Certificates = append(shown.Certificates, Certificate{Until: pair.Until, Active: n == c.Keys.Active, PEM: pair.Certificate})
	}
	return shown
}

// samlConnection reads a realm's connection. Its addresses are there without one
// too.
//
// Errors: auth.no_sso where nothing was saved.
func (s *Service) samlConnection(ctx context.Context, tx *db.Tx, box *secrets.Box, r Realm) (samlRow, error) {
	base := s.address(r, kindSAML)
	c := samlRow{realm: r, Connection: saml.Connection{EntityID: base + "/metadata", Consume: base + "/acs", LogOut: base + "/slo"},
		settings: SAMLSettings{Source: FromURL, SkewSeconds: 60, Mapping: Mapping{Email: "email", Name: "name", Groups: "groups", DefaultRole: access.Viewer}}}
	row, err := r.connection(ctx, tx, kindSAML)
	if db.IsNoRows(err) {
		return c, ErrNoSSO.Wrap(err)
	}
	if err != nil {
		return c, fmt.Errorf("read connection: %w", err)
	}
	c.row, c.known = row, true
	if err := json.Unmarshal(row.Settings, &c.settings); err != nil {
		return c, fmt.Errorf("read connection's settings: %w", err)
	}
	opened, err := box.Decrypt(secretPurpose, row.Secret)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(opened, &c.Keys); err != nil {
		return c, fmt.Errorf("read connection's keys: %w", err)
	}
	if row.Metadata != "" {
		// It was read before it was stored; it may have run out since.
		if c.Provider, err = saml.ParseProvider([]byte(row.Metadata)); err != nil {
			c.row.RefreshError = apperr.Describe(err).Sentence
		}
	}
	c.AllowUnsolicited, c.Skew = c.settings.Unsolicited, time.Duration(c.settings.SkewSeconds)*time.Second
	return c, nil
}

// PrepareSAML makes the keys, so that the provider can be told of us before
// anything is known of it.
//
// Errors: access.forbidden.
func (s *Service) PrepareSAML(ctx context.Context, i Identity, r Realm) error {
	return s.editSAML(ctx, i, r, "sso.prepared", func(*samlRow, *secrets.Box) error { return nil })
}

// editSAML changes a connection, which is made where there is none.
func (s *Service) editSAML(ctx context.Context, i Identity, r Realm, action string, edit func(*samlRow, *secrets.Box) error) error {
	r, err := r.managed(i)
	if err != nil {
		return err
	}
	box, err := s.deps.Tenants.Box(ctx, i.Actor.TenantID)
	if err != nil {
		return err
	}
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		c, err := s.samlConnection(ctx, tx, box, r)
		if errors.Is(err, ErrNoSSO) {
			if c.Keys, err = saml.NewKeys(r.name); err != nil {
				return err
			}
			c.row.ConnectionID = ids.New[uuid.UUID]()
		} else if err != nil {
			return err
		}
		before, was := c, map[string]any(nil)
		if err == nil {
			was = facts(c.row.Enabled, c.Provider.Issuer, c.row.Settings)
		}
		before.Keys.Pairs = slices.Clone(c.Keys.Pairs)
		if err := edit(&c, box); err != nil {
			return err
		}
		if err := c.settings.Mapping.hold(ctx, tx); err != nil {
			return err
		}
		keys, err := json.Marshal(c.Keys)
		if err != nil {
			return fmt.Errorf("write connection's keys: %w", err)
		}
		sealed, err := box.Encrypt(secretPurpose, keys)
		if err != nil {
			return err
		}
		settings, err := json.Marshal(c.settings)
		if err != nil {
			return fmt.Errorf("write connection's settings: %w", err)
		}
		if err := r.put(ctx, tx, db.ConnectionPutParams{TenantID: r.tenant, ConnectionID: c.row.ConnectionID, Kind: kindSAML, Enabled: c.row.Enabled,
			Settings: settings, Secret: sealed, Metadata: c.row.Metadata, RefreshedAt: c.row.RefreshedAt, Unchanged: c.answersAs(before)}); err != nil {
			return err
		}
		return r.recordAs(ctx, tx, i.Actor, audit.Entry{Action: action, Target: "connection", ID: c.row.ConnectionID.String(),
			Detail: map[string]any{"kind": kindSAML}, Before: was, After: facts(c.row.Enabled, c.Provider.Issuer, settings)})
	})
}

// facts are what is on record of a connection: its settings by their names, without
// secrets, which are not among them.
func facts(enabled bool, issuer string, settings []byte) map[string]any {
	all := map[string]any{}
	_ = json.Unmarshal(settings, &all) // it was just written, or was stored
	all["enabled"], all["issuer"] = enabled, issuer
	return all
}

// SaveSAML takes what an owner has set up. Metadata is fetched where it has an
// address; what is wrong with it stands in the fields.
//
// Errors: access.forbidden, auth.enforce; auth.connection with fields
// metadata_url, xml, hand, skew, default_role, roles, teams, people.
func (s *Service) SaveSAML(ctx context.Context, i Identity, r Realm, enabled bool, n SAMLSettings) error {
	if _, err := r.managed(i); err != nil {
		return err
	}
	fields := map[string]string{}
	n.Mapping = n.Mapping.check(i.Actor, fields)
	if n.SkewSeconds < 0 || time.Duration(n.SkewSeconds)*time.Second > saml.MaxSkew {
		fields["skew"] = fmt.Sprintf("Clocks may differ by up to %d seconds.", int(saml.MaxSkew.Seconds()))
	}
	n.MetadataURL = strings.TrimSpace(n.MetadataURL)
	metadata, field, err := s.metadata(ctx, n)
	var provider saml.Provider
	if err == nil && len(metadata) > 0 {
		provider, err = saml.ParseProvider(metadata)
	}
	if err == nil && provider.Issuer == "" && enabled {
		err = saml.ErrMetadata.With("Tell first which identity provider it is.")
	}
	if err != nil {
		fields[field] = apperr.Describe(err).Sentence
	}
	if len(fields) > 0 {
		return ErrConnection.WithFields(fields)
	}
	now := time.Now()
	return s.editSAML(ctx, i, r, "sso.changed", func(c *samlRow, _ *secrets.Box) error {
		c.settings, c.row.Enabled, c.row.Metadata, c.row.RefreshedAt, c.Provider = n, enabled, string(metadata), nil, provider
		if n.Source == FromURL && len(metadata) > 0 {
			c.row.RefreshedAt = &now
		}
		return nil
	})
}

// metadata is the provider's; field is where it was given.
func (s *Service) metadata(ctx context.Context, n SAMLSettings) (metadata []byte, field string, err error) {
	switch n.Source {
	case FromURL:
		if n.MetadataURL == "" {
			return nil, "metadata_url", nil
		}
		metadata, err = s.deps.Outbound.Get(ctx, n.MetadataURL, maxMetadata)
		return metadata, "metadata_url", err
	case FromXML:
		return []byte(strings.TrimSpace(n.XML)), "xml", nil
	case FromHand:
		if n.Issuer == "" && n.SignIn == "" && n.Certificate == "" {
			return nil, "hand", nil
		}
		metadata, err = saml.ByHand(n.Issuer, n.SignIn, n.LogOut, n.Certificate)
		return metadata, "hand", err
	}
	return nil, "metadata_url", saml.ErrMetadata.With("Say how the metadata is given.")
}

// KeyStep is a step of the exchange of our certificate.
type KeyStep string

// The steps, in order: a new one is announced, then it signs, then the old one goes.
const (
	KeyAdd    KeyStep = "add"
	KeySwitch KeyStep = "switch"
	KeyDrop   KeyStep = "drop"
)

// RollKeys exchanges our certificate without anybody being kept out: both stand
// in the metadata and decrypt until the old one is dropped.
//
// Errors: access.forbidden, saml.keys.
func (s *Service) RollKeys(ctx context.Context, i Identity, r Realm, step KeyStep) error {
	return s.editSAML(ctx, i, r, "sso.certificate_"+string(step), func(c *samlRow, _ *secrets.Box) (err error) {
		switch step {
		case KeyAdd:
			c.Keys, err = c.Keys.Add(c.realm.name)
		case KeySwitch:
			c.Keys, err = c.Keys.Switch()
		case KeyDrop:
			c.Keys, err = c.Keys.Drop()
		default:
			err = saml.ErrKeys
		}
		return err
	})
}

// opened reads a realm's connection.
//
// Errors: auth.no_sso.
func (s *Service) opened(ctx context.Context, r Realm) (c samlRow, err error) {
	if r, err = s.find(ctx, r); err != nil {
		return c, err
	}
	box, err := s.deps.Tenants.Box(ctx, ids.Tenant(r.tenant))
	if err != nil {
		return c, err
	}
	err = s.deps.DB.InTenantTx(ctx, r.tenant, func(ctx context.Context, tx *db.Tx) error {
		c, err = s.samlConnection(ctx, tx, box, r)
		return err
	})
	return c, err
}

// SAMLMetadata is what a provider has to know of a realm.
//
// Errors: auth.no_sso.
func (s *Service) SAMLMetadata(ctx context.Context, r Realm) ([]byte, error) {
	c, err := s.opened(ctx, r)
	if err != nil {
		return nil, err
	}
	return c.Metadata()
}

// RefreshArgs asks for a provider's metadata to be fetched again. Idempotent.
type RefreshArgs struct{}

// Kind names the job.
func (RefreshArgs) Kind() string { return "auth:refresh" }

// refreshSoon has metadata fetched at the end of the minute: once, however many
// answers come with an unknown key meanwhile.
func (s *Service) refreshSoon(ctx context.Context, r Realm) error {
	return s.deps.DB.InTenantTx(ctx, r.tenant, func(ctx context.Context, tx *db.Tx) error {
		_, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: r.tenant, Args: RefreshArgs{}, UniqueKey: "unknown key", RunAt: time.Now().Truncate(time.Minute).Add(time.Minute)})
		return err
	})
}

// fetched is a connection whose provider's metadata has an address.
type fetched struct {
	realm       Realm
	url, before string
	metadata    []byte
	wrong       error
}

// RunRefresh fetches the metadata of the job's workspace and its portals, where
// it has an address. What can't be read changes nothing: the certificates known
// before stay, and an admin sees what went wrong.
func (s *Service) RunRefresh(ctx context.Context, job jobs.Job[RefreshArgs]) error {
	var list []fetched
	err := s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.ConnectionGet(ctx, job.TenantID, kindSAML)
		if err != nil && !db.IsNoRows(err) {
			return fmt.Errorf("read connection: %w", err)
		}
		if err == nil {
			var settings SAMLSettings
			if err := json.Unmarshal(row.Settings, &settings); err != nil {
				return fmt.Errorf("read connection's settings: %w", err)
			}
			if settings.Source == FromURL && settings.MetadataURL != "" {
				list = append(list, fetched{realm: Realm{tenant: job.TenantID}, url: settings.MetadataURL, before: row.Metadata})
			}
		}
		rows, err := tx.PortalConnectionsFetched(ctx, job.TenantID)
		if err != nil {
			return fmt.Errorf("list connections of portals: %w", err)
		}
		for _, r := range rows {
			list = append(list, fetched{realm: Realm{tenant: job.TenantID, portal: r.PortalID}, url: r.MetadataUrl, before: r.Metadata})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range list {
		f := &list[i]
		if f.metadata, f.wrong = s.deps.Outbound.Get(ctx, f.url, maxMetadata); f.wrong == nil {
			f.wrong = sameProvider(f.before, f.metadata)
		}
	}
	return s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		for _, f := range list {
			if err := f.keep(ctx, tx); err != nil {
				return err
			}
		}
		return job.Complete(ctx, tx)
	})
}

// keep writes what was fetched, or why it was not.
func (f fetched) keep(ctx context.Context, tx *db.Tx) error {
	r := f.realm
	if f.wrong != nil {
		failed := func() error { return tx.ConnectionRefreshFailed(ctx, apperr.Describe(f.wrong).Sentence, r.tenant) }
		if r.visitors() {
			failed = func() error {
				return tx.PortalConnectionRefreshFailed(ctx, apperr.Describe(f.wrong).Sentence, r.tenant, r.portal)
			}
		}
		if err := failed(); err != nil {
			return fmt.Errorf("note failed refresh: %w", err)
		}
		return nil
	}
	var err error
	if r.visitors() {
		_, err = tx.PortalConnectionRefreshed(ctx, db.PortalConnectionRefreshedParams{Metadata: string(f.metadata), TenantID: r.tenant, PortalID: r.portal, MetadataUrl: f.url})
	} else {
		_, err = tx.ConnectionRefreshed(ctx, string(f.metadata), r.tenant, f.url)
	}
	if err != nil {
		return fmt.Errorf("keep metadata: %w", err)
	}
	if string(f.metadata) == f.before {
		return nil
	}
	return r.record(ctx, tx, access.Actor{Kind: access.System, TenantID: ids.Tenant(r.tenant)}, "sso.metadata_changed", kindSAML, map[string]any{})
}

// sameProvider refuses metadata that is of another provider all of a sudden:
// that is an owner's to change.
func sameProvider(before string, metadata []byte) error {
	next, err := saml.ParseProvider(metadata)
	if err != nil {
		return err
	}
	if known, err := saml.ParseProvider([]byte(before)); err == nil && known.Issuer != next.Issuer {
		return saml.ErrMetadata.With("The address answers with the metadata of another provider, %s. Save the connection again if that is right.", next.Issuer)
	}
	return nil
}

// Test is how a test sign-in, or a pasted answer, looked.
type Test struct {
	At     time.Time     `json:"at"`
	Took   time.Duration `json:"took"` // by the checks of the answer, without what the person did at the provider; zero for a pasted one
	Passed bool          `json:"passed"`
	// PassedAt is when a test has passed last, this one or one before it.
	PassedAt time.Time    `json:"passed_at,omitzero"`
	Checks   []saml.Check `json:"checks"`
	// Values are what the answer says, by attribute.
	Values  map[string][]string `json:"values,omitempty"`
	Subject string              `json:"subject,omitempty"`
	Email   string              `json:"email,omitempty"`
	Role    access.Role         `json:"role,omitempty"`
}

// passedAt is when a test has passed last, zero for never. Those of before
// PassedAt was kept tell of themselves alone.
func (t *Test) passedAt() time.Time {
	if t != nil && t.Passed {
		return t.At
	}
	if t != nil {
		return t.PassedAt
	}
	return time.Time{}
}

func readTest(stored json.RawMessage) *Test {
	var t Test
	if len(stored) == 0 || json.Unmarshal(stored, &t) != nil {
		return nil
	}
	return &t
}

package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
)

// Connectable says whom a link can connect with the present identity providers.
type Connectable struct {
	SSO      bool // a provider is turned on
	Stranded int  // members who came by providers of which none is set up now
}

// GetConnectable reads it.
//
// Errors: access.forbidden.
func (s *Service) GetConnectable(ctx context.Context, actor access.Actor) (Connectable, error) {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return Connectable{}, err
	}
	var found Connectable
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		providers, list, err := stranded(ctx, tx)
		found = Connectable{SSO: len(providers) > 0, Stranded: len(list)}
		return err
	})
	return found, err
}

// providerName is how links name a provider. A connection stays when its provider
// is changed for another one: the issuer tells them apart.
func providerName(connection uuid.UUID, issuer string) string {
	return connection.String() + " " + issuer
}

// providersOf are the workspace's providers that are turned on now.
func providersOf(ctx context.Context, tx *db.Tx) ([]string, error) {
	var list []string
	for _, kind := range []string{kindSAML, kindOIDC} {
		row, err := tx.ConnectionGet(ctx, tx.TenantID, kind)
		if db.IsNoRows(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read connection: %w", err)
		}
		if issuer := issuerOf(row); row.Enabled && issuer != "" {
			list = append(list, providerName(row.ConnectionID, issuer))
		}
	}
	return list, nil
}

// issuerOf is "" where nobody can sign in by the connection.
func issuerOf(row db.ConnectionGetRow) string {
	if row.Kind == kindSAML {
		provider, err := saml.ParseProvider([]byte(row.Metadata))
		if err != nil {
			return ""
		}
		return provider.Issuer
	}
	var settings OIDCSettings
	if err := json.Unmarshal(row.Settings, &settings); err != nil {
		return ""
	}
	return settings.Issuer
}

// stranded are the members whom no provider of now knows, though one did. Without
// a provider nobody can be connected.
func stranded(ctx context.Context, tx *db.Tx) (providers []string, list []uuid.UUID, err error) {
	if providers, err = providersOf(ctx, tx); err != nil || len(providers) == 0 {
		return nil, nil, err
	}
	if list, err = tx.StrandedList(ctx, tx.TenantID, providers); err != nil {
		return nil, nil, fmt.Errorf("list members of former providers: %w", err)
	}
	return providers, list, nil
}

// SendConnectLink sends a member a link that works once: whoever signs in at a
// present provider of the workspace through it is that member from then on. A link
// before stops working.
//
// Errors: access.forbidden, auth.no_sso, tenants.member_not_found, tenants.beyond,
// tenants.owner_only.
func (s *Service) SendConnectLink(ctx context.Context, i Identity, userID ids.User) (Invited, error) {
	made := Invited{UserID: userID}
	err := s.connecting(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		providers, err := providersOf(ctx, tx)
		if err != nil {
			return err
		}
		if len(providers) == 0 {
			return ErrNoSSO.With("No single sign-on is turned on in this workspace.")
		}
		made.Link, err = s.sendConnectLink(ctx, tx, i, userID, providers)
		return err
	})
	return made, err
}

// SendConnectLinks sends one to each member who came by providers of which none is
// set up now, and answers how many it were. Who is beyond the actor is left out.
//
// Errors: access.forbidden.
func (s *Service) SendConnectLinks(ctx context.Context, i Identity) (int, error) {
	sent := 0
	err := s.connecting(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		sent = 0
		providers, list, err := stranded(ctx, tx)
		if err != nil {
			return err
		}
		for _, id := range list {
			_, err := s.sendConnectLink(ctx, tx, i, ids.User(id), providers)
			if errors.Is(err, tenants.ErrBeyond) || errors.Is(err, tenants.ErrOwnerOnly) {
				continue
			}
			if err != nil {
				return err
			}
			sent++
		}
		return nil
	})
	return sent, err
}

func (s *Service) connecting(ctx context.Context, i Identity, work db.Work) error {
	if err := access.Can(i.Actor, access.ManageMembers); err != nil {
		return err
	}
	if err := s.warmKeys(ctx, i.Actor.TenantID); err != nil {
		return err
	}
	return s.change(ctx, i, work)
}

func (s *Service) sendConnectLink(ctx context.Context, tx *db.Tx, i Identity, userID ids.User, providers []string) (link string, err error) {
	tenant, user := i.Actor.TenantID.UUID(), userID.UUID()
	row, err := tx.UserGet(ctx, tenant, user)
	if db.IsNoRows(err) || err == nil && (row.RemovedAt != nil || row.InvitedAt != nil) {
		return "", tenants.ErrMemberNotFound.Wrap(err)
	}
	if err != nil {
		return "", fmt.Errorf("read user: %w", err)
	}
	role, err := tenants.RoleOf(ctx, tx, row)
	if err != nil {
		return "", err
	}
	// The link may be shown to who asks for it: it is as good as the role.
	if err := tenants.CheckGrant(i.Actor, role); err != nil {
		return "", err
	}
	if err := tx.LinkRevokeUser(ctx, &tenant, &user); err != nil {
		return "", fmt.Errorf("withdraw links: %w", err)
	}
	token, hash := newToken()
	until := time.Now().Add(inviteFor)
	link = s.deps.BaseURL() + "/invite?token=" + token
	if err := tx.LinkInsert(ctx, db.LinkInsertParams{TokenHash: hash, Purpose: forConnect, PersonID: &row.PersonID,
		TenantID: &tenant, UserID: &user, Providers: providers, ExpiresAt: until}); err != nil {
		return "", fmt.Errorf("insert link: %w", err)
	}
	letter := delivery.ConnectLink{Workspace: i.TenantName, Name: row.Name, Link: link, Until: until.In(i.Actor.Location())}
	if _, err := s.deps.Mailer.Queue(ctx, tx, delivery.Recipient{Address: row.Email, Name: row.Name, Locale: first(row.Locale, i.Locale)}, letter); err != nil {
		return "", fmt.Errorf("send link: %w", err)
	}
	return link, audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "members.connect_link_sent", Target: "user", ID: userID.String()})
}

// placeConnected takes a link up that connects a member: it proves the mailbox.
// Where the member has a second factor, that is asked for too.
//
// Errors: auth.link_used, auth.other_address.
func (s *Service) placeConnected(ctx context.Context, tx *db.Tx, tenantID ids.Tenant, p Proven, hash []byte) (userID, personID uuid.UUID, err error) {
	link, err := useLink(ctx, tx, hash, forConnect)
	if err != nil {
		return userID, personID, err
	}
	if link.TenantID == nil || *link.TenantID != tenantID.UUID() || link.UserID == nil || link.PersonID == nil {
		return userID, personID, ErrLinkUsed
	}
	if !slices.Contains(link.Providers, providerName(p.Connection, p.Issuer)) {
		return userID, personID, errProviderChanged
	}
	user, err := tx.UserGet(ctx, tenantID.UUID(), *link.UserID)
	if err != nil {
		return userID, personID, fmt.Errorf("read user: %w", err)
	}
	if user.RemovedAt != nil || user.InvitedAt != nil || user.PersonID != *link.PersonID {
		return userID, personID, ErrLinkUsed
	}
	if p.Email != "" && !strings.EqualFold(p.Email, user.Email) {
		return userID, personID, ErrOtherAddress.With("The link was sent to another e-mail address than the one that the identity provider knows you by.")
	}
	asks, err := tx.UserHasFactor(ctx, tenantID.UUID(), user.UserID)
	if err != nil {
		return userID, personID, fmt.Errorf("look for second factor: %w", err)
	}
	if asks {
		return userID, personID, &needsProof{user.PersonID, user.UserID}
	}
	return user.UserID, user.PersonID, nil
}

var errProviderChanged = ErrLinkUsed.With("The identity provider was changed after this link was sent. Ask an admin to send you another one.")

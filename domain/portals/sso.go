package portals

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong with visitors whom a provider vouches for.
var (
	ErrBlocked = apperr.Define(apperr.Forbidden, "portals.blocked",
		"Your access has ended. Ask whoever invited you.")
	// ErrNeedsLink asks for the proof of the mailbox: a link that was sent there.
	ErrNeedsLink = apperr.Define(apperr.Forbidden, "portals.needs_link",
		"There is an account with your e-mail address already. Have a link sent to it, open it from the mail, and choose single sign-on there.")
	ErrNoWay = apperr.Define(apperr.Conflict, "portals.no_way",
		"Single sign-on can be the only way in once a connection is turned on.")
)

// SSO asks the providers of portals; it is auth.Service.
type SSO interface {
	VisitorSAML(ctx context.Context, r auth.Realm, encoded, relayState, browser string, client auth.Client, in auth.Entrance) (auth.Entered, error)
	VisitorOIDC(ctx context.Context, r auth.Realm, a auth.OIDCAnswer, browser string, client auth.Client, in auth.Entrance) (auth.Entered, error)
	DiagnoseVisitorSAML(ctx context.Context, i auth.Identity, r auth.Realm, encoded string, in auth.Entrance) (auth.Test, error)
	VisitorLogOut(ctx context.Context, r auth.Realm, request *http.Request, browser string, client auth.Client,
		end func(context.Context, auth.Leaver) error) (saml.Message, error)
	LeaveProvider(ctx context.Context, r auth.Realm, issuer, subject, format, index, browser string) (saml.Message, error)
}

// Realm is whom the portal's connections let in. base is the address of the
// portal under its first name.
func (p Portal) Realm(base string) auth.Realm {
	return auth.VisitorsOf(p.TenantID, p.ID, p.Title(), base)
}

// Ways are how a portal's visitors can sign in besides a password.
type Ways struct{ SAML, OIDC bool }

// Ways reads which providers are turned on.
func (s *Service) Ways(ctx context.Context, p Portal) (Ways, error) {
	var found Ways
	err := s.deps.DB.InTenantTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		found, err = waysOf(ctx, tx, p.ID)
		return err
	})
	return found, err
}

func waysOf(ctx context.Context, tx *db.Tx, id ids.Portal) (Ways, error) {
	kinds, err := tx.PortalWays(ctx, tx.TenantID, id.UUID())
	if err != nil {
		return Ways{}, fmt.Errorf("list connections of portal: %w", err)
	}
	return Ways{SAML: slices.Contains(kinds, "saml"), OIDC: slices.Contains(kinds, "oidc")}, nil
}

// SetSSOOnly says whether passwords count. Where they do not, sessions that one
// has opened end.
//
// Errors: portals.not_found, portals.no_way.
func (s *Service) SetSSOOnly(ctx context.Context, actor access.Actor, id ids.Portal, only bool) error {
	return s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		p, err := get(ctx, tx, id)
		if err != nil || p.SSOOnly == only {
			return err
		}
		if only {
			ways, err := waysOf(ctx, tx, id)
			if err != nil {
				return err
			}
			if ways == (Ways{}) {
				return ErrNoWay
			}
			if err := tx.PortalSessionsEndPasswords(ctx, tx.TenantID, id.UUID()); err != nil {
				return fmt.Errorf("end sessions: %w", err)
			}
		}
		if err := tx.PortalSetSSOOnly(ctx, db.PortalSetSSOOnlyParams{SsoOnly: only, Now: s.now(), TenantID: tx.TenantID, PortalID: id.UUID()}); err != nil {
			return fmt.Errorf("write sign-in of portal: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.sso_only", Target: "portal", ID: id.String(), Detail: map[string]any{"before": p.SSOOnly, "after": only}})
	})
}

// FinishSAML takes the answer that a visitor's browser brings from the portal's
// provider. Whatever is refused is in the audit log of the workspace.
//
// Errors: those of auth.VisitorSAML, portals.blocked, portals.needs_link,
// auth.no_account, auth.link_used, auth.other_address, tenants.attributes_invalid.
func (s *Service) FinishSAML(ctx context.Context, p Portal, base, encoded, relayState, browser string, client auth.Client) (auth.Entered, error) {
	return s.deps.SSO.VisitorSAML(ctx, p.Realm(base), encoded, relayState, browser, client, s.entrance(p, client))
}

// FinishOIDC is FinishSAML for OpenID Connect.
//
// Errors: as FinishSAML.
func (s *Service) FinishOIDC(ctx context.Context, p Portal, base string, a auth.OIDCAnswer, browser string, client auth.Client) (auth.Entered, error) {
	return s.deps.SSO.VisitorOIDC(ctx, p.Realm(base), a, browser, client, s.entrance(p, client))
}

// DiagnoseSAML looks at an answer of a portal's provider that an admin has pasted.
//
// Errors: those of auth.DiagnoseVisitorSAML.
func (s *Service) DiagnoseSAML(ctx context.Context, i auth.Identity, p Portal, base, encoded string) (auth.Test, error) {
	return s.deps.SSO.DiagnoseVisitorSAML(ctx, i, p.Realm(base), encoded, s.entrance(p, auth.Client{}))
}

// entrance lets in whom the portal's provider vouches for.
func (s *Service) entrance(p Portal, client auth.Client) auth.Entrance {
	return auth.Entrance{
		Enter: func(ctx context.Context, who auth.Proven, asked db.RequestTakeRow) (opened auth.Opened, err error) {
			err = s.deps.DB.InTenantTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
				known, _, err := s.recognize(ctx, tx, p, who, asked.InviteHash)
				if err != nil {
					return err
				}
				if err := tx.PortalIdentityUsed(ctx, tx.TenantID, known.IdentityID); err != nil {
					return fmt.Errorf("note use of identity: %w", err)
				}
				opened.Token, err = s.openSession(ctx, tx, ids.Visitor(known.VisitorID), known.Email, client,
					source{method: who.Kind, identity: &known.IdentityID, index: clip(who.Index, 1024), until: who.Until})
				return err
			})
			return opened, err
		},
		Look: func(ctx context.Context, who auth.Proven) []saml.Check { return s.look(ctx, p, who) },
	}
}

// look says what would become of a visitor: all of it is done, and taken back.
func (s *Service) look(ctx context.Context, p Portal, who auth.Proven) []saml.Check {
	check := saml.Check{Name: "account", State: saml.Passed}
	groups := saml.Check{Name: "groups", State: saml.Warned, Text: "In no group of visitors", Detail: "No rule of the mapping fits the groups that the provider names."}
	looked := errors.New("only looked")
	err := s.deps.DB.InTenantTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		known, isNew, err := s.recognize(ctx, tx, p, who, nil)
		if err != nil {
			return err
		}
		check.Text, check.Detail = "Would sign in "+known.Email, "This identity is connected with a visitor."
		if isNew {
			check.Text, check.Detail = "Would become a new visitor", "Nobody has this identity or e-mail address yet."
		}
		names, err := tx.PortalVisitorGroupNames(ctx, tx.TenantID, known.VisitorID)
		if err != nil {
			return fmt.Errorf("list groups of visitor: %w", err)
		}
		if len(names) > 0 {
			groups.State, groups.Text, groups.Detail = saml.Passed, "Groups of visitors: "+strings.Join(names, ", "), ""
		}
		return looked
	})
	if errors.Is(err, looked) {
		if len(who.Mapping.Teams) == 0 && groups.State == saml.Warned {
			return []saml.Check{check}
		}
		return []saml.Check{check, groups}
	}
	check.State, check.Text, check.Detail = saml.Failed, "Would not come in", apperr.Describe(err).Sentence
	if errors.Is(err, ErrNeedsLink) {
		check.State, check.Text = saml.Warned, "Would be asked to prove an account"
	}
	return []saml.Check{check}
}

// recognize finds or makes the visitor whom a provider vouches for, and does what
// the mapping says. Who was here before is known by connection, issuer and subject
// alone; an account that is there already is taken up by a link that was mailed to
// it; somebody new gets one where the connection says so.
func (s *Service) recognize(ctx context.Context, tx *db.Tx, p Portal, who auth.Proven, link []byte) (known db.PortalIdentityFindRow, isNew bool, err error) {
	email, problem := auth.CheckEmail(who.Email)
	if who.Email = email; problem != "" {
		who.Email = ""
	}
	known, err = tx.PortalIdentityFind(ctx, db.PortalIdentityFindParams{TenantID: tx.TenantID, PortalID: p.ID.UUID(),
		ConnectionID: who.Connection, Issuer: who.Issuer, Subject: who.Subject})
	switch {
	case err == nil && known.BlockedAt != nil:
		return known, false, ErrBlocked
	case db.IsNoRows(err):
		isNew = true
		if known.VisitorID, known.Email, err = s.place(ctx, tx, p, who, link); err != nil {
			return known, isNew, err
		}
		if known.IdentityID, err = s.link(ctx, tx, p, known.VisitorID, who); err != nil {
			return known, isNew, err
		}
	case err != nil:
		return known, false, fmt.Errorf("find identity: %w", err)
	}
	return known, isNew, s.follow(ctx, tx, p, ids.Visitor(known.VisitorID), who)
}

// place finds or makes the visitor that a new identity is of.
func (s *Service) place(ctx context.Context, tx *db.Tx, p Portal, who auth.Proven, link []byte) (visitor uuid.UUID, email string, err error) {
	if link != nil {
		row, err := s.peekHash(ctx, tx, p, link)
		if err != nil {
			return visitor, "", err
		}
		if who.Email != "" && !strings.EqualFold(who.Email, row.Email) {
			return visitor, "", auth.ErrOtherAddress.With("The link was sent to another e-mail address than the one that the identity provider knows you by.")
		}
		if err := tx.PortalLinksEnd(ctx, tx.TenantID, row.VisitorID); err != nil {
			return visitor, "", fmt.Errorf("end links: %w", err)
		}
		return row.VisitorID, row.Email, nil
	}
	if who.Email == "" {
		return visitor, "", auth.ErrNoAccount.With("The identity provider does not say which e-mail address you have.")
	}
	_, err = tx.PortalVisitorByEmail(ctx, tx.TenantID, p.ID.UUID(), who.Email)
	switch {
	case err == nil:
		return visitor, "", ErrNeedsLink
	case !db.IsNoRows(err):
		return visitor, "", fmt.Errorf("find visitor: %w", err)
	case !who.JustInTime:
		return visitor, "", auth.ErrNoAccount.With("The identity provider knows you, but you were not invited here. Ask for an invitation.")
	}
	made := ids.New[ids.Visitor]()
	err = tx.PortalVisitorInsert(ctx, db.PortalVisitorInsertParams{TenantID: tx.TenantID, PortalID: p.ID.UUID(), VisitorID: made.UUID(),
		Email: who.Email, Name: who.Name(), Attributes: json.RawMessage("{}")})
	if _, taken := db.IsUniqueViolation(err); taken {
		return visitor, "", ErrNeedsLink.Wrap(err)
	}
	if err != nil {
		return visitor, "", fmt.Errorf("insert visitor: %w", err)
	}
	return made.UUID(), who.Email, audit.Record(ctx, tx, visiting(p.TenantID, made), audit.Entry{Action: "portals.visitor_joined", Target: "visitor", ID: made.String(),
		Detail: map[string]any{"portal": p.ID.String(), "email": who.Email, "method": who.Kind}})
}

func visiting(tenant ids.Tenant, visitor ids.Visitor) access.Actor {
	return access.Actor{Kind: access.Visitor, TenantID: tenant, VisitorID: visitor}
}

// link keeps who a visitor is at the provider.
func (s *Service) link(ctx context.Context, tx *db.Tx, p Portal, visitor uuid.UUID, who auth.Proven) (uuid.UUID, error) {
	id := ids.New[uuid.UUID]()
	if err := tx.PortalIdentityInsert(ctx, db.PortalIdentityInsertParams{TenantID: tx.TenantID, PortalID: p.ID.UUID(), IdentityID: id, VisitorID: visitor,
		ConnectionID: who.Connection, Issuer: who.Issuer, Subject: who.Subject, Format: clip(who.Format, 200)}); err != nil {
		return id, fmt.Errorf("insert identity: %w", err)
	}
	return id, audit.Record(ctx, tx, visiting(p.TenantID, ids.Visitor(visitor)), audit.Entry{Action: "portals.identity_linked", Target: "visitor", ID: visitor.String(),
		Detail: map[string]any{"portal": p.ID.String(), "method": who.Kind, "issuer": who.Issuer}})
}

// follow does what the mapping says: name, company, groups, and attributes, which
// have no value where the provider says none.
func (s *Service) follow(ctx context.Context, tx *db.Tx, p Portal, visitor ids.Visitor, who auth.Proven) error {
	before, err := tx.PortalVisitorGet(ctx, tx.TenantID, p.ID.UUID(), visitor.UUID())
	if err != nil {
		return fmt.Errorf("read visitor: %w", err)
	}
	var had tenants.Attributes
	if err := json.Unmarshal(before.Attributes, &had); err != nil {
		return fmt.Errorf("read attributes: %w", err)
	}
	has := maps.Clone(had)
	for _, rule := range who.Mapping.People {
		delete(has, rule.To)
	}
	for _, rule := range who.Mapping.People {
		has[rule.To] = slices.Concat(has[rule.To], who.Attributes[rule.From])
	}
	if has, err = has.Clean(); err != nil {
		return err
	}
	after := Visitor{Name: cmp.Or(who.Name(), before.Name), Company: before.Company, Attributes: has}
	if named := who.Attributes[who.Mapping.Company]; len(named) > 0 {
		after.Company = named[0]
	}
	attributes, err := after.check()
	if err != nil {
		return err
	}
	if err := followGroups(ctx, tx, p, visitor, who); err != nil {
		return err
	}
	if after.Name == before.Name && after.Company == before.Company && maps.EqualFunc(had, has, slices.Equal[[]string]) {
		return nil
	}
	if err := tx.PortalVisitorFollow(ctx, db.PortalVisitorFollowParams{Name: after.Name, Company: after.Company, Attributes: attributes,
		TenantID: tx.TenantID, VisitorID: visitor.UUID()}); err != nil {
		return fmt.Errorf("update visitor: %w", err)
	}
	return audit.Record(ctx, tx, visiting(p.TenantID, visitor), audit.Entry{Action: "portals.visitor_changed", Target: "visitor", ID: visitor.String(),
		Detail: map[string]any{"portal": p.ID.String(), "email": before.Email, "method": who.Kind,
			"before": map[string]any{"name": before.Name, "company": before.Company, "attributes": had},
			"after":  map[string]any{"name": after.Name, "company": after.Company, "attributes": has}}})
}

// followGroups puts a visitor into the groups that the mapping names, and takes
// them out of those that they are in no longer.
func followGroups(ctx context.Context, tx *db.Tx, p Portal, visitor ids.Visitor, who auth.Proven) error {
	groups, member := who.Groups(), map[string]bool{}
	for _, rule := range who.Mapping.Teams {
		member[rule.Team] = member[rule.Team] || slices.Contains(groups, rule.Group)
	}
	for _, name := range slices.Sorted(maps.Keys(member)) {
		id, err := tx.PortalGroupByName(ctx, tx.TenantID, p.ID.UUID(), name)
		if db.IsNoRows(err) {
			continue // the group was removed
		}
		if err != nil {
			return fmt.Errorf("find group: %w", err)
		}
		if _, err := tx.PortalVisitorGroupLeave(ctx, tx.TenantID, id, visitor.UUID()); err != nil {
			return fmt.Errorf("leave group: %w", err)
		}
		if !member[name] {
			continue
		}
		if _, err := tx.PortalVisitorGroupAdd(ctx, tx.TenantID, id, visitor.UUID()); err != nil {
			return fmt.Errorf("join group: %w", err)
		}
	}
	return nil
}

// LogOut answers what the portal's provider says by way of the browser.
//
// Errors: those of auth.VisitorLogOut.
func (s *Service) LogOut(ctx context.Context, p Portal, base string, request *http.Request, browser string, client auth.Client) (saml.Message, error) {
	return s.deps.SSO.VisitorLogOut(ctx, p.Realm(base), request, browser, client, func(ctx context.Context, l auth.Leaver) error {
		return s.deps.DB.InTenantTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
			known, err := tx.PortalIdentityFind(ctx, db.PortalIdentityFindParams{TenantID: tx.TenantID, PortalID: p.ID.UUID(),
				ConnectionID: l.Connection, Issuer: l.Issuer, Subject: l.Subject})
			if db.IsNoRows(err) {
				return nil // nobody here: there is nothing to end
			}
			if err != nil {
				return fmt.Errorf("find identity: %w", err)
			}
			ended, err := tx.PortalSessionsEndOf(ctx, tx.TenantID, known.IdentityID, l.Sessions)
			if err != nil {
				return fmt.Errorf("end sessions: %w", err)
			}
			visitor := ids.Visitor(known.VisitorID)
			return audit.Record(ctx, tx, visiting(p.TenantID, visitor), audit.Entry{Action: "portals.logged_out_by_provider", Target: "visitor", ID: visitor.String(),
				Detail: map[string]any{"portal": p.ID.String(), "count": ended}})
		})
	})
}

// source is how a session was opened; zero is by password.
type source struct {
	method   string
	identity *uuid.UUID
	index    string    // the provider's name for its session
	until    time.Time // when it has to end at the latest; zero: it need not
}

// ends is when a session of this source ends, however much it is used.
func (f source) ends(now time.Time) time.Time {
	ends := now.Add(auth.VisitorAtMost)
	if !f.until.IsZero() && f.until.Before(ends) {
		return f.until
	}
	return ends
}

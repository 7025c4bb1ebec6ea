package portals

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// Visit is a signed-in visitor and what they may open.
type Visit struct {
	Actor   access.Actor
	Email   string
	Name    string
	Company string
	Theme   string
	Entries []Entry
	// Version tells visits apart that see or show something else.
	Version string
}

// Entry is one dashboard in the navigation.
type Entry struct {
	ID   ids.Dashboard
	Name string
}

// Shows tells whether a dashboard is in the visitor's navigation.
func (v Visit) Shows(id ids.Dashboard) bool { return v.NameOf(id) != "" }

// NameOf is how the portal calls a dashboard; empty where the navigation has none
// such. The workspace's own name of it is nothing of the visitor's.
func (v Visit) NameOf(id ids.Dashboard) string {
	for _, e := range v.Entries {
		if e.ID == id {
			return e.Name
		}
	}
	return ""
}

// Title is how the portal calls a visitor: company, name, or address.
func (v Visit) Title() string {
	for _, text := range []string{v.Company, v.Name} {
		if text != "" {
			return text
		}
	}
	return v.Email
}

// SignIn checks a visitor's password and opens a session. Every failure costs
// the same time and says the same.
//
// Errors: auth.wrong_password, auth.throttled; auth.sso_required where no
// password counts.
func (s *Service) SignIn(ctx context.Context, p Portal, email, password string, client auth.Client) (token string, err error) {
	attempt, err := s.deps.Passwords.CountAttempt(ctx, "portal "+p.ID.String(), email, client)
	if err != nil {
		return "", err
	}
	if p.SSOOnly {
		return "", s.refuse(ctx, p, audit.Entry{Target: "portal", ID: p.ID.String(), Detail: map[string]any{"email": email}}, errSSOOnly)
	}
	var row db.PortalVisitorByEmailRow
	err = s.deps.DB.InTenantTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err = tx.PortalVisitorByEmail(ctx, tx.TenantID, p.ID.UUID(), email)
		if db.IsNoRows(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read visitor: %w", err)
	}
	stored := row.PasswordHash
	if row.BlockedAt != nil {
		stored = ""
	}
	match, err := s.deps.Passwords.VerifyPassword(ctx, password, stored)
	if err != nil {
		return "", err
	}
	if !match {
		e := audit.Entry{Target: "portal", ID: p.ID.String(), Detail: map[string]any{"email": email}}
		if row.VisitorID != uuid.Nil {
			e.Target, e.ID = "visitor", row.VisitorID.String()
		}
		return "", s.refuse(ctx, p, e, auth.ErrWrongPassword)
	}
	err = s.deps.DB.InIdentityTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if err := attempt.Forgive(ctx, tx); err != nil {
			return err
		}
		token, err = s.openSession(ctx, tx, ids.Visitor(row.VisitorID), row.Email, client, source{})
		return err
	})
	return token, err
}

var errSSOOnly = auth.ErrSSORequired.With("Single sign-on is the only way in here.")

// refuse records a sign-in that failed, and answers why.
func (s *Service) refuse(ctx context.Context, p Portal, e audit.Entry, cause error) error {
	e.Action, e.Denied = "portals.sign_in_failed", true
	err := s.deps.DB.InTenantTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return audit.Record(ctx, tx, access.Actor{Kind: access.Visitor, TenantID: p.TenantID}, e)
	})
	if err != nil {
		return err
	}
	return cause
}

func (s *Service) openSession(ctx context.Context, tx *db.Tx, visitor ids.Visitor, email string, client auth.Client, from source) (string, error) {
	token, hash := auth.NewToken()
	now := s.now()
	if err := tx.PortalSessionsPrune(ctx, tx.TenantID, visitor.UUID(), now); err != nil {
		return "", fmt.Errorf("prune sessions: %w", err)
	}
	err := tx.PortalSessionInsert(ctx, db.PortalSessionInsertParams{TenantID: tx.TenantID, TokenHash: hash, VisitorID: visitor.UUID(),
		Now: now, ExpiresAt: now.Add(auth.VisitorIdle), EndsAt: from.ends(now), IdentityID: from.identity, SessionIndex: from.index,
		Address: client.Address, Agent: clip(client.UserAgent, 300)})
	if err != nil {
		return "", fmt.Errorf("open session: %w", err)
	}
	if err := tx.PortalVisitorSeen(ctx, &now, tx.TenantID, visitor.UUID()); err != nil {
		return "", fmt.Errorf("note visit: %w", err)
	}
	detail := map[string]any{"email": email}
	if from.method != "" {
		detail["method"] = from.method
	}
	return token, audit.Record(ctx, tx, visiting(ids.Tenant(tx.TenantID), visitor), audit.Entry{Action: "portals.signed_in", Target: "visitor", ID: visitor.String(), Detail: detail})
}

func clip(text string, most int) string {
	if len(text) > most {
		return text[:most]
	}
	return text
}

// Identify answers who a token of a portal belongs to, and what they may open
// now.
//
// Errors: auth.session_ended.
func (s *Service) Identify(ctx context.Context, p Portal, token string) (Visit, error) {
	hash, ok := auth.HashToken(token)
	if !ok {
		return Visit{}, auth.ErrNoSession
	}
	now := s.now()
	var v Visit
	err := s.deps.DB.InTenantTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.PortalVisit(ctx, db.PortalVisitParams{TenantID: tx.TenantID, TokenHash: hash, PortalID: p.ID.UUID(), Now: now})
		if db.IsNoRows(err) {
			return auth.ErrNoSession.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read session: %w", err)
		}
		if now.Sub(row.SeenAt) > auth.VisitorTouch {
			err := tx.PortalSessionTouch(ctx, db.PortalSessionTouchParams{TenantID: tx.TenantID, TokenHash: hash, Now: now,
				ExpiresAt: now.Add(auth.VisitorIdle), Stale: now.Add(-auth.VisitorTouch)})
			if err != nil {
				return fmt.Errorf("keep session: %w", err)
			}
		}
		v = Visit{Email: row.Email, Name: row.Name, Company: row.Company, Theme: row.Theme}
		v.Actor.VisitorID = ids.Visitor(row.VisitorID)
		return s.enter(ctx, tx, p, &v, row.Attributes, row.GroupAttributes)
	})
	return v, err
}

// VisitOf answers what a visitor may open now who is not here themselves: a file
// is made for them.
//
// Errors: portals.visitor_not_found, also for one who is blocked.
func (s *Service) VisitOf(ctx context.Context, tenant ids.Tenant, visitor ids.Visitor) (p Portal, v Visit, err error) {
	err = s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.PortalVisitorVisit(ctx, tx.TenantID, visitor.UUID())
		if db.IsNoRows(err) {
			return ErrVisitorNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read visitor: %w", err)
		}
		if p, err = get(ctx, tx, ids.Portal(row.PortalID)); err != nil {
			return err
		}
		if p.Host, err = tx.PortalHostMain(ctx, tx.TenantID, row.PortalID); err != nil {
			return fmt.Errorf("read hosts of portal: %w", err)
		}
		v = Visit{Email: row.Email, Name: row.Name, Company: row.Company, Theme: row.Theme}
		v.Actor.VisitorID = visitor
		return s.enter(ctx, tx, p, &v, row.Attributes, row.GroupAttributes)
	})
	return p, v, err
}

// enter fills in who a visitor is to the data, and what they may open. own and
// ofGroups are attributes as they are stored.
func (s *Service) enter(ctx context.Context, tx *db.Tx, p Portal, v *Visit, own, ofGroups json.RawMessage) error {
	var attributes map[string][]string
	var groups []map[string][]string
	if err := json.Unmarshal(own, &attributes); err != nil {
		return fmt.Errorf("read attributes: %w", err)
	}
	if err := json.Unmarshal(ofGroups, &groups); err != nil {
		return fmt.Errorf("read attributes of groups: %w", err)
	}
	v.Actor = access.Actor{Kind: access.Visitor, TenantID: p.TenantID, VisitorID: v.Actor.VisitorID, Role: access.Viewer,
		Attributes: merged(append(groups, attributes)...), Zone: p.location(), Locale: p.Brand.Locale}
	rows, err := tx.PortalScope(ctx, tx.TenantID, p.ID.UUID(), v.Actor.VisitorID.UUID())
	if err != nil {
		return fmt.Errorf("read dashboards of portal: %w", err)
	}
	boards := make([]uuid.UUID, 0, len(rows))
	for _, r := range rows {
		v.Entries = append(v.Entries, Entry{ids.Dashboard(r.DashboardID), r.Name})
		boards = append(boards, r.DashboardID)
	}
	if v.Actor.Scope, err = scopeOf(ctx, tx, boards); err != nil {
		return err
	}
	encoded, err := json.Marshal([]any{v.Actor, v.Email, v.Name, v.Company, v.Entries, p.UpdatedAt})
	if err != nil {
		return fmt.Errorf("encode visit: %w", err)
	}
	sum := sha256.Sum256(encoded)
	v.Version = hex.EncodeToString(sum[:16])
	return nil
}

// scopeOf are dashboards with all that they read.
func scopeOf(ctx context.Context, tx *db.Tx, boards []uuid.UUID) ([]uuid.UUID, error) {
	datasets, err := tx.DashboardDatasets(ctx, tx.TenantID, boards)
	if err != nil {
		return nil, fmt.Errorf("read datasets of dashboards: %w", err)
	}
	return slices.Concat(boards, datasets), nil
}

// SignOut ends a session and answers what the browser carries to the provider that
// opened it, which ends its own: nothing where there is none to tell.
func (s *Service) SignOut(ctx context.Context, p Portal, base, token, browser string) (saml.Message, error) {
	hash, ok := auth.HashToken(token)
	if !ok {
		return saml.Message{}, nil
	}
	var from db.PortalSessionSourceRow
	err := s.deps.DB.InTenantTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		if from, err = tx.PortalSessionSource(ctx, tx.TenantID, hash, p.ID.UUID()); err != nil && !db.IsNoRows(err) {
			return fmt.Errorf("read session: %w", err)
		}
		return tx.PortalSessionEnd(ctx, tx.TenantID, hash)
	})
	if err != nil || from.Issuer == "" {
		return saml.Message{}, err
	}
	return s.deps.SSO.LeaveProvider(ctx, p.Realm(base), from.Issuer, from.Subject, from.Format, from.SessionIndex, browser)
}

// SetTheme keeps a visitor's choice of light or dark.
func (s *Service) SetTheme(ctx context.Context, v Visit, theme string) error {
	if !slices.Contains([]string{"auto", "light", "dark"}, theme) {
		return ErrVisitor
	}
	return s.deps.DB.InTenantTx(ctx, v.Actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return tx.PortalVisitorTheme(ctx, theme, tx.TenantID, v.Actor.VisitorID.UUID())
	})
}

// RequestReset mails a link to choose another password, where somebody has the
// address. It answers the same either way.
//
// Errors: auth.throttled.
func (s *Service) RequestReset(ctx context.Context, p Portal, base, email string, client auth.Client) error {
	if _, err := s.deps.Passwords.CountAttempt(ctx, "portal reset "+p.ID.String(), email, client); err != nil {
		return err
	}
	if _, err := s.deps.Tenants.Box(ctx, p.TenantID); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.PortalVisitorByEmail(ctx, tx.TenantID, p.ID.UUID(), email)
		if db.IsNoRows(err) || (err == nil && row.BlockedAt != nil) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read visitor: %w", err)
		}
		v := Visitor{ID: ids.Visitor(row.VisitorID), Email: row.Email, Name: row.Name}
		if err := s.sendLink(ctx, tx, p, base, v, auth.VisitorReset, false); err != nil {
			return err
		}
		return audit.Record(ctx, tx, access.Actor{Kind: access.Visitor, TenantID: p.TenantID, VisitorID: v.ID},
			audit.Entry{Action: "portals.reset_requested", Target: "visitor", ID: v.ID.String(), Detail: map[string]any{"email": v.Email}})
	})
}

// CheckLink answers whose password a link sets, and whether it is their first.
//
// Errors: auth.link_used.
func (s *Service) CheckLink(ctx context.Context, p Portal, token string) (email string, first bool, err error) {
	err = s.deps.DB.InTenantTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := s.peek(ctx, tx, p, token)
		email, first = row.Email, !row.HasPassword
		return err
	})
	return email, first, err
}

func (s *Service) peek(ctx context.Context, tx *db.Tx, p Portal, token string) (db.PortalLinkPeekRow, error) {
	hash, ok := auth.HashToken(token)
	if !ok {
		return db.PortalLinkPeekRow{}, auth.ErrLinkUsed
	}
	return s.peekHash(ctx, tx, p, hash)
}

func (s *Service) peekHash(ctx context.Context, tx *db.Tx, p Portal, hash []byte) (db.PortalLinkPeekRow, error) {
	row, err := tx.PortalLinkPeek(ctx, db.PortalLinkPeekParams{TenantID: tx.TenantID, PortalID: p.ID.UUID(), TokenHash: hash, Now: s.now()})
	if db.IsNoRows(err) {
		return row, auth.ErrLinkUsed.Wrap(err)
	}
	if err != nil {
		return row, fmt.Errorf("read link: %w", err)
	}
	return row, nil
}

// ChoosePassword sets a password by a link, ends all links and sessions of the
// visitor and opens one.
//
// Errors: auth.link_used, auth.invalid; auth.sso_required where no password
// counts.
func (s *Service) ChoosePassword(ctx context.Context, p Portal, token, password string, client auth.Client) (session string, err error) {
	if p.SSOOnly {
		return "", errSSOOnly
	}
	email, _, err := s.CheckLink(ctx, p, token)
	if err != nil {
		return "", err
	}
	hash, err := s.deps.Passwords.HashPassword(ctx, password, email)
	if err != nil {
		return "", err
	}
	err = s.deps.DB.InTenantTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := s.peek(ctx, tx, p, token) // again: it may have been used meanwhile
		if err != nil {
			return err
		}
		if err := tx.PortalLinksEnd(ctx, tx.TenantID, row.VisitorID); err != nil {
			return fmt.Errorf("end links: %w", err)
		}
		if err := tx.PortalSessionsEnd(ctx, tx.TenantID, row.VisitorID); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		if _, err := tx.PortalVisitorPassword(ctx, hash, tx.TenantID, row.VisitorID); err != nil {
			return fmt.Errorf("set password: %w", err)
		}
		session, err = s.openSession(ctx, tx, ids.Visitor(row.VisitorID), email, client, source{})
		return err
	})
	return session, err
}

// Asset is a logo.
type Asset struct {
	ContentType string
	Data        []byte
}

// Asset answers a logo of a portal by its kind and sum, for everybody: a
// sign-in page shows it.
//
// Errors: portals.not_found.
func (s *Service) Asset(ctx context.Context, p Portal, kind, sum string) (Asset, error) {
	var a Asset
	err := s.deps.DB.InTenantTx(ctx, p.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.PortalAssetGet(ctx, tx.TenantID, p.ID.UUID(), kind)
		if db.IsNoRows(err) || (err == nil && row.Sum != sum) {
			return ErrNotFound
		}
		a = Asset{row.ContentType, row.Data}
		return err
	})
	return a, err
}

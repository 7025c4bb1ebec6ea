package embed

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// TokenPrefix begins every token.
const TokenPrefix = "embed_token_"

// How long tokens live: by default, and at least and at most.
const (
	TokenLasts   = 10 * time.Minute
	TokenAtLeast = 30 * time.Second
	TokenAtMost  = time.Hour
)

// Limits of what a token says.
const (
	maxNames      = 50 // of filters, and of attributes
	maxValues     = 200
	maxValueBytes = 500
	maxTokenBytes = 8 << 10 // it travels in a header
	maxSubject    = 120
)

// purposeToken keeps what was encrypted for something else from being a token.
const purposeToken = "embed.token"

// Request asks for a token.
type Request struct {
	// Dashboards are what it opens, the first of them where none is asked for.
	Dashboards []ids.Dashboard
	// Filters are locked: values by column, or by "lookup.column". Every dataset
	// of the dashboards has to have the column.
	Filters map[string][]string
	// Attributes are what rules on rows compare with.
	Attributes map[string][]string
	Lasts      time.Duration // TokenLasts when zero
	Downloads  bool          // files may be taken of what is seen
	// Subject says for the audit log who looks, in the words of who mints.
	Subject string
	Locale  string // BCP 47; the workspace's when empty
	Zone    string // IANA name; the workspace's when empty
}

// Minted is a new token.
type Minted struct {
	Token string
	ID    ids.Embed
	Until time.Time
}

// claims are what a token says. It is encrypted with the workspace's own key:
// nobody without it can read, change or make one, and there is no choice of a
// method in it.
type claims struct {
	ID         ids.Embed           `json:"id"`
	Key        ids.EmbedKey        `json:"key,omitzero"` // it was minted with; or:
	Link       ids.Link            `json:"link,omitzero"`
	Dashboards []ids.Dashboard     `json:"dashboards"`
	Filters    map[string][]string `json:"filters,omitempty"`
	Attributes map[string][]string `json:"attributes,omitempty"`
	Downloads  bool                `json:"downloads,omitempty"`
	Subject    string              `json:"subject,omitempty"`
	Locale     string              `json:"locale,omitempty"`
	Zone       string              `json:"zone,omitempty"`
	Until      time.Time           `json:"until"`
}

// Mint makes a token with a key.
//
// Errors: embed.key_refused, embed.request, embed.dashboard_not_found,
// embed.filter_unknown.
func (s *Service) Mint(ctx context.Context, keyText string, r Request) (Minted, error) {
	secret, ok := auth.ParseSecret(KeyPrefix, keyText)
	if !ok {
		return Minted{}, ErrKey
	}
	key, err := s.useKey(ctx, secret)
	if err != nil {
		return Minted{}, err
	}
	if err := r.check(); err != nil {
		return Minted{}, err
	}
	for _, id := range r.Dashboards {
		if len(key.Dashboards) > 0 && !slices.Contains(key.Dashboards, id.UUID()) {
			return Minted{}, ErrDashboard
		}
	}
	if err := s.checkFilters(ctx, secret.Tenant, r); err != nil {
		return Minted{}, err
	}
	if r.Locale == "" || r.Zone == "" {
		err := s.deps.DB.InTenantTx(ctx, secret.Tenant, func(ctx context.Context, tx *db.Tx) error {
			settings, err := tx.TenantSettingsGet(ctx, tx.TenantID)
			if err != nil {
				return fmt.Errorf("read settings: %w", err)
			}
			if r.Locale == "" {
				r.Locale = settings.Locale
			}
			if r.Zone == "" {
				r.Zone = settings.Zone
			}
			return nil
		})
		if err != nil {
			return Minted{}, err
		}
	}
	c := claims{ID: ids.New[ids.Embed](), Key: ids.EmbedKey(secret.ID), Dashboards: r.Dashboards, Filters: r.Filters, Attributes: r.Attributes,
		Downloads: r.Downloads, Subject: r.Subject, Locale: r.Locale, Zone: r.Zone, Until: s.now().Add(r.Lasts)}
	token, err := s.seal(ctx, ids.Tenant(secret.Tenant), c)
	if err != nil {
		return Minted{}, err
	}
	err = s.deps.DB.InTenantTx(ctx, secret.Tenant, func(ctx context.Context, tx *db.Tx) error {
		if now := s.now(); now.Sub(timeOf(key.UsedAt)) > usedEvery {
			if err := tx.EmbedKeyUsed(ctx, now, tx.TenantID, secret.ID); err != nil {
				return fmt.Errorf("note use of key: %w", err)
			}
		}
		return audit.Record(ctx, tx, access.Actor{Kind: access.Program, TenantID: ids.Tenant(tx.TenantID)}, audit.Entry{Action: "embed.token_minted",
			Target: "embed_key", ID: secret.ID.String(), Detail: map[string]any{"key": key.Name, "name": key.Name, "token": c.ID.String(), "dashboards": r.Dashboards,
				"subject": r.Subject, "filters": r.Filters, "attributes": r.Attributes, "until": c.Until}})
	})
	return Minted{Token: token, ID: c.ID, Until: c.Until}, err
}

// useKey finds the key of a secret.
//
// Errors: embed.key_refused.
func (s *Service) useKey(ctx context.Context, secret auth.Secret) (db.EmbedKeyGetRow, error) {
	var key db.EmbedKeyGetRow
	err := s.deps.DB.InTenantTx(ctx, secret.Tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		key, err = tx.EmbedKeyGet(ctx, tx.TenantID, secret.ID)
		if db.IsNoRows(err) {
			return ErrKey.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read key: %w", err)
		}
		if !secret.Proves(key.SecretHash) || !live(s.now(), key.ExpiresAt, key.RevokedAt) {
			if s.deps.Notes != nil {
				s.deps.Notes.Note(ctx, access.Actor{Kind: access.Program, TenantID: ids.Tenant(tx.TenantID)}, audit.Entry{Action: "embed.key_refused",
					Target: "embed_key", ID: secret.ID.String(), Denied: true, Detail: map[string]any{"key": key.Name}})
			}
			return ErrKey
		}
		return nil
	})
	return key, err
}

func (r *Request) check() error {
	if n := len(r.Dashboards); n < 1 || n > maxScoped {
		return ErrRequest.With("A token is for 1 to %d dashboards.", maxScoped)
	}
	if r.Lasts == 0 {
		r.Lasts = TokenLasts
	}
	if r.Lasts < TokenAtLeast || r.Lasts > TokenAtMost {
		return ErrRequest.With("A token lasts %d to %d seconds.", int(TokenAtLeast.Seconds()), int(TokenAtMost.Seconds()))
	}
	for what, list := range map[string]map[string][]string{"filter": r.Filters, "attribute": r.Attributes} {
		if len(list) > maxNames {
			return ErrRequest.With("There are more than %d %ss.", maxNames, what)
		}
		for name, values := range list {
			if name == "" || len(name) > maxValueBytes || len(values) > maxValues || len(values) == 0 {
				return ErrRequest.With("The %s “%.80s” has 1 to %d values.", what, name, maxValues)
			}
			for _, v := range values {
				if len(v) > maxValueBytes || !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
					return ErrRequest.With("A value of the %s “%.80s” is no text of at most %d bytes.", what, name, maxValueBytes)
				}
			}
		}
	}
	if len(r.Subject) > maxSubject || !utf8.ValidString(r.Subject) {
		return ErrRequest.With("The subject has at most %d bytes.", maxSubject)
	}
	if r.Locale != "" && !tenants.ValidLocale(r.Locale) {
		return ErrRequest.With("The locale is no name such as en-GB.")
	}
	if r.Zone != "" && !tenants.ValidZone(r.Zone) {
		return ErrRequest.With("The zone is no name such as Europe/London.")
	}
	return nil
}

// checkFilters tells whether every dataset of the dashboards has the columns of
// the locked filters: where one lacks it, nothing of it would be seen, which is
// safe and nobody's wish.
func (s *Service) checkFilters(ctx context.Context, tenant uuid.UUID, r Request) error {
	var all []uuid.UUID
	err := s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		boards, err := tx.EmbedBoards(ctx, tx.TenantID, raw(r.Dashboards))
		if err != nil {
			return fmt.Errorf("look for dashboards: %w", err)
		}
		if len(boards) < len(slices.Compact(slices.SortedFunc(slices.Values(raw(r.Dashboards)), compareUUID))) {
			return ErrDashboard
		}
		if all, err = tx.DashboardSources(ctx, tx.TenantID, raw(r.Dashboards)); err != nil {
			return fmt.Errorf("read datasets of dashboards: %w", err)
		}
		return nil
	})
	if err != nil || len(r.Filters) == 0 {
		return err
	}
	actor := s.system(tenant)
	for _, id := range all {
		d, err := s.deps.Datasets.Get(ctx, actor, ids.Dataset(id))
		if err != nil {
			return fmt.Errorf("read dataset %s: %w", id, err)
		}
		for name := range r.Filters {
			has, err := s.hasColumn(ctx, actor, d, name)
			if err != nil {
				return err
			}
			if !has {
				return ErrFilter.With("The dataset “%s” has no column “%.80s” to lock a filter on.", d.Name, name)
			}
		}
	}
	return nil
}

func compareUUID(a, b uuid.UUID) int { return strings.Compare(string(a[:]), string(b[:])) }

func (s *Service) hasColumn(ctx context.Context, actor access.Actor, d datasets.Dataset, name string) (bool, error) {
	named := func(columns []datasets.Column, name string) bool {
		return slices.ContainsFunc(columns, func(c datasets.Column) bool { return c.Name == name || slices.Contains(c.FormerNames, name) })
	}
	if named(d.Columns, name) {
		return true, nil
	}
	lookup, rest, dotted := strings.Cut(name, ".")
	for _, l := range d.Lookups {
		if !dotted || l.Name != lookup {
			continue
		}
		target, err := s.deps.Datasets.Get(ctx, actor, l.Target)
		if err != nil {
			return false, fmt.Errorf("read dataset %s: %w", l.Target, err)
		}
		return named(target.Columns, rest), nil
	}
	return false, nil
}

// seal writes a token: the workspace in the open, so that its key is found, and
// all else encrypted for it.
//
// Errors: embed.request where the token would be too long.
func (s *Service) seal(ctx context.Context, tenant ids.Tenant, c claims) (string, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode token: %w", err)
	}
	if len(plain) > maxTokenBytes {
		return "", ErrRequest.With("Filters and attributes have more than %d bytes together.", maxTokenBytes)
	}
	box, err := s.deps.Tenants.Box(ctx, tenant)
	if err != nil {
		return "", err
	}
	sealed, err := box.Encrypt(purposeToken, plain)
	if err != nil {
		return "", err
	}
	id := tenant.UUID()
	return TokenPrefix + base64.RawURLEncoding.EncodeToString(append(id[:], sealed...)), nil
}

// unseal reads a token that seal wrote, and no other.
//
// Errors: embed.token_refused.
func (s *Service) unseal(ctx context.Context, text string) (tenant ids.Tenant, c claims, err error) {
	encoded, ok := strings.CutPrefix(text, TokenPrefix)
	if !ok || len(encoded) > 2*maxTokenBytes {
		return tenant, c, ErrToken
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(decoded) <= 16 {
		return tenant, c, ErrToken
	}
	// That of a workspace which there is comes back with a refusal.
	tenant = ids.Tenant(decoded[:16])
	box, err := s.deps.Tenants.Box(ctx, tenant)
	if err != nil {
		if apperr.Describe(err).Code == tenants.ErrNotFound.Code() {
			return ids.Tenant{}, c, ErrToken.Wrap(err)
		}
		return ids.Tenant{}, c, err
	}
	plain, err := box.Decrypt(purposeToken, decoded[16:])
	if err != nil {
		return tenant, c, ErrToken.Wrap(err)
	}
	if err := json.Unmarshal(plain, &c); err != nil {
		return tenant, c, ErrToken.Wrap(err)
	}
	return tenant, c, nil
}

// Visit is somebody who looks with a token, and what it lets them see now.
type Visit struct {
	Actor      access.Actor
	Token      ids.Embed
	Subject    string
	Dashboards []Board  // that are there, in the order of the token
	Origins    []string // that may frame it
	Downloads  bool
	Public     bool // by a link, and in no frame
	Until      time.Time
	// Version tells visits apart that see or show something else.
	Version string
}

// Board is a dashboard that a token opens.
type Board struct {
	ID   ids.Dashboard
	Name string
}

// Enter answers who looks with a token. With a refusal the visit has the
// workspace, where it is known, and the origins of the token's key, so that the
// site around it can be told.
//
// Errors: embed.token_refused, embed.token_expired, embed.dashboard_not_found.
func (s *Service) Enter(ctx context.Context, text string) (Visit, error) {
	tenant, c, err := s.unseal(ctx, text)
	if err != nil {
		return Visit{Actor: access.Actor{Kind: access.Visitor, TenantID: tenant}}, err
	}
	now := s.now()
	v := Visit{Token: c.ID, Subject: c.Subject, Downloads: c.Downloads, Public: !c.Link.IsZero(), Until: c.Until}
	v.Actor = access.Actor{Kind: access.Visitor, TenantID: tenant, Role: access.Viewer, Attributes: c.Attributes, Locked: c.Filters, Locale: c.Locale}
	if v.Actor.Zone, err = time.LoadLocation(c.Zone); err != nil {
		v.Actor.Zone = time.UTC
	}
	err = s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		allowed, err := s.opener(ctx, tx, c, &v, now)
		if err != nil {
			return err
		}
		if !now.Before(c.Until) {
			return ErrTokenExpired
		}
		wanted := slices.DeleteFunc(raw(c.Dashboards), func(id uuid.UUID) bool { return len(allowed) > 0 && !slices.Contains(allowed, id) })
		rows, err := tx.EmbedBoards(ctx, tx.TenantID, wanted)
		if err != nil {
			return fmt.Errorf("read dashboards of token: %w", err)
		}
		var boards []uuid.UUID
		for _, id := range wanted {
			for _, r := range rows {
				if r.DashboardID == id {
					v.Dashboards = append(v.Dashboards, Board{ids.Dashboard(id), r.Name})
					boards = append(boards, id)
				}
			}
		}
		if len(boards) == 0 {
			return ErrDashboard
		}
		read, err := tx.DashboardDatasets(ctx, tx.TenantID, boards)
		if err != nil {
			return fmt.Errorf("read datasets of dashboards: %w", err)
		}
		v.Actor.Scope = slices.Concat(boards, read)
		return nil
	})
	if err != nil {
		return v, err
	}
	encoded, err := json.Marshal([]any{v.Actor, v.Dashboards, v.Downloads, v.Origins})
	if err != nil {
		return v, fmt.Errorf("encode visit: %w", err)
	}
	sum := sha256.Sum256(encoded)
	v.Version = hex.EncodeToString(sum[:16])
	return v, nil
}

// Inspect is Enter for somebody who manages embedding and wants to know what a
// token of their workspace lets its bearer see.
//
// Errors: access.forbidden, and as Enter; embed.token_refused for another
// workspace's too.
func (s *Service) Inspect(ctx context.Context, actor access.Actor, text string) (Visit, error) {
	if err := access.Can(actor, access.ManageEmbedding); err != nil {
		return Visit{}, err
	}
	v, err := s.Enter(ctx, strings.TrimSpace(text))
	if v.Actor.TenantID != actor.TenantID && err == nil {
		err = ErrToken
	}
	if err != nil {
		return Visit{}, err
	}
	return v, s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "embed.token_inspected", Target: "embed_token", ID: v.Token.String()})
	})
}

// opener looks whether what a token came of still stands: its key or its link.
// It answers the dashboards that these are for; none for all.
//
// Errors: embed.token_refused.
func (s *Service) opener(ctx context.Context, tx *db.Tx, c claims, v *Visit, now time.Time) ([]uuid.UUID, error) {
	if v.Public {
		link, err := tx.PublicLinkGet(ctx, tx.TenantID, c.Link.UUID())
		if err != nil && !db.IsNoRows(err) {
			return nil, fmt.Errorf("read link of token: %w", err)
		}
		if err != nil || !link.Allowed || !live(now, link.ExpiresAt, link.RevokedAt) {
			return nil, ErrToken
		}
		return []uuid.UUID{link.DashboardID}, nil
	}
	key, err := tx.EmbedKeyGet(ctx, tx.TenantID, c.Key.UUID())
	if db.IsNoRows(err) {
		return nil, ErrToken.Wrap(err)
	}
	if err != nil {
		return nil, fmt.Errorf("read key of token: %w", err)
	}
	v.Origins = key.Origins
	if !live(now, key.ExpiresAt, key.RevokedAt) {
		return nil, ErrToken
	}
	revoked, err := tx.EmbedRevoked(ctx, tx.TenantID, c.ID.UUID())
	if err != nil {
		return nil, fmt.Errorf("look for revocation: %w", err)
	}
	if revoked {
		return nil, ErrToken
	}
	return key.Dashboards, nil
}

// RevokeToken ends a token before its time, by the id that it was minted with.
//
// Errors: embed.token_id.
func (s *Service) RevokeToken(ctx context.Context, actor access.Actor, id string) error {
	return s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error { return s.revoke(ctx, tx, actor, id, nil) })
}

// RevokeMinted is RevokeToken for a program with a key.
//
// Errors: embed.key_refused, embed.token_id.
func (s *Service) RevokeMinted(ctx context.Context, keyText, id string) error {
	secret, ok := auth.ParseSecret(KeyPrefix, keyText)
	if !ok {
		return ErrKey
	}
	key, err := s.useKey(ctx, secret)
	if err != nil {
		return err
	}
	actor := access.Actor{Kind: access.Program, TenantID: ids.Tenant(secret.Tenant)}
	by := map[string]any{"key": key.Name, "name": key.Name}
	return s.deps.DB.InTenantTx(ctx, secret.Tenant, func(ctx context.Context, tx *db.Tx) error { return s.revoke(ctx, tx, actor, id, by) })
}

func (s *Service) revoke(ctx context.Context, tx *db.Tx, actor access.Actor, text string, detail map[string]any) error {
	id, err := ids.Parse[ids.Embed](strings.TrimSpace(text))
	if err != nil {
		return ErrTokenInvalid.WithFields(map[string]string{"token": ErrTokenInvalid.Sentence()}).Wrap(err)
	}
	now := s.now()
	if err := tx.EmbedRevocationsPrune(ctx, tx.TenantID, now); err != nil {
		return fmt.Errorf("forget revocations: %w", err)
	}
	// No token lives longer than from now on.
	n, err := tx.EmbedRevoke(ctx, tx.TenantID, id.UUID(), now.Add(TokenAtMost))
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	if n == 0 {
		return nil // it is already
	}
	return audit.Record(ctx, tx, actor, audit.Entry{Action: "embed.token_revoked", Target: "embed_token", ID: id.String(), Detail: detail})
}

// Package embed shows dashboards outside of the product: in pages of other
// sites, by short-lived tokens that a site's server mints with a key of the
// workspace, and by public links. Who looks is an access.Visitor, as in a
// portal: they see the dashboards of their token, the rows that their attributes
// and locked filters leave, and nothing else.
package embed

import (
	"context"
	"encoding/base64"
	"time"

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

// What can go wrong.
var (
	// ErrKey says nothing of why: whoever has no key learns nothing of those there are.
	ErrKey = apperr.Define(apperr.Unauthenticated, "embed.key_refused",
		"This key is unknown, has expired or was revoked.")
	ErrKeyNotFound = apperr.Define(apperr.NotFound, "embed.key_not_found",
		"There is no such key, or it was revoked.")
	ErrKeyInvalid = apperr.Define(apperr.Invalid, "embed.key_invalid",
		"The key can't be made like this.")
	ErrRequest = apperr.Define(apperr.Invalid, "embed.request",
		"This is no request for a token.")
	ErrFilter = apperr.Define(apperr.Invalid, "embed.filter_unknown",
		"A locked filter is no column of the data.")
	ErrDashboard = apperr.Define(apperr.NotFound, "embed.dashboard_not_found",
		"The dashboard does not exist, was removed, or is not for this key or token.")
	// ErrToken also covers tokens of keys and links that were revoked.
	ErrToken = apperr.Define(apperr.Unauthenticated, "embed.token_refused",
		"This view is not open to you any more.")
	ErrTokenExpired = apperr.Define(apperr.Unauthenticated, "embed.token_expired",
		"This view has been open for too long. Reload the page.")
	ErrTokenInvalid = apperr.Define(apperr.Invalid, "embed.token_id",
		"This is no id of a token. The answer with the token has it as token_id.")
	ErrOrigin = apperr.Define(apperr.Forbidden, "embed.origin",
		"This site is not among those that may show the view.")
	ErrLink = apperr.Define(apperr.NotFound, "embed.link_closed",
		"This link leads nowhere, has expired or was taken back.")
	ErrLinkNotFound = apperr.Define(apperr.NotFound, "embed.link_not_found",
		"There is no such link, or it was taken back.")
	ErrLinkInvalid = apperr.Define(apperr.Invalid, "embed.link_invalid",
		"The link can't be made like this.")
	ErrLinksOff = apperr.Define(apperr.Forbidden, "embed.links_off",
		"This workspace has no public links. An admin can allow them.")
	ErrPassword = apperr.Define(apperr.Unauthenticated, "embed.password",
		"This is not the password of the link.")
)

// Passwords hash and count attempts; it is auth.Service.
type Passwords interface {
	HashPassword(ctx context.Context, password, email string) (string, error)
	VerifyPassword(ctx context.Context, password, stored string) (bool, error)
	CountAttempt(ctx context.Context, realm, account string, client auth.Client) (auth.Attempt, error)
}

// Datasets tell which columns there are to filter by.
type Datasets interface {
	Get(ctx context.Context, actor access.Actor, id ids.Dataset) (datasets.Dataset, error)
}

// Notes put refusals on record; it is audit.Service.
type Notes interface {
	Note(ctx context.Context, actor access.Actor, e audit.Entry)
}

// Deps are what the service works with.
type Deps struct {
	DB        *db.DB
	Tenants   *tenants.Service
	Datasets  Datasets
	Passwords Passwords
	Notes     Notes            // nil: refusals of keys are not on record
	Now       func() time.Time // time.Now when nil
}

// Service is safe for concurrent use.
type Service struct{ deps Deps }

// NewService makes the service.
func NewService(deps Deps) *Service {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	return &Service{deps}
}

func (s *Service) now() time.Time { return s.deps.Now().UTC().Truncate(time.Microsecond) }

// manage runs work for an actor who may manage the workspace.
func (s *Service) manage(ctx context.Context, actor access.Actor, work db.Work) error {
	if err := access.Can(actor, access.ManageEmbedding); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), work)
}

func (s *Service) system(tenant uuid.UUID) access.Actor {
	return access.Actor{Kind: access.System, TenantID: ids.Tenant(tenant)}
}

// usedEvery is how often the use of a key or a link is noted.
const usedEvery = time.Minute

// live tells whether something that may have ends still works.
func live(now time.Time, expires, revoked *time.Time) bool {
	return revoked == nil && (expires == nil || now.Before(*expires))
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func optionalUser(id ids.User) *uuid.UUID {
	if id.IsZero() {
		return nil
	}
	u := id.UUID()
	return &u
}

// passOf is what a pass of a link says: the link, and its password as it is stored.
func passOf(t auth.Secret, link db.PublicLinkGetRow) []byte {
	return append(t.ID[:], link.PasswordHash...)
}

func encodePass(sealed []byte) string { return base64.RawURLEncoding.EncodeToString(sealed) }

func decodePass(text string) ([]byte, bool) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return sealed, err == nil && len(sealed) > 0
}

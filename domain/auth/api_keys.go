package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// What can go wrong with keys of the API.
var (
	// ErrAPIKey says nothing of why: whoever has no key learns nothing of those there are.
	ErrAPIKey = apperr.Define(apperr.Unauthenticated, "auth.key_refused",
		"This key is unknown, has expired or was revoked. Send one as “Authorization: Bearer api_key_…”.")
	ErrAPIKeySSO = apperr.Define(apperr.Forbidden, "auth.key_sso",
		"This workspace requires single sign-on, and its admins have not allowed keys beside it.")
	ErrAPIKeyRate = apperr.Define(apperr.RateLimited, "auth.key_rate",
		"This key asks too often. Wait as long as the header Retry-After says.")
	ErrAPIKeyNotFound = apperr.Define(apperr.NotFound, "auth.key_not_found",
		"There is no such key, or it was revoked.")
	ErrAPIKeyInvalid = apperr.Define(apperr.Invalid, "auth.key_invalid",
		"The key can't be made like this.")
	ErrAPIKeyMany = apperr.Define(apperr.Conflict, "auth.key_many",
		fmt.Sprintf("A workspace has at most %d keys. Revoke those that nobody uses any more.", mostAPIKeys))
)

// APIKeyPrefix begins every key, so that one that got out is recognised.
const APIKeyPrefix = "api_key_"

// GoneAPIKeys is how many revoked keys a list shows, the last.
const GoneAPIKeys = 200

// Limits of keys.
const (
	mostAPIKeys  = 200 // of a workspace that are not revoked
	apiKeyUsed   = time.Minute
	apiKeyEvery  = 100 * time.Millisecond // a request, in the long run
	apiKeyBurst  = 60                     // requests at once
	apiKeyMisses = 20                     // of an address, or with a key that ended, before it has to wait
	knownAPIKeys = 10_000                 // whose requests a process counts
)

// APIKey is a key as its workspace sees it.
type APIKey struct {
	ID         ids.APIKey
	Name       string
	Role       tenants.Role
	Attributes tenants.Attributes // that rules on rows compare with
	CreatedBy  string
	CreatedAt  time.Time
	UsedAt     time.Time // to the minute; zero before the first use
	ExpiresAt  time.Time // zero: never
	RevokedAt  time.Time // zero: in use
}

// NewAPIKey is what somebody wants a key to be.
type NewAPIKey struct {
	Name       string
	Role       access.Role // by its value; never Owner
	Attributes tenants.Attributes
	ExpiresAt  time.Time
}

// manageKeys runs work for who gives roles and attributes: a key has both.
func (s *Service) manageKeys(ctx context.Context, actor access.Actor, work db.Work) error {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), work)
}

// ListAPIKeys lists the workspace's keys, those in use first, of revoked ones the
// last two hundred, and tells whether they work while single sign-on is required.
//
// Errors: access.forbidden.
func (s *Service) ListAPIKeys(ctx context.Context, actor access.Actor) (list []APIKey, withSSO bool, err error) {
	err = s.manageKeys(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if withSSO, err = tx.ApiKeysWithSso(ctx, tx.TenantID); err != nil {
			return fmt.Errorf("read setting of keys: %w", err)
		}
		rows, err := tx.ApiKeyList(ctx, tx.TenantID, GoneAPIKeys)
		if err != nil {
			return fmt.Errorf("list keys: %w", err)
		}
		for _, r := range rows {
			list = append(list, APIKey{ID: ids.APIKey(r.KeyID), Name: r.Name, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt, Attributes: tenants.AttributesOf(r.Attributes),
				Role:   tenants.Role{Standing: access.Role(r.Role), Custom: tenants.CustomOf(r.CustomRoleID, r.CustomName, r.CustomPermissions)},
				UsedAt: timeOf(r.UsedAt), ExpiresAt: timeOf(r.ExpiresAt), RevokedAt: timeOf(r.RevokedAt)})
		}
		return nil
	})
	return list, withSSO, err
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// CreateAPIKey makes a key. Its role must not be beyond the actor's own. The text
// of the key is answered once and not kept.
//
// Errors: auth.key_invalid with fields name, role, attributes, expires;
// auth.key_many, tenants.beyond, access.forbidden.
func (s *Service) CreateAPIKey(ctx context.Context, actor access.Actor, n NewAPIKey) (text string, err error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	fields := map[string]string{}
	n.Name = strings.Join(strings.Fields(n.Name), " ")
	if problem := plaintext.Problem(n.Name, 80, "Give the key a name: one line of at most 80 characters."); problem != "" {
		fields["name"] = problem
	}
	if !tenants.ValidRole(n.Role) || n.Role == access.Owner {
		fields["role"] = "Choose a role. No key is an owner's."
	}
	if n.Attributes, err = n.Attributes.Clean(); err != nil {
		fields["attributes"] = apperr.Describe(err).Sentence
	}
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now) {
		fields["expires"] = "The key would have ended before it began."
	}
	if len(fields) > 0 {
		return "", ErrAPIKeyInvalid.WithFields(fields)
	}
	attributes, err := json.Marshal(n.Attributes)
	if err != nil {
		return "", fmt.Errorf("write attributes: %w", err)
	}
	id := ids.New[ids.APIKey]()
	text, hash := NewSecret(APIKeyPrefix, actor.TenantID.UUID(), id.UUID())
	p := db.ApiKeyInsertParams{TenantID: actor.TenantID.UUID(), KeyID: id.UUID(), Name: n.Name, SecretHash: hash, Attributes: attributes, CreatedAt: now}
	if !actor.UserID.IsZero() {
		by := actor.UserID.UUID()
		p.CreatedBy = &by
	}
	if !n.ExpiresAt.IsZero() {
		p.ExpiresAt = &n.ExpiresAt
	}
	return text, s.manageKeys(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		role, err := tenants.FindRole(ctx, tx, n.Role)
		if err != nil {
			return err
		}
		if err := tenants.CheckGrant(actor, role); err != nil {
			return err
		}
		p.Role, p.CustomRoleID = role.Stored(), role.CustomID()
		if err := tx.ApiKeyLock(ctx); err != nil {
			return fmt.Errorf("lock keys: %w", err)
		}
		count, err := tx.ApiKeyCount(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("count keys: %w", err)
		}
		if count >= mostAPIKeys {
			return ErrAPIKeyMany
		}
		if err := tx.ApiKeyInsert(ctx, p); err != nil {
			return fmt.Errorf("insert key: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "keys.created", Target: "api_key", ID: id.String(),
			Detail: map[string]any{"name": n.Name, "role": role.Title(), "attributes": n.Attributes, "expires": p.ExpiresAt}})
	})
}

// RevokeAPIKey ends a key at once. It must not be beyond the actor's own role.
//
// Errors: auth.key_not_found, tenants.beyond, access.forbidden.
func (s *Service) RevokeAPIKey(ctx context.Context, actor access.Actor, id ids.APIKey) error {
	return s.manageKeys(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.ApiKeyRole(ctx, tx.TenantID, id.UUID())
		if db.IsNoRows(err) {
			return ErrAPIKeyNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read key: %w", err)
		}
		role := tenants.Role{Standing: access.Role(row.Role)}
		if row.CustomRoleID != nil {
			if role, err = tenants.FindRole(ctx, tx, access.Role(row.CustomRoleID.String())); err != nil {
				return err
			}
		}
		if err := tenants.CheckGrant(actor, role); err != nil {
			return err
		}
		if err := tx.ApiKeyRevoke(ctx, time.Now(), tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("revoke key: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "keys.revoked", Target: "api_key", ID: id.String(), Detail: map[string]any{"name": row.Name, "role": role.Title()}})
	})
}

// Actor is whom a program with the key acts as.
func (k APIKey) Actor(tenant ids.Tenant) access.Actor {
	return access.Actor{Kind: access.Key, TenantID: tenant, KeyID: k.ID, KeyName: k.Name, Role: k.Role.Standing, Custom: k.Role.Custom, Attributes: k.Attributes}
}

// InspectAPIKey answers whom a program with the key acts as, for one look at what
// rules hold for it. It must not be beyond the actor's own role.
//
// Errors: auth.key_not_found, tenants.beyond, access.forbidden.
func (s *Service) InspectAPIKey(ctx context.Context, actor access.Actor, id ids.APIKey) (access.Actor, error) {
	list, _, err := s.ListAPIKeys(ctx, actor)
	if err != nil {
		return access.Actor{}, err
	}
	at := slices.IndexFunc(list, func(k APIKey) bool { return k.ID == id && k.RevokedAt.IsZero() })
	if at < 0 {
		return access.Actor{}, ErrAPIKeyNotFound
	}
	if err := tenants.CheckGrant(actor, list[at].Role); err != nil {
		return access.Actor{}, err
	}
	seen := list[at].Actor(actor.TenantID)
	seen.Zone, seen.Locale = actor.Zone, actor.Locale
	return seen, s.manageKeys(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "keys.rules_viewed", Target: "api_key", ID: id.String(), Detail: map[string]any{"name": list[at].Name}})
	})
}

// AllowAPIKeysWithSSO says whether keys work while single sign-on is required.
//
// Errors: access.forbidden.
func (s *Service) AllowAPIKeysWithSSO(ctx context.Context, actor access.Actor, allowed bool) error {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return err
	}
	return s.manageKeys(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.ApiKeysAllowWithSso(ctx, allowed, tx.TenantID)
		if err != nil {
			return fmt.Errorf("write setting of keys: %w", err)
		}
		if n == 0 {
			return nil
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "keys.with_sso", Target: "workspace", ID: actor.TenantID.String(), Detail: map[string]any{"before": !allowed, "after": allowed}})
	})
}

// IdentifyAPIKey finds out which program asks. Of a key that is refused, the actor
// tells its workspace and itself, for the record; who guesses has to wait.
//
// Errors: auth.key_refused, auth.key_sso, auth.key_rate, auth.throttled.
func (s *Service) IdentifyAPIKey(ctx context.Context, text string, from Client) (access.Actor, error) {
	secret, ok := ParseSecret(APIKeyPrefix, text)
	if !ok {
		return access.Actor{}, s.missed(ctx, from)
	}
	actor := access.Actor{Kind: access.Key, TenantID: ids.Tenant(secret.Tenant), KeyID: ids.APIKey(secret.ID)}
	var row db.ApiKeyGetRow
	var enforced bool
	now := time.Now()
	err := s.deps.DB.InIdentityTx(ctx, secret.Tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		if row, err = tx.ApiKeyGet(ctx, tx.TenantID, secret.ID); err != nil {
			return err
		}
		policy, err := policyOf(ctx, tx, tx.TenantID)
		enforced = policy.SSOOnly
		if err != nil || !secret.Proves(row.SecretHash) || !apiKeyWorks(row, now) || row.UsedAt != nil && now.Sub(*row.UsedAt) < apiKeyUsed {
			return err
		}
		return tx.ApiKeyUsed(ctx, now, tx.TenantID, secret.ID)
	})
	switch {
	case db.IsNoRows(err):
		return access.Actor{}, s.missed(ctx, from)
	case err != nil:
		return access.Actor{}, fmt.Errorf("read key: %w", err)
	case !secret.Proves(row.SecretHash):
		return access.Actor{}, s.missed(ctx, from) // no word in the log of a workspace about who only guesses
	}
	actor.KeyName = row.Name
	if !apiKeyWorks(row, now) {
		return actor, s.ended(ctx, secret.ID, ErrAPIKey)
	}
	if enforced && !row.ApiKeysWithSso {
		return actor, s.ended(ctx, secret.ID, ErrAPIKeySSO)
	}
	if wait := s.keyWait(secret.ID, now); wait > 0 {
		seconds := int(math.Ceil(wait.Seconds()))
		return actor, &throttled{ErrAPIKeyRate.With("This key asks too often. Wait %s.", inWords(seconds)), seconds}
	}
	actor.Role, actor.Custom = access.Role(row.Role), tenants.CustomOf(row.CustomRoleID, row.CustomName, row.CustomPermissions)
	actor.Attributes, actor.Locale = tenants.AttributesOf(row.Attributes), row.Locale
	if actor.Zone, err = loadZone(row.Zone); err != nil {
		actor.Zone = time.UTC // this machine knows fewer names
	}
	return actor, nil
}

func apiKeyWorks(row db.ApiKeyGetRow, now time.Time) bool {
	return row.RevokedAt == nil && (row.ExpiresAt == nil || now.Before(*row.ExpiresAt))
}

// missed counts a key that is none.
func (s *Service) missed(ctx context.Context, from Client) error {
	if err := s.take(ctx, []limit{{key: throttleKey("api key", from.Address), free: apiKeyMisses, longest: 60}}); err != nil {
		return err
	}
	return ErrAPIKey
}

// ended counts what is asked with a key that opens nothing, and answers why: who
// has it still has to wait as who guesses does.
func (s *Service) ended(ctx context.Context, id uuid.UUID, why error) error {
	if err := s.take(ctx, []limit{{key: throttleKey("ended api key", id.String()), free: apiKeyMisses, longest: 60}}); err != nil {
		return err
	}
	return why
}

// keyWait is how long a key has to wait before its next request, as far as this
// process knows.
func (s *Service) keyWait(id uuid.UUID, now time.Time) time.Duration {
	limiter, ok := s.keyRates.Get(id)
	if !ok {
		limiter = rate.NewLimiter(rate.Every(apiKeyEvery), apiKeyBurst)
		if known, was, _ := s.keyRates.PeekOrAdd(id, limiter); was {
			limiter = known
		}
	}
	reserved := limiter.ReserveN(now, 1)
	wait := reserved.DelayFrom(now)
	if wait > 0 {
		reserved.CancelAt(now)
	}
	return wait
}

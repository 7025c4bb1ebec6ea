// Package auth lets people in: e-mail and password, single sign-on, second
// factors, sessions, resets, invitations and the first set-up. A person has one e-mail address and one
// password, and belongs to any number of workspaces; in each they are a user
// with a role, a name and formats of their own.
package auth

import (
	"context"
	"net"
	"net/mail"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/time/rate"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth/oidc"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/outbound"
)

// What can go wrong.
var (
	// ErrWrongPassword says the same for an unknown address and a wrong password.
	ErrWrongPassword = apperr.Define(apperr.Unauthenticated, "auth.wrong_password",
		"This e-mail address and password do not belong together.")
	ErrThrottled = apperr.Define(apperr.RateLimited, "auth.throttled",
		"There were too many attempts. Wait a moment and try again.")
	ErrNoSession = apperr.Define(apperr.Unauthenticated, "auth.session_ended",
		"Your session has ended. Sign in again.")
	ErrNoWorkspace = apperr.Define(apperr.Forbidden, "auth.no_workspace",
		"You do not belong to a workspace any more. Ask an admin to invite you.")
	ErrLinkUsed = apperr.Define(apperr.Gone, "auth.link_used",
		"This link was used already or has run out. Ask for a new one.")
	ErrInvalid = apperr.Define(apperr.Invalid, "auth.invalid",
		"Some of what you entered can't be used.")
	ErrEmailTaken = apperr.Define(apperr.Conflict, "auth.email_taken",
		"There is a member with this e-mail address already.")
	ErrByHand = apperr.Define(apperr.Conflict, "auth.by_hand",
		"No mail server is configured. Send each member a link from the menu of their line, and hand it over yourself.")
	// ErrNotMember also covers workspaces that do not exist.
	ErrNotMember = apperr.Define(apperr.NotFound, "auth.not_member",
		"You do not belong to this workspace.")
	// ErrSSORequired is said of a password that opens nothing: to addresses of the
	// workspace's domain whether it is right or wrong.
	ErrSSORequired = apperr.Define(apperr.Forbidden, "auth.sso_required",
		"Your workspace signs in with single sign-on. Use “Sign in with SSO”.")
	// ErrConfined keeps who signed in at a provider in that provider's workspace.
	ErrConfined = apperr.Define(apperr.Forbidden, "auth.confined",
		"You signed in with single sign-on of this workspace. Sign in again to open another one.")
	ErrSessionNotFound = apperr.Define(apperr.NotFound, "auth.session_not_found",
		"This session has ended already.")
)

// How long things last.
const (
	idleFor     = 12 * time.Hour // without a request, for a plain session
	sessionFor  = 24 * time.Hour
	keptIdleFor = 3 * 24 * time.Hour // for "keep me signed in"
	keptFor     = 7 * 24 * time.Hour
	resetFor    = time.Hour
	inviteFor   = 7 * 24 * time.Hour
	setupFor    = 24 * time.Hour
	touchEvery  = time.Minute
)

// maxName is the longest name of a person, in characters.
const maxName = 120

// Mailer queues a letter in the transaction that wants it sent; it is
// delivery.Service.
type Mailer interface {
	Queue(ctx context.Context, tx *db.Tx, to delivery.Recipient, letter delivery.Letter) (ids.Message, error)
}

// Deps are what the service works with.
type Deps struct {
	DB      *db.DB
	Tenants *tenants.Service
	Mailer  Mailer
	Notify  *notify.Service
	BaseURL func() string // of this server, without a slash at its end
	// Outbound asks identity providers.
	Outbound *outbound.Client // public addresses alone when nil
	// Resolver looks domains up; the system's when nil.
	Resolver Resolver
	Hashing  Hashing // DefaultHashing when zero; tests take less
}

// Service is safe for concurrent use.
type Service struct {
	deps   Deps
	hasher *hasher
	known  *lru.Cache[knownKey, knownIdentity]
	// versions counts the identities that were read.
	versions atomic.Uint64
	// providers are OIDC providers whose addresses and keys were read, by issuer.
	providers *expirable.LRU[string, *oidc.Provider]
	// keyRates count the requests of keys of the API.
	keyRates *lru.Cache[uuid.UUID, *rate.Limiter]
}

// NewService makes the service.
func NewService(deps Deps) *Service {
	// A size above zero is never refused.
	known, _ := lru.New[knownKey, knownIdentity](knownIdentities)
	if deps.Resolver == nil {
		deps.Resolver = net.DefaultResolver
	}
	if deps.Outbound == nil {
		deps.Outbound = outbound.New(outbound.Config{})
	}
	rates, _ := lru.New[uuid.UUID, *rate.Limiter](knownAPIKeys)
	return &Service{deps: deps, hasher: newHasher(deps.Hashing), known: known, keyRates: rates,
		providers: expirable.NewLRU[string, *oidc.Provider](knownProviders, nil, providerFor)}
}

// Client is where a request comes from; kept with the session for its owner.
type Client struct {
	Address   string
	UserAgent string
}

// Prune removes sessions, links and counters that no longer count. A schedule
// calls it.
func (s *Service) Prune(ctx context.Context) error {
	return s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		for _, prune := range []func(context.Context) (int64, error){tx.SessionPrune, tx.LinkPrune, tx.ThrottlePrune,
			tx.RequestPrune, tx.ReplayPrune, tx.PendingPrune} {
			if _, err := prune(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// CheckEmail answers an address in its plain form, or a sentence about what is
// wrong with it.
func CheckEmail(text string) (email, problem string) {
	text = strings.TrimSpace(text)
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text || len(text) > 254 || !strings.Contains(text, "@") {
		return "", "This is not an e-mail address."
	}
	return text, ""
}

func personActor(tenantID ids.Tenant, userID ids.User) access.Actor {
	return access.Actor{Kind: access.Person, TenantID: tenantID, UserID: userID}
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return strings.ReplaceAll(text, "\x00", "")
}

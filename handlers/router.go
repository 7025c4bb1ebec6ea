// Package handlers answers the browser: pages, fragments and the forms that
// work without JavaScript. A handler parses, calls one service method with an
// explicit actor, and renders.
//
// To add a feature: a file of its own with a struct that has
//
//	func (h feature) routes(r chi.Router)
//
// its service in Deps, and one line in signedIn below.
package handlers

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/sessions"

	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/comments"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/embed"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/domain/sharing"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/presence"
	"github.com/dataflowhq/dataflow/platform/telemetry"
	"github.com/dataflowhq/dataflow/static"
	"github.com/dataflowhq/dataflow/views"
)

// Deps are the services behind the pages, and what the pages have to know of
// the installation.
type Deps struct {
	Auth     *auth.Service
	Audit    *audit.Service
	Tenants  *tenants.Service
	Delivery *delivery.Service
	// Datasets and Dashboards are the content of a workspace; Events tells open
	// pages what changed (nil: they hear of it every 10 s).
	Datasets   *datasets.Service
	Dashboards *dashboards.Service
	Sharing    *sharing.Service
	Comments   *comments.Service
	Notify     *notify.Service
	// Portals are what tenants show to their customers, on hosts of their own.
	Portals *portals.Service
	// Embed shows dashboards in pages of other sites, and by public links.
	Embed *embed.Service
	// SampleSite is the address of a page that has a dashboard embedded, in a demo.
	SampleSite string
	// Reports makes files of dashboards; a worker does the work.
	Reports *reports.Service
	Alerts  *alerts.Service
	Events  *events.Bus
	// Presence is who edits what right now; nil: nobody hears of others.
	Presence *presence.Board
	// Stopping ends when the process begins to stop: streams end with it, other
	// requests may finish. Nil: streams end with their connections only.
	Stopping <-chan struct{}
	// StreamEvery is how often a stream looks at versions and session again,
	// whatever it heard; 10 s when zero.
	StreamEvery time.Duration
	// Health are the parts that /readyz asks.
	Health []telemetry.Check

	// SessionKey signs what is said once after a redirect; 32 bytes.
	SessionKey []byte
	// BaseURL is how people reach this server, "https://bi.example.com"; it may
	// be empty. With https, cookies are secure whatever a request says.
	BaseURL string
	// TrustedProxies are networks, such as 10.0.0.0/8, whose X-Forwarded-For
	// and X-Forwarded-Proto count.
	TrustedProxies []string
	// ShowOutbox lets admins read mail that was not sent, as in a demo.
	ShowOutbox bool
}

// feature is a group of routes.
type feature interface{ routes(r chi.Router) }

// streamer is a feature with routes that take uploads or answer without an
// end: they have no limit on the body.
type streamer interface{ streams(r chi.Router) }

// selfIdentified is a feature with hot routes that find out who asks together
// with what they answer, in one round trip to the database.
type selfIdentified interface{ ownIdentity(r chi.Router) }

// core is what all handlers share.
type core struct {
	Deps
	sessions *sessionStore
	flashes  sessions.Store
	proxies  []netip.Prefix
	https    bool
	// fragments is what was drawn, on the site and on its portals: who sees the
	// same is answered the same.
	fragments *fragmentCache
}

// address is how people reach this site: as it is configured, or as this browser
// has.
func (c *core) address(r *http.Request) string {
	if c.BaseURL != "" {
		return strings.TrimSuffix(c.BaseURL, "/")
	}
	if scopeOf(r).secure {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// New makes the handler of the whole site.
//
// Errors: of a malformed BaseURL or proxy network only.
func New(deps Deps) (http.Handler, error) {
	c, err := newCore(deps)
	if err != nil {
		return nil, err
	}
	site, err := c.router()
	if err != nil {
		return nil, err
	}
	portal, err := c.portalRouter()
	if err != nil {
		return nil, err
	}
	return hostSites{Router: site, handler: c.byHost(site, portal)}, nil
}

// hostSites are all sites, each on its hosts. Its routes are those of the site
// itself.
type hostSites struct {
	chi.Router
	handler http.Handler
}

func (s hostSites) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func newCore(deps Deps) (*core, error) {
	if len(deps.SessionKey) < 32 {
		return nil, fmt.Errorf("session key has %d bytes, want 32", len(deps.SessionKey))
	}
	flashes := sessions.NewCookieStore(deps.SessionKey)
	c := &core{Deps: deps, sessions: &sessionStore{deps.Auth}, flashes: flashes, https: strings.HasPrefix(deps.BaseURL, "https://"),
		fragments: newFragmentCache(fragmentBytes)}
	var err error
	if c.proxies, err = parsePrefixes(deps.TrustedProxies); err != nil {
		return nil, err
	}
	return c, nil
}

// router is the site itself: everything but portals.
func (c *core) router() (chi.Router, error) {
	origin, err := c.sameOrigin(c.BaseURL, c.loadIdentity, routeSAML+pathACS, routeSAML+pathSLO, views.PathEmbed)
	if err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	board := boards{c}
	embedding := embedPages{c, board}
	r.Use(noticeThisMachine, traced, c.trustProxies, c.clientAddress, c.begin, secureHeaders, readable(c.loadIdentity), origin, middleware.GetHead, embedding.byToken)
	r.NotFound(c.loadIdentity(handle(func(http.ResponseWriter, *http.Request) error { return errNoPage })).ServeHTTP)
	r.MethodNotAllowed(c.loadIdentity(handle(func(http.ResponseWriter, *http.Request) error { return errMethod })).ServeHTTP)
	// Names carry the hash of the content, and files are stored compressed.
	r.Mount(static.Prefix, static.Handler())
	health{c}.routes(r)
	embedding.routes(r)
	api{c, board}.routes(r)

	public := []feature{
		signIn{c, memberDoor{c}},
		sso{c, memberDoor{c}},
		outbox{c},
		sentReports{c},
		mailEvents{c},
	}
	signedIn := []feature{
		home{c},
		shares{c},
		customRoles{c},
		heldRules{c},
		board,
		commentPages{c},
		notifications{c},
		reportPages{c},
		schedules{c},
		openedReports{c},
		mailSettings{c},
		alertPages{c},
		channelPages{c},
		mailFiles{c},
		datasetPages{c},
		uploadPages{c},
		search{c},
		account{c},
		settings{c},
		portalSettings{c},
		embedSettings{c},
		apiKeys{c},
		auditPages{c},
		signInSettings{c},
		factors{c},
		attributes{c},
		viewAs{c},
	}
	for _, f := range signedIn {
		if s, ok := f.(selfIdentified); ok {
			s.ownIdentity(r)
		}
	}
	r.Group(func(r chi.Router) {
		r.Use(c.loadIdentity)
		r.Group(func(r chi.Router) {
			r.Use(limitBody, middleware.Compress(5, compressible...))
			for _, f := range public {
				f.routes(r)
			}
			r.Group(func(r chi.Router) {
				r.Use(requireSession)
				for _, f := range signedIn {
					f.routes(r)
				}
			})
		})
		sentReports{c}.files(r)
		r.Group(func(r chi.Router) {
			r.Use(requireSession)
			for _, f := range signedIn {
				if s, ok := f.(streamer); ok {
					s.streams(r)
				}
			}
		})
	})
	return r, nil
}

var compressible = []string{"text/html", "application/json", "text/csv", "image/svg+xml", "text/plain"}

// sameOrigin refuses what another site makes a browser send, but for forms to
// the paths of open. identify finds out whose browser it was, for the audit log.
func (c *core) sameOrigin(trusted string, identify func(http.Handler) http.Handler, open ...string) (func(http.Handler) http.Handler, error) {
	protection := http.NewCrossOriginProtection()
	if trusted != "" {
		if err := protection.AddTrustedOrigin(trusted); err != nil {
			return nil, fmt.Errorf("read base url: %w", err)
		}
	}
	// What a provider says is signed, and its answers prove that this browser has
	// asked for them. The page
	// of an embedded dashboard is asked for by a form of another site: it carries
	// all that it needs, and nothing is changed by it.
	for _, path := range open {
		protection.AddInsecureBypassPattern("POST " + path)
	}
	protection.SetDenyHandler(identify(handle(func(http.ResponseWriter, *http.Request) error { return errCrossOrigin })))
	return protection.Handler, nil
}

// clientAddress stores where the browser is: the last address that is no
// trusted proxy's.
func (c *core) clientAddress(next http.Handler) http.Handler {
	if len(c.TrustedProxies) == 0 {
		return middleware.ClientIPFromRemoteAddr(next)
	}
	return middleware.ClientIPFromXFF(c.TrustedProxies...)(next)
}

func parsePrefixes(networks []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, network := range networks {
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			return nil, fmt.Errorf("read trusted proxies: %w", err)
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}

func (c *core) isProxy(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, prefix := range c.proxies {
		if prefix.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}

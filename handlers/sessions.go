package handlers

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/sessions"

	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/views"
)

// The names carry no product: portals of tenants use them too. __Host- makes
// browsers refuse the cookie without https, for other paths and for
// subdomains.
const (
	sessionCookie       = "session"
	sessionCookieSecure = "__Host-session"
	flashCookie         = "flash"
	identityValue       = "identity"
)

// sessionStore keeps sessions in PostgreSQL, behind gorilla's interface. A
// session's ID is the token: the cookie holds it and nothing else, the database
// its hash and nothing more.
type sessionStore struct{ auth *auth.Service }

var _ sessions.Store = (*sessionStore)(nil)

// Get answers the session of the request, asking the database once.
func (s *sessionStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New reads the session of the cookie. Without a live one it answers a new
// session, and an error only where the database did not answer.
func (s *sessionStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.Options = cookieOptions(scopeOf(r).secure)
	session.IsNew = true
	cookie, err := r.Cookie(name)
	if err != nil {
		return session, nil
	}
	// Only whole pages show the switcher.
	ctx := r.Context()
	if unattended(r) {
		ctx = auth.Unattended(ctx)
	}
	identity, err := s.auth.Identify(ctx, cookie.Value, !isPartial(r))
	if errors.Is(err, auth.ErrNoSession) {
		return session, nil
	}
	if err != nil {
		return session, err
	}
	session.ID, session.IsNew = cookie.Value, false
	session.Values[identityValue] = &identity
	return session, nil
}

// unattended tells whether an open page asked this by itself, so that it does not
// keep a session alive that nobody uses.
func unattended(r *http.Request) bool {
	return r.Header.Get("Df-Unattended") != "" || r.URL.Path == views.PathNoticesUnread || strings.HasSuffix(r.URL.Path, "/comments/marks")
}

// Save sends the cookie, or takes it away when MaxAge is negative. The session
// itself was written by the service that opened or ended it.
func (s *sessionStore) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	http.SetCookie(w, sessions.NewCookie(session.Name(), session.ID, session.Options))
	return nil
}

func cookieOptions(secure bool) *sessions.Options {
	return &sessions.Options{Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode}
}

func cookieName(r *http.Request) string {
	if scopeOf(r).secure {
		return sessionCookieSecure
	}
	return sessionCookie
}

// setSession sends the cookie of a session that was just opened or given
// another token.
func (c *core) setSession(w http.ResponseWriter, r *http.Request, opened auth.Opened) error {
	session := sessions.NewSession(c.sessions, cookieName(r))
	session.ID, session.Options = opened.Token, cookieOptions(scopeOf(r).secure)
	session.Options.MaxAge = int(opened.KeepFor.Seconds())
	return session.Save(r, w)
}

// clearSession takes the cookie away.
func (c *core) clearSession(w http.ResponseWriter, r *http.Request) error {
	session := sessions.NewSession(c.sessions, cookieName(r))
	session.Options = cookieOptions(scopeOf(r).secure)
	session.Options.MaxAge = -1
	return session.Save(r, w)
}

// loadIdentity finds out who is signed in, if anybody.
func (c *core) loadIdentity(next http.Handler) http.Handler {
	return handle(func(w http.ResponseWriter, r *http.Request) error {
		session, err := c.sessions.Get(r, cookieName(r))
		if err != nil {
			return err
		}
		if i, ok := session.Values[identityValue].(*auth.Identity); ok {
			scopeOf(r).identify(i)
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// requireSession lets only signed-in people through. Who has to set up a second
// factor does that before anything else.
func requireSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if scopeOf(r).identity == nil {
			askToSignIn(w, r)
			return
		}
		if scopeOf(r).identity.MustEnrol && !mayWithoutFactor(r.URL.Path) {
			if wantsJSON(r) || r.Method == http.MethodPost && isPartial(r) {
				fail(w, r, errEnrol)
				return
			}
			// A part of the page where it is set up has nothing to say: led there, it
			// would load that page again, which asks for the part again.
			if current, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil && isPartial(r) && mayWithoutFactor(current.Path) {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			_ = redirect(w, r, views.PathFactor)
			return
		}
		viewing(next).ServeHTTP(w, r)
	})
}

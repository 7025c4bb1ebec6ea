package handlers

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/telemetry"
	"github.com/dataflowhq/dataflow/static"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

// maxForm bounds the body of a request that is not an upload.
const maxForm = 1 << 20

type scopeKey struct{}

// scope is what middleware has found out about a request. There is one a
// request, made first and read by everything after it.
type scope struct {
	core      *core
	requestID string
	nonce     string
	secure    bool                  // the browser reached us by https
	identity  *auth.Identity        // nil while nobody is signed in
	board     *dashboards.ReadState // where it was read with the identity
	portal    *visitedPortal        // nil on the site itself
	origin    *audit.Origin         // for the audit log
	status    int                   // overrides the status in the access log
	// again finds out anew who a visitor is, for a stream that goes on; until is
	// when their token ends. Both are unset for members.
	again func(context.Context) (access.Actor, error)
	until time.Time
}

func scopeOf(r *http.Request) *scope {
	s, ok := r.Context().Value(scopeKey{}).(*scope)
	if !ok {
		panic("handlers: request outside of the router")
	}
	return s
}

// identify notes who is signed in.
func (s *scope) identify(i *auth.Identity) {
	s.identity = i
	s.origin.Session = i.SessionID.String()
}

// actor is the signed-in person as services know them. It panics where nobody
// is signed in: such a route is missing in requireSession.
func actor(r *http.Request) access.Actor { return identity(r).Actor }

// identity is the signed-in person with their session.
func identity(r *http.Request) auth.Identity {
	i := scopeOf(r).identity
	if i == nil {
		panic("handlers: nobody is signed in on " + r.URL.Path)
	}
	return *i
}

// clientAddress is the address of the browser, as far as trusted proxies say.
func clientAddress(r *http.Request) string { return middleware.GetClientIP(r.Context()) }

// begin makes the scope and writes the access log. Queries are never logged:
// links carry tokens there.
func (c *core) begin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		var random [24]byte
		_, _ = rand.Read(random[:]) // never fails: it ends the process instead
		s := &scope{
			core:      c,
			requestID: base64.RawURLEncoding.EncodeToString(random[:9]),
			nonce:     base64.RawStdEncoding.EncodeToString(random[8:]),
			secure:    c.reachedSecurely(r),
		}
		s.origin = &audit.Origin{RequestID: s.requestID, Address: clientAddress(r), Agent: r.UserAgent()}
		ctx := context.WithValue(telemetry.WithRequestID(r.Context(), s.requestID), scopeKey{}, s)
		ctx = audit.WithOrigin(ctx, s.origin)
		ctx = messages.WithLanguage(ctx, r.Header.Get("Accept-Language"))
		r = r.WithContext(ctx)
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		ww.Header().Set("X-Request-Id", s.requestID)
		defer func() {
			if cause := recover(); cause != nil {
				if cause == http.ErrAbortHandler {
					panic(cause)
				}
				c.recovered(ww, r, cause)
			}
			c.log(ww, r, s, time.Since(started))
		}()
		next.ServeHTTP(ww, r)
	})
}

// recovered answers after a panic, where nothing was answered yet.
func (c *core) recovered(w middleware.WrapResponseWriter, r *http.Request, cause any) {
	slog.ErrorContext(r.Context(), "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
	if w.Status() != 0 {
		// Half a page is out: let the browser see that it broke off.
		panic(http.ErrAbortHandler)
	}
	fail(w, r, errPanic)
}

func (c *core) log(w middleware.WrapResponseWriter, r *http.Request, s *scope, took time.Duration) {
	status := w.Status()
	if status == 0 {
		status = http.StatusOK
	}
	if s.status != 0 {
		status = s.status
	}
	route := chi.RouteContext(r.Context()).RoutePattern()
	requestSeconds.WithLabelValues(r.Method, route, statusClass(status)).Observe(took.Seconds())
	level := slog.LevelInfo
	if strings.HasPrefix(r.URL.Path, "/static/") || route == "/healthz" || route == "/readyz" || route == "/metrics" {
		level = slog.LevelDebug
	}
	if !slog.Default().Enabled(r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs, slog.String("method", r.Method), slog.String("path", loggedPath(r)), slog.Int("status", status),
		slog.Int("bytes", w.BytesWritten()), slog.Duration("took", took), slog.String("address", clientAddress(r)))
	if s.identity != nil {
		attrs = append(attrs, slog.String("tenant", s.identity.Actor.TenantID.String()), slog.String("user", s.identity.Actor.UserID.String()))
		if key := s.identity.Actor.KeyID; !key.IsZero() {
			attrs = append(attrs, slog.String("key", key.String()))
		}
	}
	slog.LogAttrs(r.Context(), level, "request", attrs...)
}

// secretInPath is a key or a token that stands in a path by mistake.
var secretInPath = regexp.MustCompile(`\b(api_key_|embed_key_|embed_token_)[^/]*`)

// loggedPath is the path of a request as it may be kept: that of a public link is
// what opens it.
func loggedPath(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, views.PathPublic+"/") {
		return views.PathPublic + "/…"
	}
	return secretInPath.ReplaceAllString(r.URL.Path, "${1}…")
}

// reachedSecurely tells whether the browser used https: by itself, by what the
// configuration says, or by a header that begin's caller has already dropped
// from whoever is no trusted proxy.
func (c *core) reachedSecurely(r *http.Request) bool {
	return c.https || r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// trustProxies keeps only what trusted proxies say about the client. It stands
// before everything that reads it.
func (c *core) trustProxies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.isProxy(r) {
			r.Header.Del("X-Forwarded-Proto")
			r.Header.Del("X-Forwarded-For")
			r.Header.Del("X-Forwarded-Host")
		}
		next.ServeHTTP(w, r)
	})
}

// followsPage tells of files that are under the policy of the page that has them:
// a worker has its own, and a picture can be opened by itself.
func followsPage(name string) bool {
	switch path.Ext(name) {
	case ".css", ".woff2":
		return true
	case ".js":
		return !strings.Contains(path.Base(name), "worker")
	}
	return false
}

// secureHeaders go onto every answer. A page loads twenty files, so those carry
// only what means something for a file; a worker takes its policy from its own.
// Scripts run only with the nonce of their
// page or from our own files; nothing is loaded from elsewhere. Attributes may
// carry styles, since grid positions need them; style sheets are files.
func secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := scopeOf(r)
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		if strings.HasPrefix(r.URL.Path, static.Prefix) {
			if !followsPage(r.URL.Path) {
				header.Set("Content-Security-Policy", "default-src 'self'")
			}
			header.Set("Cross-Origin-Resource-Policy", "same-origin")
			next.ServeHTTP(w, r)
			return
		}
		header.Set("Content-Security-Policy", pagePolicy{nonce: s.nonce}.String())
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		header.Set("Cache-Control", "private, no-cache")
		if s.secure {
			header.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// pagePolicy is the Content-Security-Policy of a page: only scripts, styles and
// connections of our own.
type pagePolicy struct {
	nonce     string
	forms     string   // the one origin that forms go to; this site when empty
	ancestors []string // that may have the page in a frame; nobody when empty, "*" for anybody
}

func (p pagePolicy) String() string {
	forms, ancestors := cmp.Or(p.forms, "'self'"), "; frame-ancestors "+cmp.Or(strings.Join(p.ancestors, " "), "'none'")
	if len(p.ancestors) == 1 && p.ancestors[0] == "*" {
		ancestors = ""
	}
	return "default-src 'none'; script-src 'self' 'nonce-" + p.nonce + "'; style-src 'self'; style-src-attr 'unsafe-inline'; " +
		"img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; " +
		"form-action " + forms + "; base-uri 'none'; object-src 'none'" + ancestors
}

// boundBody bounds what a request may send.
func boundBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// limitBody bounds what a request may send, and reads it where it is a form.
func limitBody(next http.Handler) http.Handler {
	return handle(func(w http.ResponseWriter, r *http.Request) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := parseForm(r); err != nil {
			return err
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// parseForm reads the fields of a form of either kind; whatever else was sent
// stays unread.
//
// Errors: http.form, http.too_large.
func parseForm(r *http.Request) error {
	var err error
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "application/x-www-form-urlencoded":
		err = r.ParseForm()
	case "multipart/form-data":
		err = r.ParseMultipartForm(maxLook)
	default:
		return nil
	}
	if err != nil {
		return errForm.Wrap(err)
	}
	if !areTexts(r.PostForm) {
		return wayOn{errForm.With("A field holds a character that no text has. What you typed is still there when you go back in your browser: type that field again instead of pasting it."),
			"error.form_again", localPath(refererPath(r), views.PathHome)}
	}
	return nil
}

// refererPath is the address of the page that a request comes from.
func refererPath(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host != r.Host {
		return ""
	}
	return from.RequestURI()
}

// readable refuses addresses with what is no text: no page has such links, and
// PostgreSQL knows no such values. With identify the refusal knows who asks.
func readable(identify func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	refuse := identify(handle(func(http.ResponseWriter, *http.Request) error { return errForm }))
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query := r.URL.RawQuery
			// What can't be unescaped is left out here, as it is by whoever reads it.
			if !isText(r.URL.Path) || !isText(query) || strings.Contains(query, "%") && !areTexts(r.URL.Query()) {
				refuse.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func areTexts(fields url.Values) bool {
	for name, values := range fields {
		if !isText(name) || slices.ContainsFunc(values, func(v string) bool { return !isText(v) }) {
			return false
		}
	}
	return true
}

// isText tells whether a text is UTF-8 without the zero character.
func isText(text string) bool {
	return utf8.ValidString(text) && !strings.Contains(text, "\x00")
}

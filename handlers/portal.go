package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/static"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

// portal is what visitors of a tenant's portal see. It is a site of its own:
// another host, other people, other sessions. Of the pages of members it has
// the view of a dashboard and nothing else.
type portal struct {
	*core
	boards boards
}

// byHost leads requests to a portal's host to that portal, all others to the site.
func (c *core) byHost(site, portal http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostName(r.Host)
		if c.Portals == nil || c.isOwnHost(host) {
			site.ServeHTTP(w, r)
			return
		}
		p, err := c.Portals.ByHost(r.Context(), host)
		switch {
		case errors.Is(err, portals.ErrNotFound) && (c.BaseURL == "" || isProbe(r.URL.Path)):
			site.ServeHTTP(w, r)
		case errors.Is(err, portals.ErrNotFound):
			// A host that was a portal's, or was never anybody's: it must not show
			// whose product this is. A proxy that hands on another name than
			// people use is found by this line.
			slog.InfoContext(r.Context(), "a host that is none of ours", "host", host, "base_url", c.BaseURL)
			http.Error(w, "Nothing is here.", http.StatusMisdirectedRequest)
		case err != nil:
			slog.ErrorContext(r.Context(), "find portal", "host", host, "error", err)
			http.Error(w, "This page can't be shown at the moment. Try again in a minute.", http.StatusServiceUnavailable)
		default:
			portal.ServeHTTP(w, r.WithContext(withPortal(r.Context(), &p)))
		}
	})
}

// isProbe tells what machines ask, by whatever name they know this server.
func isProbe(path string) bool { return path == "/healthz" || path == "/readyz" || path == "/metrics" }

// isOwnHost tells whether a host is the site's own, whatever a portal claims.
func (c *core) isOwnHost(host string) bool {
	if host == "localhost" || host == "" {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	base, err := url.Parse(c.BaseURL)
	return err == nil && base.Hostname() != "" && strings.EqualFold(base.Hostname(), host)
}

// hostName is a host without its port, in lower case.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// portalRouter is the site of every portal.
func (c *core) portalRouter() (chi.Router, error) {
	h := portal{core: c, boards: boards{c}}
	origin, err := c.sameOrigin("", h.loadVisit, views.PathPortalSAML+pathACS, views.PathPortalSAML+pathSLO)
	if err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	r.Use(noticeThisMachine, traced, c.trustProxies, c.clientAddress, c.begin, enterPortal, secureHeaders, readable(h.loadVisit), origin, middleware.GetHead)
	r.NotFound(h.loadVisit(handle(func(http.ResponseWriter, *http.Request) error { return errNoPage })).ServeHTTP)
	r.MethodNotAllowed(h.loadVisit(handle(func(http.ResponseWriter, *http.Request) error { return errMethod })).ServeHTTP)
	r.Mount(static.Prefix, static.Handler())
	health{c}.routes(r)
	r.Group(func(r chi.Router) {
		r.Use(h.loadVisit)
		r.Group(func(r chi.Router) {
			r.Use(limitBody, middleware.Compress(5, compressible...))
			r.Get(views.PathPortalStyle, handle(h.style))
			r.Get(views.PathPortalLogo+"/{kind}/{sum}", handle(h.logo))
			signIn{c, visitorDoor{c}}.shared(r)
			sso{c, visitorDoor{c}}.shared(r, views.PathPortalSAML, views.PathPortalOIDC)
			sentReports{c}.unsubscribing(r)
			r.Group(func(r chi.Router) {
				r.Use(requireSession)
				r.Get(views.PathHome, handle(h.home))
				r.Post(views.PathTheme, handle(h.theme))
				h.boards.visitorRoutes(r)
				ownSchedules{c}.routes(r)
				openedReports{c}.routes(r)
				files := r.With(requireDownloads)
				files.Post("/dashboards/{id}/reports", handle(reportPages{c}.request))
				files.Get("/reports/{report}", handle(reportPages{c}.show))
			})
		})
		r.Group(func(r chi.Router) {
			r.Use(requireSession)
			h.boards.visitorStreams(r)
			sentReports{c}.files(r) // of visitors: links for others lead elsewhere
			reportPages{c}.streams(r.With(requireDownloads))
		})
	})
	return r, nil
}

// visitorRoutes are what somebody needs who looks at dashboards only.
func (h boards) visitorRoutes(r chi.Router) {
	r.Get("/dashboards/{id}/filters/{filter}", handle(h.addFilter))
	r.Get("/dashboards/{id}/filters/{filter}/values", handle(h.values))
	r.Get("/dashboards/{id}/widgets/{widget}/table", handle(h.table))
}

func (h boards) visitorStreams(r chi.Router) {
	r.Get("/dashboards/{id}", handle(h.show))
	r.Get("/dashboards/{id}/widgets/{widget}", handle(h.tile))
	r.With(requireDownloads).Get("/dashboards/{id}/widgets/{widget}/data.csv", handle(h.noted("dashboard.downloaded", "dashboard", "id", h.csv)))
	r.Get("/dashboards/{id}/events", handle(h.events))
}

// visitedPortal is the portal of a request, and who visits it.
type visitedPortal struct {
	portals.Portal
	visit    *portals.Visit // nil while nobody is signed in
	embedded *embedded      // in place of a portal: a dashboard in another site's page
}

// nameOf is how the portal calls a dashboard for its visitor; empty elsewhere.
func (p *visitedPortal) nameOf(board ids.Dashboard) string {
	if p == nil || p.visit == nil {
		return ""
	}
	return p.visit.NameOf(board)
}

// enterPortal puts the portal of the host into the scope.
func enterPortal(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scopeOf(r).portal = &visitedPortal{Portal: *portalFrom(r.Context())}
		next.ServeHTTP(w, r)
	})
}

func requireDownloads(next http.Handler) http.Handler {
	return handle(func(w http.ResponseWriter, r *http.Request) error {
		if !scopeOf(r).portal.Downloads {
			return errNoPage
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// loadVisit finds out who is signed in to the portal, if anybody.
func (h portal) loadVisit(next http.Handler) http.Handler {
	return handle(func(w http.ResponseWriter, r *http.Request) error {
		s := scopeOf(r)
		cookie, err := r.Cookie(cookieName(r))
		if err != nil {
			next.ServeHTTP(w, r)
			return nil
		}
		visit, err := h.Portals.Identify(r.Context(), s.portal.Portal, cookie.Value)
		switch {
		case errors.Is(err, auth.ErrNoSession):
		case err != nil:
			return err
		default:
			s.portal.visit = &visit
			s.again = func(ctx context.Context) (access.Actor, error) {
				now, err := h.Portals.Identify(ctx, s.portal.Portal, cookie.Value)
				return now.Actor, err
			}
			s.identity = &auth.Identity{Actor: visit.Actor, Name: visit.Title(), Email: visit.Email, Theme: visit.Theme,
				Zone: visit.Actor.Location().String(), Locale: visit.Actor.Locale, Version: "visitor " + visit.Version}
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// fill puts a portal's name, look and navigation into a page's frame.
func (p *visitedPortal) fill(s *views.Shell, r *http.Request) {
	if p.embedded != nil {
		p.embedded.fill(s)
		return
	}
	if p.Brand.Locale != "" {
		s.Locale = locale.For(p.Brand.Locale)
	}
	b := p.Brand
	version := p.UpdatedAt.UTC().Format("20060102150405.000000")
	logo := func(sum string) views.PortalLogo {
		one := views.PortalLogo{Name: p.Title()}
		switch sum {
		case "":
		case b.LogoDark:
			one.URL = views.PathPortalLogo + "/logo_dark/" + sum
		default:
			one.URL = views.PathPortalLogo + "/logo/" + sum
		}
		return one
	}
	shell := &views.PortalShell{
		Frame: views.PortalFrame{Name: p.Title(), Stylesheet: views.PathPortalStyle + "?v=" + version, Fonts: b.Fonts(),
			IconURL: views.PathPortalLogo + "/mark/" + version, IconType: "image/svg+xml"},
		Header:    views.PortalHeaderProps{Logo: logo(b.HeaderLogo()), Home: views.PathHome},
		Panel:     views.PortalPanel{Logo: logo(b.HeaderLogo()), Tagline: b.Tagline, Subline: b.Subline, Footer: views.PortalFooterProps{Text: b.Footer}},
		Downloads: p.Downloads,
	}
	for _, l := range b.Links {
		shell.Panel.Footer.Links = append(shell.Panel.Footer.Links, views.PortalLink{Label: l.Label, Href: l.URL})
	}
	if v := p.visit; v != nil {
		shell.Header.Visitor = views.PortalMenu{Name: v.Title(), Email: v.Email, SignOut: views.PathSignOut, Theme: views.PortalTheme{Action: views.PathTheme, Next: r.URL.RequestURI(), Chosen: views.Theme(v.Theme)}}
		if p.Mails() {
			shell.Header.Visitor.Schedules = views.PathSchedules
		}
		for _, e := range v.Entries {
			href := views.PathDashboard(e.ID.String())
			shell.Header.Nav = append(shell.Header.Nav, views.PortalLink{Label: e.Name, Href: href, Current: strings.HasPrefix(r.URL.Path, href)})
		}
	}
	s.Portal = shell
}

func (h portal) style(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(scopeOf(r).portal.Brand.CSS(static.URL)) // somebody who went away gets nothing
	return nil
}

func (h portal) logo(w http.ResponseWriter, r *http.Request) error {
	p := scopeOf(r).portal
	kind, sum := chi.URLParam(r, "kind"), chi.URLParam(r, "sum")
	asset := portals.Asset{ContentType: "image/svg+xml", Data: p.Mark()}
	if kind != "mark" {
		var err error
		if asset, err = h.Portals.Asset(r.Context(), p.Portal, kind, sum); err != nil {
			return err
		}
	}
	sendLogo(w, asset)
	return nil
}

// sendLogo answers a picture and nothing else, also when it is opened alone.
func sendLogo(w http.ResponseWriter, asset portals.Asset) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	w.Header().Set("Content-Type", asset.ContentType)
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	_, _ = w.Write(asset.Data) // somebody who went away gets nothing
}

func (h portal) home(w http.ResponseWriter, r *http.Request) error {
	p := scopeOf(r).portal
	if len(p.visit.Entries) > 0 {
		return redirect(w, r, views.PathDashboard(p.visit.Entries[0].ID.String()))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.ErrorPage(s, views.ErrorProps{Status: http.StatusNotFound, SignedIn: true,
		Title: messages.T(r.Context(), "portal.nothing"), Text: messages.T(r.Context(), "portal.nothing_text")}))
}

func (h portal) theme(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	chosen := r.PostForm.Get("theme")
	if err := h.Portals.SetTheme(r.Context(), *scopeOf(r).portal.visit, chosen); err != nil {
		return err
	}
	setTheme(w, r, views.Theme(chosen))
	return redirect(w, r, localPath(r.PostForm.Get("next"), views.PathHome))
}

package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/embed"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/static"
	"github.com/dataflowhq/dataflow/views"
)

// embedPages are dashboards in pages of other sites, and public links. Nobody is
// signed in there: cookies of members are not looked at. A page comes with the
// token that opens it, and its script sends the token with all that it asks
// (byToken); who looks is a visitor, as in a portal, and sees the same pages.
type embedPages struct {
	*core
	boards boards
}

// embedded is what a token lets somebody see.
type embedded struct {
	embed.Visit
	token     string
	refresh   string // path that answers the next token; "" where the site around it does
	theme     views.Theme
	hideTitle bool
}

// scriptKept is how long browsers keep the script of the component: its address
// stays the same from release to release.
const scriptKept = time.Hour

// passLasts is how long a browser is not asked for the password of a link again.
const passLasts = 12 * time.Hour

func (h embedPages) routes(r chi.Router) {
	r.Get(views.PathEmbedScript, h.script)
	r.Group(func(r chi.Router) {
		// Programs often say that JSON is a form: it is not read as one.
		r.Use(boundBody, fromOutside)
		r.Post(views.PathEmbedToken, handle(h.mint))
		r.Post(views.PathEmbedRevoke, handle(h.revoke))
	})
	r.Group(func(r chi.Router) {
		r.Use(limitBody, fromOutside)
		r.Get(views.PathEmbed, handle(h.again))
		r.Post(views.PathEmbed, handle(h.open))
		r.Get(views.PathPublic+"/{link}", handle(h.follow))
		r.Post(views.PathPublic+"/{link}", handle(h.givePassword))
		r.Post(views.PathPublic+"/{link}/token", handle(h.refresh))
	})
}

// fromOutside marks requests that no page of the site answers: what goes wrong is
// said without a word about what runs here, and leads to no sign-in.
func fromOutside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scopeOf(r).portal = &visitedPortal{embedded: &embedded{}}
		next.ServeHTTP(w, r)
	})
}

// visitorRouter answers what the script of an embedded page asks for.
func (h embedPages) visitorRouter() chi.Router {
	r := chi.NewRouter()
	r.NotFound(handle(func(http.ResponseWriter, *http.Request) error { return errNoPage }))
	r.MethodNotAllowed(handle(func(http.ResponseWriter, *http.Request) error { return errMethod }))
	r.Group(func(r chi.Router) {
		r.Use(middleware.Compress(5, compressible...))
		h.boards.visitorRoutes(r)
	})
	h.boards.visitorStreams(r)
	return r
}

// byToken leads requests with the token of an embedded page to what visitors may
// ask, and nowhere else: such a request has no other identity.
func (h embedPages) byToken(next http.Handler) http.Handler {
	visitors := h.visitorRouter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := bearer(r)
		if !ok || !strings.HasPrefix(token, embed.TokenPrefix) {
			next.ServeHTTP(w, r)
			return
		}
		fromOutside(handle(func(w http.ResponseWriter, r *http.Request) error {
			visit, err := h.enter(r, embedded{token: token})
			if err != nil {
				return err
			}
			scopeOf(r).again = func(ctx context.Context) (access.Actor, error) {
				now, err := h.Embed.Enter(ctx, token)
				return now.Actor, err
			}
			scopeOf(r).until = visit.Until
			visitors.ServeHTTP(w, r)
			return nil
		})).ServeHTTP(w, r)
	})
}

func bearer(r *http.Request) (string, bool) {
	scheme, text, found := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(text), found && strings.EqualFold(scheme, "Bearer")
}

// enter finds out who looks with a token, and has the request be theirs. A
// refusal is on record where the workspace is known.
func (h embedPages) enter(r *http.Request, e embedded) (embed.Visit, error) {
	visit, err := h.Embed.Enter(r.Context(), e.token)
	s := scopeOf(r)
	if err != nil {
		if h.Audit != nil && !visit.Actor.TenantID.IsZero() && !errors.Is(err, embed.ErrTokenExpired) {
			h.Audit.Note(r.Context(), visit.Actor, audit.Entry{Action: "embed.refused", Target: "embed_token", ID: idText(visit.Token), Denied: true,
				Detail: map[string]any{"subject": visit.Subject, "code": apperr.Describe(err).Code}})
		}
		return visit, err
	}
	e.Visit = visit
	s.portal = &visitedPortal{Portal: portals.Portal{TenantID: visit.Actor.TenantID, Downloads: visit.Downloads}, embedded: &e}
	s.identity = &auth.Identity{Actor: visit.Actor, Zone: visit.Actor.Location().String(), Locale: visit.Actor.Locale, Version: "embedded " + visit.Version}
	return visit, nil
}

// idText is the id of a token; nothing of one that can't be read.
func idText(id ids.Embed) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

// script is the component that other sites load.
func (h embedPages) script(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Content-Security-Policy", "default-src 'none'")
	static.Serve(w, r, "component.js", scriptKept)
}

// frameable lets the origins of a visit have the page in a frame.
func frameable(w http.ResponseWriter, r *http.Request, origins []string) {
	if len(origins) == 0 {
		return // nobody may, as on every page
	}
	header := w.Header()
	header.Del("X-Frame-Options")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set("Content-Security-Policy", pagePolicy{nonce: scopeOf(r).nonce, ancestors: origins}.String())
}

// open answers the page of a dashboard to a form of another site: token,
// dashboard, filters (JSON: values by name), state (the query of a page), theme.
func (h embedPages) open(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	if err := parseForm(r); err != nil {
		return err
	}
	form := r.PostForm
	e := embedded{token: form.Get("token"), theme: views.Theme(form.Get("theme")), hideTitle: form.Get("title") == "hidden"}
	visit, err := h.enter(r, e)
	if visit.Public {
		return embed.ErrOrigin
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "null" && !slices.Contains(visit.Origins, origin) && err == nil {
		return embed.ErrOrigin
	}
	frameable(w, r, visit.Origins)
	if err != nil {
		return err
	}
	board := visit.Dashboards[0].ID
	if text := form.Get("dashboard"); text != "" {
		at := slices.IndexFunc(visit.Dashboards, func(b embed.Board) bool { return b.ID.String() == text })
		if at < 0 {
			return embed.ErrDashboard
		}
		board = visit.Dashboards[at].ID
	}
	query, err := openingQuery(form)
	if err != nil {
		return err
	}
	return h.page(w, r, board, query)
}

// openingQuery is the query of the page that a form asks for.
func openingQuery(form url.Values) (string, error) {
	query, err := url.ParseQuery(form.Get("state"))
	if err != nil {
		return "", dashboards.ErrFilters.Wrap(err)
	}
	state, err := dashboards.ParseState(query)
	if err != nil {
		return "", err
	}
	if text := form.Get("filters"); text != "" {
		var filters map[string]values
		if err := json.Unmarshal([]byte(text), &filters); err != nil {
			return "", dashboards.ErrFilters.With("The filters of the embedded view can't be read.").Wrap(err)
		}
		for name, list := range filters {
			state = state.WithPick(name, list)
		}
	}
	return state.Encode(), nil
}

// values are one text or several.
type values []string

// UnmarshalJSON reads "x" or ["x", "y"].
func (v *values) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*v = values{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(v))
}

// page answers the whole page of a dashboard, and puts on record that it was seen.
func (h embedPages) page(w http.ResponseWriter, r *http.Request, board ids.Dashboard, query string) error {
	at := *r.URL
	at.RawQuery = query
	asked := *r
	asked.URL = &at
	chi.RouteContext(r.Context()).URLParams.Add("id", board.String())
	v, err := h.boards.open(&asked)
	if err != nil {
		return err
	}
	if h.Audit != nil {
		e := scopeOf(r).portal.embedded
		h.Audit.Note(r.Context(), actor(r), audit.Entry{Action: "embed.opened", Target: "dashboard", ID: board.String(),
			Detail: map[string]any{"subject": e.Subject, "token": e.Token.String(), "site": r.Header.Get("Origin"), "public": e.Public}})
	}
	h.boards.Dashboards.PrepareFilters(r.Context(), v)
	return h.boards.page(w, &asked, v)
}

// again answers a frame that was loaded anew by itself: it has no token any more
// and asks the site around it for another page.
func (h embedPages) again(w http.ResponseWriter, r *http.Request) error {
	w.Header().Del("X-Frame-Options")
	w.Header().Set("Content-Security-Policy", pagePolicy{nonce: scopeOf(r).nonce, ancestors: []string{"*"}}.String())
	return render(w, r, http.StatusOK, views.EmbedAgain(bareShell(w, r)))
}

// mintRequest is the body of a request for a token.
type mintRequest struct {
	Dashboards []string          `json:"dashboards"`
	Filters    map[string]values `json:"filters"`
	Attributes map[string]values `json:"attributes"`
	Seconds    int               `json:"seconds"`
	Downloads  bool              `json:"downloads"`
	Subject    string            `json:"subject"`
	Locale     string            `json:"locale"`
	Zone       string            `json:"zone"`
}

// mint answers a token to a program with a key.
func (h embedPages) mint(w http.ResponseWriter, r *http.Request) error {
	key, _ := bearer(r)
	var body mintRequest
	if err := readObject(r, &body); err != nil {
		return err
	}
	request := embed.Request{Filters: plain(body.Filters), Attributes: plain(body.Attributes), Lasts: time.Duration(body.Seconds) * time.Second,
		Downloads: body.Downloads, Subject: body.Subject, Locale: body.Locale, Zone: body.Zone}
	for _, text := range body.Dashboards {
		id, err := ids.Parse[ids.Dashboard](text)
		if err != nil {
			return embed.ErrRequest.With("“%.80s” is no id of a dashboard.", text).Wrap(err)
		}
		request.Dashboards = append(request.Dashboards, id)
	}
	minted, err := h.Embed.Mint(r.Context(), key, request)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return renderJSON(w, http.StatusCreated, map[string]any{"token": minted.Token, "token_id": minted.ID, "expires_at": minted.Until.UTC().Format(time.RFC3339)})
}

func plain(list map[string]values) map[string][]string {
	all := make(map[string][]string, len(list))
	for name, each := range list {
		all[name] = each
	}
	return all
}

// readObject is readJSON for programs, which are told where the fields are listed.
//
// Errors: embed.request.
func readObject(r *http.Request, into any) error {
	if err := readJSON(r, into); err != nil {
		return embed.ErrRequest.With("The body is no single JSON object of the fields that docs/embedding.md lists.").Wrap(err)
	}
	return nil
}

func (h embedPages) revoke(w http.ResponseWriter, r *http.Request) error {
	key, _ := bearer(r)
	var body struct {
		TokenID string `json:"token_id"`
	}
	if err := readObject(r, &body); err != nil {
		return err
	}
	if err := h.Embed.RevokeMinted(r.Context(), key, body.TokenID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// passCookie keeps that the password of a link was given, for the paths of that
// link alone.
const passCookie = "pass"

func pass(r *http.Request) string {
	if cookie, err := r.Cookie(passCookie); err == nil {
		return cookie.Value
	}
	return ""
}

func publicPath(r *http.Request) string { return views.PathPublic + "/" + chi.URLParam(r, "link") }

// follow answers what a public link leads to, or asks for its password.
func (h embedPages) follow(w http.ResponseWriter, r *http.Request) error {
	secretLink(w)
	token, needed, err := h.Embed.Follow(r.Context(), chi.URLParam(r, "link"), pass(r))
	if err != nil {
		return err
	}
	if needed {
		return render(w, r, http.StatusOK, views.PublicPassword(bareShell(w, r), views.PublicPasswordProps{Action: publicPath(r)}))
	}
	visit, err := h.enter(r, embedded{token: token, refresh: publicPath(r) + "/token"})
	if err != nil {
		return err
	}
	state, err := dashboards.ParseState(r.URL.Query())
	if err != nil {
		return err
	}
	return h.page(w, r, visit.Dashboards[0].ID, state.Encode())
}

func (h embedPages) givePassword(w http.ResponseWriter, r *http.Request) error {
	secretLink(w)
	if err := parseForm(r); err != nil {
		return err
	}
	given, err := h.Embed.GivePassword(r.Context(), chi.URLParam(r, "link"), r.PostForm.Get("password"), client(r))
	if errors.Is(err, embed.ErrPassword) || errors.Is(err, auth.ErrThrottled) {
		public := apperr.Describe(err)
		setRetryAfter(w, err)
		return render(w, r, public.Class.Status(), views.PublicPassword(bareShell(w, r), views.PublicPasswordProps{Action: publicPath(r), Error: public.Sentence, Code: public.Code}))
	}
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: passCookie, Value: given, Path: publicPath(r), MaxAge: int(passLasts.Seconds()), HttpOnly: true,
		Secure: scopeOf(r).secure, SameSite: http.SameSiteLaxMode})
	return redirect(w, r, publicPath(r))
}

// refresh answers the next token of a page that is open by a link.
func (h embedPages) refresh(w http.ResponseWriter, r *http.Request) error {
	secretLink(w)
	token, needed, err := h.Embed.Follow(r.Context(), chi.URLParam(r, "link"), pass(r))
	if err != nil {
		return err
	}
	if needed {
		return embed.ErrToken
	}
	return renderJSON(w, http.StatusOK, map[string]any{"token": token, "seconds": int(embed.TokenLasts.Seconds())})
}

// fill is the frame of an embedded page: it has no name, no navigation and no
// look but that of the site around it.
func (e *embedded) fill(s *views.Shell) {
	if s.Theme = e.theme; s.Theme != views.ThemeLight && s.Theme != views.ThemeDark {
		s.Theme = views.ThemeAuto
	}
	shell := &views.EmbedShell{HideTitle: e.hideTitle, Public: e.Public}
	if e.token != "" {
		boards := make([]map[string]string, len(e.Dashboards))
		for i, b := range e.Dashboards {
			boards[i] = map[string]string{"id": b.ID.String(), "name": b.Name}
		}
		text, _ := json.Marshal(map[string]any{"token": e.token, "seconds": int(time.Until(e.Until).Seconds()), "origins": e.Origins,
			"refresh": e.refresh, "downloads": e.Downloads, "dashboards": boards}) // texts and numbers always encode
		shell.Data = string(text)
	} else {
		text, _ := json.Marshal(map[string]any{"origins": e.Origins, "failed": true}) // as above
		shell.Data = string(text)
	}
	s.Portal = &views.PortalShell{Embed: shell, Downloads: e.Downloads, Frame: views.PortalFrame{Embed: shell}}
}

// replaced is the address of an embedded page under other choices: what it shows
// is in the query, and leaves no step behind in the history of the site around it.
func (e *embedded) replaced(r *http.Request, link string) string {
	path := views.PathEmbed
	if e.Public {
		current, err := url.Parse(r.Header.Get("HX-Current-URL"))
		if err != nil || !strings.HasPrefix(current.Path, views.PathPublic+"/") {
			return "false"
		}
		path = current.Path
	}
	if link != "" {
		path += "?" + link
	}
	return path
}

package handlers

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
)

// viewAs lets an owner or an admin see the workspace as one of its people does:
// with their permissions and under their rules, and without changing anything.
type viewAs struct{ *core }

// viewAsCookie holds, signed, whose view it is and the session that asked for
// it: in another session it means nothing.
const (
	viewAsCookie  = "view"
	viewAsUser    = "user"
	viewAsSession = "session"
)

// errViewingOnly refuses changes while somebody else's view is shown.
var errViewingOnly = apperr.Define(apperr.Forbidden, "http.viewing_only",
	"You see the workspace as somebody else does, so nothing can be changed. Stop that first.")

func (h viewAs) routes(r chi.Router) {
	r.Post(views.PathViewAs, handle(h.begin))
	r.Post(views.PathViewAs+"/stop", handle(h.stop))
}

func (h viewAs) begin(w http.ResponseWriter, r *http.Request) error {
	user, err := memberID(r)
	if err != nil {
		return err
	}
	if _, err := h.Tenants.ViewAs(r.Context(), actor(r), user); err != nil {
		return err
	}
	// A cookie that can't be read is replaced.
	session, _ := h.flashes.New(r, viewAsCookie)
	session.Options = cookieOptions(scopeOf(r).secure)
	session.Values = map[any]any{viewAsUser: user.String(), viewAsSession: identity(r).SessionID.String()}
	if err := session.Save(r, w); err != nil {
		return err
	}
	return redirect(w, r, views.PathHome)
}

func (h viewAs) stop(w http.ResponseWriter, r *http.Request) error {
	h.endViewAs(w, r)
	if i := identity(r); !i.ViewedBy.IsZero() {
		own := i.Actor
		own.UserID = i.ViewedBy
		if err := h.Tenants.StopViewAs(r.Context(), own, i.Actor.UserID); err != nil {
			return err
		}
	}
	return redirect(w, r, views.PathMembers)
}

// endViewAs takes the cookie away.
func (c *core) endViewAs(w http.ResponseWriter, r *http.Request) {
	options := cookieOptions(scopeOf(r).secure)
	http.SetCookie(w, &http.Cookie{Name: viewAsCookie, Path: options.Path, HttpOnly: true, Secure: options.Secure, SameSite: options.SameSite, MaxAge: -1})
}

// asSeen is the identity that a request acts with: that of who is signed in or,
// while they look at the workspace as somebody else does, of that person. It is
// asked anew with each request, so what was taken away from either counts at once.
func (c *core) asSeen(r *http.Request, own auth.Identity) (auth.Identity, error) {
	if _, err := r.Cookie(viewAsCookie); err != nil {
		return own, nil
	}
	session, err := c.flashes.New(r, viewAsCookie)
	if err != nil {
		return own, nil // nothing that we signed
	}
	text, _ := session.Values[viewAsUser].(string)
	of, _ := session.Values[viewAsSession].(string)
	user, err := ids.Parse[ids.User](text)
	if err != nil || of != own.SessionID.String() || access.Can(own.Actor, access.ManageMembers) != nil {
		return own, nil
	}
	seen, err := c.Tenants.GetActor(r.Context(), own.Actor.TenantID, user)
	if errors.Is(err, tenants.ErrMemberNotFound) || err == nil && !own.Actor.Covers(seen.Role, seen.Custom) {
		return own, nil
	}
	if err != nil {
		return own, err // not as themselves: they would take it for what the other sees
	}
	name, err := c.Tenants.GetMemberName(r.Context(), own.Actor, user)
	if err != nil {
		return own, err
	}
	i := own
	i.ViewedBy, i.Actor, i.Name = own.Actor.UserID, seen, name
	i.Email, i.Locale, i.Zone = "", seen.Locale, seen.Location().String()
	i.Version += "/" + user.String() + seen.Mark()
	i.Workspaces = nil
	return i, nil
}

// viewing lets a request go on as who is looked at, and refuses changes.
func viewing(next http.Handler) http.Handler {
	return handle(func(w http.ResponseWriter, r *http.Request) error {
		s := scopeOf(r)
		i, err := s.core.asSeen(r, *s.identity)
		if err != nil {
			return err
		}
		if !i.ViewedBy.IsZero() && r.URL.Path != views.PathSignOut {
			if r.Method != http.MethodGet && r.Method != http.MethodHead && r.URL.Path != views.PathViewAs+"/stop" {
				slog.InfoContext(r.Context(), "change refused while viewing as somebody else", "path", r.URL.Path)
				return errViewingOnly
			}
			s.identity = &i
			s.origin.ViewedBy = i.ViewedBy
			s.board = nil // it was read for who is signed in
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

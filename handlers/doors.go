package handlers

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/views"
)

// door is who lets people in to a site: a workspace its members, a portal its
// visitors. The pages are the same, in two looks.
type door interface {
	// signIn opens a session by password.
	signIn(r *http.Request, email, password string, keep bool) (auth.Opened, error)
	// signOut ends the session of the request, and answers what is carried to the
	// provider that opened it, which ends its own.
	signOut(r *http.Request, browser string) (saml.Message, error)
	requestReset(r *http.Request, email string) error
	// checkReset says whose password a link sets, and whether it is their first.
	checkReset(r *http.Request, token string) (email string, first bool, err error)
	resetPassword(r *http.Request, token, password string) (auth.Opened, error)
	// form is the sign-in page.
	form(w http.ResponseWriter, r *http.Request, status int, p views.SignInProps) error
	// resetWays adds what a link can do besides setting a password.
	resetWays(r *http.Request, p *views.ResetProps) error

	realm(r *http.Request) auth.Realm
	finishSAML(r *http.Request, browser string) (auth.Entered, error)
	finishOIDC(r *http.Request, a auth.OIDCAnswer, browser string) (auth.Entered, error)
	logOut(r *http.Request, browser string) (saml.Message, error)
}

// memberDoor is the site's own.
type memberDoor struct{ *core }

func (d memberDoor) signIn(r *http.Request, email, password string, keep bool) (auth.Opened, error) {
	opened, err := d.Auth.SignIn(r.Context(), email, password, keep, client(r))
	if before := scopeOf(r).identity; err == nil && before != nil {
		// A session that the browser had before ends: this one has another token.
		err = d.Auth.SignOut(r.Context(), *before)
	}
	return opened, err
}

func (d memberDoor) signOut(r *http.Request, browser string) (saml.Message, error) {
	if i := scopeOf(r).identity; i != nil {
		return d.Auth.BeginLogOut(r.Context(), *i, browser)
	}
	return saml.Message{}, nil
}

func (d memberDoor) requestReset(r *http.Request, email string) error {
	return d.Auth.RequestReset(r.Context(), email, client(r))
}

func (d memberDoor) checkReset(r *http.Request, token string) (string, bool, error) {
	return d.Auth.CheckReset(r.Context(), token)
}

func (d memberDoor) resetPassword(r *http.Request, token, password string) (auth.Opened, error) {
	return d.Auth.ResetPassword(r.Context(), token, password, client(r))
}

func (d memberDoor) form(w http.ResponseWriter, r *http.Request, status int, p views.SignInProps) error {
	return render(w, r, status, views.SignInPage(bareShell(w, r), p))
}

func (d memberDoor) resetWays(*http.Request, *views.ResetProps) error { return nil }

func (d memberDoor) realm(r *http.Request) auth.Realm { return auth.Members(chi.URLParam(r, "slug")) }

func (d memberDoor) finishSAML(r *http.Request, browser string) (auth.Entered, error) {
	return d.Auth.FinishSAML(r.Context(), d.realm(r), r.PostForm.Get("SAMLResponse"), r.PostForm.Get("RelayState"), browser, client(r))
}

func (d memberDoor) finishOIDC(r *http.Request, a auth.OIDCAnswer, browser string) (auth.Entered, error) {
	return d.Auth.FinishOIDC(r.Context(), d.realm(r), a, browser, client(r))
}

func (d memberDoor) logOut(r *http.Request, browser string) (saml.Message, error) {
	return d.Auth.LogOut(r.Context(), d.realm(r), r, browser, client(r))
}

// visitorDoor is that of the portal of a request.
type visitorDoor struct{ *core }

// base is the address that a portal's providers and mails know it by.
func (d visitorDoor) base(r *http.Request) string {
	return hostAddress(r, scopeOf(r).portal.Host)
}

func (d visitorDoor) signIn(r *http.Request, email, password string, _ bool) (auth.Opened, error) {
	token, err := d.Portals.SignIn(r.Context(), scopeOf(r).portal.Portal, email, password, client(r))
	return auth.Opened{Token: token}, err
}

func (d visitorDoor) signOut(r *http.Request, browser string) (saml.Message, error) {
	cookie, err := r.Cookie(cookieName(r))
	if err != nil {
		return saml.Message{}, nil
	}
	return d.Portals.SignOut(r.Context(), scopeOf(r).portal.Portal, d.base(r), cookie.Value, browser)
}

func (d visitorDoor) requestReset(r *http.Request, email string) error {
	return d.Portals.RequestReset(r.Context(), scopeOf(r).portal.Portal, d.base(r), email, client(r))
}

func (d visitorDoor) checkReset(r *http.Request, token string) (string, bool, error) {
	return d.Portals.CheckLink(r.Context(), scopeOf(r).portal.Portal, token)
}

func (d visitorDoor) resetPassword(r *http.Request, token, password string) (auth.Opened, error) {
	session, err := d.Portals.ChoosePassword(r.Context(), scopeOf(r).portal.Portal, token, password, client(r))
	return auth.Opened{Token: session}, err
}

func (d visitorDoor) form(w http.ResponseWriter, r *http.Request, status int, in views.SignInProps) error {
	ways, err := d.Portals.Ways(r.Context(), scopeOf(r).portal.Portal)
	if err != nil {
		return err
	}
	s := bareShell(w, r)
	p := views.PortalSignInProps{Panel: s.Portal.Panel, Action: views.PathSignIn, NoRemember: true, SSOOnly: scopeOf(r).portal.SSOOnly,
		Email: in.Email, Next: in.Next, Error: in.Error, Code: in.Code}
	if in.CanReset && (!p.SSOOnly || in.Code == portals.ErrNeedsLink.Code()) {
		p.Forgot = views.PathForgot
	}
	if ways.SAML {
		p.SSO = d.base(r) + views.WithNext(views.PathPortalSAML+"/start", in.Next)
	}
	if ways.OIDC {
		p.OIDC = d.base(r) + views.WithNext(views.PathPortalOIDC+"/start", in.Next)
	}
	return render(w, r, status, views.PortalSignInPage(s, p))
}

func (d visitorDoor) resetWays(r *http.Request, p *views.ResetProps) error {
	portal := scopeOf(r).portal
	ways, err := d.Portals.Ways(r.Context(), portal.Portal)
	if err != nil || hostName(r.Host) != portal.Host {
		return err // a provider knows the portal by its first name alone
	}
	p.Only = portal.SSOOnly
	if ways.SAML {
		p.SAML = views.PathPortalSAML + "/start"
	}
	if ways.OIDC {
		p.OIDC = views.PathPortalOIDC + "/start"
	}
	return nil
}

func (d visitorDoor) realm(r *http.Request) auth.Realm {
	return scopeOf(r).portal.Realm(d.base(r))
}

func (d visitorDoor) finishSAML(r *http.Request, browser string) (auth.Entered, error) {
	return d.Portals.FinishSAML(r.Context(), scopeOf(r).portal.Portal, d.base(r), r.PostForm.Get("SAMLResponse"), r.PostForm.Get("RelayState"), browser, client(r))
}

func (d visitorDoor) finishOIDC(r *http.Request, a auth.OIDCAnswer, browser string) (auth.Entered, error) {
	return d.Portals.FinishOIDC(r.Context(), scopeOf(r).portal.Portal, d.base(r), a, browser, client(r))
}

func (d visitorDoor) logOut(r *http.Request, browser string) (saml.Message, error) {
	return d.Portals.LogOut(r.Context(), scopeOf(r).portal.Portal, d.base(r), r, browser, client(r))
}

package handlers

import (
	"errors"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/views"
)

// portalSignIn is where a workspace says how the visitors of a portal sign in.
type portalSignIn struct{ *core }

// routes lie below those of one portal.
func (h portalSignIn) routes(r chi.Router) {
	r.Get("/sign-in", handle(h.show))
	r.Post("/sign-in/prepare", handle(h.prepare))
	r.Post("/sign-in/saml", handle(h.saveSAML))
	r.Post("/sign-in/oidc", handle(h.saveOIDC))
	r.Post("/sign-in/keys", handle(h.rollKeys))
	r.Post("/sign-in/test", handle(h.test))
	r.Post("/sign-in/diagnose", handle(h.diagnose))
	r.Post("/sign-in/enforce", handle(h.enforce))
}

// realm is whom the portal of a request lets in.
//
// Errors: portals.not_found, portals.no_host.
func (h portalSignIn) realm(r *http.Request) (portals.Portal, views.PortalHead, auth.Realm, error) {
	p, head, err := portalSettings(h).head(r)
	if err != nil {
		return p, head, auth.Realm{}, err
	}
	base, err := portalSettings(h).base(r, p.ID)
	return p, head, p.Realm(base), err
}

func (h portalSignIn) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, func(*views.SignInSettingsProps) {})
}

func (h portalSignIn) page(w http.ResponseWriter, r *http.Request, status int, with func(*views.SignInSettingsProps)) error {
	p, head, realm, err := h.realm(r)
	var props views.SignInSettingsProps
	if errors.Is(err, errNoHost) {
		props.NoHost = true
	} else if err != nil {
		return err
	} else {
		stored, err := h.Auth.PortalSSO(r.Context(), identity(r), realm)
		if err != nil {
			return err
		}
		props = ssoProps(r, stored)
		props.Only = p.SSOOnly
	}
	props.SSOPaths, props.Visitors, props.CanEdit = views.PortalSSO(head.ID), true, true
	with(&props)
	_, props.TeamLines, props.PeopleLines = ruleLines(props.Mapping(), nil)
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.PortalSignInSettingsPage(s, head, props))
}

// change does what a form of the page asks for, and shows the page again.
func (h portalSignIn) change(w http.ResponseWriter, r *http.Request, said, query string, with func(*views.SignInSettingsProps), do func(auth.Realm) error) error {
	_, head, realm, err := h.realm(r)
	if err == nil {
		err = do(realm)
	}
	return ssoDone(w, r, err, said, views.PortalSSO(head.ID).Page+query, func(status int, problem func(*views.SignInSettingsProps)) error {
		return h.page(w, r, status, func(p *views.SignInSettingsProps) { with(p); problem(p) })
	})
}

func (h portalSignIn) prepare(w http.ResponseWriter, r *http.Request) error {
	return h.change(w, r, "sso.saved", "", unchanged, func(realm auth.Realm) error { return h.Auth.PrepareSAML(r.Context(), identity(r), realm) })
}

func (h portalSignIn) saveSAML(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	n, enabled := parseSAML(r, nil)
	return h.change(w, r, "sso.saved", "", func(p *views.SignInSettingsProps) { p.SAML.Settings, p.SAML.Enabled = n, enabled },
		func(realm auth.Realm) error { return h.Auth.SaveSAML(r.Context(), identity(r), realm, enabled, n) })
}

func (h portalSignIn) saveOIDC(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	n, enabled := parseOIDC(r, nil)
	return h.change(w, r, "sso.saved", "?way=oidc", func(p *views.SignInSettingsProps) { p.OIDCView, p.OIDC.Settings, p.OIDC.Enabled = true, n, enabled },
		func(realm auth.Realm) error { return h.Auth.SaveOIDC(r.Context(), identity(r), realm, enabled, n) })
}

func (h portalSignIn) rollKeys(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	step := auth.KeyStep(r.PostForm.Get("step"))
	return h.change(w, r, "sso.key_done", "", unchanged, func(realm auth.Realm) error { return h.Auth.RollKeys(r.Context(), identity(r), realm, step) })
}

// test goes to the portal's site, where its provider answers, and comes back to
// this page.
func (h portalSignIn) test(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	_, head, realm, err := h.realm(r)
	if err != nil {
		return err
	}
	kind, page := r.PostForm.Get("kind"), views.PortalSSO(head.ID).Page
	protocol := views.PathPortalSAML
	if kind == "oidc" {
		protocol, page = views.PathPortalOIDC, page+"?way=oidc"
	}
	ticket, err := h.Auth.AskVisitorTest(r.Context(), identity(r), realm, kind, h.address(r)+page)
	if err != nil {
		return h.change(w, r, "", "", func(p *views.SignInSettingsProps) { p.OIDCView = kind == "oidc" }, func(auth.Realm) error { return err })
	}
	return leave(w, r, realm.Base()+protocol+"/start?test="+ticket)
}

func (h portalSignIn) diagnose(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	p, _, realm, err := h.realm(r)
	if err != nil {
		return err
	}
	pasted := r.PostForm.Get("response")
	found, err := h.Portals.DiagnoseSAML(r.Context(), identity(r), p, realm.Base(), pasted)
	if err != nil {
		return h.change(w, r, "", "", unchanged, func(auth.Realm) error { return err })
	}
	return h.page(w, r, http.StatusOK, func(p *views.SignInSettingsProps) { p.Diagnosis, p.Pasted = &found, pasted })
}

func (h portalSignIn) enforce(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id, err := portalID(r)
	if err != nil {
		return err
	}
	only := r.PostForm.Get("only") != ""
	return h.change(w, r, "sso.saved", "", unchanged, func(auth.Realm) error { return h.Portals.SetSSOOnly(r.Context(), actor(r), id, only) })
}

package handlers

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
)

// sso signs people in at the identity providers of workspaces and portals, by
// SAML and by OpenID Connect.
type sso struct {
	*core
	door door
}

// What the addresses for providers of a workspace begin with; those of a portal
// are on its host.
const (
	routeSAML = "/saml/{slug}"
	routeOIDC = "/oidc/{slug}"
)

// A provider has the browser post answers to sign-in to pathACS, and messages of
// log-out to pathSLO. They are exceptions to the protection against requests of
// other sites: what they take is signed, counts once, and where it is an answer
// proves that this browser has asked.
const (
	pathACS = "/acs"
	pathSLO = "/slo"
)

func (h sso) routes(r chi.Router) {
	r.Get(views.PathSSO, handle(h.ask))
	r.Post(views.PathSSO, handle(h.find))
	h.shared(r, routeSAML, routeOIDC)
	r.Get(views.PathLink, handle(h.link))
	r.Post(views.PathLink, handle(h.confirmLink))
	r.Get(views.PathCode, handle(h.code))
	r.Post(views.PathCode, handle(h.enterCode))
	r.Get(views.PathSignUp, handle(h.signUp))
	r.Post(views.PathSignUp, handle(h.requestSignUp))
}

// shared are the routes that portals have as well.
func (h sso) shared(r chi.Router, atSAML, atOIDC string) {
	r.Get(atSAML+"/metadata", handle(h.metadata))
	r.Get(atSAML+"/start", handle(h.beginSAML))
	r.Post(atSAML+"/start", handle(h.beginSAML))
	r.Post(atSAML+pathACS, handle(h.consume))
	r.Get(atSAML+pathSLO, handle(h.logOut))
	r.Post(atSAML+pathSLO, handle(h.logOut))
	r.Get(atOIDC+"/start", handle(h.beginOIDC))
	r.Post(atOIDC+"/start", handle(h.beginOIDC))
	r.Get(atOIDC+"/callback", handle(h.callback))
}

// The cookies of sign-ins that are under way.
const (
	browserCookie = "sso"     // binds what a browser asks a provider to the answer
	pendingCookie = "pending" // a second factor, or the proof of an account, is missing
)

// setOwn sends a cookie for a sign-in that is under way; empty takes it away.
// One that has to come back with a request of another site says so, as far as
// browsers let it: without https they only take one that says nothing.
func setOwn(w http.ResponseWriter, r *http.Request, name, value string, foreign bool) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: scopeOf(r).secure, SameSite: http.SameSiteLaxMode, MaxAge: 3600}
	if c.Secure {
		c.Name = "__Host-" + name
	}
	if foreign {
		c.SameSite = http.SameSiteDefaultMode
		if c.Secure {
			c.SameSite = http.SameSiteNoneMode
		}
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func ownCookie(r *http.Request, name string) string {
	if scopeOf(r).secure {
		name = "__Host-" + name
	}
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// browserOf is the binding of this browser, made where it has none: several
// tabs share it.
func browserOf(w http.ResponseWriter, r *http.Request) string {
	text := ownCookie(r, browserCookie)
	if !auth.ValidBrowser(text) {
		text = auth.NewBrowser()
	}
	setOwn(w, r, browserCookie, text, true)
	return text
}

// ask is the page that asks for an address or a workspace.
func (h sso) ask(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, views.SSOPage(bareShell(w, r), views.SSOProps{Next: localPath(r.URL.Query().Get("next"), views.PathHome)}))
}

// find goes to the provider, or offers both ways where there are two.
func (h sso) find(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.SSOProps{Text: r.PostForm.Get("text"), Next: localPath(r.PostForm.Get("next"), views.PathHome)}
	ways, err := h.Auth.FindWays(r.Context(), form.Text)
	if errors.Is(err, auth.ErrNoSSO) {
		public := apperr.Describe(err)
		form.Error, form.Code = public.Sentence, public.Code
		return render(w, r, public.Class.Status(), views.SSOPage(bareShell(w, r), form))
	}
	if err != nil {
		return err
	}
	form.Workspace = ways.Workspace
	next := "?next=" + url.QueryEscape(form.Next)
	if ways.SAML {
		form.SAML = views.PathSAML(ways.Slug, "start") + next
	}
	if ways.OIDC {
		form.OIDC = views.PathOIDC(ways.Slug, "start") + next
	}
	if form.SAML != "" && form.OIDC != "" {
		return render(w, r, http.StatusOK, views.SSOPage(bareShell(w, r), form))
	}
	return leave(w, r, form.SAML+form.OIDC)
}

// leave goes on to an address that may be elsewhere, also after a form was
// sent: browsers hold a redirect after a form against the policy of its page,
// and let a page that goes on by itself do so.
func leave(w http.ResponseWriter, r *http.Request, address string) error {
	if isHTMX(r) {
		return redirect(w, r, address)
	}
	host := ""
	if u, err := url.Parse(address); err == nil {
		host = u.Host
	}
	w.Header().Set("Refresh", "0; url="+address)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	return render(w, r, http.StatusOK, views.LeavePage(bareShell(w, r), views.LeaveProps{Address: address, Host: host}))
}

func (h sso) metadata(w http.ResponseWriter, r *http.Request) error {
	text, err := h.Auth.SAMLMetadata(r.Context(), h.door.realm(r))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	w.Header().Set("Content-Disposition", `attachment; filename="metadata.xml"`)
	_, _ = w.Write(text)
	return nil
}

// begin reads what both protocols begin with. The invitation comes by POST
// only, so that its token stands in no address.
func (h sso) begin(w http.ResponseWriter, r *http.Request) (auth.Begin, error) {
	if err := parseForm(r); err != nil {
		return auth.Begin{}, err
	}
	b := auth.Begin{Browser: browserOf(w, r), Next: localPath(r.FormValue("next"), views.PathHome), Invite: r.PostForm.Get("invite"), From: client(r)}
	if scopeOf(r).portal != nil {
		b.Ticket = r.URL.Query().Get("test")
	}
	if i := scopeOf(r).identity; i != nil {
		b.Session = i.SessionID
	}
	w.Header().Set("Cache-Control", "no-store")
	return b, nil
}

// goTo redirects, where no form was sent.
func goTo(w http.ResponseWriter, r *http.Request, address string) error {
	if r.Method == http.MethodPost {
		return leave(w, r, address)
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
	return nil
}

func (h sso) beginSAML(w http.ResponseWriter, r *http.Request) error {
	b, err := h.begin(w, r)
	if err != nil {
		return err
	}
	return h.askSAML(w, r, h.door.realm(r), b)
}

func (h sso) askSAML(w http.ResponseWriter, r *http.Request, realm auth.Realm, b auth.Begin) error {
	question, err := h.Auth.BeginSAML(r.Context(), realm, b)
	if err != nil {
		return err
	}
	return carry(w, r, question)
}

// carry has the browser carry a message to a provider.
func carry(w http.ResponseWriter, r *http.Request, m saml.Message) error {
	w.Header().Set("Cache-Control", "no-store")
	if m.Fields == nil {
		return goTo(w, r, m.URL)
	}
	target, err := url.Parse(m.URL)
	if err != nil {
		return err
	}
	// A form of this page, and of no other, may go to the provider, which may lead
	// back from there.
	w.Header().Set("Content-Security-Policy", pagePolicy{nonce: scopeOf(r).nonce, forms: "'self' " + target.Scheme + "://" + target.Host}.String())
	return render(w, r, http.StatusOK, views.LeavePage(bareShell(w, r), views.LeaveProps{Address: m.URL, Host: target.Host, Fields: m.Fields}))
}

func (h sso) beginOIDC(w http.ResponseWriter, r *http.Request) error {
	b, err := h.begin(w, r)
	if err != nil {
		return err
	}
	address, err := h.Auth.BeginOIDC(r.Context(), h.door.realm(r), b)
	if err != nil {
		return err
	}
	return goTo(w, r, address)
}

// consume takes the answer of a SAML provider.
func (h sso) consume(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	entered, err := h.door.finishSAML(r, ownCookie(r, browserCookie))
	return h.entered(w, r, entered, err)
}

func (h sso) callback(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	entered, err := h.door.finishOIDC(r, auth.OIDCAnswer{State: query.Get("state"), Code: query.Get("code"), Refused: query.Get("error")}, ownCookie(r, browserCookie))
	return h.entered(w, r, entered, err)
}

// entered goes on after a sign-in at a provider. What was refused is told as a
// page of its own, with the way back to the sign-in page.
func (h sso) entered(w http.ResponseWriter, r *http.Request, e auth.Entered, err error) error {
	if err != nil {
		public := apperr.Describe(err)
		if public.Class == apperr.Internal {
			return err
		}
		status := public.Class.Status()
		logFailure(r, err, public, status)
		setRetryAfter(w, err)
		return render(w, r, status, views.RefusedPage(bareShell(w, r), views.RefusedProps{Text: public.Sentence, Code: public.Code}))
	}
	if e.Test {
		return redirect(w, r, e.Next)
	}
	return signIn(h).enter(w, r, e.Opened, localPath(e.Next, views.PathHome))
}

// logOut takes what a provider says of the end of sessions.
func (h sso) logOut(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	message, err := h.door.logOut(r, ownCookie(r, browserCookie))
	if err != nil {
		return h.entered(w, r, auth.Entered{}, err)
	}
	if message.URL != "" {
		return carry(w, r, message)
	}
	return flashAndGo(w, r, "signin.signed_out", views.PathSignIn)
}

// link asks for the proof that an account is the person's.
func (h sso) link(w http.ResponseWriter, r *http.Request) error {
	return h.linkForm(w, r, http.StatusOK, views.LinkProps{Next: localPath(r.URL.Query().Get("next"), views.PathHome)})
}

func (h sso) linkForm(w http.ResponseWriter, r *http.Request, status int, form views.LinkProps) error {
	found, err := h.Auth.CheckLink(r.Context(), ownCookie(r, pendingCookie))
	if err != nil {
		return err
	}
	form.Email, form.Workspace, form.ByLink, form.NeedsCode = found.Email, found.Workspace, found.ByLink, found.NeedsCode
	return render(w, r, status, views.LinkPage(bareShell(w, r), form))
}

func (h sso) confirmLink(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.LinkProps{Next: localPath(r.PostForm.Get("next"), views.PathHome)}
	opened, err := h.Auth.ConfirmLink(r.Context(), ownCookie(r, pendingCookie), r.PostForm.Get("password"), r.PostForm.Get("code"), client(r))
	if errors.Is(err, auth.ErrCode) {
		form.Errors = map[string]string{"code": apperr.Describe(err).Sentence}
	} else if errors.Is(err, auth.ErrThrottled) {
		public := apperr.Describe(err)
		form.Error, form.Code = public.Sentence, public.Code
		setRetryAfter(w, err)
	} else if fields, invalid := apperr.Fields(err); invalid {
		form.Errors = fields
	} else if err != nil {
		return err
	}
	if err != nil {
		return h.linkForm(w, r, apperr.Describe(err).Class.Status(), form)
	}
	setOwn(w, r, pendingCookie, "", false)
	return signIn(h).enter(w, r, opened, form.Next)
}

// code asks for the code of the second factor.
func (h sso) code(w http.ResponseWriter, r *http.Request) error {
	if ownCookie(r, pendingCookie) == "" {
		return redirect(w, r, views.PathSignIn)
	}
	return render(w, r, http.StatusOK, views.CodePage(bareShell(w, r), views.CodeProps{Next: localPath(r.URL.Query().Get("next"), views.PathHome)}))
}

func (h sso) enterCode(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.CodeProps{Next: localPath(r.PostForm.Get("next"), views.PathHome)}
	opened, err := h.Auth.EnterCode(r.Context(), ownCookie(r, pendingCookie), r.PostForm.Get("code"), client(r))
	if errors.Is(err, auth.ErrCode) {
		form.Errors = map[string]string{"code": apperr.Describe(err).Sentence}
		return render(w, r, http.StatusUnprocessableEntity, views.CodePage(bareShell(w, r), form))
	}
	if errors.Is(err, auth.ErrThrottled) {
		public := apperr.Describe(err)
		form.Error, form.Code = public.Sentence, public.Code
		setRetryAfter(w, err)
		return render(w, r, public.Class.Status(), views.CodePage(bareShell(w, r), form))
	}
	if err != nil {
		return err
	}
	setOwn(w, r, pendingCookie, "", false)
	return signIn(h).enter(w, r, opened, form.Next)
}

// signUp lets somebody with an address at a verified domain ask to join.
func (h sso) signUp(w http.ResponseWriter, r *http.Request) error {
	if !h.canMail() {
		return errNoMail
	}
	return render(w, r, http.StatusOK, views.SignUpPage(bareShell(w, r), views.ForgotProps{}))
}

// requestSignUp says the same whatever becomes of it.
func (h sso) requestSignUp(w http.ResponseWriter, r *http.Request) error {
	if !h.canMail() {
		return errNoMail
	}
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.ForgotProps{Email: r.PostForm.Get("email"), Outbox: h.ShowOutbox}
	err := h.Auth.RequestSignUp(r.Context(), form.Email, client(r))
	status := http.StatusOK
	if fields, invalid := apperr.Fields(err); invalid {
		form.Errors, status = fields, http.StatusUnprocessableEntity
	} else if errors.Is(err, auth.ErrThrottled) {
		public := apperr.Describe(err)
		form.Error, form.Code, status = public.Sentence, public.Code, public.Class.Status()
		setRetryAfter(w, err)
	} else if err != nil {
		return err
	} else {
		form.Sent = true
	}
	return render(w, r, status, views.SignUpPage(bareShell(w, r), form))
}

// pendingSession is what a sign-in has left to ask; empty where it is done.
func (h signIn) pendingSession(w http.ResponseWriter, r *http.Request, opened auth.Opened, next string) (path string) {
	switch {
	case opened.Pending != "":
		setOwn(w, r, pendingCookie, opened.Pending, false)
		path = views.PathCode
	case opened.Link != "":
		setOwn(w, r, pendingCookie, opened.Link, false)
		path = views.PathLink
	default:
		return ""
	}
	return path + "?next=" + url.QueryEscape(next)
}

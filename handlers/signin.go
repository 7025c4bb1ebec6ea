package handlers

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
)

// signIn lets people in and out by a door: sign-in and forgotten passwords; for
// members also the first set-up, and switching between workspaces.
type signIn struct {
	*core
	door door
}

// pathInvite is where the link of an invitation leads.
const pathInvite = "/invite"

func (h signIn) routes(r chi.Router) {
	h.shared(r)
	r.Get(pathInvite, handle(h.invitation))
	r.Post(pathInvite, handle(h.acceptInvitation))
	r.Get(views.PathSetup, handle(h.setup))
	r.Post(views.PathSetup, handle(h.completeSetup))
	r.Post(views.PathTheme, handle(h.setTheme))
	r.With(requireSession).Get(views.PathSwitch, handle(h.chooseWorkspace))
	r.With(requireSession).Post(views.PathSwitch, handle(h.switchWorkspace))
}

// shared are the routes that portals have as well.
func (h signIn) shared(r chi.Router) {
	r.Get(views.PathSignIn, handle(h.show))
	r.Post(views.PathSignIn, handle(h.submit))
	r.Post(views.PathSignOut, handle(h.signOut))
	r.Get(views.PathForgot, handle(h.forgot))
	r.Post(views.PathForgot, handle(h.requestReset))
	r.Get(views.PathReset, handle(h.reset))
	r.Post(views.PathReset, handle(h.setPassword))
}

// askToSignIn leads to the sign-in page, and from there back to the page.
func askToSignIn(w http.ResponseWriter, r *http.Request) {
	target := views.PathSignIn
	if r.Method == http.MethodGet && r.URL.Path != views.PathHome && !isPartial(r) {
		target += "?next=" + url.QueryEscape(r.URL.RequestURI())
	} else if r.Method == http.MethodPost {
		// A form leads back to its page, where the browser puts in again what
		// was entered.
		target = pathBack(r.Referer())
	}
	switch {
	case wantsJSON(r):
		writeFailure(w, r, http.StatusUnauthorized, apperr.Describe(errSignInNeeded), wayOn{})
	case isPartial(r):
		// A part of a page can't show the form. The page stays as it is, with what
		// was entered, and says how to go on.
		writeFailure(w, r, http.StatusUnauthorized, apperr.Describe(errSignInNeeded), wayOn{})
	case isHTMX(r):
		w.Header().Set("HX-Redirect", target)
		w.WriteHeader(http.StatusUnauthorized)
	default:
		http.Redirect(w, r, target, http.StatusSeeOther)
	}
}

// pathOn is the sign-in page that leads back to the page of a part that was
// asked for; to its new choices where it is the page itself that was.
func pathOn(r *http.Request) string {
	address := r.Header.Get("HX-Current-URL")
	if current, err := url.Parse(address); err == nil && r.Method == http.MethodGet && r.URL.RawQuery != "" && current.Path == r.URL.Path {
		address = r.URL.RequestURI()
	}
	return pathBack(address)
}

// pathBack is the sign-in page that leads back to the page with this address.
func pathBack(address string) string {
	current, err := url.Parse(address)
	if err != nil {
		return views.PathSignIn
	}
	next := localPath(current.RequestURI(), "")
	if next == "" || next == views.PathHome {
		return views.PathSignIn
	}
	return views.PathSignIn + "?next=" + url.QueryEscape(next)
}

func client(r *http.Request) auth.Client {
	return auth.Client{Address: clientAddress(r), UserAgent: r.UserAgent()}
}

func (h signIn) show(w http.ResponseWriter, r *http.Request) error {
	next := localPath(r.URL.Query().Get("next"), views.PathHome)
	if scopeOf(r).identity != nil {
		return redirect(w, r, next)
	}
	return h.form(w, r, http.StatusOK, views.SignInProps{Next: next, GoOn: next != views.PathHome})
}

func (h signIn) form(w http.ResponseWriter, r *http.Request, status int, p views.SignInProps) error {
	p.CanReset = h.canMail()
	return h.door.form(w, r, status, p)
}

// canMail tells whether a mail reaches somebody, be it by the outbox of a demo.
func (c *core) canMail() bool {
	return c.ShowOutbox || c.Delivery != nil && c.Delivery.SendsMail()
}

// submit answers the form again with 401 where the password is wrong, and with
// 429 where the person has to wait.
func (h signIn) submit(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.SignInProps{
		Email: r.PostForm.Get("email"), Remember: r.PostForm.Get("remember") != "", Next: localPath(r.PostForm.Get("next"), views.PathHome),
	}
	opened, err := h.door.signIn(r, form.Email, r.PostForm.Get("password"), form.Remember)
	if errors.Is(err, auth.ErrWrongPassword) || errors.Is(err, auth.ErrThrottled) || errors.Is(err, auth.ErrNoWorkspace) || errors.Is(err, auth.ErrSSORequired) {
		public := apperr.Describe(err)
		logFailure(r, err, public, public.Class.Status())
		form.Error, form.Code = public.Sentence, public.Code
		setRetryAfter(w, err)
		return h.form(w, r, public.Class.Status(), form)
	}
	if err != nil {
		return err
	}
	return h.enter(w, r, opened, form.Next)
}

// enter goes on as the person whose session was opened, or to what is still
// missing for that.
func (h signIn) enter(w http.ResponseWriter, r *http.Request, opened auth.Opened, next string) error {
	if path := h.pendingSession(w, r, opened, next); path != "" {
		return redirect(w, r, path)
	}
	if err := h.setSession(w, r, opened); err != nil {
		return err
	}
	if opened.Choose {
		return redirect(w, r, views.PathSwitch+"?next="+url.QueryEscape(next))
	}
	return redirect(w, r, next)
}

// signOut ends the session here, and then the one at the provider that opened it.
func (h signIn) signOut(w http.ResponseWriter, r *http.Request) error {
	message, err := h.door.signOut(r, browserOf(w, r))
	if err != nil {
		return err
	}
	if err := h.clearSession(w, r); err != nil {
		return err
	}
	if message.URL != "" {
		return carry(w, r, message)
	}
	return flashAndGo(w, r, "signin.signed_out", views.PathSignIn)
}

func (h signIn) forgot(w http.ResponseWriter, r *http.Request) error {
	if !h.canMail() {
		return errNoMail
	}
	return render(w, r, http.StatusOK, views.ForgotPage(bareShell(w, r), views.ForgotProps{}))
}

// requestReset says the same whether somebody has the address or not.
func (h signIn) requestReset(w http.ResponseWriter, r *http.Request) error {
	if !h.canMail() {
		return errNoMail
	}
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.ForgotProps{Email: strings.TrimSpace(r.PostForm.Get("email")), Outbox: h.ShowOutbox && scopeOf(r).portal == nil}
	if _, problem := auth.CheckEmail(form.Email); problem != "" {
		form.Errors = map[string]string{"email": problem}
		return render(w, r, http.StatusUnprocessableEntity, views.ForgotPage(bareShell(w, r), form))
	}
	err := h.door.requestReset(r, form.Email)
	if errors.Is(err, auth.ErrThrottled) {
		public := apperr.Describe(err)
		form.Error, form.Code = public.Sentence, public.Code
		setRetryAfter(w, err)
		return render(w, r, http.StatusTooManyRequests, views.ForgotPage(bareShell(w, r), form))
	}
	if err != nil {
		return err
	}
	form.Sent = true
	return render(w, r, http.StatusOK, views.ForgotPage(bareShell(w, r), form))
}

// secretLink keeps the token of the address out of what the browser keeps. No
// other site hears of it, as of no page's address; "no-referrer" would besides
// have the browser hide from us that a form comes from our own page, so that it
// were refused as a stranger's where there is no https.
func secretLink(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
}

func (h signIn) reset(w http.ResponseWriter, r *http.Request) error {
	secretLink(w)
	return h.resetForm(w, r, http.StatusOK, views.ResetProps{Token: r.URL.Query().Get("token")})
}

func (h signIn) resetForm(w http.ResponseWriter, r *http.Request, status int, form views.ResetProps) (err error) {
	form.MinLength = auth.MinPassword
	if form.Email, form.First, err = h.door.checkReset(r, form.Token); err != nil {
		return err
	}
	if err := h.door.resetWays(r, &form); err != nil {
		return err
	}
	return render(w, r, status, views.ResetPage(bareShell(w, r), form))
}

func (h signIn) setPassword(w http.ResponseWriter, r *http.Request) error {
	secretLink(w)
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.ResetProps{Token: r.PostForm.Get("token")}
	opened, err := h.door.resetPassword(r, form.Token, r.PostForm.Get("password"))
	if fields, invalid := apperr.Fields(err); invalid {
		form.Errors = fields
		return h.resetForm(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	return h.enter(w, r, opened, views.PathHome)
}

func (h signIn) invitation(w http.ResponseWriter, r *http.Request) error {
	secretLink(w)
	return h.invitationForm(w, r, http.StatusOK, views.InviteProps{Token: r.URL.Query().Get("token")})
}

func (h signIn) invitationForm(w http.ResponseWriter, r *http.Request, status int, form views.InviteProps) error {
	inv, err := h.Auth.CheckInvite(r.Context(), form.Token)
	if err != nil {
		return err
	}
	form.Action, form.Workspace, form.Role, form.Email = pathInvite, inv.Workspace, titleOf(r, inv.Role), inv.Email
	form.HasAccount, form.MinLength, form.Only, form.Connect = inv.HasAccount, auth.MinPassword, inv.Only, inv.Connect
	for _, way := range inv.SSO {
		if way == "saml" {
			form.SAML = views.PathSAML(inv.Slug, "start")
		} else {
			form.OIDC = views.PathOIDC(inv.Slug, "start")
		}
	}
	return render(w, r, status, views.InvitePage(bareShell(w, r), form))
}

// acceptInvitation signs in who has just chosen a password. Who had one before
// is not let in by a link alone.
func (h signIn) acceptInvitation(w http.ResponseWriter, r *http.Request) error {
	secretLink(w)
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.InviteProps{Token: r.PostForm.Get("token"), Name: r.PostForm.Get("name")}
	opened, err := h.Auth.AcceptInvite(r.Context(), form.Token, form.Name, r.PostForm.Get("password"), client(r))
	if fields, invalid := apperr.Fields(err); invalid {
		form.Errors = fields
		return h.invitationForm(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	if opened.Token == "" {
		return flashAndGo(w, r, "invite.joined", views.PathSignIn)
	}
	return h.enter(w, r, opened, views.PathHome)
}

func (h signIn) setup(w http.ResponseWriter, r *http.Request) error {
	secretLink(w)
	token := r.URL.Query().Get("token")
	if err := h.Auth.CheckSetup(r.Context(), token); err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.SetupPage(bareShell(w, r), views.SetupProps{Token: token, MinLength: auth.MinPassword}))
}

func (h signIn) completeSetup(w http.ResponseWriter, r *http.Request) error {
	secretLink(w)
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.SetupProps{
		Token: r.PostForm.Get("token"), Workspace: r.PostForm.Get("workspace"), Name: r.PostForm.Get("name"), Email: r.PostForm.Get("email"),
		MinLength: auth.MinPassword,
	}
	opened, err := h.Auth.CompleteSetup(r.Context(), form.Token, auth.Setup{
		Workspace: form.Workspace, Name: form.Name, Email: form.Email, Password: r.PostForm.Get("password"),
	}, client(r))
	if fields, invalid := apperr.Fields(err); invalid {
		form.Errors = fields
		return render(w, r, http.StatusUnprocessableEntity, views.SetupPage(bareShell(w, r), form))
	}
	if err != nil {
		return err
	}
	return h.enter(w, r, opened, views.PathHome)
}

// switchWorkspace gives the session another token, so that a page of the
// workspace before can't go on in the new one by an old cookie.
func (h signIn) switchWorkspace(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	tenantID, err := ids.Parse[ids.Tenant](r.PostForm.Get("workspace"))
	if err != nil {
		return auth.ErrNotMember.Wrap(err)
	}
	opened, err := h.Auth.SwitchWorkspace(r.Context(), identity(r), tenantID)
	if errors.Is(err, auth.ErrSSORequired) {
		return redirect(w, r, views.PathSSO)
	}
	if err != nil {
		return err
	}
	return h.enter(w, r, opened, localPath(r.PostForm.Get("next"), views.PathHome))
}

// chooseWorkspace asks somebody who belongs to several where to begin.
func (h signIn) chooseWorkspace(w http.ResponseWriter, r *http.Request) error {
	props := views.WorkspaceChoiceProps{Next: localPath(r.URL.Query().Get("next"), views.PathHome)}
	for _, one := range identity(r).Workspaces {
		props.Workspaces = append(props.Workspaces, views.WorkspaceLink{ID: one.ID.String(), Name: one.Name})
	}
	return render(w, r, http.StatusOK, views.WorkspaceChoicePage(bareShell(w, r), props))
}

// setTheme is the switch in the menu and beside the sign-in form: it goes back
// to the page that it stands on. The browser keeps the choice, and for who is
// signed in the account does.
func (h signIn) setTheme(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	theme := views.Theme(r.PostForm.Get("theme"))
	if i := scopeOf(r).identity; i != nil {
		if err := h.Auth.SetTheme(r.Context(), *i, string(theme)); err != nil {
			return err
		}
	}
	setTheme(w, r, theme)
	return redirect(w, r, localPath(r.PostForm.Get("next"), views.PathHome))
}

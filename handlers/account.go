package handlers

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// account is what a person sets for themselves in this workspace, and where
// they are signed in.
type account struct{ *core }

func (h account) routes(r chi.Router) {
	r.Get(views.PathAccount, handle(h.show))
	r.Post(views.PathAccountProfile, handle(h.setName))
	r.Post(views.PathAccountFormats, handle(h.setFormats))
	r.Post(views.PathAccountDisplay, handle(h.setDisplay))
	r.Post(views.PathAccountPassword, handle(h.changePassword))
	r.Post(views.PathAccountSessions, handle(h.revoke))
}

func (h account) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, func(*views.AccountProps) {})
}

// page answers the whole page; with puts what was entered and what is wrong
// with it in the place of what is stored.
func (h account) page(w http.ResponseWriter, r *http.Request, status int, with func(*views.AccountProps)) error {
	i := identity(r)
	sessions, err := h.Auth.ListSessions(r.Context(), i)
	if err != nil {
		return err
	}
	own := func(value string) string { return messages.T(r.Context(), "account.workspace_default", "Value", value) }
	l, now := locale.For(i.Locale), time.Now().In(i.Actor.Location())
	props := views.AccountProps{
		Name: i.Name, Email: i.Email, ShortcutsOff: !i.Shortcuts, MinLength: auth.MinPassword,
		Locale: i.OwnLocale, Locales: localeOptions(i.OwnLocale, own(locale.For(i.WorkspaceLocale).Label)),
		Zone: i.OwnZone, Zones: zoneOptions(i.OwnZone, own(zoneLabel(i.WorkspaceZone))),
		Example: l.Full(1234.5, locale.Format{}) + " · " + l.DateTime(now),
	}
	for _, one := range sessions {
		props.Sessions = append(props.Sessions, sessionRow(r, one, l, now))
	}
	factor, err := h.Auth.GetFactor(r.Context(), i)
	if err != nil {
		return err
	}
	props.Factor, props.SSO = factor.On, i.SSO()
	if props.Notices, err = h.Notify.ListSettings(r.Context(), i.Actor); err != nil {
		return err
	}
	with(&props)
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	if isPartial(r) {
		return render(w, r, status, views.AccountContent(s, props))
	}
	return render(w, r, status, views.AccountPage(s, props))
}

func sessionRow(r *http.Request, one auth.Session, l *locale.Locale, now time.Time) views.SessionRow {
	device, phone := deviceName(one.UserAgent)
	if device == "" {
		device = messages.T(r.Context(), "account.session_unknown")
	}
	return views.SessionRow{ID: one.ID.String(), Device: device, Phone: phone, Detail: one.Address, Current: one.Current,
		Seen: views.When{At: one.LastSeenAt.In(now.Location()), Now: now, Locale: l}}
}

func (h account) setName(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	name := r.PostForm.Get("name")
	err := h.Auth.SetName(r.Context(), identity(r), name)
	if fields, invalid := apperr.Fields(err); invalid {
		return h.page(w, r, http.StatusUnprocessableEntity, func(p *views.AccountProps) { p.Name, p.ProfileErrors = name, fields })
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "account.saved", views.PathAccount)
}

func (h account) setFormats(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	zone, tag := r.PostForm.Get("zone"), r.PostForm.Get("locale")
	err := h.Auth.SetFormats(r.Context(), identity(r), zone, tag)
	if fields, invalid := apperr.Fields(err); invalid {
		return h.page(w, r, http.StatusUnprocessableEntity, func(p *views.AccountProps) { p.FormatErrors = fields })
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "account.saved", views.PathAccount)
}

func (h account) setDisplay(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	theme := r.PostForm.Get("theme")
	if err := h.Auth.SetDisplay(r.Context(), identity(r), theme, r.PostForm.Get("shortcuts") != ""); err != nil {
		return err
	}
	setTheme(w, r, views.Theme(theme))
	return flashAndGo(w, r, "account.saved", views.PathAccount)
}

func (h account) changePassword(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	opened, err := h.Auth.ChangePassword(r.Context(), identity(r), r.PostForm.Get("current"), r.PostForm.Get("password"))
	if fields, invalid := apperr.Fields(err); invalid {
		return h.page(w, r, http.StatusUnprocessableEntity, func(p *views.AccountProps) { p.PasswordErrors = fields })
	}
	if err != nil {
		return err
	}
	if err := h.setSession(w, r, opened); err != nil {
		return err
	}
	return flashAndGo(w, r, "account.password_changed", views.PathAccount)
}

// revoke ends one session, or all others where none is named.
func (h account) revoke(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	text := r.PostForm.Get("id")
	if text == "" {
		if err := h.Auth.RevokeOtherSessions(r.Context(), identity(r)); err != nil {
			return err
		}
		return flashAndGo(w, r, "account.sessions_revoked", views.PathAccount)
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return auth.ErrSessionNotFound.Wrap(err)
	}
	if err := h.Auth.RevokeSession(r.Context(), identity(r), id); err != nil {
		return err
	}
	if id == identity(r).SessionID {
		if err := h.clearSession(w, r); err != nil {
			return err
		}
		return flashAndGo(w, r, "signin.signed_out", views.PathSignIn)
	}
	return flashAndGo(w, r, "account.session_revoked", views.PathAccount)
}

// deviceName says roughly what a browser is: "Chrome on Linux". Browsers claim
// to be each other, so the order counts.
func deviceName(userAgent string) (name string, phone bool) {
	find := func(pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if strings.Contains(userAgent, pairs[i]) {
				return pairs[i+1]
			}
		}
		return ""
	}
	browser := find("Edg/", "Edge", "EdgA/", "Edge", "OPR/", "Opera", "SamsungBrowser/", "Samsung Internet", "Firefox/", "Firefox", "FxiOS/", "Firefox",
		"CriOS/", "Chrome", "HeadlessChrome/", "Chrome", "Chrome/", "Chrome", "Safari/", "Safari", "curl/", "curl")
	system := find("iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "Mac OS X", "macOS", "CrOS", "ChromeOS", "Linux", "Linux")
	phone = system == "iPhone" || system == "Android" && strings.Contains(userAgent, "Mobile")
	switch {
	case browser != "" && system != "":
		return browser + " on " + system, phone
	case browser != "":
		return browser, phone
	}
	return system, phone
}

// localeOptions lists the formats; inherit, unless empty, words the choice of
// none.
func localeOptions(chosen, inherit string) []ui.Option {
	var options []ui.Option
	if inherit != "" {
		options = append(options, ui.Option{Value: "", Label: inherit})
	}
	known := chosen == ""
	for _, l := range locale.All() {
		known = known || l.Name == chosen
		options = append(options, ui.Option{Value: l.Name, Label: l.Label})
	}
	if !known {
		options = append(options, ui.Option{Value: chosen})
	}
	return options
}

// zoneOptions lists the time zones, with that one too which was chosen under
// an older name.
func zoneOptions(chosen, inherit string) []ui.Option {
	var options []ui.Option
	if inherit != "" {
		options = append(options, ui.Option{Value: "", Label: inherit})
	}
	known := chosen == ""
	for _, zone := range locale.Zones() {
		known = known || zone == chosen
		options = append(options, ui.Option{Value: zone, Label: zoneLabel(zone)})
	}
	if !known {
		options = append(options, ui.Option{Value: chosen})
	}
	return options
}

func zoneLabel(zone string) string { return strings.ReplaceAll(zone, "_", " ") }

package handlers

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// signInSettings are single sign-on and what sign-in demands of a workspace.
type signInSettings struct{ *core }

func memberRealm(r *http.Request) auth.Realm { return auth.Members(identity(r).TenantSlug) }

func (h signInSettings) routes(r chi.Router) {
	r.Get(views.PathSignInSettings, handle(h.show))
	r.Post(views.PathPrepareSAML, handle(h.prepare))
	r.Post(views.PathSaveSAML, handle(h.saveSAML))
	r.Post(views.PathSaveOIDC, handle(h.saveOIDC))
	r.Post(views.PathRollKeys, handle(h.rollKeys))
	r.Post(views.PathTestSignIn, handle(h.test))
	r.Post(views.PathDiagnose, handle(h.diagnose))
	r.Post(views.PathEnforce, handle(h.enforce))
	r.Post(views.PathSecurity, handle(h.setSecurity))
	r.Post(views.PathDomains, handle(h.addDomain))
	r.Post(views.PathDomainVerify, handle(h.verifyDomain))
	r.Post(views.PathDomainSignUp, handle(h.setSignUp))
	r.Post(views.PathDomainRemove, handle(h.removeDomain))
	r.Post(views.PathResetFactor, handle(h.resetFactor))
}

func (h signInSettings) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, func(*views.SignInSettingsProps) {})
}

func (h signInSettings) page(w http.ResponseWriter, r *http.Request, status int, with func(*views.SignInSettingsProps)) error {
	i := identity(r)
	stored, err := h.Auth.GetSSO(r.Context(), i.Actor)
	if err != nil {
		return err
	}
	security, err := h.Auth.GetSecurity(r.Context(), i.Actor)
	if err != nil {
		return err
	}
	p := ssoProps(r, stored)
	p.SSOPaths, p.Security, p.CanEdit = views.WorkspaceSSO, security, access.Can(i.Actor, access.ManageSignIn) == nil
	with(&p)
	all, err := h.roleOptions(r, false)
	if err != nil {
		return err
	}
	p.RoleLines, p.TeamLines, p.PeopleLines = ruleLines(p.Mapping(), all)
	p.Roles = all[1:] // nobody becomes an owner without a rule
	p.SignUpRoles = []ui.Option{{Value: "", Label: messages.T(r.Context(), "sso.nobody")},
		{Value: string(access.Viewer), Label: roleName(r, access.Viewer)}, {Value: string(access.Editor), Label: roleName(r, access.Editor)}}
	p.Idle = timeOptions(r, auth.IdleChoices, p.Security.Idle, "sso.after_idle")
	p.Whole = timeOptions(r, auth.WholeChoices, p.Security.Whole, "sso.after")
	for _, role := range all {
		role.Selected = slices.Contains(p.Security.SecondFactor, access.Role(role.Value))
		p.SecondFactor = append(p.SecondFactor, role)
	}
	for _, o := range p.SSO.Owners {
		p.Owners = append(p.Owners, ui.Option{Value: o.ID.String(), Label: o.Name})
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.SignInSettingsPage(s, p))
}

// ssoProps are what the settings of connections show, whoever they let in.
func ssoProps(r *http.Request, stored auth.SSO) views.SignInSettingsProps {
	l, zone := locale.For(actor(r).Locale), actor(r).Location()
	p := views.SignInSettingsProps{SSO: stored, OIDCView: r.URL.Query().Get("way") == "oidc",
		When: func(t auth.Test) string {
			text := l.DateTime(t.At.In(zone))
			if t.Took > 0 {
				text += " · " + strconv.FormatInt(t.Took.Milliseconds(), 10) + " ms"
			}
			return text
		},
		Day: func(c auth.Certificate) string { return l.Date(c.Until.In(zone)) },
	}
	if until := stored.SAML.Provider.Until; !until.IsZero() {
		p.ProviderUntil = l.Date(until.In(zone))
	}
	if at := stored.SAML.RefreshedAt; !at.IsZero() {
		p.Refreshed = l.DateTime(at.In(zone))
	}
	return p
}

func timeOptions(r *http.Request, choices []time.Duration, chosen time.Duration, key string) []ui.Option {
	var options []ui.Option
	for _, d := range choices {
		o := ui.Option{Value: strconv.Itoa(int(d.Minutes())), Label: messages.T(r.Context(), "sso.default_time"), Selected: d == chosen}
		if d > 0 {
			text := strconv.Itoa(int(d.Hours())) + " h"
			if d < time.Hour {
				text = strconv.Itoa(int(d.Minutes())) + " min"
			}
			o.Label = messages.T(r.Context(), key, "Time", text)
		}
		options = append(options, o)
	}
	return options
}

// parseLines reads rules, one a line, both sides of an arrow. A line without
// one has an empty right side, which the service refuses.
func parseLines(text string) [][2]string {
	var rules [][2]string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		left, right := line, ""
		for _, arrow := range []string{"→", "->", "=>"} {
			if l, r, found := strings.Cut(line, arrow); found {
				left, right = l, r
				break
			}
		}
		rules = append(rules, [2]string{strings.TrimSpace(left), strings.TrimSpace(right)})
	}
	return rules
}

// ruleLines writes rules as parseLines reads them, with the names of roles.
func ruleLines(m auth.Mapping, known []ui.Option) (roles, teams, people string) {
	for _, rule := range m.Roles {
		roles += rule.Group + " → " + nameOfRole(rule.Role, known) + "\n"
	}
	for _, rule := range m.Teams {
		teams += rule.Group + " → " + rule.Team + "\n"
	}
	for _, rule := range m.People {
		people += rule.From + " → " + rule.To + "\n"
	}
	return strings.TrimSpace(roles), strings.TrimSpace(teams), strings.TrimSpace(people)
}

// nameOfRole is how a role is called in a line: a workspace's own by its name.
func nameOfRole(role access.Role, known []ui.Option) string {
	if _, own := role.AsCustom(); own {
		for _, o := range known {
			if o.Value == string(role) {
				return o.Label
			}
		}
	}
	return string(role)
}

// roleNamed is the role that a line means; what is none is left as it stands, and
// the service refuses it.
func roleNamed(name string, known []ui.Option) access.Role {
	for _, o := range known {
		if strings.EqualFold(o.Label, name) {
			return access.Role(o.Value)
		}
	}
	return access.Role(strings.ToLower(name))
}

func parseMapping(r *http.Request, known []ui.Option) auth.Mapping {
	m := auth.Mapping{Email: r.PostForm.Get("map_email"), Name: r.PostForm.Get("map_name"), Groups: r.PostForm.Get("map_groups"), Company: r.PostForm.Get("map_company"),
		DefaultRole: access.Role(r.PostForm.Get("default_role"))}
	for _, rule := range parseLines(r.PostForm.Get("roles")) {
		m.Roles = append(m.Roles, auth.RoleRule{Group: rule[0], Role: roleNamed(rule[1], known)})
	}
	for _, rule := range parseLines(r.PostForm.Get("teams")) {
		m.Teams = append(m.Teams, auth.TeamRule{Group: rule[0], Team: rule[1]})
	}
	for _, rule := range parseLines(r.PostForm.Get("people")) {
		m.People = append(m.People, auth.AttributeRule{From: rule[0], To: rule[1]})
	}
	return m
}

// done goes back to the page, or shows it with what is wrong.
func (h signInSettings) done(w http.ResponseWriter, r *http.Request, err error, said, path string, with func(*views.SignInSettingsProps)) error {
	return ssoDone(w, r, err, said, path, func(status int, problem func(*views.SignInSettingsProps)) error {
		return h.page(w, r, status, func(p *views.SignInSettingsProps) { with(p); problem(p) })
	})
}

// ssoDone goes back to path, or shows the page again with what is wrong.
func ssoDone(w http.ResponseWriter, r *http.Request, err error, said, path string, again func(status int, problem func(*views.SignInSettingsProps)) error) error {
	if err == nil {
		return flashAndGo(w, r, said, path)
	}
	public := apperr.Describe(err)
	fields, invalid := apperr.Fields(err)
	switch {
	case invalid:
	case public.Class == apperr.Conflict, public.Class == apperr.Invalid, public.Class == apperr.Unavailable, public.Class == apperr.NotFound && public.Code == auth.ErrNoSSO.Code():
		fields = nil
	default:
		return err
	}
	logFailure(r, err, public, public.Class.Status())
	return again(public.Class.Status(), func(p *views.SignInSettingsProps) {
		if p.Errors = fields; fields == nil {
			p.Error, p.Code = public.Sentence, public.Code
		}
	})
}

func unchanged(*views.SignInSettingsProps) {}

func (h signInSettings) prepare(w http.ResponseWriter, r *http.Request) error {
	return h.done(w, r, h.Auth.PrepareSAML(r.Context(), identity(r), memberRealm(r)), "sso.saved", views.PathSignInSettings, unchanged)
}

func (h signInSettings) saveSAML(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	known, err := h.roleOptions(r, false)
	if err != nil {
		return err
	}
	n, enabled := parseSAML(r, known)
	err = h.Auth.SaveSAML(r.Context(), identity(r), memberRealm(r), enabled, n)
	return h.done(w, r, err, "sso.saved", views.PathSignInSettings, func(p *views.SignInSettingsProps) {
		p.SAML.Settings, p.SAML.Enabled = n, enabled
	})
}

func parseSAML(r *http.Request, known []ui.Option) (n auth.SAMLSettings, enabled bool) {
	skew, err := strconv.Atoi(cmp.Or(r.PostForm.Get("skew"), "60"))
	if err != nil {
		skew = -1 // the service says what it may be
	}
	return auth.SAMLSettings{Source: r.PostForm.Get("source"), MetadataURL: r.PostForm.Get("metadata_url"), XML: r.PostForm.Get("xml"),
		Issuer: r.PostForm.Get("issuer"), SignIn: r.PostForm.Get("sign_in"), LogOut: r.PostForm.Get("log_out"), Certificate: r.PostForm.Get("certificate"),
		JustInTime: r.PostForm.Get("jit") != "", Unsolicited: r.PostForm.Get("unsolicited") != "", SkewSeconds: skew, Mapping: parseMapping(r, known)}, r.PostForm.Get("enabled") != ""
}

func (h signInSettings) saveOIDC(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	known, err := h.roleOptions(r, false)
	if err != nil {
		return err
	}
	n, enabled := parseOIDC(r, known)
	err = h.Auth.SaveOIDC(r.Context(), identity(r), memberRealm(r), enabled, n)
	return h.done(w, r, err, "sso.saved", views.PathSignInSettings+"?way=oidc", func(p *views.SignInSettingsProps) {
		p.OIDCView, p.OIDC.Settings, p.OIDC.Enabled = true, n, enabled
	})
}

func parseOIDC(r *http.Request, known []ui.Option) (n auth.OIDCSettings, enabled bool) {
	return auth.OIDCSettings{Issuer: r.PostForm.Get("issuer"), ClientID: r.PostForm.Get("client_id"), Secret: r.PostForm.Get("secret"),
		Scopes: r.PostForm.Get("scopes"), JustInTime: r.PostForm.Get("jit") != "", Mapping: parseMapping(r, known)}, r.PostForm.Get("enabled") != ""
}

func (h signInSettings) rollKeys(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	err := h.Auth.RollKeys(r.Context(), identity(r), memberRealm(r), auth.KeyStep(r.PostForm.Get("step")))
	return h.done(w, r, err, "sso.key_done", views.PathSignInSettings, unchanged)
}

// test makes a real round trip; the result is on this page afterwards.
func (h signInSettings) test(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	i := identity(r)
	b := auth.Begin{Browser: browserOf(w, r), Next: views.PathSignInSettings, Test: &i}
	if r.PostForm.Get("kind") == "oidc" {
		b.Next += "?way=oidc"
		address, err := h.Auth.BeginOIDC(r.Context(), memberRealm(r), b)
		if err != nil {
			return h.done(w, r, err, "", "", func(p *views.SignInSettingsProps) { p.OIDCView = true })
		}
		return leave(w, r, address)
	}
	if err := (sso{h.core, memberDoor(h)}).askSAML(w, r, memberRealm(r), b); err != nil {
		return h.done(w, r, err, "", "", unchanged)
	}
	return nil
}

func (h signInSettings) diagnose(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	pasted := r.PostForm.Get("response")
	found, err := h.Auth.DiagnoseSAML(r.Context(), identity(r), memberRealm(r), pasted)
	if err != nil {
		return h.done(w, r, err, "", "", unchanged)
	}
	return h.page(w, r, http.StatusOK, func(p *views.SignInSettingsProps) { p.Diagnosis, p.Pasted = &found, pasted })
}

func (h signInSettings) enforce(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	owner, err := ids.Parse[ids.User](r.PostForm.Get("owner"))
	only := r.PostForm.Get("only") != ""
	if err != nil && only {
		return errForm.Wrap(err)
	}
	err = h.Auth.SetSSOOnly(r.Context(), identity(r), only, owner)
	return h.done(w, r, err, "sso.saved", views.PathSignInSettings, unchanged)
}

func (h signInSettings) setSecurity(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	minutes := func(name string) time.Duration {
		n, err := strconv.Atoi(r.PostForm.Get(name))
		if err != nil {
			return -1 // no choice: the service says so
		}
		return time.Duration(n) * time.Minute
	}
	n := auth.Security{Idle: minutes("idle"), Whole: minutes("whole")}
	for _, role := range r.PostForm["role"] {
		n.SecondFactor = append(n.SecondFactor, access.Role(role))
	}
	err := h.Auth.SetSecurity(r.Context(), identity(r), n)
	return h.done(w, r, err, "sso.saved", views.PathSignInSettings, func(p *views.SignInSettingsProps) { p.Security = n })
}

func (h signInSettings) addDomain(w http.ResponseWriter, r *http.Request) error {
	return h.withDomain(w, r, "sso.saved", h.Auth.AddDomain)
}

func (h signInSettings) verifyDomain(w http.ResponseWriter, r *http.Request) error {
	return h.withDomain(w, r, "sso.domain_verified", h.Auth.VerifyDomain)
}

func (h signInSettings) removeDomain(w http.ResponseWriter, r *http.Request) error {
	return h.withDomain(w, r, "sso.saved", h.Auth.RemoveDomain)
}

func (h signInSettings) setSignUp(w http.ResponseWriter, r *http.Request) error {
	return h.withDomain(w, r, "sso.saved", func(ctx context.Context, i auth.Identity, domain string) error {
		return h.Auth.SetSignUp(ctx, i, domain, access.Role(r.PostForm.Get("role")))
	})
}

func (h signInSettings) withDomain(w http.ResponseWriter, r *http.Request, said string, do func(context.Context, auth.Identity, string) error) error {
	if err := parseForm(r); err != nil {
		return err
	}
	return h.done(w, r, do(r.Context(), identity(r), r.PostForm.Get("domain")), said, views.PathSignInSettings+"#domains", unchanged)
}

func (h signInSettings) resetFactor(w http.ResponseWriter, r *http.Request) error {
	id, err := memberID(r)
	if err != nil {
		return err
	}
	if err := h.Auth.ResetFactor(r.Context(), identity(r), id); err != nil {
		return err
	}
	return flashAndGo(w, r, "members.factor_reset", views.PathMembers)
}

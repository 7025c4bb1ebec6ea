package views

import (
	"context"
	"slices"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// PortalFrame is what every page of a portal needs. Nothing on such a page
// names the product.
type PortalFrame struct {
	Name       string   // of the portal; in the browser's tab
	Title      string   // of the page
	Stylesheet string   // path of the brand's sheet
	Fonts      []string // built font files to load at once: brand.Brand.Fonts
	IconURL    string   // favicon
	IconType   string   // "image/svg+xml" or "image/png"
	Theme      Theme
	Locale     *locale.Locale // en-GB when nil
	Zone       string         // "UTC" when empty
	Nonce      string
	Path       string // of this page, to come back to
	Flash      Flash
	Scripts    []string // besides app.js
	Styles     []string // besides app.css and portal.css
	LiveURL    string   // see PageProps
	LiveEvents string
	Embed      *EmbedShell // where it is no portal but a dashboard in another site's page
}

// title is what the browser's tab says.
func (f PortalFrame) title() string {
	if f.Name == "" {
		return f.Title
	}
	return titleOf(f.Title, f.Name)
}

// shell is the frame as the shared parts know it.
func (f PortalFrame) shell() Shell {
	return Shell{Theme: f.Theme, Locale: f.Locale, Zone: f.Zone, Nonce: f.Nonce, Path: f.Path, Flash: f.Flash}
}

// PortalLogo is the name and the logo of a portal.
type PortalLogo struct {
	Name     string
	URL      string // brand.Brand.HeaderLogo; the initial when empty
	HideName bool   // the logo shows it
}

// PortalLink is an entry of the navigation or the footer.
type PortalLink struct {
	Label   string
	Href    string
	Current bool
}

// PortalHeaderProps is the header of a portal. What is empty is left out.
type PortalHeaderProps struct {
	ID        string // beginning of its ids; "portal" when empty
	Logo      PortalLogo
	Home      string       // where the logo leads
	Nav       []PortalLink // dashboards
	Downloads string       // path of what can be downloaded
	Visitor   PortalMenu
}

func (p PortalHeaderProps) id(part string) string { return orElse(p.ID, "portal") + "-" + part }

// leadsTo tells whether the navigation has a path already.
func (p PortalHeaderProps) leadsTo(path string) bool {
	return slices.ContainsFunc(p.Nav, func(l PortalLink) bool { return l.Href == path })
}

// PortalMenu is the menu of the person who visits; none without a name.
type PortalMenu struct {
	Kind      string // before the name: "Concession partner"
	Name      string
	Email     string
	Account   string // path
	Schedules string // path of what they have mailed to themselves
	SignOut   string // POST
	Theme     PortalTheme
}

// PortalTheme is the choice of light or dark; left out without an action.
type PortalTheme struct {
	Action string // POST theme, next
	Next   string
	Chosen Theme
}

// PortalFooterProps is the line at the foot of a portal.
type PortalFooterProps struct {
	Text  string
	Links []PortalLink
}

// PortalPanel is the coloured half of the pages before one is signed in.
type PortalPanel struct {
	Logo    PortalLogo
	Tagline string
	Subline string
	Footer  PortalFooterProps
	Theme   PortalTheme
}

// PortalSignInProps is the sign-in form. Field errors are by name: "email",
// "password"; Error is about the pair.
type PortalSignInProps struct {
	Panel      PortalPanel
	Action     string // POST email, password, remember, next
	Forgot     string // path; "" when passwords can't be reset
	SSO        string // address; "" when there is none
	OIDC       string // that of OpenID Connect, likewise
	SSOLabel   string // "Continue with Northlake SSO"
	SSOHint    string // "Required for staff accounts"
	SSOOnly    bool   // no password
	NoRemember bool
	Email      string
	Remember   bool
	Next       string
	Notice     string
	Error      string
	Code       string // of Error
	Errors     map[string]string
}

// PortalMessageProps is a page that says one thing: a failure, a mail that was
// sent, a link that is used up.
type PortalMessageProps struct {
	Header      PortalHeaderProps
	Footer      PortalFooterProps
	Icon        string // of lucide; "info" when empty
	Tone        ui.Tone
	Title       string
	Text        string
	Code        string // shown last
	RequestID   string
	ActionLabel string
	ActionHref  string
}

// PortalHeadingProps is the top of a page in a portal: title, status below it,
// filters and actions at the right.
type PortalHeadingProps struct {
	Title   string
	Status  templ.Component
	Actions templ.Component
}

func submitKind(p PortalSignInProps) ui.ButtonKind {
	if p.SSO != "" || p.OIDC != "" {
		return ui.Outline
	}
	return ui.Filled
}

// portalOIDCLabel tells the two ways apart where there are both.
func portalOIDCLabel(ctx context.Context, p PortalSignInProps) string {
	if p.SSO != "" {
		return messages.T(ctx, "sso.with_oidc")
	}
	return orElse(p.SSOLabel, messages.T(ctx, "portal.sso"))
}

func oidcKind(p PortalSignInProps) ui.ButtonKind {
	if p.SSO != "" {
		return ui.Outline
	}
	return ui.Filled
}

// Package views holds the pages and fragments. They get everything they show
// in a props struct and decide nothing: no database, clock or permission here.
package views

import (
	"strings"

	"github.com/a-h/templ"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/ui"
)

// Shell is what every page of a signed-in person needs. Middleware loads it.
type Shell struct {
	Brand        Brand
	Workspace    WorkspaceLink   // the current one
	Workspaces   []WorkspaceLink // all of the person's, the current one included; for the switcher
	User         ShellUser
	Nav          NavAccess
	Theme        Theme          // as the person chose it; ThemeAuto when empty
	Locale       *locale.Locale // numbers and dates; en-GB when nil
	Zone         string         // IANA name of the person's time zone; "UTC" when empty
	Nonce        string         // of the Content-Security-Policy of this answer
	Path         string         // of this page, to come back to after a change of workspace or theme
	Flash        Flash          // said once, above the content: "Password changed."
	ShortcutsOff bool           // single-key shortcuts, turned off by the person
	Portal       *PortalShell   // where the page is one of a tenant's portal
	ViewedAs     string         // whose view is shown to somebody else; "" for one's own
}

// PortalShell is what stands around a page in a portal instead of the shell.
type PortalShell struct {
	Frame  PortalFrame // without title, scripts and streams, which pages know
	Header PortalHeaderProps
	Panel  PortalPanel // of pages before one is signed in
	// Downloads tells whether visitors may take files of what they see.
	Downloads bool
	// Embed is set where it is no portal but a dashboard in another site's page.
	Embed *EmbedShell
}

// frame is the frame of a page in a portal.
func (s Shell) frame(title string, scripts, styles []string) PortalFrame {
	f := s.Portal.Frame
	f.Title, f.Scripts, f.Styles = title, scripts, styles
	f.Theme, f.Locale, f.Zone, f.Nonce, f.Path, f.Flash = s.Theme, s.Locale, s.Zone, s.Nonce, s.Path, s.Flash
	return f
}

// Flash is a sentence about what the person just did.
type Flash struct {
	Tone ui.Tone
	Text string // nothing is shown when empty
}

// Brand is what stands for the tenant, or DataFlow itself.
type Brand struct {
	Name       string // "DataFlow" when empty
	LogoURL    string // the DataFlow mark when empty
	LogoDark   string // LogoURL when empty
	Stylesheet string // path of the tenant's own tokens; none when empty
	Tagline    string // on the sign-in panel
	Subline    string // below it
}

// WorkspaceLink is one workspace of the person.
type WorkspaceLink struct {
	ID     string
	Name   string
	Detail string // under the name: "Enterprise · Frankfurt"
}

// ShellUser is the signed-in person.
type ShellUser struct {
	ID    string // also picks the colour of the initials
	Name  string // the e-mail's local part when the person gave none
	Email string
	Role  string // in words: "Workspace owner"
}

// NavAccess says which entries of the navigation the person may use.
type NavAccess struct {
	Data     bool          // datasets
	Reports  bool          // scheduled reports
	Alerts   bool          // measures that are watched
	New      bool          // make dashboards
	Load     bool          // load files
	Settings bool          // workspace settings and members
	Sections []SettingsTab // of the settings
	Search   string        // path that answers SearchResults to ?q=; "" when there is none
	Outbox   bool          // mails of a demo, not sent
}

// Theme is a person's choice of light or dark.
type Theme string

// The themes.
const (
	ThemeAuto  Theme = "auto"
	ThemeLight Theme = "light"
	ThemeDark  Theme = "dark"
)

// NavID names an entry of the navigation.
type NavID string

// The entries.
const (
	NavHome       NavID = "home"
	NavDashboards NavID = "dashboards"
	NavData       NavID = "data"
	NavReports    NavID = "reports"
	NavAlerts     NavID = "alerts"
	NavSettings   NavID = "settings"
	NavAccount    NavID = "account"
	NavOutbox     NavID = "outbox"
	NavNotices    NavID = "notifications"
)

// PageProps is what a page tells the shell about itself.
type PageProps struct {
	Title string
	// Within is what the page is a part of: the browser's tab says it too.
	Within string
	Crumbs []Crumb // above the title, from the outside in, without the page itself
	Active NavID
	// Rail shows the 56 px icon rail instead of the sidebar (dashboard view).
	Rail bool
	// Editor has the page fill the window, its parts scrolling by themselves.
	Editor bool
	// Status stands beside the title: freshness, live mark, wizard steps.
	Status templ.Component
	// Heading replaces the title's text, for one that can be edited or starred;
	// it has to render an h1.
	Heading templ.Component
	// Header holds the actions, at the right end of the page header.
	Header templ.Component
	// Bar is a sticky bar under the header: filters, or tabs.
	Bar templ.Component
	// Footer is a sticky bar at the foot (wizards).
	Footer templ.Component
	// Scripts are loaded besides app.js, by their plain names: "charts.js".
	// Custom elements load their own modules; naming them here only saves a
	// round trip.
	Scripts []string
	// Styles are sheets besides app.css: "editor.css".
	Styles []string
	// Bare leaves out the padding and the width limit of the content.
	Bare bool
	// Keys are shortcuts of this page alone.
	Keys []shortcut
	// LiveURL is the event stream of the page; "" when it does not follow any.
	// LiveEvents names its events, separated by spaces; each becomes an event
	// df:NAME of the page (see static/src/elements/live.ts).
	LiveURL    string
	LiveEvents string
}

// Crumb is one step of the path to a page.
type Crumb = ui.Crumb

func (s Shell) brandName() string {
	if s.Brand.Name == "" {
		return "DataFlow"
	}
	return s.Brand.Name
}

func (s Shell) theme() string {
	switch s.Theme {
	case ThemeLight, ThemeDark:
		return string(s.Theme)
	}
	return string(ThemeAuto)
}

func (s Shell) zone() string {
	if s.Zone == "" {
		return "UTC"
	}
	return s.Zone
}

func (s Shell) locale() *locale.Locale {
	if s.Locale == nil {
		return locale.Default()
	}
	return s.Locale
}

func (u ShellUser) name() string {
	if u.Name != "" {
		return u.Name
	}
	name, _, _ := strings.Cut(u.Email, "@")
	return name
}

// tabTitle is what the browser's tab says besides the brand.
func (p PageProps) tabTitle() string {
	if p.Within == "" {
		return p.Title
	}
	return p.Title + " · " + p.Within
}

func (p PageProps) crumbs() []Crumb {
	if len(p.Crumbs) == 0 && p.Within != "" {
		return []Crumb{{Label: p.Within}}
	}
	return p.Crumbs
}

// titleOf is the text of the browser's tab.
func titleOf(page, brand string) string {
	if page == "" {
		return brand
	}
	return page + " · " + brand
}

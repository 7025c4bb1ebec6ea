package views

import (
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/ui"
)

// PathPortals is the list of portals; POST name for a new one.
const PathPortals = "/settings/portals"

// PathPortal is one section of a portal's settings: "" for what it shows,
// "/brand", "/visitors", "/sign-in", "/hosts".
func PathPortal(id, section string) string { return PathPortals + "/" + id + section }

// Paths of a portal's own pages besides those that it has in common with the site.
const (
	PathPortalStyle = "/brand.css"
	PathPortalLogo  = "/logo" // /KIND/SUM
	PathPortalSAML  = "/saml" // for its providers
	PathPortalOIDC  = "/oidc"
)

// PortalRow is one portal in the list.
type PortalRow struct {
	ID, Name             string
	Dashboards, Visitors int
	Changed              When
}

// PortalSection is a section of one portal's settings.
type PortalSection string

// The sections.
const (
	PortalShows   PortalSection = ""
	PortalLook    PortalSection = "/brand"
	PortalPeople  PortalSection = "/visitors"
	PortalAtHosts PortalSection = "/hosts"
	PortalSignsIn PortalSection = "/sign-in"
)

// PortalHead is what all sections of a portal's settings show.
type PortalHead struct {
	ID, Name string
	Preview  string // path of the preview
	Error    string
	Code     string
}

// PortalShowsProps is what a portal shows, and how it behaves.
type PortalShowsProps struct {
	PortalHead
	Dashboards []PortalBoard // all of the workspace, those that are shown first
	Groups     []ui.Option   // of visitors
	Downloads  bool
	Schedules  bool
	Zone       string
	Zones      []ui.Option
	Errors     map[string]string
}

// PortalBoard is one dashboard that a portal shows or could show.
type PortalBoard struct {
	ID, Name, Label, Group string
	Shown                  bool
	Place                  int // from 1
}

// PortalPeopleProps are the visitors and their groups.
type PortalPeopleProps struct {
	PortalHead
	Visitors []PortalVisitor
	Groups   []PortalGroup
	Options  []ui.Option // groups
	Invite   PortalVisitor
	Errors   map[string]string // of the invitation
	Open     bool              // the invitation's dialog
	Locale   *locale.Locale
}

// PortalVisitor is one visitor.
type PortalVisitor struct {
	ID, Email, Name, Company string
	Attributes               string // as they are written
	Groups                   []ui.Option
	GroupNames               string
	Seen                     When
	Active, Blocked          bool
}

// PortalGroup is a group of visitors.
type PortalGroup struct {
	ID, Name, Attributes string
	Visitors             int
}

// PortalHostsProps are the names of a portal.
type PortalHostsProps struct {
	PortalHead
	Hosts  []PortalHost
	Host   string // that was entered
	Errors map[string]string
}

// PortalHost is one name, with what has to stand in the DNS.
type PortalHost struct {
	Name, Record, Value, Link string
	Shown                     string // the name as people read it
	Verified                  bool
	Failing                   string // since when
}

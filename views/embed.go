package views

import (
	"slices"

	"github.com/dataflowhq/dataflow/views/ui"
)

// Paths of embedded dashboards and of public links.
const (
	PathEmbedScript = "/embed.js" // the component that other sites load
	PathEmbed       = "/embed"    // POST: the page of a dashboard for a frame
	PathEmbedToken  = "/api/v1/embed/token"
	PathEmbedRevoke = "/api/v1/embed/token/revoke"
	PathPublic      = "/public" // /LINK
)

// PathEmbedding is the page of keys and public links.
const PathEmbedding = PathSettings + "/embedding"

// EmbedShell is what stands around a dashboard in another site's page, or behind
// a public link: nothing but what its script needs.
type EmbedShell struct {
	Data      string // JSON for embed.ts
	HideTitle bool
	Public    bool // a page of its own, in no frame
}

func (e *EmbedShell) class() string {
	if e.Public {
		return "portal embed embed-public"
	}
	return "portal embed"
}

// PublicPasswordProps asks for the password of a public link.
type PublicPasswordProps struct {
	Action      string // POST password
	Error, Code string
}

// GrantState is how a key or a link stands.
type GrantState string

// The states.
const (
	GrantOpen    GrantState = "open"
	GrantEnded   GrantState = "ended"
	GrantRevoked GrantState = "revoked"
)

// EmbedKeyRow is one key in the list.
type EmbedKeyRow struct {
	ID, Name, By        string
	Origins, Dashboards []string
	Scoped              bool // for some dashboards only
	State               GrantState
	Created, Used, Ends When
}

// PublicLinkRow is one link in the list.
type PublicLinkRow struct {
	ID, Name, By, Dashboard, Href string
	Locked, Downloads             bool
	State                         GrantState
	Created, Used, Ends           When
}

// EmbedKeyForm is what a form for a new key held.
type EmbedKeyForm struct {
	Name, Origins, Days string
	Dashboards          []string
}

func (f EmbedKeyForm) has(dashboard string) bool { return slices.Contains(f.Dashboards, dashboard) }

// PublicLinkForm is what a form for a new link held.
type PublicLinkForm struct {
	Name, Dashboard, Days string
	Downloads             bool
}

// EmbeddingProps is the page at PathEmbedding.
type EmbeddingProps struct {
	Keys         []EmbedKeyRow
	Links        []PublicLinkRow
	LinksAllowed bool
	Dashboards   []ui.Option
	Ends         []ui.Option // how long keys and links last
	Site         string      // address of this site
	Sample       string      // address of a page with an embedded dashboard; "" for none
	NewKey       string      // shown once
	NewLink      string      // address, shown once
	Key          EmbedKeyForm
	KeyErrors    map[string]string
	Link         PublicLinkForm
	LinkErrors   map[string]string
	Token        string
	TokenErrors  map[string]string
}

// hostSnippet is what a page of another site has.
func (p EmbeddingProps) hostSnippet() string {
	return `<script src="` + p.Site + PathEmbedScript + `"
        data-tag="acme-dashboard" defer></script>

<acme-dashboard dashboard="DASHBOARD-ID"
                token-url="/my/embed-token"></acme-dashboard>`
}

// serverSnippet is what the server of another site does at /my/embed-token.
func (p EmbeddingProps) serverSnippet() string {
	return `curl ` + p.Site + PathEmbedToken + ` \
  -H "Authorization: Bearer $EMBED_KEY" \
  -d '{"dashboards": ["DASHBOARD-ID"],
       "filters": {"region": ["EMEA"]},
       "attributes": {"customer": ["4711"]}}'`
}

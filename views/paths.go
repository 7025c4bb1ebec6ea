package views

// Paths that the shell and the base pages link to. A path with an id comes
// from a function, so that no template builds one by hand.
const (
	PathHome       = "/"
	PathDashboards = "/dashboards"
	PathDatasets   = "/datasets"
	PathSearch     = "/search" // ?q=: SearchResults for the search dialog
	PathSettings   = "/settings"
	PathMembers    = "/settings/members"
	PathAccount    = "/account"
	PathOutbox     = "/outbox"
	PathNotices    = "/notifications"
	PathSignIn     = "/signin"
	PathSignOut    = "/signout" // POST
	PathForgot     = "/forgot"
	PathReset      = "/reset"
	PathSetup      = "/setup"
	PathSSO        = "/signin/sso"
	PathLink       = "/signin/link"
	PathCode       = "/signin/code"
	PathSignUp     = "/signup"
	PathFactor     = "/account/two-factor"
	PathSwitch     = "/workspaces/switch" // POST workspace, next
	PathTheme      = "/account/theme"     // POST theme, next; sets the cookie ThemeCookie
)

// ThemeCookie holds auto, light or dark. The browser sets it itself when the
// theme is switched, so that the next page comes in the right colours at once.
const ThemeCookie = "theme"

// PathSignInSettings is the page of single sign-on and of what sign-in demands.
const PathSignInSettings = PathSettings + "/sign-in"

// PathSAML is an address of a workspace for its SAML provider: "start", "acs".
func PathSAML(slug, what string) string { return "/saml/" + slug + "/" + what }

// PathOIDC is an address of a workspace for its OpenID provider.
func PathOIDC(slug, what string) string { return "/oidc/" + slug + "/" + what }

// PathDashboard is the page of a dashboard.
func PathDashboard(id string) string { return PathDashboards + "/" + id }

// PathDataset is the page of a dataset.
func PathDataset(id string) string { return PathDatasets + "/" + id }

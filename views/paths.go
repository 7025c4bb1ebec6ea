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
	PathSwitch     = "/workspaces/switch" // POST workspace, next
	PathTheme      = "/account/theme"     // POST theme, next; sets the cookie ThemeCookie
)

// ThemeCookie holds auto, light or dark. The browser sets it itself when the
// theme is switched, so that the next page comes in the right colours at once.
const ThemeCookie = "theme"

// PathDashboard is the page of a dashboard.
func PathDashboard(id string) string { return PathDashboards + "/" + id }

// PathDataset is the page of a dataset.
func PathDataset(id string) string { return PathDatasets + "/" + id }

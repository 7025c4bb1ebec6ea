package views

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/brand"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/static"
	"github.com/dataflowhq/dataflow/views/ui"
)

// go test ./views -run TestGallery -gallery=DIR writes every base page as HTML
// into DIR, to be looked at: link static/dist as DIR/static and serve DIR.
var galleryDir = flag.String("gallery", "", "write the base pages into this folder")

var galleryNow = time.Date(2026, 6, 15, 14, 32, 7, 0, time.FixedZone("BST", 3600))

func ago(d time.Duration) When { return When{At: galleryNow.Add(-d), Now: galleryNow} }

func galleryShell() Shell {
	workspaces := []WorkspaceLink{
		{ID: "1", Name: "Meridian Outfitters", Detail: "Enterprise · Frankfurt"},
		{ID: "2", Name: "Ashby & Vale", Detail: "Starter"},
	}
	return Shell{
		Workspace: workspaces[0], Workspaces: workspaces,
		User: ShellUser{ID: "u7", Name: "Ines Okafor", Email: "ines.okafor@meridian.example", Role: "Workspace owner"},
		Nav:  NavAccess{Data: true, Settings: true, Outbox: true}, Nonce: "n0nce", Path: "/",
	}
}

func galleryHome() HomeProps {
	names := []string{"Trading & delivery", "Stock cover by region", "Returns & refunds", "Supplier scorecard", "Store labour vs footfall", "Weekly board pack"}
	owners := []string{"Ines Okafor", "Tom Reyes", "Priya Nair", "Luca Brandt", "Tom Reyes", "Ines Okafor"}
	p := HomeProps{
		Active: NavDashboards, Path: PathDashboards, Total: 64, Matches: 64, CanEdit: true, GridHref: "?layout=grid", ListHref: "?layout=list", MoreHref: "?page=2",
		Owners: []ui.Option{{Value: "1", Label: "Ines Okafor", Count: "12"}, {Value: "2", Label: "Tom Reyes", Count: "4"}},
		Tags:   []ui.Option{{Value: "weekly", Count: "3"}},
		Sorts:  []ui.Option{{Value: "opened", Label: "Last opened", Selected: true}, {Value: "name", Label: "Name"}},
		Drop:   &DropProps{Action: "/uploads", Accept: ".csv", Title: "Drop to load", Text: "CSV, JSON, Parquet or Excel"},
	}
	for i, name := range []string{"Trading", "Supply chain", "Finance", "People", "Customer portals"} {
		p.Folders = append(p.Folders, FolderCard{ID: fmt.Sprint(i), Name: name, Count: 9 + i, Href: "?folder=" + fmt.Sprint(i)})
	}
	for i, name := range names {
		p.Cards = append(p.Cards, DashboardCard{ID: fmt.Sprint("d", i), Name: name, Folder: "Trading", Widgets: 10 - i, Live: i == 0, Starred: i%2 == 0,
			OwnerKey: owners[i], OwnerName: owners[i], CanEdit: true, When: ago(time.Duration(i*i*i*20+2) * time.Minute),
			Thumbnail: templ.Raw(`<svg viewBox="0 0 374 199"><rect x="2" y="2" width="120" height="60" rx="3" fill="var(--color-base-100)" stroke="var(--df-line)"/><rect x="130" y="2" width="240" height="190" rx="3" fill="var(--color-base-100)" stroke="var(--df-line)"/><path d="M140 160l40-60 40 30 40-80 40 60 40-30" fill="none" stroke="var(--c1)" stroke-width="2"/></svg>`)})
	}
	return p
}

func galleryMembers() MembersProps {
	roles := []ui.Option{{Value: "owner", Label: "Owner"}, {Value: "admin", Label: "Admin"}, {Value: "editor", Label: "Editor"}, {Value: "viewer", Label: "Viewer"}}
	p := MembersProps{Count: 86, Roles: roles, SeatsUsed: 86, Seats: 100, Summary: "1–7 of 86", Page: 1, Pages: 13, Next: "?page=2", CanManage: true}
	for i, name := range []string{"Ines Okafor", "Tom Reyes", "Priya Nair", "Luca Brandt", "Hana Sato", "Ossian Kerr", "Mara Lindqvist"} {
		m := MemberRow{ID: fmt.Sprint("m", i), Name: name, Email: strings.ToLower(strings.ReplaceAll(name, " ", ".")) + "@meridian.example", Role: roles[i%4].Value, RoleLabel: roles[i%4].Label,
			Roles: roles, CanRemove: i > 0, Self: i == 0, LastActive: ago(time.Duration(i*i*90) * time.Minute)}
		if i == 6 {
			m.Invited, m.LastActive = "13 Jun", When{}
		}
		p.People = append(p.People, m)
	}
	return p
}

func galleryAccount() AccountProps {
	return AccountProps{
		Name: "Ines Okafor", Email: "ines.okafor@meridian.example", Locales: []ui.Option{{Value: "en-GB", Label: "English (United Kingdom)"}}, Zones: []ui.Option{{Value: "Europe/London"}},
		Example: "1,234.5 · 15 Jun 2026, 14:32", MinLength: 10, PasswordErrors: map[string]string{"current": "This is not your password."},
		Sessions: []SessionRow{{ID: "1", Device: "Chrome on Linux", Detail: "192.0.2.7", Current: true}, {ID: "2", Device: "Safari on iPhone", Detail: "198.51.100.4", Phone: true, Seen: ago(3 * time.Hour)}},
	}
}

func galleryPages() map[string]templ.Component {
	s := galleryShell()
	out := Shell{Nonce: "n0nce", Workspace: WorkspaceLink{Name: "insights.northlake.health"}}
	home := galleryHome()
	homeRecent := home
	homeRecent.Active, homeRecent.Path = NavHome, PathHome
	empty := HomeProps{Active: NavHome, Path: PathHome, Drop: home.Drop}
	list := home
	list.List = true
	nothing := home
	nothing.Cards, nothing.Search, nothing.Filtered = nil, "xyz", true
	members := galleryMembers()
	invite := members
	invite.Invite = InviteForm{Email: "nobody", Role: "viewer", Open: true, Errors: map[string]string{"email": "Enter an address like name@example.com."}}
	pages := map[string]templ.Component{
		"signin":      SignInPage(out, SignInProps{Email: "j.marsh@partner-labs.example", CanReset: true}),
		"signin-bad":  SignInPage(out, SignInProps{Email: "j.marsh@partner-labs.example", CanReset: true, Error: "Email and password do not match.", Code: "signin.mismatch", Demo: "Demo: sign in as demo@example.com with the password printed on the console."}),
		"choose":      WorkspaceChoicePage(out, WorkspaceChoiceProps{Workspaces: s.Workspaces}),
		"forgot":      ForgotPage(out, ForgotProps{}),
		"forgot-sent": ForgotPage(out, ForgotProps{Sent: true, Email: "ines@meridian.example", Outbox: true}),
		"reset":       ResetPage(out, ResetProps{Email: "ines@meridian.example", MinLength: 10, Errors: map[string]string{"password": "Use 10 characters or more."}}),
		"setup":       SetupPage(out, SetupProps{MinLength: 10}),
		"invite":      InvitePage(out, InviteProps{Workspace: "Meridian Outfitters", Role: "Editor", Email: "mara.l@meridian.example", Action: "/invite", MinLength: 10}),
		"home":        HomePage(s, homeRecent),
		"dashboards":  HomePage(s, home),
		"list":        HomePage(s, list),
		"empty":       HomePage(s, empty),
		"nothing":     HomePage(s, nothing),
		"account":     AccountPage(s, galleryAccount()),
		"settings":    SettingsPage(s, SettingsProps{Name: "Meridian Outfitters", Slug: "meridian", Plan: "Enterprise", Zones: []ui.Option{{Value: "Europe/London"}}, Locales: []ui.Option{{Value: "en-GB", Label: "English (United Kingdom)"}}, CanEdit: true}),
		"members":     MembersPage(s, members),
		"invite-bad":  MembersPage(s, invite),
		"outbox":      OutboxPage(s, OutboxProps{Demo: true, Mails: []MailRow{{ID: "1", State: MailKept, To: "ines@meridian.example", Subject: "Reset your password", Text: "Somebody asked to reset the password of your account.", Link: "http://127.0.0.1:8080/reset?token=abc", At: ago(4 * time.Minute)}}}),
		"error":       ErrorPage(s, ErrorProps{Status: 404, Title: "Nothing here", Text: "This dashboard does not exist or was removed.", Code: "dashboards.not_found", RequestID: "01J9", SignedIn: true}),
		"error-500":   BareErrorPage(out, ErrorProps{Status: 500, Title: "Something went wrong", Text: "The problem was recorded.", Code: "internal.error", RequestID: "01J9"}),
		"parts":       within(Page(s, PageProps{Title: "Parts", Active: NavData, Crumbs: []Crumb{{Label: "Data", Href: "/datasets"}}, Status: ui.Steps("Steps", []ui.Step{{Label: "Choose type", State: ui.StepDone, Href: "#"}, {Label: "Review schema", State: ui.StepCurrent}, {Label: "Load"}}), Header: ui.Button(ui.ButtonProps{Label: "Save and close", Kind: ui.Ghost}), Footer: galleryFooter()}), galleryParts()),
		"widgets":     galleryWidgets(s),
		"charts":      galleryCharts(s),
		"states":      galleryStates(s),
		"brand":       within(Page(s, PageProps{Title: "Look", Active: NavSettings, Styles: BrandStyles, Scripts: BrandScripts}), BrandForm(galleryBrand(ashbyBrand))),
		"brand-bad":   within(Page(s, PageProps{Title: "Look", Active: NavSettings, Styles: BrandStyles, Scripts: BrandScripts}), BrandForm(galleryBrandBad())),
	}
	maps.Copy(pages, galleryPortal())
	return pages
}

var (
	ashbyBrand = brand.Brand{Name: "Ashby & Vale", Colour: "#6D1F3B", Tone: brand.Warm, Corners: brand.Sharp, Font: "Figtree", HeadFont: "Fraunces", Charts: brand.Charts{Preset: "heritage"},
		Footer: "Ashby & Vale Ltd, 12 Mill Lane, Leeds", Links: []brand.Link{{Label: "Legal", URL: "https://ashby.example/legal"}, {Label: "Privacy", URL: "https://ashby.example/privacy"}}}
	northlakeBrand = brand.Brand{Name: "Northlake Health", Colour: "#0B5F63", Corners: brand.Round,
		Tagline: "Bed occupancy, waiting times and theatre use, updated every five seconds.", Subline: "9 hospitals and 214 wards. Access is logged and limited to your role."}
	sunBrand = brand.Brand{Name: "Sonnenhof Reisen", Colour: "#FFC400", Tone: brand.Cool, Corners: brand.Soft, Font: "Public Sans", HeadFont: "Source Serif 4", Tagline: "Every booking, by the hour.", Subline: "For partners of Sonnenhof."}
)

func galleryBrand(b brand.Brand) BrandFormProps {
	checked, notes, err := b.Checked()
	if err != nil {
		panic(err)
	}
	return BrandFormProps{Action: "/portals/1/brand", Preview: "/portals/1/brand/preview", Brand: checked, Notes: notes, LogoDark: "ashby.svg",
		Locales: []ui.Option{{Label: "As the workspace"}, {Value: "en-GB", Label: "English (United Kingdom)"}}}
}

func galleryBrandBad() BrandFormProps {
	p := galleryBrand(brand.Brand{Name: "Sonnenhof Reisen", Colour: "#7A7A7A", Corners: brand.Round, LiveColour: "#FFC400", Charts: brand.Charts{Colours: []string{"#C0392B", "#8B7A1B", "#F4F4F4"}}})
	p.LogoURL, p.LogoDark = "", ""
	p.Errors = map[string]string{"name": "Enter the name that visitors know you by.", "logo": "The SVG contains <script>, which a logo can't have. Save it with shapes alone.", "links.0.url": "Enter an address that begins with https://."}
	p.Error = "Some fields of the brand need a change."
	return p
}

// galleryFrame is a page of a portal; TestGallery writes the sheet.
func galleryFrame(b brand.Brand, sheet, title string) PortalFrame {
	return PortalFrame{Name: b.Name, Title: title, Stylesheet: sheet, Fonts: b.Fonts(), IconURL: "mark.svg", Nonce: "n0nce", Path: "/"}
}

func galleryPortal() map[string]templ.Component {
	theme := PortalTheme{Action: "/theme", Next: "/"}
	header := PortalHeaderProps{Logo: PortalLogo{Name: ashbyBrand.Name, URL: "ashby.svg"}, Home: "/", Downloads: "/downloads",
		Nav:     []PortalLink{{Label: "Trading", Href: "/d/1", Current: true}, {Label: "Stock", Href: "/d/2"}, {Label: "Returns", Href: "/d/3"}, {Label: "Downloads", Href: "/downloads"}},
		Visitor: PortalMenu{Kind: "Concession partner", Name: "Halden Knitwear", Email: "mari@halden.example", Account: "/account", SignOut: "/signout", Theme: theme}}
	footer := PortalFooterProps{Text: ashbyBrand.Footer, Links: brandLinks(ashbyBrand)}
	sun := header
	sun.Logo, sun.Visitor.Kind = PortalLogo{Name: sunBrand.Name}, ""
	panel := func(b brand.Brand) PortalPanel {
		return PortalPanel{Logo: PortalLogo{Name: b.Name}, Tagline: b.Tagline, Subline: b.Subline, Theme: theme, Footer: PortalFooterProps{Text: "Data held in Frankfurt", Links: []PortalLink{{Label: "Privacy", Href: "https://example.com/privacy"}, {Label: "Status", Href: "https://example.com/status"}}}}
	}
	return map[string]templ.Component{
		"portal":          within(PortalPage(galleryFrame(ashbyBrand, "ashby.css", "Trading & delivery"), header, footer), galleryPortalBoard()),
		"portal-sun":      within(PortalPage(galleryFrame(sunBrand, "sun.css", "Trading & delivery"), sun, footer), galleryPortalBoard()),
		"portal-signin":   PortalSignIn(galleryFrame(northlakeBrand, "northlake.css", "Sign in"), PortalSignInProps{Panel: panel(northlakeBrand), Action: "/signin", Forgot: "/forgot", Email: "j.marsh@partner-labs.example", SSO: "/sso", SSOLabel: "Continue with Northlake SSO", SSOHint: "Required for staff accounts"}),
		"portal-password": PortalSignIn(galleryFrame(sunBrand, "sun.css", "Sign in"), PortalSignInProps{Panel: panel(sunBrand), Action: "/signin", Error: "Email and password do not match.", Code: "signin.mismatch"}),
		"portal-message":  PortalMessage(galleryFrame(ashbyBrand, "ashby.css", "Nothing here"), PortalMessageProps{Header: PortalHeaderProps{Logo: header.Logo, Home: "/"}, Footer: footer, Icon: "search-x", Title: "Nothing here", Text: "This page does not exist or was removed.", Code: "portal.not_found", RequestID: "01J9", ActionLabel: "To the dashboards", ActionHref: "/"}),
	}
}

func galleryPortalBoard() templ.Component {
	tile := func(t dashboards.Tile, x, y, w, h int) templ.Component {
		t.ID, t.Layout = fmt.Sprint("w", x, "-", y), dashboards.Layout{X: x, Y: y, W: w, H: h}
		if t.Drawing != nil {
			t.Type = t.Drawing.Type
		}
		return DashboardTile(TileProps{Locale: locale.Default(), Tile: &t})
	}
	return templ.Join(
		PortalHeading(PortalHeadingProps{Title: "Trading & delivery", Status: templ.Join(ui.LiveMark("Live"), templ.Raw(`<span>Data as of 14:32:07 BST</span>`)),
			Actions: templ.Join(ui.Button(ui.ButtonProps{Label: "18 May – 14 Jun 2026", Icon: "calendar", IconEnd: "chevron-down"}), templ.Raw(`<span class="chip"><span class="chip-text">Region <b>North</b></span><button class="chip-remove" aria-label="Remove Region North">×</button></span>`), ui.Button(ui.ButtonProps{Label: "PDF", Icon: "download"}))}),
		templ.Raw(`<div class="dash">`),
		tile(dashboards.Tile{Title: "Net sales", Drawing: goldenDrawing("kpi")}, 0, 0, 3, 3),
		tile(dashboards.Tile{Title: "Net sales and 14-day forecast", Subtitle: "Daily, all channels", Drawing: goldenDrawing("line")}, 3, 0, 9, 9),
		tile(dashboards.Tile{Title: "Sales by channel", Subtitle: "£k per week, ISO weeks 17–24", Drawing: goldenDrawing("stacked_bar")}, 0, 9, 8, 8),
		tile(dashboards.Tile{Title: "Orders by hour", Drawing: goldenDrawing("heatmap")}, 8, 9, 4, 8),
		templ.Raw(`</div>`))
}

// Nothing that a portal's visitor is sent names the product.
func TestPortalsDoNotNameTheProduct(t *testing.T) {
	t.Parallel()
	pages := galleryPortal()
	pages["preview"] = BrandPreview(BrandPreviewProps{Brand: ashbyBrand, Live: true})
	for name, page := range pages {
		var b strings.Builder
		if err := page.Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(b.String()), "dataflow") {
			t.Errorf("%s names the product", name)
		}
	}
	for _, b := range []brand.Brand{ashbyBrand, northlakeBrand, sunBrand, {}} {
		if text := string(b.CSS(static.URL)) + string(brand.Mark(b.Name, b.Colour)); strings.Contains(strings.ToLower(text), "dataflow") {
			t.Errorf("the sheet of %q names the product", b.Name)
		}
	}
}

// What was typed stays text, and out of styles.
func TestHostileBrand(t *testing.T) {
	t.Parallel()
	const bad = `"><img src=x onerror=alert(1)>;}body{display:none}`
	b := brand.Brand{Name: bad, Colour: bad, Tone: bad, Corners: bad, Font: bad, HeadFont: bad, Charts: brand.Charts{Preset: bad, Colours: []string{bad}}, LiveColour: bad, Tagline: bad, Footer: bad, Links: []brand.Link{{Label: bad, URL: "javascript:alert(1)"}}}
	for name, page := range map[string]templ.Component{
		"form": BrandForm(BrandFormProps{Brand: b, Action: "/x", Preview: "/y"}), "preview": BrandPreview(BrandPreviewProps{Brand: b, Live: true}),
		"header": PortalHeader(PortalHeaderProps{Logo: PortalLogo{Name: bad, URL: bad}, Home: "javascript:alert(1)", Visitor: PortalMenu{Name: bad, Kind: bad}}),
	} {
		var out strings.Builder
		if err := page.Render(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		if text := out.String(); strings.Contains(text, "<img src=x") || strings.Contains(text, `href="javascript:`) || strings.Contains(text, "display:none}") && strings.Contains(text, `style="`+bad) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// Live previews renew the notes beside the fields.
func TestBrandPreviewNotes(t *testing.T) {
	t.Parallel()
	p := galleryBrandBad().preview()
	p.Live, p.Errors = true, map[string]string{"charts": "Give at most 7 chart colours."}
	var out strings.Builder
	if err := BrandPreview(p).Render(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "&amp;#34;") || !strings.Contains(out.String(), `--df-font:&#34;Inter Variable&#34;`) {
		t.Error("the style's quotes are not escaped once")
	}
	for _, want := range []string{`<hx-partial hx-target="#brand-notes-colour"`, "Darkened a little, to #", "Colour 3 (#F4F4F4) is hard to see", "Give at most 7 chart colours."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s", want)
		}
	}
}

func galleryFooter() templ.Component {
	return templ.Join(ui.Button(ui.ButtonProps{Label: "Back", Kind: ui.Ghost}), templ.Raw(`<span class="foot-note">Rejected rows never block the rest of the file</span>`), ui.Button(ui.ButtonProps{Label: "Fix and re-read"}), ui.Button(ui.ButtonProps{Label: "Load 8,412 rows", Kind: ui.Filled}))
}

func galleryParts() templ.Component {
	filter := ui.FilterSelectProps{ID: "fs", Name: "f", Label: "Channel", Summary: "All", Search: "Find", Apply: "Apply", Clear: "Clear", NoMatch: "Nothing found", Options: []ui.Option{{Value: "In store", Count: "12"}, {Value: "Home delivery", Count: "7", Selected: true}}}
	return templ.Join(
		templ.Raw(`<div class="toolbar">`),
		ui.Button(ui.ButtonProps{Label: "Filled", Kind: ui.Filled}), ui.Button(ui.ButtonProps{Label: "Outline", Icon: "download"}), ui.Button(ui.ButtonProps{Label: "Ghost", Kind: ui.Ghost}),
		ui.Button(ui.ButtonProps{Label: "Danger", Kind: ui.Danger}), ui.Button(ui.ButtonProps{Label: "Small", Size: ui.Small}), ui.Button(ui.ButtonProps{Label: "Off", Disabled: true}), ui.Button(ui.ButtonProps{Label: "Filled, off", Kind: ui.Filled, Disabled: true}),
		ui.Button(ui.ButtonProps{Label: "text", IconEnd: "chevron-down", Icon: "type", Size: ui.Small}),
		ui.FilterSelect(filter),
		ui.DateRange(ui.DateRangeProps{ID: "dr", Name: "d", Label: "Date range", Summary: "18 May – 14 Jun 2026", Detail: "28 days", FromLabel: "From", ToLabel: "To", Custom: "Custom range", Apply: "Apply", From: "2026-05-18", To: "2026-06-14", Presets: []ui.DatePreset{{Label: "Last 7 days", Value: "7d", Detail: "8 – 14 Jun"}, {Label: "Last 28 days", Value: "28d", Selected: true}}}),
		ui.Chip(ui.ChipProps{Icon: "chart-bar", Field: "Region", Value: "North", Remove: "Remove", Href: "#"}),
		templ.Raw(`</div><div class="toolbar">`),
		ui.Tag(ui.TagProps{Label: "Neutral"}), ui.Tag(ui.TagProps{Label: "Primary key", Icon: "key-round", Tone: ui.Brand}), ui.Tag(ui.TagProps{Label: "209 rejected", Tone: ui.Negative}), ui.Tag(ui.TagProps{Label: "read as day/month", Tone: ui.Warning}), ui.Tag(ui.TagProps{Label: "Healthy", Icon: "check", Tone: ui.Positive}), ui.LiveTag("Live"),
		ui.Delta(ui.DeltaProps{Magnitude: "6.2%", Direction: 1, Good: true}), ui.Delta(ui.DeltaProps{Magnitude: "1.4%", Direction: -1, Bad: true}), ui.Avatar(ui.AvatarProps{Name: "Ines Okafor"}), ui.Kbd("Ctrl K"),
		ui.Segments("Theme", "seg", []ui.Segment{{Label: "Build", Value: "a", Selected: true}, {Label: "Layers", Value: "b"}}),
		templ.Raw(`<div class="toolbar-end stats">`), ui.Stat(ui.StatProps{Value: "8,412", Label: "will load", Tone: ui.Positive}), ui.Stat(ui.StatProps{Value: "214", Label: "rejected", Tone: ui.Negative}), ui.Stat(ui.StatProps{Value: "6", Label: "columns"}), templ.Raw(`</div></div>`),
		ui.Notice(ui.NoticeProps{Text: "Three columns changed since the last load.", Title: "Review the schema"}), ui.Notice(ui.NoticeProps{Tone: ui.Warning, Text: "Day and month can't be told apart.", Code: "ingest.ambiguous_date"}), ui.Notice(ui.NoticeProps{Tone: ui.Negative, Text: "The file could not be read.", Code: "ingest.unreadable"}), ui.Notice(ui.NoticeProps{Tone: ui.Positive, Text: "Flights was loaded."}),
		templ.Raw(`<div class="form-row">`),
		ui.TextField(ui.InputProps{ID: "t1", Label: "Name", Value: "sales_daily", Hint: "Letters, digits and _."}), ui.TextField(ui.InputProps{ID: "t2", Label: "Name", Value: "sales daily", Error: "No spaces, please use _."}), ui.SelectField(ui.SelectProps{InputProps: ui.InputProps{ID: "t3", Label: "Type"}, Options: []ui.Option{{Value: "text"}, {Value: "decimal"}}}), ui.TextArea(ui.InputProps{ID: "t4", Label: "Note"}),
		templ.Raw(`</div><div class="toolbar">`), ui.Checkbox(ui.CheckProps{ID: "c1", Label: "Load", Checked: true}), ui.Checkbox(ui.CheckProps{ID: "c2", Label: "Skip"}), ui.Radio(ui.CheckProps{ID: "r1", Label: "Replace", Checked: true}), ui.Switch(ui.CheckProps{ID: "s1", Label: "Follow filters", Checked: true}), ui.Switch(ui.CheckProps{ID: "s2", Label: "Off"}), templ.Raw(`</div>`),
		ui.Progress(ui.ProgressProps{Value: 42, Of: 100, Label: "Loading"}), ui.Progress(ui.ProgressProps{Label: "Reading"}),
		ui.EmptyState(ui.EmptyProps{Icon: "search-x", Title: "No orders match these filters", Text: "Region is North and Channel is Click & collect on 14 Jun."}),
	)
}

// galleryWidgets shows the widget's markup with charts as domain/charts draws
// them in its own tests.
func galleryWidgets(s Shell) templ.Component {
	golden := func(name string) (chart, points string) {
		text, err := os.ReadFile(filepath.Join("..", "domain", "charts", "testdata", name+".json"))
		if err != nil {
			return "", ""
		}
		var drawing struct{ Chart, Points json.RawMessage }
		if json.Unmarshal(text, &drawing) != nil {
			return "", ""
		}
		return string(drawing.Chart), string(drawing.Points)
	}
	var b strings.Builder
	tile := func(id, title, sub, layout, class, body string) {
		fmt.Fprintf(&b, `<section class="w %s" style="%s" aria-label="%s" tabindex="-1"><header class="w-head"><div class="w-names"><div class="w-line"><h2 class="w-title">%s</h2></div>`, class, layout, title, title)
		if sub != "" {
			fmt.Fprintf(&b, `<p class="w-sub">%s</p>`, sub)
		}
		fmt.Fprintf(&b, `</div></header>%s</section>`, body)
	}
	kpi := `<div class="w-body"><div class="kpi"><span class="kpi-value">£2.02M</span><span class="kpi-note"><span class="delta delta-pos"><span class="num">6.2%</span></span> <span>vs £1.90M</span></span></div><svg class="df-spark" viewBox="0 0 104 36" style="--spark:var(--c1)"><path class="df-spark-area" d="M3 30L30 10L60 25L101 5L101 36L3 36Z"/><path class="df-spark-line" d="M3 30L30 10L60 25L101 5"/><circle class="df-spark-dot" cx="101" cy="5" r="2.5"/></svg></div>`
	for i, title := range []string{"Net sales", "Orders", "On-time delivery"} {
		tile("k", title, "", fmt.Sprintf("--x:1;--y:%d;--w:3;--h:3", 1+3*i), "w-kpi", kpi)
	}
	chart := func(name, title, layout string) {
		data, _ := golden(name)
		tile(name, title, "Daily, all channels", layout, "", `<div class="w-body"><df-chart data-widget="`+name+`" aria-label="`+title+`"><script type="application/json">`+data+`</script></df-chart></div>`)
	}
	chart("line", "Net sales", "--x:4;--y:1;--w:9;--h:9")
	_, points := golden("map")
	tile("map", "Airports", "Flights by origin", "--x:1;--y:10;--w:5;--h:8", "", `<div class="w-body w-full"><df-map data-widget="map" labels="8" aria-label="Airports"><script type="application/json">`+points+`</script></df-map></div>`)
	chart("stacked_bar", "Sales by channel", "--x:6;--y:10;--w:4;--h:8")
	chart("donut", "Category mix", "--x:10;--y:10;--w:3;--h:8")
	chart("heatmap", "Orders by hour", "--x:1;--y:18;--w:4;--h:9")
	chart("bar", "Net sales by region", "--x:5;--y:18;--w:4;--h:9")
	tile("skel", "Loading", "Skeleton after 150 ms", "--x:9;--y:18;--w:4;--h:9", "", `<div class="w-body"><div class="skel skel-bars">`+strings.Repeat("<i></i>", 8)+`</div></div>`)
	return within(Page(s, PageProps{Title: "Trading & delivery", Active: NavDashboards, Rail: true, Bare: true, Crumbs: []Crumb{{Label: "Dashboards", Href: "#"}, {Label: "Trading", Href: "#"}}, Status: ui.LiveMark("Live"), Header: templ.Join(ui.Button(ui.ButtonProps{Label: "Share", Icon: "share-2"}), ui.Button(ui.ButtonProps{Label: "Edit", Icon: "pencil", Kind: ui.Filled}))}), templ.Raw(`<div class="dash">`+b.String()+`</div>`))
}

// galleryCharts shows every golden drawing through the page's own templates.
func galleryCharts(s Shell) templ.Component {
	l := locale.Default()
	var tiles []templ.Component
	names, _ := filepath.Glob(filepath.Join("..", "domain", "charts", "testdata", "*.json"))
	for i, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		var golden struct {
			charts.Drawing
			Chart, Points json.RawMessage
		}
		if json.Unmarshal(text, &golden) != nil || golden.State != charts.Ready {
			continue
		}
		d := golden.Drawing
		d.Chart, d.Points = golden.Chart, golden.Points
		id := strings.TrimSuffix(filepath.Base(name), ".json")
		size := d.Type.DefaultSize()
		tiles = append(tiles, DashboardTile(TileProps{Locale: l, Tile: &dashboards.Tile{ID: id, Key: id, Type: d.Type, Title: id, Subtitle: "Golden drawing",
			Layout: dashboards.Layout{X: i % 2 * 6, Y: i / 2 * 9, W: max(min(size.W, 6), 3), H: min(size.H, 9)}, Drawing: &d, Page: 1}}))
	}
	return within(Page(s, PageProps{Title: "Charts", Active: NavDashboards, Rail: true, Bare: true}),
		templ.Join(templ.Raw(`<div class="dash">`), templ.Join(tiles...), templ.Raw(`</div>`)))
}

func goldenDrawing(name string) *charts.Drawing {
	text, err := os.ReadFile(filepath.Join("..", "domain", "charts", "testdata", name+".json"))
	if err != nil {
		return nil
	}
	var golden struct {
		charts.Drawing
		Chart, Points json.RawMessage
	}
	if json.Unmarshal(text, &golden) != nil {
		return nil
	}
	d := golden.Drawing
	d.Chart, d.Points = golden.Chart, golden.Points
	return &d
}

// galleryStates shows every state of a widget, in the order of the design's
// picture.
func galleryStates(s Shell) templ.Component {
	var tiles []templ.Component
	add := func(t dashboards.Tile, x, y, w, h int, change ...func(*TileProps)) {
		t.ID, t.Key, t.Page = fmt.Sprint("s", len(tiles)), "k", 1
		t.Layout = dashboards.Layout{X: x, Y: y, W: w, H: h}
		p := TileProps{Locale: locale.Default(), Tile: &t}
		for _, c := range change {
			c(&p)
		}
		tiles = append(tiles, DashboardTile(p))
	}
	tiles = append(tiles, templ.Raw(`<div class="wait" style="--x:1;--y:1;--w:3;--h:3">`), ui.Skeleton(skeletonOf(charts.KPI)), templ.Raw(`</div>`))
	add(dashboards.Tile{Type: charts.KPI, Title: "Net sales", Drawing: goldenDrawing("kpi_empty")}, 3, 0, 3, 3)
	add(dashboards.Tile{Type: charts.KPI, Title: "On-time delivery", Drawing: goldenDrawing("kpi")}, 6, 0, 3, 3, func(p *TileProps) { p.StaleAt = "13:00" })
	add(dashboards.Tile{Type: charts.KPI, Title: "Gross margin", Err: access.ErrForbidden}, 9, 0, 3, 3)
	tiles = append(tiles, templ.Raw(`<div class="wait" style="--x:1;--y:4;--w:4;--h:7">`), ui.Skeleton(skeletonOf(charts.Bar)), templ.Raw(`</div>`))
	add(dashboards.Tile{Type: charts.Bar, Title: "Empty", Subtitle: "Says what to change, offers one action", Drawing: &charts.Drawing{Type: charts.Bar, State: charts.Empty},
		Filters: []dashboards.FilterNote{{Field: "Region", Text: "North", Cross: true}, {Field: "Channel", Text: "Click & collect"}}}, 4, 3, 4, 7)
	add(dashboards.Tile{Type: charts.Bar, Title: "Error", Subtitle: "Cause, effect, next step, reference", Err: apperr.Define(apperr.Unavailable, "gallery.timeout", "The query took longer than 30 s and was stopped."),
		LastGood: &dashboards.LastGood{At: "a", Time: galleryNow}}, 8, 3, 4, 7, func(p *TileProps) { p.LastGoodAt = "14:15" })
	add(dashboards.Tile{Type: charts.StackedBar, Title: "Sampled", Subtitle: "£k per week", Drawing: goldenDrawing("stacked_bar"), Sampled: &dashboards.Sampled{Rate: 10, Error: 0.006}}, 0, 10, 4, 7)
	add(dashboards.Tile{Type: charts.Heatmap, Title: "Refreshing", Subtitle: "Old data stays; a 2 px bar runs under the header", Drawing: goldenDrawing("heatmap")}, 4, 10, 4, 7)
	add(dashboards.Tile{Type: charts.Bar, Title: "Not set up", Subtitle: "Editor only", Draft: true, Unset: true}, 8, 10, 4, 7)
	add(dashboards.Tile{Type: charts.Line, Title: "Selected", Subtitle: "Filters the other widgets", Drawing: goldenDrawing("line"), Selected: "14 Jun"}, 0, 17, 4, 6)
	add(dashboards.Tile{Type: charts.Bar, Title: "No access", Subtitle: "Same size, no values in the page source", Err: access.ErrForbidden}, 4, 17, 4, 6)
	add(dashboards.Tile{Type: charts.Donut, Title: "Unfit", Subtitle: "Says why, and what could show it", Draft: true, Drawing: &charts.Drawing{Type: charts.Donut, State: charts.Unfit,
		Fit: charts.Message{Key: "charts.unfit.negative", Args: []any{"Measure", "Profit", "Name", "North", "Value", "−60"}}}}, 0, 23, 4, 6)
	add(dashboards.Tile{Type: charts.Line, Title: "Too much data", Subtitle: "Never freeze the browser", Drawing: &charts.Drawing{Type: charts.Line, State: charts.TooMuch, Count: 4_200_000}}, 8, 17, 4, 6)
	// What can't be drawn, in the sizes that widgets begin with and the least ones.
	gone := apperr.Define(apperr.Conflict, "gallery.filter_gone", "The column of the filter Name is gone, or hidden from you. Ask who edits the dashboard to take the filter out.")
	for i, f := range []struct {
		t          charts.Type
		x, y, w, h int
	}{
		{charts.KPI, 0, 29, 2, 3}, {charts.KPI, 2, 29, 3, 3}, {charts.KPI, 5, 29, 6, 3}, {charts.Donut, 0, 32, 3, 8}, {charts.Bar, 3, 32, 3, 9}, {charts.Line, 6, 32, 3, 5}, {charts.Table, 9, 32, 3, 6}, {charts.Line, 6, 38, 6, 9},
	} {
		add(dashboards.Tile{Type: f.t, Title: "Value by name", Subtitle: "The 10 largest", Draft: i%2 == 0, Err: gone, LastGood: &dashboards.LastGood{At: "a", Time: galleryNow}}, f.x, f.y, f.w, f.h, func(p *TileProps) { p.LastGoodAt = "17:08" })
	}
	return within(Page(s, PageProps{Title: "Widget states", Active: NavDashboards, Rail: true, Bare: true, Status: ui.LiveMark("Live")}),
		templ.Join(templ.Raw(`<div class="dash">`), templ.Join(tiles...), templ.Raw(`</div>`)))
}

// Hostile names of every kind of drawing that is HTML stay text.
func TestHostileNamesInWidgets(t *testing.T) {
	t.Parallel()
	const bad = `<img src=x onerror=alert(1)>"'`
	status := &charts.Status{Label: bad, Target: bad, Tone: charts.Warn}
	for name, d := range map[string]*charts.Drawing{
		"words":  {Type: charts.WordList, State: charts.Ready, Words: []charts.Word{{Text: bad, Value: bad, Mark: bad, Size: 3}}},
		"facets": {Type: charts.Line, State: charts.Ready, Facets: []charts.Facet{{Name: bad, Mark: bad, Chart: []byte("{}")}}},
		"gauge":  {Type: charts.Gauge, State: charts.Ready, Dial: &charts.Dial{Text: bad, Low: bad, High: bad, Status: status}},
		"kpi":    {Type: charts.KPI, State: charts.Ready, KPI: &charts.Figure{Text: bad, Full: bad, Status: status}},
		"unfit":  {Type: charts.Donut, State: charts.Unfit, Fit: charts.Message{Key: "charts.unfit.negative", Args: []any{"Measure", bad, "Name", bad, "Value", "−60"}}},
		"missed": {Type: charts.Bar, State: charts.Ready, Chart: []byte("{}"), Note: charts.Message{Key: "charts.note.missed", Args: []any{"Count", 1, "Field", bad}}, Missed: []string{bad}},
		"image":  {Type: charts.Image, State: charts.Ready, Image: &charts.Picture{URL: "/a.png", Alt: bad}},
		"pivot": {Type: charts.Pivot, State: charts.Ready, Table: &charts.Grid{Side: 1, Heads: [][]charts.GridHead{{{Text: bad, Span: 1}}}, Columns: []charts.GridColumn{{Label: bad}},
			Rows: []charts.GridRow{{Heading: bad}, {Cells: []charts.GridCell{{Text: bad, Bar: -1}}, Mark: bad}}, Totals: &charts.GridRow{Cells: []charts.GridCell{{Text: bad, Bar: -1}}}}},
	} {
		var b strings.Builder
		tile := &dashboards.Tile{ID: "w", Type: d.Type, Title: bad, Subtitle: bad, Drawing: d}
		if err := DashboardTile(TileProps{Locale: locale.Default(), Tile: tile}).Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "<img src=x") {
			t.Errorf("%s: a name became markup: %s", name, b.String())
		}
	}
}

func within(page, children templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return page.Render(templ.WithChildren(ctx, children), w)
	})
}

func TestGallery(t *testing.T) {
	if *galleryDir == "" {
		return
	}
	for name, content := range map[string][]byte{
		"ashby.css": ashbyBrand.CSS(static.URL), "northlake.css": northlakeBrand.CSS(static.URL), "sun.css": sunBrand.CSS(static.URL), "mark.svg": brand.Mark("Ashby & Vale", "#6D1F3B"),
		"ashby.svg": []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 34 34" fill="none" stroke="#FFF9F2" stroke-width="1.6"><circle cx="17" cy="17" r="16"/><path d="M17 6v22M17 12 8 26M17 12l9 14"/></svg>`),
	} {
		if err := os.WriteFile(filepath.Join(*galleryDir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, page := range galleryPages() {
		var b strings.Builder
		if err := page.Render(t.Context(), &b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(*galleryDir, name+".html"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

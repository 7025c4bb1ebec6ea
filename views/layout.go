package views

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
)

type navEntry struct {
	id    NavID
	label string
	icon  string
	href  string
	keys  string // shortcut
}

// entries are the upper part of the navigation: what the person works with.
func (s Shell) entries(ctx context.Context) []navEntry {
	list := []navEntry{
		{NavHome, messages.T(ctx, "shell.home"), "house", PathHome, "G H"},
		{NavDashboards, messages.T(ctx, "shell.dashboards"), "layout-dashboard", PathDashboards, "G D"},
	}
	if s.Nav.Data {
		list = append(list, navEntry{NavData, messages.T(ctx, "shell.data"), "database", PathDatasets, "G S"})
	}
	if s.Nav.Reports {
		list = append(list, navEntry{NavReports, messages.T(ctx, "shell.reports"), "mail-check", PathSchedules, ""})
	}
	if s.Nav.Alerts {
		list = append(list, navEntry{NavAlerts, messages.T(ctx, "shell.alerts"), "bell-ring", PathAlerts, ""})
	}
	return list
}

// lowEntries are the lower part: running the workspace.
func (s Shell) lowEntries(ctx context.Context) []navEntry {
	var list []navEntry
	if s.Nav.Outbox {
		list = append(list, navEntry{NavOutbox, messages.T(ctx, "shell.outbox"), "mail", PathOutbox, ""})
	}
	if s.Nav.Settings {
		list = append(list, navEntry{NavSettings, messages.T(ctx, "shell.settings"), "settings", PathSettings, ""})
	}
	return list
}

func (s Shell) everyEntry(ctx context.Context) []navEntry {
	list := append(s.entries(ctx), s.lowEntries(ctx)...)
	list = append(list, navEntry{NavNotices, messages.T(ctx, "notify.title"), "bell", PathNotices, ""})
	return append(list, navEntry{NavAccount, messages.T(ctx, "shell.account"), "circle-user-round", PathAccount, ""})
}

// commands are what the search dialog offers to do.
func (s Shell) commands(ctx context.Context) []navEntry {
	var list []navEntry
	if s.Nav.New {
		list = append(list, navEntry{label: messages.T(ctx, "boards.new"), icon: "plus", href: PathNewDashboard})
	}
	if s.Nav.Load {
		list = append(list, navEntry{label: messages.T(ctx, "datasets.load"), icon: "upload", href: PathNewDataset})
	}
	if s.Nav.Settings {
		list = append(list, navEntry{label: messages.T(ctx, "settings.members"), icon: "users", href: PathMembers})
	}
	return list
}

type shortcut struct {
	text string // key of the message
	keys []string
	then bool // one after the other
}

func (s Shell) shortcuts() []shortcut {
	list := []shortcut{
		{"shortcuts.search", []string{"Ctrl", "K"}, false},
		{"shortcuts.home", []string{"G", "H"}, true},
		{"shortcuts.dashboards", []string{"G", "D"}, true},
	}
	if s.Nav.Data {
		list = append(list, shortcut{"shortcuts.data", []string{"G", "S"}, true})
	}
	return append(list, shortcut{"shortcuts.list", []string{"?"}, false})
}

var dashboardShortcuts = []shortcut{
	{"shortcuts.refresh", []string{"R"}, false},
	{"shortcuts.comments", []string{"C"}, false},
	{"shortcuts.filter", []string{"F"}, false},
	{"shortcuts.previous", []string{"["}, false},
	{"shortcuts.next", []string{"]"}, false},
	{"shortcuts.escape", []string{"Esc"}, false},
}

func bodyClass(p PageProps) string {
	class := "shell"
	if p.Rail {
		class += " shell-rail"
	}
	if p.Editor {
		class += " shell-editor"
	}
	return class
}

func mainClass(p PageProps) string {
	if p.Bare {
		return "page page-bare"
	}
	return "page"
}

// shellAttrs gives what lists of pages stand behind the keys G H and so on.
func shellAttrs(s Shell) templ.Attributes {
	return templ.Attributes{"data-keys": onOff(!s.ShortcutsOff)}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func same(a, b string) *bool {
	equal := a == b
	return &equal
}

func (u ShellUser) key() string { return orElse(u.ID, u.Email) }

// htmxConfig keeps htmx within the Content-Security-Policy: no style sheet of
// its own in the page, nothing from other origins, no scripts run out of
// answers unless they carry the page's nonce.
func htmxConfig(nonce string) string {
	config := map[string]any{
		"includeIndicatorCSS": false,
		"mode":                "same-origin",
		"defaultTimeout":      60_000,
		"defaultSettleDelay":  1,
		// Answers of the server's own making are swapped whatever their status:
		// a form with errors is a 422. What has no fragment for its target is
		// shown by app.js.
		"noSwap": []int{204, 304},
		// What a person opened stays open when its part of the page comes anew.
		"morphIgnore": []string{"data-htmx-powered", "open"},
	}
	if nonce != "" {
		config["inlineScriptNonce"] = nonce
	}
	// A map of plain values always encodes.
	text, _ := json.Marshal(config)
	return string(text)
}

var localeTexts sync.Map

// localeJSON is what the browser formats numbers and dates by. encoding/json
// escapes <, > and &, so it can stand in a script element.
func localeJSON(l *locale.Locale) string {
	if text, ok := localeTexts.Load(l.Name); ok {
		return text.(string)
	}
	// A struct of strings and numbers always encodes.
	text, _ := json.Marshal(l)
	localeTexts.Store(l.Name, string(text))
	return string(text)
}

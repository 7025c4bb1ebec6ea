package handlers

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/sessions"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// shell is what a page of a signed-in person needs around its content. It
// takes the flash: call it once, for a page that will be shown.
func shell(w http.ResponseWriter, r *http.Request) (views.Shell, error) {
	i := identity(r)
	s := bareShell(w, r)
	if scopeOf(r).portal != nil {
		s.Zone = i.Zone
		return s, nil
	}
	s.Workspace = views.WorkspaceLink{ID: i.Actor.TenantID.String(), Name: i.TenantName, Detail: i.Plan}
	for _, one := range i.Workspaces {
		s.Workspaces = append(s.Workspaces, views.WorkspaceLink{ID: one.ID.String(), Name: one.Name})
	}
	s.User = views.ShellUser{ID: i.Actor.UserID.String(), Name: i.Name, Email: i.Email, Role: longRole(r, i.Actor)}
	s.Nav = views.NavAccess{
		Data:     access.Can(i.Actor, access.ViewContent) == nil,
		Reports:  access.Can(i.Actor, access.EditContent) == nil,
		Alerts:   access.Can(i.Actor, access.ViewContent) == nil,
		New:      access.Can(i.Actor, access.EditContent) == nil,
		Load:     access.Can(i.Actor, access.ManageData) == nil,
		Search:   views.PathSearch,
		Settings: len(sections(i.Actor)) > 1,
		Sections: sections(i.Actor),
		Outbox:   access.Can(i.Actor, access.ManageWorkspace) == nil,
	}
	if !i.ViewedBy.IsZero() {
		s.ViewedAs = i.Name
	}
	s.Locale, s.Zone, s.ShortcutsOff = locale.For(i.Locale), i.Zone, !i.Shortcuts
	return s, nil
}

// bareShell is the frame of a page for somebody who is not signed in.
func bareShell(w http.ResponseWriter, r *http.Request) views.Shell {
	s := views.Shell{
		Nonce: scopeOf(r).nonce, Path: r.URL.RequestURI(), Theme: theme(r), Flash: takeFlash(w, r),
		Locale: locale.For(r.Header.Get("Accept-Language")),
	}
	if p := scopeOf(r).portal; p != nil {
		p.fill(&s, r)
	}
	return s
}

// theme is what the browser was told last; the person's own choice before that.
func theme(r *http.Request) views.Theme {
	if cookie, err := r.Cookie(views.ThemeCookie); err == nil {
		switch chosen := views.Theme(cookie.Value); chosen {
		case views.ThemeAuto, views.ThemeLight, views.ThemeDark:
			return chosen
		}
	}
	if i := scopeOf(r).identity; i != nil {
		return views.Theme(i.Theme)
	}
	return views.ThemeAuto
}

func setTheme(w http.ResponseWriter, r *http.Request, theme views.Theme) {
	if theme != views.ThemeLight && theme != views.ThemeDark {
		theme = views.ThemeAuto
	}
	// The browser's own code changes it too, so it is no HttpOnly cookie.
	http.SetCookie(w, &http.Cookie{
		Name: views.ThemeCookie, Value: string(theme), Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()),
		Secure: scopeOf(r).secure, SameSite: http.SameSiteLaxMode,
	})
}

// longRole says what the person is, below their name.
func longRole(r *http.Request, a access.Actor) string {
	if a.Custom != nil {
		return a.Custom.Name
	}
	return messages.T(r.Context(), "role."+string(a.Role)+"_long")
}

// sections are those of the settings that somebody may open; the first one is
// anybody's to read.
func sections(a access.Actor) []views.SettingsTab {
	open := []views.SettingsTab{views.SettingsGeneral}
	for _, one := range []struct {
		needs access.Permission
		tabs  []views.SettingsTab
	}{
		{access.ManageMembers, []views.SettingsTab{views.SettingsMembers, views.SettingsGroups, views.SettingsRoles, views.SettingsAPIKeys}},
		{access.ManageWorkspace, []views.SettingsTab{views.SettingsMail, views.SettingsSignIn}},
		{access.ManagePortals, []views.SettingsTab{views.SettingsPortals}},
		{access.ManageEmbedding, []views.SettingsTab{views.SettingsEmbedding}},
		{access.ViewAudit, []views.SettingsTab{views.SettingsAudit}},
	} {
		if access.Can(a, one.needs) == nil {
			open = append(open, one.tabs...)
		}
	}
	return open
}

func roleName(r *http.Request, role access.Role) string {
	return messages.T(r.Context(), "role."+string(role))
}

// flash keeps a sentence for the next page, by the key of its message and its
// arguments in pairs.
func flash(w http.ResponseWriter, r *http.Request, key string, args ...string) error {
	session, err := scopeOf(r).core.flashes.New(r, flashCookie)
	if err != nil && session == nil {
		return fmt.Errorf("keep notice: %w", err)
	}
	session.Options = cookieOptions(scopeOf(r).secure)
	session.Options.MaxAge = 60
	session.Values["key"], session.Values["args"] = key, args
	if err := session.Save(r, w); err != nil {
		return fmt.Errorf("keep notice: %w", err)
	}
	return nil
}

// takeFlash answers the kept sentence once.
func takeFlash(w http.ResponseWriter, r *http.Request) views.Flash {
	if _, err := r.Cookie(flashCookie); err != nil {
		return views.Flash{}
	}
	session, err := scopeOf(r).core.flashes.New(r, flashCookie)
	forgotten := sessions.NewCookie(flashCookie, "", cookieOptions(scopeOf(r).secure))
	forgotten.MaxAge = -1
	http.SetCookie(w, forgotten)
	if err != nil { // forged, or older than the key
		slog.DebugContext(r.Context(), "notice is unreadable", "error", err)
		return views.Flash{}
	}
	key, _ := session.Values["key"].(string)
	if key == "" {
		return views.Flash{}
	}
	texts, _ := session.Values["args"].([]string)
	args := make([]any, len(texts))
	for i, text := range texts {
		args[i] = text
	}
	return views.Flash{Tone: ui.Positive, Text: messages.T(r.Context(), key, args...)}
}

// flashAndGo says a sentence on the page that follows.
func flashAndGo(w http.ResponseWriter, r *http.Request, key, path string, args ...string) error {
	if err := flash(w, r, key, args...); err != nil {
		return err
	}
	return redirect(w, r, path)
}

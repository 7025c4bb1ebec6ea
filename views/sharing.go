package views

import (
	"context"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/sharing"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// shareForm makes a form's answer take the place of the dialog.
func shareForm(action string) templ.Attributes {
	return templ.Attributes{"hx-post": action, "hx-target": "#modal", "hx-swap": "innerHTML"}
}

// SubjectValue is a subject as the dialog's forms send it.
func SubjectValue(s sharing.Subject) string {
	switch {
	case !s.User.IsZero():
		return "user:" + s.User.String()
	case !s.Group.IsZero():
		return "group:" + s.Group.String()
	}
	return "role:" + string(s.Role)
}

// SubjectName is what a subject is called.
func SubjectName(ctx context.Context, g sharing.Grant) string {
	switch g.Subject.Role {
	case access.Viewer:
		return messages.T(ctx, "share.everybody")
	case access.Editor:
		return messages.T(ctx, "share.editors")
	}
	return g.Name
}

// How the dialog names the scope of what is shared.
func scopeIcon(s sharing.Sheet) string {
	switch {
	case s.Everybody:
		return "users-round"
	case s.Restricted:
		return "lock"
	}
	return "folder"
}

func scopeTitle(s sharing.Sheet) string {
	switch {
	case s.Everybody:
		return "share.scope_everybody"
	case s.Restricted:
		return "share.scope_restricted"
	}
	return "share.scope_folder"
}

func scopeText(s sharing.Sheet) string {
	switch {
	case s.Everybody:
		return "share.scope_everybody_text"
	case s.Restricted:
		return "share.scope_restricted_text"
	}
	return "share.scope_folder_text"
}

func levels(ctx context.Context, edit bool) []ui.Option {
	return []ui.Option{
		{Value: "view", Label: messages.T(ctx, "share.view"), Selected: !edit},
		{Value: "edit", Label: messages.T(ctx, "share.edit"), Selected: edit},
	}
}

func levelKey(edit bool) string {
	if edit {
		return "share.edit"
	}
	return "share.view"
}

func linkHint(s sharing.Sheet) string {
	if s.Object.Kind == sharing.Dashboard {
		return "share.link_hint_view"
	}
	return "share.link_hint"
}

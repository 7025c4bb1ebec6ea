package delivery

import (
	"context"
	"time"
)

// Letter is what a message says, before somebody has put it into words.
type Letter interface{ kind() string }

// PasswordReset lets a person choose a new password.
type PasswordReset struct {
	Name  string    // of the person; may be empty
	Link  string    // works once
	Until time.Time // with the zone in which it is to be shown
}

// Invitation asks a person into a workspace.
type Invitation struct {
	Workspace string
	Inviter   string // name or address of who invites
	Role      string // as people read it, "editor"
	Link      string // works once
	Until     time.Time
}

func (PasswordReset) kind() string { return "password_reset" }
func (Invitation) kind() string    { return "invitation" }

// Words is a letter in words: the same in plain text and in HTML.
type Words struct {
	Subject string
	Text    string
	HTML    string
}

// Renderer puts a letter into words of the language of a locale.
type Renderer interface {
	RenderLetter(ctx context.Context, locale string, letter Letter) (Words, error)
}

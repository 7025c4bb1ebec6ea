package views

import (
	"context"
	"time"

	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// Paths of the settings of mail; all but the first are POST.
const (
	PathMailSettings     = "/settings/mail"
	PathMailServer       = PathMailSettings // host, port, tls, username, password, from_name, from_address, bounce_address
	PathMailServerRemove = PathMailSettings + "/remove"
	PathMailTest         = PathMailSettings + "/test"
	PathMailKey          = PathMailSettings + "/key"
	PathMailKeyCheck     = PathMailKey + "/check"
	PathMailKeyRemove    = PathMailKey + "/remove"
	PathMailbox          = PathMailSettings + "/mailbox" // host, port, tls, username, password, mailbox
	PathMailboxRead      = PathMailbox + "/read"
	PathMailboxRemove    = PathMailbox + "/remove"
	PathMailHook         = PathMailSettings + "/hook"
	PathMailHookRemove   = PathMailHook + "/remove"
	PathMailClear        = PathMailSettings + "/clear" // address
	// PathMailEvents is where a provider tells of bounces: {tenant}.
	PathMailEvents = "/mail/events/"
)

// MailSettingsProps is how the mail of a workspace goes out and comes back.
type MailSettingsProps struct {
	delivery.Mail
	Box     delivery.Mailbox // of the form
	Email   string           // where a test goes
	HookURL string
	HookKey string // was just made, and is shown once
	Moment  func(time.Time) string
	// Section is the form that was sent back, or of the button: "server", "test",
	// "key" or "mailbox"; Errors are of its fields.
	Section     string
	Errors      map[string]string
	Error, Code string
}

func (p MailSettingsProps) problem(section, field string) string {
	if p.Section != section {
		return ""
	}
	return p.Errors[field]
}

// testFailed tells whether a test was not sent.
func (p MailSettingsProps) testFailed() bool { return p.Error != "" && p.Section == "test" }

// general is what could not be done, unless a card says so itself.
func (p MailSettingsProps) general() string {
	if p.testFailed() || p.Section == "key" && p.Key != nil && p.Key.Problem != "" || p.Section == "mailbox" && p.Mailbox != nil && p.Mailbox.Problem != "" {
		return ""
	}
	return p.Error
}

func protections(ctx context.Context, now string) []ui.Option {
	return choices(ctx, "mail.tls_", now, "starttls", "tls", "none")
}

// passwordHint says that what is kept stays.
func passwordHint(ctx context.Context, kept bool) string {
	if kept {
		return messages.T(ctx, "mail.password_kept")
	}
	return ""
}

func serverRemoveText(ctx context.Context, p MailSettingsProps) string {
	if p.Installed {
		return messages.T(ctx, "mail.server_remove_text")
	}
	return messages.T(ctx, "mail.server_remove_none")
}

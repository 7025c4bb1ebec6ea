package views

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/brand"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
)

// Letters puts letters into words; it is the delivery.Renderer.
type Letters struct {
	Brand   string        // "DataFlow" when empty
	Address func() string // of this installation, as people reach it
}

// productMail are the colours of mails that are no portal's.
var productMail = brand.Brand{}.Mail()

func coloursOf(portal brand.Mail) brand.Mail {
	if portal == (brand.Mail{}) { // a letter that was written before it had colours
		return productMail
	}
	return portal
}

// email is one letter in words, in parts that text and HTML share.
type email struct {
	Brand, Subject, Greeting, Text, Button, Link, Until, Hint, Foot string

	Quote string                 // what somebody said, after Text
	Lines []delivery.TroubleLine // between Text and Button

	Colours brand.Mail
}

// RenderLetter writes a letter in the language of the locale.
func (l Letters) RenderLetter(ctx context.Context, tag string, letter delivery.Letter) (delivery.Words, error) {
	ctx = messages.WithLanguage(ctx, tag)
	t := func(key string, args ...any) string { return messages.T(ctx, key, args...) }
	until := func(at time.Time) string { return locale.For(tag).DateTimeZone(at) }
	name := orElse(l.Brand, "DataFlow")
	e := email{Brand: name, Colours: productMail, Greeting: t("email.greeting_plain"), Hint: t("email.link_hint"),
		Foot: t("email.sent_by", "Brand", name, "Address", l.Address())}
	switch m := letter.(type) {
	case delivery.PasswordReset:
		if m.Name != "" {
			e.Greeting = t("email.greeting", "Name", m.Name)
		}
		e.Subject = t("email.reset.subject", "Brand", name)
		e.Text = t("email.reset.text")
		e.Button = t("email.reset.button")
		e.Until = t("email.reset.until", "Until", until(m.Until))
		e.Link = m.Link
	case delivery.PortalLink:
		e.Colours = coloursOf(m.Colours)
		e.Brand, e.Foot = m.Portal, t("email.sent_by", "Brand", m.Portal, "Address", m.Address)
		if m.Name != "" {
			e.Greeting = t("email.greeting", "Name", m.Name)
		}
		which := "email.reset."
		if m.Invited {
			which = "email.portal_invitation."
		}
		e.Subject = t(which+"subject", "Brand", m.Portal)
		e.Text = t(which+"text", "Brand", m.Portal)
		e.Button = t(which + "button")
		e.Until = t(which+"until", "Until", until(m.Until))
		e.Link = m.Link
	case delivery.Report:
		return l.report(ctx, tag, m)
	case delivery.ReportTrouble:
		e.Subject = t("email.trouble.subject_"+string(m.Trouble), "Name", m.Name)
		e.Text = t("email.trouble.text_"+string(m.Trouble), "Name", m.Name, "At", until(m.At), "Owner", m.Owner)
		e.Lines, e.Greeting = m.Lines, ""
		e.Foot = t("email.trouble.foot", "Brand", name, "Address", l.Address())
		e.Button = t("email.trouble.button")
		e.Until = t("email.trouble.until")
		e.Link = m.Link
	case delivery.MailTest:
		if m.Name != "" {
			e.Greeting = t("email.greeting", "Name", m.Name)
		}
		e.Subject = t("email.test.subject", "Workspace", m.Workspace)
		e.Text = t("email.test.text", "Workspace", m.Workspace, "Server", m.Server)
		if m.Server == "" {
			e.Text = t("email.test.text_installed", "Workspace", m.Workspace)
		}
		e.Button, e.Link = t("email.test.button"), m.Link
		e.Until = t("email.test.until", "At", until(m.At))
	case delivery.Invitation:
		e.Subject = t("email.invitation.subject", "Inviter", m.Inviter, "Workspace", m.Workspace)
		e.Text = t("email.invitation.text", "Inviter", m.Inviter, "Workspace", m.Workspace, "Role", m.Role)
		e.Button = t("email.invitation.button")
		if m.Inviter == "" {
			e.Subject = t("email.sign_up.subject", "Workspace", m.Workspace)
			e.Text = t("email.sign_up.text", "Workspace", m.Workspace, "Role", m.Role)
			e.Button = t("invite.submit")
		}
		e.Until = t("email.invitation.until", "Until", until(m.Until))
		e.Link = m.Link
	case delivery.ConnectLink:
		if m.Name != "" {
			e.Greeting = t("email.greeting", "Name", m.Name)
		}
		e.Subject = t("email.connect.subject", "Workspace", m.Workspace)
		e.Text = t("email.connect.text", "Workspace", m.Workspace)
		e.Button = t("email.connect.button")
		e.Until = t("email.invitation.until", "Until", until(m.Until))
		e.Link = m.Link
	case delivery.Notice:
		if m.Name != "" {
			e.Greeting = t("email.greeting", "Name", m.Name)
		}
		e.Subject = t("notify."+m.Kind, "By", m.By, "Subject", m.Subject)
		e.Quote = m.Excerpt // the heading says the rest
		e.Button = t("email.notice.button")
		e.Until = t("email.notice.settings")
		e.Foot = t("email.notice.foot", "Brand", name, "Address", l.Address())
		e.Link = m.Link
	default:
		return delivery.Words{}, fmt.Errorf("no words for a letter of type %T", letter)
	}
	var html strings.Builder
	if err := emailHTML(e).Render(ctx, &html); err != nil {
		return delivery.Words{}, err
	}
	return delivery.Words{Subject: e.Subject, Text: e.text(), HTML: html.String()}, nil
}

// text is the letter for who reads no HTML.
func (e email) text() string {
	parts := []string{orElse(e.Text, e.Subject+".")}
	if e.Greeting != "" {
		parts = slices.Insert(parts, 0, e.Greeting)
	}
	if e.Quote != "" {
		parts = append(parts, "> "+e.Quote)
	}
	for _, line := range e.Lines {
		parts = append(parts, strings.TrimPrefix(line.Address+": "+line.Text, ": "))
	}
	return strings.Join(append(parts, e.Button+":\n"+e.Link, e.Until, e.Foot), "\n\n") + "\n"
}

// reportMail is the mail that carries a scheduled report.
type reportMail struct {
	delivery.Report
	Subject, Text, Failed, Until, Foot string
	Format, Size                       string // of the file: "PDF", "1.2 MB · 40 rows"
}

func (l Letters) report(ctx context.Context, tag string, m delivery.Report) (delivery.Words, error) {
	t := func(key string, args ...any) string { return messages.T(ctx, key, args...) }
	loc := locale.For(tag)
	name := orElse(l.Brand, "DataFlow")
	m.Colours = coloursOf(m.Colours)
	r := reportMail{Report: m, Subject: t("email.report.subject", "Name", m.Name, "Date", loc.Date(m.At)),
		Text: t("email.report.text", "Dashboard", m.Dashboard, "Workspace", m.Workspace, "At", loc.DateTimeZone(m.At)),
		Foot: t("email.report.foot", "Brand", name, "Workspace", m.Workspace, "Address", l.Address())}
	if m.Portal != "" {
		r.Foot = t("email.report.foot_portal", "Brand", m.Workspace, "Address", m.Portal)
	}
	r.Format = strings.ToUpper(strings.TrimPrefix(path.Ext(m.File), "."))
	r.Size = loc.FileSize(m.Bytes)
	if m.Rows > 0 {
		r.Size += " · " + t("reports.rows", "Count", m.Rows, "Rows", loc.Integer(m.Rows))
	}
	facts := m.File + " · " + r.Size
	parts := []string{m.Name, r.Text}
	if m.Failed > 0 {
		r.Failed = t("email.report.failed", "Count", m.Failed, "All", m.Widgets)
		parts = append(parts, r.Failed)
	}
	if m.FileLink != "" {
		r.Until = t("email.report.until", "Until", loc.DateTimeZone(m.FileUntil))
		parts = append(parts, t("email.report.linked")+"\n"+facts+"\n"+m.FileLink, r.Until)
	} else {
		parts = append(parts, t("email.report.attached")+"\n"+facts)
	}
	if m.Link != "" {
		parts = append(parts, t("email.report.open")+":\n"+m.Link)
	}
	if m.Unsubscribe != "" {
		parts = append(parts, t("email.report.unsubscribe")+":\n"+m.Unsubscribe)
	}
	var html strings.Builder
	if err := reportHTML(r).Render(ctx, &html); err != nil {
		return delivery.Words{}, err
	}
	return delivery.Words{Subject: r.Subject, Text: strings.Join(append(parts, r.Foot), "\n\n") + "\n", HTML: html.String()}, nil
}

// mailDark is the style sheet of the brand's colours for programs that know of
// dark.
func mailDark(c brand.MailTheme) string {
	return "<style>@media (prefers-color-scheme: dark) { .df-link { color: " + c.Link + " !important; } " +
		".df-button { background: " + c.Fill + " !important; color: " + c.OnFill + " !important; } }</style>"
}

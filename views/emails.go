package views

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
)

// Letters puts letters into words; it is the delivery.Renderer.
type Letters struct {
	Brand   string        // "DataFlow" when empty
	Address func() string // of this installation, as people reach it
}

// email is one letter in words, in parts that text and HTML share.
type email struct {
	Brand, Subject, Greeting, Text, Button, Link, Until, Hint, Foot string
}

// RenderLetter writes a letter in the language of the locale.
func (l Letters) RenderLetter(ctx context.Context, tag string, letter delivery.Letter) (delivery.Words, error) {
	ctx = messages.WithLanguage(ctx, tag)
	t := func(key string, args ...any) string { return messages.T(ctx, key, args...) }
	until := func(at time.Time) string { return locale.For(tag).DateTimeZone(at) }
	brand := orElse(l.Brand, "DataFlow")
	e := email{Brand: brand, Greeting: t("email.greeting_plain"), Hint: t("email.link_hint"),
		Foot: t("email.sent_by", "Brand", brand, "Address", l.Address())}
	switch m := letter.(type) {
	case delivery.PasswordReset:
		if m.Name != "" {
			e.Greeting = t("email.greeting", "Name", m.Name)
		}
		e.Subject = t("email.reset.subject", "Brand", brand)
		e.Text = t("email.reset.text")
		e.Button = t("email.reset.button")
		e.Until = t("email.reset.until", "Until", until(m.Until))
		e.Link = m.Link
	case delivery.Invitation:
		e.Subject = t("email.invitation.subject", "Inviter", m.Inviter, "Workspace", m.Workspace)
		e.Text = t("email.invitation.text", "Inviter", m.Inviter, "Workspace", m.Workspace, "Role", m.Role)
		e.Button = t("email.invitation.button")
		e.Until = t("email.invitation.until", "Until", until(m.Until))
		e.Link = m.Link
	default:
		return delivery.Words{}, fmt.Errorf("no words for a letter of type %T", letter)
	}
	var html strings.Builder
	if err := emailHTML(e).Render(ctx, &html); err != nil {
		return delivery.Words{}, err
	}
	text := strings.Join([]string{e.Greeting, e.Text, e.Button + ":\n" + e.Link, e.Until, e.Foot}, "\n\n") + "\n"
	return delivery.Words{Subject: e.Subject, Text: text, HTML: html.String()}, nil
}

package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/views"
)

// elsewhere makes a request look as one that a proxy on this machine passes on.
var elsewhere = map[string]string{"X-Forwarded-For": "192.0.2.7"}

func TestOutboxOfADemo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.browser(t).post(views.PathForgot, "email", "viewer@example.com").want(http.StatusOK)

	admin := s.as(t, "admin")
	admin.get(views.PathOutbox).want(http.StatusOK).shows("#outbox", "This is a demo").shows("#outbox", "To viewer@example.com").
		shows("#outbox a.link", "/reset?token=").shows("title", "Outbox")
	admin.get(views.PathHome).want(http.StatusOK).shows(`a[href="/outbox"]`, "Outbox")
	for _, name := range []string{"editor", "viewer"} {
		s.as(t, name).get(views.PathOutbox).want(http.StatusForbidden)
	}
	// The other workspace has sent nothing.
	s.as(t, "foreign").get(views.PathOutbox).want(http.StatusOK).lacks("#outbox a.link").shows("#outbox", "No mail yet")

	// Whoever sits at the machine finds the link without being signed in.
	s.browser(t).get(views.PathOutbox).want(http.StatusOK).shows("#outbox a.link", "/reset?token=")
	s.browser(t).request(http.MethodGet, views.PathOutbox, elsewhere).leadsTo(views.PathSignIn + "?next=%2Foutbox")
}

func TestOutboxOutsideOfADemo(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(d *Deps) { d.ShowOutbox = false })
	s.browser(t).get(views.PathOutbox).leadsTo(views.PathSignIn + "?next=%2Foutbox")
}

func TestOutboxWithoutMailServerHidesLinks(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(d *Deps) { d.ShowOutbox = false })
	if err := s.Auth.RequestReset(t.Context(), "viewer@example.com", auth.Client{}); err != nil {
		t.Fatal(err)
	}
	got := s.as(t, "owner").get(views.PathOutbox).want(http.StatusOK).
		shows("#outbox", "No mail server is configured").shows("#outbox td", "viewer@example.com").shows("#outbox .tag", "Not sent")
	if strings.Contains(got.body, "token=") {
		t.Errorf("a link is shown: %s", got.text())
	}
}

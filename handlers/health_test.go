package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/platform/telemetry"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	var broken error
	s := newSite(t, func(d *Deps) {
		d.Health = []telemetry.Check{
			{Name: "database", Ask: func(context.Context) error { return nil }},
			{Name: "storage", Ask: func(context.Context) error { return broken }},
		}
	})
	b := s.browser(t)
	if got := b.get("/healthz").want(http.StatusOK); !strings.Contains(got.body, `"status":"ok"`) {
		t.Errorf("got %s", got.body)
	}
	if got := b.get("/readyz").want(http.StatusOK); !strings.Contains(got.body, `"database":{"ok":true`) || !strings.Contains(got.body, `"status":"ok"`) {
		t.Errorf("got %s", got.body)
	}
	broken = errors.New("dial postgres://secret@db")
	b.get("/healthz").want(http.StatusOK)
	got := b.get("/readyz").want(http.StatusServiceUnavailable)
	if !strings.Contains(got.body, `"storage":{"ok":false`) || !strings.Contains(got.body, `"database":{"ok":true`) || strings.Contains(got.body, "secret") {
		t.Errorf("got %s", got.body)
	}
	// Strangers learn that something is missing, and nothing else.
	if got := b.request(http.MethodGet, "/readyz", elsewhere).want(http.StatusServiceUnavailable); strings.TrimSpace(got.body) != `{"status":"unavailable"}` {
		t.Errorf("a stranger got %s", got.body)
	}
}

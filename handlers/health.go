package handlers

import (
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/platform/telemetry"
)

// health tells whoever runs the process how it is.
type health struct{ *core }

func (h health) routes(r chi.Router) {
	r.Get("/healthz", handle(h.alive))
	r.Get("/readyz", handle(h.ready))
}

// alive answers as long as the process does: it asks nothing, so that an
// outage of the database has nobody restarted.
func (h health) alive(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	return renderJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// partHealth is one part in the answer of /readyz.
type partHealth struct {
	OK           bool    `json:"ok"`
	Milliseconds float64 `json:"ms"`
}

// ready tells whether a request could be served now: 200 or 503. Which part is
// missing is said to this machine only, and why to the log only.
func (h health) ready(w http.ResponseWriter, r *http.Request) error {
	status, parts := http.StatusOK, map[string]partHealth{}
	for _, a := range telemetry.RunChecks(r.Context(), h.Health) {
		if a.Err != nil && r.Context().Err() == nil {
			status = http.StatusServiceUnavailable
			slog.WarnContext(r.Context(), "not ready", "part", a.Name, "error", a.Err)
		}
		parts[a.Name] = partHealth{OK: a.Err == nil, Milliseconds: float64(a.Took.Microseconds()) / 1000}
	}
	body := map[string]any{"status": "ok"}
	if status != http.StatusOK {
		body["status"] = "unavailable"
	}
	if fromThisMachine(r) {
		body["parts"] = parts
	}
	w.Header().Set("Cache-Control", "no-store")
	return renderJSON(w, status, body)
}

package handlers

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/platform/telemetry"
)

// traced puts requests into spans that are named after their route.
func traced(next http.Handler) http.Handler {
	return telemetry.Traced(next, func(r *http.Request) string { return chi.RouteContext(r.Context()).RoutePattern() })
}

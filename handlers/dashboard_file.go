package handlers

import (
	"mime"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/dashboards"
)

// fileRoutes are a dashboard as a file: to keep, and to change as text.
func (h editor) fileRoutes(r chi.Router) {
	r.Get("/dashboards/{id}/file.yaml", handle(h.noted("dashboard.file_downloaded", "dashboard", "id", h.file)))
	r.Group(func(r chi.Router) {
		r.Use(asDraft)
		r.Get("/dashboards/{id}/edit/file.yaml", handle(h.noted("dashboard.file_downloaded", "dashboard", "id", h.file)))
		r.Post("/dashboards/{id}/edit/file", handle(h.applyFile))
	})
}

// file answers the dashboard as YAML: as published, or below the editor's path
// its draft.
func (h editor) file(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	name, file, err := h.Dashboards.ExportFile(r.Context(), actor(r), id, isDraft(r))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": dashboards.FileName(name) + ".yaml"}))
	_, _ = w.Write(file) // somebody who went away gets nothing
	return nil
}

// applyFile makes the draft what a text says, as one change.
func (h editor) applyFile(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Text string `json:"text"`
	}
	id, err := request(r, &body)
	if err != nil {
		return err
	}
	applied, err := h.Dashboards.ApplyFile(r.Context(), actor(r), []byte(body.Text), dashboards.ApplyOptions{To: id, Draft: true})
	if err != nil {
		return err
	}
	return renderJSON(w, http.StatusOK, map[string]any{"changed": len(applied.Diff) > 0})
}
